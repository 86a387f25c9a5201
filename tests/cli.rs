//! The built program on small inputs: what it prints, where, and how it ends.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const RULE: &str = "\
title: Role assignment written
id: 3f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10
status: test
logsource:
    product: azure
    service: activitylogs
detection:
    selection:
        operationName: Microsoft.Authorization/roleAssignments/write
    condition: selection
level: high
";

const FIRES: &str = r#"{"time":"2026-03-02T08:00:00.1234567Z","resourceId":"/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/1","operationName":"MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE","category":"Administrative","resultType":"Success","callerIpAddress":"203.0.113.7","identity":{"claims":{}},"properties":{}}"#;

const QUIET: &str = r#"{"time":"2026-03-02T08:00:01Z","resourceId":"/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001","operationName":"MICROSOFT.COMPUTE/VIRTUALMACHINES/START/ACTION","category":"Administrative","resultType":"Success","callerIpAddress":"203.0.113.7","identity":{"claims":{}},"properties":{}}"#;

fn palisade(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = process.stdin.take().expect("a pipe");
    stdin
        .write_all(input.as_bytes())
        .expect("the program reads its input");
    drop(stdin);
    process.wait_with_output().expect("the program ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is text")
}

fn lines(output: &Output) -> Vec<Value> {
    let lines = text(&output.stdout).lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rule.yml"), RULE).expect("a file");
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).expect("a folder");
    fs::write(logs.join("a.ndjson"), format!("{QUIET}\n{FIRES}\n")).expect("a file");
    let envelope = format!("{{\"records\": [\n{FIRES},\n{QUIET}\n]}}");
    fs::write(logs.join("b.json"), envelope).expect("a file");
    fs::write(logs.join("notes.txt"), "no log").expect("a file");
    folder
}

#[test]
fn decode_shows_each_event_with_its_place() {
    let folder = folder();
    let output = palisade(folder.path(), &["decode", "logs"], "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines = lines(&output);
    let places: Vec<_> = lines
        .iter()
        .map(|line| {
            let origin = &line["origin"];
            format!(
                "{} {} {}",
                origin["source"], origin["offset"], origin["partition"]
            )
        })
        .collect();
    let expected = [
        "\"logs/a.ndjson\" 0 0",
        "\"logs/a.ndjson\" 1 0",
        "\"logs/b.json\" 0 0",
        "\"logs/b.json\" 0 0",
    ];
    assert_eq!(places, expected);
    assert_eq!(lines[1]["kind"], "event");
    assert_eq!(lines[1]["event_time"], "2026-03-02T08:00:00.1234567Z");
    assert_eq!(lines[1]["logsource"]["service"], "activitylogs");
    assert_eq!(lines[1]["event"]["callerIpAddress"], "203.0.113.7");
    assert_eq!(text(&output.stderr).matches("notes.txt").count(), 1);
}

#[test]
fn decode_ends_with_1_after_a_reject_and_goes_on_behind_it() {
    let folder = folder();
    let input = format!("{QUIET}\n{{\"a\":\n{QUIET}\n");
    let output = palisade(folder.path(), &["decode", "-"], &input);
    assert_eq!(output.status.code(), Some(1));
    let kinds: Vec<_> = lines(&output)
        .iter()
        .map(|line| line["kind"].clone())
        .collect();
    assert_eq!(kinds, ["event", "reject", "event"]);
    let reject = &lines(&output)[1];
    assert_eq!(reject["origin"]["source"], "-");
    assert_eq!(reject["origin"]["offset"], 1);
    assert!(reject["byte"].is_u64() && reject["reason"].is_string());
}

#[test]
fn decode_prints_a_table_for_people() {
    let folder = folder();
    let output = palisade(
        folder.path(),
        &["decode", "--format", "table", "logs/a.ndjson"],
        "",
    );
    let table = text(&output.stdout);
    assert!(table.starts_with("TIME"), "{table}");
    assert_eq!(table.lines().count(), 3);
    assert!(table.contains("azure/activitylogs"), "{table}");
}

#[test]
fn replay_prints_one_alert_a_line_and_a_summary_elsewhere() {
    let folder = folder();
    let output = palisade(
        folder.path(),
        &["replay", "--rules", "rule.yml", "logs"],
        "",
    );
    let summary = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{summary}");
    let alerts = lines(&output);
    assert_eq!(alerts.len(), 2, "{summary}");
    assert!(
        alerts
            .iter()
            .all(|alert| alert["schema"] == "palisade.alert/1")
    );
    assert_ne!(alerts[0]["alert_id"], alerts[1]["alert_id"]);
    assert!(
        summary.contains("2 alerts (2 high) from 4 events, 0 rejects in 3 records"),
        "{summary}"
    );
}

#[test]
fn replay_ends_well_when_nothing_fires() {
    let folder = folder();
    let output = palisade(
        folder.path(),
        &["replay", "--rules", "rule.yml", "-"],
        QUIET,
    );
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).contains("0 alerts from 1 events"));
}

#[test]
fn replay_shows_alerts_to_people_on_request() {
    let folder = folder();
    let arguments = [
        "replay",
        "--rules",
        "rule.yml",
        "--format",
        "pretty",
        "logs/b.json",
    ];
    let output = palisade(folder.path(), &arguments, "");
    assert!(text(&output.stdout).contains("Role assignment written"));
    assert!(
        !text(&output.stdout).contains('\u{1b}'),
        "no colours in a pipe"
    );
}

#[test]
fn replay_names_an_input_that_is_missing_and_reads_the_others() {
    let folder = folder();
    let arguments = ["replay", "--rules", "rule.yml", "gone.json", "logs/b.json"];
    let output = palisade(folder.path(), &arguments, "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output).len(), 1);
    assert!(text(&output.stderr).contains("cannot read gone.json"));
}

#[test]
fn replay_without_a_rule_that_loads_says_so() {
    let folder = folder();
    fs::write(folder.path().join("bad.yml"), "title: [").expect("a file");
    let output = palisade(folder.path(), &["replay", "--rules", "bad.yml", "logs"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no rule could be loaded"));
}

#[test]
fn decode_of_a_live_source_names_the_sources_there_are() {
    let folder = folder();
    let config = "\
rules: [rule.yml]
state: {dir: ./state}
sources:
  - {name: hub, type: kafka, brokers: [\"127.0.0.1:1\"], topics: [logs], group: g, start: earliest}
sinks:
  - {name: alerts, type: file, path: alerts.ndjson}
";
    fs::write(folder.path().join("palisade.yaml"), config).expect("a file");
    let arguments = [
        "decode",
        "-c",
        "palisade.yaml",
        "--source",
        "bus",
        "--last",
        "2",
    ];
    let output = palisade(folder.path(), &arguments, "");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("has no source `bus`; it has `hub`"));
}

#[test]
fn names_of_files_reach_the_terminal_only_as_visible_text() {
    let folder = folder();
    let left_out = folder.path().join("logs/a\u{1b}[2J.txt");
    fs::write(left_out, "{}").expect("a file");
    let gone = "gone\u{1b}]0;x\u{7}\u{202e}";
    let each: [&[&str]; 8] = [
        &["decode", "logs", gone],
        &["replay", "--rules", "rule.yml", "logs", gone],
        &["check", gone],
        &["check", "-c", gone],
        &["config", "show", "-c", gone],
        &["alerts", "list", "--state", gone],
        &["dead", "list", "--state", gone],
        &["health", "--address", gone],
    ];
    for arguments in each {
        let output = palisade(folder.path(), arguments, "");
        let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(printed.contains("gone"), "{arguments:?}: {printed}");
        let raw = |letter: char| matches!(letter, '\u{1b}' | '\u{7}' | '\u{202e}');
        assert!(!printed.contains(raw), "{arguments:?}: {printed:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_problem() {
    let folder = folder();
    let many = format!("{QUIET}\n").repeat(2_000);
    fs::write(folder.path().join("many.json"), many).expect("a file");
    for arguments in [
        vec!["decode", "many.json"],
        vec!["decode", "--format", "table", "many.json"],
    ] {
        let mut process = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .args(&arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        // More than a pipe holds is to come, so the program meets the closed end.
        drop(process.stdout.take().expect("a pipe"));
        let output = process.wait_with_output().expect("the program ends");
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn observed_fields_are_names_by_log_type_and_grow_with_every_run() {
    let folder = folder();
    let path = folder.path();
    for events in [4, 8] {
        let output = palisade(path, &["decode", "--observe", "seen.json", "logs"], "");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let said = format!("4 events observed; `seen.json` holds {events} of 1 log types\n");
        assert_eq!(text(&output.stdout), said);
    }
    let seen = fs::read_to_string(path.join("seen.json")).expect("a file");
    assert!(!seen.contains("203.0.113.7"), "{seen}");
    let seen: Value = serde_json::from_str(&seen).expect("JSON");
    let kinds = &seen["log_types"]["azure_activity"]["fields"]["callerIpAddress"];
    assert_eq!(kinds, &serde_json::json!({"text": 8}));
    let output = palisade(path, &["check", "--observed", "seen.json", "rule.yml"], "");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = palisade(path, &["check", "--observed", "rule.yml", "rule.yml"], "");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
