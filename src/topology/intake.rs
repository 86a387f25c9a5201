//! The topology as sources see it: assignments, budgets, the queue to the judges, and what may be
//! committed. Called from the sources' own threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use palisade_detect::event::SourcePartition;
use palisade_detect::time::Timestamp;
use palisade_ingest::offset::{Outcome, Ticket, Tracker};
use palisade_ingest::source::{Assigned, Handler, RecordBatch, SourceError};
use tokio::sync::mpsc::Sender;

use crate::admin::Health;
use crate::clock::Clock;
use crate::log::Finished;
use crate::metrics::Metrics;

/// Payload bytes in flight over all partitions at which sources stop reading.
///
/// Larger hides longer stalls of the disk; the process's memory grows by about as much.
pub const IN_FLIGHT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How long a revoked partition waits for its records in flight; less than a session time-out.
pub const DRAIN: Duration = Duration::from_secs(5);

/// Records of one partition on their way to a judge, each with its ticket.
#[derive(Debug)]
pub struct Work {
    /// The batch as the source gave it.
    pub batch: RecordBatch,
    /// One ticket a record, in order.
    pub tickets: Vec<Ticket>,
}

/// One assigned partition.
struct Partition {
    at: Arc<Assigned>,
    tracker: Tracker,
    /// Highest append time whose outputs are durable.
    append_time: Option<Timestamp>,
    /// The last explicit look at the end: (end offset, append time that it vouches for).
    observed: Option<(i64, Timestamp)>,
}

/// What the ticker says of one partition.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The partition.
    pub at: Arc<Assigned>,
    /// Next offset: everything below is durable.
    pub upto: i64,
    /// Append time up to which everything is durable.
    pub append_time: Timestamp,
}

/// The one [`Handler`] of a process.
pub struct Intake {
    partitions: Mutex<BTreeMap<u64, Partition>>,
    /// Signalled whenever a ticket is finished.
    finished: Condvar,
    judges: Vec<Sender<Work>>,
    durable: BTreeMap<SourcePartition, i64>,
    in_flight: AtomicU64,
    clock: Clock,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

impl Intake {
    /// An intake that feeds `judges`; `durable` is what the log says was finished.
    pub fn new(
        judges: Vec<Sender<Work>>,
        durable: Vec<Finished>,
        clock: Clock,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let durable = durable
            .into_iter()
            .map(|row| {
                let at = SourcePartition {
                    source: Arc::from(row.source.as_str()),
                    incarnation: row.incarnation,
                    partition: row.partition,
                };
                (at, row.offset)
            })
            .collect();
        Self {
            partitions: Mutex::default(),
            finished: Condvar::new(),
            judges,
            durable,
            in_flight: AtomicU64::new(0),
            clock,
            health,
            metrics,
        }
    }

    /// The outputs of a batch are durable: finishes its tickets.
    pub fn done(&self, at: &Assigned, tickets: Vec<(Ticket, Outcome)>, newest: Option<Timestamp>) {
        let mut bytes = 0;
        let mut partitions = self.lock();
        // A partition revoked in the meantime has no tracker left to tell: its records come again.
        let partition = partitions.get_mut(&at.generation);
        if let Some(partition) = partition {
            for (ticket, outcome) in tickets {
                bytes += ticket.bytes();
                partition.tracker.finish(ticket, outcome);
            }
            partition.append_time = partition.append_time.max(newest);
        } else {
            bytes = tickets.iter().map(|(ticket, _)| ticket.bytes()).sum();
        }
        drop(partitions);
        self.in_flight.fetch_sub(bytes, Ordering::Relaxed);
        self.finished.notify_all();
    }

    /// How far each assigned partition has come, for a tick.
    pub fn progress(&self) -> Vec<Progress> {
        let partitions = self.lock();
        partitions
            .values()
            .filter_map(|partition| {
                let upto = partition.tracker.committable()?;
                let idle = partition.observed.filter(|(end, _)| *end == upto).map(|(_, time)| time);
                let append_time = partition.append_time.max(idle)?;
                Some(Progress { at: Arc::clone(&partition.at), upto, append_time })
            })
            .collect()
    }

    /// Payload bytes in flight.
    pub fn in_flight_bytes(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Partition>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
