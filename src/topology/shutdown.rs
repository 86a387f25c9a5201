//! How a topology ends: the drain, and what went wrong otherwise.

use std::sync::atomic::Ordering;
use std::time::Duration;

use palisade_ingest::source::SourceError;
use tokio::time::timeout;

use super::alarms::BeginError;
use super::delivery::DeliveryError;
use super::fold::FoldError;
use super::retry::RetryError;
use super::run::{Part, Running};
use crate::exit::Exit;
use crate::log::{AppendError, ReadError};

/// How long sources, judges, the log and the folds may take to bring what was read to its end.
pub const DRAIN: Duration = Duration::from_secs(25);

/// Why a topology ends other than by a drain. The process ends; the next start goes on from what is
/// durable.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A source cannot go on.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The log cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The folds cannot go on.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// A delivery cannot go on.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// A thread cannot be started.
    #[error("a thread cannot be started")]
    Thread(#[from] std::io::Error),
    /// A part ended that should run.
    #[error("the part {part:?} ended by itself, which is a bug")]
    Lost {
        /// The part.
        part: Part,
    },
    /// A part panicked.
    #[error("a part of the topology panicked, which is a bug")]
    Panicked,
    /// The drain took too long.
    #[error("the drain took longer than {DRAIN:?}; what is left is read again at the next start")]
    DrainTimeout,
    /// A second signal came during the drain.
    #[error("a second signal ended the drain; what is left is read again at the next start")]
    Signal,
}

impl From<RetryError> for Failure {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::Read(error) => Self::Read(error),
            RetryError::Append(error) => Self::Append(error),
        }
    }
}

impl From<BeginError> for Failure {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Read(error) => Self::Read(error),
            BeginError::Append(error) => Self::Append(error),
        }
    }
}

impl Failure {
    /// The exit status that the failure asks for.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Append(error)
            | Self::Fold(FoldError::Append(error))
            | Self::Delivery(DeliveryError::Append(error)) => of_append(error),
            Self::Fold(FoldError::Snapshots(error)) if error.is_conflict() => Exit::StateConflict,
            Self::Read(_)
            | Self::Delivery(DeliveryError::Read(_))
            | Self::Fold(FoldError::Read(_) | FoldError::Step(_) | FoldError::Definition { .. })
            | Self::Source(SourceError::Position { .. }) => Exit::StateGap,
            Self::Source(_)
            | Self::Fold(FoldError::Snapshots(_))
            | Self::Thread(_)
            | Self::Lost { .. }
            | Self::Panicked
            | Self::DrainTimeout
            | Self::Signal => Exit::Problems,
        }
    }
}

/// The exit status of a log that cannot be written.
pub(super) fn of_append(error: &AppendError) -> Exit {
    match error {
        AppendError::Fenced => Exit::Held,
        AppendError::Conflict { .. } => Exit::StateConflict,
        AppendError::Broken(_) => Exit::StateGap,
    }
}

impl Running {
    /// Stops the sources, then brings everything that was read to its end, stage by stage.
    pub(super) async fn drain(&mut self) -> Result<(), Failure> {
        timeout(DRAIN, self.drain_to_log())
            .await
            .map_err(|_| Failure::DrainTimeout)??;
        // They end by themselves within `delivery::DRAIN`: what a sink does not take waits in the log.
        self.stop_deliveries.send_replace(true);
        self.end_of(|part| matches!(part, Part::Delivery(_)))
            .await?;
        tracing::info!("drained");
        Ok(())
    }

    async fn drain_to_log(&mut self) -> Result<(), Failure> {
        self.stop_rules.send_replace(true);
        self.end_of(|part| matches!(part, Part::Rules | Part::Retries))
            .await?;
        // A source waits for its tickets and commits before it ends.
        self.stop_sources.store(true, Ordering::Relaxed);
        self.breakers.give_up();
        while self.is_reading() {
            let ended = self.tasks.next().await;
            Self::ended(ended)?;
        }
        // Without the intake's ends of their queues the judges end, and without theirs the appender.
        self.intake.close();
        self.end_of(|part| *part == Part::Appender).await?;
        self.stop_folds.send_replace(true);
        self.end_of(|part| matches!(part, Part::Folds | Part::Keeper))
            .await?;
        self.stop_alarms.send_replace(true);
        self.end_of(|part| *part == Part::Alarms).await
    }

    /// Waits until no part runs that `is_meant`.
    async fn end_of(&mut self, is_meant: impl Fn(&Part) -> bool) -> Result<(), Failure> {
        while self.tasks.runs(&is_meant) {
            self.tasks.next().await.ok_or(Failure::Panicked)??;
        }
        Ok(())
    }
}
