use super::super::entry::tests::said_of;
use crate::diagnostic::Diagnostic;

/// A rule with this entry.
fn rule(entry: &str) -> String {
    format!(
        "title: Rule\nlogsource: {{product: azure}}\ndetection:\n  s:\n{entry}\n  condition: s\n"
    )
}

pub(in super::super) fn said(code: &str, entry: &str) -> Vec<Diagnostic> {
    said_of(code, &[("rule.yml", &rule(entry))])
}

/// The entry after the fix of the one finding.
pub(in super::super) fn mended(code: &str, entry: &str) -> String {
    let found = said(code, entry);
    let [one] = found.as_slice() else {
        panic!("{} findings of {code} in {entry}", found.len());
    };
    let mut bytes = rule(entry).into_bytes();
    for edit in one.fix.as_ref().expect("a fix").edits.iter().rev() {
        bytes.splice(edit.span.clone(), edit.text.bytes());
    }
    let text = String::from_utf8(bytes).unwrap();
    let (_, rest) = text.split_once("  s:\n").unwrap();
    rest.split_once("\n  condition").unwrap().0.to_owned()
}

#[test]
fn fixes_write_what_means_the_same() {
    for (code, before, after) in [
        (
            "PAL1501",
            "    A:\n      - x\n      - X",
            "    A:\n      - x",
        ),
        ("PAL1504", "    A: 'x**y'", "    A: 'x*y'"),
        ("PAL1504", "    A: \"x***\"", "    A: \"x*\""),
        ("PAL1505", "    A|contains: '*x*'", "    A|contains: 'x'"),
        ("PAL1505", "    A|startswith: x*", "    A|startswith: x"),
        ("PAL1505", "    A|endswith: '*x?'", "    A|endswith: 'x?'"),
        ("PAL1511", "    A: [No, x]", "    A: ['No', x]"),
    ] {
        assert_eq!(mended(code, before), after);
    }
}

#[test]
fn what_cannot_be_rewritten_safely_is_only_reported() {
    for (code, entry) in [
        ("PAL1501", "    A: [x, X]"),
        ("PAL1504", r"    A: '\***'"),
        ("PAL1505", "    A|startswith: true*"),
        ("PAL1505", "    A|startswith: 1*"),
        ("PAL1505", r"    A|startswith: 'x\\*'"),
    ] {
        let found = said(code, entry);
        assert_eq!(found.len(), 1, "{entry}");
        assert_eq!(found[0].fix, None, "{entry}");
    }
}

#[test]
fn values_that_are_as_they_should_be_are_left_alone() {
    for (code, entry) in [
        ("PAL1501", "    A|contains|cased: [x, X]"),
        ("PAL1501", "    A|re: [x, X]"),
        ("PAL1501", "    A: [1, '1']"),
        ("PAL1502", "    A|startswith: [ab, b]"),
        ("PAL1502", "    A|contains: ['a?', ab]"),
        ("PAL1502", "    A: [a, ab]"),
        ("PAL1503", "    A: ''"),
        ("PAL1504", r"    A: 'a\**'"),
        ("PAL1505", "    A|startswith: '*x'"),
        ("PAL1505", "    A: '*x*'"),
        ("PAL1505", "    A|re: '.*'"),
        ("PAL1508", "    A|contains: ' x '"),
        ("PAL1508", "    A|endswith: ' x'"),
        ("PAL1509", r"    A|contains: 'SELECT \* FROM'"),
        ("PAL1509", r"    A: 'C:\Temp\\*'"),
        ("PAL1510", "    A: null"),
        ("PAL1511", "    A: ['no', \"yes\"]"),
        ("PAL1512", "    A: [0, 10, 0x10, '010', 0.5]"),
        ("PAL1513", "    A|contains|all: [x, y]"),
        ("PAL1513", "    A|all: ['*x*', '*y*']"),
    ] {
        assert_eq!(said(code, entry), [], "{code} {entry}");
    }
}

#[test]
fn a_value_is_covered_in_the_direction_of_its_link() {
    let line = |entry| {
        said("PAL1502", entry)
            .iter()
            .map(|one| one.place.line)
            .collect::<Vec<_>>()
    };
    assert_eq!(line("    A|contains:\n      - abc\n      - b"), [6]);
    assert_eq!(line("    A|contains|all:\n      - abc\n      - b"), [7]);
    assert_eq!(line("    A:\n      - abc\n      - 'a*'"), [6]);
}
