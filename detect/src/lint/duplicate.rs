//! Duplicates: what is said twice.

use super::Check;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];
