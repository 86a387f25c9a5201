//! Tables, how rows are protected, and the start of a database.
//!
//! ```text
//! matches alerts dead   pos (dense, from 1) | part | at (append time) | crc | [id] | body
//! dead                  a settled letter has an empty body, one to be tried again part 1 (`dead.rs`)
//! streams               stream | oldest | next | crc      trimmed below oldest, written below next
//! cursors               name | pos | crc
//! finished              source | incarnation | partition | offset | crc
//! emitted               part | pos | crc
//! facts                 key | crc | body
//! epoch                 one row, raised by each process that opens the log for writing
//! ```
//!
//! SQLite has no page checksums by default and loses rows without an error when its write-ahead log
//! is cut. So every row carries a CRC-32C over what it says, positions are dense, and `streams`
//! says where they begin and end.

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use super::StateError;
use crate::log::{Pos, Stream};

/// Version of the tables; a database with another one is refused.
const VERSION: i64 = 1;

/// All streams, in the order of their numbers.
pub(super) const STREAMS: [Stream; 3] = [Stream::Matches, Stream::Alerts, Stream::Dead];

const TABLES: &str = "
CREATE TABLE matches (pos INTEGER PRIMARY KEY, part INTEGER NOT NULL, at INTEGER NOT NULL,
                      crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE alerts  (pos INTEGER PRIMARY KEY, part INTEGER NOT NULL, at INTEGER NOT NULL,
                      crc INTEGER NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE dead    (pos INTEGER PRIMARY KEY, part INTEGER NOT NULL, at INTEGER NOT NULL,
                      crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE streams (stream INTEGER PRIMARY KEY, oldest INTEGER NOT NULL, next INTEGER NOT NULL,
                      crc INTEGER NOT NULL);
CREATE TABLE cursors (name TEXT PRIMARY KEY, pos INTEGER NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE finished (source TEXT NOT NULL, incarnation INTEGER NOT NULL, part INTEGER NOT NULL,
                       offset INTEGER NOT NULL, crc INTEGER NOT NULL,
                       PRIMARY KEY (source, incarnation, part));
CREATE TABLE emitted (part INTEGER PRIMARY KEY, pos INTEGER NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE facts   (key TEXT PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE epoch   (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL,
                      crc INTEGER NOT NULL);
INSERT INTO epoch VALUES (1, 0, 0);
";

/// Begin and end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    /// Oldest position held.
    pub(super) oldest: Pos,
    /// Position of the next record.
    pub(super) next: Pos,
}

/// Place of a stream in arrays.
pub(super) fn number(stream: Stream) -> usize {
    match stream {
        Stream::Matches => 0,
        Stream::Alerts => 1,
        Stream::Dead => 2,
    }
}

/// Key of a stream in `streams`.
fn key(stream: Stream) -> i64 {
    match stream {
        Stream::Matches => 0,
        Stream::Alerts => 1,
        Stream::Dead => 2,
    }
}

/// Table of a stream.
pub(super) fn table(stream: Stream) -> &'static str {
    match stream {
        Stream::Matches => "matches",
        Stream::Alerts => "alerts",
        Stream::Dead => "dead",
    }
}

/// CRC-32C over a position, a key partition and a body.
pub(super) fn row_crc(pos: Pos, part: u32, body: &[u8]) -> u32 {
    let head = crc32c::crc32c(&pos.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(head, &part.to_le_bytes()), body)
}

/// CRC-32C over a text and numbers, each with its place.
pub(super) fn small_crc(text: &str, numbers: &[i64]) -> u32 {
    let head = crc32c::crc32c(text.as_bytes());
    numbers
        .iter()
        .fold(crc32c::crc32c_append(head, &[0xff]), |crc, number| {
            crc32c::crc32c_append(crc, &number.to_le_bytes())
        })
}

/// SQLite's integers are signed; positions and epochs never come near 2^63.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("positions and epochs stay below 2^63")
}

/// A damaged row, as an error of the database.
#[derive(Debug, thiserror::Error)]
#[error("the row `{row}` of table `{table}` is damaged")]
pub(super) struct Damaged {
    /// The table.
    pub(super) table: &'static str,
    /// What names the row.
    pub(super) row: String,
}

impl From<Damaged> for rusqlite::Error {
    fn from(damaged: Damaged) -> Self {
        Self::FromSqlConversionFailure(0, rusqlite::types::Type::Integer, Box::new(damaged))
    }
}

/// A number that cannot be negative, unless the row is damaged.
pub(super) fn unsigned(
    number: i64,
    table: &'static str,
    row: impl FnOnce() -> String,
) -> Result<u64, Damaged> {
    u64::try_from(number).map_err(|_| Damaged { table, row: row() })
}

/// Creates the tables, or refuses those of another version.
pub(super) fn create(conn: &mut Connection) -> Result<(), StateError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        0 => {
            tx.execute_batch(TABLES)?;
            for stream in STREAMS {
                write_ends(&tx, stream, Ends { oldest: 1, next: 1 })?;
            }
            tx.pragma_update(None, "user_version", VERSION)?;
        }
        VERSION => {}
        found => {
            return Err(StateError::Version {
                found,
                known: VERSION,
            });
        }
    }
    tx.commit()?;
    Ok(())
}

/// Raises the epoch and returns it: whoever wrote under an older one is fenced.
pub(super) fn raise_epoch(conn: &mut Connection) -> Result<u64, StateError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let epoch = read_epoch(&tx)? + 1;
    let crc = small_crc("epoch", &[signed(epoch)]);
    tx.execute(
        "UPDATE epoch SET epoch = ?1, crc = ?2 WHERE one = 1",
        (signed(epoch), crc),
    )?;
    tx.commit()?;
    Ok(epoch)
}

/// The epoch that the log is written under.
pub(super) fn read_epoch(conn: &Connection) -> rusqlite::Result<u64> {
    let (epoch, crc): (i64, u32) =
        conn.query_row("SELECT epoch, crc FROM epoch WHERE one = 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let damaged = || "epoch".to_owned();
    if epoch != 0 && crc != small_crc("epoch", &[epoch]) {
        return Err(Damaged {
            table: "epoch",
            row: damaged(),
        }
        .into());
    }
    Ok(unsigned(epoch, "epoch", damaged)?)
}

/// Begin and end of a stream, held against the rows that are there.
pub(super) fn checked_ends(conn: &Connection, stream: Stream) -> Result<Ends, StateError> {
    let ends = read_ends(conn, stream)?;
    let sql = format!("SELECT min(pos), max(pos) FROM {}", table(stream));
    let (min, max): (Option<i64>, Option<i64>) =
        conn.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let whole = match (min, max) {
        (Some(min), Some(max)) => min == signed(ends.oldest) && max + 1 == signed(ends.next),
        _ => ends.oldest == ends.next,
    };
    if whole {
        Ok(ends)
    } else {
        Err(StateError::Gap {
            stream,
            from: ends.oldest,
            to: ends.next,
        })
    }
}

/// Begin and end of a stream as written.
pub(super) fn read_ends(conn: &Connection, stream: Stream) -> rusqlite::Result<Ends> {
    let found: Option<(i64, i64, u32)> = conn
        .query_row(
            "SELECT oldest, next, crc FROM streams WHERE stream = ?1",
            [key(stream)],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let damaged = || table(stream).to_owned();
    match found {
        Some((oldest, next, crc)) if crc == small_crc(table(stream), &[oldest, next]) => Ok(Ends {
            oldest: unsigned(oldest, "streams", damaged)?,
            next: unsigned(next, "streams", damaged)?,
        }),
        _ => Err(Damaged {
            table: "streams",
            row: damaged(),
        }
        .into()),
    }
}

/// Writes where a stream begins and ends.
pub(super) fn write_ends(tx: &Transaction<'_>, stream: Stream, ends: Ends) -> rusqlite::Result<()> {
    let (oldest, next) = (signed(ends.oldest), signed(ends.next));
    tx.execute(
        "INSERT INTO streams VALUES (?1, ?2, ?3, ?4) ON CONFLICT (stream)
         DO UPDATE SET oldest = excluded.oldest, next = excluded.next, crc = excluded.crc",
        (
            key(stream),
            oldest,
            next,
            small_crc(table(stream), &[oldest, next]),
        ),
    )?;
    Ok(())
}
