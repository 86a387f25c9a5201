//! Fields and log sources: what records were never seen with.

use super::Check;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];
