//! The alerts of a run, held against what its input must come to.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use palisade::clock::Clock;
use palisade_detect::alert::Alert;
use palisade_detect::time::Timestamp;

use super::records::{Input, SPRAY_RULE};

/// Reads a file of alerts.
pub(crate) fn read(path: &Path) -> Vec<Alert> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(parse).collect()
}

fn parse(line: &str) -> Alert {
    serde_json::from_str(line).expect("a line is a canonical alert")
}

/// What a run said.
pub(crate) struct Verdict {
    /// Distinct alert ids.
    pub(crate) alerts: usize,
    /// Lines that repeat an id.
    pub(crate) repeats: usize,
}

/// Whether each spray has its alert, and each record that was made to fire.
pub(crate) fn complete(alerts: &[Alert], input: &Input, partitions: usize) -> bool {
    missing(alerts, input, partitions).is_empty()
}

/// Demands that nothing is missing, and that our own rules say nothing beyond what was planted.
pub(crate) fn judge(alerts: &[Alert], input: &Input, partitions: usize) -> Verdict {
    let missing = missing(alerts, input, partitions);
    assert!(missing.is_empty(), "alerts are missing: {missing:?}");
    let ids: BTreeSet<&str> = alerts.iter().map(|alert| &*alert.alert_id).collect();
    let planted: BTreeSet<&str> = input.alarms.iter().map(|alarm| alarm.rule).collect();
    let own: BTreeSet<(&str, &str)> = alerts
        .iter()
        .filter(|alert| planted.contains(&*alert.rule.id) || alert.rule.id == SPRAY_RULE)
        .map(|alert| (&*alert.rule.id, &*alert.alert_id))
        .collect();
    assert_eq!(
        own.len(),
        input.alarms.len() + input.sprays,
        "alerts beyond what was planted"
    );
    Verdict {
        alerts: ids.len(),
        repeats: alerts.len() - ids.len(),
    }
}

/// Planted alerts that are not there: rule, partition, offset.
fn missing(alerts: &[Alert], input: &Input, partitions: usize) -> Vec<(String, usize, usize)> {
    let said: BTreeSet<(&str, u32, i64)> = alerts
        .iter()
        .filter_map(|alert| {
            let origin = &alert.evidence.events.first()?.origin;
            Some((&*alert.rule.id, origin.partition, origin.offset))
        })
        .collect();
    let is_said = |rule: &str, partition: usize, offset: usize| {
        let place = (u32::try_from(partition), i64::try_from(offset));
        matches!(place, (Ok(partition), Ok(offset)) if said.contains(&(rule, partition, offset)))
    };
    let mut missing: Vec<(String, usize, usize)> = input
        .alarms
        .iter()
        .map(|alarm| {
            (
                alarm.rule,
                alarm.record % partitions,
                alarm.record / partitions,
            )
        })
        .filter(|(rule, partition, offset)| !is_said(rule, *partition, *offset))
        .map(|(rule, partition, offset)| (rule.to_owned(), partition, offset))
        .collect();
    let sprays: BTreeSet<&str> = alerts
        .iter()
        .filter(|alert| alert.rule.id == SPRAY_RULE)
        .map(|alert| &*alert.dedupe_key)
        .collect();
    missing.extend((sprays.len()..input.sprays).map(|spray| (SPRAY_RULE.to_owned(), 0, spray)));
    missing
}

/// An alert as its reader saw it.
pub(crate) struct Seen {
    /// When its line was in the file and on the disk.
    pub(crate) at: Timestamp,
    /// The alert.
    pub(crate) alert: Alert,
}

/// A reader at the end of a file of alerts.
pub(crate) struct Tail {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Seen>>,
}

/// How long the reader waits at the end of the file; the error of a time it states.
const LOOK_EVERY: Duration = Duration::from_millis(1);

impl Tail {
    /// Follows `path`, which need not be there yet.
    pub(crate) fn follow(path: PathBuf, clock: Clock) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || follow(&path, clock, &stopped));
        Self { stop, thread }
    }

    /// Stops following, and gives what was seen.
    pub(crate) fn end(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the reader does not panic")
    }
}

fn follow(path: &Path, clock: Clock, stop: &AtomicBool) -> Vec<Seen> {
    let mut lines: Vec<(Timestamp, String)> = Vec::new();
    let mut file: Option<File> = None;
    let (mut bytes, mut begun) = (Vec::new(), 0);
    loop {
        let ends = stop.load(Ordering::Relaxed);
        file = file.or_else(|| File::open(path).ok());
        if let Some(file) = &mut file
            && file.read_to_end(&mut bytes).expect("the file can be read") > 0
        {
            // A line counts once it is on the disk, not when it can be read.
            file.sync_data().expect("the file can be synced");
            let now = clock.now();
            while let Some(length) = bytes[begun..].iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&bytes[begun..begun + length]).into_owned();
                lines.push((now, line));
                begun += length + 1;
            }
        }
        if ends {
            break;
        }
        thread::sleep(LOOK_EVERY);
    }
    lines
        .into_iter()
        .map(|(at, line)| Seen {
            at,
            alert: parse(&line),
        })
        .collect()
}
