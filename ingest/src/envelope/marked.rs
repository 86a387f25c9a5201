//! The same from mark to mark, for payloads that are as JSON wants them.
//!
//! Finds what [`super::split`] finds, or gives up before anything was told: broken elements, values
//! that are no events, and what the byte-wise way forgives are left to it.

use palisade_detect::engine::{EVENT_BYTES_MAX, EVENT_DEPTH_MAX};
use palisade_detect::event;
use palisade_detect::scan::{Index, Marked, blanks};

use super::Inner;
use crate::members::{Asked, Odd, Walk};

/// Most elements of a payload that are found this way. They are kept until all are found, 32 bytes
/// each; what a broker takes as one message rarely has a thousand.
const ELEMENTS_MAX: usize = 65_536;

/// An object within the limits of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Its place in the record.
    pub(crate) index: event::Index,
    /// Its bracket pair.
    pub(crate) pair: u32,
}

/// The elements of one payload. Reused between payloads.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    found: Vec<Found>,
    /// What the object that was looked into last is asked for, and its pair.
    pub(crate) asked: Asked,
    pub(crate) asked_of: Option<u32>,
}

impl Elements {
    /// Finds the elements of a payload that `index` was made of.
    pub(crate) fn find(&mut self, index: &Index, payload: &[u8]) -> Result<(), Odd> {
        self.found.clear();
        self.asked_of = None;
        let mut finder = Finder {
            index,
            payload,
            elements: self,
        };
        finder.sequence()
    }

    /// The number of elements.
    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    /// An element by its number.
    pub(crate) fn get(&self, number: usize) -> Found {
        self.found[number]
    }
}

struct Finder<'a> {
    index: &'a Index,
    payload: &'a [u8],
    elements: &'a mut Elements,
}

impl Finder<'_> {
    /// One or more values, one after the other.
    fn sequence(&mut self) -> Result<(), Odd> {
        let start = if self.payload.starts_with(b"\xEF\xBB\xBF") {
            3
        } else {
            0
        };
        let mut at = blanks(self.payload, start);
        let mut pair = 0;
        let mut ordinal = 0;
        let first = self.opens(pair, at).ok_or(Odd)?;
        let several = blanks(self.payload, first + 1) < self.payload.len();
        loop {
            let close = self.opens(pair, at).ok_or(Odd)?;
            let place = if several {
                event::Index::ROOT.child(ordinal)
            } else {
                event::Index::ROOT
            };
            if self.payload[at] == b'{' {
                self.object(pair, place)?;
            } else {
                self.list(pair, place, Inner::EventsOrEnvelopes, &mut 0)?;
            }
            at = blanks(self.payload, close + 1);
            if at == self.payload.len() {
                return Ok(());
            }
            pair = self.index.pairs()[pair as usize].next;
            ordinal = ordinal.saturating_add(1);
        }
    }

    /// Where the pair closes, if it opens at `at`.
    fn opens(&self, pair: u32, at: usize) -> Option<usize> {
        let pair = self.index.pairs().get(pair as usize)?;
        (pair.open as usize == at).then_some(pair.close as usize)
    }

    /// An object that is an envelope if it has an array `records`, else an event.
    fn object(&mut self, pair: u32, place: event::Index) -> Result<(), Odd> {
        let mut walk = Walk::of(Marked {
            index: self.index,
            payload: self.payload,
            pair,
        });
        let mut ordinal = None;
        self.elements.asked.begin();
        self.elements.asked_of = Some(pair);
        while let Some(list) = self.elements.asked.step_to_records(&mut walk)? {
            if self.payload[self.index.pairs()[list as usize].open as usize] == b'[' {
                self.list(list, place, Inner::Events, ordinal.get_or_insert(0))?;
            }
        }
        if ordinal.is_none() {
            self.element(pair, place)?;
        }
        Ok(())
    }

    /// The elements of a list, counted on from `ordinal`.
    fn list(
        &mut self,
        list: u32,
        place: event::Index,
        inner: Inner,
        ordinal: &mut u32,
    ) -> Result<(), Odd> {
        let around = self.index.pairs()[list as usize];
        let close = around.close as usize;
        let mut at = blanks(self.payload, around.open as usize + 1);
        if at == close {
            return Ok(());
        }
        let mut pair = list + 1;
        loop {
            let end = self.opens(pair, at).ok_or(Odd)?;
            if self.payload[at] != b'{' {
                return Err(Odd);
            }
            let place = place.child(*ordinal);
            *ordinal = ordinal.saturating_add(1);
            match inner {
                Inner::EventsOrEnvelopes => self.object(pair, place)?,
                Inner::Events => self.element(pair, place)?,
            }
            at = blanks(self.payload, end + 1);
            if at == close {
                return Ok(());
            }
            if self.payload[at] != b',' {
                return Err(Odd);
            }
            at = blanks(self.payload, at + 1);
            pair = self.index.pairs()[pair as usize].next;
        }
    }

    fn element(&mut self, number: u32, index: event::Index) -> Result<(), Odd> {
        let object = Marked {
            index: self.index,
            payload: self.payload,
            pair: number,
        };
        if object.bytes().len() > EVENT_BYTES_MAX
            || object.is_deeper_than(EVENT_DEPTH_MAX)
            || self.elements.found.len() == ELEMENTS_MAX
        {
            return Err(Odd);
        }
        let pair = number;
        self.elements.found.push(Found { index, pair });
        Ok(())
    }
}
