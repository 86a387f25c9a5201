//! How long rows stay, and how they go.
//!
//! Alerts never go above the cursor of a sink that is configured; matches never above the position
//! that the folds have read. The cursor of a sink that was taken out of the configuration holds
//! nothing back.

use std::ops::Range;
use std::time::Duration;

use palisade_detect::time::{Span, Timestamp};
use rusqlite::Transaction;

use super::Options;
use super::reader::cursor;
use super::schema::{Ends, number, signed, table, unsigned};
use crate::log::{Pos, Stream};

/// Most rows of a stream that one transaction trims, so that appends wait for milliseconds only.
pub const TRIM_ROWS: u64 = 10_000;

/// How long delivered alerts stay.
pub const ALERTS_KEPT: Duration = Duration::from_hours(30 * 24);

/// How long dead letters stay.
pub const DEAD_KEPT: Duration = Duration::from_hours(30 * 24);

/// How long dead letters stay even when `max_bytes` is reached: a day to look at them.
pub const DEAD_KEPT_AT_LEAST: Duration = Duration::from_hours(24);

/// How long matches stay at least, so that a correlation can be looked into.
pub const MATCHES_KEPT_AT_LEAST: Duration = Duration::from_hours(7 * 24);

/// How long matches stay beyond the longest timespan.
pub const MATCHES_KEPT_BEYOND: Duration = Duration::from_hours(24);

/// Size of the database at which rows go before their time, and then appends wait. Smaller saves
/// disk; too small stops the sources when a sink is down for long.
pub const BYTES_MAX: u64 = 20 * 1024 * 1024 * 1024;

/// How long rows stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Delivered alerts.
    pub alerts: Duration,
    /// Dead letters.
    pub dead: Duration,
    /// Matches; see [`Retention::matches_for`].
    pub matches: Duration,
    /// Most bytes of the database. The write-ahead log comes on top, a few MiB as a rule.
    pub max_bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            alerts: ALERTS_KEPT,
            dead: DEAD_KEPT,
            matches: MATCHES_KEPT_AT_LEAST,
            max_bytes: BYTES_MAX,
        }
    }
}

impl Retention {
    /// How long matches must stay for correlations whose longest timespan is `longest`.
    pub fn matches_for(longest: Duration) -> Duration {
        longest
            .saturating_add(MATCHES_KEPT_BEYOND)
            .max(MATCHES_KEPT_AT_LEAST)
    }
}

/// How many rows went, by stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trimmed {
    /// Matches.
    pub matches: u64,
    /// Alerts.
    pub alerts: u64,
    /// Dead letters.
    pub dead: u64,
}

impl Trimmed {
    /// Whether nothing went.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a stream reached [`TRIM_ROWS`], so that more may have to go.
    pub(super) fn more(&self) -> bool {
        [self.matches, self.alerts, self.dead].contains(&TRIM_ROWS)
    }

    pub(super) fn add(&mut self, other: Self) {
        self.matches += other.matches;
        self.alerts += other.alerts;
        self.dead += other.dead;
    }
}

/// Positions whose rows went before their time, since the log was opened: `max_bytes` was reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrimmedEarly {
    /// Delivered alerts.
    pub alerts: Range<Pos>,
    /// Dead letters.
    pub dead: Range<Pos>,
}

impl TrimmedEarly {
    /// Adds what went between two states of the ends.
    pub(super) fn add(&mut self, before: &[Ends; 3], after: &[Ends; 3]) {
        let grow = |range: &mut Range<Pos>, stream| {
            let (from, to) = (before[number(stream)].oldest, after[number(stream)].oldest);
            if range.is_empty() {
                range.start = from;
            }
            range.end = to;
        };
        grow(&mut self.alerts, Stream::Alerts);
        grow(&mut self.dead, Stream::Dead);
    }
}

/// Why rows go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Due {
    /// They are old enough.
    Aged {
        now: Timestamp,
        folded: Pos,
        /// How long matches stay at least.
        matches: Duration,
    },
    /// `max_bytes` is reached.
    Space { now: Timestamp },
}

/// One small step of trimming; `ends` moves with it.
pub(super) fn trim(
    tx: &Transaction<'_>,
    due: Due,
    options: &Options,
    ends: &mut [Ends; 3],
) -> rusqlite::Result<Trimmed> {
    let retention = &options.retention;
    let delivered = delivered(tx, options)?;
    let mut stream =
        |stream, cutoff, limit| trim_stream(tx, stream, cutoff, limit, &mut ends[number(stream)]);
    match due {
        Due::Aged {
            now,
            folded,
            matches,
        } => Ok(Trimmed {
            matches: stream(
                Stream::Matches,
                before(now, retention.matches.max(matches)),
                folded,
            )?,
            alerts: stream(Stream::Alerts, before(now, retention.alerts), delivered)?,
            dead: stream(Stream::Dead, before(now, retention.dead), Pos::MAX)?,
        }),
        Due::Space { now } => Ok(Trimmed {
            matches: 0,
            alerts: stream(Stream::Alerts, Timestamp::MAX, delivered)?,
            dead: stream(Stream::Dead, before(now, DEAD_KEPT_AT_LEAST), Pos::MAX)?,
        }),
    }
}

/// The lowest cursor of the configured sinks.
fn delivered(tx: &Transaction<'_>, options: &Options) -> rusqlite::Result<Pos> {
    let mut lowest = Pos::MAX;
    for name in &options.alert_readers {
        lowest = lowest.min(cursor(tx, name)?);
    }
    Ok(lowest)
}

fn before(now: Timestamp, kept: Duration) -> Timestamp {
    let seconds = i64::try_from(kept.as_secs()).unwrap_or(i64::MAX);
    now.minus(Span::from_seconds(seconds))
}

/// Deletes rows appended before `cutoff`, below `limit`, at most [`TRIM_ROWS`].
fn trim_stream(
    tx: &Transaction<'_>,
    stream: Stream,
    cutoff: Timestamp,
    limit: Pos,
    ends: &mut Ends,
) -> rusqlite::Result<u64> {
    let limit = limit.min(ends.next).min(ends.oldest + TRIM_ROWS);
    if limit <= ends.oldest {
        return Ok(0);
    }
    // Append times rise with positions unless the clock was set back: the first young row ends it.
    let sql = format!(
        "SELECT pos FROM {} WHERE pos >= ?1 AND pos < ?2 AND at >= ?3 ORDER BY pos LIMIT 1",
        table(stream)
    );
    let young: Option<i64> = rusqlite::OptionalExtension::optional(tx.query_row(
        &sql,
        (signed(ends.oldest), signed(limit), cutoff.ticks()),
        |row| row.get(0),
    ))?;
    let keep = match young {
        Some(pos) => unsigned(pos, "rows", || pos.to_string())?,
        None => limit,
    };
    tx.execute(
        &format!("DELETE FROM {} WHERE pos < ?1", table(stream)),
        [signed(keep)],
    )?;
    let trimmed = keep - ends.oldest;
    ends.oldest = keep;
    Ok(trimmed)
}
