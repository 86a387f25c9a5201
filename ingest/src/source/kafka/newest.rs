//! The newest records of a live source, without joining its group or committing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use palisade_detect::time::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{Context, client_config};
use super::consumer::record;
use super::payloads::Payloads;
use super::position::{ANSWER_WAIT, partitions};
use super::{KafkaConfig, SourceError};
use crate::source::Record;

/// How long one look for a record takes.
const LOOK: Duration = Duration::from_millis(100);

/// Looks without a record after which a partition's rest is given up: 10 s.
const LOOKS_MAX: u32 = 100;

/// One of the newest records.
#[derive(Debug, Clone)]
pub struct Newest {
    /// The source as ids name it.
    pub source: Arc<str>,
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: u32,
    /// The record.
    pub record: Record,
}

/// Reads the newest `last` records of a source over all of its partitions, oldest first by append time.
///
/// Partitions are assigned by hand with explicit offsets: no member joins, nothing is committed, and
/// a running process does not notice. `received` stands as append time where the broker says none.
///
/// # Errors
/// When the client cannot be built or the broker does not answer.
pub fn newest(
    config: &KafkaConfig,
    last: u32,
    received: Timestamp,
) -> Result<Vec<Newest>, SourceError> {
    let mut client = client_config(config);
    client.remove("group.instance.id");
    client.set("enable.partition.eof", "true");
    let consumer: BaseConsumer<Context> = client
        .create_with_context(Context::default())
        .map_err(|error| config.start_error(error))?;
    let mut newest = Vec::new();
    for topic in &config.topics {
        topic_newest(config, &consumer, topic, (last, received), &mut newest)
            .map_err(|error| config.start_error(error))?;
    }
    consumer.context().close();
    newest.sort_by(|one: &Newest, other| {
        let place = |newest: &Newest| (newest.partition, newest.record.offset);
        let time = one.record.append_time.cmp(&other.record.append_time);
        time.then_with(|| one.topic.cmp(&other.topic))
            .then(place(one).cmp(&place(other)))
    });
    let older = newest
        .len()
        .saturating_sub(usize::try_from(last).unwrap_or(usize::MAX));
    newest.drain(..older);
    Ok(newest)
}

fn topic_newest(
    config: &KafkaConfig,
    consumer: &BaseConsumer<Context>,
    topic: &str,
    (last, received): (u32, Timestamp),
    newest: &mut Vec<Newest>,
) -> Result<(), KafkaError> {
    let name: Arc<str> = Arc::from(topic);
    let mut wanted = TopicPartitionList::new();
    let mut ends = BTreeMap::new();
    for partition in 0..i32::try_from(partitions(consumer, topic)?).unwrap_or(i32::MAX) {
        let (low, high) = consumer.fetch_watermarks(topic, partition, ANSWER_WAIT)?;
        let from = high.saturating_sub(i64::from(last)).max(low);
        if from < high {
            wanted.add_partition_offset(topic, partition, Offset::Offset(from))?;
            ends.insert(partition, high);
        }
    }
    consumer.assign(&wanted)?;
    let mut looks = 0;
    while !ends.is_empty() && looks < LOOKS_MAX {
        match consumer.poll(LOOK) {
            None => looks += 1,
            // Gaps at the end (transactions, compaction) never show a last record; the end does.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ends.remove(&partition);
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "the newest records are waited for");
                looks += 1;
            }
            Some(Ok(message)) => {
                looks = 0;
                let partition = message.partition();
                let Some(end) = ends.get(&partition).copied() else {
                    continue;
                };
                newest.push(Newest {
                    source: config.id_source(topic),
                    topic: Arc::clone(&name),
                    partition: u32::try_from(partition).unwrap_or_default(),
                    record: record(&message, received, &mut Payloads::default()),
                });
                if message.offset() + 1 >= end {
                    ends.remove(&partition);
                }
            }
        }
    }
    consumer.unassign()
}
