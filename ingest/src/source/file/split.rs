//! The content of a file to records.
//!
//! The first record decides. If it is over at the end of its line, each line is a record (NDJSON).
//! If its line leaves a bracket open, the file holds JSON documents over many lines (one as a rule),
//! and each document is a record, ending where its brackets are closed. A first line that was cut
//! off inside a string, or whose continuation by the second line would be illegal while the second
//! line stands on its own, is a broken line of NDJSON and takes no neighbour with it.

use std::io::{self, BufRead, ErrorKind};

use memchr::{memchr, memchr2, memchr3};
use serde::de::IgnoredAny;

use crate::reject::Reason;

/// Largest record of a file.
///
/// A larger one is one reject with its first bytes dropped from memory; reading goes on behind it.
pub const RECORD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much of the content is looked at to decide between lines and documents.
const PEEK_BYTES_MAX: usize = 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One record's bytes.
#[derive(Debug)]
pub(super) struct Piece {
    /// The bytes, without the line's end; what could be read of them if it is broken.
    pub(super) bytes: Vec<u8>,
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
    pub(super) fn new(content: Box<dyn BufRead + Send>, what: &'static str) -> Self {
        Self {
            content: Content {
                stream: content,
                back: Vec::new(),
                taken: 0,
                failure: None,
                position: 0,
            },
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
            bytes: Vec::new(),
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
        let mut taking = Taking {
            into: &mut piece.bytes,
            limit: self.record_bytes_max,
            length: 0,
        };
        if self.mode == Mode::Documents && matches!(first, b'{' | b'[') {
            self.content.take_document(&mut taking)?;
        } else {
            self.content.take_line(&mut taking)?;
        }
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
struct Taking<'a> {
    into: &'a mut Vec<u8>,
    limit: usize,
    length: usize,
}

impl Taking<'_> {
    fn push(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_sub(self.into.len());
        self.into.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.length += bytes.len();
    }

    /// Drops a carriage return that belongs to the line's end.
    fn end_line(&mut self) {
        if self.length == self.into.len() && self.into.ends_with(b"\r") {
            self.into.pop();
            self.length -= 1;
        }
    }
}

/// A stream that can take back what was looked at.
struct Content {
    stream: Box<dyn BufRead + Send>,
    back: Vec<u8>,
    /// How much of `back` was taken again.
    taken: usize,
    /// What comes after `back`, if looking ahead met it.
    failure: Option<io::Error>,
    position: u64,
}

impl Content {
    /// What can be read without waiting more than once; empty at the end.
    fn peek(&mut self) -> io::Result<&[u8]> {
        if self.taken < self.back.len() {
            return Ok(&self.back[self.taken..]);
        }
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        loop {
            match self.stream.fill_buf() {
                // Asked again below: the borrow checker does not let the slice out of a loop.
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.stream.fill_buf()
    }

    fn advance(&mut self, bytes: usize) {
        self.position += bytes as u64;
        if self.taken < self.back.len() {
            self.taken += bytes;
            if self.taken == self.back.len() {
                self.back = Vec::new();
                self.taken = 0;
            }
        } else {
            self.stream.consume(bytes);
        }
    }

    /// Gives back what [`Content::peek_line`] took; nothing was taken in between.
    fn put_back(&mut self, mut bytes: Vec<u8>) {
        self.position -= bytes.len() as u64;
        bytes.extend_from_slice(&self.back[self.taken..]);
        self.back = bytes;
        self.taken = 0;
    }

    /// Takes one line and its end into `seen`; `false` if it is longer than may be looked at.
    fn peek_line(&mut self, seen: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let chunk = self.peek()?;
            if chunk.is_empty() {
                return Ok(true);
            }
            let end = memchr(b'\n', chunk).map(|at| at + 1);
            let taken = end.unwrap_or(chunk.len());
            seen.extend_from_slice(&chunk[..taken]);
            self.advance(taken);
            if end.is_some() {
                return Ok(true);
            }
            if seen.len() > PEEK_BYTES_MAX {
                return Ok(false);
            }
        }
    }

    fn skip_mark(&mut self) -> io::Result<()> {
        if self.peek()?.starts_with(BYTE_ORDER_MARK) {
            self.advance(BYTE_ORDER_MARK.len());
        }
        Ok(())
    }

    /// Skips white space; the byte behind it, `None` at the end.
    fn skip_blanks(&mut self) -> io::Result<Option<u8>> {
        loop {
            let chunk = self.peek()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let blanks = chunk
                .iter()
                .take_while(|byte| byte.is_ascii_whitespace())
                .count();
            let found = chunk.get(blanks).copied();
            self.advance(blanks);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    fn take_line(&mut self, taking: &mut Taking<'_>) -> io::Result<()> {
        loop {
            let chunk = self.peek()?;
            if chunk.is_empty() {
                return Ok(());
            }
            if let Some(end) = memchr(b'\n', chunk) {
                taking.push(&chunk[..end]);
                taking.end_line();
                self.advance(end + 1);
                return Ok(());
            }
            taking.push(chunk);
            let taken = chunk.len();
            self.advance(taken);
        }
    }

    fn take_document(&mut self, taking: &mut Taking<'_>) -> io::Result<()> {
        let mut scan = Scan::default();
        loop {
            let chunk = self.peek()?;
            if chunk.is_empty() {
                return Ok(());
            }
            let end = scan.feed(chunk);
            let taken = end.unwrap_or(chunk.len());
            taking.push(&chunk[..taken]);
            self.advance(taken);
            if end.is_some() {
                return Ok(());
            }
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
