//! Correlations: references, windows and groups that cannot fire.

use std::collections::{BTreeMap, HashSet};

use super::fields::{NEAR_MAX, judged, names, near_field, sure};
use super::{Check, Found, Rule, Workspace, ranges};
use crate::diagnostic::{Code, Diagnostic, Place, code};
use crate::observed::Known;
use crate::rule::parse::{OPERATORS, RuleDocument};
use crate::rule::{Bounds, Correlation, CorrelationKind, Detection, Meta, TemporalCondition};
use crate::time::Span;
use crate::yaml::Node;

mod kinds;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::warning(code::BOUND_ALWAYS_MET, bound_always_met),
    Check::warning(code::BOUND_NEVER_MET, bound_never_met),
    Check::warning(code::COUNT_BEYOND_GROUP, count_beyond_group),
    Check::warning(code::TIMESPAN_LONG, timespan_long),
    Check::warning(code::TEMPORAL_OF_ONE, temporal_of_one),
    Check::warning(code::REFERENCE_REPEATED, reference_repeated),
    Check::info(code::GROUP_BY_MISSING, group_by_missing),
    Check::warning(code::GROUP_BY_NOT_CARRIED, group_by_not_carried),
    Check::warning(code::ALIAS_UNUSED, alias_unused),
    Check::warning(code::ALIAS_INCOMPLETE, alias_incomplete),
    Check::warning(code::COUNTED_IN_GROUP, counted_in_group),
    Check::info(code::LEVEL_BELOW_BASE, level_below_base),
    Check::info(code::PERCENTILE_AT_EDGE, percentile_at_edge),
    Check::warning(code::FIELD_NOT_NUMERIC, kinds::field_not_numeric),
    Check::warning(code::WINDOW_INSIDE_LONGER, window_inside_longer),
    Check::warning(code::GROUP_BY_IS_OBJECT, kinds::group_by_is_object),
    Check::info(code::COMPUTED_FROM_TEXT, kinds::computed_from_text),
];

/// Elements that a group holds unless settings say otherwise.
const GROUP_ELEMENTS: f64 = 4_096.0;
/// For how long matches stay at least, a day at the end taken off.
const LONG: Span = Span::from_seconds(7 * 24 * 3_600);

/// Every correlation that loads, with its document.
fn correlations<'a>(
    workspace: &Workspace<'a>,
) -> impl Iterator<Item = (&'a RuleDocument, &'a Correlation)> {
    workspace
        .loaded()
        .filter_map(|(document, rule)| match rule {
            Rule::Correlation(rule) => Some((document, rule)),
            _ => None,
        })
}

/// The place of a key of the correlation's section.
fn place<'a>(document: &'a RuleDocument, key: &str) -> &'a Place {
    let section = document.root.get("correlation");
    section
        .and_then(|section| section.entry(key))
        .map_or(&document.root.place, |(key, _)| &key.place)
}

/// Where a name stands that `group-by` lists, or whose values are counted.
fn place_of_name<'a>(document: &'a RuleDocument, keys: &[&str], name: &str) -> &'a Place {
    let mut node = document.root.get("correlation");
    for key in keys {
        node = node.and_then(|section| section.get(key));
    }
    let written = node.map_or(&[][..], |node| {
        node.as_seq().unwrap_or(std::slice::from_ref(node))
    });
    let found = written.iter().find(|one| one.as_text() == Some(name));
    let key = keys.first().copied().unwrap_or_default();
    found.map_or_else(|| place(document, key), |node| &node.place)
}

/// Where the value of a key of the condition stands, else the condition.
fn place_of_bound(document: &RuleDocument, is_key: impl Fn(&str) -> bool) -> &Place {
    let condition = document.root.get("correlation");
    let condition = condition.and_then(|section| section.get("condition"));
    let mut entries = condition.and_then(Node::as_map).unwrap_or_default().iter();
    let found = entries.find(|(key, _)| key.as_text().is_some_and(&is_key));
    match (found, condition) {
        (Some((_, value)), _) => &value.place,
        (None, Some(condition)) => &condition.place,
        (None, None) => place(document, "condition"),
    }
}

/// Whether a key of a condition compares.
fn is_operator(key: &str) -> bool {
    OPERATORS.iter().any(|(name, _)| *name == key)
}

/// Where the name of an alias stands.
fn place_of_alias<'a>(document: &'a RuleDocument, alias: &str) -> &'a Place {
    let aliases = document.root.get("correlation");
    let aliases = aliases.and_then(|section| section.get("aliases"));
    let entry = aliases.and_then(|aliases| aliases.entry(alias));
    entry.map_or_else(|| place(document, "aliases"), |(key, _)| &key.place)
}

fn finding(
    rule: &Correlation,
    (code, place): (Code, &Place),
    message: impl Into<String>,
    help: impl Into<String>,
) -> Diagnostic {
    Diagnostic::warning(code, place, message)
        .with_help(help)
        .for_rule(Some(rule.meta.key()))
}

/// The bounds of a correlation that counts from one upwards.
const fn counted(kind: &CorrelationKind) -> Option<&Bounds> {
    match kind {
        CorrelationKind::EventCount(bounds)
        | CorrelationKind::ValueCount(_, bounds)
        | CorrelationKind::Temporal(TemporalCondition::Count(bounds))
        | CorrelationKind::TemporalOrdered(TemporalCondition::Count(bounds)) => Some(bounds),
        _ => None,
    }
}

fn bound_always_met(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, rule) in correlations(workspace) {
        let bounds = counted(&rule.kind);
        if bounds.is_some_and(|bounds| ranges::every_count(&bounds.0, 1.0)) {
            found.push(finding(
                rule,
                (
                    code::BOUND_ALWAYS_MET,
                    place_of_bound(document, is_operator),
                ),
                "one event is enough, so the correlation fires whenever a rule of it does",
                "ask for more than one, or let the rule alert by itself",
            ));
        }
    }
}

fn bound_never_met(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, rule) in correlations(workspace) {
        let never = match &rule.kind {
            CorrelationKind::ValueSum(_, bounds)
            | CorrelationKind::ValueAvg(_, bounds)
            | CorrelationKind::ValuePercentile(_, _, bounds) => ranges::is_empty(&bounds.0),
            kind => counted(kind).is_some_and(|bounds| ranges::no_count(&bounds.0, 1.0)),
        };
        let place = (code::BOUND_NEVER_MET, place_of_bound(document, is_operator));
        if never {
            found.push(finding(
                rule,
                place,
                "no number meets the condition, the correlation never fires",
                "a count is looked at when an event arrives: it is whole, and at least 1",
            ));
        } else if let Some(rules) = more_than_named(rule) {
            let rules = match rules {
                1 => "one rule".to_owned(),
                // A rule that stands twice counts twice.
                _ if is_repeated(rule) => format!("{rules} entries"),
                _ => format!("{rules} different rules"),
            };
            found.push(finding(
                rule,
                place,
                format!("the condition asks for more than the {rules} that it names, the correlation never fires"),
                "a temporal correlation counts different rules, not events: ask for fewer, name more, or count events with `event_count`",
            ));
        }
    }
}

/// Whether a rule stands twice among those of a correlation.
fn is_repeated(rule: &Correlation) -> bool {
    let mut names = HashSet::new();
    !rule.rules.iter().all(|(name, _)| names.insert(name))
}

/// The number of rules that a temporal correlation names, if its count is beyond it.
fn more_than_named(rule: &Correlation) -> Option<u32> {
    let (CorrelationKind::Temporal(TemporalCondition::Count(bounds))
    | CorrelationKind::TemporalOrdered(TemporalCondition::Count(bounds))) = &rule.kind
    else {
        return None;
    };
    // A rule that stands twice counts twice.
    let named = u32::try_from(rule.rules.len()).unwrap_or(u32::MAX);
    let within = (crate::rule::Comparison::Lte, f64::from(named));
    let bounds: Vec<_> = bounds.0.iter().copied().chain([within]).collect();
    ranges::no_count(&bounds, 1.0).then_some(named)
}

/// More different values than a group keeps.
fn count_beyond_group(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, rule) in correlations(workspace) {
        let CorrelationKind::ValueCount(_, bounds) = &rule.kind else {
            continue;
        };
        let never = ranges::no_count(&bounds.0, 1.0);
        let below = (crate::rule::Comparison::Lte, GROUP_ELEMENTS);
        let within: Vec<_> = bounds.0.iter().copied().chain([below]).collect();
        if !never && ranges::no_count(&within, 1.0) {
            found.push(finding(
                rule,
                (
                    code::COUNT_BEYOND_GROUP,
                    place_of_bound(document, is_operator),
                ),
                format!(
                    "a group holds {GROUP_ELEMENTS} events: more values than that are never counted"
                ),
                "ask for fewer, over a shorter timespan",
            ));
        }
    }
}

fn timespan_long(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, rule) in correlations(workspace) {
        if rule.timespan > LONG {
            found.push(finding(
                rule,
                (code::TIMESPAN_LONG, place(document, "timespan")),
                "timespan is longer than a week: the matches of all that time are kept and read again at every start",
                "shorten it, or give the state directory the room",
            ));
        }
    }
}

fn temporal_of_one(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, rule) in correlations(workspace) {
        let temporal = matches!(
            rule.kind,
            CorrelationKind::Temporal(_) | CorrelationKind::TemporalOrdered(_)
        );
        if temporal && rule.rules.len() == 1 {
            found.push(finding(
                rule,
                (code::TEMPORAL_OF_ONE, place(document, "rules")),
                "a temporal correlation over one rule fires whenever that rule does",
                "add the rules that belong together, or count with `event_count`",
            ));
        }
    }
}

fn reference_repeated(workspace: &Workspace<'_>, found: &mut Found) {
    for (_, rule) in correlations(workspace) {
        // In order, a rule that stands twice must match twice.
        if matches!(rule.kind, CorrelationKind::TemporalOrdered(_)) {
            continue;
        }
        let mut seen = HashSet::new();
        for (reference, place) in &rule.rules {
            if !seen.insert(reference) {
                found.push(finding(
                    rule,
                    (code::REFERENCE_REPEATED, place),
                    format!("rule `{reference}` stands in the list already"),
                    "take it out",
                ));
            }
        }
    }
}

fn group_by_missing(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, rule) in correlations(workspace) {
        if rule.group_by.is_empty() {
            found.push(finding(
                rule,
                (code::GROUP_BY_MISSING, place(document, "type")),
                "without `group-by`, events of all users, hosts and tenants' resources count together",
                "add `group-by` with the field whose values belong together",
            ));
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Names of fields

/// Whether a name is used in groups or counted.
fn uses(rule: &Correlation, name: &str) -> bool {
    let counted = counted_fields(&rule.kind);
    rule.group_by.iter().chain(counted).any(|used| used == name)
}

/// The fields that a correlation counts or computes with.
const fn counted_fields(kind: &CorrelationKind) -> &[String] {
    match kind {
        CorrelationKind::ValueCount(fields, _) => fields.as_slice(),
        CorrelationKind::ValueSum(field, _)
        | CorrelationKind::ValueAvg(field, _)
        | CorrelationKind::ValuePercentile(field, _, _) => std::slice::from_ref(field),
        _ => &[],
    }
}

fn alias_unused(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, rule) in correlations(workspace) {
        for alias in rule.aliases.keys().filter(|alias| !uses(rule, alias)) {
            found.push(finding(
                rule,
                (code::ALIAS_UNUSED, place_of_alias(document, alias)),
                format!("alias `{alias}` is not used"),
                "name it under `group-by`, or take it out",
            ));
        }
    }
}

fn alias_incomplete(workspace: &Workspace<'_>, found: &mut Found) {
    let rules = Rules::of(workspace);
    for (document, rule) in correlations(workspace) {
        for (alias, fields) in &rule.aliases {
            let named = |reference: &str| {
                let meta = rules.metas.get(reference);
                fields.iter().any(|(of, _)| {
                    of == reference || meta.is_some() && meta == rules.metas.get(of.as_str())
                })
            };
            let lacking = rule.rules.iter().find(|(reference, _)| !named(reference));
            if let Some((reference, _)) = lacking.filter(|_| uses(rule, alias)) {
                found.push(finding(
                    rule,
                    (code::ALIAS_INCOMPLETE, place_of_alias(document, alias)),
                    format!("alias `{alias}` names no field of `{reference}`, whose events stay outside of every group"),
                    format!("add `{reference}: FIELD` to it"),
                ));
            }
        }
    }
}

fn counted_in_group(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, rule) in correlations(workspace) {
        let CorrelationKind::ValueCount(fields, _) = &rule.kind else {
            continue;
        };
        if fields.iter().all(|field| rule.group_by.contains(field)) {
            let first = fields.first().map_or("", String::as_str);
            let counted = place_of_name(document, &["condition", "field"], first);
            let field = fields.join("`, `");
            found.push(finding(
                rule,
                (code::COUNTED_IN_GROUP, counted),
                format!(
                    "`{field}` is the same in all events of a group, so there is one value to count"
                ),
                "group by something else, or count another field",
            ));
        }
    }
}

fn percentile_at_edge(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, rule) in correlations(workspace) {
        if let CorrelationKind::ValuePercentile(_, percentile, _) = rule.kind
            && (percentile <= 0.0 || percentile >= 100.0)
        {
            let what = if percentile <= 0.0 {
                "smallest"
            } else {
                "largest"
            };
            let place = place_of_bound(document, |key| key == "percentile");
            found.push(finding(
                rule,
                (code::PERCENTILE_AT_EDGE, place),
                format!(
                    "percentile {percentile} is the {what} value, which a single event decides"
                ),
                "write a percentile between, such as 95",
            ));
        }
    }
}

// ---------------------------------------------------------------------------------------------
// What the rules below say

/// Rules by id and name.
struct Rules<'a> {
    metas: BTreeMap<&'a str, &'a Meta>,
    timespans: BTreeMap<&'a str, Span>,
    detections: BTreeMap<&'a str, &'a Detection>,
}

impl<'a> Rules<'a> {
    fn of(workspace: &Workspace<'a>) -> Self {
        let names = |meta: &'a Meta| {
            [meta.id.as_deref(), meta.name.as_deref()]
                .into_iter()
                .flatten()
        };
        let mut rules = Self {
            metas: BTreeMap::new(),
            timespans: BTreeMap::new(),
            detections: BTreeMap::new(),
        };
        for detection in &workspace.judged.detections {
            for name in names(&detection.meta) {
                rules.metas.entry(name).or_insert(&detection.meta);
                rules.detections.entry(name).or_insert(detection);
            }
        }
        for correlation in &workspace.judged.correlations {
            for name in names(&correlation.meta) {
                rules.metas.entry(name).or_insert(&correlation.meta);
                let timespan = correlation.timespan;
                rules.timespans.entry(name).or_insert(timespan);
            }
        }
        rules
    }
}

fn level_below_base(workspace: &Workspace<'_>, found: &mut Found) {
    let rules = Rules::of(workspace);
    for (_, rule) in correlations(workspace) {
        let Some(level) = rule.meta.level else {
            continue;
        };
        let higher = rule.rules.iter().find_map(|(reference, place)| {
            let base = rules.metas.get(reference.as_str())?.level?;
            (base > level).then_some((reference, place, base))
        });
        if let Some((reference, place, base)) = higher {
            found.push(finding(
                rule,
                (code::LEVEL_BELOW_BASE, place),
                format!(
                    "correlation is `{}`, and rule `{reference}` alone is `{}`",
                    level.name(),
                    base.name()
                ),
                "several matches rarely mean less than one: raise the level, or lower the rule's",
            ));
        }
    }
}

/// A correlation over one with a longer window: what is found over an hour is one moment to it.
fn window_inside_longer(workspace: &Workspace<'_>, found: &mut Found) {
    let rules = Rules::of(workspace);
    for (_, rule) in correlations(workspace) {
        for (reference, place) in &rule.rules {
            let inner = rules.timespans.get(reference.as_str());
            if inner.is_some_and(|inner| *inner > rule.timespan) {
                found.push(finding(
                    rule,
                    (code::WINDOW_INSIDE_LONGER, place),
                    format!("correlation `{reference}` looks back further than this one, which sees only when it fires"),
                    "make this `timespan` at least as long as that of the correlation it is over",
                ));
            }
        }
    }
}

/// The paths that a name of a correlation leads to in the events of a rule.
fn paths(rule: &Correlation, (reference, base): (&str, &Detection), name: &str) -> Vec<String> {
    let own = |of: &str| {
        of == reference
            || base.meta.id.as_deref() == Some(of)
            || base.meta.name.as_deref() == Some(of)
    };
    let alias = rule.aliases.get(name).and_then(|fields| {
        let field = fields.iter().find(|(of, _)| own(of));
        field.map(|(_, field)| field.as_str())
    });
    base.names.paths(alias.unwrap_or(name))
}

/// A group whose field no event of a rule has: events without it are left out.
pub(super) fn group_by_not_carried(workspace: &Workspace<'_>, found: &mut Found) {
    let Some(observed) = workspace.observed else {
        return;
    };
    let rules = Rules::of(workspace);
    for (document, rule) in correlations(workspace) {
        for (reference, _) in &rule.rules {
            let Some(base) = rules.detections.get(reference.as_str()) else {
                continue;
            };
            let log_types = judged(observed, &base.logsource);
            if sure(observed, &log_types).is_none() {
                continue;
            }
            for name in rule.group_by.iter().chain(counted_fields(&rule.kind)) {
                let paths = paths(rule, (reference, base), name);
                let there = paths.iter().any(|path| {
                    let mut known = log_types.iter().map(|one| observed.known(one, path));
                    known.any(|known| matches!(known, Known::Seen(_) | Known::Possible))
                });
                if there {
                    continue;
                }
                let near = || near_field(observed, &log_types, name);
                let help = (found.len() < NEAR_MAX).then(near).flatten();
                let help = help.unwrap_or_else(|| "name a field that its events have".to_owned());
                let (keys, then) = if rule.group_by.contains(name) {
                    (&["group-by"][..], "its events stay outside of every group")
                } else {
                    (&["condition", "field"][..], "its events add nothing")
                };
                found.push(finding(
                    rule,
                    (
                        code::GROUP_BY_NOT_CARRIED,
                        place_of_name(document, keys, name),
                    ),
                    format!(
                        "no known event of {}, which `{reference}` judges, has `{name}`: {then}",
                        names(&log_types)
                    ),
                    help,
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::said_of;

    /// Messages about the bounds of a correlation over rules `a`, `b` and perhaps more.
    fn never(correlation: &str) -> Vec<String> {
        let rule = |name: &str| {
            format!(
                "title: T\nname: {name}\nlogsource: {{product: azure}}\n\
                 detection: {{s: {{A: 1}}, condition: s}}\n---\n"
            )
        };
        let rules = ["a", "b", "c"].map(rule).concat();
        let text =
            format!("{rules}title: C\nname: all\ncorrelation: {{timespan: 5m, {correlation}}}\n");
        let found = said_of("PAL1702", &[("rule.yml", &text)]);
        found.into_iter().map(|one| one.message).collect()
    }

    #[test]
    fn more_different_rules_than_are_named_never_come() {
        for (correlation, count) in [
            ("type: temporal, rules: [a, b], condition: {gte: 3}", 1),
            (
                "type: temporal_ordered, rules: [a, b], condition: {gt: 2}",
                1,
            ),
            ("type: temporal, rules: [a, b], condition: {eq: 5}", 1),
            ("type: temporal, rules: [a, b, a], condition: {gte: 3}", 0),
            ("type: temporal, rules: [a, b], condition: {gte: 2}", 0),
            ("type: temporal, rules: [a, b, c], condition: {gte: 3}", 0),
            ("type: temporal, rules: [a, b]", 0),
            ("type: temporal, rules: [a, b], condition: {lt: 1}", 1),
            ("type: event_count, rules: [a, b], condition: {gte: 3}", 0),
        ] {
            assert_eq!(never(correlation).len(), count, "{correlation}");
        }
        let said = never("type: temporal, rules: [a, b], condition: {gte: 3}");
        assert!(said[0].contains("the 2 different rules"), "{said:?}");
        let said = never("type: temporal, rules: [a, a], condition: {gte: 3}");
        assert!(said[0].contains("the 2 entries"), "{said:?}");
    }
}
