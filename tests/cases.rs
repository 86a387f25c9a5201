//! `palisade test` through the built program.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use serde_json::Value;

const RULES: &str = "\
title: Wrong password
id: 4f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10
name: wrong
logsource: {product: azure, service: signinlogs}
detection:
    selection:
        resultType: '50126'
    filter:
        identity: scanner
    condition: selection and not filter
---
title: Many wrong passwords
id: 5f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10
name: spray
correlation:
    type: event_count
    rules: [wrong]
    group-by: [callerIpAddress]
    timespan: 10m
    condition: {gte: 3}
    generate: true
";

/// An entry of `records` without its time.
fn record(code: &str, user: &str) -> String {
    format!(
        "record: {{time: '${{time}}', category: SignInLogs, callerIpAddress: 203.0.113.7, resultType: '{code}', identity: {user}}}"
    )
}

/// A folder with the rules and these cases.
fn folder(cases: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), "rules/a.yml", RULES);
    put(folder.path(), "rules/a.cases.yml", cases);
    folder
}

fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, text).expect("a file");
}

fn test(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(["test", "rules"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is text")
}

/// What `--format json` says, and the exit status.
fn json(folder: &Path) -> (Value, Option<i32>) {
    let output = test(folder, &["--format", "json"]);
    let json = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    (json, output.status.code())
}

/// Codes of the diagnostics, each with its line.
fn codes(folder: &Path) -> Vec<(String, u64)> {
    let (json, status) = json(folder);
    assert_eq!(status, Some(1), "{json:#}");
    let diagnostics = json["diagnostics"].as_array().expect("a list");
    let code = |one: &Value| {
        let code = one["code"].as_str().expect("a code");
        (code.to_owned(), one["line"].as_u64().expect("a line"))
    };
    diagnostics.iter().map(code).collect()
}

/// Reasons of the case of this name.
fn reasons(folder: &Path, name: &str) -> Vec<String> {
    let (json, _) = json(folder);
    let cases = json["cases"].as_array().expect("a list");
    let mut named = cases.iter().filter(|case| case["name"] == name);
    let case = named.next().unwrap_or_else(|| panic!("{json:#}"));
    let reasons = case["reasons"].as_array().expect("a list");
    let text = |one: &Value| one.as_str().expect("text").to_owned();
    reasons.iter().map(text).collect()
}

#[test]
fn cases_that_are_as_they_say_pass() {
    let folder = folder(&format!(
        "cases:\n  - name: one fires\n    fires: true\n    records:\n      - {}\n  - name: another code is quiet\n    fires: false\n    records:\n      - {}\n",
        record("50126", "kim"),
        record("0", "kim")
    ));
    let output = test(folder.path(), &[]);
    let said = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{said}{}",
        text(&output.stderr)
    );
    assert!(said.contains("✓ rules/a.cases.yml  2 cases"), "{said}");
    assert!(said.contains("2 cases: 2 passed, 0 failed, in "), "{said}");
}

#[test]
fn a_failing_case_shows_rule_event_and_the_condition_that_decided() {
    let folder = folder(&format!(
        "cases:\n  - name: the scanner fires\n    fires: [wrong]\n    records:\n      - {}\n",
        record("50126", "scanner")
    ));
    let output = test(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    let (said, _) = said.rsplit_once(", in ").expect("a summary");
    insta::assert_snapshot!(said, @r#"
✗ rules/a.cases.yml:2: the scanner fires
  `wrong` did not fire
    record/1  2026-03-02T09:00:00Z  entra_signin
      ✗ Wrong password  4f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10  1 condition away
        ✗ all of
          ✗ not
            ✓ filter
              ✓ identity: scanner  saw "scanner"  (line 9)

    events with a match: 0 of 1

✗ rules/a.cases.yml  1 case, 1 failed
1 case: 0 passed, 1 failed
"#);
}

#[test]
fn a_failing_timeline_shows_the_group_and_what_it_lacks() {
    let folder = folder(&format!(
        "cases:\n  - name: three in eleven minutes fire\n    fires: [spray, {{rule: wrong, times: 3}}]\n    records:\n      - at: 1m\n        repeat: 3\n        every: 330s\n        {}\n",
        record("50126", "kim")
    ));
    let output = test(folder.path(), &[]);
    let said = text(&output.stdout);
    let (said, _) = said.rsplit_once(", in ").expect("a summary");
    insta::assert_snapshot!(said, @r#"
✗ rules/a.cases.yml:2: three in eleven minutes fire
  `spray` did not fire
    ✗ Many wrong passwords  5f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10
      event_count within 10m by callerIpAddress
      wrong matched 3 events
      ✗ callerIpAddress=203.0.113.7: 2 of 3 within 10m; 1 more needed before 2026-03-02T09:16:30Z
        2026-03-02T09:01:00Z  record/1
        2026-03-02T09:06:30Z  record/2
        2026-03-02T09:12:00Z  record/3

    events with a match: 3 of 3; not shown: 3

✗ rules/a.cases.yml  1 case, 1 failed
1 case: 0 passed, 1 failed
"#);
}

#[test]
fn rules_are_expected_by_name_and_number_and_no_others_may_fire() {
    let three = format!(
        "repeat: 3\n        every: 1s\n        {}",
        record("50126", "kim")
    );
    let folder = folder(&format!(
        "cases:
  - name: exact
    fires: [{{rule: wrong, times: 3}}, Many wrong passwords]
    records:
      - {three}
  - name: too few named
    fires: [wrong]
    records:
      - {three}
  - name: other number
    fires: [{{rule: wrong, times: 2}}, spray]
    records:
      - {three}
  - name: silent
    fires: true
    silent: [spray]
    records:
      - {three}
"
    ));
    let none: [String; 0] = [];
    assert_eq!(reasons(folder.path(), "exact"), none);
    assert_eq!(
        reasons(folder.path(), "too few named"),
        ["`spray` fired once, and should not"]
    );
    assert_eq!(
        reasons(folder.path(), "other number"),
        ["`wrong` fired 3 times, expected twice"]
    );
    assert_eq!(
        reasons(folder.path(), "silent"),
        ["`spray` fired once, and should not"]
    );
}

#[test]
fn what_stays_silent_is_enough_of_a_case() {
    let one = record("50126", "kim");
    let folder = folder(&format!(
        "cases:\n  - name: quiet\n    silent: [spray]\n    records:\n      - {{{one}}}\n  \
         - name: loud\n    silent: [wrong]\n    records:\n      - {{{one}}}\n"
    ));
    let none: [String; 0] = [];
    assert_eq!(reasons(folder.path(), "quiet"), none);
    assert_eq!(
        reasons(folder.path(), "loud"),
        ["`wrong` fired once, and should not"]
    );
}

#[test]
fn a_case_about_nothing_and_a_mistyped_variable_are_told() {
    let folder = folder(
        "cases:
  - name: neither
    records: [{record: {}}]
  - name: empty
    fires: false
    records: []
  - name: typo
    fires: false
    records:
      - record: {a: 'at ${tme}', b: [\"${N}\", \"${index}\"]}
      - record: {a: '${jndi:ldap://x}', b: '${HOME} ${time} ${n} ${'}
",
    );
    let expected = [
        ("PAL0902", 2),
        ("PAL0904", 6),
        ("PAL0904", 10),
        ("PAL0904", 10),
        ("PAL0904", 10),
    ];
    let expected = expected.map(|(code, line)| (code.to_owned(), line));
    assert_eq!(codes(folder.path()), expected);
    let output = test(folder.path(), &[]);
    let said = text(&output.stdout);
    assert!(said.contains("did you mean `${time}`?"), "{said}");
}

#[test]
fn a_case_of_too_many_records_says_what_else_is_wrong_with_it() {
    let folder = folder(
        "cases:
  - name: many
    fires: [wrng]
    records:
      - {record: {}}
      - record: {}
        repeat: 10001
      - file: ../secret.json
",
    );
    let expected = [("PAL0908", 7), ("PAL0905", 3), ("PAL0906", 8)];
    let mut found = codes(folder.path());
    found.sort();
    let mut expected = expected.map(|(code, line)| (code.to_owned(), line));
    expected.sort();
    assert_eq!(found, expected);
    let output = test(folder.path(), &[]);
    let said = text(&output.stdout);
    assert!(said.contains("did you mean `wrong`?"), "{said}");
    assert!(said.contains(":7:17"), "{said}");
}

#[test]
fn everything_that_is_wrong_with_a_case_file_is_said_at_once() {
    let folder = folder(
        "cases:
  - nam: no name
    fires: maybe
  - name: spans
    fires: true
    records:
      - {at: soon, repeat: -1, record: {}}
  - name: rules
    fires: [wrng]
    records: [{record: {}}]
  - name: both
    fires: true
    records:
      - {record: {}, file: x.json}
  - name: many
    fires: true
    records:
      - {repeat: 10001, record: {}}
",
    );
    put(folder.path(), "rules/b.cases.yml", "cases: []\n");
    let expected = [
        ("PAL0901", 2),
        ("PAL0902", 2),
        ("PAL0902", 2),
        ("PAL0903", 3),
        ("PAL0904", 7),
        ("PAL0904", 7),
        ("PAL0904", 14),
        ("PAL0908", 18),
        ("PAL0905", 9),
        ("PAL0909", 1),
    ];
    let expected = expected.map(|(code, line)| (code.to_owned(), line));
    assert_eq!(codes(folder.path()), expected);
    let output = test(folder.path(), &[]);
    let said = text(&output.stdout);
    assert!(said.contains("did you mean `name`?"), "{said}");
    assert!(said.contains("did you mean `wrong`?"), "{said}");
}

#[test]
fn a_wrong_rule_and_files_that_cannot_be_used_are_said_together() {
    let folder = folder(
        "cases:
  - name: three
    fires: [wrng]
    records:
      - {file: /etc/hostname}
      - {file: absent.json}
",
    );
    let expected = [("PAL0905", 3), ("PAL0906", 5), ("PAL0906", 6)];
    let expected = expected.map(|(code, line)| (code.to_owned(), line));
    assert_eq!(codes(folder.path()), expected);
}

#[test]
fn a_failing_case_says_nothing_of_repeats_that_are_not_held_back() {
    let folder = folder(&format!(
        "cases:\n  - name: the scanner fires\n    fires: [wrong]\n    records:\n      - {}\n",
        record("50126", "scanner")
    ));
    let suppressed = RULES.split("---").next().expect("the first").to_owned()
        + "palisade: {suppress: {by: [identity], for: 1h}}\n";
    put(folder.path(), "rules/a.yml", &suppressed);
    let output = test(folder.path(), &[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("✓ identity: scanner"), "{said}");
    assert!(!said.contains("single"), "{said}");
}

#[test]
fn records_come_from_a_file_beside_the_cases() {
    let line = |code: &str, user: &str| {
        format!(
            r#"{{"time":"2026-03-02T09:00:00Z","category":"SignInLogs","resultType":"{code}","identity":"{user}"}}"#
        )
    };
    let cases = ["{file: events.ndjson, select: 2}", "{file: events.ndjson, select: identity=kim}"]
        .into_iter()
        .chain([
            "{file: ./more/envelope.json, select: /records/1}",
            "{file: more/envelope.json, select: identity=kim}",
            "{file: events.ndjson}",
        ])
        .map(|step| {
            format!("  - name: \"{step}\"\n    fires: [{{rule: wrong, times: 1}}]\n    records:\n      - {step}\n")
        });
    let cases: String = cases.collect();
    let folder = folder(&format!("cases:\n{cases}"));
    let lines = format!("{}\n{}\n", line("0", "ann"), line("50126", "kim"));
    put(folder.path(), "rules/events.ndjson", &lines);
    let envelope = format!(
        "{{\"records\":[{},{}]}}",
        line("0", "ann"),
        line("50126", "kim")
    );
    put(folder.path(), "rules/more/envelope.json", &envelope);
    let output = test(folder.path(), &[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("5 cases: 5 passed"), "{said}");
}

#[test]
fn no_file_outside_the_rules_folder_is_read() {
    let record = r#"{"time":"2026-03-02T09:00:00Z","category":"SignInLogs","resultType":"50126"}"#;
    let outside = tempfile::tempdir().expect("a folder");
    put(outside.path(), "secret.json", record);
    let absolute = outside.path().join("secret.json");
    let absolute = absolute.to_str().expect("a path in UTF-8");
    let files = [
        absolute,
        "../secret.json",
        "link.json",
        "folder",
        "absent.json",
        "linked/secret.json",
    ];
    let cases = files.map(|file| {
        format!("  - name: \"{file}\"\n    fires: true\n    records: [{{file: \"{file}\"}}]\n")
    });
    let cases = cases.concat();
    let folder = folder(&format!("cases:\n{cases}"));
    put(folder.path(), "secret.json", record);
    let rules = folder.path().join("rules");
    fs::create_dir(rules.join("folder")).expect("a folder");
    std::os::unix::fs::symlink(absolute, rules.join("link.json")).expect("a link");
    std::os::unix::fs::symlink(outside.path(), rules.join("linked")).expect("a link");
    let codes: Vec<String> = codes(folder.path())
        .into_iter()
        .map(|(code, _)| code)
        .collect();
    // The folder `linked` could hold rules, so it is told by itself.
    let expected: Vec<_> = ["PAL0114"]
        .into_iter()
        .chain(files.map(|_| "PAL0906"))
        .collect();
    assert_eq!(codes, expected);
}

#[test]
fn a_selection_of_nothing_is_an_error_at_its_place() {
    let folder = folder(
        "cases:\n  - name: none\n    fires: true\n    records:\n      - file: e.json\n        select: 7\n",
    );
    put(folder.path(), "rules/e.json", "{\"a\":1}");
    assert_eq!(codes(folder.path()), [("PAL0907".to_owned(), 6)]);
}

#[test]
fn a_filter_chooses_cases_by_name_or_file() {
    let folder = folder(&format!(
        "cases:\n  - name: One fires\n    fires: true\n    records:\n      - {0}\n  - name: Two is wrong\n    fires: false\n    records:\n      - {0}\n",
        record("50126", "kim")
    ));
    let output = test(folder.path(), &["--filter", "one"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("1 case: 1 passed"));
    let output = test(folder.path(), &["--filter", "nothing is called so"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no case was found"));
}

#[test]
fn junit_is_xml_whatever_cases_are_called() {
    let folder = folder(&format!(
        "cases:\n  - name: \"a <b> & 'c' \\e[31m\\0\\n::error::\"\n    fires: false\n    records:\n      - {}\n  - name: good\n    fires: false\n    records: [{{record: {{}}}}]\n",
        record("50126", "\"]]>\"")
    ));
    put(folder.path(), "rules/alone.cases.yml", "cases: []\n");
    let output = test(folder.path(), &["--format", "junit"]);
    assert_eq!(output.status.code(), Some(1));
    let xml = text(&output.stdout);
    assert!(
        xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"palisade test\" tests=\"3\" failures=\"1\" errors=\"1\""),
        "{xml}"
    );
    let forbidden = |c: char| c.is_control() && c != '\n';
    assert!(!xml.contains(forbidden) && !xml.contains("]]>"), "{xml:?}");
    assert!(
        xml.contains(
            "name=\"a &lt;b&gt; &amp; &apos;c&apos; \u{241b}[31m\u{2400}\u{240a}::error::\""
        ),
        "{xml}"
    );
    assert_eq!(well_formed(xml), Ok(()), "{xml}");
    assert!(!xml.contains("time=\"-"), "{xml}");
}

/// Whether the tags of a text are in balance, and no other markup stands in it.
fn well_formed(xml: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    for tag in xml.split('<').skip(2) {
        let (tag, content) = tag.split_once('>').ok_or("an open tag")?;
        if content.contains('>') {
            return Err(format!("`>` in {content}"));
        }
        let name = tag.trim_matches('/').split(' ').next().unwrap_or_default();
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return Err(format!("{name} closes nothing"));
            }
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(format!("{open:?} is never closed"))
    }
}

#[test]
fn check_says_the_same_of_case_files() {
    let folder = folder("cases:\n  - {name: n, fires: true, record: []}\n");
    let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(["check", "rules"])
        .current_dir(folder.path())
        .output()
        .expect("the program ends");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error[PAL0901]"), "{said}");
    assert!(said.contains("did you mean `records`?"), "{said}");
}

/// A folder whose configuration has these `rules`, and cases of rules that those leave out or not.
fn configured(rules: &str) -> tempfile::TempDir {
    let hit = record("50126", "kim");
    let folder = folder(&format!(
        "cases:
  - {{name: the base, fires: [wrong], records: [{{{hit}}}]}}
  - name: the correlation
    fires: [{{rule: wrong, times: 3}}, spray]
    records: [{{repeat: 3, every: 1s, {hit}}}]
  - {{name: any, fires: true, records: [{{{hit}}}]}}
"
    ));
    let other = "title: Other\nid: 6f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10\nlogsource: {product: azure}\n\
                 detection: {s: {identity: kim}, condition: s}\nlevel: low\nstatus: test\n";
    put(folder.path(), "rules/more/b.yml", other);
    let case = format!("cases:\n  - {{name: other, fires: true, records: [{{{hit}}}]}}\n");
    put(folder.path(), "rules/more/b.cases.yml", &case);
    let config = format!(
        "rules:\n{rules}\nsources:\n  - {{name: s, type: file, path: [x.json]}}\n\
         http: {{listen: \"127.0.0.1:0\"}}\n"
    );
    put(folder.path(), "palisade.yaml", &config);
    folder
}

/// What `test -c palisade.yaml` with these arguments prints, and its status.
fn test_configured(folder: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(["test", "-c", "palisade.yaml"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program ends");
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    (said, output.status.code())
}

#[test]
fn a_case_whose_rule_the_configuration_leaves_out_says_so_and_does_not_fail() {
    for (rules, why) in [
        ("  - {path: rules, exclude: [more/**]}", "excluded"),
        ("  - {path: rules, include: [a.yml]}", "excluded"),
        ("  - {path: rules, min_level: medium}", "below medium"),
        ("  - {path: rules, status: [stable]}", "status test"),
        (
            "  paths: [rules]\n  overrides: {6f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10: {disabled: true}}",
            "disabled",
        ),
    ] {
        let folder = configured(rules);
        let (said, status) = test_configured(folder.path(), &[]);
        assert_eq!(status, Some(0), "{rules}: {said}");
        let line = format!("b.cases.yml  1 case left out: its rule is left out: {why}\n");
        assert!(said.contains(&line), "{rules}: {said}");
        let sum = "4 cases: 3 passed, 0 failed, 1 left out, in ";
        assert!(said.contains(sum), "{rules}: {said}");
    }
}

#[test]
fn the_other_cases_of_a_file_of_which_one_rule_is_left_out_are_judged() {
    let folder = configured("  paths: [rules]\n  overrides: {spray: {disabled: true}}");
    let (said, status) = test_configured(folder.path(), &["--format", "json"]);
    assert_eq!(status, Some(0), "{said}");
    let json: Value = serde_json::from_str(&said).expect("JSON");
    let judged = json["cases"].as_array().expect("a list").iter();
    let judged: Vec<&str> = judged.filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(judged, ["the base", "any", "other"]);
    assert_eq!(json["left_out"][0]["name"], "the correlation");
    let why = "`Many wrong passwords` is left out: disabled";
    assert_eq!(json["left_out"][0]["why"], why);
    let (xml, _) = test_configured(folder.path(), &["--format", "junit"]);
    well_formed(&xml).expect("XML");
    assert!(xml.contains("errors=\"0\" skipped=\"1\""), "{xml}");
    let skipped = "<skipped message=\"`Many wrong passwords` is left out: disabled\"/>";
    assert!(xml.contains(skipped), "{xml}");
}

#[test]
fn a_case_that_fails_without_its_rule_is_not_blamed_on_the_others() {
    let folder = configured("  paths: [rules]\n  overrides: {Wrong: {disabled: true}}");
    // Nothing is left of the correlation without its base.
    let (said, status) = test_configured(folder.path(), &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("`wrong` is disabled by the configuration"),
        "{said}"
    );
    put(
        folder.path(),
        "rules/a.yml",
        &RULES.replace("---\n", "level: low\n---\nlevel: high\n"),
    );
    let folder_of = configured("  - {path: rules, min_level: high}");
    put(
        folder_of.path(),
        "rules/a.yml",
        &format!(
            "{}level: low\n---\ntitle: Loud\nname: loud\nlevel: high\nlogsource: {{product: azure}}\n\
         detection: {{s: {{identity: nobody}}, condition: s}}\n",
            RULES.split("---").next().expect("the first")
        ),
    );
    let cases = format!(
        "cases:\n  - {{name: any, fires: true, records: [{{{}}}]}}\n  \
         - {{name: typo, fires: [lod], records: [{{record: {{}}}}]}}\n",
        record("50126", "kim")
    );
    put(folder_of.path(), "rules/a.cases.yml", &cases);
    let (said, status) = test_configured(folder_of.path(), &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("1 case left out: `Wrong password` is left out: below high"),
        "{said}"
    );
    assert!(said.contains("did you mean `loud`?"), "{said}");
}

/// A process that is ended with the test.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_change_of_a_file_runs_the_cases_again() {
    let folder = folder(&format!(
        "cases:\n  - name: one fires\n    fires: true\n    records:\n      - {}\n",
        record("50126", "kim")
    ));
    let said = said_while_watching(folder.path(), || {
        put(
            folder.path(),
            "rules/a.yml",
            &RULES.replace("50126", "50053"),
        );
    });
    let summaries: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_once(", in ").map(|(summary, _)| summary))
        .collect();
    assert_eq!(
        summaries[..2],
        ["1 case: 1 passed, 0 failed", "1 case: 0 passed, 1 failed"]
    );
}

#[test]
fn a_change_of_a_list_beside_the_rules_runs_the_cases_again() {
    let folder = folder(&format!(
        "cases:\n  - name: one fires\n    fires: [wrong]\n    records:\n      - {}\n",
        record("50126", "kim")
    ));
    let listed = RULES.replace("identity: scanner", "identity|in_list: known");
    put(folder.path(), "rules/a.yml", &listed);
    put(folder.path(), "lists/known.txt", "scanner\n");
    let said = said_while_watching(folder.path(), || {
        put(folder.path(), "lists/known.txt", "scanner\nkim\n");
    });
    assert!(said.contains("1 case: 1 passed, 0 failed"), "{said}");
    assert!(said.contains("1 case: 0 passed, 1 failed"), "{said}");
}

/// What `test --watch` prints until it has run again after `change`.
fn said_while_watching(folder: &Path, change: impl FnOnce()) -> String {
    let mut process = Watching(
        Command::new(env!("CARGO_BIN_EXE_palisade"))
            .args(["test", "rules", "--watch"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts"),
    );
    let ready = marks(process.0.stderr.take().expect("a pipe"));
    let patience = Duration::from_mins(1);
    ready.recv_timeout(patience).expect("the first run");
    change();
    ready.recv_timeout(patience).expect("the second run");
    drop(process.0.kill());
    let mut said = String::new();
    let mut stdout = process.0.stdout.take().expect("a pipe");
    stdout.read_to_string(&mut said).expect("text");
    said
}

/// One message for every time that the program waits for changes.
fn marks(stderr: ChildStderr) -> std::sync::mpsc::Receiver<()> {
    let (tell, marks) = sync_channel(16);
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if line.starts_with("watching for changes") && tell.send(()).is_err() {
                return;
            }
        }
    });
    marks
}
