//! Parts that many alerts have in common, and their JSON text, made once.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::scan::Marked;
use crate::value;

/// A part of an alert, such as its rule, that stands in others, too: a copy is a reference, and its text
/// is made when the first line with it is written. It is read and changed like the part itself.
#[derive(Clone, Default)]
pub struct Shared<T>(Arc<Part<T>>);

#[derive(Clone, Default)]
struct Part<T> {
    value: T,
    text: OnceLock<String>,
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(Part {
            value,
            text: OnceLock::new(),
        }))
    }
}

impl<T> Shared<T> {
    /// The JSON text, which `write` makes.
    pub(super) fn text(&self, write: impl FnOnce(&T) -> String) -> &str {
        self.0.text.get_or_init(|| write(&self.0.value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    /// The part of this alert alone.
    fn deref_mut(&mut self) -> &mut T {
        let part = Arc::make_mut(&mut self.0);
        part.text = OnceLock::new();
        &mut part.value
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.value.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.value == other.0.value
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.value.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

impl<T: JsonSchema> JsonSchema for Shared<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// An event in an alert: JSON text on one line, the members of its objects by name.
#[derive(Debug, Clone)]
pub struct Excerpt(Arc<String>);

impl Excerpt {
    /// Of the tree of an event that had so many bytes. A number that `serde_json` cannot hold exactly
    /// becomes its text.
    pub fn of_tree(tree: &value::Value<'_>, bytes: usize) -> Self {
        // Nothing but blanks goes, and seldom is a text longer than it was written.
        let mut json = String::with_capacity(bytes);
        tree.write_sorted(&mut json);
        Self(json.into())
    }

    /// The same of an event whose tree was made by its marks; `text` are its bytes.
    pub(crate) fn of_marked(marked: Marked<'_>, text: &str) -> Self {
        let mut json = String::new();
        value::write_marked(marked, text, &mut json);
        Self(json.into())
    }

    /// The text.
    pub(super) fn json(&self) -> &str {
        &self.0
    }

    /// The value that it is the text of.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

/// Equal if the values are.
impl PartialEq for Excerpt {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.value() == other.value()
    }
}

impl From<Value> for Excerpt {
    fn from(value: Value) -> Self {
        Self(value.to_string().into())
    }
}

impl Serialize for Excerpt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = RawValue::from_string(self.0.as_ref().clone());
        json.map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

/// As a value: the text that is read need not be on one line.
impl<'de> Deserialize<'de> for Excerpt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for Excerpt {
    fn inline_schema() -> bool {
        Value::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        Value::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        Value::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Value::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_part_is_written_once_and_anew_after_a_change() {
        let first = Shared::from(vec![1, 2]);
        let mut second = first.clone();
        let text = |list: &Vec<i32>| serde_json::to_string(list).unwrap();
        assert_eq!(first.text(text), "[1,2]");
        assert_eq!(second.text(|_| unreachable!()), "[1,2]");
        second.push(3);
        assert_eq!(second.text(text), "[1,2,3]");
        assert_eq!(first.text(|_| unreachable!()), "[1,2]");
        assert_eq!(
            serde_json::to_value(&first).unwrap(),
            serde_json::json!([1, 2])
        );
        let read: Shared<Vec<i32>> = serde_json::from_str("[1, 2]").unwrap();
        assert_eq!(read, first);
    }

    #[test]
    fn an_excerpt_is_what_serde_json_writes_of_the_same_event() {
        let events = [
            r#"{"b":1,"a":{"z":[],"y":{}},"c":[true,false,null,"x"]}"#,
            r#"{"a":-0,"b":0.10,"c":1e400,"d":1E2,"e":12345678901234567890123,"f":-12,"g":9007199254740993}"#,
            r#"{"a":"\u0000\u001f\u007f\b\f\n\r\t\"\\\/ é \ud83d\ude00 \ud800","é":1,"B":2,"":3}"#,
            r#" { "long" : "text that is longer than sixteen bytes, with \"quotes\" far behind" } "#,
            r#"{"a":1,"b":2,"a":3}"#,
        ];
        for event in events {
            let tree = value::parse(event.as_bytes(), 64).unwrap().value;
            let excerpt = serde_json::to_string(&Excerpt::of_tree(&tree, event.len())).unwrap();
            assert_eq!(excerpt, tree.to_serde().to_string(), "{event}");
            let read: Excerpt = serde_json::from_str(&excerpt).unwrap();
            assert_eq!(read.value(), tree.to_serde(), "{event}");
        }
    }

    #[test]
    fn an_excerpt_that_was_read_is_on_one_line() {
        let read: Excerpt = serde_json::from_str("{\n  \"a\": [\n 1 ]\n}").unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"{"a":[1]}"#);
    }
}
