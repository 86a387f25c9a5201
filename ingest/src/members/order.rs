//! In which order the keys of objects come.
//!
//! A source carries a few kinds of records, and those of a kind hold the same keys in the same order,
//! nearly always. The orders that were seen are a tree: below a key are the keys that came next. A
//! key that is due is held against the bytes, and need neither be looked for nor looked up.

use palisade_detect::scan::Spelling;

/// Most keys that are remembered.
const STEPS_MAX: usize = 4_096;

/// Most keys that may come next.
const CHOICES_MAX: usize = 8;

/// Most keys that are learnt from one object, and most bytes of one with its quotes and the colon.
const LEARNT_MAX: usize = 128;
const KEY_BYTES_MAX: usize = 128;

/// How many objects pass by a full memory before it begins anew.
const REST: u32 = 16_384;

/// No key that is remembered.
const NONE: u32 = u32::MAX;

/// Where an object begins.
const START: u32 = u32::MAX - 1;

/// The orders that a thread has seen; `L` is what a key leads to.
#[derive(Debug)]
pub(super) struct Orders<L> {
    steps: Vec<Step<L>>,
    /// The key that objects began with first.
    first: u32,
    /// How many objects may still pass by a memory that is full.
    rest: u32,
}

/// A key behind those before it.
#[derive(Debug)]
struct Step<L> {
    spelling: Spelling,
    lead: L,
    /// The key that came next first.
    next: u32,
    /// Another key that came instead of this one.
    other: u32,
}

/// How far an object's keys have been read.
#[derive(Debug)]
pub(super) struct Trail {
    /// The key that was read last; [`START`], or [`NONE`] if it is not remembered.
    last: u32,
    /// The first of the keys that are due.
    due: u32,
    learnt: usize,
}

impl<L> Default for Orders<L> {
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            first: NONE,
            rest: REST,
        }
    }
}

impl Default for Trail {
    fn default() -> Self {
        Self {
            last: START,
            due: NONE,
            learnt: 0,
        }
    }
}

impl<L: Copy> Orders<L> {
    /// An object begins.
    #[inline]
    pub(super) fn begin(&mut self) -> Trail {
        if self.steps.len() == STEPS_MAX {
            self.rest -= 1;
            if self.rest == 0 {
                *self = Self::default();
            }
        }
        Trail {
            due: self.first,
            ..Trail::default()
        }
    }

    /// The key that is due, if it stands at `at`: what it leads to, and how many bytes it takes with its
    /// quotes and the colon.
    #[inline]
    pub(super) fn foresee(&self, trail: &mut Trail, bytes: &[u8], at: usize) -> Option<(L, usize)> {
        loop {
            let step = self.steps.get(trail.due as usize)?;
            if step.spelling.stands(bytes, at) {
                trail.last = trail.due;
                trail.due = step.next;
                return Some((step.lead, step.spelling.size()));
            }
            trail.due = step.other;
        }
    }

    /// Remembers that this key, written with its quotes and the colon, came next, which was not
    /// foreseen; `None` stands for one that is not written so.
    #[inline(never)]
    pub(super) fn learn(&mut self, trail: &mut Trail, text: Option<&[u8]>, lead: L) {
        trail.last = text.map_or(NONE, |text| self.add(trail, text, lead));
        trail.due = NONE;
        trail.learnt += 1;
    }

    /// A key behind the last; [`NONE`] if there is no room for it.
    fn add(&mut self, trail: &Trail, text: &[u8], lead: L) -> u32 {
        let astray = trail.last == NONE || trail.learnt == LEARNT_MAX;
        if astray || text.len() > KEY_BYTES_MAX || self.steps.len() == STEPS_MAX {
            return NONE;
        }
        let Ok(number) = u32::try_from(self.steps.len()) else {
            return NONE;
        };
        let mut before = match self.steps.get_mut(trail.last as usize) {
            Some(last) => &mut last.next,
            None => &mut self.first,
        };
        for _ in 0..CHOICES_MAX {
            let choice = *before;
            if choice == NONE {
                *before = number;
                self.steps.push(Step {
                    spelling: Spelling::new(text),
                    lead,
                    next: NONE,
                    other: NONE,
                });
                return number;
            }
            before = &mut self.steps[choice as usize].other;
        }
        NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads keys as a walk does; says which were foreseen.
    fn read(orders: &mut Orders<usize>, keys: &[&str]) -> Vec<bool> {
        let mut trail = orders.begin();
        let each = keys.iter().map(|key| {
            let (text, bytes) = (format!("\"{key}\":"), format!("\"{key}\":\"value\"}}"));
            let foreseen = orders.foresee(&mut trail, bytes.as_bytes(), 0);
            match foreseen {
                Some(foreseen) => assert_eq!(foreseen, (key.len(), text.len())),
                None => orders.learn(&mut trail, Some(text.as_bytes()), key.len()),
            }
            foreseen.is_some()
        });
        each.collect()
    }

    #[test]
    fn keys_that_come_in_an_order_seen_before_are_foreseen() {
        let mut orders = Orders::default();
        let kinds = [
            &["time", "category", "resourceId", "level"][..],
            &["time", "category", "level"],
            &["time", "systemId", "category", "resourceId"],
            &["Type"],
        ];
        for (keys, known) in kinds.iter().zip([0, 2, 1, 0]) {
            let foreseen = read(&mut orders, keys);
            assert_eq!(foreseen.iter().filter(|known| **known).count(), known);
        }
        for keys in kinds {
            assert!(
                read(&mut orders, keys).iter().all(|known| *known),
                "{keys:?}"
            );
        }
        assert_eq!(
            read(&mut orders, &["time", "level", "category"]),
            [true, false, false]
        );
    }

    #[test]
    fn behind_a_key_that_is_not_written_plainly_nothing_is_foreseen() {
        let mut orders = Orders::default();
        let mut trail = orders.begin();
        orders.learn(&mut trail, None, 0);
        orders.learn(&mut trail, Some(b"\"a\":"), 1);
        assert_eq!(read(&mut orders, &["a"]), [false]);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_begins_anew() {
        let mut orders = Orders::default();
        let long = "k".repeat(KEY_BYTES_MAX);
        for _ in 0..2 {
            assert_eq!(read(&mut orders, &[&long, "a"]), [false; 2]);
        }
        for object in 0..100 {
            let (first, second) = ((object % 10).to_string(), (object / 10).to_string());
            let keys: Vec<String> = (0..1_000).map(|key| format!("{object}-{key}")).collect();
            let mut all = vec![first.as_str(), &second];
            all.extend(keys.iter().map(String::as_str));
            read(&mut orders, &all);
            assert!(orders.steps.len() <= LEARNT_MAX * (object + 1));
        }
        assert_eq!(orders.steps.len(), STEPS_MAX);
        let forgotten = (1..REST).find(|_| orders.begin().due == NONE);
        assert!(forgotten.is_some());
        assert_eq!(read(&mut orders, &["x"]), [false]);
        assert_eq!(read(&mut orders, &["x"]), [true]);
    }
}
