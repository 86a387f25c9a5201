//! Where records enter: the contract between a source and the topology.
//!
//! A source runs on a thread of its own, hands batches to a [`Handler`] and is told through
//! [`Handler::committable`] which offsets may be committed. Contract:
//!
//! 1. For each partition the source calls [`Handler::assigned`] once, then [`Handler::begins`] once,
//!    then [`Handler::batch`] in offset order, then [`Handler::revoked`] once; each assignment has a
//!    new generation.
//! 2. `batch` may block: that is back-pressure. A source that must keep polling (Kafka) pauses the
//!    partition while [`Handler::ready`] says no and offers the batch later.
//! 3. A source commits for a partition only what [`Handler::committable`] says for the same
//!    generation, at most once a second, on revoke and at shutdown.
//! 4. `revoked` waits, bounded, until in-flight records are finished or the bound has passed, so
//!    that what is committable after it is as much as can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use palisade_detect::time::Timestamp;

pub mod file;
pub mod kafka;

/// One broker message, or one document of a file.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its number in the partition.
    pub offset: i64,
    /// The payload; `None` for a tombstone.
    pub payload: Option<Bytes>,
    /// The broker's append time (`LogAppendTime`), if it says one.
    pub broker_time: Option<Timestamp>,
    /// `broker_time`, else the time of receipt.
    pub append_time: Timestamp,
}

/// One partition of a source while it is assigned to this process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Assigned {
    /// The source's name in the configuration: its traits, its metrics, its health.
    pub name: Arc<str>,
    /// The source as ids name it: `name`, or `name/topic` if the source reads several topics, or
    /// a file's path.
    pub source: Arc<str>,
    /// The topic or path; shown to people.
    pub topic: Arc<str>,
    /// The partition as ids name it: unique within `source`.
    pub partition: u32,
    /// Raised when the topic was created anew.
    pub incarnation: u32,
    /// A number never used before by this process: results of an earlier assignment of the same
    /// partition never touch the commit of a later one.
    pub generation: u64,
    /// Partitions that the source has in all.
    pub partitions_total: u32,
}

/// Records of one assigned partition, in offset order.
#[derive(Debug)]
pub struct RecordBatch {
    /// Where they come from.
    pub from: Arc<Assigned>,
    /// The records; not empty.
    pub records: Vec<Record>,
}

/// The topology as a source sees it. Called from the source's thread.
pub trait Handler: Send + Sync {
    /// A partition begins. Returns the offset from which to read on, if the topology knows more
    /// than the broker's commit `committed` (the durable `finished` of a killed process).
    ///
    /// # Errors
    /// When reading on would break a promise (the log lost its end); the source stops.
    fn assigned(
        &self,
        at: &Arc<Assigned>,
        committed: Option<i64>,
    ) -> Result<Option<i64>, SourceError>;
    /// Reading begins at `position`: what is below it is nobody's, so that it becomes committable
    /// before the first record. Called once between `assigned` and the first `batch`.
    fn begins(&self, at: &Arc<Assigned>, position: i64) {
        let _ = (at, position);
    }
    /// The records `from` to `to` were removed at the source before they were read. Whether reading may
    /// go on behind them, which is then said before anything is read. Called between `assigned` and
    /// `begins`.
    fn gap(&self, at: &Arc<Assigned>, from: i64, to: i64) -> bool {
        let _ = (at, from, to);
        false
    }
    /// Whether the partition's in-flight budget has room.
    fn ready(&self, at: &Arc<Assigned>) -> bool;
    /// Takes a batch; blocks while the queue behind it is full.
    fn batch(&self, batch: RecordBatch);
    /// The end of the contiguous finished prefix: the next offset to read after a restart. `None`
    /// until the log knows of the partition.
    fn committable(&self, at: &Arc<Assigned>) -> Option<i64>;
    /// The partition ends; waits up to the drain time for its records in flight.
    fn revoked(&self, at: &Arc<Assigned>);
    /// The newest offset the broker holds (exclusive) was asked for explicitly and is `end`; the
    /// newest append time read from it, moved on by the monotonic clock since, is `time`.
    fn observed_end(&self, at: &Arc<Assigned>, end: i64, time: Option<Timestamp>);
    /// What the source is waiting for (a broker that is down), or `None` when it works.
    fn waiting(&self, source: &str, reason: Option<String>);
    /// The wall clock at start plus the monotonic time since: the only clock a source may read.
    fn now(&self) -> Timestamp;
}

/// Why a source stops.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The client could not be built from the configuration.
    #[error("source `{source_name}`: cannot start the client")]
    Start {
        /// The source.
        source_name: String,
        /// The client's reason.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The position to read from is unknown or gone and needs a decision.
    #[error("source `{source_name}`, partition {partition}: {reason}")]
    Position {
        /// The source.
        source_name: String,
        /// The partition.
        partition: u32,
        /// What is unknown, and what to do.
        reason: String,
    },
    /// The client broke for good.
    #[error("source `{source_name}`: {reason}")]
    Fatal {
        /// The source.
        source_name: String,
        /// Why.
        reason: String,
    },
}

/// A source, ready to run.
pub trait Source: Send {
    /// Reads until `stop` is set or the input ends; returns when all partitions are revoked.
    ///
    /// # Errors
    /// When the source cannot go on. A broker that is down is waited for and is no error.
    fn run(
        self: Box<Self>,
        handler: Arc<dyn Handler>,
        stop: Arc<std::sync::atomic::AtomicBool>,
    ) -> Result<(), SourceError>;
}

/// A number for [`Assigned::generation`]: never given twice by this process.
pub fn next_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
