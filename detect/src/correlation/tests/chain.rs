//! Correlations over correlations (amendment 2).

use super::*;

/// `inner` counts two events by user; `outer` needs two of its matches by address.
fn chain() -> (CorrelationDef, CorrelationDef) {
    let mut inner = def(1, DefKind::EventCount(at_least(2.0)), 60);
    let mut outer = def(2, DefKind::EventCount(at_least(2.0)), 60);
    inner.outer = vec![(outer.version, 0)];
    inner.alerts = false;
    outer.group_by = vec!["address".into(), "user".into()];
    (inner, outer)
}

fn carrying(
    inner: &CorrelationDef,
    outer: &CorrelationDef,
    offset: i64,
    address: Option<&str>,
) -> Match {
    Match {
        carried: vec![Carried {
            rule_version: outer.version.as_bytes().to_vec(),
            group_values: vec![address.unwrap_or_default().to_owned(), String::new()],
            present: vec![address.is_some(), false],
            value_hash: 11,
            has_value: true,
            value_micro: 12,
            inner: Vec::new(),
        }],
        ..found(inner, offset, offset)
    }
}

#[test]
fn of_several_ways_to_an_outer_correlation_the_one_that_was_taken_counts() {
    let (inner, outer) = chain();
    let mut bench = Bench::new([inner.clone(), outer.clone()]);
    let mut first = carrying(&inner, &outer, 0, Some("1.2.3.4"));
    let other = Carried {
        group_values: vec!["5.6.7.8".into(), String::new()],
        inner: vec![way(inner.version.as_bytes(), &first.group_key)],
        ..first.carried[0].clone()
    };
    first.carried[0].inner = vec![1];
    first.carried.push(other);
    let second = Match {
        offset: 1,
        ..first.clone()
    };
    bench.send(first);
    let out = chained(bench.send_from("hub", vec![second]));
    assert_eq!(out[0].1.group_values[0], "5.6.7.8");
}

#[test]
fn a_chained_match_is_grouped_by_the_outer_correlation() {
    let (inner, outer) = chain();
    let mut bench = Bench::new([inner.clone(), outer.clone()]);
    bench.send(carrying(&inner, &outer, 0, Some("1.2.3.4")));
    let second = carrying(&inner, &outer, 1, Some("1.2.3.4"));
    let out = chained(bench.send_from("hub", vec![second.clone()]));
    let [(part, found)] = &out[..] else {
        panic!("one chained match")
    };
    let key = GroupKey::new("t", &["1.2.3.4", "kim"]);
    assert_eq!(found.group_key, key.as_bytes());
    assert_eq!(found.group_values, ["1.2.3.4", "kim"]);
    assert_eq!(*part, key.partition("t", "c2"));
    assert_eq!(
        (found.correlation_id.as_str(), &found.base_rules[..]),
        ("c2", &[0][..])
    );
    assert_eq!(found.event_time, second.event_time);
    assert_eq!(found.offset, 2, "the log position of its trigger");
    let id = crate::id::chained_event_id("c1", &second.group_key, event_id(1));
    assert_eq!(found.event_id, id.as_bytes());
    assert_eq!(
        (found.value_hash, found.has_value, found.value_micro),
        (11, true, 12)
    );
}

#[test]
fn an_event_without_an_outer_group_field_takes_no_part() {
    let (inner, outer) = chain();
    let mut bench = Bench::new([inner.clone(), outer.clone()]);
    bench.send(carrying(&inner, &outer, 0, None));
    let second = carrying(&inner, &outer, 1, None);
    assert_eq!(chained(bench.send_from("hub", vec![second])), []);
}

#[test]
fn a_18_2_suppression_holds_back_alerts_and_no_chained_match() {
    let (mut inner, outer) = chain();
    inner.alerts = true;
    inner.suppress = Some(Span::from_seconds(60));
    let mut bench = Bench::new([inner.clone(), outer.clone()]);
    let (mut raised, mut passed_on) = (0, 0);
    for offset in 0..4 {
        let out = bench.send_from("hub", vec![carrying(&inner, &outer, offset, Some("x"))]);
        raised += alerts(out.clone()).len();
        passed_on += chained(out).len();
    }
    assert_eq!((raised, passed_on), (1, 3));
}

#[test]
fn chained_matches_of_one_record_are_all_applied_in_order() {
    let (inner, outer) = chain();
    let mut bench = Bench::new([inner.clone(), outer.clone()]);
    let batch = (0..4)
        .map(|offset| carrying(&inner, &outer, offset, Some("x")))
        .collect();
    let out = chained(bench.send_from("hub", batch));
    assert_eq!(out.len(), 3);
    let mut fired = 0;
    let mut to = Bench::new([inner, outer]);
    for again in 0..2 {
        for (_, found) in &out {
            fired += alerts(to.send_from("fold", vec![found.clone()])).len();
        }
        assert_eq!(
            fired, 2,
            "the second and the third; repeats change nothing ({again})"
        );
    }
}

#[test]
fn an_outer_correlation_that_names_the_inner_twice_gets_one_match() {
    let (mut inner, outer) = chain();
    inner.outer = vec![(outer.version, 2), (outer.version, 0)];
    let mut bench = Bench::new([inner.clone(), outer.clone()]);
    bench.send(carrying(&inner, &outer, 0, Some("x")));
    let out = chained(bench.send_from("hub", vec![carrying(&inner, &outer, 1, Some("x"))]));
    assert_eq!(
        out.iter()
            .map(|(_, found)| found.base_rules.clone())
            .collect::<Vec<_>>(),
        [[0, 2]]
    );
}

#[test]
fn a_chain_in_three_levels_passes_on_what_the_event_carries() {
    let (mut inner, mut middle) = chain();
    let mut outer = def(3, DefKind::EventCount(at_least(1.0)), 60);
    outer.group_by = vec!["address".into()];
    middle.kind = DefKind::EventCount(at_least(1.0));
    middle.outer = vec![(outer.version, 0)];
    inner.kind = DefKind::EventCount(at_least(1.0));
    let mut bench = Bench::new([inner.clone(), middle.clone(), outer.clone()]);
    let first = chained(bench.send_from("hub", vec![carrying(&inner, &middle, 0, Some("x"))]));
    let second = chained(bench.send_from("fold", vec![first[0].1.clone()]));
    assert_eq!(second[0].1.group_values, ["x"]);
    let alert = alerts(bench.send_from("fold", vec![second[0].1.clone()])).remove(0);
    let event = &alert.evidence.events[0];
    assert_eq!(
        (event.origin.source.as_str(), event.origin.offset),
        ("hub", 0)
    );
    assert_eq!(
        event.event_id,
        event_id(0).to_string(),
        "the event behind the chain"
    );
    let trigger = Id::from_bytes(second[0].1.event_id.clone().try_into().unwrap());
    let key = GroupKey::new("t", &["x"]);
    let id = crate::id::correlation_alert_id("t", "c3", key.as_bytes(), trigger);
    assert_eq!(alert.alert_id, id.to_string());
}

#[test]
fn a_18_2_what_chains_need_waits_for_the_folds_ticks() {
    let (inner, outer) = chain();
    let mut bench = Bench::new([inner.clone(), outer.clone()]);
    bench.send(found(&outer, 0, 0));
    bench.send(found(&inner, 1, 0));
    bench.tick(1_000);
    assert_eq!(
        bench.fold.slots(),
        1,
        "the inner one has expired, the outer one may be needed"
    );
    bench.step(&Record::tick(Tick {
        marks: vec![mark("fold", 59)],
    }));
    assert_eq!(bench.fold.slots(), 1);
    bench.step(&Record::tick(Tick {
        marks: vec![mark("fold", 60)],
    }));
    assert_eq!(bench.fold.slots(), 0);
    assert_eq!(
        bench.fold.watermark(),
        Some(Timestamp::from_unix_seconds(1_000))
    );
}

/// What a correlation over rule `a` and over two correlations of `a` says of events at `times`, each
/// of which both complete; `rules` are the ones that the outer correlation refers to, in the order in
/// which their matches reach it. The numbers of the events on which it fires.
fn seen_more_than_once(kind: DefKind, rules: &[u32], times: &[i64]) -> Vec<usize> {
    let mut outer = def(3, kind, 10);
    outer.base_rules.truncate(rules.len());
    let mut inner = [1, 2].map(|number| def(number, DefKind::EventCount(at_least(1.0)), 10));
    for inner in &mut inner {
        inner.outer = vec![(outer.version, 0)];
        inner.alerts = false;
    }
    let bench = || Bench::new([inner[0].clone(), inner[1].clone(), outer.clone()]);
    let (mut below, mut above) = ([bench(), bench()], bench());
    let mut fired = Vec::new();
    for (number, time) in times.iter().enumerate() {
        let offset = i64::try_from(number).unwrap();
        let valued = |found: Match| Match {
            has_value: true,
            value_micro: 2_000_000,
            ..found
        };
        for (place, rule) in (0..).zip(rules) {
            let (from, found) = match rule {
                0 => ("hub", valued(found(&outer, offset, *time))),
                1 | 2 => {
                    let inner_place = usize::try_from(*rule).unwrap() - 1;
                    let trigger = found(&inner[inner_place], offset, *time);
                    let out = below[inner_place].send_from("hub", vec![trigger]);
                    let (_, found) = chained(out).remove(0);
                    (["fold", "other fold"][inner_place], valued(found))
                }
                _ => panic!("no rule {rule}"),
            };
            let found = Match {
                base_rules: vec![place],
                ..found
            };
            fired.extend(
                alerts(above.send_from(from, vec![found]))
                    .iter()
                    .map(|_| number),
            );
        }
    }
    fired
}

#[test]
fn an_event_and_an_inner_correlation_that_it_completes_are_one_event() {
    for rules in [[0, 1], [1, 0]] {
        let fires = |kind, times: &[i64]| seen_more_than_once(kind, &rules, times);
        let count = |least| DefKind::EventCount(at_least(least));
        let all = || TemporalCondition::All;
        assert_eq!(fires(count(1.0), &[0, 4]), [0, 1], "each fires once");
        assert_eq!(fires(count(2.0), &[0]), [0_usize; 0]);
        assert_eq!(fires(count(2.0), &[0, 4]), [1]);
        assert_eq!(fires(DefKind::ValueSum(at_least(4.0)), &[0]), [0_usize; 0]);
        assert_eq!(fires(DefKind::ValueSum(at_least(4.0)), &[0, 4]), [1]);
        assert_eq!(fires(DefKind::Temporal(all()), &[0]), [0]);
        assert_eq!(fires(DefKind::TemporalOrdered(all()), &[0]), [0_usize; 0]);
        assert_eq!(fires(DefKind::TemporalOrdered(all()), &[0, 4]), [1]);
    }
}

#[test]
fn two_inner_correlations_that_one_event_completes_count_as_two_and_are_one_otherwise() {
    let fires = |kind, times: &[i64]| seen_more_than_once(kind, &[2, 1], times);
    let count = |least| DefKind::EventCount(at_least(least));
    let all = || TemporalCondition::All;
    assert_eq!(fires(count(1.0), &[0]), [0], "once and not twice");
    assert_eq!(fires(count(2.0), &[0]), [0]);
    assert_eq!(fires(count(4.0), &[0, 4]), [1]);
    assert_eq!(fires(DefKind::ValueSum(at_least(4.0)), &[0]), [0_usize; 0]);
    assert_eq!(fires(DefKind::Temporal(all()), &[0]), [0]);
    assert_eq!(fires(DefKind::TemporalOrdered(all()), &[0]), [0_usize; 0]);
    assert_eq!(fires(DefKind::TemporalOrdered(all()), &[0, 4]), [1]);
    for rules in [[0, 1, 2], [1, 0, 2], [1, 2, 0]] {
        let fires = |kind| seen_more_than_once(kind, &rules, &[0]);
        assert_eq!(fires(count(2.0)), [0], "{rules:?}");
        assert_eq!(
            fires(count(3.0)),
            [0_usize; 0],
            "its own match joins one of them"
        );
    }
}

#[test]
fn events_of_one_time_stay_events_of_their_own_in_a_chain() {
    let fires = |least| {
        let count = DefKind::EventCount(at_least(least));
        seen_more_than_once(count, &[0, 1], &[0, 0, 0])
    };
    assert_eq!(fires(3.0), [2]);
    assert_eq!(fires(4.0), [0_usize; 0]);
}

#[test]
fn an_alert_shows_an_event_once_with_all_that_it_met() {
    let (mut inner, mut outer) = chain();
    inner.kind = DefKind::EventCount(at_least(1.0));
    outer.kind = DefKind::Temporal(TemporalCondition::All);
    outer.base_rules.truncate(2);
    outer.group_by = vec!["user".into()];
    inner.outer = vec![(outer.version, 1)];
    let mut bench = Bench::new([inner.clone(), outer.clone()]);
    let both = vec![found(&inner, 0, 0), found(&outer, 0, 0)];
    let out = chained(bench.send_from("hub", both));
    let alert = alerts(bench.send_from("fold", vec![out[0].1.clone()])).remove(0);
    let [event] = &alert.evidence.events[..] else {
        panic!("one event: {:?}", alert.evidence)
    };
    assert_eq!(
        (alert.evidence.count, &event.rules[..]),
        (1, &["a".to_owned(), "b".to_owned()][..])
    );
    assert_eq!(bench.fold.slots(), 2, "one of each correlation");
}
