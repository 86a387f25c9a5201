//! Expiry and settings.

use super::*;

#[test]
fn t6_without_a_tick_nothing_expires() {
    let def = def(1, DefKind::EventCount(at_least(2.0)), 10);
    let mut bench = Bench::new([def.clone()]);
    bench.send(found(&def, 0, 0));
    bench.send(found(&def, 1, 1_000_000));
    assert_eq!(bench.fired([found(&def, 2, 5)]), [2]);
}

#[test]
fn t6_an_element_expires_a_timespan_and_the_grace_after_its_time() {
    let mut def = def(1, DefKind::EventCount(at_least(2.0)), 10);
    def.lateness = Span::from_seconds(3);
    let mut bench = Bench::new([def.clone()]);
    bench.send(found(&def, 0, 100));
    // The watermark is 3 s behind the tick: at 115 it is 112, at 116 it is 113.
    bench.tick(115);
    assert_eq!(bench.fold.slots(), 1);
    bench.tick(116);
    assert_eq!(bench.fold.slots(), 0);
}

#[test]
fn t6_a_late_batch_correlates_among_itself() {
    let def = def(1, DefKind::EventCount(at_least(3.0)), 10);
    let mut bench = Bench::new([def.clone()]);
    bench.tick(1_000);
    assert_eq!(bench.fired((0..3).map(|n| found(&def, n, n))), [2]);
    assert_eq!(bench.fold.late(), 3);
    bench.tick(1_009);
    assert_eq!(
        bench.fold.slots(),
        3,
        "kept for a timespan after the watermark at arrival"
    );
    bench.tick(1_010);
    assert_eq!(bench.fold.slots(), 0);
}

#[test]
fn a_18_11_lateness_is_subtracted_per_correlation() {
    let prompt = def(1, DefKind::EventCount(at_least(2.0)), 10);
    let mut slow = def(2, DefKind::EventCount(at_least(2.0)), 10);
    slow.lateness = Span::from_seconds(100);
    let mut bench = Bench::new([prompt.clone(), slow.clone()]);
    bench.send(found(&prompt, 0, 0));
    bench.send(found(&slow, 1, 0));
    bench.tick(50);
    assert_eq!(bench.fold.slots(), 1);
    assert_eq!(bench.fired([found(&prompt, 2, 5), found(&slow, 3, 5)]), [3]);
}

#[test]
fn a_silence_longer_than_the_timespan_outlives_its_elements() {
    let mut def = def(1, DefKind::EventCount(at_least(1.0)), 10);
    def.suppress = Some(Span::from_seconds(100));
    let mut bench = Bench::new([def.clone()]);
    assert_eq!(bench.fired([found(&def, 0, 0)]), [0]);
    bench.tick(50);
    assert_eq!(bench.fold.slots(), 1, "the silence alone");
    assert_eq!(bench.fired([found(&def, 1, 60)]), [0_i64; 0]);
    bench.tick(200);
    assert_eq!(bench.fold.slots(), 0);
    assert_eq!(bench.fired([found(&def, 2, 201)]), [2]);
}

fn settings(active: &[&CorrelationDef], lateness: i64) -> Settings {
    Settings {
        active: active
            .iter()
            .map(|def| def.version.as_bytes().to_vec())
            .collect(),
        lateness: active
            .iter()
            .map(|_| Span::from_seconds(lateness).ticks())
            .collect(),
        suppress: true,
        ..Settings::default()
    }
}

#[test]
fn a_18_6_settings_drop_the_state_of_a_removed_version_and_stop_it() {
    let kept = def(1, DefKind::EventCount(at_least(2.0)), 10);
    let removed = def(2, DefKind::EventCount(at_least(2.0)), 10);
    let mut bench = Bench::new([kept.clone(), removed.clone()]);
    bench.send(found(&kept, 0, 0));
    bench.send(found(&removed, 1, 0));
    bench.step(&Record::new(Body::Settings(settings(&[&kept], 0))));
    assert_eq!(bench.fold.slots(), 1);
    assert_eq!(
        bench.fired([found(&removed, 2, 1), found(&removed, 3, 1)]),
        [0_i64; 0]
    );
    assert_eq!(bench.fired([found(&kept, 4, 1)]), [4]);
}

#[test]
fn settings_change_lateness_and_switch_suppression_off() {
    let mut def = def(1, DefKind::EventCount(at_least(1.0)), 10);
    def.suppress = Some(Span::from_seconds(10));
    let mut bench = Bench::new([def.clone()]);
    assert_eq!(bench.fired([found(&def, 0, 0), found(&def, 1, 0)]), [0]);
    let loud = Settings {
        suppress: false,
        ..settings(&[&def], 100)
    };
    bench.step(&Record::new(Body::Settings(loud)));
    assert_eq!(bench.fired([found(&def, 2, 0)]), [2]);
    bench.tick(50);
    assert_eq!(bench.fold.slots(), 3);
}

#[test]
fn a_source_that_is_gone_lets_elements_expire() {
    let def = def(1, DefKind::EventCount(at_least(2.0)), 10);
    let mut bench = Bench::new([def.clone()]);
    bench.send(found(&def, 0, 0));
    bench.step(&Record::tick(Tick {
        marks: vec![TickMark {
            partitions_total: 2,
            ..mark("hub", 500)
        }],
    }));
    assert_eq!((bench.fold.slots(), bench.fold.watermark()), (1, None));
    let gone = Source {
        partition: 1,
        ..source("hub")
    };
    bench.step(&Record::new(Body::SourceGone(gone)));
    assert_eq!(bench.fold.slots(), 0);
}
