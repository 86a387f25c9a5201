//! Generated records and generated rules.

use std::cell::RefCell;
use std::collections::BTreeMap;

use palisade_detect::logsource::Routing;
use palisade_detect::rule::modifier::NAMES;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::law::Agreed;
use super::record::{Record, record};
use super::rules::{Rules, rules};
use super::world::{Judge, World};

/// Pairs of a record and a rule that are judged unless `PALISADE_PAIRS` says how many.
const PAIRS: usize = 30_000;

/// Records that each rule set judges in turn.
const RECORDS: usize = 24;

/// Pairs of a case, at least on the average.
const PAIRS_A_CASE: usize = 36;

/// Modifiers that rules are not generated with, as they are others by another name.
const SYNONYMS: [&str; 3] = ["ignorecase", "multiline", "dotall"];

/// Longest search for a smaller case that still fails, in milliseconds.
const SHRINK_MS_MAX: u32 = 120_000;

/// Number of pairs: as the environment says, else [`PAIRS`].
#[expect(
    clippy::disallowed_methods,
    reason = "a longer run is asked for by a variable"
)]
fn pairs() -> usize {
    let asked = std::env::var("PALISADE_PAIRS").ok();
    asked.map_or(PAIRS, |text| {
        text.parse().expect("`PALISADE_PAIRS` is a number")
    })
}

/// One case: rules, and records that they judge one after another.
#[derive(Debug, Clone)]
struct Case {
    rules: Rules,
    /// Rules of an earlier set whose windows are still open.
    earlier: Option<Rules>,
    routing: Routing,
    records: Vec<Record>,
}

fn case() -> impl Strategy<Value = Case> {
    let routing = select(vec![
        Routing::Strict,
        Routing::Strict,
        Routing::Lenient,
        Routing::Any,
    ]);
    let earlier = prop_oneof![5 => Just(None), 1 => rules().prop_map(Some)];
    let records = proptest::collection::vec(record(), 1..=RECORDS);
    (rules(), earlier, routing, records).prop_map(|(rules, earlier, routing, records)| Case {
        rules,
        earlier,
        routing,
        records,
    })
}

/// What was seen, to tell whether the cases show anything.
#[derive(Debug, Default)]
struct Tally {
    rules: usize,
    loaded: usize,
    records: usize,
    refused: usize,
    unnoticed: usize,
    pairs: usize,
    matched: usize,
    /// Pairs of rules with a modifier, and those that match.
    modifiers: BTreeMap<String, (usize, usize)>,
}

impl Tally {
    fn judged(&mut self, engine: &palisade_detect::engine::Engine, case: &Case, matched: &[usize]) {
        self.pairs += engine.rules().len();
        self.matched += matched.len();
        let documents: Vec<&str> = case.rules.text.split("---\n").skip(1).collect();
        for (place, rule) in engine.rules().iter().enumerate() {
            let number = rule.meta.title.trim_start_matches("Rule ");
            let text = documents[number.parse::<usize>().expect("a number")];
            for (name, _) in NAMES {
                let ends = ["|", "\"", "'"];
                let named = ends.map(|end| text.contains(&format!("|{name}{end}")));
                if named.contains(&true) {
                    let seen = self.modifiers.entry((*name).to_owned()).or_default();
                    seen.0 += 1;
                    seen.1 += usize::from(matched.contains(&place));
                }
            }
        }
    }

    /// Holds what was generated against what it is for.
    fn shows_something(&self, asked: usize) {
        assert!(self.pairs >= asked, "{self:?}");
        assert!(self.loaded * 100 >= self.rules * 95, "{self:?}");
        let share = self.matched * 100 / self.pairs;
        assert!((15..=35).contains(&share), "{share} % match: {self:?}");
        let wrong = (self.refused + self.unnoticed) * 100 / self.records;
        assert!((5..=35).contains(&wrong), "{wrong} % are wrong: {self:?}");
        for (name, _) in NAMES.iter().filter(|(name, _)| !SYNONYMS.contains(name)) {
            let (pairs, matched) = self.modifiers.get(*name).copied().unwrap_or_default();
            let both = matched > 0 && matched < pairs;
            assert!(both, "`{name}` never decides anything: {self:?}");
        }
    }
}

#[test]
fn generated_rules_say_the_same_of_generated_records_in_both_ways() {
    let asked = pairs();
    let config = Config {
        cases: u32::try_from(asked / PAIRS_A_CASE + 1).expect("not that many"),
        failure_persistence: None,
        max_shrink_time: SHRINK_MS_MAX,
        max_shrink_iters: u32::MAX,
        ..Config::default()
    };
    let world = World::new();
    let tally = RefCell::new(Tally::default());
    let outcome = TestRunner::new(config).run(&case(), |case| {
        let (engine, _) = world.engine(&case.rules.text, case.routing);
        let engine = match &case.earlier {
            None => engine,
            Some(earlier) => world.beside(&engine, &earlier.text, case.routing),
        };
        let (judge, mut tally) = (Judge::new(), tally.borrow_mut());
        tally.rules += case.rules.count;
        tally.loaded += engine.rules().len();
        for record in &case.records {
            tally.records += 1;
            match judge.record(&engine, record).map_err(TestCaseError::fail)? {
                Agreed::Judged(matched) => tally.judged(&engine, &case, &matched),
                Agreed::Refused => tally.refused += 1,
                Agreed::Unnoticed => tally.unnoticed += 1,
            }
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    tally.into_inner().shows_something(asked);
}
