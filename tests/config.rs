//! `palisade check` and `palisade config show` as a person meets them: exit status and output.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const CONFIG: &str = "\
rules: [rules]
state: {dir: ./state}
sources:
  - {name: hub, type: kafka, brokers: [\"127.0.0.1:1\"], topics: [azure-logs], group: palisade, start: earliest, tls: true, sasl: {mechanism: plain, username: u, password: {env: TEST_PASSWORD}}}
sinks:
  - {name: alerts, type: file, path: alerts.ndjson}
";

const RULE: &str = "\
title: Sign-in to a locked account
id: 6f1cbd1e-4a26-4d52-9c39-3a0f6a4b7c11
status: test
description: Somebody tried to sign in to an account that is locked after too many wrong passwords.
author: Palisade
date: 2026-03-02
tags:
  - attack.credential-access
  - attack.t1110
logsource:
  product: azure
  service: signinlogs
detection:
  selection:
    ResultType: '50053'
  condition: selection
falsepositives:
  - A device that still has the old password
level: low
";

/// A folder with a configuration and one good rule.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    put(dir.path(), "palisade.yaml", CONFIG);
    put(dir.path(), "rules/good.yml", RULE);
    dir
}

fn put(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, text).expect("a file");
}

fn palisade(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(args)
        .current_dir(dir)
        .env("TEST_PASSWORD", "hunter2")
        .env_remove("PALISADE_HTTP_LISTEN")
        .output()
        .expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[test]
fn check_of_a_good_configuration_exits_0_and_connects_to_nothing() {
    let dir = folder();
    let output = palisade(dir.path(), &["check"]);
    assert_eq!(
        stdout(&output),
        "1 rule, 0 correlations; 0 errors, 0 warnings\n"
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        !dir.path().join("state").exists(),
        "the state directory is not touched"
    );
}

#[test]
fn check_names_every_broken_rule_and_counts_the_good_ones() {
    let dir = folder();
    put(
        dir.path(),
        "rules/bad.yml",
        &RULE.replace("ResultType:", "ResultType|contian:"),
    );
    put(dir.path(), "rules/worse.yml", "title: [\n");
    let output = palisade(dir.path(), &["check", "-c", "palisade.yaml"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("did you mean `contains`?"), "{text}");
    assert!(text.contains("--> rules/bad.yml:15:"), "{text}");
    assert!(text.contains("--> rules/worse.yml:"), "{text}");
    assert!(
        text.contains("1 rule, 0 correlations; 2 errors, "),
        "{text}"
    );
}

#[test]
fn check_of_a_broken_configuration_exits_2_with_all_problems_as_json() {
    let dir = folder();
    let broken = CONFIG
        .replace("start: earliest", "strat: earliest")
        .replace("state:", "stat:");
    put(dir.path(), "palisade.yaml", &broken);
    let output = palisade(dir.path(), &["check", "--format", "json"]);
    assert_eq!(output.status.code(), Some(2));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found = found["diagnostics"].as_array().expect("a list");
    let seen: Vec<_> = found
        .iter()
        .map(|one| {
            (
                one["code"].as_str().expect("a code"),
                one["line"].as_u64().expect("a line"),
            )
        })
        .collect();
    assert!(seen.contains(&("PAL0804", 2)), "{found:?}");
    assert!(
        seen.contains(&("PAL0804", 4)) && seen.contains(&("PAL0801", 4)),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .all(|one| one["file"] == "palisade.yaml" && one["severity"] == "error")
    );
}

/// A broken configuration does not hide what is wrong with the rules that it names.
#[test]
fn check_judges_the_rules_of_a_broken_configuration_too() {
    let dir = folder();
    let broken = CONFIG.replace("state:", "stat:");
    put(dir.path(), "palisade.yaml", &broken);
    put(dir.path(), "rules/worse.yml", "title: [\n");
    let output = palisade(dir.path(), &["check", "-c", "palisade.yaml"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("--> palisade.yaml:"), "{text}");
    assert!(text.contains("--> rules/worse.yml:"), "{text}");
}

#[test]
fn check_judges_rules_without_a_configuration() {
    let dir = folder();
    let output = palisade(dir.path(), &["check", "rules", "rules/good.yml"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output).starts_with("1 rule,"),
        "{}",
        stdout(&output)
    );
    let output = palisade(dir.path(), &["check", "--pipeline", "nowhere.yml", "rules"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("--> nowhere.yml"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn folder_without_rules_is_worth_a_warning() {
    let dir = folder();
    put(dir.path(), "empty/readme.md", "nothing here\n");
    let output = palisade(dir.path(), &["check", "empty"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output).ends_with("0 errors, 1 warning\n"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn config_show_masks_the_secret_and_says_where_values_come_from() {
    let dir = folder();
    for format in ["text", "json"] {
        let output = palisade(dir.path(), &["config", "show", "--format", format]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(!text.contains("hunter2") && !stderr(&output).contains("hunter2"));
        for part in [
            "*** (environment TEST_PASSWORD)",
            "palisade.yaml:4:12",
            "default",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}

#[test]
fn configuration_that_cannot_be_used_exits_2_and_hides_the_password_in_it() {
    let dir = folder();
    put(
        dir.path(),
        "palisade.yaml",
        &CONFIG.replace("{env: TEST_PASSWORD}", "hunter2"),
    );
    let output = palisade(dir.path(), &["config", "show"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("must not be written here in plain text"));
    assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
}

#[test]
fn configuration_of_the_image_is_valid() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let output = palisade(&deploy, &["config", "show", "-c", "palisade.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn colours_are_written_only_when_asked_for() {
    let dir = folder();
    put(dir.path(), "rules/bad.yml", "title: x\n");
    let plain = palisade(dir.path(), &["check"]);
    assert!(!stdout(&plain).contains('\u{1b}'));
    let coloured = palisade(dir.path(), &["check", "--color", "always"]);
    assert!(
        stdout(&coloured).contains("\u{1b}["),
        "{}",
        stdout(&coloured)
    );
}

#[test]
fn a_state_that_is_no_database_any_more_asks_for_an_operator() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = "\
rules: [rules]
state: {dir: ./state}
sources:
  - {name: f, type: file, path: [events.ndjson]}
http: {listen: \"127.0.0.1:0\"}
";
    put(dir.path(), "palisade.yaml", config);
    put(dir.path(), "rules/good.yml", RULE);
    put(dir.path(), "events.ndjson", "{}\n");
    let first = palisade(dir.path(), &["run"]);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    for file in ["palisade.db-wal", "palisade.db-shm"] {
        fs::remove_file(dir.path().join("state").join(file)).ok();
    }
    put(
        dir.path(),
        "state/palisade.db",
        &"no database ".repeat(10_000),
    );
    let second = palisade(dir.path(), &["run"]);
    assert_eq!(second.status.code(), Some(74), "{}", stderr(&second));
}
