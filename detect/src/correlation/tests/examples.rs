//! Single behaviours by example.

use super::*;
use crate::matches::{EVENT_BYTES_MAX, EVIDENCE_BYTES_MAX, flags};

#[test]
fn the_event_that_reaches_the_count_triggers_and_each_later_one_again() {
    let def = def(1, DefKind::EventCount(at_least(3.0)), 60);
    let mut bench = Bench::new([def.clone()]);
    assert_eq!(bench.fired((0..5).map(|n| found(&def, n, n))), [2, 3, 4]);
}

#[test]
fn a_window_is_closed_on_both_sides_to_the_tick() {
    let def = def(1, DefKind::EventCount(at_least(2.0)), 10);
    let second = |offset, ticks| Match {
        event_time: ticks,
        ..found(&def, offset, 0)
    };
    let mut inside = Bench::new([def.clone()]);
    assert_eq!(inside.fired([second(0, 0), second(1, 100_000_000)]), [1]);
    let mut outside = Bench::new([def.clone()]);
    assert_eq!(
        outside.fired([second(0, 0), second(1, 100_000_001)]),
        [0_i64; 0]
    );
}

#[test]
fn a_late_match_completes_an_early_window() {
    let def = def(1, DefKind::EventCount(at_least(3.0)), 6);
    let mut bench = Bench::new([def.clone()]);
    let times = [1, 2, 20, 21, 3];
    let fired = bench.fired(times.iter().zip(0..).map(|(time, n)| found(&def, n, *time)));
    assert_eq!(fired, [4]);
}

#[test]
fn a_late_match_never_joins_events_more_than_a_timespan_apart() {
    let def = def(1, DefKind::EventCount(at_least(3.0)), 6);
    let mut bench = Bench::new([def.clone()]);
    let fired = bench.fired([found(&def, 0, 1), found(&def, 1, 20), found(&def, 2, 10)]);
    assert_eq!(fired, [0_i64; 0]);
}

#[test]
fn a_18_1_one_match_of_several_base_rules_counts_once() {
    let both = |def: &CorrelationDef| Match {
        base_rules: vec![0, 1],
        ..found(def, 0, 0)
    };
    let few = def(
        1,
        DefKind::EventCount(Bounds(vec![(Comparison::Lt, 2.0)])),
        60,
    );
    assert_eq!(Bench::new([few.clone()]).fired([both(&few)]), [0]);
    let two = def(2, DefKind::EventCount(at_least(2.0)), 60);
    assert_eq!(Bench::new([two.clone()]).fired([both(&two)]), [0_i64; 0]);
}

#[test]
fn a_18_1_the_mark_is_the_whole_position() {
    let first = def(1, DefKind::EventCount(at_least(1.0)), 60);
    let second = def(2, DefKind::EventCount(at_least(1.0)), 60);
    let mut bench = Bench::new([first.clone(), second.clone()]);
    let inner = |index: &[u32]| Match {
        index: index.to_vec(),
        ..found(&first, 5, 0)
    };
    let parts = [
        inner(&[0]),
        inner(&[0, 1]),
        inner(&[1]),
        found(&second, 6, 0),
    ];
    assert_eq!(
        bench.fired(parts.clone()),
        [5, 5, 5, 6],
        "one offset, several positions"
    );
    assert_eq!(bench.fired(parts), [0_i64; 0], "all of them repeats");
}

#[test]
fn inv_5_re_delivery_of_any_suffix_changes_nothing() {
    let def = def(1, DefKind::EventCount(at_least(4.0)), 60);
    for from in 0..3 {
        let mut bench = Bench::new([def.clone()]);
        assert_eq!(bench.fired((0..3).map(|n| found(&def, n, n))), [0_i64; 0]);
        assert_eq!(
            bench.fired((from..3).map(|n| found(&def, n, n))),
            [0_i64; 0],
            "{from}"
        );
        assert_eq!(bench.fold.slots(), 3);
        assert_eq!(bench.fired([found(&def, 3, 3)]), [3], "{from}");
    }
}

#[test]
fn the_same_position_of_another_incarnation_is_another_event() {
    let def = def(1, DefKind::EventCount(at_least(2.0)), 60);
    let mut bench = Bench::new([def.clone()]);
    bench.send(found(&def, 0, 0));
    let again = Record::batch(MatchBatch {
        source: Some(Source {
            incarnation: 2,
            ..source("hub")
        }),
        matches: vec![found(&def, 0, 0)],
        ..MatchBatch::default()
    });
    assert_eq!(alerts(bench.step(&again)).len(), 1);
}

#[test]
fn ordered_steps_need_one_event_each_in_list_order() {
    let def = def(1, DefKind::TemporalOrdered(TemporalCondition::All), 60);
    let step = |offset, time, rules: &[u32]| Match {
        base_rules: rules.to_vec(),
        ..found(&def, offset, time)
    };
    let fired = |steps: Vec<Match>| Bench::new([def.clone()]).fired(steps);
    assert_eq!(
        fired(vec![step(0, 0, &[0]), step(1, 1, &[1]), step(2, 2, &[2])]),
        [2]
    );
    assert_eq!(
        fired(vec![step(0, 0, &[2]), step(1, 1, &[1]), step(2, 2, &[0])]),
        [0_i64; 0]
    );
    assert_eq!(
        fired(vec![step(0, 0, &[0]), step(1, 1, &[1, 2])]),
        [0_i64; 0],
        "one event, two steps"
    );
    assert_eq!(
        fired(vec![step(0, 5, &[0]), step(1, 5, &[1]), step(2, 5, &[2])]),
        [2],
        "ties"
    );
    assert_eq!(
        fired(vec![step(0, 5, &[1]), step(1, 5, &[0]), step(2, 5, &[2])]),
        [0_i64; 0]
    );
    assert_eq!(
        fired(vec![step(0, 9, &[2]), step(1, 1, &[0]), step(2, 5, &[1])]),
        [2],
        "late"
    );
}

#[test]
fn a_18_12_suppression_silences_triggers_up_to_its_end_and_no_further() {
    let mut def = def(1, DefKind::EventCount(at_least(2.0)), 10);
    def.suppress = Some(Span::from_seconds(10));
    let mut bench = Bench::new([def.clone()]);
    let times = [100, 101, 102, 111, 112, 113];
    let fired = bench.fired(times.iter().zip(0..).map(|(time, n)| found(&def, n, *time)));
    assert_eq!(fired, [1, 4], "fires at 101, silent to 111, fires at 112");
}

#[test]
fn a_18_12_a_late_match_that_completes_an_earlier_window_is_not_silenced() {
    let mut def = def(1, DefKind::EventCount(at_least(2.0)), 10);
    def.suppress = Some(Span::from_seconds(10));
    let mut bench = Bench::new([def.clone()]);
    let times = [50, 100, 101, 51, 103, 52];
    let fired = bench.fired(times.iter().zip(0..).map(|(time, n)| found(&def, n, *time)));
    assert_eq!(
        fired,
        [2, 3],
        "both situations are told once, in whatever order they arrive"
    );
}

#[test]
fn groups_are_silent_each_for_itself() {
    let mut def = def(1, DefKind::EventCount(at_least(1.0)), 10);
    def.suppress = Some(Span::from_seconds(10));
    let mut bench = Bench::new([def.clone()]);
    let parts = [
        of_group(&def, "kim", 0, 0),
        of_group(&def, "lee", 1, 1),
        of_group(&def, "kim", 2, 2),
    ];
    assert_eq!(bench.fired(parts), [0, 1]);
}

#[test]
fn an_alert_names_its_group_window_rules_and_origins() {
    let def = def(1, DefKind::Temporal(TemporalCondition::All), 60);
    let mut bench = Bench::new([def.clone()]);
    let entities = br#"[{"id":7,"kind":"ip","role":"source","ids":{"address":"203.0.113.5"}}]"#;
    let step = |offset, rules: &[u32]| Match {
        base_rules: rules.to_vec(),
        index: vec![3, 1],
        entities: entities.to_vec(),
        fields: br#"{"UserPrincipalName":"kim"}"#.to_vec(),
        subscription_id: "sub".into(),
        ..found(&def, offset, 30 + offset)
    };
    bench.send(step(0, &[2]));
    let [alert] = &bench.send(step(1, &[0, 1]))[..] else {
        panic!("one alert")
    };
    let key = GroupKey::new("t", &["kim"]);
    let id = crate::id::correlation_alert_id("t", "c1", key.as_bytes(), event_id(1));
    assert_eq!(alert.alert_id, id.to_string());
    assert_eq!(
        alert.dedupe_key,
        crate::id::dedupe_key("t", "c1", key.as_bytes()).to_string()
    );
    let group = alert.group.as_ref().expect("a group");
    assert_eq!(
        group.fields,
        BTreeMap::from([("user".to_owned(), "kim".to_owned())])
    );
    assert_eq!(group.window_start, "1969-12-31T23:59:31.0000000Z");
    assert_eq!(group.window_end, "1970-01-01T00:00:31.0000000Z");
    assert_eq!(
        alert.first_event_at.as_deref(),
        Some("1970-01-01T00:00:30.0000000Z")
    );
    assert_eq!(alert.tenant.subscription_id.as_deref(), Some("sub"));
    assert_eq!(alert.attack[0].technique.as_deref(), Some("T1110"));
    let [trigger, other] = &alert.evidence.events[..] else {
        panic!("two events")
    };
    assert_eq!(
        (trigger.rules.join(" "), other.rules.join(" ")),
        ("a b".into(), "c".into())
    );
    assert_eq!(
        (trigger.origin.offset, trigger.origin.index.as_str()),
        (1, "3.1")
    );
    assert_eq!(trigger.origin.source, "hub");
    assert_eq!(other.excerpt, Some(serde_json::json!({"offset": 0}).into()));
    assert_eq!(other.fields["UserPrincipalName"], "kim");
    assert_eq!(alert.entities.len(), 1, "the same address of both events");
    assert_eq!(alert.entities[0].id, 1);
    assert_eq!(alert.observables[0].value, "203.0.113.5");
    assert!(!alert.evidence.approximate);
}

#[test]
fn the_trigger_is_shown_whole_and_the_others_are_cut() {
    let def = def(1, DefKind::EventCount(at_least(2.0)), 60);
    let mut bench = Bench::new([def.clone()]);
    let long = |offset| Match {
        evidence: format!(r#"{{"a":"{}"}}"#, "x".repeat(EVENT_BYTES_MAX - 8)).into_bytes(),
        ..found(&def, offset, offset)
    };
    bench.send(long(0));
    let alert = bench.send(long(1)).remove(0);
    let [trigger, other] = &alert.evidence.events[..] else {
        panic!("two events")
    };
    assert!(!trigger.cut);
    assert!(
        trigger
            .excerpt
            .as_ref()
            .is_some_and(|excerpt| excerpt.value().is_object())
    );
    assert!(other.cut);
    let excerpt = other.excerpt.as_ref().expect("an excerpt").value();
    let text = excerpt.as_str().expect("text");
    assert_eq!(text.len(), EVIDENCE_BYTES_MAX);
    assert_eq!(alert.truncated, ["evidence.events.excerpt"]);
}

#[test]
fn a_trigger_that_stage_a_cut_stays_marked() {
    let def = def(1, DefKind::EventCount(at_least(1.0)), 60);
    let cut = Match {
        evidence: br#"{"a":"xx"#.to_vec(),
        flags: flags::EVIDENCE_CUT,
        ..found(&def, 0, 0)
    };
    let alert = Bench::new([def.clone()]).send(cut).remove(0);
    assert!(alert.evidence.events[0].cut);
    let shown = serde_json::Value::from(r#"{"a":"xx"#);
    assert_eq!(alert.evidence.events[0].excerpt, Some(shown.into()));
}

#[test]
fn an_alert_of_many_events_shows_a_hundred_and_counts_all() {
    let def = def(1, DefKind::EventCount(at_least(250.0)), 1_000);
    let mut bench = Bench::new([def.clone()]);
    let mut last = Vec::new();
    for offset in 0..250 {
        last = bench.send(found(&def, offset, offset));
    }
    let alert = &last[0];
    assert_eq!(
        (alert.evidence.count, alert.evidence.events.len()),
        (250, EVIDENCE_EVENTS_MAX)
    );
    assert_eq!(alert.evidence.events[0].origin.offset, 249);
    assert_eq!(alert.evidence.events[1].origin.offset, 0);
    assert_eq!(alert.truncated, ["evidence.events"]);
}

#[test]
fn times_of_an_alert_cover_events_that_it_does_not_show() {
    let def = def(1, DefKind::EventCount(at_least(250.0)), 1_000);
    let mut bench = Bench::new([def.clone()]);
    for offset in 0..249 {
        bench.send(found(&def, offset, offset));
    }
    let alert = bench.send(found(&def, 249, 10)).remove(0);
    let at = |seconds| Some(Timestamp::from_unix_seconds(seconds).to_string());
    assert_eq!(
        (alert.first_event_at, alert.last_event_at),
        (at(0), at(248))
    );
}

#[test]
fn an_unknown_version_stalls_and_leaves_the_state_as_it_was() {
    let known = def(1, DefKind::EventCount(at_least(2.0)), 60);
    let unknown = def(2, DefKind::EventCount(at_least(2.0)), 60);
    let mut bench = Bench::new([known.clone()]);
    let record = Record::batch(MatchBatch {
        source: Some(source("hub")),
        matches: vec![found(&known, 0, 0), found(&unknown, 1, 0)],
        ..MatchBatch::default()
    });
    let mut out = Vec::new();
    for _ in 0..2 {
        let error = bench.fold.step(7, &record, &bench.definitions, &mut out);
        let version = unknown.version;
        let expected = StepError::UnknownVersion {
            version,
            correlation: "c2".into(),
            pos: 7,
        };
        assert_eq!(error, Err(expected));
        assert_eq!(bench.fold.slots(), 0);
    }
    bench.definitions.insert(unknown.version, Arc::new(unknown));
    bench.step(&record);
    assert_eq!(bench.fold.slots(), 2);
}

#[test]
fn damaged_records_are_errors_and_no_panics() {
    let def = def(1, DefKind::EventCount(at_least(1.0)), 60);
    let bench = Bench::new([def.clone()]);
    let batch = |found: Match| {
        Record::batch(MatchBatch {
            source: Some(source("hub")),
            matches: vec![found],
            ..MatchBatch::default()
        })
    };
    let records = [
        Record {
            format: 1,
            body: None,
        },
        Record::batch(MatchBatch::default()),
        batch(Match {
            event_id: vec![1],
            ..found(&def, 0, 0)
        }),
        batch(Match {
            rule_version: Vec::new(),
            ..found(&def, 0, 0)
        }),
        Record::new(Body::Settings(Settings {
            active: vec![vec![1]],
            ..Settings::default()
        })),
        Record::new(Body::Settings(Settings {
            active: vec![vec![1; 16]],
            ..Settings::default()
        })),
    ];
    let mut fold = bench.fold;
    for record in records
        .iter()
        .filter(|record| record.body.is_some() || record.format == 1)
    {
        let result = fold.step(3, record, &bench.definitions, &mut Vec::new());
        let expected = matches!(result, Err(StepError::Unreadable { pos: 3, .. }));
        assert!(
            expected || record.body == Some(Body::Batch(MatchBatch::default())),
            "{record:?}"
        );
    }
}

#[test]
fn extreme_numbers_do_not_panic() {
    let kinds = [
        DefKind::EventCount(at_least(1.0)),
        DefKind::ValueSum(at_least(1.0)),
        DefKind::ValueAvg(at_least(1.0)),
        DefKind::ValuePercentile(100.0, at_least(1.0)),
        DefKind::TemporalOrdered(TemporalCondition::All),
    ];
    for kind in kinds {
        let def = def(1, kind, i64::MAX / 10_000_000);
        let mut bench = Bench::new([def.clone()]);
        for (offset, extreme) in [i64::MIN, i64::MAX, 0, -1, i64::MAX].into_iter().zip(0..) {
            let given = Match {
                event_time: offset,
                value_micro: offset,
                has_value: true,
                base_rules: vec![0, 1, 2, u32::MAX],
                group_values: Vec::new(),
                ..found(&def, extreme, 0)
            };
            bench.send(given);
        }
        bench.step(&Record::tick(Tick {
            marks: vec![TickMark {
                append_time: i64::MAX,
                ..mark("hub", 0)
            }],
        }));
        bench.send(found(&def, 9, 0));
    }
}
