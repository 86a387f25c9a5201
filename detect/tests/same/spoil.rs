//! What goes wrong with bytes on their way.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Pieces that mean something to a reader of JSON, and some that are not UTF-8.
const PIECES: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b",,",
    b"\\\"",
    b"\\\\",
    b"\\u",
    b" ",
    b"\n",
    b"\0",
    b"\x1f",
    b"\x80",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\xaf",
    b"\xef\xbb\xbf",
    b"1",
    b"-",
    b"e",
    b"null",
    b"//",
    b"{}",
    b"[]",
    b"\"a\":\"abc\",",
    b",\"a\":\"abc\"",
    b"}{",
    b"}}",
    b"]]",
    b"'",
    b"\xe2\x84\xaa",
];

/// One thing that goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Spoil {
    Cut(Index),
    Drop(Index, usize),
    Put(Index, &'static [u8]),
    Instead(Index, &'static [u8]),
    Again(Index, usize),
    Turn(Index, u8),
    /// Two quotes, so that what stands between them becomes text and the other way round.
    Quotes(Index, Index),
    /// The bracket, comma or colon at a place becomes another.
    Mark(Index, u8),
}

pub(crate) fn spoil() -> impl Strategy<Value = Spoil> {
    let at = any::<Index>;
    prop_oneof![
        2 => at().prop_map(Spoil::Cut),
        2 => (at(), 1_usize..4).prop_map(|(at, count)| Spoil::Drop(at, count)),
        3 => (at(), select(PIECES)).prop_map(|(at, piece)| Spoil::Put(at, piece)),
        2 => (at(), select(PIECES)).prop_map(|(at, piece)| Spoil::Instead(at, piece)),
        1 => (at(), 1_usize..80).prop_map(|(at, count)| Spoil::Again(at, count)),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Spoil::Turn(at, byte)),
        2 => (at(), at()).prop_map(|(a, b)| Spoil::Quotes(a, b)),
        3 => (at(), select(&b"{}[]:,\" x"[..])).prop_map(|(at, byte)| Spoil::Mark(at, byte)),
    ]
}

impl Spoil {
    /// Does it to some bytes; to none, nothing.
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Cut(at) => bytes.truncate(at.index(length)),
            Self::Drop(at, count) => {
                let start = at.index(length);
                drop(bytes.drain(start..(start + count).min(length)));
            }
            Self::Put(at, piece) => {
                let start = at.index(length + 1);
                bytes.splice(start..start, piece.iter().copied());
            }
            Self::Instead(at, piece) => {
                let start = at.index(length);
                bytes.splice(start..=start, piece.iter().copied());
            }
            Self::Again(at, count) => {
                let start = at.index(length);
                let part = bytes[start..(start + count).min(length)].to_vec();
                bytes.splice(start..start, part);
            }
            Self::Turn(at, byte) => bytes[at.index(length)] = *byte,
            Self::Quotes(a, b) => {
                for at in [a, b] {
                    bytes.insert(at.index(bytes.len() + 1), b'"');
                }
            }
            Self::Mark(at, byte) => {
                let marks = bytes.iter().enumerate();
                let marks = marks.filter(|(_, byte)| b"{}[]:,\"".contains(byte));
                let places: Vec<usize> = marks.map(|(place, _)| place).collect();
                if !places.is_empty() {
                    bytes[*at.get(&places)] = *byte;
                }
            }
        }
    }
}
