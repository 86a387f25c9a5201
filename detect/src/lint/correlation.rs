//! Correlations: references, windows and groups that cannot fire.

use super::Check;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];
