//! The correlation fold beside RSigma's correlation engine, on the same matching events in one run.
//!
//! `lines` holds each line against its goal; `flood` looks for slow brute forces in a flood of keys.
//! `benches/README.md` records the results.

use std::process::ExitCode;

use clap::Parser as _;
use palisade_detect::time::Span;

mod clock;
mod flood;
mod heap;
mod input;
mod ours;
mod outcome;
mod peer;

use input::{Kind, Shape};
use outcome::Outcome;

#[derive(clap::Parser)]
#[command(about)]
enum Command {
    /// Time and memory for each matching event and key, beside RSigma.
    Lines(Lines),
    /// Slow brute forces in a flood of keys.
    Flood {
        /// Invented keys, of one match each.
        #[arg(long, default_value_t = 10_000_000)]
        keys: u64,
    },
}

#[derive(clap::Args)]
struct Lines {
    /// Rounds; the middle one counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only lines whose name holds this text.
    #[arg(long, default_value = "")]
    only: String,
    /// Leaves RSigma out.
    #[arg(long)]
    alone: bool,
    /// Allowed lateness of ours, in seconds.
    #[arg(long, default_value_t = 120)]
    lateness: i64,
}

/// A line and its goal: how many times faster than RSigma.
const LINES: [(Shape, f64); 6] = [
    (shape(Kind::EventCount, 1_000, 350_000), 10.0),
    (shape(Kind::EventCount, 100_000, 350_000), 10.0),
    (shape(Kind::EventCount, 1_000_000, 1_900_000), 5.0),
    (shape(Kind::ValueCount, 1_000, 350_000), 100.0),
    (shape(Kind::Temporal, 100_000, 500_000), 10.0),
    (shape(Kind::TemporalOrdered, 100_000, 500_000), 10.0),
];

/// Least matches a second from the log's bytes.
const REPLAY: f64 = 500_000.0;
/// Most bytes a key of `event_count`.
const BYTES: f64 = 170.0;

const fn shape(kind: Kind, keys: u64, events: u64) -> Shape {
    Shape {
        kind,
        keys,
        events,
        seconds: 590,
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let passes = match Command::parse() {
        Command::Lines(args) => lines(&args)?,
        Command::Flood { keys } => {
            let found = flood::run(keys)?;
            anstream::println!(
                "{} of {} found, {} other alerts; {} keys forgotten, {} slots in use; {:.0} ns a match; \
                 peak {} MiB",
                found.found,
                found.planted,
                found.others,
                found.evicted,
                found.slots,
                found.ns,
                found.peak_mib,
            );
            found.found as u64 == found.planted
        }
    };
    Ok(if passes {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn lines(args: &Lines) -> anyhow::Result<bool> {
    let mut passes = true;
    for (shape, goal) in LINES {
        let name = format!("{} {}", shape.kind.name(), shape.keys);
        if name.contains(&args.only) {
            passes &= line(args, &name, shape, goal)?;
        }
    }
    Ok(passes)
}

/// Measures a line and prints it; whether it reaches its goals.
fn line(args: &Lines, name: &str, shape: Shape, goal: f64) -> anyhow::Result<bool> {
    let lateness = Span::from_seconds(args.lateness);
    let mut rounds: Vec<(f64, Outcome, Outcome)> = Vec::new();
    for _ in 0..args.runs {
        let ours = ours::run(shape, lateness)?;
        let peer = if args.alone { ours } else { peer::run(shape)? };
        rounds.push((peer.ns() / ours.ns(), ours, peer));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, ours, peer) = rounds[rounds.len() / 2];
    let (low, high) = (rounds[0].0, rounds[rounds.len() - 1].0);
    anstream::println!(
        "{name}: {:.0} ns (RSigma {:.0}), ratio {ratio:.1} ({low:.1}-{high:.1}, must {goal}); \
         {:.0} bytes a key (RSigma {:.0}); replay {:.0}/s; alerts {} and {}, keys {} and {}",
        ours.ns(),
        peer.ns(),
        ours.bytes_a_key(),
        peer.bytes_a_key(),
        ours.replayed(),
        ours.alerts,
        peer.alerts,
        ours.keys,
        peer.keys,
    );
    let small = shape.kind != Kind::EventCount || ours.bytes_a_key() <= BYTES;
    // RSigma tells whole seconds apart: of two events in one second either may be the first for it.
    let same = match shape.kind {
        Kind::TemporalOrdered => peer.alerts.abs_diff(ours.alerts) * 1_000 <= ours.alerts,
        _ => peer.alerts == ours.alerts,
    };
    Ok(same && small && ours.replayed() >= REPLAY && (args.alone || ratio >= goal))
}
