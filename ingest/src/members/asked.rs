//! The members that every record is asked for, found while it is stepped over.

use palisade_detect::scan::Marked;

use super::order::{Orders, Trail};
use super::walk::place;
use super::{MEMBERS_MAX, NO_PAIR, Odd, Place, Walk};
use crate::envelope::RECORDS;
use crate::log_type;

/// Most names: each is a bit.
const NAMES_MAX: usize = 64;

/// Longest name.
const NAME_BYTES_MAX: usize = 31;

/// Names that every record is asked for.
#[derive(Debug)]
pub(crate) struct AskedNames {
    /// By length.
    names: Vec<&'static [u8]>,
    /// For each length the number of the first name that is no shorter.
    starts: [usize; NAME_BYTES_MAX + 2],
    /// For each length a bit for each letter that a name begins with, in any case.
    letters: [u32; NAME_BYTES_MAX + 1],
}

/// What letters have in common in both cases.
#[inline]
fn letter(byte: u8) -> u8 {
    byte & 31
}

impl AskedNames {
    /// Takes these names; of too long ones and of too many none, which are looked for when they are
    /// asked for.
    pub(crate) fn new(wanted: impl Iterator<Item = &'static str>) -> Self {
        let wanted = wanted.map(str::as_bytes);
        let mut names: Vec<_> = wanted
            .filter(|name| (1..=NAME_BYTES_MAX).contains(&name.len()))
            .collect();
        names.sort_unstable_by_key(|name| (name.len(), *name));
        names.dedup();
        names.truncate(NAMES_MAX);
        let mut letters = [0; NAME_BYTES_MAX + 1];
        for name in &names {
            letters[name.len()] |= 1 << letter(name[0]);
        }
        let starts = std::array::from_fn(|length| {
            let shorter = names.iter().take_while(|name| name.len() < length);
            shorter.count()
        });
        Self {
            names,
            starts,
            letters,
        }
    }

    /// The names that `key` may be in any case, with their numbers.
    #[inline]
    fn like(&self, key: &[u8]) -> impl Iterator<Item = (usize, &'static [u8])> {
        let first = key.first().map_or(0, |first| letter(*first));
        let numbers = match self.letters.get(key.len()) {
            Some(letters) if letters >> first & 1 == 1 => {
                self.starts[key.len()]..self.starts[key.len() + 1]
            }
            _ => 0..0,
        };
        let named = numbers.map(|number| (number, self.names[number]));
        named.filter(move |(_, name)| letter(name[0]) == first)
    }
}

/// The names that a key may be, a bit for each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Like {
    exact: u64,
    in_another_case: u64,
    /// Whether it is [`RECORDS`].
    records: bool,
}

impl AskedNames {
    fn leads(&self, key: &[u8]) -> Like {
        let (mut exact, mut in_another_case) = (0, 0);
        for (number, name) in self.like(key) {
            if key == name {
                exact |= 1 << number;
            } else if key.eq_ignore_ascii_case(name) {
                in_another_case |= 1 << number;
            }
        }
        Like {
            exact,
            in_another_case,
            records: key == RECORDS,
        }
    }
}

/// Not every record is asked for this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unasked;

/// Where they stand in one object. Reused between objects.
#[derive(Debug)]
pub(crate) struct Asked {
    names: &'static AskedNames,
    /// The members seen so far.
    seen: usize,
    /// A bit for each name that a key is in any case.
    found: u64,
    places: [Place; NAMES_MAX],
    /// The keys of the objects before.
    orders: Orders<Like>,
    trail: Trail,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            names: log_type::names(),
            seen: 0,
            found: 0,
            places: [Place::default(); NAMES_MAX],
            orders: Orders::default(),
            trail: Trail::default(),
        }
    }
}

impl Asked {
    /// Forgets all members: another object begins.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.seen = 0;
        self.found = 0;
        self.trail = self.orders.begin();
    }

    /// Steps over members up to the next that may hold the events of an envelope, and takes those that
    /// are asked for, unless there are enough; returns the bracket pair of that one.
    pub(crate) fn step_to_records(&mut self, walk: &mut Walk<'_>) -> Result<Option<u32>, Odd> {
        loop {
            let start = walk.at();
            let foreseen = self.orders.foresee(&mut self.trail, walk.bytes(), start);
            let (pair, records) = if let Some((like, len)) = foreseen {
                let value = walk.step_known(len)?;
                if like.exact | like.in_another_case == 0 {
                    self.seen += 1;
                } else {
                    self.take(place((start + 1, start + len - 2), value), like);
                }
                (value.2, like.records)
            } else if let Some(member) = self.surprise(walk)? {
                member
            } else {
                return Ok(None);
            };
            if records && pair != NO_PAIR {
                return Ok(Some(pair));
            }
        }
    }

    /// A member whose key was not due: its bracket pair, and whether its key is [`RECORDS`].
    #[inline(never)]
    fn surprise(&mut self, walk: &mut Walk<'_>) -> Result<Option<(u32, bool)>, Odd> {
        let bytes = walk.bytes();
        let Some(place) = walk.step()? else {
            return Ok(None);
        };
        let like = self.names.leads(place.key(bytes));
        let text = place.key_text(bytes);
        self.orders.learn(&mut self.trail, text, like);
        self.take(place, like);
        Ok(Some((place.pair, like.records)))
    }

    /// Takes a member, unless there are enough: the last of exactly this name, or else the first in
    /// another case.
    fn take(&mut self, place: Place, like: Like) {
        self.seen += 1;
        if self.seen > MEMBERS_MAX {
            return;
        }
        let mut left = like.exact | like.in_another_case & !self.found;
        self.found |= left;
        while left != 0 {
            self.places[left.trailing_zeros() as usize] = place;
            left &= left - 1;
        }
    }

    /// Finds them in an object of a payload with marks.
    pub(crate) fn read(&mut self, object: Marked<'_>) -> Result<(), Odd> {
        self.begin();
        let mut walk = Walk::of(object);
        while self.step_to_records(&mut walk)?.is_some() {}
        Ok(())
    }

    /// The member `name`: exactly so written, the last, or else the first in another case.
    #[inline]
    pub(super) fn find(&self, name: &[u8]) -> Result<Option<Place>, Unasked> {
        let mut like = self.names.like(name);
        let (number, _) = like.find(|(_, asked)| *asked == name).ok_or(Unasked)?;
        Ok((self.found >> number & 1 == 1).then(|| self.places[number]))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use palisade_detect::scan::Index;
    use proptest::prelude::*;

    use super::super::{Members, Places};
    use super::*;

    /// What members of all places say must be what those that are asked for say.
    fn check(object: &str, name: &str) {
        let mut index = Index::default();
        index.read(object.as_bytes()).expect("sound");
        let marked = Marked {
            index: &index,
            payload: object.as_bytes(),
            pair: 0,
        };
        let (mut asked, mut places) = (Asked::default(), Places::default());
        asked.read(marked).expect("as JSON wants it");
        let asked = Members::of_asked(marked, &asked);
        let all = Members::of_marked(marked, &mut places).expect("an object");
        assert_eq!(asked.get(name), all.get(name), "{name} in {object}");
        assert_eq!(asked.has(name), all.has(name), "{name} in {object}");
        let path = format!("{name}.a");
        assert_eq!(asked.at(&path), all.at(&path), "{path} in {object}");
        assert!(asked.plain().eq(all.plain()), "{object}");
    }

    #[test]
    fn every_name_that_records_are_asked_for_is_found_in_the_walk() {
        let names = log_type::names();
        assert!(names.names.len() < NAMES_MAX, "no name was left out");
        for name in &names.names {
            let name = std::str::from_utf8(name).expect("text");
            let mut asked = Asked::default();
            assert_eq!(
                asked.find(name.as_bytes()).map(|place| place.is_some()),
                Ok(false)
            );
            let object = format!("{{\"{name}\":1}}");
            let mut index = Index::default();
            index.read(object.as_bytes()).expect("sound");
            let payload = object.as_bytes();
            let index = &index;
            asked
                .read(Marked {
                    index,
                    payload,
                    pair: 0,
                })
                .expect("as JSON wants it");
            assert_eq!(
                asked.find(name.as_bytes()).map(|place| place.is_some()),
                Ok(true)
            );
        }
    }

    #[test]
    fn members_beyond_the_limit_are_not_looked_at() {
        for before in [MEMBERS_MAX - 1, MEMBERS_MAX] {
            let mut object = String::from("{");
            for number in 0..before {
                write!(object, "\"k{number}\":1,").expect("text takes text");
            }
            object.push_str("\"category\":2}");
            check(&object, "category");
        }
    }

    proptest! {
        #[test]
        fn prop_members_are_found_as_among_all(
            keys in prop::collection::vec((
                prop::sample::select(vec![
                    "category", "Category", "CATEGORY", "Type", "type", "tYPE", "time", "TIME", "unasked",
                    "Unasked", "properties", "propertieS", "", "a.b", "\\u0041", "résumé",
                ]),
                prop::sample::select(vec!["1", "\"x\"", "{\"a\":2}", "{\"A\":3,\"b\":[]}", "[]", "null"]),
            ), 0..12),
            name in prop::sample::select(vec!["category", "Type", "type", "time", "unasked", "properties", "x"]),
        ) {
            let members: Vec<_> = keys.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            check(&format!("{{{}}}", members.join(",")), name);
        }
    }
}
