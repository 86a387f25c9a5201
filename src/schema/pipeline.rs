//! Processing pipelines.

use palisade_detect::pipeline::{COMMON_KEYS, TRANSFORMATIONS};
use serde_json::{Map, Value, json};

use super::{closed, described, keys, list, one_of, one_or_list, string};

/// The schema of a pipeline.
pub(super) fn root() -> Value {
    let value = one_or_list(&json!({"type": ["string", "number", "boolean"]}));
    closed(
        keys([
            ("name", string(), "What it is called."),
            (
                "priority",
                json!({"type": "integer"}),
                "Pipelines are applied by ascending priority.",
            ),
            (
                "vars",
                json!({"type": "object", "additionalProperties": value}),
                "Values of placeholders, by name.",
            ),
            (
                "transformations",
                list(&json!({"anyOf": transformations()})),
                "What is done to every rule, in this order.",
            ),
            (
                "allowed_backends",
                list(&string()),
                "Known to pySigma; has no meaning here.",
            ),
        ]),
        &[],
    )
}

/// One schema a type, so that an editor offers its keys.
fn transformations() -> Vec<Value> {
    let rows = TRANSFORMATIONS.iter();
    rows.map(|(name, own)| {
        let mut properties = Map::new();
        for key in COMMON_KEYS {
            properties.insert(key.to_owned(), common(key));
        }
        for key in *own {
            properties.insert((*key).to_owned(), json!({}));
        }
        properties.insert(
            "type".to_owned(),
            described(json!({"const": name}), what(name)),
        );
        closed(properties, &["type"])
    })
    .collect()
}

/// A key that every transformation may have.
fn common(key: &str) -> Value {
    let condition = json!({"type": "object", "required": ["type"]});
    let list = |condition: &Value| {
        let named = json!({"type": "object", "additionalProperties": condition});
        json!({"anyOf": [list(condition), named]})
    };
    match key {
        "rule_conditions" => described(
            list(&condition),
            "Which rules it is for: `type: logsource` and the like.",
        ),
        "detection_item_conditions" => described(
            list(&condition),
            "Which entries it is for: `type: match_string` and the like.",
        ),
        "field_name_conditions" => described(
            list(&condition),
            "Which fields it is for: `type: include_fields` or `exclude_fields`.",
        ),
        key if key.ends_with("_op") => {
            described(one_of(["and", "or"]), "How the conditions are joined.")
        }
        key if key.ends_with("_expr") => described(
            string(),
            "An expression over the names that the conditions then have: `a and not b`.",
        ),
        key if key.ends_with("_not") => described(
            json!({"type": "boolean"}),
            "Whether the conditions are negated.",
        ),
        _ => described(string(), "By which later conditions refer to it."),
    }
}

/// What a type does; empty for one that has no text yet.
fn what(name: &str) -> &'static str {
    match name {
        "add_condition" => "Joins a search to the rule's condition with AND.",
        "add_field" | "remove_field" | "set_field" => {
            "Changes the list of output fields; no verdict changes."
        }
        "case" => "Changes values to lower or upper case.",
        "change_logsource" => "Gives the rule another log source.",
        "detection_item_failure" => "Refuses rules with the entries that it is for.",
        "drop_detection_item" => "Takes the entries out.",
        "field_name_mapping" => "Renames fields; several names mean that any of them may match.",
        "field_name_prefix" => "Puts text before names of fields.",
        "field_name_prefix_mapping" => "Replaces what names of fields begin with.",
        "field_name_suffix" => "Puts text behind names of fields.",
        "map_string" => "Replaces values.",
        "replace_string" => "Replaces parts of values by a regular expression.",
        "rule_failure" => "Refuses the rules that it is for.",
        "set_custom_attribute" => "Sets an attribute of the rule; no verdict changes.",
        "set_state" => "Leaves a state that later conditions can ask for.",
        "set_value" => "Replaces values by this one.",
        "value_placeholders" => "Replaces placeholders by the values of `vars`.",
        "wildcard_placeholders" => "Replaces placeholders by `*`.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_says_what_it_does() {
        for (name, _) in TRANSFORMATIONS {
            assert_ne!(what(name), "", "{name}");
        }
    }
}
