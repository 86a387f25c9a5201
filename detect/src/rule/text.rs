//! Sigma text: literal runs, wildcards and placeholders.
//!
//! Rules specification, sections "String Wildcard", "Escape Character" and "Placeholders":
//!
//! ```text
//! *   ?          any run of characters, exactly one code point
//! \*  \?  \\     the character itself
//! \x             any other character after a backslash: both stand for themselves
//! %name%  \%     under `expand`: a placeholder, a plain percent sign
//! ```

use std::ops::Range;

/// Most texts that one value may become by placeholders.
pub const COMBINATIONS_MAX: usize = 65_536;

/// Most bytes that those texts take together.
pub const COMBINATIONS_BYTES_MAX: usize = 16 << 20;

/// Text with wildcards, as a list of parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SigmaText {
    /// The parts in order; no two literals are neighbours.
    pub parts: Vec<Part>,
}

/// One part of a [`SigmaText`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Characters that stand for themselves.
    Literal(String),
    /// `*`: any number of characters.
    AnyRun,
    /// `?`: exactly one code point.
    AnyOne,
}

/// A piece of a value under `expand`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Text as written, with Sigma's escapes and wildcards; `\%` has become `%`.
    Raw(String),
    /// The name between two percent signs.
    Placeholder(String),
}

impl SigmaText {
    /// Reads escapes and wildcards.
    pub fn parse(raw: &str) -> Self {
        let mut text = Self::default();
        let mut literal = String::new();
        let mut chars = raw.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => literal.push(
                    chars
                        .next_if(|next| matches!(next, '*' | '?' | '\\'))
                        .unwrap_or(c),
                ),
                '*' => text.push_wildcard(&mut literal, Part::AnyRun),
                '?' => text.push_wildcard(&mut literal, Part::AnyOne),
                _ => literal.push(c),
            }
        }
        if !literal.is_empty() {
            text.parts.push(Part::Literal(literal));
        }
        text
    }

    /// Text in which every character stands for itself.
    pub fn literal(text: impl Into<String>) -> Self {
        let text = text.into();
        let parts = if text.is_empty() {
            Vec::new()
        } else {
            vec![Part::Literal(text)]
        };
        Self { parts }
    }

    /// The text without wildcards; `None` if it has some.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Ends the literal run and adds a wildcard.
    fn push_wildcard(&mut self, literal: &mut String, wildcard: Part) {
        if !literal.is_empty() {
            self.parts.push(Part::Literal(std::mem::take(literal)));
        }
        self.parts.push(wildcard);
    }
}

/// Text that [`SigmaText::parse`] reads as exactly these characters.
pub fn escape(literal: &str) -> String {
    let mut out = String::with_capacity(literal.len());
    for c in literal.chars() {
        if matches!(c, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Splits a value under `expand` at its placeholders (`%name%`, the name of letters, digits, `_`, `.`
/// and `-`).
pub fn segments(raw: &str) -> Vec<Segment> {
    let mut out = Vec::new();
    let mut text = String::new();
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\\\\") {
            // Stays an escaped backslash for `SigmaText::parse`.
            text.push_str("\\\\");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\\%") {
            text.push('%');
            rest = after;
        } else if let Some((name, after)) = placeholder(rest) {
            if !text.is_empty() {
                out.push(Segment::Raw(std::mem::take(&mut text)));
            }
            out.push(Segment::Placeholder(name.to_owned()));
            rest = after;
        } else {
            text.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    if !text.is_empty() || out.is_empty() {
        out.push(Segment::Raw(text));
    }
    out
}

/// The names of the placeholders of a value under `expand`, each with its bytes in it.
pub fn placeholders(raw: &str) -> Vec<(&str, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("\\\\") || rest.starts_with("\\%") {
            at += 2;
        } else if let Some((name, after)) = placeholder(rest) {
            let end = raw.len() - after.len();
            found.push((name, at..end));
            at = end;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// The placeholder that `rest` begins with, and what follows it.
fn placeholder(rest: &str) -> Option<(&str, &str)> {
    let (name, after) = rest.strip_prefix('%')?.split_once('%')?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    (!name.is_empty() && name.chars().all(fits)).then_some((name, after))
}

/// What is said of a placeholder that no pipeline replaces.
pub(crate) fn unresolved(name: &str) -> String {
    format!("no pipeline gives the placeholder `%{name}%` a value")
}

/// What became of the placeholders of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expansion {
    /// All are replaced: the texts, to be read without `expand`.
    Done(Vec<String>),
    /// Some are left: the texts still belong under `expand`.
    Open(Vec<String>),
    /// More than [`COMBINATIONS_MAX`] texts or [`COMBINATIONS_BYTES_MAX`] bytes.
    TooMany,
}

/// Replaces the placeholders that `lookup` knows; several values mean all combinations.
pub fn expand(raw: &str, lookup: &mut dyn FnMut(&str) -> Option<Vec<String>>) -> Expansion {
    let mut pieces: Vec<Result<Vec<String>, String>> = Vec::new();
    for segment in segments(raw) {
        pieces.push(match segment {
            Segment::Raw(text) => Ok(vec![text]),
            Segment::Placeholder(name) => lookup(&name).ok_or(name),
        });
    }
    let open = pieces.iter().any(Result::is_err);
    let mut texts = vec![String::new()];
    for piece in pieces {
        let values: Vec<String> = match piece {
            Ok(values) if open => values.iter().map(|v| v.replace('%', "\\%")).collect(),
            Ok(values) => values,
            Err(name) => {
                for text in &mut texts {
                    keep_placeholder(text, &name);
                }
                continue;
            }
        };
        let bytes = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
        let together = bytes(&texts)
            .saturating_mul(values.len())
            .saturating_add(bytes(&values).saturating_mul(texts.len()));
        if texts.len().saturating_mul(values.len()) > COMBINATIONS_MAX
            || together > COMBINATIONS_BYTES_MAX
        {
            return Expansion::TooMany;
        }
        texts = texts
            .iter()
            .flat_map(|text| values.iter().map(move |value| format!("{text}{value}")))
            .collect();
    }
    if open {
        Expansion::Open(texts)
    } else {
        Expansion::Done(texts)
    }
}

/// Writes an unreplaced placeholder back, safe from a backslash that stands before it.
fn keep_placeholder(text: &mut String, name: &str) {
    let backslashes = text.chars().rev().take_while(|c| *c == '\\').count();
    if backslashes % 2 == 1 {
        text.push('\\');
    }
    text.push('%');
    text.push_str(name);
    text.push('%');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts as text: literals in angle brackets.
    fn shown(raw: &str) -> String {
        let parts = SigmaText::parse(raw).parts;
        let shown = parts.iter().map(|part| match part {
            Part::Literal(text) => format!("<{text}>"),
            Part::AnyRun => "*".to_owned(),
            Part::AnyOne => "?".to_owned(),
        });
        shown.collect()
    }

    #[test]
    fn backslashes_and_wildcards_follow_the_specification() {
        for (raw, expected) in [
            ("", ""),
            ("abc", "<abc>"),
            ("a*b?", "<a>*<b>?"),
            (r"\*", "<*>"),
            (r"\?x", "<?x>"),
            (r"\\", r"<\>"),
            (r"\\*", r"<\>*"),
            (r"\\\*", r"<\*>"),
            (r"\\\\", r"<\\>"),
            (r"\\\", r"<\\>"),
            (r"C:\Windows\", r"<C:\Windows\>"),
            (r"a\", r"<a\>"),
            ("**", "**"),
            ("é*ü", "<é>*<ü>"),
        ] {
            assert_eq!(shown(raw), expected, "{raw}");
        }
    }

    #[test]
    fn escaped_text_reads_back_as_itself() {
        for literal in ["", "a*b", r"\", r"\\*?\", r"C:\*"] {
            let text = SigmaText::parse(&escape(literal));
            assert_eq!(text.as_literal(), Some(literal));
        }
        assert_eq!(SigmaText::parse("a*").as_literal(), None);
    }

    #[test]
    fn placeholders_are_found_outside_escapes_only() {
        let names = |raw: &str| -> Vec<String> {
            let placeholder = |segment| match segment {
                Segment::Placeholder(name) => Some(name),
                Segment::Raw(_) => None,
            };
            segments(raw).into_iter().filter_map(placeholder).collect()
        };
        assert_eq!(names("%a%-%b.c%"), ["a", "b.c"]);
        assert_eq!(names(r"\\%a%"), ["a"]);
        for none in [r"\%a%", "%%", "100% of 5%", "%a b%", "%a"] {
            assert_eq!(names(none), Vec::<String>::new(), "{none}");
        }
        assert_eq!(segments(r"5\% \\%"), [Segment::Raw(r"5% \\%".to_owned())]);
    }

    #[test]
    fn expansion_gives_all_combinations_and_keeps_what_is_unknown() {
        let mut lookup = |name: &str| match name {
            "two" => Some(vec!["1".to_owned(), "%x%".to_owned()]),
            "path" => Some(vec![r"c:\".to_owned()]),
            _ => None,
        };
        assert_eq!(
            expand(r"a%two%\%", &mut lookup),
            Expansion::Done(vec!["a1%".to_owned(), "a%x%%".to_owned()])
        );
        let open = Expansion::Open(vec![
            r"c:\\%later%1".to_owned(),
            r"c:\\%later%\%x\%".to_owned(),
        ]);
        assert_eq!(expand("%path%%later%%two%", &mut lookup), open);
        let mut many = |_: &str| Some(vec!["x".to_owned(); 1_000]);
        assert_eq!(expand("%a%%b%", &mut many), Expansion::TooMany);
    }
}
