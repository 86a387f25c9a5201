//! The page that names every stage, every queue and every bound, in the order of the data flow.
//!
//! ```text
//!  sources              a thread each; at most IN_FLIGHT_BYTES_MAX between here and the log
//!     |  record
//!  [ intake ]           a ticket a record; tells a source what it may commit
//!     |  JUDGE_QUEUE_BATCHES a judge
//!  [ judges ]           threads that share all batches, also those of a single partition
//!     |  APPEND_QUEUE_BATCHES, at most OUTPUT_BYTES_MAX
//!  [ order ]            back in the order of each partition; what the breaker holds waits here
//!     |
//!  [ appender ]         everything that waits is one durable step, then the tickets are finished
//!     |            |              |
//!   alerts      matches      dead letters          the log, one SQLite file
//!     ^            |
//!     +--- [ folds ]    KEY_PARTITIONS of them, PAGE_RECORDS at a time
//!     |        |
//!     |    [ keeper ]   the state of one of them at a time, into the snapshots
//!     |
//!  [ deliveries ]       a cursor a sink, one batch at a time
//! ```
//!
//! What an operator must know goes from every stage to the alerts, too (`alarms`).
//!
//! Beside the flow stand the rules: read again when their files change, and swapped in between two
//! batches (`in_force`, `reload`).
//!
//! Whatever breaks ends the process: nothing is started again inside it. Sources and deliveries
//! wait for what is outside in loops of their own.

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_detect::engine::Engine;
use tokio::sync::mpsc;

use crate::log::sqlite::{ACCEPTED, SqliteLog};
use crate::log::{Log, ReadError, Stream};
use crate::snapshots::SnapshotStore;

pub mod parts;
pub mod operational;
pub mod alarms;
pub mod stage;
pub mod dead;
pub mod intake;
pub mod breaker;
pub mod judge;
pub mod budget;
pub mod order;
pub mod appender;
pub mod fold;
pub mod snapshots;
pub mod inventory;
pub mod in_force;
pub mod reload;
pub mod delivery;
pub mod retry;
pub mod upkeep;
pub mod offline;
pub mod build;
pub mod run;
pub mod shutdown;

use appender::{APPEND_QUEUE_BATCHES, Appender};
use breaker::Breakers;
use fold::{FoldError, Folds};
use in_force::InForce;
use intake::{Intake, IntakeContext};
use judge::{JudgeContext, Traits};
pub use parts::{Parts, Site};
use reload::Reloads;
use retry::Retries;
use run::{Part, Running, Tasks};
use shutdown::Failure;
use snapshots::SnapshotPlan;
use upkeep::Upkeep;

impl Parts {
    /// Starts every stage, the last first, so that nothing is read that cannot be taken on.
    ///
    /// # Errors
    /// When the log cannot be read or a thread cannot be started.
    pub async fn start(self) -> Result<Running, Failure> {
        let context = self.context();
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
        site.alarms.begin(&*log).await?;
        let mut tasks = Tasks::default();

        let stop_deliveries = tasks.deliver(self.sinks, &log, &site);
        let stop_alarms = tasks.say(&log, &site);

        let plan = self.snapshots;
        let (folds, in_force, store) = rebuild(context, engine, plan.as_ref()).await?;
        let passed = folds.passed();
        let (stop_folds, trimmable) = tasks.fold(folds, plan.zip(store), &site);

        let (out, steps) = mpsc::channel(APPEND_QUEUE_BATCHES);
        let breakers = Arc::new(Breakers::new(self.breaker, site.clone()));
        let context = judging(&in_force, &traits, &site);
        let retries = Retries::new(&self.log, &context);
        let queues = tasks.judge(&context, &out)?;
        drop(out);

        let context = IntakeContext {
            durable: log.finished().await?,
            accepted: accepted(&*log).await?,
            state,
            traits,
            breakers: Arc::clone(&breakers),
            site: site.clone(),
        };
        let intake = Arc::new(Intake::new(queues, context));
        let appender = Appender {
            log,
            intake: Arc::clone(&intake),
            ticks: in_force.ticks(),
            breakers: Arc::clone(&breakers),
            site: site.clone(),
        };
        tasks.spawn(Part::Appender, appender.run(steps));
        let reloads = Reloads {
            in_force,
            reload: self.reload,
            intake: Arc::clone(&intake),
            passed,
            site: site.clone(),
        };
        let stop_rules = tasks.look_after(reloads, retries);
        let upkeep = Upkeep {
            log: self.log,
            trimmable,
            site,
        };
        tasks.spawn(Part::Upkeep, upkeep.run(Arc::downgrade(&intake)));

        Running {
            tasks,
            intake,
            breakers,
            stop_rules,
            stop_sources: Arc::default(),
            stop_folds,
            stop_alarms,
            stop_deliveries,
        }
        .read(sources)
    }
}

impl Parts {
    /// What putting rules in force needs.
    fn context(&self) -> in_force::Context {
        in_force::Context {
            log: Arc::clone(&self.log),
            suppression: self.suppression,
            lateness: self.lateness,
            site: self.site.clone(),
        }
    }
}

/// What judges need.
fn judging(in_force: &InForce, traits: &Arc<Traits>, site: &Site) -> JudgeContext {
    JudgeContext {
        engine: in_force.engine(),
        traits: Arc::clone(traits),
        site: site.clone(),
    }
}

/// Gaps of sources that an operator accepted.
async fn accepted(log: &dyn Log) -> Result<BTreeSet<String>, ReadError> {
    let facts = log.facts(ACCEPTED).await?;
    Ok(facts.into_iter().map(|(key, _)| key).collect())
}

/// Folds the log from the snapshots on, or from its oldest record, and puts the rules in force behind
/// its end.
async fn rebuild(
    context: in_force::Context,
    engine: Arc<Engine>,
    plan: Option<&SnapshotPlan>,
) -> Result<(Folds, InForce, Option<SnapshotStore>), FoldError> {
    let log = Arc::<SqliteLog>::clone(&context.log);
    let site = context.site.clone();
    let definitions = fold::stored_definitions(&*log).await?;
    let store = match plan {
        Some(plan) => Some(plan.open(&*log, site.clock).await?),
        None => None,
    };
    let folds = match &store {
        Some(store) => Folds::restore(log, definitions, store, site).await?,
        None => Folds::rebuild(log, definitions, site).await?,
    };
    let in_force = InForce::begin(context, engine, &folds).await?;
    Ok((folds, in_force, store))
}

#[cfg(test)]
mod tests;
