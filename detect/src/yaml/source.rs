//! A file as text, and how the parser's markers become places in it.

use std::sync::Arc;

use saphyr_parser::{Marker, ScalarStyle, Span};

use super::FILE_BYTES_MAX;
use super::written::{Stretch, Written};
use crate::diagnostic::{Diagnostic, Place, code};
use crate::hidden::turning;

/// Most lists and mappings that one line may open in block style (`- - - x`). The parser reads such
/// a line in one go, in time that grows with the square of their number: 500,000 took 11 s.
const LINE_DEPTH_MAX: usize = 1_000;

/// The byte order mark that may begin a file.
const BOM: &str = "\u{feff}";

/// A file that is UTF-8 and holds only characters that YAML allows.
pub(super) struct Source<'a> {
    /// Name for places.
    file: Arc<str>,
    /// The text after a byte order mark.
    pub(super) text: &'a str,
    /// Length of the byte order mark.
    skipped: usize,
    /// Byte offset of every character, and of the end; `None` if each character is one byte.
    offsets: Option<Vec<u32>>,
}

impl<'a> Source<'a> {
    /// Checks size, encoding and characters.
    pub(super) fn new(name: &str, bytes: &'a [u8]) -> Result<Self, Diagnostic> {
        let file: Arc<str> = Arc::from(name);
        if bytes.len() > FILE_BYTES_MAX {
            return Err(Diagnostic::error(
                code::FILE_TOO_LARGE,
                &Place::start_of(name),
                // Whoever reads files stops a byte behind the limit: how large it is is not known here.
                format!("file is larger than the limit of {FILE_BYTES_MAX} bytes"),
            )
            .with_help("split it into several files"));
        }
        let whole = std::str::from_utf8(bytes).map_err(|error| {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let lead = String::from_utf8_lossy(valid);
            Diagnostic::error(
                code::YAML_NOT_UTF8,
                &place_after(&file, &lead, 0),
                "file is not UTF-8",
            )
            .with_help("save the file with the encoding UTF-8")
        })?;
        let text = whole.strip_prefix(BOM).unwrap_or(whole);
        let skipped = whole.len() - text.len();
        if let Some((at, c)) = first_forbidden(text) {
            let (lead, _) = text.split_at(at);
            let mut place = place_after(&file, lead, c.len_utf8());
            place.span = place.span.start + skipped..place.span.end + skipped;
            return Err(Diagnostic::error(
                code::YAML_CHARACTER,
                &place,
                format!("character U+{:04X} is not allowed in YAML", u32::from(c)),
            )
            .with_help("write it as an escape in a double-quoted scalar, such as \"\\x00\""));
        }
        if let Some((at, c)) = turning(text).next() {
            let (lead, _) = text.split_at(at);
            let mut place = place_after(&file, lead, c.len_utf8());
            place.span = place.span.start + skipped..place.span.end + skipped;
            return Err(turned(&place, c));
        }
        if let Some(at) = too_deep(text) {
            let (lead, _) = text.split_at(at);
            let message = format!("line opens more than {LINE_DEPTH_MAX} lists or mappings");
            let place = place_after(&file, lead, 0);
            return Err(Diagnostic::error(code::YAML_TOO_DEEP, &place, message));
        }
        let offsets = (!text.is_ascii()).then(|| {
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .map(|at| u32::try_from(at).expect("files are smaller than 4 GiB"))
                .collect()
        });
        Ok(Self {
            file,
            text,
            skipped,
            offsets,
        })
    }

    /// Byte offset in [`Self::text`] of the parser's character index.
    pub(super) fn byte(&self, index: usize) -> usize {
        match &self.offsets {
            None => index.min(self.text.len()),
            Some(offsets) => offsets.get(index).map_or(self.text.len(), |at| {
                usize::try_from(*at).expect("u32 fits")
            }),
        }
    }

    /// The place of a span, without white space at its end.
    pub(super) fn place(&self, span: Span) -> Place {
        let range = self.range(span);
        let written = self.text.get(range.clone()).unwrap_or_default();
        let length = written.trim_end().len();
        self.at(span.start, range.start..range.start + length)
    }

    /// The bytes of [`Self::text`] that a span takes.
    pub(super) fn range(&self, span: Span) -> std::ops::Range<usize> {
        let start = self.byte(span.start.index());
        let end = self.byte(span.end.index()).max(start);
        let written = self.text.get(start..end).unwrap_or_default();
        // The parser counts a comment behind a quoted text to the text.
        start..quoted(written).map_or(end, |length| start + length)
    }

    /// The place of bytes of [`Self::text`] on a line, for what the parser gives no marker of.
    pub(super) fn on_line(&self, line: usize, lead: &str, span: std::ops::Range<usize>) -> Place {
        Place {
            file: self.file.clone(),
            span: span.start + self.skipped..span.end + self.skipped,
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(lead.chars().count() + 1).unwrap_or(u32::MAX),
        }
    }

    /// The place of a block that begins at a marker: what is left of its line.
    pub(super) fn line_from(&self, start: Marker) -> Place {
        let from = self.byte(start.index());
        let rest = self.text.get(from..).unwrap_or_default();
        let end = memchr::memchr2(b'\n', b'\r', rest.as_bytes());
        let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.at(start, from..from + line.trim_end().len())
    }

    /// The place of a sequence or mapping in flow style; `None` for block style.
    pub(super) fn flow(&self, start: Marker, end: Marker) -> Option<Place> {
        let rest = self.text.get(self.byte(start.index())..)?;
        rest.starts_with(['{', '['])
            .then(|| self.place(Span::new(start, end)))
    }

    /// How the text of a scalar is written, unless it is written as it reads.
    pub(super) fn written(
        &self,
        span: Span,
        style: ScalarStyle,
        value: &str,
        place: &Place,
    ) -> Option<Arc<[Stretch]>> {
        let shown = place.span.start.checked_sub(self.skipped)?..place.span.end - self.skipped;
        let shown = self.text.get(shown)?;
        let inner = match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                shown.get(1..shown.len().checked_sub(1)?)?
            }
            _ => shown,
        };
        if inner == value {
            return None;
        }
        let from = self.byte(span.start.index());
        let written = if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            Written {
                source: self.text.get(from..self.byte(span.end.index()))?,
                start: self.point(span.start),
                style,
            }
        } else {
            let from = from + properties(shown);
            let end = place.span.end - self.skipped;
            Written {
                source: self.text.get(from..end)?,
                start: self.spanning(from..from),
                style,
            }
        };
        written.stretches(value)
    }

    /// The place of bytes of [`Self::text`], for what the parser gives no marker of.
    pub(super) fn spanning(&self, span: std::ops::Range<usize>) -> Place {
        let lead = self.text.get(..span.start).unwrap_or_default();
        let mut place = place_after(&self.file, lead, span.len());
        place.span = span.start + self.skipped..span.end + self.skipped;
        place
    }

    /// The place of one marker.
    pub(super) fn point(&self, marker: Marker) -> Place {
        let at = self.byte(marker.index());
        self.at(marker, at..at)
    }

    /// A place from a marker's line and column and a byte range of the text.
    fn at(&self, marker: Marker, span: std::ops::Range<usize>) -> Place {
        Place {
            file: self.file.clone(),
            span: span.start + self.skipped..span.end + self.skipped,
            line: u32::try_from(marker.line()).unwrap_or(u32::MAX),
            column: u32::try_from(marker.col() + 1).unwrap_or(u32::MAX),
        }
    }
}

/// The length of the anchor and the tag that a scalar begins with.
fn properties(written: &str) -> usize {
    let mut rest = written;
    while rest.starts_with(['&', '!']) {
        let (_, behind) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        rest = behind.trim_start();
    }
    written.len() - rest.len()
}

/// The length of the quoted text that `written` begins with.
fn quoted(written: &str) -> Option<usize> {
    let bytes = written.as_bytes();
    let quote = *bytes.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if quote == b'"' => at += 2,
            b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The offset of the first line that opens more block collections than [`LINE_DEPTH_MAX`].
fn too_deep(text: &str) -> Option<usize> {
    // Each of them takes two bytes.
    if text.len() <= 2 * LINE_DEPTH_MAX {
        return None;
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let mut opened = 0;
        let mut rest = line.trim_start();
        while let Some(after) = rest.strip_prefix(['-', '?']) {
            if !after.starts_with([' ', '\t']) {
                break;
            }
            opened += 1;
            rest = after.trim_start();
        }
        if opened > LINE_DEPTH_MAX {
            return Some(start);
        }
        start += line.len();
    }
    None
}

/// The place that follows `lead` in a file.
fn place_after(file: &Arc<str>, lead: &str, length: usize) -> Place {
    let line_start = lead.rfind('\n').map_or(0, |at| at + 1);
    let column = lead.get(line_start..).unwrap_or_default().chars().count() + 1;
    Place {
        file: file.clone(),
        span: lead.len()..lead.len() + length,
        line: u32::try_from(lead.matches('\n').count() + 1).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    }
}

/// A character that makes people read another text than the program does.
fn turned(place: &Place, c: char) -> Diagnostic {
    let number = u32::from(c);
    let message = format!("character U+{number:04X} turns around what stands beside it");
    Diagnostic::error(code::YAML_TURNED, place, message).with_help(format!(
        "take it away; a value that needs it is written `\\u{number:04x}` in double quotes, so that it \
         can be seen"
    ))
}

/// The first character of a text that YAML refuses, with its place.
fn first_forbidden(text: &str) -> Option<(usize, char)> {
    // Every character that is refused is a control or has more than one byte; most files have neither.
    let plain = |byte: u8| (b' '..0x7f).contains(&byte) || matches!(byte, b'\t' | b'\n' | b'\r');
    if text.bytes().fold(true, |all, byte| all & plain(byte)) {
        return None;
    }
    text.char_indices().find(|(_, c)| forbidden(*c))
}

/// Whether YAML 1.2.2 section 5.1 refuses the character. The parser would take NUL for the end of
/// the file, and so drop the rest of a rule in silence.
fn forbidden(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => true,
        _ => false,
    }
}
