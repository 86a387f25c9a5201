//! What a running process and `palisade rules` say about the rules that were loaded.

mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use support::{free_port, http_get, wait_for};

const GOOD: &str = "\
title: Storage keys listed
id: 11111111-aaaa-4aaa-8aaa-000000000001
status: test
level: high
logsource: {product: azure, service: activitylogs}
detection:
  selection:
    operationName: Microsoft.Storage/storageAccounts/listKeys/action
  condition: selection
";

const BROKEN: &str = "\
title: Nobody replaces this
id: 11111111-aaaa-4aaa-8aaa-000000000002
level: low
logsource: {product: azure, service: activitylogs}
detection:
  selection:
    caller|expand: '%admins%'
  condition: selection
";

const EVENT: &str = "{\"records\":[{\"time\":\"2026-03-02T08:00:00.0000000Z\",\"category\":\
    \"Administrative\",\"operationName\":\"Microsoft.Storage/storageAccounts/listKeys/action\",\
    \"resourceId\":\"/subscriptions/x\",\"caller\":\"someone@contoso.example\"}]}\n";

/// A folder with rules and a configuration whose source is standard input.
fn folder(more: &str, port: u16) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, text).expect("a file");
    };
    put("rules/good.yml", GOOD);
    put("rules/broken.yml", BROKEN);
    put(
        "palisade.yaml",
        &format!(
            "state: {{dir: ./state}}\nsources: [{{name: in, type: file, path: '-'}}]\n\
             http: {{listen: '127.0.0.1:{port}'}}\nlog: {{format: json}}\n{more}\n"
        ),
    );
    folder
}

fn palisade(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_palisade"))
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn output(folder: &Path, arguments: &[&str]) -> Output {
    palisade(folder, arguments)
        .wait_with_output()
        .expect("the program ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn skipped_rule_is_logged_counted_and_named_while_the_others_go_on() {
    let port = free_port();
    let folder = folder("rules: rules", port);
    let mut process = palisade(folder.path(), &["run"]);
    let mut input = process.stdin.take().expect("standard input");
    input.write_all(EVENT.as_bytes()).expect("an event");
    let ready = wait_for("the process to be ready", || {
        http_get(port, "/readyz").filter(|(status, _)| *status == 200)
    });
    assert_eq!(
        ready.1.lines().collect::<Vec<_>>(),
        [
            "ready",
            "rules: 1 of 2 skipped: 11111111-aaaa-4aaa-8aaa-000000000002 (PAL0308, \
             rules/broken.yml:1)"
        ]
    );
    let (_, metrics) = http_get(port, "/metrics").expect("metrics");
    for line in [
        "palisade_rules_loaded 1",
        "palisade_rules_skipped 1",
        "palisade_rule_problems{code=\"PAL0308\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    drop(input);
    let output = process.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let logged = text(&output.stderr)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"))
        .find(|line| line["code"] == "PAL0308")
        .expect("the diagnostic is logged");
    let fields = &logged;
    assert_eq!(logged["level"], "ERROR");
    assert_eq!(fields["file"], "rules/broken.yml");
    assert_eq!(
        (fields["line"].as_u64(), fields["column"].as_u64()),
        (Some(7), Some(5))
    );
    assert_eq!(fields["rule"], "11111111-aaaa-4aaa-8aaa-000000000002");
}

#[test]
fn refusing_starts_nothing_and_shows_the_diagnostics() {
    let folder = folder("rules: rules\non_rule_error: refuse", free_port());
    let output = output(folder.path(), &["run"]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    for part in [
        "error[PAL0308]",
        "rules/broken.yml:7:5",
        "`on_rule_error: refuse` starts nothing: 1 of 2 skipped",
    ] {
        assert!(stderr.contains(part), "{part}\n{stderr}");
    }
    assert!(!folder.path().join("state").exists(), "nothing was begun");
}

#[test]
fn refusing_is_content_when_the_choice_leaves_the_broken_rule_out() {
    for choice in [
        "rules: {path: rules, min_level: medium}",
        "rules: {path: rules, exclude: broken.yml}",
        "rules: {paths: rules, overrides: {11111111-aaaa-4aaa-8aaa-000000000002: {disabled: true}}}",
    ] {
        let folder = folder(&format!("{choice}\non_rule_error: refuse"), free_port());
        let output = output(folder.path(), &["run"]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{choice}\n{}",
            text(&output.stderr)
        );
    }
}
