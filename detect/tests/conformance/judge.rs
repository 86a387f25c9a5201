//! What came out against what must come out, by the rules of the suite, kinds of errors included.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::{Case, Fired};
use crate::run::{LoadError, Result};

/// Everything that is wrong with a result.
pub(crate) fn judge(case: &Case, result: &Result) -> Vec<String> {
    let mut problems = Vec::new();
    let expected = &case.expected;
    let judged = |rule: &String| !expected.ignore.contains(rule);
    let alerts: Vec<&(String, usize)> = result
        .alerts
        .iter()
        .filter(|(rule, _)| judged(rule))
        .collect();
    let wanted: BTreeSet<&(String, usize)> = expected.alerts.iter().collect();
    let got: BTreeSet<&(String, usize)> = alerts.iter().copied().collect();
    differences("alert", &wanted, &got, &mut problems);
    if got.len() < alerts.len() {
        problems.push("an alert was repeated".to_owned());
    }
    correlations(case, result, &mut problems);
    errors(case, &result.errors, &mut problems);
    problems
}

fn differences<T: Ord + std::fmt::Debug>(
    what: &str,
    wanted: &BTreeSet<T>,
    got: &BTreeSet<T>,
    problems: &mut Vec<String>,
) {
    problems.extend(
        wanted
            .difference(got)
            .map(|missing| format!("missing {what} {missing:?}")),
    );
    problems.extend(
        got.difference(wanted)
            .map(|extra| format!("unexpected {what} {extra:?}")),
    );
}

type Key<'a> = (&'a str, usize, &'a BTreeMap<String, String>);

fn key(fired: &Fired) -> Key<'_> {
    (&fired.rule, fired.event, &fired.group)
}

fn correlations(case: &Case, result: &Result, problems: &mut Vec<String>) {
    let expected = &case.expected;
    let judged = |fired: &&Fired| !expected.ignore.contains(&fired.rule);
    let fired: Vec<&Fired> = result.correlations.iter().filter(judged).collect();
    let wanted: BTreeMap<Key<'_>, &Fired> = expected
        .correlations
        .iter()
        .map(|fired| (key(fired), fired))
        .collect();
    let got: BTreeMap<Key<'_>, &Fired> = fired.iter().map(|fired| (key(fired), *fired)).collect();
    differences(
        "correlation",
        &wanted.keys().collect(),
        &got.keys().collect(),
        problems,
    );
    if got.len() < fired.len() {
        problems.push("a correlation's alert was repeated".to_owned());
    }
    for (key, wanted) in &wanted {
        let Some((wanted, got)) = wanted.events.as_ref().zip(got.get(key)) else {
            continue;
        };
        let mut wanted = wanted.clone();
        wanted.sort_unstable();
        if let Some(got) = got.events.as_ref().filter(|got| **got != wanted) {
            problems.push(format!(
                "contributing events of {key:?}: {got:?}, not {wanted:?}"
            ));
        }
    }
}

/// An error that names an expected rejection settles it; one without a usable name may settle a
/// rejection that nothing else settles.
fn errors(case: &Case, errors: &[LoadError], problems: &mut Vec<String>) {
    let rejected = &case.expected.rejected;
    let expected = &case.expected;
    let fires = |rule: &String| {
        expected.alerts.iter().any(|(name, _)| name == rule)
            || expected
                .correlations
                .iter()
                .any(|fired| fired.rule == *rule)
    };
    let mut settled = BTreeSet::new();
    let mut loose = Vec::new();
    for error in errors {
        let named = rejected
            .iter()
            .find(|(name, _)| error.rule.as_ref() == Some(name) || error.file == *name);
        match named {
            Some((name, kind)) => {
                settled.insert(name);
                wrong_kind(error, kind, problems);
            }
            None if error.rule.as_ref().is_some_and(fires) => problems.push(unexpected(error)),
            None => loose.push(error),
        }
    }
    for error in loose {
        match rejected.iter().find(|(name, _)| !settled.contains(name)) {
            Some((name, kind)) => {
                settled.insert(name);
                wrong_kind(error, kind, problems);
            }
            None if rejected.is_empty() => problems.push(unexpected(error)),
            None => {}
        }
    }
    let open = rejected.iter().filter(|(name, _)| !settled.contains(name));
    problems.extend(open.map(|(name, kind)| format!("not rejected: {name} ({kind})")));
}

fn wrong_kind(error: &LoadError, kind: &str, problems: &mut Vec<String>) {
    if error.kind != kind {
        let message = &error.message;
        problems.push(format!("error kind {}, not {kind}: {message}", error.kind));
    }
}

fn unexpected(error: &LoadError) -> String {
    format!("unexpected load error {}: {}", error.kind, error.message)
}
