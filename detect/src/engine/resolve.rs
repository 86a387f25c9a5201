//! References of correlations: to which rules they lead, and which lead nowhere or in a circle.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, code};
use crate::rule::parse::CHAIN_DEPTH_MAX;
use crate::rule::{Correlation, Detection, Meta};

/// What a reference leads to, by place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Referred {
    Detection(usize),
    Correlation(usize),
}

/// Correlations whose references all lead to loaded rules.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// In load order.
    pub(super) correlations: Vec<Correlation>,
    /// Their references, in list order.
    pub(super) targets: Vec<Vec<Referred>>,
    /// Who refers to each of them, and where in their list.
    pub(super) above: Vec<Vec<(usize, usize)>>,
    /// Places in `correlations`, those referred to before those that refer.
    pub(super) order: Vec<usize>,
}

/// Resolves references. A correlation with a bad one is left out and reported, and so are those
/// that refer to it.
pub(super) fn resolve(
    mut correlations: Vec<Correlation>,
    detections: &[Detection],
    problems: &mut Vec<Diagnostic>,
) -> Resolved {
    loop {
        let found: Vec<Result<Vec<Referred>, Diagnostic>> = {
            let names = names(&correlations, detections);
            correlations
                .iter()
                .map(|correlation| targets_of(correlation, &names))
                .collect()
        };
        let mut targets = Vec::with_capacity(correlations.len());
        let before = correlations.len();
        let mut found = found.into_iter();
        correlations.retain(|correlation| match found.next() {
            Some(Ok(found)) => {
                targets.push(found);
                true
            }
            Some(Err(problem)) => {
                problems.push(problem.for_rule(Some(correlation.meta.key())));
                false
            }
            None => false,
        });
        if correlations.len() < before {
            continue;
        }
        let depths = depths(&targets);
        let bad = |place: usize| depths.get(place).is_none_or(Option::is_none);
        if !(0..correlations.len()).any(bad) {
            return ordered(correlations, targets, &depths);
        }
        let mut place = 0;
        let cyclic = cycles(&targets);
        correlations.retain(|correlation| {
            let (bad, cyclic) = (bad(place), cyclic.contains(&place));
            place += 1;
            if bad {
                problems.push(bad_chain(correlation, cyclic));
            }
            !bad
        });
    }
}

fn bad_chain(correlation: &Correlation, cyclic: bool) -> Diagnostic {
    let place = correlation
        .rules
        .first()
        .map_or(&correlation.place, |(_, place)| place);
    let problem = if cyclic {
        Diagnostic::error(
            code::CORRELATION_CYCLE,
            place,
            "the references of this correlation lead back to a correlation on their way",
        )
        .with_help("a correlation can only refer to rules that do not depend on it")
    } else {
        Diagnostic::error(
            code::CORRELATION_TOO_DEEP,
            place,
            format!("correlations are chained deeper than the limit of {CHAIN_DEPTH_MAX}"),
        )
    };
    problem.for_rule(Some(correlation.meta.key()))
}

fn ordered(
    correlations: Vec<Correlation>,
    targets: Vec<Vec<Referred>>,
    depths: &[Option<usize>],
) -> Resolved {
    let mut order: Vec<usize> = (0..correlations.len()).collect();
    order.sort_by_key(|place| (depths.get(*place).copied().flatten(), *place));
    let mut above = vec![Vec::new(); correlations.len()];
    for (place, targets) in targets.iter().enumerate() {
        for (slot, target) in targets.iter().enumerate() {
            if let Referred::Correlation(inner) = *target {
                above[inner].push((place, slot));
            }
        }
    }
    Resolved {
        correlations,
        targets,
        above,
        order,
    }
}

type Names<'a> = BTreeMap<&'a str, (Referred, &'a Meta)>;

/// Rules by id and by name; what was loaded first keeps a name.
fn names<'a>(correlations: &'a [Correlation], detections: &'a [Detection]) -> Names<'a> {
    let rules = detections.iter().map(|rule| &rule.meta).enumerate();
    let rules = rules.map(|(place, meta)| (Referred::Detection(place), meta));
    let chained = correlations.iter().map(|rule| &rule.meta).enumerate();
    let chained = chained.map(|(place, meta)| (Referred::Correlation(place), meta));
    let mut names = Names::new();
    for (referred, meta) in rules.chain(chained) {
        for name in [&meta.id, &meta.name].into_iter().flatten() {
            names.entry(name).or_insert((referred, meta));
        }
    }
    names
}

fn targets_of(correlation: &Correlation, names: &Names<'_>) -> Result<Vec<Referred>, Diagnostic> {
    let mut targets = Vec::with_capacity(correlation.rules.len());
    let mut known: Vec<&str> = Vec::new();
    for (reference, place) in &correlation.rules {
        let Some((referred, meta)) = names.get(reference.as_str()) else {
            let message = format!("no loaded rule has the id or name `{reference}`");
            return Err(
                Diagnostic::error(code::UNKNOWN_RULE_REFERENCE, place, message).with_help_from(
                    crate::diagnostic::suggestion(reference, names.keys().copied()),
                ),
            );
        };
        targets.push(*referred);
        known.push(reference);
        known.extend(meta.id.as_deref());
        known.extend(meta.name.as_deref());
    }
    for (alias, fields) in &correlation.aliases {
        if let Some((reference, _)) = fields
            .iter()
            .find(|(rule, _)| !known.contains(&rule.as_str()))
        {
            let message =
                format!("alias `{alias}` names `{reference}`, which is not among the `rules`");
            return Err(Diagnostic::error(
                code::UNKNOWN_RULE_REFERENCE,
                &correlation.place,
                message,
            ));
        }
    }
    Ok(targets)
}

/// The length of the longest chain below each correlation; `None` for those on or above a circle
/// or over the limit.
fn depths(targets: &[Vec<Referred>]) -> Vec<Option<usize>> {
    let mut depths: Vec<Option<usize>> = vec![None; targets.len()];
    for _ in 0..CHAIN_DEPTH_MAX {
        let next: Vec<Option<usize>> = targets
            .iter()
            .map(|targets| {
                let mut depth = Some(1);
                for target in targets {
                    if let Referred::Correlation(place) = target {
                        let below = depths.get(*place).copied().flatten();
                        depth = depth.zip(below).map(|(depth, below)| depth.max(below + 1));
                    }
                }
                depth
            })
            .collect();
        if next == depths {
            break;
        }
        depths = next;
    }
    depths
}

/// Correlations on a circle, or referring to one.
fn cycles(targets: &[Vec<Referred>]) -> Vec<usize> {
    // Whoever still has an open reference after everything without one was taken away.
    let mut open: Vec<usize> = (0..targets.len()).collect();
    loop {
        let still: Vec<usize> = open
            .iter()
            .copied()
            .filter(|place| {
                let mut below = targets.get(*place).into_iter().flatten();
                below.any(|target| match target {
                    Referred::Correlation(place) => open.binary_search(place).is_ok(),
                    Referred::Detection(_) => false,
                })
            })
            .collect();
        if still.len() == open.len() {
            return open;
        }
        open = still;
    }
}
