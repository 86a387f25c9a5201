//! `palisade check`: judge configuration and rules without connecting to anything.

use std::path::PathBuf;

use anyhow::anyhow;

use super::{Terminal, TextOrJson};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  palisade check -c palisade.yaml        configuration and the rules it names
  palisade check detections/ my-rule.yml rules alone
  palisade check -c palisade.yaml --format json

Exit status: 0 nothing wrong (warnings may be shown), 1 a rule or pipeline does not load, 2 the
configuration cannot be used.";

/// Options of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Configuration file to judge with the rules it names.
    ///
    /// Without it and without PATHs: `palisade.yaml`.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Rule files or folders to judge.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Processing pipeline on top of the built-in field map; `none` switches the built-in one off.
    #[arg(long = "pipeline", value_name = "FILE|none")]
    pub pipelines: Vec<PathBuf>,
    /// How to print the findings.
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
}

/// Prints everything that is wrong.
///
/// # Errors
/// When nothing can be judged.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let _ = (args, terminal);
    Err(anyhow!("`check` is not available in this build"))
}
