//! "Did you mean": the nearest known word to a mistyped one.

/// Longest word that is compared, in characters; nobody mistypes a longer one into a known one.
const WORD_CHARS_MAX: usize = 64;
/// Most candidates that are looked at, so that a suggestion never costs noticeable time.
const CANDIDATES_MAX: usize = 1_000;

/// The candidate that `word` most probably stands for, if one is near enough.
///
/// Near is at most one edit per three characters (an edit inserts, drops, replaces or swaps), or a
/// difference in case only.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().take(WORD_CHARS_MAX + 1).count();
    if length == 0 || length > WORD_CHARS_MAX {
        return None;
    }
    let folded: Vec<char> = word.to_lowercase().chars().collect();
    let allowed = length / 3;
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.into_iter().take(CANDIDATES_MAX) {
        let chars: Vec<char> = candidate.to_lowercase().chars().collect();
        if candidate == word || chars.len() > WORD_CHARS_MAX {
            continue;
        }
        let distance = edits(&folded, &chars);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Help for an unknown word: the nearest known one, if one is near.
pub fn suggestion<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|near| format!("did you mean `{near}`?"))
}

/// Whether one edit makes one short word of the other.
pub(super) fn is_slip(word: &str, other: &str) -> bool {
    let (word, other): (Vec<char>, Vec<char>) = (
        word.chars().take(WORD_CHARS_MAX).collect(),
        other.chars().collect(),
    );
    edits(&word, &other) == 1
}

/// Number of insertions, deletions, replacements and swaps of neighbours between two words.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let mut least = (above[j] + usize::from(x != y))
                .min(above[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = above;
        above = row;
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODIFIERS: [&str; 5] = ["contains", "startswith", "re", "cidr", "lt"];

    #[test]
    fn mistyped_words_find_the_word_that_was_meant() {
        for (typed, meant) in [
            ("contian", "contains"),
            ("Contains", "contains"),
            ("contains_", "contains"),
            ("startwith", "startswith"),
            ("CIDR", "cidr"),
            ("RE", "re"),
        ] {
            assert_eq!(nearest(typed, MODIFIERS), Some(meant), "{typed}");
        }
    }

    #[test]
    fn words_far_from_all_known_ones_get_no_suggestion() {
        let long = "c".repeat(10_000);
        for typed in ["", "foo", "gt", "x", "endswithout", long.as_str()] {
            assert_eq!(nearest(typed, MODIFIERS), None, "{typed}");
        }
    }
}
