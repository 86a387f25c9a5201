//! Stage A on one record: decode, name the events, judge them. The same code for every command.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use palisade_detect::alert::Alert;
use palisade_detect::engine::{Clamp, Engine, EventContext, EventError, Verdict};
use palisade_detect::event::{EventRef, Index, Origin, SourcePartition};
use palisade_detect::id;
use palisade_detect::matches::Match;
use palisade_detect::time::Timestamp;
use palisade_ingest::decode::{Decoded, Decoder, Hints, category};
use palisade_ingest::reject::{Reason, Reject};

/// Name of the log type of events that no row of the table fits.
const UNKNOWN: &str = "unknown";

/// What a source's configuration says about its records.
#[derive(Debug, Clone)]
pub struct SourceTraits {
    /// Whose data it is.
    pub tenant: Arc<str>,
    /// Log source of what has no type of its own.
    pub hints: Hints,
    /// What happens to events of unknown type.
    pub unknown: UnknownPolicy,
    /// Whether event times are held against the append time.
    pub clamp: Clamp,
}

/// What happens to events of unknown type; they are counted either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownPolicy {
    /// Every rule judges them, as they state no log source.
    #[default]
    JudgeAll,
    /// No rule judges them.
    JudgeNone,
}

/// Where a record stands.
#[derive(Debug, Clone)]
pub struct RecordPlace {
    /// Its source partition.
    pub at: SourcePartition,
    /// Its offset.
    pub offset: i64,
    /// When the broker took it, or when it was received.
    pub append_time: Timestamp,
}

/// What a record came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Alerts of single events, in event order; `emitted_at` is still empty.
    pub alerts: Vec<Alert>,
    /// Matches for correlations, in the order of the matches log.
    pub matches: Vec<Match>,
    /// What could not become an event or be judged.
    pub rejects: Vec<(Origin, Reject)>,
    /// Elements that decoding found; each is an event or a reject in the end.
    pub elements: u64,
    /// Events by log type.
    pub events: BTreeMap<&'static str, u64>,
    /// Events of unknown log type by the category they state, in the form of [`category`]; empty
    /// for those that state none.
    pub unknown: BTreeMap<String, u64>,
    /// Objects that held a key twice.
    pub duplicate_keys: u64,
    /// Events whose time was replaced by the append time.
    pub clamped: u64,
    /// Latest event time seen, for `replay --lateness`.
    pub latest_event_time: Option<Timestamp>,
}

/// Decodes and judges records. One per thread: the buffers of both are reused.
pub struct Stage {
    engine: Arc<Engine>,
    decoder: Decoder,
    verdict: Verdict,
}

impl Stage {
    /// A stage that judges by `engine`.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            decoder: Decoder::default(),
            verdict: Verdict::default(),
        }
    }

    /// Decodes and judges one record. Never fails: what cannot be judged is among the rejects.
    pub fn record(
        &mut self,
        payload: Option<&[u8]>,
        place: &RecordPlace,
        source: &SourceTraits,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        // Lost in a panic, when nothing says what state it is in.
        let mut decoder = std::mem::take(&mut self.decoder);
        // Panics are bugs, but one record must not take its neighbours with it.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            decoder.decode(payload, &source.hints, &mut |decoded| {
                outcome.elements += 1;
                match decoded {
                    Decoded::Event(index, event) => {
                        self.event(&event, index, (place, source), &mut outcome);
                    }
                    Decoded::Reject(reject) => {
                        outcome
                            .rejects
                            .push((origin(source, place, reject.index), reject));
                    }
                }
            });
            self.decoder = decoder;
        }));
        if ended.is_err() {
            outcome.elements += 1;
            let message = "the decoder panicked on this record; please report it".to_owned();
            let reject = whole(Index::ROOT, Reason::Panic, message);
            outcome
                .rejects
                .push((origin(source, place, Index::ROOT), reject));
        }
        outcome
    }

    /// Judges one event that needs no decoding; it is its record's only one.
    pub fn decoded(
        &mut self,
        event: &EventRef<'_>,
        place: &RecordPlace,
        source: &SourceTraits,
    ) -> Outcome {
        let mut outcome = Outcome {
            elements: 1,
            ..Outcome::default()
        };
        self.event(event, Index::ROOT, (place, source), &mut outcome);
        outcome
    }

    fn event(
        &mut self,
        event: &EventRef<'_>,
        index: Index,
        (place, source): (&RecordPlace, &SourceTraits),
        outcome: &mut Outcome,
    ) {
        let origin = origin(source, place, index);
        let unknown = event.log_type.name == UNKNOWN;
        if unknown && source.unknown == UnknownPolicy::JudgeNone {
            count(event, outcome);
            return;
        }
        let context = EventContext {
            origin: &origin,
            event_id: id::event_id(&origin),
            append_time: place.append_time,
            clamp: source.clamp,
        };
        let verdict = &mut self.verdict;
        let engine = &self.engine;
        // A panic is a bug, but one event must not take its neighbours with it.
        let judged = catch_unwind(AssertUnwindSafe(|| engine.detect(event, &context, verdict)));
        match judged {
            Ok(Ok(())) => {
                count(event, outcome);
                outcome.latest_event_time = outcome.latest_event_time.max(event.event_time);
                outcome.duplicate_keys += u64::from(verdict.duplicate_keys);
                outcome.clamped += u64::from(verdict.clamped);
                outcome.alerts.append(&mut verdict.alerts);
                outcome.matches.append(&mut verdict.matches);
            }
            Ok(Err(error)) => outcome.rejects.push((origin, reject(index, &error))),
            Err(_) => {
                *verdict = Verdict::default();
                let message = "the judge panicked on this event; please report it".to_owned();
                outcome
                    .rejects
                    .push((origin, whole(index, Reason::Panic, message)));
            }
        }
    }
}

/// Counts an event; one of unknown type by the category it states, too.
fn count(event: &EventRef<'_>, outcome: &mut Outcome) {
    *outcome.events.entry(event.log_type.name).or_default() += 1;
    if event.log_type.name == UNKNOWN {
        let stated = event.body.json().and_then(category);
        *outcome
            .unknown
            .entry(stated.unwrap_or_default())
            .or_default() += 1;
    }
}

fn origin(source: &SourceTraits, place: &RecordPlace, index: Index) -> Origin {
    Origin {
        tenant: Arc::clone(&source.tenant),
        at: place.at.clone(),
        offset: place.offset,
        index,
    }
}

/// The reject of an event that the engine cannot read.
pub fn reject(index: Index, error: &EventError) -> Reject {
    let (reason, byte) = match error {
        EventError::NotUtf8 { byte } => (Reason::NotUtf8, *byte),
        EventError::NotJson { byte, .. } => (Reason::NotJson, *byte),
        EventError::TooLarge { .. } => (Reason::TooLarge, 0),
        EventError::TooDeep => (Reason::TooDeep, 0),
    };
    Reject {
        byte,
        ..whole(index, reason, error.to_string())
    }
}

fn whole(index: Index, reason: Reason, message: String) -> Reject {
    Reject {
        index,
        byte: 0,
        span: 0..usize::MAX,
        reason,
        message,
    }
}

#[cfg(test)]
mod tests {
    use palisade_detect::engine::EngineOptions;

    use super::*;

    #[test]
    fn unknown_events_are_counted_by_what_they_say_they_are() {
        let loaded = crate::rules::load_files(&[], &[], EngineOptions::default());
        let mut stage = Stage::new(Arc::new(loaded.engine.unwrap()));
        let place = RecordPlace {
            at: SourcePartition {
                source: Arc::from("hub"),
                incarnation: 1,
                partition: 0,
            },
            offset: 0,
            append_time: Timestamp::from_unix_seconds(1),
        };
        let source = SourceTraits {
            tenant: Arc::from("default"),
            hints: Hints::default(),
            unknown: UnknownPolicy::JudgeAll,
            clamp: Clamp::Never,
        };
        let record = br#"[{"category":"Door","Type":7},{"type":"Door"},{"x":1}]"#;
        let outcome = stage.record(Some(record), &place, &source);
        let expected = [(String::new(), 1), ("door".to_owned(), 2)];
        assert_eq!(outcome.unknown, BTreeMap::from(expected));
    }
}
