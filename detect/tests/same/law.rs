//! The law between the two ways to judge an event, for tests of any crate and for the fuzzer.

use std::fmt::{Debug, Write as _};

use palisade_detect::engine::{Engine, EventContext, EventError, Verdict};
use palisade_detect::event::{Body, EventRef};

/// Verdicts of both ways, reused between events as a stage does: nothing of one event may be seen
/// in the next.
#[derive(Debug, Default)]
pub(crate) struct Both {
    fast: Verdict,
    naive: Verdict,
}

/// What both ways agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Agreed {
    /// These rules match.
    Judged(Vec<usize>),
    /// The event cannot be judged.
    Refused,
    /// The event is no JSON, which the fast way need not notice where nothing is raised.
    Unnoticed,
}

impl Both {
    /// Judges an event in both ways.
    ///
    /// # Errors
    /// In words, everything that the ways differ in.
    pub(crate) fn judge(
        &mut self,
        engine: &Engine,
        event: &EventRef<'_>,
        context: &EventContext<'_>,
    ) -> Result<Agreed, String> {
        let naive = engine.detect_naively(event, context, &mut self.naive);
        let fast = engine.detect(event, context, &mut self.fast);
        let mut differences = String::new();
        let agreed = match (&naive, &fast) {
            (Ok(()), Ok(())) => {
                self.compare(&mut differences);
                Agreed::Judged(self.naive.matched.clone())
            }
            (Err(naive), Err(fast)) => {
                differ("error", &kind(naive), &kind(fast), &mut differences);
                self.silent(&mut differences);
                Agreed::Refused
            }
            (Err(EventError::NotJson { .. }), Ok(())) => {
                self.silent(&mut differences);
                Agreed::Unnoticed
            }
            _ => {
                differ("outcome", &naive, &fast, &mut differences);
                Agreed::Refused
            }
        };
        if differences.is_empty() {
            return Ok(agreed);
        }
        Err(format!("{differences}{}", shown(engine, event)))
    }

    fn compare(&self, differences: &mut String) {
        let (naive, fast) = (&self.naive, &self.fast);
        differ("matched", &naive.matched, &fast.matched, differences);
        differ("alerts", &naive.alerts, &fast.alerts, differences);
        differ("matches", &naive.matches, &fast.matches, differences);
        differ("clamped", &naive.clamped, &fast.clamped, differences);
        // Objects that no rule looks into are not searched for repeats.
        if !naive.matched.is_empty() || !naive.matches.is_empty() {
            let counts = (&naive.duplicate_keys, &fast.duplicate_keys);
            differ("duplicate_keys", counts.0, counts.1, differences);
        }
    }

    /// Nothing comes from an event that is not JSON.
    fn silent(&self, differences: &mut String) {
        let fast = &self.fast;
        differ("matched", &[].as_slice(), &&*fast.matched, differences);
        differ("alerts", &[].as_slice(), &&*fast.alerts, differences);
        differ("matches", &[].as_slice(), &&*fast.matches, differences);
    }
}

fn differ<T: PartialEq + Debug>(what: &str, naive: &T, fast: &T, differences: &mut String) {
    if naive != fast {
        writeln!(
            differences,
            "{what}\n  naively: {naive:?}\n  fast:    {fast:?}"
        )
        .expect("text grows");
    }
}

/// An error without its place and words, which the ways may put differently.
fn kind(error: &EventError) -> &'static str {
    match error {
        EventError::NotUtf8 { .. } => "not UTF-8",
        EventError::NotJson { .. } => "not JSON",
        EventError::TooLarge { .. } => "too large",
        EventError::TooDeep => "too deep",
    }
}

/// An event for people.
fn shown(engine: &Engine, event: &EventRef<'_>) -> String {
    let body = match (&event.body, event.body.json()) {
        (Body::Flow(flow), _) => {
            let members = flow.around.members().iter();
            let members = members.map(|(name, value)| (name, String::from_utf8_lossy(value)));
            format!("{:?} {:?}", members.collect::<Vec<_>>(), flow.tuple)
        }
        (_, bytes) => format!("{:?}", String::from_utf8_lossy(bytes.unwrap_or_default())),
    };
    let (log_type, stated) = (event.log_type.name, event.logsources);
    let rules = engine.rules().len();
    format!("{rules} rules, log type {log_type}, stated {stated:?}\nevent: {body}\n")
}
