//! The configuration, from the table of options.

use serde_json::{Map, Value, json};

use super::{described, list, one_or_list};
use crate::config::CheckLevel;
use crate::config::options::{Default, Kind, ROWS, Row, Section};

/// Where a variable of the environment stands for a value.
const VARIABLE: &str = "\\$\\{";

/// The schema of the configuration.
pub(super) fn root() -> Value {
    section(&[Section::Top])
}

/// A mapping with the keys of these sections.
fn section(sections: &[Section]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for row in ROWS.iter().filter(|row| sections.contains(&row.section)) {
        let text = match row.default {
            Default::Required => {
                required.push(row.key);
                row.what.to_owned()
            }
            Default::Absent(text) => format!("{}\n\nDefault: {text}.", row.what),
            Default::Value(text) => format!("{}\n\nDefault: `{text}`.", row.what),
        };
        properties.insert(row.key.to_owned(), described(value(row), &text));
    }
    super::closed(properties, &required)
}

/// What is written as the value of an option.
fn value(row: &Row) -> Value {
    let or_variable =
        |schema: Value| json!({"anyOf": [schema, {"type": "string", "pattern": VARIABLE}]});
    let text =
        |pattern: &str| json!({"type": "string", "pattern": format!("{pattern}|{VARIABLE}")});
    match row.kind {
        Kind::Text | Kind::Path | Kind::Address => json!({"type": "string"}),
        Kind::Duration => text("^[0-9]+ *(ms|s|m|h|d|w)$"),
        Kind::DurationOrOff => text("^([0-9]+ *(ms|s|m|h|d|w)|off)$"),
        Kind::Time => text("^[0-9]{4}-[0-9]{2}-[0-9]{2}T"),
        Kind::Size => json!({"anyOf": [
            {"type": "integer", "minimum": 0},
            text("^[0-9]+ *([kMGT]B|[KMGT]iB)?$"),
        ]}),
        Kind::Number => or_variable(json!({"type": "integer", "minimum": 0})),
        Kind::Share => json!({"anyOf": [{"type": "number"}, text("^[0-9.]+ *%?$")]}),
        Kind::Bool => or_variable(json!({"type": "boolean"})),
        Kind::Choice(words) => or_variable(json!({"enum": words})),
        Kind::Texts | Kind::Paths => one_or_list(&json!({"type": "string"})),
        Kind::Secret => json!({"anyOf": [
            {"type": "string", "pattern": "^(\\$\\{.+\\}|file:.+)$"},
            {"type": "object", "properties": {"env": {"type": "string"}}, "required": ["env"], "additionalProperties": false},
            {"type": "object", "properties": {"file": {"type": "string"}}, "required": ["file"], "additionalProperties": false},
        ]}),
        Kind::Nested(_) => nested(row).unwrap_or_else(|| json!({})),
    }
}

/// What stands under an option that has sections of its own; `None` for one that is not known here.
fn nested(row: &Row) -> Option<Value> {
    let string = json!({"type": "string"});
    Some(match (row.section, row.key) {
        (Section::Top, "rules") => {
            json!({"anyOf": [section(&[Section::Rules]), one_or_list(&string)]})
        }
        (Section::Top, "pipelines") => {
            json!({"anyOf": [section(&[Section::Pipelines]), list(&string)]})
        }
        (Section::Top, "state") => section(&[Section::State]),
        (Section::Top, "snapshots") => section(&[Section::Snapshots]),
        (Section::Top, "http") => section(&[Section::Http]),
        (Section::Top, "dead_letters") => section(&[Section::DeadLetters]),
        (Section::Top, "reload") => section(&[Section::Reload]),
        (Section::Top, "log") => section(&[Section::Log]),
        (Section::Top, "check") => section(&[Section::Check]),
        (Section::Check, "levels") => json!({
            "type": "object",
            "propertyNames": {"pattern": "^PAL[0-9]{4}$"},
            "additionalProperties": {"enum": CheckLevel::ALL.map(|(word, _)| word)},
        }),
        (Section::Top, "sources") => by_type(&[
            (
                "kafka",
                &[Section::Source, Section::KafkaSource, Section::KafkaClient],
            ),
            ("file", &[Section::Source, Section::FileSource]),
        ]),
        (Section::Top, "sinks") => by_type(&[
            (
                "kafka",
                &[Section::Sink, Section::KafkaSink, Section::KafkaClient],
            ),
            ("file", &[Section::Sink, Section::FileSink]),
            ("stdout", &[Section::Sink, Section::StdoutSink]),
        ]),
        (Section::Rules, "paths") => {
            let path = json!({"anyOf": [string, section(&[Section::RulePath])]});
            one_or_list(&path)
        }
        (Section::Rules, "overrides") => {
            json!({"type": "object", "additionalProperties": section(&[Section::Override])})
        }
        (Section::Override, "suppress") => {
            json!({"anyOf": [{"const": "none"}, section(&[Section::Suppress])]})
        }
        (Section::State, "retention") => section(&[Section::Retention]),
        (Section::Source, "unknown") => section(&[Section::Unknown]),
        (Section::Source, "logsource") => section(&[Section::Logsource]),
        (Section::KafkaSource, "start") => {
            json!({"anyOf": [{"enum": ["earliest", "latest"]}, section(&[Section::Start])]})
        }
        (Section::KafkaClient, "tls") => {
            json!({"anyOf": [{"type": "boolean"}, section(&[Section::Tls])]})
        }
        (Section::KafkaClient, "sasl") => section(&[Section::Sasl]),
        (Section::KafkaClient, "properties") => {
            json!({"type": "object", "additionalProperties": {"type": "string"}})
        }
        (Section::DeadLetters, "breaker") => section(&[Section::Breaker]),
        _ => return None,
    })
}

/// A list of mappings whose `type` says which keys they have.
fn by_type(kinds: &[(&str, &[Section])]) -> Value {
    let kinds = kinds.iter().map(|(name, sections)| {
        let mut schema = section(sections);
        let what = schema["properties"]["type"]["description"].take();
        schema["properties"]["type"] = json!({"const": name, "description": what});
        schema
    });
    list(&json!({"anyOf": kinds.collect::<Vec<_>>()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_with_a_section_of_its_own_is_known() {
        for row in ROWS
            .iter()
            .filter(|row| matches!(row.kind, Kind::Nested(_)))
        {
            assert!(nested(row).is_some(), "`{}` of {:?}", row.key, row.section);
        }
    }

    #[test]
    fn every_option_can_be_reached_from_the_root() {
        let text = root().to_string();
        for row in ROWS {
            let what = Value::from(row.what).to_string();
            let what = what.trim_matches('"');
            assert!(text.contains(what), "`{}` of {:?}", row.key, row.section);
        }
    }
}
