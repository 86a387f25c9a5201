//! Judges: threads that turn batches of records into steps for the log.
//!
//! They share the batches of all partitions, also of a single one; behind them the steps are put back in
//! the order of their partitions (`order`). A judge has everything for itself: its queue, its buffers,
//! its numbers, its share of the room for outputs.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use palisade_detect::engine::Engine;
use palisade_detect::event::SourcePartition;
use palisade_detect::matches::{self, Match};
use palisade_detect::time::Timestamp;
use palisade_ingest::offset::{Outcome as TicketOutcome, Ticket};
use palisade_ingest::source::{Assigned, Record};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{oneshot, watch};

use crate::log::{AlertRow, Append, Finished};
use crate::metrics::Tally;
use crate::topology::breaker::Counts;
use crate::topology::budget::{Budget, Held};
use crate::topology::intake::Work;
use crate::topology::order::Turn;
use crate::topology::shutdown::Failure;
use crate::topology::stage::{Outcome, RecordPlace, SourceTraits, Stage};
use crate::topology::{Site, dead};

/// Batches waiting for one judge; more hide a slow judge from the sources, at the cost of memory.
pub const JUDGE_QUEUE_BATCHES: usize = 4;

/// Bytes of alerts, matches and dead letters that may wait for the log: what small records come to can
/// be many times their size. More hides longer stalls of the disk, at the cost of memory; beyond it
/// come only the outputs of one batch a judge. Each judge has an equal share: what one has found may wait
/// for an earlier batch that another is at, which must not wait for that room in turn.
pub const OUTPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Sources by name with what their configuration says of their records.
pub type Traits = std::collections::BTreeMap<Arc<str>, SourceTraits>;

/// What a batch came to: the step for the log, and whom to tell when it is durable.
#[derive(Debug)]
pub struct Judged {
    /// Where the batch comes from.
    pub from: Arc<Assigned>,
    /// Everything that must be durable before the tickets are finished.
    pub step: Append,
    /// Its place among the batches of its partition.
    pub turn: Turn,
    /// How many of its records would be parked.
    pub counts: Counts,
    /// The tickets with their outcomes.
    pub tickets: Vec<(Ticket, TicketOutcome)>,
    /// Newest append time of the batch.
    pub newest: Option<Timestamp>,
    /// Broker times of the records that raised alerts, for the latency metric.
    pub alert_times: Vec<Timestamp>,
    /// The step's part of [`OUTPUT_BYTES_MAX`], given back when the step is durable.
    pub held: Option<Held>,
}

/// Everything a judge needs besides its queue.
#[derive(Clone)]
pub struct JudgeContext {
    /// The rules; others take their place between two batches.
    pub engine: watch::Receiver<Arc<Engine>>,
    /// What the configuration says of each source.
    pub traits: Arc<Traits>,
    /// Clock and metrics.
    pub site: Site,
}

/// Most judges; beyond it the log is the limit.
const JUDGES_MAX: usize = 16;

/// Judges for this machine: one a core.
pub fn count() -> usize {
    thread::available_parallelism()
        .map_or(1, NonZeroUsize::get)
        .min(JUDGES_MAX)
}

/// The queues of judges, and who says that each has ended.
pub type Judges = (
    Vec<Sender<Work>>,
    Vec<oneshot::Receiver<Result<(), Failure>>>,
);

/// Starts `count` judges; each ends when its queue is closed and empty.
///
/// # Errors
/// When a thread cannot be started.
pub fn start(count: usize, context: &JudgeContext, out: &Sender<Judged>) -> io::Result<Judges> {
    let (mut queues, mut ends) = (Vec::new(), Vec::new());
    let share = OUTPUT_BYTES_MAX / count.max(1) as u64;
    for number in 0..count {
        let (queue, work) = channel(JUDGE_QUEUE_BATCHES);
        let (say, ended) = oneshot::channel();
        let judge = Judge {
            stage: Stage::new(Arc::clone(&context.engine.borrow())),
            context: context.clone(),
            tally: context.site.metrics.tally(),
            outputs: Budget::new(share),
        };
        let out = out.clone();
        thread::Builder::new()
            .name(format!("judge-{number}"))
            .spawn(move || {
                judge.run(work, &out);
                // Nobody listens any more when the process ends without a drain.
                say.send(Ok(())).ok();
            })?;
        queues.push(queue);
        ends.push(ended);
    }
    Ok((queues, ends))
}

struct Judge {
    context: JudgeContext,
    stage: Stage,
    tally: Tally,
    outputs: Arc<Budget>,
}

impl Judge {
    fn run(mut self, mut work: Receiver<Work>, out: &Sender<Judged>) {
        while let Some(batch) = work.blocking_recv() {
            if self.context.engine.has_changed().unwrap_or(false) {
                let engine = Arc::clone(&self.context.engine.borrow_and_update());
                self.stage = Stage::new(engine);
            }
            let mut judged = self.batch(batch);
            self.context.site.metrics.add(&mut self.tally);
            judged.held = Some(self.outputs.take(judged.step.bytes() as u64));
            // A closed queue means that the process is stopping without a drain.
            if out.blocking_send(judged).is_err() {
                return;
            }
        }
    }

    fn batch(&mut self, work: Work) -> Judged {
        let from = work.batch.from;
        let traits = Arc::clone(&self.context.traits);
        let source = traits.get(&from.name).expect("every source has its traits");
        let mut judged = Judged {
            from: Arc::clone(&from),
            step: Append::default(),
            turn: work.turn,
            counts: Counts {
                records: work.tickets.len() as u64,
                ..Counts::default()
            },
            tickets: Vec::with_capacity(work.tickets.len()),
            newest: None,
            alert_times: Vec::new(),
            held: None,
        };
        let mut matches = Vec::new();
        let mut place = place(&from);
        let clock = self.context.site.clock;
        let mut started = clock.elapsed();
        for (record, ticket) in work.batch.records.into_iter().zip(work.tickets) {
            (place.offset, place.append_time) = (record.offset, record.append_time);
            let mut outcome = self.stage.record(record.payload.as_deref(), &place, source);
            // Before the matches are taken out: they are counted, too.
            self.tally.outcome(&outcome);
            matches.append(&mut outcome.matches);
            judged.counts.events += outcome.events.total();
            judged.counts.clamped += outcome.clamped;
            let ended = match outcome.rejects.first() {
                Some((_, reject)) => {
                    *judged.counts.parked.entry(reject.reason).or_default() += 1;
                    TicketOutcome::Parked
                }
                None => TicketOutcome::Done,
            };
            self.put(&record, outcome, &mut judged);
            judged.tickets.push((ticket, ended));
            judged.newest = judged.newest.max(Some(record.append_time));
            let ended = clock.elapsed();
            self.tally.evaluated(ended.saturating_sub(started));
            started = ended;
        }
        judged.counts.newest = judged.newest;
        judged.step.alerts.extend(work.alerts);
        judged.step.matches = match_rows(&from, matches);
        judged.step.finished.push(Finished {
            source: from.source.to_string(),
            incarnation: from.incarnation,
            partition: from.partition,
            offset: work.upto,
        });
        judged
    }

    /// Puts the alerts and rejects of a record into the step.
    fn put(&self, record: &Record, outcome: Outcome, judged: &mut Judged) {
        if outcome.alerts.is_empty() && outcome.rejects.is_empty() {
            return;
        }
        let context = &self.context;
        let now = context.site.clock.now().to_string();
        for mut alert in outcome.alerts {
            alert.emitted_at.clone_from(&now);
            context.site.metrics.alert(&alert);
            judged.alert_times.push(record.append_time);
            let body = Bytes::from(alert.to_line());
            judged.step.alerts.push(AlertRow {
                alert_id: alert.alert_id,
                body,
            });
        }
        let payload = record.payload.as_deref().unwrap_or_default();
        for (origin, reject) in &outcome.rejects {
            let from = (&*judged.from.name, record.append_time);
            let letter = dead::of_record(origin, from, reject, payload, now.clone());
            judged.step.dead.push(Bytes::from(letter));
        }
    }
}

/// Where the records of a partition stand; offset and time are each record's own.
fn place(from: &Assigned) -> RecordPlace {
    RecordPlace {
        at: SourcePartition {
            source: Arc::clone(&from.source),
            incarnation: from.incarnation,
            partition: from.partition,
        },
        offset: 0,
        append_time: Timestamp::MIN,
    }
}

fn match_rows(from: &Assigned, matches: Vec<Match>) -> Vec<(u32, Bytes)> {
    if matches.is_empty() {
        return Vec::new();
    }
    let source = matches::Source {
        name: from.source.to_string(),
        incarnation: from.incarnation,
        partition: from.partition,
    };
    matches::batches(&source, "", matches)
        .into_iter()
        .map(|(part, record)| (part, Bytes::from(matches::encode(&record))))
        .collect()
}
