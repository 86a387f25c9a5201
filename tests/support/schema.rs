//! JSON Schema, as much of draft 7 as the project's schemas use. A keyword that is not known here fails
//! the test, so that none can be passed over in silence.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Value};

/// What keeps a value from being valid; empty: it is.
pub(crate) fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "$", &mut found);
    found
}

fn check(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let schema = schema.as_object().expect("a schema is an object");
    for (keyword, rule) in schema {
        let holds = match keyword.as_str() {
            "$schema"
            | "title"
            | "description"
            | "required"
            | "properties"
            | "patternProperties"
            | "additionalProperties"
            | "items" => true,
            "type" => items(rule).iter().any(|kind| is_type(value, kind)),
            "enum" => items(rule).contains(value),
            "const" => rule == value,
            "anyOf" => items(rule)
                .iter()
                .any(|one| violations(one, value).is_empty()),
            "pattern" => {
                let pattern = rule.as_str().expect("text");
                value.as_str().is_none_or(|text| matches(pattern, text))
            }
            "minLength" | "maxLength" => value
                .as_str()
                .is_none_or(|text| within(keyword, rule, text.chars().count())),
            "minItems" => value
                .as_array()
                .is_none_or(|list| within(keyword, rule, list.len())),
            "minProperties" => value
                .as_object()
                .is_none_or(|map| within(keyword, rule, map.len())),
            "minimum" => value
                .as_f64()
                .is_none_or(|number| Some(number) >= rule.as_f64()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| Some(number) <= rule.as_f64()),
            other => panic!("the keyword `{other}` is not known here"),
        };
        if !holds {
            found.push(format!("{at}: {keyword}"));
        }
    }
    if let Value::Object(map) = value {
        members(schema, map, at, found);
    }
    if let (Value::Array(list), Some(items)) = (value, schema.get("items")) {
        for (place, item) in list.iter().enumerate() {
            check(items, item, &format!("{at}[{place}]"), found);
        }
    }
}

fn members(
    schema: &Map<String, Value>,
    map: &Map<String, Value>,
    at: &str,
    found: &mut Vec<String>,
) {
    for name in schema.get("required").map(items).unwrap_or_default() {
        if !map.contains_key(name.as_str().expect("text")) {
            found.push(format!("{at}: {name} is missing"));
        }
    }
    for (key, value) in map {
        let at = format!("{at}.{key}");
        let named = schema.get("properties").and_then(|all| all.get(key));
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        let patterns = patterns
            .into_iter()
            .flatten()
            .filter(|(pattern, _)| matches(pattern, key));
        let fitting: Vec<&Value> = named
            .into_iter()
            .chain(patterns.map(|(_, one)| one))
            .collect();
        for one in &fitting {
            check(one, value, &at, found);
        }
        if fitting.is_empty() {
            match schema.get("additionalProperties") {
                Some(Value::Bool(false)) => found.push(format!("{at}: no such key")),
                Some(one @ Value::Object(_)) => check(one, value, &at, found),
                _ => {}
            }
        }
    }
}

thread_local! {
    /// Patterns that have been compiled: thousands of keys are held against a few.
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::default();
}

fn matches(pattern: &str, text: &str) -> bool {
    PATTERNS.with_borrow_mut(|known| {
        let compiled = known
            .entry(pattern.to_owned())
            .or_insert_with(|| Regex::new(pattern).expect("a pattern"));
        compiled.is_match(text)
    })
}

/// The items of a list, or the one value.
fn items(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice)
}

fn within(keyword: &str, rule: &Value, count: usize) -> bool {
    let limit = usize::try_from(rule.as_u64().expect("a number")).expect("a small number");
    if keyword.starts_with("min") {
        count >= limit
    } else {
        count <= limit
    }
}

fn is_type(value: &Value, kind: &Value) -> bool {
    match kind.as_str().expect("text") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type `{other}` is not known here"),
    }
}
