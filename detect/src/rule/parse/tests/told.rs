//! What is told of rules that do not load, and where.

use super::*;

#[test]
fn a_refused_correlation_says_what_it_refers_to_in_vain() {
    let broken = "title: c\nid: c\ncorrelation:\n  type: event_cuont\n  rules: [a, nobody, none]\n  \
                  timespan: 5x\n  condition: {gt: x}\n";
    let said = errors(&[&good("a"), broken]);
    let codes: Vec<(&str, u32)> = said
        .iter()
        .map(|(code, _, line, _)| (*code, *line))
        .collect();
    let expected = [
        ("invalid-correlation", 4),
        ("invalid-timespan", 6),
        ("invalid-correlation", 7),
        ("unknown-rule-reference", 5),
        ("unknown-rule-reference", 5),
    ];
    assert_eq!(codes, expected);
    let refused = good("a").replace("title:", "level: lwo\ntitle:");
    let of_refused = "title: c\nid: c\ncorrelation: {type: event_count, rules: [a], timespan: 5x, \
                      condition: {gt: 1}}\n";
    let said = errors(&[&refused, of_refused]);
    let codes: Vec<&str> = said.iter().map(|(code, ..)| *code).collect();
    assert_eq!(
        codes,
        ["invalid-value", "invalid-timespan"],
        "that `a` is refused is said at `a`"
    );
}

#[test]
fn all_unknown_references_of_a_correlation_are_said() {
    let text = correlation(
        "c",
        "  type: event_count\n  rules: [x, a, y]\n  timespan: 1m\n  condition: {gt: 1}\n",
    );
    assert_eq!(kinds(&[&good("a"), &text]), ["unknown-rule-reference"; 2]);
}

#[test]
fn what_people_read_takes_no_character_that_deceives_and_values_take_any() {
    for (from, to) in [
        ("title: t", "title: \"a\\u202eb\""),
        ("id: a", "id: \"a\\0\""),
        ("title: t", "title: t\nauthor: \"\\x1b[2J\""),
        ("title: t", "title: t\ntags: [a.b, \"a.\\u2066b\"]"),
        ("{A: 1}", "{\"A\\u202e\": 1}"),
        ("s: {A: 1}", "\"s\\0\": {A: 1}, s: {A: 1}"),
        ("{product: p}", "{product: \"p\\u202e\"}"),
    ] {
        let text = good("a").replacen(from, to, 1);
        assert_ne!(text, good("a"));
        let (_, problems) = load(&[&text]);
        let codes: Vec<&str> = problems.iter().map(|one| one.code).collect();
        assert_eq!(codes, ["PAL0213"], "{text}");
    }
    for value in [r#""\u202e""#, r#""a\0b""#, r#""\x1b[0m""#, "'\u{202e}'\n "] {
        let text = good("a").replacen("A: 1", &format!("A: {value}"), 1);
        assert!(load(&[&text]).1.is_empty(), "{text}");
    }
    let (_, problems) = load(&[&good("a").replace("title: t", "title: t # \u{202e}")]);
    assert_eq!(problems[0].code, "PAL0108");
    assert_eq!((problems[0].place.line, problems[0].place.column), (1, 12));
}

#[test]
fn what_is_wrong_with_an_expression_is_marked_in_it() {
    for (pattern, column) in [
        ("^(curl$", 2),
        ("abc[d", 4),
        ("a(?=b)", 2),
        (r"x\q", 2),
        ("a{3,2}", 2),
        (r"\pX", 1),
    ] {
        let text = good("a").replace("A: 1", &format!("A|re: '{pattern}'"));
        let (_, problems) = load(&[&text]);
        assert_eq!(problems.len(), 1, "{pattern}");
        let quote = text.lines().nth(3).and_then(|line| line.find('\''));
        let quote = u32::try_from(quote.expect("a quote")).expect("a short line") + 1;
        let (at, code) = (problems[0].place.column, problems[0].code);
        assert_eq!((code, at), ("PAL0305", quote + column), "{pattern}");
        assert!(problems[0].help.is_some());
    }
}

#[test]
fn a_pattern_that_selects_nothing_is_told_a_pattern() {
    let text = good("a").replace(
        "{s: {A: 1}, condition: s}",
        "{known_1: {A: 1}, condition: 1 of knwon_*}",
    );
    let (_, problems) = load(&[&text]);
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `known_*`?"));
}

#[test]
fn modifiers_are_marked_in_their_key_and_helped_with() {
    let text = rule("a", "", "{s: {A|contains|all: x}, condition: s}");
    let (_, problems) = load(&[&text]);
    let column = u32::try_from("detection: {s: {A|contains|".len()).expect("short") + 1;
    let found: Vec<_> = problems.iter().map(|p| (p.code, p.place.column)).collect();
    assert_eq!(found, [("PAL0350", column)]);
    for (modifier, word) in [("frobnicate", "`startswith`"), ("", "take it out")] {
        let text = rule(
            "a",
            "",
            &format!("{{s: {{A|{modifier}: x}}, condition: s}}"),
        );
        let (_, problems) = load(&[&text]);
        let help = problems[0].help.as_deref().unwrap_or_default();
        assert!(help.contains(word), "{help}");
    }
}

#[test]
fn a_mistyped_key_of_a_correlation_keeps_it_from_loading() {
    for (key, meant) in [
        ("group_by: [A]", "group-by"),
        ("groupby: [A]", "group-by"),
        ("Group-By: [A]", "group-by"),
        ("generat: true", "generate"),
        ("alias: {x: {a: A}}", "aliases"),
    ] {
        let keys = format!(
            "  type: event_count\n  rules: a\n  timespan: 5m\n  condition: {{gte: 2}}\n  {key}\n"
        );
        let (set, problems) = load(&[&good("a"), &correlation("c", &keys)]);
        assert!(set.correlations.is_empty(), "{key}");
        let told: Vec<_> = problems
            .iter()
            .map(|p| (p.code, p.place.line, p.help.as_deref()))
            .collect();
        let help = format!("did you mean `{meant}`?");
        assert_eq!(told, [("PAL0501", 8, Some(help.as_str()))], "{key}");
    }
    let keys = "  type: temporal\n  rules: a\n  timespan: 5m\n  note: x\n";
    assert_eq!(load(&[&good("a"), &correlation("c", keys)]).1, []);
}

#[test]
fn a_mistyped_key_is_told_once_and_not_as_missing() {
    let keys = "  type: event_count\n  rules: a\n  timeframe: 10m\n  condition: {gte: 2}\n";
    let (_, problems) = load(&[&good("a"), &correlation("c", keys)]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        problems[0].help.as_deref(),
        Some("did you mean `timespan`?")
    );
    let twice = format!("{keys}  timespan: 10m\n");
    let (_, problems) = load(&[&good("a"), &correlation("c", &twice)]);
    let help = problems[0].help.as_deref().unwrap_or_default();
    assert!(help.contains("there already"), "{help}");
    let filter = "title: f\nlogsource: {product: p}\nfilter:\n  rulez: [a]\n  s: {A: 1}\n  \
                  condition: not s\n";
    let (set, problems) = load(&[&good("a"), filter]);
    assert!(set.filters.is_empty());
    let told: Vec<_> = problems
        .iter()
        .map(|p| (p.code, p.place.line, p.help.as_deref()))
        .collect();
    assert_eq!(told, [("PAL0202", 4, Some("did you mean `rules`?"))]);
}

#[test]
fn a_document_of_several_kinds_is_refused_and_both_are_named() {
    let correlation = "correlation: {type: temporal, rules: a, timespan: 1m}\n";
    for (key, more) in [
        ("correlation", correlation),
        (
            "filter",
            "filter: {rules: a, s: {A: 1}, condition: not s}\n",
        ),
        ("filter", "filter: x\n"),
    ] {
        let text = rule("b", more, "{s: {A: 1}, condition: s}");
        let (set, problems) = load(&[&good("a"), &text]);
        assert_eq!(set.detections.len(), 1);
        assert!(set.correlations.is_empty() && set.filters.is_empty());
        let told: Vec<_> = problems.iter().map(|p| (p.code, p.place.line)).collect();
        assert_eq!(told, [("PAL0214", 3)], "{more}");
        let names = format!("`detection` and `{key}`");
        assert!(problems[0].message.contains(&names), "{problems:?}");
    }
}

#[test]
fn what_is_missing_comes_with_what_to_add() {
    let (_, problems) = load(&["title: t\n"]);
    assert!(!problems.is_empty());
    assert!(
        problems
            .iter()
            .all(|p| p.code == "PAL0202" && p.help.is_some()),
        "{problems:?}"
    );
}

#[test]
fn a_condition_over_rules_is_judged_though_some_are_missing() {
    let keys =
        "  type: temporal\n  rules: [a, gone]\n  timespan: 5m\n  condition: a and not gone\n";
    let text = good("a") + &correlation("c", keys);
    let column = u32::try_from("  condition: a and ".len()).expect("short") + 1;
    let found: Vec<_> = errors(&[&text])
        .into_iter()
        .map(|(kind, _, _, column)| (kind, column))
        .collect();
    assert_eq!(
        found,
        [
            ("unknown-rule-reference", 14),
            ("invalid-correlation", column)
        ]
    );
    // Where a reference may be what is mistyped, the names in the condition are not told as well.
    let other = text.replace("a and not gone", "a and b");
    assert_eq!(kinds(&[&other]), ["unknown-rule-reference"]);
}

#[test]
fn each_unknown_name_of_each_condition_is_told_once_and_not_without_end() {
    let text = rule("a", "", "{s: {A: 1}, condition: [s and x, y or (z]}");
    assert_eq!(
        kinds(&[&text]),
        [
            "unknown-identifier",
            "unknown-identifier",
            "unknown-identifier",
            "condition-syntax"
        ]
    );
    let many = vec!["x1 and x2 and x3"; 500].join(", ");
    let text = rule("a", "", &format!("{{s: {{A: 1}}, condition: [{many}]}}"));
    assert_eq!(kinds(&[&text]).len(), 18);
}

#[test]
fn what_is_empty_or_no_number_is_told_with_what_to_write() {
    let said = |text: &str| {
        let (_, problems) = load(&[&good("a"), text]);
        let problem = problems.into_iter().find(Diagnostic::is_error);
        let problem = problem.expect(text);
        (problem.message, problem.help.unwrap_or_default())
    };
    let (_, help) = said(&rule("b", "", "{s: {A: 1}, condition: }"));
    assert_eq!(
        help,
        "name a search behind it, such as `condition: selection`"
    );
    let counted = |more: &str| {
        let keys = format!("  type: event_count\n  rules: [a]\n  timespan: 5m\n{more}");
        said(&correlation("c", &keys))
    };
    let (_, help) = counted("  group-by:\n  condition: {gte: 2}\n");
    assert!(help.contains("`group-by: [SourceIp]`"), "{help}");
    for (bound, expected) in [
        (
            "1e400",
            "`gte` needs a finite number; this one is too large",
        ),
        (".inf", "`gte` needs a finite number; this one is too large"),
        (".nan", "`gte` needs a number, and `.nan` is none"),
        ("x", "`gte` needs a number, not text"),
    ] {
        let (message, _) = counted(&format!("  condition: {{gte: {bound}}}\n"));
        assert_eq!(message, expected);
    }
}

#[test]
fn caret_stands_under_the_word_in_conditions_over_several_lines() {
    for (written, line, column) in [
        ("s and\n    nope", 5, 5),
        ("|\n    s and\n      nope", 6, 7),
        (">-\n    s and\n    (nope)", 6, 6),
        ("'s and\n\n    nope'", 6, 5),
    ] {
        let text = format!(
            "title: a\nlogsource: {{product: x}}\ndetection:\n  condition: {written}\n  s: {{A: 1}}\n"
        );
        let found = errors(&[&text]);
        let places: Vec<_> = found
            .iter()
            .map(|(_, _, line, column)| (*line, *column))
            .collect();
        assert_eq!(places, [(line, column)], "{written}");
    }
}
