//! Tags: ATT&CK and others.

use super::Check;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];
