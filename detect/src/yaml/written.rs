//! How a text is written: from places in a value to places in the file.
//!
//! A value that is quoted with escapes, folded or indented differs from what stands in the file. Its
//! source is read a second time beside the value, and only a reading that gives the value exactly,
//! character by character, is believed.

use std::ops::Range;
use std::sync::Arc;

use saphyr_parser::ScalarStyle;

use crate::diagnostic::Place;

/// A stretch of a value, and where it stands in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// Where it begins in the value.
    value: u32,
    /// Where it begins in the file.
    file: u32,
    /// Bytes in the file.
    written: u32,
    /// Whether it is written as it reads; otherwise it is an escape or a folded line end.
    verbatim: bool,
    line: u32,
    column: u32,
}

/// A scalar as it stands in its file.
pub(super) struct Written<'a> {
    /// Its bytes; with quotes, or from the first character below `|` or `>`.
    pub(super) source: &'a str,
    /// The place where `source` begins.
    pub(super) start: Place,
    /// How it is written.
    pub(super) style: ScalarStyle,
}

impl Written<'_> {
    /// The stretches of a value, if reading the source gives just this value.
    pub(super) fn stretches(&self, value: &str) -> Option<Arc<[Stretch]>> {
        let quote = match self.style {
            ScalarStyle::SingleQuoted => "'",
            ScalarStyle::DoubleQuoted => "\"",
            _ => "",
        };
        let inner = match quote {
            "" => self.source,
            quote => self.source.strip_prefix(quote)?.strip_suffix(quote)?,
        };
        let mut walk = Walk {
            rest: inner,
            file: u32::try_from(self.start.span.start + quote.len()).ok()?,
            line: self.start.line,
            column: self
                .start
                .column
                .checked_add(u32::from(!quote.is_empty()))?,
            value,
            taken: 0,
            stretches: Vec::new(),
        };
        match self.style {
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let indent = usize::try_from(self.start.column - 1).ok()?;
                walk.block(indent, self.style == ScalarStyle::Folded)?;
            }
            style => walk.flow(style)?,
        }
        (walk.taken == value.len() && !walk.stretches.is_empty()).then(|| walk.stretches.into())
    }
}

/// The place of a part of a value by its stretches.
pub(super) fn place(
    stretches: &[Stretch],
    value: &str,
    part: &Range<usize>,
    whole: &Place,
) -> Option<Place> {
    let before = |at: usize| stretches.partition_point(|one| index(one.value) <= at);
    let at_end = part.start == value.len() && part.is_empty();
    let first = stretches.get(before(part.start).checked_sub(1)?)?;
    let lead = value.get(index(first.value)..part.start)?;
    let (start, column) = if first.verbatim {
        let shift = u32::try_from(lead.chars().count()).ok()?;
        (index(first.file) + lead.len(), first.column + shift)
    } else if at_end && !lead.ends_with(['\n', ' ']) {
        // Behind an escape, which stands in one line.
        let start = index(first.file + first.written);
        (start, first.column.checked_add(first.written)?)
    } else {
        (index(first.file), first.column)
    };
    let end = match part.end.checked_sub(1) {
        Some(last) if !part.is_empty() => {
            let last = stretches.get(before(last).checked_sub(1)?)?;
            if last.verbatim {
                index(last.file) + part.end.checked_sub(index(last.value))?
            } else {
                index(last.file + last.written)
            }
        }
        _ => start,
    };
    Some(Place {
        file: whole.file.clone(),
        span: start..end.max(start),
        line: first.line,
        column,
    })
}

fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// Reads a source and its value side by side.
struct Walk<'s> {
    rest: &'s str,
    file: u32,
    line: u32,
    column: u32,
    value: &'s str,
    /// Bytes of the value that are read.
    taken: usize,
    stretches: Vec<Stretch>,
}

impl Walk<'_> {
    /// Takes `written` bytes of the source for `length` bytes of the value.
    fn take(&mut self, written: usize, length: usize, verbatim: bool) -> Option<()> {
        let (taken, rest) = self.rest.split_at_checked(written)?;
        let joins = self.stretches.last_mut().filter(|last| {
            verbatim && last.verbatim && index(last.file + last.written) == index(self.file)
        });
        let size = u32::try_from(written).ok()?;
        if let Some(last) = joins {
            last.written += size;
        } else if length > 0 {
            self.stretches.push(Stretch {
                value: u32::try_from(self.taken).ok()?,
                file: self.file,
                written: size,
                verbatim,
                line: self.line,
                column: self.column,
            });
        }
        for (at, c) in taken.char_indices() {
            let ends = c == '\n' || c == '\r' && !taken.get(at + 1..)?.starts_with('\n');
            if ends {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.file += size;
        self.rest = rest;
        self.taken += length;
        Some(())
    }

    /// What is left of the value.
    fn left(&self) -> &str {
        self.value.get(self.taken..).unwrap_or_default()
    }

    /// Takes so many bytes that are written as they read.
    fn copy(&mut self, length: usize) -> Option<()> {
        let same = self.left().starts_with(self.rest.get(..length)?);
        same.then(|| self.take(length, length, true))?
    }

    /// Takes white space with line ends in it, which the value has as at most so many line feeds, or
    /// else perhaps as one blank.
    fn fold(&mut self, written: usize, most: usize, blank: bool) -> Option<()> {
        let feeds = self.left().bytes().take_while(|byte| *byte == b'\n');
        let length = match feeds.take(most).count() {
            0 => usize::from(blank && self.left().starts_with(' ')),
            feeds => feeds,
        };
        self.take(written, length, false)
    }

    /// A plain or quoted text.
    fn flow(&mut self, style: ScalarStyle) -> Option<()> {
        while let Some(c) = self.rest.chars().next() {
            let (blanks, breaks) = folding(self.rest, None);
            let next = self.rest.get(1..2);
            if breaks > 0 {
                self.fold(blanks, breaks - 1, true)?;
            } else if blanks > 0 {
                // All of them at once: to look for a line end behind each would take squared time.
                self.copy(blanks)?;
            } else if c == '\'' && style == ScalarStyle::SingleQuoted {
                let doubled = next == Some("'") && self.left().starts_with('\'');
                doubled.then(|| self.take(2, 1, false))??;
            } else if c == '\\' && style == ScalarStyle::DoubleQuoted {
                let after = self.rest.get(1..)?;
                if after.starts_with(['\n', '\r']) {
                    let (blanks, breaks) = folding(after, None);
                    self.fold(blanks + 1, breaks.saturating_sub(1), false)?;
                    continue;
                }
                let (meant, length) = escape(after)?;
                let same = self.left().starts_with(meant);
                same.then(|| self.take(1 + length, meant.len_utf8(), false))??;
            } else {
                self.copy(c.len_utf8())?;
            }
        }
        Some(())
    }

    /// The lines below `|` or `>`, which begin `indent` columns from the left.
    fn block(&mut self, indent: usize, folded: bool) -> Option<()> {
        // Empty lines above the first one that is not; the source begins behind them.
        let feeds = self.left().len() - self.left().trim_start_matches('\n').len();
        self.take(0, feeds, false)?;
        while !self.rest.is_empty() {
            let line = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
            self.copy(line)?;
            let (white, breaks) = folding(self.rest, Some(indent));
            self.fold(white, breaks, folded)?;
        }
        // A last line without an end has one nevertheless.
        let ends = self.left() == "\n";
        self.take(0, usize::from(ends), false)
    }
}

/// Bytes of the white space that a text begins with, up to the content of its last line, and the
/// line ends in it. `indent` is how much white space begins a line in a block; the rest is content.
fn folding(text: &str, indent: Option<usize>) -> (usize, usize) {
    let blanks = |from: usize, most: usize, tabs: bool| {
        let rest = text.get(from..).unwrap_or_default().bytes();
        let blank = |byte: &u8| *byte == b' ' || tabs && *byte == b'\t';
        rest.take(most).take_while(blank).count()
    };
    let most = indent.unwrap_or(usize::MAX);
    let mut at = if indent.is_some() {
        0
    } else {
        blanks(0, most, true)
    };
    let mut breaks = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let end = match rest.as_bytes() {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => return (at, breaks),
        };
        breaks += 1;
        at += end;
        at += blanks(at, most, indent.is_none());
    }
}

/// What an escape in double quotes stands for, and its bytes behind the backslash.
pub(super) fn escape(after: &str) -> Option<(char, usize)> {
    let letter = after.chars().next()?;
    let simple = |c: char| Some((c, 1));
    let digits = match letter {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        '0' => return simple('\0'),
        'a' => return simple('\x07'),
        'b' => return simple('\x08'),
        't' | '\t' => return simple('\t'),
        'n' => return simple('\n'),
        'v' => return simple('\x0b'),
        'f' => return simple('\x0c'),
        'r' => return simple('\r'),
        'e' => return simple('\x1b'),
        'N' => return simple('\u{85}'),
        '_' => return simple('\u{a0}'),
        'L' => return simple('\u{2028}'),
        'P' => return simple('\u{2029}'),
        ' ' | '"' | '/' | '\\' => return simple(letter),
        _ => return None,
    };
    let number = after.get(1..=digits)?;
    let hexadecimal = number.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = hexadecimal.then(|| u32::from_str_radix(number, 16).ok())??;
    Some((char::from_u32(number)?, 1 + digits))
}
