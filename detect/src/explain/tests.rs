use super::*;
use crate::event::{Body, LogType};
use crate::rule::{RuleFile, parse};
use crate::time::Span;

static LOG_TYPE: LogType = LogType {
    name: "test",
    logsources: &[],
    event_time: &[],
    entities: &[],
    readings: &[],
    content_key: None,
    lateness: Span::ZERO,
};

fn explainer(detection: &str) -> Explainer {
    let text = format!(
        "title: T\nname: t\nlogsource: {{product: azure, service: signinlogs}}\ndetection:\n{detection}"
    );
    let file = RuleFile {
        name: "t.yml".into(),
        bytes: text.into_bytes(),
    };
    let (rules, problems) = parse::parse(&[file]);
    assert!(problems.iter().all(|one| !one.is_error()), "{problems:?}");
    Explainer::new(rules.detections[0].clone()).expect("it compiles")
}

fn explain(explainer: &Explainer, event: &str, stated: &[Logsource]) -> Explanation {
    let event = EventRef {
        body: Body::Json(event.as_bytes()),
        log_type: &LOG_TYPE,
        logsources: stated,
        event_time: None,
    };
    let (tree, _) = crate::engine::read(&event).expect("an object");
    explainer.explain(&event, &tree, Routing::Strict)
}

fn entries(node: &Node) -> Vec<&Entry> {
    match &node.what {
        What::Entry(entry) => vec![entry],
        _ => node.parts.iter().flat_map(entries).collect(),
    }
}

#[test]
fn an_absent_field_names_what_is_like_it() {
    let rule = explainer("  s:\n    userName: kim\n  condition: s\n");
    let cases: [(&str, &[&str]); 4] = [
        (r#"{"username":"kim"}"#, &["username"]),
        (
            r#"{"properties":{"userName":"kim"}}"#,
            &["properties.userName"],
        ),
        (r#"{"usrName":"kim"}"#, &["usrName"]),
        (r#"{"other":1}"#, &[]),
    ];
    for (event, near) in cases {
        let said = explain(&rule, event, &[]);
        let found = entries(&said.condition);
        assert!(found[0].absent && !said.matches, "{event}");
        assert_eq!(found[0].near, near, "{event}");
    }
}

#[test]
fn an_entry_shows_the_values_it_saw_and_which_of_its_own_were_met() {
    let rule = explainer("  s:\n    users|contains: [x, kim]\n  condition: s\n");
    let said = explain(&rule, r#"{"users":["ann","kim"]}"#, &[]);
    let entry = entries(&said.condition)[0];
    assert!(said.matches);
    assert_eq!(entry.modifiers, ["contains"]);
    assert_eq!(entry.met, ["kim"]);
    assert_eq!(entry.seen[0].value, r#"["ann","kim"]"#);
}

#[test]
fn under_all_the_values_that_were_not_met_are_named() {
    let rule = explainer("  s:\n    line|contains|all: [a, z]\n  condition: s\n");
    let said = explain(&rule, r#"{"line":"abc"}"#, &[]);
    assert_eq!(entries(&said.condition)[0].unmet, ["z"]);
}

#[test]
fn keywords_show_where_they_were_found() {
    let rule = explainer("  s: [mimikatz]\n  condition: s\n");
    let said = explain(&rule, r#"{"a":{"b":"run mimikatz now"}}"#, &[]);
    let entry = entries(&said.condition)[0];
    assert_eq!(entry.seen[0].path, "a.b");
}

#[test]
fn another_log_source_keeps_a_rule_away_whatever_its_condition_says() {
    let rule = explainer("  s:\n    a: 1\n  condition: s\n");
    let said = explain(&rule, r#"{"a":1}"#, &[Logsource::of("azure", "auditlogs")]);
    assert!(said.condition.holds && !said.matches && !said.logsource.admits);
    assert_eq!(said.logsource.asked, "azure/signinlogs");
    assert_eq!(said.logsource.stated, ["azure/auditlogs"]);
}

#[test]
fn the_distance_is_the_fewest_entries_that_would_have_to_change() {
    let rule = explainer(
        "  s1:\n    a: 1\n    b: 1\n  s2:\n    c: 1\n  f:\n    d: 1\n    e: 1\n  condition: (s1 or s2) and not f\n",
    );
    for (event, distance) in [
        (r#"{"a":1,"b":1}"#, 0),
        (r#"{"a":1}"#, 1),
        (r"{}", 1),
        (r#"{"d":1,"e":1}"#, 2),
        (r#"{"c":1,"d":1,"e":1}"#, 1),
    ] {
        assert_eq!(explain(&rule, event, &[]).distance, distance, "{event}");
    }
}

#[test]
fn the_deciding_part_of_a_tree_leaves_out_what_had_no_say() {
    let rule = explainer("  s:\n    a: 1\n    b: 1\n  f:\n    c: 1\n  condition: s and not f\n");
    let said = explain(&rule, r#"{"a":1,"b":2}"#, &[]);
    let deciding = said.condition.deciding();
    let [entry] = &entries(&deciding)[..] else {
        panic!("{deciding:#?}")
    };
    assert_eq!(entry.fields, ["b"]);
}

#[test]
fn explanations_are_bounded() {
    let values: Vec<String> = (0..3_000)
        .map(|n| format!("    - {{f{n}: {n}, g{n}: 1}}\n"))
        .collect();
    let rule = explainer(&format!("  s:\n{}  condition: s\n", values.concat()));
    let event = format!(r#"{{"f0":"{}"}}"#, "x".repeat(100_000));
    let said = explain(&rule, &event, &[]);
    let text = serde_json::to_string(&said).expect("JSON");
    assert!(text.len() < 100_000, "{} bytes", text.len());
    assert!(said.condition.parts[0].left_out > 2_000);
}
