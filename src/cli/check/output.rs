//! Findings for people, for programs, for code scanning and for workflows.
//!
//! Text of rules never reaches a terminal raw: what could act on one is shown as a symbol, or is
//! written as an escape where the exact text matters.

use std::collections::HashMap;
use std::fmt::Write as _;

use palisade_detect::diagnostic::{Color, Diagnostic, Severity, printable};
use serde_json::{Value, json};

use crate::rules::Findings;

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people, with the lines of the files.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Commands for a GitHub workflow, which shows them beside the lines.
    Github,
}

/// The findings in a format, except for the summary.
pub fn render(findings: &Findings, format: Format, color: Color) -> String {
    let mut lines = Lines::new(findings);
    match format {
        Format::Text => findings.render(color),
        Format::Json => document(&json(findings, &mut lines)),
        Format::Sarif => document(&super::sarif::log(findings, &mut lines)),
        Format::Github => github(findings, &mut lines),
    }
}

/// A place's end: line and column from 1, the column in characters, just behind the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line from 1.
    pub line: u32,
    /// Column from 1, in characters.
    pub column: u32,
}

/// Where lines of the files begin.
pub struct Lines<'a> {
    findings: &'a Findings,
    files: HashMap<String, LinesOf>,
}

/// The lines of one file.
struct LinesOf {
    starts: Vec<usize>,
    /// Where the last question ended: the start of the line, the byte, and the characters between.
    /// From there it is mostly near to the next one, however long the line is.
    last: (usize, usize, usize),
}

impl LinesOf {
    fn new(text: &str) -> Self {
        let behind = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            starts: std::iter::once(0).chain(behind).collect(),
            last: (0, 0, 0),
        }
    }

    /// Number of characters before a byte on its line, which begins at `start`.
    fn chars_before(&mut self, text: &str, start: usize, at: usize) -> Option<usize> {
        let (line, last, before) = self.last;
        let chars = |from, to| Some(text.get(from..to)?.chars().count());
        let count = if line != start || at - start < last.abs_diff(at) {
            chars(start, at)?
        } else if last <= at {
            before + chars(last, at)?
        } else {
            before - chars(at, last)?
        };
        self.last = (start, at, count);
        Some(count)
    }
}

impl<'a> Lines<'a> {
    /// Lines of the files of these findings.
    pub fn new(findings: &'a Findings) -> Self {
        Self {
            findings,
            files: HashMap::new(),
        }
    }

    /// The position of a byte in a file; `None` if the file's text is not at hand.
    pub fn position(&mut self, file: &str, at: usize) -> Option<Position> {
        let text = self.findings.text(file)?;
        let lines = self.files.entry(file.to_owned());
        let lines = lines.or_insert_with(|| LinesOf::new(text));
        let line = lines.starts.partition_point(|start| *start <= at);
        let start = *lines.starts.get(line.checked_sub(1)?)?;
        let before = lines.chars_before(text, start, at)?;
        // A byte order mark is no character of the first line.
        let mark = start == 0 && at > 0 && text.starts_with('\u{feff}');
        Some(Position {
            line: u32::try_from(line).ok()?,
            column: u32::try_from(before + 1 - usize::from(mark)).ok()?,
        })
    }

    /// Where a finding ends; where it begins, if that is not known.
    pub fn end(&mut self, one: &Diagnostic) -> Position {
        let begin = Position {
            line: one.place.line,
            column: one.place.column,
        };
        let end = self.position(&one.place.file, one.place.span.end);
        end.filter(|end| (end.line, end.column) >= (begin.line, begin.column))
            .unwrap_or(begin)
    }
}

/// `{"diagnostics":[{"code","severity","file","line","column","message","help", ...}]}`.
fn json(findings: &Findings, lines: &mut Lines<'_>) -> Value {
    let diagnostics: Vec<_> = findings
        .diagnostics
        .iter()
        .map(|one| {
            let end = lines.end(one);
            let fix = one.fix.as_ref().map(|fix| {
                let edits = fix.edits.iter().map(|edit| {
                    json!({
                        "start": edit.span.start,
                        "end": edit.span.end,
                        "text": edit.text,
                    })
                });
                json!({ "title": fix.title, "edits": edits.collect::<Vec<_>>() })
            });
            json!({
                "code": one.code,
                "severity": one.severity.name(),
                "file": &*one.place.file,
                "line": one.place.line,
                "column": one.place.column,
                "end_line": end.line,
                "end_column": end.column,
                "message": one.message,
                "help": one.help,
                "rule": one.rule,
                "fix": fix,
            })
        })
        .collect();
    json!({ "diagnostics": diagnostics })
}

/// JSON whose texts hold nothing that a terminal could act on: such characters are escaped.
fn document(value: &Value) -> String {
    let mut out = String::new();
    for c in format!("{value:#}\n").chars() {
        let mut own = [0; 4];
        let text: &str = c.encode_utf8(&mut own);
        if c == '\n' || printable(text) == text {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(out, "\\u{unit:04x}").expect("writing to memory cannot fail");
        }
    }
    out
}

/// Workflow commands: `::error file=...,line=...::message`.
fn github(findings: &Findings, lines: &mut Lines<'_>) -> String {
    let mut out = String::new();
    for one in &findings.diagnostics {
        let command = match one.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let end = lines.end(one);
        let mut message = printable(&one.message).into_owned();
        if let Some(help) = &one.help {
            message.extend(["\n", &printable(help)]);
        }
        let (file, message) = (property(&one.place.file), data(&message));
        let place = format!(
            "line={},col={},endLine={},endColumn={}",
            one.place.line, one.place.column, end.line, end.column
        );
        let parts = [
            "::", command, " file=", &file, ",", &place, ",title=", one.code, "::", &message, "\n",
        ];
        out.extend(parts);
    }
    out
}

/// Text of a workflow command's message.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Text of a workflow command's property.
fn property(text: &str) -> String {
    data(&printable(text))
        .replace(':', "%3A")
        .replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use palisade_detect::diagnostic::{Place, code};

    use super::*;

    fn findings() -> Findings {
        let text = "a: \"\u{e9}\u{1b}\u{9b}\u{202e}\"\nb: 100%\n";
        let mut place = Place::start_of("dir,1/a:b.yml");
        place.span = 3..13;
        place.column = 4;
        let problem = Diagnostic::warning(code::NULL_IN_LIST, &place, "bad \u{9b}2J 100%\nnext")
            .with_help("use \u{202e}this");
        let mut findings = Findings::default();
        findings.add("dir,1/a:b.yml", text, vec![problem]);
        findings
    }

    fn is_plain(text: &str) -> bool {
        text.chars()
            .all(|c| c == '\n' || printable(&c.to_string()) == c.to_string())
    }

    #[test]
    fn no_format_prints_what_a_terminal_acts_on() {
        for format in [Format::Text, Format::Json, Format::Sarif, Format::Github] {
            let text = render(&findings(), format, Color::Never);
            assert!(is_plain(&text), "{format:?}: {text:?}");
            assert!(text.contains("PAL0351"), "{text}");
        }
    }

    #[test]
    fn json_gives_the_exact_text_back() {
        let text = render(&findings(), Format::Json, Color::Never);
        let read: Value = serde_json::from_str(&text).expect("JSON");
        let one = &read["diagnostics"][0];
        assert_eq!(one["message"], "bad \u{9b}2J 100%\nnext");
        assert_eq!(one["help"], "use \u{202e}this");
        assert_eq!(
            (one["line"].as_u64(), one["column"].as_u64()),
            (Some(1), Some(4))
        );
        assert_eq!(
            (one["end_line"].as_u64(), one["end_column"].as_u64()),
            (Some(1), Some(10))
        );
    }

    #[test]
    fn workflow_commands_escape_what_would_end_them() {
        assert_eq!(
            render(&findings(), Format::Github, Color::Never),
            "::warning file=dir%2C1/a%3Ab.yml,line=1,col=4,endLine=1,endColumn=10,title=PAL0351\
             ::bad \u{fffd}2J 100%25\u{240a}next%0Ause \u{fffd}this\n"
        );
    }

    #[test]
    fn positions_are_the_same_in_whatever_order_they_are_asked_for() {
        let text = "\u{feff}é: a\nü: [éé, b, ccc]\nd: e\n";
        let mut findings = Findings::default();
        findings.add("f", text, Vec::new());
        let at: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let fresh = |at| Lines::new(&findings).position("f", at).expect("a place");
        let mut lines = Lines::new(&findings);
        for from in &at {
            for to in &at {
                assert_eq!(lines.position("f", *from), Some(fresh(*from)));
                assert_eq!(lines.position("f", *to), Some(fresh(*to)));
            }
        }
        let b = text.find("b,").expect("it is there");
        assert_eq!(fresh(b), Position { line: 2, column: 9 });
        let a = text.find('a').expect("it is there");
        assert_eq!(fresh(a), Position { line: 1, column: 4 });
    }
}
