//! The recorded attack, through every stage of a process: a file source, judges, the log in SQLite,
//! folds, a delivery. Nothing of it stays behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use palisade_detect::alert::Alert;
use palisade_detect::diagnostic::Color;
use palisade_detect::engine::{Engine, EngineOptions};
use palisade_ingest::source::file::{FileConfig, FileSource};
use palisade_sinks::sink::{Sink, SinkItem, SinkResult};
use tokio::sync::mpsc;

use crate::config::Pipelines;
use crate::log::sqlite::{Options, SqliteLog};
use crate::rules::{self, house};
use crate::topology::breaker;
use crate::topology::fold::Suppression;
use crate::topology::intake::StateAge;
use crate::topology::stage::SourceTraits;
use crate::topology::{Parts, Site};

pub mod report;

/// The recording: messages as event hubs deliver them, one a line.
pub const RECORDING: &str = include_str!("demo/attack.ndjson");

/// Name of the recording in ids, alerts and output.
pub const RECORDING_NAME: &str = "attack.ndjson";

/// Name of the one source and its tenant's.
const SOURCE: &str = "demo";

/// Name of the one sink.
const SINK: &str = "screen";

/// What came of the recording.
#[derive(Debug)]
pub struct Played {
    /// Alerts in the order of the events that raised them.
    pub alerts: Vec<Alert>,
    /// Events by log type.
    pub events: BTreeMap<String, u64>,
    /// Rules in force, those among them that alert on their own, and correlations.
    pub rules: usize,
}

/// The engine of the rules that come with the program.
///
/// # Errors
/// When one of them does not load: a defect.
pub fn engine() -> anyhow::Result<Engine> {
    let (maps, _) = rules::pipeline_files(&Pipelines::built_in());
    let options = EngineOptions::default();
    let loaded = rules::load_with_lists(&house::files(), &house::lists(), &maps, options);
    if loaded.findings.errors() > 0 {
        return Err(anyhow!("{}", loaded.findings.render(Color::Never)));
    }
    loaded
        .engine
        .context("the built-in field map does not load")
}

/// What is said about the recording's records.
pub fn traits() -> SourceTraits {
    SourceTraits::as_they_stand("contoso")
}

/// Plays the recording through a topology whose state lies in `dir`.
///
/// # Errors
/// When the directory cannot be written or a stage fails.
pub async fn play(dir: &Path, signals: mpsc::Receiver<()>) -> anyhow::Result<Played> {
    let recording = dir.join(RECORDING_NAME);
    fs::write(&recording, RECORDING).with_context(|| format!("`{}`", recording.display()))?;
    let engine = Arc::new(engine()?);
    let rules = engine.rules().len() + engine.correlation_count();
    let site = Site::default();
    let metrics = Arc::clone(&site.metrics);
    let log = SqliteLog::open(&dir.join("state"), Options::new(site.clock))?;
    let source = FileSource::new(FileConfig {
        name: Arc::from(SOURCE),
        paths: vec![recording.clone()],
    });
    let taken = Arc::<Mutex<Vec<Alert>>>::default();
    let sink = Screen {
        taken: Arc::clone(&taken),
    };
    let parts = Parts {
        reload: None,
        engine,
        suppression: Suppression::AsWritten,
        breaker: breaker::Limits::default(),
        lateness: None,
        snapshots: None,
        traits: Arc::new(BTreeMap::from([(Arc::from(SOURCE), traits())])),
        sources: vec![(Arc::from(SOURCE), Box::new(source))],
        log: Arc::new(log),
        sinks: vec![(SINK.to_owned(), Box::new(sink))],
        state: StateAge::New,
        site,
    };
    parts.start().await?.run(signals).await?;
    let mut alerts = std::mem::take(&mut *taken.lock().unwrap_or_else(PoisonError::into_inner));
    alerts.sort_by(|one, other| one.last_event_at.cmp(&other.last_event_at));
    let path = recording.to_string_lossy();
    for event in alerts
        .iter_mut()
        .flat_map(|alert| &mut alert.evidence.events)
    {
        // The path is gone by the time that somebody reads it.
        if event.origin.source == path {
            RECORDING_NAME.clone_into(&mut event.origin.source);
        }
    }
    Ok(Played {
        alerts,
        events: metrics.events(),
        rules,
    })
}

/// Keeps the alerts until all are there, as they are shown in the order of the attack.
struct Screen {
    taken: Arc<Mutex<Vec<Alert>>>,
}

#[async_trait::async_trait]
impl Sink for Screen {
    async fn deliver(&mut self, batch: &[SinkItem]) -> Vec<SinkResult> {
        let alerts = batch
            .iter()
            .filter_map(|item| serde_json::from_slice(&item.body).ok());
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(alerts);
        vec![SinkResult::Done; batch.len()]
    }
}
