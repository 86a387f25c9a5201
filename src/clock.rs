//! The only reader of time.
//!
//! Receive time is the wall clock read once at start plus the monotonic time since: a clock that
//! jumps while the process runs changes nothing.

use std::time::{Duration, Instant, SystemTime};

use palisade_detect::time::{Span, Timestamp};

/// The process's clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    wall_at_start: Timestamp,
}

impl Clock {
    /// Reads the wall clock, once.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clocks"
    )]
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let ticks = since_epoch.map_or(0, |wall| wall.as_nanos() / 100);
        Self {
            start: Instant::now(),
            wall_at_start: Timestamp::from_ticks(i64::try_from(ticks).unwrap_or(i64::MAX)),
        }
    }

    /// The wall clock at start plus the monotonic time since.
    pub fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.elapsed().as_nanos() / 100).unwrap_or(i64::MAX);
        self.wall_at_start.plus(Span::from_ticks(elapsed))
    }

    /// Monotonic time since the start.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clocks"
    )]
    pub fn elapsed(&self) -> Duration {
        Instant::now().duration_since(self.start)
    }
}
