use crate::time::{Span, Timestamp};

use super::super::{
    Bounds, Comparison, CorrelationKind, Expr, Search, Suppress, TemporalCondition,
};
use super::*;

fn load(texts: &[&str]) -> (RuleSet, Vec<Diagnostic>) {
    let files: Vec<_> = (0..).zip(texts).map(|(at, text)| file(at, text)).collect();
    parse(&files)
}

fn file(at: usize, text: &str) -> RuleFile {
    RuleFile {
        name: format!("{at}.yml").into(),
        bytes: text.as_bytes().to_vec(),
    }
}

/// A detection with this id and these further top-level lines; `detection` in flow style.
fn rule(id: &str, more: &str, detection: &str) -> String {
    format!("title: t\nid: {id}\n{more}logsource: {{product: p}}\ndetection: {detection}\n---\n")
}

/// A rule that loads.
fn good(id: &str) -> String {
    rule(id, "", "{s: {A: 1}, condition: s}")
}

/// A correlation over `a`; `keys` are further lines of its section, indented.
fn correlation(id: &str, keys: &str) -> String {
    format!("title: c\nid: {id}\ncorrelation:\n{keys}---\n")
}

/// Kind, rule, line and column of all errors.
fn errors(texts: &[&str]) -> Vec<(&'static str, Option<String>, u32, u32)> {
    let (_, problems) = load(texts);
    problems
        .into_iter()
        .filter(Diagnostic::is_error)
        .map(|d| (d.kind, d.rule, d.place.line, d.place.column))
        .collect()
}

/// Kinds of all errors.
fn kinds(texts: &[&str]) -> Vec<&'static str> {
    errors(texts).into_iter().map(|(kind, ..)| kind).collect()
}

/// Ids of everything that loads.
fn loaded(texts: &[&str]) -> Vec<String> {
    let (set, _) = load(texts);
    let detections = set.detections.iter().map(|rule| &rule.meta);
    let correlations = set.correlations.iter().map(|rule| &rule.meta);
    let filters = set.filters.iter().map(|rule| &rule.meta);
    detections
        .chain(correlations)
        .chain(filters)
        .map(|meta| meta.key().to_owned())
        .collect()
}

#[test]
fn a_whole_rule_is_read_with_its_metadata_and_places() {
    let text = "title: Sign-in\nid: abc\nname: signin\nstatus: test\nlevel: high\nauthor: me\n\
                description: d\nreferences: [https://example.org]\ntags: [attack.t1078]\n\
                falsepositives: [none]\ndate: 2024/01/02\nx-owner: soc\ntaxonomy: own\n\
                logsource: {product: azure, service: signinlogs, definition: x}\n\
                detection:\n  sel:\n    A|contains: x\n    B: [1, null]\n  words: [foo, 7]\n  \
                either: [{A: 1}, text]\n  condition: sel and not words or either\n\
                palisade: {suppress: {for: 2h}}\n";
    let (set, problems) = load(&[text]);
    assert_eq!(
        problems.iter().map(|d| d.code).collect::<Vec<_>>(),
        ["PAL0351"]
    );
    let rule = &set.detections[0];
    assert_eq!(
        (rule.meta.key(), rule.meta.level),
        ("abc", Some(super::super::Level::High))
    );
    assert_eq!(rule.logsource.to_string(), "azure/signinlogs");
    assert_eq!(
        rule.palisade.suppress,
        Some(Suppress::For(Span::from_seconds(7_200)))
    );
    let not = Expr::Not(Box::new(Expr::Search(1)));
    let and = Expr::And(vec![Expr::Search(0), not]);
    assert_eq!(rule.condition, Expr::Or(vec![and, Expr::Search(2)]));
    let Search::AllOf(parts) = &rule.searches["sel"] else {
        panic!("{:?}", rule.searches);
    };
    let Search::Item(item) = &parts[1] else {
        panic!("{parts:?}");
    };
    assert_eq!((item.place.line, item.place.column), (18, 5));
    assert!(matches!(&rule.searches["words"], Search::Item(item) if item.values.len() == 2));
    assert!(matches!(&rule.searches["either"], Search::AnyOf(parts) if parts.len() == 2));
}

#[test]
fn problems_of_a_detection_stand_at_the_exact_token() {
    for (detection, kind, covered) in [
        (
            "{s: {A|contian: 1}, condition: s}",
            "unknown-modifier",
            "contian",
        ),
        ("{s: {A|: 1}, condition: s}", "unknown-modifier", ""),
        (
            "{s: {A|startswith|endswith: x}, condition: s}",
            "invalid-modifier-combination",
            "endswith",
        ),
        ("{s: {A|re: [ok, '(']}, condition: s}", "invalid-regex", "("),
        (
            "{s: {A|cidr: 10.0.0.1/8}, condition: s}",
            "invalid-cidr",
            "10.0.0.1/8",
        ),
        ("{s: {A: {x: 1}}, condition: s}", "wrong-type", "{x: 1}"),
        ("{s: {A: [[1]]}, condition: s}", "wrong-type", "[1]"),
        ("{s: {A: []}, condition: s}", "invalid-value", "A"),
        ("{s: {}, condition: s}", "invalid-value", "s"),
        ("{s: [], condition: s}", "invalid-value", "s"),
        ("{s: , condition: s}", "invalid-value", "s"),
        ("{s: [null, x], condition: s}", "invalid-value", "null"),
        ("{s: {1: x}, condition: s}", "wrong-type", "1"),
        ("{1: x, s: y, condition: s}", "wrong-type", "1"),
        ("{s: x, condition: s and t}", "unknown-identifier", "t"),
        ("{s: x, condition: 5}", "wrong-type", "5"),
        ("{s: x, condition: [s, 's or (']}", "condition-syntax", ""),
        ("{s: x, condition: []}", "missing-field", "[]"),
        ("{s: x}", "missing-field", "{s: x}"),
        ("{condition: s}", "missing-field", "{condition: s}"),
        ("[s]", "wrong-type", "[s]"),
    ] {
        let text = rule("a", "", detection);
        let (_, problems) = load(&[&text]);
        let found: Vec<_> = problems
            .iter()
            .map(|d| (d.kind, text.get(d.place.span.clone()), d.place.line))
            .collect();
        assert_eq!(found, [(kind, Some(covered), 4)], "{detection}");
    }
}

#[test]
fn metadata_of_the_wrong_type_or_value_refuses_the_rule() {
    let long = format!("title: {}\n", "ä".repeat(257));
    for (text, kind) in [
        ("id: a\n", "missing-field"),
        ("title: {a: 1}\n", "wrong-type"),
        ("title: 5\n", "wrong-type"),
        (long.as_str(), "invalid-value"),
        ("title: t\nid: 5\n", "wrong-type"),
        ("title: t\nname: ''\n", "invalid-value"),
        ("title: t\nlevel: High\n", "invalid-value"),
        ("title: t\nstatus: [test]\n", "wrong-type"),
        ("title: t\ntags: attack.t1078\n", "wrong-type"),
        ("title: t\nreferences: [{a: b}]\n", "wrong-type"),
        ("title: t\nauthor: [me]\n", "wrong-type"),
        ("title: t\npalisade: [x]\n", "wrong-type"),
        ("title: t\npalisade: {supress: none}\n", "invalid-value"),
        (
            "title: t\npalisade: {suppress: {for: 1h, bye: [A]}}\n",
            "invalid-value",
        ),
        (
            "title: t\npalisade: {suppress: {for: soon}}\n",
            "invalid-timespan",
        ),
        ("title: t\npalisade: {suppress: {}}\n", "missing-field"),
        ("title: t\npalisade: {suppress: never}\n", "wrong-type"),
    ] {
        let text = format!("{text}logsource: {{product: p}}\ndetection: {{s: x, condition: s}}\n");
        assert_eq!(kinds(&[&text]), [kind], "{text}");
    }
    for (logsource, kind) in [
        ("", "missing-field"),
        ("logsource: azure\n", "wrong-type"),
        ("logsource: {}\n", "invalid-value"),
        ("logsource: {definition: x}\n", "invalid-value"),
        ("logsource: {product: 5}\n", "wrong-type"),
    ] {
        let text = format!("title: t\n{logsource}detection: {{s: x, condition: s}}\n");
        assert_eq!(kinds(&[&text]), [kind], "{logsource}");
    }
}

#[test]
fn all_problems_of_all_documents_and_files_are_reported_and_the_rest_loads() {
    let first = format!(
        "{}{}{}- a list\n",
        rule(
            "a",
            "level: hgih\n",
            "{s: {A|contian: x, B|re: '('}, condition: t}"
        ),
        good("b"),
        "id: c\nid: c\ntitle: twice\n---\n"
    );
    let texts = [first.as_str(), "a: [\n", &good("d")];
    assert_eq!(
        kinds(&texts),
        [
            "invalid-value",
            "unknown-modifier",
            "invalid-regex",
            "unknown-identifier",
            "yaml-syntax",
            "wrong-type",
            "yaml-syntax"
        ]
    );
    assert_eq!(loaded(&texts), ["b", "d"]);
    assert_eq!(errors(&texts)[4].1, Some("c".to_owned()));
}

#[test]
fn second_rule_of_an_id_or_name_is_refused_and_a_refused_rule_takes_none() {
    let named = |id: &str| rule(id, "name: n\n", "{s: x, condition: s}");
    assert_eq!(kinds(&[&good("Ab"), &good("aB")]), ["duplicate-id"]);
    assert_eq!(kinds(&[&named("a"), &named("b")]), ["duplicate-name"]);
    let bad = rule("a", "", "{s: x, condition: t}");
    assert_eq!(loaded(&[&bad, &good("a")]), ["a"]);
}

#[test]
fn values_under_expand_wait_for_pipelines_but_their_chain_does_not() {
    let with = |entry: &str| rule("a", "", &format!("{{s: {{{entry}}}, condition: s}}"));
    assert_eq!(loaded(&[&with("A|expand: '%x%'")]), ["a"]);
    assert_eq!(loaded(&[&with("A|cidr|expand: '%nets%'")]), ["a"]);
    assert_eq!(
        kinds(&[&with("A|expand|gt: 5")]),
        ["invalid-modifier-combination"]
    );
    assert_eq!(kinds(&[&with("A|expand: []")]), ["invalid-value"]);
}

#[test]
fn legacy_collections_merge_reset_and_repeat() {
    let text = "action: global\ntitle: t\nlevel: low\nlogsource: {product: p}\n\
                detection: {s: {A: 1}, condition: s}\n---\nid: one\nlevel: high\n\
                detection: {s: {B: 2}}\n---\naction: repeat\nid: two\nlogsource: {service: x}\n---\n\
                action: reset\n---\nid: three\ntitle: t\n---\naction: replace\nid: four\n";
    let (set, problems) = load(&[text]);
    assert_eq!(loaded(&[text]), ["one", "two"]);
    assert!(matches!(&set.detections[0].searches["s"], Search::AllOf(parts) if parts.len() == 2));
    assert_eq!(
        set.detections[0].meta.level,
        Some(super::super::Level::High)
    );
    assert_eq!(set.detections[1].logsource.to_string(), "p/x");
    let kinds: Vec<_> = problems
        .iter()
        .map(|d| (d.kind, d.rule.as_deref()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("missing-field", Some("three")),
            ("missing-field", Some("three")),
            ("unknown-action", Some("four"))
        ]
    );
    assert_eq!(
        self::kinds(&["action: repeat\ntitle: t\n"]),
        ["unknown-action"]
    );
}

#[test]
fn template_copied_into_many_documents_ends_at_a_limit() {
    let mut text = format!("action: global\nx: {}\n", "y".repeat(400_000));
    for _ in 0..1_000 {
        text.push_str("---\ntitle: t\n");
    }
    assert!(kinds(&[&text]).contains(&"limit-exceeded"));
}

#[test]
fn correlations_of_every_type_are_read() {
    let bounds = |n| Bounds(vec![(Comparison::Gte, n)]);
    let field = || "F".to_owned();
    for (keys, kind) in [
        (
            "type: event_count, condition: {gte: 5}",
            CorrelationKind::EventCount(bounds(5.0)),
        ),
        (
            "type: value_count, condition: {field: [F, G], gte: 5}",
            CorrelationKind::ValueCount(vec![field(), "G".to_owned()], bounds(5.0)),
        ),
        (
            "type: value_sum, condition: {field: F, gte: 1.5}",
            CorrelationKind::ValueSum(field(), bounds(1.5)),
        ),
        (
            "type: value_avg, condition: {field: F, gte: 5}",
            CorrelationKind::ValueAvg(field(), bounds(5.0)),
        ),
        (
            "type: value_percentile, condition: {field: F, percentile: 95, gte: 5}",
            CorrelationKind::ValuePercentile(field(), 95.0, bounds(5.0)),
        ),
        (
            "type: value_median, condition: {field: F, gte: 5}",
            CorrelationKind::ValuePercentile(field(), 50.0, bounds(5.0)),
        ),
        (
            "type: temporal",
            CorrelationKind::Temporal(TemporalCondition::All),
        ),
        (
            "type: temporal_ordered, condition: {gte: 1, lt: 3}",
            CorrelationKind::TemporalOrdered(TemporalCondition::Count(Bounds(vec![
                (Comparison::Gte, 1.0),
                (Comparison::Lt, 3.0),
            ]))),
        ),
        (
            "type: temporal, condition: a",
            CorrelationKind::Temporal(TemporalCondition::Expression(Expr::Search(0))),
        ),
    ] {
        let text = format!(
            "{}title: c\nid: c\ncorrelation: {{{keys}, rules: a, timespan: 5m, group-by: U}}\n",
            good("a")
        );
        let (set, problems) = load(&[&text]);
        assert_eq!(problems, [], "{keys}");
        let correlation = &set.correlations[0];
        assert_eq!(correlation.kind, kind, "{keys}");
        assert_eq!(correlation.group_by, ["U"]);
        assert_eq!(correlation.timespan, Span::from_seconds(300));
    }
}

#[test]
fn broken_correlations_name_their_kind() {
    let count = "  type: event_count\n  rules: [a]\n  timespan: 5m\n";
    let with = |condition: &str| format!("{count}  condition: {condition}\n");
    let typed = |kind: &str, condition: &str| {
        format!("  type: {kind}\n  rules: [a]\n  timespan: 5m\n  condition: {condition}\n")
    };
    let without = |line: &str| with("{gte: 1}").replace(line, "");
    for (keys, kind) in [
        (without("  type: event_count\n"), "missing-field"),
        (without("  rules: [a]\n"), "missing-field"),
        (without("  timespan: 5m\n"), "missing-field"),
        (count.to_owned(), "missing-field"),
        (typed("event_cont", "{gte: 1}"), "invalid-correlation"),
        (with("{gte: 1}").replace("[a]", "[]"), "invalid-correlation"),
        (
            with("{gte: 1}").replace("[a]", "[a, gone]"),
            "unknown-rule-reference",
        ),
        (with("{gte: 1}").replace("[a]", "[5]"), "wrong-type"),
        (with("{gte: 1}").replace("5m", "5"), "invalid-timespan"),
        (with("{gte: x}"), "invalid-correlation"),
        (with("{gte: .nan}"), "invalid-correlation"),
        (with("{get: 1}"), "invalid-correlation"),
        (with("{}"), "invalid-correlation"),
        (with("a"), "invalid-correlation"),
        (with("[a]"), "wrong-type"),
        (with("{gte: 1}") + "  group-by: {A: B}\n", "wrong-type"),
        (with("{gte: 1}") + "  generate: x\n", "wrong-type"),
        (with("{gte: 1}") + "  aliases: [x]\n", "wrong-type"),
        (
            with("{gte: 1}") + "  aliases: {x: {gone: F}}\n",
            "unknown-rule-reference",
        ),
        (typed("value_count", "{gte: 1}"), "missing-field"),
        (typed("value_count", "{gte: 1, field: []}"), "wrong-type"),
        (
            typed("value_sum", "{gte: 1, field: [A, B]}"),
            "invalid-correlation",
        ),
        (
            typed("value_percentile", "{gte: 1, field: A}"),
            "invalid-correlation",
        ),
        (
            typed("value_percentile", "{gte: 1, field: A, percentile: 101}"),
            "invalid-correlation",
        ),
        (typed("temporal", "not a"), "invalid-correlation"),
        (typed("temporal", "a and gone"), "unknown-identifier"),
        (typed("temporal", "a and"), "condition-syntax"),
        (
            typed("temporal", "a").replace("[a]", "[a, b]"),
            "invalid-correlation",
        ),
    ] {
        let text = format!("{}{}{}", good("a"), good("b"), correlation("c", &keys));
        let found: Vec<_> = errors(&[&text]).into_iter().map(|e| (e.0, e.1)).collect();
        assert_eq!(found, [(kind, Some("c".to_owned()))], "{keys}");
        assert_eq!(loaded(&[&text]), ["a", "b"], "{keys}");
    }
}

/// A chain link: correlation `id` over `rules`.
fn link(id: &str, rules: &str) -> String {
    let keys = format!(
        "  type: event_count\n  rules: [{rules}]\n  timespan: 5m\n  condition: {{gte: 1}}\n"
    );
    correlation(id, &keys)
}

#[test]
fn what_refers_to_a_refused_rule_or_a_circle_is_left_out() {
    let refused = format!(
        "{}{}{}",
        rule("a", "", "{s: x, condition: t}"),
        link("c", "a"),
        link("d", "c")
    );
    assert_eq!(
        kinds(&[&refused]),
        [
            "unknown-identifier",
            "unknown-rule-reference",
            "unknown-rule-reference"
        ]
    );
    let circle = [
        link("x", "y"),
        link("y", "x"),
        link("z", "y"),
        link("self", "self"),
        link("ok", "a"),
    ];
    let text = format!("{}{}", circle.concat(), good("a"));
    assert_eq!(kinds(&[&text]), ["correlation-cycle"; 4]);
    assert_eq!(loaded(&[&text]), ["a", "ok"]);
}

#[test]
fn chains_hold_up_to_their_limit() {
    let mut text = format!("{}{}", good("a"), link("c1", "a"));
    for depth in 2..=17 {
        text.push_str(&link(&format!("c{depth}"), &format!("c{}, a", depth - 1)));
    }
    let found = errors(&[&text]);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].0, found[0].1.as_deref()),
        ("limit-exceeded", Some("c17"))
    );
}

#[test]
fn chains_branch_up_to_their_limit() {
    let mut text = good("a");
    let mut below = "a".to_owned();
    // Ten times the ways at each level: 1, 10, 100, 1,000, and then too many.
    for level in 1..=5 {
        let ids: Vec<String> = (0..10).map(|n| format!("l{level}n{n}")).collect();
        text.extend(ids.iter().map(|id| link(id, &below)));
        below = ids.join(", ");
    }
    let found = errors(&[&text]);
    assert_eq!(found.len(), 10, "{found:?}");
    for (kind, rule, ..) in found {
        assert_eq!(kind, "limit-exceeded");
        assert!(rule.is_some_and(|rule| rule.starts_with("l5")));
    }
}

#[test]
fn aliases_and_expressions_take_ids_and_names_of_rules() {
    let text = format!(
        "{}{}",
        rule("a", "name: first\n", "{s: x, condition: s}"),
        correlation(
            "c",
            "  type: temporal\n  rules: [a]\n  timespan: 5m\n  condition: first or a\n  \
             aliases: {u: {first: F}}\n"
        )
    );
    let (set, problems) = load(&[&text]);
    assert_eq!(problems, []);
    let pair = ("a".to_owned(), "F".to_owned());
    assert_eq!(set.correlations[0].aliases["u"], [pair]);
}

#[test]
fn title_as_reference_gets_help_that_names_the_id() {
    let text = format!("{}{}", good("a"), link("c", "t"));
    let (_, problems) = load(&[&text]);
    assert_eq!(
        problems[0].help.as_deref(),
        Some("a title is no reference; write `a`")
    );
}

#[test]
fn filters_need_rules_search_and_condition_and_warn_without_not() {
    let filter =
        |body: &str| format!("title: f\nid: f\nlogsource: {{product: p}}\nfilter: {{{body}}}\n");
    for (body, kind) in [
        ("s: {A: 1}, condition: not s", "missing-field"),
        ("rules: any, s: {A: 1}", "missing-field"),
        ("rules: any, condition: not s", "missing-field"),
        ("rules: [5], s: {A: 1}, condition: not s", "wrong-type"),
        (
            "rules: any, s: {A: 1}, condition: not t",
            "unknown-identifier",
        ),
        ("rules: any, s: {A: 1}, condition: [not s]", "wrong-type"),
    ] {
        assert_eq!(kinds(&[&filter(body)]), [kind], "{body}");
    }
    let (set, problems) = load(&[&filter("rules: Any, s: {A: 1}, condition: not s")]);
    assert_eq!((set.filters[0].rules.clone(), problems.len()), (None, 0));
    let (set, problems) = load(&[&filter("rules: [x], s: {A: 1}, condition: s")]);
    assert_eq!(set.filters[0].rules, Some(vec!["x".to_owned()]));
    assert_eq!(problems[0].kind, "filter-without-not");
}

#[test]
fn exceptions_name_owner_reason_and_the_moment_of_their_end() {
    let filter = |keys: &str| {
        format!(
            "title: f\nid: f\nlogsource: {{product: p}}\n\
             filter: {{rules: any, s: {{A: 1}}, condition: not s}}\npalisade: {keys}\n"
        )
    };
    let read = |keys: &str| {
        let (set, problems) = load(&[&filter(keys)]);
        assert_eq!(problems, [], "{keys}");
        set.filters[0].exception.clone()
    };
    let whole = read("{owner: soc, reason: noise, expires: 2026-12-31}");
    assert_eq!(whole.owner.as_deref(), Some("soc"));
    assert_eq!(whole.reason.as_deref(), Some("noise"));
    let end = whole.expires.clone().expect("an end").at;
    assert_eq!(end.to_string(), "2026-12-31T00:00:00.0000000Z");
    let before = Timestamp::from_ticks(end.ticks() - 1);
    assert!(whole.is_over(end) && !whole.is_over(before));
    let moment = read("{expires: '2026-12-31T18:00:00+01:00'}").expires;
    assert_eq!(
        moment.expect("an end").at.to_string(),
        "2026-12-31T17:00:00.0000000Z"
    );
    let open = read("{owner: soc, expires: null}");
    assert!(!open.is_over(Timestamp::MAX));
    for (keys, kind) in [
        ("[soc]", "wrong-type"),
        ("{owner: 7}", "wrong-type"),
        ("{expires: 20261231}", "wrong-type"),
        ("{expires: soon}", "invalid-value"),
        ("{expires: 2026-02-30}", "invalid-value"),
        ("{expires: 2026-12-31T18:00:00}", "invalid-value"),
        ("{expire: 2026-12-31}", "invalid-value"),
        ("{suppress: none}", "invalid-value"),
    ] {
        assert_eq!(kinds(&[&filter(keys)]), [kind], "{keys}");
    }
}

#[test]
fn set_over_the_limit_is_refused_as_a_whole() {
    let full: Vec<RuleFile> = (0..4)
        .map(|n| file(n, &(good(&format!("a{n}")) + &good(&format!("b{n}")))))
        .collect();
    let at_most = |most| {
        let parsed = parse_at_most(most, &full, Documents::Dropped);
        (parsed.rules, parsed.diagnostics)
    };
    let (set, problems) = at_most(8);
    assert_eq!((set.detections.len(), problems.len()), (8, 0));
    let (set, problems) = at_most(7);
    assert_eq!((set.detections.len(), problems.len()), (0, 1));
    assert_eq!(problems[0].kind, "limit-exceeded");
}

#[test]
fn file_with_countless_problems_is_cut_and_says_so() {
    let found = kinds(&[&"- x\n---\n".repeat(5_000)]);
    assert_eq!(found.len(), FILE_PROBLEMS_MAX + 1);
    assert_eq!(found.last(), Some(&"limit-exceeded"));
}

#[test]
fn patterns_that_would_take_too_much_memory_are_refused() {
    let list = vec![r"'\w{90}'"; 1_000].join(", ");
    let one = rule("a", "", &format!("{{s: {{A|re: [{list}]}}, condition: s}}"));
    assert_eq!(kinds(&[&one]), ["limit-exceeded"]);
    let entries: Vec<String> = (0..500).map(|n| format!(r"F{n}|re: '\w{{90}}'")).collect();
    let many = rule(
        "a",
        "",
        &format!("{{s: {{{}}}, condition: s}}", entries.join(", ")),
    );
    assert!(kinds(&[&many]).iter().all(|kind| *kind == "limit-exceeded"));
    let long = "x".repeat(100_000);
    let dashes = rule(
        "a",
        "",
        &format!("{{s: {{A|windash: ' -a -b -c -d -e -f {long}'}}, condition: s}}"),
    );
    assert_eq!(kinds(&[&dashes]), ["limit-exceeded"]);
}

#[test]
fn correlation_of_too_many_rules_is_refused() {
    let keys = format!(
        "  type: temporal\n  rules: [{}]\n  timespan: 5m\n",
        vec!["a"; 1_001].join(", ")
    );
    let text = format!("{}{}", good("a"), correlation("c", &keys));
    assert_eq!(kinds(&[&text]), ["limit-exceeded"]);
}

#[test]
fn silence_by_fields_is_bounded_and_for_a_correlation_its_group() {
    let suppress = |by: &str| format!("palisade: {{suppress: {{by: {by}, for: 1h}}}}\n");
    let many: Vec<String> = (0..17).map(|n| format!("F{n}")).collect();
    for (by, kinds_expected) in [
        ("[User, Ip]", &[][..]),
        ("User", &[]),
        ("[]", &["invalid-value"]),
        ("[User, User]", &["invalid-value"]),
        ("['']", &["invalid-value"]),
        (&format!("[{}]", many.join(", ")), &["invalid-value"]),
        ("{a: b}", &["wrong-type", "invalid-value"]),
    ] {
        let text = rule("a", &suppress(by), "{s: {A: 1}, condition: s}");
        assert_eq!(kinds(&[&text]), kinds_expected, "{by}");
    }
    let keys = "  type: event_count\n  rules: [a]\n  group-by: [User, Ip]\n  timespan: 5m\n  \
                condition: {gte: 2}\n";
    for (by, kinds_expected) in [
        ("[Ip, User]", &[][..]),
        ("[User]", &["invalid-correlation"]),
        ("[User, Ip, Host]", &["invalid-correlation"]),
    ] {
        let keys = format!("{keys}{}", suppress(by));
        let text = format!("{}{}", good("a"), correlation("c", &keys));
        assert_eq!(kinds(&[&text]), kinds_expected, "{by}");
    }
}

#[test]
fn documents_name_the_rules_that_they_became() {
    let first = format!(
        "{}---\n{}---\ntitle: t\nlogsource: {{product: p}}\n",
        good("a"),
        correlation(
            "c",
            "  type: event_count\n  rules: a\n  timespan: 5m\n  condition: {gte: 1}\n"
        )
    );
    let second = "title: f\nid: f\nlogsource: {product: p}\n\
                  filter: {rules: any, s: {A: 1}, condition: not s}\n";
    let parsed = parse_documents(&[file(0, &first), file(1, second)]);
    let became: Vec<_> = parsed
        .documents
        .iter()
        .map(|document| (document.file, document.rule))
        .collect();
    assert_eq!(
        became,
        [
            (0, Some(RuleAt::Detection(0))),
            (0, Some(RuleAt::Correlation(0))),
            (0, None),
            (1, Some(RuleAt::Filter(0))),
        ]
    );
}

#[test]
fn wording_that_cannot_be_read_is_refused_at_its_token() {
    for (keys, kind, covered) in [
        ("title: 'a {b'", "invalid-value", "{b"),
        ("title: 'a {} b'", "invalid-value", "{}"),
        ("title: [a]", "wrong-type", "[a]"),
        ("level_from: [a]", "wrong-type", "[a]"),
        ("external_id: ''", "wrong-type", "''"),
        ("titel: a", "invalid-value", "titel"),
    ] {
        let more = format!("palisade: {{{keys}}}\n");
        let text = rule("a", &more, "{s: {A: 1}, condition: s}");
        let (_, problems) = load(&[&text]);
        let found: Vec<_> = problems
            .iter()
            .map(|d| (d.kind, text.get(d.place.span.clone())))
            .collect();
        assert_eq!(found, [(kind, Some(covered))], "{keys}");
    }
}

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
