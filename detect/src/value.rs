//! An event as a tree of values, for the naive evaluator and for evidence.
//!
//! The tree borrows from the event's bytes. Numbers keep their text, so that no digit is lost;
//! members keep their order, and of a key given twice the last value counts.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use smallvec::SmallVec;

use crate::casing;

pub mod decimal;
pub mod text;
mod parse;
mod marked;
mod sorted;
mod flow;
pub mod path;

pub use decimal::Decimal;
pub use flow::flow_tree;
pub(crate) use marked::read as read_marked;
pub(crate) use parse::unescape;
pub use parse::{ParseError, Parsed, parse};
pub use path::{Event, Seen};
pub(crate) use sorted::write_marked;

/// Deepest nesting of JSON text inside a value.
const INNER_DEPTH_MAX: usize = 64;

/// Members from which an object keeps an index besides their list: looking at all of them costs less
/// than a hash for fewer.
const INDEXED_FROM: usize = 32;

/// Members that are sorted without asking for memory.
const SORTED_INLINE: usize = 32;

/// A key and its value.
type Member<'a> = (Cow<'a, str>, Value<'a>);

/// A JSON value.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(Cow<'a, str>),
    /// Text, its escapes resolved.
    Text(Text<'a>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object.
    Object(Object<'a>),
}

// Values are moved about while a tree grows.
const _: () = assert!(size_of::<Value<'_>>() <= 56);

/// Text with what is made of it when it is first asked for: every rule asks for the same.
#[derive(Debug, Clone)]
pub struct Text<'a> {
    raw: Cow<'a, str>,
    /// Where folding changes something, or the text is longer than [`LOOKED_AT_AGAIN_MAX`].
    folded: OnceCell<Box<str>>,
    /// The JSON in it, if it is JSON. Apart, as few texts are asked and all are moved about.
    inner: OnceCell<Box<Option<Value<'static>>>>,
}

/// Longest text, in bytes, that is looked at again each time if folding does not change it: that costs
/// less than to remember.
const LOOKED_AT_AGAIN_MAX: usize = 256;

/// Members in the order of their first appearance, without repeats.
#[derive(Debug, Clone, Default)]
pub struct Object<'a> {
    members: Vec<Member<'a>>,
    /// Places by key, for objects of more than [`INDEXED_FROM`] members that grew one by one. Never
    /// iterated.
    #[expect(
        clippy::box_collection,
        reason = "few objects have one, and all are moved about"
    )]
    index: Option<Box<HashMap<Cow<'a, str>, usize>>>,
    /// Whether a key holds a dot: seldom one does, and then names with dots are found sooner.
    dotted: bool,
}

impl<'a> Text<'a> {
    /// This text.
    pub fn new(raw: Cow<'a, str>) -> Self {
        Self {
            raw,
            folded: OnceCell::new(),
            inner: OnceCell::new(),
        }
    }

    /// The text as it stands.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The text under Unicode simple case folding.
    pub fn folded(&self) -> &str {
        if let Some(folded) = self.folded.get() {
            return folded;
        }
        match casing::fold(&self.raw) {
            Cow::Borrowed(_) if self.raw.len() <= LOOKED_AT_AGAIN_MAX => &self.raw,
            folded => self.folded.get_or_init(|| folded.into_owned().into()),
        }
    }

    /// The value that the text is JSON of, if it is.
    pub(crate) fn inner(&self) -> Option<&Value<'static>> {
        let read = || parse(self.raw.as_bytes(), INNER_DEPTH_MAX).ok();
        self.inner
            .get_or_init(|| Box::new(read().map(|inner| inner.value.into_owned())))
            .as_ref()
            .as_ref()
    }

    fn into_owned(self) -> Text<'static> {
        Text::new(Cow::Owned(self.raw.into_owned()))
    }
}

impl<'a> Object<'a> {
    /// Of members with different keys; `dotted` says whether one holds a dot.
    fn of_distinct(members: Vec<Member<'a>>, dotted: bool) -> Self {
        Self {
            members,
            index: None,
            dotted,
        }
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.place(key).map(|place| &self.members[place].1)
    }

    /// The value under a key; without an exact one, the first that differs in ASCII case only.
    pub fn get_fold(&self, key: &str) -> Option<&Value<'a>> {
        if self.index.is_some()
            && let Some(value) = self.get(key)
        {
            return Some(value);
        }
        let mut found = None;
        for (name, value) in &self.members {
            if name.len() != key.len() {
                continue;
            }
            if name == key {
                return Some(value);
            }
            if found.is_none() && name.eq_ignore_ascii_case(key) {
                found = Some(value);
            }
        }
        found
    }

    /// Whether a key holds a dot.
    pub(crate) fn has_dotted_keys(&self) -> bool {
        self.dotted
    }

    /// Adds a member, or replaces the value of one; says whether the key was there.
    pub fn insert(&mut self, key: Cow<'a, str>, value: Value<'a>) -> bool {
        self.dotted |= key.contains('.');
        let next = self.members.len();
        if next < INDEXED_FROM {
            if let Some(place) = self.place(&key) {
                self.members[place].1 = value;
                return true;
            }
            self.members.push((key, value));
            return false;
        }
        let members = &self.members;
        let index = self.index.get_or_insert_with(|| {
            let named = members.iter().enumerate();
            let places = named.map(|(place, (key, _))| (key.clone(), place));
            Box::new(places.collect())
        });
        match index.entry(key.clone()) {
            Entry::Occupied(known) => {
                self.members[*known.get()].1 = value;
                true
            }
            Entry::Vacant(free) => {
                free.insert(next);
                self.members.push((key, value));
                false
            }
        }
    }

    /// The members in order.
    pub fn members(&self) -> &[(Cow<'a, str>, Value<'a>)] {
        &self.members
    }

    fn place(&self, key: &str) -> Option<usize> {
        match &self.index {
            None => self.members.iter().position(|(name, _)| name == key),
            Some(index) => index.get(key).copied(),
        }
    }
}

impl<'a> Value<'a> {
    /// Text as a value.
    pub fn text(raw: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(Text::new(raw.into()))
    }

    /// The text form of a scalar by which values are compared: integral numbers without fraction,
    /// `true` and `false`. `None` for `null`, arrays and objects.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text.raw())),
            Self::Number(written) => Some(decimal::text_of(written)),
            Self::Bool(true) => Some(Cow::Borrowed("true")),
            Self::Bool(false) => Some(Cow::Borrowed("false")),
            Self::Null | Self::Array(_) | Self::Object(_) => None,
        }
    }

    /// The number that a JSON number or a decimal text stands for.
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Number(written) => Decimal::parse(written),
            Self::Text(text) => Decimal::parse(text.raw()),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Whether it holds no other values.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Self::Array(_) | Self::Object(_))
    }

    /// Calls `visit` for this value if it is a scalar, or for the scalars of an array at any depth
    /// of arrays, until it says `true`; says whether it did. Members of objects are left out.
    pub fn any_scalar(&self, visit: &mut dyn FnMut(&Value<'a>) -> bool) -> bool {
        match self {
            Self::Array(items) => items.iter().any(|item| item.any_scalar(visit)),
            Self::Object(_) => false,
            scalar => visit(scalar),
        }
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Number(written) => Value::Number(Cow::Owned(written.into_owned())),
            Self::Text(text) => Value::Text(text.into_owned()),
            Self::Array(items) => Value::Array(items.into_iter().map(Value::into_owned).collect()),
            Self::Object(object) => {
                let mut copy = Object::default();
                for (key, value) in object.members {
                    copy.insert(Cow::Owned(key.into_owned()), value.into_owned());
                }
                Value::Object(copy)
            }
        }
    }

    /// Compact JSON text, members in order.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(written) => out.push_str(written),
            Self::Text(text) => text::write_json_string(text.raw(), out),
            Self::Array(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Self::Object(object) => {
                out.push('{');
                for (place, (key, value)) in object.members.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    text::write_json_string(key, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// Appends [`Value::to_serde`] as compact JSON text, the members of objects by name.
    pub(crate) fn write_sorted(&self, out: &mut String) {
        match self {
            Self::Number(written) => decimal::write_json(written, out),
            Self::Array(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    item.write_sorted(out);
                }
                out.push(']');
            }
            Self::Object(object) => {
                out.push('{');
                for (place, (_, (key, value))) in sorted(&object.members).iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    text::write_json_string(key, out);
                    out.push(':');
                    value.write_sorted(out);
                }
                out.push('}');
            }
            scalar => scalar.write_json(out),
        }
    }

    /// This value for an alert. A number that `serde_json` cannot hold exactly becomes its text.
    pub fn to_serde(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => serde_json::Value::Bool(*value),
            Self::Number(written) => decimal::to_serde(written),
            Self::Text(text) => serde_json::Value::String(text.raw().to_owned()),
            Self::Array(items) => items.iter().map(Self::to_serde).collect(),
            Self::Object(object) => object
                .members
                .iter()
                .map(|(key, value)| (key.clone().into_owned(), value.to_serde()))
                .collect(),
        }
    }
}

/// Sorts members by their names. Names are compared by their first eight bytes, which mostly suffice.
fn sorted<'m, 'a>(members: &'m [Member<'a>]) -> SmallVec<[(u64, &'m Member<'a>); SORTED_INLINE]> {
    let beginning = |name: &str| {
        let mut first = [0; 8];
        let length = name.len().min(8);
        first[..length].copy_from_slice(&name.as_bytes()[..length]);
        u64::from_be_bytes(first)
    };
    let named = members.iter();
    let mut sorted: SmallVec<[(u64, &Member<'_>); SORTED_INLINE]> =
        named.map(|member| (beginning(&member.0), member)).collect();
    sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.0.cmp(&b.1.0)));
    sorted
}

#[cfg(test)]
mod tests;
