//! What the regular expressions of a rule set take together.

use std::cell::Cell;

use regex::Regex;

use super::{REGEX_COMPILED_BYTES_MAX, REGEX_SET_BYTES_MAX};

/// Sizes at which a regular expression is tried in turn, to learn roughly what it takes: trying all
/// costs about twice what the last one does.
const SIZES: [usize; 13] = [
    4 << 10,
    8 << 10,
    16 << 10,
    32 << 10,
    64 << 10,
    128 << 10,
    256 << 10,
    512 << 10,
    1 << 20,
    2 << 20,
    4 << 20,
    8 << 20,
    REGEX_COMPILED_BYTES_MAX,
];

/// What the regular expressions of a rule set may still take.
///
/// Once one did not fit, none does: to find out whether a further one would costs as much time as
/// building it.
#[derive(Debug)]
pub(crate) struct Expressions {
    left: Cell<usize>,
}

/// All that a set may take.
impl Default for Expressions {
    fn default() -> Self {
        Self {
            left: Cell::new(REGEX_SET_BYTES_MAX),
        }
    }
}

/// Why there is no expression.
#[derive(Debug)]
pub(super) enum NotBuilt {
    /// Those of the set take too much.
    SetIsFull,
    /// It is wrong, or by itself too large.
    Wrong(regex::Error),
}

impl Expressions {
    /// The expression, and roughly what it takes; `build` builds it within a size.
    pub(super) fn build(
        &self,
        build: impl Fn(usize) -> Result<Regex, regex::Error>,
    ) -> Result<(Regex, usize), NotBuilt> {
        let mut last = regex::Error::CompiledTooBig(REGEX_COMPILED_BYTES_MAX);
        for size in SIZES {
            if size > self.left.get() {
                self.left.set(0);
                return Err(NotBuilt::SetIsFull);
            }
            match build(size) {
                Ok(regex) => {
                    self.left.set(self.left.get() - size);
                    return Ok((regex, size));
                }
                Err(error @ regex::Error::CompiledTooBig(_)) => last = error,
                Err(error) => return Err(NotBuilt::Wrong(error)),
            }
        }
        // That it is too large was as much work as a large one.
        let left = self.left.get().saturating_sub(REGEX_COMPILED_BYTES_MAX);
        self.left.set(left);
        Err(NotBuilt::Wrong(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::RegexBuilder;

    fn built(expressions: &Expressions, pattern: &str) -> Result<usize, NotBuilt> {
        let build = |size| RegexBuilder::new(pattern).size_limit(size).build();
        expressions.build(build).map(|(_, taken)| taken)
    }

    #[test]
    fn once_one_did_not_fit_none_does() {
        let expressions = Expressions {
            left: Cell::new(40 << 10),
        };
        assert_eq!(built(&expressions, "abc").expect("fits"), 4 << 10);
        let large = built(&expressions, "[ab]{4000}");
        assert!(matches!(large, Err(NotBuilt::SetIsFull)), "{large:?}");
        let small = built(&expressions, "abc");
        assert!(matches!(small, Err(NotBuilt::SetIsFull)), "{small:?}");
    }

    #[test]
    fn ten_thousand_ordinary_expressions_fit() {
        let expressions = Expressions::default();
        let one = built(&expressions, "^C:.Users.[a-z0-9]{1,8}.exe$").expect("fits");
        assert!(one * 10_000 <= REGEX_SET_BYTES_MAX, "{one}");
    }

    #[test]
    fn expression_that_is_too_large_by_itself_counts_as_the_work_that_it_was() {
        let expressions = Expressions {
            left: Cell::new(15 << 20),
        };
        let pattern = r"(\w{100}){100}";
        let first = built(&expressions, pattern);
        assert!(matches!(first, Err(NotBuilt::Wrong(_))), "{first:?}");
        let second = built(&expressions, pattern);
        assert!(matches!(second, Err(NotBuilt::SetIsFull)), "{second:?}");
    }
}
