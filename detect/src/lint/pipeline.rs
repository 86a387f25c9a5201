//! Pipelines: transformations that do nothing.

use super::Check;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];
