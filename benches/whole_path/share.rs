//! G8: what the whole pipeline does for a second of processor time, to a reader that does nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::bench::measure;
use super::bench::{alerts, reader};
use super::support::palisade::Palisade;
use super::support::wait_for;
use super::{Bench, PARTITIONS, Site, WorkedOff};

/// Records for a processor second, to a bare reader's.
const TO_READER_MIN: f64 = 0.4;

/// The input that the other lines of the goals are measured on, as `throughput lines` leaves it.
const RECORDS: &str = "records-all-50000.ndjson";
const RULES: &str = "rules-azure";

/// How often the topic holds it: a process's start weighs little then.
const PASSES: usize = 4;

/// What threads are called, and what they do.
const THREADS: [(&str, &str); 5] = [
    ("judge", "us a record: judges"),
    ("rdk:broker", "us a record: client"),
    ("source-hub", "us a record: source"),
    ("log-writer", "us a record: log"),
    ("tokio-rt-worker", "us a record: appender and sinks"),
];

/// A full topic that was worked off.
struct Full<'a> {
    /// The line's name.
    what: &'static str,
    topic: &'a str,
    records: usize,
}

impl Bench {
    /// On both inputs.
    pub(super) fn share_of_a_reader(&mut self) {
        self.azure();
        let ours = self.throughput("g8 own input");
        for WorkedOff { a_core, .. } in ours {
            let full = Full {
                what: "g8 own input",
                topic: "g8-own-input-full",
                records: self.options.records,
            };
            self.beside_readers(&full, a_core);
        }
    }

    /// The records and rules of the other lines.
    fn azure(&mut self) {
        let (input, rules) = (
            self.options.azure.join(RECORDS),
            self.options.azure.join(RULES),
        );
        let Ok(text) = fs::read(&input) else {
            println!(
                "g8 without `{}`: run `throughput lines` first",
                input.display()
            );
            return;
        };
        let expected = expected(&rules, &input) * PASSES;
        let lines = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let payloads: Vec<_> = lines.map(|line| Some(line.to_vec())).collect();
        drop(text);
        let full = Full {
            what: "g8",
            topic: "g8-azure",
            records: payloads.len() * PASSES,
        };
        self.broker.create_topic(full.topic, PARTITIONS);
        for _ in 0..PASSES {
            self.broker.produce(full.topic, PARTITIONS, &payloads);
        }
        drop(payloads);
        for number in 0..self.options.runs {
            let a_core = self.azure_run(&full, (number, expected), &rules);
            self.beside_readers(&full, a_core);
        }
        let ratio = self.middle("g8 to the bare reader");
        if ratio < TO_READER_MIN {
            let missed = format!("g8: {ratio:.3} of a bare reader, not {TO_READER_MIN}");
            self.missed.push(missed);
        }
    }

    fn azure_run(
        &mut self,
        full: &Full<'_>,
        (number, expected): (usize, usize),
        rules: &Path,
    ) -> f64 {
        let rules = format!("rules: {:?}\npipelines: {{default: false}}\n", [rules]);
        let site = Site::with(self, (&format!("g8-azure-{number}"), full.topic), &rules);
        let process = Palisade::run(&site.folder);
        let (first, end) = self.watch(&site, full.records);
        wait_for("every alert in the file", || {
            (lines(&site.alerts) >= expected).then_some(())
        });
        wait_for("the last commit", || {
            (self.broker.lag(&site.group, full.topic, PARTITIONS) == 0).then_some(())
        });
        let cpu = measure::cpu_seconds(process.pid()).expect("it runs");
        let threads = by_thread(process.pid(), full.records);
        let peak = measure::peak_mib(process.pid()).expect("it runs");
        assert!(process.terminate().success(), "a drain ends with 0");
        let said = alerts::read(&site.alerts);
        let ids: BTreeSet<&str> = said.iter().map(|alert| &*alert.alert_id).collect();
        assert_eq!(
            (said.len(), ids.len()),
            (expected, expected),
            "as `replay` finds"
        );
        let records = measure::count(full.records);
        let mut figures = vec![
            (
                "records/s",
                measure::per_second(full.records, end.saturating_sub(first)),
            ),
            ("records/s a core", records / cpu),
            ("us a record", cpu / records * 1e6),
            ("peak MiB", peak),
            ("alerts", measure::count(said.len())),
        ];
        figures.extend(threads);
        self.note(full.what, &figures);
        records / cpu
    }

    /// Reads the same topic with readers that do nothing else.
    fn beside_readers(&mut self, full: &Full<'_>, a_core: f64) {
        let address = self.broker.address();
        let records = measure::count(full.records);
        let cpu = reader::cpu_seconds(&address, full.topic, PARTITIONS, full.records);
        let mut figures = vec![
            ("bare reader us a record", cpu / records * 1e6),
            ("to the bare reader", a_core * cpu / records),
        ];
        if let Some(cpu) = reader::kcat_seconds(&address, full.topic) {
            figures.push(("kcat us a record", cpu / records * 1e6));
            figures.push(("to kcat", a_core * cpu / records));
        }
        self.note(full.what, &figures);
    }
}

/// What a record cost each kind of thread so far.
pub(super) fn by_thread(pid: u32, records: usize) -> [(&'static str, f64); THREADS.len()] {
    let threads = measure::seconds_by_thread(pid);
    THREADS.map(|(name, line)| {
        let seconds = threads.get(name).copied().unwrap_or_default();
        (line, seconds / measure::count(records) * 1e6)
    })
}

/// How many alerts `replay` finds in a file.
fn expected(rules: &Path, input: &Path) -> usize {
    let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args([
            "replay",
            "--pipeline",
            "none",
            "--format",
            "ndjson",
            "--rules",
        ])
        .args([rules, input])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "`replay` reads everything");
    String::from_utf8_lossy(&output.stdout).lines().count()
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).unwrap_or_default().lines().count()
}
