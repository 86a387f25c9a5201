//! What a walk over one record has found so far. Reused between records.

use super::condition::Truth;
use super::core::Core;

/// The field is there.
const FOUND: u8 = 1;
/// One of its values is null.
const NULL: u8 = 2;
/// Only the tree tells what its values are.
const UNKNOWN: u8 = 4;
/// One of its values is an array or object, of which only the tree tells the JSON text.
const NESTED: u8 = 8;

/// Predicates that hold, fields that are there, rules that woke up.
#[derive(Debug, Default)]
pub(super) struct State {
    hit: Bits,
    unknown: Bits,
    /// Of the unknown, those that hold unless a key stands twice.
    presumed: Bits,
    /// Whether no key is said to stand twice.
    pub(super) presuming: bool,
    slots: Vec<u8>,
    awake: Bits,
    /// The rules that woke up, in the order in which they did.
    pub(super) candidates: Vec<u32>,
}

impl State {
    /// Forgets the record before; the next one is held against `core`.
    pub(super) fn begin(&mut self, core: &Core) {
        self.hit.reset(core.predicates());
        self.unknown.reset(core.predicates());
        self.unknown.add_all(core.keywords.late_bits());
        self.presumed.reset(core.predicates());
        self.presuming = false;
        self.awake.reset(core.rules.len());
        self.slots.clear();
        self.slots.resize(core.slots.len(), 0);
        self.candidates.clear();
    }

    /// A predicate holds.
    #[inline]
    pub(super) fn hit(&mut self, core: &Core, predicate: u32) {
        if self.hit.set(predicate) {
            self.wake(core.woken_by(predicate));
        }
    }

    /// Whether all is known of a predicate that there is to know.
    pub(super) fn is_presumed(&self, predicate: u32) -> bool {
        self.presumed.has(predicate)
    }

    /// Whether it is left to the tree whether a predicate may hold.
    pub(super) fn is_open(&self, predicate: u32) -> bool {
        self.unknown.has(predicate)
    }

    /// Whether a predicate may hold is left to the tree.
    pub(super) fn leave_open(&mut self, core: &Core, predicate: u32) {
        if self.unknown.set(predicate) {
            self.wake(core.woken_by(predicate));
        }
    }

    /// A predicate holds, unless its value is hidden by a later one of the same key.
    pub(super) fn presume(&mut self, core: &Core, predicate: u32) {
        self.presumed.set(predicate);
        self.leave_open(core, predicate);
    }

    /// Nothing is unknown of these predicates any more.
    pub(super) fn forget(&mut self, predicates: &[u64]) {
        self.unknown.remove_all(predicates);
    }

    /// What tests find in the JSON text of a field's value is left to the tree.
    pub(super) fn leave_text_open(&mut self, core: &Core, slot: u32) {
        let flags = &mut self.slots[slot as usize];
        if *flags & NESTED == 0 {
            *flags |= NESTED;
            self.wake(core.woken_by_text(slot));
        }
    }

    /// A field is there.
    #[inline]
    pub(super) fn find(&mut self, core: &Core, slot: u32) {
        let flags = &mut self.slots[slot as usize];
        if *flags & FOUND == 0 {
            *flags |= FOUND;
            self.wake(core.woken_by_slot(slot));
        }
    }

    /// A value of the field is null.
    pub(super) fn find_null(&mut self, slot: u32) {
        self.slots[slot as usize] |= NULL;
    }

    /// Everything about a field is left to the tree.
    pub(super) fn leave_slot_open(&mut self, core: &Core, slot: u32) {
        let flags = &mut self.slots[slot as usize];
        if *flags & UNKNOWN != 0 {
            return;
        }
        *flags |= UNKNOWN;
        self.wake(core.woken_by_slot(slot));
        for predicate in &core.slots[slot as usize].predicates {
            self.leave_open(core, *predicate);
        }
    }

    #[inline]
    fn wake(&mut self, rules: &[u32]) {
        if !rules.is_empty() {
            self.wake_up(rules);
        }
    }

    fn wake_up(&mut self, rules: &[u32]) {
        for rule in rules {
            if self.awake.set(*rule) {
                self.candidates.push(*rule);
            }
        }
    }

    pub(super) fn predicate(&self, core: &Core, predicate: u32) -> Truth {
        let nested = |slot: u32| self.slots[slot as usize] & NESTED != 0;
        let presumed = self.presuming && self.presumed.has(predicate);
        if self.hit.has(predicate) || presumed {
            Truth::True
        } else if self.unknown.has(predicate) || core.text_of(predicate).is_some_and(nested) {
            Truth::Unknown
        } else {
            Truth::False
        }
    }

    pub(super) fn found(&self, slot: u32) -> Truth {
        match self.slots[slot as usize] {
            flags if flags & FOUND != 0 => Truth::True,
            flags if flags & UNKNOWN != 0 => Truth::Unknown,
            _ => Truth::False,
        }
    }

    pub(super) fn null(&self, slot: u32) -> Truth {
        match self.slots[slot as usize] {
            flags if flags & NULL != 0 => Truth::True,
            flags if flags & UNKNOWN != 0 => Truth::Unknown,
            flags if flags & FOUND != 0 => Truth::False,
            _ => Truth::True,
        }
    }
}

/// A set of small numbers. There may be tens of thousands, of which a record adds a few: what is
/// emptied are the words that it touched.
#[derive(Debug, Default)]
struct Bits {
    words: Vec<u64>,
    /// The words that are not zero, some perhaps twice.
    touched: Vec<u32>,
}

impl Bits {
    /// Empties the set and makes room for numbers below `len`.
    fn reset(&mut self, len: usize) {
        for word in self.touched.drain(..) {
            self.words[word as usize] = 0;
        }
        let words = len.div_ceil(64).max(self.words.len());
        self.words.resize(words, 0);
    }

    /// Adds a number; says whether it is new.
    #[inline]
    fn set(&mut self, number: u32) -> bool {
        let word = &mut self.words[number as usize / 64];
        let bit = 1 << (number % 64);
        let new = *word & bit == 0;
        if *word == 0 {
            self.touched.push(number / 64);
        }
        *word |= bit;
        new
    }

    fn add_all(&mut self, others: &[u64]) {
        for ((word, other), number) in self.words.iter_mut().zip(others).zip(0..) {
            if *other != 0 {
                *word |= other;
                self.touched.push(number);
            }
        }
    }

    fn remove_all(&mut self, others: &[u64]) {
        for (word, other) in self.words.iter_mut().zip(others) {
            *word &= !other;
        }
    }

    #[inline]
    fn has(&self, number: u32) -> bool {
        self.words[number as usize / 64] >> (number % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_is_emptied_holds_nothing_whatever_its_size() {
        let mut bits = Bits::default();
        for len in [10, 1_000, 64, 65, 10_000, 1] {
            bits.reset(len);
            let last = u32::try_from(len).unwrap() - 1;
            assert!((0..=last).all(|number| !bits.has(number)));
            for number in [0, last / 2, last] {
                bits.set(number);
            }
            bits.add_all(&[1 << 63]);
            bits.remove_all(&[u64::MAX]);
            bits.set(0);
            assert!(bits.has(0) && !bits.set(0));
        }
    }
}
