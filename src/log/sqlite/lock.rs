//! One process to a state directory, and only on a file system that can keep a log.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::StateError;

/// Name of the lock file in the state directory.
const LOCK_FILE: &str = "state.lock";

/// Longest text read from another holder's lock file.
const HOLDER_BYTES_MAX: u64 = 512;

/// The lock on a state directory; given back when dropped, also by the death of the process.
#[derive(Debug)]
pub(super) struct StateLock {
    _file: File,
}

impl StateLock {
    /// Takes the lock and writes into it who holds it.
    pub(super) fn take(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join(LOCK_FILE);
        let mut file = open(&path)?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            return Err(match error {
                rustix::io::Errno::WOULDBLOCK => held(dir, &mut file),
                error => io("lock", &path, error.into()),
            });
        }
        // A second description of the same file must not get the lock, else locks mean nothing here.
        if flock(&open(&path)?, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Err(StateError::LocksLie {
                dir: dir.to_owned(),
            });
        }
        let text = format!("pid {} on {}\n", std::process::id(), host());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(|error| io("write", &path, error))?;
        Ok(Self { _file: file })
    }
}

/// Creates the state directory for this user alone, and refuses network shares.
pub(super) fn prepare(dir: &Path) -> Result<(), StateError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| io("create", dir, error))?;
    tighten(dir, 0o700);
    let kind = rustix::fs::statfs(dir)
        .map_err(|error| io("examine", dir, error.into()))?
        .f_type;
    if let Some(name) = u64::try_from(kind).ok().and_then(network_share) {
        return Err(StateError::NetworkShare {
            dir: dir.to_owned(),
            kind: name,
        });
    }
    Ok(())
}

/// Creates a file for this user alone, so that SQLite gives its side files the same rights.
pub(super) fn private_file(path: &Path) -> Result<(), StateError> {
    open(path).map(|_| tighten(path, 0o600))
}

/// The directory's entries survive a power cut too.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StateError> {
    File::open(dir)
        .and_then(|file| file.sync_all())
        .map_err(|error| io("sync", dir, error))
}

pub(super) fn io(what: &'static str, path: &Path, source: std::io::Error) -> StateError {
    StateError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

fn open(path: &Path) -> Result<File, StateError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| io("open", path, error))
}

/// Takes away the rights beyond `mode`. A volume that belongs to somebody else, as container
/// platforms mount them, cannot be changed: that is said and used as it is.
fn tighten(path: &Path, mode: u32) {
    let now = std::fs::metadata(path).map_or(mode, |meta| meta.permissions().mode());
    if (now & 0o777) | mode == mode {
        return;
    }
    if let Err(error) = std::fs::set_permissions(path, Permissions::from_mode(mode)) {
        tracing::warn!(path = %path.display(), %error, "other users may be able to read the state");
    }
}

fn held(dir: &Path, file: &mut File) -> StateError {
    let mut text = String::new();
    let read = file.take(HOLDER_BYTES_MAX).read_to_string(&mut text);
    let holder = match read {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "a process that has not said its name".to_owned(),
    };
    StateError::Held {
        dir: PathBuf::from(dir),
        holder,
    }
}

/// The machine's name: in a container or on a shared volume, a process id alone names nobody.
fn host() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .map_or_else(
            || "an unnamed host".to_owned(),
            |name| name.trim().to_owned(),
        )
}

/// The name of a file system on which a write-ahead log cannot work: it has no shared memory
/// between machines, and often no locks that hold. Numbers are those of statfs(2).
fn network_share(kind: u64) -> Option<&'static str> {
    match kind & 0xffff_ffff {
        0x6969 => Some("NFS"),
        0x517b | 0xfe53_4d42 | 0xff53_4d42 => Some("SMB"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        0x7375_7245 => Some("Coda"),
        0x564c => Some("NCP"),
        0x0102_1997 => Some("9P"),
        0x00c3_6400 => Some("Ceph"),
        0x0bd0_0bd0 => Some("Lustre"),
        0x4750_4653 => Some("GPFS"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_shares_are_told_from_local_disks() {
        assert_eq!(network_share(0xff53_4d42), Some("SMB"));
        assert_eq!(network_share(0x6969), Some("NFS"));
        assert_eq!(network_share(0xef53), None, "ext4");
        assert_eq!(network_share(0x0102_1994), None, "tmpfs");
    }

    #[test]
    fn a_second_holder_is_told_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateLock::take(dir.path()).unwrap();
        let refused = StateLock::take(dir.path()).unwrap_err();
        let StateError::Held { holder, .. } = refused else {
            panic!("{refused}")
        };
        assert!(
            holder.starts_with(&format!("pid {} on ", std::process::id())),
            "{holder}"
        );
        drop(first);
        StateLock::take(dir.path()).unwrap();
    }
}
