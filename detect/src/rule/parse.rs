//! Rule files to [`RuleSet`]: every problem of every file, none of which stops the others.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::diagnostic::{Diagnostic, Place, code};
use crate::yaml::{self, Node};

use super::item::PATTERN_BYTES_MAX;
use super::{Detection, Filter, Meta, RuleFile, RuleSet};

mod collection;
mod correlation;
mod detection;
mod document;
mod filter;
mod reference;

use collection::Collection;
use correlation::Pending;

pub use reference::{CHAIN_DEPTH_MAX, CHAIN_WAYS_MAX};

/// Most rules, correlations and filters of one set together. A larger set is refused as a whole: a
/// part of it, chosen by chance of order, would look like full coverage.
pub const RULES_MAX: usize = 50_000;
/// Most problems that are reported of one file.
pub const FILE_PROBLEMS_MAX: usize = 1_000;

/// Reads rule files in the order given.
///
/// A document that cannot be honoured completely is left out and reported; the others load. What
/// pipelines may still change (values under `expand`) is judged by [`super::Item::meaning`] later.
/// With more than [`RULES_MAX`] rules the set is empty and the error says so.
pub fn parse(files: &[RuleFile]) -> (RuleSet, Vec<Diagnostic>) {
    parse_at_most(RULES_MAX, files)
}

/// As [`parse`], with a limit of `most` rules.
fn parse_at_most(most: usize, files: &[RuleFile]) -> (RuleSet, Vec<Diagnostic>) {
    let mut loader = Loader {
        most,
        ..Loader::default()
    };
    for file in files {
        loader.file(file);
        if loader.rules > most {
            let place = Place::start_of(&file.name);
            let message = format!("rule set holds more than the limit of {most} rules");
            loader
                .diagnostics
                .push(Diagnostic::error(code::TOO_MANY_RULES, &place, message));
            return (RuleSet::default(), loader.diagnostics);
        }
    }
    loader.finish()
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
    diagnostics: Vec<Diagnostic>,
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
            let place = Place::start_of(&file.name);
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
            Ok(Some(root)) => self.rule(&root),
        }
    }

    /// Reads one rule and keeps it, if it can be honoured and is the first of its id and name.
    fn rule(&mut self, root: &Rc<Node>) {
        if root.get("correlation").is_some() {
            if let Some(pending) = self.read(root, correlation::read, |p| &p.correlation.meta) {
                self.correlations.push(pending);
            }
        } else if root.get("filter").is_some() {
            if let Some(filter) = self.read(root, filter::read, |f| &f.meta) {
                self.filters.push(filter);
            }
        } else if let Some(detection) = self.read(root, detection::read, |d| &d.meta) {
            self.detections.push(detection);
        }
    }

    /// Reads a document by the reader of its kind.
    fn read<T>(
        &mut self,
        root: &Node,
        read: fn(&mut document::Reader<'_>) -> Option<T>,
        meta: fn(&T) -> &Meta,
    ) -> Option<T> {
        let mut reader = document::Reader::new(root, &self.budget);
        let rule = read(&mut reader);
        let problems = reader.finish();
        let refused = problems.iter().any(Diagnostic::is_error);
        self.diagnostics.extend(problems);
        let rule = rule.filter(|_| !refused)?;
        self.register(meta(&rule), root).then(|| {
            self.rules += 1;
            rule
        })
    }

    /// Takes note of a rule's id and name; `false` if one of them is taken.
    fn register(&mut self, meta: &Meta, root: &Node) -> bool {
        let id = meta.id.as_ref().map(|id| id.to_lowercase());
        let place_of = |key| root.get(key).map_or(&root.place, |node| &node.place);
        let taken = |place: &Place| {
            format!(
                "the first one stands in `{}`, line {}",
                place.file, place.line
            )
        };
        let mut problems = Vec::new();
        if let Some((id, first)) = id.as_ref().and_then(|id| self.ids.get_key_value(id)) {
            let message = format!("id `{id}` is taken by another rule");
            problems.push(
                Diagnostic::error(code::DUPLICATE_ID, place_of("id"), message)
                    .with_help(taken(first)),
            );
        } else if let Some((name, first)) =
            meta.name.as_ref().and_then(|n| self.names.get_key_value(n))
        {
            let message = format!("name `{name}` is taken by another rule");
            problems.push(
                Diagnostic::error(code::DUPLICATE_NAME, place_of("name"), message)
                    .with_help(taken(first)),
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
    fn finish(mut self) -> (RuleSet, Vec<Diagnostic>) {
        let (correlations, problems) = reference::resolve(&self.detections, self.correlations);
        self.diagnostics.extend(problems);
        let set = RuleSet {
            detections: self.detections,
            correlations,
            filters: self.filters,
        };
        (set, self.diagnostics)
    }
}

#[cfg(test)]
mod tests;
