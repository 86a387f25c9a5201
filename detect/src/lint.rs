//! Checks: what loads, but could be better, or is probably not what was meant.
//!
//! Each check is a row of the catalogue: a code, a severity that is never an error, and a function
//! that looks at a [`Workspace`] and says what it finds. Files of checks have tables of their own,
//! which [`CATALOGUE`] lists. To add a check: a row in `diagnostic/code.rs`, its explanation in
//! `diagnostic/explain/`, a row in the table of its file and its function.

use std::borrow::Cow;

use crate::diagnostic::{Code, Diagnostic, Severity, code};
use crate::logsource::Logsource;
use crate::observed::Observed;
use crate::rule::parse::{Refused, RuleAt, RuleDocument};
use crate::rule::{Correlation, Detection, Filter, Meta, RuleFile, RuleSet};
use crate::time::Timestamp;
use crate::yaml::{self, Node};

mod found;
mod entry;
pub mod allow;
mod meta;
mod dates;
mod prose;
mod keys;
mod style;
mod house;
mod bytes;
mod yaml11;
mod tags;
mod techniques;
mod duplicate;
pub(crate) mod items;
mod ranges;
mod facts;
mod logic;
mod value;
mod modifier;
mod regex;
mod cost;
mod correlation;
mod fields;
mod filter;
mod pipeline;
mod cases;

pub use found::{FILE_FINDINGS_MAX, FINDINGS_MAX, Found};

/// Everything that checks look at.
#[derive(Debug, Clone, Copy)]
pub struct Workspace<'a> {
    /// The rule files as read.
    pub files: &'a [RuleFile],
    /// Every document that stands for a rule, as YAML, in load order. [`RuleDocument::rule`] says
    /// which rule of [`Workspace::rules`] it became.
    pub documents: &'a [RuleDocument],
    /// The rules as written: before pipelines, filters not joined.
    pub rules: &'a RuleSet,
    /// The rules as judged: after pipelines, filters joined. Rules that a pipeline refused are gone,
    /// so that they stand at other places than in [`Workspace::rules`]; [`Workspace::pairs`] brings
    /// both together.
    pub judged: &'a RuleSet,
    /// The pipeline files that apply, as YAML.
    pub pipelines: &'a [Sheet],
    /// Case files beside the rules, as YAML.
    pub cases: &'a [Sheet],
    /// Which log types there are, and the fields that their events were seen with.
    pub observed: Option<&'a Observed>,
    /// The time by which dates are judged; `None`: they are not.
    pub now: Option<Timestamp>,
}

/// A file beside the rules.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The file as read.
    pub file: RuleFile,
    /// Its documents.
    pub documents: Vec<Node>,
}

/// One check.
#[derive(Clone, Copy)]
pub struct Check {
    /// What its findings are called; all of them have this code.
    pub code: Code,
    /// How bad they are: [`Severity::Warning`] or [`Severity::Info`].
    pub severity: Severity,
    /// Says what it finds. The severity of the diagnostics is set by the caller.
    pub run: fn(&Workspace<'_>, &mut Found),
}

/// What a check does.
type Run = fn(&Workspace<'_>, &mut Found);

impl Check {
    /// A check whose findings are warnings.
    const fn warning(code: Code, run: Run) -> Self {
        let severity = Severity::Warning;
        Self {
            code,
            severity,
            run,
        }
    }

    /// A check whose findings are advice.
    const fn info(code: Code, run: Run) -> Self {
        let severity = Severity::Info;
        Self {
            code,
            severity,
            run,
        }
    }
}

/// Every check, by the file that it stands in.
pub const CATALOGUE: &[&[Check]] = &[
    meta::CHECKS,
    dates::CHECKS,
    prose::CHECKS,
    keys::CHECKS,
    style::CHECKS,
    house::CHECKS,
    bytes::CHECKS,
    yaml11::CHECKS,
    tags::CHECKS,
    techniques::CHECKS,
    duplicate::CHECKS,
    logic::CHECKS,
    value::CHECKS,
    modifier::CHECKS,
    regex::CHECKS,
    cost::CHECKS,
    correlation::CHECKS,
    fields::CHECKS,
    filter::CHECKS,
    pipeline::CHECKS,
    cases::CHECKS,
];

/// Codes of the language that are never an error: what they find loads all the same.
const MILD: &[Code] = &[
    code::ALL_WITH_ONE_VALUE,
    code::NULL_IN_LIST,
    code::LIST_NAME,
    code::LIST_ADDRESS,
    code::LIST_EMPTY,
    code::LINK_CIRCLE,
    code::FILTER_WITHOUT_NOT,
    code::EXCEPTION_ENDS_SOON,
    code::EXCEPTION_ENDED,
    code::OVERRIDE_UNKNOWN,
    code::CHOICE_MATCHES_NOTHING,
    code::OVERRIDE_WITHOUT_EFFECT,
    code::ALLOW_UNUSED,
    code::ALLOW_UNKNOWN_CODE,
    code::ALLOW_FORM,
];

/// Checks whose findings are shown only where levels or the command line name their code: they are right
/// for some collections of rules, and noise in all others.
pub const ASKED_FOR: &[Code] = &[code::HOUSE_EXTENSION];

/// How bad a code is at its worst.
pub fn severity(code: Code) -> Severity {
    let mut checks = CATALOGUE.iter().copied().flatten();
    match checks.find(|check| check.code == code) {
        Some(check) => check.severity,
        None if MILD.contains(&code) => Severity::Warning,
        None => Severity::Error,
    }
}

/// Runs every check. What two documents share, such as a template's entry, is reported once.
pub fn lint(workspace: &Workspace<'_>) -> Vec<Diagnostic> {
    let mut all = Vec::new();
    for check in CATALOGUE.iter().copied().flatten() {
        let mut found = Found::default();
        (check.run)(workspace, &mut found);
        let mut found = found.finish();
        for diagnostic in &mut found {
            debug_assert_eq!(diagnostic.code, check.code.id, "a check has one code");
            diagnostic.severity = check.severity;
        }
        all.append(&mut found);
    }
    let place = |one: &Diagnostic| (one.place.file.clone(), one.place.span.start, one.code);
    all.sort_by(|a, b| place(a).cmp(&place(b)));
    all.dedup_by(|a, b| a.code == b.code && a.place == b.place && a.message == b.message);
    all
}

/// A rule as written, of whatever kind.
#[derive(Debug, Clone, Copy)]
pub enum Rule<'a> {
    /// A detection rule.
    Detection(&'a Detection),
    /// A correlation rule.
    Correlation(&'a Correlation),
    /// A filter.
    Filter(&'a Filter),
}

impl<'a> Rule<'a> {
    /// Its title, id and the rest.
    pub const fn meta(self) -> &'a Meta {
        match self {
            Self::Detection(rule) => &rule.meta,
            Self::Correlation(rule) => &rule.meta,
            Self::Filter(rule) => &rule.meta,
        }
    }
}

impl<'a> Workspace<'a> {
    /// The rule that a document became, as written; `None` if it does not load.
    pub fn rule(&self, document: &RuleDocument) -> Option<Rule<'a>> {
        match document.rule? {
            RuleAt::Detection(at) => self.rules.detections.get(at).map(Rule::Detection),
            RuleAt::Correlation(at) => self.rules.correlations.get(at).map(Rule::Correlation),
            RuleAt::Filter(at) => self.rules.filters.get(at).map(Rule::Filter),
        }
    }

    /// The documents that load, each with its rule.
    pub fn loaded(&self) -> impl Iterator<Item = (&'a RuleDocument, Rule<'a>)> + use<'a> {
        let workspace = *self;
        self.documents
            .iter()
            .filter_map(move |document| Some((document, workspace.rule(document)?)))
    }

    /// The documents of which all could be read, each with what it says: those that load, and those
    /// that are refused for their metadata, or for a rule before them.
    pub fn readable(&self) -> impl Iterator<Item = (&'a RuleDocument, Rule<'a>)> + use<'a> {
        let workspace = *self;
        self.documents.iter().filter_map(move |document| {
            let refused = || match document.refused.as_ref()? {
                Refused::Detection(rule) => Some(Rule::Detection(rule)),
                Refused::Filter(filter) => Some(Rule::Filter(filter)),
            };
            Some((document, workspace.rule(document).or_else(refused)?))
        })
    }

    /// The documents of rules that alert, whether they load or not.
    pub(crate) fn alerting(&self) -> impl Iterator<Item = &'a RuleDocument> + use<'a> {
        self.documents.iter().filter(|document| {
            let has = |key| document.root.get(key).is_some();
            (has("detection") || has("correlation")) && !has("filter")
        })
    }

    /// Detection rules as written, each with what pipelines and filters made of it.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a Detection, &'a Detection)> {
        // Pipelines take rules out and keep the order of the others.
        let mut judged = self.judged.detections.iter().peekable();
        self.rules.detections.iter().filter_map(move |written| {
            let same = judged.next_if(|judged| judged.place == written.place)?;
            Some((written, same))
        })
    }

    /// The bytes of the file that a document stands in.
    pub fn bytes(&self, document: &RuleDocument) -> &'a [u8] {
        self.files
            .get(document.file)
            .map_or(&[], |file| file.bytes.as_slice())
    }
}

/// How a document's rule is called: its id, else name, else title.
pub(crate) fn key_of(document: &RuleDocument) -> Option<&str> {
    ["id", "name", "title"].iter().find_map(|key| {
        let text = document.root.get(key).and_then(Node::as_text);
        text.filter(|text| !text.is_empty())
    })
}

/// The log source of a detection rule as written, as far as it can be read.
pub(crate) fn logsource_of(document: &RuleDocument) -> Option<Logsource> {
    document.root.get("detection")?;
    let node = document.root.get("logsource")?;
    let part = |key: &str| {
        let text = node.get(key).and_then(Node::as_text);
        text.map(|text| Cow::Owned(text.to_owned()))
    };
    Some(Logsource {
        product: part("product"),
        service: part("service"),
        category: part("category"),
    })
}

impl Sheet {
    /// Reads a file as YAML.
    ///
    /// # Errors
    /// What keeps it from being YAML.
    pub fn read(file: RuleFile) -> Result<Self, Vec<Diagnostic>> {
        let documents = yaml::parse(&file.name, &file.bytes)?;
        Ok(Self { file, documents })
    }
}

#[cfg(test)]
mod tests;
