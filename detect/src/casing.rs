//! Unicode simple case folding: how Sigma compares text unless a rule says `cased`.

use std::borrow::Cow;

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

/// Makes `folded` the same of a text as UTF-8, in memory that it has.
pub fn fold_into(text: &[u8], folded: &mut Vec<u8>) {
    folded.clear();
    if !text.is_ascii()
        && let Ok(text) = std::str::from_utf8(text)
    {
        for c in text.chars() {
            let mut bytes = [0; 4];
            folded.extend_from_slice(fold_char(c).encode_utf8(&mut bytes).as_bytes());
        }
    } else {
        folded.extend_from_slice(text);
        folded.make_ascii_lowercase();
    }
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
    fn folding_into_memory_is_the_same() {
        let mut folded = b"before".to_vec();
        for text in ["", "ABC/1", "ΣΑΣ", "ẞÄB\u{212a}\u{130}"] {
            fold_into(text.as_bytes(), &mut folded);
            assert_eq!(folded, fold(text).as_bytes());
        }
    }
}
