//! Reads from the database: rows, cursors, facts. All of it blocks; callers bring a thread.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row as SqlRow};

use super::schema::{Damaged, Ends, row_crc, signed, small_crc, table, unsigned};
use super::{DB_FILE, StateError, dead, schema};
use crate::log::{Finished, Pos, ReadError, Row, Stream};

/// Most body bytes of one read; it then ends early. At least one row is always read.
const READ_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Most dead letters that are tried again at a time; a letter has about 64 KiB at most.
const RETRIES_MAX: u32 = 100;

/// How long a read waits for the writer's locks, which it needs only while the log is recovered.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that only reads. Each call is a transaction of its own, so that no reader keeps the
/// write-ahead log from being folded back.
#[derive(Debug)]
pub(super) struct Reader {
    conn: Connection,
}

impl Reader {
    pub(super) fn open(dir: &Path) -> Result<Self, StateError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(dir.join(DB_FILE), flags)?;
        conn.busy_timeout(BUSY_TIMEOUT)?;
        Ok(Self { conn })
    }

    /// Up to `limit` rows from `from` on; `ends` is what the stream held when the read was asked for.
    pub(super) fn rows(
        &self,
        stream: Stream,
        from: Pos,
        limit: usize,
        ends: Ends,
    ) -> Result<Vec<Row>, ReadError> {
        let gap = |from, to| ReadError::Gap { stream, from, to };
        if from < ends.oldest {
            return Err(gap(from, ends.oldest));
        }
        let wanted = u64::try_from(limit).unwrap_or(u64::MAX);
        let upto = ends.next.min(from.saturating_add(wanted));
        let sql = format!(
            "SELECT pos, part, crc, body FROM {} WHERE pos >= ?1 AND pos < ?2 ORDER BY pos",
            table(stream)
        );
        let mut statement = self.conn.prepare(&sql).map_err(broken)?;
        let mut found = statement
            .query((signed(from), signed(upto)))
            .map_err(broken)?;
        let (mut rows, mut bytes, mut next) = (Vec::new(), 0, from);
        while next < upto {
            let Some(raw) = found.next().map_err(broken)? else {
                return Err(gap(next, upto));
            };
            match checked_row(raw) {
                Some(row) if row.pos == next => {
                    bytes += row.body.len();
                    rows.push(row);
                }
                Some(row) => return Err(gap(next, row.pos)),
                None => return Err(gap(next, next + 1)),
            }
            next += 1;
            if bytes >= READ_BYTES_MAX {
                break;
            }
        }
        Ok(rows)
    }

    pub(super) fn ends(&self, stream: Stream) -> Result<Ends, ReadError> {
        schema::read_ends(&self.conn, stream).map_err(broken)
    }

    /// The newest alerts in `from..upto` whose ids begin with `id`, newest first, at most `limit`
    /// rows of different ids.
    pub(super) fn alerts(
        &self,
        id: &str,
        range: std::ops::Range<Pos>,
        limit: usize,
    ) -> Result<Vec<(String, Row)>, ReadError> {
        let (from, to) = (range.start, range.end);
        let mut statement = self
            .conn
            .prepare(
                "SELECT pos, part, crc, body, id FROM alerts WHERE pos >= ?1 AND pos < ?2
                 AND substr(id, 1, length(?3)) = ?3 ORDER BY pos DESC",
            )
            .map_err(broken)?;
        let mut raws = statement
            .query((signed(from), signed(to), id))
            .map_err(broken)?;
        let mut found: Vec<(String, Row)> = Vec::new();
        while let Some(raw) = raws.next().map_err(broken)? {
            let id: String = raw.get(4).map_err(broken)?;
            if found.iter().any(|(known, _)| *known == id) {
                continue;
            }
            let gap = ReadError::Gap {
                stream: Stream::Alerts,
                from,
                to,
            };
            found.push((id, checked_row(raw).ok_or(gap)?));
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }

    /// Where the cursor of requests stands, and if that is not `seen`, dead letters that are to be tried
    /// again; not all, where they are many. Damaged ones are left out.
    pub(super) fn asked_retries(&self, seen: Pos) -> Result<(Pos, Vec<Row>), ReadError> {
        let now = self.cursor(dead::REQUESTS)?;
        if now == seen {
            return Ok((now, Vec::new()));
        }
        let read = || -> rusqlite::Result<Vec<Row>> {
            let mut statement = self.conn.prepare(
                "SELECT pos, part, crc, body FROM dead WHERE part = ?1 ORDER BY pos LIMIT ?2",
            )?;
            let rows =
                statement.query_map((dead::ASKED, RETRIES_MAX), |raw| Ok(checked_row(raw)))?;
            let rows: Vec<Option<Row>> = rows.collect::<rusqlite::Result<_>>()?;
            Ok(rows.into_iter().flatten().collect())
        };
        Ok((now, read().map_err(broken)?))
    }

    pub(super) fn cursor(&self, name: &str) -> Result<Pos, ReadError> {
        cursor(&self.conn, name).map_err(broken)
    }

    pub(super) fn finished(&self) -> Result<Vec<Finished>, ReadError> {
        let read = || -> rusqlite::Result<Vec<Finished>> {
            let mut statement = self.conn.prepare(
                "SELECT source, incarnation, part, offset, crc FROM finished ORDER BY 1, 2, 3",
            )?;
            let rows = statement.query_map([], |row| {
                let source: String = row.get(0)?;
                let (incarnation, partition, offset, crc) =
                    (row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, u32>(4)?);
                if crc != finished_crc(&source, incarnation, partition, offset) {
                    let row = format!("{source}/{incarnation}/{partition}");
                    return Err(Damaged {
                        table: "finished",
                        row,
                    }
                    .into());
                }
                Ok(Finished {
                    source,
                    incarnation,
                    partition,
                    offset,
                })
            })?;
            rows.collect()
        };
        read().map_err(broken)
    }

    pub(super) fn emitted(&self) -> Result<Vec<(u32, Pos)>, ReadError> {
        let read = || -> rusqlite::Result<Vec<(u32, Pos)>> {
            let mut statement = self
                .conn
                .prepare("SELECT part, pos, crc FROM emitted ORDER BY part")?;
            let rows = statement.query_map([], |row| {
                let (part, pos): (u32, i64) = (row.get(0)?, row.get(1)?);
                if row.get::<_, u32>(2)? != small_crc("emitted", &[i64::from(part), pos]) {
                    return Err(Damaged {
                        table: "emitted",
                        row: part.to_string(),
                    }
                    .into());
                }
                Ok((part, unsigned(pos, "emitted", || part.to_string())?))
            })?;
            rows.collect()
        };
        read().map_err(broken)
    }

    pub(super) fn facts(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, ReadError> {
        let read = || -> rusqlite::Result<Vec<(String, Bytes)>> {
            let mut statement = self
                .conn
                .prepare("SELECT key, crc, body FROM facts WHERE key >= ?1 ORDER BY key")?;
            let mut rows = statement.query([prefix])?;
            let mut facts = Vec::new();
            while let Some(row) = rows.next()? {
                let (key, crc, body): (String, u32, Vec<u8>) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                if !key.starts_with(prefix) {
                    break;
                }
                if crc != fact_crc(&key, &body) {
                    return Err(Damaged {
                        table: "facts",
                        row: key,
                    }
                    .into());
                }
                facts.push((key, Bytes::from(body)));
            }
            Ok(facts)
        };
        read().map_err(broken)
    }
}

/// A cursor's position, 1 if it never moved.
pub(super) fn cursor(conn: &Connection, name: &str) -> rusqlite::Result<Pos> {
    let found: Option<(i64, u32)> = conn
        .query_row(
            "SELECT pos, crc FROM cursors WHERE name = ?1",
            [name],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    match found {
        None => Ok(1),
        Some((pos, crc)) if crc == small_crc(name, &[pos]) => {
            Ok(unsigned(pos, "cursors", || name.to_owned())?)
        }
        Some(_) => Err(Damaged {
            table: "cursors",
            row: name.to_owned(),
        }
        .into()),
    }
}

pub(super) fn finished_crc(source: &str, incarnation: u32, partition: u32, offset: i64) -> u32 {
    small_crc(
        source,
        &[i64::from(incarnation), i64::from(partition), offset],
    )
}

pub(super) fn fact_crc(key: &str, body: &[u8]) -> u32 {
    crc32c::crc32c_append(small_crc(key, &[]), body)
}

/// The row, or `None` where its checksum or its types do not hold.
fn checked_row(raw: &SqlRow<'_>) -> Option<Row> {
    let (pos, part, crc): (i64, u32, u32) = (raw.get(0).ok()?, raw.get(1).ok()?, raw.get(2).ok()?);
    let pos = Pos::try_from(pos).ok()?;
    let body: Vec<u8> = raw.get(3).ok()?;
    let whole = crc == row_crc(pos, part, &body);
    whole.then(|| Row {
        pos,
        part,
        body: Bytes::from(body),
    })
}

pub(super) fn broken(error: rusqlite::Error) -> ReadError {
    ReadError::Broken(Box::new(error))
}
