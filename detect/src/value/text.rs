//! Text: case folding and JSON strings.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A character under Unicode simple case folding.
pub fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    unicode_case_mapping::case_folded(c)
        .and_then(|folded| char::from_u32(folded.get()))
        .unwrap_or(c)
}

/// A text under Unicode simple case folding, code point by code point.
pub fn fold(text: &str) -> Cow<'_, str> {
    let unchanged = if text.is_ascii() {
        !text.bytes().any(|byte| byte.is_ascii_uppercase())
    } else {
        text.chars().all(|c| fold_char(c) == c)
    };
    if unchanged {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().map(fold_char).collect())
    }
}

/// Appends a text as a JSON string: only what JSON requires is escaped.
pub fn write_json_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes all text");
            }
            other => out.push(other),
        }
    }
    out.push('"');
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
    fn folding_is_simple_and_code_point_by_code_point() {
        assert_eq!(fold("ΣΑΣ"), fold("σας"));
        assert_eq!(fold("ẞ"), "ß");
        assert_ne!(fold("ß"), fold("SS"));
        assert_eq!(fold("ÄB\u{212a}"), "äbk");
        assert_eq!(fold("\u{130}"), "\u{130}");
    }

    #[test]
    fn prefix_never_cuts_a_character() {
        assert_eq!(prefix("aé", 2), "a");
        assert_eq!(prefix("aé", 3), "aé");
        assert_eq!(prefix("aé", 9), "aé");
    }
}
