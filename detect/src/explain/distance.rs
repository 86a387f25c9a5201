//! How far a condition is from the other verdict.

use crate::naive::trace::Trace;
use crate::rule::Expr;

/// How many entries would have to be judged otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Distance {
    /// For the part to hold.
    pub(super) to_hold: usize,
    /// For the part not to hold.
    pub(super) to_fail: usize,
}

/// The distance of a condition.
pub(super) fn of(condition: &Expr, traces: &[Trace]) -> Distance {
    let each =
        |parts: &[Expr]| -> Vec<Distance> { parts.iter().map(|part| of(part, traces)).collect() };
    match condition {
        Expr::Search(place) => traces.get(*place).map_or_else(any_of_none, of_trace),
        Expr::Not(inner) => {
            let inner = of(inner, traces);
            Distance {
                to_hold: inner.to_fail,
                to_fail: inner.to_hold,
            }
        }
        Expr::And(parts) => all(&each(parts)),
        Expr::Or(parts) => any(&each(parts)),
        Expr::AtLeast(least, parts) => at_least(*least, &each(parts)),
    }
}

fn of_trace(trace: &Trace) -> Distance {
    match trace {
        Trace::All(parts) => all(&parts.iter().map(of_trace).collect::<Vec<_>>()),
        Trace::Any(parts) => any(&parts.iter().map(of_trace).collect::<Vec<_>>()),
        Trace::Item(item) => Distance {
            to_hold: usize::from(!item.holds),
            to_fail: usize::from(item.holds),
        },
    }
}

fn any_of_none() -> Distance {
    any(&[])
}

fn all(parts: &[Distance]) -> Distance {
    at_least(parts.len(), parts)
}

fn any(parts: &[Distance]) -> Distance {
    at_least(1, parts)
}

/// `least` of the parts must hold, so all but `least - 1` of them must fail. Without enough parts no
/// number of entries suffices.
fn at_least(least: usize, parts: &[Distance]) -> Distance {
    let mut hold: Vec<usize> = parts.iter().map(|part| part.to_hold).collect();
    let mut fail: Vec<usize> = parts.iter().map(|part| part.to_fail).collect();
    hold.sort_unstable();
    fail.sort_unstable();
    Distance {
        to_hold: sum_of_first(&hold, least),
        to_fail: sum_of_first(&fail, (parts.len() + 1).saturating_sub(least)),
    }
}

fn sum_of_first(sorted: &[usize], count: usize) -> usize {
    match sorted.get(..count) {
        Some(first) => first
            .iter()
            .fold(0, |sum, next| usize::saturating_add(sum, *next)),
        None => usize::MAX,
    }
}
