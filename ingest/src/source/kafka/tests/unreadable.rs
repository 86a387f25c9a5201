//! Records that the client cannot unpack.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::*;

/// Bits of a batch's attributes that say Snappy, which every build of the client knows.
const SNAPPY: i16 = 2;

/// A batch of one record, in version 2 of the format, whose checksum and content are wrong.
fn damaged(attributes: i16) -> Vec<u8> {
    let content = b"damaged";
    let mut rest = vec![0, 0, 0, 0, 2, 0, 0, 0, 0];
    rest.extend(attributes.to_be_bytes());
    // The last offset less the first, and two times.
    rest.extend([0; 4 + 8 + 8]);
    // No producer, its epoch, no sequence.
    rest.extend([0xff; 8 + 2 + 4]);
    rest.extend(1_i32.to_be_bytes());
    rest.extend(content);
    let mut batch = vec![0; 8];
    batch.extend(length(&rest));
    batch.extend(rest);
    batch
}

fn length(bytes: &[u8]) -> [u8; 4] {
    i32::try_from(bytes.len()).expect("small").to_be_bytes()
}

/// Writes a batch to partition 0, which no client of the library would.
fn produce_raw(cluster: &Cluster, batch: &[u8]) {
    let mut request = Vec::new();
    // Produce, version 7, correlation id and no client id.
    request.extend([0, 0, 0, 7, 0, 0, 0, 1, 0xff, 0xff]);
    // No transaction, one acknowledgement, a second.
    request.extend([0xff, 0xff, 0, 1, 0, 0, 3, 0xe8]);
    // One topic and one partition of it.
    request.extend([0, 0, 0, 1, 0, 4]);
    request.extend(b"logs");
    request.extend([0, 0, 0, 1, 0, 0, 0, 0]);
    request.extend(length(batch));
    request.extend(batch);
    let mut broker = TcpStream::connect(cluster.bootstrap_servers()).expect("the cluster listens");
    broker.write_all(&length(&request)).expect("it is taken");
    broker.write_all(&request).expect("it is taken");
    let mut size = [0; 4];
    broker.read_exact(&mut size).expect("an answer");
    let size = usize::try_from(i32::from_be_bytes(size)).expect("a size");
    let mut answer = vec![0; size];
    broker.read_exact(&mut answer).expect("an answer");
    // Behind the correlation id, the topic and the partition.
    assert_eq!(answer[4 + 4 + 6 + 4 + 4..][..2], [0, 0], "no error");
}

/// What ends a source that reads ten good records, a damaged batch and ten good ones.
fn ended(attributes: i16, check: Option<(&str, &str)>) -> String {
    let cluster = cluster(1);
    produce(&cluster, 1, 10, 10);
    produce_raw(&cluster, &damaged(attributes));
    produce(&cluster, 1, 10, 10);
    let mut config = config(&cluster.bootstrap_servers());
    let check = check.map(|(name, value)| (name.to_owned(), value.to_owned()));
    config.properties.extend(check);
    let topology = Topology::new(i64::MAX);
    let error = run(config, &topology).end().expect_err("a record is lost");
    assert!(matches!(error, SourceError::Position { partition: 0, .. }));
    assert_eq!(topology.offsets(0), (0..10).collect::<Vec<_>>());
    assert_eq!(committed(&probe(&cluster), 1), [Some(10)]);
    error.to_string()
}

#[test]
fn records_that_cannot_be_unpacked_stop_the_source_at_their_offset() {
    let error = ended(SNAPPY, None);
    assert!(
        error.contains("from offset 10 on") && error.contains("compressed data"),
        "{error}"
    );
}

#[test]
fn records_with_a_wrong_checksum_stop_the_source_where_it_is_checked() {
    let error = ended(0, Some(("check.crcs", "true")));
    assert!(
        error.contains("from offset 10 on") && error.contains("Bad message format"),
        "{error}"
    );
}
