use serde_json::json;

use super::*;
use crate::log::sqlite::{DeadEditor, DeadReader};

/// The dead letter of a record at an offset of partition 0.
fn letter(offset: i64, payload: &[u8]) -> Bytes {
    let letter = json!({
        "kind": "record", "at": "2026-09-21T14:13:30.0000000Z",
        "origin": {
            "tenant": "default", "name": "hub", "source": "hub", "incarnation": 1, "partition": 0,
            "offset": offset, "index": "0", "ordinals": [],
            "append_time": Timestamp::from_unix_seconds(1_790_000_000 + offset).to_string(),
        },
        "reason": "panic", "message": "m", "length": payload.len(), "hash": "h",
        "text": String::from_utf8_lossy(payload), "cut": false,
    });
    Bytes::from(letter.to_string())
}

/// Parks letters behind what there is, and asks for all of them to be tried again.
fn park_and_ask(life: &Life, dir: &Path, letters: Vec<Bytes>) -> Vec<Pos> {
    let step = crate::log::Append {
        dead: letters,
        ..crate::log::Append::default()
    };
    let parked = life.runtime.block_on(life.log.append(step)).unwrap().dead;
    let parked: Vec<Pos> = parked.collect();
    let mut editor = DeadEditor::open(dir).unwrap();
    assert_eq!(editor.ask(&parked).unwrap(), parked);
    parked
}

fn retried(life: &Life, outcome: &str) -> u64 {
    life.metric(&format!(
        "palisade_dead_retried_total{{outcome=\"{outcome}\"}}"
    ))
}

#[test]
fn a_letter_that_goes_through_raises_the_alert_of_its_own_place_and_is_gone() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (broker, whole) = (Broker::with(1), Broker::with(1));
    broker.sign_in(0, ("amy", "success"), 0);
    broker.produce(0, "no json");
    whole.sign_in(0, ("amy", "success"), 0);
    whole.sign_in(0, ("bob", "success"), 1);
    let judged = Life::start(other.path(), &whole, 0);
    wait_for("the commit of all records", || whole.committed() == 2);
    let expected = single(&judged.alerts());
    judged.drain().unwrap();

    let life = Life::start(dir.path(), &broker, 0);
    wait_for("the commit of all records", || broker.committed() == 2);
    let payload = lock(&whole.partitions)[0][1].clone();
    let parked = park_and_ask(&life, dir.path(), vec![letter(1, &payload)]);
    wait_for("the letter", || retried(&life, "done") == 1);
    wait_for("its alert", || life.alerts().len() == 2);
    assert_eq!(single(&life.alerts()), expected);
    let rows = DeadReader::open(dir.path()).unwrap().read(1, 10).unwrap();
    let row = rows.iter().find(|row| row.pos == parked[0]).unwrap();
    assert!((row.body.is_empty(), row.part) == (true, 0));
    life.drain().unwrap();
}

/// The correlation has passed the place of the letter; it is counted all the same, and once.
#[test]
fn a_letter_completes_a_correlation_that_went_on_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    broker.sign_in(0, ("amy", "fail"), 0);
    broker.produce(0, "no json");
    broker.sign_in(0, ("amy", "fail"), 2);
    let life = Life::start(dir.path(), &broker, 0);
    wait_for("the commit of all records", || broker.committed() == 3);
    assert!(correlated(&life.alerts()).is_empty());
    let lost = Broker::with(1);
    lost.sign_in(0, ("amy", "fail"), 1);
    let payload = lock(&lost.partitions)[0][0].clone();
    park_and_ask(&life, dir.path(), vec![letter(1, &payload)]);
    wait_for("the correlation", || correlated(&life.alerts()).len() == 1);
    let fired = correlated(&life.alerts());
    life.kill();
    let again = Life::start(dir.path(), &broker, 1);
    wait_for("the folds", || {
        again.metric("palisade_correlation_position") == *again.log.watch(Stream::Matches).borrow()
    });
    assert_eq!(correlated(&again.alerts()), fired, "it is tried once");
    again.drain().unwrap();
}

#[test]
fn a_letter_that_fails_again_stays_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    let life = Life::start(dir.path(), &broker, 0);
    let mut old: serde_json::Value = serde_json::from_slice(&letter(0, b"{}")).unwrap();
    old["origin"].as_object_mut().unwrap().remove("ordinals");
    let letters = vec![
        letter(0, b"no json"),
        Bytes::from(old.to_string()),
        Bytes::from("odd"),
    ];
    park_and_ask(&life, dir.path(), letters);
    wait_for("two that can be read", || retried(&life, "parked") == 2);
    let reader = DeadReader::open(dir.path()).unwrap();
    wait_for("the last", || {
        reader.read(1, 10).unwrap().iter().all(|row| row.part == 0)
    });
    let rows = reader.read(1, 10).unwrap();
    let read = |row: &crate::log::Row| serde_json::from_slice::<dead::Letter>(&row.body);
    let first = read(&rows[0]).unwrap();
    assert_eq!((&*first.reason, first.retried), ("not_json", 1));
    assert_eq!(read(&rows[1]).unwrap().reason, "no_place");
    assert_eq!(&rows[2].body[..], b"odd");
    life.drain().unwrap();
}
