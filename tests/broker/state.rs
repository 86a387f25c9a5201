//! What a state directory, a file and a topic hold, read without the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use palisade_detect::correlation::{CorrelationDef, Definitions, Fold, KEY_PARTITIONS, Output};
use palisade_detect::matches::{self, Body};
use rdkafka::message::Message;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::input::{PARTITIONS, Setup};
use crate::support::kafka::Broker;

/// One row of the matches log: position, key partition, body.
pub type MatchRow = (u64, u32, Vec<u8>);

/// The three logs of a state directory.
pub struct Logs {
    connection: Connection,
}

impl Logs {
    /// Opens the log of a run, also beside the running process.
    pub fn open(setup: &Setup) -> Self {
        let path = setup.folder.join("state/palisade.db");
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        Self {
            connection: connection.expect("the log can be opened"),
        }
    }

    /// Whether the program has made its tables: the file is there before them.
    pub fn has_begun(&self) -> bool {
        let sql = "SELECT count(*) FROM sqlite_master WHERE name = 'alerts'";
        let tables = self.connection.query_one(sql, [], |row| row.get(0));
        tables == Ok(1)
    }

    fn bodies(&self, table: &str) -> Vec<Value> {
        let mut query = self
            .connection
            .prepare(&format!("SELECT body FROM {table} ORDER BY pos"))
            .expect("the table is there");
        let rows = query
            .query_map([], |row| row.get::<_, Vec<u8>>(0))
            .expect("rows");
        rows.map(|row| serde_json::from_slice(&row.expect("a row")).expect("JSON"))
            .collect()
    }

    /// Every alert.
    pub fn alerts(&self) -> Vec<Value> {
        self.bodies("alerts")
    }

    /// Every dead letter.
    pub fn dead(&self) -> Vec<Value> {
        self.bodies("dead")
    }

    /// Every row of the matches log in its order.
    pub fn matches(&self) -> Vec<MatchRow> {
        let mut query = self
            .connection
            .prepare("SELECT pos, part, body FROM matches ORDER BY pos")
            .expect("the table is there");
        let row = |row: &rusqlite::Row<'_>| {
            let (pos, part): (i64, i64) = (row.get(0)?, row.get(1)?);
            let place = (
                u64::try_from(pos).expect("positive"),
                u32::try_from(part).expect("small"),
            );
            Ok((place.0, place.1, row.get(2)?))
        };
        let rows = query.query_map([], row).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    }

    /// The correlations that the log's matches may name.
    pub fn definitions(&self) -> Definitions {
        let mut query = self
            .connection
            .prepare("SELECT body FROM facts WHERE key LIKE 'rules/%' ORDER BY key")
            .expect("the table is there");
        let rows = query
            .query_map([], |row| row.get::<_, Vec<u8>>(0))
            .expect("rows");
        let read = |row: rusqlite::Result<Vec<u8>>| {
            let def: CorrelationDef = serde_json::from_slice(&row.expect("a row")).expect("JSON");
            (def.version, Arc::new(def))
        };
        rows.map(read).collect()
    }
}

/// Text at a path of object keys; empty if there is none.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Ids of the alerts of single events.
pub fn single_ids(alerts: &[Value]) -> BTreeSet<String> {
    ids(alerts
        .iter()
        .filter(|alert| text(alert, "/rule/type") == "single"))
}

/// Ids of the alerts of correlations.
pub fn correlation_ids(alerts: &[Value]) -> BTreeSet<String> {
    ids(alerts.iter().filter(|alert| is_of_correlation(alert)))
}

/// Ids of the alerts that the folds raised: of correlations, and of detection rules whose repeats are
/// held back.
pub fn folded_ids(alerts: &[Value], definitions: &Definitions) -> BTreeSet<String> {
    let rules: BTreeSet<&str> = definitions.values().map(|def| &*def.id).collect();
    ids(alerts
        .iter()
        .filter(|alert| rules.contains(text(alert, "/rule/id"))))
}

/// Neither of a single event nor about Palisade itself.
fn is_of_correlation(alert: &Value) -> bool {
    !matches!(text(alert, "/rule/type"), "single" | "operational")
}

/// The alerts about Palisade itself.
pub fn operational(alerts: &[Value]) -> Vec<&Value> {
    let of = |alert: &&Value| text(alert, "/rule/type") == "operational";
    alerts.iter().filter(of).collect()
}

/// Ids of alerts.
pub fn ids<'a>(alerts: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    alerts
        .into_iter()
        .map(|alert| text(alert, "/alert_id").to_owned())
        .collect()
}

/// The groups that fired: correlation and group.
pub fn fired(alerts: &[Value]) -> BTreeSet<(String, String)> {
    let correlations = alerts.iter().filter(|alert| is_of_correlation(alert));
    let group = |alert: &Value| alert.pointer("/group/fields").map(Value::to_string);
    correlations
        .map(|alert| {
            (
                text(alert, "/rule/id").to_owned(),
                group(alert).unwrap_or_default(),
            )
        })
        .collect()
}

/// The set of matches of source events: event, correlation, base rule.
pub fn match_set(rows: &[MatchRow]) -> BTreeSet<(Vec<u8>, String, u32)> {
    let mut set = BTreeSet::new();
    for (_, _, body) in rows {
        let record = matches::decode(body).expect("a readable record");
        let Some(Body::Batch(batch)) = record.body else {
            continue;
        };
        // What the folds pass on to outer correlations depends on the order of arrival.
        if batch
            .source
            .as_ref()
            .is_some_and(|source| source.name == "fold")
        {
            continue;
        }
        for found in batch.matches {
            for base in &found.base_rules {
                set.insert((found.event_id.clone(), found.correlation_id.clone(), *base));
            }
        }
    }
    set
}

/// What a plain fold of the log as written says: ids of the correlations' alerts.
pub fn refold(rows: &[MatchRow], definitions: &Definitions) -> BTreeSet<String> {
    let mut folds: Vec<Fold> = (0..KEY_PARTITIONS).map(Fold::new).collect();
    let mut ids = BTreeSet::new();
    let mut out = Vec::new();
    for (pos, part, body) in rows {
        let record = matches::decode(body).expect("a readable record");
        for (number, fold) in (0..).zip(&mut folds) {
            if *part != palisade::log::BROADCAST && *part != number {
                continue;
            }
            fold.step(*pos, &record, definitions, &mut out)
                .expect("a step that can be taken");
            for output in out.drain(..) {
                // Chained matches stand in the log themselves.
                if let Output::Alert(alert) = output {
                    ids.insert(alert.alert_id);
                }
            }
        }
    }
    ids
}

/// The alerts of a file, which must be whole lines of JSON.
pub fn file_alerts(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("alerts.ndjson")).expect("the alerts' file");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

/// The alerts of a topic.
pub fn topic_alerts(broker: &Broker, topic: &str) -> Vec<Value> {
    let read = broker.read_all(topic, PARTITIONS);
    let json = |message: &rdkafka::message::OwnedMessage| {
        serde_json::from_slice(message.payload().expect("a payload")).expect("JSON")
    };
    read.iter().map(json).collect()
}

/// Asserts that alerts of one id say the same, the time of writing apart.
pub fn assert_repeats_agree(alerts: &[Value]) {
    let mut said: BTreeMap<&str, Value> = BTreeMap::new();
    for alert in alerts {
        let mut body = alert.clone();
        body.as_object_mut()
            .expect("an object")
            .remove("emitted_at");
        let first = said
            .entry(text(alert, "/alert_id"))
            .or_insert_with(|| body.clone());
        assert_eq!(*first, body, "two alerts of one id differ");
    }
}
