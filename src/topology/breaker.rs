//! The breaker of dead letters: a change of format at a source must stop the line, not pour it into
//! the dead letters.
//!
//! It is half open: a batch that was held for a whole window goes on all the same. Whoever may write to
//! the topic can slow a source down, loudly, but not stop it for good.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use palisade_detect::time::{TICKS_PER_SECOND, Timestamp};
use palisade_ingest::reject::Reason;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::Site;
use super::operational::{Kind, Notice};

/// How often a stopped source looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Fewest events of a window whose times say something of a source.
const CLAMPED_EVENTS_MIN: u64 = 1_000;

/// Share of the events of a window, in percent, that may state an unlikely time without a word.
const CLAMPED_PERCENT: u64 = 20;

/// When dead letters stop a source.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Share of the records within `window` that may be parked for one reason, from 0 to 1; 1 means
    /// that nothing stops it.
    pub share: f64,
    /// The window.
    pub window: Duration,
    /// Fewest records in the window for the share to count.
    pub records_min: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            share: 0.05,
            window: Duration::from_mins(1),
            records_min: 100,
        }
    }
}

/// Records of one batch, and how many of them were parked, by reason.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Records judged.
    pub records: u64,
    /// Records parked, by the reason of their first reject.
    pub parked: BTreeMap<Reason, u64>,
    /// Events judged.
    pub events: u64,
    /// Events whose time was missing or out of bounds.
    pub clamped: u64,
    /// When the broker took the newest record.
    pub newest: Option<Timestamp>,
}

/// The last window of one source; pure.
#[derive(Debug, Default)]
struct Window {
    batches: VecDeque<(Duration, Counts)>,
    sum: Counts,
    /// Partitions whose next batch is held.
    held: usize,
    /// The day, by the data's own time, for which unlikely times were last said.
    clamped_day: Option<i64>,
}

impl Window {
    /// Takes the batch in, or names the reason for which too much would be parked. A batch `held`
    /// since a window ago is taken in.
    fn admit(
        &mut self,
        now: Duration,
        held: Option<Duration>,
        batch: &Counts,
        limits: &Limits,
    ) -> Result<(), Reason> {
        while let Some((_, old)) = self
            .batches
            .pop_front_if(|(at, _)| now.saturating_sub(*at) >= limits.window)
        {
            self.sum.records -= old.records;
            self.sum.events -= old.events;
            self.sum.clamped -= old.clamped;
            for (reason, count) in old.parked {
                *self.sum.parked.entry(reason).or_default() -= count;
            }
        }
        let records = self.sum.records + batch.records;
        for (reason, count) in &batch.parked {
            let parked = self.sum.parked.get(reason).copied().unwrap_or(0) + count;
            let waited = held.is_some_and(|since| now.saturating_sub(since) >= limits.window);
            let counts = records >= limits.records_min && !waited;
            if counts && exceeds(parked, records, limits.share) {
                return Err(*reason);
            }
        }
        self.sum.records = records;
        self.sum.events += batch.events;
        self.sum.clamped += batch.clamped;
        for (reason, count) in &batch.parked {
            *self.sum.parked.entry(*reason).or_default() += count;
        }
        self.batches.push_back((now, batch.clone()));
        Ok(())
    }

    /// The day for which it is to be said that many events have unlikely times; once a day, by the
    /// data's own time.
    fn clamped(&mut self, newest: Option<Timestamp>) -> Option<i64> {
        let Counts {
            events, clamped, ..
        } = self.sum;
        if events < CLAMPED_EVENTS_MIN || clamped.saturating_mul(100) <= events * CLAMPED_PERCENT {
            return None;
        }
        let day = newest?.ticks() / (86_400 * TICKS_PER_SECOND);
        (self.clamped_day.replace(day) != Some(day)).then_some(day)
    }
}

/// What is said of a source of whose events many state no time or one that cannot be true.
fn clamped(source: &str, day: i64, sum: &Counts) -> Notice {
    let (events, clamped) = (sum.events, sum.clamped);
    Notice::new(
        Kind::TimeClampedRate,
        (format!("source {source}"), day),
        format!("Source `{source}`: many events state no time, or one that cannot be true"),
        format!(
            "more than {CLAMPED_PERCENT} % of the events of the last minutes; correlations take the \
             time at which the broker took them instead"
        ),
    )
    .with_label("source", &source)
    .with_label("events", &events)
    .with_label("clamped", &clamped)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 52 bits"
)]
fn exceeds(parked: u64, records: u64, share: f64) -> bool {
    parked as f64 > records as f64 * share
}

/// The breakers of all sources.
pub struct Breakers {
    limits: Limits,
    site: Site,
    windows: Mutex<BTreeMap<Arc<str>, Window>>,
    given_up: AtomicBool,
    /// Signalled when everything that is held is given up.
    news: Notify,
}

/// Whether a batch may go on to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// It may.
    On,
    /// Not now: it is to be asked for again.
    Held,
    /// The process ends before it might: the batch is given up and read again.
    GivenUp,
}

impl Breakers {
    /// Breakers that trip at `limits`.
    pub fn new(limits: Limits, site: Site) -> Self {
        Self {
            limits,
            site,
            windows: Mutex::default(),
            given_up: AtomicBool::new(false),
            news: Notify::new(),
        }
    }

    /// Whether `batch` of `source`, the next of its partition, may be parked and appended. Since when it
    /// is `held` is written there and asked for again.
    pub fn admit(&self, source: &Arc<str>, batch: &Counts, held: &mut Option<Duration>) -> Flow {
        let now = self.site.clock.elapsed();
        let mut windows = self.lock();
        let window = windows.entry(Arc::clone(source)).or_default();
        match window.admit(now, *held, batch, &self.limits) {
            Ok(()) => {
                if held.take().is_some() {
                    window.held -= 1;
                    self.let_go(source, window.held);
                }
                if let Some(day) = window.clamped(batch.newest) {
                    self.site.alarms.raise(clamped(source, day, &window.sum));
                }
                Flow::On
            }
            Err(_) if self.given_up.load(Ordering::Relaxed) => Flow::GivenUp,
            Err(reason) => {
                if held.is_none() {
                    *held = Some(now);
                    window.held += 1;
                    self.trip(source, reason, batch.newest);
                }
                Flow::Held
            }
        }
    }

    /// Whether anything of `source` is held: then no more of it need be read.
    pub fn holds(&self, source: &str) -> bool {
        self.lock()
            .get(source)
            .is_some_and(|window| window.held > 0)
    }

    /// Waits until what is held is to be asked for again.
    pub async fn look(&self) {
        // News or none: it is looked.
        timeout(LOOK_EVERY, self.news.notified()).await.ok();
    }

    /// Nothing is held any more: the process drains.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn let_go(&self, source: &str, still_held: usize) {
        tracing::info!(source, "the source goes on, by a batch a window or freely");
        if still_held == 0 {
            self.site.health.ready(&part(source));
        }
    }

    fn trip(&self, source: &str, reason: Reason, newest: Option<Timestamp>) {
        let reason = reason.as_str();
        let hour = newest.map_or(0, |time| time.ticks() / (3_600 * TICKS_PER_SECOND));
        let notice = Notice::new(
            Kind::DeadLetterBreaker,
            (format!("source {source}, reason {reason}"), hour),
            format!("Source `{source}` is held back: too many records are `{reason}`"),
            "too many records would become dead letters; the source goes on with one batch a window \
             until they are few, or until `dead_letters.breaker` allows more",
        );
        self.site.alarms.raise(
            notice
                .with_label("source", &source)
                .with_label("reason", &reason),
        );
        let why = format!("the source is held back: too many records are `{reason}`");
        self.site.health.not_ready(&part(source), why);
    }
}

/// What the breaker of a source is called among the parts: not as the source, which says by itself
/// whether its broker is there.
fn part(source: &str) -> String {
    format!("dead letters of source `{source}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::sqlite::{Options, SqliteLog};
    use crate::log::{Log, Stream};

    fn counts(records: u64, parked: u64) -> Counts {
        Counts {
            records,
            parked: BTreeMap::from([(Reason::NotJson, parked)]),
            ..Counts::default()
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn few_records_never_trip_it() {
        let mut window = Window::default();
        for second in 0..9 {
            let admitted = window.admit(SECOND * second, None, &counts(11, 11), &Limits::default());
            assert_eq!(admitted, Ok(()), "{second}");
        }
        let admitted = window.admit(SECOND * 9, None, &counts(1, 1), &Limits::default());
        assert_eq!(admitted, Err(Reason::NotJson));
    }

    #[test]
    fn the_share_counts_within_the_window_only() {
        let mut window = Window::default();
        let limits = Limits::default();
        assert_eq!(
            window.admit(SECOND, None, &counts(1_000, 50), &limits),
            Ok(())
        );
        assert_eq!(
            window.admit(SECOND * 2, None, &counts(10, 2), &limits),
            Err(Reason::NotJson)
        );
        assert_eq!(
            window.admit(SECOND * 2, None, &counts(1_000, 50), &limits),
            Ok(())
        );
        assert_eq!(
            window.admit(SECOND * 63, None, &counts(10, 10), &limits),
            Ok(())
        );
    }

    /// 100 bad records must not stop detection for good.
    #[test]
    fn a_batch_that_was_held_for_a_window_goes_on_and_the_next_is_held() {
        let mut window = Window::default();
        let limits = Limits::default();
        let mut at = |second, held: Option<u32>| {
            let held = held.map(|since| SECOND * since);
            window.admit(SECOND * second, held, &counts(500, 500), &limits)
        };
        assert_eq!(at(1, None), Err(Reason::NotJson));
        assert_eq!(at(60, Some(1)), Err(Reason::NotJson));
        assert_eq!(at(61, Some(1)), Ok(()));
        assert_eq!(at(61, None), Err(Reason::NotJson));
    }

    #[test]
    fn unlikely_times_are_said_once_a_day_of_the_data() {
        let mut window = Window::default();
        let mut judged = |events, clamped, hours: i64| {
            let batch = Counts {
                records: events,
                events,
                clamped,
                ..Counts::default()
            };
            let admitted = window.admit(SECOND, None, &batch, &Limits::default());
            assert_eq!(admitted, Ok(()));
            window.clamped(Some(Timestamp::from_unix_seconds(hours * 3_600)))
        };
        assert_eq!(judged(900, 900, 1), None, "too few to say anything");
        assert_eq!(
            judged(4_000, 0, 1),
            None,
            "900 of 4900 are not above a fifth"
        );
        assert_eq!(judged(100, 101, 1), Some(0));
        assert_eq!(judged(100, 100, 23), None, "said for this day");
        assert_eq!(judged(100, 100, 25), Some(1));
    }

    #[test]
    fn a_source_is_held_until_nothing_of_it_is() {
        let site = Site::default();
        let limits = Limits {
            window: Duration::ZERO,
            ..Limits::default()
        };
        let breakers = Breakers::new(limits, site.clone());
        let source = Arc::from("hub");
        let (mut first, mut second) = (None, None);
        for held in [&mut first, &mut second] {
            let flow = breakers.admit(&source, &counts(100, 100), held);
            assert_eq!((flow, held.is_some()), (Flow::Held, true));
        }
        assert!(breakers.holds("hub") && !breakers.holds("other"));
        assert_eq!(
            breakers.admit(&source, &counts(100, 1), &mut None),
            Flow::On
        );
        for (held, still) in [(&mut first, true), (&mut second, false)] {
            let flow = breakers.admit(&source, &counts(100, 100), held);
            assert_eq!((flow, *held), (Flow::On, None), "it was held for a window");
            assert_eq!(breakers.holds("hub"), still);
            assert_eq!(site.health.waiting().is_empty(), !still);
        }
    }

    #[tokio::test]
    async fn a_source_that_is_held_back_is_an_alert() {
        let site = Site::default();
        let breakers = Breakers::new(Limits::default(), site.clone());
        let batch = Counts {
            newest: Some(Timestamp::from_unix_seconds(7_200)),
            ..counts(100, 100)
        };
        for held in [&mut None, &mut None] {
            breakers.admit(&Arc::from("hub"), &batch, held);
        }
        let dir = tempfile::tempdir().unwrap();
        let log = Arc::new(SqliteLog::open(dir.path(), Options::new(site.clock)).unwrap());
        let (_stop, stopped) = tokio::sync::watch::channel(true);
        let shared: Arc<dyn Log> = Arc::<SqliteLog>::clone(&log);
        site.alarms.run(shared, stopped).await.unwrap();
        let rows = log.read(Stream::Alerts, 1, 10).await.unwrap();
        let [row] = &rows[..] else {
            panic!("two partitions of one source are one alert")
        };
        let alert: palisade_detect::alert::Alert = serde_json::from_slice(&row.body).unwrap();
        assert_eq!(alert.rule.name, "dead_letter_breaker");
        assert_eq!(alert.labels["reason"], "not_json");
    }

    #[tokio::test]
    async fn a_source_that_was_stopped_is_given_up_at_the_drain() {
        let site = Site::default();
        let breakers = Breakers::new(Limits::default(), site.clone());
        let source = Arc::from("hub");
        let mut held = None;
        let flow = breakers.admit(&source, &counts(100, 100), &mut held);
        assert_eq!(flow, Flow::Held);
        // The source finds its broker again, and is stopped all the same.
        site.health.ready("source `hub`");
        let (part, why) = site.health.waiting().remove(0);
        assert_eq!(part, "dead letters of source `hub`");
        assert!(why.contains("`not_json`"), "{why}");
        breakers.give_up();
        breakers.look().await;
        let flow = breakers.admit(&source, &counts(100, 100), &mut held);
        assert_eq!(flow, Flow::GivenUp);
        assert_eq!(
            breakers.admit(&source, &counts(100, 1), &mut None),
            Flow::On
        );
    }
}
