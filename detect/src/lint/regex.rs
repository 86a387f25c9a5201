//! Regular expressions: what says the same more plainly or for less.

use super::Check;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];
