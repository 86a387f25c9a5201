//! Dead letters that somebody asked to be tried again (`palisade dead retry`).
//!
//! They are judged by the rules in force here, in the process that holds the log, so that there is no
//! second writer. What comes of a letter and its end are one step of the log: it is tried once, whatever
//! is killed. Events keep the ids of where they came from. Matches are written under a source of their own,
//! one for each letter, as the correlations have passed the letter's place long ago and would take them
//! for repeats.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use palisade_detect::alert::Alert;
use palisade_detect::engine::{Engine, EventContext, Verdict};
use palisade_detect::event::{INDEX_DEPTH_MAX, Index, Origin, SourcePartition};
use palisade_detect::matches;
use palisade_detect::time::Timestamp;
use palisade_ingest::decode::{self, Decoded};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::dead::{self, Letter};
use super::judge::JudgeContext;
use super::stage::{self, SourceTraits, UnknownPolicy};
use crate::log::sqlite::SqliteLog;
use crate::log::{AlertRow, Append, AppendError, Log as _, Pos, ReadError, Row};

/// How often is looked whether somebody asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tries dead letters again.
pub struct Retries {
    /// The log that holds them.
    log: Arc<SqliteLog>,
    /// What judging needs: the rules in force, and what the configuration says of each source.
    context: JudgeContext,
}

/// Why no letter can be tried any more.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// What a letter came to.
#[derive(Debug, Default)]
struct Tried {
    alerts: Vec<Alert>,
    matches: Vec<matches::Match>,
    /// Why it stays a dead letter: class and message.
    failed: Option<(String, String)>,
}

impl Retries {
    /// Tries dead letters of `log` as judges would.
    pub fn new(log: &Arc<SqliteLog>, context: &JudgeContext) -> Self {
        Self {
            log: Arc::clone(log),
            context: context.clone(),
        }
    }

    /// Runs until `stop` says so.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), RetryError> {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // 1 is where the cursor of requests stands before anybody asks.
        let mut seen: Pos = 1;
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                _ = look.tick() => {}
            }
            let (now, rows) = self.log.asked_retries(seen).await?;
            if rows.is_empty() {
                seen = now;
            }
            for row in rows {
                self.letter(row).await?;
            }
        }
    }

    /// Tries one letter; what comes of it is durable with its end.
    async fn letter(&self, row: Row) -> Result<(), AppendError> {
        let step = self.step(row).await;
        self.log.append(step).await?;
        Ok(())
    }

    async fn step(&self, row: Row) -> Append {
        let pos = row.pos;
        let mut step = Append::default();
        let mut letter: Letter = match serde_json::from_slice(&row.body) {
            Ok(letter) => letter,
            Err(error) => {
                tracing::error!(pos, %error, "a dead letter cannot be read; it stays as it is");
                step.settled.push((pos, row.body));
                return step;
            }
        };
        let failed = match letter.raw() {
            Err(message) => Some(("not_whole".to_owned(), message.to_owned())),
            Ok(raw) if letter.kind == dead::ALERT => alert_again(&raw, &mut step),
            Ok(raw) => self.record_again((pos, &letter), raw, &mut step).await,
        };
        let settled = match failed {
            None => {
                tracing::info!(
                    pos,
                    alerts = step.alerts.len(),
                    "a dead letter went through"
                );
                Bytes::new()
            }
            Some((reason, message)) => {
                tracing::warn!(pos, reason, "a dead letter was tried again and stays one");
                letter.retried += 1;
                (letter.reason, letter.message) = (reason, message);
                Bytes::from(letter.to_json())
            }
        };
        let outcome = if settled.is_empty() { "done" } else { "parked" };
        self.context.site.metrics.dead_retried(outcome);
        step.settled.push((pos, settled));
        step
    }

    /// Judges a record's bytes; why they stay a dead letter, if they do.
    async fn record_again(
        &self,
        (pos, letter): (Pos, &Letter),
        raw: Vec<u8>,
        step: &mut Append,
    ) -> Option<(String, String)> {
        let no_place = |message: &str| Some(("no_place".to_owned(), message.to_owned()));
        let Some(from) = &letter.origin else {
            return no_place("it does not say where it comes from");
        };
        let Some(ordinals) = from.ordinals.as_deref() else {
            return no_place("an older version wrote it, without the whole of its place");
        };
        let Some(index) = below(Index::ROOT, ordinals) else {
            return no_place("its place in its record is deeper than any");
        };
        let traits = self.traits(from.name.as_deref(), &from.source, &from.tenant);
        let origin = Origin {
            tenant: Arc::clone(&traits.tenant),
            at: SourcePartition {
                source: Arc::from(from.source.as_str()),
                incarnation: from.incarnation,
                partition: from.partition,
            },
            offset: from.offset,
            index,
        };
        let taken = from.append_time.as_deref().unwrap_or(&letter.at);
        let append_time = Timestamp::parse_rfc3339(taken).unwrap_or(self.context.site.clock.now());
        let engine = Arc::clone(&self.context.engine.borrow());
        let judged = spawn_blocking(move || judge(&engine, &raw, (&origin, append_time), &traits));
        let tried = judged.await.unwrap_or_else(|_| panicked());
        if tried.failed.is_some() {
            return tried.failed;
        }
        for mut alert in tried.alerts {
            alert.emitted_at = self.context.site.clock.now().to_string();
            self.context.site.metrics.alert(&alert);
            step.alerts.push(AlertRow {
                body: Bytes::from(alert.to_line()),
                alert_id: alert.alert_id,
            });
        }
        if !tried.matches.is_empty() {
            let source = matches::Source {
                name: format!("{}/retry/{pos}", from.source),
                incarnation: from.incarnation,
                partition: from.partition,
            };
            let batches = matches::batches(&source, "", tried.matches).into_iter();
            let rows = batches.map(|(part, record)| (part, Bytes::from(matches::encode(&record))));
            step.matches.extend(rows);
        }
        None
    }

    /// What the configuration says of a source: by its name, or by the part of its source in front of the
    /// topic. One that is no longer configured is judged as it stands.
    fn traits(&self, name: Option<&str>, source: &str, tenant: &str) -> SourceTraits {
        let of = |name: &str| self.context.traits.get(name);
        let known = name
            .and_then(of)
            .or_else(|| of(source))
            .or_else(|| of(source.split_once('/')?.0));
        known
            .cloned()
            .unwrap_or_else(|| SourceTraits::as_they_stand(tenant))
    }
}

/// An alert that a sink refused goes to all sinks again, under its id.
fn alert_again(raw: &[u8], step: &mut Append) -> Option<(String, String)> {
    match serde_json::from_slice::<Alert>(raw) {
        Ok(alert) => {
            step.alerts.push(AlertRow {
                alert_id: alert.alert_id,
                body: Bytes::copy_from_slice(raw),
            });
            None
        }
        Err(_) => Some((
            "not_an_alert".to_owned(),
            "it is no alert that this version can read".to_owned(),
        )),
    }
}

/// Decodes and judges what a letter holds.
fn judge(
    engine: &Engine,
    raw: &[u8],
    (origin, append_time): (&Origin, Timestamp),
    traits: &SourceTraits,
) -> Tried {
    let mut tried = Tried::default();
    let judged = catch_unwind(AssertUnwindSafe(|| {
        decode::decode(Some(raw), &traits.hints, &mut |decoded| {
            let (index, event) = match decoded {
                Decoded::Event(index, event) => (index, event),
                Decoded::Reject(reject) => {
                    let failed = (reject.reason.as_str().to_owned(), reject.message);
                    tried.failed.get_or_insert(failed);
                    return;
                }
            };
            let unknown = stage::is_unknown(event.log_type.name);
            if unknown && traits.unknown == UnknownPolicy::JudgeNone {
                return;
            }
            let Some(index) = below(origin.index, index.ordinals()) else {
                let message = "its place in its record is too deep".to_owned();
                tried.failed = Some(("too_deep".to_owned(), message));
                return;
            };
            let origin = Origin {
                index,
                ..origin.clone()
            };
            let context = EventContext {
                origin: &origin,
                append_time,
                clamp: traits.clamp,
            };
            let mut verdict = Verdict::default();
            match engine.detect(&event, &context, &mut verdict) {
                Ok(()) => {
                    tried.alerts.append(&mut verdict.alerts);
                    tried.matches.append(&mut verdict.matches);
                }
                Err(error) => {
                    let reject = stage::reject(index, &error);
                    let failed = (reject.reason.as_str().to_owned(), reject.message);
                    tried.failed.get_or_insert(failed);
                }
            }
        });
    }));
    if judged.is_err() { panicked() } else { tried }
}

fn panicked() -> Tried {
    let message = "judging it panicked again; please report it".to_owned();
    Tried {
        failed: Some(("panic".to_owned(), message)),
        ..Tried::default()
    }
}

/// The place at `ordinals` below an index; `None` where that is too deep.
fn below(index: Index, ordinals: &[u32]) -> Option<Index> {
    let depth = index.ordinals().len() + ordinals.len();
    let down = |index: Index, ordinal: &u32| index.child(*ordinal);
    (depth <= INDEX_DEPTH_MAX).then(|| ordinals.iter().fold(index, down))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_too_deep_is_none_and_no_panic() {
        let deep = vec![1; INDEX_DEPTH_MAX];
        assert_eq!(below(Index::ROOT, &[3, 4]), Some(Index::new(&[3, 4])));
        assert_eq!(below(Index::new(&[3]), &[4]), Some(Index::new(&[3, 4])));
        assert!(below(Index::ROOT, &deep).is_some());
        assert_eq!(below(Index::new(&[1]), &deep), None);
    }
}
