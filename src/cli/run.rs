//! `palisade run`: judge live logs and deliver alerts until SIGTERM.

use anyhow::anyhow;

use super::{ConfigFile, Terminal};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  palisade run -c palisade.yaml
  PALISADE_HTTP_LISTEN=0.0.0.0:9600 palisade run -c /etc/palisade/palisade.yaml

SIGTERM or Ctrl-C drains and exits 0; a second one exits at once. A second process on the same state
directory exits 75 and says who holds it.";

/// Options of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigFile,
}

/// Runs until a signal or the end of all inputs.
///
/// # Errors
/// When the configuration cannot be used or a promise can no longer be kept.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let _ = (args, terminal);
    Err(anyhow!("`run` is not available in this build"))
}
