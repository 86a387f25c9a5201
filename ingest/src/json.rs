//! Borders of JSON values in untrusted bytes, without recursion and without a tree.
//!
//! The scanner pairs brackets and strings and reads no further: whether numbers, literals and
//! commas are right is checked when the event is parsed. It works on bytes, so text that is not
//! UTF-8 has borders too. Every function is linear in what it moves over.

use std::borrow::Cow;
use std::ops::Range;

use palisade_detect::scan::is_blank;

/// A value that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    /// Its bytes.
    pub(crate) range: Range<usize>,
    /// How deep it nests: 0 for a scalar, 1 for `{}`.
    pub(crate) depth: usize,
}

/// Why a value has no end where one was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where reading could not go on.
    pub(crate) byte: usize,
    /// What is wrong.
    pub(crate) kind: FaultKind,
    /// Where a neighbour may begin.
    pub(crate) resume: usize,
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The bytes end inside it.
    Truncated,
    /// It is closed by the wrong bracket.
    Bracket,
    /// Something else stands where this was expected.
    Expected(&'static str),
}

impl Fault {
    fn truncated(bytes: &[u8]) -> Self {
        Self {
            byte: bytes.len(),
            kind: FaultKind::Truncated,
            resume: bytes.len(),
        }
    }
}

/// What a value stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Around {
    /// Nothing.
    Nothing,
    /// An object.
    Object,
    /// An array.
    Array,
}

impl Around {
    fn closed_by(self, bracket: u8) -> bool {
        matches!((self, bracket), (Self::Object, b'}') | (Self::Array, b']'))
    }
}

/// Moves over JSON text.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    /// Closing brackets that are awaited, outermost first; kept to reuse its memory.
    awaited: Vec<u8>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            awaited: Vec::new(),
        }
    }

    /// The byte at `at`, if there is one.
    pub(crate) fn peek(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// The first place at or after `at` that is no JSON blank.
    pub(crate) fn blanks(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + rest
            .iter()
            .position(|byte| !is_blank(*byte))
            .unwrap_or(rest.len())
    }

    /// The value that begins at `at`, inside something that `around` closes.
    pub(crate) fn value(&mut self, at: usize, around: Around) -> Result<Value, Fault> {
        match self.peek(at) {
            None => Err(Fault::truncated(self.bytes)),
            Some(b'"') => {
                let end = string_end(self.bytes, at).ok_or(Fault::truncated(self.bytes))?;
                Ok(Value {
                    range: at..end,
                    depth: 0,
                })
            }
            Some(b'{' | b'[') => self.nested(at, around),
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                let rest = self.bytes.get(at..).unwrap_or_default();
                let length = rest.iter().position(|byte| ends_scalar(*byte));
                Ok(Value {
                    range: at..at + length.unwrap_or(rest.len()),
                    depth: 0,
                })
            }
            Some(_) => {
                let kind = FaultKind::Expected("a value");
                Err(Fault {
                    byte: at,
                    kind,
                    resume: self.neighbour(at, around),
                })
            }
        }
    }

    /// The object or array that begins at `start`.
    ///
    /// A wrong closing bracket closes the innermost bracket of its kind, so that the neighbours of
    /// a broken value are found. If there is none it belongs to what is around the value, or, if
    /// that is closed by another one, to nothing.
    fn nested(&mut self, start: usize, around: Around) -> Result<Value, Fault> {
        self.awaited.clear();
        let mut at = start;
        let mut depth = 0;
        let mut wrong = None;
        while let Some(found) = next_structural(self.bytes, at) {
            at = found + 1;
            match self.bytes[found] {
                b'"' => {
                    at = string_end(self.bytes, found).ok_or(Fault::truncated(self.bytes))?;
                }
                b'{' => self.awaited.push(b'}'),
                b'[' => self.awaited.push(b']'),
                close => {
                    if self.awaited.last() == Some(&close) {
                        self.awaited.pop();
                    } else {
                        let wrong = *wrong.get_or_insert(found);
                        match self.awaited.iter().rposition(|awaited| *awaited == close) {
                            Some(opened) => self.awaited.truncate(opened),
                            None if around.closed_by(close) => return Err(bracket(wrong, found)),
                            None => {}
                        }
                    }
                    if self.awaited.is_empty() {
                        return match wrong {
                            None => Ok(Value {
                                range: start..at,
                                depth,
                            }),
                            Some(wrong) => Err(bracket(wrong, at)),
                        };
                    }
                }
            }
            depth = depth.max(self.awaited.len());
        }
        Err(Fault::truncated(self.bytes))
    }

    /// Moves from inside an object to its next member: where the key's text stands and its value begins;
    /// `None` and the place behind the closing bracket at the object's end.
    pub(crate) fn member(&self, at: usize) -> Result<(Option<Range<usize>>, usize), Fault> {
        let expected = |byte: usize, what| match self.peek(byte) {
            None => Fault::truncated(self.bytes),
            Some(_) => Fault {
                byte,
                kind: FaultKind::Expected(what),
                resume: byte,
            },
        };
        let mut at = self.blanks(at);
        if self.peek(at) == Some(b',') {
            at = self.blanks(at + 1);
        }
        match self.peek(at) {
            Some(b'}') => return Ok((None, at + 1)),
            Some(b'"') => {}
            _ => return Err(expected(at, "a key in quotes")),
        }
        let end = string_end(self.bytes, at).ok_or(Fault::truncated(self.bytes))?;
        let colon = self.blanks(end);
        if self.peek(colon) != Some(b':') {
            return Err(expected(colon, "a colon"));
        }
        Ok((Some(at + 1..end - 1), self.blanks(colon + 1)))
    }

    /// The next comma or closing bracket at the level of `at`, or the end.
    pub(crate) fn neighbour(&mut self, mut at: usize, around: Around) -> usize {
        while let Some(byte) = self.peek(at) {
            at = match byte {
                b',' | b']' | b'}' => return at,
                b'"' | b'{' | b'[' => match self.value(at, around) {
                    Ok(value) => value.range.end,
                    Err(fault) => fault.resume.max(at + 1),
                },
                _ => at + 1,
            };
        }
        at
    }
}

fn bracket(byte: usize, resume: usize) -> Fault {
    Fault {
        byte,
        kind: FaultKind::Bracket,
        resume,
    }
}

pub(crate) fn ends_scalar(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b',' | b']' | b'}' | b':' | b'"' | b'{' | b'[')
}

fn next_structural(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let found = rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'))?;
    Some(at + found)
}

/// The place behind the string whose opening quote stands at `start`.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[found] == b'"' {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

/// The text that a raw JSON value is, its escapes resolved.
pub(crate) fn text(raw: &[u8]) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice::<String>(raw).ok().map(Cow::Owned)
}

/// The same as bytes: of text that is UTF-8, for comparing without checking that it is.
pub(crate) fn text_bytes(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if memchr::memchr(b'\\', inner).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    let text = serde_json::from_slice::<String>(raw).ok()?;
    Some(Cow::Owned(text.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Value, Fault> {
        Scanner::new(text.as_bytes()).value(0, Around::Object)
    }

    #[test]
    fn brackets_in_strings_and_escaped_quotes_do_not_move_borders() {
        let text = r#"{"a":"}]\"\\","b":[{},[1]]},"#;
        assert_eq!(
            value(text),
            Ok(Value {
                range: 0..text.len() - 1,
                depth: 3
            })
        );
    }

    #[test]
    fn wrong_bracket_ends_the_innermost_of_its_kind() {
        let fault = value(r#"{"a":[1}, 2"#).expect_err("wrong bracket");
        assert_eq!(
            (fault.byte, fault.kind, fault.resume),
            (7, FaultKind::Bracket, 8)
        );
        let outer = value("[1}").expect_err("belongs to what is around");
        assert_eq!((outer.byte, outer.resume), (2, 2));
        let stray = Scanner::new(b"[1}],2")
            .value(0, Around::Array)
            .expect_err("belongs to nothing");
        assert_eq!((stray.byte, stray.resume), (2, 4));
    }

    #[test]
    fn text_that_ends_inside_a_value_is_truncated() {
        for text in ["{", "[1,", r#"{"a"#, r#""a\"#, r#"{"a":"b\""#] {
            let fault = value(text).expect_err(text);
            assert_eq!(
                (fault.kind, fault.byte),
                (FaultKind::Truncated, text.len()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_hundred_thousand_levels_need_no_stack() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(value(&deep).map(|value| value.depth), Ok(100_000));
    }
}
