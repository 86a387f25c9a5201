//! Where to begin reading: facts asked of the broker, then a pure decision.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::{Context, Place};
use super::{KafkaConfig, Start};
use crate::source::SourceError;

/// How long one question to the broker may take before it is asked again later.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// What the broker says about a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// What the group committed.
    pub(super) committed: Option<i64>,
    /// The oldest offset it holds.
    pub(super) low: i64,
    /// One more than the newest offset it holds.
    pub(super) high: i64,
    /// Where `start` would begin.
    pub(super) start: i64,
    /// Partitions of the topic.
    pub(super) partitions_total: u32,
}

/// Asks everything that is needed to begin with `places`; an error means: ask again later.
pub(super) fn ask(
    consumer: &BaseConsumer<Context>,
    places: &[Place],
    start: Start,
) -> KafkaResult<BTreeMap<Place, Facts>> {
    let committed = consumer.committed_offsets(list(places, Offset::Invalid)?, ANSWER_WAIT)?;
    let timed = match start {
        Start::At(time) => {
            let times = list(places, Offset::Offset(time.unix_ms().max(0)))?;
            Some(consumer.offsets_for_times(times, ANSWER_WAIT)?)
        }
        Start::Earliest | Start::Latest => None,
    };
    let mut totals = BTreeMap::new();
    let mut facts = BTreeMap::new();
    for place in places {
        let (topic, partition) = place;
        let partitions_total = match totals.get(topic) {
            Some(total) => *total,
            None => *totals.entry(topic).or_insert(partitions(consumer, topic)?),
        };
        let (low, high) = consumer.fetch_watermarks(topic, *partition, ANSWER_WAIT)?;
        let start = match (start, &timed) {
            (Start::Earliest, _) => low,
            (Start::At(_), Some(timed)) => offset_in(timed, place)?.unwrap_or(high),
            (Start::Latest | Start::At(_), _) => high,
        };
        let committed = offset_in(&committed, place)?;
        facts.insert(
            place.clone(),
            Facts {
                committed,
                low,
                high,
                start,
                partitions_total,
            },
        );
    }
    Ok(facts)
}

/// How many partitions a topic has.
pub(super) fn partitions(consumer: &BaseConsumer<Context>, topic: &str) -> KafkaResult<u32> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER_WAIT)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    if let Some(error) = found.and_then(rdkafka::metadata::MetadataTopic::error) {
        return Err(KafkaError::MetadataFetch(error.into()));
    }
    Ok(found.map_or(0, |found| {
        u32::try_from(found.partitions().len()).unwrap_or(u32::MAX)
    }))
}

fn list(places: &[Place], offset: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for (topic, partition) in places {
        list.add_partition_offset(topic, *partition, offset)?;
    }
    Ok(list)
}

fn offset_in(list: &TopicPartitionList, (topic, partition): &Place) -> KafkaResult<Option<i64>> {
    let Some(found) = list.find_partition(topic, *partition) else {
        return Ok(None);
    };
    found.error()?;
    Ok(match found.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    })
}

/// Where reading begins: `known` is what the topology says.
pub(super) fn decide(
    config: &KafkaConfig,
    place: &Place,
    facts: &Facts,
    known: Option<i64>,
) -> Result<i64, SourceError> {
    let position = known.or(facts.committed).unwrap_or(facts.start);
    if (facts.low..=facts.high).contains(&position) {
        return Ok(position);
    }
    Err(lost(config, place, position, Some((facts.low, facts.high))))
}

/// Where reading was to go on, if the records from there on were removed.
pub(super) fn gap(facts: &Facts, known: Option<i64>) -> Option<i64> {
    let position = known.or(facts.committed).unwrap_or(facts.start);
    (position < facts.low).then_some(position)
}

/// The error for a position that the broker does not hold.
pub(super) fn lost(
    config: &KafkaConfig,
    (topic, partition): &Place,
    position: i64,
    held: Option<(i64, i64)>,
) -> SourceError {
    let what = match held {
        Some((low, _)) if position < low => format!(
            "the oldest record held is {low}: {} records were removed before they were read; raise \
             the topic's retention, and accept the gap with `palisade repair --accept-gap --source {}`",
            low.saturating_sub(position),
            config.name
        ),
        Some((low, high)) => {
            format!("the broker holds {low} up to {high}: the topic was made anew or lost its end")
        }
        None => "the broker does not hold it and cannot be asked what it holds".to_owned(),
    };
    SourceError::Position {
        source_name: config.name.to_string(),
        partition: u32::try_from(*partition).unwrap_or_default(),
        reason: format!(
            "topic `{topic}` is to be read from offset {position}, but {what}; to go on with what \
             there is, give the source a new `group` and the process a new `state.dir`, whose \
             `start` then decides"
        ),
    }
}

/// The error for records that the client cannot unpack: reading on would lose them unseen.
///
/// They are no dead letters, as nobody has their bytes; the broker keeps them.
pub(super) fn unreadable(
    config: &KafkaConfig,
    (topic, partition): &Place,
    next: i64,
    code: RDKafkaErrorCode,
) -> SourceError {
    SourceError::Position {
        source_name: config.name.to_string(),
        partition: u32::try_from(*partition).unwrap_or_default(),
        reason: format!(
            "topic `{topic}` cannot be read from offset {next} on: the records there cannot be \
             unpacked ({code}); a new start tries again, and if they stay so, set the commit of \
             group `{}` behind them and give the process a new `state.dir`",
            config.group
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::config;
    use super::*;

    fn facts(committed: Option<i64>) -> Facts {
        Facts {
            committed,
            low: 10,
            high: 20,
            start: 12,
            partitions_total: 1,
        }
    }

    #[test]
    fn what_is_known_wins_over_the_commit_and_the_commit_over_the_start() {
        let cases = [
            (Some(15), Some(18), 15),
            (None, Some(18), 18),
            (None, None, 12),
            (Some(20), None, 20),
        ];
        for (known, committed, expected) in cases {
            let place = ("logs".to_owned(), 3);
            let position = decide(&config("b"), &place, &facts(committed), known);
            assert_eq!(position.expect("held"), expected);
        }
    }

    #[test]
    fn only_what_was_removed_below_the_oldest_is_a_gap() {
        for (known, from) in [(Some(4), Some(4)), (Some(10), None), (Some(21), None)] {
            assert_eq!(gap(&facts(None), known), from);
        }
        assert_eq!(gap(&facts(Some(9)), None), Some(9));
    }

    #[test]
    fn a_position_that_is_not_held_names_place_and_way_out() {
        let place = ("logs".to_owned(), 3);
        let cases = [
            (4, "the oldest record held is 10: 6 records were removed"),
            (21, "the broker holds 10 up to 20: the topic was made anew"),
        ];
        for (position, part) in cases {
            let error = decide(&config("b"), &place, &facts(Some(position)), None);
            let text = error.expect_err("not held").to_string();
            let begin = format!(
                "source `hub`, partition 3: topic `logs` is to be read from offset {position}"
            );
            assert!(text.starts_with(&begin), "{text}");
            assert!(
                text.contains(part) && text.contains("`state.dir`"),
                "{text}"
            );
        }
    }
}
