//! Text with wildcards against a value, without backtracking.
//!
//! Runs of `*` cut a pattern into segments of fixed length. The first stands at the value's start
//! and the last at its end unless a run is there; for those between, the leftmost place that fits
//! is as good as any other, so each is looked for once.

use crate::casing;
use crate::rule::item::{Anchor, Case};
use crate::rule::text::{Part, SigmaText};
use crate::value::Text;

/// A compiled pattern.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    case: Case,
    /// Segments between runs; one segment means that there is no run.
    segments: Vec<Segment>,
}

/// What a pattern asks for, if that is one literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape<'g> {
    /// The value is this.
    Whole(&'g str),
    /// The value begins with this.
    Start(&'g str),
    /// The value ends with this.
    End(&'g str),
    /// The value holds this.
    Anywhere(&'g str),
    /// More than that; a value of this form holds the literal, which may be empty.
    Other(&'g str),
}

/// A piece of fixed length.
#[derive(Debug, Default, PartialEq, Eq)]
struct Segment {
    pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    AnyOne,
}

impl Glob {
    /// Compiles a pattern that stands at `anchor` in the value.
    pub(super) fn new(pattern: &SigmaText, anchor: Anchor, case: Case) -> Self {
        let mut segments = vec![Segment::default()];
        if matches!(anchor, Anchor::End | Anchor::Anywhere) {
            segments.push(Segment::default());
        }
        for part in &pattern.parts {
            let piece = match part {
                Part::AnyRun => {
                    segments.push(Segment::default());
                    continue;
                }
                Part::AnyOne => Piece::AnyOne,
                Part::Literal(literal) => Piece::Literal(match case {
                    Case::Fold => casing::fold(literal).into_owned(),
                    Case::Exact => literal.clone(),
                }),
            };
            if let Some(segment) = segments.last_mut() {
                segment.pieces.push(piece);
            }
        }
        if matches!(anchor, Anchor::Start | Anchor::Anywhere) {
            segments.push(Segment::default());
        }
        Self { case, segments }
    }

    /// Whether case counts.
    pub(crate) fn case(&self) -> Case {
        self.case
    }

    /// What the pattern asks for; literals are folded unless case counts.
    pub(crate) fn shape(&self) -> Shape<'_> {
        let literals = || {
            let pieces = self.segments.iter().flat_map(|segment| &segment.pieces);
            pieces.filter_map(|piece| match piece {
                Piece::Literal(literal) => Some(literal.as_str()),
                Piece::AnyOne => None,
            })
        };
        let longest = literals().max_by_key(|literal| literal.len());
        let longest = longest.unwrap_or_default();
        let wild = |segment: &Segment| segment.pieces.iter().any(|p| matches!(p, Piece::AnyOne));
        if self.segments.iter().any(wild) || literals().count() > 1 {
            return Shape::Other(longest);
        }
        let full = |segment: Option<&Segment>| segment.is_some_and(|s| !s.pieces.is_empty());
        match self.segments.as_slice() {
            [_] => Shape::Whole(longest),
            [first, ..] if full(Some(first)) => Shape::Start(longest),
            [.., last] if full(Some(last)) => Shape::End(longest),
            _ => Shape::Anywhere(longest),
        }
    }

    /// Whether the value is of this form.
    pub(super) fn matches(&self, value: &Text<'_>) -> bool {
        let value = match self.case {
            Case::Fold => value.folded(),
            Case::Exact => value.raw(),
        };
        let [first, rest @ ..] = self.segments.as_slice() else {
            return false;
        };
        let Some(after) = first.strip_start(value) else {
            return false;
        };
        let [middle @ .., last] = rest else {
            return after.is_empty();
        };
        let Some(mut between) = last.strip_end(after) else {
            return false;
        };
        middle
            .iter()
            .all(|segment| match segment.strip_leftmost(between) {
                Some(rest) => {
                    between = rest;
                    true
                }
                None => false,
            })
    }
}

impl Segment {
    /// What follows this segment at the start of `value`.
    fn strip_start<'v>(&self, value: &'v str) -> Option<&'v str> {
        self.pieces
            .iter()
            .try_fold(value, |rest, piece| match piece {
                Piece::Literal(literal) => rest.strip_prefix(literal.as_str()),
                Piece::AnyOne => {
                    let mut chars = rest.chars();
                    chars.next().map(|_| chars.as_str())
                }
            })
    }

    /// What precedes this segment at the end of `value`.
    fn strip_end<'v>(&self, value: &'v str) -> Option<&'v str> {
        self.pieces
            .iter()
            .try_rfold(value, |rest, piece| match piece {
                Piece::Literal(literal) => rest.strip_suffix(literal.as_str()),
                Piece::AnyOne => {
                    let mut chars = rest.chars();
                    chars.next_back().map(|_| chars.as_str())
                }
            })
    }

    /// What follows the leftmost place of this segment in `value`.
    fn strip_leftmost<'v>(&self, value: &'v str) -> Option<&'v str> {
        match self.pieces.as_slice() {
            [] => Some(value),
            [Piece::Literal(literal)] => value.split_once(literal.as_str()).map(|(_, rest)| rest),
            _ => {
                let mut starts = value.char_indices().map(|(at, _)| at);
                starts.find_map(|at| value.get(at..).and_then(|rest| self.strip_start(rest)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, anchor: Anchor, value: &str) -> bool {
        let glob = Glob::new(&SigmaText::parse(pattern), anchor, Case::Fold);
        glob.matches(&Text::new(value.into()))
    }

    #[test]
    fn whole_value_is_of_the_patterns_form() {
        for (pattern, value, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "A", true),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a?c", "aöc", true),
            ("a?c", "ac", false),
            ("*ab*ab*", "abxab", true),
            ("*ab*ab*", "abab", true),
            ("*ab*ab*", "aab", false),
            ("*a?b*", "aaxb", true),
            ("?*?", "é", false),
            ("?*?", "éé", true),
            ("a*b", "a\n\nb", true),
            ("x*?y", "xy", false),
            ("*a*b*c", "abc", true),
            ("*a*b*c", "acb", false),
            ("a**b", "ab", true),
        ] {
            assert_eq!(
                matches(pattern, Anchor::Whole, value),
                expected,
                "{pattern} on {value}"
            );
        }
    }

    #[test]
    fn anchors_say_where_the_pattern_stands() {
        for (anchor, at) in [
            (Anchor::Whole, [true, false, false, false]),
            (Anchor::Start, [true, true, false, false]),
            (Anchor::End, [true, false, true, false]),
            (Anchor::Anywhere, [true, true, true, true]),
        ] {
            let values = ["a1c", "a2cx", "xa3c", "xa4cx"];
            let found = values.map(|value| matches("A?C", anchor, value));
            assert_eq!(found, at, "{anchor:?}");
        }
    }

    #[test]
    fn a_pattern_of_one_literal_says_so() {
        for (pattern, anchor, shape) in [
            ("a", Anchor::Whole, Shape::Whole("a")),
            ("", Anchor::Whole, Shape::Whole("")),
            ("*", Anchor::Whole, Shape::Anywhere("")),
            ("A*", Anchor::Whole, Shape::Start("a")),
            ("**a", Anchor::Whole, Shape::End("a")),
            ("*a**", Anchor::Whole, Shape::Anywhere("a")),
            ("a", Anchor::Start, Shape::Start("a")),
            ("a*", Anchor::End, Shape::Anywhere("a")),
            ("abc*d", Anchor::Whole, Shape::Other("abc")),
            ("a?bc", Anchor::Anywhere, Shape::Other("bc")),
            ("?", Anchor::Whole, Shape::Other("")),
        ] {
            let glob = Glob::new(&SigmaText::parse(pattern), anchor, Case::Fold);
            assert_eq!(glob.shape(), shape, "{pattern} {anchor:?}");
        }
    }

    #[test]
    fn many_wildcards_on_a_long_value_end() {
        let pattern = "*a".repeat(500) + "*b";
        let value = "a".repeat(100_000);
        assert!(!matches(&pattern, Anchor::Anywhere, &value));
    }

    proptest::proptest! {
        /// The regular expression says the same, one letter at a time.
        #[test]
        fn prop_agrees_with_a_regular_expression(
            pattern in "[ab*?]{0,8}",
            value in "[abé]{0,10}",
            anchor in 0_usize..4,
        ) {
            let anchor = [Anchor::Whole, Anchor::Start, Anchor::End, Anchor::Anywhere][anchor];
            let body = pattern.replace('*', ".*").replace('?', ".");
            let (start, end) = match anchor {
                Anchor::Whole => ("", ""),
                Anchor::Start => ("", ".*"),
                Anchor::End => (".*", ""),
                Anchor::Anywhere => (".*", ".*"),
            };
            let regex = regex::Regex::new(&format!(r"(?s)\A{start}{body}{end}\z")).expect("valid");
            proptest::prop_assert_eq!(matches(&pattern, anchor, &value), regex.is_match(&value));
        }
    }
}
