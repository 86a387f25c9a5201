//! `palisade conformance` as the Sigma conformance suite starts it: one case of our own.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

const RULES: &str = "\
title: Failed login
name: failed
logsource: {product: azure}
detection:
  selection: {Op: fail}
  condition: selection
---
title: Many failures
id: 00000000-0000-4000-8000-000000000009
correlation:
  type: event_count
  rules: [failed]
  group-by: [User]
  timespan: 10s
  condition: {gte: 2}
---
title: Success
logsource: {product: azure}
detection:
  selection: {Op: ok}
  condition: selection
";

const EVENTS: &str = r#"{"@timestamp":"2026-03-02T00:00:00Z","Op":"fail","User":"kim"}
{"@timestamp":"2026-03-02T00:00:05Z","Op":"fail","User":"kim"}
{"@timestamp":"2026-03-02T00:00:06Z","Op":"fail","User":"kim"}
{"@timestamp":"2026-03-02T00:00:07Z","Op":"ok","User":"kim"}
{"@timestamp":"2026-03-02T00:00:08Z","Op":"ok","User":"kim"}
"#;

const CONFIG: &str = r#"{"timestamp_field": "@timestamp", "pipelines": [],
  "logsources": [null, null, null, {"product": "azure"}, {"product": "aws"}]}"#;

/// What the program prints about a case with these rule files.
fn run(files: &[(&str, &str)], events: &str, config: &str) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("rules")).expect("a folder");
    for (name, text) in files {
        fs::write(path("rules").join(name), text).expect("a file");
    }
    fs::write(path("events.ndjson"), events).expect("a file");
    fs::write(path("config.json"), config).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .arg("conformance")
        .args(["rules", "events.ndjson", "config.json"].map(path))
        .output()
        .expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn case_reports_what_fired_and_what_does_not_load() {
    let first = RULES.split("---").next().expect("a rule");
    let bad = first.replace("Op: fail", "Op|contian: fail");
    let bad = bad.replace("failed", "bad");
    let text = run(&[("good.yml", RULES), ("bad.yml", &bad)], EVENTS, CONFIG);
    let (failed, fired): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.contains("\"error\""));
    let fired: BTreeSet<&str> = fired.into_iter().collect();
    // Without suppression the third failure fires again; the second `ok` is of another product.
    let id = "00000000-0000-4000-8000-000000000009";
    let pair = |event: u8, events: &str| {
        format!(r#"{{"event":{event},"events":{events},"group":{{"User":"kim"}},"rule":"{id}"}}"#)
    };
    let expected = [
        pair(1, "[1,0]"),
        pair(2, "[2,0,1]"),
        r#"{"event":3,"rule":"Success"}"#.to_owned(),
    ];
    assert_eq!(fired, expected.iter().map(String::as_str).collect());
    assert!(
        failed
            .iter()
            .any(|line| line.contains(r#""error":"unknown-modifier","file":"bad.yml""#)),
        "{failed:?}"
    );
}

/// A rule, and two correlations that each of its events completes.
const CHAIN: &str = "\
title: Action
name: a
logsource: {category: t}
detection:
  selection: {Op: act}
  condition: selection
---
title: Inner
name: k0
correlation: {type: event_count, rules: [a], group-by: [U], timespan: 10s, condition: {gte: 1}}
---
title: Other inner
name: k00
correlation: {type: event_count, rules: [a], group-by: [U], timespan: 20s, condition: {gte: 1}}
---
";

#[test]
fn an_event_that_an_outer_correlation_gets_on_two_ways_is_one_event() {
    let event = r#"{"@timestamp":"2026-03-02T00:00:00Z","Op":"act","U":"kim","N":2}"#;
    let config = r#"{"timestamp_field": "@timestamp"}"#;
    let sum = "condition: {field: N, gte: 4}";
    for (kind, rules, condition, fires) in [
        ("event_count", "a, k0", "condition: {gte: 2}", 0),
        ("event_count", "a, k0", "condition: {gte: 1}", 1),
        ("temporal", "a, k0", "", 1),
        ("temporal_ordered", "a, k0", "", 0),
        ("temporal_ordered", "k0, k00", "", 0),
        ("value_sum", "a, k0", sum, 0),
        ("value_sum", "k00, k0", sum, 0),
        ("event_count", "k00, k0", "condition: {gte: 2}", 1),
        ("event_count", "a, k00, k0", "condition: {gte: 3}", 0),
    ] {
        let outer = format!(
            "{CHAIN}title: Outer\nname: outer\ncorrelation:\n  type: {kind}\n  rules: [{rules}]\n  \
             group-by: [U]\n  timespan: 10s\n  {condition}\n"
        );
        let text = run(&[("chain.yml", &outer)], event, config);
        let fired = text.matches(r#""rule":"outer""#).count();
        assert_eq!(fired, fires, "{kind} {rules} {condition}: {text}");
        assert!(!text.contains("\"error\""), "{text}");
    }
}
