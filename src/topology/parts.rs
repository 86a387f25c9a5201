//! What a process is made of, and what every stage may use.

use std::sync::Arc;

use palisade_detect::engine::Engine;
use palisade_detect::time::Span;
use palisade_ingest::source::Source;
use palisade_sinks::sink::Sink;

use super::alarms::Alarms;
use super::breaker;
use super::fold::Suppression;
use super::intake::StateAge;
use super::judge::Traits;
use super::reload::Reload;
use super::snapshots::SnapshotPlan;
use crate::admin::Health;
use crate::clock::Clock;
use crate::log::sqlite::SqliteLog;
use crate::metrics::Metrics;

/// What every stage may use: the time, and whom to tell.
#[derive(Clone)]
pub struct Site {
    /// The clock.
    pub clock: Clock,
    /// Who is ready.
    pub health: Arc<Health>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Where is said what an operator must know.
    pub alarms: Arc<Alarms>,
}

impl Default for Site {
    fn default() -> Self {
        let clock = Clock::start();
        let metrics: Arc<Metrics> = Arc::default();
        Self {
            clock,
            health: Arc::new(Health::new(clock)),
            alarms: Arc::new(Alarms::new(clock, Arc::clone(&metrics))),
            metrics,
        }
    }
}

/// What a process is made of: everything the configuration and the rules come to.
pub struct Parts {
    /// The rules.
    pub engine: Arc<Engine>,
    /// When the rules are loaded again; `None`: never.
    pub reload: Option<Reload>,
    /// Whether a correlation that fired stays silent for a while.
    pub suppression: Suppression,
    /// When dead letters stop a source.
    pub breaker: breaker::Limits,
    /// Allowed lateness of all correlations; `None`: each one's own.
    pub lateness: Option<Span>,
    /// What the configuration says of each source.
    pub traits: Arc<Traits>,
    /// How the folds' state is kept; `None`: the next start folds the whole log.
    pub snapshots: Option<SnapshotPlan>,
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
