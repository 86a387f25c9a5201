use std::collections::BTreeSet;

use super::*;
use crate::rule::parse;

#[test]
fn every_code_from_1000_on_has_one_check_or_is_reported_elsewhere() {
    /// Reported by whoever applies levels and comments, not by a check over rules.
    const ELSEWHERE: &[&str] = &["PAL2001", "PAL2002", "PAL2003"];
    let checks: Vec<&str> = CATALOGUE
        .iter()
        .copied()
        .flatten()
        .map(|check| check.code.id)
        .collect();
    let unique: BTreeSet<&str> = checks.iter().copied().collect();
    assert_eq!(checks.len(), unique.len(), "a code stands in two rows");
    let coded: BTreeSet<&str> = code::ALL
        .iter()
        .map(|code| code.id)
        .filter(|id| *id >= "PAL1000" && !ELSEWHERE.contains(id))
        .collect();
    assert_eq!(coded, unique);
}

#[test]
fn no_check_is_an_error() {
    let all = CATALOGUE.iter().copied().flatten();
    let errors = all.filter(|check| check.severity == Severity::Error);
    assert_eq!(errors.count(), 0);
}

#[test]
fn what_two_rules_share_is_reported_once() {
    let file = RuleFile {
        name: "a.yml".into(),
        bytes: b"action: global\ntitle: t\nid: X\nlogsource: {product: p}\n---\n\
                 detection: {s: {A: 1}, condition: s}\n---\n\
                 name: other\ndetection: {s: {A: 2}, condition: s}\n"
            .to_vec(),
    };
    let files = [file];
    let parsed = parse::parse_documents(&files);
    let found = lint(&Workspace {
        files: &files,
        documents: &parsed.documents,
        rules: &parsed.rules,
        judged: &parsed.rules,
        pipelines: &[],
        cases: &[],
        observed: None,
        now: None,
    });
    let ids = found
        .iter()
        .filter(|one| one.code == "PAL1002")
        .map(|one| (one.place.line, one.severity));
    assert_eq!(ids.collect::<Vec<_>>(), [(3, Severity::Warning)]);
}
