//! The rules of a choice with the cases beside them, before anything is compiled.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use palisade_detect::diagnostic::Diagnostic;
use palisade_detect::rule::{Meta, RuleFile, RuleSet};
use palisade_detect::time::Timestamp;

use super::choose::Choice;
use super::list::{Kind, Listed, State, Why};
use super::{Findings, lists, parse_chosen, select, walk};
use crate::config::Rules;

/// What a choice has for whoever judges cases.
pub struct ForCases {
    /// The rule files that were read.
    pub files: Vec<RuleFile>,
    /// All case files, also of rules that are left out.
    pub cases: Vec<RuleFile>,
    /// The rules in force as the choice has them, with the lists that they name.
    pub set: RuleSet,
    /// What is wrong, with the texts of lists that were refused and of the configuration.
    pub findings: Findings,
    /// The files of rules that are in force, or refused.
    judged: BTreeSet<Arc<str>>,
    left_out: Vec<LeftOut>,
    /// Names of the files that no path wants.
    excluded: BTreeSet<Arc<str>>,
}

/// A rule that the choice leaves out.
pub struct LeftOut {
    /// Its file.
    pub file: Arc<str>,
    /// Its title.
    pub title: String,
    /// Why it is left out.
    pub why: Why,
    /// Its id and name.
    names: Vec<String>,
}

impl LeftOut {
    /// Whether a case that names a rule so means this one.
    pub fn is(&self, name: &str) -> bool {
        let names = self.names.iter().chain([&self.title]);
        names.into_iter().any(|key| key.eq_ignore_ascii_case(name))
    }
}

/// Reads the rules that the configuration chooses, and their cases. Exceptions do not end: a case has a
/// time of its own.
pub fn for_cases(rules: &Rules) -> ForCases {
    let paths: Vec<PathBuf> = rules.paths.iter().map(|path| path.path.clone()).collect();
    let mut chosen = select::choose(&rules.paths);
    let (cases, unreadable) = walk::cases(&paths);
    let (files, wanted, parsed) = parse_chosen(&mut chosen, None);
    let mut set = parsed.rules;
    let names = || files.iter().map(|file| &file.name);
    let others: BTreeSet<&Arc<str>> = names().skip(wanted).collect();
    let choice = Choice {
        rules,
        wanted_by: names()
            .map(|name| &**name)
            .zip(std::mem::take(&mut chosen.wanted_by))
            .collect(),
        files: &files,
        now: Timestamp::MIN,
    };
    let found = parsed.diagnostics.into_iter();
    let found = found.filter(|problem| !others.contains(&problem.place.file));
    let before = [chosen.problems, unreadable].into_iter().flatten();
    let mut problems: Vec<Diagnostic> = before.chain(found).collect();
    let metas = metas(&set);
    let list = choice.make(&mut set, &mut problems);
    let (judged, left_out) = fates(list, metas);
    let of_lists = lists::load(paths.iter().map(PathBuf::as_path), &mut set);
    problems.extend(of_lists.problems);
    let mut excluded: BTreeSet<Arc<str>> = chosen
        .others
        .iter()
        .map(|found| walk::name(&found.path))
        .collect();
    for name in names().take(wanted) {
        excluded.remove(name);
    }
    let mut findings = Findings {
        diagnostics: problems,
        ..Findings::default()
    };
    findings.keep_configuration(rules);
    findings.keep_texts(&of_lists.texts);
    ForCases {
        files,
        cases,
        set,
        findings,
        judged,
        left_out,
        excluded,
    }
}

/// Ids and names of all rules, in the order in which they are listed.
fn metas(set: &RuleSet) -> Vec<Vec<String>> {
    let detections = set.detections.iter().map(|rule| &rule.meta);
    let correlations = set.correlations.iter().map(|rule| &rule.meta);
    let filters = set.filters.iter().map(|rule| &rule.meta);
    let names = |meta: &Meta| {
        [&meta.id, &meta.name]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    };
    detections
        .chain(correlations)
        .chain(filters)
        .map(names)
        .collect()
}

/// The files of which something is judged, and what is left out.
fn fates(list: Vec<Listed>, names: Vec<Vec<String>>) -> (BTreeSet<Arc<str>>, Vec<LeftOut>) {
    let mut judged = BTreeSet::new();
    let mut left_out = Vec::new();
    for (rule, names) in list.into_iter().zip(names) {
        match rule.state {
            // Filters have no cases.
            _ if rule.kind == Some(Kind::Filter) => {}
            State::LeftOut(why) => left_out.push(LeftOut {
                file: rule.file,
                title: rule.title,
                why,
                names,
            }),
            _ => {
                judged.insert(rule.file);
            }
        }
    }
    (judged, left_out)
}

impl ForCases {
    /// Why the choice leaves out every rule of a file.
    pub fn why_left_out(&self, file: &str) -> Option<Why> {
        if self.judged.contains(file) {
            return None;
        }
        let first = self.left_out_of(file).next();
        let excluded = || self.excluded.contains(file).then_some(Why::Path);
        first.map(|rule| rule.why).or_else(excluded)
    }

    /// The rules of a file that the choice leaves out.
    pub fn left_out_of(&self, file: &str) -> impl Iterator<Item = &LeftOut> {
        self.left_out.iter().filter(move |rule| &*rule.file == file)
    }

    /// The rule of this id, name or title, if the choice leaves it out.
    pub fn left_out(&self, name: &str) -> Option<&LeftOut> {
        self.left_out.iter().find(|rule| rule.is(name))
    }
}
