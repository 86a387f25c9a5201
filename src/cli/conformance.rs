//! `palisade conformance`: run one case of the Sigma conformance suite.

use std::path::PathBuf;

use anyhow::anyhow;

use super::Terminal;
use crate::exit::Exit;

/// Options of `conformance`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with the rule files.
    pub rules: PathBuf,
    /// Events as NDJSON, one a line.
    pub events: PathBuf,
    /// JSON with `timestamp_field`, `pipelines` and `logsources`.
    pub config: PathBuf,
}

/// Prints what fired, as NDJSON.
///
/// # Errors
/// When a file cannot be read.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let _ = (args, terminal);
    Err(anyhow!("`conformance` is not available in this build"))
}
