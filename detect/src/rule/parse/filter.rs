//! Filters: a condition joined to the rules it names.

use crate::diagnostic::{Diagnostic, code, suggestion};
use crate::time::Timestamp;
use crate::yaml::Node;

use super::super::{Exception, Expiry, Filter};
use super::detection::{SEARCH_HELP, complete, condition, need_texts, searches};
use super::document::{Reader, scalar_text};

/// Reads a filter.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Filter> {
    let meta = reader.meta();
    let logsource = reader.logsource();
    let exception = exception(reader);
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
        let problem = Diagnostic::error(code::MISSING_FIELD, &section.place, message);
        reader.push(problem.with_help(SEARCH_HELP));
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
        exception,
    })
}

/// Keys of an exception.
const KEYS: [&str; 3] = ["owner", "reason", "expires"];

/// What stands under `palisade:` of a filter.
fn exception(reader: &mut Reader<'_>) -> Exception {
    let mut exception = Exception::default();
    let root = reader.root;
    let Some(node) = root.get_some("palisade") else {
        return exception;
    };
    let Some(entries) = node.as_map() else {
        reader.wrong_type("palisade", node, "a mapping");
        return exception;
    };
    for (key, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
        match (key.as_text(), value.as_text()) {
            (Some("owner"), Some(text)) => exception.owner = Some(text.to_owned()),
            (Some("reason"), Some(text)) => exception.reason = Some(text.to_owned()),
            (Some("expires"), Some(text)) => exception.expires = expiry(reader, value, text),
            (Some(name), _) if KEYS.contains(&name) => reader.wrong_type(name, value, "text"),
            _ => {
                let name = scalar_text(key);
                let message = format!("key `{name}` under `palisade` of a filter is unknown");
                let help = suggestion(&name, KEYS)
                    .unwrap_or_else(|| format!("known are `{}`", KEYS.join("`, `")));
                reader.push(
                    Diagnostic::error(code::UNKNOWN_PALISADE_KEY, &key.place, message)
                        .with_help(help),
                );
            }
        }
    }
    exception
}

/// A day, which stands for its first moment in UTC, or a time by RFC 3339.
fn expiry(reader: &mut Reader<'_>, node: &Node, text: &str) -> Option<Expiry> {
    let at = Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_day(text));
    if at.is_none() {
        let message = format!(
            "`expires` is neither a day nor a time: `{}`",
            scalar_text(node)
        );
        reader.push(
            Diagnostic::error(code::INVALID_VALUE, &node.place, message).with_help(
                "write a day such as `2026-12-31`, which ends the exception at its first moment \
                 in UTC, or a time such as `2026-12-31T18:00:00+01:00`",
            ),
        );
    }
    at.map(|at| Expiry {
        at,
        place: node.place.clone(),
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
