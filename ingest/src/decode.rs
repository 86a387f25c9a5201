//! One record's bytes to events and rejects.

use std::borrow::Cow;

use palisade_detect::engine::{EVENT_BYTES_MAX, EVENT_DEPTH_MAX};
use palisade_detect::event::{Body, EventRef, Index, LogType};
use palisade_detect::logsource::Logsource;
use palisade_detect::scan::{self, Marked};
use palisade_detect::time::Timestamp;

use crate::envelope::marked::{Elements, Found};
use crate::envelope::{self, Part};
use crate::flow;
use crate::json::{self, Value};
use crate::log_type::{self, Seen};
use crate::members::{Members, Places};
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

/// Splits a record into its events, as [`Decoder::decode`] does for many.
pub fn decode(payload: Option<&[u8]>, hints: &Hints, each: &mut dyn FnMut(Decoded<'_>)) {
    Decoder::default().decode(payload, hints, each);
}

/// Splits records into their events. Keeps its memory from record to record: one for each thread.
///
/// A record whose brackets and strings are sound is taken apart by them, in one pass over its bytes
/// and a few steps for each member of an event. Whatever is not as JSON wants it is read byte by
/// byte instead, as a whole and before anything of it was told; both ways tell the same.
#[derive(Debug, Default)]
pub struct Decoder {
    index: scan::Index,
    elements: Elements,
    naming: Naming,
}

impl Decoder {
    /// Splits a record into its events.
    ///
    /// Accepts every outer shape of `azure-logs.md` section 1.2. Calls `each` for every element in
    /// order; a broken element is one reject and its neighbours go on. An event is a slice of
    /// `payload`: its borders, size, depth and encoding are sound, its JSON is not checked further.
    pub fn decode(
        &mut self,
        payload: Option<&[u8]>,
        hints: &Hints,
        each: &mut dyn FnMut(Decoded<'_>),
    ) {
        let Some(payload) = payload else {
            return each(Decoded::Reject(whole(
                0,
                0,
                Reason::Tombstone,
                "the record has no payload",
            )));
        };
        if self.is_marked(payload) {
            self.by_marks(payload, hints, each);
        } else {
            self.by_bytes(payload, hints, each);
        }
    }

    /// Whether the elements of the payload could be found by its marks.
    fn is_marked(&mut self, payload: &[u8]) -> bool {
        self.index.read(payload).is_ok()
            && (self.index.is_ascii() || std::str::from_utf8(payload).is_ok())
            && self.elements.find(&self.index, payload).is_ok()
    }

    fn by_marks(&mut self, payload: &[u8], hints: &Hints, each: &mut dyn FnMut(Decoded<'_>)) {
        let mut rejects = Rejects::default();
        let mut tell = |decoded: Decoded<'_>| rejects.sift(decoded, &mut *each);
        for number in 0..self.elements.len() {
            let Found { index, pair } = self.elements.get(number);
            let marked = Marked {
                index: &self.index,
                payload,
                pair,
            };
            let read = self.elements.places_of == Some(pair);
            let places = &mut self.elements.places;
            let members = if read {
                Members::of_read(marked, places)
            } else {
                self.elements.places_of = None;
                let Some(members) = Members::of_marked(marked, places) else {
                    continue;
                };
                members
            };
            let element = Element {
                index,
                start: self.index.pairs()[pair as usize].open as usize,
                body: Body::Marked(marked),
                bytes: marked.bytes(),
            };
            self.naming.tell(&element, members, hints, &mut tell);
        }
        rejects.finish(each);
    }

    /// The way that reads every payload.
    fn by_bytes(&mut self, payload: &[u8], hints: &Hints, each: &mut dyn FnMut(Decoded<'_>)) {
        let invalid = std::str::from_utf8(payload)
            .err()
            .map(|error| error.valid_up_to());
        let json = payload.iter().find(|byte| !scan::is_blank(**byte));
        if let (Some(byte), false) = (invalid, matches!(json, Some(b'{' | b'['))) {
            let message = "the payload is neither UTF-8 text nor JSON";
            return each(Decoded::Reject(whole(
                byte,
                payload.len(),
                Reason::NotUtf8,
                message,
            )));
        }
        let mut rejects = Rejects::default();
        self.elements.places_of = None;
        envelope::split(payload, &mut |part| {
            let mut tell = |decoded: Decoded<'_>| rejects.sift(decoded, &mut *each);
            let (index, value) = match part {
                Part::Element(index, value) => (index, value),
                Part::Broken(reject) => return tell(Decoded::Reject(reject)),
            };
            if let Err((byte, reason, message)) = check(payload, invalid, &value) {
                let span = value.range;
                return tell(Decoded::Reject(Reject {
                    index,
                    byte,
                    span,
                    reason,
                    message,
                }));
            }
            let bytes = &payload[value.range.clone()];
            let Some(members) = Members::of(bytes, &mut self.elements.places) else {
                return;
            };
            let element = Element {
                index,
                start: value.range.start,
                body: Body::Json(bytes),
                bytes,
            };
            self.naming.tell(&element, members, hints, &mut tell);
        });
        rejects.finish(each);
    }
}

/// What an event calls its kind (`category`, or the table of a Log Analytics row, or `type`), for
/// counting events of unknown type: at most [`CATEGORY_BYTES_MAX`] bytes of lower-case letters,
/// digits, `_`, `-`, `.` and `/`; `None` if it says nothing of that form.
///
/// The number of different names is the sender's choice: who counts by it bounds it.
pub fn category(event: &[u8]) -> Option<String> {
    category_of(Members::of(event, &mut Places::default())?)
}

fn category_of(members: Members<'_>) -> Option<String> {
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
    /// Passes events on at once and rejects as far as they are told one by one.
    fn sift(&mut self, decoded: Decoded<'_>, each: &mut dyn FnMut(Decoded<'_>)) {
        match decoded {
            Decoded::Event(..) => each(decoded),
            Decoded::Reject(reject) => self.take(reject, each),
        }
    }

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

/// An element that is an object within the limits of an event.
struct Element<'a> {
    index: Index,
    /// Where it begins in the payload.
    start: usize,
    bytes: &'a [u8],
    /// The same as events carry it.
    body: Body<'a>,
}

/// Says what an element is.
#[derive(Debug, Default)]
struct Naming {
    /// The log source that was last made of a category.
    named: Option<Logsource>,
    flow: flow::Scratch,
}

impl Naming {
    fn tell(
        &mut self,
        element: &Element<'_>,
        members: Members<'_>,
        hints: &Hints,
        tell: &mut dyn FnMut(Decoded<'_>),
    ) {
        let row = log_type::recognise(&Seen::new(members));
        if let Some(shape) = flow::Shape::of(row) {
            let record = flow::Record {
                event: element.bytes,
                start: element.start,
                members,
            };
            return flow::tuples(shape, &record, element.index, &mut self.flow, tell);
        }
        let logsources = if row.name == log_type::UNKNOWN.name {
            &hints.logsources
        } else if log_type::is_named_by_its_category(row) {
            self.named = named_logsource(members);
            self.named
                .as_ref()
                .map_or(row.logsources, std::slice::from_ref)
        } else {
            row.logsources
        };
        tell(Decoded::Event(
            element.index,
            EventRef {
                body: element.body,
                log_type: row,
                logsources,
                event_time: event_time(row, members),
            },
        ));
    }
}

/// What keeps an element from being an event.
fn check(
    payload: &[u8],
    invalid: Option<usize>,
    value: &Value,
) -> Result<(), (usize, Reason, String)> {
    let start = value.range.start;
    let bytes = &payload[value.range.clone()];
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
    if invalid.is_some_and(|byte| byte < value.range.end)
        && let Err(error) = std::str::from_utf8(bytes)
    {
        let byte = start + error.valid_up_to();
        return Err((byte, Reason::NotUtf8, "the bytes are not UTF-8".to_owned()));
    }
    Ok(())
}

/// The log source of a record that only the common shapes describe: its category or table name in
/// lower case, so that rules can be written for services that have no row.
fn named_logsource(members: Members<'_>) -> Option<Logsource> {
    let service = Cow::Owned(category_of(members)?);
    Some(Logsource {
        product: Some(Cow::Borrowed("azure")),
        service: Some(service),
        category: None,
    })
}

/// The first of the row's times that is there and can be read.
fn event_time(row: &LogType, members: Members<'_>) -> Option<Timestamp> {
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

#[cfg(test)]
mod tests;
