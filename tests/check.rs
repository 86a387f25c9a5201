//! `palisade check` as a person and as a pipeline of builds meet it: formats, levels, comments, fixes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use palisade_detect::lint::FILE_FINDINGS_MAX;
use serde_json::Value;

const CONFIG: &str = "\
rules: [rules]
sources:
  - {name: logs, type: file, path: logs}
";

/// A rule with one warning, PAL1002 in line 2.
const RULE: &str = "\
title: Sign-in to a locked account
id: locked-017
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

/// The id as the specification asks for it.
const UUID: &str = "6f1cbd1e-4a26-4d52-9c39-3a0f6a4b7c11";

fn folder(rule: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    put(dir.path(), "rules/locked.yml", rule);
    put(dir.path(), "palisade.yaml", CONFIG);
    dir
}

fn put(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, text).expect("a file");
}

fn rule_in(dir: &tempfile::TempDir) -> String {
    fs::read_to_string(dir.path().join("rules/locked.yml")).expect("the rule")
}

fn check(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_palisade"))
        .arg("check")
        .args(args)
        .current_dir(dir)
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

/// Exit status and `CODE severity` of all findings.
fn findings(dir: &Path, args: &[&str]) -> (Option<i32>, Vec<String>) {
    let output = check(dir, &[&["--format", "json"], args].concat());
    let read: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    let found = read["diagnostics"].as_array().expect("a list");
    let found = found.iter().map(|one| {
        let text = |key: &str| one[key].as_str().expect("text").to_owned();
        format!("{} {}", text("code"), text("severity"))
    });
    (output.status.code(), found.collect())
}

#[test]
fn warning_passes_unless_it_is_denied() {
    let dir = folder(RULE);
    let found = vec!["PAL1002 warning".to_owned()];
    for (args, status) in [
        (&["rules"][..], 0),
        (&["rules", "--deny", "warnings"], 1),
        (&["rules", "--deny", "pal1002"], 1),
        (&["rules", "--deny", "PAL1001"], 0),
    ] {
        assert_eq!(
            findings(dir.path(), args),
            (Some(status), found.clone()),
            "{args:?}"
        );
    }
    let text = stdout(&check(dir.path(), &["rules", "--deny", "PAL1002"]));
    assert!(
        text.ends_with("1 rule, 0 correlations; 0 errors, 1 warning; 1 denied\n"),
        "{text}"
    );
    let output = check(dir.path(), &["rules", "--deny", "PAL1002x"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("did you mean `PAL1002`?"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn one_run_says_what_else_is_wrong_with_a_rule_that_does_not_load() {
    let text = "\
title: Broken
id: 5f0e9b0a-36a7-4b1f-8f63-64f7f3a5e1d0
status: tset
level: hgih
logsource: {product: azure, service: signinlgs}
detection:
  selection:
    UserAgent|re: '^curl$'
    IPAddress|in_list: nowhere
  unused:
    A: b
  condition: selection
";
    let codes = |text: &str| {
        let dir = folder(text);
        let (code, found) = findings(dir.path(), &["rules"]);
        assert_eq!(code, Some(1), "{found:?}");
        found
    };
    let has = |found: &[String], wanted: &[&str]| {
        for code in wanted {
            let said = found.iter().filter(|line| line.contains(code)).count();
            assert!(said > 0, "{code} in {found:#?}");
        }
    };
    let found = codes(text);
    has(
        &found,
        &[
            "PAL0204", "PAL0311", "PAL1020", "PAL1033", "PAL1401", "PAL1540", "PAL1805",
        ],
    );
    let known = |line: &String| line.contains("PAL1005") || line.contains("PAL1006");
    assert!(
        !found.iter().any(known),
        "status and level are there: {found:?}"
    );
    // A search that cannot be read takes the logic along, and leaves what other entries say.
    let found = codes(&text.replace("A: b", "A|contain: b"));
    has(
        &found,
        &["PAL0204", "PAL0302", "PAL0311", "PAL1540", "PAL1805"],
    );
    assert!(
        !found.iter().any(|line| line.contains("PAL14")),
        "{found:?}"
    );
    // An entry that is refused is judged no further.
    let found = codes(&text.replace("'^curl$'", "'^(curl$'"));
    has(&found, &["PAL0305", "PAL0311"]);
    assert!(
        !found.iter().any(|line| line.contains("PAL15")),
        "{found:?}"
    );
}

#[test]
fn a_mistake_in_the_configuration_hides_nothing_else() {
    let folder = folder("title: t\n");
    let config = "rules: [rules, gone]\npipelines: [map.yml]\nhttp: {listen: '127.0.0.1:x'}\n\
                  sources: [{name: f, type: file, path: x}]\n";
    put(folder.path(), "palisade.yaml", config);
    put(
        folder.path(),
        "map.yml",
        "transformations: [{type: field_name_mappin}]\n",
    );
    let output = check(folder.path(), &["-c", "palisade.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stdout);
    for part in [
        "http.listen",
        "gone",
        "field_name_mapping",
        "`logsource` is missing",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn configuration_lowers_raises_and_denies_what_is_no_error() {
    let dir = folder(RULE);
    for (level, status, found) in [
        ("off", 0, None),
        ("info", 0, Some("PAL1002 info")),
        ("warning", 0, Some("PAL1002 warning")),
        ("deny", 1, Some("PAL1002 warning")),
    ] {
        let config = format!("{CONFIG}check: {{levels: {{PAL1002: {level}}}}}\n");
        put(dir.path(), "palisade.yaml", &config);
        let expected = found.into_iter().map(str::to_owned).collect();
        assert_eq!(
            findings(dir.path(), &[]),
            (Some(status), expected),
            "{level}"
        );
    }
    for (entry, code) in [
        ("PAL0302: off", "PAL0803 error"),
        ("PAL102: off", "PAL0803 error"),
        ("PAL1002: error", "PAL0803 error"),
        ("PAL1002: [off]", "PAL0802 error"),
    ] {
        let config = format!("{CONFIG}check: {{levels: {{{entry}}}}}\n");
        put(dir.path(), "palisade.yaml", &config);
        let (status, found) = findings(dir.path(), &[]);
        assert_eq!((status, found[0].as_str()), (Some(2), code), "{entry}");
    }
}

#[test]
fn comment_with_a_reason_accepts_a_finding_even_if_it_is_denied() {
    let comment = "id: locked-017 # palisade: allow(PAL1002) ids of the old system\n";
    let dir = folder(&RULE.replace("id: locked-017\n", comment));
    let args = ["rules", "--deny", "warnings"];
    assert_eq!(findings(dir.path(), &args), (Some(0), Vec::new()));
    put(
        dir.path(),
        "rules/locked.yml",
        &RULE.replace("id: locked-017\n", &comment.replace("locked-017", UUID)),
    );
    assert_eq!(
        findings(dir.path(), &args),
        (Some(1), vec!["PAL2001 warning".to_owned()])
    );
}

#[test]
fn comment_in_the_configuration_accepts_what_is_found_there() {
    let dir = folder(&RULE.replace("locked-017", UUID));
    let config = |comment: &str| {
        format!(
            "rules: [rules]\nsources:\n  - {{name: hub, type: kafka, brokers: ['127.0.0.1:1'], topics: [t], \
             group: g, start: earliest, sasl: {{mechanism: plain, username: u, password: {{file: p}}}}}}{comment}\n"
        )
    };
    put(dir.path(), "palisade.yaml", &config(""));
    put(dir.path(), "p", "secret");
    assert_eq!(
        findings(dir.path(), &[]),
        (Some(0), vec!["PAL0806 warning".to_owned()])
    );
    let comment = " # palisade: allow(PAL0806) loopback";
    put(dir.path(), "palisade.yaml", &config(comment));
    assert_eq!(findings(dir.path(), &[]), (Some(0), Vec::new()));
}

#[test]
fn workflow_gets_an_annotation_at_the_line() {
    let dir = folder(RULE);
    let output = check(dir.path(), &["rules", "--format", "github"]);
    assert_eq!(
        stdout(&output)
            .lines()
            .next()
            .and_then(|line| line.split("::").nth(1)),
        Some("warning file=rules/locked.yml,line=2,col=5,endLine=2,endColumn=15,title=PAL1002")
    );
}

#[test]
fn code_scanning_gets_a_log_with_place_and_rule() {
    let dir = folder(RULE);
    let output = check(dir.path(), &["rules", "--format", "sarif"]);
    let log: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "PAL1002");
    let result = &run["results"][0];
    assert_eq!(
        (&result["ruleId"], &result["level"]),
        (&"PAL1002".into(), &"warning".into())
    );
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "rules/locked.yml");
    assert_eq!(place["region"]["startLine"], 2);
}

#[test]
fn no_format_prints_escapes_of_a_rule_raw() {
    let evil = "\"\\e]0;owned\\a\\x9b2J\\u202e\"";
    let rule = RULE.replace("level: low", &format!("level: {evil}"));
    let dir = folder(&rule.replace("locked-017", evil));
    let turned = RULE.replace("author: Palisade", "author: \u{202e}Palisade");
    put(dir.path(), "rules/turned.yml", &turned);
    for format in ["text", "json", "sarif", "github"] {
        let output = check(dir.path(), &["rules", "--format", format]);
        let text = stdout(&output);
        for code in ["PAL0204", "PAL0213", "PAL0108"] {
            assert!(text.contains(code), "{format}: {text}");
        }
        let raw = text.chars().find(|c| {
            matches!(c, '\u{0}'..='\u{9}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{202e}')
        });
        assert_eq!(raw, None, "{format}");
    }
}

#[test]
fn explanation_is_printed_and_an_unknown_code_leads_to_a_near_one() {
    let dir = folder(RULE);
    let output = check(dir.path(), &["--explain", "pal1002"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("warning[PAL1002]: an id is no UUID\n"));
    let output = check(dir.path(), &["--explain", "PAL1002x"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("did you mean `PAL1002`?"),
        "{}",
        stderr(&output)
    );
    let output = check(dir.path(), &["--explain", "PAL1002", "rules"]);
    assert_eq!(output.status.code(), Some(2));
}

/// A rule whose tag is in upper case and whose comment is left over.
fn untidy() -> String {
    RULE.replace(
        "locked-017",
        &format!("{UUID} # palisade: allow(PAL1002) old"),
    )
    .replace("attack.t1110", "attack.T1110")
}

#[test]
fn diff_shows_fixes_and_writes_nothing() {
    let dir = folder(&untidy());
    let output = check(dir.path(), &["rules", "--diff"]);
    let text = stdout(&output);
    assert!(
        text.starts_with("--- rules/locked.yml\n+++ rules/locked.yml\n@@ "),
        "{text}"
    );
    assert!(
        text.contains("\n-  - attack.T1110\n+  - attack.t1110\n"),
        "{text}"
    );
    assert!(text.contains("warning[PAL2001]"), "{text}");
    assert!(
        stderr(&output).contains("can be mended in 1 file"),
        "{}",
        stderr(&output)
    );
    assert_eq!(rule_in(&dir), untidy());
}

#[test]
fn fix_writes_what_it_showed_and_keeps_permissions() {
    let dir = folder(&untidy());
    let path = dir.path().join("rules/locked.yml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("permissions");
    let output = check(dir.path(), &["rules", "--fix", "--deny", "warnings"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    assert!(stdout(&output).contains("+  - attack.t1110\n"));
    assert_eq!(rule_in(&dir), RULE.replace("locked-017", UUID));
    let mode = fs::metadata(&path).expect("the rule").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let names = fs::read_dir(dir.path().join("rules")).expect("the folder");
    assert_eq!(names.count(), 1, "nothing is left behind");
    let again = check(dir.path(), &["rules", "--fix"]);
    assert!(
        stderr(&again).contains("0 findings mended in 0 files"),
        "{}",
        stderr(&again)
    );
}

#[test]
fn fix_leaves_what_would_give_the_rule_another_version() {
    let rule = untidy().replace("ResultType: '50053'", "UserAgent|contains: '*python*'");
    let dir = folder(&rule);
    let output = check(dir.path(), &["rules", "--fix"]);
    assert!(stdout(&output).contains("[PAL1505]"), "{}", stdout(&output));
    let said = "1 finding left to you: mended, a rule would have another id or version";
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    let written = rule_in(&dir);
    assert!(written.contains("'*python*'"), "{written}");
    assert!(
        written.contains("attack.t1110"),
        "the others are applied: {written}"
    );
}

#[test]
fn fix_leaves_a_file_that_nothing_can_be_compared_of() {
    let rule = untidy().replace("ResultType: '50053'", "UserAgent|contain: '*python*'");
    let dir = folder(&rule);
    let output = check(dir.path(), &["rules", "--fix"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("[PAL0302]"), "{}", stdout(&output));
    let said = "left in files with errors: mend those first";
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    assert_eq!(rule_in(&dir), rule);
}

#[test]
fn problems_of_a_disabled_rule_are_not_reported_nor_is_it_anybodys_double() {
    let dir = folder(&RULE.replace("locked-017", UUID));
    let other = UUID.replace("6f1c", "7f1c");
    let double = RULE
        .replace("locked-017", &other)
        .replace("status: test\n", "# palisade: allow(PAL1002) not found\n");
    put(dir.path(), "rules/double.yml", &double);
    let (_, found) = findings(dir.path(), &["-c", "palisade.yaml"]);
    for code in ["PAL1301", "PAL1302", "PAL2001"] {
        let named = |one: &String| one.starts_with(code);
        assert!(found.iter().any(named), "{code}: {found:?}");
    }
    let choice = format!("rules: {{paths: [rules], overrides: {{{other}: {{disabled: true}}}}}}");
    let config = CONFIG.replace("rules: [rules]", &choice);
    put(dir.path(), "palisade.yaml", &config);
    let (status, found) = findings(dir.path(), &["-c", "palisade.yaml"]);
    assert_eq!((status, found), (Some(0), Vec::new()));
}

#[test]
fn fix_keeps_standard_output_for_programs() {
    let dir = folder(&untidy());
    let (status, found) = findings(dir.path(), &["rules", "--fix"]);
    assert_eq!((status, found), (Some(0), Vec::new()));
}

#[test]
fn fix_follows_no_link_out_of_the_folder() {
    let dir = folder(&untidy());
    let outside = tempfile::tempdir().expect("a directory");
    let target = outside.path().join("other.yml");
    fs::rename(dir.path().join("rules/locked.yml"), &target).expect("a file");
    std::os::unix::fs::symlink(&target, dir.path().join("rules/locked.yml")).expect("a link");
    let output = check(dir.path(), &["rules", "--fix"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("leads out of the folder of rules"),
        "{}",
        stdout(&output)
    );
    assert_eq!(fs::read_to_string(&target).expect("the rule"), untidy());
}

#[test]
fn of_a_finding_that_a_file_has_without_number_some_are_shown_and_the_others_counted() {
    let values = vec!["abc"; 200_000].join(",");
    let nots = vec!["not not selection"; 1_000].join(" and ");
    for (was, is, code, more) in [
        ("'50053'", format!("[{values}]"), "PAL1501", 199_799),
        (
            "condition: selection",
            format!("condition: {nots}"),
            "PAL1406",
            800,
        ),
    ] {
        let dir = folder(&RULE.replace(was, &is));
        let (status, found) = findings(dir.path(), &["rules"]);
        let own = found.iter().filter(|one| one.starts_with(code));
        assert_eq!(
            (status, own.count()),
            (Some(0), FILE_FINDINGS_MAX),
            "{code}"
        );
        let text = stdout(&check(dir.path(), &["rules"]));
        let more = format!("(and {more} more of this kind in the file)");
        assert_eq!(text.matches(&more).count(), 1, "{code}");
    }
}

#[test]
fn what_is_wrong_is_said_once_and_in_the_words_of_the_file() {
    let codes = |rule: String| findings(folder(&rule).path(), &["rules"]).1;
    // Behind two aliases stands one wrong value.
    let aliases = RULE.replace(
        "    ResultType: '50053'",
        "    A|re: &bad ['(']\n    B|re: *bad\n    C|re: *bad",
    );
    let errors = codes(aliases).into_iter();
    let errors = errors.filter(|one| one.ends_with("error"));
    assert_eq!(errors.collect::<Vec<_>>(), ["PAL0305 error"]);
    let empty = codes(RULE.replace("condition: selection", "condition: []"));
    assert!(empty.contains(&"PAL0202 error".to_owned()), "{empty:?}");
    let logic = empty.iter().filter(|one| one.starts_with("PAL14"));
    assert_eq!(logic.count(), 0, "{empty:?}");
    let tagged = folder(&RULE.replace("'50053'", "!!python/name:os.system x"));
    let text = stdout(&check(tagged.path(), &["rules"]));
    assert!(text.contains("`!!python/name:os.system`"), "{text}");
}

#[test]
fn placeholder_without_a_value_is_said_beside_other_errors_and_marked_itself() {
    let pipeline = "vars: {known: [a]}\ntransformations: [{type: value_placeholders}]\n";
    let column = "    A|expand: ['%known%', '".len() + 1;
    for (more, code) in [("", None), ("    B|frobnicate: x\n", Some("PAL0302 error"))] {
        let entry = format!("    A|expand: ['%known%', '%lost%']\n{more}    ResultType: '50053'");
        let dir = folder(&RULE.replace("    ResultType: '50053'", &entry));
        put(dir.path(), "pipeline.yml", pipeline);
        let args = ["--pipeline", "pipeline.yml", "rules"];
        let (_, found) = findings(dir.path(), &args);
        let errors = found.iter().filter(|one| one.ends_with("error"));
        let expected = ["PAL0308 error"].into_iter().chain(code);
        let (mut errors, mut expected): (Vec<_>, Vec<_>) = (errors.collect(), expected.collect());
        errors.sort();
        expected.sort_unstable();
        assert_eq!(errors, expected);
        let text = stdout(&check(dir.path(), &args));
        assert!(
            text.contains(&format!("locked.yml:15:{column}\n")),
            "{text}"
        );
        assert!(text.contains("`%lost%`"), "{text}");
    }
}

#[test]
fn timeframe_of_old_aggregations_is_no_search() {
    let rule = RULE.replace(
        "  condition: selection",
        "  timeframe: 5m\n  condition: selection",
    );
    let dir = folder(&rule);
    assert_eq!(
        findings(dir.path(), &["rules"]).1,
        ["PAL1002 warning", "PAL1401 warning"]
    );
    let text = stdout(&check(dir.path(), &["rules"]));
    assert!(
        text.contains("old aggregations") && text.contains("`timespan`"),
        "{text}"
    );
}
