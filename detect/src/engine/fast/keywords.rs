//! Keywords: what stands anywhere in the values of an event.
//!
//! The record's bytes are searched once for the literals of all keywords together. Text that is not
//! written as it reads, with escapes or beyond ASCII, is unescaped, folded and searched by itself. A
//! literal in the text of a value is *presumed* to meet its keyword: the value does not count if a later
//! one of the same key hides it, which the walk cannot know. Whatever else a literal means is left to the
//! tree.
//!
//! Only keywords that wake rules are searched in every event. The *late* ones belong to rules that wait
//! for a field besides; until such a rule asks for them they are unknown.

use indexmap::IndexMap;
use memchr::{memchr, memchr2_iter};

use super::state::State;
use super::{Core, Odd};
use crate::casing::fold_into;
use crate::scan::{Index, Marked, blanks};
use crate::value;

mod needles;

use needles::{Needles, Seeker};

/// All keywords of a rule set.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    /// Before [`Keywords::build`]: what each literal means.
    literals: IndexMap<Box<[u8]>, Vec<Aim>>,
    waking: Group,
    late: Group,
    /// The predicates of `late`, as bits.
    late_bits: Vec<u64>,
}

/// Literals that are searched together.
#[derive(Debug, Default)]
struct Group {
    needles: Needles,
    /// What each literal means.
    aims: Vec<Vec<Aim>>,
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
    folded: Vec<u8>,
}

impl Keywords {
    /// Adds a keyword that a value can only meet if it holds `literal`, in any case; says whether
    /// that is enough.
    pub(super) fn add(&mut self, literal: &str, suffices: bool, predicate: u32) {
        let mut folded = Vec::new();
        fold_into(literal.as_bytes(), &mut folded);
        let aim = Aim {
            predicate,
            suffices,
        };
        self.literals.entry(folded.into()).or_default().push(aim);
    }

    /// Makes ready to search; `wakes` says whether a rule waits for a predicate.
    ///
    /// # Errors
    /// When the literals are too many for an automaton.
    pub(super) fn build(
        &mut self,
        wakes: &dyn Fn(u32) -> bool,
    ) -> Result<(), aho_corasick::BuildError> {
        let literals = std::mem::take(&mut self.literals).into_iter();
        let (waking, late): (Vec<_>, Vec<_>) =
            literals.partition(|(_, aims)| aims.iter().any(|aim| wakes(aim.predicate)));
        for aim in late.iter().flat_map(|(_, aims)| aims) {
            let word = aim.predicate as usize / 64;
            if self.late_bits.len() <= word {
                self.late_bits.resize(word + 1, 0);
            }
            self.late_bits[word] |= 1 << (aim.predicate % 64);
        }
        self.waking = Group::new(waking)?;
        self.late = Group::new(late)?;
        Ok(())
    }

    /// Whether any value is searched.
    pub(super) fn searches(&self) -> bool {
        !self.waking.needles.is_empty() || !self.late.needles.is_empty()
    }

    /// The predicates that are unknown until [`Keywords::search_late`], as bits.
    pub(super) fn late_bits(&self) -> &[u64] {
        &self.late_bits
    }

    /// Whether a predicate is one of those.
    pub(super) fn is_late(&self, predicate: u32) -> bool {
        let word = self.late_bits.get(predicate as usize / 64);
        word.is_some_and(|word| word >> (predicate % 64) & 1 == 1)
    }

    /// Searches an event for the keywords that wake rules.
    pub(super) fn search(
        &self,
        marked: Marked<'_>,
        core: &Core,
        (state, buffers): (&mut State, &mut Buffers),
    ) -> Result<(), Odd> {
        self.waking.search(marked, core, (state, buffers))
    }

    /// Searches an event for the others.
    pub(super) fn search_late(
        &self,
        marked: Marked<'_>,
        core: &Core,
        (state, buffers): (&mut State, &mut Buffers),
    ) -> Result<(), Odd> {
        state.forget(&self.late_bits);
        self.late.search(marked, core, (state, buffers))
    }
}

impl Group {
    fn new(literals: Vec<(Box<[u8]>, Vec<Aim>)>) -> Result<Self, aho_corasick::BuildError> {
        let digit = |byte: &u8| byte.is_ascii_digit() || b"+-.e".contains(byte);
        let numeric = literals.iter().filter(|(text, _)| text.iter().all(digit));
        let numeric = numeric.flat_map(|(_, aims)| aims).map(|aim| aim.predicate);
        let numeric = numeric.collect();
        let (texts, aims) = literals.into_iter().unzip();
        Ok(Self {
            needles: Needles::new(texts)?,
            aims,
            numeric,
        })
    }

    fn search(
        &self,
        marked: Marked<'_>,
        core: &Core,
        (state, buffers): (&mut State, &mut Buffers),
    ) -> Result<(), Odd> {
        if self.needles.is_empty() {
            return Ok(());
        }
        let mut search = Search {
            group: self,
            text: Text::of(marked),
            core,
            state,
        };
        search.as_written(&mut buffers.lower);
        if marked.index.has_backslashes() || !marked.index.is_ascii() {
            search.otherwise(buffers)?;
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
    group: &'s Group,
    text: Text<'s>,
    core: &'s Core,
    state: &'s mut State,
}

impl Search<'_> {
    /// The event as it is written.
    fn as_written(&mut self, lower: &mut Vec<u8>) {
        let (needles, bytes) = (&self.group.needles, self.text.bytes());
        needles.find(bytes, lower, &mut AsWritten(self));
    }

    /// Whether nothing more is to be known of a keyword.
    fn is_settled(&self, aim: Aim) -> bool {
        if aim.suffices {
            self.state.is_presumed(aim.predicate)
        } else {
            self.state.is_open(aim.predicate)
        }
    }

    fn wants(&self, literal: usize) -> bool {
        let aims = &self.group.aims[literal];
        !aims.iter().all(|aim| self.is_settled(*aim))
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
    fn otherwise(&mut self, buffers: &mut Buffers) -> Result<(), Odd> {
        let Buffers {
            lower,
            plain,
            folded,
        } = buffers;
        let group = self.group;
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
            group.needles.find(folded, lower, &mut Unescaped(self));
        }
        Ok(())
    }
}

/// Literals in an event as it is written.
struct AsWritten<'a, 's>(&'a mut Search<'s>);

impl Seeker for AsWritten<'_, '_> {
    fn wants(&self, literal: usize) -> bool {
        self.0.wants(literal)
    }

    fn found(&mut self, literal: usize, start: usize) {
        let Self(search) = self;
        let end = start + search.group.needles.length(literal);
        let place = search.text.place(start, end);
        for aim in &search.group.aims[literal] {
            match place {
                Place::Value => search.found(*aim),
                Place::Outside => search.state.leave_open(search.core, aim.predicate),
                Place::Nowhere => {}
            }
        }
    }
}

/// Literals in a text without its escapes.
struct Unescaped<'a, 's>(&'a mut Search<'s>);

impl Seeker for Unescaped<'_, '_> {
    fn wants(&self, literal: usize) -> bool {
        self.0.wants(literal)
    }

    fn found(&mut self, literal: usize, _: usize) {
        for aim in &self.0.group.aims[literal] {
            self.0.found(*aim);
        }
    }
}

/// The first byte that is a backslash or beyond ASCII. Looks at many bytes at a time: the compiler makes
/// vectors of a loop without an early end.
fn odd(bytes: &[u8]) -> Option<usize> {
    let is_odd = |byte: &u8| *byte == b'\\' || !byte.is_ascii();
    let mut chunks = bytes.chunks(32).enumerate();
    let with_odd =
        chunks.find(|(_, chunk)| chunk.iter().fold(false, |any, byte| any | is_odd(byte)));
    let (number, chunk) = with_odd?;
    let place = chunk.iter().position(is_odd)?;
    Some(number * 32 + place)
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
            odd(rest)
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
