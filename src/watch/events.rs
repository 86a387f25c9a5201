//! Events of the system about files: which of them matter.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::ModifyKind,
};

/// What is watched.
#[derive(Debug, Default)]
pub struct Roots {
    /// Folders with all below them.
    folders: Vec<PathBuf>,
    /// Files.
    files: Vec<PathBuf>,
    /// Folders with the files in them.
    beside: Vec<PathBuf>,
}

/// Events come for as long as this lives.
#[derive(Debug)]
pub struct Watching {
    /// What could not be watched.
    pub unwatched: Vec<(PathBuf, notify::Error)>,
    /// Ends when it is dropped.
    _watcher: Arc<Mutex<RecommendedWatcher>>,
}

impl Roots {
    /// Adds a folder with all below it, or a file.
    pub fn add(&mut self, path: PathBuf) {
        if path.is_dir() {
            self.folders.push(path);
        } else {
            self.files.push(path);
        }
    }

    /// Adds a folder with all below it, or a file with all that stands beside it.
    pub fn add_with_neighbours(&mut self, path: PathBuf) {
        if !path.is_dir() {
            self.beside.push(parent(&path).to_owned());
        }
        self.add(path);
    }

    /// Calls `changed` when something may have changed. A folder that another one takes the place of is
    /// watched on under its name.
    ///
    /// # Errors
    /// When the system gives no events at all, or no thread that watches on.
    pub fn watch(&self, changed: impl Fn() + Send + Sync + 'static) -> notify::Result<Watching> {
        let concern = Concern::of(self);
        let changed = Arc::new(changed);
        // One replacement that is waiting says all that there is to say.
        let (replaced, replacements) = sync_channel(1);
        let watcher = notify::recommended_watcher(seen(concern, replaced, Arc::clone(&changed)))?;
        let watcher = Arc::new(Mutex::new(watcher));
        let standing = Arc::downgrade(&watcher);
        let (folders, above) = (self.folders.clone(), self.above());
        let watch_on = move || {
            // Not where events are told: there the watcher waits for whoever is told.
            while replacements.recv().is_ok() {
                let Some(watcher) = standing.upgrade() else {
                    return;
                };
                let mut watcher = watcher.lock().unwrap_or_else(PoisonError::into_inner);
                for folder in &folders {
                    watcher.unwatch(folder).ok();
                }
                // One may have stood above another.
                look_above(&mut watcher, &above);
                for folder in &folders {
                    // One that is gone is seen when it comes back.
                    watcher.watch(folder, RecursiveMode::Recursive).ok();
                }
                drop(watcher);
                // What was written before the watch stood told nobody.
                changed();
            }
        };
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn(watch_on)
            .map_err(notify::Error::io)?;
        let unwatched = self.begin(&mut watcher.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Watching {
            unwatched,
            _watcher: watcher,
        })
    }

    /// Where the folders stand that may be replaced as a whole.
    fn above(&self) -> Vec<PathBuf> {
        let above = self.folders.iter().map(|folder| parent(folder).to_owned());
        let above: BTreeSet<PathBuf> = above.collect();
        let whole = |path: &PathBuf| self.folders.iter().any(|folder| path.starts_with(folder));
        above.into_iter().filter(|path| !whole(path)).collect()
    }

    /// Begins to watch everything; gives back what cannot be watched.
    fn begin(&self, watcher: &mut RecommendedWatcher) -> Vec<(PathBuf, notify::Error)> {
        look_above(watcher, &self.above());
        // Editors replace a file by another, so that a watch over the file itself would end.
        let of_files = self.files.iter().map(|file| parent(file));
        let flat: BTreeSet<&Path> = of_files
            .chain(self.beside.iter().map(PathBuf::as_path))
            .collect();
        let deep: BTreeSet<&Path> = self.folders.iter().map(PathBuf::as_path).collect();
        // What is watched twice is watched as it was said last.
        let flat = flat
            .into_iter()
            .map(|one| (one, RecursiveMode::NonRecursive));
        let deep = deep.into_iter().map(|one| (one, RecursiveMode::Recursive));
        let mut unwatched = Vec::new();
        for (folder, mode) in flat.chain(deep) {
            if let Err(error) = watcher.watch(folder, mode) {
                unwatched.push((folder.to_owned(), error));
            }
        }
        unwatched
    }
}

/// Looks whether something takes the place of a folder. Where the folder above cannot be watched, that
/// is found by polling.
fn look_above(watcher: &mut RecommendedWatcher, above: &[PathBuf]) {
    for folder in above {
        watcher.watch(folder, RecursiveMode::NonRecursive).ok();
    }
}

/// What is done about an event.
fn seen(
    concern: Concern,
    replaced: SyncSender<()>,
    changed: Arc<impl Fn() + Send + Sync + 'static>,
) -> impl Fn(notify::Result<Event>) + Send + 'static {
    move |event| {
        if event.as_ref().is_ok_and(|event| concern.is_replaced(event)) {
            replaced.try_send(()).ok();
        }
        if event.map_or(true, |event| concern.is_change(&event)) {
            changed();
        }
    }
}

/// The folder of a file.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Which events matter.
struct Concern {
    /// Folders with all below them, under all their names.
    folders: Vec<PathBuf>,
    /// Folders with the files in them, under all their names.
    beside: Vec<PathBuf>,
    /// Names of files; only their folders are watched besides the above.
    names: BTreeSet<OsString>,
}

impl Concern {
    fn of(roots: &Roots) -> Self {
        let names = roots.files.iter().filter_map(|path| path.file_name());
        Self {
            folders: roots
                .folders
                .iter()
                .flat_map(|path| spelled(path))
                .collect(),
            beside: roots.beside.iter().flat_map(|path| spelled(path)).collect(),
            names: names.map(OsStr::to_owned).collect(),
        }
    }

    /// Whether an event may change what is read; reading itself is one.
    fn is_change(&self, event: &Event) -> bool {
        let mut paths = event.paths.iter();
        // An event without a path is about events that were lost.
        !event.kind.is_access() && (event.paths.is_empty() || paths.any(|path| self.holds(path)))
    }

    /// Whether a folder came, went or took the place of another one.
    fn is_replaced(&self, event: &Event) -> bool {
        let moves = matches!(
            event.kind,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        moves && event.paths.iter().any(|path| self.folders.contains(path))
    }

    /// Whether what stands at a path matters: a file that is named, what a folder holds unless it is
    /// hidden, as editors hide theirs, or a link such as `..data` by which a mounted folder changes as
    /// a whole.
    fn holds(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        let shown = name.to_string_lossy();
        let is_hidden = shown.starts_with('.') || shown.ends_with('~');
        let is_root = self.folders.iter().any(|folder| folder == path);
        let is_within = self.folders.iter().any(|folder| path.starts_with(folder))
            || self
                .beside
                .iter()
                .any(|folder| path.parent() == Some(folder));
        shown.starts_with("..") || self.names.contains(name) || is_root || (is_within && !is_hidden)
    }
}

/// The ways to say where a folder is that events use.
fn spelled(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let ways = [std::path::absolute(path), path.canonicalize()];
    ways.into_iter().flatten().chain([path.to_owned()])
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::{Receiver, sync_channel};
    use std::time::Duration;

    use super::*;

    /// Ample for a loaded machine.
    const PATIENCE: Duration = Duration::from_mins(1);

    fn watched(roots: &Roots) -> (Watching, Receiver<()>) {
        let (tell, changes) = sync_channel(1_000);
        let watching = roots.watch(move || {
            tell.try_send(()).ok();
        });
        let watching = watching.unwrap();
        assert!(watching.unwatched.is_empty());
        (watching, changes)
    }

    #[test]
    fn what_stands_beside_a_file_concerns_it_only_where_that_is_said() {
        let concern = |roots: &Roots| {
            let concern = Concern::of(roots);
            move |path: &str| concern.holds(Path::new(path))
        };
        let mut roots = Roots {
            folders: vec![PathBuf::from("/rules"), PathBuf::from("/.hidden")],
            ..Roots::default()
        };
        roots.add(PathBuf::from("/etc/map.yml"));
        let ours = concern(&roots);
        assert!(ours("/rules/azure/a.yml") && ours("/etc/map.yml") && ours("/etc/..data"));
        assert!(ours("/.hidden") && ours("/.hidden/a.yml"));
        assert!(
            !ours("/etc/alerts.ndjson") && !ours("/rules/.a.yml.swp") && !ours("/rules/a.yml~")
        );
        roots.add_with_neighbours(PathBuf::from("/cases/r.yml"));
        let ours = concern(&roots);
        assert!(ours("/cases/event.json") && !ours("/cases/below/event.json"));
    }

    #[cfg(unix)]
    #[test]
    fn a_mounted_file_that_changes_by_a_link_is_an_event() {
        use std::os::unix::fs::symlink;
        let dir = crate::watch::tests::mounted();
        let at = |name: &str| dir.path().join(name);
        symlink("..2", at("next")).unwrap();
        for with_neighbours in [false, true] {
            let mut roots = Roots::default();
            if with_neighbours {
                roots.add_with_neighbours(at("a.yml"));
            } else {
                roots.add(at("a.yml"));
            }
            let (_watching, changes) = watched(&roots);
            fs::rename(at("next"), at("..data")).unwrap();
            changes.recv_timeout(PATIENCE).unwrap();
            symlink("..1", at("next")).unwrap();
        }
    }

    #[test]
    fn a_folder_that_takes_the_place_of_another_is_watched_on() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["rules", "next"] {
            fs::create_dir_all(at(name).join("azure")).unwrap();
        }
        let mut roots = Roots::default();
        roots.add(at("rules"));
        let (_watching, changes) = watched(&roots);
        fs::rename(at("rules"), at("old")).unwrap();
        fs::rename(at("next"), at("rules")).unwrap();
        // The watch stands at some moment after that; from then on each file is an event of its own.
        let mut seen = 0;
        for number in 0..300 {
            while changes.try_recv().is_ok() {}
            fs::write(at("rules/azure").join(format!("{number}.yml")), "").unwrap();
            seen = match changes.recv_timeout(PATIENCE / 300) {
                Ok(()) => seen + 1,
                Err(_) => 0,
            };
            if seen == 3 {
                return;
            }
        }
        panic!("no events");
    }

    #[test]
    fn a_file_beside_a_folder_that_is_watched_whole_does_not_cut_the_watch() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("below")).unwrap();
        fs::write(dir.path().join("map.yml"), "").unwrap();
        let mut roots = Roots::default();
        roots.add(dir.path().to_owned());
        roots.add(dir.path().join("map.yml"));
        let (_watching, changes) = watched(&roots);
        fs::write(dir.path().join("below/a.yml"), "").unwrap();
        changes.recv_timeout(PATIENCE).unwrap();
    }
}
