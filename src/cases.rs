//! Cases beside a rule: records, and whether the rule fires on them.
//!
//! `NAME.cases.yml` stands beside `NAME.yml`; `detections/README.md` shows its form. A case is judged
//! by the rules of its file and those that they refer to, by the same stages as `replay`.

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_detect::alert::Alert;
use palisade_detect::correlation::StepError;
use palisade_detect::diagnostic::Diagnostic;
use palisade_detect::engine::{Clamp, Engine, EngineOptions};
use palisade_detect::pipeline::{self, Pipeline};
use palisade_detect::rule::{Meta, RuleSet};
use palisade_detect::time::{Span, Timestamp};
use palisade_detect::yaml::{self, Node, Yaml};
use palisade_ingest::decode::Hints;
use serde_json::{Map, Number, Value};

use crate::topology::fold::Suppression;
use crate::topology::offline::{Offline, Watermark};
use crate::topology::stage::{SourceTraits, UnknownPolicy};

/// Most records that one case may hold, repeats included.
pub const RECORDS_MAX: u32 = 10_000;

/// The zero of every case: 2026-03-02T09:00:00Z.
const ZERO: Timestamp = Timestamp::from_unix_seconds(1_772_442_000);

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows, as a sentence.
    pub name: String,
    /// Whether a rule of the file raises at least one alert.
    pub fires: bool,
    /// What is judged, in this order.
    pub records: Vec<Value>,
}

/// What is wrong with a case file: place and reason on one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// It is no YAML.
    #[error("{}", .0.iter().map(one_line).collect::<Vec<_>>().join("\n"))]
    Yaml(Vec<Diagnostic>),
    /// It is not in the form of case files.
    #[error("{file}:{line}:{column}: {message}")]
    Form {
        /// The file.
        file: String,
        /// Line from 1.
        line: u32,
        /// Column from 1.
        column: u32,
        /// What is expected.
        message: &'static str,
    },
}

fn one_line(problem: &Diagnostic) -> String {
    let place = &problem.place;
    format!(
        "{}:{}:{}: {}",
        place.file, place.line, place.column, problem.message
    )
}

fn form(node: &Node, message: &'static str) -> CaseError {
    let place = &node.place;
    CaseError::Form {
        file: place.file.to_string(),
        line: place.line,
        column: place.column,
        message,
    }
}

/// Reads a case file.
///
/// # Errors
/// The first thing that is not as case files are.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Vec<Case>, CaseError> {
    let documents = yaml::parse(name, bytes).map_err(CaseError::Yaml)?;
    let mut cases = Vec::new();
    for document in &documents {
        only(document, &["cases"], "a case file holds `cases`")?;
        let list = document
            .get("cases")
            .and_then(Node::as_seq)
            .ok_or_else(|| form(document, "`cases` is a list"))?;
        for node in list {
            cases.push(case(node)?);
        }
    }
    Ok(cases)
}

fn only(node: &Node, keys: &[&str], message: &'static str) -> Result<(), CaseError> {
    let map = node.as_map().ok_or_else(|| form(node, message))?;
    match map
        .iter()
        .find(|(key, _)| !key.as_text().is_some_and(|key| keys.contains(&key)))
    {
        Some((key, _)) => Err(form(key, message)),
        None => Ok(()),
    }
}

fn case(node: &Node) -> Result<Case, CaseError> {
    only(
        node,
        &["name", "fires", "records"],
        "a case has `name`, `fires` and `records`",
    )?;
    let name = node.get("name").and_then(Node::as_text);
    let fires = node.get("fires").and_then(Node::as_bool);
    let steps = node.get("records").and_then(Node::as_seq);
    let mut records = Vec::new();
    for step in steps.ok_or_else(|| form(node, "`records` is a list"))? {
        expand(step, &mut records)?;
    }
    Ok(Case {
        name: name
            .ok_or_else(|| form(node, "`name` is a sentence"))?
            .to_owned(),
        fires: fires.ok_or_else(|| form(node, "`fires` is `true` or `false`"))?,
        records,
    })
}

/// One entry of `records`, repeated as it says.
fn expand(node: &Node, records: &mut Vec<Value>) -> Result<(), CaseError> {
    only(
        node,
        &["at", "repeat", "every", "record"],
        "a record has `at`, `repeat`, `every` and `record`",
    )?;
    let at = span(node, "at")?;
    let every = span(node, "every")?;
    let repeat = match node.get("repeat") {
        None => 1,
        Some(count) => count
            .as_int()
            .and_then(|int| u32::try_from(int).ok())
            .filter(|count| *count <= RECORDS_MAX)
            .ok_or_else(|| form(count, "`repeat` is a number up to 10,000"))?,
    };
    let template = node
        .get("record")
        .ok_or_else(|| form(node, "`record` is missing"))?;
    for n in 0..repeat {
        let after = Span::from_ticks(at.ticks().saturating_add(every.ticks() * i64::from(n)));
        let time = ZERO.plus(after).to_string();
        records.push(json(template, &time, &n.to_string())?);
    }
    Ok(())
}

fn span(node: &Node, key: &str) -> Result<Span, CaseError> {
    let Some(value) = node.get(key) else {
        return Ok(Span::ZERO);
    };
    let text = value.as_text().unwrap_or_default();
    if text == "0s" {
        return Ok(Span::ZERO);
    }
    Span::parse_sigma(text)
        .ok_or_else(|| form(value, "a time span is written as `30s`, `5m`, `1h`"))
}

/// YAML as JSON, `${time}` and `${n}` replaced in texts.
fn json(node: &Node, time: &str, n: &str) -> Result<Value, CaseError> {
    Ok(match &node.value {
        Yaml::Null => Value::Null,
        Yaml::Bool(truth) => Value::Bool(*truth),
        Yaml::Int(int) => i64::try_from(*int)
            .map(|int| Value::Number(int.into()))
            .map_err(|_| form(node, "numbers have at most 64 bits here"))?,
        Yaml::Float(float) => Number::from_f64(*float)
            .map(Value::Number)
            .ok_or_else(|| form(node, "JSON has no such number"))?,
        Yaml::Text(text) => Value::String(text.replace("${time}", time).replace("${n}", n)),
        Yaml::Seq(list) => Value::Array(
            list.iter()
                .map(|item| json(item, time, n))
                .collect::<Result<_, _>>()?,
        ),
        Yaml::Map(map) => {
            let mut object = Map::new();
            for (key, value) in map {
                let key = key
                    .as_text()
                    .ok_or_else(|| form(key, "a JSON key is text"))?;
                object.insert(key.to_owned(), json(value, time, n)?);
            }
            Value::Object(object)
        }
    })
}

/// The rules of one file with everything they refer to, and nothing else: a rule that only others
/// refer to then speaks for itself.
pub fn closure(rules: &RuleSet, file: &str) -> RuleSet {
    let is_named = |meta: &Meta, names: &BTreeSet<String>| {
        [&meta.id, &meta.name]
            .into_iter()
            .flatten()
            .any(|name| names.contains(name))
    };
    let mut names = BTreeSet::new();
    loop {
        let known = names.len();
        for correlation in &rules.correlations {
            if *correlation.place.file == *file || is_named(&correlation.meta, &names) {
                names.extend(correlation.rules.iter().map(|(rule, _)| rule.clone()));
            }
        }
        if names.len() == known {
            break;
        }
    }
    let mut part = rules.clone();
    part.detections
        .retain(|rule| *rule.place.file == *file || is_named(&rule.meta, &names));
    part.correlations
        .retain(|rule| *rule.place.file == *file || is_named(&rule.meta, &names));
    part
}

/// The rules that cases are judged by, compiled once for all cases of a file.
pub struct Judge {
    engine: Arc<Engine>,
    /// What keeps a rule of the file from loading.
    pub problems: Vec<Diagnostic>,
    ids: BTreeSet<String>,
}

impl Judge {
    /// A judge for the cases beside `file`.
    pub fn new(rules: &RuleSet, file: &str, pipelines: &[Pipeline]) -> Self {
        let mut part = closure(rules, file);
        let mut problems = pipeline::apply(pipelines, &mut part);
        let ids: BTreeSet<String> = part
            .detections
            .iter()
            .map(|rule| (&rule.place, &rule.meta))
            .chain(
                part.correlations
                    .iter()
                    .map(|rule| (&rule.place, &rule.meta)),
            )
            .filter(|(place, _)| *place.file == *file)
            .filter_map(|(_, meta)| meta.id.clone())
            .collect();
        let (engine, mut found) = Engine::compile(part, EngineOptions::default());
        problems.append(&mut found);
        Self {
            engine: Arc::new(engine),
            problems,
            ids,
        }
    }

    /// The alerts of the file's rules on a case.
    ///
    /// # Errors
    /// When a fold cannot take a step, which is a defect.
    pub fn alerts(&self, case: &Case) -> Result<Vec<Alert>, StepError> {
        let traits = SourceTraits {
            tenant: Arc::from("default"),
            hints: Hints::default(),
            unknown: UnknownPolicy::JudgeAll,
            clamp: Clamp::Never,
        };
        let mut stages = Offline::new(
            Arc::clone(&self.engine),
            traits,
            Watermark::StandsStill,
            Suppression::Off,
        )?;
        let path = Arc::from("case");
        let mut alerts = Vec::new();
        for (offset, record) in (0..).zip(&case.records) {
            let payload = record.to_string();
            let outcome = stages.record(&path, offset, Some(payload.as_bytes()), ZERO)?;
            alerts.extend(outcome.alerts);
        }
        alerts.extend(stages.finish()?);
        alerts.retain(|alert| self.ids.contains(&alert.rule.id));
        Ok(alerts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_repeated_with_their_time_and_number() {
        let text = b"cases:
  - name: two
    fires: true
    records:
      - {at: 10s, repeat: 2, every: 1m, record: {time: '${time}', user: 'u${n}', list: [1, true]}}
";
        let cases = parse("a.cases.yml", text).expect("valid");
        let records: Vec<String> = cases
            .iter()
            .flat_map(|case| &case.records)
            .map(Value::to_string)
            .collect();
        assert_eq!(
            records,
            [
                r#"{"list":[1,true],"time":"2026-03-02T09:00:10.0000000Z","user":"u0"}"#,
                r#"{"list":[1,true],"time":"2026-03-02T09:01:10.0000000Z","user":"u1"}"#,
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, expected) in [
            ("cases: {}", "c.yml:1:1: `cases` is a list"),
            (
                "cases:\n  - {name: n, fires: maybe, records: []}",
                "c.yml:2:5: `fires` is `true` or `false`",
            ),
            (
                "cases:\n  - {name: n, fires: true, record: []}",
                "c.yml:2:28: a case has `name`, `fires` and `records`",
            ),
            (
                "cases:\n  - {name: n, fires: true, records: [{at: soon, record: {}}]}",
                "c.yml:2:43: a time span is written as `30s`, `5m`, `1h`",
            ),
        ] {
            let error = parse("c.yml", text.as_bytes()).expect_err("wrong form");
            assert_eq!(error.to_string(), expected);
        }
    }
}
