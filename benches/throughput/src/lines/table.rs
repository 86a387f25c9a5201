//! Tables for people: colours on a terminal, none elsewhere.

use anstyle::{AnsiColor, Style};

use super::comparison::{Measured, Runs};
use super::goals::{Line, Verdict};
use crate::measure::Spread;
use crate::{GREEN, RED};

/// Rules that differ and are named one by one.
const DIFFERENCES_SHOWN: usize = 40;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const YELLOW: Style = AnsiColor::Yellow.on_default();

/// One comparison: a row an engine.
pub(super) fn print_comparison(measured: &Measured) {
    let megabytes = float(measured.bytes) / 1e6;
    anstream::println!(
        "{BOLD}{}{BOLD:#}  {DIM}{} records, {megabytes:.1} MB, sha256 {}…{DIM:#}",
        measured.title,
        measured.records,
        measured.input.get(..8).unwrap_or_default()
    );
    anstream::println!(
        "{DIM}  {:28} {:>8} {:>15} {:>7} {:>10} {:>7} {:>9} {:>7}  ours is faster by{DIM:#}",
        "",
        "CPU s",
        "lowest-highest",
        "load s",
        "records/s",
        "MB/s",
        "peak MiB",
        "alerts"
    );
    let ours = &measured.engines[0];
    for runs in &measured.engines {
        let net = runs.net();
        let range = format!("{:.3}-{:.3}", net.lowest, net.highest);
        let alerts = runs
            .alerts
            .map_or_else(String::new, |count| count.to_string());
        anstream::println!(
            "  {:28} {:8.3} {range:>15} {:7.2} {:10.0} {:7.1} {:9.1} {alerts:>7}  {}{}",
            runs.name,
            net.middle,
            runs.load().middle,
            float(measured.records) / net.middle,
            megabytes / net.middle,
            runs.peak().middle,
            ratio(runs.times(ours)),
            hidden(runs, net),
        );
    }
    if let Some([ours, theirs]) = measured.pairs {
        let (style, word) = if measured.disagreements.is_empty() {
            (GREEN, "agree")
        } else {
            (RED, "differ")
        };
        anstream::println!(
            "  pairs of rule and record: {ours} ours, {theirs} RSigma's; {style}they {word}{style:#}"
        );
    }
    for one in measured.disagreements.iter().take(DIFFERENCES_SHOWN) {
        let (style, why) = one
            .requirement
            .map_or((RED, "unexplained"), |why| (YELLOW, why));
        anstream::println!(
            "    {} only ours {}, only RSigma's {}, both {}; such as line {} element {}: {style}{why}{style:#}",
            one.rule,
            one.only_ours,
            one.only_theirs,
            one.both,
            one.example.0 + 1,
            one.example.1
        );
    }
    let more = measured
        .disagreements
        .len()
        .saturating_sub(DIFFERENCES_SHOWN);
    if more > 0 {
        anstream::println!("    and {more} more rules");
    }
    anstream::println!();
}

/// All lines, held against their goals.
pub(super) fn print_lines(lines: &[Line]) {
    anstream::println!(
        "{DIM}{:5} {:56} {:>9} {:>19} {:>8} {:>8}{DIM:#}",
        "line",
        "",
        "middle",
        "lowest-highest",
        "must",
        "aim"
    );
    for line in lines {
        let (style, word) = match line.verdict {
            Verdict::Aim => (GREEN, "aim reached"),
            Verdict::Must => (YELLOW, "must reached"),
            Verdict::Fail => (RED, "FAILS"),
            Verdict::AlertsDiffer => (RED, "does not count: alerts differ"),
        };
        let Spread {
            lowest,
            middle,
            highest,
        } = line.figure;
        let range = format!("{lowest:.2}-{highest:.2}");
        anstream::println!(
            "{BOLD}{:5}{BOLD:#} {:56} {middle:9.2} {range:>19} {:8} {:8} {:3} {style}{word}{style:#}",
            line.id,
            line.title,
            line.must,
            line.aim,
            line.unit
        );
    }
}

fn ratio(
    Spread {
        lowest,
        middle,
        highest,
    }: Spread,
) -> String {
    format!("{middle:6.2} ({lowest:.2}-{highest:.2})")
}

/// Loading that takes longer than the work hides the work's differences.
fn hidden(runs: &Runs, net: Spread) -> &'static str {
    if net.middle < runs.load().middle / 2.0 {
        "  loading hides it: take more records"
    } else {
        ""
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "inputs are far below 2^52 bytes"
)]
fn float(number: u64) -> f64 {
    number as f64
}
