//! The members of an object, one after the other, from mark to mark.

use palisade_detect::scan::{Index, Marked, blanks, is_blank};

use super::{NO_PAIR, Place};
use crate::json::ends_scalar;

/// The marks do not tell: something is not as JSON wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Odd;

/// Where a value begins and ends, and its bracket pair.
pub(super) type Spot = (usize, usize, u32);

/// The place of a member.
#[expect(
    clippy::cast_possible_truncation,
    reason = "there is no index of payloads of 4 GiB"
)]
pub(super) fn place(key: (usize, usize), (start, end, pair): Spot) -> Place {
    Place {
        key: (key.0 as u32, key.1 as u32),
        value: (start as u32, end as u32),
        pair,
    }
}

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
        let value = self.member(value + 1)?;
        Ok(Some(place((key, key_end), value)))
    }

    /// The value of the next member, whose key takes so many bytes with its quotes and the colon.
    #[inline]
    pub(super) fn step_known(&mut self, len: usize) -> Result<Spot, Odd> {
        self.member(self.at + len)
    }

    /// Steps over the value that begins at or behind `at`, and to the next key.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is most of what a member costs")]
    fn member(&mut self, mut at: usize) -> Result<Spot, Odd> {
        if self.bytes.get(at).copied().is_some_and(is_blank) {
            at = blanks(self.bytes, at);
        }
        let (end, pair) = self.value(at)?;
        self.behind(end)?;
        Ok((at, end, pair))
    }

    /// The payload.
    #[inline]
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the next key begins, if there is one.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The bytes of the object that were not stepped over.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..self.close).unwrap_or_default()
    }

    /// The end of the value that begins at `at`, and its bracket pair.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "it is most of what a member costs")]
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
