//! The lists that rules name, put in their places.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::item::RawValue;
use super::{RuleSet, Search};
use crate::diagnostic::{Diagnostic, code, suggestion};
use crate::list::{Lists, Looked};

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
    for value in &mut item.values {
        let RawValue::List(list) = value else {
            continue;
        };
        if list.list.is_some() {
            continue;
        }
        let name = &list.name;
        let (message, help) = match lists.look(name) {
            Looked::Found(found) => {
                list.list = Some(found);
                continue;
            }
            Looked::Refused => (format!("list `{name}` was refused"), None),
            Looked::Unknown => {
                let help = suggestion(name, lists.names()).unwrap_or_else(|| {
                    "lists stand as `.txt`, `.csv` or `.yml` in the folder `lists` of the rules \
                     folder"
                        .to_owned()
                });
                (format!("there is no list `{name}`"), Some(help))
            }
        };
        let problem = Diagnostic::error(code::UNKNOWN_LIST, &list.place, message);
        problems.push(problem.with_help_from(help));
    }
}
