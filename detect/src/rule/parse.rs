//! Rule files to [`RuleSet`]: every problem of every file, none of which stops the others.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Place, code};
use crate::yaml::{self, Node};

use super::item::{Expressions, PATTERN_BYTES_MAX};
use super::{Detection, Filter, Meta, RuleFile, RuleSet};

mod collection;
mod correlation;
mod detection;
mod document;
mod filter;
mod misspelt;
mod reference;

use collection::Collection;
use correlation::Pending;
use reference::Drafts;

pub use correlation::{OPERATORS, type_names};
pub use misspelt::{CORRELATION_KEYS, meant};
pub use reference::{CHAIN_DEPTH_MAX, CHAIN_WAYS_MAX};

/// Most rules, correlations and filters of one set together. A larger set is refused as a whole: a
/// part of it, chosen by chance of order, would look like full coverage.
pub const RULES_MAX: usize = 50_000;
/// Most problems that are reported of one file.
pub const FILE_PROBLEMS_MAX: usize = 1_000;

/// What rule files say, as rules and as the documents that those were read from.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The rules that can be honoured.
    pub rules: RuleSet,
    /// Every document that stands for a rule, in load order, whether the rule loads or not. One that
    /// is no proper YAML is left out.
    pub documents: Vec<RuleDocument>,
    /// Every problem of every file.
    pub diagnostics: Vec<Diagnostic>,
}

/// A document that stands for a rule; templates of a legacy collection are merged into it.
#[derive(Debug, Clone)]
pub struct RuleDocument {
    /// Place of its file among those that were read.
    pub file: usize,
    /// What it says, a mapping.
    pub root: Arc<Node>,
    /// The rule that was made of it; `None` if it does not load.
    pub rule: Option<RuleAt>,
    /// What it says, if all of that could be read and the rule is refused all the same.
    pub refused: Option<Refused>,
    /// Where the errors of a document that is refused begin, as bytes of its file.
    pub errors: Vec<usize>,
}

/// A rule that could be read and does not load, because of its metadata or of a rule before it.
#[derive(Debug, Clone)]
pub enum Refused {
    /// A detection rule.
    Detection(Box<Detection>),
    /// A filter.
    Filter(Box<Filter>),
}

/// The place of a rule in a [`RuleSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAt {
    /// In [`RuleSet::detections`].
    Detection(usize),
    /// In [`RuleSet::correlations`].
    Correlation(usize),
    /// In [`RuleSet::filters`].
    Filter(usize),
}

/// Reads rule files in the order given.
///
/// A document that cannot be honoured completely is left out and reported; the others load. What
/// pipelines may still change (values under `expand`) is judged by [`super::Item::meaning`] later.
/// With more than [`RULES_MAX`] rules the set is empty and the error says so.
pub fn parse(files: &[RuleFile]) -> (RuleSet, Vec<Diagnostic>) {
    let parsed = parse_at_most(RULES_MAX, files, Documents::Dropped);
    (parsed.rules, parsed.diagnostics)
}

/// As [`parse`], and hands out the documents, for those who judge more than whether rules load.
pub fn parse_documents(files: &[RuleFile]) -> Parsed {
    parse_at_most(RULES_MAX, files, Documents::Kept)
}

/// Whether documents are kept when their rules have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Documents {
    #[default]
    Dropped,
    Kept,
}

/// As [`parse`], with a limit of `most` rules.
fn parse_at_most(most: usize, files: &[RuleFile], keep: Documents) -> Parsed {
    let mut loader = Loader {
        most,
        keep,
        ..Loader::default()
    };
    let over = |file: &RuleFile, mut diagnostics: Vec<Diagnostic>| {
        let place = Place::start_of(&file.name);
        let message = format!("rule set holds more than the limit of {most} rules");
        diagnostics.push(Diagnostic::error(code::TOO_MANY_RULES, &place, message));
        Parsed {
            diagnostics,
            ..Parsed::default()
        }
    };
    // Too many are told before memory is spent on them: a document is at most one rule.
    let mut documents = 0;
    for file in files {
        documents += written(&file.bytes);
        if documents > most {
            return over(file, Vec::new());
        }
    }
    for (at, file) in files.iter().enumerate() {
        loader.at = at;
        loader.file(file);
        if loader.rules > most {
            return over(file, loader.diagnostics);
        }
    }
    loader.finish()
}

/// How many documents of a file say something, by the lines that begin or end one. Nowhere else in YAML
/// may a line begin so.
fn written(bytes: &[u8]) -> usize {
    let mut documents = 0;
    // Whether the document that is looked at was counted.
    let mut counted = false;
    let ends = memchr::memchr2_iter(b'\n', b'\r', bytes).chain([bytes.len()]);
    let mut start = 0;
    for end in ends {
        let line = bytes.get(start..end).unwrap_or_default();
        start = end + 1;
        let edge = line.strip_prefix(b"---").or(line.strip_prefix(b"..."));
        let edge = edge.filter(|rest| rest.first().is_none_or(u8::is_ascii_whitespace));
        let said = edge.unwrap_or(line).trim_ascii_start();
        counted &= edge.is_none();
        // A comment, or a directive, is no document.
        if !counted && !matches!(said.first(), None | Some(b'#' | b'%')) {
            counted = true;
            documents += 1;
        }
    }
    documents
}

/// What has been read so far.
#[derive(Default)]
struct Loader {
    detections: Vec<Detection>,
    correlations: Vec<Pending>,
    filters: Vec<Filter>,
    /// Ids in lower case, with the place of their rule.
    ids: HashMap<String, Place>,
    names: HashMap<String, Place>,
    rules: usize,
    /// Most `rules`; reading stops beyond it.
    most: usize,
    /// Bytes that the patterns of the file may still take.
    budget: Cell<usize>,
    /// What the regular expressions of the set may still take.
    expressions: Expressions,
    diagnostics: Vec<Diagnostic>,
    /// Whether `documents` is filled.
    keep: Documents,
    /// Documents so far; which rule they became is known at the end.
    documents: Vec<RuleDocument>,
    /// Place of the file that is read.
    at: usize,
    /// What becomes of the document that is read, if it is refused.
    refused: Option<Refused>,
    /// Where its errors begin.
    errors: Vec<usize>,
    /// References of correlations that are refused.
    drafts: Drafts,
}

impl Loader {
    /// Reads one file.
    fn file(&mut self, file: &RuleFile) {
        let before = self.diagnostics.len();
        self.budget.set(PATTERN_BYTES_MAX);
        match yaml::parse_documents(&file.name, &file.bytes) {
            Err(problem) => self.diagnostics.push(problem),
            Ok(documents) => {
                let mut collection = Collection::default();
                for document in documents {
                    if document.problems.is_empty() {
                        self.document(&mut collection, document.root);
                    } else {
                        let rule = document::key_of(&document.root);
                        let problems = document.problems.into_iter();
                        self.diagnostics
                            .extend(problems.map(|p| p.for_rule(rule.as_deref())));
                    }
                    if self.rules > self.most || self.full(before, file) {
                        return;
                    }
                }
            }
        }
    }

    /// Whether the file has more problems than are reported; the rest of it is then skipped.
    fn full(&mut self, before: usize, file: &RuleFile) -> bool {
        let full = self.diagnostics.len() - before > FILE_PROBLEMS_MAX;
        if full {
            self.diagnostics.truncate(before + FILE_PROBLEMS_MAX);
            let message = format!(
                "file has more than {FILE_PROBLEMS_MAX} problems, the rest of it is not read"
            );
            let last = self.diagnostics.last().map(|last| last.place.clone());
            let place = last.unwrap_or_else(|| Place::start_of(&file.name));
            self.diagnostics
                .push(Diagnostic::error(code::TOO_MANY_PROBLEMS, &place, message));
        }
        full
    }

    /// Reads one document, after the legacy collection's say.
    fn document(&mut self, collection: &mut Collection, root: Node) {
        match collection.take(root) {
            Err(problem) => self.diagnostics.push(problem),
            Ok(None) => {}
            Ok(Some(root)) => {
                self.rule(&root);
                let (refused, errors) = (self.refused.take(), std::mem::take(&mut self.errors));
                if self.keep == Documents::Kept {
                    self.documents.push(RuleDocument {
                        file: self.at,
                        root,
                        rule: None,
                        refused,
                        errors,
                    });
                }
            }
        }
    }

    /// Reads one rule and keeps it, if it can be honoured and is the first of its id and name.
    fn rule(&mut self, root: &Arc<Node>) {
        if document::KINDS
            .iter()
            .filter(|kind| root.get(kind).is_some())
            .count()
            > 1
        {
            // Nothing is made of it; for the checks it is a document that does not load.
            self.read(root, document::several_kinds, |d| &d.meta, |_| None);
        } else if root.get("correlation").is_some() {
            let read = correlation::read;
            if let Some(pending) = self.read(root, read, |p| &p.correlation.meta, |_| None) {
                self.correlations.push(pending);
            }
        } else if root.get("filter").is_some() {
            let refused = |filter| Some(Refused::Filter(Box::new(filter)));
            if let Some(filter) = self.read(root, filter::read, |f| &f.meta, refused) {
                self.filters.push(filter);
            }
        } else {
            let refused = |rule| Some(Refused::Detection(Box::new(rule)));
            if let Some(detection) = self.read(root, detection::read, |d| &d.meta, refused) {
                self.detections.push(detection);
            }
        }
    }

    /// Reads a document by the reader of its kind; what is `refused` is kept for the checks.
    fn read<T>(
        &mut self,
        root: &Node,
        read: fn(&mut document::Reader<'_>) -> Option<T>,
        meta: fn(&T) -> &Meta,
        refused: fn(T) -> Option<Refused>,
    ) -> Option<T> {
        let mut reader = document::Reader::new(root, &self.budget, &self.expressions);
        reader.readable();
        let rule = read(&mut reader);
        let references = std::mem::take(&mut reader.references);
        let mut problems = reader.finish();
        // What stands behind an alias is read once for each of them, and is wrong once.
        let mut said = HashSet::new();
        problems.retain(|one| {
            let place = &one.place.span;
            said.insert((one.code, place.start, place.end, one.message.clone()))
        });
        let errors = problems.iter().filter(|problem| problem.is_error());
        self.errors = errors.map(|error| error.place.span.start).collect();
        self.diagnostics.extend(problems);
        let sound = self.errors.is_empty();
        if !sound {
            self.drafts.add(root, references);
        }
        let rule = rule?;
        if sound && self.register(meta(&rule), root) {
            self.rules += 1;
            return Some(rule);
        }
        self.refused = refused(rule);
        None
    }

    /// Takes note of a rule's id and name; `false` if one of them is taken.
    fn register(&mut self, meta: &Meta, root: &Node) -> bool {
        let id = meta.id.as_ref().map(|id| id.to_lowercase());
        let place_of = |key| root.get(key).map_or(&root.place, |node| &node.place);
        let taken = |place: &Place, instead: &str| {
            format!(
                "the first one stands in `{}`, line {}; {instead}",
                place.file, place.line
            )
        };
        let mut problems = Vec::new();
        if let Some((id, first)) = id.as_ref().and_then(|id| self.ids.get_key_value(id)) {
            let message = format!("id `{id}` is taken by another rule");
            problems.push(
                Diagnostic::error(code::DUPLICATE_ID, place_of("id"), message).with_help(taken(
                    first,
                    "draw a new id with `uuidgen`, or take one rule out",
                )),
            );
        } else if let Some((name, first)) =
            meta.name.as_ref().and_then(|n| self.names.get_key_value(n))
        {
            let message = format!("name `{name}` is taken by another rule");
            problems.push(
                Diagnostic::error(code::DUPLICATE_NAME, place_of("name"), message)
                    .with_help(taken(first, "rename one of the two")),
            );
        }
        let free = problems.is_empty();
        if free {
            self.ids.extend(id.map(|id| (id, root.place.clone())));
            self.names
                .extend(meta.name.clone().map(|name| (name, root.place.clone())));
        }
        let problems = problems.into_iter();
        self.diagnostics
            .extend(problems.map(|p| p.for_rule(Some(meta.key()))));
        free
    }

    /// Resolves references over the whole set.
    fn finish(mut self) -> Parsed {
        let (correlations, problems) =
            reference::resolve(&self.detections, self.correlations, &self.drafts);
        self.diagnostics.extend(problems);
        let rules = RuleSet {
            detections: self.detections,
            correlations,
            filters: self.filters,
            silent: BTreeSet::new(),
            lists: Arc::default(),
        };
        if self.keep == Documents::Kept {
            link(&mut self.documents, &rules);
        }
        Parsed {
            rules,
            documents: self.documents,
            diagnostics: self.diagnostics,
        }
    }
}

/// Says of each document which rule it became: the one that begins where the document does.
fn link(documents: &mut [RuleDocument], rules: &RuleSet) {
    let detections = rules.detections.iter().enumerate();
    let correlations = rules.correlations.iter().enumerate();
    let filters = rules.filters.iter().enumerate();
    let begins: HashMap<(&str, usize), RuleAt> = detections
        .map(|(at, rule)| (&rule.place, RuleAt::Detection(at)))
        .chain(correlations.map(|(at, rule)| (&rule.place, RuleAt::Correlation(at))))
        .chain(filters.map(|(at, rule)| (&rule.place, RuleAt::Filter(at))))
        .map(|(place, at)| ((&*place.file, place.span.start), at))
        .collect();
    for document in documents {
        let place = &document.root.place;
        document.rule = begins.get(&(&*place.file, place.span.start)).copied();
    }
}

#[cfg(test)]
mod tests;
