//! One walk over a record: the values at the paths of a trie, in the order in which they stand.

use std::str::from_utf8;

use super::Odd;
use super::core::Core;
use super::guess::{Foreseen, Guesses, Trail};
use super::memo::Memos;
use super::slot::{Folder, Hits};
use super::state::State;
use super::trie::{NONE, Node, ODD, Trie};
use crate::scan::{Marked, Pair, blanks, scalar_end};
use crate::value::path::stands_for;
use crate::value::{self, Text, Value};

/// Buffers of a walk; reused.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    folder: Folder,
    /// Text whose escapes are resolved.
    plain: String,
    /// For each group of edges the last object that had one of them.
    seen: Vec<u32>,
    /// Number of the object at hand, counted over all records.
    object: u32,
}

/// What a thread remembers of the records that a program judged before.
#[derive(Debug, Default)]
pub(super) struct Memory {
    guesses: Guesses,
    memos: Memos,
}

/// A walk over one record.
pub(super) struct Walk<'w> {
    bytes: &'w [u8],
    pairs: &'w [Pair],
    marked: Marked<'w>,
    core: &'w Core,
    trie: &'w Trie,
    state: &'w mut State,
    buffers: &'w mut Buffers,
    guesses: &'w mut Guesses,
    memos: &'w mut Memos,
    /// The next bracket pair.
    pair: usize,
}

impl<'w> Walk<'w> {
    /// Walks over the object that `marked` names, which nests no deeper than an event may.
    pub(super) fn run(
        marked: Marked<'w>,
        (core, trie): (&'w Core, &'w Trie),
        state: &'w mut State,
        buffers: &'w mut Buffers,
        Memory { guesses, memos }: &'w mut Memory,
    ) -> Result<(), Odd> {
        if buffers.seen.len() < trie.groups || buffers.object > u32::MAX / 2 {
            buffers.seen.clear();
            buffers.seen.resize(trie.groups, 0);
            buffers.object = 0;
        }
        for slot in &trie.left_open {
            state.leave_slot_open(core, *slot);
        }
        let mut walk = Self {
            bytes: marked.payload,
            pairs: marked.index.pairs(),
            marked,
            core,
            trie,
            state,
            buffers,
            guesses,
            memos,
            pair: marked.pair as usize,
        };
        walk.object(trie.node(0))
    }

    fn hits(&mut self) -> Hits<'_> {
        Hits {
            core: self.core,
            state: &mut *self.state,
            folder: &mut self.buffers.folder,
            memos: self.memos,
        }
    }

    #[inline]
    fn byte(&self, at: usize) -> Result<u8, Odd> {
        self.bytes.get(at).copied().ok_or(Odd)
    }

    /// The members of the object that the next pair holds.
    fn object(&mut self, node: &'w Node) -> Result<(), Odd> {
        let pair = self.pairs[self.pair];
        let close = pair.close as usize;
        self.pair += 1;
        self.buffers.object += 1;
        let object = self.buffers.object;
        let mut at = pair.open as usize + 1;
        let mut trail = self.guesses.begin(node.number);
        loop {
            let key = match self.guesses.foresee(&mut trail, self.bytes, at) {
                Some(key) => key,
                None => match self.key(node, &mut at, &mut trail)? {
                    Some(key) => key,
                    None if blanks(self.bytes, pair.open as usize + 1) == close => return Ok(()),
                    None => return Err(Odd),
                },
            };
            let (value, first) = self.mark(at + key.len)?;
            at = match key.edge.node {
                NONE if first == b'"' => self.marked.index.next_quote(value + 1) + 1,
                NONE => self.skip(value, first)?,
                ODD => return Err(Odd),
                child => {
                    let seen = &mut self.buffers.seen[key.edge.group as usize];
                    if std::mem::replace(seen, object) == object {
                        return Err(Odd);
                    }
                    self.value(self.trie.node(child), (value, first))?
                }
            };
            if self.byte(at)? == b',' {
                at += 1;
                continue;
            }
            at = match self.mark(at)? {
                (comma, b',') => comma + 1,
                (end, b'}') if end == close => return Ok(()),
                _ => return Err(Odd),
            };
        }
    }

    /// The first byte at or behind `at` that is no blank, and its place.
    #[inline]
    fn mark(&self, at: usize) -> Result<(usize, u8), Odd> {
        let byte = self.byte(at)?;
        if byte > b' ' {
            return Ok((at, byte));
        }
        let at = blanks(self.bytes, at);
        Ok((at, self.byte(at)?))
    }

    /// A key at or behind `at` that was not due where it was looked for; `None` if none begins there.
    #[inline(never)]
    fn key(
        &mut self,
        node: &Node,
        at: &mut usize,
        trail: &mut Trail,
    ) -> Result<Option<Foreseen>, Odd> {
        *at = blanks(self.bytes, *at);
        let start = *at;
        if self.byte(start)? != b'"' {
            return Ok(None);
        }
        let foreseen = self.guesses.foresee(trail, self.bytes, start);
        if let Some(key) = foreseen.or_else(|| self.guesses.skip(trail, self.bytes, start)) {
            return Ok(Some(key));
        }
        let end = self.marked.index.next_quote(start + 1);
        if self.marked.index.has_backslash(start, end) {
            return Err(Odd);
        }
        let colon = blanks(self.bytes, end + 1);
        if self.byte(colon)? != b':' {
            return Err(Odd);
        }
        let edge = self.trie.edge(node, self.bytes, start + 1, end);
        if colon == end + 1 {
            let text = &self.bytes[start..=colon];
            self.guesses.learn(trail, text, edge);
        }
        let len = colon + 1 - start;
        Ok(Some(Foreseen { edge, len }))
    }

    /// Steps over a value; returns where it ends.
    #[inline]
    fn skip(&mut self, at: usize, first: u8) -> Result<usize, Odd> {
        match first {
            b'"' => Ok(self.marked.index.next_quote(at + 1) + 1),
            b'{' | b'[' => {
                let pair = self.pairs[self.pair];
                self.pair = pair.next as usize;
                Ok(pair.close as usize + 1)
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Ok(scalar_end(self.bytes, at)),
            _ => Err(Odd),
        }
    }

    /// A value at a node of the trie, which begins at `at` with this byte; returns where it ends.
    #[inline]
    fn value(&mut self, node: &'w Node, (at, first): (usize, u8)) -> Result<usize, Odd> {
        let (core, slots) = (self.core, self.trie.slots(node));
        for slot in slots {
            self.state.find(core, *slot);
        }
        match first {
            b'"' => {
                let end = self.marked.index.next_quote(at + 1);
                self.string(node, at + 1, end)?;
                Ok(end + 1)
            }
            b'{' | b'[' => self.nested(node, at),
            _ => {
                let end = scalar_end(self.bytes, at);
                if !slots.is_empty() {
                    self.scalar(slots, &self.bytes[at..end])?;
                } else if !matches!(first, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') {
                    return Err(Odd);
                }
                Ok(end)
            }
        }
    }

    fn scalar(&mut self, slots: &[u32], written: &[u8]) -> Result<(), Odd> {
        let core = self.core;
        let mut hits = self.hits();
        let scalar = value::parse(written, 0).map_err(|_| Odd)?.value;
        for number in slots {
            match scalar {
                Value::Null => hits.state.find_null(*number),
                _ => core.slots[*number as usize].value(&scalar, &mut hits),
            }
        }
        Ok(())
    }

    /// The string whose text stands at `start..end`.
    fn string(&mut self, node: &'w Node, start: usize, end: usize) -> Result<(), Odd> {
        if self.trie.slots(node).is_empty() && !node.goes_on() {
            return Ok(());
        }
        let text = &self.bytes[start..end];
        if !self.marked.index.has_backslash(start, end) {
            return self.text(node, text, self.marked.index.is_ascii());
        }
        let mut plain = std::mem::take(&mut self.buffers.plain);
        plain.clear();
        let written = from_utf8(text).map_err(|_| Odd)?;
        value::unescape(written, &mut plain).map_err(|_| Odd)?;
        let told = self.text(node, plain.as_bytes(), plain.is_ascii());
        self.buffers.plain = plain;
        told
    }

    /// A text without its escapes.
    fn text(&mut self, node: &'w Node, text: &[u8], ascii: bool) -> Result<(), Odd> {
        let (core, trie) = (self.core, self.trie);
        // Text that is JSON only looks like text.
        if node.json_text && node.goes_on() {
            let open = text.trim_ascii_start().first();
            if matches!(open, Some(b'{' | b'[')) {
                for slot in trie.below(node) {
                    self.state.leave_slot_open(core, *slot);
                }
            }
        }
        let mut hits = self.hits();
        for number in trie.slots(node) {
            let slot = &core.slots[*number as usize];
            if slot.reads_values() {
                slot.text(*number, text, ascii, &mut hits);
                if !node.readings.is_empty() {
                    for value in made(node, text).ok_or(Odd)? {
                        slot.value(&value, &mut hits);
                    }
                }
            }
        }
        Ok(())
    }

    /// The array or object that the next pair holds.
    fn nested(&mut self, node: &'w Node, at: usize) -> Result<usize, Odd> {
        let core = self.core;
        let number = self.pair;
        let pair = *self.pairs.get(number).ok_or(Odd)?;
        if pair.open as usize != at {
            return Err(Odd);
        }
        let slots = self.trie.slots(node);
        let mut reads_values = false;
        for slot in slots {
            let field = &core.slots[*slot as usize];
            reads_values |= field.reads_values();
            if field.reads_json {
                self.state.leave_text_open(core, *slot);
            }
        }
        if reads_values && self.bytes[at] == b'[' {
            self.elements(node)?;
            self.pair = number;
        }
        if node.goes_on() {
            self.go_on(node)?;
        }
        self.pair = pair.next as usize;
        Ok(pair.close as usize + 1)
    }

    /// The scalars of the array that the next pair holds, at any depth of arrays.
    fn elements(&mut self, node: &'w Node) -> Result<(), Odd> {
        self.array(|walk, at| match walk.byte(at)? {
            b'[' => walk.inner(|walk| walk.elements(node)),
            b'"' => {
                let end = walk.marked.index.next_quote(at + 1);
                walk.string(node, at + 1, end)?;
                Ok(end + 1)
            }
            b'-' | b'0'..=b'9' | b't' | b'f' => {
                let end = scalar_end(walk.bytes, at);
                walk.scalar(walk.trie.slots(node), &walk.bytes[at..end])?;
                Ok(end)
            }
            first => walk.skip(at, first),
        })
    }

    /// Follows the paths into the object or array that the next pair holds.
    fn go_on(&mut self, node: &'w Node) -> Result<(), Odd> {
        if self.bytes[self.pairs[self.pair].open as usize] == b'{' {
            return self.object(node);
        }
        self.array(|walk, at| match walk.byte(at)? {
            b'{' | b'[' => walk.inner(|walk| walk.go_on(node)),
            b'"' => {
                let end = walk.marked.index.next_quote(at + 1);
                walk.element(node, at + 1, end);
                Ok(end + 1)
            }
            first => walk.skip(at, first),
        })
    }

    /// Goes over the array that the next pair holds; `each` takes the element at a place and says
    /// where it ends.
    fn array(
        &mut self,
        mut each: impl FnMut(&mut Self, usize) -> Result<usize, Odd>,
    ) -> Result<(), Odd> {
        let pair = self.pairs[self.pair];
        let close = pair.close as usize;
        self.pair += 1;
        let mut at = blanks(self.bytes, pair.open as usize + 1);
        if at == close {
            return Ok(());
        }
        loop {
            let end = each(self, at)?;
            at = blanks(self.bytes, end);
            match self.byte(at)? {
                b',' => at = blanks(self.bytes, at + 1),
                b']' if at == close => return Ok(()),
                _ => return Err(Odd),
            }
        }
    }

    /// Goes into what the next pair holds; returns where that ends.
    fn inner(&mut self, into: impl FnOnce(&mut Self) -> Result<(), Odd>) -> Result<usize, Odd> {
        let pair = self.pairs[self.pair];
        into(self)?;
        self.pair = pair.next as usize;
        Ok(pair.close as usize + 1)
    }

    /// Text as an element of an array in which paths go on.
    fn element(&mut self, node: &'w Node, start: usize, end: usize) {
        if node.json_text && end > start {
            for slot in self.trie.below(node) {
                self.state.leave_slot_open(self.core, *slot);
            }
        }
    }
}

/// What a text stands for besides itself; `None` if it is not UTF-8.
fn made(node: &Node, text: &[u8]) -> Option<Vec<Value<'static>>> {
    let text = Text::new(from_utf8(text).ok()?.into());
    let all = node.readings.iter();
    Some(
        all.flat_map(|reading| stands_for(*reading, &text))
            .collect(),
    )
}
