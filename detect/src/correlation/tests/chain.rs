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
        }],
        ..found(inner, offset, offset)
    }
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
