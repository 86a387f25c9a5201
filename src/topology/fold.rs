//! Stage B: the folds read the matches log and append what they say.
//!
//! One task reads all key partitions in log order. Whatever kills it, the next start folds the log
//! again from its oldest record and says nothing a second time: what lies below a key partition's
//! durable `emitted` position is held back.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use palisade_detect::correlation::{Definitions, Fold, KEY_PARTITIONS, Output, StepError};
use palisade_detect::matches::{self, Body, MatchBatch, Record};
use palisade_detect::time::Timestamp;
use tokio::sync::watch;

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
    settings: Option<matches::Settings>,
    log: Arc<dyn Log>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// What a page of rows came to.
#[derive(Default)]
struct Page {
    step: Append,
    /// When the broker took the newest record behind each alert.
    alert_times: Vec<Timestamp>,
    /// Whether the step moves `emitted`: it said something, or time went on.
    moves: bool,
}

impl Folds {
    /// Folds the log from its oldest record to its end.
    ///
    /// # Errors
    /// When the log cannot be read, understood or appended to: the process must stop.
    pub async fn rebuild(
        log: Arc<dyn Log>,
        definitions: Definitions,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, FoldError> {
        let bounds = log.bounds(Stream::Matches).await?;
        let mut folds = Self {
            folds: (0..KEY_PARTITIONS).map(Fold::new).collect(),
            definitions,
            emitted: log.emitted().await?.into_iter().collect(),
            next: bounds.start,
            settings: None,
            log,
            clock,
            metrics,
        };
        while folds.next < bounds.end {
            folds.advance().await?;
        }
        tracing::info!(from = bounds.start, to = folds.next, elements = folds.slots(), "folded");
        Ok(folds)
    }

    /// Appends `settings` unless they are in force already.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub async fn put_in_force(&self, settings: matches::Settings) -> Result<(), FoldError> {
        if self.settings.as_ref() == Some(&settings) {
            return Ok(());
        }
        let record = Record::new(Body::Settings(settings));
        let row = (BROADCAST, Bytes::from(matches::encode(&record)));
        self.log.append(Append { matches: vec![row], ..Append::default() }).await?;
        Ok(())
    }

    /// Follows the log until `stop` says so and the end is reached.
    ///
    /// # Errors
    /// As [`Folds::rebuild`].
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), FoldError> {
        let mut end = self.log.watch(Stream::Matches);
        loop {
            let stopping = *stop.borrow_and_update();
            if *end.borrow_and_update() > self.next {
                self.advance().await?;
                continue;
            }
            if stopping {
                return Ok(());
            }
            tokio::select! {
                changed = end.changed() => if changed.is_err() { return Ok(()) },
                changed = stop.changed() => if changed.is_err() { return Ok(()) },
            }
        }
    }

    /// Folds one page, then makes durable what it says.
    async fn advance(&mut self) -> Result<(), FoldError> {
        let rows = self.log.read(Stream::Matches, self.next, PAGE_RECORDS).await?;
        if rows.is_empty() {
            let (stream, from) = (Stream::Matches, self.next);
            return Err(ReadError::Gap { stream, from, to: from + 1 }.into());
        }
        let mut page = self.page(&rows)?;
        if page.moves {
            let behind =
                (0..KEY_PARTITIONS).filter(|part| self.emitted.get(part).is_none_or(|at| *at < self.next));
            page.step.emitted = behind.map(|part| (part, self.next)).collect();
        }
        if !page.step.is_empty() {
            let moved = page.step.emitted.clone();
            self.log.append(page.step).await?;
            self.emitted.extend(moved);
            let now = self.clock.now();
            for time in page.alert_times {
                self.metrics.alert_latency(now.since(time));
            }
        }
        let watermark = self.folds.iter().filter_map(Fold::watermark).min();
        self.metrics.folds(watermark, self.slots(), self.next);
        Ok(())
    }

    /// Folds rows; what the outside must be told is in the page.
    fn page(&mut self, rows: &[Row]) -> Result<Page, FoldError> {
        let mut page = Page::default();
        for row in rows {
            let unreadable = |message: String| StepError::Unreadable { pos: row.pos, message };
            let record =
                matches::decode(&row.body).map_err(|error| unreadable(error.to_string()))?;
            let parts = match row.part {
                BROADCAST => 0..KEY_PARTITIONS,
                part if part < KEY_PARTITIONS => part..part + 1,
                part => {
                    let message = format!("key partition {part} is not below {KEY_PARTITIONS}");
                    return Err(unreadable(message).into());
                }
            };
            for part in parts {
                self.fold(part, row.pos, &record, &mut page)?;
            }
            if let Some(Body::Settings(settings)) = record.body {
                self.settings = Some(settings);
                page.moves = true;
            } else if matches!(record.body, Some(Body::Tick(_))) {
                page.moves = true;
            }
            self.next = row.pos + 1;
        }
        Ok(page)
    }

    /// Steps one key partition by one record.
    fn fold(
        &mut self,
        part: u32,
        pos: Pos,
        record: &Record,
        page: &mut Page,
    ) -> Result<(), FoldError> {
        let mut out = Vec::new();
        let fold = &mut self.folds[part as usize];
        fold.step(pos, record, &self.definitions, &mut out)?;
        // What lies below `emitted` was appended by an earlier process, in one step with `emitted`.
        if self.emitted.get(&part).is_some_and(|emitted| pos < *emitted) {
            return Ok(());
        }
        for output in out {
            page.moves = true;
            match output {
                Output::Alert(mut alert) => {
                    alert.emitted_at = self.clock.now().to_string();
                    self.metrics.alert(&alert);
                    page.alert_times.extend(newest(record));
                    let body = Bytes::from(alert.to_line());
                    page.step.alerts.push(AlertRow { alert_id: alert.alert_id, body });
                }
                Output::Chained(to, chained) => {
                    let record = Record::batch(MatchBatch {
                        source: Some(fold.chain_source()),
                        first_offset: chained.offset,
                        last_offset: chained.offset,
                        writer: String::new(),
                        matches: vec![*chained],
                    });
                    page.step.matches.push((to, Bytes::from(matches::encode(&record))));
                }
            }
        }
        Ok(())
    }

    fn slots(&self) -> u64 {
        self.folds.iter().map(Fold::slots).sum()
    }
}

/// The newest append time among a record's matches.
fn newest(record: &Record) -> Option<Timestamp> {
    let Some(Body::Batch(batch)) = &record.body else { return None };
    batch.matches.iter().map(|found| Timestamp::from_ticks(found.append_time)).max()
}
