//! A case through the stages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use palisade_detect::alert::Alert;
use palisade_detect::correlation::{Definitions, Fold, KEY_PARTITIONS, Output, Pos};
use palisade_detect::diagnostic::Diagnostic;
use palisade_detect::engine::{Clamp, Engine, EngineOptions, EventContext, Verdict};
use palisade_detect::event::{Body, EventRef, Index, LogType, Origin, SourcePartition};
use palisade_detect::explain::Explainer;
use palisade_detect::logsource::{Logsource, Routing};
use palisade_detect::matches::{self, MatchBatch, Record, Settings, Source};
use palisade_detect::pipeline;
use palisade_detect::rule::parse::parse;
use palisade_detect::time::{Span, Timestamp};

use crate::case::{Case, Fired};

static LOG_TYPE: LogType = LogType {
    name: "unknown",
    logsources: &[],
    event_time: &[],
    entities: &[],
    readings: &[],
    content_key: None,
    lateness: Span::ZERO,
};

/// What came out of a case.
#[derive(Default)]
pub(crate) struct Result {
    pub(crate) alerts: Vec<(String, usize)>,
    pub(crate) correlations: Vec<Fired>,
    pub(crate) errors: Vec<LoadError>,
}

/// A rule or file that was rejected.
pub(crate) struct LoadError {
    pub(crate) kind: &'static str,
    pub(crate) rule: Option<String>,
    pub(crate) file: String,
    pub(crate) message: String,
}

/// Runs a case.
pub(crate) fn run(case: &Case) -> Result {
    let (mut rules, mut problems) = parse(&case.files);
    match pipeline::parse(&case.pipelines) {
        Ok(pipelines) => problems.extend(pipeline::apply(&pipelines, &mut rules)),
        Err(found) => problems.extend(found),
    }
    let explainers = rules.detections.iter().cloned();
    let explainers = explainers
        .filter_map(|rule| Explainer::new(rule).ok())
        .collect();
    let (engine, found) = Engine::compile(rules, EngineOptions::default());
    problems.extend(found);
    // The suite calls a rule without an id by its name, else its title.
    let detections = engine
        .rules()
        .iter()
        .map(|rule| (rule.id.to_string(), rule.meta.key()));
    let mut keys: BTreeMap<String, &str> = detections.collect();
    for def in engine.correlations() {
        let derived = def.id == def.version.to_string();
        keys.insert(
            def.id.clone(),
            if derived { &def.rule.name } else { &def.id },
        );
    }
    let mut stages = Stages::new(&engine, explainers);
    let mut result = Result {
        errors: problems
            .iter()
            .filter(|problem| problem.is_error())
            .map(error)
            .collect(),
        ..Result::default()
    };
    for (number, event) in case.events.iter().enumerate() {
        let stated = case.logsources.get(number).cloned().flatten();
        let (alerts, fired) = stages.event(number, event, stated.as_slice());
        let key = |alert: &Alert| keys[&alert.rule.id].to_owned();
        result
            .alerts
            .extend(alerts.iter().map(|alert| (key(alert), number)));
        result.correlations.extend(fired.iter().map(|alert| {
            Fired {
                rule: key(alert),
                event: number,
                group: alert
                    .group
                    .as_ref()
                    .map(|group| group.fields.clone())
                    .unwrap_or_default(),
                events: stages.contributing(alert),
            }
        }));
    }
    result
}

fn error(problem: &Diagnostic) -> LoadError {
    LoadError {
        kind: problem.kind,
        rule: problem.rule.clone(),
        file: problem.place.file.to_string(),
        message: problem.message.clone(),
    }
}

/// The engine and the folds, with what stands between them.
struct Stages<'e> {
    engine: &'e Engine,
    /// The engine's rules, in its order.
    explainers: Vec<Explainer>,
    definitions: Definitions,
    folds: Vec<Fold>,
    pos: Pos,
    /// Correlations over other correlations: their evidence names the events that completed those.
    chained: BTreeSet<String>,
}

impl<'e> Stages<'e> {
    fn new(engine: &'e Engine, explainers: Vec<Explainer>) -> Self {
        let correlations = engine.correlations();
        let definitions: Definitions = correlations
            .iter()
            .map(|def| (def.version, Arc::clone(def)))
            .collect();
        let outer = correlations.iter().flat_map(|def| &def.outer);
        let chained = outer
            .filter_map(|(version, _)| definitions.get(version))
            .map(|def| def.id.clone())
            .collect();
        let mut stages = Self {
            engine,
            explainers,
            folds: (0..KEY_PARTITIONS).map(Fold::new).collect(),
            pos: 1,
            chained,
            definitions,
        };
        let active: BTreeMap<Vec<u8>, i64> = correlations
            .iter()
            .map(|def| (def.version.as_bytes().to_vec(), def.lateness.ticks()))
            .collect();
        let settings = Record::new(matches::Body::Settings(Settings {
            lateness: active.values().copied().collect(),
            active: active.into_keys().collect(),
            slots_per_correlation: 1_000_000,
            slots_total: 1_000_000,
            elements_per_group: 100_000,
            suppress: false,
            ..Settings::default()
        }));
        for part in 0..KEY_PARTITIONS {
            stages.fold(part, &settings);
        }
        stages
    }

    /// Alerts of the event alone, and of the correlations that it completes.
    fn event(
        &mut self,
        number: usize,
        event: &str,
        stated: &[Logsource],
    ) -> (Vec<Alert>, Vec<Alert>) {
        let origin = Origin {
            tenant: Arc::from("default"),
            at: SourcePartition {
                source: Arc::from("suite"),
                incarnation: 1,
                partition: 0,
            },
            offset: i64::try_from(number).expect("small"),
            index: Index::ROOT,
        };
        let time = timestamp(event);
        let event = EventRef {
            body: Body::Json(event.as_bytes()),
            log_type: &LOG_TYPE,
            logsources: stated,
            event_time: time,
        };
        let context = EventContext {
            origin: &origin,
            append_time: Timestamp::default(),
            clamp: Clamp::Never,
        };
        let mut verdict = Verdict::default();
        self.engine
            .detect(&event, &context, &mut verdict)
            .expect("events are JSON objects");
        self.explain(&event, &verdict.matched);
        let source = Source {
            name: "suite".to_owned(),
            incarnation: 1,
            partition: 0,
        };
        let mut fired = Vec::new();
        // The suite leaves events without a time to detection rules.
        if time.is_some() {
            for (part, record) in matches::batches(&source, "", verdict.matches) {
                fired.extend(self.fold(part, &record));
            }
        }
        (verdict.alerts, fired)
    }

    /// What `explain` says about every rule is what the engine says.
    fn explain(&self, event: &EventRef<'_>, matched: &[usize]) {
        let (tree, _) = palisade_detect::engine::read(event).expect("the engine read it");
        for (place, explainer) in self.explainers.iter().enumerate() {
            let said = explainer.explain(event, &tree, Routing::Strict);
            let rule = &self.engine.rules()[place];
            assert_eq!(said.rule, rule.meta.key());
            assert_eq!(said.matches, matched.contains(&place), "{said:#?}");
            assert_eq!(said.condition.holds, said.distance == 0, "{said:#?}");
        }
    }

    fn fold(&mut self, part: u32, record: &Record) -> Vec<Alert> {
        let mut waiting = VecDeque::from([(part, record.clone())]);
        let mut alerts = Vec::new();
        while let Some((part, record)) = waiting.pop_front() {
            let mut out = Vec::new();
            let fold = &mut self.folds[usize::try_from(part).expect("small")];
            fold.step(self.pos, &record, &self.definitions, &mut out)
                .expect("a valid record");
            self.pos += 1;
            let source = fold.chain_source();
            for output in out {
                match output {
                    Output::Alert(alert) => alerts.push(*alert),
                    Output::Chained(to, chained) => {
                        let batch = MatchBatch {
                            source: Some(source.clone()),
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
        alerts
    }

    fn contributing(&self, alert: &Alert) -> Option<Vec<usize>> {
        if self.chained.contains(&alert.rule.id) || !alert.truncated.is_empty() {
            return None;
        }
        // The trigger is always shown first, also where it adds nothing to the count.
        let shown = &alert.evidence.events;
        let idle = shown
            .len()
            .saturating_sub(usize::try_from(alert.evidence.count).ok()?);
        let offsets = shown.iter().skip(idle).map(|event| event.origin.offset);
        let mut events: Vec<usize> = offsets
            .map(|offset| usize::try_from(offset).expect("small"))
            .collect();
        events.sort_unstable();
        Some(events)
    }
}

/// The event's time: RFC 3339, or seconds since 1970.
fn timestamp(event: &str) -> Option<Timestamp> {
    let event: serde_json::Value = serde_json::from_str(event).ok()?;
    match event.get("@timestamp")? {
        serde_json::Value::String(text) => Timestamp::parse_rfc3339(text),
        serde_json::Value::Number(number) => number.as_i64().map(Timestamp::from_unix_seconds),
        _ => None,
    }
}
