//! One entry of a search: a field, its modifiers and its values, and what they mean.
//!
//! An item keeps its modifiers and values as written, because pipelines rewrite those (field names,
//! strings, placeholders); [`Item::meaning`] says what they mean, at load time only.

use std::cell::Cell;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Place, code};
use crate::list::List;

use super::modifier::Modifier;
use super::text::{self, Expansion, SigmaText};

mod compile;
mod encode;
mod expressions;
mod values;

pub(crate) use expressions::Expressions;
pub use values::Values;

/// Longest value that is compared, a regular expression too, in bytes. The longest published one has
/// 3 KiB.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
/// Most memory that one compiled regular expression takes.
pub const REGEX_COMPILED_BYTES_MAX: usize = 10 << 20;
/// Most memory that the compiled regular expressions of all rules of a set take; what comes beyond it is
/// refused.
pub const REGEX_SET_BYTES_MAX: usize = 128 << 20;
/// Most memory that the patterns of one entry take, and those of all entries of one rule file.
pub const PATTERN_BYTES_MAX: usize = 64 << 20;
/// Most dashes that `windash` varies in one value: five spellings each, so 15,625 texts.
pub const WINDASH_MAX: usize = 6;

/// A field (or keywords), a chain of modifiers and the values.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Item {
    /// Which values of the event are looked at.
    pub target: Target,
    /// The modifiers in the order written.
    pub modifiers: Vec<Modifier>,
    /// The values as written.
    pub values: Values,
    /// Where the entry's key stands; not kept with a rule that is stored.
    #[serde(skip, default = "nowhere")]
    pub place: Place,
}

/// The place of an entry that no longer stands in a file.
fn nowhere() -> Place {
    Place::start_of("stored rules")
}

/// What an item looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Target {
    /// Every scalar value of the event, at any depth.
    Keywords,
    /// The values at one of these paths; a pipeline may have made several out of one name.
    Fields(Vec<String>),
}

/// A value as the rule's YAML has it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum RawValue {
    /// Text, with Sigma's escapes and wildcards still in it.
    Text(String),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Bool(bool),
    /// `null`, `~` or no value.
    Null,
    /// Under `fieldref`: the paths that a pipeline made of the field name, first present first.
    Paths(Vec<String>),
    /// Under `in_list`: a list.
    List(ListName),
}

/// A list by its name, and the list itself once it was found; two are equal if their names are.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct ListName {
    /// The name as written.
    pub name: String,
    /// Where it stands; not kept with a rule that is stored.
    #[serde(skip, default = "nowhere")]
    pub place: Place,
    /// The list; `None` until [`super::lists::resolve`] has found it.
    #[serde(skip)]
    pub list: Option<Arc<List>>,
}

impl PartialEq for ListName {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A number, exact if integral.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
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
    /// The values of another field: the first of several paths that is present counts.
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
    /// A value of the list.
    InList(Arc<List>, Case),
    /// What one value became under [`Link::All`], if several patterns: one suffices.
    AnyOf(Vec<Pattern>),
}

/// Where a text must stand in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// What a problem of an item is about; the reader of rule files knows the place of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The whole entry.
    Entry,
    /// The modifier at this place of the chain.
    Modifier(usize),
    /// The value at this place of the list.
    Value(usize),
    /// Bytes from and to of the text at this place of the list.
    Part(usize, usize, usize),
}

/// A problem of an item, not yet placed in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) subject: Subject,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Problem {
    /// A problem without help.
    fn new(code: Code, subject: Subject, message: impl Into<String>) -> Self {
        Self {
            code,
            subject,
            message: message.into(),
            help: None,
        }
    }

    /// This problem with help.
    fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// As a diagnostic at a place.
    pub(crate) fn at(self, place: &Place) -> Diagnostic {
        Diagnostic::error(self.code, place, self.message).with_help_from(self.help)
    }
}

impl Item {
    /// What the item means.
    ///
    /// # Errors
    /// All problems of the chain and the values, with their places: unknown combinations, values of
    /// the wrong type, invalid expressions and ranges, placeholders that no pipeline replaced.
    pub fn meaning(&self) -> Result<Meaning, Vec<Diagnostic>> {
        self.meaning_within(&Expressions::default())
    }

    /// As [`Item::meaning`], with what the expressions of its set may still take.
    pub(crate) fn meaning_within(
        &self,
        expressions: &Expressions,
    ) -> Result<Meaning, Vec<Diagnostic>> {
        self.compiled(expressions)
            .0
            .map_err(|problems| problems.into_iter().map(|p| p.at(&self.place)).collect())
    }

    /// As [`Item::meaning_within`], with problems that say which part they are about, and with roughly
    /// the bytes that the patterns take (or would have taken).
    pub(crate) fn compiled(
        &self,
        expressions: &Expressions,
    ) -> (Result<Meaning, Vec<Problem>>, usize) {
        let bytes = Cell::new(0);
        let meaning = compile::meaning(self, &bytes, expressions);
        (meaning, bytes.get())
    }

    /// Whether a pipeline has placeholders to replace here.
    pub fn has_placeholders(&self) -> bool {
        self.modifiers.contains(&Modifier::Expand)
    }

    /// Replaces the placeholders that `lookup` knows; several values mean all combinations. When none
    /// is left, the item no longer carries `expand`.
    ///
    /// # Errors
    /// When the values would become more than [`text::COMBINATIONS_MAX`].
    pub fn replace_placeholders(
        &mut self,
        lookup: &mut dyn FnMut(&str) -> Option<Vec<String>>,
    ) -> Result<(), Diagnostic> {
        if !self.has_placeholders() {
            return Ok(());
        }
        let expansions: Vec<_> = self
            .values
            .iter()
            .map(|value| match value {
                RawValue::Text(raw) => Some(text::expand(raw, lookup)),
                _ => None,
            })
            .collect();
        let open = expansions
            .iter()
            .any(|e| matches!(e, Some(Expansion::Open(_))));
        let mut values = Vec::with_capacity(self.values.len());
        for (value, expansion) in self.values.iter().zip(expansions) {
            match expansion {
                None => values.push(value.clone()),
                Some(Expansion::Done(texts)) if open => {
                    values.extend(texts.iter().map(|t| RawValue::Text(t.replace('%', "\\%"))));
                }
                Some(Expansion::Done(texts) | Expansion::Open(texts)) => {
                    values.extend(texts.into_iter().map(RawValue::Text));
                }
                Some(Expansion::TooMany) => return Err(self.too_many_values()),
            }
            if values.len() > text::COMBINATIONS_MAX {
                return Err(self.too_many_values());
            }
        }
        self.values = values.into();
        if !open {
            self.modifiers.retain(|m| *m != Modifier::Expand);
        }
        Ok(())
    }

    /// Placeholders that stand for more than the limit.
    fn too_many_values(&self) -> Diagnostic {
        let limit = text::COMBINATIONS_MAX;
        let message = format!("placeholders expand to more than the limit of {limit} values");
        Diagnostic::error(code::TOO_MANY_VALUES, &self.place, message)
    }
}

impl Number {
    /// The text form: integral numbers without fraction.
    pub fn text(self) -> String {
        match self {
            Self::Int(value) => value.to_string(),
            Self::Float(value) => {
                let text = format!("{value:?}");
                text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
            }
        }
    }
}

#[cfg(test)]
mod tests;
