//! The one primitive: an append-only log, used for matches, alerts and dead letters.
//!
//! One implementation stands behind the trait, SQLite in one file; Kafka topics can be another.

pub mod sqlite;

use std::ops::Range;

use bytes::Bytes;

/// Position in one stream of the log; the first record has position 1.
pub type Pos = u64;

/// The three streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Matches and ticks for the correlation folds; records carry a key partition.
    Matches,
    /// Canonical alerts.
    Alerts,
    /// Records and alerts that cannot go on, with their reason.
    Dead,
}

/// How far a source partition's outputs are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Source name.
    pub source: String,
    /// Incarnation of the topic.
    pub incarnation: u32,
    /// Partition.
    pub partition: u32,
    /// Next offset to read: everything below has its outputs in the log.
    pub offset: i64,
}

/// One durable step: all of it is durable together, or none of it.
#[derive(Debug, Clone, Default)]
pub struct Append {
    /// Records for key partitions; [`BROADCAST`] reaches all of them.
    pub matches: Vec<(u32, Bytes)>,
    /// Alerts: id and canonical JSON.
    pub alerts: Vec<AlertRow>,
    /// Dead letters as JSON.
    pub dead: Vec<Bytes>,
    /// How far sources have come with this step.
    pub finished: Vec<Finished>,
    /// Per key partition, the position up to which the fold's outputs are durable with this step.
    pub emitted: Vec<(u32, Pos)>,
    /// Dead letters with what takes their place; nothing: they are settled, and their row is empty.
    pub settled: Vec<(Pos, Bytes)>,
}

impl Append {
    /// Adds another step behind this one; both are then durable together.
    ///
    /// `finished` and `emitted` are joined as they are: the log takes the last entry of a partition.
    pub fn join(&mut self, mut other: Self) {
        self.matches.append(&mut other.matches);
        self.alerts.append(&mut other.alerts);
        self.dead.append(&mut other.dead);
        self.finished.append(&mut other.finished);
        self.emitted.append(&mut other.emitted);
        self.settled.append(&mut other.settled);
    }

    /// Bytes of the bodies in it.
    pub fn bytes(&self) -> usize {
        let matches: usize = self.matches.iter().map(|(_, body)| body.len()).sum();
        let alerts: usize = self.alerts.iter().map(|alert| alert.body.len()).sum();
        let dead: usize = self.dead.iter().map(Bytes::len).sum();
        let settled: usize = self.settled.iter().map(|(_, body)| body.len()).sum();
        matches + alerts + dead + settled
    }

    /// Whether the step would change nothing.
    pub fn is_empty(&self) -> bool {
        self.matches.is_empty()
            && self.alerts.is_empty()
            && self.dead.is_empty()
            && self.finished.is_empty()
            && self.emitted.is_empty()
            && self.settled.is_empty()
    }
}

/// Key partition of a record that every fold reads.
pub const BROADCAST: u32 = u32::MAX;

/// An alert to append.
#[derive(Debug, Clone)]
pub struct AlertRow {
    /// The alert's id. A second append of the same id is another row: repeats are recognised by
    /// their id, not refused.
    pub alert_id: String,
    /// Canonical JSON on one line.
    pub body: Bytes,
}

/// Where an append ended up; empty ranges where it held nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Appended {
    /// Positions of the matches.
    pub matches: Range<Pos>,
    /// Positions of the alerts.
    pub alerts: Range<Pos>,
    /// Positions of the dead letters.
    pub dead: Range<Pos>,
}

/// One record read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its position.
    pub pos: Pos,
    /// Its key partition; 0 outside the matches stream.
    pub part: u32,
    /// Its bytes.
    pub body: Bytes,
}

/// Why an append did not happen, or may not have.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another process has taken over the log; stop.
    #[error("another process has taken over the state directory")]
    Fenced,
    /// Other bytes stand under the key of a fact already; nothing was changed.
    #[error("the fact `{key}` stands in the log with other content")]
    Conflict {
        /// The fact's key.
        key: String,
    },
    /// The log is damaged or gone; stop.
    #[error("the log cannot be written")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Records that should be there are gone or damaged (`state_gap`).
    #[error("{stream:?} records {from}..{to} are missing or damaged")]
    Gap {
        /// The stream.
        stream: Stream,
        /// First position affected.
        from: Pos,
        /// First position after the gap.
        to: Pos,
    },
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An append-only log of three streams with cursors.
#[async_trait::async_trait]
pub trait Log: Send + Sync {
    /// Resolves when the step is durable. Steps become durable in the order of the calls. A full
    /// disk is waited for and is no error: the caller's queue fills, the sources pause.
    ///
    /// # Errors
    /// When the log is lost to this process; nothing may then be assumed about the step.
    async fn append(&self, step: Append) -> Result<Appended, AppendError>;

    /// Up to `limit` records of a stream from `from` on, in order, without holes; fewer where they
    /// are large. None means that `from` is the end.
    ///
    /// # Errors
    /// When a record is missing or damaged.
    async fn read(&self, stream: Stream, from: Pos, limit: usize) -> Result<Vec<Row>, ReadError>;

    /// Oldest position held and the position after the newest.
    ///
    /// # Errors
    /// When the log cannot be read.
    async fn bounds(&self, stream: Stream) -> Result<Range<Pos>, ReadError>;

    /// The position after the newest durable record; wakes whoever waits for it.
    fn watch(&self, stream: Stream) -> tokio::sync::watch::Receiver<Pos>;

    /// A named cursor: the next position its owner has not answered for; 1 if it never moved.
    ///
    /// # Errors
    /// When the log cannot be read.
    async fn cursor(&self, name: &str) -> Result<Pos, ReadError>;

    /// Moves a cursor forward, in its own transaction.
    ///
    /// # Errors
    /// When the log is lost to this process.
    async fn move_cursor(&self, name: &str, to: Pos) -> Result<(), AppendError>;

    /// How far each source partition's outputs are durable.
    ///
    /// # Errors
    /// When the log cannot be read.
    async fn finished(&self) -> Result<Vec<Finished>, ReadError>;

    /// Per key partition, the position up to which the fold's outputs are durable.
    ///
    /// # Errors
    /// When the log cannot be read.
    async fn emitted(&self) -> Result<Vec<(u32, Pos)>, ReadError>;

    /// Stores a fact under a key, once; storing the same bytes again is no error.
    ///
    /// # Errors
    /// When other bytes stand under the key, or the log is lost to this process.
    async fn put_fact(&self, key: &str, body: Bytes) -> Result<(), AppendError>;

    /// All facts whose key begins with `prefix`, by key.
    ///
    /// # Errors
    /// When the log cannot be read.
    async fn facts(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, ReadError>;
}
