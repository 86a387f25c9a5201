//! The fast way to judge an event says what the obvious way says, on what Azure really sends: public
//! sample records against SigmaHQ's whole corpus, whole and with something wrong in them.
//!
//! Each engine judges a part of the samples, another one each; `PALISADE_SAMPLES=all` lets it judge
//! all of them. Where `../shared` is absent nothing is checked, except in CI.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use palisade::config::Pipelines;
use palisade::rules;
use palisade_detect::engine::{Clamp, Engine, EngineOptions, EventContext};
use palisade_detect::event::{Body, EventRef, Index, LogType, Origin, SourcePartition};
use palisade_detect::logsource::{Logsource, Routing};
use palisade_detect::pipeline;
use palisade_detect::rule::{RuleSet, parse};
use palisade_detect::time::Timestamp;
use palisade_ingest::decode::{Decoded, Hints, decode};
use palisade_ingest::log_type;
use palisade_ingest::source::file::{Reader, list};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

#[path = "support/corpus.rs"]
mod corpus;

#[path = "../detect/tests/same/law.rs"]
mod law;

#[path = "../detect/tests/same/spoil.rs"]
mod spoil;

use law::{Agreed, Both};

const SAMPLES: &str = "../shared/samples";

/// Each engine judges one of so many events.
const ONE_OF: usize = 48;

/// [`ONE_OF`], or 1 where the environment asks for all.
#[expect(
    clippy::disallowed_methods,
    reason = "a longer run is asked for by a variable"
)]
fn one_of() -> usize {
    match std::env::var("PALISADE_SAMPLES").as_deref() {
        Ok("all") => 1,
        _ => ONE_OF,
    }
}

/// The records of all samples.
fn payloads() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLES);
    let files = list(&[folder]).files;
    let records = files
        .iter()
        .flat_map(|file| Reader::open(&file.input).expect("readable"));
    records.map(|record| record.payload.to_vec()).collect()
}

/// The corpus as it is judged, and its log sources.
struct Corpus {
    rules: RuleSet,
    logsources: Vec<Logsource>,
}

impl Corpus {
    fn read() -> Option<Self> {
        let files = corpus::corpus()?;
        let (maps, problems) = rules::pipeline_files(&Pipelines::built_in());
        assert!(problems.is_empty(), "{problems:?}");
        let (mut rules, _) = parse::parse(&files);
        pipeline::apply(&pipeline::parse(&maps).expect("good pipelines"), &mut rules);
        let logsources = rules.detections.iter().map(|rule| rule.logsource.clone());
        let logsources: BTreeSet<Logsource> = logsources.collect();
        Some(Self {
            rules,
            logsources: logsources.into_iter().collect(),
        })
    }

    /// The engine of the rules that `wanted` chooses.
    fn engine(&self, routing: Routing, wanted: impl Fn(&Logsource) -> bool) -> Engine {
        let detections = self.rules.detections.iter();
        let rules = RuleSet {
            detections: detections
                .filter(|rule| wanted(&rule.logsource))
                .cloned()
                .collect(),
            correlations: self.rules.correlations.clone(),
            ..RuleSet::default()
        };
        let options = EngineOptions {
            routing,
            ..EngineOptions::default()
        };
        Engine::compile(rules, options).0
    }
}

/// What was seen.
#[derive(Debug, Default)]
struct Tally {
    events: usize,
    refused: usize,
    unnoticed: usize,
    matched: usize,
}

/// Judges in both ways and counts.
struct Judge {
    origin: Origin,
    both: Both,
    tally: Tally,
}

impl Judge {
    fn new() -> Self {
        Self {
            origin: Origin {
                tenant: Arc::from("default"),
                at: SourcePartition {
                    source: Arc::from("samples"),
                    incarnation: 1,
                    partition: 0,
                },
                offset: 0,
                index: Index::ROOT,
            },
            both: Both::default(),
            tally: Tally::default(),
        }
    }

    fn judge(&mut self, engine: &Engine, event: &EventRef<'_>) {
        let context = EventContext {
            origin: &self.origin,
            append_time: Timestamp::from_unix_seconds(1_772_409_600),
            clamp: Clamp::Never,
        };
        self.tally.events += 1;
        match self.both.judge(engine, event, &context) {
            Ok(Agreed::Judged(matched)) => self.tally.matched += matched.len(),
            Ok(Agreed::Refused) => self.tally.refused += 1,
            Ok(Agreed::Unnoticed) => self.tally.unnoticed += 1,
            Err(differences) => panic!("{differences}"),
        }
    }
}

/// Calls `each` for every event of the payloads, with its number.
fn events(payloads: &[Vec<u8>], mut each: impl FnMut(usize, &EventRef<'_>)) {
    let mut number = 0;
    for payload in payloads {
        decode(Some(payload), &Hints::default(), &mut |decoded| {
            if let Decoded::Event(_, event) = decoded {
                each(number, &event);
                number += 1;
            }
        });
    }
}

#[test]
fn every_sample_says_the_same_to_every_rule_of_the_corpus() {
    let Some(corpus) = Corpus::read() else { return };
    let payloads = payloads();
    let mut judge = Judge::new();
    let everything = corpus.engine(Routing::Any, |_| true);
    let rows: Vec<&LogType> = log_type::all().collect();
    let step = one_of();
    events(&payloads, |number, event| {
        if number.is_multiple_of(step.div_ceil(12)) {
            judge.judge(&everything, event);
        }
        // As if it were of another type, which reads the same bytes in another way.
        for (place, row) in rows.iter().enumerate() {
            if (number + place).is_multiple_of(step * 8) {
                let log_type = row;
                judge.judge(&everything, &EventRef { log_type, ..*event });
            }
        }
    });
    assert!(
        judge.tally.events > 300 && judge.tally.matched > 50,
        "{:?}",
        judge.tally
    );
}

#[test]
fn every_sample_says_the_same_under_the_log_sources_it_states() {
    let Some(corpus) = Corpus::read() else { return };
    let payloads = payloads();
    for routing in [Routing::Strict, Routing::Lenient] {
        let engine = corpus.engine(routing, |_| true);
        let mut judge = Judge::new();
        events(&payloads, |_, event| judge.judge(&engine, event));
        assert!(
            judge.tally.events > 900 && judge.tally.matched > 50,
            "{:?}",
            judge.tally
        );
    }
}

#[test]
fn samples_say_the_same_under_every_log_source_of_the_corpus() {
    let Some(corpus) = Corpus::read() else { return };
    let payloads = payloads();
    let mut judge = Judge::new();
    let step = one_of();
    for (place, logsource) in corpus.logsources.iter().enumerate() {
        let stated = std::slice::from_ref(logsource);
        for routing in [Routing::Strict, Routing::Lenient] {
            // Each log source is routed in one way or the other, unless all is asked for.
            let turn = place % 2 == usize::from(routing == Routing::Strict);
            if turn && step > 1 {
                continue;
            }
            let engine = corpus.engine(routing, |asked| asked.admits(stated, routing));
            events(&payloads, |number, event| {
                if (number + place).is_multiple_of(step) {
                    let logsources = stated;
                    judge.judge(
                        &engine,
                        &EventRef {
                            logsources,
                            ..*event
                        },
                    );
                }
            });
        }
    }
    assert!(corpus.logsources.len() > 100);
    assert!(
        judge.tally.events > 1_500 && judge.tally.matched > 5,
        "{:?}",
        judge.tally
    );
}

#[test]
fn samples_with_something_wrong_in_them_say_the_same() {
    let Some(corpus) = Corpus::read() else { return };
    let payloads = payloads();
    let mut judge = Judge::new();
    let azure = |asked: &Logsource| asked.product.as_deref() == Some("azure");
    let engine = corpus.engine(Routing::Any, azure);
    let (mut runner, spoils) = (TestRunner::deterministic(), spoil::spoil());
    let times = 5 * ONE_OF.div_ceil(one_of());
    events(&payloads, |_, event| {
        let Some(bytes) = event.body.json() else {
            return;
        };
        for _ in 0..times {
            let mut bytes = bytes.to_vec();
            let spoil = spoils.new_tree(&mut runner).expect("no filter").current();
            spoil.apply(&mut bytes);
            let body = Body::Json(&bytes);
            judge.judge(&engine, &EventRef { body, ..*event });
        }
    });
    let tally = &judge.tally;
    assert!(tally.events > 3_000 && tally.matched > 100, "{tally:?}");
    assert!(tally.refused > 1_000 && tally.unnoticed > 10, "{tally:?}");
}
