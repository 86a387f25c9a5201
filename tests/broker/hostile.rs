//! Records that are no records: each becomes a dead letter, or an event, and the next one goes on.

use std::fmt::Write as _;

use super::input::{self, RECORDS, Setup};
use super::state::{Logs, text};
use crate::support::kafka::Broker;
use crate::support::palisade::Palisade;
use crate::support::wait_for;

/// Name, payload, and the reason of the dead letter; `None` for an event.
type Hostile = (&'static str, Option<Vec<u8>>, Option<&'static str>);

fn payloads() -> Vec<Hostile> {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let mut large = br#"{"time":"2026-03-02T10:00:00Z","category":"x","text":""#.to_vec();
    large.extend(vec![b'a'; 10 << 20]);
    large.extend(br#""}"#);
    let mut keys = String::from(r#"{"time":"2026-03-02T10:00:00Z""#);
    for number in 0..1_000_000 {
        write!(keys, r#","k{number}":1"#).expect("writing to a string cannot fail");
    }
    keys.push('}');
    let text = |text: &str| Some(text.as_bytes().to_vec());
    vec![
        ("not JSON", text("this is no JSON"), Some("not_json")),
        (
            "not UTF-8",
            Some(b"{\"a\":\"\xff\xfe\"}".to_vec()),
            Some("not_utf8"),
        ),
        (
            "truncated",
            text(r#"{"records":[{"time":"2026-03-02T10:00:00Z","category":"Admin"#),
            Some("truncated"),
        ),
        ("ten mebibytes", Some(large), Some("too_large")),
        (
            "a hundred thousand levels",
            Some(deep.into_bytes()),
            Some("too_deep"),
        ),
        ("a million keys", Some(keys.into_bytes()), Some("too_large")),
        (
            "a key twice",
            text(r#"{"time":"2026-03-02T10:00:00Z","category":"a","category":"b"}"#),
            None,
        ),
        (
            "an escaped NUL",
            text(r#"{"time":"2026-03-02T10:00:00Z","category":"a\u0000b"}"#),
            None,
        ),
        (
            "a raw NUL",
            text("{\"time\":\"2026-03-02T10:00:00Z\",\"category\":\"a\0b\"}"),
            Some("not_json"),
        ),
        ("an empty body", Some(Vec::new()), Some("empty")),
        ("a tombstone", None, Some("tombstone")),
    ]
}

#[test]
fn each_hostile_record_is_parked_with_its_place_and_the_next_one_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(folder.path());
    broker.create_topic(RECORDS, 1);
    let setup = Setup::new(folder.path(), "hostile", &broker, &[&input::detections()]);
    let payloads = payloads();
    let mut sent = Vec::new();
    for (number, (_, payload, _)) in payloads.iter().enumerate() {
        sent.push(payload.clone());
        sent.push(input::alarm(number));
    }
    broker.produce(RECORDS, 1, &sent);
    let run = Palisade::run(&setup.folder);
    let parked = payloads
        .iter()
        .filter(|(_, _, reason)| reason.is_some())
        .count();
    let (alerts, dead) = wait_for("the alert of the record behind each hostile one", || {
        setup.get("/livez")?;
        let logs = Logs::open(&setup);
        let (alerts, dead) = (logs.alerts(), logs.dead());
        (alerts.len() >= payloads.len() && dead.len() >= parked).then_some((alerts, dead))
    });
    assert_eq!(alerts.len(), payloads.len());
    for (number, (name, _, reason)) in payloads.iter().enumerate() {
        let offset = u64::try_from(number * 2).expect("small");
        let letter = dead.iter().find(|letter| {
            letter
                .pointer("/origin/offset")
                .and_then(serde_json::Value::as_u64)
                == Some(offset)
        });
        assert_eq!(
            letter.map(|letter| text(letter, "/reason")),
            *reason,
            "{name}"
        );
    }
    assert_eq!(dead.len(), parked);
    assert_eq!(setup.metric("palisade_duplicate_keys_total"), Some(1.0));
    conserved(&setup);
    run.kill();
}

/// Records, elements and alerts add up.
fn conserved(setup: &Setup) {
    let sum = |name: &str| {
        let (_, body) = setup.get("/metrics").expect("an answer");
        let lines = body
            .lines()
            .filter(|line| line.starts_with(name) && !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum::<f64>()
    };
    let close = |left: f64, right: f64| assert!((left - right).abs() < 0.5, "{left} != {right}");
    close(
        sum("palisade_records_total"),
        sum("palisade_records_finished_total") + sum("palisade_records_in_flight"),
    );
    close(
        sum("palisade_elements_total"),
        sum("palisade_events_total") + sum("palisade_rejects_total"),
    );
}
