//! The lists beside the rules, of which those that rules name are read.
//!
//! They stand in the folder `lists` of a rules folder, or where it has none, beside it; for a rule file
//! by itself, in the folder `lists` of its folder, or beside that. A rule names a file by its stem, so
//! that it reaches nothing else; a link out of the folder is not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_detect::diagnostic::{Diagnostic, Place, code};
use palisade_detect::list::{
    self, BYTES_MAX, ENTRIES_MAX, Format, LIST_BYTES_MAX, LISTS_MAX, List, ListFile, Lists,
};
use palisade_detect::rule::{RuleFile, RuleSet, lists};

use super::walk::{name, unreadable};

/// The folder of lists.
const FOLDER: &str = "lists";
/// Most files in a folder of lists, whatever they are.
const FOLDER_FILES_MAX: usize = 10_000;
/// Largest list of which lines are shown in diagnostics; of a larger one the line's number is enough.
const SHOWN_BYTES_MAX: usize = 1 << 20;

/// What reading the lists has to say.
#[derive(Default)]
pub(super) struct Findings {
    /// What is wrong with lists that rules name.
    pub(super) problems: Vec<Diagnostic>,
    /// Texts of lists that were refused.
    pub(super) texts: Vec<RuleFile>,
}

/// Gives a set the lists that it names, of the folders that belong to these paths.
pub(super) fn load<'p>(paths: impl Iterator<Item = &'p Path>, set: &mut RuleSet) -> Findings {
    let mut catalogue = Catalogue::default();
    let mut seen = BTreeSet::new();
    for folder in paths.filter_map(folder_of) {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        if seen.insert(real) {
            catalogue.folder(&folder);
        }
    }
    catalogue.give(set)
}

/// Gives a set the lists that it names, out of files in memory.
pub(super) fn in_memory(files: &[RuleFile], set: &mut RuleSet) -> Findings {
    let mut catalogue = Catalogue::default();
    for file in files {
        catalogue.file(Path::new(&*file.name), Source::Memory(file));
    }
    catalogue.give(set)
}

/// The folder of lists that belongs to a path that rules are read from.
pub fn folder_of(path: &Path) -> Option<PathBuf> {
    let folder = if path.is_dir() {
        path.to_owned()
    } else {
        path.parent()?.to_owned()
    };
    let folder = if folder.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        folder
    };
    // Of `..` and such the folder above is known once it is resolved.
    let named = match folder.file_name() {
        Some(_) => folder,
        None => folder.canonicalize().unwrap_or(folder),
    };
    let within = named.join(FOLDER);
    let beside = || named.parent().map(|above| above.join(FOLDER));
    let mut folders = std::iter::once(within).chain(beside());
    folders.find(|folder| folder.is_dir())
}

/// Where a list is read from.
#[derive(Clone, Copy)]
enum Source<'a> {
    Disk,
    Memory(&'a RuleFile),
}

/// A file that a name leads to.
struct Known<'a> {
    path: PathBuf,
    format: Format,
    source: Source<'a>,
    /// Another file of the same stem.
    twin: Option<PathBuf>,
}

/// All files that could be lists, by their stems.
#[derive(Default)]
struct Catalogue<'a> {
    files: BTreeMap<String, Known<'a>>,
    findings: Findings,
}

impl<'a> Catalogue<'a> {
    /// Takes note of the files of a folder.
    fn folder(&mut self, folder: &Path) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.findings.problems.push(unreadable(folder, &error)),
        };
        let paths = entries.flatten().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> = paths.take(FOLDER_FILES_MAX + 1).collect();
        if paths.len() > FOLDER_FILES_MAX {
            let message = format!("folder holds more than the limit of {FOLDER_FILES_MAX} files");
            let place = Place::start_of(&name(folder));
            let problem = Diagnostic::error(code::LIST_LIMIT, &place, message);
            return self.findings.problems.push(problem);
        }
        paths.sort();
        for path in paths {
            self.file(&path, Source::Disk);
        }
    }

    /// Takes note of a file, if it can be a list.
    fn file(&mut self, path: &Path, source: Source<'a>) {
        let stem = path.file_stem().and_then(OsStr::to_str);
        let ending = path.extension().and_then(OsStr::to_str);
        let (Some(stem), Some(format)) = (stem, ending.and_then(Format::of)) else {
            return;
        };
        if stem.starts_with('.') {
            return;
        }
        if !matches!(list::parts(stem), Some((_, None))) {
            let message = "no rule can name this list";
            let place = Place::start_of(&name(path));
            self.findings.problems.push(
                Diagnostic::warning(code::LIST_NAME, &place, message)
                    .with_help("the name of a list is made of ASCII letters, digits, `-` and `_`"),
            );
            return;
        }
        if let Some(known) = self.files.get_mut(stem) {
            known.twin.get_or_insert_with(|| path.to_owned());
            return;
        }
        let known = Known {
            path: path.to_owned(),
            format,
            source,
            twin: None,
        };
        self.files.insert(stem.to_owned(), known);
    }

    /// Reads the lists that a set names.
    fn give(mut self, set: &mut RuleSet) -> Findings {
        let mut found = Lists::default();
        for stem in self.files.keys() {
            found.know(stem);
        }
        let mut read = 0;
        for wanted in lists::names(set) {
            let Some((stem, column)) = list::parts(&wanted) else {
                continue;
            };
            let Some(known) = self.files.get(stem) else {
                continue;
            };
            read += 1;
            let problems = if read > LISTS_MAX {
                let message = format!("rules name more than the limit of {LISTS_MAX} lists");
                Err(vec![about(known, code::LIST_LIMIT, message)])
            } else {
                known.read(column, &found)
            };
            match problems {
                Ok(list) => {
                    if !list.doubts().is_empty() {
                        self.findings.problems.extend(list.doubts().iter().cloned());
                        self.findings.texts.extend(known.text());
                    }
                    found.insert(&wanted, Some(list));
                }
                Err(problems) => {
                    let text = known.text();
                    self.findings.problems.extend(problems);
                    self.findings.texts.extend(text);
                    found.insert(&wanted, None);
                }
            }
        }
        set.lists = Arc::new(found);
        self.findings
    }
}

impl Known<'_> {
    /// Reads one list beside those that were read already.
    fn read(&self, column: Option<&str>, others: &Lists) -> Result<List, Vec<Diagnostic>> {
        if let Some(twin) = &self.twin {
            let message = format!("`{}` has the same name", name(twin));
            return Err(vec![about(self, code::LIST_ENTRY, message)]);
        }
        let bytes = self.bytes();
        let bytes = bytes.map_err(|error| vec![unreadable(&self.path, &error)])?;
        let file = ListFile {
            name: name(&self.path),
            format: self.format,
            bytes,
        };
        let list = List::read(file, column)?;
        if list.len() + others.entries() > ENTRIES_MAX || list.bytes() + others.bytes() > BYTES_MAX
        {
            let message = format!(
                "the lists of the set have more than the limit of {ENTRIES_MAX} entries or \
                 {BYTES_MAX} bytes"
            );
            return Err(vec![about(self, code::LIST_LIMIT, message)]);
        }
        Ok(list)
    }

    /// Its bytes, and one more if there are too many.
    fn bytes(&self) -> io::Result<Vec<u8>> {
        if let Source::Memory(file) = self.source {
            return Ok(file.bytes.clone());
        }
        let real = self.inside()?;
        // Opening a pipe would wait for whoever writes to it.
        let facts = fs::metadata(&real)?;
        if !facts.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let most = LIST_BYTES_MAX + 1;
        // The list keeps the buffer, so it should be as large as the file.
        let size = usize::try_from(facts.len()).unwrap_or(most).min(most);
        let mut bytes = Vec::with_capacity(size + 1);
        File::open(&real)?
            .take(most as u64)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Where it really stands.
    ///
    /// # Errors
    /// When it is a link out of the folder of lists, or to nowhere: a name reaches nothing but that folder,
    /// and what is wrong with other files is not to be shown here. Links inside, as mounted
    /// configuration has them, are followed.
    fn inside(&self) -> io::Result<PathBuf> {
        let real = self.path.canonicalize()?;
        let folder = self.path.parent().map(Path::canonicalize).transpose()?;
        if folder.is_some_and(|folder| real.starts_with(folder)) {
            return Ok(real);
        }
        Err(io::Error::other(
            "it is a link that leads out of the folder of lists",
        ))
    }

    /// Its text, to show lines of, unless it is large.
    fn text(&self) -> Option<RuleFile> {
        let bytes = self.bytes().ok()?;
        let name = name(&self.path);
        (bytes.len() <= SHOWN_BYTES_MAX).then_some(RuleFile { name, bytes })
    }
}

/// An error about a list as a whole.
fn about(known: &Known<'_>, code: code::Code, message: String) -> Diagnostic {
    Diagnostic::error(code, &Place::start_of(&name(&known.path)), message)
}
