//! A rule set and the bytes of a record: the fast way judges as the naive one does.
//!
//! The first byte chooses the rules, the second the log type and the form of the event.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use palisade_detect::engine::{Clamp, Engine, EngineOptions, EventContext};
use palisade_detect::event::{Around, Body, EventRef, FlowTuple, Index, Origin, SourcePartition};
use palisade_detect::logsource::Routing;
use palisade_detect::pipeline;
use palisade_detect::rule::{RuleFile, parse};
use palisade_detect::scan;
use palisade_detect::time::Timestamp;

#[path = "../../detect/tests/same/law.rs"]
mod law;
#[allow(dead_code, reason = "the routing of events is not varied here")]
#[path = "../../detect/tests/same/log_types.rs"]
mod log_types;

use law::Both;

/// Most objects of one payload that are judged.
const OBJECTS_MAX: usize = 8;

/// Names of the members of flow tuples.
const MEMBERS: [&str; 4] = ["a", "properties", "user", "a.b"];

macro_rules! rules {
    ($($path:literal),* $(,)?) => {
        [$(include_str!(concat!("../../", $path))),*]
    };
}

/// Rule sets by themselves.
const SETS: [&str; 5] = rules![
    "fuzz/rules/text.yml",
    "fuzz/rules/values.yml",
    "fuzz/rules/paths.yml",
    "fuzz/rules/keywords.yml",
    "fuzz/rules/correlations.yml",
];

/// One rule set of what is shipped.
const SHIPPED: [&str; 12] = rules![
    "detections/azure/activity_logs/diagnostic_setting_deleted.yml",
    "detections/azure/activity_logs/privileged_role_assignment.yml",
    "detections/azure/activity_logs/storage_keys_listed.yml",
    "detections/azure/audit_logs/application_credential_added.yml",
    "detections/azure/audit_logs/global_administrator_assigned.yml",
    "detections/azure/correlations/password_spray.yml",
    "detections/azure/defender_alerts/high_severity_alert.yml",
    "detections/azure/key_vault/key_material_exported.yml",
    "detections/azure/network_flows/management_port_reached_from_internet.yml",
    "detections/azure/risk_detections/stolen_credentials_or_token.yml",
    "detections/azure/signin_logs/legacy_authentication_success.yml",
    "detections/azure/signin_logs/wrong_password.yml",
];

const FIELD_MAP: &str = include_str!("../../detections/pipelines/azure.yml");

static ENGINES: LazyLock<Vec<Engine>> = LazyLock::new(|| {
    let all = SETS.join("---\n");
    let mut engines: Vec<Engine> = SETS.iter().map(|set| engine(&[set], &[])).collect();
    engines.push(engine(&[&all], &[]));
    engines.push(engine(&SHIPPED, &[FIELD_MAP]));
    engines
});

fn files(texts: &[&str]) -> Vec<RuleFile> {
    let file = |(place, text): (usize, &&str)| RuleFile {
        name: format!("{place}.yml").into(),
        bytes: text.as_bytes().to_vec(),
    };
    texts.iter().enumerate().map(file).collect()
}

/// An engine that holds all of these rules against every event.
fn engine(rules: &[&str], pipelines: &[&str]) -> Engine {
    let (mut set, problems) = parse::parse(&files(rules));
    let problems: Vec<_> = problems.iter().filter(|one| one.is_error()).collect();
    assert!(problems.is_empty(), "{problems:?}");
    let pipelines = pipeline::parse(&files(pipelines)).expect("good pipelines");
    pipeline::apply(&pipelines, &mut set);
    let options = EngineOptions {
        routing: Routing::Any,
        ..EngineOptions::default()
    };
    Engine::compile(set, options).0
}

static ORIGIN: LazyLock<Origin> = LazyLock::new(|| Origin {
    tenant: Arc::from("default"),
    at: SourcePartition {
        source: Arc::from("fuzz"),
        incarnation: 1,
        partition: 0,
    },
    offset: 7,
    index: Index::ROOT,
});

fn judge(engine: &Engine, log_type: usize, body: Body<'_>, both: &mut Both) {
    let event = EventRef {
        body,
        log_type: log_types::ALL[log_type % log_types::ALL.len()],
        logsources: &[],
        event_time: None,
    };
    let context = EventContext {
        origin: &ORIGIN,
        append_time: Timestamp::from_unix_seconds(1_772_409_600),
        clamp: Clamp::ToAppendTime,
    };
    if let Err(differences) = both.judge(engine, &event, &context) {
        panic!("{differences}");
    }
}

/// The objects of a payload, each as a part of it.
fn objects(payload: &[u8], each: &mut dyn FnMut(Body<'_>)) {
    let mut index = scan::Index::default();
    if index.read(payload).is_err() {
        return;
    }
    let objects = (0_u32..).zip(index.pairs());
    let objects = objects.filter(|(_, pair)| payload[pair.open as usize] == b'{');
    for (pair, _) in objects.take(OBJECTS_MAX) {
        each(Body::Marked(scan::Marked {
            index: &index,
            payload,
            pair,
        }));
    }
}

/// The bytes as a flow tuple: lines of members, then the columns.
fn flow(bytes: &[u8], each: &mut dyn FnMut(Body<'_>)) {
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let columns = lines.pop().unwrap_or_default();
    let Ok(tuple) = std::str::from_utf8(columns) else {
        return;
    };
    let members: Vec<(&str, &[u8])> = MEMBERS.into_iter().zip(lines).collect();
    each(Body::Flow(FlowTuple {
        around: &Around::new(bytes, &members),
        tuple,
        columns: &log_types::COLUMNS,
    }));
}

fuzz_target!(|input: &[u8]| {
    let [rules, form, record @ ..] = input else {
        return;
    };
    let engine = &ENGINES[usize::from(*rules) % ENGINES.len()];
    let log_type = usize::from(form & 0x1f);
    let mut both = Both::default();
    let mut each = |body: Body<'_>| judge(engine, log_type, body, &mut both);
    match form >> 5 {
        0..=3 => each(Body::Json(record)),
        4..=6 => objects(record, &mut each),
        _ => flow(record, &mut each),
    }
});
