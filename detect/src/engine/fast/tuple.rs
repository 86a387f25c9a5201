//! A flow tuple as one JSON object, for the walk.
//!
//! The object is what the tuple's tree would be, without the members and columns that no rule reads:
//! rules mostly read a few columns, and a tuple is then a short text.

use std::io::Write;

use super::core::Core;
use crate::event::{ColumnReading, FlowTuple};
use crate::time::Timestamp;

/// Longest name whose length is told apart.
const NAME_BYTES_MAX: usize = 31;

/// The top-level names that rules may read.
#[derive(Debug, Default)]
pub(super) struct Tops {
    /// Keywords read every value.
    all: bool,
    /// What each path begins with, by length: a name may hold dots.
    names: [Vec<Box<str>>; NAME_BYTES_MAX + 1],
    /// For each length a bit for each letter that a name begins with, in any case.
    letters: [u32; NAME_BYTES_MAX + 1],
}

/// Where the names of a length and first letter are told.
fn place(name: &str) -> (usize, u32) {
    let letter = name.bytes().next().map_or(0, |first| first & 31);
    (name.len().min(NAME_BYTES_MAX), 1 << letter)
}

impl Tops {
    pub(super) fn new(core: &Core) -> Self {
        let mut tops = Self {
            all: core.keywords.searches(),
            ..Self::default()
        };
        for path in &core.paths {
            let dots = path.match_indices('.').map(|(dot, _)| dot);
            for end in dots.chain([path.len()]) {
                let name = path.get(..end).unwrap_or_default();
                let (length, letter) = place(name);
                let names = &mut tops.names[length];
                if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    names.push(name.into());
                }
                tops.letters[length] |= letter;
            }
        }
        tops
    }

    /// Whether rules may read what stands below this name, in any case.
    fn read(&self, name: &str) -> bool {
        let (length, letter) = place(name);
        let mut names = self.names[length].iter();
        self.all
            || self.letters[length] & letter != 0
                && names.any(|known| known.eq_ignore_ascii_case(name))
    }

    /// Writes a tuple; `None` if it holds what only its tree tells.
    pub(super) fn write(&self, flow: &FlowTuple<'_>, into: &mut Vec<u8>) -> Option<()> {
        into.clear();
        into.push(b'{');
        let members = flow.around.members();
        for (number, (name, raw)) in members.iter().enumerate() {
            // A later one of the same name hides an earlier.
            let hidden = || members[number + 1..].iter().any(|(later, _)| later == name);
            if self.read(name) && !hidden() && !is_column(flow, name) {
                key(name, into)?;
                into.extend_from_slice(raw);
                into.push(b',');
            }
        }
        for (column, text) in flow.columns.iter().zip(flow.tuple.split(',')) {
            let text = text.trim();
            if !text.is_empty() && self.read(column.name) {
                key(column.name, into)?;
                value(column.reading, text, into)?;
                into.push(b',');
            }
        }
        if into.len() > 1 {
            into.pop();
        }
        into.push(b'}');
        Some(())
    }
}

/// Whether a column of this name has a text.
fn is_column(flow: &FlowTuple<'_>, name: &str) -> bool {
    // Few members are named as a column is: the tuple is not taken apart for the others.
    let mut named = flow.columns.iter().enumerate();
    named.any(|(place, column)| {
        let text = || flow.tuple.split(',').nth(place);
        column.name == name && text().is_some_and(|text| !text.trim().is_empty())
    })
}

fn key(name: &str, into: &mut Vec<u8>) -> Option<()> {
    quoted(name, into)?;
    into.push(b':');
    Some(())
}

/// Text that needs no escapes.
fn quoted(text: &str, into: &mut Vec<u8>) -> Option<()> {
    let plain = |byte: u8| byte >= b' ' && !matches!(byte, b'"' | b'\\');
    if !text.bytes().all(plain) {
        return None;
    }
    into.push(b'"');
    into.extend_from_slice(text.as_bytes());
    into.push(b'"');
    Some(())
}

/// The value of a column, as its tree has it.
fn value(reading: ColumnReading, text: &str, into: &mut Vec<u8>) -> Option<()> {
    let number = || text.parse::<i64>().ok();
    match reading {
        ColumnReading::Text => quoted(text, into),
        ColumnReading::Integer if is_short_number(text) => {
            into.extend_from_slice(text.as_bytes());
            Some(())
        }
        ColumnReading::Integer => match number() {
            Some(number) => write!(into, "{number}").ok(),
            None => quoted(text, into),
        },
        ColumnReading::UnixSeconds => time(number().map(Timestamp::from_unix_seconds), text, into),
        ColumnReading::UnixMilliseconds => time(number().map(Timestamp::from_unix_ms), text, into),
        ColumnReading::Word(words) => {
            let word = words.iter().find(|(written, _)| *written == text);
            quoted(word.map_or(text, |(_, word)| word), into)
        }
    }
}

/// Whether a number is written as it is shown, and within bounds.
fn is_short_number(text: &str) -> bool {
    const DIGITS_MAX: usize = 18;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (1..=DIGITS_MAX).contains(&text.len()) && digits && (text == "0" || !text.starts_with('0'))
}

fn time(time: Option<Timestamp>, text: &str, into: &mut Vec<u8>) -> Option<()> {
    match time {
        Some(time) => write!(into, "\"{time}\"").ok(),
        None => quoted(text, into),
    }
}
