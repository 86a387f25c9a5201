//! The appender: makes what the judges found durable, then tells the sources.
//!
//! Everything that waits becomes one step of the log (group commit), with one append under way at a
//! time: the order of steps is the order of the queue. Ticks are written here too, after the
//! matches that they cover. What the breaker holds back waits outside the queue, so that everything
//! else goes by.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use palisade_detect::matches::{self, Body, Mark, Record, Source, Tick};
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::log::{Append, AppendError, BROADCAST, Log};
use crate::topology::Site;
use crate::topology::breaker::Breakers;
use crate::topology::intake::{Intake, Progress};
use crate::topology::judge::Judged;
use crate::topology::order::Order;

/// Batches that may wait for the log.
pub const APPEND_QUEUE_BATCHES: usize = 64;

/// Most batches in one step.
const STEP_BATCHES_MAX: usize = 64;

/// How often the matches log learns how far time has come (`T2`).
const TICK_EVERY: Duration = Duration::from_secs(5);

/// What the appender needs.
pub struct Appender {
    /// Where to.
    pub log: Arc<dyn Log>,
    /// Whom to tell.
    pub intake: Arc<Intake>,
    /// Whether anybody reads ticks.
    pub ticks: watch::Receiver<Ticks>,
    /// What stops a source whose records would nearly all be dead letters.
    pub breakers: Arc<Breakers>,
    /// Clock and metrics.
    pub site: Site,
}

/// Whether ticks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticks {
    /// A correlation is loaded.
    Written,
    /// Nothing would read them.
    Off,
}

impl Ticks {
    /// Ticks for so many correlations.
    pub const fn for_correlations(count: usize) -> Self {
        if count == 0 { Self::Off } else { Self::Written }
    }
}

impl Appender {
    /// Appends until the queue is closed and empty.
    ///
    /// # Errors
    /// When the log is lost to this process; it must stop.
    pub async fn run(self, mut queue: Receiver<Judged>) -> Result<(), AppendError> {
        let mut ticker = interval_at(Instant::now() + TICK_EVERY, TICK_EVERY);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut received = Vec::with_capacity(STEP_BATCHES_MAX);
        let (mut due, mut last) = (Vec::new(), Vec::new());
        let mut order = Order::new(Arc::clone(&self.breakers));
        loop {
            tokio::select! {
                // A busy queue must not keep time from going on.
                biased;
                _ = ticker.tick() => self.tick(&mut last).await?,
                () = self.breakers.look(), if order.holds() => order.look_again(&mut due),
                count = queue.recv_many(&mut received, STEP_BATCHES_MAX) => {
                    if count == 0 {
                        return self.tick(&mut last).await;
                    }
                    for judged in received.drain(..) {
                        order.put(judged, &mut due);
                    }
                }
            }
            if !due.is_empty() {
                self.append(&mut due).await?;
            }
            self.site
                .metrics
                .queue("append", queue.len() as u64, APPEND_QUEUE_BATCHES as u64);
        }
    }

    async fn append(&self, due: &mut Vec<Judged>) -> Result<(), AppendError> {
        let mut step = Append::default();
        let mut uptos = Vec::with_capacity(due.len());
        for judged in due.iter_mut() {
            uptos.push(judged.step.finished.iter().map(|row| row.offset).max());
            step.join(std::mem::take(&mut judged.step));
        }
        self.log.append(step).await?;
        let now = self.site.clock.now();
        for (judged, upto) in due.drain(..).zip(uptos) {
            for time in &judged.alert_times {
                self.site.metrics.alert_latency(now.since(*time));
            }
            self.intake
                .done(&judged.from, upto, judged.tickets, judged.newest);
        }
        Ok(())
    }

    /// One broadcast tick with a mark for every partition that has come anywhere, unless it would
    /// say what the `last` one said; then the end of what will not come back.
    async fn tick(&self, last: &mut Vec<u8>) -> Result<(), AppendError> {
        let progress = self.intake.progress();
        if *self.ticks.borrow() == Ticks::Off {
            return Ok(());
        }
        let tick = matches::encode(&Record::tick(Tick {
            marks: progress.iter().map(mark).collect(),
        }));
        // An end is always said: nobody is asked for it a second time.
        let ends = progress.iter().any(|progress| progress.ended);
        if progress.is_empty() || (tick == *last && !ends) {
            return Ok(());
        }
        let mut rows = vec![(BROADCAST, Bytes::from(tick.clone()))];
        for gone in progress.iter().filter(|progress| progress.ended) {
            let record = Record::new(Body::SourceGone(source(gone)));
            rows.push((BROADCAST, Bytes::from(matches::encode(&record))));
        }
        self.log
            .append(Append {
                matches: rows,
                ..Append::default()
            })
            .await?;
        *last = tick;
        Ok(())
    }
}

fn mark(progress: &Progress) -> Mark {
    Mark {
        source: Some(source(progress)),
        partitions_total: progress.at.partitions_total,
        upto: progress.upto,
        append_time: progress.append_time.ticks(),
    }
}

fn source(progress: &Progress) -> Source {
    Source {
        name: progress.at.source.to_string(),
        incarnation: progress.at.incarnation,
        partition: progress.at.partition,
    }
}

#[cfg(test)]
mod tests {
    use palisade_detect::engine::Clamp;
    use palisade_detect::time::Timestamp;
    use palisade_ingest::decode::Hints;
    use palisade_ingest::source::{Assigned, Handler as _};

    use super::*;
    use crate::log::Stream;
    use crate::log::sqlite::{Options, SqliteLog};
    use crate::topology::breaker::Limits;
    use crate::topology::intake::{IntakeContext, StateAge};
    use crate::topology::judge::Traits;
    use crate::topology::stage::{SourceTraits, UnknownPolicy};

    /// Otherwise the file would hold back the time of all other sources.
    #[tokio::test]
    async fn a_file_that_ends_without_news_is_still_said_to_be_gone() {
        let (dir, site) = (tempfile::tempdir().unwrap(), Site::default());
        let log = Arc::new(SqliteLog::open(dir.path(), Options::new(site.clock)).unwrap());
        let files = SourceTraits {
            tenant: Arc::from("default"),
            hints: Hints::default(),
            unknown: UnknownPolicy::JudgeAll,
            clamp: Clamp::Never,
        };
        let breakers = Arc::new(Breakers::new(Limits::default(), site.clone()));
        let context = IntakeContext {
            durable: Vec::new(),
            accepted: std::collections::BTreeSet::new(),
            state: StateAge::New,
            traits: Arc::new(Traits::from([(Arc::from("files"), files)])),
            breakers: Arc::clone(&breakers),
            site: site.clone(),
        };
        let file = Arc::new(Assigned {
            name: Arc::from("files"),
            source: Arc::from("a.ndjson"),
            topic: Arc::from("a.ndjson"),
            partition: 0,
            incarnation: 1,
            generation: 1,
            partitions_total: 1,
        });
        let appender = Appender {
            log: Arc::<SqliteLog>::clone(&log),
            intake: Arc::new(Intake::new(Vec::new(), context)),
            ticks: watch::channel(Ticks::Written).1,
            breakers,
            site,
        };
        let (intake, mut last) = (&appender.intake, Vec::new());
        intake.assigned(&file, None).unwrap();
        intake.begins(&file, 0);
        intake.observed_end(&file, 0, Some(Timestamp::from_unix_seconds(9)));
        appender.tick(&mut last).await.unwrap();
        intake.revoked(&file);
        appender.tick(&mut last).await.unwrap();
        let rows = log.read(Stream::Matches, 1, 10).await.unwrap();
        let gone = rows.iter().filter(|row| {
            matches!(
                matches::decode(&row.body).unwrap().body,
                Some(Body::SourceGone(_))
            )
        });
        assert_eq!(gone.count(), 1);
    }
}
