//! Case files.

use serde_json::{Value, json};

use super::{closed, keys, list, string};
use crate::cases::RECORDS_MAX;

/// The schema of a case file.
pub(super) fn root() -> Value {
    closed(
        keys([(
            "cases",
            list(&case()),
            "What the rule says to which records.",
        )]),
        &["cases"],
    )
}

fn case() -> Value {
    let count = json!({"type": "integer", "minimum": 0});
    let expected = closed(
        keys([
            ("rule", string(), "The rule, by id, name or title."),
            (
                "times",
                count,
                "How often it fires; at least once if absent.",
            ),
        ]),
        &["rule"],
    );
    let rules = json!({"type": "array", "items": {"anyOf": [string(), expected]}});
    let fires = json!({"anyOf": [{"type": "boolean"}, rules]});
    let mut case = closed(
        keys([
            (
                "name",
                string(),
                "What the case shows, as a sentence: `ten users from one address fire`.",
            ),
            (
                "fires",
                fires,
                "Whether a rule of the file fires; or the rules that do, and none besides. May be absent where `silent` is given.",
            ),
            (
                "silent",
                list(&string()),
                "Rules that must not fire, by id, name or title.",
            ),
            ("records", list(&step()), "What is judged, in this order."),
        ]),
        &["name", "records"],
    );
    case["anyOf"] = json!([{"required": ["fires"]}, {"required": ["silent"]}]);
    case["properties"]["records"]["minItems"] = 1.into();
    case
}

fn step() -> Value {
    let span =
        json!({"type": "string", "pattern": "^([0-9]+(s|m|h|d|w|M|y)|[0-9]+[.][0-9]{1,7}s)$"});
    let repeat = json!({"type": "integer", "minimum": 0, "maximum": RECORDS_MAX});
    let select = json!({"anyOf": [{"type": "integer", "minimum": 1}, string()]});
    let mut step = closed(
        keys([
            (
                "at",
                span.clone(),
                "Time from the zero of the case: `90s`, `1.5s`, `5m`; `0s` if absent.",
            ),
            ("repeat", repeat, "How often it comes; once if absent."),
            ("every", span, "Time between repeats."),
            (
                "record",
                json!({}),
                "One record as it is delivered. `${time}` in a text stands for its time, `${n}` for the number of the repeat from 0.",
            ),
            (
                "file",
                string(),
                "A file beside this one that holds the records.",
            ),
            (
                "select",
                select,
                "Which records of the file: the number from 1, a JSON pointer, or `field=value`.",
            ),
        ]),
        &[],
    );
    step["anyOf"] = json!([{"required": ["record"]}, {"required": ["file"]}]);
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_of_records_holds_a_record_or_a_file() {
        assert_eq!(step()["anyOf"].as_array().map(Vec::len), Some(2));
    }
}
