//! What a run came to.

/// What a run came to.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Outcome {
    /// Matching events.
    pub(crate) matches: u64,
    /// Alerts of the correlation.
    pub(crate) alerts: u64,
    /// Processor time of the correlating, in seconds.
    pub(crate) seconds: f64,
    /// The same with decoding the log's records, where there is a log.
    pub(crate) replay_seconds: f64,
    /// Keys held at the end.
    pub(crate) keys: u64,
    /// Bytes of heap held for them.
    pub(crate) heap: i64,
}

impl Outcome {
    /// Nanoseconds for each matching event.
    pub(crate) fn ns(&self) -> f64 {
        self.seconds * 1e9 / float(self.matches)
    }

    /// Matches a second from the log's bytes.
    pub(crate) fn replayed(&self) -> f64 {
        float(self.matches) / self.replay_seconds
    }

    /// Bytes of heap for each key.
    pub(crate) fn bytes_a_key(&self) -> f64 {
        float(u64::try_from(self.heap).unwrap_or(0)) / float(self.keys)
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures are far below 2^53")]
fn float(number: u64) -> f64 {
    number.max(1) as f64
}
