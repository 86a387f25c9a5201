//! `palisade alerts`: read the alerts log, also beside a running process.

use anyhow::anyhow;

use super::{ConfigFile, PrettyOrNdjson, TableOrNdjson, Terminal};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  palisade alerts list -c palisade.yaml
  palisade alerts list -c palisade.yaml --last 1000 --format ndjson | jq .rule.title
  palisade alerts show -c palisade.yaml 6f1c…       an id or its unique beginning";

/// Options of `alerts`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with the alerts log.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the newest alerts, oldest of them first.
    List(ListArgs),
    /// Show one alert with its evidence.
    Show(ShowArgs),
}

/// Options of `alerts list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Which configuration, for its state directory.
    #[command(flatten)]
    pub config: ConfigFile,
    /// How many of the newest alerts.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub last: u32,
    /// How to print them.
    #[arg(long, default_value = "table")]
    pub format: TableOrNdjson,
}

/// Options of `alerts show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Which configuration, for its state directory.
    #[command(flatten)]
    pub config: ConfigFile,
    /// The alert's id, or the beginning of it if no other begins so.
    #[arg(value_name = "ID")]
    pub id: String,
    /// How to print it.
    #[arg(long, default_value = "pretty")]
    pub format: PrettyOrNdjson,
}

/// Lists or shows.
///
/// # Errors
/// When the log cannot be read or holds no such alert.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let _ = (args, terminal);
    Err(anyhow!("`alerts` is not available in this build"))
}
