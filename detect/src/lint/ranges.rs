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
}
