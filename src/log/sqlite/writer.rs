//! The one thread that writes: group commit, fencing, and waiting for a full disk.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, ffi};
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

use super::dead;
use super::reader::{cursor, fact_crc, finished_crc};
use super::retention::{self, Trimmed};
use super::schema::{
    Ends, STREAMS, number, read_epoch, row_crc, signed, small_crc, table, write_ends,
};
use super::shared::Shared;
use super::{Options, Retention};
use crate::clock::Clock;
use crate::log::{Append, AppendError, Appended, Finished, Pos, Row, Stream};
use palisade_detect::time::Timestamp;

/// Most commands of one transaction, and most that wait aside while the disk is full.
const GROUP_COMMANDS_MAX: usize = 1_024;

/// Most body bytes of one transaction; one larger step is still taken alone.
const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Shortest time between two transactions of which the second holds alerts, and between two looks for them
/// while one without any is not due yet: somebody waits for an alert.
const PROMPT: Duration = Duration::from_millis(5);

/// How often a step is tried again while the disk is full or another program holds the database.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// How often that is said.
const SAY_EVERY: Duration = Duration::from_mins(1);

/// Pages above the limit that trimming may use: deleting can split a page before it frees many.
const TRIM_SPARE_PAGES: i64 = 64;

/// Bytes below the limit from which a refused write is put down to the limit.
const NEAR_LIMIT_BYTES: i64 = 256 * 1024;

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, AppendError>>;

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Command {
    Append(Append, Reply<Appended>),
    Cursor(String, Pos, Reply<()>),
    Fact(String, Bytes, Reply<()>),
    Trim(Timestamp, Pos, Reply<Trimmed>),
}

/// What a command came to inside its transaction.
enum Effect {
    Appended(Appended),
    Moved,
    Fact(FactOutcome),
    Trimmed(Trimmed),
}

enum FactOutcome {
    Stands,
    Conflict,
}

/// Why a transaction did not happen.
enum Failure {
    /// No space: tried again until there is some.
    Full,
    /// Another program holds the database: tried again.
    Busy,
    Lost(Lost),
}

/// Why nothing can be written any more.
#[derive(Debug, Clone)]
enum Lost {
    Fenced,
    Broken(String),
}

impl From<Lost> for AppendError {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Fenced => Self::Fenced,
            Lost::Broken(text) => Self::Broken(text.into()),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error().map_or(0, |error| error.extended_code);
        match code & 0xff {
            ffi::SQLITE_FULL => Self::Full,
            // The shared-memory file could not grow.
            ffi::SQLITE_IOERR if code == ffi::SQLITE_IOERR_SHMSIZE => Self::Full,
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Self::Busy,
            _ => Self::Lost(Lost::Broken(error.to_string())),
        }
    }
}

/// The writer's state; lives on its own thread.
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) epoch: u64,
    pub(super) ends: [Ends; 3],
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    pub(super) options: Options,
    lost: Option<Lost>,
    committed_at: Option<Duration>,
    said_at: Option<Duration>,
}

impl Writer {
    pub(super) fn new(
        conn: Connection,
        (epoch, ends): (u64, [Ends; 3]),
        shared: Arc<Shared>,
        options: Options,
    ) -> Self {
        let clock = options.clock;
        Self {
            conn,
            epoch,
            ends,
            shared,
            clock,
            options,
            lost: None,
            committed_at: None,
            said_at: None,
        }
    }

    /// Writes until all askers are gone.
    pub(super) fn run(mut self, mut queue: Receiver<Command>) {
        let mut waiting = Vec::new();
        while let Some(first) = queue.blocking_recv() {
            waiting.push(first);
            self.pace(&mut waiting, &mut queue);
            self.commit(&mut waiting, &mut queue);
        }
    }

    /// Takes what comes until a transaction is due: one every [`Options::flush`] at most, one that holds
    /// alerts every [`PROMPT`]. The first after a pause starts at once.
    fn pace(&mut self, waiting: &mut Vec<Command>, queue: &mut Receiver<Command>) {
        loop {
            gather(queue, waiting);
            let flush = if waiting.iter().any(holds_alerts) {
                self.options.flush.min(PROMPT)
            } else {
                self.options.flush
            };
            let due = self.committed_at.map_or(Duration::ZERO, |at| at + flush);
            let now = self.clock.elapsed();
            let left = due.saturating_sub(now);
            if left.is_zero() {
                self.committed_at = Some(now);
                return;
            }
            std::thread::sleep(left.min(PROMPT));
        }
    }

    /// Commits everything that waits, however long the disk is full. What is left when all askers
    /// are gone was never answered for.
    fn commit(&mut self, waiting: &mut Vec<Command>, queue: &mut Receiver<Command>) {
        while !waiting.is_empty() {
            if let Some(lost) = &self.lost {
                waiting.drain(..).for_each(|command| refuse(command, lost));
                return;
            }
            // While space is short, a small transaction may fit where a large one does not.
            let full = *self.shared.full().borrow();
            let count = if full { 1 } else { waiting.len() };
            match self.transaction(&waiting[..count]) {
                Ok(effects) => self.done(waiting.drain(..count), effects),
                Err(Failure::Lost(lost)) => {
                    tracing::error!(reason = ?lost, "the log is lost to this process");
                    self.lost = Some(lost);
                }
                Err(failure) => {
                    let bytes = waiting[..count].iter().map(command_bytes).sum();
                    self.wait(&failure, bytes);
                    if queue.is_closed() {
                        waiting.clear();
                        return;
                    }
                    take_aside(queue, waiting);
                }
            }
        }
    }

    /// One transaction with all of `commands`, or nothing.
    fn transaction(&mut self, commands: &[Command]) -> Result<Vec<Effect>, Failure> {
        let at = self.clock.now();
        let mut ends = self.ends;
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if read_epoch(&tx)? != self.epoch {
            return Err(Failure::Lost(Lost::Fenced));
        }
        let mut effects = Vec::with_capacity(commands.len());
        for command in commands {
            effects.push(match command {
                Command::Append(step, _) => Effect::Appended(append(&tx, step, at, &mut ends)?),
                Command::Cursor(name, to, _) => {
                    move_cursor(&tx, name, *to)?;
                    Effect::Moved
                }
                Command::Fact(key, body, _) => Effect::Fact(put_fact(&tx, key, body)?),
                Command::Trim(now, folded, _) => {
                    let due = retention::Due::Aged {
                        now: *now,
                        folded: *folded,
                        matches: self.shared.matches_kept(),
                    };
                    Effect::Trimmed(retention::trim(&tx, due, &self.options, &mut ends)?)
                }
            });
        }
        for stream in STREAMS {
            if ends[number(stream)] != self.ends[number(stream)] {
                write_ends(&tx, stream, ends[number(stream)])?;
            }
        }
        tx.commit()?;
        self.ends = ends;
        Ok(effects)
    }

    /// Tells readers, then the askers, what has become durable.
    fn done(&mut self, commands: impl Iterator<Item = Command>, effects: Vec<Effect>) {
        for (command, effect) in commands.zip(effects) {
            match (command, effect) {
                (Command::Append(step, reply), Effect::Appended(appended)) => {
                    if self.shared.full().send_replace(false) {
                        tracing::info!("the log has space again");
                        self.said_at = None;
                    }
                    self.publish(step, &appended);
                    answer(reply, Ok(appended));
                }
                (Command::Cursor(_, _, reply), Effect::Moved)
                | (Command::Fact(_, _, reply), Effect::Fact(FactOutcome::Stands)) => {
                    answer(reply, Ok(()));
                }
                (Command::Fact(key, _, reply), Effect::Fact(FactOutcome::Conflict)) => {
                    answer(reply, Err(AppendError::Conflict { key }));
                }
                (Command::Trim(_, _, reply), Effect::Trimmed(trimmed)) => {
                    self.shared.trimmed(self.ends.map(|ends| ends.oldest));
                    answer(reply, Ok(trimmed));
                }
                _ => unreachable!("each command has the effect of its own kind"),
            }
        }
    }

    fn publish(&self, step: Append, appended: &Appended) {
        if !step.settled.is_empty() {
            self.shared.forget(Stream::Dead);
        }
        let row = |(pos, (part, body))| Row { pos, part, body };
        let matches = appended.matches.clone().zip(step.matches);
        self.shared.add(Stream::Matches, matches.map(row));
        let alerts = step.alerts.into_iter().map(|alert| (0, alert.body));
        self.shared
            .add(Stream::Alerts, appended.alerts.clone().zip(alerts).map(row));
        let dead = step.dead.into_iter().map(|body| (0, body));
        self.shared
            .add(Stream::Dead, appended.dead.clone().zip(dead).map(row));
    }

    /// Says once a minute why a step waits, makes room where the limit allows it, and pauses.
    fn wait(&mut self, failure: &Failure, bytes: usize) {
        let full = matches!(failure, Failure::Full);
        if full {
            self.shared.full().send_replace(true);
        }
        if full && self.near_limit(bytes) && self.make_room() {
            return;
        }
        let now = self.clock.elapsed();
        if self.said_at.is_none_or(|said| now >= said + SAY_EVERY) {
            self.said_at = Some(now);
            if full {
                tracing::error!(
                    max_bytes = self.options.retention.max_bytes,
                    "storage_full: the log waits for space, sources pause, nothing is lost"
                );
            } else {
                tracing::warn!("the log waits for another program that holds its database");
            }
        }
        // A write-ahead log that was written back starts again at its begin and needs less space.
        // The result does not matter: the step is tried again in any case.
        if let Err(error) = self
            .conn
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        {
            tracing::debug!(%error, "the write-ahead log could not be written back");
        }
        std::thread::sleep(RETRY_EVERY);
    }

    /// Whether it is `max_bytes` that leaves no space for `bytes`, and not the disk. Twice the bytes
    /// and some pages allow for what rows cost beside their bodies.
    fn near_limit(&self, bytes: usize) -> bool {
        let pages = |name| -> rusqlite::Result<i64> {
            self.conn.pragma_query_value(None, name, |row| row.get(0))
        };
        let room = || -> rusqlite::Result<i64> {
            let left = pages("max_page_count")? - pages("page_count")?;
            Ok(left.saturating_mul(pages("page_size")?))
        };
        let wanted = i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(2);
        room().is_ok_and(|room| room <= wanted.saturating_add(NEAR_LIMIT_BYTES))
    }

    /// Trims delivered alerts and old dead letters before their time; whether any went.
    fn make_room(&mut self) -> bool {
        let mut ends = self.ends;
        let due = retention::Due::Space {
            now: self.clock.now(),
        };
        let mut attempt = |conn: &mut Connection| -> rusqlite::Result<Trimmed> {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let trimmed = retention::trim(&tx, due, &self.options, &mut ends)?;
            for stream in STREAMS {
                write_ends(&tx, stream, ends[number(stream)])?;
            }
            tx.commit()?;
            Ok(trimmed)
        };
        let retention = &self.options.retention;
        let outcome = limit_size(&self.conn, retention, TRIM_SPARE_PAGES)
            .and_then(|()| attempt(&mut self.conn))
            .and_then(|trimmed| limit_size(&self.conn, retention, 0).map(|()| trimmed));
        match outcome {
            Ok(trimmed) if !trimmed.is_empty() => {
                let early = self.shared.trimmed_early();
                early.send_modify(|early| early.add(&self.ends, &ends));
                self.ends = ends;
                self.shared.trimmed(ends.map(|ends| ends.oldest));
                tracing::warn!(
                    ?trimmed,
                    "the log reached `max_bytes`: rows went before their time"
                );
                true
            }
            _ => false,
        }
    }
}

/// Takes what waits in the queue, up to the limits of one transaction.
fn gather(queue: &mut Receiver<Command>, waiting: &mut Vec<Command>) {
    let mut bytes: usize = waiting.iter().map(command_bytes).sum();
    while waiting.len() < GROUP_COMMANDS_MAX && bytes < GROUP_BYTES_MAX {
        let Ok(command) = queue.try_recv() else {
            return;
        };
        bytes += command_bytes(&command);
        waiting.push(command);
    }
}

/// While a step waits for space, cursors still move: what is delivered makes room.
fn take_aside(queue: &mut Receiver<Command>, waiting: &mut Vec<Command>) {
    while waiting.len() < GROUP_COMMANDS_MAX {
        let Ok(command) = queue.try_recv() else { break };
        waiting.push(command);
    }
    waiting.sort_by_key(|command| !matches!(command, Command::Cursor(..) | Command::Trim(..)));
}

fn holds_alerts(command: &Command) -> bool {
    matches!(command, Command::Append(step, _) if !step.alerts.is_empty())
}

fn command_bytes(command: &Command) -> usize {
    match command {
        Command::Append(step, _) => step.bytes(),
        Command::Fact(_, body, _) => body.len(),
        Command::Cursor(..) | Command::Trim(..) => 0,
    }
}

fn append(
    tx: &Transaction<'_>,
    step: &Append,
    at: Timestamp,
    ends: &mut [Ends; 3],
) -> rusqlite::Result<Appended> {
    let matches = step.matches.iter().map(|(part, body)| (*part, None, body));
    let alerts = step
        .alerts
        .iter()
        .map(|row| (0, Some(row.alert_id.as_str()), &row.body));
    let dead = step.dead.iter().map(|body| (0, None, body));
    let appended = Appended {
        matches: insert(tx, Stream::Matches, at, matches, ends)?,
        alerts: insert(tx, Stream::Alerts, at, alerts, ends)?,
        dead: insert(tx, Stream::Dead, at, dead, ends)?,
    };
    for (pos, body) in &step.settled {
        dead::settle(tx, *pos, body)?;
    }
    write_finished(tx, &step.finished)?;
    let mut emitted = tx.prepare(
        "INSERT INTO emitted VALUES (?1, ?2, ?3) ON CONFLICT (part)
         DO UPDATE SET pos = excluded.pos, crc = excluded.crc WHERE excluded.pos > pos",
    )?;
    for (part, pos) in &step.emitted {
        let crc = small_crc("emitted", &[i64::from(*part), signed(*pos)]);
        emitted.execute((part, signed(*pos), crc))?;
    }
    Ok(appended)
}

/// Writes the farthest of each partition; a step holds many of the same when sources are busy.
fn write_finished(tx: &Transaction<'_>, rows: &[Finished]) -> rusqlite::Result<()> {
    let mut farthest: BTreeMap<(&str, u32, u32), i64> = BTreeMap::new();
    for row in rows {
        let at = (row.source.as_str(), row.incarnation, row.partition);
        let offset = farthest.entry(at).or_insert(row.offset);
        *offset = row.offset.max(*offset);
    }
    let mut statement = tx.prepare(
        "INSERT INTO finished VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (source, incarnation, part)
         DO UPDATE SET offset = excluded.offset, crc = excluded.crc
         WHERE excluded.offset > offset",
    )?;
    for ((source, incarnation, part), offset) in farthest {
        let crc = finished_crc(source, incarnation, part, offset);
        statement.execute((source, incarnation, part, offset, crc))?;
    }
    Ok(())
}

fn insert<'a>(
    tx: &Transaction<'_>,
    stream: Stream,
    at: Timestamp,
    rows: impl Iterator<Item = (u32, Option<&'a str>, &'a Bytes)>,
    ends: &mut [Ends; 3],
) -> rusqlite::Result<Range<Pos>> {
    let next = &mut ends[number(stream)].next;
    let first = *next;
    let sql = match stream {
        Stream::Alerts => "INSERT INTO alerts (pos, part, at, crc, body, id)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
            .to_owned(),
        Stream::Matches | Stream::Dead => format!(
            "INSERT INTO {} (pos, part, at, crc, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            table(stream)
        ),
    };
    let mut statement = tx.prepare(&sql)?;
    for (part, id, body) in rows {
        let (pos, crc) = (signed(*next), row_crc(*next, part, body));
        match id {
            Some(id) => statement.execute((pos, part, at.ticks(), crc, &body[..], id))?,
            None => statement.execute((pos, part, at.ticks(), crc, &body[..]))?,
        };
        *next += 1;
    }
    Ok(first..*next)
}

/// Cursors only move forward.
fn move_cursor(tx: &Transaction<'_>, name: &str, to: Pos) -> rusqlite::Result<()> {
    if to <= cursor(tx, name)? {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO cursors VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET pos = excluded.pos, crc = excluded.crc",
        (name, signed(to), small_crc(name, &[signed(to)])),
    )?;
    Ok(())
}

fn put_fact(tx: &Transaction<'_>, key: &str, body: &[u8]) -> rusqlite::Result<FactOutcome> {
    let stands: Option<Vec<u8>> = tx
        .query_row("SELECT body FROM facts WHERE key = ?1", [key], |row| {
            row.get(0)
        })
        .optional()?;
    match stands {
        Some(stands) if stands == body => Ok(FactOutcome::Stands),
        Some(_) => Ok(FactOutcome::Conflict),
        None => {
            tx.execute(
                "INSERT INTO facts VALUES (?1, ?2, ?3)",
                (key, fact_crc(key, body), body),
            )?;
            Ok(FactOutcome::Stands)
        }
    }
}

fn refuse(command: Command, lost: &Lost) {
    let error = AppendError::from(lost.clone());
    match command {
        Command::Append(_, reply) => answer(reply, Err(error)),
        Command::Cursor(_, _, reply) | Command::Fact(_, _, reply) => answer(reply, Err(error)),
        Command::Trim(_, _, reply) => answer(reply, Err(error)),
    }
}

/// Whoever asked may have gone; what was asked for is durable all the same.
fn answer<T>(reply: Reply<T>, answer: Result<T, AppendError>) {
    drop(reply.send(answer));
}

/// Sets the limit at which SQLite itself says that the database is full.
pub(super) fn limit_size(
    conn: &Connection,
    retention: &Retention,
    spare_pages: i64,
) -> rusqlite::Result<()> {
    let page: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let max = i64::try_from(retention.max_bytes).unwrap_or(i64::MAX) / page.max(1);
    // SQLite numbers pages with 32 bits; the answer is the limit in force.
    let max = max
        .saturating_add(spare_pages)
        .clamp(1, i64::from(u32::MAX - 1));
    conn.query_row(&format!("PRAGMA max_page_count = {max}"), [], |_| Ok(()))
}
