//! What a running process and `palisade rules` say about the rules that were loaded.

mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use palisade::clock::Clock;
use palisade_detect::time::Span;
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
    let help = fields["help"].as_str().unwrap_or_default();
    assert!(help.contains("value_placeholders"), "{fields:#}");
}

#[test]
fn what_is_logged_of_a_file_names_no_rule() {
    let folder = folder("rules: rules", free_port());
    fs::write(folder.path().join("rules/broken.yml"), "title: [\n").expect("a file");
    let output = output(folder.path(), &["run"]);
    let logged = text(&output.stderr)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"))
        .find(|line| line["file"] == "rules/broken.yml")
        .expect("the diagnostic is logged");
    assert_eq!(logged.get("rule"), None, "{logged:#}");
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

const CORRELATION: &str = "\
title: Keys again and again
id: 11111111-aaaa-4aaa-8aaa-000000000003
correlation:
  type: event_count
  rules: [11111111-aaaa-4aaa-8aaa-000000000004]
  timespan: 5m
  condition: {gte: 2}
---
title: Base of it
id: 11111111-aaaa-4aaa-8aaa-000000000004
level: low
logsource: {product: azure, service: activitylogs}
detection: {selection: {operationName: x}, condition: selection}
---
title: Nobody needs this
id: 11111111-aaaa-4aaa-8aaa-000000000005
level: low
logsource: {product: azure, service: activitylogs}
detection: {selection: {operationName: y}, condition: selection}
";

const EXCEPTIONS: &str = "\
title: Nightly job
id: 11111111-aaaa-4aaa-8aaa-000000000006
logsource: {product: azure, service: activitylogs}
filter: {rules: any, job: {caller: job@contoso.example}, condition: not job}
palisade: {owner: platform, reason: \"its keys\\u200f rotate\", expires: 2999-12-31}
---
title: Long over
id: 11111111-aaaa-4aaa-8aaa-000000000007
logsource: {product: azure, service: activitylogs}
filter: {rules: any, old: {caller: old@contoso.example}, condition: not old}
palisade: {owner: platform, reason: migration, expires: 2020-01-01}
";

/// A folder whose rules come to every state, after one alert.
fn with_all_states() -> tempfile::TempDir {
    let choice = "rules: {paths: {path: rules, min_level: medium}, overrides: \
                  {11111111-aaaa-4aaa-8aaa-000000000002: {level: medium}}}";
    let folder = folder(choice, free_port());
    let rules = folder.path().join("rules");
    fs::write(rules.join("more.yml"), CORRELATION).expect("a file");
    fs::write(rules.join("exceptions.yml"), EXCEPTIONS).expect("a file");
    fs::write(rules.join("text.yml"), "title: [\n").expect("a file");
    let mut process = palisade(folder.path(), &["run"]);
    let mut input = process.stdin.take().expect("standard input");
    input.write_all(EVENT.as_bytes()).expect("an event");
    drop(input);
    let output = process.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    folder
}

#[test]
fn list_names_every_rule_with_its_state_and_its_alerts() {
    let folder = with_all_states();
    let output = output(folder.path(), &["rules", "--format", "ndjson"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    let of = |number: u32| {
        let id = format!("11111111-aaaa-4aaa-8aaa-00000000000{number}");
        let line = lines.iter().find(|line| line["id"] == *id);
        line.unwrap_or_else(|| panic!("{id} is missing"))
    };
    for (number, state, kind) in [
        (1, "loaded", "detection"),
        (2, "skipped", "detection"),
        (3, "loaded", "correlation"),
        (4, "for_correlations", "detection"),
        (5, "left_out", "detection"),
        (6, "loaded", "filter"),
        (7, "left_out", "filter"),
    ] {
        assert_eq!(
            (&of(number)["state"], &of(number)["kind"]),
            (&state.into(), &kind.into())
        );
    }
    let good = of(1);
    assert_eq!(
        (good["fired"].as_u64(), of(3)["fired"].as_u64()),
        (Some(1), Some(0))
    );
    assert_eq!(good["last_fired"], "2026-03-02T08:00:00.0000000Z");
    assert_eq!(good["version"].as_str().map(str::len), Some(36));
    assert_eq!(
        (&good["file"], &good["line"]),
        (&"rules/good.yml".into(), &1.into())
    );
    assert_eq!(good["logsource"]["service"], "activitylogs");
    assert_eq!(
        (&of(2)["code"], &of(2)["level"]),
        (&"PAL0308".into(), &"medium".into())
    );
    assert_eq!(of(5)["why"], "below medium");
    assert_eq!(of(7)["why"], "expired");
    assert_eq!(of(6)["exception"]["owner"], "platform");
    assert_eq!(
        of(6)["exception"]["expires"],
        "2999-12-31T00:00:00.0000000Z"
    );
    let unread = lines
        .iter()
        .find(|line| line["file"] == "rules/text.yml")
        .expect("the file");
    assert_eq!(
        (&unread["state"], &unread["code"]),
        (&"skipped".into(), &"PAL0101".into())
    );
    assert_eq!(lines.len(), 8);
}

#[test]
fn table_fits_people_and_never_passes_a_terminal_escape_on() {
    let folder = with_all_states();
    let output = output(folder.path(), &["rules", "--color", "never"]);
    assert_eq!(
        text(&output.stderr),
        "`palisade check` shows what is wrong: 2 errors, 1 warning\n"
    );
    let table = text(&output.stdout);
    assert!(!table.contains('\u{200f}'), "{table}");
    // Versions hash what rules mean; the table is about its form.
    let masked: String = table
        .lines()
        .map(|line| {
            let words = line.split(' ').map(|word| {
                let hex = word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
                if hex { "(hash)--" } else { word }
            });
            words.collect::<Vec<_>>().join(" ") + "\n"
        })
        .collect();
    insta::assert_snapshot!(masked);
}

#[test]
fn alerts_of_a_rule_that_was_taken_away_are_still_counted() {
    let folder = with_all_states();
    fs::remove_file(folder.path().join("rules/good.yml")).expect("the rule is removed");
    let table = output(folder.path(), &["rules", "--color", "never"]);
    let table = text(&table.stdout);
    let gone = "\nRules no longer loaded\n  1 alert, last 2026-03-02T08:00  Storage keys listed \
                (11111111-aaaa-4aaa-8aaa-000000000001)\n";
    assert!(table.contains(gone), "{table}");
    let lines = output(folder.path(), &["rules", "--format", "ndjson"]);
    let line: Vec<Value> = text(&lines.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .filter(|line: &Value| line["state"] == "gone")
        .collect();
    assert_eq!(line.len(), 1);
    assert_eq!(line[0]["fired"], 1);
}

#[test]
fn paths_by_hand_need_no_configuration_and_count_no_alerts() {
    let folder = with_all_states();
    let by_hand = output(folder.path(), &["rules", "rules/good.yml"]);
    let table = text(&by_hand.stdout);
    assert!(
        !table.contains("FIRED")
            && table.ends_with("on disk: 1 rule, 0 correlations and 0 filters to load\n"),
        "{table}"
    );
    let counted = output(
        folder.path(),
        &["rules", "--state", "state", "rules/good.yml"],
    );
    assert!(
        text(&counted.stdout).ends_with("1 fired with 1 alert\n"),
        "{}",
        text(&counted.stdout)
    );
    let nothing = output(folder.path(), &["rules", "-c", "nowhere.yaml"]);
    assert_eq!(nothing.status.code(), Some(2));
}

#[test]
fn exception_ends_at_its_moment_also_where_the_start_has_skipped_a_rule() {
    let port = free_port();
    let folder = folder("rules: rules", port);
    let end = Clock::start().now().plus(Span::from_seconds(3));
    let exception = format!(
        "title: For a moment\nid: 11111111-aaaa-4aaa-8aaa-000000000008\n\
         logsource: {{product: azure, service: activitylogs}}\n\
         filter: {{rules: any, all: {{caller|exists: true}}, condition: not all}}\n\
         palisade: {{expires: '{end}'}}\n"
    );
    fs::write(folder.path().join("rules/exception.yml"), exception).expect("a file");
    let mut process = palisade(folder.path(), &["run"]);
    let mut input = process.stdin.take().expect("standard input");
    let mut send = || {
        input.write_all(EVENT.as_bytes()).expect("an event");
        input.flush().expect("an event");
    };
    let metric = |line: &str| {
        let metrics = http_get(port, "/metrics")
            .map(|(_, text)| text)
            .unwrap_or_default();
        metrics.contains(&format!("{line}\n")).then_some(())
    };
    send();
    wait_for("the first event", || metric("palisade_elements_total 1"));
    wait_for("the end of the exception", || {
        metric("palisade_rule_reloads_total{result=\"applied\"} 1")
    });
    send();
    wait_for("an alert", || {
        metric("palisade_alerts_total{level=\"high\"} 1")
    });
    let (_, ready) = http_get(port, "/readyz").expect("an answer");
    assert!(ready.contains("rules: 1 of 2 skipped"), "{ready}");
    drop(input);
    let output = process.wait_with_output().expect("the program ends");
    let logged = text(&output.stderr);
    assert!(logged.contains("PAL0653"), "{logged}");
}
