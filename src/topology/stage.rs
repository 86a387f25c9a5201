//! Stage A on one record: decode, name the events, judge them. The same code for every command.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use palisade_detect::alert::Alert;
use palisade_detect::engine::{Clamp, Engine, EventContext, EventError, Verdict};
use palisade_detect::event::{Body, EventRef, Index, Origin, SourcePartition};
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

impl SourceTraits {
    /// Of records that are judged as they stand: whatever their type is, at the times that they state.
    pub fn as_they_stand(tenant: &str) -> Self {
        Self {
            tenant: Arc::from(tenant),
            hints: Hints::default(),
            unknown: UnknownPolicy::JudgeAll,
            clamp: Clamp::Never,
        }
    }
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
    pub events: Counts,
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

impl Outcome {
    /// The decoder panicked: the record is one reject, and nothing else is said of it, as a retry of its
    /// dead letter says all of it.
    fn lose(&mut self, origin: Origin) {
        self.alerts.clear();
        self.matches.clear();
        // Each was an element.
        let rejects = u64::try_from(self.rejects.len()).unwrap_or(u64::MAX);
        self.elements = self.elements.saturating_sub(rejects) + 1;
        self.rejects.clear();
        let message = "the decoder panicked on this record; please report it".to_owned();
        let reject = whole(Index::ROOT, Reason::Panic, message);
        self.rejects.push((origin, reject));
    }

    /// Whether nothing but numbers came of it.
    pub fn is_silent(&self) -> bool {
        self.alerts.is_empty() && self.matches.is_empty() && self.rejects.is_empty()
    }
}

/// Numbers by name. Nearly every record holds events of one log type: the first name needs no memory
/// of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    first: Option<(&'static str, u64)>,
    others: Vec<(&'static str, u64)>,
}

impl Counts {
    /// Adds to the number of `name`.
    pub fn add(&mut self, name: &'static str, count: u64) {
        let first = self.first.get_or_insert((name, 0));
        if first.0 == name {
            first.1 += count;
        } else if let Some(other) = self.others.iter_mut().find(|other| other.0 == name) {
            other.1 += count;
        } else {
            self.others.push((name, count));
        }
    }

    /// Each name and its number.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.first.iter().chain(&self.others).copied()
    }

    /// The sum of all.
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }
}

/// Decodes and judges records. One per thread: the buffers of both are reused.
pub struct Stage {
    engine: Arc<Engine>,
    /// Away while it decodes.
    decoder: Option<Box<Decoder>>,
    verdict: Verdict,
    /// Of the last event: the next one mostly differs in offset and index only.
    origin: Option<Origin>,
}

impl Stage {
    /// A stage that judges by `engine`.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            decoder: None,
            verdict: Verdict::default(),
            origin: None,
        }
    }

    /// Decodes and judges one record. Never fails: what cannot be judged is among the rejects.
    pub fn record(
        &mut self,
        payload: Option<&[u8]>,
        place: &RecordPlace,
        source: &SourceTraits,
    ) -> Outcome {
        // Lost in a panic, when nothing says what state it is in.
        let mut decoder = self.decoder.take().unwrap_or_default();
        self.told(payload.unwrap_or_default(), (place, source), |each| {
            decoder.decode(payload, &source.hints, each);
            decoder
        })
    }

    /// Judges what `decode` tells of one record; it gives back the decoder.
    fn told(
        &mut self,
        payload: &[u8],
        (place, source): (&RecordPlace, &SourceTraits),
        decode: impl FnOnce(&mut dyn FnMut(Decoded<'_>)) -> Box<Decoder>,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut origin = self.origin(source, place);
        // Panics are bugs, but one record must not take its neighbours with it.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let decoder = decode(&mut |decoded| {
                outcome.elements += 1;
                match decoded {
                    Decoded::Event(index, event) => {
                        origin.index = index;
                        let before = outcome.rejects.len();
                        self.event(&event, &origin, (place, source), &mut outcome);
                        if let Some((_, reject)) = outcome.rejects.get_mut(before) {
                            stand_in(payload, &event, reject);
                        }
                    }
                    Decoded::Reject(reject) => {
                        origin.index = reject.index;
                        outcome.rejects.push((origin.clone(), reject));
                    }
                }
            });
            self.decoder = Some(decoder);
        }));
        if ended.is_err() {
            origin.index = Index::ROOT;
            outcome.lose(origin.clone());
        }
        self.origin = Some(origin);
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
        let mut origin = self.origin(source, place);
        origin.index = Index::ROOT;
        self.event(event, &origin, (place, source), &mut outcome);
        self.origin = Some(origin);
        outcome
    }

    /// Where the events of a record come from, whatever their index.
    fn origin(&mut self, source: &SourceTraits, place: &RecordPlace) -> Origin {
        let last = self.origin.take().filter(|last| {
            Arc::ptr_eq(&last.tenant, &source.tenant)
                && Arc::ptr_eq(&last.at.source, &place.at.source)
                && last.at.incarnation == place.at.incarnation
                && last.at.partition == place.at.partition
        });
        let mut origin = last.unwrap_or_else(|| Origin {
            tenant: Arc::clone(&source.tenant),
            at: place.at.clone(),
            offset: place.offset,
            index: Index::ROOT,
        });
        origin.offset = place.offset;
        origin
    }

    fn event(
        &mut self,
        event: &EventRef<'_>,
        origin: &Origin,
        (place, source): (&RecordPlace, &SourceTraits),
        outcome: &mut Outcome,
    ) {
        let unknown = is_unknown(event.log_type.name);
        if unknown && source.unknown == UnknownPolicy::JudgeNone {
            count(event, outcome);
            return;
        }
        let context = EventContext {
            origin,
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
                if !verdict.matched.is_empty() || !verdict.matches.is_empty() {
                    outcome.alerts.append(&mut verdict.alerts);
                    outcome.matches.append(&mut verdict.matches);
                }
            }
            Ok(Err(error)) => {
                let reject = reject(origin.index, &error);
                outcome.rejects.push((origin.clone(), reject));
            }
            Err(_) => {
                *verdict = Verdict::default();
                let message = "the judge panicked on this event; please report it".to_owned();
                let reject = whole(origin.index, Reason::Panic, message);
                outcome.rejects.push((origin.clone(), reject));
            }
        }
    }
}

/// Whether a log type stands for events that no row of the table fits.
pub fn is_unknown(log_type: &str) -> bool {
    log_type == UNKNOWN
}

/// Counts an event; one of unknown type by the category it states, too.
fn count(event: &EventRef<'_>, outcome: &mut Outcome) {
    outcome.events.add(event.log_type.name, 1);
    if is_unknown(event.log_type.name) {
        let stated = event.body.json().and_then(category);
        *outcome
            .unknown
            .entry(stated.unwrap_or_default())
            .or_default() += 1;
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

/// Gives the reject of an event its place in the payload: that of the event's own bytes, and of a flow
/// tuple that of the record around it, without which it is no event.
fn stand_in(payload: &[u8], event: &EventRef<'_>, reject: &mut Reject) {
    let bytes = match &event.body {
        Body::Json(bytes) => bytes,
        Body::Marked(marked) => marked.bytes(),
        Body::Flow(flow) => flow.around.outer(),
    };
    // An event is a slice of its payload: their addresses say where it stands.
    let start = (bytes.as_ptr().addr()).saturating_sub(payload.as_ptr().addr());
    reject.byte = reject.byte.saturating_add(start);
    reject.span = start..start.saturating_add(bytes.len());
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
    use palisade_detect::rule::RuleFile;

    use super::*;

    fn place() -> RecordPlace {
        RecordPlace {
            at: SourcePartition {
                source: Arc::from("hub"),
                incarnation: 1,
                partition: 0,
            },
            offset: 0,
            append_time: Timestamp::from_unix_seconds(1),
        }
    }

    #[test]
    fn unknown_events_are_counted_by_what_they_say_they_are() {
        let loaded = crate::rules::load_files(&[], &[], EngineOptions::default());
        let mut stage = Stage::new(Arc::new(loaded.engine.unwrap()));
        let place = place();
        let source = SourceTraits::as_they_stand("default");
        let record = br#"[{"category":"Door","Type":7},{"type":"Door"},{"x":1}]"#;
        let outcome = stage.record(Some(record), &place, &source);
        let expected = [(String::new(), 1), ("door".to_owned(), 2)];
        assert_eq!(outcome.unknown, BTreeMap::from(expected));
    }

    #[test]
    fn a_reject_of_an_event_is_about_its_own_bytes() {
        let engine = crate::rules::load_files(&[], &[], EngineOptions::default()).engine;
        let mut stage = Stage::new(Arc::new(engine.unwrap().with_event_bytes_max(20)));
        let place = place();
        let source = SourceTraits::as_they_stand("default");
        let large = br#"{"large":"more than there may be"}"#;
        // The second is read byte by byte, as it is not sound as a whole.
        for end in ["]}", ",x]}"] {
            let mut record = br#"{"records":[{"a":1}, "#.to_vec();
            record.extend(large);
            record.extend(end.as_bytes());
            let outcome = stage.record(Some(&record), &place, &source);
            let (origin, reject) = &outcome.rejects[0];
            assert_eq!(origin.index, Index::new(&[1]));
            assert_eq!(&record[reject.span.clone()], large, "{end}");
            assert_eq!(reject.byte, reject.span.start);
        }
    }

    #[test]
    fn nothing_is_said_of_a_record_on_which_the_decoder_panics() {
        let rule = "title: Any\nid: 5f1f7f4e-6a0e-4c1c-9a54-0b3f6d1d8f10\nlogsource: {product: azure}\n\
                    detection: {a: {x: 1}, condition: a}\nlevel: low\n";
        let file = RuleFile {
            name: Arc::from("rules.yml"),
            bytes: rule.as_bytes().to_vec(),
        };
        let engine = crate::rules::load_files(&[file], &[], EngineOptions::default()).engine;
        let mut stage = Stage::new(Arc::new(engine.unwrap()));
        let place = place();
        let source = SourceTraits::as_they_stand("default");
        let record = br#"[{"x":1},7]"#;
        let told = stage.record(Some(record), &place, &source);
        assert_eq!((told.alerts.len(), told.rejects.len()), (1, 1));
        let outcome = stage.told(record, (&place, &source), |each| {
            Decoder::default().decode(Some(record), &source.hints, each);
            panic!("as a bug of the decoder would")
        });
        assert!(outcome.alerts.is_empty() && outcome.matches.is_empty());
        let rejects: Vec<_> = outcome.rejects.iter().collect();
        assert_eq!(rejects.len(), 1);
        assert_eq!(
            (rejects[0].0.index, rejects[0].1.reason),
            (Index::ROOT, Reason::Panic)
        );
        assert_eq!(outcome.elements, outcome.events.total() + 1);
    }

    #[test]
    fn counts_keep_every_name_apart() {
        let mut counts = Counts::default();
        assert_eq!(counts.total(), 0);
        for name in ["a", "b", "a", "c", "b", "a"] {
            counts.add(name, 1);
        }
        let all: Vec<_> = counts.iter().collect();
        assert_eq!(all, [("a", 3), ("b", 2), ("c", 1)]);
        assert_eq!(counts.total(), 6);
    }

    #[test]
    fn rejects_of_later_records_name_their_own_places() {
        let loaded = crate::rules::load_files(&[], &[], EngineOptions::default());
        let mut stage = Stage::new(Arc::new(loaded.engine.unwrap()));
        let (hub, bus) = (Arc::<str>::from("hub"), Arc::<str>::from("bus"));
        let source = SourceTraits::as_they_stand("default");
        let mut seen = Vec::new();
        for (name, partition, offset) in [(&hub, 0, 7), (&hub, 0, 8), (&hub, 1, 8), (&bus, 1, 9)] {
            let at = SourcePartition {
                source: Arc::clone(name),
                incarnation: 1,
                partition,
            };
            let place = RecordPlace {
                at: at.clone(),
                offset,
                append_time: Timestamp::from_unix_seconds(1),
            };
            let outcome = stage.record(Some(b"[8,7]"), &place, &source);
            for ((origin, reject), index) in outcome.rejects.iter().zip([0, 1]) {
                assert_eq!((&origin.at, origin.offset), (&at, offset));
                assert_eq!(
                    (origin.index, reject.index),
                    (Index::new(&[index]), origin.index)
                );
            }
            seen.push(outcome.rejects.len());
        }
        assert_eq!(seen, [2, 2, 2, 2]);
    }
}
