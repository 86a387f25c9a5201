//! Dead letters: what cannot go on, kept with its place and reason.

use palisade_detect::event::Origin;
use palisade_detect::time::Timestamp;
use palisade_ingest::reject::Reject;
use serde::{Deserialize, Serialize};

/// Most raw bytes a dead letter keeps; the full length and hash always stand beside them.
pub const RAW_BYTES_MAX: usize = 64 * 1024;

/// [`Letter::kind`] of input.
const RECORD: &str = "record";

/// [`Letter::kind`] of an alert that a sink can never take.
pub const ALERT: &str = "alert";

/// A dead letter as its log holds it, one JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// `record` for input, `alert` for an alert that a sink can never take.
    pub kind: String,
    /// When it was parked, RFC 3339.
    pub at: String,
    /// Where it comes from; absent for alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<DeadOrigin>,
    /// The sink that could not take it; absent for input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// Byte of the record at which it could not be read on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte: Option<usize>,
    /// Byte of the record at which the bytes below begin: they are those of the part at `origin` and of
    /// nothing else. Absent for alerts, and in letters of older versions, which held the whole record of
    /// some parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    /// Class of the reason.
    pub reason: String,
    /// What was found, and what was expected.
    pub message: String,
    /// Length of the whole in bytes.
    pub length: usize,
    /// BLAKE3 of the whole, in hex.
    pub hash: String,
    /// The bytes as text if they are UTF-8, cut at [`RAW_BYTES_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The bytes in hex if they are not UTF-8, cut at [`RAW_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
    /// Whether `text` or `hex` was cut.
    pub cut: bool,
    /// How often it was tried again in vain.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retried: u32,
}

/// Where a dead letter comes from. What an older version did not write is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadOrigin {
    /// Whose data it is.
    pub tenant: String,
    /// The source's name in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The source as ids name it.
    pub source: String,
    /// Incarnation of the topic.
    #[serde(default = "first_incarnation")]
    pub incarnation: u32,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: i64,
    /// Ordinals in the record, joined by dots.
    pub index: String,
    /// The same as numbers; empty for a whole record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordinals: Option<Vec<u32>>,
    /// When the broker took the record, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append_time: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

const fn first_incarnation() -> u32 {
    1
}

impl Letter {
    /// The letter as JSON.
    ///
    /// # Panics
    /// Never: it holds only text and numbers.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a dead letter holds only text and numbers")
    }

    /// The bytes that could not go on, if it holds all of them.
    ///
    /// # Errors
    /// Why it does not.
    pub fn raw(&self) -> Result<Vec<u8>, &'static str> {
        if self.cut {
            return Err("it was too large to be kept whole; only its source may still hold it");
        }
        match (&self.text, &self.hex) {
            (Some(text), _) => Ok(text.clone().into_bytes()),
            (None, Some(hex)) => unhex(hex).ok_or("its bytes are no hex"),
            (None, None) => Err("it holds no bytes"),
        }
    }

    /// Where it comes from, for people.
    pub fn from(&self) -> String {
        match (&self.origin, &self.sink) {
            (Some(from), _) => {
                let DeadOrigin {
                    source,
                    partition,
                    offset,
                    index,
                    ..
                } = from;
                format!("source {source}, partition {partition}, offset {offset}, index {index}")
            }
            (None, Some(sink)) => format!("sink {sink}"),
            (None, None) => String::new(),
        }
    }

    /// Whether it comes from the source of this name, whatever its topic.
    pub fn is_of(&self, name: &str) -> bool {
        self.origin.as_ref().is_some_and(|from| {
            let topic = from.source.strip_prefix(name);
            from.name.as_deref() == Some(name)
                || topic.is_some_and(|topic| topic.is_empty() || topic.starts_with('/'))
        })
    }
}

/// The dead letter of a part of a record, as JSON. `name` is the source's in the configuration,
/// `append_time` the record's.
pub fn of_record(
    origin: &Origin,
    (name, append_time): (&str, Timestamp),
    reject: &Reject,
    payload: &[u8],
    at: String,
) -> Vec<u8> {
    let end = reject.span.end.min(payload.len());
    let start = reject.span.start.min(end);
    let raw = payload.get(start..end).unwrap_or_default();
    let origin = DeadOrigin {
        tenant: origin.tenant.to_string(),
        name: Some(name.to_owned()),
        source: origin.at.source.to_string(),
        incarnation: origin.at.incarnation,
        partition: origin.at.partition,
        offset: origin.offset,
        index: origin.index.to_string(),
        ordinals: Some(origin.index.ordinals().to_vec()),
        append_time: Some(append_time.to_string()),
    };
    let letter = letter((RECORD, at), reject.reason.as_str(), &reject.message, raw);
    Letter {
        origin: Some(origin),
        byte: Some(reject.byte),
        start: Some(start),
        ..letter
    }
    .to_json()
}

/// The dead letter of an alert that `sink` can never take, as JSON.
pub fn of_alert(sink: &str, reason: &str, message: &str, body: &[u8], at: String) -> Vec<u8> {
    let letter = letter((ALERT, at), reason, message, body);
    Letter {
        sink: Some(sink.to_owned()),
        ..letter
    }
    .to_json()
}

fn letter((kind, at): (&str, String), reason: &str, message: &str, raw: &[u8]) -> Letter {
    let (text, hex, cut) = shown(raw);
    Letter {
        kind: kind.to_owned(),
        at,
        origin: None,
        sink: None,
        byte: None,
        start: None,
        reason: reason.to_owned(),
        message: message.to_owned(),
        length: raw.len(),
        hash: blake3::hash(raw).to_hex().to_string(),
        text: text.map(str::to_owned),
        hex,
        cut,
        retried: 0,
    }
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}

/// The bytes as text or hex, cut on a character border, and whether they were cut.
fn shown(raw: &[u8]) -> (Option<&str>, Option<String>, bool) {
    let cut = raw.len() > RAW_BYTES_MAX;
    let head = &raw[..raw.len().min(RAW_BYTES_MAX)];
    match std::str::from_utf8(head) {
        Ok(text) => (Some(text), None, cut),
        // A cut inside a character leaves at most three bytes of it behind.
        Err(error) if cut && error.error_len().is_none() => {
            let whole = std::str::from_utf8(&head[..error.valid_up_to()]).ok();
            (whole, None, cut)
        }
        Err(_) => {
            use std::fmt::Write as _;
            let hex = head
                .iter()
                .fold(String::with_capacity(head.len() * 2), |mut hex, byte| {
                    write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
                    hex
                });
            (None, Some(hex), cut)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_on_a_character_border_and_marked() {
        let mut raw = vec![b'a'; RAW_BYTES_MAX - 1];
        raw.extend("é".as_bytes());
        let (text, hex, cut) = shown(&raw);
        assert_eq!(text.map(str::len), Some(RAW_BYTES_MAX - 1));
        assert_eq!(hex, None);
        assert!(cut);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_in_hex() {
        assert_eq!(shown(&[0xff, 0x00]), (None, Some("ff00".to_owned()), false));
    }

    #[test]
    fn a_letter_gives_back_the_bytes_that_it_holds_whole() {
        let of = |raw: &[u8]| letter((RECORD, "t".to_owned()), "r", "m", raw);
        for raw in [&b"no json"[..], b"", &[0xff, 0x00, 0xa7]] {
            let read: Letter = serde_json::from_slice(&of(raw).to_json()).unwrap();
            assert_eq!(read.raw().unwrap(), raw);
        }
        assert!(of(&vec![b'a'; RAW_BYTES_MAX + 1]).raw().is_err());
        for hex in ["f", "fg", "é"] {
            let odd = Letter {
                text: None,
                hex: Some(hex.to_owned()),
                ..of(b"")
            };
            assert!(odd.raw().is_err(), "{hex}");
        }
    }

    #[test]
    fn a_letter_of_an_older_version_is_read_too() {
        let old = r#"{"kind":"record","at":"t","origin":{"tenant":"d","source":"hub/logs","partition":3,
            "offset":7,"index":"0"},"byte":0,"reason":"not_json","message":"m","length":1,"hash":"h",
            "text":"x","cut":false}"#;
        let letter: Letter = serde_json::from_str(old).unwrap();
        assert!(letter.is_of("hub") && letter.is_of("hub/logs") && !letter.is_of("hu"));
        assert_eq!(letter.origin.unwrap().ordinals, None);
    }
}
