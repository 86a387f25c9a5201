//! Facts as files of a local folder.
//!
//! A file is written beside its name, synced, and linked to the name, which fails if that is taken;
//! then the folder is synced. So a name stands for whole and durable content or for nothing, also
//! after a power cut, and no process can overwrite what another one made. What a killed process had
//! begun to write is removed at the next start.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::name::Name;
use super::store::{FactStore, Found, StoreFailure};

/// Stands between a name and a number in the names of files that are being written.
const STAGED: char = '#';

/// A folder of facts.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// A folder with these subfolders, which are made, durably. Snapshots quote events: only the owner
    /// may read what is made here.
    pub(super) fn open(
        root: &Path,
        folders: impl Iterator<Item = String>,
    ) -> Result<Self, StoreFailure> {
        let this = Self {
            root: root.to_owned(),
        };
        // A folder that is there may not have been synced by who made it.
        let mut unsynced = BTreeSet::from([root.to_owned()]);
        for folder in folders {
            let path = root.join(&folder);
            let failed = |error| StoreFailure::new("make the folder", &folder, error);
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(&path).map_err(failed)?;
            sweep(&path).map_err(failed)?;
            let made = path.ancestors().take_while(|made| made.starts_with(root));
            unsynced.extend(made.map(Path::to_owned));
        }
        unsynced.extend(root.parent().map(Path::to_owned));
        for path in unsynced.iter().filter(|path| path.is_dir()) {
            let shown = path.display().to_string();
            sync(path).map_err(|error| StoreFailure::new("sync the folder", &shown, error))?;
        }
        Ok(this)
    }

    /// Runs `work` where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        what: &'static str,
        key: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreFailure> {
        let path = self.root.join(key);
        tokio::task::spawn_blocking(move || work(&path))
            .await
            .map_err(|error| StoreFailure::new(what, key, error))?
            .map_err(|error| StoreFailure::new(what, key, error))
    }
}

#[async_trait::async_trait]
impl FactStore for Folder {
    async fn create(&self, key: &str, body: Bytes) -> Result<bool, StoreFailure> {
        self.blocking("create", key, move |path| create(path, &body))
            .await
    }

    async fn get(&self, key: &str, limit: usize) -> Result<Found, StoreFailure> {
        self.blocking("read", key, move |path| read(path, limit))
            .await
    }

    async fn list(
        &self,
        folder: &str,
        take: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<(), StoreFailure> {
        let names = self.blocking("list", folder, list).await?;
        for name in &names {
            take(name);
        }
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreFailure> {
        self.blocking("delete", key, |path| match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }
}

fn create(path: &Path, body: &[u8]) -> io::Result<bool> {
    let folder = path.parent().unwrap_or(Path::new(""));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let (mut file, staged) = stage(path)?;
    let written = file.write_all(body).and_then(|()| file.sync_all());
    drop(file);
    let linked = written.and_then(|()| fs::hard_link(&staged, path));
    fs::remove_file(&staged).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let made = match linked {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Who made it may have been killed before it was durable.
            sync(path)?;
            false
        }
        Err(error) => return Err(error),
    };
    sync(folder)?;
    Ok(made)
}

/// A new file beside `path`.
fn stage(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut number = 0_u64;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("{STAGED}{number}"));
        let staged = PathBuf::from(name);
        let mut options = OpenOptions::new();
        match options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&staged)
        {
            Ok(file) => return Ok((file, staged)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

fn read(path: &Path, limit: usize) -> io::Result<Found> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        file => file?,
    };
    let size = file.metadata()?.len();
    if size > limit as u64 {
        return Ok(Found::TooLarge(size));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // It may grow while it is read; nobody of ours does that.
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Ok(Found::TooLarge(bytes.len() as u64));
    }
    Ok(Found::Bytes(bytes.into()))
}

/// The names in a folder, without what is being written and without what is no text.
fn list(path: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let name = entry.file_name().into_string().ok();
            names.extend(name.filter(|name| !name.contains(STAGED)));
        }
    }
    Ok(names)
}

/// Removes what killed processes had begun to write.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let staged = name.to_str().and_then(|name| name.split_once(STAGED));
        if staged.is_none_or(|(name, _)| Name::parse(name).is_none()) {
            continue;
        }
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> String {
        format!("a/{}", Name::new(7, &[1; 32]))
    }

    fn open(dir: &Path) -> Folder {
        Folder::open(dir, ["a".to_owned()].into_iter()).unwrap()
    }

    #[tokio::test]
    async fn a_killed_process_leaves_nothing_that_stays() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path());
        let staged = dir.path().join(format!("{}#3", name()));
        let foreign = dir.path().join("a/notes#3");
        fs::write(&staged, "half of it").unwrap();
        fs::write(&foreign, "not ours").unwrap();
        let folder = open(dir.path());
        assert!(!staged.exists());
        assert!(foreign.exists());
        assert!(folder.create(&name(), "whole".into()).await.unwrap());
        let left = fs::read_dir(dir.path().join("a")).unwrap().count();
        assert_eq!(left, 2, "the object and the foreign file");
    }

    #[tokio::test]
    async fn who_loses_the_race_for_a_name_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open(dir.path());
        // Another process is writing the same name.
        let other = dir.path().join(format!("{}#0", name()));
        fs::write(&other, "under way").unwrap();
        assert!(folder.create(&name(), "first".into()).await.unwrap());
        assert!(!folder.create(&name(), "second".into()).await.unwrap());
        let found = folder.get(&name(), 100).await.unwrap();
        assert_eq!(found, Found::Bytes("first".into()));
        assert!(other.exists());
    }

    #[test]
    fn only_the_owner_may_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("below/it");
        Folder::open(&root, ["a".to_owned()].into_iter()).unwrap();
        create(&root.join(name()), b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&root), 0o700);
        assert_eq!(mode(&root.join("a")), 0o700);
        assert_eq!(mode(&root.join(name())), 0o600);
    }

    #[tokio::test]
    async fn what_is_too_large_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open(dir.path());
        folder.create(&name(), vec![0; 11].into()).await.unwrap();
        let found = folder.get(&name(), 10).await.unwrap();
        assert_eq!(found, Found::TooLarge(11));
    }
}
