//! What one entry of a search asks for, and what it saw in the event.

use serde::Serialize;

use super::near::Paths;
use super::{VALUE_BYTES_MAX, VALUES_MAX};
use crate::naive::trace::ItemTrace;
use crate::rule::item::Target;
use crate::rule::{Item, RawValue};
use crate::value::text::prefix;
use crate::value::{Event, Value};

/// An entry of a search and what it saw.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// The fields it looks at, as the pipelines made them; none: keywords.
    pub fields: Vec<String>,
    /// Its modifiers by name, in order.
    pub modifiers: Vec<String>,
    /// The first of its values, as written.
    pub values: Vec<String>,
    /// How many values it has.
    pub values_total: usize,
    /// The values that were met, where each value is a pattern of its own.
    pub met: Vec<String>,
    /// Under `all`: the values that were not met.
    pub unmet: Vec<String>,
    /// Whether none of the fields is in the event.
    pub absent: bool,
    /// The first values in the event that it saw.
    pub seen: Vec<Seen>,
    /// How many there are.
    pub seen_total: usize,
    /// Names in the event that look like the absent field's.
    pub near: Vec<String>,
    /// Line of the rule file on which it stands.
    pub line: u32,
}

/// A value in the event.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// The name that leads to it.
    pub path: String,
    /// The value as JSON text, cut.
    pub value: String,
}

/// Explains an entry.
pub(super) fn entry(
    item: &Item,
    verdict: &ItemTrace,
    event: &Event<'_>,
    paths: &mut Paths,
) -> Entry {
    let fields: &[String] = match &item.target {
        Target::Keywords => &[],
        Target::Fields(fields) => fields,
    };
    let (mut seen, mut seen_total): (Vec<Seen>, _) = (Vec::new(), 0);
    for field in fields {
        let found = event.find(field);
        seen_total += found.len();
        for one in found.iter().take(VALUES_MAX - seen.len()) {
            let (path, value) = (field.clone(), shown(one.value()));
            let same =
                |known: &Seen| known.path.eq_ignore_ascii_case(field) && known.value == value;
            if seen.iter().any(same) {
                // Where keys fold case, two spellings lead to one value.
                seen_total -= 1;
            } else {
                seen.push(Seen { path, value });
            }
        }
    }
    let absent = !fields.is_empty() && seen_total == 0;
    if fields.is_empty() {
        seen_total = verdict.leaves.len();
        seen.extend(verdict.leaves.iter().map(|(path, text)| Seen {
            path: path.clone(),
            value: shown(&Value::text(text.as_str())),
        }));
    }
    let near = match fields {
        [first, ..] if absent => paths.near(first, event),
        _ => Vec::new(),
    };
    let judged = |met: bool| judged(item, verdict, met);
    Entry {
        fields: fields.iter().take(VALUES_MAX).cloned().collect(),
        modifiers: item
            .modifiers
            .iter()
            .map(|modifier| modifier.name().to_owned())
            .collect(),
        values: item.values.iter().take(VALUES_MAX).map(written).collect(),
        values_total: item.values.len(),
        met: judged(true),
        unmet: if is_all(item) {
            judged(false)
        } else {
            Vec::new()
        },
        absent,
        seen,
        seen_total,
        near,
        line: item.place.line,
    }
}

fn is_all(item: &Item) -> bool {
    item.modifiers
        .iter()
        .any(|modifier| modifier.name() == "all")
}

/// The values with this verdict, if each value became one pattern.
fn judged(item: &Item, verdict: &ItemTrace, met: bool) -> Vec<String> {
    if verdict.patterns.len() != item.values.len() {
        return Vec::new();
    }
    let pairs = item.values.iter().zip(&verdict.patterns);
    pairs
        .filter(|(_, held)| **held == met)
        .take(VALUES_MAX)
        .map(|(value, _)| written(value))
        .collect()
}

/// A value of the rule as written, cut.
fn written(value: &RawValue) -> String {
    match value {
        RawValue::Text(text) => cut(text),
        RawValue::Number(number) => number.text(),
        RawValue::Bool(truth) => truth.to_string(),
        RawValue::Null => "null".to_owned(),
        RawValue::Paths(paths) => cut(&paths.join(" or ")),
        RawValue::List(list) => cut(&list.name),
    }
}

/// A value of the event as JSON text, cut.
fn shown(value: &Value<'_>) -> String {
    match value {
        // Written whole, a long text would be escaped before it is cut.
        Value::Text(text) => {
            let raw = text.raw();
            let head = Value::text(prefix(raw, VALUE_BYTES_MAX)).to_json();
            if raw.len() > VALUE_BYTES_MAX {
                format!("{head}…")
            } else {
                head
            }
        }
        other => cut(&other.to_json()),
    }
}

fn cut(text: &str) -> String {
    if text.len() <= VALUE_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}…", prefix(text, VALUE_BYTES_MAX))
}
