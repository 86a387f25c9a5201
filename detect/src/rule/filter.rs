//! Filters joined to the rules they narrow.

use crate::diagnostic::Diagnostic;

use super::{Detection, Expr, Filter, RuleSet, Search};

/// Joins every filter to the rules it names and takes it out of the set: the filter's searches follow
/// the rule's own, and its condition is joined with AND, as written (FIL-1). A filter that fits no
/// rule does nothing (FIL-10).
pub fn join(rules: &mut RuleSet) {
    for filter in std::mem::take(&mut rules.filters) {
        for detection in rules
            .detections
            .iter_mut()
            .filter(|rule| fits(&filter, rule))
        {
            narrow(detection, &filter);
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
    let part = |asked: &Option<_>, given: &Option<_>| asked.is_none() || asked == given;
    let named = filter.rules.as_ref().is_none_or(|names| {
        names.iter().any(|name| {
            rule.meta.id.as_ref() == Some(name) || rule.meta.name.as_ref() == Some(name)
        })
    });
    named
        && part(&filter.logsource.product, &rule.logsource.product)
        && part(&filter.logsource.service, &rule.logsource.service)
        && part(&filter.logsource.category, &rule.logsource.category)
}

fn narrow(rule: &mut Detection, filter: &Filter) {
    let first = rule.searches.len();
    for (place, (name, search)) in filter.searches.iter().enumerate() {
        // A number makes the name unlike any in the rule: the name spaces are separate (FIL-5).
        let name = format!("{name} of filter {} #{}", filter.meta.title, first + place);
        rule.searches.insert(name, search.clone());
    }
    let own = std::mem::replace(&mut rule.condition, Expr::And(Vec::new()));
    rule.condition = Expr::And(vec![own, shifted(&filter.condition, first)]);
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
