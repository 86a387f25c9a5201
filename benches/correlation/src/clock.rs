//! Processor time of this thread: the machine may be shared, and waiting is not work.

use rustix::time::{ClockId, clock_gettime};

fn now() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "runs last minutes")]
    let seconds = now.tv_sec as f64 + now.tv_nsec as f64 / 1e9;
    seconds
}

/// Adds up the processor time of pieces of work.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seconds: f64,
}

impl Watch {
    /// What `work` gives back; its time is added.
    pub(crate) fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begin = now();
        let made = work();
        self.seconds += now() - begin;
        made
    }

    /// All of it so far, in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.seconds
    }
}
