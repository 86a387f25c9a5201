//! Rules compiled to a judge: one event in, matches out; stateless.

use std::sync::Arc;

use crate::alert::Alert;
use crate::correlation::CorrelationDef;
use crate::diagnostic::Diagnostic;
use crate::event::{EventRef, Origin};
use crate::id::Id;
use crate::logsource::Routing;
use crate::matches::Match;
use crate::rule::{Meta, RuleSet};
use crate::time::Timestamp;

/// Longest whole trigger event in an alert, in bytes; a longer one is cut and marked.
pub const TRIGGER_BYTES_MAX: usize = 64 * 1024;
/// Largest event that is judged, in bytes; a larger one is a dead letter.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Deepest nesting of an event that is judged.
pub const EVENT_DEPTH_MAX: usize = 64;

/// How rules are held against events.
#[derive(Debug, Clone, Copy, Default)]
pub struct EngineOptions {
    /// How log sources are compared.
    pub routing: Routing,
}

/// A rule set, compiled.
pub struct Engine {
    // Compiled detections in rule-set order; see `rules()`.
}

/// What the outside may know of a loaded rule.
#[derive(Debug, Clone)]
pub struct LoadedRule {
    /// Title, id, level, tags.
    pub meta: Arc<Meta>,
    /// Sigma `id`, else derived from `version`.
    pub id: Arc<str>,
    /// Hash of the rule's meaning.
    pub version: Id,
    /// Whether it alerts on its own (COR-15).
    pub alerts: bool,
}

/// Everything about an event that its bytes do not say.
#[derive(Debug, Clone)]
pub struct EventContext<'a> {
    /// Where it stands.
    pub origin: &'a Origin,
    /// Its id.
    pub event_id: Id,
    /// When the broker took the record, or when it was received.
    pub append_time: Timestamp,
    /// Whether event times outside [append - 7 d, append + 5 min] are clamped (`T1`); files: no.
    pub clamp: Clamp,
}

/// Whether event times are held against the append time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clamp {
    /// A missing or far-off event time becomes the append time.
    ToAppendTime,
    /// Event times are taken as they are; a missing one becomes the append time.
    Never,
}

/// What stage A says about one event. Reused between events; cleared by [`Engine::detect`].
#[derive(Debug, Default)]
pub struct Verdict {
    /// Alerts of detection rules that alert on their own; `emitted_at` is still empty.
    pub alerts: Vec<Alert>,
    /// Matches for correlations, in the order of the matches log.
    pub matches: Vec<Match>,
    /// Places (in [`Engine::rules`]) of all detection rules that matched.
    pub matched: Vec<usize>,
    /// JSON objects in the event that held a key twice (the last one wins).
    pub duplicate_keys: u32,
    /// Whether the event's time was replaced by the append time.
    pub clamped: bool,
}

/// Why an event cannot be judged; it becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The bytes are not UTF-8.
    #[error("not UTF-8 at byte {byte} of the event")]
    NotUtf8 {
        /// Offset in the event.
        byte: usize,
    },
    /// The bytes are not one JSON object.
    #[error("not JSON at byte {byte} of the event: {message}")]
    NotJson {
        /// Offset in the event.
        byte: usize,
        /// What was expected.
        message: String,
    },
    /// The event is larger than [`EVENT_BYTES_MAX`].
    #[error("event of {bytes} bytes is larger than the limit of {EVENT_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The event is nested deeper than [`EVENT_DEPTH_MAX`].
    #[error("event is nested deeper than the limit of {EVENT_DEPTH_MAX}")]
    TooDeep,
}

impl Engine {
    /// Compiles a rule set whose pipelines have been applied.
    ///
    /// Filters are joined, references resolved; what cannot be honoured is left out and reported.
    pub fn compile(rules: RuleSet, options: EngineOptions) -> (Self, Vec<Diagnostic>) {
        let _ = (rules, options);
        unimplemented!("helper B")
    }

    /// The loaded detection rules, in load order.
    pub fn rules(&self) -> &[LoadedRule] {
        unimplemented!("helper B")
    }

    /// The loaded correlations, in load order, as the fold takes them.
    pub fn correlations(&self) -> &[Arc<CorrelationDef>] {
        unimplemented!("helper B")
    }

    /// Judges one event. A pure function of its arguments.
    ///
    /// # Errors
    /// When the event is no JSON object of bounded size and depth; `verdict` is then empty.
    pub fn detect(
        &self,
        event: &EventRef<'_>,
        context: &EventContext<'_>,
        verdict: &mut Verdict,
    ) -> Result<(), EventError> {
        let _ = (event, context, verdict);
        unimplemented!("helper B")
    }
}
