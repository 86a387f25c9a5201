//! Modifiers: those that do nothing, and those that do something else than it looks like.

use std::net::Ipv4Addr;

use ipnet::IpNet;

use super::items::{Entry, entries};
use super::{Check, Found, Workspace};
use crate::diagnostic::{Diagnostic, code};
use crate::rule::item::{Anchor, TimePart};
use crate::rule::modifier::{Kind, Modifier};
use crate::yaml::{Node, Yaml};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::info(code::CIDR_OF_ONE, cidr_of_one),
    Check::warning(code::CIDR_OF_ALL, cidr_of_all),
    Check::info(code::CIDR_COVERED, cidr_covered),
    Check::warning(code::WINDASH_WITHOUT_DASH, windash_without_dash),
    Check::warning(code::BASE64_OF_A_PART, base64_of_a_part),
    Check::info(code::UTF16_WITHOUT_BASE64, utf16_without_base64),
    Check::info(code::CASED_WITHOUT_LETTERS, cased_without_letters),
    Check::warning(code::FIELDREF_TO_ITSELF, fieldref_to_itself),
    Check::warning(code::TIME_PART_RANGE, time_part_range),
];

/// Ranges of which each holds a single address of version 4: texts that are compared say the same.
fn cidr_of_one(workspace: &Workspace<'_>, found: &mut Found) {
    let single = |text: &str| {
        let address = text.strip_suffix("/32").unwrap_or(text);
        address.parse::<Ipv4Addr>().is_ok()
    };
    for entry in entries(workspace).filter(|entry| entry.has(Modifier::Cidr)) {
        let expand = entry.has(Modifier::Expand);
        if !expand && entry.texts().all(|(_, text)| single(text)) {
            found.push(entry.finding(
                code::CIDR_OF_ONE,
                &entry.modifier_place(Modifier::Cidr),
                "`cidr` over single addresses is the same as comparing them",
                "take `cidr` and the prefixes out",
            ));
        }
    }
}

fn cidr_of_all(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace).filter(|entry| entry.has(Modifier::Cidr)) {
        for (node, text) in entry.texts() {
            let range: Option<IpNet> = text.parse().ok();
            if range.is_some_and(|range| range.prefix_len() == 0) {
                found.push(entry.finding(
                    code::CIDR_OF_ALL,
                    &node.place,
                    format!("range `{text}` holds every address of its version"),
                    "write the range that is meant, or ask with `exists: true` whether there is one",
                ));
            }
        }
    }
}

fn cidr_covered(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace) {
        let single = entry.has(Modifier::All) || entry.values.len() < 2;
        if !entry.has(Modifier::Cidr) || single {
            continue;
        }
        let mut sorted: Vec<(IpNet, &Node)> = entry
            .texts()
            .filter_map(|(node, text)| Some((text.parse::<IpNet>().ok()?.trunc(), node)))
            .collect();
        sorted.sort_by_key(|(range, _)| *range);
        // Sorted, a range stands before all that lie inside it.
        let mut around: Option<IpNet> = None;
        for (range, node) in sorted {
            match around {
                Some(wide) if wide != range && wide.contains(&range) => {
                    found.push(entry.finding(
                        code::CIDR_COVERED,
                        &node.place,
                        format!("range lies inside `{wide}` of the same list"),
                        "take it out",
                    ));
                }
                _ => around = Some(range),
            }
        }
    }
}

/// `windash` varies dashes that begin a flag, and there is none.
fn windash_without_dash(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace) {
        if !entry.has(Modifier::Windash) || entry.has(Modifier::Expand) {
            continue;
        }
        let varied = |text: &str| text.contains(['-', '/', '\u{2013}', '\u{2014}', '\u{2015}']);
        if entry.texts().any(|(_, text)| varied(text)) {
            continue;
        }
        let one = entry.finding(
            code::WINDASH_WITHOUT_DASH,
            &entry.modifier_place(Modifier::Windash),
            "`windash` does nothing: no value has a dash or slash",
            "take it out, or write the flags with their dash",
        );
        found.push(without(&entry, Modifier::Windash, one));
    }
}

/// The finding with a fix that takes the modifier out.
fn without(entry: &Entry<'_>, modifier: Modifier, one: Diagnostic) -> Diagnostic {
    match entry.replace_modifier(modifier, "") {
        Some(edit) => one.with_fix(format!("take `{}` out", modifier.name()), vec![edit]),
        None => one,
    }
}

/// A part of an encoded text depends on where in the text it stood.
fn base64_of_a_part(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace) {
        let part = entry.field.is_none()
            || entry.modifiers.iter().any(|modifier| {
                matches!(modifier, Modifier::Position(Anchor::Anywhere | Anchor::End))
            });
        if entry.has(Modifier::Base64) && part {
            found.push(entry.finding(
                code::BASE64_OF_A_PART,
                &entry.modifier_place(Modifier::Base64),
                "`base64` finds a part of an encoded text in one of three positions only",
                "write `base64offset`, which tries all three",
            ));
        }
    }
}

fn utf16_without_base64(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace) {
        let wide = entry
            .modifiers
            .iter()
            .find(|modifier| matches!(modifier, Modifier::Utf16(_)));
        let encoded = entry.has(Modifier::Base64) || entry.has(Modifier::Base64Offset);
        if let Some(wide) = wide.filter(|_| !encoded) {
            found.push(entry.finding(
                code::UTF16_WITHOUT_BASE64,
                &entry.modifier_place(*wide),
                format!(
                    "`{}` alone asks for text with a zero byte beside every letter",
                    wide.name()
                ),
                "logs rarely hold such text: add `base64offset` for encoded commands",
            ));
        }
    }
}

fn cased_without_letters(workspace: &Workspace<'_>, found: &mut Found) {
    let has_case = |text: &str| {
        text.chars()
            .any(|c| c.is_lowercase() || c.is_uppercase() || !c.is_ascii())
    };
    for entry in entries(workspace) {
        let encoded = entry
            .chain()
            .is_none_or(|chain| !chain.encodings.is_empty() || chain.kind != Kind::Text);
        if !entry.has(Modifier::Cased) || entry.has(Modifier::Expand) || encoded {
            continue;
        }
        let text_only = entry.texts().count() == entry.values.len();
        if text_only && !entry.texts().any(|(_, text)| has_case(text)) {
            let one = entry.finding(
                code::CASED_WITHOUT_LETTERS,
                &entry.modifier_place(Modifier::Cased),
                "`cased` does nothing: no value has a letter",
                "take it out",
            );
            found.push(without(&entry, Modifier::Cased, one));
        }
    }
}

fn fieldref_to_itself(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace).filter(|entry| entry.has(Modifier::FieldRef)) {
        for (node, text) in entry.texts() {
            if entry.field == Some(text) {
                found.push(entry.finding(
                    code::FIELDREF_TO_ITSELF,
                    &node.place,
                    format!(
                        "`{text}` is compared with itself, which always holds where it is there"
                    ),
                    "name the other field",
                ));
            }
        }
    }
}

/// The numbers that a part of a date can be; of years any will do.
const fn range(part: TimePart) -> Option<(i128, i128)> {
    match part {
        TimePart::Minute => Some((0, 59)),
        TimePart::Hour => Some((0, 23)),
        TimePart::Day => Some((1, 31)),
        TimePart::Week => Some((1, 53)),
        TimePart::Month => Some((1, 12)),
        TimePart::Year => None,
    }
}

fn time_part_range(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace) {
        let parts = entry.modifiers.iter().find_map(|modifier| match modifier {
            Modifier::Time(part) => Some((*modifier, range(*part)?)),
            _ => None,
        });
        let Some((modifier, (least, most))) = parts else {
            continue;
        };
        for node in entry.values {
            let number = match &node.value {
                Yaml::Int(number) => *number,
                _ => continue,
            };
            if !(least..=most).contains(&number) {
                let name = modifier.name();
                found.push(entry.finding(
                    code::TIME_PART_RANGE,
                    &node.place,
                    format!("no date has the {name} {number}"),
                    format!("`{name}` is a number from {least} to {most}"),
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::tests::{mended, said};

    #[test]
    fn fixes_write_what_means_the_same() {
        for (code, before, after) in [
            (
                "PAL1523",
                "    A|contains|windash: abc",
                "    A|contains: abc",
            ),
            (
                "PAL1523",
                "    A|windash|contains: abc",
                "    A|contains: abc",
            ),
            (
                "PAL1526",
                "    A|contains|cased: '12'",
                "    A|contains: '12'",
            ),
        ] {
            assert_eq!(mended(code, before), after);
        }
    }

    #[test]
    fn modifiers_that_do_something_are_left_alone() {
        for (code, entry) in [
            ("PAL1520", "    A|cidr: [10.0.0.1, 10.0.0.0/31]"),
            ("PAL1520", "    A|cidr: ::1/128"),
            ("PAL1521", "    A|cidr: 0.0.0.0/1"),
            ("PAL1522", "    A|cidr: [10.0.0.0/9, 10.128.0.0/9, '::/8']"),
            ("PAL1522", "    A|cidr|all: [10.0.0.0/9, 10.0.0.0/8]"),
            ("PAL1523", "    A|windash: [abc, -x]"),
            ("PAL1524", "    A|base64: abc"),
            ("PAL1524", "    A|base64|startswith: abc"),
            ("PAL1524", "    A|base64offset|contains: abc"),
            ("PAL1525", "    A|wide|base64offset|contains: abc"),
            ("PAL1526", "    A|cased: [1a, '1']"),
            ("PAL1526", "    A|cased: 'ß'"),
            ("PAL1527", "    A|fieldref: B"),
            ("PAL1528", "    A|minute: [0, 59]"),
            ("PAL1528", "    A|hour: [0, 23]"),
            ("PAL1528", "    A|day: [1, 31]"),
            ("PAL1528", "    A|week: [1, 53]"),
            ("PAL1528", "    A|month: [1, 12]"),
            ("PAL1528", "    A|year: 40000"),
            ("PAL1528", "    A|gt: 70"),
        ] {
            assert_eq!(said(code, entry), [], "{code} {entry}");
        }
    }

    #[test]
    fn parts_that_no_date_has_are_found_among_others() {
        for (entry, count) in [
            ("    A|minute: 70", 1),
            ("    A|minute: [-1, 30, 60]", 2),
            ("    A|hour: 24", 1),
            ("    A|day: [0, 32]", 2),
            ("    A|week: [0, 54]", 2),
            ("    A|month|neq: 13", 1),
        ] {
            assert_eq!(said("PAL1528", entry).len(), count, "{entry}");
        }
    }

    #[test]
    fn ranges_inside_others_are_found_in_any_order() {
        let lines = |entry| -> Vec<u32> {
            said("PAL1522", entry)
                .iter()
                .map(|one| one.place.line)
                .collect()
        };
        let list = "    A|cidr:\n      - 10.9.0.0/16\n      - 192.168.0.0/16\n      - 10.0.0.0/8";
        assert_eq!(lines(list), [6]);
    }
}
