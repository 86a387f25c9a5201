//! Correlations: their types, what they refer to, chains.

use super::*;

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
