//! A sink's cursor in the log, moved beside the deliveries.
//!
//! A move is a step of the log and takes as long as one. The next batch does not wait for it: nothing but
//! repeats after a crash depends on it. One move is under way at a time; the next one says how far the
//! sink has come by then.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::cursor_name;
use crate::log::{AppendError, Log, Pos};
use crate::metrics::Metrics;

/// The cursor of one sink.
pub(super) struct Cursor {
    to: watch::Sender<Pos>,
    task: JoinHandle<Result<(), AppendError>>,
}

impl Cursor {
    /// The cursor of `sink`, which stands where the log says.
    pub(super) fn follow(sink: &str, log: &Arc<dyn Log>, metrics: &Arc<Metrics>) -> Self {
        let (to, mut moved) = watch::channel(0);
        let (sink, log, metrics) = (sink.to_owned(), Arc::clone(log), Arc::clone(metrics));
        let task = tokio::spawn(async move {
            // The last move is seen even if nobody can ask for another one.
            while moved.changed().await.is_ok() {
                let to = *moved.borrow_and_update();
                log.move_cursor(&cursor_name(&sink), to).await?;
                metrics.sink_cursor(&sink, to);
            }
            Ok(())
        });
        Self { to, task }
    }

    /// Everything below `to` is settled.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub(super) async fn move_to(&mut self, to: Pos) -> Result<(), AppendError> {
        match self.to.send(to) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.lost().await),
        }
    }

    /// Why no move is possible any more; waits until it is so.
    pub(super) async fn lost(&mut self) -> AppendError {
        match (&mut self.task).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) => AppendError::Broken("the cursor is followed no more".into()),
            Err(panicked) => AppendError::Broken(Box::new(panicked)),
        }
    }

    /// Waits until the last move is durable.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub(super) async fn end(self) -> Result<(), AppendError> {
        drop(self.to);
        self.task
            .await
            .unwrap_or_else(|panicked| Err(AppendError::Broken(Box::new(panicked))))
    }
}
