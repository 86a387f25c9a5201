//! Cases beside a rule: records, and which rules fire on them.
//!
//! `NAME.cases.yml` stands beside `NAME.yml`; `detections/README.md` shows its form. A case is judged
//! by the rules of its file and those that they refer to, by the same stages as `replay`.
//!
//! [`form`] reads a file, [`records`] makes the records of a case, [`judge`] judges it, [`run`] does so
//! for all cases of folders, and [`show`] tells what became of them.

use std::sync::Arc;

use palisade_detect::diagnostic::{Diagnostic, Place};
use palisade_detect::rule::RuleFile;
use palisade_detect::time::{Span, Timestamp};
use palisade_detect::yaml::Node;

pub mod form;
pub mod records;
pub mod judge;
pub mod run;
pub mod show;

/// Most records that one case may hold, repeats included.
pub const RECORDS_MAX: u32 = 10_000;
/// Most bytes that the records of one case may have.
pub const RECORD_BYTES_MAX: usize = 16 << 20;

/// The zero of every case: 2026-03-02T09:00:00Z.
pub const ZERO: Timestamp = Timestamp::from_unix_seconds(1_772_442_000);

/// A case file as read.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// Its name as shown to people.
    pub name: Arc<str>,
    /// Whether it is YAML at all.
    pub is_yaml: bool,
    /// The cases in which nothing is wrong.
    pub cases: Vec<Case>,
    /// Cases with too many records, without any repeats: what else they say can be wrong, too.
    pub oversized: Vec<Case>,
    /// What is wrong with it.
    pub problems: Vec<Diagnostic>,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows, as a sentence.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// What fires.
    pub fires: Fires,
    /// Rules that must stay silent, by id, name or title, each with its place.
    pub silent: Vec<(String, Place)>,
    /// Its records in their order.
    pub steps: Vec<Step>,
}

/// What fires in a case.
#[derive(Debug, Clone)]
pub enum Fires {
    /// Whether any rule of the file does.
    Any(bool),
    /// Nothing is said; `silent` says what does not.
    Unsaid,
    /// These rules, and none besides.
    These(Vec<Expected>),
}

/// A rule that fires.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Its id, name or title.
    pub rule: String,
    /// Where that is said.
    pub place: Place,
    /// How often; `None`: at least once.
    pub times: Option<u64>,
}

/// An entry of `records`.
#[derive(Debug, Clone)]
pub struct Step {
    /// Time from the case's zero.
    pub at: Span,
    /// Time between repeats.
    pub every: Span,
    /// How often it comes.
    pub repeat: u32,
    /// Where that is said, else the entry.
    pub repeat_place: Place,
    /// What comes.
    pub content: Content,
}

/// What an entry of `records` holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// The record itself, `${time}` and `${n}` in its texts not yet replaced.
    Inline(Node),
    /// Records of a file.
    File {
        /// Its path, from the case file's folder.
        path: String,
        /// Where the path stands.
        place: Place,
        /// Which of its records.
        select: Select,
        /// Where that is said.
        select_place: Place,
    },
}

/// Which records of a file.
#[derive(Debug, Clone)]
pub enum Select {
    /// All.
    All,
    /// The one of this number, counted from 1: in NDJSON, the line.
    Number(usize),
    /// What this JSON pointer leads to, in the first record where it leads anywhere.
    Pointer(String),
    /// The events whose field has this value.
    Field(String, String),
}

/// What is wrong with a case file, a problem a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct CaseError(pub Vec<Diagnostic>);

/// Reads a case file of which nothing may be wrong.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Vec<Case>, CaseError> {
    let file = form::parse(&RuleFile {
        name: Arc::from(name),
        bytes: bytes.to_vec(),
    });
    if file.problems.is_empty() {
        Ok(file.cases)
    } else {
        Err(CaseError(file.problems))
    }
}

impl Case {
    /// The rules that it names, each with its place.
    pub fn names(&self) -> impl Iterator<Item = (&str, &Place)> {
        let fires = match &self.fires {
            Fires::Any(_) | Fires::Unsaid => &[][..],
            Fires::These(rules) => rules,
        };
        let fires = fires.iter().map(|one| (&*one.rule, &one.place));
        let silent = self.silent.iter().map(|(rule, place)| (&**rule, place));
        fires.chain(silent)
    }
}

impl Fires {
    /// Whether something is expected to fire.
    pub fn expects_any(&self) -> bool {
        match self {
            Self::Any(fires) => *fires,
            Self::Unsaid => false,
            Self::These(rules) => rules.iter().any(|rule| rule.times != Some(0)),
        }
    }
}
