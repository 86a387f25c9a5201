//! Case files: what stands beside the rules, and what it leaves open.
//!
//! What keeps a case from being judged is an error and reported by whoever reads case files.

use std::collections::{BTreeSet, HashSet};

use super::{Check, Found, Rule, Sheet, Workspace};
use crate::diagnostic::{Code, Diagnostic, Place, code};
use crate::yaml::{Node, Yaml};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::info(code::RULE_WITHOUT_CASES, without_cases),
    Check::warning(code::CASES_NEVER_FIRE, never_fire),
    Check::info(code::CASES_NEVER_SILENT, never_silent),
    Check::warning(code::CASE_NAME_TWICE, name_twice),
];

/// What stands before the ending that makes a file a case file.
fn stem(name: &str) -> Option<&str> {
    name.rsplit_once(".cases.").map(|(stem, _)| stem)
}

/// The folder of a file.
fn folder(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A rule file without cases in a folder where others have them.
fn without_cases(workspace: &Workspace<'_>, found: &mut Found) {
    let names = || workspace.cases.iter().map(|sheet| &*sheet.file.name);
    let covered: HashSet<&str> = names().filter_map(stem).collect();
    let folders: HashSet<&str> = names().map(folder).collect();
    let judging: BTreeSet<usize> = workspace
        .loaded()
        .filter(|(_, rule)| !matches!(rule, Rule::Filter(_)))
        .map(|(document, _)| document.file)
        .collect();
    for file in judging.into_iter().filter_map(|at| workspace.files.get(at)) {
        let name = &*file.name;
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        if covered.contains(stem) || !folders.contains(folder(name)) {
            continue;
        }
        let message = "no cases stand beside these rules, as they do beside others of the folder";
        let place = Place::start_of(&file.name);
        found.push(
            Diagnostic::info(code::RULE_WITHOUT_CASES, &place, message)
                .with_help(format!("`{stem}.cases.yml` holds them")),
        );
    }
}

/// The cases of a file.
fn cases(sheet: &Sheet) -> impl Iterator<Item = &Node> + Clone {
    let lists = sheet.documents.iter().filter_map(|one| one.get("cases"));
    lists.filter_map(Node::as_seq).flatten()
}

/// Whether a case expects that a rule fires; `None`: it does not say so in a known form.
fn fires(case: &Node) -> Option<bool> {
    match &case.get("fires")?.value {
        Yaml::Bool(fires) => Some(*fires),
        Yaml::Seq(list) => Some(list.iter().any(|one| {
            let times = one.get("times").and_then(Node::as_int);
            times != Some(0)
        })),
        _ => None,
    }
}

/// Whether a case expects that a rule stays silent: all of them, or some that it names.
fn silent(case: &Node) -> Option<bool> {
    let named = case.get("silent").and_then(Node::as_seq);
    Some(!fires(case)? || named.is_some_and(|rules| !rules.is_empty()))
}

/// Finds case files in which every case says how it ends, and none ends as `wanted` says.
fn none_of(
    workspace: &Workspace<'_>,
    wanted: fn(&Node) -> Option<bool>,
    (code, message, help): (Code, &str, &str),
    found: &mut Found,
) {
    for sheet in workspace.cases {
        let cases = cases(sheet);
        let Some(first) = cases.clone().next() else {
            continue;
        };
        if cases.clone().all(|case| wanted(case) == Some(false)) {
            let finding = Diagnostic::warning(code, &first.place, message);
            found.push(finding.with_help(help));
        }
    }
}

fn never_fire(workspace: &Workspace<'_>, found: &mut Found) {
    let words = (
        code::CASES_NEVER_FIRE,
        "in none of these cases a rule fires",
        "rules that never fire pass all of them: add a record that must alert",
    );
    none_of(workspace, fires, words, found);
}

fn never_silent(workspace: &Workspace<'_>, found: &mut Found) {
    let words = (
        code::CASES_NEVER_SILENT,
        "in each of these cases a rule fires",
        "rules that always fire pass all of them: add a near record that must not alert",
    );
    none_of(workspace, silent, words, found);
}

fn name_twice(workspace: &Workspace<'_>, found: &mut Found) {
    for sheet in workspace.cases {
        let mut seen = HashSet::new();
        for name in cases(sheet).filter_map(|case| case.get("name")) {
            let Some(text) = name.as_text() else { continue };
            if !seen.insert(text) {
                let message = format!("another case of this file is called `{text}` too");
                found.push(
                    Diagnostic::warning(code::CASE_NAME_TWICE, &name.place, message)
                        .with_help("say what this one shows"),
                );
            }
        }
    }
}
