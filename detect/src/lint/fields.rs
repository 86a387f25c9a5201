//! Fields and log sources: what records were never seen with.

use std::collections::BTreeMap;

use super::Check;
use crate::logsource::Logsource;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[];

/// Which fields records were seen with.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// By log type.
    pub log_types: Vec<ObservedLogType>,
}

/// The fields of one log type.
#[derive(Debug, Clone)]
pub struct ObservedLogType {
    /// Name of the log type.
    pub name: String,
    /// The log sources that its records state.
    pub logsources: Vec<Logsource>,
    /// Records looked at.
    pub records: u64,
    /// Dotted path of each field, with the number of records that have it.
    pub fields: BTreeMap<String, u64>,
}
