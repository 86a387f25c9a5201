//! Keys that were seen before, held against the bytes where they are due.

/// Bytes of a word, by which spellings are compared.
const WORD: usize = 8;

/// How a key is written, with its quotes and the colon. Most are two or three words, for which a
/// call that compares is too much.
#[derive(Debug, Clone)]
pub struct Spelling {
    /// Its first eight bytes, and its last, so far as it has them.
    ends: [u64; 2],
    /// The bits of a word that count.
    mask: u64,
    /// Where its last word begins.
    last: u32,
    text: Box<[u8]>,
}

impl Spelling {
    /// Takes a text.
    pub fn new(text: &[u8]) -> Self {
        let filled = text.len().min(WORD);
        let mut head = [0; WORD];
        head[..filled].copy_from_slice(&text[..filled]);
        let tail = text.last_chunk().copied().unwrap_or(head);
        Self {
            ends: [head, tail].map(u64::from_le_bytes),
            mask: u64::from_le_bytes(std::array::from_fn(|place| {
                if place < filled { u8::MAX } else { 0 }
            })),
            last: u32::try_from(text.len().saturating_sub(WORD)).unwrap_or(u32::MAX),
            text: text.into(),
        }
    }

    /// Whether the text stands at `at` of `bytes`. Of a text shorter than a word and so near to the end
    /// that no word is left, it says no.
    #[inline]
    pub fn stands(&self, bytes: &[u8], at: usize) -> bool {
        let last = self.last as usize;
        let found = bytes.get(at..).and_then(|rest| rest.get(..last + WORD));
        let Some(found) = found else { return false };
        let (Some(first), Some(end)) = (found.first_chunk(), found.last_chunk()) else {
            return false;
        };
        let differs =
            (u64::from_le_bytes(*first) ^ self.ends[0]) | (u64::from_le_bytes(*end) ^ self.ends[1]);
        differs & self.mask == 0 && (last <= WORD || self.stands_within(found))
    }

    /// Whether the words between the first and the last stand in `found`, which is as long.
    #[inline]
    fn stands_within(&self, found: &[u8]) -> bool {
        let (found, own) = (found.as_chunks::<WORD>().0, self.text.as_chunks::<WORD>().0);
        let words = found.len().min(own.len());
        let mut place = 1;
        while place < words && found[place] == own[place] {
            place += 1;
        }
        place >= words
    }

    /// The text.
    #[inline]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// How many bytes it takes.
    #[inline]
    pub fn size(&self) -> usize {
        self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEHIND: &str = "--------";

    #[test]
    fn only_the_very_text_stands() {
        let all: Vec<String> = (0..80)
            .map(|len| {
                (0..len)
                    .map(|place| char::from(b'a' + place % 26))
                    .collect()
            })
            .collect();
        for text in &all {
            let spelling = Spelling::new(text.as_bytes());
            assert_eq!(spelling.size(), text.len());
            for other in &all {
                let bytes = format!("{BEHIND}{other}{BEHIND}");
                let begins = other.len() >= text.len();
                assert_eq!(
                    spelling.stands(bytes.as_bytes(), 8),
                    begins,
                    "{text} {other}"
                );
            }
            for place in 0..text.len() {
                let mut other = text.clone();
                other.replace_range(place..=place, "+");
                let bytes = format!("{other}{BEHIND}");
                assert!(!spelling.stands(bytes.as_bytes(), 0), "{text} {other}");
            }
        }
    }

    #[test]
    fn nothing_stands_where_the_bytes_end() {
        let spelling = Spelling::new(b"\"key\":");
        assert!(spelling.stands(b"\"key\":12", 0));
        for at in 1..20 {
            assert!(!spelling.stands(b"\"key\":12", at));
        }
        assert!(!spelling.stands(b"\"key\":", 0));
        assert!(!spelling.stands(b"", usize::MAX));
    }
}
