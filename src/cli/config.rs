//! `palisade config`: show the effective configuration.

use anyhow::anyhow;

use super::{ConfigFile, Terminal, TextOrJson};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  palisade config show -c palisade.yaml
  palisade config show -c palisade.yaml --format json

Secrets are masked. Each value says where it comes from: file:line:column, default, or environment.";

/// Options of `config`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with the configuration.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print every option with its value and where the value comes from.
    Show(ShowArgs),
}

/// Options of `config show`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigFile,
    /// How to print it.
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
}

/// Prints the effective configuration.
///
/// # Errors
/// When standard output is gone.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let _ = (args, terminal);
    Err(anyhow!("`config` is not available in this build"))
}
