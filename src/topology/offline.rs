//! The same stages without a log: for `replay`, for `demo`'s dry run and for the cases beside the
//! rules.
//!
//! Matches get their positions as they come, so the folds see what they would see in `run` with one
//! source. Event times are taken as they are; the watermark stands still until [`Offline::finish`],
//! or, with a lateness, follows the running maximum of event times.

use std::collections::VecDeque;
use std::sync::Arc;

use palisade_detect::alert::Alert;
use palisade_detect::correlation::view::GroupView;
use palisade_detect::correlation::{
    CorrelationDef, Definitions, Fold, KEY_PARTITIONS, Output, Pos, StepError,
};
use palisade_detect::engine::Engine;
use palisade_detect::event::{EventRef, SourcePartition};
use palisade_detect::matches::{self, Body, Mark, MatchBatch, Record, Source, Tick};
use palisade_detect::time::{Span, Timestamp};

use super::fold::{self, Suppression};
use super::stage::{Outcome, RecordPlace, SourceTraits, Stage};

/// Records between two ticks of `--lateness`: often enough to bound the folds' memory.
const TICK_RECORDS: u64 = 1_000;

/// The source whose marks carry the time of the whole input.
const INPUT: &str = "input";

/// How the watermark moves before the input ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watermark {
    /// Not at all.
    StandsStill,
    /// With the running maximum of event times, less this lateness.
    Follows(Span),
}

/// Stage A and the folds in one place.
pub struct Offline {
    stage: Stage,
    traits: SourceTraits,
    folds: Vec<Fold>,
    definitions: Definitions,
    watermark: Watermark,
    newest: Option<Timestamp>,
    records: u64,
    pos: Pos,
}

impl Offline {
    /// Stages for one input.
    ///
    /// # Errors
    /// When a fold does not take the engine's correlations: a defect.
    pub fn new(
        engine: Arc<Engine>,
        traits: SourceTraits,
        watermark: Watermark,
        suppression: Suppression,
    ) -> Result<Self, StepError> {
        let correlations = engine.correlations();
        let definitions = correlations
            .iter()
            .map(|def| (def.version, Arc::clone(def)))
            .collect();
        let mut settings = fold::settings(correlations, suppression);
        if let Watermark::Follows(lateness) = watermark {
            settings.lateness.fill(lateness.ticks());
        }
        let mut offline = Self {
            stage: Stage::new(engine),
            traits,
            folds: (0..KEY_PARTITIONS).map(Fold::new).collect(),
            definitions,
            watermark,
            newest: None,
            records: 0,
            pos: 1,
        };
        offline.broadcast(&Record::new(Body::Settings(settings)), &mut Vec::new())?;
        Ok(offline)
    }

    /// Judges the record at `offset` of `path`; correlations' alerts come last.
    ///
    /// # Errors
    /// When a fold cannot take a step: a defect, as this process wrote the record itself.
    pub fn record(
        &mut self,
        path: &Arc<str>,
        offset: i64,
        payload: Option<&[u8]>,
        received: Timestamp,
    ) -> Result<Outcome, StepError> {
        let place = place(path, offset, received);
        let outcome = self.stage.record(payload, &place, &self.traits);
        self.correlate(path, outcome)
    }

    /// As [`Offline::record`], for an event that needs no decoding. Without a time of its own it takes
    /// no part in correlations: when it was received says nothing here.
    ///
    /// # Errors
    /// As [`Offline::record`].
    pub fn event(
        &mut self,
        path: &Arc<str>,
        offset: i64,
        event: &EventRef<'_>,
        received: Timestamp,
    ) -> Result<Outcome, StepError> {
        let place = place(path, offset, received);
        let mut outcome = self.stage.decoded(event, &place, &self.traits);
        if event.event_time.is_none() {
            outcome.matches.clear();
        }
        self.correlate(path, outcome)
    }

    /// Folds what another stage said of the next record of `path`; correlations' alerts come last.
    ///
    /// # Errors
    /// As [`Offline::record`].
    pub fn correlate(
        &mut self,
        path: &Arc<str>,
        mut outcome: Outcome,
    ) -> Result<Outcome, StepError> {
        self.newest = self.newest.max(outcome.latest_event_time);
        if !outcome.matches.is_empty() {
            let source = Source {
                name: path.to_string(),
                incarnation: 1,
                partition: 0,
            };
            let found = outcome.matches.clone();
            for (part, record) in matches::batches(&source, "", found) {
                self.fold(part, &record, &mut outcome.alerts)?;
            }
        }
        self.records += 1;
        if self.records.is_multiple_of(TICK_RECORDS)
            && let (Watermark::Follows(_), Some(newest)) = (self.watermark, self.newest)
        {
            self.tick(newest, &mut outcome.alerts)?;
        }
        Ok(outcome)
    }

    /// So many records met no rule. Not to be told where the watermark follows their times.
    pub fn pass(&mut self, records: u64) {
        debug_assert!(
            self.watermark == Watermark::StandsStill,
            "their times count"
        );
        self.records += records;
    }

    /// The input has ended: every open window passes.
    ///
    /// # Errors
    /// As [`Offline::record`].
    pub fn finish(&mut self) -> Result<Vec<Alert>, StepError> {
        let mut alerts = Vec::new();
        self.tick(Timestamp::MAX, &mut alerts)?;
        Ok(alerts)
    }

    /// The groups of a correlation as they stand; once the input has ended there are none.
    pub fn groups(&self, def: &CorrelationDef) -> Vec<GroupView> {
        self.folds
            .iter()
            .flat_map(|fold| fold.groups(def))
            .collect()
    }

    /// Elements that the correlations hold.
    pub fn slots(&self) -> u64 {
        self.folds.iter().map(Fold::slots).sum()
    }

    fn tick(&mut self, time: Timestamp, alerts: &mut Vec<Alert>) -> Result<(), StepError> {
        let mark = |source| Mark {
            source: Some(source),
            partitions_total: 1,
            upto: i64::try_from(self.records).unwrap_or(i64::MAX),
            append_time: time.ticks(),
        };
        let input = Source {
            name: INPUT.to_owned(),
            incarnation: 1,
            partition: 0,
        };
        // The folds keep up with the input here, so chained matches have come as far.
        let marks = vec![mark(input), mark(self.folds[0].chain_source())];
        self.broadcast(&Record::tick(Tick { marks }), alerts)
    }

    fn broadcast(&mut self, record: &Record, alerts: &mut Vec<Alert>) -> Result<(), StepError> {
        (0..KEY_PARTITIONS).try_for_each(|part| self.fold(part, record, alerts))
    }

    /// Steps one key partition, then whatever its chained matches lead to.
    fn fold(
        &mut self,
        part: u32,
        record: &Record,
        alerts: &mut Vec<Alert>,
    ) -> Result<(), StepError> {
        let mut waiting = VecDeque::from([(part, record.clone())]);
        let mut out = Vec::new();
        while let Some((part, record)) = waiting.pop_front() {
            let fold = &mut self.folds[part as usize];
            fold.step(self.pos, &record, &self.definitions, &mut out)?;
            self.pos += 1;
            for output in out.drain(..) {
                match output {
                    Output::Alert(alert) => alerts.push(*alert),
                    Output::Chained(to, chained) => {
                        let batch = MatchBatch {
                            source: Some(fold.chain_source()),
                            first_offset: chained.offset,
                            last_offset: chained.offset,
                            writer: String::new(),
                            matches: vec![*chained],
                        };
                        waiting.push_back((to, Record::batch(batch)));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The place of a record of a file.
pub fn place(path: &Arc<str>, offset: i64, received: Timestamp) -> RecordPlace {
    let at = SourcePartition {
        source: Arc::clone(path),
        incarnation: 1,
        partition: 0,
    };
    RecordPlace {
        at,
        offset,
        append_time: received,
    }
}
