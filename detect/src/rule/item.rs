//! One entry of a search: a field, its modifiers and its values, and what they mean.
//!
//! An item keeps its modifiers and values as written, because pipelines rewrite those (field names,
//! strings, placeholders); [`Item::patterns`] says what they mean, at load time only.

use crate::diagnostic::{Diagnostic, Place};

use super::modifier::Modifier;
use super::text::SigmaText;

/// A field (or keywords), a chain of modifiers and the values.
#[derive(Debug, Clone)]
pub struct Item {
    /// Which values of the event are looked at.
    pub target: Target,
    /// The modifiers in the order written.
    pub modifiers: Vec<Modifier>,
    /// The values as written.
    pub values: Vec<RawValue>,
    /// Where the entry's key stands.
    pub place: Place,
}

/// What an item looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every scalar value of the event, at any depth.
    Keywords,
    /// The values at one of these paths; a pipeline may have made several out of one name.
    Fields(Vec<String>),
}

/// A value as the rule's YAML has it.
#[derive(Debug, Clone, PartialEq)]
pub enum RawValue {
    /// Text, with Sigma's escapes and wildcards still in it.
    Text(String),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Bool(bool),
    /// `null`, `~` or no value.
    Null,
}

/// A number, exact if integral.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer.
    Int(i128),
    /// Any other number.
    Float(f64),
}

/// Whether one pattern or every pattern must be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// One pattern suffices.
    Any,
    /// Every pattern must be met, by some value each (`all`).
    All,
}

/// What an item means: patterns, how they are linked, and whether the whole is negated (`neq`).
#[derive(Debug, Clone)]
pub struct Meaning {
    /// One or all.
    pub link: Link,
    /// `neq`: the item holds when the patterns do not.
    pub negated: bool,
    /// What the values became.
    pub patterns: Vec<Pattern>,
}

/// One test on one value (or on a field's presence).
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Text with wildcards.
    Text {
        /// The text and its wildcards; all placeholders are replaced.
        text: SigmaText,
        /// Where in the value it must stand.
        anchor: Anchor,
        /// Whether case counts.
        case: Case,
    },
    /// A number in the rule: numeric against a number, otherwise by text.
    Equal(Number),
    /// A regular expression, searched anywhere in the value's text. Compiled and size-checked.
    Regex(regex::Regex),
    /// An address range.
    Cidr(ipnet::IpNet),
    /// A numeric comparison; text holding a decimal number counts as one.
    Compare(super::Comparison, Number),
    /// A part of a date value, as written in it, against a number.
    TimePart(TimePart, i64),
    /// The values of another field. Several paths mean OR.
    FieldRef {
        /// Candidate paths of the other field.
        fields: Vec<String>,
        /// Where in this value the other must stand.
        anchor: Anchor,
        /// Whether case counts.
        case: Case,
    },
    /// The field is present (`true`) or absent (`false`); null and empty are present.
    Exists(bool),
    /// The field is null or absent.
    Null,
}

/// Where a text must stand in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The text is the whole value.
    Whole,
    /// `startswith`.
    Start,
    /// `endswith`.
    End,
    /// `contains`, and every keyword.
    Anywhere,
}

/// Whether case counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Unicode simple case folding, code point by code point.
    Fold,
    /// `cased`: exact.
    Exact,
}

/// Parts of a date that modifiers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimePart {
    /// Minute of the hour.
    Minute,
    /// Hour of the day.
    Hour,
    /// Day of the month.
    Day,
    /// ISO 8601 week.
    Week,
    /// Month of the year.
    Month,
    /// Year.
    Year,
}

impl Item {
    /// What the item means.
    ///
    /// # Errors
    /// All problems of the chain and the values, with their places: unknown combinations, values of
    /// the wrong type, invalid expressions and ranges, placeholders that no pipeline replaced.
    pub fn meaning(&self) -> Result<Meaning, Vec<Diagnostic>> {
        unimplemented!("helper A")
    }
}
