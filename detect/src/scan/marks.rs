//! Marks of 64 bytes at a time, and what strings make of them.
//!
//! The only module with `unsafe`: AVX2 where the processor has it, found at run time, and else plain
//! arithmetic on words of eight bytes. Both say the same; the tests hold them against each other.

use super::{Brackets, Unsound, Word};

/// Bytes of a block, one a bit of a mask.
const BLOCK_BYTES: usize = 64;

/// What one block holds, a bit for each byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    quotes: u64,
    backslashes: u64,
    /// `{`, `[`, `}` and `]`.
    brackets: u64,
    /// Control characters, which JSON's strings do not hold.
    controls: u64,
}

/// What the pass saw besides brackets and strings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) ascii: bool,
    pub(super) backslashes: bool,
}

/// Reads all blocks of `bytes`: a word for each, and their brackets.
pub(super) fn run(
    bytes: &[u8],
    words: &mut [Word],
    brackets: &mut Brackets,
) -> Result<Seen, Unsound> {
    #[cfg(target_arch = "x86_64")]
    if avx2::is_here() {
        return avx2::run(bytes, words, brackets);
    }
    run_portable(bytes, words, brackets)
}

/// The pass without the processor's help.
pub(super) fn run_portable(
    bytes: &[u8],
    words: &mut [Word],
    brackets: &mut Brackets,
) -> Result<Seen, Unsound> {
    let backslashes = blocks(bytes, (words, brackets), (portable, odd_before))?;
    let ascii = bytes.is_ascii();
    Ok(Seen { ascii, backslashes })
}

/// The pass, over whatever marks a block and says which bits have an odd number of ones at or below.
/// Says whether there are backslashes.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "the body must be compiled with the processor features of its caller"
)]
fn blocks(
    bytes: &[u8],
    (words, brackets): (&mut [Word], &mut Brackets),
    (mut marks, odd): (impl FnMut(&[u8; BLOCK_BYTES]) -> Marks, impl Fn(u64) -> u64),
) -> Result<bool, Unsound> {
    let mut state = State::default();
    let (whole, rest) = bytes.as_chunks::<BLOCK_BYTES>();
    let mut start = 0;
    for (block, word) in whole.iter().zip(&mut *words) {
        let outside = state.take(marks(block), &odd, word)?;
        brackets.take(block, start, outside)?;
        start += BLOCK_BYTES;
    }
    if let (false, Some(word)) = (rest.is_empty(), words.get_mut(whole.len())) {
        let mut block = [b' '; BLOCK_BYTES];
        block[..rest.len()].copy_from_slice(rest);
        let outside = state.take(marks(&block), &odd, word)?;
        brackets.take(&block, start, outside)?;
    }
    if state.inside != 0 {
        return Err(Unsound);
    }
    Ok(state.backslashes)
}

/// What one block leaves to the next.
#[derive(Debug, Default)]
struct State {
    /// All ones if the next byte stands inside a string.
    inside: u64,
    /// 1 if the next byte is escaped.
    escaped: u64,
    /// Whether there was a backslash.
    backslashes: bool,
}

impl State {
    /// What the marks of the next block mean: its word, and the brackets outside strings.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "see `blocks`")]
    fn take(
        &mut self,
        marks: Marks,
        odd: impl Fn(u64) -> u64,
        word: &mut Word,
    ) -> Result<u64, Unsound> {
        let mut quotes = marks.quotes;
        if marks.backslashes | self.escaped != 0 {
            self.backslashes = true;
            quotes &= !self.escaped_bytes(marks.backslashes);
        }
        // A byte is inside if an odd number of quotes stands at or before it.
        let inside = odd(quotes) ^ self.inside;
        self.inside = 0_u64.wrapping_sub(inside >> 63);
        if marks.backslashes & !inside | marks.controls & inside != 0 {
            return Err(Unsound);
        }
        *word = Word {
            quotes,
            inside,
            backslashes: marks.backslashes,
        };
        Ok(marks.brackets & !inside)
    }

    /// The bytes that a backslash before them escapes: every second one of a run, and the byte
    /// behind a run of odd length.
    #[inline]
    fn escaped_bytes(&mut self, backslashes: u64) -> u64 {
        const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
        let escaping = backslashes & !self.escaped;
        // Subtracting a run's first bit from the alternating mask flips the parity of runs that
        // begin at odd places.
        let codes = ((escaping << 1) | ODD).wrapping_sub(escaping) ^ ODD;
        let escaped = codes ^ (backslashes | self.escaped);
        self.escaped = (codes & backslashes) >> 63;
        escaped
    }
}

/// Bits that have an odd number of ones at or below them.
#[inline]
fn odd_before(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ (bits << 32)
}

/// The marks of a block, by words of eight bytes.
fn portable(block: &[u8; BLOCK_BYTES]) -> Marks {
    let mut marks = Marks {
        quotes: 0,
        backslashes: 0,
        brackets: 0,
        controls: 0,
    };
    for (place, word) in block.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let put = |bits: u64| bits << (place * 8);
        marks.quotes |= put(equal(word, b'"'));
        marks.backslashes |= put(equal(word, b'\\'));
        // `[` and `]` differ from `{` and `}` in this bit alone.
        let folded = word | 0x2020_2020_2020_2020;
        marks.brackets |= put(equal(folded, b'{') | equal(folded, b'}'));
        // Adding makes bytes from 0x20 on reach the top bit, unless it is set anyway.
        let visible = (word & 0x7F7F_7F7F_7F7F_7F7F) + 0x6060_6060_6060_6060;
        marks.controls |= put(gather(!(visible | word) & 0x8080_8080_8080_8080));
    }
    marks
}

/// A bit for each byte of `word` that is `byte`.
fn equal(word: u64, byte: u8) -> u64 {
    const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
    let differs = word ^ (u64::from(byte) * 0x0101_0101_0101_0101);
    gather(!(((differs & LOW) + LOW) | differs) & !LOW)
}

/// The top bits of eight bytes, side by side.
fn gather(tops: u64) -> u64 {
    (tops >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    #![expect(
        unsafe_code,
        reason = "processor features found at run time; see the comments"
    )]

    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_set1_epi8,
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_max_epu8, _mm256_min_epu8,
        _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setr_epi8,
        _mm256_setzero_si256, _mm256_shuffle_epi8,
    };

    use super::{BLOCK_BYTES, Brackets, Marks, Seen, Unsound, Word, blocks};

    /// Whether the processor has what [`run`] needs.
    pub(super) fn is_here() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("pclmulqdq")
    }

    /// The pass with AVX2; only where [`is_here`].
    pub(super) fn run(
        bytes: &[u8],
        words: &mut [Word],
        brackets: &mut Brackets,
    ) -> Result<Seen, Unsound> {
        assert!(is_here(), "asked for without the processor features");
        // SAFETY: the features are here.
        unsafe { all(bytes, words, brackets) }
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq")]
    fn all(bytes: &[u8], words: &mut [Word], brackets: &mut Brackets) -> Result<Seen, Unsound> {
        let mut all = _mm256_setzero_si256();
        let marks = |block: &_| marks(block, &mut all);
        let by = (marks, |bits| odd_before(bits));
        let backslashes = blocks(bytes, (words, brackets), by)?;
        let ascii = _mm256_movemask_epi8(all) == 0;
        Ok(Seen { ascii, backslashes })
    }

    /// Multiplying without carries by all ones adds up, modulo two, all bits at or below each.
    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq")]
    #[inline]
    fn odd_before(bits: u64) -> u64 {
        let bits = _mm_cvtsi64_si128(bits.cast_signed());
        let sums = _mm_clmulepi64_si128::<0>(bits, _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(sums).cast_unsigned()
    }

    const OPEN: i8 = b'{'.cast_signed();
    const CLOSE: i8 = b'}'.cast_signed();

    /// The marks of a block, by two halves of 32 bytes. The bits of its bytes are added to `all`.
    #[target_feature(enable = "avx2,bmi1,bmi2,pclmulqdq")]
    #[inline]
    fn marks(block: &[u8; BLOCK_BYTES], all: &mut __m256i) -> Marks {
        // SAFETY: a block has 64 bytes, and the loads ask for no alignment.
        let (low, high): (__m256i, __m256i) = unsafe {
            let start = block.as_ptr();
            (
                _mm256_loadu_si256(start.cast()),
                _mm256_loadu_si256(start.add(32).cast()),
            )
        };
        *all = _mm256_or_si256(*all, _mm256_or_si256(low, high));
        let braces = _mm256_setr_epi8(
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, OPEN, 0, CLOSE, 0, 0, //
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, OPEN, 0, CLOSE, 0, 0,
        );
        let is = |half, byte: u8| _mm256_cmpeq_epi8(half, _mm256_set1_epi8(byte.cast_signed()));
        let equal = |byte| mask(is(low, byte), is(high, byte));
        // A byte picks by its low half what it must be without the bit that tells `[` from `{`.
        let bracket = |half| {
            let folded = _mm256_or_si256(half, _mm256_set1_epi8(0x20));
            _mm256_cmpeq_epi8(_mm256_shuffle_epi8(braces, half), folded)
        };
        let last = _mm256_set1_epi8(0x1F);
        let control = |half| _mm256_cmpeq_epi8(_mm256_max_epu8(half, last), last);
        // One look at the smaller bytes of both halves: control characters are rare.
        let controls = if _mm256_movemask_epi8(control(_mm256_min_epu8(low, high))) == 0 {
            0
        } else {
            mask(control(low), control(high))
        };
        Marks {
            quotes: equal(b'"'),
            backslashes: equal(b'\\'),
            brackets: mask(bracket(low), bracket(high)),
            controls,
        }
    }

    /// The top bits of 64 bytes.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn mask(low: __m256i, high: __m256i) -> u64 {
        let low = _mm256_movemask_epi8(low).cast_unsigned();
        let high = _mm256_movemask_epi8(high).cast_unsigned();
        u64::from(low) | (u64::from(high) << 32)
    }
}
