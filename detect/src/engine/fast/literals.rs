//! Literals that a value is, begins with, ends with or holds: all rules' at once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use indexmap::IndexMap;
use memchr::memmem::Finder;
use xxhash_rust::xxh3::xxh3_64;

use crate::naive::Shape;

/// What a literal leads to: a number whose meaning is the owner's.
pub(super) type Target = u32;

/// Literals of one casing. Values are given in that casing.
#[derive(Debug, Default)]
pub(super) struct Literals {
    whole: Table,
    starts: Ends,
    ends: Ends,
    anywhere: IndexMap<Box<[u8]>, Vec<Target>>,
    /// Finds the literals of `anywhere`, by place.
    searcher: Option<Searcher>,
    /// Length of the shortest of `anywhere`.
    shortest: usize,
    /// Targets of the empty literal, which every value begins with.
    every: Vec<Target>,
}

/// Most literals that are looked for one by one: each takes some seventy instructions of a value of common
/// length, an automaton several hundred.
const FINDERS_MAX: usize = 6;

/// A search for literals anywhere in a value.
#[derive(Debug)]
enum Searcher {
    /// One by one.
    Each(Vec<Finder<'static>>),
    /// All at once.
    Together(AhoCorasick),
}

/// Targets by text.
#[derive(Debug, Default)]
struct Table {
    /// Lengths that occur, one bit each; the last stands for all from 63 on.
    lengths: u64,
    targets: HashMap<Box<[u8]>, Vec<Target>, BuildHasherDefault<Xxh3>>,
}

/// Texts at one end of a value, by length.
#[derive(Debug, Default)]
struct Ends {
    by_length: Vec<(usize, Table)>,
    /// The byte at the value's end, for all texts.
    outermost: [u64; 4],
}

/// One-shot hashing: the keys of a table are its rules', not the record's.
#[derive(Debug, Default)]
struct Xxh3(u64);

impl Hasher for Xxh3 {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(7) ^ xxh3_64(bytes);
    }

    fn write_usize(&mut self, number: usize) {
        self.0 ^= number as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Literals {
    /// Adds a literal; a pattern that is more than one is found where its literal is anywhere.
    pub(super) fn add(&mut self, shape: Shape<'_>, target: Target) {
        let (Shape::Whole(text)
        | Shape::Start(text)
        | Shape::End(text)
        | Shape::Anywhere(text)
        | Shape::Other(text)) = shape;
        let bytes = text.as_bytes();
        match shape {
            Shape::Whole(_) => self.whole.add(bytes, target),
            _ if bytes.is_empty() => self.every.push(target),
            Shape::Start(_) => self.starts.add(bytes, bytes[0], target),
            Shape::End(_) => self.ends.add(bytes, bytes[bytes.len() - 1], target),
            Shape::Anywhere(_) | Shape::Other(_) => {
                self.anywhere.entry(bytes.into()).or_default().push(target);
            }
        }
    }

    /// Makes ready to search.
    ///
    /// # Errors
    /// When the literals are too many for an automaton.
    pub(super) fn build(&mut self) -> Result<(), aho_corasick::BuildError> {
        let texts = || self.anywhere.keys();
        self.shortest = texts().map(|text| text.len()).min().unwrap_or(0);
        self.searcher = match texts().len() {
            0 => None,
            1..=FINDERS_MAX => {
                let finders = texts().map(|text| Finder::new(text).into_owned());
                Some(Searcher::Each(finders.collect()))
            }
            _ => {
                let mut builder = AhoCorasickBuilder::new();
                builder.match_kind(MatchKind::Standard);
                Some(Searcher::Together(builder.build(texts())?))
            }
        };
        Ok(())
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        !self.reads_inside() && self.whole.targets.is_empty() && self.every.is_empty()
    }

    /// Whether a value of this length can be one of those that are asked for, if only whole values
    /// are.
    #[inline]
    pub(super) fn may_hold(&self, len: usize) -> bool {
        self.reads_inside() || !self.every.is_empty() || self.whole.has_length(len)
    }

    fn reads_inside(&self) -> bool {
        self.searcher.is_some()
            || !self.starts.by_length.is_empty()
            || !self.ends.by_length.is_empty()
    }

    /// Calls `hit` for the targets of every literal that `value` meets.
    #[inline]
    pub(super) fn search(&self, value: &[u8], hit: &mut impl FnMut(Target)) {
        for target in self.whole.get(value).iter().chain(&self.every) {
            hit(*target);
        }
        if let (Some(first), Some(last)) = (value.first(), value.last()) {
            self.starts
                .search(*first, value.len(), |len| &value[..len], hit);
            self.ends
                .search(*last, value.len(), |len| &value[value.len() - len..], hit);
        }
        match &self.searcher {
            Some(searcher) if value.len() >= self.shortest => self.inside(searcher, value, hit),
            _ => {}
        }
    }

    /// Calls `hit` for the targets of the literals that a value holds.
    fn inside(&self, searcher: &Searcher, value: &[u8], hit: &mut impl FnMut(Target)) {
        match searcher {
            Searcher::Each(finders) => {
                for (finder, targets) in finders.iter().zip(self.anywhere.values()) {
                    if finder.find(value).is_some() {
                        for target in targets {
                            hit(*target);
                        }
                    }
                }
            }
            Searcher::Together(automaton) => {
                let mut seen = Seen::default();
                for found in automaton.find_overlapping_iter(value) {
                    // What a literal leads to may look at the whole value: once, however often it is there.
                    if !seen.add(found.pattern().as_usize()) {
                        continue;
                    }
                    for target in &self.anywhere[found.pattern().as_usize()] {
                        hit(*target);
                    }
                }
            }
        }
    }
}

/// The numbers of the literals that a value was seen to hold.
#[derive(Debug, Default)]
struct Seen {
    first: [u64; 4],
    others: Vec<u64>,
}

impl Seen {
    /// Adds a number; says whether it is new.
    #[inline]
    fn add(&mut self, number: usize) -> bool {
        let (place, bit) = (number / 64, 1 << (number % 64));
        let word = match self.first.get_mut(place) {
            Some(word) => word,
            None => self.other(place - 4),
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    #[cold]
    fn other(&mut self, place: usize) -> &mut u64 {
        if self.others.len() <= place {
            self.others.resize(place + 1, 0);
        }
        &mut self.others[place]
    }
}

impl Table {
    fn add(&mut self, text: &[u8], target: Target) {
        self.lengths |= 1 << text.len().min(63);
        self.targets.entry(text.into()).or_default().push(target);
    }

    #[inline]
    fn has_length(&self, len: usize) -> bool {
        self.lengths >> len.min(63) & 1 == 1
    }

    #[inline]
    fn get(&self, text: &[u8]) -> &[Target] {
        if !self.has_length(text.len()) {
            return &[];
        }
        self.targets.get(text).map_or(&[], Vec::as_slice)
    }
}

impl Ends {
    fn add(&mut self, text: &[u8], outermost: u8, target: Target) {
        self.outermost[usize::from(outermost / 64)] |= 1 << (outermost % 64);
        let place = self
            .by_length
            .binary_search_by_key(&text.len(), |(len, _)| *len);
        let place = place.unwrap_or_else(|place| {
            self.by_length.insert(place, (text.len(), Table::default()));
            place
        });
        self.by_length[place].1.add(text, target);
    }

    #[inline]
    fn search<'v>(
        &self,
        outermost: u8,
        len: usize,
        part: impl Fn(usize) -> &'v [u8],
        hit: &mut impl FnMut(Target),
    ) {
        if self.outermost[usize::from(outermost / 64)] >> (outermost % 64) & 1 == 0 {
            return;
        }
        for (of_len, table) in &self.by_length {
            if *of_len > len {
                break;
            }
            for target in table.get(part(*of_len)) {
                hit(*target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_literals_and_many_are_found_alike() {
        for count in [1, 2, FINDERS_MAX, FINDERS_MAX + 1, 40] {
            let mut literals = Literals::default();
            let texts: Vec<String> = (0..count).map(|n| format!("{}x{n}", n % 3)).collect();
            for (text, target) in texts.iter().zip(0..) {
                literals.add(Shape::Anywhere(text), target);
            }
            literals.build().unwrap();
            for value in [
                "",
                "x",
                "0x0",
                "a0x01x12x2",
                "1x11x12x2, 0x0 and 2x38",
                "0x",
                "0x30",
            ] {
                let mut hits = Vec::new();
                literals.search(value.as_bytes(), &mut |target| hits.push(target));
                hits.sort_unstable();
                let plainly = texts.iter().zip(0_u32..);
                let plainly = plainly.filter(|(text, _)| value.contains(text.as_str()));
                let plainly: Vec<u32> = plainly.map(|(_, target)| target).collect();
                assert_eq!(hits, plainly, "{count} in {value}");
            }
        }
    }

    #[test]
    fn a_literal_leads_to_its_targets_once_however_often_a_value_holds_it() {
        let mut literals = Literals::default();
        for target in 0..600 {
            let text = format!("<{target}>");
            literals.add(Shape::Other(&text), target);
        }
        literals.build().unwrap();
        let parts: Vec<String> = (0..600).map(|n| format!("<{}>", n / 2)).collect();
        let value = parts.join("<599>");
        let mut hits = Vec::new();
        literals.search(value.as_bytes(), &mut |target| hits.push(target));
        hits.sort_unstable();
        let expected: Vec<u32> = (0..300).chain([599]).collect();
        assert_eq!(hits, expected);
    }
}
