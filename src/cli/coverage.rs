//! `palisade coverage`: which techniques of ATT&CK the rules cover.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use palisade_detect::engine::EngineOptions;

use super::{Terminal, load_config};
use crate::clock::Clock;
use crate::config::{Pipelines, Rules};
use crate::coverage::{Coverage, html, navigator, table};
use crate::exit::Exit;
use crate::rules;

const EXAMPLES: &str = "\
Examples:
  palisade coverage --rules detections                           tactics, techniques, log sources
  palisade coverage -c palisade.yaml --format html > coverage.html
  palisade coverage --rules detections --format navigator > layer.json

A rule counts when it raises alerts of its own; its tags say what it covers. The layer opens in the
ATT&CK Navigator; the page needs neither network nor scripts. Exit status: 1 if a rule does not load.";

/// Options of `coverage`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Rule file or folder; may be given several times.
    #[arg(long = "rules", value_name = "PATH", conflicts_with = "config")]
    pub rules: Vec<PathBuf>,
    /// Configuration file that names the rules.
    ///
    /// Without it and without --rules: `palisade.yaml`.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to print it.
    #[arg(long, default_value = "table")]
    pub format: Format,
}

/// Forms of coverage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tactics and techniques with the number of rules by log source.
    Table,
    /// A layer for the ATT&CK Navigator (layer format 4.5).
    Navigator,
    /// A page with the matrix.
    Html,
}

/// Prints what the rules cover.
///
/// # Errors
/// When no rule can be loaded or standard output is gone.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let (rules, pipelines) = if args.rules.is_empty() {
        let file = args.config.clone();
        let file = file.unwrap_or_else(|| PathBuf::from("palisade.yaml"));
        let config = load_config(&file, terminal)?.config;
        (config.rules, config.pipelines)
    } else {
        (Rules::of_paths(&args.rules), Pipelines::built_in())
    };
    let now = Clock::start().now();
    let loaded = rules::load(&rules, &pipelines, EngineOptions::default(), now);
    let errors = loaded.findings.errors();
    let findings = loaded.findings.render(terminal.stderr);
    io::stderr().write_all(findings.as_bytes())?;
    let engine = loaded.engine.context("no rule could be loaded")?;
    let coverage = Coverage::of(&engine);
    let text = match args.format {
        Format::Table => table::table(&coverage, terminal.stdout),
        Format::Navigator => format!("{:#}\n", navigator::layer(&coverage)),
        Format::Html => html::page(&coverage),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(if errors == 0 {
        Exit::Ok
    } else {
        Exit::Problems
    })
}
