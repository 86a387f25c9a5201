//! Dead letters that somebody asked to be tried again (`palisade dead retry`).
//!
//! They are judged by the rules in force here, in the process that holds the log, so that there is no
//! second writer. What comes of a letter and its end are one step of the log: it is tried once, whatever
//! is killed. Events keep the ids of where they came from. Matches are written under a source of their own,
//! one for each letter, as the correlations have passed the letter's place long ago and would take them
//! for repeats.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use palisade_detect::alert::Alert;
use palisade_detect::engine::{Engine, EventContext, Verdict};
use palisade_detect::event::{Body, INDEX_DEPTH_MAX, Index, Origin, SourcePartition};
use palisade_detect::matches;
use palisade_detect::time::Timestamp;
use palisade_ingest::decode::{self, Decoded};
use palisade_ingest::reject::Reject;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::dead::{self, Letter};
use super::judge::JudgeContext;
use super::stage::{self, SourceTraits, UnknownPolicy};
use crate::log::sqlite::SqliteLog;
use crate::log::{AlertRow, Append, AppendError, Log as _, Pos, ReadError, Row};

/// How often is looked whether somebody asks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tries dead letters again.
pub struct Retries {
    /// The log that holds them.
    log: Arc<SqliteLog>,
    /// What judging needs: the rules in force, and what the configuration says of each source.
    context: JudgeContext,
}

/// Why no letter can be tried any more.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log cannot be written.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// What a letter came to.
#[derive(Debug, Default)]
struct Tried {
    alerts: Vec<Alert>,
    matches: Vec<matches::Match>,
    /// Why it stays a dead letter: class and message.
    failed: Option<(String, String)>,
}

impl Tried {
    /// It stays a dead letter for the first reason that is found.
    fn fail(&mut self, reject: Reject) {
        let failed = (reject.reason.as_str().to_owned(), reject.message);
        self.failed.get_or_insert(failed);
    }
}

impl Retries {
    /// Tries dead letters of `log` as judges would.
    pub fn new(log: &Arc<SqliteLog>, context: &JudgeContext) -> Self {
        Self {
            log: Arc::clone(log),
            context: context.clone(),
        }
    }

    /// Runs until `stop` says so.
    ///
    /// # Errors
    /// When the log is lost to this process.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), RetryError> {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // 1 is where the cursor of requests stands before anybody asks.
        let mut seen: Pos = 1;
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                _ = look.tick() => {}
            }
            let (now, rows) = self.log.asked_retries(seen).await?;
            if rows.is_empty() {
                seen = now;
            }
            for row in rows {
                self.letter(row).await?;
            }
        }
    }

    /// Tries one letter; what comes of it is durable with its end.
    async fn letter(&self, row: Row) -> Result<(), AppendError> {
        let step = self.step(row).await;
        self.log.append(step).await?;
        Ok(())
    }

    async fn step(&self, row: Row) -> Append {
        let pos = row.pos;
        let mut step = Append::default();
        let mut letter: Letter = match serde_json::from_slice(&row.body) {
            Ok(letter) => letter,
            Err(error) => {
                tracing::error!(pos, %error, "a dead letter cannot be read; it stays as it is");
                step.settled.push((pos, row.body));
                return step;
            }
        };
        let failed = match letter.raw() {
            Err(message) => Some(("not_whole".to_owned(), message.to_owned())),
            Ok(raw) if letter.kind == dead::ALERT => alert_again(&raw, &mut step),
            Ok(raw) => self.record_again((pos, &letter), raw, &mut step).await,
        };
        let settled = match failed {
            None => {
                tracing::info!(
                    pos,
                    alerts = step.alerts.len(),
                    "a dead letter went through"
                );
                Bytes::new()
            }
            Some((reason, message)) => {
                tracing::warn!(pos, reason, "a dead letter was tried again and stays one");
                letter.retried += 1;
                (letter.reason, letter.message) = (reason, message);
                Bytes::from(letter.to_json())
            }
        };
        let outcome = if settled.is_empty() { "done" } else { "parked" };
        self.context.site.metrics.dead_retried(outcome);
        step.settled.push((pos, settled));
        step
    }

    /// Judges a record's bytes; why they stay a dead letter, if they do.
    async fn record_again(
        &self,
        (pos, letter): (Pos, &Letter),
        raw: Vec<u8>,
        step: &mut Append,
    ) -> Option<(String, String)> {
        let no_place = |message: &str| Some(("no_place".to_owned(), message.to_owned()));
        let Some(from) = &letter.origin else {
            return no_place("it does not say where it comes from");
        };
        let Some(ordinals) = from.ordinals.as_deref() else {
            return no_place("an older version wrote it, without the whole of its place");
        };
        let Some(index) = below(Index::ROOT, ordinals) else {
            return no_place("its place in its record is deeper than any");
        };
        let traits = self.traits(from.name.as_deref(), &from.source, &from.tenant);
        let origin = Origin {
            tenant: Arc::clone(&traits.tenant),
            at: SourcePartition {
                source: Arc::from(from.source.as_str()),
                incarnation: from.incarnation,
                partition: from.partition,
            },
            offset: from.offset,
            index,
        };
        let taken = from.append_time.as_deref().unwrap_or(&letter.at);
        let append_time = Timestamp::parse_rfc3339(taken).unwrap_or(self.context.site.clock.now());
        let engine = Arc::clone(&self.context.engine.borrow());
        let held = Held::of(letter, index);
        let judged =
            spawn_blocking(move || judge(&engine, (&raw, held), (&origin, append_time), &traits));
        let tried = judged.await.unwrap_or_else(|_| panicked());
        if tried.failed.is_some() {
            return tried.failed;
        }
        for mut alert in tried.alerts {
            alert.emitted_at = self.context.site.clock.now().to_string();
            self.context.site.metrics.alert(&alert);
            step.alerts.push(AlertRow {
                body: Bytes::from(alert.to_line()),
                alert_id: alert.alert_id,
            });
        }
        if !tried.matches.is_empty() {
            let source = matches::Source {
                name: format!("{}/retry/{pos}", from.source),
                incarnation: from.incarnation,
                partition: from.partition,
            };
            let batches = matches::batches(&source, "", tried.matches).into_iter();
            let rows = batches.map(|(part, record)| (part, Bytes::from(matches::encode(&record))));
            step.matches.extend(rows);
        }
        None
    }

    /// What the configuration says of a source: by its name, or by the part of its source in front of the
    /// topic. One that is no longer configured is judged as it stands.
    fn traits(&self, name: Option<&str>, source: &str, tenant: &str) -> SourceTraits {
        let of = |name: &str| self.context.traits.get(name);
        let known = name
            .and_then(of)
            .or_else(|| of(source))
            .or_else(|| of(source.split_once('/')?.0));
        known
            .cloned()
            .unwrap_or_else(|| SourceTraits::as_they_stand(tenant))
    }
}

/// An alert that a sink refused goes to all sinks again, under its id.
fn alert_again(raw: &[u8], step: &mut Append) -> Option<(String, String)> {
    match serde_json::from_slice::<Alert>(raw) {
        Ok(alert) => {
            step.alerts.push(AlertRow {
                alert_id: alert.alert_id,
                body: Bytes::copy_from_slice(raw),
            });
            None
        }
        Err(_) => Some((
            "not_an_alert".to_owned(),
            "it is no alert that this version can read".to_owned(),
        )),
    }
}

/// What the bytes of a letter are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// A whole record.
    Record,
    /// One element of a record; for a flow tuple, the element around it.
    Element,
    /// Either, as an older version did not say so.
    Unsaid,
}

impl Held {
    /// What those of a letter at `index` of its record are.
    fn of(letter: &Letter, index: Index) -> Self {
        if index == Index::ROOT {
            Self::Record
        } else if letter.start.is_some() {
            Self::Element
        } else {
            Self::Unsaid
        }
    }

    /// The bytes as a record: an element must not be taken for an envelope of its own, so it gets one
    /// around it.
    fn record(self, raw: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Record | Self::Unsaid => Cow::Borrowed(raw),
            Self::Element => Cow::Owned([&br#"{"records":["#[..], raw, b"]}"].concat()),
        }
    }

    /// The place in its own record of what decoding found at `found`; `None` for what the letter is not
    /// about. `tuple` is whether it can be a part of an element.
    fn place(self, own: Index, found: Index, tuple: bool) -> Option<Index> {
        let (ordinals, found) = (own.ordinals(), found.ordinals());
        match (self, found) {
            (Self::Record, _) => below(own, found),
            (Self::Unsaid, _) => (found.is_empty() || found == ordinals).then_some(own),
            (Self::Element, [0]) => Some(own),
            // The tuples of an element that is only now seen to be a flow log are all of the letter.
            (Self::Element, [0, inside @ ..]) if tuple && inside.len() > ordinals.len() => {
                below(own, inside)
            }
            (Self::Element, [0, inside @ ..]) => {
                (tuple && ordinals.ends_with(inside)).then_some(own)
            }
            (Self::Element, _) => None,
        }
    }
}

/// Decodes and judges what a letter holds.
fn judge(
    engine: &Engine,
    (raw, held): (&[u8], Held),
    (origin, append_time): (&Origin, Timestamp),
    traits: &SourceTraits,
) -> Tried {
    let mut tried = Tried::default();
    let mut found = held == Held::Record;
    let record = held.record(raw);
    let judged = catch_unwind(AssertUnwindSafe(|| {
        decode::decode(Some(&record), &traits.hints, &mut |decoded| {
            let (index, tuple) = match &decoded {
                Decoded::Event(index, event) => (*index, matches!(event.body, Body::Flow(_))),
                Decoded::Reject(reject) => (reject.index, true),
            };
            let Some(index) = held.place(origin.index, index, tuple) else {
                return;
            };
            found = true;
            let event = match decoded {
                Decoded::Event(_, event) => event,
                Decoded::Reject(reject) => return tried.fail(reject),
            };
            let unknown = stage::is_unknown(event.log_type.name);
            if unknown && traits.unknown == UnknownPolicy::JudgeNone {
                return;
            }
            let origin = Origin {
                index,
                ..origin.clone()
            };
            let context = EventContext {
                origin: &origin,
                append_time,
                clamp: traits.clamp,
            };
            let mut verdict = Verdict::default();
            match engine.detect(&event, &context, &mut verdict) {
                Ok(()) => {
                    tried.alerts.append(&mut verdict.alerts);
                    tried.matches.append(&mut verdict.matches);
                }
                Err(error) => tried.fail(stage::reject(index, &error)),
            }
        });
    }));
    if judged.is_err() {
        return panicked();
    }
    if !found {
        let message = "what it holds has no event at its place".to_owned();
        tried.failed = Some(("no_place".to_owned(), message));
    }
    tried
}

fn panicked() -> Tried {
    let message = "judging it panicked again; please report it".to_owned();
    Tried {
        failed: Some(("panic".to_owned(), message)),
        ..Tried::default()
    }
}

/// The place at `ordinals` below an index; `None` where that is too deep.
fn below(index: Index, ordinals: &[u32]) -> Option<Index> {
    let depth = index.ordinals().len() + ordinals.len();
    let down = |index: Index, ordinal: &u32| index.child(*ordinal);
    (depth <= INDEX_DEPTH_MAX).then(|| ordinals.iter().fold(index, down))
}

#[cfg(test)]
mod tests {
    use palisade_detect::engine::EngineOptions;
    use palisade_detect::rule::RuleFile;

    use super::*;
    use crate::topology::stage::{RecordPlace, Stage};

    const RULE: &str = "\
title: Sign-in
id: 5f1f7f4e-6a0e-4c1c-9a54-0b3f6d1d8f10
logsource: {product: azure}
detection:
  selection: {result: success}
  condition: selection
level: low
";

    /// One that logs on, and one that is larger and holds more of its kind, which are no events.
    const RECORD: &[u8] = br#"{"records":[{"result":"success"},
        {"result":"success","records":[{"result":"success"},{"result":"success"}]}]}"#;

    fn engine() -> Engine {
        let file = RuleFile {
            name: Arc::from("rules.yml"),
            bytes: RULE.as_bytes().to_vec(),
        };
        let loaded = crate::rules::load_files(&[file], &[], EngineOptions::default());
        loaded.engine.unwrap()
    }

    fn ids(alerts: &[Alert]) -> Vec<String> {
        let ids = alerts.iter().map(|alert| alert.alert_id.clone());
        ids.collect()
    }

    #[test]
    fn a_letter_of_one_element_alerts_for_it_alone_and_as_if_judged_the_first_time() {
        let place = RecordPlace {
            at: SourcePartition {
                source: Arc::from("hub"),
                incarnation: 1,
                partition: 0,
            },
            offset: 7,
            append_time: Timestamp::from_unix_seconds(1),
        };
        let source = SourceTraits::as_they_stand("default");
        let outcome = |engine| Stage::new(Arc::new(engine)).record(Some(RECORD), &place, &source);
        let whole = ids(&outcome(engine()).alerts);
        let parked = outcome(engine().with_event_bytes_max(40));
        assert_eq!((whole.len(), parked.rejects.len()), (2, 1));
        assert_eq!(ids(&parked.alerts), whole[..1]);
        let (origin, reject) = &parked.rejects[0];
        let from = ("hub", place.append_time);
        let json = dead::of_record(origin, from, reject, RECORD, String::new());
        let letter: Letter = serde_json::from_slice(&json).unwrap();
        let old = Letter {
            start: None,
            text: Some(String::from_utf8(RECORD.to_vec()).unwrap()),
            ..letter.clone()
        };
        let tried = |letter: &Letter, origin: &Origin| {
            let held = (&*letter.raw().unwrap(), Held::of(letter, origin.index));
            judge(&engine(), held, (origin, place.append_time), &source)
        };
        for letter in [&letter, &old] {
            let tried = tried(letter, origin);
            assert_eq!(tried.failed, None);
            assert_eq!(ids(&tried.alerts), whole[1..]);
        }
        let elsewhere = Origin {
            index: Index::new(&[2]),
            ..origin.clone()
        };
        let refused = tried(&old, &elsewhere);
        assert_eq!(refused.failed.unwrap().0, "no_place");
        assert!(
            refused.alerts.is_empty(),
            "nothing is said of its neighbours"
        );
    }

    #[test]
    fn a_tuple_of_a_flow_log_is_tried_alone() {
        let own = Index::new(&[1, 0, 2, 3]);
        let at = |found: &[u32], tuple| Held::Element.place(own, Index::new(found), tuple);
        assert_eq!(at(&[0, 0, 2, 3], true), Some(own));
        assert_eq!(at(&[0, 0, 2, 4], true), None);
        assert_eq!(
            at(&[0, 3], false),
            None,
            "what is no tuple is no part of an element"
        );
        assert_eq!(at(&[1], false), None, "a second element is another's");
        let later = Held::Element.place(Index::new(&[1]), Index::new(&[0, 0, 2, 3]), true);
        assert_eq!(
            later,
            Some(own),
            "it could not be read as a flow log before"
        );
    }

    #[test]
    fn a_place_that_is_too_deep_is_none_and_no_panic() {
        let deep = vec![1; INDEX_DEPTH_MAX];
        assert_eq!(below(Index::ROOT, &[3, 4]), Some(Index::new(&[3, 4])));
        assert_eq!(below(Index::new(&[3]), &[4]), Some(Index::new(&[3, 4])));
        assert!(below(Index::ROOT, &deep).is_some());
        assert_eq!(below(Index::new(&[1]), &deep), None);
    }
}
