//! Waiting until somebody changes a file.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// How long nothing may happen until a change counts as complete: an editor writes a file in several
/// steps, and a checkout many files.
const QUIET: Duration = Duration::from_millis(100);
/// Changes that are waited for at most before a change counts as complete.
const CHANGES_MAX: usize = 1_000;

/// A watch over files and folders.
pub(super) struct Watch {
    /// Ends when it is dropped.
    _watcher: RecommendedWatcher,
    changes: Receiver<()>,
}

impl Watch {
    /// Watches folders with all below, and files.
    ///
    /// # Errors
    /// When the system does not watch them.
    pub(super) fn new(paths: &[PathBuf]) -> anyhow::Result<Self> {
        // One change that is waiting says all that there is to say.
        let (tell, changes) = sync_channel(1);
        let seen = move |event: notify::Result<Event>| {
            if event.map_or(true, |event| is_change(&event)) {
                match tell.try_send(()) {
                    Ok(()) | Err(_) => {}
                }
            }
        };
        let mut watcher = notify::recommended_watcher(seen).context("files cannot be watched")?;
        let folders: BTreeSet<(&Path, bool)> = paths.iter().map(|path| folder(path)).collect();
        for (folder, whole) in folders {
            let mode = if whole {
                RecursiveMode::Recursive
            } else {
                RecursiveMode::NonRecursive
            };
            watcher
                .watch(folder, mode)
                .with_context(|| format!("`{}` cannot be watched", folder.display()))?;
        }
        Ok(Self {
            _watcher: watcher,
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

/// The folder to watch for a path, and whether with all below: editors replace a file by another, so
/// that a watch over the file itself would end.
fn folder(path: &Path) -> (&Path, bool) {
    if path.is_dir() {
        return (path, true);
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => (parent, false),
        _ => (Path::new("."), false),
    }
}

/// Whether an event may change what is read; reading itself is one, and so is what an editor hides.
fn is_change(event: &Event) -> bool {
    let hidden = |path: &PathBuf| {
        let name = path.file_name().unwrap_or(OsStr::new(""));
        let name = name.to_string_lossy();
        name.starts_with('.') || name.ends_with('~')
    };
    !matches!(event.kind, EventKind::Access(_))
        && (event.paths.is_empty() || !event.paths.iter().all(hidden))
}
