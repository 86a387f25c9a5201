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
mod spelling;
mod walk;

pub use spelling::Spelling;
pub use walk::{blanks, is_blank, scalar_end};

/// The brackets and strings of a payload. Reused between payloads.
#[derive(Debug, Default)]
pub struct Index {
    /// What stands in each 64 bytes. One more than needed, all quotes, ends every search.
    words: Vec<Word>,
    /// Bracket pairs, and room for more.
    pairs: Vec<Pair>,
    /// How many pairs there are.
    count: usize,
    /// Most pairs that were open at once.
    depth: u32,
    /// Length of the payload.
    len: usize,
    ascii: bool,
    /// Whether the payload is known to be UTF-8.
    text: bool,
    backslashes: bool,
}

/// No pair.
const NONE: u32 = u32::MAX;

/// What stands in 64 bytes of strings, a bit for each byte.
#[derive(Debug, Clone, Copy)]
struct Word {
    /// Quotes that are not escaped.
    quotes: u64,
    /// Bytes inside a string, its opening quote included.
    inside: u64,
    backslashes: u64,
}

impl Word {
    const ALL_QUOTES: Self = Self {
        quotes: u64::MAX,
        inside: 0,
        backslashes: 0,
    };
}

/// The brackets that a pass has met so far.
#[derive(Debug)]
struct Brackets {
    /// The pairs, and room for those of the next block.
    pairs: Vec<Pair>,
    count: usize,
    /// The innermost pair that is open, or [`NONE`].
    around: u32,
    /// How many pairs are open.
    open: u32,
    /// Most pairs that were open at once.
    depth: u32,
}

impl Brackets {
    /// Begins with the memory of an earlier pass.
    fn new(pairs: Vec<Pair>) -> Self {
        Self {
            pairs,
            count: 0,
            around: NONE,
            open: 0,
            depth: 0,
        }
    }

    /// Takes the brackets of the block that begins at `start`, a bit for each. Compiled with the processor
    /// features of the pass.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`read` takes no payload of 4 GiB, and there are no more pairs than bytes"
    )]
    fn take(&mut self, block: &[u8; 64], start: usize, mut left: u64) -> Result<(), Unsound> {
        // Set in `}` and `]`, not in what opens.
        const CLOSES: u8 = 4;
        if left == 0 {
            return Ok(());
        }
        if self.pairs.len() < self.count + 64 {
            self.grow();
        }
        let pairs = self.pairs.as_mut_slice();
        let (mut count, mut around, mut open, mut depth) =
            (self.count, self.around, self.open, self.depth);
        while left != 0 {
            let place = left.trailing_zeros() as usize % 64;
            left &= left - 1;
            let (byte, at) = (block[place], (start + place) as u32);
            if byte & CLOSES == 0 {
                pairs[count] = Pair {
                    open: at,
                    close: around,
                    next: u32::from(byte),
                };
                around = count as u32;
                count += 1;
                open += 1;
                depth = depth.max(open);
                continue;
            }
            let pair = pairs.get_mut(around as usize).ok_or(Unsound)?;
            // Both kinds close two code points behind where they open.
            if pair.next + 2 != u32::from(byte) {
                return Err(Unsound);
            }
            around = pair.close;
            open -= 1;
            pair.close = at;
            pair.next = count as u32;
        }
        (self.count, self.around, self.open, self.depth) = (count, around, open, depth);
        Ok(())
    }

    /// Makes room for the brackets of a block.
    #[cold]
    fn grow(&mut self) {
        let free = Pair {
            open: 0,
            close: NONE,
            next: 0,
        };
        self.pairs.resize(self.count * 2 + 64, free);
    }
}

/// A bracket and the one that closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Where it opens.
    pub open: u32,
    /// Where it closes; while it is open, the number of the pair around it.
    pub close: u32,
    /// The number of the first pair that opens behind `close`, in order of opening; while it is open,
    /// the byte that opens it.
    pub next: u32,
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

    /// Whether it nests more than `levels` deep; `{}` is one level.
    #[inline]
    pub fn is_deeper_than(&self, levels: usize) -> bool {
        self.index.depth as usize > levels && self.height() > levels
    }

    /// How deep it nests: 1 for `{}`.
    fn height(&self) -> usize {
        let pairs = &self.index.pairs;
        let first = self.pair as usize;
        let mut height = 0;
        let mut open: Vec<u32> = Vec::new();
        for pair in &pairs[first..pairs[first].next as usize] {
            while open.pop_if(|close| *close < pair.open).is_some() {}
            open.push(pair.close);
            height = height.max(open.len());
        }
        height
    }
}

/// Bytes that an [`Index`] cannot be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("strings or brackets are not sound")]
pub struct Unsound;

impl Index {
    /// Reads `bytes`; what was known before is forgotten.
    ///
    /// # Errors
    /// When a string is not closed or holds a control character, a bracket is not closed by its own
    /// kind, or a backslash stands outside strings; and for 4 GiB and more.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), Unsound> {
        (self.count, self.depth) = (0, 0);
        (self.len, self.text) = (0, false);
        let read = self.mark(bytes, marks::run);
        if read.is_err() {
            self.words.clear();
        }
        read
    }

    #[inline]
    fn mark(
        &mut self,
        bytes: &[u8],
        pass: impl Fn(&[u8], &mut [Word], &mut Brackets) -> Result<marks::Seen, Unsound>,
    ) -> Result<(), Unsound> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(Unsound);
        }
        let blocks = bytes.len().div_ceil(64);
        self.words.resize(blocks + 1, Word::ALL_QUOTES);
        self.words[blocks] = Word::ALL_QUOTES;
        let mut brackets = Brackets::new(std::mem::take(&mut self.pairs));
        let seen = pass(bytes, &mut self.words, &mut brackets);
        self.pairs = brackets.pairs;
        let seen = seen?;
        if brackets.around != NONE {
            return Err(Unsound);
        }
        (self.count, self.depth) = (brackets.count, brackets.depth);
        self.ascii = seen.ascii;
        self.text = seen.ascii;
        self.backslashes = seen.backslashes;
        self.len = bytes.len();
        Ok(())
    }

    /// The bracket pairs in the order in which they open.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs[..self.count]
    }

    /// The first unescaped quote at or behind `from`, or a place behind the payload.
    #[inline]
    pub fn next_quote(&self, from: usize) -> usize {
        let Some(word) = self.words.get(from / 64) else {
            return self.len;
        };
        let left = word.quotes >> (from % 64);
        if left != 0 {
            return from + left.trailing_zeros() as usize;
        }
        self.quote_of_words(from / 64 + 1)
    }

    /// The first unescaped quote from a word on.
    #[inline]
    fn quote_of_words(&self, mut word: usize) -> usize {
        while let Some(next) = self.words.get(word) {
            if next.quotes != 0 {
                return word * 64 + next.quotes.trailing_zeros() as usize;
            }
            word += 1;
        }
        self.len
    }

    /// The quote that ends the string whose text begins at `start`, and whether a backslash stands
    /// before it.
    #[inline]
    pub fn string(&self, start: usize) -> (usize, bool) {
        let mut number = start / 64;
        let mut from = u64::MAX << (start % 64);
        let mut backslashes = 0;
        while let Some(word) = self.words.get(number) {
            let quotes = word.quotes & from;
            if quotes != 0 {
                // The bits before the first quote.
                backslashes |= word.backslashes & from & (quotes - 1) & !quotes;
                return (
                    number * 64 + quotes.trailing_zeros() as usize,
                    backslashes != 0,
                );
            }
            backslashes |= word.backslashes & from;
            from = u64::MAX;
            number += 1;
        }
        (self.len, backslashes != 0)
    }

    /// The last unescaped quote before `end`.
    pub fn quote_before(&self, end: usize) -> Option<usize> {
        let end = end.min(self.len);
        let mut word = end / 64;
        let mut left = self.words.get(word)?.quotes & !(u64::MAX << (end % 64));
        while left == 0 {
            word = word.checked_sub(1)?;
            left = self.words[word].quotes;
        }
        Some(word * 64 + 63 - left.leading_zeros() as usize)
    }

    /// Whether the byte at `at` stands inside a string; its opening quote does.
    pub fn is_inside(&self, at: usize) -> bool {
        let word = self.words.get(at / 64);
        word.is_some_and(|word| word.inside >> (at % 64) & 1 == 1)
    }

    /// Whether every byte is ASCII.
    pub fn is_ascii(&self) -> bool {
        self.ascii
    }

    /// Whether the payload, which are the bytes that were read, is UTF-8. Looked at once: who comes
    /// later asks [`Index::is_text`].
    pub fn check_text(&mut self, payload: &[u8]) -> bool {
        self.text = self.text || is_text(payload);
        self.text
    }

    /// Whether the payload is known to be UTF-8.
    pub fn is_text(&self) -> bool {
        self.text
    }

    /// Whether there is a backslash in a part of the payload.
    #[inline]
    pub fn has_backslash(&self, start: usize, end: usize) -> bool {
        if !self.backslashes || start >= end {
            return false;
        }
        let from = u64::MAX << (start % 64);
        let upto = u64::MAX >> (63 - (end - 1) % 64);
        match self.words.get(start / 64..=(end - 1) / 64) {
            Some([word]) => word.backslashes & from & upto != 0,
            Some([first, middle @ .., last]) => {
                first.backslashes & from != 0
                    || last.backslashes & upto != 0
                    || middle.iter().any(|word| word.backslashes != 0)
            }
            _ => false,
        }
    }

    /// Whether there is a backslash.
    pub fn has_backslashes(&self) -> bool {
        self.backslashes
    }
}

/// Whether bytes are UTF-8. Blocks of ASCII are borders at which no character is cut, and most blocks are
/// ASCII: only what stands between them is read letter by letter.
fn is_text(bytes: &[u8]) -> bool {
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let sound = |part: Option<&[u8]>| part.is_some_and(|part| std::str::from_utf8(part).is_ok());
    let (blocks, _) = bytes.as_chunks::<64>();
    let mut from = None;
    for (number, block) in blocks.iter().enumerate() {
        let words = block.as_chunks::<8>().0.iter();
        let all = words.fold(0, |all, word| all | u64::from_le_bytes(*word));
        if all & TOPS != 0 {
            from = from.or(Some(number * 64));
        } else if let Some(from) = from.take()
            && !sound(bytes.get(from..number * 64))
        {
            return false;
        }
    }
    sound(bytes.get(from.unwrap_or(blocks.len() * 64)..))
}

#[cfg(test)]
mod tests;
