use proptest::prelude::*;

use super::*;

const NAMES: [&str; 6] = [
    "selection",
    "sel_a",
    "sel_b",
    "_private",
    "not-used1",
    "filter",
];

fn read(text: &str) -> Result<Expr, ConditionProblem> {
    first(parse(text, &Names::numbered(NAMES), Selectors::Allowed))
}

/// The expression, or the first problem.
fn first(read: Result<Expr, Vec<ConditionProblem>>) -> Result<Expr, ConditionProblem> {
    read.map_err(|mut problems| problems.swap_remove(0))
}

/// The condition with full brackets and names.
fn written(expr: &Expr, names: &[&str]) -> String {
    let all = |parts: &[Expr], word: &str| {
        let parts: Vec<String> = parts.iter().map(|part| written(part, names)).collect();
        format!("({})", parts.join(word))
    };
    match expr {
        Expr::Search(place) => names[*place].to_owned(),
        Expr::Not(inner) => format!("not {}", written(inner, names)),
        Expr::And(parts) => all(parts, " and "),
        Expr::Or(parts) => all(parts, " or "),
        Expr::AtLeast(least, parts) => format!("{least} of {}", all(parts, " , ")),
    }
}

#[test]
fn operators_bind_from_or_to_not_and_selectors_select() {
    for (text, expected) in [
        ("selection", "selection"),
        ("selection and not filter", "(selection and not filter)"),
        (
            "selection or sel_a and not sel_b or filter",
            "(selection or (sel_a and not sel_b) or filter)",
        ),
        ("not not filter", "filter"),
        ("not (sel_a or sel_b)", "not (sel_a or sel_b)"),
        ("(((filter)))", "filter"),
        ("selection\n  and\tfilter ", "(selection and filter)"),
        ("1 of sel_*", "(sel_a or sel_b)"),
        ("any of sel*a", "sel_a"),
        ("all of sel_*", "(sel_a and sel_b)"),
        ("2 of sel*", "2 of (selection , sel_a , sel_b)"),
        (
            "all of them",
            "(selection and sel_a and sel_b and not-used1 and filter)",
        ),
        ("1 of _*", "_private"),
        ("_private", "_private"),
        (
            "not 1 of sel_* and filter",
            "(not (sel_a or sel_b) and filter)",
        ),
        ("all of selection", "selection"),
        ("not-used1", "not-used1"),
    ] {
        let expr = read(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
        assert_eq!(written(&expr, &NAMES), expected, "{text}");
    }
}

#[test]
fn problems_name_their_kind_and_bytes() {
    for (text, kind, span) in [
        ("", "condition-syntax", 0..0),
        ("  ", "condition-syntax", 0..2),
        ("selection and", "condition-syntax", 13..13),
        ("selection filter", "condition-syntax", 10..16),
        ("selection AND filter", "condition-syntax", 10..13),
        ("(selection", "condition-syntax", 0..1),
        ("selection)", "condition-syntax", 9..10),
        ("sel_*", "condition-syntax", 0..5),
        ("selection > 5", "condition-syntax", 10..11),
        ("0 of sel_*", "condition-syntax", 0..1),
        ("some of sel_*", "condition-syntax", 0..4),
        ("1 of", "condition-syntax", 4..4),
        ("1 of (sel_a)", "condition-syntax", 5..6),
        ("of them", "condition-syntax", 0..2),
        ("and filter", "condition-syntax", 0..3),
        ("é and selektion", "unknown-identifier", 0..2),
        ("selektion", "unknown-identifier", 0..9),
        ("Selection", "unknown-identifier", 0..9),
        ("1 of flt*", "unknown-identifier", 5..9),
        ("selection | count() > 5", "deprecated-aggregation", 10..23),
    ] {
        let problem = read(text).expect_err(text);
        assert_eq!((problem.code.kind, problem.span), (kind, span), "{text}");
    }
}

#[test]
fn help_names_what_was_meant() {
    let help = |text| read(text).expect_err("invalid").help.unwrap_or_default();
    assert_eq!(help("selektion"), "did you mean `selection`?");
    assert_eq!(
        help("selection AND filter"),
        "operators are lower case: `and`"
    );
    assert_eq!(help("NOT filter"), "operators are lower case: `not`");
    assert_eq!(help("sel_*"), "write `1 of sel_*` or `all of sel_*`");
}

#[test]
fn mistyped_words_of_the_grammar_are_told_from_names() {
    let helps = |text| -> Vec<String> {
        parse(text, &Names::numbered(NAMES), Selectors::Allowed)
            .expect_err("invalid")
            .into_iter()
            .filter_map(|problem| problem.help)
            .collect()
    };
    assert_eq!(helps("them"), ["write `1 of them` or `all of them`"]);
    for text in ["all off them", "1 fo sel_*", "any 0f them"] {
        assert_eq!(helps(text), ["did you mean `of`?"], "{text}");
    }
    assert_eq!(helps("filter andnot filter"), ["write `and not`"]);
    assert_eq!(helps("filter or ornot"), ["write `or not`"]);
}

#[test]
fn help_lists_the_names_where_none_is_near() {
    let help = |text| read(text).expect_err("invalid").help.unwrap_or_default();
    let all = "searches here: `selection`, `sel_a`, `sel_b`, `_private`, `not-used1`, `filter`; \
               patterns leave out names that begin with `_`";
    assert_eq!(help("zzzz"), all);
    assert_eq!(help("1 of zzzz*"), all);
    for text in [
        "",
        "filter and",
        "(filter",
        "filter)",
        "1 of",
        "filter selection",
        "or filter",
    ] {
        assert_ne!(help(text), "", "{text}");
    }
}

#[test]
fn every_unknown_name_is_told_up_to_a_syntax_error() {
    let unknown = |text: &str| {
        let problems = parse(text, &Names::numbered(NAMES), Selectors::Allowed);
        let problems = problems.expect_err(text).into_iter();
        problems
            .map(|problem| {
                (
                    problem.code.id,
                    text.get(problem.span).unwrap_or_default().to_owned(),
                )
            })
            .collect::<Vec<_>>()
    };
    let expected = |listed: &[(&'static str, &str)]| {
        let listed = listed.iter();
        listed
            .map(|(code, text)| (*code, (*text).to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        unknown("selection and othr or selectoin and 1 of filtre* and all of filt_*"),
        expected(&[
            ("PAL0402", "othr"),
            ("PAL0402", "selectoin"),
            ("PAL0402", "filtre*"),
            ("PAL0402", "filt_*"),
        ])
    );
    assert_eq!(
        unknown("selection and (1 of filtre* or othr"),
        expected(&[
            ("PAL0402", "filtre*"),
            ("PAL0402", "othr"),
            ("PAL0401", "(")
        ])
    );
    let many = vec!["x"; 100].join(" and ");
    assert_eq!(unknown(&many).len(), UNKNOWN_MAX);
}

#[test]
fn a_correlation_speaks_of_rules() {
    let names = Names::numbered(["ra", "rb"]);
    let problem = first(parse("ra and zzz", &names, Selectors::Refused)).expect_err("unknown");
    assert_eq!(problem.message, "the correlation refers to no rule `zzz`");
    assert_eq!(problem.help.as_deref(), Some("rules here: `ra`, `rb`"));
    for selector in ["ra and r*", "ra and all of them"] {
        let refused = parse(selector, &names, Selectors::Refused).expect_err(selector);
        let mut helps = refused.iter().filter_map(|one| one.help.as_deref());
        assert!(
            helps.any(|help| help.starts_with("name each rule")),
            "{selector}: {refused:?}"
        );
    }
}

#[test]
fn selectors_are_no_part_of_a_correlation_condition() {
    let read = |text| first(parse(text, &Names::numbered(NAMES), Selectors::Refused));
    assert!(read("selection and (sel_a or sel_b)").is_ok());
    assert_eq!(
        read("1 of sel_*").expect_err("refused").code,
        code::UNKNOWN_IDENTIFIER
    );
}

#[test]
fn limits_hold_exactly_at_their_values() {
    let nested = |depth: usize| format!("{}filter{}", "(".repeat(depth), ")".repeat(depth));
    assert!(read(&nested(CONDITION_DEPTH_MAX)).is_ok());
    let over = |text: &str| read(text).expect_err("over the limit").code;
    assert_eq!(
        over(&nested(CONDITION_DEPTH_MAX + 1)),
        code::CONDITION_LIMIT
    );
    let negated = |depth: usize| format!("{}filter", "not ".repeat(depth));
    assert!(read(&negated(CONDITION_DEPTH_MAX)).is_ok());
    assert_eq!(
        over(&negated(CONDITION_DEPTH_MAX + 1)),
        code::CONDITION_LIMIT
    );
    let both = |depth: usize| format!("{}filter{}", "not (".repeat(depth), ")".repeat(depth));
    assert!(read(&both(CONDITION_DEPTH_MAX / 2)).is_ok());
    assert_eq!(
        over(&both(CONDITION_DEPTH_MAX / 2 + 1)),
        code::CONDITION_LIMIT
    );
    // What stands beside each other is no deeper than by itself.
    let beside = vec!["not (not filter)"; 1_000].join(" and ");
    assert!(read(&beside).is_ok());
    let many: Vec<String> = (0..6_000).map(|n| format!("s{n}")).collect();
    let names = Names::numbered(many.iter().map(String::as_str));
    let selectors = |count: usize| vec!["1 of s*"; count].join(" or ");
    assert!(parse(&selectors(8), &names, Selectors::Allowed).is_ok());
    let problem = first(parse(&selectors(9), &names, Selectors::Allowed)).expect_err("over");
    assert_eq!(problem.code, code::CONDITION_LIMIT);
    let misses = vec!["1 of s*x"; 200].join(" or ");
    assert!(parse(&misses, &names, Selectors::Allowed).is_err());
    assert_eq!(
        over(&" ".repeat(CONDITION_BYTES_MAX + 1)),
        code::CONDITION_LIMIT
    );
}

/// Conditions of any shape over [`NAMES`].
fn exprs() -> impl Strategy<Value = Expr> {
    (0..NAMES.len())
        .prop_map(Expr::Search)
        .prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|e| Expr::Not(Box::new(e))),
                prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
                prop::collection::vec(inner, 2..4).prop_map(Expr::Or),
            ]
        })
}

/// The condition without double negation, which the parser drops.
fn simple(expr: &Expr) -> Expr {
    let all = |parts: &[Expr]| parts.iter().map(simple).collect();
    match expr {
        Expr::Search(place) => Expr::Search(*place),
        Expr::Not(inner) => match simple(inner) {
            Expr::Not(twice) => *twice,
            once => Expr::Not(Box::new(once)),
        },
        Expr::And(parts) => Expr::And(all(parts)),
        Expr::Or(parts) => Expr::Or(all(parts)),
        Expr::AtLeast(least, parts) => Expr::AtLeast(*least, all(parts)),
    }
}

proptest! {
    #[test]
    fn written_conditions_read_back_as_themselves(expr in exprs()) {
        let text = written(&expr, &NAMES);
        prop_assert_eq!(read(&text).expect("well formed"), simple(&expr));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[()a-z*|_ .é1-3]{0,60}") {
        prop_assert!(read(&text).is_ok_and(|expr| expr.leaves() > 0) || read(&text).is_err());
    }

    #[test]
    fn patterns_match_as_the_obvious_search_does(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
        fn obvious(pattern: &[u8], name: &[u8]) -> bool {
            match (pattern.split_first(), name.split_first()) {
                (None, rest) => rest.is_none(),
                (Some((b'*', more)), rest) => {
                    obvious(more, name) || rest.is_some_and(|(_, rest)| obvious(pattern, rest))
                }
                (Some((c, more)), Some((d, rest))) => c == d && obvious(more, rest),
                (Some(_), None) => false,
            }
        }
        prop_assert_eq!(glob(&pattern, &name), obvious(pattern.as_bytes(), name.as_bytes()));
    }
}
