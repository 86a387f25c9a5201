//! Parts that many alerts have in common, and their JSON text, made once.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::value;

/// A part of an alert, such as its rule, that stands in others, too: a copy is a reference, and its text
/// is made when the first of them is written. It is read and changed like the part itself.
#[derive(Clone, Default)]
pub struct Shared<T>(Arc<Part<T>>);

#[derive(Clone, Default)]
struct Part<T> {
    value: T,
    json: OnceLock<Box<RawValue>>,
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(Part {
            value,
            json: OnceLock::new(),
        }))
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
        part.json = OnceLock::new();
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
        if let Some(json) = self.0.json.get() {
            return json.serialize(serializer);
        }
        let json = to_raw_value(&self.0.value).map_err(serde::ser::Error::custom)?;
        self.0.json.get_or_init(|| json).serialize(serializer)
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
pub struct Excerpt(Arc<RawValue>);

impl Excerpt {
    /// Of an event's tree. A number that `serde_json` cannot hold exactly becomes its text.
    ///
    /// # Panics
    /// Never: a tree is written as JSON.
    pub fn of_tree(tree: &value::Value<'_>) -> Self {
        let mut json = String::new();
        tree.write_sorted(&mut json);
        let json = RawValue::from_string(json).expect("a tree is written as JSON");
        Self(json.into())
    }

    /// The value that it is the text of.
    pub fn value(&self) -> Value {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }
}

/// Equal if the values are.
impl PartialEq for Excerpt {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get() || self.value() == other.value()
    }
}

impl From<Value> for Excerpt {
    fn from(value: Value) -> Self {
        let json = to_raw_value(&value).expect("the keys of a value are all text");
        Self(json.into())
    }
}

impl Serialize for Excerpt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
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
        assert_eq!(serde_json::to_string(&first).unwrap(), "[1,2]");
        second.push(3);
        assert_eq!(serde_json::to_string(&second).unwrap(), "[1,2,3]");
        assert_eq!(serde_json::to_string(&first).unwrap(), "[1,2]");
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
            let excerpt = serde_json::to_string(&Excerpt::of_tree(&tree)).unwrap();
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
