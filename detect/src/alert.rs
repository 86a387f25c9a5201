//! The canonical alert: what a rule says to the outside, `palisade.alert/1`.
//!
//! Times are RFC 3339 UTC with seven digits; what is unknown is absent, never empty text; maps have
//! sorted keys, so that the same alert is the same bytes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::EntityKind;
use crate::rule::Level;

mod line;
mod shared;

pub(crate) use line::entities_json;
pub use shared::{Excerpt, Shared};

/// Name and version of the format.
pub const SCHEMA: &str = "palisade.alert/1";
/// [`RuleInfo::kind`] of a detection rule, whether or not its repeats are held back.
pub const SINGLE: &str = "single";

/// An alert in the canonical form that every sink renders from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Same trigger, same id: in any run, on any replica, in any version of the rule.
    pub alert_id: String,
    /// 0; raised when the same alert is said again with more in it.
    pub revision: u32,
    /// What this message does.
    pub activity: Activity,
    /// What repeats of one situation share; an incident groups by it.
    pub dedupe_key: String,
    /// The group and window of a correlation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// When Palisade wrote the alert; the one field that differs between repeats.
    pub emitted_at: String,
    /// Event time of the earliest evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_event_at: Option<String>,
    /// Event time of the latest evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event_at: Option<String>,
    /// Id of the alert of another product that this one passes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The rule's title, or what its template became for the event or group.
    pub title: String,
    /// The rule's description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Shared<String>>,
    /// The rule's level, or the level that the event itself names; `medium` for a rule without one.
    pub severity: Level,
    /// `new`; changed by later stages.
    pub status: String,
    /// The rule.
    pub rule: Shared<RuleInfo>,
    /// ATT&CK techniques and tactics of the rule's tags.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub attack: Shared<Vec<Attack>>,
    /// Whose data it is, and which subscription.
    pub tenant: Tenant,
    /// Who and what took part.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub entities: Shared<Vec<Entity>>,
    /// Flat values to search by.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub observables: Shared<Vec<Observable>>,
    /// The events that made the rule fire.
    pub evidence: Evidence,
    /// What later stages added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enrichments: Vec<Value>,
    /// Links to follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remediation: Vec<String>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Who wrote the alert.
    pub product: Product,
    /// Names of the parts that were cut to stay within a limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub truncated: Vec<String>,
}

impl Alert {
    /// The alert as canonical JSON on one line, without the line's end.
    ///
    /// # Panics
    /// Never: all its keys are text.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = String::new();
        self.write_line(&mut line);
        line.into_bytes()
    }

    /// Appends [`Alert::to_line`].
    ///
    /// # Panics
    /// Never: all its keys are text.
    pub fn write_line(&self, out: &mut String) {
        line::write(self, out);
    }
}

fn is_empty<T>(list: &Shared<Vec<T>>) -> bool {
    list.is_empty()
}

/// What an alert message does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Says something new.
    Create,
    /// Says more about the same.
    Update,
    /// Takes it back.
    Close,
}

/// The group and window of a correlation's alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Group-by names with their values as text.
    pub fields: BTreeMap<String, String>,
    /// Begin of the window that fired.
    pub window_start: String,
    /// End of the window that fired.
    pub window_end: String,
}

/// The rule of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleInfo {
    /// Sigma `id`, else derived from the version.
    pub id: String,
    /// Hash of the rule's meaning: unchanged by a new title, level or tag.
    pub version: String,
    /// The rule's `name`, else its title.
    pub name: String,
    /// `single` for a detection rule, `operational` for what Palisade says of itself, else the
    /// correlation's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The level as the rule has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// As written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// As written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// As written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub false_positives: Vec<String>,
    /// As written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// One ATT&CK reference; a rule's tags do not say which tactic a technique serves, so each entry
/// holds a tactic, or a technique with its sub-technique.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attack {
    /// Tactic by its short name, such as `credential-access`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tactic: Option<String>,
    /// Technique, such as `T1078`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub technique: Option<String>,
    /// Sub-technique, such as `T1078.004`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_technique: Option<String>,
}

/// Whose data an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tenant {
    /// The source's `tenant` in the configuration.
    pub tenant_id: String,
    /// The Azure subscription of the trigger's resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_id: Option<String>,
}

/// Someone or something that took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entity {
    /// Number within the alert, from 1.
    pub id: u32,
    /// What it is.
    pub kind: EntityKind,
    /// The part it plays: `actor`, `target`, `source`, `destination`.
    pub role: String,
    /// Its identifiers by name.
    pub ids: BTreeMap<String, String>,
}

/// A flat value to search by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observable {
    /// What it is, such as `ip`, `upn`, `resource_id`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value.
    pub value: String,
    /// The parts it plays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// The events that made a rule fire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// How many events contributed; `events` may hold fewer.
    pub count: u64,
    /// Whether `count` is a lower bound.
    pub approximate: bool,
    /// The trigger first, then the others by time.
    pub events: Vec<EvidenceEvent>,
}

/// One event of the evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceEvent {
    /// Id of the event.
    pub event_id: String,
    /// Event time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Whether `time` is when the broker took the event: its own was missing, or too far from that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub time_clamped: bool,
    /// Log source, such as `azure/signinlogs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logsource: Option<String>,
    /// Log type, such as `entra_signin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_type: Option<String>,
    /// Where the event stands in its source.
    pub origin: EvidenceOrigin,
    /// Rules that the event met, by id, where they are not the alert's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Fields that the rule read, with their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Value>,
    /// The event, whole or cut; see `cut`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<Excerpt>,
    /// Whether the excerpt was cut; it is then text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// Where an event stands in its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceOrigin {
    /// Source name; for files the path.
    pub source: String,
    /// Partition; 0 for files.
    pub partition: u32,
    /// Offset; for files the record's number from 0.
    pub offset: i64,
    /// Ordinals of the event in its record, joined by dots.
    pub index: String,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// What it leads to.
    pub rel: String,
    /// Where.
    pub href: String,
}

/// Who wrote an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Product {
    /// `Palisade`.
    pub vendor: String,
    /// `palisade`.
    pub name: String,
    /// Version of the program.
    pub version: String,
}

impl Product {
    /// This program.
    pub fn palisade() -> Self {
        Self {
            vendor: "Palisade".to_owned(),
            name: "palisade".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// The ATT&CK references among a rule's tags, in their order: `attack.t1078.004` is a technique,
/// `attack.credential-access` a tactic; groups (`attack.g0016`) and software are neither.
pub fn attack_of(tags: &[String]) -> Vec<Attack> {
    let mut found: Vec<Attack> = Vec::new();
    for tag in tags {
        let lower = tag.to_ascii_lowercase();
        let Some(name) = lower.strip_prefix("attack.") else {
            continue;
        };
        let Some(attack) = attack_named(name) else {
            continue;
        };
        if !found.contains(&attack) {
            found.push(attack);
        }
    }
    found
}

fn attack_named(name: &str) -> Option<Attack> {
    let mut chars = name.chars();
    let first = chars.next()?;
    if !chars.next()?.is_ascii_digit() {
        let tactic = name.replace(['_', ' '], "-");
        return Some(Attack {
            tactic: Some(tactic),
            technique: None,
            sub_technique: None,
        });
    }
    let number = name
        .strip_prefix('t')
        .filter(|number| first == 't' && is_number(number))?;
    let technique = number.split('.').next()?;
    let sub_technique = number.contains('.').then(|| format!("T{number}"));
    Some(Attack {
        tactic: None,
        technique: Some(format!("T{technique}")),
        sub_technique,
    })
}

/// Whether this is the number of a technique, `1078` or `1078.004`: what else a tag says is no reference,
/// and other programs read what an alert says.
fn is_number(text: &str) -> bool {
    let digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    match text.split_once('.') {
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
        None => digits(text, 4),
    }
}

/// The entities with their numbers from 1, at most `limit` of them.
pub fn numbered(mut entities: Vec<Entity>, limit: usize) -> Vec<Entity> {
    entities.truncate(limit);
    for (entity, id) in entities.iter_mut().zip(1..) {
        entity.id = id;
    }
    entities
}

/// The identifiers of the entities as flat values, each once, with the parts they play.
pub fn observables_of(entities: &[Entity]) -> Vec<Observable> {
    let mut found: Vec<Observable> = Vec::new();
    for entity in entities {
        for (id, value) in &entity.ids {
            let kind = match (entity.kind, id.as_str()) {
                (EntityKind::Ip, "address") => "ip",
                (_, id) => id,
            };
            let same = |other: &&mut Observable| other.kind == kind && other.value == *value;
            match found.iter_mut().find(same) {
                Some(known) if known.roles.contains(&entity.role) => {}
                Some(known) => known.roles.push(entity.role.clone()),
                None => found.push(Observable {
                    kind: kind.to_owned(),
                    value: value.clone(),
                    roles: vec![entity.role.clone()],
                }),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_tactics_techniques_and_sub_techniques() {
        let tags = [
            "attack.credential_access",
            "attack.T1110.003",
            "attack.t1078",
            "attack.g0016",
            "attack.t10",
            "attack.t1059<b>",
            "attack.t1059.001.002",
            "cve.2021-1",
        ];
        let found = attack_of(&tags.map(str::to_owned));
        let texts: Vec<_> = found
            .iter()
            .map(|a| {
                (
                    a.tactic.as_deref(),
                    a.technique.as_deref(),
                    a.sub_technique.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            texts,
            [
                (Some("credential-access"), None, None),
                (None, Some("T1110"), Some("T1110.003")),
                (None, Some("T1078"), None),
            ]
        );
    }

    #[test]
    fn one_address_in_two_parts_is_one_observable() {
        let entity = |role: &str| Entity {
            id: 0,
            kind: EntityKind::Ip,
            role: role.to_owned(),
            ids: BTreeMap::from([("address".to_owned(), "203.0.113.5".to_owned())]),
        };
        let found = observables_of(&[entity("source"), entity("target"), entity("source")]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind.as_str(), found[0].roles.len()), ("ip", 2));
    }
}
