//! YAML to [`Pipeline`], with all problems at once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::Pipeline;
use super::conditions::{
    ATTRIBUTES, Conditions, FieldCondition, FieldList, ItemCondition, Join, Quantity,
    RuleCondition, RuleKind,
};
use super::names::{Renaming, Step};
use super::transform::{FailureOf, Kind, LetterCase, Selected, Transformation};
use super::words::{COMMON, FIELD_CONDITIONS, ITEM_CONDITIONS, KEYS, RULE_CONDITIONS, TYPES};
use crate::diagnostic::{Diagnostic, code, suggestion};
use crate::logsource::Logsource;
use crate::rule::Search;
use crate::rule::item::{Item, Number, REGEX_COMPILED_BYTES_MAX, RawValue, Target};
use crate::rule::modifier::{self, Modifier};
use crate::yaml::{self, Node, Yaml};

/// All pipelines of a file: one a document.
pub(super) fn pipelines(name: &str, bytes: &[u8]) -> Result<Vec<Pipeline>, Vec<Diagnostic>> {
    let documents = yaml::parse(name, bytes)?;
    let mut reader = Reader::default();
    let read = documents
        .iter()
        .map(|document| reader.pipeline(document))
        .collect();
    if reader.problems.is_empty() {
        Ok(read)
    } else {
        Err(reader.problems)
    }
}

/// Whether a name may be replaced by nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Empty {
    Allowed,
    Refused,
}

/// Collects problems, so that one does not hide the next.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) problems: Vec<Diagnostic>,
}

impl Reader {
    /// Reports what is wrong, and what to write instead.
    pub(super) fn advise(
        &mut self,
        at: &Node,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = Diagnostic::error(code::PIPELINE, &at.place, message);
        self.problems.push(problem.with_help(help));
    }

    fn pipeline(&mut self, node: &Node) -> Pipeline {
        let mut pipeline = Pipeline::default();
        let Some(map) = node.as_map() else {
            self.advise(
                node,
                format!("a pipeline is a mapping, not {}", node.type_name()),
                "write `transformations:` with a list below it",
            );
            return pipeline;
        };
        for (key, value) in map {
            match key.as_text() {
                Some("name" | "allowed_backends") => {}
                Some("priority") => match value.as_int().and_then(|int| i64::try_from(int).ok()) {
                    Some(priority) => pipeline.priority = priority,
                    None => self.advise(
                        value,
                        "`priority` is an integer",
                        "write a whole number such as `10`: lower ones run first",
                    ),
                },
                Some("vars") => pipeline.vars = self.vars(value),
                Some("transformations") => {
                    for item in self.list(value, "`transformations`") {
                        pipeline.transformations.extend(self.transformation(item));
                    }
                }
                Some("postprocessing" | "finalizers") => self.advise(
                    key,
                    "this changes the text of queries; rules are not turned into queries here",
                    "take it out",
                ),
                _ => self.unknown(key, "key of a pipeline", KEYS),
            }
        }
        pipeline
    }

    fn unknown<'a>(&mut self, key: &Node, what: &str, known: impl IntoIterator<Item = &'a str>) {
        let name = shown(key);
        let problem = Diagnostic::error(
            code::PIPELINE,
            &key.place,
            format!("unknown {what} `{name}`"),
        )
        .with_help(near(&name, known));
        self.problems.push(problem);
    }

    fn vars(&mut self, node: &Node) -> BTreeMap<String, Vec<String>> {
        let mut vars = BTreeMap::new();
        for (key, value) in self.map(node, "`vars`") {
            vars.insert(shown(key), names(value));
        }
        vars
    }

    fn transformation(&mut self, node: &Node) -> Option<Transformation> {
        let found = self.problems.len();
        let map = self.map(node, "a transformation");
        let Some(kind_node) = node.get("type") else {
            return self.refuse(
                node,
                "a transformation needs a `type`",
                "add one, such as `type: field_name_mapping`",
            );
        };
        let name = shown(kind_node);
        let Some((_, own)) = TYPES.iter().find(|(known, _)| *known == name) else {
            self.unknown(
                kind_node,
                "type of transformation",
                TYPES.iter().map(|(known, _)| *known),
            );
            return None;
        };
        for (key, _) in map {
            let known = key
                .as_text()
                .is_some_and(|key| COMMON.contains(&key) || own.contains(&key));
            if !known {
                let what = format!("key of `{name}`");
                self.unknown(key, &what, COMMON.iter().chain(*own).copied());
            }
        }
        let rules = self.conditions(node, "rule", Self::rule_condition);
        let items = self.conditions(node, "detection_item", Self::item_condition);
        let fields = self.conditions(node, "field_name", Self::field_condition);
        let kind = self.kind(&name, node, &fields)?;
        let id = node.get("id").map(shown);
        (self.problems.len() == found).then_some(Transformation {
            id,
            kind,
            rules,
            items,
            fields,
        })
    }

    fn kind(
        &mut self,
        name: &str,
        node: &Node,
        fields: &Conditions<FieldCondition>,
    ) -> Option<Kind> {
        let rename = |renaming| {
            Kind::Rename(Arc::new(Step {
                renaming,
                fields: fields.clone(),
            }))
        };
        Some(match name {
            "field_name_mapping" => rename(Renaming::Mapping(self.mapping(node, Empty::Refused)?)),
            "field_name_prefix_mapping" => {
                rename(Renaming::PrefixMapping(self.mapping(node, Empty::Allowed)?))
            }
            "field_name_prefix" => rename(Renaming::Prefix(self.text(node, "prefix")?)),
            "field_name_suffix" => rename(Renaming::Suffix(self.text(node, "suffix")?)),
            "drop_detection_item" => Kind::DropItem,
            "add_condition" => self.add_condition(node)?,
            "change_logsource" => Kind::ChangeLogsource(logsource(node)),
            "replace_string" => self.replace_string(node)?,
            "map_string" => self.map_string(node)?,
            "set_value" => {
                let value = self.required(node, "value")?;
                Kind::SetValue(self.raw(value)?)
            }
            "case" => match self.text(node, "method")?.as_str() {
                "lower" => Kind::Case(LetterCase::Lower),
                "upper" => Kind::Case(LetterCase::Upper),
                _ => {
                    let at = node.get("method").unwrap_or(node);
                    return self.refuse(
                        at,
                        "`method` is `lower` or `upper`",
                        "write one of the two",
                    );
                }
            },
            "set_state" => Kind::SetState {
                key: self.text(node, "key")?,
                value: self.text(node, "val")?,
            },
            "rule_failure" => Kind::Failure {
                message: message(node),
                of: FailureOf::Rule,
            },
            "detection_item_failure" => Kind::Failure {
                message: message(node),
                of: FailureOf::Item,
            },
            "value_placeholders" | "wildcard_placeholders" => Kind::Placeholders {
                which: Selected {
                    include: node.get("include").map(names),
                    exclude: node.get("exclude").map(names).unwrap_or_default(),
                },
                wildcard: name == "wildcard_placeholders",
            },
            // Lists of output fields and free attributes change no verdict.
            _ => Kind::Nothing,
        })
    }

    fn mapping(&mut self, node: &Node, empty: Empty) -> Option<Vec<(String, Vec<String>)>> {
        let mapping = self.required(node, "mapping")?;
        let entries = self.map(mapping, "`mapping`");
        let mut out = Vec::with_capacity(entries.len());
        for (from, to) in entries {
            let paths = names(to);
            // A prefix is taken away by an empty text; a key without a value is a slip.
            let nothing = |path: &String| path.is_empty();
            let stripped = empty == Empty::Allowed && to.as_text().is_some_and(str::is_empty);
            if !stripped && (paths.is_empty() || paths.iter().any(nothing)) {
                self.advise(
                    to,
                    "a field is mapped to a name or a list of names",
                    "write the name that the field has in events",
                );
            }
            out.push((shown(from), paths));
        }
        Some(out)
    }

    fn add_condition(&mut self, node: &Node) -> Option<Kind> {
        if node.get("template").and_then(Node::as_bool) == Some(true) {
            return self.refuse(
                node,
                "`template: true` is not supported",
                "take it out, and write the values out",
            );
        }
        let conditions = self.required(node, "conditions")?;
        let entries = self.map(conditions, "`conditions`");
        let mut parts = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            parts.push(Search::Item(self.item(key, value)?));
        }
        let negated = node.get("negated").and_then(Node::as_bool).unwrap_or(false);
        Some(Kind::AddCondition {
            search: Search::AllOf(parts),
            negated,
        })
    }

    fn item(&mut self, key: &Node, value: &Node) -> Option<Item> {
        let name = shown(key);
        let mut parts = name.split('|');
        let field = parts.next().unwrap_or_default().to_owned();
        let mut modifiers = Vec::new();
        for part in parts {
            if let Some(modifier) = Modifier::of(part) {
                modifiers.push(modifier);
            } else {
                let known = modifier::NAMES.iter().map(|(name, _)| *name);
                return self.refuse(key, format!("unknown modifier `{part}`"), near(part, known));
            }
        }
        let nodes = value
            .as_seq()
            .map_or_else(|| vec![value], |list| list.iter().collect());
        let values = nodes
            .into_iter()
            .map(|node| self.raw(node))
            .collect::<Option<_>>()?;
        let item = Item {
            target: Target::Fields(vec![field]),
            modifiers,
            values,
            place: key.place.clone(),
        };
        match item.meaning() {
            Ok(_) => Some(item),
            Err(mut problems) => {
                self.problems.append(&mut problems);
                None
            }
        }
    }

    fn replace_string(&mut self, node: &Node) -> Option<Kind> {
        for key in ["skip_special", "interpret_special"] {
            if node.get(key).and_then(Node::as_bool) == Some(true) {
                return self.refuse(
                    node,
                    format!("`{key}: true` is not supported"),
                    "take it out; `*` and `?` in `regex` are written with a backslash",
                );
            }
        }
        let regex = self.required(node, "regex")?;
        let regex = self.expression(regex, &shown(regex), "")?;
        let replacement = python_replacement(&self.text(node, "replacement")?);
        Some(Kind::ReplaceString { regex, replacement })
    }

    fn map_string(&mut self, node: &Node) -> Option<Kind> {
        let mapping = self.required(node, "mapping")?;
        let mut out = Vec::new();
        for (from, to) in self.map(mapping, "`mapping`") {
            let nodes = to
                .as_seq()
                .map_or_else(|| vec![to], |list| list.iter().collect());
            let values = nodes
                .into_iter()
                .map(|node| self.raw(node))
                .collect::<Option<_>>()?;
            out.push((shown(from), values));
        }
        Some(Kind::MapString(out))
    }

    /// Conditions of one kind, with their join and negation.
    fn conditions<C>(
        &mut self,
        node: &Node,
        kind: &str,
        read: impl Fn(&mut Self, &Node, &str) -> Option<C>,
    ) -> Conditions<C> {
        let stem = if kind == "rule" {
            "rule_cond"
        } else {
            &format!("{kind}_cond")
        };
        let mut conditions = Conditions::default();
        if let Some(join) = node.get(&format!("{stem}_op")) {
            match join.as_text() {
                Some("and") => {}
                Some("or") => conditions.join = Join::Or,
                _ => self.advise(
                    join,
                    "conditions are joined by `and` or `or`",
                    "write one of the two",
                ),
            }
        }
        if let Some(negated) = node.get(&format!("{stem}_not")) {
            match negated.as_bool() {
                Some(truth) => conditions.negated = truth,
                None => self.advise(
                    negated,
                    format!(
                        "this is neither `true` nor `false`, but {}",
                        negated.type_name()
                    ),
                    "write `true` or `false` without quotes",
                ),
            }
        }
        let joined = self.joined(node, kind, stem);
        conditions.expression = joined.expression;
        for entry in joined.entries {
            let Some(name) = entry.get("type").map(shown) else {
                self.advise(
                    entry,
                    "a condition needs a `type`",
                    "add one, such as `type: logsource`",
                );
                continue;
            };
            conditions.list.extend(read(self, entry, &name));
        }
        conditions
    }

    fn rule_condition(&mut self, node: &Node, name: &str) -> Option<RuleCondition> {
        Some(match name {
            "logsource" => RuleCondition::Logsource(logsource(node)),
            "contains_detection_item" | "contains_field" => RuleCondition::ContainsItem {
                field: self.text(node, "field")?,
                value: node.get("value").map(shown),
            },
            "processing_item_applied" => {
                RuleCondition::Applied(self.text(node, "processing_item_id")?)
            }
            "processing_state" => RuleCondition::State {
                key: self.text(node, "key")?,
                value: self.text(node, "val")?,
            },
            "is_sigma_rule" => RuleCondition::Kind(RuleKind::Detection),
            "is_sigma_correlation_rule" => RuleCondition::Kind(RuleKind::Correlation),
            "tag" => RuleCondition::Tag(self.text(node, "tag")?),
            "rule_attribute" => {
                let attribute = self.text(node, "attribute")?;
                if node.get("op").is_some_and(|op| op.as_text() != Some("eq")) {
                    return self.refuse(
                        node.get("op").unwrap_or(node),
                        "of `rule_attribute` only `op: eq` is supported",
                        "take `op` out, and write a condition for each value",
                    );
                }
                if !ATTRIBUTES.contains(&attribute.as_str()) {
                    let message = format!("unknown attribute `{attribute}`");
                    let help = near(&attribute, ATTRIBUTES.iter().copied());
                    return self.refuse(node.get("attribute").unwrap_or(node), message, help);
                }
                RuleCondition::Attribute {
                    attribute,
                    value: self.text(node, "value")?,
                }
            }
            _ => return self.unsupported(node, ("rule", name), &RULE_CONDITIONS),
        })
    }

    fn item_condition(&mut self, node: &Node, name: &str) -> Option<ItemCondition> {
        let quantity = match node.get("cond").and_then(Node::as_text) {
            Some("all") => Quantity::All,
            None | Some("any") => Quantity::Any,
            Some(_) => {
                let at = node.get("cond").unwrap_or(node);
                return self.refuse(at, "`cond` is `any` or `all`", "write one of the two");
            }
        };
        Some(match name {
            "match_string" => {
                let pattern = self.required(node, "pattern")?;
                ItemCondition::MatchString {
                    pattern: self.expression(pattern, &shown(pattern), "^")?,
                    quantity,
                    negated: node.get("negate").and_then(Node::as_bool).unwrap_or(false),
                }
            }
            "is_null" => ItemCondition::IsNull(quantity),
            "contains_wildcard" => ItemCondition::ContainsWildcard(quantity),
            _ => return self.unsupported(node, ("entry", name), &ITEM_CONDITIONS),
        })
    }

    fn field_condition(&mut self, node: &Node, name: &str) -> Option<FieldCondition> {
        let at = self.required(node, "fields")?;
        let fields = names(at);
        let list = match node.get("mode").and_then(Node::as_text) {
            None | Some("plain") => FieldList::Plain(fields),
            Some("re" | "regex") => {
                let expressions = fields.iter().map(|text| self.expression(at, text, "^"));
                FieldList::Expressions(expressions.collect::<Option<_>>()?)
            }
            Some(_) => {
                let at = node.get("mode").unwrap_or(node);
                return self.refuse(at, "`mode` is `plain` or `re`", "write one of the two");
            }
        };
        match name {
            "include_fields" => Some(FieldCondition::Include(list)),
            "exclude_fields" => Some(FieldCondition::Exclude(list)),
            _ => self.unsupported(node, ("field", name), &FIELD_CONDITIONS),
        }
    }

    /// Reports a condition that there is none of.
    fn unsupported<T>(
        &mut self,
        node: &Node,
        (what, name): (&str, &str),
        known: &[&'static str],
    ) -> Option<T> {
        let message = format!("unsupported {what} condition `{name}`");
        let help = near(name, known.iter().copied());
        self.refuse(node.get("type").unwrap_or(node), message, help)
    }

    /// As [`Self::advise`], where nothing comes of it.
    fn refuse<T>(
        &mut self,
        at: &Node,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.advise(at, message, help);
        None
    }

    fn required<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n Node> {
        let found = node.get(key);
        if found.is_none() {
            self.advise(node, format!("`{key}` is missing"), format!("add `{key}:`"));
        }
        found
    }

    fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        let value = self.required(node, key)?;
        if value.is_scalar() {
            Some(shown(value))
        } else {
            let message = format!("`{key}` is a text, not {}", value.type_name());
            self.refuse(value, message, "write a single text")
        }
    }

    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Some(list) = node.as_seq() {
            return list;
        }
        if !node.is_null() {
            let message = format!("{what} is a list, not {}", node.type_name());
            self.advise(node, message, "write each element behind a dash of its own");
        }
        &[]
    }

    pub(super) fn map<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Node, Node)] {
        if let Some(map) = node.as_map() {
            return map;
        }
        self.advise(
            node,
            format!("{what} is a mapping, not {}", node.type_name()),
            "write keys with their values, each on a line of its own",
        );
        &[]
    }

    fn expression(&mut self, at: &Node, text: &str, anchor: &str) -> Option<Regex> {
        let anchored = if anchor.is_empty() {
            Cow::Borrowed(text)
        } else {
            format!("{anchor}(?:{text})").into()
        };
        match RegexBuilder::new(&anchored)
            .size_limit(REGEX_COMPILED_BYTES_MAX)
            .build()
        {
            Ok(regex) => Some(regex),
            Err(error) => {
                // What the library says about syntax is a drawing of several lines.
                let what = error.to_string();
                let what = what.lines().last().unwrap_or_default();
                self.refuse(
                    at,
                    format!("invalid expression: {}", what.trim_start_matches("error: ")),
                    "put a backslash before what is meant literally, and close all brackets",
                )
            }
        }
    }

    fn raw(&mut self, node: &Node) -> Option<RawValue> {
        Some(match &node.value {
            Yaml::Null => RawValue::Null,
            Yaml::Bool(truth) => RawValue::Bool(*truth),
            Yaml::Int(int) => RawValue::Number(Number::Int(*int)),
            Yaml::Float(float) => RawValue::Number(Number::Float(*float)),
            Yaml::Text(text) => RawValue::Text(text.clone()),
            Yaml::Seq(_) | Yaml::Map(_) => {
                let message = format!("a value cannot be {}", node.type_name());
                return self.refuse(node, message, "write a single value");
            }
        })
    }
}

/// Help that names what was meant, or all that is known.
fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    suggestion(name, known.iter().copied())
        .unwrap_or_else(|| format!("write one of `{}`", known.join("`, `")))
}

fn message(node: &Node) -> String {
    node.get("message")
        .map_or_else(|| "not supported".to_owned(), shown)
}

fn logsource(node: &Node) -> Logsource {
    let part = |key| node.get_some(key).map(|value| Cow::Owned(shown(value)));
    Logsource {
        product: part("product"),
        service: part("service"),
        category: part("category"),
    }
}

/// One name or a list of names.
fn names(node: &Node) -> Vec<String> {
    match node.as_seq() {
        Some(list) => list.iter().map(shown).collect(),
        None => vec![shown(node)],
    }
}

/// A scalar as text; nothing for lists and mappings.
fn shown(node: &Node) -> String {
    match &node.value {
        Yaml::Bool(truth) => truth.to_string(),
        Yaml::Int(int) => int.to_string(),
        Yaml::Float(float) => float.to_string(),
        Yaml::Text(text) => text.clone(),
        Yaml::Null | Yaml::Seq(_) | Yaml::Map(_) => String::new(),
    }
}

/// Python's `\1` and `\g<name>` as this crate's `${1}` and `${name}`; a dollar sign stands for itself.
fn python_replacement(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.peek() {
                Some(digit) if digit.is_ascii_digit() => {
                    out.push_str("${");
                    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                        out.push(digit);
                    }
                    out.push('}');
                }
                Some('g') => {
                    chars.next();
                    let name: String = chars
                        .by_ref()
                        .skip_while(|c| *c == '<')
                        .take_while(|c| *c != '>')
                        .collect();
                    out.push_str("${");
                    out.push_str(&name);
                    out.push('}');
                }
                Some('\\') => {
                    chars.next();
                    out.push('\\');
                }
                _ => out.push('\\'),
            },
            _ => out.push(c),
        }
    }
    out
}
