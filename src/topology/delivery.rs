//! Deliveries: one task a sink, each reading the alerts log from its own durable cursor.
//!
//! A sink that is down delays only itself. The cursor moves when the sink has answered, beside the next
//! batch; a crash in between repeats alerts under the same ids. A new sink starts at the oldest alert
//! that the log still holds.

mod cursor;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use palisade_sinks::delivery::{Backoff, Batch, Breaker, Pause, Pauses, Round};
use palisade_sinks::sink::{Sink, SinkItem, SinkResult, Why};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use self::cursor::Cursor;
use super::alarms::Alarms;
use super::dead;
use super::operational::{Kind, Notice};
use crate::clock::Clock;
use crate::log::{Append, AppendError, Log, Pos, ReadError, Row, Stream};
use crate::metrics::Metrics;

/// Most alerts of one batch. Larger makes fewer round trips; a crash repeats as many.
pub const BATCH_ITEMS_MAX: usize = 500;

/// Most bytes of one batch; one larger alert is still sent alone.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// How long a delivery goes on after it was told to stop.
pub const DRAIN: Duration = Duration::from_secs(10);

/// How often a sink that does not take alerts is said in the process log.
const SAY_EVERY: Duration = Duration::from_mins(1);

/// The class of what is blocked because too many alerts were refused.
const DEAD_LETTER_BREAKER: &str = "dead_letter_breaker";

/// Why a delivery stops; the process must stop with it.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The alerts log cannot be read.
    #[error("the alerts log cannot be read")]
    Read(#[from] ReadError),
    /// A cursor or a dead letter cannot be written.
    #[error("the log cannot be written")]
    Append(#[from] AppendError),
}

/// The name of a sink's cursor.
pub fn cursor_name(sink: &str) -> String {
    format!("sink/{sink}")
}

/// One sink with its way through the alerts log.
pub struct Delivery {
    /// The sink's name in the configuration.
    pub name: String,
    /// The sink.
    pub sink: Box<dyn Sink>,
    /// The log.
    pub log: Arc<dyn Log>,
    /// The clock.
    pub clock: Clock,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Where is said that an operator must act.
    pub alarms: Arc<Alarms>,
    /// How long it waits for a sink that does not take alerts.
    pub pauses: Pauses,
}

/// Whether to go on.
#[derive(Debug, PartialEq, Eq)]
enum Flow {
    On,
    Stop,
}

/// What a delivery remembers between batches.
struct Way {
    cursor: Cursor,
    backoff: Backoff,
    breaker: Breaker,
    stop: watch::Receiver<bool>,
    /// When the drain ends; set once by the stop.
    deadline: Option<Instant>,
    said_at: Option<Duration>,
}

impl Delivery {
    /// Delivers until `stop` becomes true and the end of the log is reached, the sink makes no
    /// progress, or [`DRAIN`] is over.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub async fn run(mut self, stop: watch::Receiver<bool>) -> Result<(), DeliveryError> {
        let mut end = self.log.watch(Stream::Alerts);
        let mut next = self.start().await?;
        self.metrics.sink_started(&self.name, next);
        let mut way = Way {
            cursor: Cursor::follow(&self.name, &self.log, &self.metrics),
            backoff: Backoff::new(self.pauses),
            breaker: Breaker::default(),
            stop,
            deadline: None,
            said_at: None,
        };
        loop {
            end.borrow_and_update();
            let rows = self.log.read(Stream::Alerts, next, BATCH_ITEMS_MAX).await?;
            if rows.is_empty() {
                if way.stopping() {
                    break;
                }
                tokio::select! {
                    changed = end.changed() => if changed.is_err() { break },
                    lost = way.cursor.lost() => return Err(lost.into()),
                    () = stopped(&mut way.stop) => {}
                }
                continue;
            }
            let (items, upto) = items(rows);
            next = upto;
            if items.is_empty() {
                way.cursor.move_to(next).await?;
                continue;
            }
            if self.batch(Batch::new(items), &mut way).await? == Flow::Stop {
                break;
            }
        }
        self.sink.close().await;
        Ok(way.cursor.end().await?)
    }

    /// Where to begin: at the cursor, inside what the log holds.
    async fn start(&mut self) -> Result<Pos, ReadError> {
        let cursor = self.log.cursor(&cursor_name(&self.name)).await?;
        let held = self.log.bounds(Stream::Alerts).await?;
        let next = cursor.clamp(held.start, held.end);
        if next != cursor && cursor > 1 {
            let sink = &self.name;
            tracing::warn!(
                sink,
                cursor,
                next,
                "the log no longer holds the sink's position"
            );
        }
        Ok(next)
    }

    /// Sends one batch until every item is settled.
    async fn batch(&mut self, mut batch: Batch, way: &mut Way) -> Result<Flow, DeliveryError> {
        while !batch.is_settled() {
            let Some(answers) = way.bounded(self.sink.deliver(&batch.open())).await else {
                return Ok(Flow::Stop);
            };
            let pause = self.settle(&mut batch, answers, way).await?;
            if let Some(pause) = pause
                && way.pause(pause).await == Flow::Stop
            {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::On)
    }

    /// Parks what is poison, moves the cursor, and says what the rest waits for.
    async fn settle(
        &mut self,
        batch: &mut Batch,
        answers: Vec<SinkResult>,
        way: &mut Way,
    ) -> Result<Option<Pause>, DeliveryError> {
        let before = batch.cursor();
        let Round {
            delivered,
            poison,
            mut pause,
        } = batch.answered(answers);
        let count = u64::try_from(poison.len()).unwrap_or(u64::MAX);
        let allowed = way.breaker.allows(self.clock.elapsed(), delivered, count);
        if allowed && !poison.is_empty() {
            self.park(batch, &poison).await?;
        } else if let Some((_, why)) = poison.into_iter().next() {
            let message = format!(
                "too many alerts were refused in one minute: {}",
                why.message
            );
            pause = Some((
                Pause::Blocked,
                Why {
                    class: DEAD_LETTER_BREAKER,
                    message,
                },
            ));
        }
        if let Some(cursor) = batch.cursor().filter(|_| batch.cursor() != before) {
            way.cursor.move_to(cursor).await?;
        }
        if delivered > 0 {
            self.metrics.sink_delivered(&self.name, delivered);
        }
        if delivered > 0 || pause.is_none() {
            way.backoff.reset();
        }
        if let Some((pause, why)) = pause {
            self.metrics.sink_retried(&self.name, why.class);
            let next = batch.open().first().map_or(0, |item| item.pos);
            self.say((pause, next), &why, way);
            return Ok(Some(pause));
        }
        if way.said_at.take().is_some() {
            tracing::info!(sink = self.name, "the sink takes alerts again");
            for kind in [Kind::SinkBlocked, Kind::DeadLetterBreaker] {
                self.alarms.over(kind, &subject(&self.name));
            }
        }
        Ok(None)
    }

    async fn park(
        &mut self,
        batch: &mut Batch,
        poison: &[(usize, Why)],
    ) -> Result<(), AppendError> {
        let at = self.clock.now().to_string();
        let letter = |(index, why): &(usize, Why)| {
            let body = &batch.item(*index).body;
            let letter = dead::of_alert(&self.name, why.class, &why.message, body, at.clone());
            Bytes::from(letter)
        };
        let dead: Vec<Bytes> = poison.iter().map(letter).collect();
        let count = u64::try_from(dead.len()).unwrap_or(u64::MAX);
        self.log
            .append(Append {
                dead,
                ..Append::default()
            })
            .await?;
        for (index, _) in poison {
            batch.settle(*index);
        }
        self.metrics.sink_parked(&self.name, count);
        tracing::error!(
            sink = self.name,
            count,
            "alerts were parked as dead letters"
        );
        Ok(())
    }

    /// Says at most once a minute why a sink does not take alerts.
    fn say(&self, (pause, next): (Pause, Pos), why: &Why, way: &mut Way) {
        let now = self.clock.elapsed();
        if way.said_at.is_some_and(|said| now < said + SAY_EVERY) {
            return;
        }
        way.said_at = Some(now);
        let (sink, class, reason) = (&self.name, why.class, &why.message);
        match pause {
            Pause::Blocked => self.alarms.raise(blocked(sink, next, why)),
            Pause::Retry(_) => tracing::warn!(sink, class, reason, "the sink does not take alerts"),
        }
    }
}

impl Way {
    fn stopping(&mut self) -> bool {
        let stopping = *self.stop.borrow();
        if stopping && self.deadline.is_none() {
            self.deadline = Some(Instant::now() + DRAIN);
        }
        stopping
    }

    /// The outcome of `work`, unless the drain ends first.
    async fn bounded<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        if !self.stopping() {
            tokio::select! {
                done = &mut work => return Some(done),
                () = stopped(&mut self.stop) => {}
            }
            self.stopping();
        }
        let deadline = self.deadline.unwrap_or_else(Instant::now);
        timeout_at(deadline, work).await.ok()
    }

    /// Waits before the next try. While stopping nothing is waited for: the log keeps the rest.
    async fn pause(&mut self, pause: Pause) -> Flow {
        if self.stopping() {
            return Flow::Stop;
        }
        let pause = self.backoff.pause(pause);
        tokio::select! {
            () = tokio::time::sleep(pause) => Flow::On,
            // One more try: what the sink can take now, it gets.
            () = stopped(&mut self.stop) => Flow::On,
        }
    }
}

/// What is said of a sink that takes nothing until an operator acts. `next` is the alert that waits.
fn blocked(sink: &str, next: Pos, why: &Why) -> Notice {
    let kind = match why.class {
        DEAD_LETTER_BREAKER => Kind::DeadLetterBreaker,
        _ => Kind::SinkBlocked,
    };
    Notice::new(
        kind,
        (subject(sink), i64::try_from(next).unwrap_or(i64::MAX)),
        format!("Sink `{sink}` takes no alerts until an operator acts"),
        format!("{}; alerts wait in the log", why.message),
    )
    .with_label("sink", &sink)
    .with_label("class", &why.class)
    .with_label("next", &next)
}

/// How alerts name a sink.
fn subject(sink: &str) -> String {
    format!("sink {sink}")
}

/// Resolves when the delivery is to stop; a sender that is gone stops it too.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody can say it any more: what is left is a drain.
        *stop = watch::channel(true).1;
    }
}

/// The identities that sinks need, out of the canonical alert.
#[derive(Debug, Default, serde::Deserialize)]
struct Head {
    alert_id: String,
    dedupe_key: String,
}

/// A batch within [`BATCH_BYTES_MAX`], and the position behind it. Rows that an operator gave up say
/// nothing and are left out.
fn items(rows: Vec<Row>) -> (Vec<SinkItem>, Pos) {
    let (mut bytes, mut next) = (0, 0);
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        bytes += row.body.len();
        if bytes > BATCH_BYTES_MAX && !items.is_empty() {
            break;
        }
        next = row.pos + 1;
        if row.body.is_empty() {
            continue;
        }
        // Only canonical alerts are appended; should one be none, the sink still gets its bytes.
        let head: Head = serde_json::from_slice(&row.body).unwrap_or_default();
        items.push(SinkItem {
            pos: row.pos,
            alert_id: head.alert_id,
            dedupe_key: head.dedupe_key,
            body: row.body,
        });
    }
    (items, next)
}

#[cfg(test)]
mod tests;
