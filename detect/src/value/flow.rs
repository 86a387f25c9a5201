//! A flow log's tuple as an event of its own.

use std::borrow::Cow;

use super::{Object, ParseError, Parsed, Value, parse};
use crate::event::{ColumnReading, FlowTuple};
use crate::time::Timestamp;

/// The tree of a flow tuple: the members around it, then its columns; a later one hides an earlier
/// of its name.
///
/// # Errors
/// When a member is not JSON.
pub fn flow_tree<'a>(flow: &FlowTuple<'a>, depth: usize) -> Result<Parsed<'a>, ParseError> {
    let mut object = Object::default();
    let mut duplicate_keys = 0_u32;
    for (name, bytes) in flow.around.members() {
        let member = parse(bytes, depth)?;
        duplicate_keys = duplicate_keys.saturating_add(member.duplicate_keys);
        object.insert(Cow::Borrowed(name), member.value);
    }
    columns(flow, &mut object);
    Ok(Parsed {
        value: Value::Object(object),
        duplicate_keys,
    })
}

fn columns<'a>(flow: &FlowTuple<'a>, object: &mut Object<'a>) {
    for (column, text) in flow.columns.iter().zip(flow.tuple.split(',')) {
        let text = text.trim();
        if !text.is_empty() {
            object.insert(Cow::Borrowed(column.name), read(column.reading, text));
        }
    }
}

/// The value of a column; text that is not what the column says stays as it is.
fn read(reading: ColumnReading, text: &str) -> Value<'_> {
    let number = || text.parse::<i64>().ok();
    match reading {
        ColumnReading::Text => Value::text(text),
        ColumnReading::Integer => match number() {
            Some(value) => Value::Number(Cow::Owned(value.to_string())),
            None => Value::text(text),
        },
        ColumnReading::UnixSeconds => time(number().map(Timestamp::from_unix_seconds), text),
        ColumnReading::UnixMilliseconds => time(number().map(Timestamp::from_unix_ms), text),
        ColumnReading::Word(words) => {
            let word = words.iter().find(|(written, _)| *written == text);
            Value::text(word.map_or(text, |(_, word)| word))
        }
    }
}

fn time(time: Option<Timestamp>, text: &str) -> Value<'_> {
    time.map_or_else(|| Value::text(text), |time| Value::text(time.to_string()))
}
