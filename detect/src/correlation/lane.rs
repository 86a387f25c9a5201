//! The groups of one correlation and tenant, found by key, by next expiry and by eviction order.

use std::collections::{BTreeMap, BTreeSet};

use super::group::{Group, Key, Merge};
use crate::time::{Span, Timestamp};

/// All groups of one version of a correlation and one tenant.
#[derive(Debug)]
pub(super) struct Lane {
    /// Where the correlation's matches come from.
    pub(super) input: Input,
    /// Allowed lateness of the correlation's input.
    pub(super) lateness: Span,
    groups: BTreeMap<Key, Group>,
    /// Groups of one element, which go first, by arrival; then all others.
    singles: BTreeMap<u64, Key>,
    others: BTreeMap<u64, Key>,
    wakes: BTreeSet<(Timestamp, Key)>,
    slots: u64,
    bytes: usize,
}

/// Whose progress decides what a correlation may still receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// The sources alone.
    Events,
    /// The folds' chained matches too, which come later than the events behind them.
    Chained,
}

/// What was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Freed {
    /// Slots.
    pub(super) slots: u64,
    /// Bytes of evidence.
    pub(super) bytes: usize,
}

impl Lane {
    pub(super) fn new(input: Input, lateness: Span) -> Self {
        Self {
            input,
            lateness,
            groups: BTreeMap::new(),
            singles: BTreeMap::new(),
            others: BTreeMap::new(),
            wakes: BTreeSet::new(),
            slots: 0,
            bytes: 0,
        }
    }

    /// Slots in use.
    pub(super) fn slots(&self) -> u64 {
        self.slots
    }

    /// Bytes of evidence kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The groups by key.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&Key, &Group)> {
        self.groups.iter()
    }

    /// Takes a group out, to be changed and [`put`](Self::put) back.
    pub(super) fn take(&mut self, key: &[u8]) -> Option<Group> {
        let (key, group) = self.groups.remove_entry(key)?;
        self.slots -= group.slots();
        self.bytes -= group.bytes;
        self.order(&group).remove(&group.born);
        self.wakes.remove(&(group.wakes(), key));
        Some(group)
    }

    /// Puts a group in, unless there is nothing left to remember in it.
    pub(super) fn put(&mut self, key: Key, group: Group) {
        if group.is_empty() {
            return;
        }
        self.slots += group.slots();
        self.bytes += group.bytes;
        self.order(&group).insert(group.born, Key::clone(&key));
        self.wakes.insert((group.wakes(), Key::clone(&key)));
        self.groups.insert(key, group);
    }

    fn order(&mut self, group: &Group) -> &mut BTreeMap<u64, Key> {
        match group.elements.len() {
            0 | 1 => &mut self.singles,
            _ => &mut self.others,
        }
    }

    /// Forgets what has expired at the correlation's own watermark.
    pub(super) fn expire(&mut self, watermark: Timestamp) -> Freed {
        self.freeing(|lane| {
            while let Some((_, key)) = lane.wakes.first().filter(|(at, _)| *at <= watermark) {
                let key = Key::clone(key);
                let Some(mut group) = lane.take(&key) else {
                    break;
                };
                group.expire(watermark);
                lane.put(key, group);
            }
        })
    }

    /// Forgets one group: of those with one element the oldest, else the oldest; where `spare` is
    /// the only one, its oldest elements.
    pub(super) fn evict(&mut self, spare: &[u8]) -> Freed {
        self.freeing(|lane| {
            let other = |(_, key): &(&u64, &Key)| key.as_ref() != spare;
            let mut candidates = lane.singles.iter().chain(&lane.others);
            if let Some(key) = candidates.find(other).map(|(_, key)| Key::clone(key)) {
                lane.take(&key);
            } else if let Some(mut group) = lane.take(spare) {
                group.thin(group.elements.len().saturating_sub(1), Merge::Never);
                lane.put(Key::from(spare), group);
            }
        })
    }

    fn freeing(&mut self, change: impl FnOnce(&mut Self)) -> Freed {
        let (slots, bytes) = (self.slots, self.bytes);
        change(self);
        Freed {
            slots: slots - self.slots,
            bytes: bytes - self.bytes,
        }
    }
}
