//! Stage B: the folds read the matches log and append what they say.
//!
//! One task reads all key partitions in log order. Whatever kills it, the next start folds the log
//! again from its oldest record and says nothing a second time: alerts at or below a key
//! partition's durable `emitted` position are held back.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use palisade_detect::correlation::{Definitions, Fold, KEY_PARTITIONS, Output, StepError};
use palisade_detect::matches::{self, MatchBatch, Record};

use crate::clock::Clock;
use crate::log::{AlertRow, Append, AppendError, BROADCAST, Log, Pos, ReadError, Row, Stream};
use crate::metrics::Metrics;

/// Most records folded between two appends; bounds the memory of one page.
const PAGE_RECORDS: usize = 1_000;

/// Why the folds stop.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The matches log cannot be read.
    #[error("the matches log cannot be read")]
    Read(#[from] ReadError),
    /// The outputs cannot be appended.
    #[error("the correlations' alerts cannot be appended")]
    Append(#[from] AppendError),
    /// A record cannot be understood; nothing is skipped.
    #[error("the matches log cannot be folded")]
    Step(#[from] StepError),
}

/// All key partitions of this process.
pub struct Folds {
    folds: Vec<Fold>,
    definitions: Definitions,
    emitted: BTreeMap<u32, Pos>,
    next: Pos,
}

impl Folds {
    /// Empty folds that read from `oldest` on; `emitted` is what the log says was appended.
    pub fn new(definitions: Definitions, emitted: Vec<(u32, Pos)>, oldest: Pos) -> Self {
        Self {
            folds: (0..KEY_PARTITIONS).map(Fold::new).collect(),
            definitions,
            emitted: emitted.into_iter().collect(),
            next: oldest,
        }
    }

    /// The next position to fold.
    pub fn next(&self) -> Pos {
        self.next
    }

    /// Folds one page of rows; what the outside must be told is in the step.
    fn page(&mut self, rows: &[Row], clock: &Clock) -> Result<Append, FoldError> {
        let mut step = Append::default();
        let mut out = Vec::new();
        for row in rows {
            let record = matches::decode(&row.body).map_err(|error| StepError::Unreadable {
                pos: row.pos,
                message: error.to_string(),
            })?;
            let parts = match row.part {
                BROADCAST => 0..KEY_PARTITIONS,
                part => part..part + 1,
            };
            for part in parts {
                let fold = self.folds.get_mut(part as usize).ok_or(StepError::Unreadable {
                    pos: row.pos,
                    message: format!("key partition {part} is not below {KEY_PARTITIONS}"),
                })?;
                fold.step(row.pos, &record, &self.definitions, &mut out)?;
                let said = self.emitted.get(&part).is_some_and(|emitted| row.pos < *emitted);
                if said {
                    out.clear();
                } else if !out.is_empty() {
                    emit(fold, &mut out, &mut step, clock);
                    upsert(&mut step.emitted, part, row.pos + 1);
                }
            }
            self.next = row.pos + 1;
        }
        Ok(step)
    }

    /// Everything the key partitions say, up to the end of the log and on, until `stop` resolves
    /// and the end is reached.
    ///
    /// # Errors
    /// When the log cannot be read, understood or appended to: the process must stop.
    pub async fn run(
        mut self,
        log: Arc<dyn Log>,
        clock: Clock,
        metrics: Arc<Metrics>,
        mut stop: tokio::sync::watch::Receiver<bool>,
    ) -> Result<(), FoldError> {
        let mut end = log.watch(Stream::Matches);
        loop {
            let rows = log.read(Stream::Matches, self.next, PAGE_RECORDS).await?;
            if rows.is_empty() {
                let stopping = *stop.borrow();
                if stopping && *end.borrow_and_update() <= self.next {
                    return Ok(());
                }
                tokio::select! {
                    changed = end.changed() => if changed.is_err() { return Ok(()); },
                    _ = stop.changed(), if !stopping => {}
                }
                continue;
            }
            let step = self.page(&rows, &clock)?;
            if !step.is_empty() {
                metrics.correlation_alerts(step.alerts.len());
                log.append(step).await?;
            }
            metrics.folds(self.watermark(), self.slots());
        }
    }

    fn watermark(&self) -> Option<palisade_detect::time::Timestamp> {
        self.folds.iter().filter_map(Fold::watermark).min()
    }

    fn slots(&self) -> u64 {
        self.folds.iter().map(Fold::slots).sum()
    }
}

/// Turns outputs of one key partition into rows of the step.
fn emit(fold: &Fold, out: &mut Vec<Output>, step: &mut Append, clock: &Clock) {
    for output in out.drain(..) {
        match output {
            Output::Alert(mut alert) => {
                alert.emitted_at = clock.now().to_string();
                let body = Bytes::from(alert.to_line());
                step.alerts.push(AlertRow { alert_id: alert.alert_id.clone(), body });
            }
            Output::Chained(part, chained) => {
                let batch = MatchBatch {
                    source: Some(fold.chain_source()),
                    first_offset: chained.offset,
                    last_offset: chained.offset,
                    writer: String::new(),
                    matches: vec![*chained],
                };
                step.matches.push((part, Bytes::from(matches::encode(&Record::batch(batch)))));
            }
        }
    }
}

fn upsert(emitted: &mut Vec<(u32, Pos)>, part: u32, pos: Pos) {
    match emitted.iter_mut().find(|(at, _)| *at == part) {
        Some((_, at)) => *at = pos,
        None => emitted.push((part, pos)),
    }
}
