//! The source against librdkafka's simulated cluster: no server, real requests over loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::offset::{Outcome, Ticket, Tracker};
use crate::source::{Assigned, Record, RecordBatch};

mod hand_over;
mod unreadable;

type Cluster = MockCluster<'static, DefaultProducerContext>;

pub(super) fn config(brokers: &str) -> KafkaConfig {
    KafkaConfig {
        name: Arc::from("hub"),
        brokers: vec![brokers.to_owned()],
        topics: vec!["logs".to_owned()],
        group: "palisade".to_owned(),
        start: Start::Earliest,
        instance: None,
        tls: None,
        sasl: None,
        // The simulated coordinator gives members this long to join again.
        properties: BTreeMap::from([("session.timeout.ms".to_owned(), "6000".to_owned())]),
    }
}

fn cluster(partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).expect("a cluster");
    cluster
        .create_topic("logs", partitions, 1)
        .expect("a topic");
    cluster
}

fn client(cluster: &Cluster) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", cluster.bootstrap_servers());
    client.set("group.id", "palisade");
    client
}

/// Writes `count` records of `bytes` to each partition.
fn produce(cluster: &Cluster, partitions: i32, count: usize, bytes: usize) {
    let producer: ThreadedProducer<DefaultProducerContext> =
        client(cluster).create().expect("a producer");
    let payload = vec![b'x'; bytes];
    for _ in 0..count {
        for partition in 0..partitions {
            let record = BaseRecord::<(), [u8]>::to("logs").partition(partition);
            producer
                .send(record.payload(&payload))
                .map_err(|(error, _)| error)
                .expect("room");
        }
    }
    producer
        .flush(Duration::from_secs(30))
        .expect("the cluster takes all");
}

fn probe(cluster: &Cluster) -> BaseConsumer {
    client(cluster).create().expect("a consumer")
}

/// What the group has committed.
fn committed(probe: &BaseConsumer, partitions: i32) -> Vec<Option<i64>> {
    let mut list = TopicPartitionList::new();
    list.add_partition_range("logs", 0, partitions - 1);
    let list = probe
        .committed_offsets(list, Duration::from_secs(30))
        .expect("an answer");
    let offset = |partition| match list.find_partition("logs", partition)?.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    };
    (0..partitions).map(offset).collect()
}

fn commit(cluster: &Cluster, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("logs", 0, Offset::Offset(offset))
        .expect("valid");
    probe(cluster)
        .commit(&list, CommitMode::Sync)
        .expect("the cluster takes it");
}

fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    assert!(comes(condition), "{what} did not come");
}

fn comes(mut condition: impl FnMut() -> bool) -> bool {
    (0..6_000).any(|_| {
        let come = condition();
        if !come {
            thread::sleep(Duration::from_millis(10));
        }
        come
    })
}

/// A topology: trackers by generation, and what it was told.
struct Topology {
    clock: AtomicI64,
    room: AtomicBool,
    /// Room is there at every so many-th question only.
    one_in: AtomicI64,
    asked: AtomicI64,
    /// Records at and above this offset are kept in flight.
    finish_below: AtomicI64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    trackers: BTreeMap<u64, Tracker>,
    kept: BTreeMap<u64, Vec<Ticket>>,
    assigned: Vec<(u64, u32, Option<i64>)>,
    begins: Vec<(u32, i64)>,
    revoked: Vec<u64>,
    records: BTreeMap<u32, Vec<Record>>,
    /// Offsets by the assignment that read them.
    reads: BTreeMap<u64, Vec<i64>>,
    ends: BTreeMap<u32, (i64, Option<Timestamp>)>,
    waiting: Vec<Option<String>>,
}

impl Topology {
    fn new(finish_below: i64) -> Arc<Self> {
        Arc::new(Self {
            clock: AtomicI64::new(0),
            room: AtomicBool::new(true),
            one_in: AtomicI64::new(1),
            asked: AtomicI64::new(0),
            finish_below: AtomicI64::new(finish_below),
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    fn read(&self) -> usize {
        self.state().records.values().map(Vec::len).sum()
    }

    fn offsets(&self, partition: u32) -> Vec<i64> {
        let state = self.state();
        let records = state
            .records
            .get(&partition)
            .map(Vec::as_slice)
            .unwrap_or_default();
        records.iter().map(|record| record.offset).collect()
    }

    fn waits(&self) -> bool {
        self.state().waiting.last().is_some_and(Option::is_some)
    }
}

impl Handler for Topology {
    fn assigned(
        &self,
        at: &Arc<Assigned>,
        committed: Option<i64>,
    ) -> Result<Option<i64>, SourceError> {
        let mut state = self.state();
        state
            .assigned
            .push((at.generation, at.partition, committed));
        let known = state
            .trackers
            .insert(at.generation, Tracker::new(at.generation));
        assert!(known.is_none(), "a generation is used once");
        Ok(None)
    }
    fn begins(&self, at: &Arc<Assigned>, position: i64) {
        let mut state = self.state();
        state.begins.push((at.partition, position));
        state
            .trackers
            .get_mut(&at.generation)
            .expect("assigned")
            .begin_at(position);
    }
    fn ready(&self, at: &Arc<Assigned>) -> bool {
        assert!(self.state().trackers[&at.generation].has_room());
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        self.room.load(Ordering::Relaxed) && asked % self.one_in.load(Ordering::Relaxed) == 0
    }
    fn batch(&self, batch: RecordBatch) {
        let mut state = self.state();
        let generation = batch.from.generation;
        assert!(
            !state.revoked.contains(&generation),
            "nothing comes after the end"
        );
        for record in batch.records {
            let tracker = state.trackers.get_mut(&generation).expect("assigned");
            let ticket = tracker.admit(record.offset, 1);
            if record.offset < self.finish_below.load(Ordering::Relaxed) {
                tracker.finish(ticket, Outcome::Done);
            } else {
                state.kept.entry(generation).or_default().push(ticket);
            }
            state
                .reads
                .entry(generation)
                .or_default()
                .push(record.offset);
            state
                .records
                .entry(batch.from.partition)
                .or_default()
                .push(record);
        }
    }
    fn committable(&self, at: &Arc<Assigned>) -> Option<i64> {
        self.state().trackers[&at.generation].committable()
    }
    /// Finishes what is in flight, as a drain that succeeds does.
    fn revoked(&self, at: &Arc<Assigned>) {
        let mut state = self.state();
        if self.finish_below.load(Ordering::Relaxed) == i64::MAX {
            for ticket in state.kept.remove(&at.generation).unwrap_or_default() {
                let tracker = state.trackers.get_mut(&at.generation).expect("assigned");
                tracker.finish(ticket, Outcome::Done);
            }
        }
        state.revoked.push(at.generation);
    }
    fn observed_end(&self, at: &Arc<Assigned>, end: i64, time: Option<Timestamp>) {
        self.state().ends.insert(at.partition, (end, time));
    }
    fn waiting(&self, source: &str, reason: Option<String>) {
        assert_eq!(source, "hub");
        self.state().waiting.push(reason);
    }
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.clock.fetch_add(1, Ordering::Relaxed))
    }
}

struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), SourceError>>,
}

fn run(config: KafkaConfig, topology: &Arc<Topology>) -> Running {
    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(topology) as Arc<dyn Handler>;
    let source = Box::new(KafkaSource::new(config));
    let stopped = Arc::clone(&stop);
    Running {
        stop,
        thread: thread::spawn(move || source.run(handler, stopped)),
    }
}

impl Running {
    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.end().expect("the source ends well");
    }

    fn end(self) -> Result<(), SourceError> {
        self.thread.join().expect("the source does not panic")
    }
}

#[test]
fn only_what_is_committable_is_committed_and_reading_resumes_there() {
    let cluster = cluster(4);
    produce(&cluster, 4, 20, 10);
    let config = config(&cluster.bootstrap_servers());
    let probe = probe(&cluster);

    let first = Topology::new(10);
    let running = run(config.clone(), &first);
    wait_for("every record", || first.read() == 80);
    wait_for("the commit", || committed(&probe, 4) == [Some(10); 4]);
    running.stop();
    assert_eq!(committed(&probe, 4), [Some(10); 4]);
    assert_eq!(first.state().revoked.len(), 4);

    let second = Topology::new(i64::MAX);
    let running = run(config, &second);
    wait_for("the rest", || second.read() == 40);
    running.stop();
    assert_eq!(committed(&probe, 4), [Some(20); 4]);
    for partition in 0..4 {
        assert_eq!(second.offsets(partition), (10..20).collect::<Vec<_>>());
    }
    let generations = |topology: &Topology| -> BTreeSet<u64> {
        topology
            .state()
            .assigned
            .iter()
            .map(|(generation, _, _)| *generation)
            .collect()
    };
    assert!(generations(&first).is_disjoint(&generations(&second)));
    assert!(
        second
            .state()
            .assigned
            .iter()
            .all(|(_, _, committed)| *committed == Some(10))
    );
}

/// In one and the same order the last of four partitions would take all the room there is.
#[test]
fn partitions_take_turns_when_room_is_scarce() {
    let cluster = cluster(4);
    produce(&cluster, 4, 10, 10);
    let topology = Topology::new(i64::MAX);
    topology.one_in.store(4, Ordering::Relaxed);
    let running = run(config(&cluster.bootstrap_servers()), &topology);
    wait_for("every record", || topology.read() == 40);
    running.stop();
}

#[test]
fn errors_that_pass_are_waited_for() {
    let cluster = cluster(1);
    produce(&cluster, 1, 10, 10);
    let busy = RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
    let moved = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    cluster.request_errors(RDKafkaApiKey::OffsetFetch, &[busy; 3]);
    cluster.request_errors(RDKafkaApiKey::Fetch, &[moved; 3]);
    cluster.request_errors(RDKafkaApiKey::OffsetCommit, &[busy; 2]);
    let topology = Topology::new(i64::MAX);
    let running = run(config(&cluster.bootstrap_servers()), &topology);
    let probe = probe(&cluster);
    wait_for("every record", || topology.read() == 10);
    wait_for("the commit", || committed(&probe, 1) == [Some(10)]);
    running.stop();
    assert_eq!(topology.offsets(0), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_broker_that_is_down_is_waited_for_at_the_start_and_later() {
    let cluster = cluster(1);
    produce(&cluster, 1, 10, 10);
    cluster.broker_down(1).expect("the cluster does it");
    let topology = Topology::new(i64::MAX);
    let running = run(config(&cluster.bootstrap_servers()), &topology);
    wait_for("the first wait", || topology.waits());
    cluster.broker_up(1).expect("the cluster does it");
    wait_for("every record", || {
        topology.read() == 10 && !topology.waits()
    });
    cluster.broker_down(1).expect("the cluster does it");
    wait_for("the second wait", || topology.waits());
    cluster.broker_up(1).expect("the cluster does it");
    produce(&cluster, 1, 5, 10);
    wait_for("the rest", || topology.read() == 15 && !topology.waits());
    running.stop();
    assert_eq!(topology.offsets(0), (0..15).collect::<Vec<_>>());
}

#[test]
fn a_source_stops_while_the_broker_is_down() {
    let cluster = cluster(1);
    produce(&cluster, 1, 10, 10);
    let topology = Topology::new(i64::MAX);
    let running = run(config(&cluster.bootstrap_servers()), &topology);
    wait_for("every record", || topology.read() == 10);
    cluster.broker_down(1).expect("the cluster does it");
    wait_for("the wait", || topology.waits());
    running.stop();
    assert_eq!(topology.state().revoked.len(), 1);
}

#[test]
fn a_position_that_the_broker_does_not_hold_stops_the_source() {
    let cluster = cluster(1);
    produce(&cluster, 1, 10, 10);
    commit(&cluster, 500);
    let topology = Topology::new(i64::MAX);
    let ended = run(config(&cluster.bootstrap_servers()), &topology).end();
    let error = ended.expect_err("nobody knows where to begin");
    assert!(matches!(error, SourceError::Position { partition: 0, .. }));
    assert!(
        error
            .to_string()
            .contains("from offset 500, but the broker holds 0 up to 10"),
        "{error}"
    );
    assert_eq!(topology.read(), 0);
    assert_eq!(committed(&probe(&cluster), 1), [Some(500)]);
}

/// The simulated cluster keeps 5 MiB of a partition, so its oldest records go.
#[test]
fn records_removed_before_they_were_read_stop_the_source() {
    let cluster = cluster(1);
    produce(&cluster, 1, 1, 10);
    commit(&cluster, 0);
    produce(&cluster, 1, 80, 100_000);
    let topology = Topology::new(i64::MAX);
    let ended = run(config(&cluster.bootstrap_servers()), &topology).end();
    let error = ended.expect_err("records are gone").to_string();
    assert!(
        error.contains("records were removed before they were read"),
        "{error}"
    );
}

#[test]
fn back_pressure_holds_records_back_and_loses_none() {
    let cluster = cluster(2);
    let topology = Topology::new(i64::MAX);
    topology.room.store(false, Ordering::Relaxed);
    let running = run(config(&cluster.bootstrap_servers()), &topology);
    wait_for("both partitions", || topology.state().begins.len() == 2);
    produce(&cluster, 2, 3_000, 100);
    // The loop goes on meanwhile: it asks for the ends.
    let ends = || {
        topology
            .state()
            .ends
            .values()
            .map(|(end, _)| *end)
            .collect::<Vec<_>>()
    };
    wait_for("both ends", || ends() == [3_000, 3_000]);
    assert_eq!(topology.read(), 0);
    topology.room.store(true, Ordering::Relaxed);
    wait_for("every record", || topology.read() == 6_000);
    running.stop();
    for partition in 0..2 {
        assert_eq!(topology.offsets(partition), (0..3_000).collect::<Vec<_>>());
    }
}

#[test]
fn start_latest_commits_its_position_before_the_first_record() {
    let cluster = cluster(1);
    produce(&cluster, 1, 10, 10);
    let topology = Topology::new(i64::MAX);
    let config = KafkaConfig {
        start: Start::Latest,
        ..config(&cluster.bootstrap_servers())
    };
    let running = run(config, &topology);
    let probe = probe(&cluster);
    wait_for("the commit", || committed(&probe, 1) == [Some(10)]);
    running.stop();
    assert_eq!(topology.read(), 0);
}

#[test]
fn the_end_is_asked_for_with_the_time_it_vouches_for() {
    let cluster = cluster(1);
    let topology = Topology::new(i64::MAX);
    let running = run(config(&cluster.bootstrap_servers()), &topology);
    wait_for("a look at the empty end", || {
        topology.state().ends.contains_key(&0)
    });
    assert_eq!(topology.state().ends[&0], (0, None));
    produce(&cluster, 1, 4, 10);
    wait_for("a look at the end", || topology.state().ends[&0].0 == 4);
    wait_for("every record", || topology.read() == 4);
    let read = topology.state().records[&0][3].append_time;
    wait_for("a time beyond the newest record", || {
        topology.state().ends[&0].1.is_some_and(|time| time > read)
    });
    running.stop();
}

#[test]
fn the_newest_records_are_shown_without_joining_or_committing() {
    let cluster = cluster(2);
    produce(&cluster, 2, 10, 10);
    let config = config(&cluster.bootstrap_servers());
    let received = Timestamp::from_unix_seconds(7);
    let newest = newest(&config, 3, received).expect("the cluster answers");
    let places: Vec<_> = newest
        .iter()
        .map(|newest| (newest.partition, newest.record.offset))
        .collect();
    // All of one time: the last in order of partition and offset.
    assert_eq!(places, [(1, 7), (1, 8), (1, 9)]);
    assert_eq!(&*newest[0].source, "hub");
    assert_eq!(committed(&probe(&cluster), 2), [None, None]);
}

#[test]
fn several_topics_have_sources_of_their_own_in_ids() {
    let mut config = config("b:9092");
    assert_eq!(&*config.id_source("logs"), "hub");
    config.topics.push("more".to_owned());
    assert_eq!(&*config.id_source("logs"), "hub/logs");
    assert_eq!(&*config.id_source("more"), "hub/more");
}

#[test]
fn a_configuration_is_judged_without_connecting() {
    let good = config("127.0.0.1:1");
    assert_eq!(good.check(), Ok(()));
    let mut cases = Vec::new();
    let mut bad = good.clone();
    bad.topics = vec!["^logs.*".to_owned()];
    cases.push((bad, "is a pattern"));
    let mut bad = good.clone();
    bad.brokers.clear();
    cases.push((bad, "must not be empty"));
    for (name, value, part) in [
        (
            "enable.auto.commit",
            "true",
            "property `enable.auto.commit`: positions are committed",
        ),
        ("no.such.property", "1", "no.such.property"),
        ("session.timeout.ms", "soon", "session.timeout.ms"),
    ] {
        let mut bad = good.clone();
        bad.properties.insert(name.to_owned(), value.to_owned());
        cases.push((bad, part));
    }
    for (bad, part) in cases {
        let reason = bad.check().expect_err(part);
        assert!(reason.contains(part), "{reason}");
    }
}

#[test]
fn the_password_reaches_the_client_and_no_output() {
    let mut config = config("127.0.0.1:1");
    config.tls = Some(Tls::default());
    config.sasl = Some(Sasl {
        mechanism: Mechanism::Plain,
        username: "name".to_owned(),
        password: Secret::new("hunter2".to_owned()),
    });
    assert!(!format!("{config:?}").contains("hunter2"));
    let client = client::client_config(&config);
    assert_eq!(client.get("sasl.password"), Some("hunter2"));
    assert_eq!(client.get("security.protocol"), Some("sasl_ssl"));
}
