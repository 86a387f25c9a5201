//! What a correlation computes, kept up to date while a window slides over elements.

use std::collections::BTreeMap;

use super::DefKind;
use super::group::Element;
use crate::rule::{Bounds, Comparison, Expr, TemporalCondition};

/// Millionths in one: numbers travel as fixed point so that order and removal change no result.
const MICRO: f64 = 1_000_000.0;

/// The running computation over the elements of one window.
pub(super) struct Tally<'a> {
    kind: &'a DefKind,
    state: State,
}

enum State {
    Count(u64),
    Distinct(BTreeMap<i64, u32>),
    Sum {
        sum: i128,
        count: u64,
    },
    Sorted(Vec<i64>),
    /// Elements by base rule.
    Rules(Vec<u32>),
}

impl<'a> Tally<'a> {
    /// Nothing yet, for a correlation over `rules` base rules.
    pub(super) fn new(kind: &'a DefKind, rules: usize) -> Self {
        let state = match kind {
            DefKind::EventCount(_) => State::Count(0),
            DefKind::ValueCount(_) => State::Distinct(BTreeMap::new()),
            DefKind::ValueSum(_) | DefKind::ValueAvg(_) => State::Sum { sum: 0, count: 0 },
            DefKind::ValuePercentile(..) => State::Sorted(Vec::new()),
            DefKind::Temporal(_) | DefKind::TemporalOrdered(_) => State::Rules(vec![0; rules]),
        };
        Self { kind, state }
    }

    /// An element enters the window.
    pub(super) fn add(&mut self, element: &Element) {
        match &mut self.state {
            State::Count(count) => *count += element.count(),
            State::Rules(counts) => {
                for rule in &element.rules {
                    if let Some(count) = counts.get_mut(usize::from(*rule)) {
                        *count += 1;
                    }
                }
            }
            _ => {
                for value in &element.values {
                    self.add_value(*value);
                }
            }
        }
    }

    fn add_value(&mut self, value: i64) {
        match &mut self.state {
            State::Count(_) | State::Rules(_) => {}
            State::Distinct(counts) => *counts.entry(value).or_default() += 1,
            State::Sum { sum, count } => {
                *sum += i128::from(value);
                *count += 1;
            }
            State::Sorted(values) => {
                let at = values.partition_point(|other| *other < value);
                values.insert(at, value);
            }
        }
    }

    /// An element that was added leaves the window.
    pub(super) fn remove(&mut self, element: &Element) {
        match &mut self.state {
            State::Count(count) => *count -= element.count(),
            State::Rules(counts) => {
                for rule in &element.rules {
                    if let Some(count) = counts.get_mut(usize::from(*rule)) {
                        *count -= 1;
                    }
                }
            }
            _ => {
                for value in &element.values {
                    self.remove_value(*value);
                }
            }
        }
    }

    fn remove_value(&mut self, value: i64) {
        match &mut self.state {
            State::Count(_) | State::Rules(_) => {}
            State::Distinct(counts) => {
                if let Some(count) = counts.get_mut(&value) {
                    *count -= 1;
                    if *count == 0 {
                        counts.remove(&value);
                    }
                }
            }
            State::Sum { sum, count } => {
                *sum -= i128::from(value);
                *count -= 1;
            }
            State::Sorted(values) => {
                if let Ok(at) = values.binary_search(&value) {
                    values.remove(at);
                }
            }
        }
    }

    /// What the window as it stands comes to: a count, a number of different values or rules, a sum,
    /// a mean, a percentile. `None` without any value.
    pub(super) fn measure(&self) -> Option<f64> {
        match (self.kind, &self.state) {
            (_, State::Count(count)) => Some(whole(*count)),
            (_, State::Distinct(counts)) => Some(whole(counts.len() as u64)),
            (_, State::Sum { count: 0, .. }) => None,
            (DefKind::ValueAvg(_), State::Sum { sum, count }) => {
                Some(wide(*sum) / whole(*count) / MICRO)
            }
            (_, State::Sum { sum, .. }) => Some(wide(*sum) / MICRO),
            (DefKind::ValuePercentile(percent, _), State::Sorted(values)) => {
                percentile(values, *percent)
            }
            (_, State::Sorted(_)) => None,
            (_, State::Rules(counts)) => {
                let met = counts.iter().filter(|count| **count > 0).count();
                Some(whole(met as u64))
            }
        }
    }

    /// Whether the window as it stands satisfies the condition; the order of an ordered one apart.
    pub(super) fn holds(&self) -> bool {
        match (self.kind, &self.state) {
            (DefKind::EventCount(bounds), State::Count(count)) => within(bounds, whole(*count)),
            (DefKind::ValueCount(bounds), State::Distinct(counts)) => {
                within(bounds, whole(counts.len() as u64))
            }
            (DefKind::ValueSum(bounds), State::Sum { sum, count }) => {
                *count > 0 && within(bounds, wide(*sum) / MICRO)
            }
            (DefKind::ValueAvg(bounds), State::Sum { sum, count }) => {
                *count > 0 && within(bounds, wide(*sum) / whole(*count) / MICRO)
            }
            (DefKind::ValuePercentile(percent, bounds), State::Sorted(values)) => {
                percentile(values, *percent).is_some_and(|value| within(bounds, value))
            }
            (
                DefKind::Temporal(condition) | DefKind::TemporalOrdered(condition),
                State::Rules(counts),
            ) => rules_hold(condition, counts),
            _ => false,
        }
    }
}

/// Whether a count is within the bounds.
pub(super) fn count_within(bounds: &Bounds, count: u64) -> bool {
    within(bounds, whole(count))
}

fn rules_hold(condition: &TemporalCondition, counts: &[u32]) -> bool {
    match condition {
        TemporalCondition::All => counts.iter().all(|count| *count > 0),
        TemporalCondition::Count(bounds) => {
            let met = counts.iter().filter(|count| **count > 0).count();
            within(bounds, whole(met as u64))
        }
        TemporalCondition::Expression(expression) => expression_holds(expression, counts),
    }
}

fn expression_holds(expression: &Expr, counts: &[u32]) -> bool {
    match expression {
        Expr::Search(place) => counts.get(*place).is_some_and(|count| *count > 0),
        Expr::Not(inner) => !expression_holds(inner, counts),
        Expr::And(all) => all.iter().all(|inner| expression_holds(inner, counts)),
        Expr::Or(any) => any.iter().any(|inner| expression_holds(inner, counts)),
        Expr::AtLeast(least, of) => {
            of.iter()
                .filter(|inner| expression_holds(inner, counts))
                .count()
                >= *least
        }
    }
}

#[expect(clippy::float_cmp, reason = "the rule asks for exact equality")]
fn within(bounds: &Bounds, value: f64) -> bool {
    bounds.0.iter().all(|(comparison, bound)| match comparison {
        Comparison::Gt => value > *bound,
        Comparison::Gte => value >= *bound,
        Comparison::Lt => value < *bound,
        Comparison::Lte => value <= *bound,
        Comparison::Eq => value == *bound,
        Comparison::Neq => value != *bound,
    })
}

/// The percentile of sorted millionths, between the closest ranks by linear interpolation.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank is between 0 and the number of values"
)]
fn percentile(values: &[i64], percent: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let rank = (whole(last as u64) * percent / 100.0).clamp(0.0, whole(last as u64));
    let low = rank.floor() as usize;
    let (below, above) = (values.get(low)?, values.get((low + 1).min(last))?);
    let (below, above) = (
        wide(i128::from(*below)) / MICRO,
        wide(i128::from(*above)) / MICRO,
    );
    Some(below + (above - below) * rank.fract())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, rounded the same way everywhere"
)]
fn whole(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, rounded the same way everywhere"
)]
fn wide(sum: i128) -> f64 {
    sum as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_the_closest_ranks() {
        let values = [10_000_000, 20_000_000, 30_000_000, 40_000_000];
        for (percent, expected) in [(0.0, 10.0), (50.0, 25.0), (75.0, 32.5), (100.0, 40.0)] {
            assert_eq!(percentile(&values, percent), Some(expected), "{percent}");
        }
        assert_eq!(percentile(&[], 50.0), None);
        assert_eq!(percentile(&values, f64::NAN).map(f64::is_nan), Some(true));
    }

    #[test]
    fn two_comparisons_are_a_range() {
        let range = Bounds(vec![(Comparison::Gte, 2.0), (Comparison::Lt, 4.0)]);
        let held: Vec<u64> = (0..6)
            .filter(|count| count_within(&range, *count))
            .collect();
        assert_eq!(held, [2, 3]);
    }

    #[test]
    fn thresholds_may_be_fractions() {
        let bounds = Bounds(vec![(Comparison::Gt, 2.5)]);
        assert!(!count_within(&bounds, 2));
        assert!(count_within(&bounds, 3));
    }
}
