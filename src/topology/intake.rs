//! The topology as sources see it: assignments, budgets, the queue to the judges, and what may be
//! committed. Called from the sources' own threads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use palisade_detect::engine::Clamp;
use palisade_detect::time::{Span, Timestamp};
use palisade_ingest::offset::{Outcome, Ticket, Tracker};
use palisade_ingest::source::{Assigned, Handler, RecordBatch, SourceError};
use tokio::sync::mpsc::Sender;

use crate::log::{AlertRow, Finished};
use crate::topology::Site;
use crate::topology::breaker::Breakers;
use crate::topology::judge::Traits;
use crate::topology::operational;
use crate::topology::order::{Line, Turn};

mod position;

use self::position::Ledger;

/// Payload bytes in flight over all partitions at which sources stop reading.
///
/// Larger hides longer stalls of the disk; the process's memory grows by about as much.
pub const IN_FLIGHT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How long a revoked partition waits for its records in flight; less than a session time-out.
pub const DRAIN: Duration = Duration::from_secs(5);

/// Records of one partition on their way to a judge, each with its ticket.
#[derive(Debug)]
pub struct Work {
    /// The batch as the source gave it; without records where a partition begins.
    pub batch: RecordBatch,
    /// One ticket a record, in order.
    pub tickets: Vec<Ticket>,
    /// Next offset behind the batch: what `finished` says once its outputs are durable.
    pub upto: i64,
    /// Its place among the batches of its partition.
    pub turn: Turn,
    /// What is to be said before anything of the batch is: operational alerts.
    pub alerts: Vec<AlertRow>,
}

/// Whether the state directory has been used before this start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateAge {
    /// It was made by this process.
    New,
    /// An earlier process wrote to it.
    Kept,
}

/// What an intake works with.
pub struct IntakeContext {
    /// What the log says was finished.
    pub durable: Vec<Finished>,
    /// Keys of the gaps of sources that an operator accepted.
    pub accepted: BTreeSet<String>,
    /// Whether the log is a new one.
    pub state: StateAge,
    /// What the configuration says of each source.
    pub traits: Arc<Traits>,
    /// What stops a source whose records would nearly all be dead letters.
    pub breakers: Arc<Breakers>,
    /// Clock, health and metrics.
    pub site: Site,
}

/// One assigned partition.
struct Partition {
    at: Arc<Assigned>,
    tracker: Tracker,
    /// The order of its batches, over all its assignments.
    line: Arc<Line>,
    /// Whether the log knows of the partition. Nothing is committed before: a commit that the log
    /// knows nothing of is what a log looks like that lost its end.
    known: bool,
    /// Highest append time whose outputs are durable.
    append_time: Option<Timestamp>,
    /// When that became known, on the monotonic clock.
    append_time_at: Duration,
    /// The last explicit look at the end: (end offset, append time that it vouches for).
    observed: Option<(i64, Option<Timestamp>)>,
    /// When that look was, on the monotonic clock.
    observed_at: Duration,
    revoked: bool,
    /// What must be said before anything is read from it.
    alerts: Vec<AlertRow>,
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
    /// Whether it will not come back: a file that has been read to its end.
    pub ended: bool,
}

/// The one [`Handler`] of a process.
pub struct Intake {
    partitions: Mutex<BTreeMap<u64, Partition>>,
    /// Signalled whenever tickets are finished.
    finished: Condvar,
    judges: Mutex<Vec<Sender<Work>>>,
    /// What is durable of each partition; never locked together with `partitions`.
    ledger: Mutex<Ledger>,
    in_flight: AtomicU64,
    /// Newest append time of any record taken, in ticks.
    newest: AtomicI64,
    context: IntakeContext,
}

impl Intake {
    /// An intake that feeds `judges`.
    pub fn new(judges: Vec<Sender<Work>>, mut context: IntakeContext) -> Self {
        let ledger = Ledger::new(
            std::mem::take(&mut context.durable),
            std::mem::take(&mut context.accepted),
        );
        Self {
            partitions: Mutex::default(),
            finished: Condvar::new(),
            judges: Mutex::new(judges),
            ledger: Mutex::new(ledger),
            in_flight: AtomicU64::new(0),
            newest: AtomicI64::new(i64::MIN),
            context,
        }
    }

    /// Takes no more batches: the judges end when their queues are empty.
    pub fn close(&self) {
        lock(&self.judges).clear();
    }

    /// The outputs of a batch are durable, and with them that the partition is finished up to `upto`:
    /// finishes its tickets.
    pub fn done(
        &self,
        at: &Assigned,
        upto: Option<i64>,
        tickets: Vec<(Ticket, Outcome)>,
        newest: Option<Timestamp>,
    ) {
        // Before anything of it may be committed: an assignment compares the commit with it.
        if let Some(upto) = upto {
            lock(&self.ledger).move_to(at, upto);
        }
        let (mut bytes, mut done, mut parked) = (0, 0, 0);
        let mut partitions = self.lock();
        // A partition forgotten in the meantime has no tracker left to tell: its records come again.
        let mut partition = partitions.get_mut(&at.generation);
        for (ticket, outcome) in tickets {
            bytes += ticket.bytes();
            match outcome {
                Outcome::Done => done += 1,
                Outcome::Parked => parked += 1,
            }
            if let Some(partition) = &mut partition {
                partition.tracker.finish(ticket, outcome);
            }
        }
        if let Some(partition) = partition {
            partition.known = true;
            if newest > partition.append_time {
                partition.append_time = newest;
                partition.append_time_at = self.context.site.clock.elapsed();
            }
        }
        drop(partitions);
        self.in_flight.fetch_sub(bytes, Ordering::Relaxed);
        self.context
            .site
            .metrics
            .records_finished(&at.name, done, parked);
        self.finished.notify_all();
    }

    /// How far each partition has come, for a tick. Files read to their end are said once, as
    /// `ended`, and forgotten.
    pub fn progress(&self) -> Vec<Progress> {
        let mut partitions = self.lock();
        let said: Vec<Progress> = partitions
            .values()
            .filter_map(|partition| self.progress_of(partition))
            .collect();
        for progress in said.iter().filter(|progress| progress.ended) {
            partitions.remove(&progress.at.generation);
        }
        said
    }

    fn progress_of(&self, partition: &Partition) -> Option<Progress> {
        let upto = partition.tracker.committable()?;
        let at_end = partition.observed.is_some_and(|(end, _)| end == upto);
        let idle = partition
            .observed
            .filter(|_| at_end)
            .and_then(|(_, time)| time);
        let at = Arc::clone(&partition.at);
        if self.is_file(&at) {
            // The event times of files are taken as they are, so time stands still in the middle.
            let append_time = partition.append_time.max(idle)?;
            return at_end.then_some(Progress {
                at,
                upto,
                append_time,
                ended: partition.revoked,
            });
        }
        if partition.revoked {
            return None;
        }
        let append_time = partition.append_time.max(idle)?;
        Some(Progress {
            at,
            upto,
            append_time,
            ended: false,
        })
    }

    /// Waits until no record is in flight; no longer than `limit`.
    pub fn wait_idle(&self, limit: Duration) -> bool {
        let clock = self.context.site.clock;
        let deadline = clock.elapsed() + limit;
        let mut partitions = self.lock();
        loop {
            if partitions
                .values()
                .all(|partition| partition.tracker.is_idle())
            {
                return true;
            }
            let Some(left) = deadline.checked_sub(clock.elapsed()) else {
                return false;
            };
            partitions = self
                .finished
                .wait_timeout(partitions, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Payload bytes in flight.
    pub fn in_flight_bytes(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The newest append time of any record taken.
    pub fn newest(&self) -> Option<Timestamp> {
        let ticks = self.newest.load(Ordering::SeqCst);
        (ticks != i64::MIN).then(|| Timestamp::from_ticks(ticks))
    }

    /// Batches waiting for judges, and how many may wait.
    pub fn queue(&self) -> (u64, u64) {
        let judges = lock(&self.judges);
        let capacity: usize = judges.iter().map(Sender::max_capacity).sum();
        let free: usize = judges.iter().map(Sender::capacity).sum();
        ((capacity - free) as u64, capacity as u64)
    }

    /// The judge with the most room. None that has any is a judge all the same: handing over blocks.
    fn judge(&self) -> Option<Sender<Work>> {
        let judges = lock(&self.judges);
        judges.iter().max_by_key(|judge| judge.capacity()).cloned()
    }

    /// Hands work to a judge; blocks while its queue is full.
    ///
    /// Nobody takes it only when the process is ending: the tickets then stay open, so that nothing
    /// of the batch is ever committed.
    fn send(&self, work: Work) {
        let judge = self.judge();
        if judge.is_none_or(|judge| judge.blocking_send(work).is_err()) {
            tracing::debug!("a batch came after the judges ended");
        }
    }

    fn is_file(&self, at: &Assigned) -> bool {
        let traits = self.context.traits.get(&at.name);
        traits.is_some_and(|traits| traits.clamp == Clamp::Never)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Partition>> {
        lock(&self.partitions)
    }
}

/// The time that an explicit look at the end vouches for: the newest append time read from the
/// source, moved on by the monotonic clock, never the wall clock (`T3`).
///
/// It is moved on to the look before this one only: the process may have stood still between the
/// question for the end and now, and records that came in between must not be covered.
fn idle_time(newest: Option<(Timestamp, Duration)>, looked_before: Duration) -> Option<Timestamp> {
    let (newest, read_at) = newest?;
    let since = looked_before.saturating_sub(read_at);
    Some(newest.plus(Span::from_ticks(
        i64::try_from(since.as_nanos() / 100).unwrap_or(i64::MAX),
    )))
}

impl Handler for Intake {
    fn assigned(
        &self,
        at: &Arc<Assigned>,
        committed: Option<i64>,
    ) -> Result<Option<i64>, SourceError> {
        let (position, alert) = self.position(at, committed)?;
        let same = |other: &Assigned| {
            (&other.source, other.incarnation, other.partition)
                == (&at.source, at.incarnation, at.partition)
        };
        let mut partitions = self.lock();
        let earlier = partitions.values().rev().find(|it| same(&it.at));
        let line = earlier.map_or_else(|| Line::new(at.generation), |it| Arc::clone(&it.line));
        partitions.retain(|_, partition| !(partition.revoked && same(&partition.at)));
        let partition = Partition {
            at: Arc::clone(at),
            tracker: Tracker::new(at.generation),
            line,
            // Files are never committed.
            known: self.is_file(at) || lock(&self.ledger).finished(at).is_some(),
            append_time: None,
            append_time_at: self.context.site.clock.elapsed(),
            observed: None,
            observed_at: self.context.site.clock.elapsed(),
            revoked: false,
            alerts: alert.into_iter().collect(),
        };
        let earlier = partitions.insert(at.generation, partition);
        assert!(
            earlier.is_none(),
            "generation {} was used before",
            at.generation
        );
        drop(partitions);
        self.context.site.health.ready(&part(&at.name));
        tracing::info!(
            source = &*at.source,
            partition = at.partition,
            position,
            "assigned"
        );
        Ok(position)
    }

    fn begins(&self, at: &Arc<Assigned>, position: i64) {
        let mut partitions = self.lock();
        let Some(partition) = partitions.get_mut(&at.generation) else {
            return;
        };
        partition.tracker.begin_at(position);
        let alerts = std::mem::take(&mut partition.alerts);
        if partition.known && alerts.is_empty() {
            return;
        }
        let turn = partition.line.turn();
        drop(partitions);
        // Ahead of the first record, on its way: so it is durable first, too.
        let batch = RecordBatch {
            from: Arc::clone(at),
            records: Vec::new(),
        };
        self.send(Work {
            batch,
            tickets: Vec::new(),
            upto: position,
            turn,
            alerts,
        });
    }

    fn gap(&self, at: &Arc<Assigned>, from: i64, to: i64) -> bool {
        if !lock(&self.ledger).accepts(at, from) {
            return false;
        }
        let alert = self
            .context
            .site
            .alarms
            .alert(position::removed(at, from, to));
        if let Some(partition) = self.lock().get_mut(&at.generation) {
            partition.alerts.push(operational::row(alert));
        }
        true
    }

    fn ready(&self, at: &Arc<Assigned>) -> bool {
        if self.in_flight_bytes() >= IN_FLIGHT_BYTES_MAX || self.context.breakers.holds(&at.name) {
            return false;
        }
        let room = self
            .lock()
            .get(&at.generation)
            .is_some_and(|it| it.tracker.has_room());
        room && self.judge().is_some_and(|judge| judge.capacity() > 0)
    }

    fn batch(&self, batch: RecordBatch) {
        let Some(last) = batch.records.last() else {
            return;
        };
        if self.judge().is_none() {
            return;
        }
        let upto = last.offset.saturating_add(1);
        let mut partitions = self.lock();
        let Some(partition) = partitions.get_mut(&batch.from.generation) else {
            return;
        };
        let mut tickets = Vec::with_capacity(batch.records.len());
        let (mut total, mut newest) = (0, Timestamp::MIN);
        for record in &batch.records {
            let bytes = record
                .payload
                .as_ref()
                .map_or(0, |payload| payload.len() as u64);
            total += bytes;
            tickets.push(partition.tracker.admit(record.offset, bytes));
            newest = newest.max(record.append_time);
        }
        let turn = partition.line.turn();
        self.newest.fetch_max(newest.ticks(), Ordering::SeqCst);
        self.in_flight.fetch_add(total, Ordering::Relaxed);
        drop(partitions);
        let metrics = &self.context.site.metrics;
        metrics.records(&batch.from.name, tickets.len() as u64, total);
        self.send(Work {
            batch,
            tickets,
            upto,
            turn,
            alerts: Vec::new(),
        });
    }

    fn committable(&self, at: &Arc<Assigned>) -> Option<i64> {
        let partitions = self.lock();
        let partition = partitions.get(&at.generation)?;
        partition.tracker.committable().filter(|_| partition.known)
    }

    fn revoked(&self, at: &Arc<Assigned>) {
        let clock = self.context.site.clock;
        let deadline = clock.elapsed() + DRAIN;
        let mut partitions = self.lock();
        loop {
            let Some(partition) = partitions.get_mut(&at.generation) else {
                return;
            };
            let left = deadline
                .checked_sub(clock.elapsed())
                .filter(|_| !partition.tracker.is_idle());
            let Some(left) = left else {
                partition.revoked = true;
                break;
            };
            partitions = self
                .finished
                .wait_timeout(partitions, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        drop(partitions);
        self.context
            .site
            .metrics
            .source_partition_gone(&at.source, at.partition);
        tracing::info!(source = &*at.source, partition = at.partition, "revoked");
    }

    fn observed_end(&self, at: &Arc<Assigned>, end: i64, time: Option<Timestamp>) {
        let file = self.is_file(at);
        let mut partitions = self.lock();
        let newest = partitions
            .values()
            .filter(|other| other.at.name == at.name)
            .filter_map(|other| Some((other.append_time?, other.append_time_at)))
            .max();
        let Some(partition) = partitions.get_mut(&at.generation) else {
            return;
        };
        let time = time.or_else(|| idle_time(newest, partition.observed_at));
        partition.observed = Some((end, time));
        partition.observed_at = self.context.site.clock.elapsed();
        if !file {
            let upto = partition.tracker.committable().unwrap_or(end);
            let lag = u64::try_from(end.saturating_sub(upto)).unwrap_or(0);
            let age = match partition.append_time {
                Some(append_time) if lag > 0 => self.context.site.clock.now().since(append_time),
                _ => Span::ZERO,
            };
            drop(partitions);
            self.context
                .site
                .metrics
                .source_lag(&at.source, at.partition, lag, age);
        }
    }

    fn waiting(&self, source: &str, reason: Option<String>) {
        match reason {
            Some(reason) => self.context.site.health.not_ready(&part(source), reason),
            None => self.context.site.health.ready(&part(source)),
        }
    }

    fn now(&self) -> Timestamp {
        self.context.site.clock.now()
    }
}

/// The name of a source in the list of parts.
pub fn part(source: &str) -> String {
    format!("source `{source}`")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
