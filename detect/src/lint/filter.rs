//! Filters: which rules they narrow, and who answers for them.

use std::collections::{BTreeSet, HashMap};

use super::{Check, Found, Rule, Workspace};
use crate::diagnostic::{Code, Diagnostic, Place, code, suggestion};
use crate::logsource::Logsource;
use crate::rule::parse::RuleDocument;
use crate::rule::{Detection, Filter, Meta};
use crate::yaml::Node;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::warning(code::FILTER_RULE_UNKNOWN, rule_unknown),
    Check::warning(code::FILTER_FITS_NOTHING, fits_nothing),
    Check::info(code::FILTER_FOR_ANY, for_any),
    Check::info(code::EXCEPTION_UNOWNED, unowned),
];

/// Most names of one check for which a near one is looked for: each is a look at all rules.
const NEAR_MAX: usize = 100;

/// Every filter that loads, with its document.
fn filters<'a>(
    workspace: &Workspace<'a>,
) -> impl Iterator<Item = (&'a RuleDocument, &'a Filter)> + use<'a> {
    workspace
        .loaded()
        .filter_map(|(document, rule)| match rule {
            Rule::Filter(filter) => Some((document, filter)),
            _ => None,
        })
}

/// The names by which rules are named.
fn names(meta: &Meta) -> impl Iterator<Item = &str> {
    let both = [meta.id.as_deref(), meta.name.as_deref()];
    both.into_iter().flatten()
}

/// The section of the document, and a key of it.
fn place<'a>(document: &'a RuleDocument, (section, key): (&str, &str)) -> &'a Place {
    let inner = document.root.get(section);
    inner
        .and_then(|inner| inner.entry(key))
        .or_else(|| document.root.entry(section))
        .map_or(&document.root.place, |(key, _)| &key.place)
}

fn finding(
    filter: &Filter,
    (code, place): (Code, &Place),
    message: impl Into<String>,
    help: impl Into<String>,
) -> Diagnostic {
    Diagnostic::warning(code, place, message)
        .with_help(help)
        .for_rule(Some(filter.meta.key()))
}

/// A name that no rule has. Where no detection rule was read at all, nothing can be said.
fn rule_unknown(workspace: &Workspace<'_>, found: &mut Found) {
    let rules = workspace.rules;
    if rules.detections.is_empty() {
        return;
    }
    let detections = rules.detections.iter().map(|rule| &rule.meta);
    let correlations = rules.correlations.iter().map(|rule| &rule.meta);
    let known: BTreeSet<&str> = detections.chain(correlations).flat_map(names).collect();
    for (document, filter) in filters(workspace) {
        let unknown = |name: &&String| !known.contains(name.as_str());
        for name in filter.rules.iter().flatten().filter(unknown) {
            let near = (found.len() < NEAR_MAX).then(|| suggestion(name, known.iter().copied()));
            let help = near
                .flatten()
                .unwrap_or_else(|| "name a rule by its `id` or `name`".to_owned());
            let message = format!("no rule `{name}` was read, so nothing is narrowed");
            let at = (code::FILTER_RULE_UNKNOWN, named_at(document, name));
            found.push(finding(filter, at, message, help));
        }
    }
}

/// Where a filter names a rule.
fn named_at<'a>(document: &'a RuleDocument, name: &str) -> &'a Place {
    let section = document.root.get("filter");
    let rules = section.and_then(|section| section.get("rules"));
    let list = rules.map(|rules| rules.as_seq().unwrap_or(std::slice::from_ref(rules)));
    let same = |node: &&Node| node.as_text() == Some(name);
    list.unwrap_or_default()
        .iter()
        .find(same)
        .map_or_else(|| place(document, ("filter", "rules")), |node| &node.place)
}

/// Rules that are there, none of which has the filter's log source.
fn fits_nothing(workspace: &Workspace<'_>, found: &mut Found) {
    // A pipeline may change the log source before filters are joined: either form counts.
    let sets = [workspace.rules, workspace.judged];
    let all = || sets.iter().flat_map(|set| &set.detections);
    if all().next().is_none() {
        return;
    }
    let mut by_name = HashMap::<&str, Vec<&Detection>>::new();
    for rule in all() {
        for name in names(&rule.meta) {
            by_name.entry(name).or_default().push(rule);
        }
    }
    let mut covered = HashMap::<String, bool>::new();
    for (document, filter) in filters(workspace) {
        let covers = |rule: &Detection| filter.logsource.covers(&rule.logsource);
        let idle = match &filter.rules {
            None => {
                let any = || all().any(covers);
                !*covered
                    .entry(filter.logsource.to_string())
                    .or_insert_with(any)
            }
            Some(names) => {
                let own = || names.iter().filter_map(|name| by_name.get(name.as_str()));
                own().next().is_some() && !own().flatten().copied().any(covers)
            }
        };
        if idle {
            let at = (
                code::FILTER_FITS_NOTHING,
                place(document, ("logsource", "")),
            );
            found.push(finding(filter, at, nothing(filter), HELP_LOGSOURCE));
        }
    }
}

const HELP_LOGSOURCE: &str = "a filter narrows rules that have every part of its `logsource`";

fn nothing(filter: &Filter) -> String {
    let logsource: &Logsource = &filter.logsource;
    match &filter.rules {
        None => format!("no rule has the log source `{logsource}`, so nothing is narrowed"),
        Some(_) => {
            format!("no rule it names has the log source `{logsource}`, so nothing is narrowed")
        }
    }
}

/// A filter that every rule of its log source gets, those that are still to be written among them.
fn for_any(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, filter) in filters(workspace) {
        if filter.rules.is_none() {
            found.push(finding(
                filter,
                (code::FILTER_FOR_ANY, place(document, ("filter", "rules"))),
                "filter narrows every rule of its log source, also those still to be written",
                "name the rules for which the exception was thought through",
            ));
        }
    }
}

/// An exception without owner, reason or end.
fn unowned(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, filter) in filters(workspace) {
        let exception = &filter.exception;
        let lacking: Vec<&str> = [
            ("`owner`", exception.owner.is_none()),
            ("`reason`", exception.reason.is_none()),
            ("`expires`", exception.expires.is_none()),
        ]
        .into_iter()
        .filter_map(|(name, lacks)| lacks.then_some(name))
        .collect();
        if lacking.is_empty() {
            continue;
        }
        let section = match document.root.entry("palisade") {
            Some(_) => "palisade",
            None => "filter",
        };
        let message = format!("exception without {}", lacking.join(", "));
        found.push(finding(
            filter,
            (code::EXCEPTION_UNOWNED, place(document, (section, ""))),
            message,
            "say under `palisade:` who answers for it, why it is right and when it ends",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::said_of;

    const RULE: &str = "title: t\nid: one\nname: wrong_password\nlogsource: {product: azure, \
                        service: signinlogs}\ndetection: {s: {A: 1}, condition: s}\n";

    /// What is said of a filter with this log source, these rules and the rest.
    fn said(code: &str, (service, rules): (&str, &str), rest: &str) -> Vec<String> {
        let filter = format!(
            "title: f\nlogsource: {{product: azure, service: {service}}}\n\
             filter: {{rules: {rules}, s: {{B: x}}, condition: not s}}\n{rest}"
        );
        let found = said_of(code, &[("a.yml", RULE), ("f.yml", &filter)]);
        let found = found.into_iter();
        found
            .map(|one| format!("{} {}", one.message, one.help.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn a_name_that_no_rule_has_is_found_with_the_near_one() {
        let of = |rules| said("PAL1901", ("signinlogs", rules), "");
        let found = of("[one, wrong_pasword]");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("`wrong_pasword`"), "{found:?}");
        assert!(found[0].contains("mean `wrong_password`?"), "{found:?}");
        for fine in ["any", "[one]", "[wrong_password]"] {
            assert!(of(fine).is_empty(), "{fine}");
        }
    }

    #[test]
    fn nothing_is_said_of_names_where_no_rule_was_read() {
        let filter = "title: f\nlogsource: {product: azure}\n\
                      filter: {rules: [x], s: {B: x}, condition: not s}\n";
        for code in ["PAL1901", "PAL1902"] {
            assert!(said_of(code, &[("f.yml", filter)]).is_empty());
        }
    }

    #[test]
    fn a_filter_of_another_log_source_fits_nothing() {
        let of = |service, rules| said("PAL1902", (service, rules), "").len();
        assert_eq!(
            (of("auditlogs", "any"), of("auditlogs", "[one, two]")),
            (1, 1)
        );
        assert_eq!((of("signinlogs", "any"), of("signinlogs", "[one]")), (0, 0));
        // The unknown name is what is wrong, and has a finding of its own.
        assert_eq!(of("auditlogs", "[two]"), 0);
    }

    #[test]
    fn filters_for_any_rule_and_exceptions_nobody_owns_are_found() {
        let of = |rules, rest| {
            let both = ["PAL1903", "PAL1904"];
            both.map(|code| said(code, ("signinlogs", rules), rest).concat())
        };
        let [any, unowned] = of("any", "palisade: {owner: me, expires: '2031-01-01'}\n");
        assert!(!any.is_empty());
        assert!(unowned.starts_with("exception without `reason` "));
        let whole = "palisade: {owner: me, reason: tests, expires: '2031-01-01'}\n";
        assert_eq!(of("[one]", whole), ["", ""]);
        let [_, all] = of("[one]", "");
        assert!(all.starts_with("exception without `owner`, `reason`, `expires` "));
    }
}
