//! Text: JSON strings, and beginnings of text.

use std::fmt::Write as _;

/// Appends a text as a JSON string: only what JSON requires is escaped.
pub fn write_json_string(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    match escaped(text.as_bytes()) {
        None => out.push_str(text),
        Some(first) => write_escaped(text, first, out),
    }
    out.push('"');
}

/// Appends a text of which the byte at `first` is the first to escape.
fn write_escaped(text: &str, first: usize, out: &mut String) {
    let mut rest = text;
    let mut next = Some(first);
    while let Some(place) = next {
        // What is escaped is ASCII, so both ends stand between characters.
        let (before, from) = rest.split_at(place);
        out.push_str(before);
        let mut letters = from.chars();
        match letters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\u{c}') => out.push_str("\\f"),
            Some(other) => {
                write!(out, "\\u{:04x}", u32::from(other)).expect("a String takes all text");
            }
            None => {}
        }
        rest = letters.as_str();
        next = escaped(rest.as_bytes());
    }
    out.push_str(rest);
}

/// The first byte that a JSON string cannot hold as it is. Looks at many bytes at a time: the compiler
/// makes vectors of a loop without an early end, and most keys have eight to sixteen bytes.
#[inline]
pub(super) fn escaped(bytes: &[u8]) -> Option<usize> {
    const HALF: usize = 8;
    if let (Some(first), Some(last)) = (bytes.first_chunk::<HALF>(), bytes.last_chunk::<HALF>())
        && bytes.len() <= 2 * HALF
    {
        if !any_escaped(*first) && !any_escaped(*last) {
            return None;
        }
        return position(bytes);
    }
    escaped_in_many(bytes)
}

fn is_escaped(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn position(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| is_escaped(*byte))
}

/// Whether one of eight bytes is escaped, by arithmetic on all of them.
fn any_escaped(bytes: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let all = u64::from_le_bytes(bytes);
    // The high bit of the lowest byte that is below the limit is set, if one is.
    let below = |all: u64, limit: u8| all.wrapping_sub(ONES * u64::from(limit)) & !all & HIGH;
    let equal = |byte: u8| below(all ^ (ONES * u64::from(byte)), 1);
    below(all, b' ') | equal(b'"') | equal(b'\\') != 0
}

fn escaped_in_many(bytes: &[u8]) -> Option<usize> {
    const CHUNK: usize = 16;
    let any = |chunk: &[u8; CHUNK]| {
        let chunk = chunk.iter();
        chunk.fold(false, |any, byte| any | is_escaped(*byte))
    };
    let (chunks, rest) = bytes.as_chunks::<CHUNK>();
    for (number, chunk) in chunks.iter().enumerate() {
        if any(chunk) {
            return Some(number * CHUNK + position(chunk)?);
        }
    }
    // The last bytes together with some that were looked at already, so that they are as many.
    if !chunks.is_empty() && bytes.last_chunk().is_some_and(|last| !any(last)) {
        return None;
    }
    let place = position(rest)?;
    Some(chunks.len() * CHUNK + place)
}

/// The longest beginning of a text that has at most `bytes` bytes and ends between characters.
pub fn prefix(text: &str, bytes: usize) -> &str {
    let end = text.floor_char_boundary(bytes);
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_to_escape_is_found_at_every_place_of_texts_of_all_lengths() {
        for length in 0..40 {
            let mut bytes = vec![b'a'; length];
            assert_eq!(escaped(&bytes), None);
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    bytes[place] = byte;
                    let expected = (byte < 32 || byte == 34 || byte == 92).then_some(place);
                    assert_eq!(escaped(&bytes), expected, "{byte} at {place} of {length}");
                }
                bytes[place] = b'\\';
                let first = (0..=place).find(|at| bytes[*at] == b'\\');
                assert_eq!(escaped(&bytes), first);
                bytes[place] = 0x80;
            }
        }
    }

    #[test]
    fn prefix_never_cuts_a_character() {
        assert_eq!(prefix("aé", 2), "a");
        assert_eq!(prefix("aé", 3), "aé");
        assert_eq!(prefix("aé", 9), "aé");
    }
}
