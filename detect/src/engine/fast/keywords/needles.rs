//! Where literals stand in a text: many at once, in few steps a byte.
//!
//! An automaton takes some twenty instructions for every byte. Here no byte is looked at by itself:
//!
//! - Long literals are found by *blocks* of four bytes. The text is probed at every sixteenth byte only
//!   (every eighth, every fourth if a literal is too short): a literal that is long enough has a whole
//!   block at such a place wherever it begins. For each way in which it can lie, the block of its rarest
//!   bytes is what is looked for, so that the heads that all literals share cost nothing.
//! - Short literals are found by *fragments* of at most four bytes, packed into vector registers.
//! - What is left, one or two bytes, or more short literals than the packed search takes, is for an
//!   automaton.
//!
//! The first two only say where a literal may be; there it is compared. A test holds all of them
//! against a plain search.

use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind, Span};
use indexmap::IndexMap;

mod blocks;

use blocks::{BLOCK, Blocks};

/// Distances at which a text is probed for blocks.
const STRIDES: [usize; 3] = [16, 8, 4];
/// Most fragments of one packed search: with more, it takes twice the steps, and most of what it finds is
/// nothing.
const PACKED_MAX: usize = 32;
/// Longest fragment.
const FRAGMENT_MAX: usize = 4;
/// Shortest literal that is worth a packed search.
const FRAGMENT_MIN: usize = 3;
/// Bytes of literals up to which the automaton is a table, which takes about 256 bytes for each but
/// reads a text ten times as fast.
const TABLE_BYTES_MAX: usize = 64 * 1024;

/// The bytes of logs in lower case, the commonest first, as counted in 8 MB of records; what is missing
/// is rarer.
const COMMON: &[u8] = b"\"eitasnocrd:0,l-fu1pm24b 593786/g.hyvk{}[]wq\\zxj_@()\n;";

/// Literals in lower case, ready to be found.
#[derive(Debug, Default)]
pub(super) struct Needles {
    literals: Vec<Box<[u8]>>,
    blocks: Option<Blocks>,
    packed: Vec<Packed>,
    automaton: Option<(AhoCorasick, Vec<u32>)>,
}

/// Who looks for literals.
pub(super) trait Seeker {
    /// Whether one more place of a literal matters. Asked before it is compared: a literal of many equal
    /// bytes stands everywhere in a text of them.
    fn wants(&self, literal: usize) -> bool;

    /// A literal stands at a place.
    fn found(&mut self, literal: usize, at: usize);
}

/// Where a part of a literal stands in it.
#[derive(Debug, Clone, Copy)]
struct Part {
    literal: u32,
    offset: usize,
}

/// Literals by fragments.
#[derive(Debug)]
struct Packed {
    searcher: Searcher,
    /// What each fragment is part of.
    parts: Vec<Vec<Part>>,
}

impl Needles {
    /// Makes ready to find `literals`, none of which is empty.
    ///
    /// # Errors
    /// When they are too many for an automaton.
    pub(super) fn new(literals: Vec<Box<[u8]>>) -> Result<Self, aho_corasick::BuildError> {
        let numbered = || literals.iter().zip(0_u32..);
        let shorter =
            |stride: usize| numbered().filter(move |(text, _)| text.len() < stride + BLOCK - 1);
        let few = |stride: &usize| shorter(*stride).count() <= PACKED_MAX;
        let stride = STRIDES.into_iter().find(few).unwrap_or(BLOCK);
        let mut short: Vec<u32> = shorter(stride).map(|(_, number)| number).collect();
        let long = numbered().filter(|(text, _)| text.len() >= stride + BLOCK - 1);
        let long: Vec<u32> = long.map(|(_, number)| number).collect();
        let blocks = Blocks::new(stride, &long, &literals);
        short.sort_by_key(|number| literals[*number as usize].len());
        let tiny = short.partition_point(|number| literals[*number as usize].len() < FRAGMENT_MIN);
        let mut rest = short[..tiny].to_vec();
        let mut packed = Vec::new();
        // Shorter fragments are found oftener: they must not shorten those of the others.
        let whole = short.partition_point(|number| literals[*number as usize].len() < FRAGMENT_MAX);
        let groups = [&short[tiny..whole], &short[whole..]];
        for some in groups
            .into_iter()
            .flat_map(|group| group.chunks(PACKED_MAX))
        {
            match Packed::new(some, &literals) {
                Some(search) => packed.push(search),
                None => rest.extend(some),
            }
        }
        let automaton = automaton(&rest, &literals)?.map(|automaton| (automaton, rest));
        Ok(Self {
            literals,
            blocks,
            packed,
            automaton,
        })
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.literals.is_empty()
    }

    /// Tells `seeker` the number and the place of each literal that it wants in `text`, which is not in
    /// lower case; all places of all literals, in no order. `lower` is a buffer.
    pub(super) fn find(&self, text: &[u8], lower: &mut Vec<u8>, seeker: &mut impl Seeker) {
        if let Some(blocks) = &self.blocks {
            blocks.find(text, &mut |part| self.check(text, part, seeker));
        }
        if self.packed.is_empty() && self.automaton.is_none() {
            return;
        }
        lower.clear();
        lower.extend_from_slice(text);
        lower.make_ascii_lowercase();
        for packed in &self.packed {
            packed.find(lower, &mut |part| self.check(text, part, seeker));
        }
        if let Some((automaton, numbers)) = &self.automaton {
            for one in automaton.find_overlapping_iter(lower.as_slice()) {
                seeker.found(numbers[one.pattern().as_usize()] as usize, one.start());
            }
        }
    }

    /// How many bytes a literal has.
    pub(super) fn length(&self, literal: usize) -> usize {
        self.literals[literal].len()
    }

    /// Whether a literal is there of which a part stands at a place.
    fn check(&self, text: &[u8], (part, at): (Part, usize), seeker: &mut impl Seeker) {
        let number = part.literal as usize;
        if !seeker.wants(number) {
            return;
        }
        let literal = &self.literals[number];
        let there = at.checked_sub(part.offset).filter(|start| {
            let here = text.get(*start..*start + literal.len());
            here.is_some_and(|here| here.eq_ignore_ascii_case(literal))
        });
        if let Some(start) = there {
            seeker.found(number, start);
        }
    }
}

impl Packed {
    /// `None` where the machine has no such search.
    fn new(numbers: &[u32], literals: &[Box<[u8]>]) -> Option<Self> {
        // Of one length, so that no two can begin at one place.
        let lengths = numbers
            .iter()
            .map(|number| literals[*number as usize].len());
        let length = lengths.min()?.min(FRAGMENT_MAX);
        let mut fragments: IndexMap<&[u8], Vec<Part>> = IndexMap::new();
        for number in numbers {
            let text = &literals[*number as usize];
            let windows = text.windows(length).enumerate();
            let (offset, fragment) = windows.max_by_key(|(_, window)| rarity(window))?;
            fragments.entry(fragment).or_default().push(Part {
                literal: *number,
                offset,
            });
        }
        let searcher = packed::Config::new()
            .builder()
            .extend(fragments.keys())
            .build()?;
        Some(Self {
            searcher,
            parts: fragments.into_values().collect(),
        })
    }

    fn find(&self, lower: &[u8], found: &mut impl FnMut((Part, usize))) {
        let mut from = 0;
        while let Some(one) = self.searcher.find_in(lower, Span::from(from..lower.len())) {
            for part in &self.parts[one.pattern().as_usize()] {
                found((*part, one.start()));
            }
            from = one.start() + 1;
        }
    }
}

/// The automaton of some of the literals, if there are any.
fn automaton(
    numbers: &[u32],
    literals: &[Box<[u8]>],
) -> Result<Option<AhoCorasick>, aho_corasick::BuildError> {
    if numbers.is_empty() {
        return Ok(None);
    }
    let texts = || numbers.iter().map(|number| &literals[*number as usize]);
    let mut builder = AhoCorasickBuilder::new();
    builder.match_kind(MatchKind::Standard);
    if texts().map(|text| text.len()).sum::<usize>() <= TABLE_BYTES_MAX {
        builder.kind(Some(AhoCorasickKind::DFA));
    }
    builder.build(texts()).map(Some)
}

/// The higher, the seldomer the bytes are thought to stand in a log together.
fn rarity(bytes: &[u8]) -> usize {
    // A run of one byte stands where it stands many times over.
    if bytes.windows(2).all(|pair| pair[0] == pair[1]) {
        return 0;
    }
    let of_byte = |byte: &u8| {
        let place = COMMON.iter().position(|common| common == byte);
        place.unwrap_or(COMMON.len() + 10)
    };
    bytes.iter().map(of_byte).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every place of every literal, byte by byte.
    fn plainly(literals: &[&str], text: &str) -> Vec<(usize, usize)> {
        let text = text.as_bytes().to_ascii_lowercase();
        let mut all = Vec::new();
        for (number, literal) in literals.iter().enumerate() {
            let places = text.windows(literal.len()).enumerate();
            let there = places.filter(|(_, window)| *window == literal.as_bytes());
            all.extend(there.map(|(at, _)| (number, at)));
        }
        all.sort_unstable();
        all
    }

    fn needles(literals: &[&str]) -> Needles {
        Needles::new(literals.iter().map(|one| one.as_bytes().into()).collect()).unwrap()
    }

    fn found(literals: &[&str], text: &str) -> Vec<(usize, usize)> {
        places(&needles(literals), text)
    }

    /// All places.
    #[derive(Default)]
    struct All(Vec<(usize, usize)>);

    impl Seeker for All {
        fn wants(&self, _: usize) -> bool {
            true
        }

        fn found(&mut self, literal: usize, at: usize) {
            self.0.push((literal, at));
        }
    }

    fn places(needles: &Needles, text: &str) -> Vec<(usize, usize)> {
        let mut all = All::default();
        needles.find(text.as_bytes(), &mut Vec::new(), &mut all);
        all.0.sort_unstable();
        all.0.dedup();
        all.0
    }

    /// Repeatable numbers.
    fn numbers() -> impl FnMut(usize) -> usize {
        let mut state = 1_u64;
        move |below| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        }
    }

    #[test]
    fn all_places_of_literals_of_every_length_are_found() {
        let mut number = numbers();
        // Few letters, so that literals overlap and share their parts.
        let mut word = |longest: usize, letters: &str| -> String {
            let length = 1 + number(longest);
            let letters: Vec<char> = letters.chars().collect();
            (0..length)
                .map(|_| letters[number(letters.len())])
                .collect()
        };
        let mut places = 0;
        for round in 0..600 {
            let (count, longest) = [(1, 40), (5, 4), (20, 9), (90, 12), (300, 30)][round % 5];
            let literals: Vec<String> = (0..count).map(|_| word(longest, "abc")).collect();
            let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
            let mut text = String::new();
            for turn in 0..30 {
                text.push_str(&word(20, "abcABC. é"));
                text.push_str(literals[turn * 7 % literals.len()]);
            }
            let all = plainly(&literals, &text);
            places += all.len();
            assert_eq!(found(&literals, &text), all, "{literals:?} in {text}");
        }
        assert!(places > 10_000, "{places}");
    }

    #[test]
    fn literals_that_were_made_of_one_another_are_told_apart() {
        let parts = ["microsoft.compute/snap", "shots/write", "/listkeys/action"];
        let mut literals: Vec<String> = Vec::new();
        for number in 0..400 {
            literals.push(format!("{}q{number}{}", parts[0], parts[1]));
            literals.push(format!("{}{}{number}{number}", parts[0], parts[2]));
            literals.push(format!(
                "{}{}{}",
                "x".repeat(40 + number % 7),
                number,
                "y".repeat(40)
            ));
        }
        literals.push("microsoft.compute/snapshots/write".to_owned());
        let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
        let needles = needles(&literals);
        for (place, literal) in literals.iter().enumerate().step_by(7) {
            let other = literals[(place * 7 + 5) % literals.len()];
            let text = format!("{}{literal}, {other} ", "-".repeat(place % 19));
            assert_eq!(places(&needles, &text), plainly(&literals, &text), "{text}");
        }
    }

    #[test]
    fn a_long_literal_is_found_wherever_it_begins() {
        for literal in [
            "microsoft.compute/snapshots/write",
            "microsoft.com",
            "nineteen characters",
            "seventy",
        ] {
            for before in 0..40 {
                for after in [0, 1, 3, 20] {
                    let text = format!(
                        "{}{}{}",
                        "-".repeat(before),
                        literal.to_uppercase(),
                        "-".repeat(after)
                    );
                    assert_eq!(found(&[literal], &text), [(0, before)], "{literal}");
                }
            }
        }
    }

    #[test]
    fn text_shorter_than_a_block_is_no_trouble() {
        for text in ["", "a", "ab", "abc", "abcd"] {
            assert_eq!(
                found(&["abcdefgh", "abcd", "b"], text),
                plainly(&["abcdefgh", "abcd", "b"], text)
            );
        }
    }
}
