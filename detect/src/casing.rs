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
}
