//! Whether two engines say the same: which rule matched which record.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::comparison::Engine;

/// A record: its line, and its place in the line's envelope.
type Record = (u64, u64);

/// Which rule matched which records.
pub(super) type Pairs = BTreeMap<String, BTreeSet<Record>>;

/// Rules that RSigma reads otherwise, and the requirement by which our reading is right.
///
/// The requirements are those of the Sigma language as Palisade's conformance suite has them.
const READ_OTHERWISE: &[(&str, &str)] = &[];

/// A rule that does not match the same records in both engines.
#[derive(Debug, Serialize)]
pub(crate) struct Disagreement {
    pub(super) rule: String,
    /// Records that only Palisade, and that only RSigma finds, and that both find.
    pub(super) only_ours: usize,
    pub(super) only_theirs: usize,
    pub(super) both: usize,
    /// One of the records, as line and place in the envelope, from 0.
    pub(super) example: Record,
    /// The requirement by which ours is right, if it is known.
    pub(super) requirement: Option<&'static str>,
}

/// How many alerts `engine` wrote.
pub(super) fn count(engine: Engine, output: &Path) -> anyhow::Result<Option<usize>> {
    if matches!(engine, Engine::Tape | Engine::Lines) {
        return Ok(None);
    }
    let mut alerts = 0;
    for line in lines(output)? {
        line?;
        alerts += 1;
    }
    Ok(Some(alerts))
}

/// What Palisade's alerts say.
pub(super) fn of_palisade(output: &Path) -> anyhow::Result<Pairs> {
    let mut pairs = Pairs::new();
    for line in lines(output)? {
        let alert: Alert = serde_json::from_str(&line?).context("an alert of `palisade replay`")?;
        for event in alert.evidence.events {
            // An index below an element (`4.2`) is an event within a record.
            let element = event.origin.index.split('.').next().unwrap_or_default();
            let record = (event.origin.offset, element.parse()?);
            pairs
                .entry(alert.rule.id.clone())
                .or_default()
                .insert(record);
        }
    }
    Ok(pairs)
}

/// What the peers' own list of pairs says.
pub(super) fn of_pairs(output: &Path) -> anyhow::Result<Pairs> {
    let mut pairs = Pairs::new();
    for line in lines(output)? {
        let line = line?;
        let mut columns = line.split('\t');
        let mut column = || columns.next().context("a pair has three columns");
        let record = (column()?.parse()?, column()?.parse()?);
        pairs
            .entry(column()?.to_owned())
            .or_default()
            .insert(record);
    }
    Ok(pairs)
}

fn lines(path: &Path) -> anyhow::Result<Lines<BufReader<File>>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(BufReader::new(file).lines())
}

/// Distinct pairs.
pub(super) fn distinct(pairs: &Pairs) -> usize {
    pairs.values().map(BTreeSet::len).sum()
}

/// The rules on which two engines differ.
pub(super) fn differences(ours: &Pairs, theirs: &Pairs) -> Vec<Disagreement> {
    let none = BTreeSet::new();
    let rules: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differs = |rule: &String| {
        let (a, b) = (
            ours.get(rule).unwrap_or(&none),
            theirs.get(rule).unwrap_or(&none),
        );
        let example = *a.symmetric_difference(b).next()?;
        Some(Disagreement {
            rule: rule.clone(),
            only_ours: a.difference(b).count(),
            only_theirs: b.difference(a).count(),
            both: a.intersection(b).count(),
            example,
            requirement: READ_OTHERWISE
                .iter()
                .find(|(id, _)| id == rule)
                .map(|(_, why)| *why),
        })
    };
    rules.into_iter().filter_map(differs).collect()
}

/// What of an alert tells its rule and its records.
#[derive(Deserialize)]
struct Alert {
    rule: AlertRule,
    evidence: Evidence,
}

#[derive(Deserialize)]
struct AlertRule {
    id: String,
}

#[derive(Deserialize)]
struct Evidence {
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    origin: Origin,
}

#[derive(Deserialize)]
struct Origin {
    offset: u64,
    index: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, Record)]) -> Pairs {
        let mut pairs = Pairs::new();
        for (rule, record) in list {
            pairs.entry((*rule).to_owned()).or_default().insert(*record);
        }
        pairs
    }

    #[test]
    fn a_rule_that_matches_other_records_differs_and_one_that_matches_the_same_does_not() {
        let ours = pairs(&[("same", (1, 0)), ("moved", (2, 0)), ("moved", (4, 1))]);
        let theirs = pairs(&[("same", (1, 0)), ("moved", (3, 0)), ("moved", (4, 1))]);
        let found = differences(&ours, &theirs);
        assert_eq!(found.len(), 1);
        let one = &found[0];
        assert_eq!(
            (
                one.rule.as_str(),
                one.only_ours,
                one.only_theirs,
                one.both,
                one.example
            ),
            ("moved", 1, 1, 1, (2, 0))
        );
    }
}
