//! Correlations over correlations, through the engine and the folds behind it.

use std::collections::VecDeque;

use super::*;
use crate::correlation::{Definitions, Fold, Output};
use crate::matches::{KEY_PARTITIONS, MatchBatch, Record, Source, batches};

/// The engine and its folds.
struct Stages {
    engine: Engine,
    definitions: Definitions,
    folds: Vec<Fold>,
    pos: u64,
    offset: i64,
}

impl Stages {
    fn new(rules: &str) -> Self {
        let engine = engine(rules);
        let definitions = engine.correlations().iter();
        Self {
            definitions: definitions
                .map(|def| (def.version, Arc::clone(def)))
                .collect(),
            folds: (0..KEY_PARTITIONS).map(Fold::new).collect(),
            pos: 1,
            offset: 0,
            engine,
        }
    }

    /// What alerts an event raises: their correlations' titles, each with its group.
    fn send(&mut self, event: &str) -> Vec<(String, Vec<String>)> {
        let time = APPEND.plus(Span::from_seconds(self.offset)).to_string();
        let mut verdict = judged(&self.engine, event.as_bytes(), Some(&time)).expect("judged");
        for found in &mut verdict.matches {
            found.offset = self.offset;
        }
        self.offset += 1;
        let source = Source {
            name: "hub".to_owned(),
            incarnation: 1,
            partition: 3,
        };
        let mut waiting = VecDeque::from(batches(&source, "w", verdict.matches));
        let mut fired = Vec::new();
        while let Some((part, record)) = waiting.pop_front() {
            let mut out = Vec::new();
            let fold = &mut self.folds[usize::try_from(part).expect("small")];
            fold.step(self.pos, &record, &self.definitions, &mut out)
                .expect("a good record");
            self.pos += 1;
            let source = fold.chain_source();
            for output in out {
                match output {
                    Output::Alert(alert) => {
                        let group = alert.group.as_ref().expect("a group");
                        fired.push((
                            alert.title.clone(),
                            group.fields.values().cloned().collect(),
                        ));
                    }
                    Output::Chained(to, chained) => {
                        waiting.push_back((to, batch(&source, *chained)));
                    }
                }
            }
        }
        fired.sort();
        fired
    }
}

fn batch(source: &Source, chained: Match) -> Record {
    Record::batch(MatchBatch {
        source: Some(source.clone()),
        first_offset: chained.offset,
        last_offset: chained.offset,
        writer: String::new(),
        matches: vec![chained],
    })
}

/// Two correlations of the same rule, and one over both that takes its group from another field of
/// the event for each.
const TWO_WAYS: &str = "
---
title: One way
name: one
correlation: {type: event_count, rules: [failed], group-by: [Ip], timespan: 5m, condition: {gte: 1}}
---
title: Other way
name: other
correlation: {type: event_count, rules: [failed], group-by: [Ip], timespan: 5m, condition: {gte: 2}}
---
title: Both
name: both
correlation:
  type: event_count
  rules: [one, other]
  aliases: {who: {one: Source, other: Target}}
  group-by: [who]
  timespan: 5m
  condition: {gte: 1}
palisade: {suppress: none}
";

fn fired(title: &str, group: &[&str]) -> (String, Vec<String>) {
    let group = group.iter().map(|&value| value.to_owned()).collect();
    (title.to_owned(), group)
}

#[test]
fn an_outer_correlation_takes_its_group_by_the_alias_of_the_way_that_a_match_came() {
    let mut stages = Stages::new(&format!("{RULE}{TWO_WAYS}"));
    let event = r#"{"Op":"fail","Ip":"i","Source":"s","Target":"t"}"#;
    assert_eq!(stages.send(event), [fired("Both", &["s"])]);
    let both = [fired("Both", &["s"]), fired("Both", &["t"])];
    assert_eq!(stages.send(event), both);
}

#[test]
fn a_way_whose_alias_names_an_absent_field_takes_no_part_and_the_other_does() {
    let mut stages = Stages::new(&format!("{RULE}{TWO_WAYS}"));
    let event = r#"{"Op":"fail","Ip":"i","Target":"t"}"#;
    assert_eq!(stages.send(event), []);
    assert_eq!(stages.send(event), [fired("Both", &["t"])]);
}

#[test]
fn correlations_further_out_follow_the_way_through_those_between() {
    let outermost = "
---
title: Outermost
correlation: {type: event_count, rules: [both], group-by: [who, Ip], timespan: 5m, condition: {gte: 2}}
palisade: {suppress: none}
";
    let mut stages = Stages::new(&format!("{RULE}{TWO_WAYS}{outermost}"));
    let event = r#"{"Op":"fail","Ip":"i","Source":"s","Target":"t"}"#;
    assert_eq!(stages.send(event), []);
    assert_eq!(stages.send(event), [fired("Outermost", &["i", "s"])]);
    let both = [
        fired("Outermost", &["i", "s"]),
        fired("Outermost", &["i", "t"]),
    ];
    assert_eq!(stages.send(event), both);
}

#[test]
fn a_counted_field_is_taken_by_the_alias_of_the_way_that_a_match_came() {
    let counting = TWO_WAYS
        .replace(
            "type: event_count\n  rules: [one",
            "type: value_count\n  rules: [one",
        )
        .replace("group-by: [who]\n", "group-by: [Ip]\n")
        .replace(
            "condition: {gte: 1}\npalisade",
            "condition: {field: who, gte: 2}\npalisade",
        );
    let mut stages = Stages::new(&format!("{RULE}{counting}"));
    let event = r#"{"Op":"fail","Ip":"i","Source":"s","Target":"t"}"#;
    assert_eq!(stages.send(event), [], "one value");
    let found = stages.send(event);
    assert!(!found.is_empty(), "two values, `s` and `t`");
}

#[test]
fn ways_that_lead_to_the_same_group_carry_it_once() {
    let count = |name: &str, rules: &str, by: &str| {
        format!(
            "---\ntitle: {name}\nname: {name}\ncorrelation: {{type: event_count, rules: [{rules}], \
             group-by: [{by}], timespan: 5m, condition: {{gte: 1}}}}\n"
        )
    };
    let mut rules = format!("{RULE}{}", count("c0a", "failed", "Ip"));
    rules.push_str(&count("c0b", "failed", "Ip, User"));
    for layer in 1..9 {
        let below = format!("c{0}a, c{0}b", layer - 1);
        rules.push_str(&count(&format!("c{layer}a"), &below, "Ip"));
        rules.push_str(&count(&format!("c{layer}b"), &below, "Ip"));
    }
    let engine = engine(&rules);
    let verdict = judged(&engine, br#"{"Op":"fail","Ip":"i","User":"u"}"#, None).expect("judged");
    assert_eq!(verdict.matches.len(), 2);
    for found in &verdict.matches {
        assert_eq!(found.carried.len(), 16, "two of each of eight layers");
    }
}

#[test]
fn a_condition_that_more_matches_undo_is_judged_at_each_match_of_an_event() {
    let rules = |condition: &str| {
        format!(
            "{RULE}
---
title: Inner
name: inner
correlation: {{type: event_count, rules: [failed], group-by: [Ip], timespan: 5m, condition: {{gte: 1}}}}
---
title: Outer
correlation:
  type: temporal
  rules: [failed, inner]
  group-by: [Ip]
  timespan: 5m
  condition: {{{condition}}}
palisade: {{suppress: none}}
"
        )
    };
    let event = r#"{"Op":"fail","Ip":"i"}"#;
    let fired = |condition: &str| {
        let mut stages = Stages::new(&rules(condition));
        [stages.send(event).len(), stages.send(event).len()]
    };
    assert_eq!(fired("gte: 2"), [1, 1], "both matches together, once each");
    assert_eq!(
        fired("lt: 2"),
        [1, 0],
        "the first match alone, before the second came"
    );
    assert_eq!(fired("eq: 1"), [1, 0]);
}

#[test]
fn a_counted_field_that_is_an_alias_is_each_rules_own_field() {
    let rules = format!(
        "{RULE}
---
title: Succeeded
name: succeeded
logsource: {{product: p}}
detection: {{s: {{Op: success}}, condition: s}}
---
title: Counted
correlation:
  type: TYPE
  rules: [failed, succeeded]
  aliases: {{n: {{failed: X, succeeded: Y}}}}
  timespan: 5m
  condition: {{field: n, MORE}}
palisade: {{suppress: none}}
"
    );
    for (kind, more) in [
        ("value_count", "eq: 2"),
        ("value_sum", "eq: 7"),
        ("value_avg", "eq: 3.5"),
        ("value_percentile", "percentile: 100, eq: 4"),
    ] {
        let rules = rules.replace("TYPE", kind).replace("MORE", more);
        let mut stages = Stages::new(&rules);
        stages.send(r#"{"Op":"fail","X":3,"Y":100}"#);
        let found = stages.send(r#"{"Op":"success","X":100,"Y":4}"#);
        assert_eq!(found.len(), 1, "{kind}");
    }
}
