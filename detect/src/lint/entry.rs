//! Entries of documents, as several files of checks look at them.

use std::ops::Range;

use super::key_of;
use crate::diagnostic::{Code, Diagnostic, Edit, Place};
use crate::rule::parse::RuleDocument;
use crate::yaml::Node;

/// Most bytes that are looked at on either side of a part of a line: a line may have a megabyte, and
/// parts without number.
const LINE_BYTES_MAX: usize = 4 << 10;

/// A finding about a rule; its severity is set by the catalogue.
pub(super) fn about(
    document: &RuleDocument,
    code: Code,
    place: &Place,
    message: impl Into<String>,
) -> Diagnostic {
    Diagnostic::warning(code, place, message).for_rule(key_of(document))
}

/// The text under a key, with its node.
pub(super) fn text<'a>(document: &'a RuleDocument, key: &str) -> Option<(&'a Node, &'a str)> {
    let node = document.root.get(key)?;
    Some((node, node.as_text()?))
}

/// The texts of the list under a key, each with its node.
pub(super) fn texts<'a>(
    document: &'a RuleDocument,
    key: &str,
) -> impl Iterator<Item = (&'a Node, &'a str)> {
    let list = document.root.get(key).and_then(Node::as_seq);
    let list = list.unwrap_or_default().iter();
    list.filter_map(|node| Some((node, node.as_text()?)))
}

/// Writes other text in the place of a text, inside its quotes if it has some.
///
/// `None` if the text is not written as it reads: over several lines, or with escapes. The new text
/// must be one that needs no quotes.
pub(super) fn rewrite(node: &Node, text: &str) -> Option<Edit> {
    let old = node.as_text()?;
    let place = node.place_within(0..old.len());
    (node.is_verbatim() && place.span.len() == old.len()).then(|| Edit::replace(&place, text))
}

/// Takes an element of a list in block style away, with its line. `None` if other things share the
/// line.
pub(super) fn remove_element(bytes: &[u8], node: &Node) -> Option<Edit> {
    let line = whole_line(bytes, &node.place.span)?;
    let before = bytes.get(line.start..node.place.span.start)?;
    let after = bytes.get(node.place.span.end..line.end)?;
    let alone = before.trim_ascii() == b"-" && after.trim_ascii().is_empty();
    alone.then(|| Edit {
        span: line,
        text: String::new(),
    })
}

/// The line that a part of a file stands on, with its line feed; `None` if it stands on several, or if
/// the line goes on for more than [`LINE_BYTES_MAX`] before or after it.
pub(super) fn whole_line(bytes: &[u8], part: &Range<usize>) -> Option<Range<usize>> {
    if bytes.get(part.clone())?.contains(&b'\n') {
        return None;
    }
    let first = part.start.saturating_sub(LINE_BYTES_MAX);
    let before = bytes.get(first..part.start)?;
    let start = match before.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => first + at + 1,
        None if first == 0 => 0,
        None => return None,
    };
    let last = part.end.saturating_add(LINE_BYTES_MAX).min(bytes.len());
    let rest = bytes.get(part.end..last)?;
    let end = match rest.iter().position(|byte| *byte == b'\n') {
        Some(at) => part.end + at + 1,
        None if last == bytes.len() => last,
        None => return None,
    };
    Some(start..end)
}

/// Whether two texts are the same apart from case, white space and a closing full stop.
pub(super) fn same_words(one: &str, other: &str) -> bool {
    let words = |text: &str| {
        let words = text.trim().trim_end_matches('.').split_whitespace();
        words.map(str::to_lowercase).collect::<Vec<_>>()
    };
    words(one) == words(other)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Workspace, lint};
    use crate::diagnostic::Diagnostic;
    use crate::rule::{RuleFile, parse};
    use crate::time::Timestamp;

    /// What checks say of one code about rule files, given as name and text.
    pub(in super::super) fn said_of(code: &str, files: &[(&str, &str)]) -> Vec<Diagnostic> {
        said_at(code, files, None)
    }

    /// As [`said_of`], at a time.
    pub(in super::super) fn said_at(
        code: &str,
        files: &[(&str, &str)],
        now: Option<Timestamp>,
    ) -> Vec<Diagnostic> {
        let files: Vec<RuleFile> = files
            .iter()
            .map(|(name, text)| RuleFile {
                name: (*name).into(),
                bytes: text.as_bytes().to_vec(),
            })
            .collect();
        let parsed = parse::parse_documents(&files);
        let found = lint(&Workspace {
            files: &files,
            documents: &parsed.documents,
            rules: &parsed.rules,
            judged: &parsed.rules,
            pipelines: &[],
            cases: &[],
            observed: None,
            now,
        });
        let found = found.into_iter();
        found.filter(|one| one.code == code).collect()
    }

    /// A rule with these lines of metadata.
    pub(in super::super) fn rule(meta: &str) -> String {
        format!(
            "title: Rule\n{meta}\nlogsource: {{product: azure}}\n\
             detection:\n  s: {{A: 1}}\n  condition: s\n"
        )
    }

    /// A rule of this title.
    pub(in super::super) fn titled(title: &str) -> String {
        rule("").replacen("title: Rule\n\n", &format!("title: {title}\n"), 1)
    }

    /// The messages about a rule with these lines of metadata.
    pub(in super::super) fn messages(code: &str, meta: &str) -> Vec<String> {
        let found = said_of(code, &[("rule.yml", &rule(meta))]);
        found.into_iter().map(|one| one.message).collect()
    }

    /// The text after the fix of the one finding about a rule with these lines of metadata.
    pub(in super::super) fn mended(code: &str, meta: &str) -> String {
        let text = rule(meta);
        let found = said_of(code, &[("rule.yml", &text)]);
        let [one] = found.as_slice() else {
            panic!("{} findings of {code}", found.len());
        };
        let fix = one.fix.as_ref().expect("a fix");
        let mut bytes = text.into_bytes();
        for edit in fix.edits.iter().rev() {
            bytes.splice(edit.span.clone(), edit.text.bytes());
        }
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn an_element_is_taken_away_with_its_line_only_where_it_stands_alone() {
        let twice = |tags: &str| said_of("PAL1204", &[("rule.yml", &rule(tags))]);
        assert_eq!(
            mended("PAL1204", "tags:\n  - a.b\n  - 'a.b' \nlevel: low"),
            rule("tags:\n  - a.b\nlevel: low")
        );
        for shared in ["tags: [a.b, a.b]", "tags:\n  - a.b\n  - a.b  # why\n"] {
            assert_eq!(twice(shared)[0].fix, None, "{shared}");
        }
    }

    #[test]
    fn a_text_is_rewritten_inside_its_quotes_and_left_alone_with_escapes() {
        assert!(mended("PAL1202", "tags: ['a.B']").contains("tags: ['a.b']"));
        let escaped = said_of("PAL1202", &[("rule.yml", &rule("tags: [\"\\x61.B\"]"))]);
        assert_eq!(escaped[0].fix, None);
    }
}
