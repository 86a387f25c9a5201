//! Names of snapshots: position and digest.

use std::fmt;

use crate::log::Pos;

/// Digits of a position, so that names sort as positions do.
const POS_DIGITS: usize = 20;

/// Bytes of the digest that stand in a name.
const DIGEST_BYTES: usize = 16;

/// The name of a snapshot within its key partition; names sort by position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The position.
    pub pos: Pos,
    digest: [u8; DIGEST_BYTES],
}

impl Name {
    /// The name of a snapshot of this position with this digest.
    pub fn new(pos: Pos, digest: &[u8; 32]) -> Self {
        let mut begin = [0; DIGEST_BYTES];
        begin.copy_from_slice(&digest[..DIGEST_BYTES]);
        Self { pos, digest: begin }
    }

    /// Reads what `Display` writes, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, hex) = text.split_once('-')?;
        let plain = |text: &str, allowed: &[u8]| text.bytes().all(|byte| allowed.contains(&byte));
        if digits.len() != POS_DIGITS
            || hex.len() != 2 * DIGEST_BYTES
            || !plain(digits, b"0123456789")
            || !plain(hex, b"0123456789abcdef")
        {
            return None;
        }
        let pos = digits.parse().ok()?;
        let digest = u128::from_str_radix(hex, 16).ok()?.to_be_bytes();
        Some(Self { pos, digest })
    }

    /// Whether a snapshot of this position with this digest bears this name.
    pub fn is_of(&self, pos: Pos, digest: &[u8; 32]) -> bool {
        *self == Self::new(pos, digest)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = u128::from_be_bytes(self.digest);
        write!(f, "{:020}-{digest:032x}", self.pos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_sorts_by_position() {
        let name = |pos| Name::new(pos, &[pos.to_le_bytes()[0] ^ 0x0F; 32]);
        let texts = [0, 9, 10, 255, Pos::MAX].map(|pos| name(pos).to_string());
        assert!(texts.is_sorted());
        for text in &texts {
            assert_eq!(Name::parse(text).unwrap().to_string(), *text);
        }
        assert_eq!(
            texts[1],
            "00000000000000000009-06060606060606060606060606060606"
        );
    }

    #[test]
    fn what_is_not_a_name_of_ours_is_none() {
        let good = Name::new(7, &[0xAB; 32]).to_string();
        assert!(Name::parse(&good).is_some());
        let shifted = good.replacen("0000", "000", 1);
        let foreign = [
            "",
            "-",
            "notes.txt",
            "99999999999999999999-abababababababababababababababab",
            "+0000000000000000007-abababababababababababababababab",
            &good.to_uppercase(),
            &format!("{good}#1"),
            &format!("{good}.tmp"),
            &shifted,
        ];
        for text in foreign {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}
