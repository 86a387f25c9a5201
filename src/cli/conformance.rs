//! `palisade conformance`: run one case of the Sigma conformance suite.
//!
//! The suite starts the program once per case with a folder of rules, events as NDJSON and a small
//! configuration, and reads as NDJSON which rules fired on which event and which did not load. The
//! events go through the same engine and folds as everywhere, without decoding (they are of no Azure
//! type) and without suppression.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use palisade_detect::alert::Alert;
use palisade_detect::diagnostic::Diagnostic;
use palisade_detect::engine::{Engine, EngineOptions};
use palisade_detect::event::{Body, EventRef, LogType};
use palisade_detect::logsource::Logsource;
use palisade_detect::rule::{RuleFile, parse};
use palisade_detect::time::{Span, Timestamp};
use serde_json::{Value as Json, json};

use super::Terminal;
use crate::exit::Exit;
use crate::rules;
use crate::topology::fold::Suppression;
use crate::topology::offline::{Offline, Watermark};
use crate::topology::stage::SourceTraits;

/// Options of `conformance`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with the rule files.
    pub rules: PathBuf,
    /// Events as NDJSON, one a line.
    pub events: PathBuf,
    /// JSON with `timestamp_field`, `pipelines` and `logsources`.
    pub config: PathBuf,
}

/// The configuration of a case.
#[derive(serde::Deserialize)]
struct Case {
    timestamp_field: String,
    #[serde(default)]
    pipelines: Vec<String>,
    #[serde(default)]
    logsources: Vec<Option<Stated>>,
}

/// The log source that an event states.
#[derive(serde::Deserialize)]
struct Stated {
    product: Option<String>,
    service: Option<String>,
    category: Option<String>,
}

/// Events of the suite are of no type that has irregularities.
static LOG_TYPE: LogType = LogType {
    name: "conformance",
    logsources: &[],
    event_time: &[],
    entities: &[],
    readings: &[],
    content_key: None,
    lateness: Span::ZERO,
};

/// Prints what fired, as NDJSON.
///
/// # Errors
/// When a file cannot be read, or a fold fails, which is a defect.
pub fn execute(args: &Args, _terminal: Terminal) -> anyhow::Result<Exit> {
    let config = fs::read(&args.config).context("cannot read the configuration of the case")?;
    let case: Case = serde_json::from_slice(&config).context("the configuration of the case")?;
    let events = fs::read(&args.events).context("cannot read the events")?;
    let mut out = std::io::stdout().lock();

    let (files, unread) = rules::walk(std::slice::from_ref(&args.rules));
    let maps = pipelines(&case.pipelines);
    let loaded = rules::load_files(&files, &maps, EngineOptions::default());
    let prefix = format!("{}/", args.rules.display());
    for problem in unread.iter().chain(&loaded.findings.diagnostics) {
        if problem.is_error() {
            writeln!(out, "{}", error(problem, &prefix))?;
        }
    }
    if let Some(engine) = loaded.engine {
        judge(engine, &ids(&files), &case, &events, &mut out)?;
    }
    Ok(Exit::Ok)
}

fn pipelines(texts: &[String]) -> Vec<RuleFile> {
    let file = |(number, text): (usize, &String)| RuleFile {
        name: Arc::from(format!("pipeline-{number}.yml")),
        bytes: text.clone().into_bytes(),
    };
    texts.iter().enumerate().map(file).collect()
}

fn error(problem: &Diagnostic, prefix: &str) -> Json {
    let file = &*problem.place.file;
    json!({
        "error": problem.kind,
        "rule": problem.rule,
        "file": file.strip_prefix(prefix).unwrap_or(file),
        "message": problem.message,
    })
}

/// The ids that rules have themselves; every other id was derived.
fn ids(files: &[RuleFile]) -> BTreeSet<String> {
    let (rules, _) = parse::parse(files);
    let detections = rules.detections.into_iter().filter_map(|rule| rule.meta.id);
    let correlations = rules
        .correlations
        .into_iter()
        .filter_map(|rule| rule.meta.id);
    detections.chain(correlations).collect()
}

fn judge(
    engine: Engine,
    ids: &BTreeSet<String>,
    case: &Case,
    events: &[u8],
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let traits = SourceTraits::as_they_stand("conformance");
    let watermark = Watermark::StandsStill;
    // A chain's evidence names the events that completed the inner correlations, not all they counted.
    let inner = |version| {
        let defs = engine.correlations().iter();
        defs.flat_map(|def| &def.outer)
            .any(|(outer, _)| *outer == version)
    };
    let chains: BTreeSet<String> = engine
        .correlations()
        .iter()
        .filter(|def| inner(def.version))
        .map(|def| def.id.clone())
        .collect();
    let mut stages = Offline::new(Arc::new(engine), traits, watermark, Suppression::Off)?;
    let path: Arc<str> = Arc::from("events");
    let lines = events
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty());
    for (number, line) in (0_i64..).zip(lines) {
        let stated = usize::try_from(number)
            .ok()
            .and_then(|at| case.logsources.get(at)?.as_ref());
        let logsources = stated.map(logsource);
        let event = EventRef {
            body: Body::Json(line),
            log_type: &LOG_TYPE,
            logsources: logsources.as_slice(),
            event_time: time(line, &case.timestamp_field),
        };
        let outcome = stages.event(&path, number, &event, Timestamp::default())?;
        for alert in &outcome.alerts {
            let mut line = fired(alert, number, ids);
            if !chains.contains(&alert.rule.id) && alert.rule.kind != "single" {
                line["events"] = json!(offsets(alert));
            }
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn logsource(stated: &Stated) -> Logsource {
    let part = |text: &Option<String>| text.clone().map(Into::into);
    Logsource {
        product: part(&stated.product),
        service: part(&stated.service),
        category: part(&stated.category),
    }
}

fn time(line: &[u8], field: &str) -> Option<Timestamp> {
    let event: Json = serde_json::from_slice(line).ok()?;
    Timestamp::parse_rfc3339(event.get(field)?.as_str()?)
}

fn fired(alert: &Alert, number: i64, ids: &BTreeSet<String>) -> Json {
    let rule = &alert.rule;
    let id = if ids.contains(&rule.id) {
        &rule.id
    } else {
        &rule.name
    };
    if rule.kind == "single" {
        return json!({"rule": id, "event": number});
    }
    let group = alert.group.as_ref().map(|group| &group.fields);
    let group = group.map_or_else(|| json!({}), |fields| json!(fields));
    json!({"rule": id, "event": number, "group": group})
}

/// The contributing events by number; `None` if the evidence does not hold all of them.
fn offsets(alert: &Alert) -> Option<Vec<i64>> {
    let evidence = &alert.evidence;
    let complete = !evidence.approximate && evidence.events.len() as u64 == evidence.count;
    complete.then(|| {
        evidence
            .events
            .iter()
            .map(|event| event.origin.offset)
            .collect()
    })
}
