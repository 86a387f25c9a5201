//! Conditions over what a walk finds, in three values.
//!
//! The walk does not decide everything: some tests need the whole event, some values are not what
//! they look like. What it leaves open is *unknown*, and a rule whose condition is not false for
//! certain is held against the event as a tree.

use super::core::Core;
use super::state::State;

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    False,
    Unknown,
    True,
}

impl Truth {
    fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

/// A rule's condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// A predicate holds.
    Predicate(u32),
    /// The field of this slot is there.
    Found(u32),
    /// The field of this slot is null or not there.
    Null(u32),
    /// Only the tree tells.
    Unknown,
    /// Settled when the rule was compiled.
    Settled(bool),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    AtLeast(usize, Vec<Condition>),
}

/// What wakes a rule: unless one of these happens, its condition is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trigger {
    Predicate(u32),
    Found(u32),
}

/// Triggers, and how often they are thought to happen.
#[derive(Debug, Clone)]
pub(super) struct Clause {
    pub(super) cost: u64,
    pub(super) triggers: Vec<Trigger>,
}

/// How often a field is thought to be there, on the scale of what predicates cost.
const FOUND_COST: u64 = 10_000;

impl Condition {
    /// What the walk says of this condition.
    pub(super) fn truth(&self, core: &Core, state: &State) -> Truth {
        match self {
            Self::Predicate(predicate) => state.predicate(core, *predicate),
            Self::Found(slot) => state.found(*slot),
            Self::Null(slot) => state.null(*slot),
            Self::Unknown => Truth::Unknown,
            Self::Settled(holds) => Truth::of(*holds),
            Self::Not(inner) => inner.truth(core, state).not(),
            Self::All(parts) => {
                let mut all = Truth::True;
                for part in parts {
                    all = all.min(part.truth(core, state));
                    if all == Truth::False {
                        break;
                    }
                }
                all
            }
            Self::Any(parts) => {
                let mut any = Truth::False;
                for part in parts {
                    any = any.max(part.truth(core, state));
                    if any == Truth::True {
                        break;
                    }
                }
                any
            }
            Self::AtLeast(least, parts) => {
                let truths = || parts.iter().map(|part| part.truth(core, state));
                if truths().filter(|truth| *truth == Truth::True).count() >= *least {
                    return Truth::True;
                }
                let possible = truths().filter(|truth| *truth != Truth::False).count();
                if possible >= *least {
                    Truth::Unknown
                } else {
                    Truth::False
                }
            }
        }
    }

    /// Whether it asks for a predicate that is `wanted`.
    pub(super) fn asks_for(&self, wanted: &dyn Fn(u32) -> bool) -> bool {
        match self {
            Self::Predicate(predicate) => wanted(*predicate),
            Self::Found(_) | Self::Null(_) | Self::Unknown | Self::Settled(_) => false,
            Self::Not(inner) => inner.asks_for(wanted),
            Self::All(parts) | Self::Any(parts) | Self::AtLeast(_, parts) => {
                parts.iter().any(|part| part.asks_for(wanted))
            }
        }
    }

    /// The rarest triggers without one of which the condition is false; `None` if it can hold
    /// without any. `cost` says how often a predicate is thought to hold.
    pub(super) fn clause(&self, cost: &dyn Fn(u32) -> u64) -> Option<Clause> {
        let one = |cost, trigger| {
            let triggers = vec![trigger];
            Some(Clause { cost, triggers })
        };
        match self {
            Self::Predicate(predicate) => one(cost(*predicate), Trigger::Predicate(*predicate)),
            Self::Found(slot) => one(FOUND_COST, Trigger::Found(*slot)),
            Self::Null(_) | Self::Unknown | Self::Settled(true) | Self::AtLeast(0, _) => None,
            Self::Settled(false) => Some(Clause {
                cost: 0,
                triggers: Vec::new(),
            }),
            Self::Not(inner) => match &**inner {
                Self::Not(inner) => inner.clause(cost),
                // Whoever finds nothing null has found something.
                Self::Null(slot) => one(FOUND_COST, Trigger::Found(*slot)),
                Self::Any(parts) => {
                    let clauses = parts.iter().filter_map(|part| negated(part).clause(cost));
                    clauses.min_by_key(|clause| clause.cost)
                }
                _ => None,
            },
            Self::All(parts) => {
                let clauses = parts.iter().filter_map(|part| part.clause(cost));
                clauses.min_by_key(|clause| clause.cost)
            }
            Self::Any(parts) => together(parts.iter().map(|part| part.clause(cost)).collect()),
            Self::AtLeast(least, parts) => {
                // If all but `least - 1` fail, too few hold: any so many parts are a clause.
                let mut clauses: Vec<_> = parts.iter().map(|part| part.clause(cost)).collect();
                clauses.sort_by_key(|clause| clause.as_ref().map_or(u64::MAX, |c| c.cost));
                clauses.truncate((parts.len() + 1).saturating_sub(*least));
                together(clauses)
            }
        }
    }
}

fn negated(part: &Condition) -> Condition {
    Condition::Not(Box::new(part.clone()))
}

/// The clause of a choice; `None` if one of the parts needs no trigger.
fn together(parts: Vec<Option<Clause>>) -> Option<Clause> {
    let mut all = Clause {
        cost: 0,
        triggers: Vec::new(),
    };
    for part in parts {
        let part = part?;
        all.cost = all.cost.saturating_add(part.cost);
        all.triggers.extend(part.triggers);
    }
    all.triggers.sort_unstable();
    all.triggers.dedup();
    Some(all)
}
