//! What happens at each limit (INV-9).

use super::*;
use crate::correlation::evidence::{FOLD_BYTES_MAX, GROUP_BYTES_MAX};
use crate::matches::EVIDENCE_BYTES_MAX;

fn limits(per_correlation: u64, total: u64, per_group: u64) -> Record {
    Record::new(Body::Settings(Settings {
        active: (1..4).map(|number| vec![number; 16]).collect(),
        lateness: vec![0; 3],
        slots_per_correlation: per_correlation,
        slots_total: total,
        elements_per_group: per_group,
        suppress: false,
        ..Settings::default()
    }))
}

#[test]
fn a_flood_of_single_match_groups_evicts_only_such_groups() {
    let def = def(1, DefKind::EventCount(at_least(3.0)), 1_000);
    let mut bench = Bench::new([def.clone()]);
    bench.step(&limits(10, 1_000, 100));
    bench.send(of_group(&def, "suspect", 0, 0));
    bench.send(of_group(&def, "suspect", 1, 1));
    for offset in 2..200 {
        bench.send(of_group(&def, &format!("invented{offset}"), offset, offset));
        assert!(bench.fold.slots() <= 10);
    }
    assert_eq!(bench.fold.evicted(), 190);
    assert_eq!(bench.fired([of_group(&def, "suspect", 200, 200)]), [200]);
    assert_eq!(bench.fold.slots(), 10);
}

#[test]
fn the_oldest_single_goes_first() {
    let def = def(1, DefKind::EventCount(at_least(2.0)), 1_000);
    let mut bench = Bench::new([def.clone()]);
    bench.step(&limits(2, 1_000, 100));
    for (group, offset) in ["a", "b", "c"].iter().zip(0..) {
        bench.send(of_group(&def, group, offset, offset));
    }
    assert_eq!(
        bench.fired([of_group(&def, "b", 3, 3)]),
        [3],
        "`a` went, not `b`"
    );
}

#[test]
fn the_total_is_taken_from_the_largest_correlation() {
    let flooded = def(1, DefKind::EventCount(at_least(2.0)), 1_000);
    let quiet = def(2, DefKind::EventCount(at_least(2.0)), 1_000);
    let mut bench = Bench::new([flooded.clone(), quiet.clone()]);
    bench.step(&limits(1_000, 20, 100));
    bench.send(of_group(&quiet, "kim", 0, 0));
    for offset in 1..100 {
        bench.send(of_group(&flooded, &offset.to_string(), offset, offset));
    }
    assert_eq!(bench.fold.slots(), 20);
    assert_eq!(bench.fired([of_group(&quiet, "kim", 100, 100)]), [100]);
}

#[test]
fn a_group_alone_at_its_correlations_limit_loses_its_oldest_elements() {
    let def = def(1, DefKind::EventCount(at_least(100.0)), 1_000);
    let mut bench = Bench::new([def.clone()]);
    bench.step(&limits(5, 1_000, 100));
    for offset in 0..50 {
        bench.send(found(&def, offset, offset));
        assert!(bench.fold.slots() <= 5);
    }
}

#[test]
fn counts_above_the_elements_of_a_group_go_on_and_say_approximate() {
    let def = def(1, DefKind::EventCount(at_least(50.0)), 1_000);
    let mut bench = Bench::new([def.clone()]);
    bench.step(&limits(1_000, 1_000, 16));
    let mut fired = Vec::new();
    for offset in 0..60 {
        fired.extend(bench.send(found(&def, offset, offset)));
        assert!(bench.fold.slots() <= 16);
    }
    assert_eq!(
        fired.len(),
        11,
        "the fiftieth and each later one: nothing has left the window"
    );
    assert!(fired.iter().all(|alert| alert.evidence.approximate));
    assert_eq!(fired[0].evidence.count, 50);
}

#[test]
fn merged_elements_leave_the_window_in_time() {
    let def = def(1, DefKind::EventCount(at_least(50.0)), 100);
    let mut bench = Bench::new([def.clone()]);
    bench.step(&limits(1_000, 1_000, 16));
    for offset in 0..40 {
        bench.send(found(&def, offset, offset));
    }
    let later = (40..80).map(|offset| found(&def, offset, 160 + offset));
    assert_eq!(
        bench.fired(later),
        [0_i64; 0],
        "a timespan later the first forty do not count"
    );
}

#[test]
fn distinct_values_beyond_the_elements_of_a_group_drop_the_oldest() {
    let def = def(1, DefKind::ValueCount(at_least(10.0)), 1_000);
    let mut bench = Bench::new([def.clone()]);
    bench.step(&limits(1_000, 1_000, 16));
    let value = |offset: i64| Match {
        value_hash: offset.unsigned_abs(),
        has_value: true,
        ..found(&def, offset, offset)
    };
    let alert = (0..40)
        .flat_map(|offset| bench.send(value(offset)))
        .last()
        .expect("fires");
    assert!(alert.evidence.approximate);
    assert!(bench.fold.slots() <= 16);
}

#[test]
fn evidence_beyond_a_groups_bytes_is_dropped_and_the_element_counts() {
    let count = u32::try_from(GROUP_BYTES_MAX / EVIDENCE_BYTES_MAX + 10).unwrap();
    let def = def(1, DefKind::EventCount(at_least(f64::from(count))), 10_000);
    let mut bench = Bench::new([def.clone()]);
    let mut last = Vec::new();
    for offset in 0..i64::from(count) {
        let long = Match {
            evidence: vec![b'x'; 2_000],
            ..found(&def, offset, offset)
        };
        last = bench.send(long);
        assert!(bench.fold.bytes <= GROUP_BYTES_MAX);
    }
    assert_eq!(last[0].evidence.count, u64::from(count));
}

#[test]
fn evidence_of_many_groups_is_bounded_too() {
    let def = def(1, DefKind::EventCount(at_least(2.0)), 10_000);
    let mut bench = Bench::new([def.clone()]);
    let groups = i64::try_from(FOLD_BYTES_MAX / EVIDENCE_BYTES_MAX + 100).unwrap();
    for offset in 0..groups {
        let long = Match {
            evidence: vec![b'x'; 2_000],
            ..of_group(&def, &offset.to_string(), offset, 0)
        };
        bench.send(long);
    }
    assert!(bench.fold.bytes <= FOLD_BYTES_MAX);
    assert_eq!(bench.fold.slots(), groups.unsigned_abs());
}

#[test]
fn silences_of_one_group_are_bounded_and_the_oldest_ends() {
    let mut def = def(1, DefKind::EventCount(at_least(1.0)), 10);
    def.suppress = Some(Span::from_seconds(10));
    let mut bench = Bench::new([def.clone()]);
    // Later and later matches, each in a silence of its own: the first is forgotten at the 17th.
    let apart = (0..17).map(|n| found(&def, n, n * 100));
    assert_eq!(bench.fired(apart).len(), 17);
    let again = [
        found(&def, 17, 1_605),
        found(&def, 18, 105),
        found(&def, 19, 5),
    ];
    assert_eq!(bench.fired(again), [19]);
}

#[test]
fn entities_of_an_alert_are_bounded_and_numbered() {
    let def = def(1, DefKind::EventCount(at_least(90.0)), 1_000);
    let mut bench = Bench::new([def.clone()]);
    let mut last = Vec::new();
    for offset in 0..90 {
        let entities = format!(
            r#"[{{"id":1,"kind":"ip","role":"source","ids":{{"address":"10.0.0.{offset}"}}}},
                {{"id":2,"kind":"account","role":"actor","ids":{{"upn":"u{offset}"}}}}]"#
        );
        last = bench.send(Match {
            entities: entities.into_bytes(),
            ..found(&def, offset, offset)
        });
    }
    let alert = &last[0];
    assert_eq!(alert.entities.len(), ENTITIES_MAX);
    assert!(
        alert
            .entities
            .iter()
            .zip(1..)
            .all(|(entity, id)| entity.id == id)
    );
    assert_eq!(alert.truncated, ["entities"]);
}

#[test]
fn a_count_far_above_the_elements_of_a_group_stays_near_the_truth() {
    // A match every second for ten windows: never more than 1,001 of them lie in one.
    let def = def(1, DefKind::EventCount(at_least(1_100.0)), 1_000);
    let mut bench = Bench::new([def.clone()]);
    bench.step(&limits(1_000, 1_000, 200));
    for offset in 0..10_000 {
        assert_eq!(bench.fired([found(&def, offset, offset)]), [0_i64; 0]);
        assert!(bench.fold.slots() <= 200);
    }
    // Then two every second: 1,100 lie in one well before a thousand seconds have passed.
    let burst = (0..2_000).map(|n| found(&def, 10_000 + n, 10_000 + n / 2));
    let first = bench.fired(burst).first().copied().expect("fires");
    assert!((10_150..10_350).contains(&first), "{first}");
}
