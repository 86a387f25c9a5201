//! Which offsets are in flight and which may be committed; pure.
//!
//! One [`Tracker`] belongs to one assignment of one partition. A record gets a [`Ticket`] when it is
//! read and gives it back when its outputs are durable; what may be committed is the end of the
//! contiguous finished prefix, so an offset is never committed past a record still under way.

use std::collections::VecDeque;

/// Records of one partition that may be under way at a time.
///
/// More hide longer stalls behind the source and cost about 24 bytes each beside their payloads. A
/// record that is finished while an older one is not still counts: the list stays bounded.
pub const IN_FLIGHT_EVENTS_MAX: usize = 10_000;

/// Payload bytes of one partition that may be under way at a time.
///
/// At the limit the partition is paused; the last record admitted may lie beyond it.
pub const IN_FLIGHT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How a record ended. Both ways finish it; nothing else does, and no time-out ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything it led to is durable.
    Done,
    /// It, or a part of it, stands in the dead letters.
    Parked,
}

/// A record under way. Not `Clone`: it is finished once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a ticket that is dropped holds back every later offset"]
pub struct Ticket {
    generation: u64,
    offset: i64,
    bytes: u64,
}

impl Ticket {
    /// Payload bytes that this ticket holds of the budget.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The record's offset.
    pub const fn offset(&self) -> i64 {
        self.offset
    }
}

/// The offsets of one assigned partition.
#[derive(Debug)]
pub struct Tracker {
    generation: u64,
    /// Admitted and not yet part of the finished prefix, by rising offset.
    open: VecDeque<Open>,
    /// Payload bytes of the tickets not yet finished.
    bytes: u64,
    committable: Option<i64>,
    /// The lowest offset that may be admitted next.
    next: i64,
    done: u64,
    parked: u64,
}

#[derive(Debug)]
struct Open {
    offset: i64,
    finished: bool,
}

impl Tracker {
    /// A tracker for the assignment `generation`, which no other tracker of the process shares.
    pub const fn new(generation: u64) -> Self {
        Self {
            generation,
            open: VecDeque::new(),
            bytes: 0,
            committable: None,
            next: i64::MIN,
            done: 0,
            parked: 0,
        }
    }

    /// Reading begins at `position`: everything below it is none of this assignment's business, so
    /// it may be committed before the first record.
    ///
    /// # Panics
    /// When a record was admitted already.
    pub fn begin_at(&mut self, position: i64) {
        assert!(
            self.open.is_empty() && self.done + self.parked == 0,
            "a position is given before the first record"
        );
        self.committable = Some(position);
        self.next = position;
    }

    /// Takes in the record at `offset` with `bytes` of payload.
    ///
    /// Gaps between offsets are normal: compaction and transactions leave them. Whether there is
    /// room is asked before with [`Tracker::has_room`]; a record that is here is never refused.
    ///
    /// # Panics
    /// When `offset` does not rise.
    pub fn admit(&mut self, offset: i64, bytes: u64) -> Ticket {
        assert!(
            offset >= self.next,
            "offset {offset} after {}: offsets must rise",
            self.next
        );
        self.next = offset.saturating_add(1);
        self.bytes += bytes;
        self.open.push_back(Open {
            offset,
            finished: false,
        });
        Ticket {
            generation: self.generation,
            offset,
            bytes,
        }
    }

    /// Ends the record of `ticket`.
    ///
    /// # Panics
    /// When the ticket is of another tracker: a late result must never move a later assignment.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a ticket is given back, once"
    )]
    pub fn finish(&mut self, ticket: Ticket, outcome: Outcome) {
        let offset = ticket.offset;
        assert_eq!(
            ticket.generation, self.generation,
            "the ticket of offset {offset} is of this tracker"
        );
        let place = self
            .open
            .binary_search_by_key(&offset, |open| open.offset)
            .expect("a ticket of this tracker is open");
        self.open[place].finished = true;
        self.bytes -= ticket.bytes;
        match outcome {
            Outcome::Done => self.done += 1,
            Outcome::Parked => self.parked += 1,
        }
        while self.open.front().is_some_and(|open| open.finished) {
            let last = self.open.pop_front().expect("the front was just seen");
            self.committable = Some(last.offset.saturating_add(1));
        }
    }

    /// The end of the contiguous finished prefix: the next offset to read after a restart.
    ///
    /// `None` while nothing is finished and no position was given.
    pub const fn committable(&self) -> Option<i64> {
        self.committable
    }

    /// Whether another record fits the budget.
    pub fn has_room(&self) -> bool {
        self.open.len() < IN_FLIGHT_EVENTS_MAX && self.bytes < IN_FLIGHT_BYTES_MAX
    }

    /// Whether every admitted record is finished.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Records admitted and not finished.
    pub fn in_flight(&self) -> usize {
        self.open.iter().filter(|open| !open.finished).count()
    }

    /// Payload bytes of the records admitted and not finished.
    pub const fn in_flight_bytes(&self) -> u64 {
        self.bytes
    }

    /// Records that ended with `outcome`.
    pub const fn finished(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Done => self.done,
            Outcome::Parked => self.parked,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_unfinished_record_holds_back_everything_behind_it() {
        let mut tracker = Tracker::new(1);
        let first = tracker.admit(10, 1);
        let second = tracker.admit(11, 1);
        tracker.finish(second, Outcome::Done);
        assert_eq!(tracker.committable(), None);
        tracker.finish(first, Outcome::Parked);
        assert_eq!(tracker.committable(), Some(12));
        assert_eq!(tracker.finished(Outcome::Done), 1);
        assert_eq!(tracker.finished(Outcome::Parked), 1);
    }

    #[test]
    fn a_given_position_is_committable_before_the_first_record() {
        let mut tracker = Tracker::new(1);
        tracker.begin_at(40);
        assert_eq!(tracker.committable(), Some(40));
        let ticket = tracker.admit(42, 1);
        assert_eq!(tracker.committable(), Some(40));
        tracker.finish(ticket, Outcome::Done);
        assert_eq!(tracker.committable(), Some(43));
    }

    #[test]
    fn the_budget_counts_records_that_wait_for_an_older_one() {
        let mut tracker = Tracker::new(1);
        let first = tracker.admit(0, 0);
        for offset in 1..IN_FLIGHT_EVENTS_MAX {
            assert!(tracker.has_room());
            let offset = i64::try_from(offset).expect("small");
            let ticket = tracker.admit(offset, 0);
            tracker.finish(ticket, Outcome::Done);
        }
        assert!(!tracker.has_room());
        assert_eq!(tracker.in_flight(), 1);
        tracker.finish(first, Outcome::Done);
        assert!(tracker.has_room() && tracker.is_idle());
    }

    #[test]
    fn the_budget_counts_bytes_until_they_are_finished() {
        let mut tracker = Tracker::new(1);
        let ticket = tracker.admit(0, IN_FLIGHT_BYTES_MAX);
        assert!(!tracker.has_room());
        assert_eq!(ticket.bytes(), IN_FLIGHT_BYTES_MAX);
        tracker.finish(ticket, Outcome::Done);
        assert!(tracker.has_room());
    }

    #[test]
    #[should_panic(expected = "is of this tracker")]
    fn a_ticket_of_an_earlier_assignment_is_refused() {
        let mut earlier = Tracker::new(1);
        let ticket = earlier.admit(5, 1);
        let mut later = Tracker::new(2);
        drop(later.admit(5, 1));
        later.finish(ticket, Outcome::Done);
    }

    #[test]
    #[should_panic(expected = "offsets must rise")]
    fn an_offset_below_the_position_is_refused() {
        let mut tracker = Tracker::new(1);
        tracker.begin_at(7);
        drop(tracker.admit(6, 1));
    }

    #[test]
    fn the_last_offset_of_all_does_not_overflow() {
        let mut tracker = Tracker::new(1);
        let ticket = tracker.admit(i64::MAX, 1);
        tracker.finish(ticket, Outcome::Done);
        assert_eq!(tracker.committable(), Some(i64::MAX));
    }

    /// The obvious tracker: all offsets ever admitted, each with whether it is finished.
    #[derive(Default)]
    struct Model {
        records: Vec<(i64, u64, bool)>,
        position: Option<i64>,
    }

    impl Model {
        fn committable(&self) -> Option<i64> {
            let prefix = self.records.iter().take_while(|(_, _, finished)| *finished);
            prefix
                .last()
                .map(|(offset, _, _)| offset + 1)
                .or(self.position)
        }

        fn bytes(&self) -> u64 {
            self.records
                .iter()
                .filter(|(_, _, finished)| !finished)
                .map(|(_, b, _)| b)
                .sum()
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Admit {
            gap: i64,
            bytes: u64,
        },
        Finish {
            which: prop::sample::Index,
            parked: bool,
        },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1..4_i64, 0..1_000_u64).prop_map(|(gap, bytes)| Step::Admit { gap, bytes }),
            (any::<prop::sample::Index>(), any::<bool>())
                .prop_map(|(which, parked)| Step::Finish { which, parked }),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn prop_the_tracker_agrees_with_the_obvious_one(
            steps in steps(),
            position in prop::option::of(0..100_i64),
        ) {
            let mut tracker = Tracker::new(9);
            let mut model = Model { position, ..Model::default() };
            if let Some(position) = position {
                tracker.begin_at(position);
            }
            let mut offset = position.unwrap_or_default();
            let mut tickets = Vec::new();
            for step in steps {
                match step {
                    Step::Admit { gap, bytes } => {
                        offset += gap;
                        tickets.push(tracker.admit(offset, bytes));
                        model.records.push((offset, bytes, false));
                    }
                    Step::Finish { which, parked } if !tickets.is_empty() => {
                        let ticket = tickets.swap_remove(which.index(tickets.len()));
                        let offset = ticket.offset();
                        let outcome = if parked { Outcome::Parked } else { Outcome::Done };
                        tracker.finish(ticket, outcome);
                        for record in &mut model.records {
                            record.2 |= record.0 == offset;
                        }
                    }
                    Step::Finish { .. } => {}
                }
                prop_assert_eq!(tracker.committable(), model.committable());
                prop_assert_eq!(tracker.in_flight_bytes(), model.bytes());
                prop_assert_eq!(tracker.in_flight(), tickets.len());
            }
        }
    }
}
