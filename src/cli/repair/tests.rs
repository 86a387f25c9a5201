use bytes::Bytes;
use palisade_detect::alert::Alert;
use palisade_detect::correlation::Definitions;
use palisade_detect::matches::{self, Record, Tick};
use rusqlite::Connection;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::cli::ConfigFile;
use crate::log::sqlite::ACCEPTED;
use crate::log::{BROADCAST, Log, Pos, Row};
use crate::topology::Site;
use crate::topology::alarms::deployment;
use crate::topology::fold::Folds;

fn args(dir: &Path) -> Args {
    Args {
        at: dead::State {
            config: ConfigFile {
                config: PathBuf::new(),
            },
            state: Some(dir.to_owned()),
        },
        accept_gap: true,
        new_log_incarnation: false,
        source: None,
        yes: true,
        format: TextOrJson::Json,
    }
}

fn run(args: &Args) -> anyhow::Result<Vec<String>> {
    let mut out = Vec::new();
    let dir = args.at.state.clone().unwrap();
    let terminal = Terminal::new(clap::ColorChoice::Never);
    repair(&dir, args, terminal, &mut out)?;
    let told: Value = serde_json::from_slice(&out)?;
    let lines = told["given_up"].as_array().unwrap();
    Ok(lines
        .iter()
        .map(|line| line.as_str().unwrap().to_owned())
        .collect())
}

fn open(dir: &Path) -> SqliteLog {
    SqliteLog::open(dir, Options::new(Clock::start())).unwrap()
}

/// A log of ten rows in each stream, as a process leaves it that was killed.
async fn log(dir: &Path) {
    let log = open(dir);
    let tick = matches::encode(&Record::tick(Tick { marks: Vec::new() }));
    let alert = |number: usize| AlertRow {
        alert_id: format!("a{number}"),
        body: Bytes::from(format!(
            "{{\"alert_id\":\"a{number}\",\"dedupe_key\":\"d\"}}"
        )),
    };
    let step = Append {
        matches: vec![(BROADCAST, Bytes::from(tick)); 10],
        alerts: (1..=10).map(alert).collect(),
        dead: vec![Bytes::from("{}"); 10],
        finished: vec![Finished {
            source: "hub/logs".to_owned(),
            incarnation: 1,
            partition: 3,
            offset: 1_042,
        }],
        ..Append::default()
    };
    log.append(step).await.unwrap();
    log.move_cursor("sink/file", 4).await.unwrap();
}

fn harm(dir: &Path, sql: &str) {
    let conn = Connection::open(dir.join("palisade.db")).unwrap();
    conn.execute_batch(sql).unwrap();
}

async fn rows(log: &SqliteLog, stream: Stream) -> Vec<Row> {
    let bounds = log.bounds(stream).await.unwrap();
    log.read(stream, bounds.start, 100).await.unwrap()
}

/// The alerts about gaps: what they are about, from and to.
fn said(rows: &[Row]) -> Vec<[String; 3]> {
    let alerts = rows
        .iter()
        .filter_map(|row| serde_json::from_slice::<Alert>(&row.body).ok());
    let said = alerts.filter(|alert| alert.rule.name == "state_gap");
    said.map(|alert| {
        ["subject", "from", "to"].map(|name| alert.labels.get(name).cloned().unwrap_or_default())
    })
    .collect()
}

#[tokio::test]
async fn a_whole_log_is_left_alone_and_a_running_one_too() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path()).await;
    let before = std::fs::read(dir.path().join("palisade.db")).unwrap();
    assert_eq!(run(&args(dir.path())).unwrap(), Vec::<String>::new());
    assert!(before == std::fs::read(dir.path().join("palisade.db")).unwrap());
    let _running = open(dir.path());
    let refused = run(&args(dir.path())).unwrap_err();
    assert_eq!(Exit::of(&refused), Exit::Held);
}

#[tokio::test]
async fn what_is_damaged_is_given_up_to_the_row_and_an_alert_names_it() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path()).await;
    harm(
        dir.path(),
        "DELETE FROM alerts WHERE pos IN (6, 7, 10);
         UPDATE matches SET body = x'00' WHERE pos = 5;
         UPDATE dead SET crc = 1 WHERE pos = 1;
         UPDATE cursors SET pos = 9 WHERE name = 'sink/file';",
    );
    assert!(SqliteLog::open(dir.path(), Options::new(Clock::start())).is_err());
    let given_up = run(&args(dir.path())).unwrap();
    let begins: Vec<&str> = given_up
        .iter()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    let expected = [
        "matches 5 to 6",
        "alerts 6 to 8",
        "alerts 10 to 11",
        "dead letters 1 to 2",
        "the cursor `sink/file`",
    ];
    assert_eq!(begins, expected);

    let log = Arc::new(open(dir.path()));
    let alerts = rows(&log, Stream::Alerts).await;
    let about = |stream: &str, from: Pos, to: Pos| {
        [format!("{stream} log"), from.to_string(), to.to_string()]
    };
    let mut told = said(&alerts);
    assert_eq!(told.pop().unwrap()[0], "state");
    let ranges = [
        about("matches", 5, 6),
        about("alerts", 6, 8),
        about("alerts", 10, 11),
        about("dead", 1, 2),
    ];
    assert_eq!(told, ranges);
    let kept: Vec<bool> = alerts[..10]
        .iter()
        .map(|row| !row.body.is_empty())
        .collect();
    let there = [
        true, true, true, true, true, false, false, true, true, false,
    ];
    assert_eq!(kept, there, "nothing else is given up");
    assert_eq!(log.cursor("sink/file").await.unwrap(), 1);
    let shared: Arc<dyn Log> = Arc::<SqliteLog>::clone(&log);
    let folds = Folds::rebuild(shared, Definitions::new(), Site::default());
    folds.await.unwrap();
}

#[tokio::test]
async fn matches_begin_anew_behind_their_end() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path()).await;
    let before = deployment(&open(dir.path()), Clock::start()).await.unwrap();
    harm(dir.path(), "DELETE FROM matches WHERE pos > 3;");
    let anew = Args {
        accept_gap: false,
        new_log_incarnation: true,
        ..args(dir.path())
    };
    let given_up = run(&anew).unwrap();
    assert!(
        given_up[0].starts_with("all matches, 1 to 11"),
        "{given_up:?}"
    );
    let log = open(dir.path());
    assert_eq!(log.bounds(Stream::Matches).await.unwrap(), 11..11);
    assert_eq!(log.cursor("sink/file").await.unwrap(), 4, "the rest stays");
    assert_eq!(log.finished().await.unwrap()[0].offset, 1_042);
    let emitted = log.emitted().await.unwrap();
    assert!(emitted.len() > 1 && emitted.iter().all(|(_, pos)| *pos == 11));
    let alerts = rows(&log, Stream::Alerts).await;
    assert_eq!(said(&alerts)[0][1..], ["1".to_owned(), "11".to_owned()]);
    let after = deployment(&log, Clock::start()).await.unwrap();
    assert_ne!(after, before, "snapshots of the old matches are not found");
}

#[test]
fn a_database_that_cannot_be_read_is_put_aside_only_when_all_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("palisade.db"), "no database ".repeat(1_000)).unwrap();
    let refused = run(&args(dir.path())).unwrap_err();
    assert_eq!(Exit::of(&refused), Exit::StateGap);
    let anew = Args {
        accept_gap: false,
        new_log_incarnation: true,
        ..args(dir.path())
    };
    assert_eq!(run(&anew).unwrap().len(), 1);
    let aside = std::fs::read(dir.path().join("palisade.db.damaged-1")).unwrap();
    assert!(aside.starts_with(b"no database"));
    let log = open(dir.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let alerts = runtime.block_on(rows(&log, Stream::Alerts));
    assert_eq!(said(&alerts).len(), 1);
}

/// One that another program locks, or that the disk does not give, may be healthy.
#[test]
fn only_a_damaged_database_counts_as_one_that_cannot_be_read() {
    use rusqlite::ffi;
    let unreadable = |code| {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        is_unreadable(&StateError::Database(error))
    };
    for code in [
        ffi::SQLITE_BUSY,
        ffi::SQLITE_LOCKED,
        ffi::SQLITE_CANTOPEN,
        ffi::SQLITE_IOERR,
        ffi::SQLITE_READONLY,
        ffi::SQLITE_NOMEM,
    ] {
        assert!(!unreadable(code), "{code}");
    }
    for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB] {
        assert!(unreadable(code), "{code}");
    }
}

#[tokio::test]
async fn a_gap_of_a_source_is_accepted_for_its_position_only() {
    let dir = tempfile::tempdir().unwrap();
    log(dir.path()).await;
    let of = |source: &str| Args {
        source: Some(source.to_owned()),
        ..args(dir.path())
    };
    assert!(run(&of("hu")).is_err(), "there is no such source");
    let given_up = run(&of("hub")).unwrap();
    assert!(given_up[0].contains("records from 1042"), "{given_up:?}");
    let log = open(dir.path());
    let facts = log.facts(ACCEPTED).await.unwrap();
    assert_eq!(facts[0].0, "accepted/gap/1042/1/3/hub/logs");
}

#[test]
fn nobody_to_ask_is_a_no() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(log(dir.path()));
    harm(dir.path(), "DELETE FROM alerts WHERE pos = 10;");
    let asked = Args {
        yes: false,
        ..args(dir.path())
    };
    let nobody = Terminal {
        stderr_is_terminal: false,
        ..Terminal::new(clap::ColorChoice::Never)
    };
    let refused = repair(dir.path(), &asked, nobody, &mut Vec::new()).unwrap_err();
    assert_eq!(Exit::of(&refused), Exit::Usage);
    assert!(SqliteLog::open(dir.path(), Options::new(Clock::start())).is_err());
}
