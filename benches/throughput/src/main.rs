//! Palisade's throughput against its peers on the same bytes, and its cost a record.
//!
//! `lines` prints the figures by which the hot path is judged; `gate` holds what noise cannot move against
//! limits; `generate` and `rules` make what both work on. `benches/README.md` records the results.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

mod generate;
mod corpus;
mod machine;
mod measure;
mod replay;
mod lines;
mod gate;
mod limits;

use anstyle::{AnsiColor, Style};

/// What is as it should be, on a terminal.
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
/// What is not.
pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();

#[derive(clap::Parser)]
#[command(about)]
enum Command {
    /// Measures Palisade beside its peers and holds each line against its goals.
    Lines(lines::Args),
    /// Counts instructions and allocations of a record below Valgrind, and holds them against limits.
    Gate(gate::Args),
    /// Measures hostile input and many rules, and holds them against limits.
    Limits(limits::Args),
    /// Shows where the instructions of a record go, function by function, below Valgrind.
    Profile(gate::ProfileArgs),
    /// Writes generated records to standard output.
    Generate(generate::Options),
    /// One measured command; `lines` starts these.
    #[command(hide = true)]
    Child(measure::Child),
}

/// Where things are taken from and kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Places {
    /// SigmaHQ's rules, `sigmahq-rules.tar.xz` [default: beside the repository, in `shared/sigma`].
    #[arg(long, env = "PALISADE_BENCH_ARCHIVE", value_name = "FILE")]
    archive: Option<PathBuf>,
    /// Where inputs, rule sets and built peers are kept [default: ~/.cache/palisade/bench].
    #[arg(long, env = "PALISADE_BENCH_CACHE", value_name = "FOLDER")]
    cache: Option<PathBuf>,
}

impl Places {
    pub(crate) fn archive(&self) -> PathBuf {
        let beside = || {
            let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            repository.join("../shared/sigma/sigmahq-rules.tar.xz")
        };
        self.archive.clone().unwrap_or_else(beside)
    }

    /// The cache's folder, which is there afterwards.
    pub(crate) fn cache(&self) -> anyhow::Result<PathBuf> {
        let cache = match &self.cache {
            Some(cache) => cache.clone(),
            None => std::env::home_dir()
                .context("no home folder; use `--cache`")?
                .join(".cache/palisade/bench"),
        };
        std::fs::create_dir_all(&cache).with_context(|| cache.display().to_string())?;
        Ok(cache)
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let passes = match Command::parse() {
        Command::Lines(args) => lines::execute(&args)?,
        Command::Gate(args) => gate::execute(&args)?,
        Command::Limits(args) => limits::execute(&args)?,
        Command::Profile(args) => {
            gate::profile(&args)?;
            true
        }
        Command::Generate(options) => {
            generate::write(&options, io::stdout().lock())?;
            true
        }
        Command::Child(args) => {
            measure::child(&args)?;
            true
        }
    };
    Ok(if passes {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
