//! Dead letters: what cannot go on, kept with its place and reason.

use palisade_detect::event::Origin;
use palisade_ingest::reject::Reject;
use serde::Serialize;

/// Most raw bytes a dead letter keeps; the full length and hash always stand beside them.
pub const RAW_BYTES_MAX: usize = 64 * 1024;

/// A dead letter as its log holds it, one JSON object.
#[derive(Debug, Serialize)]
pub struct DeadLetter<'a> {
    /// `record` for input, `alert` for an alert that a sink can never take.
    pub kind: &'static str,
    /// When it was parked, RFC 3339.
    pub at: String,
    /// Where it comes from; absent for alerts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<DeadOrigin<'a>>,
    /// The sink that could not take it; absent for input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink: Option<&'a str>,
    /// Byte of the record at which it could not be read on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<usize>,
    /// Class of the reason.
    pub reason: &'a str,
    /// What was found, and what was expected.
    pub message: &'a str,
    /// Length of the whole in bytes.
    pub length: usize,
    /// BLAKE3 of the whole, in hex.
    pub hash: String,
    /// The bytes as text if they are UTF-8, cut at [`RAW_BYTES_MAX`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
    /// The bytes in hex if they are not UTF-8, cut at [`RAW_BYTES_MAX`] bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
    /// Whether `text` or `hex` was cut.
    pub cut: bool,
}

/// Where a dead letter comes from.
#[derive(Debug, Serialize)]
pub struct DeadOrigin<'a> {
    /// Whose data it is.
    pub tenant: &'a str,
    /// Source name.
    pub source: &'a str,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: i64,
    /// Ordinals in the record, joined by dots.
    pub index: String,
}

/// The dead letter of a part of a record, as JSON.
pub fn of_record(origin: &Origin, reject: &Reject, payload: &[u8], at: String) -> Vec<u8> {
    let end = reject.span.end.min(payload.len());
    let raw = payload
        .get(reject.span.start.min(end)..end)
        .unwrap_or_default();
    let (text, hex, cut) = shown(raw);
    to_json(&DeadLetter {
        kind: "record",
        at,
        origin: Some(DeadOrigin {
            tenant: &origin.tenant,
            source: &origin.at.source,
            partition: origin.at.partition,
            offset: origin.offset,
            index: origin.index.to_string(),
        }),
        sink: None,
        byte: Some(reject.byte),
        reason: reject.reason.as_str(),
        message: &reject.message,
        length: raw.len(),
        hash: blake3::hash(raw).to_hex().to_string(),
        text,
        hex,
        cut,
    })
}

/// The dead letter of an alert that `sink` can never take, as JSON.
pub fn of_alert(sink: &str, reason: &str, message: &str, body: &[u8], at: String) -> Vec<u8> {
    let (text, hex, cut) = shown(body);
    to_json(&DeadLetter {
        kind: "alert",
        at,
        origin: None,
        sink: Some(sink),
        byte: None,
        reason,
        message,
        length: body.len(),
        hash: blake3::hash(body).to_hex().to_string(),
        text,
        hex,
        cut,
    })
}

fn to_json(letter: &DeadLetter<'_>) -> Vec<u8> {
    serde_json::to_vec(letter).expect("a dead letter holds only text and numbers")
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
}
