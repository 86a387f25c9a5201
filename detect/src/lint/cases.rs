//! Case files: what stands beside the rules.

use super::Check;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];
