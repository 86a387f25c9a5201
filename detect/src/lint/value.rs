//! Values: what they match, and what they do not.

use super::entry::remove_element;
use super::facts::{Plain, VALUES_MAX};
use super::items::{Entry, entries};
use super::{Check, Found, Workspace};
use crate::casing::fold;
use crate::diagnostic::{Edit, code};
use crate::rule::item::{Anchor, Case, Link};
use crate::rule::modifier::{Chain, Kind, Modifier};
use crate::rule::text::{Part, SigmaText};
use crate::yaml::{Node, Yaml};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::warning(code::VALUE_REPEATED, value_repeated),
    Check::info(code::VALUE_COVERED, value_covered),
    Check::warning(code::VALUE_EMPTY, value_empty),
    Check::info(code::WILDCARD_REPEATED, wildcard_repeated),
    Check::info(code::WILDCARD_AT_EDGE, wildcard_at_edge),
    Check::info(code::ONLY_WILDCARD, only_wildcard),
    Check::info(code::ONLY_QUESTION_MARKS, only_question_marks),
    Check::info(code::VALUE_WHITESPACE, value_whitespace),
    Check::warning(code::ESCAPED_WILDCARD_IN_PATH, escaped_wildcard_in_path),
    Check::info(code::VALUE_TEXT_NULL, value_text_null),
    Check::info(code::WORD_OF_YAML_1_1, word_of_yaml_1_1),
    Check::warning(code::NUMBER_WITH_LEADING_ZERO, number_with_leading_zero),
    Check::warning(code::ALL_ON_WHOLE_VALUES, all_on_whole_values),
];

/// An entry whose values are compared as text, without encodings.
fn is_plain_text(chain: &Chain) -> bool {
    chain.kind == Kind::Text && chain.encodings.is_empty()
}

/// Where a text of the entry must stand.
fn anchor(entry: &Entry<'_>, chain: &Chain) -> Anchor {
    match (entry.field, chain.anchor) {
        (None, Anchor::Whole) => Anchor::Anywhere,
        (_, anchor) => anchor,
    }
}

fn value_repeated(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace) {
        if entry.values.len() < 2 {
            continue;
        }
        let Some(chain) = entry.chain() else {
            continue;
        };
        let folds = is_plain_text(&chain) && chain.case == Case::Fold;
        let mut seen = std::collections::HashMap::new();
        for node in entry.values {
            let key = match &node.value {
                Yaml::Text(text) if folds => format!("t{}", fold(text)),
                Yaml::Text(text) => format!("t{text}"),
                other => format!("{other:?}"),
            };
            let Some(first) = seen.insert(key, node) else {
                continue;
            };
            let how = if first.as_text() == node.as_text() {
                ""
            } else {
                ", but for case, which does not count"
            };
            let message = format!(
                "value stands in the list already, on line {}{how}",
                first.place.line
            );
            let one = entry.finding(code::VALUE_REPEATED, &node.place, message, "take it out");
            found.push(match remove_element(entry.bytes, node) {
                Some(edit) => one.with_fix("take the value out", vec![edit]),
                None => one,
            });
        }
    }
}

/// A value of a list that another one makes needless: `ab` beside `a` under `contains`.
fn value_covered(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace) {
        let Some(chain) = entry.chain().filter(is_plain_text) else {
            continue;
        };
        let count = entry.values.len();
        if !(2..=VALUES_MAX).contains(&count) || chain.windash || chain.expand {
            continue;
        }
        let anchor = anchor(&entry, &chain);
        let plain = |node: &Node| Plain::of(node.as_text()?, anchor, chain.case);
        let plain: Vec<Option<Plain>> = entry.values.iter().map(plain).collect();
        let wider = |one: &Plain, other: &Plain| match chain.link {
            Link::Any => one.implies(other),
            Link::All => other.implies(one),
        };
        for (at, one) in plain.iter().enumerate() {
            let Some(one) = one else { continue };
            let covering = plain.iter().position(|other| {
                let other = other.as_ref().filter(|other| *other != one);
                other.is_some_and(|other| wider(one, other))
            });
            let Some(node) = covering.and_then(|other| entry.values.get(other)) else {
                continue;
            };
            let shown = node.as_text().unwrap_or_default();
            let message = match chain.link {
                Link::Any => format!("`{shown}` in the same list matches all that this value does"),
                Link::All => format!("`{shown}` in the same list holds only where this value does"),
            };
            let place = &entry.values[at].place;
            found.push(entry.finding(code::VALUE_COVERED, place, message, "take it out"));
        }
    }
}

/// Takes an entry with its chain, and a value with its text.
type EachText<'e> = dyn FnMut(&Entry<'_>, &Chain, (&Node, &str)) + 'e;

/// Calls `each` for every text that is compared as such, with where it must stand.
fn texts(workspace: &Workspace<'_>, each: &mut EachText<'_>) {
    for entry in entries(workspace) {
        if let Some(chain) = entry.chain().filter(is_plain_text) {
            for (node, text) in entry.texts() {
                each(&entry, &chain, (node, text));
            }
        }
    }
}

fn value_empty(workspace: &Workspace<'_>, found: &mut Found) {
    texts(workspace, &mut |entry, chain, (node, text)| {
        if text.is_empty() && anchor(entry, chain) != Anchor::Whole {
            found.push(entry.finding(
                code::VALUE_EMPTY,
                &node.place,
                "every text begins with, ends with and contains the empty text",
                "write what the value must hold, or `exists: true` if any value will do",
            ));
        }
    });
}

fn wildcard_repeated(workspace: &Workspace<'_>, found: &mut Found) {
    texts(workspace, &mut |entry, _, (node, text)| {
        let parsed = SigmaText::parse(text);
        let twice = |pair: &[Part]| matches!(pair, [Part::AnyRun, Part::AnyRun]);
        if !parsed.parts.windows(2).any(twice) {
            return;
        }
        // With a backslash about, which of the stars is a wildcard takes more than a look.
        let at = text.find("**").filter(|_| !text.contains('\\'));
        let run = at.map(|at| {
            let stars = text.get(at..).unwrap_or_default();
            at..at + stars.len() - stars.trim_start_matches('*').len()
        });
        let place = run.clone().map(|run| node.place_within(run));
        let one = entry.finding(
            code::WILDCARD_REPEATED,
            place.as_ref().unwrap_or(&node.place),
            "`**` matches what `*` does",
            "write one `*`",
        );
        let edit = run.and_then(|run| entry.replace(node, run, "*"));
        found.push(match edit {
            Some(edit) => one.with_fix("write one `*`", vec![edit]),
            None => one,
        });
    });
}

/// A wildcard where the modifier allows anything anyway.
fn wildcard_at_edge(workspace: &Workspace<'_>, found: &mut Found) {
    texts(workspace, &mut |entry, chain, (node, text)| {
        let anchor = anchor(entry, chain);
        let parsed = SigmaText::parse(text);
        let inner = parsed.parts.iter().any(|part| *part != Part::AnyRun);
        let start = matches!(anchor, Anchor::End | Anchor::Anywhere)
            && parsed.parts.first() == Some(&Part::AnyRun);
        let end = matches!(anchor, Anchor::Start | Anchor::Anywhere)
            && parsed.parts.last() == Some(&Part::AnyRun);
        if !inner || !(start || end) {
            return;
        }
        let how = chain_name(anchor);
        let place = if start {
            node.place_within(0..1)
        } else {
            node.place_within(text.len().saturating_sub(1)..text.len())
        };
        let one = entry.finding(
            code::WILDCARD_AT_EDGE,
            &place,
            format!("`*` at the edge does nothing: {how} allows anything there"),
            "take the wildcard out",
        );
        let edges = [
            (start, 0..1),
            (end, text.len().saturating_sub(1)..text.len()),
        ];
        let edits: Vec<Option<Edit>> = edges
            .into_iter()
            .filter(|(there, _)| *there)
            .map(|(_, part)| entry.replace(node, part, ""))
            .collect();
        let edits: Option<Vec<Edit>> = edits.into_iter().collect();
        // What remains must not become an escape of what follows it.
        let safe = !text.contains("**") && !text.contains('\\');
        found.push(match edits.filter(|_| safe) {
            Some(edits) => one.with_fix("take the wildcard out", edits),
            None => one,
        });
    });
}

fn chain_name(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::Whole => "the entry",
        Anchor::Start => "`startswith`",
        Anchor::End => "`endswith`",
        Anchor::Anywhere => "the search for a part",
    }
}

fn only_wildcard(workspace: &Workspace<'_>, found: &mut Found) {
    texts(workspace, &mut |entry, _, (node, text)| {
        if !text.is_empty() && text.bytes().all(|byte| byte == b'*') && entry.field.is_some() {
            let field = entry.field.unwrap_or_default();
            found.push(entry.finding(
                code::ONLY_WILDCARD,
                &node.place,
                "`*` alone matches every value except null, even the empty text",
                format!("write `{field}|exists: true` to ask whether the field is there"),
            ));
        }
    });
}

fn only_question_marks(workspace: &Workspace<'_>, found: &mut Found) {
    texts(workspace, &mut |entry, chain, (node, text)| {
        if !text.is_empty() && text.bytes().all(|byte| byte == b'?') {
            let count = text.len();
            let how = match anchor(entry, chain) {
                Anchor::Whole => "exactly",
                _ => "at least",
            };
            let characters = match count {
                1 => "1 character".to_owned(),
                _ => format!("{count} characters"),
            };
            found.push(entry.finding(
                code::ONLY_QUESTION_MARKS,
                &node.place,
                format!("value of `?` alone matches whatever has {how} {characters}"),
                r"for a literal question mark write `\?`",
            ));
        }
    });
}

/// White space where the value must begin or end: an edge that is compared.
fn value_whitespace(workspace: &Workspace<'_>, found: &mut Found) {
    texts(workspace, &mut |entry, chain, (node, text)| {
        let (start, end) = match anchor(entry, chain) {
            Anchor::Whole => (true, true),
            Anchor::Start => (true, false),
            Anchor::End => (false, true),
            Anchor::Anywhere => (false, false),
        };
        let blank = |c: char| c.is_whitespace();
        let (edge, blanks) = if start && text.starts_with(blank) {
            ("begins", 0..text.len() - text.trim_start().len())
        } else if end && text.ends_with(blank) {
            ("ends", text.trim_end().len()..text.len())
        } else {
            return;
        };
        if text.trim().is_empty() {
            return;
        }
        found.push(entry.finding(
            code::VALUE_WHITESPACE,
            &node.place_within(blanks),
            format!("value {edge} with white space, which the event must hold just so"),
            "take it out, unless events really have it",
        ));
    });
}

/// `\*` in what looks like a path of Windows: a literal star, where a folder's content was meant.
fn escaped_wildcard_in_path(workspace: &Workspace<'_>, found: &mut Found) {
    texts(workspace, &mut |entry, _, (node, text)| {
        let mut folders = 0;
        let mut star = None;
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match (bytes.get(at), bytes.get(at + 1)) {
                (Some(b'\\'), Some(b'\\')) => at += 1,
                (Some(b'\\'), Some(b'*')) => {
                    star = star.or(Some(at));
                    at += 1;
                }
                (Some(b'\\'), Some(next)) if next.is_ascii_alphanumeric() => folders += 1,
                _ => {}
            }
            at += 1;
        }
        if let Some(at) = star.filter(|_| folders > 0) {
            found.push(entry.finding(
                code::ESCAPED_WILDCARD_IN_PATH,
                &node.place_within(at..at + 2),
                r"`\*` is a literal `*`, which no path holds",
                r"for a backslash and then anything write `\\*`",
            ));
        }
    });
}

fn value_text_null(workspace: &Workspace<'_>, found: &mut Found) {
    texts(workspace, &mut |entry, chain, (node, text)| {
        if anchor(entry, chain) == Anchor::Whole && text.eq_ignore_ascii_case("null") {
            found.push(entry.finding(
                code::VALUE_TEXT_NULL,
                &node.place,
                format!("quoted `{text}` is text, and matches no null"),
                "write `null` without quotes for a null or missing field",
            ));
        }
    });
}

/// `yes` and such without quotes: text here, a truth value for tools that read YAML 1.1.
fn word_of_yaml_1_1(workspace: &Workspace<'_>, found: &mut Found) {
    const WORDS: [&str; 6] = ["yes", "no", "on", "off", "y", "n"];
    texts(workspace, &mut |entry, _, (node, text)| {
        let lower = text.to_ascii_lowercase();
        if !WORDS.contains(&lower.as_str()) || node.place.span.len() != text.len() {
            return;
        }
        let one = entry.finding(
            code::WORD_OF_YAML_1_1,
            &node.place,
            format!("`{text}` without quotes is text here, and a truth value for older tools"),
            format!("write `'{text}'`"),
        );
        found.push(one.with_fix(
            "put it in quotes",
            vec![Edit::replace(&node.place, format!("'{text}'"))],
        ));
    });
}

/// `010`: ten here, eight for tools that read YAML 1.1.
fn number_with_leading_zero(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace) {
        for node in entry.values {
            if !matches!(node.value, Yaml::Int(_)) {
                continue;
            }
            let written = entry.bytes.get(node.place.span.clone()).unwrap_or_default();
            let digits = written.strip_prefix(b"-").unwrap_or(written);
            if digits.len() > 1 && digits[0] == b'0' && digits.iter().all(u8::is_ascii_digit) {
                let shown = String::from_utf8_lossy(written);
                found.push(entry.finding(
                    code::NUMBER_WITH_LEADING_ZERO,
                    &node.place,
                    format!("`{shown}` is a number, its leading zeros are lost, and older tools read it as octal"),
                    format!("write `'{shown}'` for the digits as text"),
                ));
            }
        }
    }
}

/// `field|all: [a, b]`: no single value can be both.
fn all_on_whole_values(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace) {
        let Some(chain) = entry.chain().filter(is_plain_text) else {
            continue;
        };
        if entry.field.is_none() || chain.link != Link::All || chain.anchor != Anchor::Whole {
            continue;
        }
        let whole = |node: &Node| match &node.value {
            Yaml::Text(text) => SigmaText::parse(text)
                .as_literal()
                .map(|text| fold(text).into_owned()),
            Yaml::Int(number) => Some(number.to_string()),
            _ => None,
        };
        let values: Vec<String> = entry.values.iter().filter_map(whole).collect();
        let differ = values
            .iter()
            .skip(1)
            .any(|value| values.first() != Some(value));
        if differ {
            let place = entry.modifier_place(Modifier::All);
            found.push(entry.finding(
                code::ALL_ON_WHOLE_VALUES,
                &place,
                "no single value equals all of these, only a list can hold them",
                "write `contains|all` if they are parts of one value",
            ));
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
