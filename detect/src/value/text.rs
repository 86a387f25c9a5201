//! Text: JSON strings, and beginnings of text.

use std::fmt::Write as _;

/// Appends a text as a JSON string: only what JSON requires is escaped.
pub fn write_json_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(place) = escaped(rest.as_bytes()) {
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
    }
    out.push_str(rest);
    out.push('"');
}

/// The first byte that a JSON string cannot hold as it is. Looks at many bytes at a time: the compiler
/// makes vectors of a loop without an early end.
pub(super) fn escaped(bytes: &[u8]) -> Option<usize> {
    const CHUNK: usize = 16;
    let is_escaped = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    let any = |chunk: &[u8; CHUNK]| chunk.iter().fold(false, |any, byte| any | is_escaped(byte));
    let (chunks, rest) = bytes.as_chunks::<CHUNK>();
    for (number, chunk) in chunks.iter().enumerate() {
        if any(chunk) {
            return Some(number * CHUNK + chunk.iter().position(is_escaped)?);
        }
    }
    // The last bytes together with some that were looked at already, so that they are as many.
    match bytes.last_chunk::<CHUNK>() {
        Some(_) if rest.is_empty() => None,
        Some(chunk) if !any(chunk) => None,
        _ => {
            let place = rest.iter().position(is_escaped)?;
            Some(chunks.len() * CHUNK + place)
        }
    }
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
    fn prefix_never_cuts_a_character() {
        assert_eq!(prefix("aé", 2), "a");
        assert_eq!(prefix("aé", 3), "aé");
        assert_eq!(prefix("aé", 9), "aé");
    }
}
