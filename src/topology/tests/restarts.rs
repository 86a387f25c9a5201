use super::*;
use crate::topology::offline::{Offline, Watermark};

/// Reads the whole broker without a fault.
fn without_fault(broker: &Broker) -> Vec<Alert> {
    let dir = tempfile::tempdir().unwrap();
    let fresh = Arc::new(Broker::default());
    lock(&fresh.partitions).clone_from(&lock(&broker.partitions));
    let life = Life::start(dir.path(), &fresh, 0);
    settled(&life, &fresh);
    let alerts = life.alerts();
    life.drain().unwrap();
    alerts
}

/// Waits until every record is committed and the folds have read every match.
fn settled(life: &Life, broker: &Broker) {
    wait_for("the end of all records", || {
        let end = *life.log.watch(Stream::Matches).borrow();
        broker.committed() == broker.records()
            && life.metric("palisade_correlation_position") == end
    });
}

fn groups(alerts: &[Alert]) -> BTreeSet<(String, String)> {
    let fired = alerts
        .iter()
        .filter_map(|alert| Some((alert, alert.group.as_ref()?)));
    fired
        .map(|(alert, group)| (alert.rule.id.clone(), format!("{:?}", group.fields)))
        .collect()
}

/// The position at which an empty partition begins is committed, and the log must know of it.
#[test]
fn a_partition_that_was_empty_is_read_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(2);
    broker.sign_in(0, ("kim", "success"), 0);
    let life = Life::start(dir.path(), &broker, 0);
    wait_for("a commit of both", || lock(&broker.commits).len() == 2);
    life.kill();
    broker.sign_in(1, ("lee", "success"), 1);
    let life = Life::start(dir.path(), &broker, 1);
    settled(&life, &broker);
    assert_eq!(single(&life.alerts()).len(), 2);
    life.drain().unwrap();
}

#[test]
fn a_killed_process_loses_nothing_and_repeats_only_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(4);
    for number in 0..400 {
        let partition = usize::try_from(number % 4).unwrap();
        let user = format!("user{}", number % 7);
        let result = if number % 5 == 0 { "success" } else { "fail" };
        broker.sign_in(partition, (&user, result), number);
    }
    let mut lives = 0;
    for kills in 1..=4 {
        let life = Life::start(dir.path(), &broker, lives);
        lives += 1;
        wait_for("some progress", || broker.committed() >= kills * 60);
        life.kill();
    }
    let life = Life::start(dir.path(), &broker, lives);
    settled(&life, &broker);
    let alerts = life.alerts();
    life.drain().unwrap();
    let judged = without_fault(&broker);
    assert_eq!(single(&alerts), single(&judged));
    assert_eq!(groups(&alerts), groups(&judged));
    assert_eq!(groups(&judged).len(), 7);
    let said = correlated(&alerts);
    let different: BTreeSet<&String> = said.iter().collect();
    assert_eq!(said.len(), different.len(), "a fold says nothing twice");
}

#[test]
fn a_correlation_goes_on_over_a_restart_and_fires_once() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    broker.sign_in(0, ("amy", "fail"), 0);
    broker.sign_in(0, ("amy", "fail"), 1);
    let first = Life::start(dir.path(), &broker, 0);
    settled(&first, &broker);
    assert!(correlated(&first.alerts()).is_empty());
    first.drain().unwrap();

    broker.sign_in(0, ("amy", "fail"), 2);
    broker.sign_in(0, ("amy", "fail"), 3);
    let second = Life::start(dir.path(), &broker, 1);
    settled(&second, &broker);
    let fired = correlated(&second.alerts());
    second.kill();
    assert_eq!(fired.len(), 1);
    assert_eq!(fired, correlated(&without_fault(&broker)));

    let third = Life::start(dir.path(), &broker, 2);
    settled(&third, &broker);
    assert_eq!(
        correlated(&third.alerts()),
        fired,
        "what was said is not said again"
    );
    third.drain().unwrap();
}

#[test]
fn offline_raises_the_alerts_of_a_run_over_one_partition() {
    let broker = Broker::with(1);
    for number in 0..60 {
        let user = format!("user{}", number % 4);
        let result = if number % 3 == 0 { "success" } else { "fail" };
        broker.sign_in(0, (&user, result), number);
    }
    broker.produce(0, "no json");
    let run: BTreeSet<String> = without_fault(&broker)
        .into_iter()
        .map(|alert| alert.alert_id)
        .collect();

    let mut offline = Offline::new(
        engine(&Rules::of(RULES)),
        source_traits(),
        Watermark::StandsStill,
        Suppression::AsWritten,
    )
    .unwrap();
    let source = Arc::from("hub");
    let mut replayed = BTreeSet::new();
    let mut rejects = 0;
    for (offset, payload) in (0..).zip(&lock(&broker.partitions)[0]) {
        let received = Timestamp::from_unix_seconds(1_790_000_000 + offset);
        let outcome = offline
            .record(&source, offset, Some(payload), received)
            .unwrap();
        rejects += outcome.rejects.len();
        replayed.extend(outcome.alerts.into_iter().map(|alert| alert.alert_id));
    }
    replayed.extend(
        offline
            .finish()
            .unwrap()
            .into_iter()
            .map(|alert| alert.alert_id),
    );
    assert_eq!(replayed, run);
    // 20 successes, and each of four users failed often enough.
    assert_eq!(run.len(), 24);
    assert_eq!(rejects, 1);
}

#[test]
fn without_suppression_every_satisfied_evaluation_raises_an_alert() {
    let alerts = |suppression| {
        let mut offline = Offline::new(
            engine(&Rules::of(RULES)),
            source_traits(),
            Watermark::StandsStill,
            suppression,
        )
        .unwrap();
        let broker = Broker::with(1);
        for number in 0..5 {
            broker.sign_in(0, ("amy", "fail"), number);
        }
        let source = Arc::from("hub");
        let mut found = Vec::new();
        for (offset, payload) in (0..).zip(&lock(&broker.partitions)[0]) {
            let received = Timestamp::from_unix_seconds(1_790_000_000);
            found.extend(
                offline
                    .record(&source, offset, Some(payload), received)
                    .unwrap()
                    .alerts,
            );
        }
        correlated(&found).len()
    };
    assert_eq!(alerts(Suppression::AsWritten), 1);
    assert_eq!(alerts(Suppression::Off), 3);
}
