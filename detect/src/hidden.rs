//! Characters that nobody sees, or that turn around what is seen: the one table of them.

/// Controls, direction marks, and characters without width or with the width of a line.
pub const fn is_hidden(c: char) -> bool {
    is_control(c)
        || is_variation(c)
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

/// Whether the character chooses the shape of the one before it, as emoji do.
pub(crate) const fn is_variation(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// The control characters of ASCII and Latin-1.
pub(crate) const fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}')
}

/// Whether the character begins or ends a run of text in another direction: what stands beside it is
/// shown in an order other than that in which it is read by programs.
pub(crate) const fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The characters of a text that turn around what follows them in their lines, with their places. One
/// that stands alone in quotes at the end of its line turns nothing.
pub(crate) fn turning(text: &str) -> impl Iterator<Item = (usize, char)> {
    let text = if text.is_ascii() { "" } else { text };
    let all = text.char_indices().filter(|(_, c)| turns(*c));
    all.filter(|(at, c)| !stands_alone(text, *at, *c))
}

/// Whether nothing but its quotes stands beside a character, and nothing behind these.
fn stands_alone(text: &str, at: usize, c: char) -> bool {
    let (before, after) = text.split_at(at);
    let after = after.get(c.len_utf8()..).unwrap_or_default();
    let line = after.split(['\n', '\r']).next().unwrap_or_default();
    let within = |quote: char| {
        let rest = line.strip_prefix(quote);
        before.ends_with(quote) && rest.is_some_and(|rest| rest.trim().is_empty())
    };
    within('\'') || within('"')
}

/// The first character of a text that belongs into none which people read, if there is one: a control
/// other than white space, or a character that turns text around.
pub(crate) fn unreadable(text: &str) -> Option<(usize, char)> {
    // Without a control and beyond ASCII there is nothing to look for, and texts are mostly so.
    let plain = |byte: u8| (b' '..0x7f).contains(&byte) || matches!(byte, b'\t' | b'\n' | b'\r');
    if text.bytes().fold(true, |all, byte| all & plain(byte)) {
        return None;
    }
    let wrong = |c: char| turns(c) || is_control(c) && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    text.char_indices().find(|(_, c)| wrong(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_turns_text_is_harmless_only_alone_in_quotes_at_the_end_of_its_line() {
        for harmless in [
            "- '\u{202e}'\n- x",
            "a: \"\u{2066}\"  \r\n",
            "plain",
            "\u{200f}a",
        ] {
            assert_eq!(turning(harmless).next(), None, "{harmless:?}");
        }
        for (harmful, at) in [
            ("- '\u{202e}' # x", 3),
            ("['\u{202e}', 'x']", 2),
            ("- 'a\u{202e}'", 4),
            ("- \u{202e}", 2),
            ("- '\u{202e}\u{202e}'", 3),
            ("# \u{2067}", 2),
        ] {
            let first = turning(harmful).next();
            assert_eq!(first.map(|(at, _)| at), Some(at), "{harmful:?}");
        }
    }

    #[test]
    fn text_for_people_holds_white_space_and_no_other_control() {
        assert_eq!(unreadable("a\tb\r\nc עברית \u{200f}"), None);
        assert_eq!(unreadable("a\0"), Some((1, '\0')));
        assert_eq!(unreadable("é\u{202e}"), Some((2, '\u{202e}')));
        assert_eq!(unreadable("\u{1b}[m"), Some((0, '\u{1b}')));
    }
}
