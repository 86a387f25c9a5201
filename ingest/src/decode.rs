//! One record's bytes to events and rejects.

use std::borrow::Cow;

use palisade_detect::engine::{EVENT_BYTES_MAX, EVENT_DEPTH_MAX};
use palisade_detect::event::{Body, EventRef, Index, LogType};
use palisade_detect::logsource::Logsource;
use palisade_detect::time::Timestamp;

use crate::envelope::{self, Part};
use crate::flow;
use crate::json::{self, Members, Value};
use crate::log_type::{self, Seen};
use crate::reject::{Reason, Reject};

/// Most rejects of one record that are told one by one; further ones are told as one with their
/// number, so that a record of a million commas cannot fill the memory.
pub const REJECTS_MAX: usize = 1_000;

/// Longest name that [`category`] gives, in bytes: it becomes a metric label and a log source.
pub const CATEGORY_BYTES_MAX: usize = 64;

/// What decoding finds in a record, in order.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// An event and its place.
    Event(Index, EventRef<'a>),
    /// A part that is none.
    Reject(Reject),
}

/// What a source's configuration says about what it carries.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// Log sources that events of unknown type state.
    pub logsources: Vec<Logsource>,
}

/// Splits a record into its events.
///
/// Accepts every outer shape of `azure-logs.md` section 1.2. Calls `each` for every element in
/// order; a broken element is one reject and its neighbours go on. An event is a slice of
/// `payload`: its borders, size, depth and encoding are sound, its JSON is not checked further.
pub fn decode(payload: Option<&[u8]>, hints: &Hints, each: &mut dyn FnMut(Decoded<'_>)) {
    let Some(payload) = payload else {
        return each(Decoded::Reject(whole(
            0,
            0,
            Reason::Tombstone,
            "the record has no payload",
        )));
    };
    let invalid = std::str::from_utf8(payload)
        .err()
        .map(|error| error.valid_up_to());
    let json = payload.iter().find(|byte| !json::is_blank(**byte));
    if let (Some(byte), false) = (invalid, matches!(json, Some(b'{' | b'['))) {
        let message = "the payload is neither UTF-8 text nor JSON";
        return each(Decoded::Reject(whole(
            byte,
            payload.len(),
            Reason::NotUtf8,
            message,
        )));
    }
    let mut decoder = Decoder {
        payload,
        invalid,
        hints,
        members: Members::default(),
    };
    let mut rejects = Rejects::default();
    envelope::split(payload, &mut |part| {
        let mut tell = |decoded: Decoded<'_>| match decoded {
            Decoded::Event(..) => each(decoded),
            Decoded::Reject(reject) => rejects.take(reject, &mut *each),
        };
        match part {
            Part::Element(index, value) => decoder.element(index, &value, &mut tell),
            Part::Broken(reject) => tell(Decoded::Reject(reject)),
        }
    });
    rejects.finish(each);
}

/// What an event calls its kind (`category`, or the table of a Log Analytics row, or `type`), for
/// counting events of unknown type: at most [`CATEGORY_BYTES_MAX`] bytes of lower-case letters,
/// digits, `_`, `-`, `.` and `/`; `None` if it says nothing of that form.
///
/// The number of different names is the sender's choice: who counts by it bounds it.
pub fn category(event: &[u8]) -> Option<String> {
    category_of(&Members::of(event)?)
}

fn category_of(members: &Members<'_>) -> Option<String> {
    // A table row may have a column `Category` of another meaning.
    let names = if log_type::is_table_row(members) {
        ["Type"; 2]
    } else {
        ["category", "type"]
    };
    names
        .into_iter()
        .find_map(|name| label(&members.text(name)?))
}

/// `name` as a label, if it has the form of one.
fn label(name: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    (!name.is_empty() && name.len() <= CATEGORY_BYTES_MAX && name.bytes().all(plain))
        .then(|| name.to_ascii_lowercase())
}

fn whole(byte: usize, length: usize, reason: Reason, message: &str) -> Reject {
    Reject {
        index: Index::ROOT,
        byte,
        span: 0..length,
        reason,
        message: message.to_owned(),
    }
}

/// Rejects told so far, and those that are told together.
#[derive(Default)]
struct Rejects {
    told: usize,
    merged: Option<(u64, Reject)>,
}

impl Rejects {
    fn take(&mut self, reject: Reject, each: &mut dyn FnMut(Decoded<'_>)) {
        if self.told < REJECTS_MAX {
            self.told += 1;
            return each(Decoded::Reject(reject));
        }
        match &mut self.merged {
            None => self.merged = Some((1, reject)),
            Some((count, first)) => {
                *count += 1;
                first.span.end = first.span.end.max(reject.span.end);
            }
        }
    }

    fn finish(self, each: &mut dyn FnMut(Decoded<'_>)) {
        if let Some((count, mut first)) = self.merged {
            if count > 1 {
                first.message = format!("{count} broken elements from here on; {}", first.message);
            }
            each(Decoded::Reject(first));
        }
    }
}

struct Decoder<'a, 'h> {
    payload: &'a [u8],
    /// The first byte of the payload that is not UTF-8.
    invalid: Option<usize>,
    hints: &'h Hints,
    /// Of the element at hand; kept to reuse its memory.
    members: Members<'a>,
}

impl Decoder<'_, '_> {
    fn element(&mut self, index: Index, value: &Value, tell: &mut dyn FnMut(Decoded<'_>)) {
        if let Err((byte, reason, message)) = self.check(value) {
            let span = value.range.clone();
            return tell(Decoded::Reject(Reject {
                index,
                byte,
                span,
                reason,
                message,
            }));
        }
        let event = &self.payload[value.range.clone()];
        self.members.read(event);
        let row = log_type::recognise(&Seen::new(&self.members));
        if let Some(shape) = flow::Shape::of(row) {
            let record = flow::Record {
                event,
                start: value.range.start,
                members: &self.members,
            };
            return flow::tuples(shape, &record, index, tell);
        }
        let named = named_logsource(row, &self.members);
        let logsources = if row.name == log_type::UNKNOWN.name {
            &self.hints.logsources
        } else {
            named.as_ref().map_or(row.logsources, std::slice::from_ref)
        };
        let event_time = event_time(row, &self.members);
        let body = Body::Json(event);
        tell(Decoded::Event(
            index,
            EventRef {
                body,
                log_type: row,
                logsources,
                event_time,
            },
        ));
    }

    /// What keeps an element from being an event.
    fn check(&self, value: &Value) -> Result<(), (usize, Reason, String)> {
        let start = value.range.start;
        let bytes = &self.payload[value.range.clone()];
        if bytes.first() != Some(&b'{') {
            return Err((start, Reason::NotAnObject, "expected an object".to_owned()));
        }
        if bytes.len() > EVENT_BYTES_MAX {
            let message = format!(
                "{} bytes are more than the limit of {EVENT_BYTES_MAX}",
                bytes.len()
            );
            return Err((start, Reason::TooLarge, message));
        }
        if value.depth > EVENT_DEPTH_MAX {
            let message = format!(
                "{} levels are more than the limit of {EVENT_DEPTH_MAX}",
                value.depth
            );
            return Err((start, Reason::TooDeep, message));
        }
        // Text before the first bad byte of the payload was checked with it.
        if self.invalid.is_some_and(|byte| byte < value.range.end)
            && let Err(error) = std::str::from_utf8(bytes)
        {
            let byte = start + error.valid_up_to();
            return Err((byte, Reason::NotUtf8, "the bytes are not UTF-8".to_owned()));
        }
        Ok(())
    }
}

/// The log source of a record that only the common shapes describe: its category or table name in
/// lower case, so that rules can be written for services that have no row.
fn named_logsource(row: &LogType, members: &Members<'_>) -> Option<Logsource> {
    if !log_type::is_named_by_its_category(row) {
        return None;
    }
    let service = Cow::Owned(category_of(members)?);
    Some(Logsource {
        product: Some(Cow::Borrowed("azure")),
        service: Some(service),
        category: None,
    })
}

/// The first of the row's times that is there and can be read.
fn event_time(row: &LogType, members: &Members<'_>) -> Option<Timestamp> {
    row.event_time
        .iter()
        .find_map(|path| time_value(members.at(path)?))
}

fn time_value(raw: &[u8]) -> Option<Timestamp> {
    if raw.first() == Some(&b'"') {
        return Timestamp::parse_any(&json::text(raw)?);
    }
    Timestamp::parse_any(std::str::from_utf8(raw).ok()?)
}
