//! Events of the system about files: which of them matter.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};

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
    _watcher: RecommendedWatcher,
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

    /// Calls `changed` when something may have changed.
    ///
    /// # Errors
    /// When the system gives no events at all.
    pub fn watch(&self, changed: impl Fn() + Send + 'static) -> notify::Result<Watching> {
        let concern = Concern::of(self);
        let seen = move |event: notify::Result<Event>| {
            if event.map_or(true, |event| concern.is_change(&event)) {
                changed();
            }
        };
        let mut watcher = notify::recommended_watcher(seen)?;
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
        Ok(Watching {
            unwatched,
            _watcher: watcher,
        })
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
