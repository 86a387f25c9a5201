//! Stage B: the folds read the matches log and append what they say.
//!
//! One task reads all key partitions in log order. Whatever kills it, the next start goes on from the
//! newest snapshot of each key partition, or from the log's oldest record, and says nothing a second
//! time: what lies below a key partition's durable `emitted` position is held back.

mod restore;
mod stalled;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use palisade_detect::correlation::{
    CorrelationDef, Definitions, Fold, KEY_PARTITIONS, Output, Stalled, StepError,
};
use palisade_detect::matches::{self, Body, Mark, MatchBatch, Record, Tick};
use palisade_detect::snapshot::{Draft, Header};
use palisade_detect::time::Timestamp;
use tokio::sync::{mpsc, watch};

use crate::log::{AlertRow, Append, AppendError, BROADCAST, Log, Pos, ReadError, Row, Stream};
use crate::snapshots::StoreError;
use crate::topology::snapshots::{Ask, Worth};
use crate::topology::{Site, operational};

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

/// Every version that the log may name, of what was stored before.
///
/// # Errors
/// When the log cannot be read, or a stored correlation cannot be read.
pub async fn stored_definitions(log: &dyn Log) -> Result<Definitions, FoldError> {
    let mut definitions = Definitions::new();
    for (key, body) in log.facts(RULES).await? {
        let def: CorrelationDef = serde_json::from_slice(&body)
            .map_err(|source| FoldError::Definition { key, source })?;
        define(&mut definitions, Arc::new(def));
    }
    Ok(definitions)
}

/// Stores `loaded` under their versions before their first use, and adds them to `definitions`.
///
/// # Errors
/// When the log cannot be read or written.
///
/// # Panics
/// Never: correlations have text keys only.
pub async fn store_definitions(
    log: &dyn Log,
    loaded: &[Arc<CorrelationDef>],
    definitions: &mut Definitions,
) -> Result<(), FoldError> {
    for def in loaded {
        let body = serde_json::to_vec(def.as_ref()).expect("a correlation has text keys only");
        let key = format!("{RULES}{}/{}", def.version, blake3::hash(&body).to_hex());
        if log.facts(&key).await?.is_empty() {
            log.put_fact(&key, Bytes::from(body)).await?;
        }
        define(definitions, Arc::clone(def));
    }
    Ok(())
}

/// Adds a correlation. The last one of a version wins: title and level may differ, and are no part
/// of the version. So may the correlations that refer to it, which are all kept: of those the fold
/// takes what is in force.
fn define(definitions: &mut Definitions, mut def: Arc<CorrelationDef>) {
    if let Some(known) = definitions.get(&def.version) {
        let missing = known
            .outer
            .iter()
            .filter(|outer| !def.outer.contains(outer));
        let missing: Vec<_> = missing.copied().collect();
        if !missing.is_empty() {
            Arc::make_mut(&mut def).outer.extend(missing);
        }
    }
    definitions.insert(def.version, def);
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
    /// Snapshots cannot be read or kept, or contradict the log.
    #[error(transparent)]
    Snapshots(#[from] StoreError),
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
    /// Per key partition, the position from which it is folded: what lies below is in its snapshot.
    begins: Vec<Pos>,
    /// Per key partition, the position after the last record that was more than time.
    changed: Vec<Pos>,
    /// Every version that the log may name; who puts a new one in force says so here first.
    definitions: watch::Sender<Arc<Definitions>>,
    emitted: BTreeMap<u32, Pos>,
    next: Pos,
    settings: Option<matches::Settings>,
    /// Newest append time that the log names.
    newest: Option<Timestamp>,
    /// Alerts of the last record of each key partition that raised any: an old and a new version of a
    /// correlation may say the same.
    said: BTreeMap<u32, BTreeSet<String>>,
    /// How far the sources had come when correlations over correlations were last told.
    told: Option<Timestamp>,
    /// Tells who trims how far the folds have come.
    folded: watch::Sender<Pos>,
    /// Tells how far all sources have come.
    passed: watch::Sender<Option<Timestamp>>,
    /// Who wants to save the state; closed unless somebody does.
    asks: mpsc::Receiver<Ask>,
    /// Says that everything is folded and the process stops.
    finish: watch::Sender<bool>,
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
    /// The log that is folded.
    pub fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log)
    }

    /// Who saves the state: where to ask for it, and what says that it is time for the last time. The
    /// folds then end when nobody can ask any more.
    pub fn serve(&mut self) -> (mpsc::Sender<Ask>, watch::Receiver<bool>) {
        let (asks, asked) = mpsc::channel(1);
        self.asks = asked;
        (asks, self.finish.subscribe())
    }

    /// The position that the folds read next, as it moves.
    pub fn folded(&self) -> watch::Receiver<Pos> {
        self.folded.subscribe()
    }

    /// The append time that all sources have passed, as it moves.
    pub fn passed(&self) -> watch::Receiver<Option<Timestamp>> {
        self.passed.subscribe()
    }

    /// Where whoever puts rules in force says what they are, before the log names them.
    pub fn definitions(&self) -> watch::Sender<Arc<Definitions>> {
        self.definitions.clone()
    }

    /// The settings that the log holds last.
    pub fn settings(&self) -> Option<&matches::Settings> {
        self.settings.as_ref()
    }

    /// The newest append time that the log names.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Follows the log until `stop` says so and the end is reached.
    ///
    /// # Errors
    /// As [`Folds::rebuild`].
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), FoldError> {
        let mut end = self.log.watch(Stream::Matches);
        loop {
            // Between two pages everything that was said so far is durable.
            while let Ok(ask) = self.asks.try_recv() {
                self.answer(ask);
            }
            let stopping = *stop.borrow_and_update();
            if *end.borrow_and_update() > self.next {
                self.advance().await?;
                continue;
            }
            if stopping {
                self.finish.send_replace(true);
                while let Some(ask) = self.asks.recv().await {
                    self.answer(ask);
                }
                return Ok(());
            }
            tokio::select! {
                changed = end.changed() => if changed.is_err() { return Ok(()) },
                changed = stop.changed() => if changed.is_err() { return Ok(()) },
                Some(ask) = self.asks.recv() => self.answer(ask),
            }
        }
    }

    /// Gives a key partition's state, if enough has happened to it.
    fn answer(&self, ask: Ask) {
        let part = ask.part as usize;
        let moved = match ask.worth {
            Worth::Change => self.changed[part],
            Worth::Time => self.next,
        };
        let draft = (moved > ask.since).then(|| {
            let begun = self.site.clock.elapsed();
            let draft = self.draft(ask.part);
            let pause = self.site.clock.elapsed().saturating_sub(begun);
            self.site.metrics.snapshot_pause(pause);
            draft
        });
        // Who asked may have given up.
        ask.reply.send(draft).ok();
    }

    /// The state of a key partition here.
    fn draft(&self, part: u32) -> Draft {
        let said = self.said.get(&part).into_iter().flatten();
        let mut draft = Draft::new(Header {
            partition: part,
            pos: self.next,
            settings: self.settings.clone(),
            newest: self.newest.map(Timestamp::ticks),
            told: self.told.map(Timestamp::ticks),
            said: said.cloned().collect(),
            ..Header::default()
        });
        self.parts[part as usize].snapshot(&mut draft);
        draft
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
        self.publish();
        Ok(())
    }

    /// Says where the folds stand.
    fn publish(&self) {
        self.site
            .metrics
            .folds(self.watermark(), self.slots(), self.next);
        self.folded.send_replace(self.next);
        let passed = self.watermark();
        self.passed.send_if_modified(|told| {
            let moved = *told != passed;
            *told = passed;
            moved
        });
    }

    /// Folds rows; what the outside must be told is in the page.
    fn page(&mut self, rows: &[Row]) -> Result<Page, FoldError> {
        let mut page = Page::default();
        // What these rows name was told before they were appended.
        let definitions = Arc::clone(&self.definitions.borrow());
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
            let ticks = matches!(record.body, Some(Body::Tick(_)));
            let silent = ticks.then(|| self.parts[0].stalled());
            for part in parts {
                if row.pos < self.begins[part as usize] {
                    continue;
                }
                if !ticks {
                    self.changed[part as usize] = row.pos + 1;
                }
                self.fold(part, (row.pos, &record), &definitions, &mut page)?;
            }
            if let Some(silent) = silent {
                self.tell_stalled(row.pos, &silent, &mut page);
            }
            self.newest = self.newest.max(newest(&record));
            if let Some(Body::Settings(settings)) = record.body {
                self.settings = Some(settings);
                page.moves = true;
            } else if ticks {
                page.moves = true;
                self.tell_chains(row.pos, &definitions, &mut page);
            }
            self.next = row.pos + 1;
        }
        Ok(page)
    }

    /// Where correlations are chained: says behind all chained matches so far that no more of them
    /// stem from what the sources had sent before this tick. Ticks go to all key partitions, and
    /// one task folds them in the order of the log, so one mark speaks for all.
    fn tell_chains(&mut self, pos: Pos, definitions: &Definitions, page: &mut Page) {
        let reached = self.watermark();
        if reached <= self.told || definitions.values().all(|def| def.outer.is_empty()) {
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

    /// Says which partitions of sources have fallen silent with the tick at `pos`, beside those that were
    /// `before`. Every key partition sees the same ticks, so that the first one speaks for all.
    fn tell_stalled(&self, pos: Pos, before: &[Stalled], page: &mut Page) {
        if self.emitted.get(&0).is_some_and(|emitted| pos < *emitted) {
            return;
        }
        let was = |now: &Stalled| {
            let place = |one: &Stalled| (one.source.clone(), one.incarnation, one.partition);
            before.iter().any(|one| place(one) == place(now))
        };
        for now in self.parts[0].stalled() {
            if !was(&now) {
                let alert = self.site.alarms.alert(stalled::notice(&now));
                page.step.alerts.push(operational::row(alert));
            }
        }
    }

    /// Steps one key partition by one record.
    fn fold(
        &mut self,
        part: u32,
        (pos, record): (Pos, &Record),
        definitions: &Definitions,
        page: &mut Page,
    ) -> Result<(), FoldError> {
        let mut out = Vec::new();
        let fold = &mut self.parts[part as usize];
        fold.step(pos, record, definitions, &mut out)?;
        once(&mut out, self.said.entry(part).or_default());
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

/// Leaves out the alerts that this record or the one before it raised already: versions of one
/// correlation that are in force together give the same alert the same id.
fn once(out: &mut Vec<Output>, said: &mut BTreeSet<String>) {
    if out.is_empty() {
        return;
    }
    let mut now = BTreeSet::new();
    out.retain(|output| match output {
        Output::Alert(alert) => {
            now.insert(alert.alert_id.clone()) && !said.contains(&alert.alert_id)
        }
        Output::Chained(..) => true,
    });
    if !now.is_empty() {
        *said = now;
    }
}

/// The newest append time that a record's matches or marks name. An input that has ended is marked
/// with the end of time, which does not count.
fn newest(record: &Record) -> Option<Timestamp> {
    let times: Vec<i64> = match &record.body {
        Some(Body::Batch(batch)) => batch.matches.iter().map(|one| one.append_time).collect(),
        Some(Body::Tick(tick)) => tick.marks.iter().map(|one| one.append_time).collect(),
        _ => Vec::new(),
    };
    let times = times.into_iter().map(Timestamp::from_ticks);
    times.filter(|time| *time != Timestamp::MAX).max()
}

#[cfg(test)]
mod tests;
