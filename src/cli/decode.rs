//! `palisade decode`: show the events in files or at the end of a live source.

use std::path::PathBuf;

use anyhow::anyhow;

use super::{TableOrNdjson, Terminal};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  palisade decode signin.json                 one line per event
  palisade decode --format table samples/     log type, log source and time at a glance
  zcat old.gz | palisade decode -
  palisade decode -c palisade.yaml --source hub --last 20
                                              newest records of a live source; joins no group and
                                              commits nothing

Exit status: 1 if something could not be decoded.";

/// Options of `decode`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// How to print events and rejects.
    #[arg(long, default_value = "ndjson")]
    pub format: TableOrNdjson,
    /// Configuration file that names the live source.
    #[arg(short = 'c', long = "config", value_name = "FILE", requires = "source")]
    pub config: Option<PathBuf>,
    /// Live source to look at, by its name in the configuration.
    #[arg(
        long,
        value_name = "NAME",
        requires = "config",
        conflicts_with = "inputs"
    )]
    pub source: Option<String>,
    /// How many of the newest records of the live source.
    #[arg(long, value_name = "N", default_value_t = 20, requires = "source")]
    pub last: u32,
    /// Files, folders (recursive), or `-` for standard input.
    #[arg(value_name = "FILE|DIR|-", required_unless_present = "source")]
    pub inputs: Vec<PathBuf>,
}

/// Decodes the inputs in the order given.
///
/// # Errors
/// When an input cannot be read.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let _ = (args, terminal);
    Err(anyhow!("`decode` is not available in this build"))
}
