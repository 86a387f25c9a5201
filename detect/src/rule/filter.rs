//! Filters joined to the rules they narrow.

use crate::diagnostic::{Diagnostic, Place, code};
use crate::time::Timestamp;

use super::item::{Expressions, Target};
use super::modifier::Modifier;
use super::{Detection, Expr, Filter, RuleSet, Search};

/// Most memory, roughly, that the filters of a set take in the rules they narrow. Every rule gets a
/// copy of its own, which shares values and patterns with the others, so that a filter for `any` rule
/// costs as often as there are rules.
pub const FILTER_BYTES_MAX: usize = 128 << 20;
/// What an entry takes in each rule besides its values and patterns, as written and compiled, and a
/// search its name: 0.7 KiB as measured, rounded up.
const ENTRY_BYTES: usize = 768;
/// What a list or mapping of entries, or a name in a condition, takes in each rule.
const NODE_BYTES: usize = 128;

/// What a filter says under `palisade:`: who answers for the exception that it makes, and for how long.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exception {
    /// Who answers for it, as written.
    pub owner: Option<String>,
    /// Why it is right, as written.
    pub reason: Option<String>,
    /// When it ends; `None`: never.
    pub expires: Option<Expiry>,
}

/// When an exception ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Expiry {
    /// The first moment without it.
    pub at: Timestamp,
    /// Where it is written.
    pub place: Place,
}

impl Exception {
    /// Whether its time is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires
            .as_ref()
            .is_some_and(|expires| expires.at <= now)
    }
}

/// Joins every filter to the rules it names and takes it out of the set: the filter's searches follow
/// the rule's own, and its condition is joined with AND, as written (FIL-1). A filter that fits no
/// rule does nothing (FIL-10). One that would exceed [`FILTER_BYTES_MAX`] is left out and reported;
/// its rules stay as they are (FIL-6).
pub fn join(rules: &mut RuleSet) -> Vec<Diagnostic> {
    join_within(FILTER_BYTES_MAX, rules)
}

fn join_within(mut bytes: usize, rules: &mut RuleSet) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for filter in std::mem::take(&mut rules.filters) {
        let all = rules.detections.iter_mut();
        let named: Vec<_> = all.filter(|rule| fits(&filter, rule)).collect();
        let Some(rest) = bytes.checked_sub(weight(&filter).saturating_mul(named.len())) else {
            let message = format!(
                "filters add more than the limit of {FILTER_BYTES_MAX} bytes to their rules"
            );
            problems.push(
                Diagnostic::error(code::FILTER_LIMIT, &filter.place, message)
                    .with_help("name fewer rules, or take values out")
                    .for_rule(Some(filter.meta.key())),
            );
            continue;
        };
        bytes = rest;
        for detection in named {
            narrow(detection, &filter);
        }
    }
    problems
}

/// Roughly the bytes that a filter takes in one rule.
fn weight(filter: &Filter) -> usize {
    let named = filter.searches.iter();
    let searches = named.map(|(name, search)| name.len() + weight_of_search(search));
    let title = filter.meta.title.len() * filter.searches.len();
    searches.sum::<usize>() + title + filter.condition.leaves() * NODE_BYTES
}

fn weight_of_search(search: &Search) -> usize {
    match search {
        Search::AllOf(parts) | Search::AnyOf(parts) => {
            NODE_BYTES + parts.iter().map(weight_of_search).sum::<usize>()
        }
        Search::Item(item) => {
            let field = match &item.target {
                Target::Fields(fields) => fields.iter().map(String::len).sum(),
                Target::Keywords => 0,
            };
            // What pipelines make of these they make for each rule.
            let own = [Modifier::FieldRef, Modifier::Expand];
            let own = own.iter().any(|one| item.modifiers.contains(one));
            let patterns = || item.compiled(&Expressions::default()).1;
            ENTRY_BYTES + 2 * field + if own { 2 * patterns() } else { 0 }
        }
    }
}

/// Problems that keep searches of a filter from meaning anything, such as a placeholder that nobody
/// replaced. The filter is then left out, and its rules stay as they are (FIL-6).
pub(crate) fn problems<'s>(
    filter: &Filter,
    searches: impl IntoIterator<Item = &'s Search>,
) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for search in searches {
        collect(search, &mut problems);
    }
    let key = Some(filter.meta.key());
    let problems = problems.into_iter().map(|problem| problem.for_rule(key));
    problems.collect()
}

fn collect(search: &Search, problems: &mut Vec<Diagnostic>) {
    match search {
        Search::AllOf(parts) | Search::AnyOf(parts) => {
            for part in parts {
                collect(part, problems);
            }
        }
        Search::Item(item) => problems.extend(item.meaning().err().into_iter().flatten()),
    }
}

/// Whether a filter applies to a rule: every part of its log source is present and equal, and the rule
/// is named by id or name, or no rule is named at all.
fn fits(filter: &Filter, rule: &Detection) -> bool {
    let named = filter.rules.as_ref().is_none_or(|names| {
        names.iter().any(|name| {
            rule.meta.id.as_ref() == Some(name) || rule.meta.name.as_ref() == Some(name)
        })
    });
    named && filter.logsource.covers(&rule.logsource)
}

fn narrow(rule: &mut Detection, filter: &Filter) {
    let first = rule.searches.len();
    for (place, (name, search)) in filter.searches.iter().enumerate() {
        // A number makes the name unlike any in the rule: the name spaces are separate (FIL-5).
        let name = format!("{name} of filter {} #{}", filter.meta.title, first + place);
        rule.searches.insert(name, search.clone());
    }
    let own = std::mem::replace(&mut rule.condition, Expr::And(Vec::new()));
    rule.condition = own.and(shifted(&filter.condition, first));
}

/// The expression over searches that stand `by` places further on.
pub(crate) fn shifted(condition: &Expr, by: usize) -> Expr {
    let each = |list: &[Expr]| list.iter().map(|inner| shifted(inner, by)).collect();
    match condition {
        Expr::Search(place) => Expr::Search(place + by),
        Expr::Not(inner) => Expr::Not(Box::new(shifted(inner, by))),
        Expr::And(list) => Expr::And(each(list)),
        Expr::Or(list) => Expr::Or(each(list)),
        Expr::AtLeast(count, list) => Expr::AtLeast(*count, each(list)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{RuleFile, parse::parse};

    /// Two rules and so many filters for any rule.
    fn set(filters: usize) -> RuleSet {
        let rules = ["a", "b"].map(|id| {
            format!(
                "title: t\nid: {id}\nlogsource: {{product: p}}\n\
                 detection: {{s: {{A: 1}}, condition: s}}\n---\n"
            )
        });
        let filters = (0..filters).map(|number| {
            format!(
                "title: f\nid: f{number}\nlogsource: {{product: p}}\n\
                 filter: {{rules: any, s: {{B: x}}, condition: not s}}\n---\n"
            )
        });
        let text: String = rules.into_iter().chain(filters).collect();
        let file = RuleFile {
            name: "f.yml".into(),
            bytes: text.into_bytes(),
        };
        let (set, problems) = parse(&[file]);
        assert_eq!(problems, []);
        set
    }

    #[test]
    fn rules_share_the_values_of_their_filters() {
        let mut rules = set(1);
        assert_eq!(join(&mut rules), []);
        let shared: Vec<_> = rules
            .detections
            .iter()
            .map(|rule| match &rule.searches[1] {
                Search::Item(item) => item.values.shared(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(shared[0].is_some());
        assert_eq!(shared[0], shared[1]);
    }

    #[test]
    fn small_exceptions_for_thousands_of_rules_fit_and_millions_of_copies_do_not() {
        let weight = weight(&set(1).filters[0]);
        assert!(30 * 3_000 * weight < FILTER_BYTES_MAX);
        assert!(2_000 * 2_000 * weight > 8 * FILTER_BYTES_MAX);
    }

    #[test]
    fn thousands_of_filters_make_no_condition_deep() {
        let mut rules = set(2_000);
        assert_eq!(join(&mut rules), []);
        for rule in &rules.detections {
            let Expr::And(parts) = &rule.condition else {
                panic!("{:?}", rule.condition)
            };
            assert_eq!((parts.len(), rule.searches.len()), (2_001, 2_001));
            assert!(parts.iter().all(|part| match part {
                Expr::Not(inner) => matches!(**inner, Expr::Search(_)),
                part => *part == Expr::Search(0),
            }));
        }
    }

    #[test]
    fn filters_over_the_limit_are_reported_and_leave_their_rules_alone() {
        let weight = weight(&set(1).filters[0]);
        let mut rules = set(3);
        let problems = join_within(4 * weight, &mut rules);
        let named: Vec<_> = problems
            .iter()
            .map(|p| (p.kind, p.rule.as_deref()))
            .collect();
        assert_eq!(named, [("limit-exceeded", Some("f2"))]);
        assert!(rules.detections.iter().all(|rule| rule.searches.len() == 3));
    }
}
