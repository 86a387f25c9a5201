//! Small steps between the marks.

/// Whether a byte is a blank between the parts of JSON.
#[inline]
pub fn is_blank(byte: u8) -> bool {
    const BLANKS: u64 = 1 << b' ' | 1 << b'\t' | 1 << b'\n' | 1 << b'\r';
    byte <= b' ' && BLANKS >> byte & 1 == 1
}

/// The first place at or behind `at` that is no blank.
#[inline]
pub fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).copied().is_some_and(is_blank) {
        at += 1;
    }
    at
}

/// The bytes that end a number or word.
const ENDS_SCALAR: [bool; 256] = {
    let mut ends = [false; 256];
    let mut all: &[u8] = b" \t\n\r,}]\"{[";
    while let [first, rest @ ..] = all {
        ends[*first as usize] = true;
        all = rest;
    }
    ends
};

/// Where a number or word that begins at `at` ends: at a blank, a comma or a bracket, or at a quote,
/// behind which whoever went on would take text for structure.
#[inline]
pub fn scalar_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let len = rest.iter().position(|byte| ENDS_SCALAR[usize::from(*byte)]);
    len.map_or(bytes.len(), |len| at + len)
}
