//! What a sink's answers mean: which alerts are settled, how far the cursor may move, and when to
//! try again. Pure: time is an argument.

use std::collections::VecDeque;
use std::time::Duration;

use crate::sink::{SinkItem, SinkResult, Why};

/// First pause after a batch that made no progress; doubled each time.
pub const RETRY_MIN: Duration = Duration::from_millis(100);

/// Longest pause of our own; a sink that asks for more gets it.
pub const RETRY_MAX: Duration = Duration::from_mins(1);

/// How often a blocked sink is tried: its credentials or configuration may have been put right.
pub const BLOCKED_RETRY: Duration = Duration::from_secs(30);

/// Over how long the breaker counts.
pub const BREAKER_WINDOW: Duration = Duration::from_mins(1);

/// Fewer items than this in the window say nothing.
pub const BREAKER_ITEMS_MIN: u64 = 100;

/// Share of dead letters in the window, in percent, above which the fault is taken to be the
/// sink's or its configuration's, and not the alerts'.
pub const BREAKER_PERCENT: u64 = 5;

/// A batch on its way out, item by item.
#[derive(Debug)]
pub struct Batch {
    items: Vec<(SinkItem, bool)>,
}

/// What one round of answers came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// How many items were delivered.
    pub delivered: u64,
    /// What to park, as indices for [`Batch::item`]; settled only by [`Batch::settle`].
    pub poison: Vec<(usize, Why)>,
    /// Why the rest must wait.
    pub pause: Option<(Pause, Why)>,
}

/// How the rest of a batch waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// At least so long.
    Retry(Duration),
    /// Until somebody acts.
    Blocked,
}

impl Batch {
    /// A batch of items in log order.
    pub fn new(items: Vec<SinkItem>) -> Self {
        Self {
            items: items.into_iter().map(|item| (item, false)).collect(),
        }
    }

    /// What the sink has not answered for, in order.
    pub fn open(&self) -> Vec<SinkItem> {
        self.items
            .iter()
            .filter(|(_, settled)| !settled)
            .map(|(item, _)| item.clone())
            .collect()
    }

    /// Whether every item is settled.
    pub fn is_settled(&self) -> bool {
        self.items.iter().all(|(_, settled)| *settled)
    }

    /// The item at an index of [`Round::poison`].
    pub fn item(&self, index: usize) -> &SinkItem {
        &self.items[index].0
    }

    /// An item is parked durably.
    pub fn settle(&mut self, index: usize) {
        self.items[index].1 = true;
    }

    /// Takes the answers for what [`Batch::open`] gave. An answer that is missing counts as one to
    /// try again; of several pauses the longest holds, and `Blocked` is the longest.
    pub fn answered(&mut self, answers: Vec<SinkResult>) -> Round {
        let mut round = Round::default();
        let mut answers = answers.into_iter();
        for (index, (_, settled)) in self.items.iter_mut().enumerate() {
            if *settled {
                continue;
            }
            match answers.next().unwrap_or_else(unanswered) {
                SinkResult::Done => {
                    *settled = true;
                    round.delivered += 1;
                }
                SinkResult::Poison(why) => round.poison.push((index, why)),
                SinkResult::RetryAfter(pause, why) => round.wait(Pause::Retry(pause), why),
                SinkResult::Blocked(why) => round.wait(Pause::Blocked, why),
            }
        }
        round
    }

    /// The position up to which the sink has answered without a hole; `None` before any.
    pub fn cursor(&self) -> Option<u64> {
        let settled = self.items.iter().take_while(|(_, settled)| *settled);
        settled.last().map(|(item, _)| item.pos + 1)
    }
}

impl Round {
    fn wait(&mut self, pause: Pause, why: Why) {
        let longer = match (&self.pause, pause) {
            (None, _) | (Some((Pause::Retry(_), _)), Pause::Blocked) => true,
            (Some((Pause::Retry(old), _)), Pause::Retry(new)) => new > *old,
            (Some((Pause::Blocked, _)), _) => false,
        };
        if longer {
            self.pause = Some((pause, why));
        }
    }
}

fn unanswered() -> SinkResult {
    let message = "the sink did not answer for every alert".to_owned();
    SinkResult::RetryAfter(
        RETRY_MIN,
        Why {
            class: "unanswered",
            message,
        },
    )
}

/// How long a delivery pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// After the first batch that made no progress.
    pub retry_min: Duration,
    /// At most, unless the sink asks for more.
    pub retry_max: Duration,
    /// While the sink is blocked.
    pub blocked: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            retry_min: RETRY_MIN,
            retry_max: RETRY_MAX,
            blocked: BLOCKED_RETRY,
        }
    }
}

/// Pauses that double while nothing moves.
#[derive(Debug, Default)]
pub struct Backoff {
    pauses: Pauses,
    failures: u32,
}

impl Backoff {
    /// Pauses within these bounds.
    pub fn new(pauses: Pauses) -> Self {
        Self {
            pauses,
            failures: 0,
        }
    }

    /// Something moved: the next pause is the shortest again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to pause now.
    pub fn pause(&mut self, pause: Pause) -> Duration {
        match pause {
            Pause::Blocked => self.pauses.blocked,
            Pause::Retry(asked) => {
                let own = self
                    .pauses
                    .retry_min
                    .saturating_mul(1 << self.failures.min(16));
                self.failures = self.failures.saturating_add(1);
                own.min(self.pauses.retry_max).max(asked)
            }
        }
    }
}

/// Stops parking when too many alerts would go that way: a wrong table name must not empty the
/// alerts log into the dead letters.
#[derive(Debug, Default)]
pub struct Breaker {
    /// (when, items, of them parked)
    window: VecDeque<(Duration, u64, u64)>,
}

impl Breaker {
    /// Whether `poison` items may be parked at `now`, a time that never goes back; `delivered`
    /// were taken in the same round. What may not be parked is not counted.
    pub fn allows(&mut self, now: Duration, delivered: u64, poison: u64) -> bool {
        while self
            .window
            .front()
            .is_some_and(|(at, ..)| *at + BREAKER_WINDOW <= now)
        {
            self.window.pop_front();
        }
        let (items, parked) = self
            .window
            .iter()
            .fold((delivered + poison, poison), |sum, (_, i, p)| {
                (sum.0 + i, sum.1 + p)
            });
        let tripped =
            poison > 0 && items >= BREAKER_ITEMS_MIN && parked * 100 > items * BREAKER_PERCENT;
        let counted = if tripped { 0 } else { poison };
        match self.window.back_mut() {
            // Rounds close together share an entry: the window stays small at any rate.
            Some((at, items, parked)) if *at + Duration::from_secs(1) > now => {
                *items += delivered + counted;
                *parked += counted;
            }
            _ => self.window.push_back((now, delivered + counted, counted)),
        }
        !tripped
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn batch(positions: std::ops::Range<u64>) -> Batch {
        let item = |pos| SinkItem {
            pos,
            alert_id: format!("a{pos}"),
            dedupe_key: String::new(),
            body: Bytes::new(),
        };
        Batch::new(positions.map(item).collect())
    }

    fn why(message: &str) -> Why {
        Why {
            class: "test",
            message: message.to_owned(),
        }
    }

    fn retry(seconds: u64) -> SinkResult {
        SinkResult::RetryAfter(Duration::from_secs(seconds), why("later"))
    }

    fn open(batch: &Batch) -> Vec<u64> {
        batch.open().iter().map(|item| item.pos).collect()
    }

    #[test]
    fn cursor_stops_at_the_first_item_that_is_not_settled() {
        let mut batch = batch(5..9);
        assert_eq!(batch.cursor(), None);
        let round = batch.answered(vec![SinkResult::Done, retry(1), SinkResult::Done, retry(2)]);
        assert_eq!(round.delivered, 2);
        assert_eq!(
            round.pause,
            Some((Pause::Retry(Duration::from_secs(2)), why("later")))
        );
        assert_eq!(batch.cursor(), Some(6));
        assert_eq!(open(&batch), [6, 8], "what was done does not come again");
        batch.answered(vec![SinkResult::Done, SinkResult::Done]);
        assert_eq!(batch.cursor(), Some(9));
        assert!(batch.is_settled());
    }

    #[test]
    fn poison_is_settled_only_when_it_is_parked() {
        let mut batch = batch(1..3);
        let round = batch.answered(vec![SinkResult::Poison(why("bad")), SinkResult::Done]);
        assert_eq!(round.poison, [(0, why("bad"))]);
        assert_eq!(batch.cursor(), None);
        batch.settle(0);
        assert_eq!(batch.cursor(), Some(3));
    }

    #[test]
    fn blocked_outweighs_a_retry() {
        let mut batch = batch(1..4);
        let round = batch.answered(vec![
            retry(90),
            SinkResult::Blocked(why("denied")),
            retry(100),
        ]);
        assert_eq!(round.pause, Some((Pause::Blocked, why("denied"))));
    }

    #[test]
    fn a_missing_answer_is_tried_again() {
        let mut batch = batch(1..3);
        let round = batch.answered(vec![SinkResult::Done]);
        assert_eq!(round.pause.map(|(_, why)| why.class), Some("unanswered"));
        assert_eq!(open(&batch), [2]);
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_start_again() {
        let mut backoff = Backoff::default();
        let mut pause = || backoff.pause(Pause::Retry(Duration::ZERO));
        assert_eq!(
            [pause(), pause(), pause()],
            [100, 200, 400].map(Duration::from_millis)
        );
        assert_eq!((0..100).map(|_| pause()).max(), Some(RETRY_MAX));
        backoff.reset();
        assert_eq!(backoff.pause(Pause::Retry(Duration::ZERO)), RETRY_MIN);
        let asked = Duration::from_mins(2);
        assert_eq!(
            backoff.pause(Pause::Retry(asked)),
            asked,
            "the sink's own wish holds"
        );
        assert_eq!(backoff.pause(Pause::Blocked), BLOCKED_RETRY);
    }

    #[test]
    fn breaker_holds_back_a_flood_of_poison() {
        let second = Duration::from_secs;
        let mut breaker = Breaker::default();
        assert!(breaker.allows(second(0), 0, 99), "too few to say anything");
        assert!(!breaker.allows(second(1), 0, 1), "100 of 100");
        assert!(
            breaker.allows(second(70), 95, 5),
            "the window has passed; 5 of 100 are allowed"
        );
        assert!(!breaker.allows(second(71), 0, 6));
        assert!(
            !breaker.allows(second(101), 0, 6),
            "as long as the sink says so"
        );
        assert!(breaker.allows(second(140), 94, 5));
    }
}
