//! Waiting until somebody changes a file.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use crate::watch::{Roots, Watching};

/// How long nothing may happen until a change counts as complete: an editor writes a file in several
/// steps, and a checkout many files.
const QUIET: Duration = Duration::from_millis(100);
/// Changes that are waited for at most before a change counts as complete.
const CHANGES_MAX: usize = 1_000;

/// A watch over files and folders.
pub(super) struct Watch {
    /// Ends when it is dropped.
    _watching: Watching,
    changes: Receiver<()>,
}

impl Watch {
    /// Watches files and folders.
    ///
    /// # Errors
    /// When the system does not watch one of them.
    pub(super) fn new(roots: &Roots) -> anyhow::Result<Self> {
        // One change that is waiting says all that there is to say.
        let (tell, changes) = sync_channel(1);
        let watching = roots.watch(move || {
            tell.try_send(()).ok();
        });
        let mut watching = watching.context("files cannot be watched")?;
        if let Some((folder, error)) = watching.unwatched.pop() {
            let said = format!("`{}` cannot be watched", folder.display());
            return Err(anyhow!(error).context(said));
        }
        Ok(Self {
            _watching: watching,
            changes,
        })
    }

    /// Waits until something has changed and nothing changes any more.
    ///
    /// # Errors
    /// When the watch has ended.
    pub(super) fn wait(&self) -> anyhow::Result<()> {
        let ended = || anyhow!("the system has stopped watching the files");
        self.changes.recv().map_err(|_| ended())?;
        for _ in 0..CHANGES_MAX {
            match self.changes.recv_timeout(QUIET) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            }
        }
        Ok(())
    }
}
