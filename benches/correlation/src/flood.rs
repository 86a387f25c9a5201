//! A flood of invented keys, and slow brute forces that begin inside of it.

use std::collections::BTreeSet;

use palisade_detect::correlation::Output;
use palisade_detect::matches::{Match, Settings};
use palisade_detect::time::Span;

use crate::input::{BLOCK, Event, Kind, user};
use crate::ours::{Folds, definition, found};

/// Slow brute forces.
const PLANTED: u64 = 20;
/// Matches that each of them sends: two more than it takes.
const STEPS: u64 = 12;
/// Seconds between two of them.
const APART: u64 = 60;
/// Seconds that the flood lasts.
const SECONDS: u64 = 960;
/// Length of the window.
const TIMESPAN: u64 = 1_200;
/// Names of planted keys, which no invented one has.
const PLANTED_FROM: u64 = 1 << 40;

/// What a flood came to.
#[derive(Debug)]
pub(crate) struct Flood {
    /// Brute forces that were found.
    pub(crate) found: usize,
    /// Of so many.
    pub(crate) planted: u64,
    /// Alerts about anything else.
    pub(crate) others: u64,
    /// Keys that were forgotten.
    pub(crate) evicted: u64,
    /// Slots in use at the end.
    pub(crate) slots: u64,
    /// Nanoseconds for each match.
    pub(crate) ns: f64,
    /// Highest resident memory of the process, in MiB.
    pub(crate) peak_mib: u64,
}

/// Sends `keys` keys of one match each, and in between the brute forces.
///
/// # Errors
/// When a fold cannot take a step.
pub(crate) fn run(keys: u64) -> anyhow::Result<Flood> {
    let kind = Kind::EventCount;
    let def = definition(kind, TIMESPAN, Span::from_seconds(120));
    let quotas = Settings {
        slots_per_correlation: 200_000 / 32,
        slots_total: 8_000_000 / 32,
        elements_per_group: 4_096,
        ..Settings::default()
    };
    let mut folds = Folds::new(&def, &quotas)?;
    let mut planted = BTreeSet::new();
    let mut others = 0;
    let mut steps = steps().into_iter().peekable();
    let mut offset = 0;
    for from in (0..keys).step_by(usize::try_from(BLOCK)?) {
        let at = |number| number * SECONDS * 1_000_000 / keys;
        let mut batch: Vec<Match> = Vec::new();
        for number in from..keys.min(from + BLOCK) {
            while let Some(step) = steps.next_if(|step| step.at_us <= at(number)) {
                batch.push(found(&def, kind, step));
            }
            let event = Event {
                number,
                key: number,
                value: 1,
                rule: 0,
                at_us: at(number),
            };
            batch.push(found(&def, kind, event));
        }
        for one in &mut batch {
            one.offset = offset;
            offset += 1;
        }
        for output in folds.take(batch)? {
            let Output::Alert(alert) = output else {
                continue;
            };
            let group = alert.group.map(|group| group.fields);
            let name = group.and_then(|fields| fields.into_values().next());
            match name.filter(|name| is_planted(name)) {
                Some(name) => drop(planted.insert(name)),
                None => others += 1,
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "figures are far below 2^53")]
    let ns = folds.steps.seconds() * 1e9 / offset as f64;
    Ok(Flood {
        found: planted.len(),
        planted: PLANTED,
        others,
        evicted: folds.evicted(),
        slots: folds.slots(),
        ns,
        peak_mib: peak_mib(),
    })
}

/// The brute forces' matches in order of time: each begins a few seconds after the one before.
fn steps() -> Vec<Event> {
    let mut steps: Vec<Event> = (0..PLANTED)
        .flat_map(|planted| {
            (0..STEPS).map(move |step| Event {
                number: PLANTED_FROM + planted * STEPS + step,
                key: PLANTED_FROM + planted,
                value: 1,
                rule: 0,
                at_us: (60 + planted * 7 + step * APART) * 1_000_000,
            })
        })
        .collect();
    steps.sort_by_key(|step| step.at_us);
    steps
}

fn is_planted(name: &str) -> bool {
    (0..PLANTED).any(|planted| user(PLANTED_FROM + planted) == name)
}

/// Highest resident memory of this process, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
