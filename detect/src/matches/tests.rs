//! What stands in the matches log.

use super::*;

fn source() -> Source {
    Source {
        name: "hub".into(),
        incarnation: 1,
        partition: 3,
    }
}

fn found(offset: i64, index: &[u32], correlation: &str, key: &[u8]) -> Match {
    Match {
        offset,
        index: index.to_vec(),
        correlation_id: correlation.into(),
        group_key: key.to_vec(),
        tenant: "default".into(),
        ..Match::default()
    }
}

fn matches_of(record: &Record) -> &[Match] {
    match &record.body {
        Some(Body::Batch(batch)) => &batch.matches,
        other => panic!("no batch: {other:?}"),
    }
}

#[test]
fn a_record_survives_the_round_trip() {
    let [(_, record)] = &batches(&source(), "w", vec![found(7, &[1, 2], "c", b"k")])[..] else {
        panic!("one match is one record");
    };
    assert_eq!(decode(&encode(record)).as_ref(), Ok(record));
}

/// A record of a program that knew one way to an outer correlation only.
#[derive(Clone, PartialEq, Message)]
struct CarriedBefore {
    #[prost(bytes = "vec", tag = "1")]
    rule_version: Vec<u8>,
    #[prost(string, repeated, tag = "2")]
    group_values: Vec<String>,
    #[prost(bool, repeated, tag = "3")]
    present: Vec<bool>,
    #[prost(fixed64, tag = "4")]
    value_hash: u64,
    #[prost(bool, tag = "5")]
    has_value: bool,
    #[prost(sint64, tag = "6")]
    value_micro: i64,
}

#[test]
fn what_is_carried_is_read_by_programs_before_and_after_the_ways_came() {
    let before = CarriedBefore {
        rule_version: vec![1; 16],
        group_values: vec!["a".into()],
        present: vec![true],
        value_hash: 7,
        has_value: true,
        value_micro: -3,
    };
    let after = Carried {
        rule_version: vec![1; 16],
        group_values: vec!["a".into()],
        present: vec![true],
        value_hash: 7,
        has_value: true,
        value_micro: -3,
        inner: Vec::new(),
    };
    assert_eq!(before.encode_to_vec(), after.encode_to_vec());
    let read = Carried::decode(before.encode_to_vec().as_slice());
    assert_eq!(read.as_ref(), Ok(&after));
    let ways = Carried {
        inner: vec![way(&[1; 16], b"k"), 2],
        ..after
    };
    let read = CarriedBefore::decode(ways.encode_to_vec().as_slice());
    assert_eq!(read.as_ref(), Ok(&before));
    assert_eq!(Carried::decode(ways.encode_to_vec().as_slice()), Ok(ways));
}

#[test]
fn way_is_frozen() {
    assert_eq!(way(&[1; 16], b"k"), 14_300_019_320_948_706_904);
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let record = Record {
        format: FORMAT + 1,
        body: None,
    };
    assert_eq!(
        decode(&encode(&record)),
        Err(DecodeError::Format { format: FORMAT + 1 })
    );
}

#[test]
fn bytes_of_something_else_are_damaged() {
    assert!(matches!(
        decode(b"\xff\xff\xff\xff\xff"),
        Err(DecodeError::Damaged(_))
    ));
}

#[test]
fn matches_are_split_by_key_partition_and_ordered_by_position() {
    let mut given = Vec::new();
    for offset in (0..50).rev() {
        for key in 0..8u8 {
            given.push(found(offset, &[1], "c", &[key]));
            given.push(found(offset, &[0], "c", &[key]));
        }
    }
    let count = given.len();
    let records = batches(&source(), "w", given);
    let mut seen = 0;
    for (part, record) in &records {
        let matches = matches_of(record);
        assert!(matches.is_sorted_by(|a, b| a.order() < b.order()));
        for found in matches {
            let own = key_partition(&found.tenant, &found.correlation_id, &found.group_key);
            assert_eq!(own, *part);
        }
        seen += matches.len();
    }
    assert_eq!(seen, count);
    assert!(
        records.is_sorted_by(|a, b| a.0 < b.0),
        "one record a partition"
    );
}

#[test]
fn a_record_names_its_first_and_last_offset() {
    let given = vec![found(9, &[], "c", b"k"), found(4, &[], "c", b"k")];
    let records = batches(&source(), "w", given);
    let Some(Body::Batch(batch)) = &records[0].1.body else {
        panic!("no batch")
    };
    assert_eq!((batch.first_offset, batch.last_offset), (4, 9));
}

#[test]
fn a_batch_too_large_for_one_record_is_split_in_order() {
    let given = (0..200)
        .map(|offset| Match {
            evidence: vec![b'x'; EVENT_BYTES_MAX],
            ..found(offset, &[], "c", b"k")
        })
        .collect();
    let records = batches(&source(), "w", given);
    assert!(records.len() > 1);
    let offsets: Vec<i64> = records
        .iter()
        .flat_map(|(_, record)| matches_of(record))
        .map(|m| m.offset)
        .collect();
    assert_eq!(offsets, (0..200).collect::<Vec<_>>());
    for (_, record) in &records {
        assert!(encode(record).len() < RECORD_BYTES_MAX + 1024);
    }
}

#[test]
fn key_partition_is_frozen() {
    assert_eq!(key_partition("default", "c", b"k"), 31);
}
