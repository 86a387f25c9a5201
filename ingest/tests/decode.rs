//! Decoding of records of our own in every shape and type, and of hostile ones.

use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use palisade_detect::event::{Body, Index};
use palisade_detect::logsource::Logsource;
use palisade_ingest::decode::{Decoded, Hints, REJECTS_MAX, category, decode};
use palisade_ingest::log_type;
use palisade_ingest::reject::{Reason, Reject};
use proptest::prelude::*;

/// An event without its lifetime.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    index: String,
    log_type: &'static str,
    logsources: String,
    time: String,
    text: String,
}

fn run(record: &[u8]) -> (Vec<Seen>, Vec<Reject>) {
    run_with(record, &Hints::default())
}

fn run_with(record: &[u8], hints: &Hints) -> (Vec<Seen>, Vec<Reject>) {
    let (mut events, mut rejects) = (Vec::new(), Vec::new());
    decode(Some(record), hints, &mut |decoded| match decoded {
        Decoded::Reject(reject) => {
            assert_inside(record, &reject.span);
            assert!(reject.byte <= record.len());
            rejects.push(reject);
        }
        Decoded::Event(index, event) => {
            let text = match event.body {
                Body::Json(bytes) => bytes,
                Body::Marked(marked) => marked.bytes(),
                Body::Flow(flow) => {
                    assert_slice(record, flow.around.outer());
                    flow.tuple.as_bytes()
                }
            };
            assert_slice(record, text);
            let logsources: Vec<_> = event.logsources.iter().map(ToString::to_string).collect();
            let name = event.log_type.name;
            events.push(Seen {
                index: index.to_string(),
                log_type: log_type::by_name(name).expect("a row of the table").name,
                logsources: logsources.join(" "),
                time: event
                    .event_time
                    .map(|time| time.to_string())
                    .unwrap_or_default(),
                text: std::str::from_utf8(text)
                    .expect("checked to be UTF-8")
                    .to_owned(),
            });
        }
    });
    (events, rejects)
}

fn assert_slice(record: &[u8], part: &[u8]) {
    let outer = record.as_ptr_range();
    let inner = part.as_ptr_range();
    assert!(
        outer.start <= inner.start && inner.end <= outer.end,
        "an event is a slice of its record"
    );
}

fn assert_inside(record: &[u8], span: &Range<usize>) {
    assert!(
        span.start <= span.end && span.end <= record.len(),
        "{span:?}"
    );
}

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("fixtures")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|ext| ext == "json" || ext == "ndjson")
        })
        .collect();
    files.sort();
    let name = |path: &Path| {
        path.file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned()
    };
    files
        .iter()
        .map(|path| (name(path), std::fs::read(path).expect("readable")))
        .collect()
}

/// What becomes of every fixture, each decoded as one record.
#[test]
fn every_type_is_told_with_its_log_sources_and_time() {
    let mut shown = String::new();
    for (name, record) in fixtures() {
        writeln!(shown, "== {name}").expect("text");
        let (events, rejects) = run(&record);
        for event in events {
            let Seen {
                index,
                log_type,
                logsources,
                time,
                ..
            } = event;
            let logsources = if logsources.is_empty() {
                "-"
            } else {
                &logsources
            };
            let time = if time.is_empty() { "-" } else { &time };
            writeln!(shown, "{index:<9} {time:<28} {log_type:<36} {logsources}").expect("text");
        }
        for Reject {
            index,
            byte,
            reason,
            message,
            ..
        } in rejects
        {
            let index = index.to_string();
            writeln!(
                shown,
                "{index:<9} reject {} at byte {byte}: {message}",
                reason.as_str()
            )
            .expect("text");
        }
    }
    insta::assert_snapshot!("fixtures", shown);
}

#[test]
fn fixtures_hold_an_event_of_every_type() {
    let mut missing: Vec<_> = log_type::all().map(|log_type| log_type.name).collect();
    for (_, record) in fixtures() {
        for event in run(&record).0 {
            missing.retain(|name| *name != event.log_type);
        }
    }
    assert!(missing.is_empty(), "no fixture of {missing:?}");
}

fn one(record: &[u8]) -> Reject {
    let (events, mut rejects) = run(record);
    assert_eq!(
        (events.len(), rejects.len()),
        (0, 1),
        "{events:?} {rejects:?}"
    );
    rejects.remove(0)
}

#[test]
fn what_is_no_event_is_rejected_with_its_reason_and_place() {
    let too_large = format!(r#"{{"a":"{}"}}"#, "x".repeat(1024 * 1024));
    let too_deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    let cases: [(&[u8], Reason, usize); 14] = [
        (b"", Reason::Empty, 0),
        (b" \r\n\t", Reason::Empty, 4),
        (b"\xEF\xBB\xBF", Reason::Empty, 3),
        (b"hello", Reason::NotJson, 0),
        (b"\0\0", Reason::NotJson, 0),
        (b"\xFF\xFE{\0", Reason::NotUtf8, 0),
        (b"{\"a\":\"\xC3\x28\"}", Reason::NotUtf8, 6),
        (b"[7]", Reason::NotAnObject, 1),
        (br#"{"a":1"#, Reason::Truncated, 6),
        (br#"{"a":"b}"#, Reason::Truncated, 8),
        (br#"{"a":[1}"#, Reason::NotJson, 7),
        (b"{a:1}", Reason::NotJson, 1),
        (too_large.as_bytes(), Reason::TooLarge, 0),
        (too_deep.as_bytes(), Reason::TooDeep, 0),
    ];
    for (record, reason, byte) in cases {
        let reject = one(record);
        let shown = String::from_utf8_lossy(&record[..record.len().min(40)]).into_owned();
        assert_eq!((reject.reason, reject.byte), (reason, byte), "{shown}");
    }
}

#[test]
fn tombstone_is_one_reject() {
    let mut reasons = Vec::new();
    decode(None, &Hints::default(), &mut |decoded| match decoded {
        Decoded::Reject(reject) => reasons.push(reject.reason),
        Decoded::Event(..) => panic!("an event of nothing"),
    });
    assert_eq!(reasons, [Reason::Tombstone]);
}

fn indexes(record: &str) -> (Vec<String>, Vec<String>) {
    let (events, rejects) = run(record.as_bytes());
    let rejects = rejects.iter().map(|reject| reject.index.to_string());
    (
        events.into_iter().map(|event| event.index).collect(),
        rejects.collect(),
    )
}

#[test]
fn every_outer_shape_gives_its_ordinals() {
    let cases: [(&str, &[&str], &[&str]); 20] = [
        ("{}", &["0"], &[]),
        ("\u{feff}{}", &["0"], &[]),
        (r#"{"records":[]}"#, &[], &[]),
        (r#"{"records":[{},{}]}"#, &["0", "1"], &[]),
        (r#"{"a":1,"records":[{},{}],"b":2}"#, &["0", "1"], &[]),
        (r#"{"records":7}"#, &["0"], &[]),
        ("[{},{}]", &["0", "1"], &[]),
        (r#"[{"records":[{},{}]},{}]"#, &["0.0", "0.1", "1"], &[]),
        ("{}\n{}\n", &["0", "1"], &[]),
        ("{}{}", &["0", "1"], &[]),
        (
            "{\"records\":[{}]}\r\n{\"records\":[{},{}]}",
            &["0.0", "1.0", "1.1"],
            &[],
        ),
        ("{}\n[{},{}]", &["0", "1.0", "1.1"], &[]),
        // Broken ones count, and their neighbours go on.
        (r#"{"records":[{},{"a":[},{}]}"#, &["0", "2"], &["1"]),
        (
            r#"{"records":[{},7,"x",null,{}]}"#,
            &["0", "4"],
            &["1", "2", "3"],
        ),
        (r#"{"records":[{},oops,{}]}"#, &["0", "2"], &["1"]),
        ("{}\noops\n{}", &["0", "2"], &["1"]),
        ("{}\n{\"a\":\"b\n{}\n{}", &["0", "2", "3"], &["1"]),
        ("[{}{},{}]", &["0", "2"], &["1"]),
        (
            r#"{"records":[{"a":[}},{},7}},{}]}"#,
            &["1", "4"],
            &["0", "2", "3"],
        ),
        (r#"{"records":[{"a":[} nope,{}]}"#, &["1"], &["0"]),
    ];
    for (record, events, rejects) in cases {
        let found = indexes(record);
        assert_eq!(
            (found.0.as_slice(), found.1.as_slice()),
            (
                events
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .as_slice(),
                rejects
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .as_slice(),
            ),
            "{record}"
        );
    }
}

#[test]
fn truncated_record_gives_the_elements_before_the_break_and_one_reject() {
    let whole = r#"{"records":[{"a":1},{"b":"two"},{"c":[3]}]}"#;
    for cut in 1..whole.len() {
        let start = whole.get(..cut).expect("ASCII");
        let (events, rejects) = run(start.as_bytes());
        let complete = ["{\"a\":1}", "{\"b\":\"two\"}", "{\"c\":[3]}"];
        let expected = complete
            .iter()
            .filter(|element| start.contains(*element))
            .count();
        assert_eq!((events.len(), rejects.len()), (expected, 1), "{start}");
        assert_eq!(rejects[0].byte, cut);
    }
}

#[test]
fn an_element_that_is_not_text_does_not_hurt_its_neighbours() {
    let mut record = br#"{"records":[{"a":1},{"b":"?"},{"c":3}]}"#.to_vec();
    let at = record
        .iter()
        .position(|byte| *byte == b'?')
        .expect("placed");
    record[at] = 0xFF;
    let (events, rejects) = run(&record);
    assert_eq!(
        events
            .iter()
            .map(|event| event.index.as_str())
            .collect::<Vec<_>>(),
        ["0", "2"]
    );
    assert_eq!(
        (rejects[0].reason, rejects[0].byte, rejects[0].index),
        (Reason::NotUtf8, at, Index::new(&[1]))
    );
}

#[test]
fn messages_hold_no_content() {
    let record = r#"{"records":[{"hunter2":[}, "hunter2", hunter2, {"hunter2":"#;
    for reject in run(record.as_bytes()).1 {
        assert!(!reject.message.contains("hunter"), "{}", reject.message);
    }
}

#[test]
fn only_unknown_events_state_the_log_source_of_their_source() {
    let hint = Logsource::of("acme", "door");
    let hints = Hints {
        logsources: vec![hint],
    };
    let (unknown, _) = run_with(br#"{"hello":1}"#, &hints);
    assert_eq!(unknown[0].logsources, "acme/door");
    let known = br#"{"time":"2026-03-02T08:00:00Z","category":"SignInLogs","operationName":"x"}"#;
    assert_eq!(run_with(known, &hints).0[0].logsources, "azure/signinlogs");
}

#[test]
fn category_of_an_event_is_a_bounded_label() {
    let long = format!(r#"{{"category":"{}"}}"#, "x".repeat(65));
    let cases = [
        (r#"{"category":"My-Thing"}"#, Some("my-thing")),
        (r#"{"Category":"A.b/c_1"}"#, Some("a.b/c_1")),
        (
            r#"{"TimeGenerated":"x","Type":"T","Category":"other"}"#,
            Some("t"),
        ),
        (r#"{"category":"two words","type":"x"}"#, Some("x")),
        (r#"{"category":7}"#, None),
        (&long, None),
        ("[]", None),
    ];
    for (event, expected) in cases {
        assert_eq!(category(event.as_bytes()).as_deref(), expected, "{event}");
    }
}

#[test]
fn flow_tuple_carries_its_groups_and_columns() {
    let record = include_bytes!("../testdata/flows.json");
    let mut shown = Vec::new();
    decode(Some(record), &Hints::default(), &mut |decoded| {
        if let Decoded::Event(index, event) = decoded
            && let Body::Flow(flow) = event.body
        {
            let members: Vec<_> = flow
                .around
                .members()
                .iter()
                .map(|(name, _)| *name)
                .collect();
            let groups: Vec<_> = flow.around.members()[members.len() - 2..]
                .iter()
                .map(|(name, raw)| format!("{name}={}", String::from_utf8_lossy(raw)))
                .collect();
            let hidden = ["properties", "flowRecords"];
            assert!(
                !members.iter().any(|name| hidden.contains(name)),
                "{members:?}"
            );
            assert!(members.contains(&"macAddress") && members.contains(&"category"));
            let columns: Vec<_> = flow.columns.iter().map(|column| column.name).collect();
            assert_eq!(columns.len(), flow.tuple.split(',').count());
            shown.push(format!(
                "{index} {} | {}",
                groups.join(" "),
                columns.join(",")
            ));
        }
    });
    insta::assert_snapshot!("flow_tuples", shown.join("\n"));
}

/// Records that cost a careless reader its stack, its memory or its afternoon.
#[test]
fn hostile_records_are_read_to_their_end() {
    let deep = "[".repeat(100_000);
    assert_eq!(one(deep.as_bytes()).reason, Reason::Truncated);
    let nested = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    assert_eq!(one(nested.as_bytes()).reason, Reason::TooDeep);
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(10 * 1024 * 1024));
    assert_eq!(one(large.as_bytes()).reason, Reason::TooLarge);
    let keys: Vec<_> = (0..50_000).map(|key| format!("\"k{key}\":1")).collect();
    let (events, rejects) = run(format!("{{{}}}", keys.join(",")).as_bytes());
    assert_eq!((events.len(), rejects.len()), (1, 0));
    // Each line opens a string that the next one closes.
    let lines = "{\"a\":\"\n".repeat(200_000);
    assert_eq!(run(lines.as_bytes()).1.len(), 1);
    let mixed = "{\"a\":\"x\n{}\n".repeat(20_000);
    let (events, rejects) = run(mixed.as_bytes());
    assert_eq!(events.len(), 20_000);
    assert_eq!(rejects.len(), REJECTS_MAX + 1);
    let brackets = "}]{[".repeat(500_000);
    assert!(run(brackets.as_bytes()).1.len() <= REJECTS_MAX + 1);
}

/// What stands around tuples is read for each of them: it is bounded.
#[test]
fn flow_record_with_large_members_is_rejected() {
    let record = format!(
        r#"{{"category":"NetworkSecurityGroupFlowEvent","x":"{}","properties":{{"Version":1,"flows":[{{"rule":"r","flows":[{{"mac":"m","flowTuples":["1772438400,1.1.1.1,2.2.2.2,1,2,T,I,A"]}}]}}]}}}}"#,
        "x".repeat(4 * 1024)
    );
    assert_eq!(one(record.as_bytes()).reason, Reason::TooLarge);
}

#[test]
fn many_broken_elements_are_told_together() {
    let record = format!("[{}{{}}]", "7,".repeat(100_000));
    let (events, rejects) = run(record.as_bytes());
    assert_eq!(events[0].index, "100000");
    assert_eq!(rejects.len(), REJECTS_MAX + 1);
    let last = rejects.last().expect("told together");
    assert!(
        last.message.starts_with("99000 broken elements"),
        "{}",
        last.message
    );
    assert_eq!(last.span, 2 * REJECTS_MAX + 1..200_000);
}

fn fixture_with_one_change() -> impl Strategy<Value = Vec<u8>> {
    let fixtures = fixtures();
    let pick = 0..fixtures.len();
    (
        pick,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        any::<u8>(),
        0..4_u8,
    )
        .prop_map(move |(pick, at, to, byte, change)| {
            let mut record = fixtures[pick].1.clone();
            let (at, to) = (at.index(record.len()), to.index(record.len()));
            match change {
                0 => record[at] = byte,
                1 => record.truncate(at),
                2 => drop(record.drain(at.min(to)..at.max(to))),
                _ => record.insert(at, b"{}[]\",:\n"[usize::from(byte % 8)]),
            }
            record
        })
}

proptest! {
    #[test]
    fn prop_any_bytes_decode_without_a_panic(record in prop::collection::vec(any::<u8>(), 0..200)) {
        let (events, rejects) = run(&record);
        prop_assert!(events.len() + rejects.len() <= record.len() + 1);
    }

    #[test]
    fn prop_bytes_of_json_decode_without_a_panic(record in "[\\[\\]{}\",:\\\\a1\n ]{0,80}") {
        run(record.as_bytes());
    }

    #[test]
    fn prop_changed_fixtures_decode_without_a_panic(record in fixture_with_one_change()) {
        run(&record);
    }

    /// A broken element has an ordinal of its own: the others keep theirs.
    #[test]
    fn prop_broken_elements_do_not_renumber_their_neighbours(
        broken in prop::collection::vec(
            prop::option::of(prop::sample::select(vec![
                "7", "\"x\"", "{\"a\":[}", "oops", "{\"a\" 1}", "[1}]", "{\"a\":nope nope}", "{,}",
            ])),
            1..12,
        ),
    ) {
        let elements: Vec<String> = (0..)
            .zip(&broken)
            .map(|(at, broken): (usize, _)| broken.map_or_else(|| format!("{{\"n\":{at}}}"), str::to_owned))
            .collect();
        let record = format!("{{\"records\":[{}]}}", elements.join(","));
        let (events, _) = run(record.as_bytes());
        for event in &events {
            if let Some(number) = event.text.strip_prefix("{\"n\":") {
                prop_assert_eq!(&format!("{}}}", event.index), number);
            }
        }
        let sound = events.iter().filter(|event| event.text.starts_with("{\"n\":")).count();
        prop_assert_eq!(sound, broken.iter().filter(|broken| broken.is_none()).count());
    }
}
