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

#[test]
fn case_reports_what_fired_and_what_does_not_load() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("rules")).expect("a folder");
    fs::write(path("rules/good.yml"), RULES).expect("a file");
    let first = RULES.split("---").next().expect("a rule");
    let bad = first.replace("Op: fail", "Op|contian: fail");
    fs::write(path("rules/bad.yml"), bad.replace("failed", "bad")).expect("a file");
    fs::write(path("events.ndjson"), EVENTS).expect("a file");
    fs::write(path("config.json"), CONFIG).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .arg("conformance")
        .args(["rules", "events.ndjson", "config.json"].map(path))
        .output()
        .expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
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
