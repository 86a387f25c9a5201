//! The paths of a rule set as a tree of keys, for events that are read one way.

use std::collections::BTreeMap;

use super::core::Core;
use crate::event::Reading;

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// A key that holds dots and is part of a longer name.
pub(super) const ODD: u32 = u32::MAX - 1;

/// Keys that tell what an event is, whether a rule reads them or not: if one of them stands twice, the
/// record is odd and its keys are counted.
const TELLING: [&str; 2] = ["category", "time"];

/// Most keys on a way: a path of more is left to the event's tree.
const KEYS_MAX: usize = 12;

/// Paths as a tree.
///
/// A name with dots can stand as one key or as a key in a key. The ways that are common have edges:
/// a key for each part, and one key for all that is left of the name; a key for several parts in
/// between leads to [`ODD`]. Edges of one node whose first parts are the same belong to one *group*:
/// if an object has two of them, which one counts is a question for the event's tree.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    cells: Vec<Cell>,
    keys: Vec<u8>,
    slots: Vec<u32>,
    below: Vec<u32>,
    /// How many groups there are.
    pub(super) groups: usize,
    /// Slots whose paths are too long to follow.
    pub(super) left_open: Vec<u32>,
}

/// A place on the way of some path.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// Its number in the tree.
    pub(super) number: u32,
    slots: (u32, u32),
    below: (u32, u32),
    cells: (u32, u32),
    /// Keys of the object here are equal without regard to ASCII case.
    fold: bool,
    /// Text here may hold JSON in which paths go on.
    pub(super) json_text: bool,
    /// What the values here stand for besides themselves.
    pub(super) readings: Vec<Reading>,
}

/// An edge in a node's table of keys.
#[derive(Debug, Clone, Copy)]
struct Cell {
    head: u64,
    start: u32,
    len: u32,
    node: u32,
    group: u32,
}

const FREE: Cell = Cell {
    head: 0,
    start: 0,
    len: 0,
    node: NONE,
    group: 0,
};

/// Where a key leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// A node, [`ODD`], or [`NONE`] if no path goes on with the key.
    pub(super) node: u32,
    pub(super) group: u32,
}

/// A node while the tree is built.
#[derive(Debug, Default)]
struct Draft {
    /// The path so far, as some rule writes it.
    path: String,
    slots: Vec<u32>,
    edges: BTreeMap<Vec<u8>, Lead>,
}

/// Where a key leads while the tree is built.
#[derive(Debug, Clone, Copy)]
enum Lead {
    To(usize),
    Odd,
}

impl Trie {
    /// The tree of all paths of `core`.
    pub(super) fn new(core: &Core, readings: &[(&'static str, Reading)]) -> Self {
        let mut builder = Builder {
            drafts: vec![Draft::default()],
            readings,
        };
        let mut left_open = Vec::new();
        for (path, slot) in core.paths.iter().zip(0_u32..) {
            if path.split('.').count() > KEYS_MAX {
                left_open.push(slot);
            } else {
                builder.path(path, slot);
            }
        }
        for key in TELLING {
            builder.child(0, key, key);
        }
        builder.finish(left_open)
    }

    #[inline]
    pub(super) fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    /// The slots whose paths end at a node.
    #[inline]
    pub(super) fn slots(&self, node: &Node) -> &[u32] {
        &self.slots[node.slots.0 as usize..node.slots.1 as usize]
    }

    /// The slots whose paths go on below a node.
    pub(super) fn below(&self, node: &Node) -> &[u32] {
        &self.below[node.below.0 as usize..node.below.1 as usize]
    }

    /// Where a key leads that stands at `start..end` of `bytes`.
    #[inline]
    pub(super) fn edge(&self, node: &Node, bytes: &[u8], start: usize, end: usize) -> Edge {
        let (first, size) = node.cells;
        let len = end - start;
        let mut head = head(bytes, start, len);
        if node.fold {
            head = lower(head);
        }
        let mask = size - 1;
        let mut place = hash(head, len) & mask;
        loop {
            let cell = &self.cells[(first + place) as usize];
            if cell.node == NONE {
                return Edge {
                    node: NONE,
                    group: 0,
                };
            }
            if cell.head == head && cell.len as usize == len {
                let rest = &self.keys[cell.start as usize..][..len];
                let key = &bytes[start..end];
                if len <= 8
                    || rest[8..] == key[8..]
                    || (node.fold && rest[8..].eq_ignore_ascii_case(&key[8..]))
                {
                    return Edge {
                        node: cell.node,
                        group: cell.group,
                    };
                }
            }
            place = (place + 1) & mask;
        }
    }
}

impl Node {
    /// Whether paths go on here.
    #[inline]
    pub(super) fn goes_on(&self) -> bool {
        self.below.0 < self.below.1
    }
}

struct Builder<'r> {
    drafts: Vec<Draft>,
    readings: &'r [(&'static str, Reading)],
}

impl Builder<'_> {
    /// Adds the ways to walk `path`: key by key, or with all that is left of it as one key.
    fn path(&mut self, path: &str, slot: u32) {
        let mut node = 0;
        let mut at = 0;
        loop {
            let rest = path.get(at..).unwrap_or_default();
            let mut dots = rest.match_indices('.').map(|(dot, _)| dot);
            let Some(first) = dots.next() else {
                let end = self.child(node, rest, path);
                return self.ends(end, slot);
            };
            for dot in dots {
                self.odd(node, rest.get(..dot).unwrap_or_default());
            }
            if let Some(end) = self.child_of_dots(node, rest, path) {
                self.ends(end, slot);
            }
            let key = rest.get(..first).unwrap_or_default();
            node = self.child(node, key, path.get(..at + first).unwrap_or_default());
            at += first + 1;
        }
    }

    fn ends(&mut self, node: usize, slot: u32) {
        let slots = &mut self.drafts[node].slots;
        if !slots.contains(&slot) {
            slots.push(slot);
        }
    }

    /// `key` as the edges of `node` have it.
    fn key(&self, node: usize, key: &str) -> Vec<u8> {
        let fold = says(
            self.readings,
            &self.drafts[node].path,
            Reading::KeysFoldCase,
        );
        let key = key.as_bytes();
        if fold {
            key.to_ascii_lowercase()
        } else {
            key.to_vec()
        }
    }

    /// A key that is part of a name and holds dots itself: a question for the event's tree.
    fn odd(&mut self, node: usize, key: &str) {
        let key = self.key(node, key);
        self.drafts[node].edges.insert(key, Lead::Odd);
    }

    fn child(&mut self, node: usize, key: &str, path: &str) -> usize {
        self.child_of_dots(node, key, path)
            .expect("a key without dots is never odd")
    }

    /// The node behind a key; none where the key is odd.
    fn child_of_dots(&mut self, node: usize, key: &str, path: &str) -> Option<usize> {
        let key = self.key(node, key);
        match self.drafts[node].edges.get(&key) {
            Some(Lead::To(child)) => return Some(*child),
            Some(Lead::Odd) => return None,
            None => {}
        }
        let child = self.drafts.len();
        self.drafts.push(Draft {
            path: path.to_owned(),
            ..Draft::default()
        });
        self.drafts[node].edges.insert(key, Lead::To(child));
        Some(child)
    }

    fn finish(self, left_open: Vec<u32>) -> Trie {
        let mut trie = Trie {
            nodes: Vec::new(),
            cells: Vec::new(),
            keys: Vec::new(),
            slots: Vec::new(),
            below: Vec::new(),
            groups: 0,
            left_open,
        };
        let below = self.below();
        for (draft, below) in self.drafts.iter().zip(below) {
            let mut node = Node {
                number: len(&trie.nodes),
                slots: range(&mut trie.slots, &draft.slots),
                below: range(&mut trie.below, &below),
                cells: (len(&trie.cells), 0),
                fold: says(self.readings, &draft.path, Reading::KeysFoldCase),
                json_text: says(self.readings, &draft.path, Reading::JsonText),
                readings: Vec::new(),
            };
            let here = self.readings.iter().filter(|(path, reading)| {
                path.eq_ignore_ascii_case(&draft.path) && *reading != Reading::KeysFoldCase
            });
            node.readings = here.map(|(_, reading)| *reading).collect();
            node.cells.1 = trie.table(draft);
            trie.nodes.push(node);
        }
        trie
    }

    /// The slots that each node leads to, without those that end there.
    fn below(&self) -> Vec<Vec<u32>> {
        let mut below: Vec<Vec<u32>> = vec![Vec::new(); self.drafts.len()];
        // A child has a higher number than its parent.
        for node in (0..self.drafts.len()).rev() {
            let mut all = Vec::new();
            for lead in self.drafts[node].edges.values() {
                if let Lead::To(child) = lead {
                    all.extend(&below[*child]);
                    all.extend(&self.drafts[*child].slots);
                }
            }
            all.sort_unstable();
            all.dedup();
            below[node] = all;
        }
        below
    }
}

impl Trie {
    /// Lays out the edges of a node; returns the size of its table, a power of two.
    fn table(&mut self, draft: &Draft) -> u32 {
        let size = (draft.edges.len() * 2).next_power_of_two().max(2);
        let first = self.cells.len();
        self.cells.resize(first + size, FREE);
        let mut groups: BTreeMap<&[u8], u32> = BTreeMap::new();
        for (key, child) in &draft.edges {
            let begin = key.split(|byte| *byte == b'.').next().unwrap_or_default();
            let group = *groups.entry(begin).or_insert_with(|| {
                self.groups += 1;
                number(self.groups - 1)
            });
            let head = head(key, 0, key.len());
            let mut place = hash(head, key.len()) as usize & (size - 1);
            while self.cells[first + place].node != NONE {
                place = (place + 1) & (size - 1);
            }
            self.cells[first + place] = Cell {
                head,
                start: len(&self.keys),
                len: number(key.len()),
                node: match child {
                    Lead::To(child) => number(*child),
                    Lead::Odd => ODD,
                },
                group,
            };
            self.keys.extend(key);
        }
        number(size)
    }
}

fn says(readings: &[(&'static str, Reading)], path: &str, reading: Reading) -> bool {
    let mut all = readings.iter();
    all.any(|(at, kind)| *kind == reading && at.eq_ignore_ascii_case(path))
}

/// The first eight bytes of a key, zeros behind it.
#[inline]
pub(super) fn head(bytes: &[u8], start: usize, len: usize) -> u64 {
    let rest = bytes.get(start..).unwrap_or_default();
    let word = rest.first_chunk::<8>().copied().unwrap_or_else(|| {
        let mut chunk = [0; 8];
        for (to, from) in chunk.iter_mut().zip(rest) {
            *to = *from;
        }
        chunk
    });
    let word = u64::from_le_bytes(word);
    match len {
        0 => 0,
        1..8 => word & (u64::MAX >> (64 - 8 * len)),
        _ => word,
    }
}

/// ASCII capitals of eight bytes to small letters.
#[inline]
fn lower(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low = word & (ONES * 0x7F);
    let from_a = low + ONES * u64::from(0x80 - b'A');
    let past_z = low + ONES * u64::from(0x80 - b'Z' - 1);
    let capital = from_a & !past_z & !word & (ONES * 0x80);
    word | (capital >> 2)
}

#[inline]
fn hash(head: u64, len: usize) -> u32 {
    let mixed = (head ^ ((len as u64) << 56)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 40) as u32
}

fn range(all: &mut Vec<u32>, some: &[u32]) -> (u32, u32) {
    let start = len(all);
    all.extend(some);
    (start, len(all))
}

fn len<T>(all: &[T]) -> u32 {
    number(all.len())
}

fn number(number: usize) -> u32 {
    u32::try_from(number).expect("fewer keys than bytes of rules")
}
