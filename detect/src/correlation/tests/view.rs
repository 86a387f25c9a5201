//! What is shown of a group.

use super::*;

fn views(bench: &Bench, def: &CorrelationDef) -> Vec<crate::correlation::view::GroupView> {
    bench.fold.groups(def)
}

#[test]
fn a_count_says_how_many_more_it_takes_and_until_when() {
    let def = def(1, DefKind::EventCount(at_least(5.0)), 600);
    let mut bench = Bench::new([def.clone()]);
    bench.fired([0, 700, 720, 800].map(|at| found(&def, at, at)));
    let [view] = &views(&bench, &def)[..] else {
        panic!("one group")
    };
    assert_eq!(view.group, [("user".to_owned(), "kim".to_owned())]);
    assert_eq!(view.events_total, 4);
    let progress = &view.progress;
    assert_eq!((progress.have, progress.missing), (Some(3.0), Some(2.0)));
    assert_eq!(
        (progress.satisfied, progress.need.as_str()),
        (false, ">= 5")
    );
    assert_eq!(
        progress.first,
        Timestamp::from_unix_seconds(700).to_string()
    );
    assert_eq!(
        progress.before,
        Timestamp::from_unix_seconds(1_300).to_string()
    );
}

#[test]
fn a_satisfied_group_shows_its_first_window_and_its_silence() {
    let silenced = CorrelationDef {
        suppress: Some(Span::from_seconds(60)),
        ..def(1, DefKind::EventCount(at_least(2.0)), 60)
    };
    let mut bench = Bench::new([silenced.clone()]);
    bench.fold.limits.suppress = true;
    assert_eq!(
        bench.fired([0, 10, 20].map(|at| found(&silenced, at, at))),
        [10]
    );
    let view = &views(&bench, &silenced)[0];
    assert!(view.progress.satisfied);
    assert_eq!(view.progress.missing, None);
    let at = |seconds| Timestamp::from_unix_seconds(seconds).to_string();
    assert_eq!(view.progress.last, at(10));
    assert_eq!(view.silent, [(at(10), at(70))]);
}

#[test]
fn a_temporal_correlation_names_the_rules_that_it_lacks_and_a_wrong_order() {
    let def = def(1, DefKind::TemporalOrdered(TemporalCondition::All), 60);
    let mut bench = Bench::new([def.clone()]);
    let of_rule = |rule, at| Match {
        base_rules: vec![rule],
        ..found(&def, at, at)
    };
    bench.fired([of_rule(1, 0), of_rule(0, 10)]);
    let progress = &views(&bench, &def)[0].progress;
    assert_eq!(progress.missing_rules, ["c"]);
    assert!(!progress.out_of_order);
    bench.fired([of_rule(2, 20)]);
    let progress = &views(&bench, &def)[0].progress;
    assert!(progress.missing_rules.is_empty() && progress.out_of_order);
}

#[test]
fn only_the_newest_events_of_a_group_are_shown() {
    let def = def(1, DefKind::EventCount(at_least(100.0)), 600);
    let mut bench = Bench::new([def.clone()]);
    bench.fired((0..50).map(|at| found(&def, at, at)));
    let view = &views(&bench, &def)[0];
    assert_eq!((view.events.len(), view.events_total), (20, 50));
    assert_eq!(
        view.events[19].time,
        Timestamp::from_unix_seconds(49).to_string()
    );
}
