//! Who and what took part in an event, by its log type's table.
//!
//! Identifiers of one kind and role that stand in the same array element describe one entity; two
//! different values of one identifier are two entities.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::alert::{Entity, numbered};
use crate::event::{EntityPath, LogType};
use crate::value::Event;
use crate::value::text::prefix;

/// Most entities of one event.
pub const ENTITIES_MAX: usize = 64;

/// Longest identifier of an entity, in bytes.
const IDENTIFIER_BYTES_MAX: usize = 512;

/// Texts by which services say that there is no value.
const ABSENT: &[&str] = &["", "-", "N/A", "null", "<null>"];

/// The entities of an event, numbered from 1.
pub fn entities(event: &Event<'_>, log_type: &LogType) -> Vec<Entity> {
    let mut found: Vec<(String, Entity)> = Vec::new();
    for property in log_type.entities {
        for (trail, value) in event.find_placed(property.path) {
            let value = value.trim();
            if !ABSENT.contains(&value) && found.len() < ENTITIES_MAX {
                let element = element(property.path, &trail);
                add(
                    &mut found,
                    element,
                    property,
                    prefix(value, IDENTIFIER_BYTES_MAX),
                );
            }
        }
    }
    numbered(
        found.into_iter().map(|(_, entity)| entity).collect(),
        ENTITIES_MAX,
    )
}

/// The name of the innermost array element that a value stands in; empty outside of arrays.
fn element(path: &str, trail: &[(usize, usize)]) -> String {
    let mut name = String::new();
    let mut from = 0;
    for (at, number) in trail {
        name.push_str(path.get(from..*at).unwrap_or_default());
        write!(name, "[{number}]").expect("a String takes all text");
        from = *at;
    }
    name
}

fn add(found: &mut Vec<(String, Entity)>, element: String, property: &EntityPath, value: &str) {
    for (place, entity) in found.iter_mut() {
        if entity.kind != property.kind || entity.role != property.role {
            continue;
        }
        match entity.ids.get(property.id) {
            Some(known) if known == value => return,
            None if *place == element => {
                entity.ids.insert(property.id.to_owned(), value.to_owned());
                return;
            }
            _ => {}
        }
    }
    let entity = Entity {
        id: 0,
        kind: property.kind,
        role: property.role.to_owned(),
        ids: BTreeMap::from([(property.id.to_owned(), value.to_owned())]),
    };
    found.push((element, entity));
}

/// The Azure subscription that an event's resources belong to, in lower case.
pub fn subscription(event: &Event<'_>, entities: &[Entity]) -> Option<String> {
    let of_resource = entities
        .iter()
        .flat_map(|entity| entity.ids.values())
        .find_map(|id| {
            let mut parts = id.split('/');
            let named = parts.next() == Some("")
                && parts
                    .next()
                    .is_some_and(|part| part.eq_ignore_ascii_case("subscriptions"));
            parts
                .next()
                .filter(|part| named && !part.is_empty())
                .map(str::to_ascii_lowercase)
        });
    let names = [
        "subscriptionId",
        "properties.subscriptionId",
        "SubscriptionId",
    ];
    of_resource.or_else(|| {
        event
            .first_text(&names.map(str::to_owned))
            .filter(|id| !ABSENT.contains(&id.as_str()))
            .map(|id| prefix(&id, IDENTIFIER_BYTES_MAX).to_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EntityKind, Reading};
    use crate::time::Span;
    use crate::value::parse;

    const fn path(
        kind: EntityKind,
        role: &'static str,
        id: &'static str,
        path: &'static str,
    ) -> EntityPath {
        EntityPath {
            kind,
            role,
            id,
            path,
        }
    }

    static LOG_TYPE: LogType = LogType {
        name: "t",
        logsources: &[],
        event_time: &[],
        entities: &[
            path(EntityKind::Account, "actor", "upn", "by.upn"),
            path(EntityKind::Account, "actor", "object_id", "by.id"),
            path(EntityKind::Account, "target", "upn", "targets.upn"),
            path(EntityKind::Account, "target", "object_id", "targets.id"),
            path(EntityKind::Ip, "source", "address", "ip"),
            path(EntityKind::Ip, "source", "address", "callerIp"),
            path(
                EntityKind::AzureResource,
                "target",
                "resource_id",
                "resourceId",
            ),
        ],
        readings: &[("ip", Reading::Address)],
        content_key: None,
        lateness: Span::ZERO,
    };

    fn found(event: &str) -> Vec<String> {
        let event = Event {
            root: parse(event.as_bytes(), 64).expect("json").value,
            readings: LOG_TYPE.readings,
        };
        let mut lines: Vec<String> = entities(&event, &LOG_TYPE)
            .iter()
            .map(|entity| format!("{} {} {:?}", entity.id, entity.role, entity.ids))
            .collect();
        lines.extend(subscription(&event, &entities(&event, &LOG_TYPE)));
        lines
    }

    #[test]
    fn identifiers_of_one_element_are_one_entity() {
        let event = r#"{"by":{"upn":"kim","id":"1"},
            "targets":[{"upn":"ada","id":"2"},{"id":"3"},{"upn":"bo"}]}"#;
        assert_eq!(
            found(event),
            [
                r#"1 actor {"object_id": "1", "upn": "kim"}"#,
                r#"2 target {"object_id": "2", "upn": "ada"}"#,
                r#"3 target {"upn": "bo"}"#,
                r#"4 target {"object_id": "3"}"#,
            ]
        );
    }

    #[test]
    fn entities_of_one_event_and_their_identifiers_are_bounded() {
        let targets: Vec<String> = (0..100).map(|n| format!(r#"{{"upn":"u{n}"}}"#)).collect();
        let event = format!(r#"{{"targets":[{}]}}"#, targets.join(","));
        assert_eq!(found(&event).len(), ENTITIES_MAX);
        let long = "é".repeat(IDENTIFIER_BYTES_MAX);
        let [one] = &found(&format!(r#"{{"ip":"{long}"}}"#))[..] else {
            panic!("one entity")
        };
        assert_eq!(one.matches('é').count(), IDENTIFIER_BYTES_MAX / 2);
    }

    #[test]
    fn address_is_read_without_port_and_named_once() {
        let event = r#"{"ip":"8.8.8.8:443","callerIp":"8.8.8.8"}"#;
        assert_eq!(found(event), [r#"1 source {"address": "8.8.8.8"}"#]);
        let two = r#"{"ip":"8.8.8.8","callerIp":"9.9.9.9"}"#;
        assert_eq!(found(two).len(), 2);
    }

    #[test]
    fn absent_values_name_nobody() {
        assert_eq!(found(r#"{"by":{"upn":"","id":null},"ip":"N/A"}"#), [""; 0]);
    }

    #[test]
    fn subscription_is_that_of_the_resource_else_a_field_of_that_name() {
        let event = r#"{"resourceId":"/SUBSCRIPTIONS/AB-1/resourceGroups/x"}"#;
        assert_eq!(found(event).last().map(String::as_str), Some("ab-1"));
        assert_eq!(found(r#"{"subscriptionId":"CD-2"}"#), ["cd-2"]);
    }
}
