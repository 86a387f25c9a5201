//! What keeps a file from being YAML: the parser's words, and a place where a person would look.

use saphyr_parser::ScanError;

use super::DEPTH_MAX;
use super::source::Source;
use super::written::escape;
use crate::diagnostic::{Diagnostic, Place, code};

/// What the parser says of more than 255 brackets in each other, the deepest that it goes.
const READER_TOO_DEEP: &str = "recursion limit exceeded";

/// The parser's error as a diagnostic.
pub(super) fn problem(source: &Source<'_>, error: &ScanError) -> Diagnostic {
    let said = error.info();
    let place = place(source, error);
    if said == READER_TOO_DEEP {
        let message = format!("document is nested deeper than the limit of {DEPTH_MAX}");
        return Diagnostic::error(code::YAML_TOO_DEEP, &place, message);
    }
    if said.contains(TAB_BEHIND_COLON) {
        let message = "file cannot be read: a tab stands behind the colon";
        return Diagnostic::error(code::YAML_SYNTAX, &place, message)
            .with_help("write a space instead of the tab");
    }
    let message = format!("file is not valid YAML: {said}");
    Diagnostic::error(code::YAML_SYNTAX, &place, message)
        .with_help_from(syntax_help(said).map(str::to_owned))
}

/// What the parser says of a tab that separates a key from its value. YAML 1.2 allows it; the parser
/// does not before a letter, a digit or a dash.
const TAB_BEHIND_COLON: &str = "':' must be followed by a valid YAML whitespace";

/// Where the problem stands: the parser names the beginning of what it was reading, or the end of the
/// file.
fn place(source: &Source<'_>, error: &ScanError) -> Place {
    let said = error.info();
    let at = source.byte(error.marker().index());
    let (before, after) = source.text.split_at(at);
    let found = if said.contains(TAB_BEHIND_COLON) {
        before.rfind(':').map(|colon| colon + 1..colon + 2)
    } else if said.contains("escape char") || said.contains("hexadecimal") {
        unknown_escape(after).map(|escape| at + escape.start..at + escape.end)
    } else if said.contains("found a tab") {
        tab(after).map(|tab| at + tab..at + tab + 1)
    } else if after.is_empty() {
        let end = before.trim_end().len();
        Some(end..end)
    } else {
        None
    };
    found.map_or_else(
        || source.point(*error.marker()),
        |span| source.spanning(span),
    )
}

/// The first escape of a text in double quotes that is none.
fn unknown_escape(quoted: &str) -> Option<std::ops::Range<usize>> {
    let mut at = 1;
    loop {
        at += quoted.get(at..)?.find('\\')?;
        let after = quoted.get(at + 1..)?;
        if after.starts_with(['\n', '\r']) {
            at += 2;
            continue;
        }
        let Some((_, length)) = escape(after) else {
            let letter = after.chars().next()?.len_utf8();
            return Some(at..at + 1 + letter);
        };
        at += 1 + length;
    }
}

/// The first tab that begins a line, or follows the spaces that begin it.
fn tab(text: &str) -> Option<usize> {
    let mut lines = text.match_indices('\n').map(|(at, _)| at + 1);
    lines.find_map(|start| {
        let line = text.get(start..)?;
        let tab = start + line.len() - line.trim_start_matches(' ').len();
        text.get(tab..)?.starts_with('\t').then_some(tab)
    })
}

/// What to write instead of what the reader cannot read, by a part of what it says about it.
const SYNTAX_HELP: [(&[&str], &str); 10] = [
    (
        &["unknown anchor", "anchor or alias"],
        "a value that begins with `*` or `&` stands in quotes",
    ),
    (
        &["escape", "hexadecimal"],
        "in double quotes a backslash is written twice; in single quotes it stands for itself",
    ),
    (
        &["after double-quoted"],
        "what stands behind the closing quote belongs inside of the quotes",
    ),
    (
        &["quoted scalar"],
        "close the quotes in the same value; a single quote inside of single quotes is written twice",
    ),
    (&["tab"], "indent with spaces: a tab may not stand here"),
    (
        &["mapping values are not allowed", "':' indicator"],
        "put a text that holds `: ` in quotes, and begin each key on a line of its own",
    ),
    (
        &["flow", "bracket"],
        "close each `[` and `{`, put a comma between elements, and texts with such signs in quotes",
    ),
    (
        &["block scalar"],
        "indent all lines below `|` or `>` by the same number of spaces",
    ),
    (
        &["indent", "expected key", "'-' indicator", "block sequence"],
        "begin the keys of one mapping, and the dashes of one list, in the same column",
    ),
    (
        &[
            "unexpected character",
            "node content",
            "plain scalar",
            "tag",
            "directive",
        ],
        "a value that begins with a sign such as `%`, `@`, `!` or a backtick stands in quotes",
    ),
];

fn syntax_help(said: &str) -> Option<&'static str> {
    let fits = |(parts, _): &&(&[&str], &str)| parts.iter().any(|part| said.contains(part));
    SYNTAX_HELP.iter().find(fits).map(|(_, help)| *help)
}
