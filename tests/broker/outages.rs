//! The broker away, the state held, the position unknown, the signal to end.

use std::process::Command;

use super::input::{self, PARTITIONS, RECORDS, Setup};
use super::state::{self, Logs};
use crate::support::kafka::Broker;
use crate::support::palisade::Palisade;
use crate::support::wait_for;

fn broker_with_setup(folder: &std::path::Path, name: &str) -> (Broker, Setup) {
    let broker = Broker::start(folder);
    broker.create_topic(RECORDS, PARTITIONS);
    let setup = Setup::new(folder, name, &broker, &[&input::detections()]);
    (broker, setup)
}

/// Different alerts in the log: a position that could not be committed is read again.
fn alerts(setup: &Setup) -> usize {
    if !setup.folder.join("state/palisade.db").exists() {
        return 0;
    }
    let logs = Logs::open(setup);
    if !logs.has_begun() {
        return 0;
    }
    state::ids(&logs.alerts()).len()
}

#[test]
fn broker_that_is_down_is_named_waited_for_and_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut broker, setup) = broker_with_setup(folder.path(), "outage");
    broker.produce(RECORDS, PARTITIONS, &[input::alarm(1)]);
    broker.kill();
    let run = Palisade::run(&setup.folder);
    wait_for("`/readyz` to name the source", || {
        setup
            .get("/readyz")
            .filter(|(status, body)| *status == 503 && body.contains("hub"))
    });
    assert_eq!(setup.get("/livez").map(|(status, _)| status), Some(200));
    broker.launch();
    wait_for("the first alert", || (alerts(&setup) == 1).then_some(()));
    wait_for("`/readyz` to say ready", || {
        setup.get("/readyz").filter(|(status, _)| *status == 200)
    });
    broker.kill();
    wait_for("`/readyz` to name the source again", || {
        setup
            .get("/readyz")
            .filter(|(status, body)| *status == 503 && body.contains("hub"))
    });
    broker.launch();
    broker.produce(RECORDS, PARTITIONS, &[input::alarm(2), input::alarm(3)]);
    wait_for("the alerts after the outage", || {
        (alerts(&setup) == 3).then_some(())
    });
    assert_eq!(run.terminate().code(), Some(0));
}

#[test]
fn second_process_on_the_state_ends_with_75_and_says_who_holds_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_broker, setup) = broker_with_setup(folder.path(), "held");
    let run = Palisade::run(&setup.folder);
    wait_for("the first process", || setup.get("/livez"));
    let second = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .current_dir(&setup.folder)
        .args(["run", "-c", "config.yaml"])
        .env(
            "PALISADE_HTTP_LISTEN",
            format!("127.0.0.1:{}", crate::support::free_port()),
        )
        .output()
        .expect("the program starts");
    assert_eq!(second.status.code(), Some(75));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains(&run.pid().to_string()), "{said}");
    assert_eq!(run.terminate().code(), Some(0));
}

#[test]
fn position_that_the_topic_does_not_hold_stops_the_process_and_is_never_reset() {
    let folder = tempfile::tempdir().expect("a folder");
    let (broker, setup) = broker_with_setup(folder.path(), "position");
    broker.produce(RECORDS, PARTITIONS, &[input::alarm(1)]);
    broker.commit(&setup.group, RECORDS, 0, 1_000_000);
    let run = Palisade::run(&setup.folder);
    let log = setup.folder.join("palisade.log");
    let status = run.wait();
    let said = std::fs::read_to_string(log).expect("a log");
    assert_eq!(status.code(), Some(74), "{said}");
    assert!(said.contains("1000000") && said.contains(RECORDS), "{said}");
    assert_eq!(alerts(&setup), 0);
}

/// A member of the group by name, beginning at a moment: what was written before it is not read.
#[test]
fn source_begins_at_the_moment_that_its_configuration_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let (broker, setup) = broker_with_setup(folder.path(), "moment");
    broker.produce(RECORDS, PARTITIONS, &[input::alarm(1), input::alarm(2)]);
    let path = setup.folder.join("config.yaml");
    let moment = broker.now(RECORDS, PARTITIONS);
    let text = std::fs::read_to_string(&path)
        .expect("a configuration")
        .replace(
            "start: earliest",
            &format!("start: {{timestamp: \"{moment}\"}}\n    instance: one"),
        );
    std::fs::write(path, text).expect("a configuration");
    broker.produce(RECORDS, PARTITIONS, &[input::alarm(3), input::alarm(4)]);
    for _ in 0..2 {
        let run = Palisade::run(&setup.folder);
        wait_for("the alerts after the moment", || {
            (alerts(&setup) == 2).then_some(())
        });
        wait_for("the commit", || {
            (broker.lag(&setup.group, RECORDS, PARTITIONS) == 0).then_some(())
        });
        // The name is taken over at once from a member that was killed.
        run.kill();
    }
    let said = Logs::open(&setup).alerts();
    let titles: Vec<_> = said.iter().map(ToString::to_string).collect();
    assert!(
        titles
            .iter()
            .all(|text| !text.contains("Test alert 1") && !text.contains("Test alert 2"))
    );
}

#[test]
fn newest_records_of_a_live_source_are_shown_without_touching_its_group() {
    let folder = tempfile::tempdir().expect("a folder");
    let (broker, setup) = broker_with_setup(folder.path(), "look");
    let records: Vec<_> = (0..8).map(input::alarm).collect();
    broker.produce(RECORDS, PARTITIONS, &records);
    let shown = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .current_dir(&setup.folder)
        .args([
            "decode",
            "-c",
            "config.yaml",
            "--source",
            "hub",
            "--last",
            "3",
            "--format",
            "ndjson",
        ])
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_eq!(
        shown.status.code(),
        Some(0),
        "{text}{}",
        String::from_utf8_lossy(&shown.stderr)
    );
    assert_eq!(
        text.lines().count(),
        3,
        "the newest records over all partitions: {text}"
    );
    assert_eq!(
        broker.committed(&setup.group, RECORDS, PARTITIONS),
        vec![None; 4]
    );
}
