//! Placeholders that no pipeline replaces, at their places in the files.
//!
//! That a rule which loads holds one is found where it is compiled, from the entry alone; here the
//! document gives the place. Rules that something else refuses are never compiled, so theirs are looked
//! for here.

use std::ops::Range;

use super::Pipeline;
use crate::diagnostic::{Diagnostic, Place, code};
use crate::lint::{items, key_of};
use crate::rule::modifier::Modifier;
use crate::rule::parse::RuleDocument;
use crate::rule::text::{self, unresolved};

/// A placeholder as it is written.
struct Written<'a> {
    document: &'a RuleDocument,
    /// Where the key of its entry stands.
    entry: &'a Place,
    name: String,
    place: Place,
}

/// Every placeholder of every entry that has `expand`.
fn written(documents: &[RuleDocument]) -> impl Iterator<Item = Written<'_>> {
    documents.iter().flat_map(|document| {
        let entries = items::of_document(document, &[]).into_iter();
        let expanded = entries.filter(|entry| entry.has(Modifier::Expand));
        expanded.flat_map(move |entry| {
            let (key, texts) = (entry.key(), entry.texts().collect::<Vec<_>>());
            texts.into_iter().flat_map(move |(node, text)| {
                let found = text::placeholders(text).into_iter();
                found.map(move |(name, range): (&str, Range<usize>)| Written {
                    document,
                    entry: &key.place,
                    name: name.to_owned(),
                    place: node.place_within(range),
                })
            })
        })
    })
}

/// Says of rules that something else refuses which of their placeholders no pipeline replaces, whatever
/// its conditions.
pub fn unknown(documents: &[RuleDocument], pipelines: &[Pipeline]) -> Vec<Diagnostic> {
    let given = |name: &str| pipelines.iter().any(|pipeline| pipeline.replaces(name));
    written(documents)
        .filter(|one| one.document.rule.is_none() && !given(&one.name))
        .map(|one| {
            let message = unresolved(&one.name);
            Diagnostic::error(code::UNRESOLVED_PLACEHOLDER, &one.place, message)
                .for_rule(key_of(one.document))
        })
        .collect()
}

/// Sets the place of each such problem, so far that of its entry, to that of the placeholder.
pub fn mark(documents: &[RuleDocument], problems: &mut [Diagnostic]) {
    let found = |one: &Diagnostic| one.code == code::UNRESOLVED_PLACEHOLDER.id;
    if !problems.iter().any(found) {
        return;
    }
    let mut written: Vec<Written<'_>> = written(documents).collect();
    for problem in problems.iter_mut().filter(|problem| found(problem)) {
        let at = written.iter().position(|one| {
            *one.entry == problem.place && unresolved(&one.name) == problem.message
        });
        if let Some(at) = at {
            problem.place = written.swap_remove(at).place;
        }
    }
}
