//! The log in one SQLite file.
//!
//! `palisade.db` in the state directory holds all three streams, cursors and facts. One thread
//! writes: everything that waits becomes one transaction, durable when `COMMIT` returns
//! (`journal_mode=WAL`, `synchronous=FULL`). Who follows the end of a stream reads the newest rows
//! from memory; older ones come from a connection of its own.

mod alerts;
mod dead;
mod deployment;
mod lock;
mod reader;
mod repair;
mod retention;
mod schema;
mod shared;
mod writer;

use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use palisade_detect::time::Timestamp;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

pub use alerts::{AlertsReader, Found};
pub use dead::{ASKED, CHANGED_MAX, DeadEditor, DeadReader};
pub use deployment::Deployment;
pub use repair::{ACCEPTED, Damage, Plan, Repair, accepted_key};
pub use retention::{
    ALERTS_KEPT, BYTES_MAX, DEAD_KEPT, DEAD_KEPT_AT_LEAST, MATCHES_KEPT_AT_LEAST,
    MATCHES_KEPT_BEYOND, Retention, TRIM_ROWS, Trimmed, TrimmedEarly,
};

use self::lock::StateLock;
use self::reader::Reader;
use self::schema::{Ends, STREAMS};
use self::shared::Shared;
use self::writer::{Command, Reply, Writer};
use super::{Append, AppendError, Appended, Finished, Log, Pos, ReadError, Row, Stream};
use crate::clock::Clock;

/// Name of the database in the state directory.
const DB_FILE: &str = "palisade.db";

/// Commands that may wait for the writer.
const QUEUE_COMMANDS: usize = 1_024;

/// Shortest time between two transactions: a busy log commits in groups and spares the disk. Alerts are
/// waited for by somebody, and wait less.
pub const FLUSH: Duration = Duration::from_millis(20);

/// How long the writer waits for another program's lock before it tries again.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A write-ahead log is cut back to this size after it had to grow.
const WAL_BYTES_KEPT: u64 = 64 * 1024 * 1024;

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process runs on it.
    #[error("the state directory `{}` is in use by {holder}", dir.display())]
    Held {
        /// The state directory.
        dir: PathBuf,
        /// Who holds it: process id and host.
        holder: String,
    },
    /// It is on a network share.
    #[error(
        "the state directory `{}` is on a {kind} share, where a write-ahead log is not safe; \
         use a local disk or a block volume (`state.dir`)",
        dir.display()
    )]
    NetworkShare {
        /// The state directory.
        dir: PathBuf,
        /// The kind of file system.
        kind: &'static str,
    },
    /// The file system gave the same lock twice.
    #[error(
        "the file system of `{}` does not keep locks; use a local disk or a block volume \
         (`state.dir`)",
        dir.display()
    )]
    LocksLie {
        /// The state directory.
        dir: PathBuf,
    },
    /// The file system cannot hold a write-ahead log.
    #[error(
        "the file system of `{}` cannot hold a write-ahead log (SQLite offers `{mode}`); use a \
         local disk or a block volume (`state.dir`)",
        dir.display()
    )]
    NoWal {
        /// The state directory.
        dir: PathBuf,
        /// The journal mode that is possible.
        mode: String,
    },
    /// The database was written by another version.
    #[error("the log has version {found}; this program knows version {known}")]
    Version {
        /// The version found.
        found: i64,
        /// The version that this program writes.
        known: i64,
    },
    /// Records that should be there are gone (`state_gap`).
    #[error("state_gap: {stream:?} should hold the records {from}..{to}, and does not")]
    Gap {
        /// The stream.
        stream: Stream,
        /// Oldest position that should be there.
        from: Pos,
        /// Position after the newest that should be there.
        to: Pos,
    },
    /// The configuration does not fit what the state was written for.
    #[error("{message}")]
    Deployment {
        /// What differs, and what to do.
        message: String,
    },
    /// A file or directory cannot be used.
    #[error("cannot {what} `{}`", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The database cannot be used.
    #[error("the log's database cannot be used")]
    Database(#[from] rusqlite::Error),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// The log cannot be written.
    #[error("the log cannot be written")]
    Append(#[from] AppendError),
}

/// How a log is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Shortest time between two transactions without alerts; [`FLUSH`] unless a test wants another.
    pub flush: Duration,
    /// How long rows stay.
    pub retention: Retention,
    /// Cursors of the configured sinks: no alert at or above one of them is trimmed.
    pub alert_readers: Vec<String>,
    /// Gives rows their append time.
    pub clock: Clock,
}

impl Options {
    /// Defaults, with this clock.
    pub fn new(clock: Clock) -> Self {
        Self {
            flush: FLUSH,
            retention: Retention::default(),
            alert_readers: Vec::new(),
            clock,
        }
    }
}

/// The log of one process.
///
/// Dropping it waits for the transaction under way and gives the state directory back. What was not
/// answered for may then be in the log or not.
#[derive(Debug)]
pub struct SqliteLog {
    dir: PathBuf,
    queue: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
    reader: Arc<Mutex<Reader>>,
    shared: Arc<Shared>,
    epoch: u64,
    /// Device and inode of the database that was opened.
    file: (u64, u64),
    _lock: StateLock,
}

impl SqliteLog {
    /// Opens the log in `dir`, creates it where there is none, and fences whoever wrote before.
    /// Blocks for as long as the database takes to recover.
    ///
    /// # Errors
    /// When another process holds the directory, when its file system is not fit, or when the log
    /// is damaged.
    pub fn open(dir: &Path, options: Options) -> Result<Self, StateError> {
        lock::prepare(dir)?;
        let held = StateLock::take(dir)?;
        let path = dir.join(DB_FILE);
        lock::private_file(&path)?;
        let mut conn = Connection::open(&path)?;
        configure(&conn, dir)?;
        schema::create(&mut conn)?;
        lock::sync_dir(dir)?;
        let file = identity(&path).map_err(|error| lock::io("look at", &path, error))?;
        let epoch = schema::raise_epoch(&mut conn)?;
        let mut ends = [Ends { oldest: 1, next: 1 }; 3];
        for stream in STREAMS {
            ends[schema::number(stream)] = schema::checked_ends(&conn, stream)?;
        }
        writer::limit_size(&conn, &options.retention, 0)?;
        let reader = Arc::new(Mutex::new(Reader::open(dir)?));
        let shared = Arc::new(Shared::new(ends));
        let (queue, commands) = mpsc::channel(QUEUE_COMMANDS);
        let writer = Writer::new(conn, (epoch, ends), Arc::clone(&shared), options);
        let thread = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run(commands))
            .map_err(|error| lock::io("start the writer of", &path, error))?;
        Ok(Self {
            dir: dir.to_owned(),
            queue: Some(queue),
            thread: Some(thread),
            reader,
            shared,
            epoch,
            file,
            _lock: held,
        })
    }

    /// Whether no process has opened this log before.
    pub fn is_new(&self) -> bool {
        self.epoch == 1
    }

    /// Whether an append waits for space: sources pause, and the operator must act.
    pub fn storage_full(&self) -> watch::Receiver<bool> {
        self.shared.full().subscribe()
    }

    /// What went before its time since the log was opened, as `max_bytes` was reached.
    pub fn trimmed_early(&self) -> watch::Receiver<TrimmedEarly> {
        self.shared.trimmed_early().subscribe()
    }

    /// Bytes of the write-ahead log. It grows without bound while a foreign program keeps a read
    /// transaction open.
    pub fn wal_bytes(&self) -> u64 {
        let wal = self.dir.join(format!("{DB_FILE}-wal"));
        std::fs::metadata(wal).map_or(0, |meta| meta.len())
    }

    /// Where requests to try dead letters again stand, and if that is not `seen` some of those letters.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn asked_retries(&self, seen: Pos) -> Result<(Pos, Vec<Row>), ReadError> {
        self.query(move |reader| reader.asked_retries(seen)).await
    }

    /// From now on keeps matches for correlations whose longest timespan is `longest`; never shorter
    /// than before.
    pub fn keep_matches_for(&self, longest: Duration) {
        self.shared.keep_matches(Retention::matches_for(longest));
    }

    /// Trims what is older than its retention at `now`, in small steps between which appends go on.
    /// Alerts stay that a configured sink has not answered for, matches from `folded` on.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub async fn trim(&self, now: Timestamp, folded: Pos) -> Result<Trimmed, AppendError> {
        self.check_in_place()?;
        let mut total = Trimmed::default();
        loop {
            let step = self.ask(|reply| Command::Trim(now, folded, reply)).await?;
            total.add(step);
            if !step.more() {
                return Ok(total);
            }
        }
    }

    /// A database that was deleted or replaced takes writes as before, and none of them is there after
    /// the end of the process.
    fn check_in_place(&self) -> Result<(), AppendError> {
        let path = self.dir.join(DB_FILE);
        match identity(&path) {
            Ok(there) if there == self.file => Ok(()),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Ok(()),
            _ => {
                let message = format!("`{}` was deleted or replaced while in use", path.display());
                Err(AppendError::Broken(message.into()))
            }
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, AppendError> {
        let gone = || AppendError::Broken("the log's writer has stopped".into());
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let reader = Arc::clone(&self.reader);
        tokio::task::spawn_blocking(move || {
            query(&reader.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
        .map_err(|error| ReadError::Broken(Box::new(error)))?
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the log's writer panicked");
        }
    }
}

/// Which file a path leads to.
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    let meta = std::fs::metadata(path)?;
    Ok((meta.dev(), meta.ino()))
}

fn configure(conn: &Connection, dir: &Path) -> Result<(), StateError> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StateError::NoWal {
            dir: dir.to_owned(),
            mode,
        });
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    // SQLite's own answer to a changed setting is a row; it is not needed.
    let limit = format!("PRAGMA journal_size_limit = {WAL_BYTES_KEPT}");
    conn.query_row(&limit, [], |_| Ok(()))?;
    Ok(())
}

#[async_trait::async_trait]
impl Log for SqliteLog {
    async fn append(&self, step: Append) -> Result<Appended, AppendError> {
        self.ask(|reply| Command::Append(step, reply)).await
    }

    async fn read(&self, stream: Stream, from: Pos, limit: usize) -> Result<Vec<Row>, ReadError> {
        let ends = self.shared.ends(stream);
        if from < ends.oldest {
            return Err(ReadError::Gap {
                stream,
                from,
                to: ends.oldest,
            });
        }
        if let Some(rows) = self.shared.recent(stream, from, limit) {
            return Ok(rows);
        }
        self.query(move |reader| reader.rows(stream, from, limit, ends))
            .await
    }

    async fn bounds(&self, stream: Stream) -> Result<Range<Pos>, ReadError> {
        let ends = self.shared.ends(stream);
        Ok(ends.oldest..ends.next)
    }

    fn watch(&self, stream: Stream) -> watch::Receiver<Pos> {
        self.shared.watch(stream)
    }

    async fn cursor(&self, name: &str) -> Result<Pos, ReadError> {
        let name = name.to_owned();
        self.query(move |reader| reader.cursor(&name)).await
    }

    async fn move_cursor(&self, name: &str, to: Pos) -> Result<(), AppendError> {
        self.ask(|reply| Command::Cursor(name.to_owned(), to, reply))
            .await
    }

    async fn finished(&self) -> Result<Vec<Finished>, ReadError> {
        self.query(Reader::finished).await
    }

    async fn emitted(&self) -> Result<Vec<(u32, Pos)>, ReadError> {
        self.query(Reader::emitted).await
    }

    async fn put_fact(&self, key: &str, body: Bytes) -> Result<(), AppendError> {
        self.ask(|reply| Command::Fact(key.to_owned(), body, reply))
            .await
    }

    async fn facts(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, ReadError> {
        let prefix = prefix.to_owned();
        self.query(move |reader| reader.facts(&prefix)).await
    }
}

#[cfg(test)]
mod tests;
