//! A live scrape is what Prometheus expects.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::input::{self, PARTITIONS, RECORDS, Setup};
use super::state::Logs;
use crate::support::kafka::Broker;
use crate::support::palisade::Palisade;
use crate::support::wait_for;

#[test]
fn promtool_finds_nothing_to_mend_in_a_live_scrape() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(folder.path());
    broker.create_topic(RECORDS, PARTITIONS);
    let setup = Setup::new(folder.path(), "metrics", &broker, &[&input::detections()]);
    let mut records: Vec<_> = (0..20).map(input::alarm).collect();
    records.push(Some(b"no JSON".to_vec()));
    broker.produce(RECORDS, PARTITIONS, &records);
    let run = Palisade::run(&setup.folder);
    let (_, scrape) = wait_for("a scrape after the alerts", || {
        setup
            .get("/metrics")
            .filter(|_| Logs::open(&setup).alerts().len() == 20)
    });
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts; Debian has it in the package `prometheus`");
    let mut input = promtool.stdin.take().expect("a pipe");
    input.write_all(scrape.as_bytes()).expect("promtool reads");
    drop(input);
    let output = promtool.wait_with_output().expect("promtool ends");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
    assert!(
        scrape.contains("palisade_alerts_total{level=\"high\"} 20"),
        "{scrape}"
    );
    run.kill();
}
