use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use super::*;
use crate::log::sqlite::{Options, SqliteLog};
use crate::log::{AlertRow, Appended, Finished};
use crate::topology::Site;

/// A sink that answers by a script and keeps what it was given.
#[derive(Default)]
struct Fake {
    answers: Mutex<Vec<Vec<SinkResult>>>,
    seen: watch::Sender<Vec<Vec<String>>>,
    closed: watch::Sender<bool>,
}

struct FakeSink(Arc<Fake>);

#[async_trait::async_trait]
impl Sink for FakeSink {
    async fn deliver(&mut self, batch: &[SinkItem]) -> Vec<SinkResult> {
        let ids = batch.iter().map(|item| item.alert_id.clone()).collect();
        self.0.seen.send_modify(|seen| seen.push(ids));
        let mut answers = self.0.answers.lock().unwrap();
        if answers.is_empty() {
            return vec![SinkResult::Done; batch.len()];
        }
        answers.remove(0)
    }

    async fn close(&mut self) {
        self.0.closed.send_replace(true);
    }
}

fn fake(answers: Vec<Vec<SinkResult>>) -> Arc<Fake> {
    Arc::new(Fake {
        answers: Mutex::new(answers),
        ..Fake::default()
    })
}

fn open(dir: &Path) -> Arc<SqliteLog> {
    let options = Options {
        flush: Duration::ZERO,
        ..Options::new(Clock::start())
    };
    Arc::new(SqliteLog::open(dir, options).unwrap())
}

/// A log whose cursors move only when they are let.
struct Slow {
    log: Arc<SqliteLog>,
    moves: tokio::sync::Semaphore,
}

#[async_trait::async_trait]
impl Log for Slow {
    async fn append(&self, step: Append) -> Result<Appended, AppendError> {
        self.log.append(step).await
    }
    async fn read(&self, stream: Stream, from: Pos, limit: usize) -> Result<Vec<Row>, ReadError> {
        self.log.read(stream, from, limit).await
    }
    async fn bounds(&self, stream: Stream) -> Result<Range<Pos>, ReadError> {
        self.log.bounds(stream).await
    }
    fn watch(&self, stream: Stream) -> watch::Receiver<Pos> {
        self.log.watch(stream)
    }
    async fn cursor(&self, name: &str) -> Result<Pos, ReadError> {
        self.log.cursor(name).await
    }
    async fn move_cursor(&self, name: &str, to: Pos) -> Result<(), AppendError> {
        self.moves.acquire().await.unwrap().forget();
        self.log.move_cursor(name, to).await
    }
    async fn finished(&self) -> Result<Vec<Finished>, ReadError> {
        self.log.finished().await
    }
    async fn emitted(&self) -> Result<Vec<(u32, Pos)>, ReadError> {
        self.log.emitted().await
    }
    async fn put_fact(&self, key: &str, body: Bytes) -> Result<(), AppendError> {
        self.log.put_fact(key, body).await
    }
    async fn facts(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, ReadError> {
        self.log.facts(prefix).await
    }
}

async fn append(log: &SqliteLog, ids: &[&str]) {
    let row = |id: &&str| AlertRow {
        alert_id: (*id).to_owned(),
        body: Bytes::from(format!(r#"{{"alert_id":"{id}","dedupe_key":"k"}}"#)),
    };
    let alerts = ids.iter().map(row).collect();
    log.append(Append {
        alerts,
        ..Append::default()
    })
    .await
    .unwrap();
}

/// A running delivery to `fake` under the name `s`.
struct Running {
    fake: Arc<Fake>,
    alarms: Arc<Alarms>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<Result<(), DeliveryError>>,
}

fn start(log: &Arc<SqliteLog>, fake: &Arc<Fake>) -> Running {
    start_on(Arc::clone(log) as Arc<dyn Log>, fake)
}

fn start_on(log: Arc<dyn Log>, fake: &Arc<Fake>) -> Running {
    let alarms = Site::default().alarms;
    let delivery = Delivery {
        name: "s".to_owned(),
        sink: Box::new(FakeSink(Arc::clone(fake))),
        log,
        clock: Clock::start(),
        metrics: Arc::new(Metrics::default()),
        alarms: Arc::clone(&alarms),
        pauses: Pauses {
            retry_min: Duration::from_millis(1),
            retry_max: Duration::from_millis(2),
            blocked: Duration::from_millis(1),
        },
    };
    let (stop, stopped) = watch::channel(false);
    Running {
        fake: Arc::clone(fake),
        alarms,
        stop,
        task: tokio::spawn(delivery.run(stopped)),
    }
}

impl Running {
    /// Waits until the sink was called `calls` times, and says with what.
    async fn seen(&self, calls: usize) -> Vec<Vec<String>> {
        let mut seen = self.fake.seen.subscribe();
        seen.wait_for(|seen| seen.len() >= calls)
            .await
            .unwrap()
            .clone()
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap().unwrap();
    }

    /// Stops, and writes what is to be said: kind and what it is about.
    async fn said(self, log: &Arc<SqliteLog>) -> Vec<[String; 2]> {
        let alarms = Arc::clone(&self.alarms);
        self.stop().await;
        let from = log.bounds(Stream::Alerts).await.unwrap().end;
        let (_stop, stopped) = watch::channel(true);
        let shared = Arc::clone(log) as Arc<dyn Log>;
        alarms.run(shared, stopped).await.unwrap();
        let rows = log.read(Stream::Alerts, from, 100).await.unwrap();
        let said = rows.iter().map(|row| {
            let alert: palisade_detect::alert::Alert = serde_json::from_slice(&row.body).unwrap();
            [alert.rule.name.clone(), alert.labels["subject"].clone()]
        });
        said.collect()
    }
}

fn why(class: &'static str) -> Why {
    Why {
        class,
        message: "because".to_owned(),
    }
}

fn retry() -> SinkResult {
    SinkResult::RetryAfter(Duration::ZERO, why("unreachable"))
}

#[tokio::test]
async fn alerts_leave_in_log_order_and_a_restart_resumes_at_the_cursor() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, &["a", "b"]).await;
    let first = start(&log, &fake(vec![]));
    assert_eq!(first.seen(1).await, [["a", "b"]]);
    append(&log, &["c"]).await;
    assert_eq!(first.seen(2).await[1], ["c"]);
    first.stop().await;
    assert_eq!(log.cursor("sink/s").await.unwrap(), 4);

    append(&log, &["d"]).await;
    let second = start(&log, &fake(vec![]));
    assert_eq!(second.seen(1).await, [["d"]]);
    second.stop().await;
}

#[tokio::test]
async fn no_batch_waits_for_the_cursor_and_a_stop_does() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(Slow {
        log: open(dir.path()),
        moves: tokio::sync::Semaphore::new(0),
    });
    append(&log.log, &["a"]).await;
    let running = start_on(Arc::<Slow>::clone(&log), &fake(vec![]));
    for (calls, id) in [(1, "b"), (2, "c"), (3, "d")] {
        running.seen(calls).await;
        append(&log.log, &[id]).await;
    }
    assert_eq!(running.seen(4).await, [["a"], ["b"], ["c"], ["d"]]);
    assert_eq!(log.cursor("sink/s").await.unwrap(), 1);
    // One move is under way; the other one says how far everything after it came.
    log.moves.add_permits(2);
    running.stop().await;
    assert_eq!(log.cursor("sink/s").await.unwrap(), 5);
}

#[tokio::test]
async fn what_was_not_taken_comes_again_under_the_same_id() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, &["a", "b", "c"]).await;
    let running = start(&log, &fake(vec![vec![SinkResult::Done, retry(), retry()]]));
    let seen = running.seen(2).await;
    assert_eq!(seen[0], ["a", "b", "c"]);
    assert_eq!(seen[1], ["b", "c"]);
    running.stop().await;
    assert_eq!(log.cursor("sink/s").await.unwrap(), 4);
}

#[tokio::test]
async fn poison_is_parked_durably_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, &["a", "bad", "c"]).await;
    let poison = SinkResult::Poison(why("too_large"));
    let running = start(
        &log,
        &fake(vec![vec![SinkResult::Done, poison, SinkResult::Done]]),
    );
    log.watch(Stream::Dead)
        .wait_for(|next| *next == 2)
        .await
        .unwrap();
    running.stop().await;
    assert_eq!(log.cursor("sink/s").await.unwrap(), 4);
    let dead = log.read(Stream::Dead, 1, 10).await.unwrap();
    let letter: serde_json::Value = serde_json::from_slice(&dead[0].body).unwrap();
    assert_eq!(letter["sink"], "s");
    assert_eq!(letter["reason"], "too_large");
    assert!(
        letter["text"]
            .as_str()
            .unwrap()
            .contains(r#""alert_id":"bad""#)
    );
}

#[tokio::test]
async fn a_blocked_sink_is_tried_again_and_nothing_is_parked() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, &["a"]).await;
    let blocked = || vec![SinkResult::Blocked(why("denied"))];
    let running = start(&log, &fake(vec![blocked(), blocked(), blocked()]));
    assert_eq!(running.seen(4).await, [["a"], ["a"], ["a"], ["a"]]);
    assert_eq!(running.said(&log).await, [["sink_blocked", "sink s"]]);
    assert_eq!(log.cursor("sink/s").await.unwrap(), 2);
    assert_eq!(log.bounds(Stream::Dead).await.unwrap(), 1..1);
}

#[tokio::test]
async fn a_flood_of_poison_blocks_the_sink_instead_of_emptying_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let ids: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    append(&log, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let poison = vec![SinkResult::Poison(why("refused")); 200];
    let running = start(&log, &fake(vec![poison]));
    running.seen(2).await;
    assert_eq!(
        running.said(&log).await,
        [["dead_letter_breaker", "sink s"]]
    );
    assert_eq!(log.bounds(Stream::Dead).await.unwrap(), 1..1);
    assert_eq!(
        log.cursor("sink/s").await.unwrap(),
        201,
        "delivered once it was put right"
    );
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_sink_that_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, &["a"]).await;
    let running = start(&log, &fake(vec![vec![retry()]; 1_000]));
    running.seen(3).await;
    let fake = Arc::clone(&running.fake);
    running.stop().await;
    assert!(*fake.closed.borrow());
    assert_eq!(
        log.cursor("sink/s").await.unwrap(),
        1,
        "the alert is still due"
    );
}

#[tokio::test]
async fn a_new_sink_starts_at_the_oldest_alert_held() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    append(&log, &["a", "b"]).await;
    let month = palisade_detect::time::Span::from_seconds(31 * 24 * 3_600);
    log.trim(Clock::start().now().plus(month), 1).await.unwrap();
    append(&log, &["c"]).await;
    let running = start(&log, &fake(vec![]));
    assert_eq!(running.seen(1).await, [["c"]]);
    running.stop().await;
}

#[test]
fn batches_are_bounded_by_bytes_and_hold_one_alert_at_least() {
    let row = |pos, bytes| Row {
        pos,
        part: 0,
        body: Bytes::from(vec![b' '; bytes]),
    };
    let half = BATCH_BYTES_MAX / 2;
    let positions = |rows| {
        items(rows)
            .0
            .iter()
            .map(|item| item.pos)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        positions(vec![row(1, half), row(2, half), row(3, 1)]),
        [1, 2]
    );
    assert_eq!(positions(vec![row(1, BATCH_BYTES_MAX + 1), row(2, 1)]), [1]);
}

/// An operator gave them up; sinks must not wait for them, nor get them.
#[tokio::test]
async fn rows_that_say_nothing_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    let row = |id: &str, body: &str| AlertRow {
        alert_id: id.to_owned(),
        body: Bytes::from(body.to_owned()),
    };
    let alerts = vec![
        row("", ""),
        row("", ""),
        row("a", r#"{"alert_id":"a","dedupe_key":"k"}"#),
        row("", ""),
    ];
    let step = Append {
        alerts,
        ..Append::default()
    };
    log.append(step).await.unwrap();
    let running = start(&log, &fake(vec![]));
    assert_eq!(running.seen(1).await, [["a"]]);
    running.stop().await;
    assert_eq!(log.cursor("sink/s").await.unwrap(), 4);
    let again = start(&log, &fake(vec![]));
    append(&log, &["b"]).await;
    assert_eq!(again.seen(1).await, [["b"]]);
    again.stop().await;
}
