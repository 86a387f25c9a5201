//! The fold by example, and against a plain model.

mod bounds;
mod chain;
mod examples;
mod model;
mod snapshot;
mod time;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::alert::RuleInfo;
use crate::matches::{Carried, Mark as TickMark, MatchBatch, Settings, Tick, way};
use crate::rule::{Comparison, Wording};
use crate::time::Span;

/// A correlation over the rules `a`, `b`, `c`, grouped by `user`, with a window of `timespan`
/// seconds, no lateness and no suppression.
fn def(number: u8, kind: DefKind, timespan: i64) -> CorrelationDef {
    let id = format!("c{number}");
    CorrelationDef {
        id: id.clone(),
        version: Id::from_bytes([number; 16]),
        rule: RuleInfo {
            id,
            version: "v".into(),
            name: "n".into(),
            kind: "event_count".into(),
            level: None,
            author: None,
            references: Vec::new(),
            false_positives: Vec::new(),
            tags: vec!["attack.t1110".into()],
        },
        title: "title".into(),
        description: None,
        severity: Level::High,
        kind,
        base_rules: vec!["a".into(), "b".into(), "c".into()],
        group_by: vec!["user".into()],
        timespan: Span::from_seconds(timespan),
        alerts: true,
        suppress: None,
        lateness: Span::ZERO,
        outer: Vec::new(),
        wording: Wording::default(),
    }
}

fn at_least(least: f64) -> Bounds {
    Bounds(vec![(Comparison::Gte, least)])
}

fn definitions(defs: impl IntoIterator<Item = CorrelationDef>) -> Definitions {
    defs.into_iter()
        .map(|def| (def.version, Arc::new(def)))
        .collect()
}

fn source(name: &str) -> Source {
    Source {
        name: name.into(),
        incarnation: 1,
        partition: 0,
    }
}

/// A match of `def` by rule `a` for the group `kim`, at `seconds`, at `offset` of its source.
fn found(def: &CorrelationDef, offset: i64, seconds: i64) -> Match {
    of_group(def, "kim", offset, seconds)
}

fn of_group(def: &CorrelationDef, group: &str, offset: i64, seconds: i64) -> Match {
    Match {
        offset,
        event_id: event_id(offset).as_bytes().to_vec(),
        event_time: Timestamp::from_unix_seconds(seconds).ticks(),
        append_time: Timestamp::from_unix_seconds(seconds).ticks(),
        rule_version: def.version.as_bytes().to_vec(),
        correlation_id: def.id.clone(),
        base_rules: vec![0],
        group_key: GroupKey::new("t", &[group]).as_bytes().to_vec(),
        group_values: vec![group.to_owned()],
        evidence: format!(r#"{{"offset":{offset}}}"#).into_bytes(),
        tenant: "t".into(),
        logsource: "azure/signinlogs".into(),
        ..Match::default()
    }
}

fn event_id(offset: i64) -> Id {
    crate::id::IdHasher::new("test").number(offset).finish()
}

/// A fold with its log position and definitions.
struct Bench {
    fold: Fold,
    definitions: Definitions,
    pos: Pos,
}

impl Bench {
    fn new(defs: impl IntoIterator<Item = CorrelationDef>) -> Self {
        Self {
            fold: Fold::new(0),
            definitions: definitions(defs),
            pos: 0,
        }
    }

    fn step(&mut self, record: &Record) -> Vec<Output> {
        let mut out = Vec::new();
        self.pos += 1;
        self.fold
            .step(self.pos, record, &self.definitions, &mut out)
            .expect("a good record");
        out
    }

    fn send_from(&mut self, name: &str, matches: Vec<Match>) -> Vec<Output> {
        self.step(&Record::batch(MatchBatch {
            source: Some(source(name)),
            matches,
            ..MatchBatch::default()
        }))
    }

    fn send(&mut self, found: Match) -> Vec<Alert> {
        alerts(self.send_from("hub", vec![found]))
    }

    /// Sends matches one by one; the offsets of those that raised an alert.
    fn fired(&mut self, matches: impl IntoIterator<Item = Match>) -> Vec<i64> {
        let mut fired = Vec::new();
        for found in matches {
            let offset = found.offset;
            fired.extend(self.send(found).iter().map(|_| offset));
        }
        fired
    }

    /// The only source has come to `seconds`.
    fn tick(&mut self, seconds: i64) {
        self.step(&Record::tick(Tick {
            marks: vec![mark("hub", seconds)],
        }));
    }
}

fn mark(name: &str, seconds: i64) -> TickMark {
    TickMark {
        source: Some(source(name)),
        partitions_total: 1,
        upto: 0,
        append_time: Timestamp::from_unix_seconds(seconds).ticks(),
    }
}

fn alerts(out: Vec<Output>) -> Vec<Alert> {
    out.into_iter()
        .filter_map(|output| match output {
            Output::Alert(alert) => Some(*alert),
            Output::Chained(..) => None,
        })
        .collect()
}

fn chained(out: Vec<Output>) -> Vec<(u32, Match)> {
    out.into_iter()
        .filter_map(|output| match output {
            Output::Alert(_) => None,
            Output::Chained(part, found) => Some((part, *found)),
        })
        .collect()
}
