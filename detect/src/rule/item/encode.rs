//! Encodings of a value: UTF-16, Base64, and Base64 at an unknown offset.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::modifier::{Modifier, Utf16};

/// Fewest bytes that Base64 at an unknown offset can recognise: of a single byte, one of the three
/// alignments leaves no character that does not depend on its neighbours.
pub(super) const OFFSET_BYTES_MIN: usize = 2;

/// Applies the encodings in order; `base64offset` gives three alternatives, all others one.
///
/// `None` if the value is too short to be found at an unknown offset.
pub(super) fn encode(text: &str, encodings: &[Modifier]) -> Option<Vec<String>> {
    let mut bytes = text.as_bytes().to_vec();
    for encoding in encodings {
        match encoding {
            Modifier::Utf16(kind) => bytes = utf16(text, *kind),
            Modifier::Base64 => return Some(vec![STANDARD.encode(&bytes)]),
            Modifier::Base64Offset => return offsets(&bytes),
            _ => {}
        }
    }
    // UTF-16 alone: a byte is the character of the same number.
    Some(vec![bytes.iter().map(|b| char::from(*b)).collect()])
}

/// The bytes of the text in UTF-16.
fn utf16(text: &str, kind: Utf16) -> Vec<u8> {
    let units = text.encode_utf16();
    match kind {
        Utf16::LittleEndian => units.flat_map(u16::to_le_bytes).collect(),
        Utf16::BigEndian => units.flat_map(u16::to_be_bytes).collect(),
        Utf16::Marked => [0xff, 0xfe]
            .into_iter()
            .chain(units.flat_map(u16::to_le_bytes))
            .collect(),
    }
}

/// The Base64 texts at the three alignments, without characters that mix in unknown neighbours.
fn offsets(bytes: &[u8]) -> Option<Vec<String>> {
    if bytes.len() < OFFSET_BYTES_MIN {
        return None;
    }
    let mut texts = Vec::with_capacity(3);
    for (shift, lead) in [(0, 0), (1, 2), (2, 3)] {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(bytes);
        let encoded = STANDARD.encode(&shifted);
        let tail = match shifted.len() % 3 {
            0 => 0,
            1 => 3,
            _ => 2,
        };
        texts.push(encoded.get(lead..encoded.len() - tail)?.to_owned());
    }
    Some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alignment_of_base64_holds_one_of_the_three_texts() {
        for secret in ["ab", "abc", "/bin/bash", "http://évil"] {
            let texts = encode(secret, &[Modifier::Base64Offset]).expect("long enough");
            for lead in ["", "x", "xy", "xyz"] {
                for tail in ["", "q", "qr", "qrs"] {
                    let whole = STANDARD.encode(format!("{lead}{secret}{tail}"));
                    assert!(
                        texts.iter().any(|text| whole.contains(text)),
                        "{lead}{secret}{tail}: {texts:?}"
                    );
                }
            }
        }
        assert_eq!(encode("a", &[Modifier::Base64Offset]), None);
    }

    #[test]
    fn utf16_kinds_differ_in_byte_order_and_mark() {
        let of = |kind| encode("Aé", &[Modifier::Utf16(kind), Modifier::Base64]);
        assert_eq!(of(Utf16::LittleEndian), Some(vec!["QQDpAA==".to_owned()]));
        assert_eq!(of(Utf16::BigEndian), Some(vec!["AEEA6Q==".to_owned()]));
        assert_eq!(of(Utf16::Marked), Some(vec!["//5BAOkA".to_owned()]));
        let alone = encode("A", &[Modifier::Utf16(Utf16::LittleEndian)]);
        assert_eq!(alone, Some(vec!["A\0".to_owned()]));
    }
}
