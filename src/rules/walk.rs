//! Rule files under folders, in load order.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_detect::diagnostic::{Diagnostic, Place, code};
use palisade_detect::rule::RuleFile;
use palisade_detect::yaml::FILE_BYTES_MAX;

/// Most rule files of a set; the public collections hold a few thousand. A larger set is refused as
/// a whole: a part of it would look like full coverage.
pub const RULE_FILES_MAX: usize = 50_000;
/// Most bytes of all rule files of a set, which are held in memory while they are read. The largest
/// public collection has 8 MiB. A larger set is refused as a whole.
pub const RULE_BYTES_MAX: usize = 128 << 20;
/// Deepest folder below a path that is entered.
const FOLDER_DEPTH_MAX: usize = 32;
/// Most links of a folder of which is said that they lead to what was read already.
const CIRCLES_SAID_MAX: usize = 10;
/// Folders that hold no rules.
const SKIPPED_FOLDERS: [&str; 2] = ["pipelines", "lists"];

/// Reads all rule files at these paths: a file as it is; of a folder everything below it that is a
/// rule file, by relative path. A file that is reached twice is read once.
///
/// Skipped are hidden entries, `*.cases.yml` and the folders `pipelines` and `lists`. A link inside a
/// folder is followed if it stays in there; a path that is given may itself be a link. A circle of links
/// is followed only once. Of a set over [`RULE_FILES_MAX`] or [`RULE_BYTES_MAX`] no
/// file is given.
pub fn walk(paths: &[PathBuf]) -> (Vec<RuleFile>, Vec<Diagnostic>) {
    let mut walk = Walk::default();
    for path in paths {
        for found in walk.paths_of(path) {
            if let Err(over) = walk.file(&found) {
                walk.problems.push(over);
                return (Vec::new(), walk.problems);
            }
        }
    }
    (walk.files, walk.problems)
}

/// Reads all case files at these paths, within the limits of [`walk`]: `NAME.cases.yml` beside a file,
/// and all below a folder.
pub(super) fn cases(paths: &[PathBuf]) -> (Vec<RuleFile>, Vec<Diagnostic>) {
    let mut walk = Walk {
        wanted: Wanted::Cases,
        ..Walk::default()
    };
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(walk.paths_of(path));
        } else {
            let beside = ["cases.yml", "cases.yaml"].map(|end| path.with_extension(end));
            let beside = beside.into_iter().filter(|path| path.is_file());
            found.extend(beside.map(Found::new));
        }
    }
    // What keeps a folder from being read is reported with its rules.
    walk.problems.clear();
    for found in found {
        if let Err(over) = walk.file(&found) {
            walk.problems.push(over);
            return (Vec::new(), walk.problems);
        }
    }
    (walk.files, walk.problems)
}

/// Which files of a folder are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Wanted {
    #[default]
    Rules,
    Cases,
}

/// Reads one file, bounded: a file over the limit is cut one byte after it, which the reader of YAML
/// then refuses.
///
/// # Errors
/// The reason as a diagnostic.
pub(super) fn read(path: &Path) -> Result<RuleFile, Diagnostic> {
    let bytes = bytes(path).map_err(|error| unreadable(path, &error))?;
    Ok(RuleFile {
        name: name(path),
        bytes,
    })
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for whoever writes to it.
    let facts = fs::metadata(path)?;
    if !facts.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let size = usize::try_from(facts.len()).unwrap_or(usize::MAX);
    // With room for one byte more, the end is found without growing.
    let mut bytes = Vec::with_capacity(size.min(FILE_BYTES_MAX).saturating_add(1));
    let file = File::open(path)?;
    file.take(FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[derive(Default)]
pub(super) struct Walk {
    pub(super) files: Vec<RuleFile>,
    bytes: usize,
    pub(super) problems: Vec<Diagnostic>,
    /// Where files stand that were read.
    pub(super) seen: HashSet<PathBuf>,
    /// Links that lead out of the folder they were found in; they are not read.
    pub(super) outside: BTreeSet<PathBuf>,
    wanted: Wanted,
}

/// A file that is to be read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Where it really stands, if that is known without asking: it is no link, and neither is what led
    /// to it.
    real: Option<PathBuf>,
}

/// What is known of a folder that was given while it is walked.
struct Root {
    /// Where it really stands.
    real: Option<PathBuf>,
    /// The folders that were entered, as they really are.
    entered: BTreeSet<PathBuf>,
    /// How many links led to one of them.
    circles: usize,
}

impl Found {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, real: None }
    }
}

impl Walk {
    /// The files that a path stands for, in load order.
    pub(super) fn paths_of(&mut self, path: &Path) -> Vec<Found> {
        if !path.is_dir() {
            return vec![Found::new(path.to_owned())];
        }
        let mut found = Vec::new();
        let mut root = Root {
            real: path.canonicalize().ok(),
            entered: BTreeSet::new(),
            circles: 0,
        };
        self.folder(path, 0, &mut root, &mut found);
        if found.is_empty() {
            let place = Place::start_of(&name(path));
            let message = "no rule file stands in this folder or below it";
            let help = "rule files end in `.yml` or `.yaml`; hidden files, cases and what stands in \
                        `pipelines` or `lists` are none";
            let problem = Diagnostic::warning(code::FILE_UNREADABLE, &place, message);
            self.problems.push(problem.with_help(help));
        }
        // By the relative path as one text, which is how the files stand in a listing.
        let relative = |file: &Found| name(file.path.strip_prefix(path).unwrap_or(&file.path));
        found.sort_by_cached_key(relative);
        found
    }

    /// Collects the rule files below a folder, unless it was entered under another name:
    /// links between a few folders would make ways without number.
    fn folder(&mut self, folder: &Path, depth: usize, root: &mut Root, found: &mut Vec<Found>) {
        let entries = folder
            .canonicalize()
            .and_then(|real| Ok((real, fs::read_dir(folder)?)));
        let (real, entries) = match entries {
            Ok(both) => both,
            Err(error) => return self.problems.push(unreadable(folder, &error)),
        };
        if !root.entered.insert(real.clone()) {
            return self.circle(folder, root);
        }
        if depth >= FOLDER_DEPTH_MAX {
            let message =
                format!("folder lies deeper than the limit of {FOLDER_DEPTH_MAX} folders");
            let place = Place::start_of(&name(folder));
            self.problems
                .push(Diagnostic::error(code::FILE_UNREADABLE, &place, message));
            return;
        }
        let mut inside: Vec<(OsString, Kind)> = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => inside.push((entry.file_name(), Kind::of(&entry))),
                Err(error) => self.problems.push(unreadable(folder, &error)),
            }
        }
        // Under which of its names a folder is entered must not depend on the file system.
        inside.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (file_name, kind) in inside {
            let path = folder.join(&file_name);
            let name = file_name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let is_dir = || kind == Kind::Folder || kind == Kind::Unsure && path.is_dir();
            if kind == Kind::Unsure && root.is_left_by(&path) {
                // Whoever wants it is told.
                if is_dir() || self.wanted.includes(&name) {
                    self.outside.insert(path.clone());
                    found.push(Found::new(path));
                }
            } else if is_dir() {
                if !SKIPPED_FOLDERS.contains(&&*name) {
                    self.folder(&path, depth + 1, root, found);
                }
            } else if self.wanted.includes(&name) {
                let real = (kind == Kind::File).then(|| real.join(&file_name));
                found.push(Found { path, real });
            }
        }
    }

    /// Says of a folder that it was read already, under another name.
    fn circle(&mut self, folder: &Path, root: &mut Root) {
        root.circles += 1;
        if root.circles > CIRCLES_SAID_MAX {
            return;
        }
        let message = "this link leads to a folder that is read already, and is not followed";
        let place = Place::start_of(&name(folder));
        self.problems.push(
            Diagnostic::warning(code::LINK_CIRCLE, &place, message)
                .with_help("take the link out: each rule is read once"),
        );
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When the set is over a limit with it.
    pub(super) fn file(&mut self, Found { path, real }: &Found) -> Result<(), Diagnostic> {
        if self.outside.contains(path) {
            let error = io::Error::other("it is a link that leads out of the folder of rules");
            self.problems.push(unreadable(path, &error).with_help(
                "put the file there itself, or name the folder that it stands in beside this one",
            ));
            return Ok(());
        }
        let real = real.clone().or_else(|| path.canonicalize().ok());
        if let Some(real) = real
            && !self.seen.insert(real)
        {
            return Ok(());
        }
        let over = |what: String| {
            let place = Place::start_of(&name(path));
            let message = format!("the rule set has more than {what} with this file");
            Diagnostic::error(code::TOO_MANY_RULES, &place, message)
                .with_help("nothing of it is loaded: name fewer folders, or split the set")
        };
        if self.files.len() >= RULE_FILES_MAX {
            return Err(over(format!("the limit of {RULE_FILES_MAX} files")));
        }
        match read(path) {
            Ok(file) => {
                self.bytes += file.bytes.len();
                if self.bytes > RULE_BYTES_MAX {
                    return Err(over(format!("the limit of {RULE_BYTES_MAX} bytes")));
                }
                self.files.push(file);
            }
            Err(problem) => self.problems.push(problem),
        }
        Ok(())
    }
}

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    /// A link, or something that must be asked.
    Unsure,
}

impl Kind {
    fn of(entry: &fs::DirEntry) -> Self {
        match entry.file_type() {
            Ok(kind) if kind.is_file() => Self::File,
            Ok(kind) if kind.is_dir() => Self::Folder,
            _ => Self::Unsure,
        }
    }
}

impl Root {
    /// Whether an entry is a link that leads out of the folder: what stands elsewhere is not for whoever
    /// writes rules to show. A link to nowhere stays, and cannot be read.
    fn is_left_by(&self, path: &Path) -> bool {
        let link = path
            .symlink_metadata()
            .is_ok_and(|facts| facts.is_symlink());
        let (true, Some(root), Ok(real)) = (link, &self.real, path.canonicalize()) else {
            return false;
        };
        !real.starts_with(root)
    }
}

impl Wanted {
    /// Whether a file of this name is read.
    fn includes(self, name: &str) -> bool {
        let Some((stem, "yml" | "yaml")) = name.rsplit_once('.') else {
            return false;
        };
        let of_cases = stem
            .rsplit_once('.')
            .is_some_and(|(_, inner)| inner == "cases");
        of_cases == (self == Self::Cases)
    }
}

/// A path with `/` between its parts, as diagnostics show it.
pub(super) fn name(path: &Path) -> Arc<str> {
    let parts = path.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' {
        Arc::from(parts)
    } else {
        Arc::from(parts.replace(std::path::MAIN_SEPARATOR, "/"))
    }
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let message = format!("this cannot be read: {error}");
    let help = match error.kind() {
        io::ErrorKind::NotFound => {
            "see whether the path is spelled right, and whether a link there leads to what exists"
        }
        io::ErrorKind::PermissionDenied => "let the account that runs this read it",
        _ => "put a plain file or folder there",
    };
    let place = Place::start_of(&name(path));
    Diagnostic::error(code::FILE_UNREADABLE, &place, message).with_help(help)
}
