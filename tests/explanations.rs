//! The examples in the explanations of diagnostics: a failing one yields its code, a mended one does
//! not.
//!
//! All failing examples of a page together are one set of files, and all mended ones another. What
//! cannot be written down is generated here.

use std::fs;
use std::path::Path;

use palisade::cli::check;
use palisade_detect::diagnostic::explain::{Example, Explanation, Kind, Outcome};
use palisade_detect::diagnostic::{Code, Color, Severity, code};
use palisade_detect::lint;

/// Writes the bytes of a rule file.
type Write = fn() -> Vec<u8>;

/// Codes whose failing example is generated.
const GENERATED: &[(Code, Write)] = &[
    (code::YAML_NOT_UTF8, || b"title: \xff\n".to_vec()),
    (code::YAML_CHARACTER, || b"title: a\0b\n".to_vec()),
    (code::YAML_TURNED, || changed("title: ", "title: \u{202e}")),
    (code::FILE_TOO_LARGE, || vec![b'#'; (1 << 20) + 1]),
    (code::YAML_TOO_DEEP, || nested("title: ", "[", "]", 101)),
    (code::YAML_ALIASES, || {
        format!("a: &a 1\nb: [{}]\n", vec!["*a"; 101].join(", ")).into_bytes()
    }),
    (code::MANY_VALUES, || {
        let values: Vec<String> = (0..501).map(|n| format!("v{n}")).collect();
        let values = values.join(", ");
        format!(
            "title: t\nlogsource: {{product: azure}}\n\
             detection: {{s: {{A: [{values}]}}, condition: s}}\n"
        )
        .into_bytes()
    }),
    (code::TOO_MANY_PROBLEMS, || {
        "- x\n---\n".repeat(1_001).into_bytes()
    }),
    (code::COLLECTION_LIMIT, || {
        let template = format!("action: global\nx: {}\n", "x".repeat(600_000));
        (template + &"---\ntitle: t\n".repeat(200)).into_bytes()
    }),
    (code::CONDITION_LIMIT, || {
        let begin = GOOD_RULE.replace("condition: selection\n", "condition: ");
        nested(&begin, "(", ")", 101)
    }),
    (code::CORRELATION_TOO_DEEP, || {
        let chain = (1..=17).map(|n| correlation(n, &(n - 1).to_string()));
        chain
            .fold(NAMED_RULE.to_owned(), |all, one| all + &one)
            .into_bytes()
    }),
    (code::CORRELATION_RULES, || {
        let rules = vec!["0"; 1_001].join("', '");
        (NAMED_RULE.to_owned() + &correlation(1, &rules)).into_bytes()
    }),
    (code::FIELD_TOO_LONG, || {
        changed("operationName", &vec!["a"; 101].join("."))
    }),
    (code::VALUE_TOO_LONG, || {
        let value = "x".repeat((64 << 10) + 1);
        changed("diagnosticSettings/delete", &value)
    }),
    (code::TRAILING_SPACE, || changed("\n", "  \n")),
    (code::CARRIAGE_RETURN, || changed("\n", "\r\n")),
    (code::NO_FINAL_LINE_FEED, || {
        GOOD_RULE.trim_end().as_bytes().to_vec()
    }),
    (code::BYTE_ORDER_MARK, || {
        format!("\u{feff}{GOOD_RULE}").into_bytes()
    }),
    (code::HIDDEN_CHARACTER, || {
        changed("title: ", "title: \u{200b}")
    }),
];

/// Codes whose failing example would take a long time or depend on the day; the test that stands behind each shows it.
const SHOWN_ELSEWHERE: &[(Code, &str, &str)] = &[
    (
        code::TOO_MANY_RULES,
        include_str!("../src/rules/tests.rs"),
        "set_over_the_limit_of_bytes_is_refused_as_a_whole",
    ),
    (
        code::LINK_CIRCLE,
        include_str!("../src/rules/tests.rs"),
        "file_named_twice_or_behind_a_circle_of_links_is_read_once",
    ),
    (
        code::LIST_LIMIT,
        include_str!("../detect/src/list/tests.rs"),
        "a_list_beyond_the_limit_is_refused_and_one_at_it_is_small",
    ),
    (
        code::FILTER_LIMIT,
        include_str!("../detect/src/rule/filter.rs"),
        "filters_over_the_limit_are_reported_and_leave_their_rules_alone",
    ),
    (
        code::EXCEPTION_ENDS_SOON,
        include_str!("../src/rules/choose/tests.rs"),
        "exception_ends_at_its_moment_and_is_said_seven_days_before",
    ),
];

/// A rule beside examples of configurations, which must name one.
const GOOD_RULE: &str = "\
title: Diagnostic setting deleted
id: 0f6c8f0e-3f0c-4f67-a0a5-5b0a6d1f7f21
logsource: {product: azure, service: activitylogs}
detection:
  selection:
    operationName|endswith: diagnosticSettings/delete
  condition: selection
";

/// A rule that correlations name.
const NAMED_RULE: &str = "\
title: Rule
name: '0'
logsource: {product: azure, service: activitylogs}
detection: {selection: {operationName: x}, condition: selection}
";

/// The `n`-th of a chain of correlations.
fn correlation(n: u32, rules: &str) -> String {
    format!(
        "---\ntitle: Chain\nname: '{n}'\ncorrelation: {{type: event_count, rules: ['{rules}'], \
         timespan: 1m, condition: {{gte: 1}}}}\n"
    )
}

/// The good rule with something else everywhere in the place of a part.
fn changed(from: &str, to: &str) -> Vec<u8> {
    GOOD_RULE.replace(from, to).into_bytes()
}

fn nested(begin: &str, open: &str, close: &str, depth: usize) -> Vec<u8> {
    format!(
        "{begin}{}selection{}\n",
        open.repeat(depth),
        close.repeat(depth)
    )
    .into_bytes()
}

/// What `check` says to a set of examples: codes with severities, whether anything is an error, and
/// all as text.
fn judge(examples: &[&Example]) -> (Vec<(&'static str, Severity)>, bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    outcome(&args(folder.path(), examples))
}

/// Writes a set of examples, and gives the options of `check` that are about them.
fn args(folder: &Path, examples: &[&Example]) -> check::Args {
    let mut args = check::Args::default();
    for example in examples {
        let path = put(folder, example.file, example.text.as_bytes());
        match example.kind {
            Kind::Config => {
                put(folder, "good.yml", GOOD_RULE.as_bytes());
                args.config = Some(path);
            }
            Kind::Pipeline => args.pipelines.push(path),
            Kind::Observed => args.observed = Some(path),
            Kind::Rule | Kind::Cases | Kind::List => {}
        }
    }
    if args.config.is_none() {
        args.paths.push(folder.to_owned());
    }
    args
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(&path, bytes).expect("a file");
    path
}

fn outcome(args: &check::Args) -> (Vec<(&'static str, Severity)>, bool, String) {
    let judged = check::judge(args).expect("what the example names can be read");
    let diagnostics = &judged.findings.diagnostics;
    let codes = diagnostics.iter().map(|one| (one.code, one.severity));
    let failed = judged.findings.errors() > 0;
    (
        codes.collect(),
        failed,
        judged.findings.render(Color::Never),
    )
}

/// What is wrong with an explanation.
fn judge_page(code: Code, page: &Explanation) -> Option<String> {
    let id = code.id;
    if SHOWN_ELSEWHERE.iter().any(|(other, ..)| *other == code) {
        return None;
    }
    let of = |outcome| {
        page.examples
            .iter()
            .filter(move |one| one.outcome == outcome)
    };
    let fails: Vec<_> = of(Outcome::Fails).collect();
    let mended: Vec<_> = of(Outcome::Mended).collect();
    let generated = GENERATED.iter().find(|(other, _)| *other == code);
    if generated.is_some() != (fails.is_empty() && mended.is_empty()) {
        return Some(format!("{id}: an example is missing, or there are two"));
    }
    let (codes, _, text) = match generated {
        None => judge(&fails),
        Some((_, bytes)) => {
            let folder = tempfile::tempdir().expect("a folder");
            outcome(&check::Args {
                paths: vec![put(folder.path(), "rule.yml", &bytes())],
                ..check::Args::default()
            })
        }
    };
    if !codes.iter().any(|(found, _)| *found == id) {
        return Some(format!(
            "{id}: the failing example yields {codes:?}\n{text}"
        ));
    }
    let own = codes.iter().filter(|(found, _)| *found == id);
    let worst = own.map(|(_, severity)| *severity).max();
    if worst != Some(lint::severity(code)) {
        return Some(format!(
            "{id}: the table and the example differ in severity"
        ));
    }
    if generated.is_some() {
        return None;
    }
    let (codes, failed, text) = judge(&mended);
    let still = codes.iter().any(|(found, _)| *found == id);
    (failed || still || mended.is_empty())
        .then(|| format!("{id}: the mended example yields {codes:?}\n{text}"))
}

#[test]
fn failing_examples_yield_their_code_and_mended_ones_do_not() {
    let wrong: Vec<String> = code::ALL
        .iter()
        .filter_map(|code| judge_page(*code, &code.explanation()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Codes whose fixes keep the meaning of a rule and change its version, so that `--fix` leaves them.
const LEFT_ALONE: &[Code] = &[
    code::VALUE_REPEATED,
    code::WILDCARD_REPEATED,
    code::WILDCARD_AT_EDGE,
    code::WINDASH_WITHOUT_DASH,
    code::CASED_WITHOUT_LETTERS,
    code::RE_AS_MODIFIER,
    code::RE_ANY_AT_EDGE,
    code::RE_INLINE_IGNORE_CASE,
    code::RE_FLAG_WITHOUT_EFFECT,
];

/// Says which code keeps a fix that never holds: it would change an id or a version.
fn judge_fix(code: Code) -> Option<String> {
    let page = code.explanation();
    let fails = page.examples.iter();
    let fails: Vec<_> = fails.filter(|one| one.outcome == Outcome::Fails).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let args = args(folder.path(), &fails);
    let judged = check::judge(&args).expect("what the example names can be read");
    let own = |judged: &check::Judged| {
        let all = judged.findings.diagnostics.iter();
        all.filter(|one| one.code == code.id && one.fix.is_some())
            .count()
    };
    let before = own(&judged);
    let (mended, changes) = check::fix::fix(&args, &judged).expect("the files can be read");
    let after = own(mended.as_ref().unwrap_or(&judged));
    (after >= before && before > 0).then(|| {
        let diff = changes.diff(Color::Never);
        format!("{}: {after} of {before} fixes fail\n{diff}", code.id)
    })
}

#[test]
fn fixes_of_failing_examples_hold() {
    let others = code::ALL.iter().filter(|code| !LEFT_ALONE.contains(code));
    let wrong: Vec<String> = others.copied().filter_map(judge_fix).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for code in LEFT_ALONE {
        assert!(judge_fix(*code).is_some(), "{} holds", code.id);
    }
}

#[test]
fn tests_that_stand_behind_explanations_exist() {
    for (code, text, test) in SHOWN_ELSEWHERE {
        assert!(text.contains(&format!("fn {test}()")), "{}", code.id);
    }
}

#[test]
fn every_page_is_of_a_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("detect/src/diagnostic/explain");
    for entry in fs::read_dir(folder).expect("the explanations") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        assert!(code::ALL.iter().any(|row| *row.id == *name), "{name}");
    }
}
