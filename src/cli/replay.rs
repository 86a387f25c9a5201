//! `palisade replay`: judge recorded logs and print the alerts.

use std::path::PathBuf;

use anyhow::anyhow;
use palisade_detect::logsource::Routing;

use super::{PrettyOrNdjson, Terminal};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  palisade replay --rules detections samples/
  palisade replay --rules detections --rules sigma/rules/cloud/azure signin.json.gz
  kubectl logs my-pod | palisade replay --rules rules/ --format pretty -

Alerts go to standard output, one canonical alert a line; summary and progress go to standard error.
The exit status is 0 also when nothing fires. Event times are taken as they are: a correlation's
window stays open until the input ends, or with --lateness follows the newest event.";

/// Options of `replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Rule file or folder; may be given several times.
    #[arg(long = "rules", value_name = "PATH", required = true)]
    pub rules: Vec<PathBuf>,
    /// How to print alerts [default: ndjson].
    #[arg(long)]
    pub format: Option<PrettyOrNdjson>,
    /// How a rule's log source is held against an event's.
    #[arg(long, default_value = "strict", value_name = "HOW")]
    pub logsource: LogsourceMode,
    /// Processing pipeline on top of the built-in field map; `none` switches the built-in one off.
    #[arg(long = "pipeline", value_name = "FILE|none")]
    pub pipelines: Vec<PathBuf>,
    /// Alert also while a correlation that fired would stay silent for its group.
    #[arg(long)]
    pub no_suppress: bool,
    /// Let the watermark follow the newest event time less this, such as `2m` [default: stands
    /// still until the input ends].
    #[arg(long, value_name = "SPAN")]
    pub lateness: Option<String>,
    /// Files, folders (recursive: .json .ndjson .jsonl .log, also .gz .zst), or `-`.
    #[arg(value_name = "FILE|DIR|-", required = true)]
    pub inputs: Vec<PathBuf>,
}

/// How a rule's log source is held against an event's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogsourceMode {
    /// Every part that the rule names must be there and equal.
    Strict,
    /// Only a part that differs keeps a rule away.
    Lenient,
    /// Every rule judges every event.
    Any,
}

impl From<LogsourceMode> for Routing {
    fn from(mode: LogsourceMode) -> Self {
        match mode {
            LogsourceMode::Strict => Self::Strict,
            LogsourceMode::Lenient => Self::Lenient,
            LogsourceMode::Any => Self::Any,
        }
    }
}

/// Replays the inputs in the order given.
///
/// # Errors
/// When an input cannot be read or no rule can be.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let _ = (args, terminal);
    Err(anyhow!("`replay` is not available in this build"))
}
