//! One pass over the bytes of a payload: where strings end and which brackets belong together.
//!
//! Everything that reads JSON without building a tree walks with an [`Index`]: the decoder finds the
//! events of an envelope, the engine the values that rules name, and both step over the rest in one
//! move a bracket pair. The pass is SIMD where the processor has it and takes the rest of
//! the work off it: bracket pairs are matched by kind, the nesting is known, and text that is ASCII
//! needs no further check of its encoding.
//!
//! An index is only made of bytes whose strings and brackets are sound. Whatever is not is left to
//! readers that go byte by byte and say what is wrong.

mod marks;
mod walk;

pub use walk::{blanks, is_blank, scalar_end};

/// The brackets and strings of a payload. Reused between payloads.
#[derive(Debug, Default)]
pub struct Index {
    /// A bit for each byte: a quote that is not escaped. One word more than needed, all ones, ends
    /// every search.
    quotes: Vec<u64>,
    /// A bit for each byte inside a string, its opening quote included.
    inside: Vec<u64>,
    /// A bit for each backslash.
    slashes: Vec<u64>,
    pairs: Vec<Pair>,
    /// Brackets that are open, while the pass runs.
    open: Vec<Open>,
    /// Length of the payload.
    len: usize,
    ascii: bool,
    backslashes: bool,
}

/// A bracket and the one that closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Where it opens.
    pub open: u32,
    /// Where it closes.
    pub close: u32,
    /// The number of the first pair that opens behind `close`, in order of opening.
    pub next: u32,
    /// How deep it nests: 1 for `{}`.
    pub height: u32,
}

/// An object or array of a payload that an [`Index`] was made of.
#[derive(Debug, Clone, Copy)]
pub struct Marked<'a> {
    /// What the pass over the payload said.
    pub index: &'a Index,
    /// The payload.
    pub payload: &'a [u8],
    /// The number of the value's bracket pair.
    pub pair: u32,
}

impl<'a> Marked<'a> {
    /// The value's bytes.
    pub fn bytes(&self) -> &'a [u8] {
        let pair = self.index.pairs[self.pair as usize];
        &self.payload[pair.open as usize..=pair.close as usize]
    }

    /// How deep it nests: 1 for `{}`.
    pub fn height(&self) -> usize {
        self.index.pairs[self.pair as usize].height as usize
    }
}

/// Bytes that an [`Index`] cannot be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("strings or brackets are not sound")]
pub struct Unsound;

/// What stands in 64 bytes, a bit for each.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// Quotes that are not escaped.
    quotes: u64,
    /// Bytes inside strings, opening quotes included.
    inside: u64,
    /// Brackets outside strings.
    brackets: u64,
    backslashes: u64,
}

/// A bracket that is open: its pair, and how deep what it holds nests.
#[derive(Debug, Clone, Copy)]
struct Open {
    pair: u32,
    height: u32,
}

impl Index {
    /// Reads `bytes`; what was known before is forgotten.
    ///
    /// # Errors
    /// When a string is not closed or holds a control character, a bracket is not closed by its own
    /// kind, or a backslash stands outside strings; and for 4 GiB and more.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), Unsound> {
        self.len = 0;
        self.pairs.clear();
        self.open.clear();
        if u32::try_from(bytes.len()).is_err() {
            return Err(Unsound);
        }
        self.quotes.clear();
        self.inside.clear();
        self.slashes.clear();
        self.slashes.reserve(bytes.len() / 64 + 1);
        self.quotes.reserve(bytes.len() / 64 + 2);
        self.inside.reserve(bytes.len() / 64 + 1);
        (self.ascii, self.backslashes) = (true, false);
        let seen = marks::run(bytes, self)?;
        self.ascii = seen.ascii;
        self.backslashes = seen.backslashes;
        self.quotes.push(u64::MAX);
        if !self.open.is_empty() {
            return Err(Unsound);
        }
        self.len = bytes.len();
        Ok(())
    }

    /// Takes the marks of the block that begins at `start`.
    #[inline]
    fn block(&mut self, bytes: &[u8], start: usize, block: Block) -> Result<(), Unsound> {
        self.quotes.push(block.quotes);
        self.inside.push(block.inside);
        self.slashes.push(block.backslashes);
        let mut left = block.brackets;
        while left != 0 {
            let at = start + left.trailing_zeros() as usize;
            left &= left - 1;
            self.bracket(bytes, at)?;
        }
        Ok(())
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`read` takes no payload of 4 GiB, and there are no more pairs than bytes"
    )]
    fn bracket(&mut self, bytes: &[u8], at: usize) -> Result<(), Unsound> {
        let byte = bytes[at];
        if matches!(byte, b'{' | b'[') {
            self.open.push(Open {
                pair: self.pairs.len() as u32,
                height: 1,
            });
            self.pairs.push(Pair {
                open: at as u32,
                close: 0,
                next: 0,
                height: 0,
            });
            return Ok(());
        }
        let open = self.open.pop().ok_or(Unsound)?;
        let next = self.pairs.len() as u32;
        let pair = &mut self.pairs[open.pair as usize];
        // Both kinds close two code points behind where they open.
        if bytes[pair.open as usize] + 2 != byte {
            return Err(Unsound);
        }
        pair.close = at as u32;
        pair.next = next;
        pair.height = open.height;
        if let Some(around) = self.open.last_mut() {
            around.height = around.height.max(open.height + 1);
        }
        Ok(())
    }

    /// The bracket pairs in the order in which they open.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// The first unescaped quote at or behind `from`, or a place behind the payload.
    #[inline]
    pub fn next_quote(&self, from: usize) -> usize {
        let mut word = from / 64;
        let Some(first) = self.quotes.get(word) else {
            return self.len;
        };
        let mut left = first & (u64::MAX << (from % 64));
        while left == 0 {
            word += 1;
            match self.quotes.get(word) {
                Some(next) => left = *next,
                None => return self.len,
            }
        }
        word * 64 + left.trailing_zeros() as usize
    }

    /// The last unescaped quote before `end`.
    pub fn quote_before(&self, end: usize) -> Option<usize> {
        let end = end.min(self.len);
        let mut word = end / 64;
        let mut left = self.quotes.get(word)? & !(u64::MAX << (end % 64));
        while left == 0 {
            word = word.checked_sub(1)?;
            left = self.quotes[word];
        }
        Some(word * 64 + 63 - left.leading_zeros() as usize)
    }

    /// Whether the byte at `at` stands inside a string; its opening quote does.
    pub fn is_inside(&self, at: usize) -> bool {
        let word = self.inside.get(at / 64).copied().unwrap_or_default();
        word >> (at % 64) & 1 == 1
    }

    /// Whether every byte is ASCII.
    pub fn is_ascii(&self) -> bool {
        self.ascii
    }

    /// Whether there is a backslash in a part of the payload.
    #[inline]
    pub fn has_backslash(&self, start: usize, end: usize) -> bool {
        if !self.backslashes || start >= end {
            return false;
        }
        let from = u64::MAX << (start % 64);
        let upto = u64::MAX >> (63 - (end - 1) % 64);
        match self.slashes.get(start / 64..=(end - 1) / 64) {
            Some([word]) => word & from & upto != 0,
            Some([first, middle @ .., last]) => {
                first & from != 0 || last & upto != 0 || middle.iter().any(|word| *word != 0)
            }
            _ => false,
        }
    }

    /// Whether there is a backslash.
    pub fn has_backslashes(&self) -> bool {
        self.backslashes
    }
}

#[cfg(test)]
mod tests;
