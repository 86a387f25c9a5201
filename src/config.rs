//! The configuration: one YAML file and the environment, read strictly, every problem at once.
//!
//! [`options`] is the table of all options, from which keys are checked, defaults are taken and
//! `docs/configuration.md` is written. [`load`] reads; what it returns is typed and complete: nothing
//! after it parses text, and paths are absolute or relative to the working directory.

use std::net::SocketAddr;
use std::path::PathBuf;

use palisade_detect::diagnostic::Code;
use palisade_detect::time::Span;

pub mod options;
pub mod value;
pub mod reader;
pub mod secret;
pub mod client;
pub mod rules;
pub mod source;
pub mod sink;
pub mod check;
pub mod snapshot;
pub mod process;
pub mod load;
pub mod show;

pub use check::CheckLevel;
pub use client::{KafkaClient, Mechanism, Sasl, Tls};
pub use rules::{OnRuleError, RulePath, Rules};
pub use sink::{Sink, SinkKind, StdoutFormat};
pub use snapshot::Snapshots;
pub use source::{Source, SourceKind, Start};

/// Everything the configuration says, validated.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which rules are loaded.
    pub rules: Rules,
    /// Which processing pipelines apply.
    pub pipelines: Pipelines,
    /// When the rules are loaded again.
    pub reload: Reload,
    /// The state directory and its limits.
    pub state: State,
    /// Where the state of correlations is kept, and how often it is taken.
    pub snapshots: Snapshots,
    /// Where records come from; names are unique.
    pub sources: Vec<Source>,
    /// Where alerts go; names are unique.
    pub sinks: Vec<Sink>,
    /// Address of metrics and health.
    pub http_listen: SocketAddr,
    /// When dead letters stop the line.
    pub breaker: Breaker,
    /// Allowed lateness of all log types; `None`: each log type's own.
    pub lateness: Option<Span>,
    /// The process's own log.
    pub log: LogOptions,
    /// What `check` makes of the findings of some codes; the last one of a code holds.
    pub check_levels: Vec<(Code, CheckLevel)>,
}

/// `pipelines:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipelines {
    /// Whether the built-in field map applies.
    pub default: bool,
    /// Further pipeline files.
    pub files: Vec<PathBuf>,
}

/// `reload:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reload {
    /// Whether file events are followed.
    pub events: bool,
    /// How often the files are looked at; `None`: never.
    pub poll: Option<Span>,
}

/// `state:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The directory.
    pub dir: PathBuf,
    /// How long delivered alerts stay.
    pub retention_alerts: Span,
    /// How long dead letters stay.
    pub retention_dead: Span,
    /// Size of the log at which it is trimmed early, then sources pause.
    pub max_bytes: u64,
}

/// `dead_letters.breaker:`.
#[derive(Debug, Clone, PartialEq)]
pub struct Breaker {
    /// Share of records within `window` that may be parked for one reason, from 0 to 1.
    pub share: f64,
    /// The window.
    pub window: Span,
    /// Fewest records in the window for the share to count.
    pub records_min: u64,
}

/// `log:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// How lines look.
    pub format: LogFormat,
    /// Least severe level that is logged, or directives such as `info,rdkafka=warn`.
    pub level: String,
}

/// `log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests;
