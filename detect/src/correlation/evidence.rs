//! What the fold keeps of a match so that an alert can show it.

use std::sync::Arc;

use serde_json::Value;
use smallvec::SmallVec;

use crate::alert::Entity;
use crate::id::Id;
use crate::matches::{EVIDENCE_BYTES_MAX, Match, Source, flags};

/// Longest list of entities and longest object of fields kept of a match, in bytes of JSON; a
/// longer one is left out, as half of it would not be JSON.
const DETAIL_BYTES_MAX: usize = 1024;

/// Most bytes of evidence that one group keeps; later elements then keep their place only.
///
/// Enough for the hundred events that an alert shows, at their usual size.
pub(super) const GROUP_BYTES_MAX: usize = 256 * 1024;

/// Most bytes of evidence that a key partition keeps over all groups, as above.
///
/// With 32 key partitions 128 MiB, a quarter of the default memory budget.
pub(super) const FOLD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What an alert shows of a match beside its time.
#[derive(Debug)]
pub(super) struct Witness {
    /// Id of the event.
    pub(super) event_id: Id,
    /// Where the event stands.
    pub(super) source: Arc<Source>,
    /// See [`Match::offset`].
    pub(super) offset: i64,
    /// See [`Match::index`].
    pub(super) index: SmallVec<[u32; 4]>,
    /// Whether the event's time is the broker's.
    pub(super) clamped: bool,
    /// The rest; `None` once a limit was reached.
    pub(super) detail: Option<Box<Detail>>,
}

/// The content of an event, cut to the limits.
#[derive(Debug)]
pub(super) struct Detail {
    /// See [`Match::logsource`].
    pub(super) logsource: Box<str>,
    /// See [`Match::log_type`].
    pub(super) log_type: Box<str>,
    /// JSON text of the event, or the begin of it.
    pub(super) excerpt: Box<[u8]>,
    /// Whether it is the begin only.
    pub(super) cut: bool,
    /// See [`Match::fields`].
    pub(super) fields: Box<[u8]>,
    /// See [`Match::entities`].
    pub(super) entities: Box<[u8]>,
}

impl Witness {
    /// Whether both stand for one event, read once.
    pub(super) fn is_of_the_event_of(&self, other: &Self) -> bool {
        self.event_id == other.event_id
            && self.offset == other.offset
            && self.index == other.index
            && self.source == other.source
    }

    /// Bytes of evidence that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.detail.as_ref().map_or(0, |detail| detail.bytes())
    }
}

impl Detail {
    /// What stays of a match.
    pub(super) fn of(found: &Match) -> Self {
        let excerpt = cut(&found.evidence, EVIDENCE_BYTES_MAX);
        let whole_or_nothing = |bytes: &[u8]| match bytes.len() {
            0..=DETAIL_BYTES_MAX => Box::from(bytes),
            _ => Box::default(),
        };
        Self {
            logsource: Box::from(cut_text(&found.logsource)),
            log_type: Box::from(cut_text(&found.log_type)),
            excerpt: Box::from(excerpt),
            cut: excerpt.len() < found.evidence.len() || found.flags & flags::EVIDENCE_CUT != 0,
            fields: whole_or_nothing(&found.fields),
            entities: whole_or_nothing(&found.entities),
        }
    }

    /// The same without a limit, for the event that an alert shows whole.
    pub(super) fn whole(found: &Match) -> Self {
        Self {
            logsource: Box::from(found.logsource.as_str()),
            log_type: Box::from(found.log_type.as_str()),
            excerpt: Box::from(found.evidence.as_slice()),
            cut: found.flags & flags::EVIDENCE_CUT != 0,
            fields: Box::from(found.fields.as_slice()),
            entities: Box::from(found.entities.as_slice()),
        }
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.logsource.len()
            + self.log_type.len()
            + self.excerpt.len()
            + self.fields.len()
            + self.entities.len()
    }

    /// The excerpt for an alert: JSON if it is whole, else text.
    pub(super) fn excerpt(&self) -> Option<Value> {
        if self.excerpt.is_empty() {
            return None;
        }
        let parsed = if self.cut {
            None
        } else {
            serde_json::from_slice(&self.excerpt).ok()
        };
        Some(parsed.unwrap_or_else(|| String::from_utf8_lossy(&self.excerpt).into()))
    }

    /// The fields, if they are a JSON object.
    pub(super) fn fields(&self) -> std::collections::BTreeMap<String, Value> {
        serde_json::from_slice(&self.fields).unwrap_or_default()
    }

    /// The entities, if they are a JSON array of such.
    pub(super) fn entities(&self) -> Vec<Entity> {
        serde_json::from_slice(&self.entities).unwrap_or_default()
    }
}

/// The begin of `bytes`, at most `limit` long and not inside a UTF-8 character.
fn cut(bytes: &[u8], limit: usize) -> &[u8] {
    if bytes.len() <= limit {
        return bytes;
    }
    // A character is at most four bytes long; what is not UTF-8 is cut where it is.
    let border = (limit.saturating_sub(3)..=limit)
        .rev()
        .find(|at| bytes[*at] & 0xC0 != 0x80);
    &bytes[..border.unwrap_or(limit)]
}

/// Names of log sources and types are short; a longer one is of no use.
fn cut_text(text: &str) -> &str {
    text.get(..text.floor_char_boundary(NAME_BYTES_MAX))
        .unwrap_or_default()
}

/// Longest name of a log source or log type that is kept, in bytes.
const NAME_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(evidence: &str) -> Match {
        Match {
            evidence: evidence.as_bytes().to_vec(),
            ..Match::default()
        }
    }

    #[test]
    fn a_short_event_stays_json() {
        let detail = Detail::of(&found(r#"{"a":1}"#));
        assert_eq!(
            (detail.excerpt(), detail.cut),
            (Some(serde_json::json!({"a": 1})), false)
        );
    }

    #[test]
    fn a_long_event_is_cut_at_a_character_and_becomes_text() {
        for shift in 0..4 {
            let text = format!("{}{}", "x".repeat(shift), "\u{1F600}".repeat(400));
            let detail = Detail::of(&found(&text));
            assert!(detail.cut);
            assert!(detail.excerpt.len() <= EVIDENCE_BYTES_MAX, "{shift}");
            assert!(detail.excerpt.len() > EVIDENCE_BYTES_MAX - 4, "{shift}");
            let Some(Value::String(excerpt)) = detail.excerpt() else {
                panic!("not text")
            };
            assert!(text.starts_with(&excerpt), "{shift}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_bounded_too() {
        let hostile = Match {
            evidence: vec![0x80; 5_000],
            ..Match::default()
        };
        assert!(Detail::of(&hostile).excerpt.len() <= EVIDENCE_BYTES_MAX);
    }

    #[test]
    fn entities_that_are_too_long_are_left_out_whole() {
        let long = Match {
            entities: vec![b' '; DETAIL_BYTES_MAX + 1],
            ..Match::default()
        };
        assert!(Detail::of(&long).entities.is_empty());
    }
}
