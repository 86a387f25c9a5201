//! The choice of the configuration, made on rules that have been read and not been compiled.
//!
//! A rule that is left out may still be needed: a correlation that is wanted brings everything that it
//! refers to, which then never alerts on its own. The other way round, a rule that only correlations
//! refer to which are left out goes with them: it was written as their part, and alone it would speak
//! up at every event. What is `disabled` is not there at all.

use std::collections::{BTreeMap, BTreeSet};

use palisade_detect::diagnostic::{Diagnostic, code, suggestion};
use palisade_detect::rule::{Correlation, Level, Meta, PalisadeKeys, RuleFile, RuleSet};
use palisade_detect::time::Timestamp;

use super::list::{self, Listed, State, Why};
use crate::config::rules::{Override, RulePath, Rules};

/// Most overrides for unknown rules for which a similar name is looked for.
const SUGGESTIONS_MAX: usize = 100;

/// What the choice is made by.
pub(super) struct Choice<'a> {
    /// The configuration.
    pub(super) rules: &'a Rules,
    /// For each file the place of the path that wants it; files that none wants are not in it.
    pub(super) wanted_by: BTreeMap<&'a str, usize>,
    /// Every file that was read.
    pub(super) files: &'a [RuleFile],
    /// What time it is for exceptions.
    pub(super) now: Timestamp,
}

impl Choice<'_> {
    /// Changes the rules as `overrides` say and takes out those that are not loaded; gives all that
    /// were there.
    pub(super) fn make(&self, set: &mut RuleSet, problems: &mut Vec<Diagnostic>) -> Vec<Listed> {
        let disabled = self.override_rules(set, problems);
        let mut list = list::of(set);
        let states = self.states(set, &disabled, problems);
        take_out(set, &states);
        for (rule, state) in list.iter_mut().zip(states) {
            rule.state = state;
        }
        list
    }

    /// The states of all rules: detections, correlations, filters, in their order.
    fn states(
        &self,
        set: &mut RuleSet,
        disabled: &[bool],
        problems: &mut Vec<Diagnostic>,
    ) -> Vec<State> {
        let graph = Graph::new(set);
        let rules = set.detections.len() + set.correlations.len();
        let left_out: Vec<Option<Why>> = (0..rules)
            .map(|at| {
                if disabled[at] {
                    Some(Why::Disabled)
                } else {
                    self.left_out(&graph.rules[at])
                }
            })
            .collect();
        let refused = graph.on_disabled(disabled, problems);
        let wanted = |at: usize| left_out[at].is_none() && !refused.contains(&at);
        let needed = graph.closure((0..rules).filter(|at| wanted(*at)));
        let parts = graph.parts(|at| self.path_of(graph.rules[at].file).is_some());
        let mut states: Vec<State> = left_out
            .into_iter()
            .enumerate()
            .map(|(at, why)| match why {
                _ if refused.contains(&at) => State::refused(),
                Some(Why::Disabled) => State::LeftOut(Why::Disabled),
                Some(_) if needed.contains(&at) => State::ForCorrelations,
                Some(why) => State::LeftOut(why),
                None if parts.contains(&at) && !needed.contains(&at) => State::LeftOut(Why::Part),
                None => State::Loaded,
            })
            .collect();
        let silent = graph.rules.iter().zip(&states);
        let silent = silent
            .filter(|(_, state)| **state == State::ForCorrelations)
            .map(|(rule, _)| rule.meta.key().to_owned())
            .collect();
        set.silent = silent;
        let filters = set.filters.iter().zip(&disabled[rules..]);
        states.extend(filters.map(|(filter, disabled)| {
            if *disabled {
                State::LeftOut(Why::Disabled)
            } else if self.path_of(&filter.place.file).is_none() {
                State::LeftOut(Why::Path)
            } else if filter.exception.is_over(self.now) {
                State::LeftOut(Why::Expired)
            } else {
                State::Loaded
            }
        }));
        states
    }

    fn path_of(&self, file: &str) -> Option<&RulePath> {
        self.rules.paths.get(*self.wanted_by.get(file)?)
    }

    /// Why a rule is not wanted for its own sake.
    fn left_out(&self, rule: &Rule<'_>) -> Option<Why> {
        let Some(path) = self.path_of(rule.file) else {
            return Some(Why::Path);
        };
        // As its alerts would have it.
        let level = rule.meta.level.unwrap_or(Level::Medium);
        let below = path.min_level.filter(|least| level < *least);
        let status = rule
            .meta
            .status
            .filter(|status| !path.status.is_empty() && !path.status.contains(status));
        below.map(Why::BelowLevel).or(status.map(Why::Status))
    }

    /// Carries out `overrides`; gives for each rule whether it is disabled.
    fn override_rules(&self, set: &mut RuleSet, problems: &mut Vec<Diagnostic>) -> Vec<bool> {
        let overrides = &self.rules.overrides;
        let places = overrides.iter().enumerate();
        let by_name: BTreeMap<String, usize> = places
            .map(|(at, one)| (one.rule.to_lowercase(), at))
            .collect();
        let find = |name: &str| by_name.get(&name.to_lowercase()).copied();
        let mut used = BTreeSet::new();
        let mut known = BTreeSet::new();
        let mut disabled = Vec::new();
        let mut found = Vec::new();
        let mut apply = |meta: &mut Meta, keys: Alerting<'_>| {
            let names = [&meta.id, &meta.name].into_iter().flatten();
            let at = names.clone().find_map(|name| find(name));
            // Both may be written: the id goes first, the name has no effect.
            used.extend(names.clone().filter_map(|name| find(name)));
            known.extend(names.cloned());
            let said = at.map(|at| &overrides[at]);
            disabled.push(said.is_some_and(|one| one.disabled));
            found.extend(said.and_then(|one| change(one, meta, keys)));
        };
        for rule in &mut set.detections {
            apply(&mut rule.meta, Alerting::Detection(&mut rule.palisade));
        }
        for rule in &mut set.correlations {
            apply(&mut rule.meta, Alerting::Correlation(&mut rule.palisade));
        }
        for rule in &mut set.filters {
            apply(&mut rule.meta, Alerting::Filter);
        }
        problems.append(&mut found);
        // Rules that could not be read are known by their problems alone.
        problems.retain(|problem| {
            let at = problem.rule.as_deref().and_then(find);
            used.extend(at);
            at.is_none_or(|at| !overrides[at].disabled)
        });
        let unread = Unread::of(problems, self.files, disabled.is_empty());
        let unknown = overrides.iter().enumerate();
        let unknown = unknown.filter(|(at, one)| !used.contains(at) && !unread.may_hold(&one.rule));
        for (number, (_, one)) in unknown.enumerate() {
            let near = (number < SUGGESTIONS_MAX)
                .then(|| suggestion(&one.rule, known.iter().map(String::as_str)));
            let message = format!("no rule has the id or name `{}`", one.rule);
            problems.push(
                Diagnostic::warning(code::OVERRIDE_UNKNOWN, &one.place, message)
                    .with_help("name a rule as `palisade rules` lists it, or take this out")
                    .with_help_from(near.flatten()),
            );
        }
        disabled
    }
}

/// What did not load: a rule that is not known may stand there.
struct Unread<'a> {
    /// Whether anything may have been left out.
    anything: bool,
    /// Files with errors.
    files: Vec<&'a RuleFile>,
}

impl<'a> Unread<'a> {
    fn of(problems: &[Diagnostic], files: &'a [RuleFile], nothing_read: bool) -> Self {
        let errors = || problems.iter().filter(|problem| problem.is_error());
        let broken: BTreeSet<&str> = errors().map(|problem| &*problem.place.file).collect();
        let lost = [code::TOO_MANY_RULES.id, code::FILE_UNREADABLE.id];
        Self {
            anything: (nothing_read && !broken.is_empty())
                || errors().any(|problem| lost.contains(&problem.code)),
            files: files
                .iter()
                .filter(|file| broken.contains(&*file.name))
                .collect(),
        }
    }

    /// Whether a rule of this id or name may be among it.
    fn may_hold(&self, rule: &str) -> bool {
        let name = rule.to_lowercase();
        let holds = |file: &&RuleFile| {
            String::from_utf8_lossy(&file.bytes)
                .to_lowercase()
                .contains(&name)
        };
        self.anything || self.files.iter().any(holds)
    }
}

/// A kind of rule, with its keys if it alerts.
enum Alerting<'a> {
    Detection(&'a mut PalisadeKeys),
    Correlation(&'a mut PalisadeKeys),
    Filter,
}

/// Carries out one override; gives what of it has no effect.
fn change(one: &Override, meta: &mut Meta, rule: Alerting<'_>) -> Option<Diagnostic> {
    let idle = |message: &str, help: &str| {
        let problem = Diagnostic::warning(code::OVERRIDE_WITHOUT_EFFECT, &one.place, message);
        Some(problem.with_help(help))
    };
    let by = one.suppress_by.as_ref();
    let (keys, problem) = match rule {
        Alerting::Filter if one.level.is_some() || one.suppress.is_some() => {
            return idle(
                "a filter does not alert: it has neither level nor suppression",
                "`disabled: true` is what can be said over a filter",
            );
        }
        Alerting::Filter => return None,
        Alerting::Correlation(keys) if by.is_some() => {
            let problem = idle(
                "a correlation is silent for its group: `suppress.by` has no effect on it",
                "take `by` out, or change the correlation's `group-by`",
            );
            (keys, problem)
        }
        Alerting::Correlation(keys) => (keys, None),
        Alerting::Detection(keys) => {
            if let Some(by) = by {
                keys.suppress_by.clone_from(by);
            }
            (keys, None)
        }
    };
    meta.level = one.level.or(meta.level);
    if let Some(suppress) = &one.suppress {
        keys.suppress = Some(suppress.clone());
    }
    problem
}

/// Takes out what is not loaded.
fn take_out(set: &mut RuleSet, states: &[State]) {
    let mut states = states.iter();
    let mut keep = || states.next().is_some_and(State::is_in_force);
    set.detections.retain(|_| keep());
    set.correlations.retain(|_| keep());
    set.filters.retain(|_| keep());
}

/// A rule in the graph.
struct Rule<'a> {
    meta: &'a Meta,
    file: &'a str,
    correlation: Option<&'a Correlation>,
}

/// Rules and correlations, in that order, and what refers to what.
struct Graph<'a> {
    rules: Vec<Rule<'a>>,
    by_name: BTreeMap<&'a str, usize>,
}

impl<'a> Graph<'a> {
    fn new(set: &'a RuleSet) -> Self {
        let detections = set.detections.iter().map(|rule| Rule {
            meta: &rule.meta,
            file: &rule.place.file,
            correlation: None,
        });
        let correlations = set.correlations.iter().map(|rule| Rule {
            meta: &rule.meta,
            file: &rule.place.file,
            correlation: Some(rule),
        });
        let rules: Vec<_> = detections.chain(correlations).collect();
        let mut by_name = BTreeMap::new();
        for (at, rule) in rules.iter().enumerate() {
            for name in [&rule.meta.id, &rule.meta.name].into_iter().flatten() {
                by_name.entry(name.as_str()).or_insert(at);
            }
        }
        Self { rules, by_name }
    }

    /// The rules that a correlation refers to.
    fn targets(&self, at: usize) -> impl Iterator<Item = usize> {
        let correlation = self.rules[at].correlation;
        let references = correlation.map_or(&[][..], |correlation| &correlation.rules);
        references
            .iter()
            .filter_map(|(name, _)| self.by_name.get(name.as_str()).copied())
    }

    /// Everything that these rules refer to, directly or over others.
    fn closure(&self, from: impl Iterator<Item = usize>) -> BTreeSet<usize> {
        let mut needed = BTreeSet::new();
        let mut open: Vec<usize> = from.collect();
        while let Some(at) = open.pop() {
            open.extend(self.targets(at).filter(|target| needed.insert(*target)));
        }
        needed
    }

    /// Rules that do not alert on their own, going by the correlations that `count`.
    fn parts(&self, count: impl Fn(usize) -> bool) -> BTreeSet<usize> {
        let (mut silent, mut loud) = (BTreeSet::new(), BTreeSet::new());
        for (at, rule) in self.rules.iter().enumerate().filter(|(at, _)| count(*at)) {
            let generate = rule.correlation.is_some_and(|one| one.generate);
            let set = if generate { &mut loud } else { &mut silent };
            set.extend(self.targets(at));
        }
        silent.difference(&loud).copied().collect()
    }

    /// Correlations that refer to a disabled rule, which are reported.
    fn on_disabled(&self, disabled: &[bool], problems: &mut Vec<Diagnostic>) -> BTreeSet<usize> {
        let mut refused = BTreeSet::new();
        for (at, rule) in self
            .rules
            .iter()
            .enumerate()
            .filter(|(at, _)| !disabled[*at])
        {
            let references = rule.correlation.map_or(&[][..], |one| &one.rules);
            for (name, place) in references {
                let target = self.by_name.get(name.as_str());
                if target.is_some_and(|target| disabled[*target]) {
                    refused.insert(at);
                    let message = format!("`{name}` is disabled by the configuration");
                    problems.push(
                        Diagnostic::error(code::UNKNOWN_RULE_REFERENCE, place, message)
                            .with_help(format!(
                                "disable `{}` as well, or leave `{name}` to it and choose by \
                                 `min_level`, `status` or `exclude`",
                                rule.meta.key()
                            ))
                            .for_rule(Some(rule.meta.key())),
                    );
                }
            }
        }
        refused
    }
}

#[cfg(test)]
mod tests;
