//! Records judged on all cores; their outcomes come back in the order of the records.
//!
//! Batches go to the judges in turn and come back in turn, so nothing is locked and nothing sorted. What
//! met no rule comes back as a number: it is most of all records, and one thread takes what all judges
//! give.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use anyhow::Context as _;
use palisade_detect::engine::Engine;
use palisade_ingest::source::file::FileRecord;

use crate::clock::Clock;
use crate::topology::offline::place;
use crate::topology::stage::{Outcome, SourceTraits, Stage};

/// Most records that cross to a judge together.
const BATCH_RECORDS_MAX: usize = 256;
/// Bytes at which a batch is full: small enough that a few of them are little memory.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Batches on their way to each judge and back: one at work and one that waits.
const BATCHES_A_JUDGE: usize = 2;
/// Most judges: beyond it reading is the limit.
const JUDGES_MAX: usize = 16;

/// What the next records came to.
pub(super) enum Judged {
    /// A record and what it came to; nothing if it was broken before.
    Record(Box<(FileRecord, Option<Outcome>)>),
    /// So many records that hold so many events, of which no rule says anything.
    Silent { records: u64, events: u64 },
}

/// What takes records and outcomes in order.
pub(super) type Each<'e> = &'e mut dyn FnMut(Judged) -> anyhow::Result<()>;

/// Everything that a judge needs.
#[derive(Clone)]
pub(super) struct Orders {
    pub(super) engine: Arc<Engine>,
    pub(super) traits: SourceTraits,
    pub(super) clock: Clock,
    /// Whether only the number of records counts that meet no rule: it does not where their times move
    /// the watermark.
    pub(super) silence: Silence,
}

/// What comes back of records that meet no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// How many there are.
    Counted,
    /// Each of them.
    Kept,
}

/// The judges.
pub(super) struct Crew {
    /// Judges here if there is one core.
    own: Option<Judge>,
    lanes: Vec<Lane>,
    /// The judges that hold batches, oldest batch first.
    turns: VecDeque<usize>,
    next: usize,
    batch: Vec<FileRecord>,
    bytes: usize,
}

/// The way to a judge and back.
struct Lane {
    to: SyncSender<Vec<FileRecord>>,
    back: Receiver<Vec<Judged>>,
}

struct Judge {
    stage: Stage,
    orders: Orders,
}

impl Crew {
    /// Judges on as many threads as there are cores, all ended with `scope`.
    pub(super) fn start<'s>(scope: &'s Scope<'s, '_>, orders: &Orders) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::of(cores.min(JUDGES_MAX), scope, orders)
    }

    fn of<'s>(judges: usize, scope: &'s Scope<'s, '_>, orders: &Orders) -> Self {
        let lanes = if judges < 2 { 0 } else { judges };
        Self {
            own: (judges < 2).then(|| Judge::new(orders)),
            lanes: (0..lanes).map(|_| Lane::start(scope, orders)).collect(),
            turns: VecDeque::new(),
            next: 0,
            batch: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes a record; `each` gets those that have been judged.
    pub(super) fn take(&mut self, record: FileRecord, each: Each<'_>) -> anyhow::Result<()> {
        if let Some(judge) = &mut self.own {
            return each(judge.judge(record));
        }
        self.bytes += record.payload.len();
        self.batch.push(record);
        if self.batch.len() >= BATCH_RECORDS_MAX || self.bytes >= BATCH_BYTES_MAX {
            self.send(each)?;
        }
        Ok(())
    }

    /// No more records come: waits for all.
    pub(super) fn finish(mut self, each: Each<'_>) -> anyhow::Result<()> {
        if !self.batch.is_empty() {
            self.send(each)?;
        }
        while !self.turns.is_empty() {
            self.receive(each)?;
        }
        Ok(())
    }

    fn send(&mut self, each: Each<'_>) -> anyhow::Result<()> {
        if self.turns.len() >= self.lanes.len() * BATCHES_A_JUDGE {
            self.receive(each)?;
        }
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        let sent = self.lanes[self.next].to.send(batch);
        sent.ok().context("a judge has ended early")?;
        self.turns.push_back(self.next);
        self.next = (self.next + 1) % self.lanes.len();
        Ok(())
    }

    fn receive(&mut self, each: Each<'_>) -> anyhow::Result<()> {
        let Some(oldest) = self.turns.pop_front() else {
            return Ok(());
        };
        let judged = self.lanes[oldest].back.recv();
        let judged = judged.context("a judge has ended early")?;
        judged.into_iter().try_for_each(each)
    }
}

impl Lane {
    fn start<'s>(scope: &'s Scope<'s, '_>, orders: &Orders) -> Self {
        let (to, work) = sync_channel::<Vec<FileRecord>>(BATCHES_A_JUDGE);
        let (out, back) = sync_channel(BATCHES_A_JUDGE);
        let mut judge = Judge::new(orders);
        scope.spawn(move || {
            while let Ok(batch) = work.recv() {
                // Nobody listens any more when the command has failed.
                if out.send(judge.batch(batch)).is_err() {
                    return;
                }
            }
        });
        Self { to, back }
    }
}

impl Judge {
    fn new(orders: &Orders) -> Self {
        Self {
            stage: Stage::new(Arc::clone(&orders.engine)),
            orders: orders.clone(),
        }
    }

    fn judge(&mut self, record: FileRecord) -> Judged {
        if record.broken.is_some() {
            return Judged::Record(Box::new((record, None)));
        }
        let Orders { traits, clock, .. } = &self.orders;
        let place = place(&record.path, record.offset, clock.now());
        let outcome = self.stage.record(Some(&record.payload), &place, traits);
        if self.orders.silence == Silence::Counted && outcome.is_silent() {
            return Judged::Silent {
                records: 1,
                events: outcome.events.total(),
            };
        }
        Judged::Record(Box::new((record, Some(outcome))))
    }

    fn batch(&mut self, batch: Vec<FileRecord>) -> Vec<Judged> {
        let mut all: Vec<Judged> = Vec::new();
        for record in batch {
            let judged = self.judge(record);
            if let Some(Judged::Silent { records, events }) = all.last_mut()
                && let Judged::Silent {
                    records: one,
                    events: of_one,
                } = judged
            {
                *records += one;
                *events += of_one;
            } else {
                all.push(judged);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use palisade_detect::engine::EngineOptions;
    use palisade_detect::event::Index;
    use palisade_ingest::reject::{Reason, Reject};

    use super::*;

    fn record(offset: i64, broken: bool) -> FileRecord {
        let broken = broken.then(|| Reject {
            index: Index::ROOT,
            byte: 0,
            span: 0..0,
            reason: Reason::Unreadable,
            message: String::new(),
        });
        FileRecord {
            path: Arc::from("file"),
            offset,
            payload: Bytes::from(format!(r#"{{"number":{offset}}}"#)),
            broken,
            start: 0,
        }
    }

    fn orders(silence: Silence) -> Orders {
        let loaded = crate::rules::load_files(&[], &[], EngineOptions::default());
        Orders {
            engine: Arc::new(loaded.engine.unwrap()),
            traits: SourceTraits::as_they_stand("default"),
            clock: Clock::start(),
            silence,
        }
    }

    fn numbers_and_events(judged: Judged, seen: &mut i64) -> u64 {
        match judged {
            Judged::Record(judged) => {
                let (record, outcome) = *judged;
                assert_eq!(record.offset, *seen);
                *seen += 1;
                outcome.map_or(0, |outcome| outcome.events.total())
            }
            Judged::Silent { records, events } => {
                *seen += i64::try_from(records).unwrap();
                events
            }
        }
    }

    #[test]
    fn outcomes_come_back_in_the_order_of_the_records() {
        for (judges, silence) in [
            (1, Silence::Counted),
            (2, Silence::Counted),
            (2, Silence::Kept),
            (3, Silence::Kept),
        ] {
            let orders = orders(silence);
            for records in [0, 1, 255, 256, 257, 5_000] {
                let (mut seen, mut events) = (0, 0);
                let mut each = |judged: Judged| {
                    events += numbers_and_events(judged, &mut seen);
                    Ok(())
                };
                thread::scope(|scope| {
                    let mut crew = Crew::of(judges, scope, &orders);
                    for offset in 0..records {
                        // One in a hundred is no record: it stands between silent ones.
                        let broken = offset % 100 == 99;
                        crew.take(record(offset, broken), &mut each).unwrap();
                    }
                    crew.finish(&mut each).unwrap();
                });
                assert_eq!(seen, records);
                assert_eq!(events, u64::try_from(records - records / 100).unwrap());
            }
        }
    }

    #[test]
    fn what_was_silent_is_counted_up_to_what_was_not() {
        let mut judge = Judge::new(&orders(Silence::Counted));
        let batch = (0..10).map(|offset| record(offset, offset % 4 == 3));
        let shape: Vec<_> = judge
            .batch(batch.collect())
            .into_iter()
            .map(|one| match one {
                Judged::Silent { records, .. } => (None, records),
                Judged::Record(judged) => (Some(judged.0.offset), 1),
            })
            .collect();
        assert_eq!(
            shape,
            [(None, 3), (Some(3), 1), (None, 3), (Some(7), 1), (None, 2)]
        );
    }

    #[test]
    fn whoever_gives_up_on_an_outcome_ends_the_crew() {
        let orders = orders(Silence::Counted);
        let failed = thread::scope(|scope| {
            let mut crew = Crew::of(2, scope, &orders);
            let mut each = |_: Judged| anyhow::bail!("full");
            let mut taken = (0..10_000).map(|offset| crew.take(record(offset, false), &mut each));
            taken.find_map(Result::err)
        });
        assert_eq!(failed.unwrap().to_string(), "full");
    }
}
