//! An alert as canonical JSON: the text that its `Serialize` makes, made at a fraction of the cost.
//!
//! Every field is named here, so that a new one cannot be forgotten; a test holds both texts against
//! each other. Parts that alerts share are written once, and an event's text is copied.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use serde::Serialize;
use serde_json::Value;

use super::{
    Alert, Entity, Evidence, EvidenceEvent, EvidenceOrigin, Observable, Product, Shared, Tenant,
};
use crate::value::text::write_json_string;

/// Bytes that an alert takes at least besides its event.
const USUAL_BYTES: usize = 4 * 1024;

/// Appends an alert.
#[expect(clippy::too_many_lines, reason = "a flat list of all fields")]
pub(super) fn write(alert: &Alert, out: &mut String) {
    let Alert {
        schema,
        alert_id,
        revision,
        activity,
        dedupe_key,
        group,
        emitted_at,
        first_event_at,
        last_event_at,
        external_id,
        title,
        description,
        severity,
        status,
        rule,
        attack,
        tenant,
        entities,
        observables,
        evidence,
        enrichments,
        links,
        remediation,
        labels,
        product,
        truncated,
    } = alert;
    out.reserve(USUAL_BYTES);
    text(out, "{\"schema\":", schema);
    text(out, ",\"alert_id\":", alert_id);
    number(out, ",\"revision\":", *revision);
    other(out, ",\"activity\":", activity);
    text(out, ",\"dedupe_key\":", dedupe_key);
    if let Some(group) = group {
        other(out, ",\"group\":", group);
    }
    text(out, ",\"emitted_at\":", emitted_at);
    optional(out, ",\"first_event_at\":", first_event_at.as_ref());
    optional(out, ",\"last_event_at\":", last_event_at.as_ref());
    optional(out, ",\"external_id\":", external_id.as_ref());
    text(out, ",\"title\":", title);
    if let Some(description) = description {
        shared(out, ",\"description\":", description, |text, out| {
            write_json_string(text, out);
        });
    }
    other(out, ",\"severity\":", severity);
    text(out, ",\"status\":", status);
    shared(out, ",\"rule\":", rule, json);
    if !attack.is_empty() {
        shared(out, ",\"attack\":", attack, json);
    }
    self::tenant(out, tenant);
    if !entities.is_empty() {
        made(out, ",\"entities\":", entities_json(entities));
    }
    if !observables.is_empty() {
        shared(out, ",\"observables\":", observables, |observables, out| {
            list(observables, observable, out);
        });
    }
    self::evidence(out, evidence);
    filled(out, ",\"enrichments\":", enrichments);
    filled(out, ",\"links\":", links);
    filled(out, ",\"remediation\":", remediation);
    if !labels.is_empty() {
        out.push_str(",\"labels\":");
        map(labels, |label, out| write_json_string(label, out), out);
    }
    self::product(out, product);
    filled(out, ",\"truncated\":", truncated);
    out.push('}');
}

/// The entities as JSON, made once.
pub(crate) fn entities_json(entities: &Shared<Vec<Entity>>) -> &str {
    entities.text(|entities| {
        let mut text = String::new();
        list(entities, entity, &mut text);
        text
    })
}

/// What is JSON already.
fn made(out: &mut String, name: &str, json: &str) {
    out.push_str(name);
    out.push_str(json);
}

fn text(out: &mut String, name: &str, text: &str) {
    out.push_str(name);
    write_json_string(text, out);
}

fn optional(out: &mut String, name: &str, value: Option<&String>) {
    if let Some(value) = value {
        text(out, name, value);
    }
}

/// What is short, or seldom there.
fn other(out: &mut String, name: &str, value: &impl Serialize) {
    out.push_str(name);
    json(value, out);
}

fn filled(out: &mut String, name: &str, all: &[impl Serialize]) {
    if !all.is_empty() {
        other(out, name, &all);
    }
}

fn json(value: &impl Serialize, out: &mut String) {
    out.push_str(&serde_json::to_string(value).expect("an alert's keys are all text"));
}

fn shared<T>(out: &mut String, name: &str, part: &Shared<T>, write: impl Fn(&T, &mut String)) {
    out.push_str(name);
    out.push_str(part.text(|part| {
        let mut text = String::new();
        write(part, &mut text);
        text
    }));
}

fn list<T>(all: &[T], write: impl Fn(&T, &mut String), out: &mut String) {
    let mut before = '[';
    for one in all {
        out.push(before);
        write(one, out);
        before = ',';
    }
    if all.is_empty() {
        out.push('[');
    }
    out.push(']');
}

fn map<T>(all: &BTreeMap<String, T>, write: impl Fn(&T, &mut String), out: &mut String) {
    let mut before = '{';
    for (name, value) in all {
        out.push(before);
        write_json_string(name, out);
        out.push(':');
        write(value, out);
        before = ',';
    }
    if all.is_empty() {
        out.push('{');
    }
    out.push('}');
}

fn tenant(out: &mut String, tenant: &Tenant) {
    let Tenant {
        tenant_id,
        subscription_id,
    } = tenant;
    text(out, ",\"tenant\":{\"tenant_id\":", tenant_id);
    optional(out, ",\"subscription_id\":", subscription_id.as_ref());
    out.push('}');
}

fn entity(entity: &Entity, out: &mut String) {
    let Entity {
        id,
        kind,
        role,
        ids,
    } = entity;
    number(out, "{\"id\":", *id);
    other(out, ",\"kind\":", kind);
    text(out, ",\"role\":", role);
    out.push_str(",\"ids\":");
    map(ids, |id, out| write_json_string(id, out), out);
    out.push('}');
}

fn observable(observable: &Observable, out: &mut String) {
    let Observable { kind, value, roles } = observable;
    text(out, "{\"type\":", kind);
    text(out, ",\"value\":", value);
    if !roles.is_empty() {
        out.push_str(",\"roles\":");
        list(roles, |role, out| write_json_string(role, out), out);
    }
    out.push('}');
}

fn evidence(out: &mut String, evidence: &Evidence) {
    let Evidence {
        count,
        approximate,
        events,
    } = evidence;
    number(out, ",\"evidence\":{\"count\":", *count);
    flag(out, ",\"approximate\":", *approximate);
    out.push_str(",\"events\":");
    list(events, event, out);
    out.push('}');
}

fn event(event: &EvidenceEvent, out: &mut String) {
    let EvidenceEvent {
        event_id,
        time,
        time_clamped,
        logsource,
        log_type,
        origin,
        rules,
        fields,
        excerpt,
        cut,
    } = event;
    text(out, "{\"event_id\":", event_id);
    optional(out, ",\"time\":", time.as_ref());
    if *time_clamped {
        flag(out, ",\"time_clamped\":", true);
    }
    optional(out, ",\"logsource\":", logsource.as_ref());
    optional(out, ",\"log_type\":", log_type.as_ref());
    self::origin(out, origin);
    filled(out, ",\"rules\":", rules);
    if !fields.is_empty() {
        out.push_str(",\"fields\":");
        map(fields, value, out);
    }
    if let Some(excerpt) = excerpt {
        made(out, ",\"excerpt\":", excerpt.json());
    }
    if *cut {
        flag(out, ",\"cut\":", true);
    }
    out.push('}');
}

fn origin(out: &mut String, origin: &EvidenceOrigin) {
    let EvidenceOrigin {
        source,
        partition,
        offset,
        index,
    } = origin;
    text(out, ",\"origin\":{\"source\":", source);
    number(out, ",\"partition\":", *partition);
    number(out, ",\"offset\":", *offset);
    text(out, ",\"index\":", index);
    out.push('}');
}

fn value(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => write_json_string(text, out),
        other => json(other, out),
    }
}

fn product(out: &mut String, product: &Product) {
    let Product {
        vendor,
        name,
        version,
    } = product;
    text(out, ",\"product\":{\"vendor\":", vendor);
    text(out, ",\"name\":", name);
    text(out, ",\"version\":", version);
    out.push('}');
}

fn number(out: &mut String, name: &str, number: impl Display) {
    out.push_str(name);
    write!(out, "{number}").expect("a String takes all text");
}

fn flag(out: &mut String, name: &str, flag: bool) {
    out.push_str(name);
    out.push_str(if flag { "true" } else { "false" });
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::option;
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{Activity, Attack, Excerpt, Group, Link, RuleInfo, SCHEMA};
    use super::*;
    use crate::event::EntityKind;
    use crate::rule::Level;

    fn words() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z]{0,20}", "[\\x00-\\x7f]{0,40}", "\\PC{0,10}"]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            words().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            vec(words(), 0..3).prop_map(|words| json!({"b": words, "a": null})),
        ]
    }

    fn observables() -> impl Strategy<Value = Vec<Observable>> {
        let one = (words(), words(), vec(words(), 0..3));
        let one = one.prop_map(|(kind, value, roles)| Observable { kind, value, roles });
        vec(one, 0..4)
    }

    fn entities() -> impl Strategy<Value = Vec<Entity>> {
        let one = (any::<u32>(), words(), btree_map(words(), words(), 0..3));
        let one = one.prop_map(|(id, role, ids)| Entity {
            id,
            kind: EntityKind::CloudApplication,
            role,
            ids,
        });
        vec(one, 0..4)
    }

    fn event() -> impl Strategy<Value = EvidenceEvent> {
        let parts = (
            (words(), option::of(words()), any::<bool>(), any::<bool>()),
            (option::of(words()), any::<u32>(), any::<i64>()),
            vec(words(), 0..2),
            btree_map(words(), any_value(), 0..3),
            option::of(any_value()),
        );
        parts.prop_map(|(first, origin, rules, fields, excerpt)| EvidenceEvent {
            event_id: first.0,
            time: first.1.clone(),
            time_clamped: first.2,
            logsource: origin.0.clone(),
            log_type: first.1,
            origin: EvidenceOrigin {
                source: origin.0.unwrap_or_default(),
                partition: origin.1,
                offset: origin.2,
                index: "0.1".to_owned(),
            },
            rules,
            fields,
            excerpt: excerpt.map(Excerpt::from),
            cut: first.3,
        })
    }

    fn rule(tags: Vec<String>) -> RuleInfo {
        RuleInfo {
            id: "r".to_owned(),
            version: "v".to_owned(),
            name: tags.concat(),
            kind: "single".to_owned(),
            level: Some(Level::High),
            author: None,
            references: Vec::new(),
            false_positives: Vec::new(),
            tags,
        }
    }

    fn alert() -> impl Strategy<Value = Alert> {
        let parts = (
            (words(), option::of(words()), vec(words(), 0..3)),
            (entities(), observables(), vec(event(), 0..3)),
            (any::<u64>(), vec(any_value(), 0..2), any::<bool>()),
            btree_map(words(), words(), 0..3),
        );
        parts.prop_map(|(texts, (entities, observables, events), odd, labels)| {
            let (word, maybe, list) = texts;
            let group = odd.2.then(|| Group {
                fields: labels.clone(),
                window_start: word.clone(),
                window_end: word.clone(),
            });
            let link = |href: &String| Link {
                rel: word.clone(),
                href: href.clone(),
            };
            let attack = |technique: &String| Attack {
                tactic: None,
                technique: Some(technique.clone()),
                sub_technique: None,
            };
            Alert {
                schema: SCHEMA.to_owned(),
                alert_id: word.clone(),
                revision: 3,
                activity: Activity::Update,
                dedupe_key: word.clone(),
                group,
                emitted_at: word.clone(),
                first_event_at: maybe.clone(),
                last_event_at: maybe.clone(),
                external_id: maybe.clone(),
                title: word.clone(),
                description: maybe.clone().map(Shared::from),
                severity: Level::Informational,
                status: "new".to_owned(),
                rule: rule(list.clone()).into(),
                attack: list.iter().map(attack).collect::<Vec<_>>().into(),
                tenant: Tenant {
                    tenant_id: word.clone(),
                    subscription_id: maybe,
                },
                entities: entities.into(),
                observables: observables.into(),
                evidence: Evidence {
                    count: odd.0,
                    approximate: odd.2,
                    events,
                },
                enrichments: odd.1,
                links: list.iter().map(link).collect(),
                remediation: list.clone(),
                labels,
                product: Product::palisade(),
                truncated: list,
            }
        })
    }

    proptest! {
        #[test]
        fn a_line_is_what_serde_json_writes(alert in alert()) {
            let mut line = "before".to_owned();
            write(&alert, &mut line);
            let serialized = serde_json::to_string(&alert).unwrap();
            prop_assert_eq!(line, format!("before{serialized}"));
        }
    }
}
