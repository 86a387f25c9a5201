//! What stands under `palisade:`.

use std::collections::BTreeSet;

use super::*;
use crate::alert::Alert;
use crate::correlation::{Fold, Output};
use crate::id::{Id, event_id, single_alert_id};
use crate::matches::{KEY_PARTITIONS, Source, batches};
use crate::rule::Level;

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

const OTHERS: &str = "title: 'Alert {Name} for {User}', level_from: Severity, external_id: Id";
const OTHERS_EVENT: &str =
    r#"{"Op":"fail","Name":"Beacon","User":{"upn":"kim"},"Severity":"Low","Id":"x-1"}"#;

/// Title, level and id of another product's alert.
fn said(alert: &Alert) -> (&str, Level, Option<&str>) {
    let id = alert.external_id.as_deref();
    (&alert.title, alert.severity, id)
}

#[test]
fn an_alert_speaks_of_its_event_at_once_and_when_it_is_held_back() {
    let map = "{transformations: [{type: field_name_mapping, mapping: {User: User.upn}}]}";
    let held_back = format!("{OTHERS}, suppress: {{for: 1h}}");
    for keys in [OTHERS, &held_back] {
        let (engine, problems) = engine_with(&house(keys), &[map]);
        assert_eq!(problems, []);
        let found = alerts(&engine, &[OTHERS_EVENT]);
        let expected = ("Alert Beacon for kim", Level::Low, Some("x-1"));
        assert_eq!(said(&found[0]), expected, "{keys}");
        assert_eq!(found[0].rule.level, Some(Level::High), "{keys}");
    }
}

#[test]
fn what_an_event_does_not_say_the_rule_says() {
    for keys in [OTHERS, &format!("{OTHERS}, suppress: {{for: 1h}}")] {
        let found = alerts(
            &engine(&house(keys)),
            &[r#"{"Op":"fail","Severity":"none"}"#],
        );
        assert_eq!(
            said(&found[0]),
            ("Alert ? for ?", Level::High, None),
            "{keys}"
        );
    }
}

#[test]
fn an_alert_of_a_correlation_speaks_of_its_group() {
    let rules = format!(
        "{RULE}---\ntitle: Count\nid: c\nlevel: low\ncorrelation: {{type: event_count, \
         rules: [failed], group-by: [User, Risk], timespan: 1m, condition: {{gte: 2}}}}\n\
         palisade: {{title: 'Spray at {{User}}', level_from: Risk, external_id: User}}\n"
    );
    let event = r#"{"Op":"fail","User":"kim","Risk":"critical"}"#;
    let found = alerts(&engine(&rules), &[event, event]);
    assert_eq!(
        said(&found[0]),
        ("Spray at kim", Level::Critical, Some("kim"))
    );
    for (written, wrong) in [
        ("'Spray at {User}'", "'Spray at {Ip}'"),
        ("level_from: Risk", "level_from: R"),
    ] {
        let (_, problems) = engine_with(&rules.replace(written, wrong), &[]);
        let found: Vec<&str> = problems.iter().map(|problem| problem.kind).collect();
        assert_eq!(found, ["invalid-correlation"], "{wrong}");
    }
}

#[test]
fn words_of_an_alert_are_no_part_of_versions_and_ids() {
    let facts = |keys: &str| {
        let engine = engine(&house(&format!("{keys}suppress: {{by: User, for: 1h}}")));
        let found = alerts(&engine, &[OTHERS_EVENT]);
        let def = &engine.correlations()[0];
        (
            engine.rules()[0].version,
            def.version,
            found[0].alert_id.clone(),
        )
    };
    assert_eq!(facts(""), facts(&format!("{OTHERS}, ")));
}
