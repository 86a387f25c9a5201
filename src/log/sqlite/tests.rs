use std::collections::BTreeMap;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::log::AlertRow;

fn options() -> Options {
    Options {
        flush: Duration::ZERO,
        ..Options::new(Clock::start())
    }
}

fn open(dir: &TempDir) -> SqliteLog {
    SqliteLog::open(dir.path(), options()).unwrap()
}

fn alert(id: &str, body: &str) -> AlertRow {
    AlertRow {
        alert_id: id.to_owned(),
        body: Bytes::from(body.to_owned()),
    }
}

fn finished(offset: i64) -> Finished {
    Finished {
        source: "hub".to_owned(),
        incarnation: 1,
        partition: 3,
        offset,
    }
}

fn alerts(bodies: &[&str]) -> Append {
    Append {
        alerts: bodies.iter().map(|body| alert(body, body)).collect(),
        ..Append::default()
    }
}

fn full_step() -> Append {
    Append {
        matches: vec![
            (7, Bytes::from_static(b"m1")),
            (8, Bytes::from_static(b"m2")),
        ],
        alerts: vec![alert("a", "{}")],
        dead: vec![Bytes::from_static(b"d1")],
        finished: vec![finished(5)],
        emitted: vec![(7, 2)],
        settled: Vec::new(),
    }
}

async fn bodies(log: &SqliteLog, stream: Stream) -> Vec<Bytes> {
    let bounds = log.bounds(stream).await.unwrap();
    let rows = log.read(stream, bounds.start, 1_000).await.unwrap();
    rows.into_iter().map(|row| row.body).collect()
}

/// A connection as a foreign program would have it.
fn foreign(dir: &TempDir) -> Connection {
    Connection::open(dir.path().join(DB_FILE)).unwrap()
}

#[tokio::test]
async fn everything_is_there_after_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let appended = log.append(full_step()).await.unwrap();
    assert_eq!(
        appended,
        Appended {
            matches: 1..3,
            alerts: 1..2,
            dead: 1..2
        }
    );
    log.move_cursor("sink/file", 2).await.unwrap();
    log.put_fact("rules/1", Bytes::from_static(b"body"))
        .await
        .unwrap();
    drop(log);

    let log = open(&dir);
    assert!(!log.is_new());
    let rows = log.read(Stream::Matches, 1, 10).await.unwrap();
    let want = |pos, part, body: &'static [u8]| Row {
        pos,
        part,
        body: Bytes::from_static(body),
    };
    assert_eq!(rows, [want(1, 7, b"m1"), want(2, 8, b"m2")]);
    assert_eq!(bodies(&log, Stream::Dead).await, ["d1"]);
    assert_eq!(log.cursor("sink/file").await.unwrap(), 2);
    assert_eq!(log.cursor("sink/other").await.unwrap(), 1);
    assert_eq!(log.finished().await.unwrap(), [finished(5)]);
    assert_eq!(log.emitted().await.unwrap(), [(7, 2)]);
    let facts = log.facts("rules/").await.unwrap();
    assert_eq!(facts, [("rules/1".to_owned(), Bytes::from_static(b"body"))]);
    let next = log.append(full_step()).await.unwrap();
    assert_eq!(next.matches, 3..5, "positions go on where they were");
}

#[tokio::test]
async fn a_flipped_byte_is_a_gap_and_never_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    log.append(alerts(&["one", "two", "three"])).await.unwrap();
    drop(log);
    foreign(&dir)
        .execute("UPDATE alerts SET body = X'747778' WHERE pos = 2", [])
        .unwrap();

    let log = open(&dir);
    let error = log.read(Stream::Alerts, 1, 10).await.unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::Gap {
                stream: Stream::Alerts,
                from: 2,
                to: 3
            }
        ),
        "{error:?}"
    );
    assert_eq!(log.read(Stream::Alerts, 3, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_hole_is_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    log.append(alerts(&["one", "two", "three"])).await.unwrap();
    drop(log);
    foreign(&dir)
        .execute("DELETE FROM alerts WHERE pos = 2", [])
        .unwrap();

    let log = open(&dir);
    let error = log.read(Stream::Alerts, 1, 10).await.unwrap_err();
    assert!(
        matches!(error, ReadError::Gap { from: 2, to: 3, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_lost_end_is_noticed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    log.append(alerts(&["one", "two", "three"])).await.unwrap();
    drop(log);
    foreign(&dir)
        .execute("DELETE FROM alerts WHERE pos = 3", [])
        .unwrap();
    let error = SqliteLog::open(dir.path(), options()).unwrap_err();
    assert!(
        matches!(
            error,
            StateError::Gap {
                stream: Stream::Alerts,
                from: 1,
                to: 4
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_damaged_cursor_is_an_error_and_not_a_position() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    log.move_cursor("sink/file", 4).await.unwrap();
    foreign(&dir)
        .execute("UPDATE cursors SET pos = 9", [])
        .unwrap();
    assert!(matches!(
        log.cursor("sink/file").await,
        Err(ReadError::Broken(_))
    ));
}

#[tokio::test]
async fn a_raised_epoch_fences_every_writer_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    log.append(alerts(&["mine"])).await.unwrap();
    // What a second process does whose file locks lie.
    schema::raise_epoch(&mut foreign(&dir)).unwrap();
    let refused = log.append(alerts(&["late"])).await.unwrap_err();
    assert!(matches!(refused, AppendError::Fenced), "{refused:?}");
    let refused = log.move_cursor("sink/file", 2).await.unwrap_err();
    assert!(matches!(refused, AppendError::Fenced), "{refused:?}");
    drop(log);
    assert_eq!(bodies(&open(&dir), Stream::Alerts).await, ["mine"]);
}

#[tokio::test]
async fn a_database_deleted_while_in_use_ends_its_process() {
    let dir = TempDir::new().unwrap();
    let log = open(&dir);
    let now = Clock::start().now();
    log.trim(now, 1).await.unwrap();
    std::fs::remove_file(dir.path().join(DB_FILE)).unwrap();
    log.append(full_step()).await.unwrap();
    let lost = log.trim(now, 1).await.unwrap_err();
    assert!(matches!(lost, AppendError::Broken(_)), "{lost:?}");
}

#[tokio::test]
async fn a_second_open_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let refused = SqliteLog::open(dir.path(), options()).unwrap_err();
    assert!(matches!(refused, StateError::Held { .. }), "{refused:?}");
    log.append(alerts(&["one"])).await.unwrap();
    drop(log);
    open(&dir);
}

#[tokio::test]
async fn steps_that_wait_together_keep_the_order_of_their_calls() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(dir.path(), Options::new(Clock::start())).unwrap();
    let names: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let steps = names.iter().map(|name| log.append(alerts(&[name])));
    let done = futures_util::future::join_all(steps).await;
    for (n, appended) in (1..).zip(done) {
        assert_eq!(appended.unwrap().alerts, n..n + 1);
    }
    assert_eq!(bodies(&log, Stream::Alerts).await, names);
}

/// With an hour between two transactions, whoever waited for it would not be seen again.
#[tokio::test]
async fn an_alert_is_not_waited_with_and_takes_along_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        flush: Duration::from_hours(1),
        ..options()
    };
    let log = SqliteLog::open(dir.path(), options).unwrap();
    log.append(alerts(&["first"])).await.unwrap();
    log.append(alerts(&["second"])).await.unwrap();
    // In this order into the writer's queue.
    let moved = log.move_cursor("sink/s", 2);
    let appended = log.append(alerts(&["third"]));
    let (moved, appended) = futures_util::future::join(moved, appended).await;
    moved.unwrap();
    assert_eq!(appended.unwrap().alerts, 3..4);
    assert_eq!(log.cursor("sink/s").await.unwrap(), 2);
}

#[tokio::test]
async fn cursors_and_finished_positions_never_go_back() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    log.move_cursor("sink/file", 7).await.unwrap();
    log.move_cursor("sink/file", 3).await.unwrap();
    assert_eq!(log.cursor("sink/file").await.unwrap(), 7);
    for offset in [9, 4] {
        let step = Append {
            finished: vec![finished(offset)],
            ..Append::default()
        };
        log.append(step).await.unwrap();
    }
    assert_eq!(log.finished().await.unwrap(), [finished(9)]);
}

#[tokio::test]
async fn a_fact_stands_as_it_was_written_first() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    log.put_fact("k", Bytes::from_static(b"1")).await.unwrap();
    log.put_fact("k", Bytes::from_static(b"1")).await.unwrap();
    let refused = log
        .put_fact("k", Bytes::from_static(b"2"))
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, AppendError::Conflict { key } if key == "k"),
        "{refused:?}"
    );
    log.append(alerts(&["goes on"])).await.unwrap();
}

#[tokio::test]
async fn whoever_waits_for_the_end_is_woken() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let mut end = log.watch(Stream::Alerts);
    assert_eq!(*end.borrow_and_update(), 1);
    let (_, appended) = tokio::join!(end.changed(), log.append(alerts(&["one", "two"])));
    assert_eq!(*end.borrow(), appended.unwrap().alerts.end);
}

fn days(days: i64) -> palisade_detect::time::Span {
    palisade_detect::time::Span::from_seconds(days * 24 * 3_600)
}

#[tokio::test]
async fn trimming_respects_cursors_folds_and_ages() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        alert_readers: vec!["sink/a".to_owned(), "sink/b".to_owned()],
        ..options()
    };
    let clock = options.clock;
    let log = SqliteLog::open(dir.path(), options).unwrap();
    for _ in 0..4 {
        log.append(full_step()).await.unwrap();
    }
    log.move_cursor("sink/a", 5).await.unwrap();

    let young = log.trim(clock.now(), 9).await.unwrap();
    assert!(young.is_empty(), "{young:?}");
    let none_delivered = log.trim(clock.now().plus(days(31)), 4).await.unwrap();
    assert_eq!(
        none_delivered,
        Trimmed {
            matches: 3,
            alerts: 0,
            dead: 4
        }
    );
    log.move_cursor("sink/b", 3).await.unwrap();
    let delivered = log.trim(clock.now().plus(days(31)), 4).await.unwrap();
    assert_eq!(
        delivered,
        Trimmed {
            matches: 0,
            alerts: 2,
            dead: 0
        }
    );

    assert_eq!(log.bounds(Stream::Alerts).await.unwrap(), 3..5);
    assert_eq!(log.bounds(Stream::Matches).await.unwrap(), 4..9);
    assert_eq!(log.bounds(Stream::Dead).await.unwrap(), 5..5);
    let below = log.read(Stream::Alerts, 2, 1).await.unwrap_err();
    assert!(
        matches!(below, ReadError::Gap { from: 2, to: 3, .. }),
        "{below:?}"
    );
    drop(log);
    let log = open(&dir);
    assert_eq!(
        log.bounds(Stream::Dead).await.unwrap(),
        5..5,
        "an empty stream knows its end"
    );
    assert_eq!(bodies(&log, Stream::Alerts).await.len(), 2);
}

#[test]
fn matches_stay_for_the_longest_timespan_and_a_day_but_a_week_at_least() {
    let hours = Duration::from_hours;
    assert_eq!(Retention::matches_for(hours(1)), hours(7 * 24));
    assert_eq!(Retention::matches_for(hours(30 * 24)), hours(31 * 24));
}

/// What is on the disk right after an answer is what a killed process leaves behind.
#[tokio::test]
async fn a_killed_writer_leaves_whole_steps_and_all_that_was_answered_for() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    for round in 1..=5 {
        log.append(full_step()).await.unwrap();
        let copy = tempfile::tempdir().unwrap();
        for name in [DB_FILE.to_owned(), format!("{DB_FILE}-wal")] {
            std::fs::copy(dir.path().join(&name), copy.path().join(&name)).unwrap();
        }
        let left = open(&copy);
        assert_eq!(
            left.bounds(Stream::Matches).await.unwrap(),
            1..2 * round + 1
        );
        assert_eq!(left.bounds(Stream::Alerts).await.unwrap(), 1..round + 1);
        assert_eq!(left.finished().await.unwrap(), [finished(5)]);
    }
}

fn small(alert_readers: &[&str], max_bytes: u64) -> Options {
    Options {
        retention: Retention {
            max_bytes,
            ..Retention::default()
        },
        alert_readers: alert_readers.iter().map(|&name| name.to_owned()).collect(),
        ..options()
    }
}

const KILOBYTES: u64 = 1024;

#[tokio::test]
async fn a_full_log_waits_and_goes_on_when_alerts_are_delivered() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(dir.path(), small(&["sink/file"], 256 * KILOBYTES)).unwrap();
    let body = "x".repeat(16 * 1024);
    let mut full = log.storage_full();
    let mut sent = 0;
    let waiting = loop {
        let mut append = Box::pin(log.append(alerts(&[&body])));
        sent += 1;
        let stuck = tokio::select! {
            answer = &mut append => { answer.unwrap(); false }
            changed = full.wait_for(|full| *full) => { changed.unwrap(); true }
        };
        if stuck {
            break append;
        }
        assert!(sent < 100, "the limit was never reached");
    };
    log.move_cursor("sink/file", sent).await.unwrap();
    let appended = waiting.await.unwrap();
    assert_eq!(
        appended.alerts,
        sent..sent + 1,
        "nothing was lost or written twice"
    );
    assert!(!*full.borrow_and_update());
    assert_eq!(log.bounds(Stream::Alerts).await.unwrap(), sent..sent + 1);
    let early = log.trimmed_early().borrow().clone();
    assert_eq!((early.alerts, early.dead.is_empty()), (1..sent, true));
    log.append(alerts(&["goes on"])).await.unwrap();
}

#[tokio::test]
async fn a_log_that_is_dropped_while_full_keeps_what_was_answered_for() {
    let dir = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(dir.path(), small(&["sink/file"], 256 * KILOBYTES)).unwrap();
    let body = "x".repeat(16 * 1024);
    let mut full = log.storage_full();
    let mut answered = 0;
    loop {
        tokio::select! {
            answer = log.append(alerts(&[&body])) => { answer.unwrap(); answered += 1; }
            changed = full.wait_for(|full| *full) => { changed.unwrap(); break; }
        }
    }
    drop(log);
    let log = open(&dir);
    assert_eq!(log.bounds(Stream::Alerts).await.unwrap(), 1..answered + 1);
}

#[test]
fn the_state_is_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("state");
    let _log = SqliteLog::open(&dir, options()).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(
        files.len(),
        4,
        "database, write-ahead log, shared memory, lock: {files:?}"
    );
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_changed_tenant_is_refused_while_state_exists() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    let deployment = |tenants: &[(&str, &str)]| Deployment {
        mode: "single",
        key_partitions: 32,
        tenants: tenants
            .iter()
            .map(|(s, t)| ((*s).to_owned(), (*t).to_owned()))
            .collect(),
    };
    deployment(&[("hub", "acme")]).verify(&log).await.unwrap();
    deployment(&[("hub", "acme"), ("file", "acme")])
        .verify(&log)
        .await
        .unwrap();
    let refused = deployment(&[("hub", "other")])
        .verify(&log)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("`acme` for source `hub`"), "{refused}");
    let other = Deployment {
        key_partitions: 64,
        ..deployment(&[])
    };
    let refused = other.verify(&log).await.unwrap_err().to_string();
    assert!(refused.contains("key_partitions `32`"), "{refused}");
}

#[tokio::test]
async fn alerts_are_read_beside_the_running_process() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    log.append(alerts(&["one", "two", "one"])).await.unwrap();
    let beside = AlertsReader::open(dir.path()).unwrap();
    assert_eq!(beside.bounds().unwrap(), 1..4);
    let newest = |id| match beside.find(id).unwrap() {
        Found::One(row) => Some(row.pos),
        Found::None | Found::Several(..) => None,
    };
    assert_eq!(newest("one"), Some(3));
    assert_eq!(newest("tw"), Some(2), "the beginning of an id is enough");
    assert_eq!(beside.find("none").unwrap(), Found::None);
    assert!(matches!(beside.find("").unwrap(), Found::Several(..)));
    log.append(alerts(&["four"])).await.unwrap();
    assert_eq!(beside.read(4, 10).unwrap()[0].body, "four");
    drop(log);
    let alone = AlertsReader::open(dir.path()).unwrap();
    assert_eq!(
        alone.read(1, 10).unwrap().len(),
        4,
        "without a running process too"
    );
}

/// What a log should hold, said as plainly as possible.
#[derive(Debug, Default)]
struct Model {
    matches: Vec<(u32, Vec<u8>)>,
    alerts: Vec<Vec<u8>>,
    cursors: BTreeMap<String, Pos>,
    finished: BTreeMap<u32, i64>,
}

#[derive(Debug, Clone)]
enum Op {
    Append {
        matches: Vec<(u32, Vec<u8>)>,
        alerts: Vec<Vec<u8>>,
        finished: Option<(u32, i64)>,
    },
    Cursor(u8, Pos),
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    let body = || proptest::collection::vec(any::<u8>(), 0..40);
    let matches = proptest::collection::vec((0..32_u32, body()), 0..4);
    let alerts = proptest::collection::vec(body(), 0..4);
    let finished = proptest::option::of((0..3_u32, 0..100_i64));
    prop_oneof![
        6 => (matches, alerts, finished)
            .prop_map(|(matches, alerts, finished)| Op::Append { matches, alerts, finished }),
        3 => (0..3_u8, 1..20_u64).prop_map(|(sink, to)| Op::Cursor(sink, to)),
        1 => Just(Op::Reopen),
    ]
}

async fn apply(log: &SqliteLog, model: &mut Model, op: Op) {
    match op {
        Op::Append {
            matches,
            alerts,
            finished: offset,
        } => {
            let step = Append {
                matches: matches
                    .iter()
                    .map(|(p, b)| (*p, Bytes::from(b.clone())))
                    .collect(),
                alerts: alerts
                    .iter()
                    .map(|body| AlertRow {
                        alert_id: String::new(),
                        body: Bytes::from(body.clone()),
                    })
                    .collect(),
                finished: offset
                    .iter()
                    .map(|(partition, offset)| Finished {
                        partition: *partition,
                        ..finished(*offset)
                    })
                    .collect(),
                ..Append::default()
            };
            log.append(step).await.unwrap();
            model.matches.extend(matches);
            model.alerts.extend(alerts);
            if let Some((partition, offset)) = offset {
                let stands = model.finished.entry(partition).or_insert(offset);
                *stands = (*stands).max(offset);
            }
        }
        Op::Cursor(sink, to) => {
            let name = format!("sink/{sink}");
            log.move_cursor(&name, to).await.unwrap();
            let stands = model.cursors.entry(name).or_insert(1);
            *stands = (*stands).max(to);
        }
        Op::Reopen => {}
    }
}

async fn agrees(log: &SqliteLog, model: &Model) {
    let rows = log.read(Stream::Matches, 1, usize::MAX).await.unwrap();
    let held: Vec<(u32, Vec<u8>)> = rows
        .into_iter()
        .map(|row| (row.part, row.body.to_vec()))
        .collect();
    assert_eq!(held, model.matches);
    assert_eq!(bodies(log, Stream::Alerts).await, model.alerts);
    for (name, pos) in &model.cursors {
        assert_eq!(log.cursor(name).await.unwrap(), *pos);
    }
    let held: BTreeMap<u32, i64> = log
        .finished()
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.partition, row.offset))
        .collect();
    assert_eq!(held, model.finished);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn prop_the_log_holds_what_the_model_holds(ops in proptest::collection::vec(op(), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let mut log = open(&dir);
            let mut model = Model::default();
            for op in ops {
                if matches!(op, Op::Reopen) {
                    drop(log);
                    log = open(&dir);
                }
                apply(&log, &mut model, op).await;
            }
            agrees(&log, &model).await;
            drop(log);
            agrees(&open(&dir), &model).await;
        });
    }
}
