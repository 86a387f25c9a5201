//! Which key comes next.
//!
//! Objects of one kind hold the same keys in the same order, nearly always. Who remembers the order
//! of the last one can hold the bytes against the key that is due, and need not look for where the
//! key ends or what it leads to.

use super::trie::{Edge, NONE};
use crate::scan::Spelling;

/// Most keys that are remembered for one program and thread.
const KEYS_MAX: usize = 4_096;

/// Most bytes of a key that is remembered, with its quotes and the colon.
const KEY_BYTES_MAX: usize = 128;

/// Most keys of one object that are looked for among those remembered: an object of many keys that
/// nobody has seen before must not cost their product.
const MISSES_MAX: u32 = 16;

/// Most keys that may be missing between two that are remembered one after the other.
const GAP_MAX: usize = 3;

/// The keys that a thread has seen in the objects that a program walks into.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    /// For each node of the trie the first key of its last object.
    first: Vec<u32>,
    /// For each node the key that was learnt last; the others follow by `sibling`.
    learnt: Vec<u32>,
    keys: Vec<Key>,
}

/// A key at a node.
#[derive(Debug)]
struct Key {
    spelling: Spelling,
    edge: Edge,
    /// The key that came next.
    next: u32,
    /// Another key of this node.
    sibling: u32,
}

/// How far an object's keys have been read.
#[derive(Debug)]
pub(super) struct Trail {
    node: u32,
    /// The key that was read last, if it is remembered.
    last: u32,
    /// The key that is due.
    due: u32,
    misses: u32,
}

/// A key that was due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Foreseen {
    /// Where it leads; to [`NONE`] if rules do not ask for it.
    pub(super) edge: Edge,
    /// How many bytes it takes, its quotes and the colon included.
    pub(super) len: usize,
}

impl Guesses {
    /// An object at `node` begins.
    #[inline]
    pub(super) fn begin(&self, node: u32) -> Trail {
        let due = self.first.get(node as usize);
        Trail {
            node,
            last: NONE,
            due: due.copied().unwrap_or(NONE),
            misses: 0,
        }
    }

    /// The key that is due, if it stands at `at` with its quotes and the colon.
    #[inline]
    pub(super) fn foresee(&self, trail: &mut Trail, bytes: &[u8], at: usize) -> Option<Foreseen> {
        let key = self.keys.get(trail.due as usize)?;
        if !key.spelling.stands(bytes, at) {
            return None;
        }
        trail.last = trail.due;
        trail.due = key.next;
        Some(Foreseen {
            edge: key.edge,
            len: key.spelling.size(),
        })
    }

    /// A key that comes somewhat later than the one that is due, if it stands at `at`.
    pub(super) fn skip(&self, trail: &mut Trail, bytes: &[u8], at: usize) -> Option<Foreseen> {
        for _ in 0..GAP_MAX {
            trail.due = self.keys.get(trail.due as usize)?.next;
            if let Some(foreseen) = self.foresee(trail, bytes, at) {
                return Some(foreseen);
            }
        }
        None
    }

    /// Remembers that this key, written with its quotes and the colon, came next.
    pub(super) fn learn(&mut self, trail: &mut Trail, text: &[u8], edge: Edge) {
        trail.due = NONE;
        trail.misses += 1;
        let known = if trail.misses > MISSES_MAX || text.len() > KEY_BYTES_MAX {
            None
        } else {
            self.find(trail.node, text)
                .or_else(|| self.add(trail.node, text, edge))
        };
        let Some(known) = known else {
            trail.last = NONE;
            return;
        };
        match self.keys.get_mut(trail.last as usize) {
            Some(last) => last.next = known,
            None if trail.misses == 1 => self.first[trail.node as usize] = known,
            None => {}
        }
        trail.last = known;
        trail.due = self.keys[known as usize].next;
    }

    fn find(&self, node: u32, text: &[u8]) -> Option<u32> {
        let mut number = *self.learnt.get(node as usize)?;
        loop {
            let key = self.keys.get(number as usize)?;
            if key.spelling.text() == text {
                return Some(number);
            }
            number = key.sibling;
        }
    }

    fn add(&mut self, node: u32, text: &[u8], edge: Edge) -> Option<u32> {
        if self.keys.len() == KEYS_MAX {
            return None;
        }
        let nodes = node as usize + 1;
        if self.learnt.len() < nodes {
            self.learnt.resize(nodes, NONE);
            self.first.resize(nodes, NONE);
        }
        let number = u32::try_from(self.keys.len()).ok()?;
        self.keys.push(Key {
            spelling: Spelling::new(text),
            edge,
            next: NONE,
            sibling: std::mem::replace(&mut self.learnt[node as usize], number),
        });
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads keys as a walk does; says which were foreseen.
    fn read(guesses: &mut Guesses, at: u32, keys: &[&str]) -> Vec<bool> {
        let mut trail = guesses.begin(at);
        let each = keys.iter().map(|key| {
            let (text, bytes) = (format!("\"{key}\":"), format!("\"{key}\":\"value\"}}"));
            let bytes = bytes.as_bytes();
            let foreseen = guesses.foresee(&mut trail, bytes, 0);
            let found = foreseen.or_else(|| guesses.skip(&mut trail, bytes, 0));
            let node = key.len().try_into().unwrap();
            let edge = Edge { node, group: 0 };
            match found {
                Some(found) => assert_eq!((found.edge, found.len), (edge, text.len())),
                None => guesses.learn(&mut trail, text.as_bytes(), edge),
            }
            foreseen.is_some()
        });
        each.collect()
    }

    #[test]
    fn keys_in_the_order_of_the_last_object_are_foreseen() {
        let mut guesses = Guesses::default();
        let keys = ["a", "callerIpAddress", "properties", "x234567890123456789"];
        assert_eq!(read(&mut guesses, 3, &keys), [false; 4]);
        assert_eq!(read(&mut guesses, 3, &keys), [true; 4]);
        assert_eq!(read(&mut guesses, 2, &keys), [false; 4]);
    }

    #[test]
    fn only_the_very_key_is_foreseen() {
        let keys = [
            "",
            "a",
            "abcde",
            "abcdef",
            "abcdefg",
            "abcdefghijklmno",
            "abcdefghijklmnopq",
        ];
        for key in keys {
            for place in 0..key.len() {
                let mut other = key.to_owned();
                other.replace_range(place..=place, "-");
                let mut guesses = Guesses::default();
                read(&mut guesses, 0, &[key]);
                assert_eq!(read(&mut guesses, 0, &[&other]), [false], "{key} {other}");
                assert_eq!(read(&mut guesses, 0, &[&other]), [true]);
            }
            for other in keys.iter().filter(|other| **other != key) {
                let mut guesses = Guesses::default();
                read(&mut guesses, 0, &[key]);
                assert_eq!(read(&mut guesses, 0, &[other]), [false], "{key} {other}");
            }
        }
    }

    #[test]
    fn keys_that_are_sometimes_missing_do_not_unlearn_the_order() {
        let mut guesses = Guesses::default();
        let all = ["a", "b", "c", "d"];
        read(&mut guesses, 0, &all);
        assert_eq!(read(&mut guesses, 0, &["a", "d"]), [true, false]);
        assert_eq!(read(&mut guesses, 0, &["b", "c"]), [false, true]);
        assert_eq!(read(&mut guesses, 0, &all), [true; 4]);
    }

    #[test]
    fn a_new_order_is_learnt() {
        let mut guesses = Guesses::default();
        let (one, other) = (["a", "b", "c", "d", "e"], ["e", "d", "c", "b", "a"]);
        read(&mut guesses, 0, &one);
        read(&mut guesses, 0, &other);
        assert_eq!(read(&mut guesses, 0, &other), [true; 5]);
        assert_eq!(guesses.keys.len(), 5);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut guesses = Guesses::default();
        for round in 0..1_000 {
            let keys: Vec<String> = (0..40).map(|key| format!("{round}-{key}")).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            read(&mut guesses, 0, &keys);
            let one = u32::try_from(guesses.keys.len()).unwrap();
            assert!(one <= 16 * (round + 1));
        }
        assert_eq!(guesses.keys.len(), KEYS_MAX);
        read(&mut guesses, 1, &[&"k".repeat(200)]);
        assert_eq!(guesses.keys.len(), KEYS_MAX);
    }
}
