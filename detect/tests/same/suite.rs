//! The cases of the conformance suite: each engine on the events of its own case and on those of
//! all others of its file.

use std::path::Path;

use palisade_detect::engine::{Engine, EngineOptions};
use palisade_detect::event::{Body, EventRef};
use palisade_detect::logsource::Routing;
use palisade_detect::pipeline;
use palisade_detect::rule::parse;

use super::case::{self, Case};
use super::law::Agreed;
use super::log_types::ALL;
use super::world::Judge;

const ROUTINGS: [Routing; 3] = [Routing::Strict, Routing::Lenient, Routing::Any];

/// The engine of a case; what does not load is left out, as in the suite.
fn engine(case: &Case, routing: Routing) -> Engine {
    let (mut rules, _) = parse::parse(&case.files);
    if let Ok(pipelines) = pipeline::parse(&case.pipelines) {
        pipeline::apply(&pipelines, &mut rules);
    }
    let options = EngineOptions {
        routing,
        ..EngineOptions::default()
    };
    Engine::compile(rules, options).0
}

/// Events that were judged, and those that met a rule.
#[derive(Debug, Default)]
struct Tally {
    events: usize,
    matched: usize,
}

impl Tally {
    /// Holds the events of `from` against the engine of another case or the same.
    fn judge(&mut self, engine: &Engine, case: &Case, from: &Case) {
        let judge = Judge::new();
        for (number, text) in from.events.iter().enumerate() {
            let stated = from.logsources.get(number).cloned().flatten();
            for log_type in ALL {
                let event = EventRef {
                    body: Body::Json(text.as_bytes()),
                    log_type,
                    logsources: stated.as_slice(),
                    event_time: None,
                };
                let agreed = judge.event(engine, &event);
                let agreed = agreed.unwrap_or_else(|differences| {
                    panic!("rules of {}, event of {}:\n{differences}", case.id, from.id)
                });
                self.events += 1;
                self.matched +=
                    usize::from(matches!(agreed, Agreed::Judged(matched) if !matched.is_empty()));
            }
        }
    }
}

#[test]
fn every_case_of_the_suite_says_the_same_in_both_ways() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/conformance");
    let cases = case::load(&folder);
    let mut tally = Tally::default();
    for routing in ROUTINGS {
        for case in &cases {
            tally.judge(&engine(case, routing), case, case);
        }
    }
    assert!(tally.events > 10_000 && tally.matched > 5_000, "{tally:?}");
}

#[test]
fn events_of_the_suite_say_the_same_to_rules_of_other_cases_in_both_ways() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/conformance");
    let cases = case::load(&folder);
    let mut tally = Tally::default();
    for case in &cases {
        let engine = engine(case, Routing::Any);
        for from in cases.iter().filter(|from| from.category == case.category) {
            tally.judge(&engine, case, from);
        }
    }
    assert!(tally.events > 100_000 && tally.matched > 5_000, "{tally:?}");
}
