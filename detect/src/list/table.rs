//! Sorted tables: texts as places in one text, and ranges of addresses.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::casing::{fold, fold_char};

/// The text that entries are places in.
#[derive(Debug, Default)]
pub(super) struct Arena {
    /// The file.
    pub(super) file: String,
    /// What does not stand in the file as it is meant, such as `a""b`; its places follow the file's.
    pub(super) more: String,
}

/// An entry's place in the arena.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: u32,
    len: u16,
}

/// Texts, sorted under case folding and then as they stand.
#[derive(Default)]
pub(super) struct Table {
    arena: Arc<Arena>,
    spans: Vec<Span>,
    /// Longest entry, as it stands or folded.
    longest: usize,
    /// Whether folding changes no entry, as with most hashes, names and addresses: then texts are
    /// compared as they stand, byte by byte.
    plain: bool,
}

/// Ranges of addresses, sorted; none touches another.
#[derive(Default)]
pub(super) struct Ranges {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Arena {
    /// The place of a part of the file; `None` if it is too long or too far.
    pub(super) fn span(start: usize, len: usize) -> Option<Span> {
        Some(Span {
            start: u32::try_from(start).ok()?,
            len: u16::try_from(len).ok()?,
        })
    }

    /// Adds a text that does not stand in the file.
    pub(super) fn add(&mut self, text: &str) -> Option<Span> {
        let span = Self::span(self.file.len() + self.more.len(), text.len())?;
        self.more.push_str(text);
        Some(span)
    }

    /// The text at a place.
    pub(super) fn text(&self, span: Span) -> &str {
        let (start, len) = (span.start as usize, usize::from(span.len));
        let part = match start.checked_sub(self.file.len()) {
            None => self.file.get(start..start + len),
            Some(start) => self.more.get(start..start + len),
        };
        part.unwrap_or_default()
    }
}

impl Table {
    /// The table of these places.
    pub(super) fn new(arena: &Arc<Arena>, mut spans: Vec<Span>) -> Self {
        let (mut longest, mut plain) = (0, true);
        for span in &spans {
            let text = arena.text(*span);
            let folded = fold(text);
            longest = longest.max(text.len()).max(folded.len());
            plain &= matches!(folded, Cow::Borrowed(_));
        }
        spans.sort_unstable_by(|a, b| {
            let (a, b) = (arena.text(*a), arena.text(*b));
            if plain {
                a.cmp(b)
            } else {
                compare(a, b, fold_char).then_with(|| a.cmp(b))
            }
        });
        spans.dedup_by(|a, b| arena.text(*a) == arena.text(*b));
        spans.shrink_to_fit();
        let arena = if spans.is_empty() {
            Arc::default()
        } else {
            Arc::clone(arena)
        };
        Self {
            arena,
            spans,
            longest,
            plain,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Bytes of the places, and of the text once for all tables that share it.
    pub(super) fn bytes(&self) -> usize {
        let text = self.arena.file.capacity() + self.arena.more.capacity();
        self.spans.capacity() * size_of::<Span>() + text / Arc::strong_count(&self.arena)
    }

    /// Whether the text is in the table.
    pub(super) fn holds(&self, raw: &str, folded: &str, cased: bool) -> bool {
        let found = self.spans.binary_search_by(|span| {
            let entry = self.arena.text(*span);
            if self.plain {
                return entry.cmp(if cased { raw } else { folded });
            }
            let order = compare(entry, folded, |c| c);
            if cased {
                order.then_with(|| entry.cmp(raw))
            } else {
                order
            }
        });
        found.is_ok()
    }

    /// Whether the text, or what follows one of its dots or `@`, is in the table.
    pub(super) fn holds_end_of(&self, raw: &str, folded: &str, cased: bool) -> bool {
        if self.spans.is_empty() {
            return false;
        }
        let text = if cased { raw } else { folded };
        ends(text, self.longest).any(|end| {
            if cased {
                self.holds(end, &fold(end), true)
            } else {
                self.holds(end, end, false)
            }
        })
    }
}

/// The text and what follows each of its dots and `@`, as far as that is at most `longest` bytes long.
fn ends(text: &str, longest: usize) -> impl Iterator<Item = &str> {
    let from = text.len().saturating_sub(longest);
    let whole = (from == 0).then_some(text);
    // A border stands before an end, so the search begins one byte earlier; both are ASCII, so what
    // follows them is text.
    let search = from.saturating_sub(1);
    let bytes = text.as_bytes().iter().enumerate().skip(search);
    let borders = bytes.filter(|(_, byte)| matches!(byte, b'.' | b'@'));
    let after = borders.filter_map(move |(at, _)| text.get(at + 1..));
    whole.into_iter().chain(after)
}

/// The order of `entry` under case folding and `other`, whose characters `other_char` folds.
fn compare(entry: &str, other: &str, other_char: impl Fn(char) -> char) -> Ordering {
    let pairs = entry.bytes().zip(other.bytes());
    let same = pairs
        .take_while(|(a, b)| {
            a.is_ascii() && b.is_ascii() && fold_char(char::from(*a)) == other_char(char::from(*b))
        })
        .count();
    // Everything before is ASCII, so both are cut between characters.
    let rest = |text: &'_ str| -> usize { text.len().min(same) };
    let (entry, other) = (entry.get(rest(entry)..), other.get(rest(other)..));
    let entry = entry.unwrap_or_default().chars().map(fold_char);
    entry.cmp(other.unwrap_or_default().chars().map(other_char))
}

// ---------------------------------------------------------------------------------------------
// Addresses

impl Ranges {
    /// The table of these ranges.
    pub(super) fn new(nets: &[IpNet]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for net in nets {
            match net {
                IpNet::V4(net) => v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
            }
        }
        Self {
            v4: joined(v4),
            v6: joined(v6),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.v4.capacity() * size_of::<(u32, u32)>()
            + self.v6.capacity() * size_of::<(u128, u128)>()
    }

    pub(super) fn holds(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => within(&self.v4, address.to_bits()),
            IpAddr::V6(address) => within(&self.v6, address.to_bits()),
        }
    }
}

/// Ranges sorted, and overlapping ones made one.
fn joined<T: Copy + Ord>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    ranges.dedup_by(|later, first| {
        let overlaps = later.0 <= first.1;
        if overlaps {
            first.1 = first.1.max(later.1);
        }
        overlaps
    });
    ranges.shrink_to_fit();
    ranges
}

fn within<T: Copy + Ord>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    let before = after.checked_sub(1).and_then(|at| ranges.get(at));
    before.is_some_and(|(_, last)| address <= *last)
}
