//! Files that are watched; those of the rules, as `run` reads them: what they look like, loading.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use palisade_detect::engine::EngineOptions;
use palisade_detect::time::Timestamp;
use palisade_detect::yaml::FILE_BYTES_MAX;
use tokio::sync::mpsc;

use crate::config::Config;
use crate::rules::{self, Loaded};
use crate::topology::reload::{self, Fingerprint, Trigger};

mod events;

pub use events::{Roots, Watching};

/// Most files that are looked at; beyond it a change may go unnoticed until the next signal.
pub const FILES_MAX: usize = 100_000;

/// Deepest folder below a path that is entered.
const FOLDER_DEPTH_MAX: usize = 32;

/// Ends of the names of files that a rule set is made of.
const ENDS: [&str; 4] = ["yml", "yaml", "txt", "csv"];

/// The rule files of a configuration.
#[derive(Debug)]
pub struct RuleFiles {
    config: Config,
}

impl RuleFiles {
    /// The files that `config` names.
    pub fn of(config: &Config) -> Self {
        Self {
            config: config.clone(),
        }
    }

    /// Files and folders that are watched: rules, the lists that may stand beside them, pipelines.
    fn paths(&self) -> Vec<PathBuf> {
        let rules = self.config.rules.paths.iter().map(|path| &path.path);
        let lists: BTreeSet<PathBuf> = rules
            .clone()
            .filter_map(|path| rules::lists_folder(path))
            .collect();
        let pipelines = self.config.pipelines.files.iter();
        rules.chain(pipelines).cloned().chain(lists).collect()
    }

    /// Says on `say` when a file changes, for as long as what is returned lives. Where the system
    /// gives no events, that is logged, and polling has to do.
    pub fn watch(&self, say: mpsc::Sender<Trigger>) -> Option<Watching> {
        let mut roots = Roots::default();
        for path in self.paths() {
            roots.add(path);
        }
        // A full queue holds what makes the files be looked at already.
        let watching = roots.watch(move || {
            say.try_send(Trigger::Files).ok();
        });
        let unwatched = |what: &Path, error: &notify::Error| {
            let path = what.display();
            tracing::warn!(%path, %error, "no file events; changes are found by polling");
        };
        match &watching {
            Ok(watching) => {
                for (folder, error) in &watching.unwatched {
                    unwatched(folder, error);
                }
            }
            Err(error) => unwatched(Path::new(""), error),
        }
        watching.ok()
    }
}

impl reload::Files for RuleFiles {
    fn fingerprint(&self) -> Fingerprint {
        let mut look = Look::default();
        for path in self.paths() {
            look.at(&path, 0);
        }
        Fingerprint(look.hasher.finalize())
    }

    fn load(&self, now: Timestamp) -> Loaded {
        let (rules, pipelines) = (&self.config.rules, &self.config.pipelines);
        let loaded = rules::load(rules, pipelines, EngineOptions::default(), now);
        loaded.engine.iter().for_each(rules::prepare);
        loaded
    }
}

/// Looks at files.
#[derive(Default)]
struct Look {
    hasher: blake3::Hasher,
    /// Folders that were looked into.
    entered: BTreeSet<PathBuf>,
    files: usize,
}

impl Look {
    fn at(&mut self, path: &Path, depth: usize) {
        if path.is_dir() {
            self.folder(path, depth);
        } else if self.files < FILES_MAX {
            self.files += 1;
            self.file(path);
        }
    }

    fn folder(&mut self, path: &Path, depth: usize) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if depth > FOLDER_DEPTH_MAX || !self.entered.insert(real) {
            return;
        }
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.text(&format!("{} {error}", path.display())),
        };
        let mut paths: Vec<PathBuf> = entries
            .flatten()
            .take(FILES_MAX)
            .map(|entry| entry.path())
            .collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let end = path.extension().unwrap_or_default().to_string_lossy();
            let wanted = path.is_dir() || ENDS.contains(&&*end);
            if wanted && !name.starts_with('.') {
                self.at(&path, depth + 1);
            }
        }
    }

    /// What a file looks like: its content, or for what is larger than any rule file its size and
    /// when it was changed.
    fn file(&mut self, path: &Path) {
        self.text(&path.to_string_lossy());
        let meta = match fs::metadata(path) {
            Ok(meta) if meta.is_file() => meta,
            Ok(_) => return self.text("no file"),
            Err(error) => return self.text(&error.to_string()),
        };
        if meta.len() > FILE_BYTES_MAX as u64 {
            return self.text(&format!("{} {:?}", meta.len(), meta.modified().ok()));
        }
        let mut bytes = Vec::new();
        let read = File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
        match read {
            Ok(_) => self.bytes(&bytes),
            Err(error) => self.text(&error.to_string()),
        }
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.hasher.update(&(bytes.len() as u64).to_le_bytes());
        self.hasher.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(path: &Path) -> blake3::Hash {
        let mut look = Look::default();
        look.at(path, 0);
        look.hasher.finalize()
    }

    #[test]
    fn a_change_of_any_file_of_the_set_is_seen_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        fs::create_dir(dir.path().join("lists")).unwrap();
        file("a.yml", "one");
        let mut before = look(dir.path());
        for (name, text) in [("a.yml", "two"), ("b.yaml", ""), ("lists/ips.txt", "::1")] {
            file(name, text);
            let after = look(dir.path());
            assert_ne!(before, after, "{name}");
            before = after;
        }
        file("a.yml~", "an editor's");
        file(".a.yml.swp", "an editor's");
        assert_eq!(before, look(dir.path()));
        fs::remove_file(dir.path().join("b.yaml")).unwrap();
        assert_ne!(before, look(dir.path()));
    }

    /// A folder as a `ConfigMap` is mounted: `a.yml` is a link by `..data` into `..1`, and `..2` holds
    /// another text of it.
    #[cfg(unix)]
    pub(super) fn mounted() -> tempfile::TempDir {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (folder, text) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(at(folder)).unwrap();
            fs::write(at(folder).join("a.yml"), text).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/a.yml", at("a.yml")).unwrap();
        dir
    }

    #[cfg(unix)]
    #[test]
    fn a_mounted_folder_that_changes_by_a_link_is_seen_and_a_circle_of_links_ends() {
        use std::os::unix::fs::symlink;
        let dir = mounted();
        let at = |name: &str| dir.path().join(name);
        symlink(dir.path(), at("circle")).unwrap();
        let before = look(dir.path());
        symlink("..2", at("..next")).unwrap();
        fs::rename(at("..next"), at("..data")).unwrap();
        assert_ne!(before, look(dir.path()));
    }
}
