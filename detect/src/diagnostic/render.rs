//! Diagnostics as text with the source line and a caret.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use indexmap::IndexMap;

use super::{Color, Diagnostic, Severity};
use crate::hidden::{is_hidden, is_variation};

/// Characters of a source line that are shown before a caret at most; more is cut off on the left.
const LEAD_CHARS_MAX: usize = 300;
/// Characters of a source line that are shown from a caret on at most.
const TAIL_CHARS_MAX: usize = 300;

/// Text with everything that a terminal could act on, or that hides or reorders text, replaced by a
/// visible character. Line feeds stay only as a symbol.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| shown(c) == c) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(shown).collect())
}

/// The character itself, or what stands for it.
fn shown(c: char) -> char {
    match c {
        '\t' => ' ',
        // Control pictures: the block mirrors the order of the control characters.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        c if is_hidden(c) && !is_variation(c) => '\u{fffd}',
        _ => c,
    }
}

/// Renders diagnostics as text with the source line and a caret, worst first within a file.
///
/// `source` gives a file's text by the name in [`super::Place::file`].
pub fn render(
    diagnostics: &[Diagnostic],
    source: &dyn Fn(&str) -> Option<String>,
    color: Color,
) -> String {
    let renderer = match color {
        Color::Never => Renderer::plain(),
        Color::Always => Renderer::styled(),
    };
    let mut files: IndexMap<&str, Vec<&Diagnostic>> = IndexMap::new();
    for diagnostic in diagnostics {
        let own = files.entry(&*diagnostic.place.file).or_default();
        own.push(diagnostic);
    }
    let mut out = String::new();
    for (file, mut own) in files {
        let text = source(file);
        own.sort_by_key(|d| (std::cmp::Reverse(d.severity), d.place.line, d.place.column));
        for diagnostic in own {
            out.push_str(&one(&renderer, diagnostic, text.as_deref()));
            out.push_str("\n\n");
        }
    }
    out
}

/// One diagnostic, rendered.
fn one(renderer: &Renderer, diagnostic: &Diagnostic, text: Option<&str>) -> String {
    let level = match diagnostic.severity {
        Severity::Info => Level::INFO,
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let place = &diagnostic.place;
    let file = printable(&place.file).into_owned();
    let line = usize::try_from(place.line).unwrap_or(usize::MAX);
    let column = usize::try_from(place.column).unwrap_or(usize::MAX);
    let title = level
        .primary_title(printable(&diagnostic.message))
        .id(diagnostic.code);
    let mut group = match text.map(|text| excerpt(text, &place.span)) {
        Some(excerpt) if !excerpt.line.is_empty() => title.element(
            Snippet::source(excerpt.line)
                .line_start(line)
                .path(file)
                .annotation(AnnotationKind::Primary.span(excerpt.span)),
        ),
        _ => title.element(Origin::path(file).line(line).char_column(column)),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(printable(help).into_owned()));
    }
    renderer.render(&[group])
}

/// One line of a file, safe to print, and the part of it that the caret marks.
struct Excerpt {
    line: String,
    span: Range<usize>,
}

/// The line in which `span` begins; what of the span lies on later lines is left out.
fn excerpt(text: &str, span: &Range<usize>) -> Excerpt {
    let start = floor_boundary(text, span.start);
    let end = floor_boundary(text, span.end.max(start));
    let (before, after) = text.split_at(start);
    // From the caret both ways, and no further than shown: a line may have a megabyte, and a thousand
    // problems.
    let lead = before.chars().rev().take_while(|c| *c != '\n');
    let lead: usize = lead.take(LEAD_CHARS_MAX).map(char::len_utf8).sum();
    let mut line: String = before
        .get(start - lead..)
        .unwrap_or_default()
        .trim_start_matches('\u{feff}')
        .chars()
        .map(shown)
        .collect();
    let from = line.len();
    let mut to = from;
    let rest = after.char_indices();
    let rest = rest.take_while(|(_, c)| !matches!(c, '\n' | '\r'));
    for (at, c) in rest.take(TAIL_CHARS_MAX) {
        line.push(shown(c));
        if start + at < end {
            to = line.len();
        }
    }
    Excerpt {
        line,
        span: from..to,
    }
}

/// The nearest place at or before `at` that lies between two characters.
fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Place, code};
    use super::*;

    fn at(span: Range<usize>, line: u32, column: u32) -> Place {
        Place {
            file: Arc::from("rule.yml"),
            span,
            line,
            column,
        }
    }

    #[test]
    fn source_line_caret_code_and_help_are_shown() {
        let text = "title: x\nfield|contian: y\n";
        let problem = Diagnostic::error(
            code::UNKNOWN_MODIFIER,
            &at(15..22, 2, 7),
            "modifier `contian` is unknown",
        )
        .with_help("did you mean `contains`?");
        let out = render(&[problem], &|_| Some(text.to_owned()), Color::Never);
        assert_eq!(
            out.trim_end(),
            "error[PAL0302]: modifier `contian` is unknown\n \
             --> rule.yml:2:7\n  |\n2 | field|contian: y\n  |       ^^^^^^^\n  |\n  \
             = help: did you mean `contains`?"
        );
    }

    #[test]
    fn worst_problem_of_a_file_stands_first() {
        let warning = Diagnostic::warning(code::NULL_IN_LIST, &at(0..1, 1, 1), "mild");
        let error = Diagnostic::error(code::WRONG_TYPE, &at(9..10, 2, 1), "grave");
        let out = render(
            &[warning, error],
            &|_| Some("title: x\nfield: y\n".to_owned()),
            Color::Never,
        );
        let grave = out.find("grave").expect("rendered");
        assert!(grave < out.find("mild").expect("rendered"));
    }

    #[test]
    fn no_control_or_direction_character_of_the_source_is_printed() {
        let text = "a: \"\u{1b}[31m\u{202e}\u{7}\u{9b}x\"\n";
        let problem = Diagnostic::error(code::WRONG_TYPE, &at(3..19, 1, 4), "bad \u{1b}]0;x\u{7}")
            .with_help("\u{1b}c\u{200f}");
        let out = render(
            std::slice::from_ref(&problem),
            &|_| Some(text.to_owned()),
            Color::Never,
        );
        assert!(out.chars().all(|c| c == '\n' || shown(c) == c), "{out:?}");
        let colored = render(&[problem], &|_| Some(text.to_owned()), Color::Always);
        assert!(!colored.contains("\u{1b}c") && !colored.contains("\u{202e}"));
    }

    #[test]
    fn places_outside_the_text_or_inside_a_character_do_no_harm() {
        let text = "é: ü";
        for span in [0..0, 1..1, 1..2, 3..5, 4..400, 900..901] {
            let problem = Diagnostic::error(code::WRONG_TYPE, &at(span, 1, 1), "odd");
            assert!(render(&[problem], &|_| Some(text.to_owned()), Color::Never).contains("odd"));
        }
        let problem = Diagnostic::error(code::WRONG_TYPE, &at(0..1, 1, 1), "gone");
        assert!(render(&[problem], &|_| None, Color::Never).contains("rule.yml:1:1"));
    }

    #[test]
    fn a_line_of_a_megabyte_is_cut_around_the_caret() {
        let text = format!("{}X{}", "a".repeat(500_000), "b".repeat(500_000));
        let problem =
            Diagnostic::error(code::WRONG_TYPE, &at(500_000..500_001, 1, 500_001), "long");
        let out = render(&[problem], &|_| Some(text.clone()), Color::Never);
        assert!(
            out.len() < 4_000 && out.contains('X'),
            "{} bytes",
            out.len()
        );
    }

    #[test]
    fn the_window_around_a_caret_ends_at_the_line_and_keeps_whole_characters() {
        let text = format!("é\n{}X{}\nü", "é".repeat(400), "ü".repeat(400));
        let before = 3 + 800;
        let one = excerpt(&text, &(before..before + 1));
        assert_eq!(one.line.chars().count(), LEAD_CHARS_MAX + TAIL_CHARS_MAX);
        assert_eq!(one.line.get(one.span.clone()), Some("X"));
        let one = excerpt(&text, &(3..5));
        assert_eq!((one.span, one.line.starts_with("éé")), (0..2, true));
    }
}
