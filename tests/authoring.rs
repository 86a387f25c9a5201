//! `palisade new`, `coverage` and `completions` as a person meets them.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const EVENT: &str = r#"{"time":"2026-11-24T08:00:00Z","category":"SignInLogs","operationName":"Operation to look for","properties":{"userPrincipalName":"alice@contoso.example","client_secret":"hunter2"}}"#;

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
    // A command that needs no input may have ended before it is given any.
    drop(stdin.write_all(input.as_bytes()));
    drop(stdin);
    process.wait_with_output().expect("the program ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is text")
}

/// What a command prints that must succeed.
fn done(folder: &Path, arguments: &[&str], input: &str) -> String {
    let output = palisade(folder, arguments, input);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

fn new_rule(folder: &Path) -> Output {
    let arguments = [
        "new",
        "rule",
        "--title",
        "Odd Sign-In",
        "--author",
        "Ann",
        "rules",
    ];
    palisade(folder, &arguments, "")
}

#[test]
fn new_rule_is_sound_and_is_never_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = new_rule(folder.path());
    assert_eq!(
        text(&output.stdout),
        "rules/odd_sign_in.yml\nrules/odd_sign_in.cases.yml\n"
    );
    let written = fs::read_to_string(folder.path().join("rules/odd_sign_in.yml")).expect("a file");
    let found = done(folder.path(), &["check", "rules"], "");
    assert!(
        found.contains("1 rule,") && found.contains("0 errors, 0 warnings"),
        "{found}"
    );

    let again = new_rule(folder.path());
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("odd_sign_in.yml` is there already"));
    let after = fs::read_to_string(folder.path().join("rules/odd_sign_in.yml")).expect("a file");
    assert_eq!(written, after);
}

#[test]
fn new_rule_without_an_author_passes_its_own_check_and_cases() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = ["--logsource", "azure/auditlogs", "rules"];
    let arguments = [&["new", "rule", "--title", "Guest Invited"][..], &source].concat();
    let output = palisade(folder.path(), &arguments, "");
    assert_eq!(text(&output.stderr), "");
    let found = done(folder.path(), &["check", "rules"], "");
    assert_eq!(found, "1 rule, 0 correlations; 0 errors, 0 warnings\n");
    let tested = done(folder.path(), &["test", "rules"], "");
    assert!(tested.contains("2 cases: 2 passed"), "{tested}");
    let rule = fs::read_to_string(folder.path().join("rules/guest_invited.yml")).expect("a file");
    assert!(rule.contains("\nname: guest_invited\n"), "{rule}");
    let cases = fs::read_to_string(folder.path().join("rules/guest_invited.cases.yml"));
    assert!(cases.expect("a file").contains("category: AuditLogs\n"));
}

#[test]
fn new_rule_for_a_log_source_that_nothing_has_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["new", "rule", "--logsource", "azure/auditlog", "rules"];
    let output = palisade(folder.path(), &arguments, "");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stderr),
        "no known log type has the log source `azure/auditlog`; did you mean `azure/auditlogs`?\n"
    );
}

#[test]
fn new_case_takes_the_title_of_a_rule() {
    let folder = tempfile::tempdir().expect("a folder");
    new_rule(folder.path());
    let event = r#"{"time":"2026-03-02T09:00:00Z","category":"SignInLogs","operationName":"Operation to look for"}"#;
    let arguments = [
        "new",
        "case",
        "--rules",
        "rules",
        "--rule",
        "odd sign-in",
        "-",
    ];
    let said = done(folder.path(), &arguments, event);
    assert!(said.ends_with("rules/odd_sign_in.cases.yml\n"), "{said}");
    let rule = fs::read_to_string(folder.path().join("rules/odd_sign_in.yml")).expect("a file");
    let other = rule
        .replace("name: odd_sign_in", "name: other")
        .replace("\nid: ", "\nid: 0");
    fs::write(folder.path().join("rules/other.yml"), other).expect("a file");
    let output = palisade(folder.path(), &arguments, event);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("several rules have the title"), "{said}");
}

#[test]
fn new_rule_leaves_a_case_file_without_its_rule_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("rules")).expect("a folder");
    let cases = folder.path().join("rules/odd_sign_in.cases.yml");
    fs::write(&cases, "kept").expect("a file");
    assert_eq!(new_rule(folder.path()).status.code(), Some(1));
    assert_eq!(fs::read_to_string(&cases).expect("a file"), "kept");
    assert!(!folder.path().join("rules/odd_sign_in.yml").exists());
}

#[test]
fn every_new_rule_has_an_id_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let id = |title: &str| {
        done(folder.path(), &["new", "rule", "--title", title], "");
        let file = folder.path().join(format!("{title}.yml"));
        let rule = fs::read_to_string(file).expect("a file");
        let id = rule.lines().find_map(|line| line.strip_prefix("id: "));
        id.expect("an id").to_owned()
    };
    let (one, two) = (id("one"), id("two"));
    assert_ne!(one, two);
    for id in [one, two] {
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
        assert_eq!(id.as_bytes().get(14), Some(&b'4'), "{id}: version 4");
    }
}

#[test]
fn recorded_event_becomes_a_case_below_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    new_rule(folder.path());
    let cases = folder.path().join("rules/odd_sign_in.cases.yml");
    let before = fs::read_to_string(&cases).expect("a file");
    let rule = fs::read_to_string(folder.path().join("rules/odd_sign_in.yml")).expect("a file");
    let id = rule.lines().find_map(|line| line.strip_prefix("id: "));
    let arguments = [
        "new",
        "case",
        "--rule",
        id.expect("an id"),
        "--rules",
        "rules",
        "-",
    ];
    let output = palisade(folder.path(), &arguments, EVENT);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "rules/odd_sign_in.cases.yml\n");
    assert_eq!(
        text(&output.stderr),
        "taken out, as it looks like a secret: properties.client_secret\n"
    );
    let after = fs::read_to_string(&cases).expect("a file");
    let added = after
        .strip_prefix(&before)
        .expect("what stood there is kept");
    assert!(
        added.contains("time: \"${time}\"") && !added.contains("hunter2"),
        "{added}"
    );

    let contrary = ["--fires", "false", "--name", "left alone"];
    let arguments = [&arguments[..], &contrary[..]].concat();
    let output = palisade(folder.path(), &arguments, EVENT);
    assert!(
        text(&output.stderr).contains("the rule fires on it, other than the case says"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn case_of_a_rule_with_a_list_is_judged_with_the_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let rule = "title: T\nname: listed\nid: 5e0c1f5b-7f0e-4d0e-9a57-4f7d2b6c8e10\n\
                logsource: {product: azure}\n\
                detection: {a: {'properties.userPrincipalName|in_list': names}, condition: a}\n";
    let lists = folder.path().join("rules/lists");
    fs::create_dir_all(&lists).expect("a folder");
    fs::write(lists.join("names.txt"), "alice@contoso.example\n").expect("a file");
    fs::write(folder.path().join("rules/listed.yml"), rule).expect("a file");
    let arguments = ["new", "case", "--rules", "rules", "--rule", "listed", "-"];
    let output = palisade(folder.path(), &arguments, EVENT);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        !text(&output.stderr).contains("does not fire"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn case_of_an_unknown_rule_names_the_near_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let rule = "title: T\nname: odd_sign_in\nlogsource: {product: azure}\n\
                detection: {a: {b: 1}, condition: a}\n";
    fs::write(folder.path().join("r.yml"), rule).expect("a file");
    let output = palisade(
        folder.path(),
        &["new", "case", "--rule", "odd_sign_im", "-"],
        EVENT,
    );
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("did you mean `odd_sign_in`?"), "{said}");
    assert!(!folder.path().join("r.cases.yml").exists());
}

#[test]
fn coverage_of_the_house_rules_is_printed_in_three_forms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of = |format: &str| {
        let arguments = ["coverage", "--rules", "detections", "--format", format];
        done(root, &arguments, "")
    };
    let table = of("table");
    assert!(
        table.contains("T1078.004 Valid Accounts: Cloud Accounts"),
        "{table}"
    );
    let layer: serde_json::Value = serde_json::from_str(&of("navigator")).expect("JSON");
    assert_eq!(layer["versions"]["layer"], "4.5");
    assert!(of("html").starts_with("<!doctype html>"));
}

#[test]
fn completions_are_a_script_that_its_shell_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = done(folder.path(), &["completions", "bash"], "");
    let file = folder.path().join("palisade.bash");
    fs::write(&file, &script).expect("a file");
    let load = "source \"$0\" && complete -p palisade";
    let output = Command::new("bash")
        .args(["--norc", "-c", load])
        .arg(&file)
        .output()
        .expect("bash starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("-F _palisade"),
        "{}",
        text(&output.stdout)
    );
    for command in ["coverage", "completions", "replay"] {
        assert!(script.contains(command), "{command}");
    }
    for (shell, start) in [
        ("zsh", "#compdef palisade"),
        ("fish", "# "),
        ("powershell", ""),
    ] {
        let script = done(folder.path(), &["completions", shell], "");
        assert!(
            script.starts_with(start) && script.contains("palisade"),
            "{shell}"
        );
    }
}
