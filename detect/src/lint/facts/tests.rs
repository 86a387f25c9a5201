use super::*;
use crate::rule::{Detection, RuleFile, parse};

/// A rule with one search of two entries.
fn rule(first: &str, second: &str) -> Detection {
    let text = format!(
        "title: t\nlogsource: {{product: p}}\ndetection:\n  s:\n    - {first}\n    - {second}\n  condition: s\n"
    );
    let file = RuleFile {
        name: "t.yml".into(),
        bytes: text.into_bytes(),
    };
    let (mut rules, problems) = parse::parse(&[file]);
    assert!(problems.iter().all(|one| !one.is_error()), "{problems:?}");
    rules.detections.remove(0)
}

fn implied(first: &str, second: &str) -> bool {
    let rule = rule(first, second);
    let found = alternatives(&rule.searches["s"]).unwrap();
    found[0][0].implies(&found[1][0])
}

fn excluded(first: &str, second: &str) -> bool {
    let rule = rule(first, second);
    let found = alternatives(&rule.searches["s"]).unwrap();
    found[0][0].excludes(&found[1][0])
}

fn excluded_as_scalar(first: &str, second: &str) -> bool {
    let rule = rule(first, second);
    let found = alternatives(&rule.searches["s"]).unwrap();
    found[0][0].excludes_as_scalar(&found[1][0])
}

#[test]
fn what_follows_is_told_and_nothing_else() {
    for (first, second) in [
        ("a: foobar", "a|startswith: FOO"),
        ("a: foobar", "a|contains: oba"),
        ("a: foobar", "a: [x, FooBar]"),
        ("a|startswith: foobar", "a|contains: foo"),
        ("a|endswith: foobar", "a|endswith: bar"),
        ("a: 'foo*'", "a|startswith: fo"),
        ("a: '*foo*'", "a|contains: foo"),
        ("a|contains: [ab, b]", "a|contains: b"),
        ("a|contains|all: [x, y]", "a|contains: y"),
        ("a|contains|all: [x, y]", "a|contains|all: [y, x]"),
        ("a|contains|cased: Ab", "a|contains: a"),
        ("a|contains|cased: Ab", "a|contains|cased: A"),
        ("a|neq: [x, y]", "a|neq: x"),
        ("a|re: x", "a|re: [y, x]"),
        ("a|gt: 5", "a|gt: 5"),
        ("a: 'f?o'", "a: ['f?o', g]"),
    ] {
        assert!(implied(first, second), "{first} / {second}");
    }
    for (first, second) in [
        ("a: foobar", "b: foobar"),
        ("a: foo", "a: foobar"),
        ("a|startswith: foo", "a|startswith: foobar"),
        ("a|contains: foo", "a|startswith: foo"),
        ("a|contains: foo", "a|contains|cased: foo"),
        ("a|contains: [x, y]", "a|contains|all: [x, y]"),
        ("a: [x, y]", "a: x"),
        ("a|neq: x", "a|neq: [x, y]"),
        ("a|neq: x", "a: y"),
        ("a: y", "a|neq: x"),
        ("a|re: x", "a|re|i: x"),
        ("a|re: X", "a|re: x"),
        ("a: 1", "a: '1'"),
        ("a|contains: 'f?o'", "a|contains: f"),
    ] {
        assert!(!implied(first, second), "{first} / {second}");
    }
}

#[test]
fn only_real_contradictions_exclude() {
    for (first, second) in [
        ("a|exists: false", "a: x"),
        ("a|exists: false", "a|re: x"),
        ("a|exists: false", "a|exists: true"),
        ("a: x", "a|neq: [X, y]"),
        ("a: xy", "a|contains|neq: x"),
        ("a: xy", "a|neq: xy"),
    ] {
        assert!(excluded(first, second), "{first} / {second}");
    }
    for (first, second) in [
        ("a: x", "a: y"),
        ("a|exists: false", "a: null"),
        ("a|exists: false", "a: [x, null]"),
        ("a|exists: false", "a|neq: x"),
        ("a|exists: false", "b: x"),
        ("a: [x, y]", "a|neq: x"),
        ("a: null", "a: x"),
    ] {
        assert!(!excluded(first, second), "{first} / {second}");
    }
}

#[test]
fn a_single_value_cannot_be_two() {
    for (first, second) in [
        ("a: x", "a|startswith: y"),
        ("a: [x, z]", "a|contains: y"),
        ("a|startswith: ab", "a|startswith: b"),
        ("a|gt: 5", "a|lt: 4"),
        ("a|gte: 5", "a|lt: 5"),
        ("a: 50126", "a|gt: 60000"),
        ("a|gt: 60000", "a: [50126, 50053]"),
        ("a: 5", "a: [6, 7.5]"),
        ("a|lt: [4, 5]", "a: 5"),
    ] {
        let excluded = excluded_as_scalar(first, second);
        assert!(excluded, "{first} / {second}");
    }
    for (first, second) in [
        ("a: X", "a|startswith: x"),
        ("a|startswith: ab", "a|startswith: a"),
        ("a|startswith: a", "a|endswith: b"),
        ("a|contains: a", "a|contains: b"),
        ("a|gte: 5", "a|lte: 5"),
        ("a|gt: 5", "a: x"),
        ("a: 'x?'", "a|startswith: y"),
        ("a: [1, 50126]", "a|gt: 50000"),
        ("a: 5.0", "a: 5"),
        ("a: 5", "a|contains: 6"),
        ("a: 5", "a|neq: 6"),
        ("a: [5, x]", "a|gt: 6"),
        ("a: 9007199254740993", "a|gt: 9007199254740992"),
    ] {
        let excluded = excluded_as_scalar(first, second);
        assert!(!excluded, "{first} / {second}");
    }
}
