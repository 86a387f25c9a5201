//! Keywords: what stands anywhere in the values of an event.
//!
//! The record's bytes are searched once, in lower case, for the literals of all keywords together.
//! Text that is not written as it reads, with escapes or beyond ASCII, is unescaped, folded and
//! searched by itself. A literal in the text of a value is *presumed* to meet its keyword: the value
//! does not count if a later one of the same key hides it, which the walk cannot know. Whatever else a
//! literal means is left to the tree.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};
use indexmap::IndexMap;
use memchr::{memchr, memchr2_iter};

use super::state::State;
use super::{Core, Odd};
use crate::casing::fold_into;
use crate::scan::{Index, Marked, blanks};
use crate::value;

/// Bytes of literals up to which the automaton is a table, which takes about 256 bytes for each but
/// reads a record ten times as fast.
const TABLE_BYTES_MAX: usize = 64 * 1024;

/// All keywords of a rule set.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    literals: IndexMap<Box<[u8]>, Vec<Aim>>,
    automaton: Option<AhoCorasick>,
    /// Predicates of literals that could be the text of a number that is written another way.
    numeric: Vec<u32>,
}

/// What a place of a literal means.
#[derive(Debug, Clone, Copy)]
struct Aim {
    predicate: u32,
    /// Whether being there is all that the keyword asks for.
    suffices: bool,
}

/// Buffers for text; reused.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    lower: Vec<u8>,
    plain: String,
}

impl Keywords {
    /// Adds a keyword that a value can only meet if it holds `literal`, in any case; says whether
    /// that is enough.
    pub(super) fn add(&mut self, literal: &str, suffices: bool, predicate: u32) {
        let mut folded = Vec::new();
        fold_into(literal.as_bytes(), &mut folded);
        let digit = |byte: &u8| byte.is_ascii_digit() || b"+-.e".contains(byte);
        if folded.iter().all(digit) {
            self.numeric.push(predicate);
        }
        let aim = Aim {
            predicate,
            suffices,
        };
        self.literals.entry(folded.into()).or_default().push(aim);
    }

    /// Makes ready to search.
    ///
    /// # Errors
    /// When the literals are too many for an automaton.
    pub(super) fn build(&mut self) -> Result<(), aho_corasick::BuildError> {
        if !self.literals.is_empty() {
            let mut builder = AhoCorasickBuilder::new();
            builder.match_kind(MatchKind::Standard);
            let bytes = self.literals.keys().map(|literal| literal.len());
            if bytes.sum::<usize>() <= TABLE_BYTES_MAX {
                builder.kind(Some(AhoCorasickKind::DFA));
            }
            self.automaton = Some(builder.build(self.literals.keys())?);
        }
        Ok(())
    }

    /// Whether any value is searched.
    pub(super) fn searches(&self) -> bool {
        self.automaton.is_some()
    }

    /// Searches an event.
    pub(super) fn search(
        &self,
        marked: Marked<'_>,
        core: &Core,
        (state, buffers): (&mut State, &mut Buffers),
    ) -> Result<(), Odd> {
        let Some(automaton) = &self.automaton else {
            return Ok(());
        };
        let mut search = Search {
            keywords: self,
            automaton,
            text: Text::of(marked),
            core,
            state,
        };
        let Buffers { lower, plain } = buffers;
        lower.clear();
        lower.extend_from_slice(search.text.bytes());
        lower.make_ascii_lowercase();
        search.as_written(lower);
        if marked.index.has_backslashes() || !marked.index.is_ascii() {
            search.otherwise(lower, plain)?;
        }
        if !self.numeric.is_empty() && search.text.has_exponent() {
            for predicate in &self.numeric {
                search.state.leave_open(core, *predicate);
            }
        }
        Ok(())
    }
}

/// A search of one event.
struct Search<'s> {
    keywords: &'s Keywords,
    automaton: &'s AhoCorasick,
    text: Text<'s>,
    core: &'s Core,
    state: &'s mut State,
}

impl Search<'_> {
    /// The event as it is written, in lower case.
    fn as_written(&mut self, lower: &[u8]) {
        for found in self.automaton.find_overlapping_iter(lower) {
            let aims = &self.keywords.literals[found.pattern().as_usize()];
            if aims.iter().all(|aim| self.state.is_presumed(aim.predicate)) {
                continue;
            }
            let place = self.text.place(found.start(), found.end());
            for aim in aims {
                match place {
                    Place::Value => self.found(*aim),
                    Place::Outside => self.state.leave_open(self.core, aim.predicate),
                    Place::Nowhere => {}
                }
            }
        }
    }

    /// A literal stands in a value.
    fn found(&mut self, aim: Aim) {
        if aim.suffices {
            self.state.presume(self.core, aim.predicate);
        } else {
            self.state.leave_open(self.core, aim.predicate);
        }
    }

    /// The texts that are not written as they read.
    fn otherwise(&mut self, folded: &mut Vec<u8>, plain: &mut String) -> Result<(), Odd> {
        let mut at = 0;
        while let Some(odd) = self.text.next_odd(at) {
            let (start, end) = self.text.string_around(odd).ok_or(Odd)?;
            at = end + 1;
            if self.text.is_key(end) {
                continue;
            }
            let written = self.text.slice(start, end);
            let written = std::str::from_utf8(written).map_err(|_| Odd)?;
            plain.clear();
            value::unescape(written, plain).map_err(|_| Odd)?;
            fold_into(plain.as_bytes(), folded);
            for found in self.automaton.find_overlapping_iter(folded.as_slice()) {
                for aim in &self.keywords.literals[found.pattern().as_usize()] {
                    self.found(*aim);
                }
            }
        }
        Ok(())
    }
}

/// Where a literal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the text of a value that is written as it reads.
    Value,
    /// Outside text: in a number or word, or between values.
    Outside,
    /// In a key, over the border of a text, or in a text that is not written as it reads, which is
    /// searched by itself.
    Nowhere,
}

/// The event's bytes, by offsets from its start.
#[derive(Clone, Copy)]
struct Text<'t> {
    index: &'t Index,
    payload: &'t [u8],
    start: usize,
    end: usize,
}

impl<'t> Text<'t> {
    fn of(marked: Marked<'t>) -> Self {
        let pair = marked.index.pairs()[marked.pair as usize];
        Self {
            index: marked.index,
            payload: marked.payload,
            start: pair.open as usize,
            end: pair.close as usize + 1,
        }
    }

    fn bytes(&self) -> &'t [u8] {
        &self.payload[self.start..self.end]
    }

    fn slice(&self, start: usize, end: usize) -> &'t [u8] {
        &self.bytes()[start..end]
    }

    fn place(&self, start: usize, end: usize) -> Place {
        if !self.index.is_inside(self.start + start) {
            return Place::Outside;
        }
        // An opening quote counts as inside; a literal with a quote in it is never as written.
        let Some((open, close)) = self.string_around(start) else {
            return Place::Nowhere;
        };
        let written = self.slice(open, close);
        let escaped = self
            .index
            .has_backslash(self.start + open, self.start + close);
        let odd = escaped || !written.is_ascii();
        if start >= open && end <= close && !odd && !self.is_key(close) {
            Place::Value
        } else {
            Place::Nowhere
        }
    }

    /// Where the text around a place begins and ends, without its quotes.
    fn string_around(&self, at: usize) -> Option<(usize, usize)> {
        let open = self.index.quote_before(self.start + at + 1)?;
        let close = self.index.next_quote(open + 1);
        (open >= self.start && close < self.end)
            .then(|| (open + 1 - self.start, close - self.start))
    }

    /// Whether the text that ends at the quote at `close` is a key.
    fn is_key(&self, close: usize) -> bool {
        let bytes = self.bytes();
        bytes.get(blanks(bytes, close + 1)) == Some(&b':')
    }

    /// The next byte at or behind `at` that is a backslash or beyond ASCII.
    fn next_odd(&self, at: usize) -> Option<usize> {
        let rest = self.bytes().get(at..)?;
        let found = if self.index.is_ascii() {
            memchr(b'\\', rest)
        } else {
            rest.iter()
                .position(|byte| *byte == b'\\' || !byte.is_ascii())
        };
        found.map(|found| at + found)
    }

    /// Whether a number may be written with an exponent.
    fn has_exponent(&self) -> bool {
        let bytes = self.bytes();
        memchr2_iter(b'e', b'E', bytes).any(|at| {
            let before = at.checked_sub(1).map(|before| bytes[before]);
            before.is_some_and(|byte| byte.is_ascii_digit())
                && !self.index.is_inside(self.start + at)
        })
    }
}
