//! The peer of the whole pipeline: a bare reader that writes a topic to `/dev/null` and does nothing else.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::measure;

/// First argument of the bench when it is to be the reader; its address, topic, partitions and records
/// follow.
pub(crate) const READER: &str = "--reader";

/// How long a record may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a whole topic in a process of its own; the processor seconds that it took.
pub(crate) fn cpu_seconds(address: &str, topic: &str, partitions: i32, records: usize) -> f64 {
    let program = std::env::current_exe().expect("the bench is a file");
    let output = Command::new(program)
        .args([READER, address, topic])
        .args([partitions.to_string(), records.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("the reader starts");
    assert!(output.status.success(), "the reader read everything");
    let said = String::from_utf8(output.stdout).expect("a number");
    said.trim().parse().expect("a number")
}

/// The same with `kcat`, where there is one.
pub(crate) fn kcat_seconds(address: &str, topic: &str) -> Option<f64> {
    let before = measure::children_seconds();
    let status = Command::new("kcat")
        .args([
            "-C",
            "-q",
            "-u",
            "-e",
            "-o",
            "beginning",
            "-b",
            address,
            "-t",
            topic,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .ok()?;
    assert!(status.success(), "kcat read everything");
    Some(measure::children_seconds() - before)
}

/// Is the reader, if that was asked for; the processor seconds that it took.
pub(crate) fn is_asked_for() -> Option<f64> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, address, topic, partitions, records] = arguments.as_slice() else {
        return None;
    };
    (first == READER).then(|| {
        let partitions = partitions.parse().expect("a number of partitions");
        read(
            address,
            topic,
            partitions,
            records.parse().expect("a number"),
        );
        measure::cpu_seconds(std::process::id()).expect("it runs")
    })
}

fn read(address: &str, topic: &str, partitions: i32, records: usize) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "bare")
        .create()
        .expect("a consumer");
    let mut places = TopicPartitionList::new();
    for partition in 0..partitions {
        places
            .add_partition_offset(topic, partition, Offset::Beginning)
            .expect("a valid offset");
    }
    consumer.assign(&places).expect("a valid assignment");
    let null = OpenOptions::new().write(true).open("/dev/null");
    let mut null = null.expect("every Unix has it");
    for _ in 0..records {
        let message = consumer
            .poll(PATIENCE)
            .expect("a record in time")
            .expect("a record");
        let payload = message.payload().unwrap_or_default();
        null.write_all(payload).expect("it takes everything");
    }
}
