//! Values that come again.
//!
//! Categories, operations, programs and results are a few words that every record says again. What the
//! tests of a field found in such a value is remembered: it depends on nothing but the value.

use super::trie::head;

/// Most fields of one program whose values a thread remembers.
const FIELDS_MAX: usize = 1_024;

/// Values that are remembered of a field. A value has one place.
const VALUES: usize = 16;

/// Most bytes of a value that is remembered.
const VALUE_BYTES_MAX: usize = 256;

/// What a field's memory is worth at first, and at most: a value that is not remembered costs 1.
const WORTH: u32 = 64;

/// How many values pass by a memory that was worth nothing before it is tried again.
const REST: u32 = 16_384;

/// What a thread remembers of the fields of one program.
#[derive(Debug, Default)]
pub(super) struct Memos {
    /// The memory of each slot, and 0 for none so far: numbers of `memos`, from 1.
    by_slot: Vec<u32>,
    memos: Vec<Memo>,
}

#[derive(Debug)]
struct Memo {
    values: [Option<Known>; VALUES],
    worth: u32,
    rest: u32,
}

#[derive(Debug, Default)]
struct Known {
    text: Vec<u8>,
    /// The predicates that hold of it.
    holds: Vec<u32>,
}

/// Where a value is remembered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    memo: u32,
    value: usize,
}

impl Memos {
    /// Where a value of a slot is to be remembered, if at all.
    #[inline]
    pub(super) fn place(&mut self, slot: u32, text: &[u8]) -> Option<Place> {
        if text.len() > VALUE_BYTES_MAX {
            return None;
        }
        let memo = self.by_slot.get(slot as usize).copied().unwrap_or(0);
        let memo = memo.checked_sub(1).or_else(|| self.begin(slot))?;
        let of_slot = &mut self.memos[memo as usize];
        if of_slot.worth == 0 {
            of_slot.rest = of_slot.rest.saturating_sub(1);
            if of_slot.rest == 0 {
                of_slot.worth = WORTH;
            }
            return None;
        }
        let value = place(text);
        Some(Place { memo, value })
    }

    /// The predicates that hold of the value, if it is the one at its place.
    #[inline]
    pub(super) fn recall(&mut self, place: Place, text: &[u8]) -> Option<&[u32]> {
        let memo = &mut self.memos[place.memo as usize];
        let known = memo.values[place.value].as_ref()?;
        if known.text != text {
            return None;
        }
        memo.worth = (memo.worth + 1).min(WORTH);
        Some(&known.holds)
    }

    /// Remembers what holds of a value.
    pub(super) fn keep(&mut self, place: Place, text: &[u8], holds: &[u32]) {
        let memo = &mut self.memos[place.memo as usize];
        let known = memo.values[place.value].get_or_insert_default();
        known.text.clear();
        known.text.extend_from_slice(text);
        known.holds.clear();
        known.holds.extend_from_slice(holds);
        memo.worth -= 1;
        memo.rest = REST;
    }

    fn begin(&mut self, slot: u32) -> Option<u32> {
        if self.memos.len() == FIELDS_MAX {
            return None;
        }
        let slots = self.by_slot.len().max(slot as usize + 1);
        self.by_slot.resize(slots, 0);
        self.memos.push(Memo {
            values: Default::default(),
            worth: WORTH,
            rest: REST,
        });
        let number = u32::try_from(self.memos.len()).ok()?;
        self.by_slot[slot as usize] = number;
        Some(number - 1)
    }
}

/// The place of a value, by its length and its ends.
#[inline]
fn place(text: &[u8]) -> usize {
    let last = text
        .last_chunk()
        .map_or(0, |last| u64::from_le_bytes(*last));
    let ends = head(text, 0, text.len()) ^ last.rotate_left(23);
    let mixed = (ends ^ (text.len() as u64)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 32) as usize % VALUES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for a value as a slot does; says whether it was remembered.
    fn ask(memos: &mut Memos, slot: u32, text: &str, holds: &[u32]) -> bool {
        let Some(place) = memos.place(slot, text.as_bytes()) else {
            return false;
        };
        if let Some(known) = memos.recall(place, text.as_bytes()) {
            assert_eq!(known, holds, "{text}");
            return true;
        }
        memos.keep(place, text.as_bytes(), holds);
        false
    }

    #[test]
    fn a_value_that_comes_again_is_remembered_with_what_holds_of_it() {
        let mut memos = Memos::default();
        for text in ["Sign-in activity", "x", "0123456789abcdef0123456789"] {
            assert!(!ask(&mut memos, 3, text, &[7, 9]));
            assert!(ask(&mut memos, 3, text, &[7, 9]));
            assert!(!ask(&mut memos, 2, text, &[]));
            assert!(ask(&mut memos, 2, text, &[]));
        }
    }

    #[test]
    fn nothing_is_taken_for_another_value() {
        let mut memos = Memos::default();
        for round in 0..40 {
            for number in [1, 10, 100, 1_000_000, 123_456_789_012_u64] {
                let number = number + round;
                let holds = [u32::try_from(number % 1_000_000_007).unwrap()];
                ask(&mut memos, 0, &number.to_string(), &holds);
            }
        }
        assert!(!ask(&mut memos, 1, "", &[1]));
        assert!(ask(&mut memos, 1, "", &[1]));
    }

    #[test]
    fn the_memory_of_a_field_whose_values_are_all_new_rests() {
        let mut memos = Memos::default();
        for number in 0..WORTH {
            assert!(!ask(&mut memos, 0, &number.to_string(), &[]));
        }
        assert!(memos.place(0, b"x").is_none());
        for _ in 0..REST {
            memos.place(0, b"x");
        }
        assert!(!ask(&mut memos, 0, "x", &[]));
        assert!(ask(&mut memos, 0, "x", &[]));
    }

    #[test]
    fn fields_and_values_are_bounded() {
        let mut memos = Memos::default();
        for slot in 0..5_000 {
            ask(&mut memos, slot, "x", &[]);
        }
        assert_eq!(memos.memos.len(), FIELDS_MAX);
        assert!(memos.place(0, &[0; VALUE_BYTES_MAX + 1]).is_none());
    }
}
