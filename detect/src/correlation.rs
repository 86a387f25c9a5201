//! The correlation fold: a pure function of one key partition of the matches log.

mod apply;
mod evidence;
mod group;
mod key;
mod lane;
mod limits;
mod report;
mod snapshot;
mod tally;
pub mod view;
mod watermark;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::alert::Alert;
use crate::id::Id;
use crate::matches::{Body, Match, Record, Source};
use crate::rule::{Bounds, Level, TemporalCondition, Wording};
use crate::time::{Span, Timestamp};

pub use crate::matches::KEY_PARTITIONS;
pub use key::GroupKey;
pub use report::{ENTITIES_MAX, EVIDENCE_EVENTS_MAX};
pub use watermark::Stalled;

use apply::Mark;
use lane::{Input, Lane};
use limits::Limits;
use watermark::{CHAIN_SOURCE, Clocks};

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
    /// What its alerts say of their group, by place in `group_by`.
    #[serde(default)]
    pub wording: Wording<usize>,
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
///
/// Its state is a function of the records it was given and nothing else, and it is bounded by
/// [`Settings`](crate::matches::Settings) and the limits of this module. A match at or below the
/// mark of its source partition is a repeat and changes nothing. Matches that repeat an event by
/// content under a new offset are not told apart: they count as events of their own.
pub struct Fold {
    partition: u32,
    limits: Limits,
    /// Last match applied, by source partition.
    marks: BTreeMap<Source, Mark>,
    clocks: Clocks,
    /// How far the folds have passed on chained matches.
    chain: Clocks,
    /// State by correlation version and tenant.
    lanes: BTreeMap<(Id, Arc<str>), Lane>,
    slots: u64,
    bytes: usize,
    /// Matches applied; numbers groups by arrival.
    applied: u64,
    evicted: u64,
    late: u64,
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
    /// An empty fold of the key partition `partition`, with the default limits.
    pub fn new(partition: u32) -> Self {
        Self {
            partition,
            limits: Limits::default(),
            marks: BTreeMap::new(),
            clocks: Clocks::default(),
            chain: Clocks::default(),
            lanes: BTreeMap::new(),
            slots: 0,
            bytes: 0,
            applied: 0,
            evicted: 0,
            late: 0,
        }
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
        match &record.body {
            Some(Body::Batch(batch)) => self.batch(pos, batch, definitions, out)?,
            Some(Body::Tick(tick)) => {
                self.clocks
                    .tick(tick.marks.iter().filter(|mark| !is_chain(mark)));
                self.chain
                    .tick(tick.marks.iter().filter(|mark| is_chain(mark)));
                self.expire();
            }
            Some(Body::SourceGone(source)) => {
                self.clocks.gone(source);
                self.expire();
            }
            Some(Body::Settings(settings)) => self.settings(pos, settings)?,
            None => return Err(unreadable(pos, "it has no body that this program knows")),
        }
        Ok(())
    }

    /// Append time that all sources have passed, lateness not subtracted; `None` before every
    /// registered partition has ticked.
    pub fn watermark(&self) -> Option<Timestamp> {
        self.clocks.low()
    }

    /// Partitions of sources that are silent while others go on, so that no correlation waits for them:
    /// a function of the log alone, and the same in every key partition.
    pub fn stalled(&self) -> Vec<Stalled> {
        self.clocks.stalled()
    }

    /// Slots in use: elements held, and one for each group that only remembers an alert.
    pub fn slots(&self) -> u64 {
        self.slots
    }

    /// Groups that were forgotten, and elements merged or dropped, because a limit was reached.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Matches that arrived below their correlation's watermark.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// The source of chained matches of this key partition.
    pub fn chain_source(&self) -> Source {
        Source {
            name: CHAIN_SOURCE.to_owned(),
            incarnation: 1,
            partition: self.partition,
        }
    }

    /// Append time that the inputs of a correlation have passed.
    fn low(&self, input: Input) -> Option<Timestamp> {
        let low = self.clocks.low()?;
        match input {
            Input::Events => Some(low),
            Input::Chained => Some(low.min(self.chain.low()?)),
        }
    }

    fn expire(&mut self) {
        let lows = [self.low(Input::Events), self.low(Input::Chained)];
        for lane in self.lanes.values_mut() {
            let [events, chained] = lows;
            let low = match lane.input {
                Input::Events => events,
                Input::Chained => chained,
            };
            if let Some(low) = low {
                let freed = lane.expire(low.minus(lane.lateness));
                self.slots -= freed.slots;
                self.bytes -= freed.bytes;
            }
        }
        self.lanes.retain(|_, lane| lane.slots() > 0);
    }
}

fn is_chain(mark: &crate::matches::Mark) -> bool {
    mark.source
        .as_ref()
        .is_some_and(|source| source.name == CHAIN_SOURCE)
}

fn unreadable(pos: Pos, message: &str) -> StepError {
    StepError::Unreadable {
        pos,
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
