//! What a running process does besides its work: signs of life, trimming, gauges of its state.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::Site;
use super::intake::{IN_FLIGHT_BYTES_MAX, Intake};
use crate::log::sqlite::SqliteLog;
use crate::log::{AppendError, Pos};

/// How often the pipeline gives a sign of life.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// How often rows beyond their retention are trimmed.
const TRIM_EVERY: Duration = Duration::from_mins(1);

/// Bytes of SQLite's write-ahead log at which somebody else must be holding it up.
const WAL_BYTES_RISK: u64 = 512 * 1024 * 1024;

/// Name of the log in the list of parts.
const STATE: &str = "state";

/// Looks after the log.
pub struct Upkeep {
    /// The log.
    pub log: Arc<SqliteLog>,
    /// How far the folds have come.
    pub folded: watch::Receiver<Pos>,
    /// Clock, health and metrics.
    pub site: Site,
}

impl Upkeep {
    /// Runs until the intake is gone.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub async fn run(self, intake: Weak<Intake>) -> Result<(), AppendError> {
        let looked_at = Weak::clone(&intake);
        self.site.metrics.probe(move |metrics| {
            if let Some(intake) = looked_at.upgrade() {
                let (fill, capacity) = intake.queue();
                metrics.queue("judge", fill, capacity);
                metrics.queue(
                    "in_flight_bytes",
                    intake.in_flight_bytes(),
                    IN_FLIGHT_BYTES_MAX,
                );
            }
        });
        // A trim waits for the log, and the log may wait for the disk: the beat must not.
        tokio::select! {
            () = self.beats(&intake) => Ok(()),
            lost = self.trims() => lost,
        }
    }

    async fn beats(&self, intake: &Weak<Intake>) {
        let mut beat = interval(BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut full = false;
        while intake.strong_count() > 0 {
            beat.tick().await;
            self.site.health.beat();
            self.storage(&mut full);
        }
    }

    async fn trims(&self) -> Result<(), AppendError> {
        let mut minute = interval(TRIM_EVERY);
        minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            minute.tick().await;
            self.trim().await?;
        }
    }

    /// Says when the disk is full, and when it is no longer.
    fn storage(&self, was_full: &mut bool) {
        let full = *self.log.storage_full().borrow();
        match (full, *was_full) {
            (true, false) => {
                tracing::error!(
                    problem = "storage_full",
                    "the disk is full; the sources pause"
                );
                self.site.metrics.problem("storage_full");
                self.site
                    .health
                    .not_ready(STATE, "the disk is full; the sources pause");
            }
            (false, true) => {
                tracing::info!("the disk has room again");
                self.site.health.ready(STATE);
            }
            _ => {}
        }
        *was_full = full;
    }

    async fn trim(&self) -> Result<(), AppendError> {
        let wal = self.log.wal_bytes();
        self.site.metrics.wal(wal);
        if wal > WAL_BYTES_RISK {
            tracing::warn!(
                problem = "storage_risk",
                bytes = wal,
                "the write-ahead log grows: another program holds a read transaction open"
            );
            self.site.metrics.problem("storage_risk");
        }
        let folded = *self.folded.borrow();
        let trimmed = self.log.trim(self.site.clock.now(), folded).await?;
        tracing::debug!(?trimmed, "trimmed");
        Ok(())
    }
}
