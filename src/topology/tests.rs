//! Whole topologies in one process: a broker made of vectors, a real log, sinks that remember.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use palisade_detect::alert::Alert;
use palisade_detect::engine::{Clamp, EngineOptions};
use palisade_detect::rule::RuleFile;
use palisade_detect::time::Timestamp;
use palisade_ingest::decode::Hints;
use palisade_ingest::source::{Assigned, Handler, Record, RecordBatch, SourceError};
use palisade_sinks::sink::{SinkItem, SinkResult, Why};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::fold::Suppression;
use super::intake::StateAge;
use super::judge::Traits;
use super::reload::{Files, Fingerprint, Reload, Trigger};
use super::stage::{SourceTraits, UnknownPolicy};
use super::*;
use crate::log::Pos;
use crate::log::sqlite::Options;
use crate::rules;
use crate::snapshots::Place;
use palisade_detect::engine::Engine;
use palisade_ingest::source::Source;
use palisade_sinks::sink::Sink;

mod dead_letters;
mod delivery_of_alerts;
mod edits;
mod reloads;
mod restarts;

/// Snapshots at every end of a life that is no kill.
fn snapshots(dir: &Path) -> SnapshotPlan {
    SnapshotPlan {
        place: Place::Folder(dir.join("snapshots")),
        interval: Duration::from_hours(1),
        keep: NonZeroUsize::MIN,
        last_round: PATIENCE,
    }
}

/// How long a condition may take before a test fails: ample for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A rule on single events, and one that counts them by user.
const RULES: &str = "
title: Failed
id: 11111111-1111-4111-8111-111111111111
name: failed
logsource: {product: azure}
detection:
  selection: {properties.result: fail}
  condition: selection
level: low
---
title: Succeeded
id: 22222222-2222-4222-8222-222222222222
logsource: {product: azure}
detection:
  selection: {properties.result: success}
  condition: selection
level: high
---
title: Many failed
id: 33333333-3333-4333-8333-333333333333
correlation:
  type: event_count
  rules: [failed]
  group-by: [properties.user]
  timespan: 1h
  condition: {gte: 3}
level: high
";

/// The records of each partition, and what was committed for it.
#[derive(Default)]
struct Broker {
    partitions: Mutex<Vec<Vec<Bytes>>>,
    commits: Mutex<BTreeMap<u32, i64>>,
    /// End of the alerts log at each commit.
    alerts_at_commit: Mutex<Vec<(u32, i64, Pos)>>,
}

impl Broker {
    fn with(partitions: u32) -> Arc<Self> {
        let broker = Self::default();
        let empty = (0..partitions).map(|_| Vec::new()).collect();
        *lock(&broker.partitions) = empty;
        Arc::new(broker)
    }

    fn produce(&self, partition: usize, payload: impl Into<Bytes>) {
        lock(&self.partitions)[partition].push(payload.into());
    }

    /// The `number`th event: a sign-in of `user`, one second after the one before.
    fn sign_in(&self, partition: usize, (user, result): (&str, &str), number: i64) {
        let time = Timestamp::from_unix_seconds(1_790_000_000 + number);
        let record = format!(
            r#"{{"time":"{time}","category":"Test","operationName":"Sign-in","resourceId":"/r","properties":{{"user":"{user}","result":"{result}"}}}}"#
        );
        self.produce(partition, record);
    }

    fn committed(&self) -> i64 {
        lock(&self.commits).values().sum()
    }

    fn records(&self) -> i64 {
        let count: usize = lock(&self.partitions).iter().map(Vec::len).sum();
        i64::try_from(count).unwrap()
    }
}

/// Reads a [`Broker`] as a consumer would, two records at a time.
struct Consumer {
    broker: Arc<Broker>,
    alerts_end: watch::Receiver<Pos>,
    /// First generation of this life's assignments.
    generation: u64,
}

impl Source for Consumer {
    fn run(
        self: Box<Self>,
        handler: Arc<dyn Handler>,
        stop: Arc<AtomicBool>,
    ) -> Result<(), SourceError> {
        let total = u32::try_from(lock(&self.broker.partitions).len()).unwrap();
        let mut reading = Vec::new();
        for partition in 0..total {
            let at = Arc::new(Assigned {
                name: Arc::from("hub"),
                source: Arc::from("hub"),
                topic: Arc::from("azure-logs"),
                partition,
                incarnation: 1,
                generation: self.generation + u64::from(partition),
                partitions_total: total,
            });
            let committed = lock(&self.broker.commits).get(&partition).copied();
            let position = handler.assigned(&at, committed)?.unwrap_or(0);
            handler.begins(&at, position);
            reading.push((at, position));
        }
        while !stop.load(Ordering::Relaxed) {
            for (at, position) in &mut reading {
                if handler.ready(at) {
                    self.batch(&*handler, at, position);
                }
                self.commit(&*handler, at);
            }
            std::thread::yield_now();
        }
        for (at, _) in &reading {
            handler.revoked(at);
            self.commit(&*handler, at);
        }
        Ok(())
    }
}

impl Consumer {
    fn batch(&self, handler: &dyn Handler, at: &Arc<Assigned>, position: &mut i64) {
        let partitions = lock(&self.broker.partitions);
        let held = &partitions[at.partition as usize];
        let begin = usize::try_from(*position).unwrap();
        let records: Vec<Record> = (*position..)
            .zip(held.iter().skip(begin).take(2))
            .map(|(offset, payload)| Record {
                offset,
                payload: Some(payload.clone()),
                broker_time: None,
                append_time: Timestamp::from_unix_seconds(1_790_000_000 + offset),
            })
            .collect();
        let end = i64::try_from(held.len()).unwrap();
        drop(partitions);
        handler.observed_end(at, end, None);
        *position += i64::try_from(records.len()).unwrap();
        if !records.is_empty() {
            handler.batch(RecordBatch {
                from: Arc::clone(at),
                records,
            });
        }
    }

    fn commit(&self, handler: &dyn Handler, at: &Arc<Assigned>) {
        let Some(offset) = handler.committable(at) else {
            return;
        };
        let alerts = *self.alerts_end.borrow();
        lock(&self.broker.alerts_at_commit).push((at.partition, offset, alerts));
        lock(&self.broker.commits).insert(at.partition, offset);
    }
}

/// Remembers what it gets, or takes nothing.
struct Remember {
    got: Arc<Mutex<Vec<String>>>,
    takes: bool,
}

#[async_trait::async_trait]
impl Sink for Remember {
    async fn deliver(&mut self, batch: &[SinkItem]) -> Vec<SinkResult> {
        if self.takes {
            lock(&self.got).extend(batch.iter().map(|item| item.alert_id.clone()));
            return batch.iter().map(|_| SinkResult::Done).collect();
        }
        let why = Why {
            class: "unreachable",
            message: "it is down".to_owned(),
        };
        let pause = Duration::from_millis(1);
        batch
            .iter()
            .map(|_| SinkResult::RetryAfter(pause, why.clone()))
            .collect()
    }
}

/// Rule files made of a text.
struct Rules {
    text: Mutex<String>,
    /// When they mean something else without a change of the text.
    changes_at: Mutex<Option<(Timestamp, String)>>,
}

impl Rules {
    fn of(text: &str) -> Arc<Self> {
        Arc::new(Self {
            text: Mutex::new(text.to_owned()),
            changes_at: Mutex::default(),
        })
    }
}

impl Files for Rules {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint(blake3::hash(lock(&self.text).as_bytes()))
    }

    fn load(&self, now: Timestamp) -> rules::Loaded {
        let mut text = lock(&self.text).clone();
        let mut changes_at = None;
        if let Some((at, later)) = &*lock(&self.changes_at) {
            if now < *at {
                changes_at = Some(*at);
            } else {
                text.clone_from(later);
            }
        }
        let file = RuleFile {
            name: Arc::from("rules.yml"),
            bytes: text.into_bytes(),
        };
        let loaded = rules::load_files(&[file], &[], EngineOptions::default());
        rules::Loaded {
            changes_at,
            ..loaded
        }
    }
}

fn engine(rules: &Rules) -> Arc<Engine> {
    Arc::new(rules.load(Timestamp::MIN).engine.unwrap())
}

fn source_traits() -> SourceTraits {
    SourceTraits {
        tenant: Arc::from("default"),
        hints: Hints::default(),
        unknown: UnknownPolicy::JudgeAll,
        clamp: Clamp::ToAppendTime,
    }
}

/// One process, from its start to its end.
struct Life {
    runtime: Runtime,
    log: Arc<SqliteLog>,
    site: Site,
    signals: mpsc::Sender<()>,
    triggers: mpsc::Sender<Trigger>,
    running: JoinHandle<Result<(), Failure>>,
    /// What the sink `memory` got.
    got: Arc<Mutex<Vec<String>>>,
}

impl Life {
    /// Starts a process on `dir` that reads `broker`, with a sink `memory` and one that is `down`.
    fn start(dir: &Path, broker: &Arc<Broker>, number: u64) -> Self {
        Self::start_with(dir, broker, number, &Rules::of(RULES))
    }

    /// As [`Life::start`], with rules that may change.
    fn start_with(dir: &Path, broker: &Arc<Broker>, number: u64, rules: &Arc<Rules>) -> Self {
        Self::start_on(dir, broker, number, Arc::<Rules>::clone(rules))
    }

    /// As [`Life::start`], with rules from anywhere.
    fn start_on(dir: &Path, broker: &Arc<Broker>, number: u64, files: Arc<dyn Files>) -> Self {
        let runtime = Runtime::new().unwrap();
        let site = Site::default();
        let log = Arc::new(SqliteLog::open(dir, Options::new(site.clock)).unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let consumer = Consumer {
            broker: Arc::clone(broker),
            alerts_end: log.watch(Stream::Alerts),
            generation: number * 1_000,
        };
        let sinks: Vec<(String, Box<dyn Sink>)> = vec![
            (
                "memory".to_owned(),
                Box::new(Remember {
                    got: Arc::clone(&got),
                    takes: true,
                }),
            ),
            (
                "down".to_owned(),
                Box::new(Remember {
                    got: Arc::default(),
                    takes: false,
                }),
            ),
        ];
        let (triggers, asked) = mpsc::channel(4);
        let known = files.fingerprint();
        let loaded = files.load(site.clock.now());
        let parts = Parts {
            engine: Arc::new(loaded.engine.unwrap()),
            reload: Some(Reload {
                files,
                known,
                accepted: known,
                triggers: asked,
                poll: None,
                changes_at: loaded.changes_at,
                standing: loaded.standing,
            }),
            suppression: Suppression::AsWritten,
            breaker: breaker::Limits::default(),
            lateness: None,
            snapshots: Some(snapshots(dir)),
            traits: Arc::new(Traits::from([(Arc::from("hub"), source_traits())])),
            sources: vec![(Arc::from("hub"), Box::new(consumer))],
            log: Arc::clone(&log),
            sinks,
            state: if number == 0 {
                StateAge::New
            } else {
                StateAge::Kept
            },
            site: site.clone(),
        };
        let running = runtime.block_on(parts.start()).unwrap();
        let (signals, received) = mpsc::channel(2);
        let running = runtime.spawn(running.run(received));
        Self {
            runtime,
            log,
            site,
            signals,
            triggers,
            running,
            got,
        }
    }

    /// SIGTERM, then the end.
    fn drain(self) -> Result<(), Failure> {
        self.signals.try_send(()).unwrap();
        self.runtime.block_on(self.running).unwrap()
    }

    /// As SIGKILL leaves it: nothing is finished, nothing is waited for.
    fn kill(self) {
        drop(self.log);
        drop(self.runtime);
    }

    fn alerts(&self) -> Vec<Alert> {
        let rows = self
            .runtime
            .block_on(self.log.read(Stream::Alerts, 1, 100_000))
            .unwrap();
        rows.iter()
            .map(|row| serde_json::from_slice(&row.body).unwrap())
            .collect()
    }

    fn dead(&self) -> Vec<serde_json::Value> {
        let rows = self
            .runtime
            .block_on(self.log.read(Stream::Dead, 1, 100_000))
            .unwrap();
        rows.iter()
            .map(|row| serde_json::from_slice(&row.body).unwrap())
            .collect()
    }

    fn metric(&self, series: &str) -> u64 {
        let text = self.site.metrics.render();
        let lines = text.lines().filter(|line| line.starts_with(series));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }
}

/// Ids of the alerts of single events.
fn single(alerts: &[Alert]) -> BTreeSet<String> {
    let of_events = |alert: &&Alert| alert.group.is_none() && !alert.evidence.events.is_empty();
    let single = alerts.iter().filter(of_events);
    single.map(|alert| alert.alert_id.clone()).collect()
}

/// Ids of correlations' alerts, one an alert.
fn correlated(alerts: &[Alert]) -> Vec<String> {
    let correlated = alerts.iter().filter(|alert| alert.group.is_some());
    correlated.map(|alert| alert.alert_id.clone()).collect()
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let step = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    while !condition() {
        assert!(waited < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(step);
        waited += step;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
