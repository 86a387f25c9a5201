mod chain;
mod house;
mod lists;
mod retired;

use std::borrow::Cow;

use super::*;
use crate::event::{Index, LogType, SourcePartition};
use crate::logsource::Logsource;
use crate::pipeline;
use crate::rule::RuleFile;
use crate::rule::parse::parse;

static LOG_TYPE: LogType = LogType {
    name: "test",
    logsources: &[],
    event_time: &[],
    entities: &[],
    readings: &[],
    content_key: Some("id"),
    lateness: Span::ZERO,
};

const APPEND: Timestamp = Timestamp::from_unix_seconds(1_772_409_600);

const RULE: &str = "
title: Failed
id: 11111111-1111-4111-8111-111111111111
name: failed
level: high
tags: [attack.t1110.003]
logsource: {product: p}
detection:
  s: {Op: fail}
  condition: s
";

fn file(name: &str, text: &str) -> RuleFile {
    RuleFile {
        name: Arc::from(name),
        bytes: text.as_bytes().to_vec(),
    }
}

fn engine_with(rules: &str, pipelines: &[&str]) -> (Engine, Vec<Diagnostic>) {
    let (mut set, mut problems) = parse(&[file("r.yml", rules)]);
    let files: Vec<RuleFile> = pipelines.iter().map(|text| file("p.yml", text)).collect();
    let pipelines = pipeline::parse(&files).expect("valid pipelines");
    problems.extend(pipeline::apply(&pipelines, &mut set));
    let (engine, found) = Engine::compile(set, EngineOptions::default());
    problems.extend(found);
    (engine, problems)
}

fn engine(rules: &str) -> Engine {
    let (engine, problems) = engine_with(rules, &[]);
    assert_eq!(problems, []);
    engine
}

fn judged(engine: &Engine, body: &[u8], time: Option<&str>) -> Result<Verdict, EventError> {
    let origin = Origin {
        tenant: Arc::from("t"),
        at: SourcePartition {
            source: Arc::from("hub"),
            incarnation: 1,
            partition: 3,
        },
        offset: 42,
        index: Index::new(&[2]),
    };
    let context = EventContext {
        origin: &origin,
        append_time: APPEND,
        clamp: Clamp::ToAppendTime,
    };
    let stated = [Logsource {
        product: Some(Cow::Borrowed("p")),
        ..Logsource::default()
    }];
    let event = EventRef {
        body: Body::Json(body),
        log_type: &LOG_TYPE,
        logsources: &stated,
        event_time: time.and_then(Timestamp::parse_rfc3339),
    };
    let mut verdict = Verdict::default();
    engine.detect(&event, &context, &mut verdict)?;
    Ok(verdict)
}

#[test]
fn single_alert_names_rule_event_and_what_the_rule_read() {
    let engine = engine(RULE);
    let event = br#"{"Op":"FAIL","x":[1]}"#;
    let verdict = judged(&engine, event, Some("2026-03-02T00:01:00Z")).expect("judged");
    let [alert] = verdict.alerts.as_slice() else {
        panic!("one alert: {verdict:?}");
    };
    assert_eq!(alert.rule.id, "11111111-1111-4111-8111-111111111111");
    assert_eq!(alert.rule.kind, "single");
    assert_eq!(alert.severity, crate::rule::Level::High);
    assert_eq!(alert.attack[0].sub_technique.as_deref(), Some("T1110.003"));
    assert_eq!(
        alert.first_event_at.as_deref(),
        Some("2026-03-02T00:01:00.0000000Z")
    );
    let shown = &alert.evidence.events[0];
    assert_eq!(shown.origin.index, "2");
    assert_eq!(shown.fields["Op"], "FAIL");
    assert_eq!(
        shown.excerpt,
        Some(serde_json::json!({"Op": "FAIL", "x": [1]}).into())
    );
    assert!(!shown.cut);
}

#[test]
fn long_trigger_is_cut_between_characters_and_marked() {
    let engine = engine(RULE);
    let event = format!(
        r#"{{"Op":"fail","pad":"{}"}}"#,
        "é".repeat(TRIGGER_BYTES_MAX)
    );
    let verdict = judged(&engine, event.as_bytes(), None).expect("judged");
    let shown = &verdict.alerts[0].evidence.events[0];
    assert!(shown.cut);
    let excerpt = shown.excerpt.as_ref().expect("an excerpt").value();
    let text = excerpt.as_str().expect("text");
    assert!(text.len() <= TRIGGER_BYTES_MAX && event.starts_with(text));
    assert_eq!(verdict.alerts[0].truncated, ["evidence.events.excerpt"]);
}

#[test]
fn what_is_no_bounded_json_object_is_an_error_whatever_rules_there_are() {
    let engine = engine("");
    for (event, expected) in [
        (&b"{"[..], "not JSON at byte 1"),
        (b"[]", "not JSON at byte 0"),
        (b"", "not JSON at byte 0"),
        (b"{\"a\":\"\xff\"}", "not UTF-8 at byte 6"),
    ] {
        let error = judged(&engine, event, None)
            .expect_err("refused")
            .to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let large = vec![b' '; EVENT_BYTES_MAX + 1];
    let error = judged(&engine, &large, None).expect_err("refused");
    assert_eq!(error, EventError::TooLarge { bytes: large.len() });
    let deep = "{\"a\":".repeat(100_000);
    assert_eq!(
        judged(&engine, deep.as_bytes(), None).expect_err("refused"),
        EventError::TooDeep
    );
}

#[test]
fn event_time_outside_of_its_bounds_becomes_the_append_time() {
    let engine = engine(RULE);
    let at = |time| {
        let verdict = judged(&engine, br#"{"Op":"fail"}"#, time).expect("judged");
        let shown = verdict.alerts[0].evidence.events[0].time_clamped;
        assert_eq!(shown, verdict.clamped, "the alert says so, too");
        (
            verdict.clamped,
            verdict.alerts[0].first_event_at.clone().expect("a time"),
        )
    };
    let append = APPEND.to_string();
    assert_eq!(at(None), (true, append.clone()));
    assert_eq!(at(Some("2099-01-01T00:00:00Z")), (true, append.clone()));
    assert_eq!(at(Some("2026-02-22T23:59:59Z")), (true, append.clone()));
    assert_eq!(
        at(Some("2026-02-23T00:00:00Z")),
        (false, "2026-02-23T00:00:00.0000000Z".into())
    );
    assert_eq!(
        at(Some("2026-03-02T00:05:00Z")),
        (false, "2026-03-02T00:05:00.0000000Z".into())
    );
}

const CORRELATED: &str = "
---
title: Many users
name: many
correlation:
  type: value_count
  rules: [failed]
  group-by: [Ip]
  timespan: 5m
  condition: {field: User, gte: 3}
---
title: Twice
id: 22222222-2222-4222-8222-222222222222
correlation:
  type: value_sum
  rules: [many]
  group-by: [Country, Ip]
  timespan: 1h
  condition: {field: Bytes, gte: 2}
";

#[test]
fn match_carries_group_value_and_what_outer_correlations_need() {
    let engine = engine(&format!("{RULE}{CORRELATED}"));
    assert!(!engine.rules()[0].alerts);
    let alerts: Vec<bool> = engine.correlations().iter().map(|def| def.alerts).collect();
    assert_eq!(alerts, [false, true]);
    let event = br#"{"Op":"fail","Ip":["i"],"User":"kim","Country":"DE","Bytes":"1.5","id":"x"}"#;
    let verdict = judged(&engine, event, None).expect("judged");
    assert_eq!(verdict.alerts, []);
    let [found] = verdict.matches.as_slice() else {
        panic!("one match: {verdict:?}");
    };
    assert_eq!(found.group_values, ["i"]);
    assert_eq!(
        (found.base_rules.as_slice(), found.has_value),
        (&[0][..], true)
    );
    assert_ne!(found.content_key, 0);
    assert_eq!(found.evidence, event);
    let [carried] = found.carried.as_slice() else {
        panic!("one carried: {found:?}");
    };
    assert_eq!(carried.group_values, ["DE", "i"]);
    assert_eq!((carried.has_value, carried.value_micro), (true, 1_500_000));
    assert_eq!(
        carried.rule_version,
        engine.correlations()[1].version.as_bytes()
    );
}

#[test]
fn event_without_a_group_field_takes_no_part() {
    let engine = engine(&format!("{RULE}{CORRELATED}"));
    let verdict = judged(&engine, br#"{"Op":"fail","Ip":null}"#, None).expect("judged");
    assert_eq!(verdict.matches, []);
    assert_eq!(verdict.matched, [0]);
}

#[test]
fn group_fields_are_mapped_by_each_base_rules_log_source() {
    let other = "
---
title: Denied
name: denied
logsource: {product: p, service: s}
detection: {s: {Op: deny}, condition: s}
---
title: Both
correlation: {type: event_count, rules: [failed, denied], group-by: [Ip], timespan: 5m, condition: {gte: 2}}
";
    let map = "
transformations:
  - type: field_name_mapping
    mapping: {Ip: [a.ip, b]}
    rule_conditions: [{type: logsource, service: s}]
";
    let (engine, problems) = engine_with(&format!("{RULE}{other}"), &[map]);
    assert_eq!(problems, []);
    let engine = Engine {
        options: EngineOptions {
            routing: Routing::Any,
            ..engine.options
        },
        ..engine
    };
    let group = |event: &str| {
        let verdict = judged(&engine, event.as_bytes(), None).expect("judged");
        verdict
            .matches
            .iter()
            .map(|found| found.group_values.join(","))
            .collect::<Vec<_>>()
    };
    assert_eq!(group(r#"{"Op":"fail","Ip":"1","b":"2"}"#), ["1"]);
    assert_eq!(group(r#"{"Op":"deny","Ip":"1","b":"2"}"#), ["2"]);
    assert_eq!(group(r#"{"Op":"deny","a":{"ip":"3"},"b":"2"}"#), ["3"]);
}

#[test]
fn version_follows_the_meaning_and_not_the_prose() {
    let version = |rules: &str| engine(rules).rules()[0].version;
    let same = RULE
        .replace("title: Failed", "title: Other")
        .replace("high", "low");
    assert_eq!(version(RULE), version(&same));
    for (from, to) in [
        ("Op:", "Oq:"),
        ("fail}", "fails}"),
        ("Op:", "Op|cased:"),
        ("p}", "q}"),
    ] {
        assert_ne!(version(RULE), version(&RULE.replace(from, to)), "{to}");
    }
    let mapped = |to: &str| {
        let map = format!("transformations: [{{type: field_name_mapping, mapping: {{Op: {to}}}}}]");
        engine_with(RULE, &[&map]).0.rules()[0].version
    };
    assert_ne!(mapped("x"), mapped("y"));
    assert_eq!(version(RULE), mapped("Op"));
}

#[test]
fn circle_takes_down_who_refers_to_it_and_nobody_else() {
    let text = |name: &str, rules: &str| {
        format!(
            "---\ntitle: {name}\nname: {name}\ncorrelation: {{type: event_count, rules: [{rules}], \
             timespan: 1m, condition: {{gte: 1}}}}\n"
        )
    };
    let rules = [
        text("above", "one"),
        text("one", "two"),
        text("two", "one"),
        text("fine", "failed"),
        text("lost", "nowhere"),
        text("over-lost", "lost"),
    ];
    let (engine, problems) = engine_with(&format!("{RULE}{}", rules.concat()), &[]);
    let mut kinds: Vec<String> = problems
        .iter()
        .map(|problem| format!("{} {}", problem.rule.as_deref().unwrap_or(""), problem.kind))
        .collect();
    kinds.sort();
    assert_eq!(
        kinds,
        [
            "above correlation-cycle",
            "lost unknown-rule-reference",
            "one correlation-cycle",
            "over-lost unknown-rule-reference",
            "two correlation-cycle",
        ]
    );
    let loaded: Vec<&str> = engine
        .correlations()
        .iter()
        .map(|def| def.title.as_str())
        .collect();
    assert_eq!(loaded, ["fine"]);
}

#[test]
fn filter_that_means_nothing_is_reported_and_its_rules_stay() {
    let filter = "
---
title: Known users
logsource: {product: p}
filter:
  rules: any
  known: {User|expand: '%known%'}
  condition: not known
";
    let rules = format!("{RULE}{filter}");
    let fires = |engine: &Engine| {
        let verdict = judged(engine, br#"{"Op":"fail","User":"kim"}"#, None).expect("judged");
        verdict.alerts.len() == 1
    };
    let kinds = |problems: &[Diagnostic]| -> Vec<String> {
        let errors = problems.iter().filter(|problem| problem.is_error());
        let named = errors.map(|error| format!("{:?} {}", error.rule.as_deref(), error.kind));
        named.collect()
    };
    let expected = [r#"Some("Known users") unresolved-placeholder"#];
    let (engine, problems) = engine_with(&rules, &[]);
    assert_eq!(
        (kinds(&problems).as_slice(), fires(&engine)),
        (&expected.map(String::from)[..], true)
    );
    let (set, _) = parse(&[file("r.yml", &rules)]);
    let (engine, problems) = Engine::compile(set, EngineOptions::default());
    assert_eq!(
        (kinds(&problems).as_slice(), fires(&engine)),
        (&expected.map(String::from)[..], true)
    );
    let known = "{vars: {known: [kim]}, transformations: [{type: value_placeholders}]}";
    let (engine, problems) = engine_with(&rules, &[known]);
    assert_eq!((kinds(&problems), fires(&engine)), (Vec::new(), false));
}

#[test]
fn rule_whose_repeats_are_held_back_goes_through_the_matches_log() {
    let engine = engine(&format!("{RULE}palisade: {{suppress: {{for: 1h}}}}\n"));
    let verdict = judged(&engine, br#"{"Op":"fail"}"#, None).expect("judged");
    assert_eq!((verdict.alerts.len(), verdict.matches.len()), (0, 1));
    let [def] = engine.correlations() else {
        panic!("one correlation");
    };
    assert_eq!(def.id, &*engine.rules()[0].id);
    assert_eq!(def.suppress, Some(Span::from_seconds(3600)));
    assert!(engine.rules()[0].alerts && def.alerts);
}

#[test]
fn rules_that_mean_the_same_keep_their_state_apart() {
    let twin = RULE
        .replace("11111111", "33333333")
        .replace("name: failed", "name: twin");
    let held_back = "palisade: {suppress: {for: 1h}}\n";
    let engine = engine(&format!("{RULE}{held_back}---{twin}{held_back}"));
    let [one, two] = engine.correlations() else {
        panic!("two correlations");
    };
    assert_ne!(one.version, two.version);
    let count = |id: &str| {
        format!(
            "---\ntitle: Count\n{id}\ncorrelation: {{type: event_count, rules: [failed], \
             timespan: 1m, condition: {{gte: 2}}}}\n"
        )
    };
    for [a, b] in [["id: a", "id: b"], ["name: a", "name: b"]] {
        let engine = self::engine(&format!("{RULE}{}{}", count(a), count(b)));
        let versions: Vec<Id> = engine
            .correlations()
            .iter()
            .map(|def| def.version)
            .collect();
        assert_ne!(versions[0], versions[1], "{a} {b}");
    }
}

#[test]
fn fields_and_group_values_of_hostile_size_are_bounded() {
    let names: Vec<String> = (0..40).map(|n| format!("F{n}|exists: true")).collect();
    let rules = RULE.replace("Op: fail", &names.join(", "));
    let members: Vec<String> = (0..40)
        .map(|n| format!(r#""F{n}":"{}""#, "x".repeat(1_000)))
        .collect();
    let event = format!("{{{}}}", members.join(","));
    let verdict = judged(&engine(&rules), event.as_bytes(), None).expect("judged");
    let fields = &verdict.alerts[0].evidence.events[0].fields;
    assert_eq!(fields.len(), 32);
    assert!(fields.values().all(|value| value.to_string().len() < 520));

    let engine = engine(&format!("{RULE}{CORRELATED}"));
    let value = |last: &str| {
        let long = "é".repeat(600);
        let event = format!(r#"{{"Op":"fail","Ip":"{long}{last}"}}"#);
        let verdict = judged(&engine, event.as_bytes(), None).expect("judged");
        verdict.matches[0].group_values[0].clone()
    };
    assert!(value("a").len() < 1_100);
    assert_ne!(
        value("a"),
        value("b"),
        "what is cut still tells groups apart"
    );
}
