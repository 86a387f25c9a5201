//! JSON bytes to a tree: RFC 8259 as it stands, with the byte of whatever is wrong.

use std::borrow::Cow;

use super::text::escaped;
use super::{Object, Text, Value};

/// A tree and what was noticed while reading it.
#[derive(Debug)]
pub struct Parsed<'a> {
    /// The value.
    pub value: Value<'a>,
    /// Objects that held a key twice.
    pub duplicate_keys: u32,
}

/// Why bytes are no JSON value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The bytes are not UTF-8.
    #[error("not UTF-8 at byte {byte}")]
    NotUtf8 {
        /// Where.
        byte: usize,
    },
    /// The text is not JSON.
    #[error("not JSON at byte {byte}: {message}")]
    Syntax {
        /// Where.
        byte: usize,
        /// What was expected.
        message: &'static str,
    },
    /// Nested deeper than the limit.
    #[error("nested deeper than the limit")]
    TooDeep,
}

/// Reads one JSON value that is nested at most `depth` levels deep.
///
/// # Errors
/// When the bytes are not exactly one JSON value.
pub fn parse(bytes: &[u8], depth: usize) -> Result<Parsed<'_>, ParseError> {
    let text = std::str::from_utf8(bytes).map_err(|error| ParseError::NotUtf8 {
        byte: error.valid_up_to(),
    })?;
    let mut parser = Parser {
        text,
        at: 0,
        duplicate_keys: 0,
    };
    parser.blanks();
    let value = parser.value(depth)?;
    parser.blanks();
    if parser.at < text.len() {
        return parser.fail("expected the end after one value");
    }
    Ok(Parsed {
        value,
        duplicate_keys: parser.duplicate_keys,
    })
}

/// Adds what a string's text between its quotes stands for to `out`.
///
/// # Errors
/// When an escape is none of JSON's.
pub(crate) fn unescape(text: &str, out: &mut String) -> Result<(), ParseError> {
    let mut parser = Parser {
        text,
        at: 0,
        duplicate_keys: 0,
    };
    while let Some(next) = text.as_bytes().get(parser.at..) {
        let plain = next.iter().position(|byte| *byte == b'\\');
        let end = plain.map_or(text.len(), |plain| parser.at + plain);
        out.push_str(parser.slice(parser.at, end));
        if plain.is_none() {
            break;
        }
        parser.at = end;
        out.push(parser.escape()?);
    }
    Ok(())
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    duplicate_keys: u32,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn fail<T>(&self, message: &'static str) -> Result<T, ParseError> {
        Err(ParseError::Syntax {
            byte: self.at,
            message,
        })
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, ParseError> {
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Value::Text(Text::new(self.string()?))),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => self.fail("expected a value"),
            None => self.fail("expected a value, found the end"),
        }
    }

    fn word(&mut self, word: &'static str, value: Value<'a>) -> Result<Value<'a>, ParseError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return self.fail("expected `true`, `false` or `null`");
        }
        self.at += word.len();
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, ParseError> {
        let depth = depth.checked_sub(1).ok_or(ParseError::TooDeep)?;
        self.at += 1;
        let mut object = Object::default();
        let mut repeated = false;
        self.blanks();
        if self.take(b'}') {
            return Ok(Value::Object(object));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return self.fail("expected a key in quotes");
            }
            let key = self.string()?;
            self.blanks();
            if !self.take(b':') {
                return self.fail("expected `:` after the key");
            }
            self.blanks();
            let value = self.value(depth)?;
            repeated |= object.insert(key, value);
            self.blanks();
            if self.take(b'}') {
                self.duplicate_keys = self.duplicate_keys.saturating_add(u32::from(repeated));
                return Ok(Value::Object(object));
            }
            if !self.take(b',') {
                return self.fail("expected `,` or `}`");
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, ParseError> {
        let depth = depth.checked_sub(1).ok_or(ParseError::TooDeep)?;
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.blanks();
            items.push(self.value(depth)?);
            self.blanks();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return self.fail("expected `,` or `]`");
            }
        }
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at > start
    }

    fn number(&mut self) -> Result<Value<'a>, ParseError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') && !self.digits() {
            return self.fail("expected a digit");
        }
        if self.take(b'.') && !self.digits() {
            return self.fail("expected a digit after the point");
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'-') {
                self.take(b'+');
            }
            if !self.digits() {
                return self.fail("expected a digit in the exponent");
            }
        }
        Ok(Value::Number(Cow::Borrowed(self.slice(start, self.at))))
    }

    /// A part of the text; both ends stand beside ASCII characters.
    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The string whose opening quote stands here.
    fn string(&mut self) -> Result<Cow<'a, str>, ParseError> {
        self.at += 1;
        let mut start = self.at;
        let mut owned: Option<String> = None;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += escaped(rest).unwrap_or(rest.len());
            match self.peek() {
                Some(b'"') => {
                    let rest = self.slice(start, self.at);
                    self.at += 1;
                    return Ok(match owned {
                        None => Cow::Borrowed(rest),
                        Some(mut text) => {
                            text.push_str(rest);
                            Cow::Owned(text)
                        }
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_default();
                    text.push_str(self.slice(start, self.at));
                    let escaped = self.escape()?;
                    owned.get_or_insert_default().push(escaped);
                    start = self.at;
                }
                Some(_) => return self.fail("control character inside a string"),
                None => return self.fail("expected the string's closing quote"),
            }
        }
    }

    /// The character of the escape that begins here. Half a surrogate pair is no character; it
    /// becomes U+FFFD, so that the rest of the event can still be judged.
    fn escape(&mut self) -> Result<char, ParseError> {
        let start = self.at;
        self.at += 1;
        let plain = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at = start;
                return self.unicode_escape();
            }
            _ => return self.fail("unknown escape"),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self) -> Result<char, ParseError> {
        let first = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let after_first = self.at;
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if rest.starts_with(b"\\u") {
            let second = self.unit()?;
            if (0xdc00..0xe000).contains(&second) {
                let joined = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after_first;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    /// The number of the `\uXXXX` that begins here.
    fn unit(&mut self) -> Result<u32, ParseError> {
        self.at += 2;
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return self.fail("expected four hexadecimal digits");
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }
}
