//! The way by marks against the way by bytes, which is the judge.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

/// Everything that is told of an element.
fn shown(payload: &[u8], decoded: &Decoded<'_>) -> String {
    let place = |part: &[u8]| {
        let start = part.as_ptr().addr() - payload.as_ptr().addr();
        start..start + part.len()
    };
    match decoded {
        Decoded::Reject(reject) => format!("{reject:?}"),
        Decoded::Event(index, event) => {
            let body = match event.body {
                Body::Json(bytes) => format!("{:?}", place(bytes)),
                Body::Marked(marked) => format!("{:?}", place(marked.bytes())),
                Body::Flow(flow) => {
                    let tuple = place(flow.tuple.as_bytes());
                    let members = flow
                        .around
                        .members()
                        .iter()
                        .map(|(name, raw)| (name, place(raw)));
                    let members: Vec<_> = members.collect();
                    format!(
                        "{:?} {tuple:?} {members:?} {:?}",
                        place(flow.around.outer()),
                        flow.columns
                    )
                }
            };
            let (name, time) = (event.log_type.name, event.event_time);
            format!("{index} {body} {name} {:?} {time:?}", event.logsources)
        }
    }
}

/// Decodes by both ways; whether the marks sufficed.
fn check_with(decoder: &mut Decoder, payload: &[u8]) -> bool {
    let hints = Hints {
        logsources: vec![Logsource::of("acme", "door")],
    };
    let (mut fast, mut slow) = (Vec::new(), Vec::new());
    Decoder::default().by_bytes(payload, &hints, &mut |decoded| {
        slow.push(shown(payload, &decoded));
    });
    decoder.decode(Some(payload), &hints, &mut |decoded| {
        fast.push(shown(payload, &decoded));
    });
    assert_eq!(fast, slow, "{}", String::from_utf8_lossy(payload));
    decoder.is_marked(payload)
}

fn check(payload: &[u8]) -> bool {
    check_with(&mut Decoder::default(), payload)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn fixtures() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata"),
        &mut found,
    );
    found.sort();
    found
        .iter()
        .map(|path| std::fs::read(path).expect("readable"))
        .collect()
}

#[test]
fn fixtures_and_their_lines_are_told_alike_and_sound_ones_by_marks() {
    let mut decoder = Decoder::default();
    for fixture in fixtures() {
        check_with(&mut decoder, &fixture);
        for line in fixture.split(|byte| *byte == b'\n') {
            check_with(&mut decoder, line);
        }
    }
    let sound = include_bytes!("../../testdata/entra.ndjson");
    assert!(check(sound));
    for line in sound.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()) {
        assert!(check(line));
    }
    assert!(check(include_bytes!("../../testdata/flows.json")));
}

/// The folder is optional: where it is absent this says so and checks nothing.
#[test]
fn shared_samples_are_told_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples");
    if !folder.is_dir() {
        eprintln!("../shared/samples is absent: nothing is checked");
        return;
    }
    let mut found = Vec::new();
    files(&folder, &mut found);
    let mut decoder = Decoder::default();
    for path in found {
        let payload = std::fs::read(&path).expect("readable");
        check_with(&mut decoder, &payload);
        if path.to_string_lossy().contains(".ndjson") {
            for line in payload.split(|byte| *byte == b'\n') {
                check_with(&mut decoder, line);
            }
        }
    }
}

#[test]
fn shapes_are_found_by_marks_and_what_is_odd_is_not() {
    let sound = [
        "{}",
        "\u{feff} {}\r\n",
        r#"{"records":[]}"#,
        r#"{"a":1 , "records" : [ {} , {"records":[{}]} ],"b":[{}],"records":[{"c":"é"}]}"#,
        r#"{"records":{},"Records":[{}]}"#,
        r#"[{"records":[{},{}]},{}] {} [] [{}]"#,
        "{}{}",
        r#"{"a":true,"b":-1e5,"c":null,"d":"\"}"}"#,
    ];
    for payload in sound {
        assert!(check(payload.as_bytes()), "{payload}");
    }
    let odd = [
        "",
        " ",
        "7",
        "\"a\"",
        "{},{}",
        "[7]",
        "[[]]",
        "[{},]",
        "[{}{}]",
        "[,{}]",
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":"b""c":2}"#,
        r#"{"a":[]{"b":2}"#,
        r#"{"a":[]"b":2}"#,
        r#"{"a":1:2}"#,
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a" 1}"#,
        "{a:1}",
        r#"{"a":x}"#,
        "{{}}",
        r#"{"a":{}}}"#,
        r#"{"records":[{},7]}"#,
        r#"{"records":[{}],"a"}"#,
        r#"{"records":[{}]"#,
        "{} x",
        "{}\n\"",
    ];
    for payload in odd {
        assert!(!check(payload.as_bytes()), "{payload}");
    }
    assert!(!check(b"{\"a\":\"\xFF\"}"));
    let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    assert!(check(deep(EVENT_DEPTH_MAX - 1).as_bytes()));
    assert!(!check(deep(EVENT_DEPTH_MAX).as_bytes()));
    let large = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    assert!(check(large(EVENT_BYTES_MAX).as_bytes()));
    assert!(!check(large(EVENT_BYTES_MAX + 1).as_bytes()));
}

#[test]
fn members_behind_the_first_512_do_not_count_but_envelopes_are_found_there() {
    let many: Vec<String> = (0..511).map(|key| format!("\"k{key}\":1,")).collect();
    let many = many.concat();
    for tail in [
        r#""category":"SignInLogs","time":"2026-03-02T08:00:00Z""#,
        r#""x":1,"category":"SignInLogs""#,
        r#""x":1,"records":[{"category":"SignInLogs"},{}]"#,
        r#""properties":{"createdDateTime":"2026-03-02T08:00:00Z"},"category":"SignInLogs""#,
    ] {
        assert!(check(format!("{{{many}{tail}}}").as_bytes()));
        let inside = format!(r#"{{"category":"SignInLogs","properties":{{{many}{tail}}}}}"#);
        assert!(check(inside.as_bytes()));
    }
}

/// Texts that mean something to the decoder.
fn scalar() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "1",
        "-0.5e3",
        "true",
        "null",
        "\"\"",
        "\"a\"",
        "\"é\"",
        "\"\\\"}]\"",
        "\"SignInLogs\"",
        "\"AuditLogs\"",
        "\"Administrative\"",
        "\"\\u0041uditLogs\"",
        "\"StorageRead\"",
        "\"NetworkSecurityGroupFlowEvent\"",
        "\"FlowLogFlowEvent\"",
        "\"Heartbeat\"",
        "\"PIM\"",
        "\"2026-03-02T08:00:00Z\"",
        "\"2026-03-02T08:00:00.1234567Z\"",
        "1733975962447",
        "\"/subscriptions/1/providers/Microsoft.aadiam\"",
        "\"Microsoft.Security/assessments\"",
        "\"/x/Microsoft.Storage/storageAccounts/a/blobServices/default\"",
        "\"a/b/write\"",
        "\"1772438400,1.1.1.1,2.2.2.2,1,2,T,I,A\"",
        "\"1772438400,1\"",
        "2",
    ])
    .prop_map(str::to_owned)
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "records",
        "Records",
        "category",
        "Category",
        "CATEGORY",
        "type",
        "Type",
        "time",
        "TimeGenerated",
        "operationName",
        "properties",
        "Properties",
        "resourceId",
        "resourceid",
        "createdDateTime",
        "activityDateTime",
        "loggedByService",
        "value",
        "schemaId",
        "data",
        "flows",
        "flowTuples",
        "flowRecords",
        "flowLogVersion",
        "macAddress",
        "Version",
        "rule",
        "mac",
        "\\u0061",
        "timestamp",
        "activityDisplayName",
        "",
    ])
}

fn gap() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "", "", " ", "\n", "\t\r\n"])
}

fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(5, 40, 8, |inner| {
        let member = (gap(), key(), gap(), gap(), inner.clone(), gap());
        let member = member.prop_map(|(a, key, b, c, value, d)| {
            format!("{a}\"{key}\"{b}:{c}{value}{d}")
        });
        let element = (gap(), inner, gap()).prop_map(|(a, value, b)| format!("{a}{value}{b}"));
        let joined = |parts: Vec<String>| parts.join(",");
        prop_oneof![
            3 => prop::collection::vec(member, 0..8).prop_map(move |all| format!("{{{}}}", joined(all))),
            1 => prop::collection::vec(element, 0..8).prop_map(move |all| format!("[{}]", joined(all))),
        ]
    })
}

/// Objects and lists, alone, in envelopes, in lists and one after the other.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let events = || prop::collection::vec(value(), 0..5).prop_map(|all| all.join(","));
    let one = prop_oneof![
        value(),
        events().prop_map(|events| format!("{{\"x\":1,\"records\":[{events}],\"y\":{{}}}}")),
        events().prop_map(|events| format!("[{events}]")),
    ];
    let several = prop::collection::vec((one, gap()), 1..4);
    (any::<bool>(), several).prop_map(|(marked, several)| {
        let mut text = String::from(if marked { "\u{feff}" } else { "" });
        for (value, gap) in several {
            text.push_str(&value);
            text.push_str(gap);
        }
        text.into_bytes()
    })
}

/// One change: a byte replaced, added or left out, the end cut off.
fn changed(payload: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let place = any::<prop::sample::Index>();
    (payload, place, place_byte(), 0..4_u8).prop_map(|(mut payload, place, byte, change)| {
        if payload.is_empty() {
            return payload;
        }
        let at = place.index(payload.len());
        match change {
            0 => payload[at] = byte,
            1 => payload.insert(at, byte),
            2 => drop(payload.remove(at)),
            _ => payload.truncate(at),
        }
        payload
    })
}

fn place_byte() -> impl Strategy<Value = u8> {
    prop::sample::select(b"{}[]\",:\\ \n1ax\xFF".to_vec())
}

fn fixture() -> impl Strategy<Value = Vec<u8>> {
    let mut all = fixtures();
    let lines: Vec<Vec<u8>> = all
        .iter()
        .flat_map(|fixture| fixture.split(|byte| *byte == b'\n').map(<[u8]>::to_vec))
        .filter(|line| !line.is_empty())
        .collect();
    all.extend(lines);
    prop::sample::select(all)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn prop_generated_payloads_are_told_alike(payloads in prop::collection::vec(payload(), 1..3)) {
        let mut decoder = Decoder::default();
        for payload in payloads {
            check_with(&mut decoder, &payload);
        }
    }

    #[test]
    fn prop_broken_payloads_are_told_alike(payload in changed(payload())) {
        check(&payload);
    }

    #[test]
    fn prop_changed_fixtures_are_told_alike(payload in changed(fixture())) {
        check(&payload);
    }

    #[test]
    fn prop_bytes_of_json_are_told_alike(payload in "[\\[\\]{}\",:\\\\a1\n ]{0,60}") {
        check(payload.as_bytes());
    }
}

#[test]
fn common_records_state_their_own_category_whatever_came_before() {
    let mut decoder = Decoder::default();
    let hints = Hints::default();
    for number in (0..NAMED_MAX * 3).chain(0..NAMED_MAX).chain([0, 1, 0, 1]) {
        let record = format!(
            r#"{{"time":"2026-03-02T08:00:00Z","category":"Made{number}","resourceId":"/x"}}"#
        );
        let mut stated = Vec::new();
        decoder.decode(Some(record.as_bytes()), &hints, &mut |decoded| {
            if let Decoded::Event(_, event) = decoded {
                stated.extend(event.logsources.to_vec());
            }
        });
        let service = stated.iter().map(|source| source.service.as_deref());
        assert_eq!(
            service.collect::<Vec<_>>(),
            [Some(&*format!("made{number}"))]
        );
    }
    assert_eq!(decoder.naming.named.len(), NAMED_MAX);
}
