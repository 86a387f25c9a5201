//! The members of one object, found by their names without a tree.
//!
//! What is read is where keys and values stand: of all members ([`Places`]) or of those that every
//! record is asked for ([`Asked`]), both reused between objects; [`Members`] is that over the bytes. In a
//! payload whose brackets and strings are known an object is [stepped over](Walk) from mark to mark;
//! everything else is read byte by byte. Both find the same: a walk gives up where the other way would
//! forgive something.

use std::borrow::Cow;

use palisade_detect::scan::{Index, Marked};

use crate::json::{Around, Scanner, text, text_bytes};
use crate::log_type;
use crate::raw::Raw;

mod asked;
mod order;
mod walk;

use asked::Unasked;
pub(crate) use asked::{Asked, AskedNames};
pub(crate) use walk::{Odd, Walk};

/// Most members that are looked at: no documented record has as many, and a record with a million
/// keys must not cost memory before it is judged.
const MEMBERS_MAX: usize = 512;

/// The pair of a value that has none, or whose pair is not known.
const NO_PAIR: u32 = u32::MAX;

/// Where a member stands.
#[derive(Debug, Clone, Copy, Default)]
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

    /// The key with its quotes and the colon, if it stands right behind.
    fn key_text<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let text = bytes.get(self.key.0 as usize - 1..self.key.1 as usize + 2)?;
        text.ends_with(b":").then_some(text)
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

    /// The member `name`, as [`Members`] finds it.
    #[inline]
    fn find(&self, name: &[u8], bytes: &[u8]) -> Option<Place> {
        let tag = tag(name);
        let mut folded = None;
        let mut left = self.tags.as_slice();
        while let Some(at) = memchr::memrchr(tag, left) {
            let place = self.places[at];
            let key = place.key(bytes);
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
}

fn span(start: usize, end: usize) -> Option<(u32, u32)> {
    Some((u32::try_from(start).ok()?, u32::try_from(end).ok()?))
}

/// The members of one object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members<'a> {
    known: Known<'a>,
    /// What the places stand in.
    bytes: &'a [u8],
    /// The marks of the bytes, if the places have pairs.
    index: Option<&'a Index>,
}

/// Which places are known.
#[derive(Debug, Clone, Copy)]
enum Known<'a> {
    All(&'a Places),
    /// Others are looked for in the object when they are asked for.
    Asked(&'a Asked, Marked<'a>),
}

impl<'a> Members<'a> {
    /// The members of the object that fills `object`.
    pub(crate) fn of(object: &'a [u8], places: &'a mut Places) -> Option<Self> {
        (object.first() == Some(&b'{')).then(|| places.read(object))?;
        Some(Self {
            known: Known::All(places),
            bytes: object,
            index: None,
        })
    }

    /// The members of an object of a payload with marks, of which those that are asked for were found.
    pub(crate) fn of_asked(object: Marked<'a>, asked: &'a Asked) -> Self {
        Self {
            known: Known::Asked(asked, object),
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
            return Some(Self {
                known: Known::All(places),
                bytes: object.payload,
                index: Some(object.index),
            });
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
    fn place(&self, name: &[u8]) -> Option<Place> {
        match self.known {
            Known::All(places) => places.find(name, self.bytes),
            Known::Asked(asked, object) => match asked.find(name) {
                Ok(found) => found,
                Err(Unasked) => find_marked(object, name).ok().flatten(),
            },
        }
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
        let (all, mut walk) = match self.known {
            Known::All(places) => (places.places.as_slice(), None),
            Known::Asked(_, object) => (&[][..], Some(Walk::of(object))),
        };
        let walk = std::iter::from_fn(move || walk.as_mut()?.step().ok()?);
        let all = all.iter().copied().chain(walk.take(MEMBERS_MAX));
        all.filter_map(move |place| {
            let key = place.key(bytes);
            let plain = !key.contains(&b'\\');
            let key = std::str::from_utf8(key).ok().filter(|_| plain)?;
            Some((key, place.value(bytes)))
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
        let (first, rest) = head(path);
        let place = self.place(first.as_bytes())?;
        let Some(rest) = rest else {
            return Some(place.value(self.bytes));
        };
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

/// The first name of a dotted path, and the rest.
#[inline]
fn head(path: &str) -> (&str, Option<&str>) {
    match path.bytes().position(|byte| byte == b'.') {
        Some(dot) => (path.get(..dot).unwrap_or_default(), path.get(dot + 1..)),
        None => (path, None),
    }
}

/// The raw value at a dotted path inside a raw value.
fn within<'a>(object: &'a [u8], path: &str) -> Option<&'a [u8]> {
    let (first, rest) = head(path);
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
    let (first, rest) = head(path);
    let Ok(place) = find_marked(object, first.as_bytes()) else {
        return within(object.bytes(), path);
    };
    let place = place?;
    match (rest, place.pair()) {
        (None, _) => Some(place.value(object.payload)),
        (Some(rest), Some(pair)) => within_marked(Marked { pair, ..object }, rest),
        (Some(_), None) => None,
    }
}

/// The member `name` of an object, as [`Members`] finds it.
fn find_marked(object: Marked<'_>, name: &[u8]) -> Result<Option<Place>, Odd> {
    let (mut exact, mut folded) = (None, None);
    let mut walk = Walk::of(object);
    for _ in 0..MEMBERS_MAX {
        let Some(place) = walk.step()? else { break };
        let key = place.key(object.payload);
        if key.len() != name.len() {
            continue;
        }
        if key == name {
            exact = Some(place);
            // Where the name does not stand again, no key can be it.
            if log_type::searcher(name).is_some_and(|name| name.find(walk.rest()).is_none()) {
                break;
            }
        } else if folded.is_none() && key.eq_ignore_ascii_case(name) {
            folded = Some(place);
        }
    }
    Ok(exact.or(folded))
}

fn is_object(value: Marked<'_>) -> bool {
    value.bytes().first() == Some(&b'{')
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
