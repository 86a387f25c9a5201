//! Values: what they match, and what they do not.

use super::Check;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];
