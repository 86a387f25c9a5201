//! The bytes of a file in blocks, of which records are slices.
//!
//! A block is read into again when no record holds it any more, so that a file of any size is read
//! within the same few blocks and a record costs neither memory nor a copy.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

use super::split::Taking;

/// Bytes that are read at a time: few enough to stay in a processor's own cache.
const BLOCK_BYTES: usize = 256 * 1024;

/// Longest line that is taken as a slice; a longer one is gathered.
const SLICE_BYTES_MAX: usize = BLOCK_BYTES / 2;

/// Blocks that are kept to be read into again: as many as records on their way to the judges of two
/// processors fill. What is read beyond them gets a block of its own.
const BLOCKS_MAX: usize = 32;

/// A read that gave less than this share of a block, as from a slow pipe, is no block to slice: a
/// few records would hold it. They are copied.
const SLICED_SHARE: usize = 4;

/// How much of the content is looked at to decide between lines and documents.
const PEEK_BYTES_MAX: usize = 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A stream that can take back what was looked at.
pub(super) struct Content {
    blocks: Blocks,
    back: Vec<u8>,
    /// How much of `back` was taken again.
    taken: usize,
    /// What comes after `back`, if looking ahead met it.
    pub(super) failure: Option<io::Error>,
    pub(super) position: u64,
}

impl Content {
    pub(super) fn new(stream: Box<dyn Read + Send>) -> Self {
        Self {
            blocks: Blocks {
                stream,
                ready: Bytes::new(),
                sliced: false,
                known: VecDeque::new(),
            },
            back: Vec::new(),
            taken: 0,
            failure: None,
            position: 0,
        }
    }

    /// What can be read without waiting more than once; empty at the end.
    pub(super) fn peek(&mut self) -> io::Result<&[u8]> {
        if self.taken < self.back.len() {
            return Ok(&self.back[self.taken..]);
        }
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        if self.blocks.ready.is_empty() {
            self.blocks.read()?;
        }
        Ok(&self.blocks.ready)
    }

    pub(super) fn advance(&mut self, bytes: usize) {
        self.position += bytes as u64;
        if self.taken < self.back.len() {
            self.taken += bytes;
            if self.taken == self.back.len() {
                self.back = Vec::new();
                self.taken = 0;
            }
        } else {
            self.blocks.ready.advance(bytes);
        }
    }

    /// Gives back what [`Content::peek_line`] took; nothing was taken in between.
    pub(super) fn put_back(&mut self, mut bytes: Vec<u8>) {
        self.position -= bytes.len() as u64;
        bytes.extend_from_slice(&self.back[self.taken..]);
        self.back = bytes;
        self.taken = 0;
    }

    /// Takes one line and its end into `seen`; `false` if it is longer than may be looked at.
    pub(super) fn peek_line(&mut self, seen: &mut Vec<u8>) -> io::Result<bool> {
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

    pub(super) fn skip_mark(&mut self) -> io::Result<()> {
        if self.peek()?.starts_with(BYTE_ORDER_MARK) {
            self.advance(BYTE_ORDER_MARK.len());
        }
        Ok(())
    }

    /// Skips white space; the byte behind it, `None` at the end.
    pub(super) fn skip_blanks(&mut self) -> io::Result<Option<u8>> {
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

    /// Takes one line of at most `limit` bytes without its end, if it can be taken as it stands;
    /// where that is `false` nothing was taken. What could be read before a failure is taken, too.
    pub(super) fn line(&mut self, limit: usize, line: &mut Bytes) -> io::Result<bool> {
        if self.taken < self.back.len() || self.failure.is_some() {
            return Ok(false);
        }
        let limit = limit.min(SLICE_BYTES_MAX);
        let mut searched = 0;
        loop {
            let ready = self.blocks.ready.len();
            if let Some(found) = memchr(b'\n', &self.blocks.ready[searched..]) {
                let end = searched + found;
                if end > limit {
                    return Ok(false);
                }
                *line = self.blocks.take(end);
                if line.last() == Some(&b'\r') {
                    line.truncate(end - 1);
                }
                self.blocks.ready.advance(1);
                self.position += end as u64 + 1;
                return Ok(true);
            }
            if ready > limit {
                return Ok(false);
            }
            searched = ready;
            let more = self.blocks.read();
            if !matches!(more, Ok(true)) {
                *line = self.blocks.take(ready);
                self.position += ready as u64;
                return more.map(|_| true);
            }
        }
    }

    /// Takes one line of any length.
    pub(super) fn take_line(&mut self, taking: &mut Taking) -> io::Result<()> {
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
}

/// A stream, read block by block.
struct Blocks {
    stream: Box<dyn Read + Send>,
    /// What was read of the last block and not taken.
    ready: Bytes,
    /// Whether records are slices of that block.
    sliced: bool,
    /// The whole blocks, oldest first.
    known: VecDeque<Bytes>,
}

impl Blocks {
    /// Reads on once, behind what is ready, which is not much; `false` at the end.
    fn read(&mut self) -> io::Result<bool> {
        let mut block = self.free();
        let before = self.ready.len();
        block[..before].copy_from_slice(&self.ready);
        let read = loop {
            match self.stream.read(&mut block[before..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let read = match read {
            Ok(read) if read > 0 => read,
            nothing => {
                self.known.push_front(block.freeze());
                return nothing.map(|_| false);
            }
        };
        let block = block.freeze();
        self.ready = block.slice(..before + read);
        self.sliced = self.ready.len() >= BLOCK_BYTES / SLICED_SHARE;
        self.known.push_back(block);
        Ok(true)
    }

    /// A block that nobody holds.
    fn free(&mut self) -> BytesMut {
        let oldest = self.known.pop_front().map(Bytes::try_into_mut);
        match oldest {
            Some(Ok(free)) => return free,
            Some(Err(held)) if self.known.len() + 1 < BLOCKS_MAX => self.known.push_front(held),
            _ => {}
        }
        BytesMut::zeroed(BLOCK_BYTES)
    }

    fn take(&mut self, bytes: usize) -> Bytes {
        let taken = self.ready.split_to(bytes);
        if self.sliced {
            taken
        } else {
            Bytes::copy_from_slice(&taken)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::split::Splitter;
    use super::*;

    /// Gives as much at a time as it is told, in turn.
    struct Pipe {
        left: Bytes,
        pieces: Vec<usize>,
        next: usize,
    }

    impl Read for Pipe {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let piece = self.pieces[self.next % self.pieces.len()];
            self.next += 1;
            let read = piece.min(into.len()).min(self.left.len());
            self.left.split_to(read).copy_to_slice(&mut into[..read]);
            Ok(read)
        }
    }

    fn lines(lengths: &[usize]) -> Vec<String> {
        let lines = lengths.iter().enumerate();
        lines
            .map(|(number, length)| {
                let mut line = String::new();
                write!(line, "{number}").expect("text takes text");
                line.extend(std::iter::repeat_n('x', *length));
                line
            })
            .collect()
    }

    #[test]
    fn lines_of_all_lengths_come_whole_whatever_a_read_gives() {
        let long = [BLOCK_BYTES * 2, SLICE_BYTES_MAX, SLICE_BYTES_MAX - 1, 0];
        let lengths: Vec<usize> = (0..400).map(|at| at * 7919 % 5_000).chain(long).collect();
        let expected = lines(&lengths);
        for end in ["\n", "\r\n"] {
            let content = Bytes::from(expected.join(end));
            for pieces in [
                vec![usize::MAX],
                vec![65_536],
                vec![4_096, 1, 70_000],
                vec![33],
            ] {
                let left = content.clone();
                let next = 0;
                let pipe = Pipe { left, pieces, next };
                let mut splitter = Splitter::new(Box::new(pipe), "pipe");
                let mut found = Vec::new();
                let mut held = Vec::new();
                let mut start = 0;
                while let Some(piece) = splitter.next() {
                    assert_eq!(piece.start, start);
                    start += (piece.bytes.len() + end.len()) as u64;
                    found.push(String::from_utf8(piece.bytes.to_vec()).expect("text"));
                    held.push(piece.bytes);
                }
                assert!(found == expected);
                assert!(
                    held.iter()
                        .zip(&expected)
                        .all(|(held, line)| held == line.as_bytes()),
                    "what is read later changes no record"
                );
            }
        }
    }

    #[test]
    fn blocks_that_no_record_holds_are_read_into_again() {
        let content = lines(&[4_000; 2_000]).join("\n");
        let stream = Box::new(io::Cursor::new(content));
        let mut content = Content::new(stream);
        let mut line = Bytes::new();
        let mut read = 0;
        while content.skip_blanks().expect("memory").is_some() {
            assert!(content.line(usize::MAX, &mut line).expect("memory"));
            line.clear();
            read += 1;
            assert!(content.blocks.known.len() <= 2);
        }
        assert_eq!(read, 2_000);
    }

    #[test]
    fn blocks_that_records_hold_are_let_go_beyond_a_number() {
        let content = lines(&[100_000; 200]).join("\n");
        let mut content = Content::new(Box::new(io::Cursor::new(content)));
        let mut held = Vec::new();
        while content.skip_blanks().expect("memory").is_some() {
            let mut line = Bytes::new();
            assert!(content.line(usize::MAX, &mut line).expect("memory"));
            held.push(line);
        }
        assert_eq!(held.len(), 200);
        assert_eq!(content.blocks.known.len(), BLOCKS_MAX);
    }
}
