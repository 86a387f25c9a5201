//! Identities: who an event, an alert and a rule are, derived from log positions and content.
//!
//! Every id is the first 16 bytes of a BLAKE3 hash over a tag and length-prefixed fields, so no two
//! different field lists hash the same bytes. Texts are their length as `u64` little endian and
//! their UTF-8; numbers are eight bytes little endian. Ids are rendered as UUID version 8.
//!
//! | id | tag | fields |
//! | --- | --- | --- |
//! | event | `ev1` | tenant, source, incarnation, partition, offset, index |
//! | alert of a single event | `al1` | tenant, rule id, event id |
//! | alert of a correlation, on a match | `ca1` | tenant, correlation id, group key, trigger event id |
//! | chained match | `cm1` | correlation id, group key, trigger event id |
//! | dedupe key | `dk1` | tenant, rule id, group key |

use std::fmt;

use smallvec::SmallVec;

use crate::event::Origin;

/// A 128-bit identity.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(into = "String", try_from = "String")]
pub struct Id([u8; 16]);

impl Id {
    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The id's bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads the form that `Display` writes; the version and variant bits are taken as they are.
    pub fn parse(text: &str) -> Option<Self> {
        uuid::Uuid::parse_str(text)
            .ok()
            .map(|uuid| Self(*uuid.as_bytes()))
    }
}

/// A UUID of version 8 in lower case with hyphens.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not a UUID"))
    }
}

/// Builds an [`Id`] field by field. What is hashed is short, so it is hashed at once.
pub struct IdHasher(SmallVec<[u8; HASHED_INLINE]>);

/// Bytes that are gathered without asking for memory: all of most ids.
const HASHED_INLINE: usize = 256;

impl IdHasher {
    /// Starts an id of the kind that `tag` names.
    pub fn new(tag: &str) -> Self {
        Self(SmallVec::new()).text(tag)
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds bytes of any length.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0
            .extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, number: i64) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    /// The finished id, with the version and variant bits of a UUID version 8 set.
    pub fn finish(self) -> Id {
        let hash = blake3::hash(&self.0);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        Id(*uuid::Builder::from_custom_bytes(bytes)
            .into_uuid()
            .as_bytes())
    }
}

/// The id of the event at `origin`.
#[expect(
    clippy::cast_possible_wrap,
    reason = "an index has at most INDEX_DEPTH_MAX ordinals"
)]
pub fn event_id(origin: &Origin) -> Id {
    let ordinals = origin.index.ordinals();
    let mut hasher = IdHasher::new("ev1")
        .text(&origin.tenant)
        .text(&origin.at.source)
        .number(i64::from(origin.at.incarnation))
        .number(i64::from(origin.at.partition))
        .number(origin.offset)
        .number(ordinals.len() as i64);
    for ordinal in ordinals {
        hasher = hasher.number(i64::from(*ordinal));
    }
    hasher.finish()
}

/// The id of the alert that `rule_id` raises on one event.
pub fn single_alert_id(tenant: &str, rule_id: &str, event: Id) -> Id {
    IdHasher::new("al1")
        .text(tenant)
        .text(rule_id)
        .bytes(event.as_bytes())
        .finish()
}

/// The id of the alert that a correlation raises when `trigger` makes its condition true.
pub fn correlation_alert_id(
    tenant: &str,
    correlation_id: &str,
    group_key: &[u8],
    trigger: Id,
) -> Id {
    IdHasher::new("ca1")
        .text(tenant)
        .text(correlation_id)
        .bytes(group_key)
        .bytes(trigger.as_bytes())
        .finish()
}

/// The event id of the match that a correlation passes on to the correlations that refer to it.
pub fn chained_event_id(correlation_id: &str, group_key: &[u8], trigger: Id) -> Id {
    IdHasher::new("cm1")
        .text(correlation_id)
        .bytes(group_key)
        .bytes(trigger.as_bytes())
        .finish()
}

/// What repeats of one situation share: the tenant, the rule and the group.
pub fn dedupe_key(tenant: &str, rule_id: &str, group_key: &[u8]) -> Id {
    IdHasher::new("dk1")
        .text(tenant)
        .text(rule_id)
        .bytes(group_key)
        .finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Index, SourcePartition};

    fn origin(tenant: &str, source: &str) -> Origin {
        Origin {
            tenant: Arc::from(tenant),
            at: SourcePartition {
                source: Arc::from(source),
                incarnation: 1,
                partition: 3,
            },
            offset: 1042,
            index: Index::new(&[2]),
        }
    }

    #[test]
    fn event_id_is_a_stable_uuid_of_version_8() {
        let id = event_id(&origin("default", "hub")).to_string();
        assert_eq!(id, "e27f935c-7986-886a-8254-ed52ca9a76ea");
    }

    #[test]
    fn ids_of_alerts_matches_and_dedupe_keys_are_stable() {
        let event = event_id(&origin("default", "hub"));
        let ids = [
            single_alert_id("default", "r1", event),
            correlation_alert_id("default", "r1", b"key", event),
            chained_event_id("r1", b"key", event),
            dedupe_key("default", "r1", b"key"),
        ];
        let texts: Vec<String> = ids.iter().map(Id::to_string).collect();
        assert_eq!(
            texts,
            [
                "5e2b8231-0d35-88b1-abf2-3037d4179ce0",
                "bab0f2d6-4c6c-80bb-be55-0f02a274911e",
                "5212a162-5672-854e-a0c4-978cfc0b7e04",
                "b80f7e82-4e88-8310-ba37-99b215cda0f3"
            ]
        );
    }

    #[test]
    fn an_id_reads_what_it_writes() {
        let id = event_id(&origin("default", "hub"));
        assert_eq!(Id::parse(&id.to_string()), Some(id));
        assert_eq!(Id::parse("no id"), None);
    }

    #[test]
    fn every_field_of_an_origin_changes_the_event_id() {
        let base = origin("default", "hub");
        let mut others = vec![origin("other", "hub"), origin("default", "bus")];
        for change in [
            (|o: &mut Origin| o.at.incarnation = 2) as fn(&mut Origin),
            |o| o.at.partition = 4,
            |o| o.offset = 1043,
            |o| o.index = Index::ROOT,
            |o| o.index = Index::new(&[2, 0]),
        ] {
            let mut other = base.clone();
            change(&mut other);
            others.push(other);
        }
        for other in others {
            assert_ne!(event_id(&other), event_id(&base), "{other:?}");
        }
    }

    #[test]
    fn text_moved_over_a_field_border_changes_the_id() {
        assert_ne!(event_id(&origin("ab", "c")), event_id(&origin("a", "bc")));
    }
}
