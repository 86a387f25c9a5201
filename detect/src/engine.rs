//! Rules compiled to a judge: one event in, matches out; stateless.

use std::sync::Arc;

use crate::alert::{Alert, SINGLE};
use crate::correlation::CorrelationDef;
use crate::diagnostic::Diagnostic;
use crate::event::{Body, EventRef, LogType, Origin};
use crate::id::{self, Id};
use crate::list::Lists;
use crate::logsource::{Logsource, Routing};
use crate::matches::Match;
use crate::rule::{Meta, RuleSet};
use crate::time::{Span, Timestamp};
use crate::value::{self, Event, ParseError, Value};

mod version;
mod resolve;
mod plan;
mod compile;
mod retired;
mod judge;
mod fast;

use compile::Compiled;
pub use judge::CLAMP_AFTER;
use plan::Plan;
pub use retired::BODY_BYTES_MAX;
use retired::{Bodies, Retired};
pub(crate) use version::of_detection as version_of;

/// Longest whole trigger event in an alert, in bytes; a longer one is cut and marked.
pub const TRIGGER_BYTES_MAX: usize = 64 * 1024;
/// Largest event that is judged, in bytes; a larger one is a dead letter.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Deepest nesting of an event that is judged.
pub const EVENT_DEPTH_MAX: usize = 64;

/// How rules are held against events.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// How log sources are compared.
    pub routing: Routing,
    /// Lateness that correlations allow for.
    pub lateness: Span,
}

/// Strict routing, and a lateness of two minutes.
impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            routing: Routing::Strict,
            lateness: Span::from_seconds(120),
        }
    }
}

/// A rule set, compiled.
#[derive(Debug)]
pub struct Engine {
    options: EngineOptions,
    rules: Arc<[LoadedRule]>,
    /// What judges, at the places of `rules`.
    compiled: Arc<[Compiled]>,
    correlations: Vec<Arc<CorrelationDef>>,
    /// What correlations take from events, at the places of `correlations`.
    plans: Arc<[Plan]>,
    /// What each correlation was compiled from.
    bodies: Arc<Bodies>,
    /// The lists of the set.
    lists: Arc<Lists>,
    /// Earlier correlations whose windows are still open.
    retired: Arc<[Retired]>,
    /// The rules as the fast way has them.
    programs: Arc<fast::Programs>,
    /// Largest event that is judged, in bytes.
    event_bytes_max: usize,
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
    /// Which events it judges.
    pub logsource: Logsource,
    /// Hashes of the lists that it looks values up in, which are no part of `version`.
    pub lists: Vec<[u8; 32]>,
}

/// Everything about an event that its bytes do not say.
#[derive(Debug, Clone)]
pub struct EventContext<'a> {
    /// Where it stands.
    pub origin: &'a Origin,
    /// When the broker took the record, or when it was received.
    pub append_time: Timestamp,
    /// Whether event times outside [append - 7 d, append + 5 min] are clamped (`T1`); files: no.
    pub clamp: Clamp,
}

impl EventContext<'_> {
    /// The event's id. Made when it is asked for: most events meet no rule, and a hash costs as much
    /// as judging one.
    pub fn event_id(&self) -> Id {
        id::event_id(self.origin)
    }
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
    /// Buffers of the fast way.
    scratch: Box<fast::Scratch>,
    /// What the fast way said last.
    possible: Vec<fast::Possible>,
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
        compile::compile(rules, options)
    }

    /// The loaded detection rules, in load order.
    pub fn rules(&self) -> &[LoadedRule] {
        &self.rules
    }

    /// The loaded correlations, in load order, as the fold takes them; then the detection rules whose
    /// repeats are held back, which are correlations of one event or more.
    pub fn correlations(&self) -> &[Arc<CorrelationDef>] {
        &self.correlations
    }

    /// Number of loaded correlations, without the detection rules whose repeats are held back.
    pub fn correlation_count(&self) -> usize {
        let all = self.correlations.iter();
        all.filter(|one| one.rule.kind != SINGLE).count()
    }

    /// This engine, which judges larger events than [`EVENT_BYTES_MAX`] allows: to try what they cost.
    #[must_use]
    pub fn with_event_bytes_max(self, event_bytes_max: usize) -> Self {
        Self {
            event_bytes_max,
            ..self
        }
    }

    /// Makes ready to judge events of these log types, which the first of each would else wait for.
    pub fn prepare(&self, log_types: impl Iterator<Item = &'static LogType>) {
        self.programs.prepare(self, log_types);
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
        verdict.clear();
        let Verdict {
            scratch, possible, ..
        } = verdict;
        if fast::possible(self, event, scratch, possible).is_none() {
            return self.detect_naively(event, context, verdict);
        }
        if verdict.possible.is_empty() && self.retired.is_empty() {
            verdict.clamped = judge::event_time(event.event_time, context).1;
            return Ok(());
        }
        let by_marks = fast::tree(event, &verdict.scratch);
        let marks = by_marks.as_ref().and_then(|_| event.body.marks());
        let (tree, duplicate_keys) = match by_marks {
            Some(tree) => (tree, 0),
            None => read_within(event, self.event_bytes_max)?,
        };
        verdict.duplicate_keys = duplicate_keys;
        for rule in &verdict.possible {
            let presumed = rule.presumed.filter(|_| duplicate_keys == 0);
            let matcher = &self.compiled[rule.place].matcher;
            if presumed.unwrap_or_else(|| matcher.matches(&tree)) {
                verdict.matched.push(rule.place);
            }
        }
        let read = judge::Read {
            event,
            tree: &tree,
            marks,
        };
        judge::judge(self, &read, context, verdict);
        Ok(())
    }

    /// As [`Engine::detect`], by the obvious way: the whole event becomes a tree and every rule of its
    /// log source is held against it. The judge of the fast way in tests.
    ///
    /// # Errors
    /// As [`Engine::detect`].
    pub fn detect_naively(
        &self,
        event: &EventRef<'_>,
        context: &EventContext<'_>,
        verdict: &mut Verdict,
    ) -> Result<(), EventError> {
        verdict.clear();
        let (tree, duplicate_keys) = read_within(event, self.event_bytes_max)?;
        verdict.duplicate_keys = duplicate_keys;
        self.matched(event, &tree, &mut verdict.matched);
        let read = judge::Read {
            event,
            tree: &tree,
            marks: None,
        };
        judge::judge(self, &read, context, verdict);
        Ok(())
    }
}

impl Verdict {
    /// Forgets the event before.
    fn clear(&mut self) {
        self.alerts.clear();
        self.matches.clear();
        self.matched.clear();
        self.duplicate_keys = 0;
        self.clamped = false;
    }
}

/// The tree of an event, with the readings of its log type, and how many of its objects held a key
/// twice.
///
/// # Errors
/// When the event is no JSON object of bounded size and depth.
pub fn read<'a>(event: &EventRef<'a>) -> Result<(Event<'a>, u32), EventError> {
    read_within(event, EVENT_BYTES_MAX)
}

/// As [`read`], of an event of at most so many bytes.
fn read_within<'a>(event: &EventRef<'a>, bytes_max: usize) -> Result<(Event<'a>, u32), EventError> {
    let bytes = match &event.body {
        Body::Json(bytes) => bytes.len(),
        Body::Marked(marked) => marked.bytes().len(),
        Body::Flow(flow) => flow.around.outer().len(),
    };
    if bytes > bytes_max {
        return Err(EventError::TooLarge { bytes });
    }
    let parsed = match &event.body {
        Body::Json(bytes) => value::parse(bytes, EVENT_DEPTH_MAX)?,
        Body::Marked(marked) => value::parse(marked.bytes(), EVENT_DEPTH_MAX)?,
        Body::Flow(flow) => value::flow_tree(flow, EVENT_DEPTH_MAX)?,
    };
    if !matches!(parsed.value, Value::Object(_)) {
        return Err(EventError::NotJson {
            byte: 0,
            message: "expected an object".to_owned(),
        });
    }
    let tree = Event {
        root: parsed.value,
        readings: event.log_type.readings,
    };
    Ok((tree, parsed.duplicate_keys))
}

impl From<ParseError> for EventError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::NotUtf8 { byte } => Self::NotUtf8 { byte },
            ParseError::Syntax { byte, message } => Self::NotJson {
                byte,
                message: message.to_owned(),
            },
            ParseError::TooDeep => Self::TooDeep,
        }
    }
}

#[cfg(test)]
mod tests;
