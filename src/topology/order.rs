//! Batches back in the order of their partitions, behind judges that share the work of all of them.
//!
//! A batch goes to whichever judge has room, so later ones of a partition may be judged first. Each has
//! its number within its [`Line`]; what comes early waits here. What the breaker holds back waits here
//! too, and with it only what is behind it in its own line: the judges go on with other partitions.
//!
//! What waits is bounded: the outputs of a judge have a share of
//! [`OUTPUT_BYTES_MAX`](super::judge::OUTPUT_BYTES_MAX), and sources stop reading at their limits of
//! records and bytes in flight, and while the breaker holds them. Nothing waits for ever: a judge works in
//! the order in which batches were handed over, so the oldest batch of all that is not out yet is the
//! first of its line and needs no room that a later one holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::breaker::{Breakers, Flow};
use super::judge::Judged;

/// Number of the next batch of a line of which nothing may go out any more.
const CLOSED: u64 = u64::MAX;

/// The order of one partition's batches. It outlives an assignment: what is late of an earlier one still
/// goes out before what a later one reads.
#[derive(Debug)]
pub struct Line {
    /// No other line of the process has it.
    id: u64,
    /// Batches that were handed to judges.
    handed: AtomicU64,
    /// Number of the batch that goes out next.
    next: AtomicU64,
}

/// A batch's place in its line.
#[derive(Debug)]
pub struct Turn {
    line: Arc<Line>,
    number: u64,
}

impl Line {
    /// A line that no other is equal to.
    pub fn new(id: u64) -> Arc<Self> {
        Arc::new(Self {
            id,
            handed: AtomicU64::new(0),
            next: AtomicU64::new(0),
        })
    }

    /// The place of the next batch; to be handed to a judge before the one after it is asked for.
    pub fn turn(self: &Arc<Self>) -> Turn {
        Turn {
            line: Arc::clone(self),
            number: self.handed.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Turn {
    fn key(&self) -> (u64, u64) {
        (self.line.id, self.number)
    }

    /// Whether it is the next one of its line.
    fn has_come(&self) -> bool {
        self.line.next.load(Ordering::Relaxed) == self.number
    }

    /// Whether its line has passed it, as it does when something before it was given up.
    fn is_over(&self) -> bool {
        self.line.next.load(Ordering::Relaxed) > self.number
    }
}

/// What was judged and may not go out yet.
pub struct Order {
    breakers: Arc<Breakers>,
    /// By line and number.
    waiting: BTreeMap<(u64, u64), Judged>,
    /// Since when the first of a line is held back by the breaker.
    held: BTreeMap<u64, Duration>,
}

impl Order {
    /// Nothing waits yet.
    pub fn new(breakers: Arc<Breakers>) -> Self {
        Self {
            breakers,
            waiting: BTreeMap::new(),
            held: BTreeMap::new(),
        }
    }

    /// Takes a batch; whatever may go out because of it is put behind `out`.
    pub fn put(&mut self, judged: Judged, out: &mut Vec<Judged>) {
        let turn = &judged.turn;
        if turn.is_over() {
            return;
        }
        let (come, line) = (turn.has_come(), turn.line.id);
        self.waiting.insert(turn.key(), judged);
        if come && !self.held.contains_key(&line) {
            self.release(line, out);
        }
    }

    /// Whether the breaker holds anything.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Asks the breaker again for everything that it holds.
    pub fn look_again(&mut self, out: &mut Vec<Judged>) {
        let lines: Vec<u64> = self.held.keys().copied().collect();
        for line in lines {
            self.release(line, out);
        }
    }

    /// Lets go of a line's batches, as far as they are there and the breaker lets them.
    fn release(&mut self, line: u64, out: &mut Vec<Judged>) {
        while let Some((_, entry)) = self.waiting.range(of(line)).next() {
            if !entry.turn.has_come() {
                return;
            }
            let mut held = self.held.get(&line).copied();
            let flow = self
                .breakers
                .admit(&entry.from.name, &entry.counts, &mut held);
            match held {
                Some(since) => self.held.insert(line, since),
                None => self.held.remove(&line),
            };
            match flow {
                Flow::Held => return,
                Flow::On => {}
                Flow::GivenUp => return self.close(line),
            }
            let key = entry.turn.key();
            let judged = self.waiting.remove(&key).expect("it was just seen");
            judged.turn.line.next.fetch_add(1, Ordering::Relaxed);
            out.push(judged);
        }
    }

    /// Gives a line up. Nothing behind a batch that was given up may become durable: `finished` would
    /// claim it. All of it is read again at the next start.
    fn close(&mut self, line: u64) {
        self.held.remove(&line);
        while let Some((key, _)) = self.waiting.range(of(line)).next() {
            let key = *key;
            let given_up = self.waiting.remove(&key).expect("it was just seen");
            given_up.turn.line.next.store(CLOSED, Ordering::Relaxed);
        }
    }
}

/// All places of a line.
fn of(line: u64) -> std::ops::RangeInclusive<(u64, u64)> {
    (line, 0)..=(line, u64::MAX)
}

#[cfg(test)]
mod tests {
    use palisade_ingest::reject::Reason;
    use palisade_ingest::source::Assigned;

    use super::*;
    use crate::log::Append;
    use crate::topology::Site;
    use crate::topology::breaker::{Counts, Limits};

    fn judged(source: &str, turn: Turn, parked: u64) -> Judged {
        let from = Assigned {
            name: Arc::from(source),
            source: Arc::from(source),
            topic: Arc::from(source),
            partition: u32::try_from(turn.line.id).unwrap(),
            incarnation: 1,
            generation: 1,
            partitions_total: 1,
        };
        Judged {
            from: Arc::new(from),
            step: Append::default(),
            turn,
            counts: Counts {
                records: 100,
                parked: BTreeMap::from([(Reason::NotJson, parked)]),
                ..Counts::default()
            },
            tickets: Vec::new(),
            newest: None,
            alert_times: Vec::new(),
            held: None,
        }
    }

    fn order(window: Duration) -> (Order, Arc<Breakers>) {
        let limits = Limits {
            window,
            ..Limits::default()
        };
        let breakers = Arc::new(Breakers::new(limits, Site::default()));
        (Order::new(Arc::clone(&breakers)), breakers)
    }

    fn keys(out: &mut Vec<Judged>) -> Vec<(u64, u64)> {
        out.drain(..).map(|judged| judged.turn.key()).collect()
    }

    #[test]
    fn batches_go_out_in_the_order_of_their_lines_however_they_come() {
        let (mut order, _) = order(Duration::from_mins(1));
        let (lines, mut out) = ([Line::new(1), Line::new(2)], Vec::new());
        let turns = [0, 0, 0, 1, 1].map(|line: usize| lines[line].turn());
        let [first, second, third, one, two] = turns.map(|turn| judged("hub", turn, 0));
        for early in [third, two, second] {
            order.put(early, &mut out);
        }
        assert_eq!(keys(&mut out), []);
        order.put(one, &mut out);
        assert_eq!(keys(&mut out), [(2, 0), (2, 1)]);
        order.put(first, &mut out);
        assert_eq!(keys(&mut out), [(1, 0), (1, 1), (1, 2)]);
        assert!(order.waiting.is_empty());
    }

    #[test]
    fn what_the_breaker_holds_keeps_only_its_own_line_waiting() {
        let (mut order, _) = order(Duration::ZERO);
        let (bad, good, mut out) = (Line::new(1), Line::new(2), Vec::new());
        order.put(judged("bad", bad.turn(), 100), &mut out);
        order.put(judged("bad", bad.turn(), 0), &mut out);
        order.put(judged("good", good.turn(), 0), &mut out);
        assert_eq!(keys(&mut out), [(2, 0)]);
        assert!(order.holds());
        // It was held for a window of no length.
        order.look_again(&mut out);
        assert_eq!(keys(&mut out), [(1, 0), (1, 1)]);
        assert!(!order.holds());
    }

    #[test]
    fn nothing_behind_what_was_given_up_goes_out() {
        let (mut order, breakers) = order(Duration::from_mins(1));
        let (bad, good, mut out) = (Line::new(1), Line::new(2), Vec::new());
        order.put(judged("bad", bad.turn(), 100), &mut out);
        order.put(judged("bad", bad.turn(), 0), &mut out);
        let late = judged("bad", bad.turn(), 0);
        breakers.give_up();
        order.look_again(&mut out);
        order.put(late, &mut out);
        assert!(!order.holds() && order.waiting.is_empty());
        order.put(judged("good", good.turn(), 0), &mut out);
        assert_eq!(keys(&mut out), [(2, 0)]);
    }
}
