//! What a running process does besides its work: signs of life, trimming, gauges of its state.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::Site;
use super::intake::{IN_FLIGHT_BYTES_MAX, Intake};
use super::operational::{Kind, Notice};
use crate::log::sqlite::{SqliteLog, TrimmedEarly};
use crate::log::{AppendError, Log as _, Pos, Stream};

/// How often the pipeline gives a sign of life.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// How often rows beyond their retention are trimmed.
const TRIM_EVERY: Duration = Duration::from_mins(1);

/// Bytes of SQLite's write-ahead log at which somebody else must be holding it up.
const WAL_BYTES_RISK: u64 = 512 * 1024 * 1024;

/// Name of the log in the list of parts.
const STATE: &str = "state";

/// How alerts name the write-ahead log.
const WAL: &str = "write-ahead log";

/// How alerts name the limit of the log's size.
const MAX_BYTES: &str = "state.max_bytes";

/// Looks after the log.
pub struct Upkeep {
    /// The log.
    pub log: Arc<SqliteLog>,
    /// Which matches no start needs any more: those below.
    pub trimmable: watch::Receiver<Pos>,
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
        let mut early = self.log.trimmed_early();
        while intake.strong_count() > 0 {
            beat.tick().await;
            self.site.health.beat();
            self.storage(&mut full);
            if early.has_changed().unwrap_or(false) {
                let gone = early.borrow_and_update().clone();
                self.site.alarms.raise(trimmed_early(&gone));
            }
        }
    }

    async fn trims(&self) -> Result<(), AppendError> {
        let mut minute = interval(TRIM_EVERY);
        minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut large = false;
        loop {
            minute.tick().await;
            self.wal(&mut large);
            self.trim().await?;
        }
    }

    /// Says when the disk is full, and when it is no longer.
    fn storage(&self, was_full: &mut bool) {
        let full = *self.log.storage_full().borrow();
        match (full, *was_full) {
            (true, false) => {
                let notice = Notice::new(
                    Kind::StorageFull,
                    (STATE, self.log_end()),
                    "The log waits for space: the sources pause",
                    "the disk is full or `state.max_bytes` is reached; nothing is lost, what was not \
                     read stays at the source for as long as its retention",
                );
                self.site.alarms.raise(notice);
                self.site
                    .health
                    .not_ready(STATE, "the disk is full; the sources pause");
            }
            (false, true) => {
                tracing::info!("the disk has room again");
                self.site.health.ready(STATE);
                self.site.alarms.over(Kind::StorageFull, STATE);
            }
            _ => {}
        }
        *was_full = full;
    }

    /// A number that rises with everything that the log takes.
    fn log_end(&self) -> i64 {
        let ends = [Stream::Matches, Stream::Alerts, Stream::Dead];
        let sum: Pos = ends
            .map(|stream| *self.log.watch(stream).borrow())
            .iter()
            .sum();
        i64::try_from(sum).unwrap_or(i64::MAX)
    }

    /// Says when the write-ahead log begins to be too large.
    fn wal(&self, was_large: &mut bool) {
        let bytes = self.log.wal_bytes();
        self.site.metrics.wal(bytes);
        let large = bytes > WAL_BYTES_RISK;
        if large && !*was_large {
            let notice = Notice::new(
                Kind::StorageRisk,
                (WAL, self.log_end()),
                "The write-ahead log grows: another program holds a read transaction open",
                "it grows until that program ends its transaction, or the disk is full",
            );
            self.site.alarms.raise(notice.with_label("bytes", &bytes));
        } else if !large && *was_large {
            self.site.alarms.over(Kind::StorageRisk, WAL);
        }
        *was_large = large;
    }

    async fn trim(&self) -> Result<(), AppendError> {
        let below = *self.trimmable.borrow();
        let trimmed = self.log.trim(self.site.clock.now(), below).await?;
        tracing::debug!(?trimmed, "trimmed");
        Ok(())
    }
}

/// What is said of rows that went before their time.
fn trimmed_early(gone: &TrimmedEarly) -> Notice {
    let TrimmedEarly { alerts, dead } = gone;
    let bucket = i64::try_from(alerts.end.saturating_add(dead.end)).unwrap_or(i64::MAX);
    Notice::new(
        Kind::StorageRisk,
        (MAX_BYTES, bucket),
        "The log reached `state.max_bytes`: rows went before their time",
        format!(
            "delivered alerts {} to {} and dead letters {} to {} are gone; when no more can go, the \
             sources pause",
            alerts.start, alerts.end, dead.start, dead.end
        ),
    )
    .with_label("alerts_from", &alerts.start)
    .with_label("alerts_to", &alerts.end)
    .with_label("dead_from", &dead.start)
    .with_label("dead_to", &dead.end)
}

#[cfg(test)]
mod tests {
    use palisade_detect::alert::Alert;

    use super::*;
    use crate::log::sqlite::{Options, Retention};
    use crate::log::{AlertRow, Append};

    /// The alert waits for room as everything does, and is then written once.
    #[tokio::test]
    async fn a_full_log_is_an_alert_as_soon_as_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let site = Site::default();
        let options = Options {
            flush: Duration::ZERO,
            retention: Retention {
                max_bytes: 256 * 1024,
                ..Retention::default()
            },
            alert_readers: vec!["sink/file".to_owned()],
            ..Options::new(site.clock)
        };
        let log = Arc::new(SqliteLog::open(dir.path(), options).unwrap());
        let upkeep = Upkeep {
            log: Arc::clone(&log),
            trimmable: watch::channel(1).1,
            site: site.clone(),
        };
        let row = || AlertRow {
            alert_id: "a".to_owned(),
            body: vec![b'x'; 16 * 1024].into(),
        };
        let step = || Append {
            alerts: vec![row()],
            ..Append::default()
        };
        let mut full = log.storage_full();
        let mut sent: Pos = 0;
        let waiting = loop {
            let mut append = Box::pin(log.append(step()));
            sent += 1;
            tokio::select! {
                answer = &mut append => drop(answer.unwrap()),
                full = full.wait_for(|full| *full) => { drop(full.unwrap()); break append; }
            }
        };
        let mut was_full = false;
        upkeep.storage(&mut was_full);
        upkeep.storage(&mut was_full);
        let (_stop, stopped) = watch::channel(true);
        let shared: Arc<dyn crate::log::Log> = Arc::<SqliteLog>::clone(&log);
        let said = tokio::spawn(site.alarms.run(shared, stopped));
        log.move_cursor("sink/file", sent).await.unwrap();
        waiting.await.unwrap();
        said.await.unwrap().unwrap();
        let rows = log.read(Stream::Alerts, sent, 10).await.unwrap();
        let alerts: Vec<Alert> = rows
            .iter()
            .filter_map(|row| serde_json::from_slice(&row.body).ok())
            .collect();
        let [alert] = &alerts[..] else {
            panic!("one alert: {alerts:?}")
        };
        assert_eq!(alert.rule.name, "storage_full");
        let gone = trimmed_early(&log.trimmed_early().borrow());
        assert_eq!(gone.labels["alerts_to"], sent.to_string());
    }
}
