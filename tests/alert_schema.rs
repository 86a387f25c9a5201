//! The JSON Schema of `palisade.alert/1`, and an alert of the engine's against it.

use std::sync::Arc;

use palisade::demo::{self, RECORDING, RECORDING_NAME};
use palisade::topology::fold::Suppression;
use palisade::topology::offline::{Offline, Watermark};
use palisade_detect::alert::Alert;
use palisade_detect::time::Timestamp;
use serde_json::Value;

#[path = "support/page.rs"]
mod page;

fn schema() -> Value {
    schemars::schema_for!(Alert).to_value()
}

#[test]
fn the_schema_in_the_docs_is_that_of_the_code() {
    let mut text = serde_json::to_string_pretty(&schema()).expect("a schema is JSON");
    text.push('\n');
    page::compare("docs/alert.schema.json", &text);
}

/// What in `value` is not as `schema` says: missing members, unknown ones, other types.
fn problems(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = root
            .pointer(name.trim_start_matches('#'))
            .expect("a definition");
        return problems(root, target, value, at, found);
    }
    if let Some(choices) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        let fits = choices.iter().any(|choice| {
            let mut inside = Vec::new();
            problems(root, choice, value, at, &mut inside);
            inside.is_empty()
        });
        if !fits {
            found.push(format!("{at}: none of the choices"));
        }
        return;
    }
    if let Some(one) = schema.get("const")
        && one != value
    {
        found.push(format!("{at}: not {one}"));
    }
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{at}: a type that alerts do not have: {other}"),
    };
    let allowed = match &schema["type"] {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    };
    if !allowed {
        found.push(format!("{at}: type"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().expect("a name");
        if value.get(name).is_none() {
            found.push(format!("{at}: `{name}` is missing"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        match (
            schema["properties"].get(name),
            schema.get("additionalProperties"),
        ) {
            (Some(inner), _) => problems(root, inner, member, &format!("{at}.{name}"), found),
            (None, Some(inner)) if inner.is_object() => {
                problems(root, inner, member, &format!("{at}.{name}"), found);
            }
            (None, _) if schema.get("properties").is_some() => {
                found.push(format!("{at}: `{name}` is not in the schema"));
            }
            _ => {}
        }
    }
    if let (Some(inner), Some(items)) = (schema.get("items"), value.as_array()) {
        for (place, item) in items.iter().enumerate() {
            problems(root, inner, item, &format!("{at}[{place}]"), found);
        }
    }
}

#[test]
fn alerts_of_the_stages_are_as_the_schema_says() {
    let schema = schema();
    let engine = Arc::new(demo::engine().expect("the rules load"));
    let watermark = Watermark::StandsStill;
    let mut stages = Offline::new(engine, demo::traits(), watermark, Suppression::AsWritten)
        .expect("the folds take the correlations");
    let (path, received) = (Arc::from(RECORDING_NAME), Timestamp::from_unix_seconds(0));
    let mut judged = 0;
    for (offset, line) in (0..).zip(RECORDING.lines()) {
        let outcome = stages.record(&path, offset, Some(line.as_bytes()), received);
        for alert in outcome.expect("the folds take every step").alerts {
            let value = serde_json::from_slice(&alert.to_line()).expect("an alert is JSON");
            let mut found = Vec::new();
            problems(&schema, &schema, &value, &alert.rule.name, &mut found);
            assert!(found.is_empty(), "{}", found.join("\n"));
            judged += 1;
        }
    }
    assert!(judged >= 10, "{judged} alerts");
}

#[test]
fn an_alert_without_its_id_or_with_a_number_for_a_title_is_not() {
    let schema = schema();
    let mut found = Vec::new();
    let value = serde_json::json!({"schema": "palisade.alert/1", "title": 7, "extra": true});
    problems(&schema, &schema, &value, "alert", &mut found);
    for part in [
        "`alert_id` is missing",
        "alert.title: type",
        "`extra` is not in the schema",
    ] {
        assert!(
            found.iter().any(|problem| problem.contains(part)),
            "{part}: {found:?}"
        );
    }
}
