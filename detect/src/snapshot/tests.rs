use proptest::prelude::*;

use super::*;

/// A small state: what a draft is made of.
fn draft(entries: &[(u32, &str)]) -> Draft {
    let mut draft = Draft::new(Header {
        deployment: "d".to_owned(),
        partition: 3,
        pos: 17,
        settings: Some(Settings {
            slots_total: 9,
            ..Settings::default()
        }),
        newest: Some(-5),
        ..Header::default()
    });
    for (key, name) in entries {
        let value = Source {
            name: (*name).to_owned(),
            incarnation: 1,
            partition: *key,
        };
        draft.put(&key.to_be_bytes(), &value);
    }
    draft
}

fn sample() -> Sealed {
    draft(&[(1, "one"), (2, ""), (70_000, "three")])
        .seal()
        .unwrap()
}

/// Everything that a snapshot holds, or why it cannot be read.
fn read(bytes: &[u8]) -> Result<(Header, Vec<Entry>), SnapshotError> {
    let snapshot = Snapshot::open(bytes)?;
    let entries = snapshot.entries()?.collect::<Result<_, _>>()?;
    Ok((snapshot.header, entries))
}

/// A container with this header and content whose digest holds, whatever is wrong with the rest.
fn forged(header: &Header, frame: &[u8]) -> Vec<u8> {
    let header = header.encode_to_vec();
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&u32::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(frame);
    let digest = *blake3::hash(&bytes).as_bytes();
    bytes.extend_from_slice(&digest);
    bytes
}

fn header(entries: u64, content_bytes: u64) -> Header {
    Header {
        format: FORMAT,
        semantics: SEMANTICS,
        entries,
        content_bytes,
        ..Header::default()
    }
}

fn packed(content: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(content, LEVEL).unwrap()
}

#[test]
fn what_is_written_is_read_back() {
    let sealed = sample();
    let (header, entries) = read(&sealed.bytes).unwrap();
    assert_eq!((header.partition, header.pos, header.entries), (3, 17, 3));
    assert_eq!((header.format, header.semantics), (FORMAT, SEMANTICS));
    assert_eq!(header.newest, Some(-5));
    let keys: Vec<_> = entries.iter().map(|entry| entry.key.clone()).collect();
    let numbers: [u32; 3] = [1, 2, 70_000];
    assert_eq!(keys, numbers.map(|key| key.to_be_bytes().to_vec()));
    let third = Source::decode(entries[2].value.as_slice()).unwrap();
    assert_eq!(third.name, "three");
    assert_eq!(Snapshot::open(&sealed.bytes).unwrap().digest, sealed.digest);
}

#[test]
fn an_empty_state_is_a_snapshot_too() {
    let sealed = draft(&[]).seal().unwrap();
    assert!(read(&sealed.bytes).unwrap().1.is_empty());
}

#[test]
fn entries_are_written_as_protobuf_writes_them() {
    let source = Source {
        name: "x".repeat(300),
        ..Source::default()
    };
    let (mut ours, mut theirs) = (Draft::default(), Vec::new());
    for (key, value) in [(&b""[..], Source::default()), (&b"k"[..], source)] {
        ours.put(key, &value);
        let entry = Entry {
            key: key.to_vec(),
            value: value.encode_to_vec(),
        };
        entry.encode_length_delimited(&mut theirs).unwrap();
    }
    assert_eq!(ours.content, theirs);
}

#[test]
fn same_state_gives_the_same_bytes() {
    assert_eq!(sample(), sample());
    assert_ne!(sample(), draft(&[(1, "one")]).seal().unwrap());
}

#[test]
#[should_panic(expected = "in the order of their keys")]
fn entries_out_of_order_are_a_bug() {
    draft(&[(2, "b"), (1, "a")]);
}

#[test]
fn a_newer_version_is_told_from_damage_and_an_old_one_is_passed_over() {
    let frame = packed(&[]);
    let of = |format, semantics| Header {
        format,
        semantics,
        ..header(0, 0)
    };
    for newer in [of(FORMAT + 1, SEMANTICS), of(FORMAT, SEMANTICS + 1)] {
        assert!(read(&forged(&newer, &frame)).unwrap_err().is_newer());
    }
    let none = read(&forged(&of(0, SEMANTICS), &frame)).unwrap_err();
    assert!(matches!(none, SnapshotError::Older { .. }), "{none}");
    read(&forged(&of(FORMAT, SEMANTICS), &frame)).unwrap();
}

#[test]
fn versions_n_and_the_one_before_are_known() {
    for (found, readable) in [(7, true), (6, true), (5, false), (8, false)] {
        assert_eq!(known("format", found, 7).is_ok(), readable, "{found}");
    }
}

/// Each of these has a digest that holds.
#[test]
fn forged_content_is_refused_whatever_its_digest_says() {
    let entry = |key: &[u8]| {
        let key = key.to_vec();
        let value = Vec::new();
        Entry { key, value }.encode_length_delimited_to_vec()
    };
    let ordered = [entry(b"a"), entry(b"b")].concat();
    let swapped = [entry(b"b"), entry(b"a")].concat();
    let twice = [entry(b"a"), entry(b"a")].concat();
    let bytes = ordered.len() as u64;
    let with_tail = [packed(&ordered), vec![0]].concat();
    let two_frames = [packed(&ordered), packed(&[])].concat();
    let huge = u64::try_from(ENTRY_BYTES_MAX).unwrap() + 1;
    let mut long = Vec::new();
    encode_varint(huge, &mut long);
    read(&forged(&header(2, bytes), &packed(&ordered))).unwrap();
    let cases = [
        ("an entry too few", header(3, bytes), packed(&ordered)),
        ("an entry too many", header(1, bytes), packed(&ordered)),
        ("more bytes", header(2, bytes - 1), packed(&ordered)),
        ("fewer bytes", header(2, bytes + 1), packed(&ordered)),
        ("swapped", header(2, bytes), packed(&swapped)),
        ("twice", header(2, bytes), packed(&twice)),
        ("bytes behind the frame", header(2, bytes), with_tail),
        ("a second frame", header(2, bytes), two_frames),
        ("no frame", header(0, 0), Vec::new()),
        ("a giant entry", header(1, huge + 4), packed(&long)),
        ("an endless length", header(1, 9), packed(&[0xFF; 9])),
        ("giant content", header(0, u64::MAX), packed(&[])),
    ];
    for (what, header, frame) in cases {
        assert!(read(&forged(&header, &frame)).is_err(), "{what}");
    }
}

#[test]
fn a_frame_that_unpacks_to_gigabytes_costs_no_more_than_an_entry() {
    // A gigabyte of zeros is a gigabyte of empty entries: the second one repeats the first key.
    let bomb = packed(&vec![0; 64 * 1024 * 1024]);
    assert!(bomb.len() < 64 * 1024);
    let error = read(&forged(&header(2, 2), &bomb)).unwrap_err();
    assert!(matches!(error, SnapshotError::Entries), "{error}");
}

#[test]
fn a_window_beyond_the_limit_is_not_made() {
    let content = draft(&[(1, "one")]).content;
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL).unwrap();
    encoder.window_log(WINDOW_LOG_MAX + 1).unwrap();
    encoder.include_contentsize(false).unwrap();
    io::Write::write_all(&mut encoder, &content).unwrap();
    io::Write::flush(&mut encoder).unwrap();
    let frame = encoder.finish().unwrap();
    let error = read(&forged(&header(1, content.len() as u64), &frame)).unwrap_err();
    assert!(matches!(error, SnapshotError::Packed(_)), "{error}");
}

#[test]
fn a_state_beyond_the_limit_is_not_written() {
    let mut large = draft(&[]);
    large.header.deployment = "x".repeat(HEADER_BYTES_MAX);
    let error = large.seal().unwrap_err();
    assert!(matches!(error, SnapshotError::TooLarge { .. }), "{error}");
}

#[test]
fn every_flip_of_a_bit_and_every_truncation_is_detected() {
    let bytes = sample().bytes;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(read(&flipped).is_err(), "byte {at} bit {bit}");
        }
        assert!(read(&bytes[..at]).is_err(), "{at} bytes");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(read(&longer).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn prop_hostile_bytes_behind_a_digest_that_holds_never_panic(
        header in prop::collection::vec(any::<u8>(), 0..64),
        frame in prop::collection::vec(any::<u8>(), 0..256),
    ) {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&u32::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&frame);
        let digest = *blake3::hash(&bytes).as_bytes();
        bytes.extend_from_slice(&digest);
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn prop_hostile_content_behind_a_digest_that_holds_never_panics(
        content in prop::collection::vec(any::<u8>(), 0..256),
        entries in 0..4_u64,
    ) {
        let header = header(entries, content.len() as u64);
        if let Ok((_, found)) = read(&forged(&header, &packed(&content))) {
            prop_assert_eq!(found.len() as u64, entries);
        }
    }

    #[test]
    fn prop_any_entries_come_back(state in prop::collection::btree_map(any::<u32>(), "[a-z]{0,9}", 0..40)) {
        let entries: Vec<_> = state.iter().map(|(key, name)| (*key, name.as_str())).collect();
        let sealed = draft(&entries).seal().unwrap();
        let (_, found) = read(&sealed.bytes).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|entry| {
                let source = Source::decode(entry.value.as_slice()).unwrap();
                (source.partition, source.name)
            })
            .collect();
        prop_assert_eq!(found, state.into_iter().collect::<Vec<_>>());
    }
}
