//! The contract of delivery.
//!
//! 1. [`Sink::deliver`] gets alerts in log order, as often as needed: an item that was not `Done`
//!    or `Poison` comes again, alone or with others, and may come again after a restart.
//! 2. `Done` promises that the alert is where it belongs, durably: the cursor moves past it.
//! 3. A sink never drops: what it cannot deliver is `RetryAfter`, `Blocked` or `Poison`.

use std::time::Duration;

use bytes::Bytes;

/// One alert on its way out.
#[derive(Debug, Clone)]
pub struct SinkItem {
    /// Position in the alerts log.
    pub pos: u64,
    /// The alert's id.
    pub alert_id: String,
    /// What repeats of one situation share.
    pub dedupe_key: String,
    /// The canonical alert as JSON, one line without its end.
    pub body: Bytes,
}

/// A sink's answer for one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkResult {
    /// Delivered, durably.
    Done,
    /// Not now; the whole sink pauses for so long.
    RetryAfter(Duration, Why),
    /// Not before an operator acts: credentials, configuration, rights.
    Blocked(Why),
    /// Never: this item alone is parked as a dead letter.
    Poison(Why),
}

/// A reason in words for people; no secret, no event content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Bounded class for metrics, such as `io`, `unreachable`, `too_large`.
    pub class: &'static str,
    /// The reason.
    pub message: String,
}

/// Where alerts leave.
#[async_trait::async_trait]
pub trait Sink: Send {
    /// Delivers a batch in order; answers once per item.
    async fn deliver(&mut self, batch: &[SinkItem]) -> Vec<SinkResult>;
    /// Flushes and closes; what was `Done` is already durable.
    async fn close(&mut self) {}
}
