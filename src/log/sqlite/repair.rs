//! What an operator decides about a log that is damaged: which parts of it are given up.
//!
//! Nothing here runs beside a process that holds the log. What is given up, and the alert that says so,
//! are one transaction; a database that cannot be read at all is put aside, never deleted.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use palisade_detect::matches::{self, Record, Tick};
use palisade_detect::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};

use super::lock::{self, StateLock};
use super::reader::{fact_crc, finished_crc};
use super::schema::{
    Ends, STREAMS, number, raise_epoch, read_ends, row_crc, signed, small_crc, table, write_ends,
};
use super::{BUSY_TIMEOUT, DB_FILE, StateError};
use crate::log::{AlertRow, BROADCAST, Finished, Pos, Stream};

/// Prefix of the facts that say which gaps of sources were accepted.
pub const ACCEPTED: &str = "accepted/gap/";

/// Most databases that are put aside in one directory.
const ASIDE_MAX: u32 = 100;

/// A state directory that no process runs on.
pub struct Repair {
    dir: PathBuf,
    conn: Connection,
    _lock: StateLock,
}

/// What is wrong with a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Rows that are missing or damaged, as ranges of positions.
    pub gaps: Vec<(Stream, Range<Pos>)>,
    /// Streams whose begin and end are not known any more.
    ends: Vec<Stream>,
    /// Where each stream begins and ends, as far as that can be told.
    held: [Range<Pos>; 3],
    /// Sinks whose cursors are damaged.
    pub cursors: Vec<String>,
    /// Source partitions whose durable position is damaged.
    pub finished: Vec<(String, u32, u32)>,
    /// Key partitions of which it is not known how far their alerts are durable.
    pub emitted: Vec<u32>,
    /// Keys of facts that are damaged.
    pub facts: Vec<String>,
}

impl Damage {
    /// Whether the log is whole.
    pub fn is_none(&self) -> bool {
        let Self {
            gaps,
            ends,
            held: _,
            cursors,
            finished,
            emitted,
            facts,
        } = self;
        gaps.is_empty()
            && ends.is_empty()
            && cursors.is_empty()
            && finished.is_empty()
            && emitted.is_empty()
            && facts.is_empty()
    }

    /// The positions that a stream holds.
    pub fn held(&self, stream: Stream) -> Range<Pos> {
        self.held[number(stream)].clone()
    }
}

/// One line for each part that would be given up, with what that costs.
impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (stream, Range { start, end }) in &self.gaps {
            let (what, cost) = match stream {
                Stream::Matches => ("matches", "correlations that needed them do not fire"),
                Stream::Alerts => ("alerts", "sinks that had not taken them never get them"),
                Stream::Dead => ("dead letters", "they cannot be tried again"),
            };
            writeln!(f, "{what} {start} to {end}: {cost}")?;
        }
        for stream in &self.ends {
            let held = self.held(*stream);
            let (name, start, end) = (table(*stream), held.start, held.end);
            writeln!(
                f,
                "where the {name} end: taken from what is there, {start} to {end}"
            )?;
        }
        for cursor in &self.cursors {
            writeln!(
                f,
                "the cursor `{cursor}`: all alerts held are delivered again, with the same ids"
            )?;
        }
        for (source, _, partition) in &self.finished {
            writeln!(
                f,
                "how far source `{source}`, partition {partition} is durable: `run` asks for the group's \
                 commit to be deleted, and reads it again"
            )?;
        }
        if !self.emitted.is_empty() {
            let parts = self.emitted.len();
            writeln!(
                f,
                "how far {parts} key partitions have spoken: the last alerts of correlations may be missing"
            )?;
        }
        for fact in &self.facts {
            writeln!(
                f,
                "the fact `{fact}`: windows of what it describes begin anew"
            )?;
        }
        Ok(())
    }
}

impl Repair {
    /// Takes the state directory, and opens its database without a look at what is in it.
    ///
    /// # Errors
    /// When a process runs on it, there is none, or it is no database.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join(DB_FILE);
        std::fs::metadata(&path).map_err(|error| lock::io("find the log", &path, error))?;
        let held = StateLock::take(dir)?;
        let conn = Connection::open(&path)?;
        conn.busy_timeout(BUSY_TIMEOUT)?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        Ok(Self {
            dir: dir.to_owned(),
            conn,
            _lock: held,
        })
    }

    /// Looks at every row. `step` is told how many were looked at.
    ///
    /// # Errors
    /// When the database cannot be read: only [`Repair::put_aside`] helps.
    pub fn examine(&self, step: &mut dyn FnMut(u64)) -> Result<Damage, StateError> {
        let mut damage = Damage::default();
        for stream in STREAMS {
            self.examine_stream(stream, &mut damage, step)?;
        }
        self.examine_rest(&mut damage)?;
        Ok(damage)
    }

    fn examine_stream(
        &self,
        stream: Stream,
        damage: &mut Damage,
        step: &mut dyn FnMut(u64),
    ) -> Result<(), StateError> {
        let known = read_ends(&self.conn, stream).ok();
        let sql = format!(
            "SELECT pos, part, crc, body FROM {} ORDER BY pos",
            table(stream)
        );
        let mut statement = self.conn.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut next = known.map(|ends| ends.oldest);
        let mut first = None;
        let mut gap = |from: Pos, to: Pos| match damage.gaps.last_mut() {
            Some((last, range)) if *last == stream && range.end == from => range.end = to,
            _ => damage.gaps.push((stream, from..to)),
        };
        let mut looked = 0;
        while let Some(row) = rows.next()? {
            let pos = Pos::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
            let (part, crc): (i64, i64) = (row.get(1)?, row.get(2)?);
            let body: Vec<u8> = row.get(3).unwrap_or_default();
            first.get_or_insert(pos);
            let due = *next.get_or_insert(pos);
            if pos > due {
                gap(due, pos);
            }
            let whole =
                u32::try_from(part).is_ok_and(|part| i64::from(row_crc(pos, part, &body)) == crc);
            if pos >= due && !whole {
                gap(pos, pos + 1);
            }
            next = Some(due.max(pos + 1));
            looked += 1;
            if looked % 1_000 == 0 {
                step(1_000);
            }
        }
        step(looked % 1_000);
        let seen = next.unwrap_or(1);
        let end = match known {
            Some(ends) if ends.next > seen => {
                gap(seen, ends.next);
                ends.next
            }
            Some(_) => seen,
            None => {
                damage.ends.push(stream);
                seen.max(self.named_end(stream)?)
            }
        };
        if known.is_none() && end > seen {
            damage.gaps.push((stream, seen..end));
        }
        let start = known.map_or(first.unwrap_or(seen), |ends| ends.oldest);
        damage.held[number(stream)] = start..end;
        Ok(())
    }

    /// The furthest position of a stream that anything else names: positions are never used twice.
    fn named_end(&self, stream: Stream) -> Result<Pos, StateError> {
        let sql = match stream {
            Stream::Matches => "SELECT max(pos) FROM emitted",
            Stream::Alerts => "SELECT max(pos) FROM cursors WHERE name LIKE 'sink/%'",
            Stream::Dead => return Ok(1),
        };
        let named: Option<i64> = self.conn.query_row(sql, [], |row| row.get(0))?;
        Ok(named.and_then(|pos| Pos::try_from(pos).ok()).unwrap_or(1))
    }

    fn examine_rest(&self, damage: &mut Damage) -> Result<(), StateError> {
        let mut statement = self.conn.prepare("SELECT name, pos, crc FROM cursors")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (name, pos, crc): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if i64::from(small_crc(&name, &[pos])) != crc {
                damage.cursors.push(name);
            }
        }
        let sql = "SELECT source, incarnation, part, offset, crc FROM finished";
        let mut statement = self.conn.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let at: (String, u32, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (offset, crc): (i64, i64) = (row.get(3)?, row.get(4)?);
            if i64::from(finished_crc(&at.0, at.1, at.2, offset)) != crc {
                damage.finished.push(at);
            }
        }
        let mut statement = self.conn.prepare("SELECT part, pos, crc FROM emitted")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (part, pos, crc): (u32, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if i64::from(small_crc("emitted", &[i64::from(part), pos])) != crc {
                damage.emitted.push(part);
            }
        }
        let mut statement = self.conn.prepare("SELECT key, crc, body FROM facts")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (key, crc): (String, i64) = (row.get(0)?, row.get(1)?);
            let body: Vec<u8> = row.get(2)?;
            if i64::from(fact_crc(&key, &body)) != crc {
                damage.facts.push(key);
            }
        }
        Ok(())
    }

    /// The fact under a key, if it is there and whole.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn fact(&self, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        let found: Option<(i64, Vec<u8>)> = self
            .conn
            .query_row("SELECT crc, body FROM facts WHERE key = ?1", [key], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let whole =
            |(crc, body): (i64, Vec<u8>)| (i64::from(fact_crc(key, &body)) == crc).then_some(body);
        Ok(found.and_then(whole))
    }

    /// How far the partitions of a source are durable, whatever its topics.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn finished(&self, source: &str) -> Result<Vec<Finished>, StateError> {
        let sql = "SELECT source, incarnation, part, offset, crc FROM finished ORDER BY 1, 2, 3";
        let mut statement = self.conn.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let one = Finished {
                source: row.get(0)?,
                incarnation: row.get(1)?,
                partition: row.get(2)?,
                offset: row.get(3)?,
            };
            let whole = finished_crc(&one.source, one.incarnation, one.partition, one.offset);
            let rest = one.source.strip_prefix(source);
            let is_of = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            if is_of && i64::from(whole) == row.get::<_, i64>(4)? {
                found.push(one);
            }
        }
        Ok(found)
    }

    /// Gives up what is damaged, and says so: all of it is durable, or nothing is changed.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn accept(&mut self, plan: &Plan<'_>) -> Result<(), StateError> {
        raise_epoch_or_begin(&mut self.conn)?;
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut ends = plan.damage.held.clone().map(|held| Ends {
            oldest: held.start,
            next: held.end,
        });
        if plan.matches_anew {
            tx.execute("DELETE FROM matches", [])?;
            let next = ends[number(Stream::Matches)].next;
            ends[number(Stream::Matches)].oldest = next;
        }
        for (stream, range) in &plan.damage.gaps {
            if !(plan.matches_anew && *stream == Stream::Matches) {
                fill(&tx, *stream, range.clone(), plan.now)?;
            }
        }
        mend_rest(&tx, plan, ends[number(Stream::Matches)].next)?;
        for finished in plan.accepted {
            accept_gap(&tx, finished)?;
        }
        for alert in &plan.alerts {
            let next = &mut ends[number(Stream::Alerts)].next;
            let crc = row_crc(*next, 0, &alert.body);
            tx.execute(
                "INSERT INTO alerts (pos, part, at, crc, body, id) VALUES (?1, 0, ?2, ?3, ?4, ?5)",
                (
                    signed(*next),
                    plan.now.ticks(),
                    crc,
                    &alert.body[..],
                    &alert.alert_id,
                ),
            )?;
            *next += 1;
        }
        for stream in STREAMS {
            write_ends(&tx, stream, ends[number(stream)])?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Puts the database aside under another name, which is returned: the next start begins a new one.
    ///
    /// # Errors
    /// When its files cannot be renamed.
    pub fn put_aside(dir: &Path) -> Result<PathBuf, StateError> {
        let _held = StateLock::take(dir)?;
        let names = (1..=ASIDE_MAX).map(|number| dir.join(format!("{DB_FILE}.damaged-{number}")));
        let aside = names.into_iter().find(|path| !path.exists());
        let aside = aside.ok_or_else(|| {
            let full = io::Error::other("too many databases were put aside; take some away");
            lock::io("put aside the log in", dir, full)
        })?;
        for suffix in ["-wal", "-shm", ""] {
            let from = dir.join(format!("{DB_FILE}{suffix}"));
            let to = PathBuf::from(format!("{}{suffix}", aside.display()));
            if from.exists() {
                std::fs::rename(&from, &to).map_err(|error| lock::io("rename", &from, error))?;
            }
        }
        lock::sync_dir(dir)?;
        Ok(aside)
    }

    /// The state directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// What is given up, and what is said of it.
#[derive(Debug)]
pub struct Plan<'a> {
    /// What is damaged.
    pub damage: &'a Damage,
    /// Whether all matches are given up.
    pub matches_anew: bool,
    /// Source partitions that may be read on behind a gap.
    pub accepted: &'a [Finished],
    /// Facts that hold no more.
    pub forgotten: &'a [&'a str],
    /// What is said of it.
    pub alerts: Vec<AlertRow>,
    /// When.
    pub now: Timestamp,
}

/// An epoch that is damaged begins anew; nobody writes under an old one, as the lock is held.
fn raise_epoch_or_begin(conn: &mut Connection) -> Result<(), StateError> {
    if raise_epoch(conn).is_err() {
        conn.execute(
            "INSERT INTO epoch VALUES (1, 1, ?1)
             ON CONFLICT (one) DO UPDATE SET epoch = epoch + 1, crc = ?1",
            [small_crc("epoch", &[1])],
        )?;
        let epoch: i64 = conn.query_row("SELECT epoch FROM epoch", [], |row| row.get(0))?;
        conn.execute("UPDATE epoch SET crc = ?1", [small_crc("epoch", &[epoch])])?;
    }
    Ok(())
}

/// Rows that say nothing, in place of those that are gone: an empty tick for the folds, nothing at all for
/// sinks and people.
fn fill(
    tx: &Transaction<'_>,
    stream: Stream,
    range: Range<Pos>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (part, body) = match stream {
        Stream::Matches => (
            BROADCAST,
            Bytes::from(matches::encode(&Record::tick(Tick { marks: Vec::new() }))),
        ),
        Stream::Alerts | Stream::Dead => (0, Bytes::new()),
    };
    let sql = match stream {
        Stream::Alerts => {
            "INSERT OR REPLACE INTO alerts (pos, part, at, crc, body, id) VALUES (?1, ?2, ?3, ?4, ?5, '')"
                .to_owned()
        }
        Stream::Matches | Stream::Dead => format!(
            "INSERT OR REPLACE INTO {} (pos, part, at, crc, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            table(stream)
        ),
    };
    let mut statement = tx.prepare(&sql)?;
    for pos in range {
        let crc = row_crc(pos, part, &body);
        statement.execute((signed(pos), part, now.ticks(), crc, &body[..]))?;
    }
    Ok(())
}

/// Takes out small rows that are damaged, and says how far the key partitions have spoken.
fn mend_rest(tx: &Transaction<'_>, plan: &Plan<'_>, end: Pos) -> rusqlite::Result<()> {
    let damage = plan.damage;
    for name in &damage.cursors {
        tx.execute("DELETE FROM cursors WHERE name = ?1", [name])?;
    }
    for (source, incarnation, part) in &damage.finished {
        tx.execute(
            "DELETE FROM finished WHERE source = ?1 AND incarnation = ?2 AND part = ?3",
            (source, incarnation, part),
        )?;
    }
    for key in &damage.facts {
        tx.execute("DELETE FROM facts WHERE key = ?1", [key])?;
    }
    for key in plan.forgotten {
        tx.execute("DELETE FROM facts WHERE key = ?1", [key])?;
    }
    // All key partitions move together, so that any of them knows for all.
    let mut known: BTreeMap<u32, i64> = BTreeMap::new();
    let mut statement = tx.prepare("SELECT part, pos FROM emitted")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        known.insert(row.get(0)?, row.get(1)?);
    }
    known.retain(|part, _| !damage.emitted.contains(part));
    let furthest = known.values().max().copied().unwrap_or(signed(end));
    for part in 0..matches::KEY_PARTITIONS {
        let pos = match (plan.matches_anew, known.get(&part)) {
            (true, _) => signed(end),
            (false, _) if damage.emitted.contains(&part) => furthest,
            (false, _) => continue,
        };
        let crc = small_crc("emitted", &[i64::from(part), pos]);
        tx.execute(
            "INSERT OR REPLACE INTO emitted VALUES (?1, ?2, ?3)",
            (part, pos, crc),
        )?;
    }
    Ok(())
}

fn accept_gap(tx: &Transaction<'_>, finished: &Finished) -> rusqlite::Result<()> {
    let (key, body) = (accepted_key(finished), b"accepted");
    let crc = fact_crc(&key, body);
    tx.execute(
        "INSERT OR REPLACE INTO facts VALUES (?1, ?2, ?3)",
        (key, crc, &body[..]),
    )?;
    Ok(())
}

/// The fact that a gap behind a position was accepted: it holds for this position only.
pub fn accepted_key(finished: &Finished) -> String {
    let Finished {
        source,
        incarnation,
        partition,
        offset,
    } = finished;
    format!("{ACCEPTED}{offset}/{incarnation}/{partition}/{source}")
}
