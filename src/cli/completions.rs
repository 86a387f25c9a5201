//! `palisade completions`: scripts that complete the command line.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  palisade completions bash > ~/.local/share/bash-completion/completions/palisade
  palisade completions zsh > ~/.zfunc/_palisade
  palisade completions fish > ~/.config/fish/completions/palisade.fish";

/// Options of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell.
    pub shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When standard output is gone.
pub fn execute(args: &Args) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "palisade", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Exit::Ok)
}
