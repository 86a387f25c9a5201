//! Paths to files: folders are walked in a stable order.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Input;

/// Endings of files that are read in a folder; each may be followed by one of [`PACKED`].
const ENDINGS: [&str; 4] = ["json", "ndjson", "jsonl", "log"];

/// Endings of packed files.
const PACKED: [&str; 2] = ["gz", "zst"];

/// One file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The file.
    pub input: Input,
    /// Its size as it lies on the disk; `None` for what has no size.
    pub bytes: Option<u64>,
}

/// What paths lead to.
#[derive(Debug, Default)]
pub struct Listing {
    /// Files to read: paths in the order given, each folder's files by name.
    pub files: Vec<Listed>,
    /// Files in folders whose ending says that they are something else.
    pub skipped: Vec<PathBuf>,
    /// What could not be looked at.
    pub problems: Vec<(PathBuf, io::Error)>,
}

impl Listing {
    /// Bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().filter_map(|file| file.bytes).sum()
    }
}

/// Finds the files of `paths`.
///
/// A path that names a file is taken whatever its ending; `-` is standard input. A folder is walked
/// to the bottom and through symbolic links; a folder that several links lead to, or that holds
/// itself, is read once.
pub fn list(paths: &[PathBuf]) -> Listing {
    let mut listing = Listing::default();
    let mut seen = BTreeSet::new();
    for path in paths {
        if path.as_os_str() == "-" {
            listing.files.push(Listed {
                input: Input::Stdin,
                bytes: None,
            });
            continue;
        }
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => walk(path, &mut seen, &mut listing),
            Ok(found) => listing.files.push(Listed {
                input: Input::File(path.clone()),
                bytes: found.is_file().then_some(found.len()),
            }),
            Err(error) => listing.problems.push((path.clone(), error)),
        }
    }
    listing
}

/// Walks one folder without recursion: hostile nesting must not exhaust the stack.
fn walk(folder: &Path, seen: &mut BTreeSet<PathBuf>, listing: &mut Listing) {
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        if let Err(error) = step(&path, seen, &mut waiting, listing) {
            listing.problems.push((path, error));
        }
    }
}

fn step(
    path: &Path,
    seen: &mut BTreeSet<PathBuf>,
    waiting: &mut Vec<PathBuf>,
    listing: &mut Listing,
) -> io::Result<()> {
    let found = fs::metadata(path)?;
    if found.is_dir() {
        if seen.insert(fs::canonicalize(path)?) {
            let entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
            let mut entries: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
            entries.sort_unstable();
            // The last one put in is the first one taken out.
            waiting.extend(entries.into_iter().rev());
        }
    } else if found.is_file() && is_records(path) {
        listing.files.push(Listed {
            input: Input::File(path.to_owned()),
            bytes: Some(found.len()),
        });
    } else {
        listing.skipped.push(path.to_owned());
    }
    Ok(())
}

/// Whether a file's ending says that it holds records.
fn is_records(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let name = name.to_ascii_lowercase();
    let mut parts = name.rsplit('.');
    let mut ending = parts.next();
    if ending.is_some_and(|ending| PACKED.contains(&ending)) {
        ending = parts.next();
    }
    // A name that is an ending only, such as `log`, has no part before it.
    ending.is_some_and(|ending| ENDINGS.contains(&ending)) && parts.next().is_some()
}
