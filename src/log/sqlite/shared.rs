//! What the writer tells everybody else, without the database: ends, newest rows, state of the disk.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::retention::TrimmedEarly;
use super::schema::{Ends, STREAMS, number};
use crate::log::{Pos, Row, Stream};

/// Most body bytes of each stream's newest rows kept in memory, so that those who follow the end
/// read no disk. Smaller costs reads when a follower is briefly behind.
const RECENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most rows kept in memory, whatever their size.
const RECENT_ROWS_MAX: usize = 50_000;

/// What the writer publishes after each commit.
#[derive(Debug)]
pub(super) struct Shared {
    streams: [Mutex<Published>; 3],
    next: [watch::Sender<Pos>; 3],
    full: watch::Sender<bool>,
    early: watch::Sender<TrimmedEarly>,
    /// Seconds that matches stay at least, beyond what was configured.
    matches_kept: AtomicU64,
}

#[derive(Debug)]
struct Published {
    ends: Ends,
    recent: VecDeque<Row>,
    bytes: usize,
}

impl Shared {
    pub(super) fn new(ends: [Ends; 3]) -> Self {
        let published = |ends| {
            Mutex::new(Published {
                ends,
                recent: VecDeque::new(),
                bytes: 0,
            })
        };
        Self {
            streams: ends.map(published),
            next: ends.map(|ends| watch::Sender::new(ends.next)),
            full: watch::Sender::new(false),
            early: watch::Sender::default(),
            matches_kept: AtomicU64::new(0),
        }
    }

    pub(super) fn ends(&self, stream: Stream) -> Ends {
        self.lock(stream).ends
    }

    pub(super) fn watch(&self, stream: Stream) -> watch::Receiver<Pos> {
        self.next[number(stream)].subscribe()
    }

    /// How long matches stay at least, beyond what was configured.
    pub(super) fn matches_kept(&self) -> Duration {
        Duration::from_secs(self.matches_kept.load(Ordering::Relaxed))
    }

    /// Keeps matches for this long; never shorter than before.
    pub(super) fn keep_matches(&self, kept: Duration) {
        self.matches_kept
            .fetch_max(kept.as_secs(), Ordering::Relaxed);
    }

    pub(super) fn full(&self) -> &watch::Sender<bool> {
        &self.full
    }

    /// Rows went before their time.
    pub(super) fn trimmed_early(&self) -> &watch::Sender<TrimmedEarly> {
        &self.early
    }

    /// Up to `limit` rows from `from` on, if memory holds the first of them.
    pub(super) fn recent(&self, stream: Stream, from: Pos, limit: usize) -> Option<Vec<Row>> {
        let published = self.lock(stream);
        if from >= published.ends.next {
            return Some(Vec::new());
        }
        let first = published.recent.front()?.pos;
        let skip = usize::try_from(from.checked_sub(first)?).ok()?;
        Some(
            published
                .recent
                .iter()
                .skip(skip)
                .take(limit)
                .cloned()
                .collect(),
        )
    }

    /// Rows in the middle of a stream have changed: what is asked for comes from the database.
    pub(super) fn forget(&self, stream: Stream) {
        let mut published = self.lock(stream);
        published.recent.clear();
        published.bytes = 0;
    }

    /// Rows have become durable.
    pub(super) fn add(&self, stream: Stream, rows: impl Iterator<Item = Row>) {
        let mut published = self.lock(stream);
        let before = published.ends.next;
        for row in rows {
            published.ends.next = row.pos + 1;
            published.bytes += row.body.len();
            published.recent.push_back(row);
        }
        while published.bytes > RECENT_BYTES_MAX || published.recent.len() > RECENT_ROWS_MAX {
            let Some(dropped) = published.recent.pop_front() else {
                break;
            };
            published.bytes -= dropped.body.len();
        }
        let next = published.ends.next;
        drop(published);
        if next != before {
            self.next[number(stream)].send_replace(next);
        }
    }

    /// Rows below `oldest` are gone.
    pub(super) fn trimmed(&self, oldest: [Pos; 3]) {
        for stream in STREAMS {
            let mut published = self.lock(stream);
            published.ends.oldest = oldest[number(stream)];
            while published
                .recent
                .front()
                .is_some_and(|row| row.pos < published.ends.oldest)
            {
                let dropped = published.recent.pop_front().map_or(0, |row| row.body.len());
                published.bytes -= dropped;
            }
        }
    }

    fn lock(&self, stream: Stream) -> MutexGuard<'_, Published> {
        self.streams[number(stream)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
