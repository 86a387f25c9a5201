//! Palisade's folds over the records of a matches log. What is timed are the steps, of matches and of ticks;
//! the log is apart: records are encoded before, and decoding them is told as replay.

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_detect::alert::RuleInfo;
use palisade_detect::correlation::{
    CorrelationDef, DefKind, Definitions, Fold, GroupKey, KEY_PARTITIONS, Output,
};
use palisade_detect::id::Id;
use palisade_detect::matches::{self, Body, Mark, Match, Record, Settings, Source, Tick};
use palisade_detect::rule::{Bounds, Comparison, Level, TemporalCondition, Wording};
use palisade_detect::time::{Span, TICKS_PER_SECOND, Timestamp};

use crate::clock::Watch;
use crate::heap;
use crate::input::{Event, Kind, Shape};
use crate::outcome::Outcome;

/// Seconds of event time between two ticks.
const TICK_SECONDS: i64 = 5;
/// Ticks of 100 ns in a microsecond.
const TICKS_PER_US: i64 = 10;

/// The correlation of a shape.
pub(crate) fn definition(kind: Kind, timespan: u64, lateness: Span) -> CorrelationDef {
    let timespan = Span::from_seconds(i64::try_from(timespan).unwrap_or(i64::MAX));
    let least = Bounds(vec![(Comparison::Gte, 10.0)]);
    let two = TemporalCondition::Count(Bounds(vec![(Comparison::Gte, 2.0)]));
    CorrelationDef {
        id: "c".into(),
        version: Id::from_bytes([7; 16]),
        rule: RuleInfo {
            id: "c".into(),
            version: "v".into(),
            name: "c".into(),
            kind: kind.name().into(),
            level: None,
            author: None,
            references: Vec::new(),
            false_positives: Vec::new(),
            tags: vec!["attack.t1110".into()],
        },
        title: "c".into(),
        description: None,
        severity: Level::Medium,
        kind: match kind {
            Kind::EventCount => DefKind::EventCount(least),
            Kind::ValueCount => DefKind::ValueCount(least),
            Kind::Temporal => DefKind::Temporal(two),
            Kind::TemporalOrdered => DefKind::TemporalOrdered(TemporalCondition::All),
        },
        base_rules: match kind {
            Kind::EventCount | Kind::ValueCount => vec!["failed".into()],
            Kind::Temporal | Kind::TemporalOrdered => vec!["failed".into(), "good".into()],
        },
        group_by: vec!["key".into()],
        timespan,
        alerts: true,
        suppress: Some(timespan),
        lateness,
        outer: Vec::new(),
        wording: Wording::default(),
    }
}

/// What the matches log says of an event.
pub(crate) fn found(def: &CorrelationDef, kind: Kind, event: Event) -> Match {
    let (user, group) = (event.user(kind), event.group(kind));
    let mut id = [0; 16];
    id[..8].copy_from_slice(&event.number.to_be_bytes());
    let time = event.time_us() * TICKS_PER_US;
    let rule = match kind {
        Kind::EventCount | Kind::ValueCount => 0,
        Kind::Temporal | Kind::TemporalOrdered => event.rule,
    };
    Match {
        offset: i64::try_from(event.number).unwrap_or(i64::MAX),
        event_id: id.to_vec(),
        event_time: time,
        append_time: time,
        rule_version: def.version.as_bytes().to_vec(),
        correlation_id: def.id.clone(),
        base_rules: vec![rule],
        group_key: GroupKey::new("default", &[&group]).as_bytes().to_vec(),
        value_hash: event.value + 1,
        has_value: kind == Kind::ValueCount,
        evidence: event.json(kind).into_bytes(),
        tenant: "default".into(),
        logsource: "azure/signinlogs".into(),
        log_type: "entra_signin".into(),
        entities: format!(
            r#"[{{"id":1,"kind":"account","role":"actor","ids":{{"upn":"{user}"}}}},{{"id":2,"kind":"ip","role":"source","ids":{{"address":"{}"}}}}]"#,
            event.address(kind)
        )
        .into_bytes(),
        fields: format!(r#"{{"resultType":"{}"}}"#, event.result(kind)).into_bytes(),
        group_values: vec![group],
        ..Match::default()
    }
}

/// All key partitions, with the time of their ticks.
pub(crate) struct Folds {
    parts: Vec<Fold>,
    definitions: Definitions,
    source: Source,
    pos: u64,
    ticked: i64,
    /// Time of the steps.
    pub(crate) steps: Watch,
    /// Time of decoding records.
    decoding: Watch,
}

impl Folds {
    /// Empty folds for one correlation, with the settings' quotas.
    pub(crate) fn new(def: &CorrelationDef, quotas: &Settings) -> anyhow::Result<Self> {
        let mut folds = Self {
            parts: (0..KEY_PARTITIONS).map(Fold::new).collect(),
            definitions: [(def.version, Arc::new(def.clone()))].into(),
            source: Source {
                name: "hub".into(),
                incarnation: 1,
                partition: 0,
            },
            pos: 0,
            ticked: 0,
            steps: Watch::default(),
            decoding: Watch::default(),
        };
        let settings = Settings {
            active: vec![def.version.as_bytes().to_vec()],
            lateness: vec![def.lateness.ticks()],
            suppress: true,
            ..quotas.clone()
        };
        folds.broadcast(&Record::new(Body::Settings(settings)))?;
        Ok(folds)
    }

    /// Encodes the matches as stage A does, decodes and folds them.
    pub(crate) fn take(&mut self, found: Vec<Match>) -> anyhow::Result<Vec<Output>> {
        let newest = found.iter().map(|one| one.append_time).max().unwrap_or(0);
        let mut out = Vec::new();
        for (part, record) in matches::batches(&self.source, "", found) {
            let bytes = matches::encode(&record);
            drop(record);
            let record = self.decoding.run(|| matches::decode(&bytes))?;
            let fold = &mut self.parts[part as usize];
            self.pos += 1;
            let (pos, definitions) = (self.pos, &self.definitions);
            self.steps
                .run(|| fold.step(pos, &record, definitions, &mut out))?;
        }
        if newest - self.ticked >= TICK_SECONDS * TICKS_PER_SECOND {
            self.ticked = newest;
            let mark = Mark {
                source: Some(self.source.clone()),
                partitions_total: 1,
                upto: 0,
                append_time: Timestamp::from_ticks(newest).ticks(),
            };
            self.broadcast(&Record::tick(Tick { marks: vec![mark] }))?;
        }
        Ok(out)
    }

    fn broadcast(&mut self, record: &Record) -> anyhow::Result<()> {
        self.pos += 1;
        let mut none = Vec::new();
        for fold in &mut self.parts {
            let (pos, definitions) = (self.pos, &self.definitions);
            self.steps
                .run(|| fold.step(pos, record, definitions, &mut none))?;
        }
        Ok(())
    }

    /// Slots in use.
    pub(crate) fn slots(&self) -> u64 {
        self.parts.iter().map(Fold::slots).sum()
    }

    /// What was forgotten for want of room.
    pub(crate) fn evicted(&self) -> u64 {
        self.parts.iter().map(Fold::evicted).sum()
    }
}

/// Quotas that no shape reaches.
pub(crate) fn wide() -> Settings {
    Settings {
        slots_per_correlation: 100_000_000,
        slots_total: 100_000_000,
        ..Settings::default()
    }
}

/// Folds the events of `shape`.
///
/// # Errors
/// When a fold cannot take a step.
pub(crate) fn run(shape: Shape, lateness: Span) -> anyhow::Result<Outcome> {
    let def = definition(shape.kind, crate::input::TIMESPAN, lateness);
    let mut outcome = Outcome::default();
    let (folds, grown) = heap::growth(|| Folds::new(&def, &wide()));
    let mut folds = folds?;
    outcome.heap += grown;
    let mut keys = BTreeSet::new();
    for block in shape.blocks() {
        outcome.matches += block.len() as u64;
        keys.extend(block.iter().map(|event| event.key));
        let found: Vec<Match> = block
            .into_iter()
            .map(|event| found(&def, shape.kind, event))
            .collect();
        let copy = || found.clone();
        // The copy made below the count leaves it again within the same call.
        let (alerts, grown) = heap::growth(|| {
            let said = folds.take(copy())?;
            Ok::<_, anyhow::Error>(said.len() as u64)
        });
        outcome.alerts += alerts?;
        outcome.heap += grown;
    }
    outcome.seconds = folds.steps.seconds();
    outcome.replay_seconds = folds.steps.seconds() + folds.decoding.seconds();
    outcome.keys = keys.len() as u64;
    Ok(outcome)
}
