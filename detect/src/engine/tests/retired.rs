//! Correlations of an earlier set, judged by beside a later one.

use super::*;
use crate::matches::Match;

/// Rules with nearly everything that a version depends on.
const CHAIN: &str = "
title: Failed
id: 11111111-1111-4111-8111-111111111111
name: failed
logsource: {product: p}
detection:
  s: {Op|startswith: fail, Size|gte: 1.5, Where|cidr: 10.0.0.0/8}
  t: {Text|re|i: 'a.c', Gone: null, Sure: true}
  condition: s or t
---
title: Succeeded
id: 22222222-2222-4222-8222-222222222222
name: succeeded
logsource: {product: p}
detection: {s: {Op: success}, condition: s}
---
title: Many failed
id: 33333333-3333-4333-8333-333333333333
name: many
correlation:
  type: event_count
  rules: [failed]
  group-by: [User]
  timespan: 1h
  condition: {gte: 3}
---
title: Many failed, then in
id: 44444444-4444-4444-8444-444444444444
correlation:
  type: temporal_ordered
  rules: [many, succeeded]
  group-by: [User]
  timespan: 2h
---
title: Not here
logsource: {product: p}
filter: {rules: [failed], f: {Op: failsafe}, condition: not f}
";

const FIELDS: &str = "
name: map
transformations:
  - type: field_name_mapping
    mapping: {User: [properties.user, caller], Op: op}
";

const EVENT: &[u8] = br#"{"op":"fail","Size":2,"Where":"10.1.1.1","caller":"eve"}"#;

fn versions(engine: &Engine) -> Vec<Id> {
    let defs = engine.correlations().iter();
    defs.map(|def| def.version).collect()
}

fn set(rules: &str) -> Engine {
    let (engine, problems) = engine_with(rules, &[FIELDS]);
    assert_eq!(problems, []);
    engine
}

/// `new` beside all correlations of `old`, of which `wanted` are in force.
fn beside(new: &Engine, old: &Engine, wanted: impl IntoIterator<Item = Id>) -> Engine {
    let bodies: Vec<&[u8]> = versions(old)
        .into_iter()
        .filter_map(|version| old.body(version))
        .collect();
    new.beside(&bodies, &wanted.into_iter().collect())
}

fn found(engine: &Engine) -> Vec<Match> {
    judged(engine, EVENT, None).expect("judged").matches
}

#[test]
fn a_stored_body_gives_the_same_versions_and_the_same_matches() {
    let old = set(CHAIN);
    let (many, ordered) = (versions(&old)[0], versions(&old)[1]);
    let none = engine_with("", &[]).0;
    let again = beside(&none, &old, [many, ordered]);
    assert!(again.gives(many) && again.gives(ordered));
    assert_eq!(found(&again), found(&old));
    assert_eq!(found(&old).len(), 1);
}

#[test]
fn a_window_over_a_change_gets_matches_of_both_versions_and_alerts_of_one_set() {
    let old = set(CHAIN);
    let new = set(&CHAIN.replace("gte: 3", "gte: 4"));
    let all = versions(&old).into_iter().chain(versions(&new));
    let both = beside(&new, &old, all.clone().collect::<Vec<_>>());
    let matches = found(&both);
    assert_eq!(matches.len(), 2);
    assert_eq!(matches[0].correlation_id, matches[1].correlation_id);
    assert!(matches[0].order() < matches[1].order());
    let verdict = judged(&both, br#"{"op":"success","caller":"eve"}"#, None).expect("judged");
    assert!(verdict.alerts.is_empty(), "{:?}", verdict.alerts);
}

#[test]
fn an_unchanged_inner_correlation_feeds_the_outer_ones_of_both_sets() {
    let old = set(CHAIN);
    let new = set(&CHAIN.replace("timespan: 2h", "timespan: 3h"));
    assert_eq!(versions(&old)[0], versions(&new)[0]);
    let outer = [versions(&old)[1], versions(&new)[1]];
    let wanted = [versions(&old)[0], outer[0], outer[1]];
    let both = beside(&new, &old, wanted);
    let matches = found(&both);
    assert_eq!(matches.len(), 1, "one match, given by both: {matches:?}");
    let mut carried: Vec<&[u8]> = matches[0]
        .carried
        .iter()
        .map(|carried| carried.rule_version.as_slice())
        .collect();
    carried.sort_unstable();
    let mut expected: Vec<&[u8]> = outer.iter().map(|id| id.as_bytes().as_slice()).collect();
    expected.sort_unstable();
    assert_eq!(carried, expected);
}

#[test]
fn a_version_that_is_not_wanted_is_not_given() {
    let old = set(CHAIN);
    let none = engine_with("", &[]).0;
    let outer = beside(&none, &old, [versions(&old)[1]]);
    assert!(!outer.gives(versions(&old)[0]));
    assert_eq!(found(&outer), []);
}

#[test]
fn a_body_that_says_something_else_is_passed_over() {
    let old = set(CHAIN);
    let version = versions(&old)[0];
    let body = old.body(version).expect("a body").to_vec();
    let edited = String::from_utf8(body)
        .expect("text")
        .replace("fail", "fial");
    let wanted = [version].into_iter().collect();
    let none = || engine_with("", &[]).0;
    assert!(!none().beside(&[edited.as_bytes()], &wanted).gives(version));
    assert!(!none().beside(&[b"no JSON"], &wanted).gives(version));
}
