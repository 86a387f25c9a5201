//! One command, measured: processor time, peak memory, wall time.
//!
//! The command runs below a small process of its own (this program once more), whose only child it is.
//! What that process is told about its children is then about this command alone, and the peak memory
//! does not begin at the size of the runner, which a child of the runner would inherit.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// Bytes of a failed command's errors that are shown.
const ERRORS_SHOWN: usize = 2_000;

/// What one run of a command took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Processor time, user and system, in seconds.
    pub(crate) cpu_s: f64,
    /// From start to exit, in seconds.
    pub(crate) wall_s: f64,
    /// Highest resident memory, in MiB.
    pub(crate) peak_mib: f64,
}

/// A command and its arguments.
pub(crate) type Argv = Vec<String>;

/// Runs `command` on processor `pin`, if one is given; its standard output goes to `output`.
///
/// # Errors
/// When it cannot be run or does not succeed.
pub(crate) fn measure(command: &Argv, pin: Option<usize>, output: &Path) -> anyhow::Result<Usage> {
    let name = || format!("`{}`", command.join(" "));
    let mut errors = tempfile::tempfile()?;
    let mut child = Command::new(std::env::current_exe()?);
    child.arg("child").arg("--output").arg(output);
    if let Some(pin) = pin {
        child.arg("--pin").arg(pin.to_string());
    }
    let done = child
        .arg("--")
        .args(command)
        .stdin(Stdio::null())
        .stderr(errors.try_clone()?)
        .output()
        .with_context(name)?;
    if !done.status.success() {
        errors.rewind()?;
        let mut bytes = Vec::new();
        errors.take(1 << 20).read_to_end(&mut bytes)?;
        let last = &bytes[bytes.len().saturating_sub(ERRORS_SHOWN)..];
        anyhow::bail!("{} failed:\n{}", name(), String::from_utf8_lossy(last));
    }
    serde_json::from_slice(&done.stdout).with_context(name)
}

/// The process between: runs `command` and prints its [`Usage`].
#[derive(Debug, clap::Args)]
pub(crate) struct Child {
    /// Where the command's standard output goes.
    #[arg(long)]
    output: std::path::PathBuf,
    /// The processor it runs on.
    #[arg(long)]
    pin: Option<usize>,
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// Runs the command and prints what it took.
///
/// # Errors
/// When it cannot be run or does not succeed.
pub(crate) fn child(args: &Child) -> anyhow::Result<()> {
    if let Some(pin) = args.pin {
        stay_on(pin)?;
    }
    let (program, arguments) = args.command.split_first().context("no command")?;
    let output = File::create(&args.output)?;
    let begin = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdout(output)
        .status()?;
    let wall_s = begin.elapsed().as_secs_f64();
    ensure!(status.success(), "exit status: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let usage = Usage {
        cpu_s: float(microseconds) / 1e6,
        wall_s,
        peak_mib: float(usage.max_rss()) / 1024.0,
    };
    anstream::println!("{}", serde_json::to_string(&usage)?);
    Ok(())
}

/// Keeps this process, and those it starts, on processor `number`.
///
/// # Errors
/// When there is none of that number.
pub(crate) fn stay_on(number: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(number)?;
    sched_setaffinity(Pid::from_raw(0), &set)
        .with_context(|| format!("cannot run on processor {number}"))
}

/// Microseconds and KiB as figures.
#[expect(
    clippy::cast_precision_loss,
    reason = "runs last minutes and take gigabytes at most"
)]
fn float(number: i64) -> f64 {
    number as f64
}

/// Lowest, middle and highest of repeated figures.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) lowest: f64,
    pub(crate) middle: f64,
    pub(crate) highest: f64,
}

impl Spread {
    /// Of figures of which there is at least one.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let last = figures.len() - 1;
        Self {
            lowest: figures[0],
            middle: f64::midpoint(figures[last / 2], figures[last.div_ceil(2)]),
            highest: figures[last],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between() {
        let spread = Spread::of([4.0, 1.0, 2.0, 9.0]);
        assert_eq!(
            [spread.lowest, spread.middle, spread.highest].map(|x| x.to_string()),
            ["1", "3", "9"]
        );
    }
}
