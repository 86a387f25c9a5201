//! Cost: what makes the judging of every event slower.

use super::Check;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];
