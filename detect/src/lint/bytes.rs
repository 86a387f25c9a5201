//! Style: bytes of a file that nobody sees.

use std::collections::BTreeSet;

use super::{Check, Found, Workspace};
use crate::diagnostic::{Code, Diagnostic, Edit, Place, code};
use crate::hidden::{is_control, is_hidden, is_variation, turning};
use crate::rule::RuleFile;
use crate::yaml::{self, Node, Yaml};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::info(code::TRAILING_SPACE, trailing_space),
    Check::info(code::CARRIAGE_RETURN, carriage_return),
    Check::info(code::NO_FINAL_LINE_FEED, no_final_line_feed),
    Check::info(code::BYTE_ORDER_MARK, byte_order_mark),
    Check::warning(code::HIDDEN_CHARACTER, hidden_character),
];

/// Most replacements of one fix; a file that needs more is mended by an editor.
const EDITS_MAX: usize = 10_000;
/// Most hidden characters that are named in one file.
const HIDDEN_MAX: usize = 10;

/// The UTF-8 byte order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The place of a part of a file, by its bytes.
fn place(file: &RuleFile, span: std::ops::Range<usize>) -> Place {
    let before = file.bytes.get(..span.start).unwrap_or_default();
    let line = before.split(|byte| *byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n');
    let lead = before
        .get(start.map_or(0, |at| at + 1)..)
        .unwrap_or_default();
    let column = String::from_utf8_lossy(lead).chars().count() + 1;
    Place {
        file: file.name.clone(),
        span,
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    }
}

/// A finding with the replacements that mend it, if they leave alone what the file says: in quoted
/// and in literal text, white space is text.
fn mended(file: &RuleFile, problem: Diagnostic, title: &str, edits: Vec<Edit>) -> Diagnostic {
    if edits.len() > EDITS_MAX {
        return problem;
    }
    let mut bytes = Vec::with_capacity(file.bytes.len());
    let mut at = 0;
    for edit in &edits {
        bytes.extend(file.bytes.get(at..edit.span.start).unwrap_or_default());
        bytes.extend(edit.text.bytes());
        at = edit.span.end;
    }
    bytes.extend(file.bytes.get(at..).unwrap_or_default());
    let before = yaml::parse(&file.name, &file.bytes);
    match (before, yaml::parse(&file.name, &bytes)) {
        (Ok(before), Ok(after)) if same_all(&before, &after) => problem.with_fix(title, edits),
        _ => problem,
    }
}

fn same_all(one: &[Node], other: &[Node]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same(a, b))
}

/// Whether two nodes say the same, wherever they stand.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Yaml::Null, Yaml::Null) => true,
        (Yaml::Bool(a), Yaml::Bool(b)) => a == b,
        (Yaml::Int(a), Yaml::Int(b)) => a == b,
        (Yaml::Float(a), Yaml::Float(b)) => a.to_bits() == b.to_bits(),
        (Yaml::Text(a), Yaml::Text(b)) => a == b,
        (Yaml::Seq(a), Yaml::Seq(b)) => same_all(a, b),
        (Yaml::Map(a), Yaml::Map(b)) => {
            let mut pairs = a.iter().zip(b);
            a.len() == b.len() && pairs.all(|(a, b)| same(&a.0, &b.0) && same(&a.1, &b.1))
        }
        _ => false,
    }
}

/// Takes parts of a file away.
fn without(spans: impl Iterator<Item = std::ops::Range<usize>>) -> Vec<Edit> {
    spans
        .map(|span| Edit {
            span,
            text: String::new(),
        })
        .collect()
}

/// A finding at the first of the edits that mend it.
fn at_first(
    file: &RuleFile,
    code: Code,
    message: String,
    title: &str,
    edits: Vec<Edit>,
) -> Option<Diagnostic> {
    let first = place(file, edits.first()?.span.clone());
    let problem = Diagnostic::info(code, &first, message).with_help(title);
    Some(mended(file, problem, title, edits))
}

/// How many lines, in words.
fn lines(count: usize) -> String {
    match count {
        1 => "a line".to_owned(),
        count => format!("{count} lines"),
    }
}

/// White space before the end of a line shows up in every difference.
fn trailing_space(workspace: &Workspace<'_>, found: &mut Found) {
    for file in workspace.files {
        let mut end = 0;
        let spans = file
            .bytes
            .split_inclusive(|byte| *byte == b'\n')
            .filter_map(|line| {
                let start = end;
                end += line.len();
                let text = line.strip_suffix(b"\n").unwrap_or(line);
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                let bare = text.trim_ascii_end().len();
                (bare < text.len()).then_some(start + bare..start + text.len())
            });
        let edits = without(spans);
        let message = format!("white space at the end of {}", lines(edits.len()));
        let title = "take it away";
        found.extend(at_first(file, code::TRAILING_SPACE, message, title, edits));
    }
}

/// Line ends of Windows.
fn carriage_return(workspace: &Workspace<'_>, found: &mut Found) {
    for file in workspace.files {
        let pairs = file.bytes.windows(2).enumerate();
        let spans = pairs
            .filter(|(_, pair)| *pair == b"\r\n")
            .map(|(at, _)| at..at + 1);
        let edits = without(spans);
        let message = format!("{} with CR LF at the end", lines(edits.len()));
        let title = "end lines with LF alone";
        found.extend(at_first(file, code::CARRIAGE_RETURN, message, title, edits));
    }
}

/// The last line is no line without an end.
fn no_final_line_feed(workspace: &Workspace<'_>, found: &mut Found) {
    for file in workspace.files {
        let end = file.bytes.len();
        if !file.bytes.is_empty() && !file.bytes.ends_with(b"\n") {
            let title = "end the last line";
            let problem = Diagnostic::info(
                code::NO_FINAL_LINE_FEED,
                &place(file, end..end),
                "file has no line feed at its end",
            )
            .with_help(title);
            let edit = Edit {
                span: end..end,
                text: "\n".to_owned(),
            };
            found.push(mended(file, problem, title, vec![edit]));
        }
    }
}

/// A mark that UTF-8 has no use for.
fn byte_order_mark(workspace: &Workspace<'_>, found: &mut Found) {
    for file in workspace.files {
        if file.bytes.starts_with(MARK) {
            let edits = without(std::iter::once(0..MARK.len()));
            let message = "file begins with a byte order mark".to_owned();
            let title = "take it away";
            found.extend(at_first(file, code::BYTE_ORDER_MARK, message, title, edits));
        }
    }
}

/// Whether a character is worth a finding: one that chooses a shape is a part of the emoji before it.
fn hides(c: char) -> bool {
    is_hidden(c) && !is_control(c) && !is_variation(c)
}

/// Characters that make a rule read otherwise than it is.
fn hidden_character(workspace: &Workspace<'_>, found: &mut Found) {
    for file in workspace.files.iter().filter(|file| !file.bytes.is_ascii()) {
        let Ok(text) = std::str::from_utf8(&file.bytes) else {
            continue;
        };
        // What turns text around is an error of its own.
        let errors: BTreeSet<usize> = turning(text).map(|(at, _)| at).collect();
        let before = std::iter::once('\0').chain(text.chars());
        let hidden = text
            .char_indices()
            .zip(before)
            .filter_map(|((at, c), before)| {
                // Emoji, and scripts whose letters change shape, are written with joiners.
                let joins = matches!(c, '\u{200c}' | '\u{200d}') && !before.is_ascii();
                let error = errors.contains(&at);
                (at > 0 && hides(c) && !joins && !error).then_some((at, c))
            });
        for (at, c) in hidden.take(HIDDEN_MAX) {
            let number = u32::from(c);
            let message = format!("invisible character U+{number:04X}");
            let escape = if number > 0xffff {
                format!("\\U{number:08x}")
            } else {
                format!("\\u{number:04x}")
            };
            found.push(
                Diagnostic::info(
                    code::HIDDEN_CHARACTER,
                    &place(file, at..at + c.len_utf8()),
                    message,
                )
                .with_help(format!(
                    "take it away, or write `{escape}` in double quotes, so that it can be seen"
                )),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{rule, said_of};
    use super::*;

    /// The one finding about a text, and the text after its fix.
    fn one(code: &str, text: &str) -> (Diagnostic, Option<String>) {
        let mut found = said_of(code, &[("rule.yml", text)]);
        assert_eq!(found.len(), 1, "{text:?}");
        let one = found.remove(0);
        let after = one.fix.as_ref().map(|fix| {
            let mut bytes = text.as_bytes().to_vec();
            for edit in fix.edits.iter().rev() {
                bytes.splice(edit.span.clone(), edit.text.bytes());
            }
            String::from_utf8(bytes).expect("text")
        });
        (one, after)
    }

    #[test]
    fn white_space_at_line_ends_is_taken_away_where_it_says_nothing() {
        let (problem, after) = one("PAL1110", &rule("level: low \t\nstatus: test  # why  "));
        assert_eq!(after, Some(rule("level: low\nstatus: test  # why")));
        assert_eq!((problem.place.line, problem.place.column), (2, 11));
        assert!(problem.message.contains("2 lines"), "{}", problem.message);
        let literal = rule("description: |\n  a  \n  b");
        assert_eq!(
            one("PAL1110", &literal).1,
            None,
            "white space of a literal is text"
        );
    }

    #[test]
    fn line_ends_of_windows_become_line_feeds() {
        let text = rule("level: low");
        let (problem, after) = one("PAL1111", &text.replace('\n', "\r\n"));
        assert_eq!(after, Some(text.clone()));
        assert!(problem.message.contains("lines with CR LF"));
        assert!(said_of("PAL1110", &[("r.yml", &text.replace('\n', "\r\n"))]).is_empty());
        assert!(said_of("PAL1111", &[("r.yml", &text)]).is_empty());
    }

    #[test]
    fn the_last_line_is_ended() {
        let text = rule("level: low");
        assert_eq!(one("PAL1112", text.trim_end()).1, Some(text.clone()));
        assert!(said_of("PAL1112", &[("r.yml", &text)]).is_empty());
    }

    #[test]
    fn a_byte_order_mark_is_taken_away_and_is_no_hidden_character() {
        let text = format!("\u{feff}{}", rule("level: low"));
        assert_eq!(one("PAL1113", &text).1, Some(rule("level: low")));
        assert!(said_of("PAL1114", &[("r.yml", &text)]).is_empty());
    }

    #[test]
    fn characters_that_hide_are_named_and_letters_of_other_scripts_are_not() {
        let (problem, _) = one("PAL1114", &rule("author: a\u{200e}b"));
        assert_eq!((problem.place.line, problem.place.column), (2, 10));
        assert!(problem.message.contains("U+200E"));
        assert_eq!(
            one("PAL1114", &rule("author: a\u{200d}b")).0.place.column,
            10
        );
        let needle = rule("")
            .replace("A: 1", "A: '\u{202e}'")
            .replace("{A", "\n    A")
            .replace("'}", "'");
        assert_eq!(one("PAL1114", &needle).0.place.line, 6);
        let turned = rule("author: a\u{202e}b");
        assert!(said_of("PAL1114", &[("r.yml", &turned)]).is_empty());
        let many = rule(&format!("author: {}", "\u{200b}".repeat(100)));
        assert_eq!(said_of("PAL1114", &[("r.yml", &many)]).len(), HIDDEN_MAX);
        let scripts = rule("author: Ünïcödé 日本 עברית 👩\u{200d}💻 می\u{200c}خواهم");
        assert!(said_of("PAL1114", &[("r.yml", &scripts)]).is_empty());
    }
}
