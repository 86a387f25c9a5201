//! Numbers that comparisons leave.

use crate::rule::Comparison;

/// Whether no number meets all comparisons.
pub(super) fn is_empty(bounds: &[(Comparison, f64)]) -> bool {
    let meets = |number: f64| bounds.iter().all(|bound| holds(*bound, number));
    // Between two neighbouring bounds all numbers are alike, and so are those beyond the last ones.
    let mut edges: Vec<f64> = bounds.iter().map(|(_, number)| *number).collect();
    edges.sort_by(f64::total_cmp);
    let between = edges
        .windows(2)
        .map(|pair| f64::midpoint(pair[0], pair[1]))
        .collect::<Vec<_>>();
    let beyond = [f64::MIN, f64::MAX];
    let mut all = edges.iter().chain(&between).chain(&beyond);
    !all.any(|number| meets(*number))
}

/// Whether no whole number from `least` on meets all comparisons.
pub(super) fn no_count(bounds: &[(Comparison, f64)], least: f64) -> bool {
    !counts(bounds, least).any(|count| count >= least && meets_all(bounds, count))
}

/// Whether every whole number from `least` on meets all comparisons.
pub(super) fn every_count(bounds: &[(Comparison, f64)], least: f64) -> bool {
    counts(bounds, least)
        .filter(|count| *count >= least)
        .all(|count| meets_all(bounds, count))
}

/// Whole numbers around each bound, the least one, and one beyond all of them.
fn counts(bounds: &[(Comparison, f64)], least: f64) -> impl Iterator<Item = f64> {
    let around = bounds.iter().flat_map(|(_, number)| {
        let floor = number.floor();
        [floor - 1.0, floor, floor + 1.0, floor + 2.0]
    });
    around.chain([least, f64::MAX])
}

fn meets_all(bounds: &[(Comparison, f64)], number: f64) -> bool {
    bounds.iter().all(|bound| holds(*bound, number))
}

#[expect(clippy::float_cmp, reason = "rules compare exactly")]
fn holds((comparison, bound): (Comparison, f64), number: f64) -> bool {
    match comparison {
        Comparison::Gt => number > bound,
        Comparison::Gte => number >= bound,
        Comparison::Lt => number < bound,
        Comparison::Lte => number <= bound,
        Comparison::Eq => number == bound,
        Comparison::Neq => number != bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Comparison::{Eq, Gt, Gte, Lt, Lte, Neq};

    #[test]
    fn ranges_without_a_number_are_empty() {
        for empty in [
            &[(Gt, 5.0), (Lt, 5.0)][..],
            &[(Gt, 5.0), (Lte, 5.0)],
            &[(Gte, 6.0), (Lt, 5.0)],
            &[(Eq, 1.0), (Neq, 1.0)],
        ] {
            assert!(is_empty(empty), "{empty:?}");
        }
        for full in [
            &[(Gte, 5.0), (Lte, 5.0)][..],
            &[(Gt, 5.0), (Lt, 6.0)],
            &[(Neq, 5.0)],
            &[(Gt, -1.0)],
            &[],
        ] {
            assert!(!is_empty(full), "{full:?}");
        }
    }

    #[test]
    fn counts_are_whole_and_begin_at_the_least() {
        for never in [
            &[(Lt, 1.0)][..],
            &[(Eq, 2.5)],
            &[(Gt, 5.0), (Lt, 6.0)],
            &[(Lte, 0.0)],
            &[(Gte, 10.0), (Lte, 9.0)],
        ] {
            assert!(no_count(never, 1.0), "{never:?}");
            assert!(!every_count(never, 1.0), "{never:?}");
        }
        for always in [
            &[(Gte, 1.0)][..],
            &[(Gt, 0.0)],
            &[(Neq, 0.0)],
            &[(Gte, -3.0)],
        ] {
            assert!(every_count(always, 1.0), "{always:?}");
        }
        assert!(!every_count(&[(Gte, 2.0)], 1.0));
        assert!(!every_count(&[(Neq, 7.0)], 1.0));
        assert!(!no_count(&[(Gte, 1e300)], 1.0));
    }
}
