//! Where literals may stand in a text, by blocks of four bytes at every so many bytes.
//!
//! Rules that were made of one another share most of what they look for: hundreds of literals can have
//! one rarest block. They are told apart by a second block at a fixed distance from the first, chosen
//! for the literals at hand, so that what a place costs does not grow with their number.

use super::{Part, rarity};

/// Bytes of a block.
pub(super) const BLOCK: usize = 4;

/// Fewest bits of the filter, as a power of two: 8 KiB, for hundreds of literals.
const FILTER_BITS_MIN: u32 = 16;
/// Most bits of the filter: 64 KiB, which leaves room for other things in a processor's second cache.
const FILTER_BITS_MAX: u32 = 19;
/// Bits of the filter for each block.
const FILTER_BITS_A_BLOCK: usize = 8;

/// So many literals of one block are compared one by one.
const FEW: usize = 4;
/// How far from the block a second one is looked for.
const DISTANCE_MAX: usize = 32;
/// Of how many literals the distances are judged.
const SAMPLE: usize = 32;
/// Most distances for one block; literals that none of them tells apart are compared one by one.
const DISTANCES_MAX: usize = 4;

/// Literals by blocks.
#[derive(Debug)]
pub(super) struct Blocks {
    stride: usize,
    /// A bit for each hash of a block.
    filter: Box<[u64]>,
    /// How far a hash is shifted to give its bit.
    shift: u32,
    /// The blocks by hash, each in the first free place; a power of two.
    cells: Box<[Cell]>,
    /// How far a hash is shifted to give its cell.
    cell_shift: u32,
    probes: Vec<Probe>,
    /// Parts of literals with their second blocks, by probe, ascending.
    parts: Vec<(u32, Part)>,
}

/// A block, and the probes that tell its literals apart; none if the cell is free.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    block: u32,
    probes: (u32, u32),
}

/// Literals of one block.
#[derive(Debug)]
struct Probe {
    /// How far behind the block's place the second one stands; none if all are compared.
    distance: Option<isize>,
    parts: (u32, u32),
}

impl Blocks {
    /// `None` if there are no literals; each is as long as a block and a stride less one.
    pub(super) fn new(stride: usize, numbers: &[u32], literals: &[Box<[u8]>]) -> Option<Self> {
        let mut all: Vec<(u32, Part)> = Vec::with_capacity(numbers.len() * stride);
        for literal in numbers {
            let text = &literals[*literal as usize];
            for way in 0..stride {
                let offsets = (way..=text.len() - BLOCK).step_by(stride);
                let rarest = offsets.max_by_key(|offset| rarity(&text[*offset..*offset + BLOCK]));
                let offset = rarest.expect("the literal is as long as a block and a stride");
                let literal = *literal;
                all.push((block(&text[offset..]), Part { literal, offset }));
            }
        }
        if all.is_empty() {
            return None;
        }
        all.sort_unstable_by_key(|(block, part)| (*block, part.literal, part.offset));
        let groups = || all.chunk_by(|(one, _), (next, _)| one == next);
        let count = groups().count();
        let bits = (count * FILTER_BITS_A_BLOCK).next_power_of_two().ilog2();
        let bits = bits.clamp(FILTER_BITS_MIN, FILTER_BITS_MAX);
        let cells = (count * 2).next_power_of_two();
        let mut blocks = Self {
            stride,
            filter: vec![0; 1 << (bits - 6)].into(),
            shift: 32 - bits,
            cells: vec![Cell::default(); cells].into(),
            cell_shift: 32 - cells.ilog2(),
            probes: Vec::with_capacity(count),
            parts: Vec::with_capacity(all.len()),
        };
        for group in groups() {
            let parts = group.iter().map(|(_, part)| *part).collect();
            blocks.add(group[0].0, parts, literals);
        }
        Some(blocks)
    }

    /// Adds a block and the literals that it is part of.
    fn add(&mut self, block: u32, mut parts: Vec<Part>, literals: &[Box<[u8]>]) {
        let hash = hash(block);
        let bit = hash >> self.shift;
        self.filter[bit as usize / 64] |= 1 << (bit % 64);
        let first = self.probes.len();
        for _ in 0..DISTANCES_MAX {
            let Some(distance) = telling(&parts, literals) else {
                break;
            };
            let second = |part: &Part| second(part, distance, literals);
            let told = parts.extract_if(.., |part| second(part).is_some());
            let mut told: Vec<_> = told
                .filter_map(|part| Some((second(&part)?, part)))
                .collect();
            told.sort_unstable_by_key(|(second, _)| *second);
            self.probe(Some(distance), told);
        }
        if !parts.is_empty() {
            self.probe(None, parts.into_iter().map(|part| (0, part)).collect());
        }
        let mask = self.cells.len() - 1;
        let mut place = (hash >> self.cell_shift) as usize;
        while self.cells[place].probes.1 != 0 {
            place = (place + 1) & mask;
        }
        self.cells[place] = Cell {
            block,
            probes: (number(first), number(self.probes.len())),
        };
    }

    fn probe(&mut self, distance: Option<isize>, parts: Vec<(u32, Part)>) {
        let start = number(self.parts.len());
        self.parts.extend(parts);
        let parts = (start, number(self.parts.len()));
        self.probes.push(Probe { distance, parts });
    }

    /// Calls `found` with parts that may stand at a place of `text`, and the place; with all that do.
    #[inline]
    pub(super) fn find(&self, text: &[u8], found: &mut impl FnMut((Part, usize))) {
        match self.stride {
            16 => self.strides::<16>(text, found),
            8 => self.strides::<8>(text, found),
            _ => self.strides::<4>(text, found),
        }
    }

    fn strides<const STRIDE: usize>(&self, text: &[u8], found: &mut impl FnMut((Part, usize))) {
        let (strides, rest) = text.as_chunks::<STRIDE>();
        for (number, stride) in strides.iter().enumerate() {
            let block = block(stride);
            let bit = hash(block) >> self.shift;
            if self.filter[bit as usize / 64] >> (bit % 64) & 1 == 1 {
                self.list(block, text, number * STRIDE, found);
            }
        }
        if rest.len() >= BLOCK {
            let at = strides.len() * STRIDE;
            self.list(block(rest), text, at, found);
        }
    }

    #[inline(never)]
    fn list(&self, block: u32, text: &[u8], at: usize, found: &mut impl FnMut((Part, usize))) {
        let mask = self.cells.len() - 1;
        let mut place = (hash(block) >> self.cell_shift) as usize;
        let (first, end) = loop {
            let cell = &self.cells[place];
            if cell.probes.1 == 0 {
                return;
            }
            if cell.block == block {
                break cell.probes;
            }
            place = (place + 1) & mask;
        };
        for probe in &self.probes[first as usize..end as usize] {
            let parts = &self.parts[probe.parts.0 as usize..probe.parts.1 as usize];
            let Some(distance) = probe.distance else {
                for (_, part) in parts {
                    found((*part, at));
                }
                continue;
            };
            let second = at.checked_add_signed(distance);
            let second = second.and_then(|at| text.get(at..at + BLOCK));
            let Some(second) = second.map(self::block) else {
                continue;
            };
            let first = parts.partition_point(|(of, _)| *of < second);
            let same = parts[first..].iter();
            for (_, part) in same.take_while(|(of, _)| *of == second) {
                found((*part, at));
            }
        }
    }
}

/// The distance at which most literals differ; `None` if they are few or do not.
fn telling(parts: &[Part], literals: &[Box<[u8]>]) -> Option<isize> {
    if parts.len() <= FEW {
        return None;
    }
    let step = parts.len().div_ceil(SAMPLE);
    let far = DISTANCE_MAX.cast_signed();
    // Two that differ seldom have one hash of eight bits, and then count as one.
    let blocks = |distance: isize| {
        let mut seen = [0_u64; 4];
        let sample = parts.iter().step_by(step);
        for block in sample.filter_map(|part| second(part, distance, literals)) {
            let hash = hash(block) >> 24;
            seen[hash as usize / 64] |= 1 << (hash % 64);
        }
        seen.iter().map(|word| word.count_ones()).sum::<u32>()
    };
    let best = (-far..=far).max_by_key(|distance| (blocks(*distance), -distance.abs()))?;
    (blocks(best) > 1).then_some(best)
}

/// The block of a part's literal at a distance behind the part, if the literal has one there.
fn second(part: &Part, distance: isize, literals: &[Box<[u8]>]) -> Option<u32> {
    let at = part.offset.checked_add_signed(distance)?;
    let text = literals[part.literal as usize].get(at..at + BLOCK)?;
    Some(block(text))
}

/// The first four bytes, capitals and small letters alike.
#[inline]
fn block(bytes: &[u8]) -> u32 {
    let first = bytes.first_chunk::<BLOCK>().copied().unwrap_or_default();
    u32::from_le_bytes(first) | 0x2020_2020
}

#[inline]
fn hash(block: u32) -> u32 {
    block.wrapping_mul(0x9E37_79B1)
}

fn number(number: usize) -> u32 {
    u32::try_from(number).expect("fewer parts than bytes of rules")
}
