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

/// Most log sources made of categories that are kept: a sender may make up as many as it likes.
const NAMED_MAX: usize = 64;

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
    /// Of what is read byte by byte.
    places: Places,
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
            && self.index.check_text(payload)
            && self.elements.find(&self.index, payload).is_ok()
    }

    fn by_marks(&mut self, payload: &[u8], hints: &Hints, each: &mut dyn FnMut(Decoded<'_>)) {
        let mut teller = Teller::new(each);
        for number in 0..self.elements.len() {
            let Found { index, pair } = self.elements.get(number);
            let marked = Marked {
                index: &self.index,
                payload,
                pair,
            };
            let Elements {
                asked, asked_of, ..
            } = &mut self.elements;
            let read = *asked_of == Some(pair) || asked.read(marked).is_ok();
            *asked_of = read.then_some(pair);
            let members = if read {
                Members::of_asked(marked, asked)
            } else if let Some(members) = Members::of(marked.bytes(), &mut self.places) {
                members
            } else {
                continue;
            };
            let element = Element {
                index,
                start: self.index.pairs()[pair as usize].open as usize,
                body: Body::Marked(marked),
                bytes: marked.bytes(),
            };
            self.naming.tell(&element, members, hints, &mut teller);
        }
        teller.finish();
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
        let mut teller = Teller::new(each);
        envelope::split(payload, &mut |part| {
            let (index, value) = match part {
                Part::Element(index, value) => (index, value),
                Part::Broken(reject) => return teller.reject(reject),
            };
            if let Err((byte, reason, message)) = check(payload, invalid, &value) {
                let span = value.range;
                return teller.reject(Reject {
                    index,
                    byte,
                    span,
                    reason,
                    message,
                });
            }
            let bytes = &payload[value.range.clone()];
            let Some(members) = Members::of(bytes, &mut self.places) else {
                return;
            };
            let element = Element {
                index,
                start: value.range.start,
                body: Body::Json(bytes),
                bytes,
            };
            self.naming.tell(&element, members, hints, &mut teller);
        });
        teller.finish();
    }
}

/// What an event calls its kind (`category`, or the table of a Log Analytics row, or `type`), for
/// counting events of unknown type: at most [`CATEGORY_BYTES_MAX`] bytes of lower-case letters,
/// digits, `_`, `-`, `.` and `/`; `None` if it says nothing of that form.
///
/// The number of different names is the sender's choice: who counts by it bounds it.
pub fn category(event: &[u8]) -> Option<String> {
    let mut places = Places::default();
    let stated = category_of(Members::of(event, &mut places)?)?;
    Some(stated.to_ascii_lowercase())
}

/// The same as it is written.
fn category_of(members: Members<'_>) -> Option<Cow<'_, str>> {
    // A table row may have a column `Category` of another meaning.
    let names = if log_type::is_table_row(members) {
        ["Type"; 2]
    } else {
        ["category", "type"]
    };
    names
        .into_iter()
        .find_map(|name| members.text(name).filter(|name| is_label(name)))
}

/// Whether `name` has the form of a label.
fn is_label(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    !name.is_empty() && name.len() <= CATEGORY_BYTES_MAX && name.bytes().all(plain)
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

/// Tells what is found: events at once, and rejects as far as they are told one by one.
pub(crate) struct Teller<'e> {
    each: &'e mut dyn FnMut(Decoded<'_>),
    /// Rejects told so far.
    told: usize,
    /// Those that are told together.
    merged: Option<(u64, Reject)>,
}

impl<'e> Teller<'e> {
    fn new(each: &'e mut dyn FnMut(Decoded<'_>)) -> Self {
        Self {
            each,
            told: 0,
            merged: None,
        }
    }

    #[inline]
    pub(crate) fn event(&mut self, index: Index, event: EventRef<'_>) {
        (self.each)(Decoded::Event(index, event));
    }

    pub(crate) fn reject(&mut self, reject: Reject) {
        if self.told < REJECTS_MAX {
            self.told += 1;
            return (self.each)(Decoded::Reject(reject));
        }
        match &mut self.merged {
            None => self.merged = Some((1, reject)),
            Some((count, first)) => {
                *count += 1;
                first.span.end = first.span.end.max(reject.span.end);
            }
        }
    }

    fn finish(self) {
        if let Some((count, mut first)) = self.merged {
            if count > 1 {
                first.message = format!("{count} broken elements from here on; {}", first.message);
            }
            (self.each)(Decoded::Reject(first));
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
    /// The log sources that were made of categories, at most [`NAMED_MAX`].
    named: Vec<Logsource>,
    /// The place of the one that was made last.
    last: usize,
    flow: flow::Scratch,
}

impl Naming {
    fn tell(
        &mut self,
        element: &Element<'_>,
        members: Members<'_>,
        hints: &Hints,
        teller: &mut Teller<'_>,
    ) {
        let row = log_type::recognise(&Seen::new(members));
        if let Some(shape) = flow::Shape::of(row) {
            let record = flow::Record {
                event: element.bytes,
                start: element.start,
                members,
            };
            return flow::tuples(shape, &record, element.index, &mut self.flow, teller);
        }
        let logsources = if row.name == log_type::UNKNOWN.name {
            &hints.logsources
        } else if log_type::is_named_by_its_category(row) {
            self.name(members)
                .map_or(row.logsources, std::slice::from_ref)
        } else {
            row.logsources
        };
        teller.event(
            element.index,
            EventRef {
                body: element.body,
                log_type: row,
                logsources,
                event_time: event_time(row, members),
            },
        );
    }
}

impl Naming {
    /// The log source of a record that only the common shapes describe: its category or table name in
    /// lower case, so that rules can be written for services that have no row.
    fn name(&mut self, members: Members<'_>) -> Option<&Logsource> {
        let stated = category_of(members)?;
        let is = |named: &Logsource| {
            let known = named.service.as_ref();
            known.is_some_and(|known| known.eq_ignore_ascii_case(&stated))
        };
        if let Some(known) = self.named.iter().position(is) {
            return self.named.get(known);
        }
        let named = Logsource {
            product: Some(Cow::Borrowed("azure")),
            service: Some(Cow::Owned(stated.to_ascii_lowercase())),
            category: None,
        };
        if self.named.len() < NAMED_MAX {
            self.last = self.named.len();
            self.named.push(named);
        } else {
            self.last = (self.last + 1) % NAMED_MAX;
            self.named[self.last] = named;
        }
        self.named.get(self.last)
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
