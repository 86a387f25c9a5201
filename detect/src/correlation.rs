//! The correlation fold: a pure function of one key partition of the matches log.

mod key;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alert::Alert;
use crate::id::Id;
use crate::matches::{Match, Record, Source};
use crate::rule::{Bounds, Level, TemporalCondition};
use crate::time::{Span, Timestamp};

pub use crate::matches::KEY_PARTITIONS;
pub use key::GroupKey;

/// A position in the matches log.
pub type Pos = u64;

/// A correlation as the fold needs it: names resolved, paths left to stage A.
///
/// It is stored under its version before its first use, so that any version found in the log can
/// be resolved.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CorrelationDef {
    /// Sigma `id`, else derived from `version`.
    pub id: String,
    /// Hash of the correlation's meaning, the versions of the rules it refers to included.
    pub version: Id,
    /// Title and the rest, for the alert.
    pub rule: crate::alert::RuleInfo,
    /// Title of the alert.
    pub title: String,
    /// Description of the alert.
    pub description: Option<String>,
    /// Severity of the alert.
    pub severity: Level,
    /// What is computed.
    pub kind: DefKind,
    /// Ids of the referenced rules, in list order.
    pub base_rules: Vec<String>,
    /// Group-by names as shown in alerts.
    pub group_by: Vec<String>,
    /// Length of the window.
    pub timespan: Span,
    /// Whether a satisfied evaluation raises an alert; `false` for the inner ones of a chain.
    pub alerts: bool,
    /// How long it stays silent for a group after an alert; `None`: never silent.
    pub suppress: Option<Span>,
    /// Allowed lateness of its input.
    pub lateness: Span,
    /// Correlations that refer to this one, and the place it has in their `base_rules`.
    pub outer: Vec<(Id, u32)>,
}

/// What a correlation computes; fields are resolved in stage A.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum DefKind {
    /// Number of events.
    EventCount(Bounds),
    /// Number of distinct values.
    ValueCount(Bounds),
    /// Sum of the numbers.
    ValueSum(Bounds),
    /// Mean of the numbers.
    ValueAvg(Bounds),
    /// Percentile (0 to 100) of the numbers, between ranks by linear interpolation.
    ValuePercentile(f64, Bounds),
    /// Different rules.
    Temporal(TemporalCondition),
    /// Different rules, and one event per rule in list order.
    TemporalOrdered(TemporalCondition),
}

/// Definitions by version: every version the log may name.
pub type Definitions = BTreeMap<Id, Arc<CorrelationDef>>;

/// The state machine of one key partition.
pub struct Fold {
    // Marks, watermarks, groups; see the helper's design.
}

/// What a step says to the outside.
#[derive(Debug, Clone)]
pub enum Output {
    /// An alert; `emitted_at` is still empty.
    Alert(Box<Alert>),
    /// A match for an outer correlation, to be appended to this key partition.
    Chained(u32, Box<Match>),
}

/// Why a step cannot be taken; the key partition stalls.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The log names a version that no definition is known for.
    #[error("unknown rule version {version} of correlation `{correlation}` at position {pos}")]
    UnknownVersion {
        /// The version.
        version: Id,
        /// The correlation.
        correlation: String,
        /// Where.
        pos: Pos,
    },
    /// The record was written by a newer program or is damaged.
    #[error("unreadable record at position {pos}: {message}")]
    Unreadable {
        /// Where.
        pos: Pos,
        /// Why.
        message: String,
    },
}

impl Fold {
    /// An empty fold of the key partition `partition`.
    pub fn new(partition: u32) -> Self {
        let _ = partition;
        unimplemented!("helper C")
    }

    /// Applies the record at `pos`. What was applied before changes nothing.
    ///
    /// # Errors
    /// When the record cannot be understood; the state is then unchanged.
    pub fn step(
        &mut self,
        pos: Pos,
        record: &Record,
        definitions: &Definitions,
        out: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let _ = (pos, record, definitions, out);
        unimplemented!("helper C")
    }

    /// Event time below which nothing more is expected; `None` before the first tick.
    pub fn watermark(&self) -> Option<Timestamp> {
        unimplemented!("helper C")
    }

    /// Elements held.
    pub fn slots(&self) -> u64 {
        unimplemented!("helper C")
    }

    /// The source of chained matches of this key partition.
    pub fn chain_source(&self) -> Source {
        unimplemented!("helper C")
    }
}
