//! The effective configuration as text and JSON.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::reader::{Entry, From};

/// Widest value that pushes the column of origins to the right, in characters.
const VALUE_CHARS_MAX: usize = 48;

/// One option a line: key, value, origin.
pub fn text(entries: &[Entry]) -> String {
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let key = palisade_detect::diagnostic::printable(&entry.key);
            (key, shown(&entry.value), origin(&entry.from))
        })
        .collect();
    let key_width = rows
        .iter()
        .map(|(key, ..)| key.chars().count())
        .max()
        .unwrap_or(0);
    let widths = rows.iter().map(|(_, value, _)| value.chars().count());
    let value_width = widths
        .filter(|width| *width <= VALUE_CHARS_MAX)
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for (key, value, from) in rows {
        writeln!(out, "{key:key_width$}  {value:value_width$}  # {from}")
            .expect("writing to a string cannot fail");
    }
    out
}

/// `{"options":[{"key","value","from"}]}`.
pub fn json(entries: &[Entry]) -> Json {
    let options: Vec<_> = entries
        .iter()
        .map(|entry| json!({"key": entry.key, "value": entry.value, "from": origin(&entry.from)}))
        .collect();
    json!({ "options": options })
}

fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => palisade_detect::diagnostic::printable(text).into_owned(),
        Json::Array(values) => {
            let values: Vec<_> = values.iter().map(shown).collect();
            format!("[{}]", values.join(", "))
        }
        other => other.to_string(),
    }
}

fn origin(from: &From) -> String {
    match from {
        From::Default => "default".to_owned(),
        From::Environment(name) => format!("environment {name}"),
        From::File(place, variables) => {
            let file = palisade_detect::diagnostic::printable(&place.file);
            let mut text = format!("{file}:{}:{}", place.line, place.column);
            for name in variables {
                text.push_str(", environment ");
                text.push_str(name);
            }
            text
        }
    }
}
