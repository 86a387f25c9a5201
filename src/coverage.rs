//! Which techniques of ATT&CK a rule set covers, and on which log sources.
//!
//! Sigma states coverage as tags: `attack.t1078.004` names a technique, `attack.initial-access` a
//! tactic, and nothing says which belongs to which. A rule therefore covers a technique under those of
//! the technique's tactics that the rule names too, and under all of them where it names none.
//!
//! Only rules that raise alerts count: what a correlation is built from says nothing by itself, and the
//! correlation has tags of its own. Its log sources are those of the rules that it is built from.

use std::collections::{BTreeMap, BTreeSet};

use palisade_detect::alert::SINGLE;
use palisade_detect::attack::{self, Fate, SPLIT_TACTIC, TACTICS, Tactic, Technique};
use palisade_detect::correlation::CorrelationDef;
use palisade_detect::engine::Engine;
use palisade_detect::rule::Level;

pub mod table;
pub mod navigator;
pub mod html;

/// What the version 18 of ATT&CK called Defense Evasion is these two tactics since.
const SPLIT_INTO: [&str; 2] = ["stealth", "defense-impairment"];

/// How a rule for every log source is called.
const ANY_SOURCE: &str = "any log source";

/// A rule that raises alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// Its title, as written: text of whoever wrote the rule.
    pub title: String,
    /// Its level.
    pub level: Option<Level>,
    /// `single`, or the type of the correlation.
    pub kind: String,
    /// The log sources it draws from, such as `azure/signinlogs`.
    pub log_sources: BTreeSet<String>,
    /// Tags of ATT&CK that name nothing in this version of it.
    pub unknown_tags: Vec<String>,
}

/// A technique under a tactic: a cell of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The column.
    pub tactic: &'static Tactic,
    /// The technique, or sub-technique.
    pub technique: &'static Technique,
}

/// What a rule set covers.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Rules that raise alerts, in load order.
    pub rules: Vec<Rule>,
    /// The rules of each covered cell, by the place of the tactic in the matrix and the technique's id.
    cells: BTreeMap<(usize, &'static str), BTreeSet<usize>>,
    /// Rules that name no technique.
    pub untagged: Vec<usize>,
    /// Rules that only correlations use.
    pub silent: usize,
}

impl Coverage {
    /// What these rules cover.
    pub fn of(engine: &Engine) -> Self {
        let mut coverage = Self::default();
        let mut sources: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for rule in engine.rules() {
            let stated = rule.logsource.to_string();
            let stated = if stated.is_empty() {
                ANY_SOURCE.to_owned()
            } else {
                stated
            };
            sources.insert(&*rule.id, BTreeSet::from([stated.clone()]));
            if !rule.alerts {
                coverage.silent += 1;
                continue;
            }
            let covering = Rule {
                id: rule.id.to_string(),
                title: rule.meta.title.clone(),
                level: rule.meta.level,
                kind: SINGLE.to_owned(),
                log_sources: BTreeSet::from([stated]),
                unknown_tags: Vec::new(),
            };
            coverage.add(covering, &rule.meta.tags);
        }
        // A rule whose repeats are held back stands among the correlations, too.
        let correlations: Vec<&CorrelationDef> = engine
            .correlations()
            .iter()
            .map(|one| &**one)
            .filter(|one| one.rule.kind != SINGLE)
            .collect();
        add_sources(&correlations, &mut sources);
        for correlation in correlations {
            if !correlation.alerts {
                coverage.silent += 1;
                continue;
            }
            let drawn = sources.get(correlation.id.as_str());
            let covering = Rule {
                id: correlation.id.clone(),
                title: correlation.title.clone(),
                level: correlation.rule.level,
                kind: correlation.rule.kind.clone(),
                log_sources: drawn.cloned().unwrap_or_default(),
                unknown_tags: Vec::new(),
            };
            coverage.add(covering, &correlation.rule.tags);
        }
        coverage
    }

    /// Adds a rule with its tags.
    fn add(&mut self, mut rule: Rule, tags: &[String]) {
        let place = self.rules.len();
        let mut named = BTreeSet::new();
        let mut techniques = BTreeMap::new();
        for tag in tags.iter().map(|tag| tag.to_ascii_lowercase()) {
            let Some(name) = tag.strip_prefix("attack.") else {
                continue;
            };
            if name == SPLIT_TACTIC {
                named.extend(SPLIT_INTO);
            } else if let Some(tactic) = attack::tactic(name) {
                named.insert(tactic.tag);
            } else if let Some(technique) = current(name) {
                techniques.insert(technique.id, technique);
            } else if is_technique(name) {
                rule.unknown_tags.push(tag);
            }
        }
        if techniques.is_empty() {
            self.untagged.push(place);
        }
        for (id, technique) in techniques {
            let tactics = &technique.tactics;
            let stated = tactics.iter().any(|tactic| named.contains(tactic.tag));
            for tactic in tactics {
                if (!stated || named.contains(tactic.tag))
                    && let Some(column) = TACTICS.iter().position(|one| one.id == tactic.id)
                {
                    self.cells.entry((column, id)).or_default().insert(place);
                }
            }
        }
        self.rules.push(rule);
    }

    /// The covered cells with their rules, column by column.
    pub fn cells(&self) -> impl Iterator<Item = (Cell, Vec<&Rule>)> {
        self.cells.iter().filter_map(|((column, id), places)| {
            let cell = Cell {
                tactic: TACTICS.get(*column)?,
                technique: attack::technique(id)?,
            };
            Some((cell, self.at(places)))
        })
    }

    /// The rules of a cell.
    pub fn rules_of(&self, cell: Cell) -> Vec<&Rule> {
        let column = TACTICS.iter().position(|one| one.id == cell.tactic.id);
        let places = column.and_then(|column| self.cells.get(&(column, cell.technique.id)));
        places.map(|places| self.at(places)).unwrap_or_default()
    }

    fn at(&self, places: &BTreeSet<usize>) -> Vec<&Rule> {
        let rules = places.iter();
        rules.filter_map(|place| self.rules.get(*place)).collect()
    }

    /// All log sources that rules draw from.
    pub fn log_sources(&self) -> BTreeSet<&str> {
        let rules = self.rules.iter();
        rules
            .flat_map(|rule| rule.log_sources.iter().map(String::as_str))
            .collect()
    }

    /// Number of different techniques and sub-techniques that are covered.
    pub fn techniques(&self) -> usize {
        let ids: BTreeSet<_> = self.cells.keys().map(|(_, id)| id).collect();
        ids.len()
    }

    /// Number of tactics with a covered technique.
    pub fn tactics(&self) -> usize {
        let columns: BTreeSet<_> = self.cells.keys().map(|(column, _)| column).collect();
        columns.len()
    }

    /// What is covered, in one sentence.
    pub fn summary(&self) -> String {
        let all = attack::techniques().iter();
        let all = all.filter(|one| one.fate == Fate::Current).count();
        let rules = match self.rules.len() {
            1 => "1 rule covers".to_owned(),
            count => format!("{count} rules cover"),
        };
        format!(
            "{rules} {} of {all} techniques in {} of {} tactics of ATT&CK {}",
            self.techniques(),
            self.tactics(),
            TACTICS.len(),
            attack::VERSION
        )
    }
}

/// How many of the rules draw from each log source.
pub fn by_source<'a>(rules: &[&'a Rule]) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for source in rules.iter().flat_map(|rule| &rule.log_sources) {
        *counts.entry(source.as_str()).or_default() += 1;
    }
    counts
}

/// The technique of this name in the current version, followed through revocations.
fn current(name: &str) -> Option<&'static Technique> {
    let mut technique = attack::technique(name)?;
    // A chain of revocations longer than this would be a circle.
    for _ in 0..8 {
        match technique.fate {
            Fate::Current => return Some(technique),
            Fate::Deprecated => return None,
            Fate::Revoked(_) => technique = technique.successor()?,
        }
    }
    None
}

/// Whether the name after `attack.` is meant as a technique: `t` and digits.
fn is_technique(name: &str) -> bool {
    name.strip_prefix('t')
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// Gives each correlation the log sources of what it is built from, chains from the inside out.
fn add_sources<'a>(
    correlations: &[&'a CorrelationDef],
    sources: &mut BTreeMap<&'a str, BTreeSet<String>>,
) {
    let mut changed = true;
    while changed {
        changed = false;
        for correlation in correlations {
            let mut drawn = BTreeSet::new();
            for base in &correlation.base_rules {
                drawn.extend(sources.get(base.as_str()).into_iter().flatten().cloned());
            }
            let known = sources.entry(correlation.id.as_str()).or_default();
            if drawn.len() > known.len() {
                *known = drawn;
                changed = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
