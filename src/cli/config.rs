//! `palisade config`: show the effective configuration.

use std::io::Write as _;

use super::{ConfigFile, Terminal, TextOrJson};
use crate::config::show;
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
/// When the configuration cannot be used, or standard output is gone.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let Command::Show(args) = &args.command;
    let loaded = super::load_config(&args.config.config, terminal)?;
    let mut out = std::io::stdout().lock();
    match args.format {
        TextOrJson::Text => out.write_all(show::text(&loaded.entries).as_bytes())?,
        TextOrJson::Json => writeln!(out, "{:#}", show::json(&loaded.entries))?,
    }
    Ok(Exit::Ok)
}
