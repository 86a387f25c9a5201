//! From a validated configuration and compiled rules to the parts of a topology.

use std::sync::Arc;
use std::time::Duration;

use palisade_detect::correlation::{CorrelationDef, KEY_PARTITIONS};
use palisade_detect::diagnostic::Color;
use palisade_detect::engine::{Clamp, Engine};
use palisade_detect::time::Span;
use palisade_ingest::decode::Hints;
use palisade_ingest::source::Source;
use palisade_ingest::source::file::{FileConfig, FileSource};
use palisade_ingest::source::kafka::KafkaSource;
use palisade_sinks::file::{FileConfig as FileSinkConfig, FileSink};
use palisade_sinks::kafka::KafkaSink;
use palisade_sinks::sink::Sink;
use palisade_sinks::stdout::{Format, StdoutSink};

use super::breaker;
use super::delivery::cursor_name;
use super::fold::Suppression;
use super::intake::{StateAge, part};
use super::judge::Traits;
use super::snapshots::{LAST_ROUND, SnapshotPlan};
use super::stage::SourceTraits;
use super::{Parts, Site};
use crate::config::{self, Config, SinkKind, SourceKind, StdoutFormat};
use crate::exit::Exit;
use crate::log::Log;
use crate::log::sqlite::{Deployment, Options, Retention, SqliteLog, StateError};

mod kafka;

/// How the log of one process is kept.
const MODE: &str = "single";

/// Prefix of the facts that a first start leaves.
const DEPLOYMENT: &str = "deployment/";

/// What standard output is, for a sink that decides by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdout {
    /// A person reads it, in these colours.
    Terminal(Color),
    /// A program reads it.
    Pipe,
}

/// Opens the state and makes every part; nothing connects yet.
///
/// # Errors
/// When the state cannot be used: it is held, damaged, or was written for another configuration.
pub async fn build(
    config: &Config,
    engine: Engine,
    stdout: Stdout,
    site: Site,
) -> Result<Parts, StateError> {
    let options = Options {
        retention: retention(&config.state, engine.correlations()),
        alert_readers: config
            .sinks
            .iter()
            .map(|sink| cursor_name(&sink.name))
            .collect(),
        ..Options::new(site.clock)
    };
    let log = SqliteLog::open(&config.state.dir, options)?;
    let first = log.facts(DEPLOYMENT).await?.is_empty();
    let tenants = config
        .sources
        .iter()
        .map(|source| (source.name.clone(), source.tenant.clone()));
    let deployment = Deployment {
        mode: MODE,
        key_partitions: KEY_PARTITIONS,
        tenants: tenants.collect(),
    };
    deployment.verify(&log).await?;
    for source in &config.sources {
        site.health
            .not_ready(&part(&source.name), "not connected yet");
    }
    Ok(Parts {
        engine: Arc::new(engine),
        reload: None,
        suppression: Suppression::AsWritten,
        breaker: breaker::Limits {
            share: config.breaker.share,
            window: duration(config.breaker.window),
            records_min: config.breaker.records_min,
        },
        lateness: config.lateness,
        snapshots: Some(SnapshotPlan {
            place: config.snapshots.place.clone(),
            interval: duration(config.snapshots.interval),
            keep: config.snapshots.keep,
            last_round: LAST_ROUND,
        }),
        traits: Arc::new(traits(config)),
        sources: config.sources.iter().map(source).collect(),
        log: Arc::new(log),
        sinks: config
            .sinks
            .iter()
            .map(|sink| (sink.name.clone(), make_sink(sink, stdout)))
            .collect(),
        state: if first { StateAge::New } else { StateAge::Kept },
        site,
    })
}

/// The exit status of a state that cannot be used.
pub fn exit(error: &StateError) -> Exit {
    match error {
        StateError::Held { .. } => Exit::Held,
        StateError::Gap { .. } | StateError::Read(_) => Exit::StateGap,
        StateError::Version { .. } | StateError::Deployment { .. } => Exit::StateConflict,
        StateError::Append(error) => super::shutdown::of_append(error),
        StateError::Database(error) if is_damaged(error) => Exit::StateGap,
        StateError::NetworkShare { .. }
        | StateError::LocksLie { .. }
        | StateError::NoWal { .. }
        | StateError::Io { .. }
        | StateError::Database(_) => Exit::Problems,
    }
}

/// Whether SQLite says that the file is not, or no longer, what it has written.
fn is_damaged(error: &rusqlite::Error) -> bool {
    // A row whose checksum does not hold is said in this form.
    if matches!(error, rusqlite::Error::FromSqlConversionFailure(..)) {
        return true;
    }
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
    )
}

/// How long rows stay: matches for as long as the longest correlation can need them.
fn retention(state: &config::State, correlations: &[Arc<CorrelationDef>]) -> Retention {
    let longest = correlations
        .iter()
        .map(|def| def.timespan)
        .max()
        .unwrap_or(Span::ZERO);
    Retention {
        alerts: duration(state.retention_alerts),
        dead: duration(state.retention_dead),
        matches: Retention::matches_for(duration(longest)),
        max_bytes: state.max_bytes,
    }
}

/// A span as a duration; a negative one is none.
fn duration(span: Span) -> Duration {
    let ticks = u64::try_from(span.ticks()).unwrap_or(0);
    Duration::from_micros(ticks / 10)
}

fn traits(config: &Config) -> Traits {
    let of = |source: &config::Source| SourceTraits {
        tenant: Arc::from(source.tenant.as_str()),
        hints: Hints {
            logsources: source.logsource.clone().into_iter().collect(),
        },
        unknown: source.unknown,
        clamp: match source.kind {
            SourceKind::Kafka(_) => Clamp::ToAppendTime,
            SourceKind::File { .. } => Clamp::Never,
        },
    };
    config
        .sources
        .iter()
        .map(|source| (Arc::from(source.name.as_str()), of(source)))
        .collect()
}

fn source(source: &config::Source) -> (Arc<str>, Box<dyn Source>) {
    let name: Arc<str> = Arc::from(source.name.as_str());
    let made: Box<dyn Source> = match &source.kind {
        SourceKind::Kafka(kafka) => Box::new(KafkaSource::new(kafka.client_config(&name))),
        SourceKind::File { paths } => {
            let config = FileConfig {
                name: Arc::clone(&name),
                paths: paths.clone(),
            };
            Box::new(FileSource::new(config))
        }
    };
    (name, made)
}

fn make_sink(sink: &config::Sink, stdout: Stdout) -> Box<dyn Sink> {
    match &sink.kind {
        SinkKind::Stdout { format } => Box::new(StdoutSink::new(stdout_format(*format, stdout))),
        SinkKind::File {
            path,
            rotate_bytes,
            keep,
        } => Box::new(FileSink::new(FileSinkConfig {
            path: path.clone(),
            rotate_bytes: rotate_bytes.unwrap_or(u64::MAX),
            keep: keep.unwrap_or(u32::MAX),
        })),
        SinkKind::Kafka { client, topic } => Box::new(KafkaSink::new(kafka::sink(client, topic))),
    }
}

fn stdout_format(format: StdoutFormat, stdout: Stdout) -> Format {
    match (format, stdout) {
        (StdoutFormat::Auto | StdoutFormat::Pretty, Stdout::Terminal(color)) => {
            Format::Pretty(color)
        }
        (StdoutFormat::Pretty, Stdout::Pipe) => Format::Pretty(Color::Never),
        (StdoutFormat::Auto, Stdout::Pipe) | (StdoutFormat::Ndjson, _) => Format::Ndjson,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_output_is_pretty_for_people_and_ndjson_for_programs() {
        let terminal = Stdout::Terminal(Color::Always);
        assert_eq!(
            stdout_format(StdoutFormat::Auto, terminal),
            Format::Pretty(Color::Always)
        );
        assert_eq!(
            stdout_format(StdoutFormat::Auto, Stdout::Pipe),
            Format::Ndjson
        );
        assert_eq!(
            stdout_format(StdoutFormat::Ndjson, terminal),
            Format::Ndjson
        );
        let pretty = stdout_format(StdoutFormat::Pretty, Stdout::Pipe);
        assert_eq!(pretty, Format::Pretty(Color::Never));
    }

    #[test]
    fn a_held_state_and_a_lost_one_have_their_own_statuses() {
        let dir = tempfile::tempdir().unwrap();
        let open = || SqliteLog::open(dir.path(), Options::new(crate::clock::Clock::start()));
        let held = open().unwrap();
        assert_eq!(exit(&open().unwrap_err()), Exit::Held);
        drop(held);
        let gap = StateError::Gap {
            stream: crate::log::Stream::Alerts,
            from: 3,
            to: 9,
        };
        assert_eq!(exit(&gap), Exit::StateGap);
    }
}
