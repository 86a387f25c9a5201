//! Filters: which rules they narrow.

use super::Check;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];
