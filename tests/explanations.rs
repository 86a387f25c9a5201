//! The examples in the explanations of diagnostics: a failing one yields its code, a mended one does
//! not.
//!
//! An explanation is `detect/src/diagnostic/explain/CODE.md`. Its examples are fenced blocks whose
//! first line is `yaml fails` or `yaml mended`, and then, if the block is no rule file, what it is:
//! `config`, `pipeline`, `cases`, `observed` or `list`; `file=NAME` names the file. All failing blocks
//! together are one set of files, and all mended ones another.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use palisade::cli::check;
use palisade_detect::diagnostic::{Color, code};

/// Codes whose example cannot be written down, each with the test that shows it.
const SHOWN_ELSEWHERE: &[(&str, &str)] = &[];

/// A rule beside examples of configurations, which must name one.
const GOOD_RULE: &str = "\
title: Diagnostic setting deleted
id: 0f6c8f0e-3f0c-4f67-a0a5-5b0a6d1f7f21
status: test
level: medium
description: Somebody deleted the setting that sends logs of a resource to the hub.
logsource: {product: azure, service: activitylogs}
detection:
  selection:
    operationName|endswith: diagnosticSettings/delete
  condition: selection
";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("detect/src/diagnostic/explain")
}

/// One fenced block.
struct Block {
    fails: bool,
    kind: String,
    file: String,
    text: String,
}

/// The fenced blocks of an explanation.
fn blocks(code: &str, page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```yaml ") else {
            assert!(!line.starts_with("```"), "{code}: `{line}` is no example");
            continue;
        };
        let mut words = info.split(' ');
        let fails = match words.next() {
            Some("fails") => true,
            Some("mended") => false,
            other => panic!("{code}: {other:?} is neither `fails` nor `mended`"),
        };
        let (files, kinds): (Vec<_>, Vec<_>) = words.partition(|word| word.starts_with("file="));
        let kind = kinds.first().copied().unwrap_or("rule");
        let default = match kind {
            "rule" => "rule.yml",
            "config" => "palisade.yaml",
            "pipeline" => "pipelines/pipeline.yml",
            "cases" => "rule.cases.yml",
            "observed" => "observed.json",
            "list" => "lists/list.txt",
            _ => panic!("{code}: nobody knows what `{kind}` is"),
        };
        let text = lines.by_ref().take_while(|line| *line != "```");
        let text = text.fold(String::new(), |text, line| text + line + "\n");
        let file = files.first().and_then(|word| word.strip_prefix("file="));
        blocks.push(Block {
            fails,
            kind: kind.to_owned(),
            file: file.unwrap_or(default).to_owned(),
            text,
        });
    }
    blocks
}

/// What `check` says to a set of blocks: codes and whether anything is an error, and all as text.
fn judge(blocks: &[&Block]) -> (Vec<&'static str>, bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, text).expect("a file");
    };
    let mut args = check::Args::default();
    let of = |kind: &'static str| blocks.iter().filter(move |block| block.kind == kind);
    for block in blocks {
        let text = block
            .text
            .replace("$FOLDER", &folder.path().to_string_lossy());
        put(&block.file, &text);
    }
    for config in of("config") {
        args.config = Some(folder.path().join(&config.file));
        put("good.yml", GOOD_RULE);
    }
    args.pipelines = of("pipeline")
        .map(|block| folder.path().join(&block.file))
        .collect();
    if args.config.is_none() {
        args.paths.push(folder.path().to_owned());
    }
    args.observed = of("observed")
        .map(|block| folder.path().join(&block.file))
        .next();
    let judged = check::judge(&args).expect("what the example names can be read");
    let diagnostics = &judged.findings.diagnostics;
    let codes = diagnostics.iter().map(|one| one.code).collect();
    let failed = judged.findings.errors() > 0;
    (codes, failed, judged.findings.render(Color::Never))
}

/// What is wrong with an explanation.
fn judge_page(code: &str, page: &str) -> String {
    let mut wrong = String::new();
    let title = page.lines().next().unwrap_or_default();
    if !title.starts_with(&format!("# {code}: ")) {
        writeln!(wrong, "{code}: the first line is not `# {code}: ...`").expect("memory");
    }
    let blocks = blocks(code, page);
    if SHOWN_ELSEWHERE.iter().any(|(other, _)| *other == code) {
        return wrong;
    }
    let (fails, mended): (Vec<_>, Vec<_>) = blocks.iter().partition(|block| block.fails);
    if fails.is_empty() || mended.is_empty() {
        writeln!(wrong, "{code}: a failing or a mended example is missing").expect("memory");
        return wrong;
    }
    let (codes, _, text) = judge(&fails);
    if !codes.contains(&code) {
        writeln!(
            wrong,
            "{code}: the failing example yields {codes:?}\n{text}"
        )
        .expect("memory");
    }
    let (codes, failed, text) = judge(&mended);
    if failed || codes.contains(&code) {
        writeln!(wrong, "{code}: the mended example yields {codes:?}\n{text}").expect("memory");
    }
    wrong
}

fn pages() -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder()).expect("the explanations");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let code = path.file_stem().expect("a name").to_string_lossy();
            (
                code.into_owned(),
                fs::read_to_string(&path).expect("a page"),
            )
        })
        .collect()
}

#[test]
fn failing_examples_yield_their_code_and_mended_ones_do_not() {
    let wrong: String = pages()
        .iter()
        .map(|(code, page)| judge_page(code, page))
        .collect();
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_explanation_is_of_a_code() {
    for code in pages().keys() {
        assert!(code::ALL.iter().any(|row| row.id == code), "{code}");
    }
}
