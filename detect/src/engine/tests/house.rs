//! What stands under `palisade:`.

use std::collections::BTreeSet;

use super::*;
use crate::alert::Alert;
use crate::correlation::{Fold, Output};
use crate::id::{Id, single_alert_id};
use crate::matches::{KEY_PARTITIONS, Source, batches};

/// The rule with keys of ours.
fn house(keys: &str) -> String {
    format!("{RULE}palisade: {{{keys}}}\n")
}

/// The alerts that an engine and the folds behind it raise on events, one a second.
fn alerts(engine: &Engine, events: &[&str]) -> Vec<Alert> {
    let definitions = engine.correlations().iter();
    let definitions = definitions
        .map(|def| (def.version, Arc::clone(def)))
        .collect();
    let mut folds: Vec<Fold> = (0..KEY_PARTITIONS).map(Fold::new).collect();
    let source = Source {
        name: "hub".to_owned(),
        incarnation: 1,
        partition: 3,
    };
    let mut alerts = Vec::new();
    for (offset, event) in (0..).zip(events) {
        let time = APPEND.plus(Span::from_seconds(offset)).to_string();
        let mut verdict = judged(engine, event.as_bytes(), Some(&time)).expect("judged");
        for found in &mut verdict.matches {
            found.offset = offset;
        }
        alerts.append(&mut verdict.alerts);
        for (part, record) in batches(&source, "w", verdict.matches) {
            let mut out = Vec::new();
            let fold = &mut folds[usize::try_from(part).expect("small")];
            let pos = u64::try_from(offset).expect("not negative") + 1;
            fold.step(pos, &record, &definitions, &mut out)
                .expect("a good record");
            alerts.extend(out.into_iter().filter_map(|output| match output {
                Output::Alert(alert) => Some(*alert),
                Output::Chained(..) => None,
            }));
        }
    }
    alerts
}

#[test]
fn repeats_are_told_apart_by_the_fields_of_by_as_pipelines_map_them() {
    let rules = house("suppress: {by: [User, Ip], for: 1h}");
    let map = "{transformations: [{type: field_name_mapping, mapping: {User: p.user}}]}";
    let (engine, problems) = engine_with(&rules, &[map]);
    assert_eq!(problems, []);
    assert_eq!(engine.correlations()[0].group_by, ["p.user", "Ip"]);
    let fired = alerts(
        &engine,
        &[
            r#"{"Op":"fail","p":{"user":"kim"},"Ip":1}"#,
            r#"{"Op":"fail","p":{"user":"kim"},"Ip":2}"#,
            r#"{"Op":"fail","p":{"user":"lee"},"Ip":1}"#,
            r#"{"Op":"fail","p":{"user":"kim"},"Ip":1}"#,
            r#"{"Op":"fail","p":{"user":"lee"},"Ip":1}"#,
        ],
    );
    let groups: Vec<(&str, &str)> = fired
        .iter()
        .map(|alert| &alert.group.as_ref().expect("a group").fields)
        .map(|fields| (fields["p.user"].as_str(), fields["Ip"].as_str()))
        .collect();
    assert_eq!(groups, [("kim", "1"), ("kim", "2"), ("lee", "1")]);
}

#[test]
fn events_that_lack_a_field_of_by_share_their_silence_and_are_not_lost() {
    let engine = engine(&house("suppress: {by: User, for: 1h}"));
    let without = r#"{"Op":"fail"}"#;
    let with = r#"{"Op":"fail","User":"kim"}"#;
    assert_eq!(alerts(&engine, &[without, with, without]).len(), 2);
}

#[test]
fn an_alert_has_the_same_id_with_and_without_suppression() {
    let event = &[r#"{"Op":"fail","User":"kim"}"#];
    let ids: BTreeSet<String> = [
        RULE.to_owned(),
        house("suppress: {for: 1h}"),
        house("suppress: {by: [User], for: 2h}"),
    ]
    .iter()
    .flat_map(|rules| alerts(&engine(rules), event))
    .map(|alert| alert.alert_id)
    .collect();
    let origin = Origin {
        tenant: Arc::from("t"),
        at: SourcePartition {
            source: Arc::from("hub"),
            incarnation: 1,
            partition: 3,
        },
        offset: 42,
        index: Index::new(&[2]),
    };
    let rule = "11111111-1111-4111-8111-111111111111";
    let expected = single_alert_id("t", rule, event_id(&origin)).to_string();
    assert_eq!(ids, BTreeSet::from([expected]));
}

#[test]
fn silence_by_other_fields_has_a_state_of_its_own() {
    let version = |keys: &str| -> Id { engine(&house(keys)).correlations()[0].version };
    let versions = BTreeSet::from([
        version("suppress: {for: 1h}"),
        version("suppress: {by: User, for: 1h}"),
        version("suppress: {by: [User, Ip], for: 1h}"),
    ]);
    assert_eq!(versions.len(), 3);
}
