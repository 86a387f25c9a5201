//! The members of one object, found by their names without a tree.
//!
//! What is read is where keys and values stand ([`Places`], reused between objects); [`Members`]
//! is that over the bytes. In a payload whose brackets and strings are known an object is
//! [stepped over](Walk) from mark to mark; everything else is read byte by byte. Both find the same:
//! a walk gives up where the other way would forgive something.

use std::borrow::Cow;

use palisade_detect::scan::{Index, Marked, blanks, is_blank};

use crate::json::{Around, Scanner, ends_scalar, text, text_bytes};
use crate::raw::Raw;

/// Most members that are looked at: no documented record has as many, and a record with a million
/// keys must not cost memory before it is judged.
const MEMBERS_MAX: usize = 512;

/// The pair of a value that has none, or whose pair is not known.
const NO_PAIR: u32 = u32::MAX;

/// Where a member stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Of the key's text.
    key: (u32, u32),
    value: (u32, u32),
    /// The bracket pair that the value is.
    pair: u32,
}

impl Place {
    /// The key's text as it is written.
    #[inline]
    pub(crate) fn key<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.key.0 as usize..self.key.1 as usize]
    }

    /// The raw value.
    #[inline]
    pub(crate) fn value<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.value.0 as usize..self.value.1 as usize]
    }

    /// The bracket pair of the value, if it is an object or array of a payload with marks.
    #[inline]
    pub(crate) fn pair(&self) -> Option<u32> {
        (self.pair != NO_PAIR).then_some(self.pair)
    }
}

/// Where the first [`MEMBERS_MAX`] members of an object stand. Reused between objects.
#[derive(Debug, Default)]
pub(crate) struct Places {
    places: Vec<Place>,
    /// A byte for each key that keys of equal letters share in any case.
    tags: Vec<u8>,
}

/// What equal names have in common, whatever their case.
#[inline]
pub(crate) fn tag(name: &[u8]) -> u8 {
    let (Some(first), Some(last)) = (name.first(), name.last()) else {
        return 0;
    };
    // The case of a letter is this bit.
    let mixed = usize::from(first | 0x20) * 7 + usize::from(last | 0x20) * 13 + name.len() * 37;
    mixed.to_le_bytes()[0]
}

impl Places {
    /// Forgets all members.
    pub(crate) fn clear(&mut self) {
        self.places.clear();
        self.tags.clear();
    }

    /// Takes one more member, unless there are enough.
    #[inline]
    pub(crate) fn push(&mut self, place: Place, bytes: &[u8]) {
        if self.places.len() < MEMBERS_MAX {
            self.tags.push(tag(place.key(bytes)));
            self.places.push(place);
        }
    }

    /// Reads the members of the object that fills `object`, byte by byte; stops at what is no
    /// member. Keys that are written with escapes are not found by their plain names.
    pub(crate) fn read(&mut self, object: &[u8]) {
        self.clear();
        let mut json = Scanner::new(object);
        let mut at = 1;
        while self.places.len() < MEMBERS_MAX {
            let Ok((Some(key), begin)) = json.member(at) else {
                return;
            };
            let Ok(value) = json.value(begin, Around::Object) else {
                return;
            };
            at = value.range.end;
            let (Some(key), Some(value)) = (span(key.start, key.end), span(begin, at)) else {
                return;
            };
            let pair = NO_PAIR;
            self.push(Place { key, value, pair }, object);
        }
    }

    /// Reads the members of an object of a payload with marks; `false` where [`Places::read`] must
    /// decide.
    pub(crate) fn read_marked(&mut self, object: Marked<'_>) -> bool {
        self.clear();
        let mut walk = Walk::of(object);
        while self.places.len() < MEMBERS_MAX {
            match walk.step() {
                Ok(Some(place)) => self.push(place, object.payload),
                Ok(None) => return true,
                Err(Odd) => return false,
            }
        }
        true
    }
}

fn span(start: usize, end: usize) -> Option<(u32, u32)> {
    Some((u32::try_from(start).ok()?, u32::try_from(end).ok()?))
}

/// The members of one object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members<'a> {
    places: &'a Places,
    /// What the places stand in.
    bytes: &'a [u8],
    /// The marks of the bytes, if the places have pairs.
    index: Option<&'a Index>,
}

impl<'a> Members<'a> {
    /// The members of the object that fills `object`.
    pub(crate) fn of(object: &'a [u8], places: &'a mut Places) -> Option<Self> {
        (object.first() == Some(&b'{')).then(|| places.read(object))?;
        Some(Self {
            places,
            bytes: object,
            index: None,
        })
    }

    /// The members of an object of a payload with marks, whose places have been read.
    pub(crate) fn of_read(object: Marked<'a>, places: &'a Places) -> Self {
        Self {
            places,
            bytes: object.payload,
            index: Some(object.index),
        }
    }

    /// The members of an object of a payload with marks.
    pub(crate) fn of_marked(object: Marked<'a>, places: &'a mut Places) -> Option<Self> {
        if !is_object(object) {
            return None;
        }
        if places.read_marked(object) {
            return Some(Self::of_read(object, places));
        }
        Self::of(object.bytes(), places)
    }

    /// The members of a value that is an object.
    pub(crate) fn of_raw(value: Raw<'a>, places: &'a mut Places) -> Option<Self> {
        match value {
            Raw::Bytes(bytes) => Self::of(bytes, places),
            Raw::Marked(marked) => Self::of_marked(marked, places),
        }
    }

    /// The member `name`: an exact key wins (the last, if it is repeated), else the first that is
    /// equal without regard to ASCII case.
    #[inline]
    fn place(&self, name: &[u8]) -> Option<&'a Place> {
        let tag = tag(name);
        let mut folded = None;
        let mut left = self.places.tags.as_slice();
        while let Some(at) = memchr::memrchr(tag, left) {
            let place = &self.places.places[at];
            let key = place.key(self.bytes);
            if key == name {
                return Some(place);
            }
            if key.eq_ignore_ascii_case(name) {
                folded = Some(place);
            }
            left = &left[..at];
        }
        folded
    }

    /// The raw value of the member `name`, in any case if none has it exactly.
    pub(crate) fn get(&self, name: &str) -> Option<&'a [u8]> {
        Some(self.place(name.as_bytes())?.value(self.bytes))
    }

    /// The same with the value's marks.
    pub(crate) fn raw(&self, name: &str) -> Option<Raw<'a>> {
        let place = self.place(name.as_bytes())?;
        Some(match (self.index, place.pair()) {
            (Some(index), Some(pair)) => Raw::Marked(Marked {
                index,
                payload: self.bytes,
                pair,
            }),
            _ => Raw::Bytes(place.value(self.bytes)),
        })
    }

    /// Whether there is a member of exactly this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        let name = name.as_bytes();
        self.place(name)
            .is_some_and(|place| place.key(self.bytes) == name)
    }

    /// The members whose keys are written without escapes, in order.
    pub(crate) fn plain(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let bytes = self.bytes;
        self.places.places.iter().filter_map(move |place| {
            let key = std::str::from_utf8(place.key(bytes)).ok()?;
            (!key.contains('\\')).then(|| (key, place.value(bytes)))
        })
    }

    /// The text of the member `name`, if it is one.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text(self.get(name)?)
    }

    /// The same as bytes, for comparing.
    pub(crate) fn text_bytes(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        text_bytes(self.get(name)?)
    }

    /// The raw value at a dotted path.
    pub(crate) fn at(&self, path: &str) -> Option<&'a [u8]> {
        let Some((first, rest)) = path.split_once('.') else {
            return self.get(path);
        };
        let place = self.place(first.as_bytes())?;
        match (self.index, place.pair()) {
            (Some(index), Some(pair)) => within_marked(
                Marked {
                    index,
                    payload: self.bytes,
                    pair,
                },
                rest,
            ),
            _ => within(place.value(self.bytes), rest),
        }
    }
}

/// The raw value at a dotted path inside a raw value.
fn within<'a>(object: &'a [u8], path: &str) -> Option<&'a [u8]> {
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    let mut places = Places::default();
    let members = Members::of(object, &mut places)?;
    let place = members.place(first.as_bytes())?;
    let value = place.value(object);
    match rest {
        None => Some(value),
        Some(rest) => within(value, rest),
    }
}

/// As [`within`], from mark to mark and without memory.
fn within_marked<'a>(object: Marked<'a>, path: &str) -> Option<&'a [u8]> {
    if !is_object(object) {
        return None;
    }
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    let name = first.as_bytes();
    let (mut exact, mut folded) = (None, None);
    let mut walk = Walk::of(object);
    for _ in 0..MEMBERS_MAX {
        let place = match walk.step() {
            Ok(Some(place)) => place,
            Ok(None) => break,
            Err(Odd) => return within(object.bytes(), path),
        };
        let key = place.key(object.payload);
        if key.len() != name.len() {
            continue;
        }
        if key == name {
            exact = Some(place);
            // Where the name does not stand again, no key can be it: the walk need not go on.
            if memchr::memmem::find(walk.rest(), name).is_none() {
                break;
            }
        } else if folded.is_none() && key.eq_ignore_ascii_case(name) {
            folded = Some(place);
        }
    }
    let place = exact.or(folded)?;
    match (rest, place.pair()) {
        (None, _) => Some(place.value(object.payload)),
        (Some(rest), Some(pair)) => within_marked(Marked { pair, ..object }, rest),
        (Some(_), None) => None,
    }
}

fn is_object(value: Marked<'_>) -> bool {
    value.bytes().first() == Some(&b'{')
}

/// The marks do not tell: something is not as JSON wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Odd;

/// Steps over the members of an object from mark to mark.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    index: &'a Index,
    bytes: &'a [u8],
    /// Where the next key begins, or the closing brace stands.
    at: usize,
    /// The next bracket pair that opens at or behind `at`.
    pair: u32,
    /// Where the object closes.
    close: usize,
}

impl<'a> Walk<'a> {
    /// Begins behind the opening brace.
    pub(crate) fn of(object: Marked<'a>) -> Self {
        let pair = object.index.pairs()[object.pair as usize];
        Self {
            index: object.index,
            bytes: object.payload,
            at: blanks(object.payload, pair.open as usize + 1),
            pair: object.pair + 1,
            close: pair.close as usize,
        }
    }

    /// The next member; `None` at the end.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "there is no index of payloads of 4 GiB"
    )]
    pub(crate) fn step(&mut self) -> Result<Option<Place>, Odd> {
        if self.at == self.close {
            return Ok(None);
        }
        if self.bytes.get(self.at) != Some(&b'"') {
            return Err(Odd);
        }
        let key = self.at + 1;
        let key_end = self.index.next_quote(key);
        let mut value = key_end + 1;
        if self.bytes.get(value) != Some(&b':') {
            value = blanks(self.bytes, value);
            if self.bytes.get(value) != Some(&b':') {
                return Err(Odd);
            }
        }
        value += 1;
        if self.bytes.get(value).copied().is_some_and(is_blank) {
            value = blanks(self.bytes, value);
        }
        let (value_end, pair) = self.value(value)?;
        self.behind(value_end)?;
        Ok(Some(Place {
            key: (key as u32, key_end as u32),
            value: (value as u32, value_end as u32),
            pair,
        }))
    }

    /// The bytes of the object that were not stepped over.
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..self.close).unwrap_or_default()
    }

    /// The end of the value that begins at `at`, and its bracket pair.
    #[inline]
    fn value(&mut self, at: usize) -> Result<(usize, u32), Odd> {
        match self.bytes.get(at) {
            Some(b'"') => Ok((self.index.next_quote(at + 1) + 1, NO_PAIR)),
            Some(b'{' | b'[') => {
                let number = self.pair;
                let pair = self.index.pairs().get(number as usize).ok_or(Odd)?;
                if pair.open as usize != at {
                    return Err(Odd);
                }
                self.pair = pair.next;
                Ok((pair.close as usize + 1, number))
            }
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                let mut end = at + 1;
                while let Some(byte) = self.bytes.get(end)
                    && !ends_scalar(*byte)
                {
                    end += 1;
                }
                Ok((end, NO_PAIR))
            }
            _ => Err(Odd),
        }
    }

    /// Moves behind the value that ends at `end`: over one comma to a key, or to the end.
    #[inline]
    fn behind(&mut self, end: usize) -> Result<(), Odd> {
        let mut at = end;
        if self.bytes.get(at).copied().is_some_and(is_blank) {
            at = blanks(self.bytes, at);
        }
        if at == self.close {
            self.at = at;
            return Ok(());
        }
        if self.bytes.get(at) != Some(&b',') {
            return Err(Odd);
        }
        at += 1;
        if self.bytes.get(at) != Some(&b'"') {
            at = blanks(self.bytes, at);
            // A comma and no member.
            if at == self.close {
                return Err(Odd);
            }
        }
        self.at = at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_key_wins_over_another_case_and_the_last_of_equal_keys_counts() {
        let mut places = Places::default();
        let object = br#"{"Level":4,"level":"a","level":"b","RESOURCEID":"r"}"#;
        let members = Members::of(object, &mut places).expect("object");
        assert_eq!(members.text("level").as_deref(), Some("b"));
        assert_eq!(members.get("Level"), Some(&b"4"[..]));
        assert_eq!(members.text("resourceId").as_deref(), Some("r"));
        assert!(members.has("Level") && !members.has("resourceId"));
    }

    #[test]
    fn path_goes_through_objects_and_escapes_are_resolved() {
        let mut places = Places::default();
        let object = br#"{"a":{"b":{"c":"x\/\u0041"}},"n":1}"#;
        let members = Members::of(object, &mut places).expect("object");
        assert_eq!(members.at("a.b.c").and_then(text).as_deref(), Some("x/A"));
        assert_eq!(members.at("n.b"), None);
    }
}
