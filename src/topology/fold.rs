//! Stage B: the folds read the matches log and append what they say.
//!
//! One task reads all key partitions in log order. Whatever kills it, the next start folds the log
//! again from its oldest record and says nothing a second time: what lies below a key partition's
//! durable `emitted` position is held back.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use palisade_detect::correlation::{
    CorrelationDef, Definitions, Fold, KEY_PARTITIONS, Output, StepError,
};
use palisade_detect::matches::{self, Body, Mark, MatchBatch, Record, Tick};
use palisade_detect::time::Timestamp;
use tokio::sync::watch;

use crate::log::{AlertRow, Append, AppendError, BROADCAST, Log, Pos, ReadError, Row, Stream};
use crate::topology::Site;

/// Most records folded between two appends; bounds the memory of one page.
const PAGE_RECORDS: usize = 1_000;

/// Elements that one correlation and tenant may hold over all key partitions.
const ELEMENTS_PER_CORRELATION: u64 = 200_000;

/// Elements that all correlations may hold over all key partitions.
const ELEMENTS_TOTAL: u64 = 8_000_000;

/// Elements that one group may hold; more make its count approximate.
const ELEMENTS_PER_GROUP: u64 = 4_096;

/// Prefix of the facts that hold correlations, each under its version.
const RULES: &str = "rules/";

/// Whether a correlation that fired stays silent for its group for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Suppression {
    /// As each correlation says.
    #[default]
    AsWritten,
    /// Every satisfied evaluation raises an alert.
    Off,
}

/// What is in force with these correlations.
pub fn settings(
    correlations: &[Arc<CorrelationDef>],
    suppression: Suppression,
) -> matches::Settings {
    let active: BTreeMap<_, _> = correlations
        .iter()
        .map(|def| (def.version.as_bytes().to_vec(), def.lateness))
        .collect();
    let parts = u64::from(KEY_PARTITIONS);
    matches::Settings {
        lateness: active.values().map(|lateness| lateness.ticks()).collect(),
        active: active.into_keys().collect(),
        slots_per_correlation: ELEMENTS_PER_CORRELATION / parts,
        slots_total: ELEMENTS_TOTAL / parts,
        elements_per_group: ELEMENTS_PER_GROUP,
        suppress: suppression == Suppression::AsWritten,
        ..matches::Settings::default()
    }
}

/// Stores `loaded` under their versions before their first use, and gives every version that the
/// log may name. What is loaded wins over what was stored: title and level may differ, and are no
/// part of the version.
///
/// # Errors
/// When the log cannot be read or written, or a stored correlation cannot be read.
///
/// # Panics
/// Never: correlations have text keys only.
pub async fn store_definitions(
    log: &dyn Log,
    loaded: &[Arc<CorrelationDef>],
) -> Result<Definitions, FoldError> {
    let mut definitions = Definitions::new();
    let stored = log.facts(RULES).await?;
    for (key, body) in &stored {
        let def: CorrelationDef =
            serde_json::from_slice(body).map_err(|source| FoldError::Definition {
                key: key.clone(),
                source,
            })?;
        definitions.insert(def.version, Arc::new(def));
    }
    for def in loaded {
        let body = serde_json::to_vec(def.as_ref()).expect("a correlation has text keys only");
        let key = format!("{RULES}{}/{}", def.version, blake3::hash(&body).to_hex());
        if !stored.iter().any(|(stands, _)| *stands == key) {
            log.put_fact(&key, Bytes::from(body)).await?;
        }
        definitions.insert(def.version, Arc::clone(def));
    }
    Ok(definitions)
}

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
    /// A stored correlation cannot be read.
    #[error("the stored correlation `{key}` cannot be read")]
    Definition {
        /// The fact's key.
        key: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

/// All key partitions of this process.
pub struct Folds {
    /// One fold a key partition.
    parts: Vec<Fold>,
    definitions: Definitions,
    emitted: BTreeMap<u32, Pos>,
    next: Pos,
    settings: Option<matches::Settings>,
    /// How far the sources had come when correlations over correlations were last told.
    told: Option<Timestamp>,
    /// Tells who trims how far the folds have come.
    folded: watch::Sender<Pos>,
    log: Arc<dyn Log>,
    site: Site,
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
        site: Site,
    ) -> Result<Self, FoldError> {
        let bounds = log.bounds(Stream::Matches).await?;
        let mut folds = Self {
            parts: (0..KEY_PARTITIONS).map(Fold::new).collect(),
            definitions,
            emitted: log.emitted().await?.into_iter().collect(),
            next: bounds.start,
            settings: None,
            told: None,
            folded: watch::Sender::new(bounds.start),
            log,
            site,
        };
        while folds.next < bounds.end {
            folds.advance().await?;
        }
        tracing::info!(
            from = bounds.start,
            to = folds.next,
            elements = folds.slots(),
            "folded"
        );
        Ok(folds)
    }

    /// The position that the folds read next, as it moves.
    pub fn folded(&self) -> watch::Receiver<Pos> {
        self.folded.subscribe()
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
        self.log
            .append(Append {
                matches: vec![row],
                ..Append::default()
            })
            .await?;
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
        let rows = self
            .log
            .read(Stream::Matches, self.next, PAGE_RECORDS)
            .await?;
        if rows.is_empty() {
            let (stream, from) = (Stream::Matches, self.next);
            return Err(ReadError::Gap {
                stream,
                from,
                to: from + 1,
            }
            .into());
        }
        let mut page = self.page(&rows)?;
        if page.moves {
            let behind = (0..KEY_PARTITIONS)
                .filter(|part| self.emitted.get(part).is_none_or(|at| *at < self.next));
            page.step.emitted = behind.map(|part| (part, self.next)).collect();
        }
        if !page.step.is_empty() {
            let moved = page.step.emitted.clone();
            self.log.append(page.step).await?;
            self.emitted.extend(moved);
            let now = self.site.clock.now();
            for time in page.alert_times {
                self.site.metrics.alert_latency(now.since(time));
            }
        }
        self.site
            .metrics
            .folds(self.watermark(), self.slots(), self.next);
        self.folded.send_replace(self.next);
        Ok(())
    }

    /// Folds rows; what the outside must be told is in the page.
    fn page(&mut self, rows: &[Row]) -> Result<Page, FoldError> {
        let mut page = Page::default();
        for row in rows {
            let unreadable = |message: String| StepError::Unreadable {
                pos: row.pos,
                message,
            };
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
                self.tell_chains(row.pos, &mut page);
            }
            self.next = row.pos + 1;
        }
        Ok(page)
    }

    /// Where correlations are chained: says behind all chained matches so far that no more of them
    /// stem from what the sources had sent before this tick. Ticks go to all key partitions, and
    /// one task folds them in the order of the log, so one mark speaks for all.
    fn tell_chains(&mut self, pos: Pos, page: &mut Page) {
        let reached = self.watermark();
        if reached <= self.told || self.definitions.values().all(|def| def.outer.is_empty()) {
            return;
        }
        self.told = reached;
        let said = self.emitted.get(&0).is_some_and(|emitted| pos < *emitted);
        if let (Some(time), false) = (reached, said) {
            let mark = Mark {
                source: Some(self.parts[0].chain_source()),
                partitions_total: 1,
                upto: 0,
                append_time: time.ticks(),
            };
            let record = Record::tick(Tick { marks: vec![mark] });
            let row = (BROADCAST, Bytes::from(matches::encode(&record)));
            page.step.matches.push(row);
        }
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
        let fold = &mut self.parts[part as usize];
        fold.step(pos, record, &self.definitions, &mut out)?;
        // What lies below `emitted` was appended by an earlier process, in one step with `emitted`.
        if self
            .emitted
            .get(&part)
            .is_some_and(|emitted| pos < *emitted)
        {
            return Ok(());
        }
        for output in out {
            page.moves = true;
            match output {
                Output::Alert(mut alert) => {
                    alert.emitted_at = self.site.clock.now().to_string();
                    self.site.metrics.alert(&alert);
                    page.alert_times.extend(newest(record));
                    let body = Bytes::from(alert.to_line());
                    page.step.alerts.push(AlertRow {
                        alert_id: alert.alert_id,
                        body,
                    });
                }
                Output::Chained(to, chained) => {
                    let record = Record::batch(MatchBatch {
                        source: Some(fold.chain_source()),
                        first_offset: chained.offset,
                        last_offset: chained.offset,
                        writer: String::new(),
                        matches: vec![*chained],
                    });
                    page.step
                        .matches
                        .push((to, Bytes::from(matches::encode(&record))));
                }
            }
        }
        Ok(())
    }

    fn watermark(&self) -> Option<Timestamp> {
        self.parts.iter().filter_map(Fold::watermark).min()
    }

    fn slots(&self) -> u64 {
        self.parts.iter().map(Fold::slots).sum()
    }
}

/// The newest append time among a record's matches.
fn newest(record: &Record) -> Option<Timestamp> {
    let Some(Body::Batch(batch)) = &record.body else {
        return None;
    };
    batch
        .matches
        .iter()
        .map(|found| Timestamp::from_ticks(found.append_time))
        .max()
}

#[cfg(test)]
mod tests;
