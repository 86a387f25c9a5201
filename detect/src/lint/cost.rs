//! Cost: what makes the judging of every event slower.

use regex_syntax::ast::{self, Ast, RepetitionKind, RepetitionRange};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::items::entries;
use super::regex::expressions;
use super::{Check, Found, Workspace, logsource_of};
use crate::diagnostic::code;
use crate::rule::modifier::{Kind, Modifier};
use crate::rule::text::{Part, SigmaText};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::info(code::KEYWORDS_COST, keywords_cost),
    Check::warning(code::KEYWORD_SHORT, keyword_short),
    Check::info(code::RE_WITHOUT_LITERAL, re_without_literal),
    Check::info(code::MANY_VALUES, many_values),
    Check::info(code::LARGE_REPETITION, large_repetition),
];

/// Shortest text by which values can be told apart quickly.
const LITERAL_CHARS_MIN: usize = 3;
/// Most values of an entry before a list is the better place for them.
const VALUES_MAX: usize = 500;
/// Most repetitions that are counted out without further ado: an automaton holds each of them.
const REPETITIONS_MAX: u32 = 1_000;

/// Keywords are looked for in every value of every event.
fn keywords_cost(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace).filter(|entry| entry.field.is_none()) {
        let of = logsource_of(entry.document).unwrap_or_default().to_string();
        let of = if of.is_empty() {
            "every log source".to_owned()
        } else {
            format!("`{of}`")
        };
        let count = entry.values.len();
        let keywords = if count == 1 {
            "keyword is"
        } else {
            "keywords are"
        };
        found.push(entry.finding(
            code::KEYWORDS_COST,
            &entry.key.place,
            format!("{count} {keywords} looked for in every value of every event of {of}"),
            "name the field that holds it: one value is then looked at instead of all",
        ));
    }
}

fn keyword_short(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace).filter(|entry| entry.field.is_none()) {
        if entry
            .chain()
            .is_none_or(|chain| chain.kind != Kind::Text || !chain.encodings.is_empty())
        {
            continue;
        }
        for (node, text) in entry.texts() {
            let longest = SigmaText::parse(text)
                .parts
                .iter()
                .map(|part| match part {
                    Part::Literal(text) => text.chars().count(),
                    Part::AnyRun | Part::AnyOne => 0,
                })
                .max();
            if longest.unwrap_or_default() < LITERAL_CHARS_MIN {
                found.push(entry.finding(
                    code::KEYWORD_SHORT,
                    &node.place,
                    format!("keyword `{text}` is so short that it stands in nearly every event"),
                    "name the field that holds it, or write more of the text",
                ));
            }
        }
    }
}

/// An expression by no longer text of which values can be left out at once.
fn re_without_literal(workspace: &Workspace<'_>, found: &mut Found) {
    expressions(workspace, &mut |entry, expression| {
        let Some(meaning) = expression.meaning(entry, None) else {
            return;
        };
        if literal(&meaning).longest < LITERAL_CHARS_MIN {
            found.push(entry.finding(
                code::RE_WITHOUT_LITERAL,
                &expression.node.place,
                format!(
                    "regular expression holds no fixed text of {LITERAL_CHARS_MIN} characters or more, \
                     so it is run over every value of the field"
                ),
                "add a text that each match must hold, or an entry that leaves most events out",
            ));
        }
    });
}

/// Text that each match holds: the longest run, and the runs at both ends if they are all of it.
#[derive(Debug, Clone, Copy, Default)]
struct Literal {
    longest: usize,
    start: usize,
    end: usize,
    /// Whether nothing but one run is matched.
    whole: bool,
}

impl Literal {
    const fn run(chars: usize) -> Self {
        Self {
            longest: chars,
            start: chars,
            end: chars,
            whole: true,
        }
    }

    /// Both, one after the other.
    fn then(self, next: Self) -> Self {
        let joint = self.end + next.start;
        Self {
            longest: self.longest.max(next.longest).max(joint),
            start: if self.whole { joint } else { self.start },
            end: if next.whole { joint } else { next.end },
            whole: self.whole && next.whole,
        }
    }

    /// Either of them.
    fn or(self, other: Self) -> Self {
        Self {
            longest: self.longest.min(other.longest),
            ..Self::default()
        }
    }
}

/// The text that each match holds. A letter in either case counts as text.
fn literal(meaning: &Hir) -> Literal {
    match meaning.kind() {
        HirKind::Empty | HirKind::Look(_) => Literal::run(0),
        HirKind::Literal(text) => {
            let chars =
                std::str::from_utf8(&text.0).map_or(text.0.len(), |text| text.chars().count());
            Literal::run(chars)
        }
        HirKind::Class(class) if is_letter(class) => Literal::run(1),
        HirKind::Repetition(repetition) if repetition.min > 0 => Literal {
            longest: literal(&repetition.sub).longest,
            ..Literal::default()
        },
        HirKind::Class(_) | HirKind::Repetition(_) => Literal::default(),
        HirKind::Capture(capture) => literal(&capture.sub),
        HirKind::Concat(parts) => {
            let parts = parts.iter().map(literal);
            parts.fold(Literal::run(0), Literal::then)
        }
        HirKind::Alternation(parts) => {
            let parts = parts.iter().map(literal);
            parts.reduce(Literal::or).unwrap_or_default()
        }
    }
}

/// Whether a class is one letter in its cases.
fn is_letter(class: &Class) -> bool {
    const CASES_MAX: usize = 4;
    match class {
        Class::Unicode(class) => {
            let count = class.ranges().iter().map(|range| {
                let length = u32::from(range.end()) - u32::from(range.start());
                usize::try_from(length).map_or(usize::MAX, |length| length.saturating_add(1))
            });
            let single = class
                .ranges()
                .iter()
                .all(|range| range.start() == range.end());
            single && count.fold(0, usize::saturating_add) <= CASES_MAX
        }
        Class::Bytes(class) => {
            class.ranges().len() <= CASES_MAX
                && class
                    .ranges()
                    .iter()
                    .all(|range| range.start() == range.end())
        }
    }
}

fn many_values(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace) {
        let count = entry.values.len();
        if count > VALUES_MAX && !entry.has(Modifier::Re) {
            found.push(entry.finding(
                code::MANY_VALUES,
                &entry.key.place,
                format!("{count} values are tried one after the other"),
                "put them into a list and write `in_list`, which looks them up",
            ));
        }
    }
}

fn large_repetition(workspace: &Workspace<'_>, found: &mut Found) {
    struct Largest(u32);
    impl ast::Visitor for Largest {
        type Output = u32;
        type Err = std::convert::Infallible;

        fn finish(self) -> Result<u32, Self::Err> {
            Ok(self.0)
        }

        fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
            if let Ast::Repetition(repetition) = ast
                && let RepetitionKind::Range(range) = &repetition.op.kind
            {
                let count = match range {
                    RepetitionRange::Exactly(count)
                    | RepetitionRange::AtLeast(count)
                    | RepetitionRange::Bounded(_, count) => *count,
                };
                self.0 = self.0.max(count);
            }
            Ok(())
        }
    }
    expressions(workspace, &mut |entry, expression| {
        let Ok(count) = ast::visit(&expression.ast, Largest(0));
        if count > REPETITIONS_MAX {
            found.push(entry.finding(
                code::LARGE_REPETITION,
                &expression.node.place,
                format!(
                    "a repetition of up to {count} is counted out, which takes memory and time"
                ),
                "write `*` or `+` where the exact number does not matter",
            ));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::value::tests::said;

    #[test]
    fn expressions_with_a_text_of_three_letters_are_left_alone() {
        for entry in [
            "    A|re: 'abc.*'",
            "    A|re|i: 'abc'",
            r"    A|re: '\d+(?:abc|xyz)'",
            "    A|re: '(?:abc)+x*'",
            "    A|re: 'a(b)c'",
            "    A|re: '^a{3}abc$'",
        ] {
            assert_eq!(said("PAL1603", entry), [], "{entry}");
        }
        for entry in [
            r"    A|re: '\d+'",
            "    A|re: 'ab.c'",
            "    A|re: 'abc|x'",
            "    A|re: '(?:abc)*'",
            "    A|re: '(?:abc)?x'",
            "    A|re: '[abc]{9}'",
            "    A|re: 'ab'",
            "    A|re: '^12'",
        ] {
            let found = said("PAL1603", entry);
            assert_eq!(found.len(), 1, "{entry}");
            assert!(found[0].message.contains("of 3 characters or more"));
        }
    }

    #[test]
    fn keywords_are_counted_and_short_ones_named() {
        let found = said("PAL1601", "    - abc\n    - x");
        assert_eq!(
            found[0].message,
            "2 keywords are looked for in every value of every event of `azure`"
        );
        let short = said("PAL1602", "    - abc\n    - 'x*'\n    - '?a*b'");
        let lines = short.iter().map(|one| one.place.line);
        assert_eq!(lines.collect::<Vec<_>>(), [6, 7]);
        assert_eq!(said("PAL1602", "    A: x"), []);
    }

    #[test]
    fn only_lists_and_repetitions_beyond_their_limits_are_named() {
        let values = |count: usize| {
            let values: Vec<String> = (0..count).map(|n| format!("v{n}")).collect();
            format!("    A: [{}]", values.join(", "))
        };
        assert_eq!(said("PAL1604", &values(500)), []);
        assert_eq!(said("PAL1604", &values(501)).len(), 1);
        assert_eq!(said("PAL1605", "    A|re: 'a{1000}b'"), []);
        assert_eq!(said("PAL1605", "    A|re: 'x(?:a{1001}b)*'").len(), 1);
    }
}
