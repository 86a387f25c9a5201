//! Outer shapes: from one record's bytes to the places of its elements.
//!
//! ```text
//! {"records":[E, …]}                    diagnostic settings, XDR streaming, flow-log blobs
//! E                                     Defender for Cloud, common alert schema
//! [E, …]                                Log Analytics export, relays
//! [{"records":[E, …], …}, …]            through Stream Analytics
//! any of these, one after the other     JSON Lines in one payload
//! ```
//!
//! Ordinals count every element, broken ones included. A payload that holds one value has no
//! ordinal for it: a bare event has the root index, an envelope's events have one ordinal.

pub(crate) mod marked;

use std::ops::Range;

use palisade_detect::event::Index;
use palisade_detect::scan::is_blank;

use crate::json::{Around, Fault, FaultKind, Scanner, Value};
use crate::reject::{Reason, Reject};

/// The member of an envelope that holds its events.
pub(crate) const RECORDS: &[u8] = b"records";

/// What is found in a record.
#[derive(Debug)]
pub(crate) enum Part {
    /// An element with sound borders.
    Element(Index, Value),
    /// Something else.
    Broken(Reject),
}

/// Finds the elements of `payload`, in order.
pub(crate) fn split(payload: &[u8], each: &mut dyn FnMut(Part)) {
    let start = if payload.starts_with(b"\xEF\xBB\xBF") {
        3
    } else {
        0
    };
    let mut splitter = Splitter {
        bytes: payload,
        json: Scanner::new(payload),
        each,
    };
    splitter.sequence(start);
}

/// What the objects of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inner {
    /// Events, or envelopes around events.
    EventsOrEnvelopes,
    /// Events.
    Events,
}

/// The payload ended inside a value.
#[derive(Clone, Copy)]
struct Ended {
    /// Start of what was not told yet.
    from: usize,
    /// The index of it.
    index: Index,
    /// What was found there.
    fault: Fault,
}

struct Splitter<'a, 'e> {
    bytes: &'a [u8],
    json: Scanner<'a>,
    each: &'e mut dyn FnMut(Part),
}

impl Splitter<'_, '_> {
    /// One or more values, one after the other.
    fn sequence(&mut self, start: usize) {
        let mut at = self.json.blanks(start);
        if at == self.bytes.len() {
            let message = "the payload is empty".to_owned();
            return self.reject(Index::ROOT, at, start..at, (Reason::Empty, message));
        }
        let several = self.is_followed(at);
        let mut ordinal = 0;
        while at < self.bytes.len() {
            let index = if several {
                Index::ROOT.child(ordinal)
            } else {
                Index::ROOT
            };
            match self.top_value(at, index) {
                Ok(end) => at = self.json.blanks(end),
                Err(ended) => return self.lines(ended, ordinal),
            }
            ordinal = ordinal.saturating_add(1);
        }
    }

    /// Whether another value stands behind the one at `at`.
    fn is_followed(&self, at: usize) -> bool {
        let mut ignore = |_| {};
        let json = Scanner::new(self.bytes);
        let mut rehearsal = Splitter {
            bytes: self.bytes,
            json,
            each: &mut ignore,
        };
        match rehearsal.top_value(at, Index::ROOT) {
            Ok(end) => self.json.blanks(end) < self.bytes.len(),
            Err(ended) => next_whole_line(self.bytes, ended.from).is_some(),
        }
    }

    fn top_value(&mut self, at: usize, index: Index) -> Result<usize, Ended> {
        match self.json.peek(at) {
            Some(b'{') => self.object(at, index),
            Some(b'[') => self.list(at, index, Inner::EventsOrEnvelopes, &mut 0),
            _ => {
                let end = self.next_value_line(at + 1);
                let message = "expected an object or an array".to_owned();
                self.reject(index, at, at..end, (Reason::NotJson, message));
                Ok(end)
            }
        }
    }

    /// The next line that begins like an object or array, or the end.
    fn next_value_line(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        memchr::memchr_iter(b'\n', rest)
            .map(|newline| at + newline + 1)
            .find(|line| matches!(self.json.peek(*line), Some(b'{' | b'[')))
            .unwrap_or(self.bytes.len())
    }

    /// After a value that never ends: what follows is taken line by line, each line for itself.
    ///
    /// Only lines that are whole count, and all between two of them is one reject. Taking the rest
    /// as one text again would cost a scan to its end for every broken line.
    fn lines(&mut self, ended: Ended, ordinal: u32) {
        let Ended {
            mut from,
            mut index,
            fault,
        } = ended;
        let mut ordinal = ordinal.saturating_add(1);
        let mut first = true;
        loop {
            let line = next_whole_line(self.bytes, from);
            let gap = from..line.as_ref().map_or(self.bytes.len(), |line| line.start);
            if first && fault.kind != FaultKind::Truncated {
                self.fault(index, gap, &fault);
            } else if first || !self.bytes[gap.clone()].iter().all(|byte| is_blank(*byte)) {
                self.truncated(index, gap);
                ordinal = ordinal.saturating_add(u32::from(!first));
            }
            let Some(line) = line else { return };
            let bytes = &self.bytes[..line.end];
            let mut inside = Splitter {
                bytes,
                json: Scanner::new(bytes),
                each: &mut *self.each,
            };
            if let Err(ended) = inside.top_value(line.start, Index::ROOT.child(ordinal)) {
                inside.truncated(ended.index, ended.from..line.end);
            }
            ordinal = ordinal.saturating_add(1);
            index = Index::ROOT.child(ordinal);
            from = line.end;
            first = false;
        }
    }

    /// An object that is an envelope if it has an array `records`, else an event.
    fn object(&mut self, start: usize, index: Index) -> Result<usize, Ended> {
        let mut at = start + 1;
        let mut depth = 0;
        let mut ordinal = None;
        loop {
            let fault = match self.json.member(at) {
                Ok((None, end)) => {
                    if ordinal.is_none() {
                        let value = Value {
                            range: start..end,
                            depth: depth + 1,
                        };
                        (self.each)(Part::Element(index, value));
                    }
                    return Ok(end);
                }
                Ok((Some(key), begin))
                    if self.bytes.get(key.clone()) == Some(RECORDS)
                        && self.json.peek(begin) == Some(b'[') =>
                {
                    let next = ordinal.get_or_insert(0);
                    at = self.list(begin, index, Inner::Events, next)?;
                    continue;
                }
                Ok((Some(_), begin)) => match self.json.value(begin, Around::Object) {
                    Ok(value) => {
                        depth = depth.max(value.depth);
                        at = value.range.end;
                        continue;
                    }
                    Err(fault) => fault,
                },
                Err(fault) => fault,
            };
            let (from, index) = match ordinal {
                None => (start, index),
                Some(next) => (at, index.child(next)),
            };
            if fault.kind == FaultKind::Truncated {
                return Err(Ended { from, index, fault });
            }
            // Where its brackets say it ends.
            let end = match self.json.value(start, Around::Array) {
                Ok(value) => value.range.end,
                Err(Fault {
                    kind: FaultKind::Truncated,
                    ..
                }) => {
                    return Err(Ended { from, index, fault });
                }
                Err(other) => other.resume.max(start + 1),
            };
            self.fault(index, from..end.max(from), &fault);
            return Ok(end);
        }
    }

    /// The elements of a list, counted on from `ordinal`.
    fn list(
        &mut self,
        start: usize,
        index: Index,
        inner: Inner,
        ordinal: &mut u32,
    ) -> Result<usize, Ended> {
        let mut at = self.json.blanks(start + 1);
        if self.json.peek(at) == Some(b']') {
            return Ok(at + 1);
        }
        loop {
            let place = index.child(*ordinal);
            *ordinal = ordinal.saturating_add(1);
            at = self.element(at, place, inner)?;
            at = self.json.blanks(at);
            match self.json.peek(at) {
                Some(b',') => at = self.json.blanks(at + 1),
                Some(b']') => return Ok(at + 1),
                Some(_) => {
                    let end = self.rest_of_broken(at);
                    let message = "expected a comma or the end of the list".to_owned();
                    self.reject(
                        index.child(*ordinal),
                        at,
                        at..end,
                        (Reason::NotJson, message),
                    );
                    *ordinal = ordinal.saturating_add(1);
                    at = end;
                    match self.json.peek(at) {
                        Some(b',') => at = self.json.blanks(at + 1),
                        Some(b']') => return Ok(at + 1),
                        // A closing brace is the surrounding object's: the list was not closed.
                        Some(_) => return Ok(at),
                        None => return Err(self.ended(at, index.child(*ordinal))),
                    }
                }
                None => return Err(self.ended(at, index.child(*ordinal))),
            }
        }
    }

    /// One element of a list; returns where to go on.
    fn element(&mut self, at: usize, index: Index, inner: Inner) -> Result<usize, Ended> {
        if inner == Inner::EventsOrEnvelopes && self.json.peek(at) == Some(b'{') {
            return self.object(at, index);
        }
        match self.json.value(at, Around::Array) {
            Ok(value) => {
                let end = value.range.end;
                (self.each)(Part::Element(index, value));
                Ok(end)
            }
            Err(Fault {
                kind: FaultKind::Truncated,
                ..
            }) => Err(self.ended(at, index)),
            Err(fault) => {
                let end = self.rest_of_broken(fault.resume);
                self.fault(index, at..end, &fault);
                Ok(end)
            }
        }
    }

    /// Where the rest of a broken element of a list ends: at the next comma or closing bracket of
    /// the list. Closing braces before it are the element's: the list's own object would not go on.
    fn rest_of_broken(&mut self, at: usize) -> usize {
        let end = self.json.neighbour(at, Around::Array);
        let mut probe = end;
        while self.json.peek(probe) == Some(b'}') {
            probe = self.json.blanks(probe + 1);
        }
        if matches!(self.json.peek(probe), Some(b',' | b']')) {
            probe
        } else {
            end
        }
    }

    /// The payload ended in or before the value at `from`.
    fn ended(&self, from: usize, index: Index) -> Ended {
        let end = self.bytes.len();
        Ended {
            from,
            index,
            fault: Fault {
                byte: end,
                kind: FaultKind::Truncated,
                resume: end,
            },
        }
    }

    fn fault(&mut self, index: Index, span: Range<usize>, fault: &Fault) {
        let message = match fault.kind {
            FaultKind::Truncated => "the text ends too early".to_owned(),
            FaultKind::Bracket => "a bracket is closed by one of another kind".to_owned(),
            FaultKind::Expected(what) => format!("expected {what}"),
        };
        self.reject(index, fault.byte, span, (Reason::NotJson, message));
    }

    fn truncated(&mut self, index: Index, span: Range<usize>) {
        let message = "the text ends inside a value".to_owned();
        self.reject(index, span.end, span, (Reason::Truncated, message));
    }

    fn reject(&mut self, index: Index, byte: usize, span: Range<usize>, why: (Reason, String)) {
        let (reason, message) = why;
        (self.each)(Part::Broken(Reject {
            index,
            byte,
            span,
            reason,
            message,
        }));
    }
}

/// The next line behind `at` that begins with an object or array which fills it.
fn next_whole_line(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let mut start = at;
    loop {
        start += memchr::memchr(b'\n', bytes.get(start..)?)? + 1;
        let rest = bytes.get(start..)?;
        let end = start + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &bytes[start..end];
        if !matches!(line.first(), Some(b'{' | b'[')) {
            continue;
        }
        if let Ok(value) = Scanner::new(line).value(0, Around::Nothing)
            && line[value.range.end..].iter().all(|byte| is_blank(*byte))
        {
            return Some(start..end);
        }
    }
}
