//! The lines: Palisade beside its peers, whole commands in turn on the same bytes, held against goals.
//!
//! A line counts only where the alerts agree: a fast engine that finds less is no faster engine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

mod alerts;
mod comparison;
mod goals;
mod peers;
mod table;

use comparison::{COMPARISONS, Comparison, Measured};
use goals::Line;
use peers::Programs;

use crate::corpus;
use crate::generate::{self, Mix, Options, Shape};
use crate::machine::Machine;

/// Options of `lines`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program that is measured: a release build of Palisade.
    #[arg(long, value_name = "PROGRAM")]
    palisade: PathBuf,
    /// Only these lines, such as `G1,G3`.
    #[arg(long, value_delimiter = ',', value_name = "LINE")]
    only: Vec<String>,
    /// Measured runs of each command, after one that warms the machine.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Records of each input.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..))]
    records: u64,
    /// The processor that all commands run on.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pin: usize,
    /// Writes everything that was measured into this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// An `rsigma` 0.23.0 that is built already.
    #[arg(long, value_name = "PROGRAM")]
    rsigma: Option<PathBuf>,
    #[command(flatten)]
    places: crate::Places,
}

/// Everything that was measured, for machines.
#[derive(Debug, Serialize)]
struct Report<'a> {
    machine: &'a Machine,
    program: String,
    runs: u16,
    records: u64,
    comparisons: &'a [Measured],
    lines: &'a [Line],
}

/// Measures, prints tables, and says whether every line that was measured reaches what it must.
///
/// # Errors
/// When a peer cannot be built, or a command fails.
pub(crate) fn execute(args: &Args) -> anyhow::Result<bool> {
    let cache = args.places.cache()?;
    let programs = Programs::find(args.palisade.clone(), args.rsigma.clone(), &cache)?;
    let machine = Machine::now();
    anstream::println!("{machine}\n{}\n", programs.version);
    let mut measured = Vec::new();
    for comparison in COMPARISONS {
        if !args.only.is_empty()
            && !comparison
                .lines
                .iter()
                .any(|line| args.only.iter().any(|only| only == line))
        {
            continue;
        }
        let one = compare(args, comparison, &programs, &cache)
            .with_context(|| comparison.title.to_owned())?;
        table::print_comparison(&one);
        measured.push(one);
    }
    let lines = goals::judge(&measured, &args.only);
    table::print_lines(&lines);
    if let Some(path) = &args.json {
        let report = Report {
            machine: &machine,
            program: programs.version.clone(),
            runs: args.runs,
            records: args.records,
            comparisons: &measured,
            lines: &lines,
        };
        let file = File::create(path).with_context(|| path.display().to_string())?;
        serde_json::to_writer_pretty(file, &report)?;
    }
    Ok(lines.iter().all(Line::passes))
}

fn compare(
    args: &Args,
    comparison: &Comparison,
    programs: &Programs,
    cache: &Path,
) -> anyhow::Result<Measured> {
    let input = input(args.records, comparison.shape, comparison.mix, cache)?;
    let empty = cache.join("empty.ndjson");
    fs::write(&empty, b"")?;
    let outputs = tempfile::tempdir_in(cache)?;
    let mut measured = Measured::new(comparison, args.records, &input)?;
    let mut commands = Vec::new();
    for engine in comparison.engines {
        let rules = corpus::folder(engine.rules(), &args.places.archive(), cache)?;
        let command = |file: &Path| programs.command(*engine, &rules, file);
        let pin = engine.is_pinned().then_some(args.pin);
        commands.push((pin, command(&empty), command(&input)));
    }
    // In turn, so that all of them see the same machine; the first round only warms it.
    for round in 0..=args.runs {
        for (number, (pin, on_nothing, on_input)) in commands.iter().enumerate() {
            let output = outputs.path().join(number.to_string());
            let load = crate::measure::measure(on_nothing, *pin, &output)?;
            let whole = crate::measure::measure(on_input, *pin, &output)?;
            if round > 0 {
                measured.engines[number].push(load, whole);
            }
        }
    }
    for (number, engine) in comparison.engines.iter().enumerate() {
        let output = outputs.path().join(number.to_string());
        measured.engines[number].alerts = alerts::count(*engine, &output)?;
    }
    agree(args, comparison, programs, &input, &mut measured)?;
    Ok(measured)
}

/// Holds Palisade's alerts against RSigma's, rule by rule and record by record.
fn agree(
    args: &Args,
    comparison: &Comparison,
    programs: &Programs,
    input: &Path,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let Some(routed) = comparison.peer_routes() else {
        return Ok(());
    };
    let cache = args.places.cache()?;
    let output = tempfile::NamedTempFile::new_in(&cache)?;
    let ours = comparison.ours();
    let rules = corpus::folder(ours.rules(), &args.places.archive(), &cache)?;
    crate::measure::measure(&programs.command(ours, &rules, input), None, output.path())?;
    let own = alerts::of_palisade(output.path())?;
    crate::measure::measure(&programs.pairs(routed, &rules, input), None, output.path())?;
    let theirs = alerts::of_pairs(output.path())?;
    measured.disagreements = alerts::differences(&own, &theirs);
    measured.pairs = Some([alerts::distinct(&own), alerts::distinct(&theirs)]);
    Ok(())
}

/// The generated file, made once.
fn input(records: u64, shape: Shape, mix: Mix, cache: &Path) -> anyhow::Result<PathBuf> {
    let name = format!("{shape:?}-{mix:?}-{records}.ndjson").to_lowercase();
    let path = cache.join(name);
    if !path.exists() {
        let mut aside = tempfile::NamedTempFile::new_in(cache)?;
        generate::write(&Options::standard(records, shape, mix), aside.as_file_mut())?;
        aside.persist(&path)?;
    }
    Ok(path)
}
