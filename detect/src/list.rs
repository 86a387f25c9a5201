//! Lists that rules look values up in (`|in_list: NAME`), compact and pure: the caller reads files.
//!
//! ```text
//! NAME.txt   one entry a line; a line, or the rest of one behind a space, that begins with `#` is a comment
//! NAME.csv   a header and rows; the first column, or with `NAME.column` the column of that name
//! NAME.yml   a list of scalars, or {kind: exact | cidr | suffix, entries: [...]}
//! ```
//!
//! Where no `kind` is given, an entry is what it looks like: an address or a range (`10.0.0.0/8`), a
//! suffix (`*.evil.example`, `.evil.example`), else a whole value. A whole value that looks like an address and
//! is none (`10.0/8`, `01.2.3.4`) is doubted, and so is a list without entries.
//!
//! Memory: a list keeps the text of its file and eight bytes for each entry, sorted. A million SHA-256
//! hashes take 70 MiB. A table of hashes would be searched faster, but can be made slow by who chooses
//! the entries.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;

mod read;
mod table;

use table::{Ranges, Table};

/// Most entries of one list; with more, the list is refused.
pub const LIST_ENTRIES_MAX: usize = 1_000_000;
/// Most entries of all lists of a set.
pub const ENTRIES_MAX: usize = 2_000_000;
/// Most bytes of all lists of a set, comments and columns that nobody asks for included.
pub const BYTES_MAX: usize = 256 << 20;
/// Longest entry, in bytes. Longer than any name, address or hash; a place in the text fits 16 bits.
pub const ENTRY_BYTES_MAX: usize = 1_024;
/// Largest file of a list: a million lines of 64 characters.
pub const LIST_BYTES_MAX: usize = 64 << 20;
/// Most lists of a set, columns counted apart.
pub const LISTS_MAX: usize = 1_000;
/// Longest name of a list, in bytes, its column included.
pub const NAME_BYTES_MAX: usize = 128;
/// Most problems that are reported of one list.
pub const LIST_PROBLEMS_MAX: usize = 20;

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// One entry a line.
    Txt,
    /// A header, then rows of values between commas.
    Csv,
    /// YAML.
    Yml,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The whole value.
    Exact,
    /// An address or a range of addresses.
    Cidr,
    /// A value that is this, or ends in it behind a dot or an `@`.
    Suffix,
}

/// The file of a list.
#[derive(Debug)]
pub struct ListFile {
    /// Name shown in diagnostics.
    pub name: Arc<str>,
    /// How it is written.
    pub format: Format,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A list of values, ready to be searched.
#[derive(Default)]
pub struct List {
    exact: Table,
    suffixes: Table,
    ranges: Ranges,
    /// Hash of the file.
    digest: [u8; 32],
    /// What is probably not what was meant.
    doubts: Vec<Diagnostic>,
}

/// The lists of a rule set by name.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    /// Those that were read.
    found: BTreeMap<String, Arc<List>>,
    /// Names that could be given, whether or not such a list was read.
    known: BTreeSet<String>,
    /// Lists that were refused.
    refused: BTreeSet<String>,
}

/// What a name leads to.
#[derive(Debug, Clone)]
pub enum Looked {
    /// The list.
    Found(Arc<List>),
    /// There is one, but it was refused.
    Refused,
    /// There is none.
    Unknown,
}

/// The parts of a list's name: the file's stem, and a column.
///
/// A stem is made of ASCII letters, digits, `-` and `_`: no name leads out of the folder.
pub fn parts(name: &str) -> Option<(&str, Option<&str>)> {
    let (stem, column) = match name.split_once('.') {
        Some((stem, column)) => (stem, Some(column)),
        None => (name, None),
    };
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let sound = !stem.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && stem.bytes().all(letter)
        && column.is_none_or(|column| !column.is_empty() && !column.contains(char::is_control));
    sound.then_some((stem, column))
}

impl Format {
    /// The format of a file with this ending.
    pub fn of(ending: &str) -> Option<Self> {
        match ending {
            "txt" => Some(Self::Txt),
            "csv" => Some(Self::Csv),
            "yml" | "yaml" => Some(Self::Yml),
            _ => None,
        }
    }
}

impl List {
    /// Reads a list; of a CSV file the named column, else the first.
    ///
    /// # Errors
    /// Everything that is wrong with the file, up to [`LIST_PROBLEMS_MAX`] problems: half a list would
    /// miss in silence.
    pub fn read(file: ListFile, column: Option<&str>) -> Result<Self, Vec<Diagnostic>> {
        let digest = *blake3::hash(&file.bytes).as_bytes();
        let list = read::read(file, column)?;
        Ok(Self { digest, ..list })
    }

    /// Whether a value is on the list. `folded` is `raw` under case folding; with `cased` case counts.
    pub fn holds(&self, raw: &str, folded: &str, cased: bool) -> bool {
        self.exact.holds(raw, folded, cased)
            || self.suffixes.holds_end_of(raw, folded, cased)
            || (!self.ranges.is_empty()
                && raw
                    .parse::<IpAddr>()
                    .is_ok_and(|address| self.ranges.holds(address)))
    }

    /// What loads, but is probably not what was meant: up to [`LIST_PROBLEMS_MAX`] warnings.
    pub fn doubts(&self) -> &[Diagnostic] {
        &self.doubts
    }

    /// Hash of the file that it was read from.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Number of entries, repeats apart.
    pub fn len(&self) -> usize {
        self.exact.len() + self.suffixes.len() + self.ranges.len()
    }

    /// Whether nothing is on it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.exact.bytes() + self.suffixes.bytes() + self.ranges.bytes()
    }
}

/// Numbers only: the entries are data.
impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("List")
            .field("entries", &self.len())
            .field("bytes", &self.bytes())
            .finish()
    }
}

impl Lists {
    /// Takes note that a list of this name could be given.
    pub fn know(&mut self, name: &str) {
        self.known.insert(name.to_owned());
    }

    /// Adds a list, or that it was refused.
    pub fn insert(&mut self, name: &str, list: Option<List>) {
        self.know(name);
        match list {
            Some(list) => {
                self.found.insert(name.to_owned(), Arc::new(list));
            }
            None => {
                self.refused.insert(name.to_owned());
            }
        }
    }

    /// The list of a name.
    pub fn look(&self, name: &str) -> Looked {
        match self.found.get(name) {
            Some(list) => Looked::Found(Arc::clone(list)),
            None if self.refused.contains(name) => Looked::Refused,
            None => Looked::Unknown,
        }
    }

    /// All names that could be given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }

    /// Entries of all lists together.
    pub fn entries(&self) -> usize {
        self.found.values().map(|list| list.len()).sum()
    }

    /// Bytes of all lists together.
    pub fn bytes(&self) -> usize {
        self.found.values().map(|list| list.bytes()).sum()
    }
}

#[cfg(test)]
mod tests;
