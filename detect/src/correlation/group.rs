//! The elements of one group, in order of time and arrival.

use std::sync::Arc;

use smallvec::SmallVec;

use super::evidence::Witness;
use crate::time::{Span, Timestamp};

/// Most silent times remembered for a group; beyond it the oldest is forgotten.
///
/// More than one exist only when late matches complete earlier windows; each ends by itself.
const SILENCES_MAX: usize = 16;

/// Most base rules of one correlation that an element remembers, and most values.
pub(super) const BASE_RULES_MAX: usize = 256;

/// One match, as long as a later one may need it.
#[derive(Debug)]
pub(super) struct Element {
    /// Event time.
    pub(super) time: Timestamp,
    /// Own watermark at which it is no longer needed.
    pub(super) expires: Timestamp,
    /// Places of the base rules that it meets.
    pub(super) rules: SmallVec<[u16; 4]>,
    /// Hash of its value, or its number in millionths; different ones only where matches were joined.
    pub(super) values: SmallVec<[i64; 1]>,
    /// Events that it stands for: 1, more after merging.
    pub(super) weight: u32,
    /// Whether a match of an inner correlation is in it.
    pub(super) chained: bool,
    /// How many such matches there are beyond one for each event.
    pub(super) extra: u32,
    /// Whether the event satisfied the condition before.
    pub(super) fired: bool,
    /// What an alert shows of it.
    pub(super) witness: Witness,
}

/// After an alert: triggers with a time from `from` to `until` raise none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Silence {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) expires: Timestamp,
}

/// A group with at least one element or silence.
#[derive(Debug)]
pub(super) struct Group {
    /// Arrival number of its first element.
    pub(super) born: u64,
    /// Its elements by time, then arrival.
    pub(super) elements: Vec<Element>,
    /// Bytes of evidence that its elements keep.
    pub(super) bytes: usize,
    /// Latest time of an element that was merged or dropped for want of room.
    pub(super) inexact: Option<Timestamp>,
    /// Whether some element counts more than the events that it stands for.
    pub(super) extra: bool,
    pub(super) silences: Vec<Silence>,
    /// Own watermark below which nothing in here expires.
    wakes: Timestamp,
}

impl Group {
    pub(super) fn new(born: u64) -> Self {
        Self {
            born,
            elements: Vec::new(),
            bytes: 0,
            inexact: None,
            extra: false,
            silences: Vec::new(),
            wakes: Timestamp::MAX,
        }
    }

    /// Puts an element behind all of its time; its place.
    pub(super) fn insert(&mut self, element: Element) -> usize {
        let at = self
            .elements
            .partition_point(|other| other.time <= element.time);
        self.bytes += element.witness.bytes();
        self.wakes = self.wakes.min(element.expires);
        self.elements.insert(at, element);
        at
    }

    /// Joins a match with what its event brought already, by the detection rule below an inner
    /// correlation or by another inner correlation, else puts it in; the place of what it became.
    ///
    /// An event is one element, whatever number of rules it meets and however many records say so.
    pub(super) fn join(&mut self, element: Element) -> usize {
        let from = self
            .elements
            .partition_point(|other| other.time < element.time);
        let until = self
            .elements
            .partition_point(|other| other.time <= element.time);
        let same = |other: &Element| other.witness.is_of_the_event_of(&element.witness);
        let Some(place) = self.elements[from..until].iter().position(same) else {
            return self.insert(element);
        };
        let at = from + place;
        self.elements[at].join(element);
        self.extra |= self.elements[at].extra > 0;
        at
    }

    /// Whether an alert with this trigger time is held back.
    pub(super) fn is_silent(&self, trigger: Timestamp) -> bool {
        self.silences
            .iter()
            .any(|silence| (silence.from..=silence.until).contains(&trigger))
    }

    /// The spans in which alerts are held back.
    pub(super) fn silences(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        self.silences
            .iter()
            .map(|silence| (silence.from, silence.until))
    }

    /// Holds back alerts with trigger times from `from` to `until`, as long as it is remembered.
    pub(super) fn silence(&mut self, from: Timestamp, until: Timestamp, expires: Timestamp) {
        if self.silences.len() >= SILENCES_MAX {
            self.silences.remove(0);
        }
        self.wakes = self.wakes.min(expires);
        self.silences.push(Silence {
            from,
            until,
            expires,
        });
    }

    /// Forgets what has expired at the correlation's own watermark.
    pub(super) fn expire(&mut self, watermark: Timestamp) {
        self.elements.retain(|element| element.expires > watermark);
        self.silences.retain(|silence| silence.expires > watermark);
        self.bytes = self
            .elements
            .iter()
            .map(|element| element.witness.bytes())
            .sum();
        let elements = self.elements.iter().map(|element| element.expires);
        let silences = self.silences.iter().map(|silence| silence.expires);
        self.wakes = elements.chain(silences).min().unwrap_or(Timestamp::MAX);
    }

    /// The watermark at which to look for something expired; nothing expires earlier.
    pub(super) fn wakes(&self) -> Timestamp {
        self.wakes
    }

    /// Whether there is nothing left to remember.
    pub(super) fn is_empty(&self) -> bool {
        self.elements.is_empty() && self.silences.is_empty()
    }

    /// Slots that the group takes: its elements; one for a remembered silence alone.
    pub(super) fn slots(&self) -> u64 {
        self.elements.len().max(1) as u64
    }

    /// Makes room so that at most `limit` elements stay; how many elements fewer there are.
    ///
    /// With [`Merge::Within`], elements of the older half that lie in one cell of that length
    /// become one that stands for all of them at the latest of their times: a count then errs by
    /// what stands in one cell at a window's begin, and no element moves out of its cell. If that
    /// is not enough the oldest are dropped, some more than needed so that the next find room.
    pub(super) fn thin(&mut self, limit: usize, merge: Merge) -> u64 {
        let limit = limit.max(1);
        let before = self.elements.len();
        if before <= limit {
            return 0;
        }
        if let Merge::Within(cell) = merge {
            let newer = self.elements.split_off(before / 2);
            let mut merged: Vec<Element> = Vec::with_capacity(before);
            for element in std::mem::take(&mut self.elements) {
                match merged.last_mut() {
                    Some(last) if cell_of(last.time, cell) == cell_of(element.time, cell) => {
                        self.inexact = self.inexact.max(Some(element.time));
                        last.absorb(element);
                    }
                    _ => merged.push(element),
                }
            }
            merged.extend(newer);
            self.elements = merged;
        }
        if self.elements.len() > limit {
            let excess = self.elements.len() - limit + limit / 16;
            let dropped = self
                .elements
                .drain(..excess)
                .next_back()
                .map(|element| element.time);
            self.inexact = self.inexact.max(dropped);
        }
        self.bytes = self
            .elements
            .iter()
            .map(|element| element.witness.bytes())
            .sum();
        (before - self.elements.len()) as u64
    }
}

/// What [`Group::thin`] may do before it drops elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// Elements within one cell of this length become one that counts for all.
    Within(Span),
    /// Nothing: each element has something of its own to say.
    Never,
}

impl Element {
    /// What it adds to a count: its events, of which one completes several inner correlations as
    /// several matches.
    pub(super) fn count(&self) -> u64 {
        u64::from(self.weight) + u64::from(self.extra)
    }

    /// Takes over what another match says of the same event.
    fn join(&mut self, other: Self) {
        for rule in other.rules {
            if self.rules.len() < BASE_RULES_MAX && !self.rules.contains(&rule) {
                self.rules.push(rule);
            }
        }
        for value in other.values {
            if self.values.len() < BASE_RULES_MAX && !self.values.contains(&value) {
                self.values.push(value);
            }
        }
        self.extra = self
            .extra
            .saturating_add(u32::from(self.chained && other.chained));
        self.chained |= other.chained;
        self.expires = self.expires.max(other.expires);
    }

    /// Takes over what a later element counts.
    fn absorb(&mut self, later: Self) {
        *self = Self {
            expires: later.expires.max(self.expires),
            weight: later.weight.saturating_add(self.weight),
            extra: later.extra.saturating_add(self.extra),
            ..later
        };
    }
}

/// The number of the cell in which a time lies; cells are the same for all groups.
fn cell_of(time: Timestamp, cell: Span) -> i64 {
    time.ticks().div_euclid(cell.ticks().max(1))
}

/// A group key shared by the indexes over groups.
pub(super) type Key = Arc<[u8]>;
