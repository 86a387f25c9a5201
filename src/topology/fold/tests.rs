use std::time::Duration;

use palisade_detect::alert::RuleInfo;
use palisade_detect::correlation::{DefKind, GroupKey};
use palisade_detect::id::Id;
use palisade_detect::matches::{Match, Source};
use palisade_detect::rule::{Bounds, Comparison, Level, Wording};
use palisade_detect::time::Span;

use super::*;
use crate::log::sqlite::{Options, SqliteLog};

mod snapshots;

/// A correlation that one match satisfies.
fn def(number: u8, outer: Vec<(Id, u32)>) -> Arc<CorrelationDef> {
    let id = format!("c{number}");
    Arc::new(CorrelationDef {
        id: id.clone(),
        version: Id::from_bytes([number; 16]),
        rule: RuleInfo {
            id,
            version: "v".to_owned(),
            name: "n".to_owned(),
            kind: "event_count".to_owned(),
            level: None,
            author: None,
            references: Vec::new(),
            false_positives: Vec::new(),
            tags: Vec::new(),
        },
        title: "t".to_owned(),
        description: None,
        severity: Level::High,
        kind: DefKind::EventCount(Bounds(vec![(Comparison::Gte, 1.0)])),
        base_rules: vec!["a".to_owned()],
        group_by: Vec::new(),
        timespan: Span::from_seconds(10),
        alerts: outer.is_empty(),
        suppress: None,
        lateness: Span::ZERO,
        outer,
        wording: Wording::default(),
    })
}

fn source() -> Source {
    Source {
        name: "hub".to_owned(),
        incarnation: 1,
        partition: 0,
    }
}

fn found(offset: i64) -> Match {
    Match {
        offset,
        event_id: vec![u8::try_from(offset).unwrap(); 16],
        rule_version: vec![1; 16],
        correlation_id: "c1".to_owned(),
        base_rules: vec![0],
        group_key: GroupKey::new("t", &[]).as_bytes().to_vec(),
        tenant: "t".to_owned(),
        ..Match::default()
    }
}

fn tick(seconds: i64) -> Record {
    Record::tick(Tick {
        marks: vec![Mark {
            source: Some(source()),
            partitions_total: 1,
            upto: 0,
            append_time: Timestamp::from_unix_seconds(seconds).ticks(),
        }],
    })
}

async fn append(log: &SqliteLog, rows: Vec<(u32, Record)>) {
    let encoded = |(part, record): (u32, Record)| (part, Bytes::from(matches::encode(&record)));
    let matches = rows.into_iter().map(encoded).collect();
    let step = Append {
        matches,
        ..Append::default()
    };
    log.append(step).await.unwrap();
}

/// Who wrote each row of the matches log: a source by name, `tick` before a tick's.
async fn writers(log: &SqliteLog) -> Vec<String> {
    let bounds = log.bounds(Stream::Matches).await.unwrap();
    let rows = log
        .read(Stream::Matches, bounds.start, 1_000)
        .await
        .unwrap();
    let name = |source: &Option<Source>| source.clone().unwrap_or_default().name;
    rows.iter()
        .map(|row| match matches::decode(&row.body).unwrap().body {
            Some(Body::Batch(batch)) => name(&batch.source),
            Some(Body::Tick(tick)) => format!("tick {}", name(&tick.marks[0].source)),
            other => format!("{other:?}"),
        })
        .collect()
}

/// Folds until there is nothing left to fold.
async fn settle(log: &Arc<SqliteLog>, definitions: &Definitions) {
    let log = Arc::clone(log) as Arc<dyn Log>;
    let folds = Folds::rebuild(log, definitions.clone(), Site::default());
    let (_, stop) = watch::channel(true);
    folds.await.unwrap().run(stop).await.unwrap();
}

fn open(dir: &std::path::Path) -> Arc<SqliteLog> {
    let options = Options {
        flush: Duration::ZERO,
        ..Options::new(crate::clock::Clock::start())
    };
    Arc::new(SqliteLog::open(dir, options).unwrap())
}

#[tokio::test]
async fn a_18_2_folds_tick_behind_their_chained_matches_and_once_only() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let outer = def(2, Vec::new());
    let inner = def(1, vec![(outer.version, 0)]);
    let definitions = [inner, outer]
        .map(|def| (def.version, def))
        .into_iter()
        .collect();
    let mut rows = matches::batches(&source(), "", vec![found(0), found(1)]);
    rows.push((BROADCAST, tick(100)));
    append(&log, rows).await;
    settle(&log, &definitions).await;
    let expected = ["hub", "tick hub", "fold", "fold", "tick fold"];
    assert_eq!(writers(&log).await, expected);
    let alerts = log.bounds(Stream::Alerts).await.unwrap();
    assert_eq!(alerts.end - alerts.start, 2);
    // A restart folds it all again and has nothing new to say; time that stands still neither.
    append(&log, vec![(BROADCAST, tick(100))]).await;
    settle(&log, &definitions).await;
    assert_eq!(writers(&log).await, [&expected[..], &["tick hub"]].concat());
    assert_eq!(log.bounds(Stream::Alerts).await.unwrap(), alerts);
}

#[tokio::test]
async fn without_chains_no_fold_ticks() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let lone = def(1, Vec::new());
    let definitions = [(lone.version, lone)].into_iter().collect();
    let mut rows = matches::batches(&source(), "", vec![found(0)]);
    rows.push((BROADCAST, tick(100)));
    append(&log, rows).await;
    settle(&log, &definitions).await;
    assert_eq!(writers(&log).await, ["hub", "tick hub"]);
}

/// A tick that says how far partitions of the source have come, in seconds.
fn marked(places: &[(u32, i64)]) -> (u32, Bytes) {
    let mark = |(partition, seconds): &(u32, i64)| Mark {
        source: Some(Source {
            partition: *partition,
            ..source()
        }),
        partitions_total: 2,
        upto: 0,
        append_time: Timestamp::from_unix_seconds(*seconds).ticks(),
    };
    let marks = places.iter().map(mark).collect();
    let record = Record::tick(Tick { marks });
    (BROADCAST, Bytes::from(matches::encode(&record)))
}

#[tokio::test]
async fn t5_a_partition_that_falls_silent_is_said_once_and_the_same_by_every_fold_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::default();
    let log = Arc::new(SqliteLog::open(dir.path(), Options::new(site.clock)).unwrap());
    let matches = vec![
        marked(&[(0, 100), (1, 100)]),
        marked(&[(0, 3_699)]),
        marked(&[(0, 3_700)]),
        marked(&[(0, 5_000)]),
        marked(&[(0, 8_000), (1, 8_000)]),
        marked(&[(0, 11_599)]),
        marked(&[(0, 11_600)]),
    ];
    let step = Append {
        matches,
        ..Append::default()
    };
    log.append(step).await.unwrap();
    let said = || async {
        let shared: Arc<dyn Log> = Arc::<SqliteLog>::clone(&log);
        let rebuilt = Folds::rebuild(shared, Definitions::new(), site.clone());
        rebuilt.await.unwrap();
        let rows = log.read(Stream::Alerts, 1, 100).await.unwrap();
        let read = |row: &Row| serde_json::from_slice::<palisade_detect::alert::Alert>(&row.body);
        rows.iter()
            .map(|row| read(row).unwrap())
            .collect::<Vec<_>>()
    };
    let first = said().await;
    let [one, other] = &first[..] else {
        panic!("twice silent: {first:?}")
    };
    assert_eq!(one.title, "Source `hub` has fallen silent: partition 1");
    assert_ne!(one.alert_id, other.alert_id);
    assert_eq!(said().await, first, "what was said is not said again");

    let other_dir = tempfile::tempdir().unwrap();
    let copy = Arc::new(SqliteLog::open(other_dir.path(), Options::new(site.clock)).unwrap());
    let rows = log.read(Stream::Matches, 1, 100).await.unwrap();
    let step = Append {
        matches: rows.into_iter().map(|row| (row.part, row.body)).collect(),
        ..Append::default()
    };
    copy.append(step).await.unwrap();
    let shared: Arc<dyn Log> = Arc::<SqliteLog>::clone(&copy);
    let rebuilt = Folds::rebuild(shared, Definitions::new(), Site::default());
    rebuilt.await.unwrap();
    let again = copy.read(Stream::Alerts, 1, 100).await.unwrap();
    let ids = again
        .iter()
        .map(|row| String::from_utf8_lossy(&row.body).into_owned());
    for (line, alert) in ids.zip(&first) {
        assert!(line.contains(&alert.alert_id), "{line}");
    }
}
