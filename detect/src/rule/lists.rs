//! The lists that rules name, put in their places.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::item::RawValue;
use super::modifier::Modifier;
use super::parse::RuleDocument;
use super::{RuleSet, Search};
use crate::diagnostic::{Diagnostic, Place, code, suggestion};
use crate::lint::{items, key_of};
use crate::list::{Lists, Looked, parts};

/// The names of all lists that rules and filters name.
pub fn names(rules: &RuleSet) -> BTreeSet<String> {
    let detections = rules.detections.iter().map(|rule| &rule.searches);
    let filters = rules.filters.iter().map(|filter| &filter.searches);
    let mut names = BTreeSet::new();
    for searches in detections.chain(filters) {
        for search in searches.values() {
            collect(search, &mut names);
        }
    }
    names
}

fn collect(search: &Search, names: &mut BTreeSet<String>) {
    match search {
        Search::AllOf(parts) | Search::AnyOf(parts) => {
            for part in parts {
                collect(part, names);
            }
        }
        Search::Item(item) => names.extend(item.values.iter().filter_map(|value| match value {
            RawValue::List(list) => Some(list.name.clone()),
            _ => None,
        })),
    }
}

/// Hashes of the lists that searches name and that are in their places, in the order of the searches.
pub fn digests(searches: &IndexMap<String, Search>) -> Vec<[u8; 32]> {
    let mut digests = Vec::new();
    for search in searches.values() {
        digest(search, &mut digests);
    }
    digests
}

fn digest(search: &Search, digests: &mut Vec<[u8; 32]>) {
    match search {
        Search::AllOf(parts) | Search::AnyOf(parts) => {
            for part in parts {
                digest(part, digests);
            }
        }
        Search::Item(item) => digests.extend(item.values.iter().filter_map(|value| match value {
            RawValue::List(list) => Some(*list.list.as_ref()?.digest()),
            _ => None,
        })),
    }
}

/// Puts the lists of a set in the places that name them. A rule that names one which is not there is
/// taken out and reported, and so is a filter, whose rules stay as they are (FIL-6).
///
/// What has its list keeps it: a second call changes nothing.
pub fn resolve(rules: &mut RuleSet) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let lists = &rules.lists;
    rules.detections.retain_mut(|rule| {
        let key = rule.meta.key();
        find(&mut rule.searches, lists, key, &mut problems)
    });
    rules.filters.retain_mut(|filter| {
        let key = filter.meta.key();
        find(&mut filter.searches, lists, key, &mut problems)
    });
    problems
}

/// The lists that rules name which do not load and that there are none of. Whether a list could be read
/// is said only of lists that are needed.
pub fn unknown(documents: &[RuleDocument], lists: &Lists) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for document in documents.iter().filter(|one| one.rule.is_none()) {
        let entries = items::of_document(document, &[]).into_iter();
        let named = entries.filter(|entry| entry.has(Modifier::InList));
        for (node, name) in named.flat_map(|entry| entry.texts().collect::<Vec<_>>()) {
            let stem = parts(name).map(|(stem, _)| stem);
            if stem.is_some_and(|stem| !lists.names().any(|known| known == stem)) {
                let problem = no_list(name, lists, &node.place);
                problems.push(problem.for_rule(key_of(document)));
            }
        }
    }
    problems
}

/// There is no such list.
fn no_list(name: &str, lists: &Lists, place: &Place) -> Diagnostic {
    let help = suggestion(name, lists.names()).unwrap_or_else(|| {
        "lists stand as `.txt`, `.csv` or `.yml` in the folder `lists` of the rules folder"
            .to_owned()
    });
    let message = format!("there is no list `{name}`");
    Diagnostic::error(code::UNKNOWN_LIST, place, message).with_help(help)
}

/// Finds the lists of searches; `false` if one is not there.
fn find(
    searches: &mut IndexMap<String, Search>,
    lists: &Lists,
    key: &str,
    problems: &mut Vec<Diagnostic>,
) -> bool {
    let before = problems.len();
    for search in searches.values_mut() {
        place(search, lists, problems);
    }
    for problem in problems.iter_mut().skip(before) {
        *problem = problem.clone().for_rule(Some(key));
    }
    problems.len() == before
}

fn place(search: &mut Search, lists: &Lists, problems: &mut Vec<Diagnostic>) {
    let item = match search {
        Search::AllOf(parts) | Search::AnyOf(parts) => {
            for part in parts {
                place(part, lists, problems);
            }
            return;
        }
        Search::Item(item) => item,
    };
    let open = |value: &RawValue| matches!(value, RawValue::List(list) if list.list.is_none());
    if !item.values.iter().any(open) {
        return;
    }
    for value in item.values.change() {
        let RawValue::List(list) = value else {
            continue;
        };
        if list.list.is_some() {
            continue;
        }
        let name = &list.name;
        problems.push(match lists.look(name) {
            Looked::Found(found) => {
                list.list = Some(found);
                continue;
            }
            Looked::Refused => {
                let message = format!("list `{name}` was refused");
                Diagnostic::error(code::UNKNOWN_LIST, &list.place, message)
                    .with_help("what is wrong with it is said at its file")
            }
            Looked::Unknown => no_list(name, lists, &list.place),
        });
    }
}
