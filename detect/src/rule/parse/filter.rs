//! Filters: a condition joined to the rules it names.

use crate::diagnostic::{Diagnostic, code};
use crate::yaml::Node;

use super::super::Filter;
use super::detection::{complete, condition, need_texts, searches};
use super::document::Reader;

/// Reads a filter.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Filter> {
    let meta = reader.meta();
    let logsource = reader.logsource();
    let root = reader.root;
    let section = root.get("filter")?;
    let Some(entries) = section.as_map() else {
        reader.wrong_type("filter", section, "a mapping");
        return None;
    };
    let rules = match section.get("rules") {
        None => {
            reader.missing(section, "rules");
            None
        }
        Some(node) => rules(reader, node),
    };
    let searches = searches(reader, entries, &["rules", "condition"]);
    if searches.is_empty() {
        let message = "filter has no search besides its condition";
        reader.error(code::MISSING_FIELD, &section.place, message);
    }
    let Some(written) = section.get("condition") else {
        reader.missing(section, "condition");
        return None;
    };
    if searches.is_empty() {
        return None;
    }
    let condition = condition(reader, written, &searches)?;
    if !condition.negates() {
        reader.push(
            Diagnostic::warning(
                code::FILTER_WITHOUT_NOT,
                &written.place,
                "filter without `not` lets its rules fire only on what it selects",
            )
            .with_help("the condition is joined with AND as written; to exclude, write `not`"),
        );
    }
    Some(Filter {
        meta,
        place: root.place.clone(),
        logsource,
        rules: match rules? {
            Scope::Any => None,
            Scope::Named(names) => Some(names),
        },
        searches: complete(searches)?,
        condition,
    })
}

/// Names of rules; `any` and an empty list mean every rule.
fn rules(reader: &mut Reader<'_>, node: &Node) -> Option<Scope> {
    if node
        .as_text()
        .is_some_and(|text| text.eq_ignore_ascii_case("any"))
    {
        return Some(Scope::Any);
    }
    let names = need_texts(reader, "rules", node)?;
    Some(if names.is_empty() {
        Scope::Any
    } else {
        Scope::Named(names.into_iter().map(|(name, _)| name).collect())
    })
}

/// Which rules a filter names.
enum Scope {
    Any,
    Named(Vec<String>),
}
