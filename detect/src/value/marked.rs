//! The tree of an object whose strings and brackets are known.
//!
//! The pass that made the marks has proven that strings are closed and hold no control character, and
//! that brackets belong together. What is left of the grammar is checked here, on the way to the tree:
//! that keys, colons, commas and values follow each other, and every escape, number and word.
//!
//! Only what is regular becomes a tree. A key with an escape or one that is given twice is left to
//! [`parse`](super::parse()), as is everything that is no JSON; a test holds both against each other.

use std::borrow::Cow;

use super::parse::unescape;
use super::{Member, Object, Text, Value};
use crate::scan::{Index, Marked, blanks};

/// Members up to which the keys of an object are told apart by looking at all of them.
const LISTED_MAX: usize = 128;

/// Bits for the prints of an object's keys, in words.
type Seen = [u64; 4];

/// The tree of an object, in which no key stands twice; `None` if the object is irregular, is not JSON
/// or is nested deeper than `depth` levels. `text` are its bytes.
pub(crate) fn read<'a>(marked: Marked<'_>, text: &'a str, depth: usize) -> Option<Value<'a>> {
    if marked.is_deeper_than(depth) {
        return None;
    }
    let base = marked.index.pairs().get(marked.pair as usize)?.open as usize;
    let mut reader = Reader {
        index: marked.index,
        text,
        base,
        bytes: marked.payload,
        at: base,
        members: Vec::with_capacity(LISTED_MAX),
        prints: Vec::with_capacity(LISTED_MAX),
        items: Vec::new(),
    };
    reader.value()
}

struct Reader<'i, 'a> {
    index: &'i Index,
    text: &'a str,
    /// Where the text begins in the payload.
    base: usize,
    /// The payload.
    bytes: &'i [u8],
    /// The place in the payload.
    at: usize,
    /// Members of the objects that are open.
    members: Vec<Member<'a>>,
    /// For each of them, and the one whose value is being read, a print of the key.
    prints: Vec<u64>,
    /// Items of the arrays that are open.
    items: Vec<Value<'a>>,
}

impl<'a> Reader<'_, 'a> {
    #[inline]
    fn slice(&self, start: usize, end: usize) -> Option<&'a str> {
        self.text.get(start - self.base..end - self.base)
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn blanks(&mut self) {
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.at = blanks(self.bytes, self.at);
        }
    }

    fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => {
                let (start, end, escaped) = self.string()?;
                let raw = self.slice(start, end)?;
                if !escaped {
                    return Some(Value::Text(Text::new(Cow::Borrowed(raw))));
                }
                let mut plain = String::with_capacity(raw.len());
                unescape(raw, &mut plain).ok()?;
                Some(Value::Text(Text::new(Cow::Owned(plain))))
            }
            b'{' => self.object(),
            b'[' => self.array(),
            b'-' | b'0'..=b'9' => {
                let start = self.at;
                self.at = number_end(self.bytes, start)?;
                let written = self.slice(start, self.at)?;
                Some(Value::Number(Cow::Borrowed(written)))
            }
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => None,
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Option<Value<'a>> {
        let rest = self.bytes.get(self.at..)?;
        self.at += word.len();
        rest.starts_with(word.as_bytes()).then_some(value)
    }

    /// Where the text between the quotes begins and ends, and whether it holds an escape; the place is
    /// then behind them.
    #[inline]
    fn string(&mut self) -> Option<(usize, usize, bool)> {
        let start = self.at + 1;
        let (end, escaped) = self.index.string(start);
        self.at = end + 1;
        (end < self.bytes.len()).then_some((start, end, escaped))
    }

    fn object(&mut self) -> Option<Value<'a>> {
        let first = (self.members.len(), self.prints.len());
        let mut seen = Seen::default();
        let mut dotted = false;
        self.at += 1;
        self.blanks();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(Value::Object(Object::default()));
        }
        loop {
            let key = self.key(first, &mut seen)?;
            dotted |= has_dot(key.as_bytes());
            let value = self.value()?;
            self.members.push((Cow::Borrowed(key), value));
            self.blanks();
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b',' => self.blanks(),
                b'}' => break,
                _ => return None,
            }
        }
        self.prints.truncate(first.1);
        let members = self.members.drain(first.0..);
        if members.len() <= LISTED_MAX {
            return Some(Value::Object(Object::of_distinct(
                members.collect(),
                dotted,
            )));
        }
        let mut object = Object::default();
        for (key, value) in members {
            if object.insert(key, value) {
                return None;
            }
        }
        Some(Value::Object(object))
    }

    /// The key that stands here, which the object has not had: its members and their prints begin at
    /// `first`, and `seen` holds a bit for each print. The place is then before the value.
    #[inline]
    fn key(&mut self, first: (usize, usize), seen: &mut Seen) -> Option<&'a str> {
        if self.peek()? != b'"' {
            return None;
        }
        let (start, end, escaped) = self.string()?;
        let key = self.slice(start, end).filter(|_| !escaped)?;
        let print = print(self.bytes, start, end);
        let word = &mut seen[(print >> 62) as usize];
        let bit = 1 << (print >> 56 & 63);
        if *word & bit != 0 && self.prints.len() - first.1 <= LISTED_MAX {
            let known = self.prints.get(first.1..)?.iter().enumerate();
            for (place, _) in known.filter(|(_, known)| **known == print) {
                if self.members.get(first.0 + place)?.0 == key {
                    return None;
                }
            }
        }
        *word |= bit;
        self.prints.push(print);
        self.blanks();
        if self.peek()? != b':' {
            return None;
        }
        self.at += 1;
        self.blanks();
        Some(key)
    }

    fn array(&mut self) -> Option<Value<'a>> {
        let first = self.items.len();
        self.at += 1;
        self.blanks();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(Value::Array(Vec::new()));
        }
        loop {
            let value = self.value()?;
            self.items.push(value);
            self.blanks();
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b',' => self.blanks(),
                b']' => return Some(Value::Array(self.items.drain(first..).collect())),
                _ => return None,
            }
        }
    }
}

/// A number of a key that other keys seldom have: of its length, beginning and end.
#[inline]
fn print(bytes: &[u8], start: usize, end: usize) -> u64 {
    let length = end - start;
    let eight = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        let chunk = rest.first_chunk().copied();
        u64::from_le_bytes(chunk.unwrap_or_else(|| {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            last
        }))
    };
    let (head, tail) = if length >= 8 {
        (eight(start), eight(end - 8))
    } else {
        (eight(start) & !(u64::MAX << (8 * length)), 0)
    };
    let mixed = head.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ tail.rotate_left(32) ^ length as u64;
    mixed.wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// Whether a key holds a dot; most have eight to sixteen bytes.
#[inline]
fn has_dot(key: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The high bit of the lowest byte that is a dot is set, if one is.
    let dots = |eight: [u8; 8]| {
        let others = u64::from_le_bytes(eight) ^ (ONES * u64::from(b'.'));
        others.wrapping_sub(ONES) & !others & (ONES << 7)
    };
    match (key.first_chunk(), key.last_chunk()) {
        (Some(first), Some(last)) if key.len() <= 16 => dots(*first) | dots(*last) != 0,
        _ => key.contains(&b'.'),
    }
}

/// Where the number that begins at `at` ends; `None` if it is none.
fn number_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let digits = |from: usize| {
        let mut at = from;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at > from).then_some(at)
    };
    at += usize::from(bytes.get(at) == Some(&b'-'));
    at = match bytes.get(at)? {
        b'0' => at + 1,
        _ => digits(at)?,
    };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits(at + 1 + usize::from(signed))?;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index as Place, select};

    use super::super::parse;
    use super::*;

    /// Deepest nesting that is read here.
    const DEPTH: usize = 6;

    /// A string as it is written, mostly one that JSON has.
    fn string() -> impl Strategy<Value = String> {
        let escapes = r#"\\["\\\\/bfnrtu]|\\u[0-9a-fA-F]{3,4}|\\ud83d\\ude00|\\ud800"#;
        let piece = prop_oneof![
            8 => "[a-c]{0,12}".boxed(),
            2 => escapes.boxed(),
            1 => select(vec!["é", "😀", "\u{7f}", "\u{1f}", "{", "]", ",", ":"]).prop_map(str::to_owned).boxed(),
        ];
        vec(piece, 0..3).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
    }

    fn scalar() -> impl Strategy<Value = String> {
        let numbers = "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?";
        let odd = vec![
            "01", "-", "1.", ".1", "1e", "+1", "0x1", "1e+", "nul", "True", "NaN", "",
        ];
        let words = vec!["true", "false", "null"];
        prop_oneof![
            6 => string().boxed(),
            4 => numbers.boxed(),
            2 => select(words).prop_map(str::to_owned).boxed(),
            1 => select(odd).prop_map(str::to_owned).boxed(),
        ]
    }

    fn blank() -> impl Strategy<Value = &'static str> {
        prop_oneof![12 => Just(""), 1 => select(vec![" ", "\t", "\r\n", "\u{b}", " \n "])]
    }

    /// A key: few different ones, so that some are given twice, and long ones that differ in the middle.
    fn key() -> impl Strategy<Value = String> {
        prop_oneof![
            6 => "\"[a-zA-Z]{1,3}\"".boxed(),
            3 => "\"properties\\.[ab]{3}\\.somewhere\"".boxed(),
            1 => string().boxed(),
        ]
    }

    fn json() -> impl Strategy<Value = String> {
        let parts = |open: char, parts: Vec<String>, close: char| {
            format!("{open}{}{close}", parts.join(","))
        };
        scalar().prop_recursive(7, 200, 12, move |inner| {
            let spaced = || (blank(), inner.clone(), blank());
            let item =
                spaced().prop_map(|(before, value, after)| format!("{before}{value}{after}"));
            let member = (blank(), key(), blank(), spaced())
                .prop_map(|(a, key, b, (c, value, d))| format!("{a}{key}{b}:{c}{value}{d}"));
            prop_oneof![
                3 => vec(member, 0..12).prop_map(move |all| parts('{', all, '}')),
                1 => vec(item, 0..4).prop_map(move |all| parts('[', all, ']')),
            ]
        })
    }

    /// A tree as JSON and with all that it holds besides.
    type Shown = (String, String);
    /// What is read by marks, and by the plain way with how many objects held a key twice.
    type Read = (Option<Shown>, Option<(Shown, u32)>);

    /// What both ways read of the first bracket pair of a payload.
    fn both(payload: &str) -> Option<Read> {
        let mut index = Index::default();
        index.read(payload.as_bytes()).ok()?;
        index.pairs().first()?;
        let marked = Marked {
            index: &index,
            payload: payload.as_bytes(),
            pair: 0,
        };
        let text = std::str::from_utf8(marked.bytes()).ok()?;
        let shown = |value: &Value<'_>| (value.to_json(), format!("{value:?}"));
        let tree = read(marked, text, DEPTH);
        if let Some(tree) = &tree {
            let (mut by_marks, mut by_tree) = (String::new(), String::new());
            super::super::write_marked(marked, text, &mut by_marks);
            tree.write_sorted(&mut by_tree);
            assert_eq!(by_marks, by_tree);
        }
        let ours = tree.map(|value| shown(&value));
        let plain = parse(marked.bytes(), DEPTH).ok();
        Some((
            ours,
            plain.map(|parsed| (shown(&parsed.value), parsed.duplicate_keys)),
        ))
    }

    fn agree(payload: &str) -> Result<(), TestCaseError> {
        let Some((ours, plain)) = both(payload) else {
            return Ok(());
        };
        match (ours, plain) {
            (Some(ours), Some((plain, 0))) => prop_assert_eq!(ours, plain),
            (Some(_), plain) => prop_assert!(false, "read, but {plain:?}"),
            // Keys with escapes are left to the plain way, and nothing else that is regular.
            (None, Some((_, 0))) => prop_assert!(payload.contains('\\'), "left out"),
            (None, _) => {}
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        #[test]
        fn a_tree_by_marks_is_the_plain_ways_tree(
            payload in json(),
            (cut, put) in (any::<Place>(), select(vec![b'"', b'\\', b'{', b']', b',', b':', b'0', b' ', b'e'])),
        ) {
            let around = format!(" {payload}");
            agree(&around)?;
            let mut spoilt = around.into_bytes();
            let place = cut.index(spoilt.len());
            spoilt[place] = put;
            if let Ok(spoilt) = std::str::from_utf8(&spoilt) {
                agree(spoilt)?;
            }
            spoilt.remove(place);
            if let Ok(spoilt) = std::str::from_utf8(&spoilt) {
                agree(spoilt)?;
            }
        }
    }

    #[test]
    fn an_object_of_many_members_is_read_unless_a_key_stands_twice() {
        for count in [1, 31, 32, 33, 127, 128, 129, 130, 500] {
            let mut members: Vec<String> = (0..count).map(|n| format!("\"k{n}\":{n}")).collect();
            let json = format!("{{{}}}", members.join(","));
            let (ours, plain) = both(&json).unwrap();
            assert_eq!(ours.map(|(ours, _)| ours), Some(json.clone()));
            assert_eq!(plain.map(|((plain, _), _)| plain), Some(json));
            members.push("\"k0\":1".to_owned());
            let (ours, plain) = both(&format!("{{{}}}", members.join(","))).unwrap();
            assert_eq!(ours, None);
            assert_eq!(plain.map(|(_, duplicates)| duplicates), Some(1));
        }
    }
}
