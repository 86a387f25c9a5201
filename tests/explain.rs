//! `palisade explain` through the built program.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const RULES: &str = "\
title: Sign-in from a legacy client
id: 3f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10
name: legacy
logsource: {product: azure, service: signinlogs}
detection:
    selection:
        properties.clientAppUsed: [IMAP4, POP3]
        properties.userPrincipleName|endswith: '@contoso.example'
    filter:
        callerIpAddress|cidr: 10.0.0.0/8
    condition: selection and not filter
---
title: Wrong password
id: 4f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10
name: wrong
logsource: {product: azure, service: signinlogs}
detection:
    selection:
        resultType: '50126'
    condition: selection
---
title: Many wrong passwords
id: 5f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10
name: spray
correlation:
    type: value_count
    rules: [wrong]
    group-by: [callerIpAddress]
    timespan: 10m
    condition: {gte: 5, field: identity}
";

fn sign_in(second: u32, rest: &str) -> String {
    format!(
        r#"{{"time":"2026-03-02T08:00:{second:02}Z","category":"SignInLogs","tenantId":"t","callerIpAddress":"203.0.113.7",{rest}}}"#
    )
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("rules.yml"), RULES).expect("a file");
    folder
}

fn explain(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(["explain", "--rules", "rules.yml"])
        .args(arguments)
        .arg("-")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = process.stdin.take().expect("a pipe");
    // A command line that cannot be used ends the program before it reads.
    drop(stdin.write_all(input.as_bytes()));
    drop(stdin);
    process.wait_with_output().expect("the program ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is text")
}

fn printed(arguments: &[&str], input: &str) -> String {
    let output = explain(folder().path(), arguments, input);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

#[test]
fn a_rule_that_does_not_match_shows_what_each_entry_saw() {
    let event = sign_in(
        1,
        r#""properties":{"clientAppUsed":"Browser","userPrincipalName":"kim@contoso.example","username":"kim"}"#,
    );
    insta::assert_snapshot!(printed(&["--rule", "legacy"], &event), @r#"
-/0  2026-03-02T08:00:01Z  entra_signin
  ✗ Sign-in from a legacy client  3f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10  2 conditions away
    ✓ log source: azure/signinlogs
    ✗ all of
      ✗ selection
        ✗ properties.clientAppUsed: IMAP4, POP3  saw "Browser"  (line 7)
        ✗ properties.userPrincipleName|endswith: @contoso.example  the field is absent; present: `properties.userPrincipalName`  (line 8)
      ✓ not
        ✗ filter
          ✗ callerIpAddress or properties.ipAddress or IPAddress|cidr: 10.0.0.0/8  saw callerIpAddress="203.0.113.7"  (line 10)

events with a match: 0 of 1
"#);
}

#[test]
fn without_a_rule_the_matching_ones_and_the_nearest_are_shown() {
    let wrong = sign_in(1, r#""resultType":"50126","identity":"kim""#);
    let other = sign_in(2, r#""resultType":"0","identity":"kim""#);
    insta::assert_snapshot!(printed(&[], &format!("{wrong}\n{other}\n")), @r#"
-/0  2026-03-02T08:00:01Z  entra_signin
  ✓ Wrong password  4f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10
    ✓ log source: azure/signinlogs
    ✓ selection
      ✓ resultType or properties.status.errorCode or ResultType: 50126  saw resultType="50126"  (line 19)
  1 other rule without a match

-/1  2026-03-02T08:00:02Z  entra_signin
  2 other rules without a match
  nearest: Wrong password (4f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10), 1 condition away; see it with `--rule 4f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10`

✗ Many wrong passwords  5f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10
  value_count within 10m by callerIpAddress
  wrong matched 1 event
  ✗ callerIpAddress=203.0.113.7: 1 of 5 within 10m; 4 more needed before 2026-03-02T08:10:01Z
    2026-03-02T08:00:01Z  kim  -/0

events with a match: 1 of 2
"#);
}

#[test]
fn a_correlation_shows_its_group_and_how_far_it_is_from_firing() {
    let mut input = String::new();
    for (second, user) in [(1, "ann"), (2, "bob"), (3, "bob"), (9, "cyd")] {
        let event = sign_in(
            second,
            &format!(r#""resultType":"50126","identity":"{user}""#),
        );
        writeln!(input, "{event}").expect("a string takes all");
    }
    insta::assert_snapshot!(printed(&["--rule", "spray", "--limit", "0"], &input), @r#"
✗ Many wrong passwords  5f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10
  value_count within 10m by callerIpAddress
  wrong matched 4 events
  ✗ callerIpAddress=203.0.113.7: 3 of 5 within 10m; 2 more needed before 2026-03-02T08:10:01Z
    2026-03-02T08:00:01Z  ann  -/0
    2026-03-02T08:00:02Z  bob  -/1
    2026-03-02T08:00:03Z  bob  -/2
    2026-03-02T08:00:09Z  cyd  -/3

events with a match: 4 of 4; not shown: 4
"#);
}

#[test]
fn an_event_of_another_log_source_is_named_as_the_first_reason() {
    let audit = r#"{"time":"2026-03-02T08:00:00Z","category":"AuditLogs","operationName":"x","resultType":"50126","properties":{}}"#;
    let printed = printed(&["--rule", "wrong"], audit);
    assert!(
        printed.contains(
            "✗ log source: the rule asks for `azure/signinlogs`, the event is `azure/auditlogs`"
        ),
        "{printed}"
    );
    assert!(printed.contains("✓ selection"), "{printed}");
}

#[test]
fn json_holds_the_same_tree() {
    let event = sign_in(1, r#""resultType":"50126","identity":"kim""#);
    let json: Value =
        serde_json::from_str(&printed(&["--rule", "wrong", "--format", "json"], &event))
            .expect("JSON");
    let rule = &json["events"][0]["rules"][0];
    assert_eq!(rule["matches"], true);
    assert_eq!(rule["condition"]["node"], "search");
    let entry = &rule["condition"]["parts"][0];
    assert_eq!(entry["fields"][0], "resultType");
    assert_eq!(entry["seen"][0]["value"], "\"50126\"");
    assert_eq!(json["events_total"], 1);
}

#[test]
fn a_rule_that_does_not_exist_is_a_usage_error_with_a_suggestion() {
    let output = explain(folder().path(), &["--rule", "legcy"], "");
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("no rule is called `legcy`"), "{said}");
    assert!(said.contains("did you mean `legacy`?"), "{said}");
}

#[test]
fn nothing_in_an_event_reaches_the_terminal_raw() {
    let event = sign_in(
        1,
        r#""resultType":"\u001b[31m\u202e","\u001b]0;x\u0007resultTyp":1"#,
    );
    for color in ["never", "always"] {
        let printed = printed(&["--rule", "wrong", "--color", color], &event);
        assert!(!printed.contains("\u{1b}[31m\u{202e}"), "{printed:?}");
        assert!(
            !printed.contains('\u{202e}') && !printed.contains('\u{7}'),
            "{printed:?}"
        );
        assert_eq!(printed.contains('\u{1b}'), color == "always", "{printed:?}");
    }
}

#[test]
fn of_many_events_those_that_match_are_shown_first_and_the_rest_is_counted() {
    let mut input = String::new();
    for second in 0..50 {
        let code = if second == 40 { "50126" } else { "0" };
        let event = sign_in(
            second,
            &format!(r#""resultType":"{code}","identity":"kim""#),
        );
        writeln!(input, "{event}").expect("a string takes all");
    }
    let printed = printed(&["--rule", "wrong", "--limit", "2"], &input);
    assert!(printed.contains("-/40"), "{printed}");
    assert!(
        printed.contains("events with a match: 1 of 50; not shown: 48"),
        "{printed}"
    );
}
