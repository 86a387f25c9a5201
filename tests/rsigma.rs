//! Results that `RSigma` 0.26.0 gets wrong, each with the right one.
//!
//! Source: reproductions on its release, which are told by what went in. One of them, `not` in a
//! correlation's condition, needs a decision at the window's end; such a rule is refused.

use std::fmt::Write as _;
use std::sync::Arc;

use palisade::config::Pipelines;
use palisade::rules;
use palisade::topology::fold::{self, Suppression};
use palisade::topology::offline::{Offline, Watermark};
use palisade::topology::stage::{RecordPlace, SourceTraits, Stage, UnknownPolicy};
use palisade_detect::correlation::{Definitions, Fold, KEY_PARTITIONS, Output};
use palisade_detect::engine::{Clamp, Engine, EngineOptions};
use palisade_detect::event::SourcePartition;
use palisade_detect::matches::{self, Body, Record, Settings, Source};
use palisade_detect::rule::RuleFile;
use palisade_detect::time::Timestamp;
use palisade_ingest::decode::Hints;

const BASE: &str = "
title: Role assignment written
name: write
logsource: {product: azure, service: activitylogs}
detection:
    selection: {operationName: Microsoft.Authorization/roleAssignments/write}
    condition: selection
---
title: Role assignment deleted
name: delete
logsource: {product: azure, service: activitylogs}
detection:
    selection: {operationName: Microsoft.Authorization/roleAssignments/delete}
    condition: selection
---
";

/// Three writes in ten minutes from one address.
const THREE: &str = "
title: Three writes
id: 0b0c9a3e-52a6-4a3e-8f7f-6f2b8d8f1c01
correlation:
    type: event_count
    rules: [write]
    group-by: [callerIpAddress]
    timespan: 10m
    condition: {gte: 3}
";

fn loaded(correlation: &str) -> rules::Loaded {
    let file = RuleFile {
        name: Arc::from("rules.yml"),
        bytes: format!("{BASE}{correlation}").into_bytes(),
    };
    let (maps, problems) = rules::pipeline_files(&Pipelines::built_in());
    assert!(problems.is_empty(), "{problems:?}");
    rules::load_files(&[file], &maps, EngineOptions::default())
}

fn engine(correlation: &str) -> Arc<Engine> {
    let loaded = loaded(correlation);
    assert_eq!(loaded.findings.diagnostics, []);
    Arc::new(loaded.engine.expect("the pipelines load"))
}

/// A record of the Activity Log.
fn record(operation: &str, time: &str, address: &str) -> String {
    let mut text = String::new();
    write!(
        text,
        r#"{{"time":"{time}","resourceId":"/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000001",
        "operationName":"MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/{operation}",
        "category":"Administrative","resultType":"Success","callerIpAddress":"{address}",
        "identity":{{"claims":{{}}}},"properties":{{}}}}"#
    )
    .expect("text grows");
    text
}

fn traits(clamp: Clamp) -> SourceTraits {
    SourceTraits {
        tenant: Arc::from("default"),
        hints: Hints::default(),
        unknown: UnknownPolicy::JudgeAll,
        clamp,
    }
}

/// The places of the records on which the correlation fires, nothing suppressed.
fn fires(correlation: &str, clamp: Clamp, records: impl IntoIterator<Item = String>) -> Vec<i64> {
    let received = Timestamp::parse_rfc3339("2026-01-10T12:30:00Z").expect("a time");
    let mut stages = Offline::new(
        engine(correlation),
        traits(clamp),
        Watermark::StandsStill,
        Suppression::Off,
    )
    .expect("the folds take the correlations");
    let path = Arc::from("records");
    let mut fired = Vec::new();
    for (offset, record) in (0..).zip(records) {
        let outcome = stages.record(&path, offset, Some(record.as_bytes()), received);
        let alerts = outcome.expect("the folds take their matches").alerts;
        fired.extend(alerts.iter().map(|_| offset));
    }
    assert!(stages.finish().expect("the end is a tick").is_empty());
    fired
}

/// As [`fires`], of writes from one address at these times.
fn fires_at(clamp: Clamp, times: &[&str]) -> Vec<i64> {
    let records = times.iter().map(|time| record("WRITE", time, "192.0.2.1"));
    fires(THREE, clamp, records)
}

#[test]
fn events_days_apart_that_arrive_late_and_backwards_are_not_counted_together() {
    let times = [
        "2026-01-10T12:00:00Z",
        "2026-01-03T12:00:00Z",
        "2026-01-01T12:00:00Z",
    ];
    assert_eq!(fires_at(Clamp::Never, &times), [0_i64; 0]);
}

#[test]
fn a_straggler_completes_the_window_that_it_belongs_to() {
    let times = [
        "2026-01-10T12:00:00Z",
        "2026-01-10T12:01:00Z",
        "2026-01-10T12:12:00Z",
        "2026-01-10T12:02:00Z",
    ];
    assert_eq!(fires_at(Clamp::Never, &times), [3]);
}

#[test]
fn an_event_from_the_future_neither_wipes_a_window_nor_counts_in_it() {
    let times = [
        "2026-01-10T12:00:00Z",
        "2026-01-10T12:00:10Z",
        "2030-01-01T00:00:00Z",
        "2026-01-10T12:00:20Z",
        "2026-01-10T12:00:21Z",
    ];
    assert_eq!(fires_at(Clamp::Never, &times), [3, 4]);
    // `run` takes the broker's time (12:30) for an event more than five minutes ahead of it.
    assert_eq!(fires_at(Clamp::ToAppendTime, &times), [3, 4]);
}

#[test]
fn order_counts_within_a_second() {
    let ordered = "
title: Written, then deleted
id: 0b0c9a3e-52a6-4a3e-8f7f-6f2b8d8f1c02
correlation:
    type: temporal_ordered
    rules: [write, delete]
    group-by: [callerIpAddress]
    timespan: 10m
";
    let delete = |time| record("DELETE", time, "192.0.2.1");
    let write = |time| record("WRITE", time, "192.0.2.1");
    let backwards = [
        delete("2026-01-10T12:00:00.100Z"),
        write("2026-01-10T12:00:00.900Z"),
    ];
    assert_eq!(fires(ordered, Clamp::Never, backwards), [0_i64; 0]);
    let forwards = [
        delete("2026-01-10T12:00:00.900Z"),
        write("2026-01-10T12:00:00.100Z"),
    ];
    assert_eq!(fires(ordered, Clamp::Never, forwards), [1]);
}

#[test]
fn a_condition_that_only_the_windows_end_can_decide_is_refused_with_help() {
    let absent = "
title: Written and not deleted
correlation:
    type: temporal
    rules: [write, delete]
    group-by: [callerIpAddress]
    timespan: 10m
    condition: write and not delete
";
    let found = loaded(absent).findings.diagnostics;
    let [refused] = found.as_slice() else {
        panic!("one problem: {found:?}");
    };
    assert!(refused.is_error());
    assert_eq!(refused.kind, "invalid-correlation");
    assert!(refused.help.is_some(), "{refused}");
}

#[test]
fn a_spray_over_150_000_groups_does_not_hide_an_attack_on_one() {
    let others = (0..150_000_u32).map(|n| {
        let [_, a, b, c] = n.to_be_bytes();
        record("WRITE", "2026-01-10T12:00:01Z", &format!("10.{a}.{b}.{c}"))
    });
    let victim = || record("WRITE", "2026-01-10T12:00:00Z", "192.0.2.1");
    let records = [victim(), victim()].into_iter().chain(others);
    let records = records.chain([record("WRITE", "2026-01-10T12:00:02Z", "192.0.2.1")]);
    assert_eq!(fires(THREE, Clamp::Never, records), [150_002]);
}

#[test]
fn a_correlation_that_changes_its_type_under_one_id_fires_for_groups_with_old_state() {
    let distinct = "
title: Three addresses
id: 0b0c9a3e-52a6-4a3e-8f7f-6f2b8d8f1c01
correlation:
    type: value_count
    rules: [write]
    group-by: [resultType]
    timespan: 10m
    condition: {field: callerIpAddress, gte: 3}
";
    let counted = distinct
        .replace("value_count", "event_count")
        .replace("field: callerIpAddress, gte: 3", "gte: 100");
    let mut line = Line::new();
    line.load(&engine(&counted));
    let before = line.send(&[record("WRITE", "2026-01-10T12:00:00Z", "192.0.2.1")]);
    assert_eq!(before, 0, "one of a hundred");
    line.load(&engine(distinct));
    let records: Vec<String> = (0..50)
        .map(|n| record("WRITE", "2026-01-10T12:00:01Z", &format!("192.0.2.{n}")))
        .collect();
    assert_eq!(line.send(&records), 48, "from the third address on");
}

/// One line of stages through which rule sets follow each other, as in a process that loads anew.
struct Line {
    folds: Vec<Fold>,
    definitions: Definitions,
    stage: Option<Stage>,
    pos: u64,
    offset: i64,
}

impl Line {
    fn new() -> Self {
        Self {
            folds: (0..KEY_PARTITIONS).map(Fold::new).collect(),
            definitions: Definitions::new(),
            stage: None,
            pos: 0,
            offset: 0,
        }
    }

    fn load(&mut self, engine: &Arc<Engine>) {
        let correlations = engine.correlations();
        let known = correlations
            .iter()
            .map(|def| (def.version, Arc::clone(def)));
        self.definitions.extend(known);
        let settings: Settings = fold::settings(correlations, Suppression::Off);
        let record = Record::new(Body::Settings(settings));
        let alerts: usize = (0..KEY_PARTITIONS)
            .map(|part| self.fold(part, &record))
            .sum();
        assert_eq!(alerts, 0);
        self.stage = Some(Stage::new(Arc::clone(engine)));
    }

    /// Number of the correlation's alerts.
    fn send(&mut self, records: &[String]) -> usize {
        let traits = traits(Clamp::Never);
        let mut alerts = 0;
        for record in records {
            let place = RecordPlace {
                at: SourcePartition {
                    source: Arc::from("records"),
                    incarnation: 1,
                    partition: 0,
                },
                offset: self.offset,
                append_time: Timestamp::default(),
            };
            self.offset += 1;
            let stage = self.stage.as_mut().expect("rules are loaded");
            let outcome = stage.record(Some(record.as_bytes()), &place, &traits);
            let source = Source {
                name: "records".to_owned(),
                incarnation: 1,
                partition: 0,
            };
            for (part, record) in matches::batches(&source, "", outcome.matches) {
                alerts += self.fold(part, &record);
            }
        }
        alerts
    }

    fn fold(&mut self, part: u32, record: &Record) -> usize {
        let mut out = Vec::new();
        self.pos += 1;
        let fold = &mut self.folds[usize::try_from(part).expect("few")];
        fold.step(self.pos, record, &self.definitions, &mut out)
            .expect("a good record");
        let alerts = out.iter().filter(|one| matches!(one, Output::Alert(_)));
        alerts.count()
    }
}
