//! Which rules, entries and fields a transformation is for.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::logsource::Logsource;
use crate::rule::item::{Item, RawValue, Target};
use crate::rule::{Expr, Meta, Search};

/// How several conditions are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Join {
    /// All must hold.
    #[default]
    And,
    /// One must hold.
    Or,
}

/// Conditions of one kind with their join and negation. Without conditions everything is selected.
#[derive(Debug, Clone)]
pub(super) struct Conditions<C> {
    pub(super) list: Vec<C>,
    pub(super) join: Join,
    pub(super) negated: bool,
    /// Joins them in place of `join`, by their places.
    pub(super) expression: Option<Expr>,
}

impl<C> Default for Conditions<C> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            join: Join::And,
            negated: false,
            expression: None,
        }
    }
}

/// Whether an expression over these conditions holds.
fn meets<C>(expression: &Expr, list: &[C], holds: &mut dyn FnMut(&C) -> bool) -> bool {
    match expression {
        Expr::Search(at) => list.get(*at).is_some_and(holds),
        Expr::Not(inner) => !meets(inner, list, holds),
        Expr::And(parts) => parts.iter().all(|part| meets(part, list, holds)),
        Expr::Or(parts) => parts.iter().any(|part| meets(part, list, holds)),
        Expr::AtLeast(least, parts) => {
            let met = parts.iter().filter(|part| meets(part, list, holds));
            met.count() >= *least
        }
    }
}

impl<C> Conditions<C> {
    fn hold(&self, mut holds: impl FnMut(&C) -> bool) -> bool {
        if let Some(expression) = &self.expression {
            return meets(expression, &self.list, &mut holds);
        }
        let joined = match self.join {
            _ if self.list.is_empty() => true,
            Join::And => self.list.iter().all(&mut holds),
            Join::Or => self.list.iter().any(&mut holds),
        };
        joined != self.negated
    }
}

/// What a rule condition may look at.
#[derive(Debug)]
pub(super) struct RuleView<'a> {
    pub(super) kind: RuleKind,
    pub(super) meta: &'a Meta,
    pub(super) logsource: &'a Logsource,
    pub(super) searches: Vec<&'a Search>,
    pub(super) applied: &'a BTreeSet<String>,
    pub(super) state: &'a BTreeMap<String, String>,
}

/// Kinds of rules that pipelines tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleKind {
    Detection,
    Correlation,
}

/// One entry of `rule_conditions`.
#[derive(Debug, Clone)]
pub(super) enum RuleCondition {
    /// Every part that is named is equal in the rule.
    Logsource(Logsource),
    /// An entry has this field and, if given, this value.
    ContainsItem {
        field: String,
        value: Option<String>,
    },
    /// A transformation of this id was applied to the rule before.
    Applied(String),
    /// A state that `set_state` left.
    State { key: String, value: String },
    /// The rule is of this kind.
    Kind(RuleKind),
    /// The rule carries this tag.
    Tag(String),
    /// An attribute of the rule has this value.
    Attribute { attribute: String, value: String },
}

/// Conditions on rules.
pub(super) type RuleConditions = Conditions<RuleCondition>;

impl RuleConditions {
    pub(super) fn select(&self, rule: &RuleView<'_>) -> bool {
        self.hold(|condition| condition.holds(rule))
    }
}

impl RuleCondition {
    fn holds(&self, rule: &RuleView<'_>) -> bool {
        match self {
            Self::Logsource(asked) => asked.covers(rule.logsource),
            Self::ContainsItem { field, value } => rule
                .searches
                .iter()
                .any(|search| contains_item(search, field, value.as_deref())),
            Self::Applied(id) => rule.applied.contains(id),
            Self::State { key, value } => rule.state.get(key) == Some(value),
            Self::Kind(kind) => rule.kind == *kind,
            Self::Tag(tag) => rule.meta.tags.contains(tag),
            Self::Attribute { attribute, value } => {
                attribute_of(rule.meta, attribute).as_deref() == Some(value.as_str())
            }
        }
    }
}

/// Names that `rule_attribute` knows.
pub(super) const ATTRIBUTES: [&str; 6] = ["author", "id", "level", "name", "status", "title"];

fn attribute_of(meta: &Meta, attribute: &str) -> Option<String> {
    match attribute {
        "author" => meta.author.clone(),
        "id" => meta.id.clone(),
        "level" => meta.level.map(|level| level.name().to_owned()),
        "name" => meta.name.clone(),
        "status" => meta.status.map(|status| status.name().to_owned()),
        "title" => Some(meta.title.clone()),
        _ => None,
    }
}

fn contains_item(search: &Search, field: &str, value: Option<&str>) -> bool {
    match search {
        Search::AllOf(parts) | Search::AnyOf(parts) => {
            parts.iter().any(|part| contains_item(part, field, value))
        }
        Search::Item(item) => {
            let named = match &item.target {
                Target::Keywords => false,
                Target::Fields(fields) => fields.iter().any(|name| name == field),
            };
            named
                && value.is_none_or(|wanted| {
                    item.values
                        .iter()
                        .any(|value| raw_text(value).eq_ignore_ascii_case(wanted))
                })
        }
    }
}

/// A value as text, as rules write it.
pub(super) fn raw_text(value: &RawValue) -> String {
    match value {
        RawValue::Text(text) => text.clone(),
        RawValue::Number(number) => number.text(),
        RawValue::Bool(truth) => truth.to_string(),
        RawValue::Paths(paths) => paths.join(","),
        RawValue::List(list) => list.name.clone(),
        RawValue::Null => String::new(),
    }
}

/// One entry of `field_name_conditions`.
#[derive(Debug, Clone)]
pub(super) enum FieldCondition {
    /// The name is among these.
    Include(FieldList),
    /// The name is not among these; an entry without a field has none of them.
    Exclude(FieldList),
}

/// Names, plain or as expressions.
#[derive(Debug, Clone)]
pub(super) enum FieldList {
    /// Exact names.
    Plain(Vec<String>),
    /// Expressions, matched from the name's start.
    Expressions(Vec<Regex>),
}

impl FieldList {
    fn contains(&self, name: &str) -> bool {
        match self {
            Self::Plain(names) => names.iter().any(|listed| listed == name),
            Self::Expressions(list) => list.iter().any(|expression| expression.is_match(name)),
        }
    }
}

/// Conditions on field names.
pub(super) type FieldConditions = Conditions<FieldCondition>;

impl FieldConditions {
    /// Whether a field is selected; `None` stands for keywords.
    pub(super) fn select(&self, name: Option<&str>) -> bool {
        self.hold(|condition| match condition {
            FieldCondition::Include(list) => name.is_some_and(|name| list.contains(name)),
            FieldCondition::Exclude(list) => !name.is_some_and(|name| list.contains(name)),
        })
    }

    /// Whether one of an entry's fields is selected.
    pub(super) fn select_item(&self, item: &Item) -> bool {
        match &item.target {
            Target::Keywords => self.select(None),
            Target::Fields(fields) => fields.iter().any(|field| self.select(Some(field))),
        }
    }
}

/// One entry of `detection_item_conditions`.
#[derive(Debug, Clone)]
pub(super) enum ItemCondition {
    /// Values match an expression from their start.
    MatchString {
        pattern: Regex,
        quantity: Quantity,
        negated: bool,
    },
    /// Values are null.
    IsNull(Quantity),
    /// Values hold a wildcard.
    ContainsWildcard(Quantity),
}

/// How many of an entry's values must meet a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    Any,
    All,
}

impl Quantity {
    fn of(self, item: &Item, mut holds: impl FnMut(&RawValue) -> bool) -> bool {
        match self {
            Self::Any => item.values.iter().any(&mut holds),
            Self::All => item.values.iter().all(&mut holds),
        }
    }
}

/// Conditions on entries.
pub(super) type ItemConditions = Conditions<ItemCondition>;

impl ItemConditions {
    pub(super) fn select(&self, item: &Item) -> bool {
        self.hold(|condition| match condition {
            ItemCondition::MatchString {
                pattern,
                quantity,
                negated,
            } => quantity.of(item, |value| pattern.is_match(&raw_text(value))) != *negated,
            ItemCondition::IsNull(quantity) => {
                quantity.of(item, |value| matches!(value, RawValue::Null))
            }
            ItemCondition::ContainsWildcard(quantity) => quantity.of(item, |value| match value {
                RawValue::Text(text) => crate::rule::text::SigmaText::parse(text)
                    .as_literal()
                    .is_none(),
                _ => false,
            }),
        })
    }
}
