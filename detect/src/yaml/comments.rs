//! Comments: what the parser passes over, found between the values that it reports.

use std::ops::Range;

use saphyr_parser::Event;

use super::build::Events;
use super::source::Source;
use crate::diagnostic::Place;

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// From its `#` to the end of its line.
    pub place: Place,
    /// What follows the `#`.
    pub text: String,
    /// Whether nothing but white space stands before it on its line.
    pub alone: bool,
}

/// The comments of a file that hold `word`; none of a file that cannot be read.
///
/// A `#` inside a quoted text or a block of text begins no comment.
pub fn comments(name: &str, bytes: &[u8], word: &str) -> Vec<Comment> {
    let Ok(source) = Source::new(name, bytes) else {
        return Vec::new();
    };
    if !source.text.contains(word) {
        return Vec::new();
    }
    let Some(scalars) = scalars(&source) else {
        return Vec::new();
    };
    let mut comments = Vec::new();
    let mut start = 0;
    for (number, line) in (1..).zip(source.text.split_inclusive('\n')) {
        let end = start + line.trim_end_matches(['\n', '\r']).len();
        if line.contains(word)
            && let Some(at) = begin(source.text, start..end, &scalars)
            && let Some(text) = source.text.get(at + 1..end)
            && text.contains(word)
        {
            let lead = source.text.get(start..at).unwrap_or_default();
            comments.push(Comment {
                place: source.on_line(number, lead, at..end),
                text: text.to_owned(),
                alone: lead.trim().is_empty(),
            });
        }
        start += line.len();
    }
    comments
}

/// Where the values of a file stand, in order.
fn scalars(source: &Source<'_>) -> Option<Vec<Range<usize>>> {
    let mut events = Events::new(source);
    let mut spans = Vec::new();
    while let Some((event, span)) = events.next().ok()? {
        if matches!(event, Event::Scalar(..)) {
            spans.push(source.range(span));
        }
    }
    Some(spans)
}

/// Where the comment of a line begins: its first `#` that follows white space and lies in no value.
fn begin(text: &str, line: Range<usize>, scalars: &[Range<usize>]) -> Option<usize> {
    let written = text.get(line.clone())?;
    let mut before = ' ';
    for (at, c) in written.char_indices() {
        let place = line.start + at;
        if c == '#' && before.is_whitespace() {
            let next = scalars.partition_point(|span| span.end <= place);
            let inside = scalars.get(next).is_some_and(|span| span.start <= place);
            if !inside {
                return Some(place);
            }
        }
        before = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(u32, u32, String, bool)> {
        comments("f.yml", text.as_bytes(), "x")
            .into_iter()
            .map(|one| (one.place.line, one.place.column, one.text, one.alone))
            .collect()
    }

    #[test]
    fn comments_are_found_between_values_and_not_inside_them() {
        let text = "# x1\n\
                    a: b # x2\n\
                    c: 'd # x'\n\
                    e: \"f # x\" # x3\n\
                    g: h#x\n\
                    i: |\n  j # x\n  # x\n# x4\n\
                    k: >-  \n  l # x\n\n  # x\n\n  \
                    m\n\
                    n: [o, # x5\n  p]\n\
                    'q # x': 'r\n  # x\n  s'\n\
                    t:\n  - u\n  # x6\n  - é # x7\n\
                    v: w\n  y # x8\n\
                    # other\n\
                    ---\n# x9\nz: |2\n    # x\n";
        let found: Vec<_> = found(text)
            .into_iter()
            .map(|(line, column, text, alone)| format!("{line}:{column}{text} {alone}"))
            .collect();
        assert_eq!(
            found,
            [
                "1:1 x1 true",
                "2:6 x2 false",
                "4:12 x3 false",
                "9:1 x4 true",
                "16:8 x5 false",
                "23:3 x6 true",
                "24:7 x7 false",
                "26:5 x8 false",
                "29:1 x9 true",
            ]
        );
    }

    #[test]
    fn place_is_exact_behind_a_byte_order_mark() {
        let text = "\u{feff}é: 1 # x\n";
        let found = comments("f.yml", text.as_bytes(), "x");
        assert_eq!(found.len(), 1);
        assert_eq!(text.get(found[0].place.span.clone()), Some("# x"));
    }

    #[test]
    fn file_that_is_no_yaml_has_none() {
        assert_eq!(found("a: [ # x\n"), []);
    }
}
