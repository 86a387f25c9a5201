//! The cost of a record in instructions and heap allocations, which no other work on the machine moves.
//!
//! Callgrind counts every instruction of a whole `palisade replay`. Two runs over inputs of which one is
//! the beginning of the other differ by the records between alone: starting, loading rules and warming up
//! cancel out. The same program, rules and records give the same figure within a fraction of a percent.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde::Serialize;

mod callgrind;

use callgrind::Profile;

use crate::Places;
use crate::corpus::{self, RuleSet};
use crate::generate::{self, Mix, Options, Shape};

/// Instructions that a record of the azure set may cost.
///
/// RSigma 0.23 takes 222,000 and simd-json's tape alone 30,700. To be lowered as Palisade gets better, so
/// that no step back goes unseen.
const INSTRUCTIONS_MAX: f64 = 36_000.0;

/// Heap allocations that a record of the azure set may cost on average.
///
/// A record that matches nothing costs none; one in 250 fires, and its alert takes some hundreds.
const ALLOCATIONS_MAX: f64 = 4.0;

/// Records of the short run: enough that every kind has been seen and every buffer has grown.
const SHORT: u64 = 500;
/// Records of the long run.
const LONG: u64 = 2_500;

/// Functions that a profile shows.
const SHOWN: usize = 25;

/// Options of `gate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program that is measured: a release build of Palisade.
    #[arg(long, value_name = "PROGRAM")]
    palisade: PathBuf,
    /// How records stand in the input.
    #[arg(long, value_enum, default_value_t = Shape::Records)]
    shape: Shape,
    /// Shows where the instructions go, function by function.
    #[arg(long)]
    profile: bool,
    /// Writes the figures into this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    places: Places,
}

/// One figure and its limit.
#[derive(Debug, Serialize)]
struct Figure {
    name: &'static str,
    per_record: f64,
    limit: f64,
}

/// Measures, prints, and says whether all limits hold.
///
/// # Errors
/// When Valgrind is missing, or a run fails.
pub(crate) fn execute(args: &Args) -> anyhow::Result<bool> {
    let cache = args.places.cache()?;
    let rules = corpus::folder(RuleSet::Azure, &args.places.archive(), &cache)?;
    let work = tempfile::tempdir_in(&cache)?;
    let [short, long] = [SHORT, LONG].map(|records| {
        let input = work.path().join(format!("{records}.ndjson"));
        let options = Options::standard(records, args.shape, Mix::All);
        generate::write(&options, File::create(&input)?)?;
        profile(&args.palisade, &rules, &input)
    });
    let cost = long?.less(&short?);
    let records = LONG - SHORT;
    let figures = [
        ("instructions", cost.instructions(), INSTRUCTIONS_MAX),
        ("allocations", cost.allocations(), ALLOCATIONS_MAX),
    ]
    .map(|(name, count, limit)| Figure {
        name,
        per_record: each(count, records),
        limit,
    });
    if args.profile {
        print_profile(&cost, records);
    }
    for figure in &figures {
        let (style, verdict) = if figure.holds() {
            (crate::GREEN, "holds")
        } else {
            (crate::RED, "FAILS")
        };
        anstream::println!(
            "{:12} a record: {:12.1}, at most {:9.1}  {style}{verdict}{style:#}",
            figure.name,
            figure.per_record,
            figure.limit
        );
    }
    if let Some(path) = &args.json {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        serde_json::to_writer_pretty(file, &figures)?;
    }
    Ok(figures.iter().all(Figure::holds))
}

impl Figure {
    fn holds(&self) -> bool {
        self.per_record <= self.limit
    }
}

/// One run below Callgrind.
fn profile(palisade: &Path, rules: &Path, input: &Path) -> anyhow::Result<Profile> {
    let output = input.with_extension("callgrind");
    let mut option = std::ffi::OsString::from("--callgrind-out-file=");
    option.push(&output);
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(option)
        .arg(palisade)
        .args([
            "replay",
            "--pipeline",
            "none",
            "--logsource",
            "strict",
            "--format",
            "ndjson",
        ])
        .arg("--rules")
        .arg(rules)
        .arg(input)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .context("`valgrind` (Debian's package of that name) is needed")?;
    let errors = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "`palisade replay` below Callgrind: {}\n{errors}",
        done.status
    );
    let text = fs::read_to_string(&output).with_context(|| output.display().to_string())?;
    Profile::parse(&text).with_context(|| output.display().to_string())
}

fn print_profile(cost: &Profile, records: u64) {
    let total = cost.instructions();
    anstream::println!("{:>14}  {:>6}  function", "instructions", "share");
    for (name, count) in cost.by_function().into_iter().take(SHOWN) {
        let share = 100.0 * float(count) / float(total);
        anstream::println!("{:14.1}  {share:5.1}%  {name}", each(count, records));
    }
}

fn each(count: i64, records: u64) -> f64 {
    float(count) / float(i64::try_from(records).expect("few records"))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "runs are far shorter than 2^52 instructions"
)]
fn float(count: i64) -> f64 {
    count as f64
}
