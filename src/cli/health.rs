//! `palisade health`: ask a running process whether it is alive or ready.

use std::path::PathBuf;

use anyhow::anyhow;

use super::Terminal;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  palisade health                        asks /livez at PALISADE_HTTP_LISTEN or 127.0.0.1:9600
  palisade health --ready -c palisade.yaml
  palisade health --address 127.0.0.1:9601

Exit status: 0 yes, 1 no or no answer; the answer of the process goes to standard output.";

/// Options of `health`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Ask `/readyz` instead of `/livez`.
    #[arg(long)]
    pub ready: bool,
    /// Address to ask.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "config")]
    pub address: Option<String>,
    /// Configuration file whose `http.listen` is asked.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Asks once.
///
/// # Errors
/// When the address cannot be used.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let _ = (args, terminal);
    Err(anyhow!("`health` is not available in this build"))
}
