//! Copies of rule files with something wrong in them, the same for the same number.

use palisade_detect::rule::RuleFile;

/// Pieces that YAML, Sigma or terminals give a meaning to.
const PIECES: &[&str] = &[
    "|",
    "|re: '(a+)+$'",
    "|contains|all:",
    "|base64offset|contains:",
    "|expand: '%x%'",
    "*",
    "?",
    "\\",
    "\\\\*",
    "'",
    "\"",
    "&a ",
    "*a",
    "<<: *a",
    "!!binary ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "#",
    "---\n",
    "...\n",
    "\t",
    "\0",
    "\u{202e}",
    "\u{1b}[31m",
    "\u{feff}",
    "\r\n",
    "null",
    "~",
    "1 of them",
    "all of x*",
    "not ",
    " and ",
    " or (",
    "99999999999999999999999999999999999999",
    "0x",
    ".nan",
    "-.inf",
    "action: global\n",
    "correlation:\n  type: event_count\n",
    "timespan: 1M\n",
    "filter:\n  rules: any\n",
    "palisade: {suppress: none}\n",
];

/// Number of copies: as the environment says, else `default`.
#[expect(
    clippy::disallowed_methods,
    reason = "a longer run is asked for by a variable"
)]
pub(crate) fn count(default: u64) -> u64 {
    let asked = std::env::var("PALISADE_MUTATIONS").ok();
    asked.map_or(default, |text| {
        text.parse().expect("`PALISADE_MUTATIONS` is a number")
    })
}

/// Random numbers by `SplitMix64`: small, and the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("64 bits");
        usize::try_from(self.next() % end).expect("below a usize")
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// A mutated copy of one of the files.
pub(crate) fn file(seed: u64, files: &[RuleFile]) -> RuleFile {
    let mut numbers = Numbers(seed);
    let mut file = numbers.of(files).clone();
    for _ in 0..=numbers.below(4) {
        mutate(&mut file.bytes, &mut numbers, files);
    }
    file
}

fn mutate(bytes: &mut Vec<u8>, numbers: &mut Numbers, files: &[RuleFile]) {
    let at = numbers.below(bytes.len() + 1);
    let end = (at + numbers.below(40)).min(bytes.len());
    match numbers.below(8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        3 | 4 => drop(bytes.splice(at..at, numbers.of(PIECES).bytes())),
        5 => drop(bytes.splice(at..end, numbers.of(PIECES).bytes())),
        6 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = numbers.next().to_le_bytes()[0];
            }
        }
        _ => {
            let other = &numbers.of(files).bytes;
            let from = numbers.below(other.len() + 1);
            let to = (from + numbers.below(200)).min(other.len());
            bytes.splice(at..end, other[from..to].iter().copied());
        }
    }
}
