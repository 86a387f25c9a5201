//! The page that names every stage, every queue and every bound, in the order of the data flow.
//!
//! ```text
//!  sources              a thread each; at most IN_FLIGHT_BYTES_MAX between here and the log
//!     |  record
//!  [ intake ]           a ticket a record; tells a source what it may commit
//!     |  JUDGE_QUEUE_BATCHES a judge
//!  [ judges ]           threads; a partition always goes to the same one
//!     |  APPEND_QUEUE_BATCHES, at most OUTPUT_BYTES_MAX
//!  [ appender ]         everything that waits is one durable step, then the tickets are finished
//!     |            |              |
//!   alerts      matches      dead letters          the log, one SQLite file
//!     ^            |
//!     +--- [ folds ]    KEY_PARTITIONS of them, PAGE_RECORDS at a time
//!     |
//!  [ deliveries ]       a cursor a sink, one batch at a time
//! ```
//!
//! Whatever breaks ends the process: nothing is started again inside it. Sources and deliveries
//! wait for what is outside in loops of their own.

use std::sync::Arc;

use palisade_detect::engine::Engine;
use palisade_detect::time::Span;
use palisade_ingest::source::Source;
use palisade_sinks::sink::Sink;
use tokio::sync::{mpsc, watch};

use crate::admin::Health;
use crate::clock::Clock;
use crate::log::sqlite::SqliteLog;
use crate::log::{Log, Stream};
use crate::metrics::Metrics;

pub mod stage;
pub mod dead;
pub mod intake;
pub mod breaker;
pub mod judge;
pub mod budget;
pub mod appender;
pub mod fold;
pub mod delivery;
pub mod upkeep;
pub mod offline;
pub mod build;
pub mod run;
pub mod shutdown;

use appender::{APPEND_QUEUE_BATCHES, Appender, Ticks};
use breaker::Breakers;
use fold::{Folds, Suppression};
use intake::{Intake, IntakeContext, StateAge};
use judge::{JudgeContext, Traits};
use run::{Part, Running, Tasks};
use shutdown::Failure;
use upkeep::Upkeep;

/// What every stage may use: the time, and whom to tell.
#[derive(Clone)]
pub struct Site {
    /// The clock.
    pub clock: Clock,
    /// Who is ready.
    pub health: Arc<Health>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

impl Default for Site {
    fn default() -> Self {
        let clock = Clock::start();
        Self {
            clock,
            health: Arc::new(Health::new(clock)),
            metrics: Arc::default(),
        }
    }
}

/// What a process is made of: everything the configuration and the rules come to.
pub struct Parts {
    /// The rules.
    pub engine: Arc<Engine>,
    /// Whether a correlation that fired stays silent for a while.
    pub suppression: Suppression,
    /// When dead letters stop a source.
    pub breaker: breaker::Limits,
    /// Allowed lateness of all correlations; `None`: each one's own.
    pub lateness: Option<Span>,
    /// What the configuration says of each source.
    pub traits: Arc<Traits>,
    /// Where records enter, by name.
    pub sources: Vec<(Arc<str>, Box<dyn Source>)>,
    /// The log.
    pub log: Arc<SqliteLog>,
    /// Where alerts leave, by name.
    pub sinks: Vec<(String, Box<dyn Sink>)>,
    /// Whether the log is a new one.
    pub state: StateAge,
    /// Clock, health and metrics.
    pub site: Site,
}

impl Parts {
    /// Starts every stage, the last first, so that nothing is read that cannot be taken on.
    ///
    /// # Errors
    /// When the log cannot be read or a thread cannot be started.
    pub async fn start(self) -> Result<Running, Failure> {
        let Self {
            engine,
            traits,
            sources,
            site,
            state,
            ..
        } = self;
        let log: Arc<dyn Log> = Arc::<SqliteLog>::clone(&self.log);
        site.metrics.follow_alerts(log.watch(Stream::Alerts));
        let mut tasks = Tasks::default();

        let stop_deliveries = tasks.deliver(self.sinks, &log, &site);

        let correlations = engine.correlations();
        let definitions = fold::store_definitions(&*log, correlations).await?;
        let folds = Folds::rebuild(Arc::clone(&log), definitions, site.clone()).await?;
        let mut settings = fold::settings(correlations, self.suppression);
        if let Some(lateness) = self.lateness {
            settings.lateness.fill(lateness.ticks());
        }
        folds.put_in_force(settings).await?;
        let folded = folds.folded();
        let (stop_folds, stopped) = watch::channel(false);
        tasks.spawn(Part::Folds, folds.run(stopped));

        let (out, steps) = mpsc::channel(APPEND_QUEUE_BATCHES);
        let ticks = Ticks::for_correlations(correlations.len());
        let breakers = Arc::new(Breakers::new(self.breaker, site.clone()));
        let context = JudgeContext {
            engine: Arc::clone(&engine),
            traits: Arc::clone(&traits),
            breakers: Arc::clone(&breakers),
            site: site.clone(),
        };
        let (queues, judges) = judge::start(judge::count(), &context, &out)?;
        drop(out);
        for judge in judges {
            tasks.watch(Part::Judge, judge);
        }

        let durable = log.finished().await?;
        let context = IntakeContext {
            durable,
            state,
            traits,
            site: site.clone(),
        };
        let intake = Arc::new(Intake::new(queues, context));
        let appender = Appender {
            log,
            intake: Arc::clone(&intake),
            ticks,
            site: site.clone(),
        };
        tasks.spawn(Part::Appender, appender.run(steps));
        let upkeep = Upkeep {
            log: self.log,
            folded,
            site,
        };
        tasks.spawn(Part::Upkeep, upkeep.run(Arc::downgrade(&intake)));

        let stop_sources = Arc::default();
        Running {
            tasks,
            intake,
            breakers,
            stop_sources,
            stop_folds,
            stop_deliveries,
        }
        .read(sources)
    }
}

#[cfg(test)]
mod tests;
