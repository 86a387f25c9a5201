//! The seeded source of every value: SplitMix64, the same stream on every machine.

/// Draws numbers; equal seeds draw equal numbers.
pub(crate) struct Rng(u64);

/// Step of the counter, and factor that spreads neighbouring seeds.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(GOLDEN) ^ 0x5851_F42D_4C95_7F2D)
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number under `limit`, or above 2^32 under 2^32: the product wraps, and the bytes of a seed
    /// are never to change.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 32).wrapping_mul(limit) >> 32
    }

    /// One of `choices`.
    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[index(self.below(choices.len() as u64))]
    }

    /// Whether something happens that happens with probability `share`.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() <= share && share > 0.0
    }

    /// A number under `limit`, small ones far more often (about Zipf's law with exponent 1): a few
    /// busy users and a long tail.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "limits are far below 2^52, and the result is in 0..=limit"
    )]
    pub(crate) fn skewed(&mut self, limit: u64) -> u64 {
        let rank = ((limit as f64 + 1.0).ln() * self.unit()).exp() - 1.0;
        (rank as u64).min(limit - 1)
    }

    /// A number from 0 to 1.
    #[expect(
        clippy::cast_precision_loss,
        reason = "both numbers have at most 53 bits"
    )]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Spreads a number over all 64 bits, one to one: names things that need no draw.
pub(crate) fn mix(number: u64) -> u64 {
    let a = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    b ^ (b >> 31)
}

/// A small number as an index.
pub(crate) fn index(number: u64) -> usize {
    usize::try_from(number).expect("numbers drawn as indices are small")
}
