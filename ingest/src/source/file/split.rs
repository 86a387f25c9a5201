//! The content of a file to records.
//!
//! The first record decides. If it is over at the end of its line, each line is a record (NDJSON).
//! If its line leaves a bracket open, the file holds JSON documents over many lines (one as a rule),
//! and each document is a record, ending where its brackets are closed. A first line that was cut
//! off inside a string, or whose continuation by the second line would be illegal while the second
//! line stands on its own, is a broken line of NDJSON and takes no neighbour with it.

use std::io::{self, Read};

use bytes::Bytes;
use memchr::{memchr2, memchr3};
use serde::de::IgnoredAny;

use super::content::Content;
use crate::reject::Reason;

/// Largest record of a file.
///
/// A larger one is one reject with its first bytes dropped from memory; reading goes on behind it.
pub const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One record's bytes.
#[derive(Debug)]
pub(super) struct Piece {
    /// The bytes, without the line's end; what could be read of them if it is broken.
    pub(super) bytes: Bytes,
    /// Where they begin in the content.
    pub(super) start: u64,
    /// Why they are not whole.
    pub(super) broken: Option<Broken>,
}

/// Why a record could not be read whole.
#[derive(Debug)]
pub(super) struct Broken {
    /// Byte of the record.
    pub(super) byte: usize,
    /// Class.
    pub(super) reason: Reason,
    /// What happened, with its place in the content.
    pub(super) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Undecided,
    Lines,
    Documents,
    Ended,
}

/// Splits a content into records.
pub(super) struct Splitter {
    content: Content,
    mode: Mode,
    what: &'static str,
    record_bytes_max: usize,
}

impl Splitter {
    /// A splitter of `content`, which messages call `what`.
    pub(super) fn new(content: Box<dyn Read + Send>, what: &'static str) -> Self {
        Self {
            content: Content::new(content),
            mode: Mode::Undecided,
            what,
            record_bytes_max: RECORD_BYTES_MAX,
        }
    }

    #[cfg(test)]
    pub(super) fn with_limit(mut self, record_bytes_max: usize) -> Self {
        self.record_bytes_max = record_bytes_max;
        self
    }

    /// The next record; a record in which reading fails is the last.
    pub(super) fn next(&mut self) -> Option<Piece> {
        let mut piece = Piece {
            bytes: Bytes::new(),
            start: self.content.position,
            broken: None,
        };
        match self.read(&mut piece) {
            Ok(true) => Some(piece),
            Ok(false) => {
                self.mode = Mode::Ended;
                None
            }
            Err(error) => {
                self.mode = Mode::Ended;
                let place = self.content.position;
                piece.broken = Some(Broken {
                    byte: piece.bytes.len(),
                    reason: Reason::Unreadable,
                    message: format!(
                        "the {} cannot be read on after byte {place}: {error}",
                        self.what
                    ),
                });
                Some(piece)
            }
        }
    }

    /// Reads one record into `piece`; `false` at the end of the content.
    fn read(&mut self, piece: &mut Piece) -> io::Result<bool> {
        if self.mode == Mode::Undecided {
            self.mode = Mode::Lines;
            self.content.skip_mark()?;
            self.mode = self.decide()?;
        }
        if self.mode == Mode::Ended {
            return Ok(false);
        }
        let Some(first) = self.content.skip_blanks()? else {
            return Ok(false);
        };
        piece.start = self.content.position;
        let documents = self.mode == Mode::Documents && matches!(first, b'{' | b'[');
        if !documents && self.content.line(self.record_bytes_max, &mut piece.bytes)? {
            return Ok(true);
        }
        let mut taking = Taking {
            bytes: Vec::new(),
            limit: self.record_bytes_max,
            length: 0,
        };
        let taken = if documents {
            take_document(&mut self.content, &mut taking)
        } else {
            self.content.take_line(&mut taking)
        };
        piece.bytes = Bytes::from(taking.bytes);
        taken?;
        let length = taking.length;
        if length > self.record_bytes_max {
            piece.broken = Some(Broken {
                byte: self.record_bytes_max,
                reason: Reason::TooLarge,
                message: format!(
                    "the record at byte {} of the content has {length} bytes, more than {}",
                    piece.start, self.record_bytes_max
                ),
            });
        }
        Ok(true)
    }

    /// Looks at the first two lines.
    fn decide(&mut self) -> io::Result<Mode> {
        if self.content.skip_blanks()?.is_none() {
            return Ok(Mode::Ended);
        }
        let mut seen = Vec::new();
        let mode = self.look(&mut seen);
        self.content.put_back(seen);
        // A failure ahead belongs to the record that it is in: what is before it stands.
        Ok(mode.unwrap_or_else(|error| {
            self.content.failure = Some(error);
            Mode::Documents
        }))
    }

    fn look(&mut self, seen: &mut Vec<u8>) -> io::Result<Mode> {
        if !self.content.peek_line(seen)? {
            return Ok(Mode::Lines);
        }
        let mut scan = Scan::default();
        if !matches!(seen.first(), Some(b'{' | b'[')) || scan.feed(seen).is_some() || scan.string {
            return Ok(Mode::Lines);
        }
        let first = seen.len();
        let whole = self.content.peek_line(seen)?;
        let second = &seen[first..];
        let alone = whole && is_json(second).is_ok();
        let joined_is_illegal = is_json(seen).is_err_and(|error| error.is_syntax());
        Ok(if alone && joined_is_illegal {
            Mode::Lines
        } else {
            Mode::Documents
        })
    }
}

fn is_json(bytes: &[u8]) -> Result<IgnoredAny, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// A record on its way into memory, up to a limit; what is beyond it is counted only.
pub(super) struct Taking {
    bytes: Vec<u8>,
    limit: usize,
    length: usize,
}

impl Taking {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_sub(self.bytes.len());
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.length += bytes.len();
    }

    /// Drops a carriage return that belongs to the line's end.
    pub(super) fn end_line(&mut self) {
        if self.length == self.bytes.len() && self.bytes.ends_with(b"\r") {
            self.bytes.pop();
            self.length -= 1;
        }
    }
}

fn take_document(content: &mut Content, taking: &mut Taking) -> io::Result<()> {
    let mut scan = Scan::default();
    loop {
        let chunk = content.peek()?;
        if chunk.is_empty() {
            return Ok(());
        }
        let end = scan.feed(chunk);
        let taken = end.unwrap_or(chunk.len());
        taking.push(&chunk[..taken]);
        content.advance(taken);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// Where the brackets of a document are closed; it judges nothing else.
#[derive(Debug, Default)]
struct Scan {
    depth: u64,
    string: bool,
    escaped: bool,
}

impl Scan {
    /// Reads on; the place behind the bracket that closes the document, if `bytes` holds it.
    fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if self.escaped {
                self.escaped = false;
                at += 1;
            } else if self.string {
                at += memchr2(b'"', b'\\', &bytes[at..])?;
                self.escaped = bytes[at] == b'\\';
                self.string = self.escaped;
                at += 1;
            } else {
                let opening = memchr3(b'"', b'{', b'[', &bytes[at..]);
                let window = opening.map_or(bytes.len(), |found| at + found);
                while let Some(found) = memchr2(b'}', b']', &bytes[at..window]) {
                    at += found + 1;
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at);
                    }
                }
                at = window + 1;
                if window < bytes.len() {
                    self.string = bytes[window] == b'"';
                    self.depth += u64::from(!self.string);
                }
            }
        }
        None
    }
}
