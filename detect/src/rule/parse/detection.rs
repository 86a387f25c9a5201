//! Detection rules: searches and conditions.

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Place, code, suggestion};
use crate::pipeline::Names as FieldNames;
use crate::yaml::{Node, Yaml};

use super::super::condition::{self, Names, Selectors};
use super::super::item::{
    Item, ListName, Number, PATTERN_BYTES_MAX, Problem, RawValue, Subject, Target,
};
use super::super::modifier::{self, Modifier};
use super::super::{Detection, Expr, Search};
use super::document::{Reader, empty_help, scalar_text};

/// Longest name of a field, in bytes; those of events have a few dozen.
const FIELD_BYTES_MAX: usize = 4 << 10;
/// Most parts, between dots, of the name of a field; events are read to 64 objects deep.
const FIELD_PARTS_MAX: usize = 100;

/// Help with a modifier that is like none there is: those that rules mostly need.
const MODIFIERS_HELP: &str = "for text there are `contains`, `startswith`, `endswith`, `re`, \
                              `cased` and `windash`, for numbers `gt`, `gte`, `lt` and `lte`, for \
                              addresses `cidr`, and for all of them `all`, `neq`, `exists` and \
                              `fieldref`";

/// Help where there is no search.
pub(super) const SEARCH_HELP: &str =
    "add a search that the condition names, such as `selection:` with a field and a value below it";

/// Help with a mapping or list where a value belongs.
const NESTED_HELP: &str = "write one value, or a list of values; a field inside an object is named \
                           with dots, as in `properties.status`";

/// Reads a detection rule.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Detection> {
    let meta = reader.meta();
    let logsource = reader.logsource();
    let palisade = reader.palisade();
    let root = reader.root;
    let Some(section) = root.get_some("detection") else {
        reader.missing(root, "detection");
        return None;
    };
    let Some(entries) = section.as_map() else {
        reader.wrong_type("detection", section, "a mapping");
        return None;
    };
    let searches = searches(reader, entries, &["condition"]);
    let Some((_, written)) = section.entry("condition") else {
        reader.missing(section, "condition");
        return None;
    };
    if searches.is_empty() {
        let message = "detection has no search besides its condition";
        let problem = Diagnostic::error(code::MISSING_FIELD, &section.place, message);
        reader.push(problem.with_help(SEARCH_HELP));
        return None;
    }
    let condition = conditions(reader, written, &searches)?;
    let searches = complete(searches)?;
    Some(Detection {
        meta,
        place: root.place.clone(),
        logsource,
        searches,
        condition,
        palisade,
        names: FieldNames::default(),
    })
}

/// Searches by name; `None` for one that has problems, so that conditions can still name it.
pub(super) type Searches = IndexMap<String, Option<Search>>;

/// The searches, if all could be read.
pub(super) fn complete(searches: Searches) -> Option<IndexMap<String, Search>> {
    searches
        .into_iter()
        .map(|(name, search)| Some((name, search?)))
        .collect()
}

/// Reads all searches of a section, whose other keys are `others`.
pub(super) fn searches(
    reader: &mut Reader<'_>,
    entries: &[(Node, Node)],
    others: &[&str],
) -> Searches {
    let mut searches = Searches::with_capacity(entries.len());
    for (key, value) in entries {
        match key.as_text() {
            Some(name) if others.contains(&name) => {}
            Some(name) => {
                let search = search(reader, value, &key.place);
                searches.insert(name.to_owned(), search);
            }
            None => {
                let message = format!("search name must be text, not {}", key.type_name());
                let problem = Diagnostic::error(code::WRONG_TYPE, &key.place, message);
                reader.push(problem.with_help("put it in quotes"));
            }
        }
    }
    searches
}

/// Reads one condition, or a list of them, of which one suffices.
fn conditions(reader: &mut Reader<'_>, node: &Node, searches: &Searches) -> Option<Expr> {
    let Some(list) = node.as_seq() else {
        return condition(reader, node, searches);
    };
    if list.is_empty() {
        let message = "list of conditions is empty";
        let problem = Diagnostic::error(code::MISSING_FIELD, &node.place, message);
        reader.push(problem.with_help("name a search, such as `condition: selection`"));
        return None;
    }
    let names = Names::numbered(searches.keys().map(String::as_str));
    let mut parts = Vec::with_capacity(list.len());
    let mut leaves = 0;
    let before = reader.said();
    for (at, item) in list.iter().enumerate() {
        let part = one_condition(reader, item, &names);
        leaves += part.as_ref().map_or(0, Expr::leaves);
        if leaves > condition::CONDITION_LEAVES_MAX || at >= condition::CONDITIONS_MAX {
            let message = format!(
                "conditions are more than the limit of {}, or name more searches than {}",
                condition::CONDITIONS_MAX,
                condition::CONDITION_LEAVES_MAX
            );
            reader.error(code::CONDITION_LIMIT, &item.place, message);
            return None;
        }
        if reader.said() - before >= condition::UNKNOWN_MAX {
            return None;
        }
        parts.push(part);
    }
    let mut parts: Vec<Expr> = parts.into_iter().collect::<Option<_>>()?;
    Some(if parts.len() == 1 {
        parts.swap_remove(0)
    } else {
        Expr::Or(parts)
    })
}

/// Reads one condition over these searches.
pub(super) fn condition(reader: &mut Reader<'_>, node: &Node, searches: &Searches) -> Option<Expr> {
    let names = Names::numbered(searches.keys().map(String::as_str));
    one_condition(reader, node, &names)
}

/// Reads one condition over these names.
fn one_condition(reader: &mut Reader<'_>, node: &Node, names: &Names<'_>) -> Option<Expr> {
    let Some(text) = node.as_text() else {
        reader.wrong_type("condition", node, "text");
        return None;
    };
    match condition::parse(text, names, Selectors::Allowed) {
        Ok(expr) => Some(expr),
        Err(problems) => {
            for problem in problems {
                reader.condition(node, problem);
            }
            None
        }
    }
}

/// Reads a search, or a part of one: a mapping, a list, or keywords.
fn search(reader: &mut Reader<'_>, node: &Node, key: &Place) -> Option<Search> {
    match &node.value {
        Yaml::Map(entries) if !entries.is_empty() => all_of(reader, entries),
        Yaml::Seq(items) if !items.is_empty() => any_of(reader, items, key),
        Yaml::Null | Yaml::Map(_) | Yaml::Seq(_) => {
            let problem = Diagnostic::error(code::EMPTY_SEARCH, key, "search is empty");
            reader.push(
                problem.with_help("write an entry below it, such as `User: admin`, or take it out"),
            );
            None
        }
        _ => keywords(reader, std::slice::from_ref(node), key),
    }
}

/// A mapping: every entry must match.
fn all_of(reader: &mut Reader<'_>, entries: &[(Node, Node)]) -> Option<Search> {
    let mut parts = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        parts.push(entry(reader, key, value).map(Search::Item));
    }
    let mut parts: Vec<Search> = parts.into_iter().collect::<Option<_>>()?;
    Some(if parts.len() == 1 {
        parts.swap_remove(0)
    } else {
        Search::AllOf(parts)
    })
}

/// A list: keywords if it holds scalars only, otherwise alternatives.
fn any_of(reader: &mut Reader<'_>, items: &[Node], key: &Place) -> Option<Search> {
    if items.iter().all(Node::is_scalar) {
        return keywords(reader, items, key);
    }
    let mut parts = Vec::with_capacity(items.len());
    for item in items {
        parts.push(search(reader, item, &item.place));
    }
    let parts = parts.into_iter().collect::<Option<_>>()?;
    Some(Search::AnyOf(parts))
}

/// Scalars without a field.
fn keywords(reader: &mut Reader<'_>, items: &[Node], key: &Place) -> Option<Search> {
    let item = Item {
        target: Target::Keywords,
        modifiers: Vec::new(),
        values: items.iter().filter_map(raw_value).collect(),
        place: key.clone(),
    };
    let key = Node::new(key.clone(), Yaml::Null);
    checked(reader, item, &key, items).map(Search::Item)
}

/// An entry of a mapping: field and modifiers as key, one value or a list of them.
fn entry(reader: &mut Reader<'_>, key: &Node, value: &Node) -> Option<Item> {
    let Some(written) = key.as_text() else {
        let message = format!("field name must be text, not {}", key.type_name());
        let problem = Diagnostic::error(code::WRONG_TYPE, &key.place, message);
        reader.push(problem.with_help("put it in quotes"));
        return None;
    };
    let modifiers = modifiers(reader, key, written);
    let nodes = value.as_seq().unwrap_or(std::slice::from_ref(value));
    let values: Option<Vec<RawValue>> = nodes
        .iter()
        .map(|node| {
            let value = raw_value(node);
            if value.is_none() {
                let message = format!("value must be a scalar, not {}", node.type_name());
                let problem = Diagnostic::error(code::WRONG_TYPE, &node.place, message);
                reader.push(problem.with_help(NESTED_HELP));
            }
            value
        })
        // All of them are looked at before the first failure decides.
        .collect::<Vec<_>>()
        .into_iter()
        .collect();
    let field = written.split('|').next().unwrap_or_default();
    let fits = field_fits(reader, field, &key.place);
    let in_list = modifiers
        .as_ref()
        .is_some_and(|modifiers| modifiers.contains(&Modifier::InList));
    let values = values.map(|values| {
        if in_list {
            listed(values, nodes)
        } else {
            values
        }
    });
    let item = Item {
        target: if field.is_empty() {
            Target::Keywords
        } else {
            Target::Fields(vec![field.to_owned()])
        },
        modifiers: modifiers?,
        values: values?.into(),
        place: key.place.clone(),
    };
    let referring = item.modifiers.contains(&Modifier::FieldRef);
    let referred = item.values.iter().zip(nodes).filter(|_| referring);
    let fit = referred.fold(fits, |fit, (value, node)| match value {
        RawValue::Text(name) => field_fits(reader, name, &node.place) && fit,
        _ => fit,
    });
    if !fit {
        return None;
    }
    checked(reader, item, key, nodes)
}

/// Reports the name of a field that is longer, or has more parts, than the limit.
pub(super) fn field_fits(reader: &mut Reader<'_>, name: &str, place: &Place) -> bool {
    let what = if name.len() > FIELD_BYTES_MAX {
        format!("{FIELD_BYTES_MAX} bytes")
    } else if name.split('.').nth(FIELD_PARTS_MAX).is_some() {
        format!("{FIELD_PARTS_MAX} parts")
    } else {
        return true;
    };
    let message = format!("name of a field is longer than the limit of {what}");
    reader.error(code::FIELD_TOO_LONG, place, message);
    false
}

/// Values that name lists, with their places.
fn listed(values: Vec<RawValue>, nodes: &[Node]) -> Vec<RawValue> {
    let values = values.into_iter().zip(nodes);
    let name = |(value, node): (RawValue, &Node)| match value {
        RawValue::Text(name) => RawValue::List(ListName {
            name,
            place: node.place.clone(),
            list: None,
        }),
        other => other,
    };
    values.map(name).collect()
}

/// Reads the chain of modifiers in a key.
fn modifiers(reader: &mut Reader<'_>, key: &Node, written: &str) -> Option<Vec<Modifier>> {
    let mut modifiers = Vec::new();
    let mut known = true;
    for (at, name) in parts(written).skip(1) {
        if let Some(modifier) = Modifier::of(name) {
            modifiers.push(modifier);
            continue;
        }
        known = false;
        let message = if name.is_empty() {
            "modifier is empty".to_owned()
        } else {
            format!("modifier `{name}` is unknown")
        };
        let names = modifier::NAMES.iter().map(|(name, _)| *name);
        let help = if name.is_empty() {
            "write a modifier behind the `|`, or take it out".to_owned()
        } else {
            suggestion(name, names).unwrap_or_else(|| MODIFIERS_HELP.to_owned())
        };
        let place = key.place_within(at..at + name.len());
        reader.push(Diagnostic::error(code::UNKNOWN_MODIFIER, &place, message).with_help(help));
    }
    known.then_some(modifiers)
}

/// Field and modifiers of a key, each with its byte offset.
fn parts(written: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    written.split('|').map(move |part| {
        let at = start;
        start += part.len() + 1;
        (at, part)
    })
}

/// Checks what no pipeline can mend. Values under `expand` are judged after the pipelines.
fn checked(reader: &mut Reader<'_>, item: Item, key: &Node, values: &[Node]) -> Option<Item> {
    let place = |subject: Subject| match subject {
        Subject::Entry => key.place.clone(),
        Subject::Value(at) => values.get(at).unwrap_or(key).place.clone(),
        Subject::Part(at, from, to) => values.get(at).unwrap_or(key).place_within(from..to),
        Subject::Modifier(at) => {
            let written = key.as_text().unwrap_or_default();
            match parts(written).nth(at + 1) {
                Some((start, name)) => key.place_within(start..start + name.len()),
                None => key.place.clone(),
            }
        }
    };
    let later = |problem: &Problem| {
        // Lists are found once all rules are read and say which they need.
        problem.code == code::UNKNOWN_LIST
            || item.has_placeholders()
                && problem.code != code::MODIFIER_COMBINATION
                && problem.code != code::EMPTY_SEARCH
    };
    if reader.is_spent() {
        over_budget(reader, key);
        return None;
    }
    let (meaning, bytes) = item.compiled(reader.expressions);
    let within = reader.spend(bytes);
    match meaning {
        Ok(_) if !within => {
            over_budget(reader, key);
            return None;
        }
        Ok(meaning) => warn(reader, &item, &meaning, key, values),
        Err(problems) => {
            let mut refused = false;
            for problem in problems.into_iter().filter(|problem| !later(problem)) {
                refused = true;
                let place = place(problem.subject);
                reader.push(problem.at(&place));
            }
            if refused {
                return None;
            }
        }
    }
    Some(item)
}

/// Reports that the patterns of the file take more than they may.
fn over_budget(reader: &mut Reader<'_>, key: &Node) {
    let message =
        format!("patterns of this file take more than the limit of {PATTERN_BYTES_MAX} bytes");
    reader.error(code::TOO_MANY_VALUES, &key.place, message);
}

/// Reports what loads but probably was not meant.
fn warn(
    reader: &mut Reader<'_>,
    item: &Item,
    meaning: &super::super::item::Meaning,
    key: &Node,
    values: &[Node],
) {
    use super::super::item::Link;
    if meaning.link == Link::All && item.values.len() == 1 {
        let message = "`all` has no effect on a single value";
        let written = key.as_text().unwrap_or_default();
        let place = parts(written)
            .skip(1)
            .find(|(_, name)| *name == "all")
            .map_or_else(
                || key.place.clone(),
                |(at, name)| key.place_within(at..at + name.len()),
            );
        reader.push(Diagnostic::warning(
            code::ALL_WITH_ONE_VALUE,
            &place,
            message,
        ));
    }
    if item.values.len() > 1
        && let Some(at) = item
            .values
            .iter()
            .position(|value| *value == RawValue::Null)
        && let Some(node) = values.get(at)
    {
        let message = "null among other values also matches a missing field";
        reader.push(Diagnostic::warning(
            code::NULL_IN_LIST,
            &node.place,
            message,
        ));
    }
}

/// The scalar as a value; `None` for a list or mapping.
fn raw_value(node: &Node) -> Option<RawValue> {
    match &node.value {
        Yaml::Null => Some(RawValue::Null),
        Yaml::Bool(value) => Some(RawValue::Bool(*value)),
        Yaml::Int(value) => Some(RawValue::Number(Number::Int(*value))),
        Yaml::Float(value) => Some(RawValue::Number(Number::Float(*value))),
        Yaml::Text(text) => Some(RawValue::Text(text.clone())),
        Yaml::Seq(_) | Yaml::Map(_) => None,
    }
}

/// As [`need_texts`], of names of fields.
pub(super) fn need_fields(
    reader: &mut Reader<'_>,
    key: &str,
    node: &Node,
) -> Option<Vec<(String, Place)>> {
    let mut names = need_texts(reader, key, node)?;
    names.retain(|(name, place)| field_fits(reader, name, place));
    Some(names)
}

/// A name or reference as text; reports anything else.
pub(super) fn need_texts(
    reader: &mut Reader<'_>,
    key: &str,
    node: &Node,
) -> Option<Vec<(String, Place)>> {
    let nodes = node.as_seq().unwrap_or(std::slice::from_ref(node));
    let mut texts = Vec::with_capacity(nodes.len());
    for item in nodes {
        let Some(text) = item.as_text() else {
            let message = format!(
                "`{key}` must be text or a list of text, not {}",
                scalar_text(item)
            );
            let problem = Diagnostic::error(code::WRONG_TYPE, &item.place, message);
            reader.push(problem.with_help(if item.is_null() {
                empty_help(key)
            } else if item.is_scalar() {
                "put it in quotes".to_owned()
            } else {
                "write one text behind each dash".to_owned()
            }));
            return None;
        };
        texts.push((text.to_owned(), item.place.clone()));
    }
    Some(texts)
}
