//! Small steps between the marks.

/// Whether a byte is a blank between the parts of JSON.
#[inline]
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The first place at or behind `at` that is no blank.
#[inline]
pub fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).copied().is_some_and(is_blank) {
        at += 1;
    }
    at
}

/// Where a number or word that begins at `at` ends: at a blank, a comma or a bracket, or at a quote,
/// behind which whoever went on would take text for structure.
#[inline]
pub fn scalar_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        if is_blank(*byte) || matches!(byte, b',' | b'}' | b']' | b'"' | b'{' | b'[') {
            break;
        }
        at += 1;
    }
    at
}
