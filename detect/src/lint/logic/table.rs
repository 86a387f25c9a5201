//! What a condition can say, over all combinations of what its searches say.

use indexmap::IndexMap;

use super::super::facts::{Fact, alternatives, implies, never};
use crate::rule::{Expr, Search};

/// Most different searches whose combinations are tried: 4,096 of them.
const SEARCHES_MAX: usize = 12;
/// Most searches that a condition names, each as often as it is named, for it to be tried.
const LEAVES_MAX: usize = 200;

/// A condition with the combinations of its searches that some event may bring about.
pub(super) struct Table {
    /// Places of the searches that the condition names; of identical ones the first.
    atoms: Vec<usize>,
    /// For each combination that may be (bit by bit in the order of `atoms`): what the condition says.
    rows: Vec<Option<bool>>,
    /// Searches that are the same as an earlier one: that one, and this.
    identical: Vec<(usize, usize)>,
}

impl Table {
    /// Tries all combinations; `None` if there are too many.
    pub(super) fn of(searches: &IndexMap<String, Search>, condition: &Expr) -> Option<Self> {
        let mut places = Vec::new();
        let mut leaves = 0;
        each_search(condition, &mut |place| {
            leaves += 1;
            if leaves <= LEAVES_MAX && !places.contains(&place) {
                places.push(place);
            }
        });
        if leaves > LEAVES_MAX || places.len() > SEARCHES_MAX {
            return None;
        }
        places.sort_unstable();
        let facts: Vec<_> = places
            .iter()
            .map(|place| {
                searches
                    .get_index(*place)
                    .and_then(|(_, s)| alternatives(s))
            })
            .collect();
        let follows = follows(&facts);
        let mut atoms = Vec::new();
        let mut identical = Vec::new();
        let mut kept = Vec::new();
        for (at, place) in places.iter().enumerate() {
            let same = |other: &usize| follows[at][*other] && follows[*other][at];
            if let Some(first) = kept.iter().copied().find(same) {
                identical.push((places[first], *place));
            } else {
                kept.push(at);
                atoms.push(*place);
            }
        }
        let dead: Vec<bool> = kept
            .iter()
            .map(|at| facts[*at].as_deref().is_some_and(never))
            .collect();
        let bit_of = |place: usize| {
            let same = identical.iter().find(|(_, second)| *second == place);
            let place = same.map_or(place, |(first, _)| *first);
            atoms.iter().position(|atom| *atom == place)
        };
        let rows = (0..1_usize << atoms.len()).map(|row| {
            let set = |at: usize| row >> at & 1 == 1;
            let possible = (0..kept.len()).all(|at| {
                !set(at)
                    || !dead[at] && (0..kept.len()).all(|b| set(b) || !follows[kept[at]][kept[b]])
            });
            possible.then(|| holds(condition, &|place| bit_of(place).is_some_and(set)))
        });
        let rows = rows.collect();
        Some(Self {
            atoms,
            rows,
            identical,
        })
    }

    /// Whether the condition can say so.
    pub(super) fn can_be(&self, verdict: bool) -> bool {
        self.rows.contains(&Some(verdict))
    }

    /// Searches that are the same as an earlier one: that one, and this.
    pub(super) fn identical(&self) -> &[(usize, usize)] {
        &self.identical
    }

    /// The searches on which the condition never depends.
    pub(super) fn without_effect(&self) -> impl Iterator<Item = usize> {
        self.atoms.iter().enumerate().filter_map(|(at, place)| {
            let depends = self.rows.iter().enumerate().any(|(row, verdict)| {
                let other = self.rows[row ^ 1 << at];
                verdict.is_some() && other.is_some() && *verdict != other
            });
            (!depends).then_some(*place)
        })
    }
}

/// For every two searches: whether the second holds wherever the first does.
fn follows(facts: &[Option<Vec<Vec<Fact<'_>>>>]) -> Vec<Vec<bool>> {
    let row = |first: &Option<Vec<Vec<Fact<'_>>>>| {
        facts
            .iter()
            .map(|second| match (first, second) {
                (Some(first), Some(second)) => implies(first, second),
                _ => false,
            })
            .collect()
    };
    facts.iter().map(row).collect()
}

/// Calls `each` for every search that a condition names, as often as it is named.
pub(super) fn each_search(condition: &Expr, each: &mut dyn FnMut(usize)) {
    match condition {
        Expr::Search(place) => each(*place),
        Expr::Not(inner) => each_search(inner, each),
        Expr::And(parts) | Expr::Or(parts) | Expr::AtLeast(_, parts) => {
            for part in parts {
                each_search(part, each);
            }
        }
    }
}

/// What a condition says if its searches say this.
pub(super) fn holds(condition: &Expr, search: &dyn Fn(usize) -> bool) -> bool {
    match condition {
        Expr::Search(place) => search(*place),
        Expr::Not(inner) => !holds(inner, search),
        Expr::And(parts) => parts.iter().all(|part| holds(part, search)),
        Expr::Or(parts) => parts.iter().any(|part| holds(part, search)),
        Expr::AtLeast(least, parts) => {
            let held = parts.iter().filter(|part| holds(part, search));
            held.take(*least).count() == *least
        }
    }
}

/// The words and brackets of a condition, each with its byte.
pub(super) fn words(text: &str) -> Vec<(&str, usize)> {
    let mut words = Vec::new();
    let mut rest = 0;
    while let Some(tail) = text.get(rest..) {
        let skip = tail.len() - tail.trim_start().len();
        let (start, tail) = (rest + skip, tail.trim_start());
        let Some(first) = tail.chars().next() else {
            break;
        };
        let stop = |c: char| c.is_whitespace() || matches!(c, '(' | ')');
        let length = match first {
            '(' | ')' => 1,
            _ => tail.find(stop).unwrap_or(tail.len()),
        };
        words.push((tail.get(..length).unwrap_or_default(), start));
        rest = start + length;
    }
    words
}

/// Whether a pattern of `1 of` selects a name.
pub(super) fn selects(pattern: &str, name: &str) -> bool {
    let pattern = if pattern == "them" { "*" } else { pattern };
    (pattern.starts_with('_') || !name.starts_with('_'))
        && crate::rule::condition::glob(pattern, name)
}
