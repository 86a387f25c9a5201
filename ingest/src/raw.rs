//! A JSON value as it stands in its record, and the elements of a list.

use palisade_detect::scan::{Index, Marked, blanks};

use crate::json::{Around, Scanner, ends_scalar};

/// A value, with its marks if it is an object or list of a payload that has them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Raw<'a> {
    /// Its bytes.
    Bytes(&'a [u8]),
    /// An object or list.
    Marked(Marked<'a>),
}

impl<'a> Raw<'a> {
    /// The value's bytes.
    #[inline]
    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Marked(marked) => marked.bytes(),
        }
    }
}

/// The elements of a list whose borders are sound, up to what is none; nothing if it is no list.
#[derive(Debug)]
pub(crate) struct Elements<'a> {
    bytes: &'a [u8],
    /// Where the next element or a comma stands.
    at: usize,
    way: Way<'a>,
}

/// How the end of an element is found. Both ways find the same.
#[derive(Debug)]
enum Way<'a> {
    Marks {
        index: &'a Index,
        /// The next bracket pair that opens at or behind the place.
        pair: u32,
    },
    Bytes(Scanner<'a>),
}

impl<'a> Elements<'a> {
    pub(crate) fn of(list: Raw<'a>) -> Self {
        let (bytes, start, way) = match list {
            Raw::Bytes(bytes) => (bytes, 0, Way::Bytes(Scanner::new(bytes))),
            Raw::Marked(Marked {
                index,
                payload,
                pair,
            }) => {
                let open = index.pairs()[pair as usize].open as usize;
                let pair = pair + 1;
                (payload, open, Way::Marks { index, pair })
            }
        };
        let at = if bytes.get(start) == Some(&b'[') {
            start + 1
        } else {
            bytes.len()
        };
        Self { bytes, at, way }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Raw<'a>;

    #[inline]
    fn next(&mut self) -> Option<Raw<'a>> {
        let mut at = blanks(self.bytes, self.at);
        if self.bytes.get(at) == Some(&b',') {
            at = blanks(self.bytes, at + 1);
        }
        self.at = at;
        match &mut self.way {
            Way::Bytes(json) => {
                let value = json.value(at, Around::Array).ok()?;
                self.at = value.range.end;
                self.bytes.get(value.range).map(Raw::Bytes)
            }
            Way::Marks { index, pair } => {
                let end = match self.bytes.get(at)? {
                    b'"' => index.next_quote(at + 1) + 1,
                    b'{' | b'[' => {
                        let number = *pair;
                        let found = index.pairs().get(number as usize)?;
                        *pair = found.next;
                        self.at = found.close as usize + 1;
                        return Some(Raw::Marked(Marked {
                            index,
                            payload: self.bytes,
                            pair: number,
                        }));
                    }
                    b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                        let rest = &self.bytes[at..];
                        let length = rest.iter().position(|byte| ends_scalar(*byte));
                        at + length.unwrap_or(rest.len())
                    }
                    _ => return None,
                };
                self.at = end;
                self.bytes.get(at..end).map(Raw::Bytes)
            }
        }
    }
}
