//! JSON Schemas of the files that people write, for completion and hover texts in editors.
//!
//! They are made from the tables that the readers use, so that they name what is read. A schema is
//! never stricter than the reader: what loads is valid. The other way round it cannot be exact, and
//! `palisade check` has the last word.
//!
//! Draft 7, which every editor knows.

use serde_json::{Map, Value, json};

pub mod rule;
pub mod cases;
pub mod pipeline;
pub mod config;

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Rules, correlations and filters.
    Rule,
    /// Cases beside a rule: `NAME.cases.yml`.
    Cases,
    /// Processing pipelines.
    Pipeline,
    /// The configuration: `palisade.yaml`.
    Config,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Rule, Self::Cases, Self::Pipeline, Self::Config];

    /// The name, as files and the command line have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Cases => "cases",
            Self::Pipeline => "pipeline",
            Self::Config => "config",
        }
    }
}

/// The schema of a kind.
pub fn schema(kind: Kind) -> Value {
    let (title, mut root) = match kind {
        Kind::Rule => ("Palisade rule", rule::root()),
        Kind::Cases => ("Palisade cases", cases::root()),
        Kind::Pipeline => ("Palisade pipeline", pipeline::root()),
        Kind::Config => ("Palisade configuration", config::root()),
    };
    root["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    root["title"] = title.into();
    root
}

/// The schema as a file.
pub fn text(kind: Kind) -> String {
    format!("{:#}\n", schema(kind))
}

/// A schema with its hover text.
fn described(mut schema: Value, text: &str) -> Value {
    schema["description"] = text.into();
    schema
}

fn string() -> Value {
    json!({"type": "string"})
}

/// Text of one of these words.
fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    let words: Vec<&str> = words.into_iter().collect();
    json!({"enum": words})
}

fn list(items: &Value) -> Value {
    json!({"type": "array", "items": items})
}

/// One, or a list of them.
fn one_or_list(item: &Value) -> Value {
    json!({"anyOf": [item, list(item)]})
}

/// A mapping with these keys and no others.
fn closed(properties: Map<String, Value>, required: &[&str]) -> Value {
    let mut schema = json!({"type": "object", "additionalProperties": false});
    schema["properties"] = properties.into();
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// Keys with their schemas and hover texts.
fn keys<const N: usize>(rows: [(&str, Value, &str); N]) -> Map<String, Value> {
    let rows = rows.into_iter();
    rows.map(|(key, schema, text)| (key.to_owned(), described(schema, text)))
        .collect()
}

/// A length of time as Sigma writes it.
fn timespan() -> Value {
    json!({"type": "string", "pattern": "^[0-9]+(s|m|h|d|w|M|y)$"})
}
