//! `palisade demo`: a recorded attack through every stage.

use anyhow::anyhow;

use super::Terminal;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  palisade demo
  palisade demo --color always | less -R

Needs nothing but the program itself; the state lives in a temporary directory and goes with it.";

/// Options of `demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {}

/// Plays the attack and ends by itself.
///
/// # Errors
/// When a stage fails, which is a defect.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let _ = (args, terminal);
    Err(anyhow!("`demo` is not available in this build"))
}
