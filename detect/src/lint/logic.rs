//! Logic: conditions and searches that decide nothing.

use super::Check;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];
