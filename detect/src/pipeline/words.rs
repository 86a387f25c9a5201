//! The words of pySigma's pipelines that are understood here.

/// Keys of a pipeline.
pub(super) const KEYS: [&str; 5] = [
    "name",
    "priority",
    "vars",
    "transformations",
    "allowed_backends",
];

/// Keys that every transformation may have beside its own.
pub const COMMON: [&str; 14] = [
    "id",
    "type",
    "rule_conditions",
    "rule_cond_op",
    "rule_cond_not",
    "rule_cond_expr",
    "detection_item_conditions",
    "detection_item_cond_op",
    "detection_item_cond_not",
    "detection_item_cond_expr",
    "field_name_conditions",
    "field_name_cond_op",
    "field_name_cond_not",
    "field_name_cond_expr",
];

/// Types of transformations with the keys that each may have.
pub const TYPES: &[(&str, &[&str])] = &[
    (
        "add_condition",
        &["conditions", "name", "negated", "template"],
    ),
    ("add_field", &["field"]),
    ("case", &["method"]),
    ("change_logsource", &["category", "product", "service"]),
    ("detection_item_failure", &["message"]),
    ("drop_detection_item", &[]),
    ("field_name_mapping", &["mapping"]),
    ("field_name_prefix", &["prefix"]),
    ("field_name_prefix_mapping", &["mapping"]),
    ("field_name_suffix", &["suffix"]),
    ("map_string", &["mapping"]),
    ("remove_field", &["field"]),
    (
        "replace_string",
        &["regex", "replacement", "skip_special", "interpret_special"],
    ),
    ("rule_failure", &["message"]),
    ("set_custom_attribute", &["attribute", "value"]),
    ("set_field", &["fields"]),
    ("set_state", &["key", "val"]),
    ("set_value", &["value", "force_type"]),
    ("value_placeholders", &["include", "exclude"]),
    ("wildcard_placeholders", &["include", "exclude"]),
];

/// Types of conditions on rules.
pub(super) const RULE_CONDITIONS: [&str; 9] = [
    "contains_detection_item",
    "contains_field",
    "is_sigma_correlation_rule",
    "is_sigma_rule",
    "logsource",
    "processing_item_applied",
    "processing_state",
    "rule_attribute",
    "tag",
];

/// Types of conditions on entries.
pub(super) const ITEM_CONDITIONS: [&str; 3] = ["contains_wildcard", "is_null", "match_string"];

/// Types of conditions on names of fields.
pub(super) const FIELD_CONDITIONS: [&str; 2] = ["exclude_fields", "include_fields"];
