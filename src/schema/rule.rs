//! Rules, correlations and filters.

use palisade_detect::rule::modifier::NAMES;
use palisade_detect::rule::parse::{OPERATORS, type_names};
use palisade_detect::rule::{Level, Status};
use serde_json::{Map, Value, json};

use super::{closed, described, keys, list, one_of, one_or_list, string, timespan};

/// The schema of one document of a rule file.
pub(super) fn root() -> Value {
    let mut properties = meta();
    properties.extend(logic());
    json!({
        "type": "object",
        "properties": properties,
        "anyOf": [
            {"required": ["title", "logsource", "detection"]},
            {"required": ["title", "correlation"]},
            {"required": ["title", "logsource", "filter"]},
            {"required": ["action"]},
        ],
    })
}

/// What every kind of rule carries besides its logic.
#[expect(clippy::too_many_lines, reason = "a flat table")]
fn meta() -> Map<String, Value> {
    let texts = list(&string());
    let title = json!({"type": "string", "maxLength": 256});
    let name = json!({"type": "string", "minLength": 1});
    keys([
        (
            "title",
            title,
            "What the rule is called in alerts; 256 characters at most.",
        ),
        (
            "id",
            string(),
            "A UUID that no other rule has. It stays with the rule for good: alerts, exceptions and correlations name it.",
        ),
        (
            "name",
            name,
            "A short name by which correlations and cases refer to the rule, such as `azure_wrong_password`.",
        ),
        (
            "status",
            one_of(Status::ALL.map(Status::name)),
            "How far the rule can be trusted: `experimental` is new, `test` is mostly tested, `stable` is known to work, `deprecated` is replaced, `unsupported` cannot work.",
        ),
        (
            "description",
            string(),
            "What the attacker does and why it matters; then `Triage:` what to look at first, and the blind spots.",
        ),
        (
            "license",
            string(),
            "Licence of the rule, by its SPDX identifier.",
        ),
        ("author", string(), "Who wrote it."),
        (
            "references",
            texts.clone(),
            "Links to research on what is detected.",
        ),
        ("date", string(), "The day it was written: `2026-11-25`."),
        (
            "modified",
            string(),
            "The day it was last changed: `2026-11-25`.",
        ),
        (
            "tags",
            texts.clone(),
            "`attack.initial-access`, `attack.t1078.004`, `cve.2026-1234`. Coverage is counted by them.",
        ),
        (
            "falsepositives",
            texts,
            "Who does the same for a good reason.",
        ),
        (
            "level",
            one_of(Level::ALL.map(Level::name)),
            "How urgent an alert is; `medium` if absent. Rules of `informational` are parts of correlations.",
        ),
        (
            "fields",
            list(&string()),
            "Fields that an analyst should see.",
        ),
        (
            "related",
            list(&json!({"type": "object"})),
            "Rules that this one came from or replaces.",
        ),
        (
            "taxonomy",
            string(),
            "Names of fields that the rule uses; Sigma's own if absent.",
        ),
        (
            "scope",
            list(&string()),
            "Where the rule is meant to be used.",
        ),
        (
            "action",
            one_of(["global", "reset", "repeat"]),
            "Sigma 1 collections: what documents after this one take over.",
        ),
    ])
}

/// What decides.
fn logic() -> Map<String, Value> {
    keys([
        (
            "logsource",
            logsource(),
            "Which events the rule judges. Every part that is named must be equal; `palisade decode` shows what an event states.",
        ),
        (
            "detection",
            searches(&[], one_or_list(&string())),
            "Named searches, and a condition over them.",
        ),
        (
            "correlation",
            correlation(),
            "A condition over the matches of other rules in time.",
        ),
        (
            "filter",
            filter(),
            "An exception: a condition joined with AND to the rules that it names. To exclude something, write `not`.",
        ),
        (
            "generate",
            json!({"type": "boolean"}),
            "Whether the rules that a correlation refers to also alert on their own.",
        ),
        (
            "palisade",
            palisade(),
            "What Palisade knows besides Sigma. Other tools ignore it.",
        ),
    ])
}

fn logsource() -> Value {
    json!({
        "type": "object",
        "properties": keys([
            ("product", string(), "Whose log it is: `azure`, `windows`, `aws`."),
            ("category", string(), "Kind of log over products: `process_creation`, `firewall`."),
            ("service", string(), "Part of the product: `signinlogs`, `auditlogs`, `activitylogs`."),
            ("definition", string(), "What must be switched on for the log to be there."),
        ]),
        "anyOf": [{"required": ["product"]}, {"required": ["category"]}, {"required": ["service"]}],
    })
}

/// A section of searches with its condition and these other keys.
fn searches(others: &[(&str, Value)], condition: Value) -> Value {
    let condition = described(
        condition,
        "`selection and not filter`, `1 of selection_*`, `all of them`. A list means: any of these.",
    );
    let mut properties = Map::from_iter([("condition".to_owned(), condition)]);
    properties.extend(
        others
            .iter()
            .map(|(key, schema)| ((*key).to_owned(), schema.clone())),
    );
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    let modifiers = names.join("|");
    let scalar = json!({"type": ["string", "number", "boolean", "null"]});
    let entries = described(
        json!({
            "type": "object",
            "minProperties": 1,
            "patternProperties": {(format!("^[^|]*(\\|({modifiers}))*$")): one_or_list(&scalar)},
            "additionalProperties": false,
        }),
        &format!(
            "Entries that must all match: `field|modifier: value`, any of a list of values. Modifiers: `{}`.",
            names.join("`, `")
        ),
    );
    let parts = json!({"type": "array", "minItems": 1, "items": {"anyOf": [scalar, entries]}});
    let search = json!({"anyOf": [entries, parts, scalar]});
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": search,
        "required": ["condition"],
        "minProperties": 2,
    })
}

fn filter() -> Value {
    let rules = described(
        one_or_list(&string()),
        "Ids or names of the rules that the filter narrows; `any` means all of its log source.",
    );
    let mut filter = searches(&[("rules", rules)], string());
    filter["required"] = json!(["rules", "condition"]);
    filter["minProperties"] = 3.into();
    filter
}

fn correlation() -> Value {
    let mut bounds = keys([
        (
            "field",
            one_or_list(&string()),
            "The field whose values are counted or added up.",
        ),
        (
            "percentile",
            json!({"type": "number", "minimum": 0, "maximum": 100}),
            "Which percentile: 0 to 100.",
        ),
    ]);
    for (name, comparison) in OPERATORS {
        let text = format!("The value must be {comparison:?} this.").to_lowercase();
        bounds.insert(name.to_owned(), described(json!({"type": "number"}), &text));
    }
    let condition = json!({"anyOf": [closed(bounds, &[]), string()]});
    let aliases = json!({
        "type": "object",
        "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}},
    });
    json!({
        "type": "object",
        "properties": keys([
            ("type", one_of(type_names()), "What is computed over the window."),
            ("rules", one_or_list(&string()), "The rules whose matches count, by name or id."),
            ("group-by", one_or_list(&string()), "Fields or aliases whose values a group shares; without them there is one group."),
            ("timespan", timespan(), "Length of the window by event time: `10m`, `1h`, `1d`."),
            ("condition", condition, "`gte: 10`; for `temporal` also an expression over rule names."),
            ("aliases", aliases, "Names for fields that are called differently in each rule: alias to rule to field."),
            ("generate", json!({"type": "boolean"}), "Whether the rules also alert on their own."),
        ]),
        "required": ["type", "rules", "timespan"],
    })
}

/// House extensions: of rules, and of filters, which are exceptions.
fn palisade() -> Value {
    let suppress = closed(
        keys([
            (
                "for",
                timespan(),
                "So long after an alert repeats stay silent, by event time.",
            ),
            (
                "by",
                one_or_list(&string()),
                "Fields by which repeats are told apart; without them the rule is silent as a whole.",
            ),
        ]),
        &["for"],
    );
    closed(
        keys([
            (
                "suppress",
                json!({"anyOf": [{"const": "none"}, suppress]}),
                "How long repeats stay silent, or `none`.",
            ),
            (
                "title",
                string(),
                "Title of the alert, with fields in braces: `Spray from {IPAddress}`.",
            ),
            (
                "level_from",
                string(),
                "The field that holds the level, of rules that pass another product's alerts on.",
            ),
            (
                "external_id",
                string(),
                "The field that holds the other product's id.",
            ),
            (
                "owner",
                string(),
                "Of a filter: who answers for the exception.",
            ),
            (
                "reason",
                string(),
                "Of a filter: why the exception is right.",
            ),
            (
                "expires",
                string(),
                "Of a filter: the day, or time, from which it no longer holds: `2026-12-31`.",
            ),
        ]),
        &[],
    )
}
