use super::*;
use crate::log::Stream;
use crate::log::sqlite::{Options, SqliteLog};

fn alarms() -> Arc<Alarms> {
    Arc::new(Alarms::new(Clock::start(), Arc::default()))
}

fn blocked(sink: &str, cursor: i64) -> Notice {
    let title = format!("{sink} is blocked");
    Notice::new(Kind::SinkBlocked, (sink, cursor), title, "it said no")
}

fn titles(due: &[Notice]) -> Vec<(&str, i64)> {
    due.iter()
        .map(|notice| (&*notice.subject, notice.bucket))
        .collect()
}

#[test]
fn the_first_goes_out_at_once_and_what_follows_as_one() {
    let (alarms, mut now) = (alarms(), Instant::now());
    for cursor in 1..=4 {
        alarms.raise(blocked("sink a", cursor));
    }
    let (due, _) = alarms.take(now, false);
    assert_eq!(titles(&due), [("sink a", 4)], "the newest");
    assert_eq!(due[0].labels["repeats"], "3");
    alarms.raise(blocked("sink a", 5));
    alarms.raise(blocked("sink a", 9));
    // It would have the id of the alert that is written already.
    alarms.raise(blocked("sink a", 4));
    alarms.raise(blocked("sink b", 5));
    let (due, next) = alarms.take(now, false);
    assert_eq!(
        titles(&due),
        [("sink b", 5)],
        "another subject waits for nobody"
    );
    assert_eq!(next, Some(now + PAUSE));
    now += PAUSE;
    let (due, next) = alarms.take(now, false);
    assert_eq!((titles(&due), next), (vec![("sink a", 9)], None));
    assert_eq!(due[0].labels["repeats"], "2");
}

#[test]
fn what_is_over_is_not_said_late_but_said_once() {
    let (alarms, mut now) = (alarms(), Instant::now());
    alarms.raise(blocked("sink a", 1));
    alarms.over(Kind::SinkBlocked, "sink a");
    assert_eq!(
        titles(&alarms.take(now, false).0),
        [("sink a", 1)],
        "it was so"
    );
    alarms.raise(blocked("sink a", 2));
    alarms.over(Kind::SinkBlocked, "sink a");
    now += PAUSE;
    assert_eq!(titles(&alarms.take(now, false).0), []);
}

#[test]
fn what_would_have_the_id_of_the_last_alert_is_not_written_again() {
    let (alarms, mut now) = (alarms(), Instant::now());
    alarms.raise(blocked("sink a", 1));
    assert_eq!(titles(&alarms.take(now, false).0), [("sink a", 1)]);
    for _ in 0..3 {
        now += PAUSE;
        alarms.raise(blocked("sink a", 1));
    }
    assert_eq!(alarms.take(now, false), (Vec::new(), None));
    alarms.raise(blocked("sink a", 2));
    assert_eq!(titles(&alarms.take(now, false).0), [("sink a", 2)]);
}

#[test]
fn subjects_beyond_the_limit_share_one_place() {
    let (alarms, now) = (alarms(), Instant::now());
    for number in 0..SUBJECTS_MAX + 50 {
        alarms.raise(blocked(&format!("sink {number:05}"), 1));
    }
    // Another kind is not concerned.
    alarms.raise(Notice::new(Kind::StorageFull, ("state", 1), "full", "full"));
    let (due, _) = alarms.take(now, false);
    assert_eq!(due.len(), SUBJECTS_MAX + 2);
    let last = due.iter().find(|notice| notice.subject == "sink 01049");
    assert_eq!(last.unwrap().labels["repeats"], "49");
}

#[tokio::test]
async fn alerts_are_durable_when_the_task_ends_whatever_is_held_back() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(SqliteLog::open(dir.path(), Options::new(Clock::start())).unwrap());
    let alarms = alarms();
    alarms.begin(&*log).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(Arc::clone(&alarms).run(Arc::<SqliteLog>::clone(&log), stopped));
    alarms.raise(blocked("sink a", 1));
    let mut end = log.watch(Stream::Alerts);
    end.wait_for(|end| *end == 2).await.unwrap();
    alarms.raise(blocked("sink a", 2));
    stop.send_replace(true);
    task.await.unwrap().unwrap();
    assert_eq!(*log.watch(Stream::Alerts).borrow(), 3);
    let text = alarms.metrics.render();
    assert!(text.contains("palisade_problems_total{kind=\"sink_blocked\"} 2"));
}

#[tokio::test]
async fn a_deployment_keeps_its_name_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let id = || async {
        let log = SqliteLog::open(dir.path(), Options::new(Clock::start())).unwrap();
        let alarms = alarms();
        alarms.begin(&log).await.unwrap();
        alarms.alert(blocked("sink a", 1)).alert_id
    };
    assert_eq!(id().await, id().await);
}
