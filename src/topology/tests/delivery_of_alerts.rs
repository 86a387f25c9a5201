use super::*;

#[test]
fn alerts_are_durable_before_their_records_are_committed() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    for number in 0..40 {
        broker.sign_in(0, ("amy", "success"), number);
    }
    let life = Life::start(dir.path(), &broker, 0);
    wait_for("the commit of all records", || broker.committed() == 40);
    life.drain().unwrap();
    // Each record raises one alert: below a commit of `offset` lie `offset` alerts.
    for (_, offset, alerts) in lock(&broker.alerts_at_commit).iter() {
        assert!(
            *alerts > u64::try_from(*offset).unwrap(),
            "{offset} committed, {alerts} alerts"
        );
    }
}

#[test]
fn poison_becomes_a_dead_letter_and_its_neighbours_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    broker.sign_in(0, ("amy", "success"), 0);
    broker.produce(0, "no json");
    broker.produce(0, vec![0xff, 0xfe, 0x00]);
    broker.sign_in(0, ("bob", "success"), 3);
    let life = Life::start(dir.path(), &broker, 0);
    wait_for("the commit of all records", || broker.committed() == 4);
    assert_eq!(single(&life.alerts()).len(), 2);
    let dead = life.dead();
    let places: Vec<i64> = dead
        .iter()
        .map(|letter| letter["origin"]["offset"].as_i64().unwrap())
        .collect();
    assert_eq!(places, [1, 2]);
    assert_eq!(dead[0]["text"], "no json");
    assert_eq!(dead[1]["hex"], "fffe00");
    assert_eq!(
        life.metric("palisade_records_finished_total{outcome=\"parked\""),
        2
    );
    life.drain().unwrap();
}

#[test]
fn what_comes_in_is_what_is_accounted_for() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(3);
    for number in 0..60 {
        let partition = usize::try_from(number % 3).unwrap();
        broker.sign_in(partition, ("amy", "fail"), number);
    }
    broker.produce(1, "{broken");
    let life = Life::start(dir.path(), &broker, 0);
    wait_for("the commit of all records", || broker.committed() == 61);
    wait_for("the delivery of all alerts", || {
        life.metric("palisade_sink_pending_alerts{sink=\"memory\"}") == 0
            && life.metric("palisade_correlation_position") > 1
    });
    let finished = life.metric("palisade_records_finished_total");
    let in_flight = life.metric("palisade_records_in_flight");
    assert_eq!(life.metric("palisade_records_total"), finished + in_flight);
    assert_eq!((finished, in_flight), (61, 0));
    assert!(life.metric("palisade_matches_total") > 0);
    let elements = life.metric("palisade_elements_total");
    assert_eq!(
        elements,
        life.metric("palisade_events_total") + life.metric("palisade_rejects_total")
    );
    assert_eq!(
        life.metric("palisade_matches_total"),
        60,
        "one a failed sign-in"
    );
    for sink in ["memory", "down"] {
        let of = |name: &str| life.metric(&format!("palisade_sink_{name}{{sink=\"{sink}\"}}"));
        let fates = of("delivered_total") + of("filtered_total") + of("parked_total");
        assert_eq!(of("due_alerts"), fates + of("pending_alerts"), "{sink}");
    }
    life.drain().unwrap();
}

#[test]
fn a_sink_that_is_down_delays_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    for number in 0..20 {
        broker.sign_in(0, ("amy", "success"), number);
    }
    let life = Life::start(dir.path(), &broker, 0);
    wait_for("the other sink's alerts", || lock(&life.got).len() == 20);
    assert_eq!(
        life.metric("palisade_sink_pending_alerts{sink=\"down\"}"),
        20
    );
    assert_eq!(life.metric("palisade_sink_up{sink=\"memory\"}"), 1);
    wait_for("a try of the sink that is down", || {
        life.metric("palisade_sink_retried_total{class=\"unreachable\",sink=\"down\"}") > 0
    });
    life.drain().unwrap();
}

#[test]
fn a_drain_brings_everything_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(4);
    for number in 0..2_000 {
        let partition = usize::try_from(number % 4).unwrap();
        broker.sign_in(partition, ("amy", "success"), number);
    }
    let life = Life::start(dir.path(), &broker, 0);
    wait_for("the first record", || {
        life.metric("palisade_records_total") > 0
    });
    let (metrics, log, got) = (
        Arc::clone(&life.site.metrics),
        Arc::clone(&life.log),
        Arc::clone(&life.got),
    );
    life.drain().unwrap();
    let text = metrics.render();
    assert!(
        text.contains("palisade_records_in_flight{source=\"hub\"} 0\n"),
        "{text}"
    );
    let runtime = Runtime::new().unwrap();
    let finished = runtime.block_on(log.finished()).unwrap();
    let durable: i64 = finished.iter().map(|row| row.offset).sum();
    assert_eq!(broker.committed(), durable, "what is durable is committed");
    assert_eq!(
        lock(&got).len(),
        usize::try_from(durable).unwrap(),
        "and delivered"
    );
}
