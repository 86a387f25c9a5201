//! Style: how a rule is written.

use super::Check;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];
