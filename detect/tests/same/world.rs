//! Engines of generated rules, and events of generated records.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_detect::diagnostic::Diagnostic;
use palisade_detect::engine::{Clamp, Engine, EngineOptions, EventContext};
use palisade_detect::event::{Around, Body, EventRef, FlowTuple, Index, Origin, SourcePartition};
use palisade_detect::id::Id;
use palisade_detect::list::{Format, List, ListFile, Lists};
use palisade_detect::logsource::{Logsource, Routing};
use palisade_detect::pipeline::{self, Pipeline};
use palisade_detect::rule::{RuleFile, parse};
use palisade_detect::scan;
use palisade_detect::time::{Span, Timestamp};

use super::law::{Agreed, Both};
use super::log_types::{ALL, COLUMNS, LOGSOURCES};
use super::record::{Made, Record};

/// When the broker took every record.
const APPEND: Timestamp = Timestamp::from_unix_seconds(1_772_409_600);

/// What names of rules stand for: a field of several paths, and a placeholder of several values.
const PIPELINE: &str = "
vars: {names: [ab, kim, '*oot']}
transformations:
  - {type: value_placeholders}
  - {type: field_name_mapping, mapping: {who: [user, a.b, properties.user], s: [b, s]}}
";

/// Entries of the lists that rules name.
const LISTS: [(&str, &str); 2] = [
    ("names", "kim\nabc\n443\nstraße\nΣΑΣ\ntrue\n"),
    ("nets", "10.0.0.0/8\n2001:db8::/32\nroot\n*.example\n"),
];

/// What stands around a record in its payload.
const BEFORE: &[u8] = br#"{"records":["\\\"",{"a":"abc","b":[{}]}, "#;
const BEHIND: &[u8] = br#",{"a":["kim"]}]}"#;

/// Pipelines and lists, read once.
pub(crate) struct World {
    pipelines: Vec<Pipeline>,
    lists: Arc<Lists>,
}

impl World {
    pub(crate) fn new() -> Self {
        let file = rule_file("pipeline.yml", PIPELINE);
        let mut lists = Lists::default();
        for (name, text) in LISTS {
            let file = ListFile {
                name: Arc::from(name),
                format: Format::Txt,
                bytes: text.as_bytes().to_vec(),
            };
            lists.insert(name, List::read(file, None).ok());
        }
        Self {
            pipelines: pipeline::parse(&[file]).expect("a good pipeline"),
            lists: Arc::new(lists),
        }
    }

    /// The engine of these rules, and why some of them do not load.
    pub(crate) fn engine(&self, rules: &str, routing: Routing) -> (Engine, Vec<Diagnostic>) {
        let (mut set, mut problems) = parse::parse(&[rule_file("rules.yml", rules)]);
        set.lists = Arc::clone(&self.lists);
        problems.extend(pipeline::apply(&self.pipelines, &mut set));
        let options = EngineOptions {
            routing,
            ..EngineOptions::default()
        };
        let (engine, found) = Engine::compile(set, options);
        problems.extend(found);
        problems.retain(Diagnostic::is_error);
        (engine, problems)
    }

    /// `engine` while windows of the correlations of earlier rules are still open.
    pub(crate) fn beside(&self, engine: &Engine, earlier: &str, routing: Routing) -> Engine {
        let (old, _) = self.engine(earlier, routing);
        let versions = |engine: &Engine| -> BTreeSet<Id> {
            engine
                .correlations()
                .iter()
                .map(|def| def.version)
                .collect()
        };
        let bodies: Vec<&[u8]> = versions(&old)
            .iter()
            .filter_map(|version| old.body(*version))
            .collect();
        engine.beside(&bodies, &(&versions(&old) | &versions(engine)))
    }
}

fn rule_file(name: &str, text: &str) -> RuleFile {
    RuleFile {
        name: Arc::from(name),
        bytes: text.as_bytes().to_vec(),
    }
}

/// A judge of records in both ways.
pub(crate) struct Judge {
    origin: Origin,
    both: RefCell<Both>,
}

impl Judge {
    pub(crate) fn new() -> Self {
        let origin = Origin {
            tenant: Arc::from("default"),
            at: SourcePartition {
                source: Arc::from("same"),
                incarnation: 1,
                partition: 0,
            },
            offset: 7,
            index: Index::ROOT,
        };
        Self {
            origin,
            both: RefCell::default(),
        }
    }

    /// What both ways say of a generated record, which is judged once more as a part of a payload.
    pub(crate) fn record(&self, engine: &Engine, record: &Record) -> Result<Agreed, String> {
        match &record.body {
            Made::Json(bytes) => {
                let agreed = self.body(engine, record, Body::Json(bytes))?;
                self.marked(engine, record, bytes)?;
                Ok(agreed)
            }
            Made::Flow { members, tuple } => {
                let members: Vec<(&str, &[u8])> = members
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_slice()))
                    .collect();
                let flow = FlowTuple {
                    around: &Around::new(b"{}", &members),
                    tuple,
                    columns: &COLUMNS,
                };
                self.body(engine, record, Body::Flow(flow))
            }
        }
    }

    /// What both ways say of a record in an envelope, if its brackets and strings are sound.
    fn marked(&self, engine: &Engine, record: &Record, bytes: &[u8]) -> Result<(), String> {
        let payload = [BEFORE, bytes, BEHIND].concat();
        let mut index = scan::Index::default();
        if index.read(&payload).is_err() {
            return Ok(());
        }
        let starts = |pair: &scan::Pair| {
            let start = usize::try_from(pair.open).expect("a small payload");
            start >= BEFORE.len() && payload[start] == b'{'
        };
        let Some(pair) = index.pairs().iter().position(starts) else {
            return Ok(());
        };
        let marked = scan::Marked {
            index: &index,
            payload: &payload,
            pair: u32::try_from(pair).expect("a small payload"),
        };
        let alone = self.body(engine, record, Body::Json(marked.bytes()))?;
        let inside = self.body(engine, record, Body::Marked(marked))?;
        if alone == inside {
            return Ok(());
        }
        Err(format!(
            "alone {alone:?}, in its payload {inside:?}: {record:?}"
        ))
    }

    fn body(&self, engine: &Engine, record: &Record, body: Body<'_>) -> Result<Agreed, String> {
        let stated = record.stated.iter();
        let stated: Vec<Logsource> = stated.map(|place| LOGSOURCES[*place].clone()).collect();
        let seconds = record.seconds.map(Span::from_seconds);
        let event = EventRef {
            body,
            log_type: ALL[record.log_type],
            logsources: &stated,
            event_time: seconds.map(|seconds| APPEND.plus(seconds)),
        };
        self.event(engine, &event)
    }

    /// What both ways say of an event.
    pub(crate) fn event(&self, engine: &Engine, event: &EventRef<'_>) -> Result<Agreed, String> {
        let context = EventContext {
            origin: &self.origin,
            append_time: APPEND,
            clamp: Clamp::ToAppendTime,
        };
        self.both.borrow_mut().judge(engine, event, &context)
    }
}
