//! The excerpt of an event by its marks: the same text that its tree is written as, without the tree.
//!
//! Only for objects that [`read`](super::marked::read) makes a tree of: their grammar is proven, and no
//! key stands twice or is written with an escape. What needs no change is copied from the payload; a test
//! holds the text against the tree's.

use super::decimal;
use super::parse::unescape;
use super::text::write_json_string;
use crate::scan::{Index, Marked, blanks, scalar_end};

/// Appends the object or array as compact JSON text, the members of objects by name; `text` are its bytes.
pub(crate) fn write_marked(marked: Marked<'_>, text: &str, out: &mut String) {
    let Some(pair) = marked.index.pairs().get(marked.pair as usize) else {
        return;
    };
    out.reserve(text.len());
    let mut writer = Writer {
        index: marked.index,
        text,
        base: pair.open as usize,
        bytes: marked.payload,
        members: Vec::with_capacity(128),
        order: Vec::with_capacity(128),
        out,
    };
    writer.value(Place {
        start: pair.open as usize,
        end: pair.close as usize + 1,
        kind: Kind::Pair(marked.pair as usize),
    });
}

struct Writer<'w> {
    index: &'w Index,
    text: &'w str,
    /// Where the text begins in the payload.
    base: usize,
    /// The payload.
    bytes: &'w [u8],
    /// Members of the objects that are being written.
    members: Vec<Member>,
    /// The same in order: for each the first eight bytes of its key, as a number that is ordered as they
    /// are, and its place.
    order: Vec<(u64, usize)>,
    out: &'w mut String,
}

#[derive(Clone, Copy)]
struct Member {
    /// Where it stands between its quotes.
    key: (usize, usize),
    value: Place,
}

/// Where a value stands, and what it takes to write it.
#[derive(Clone, Copy)]
struct Place {
    start: usize,
    end: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is written as it stands.
    Same,
    /// A string with escapes.
    Escaped,
    Number,
    /// An object or array, with the number of its bracket pair.
    Pair(usize),
}

impl Writer<'_> {
    #[inline]
    fn slice(&self, start: usize, end: usize) -> &str {
        let part = self.text.get(start - self.base..end - self.base);
        part.unwrap_or_default()
    }

    fn copy(&mut self, start: usize, end: usize) {
        let part = self.text.get(start - self.base..end - self.base);
        self.out.push_str(part.unwrap_or_default());
    }

    /// The value at `at`; `pair` is the number of the next bracket pair and is moved behind the value's.
    #[inline]
    fn place(&self, at: usize, pair: &mut usize) -> Place {
        let (end, kind) = match self.bytes.get(at) {
            Some(b'"') => {
                let (end, escaped) = self.index.string(at + 1);
                let kind = if escaped { Kind::Escaped } else { Kind::Same };
                (end + 1, kind)
            }
            Some(b'{' | b'[') => {
                let number = *pair;
                let found = self.index.pairs()[number];
                *pair = found.next as usize;
                (found.close as usize + 1, Kind::Pair(number))
            }
            Some(b't' | b'f' | b'n') => (scalar_end(self.bytes, at), Kind::Same),
            _ => (scalar_end(self.bytes, at), Kind::Number),
        };
        Place {
            start: at,
            end,
            kind,
        }
    }

    fn value(&mut self, place: Place) {
        let Place { start, end, kind } = place;
        match kind {
            Kind::Same => self.copy(start, end),
            Kind::Number => {
                let written = self.text.get(start - self.base..end - self.base);
                decimal::write_json(written.unwrap_or_default(), self.out);
            }
            Kind::Escaped => {
                let mut plain = String::with_capacity(end - start);
                let known = unescape(self.slice(start + 1, end - 1), &mut plain);
                debug_assert!(known.is_ok(), "the tree was made, so every escape is known");
                write_json_string(&plain, self.out);
            }
            Kind::Pair(pair) if self.bytes.get(start) == Some(&b'{') => self.object(pair),
            Kind::Pair(pair) => self.array(pair),
        }
    }

    fn object(&mut self, pair: usize) {
        let found = self.index.pairs()[pair];
        let close = found.close as usize;
        let first = self.members.len();
        let mut next = pair + 1;
        let mut at = blanks(self.bytes, found.open as usize + 1);
        while at < close {
            let (end, _) = self.index.string(at + 1);
            let colon = blanks(self.bytes, end + 1);
            let value = self.place(blanks(self.bytes, colon + 1), &mut next);
            let place = self.members.len();
            self.order.push((beginning(self.bytes, at + 1, end), place));
            self.members.push(Member {
                key: (at + 1, end),
                value,
            });
            let comma = blanks(self.bytes, value.end);
            at = blanks(self.bytes, comma + 1);
        }
        let (bytes, members) = (self.bytes, &self.members);
        let key = |place: usize| {
            let (start, end) = members[place].key;
            bytes.get(start..end)
        };
        self.order[first..].sort_unstable_by(|a, b| {
            let sooner = a.0.cmp(&b.0);
            sooner.then_with(|| key(a.1).cmp(&key(b.1)))
        });
        let mut before = '{';
        for number in first..self.members.len() {
            let Member { key, value } = self.members[self.order[number].1];
            self.out.push(before);
            before = ',';
            if value.kind == Kind::Same && value.start == key.1 + 2 {
                self.copy(key.0 - 1, value.end);
                continue;
            }
            self.copy(key.0 - 1, key.1 + 1);
            self.out.push(':');
            self.value(value);
        }
        self.out.push_str(if before == '{' { "{}" } else { "}" });
        self.members.truncate(first);
        self.order.truncate(first);
    }

    fn array(&mut self, pair: usize) {
        let found = self.index.pairs()[pair];
        let close = found.close as usize;
        let mut next = pair + 1;
        let mut at = blanks(self.bytes, found.open as usize + 1);
        let mut before = '[';
        while at < close {
            let value = self.place(at, &mut next);
            self.out.push(before);
            before = ',';
            self.value(value);
            let comma = blanks(self.bytes, value.end);
            at = blanks(self.bytes, comma + 1);
        }
        self.out.push_str(if before == '[' { "[]" } else { "]" });
    }
}

/// The first eight bytes of the text at `start..end` as a number that is ordered as they are.
#[inline]
fn beginning(bytes: &[u8], start: usize, end: usize) -> u64 {
    let rest = bytes.get(start..).unwrap_or_default();
    let first = rest.first_chunk().copied().unwrap_or_else(|| {
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        last
    });
    let behind = 8 * 8_usize.saturating_sub(end - start);
    let kept = u64::MAX.checked_shl(u32::try_from(behind).unwrap_or(64));
    u64::from_be_bytes(first) & kept.unwrap_or_default()
}
