//! Style: scalars that tools of YAML 1.1 read otherwise.
//!
//! Sigma is YAML 1.2, and so is this reader; pySigma and much else read 1.1, where `on` is a boolean,
//! `010` is eight and `12:30` is a number of base 60.

use super::entry::about;
use super::{Check, Found, Workspace};
use crate::diagnostic::{Diagnostic, Edit, code};
use crate::rule::parse::RuleDocument;
use crate::yaml::{Node, Yaml};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[Check::warning(code::YAML_11, yaml_11)];

/// Sections in which such a value changes what the rule finds.
const SECTIONS: [&str; 3] = ["detection", "filter", "correlation"];

/// What would not be found by another tool.
fn yaml_11(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let bytes = workspace.bytes(document);
        for section in SECTIONS {
            if let Some(node) = document.root.get(section) {
                walk(document, bytes, node, found);
            }
        }
    }
}

/// Looks at every scalar below a node; YAML is not deeper than its limit.
fn walk(document: &RuleDocument, bytes: &[u8], node: &Node, found: &mut Found) {
    match &node.value {
        Yaml::Seq(items) => {
            for item in items {
                walk(document, bytes, item, found);
            }
        }
        Yaml::Map(entries) => {
            for (key, value) in entries {
                walk(document, bytes, key, found);
                walk(document, bytes, value, found);
            }
        }
        _ => found.extend(scalar(document, bytes, node)),
    }
}

/// What is wrong with a scalar, if it is plain.
fn scalar(document: &RuleDocument, bytes: &[u8], node: &Node) -> Option<Diagnostic> {
    let written = std::str::from_utf8(bytes.get(node.place.span.clone())?).ok()?;
    let here = match &node.value {
        Yaml::Text(text) if text == written => "text",
        Yaml::Int(_) => "a number",
        _ => return None,
    };
    let there = reading(written)?;
    if (here, there) == ("a number", "a number") {
        return None;
    }
    let message = format!("`{written}` is {here} here, and {there} in tools of YAML 1.1");
    let problem = about(document, code::YAML_11, &node.place, message);
    Some(if here == "text" {
        let quoted = format!("'{written}'");
        problem
            .with_help(format!("write `{quoted}`"))
            .with_fix("put it in quotes", vec![Edit::replace(&node.place, quoted)])
    } else {
        problem.with_help("write the number without leading zeros")
    })
}

/// How YAML 1.1 reads a plain scalar, where that differs from 1.2.
fn reading(written: &str) -> Option<&'static str> {
    /// `yEs` is text in both.
    const WORDS: [&str; 12] = [
        "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF",
    ];
    if WORDS.contains(&written) {
        return Some("a boolean");
    }
    let digits = written.trim_start_matches(['-', '+']);
    let all = |text: &str, allowed: fn(char) -> bool| !text.is_empty() && text.chars().all(allowed);
    if let Some(octal) = digits.strip_prefix('0')
        && all(octal, |c| matches!(c, '0'..='7' | '_'))
    {
        // Zeros alone are zero either way.
        return octal.contains(|c| c != '0').then_some("an octal number");
    }
    let starts = digits.starts_with(|c: char| matches!(c, '1'..='9'));
    if starts && digits.contains('_') && all(digits, |c| c.is_ascii_digit() || c == '_') {
        return Some("a number");
    }
    if starts && is_base_60(digits) {
        return Some("a number of base 60");
    }
    (digits == written && is_date(written)).then_some("a date")
}

/// `12:30:45`: groups after the first are below sixty.
fn is_base_60(text: &str) -> bool {
    let mut groups = text.split(':');
    let first = groups.next().unwrap_or_default();
    let mut more = 0;
    let rest = groups.all(|group| {
        more += 1;
        (1..=2).contains(&group.len()) && group.parse::<u8>().is_ok_and(|number| number < 60)
    });
    rest && more > 0 && first.bytes().all(|byte| byte.is_ascii_digit())
}

/// `2026-03-02`.
fn is_date(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let digits = |group: &&str| group.bytes().all(|byte| byte.is_ascii_digit());
    groups.iter().all(digits) && groups.iter().map(|group| group.len()).eq([4, 2, 2])
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::said_of;
    use super::*;

    fn of(value: &str) -> Vec<Diagnostic> {
        let text = format!(
            "title: t\nlogsource: {{product: azure}}\ndetection:\n  s:\n    A: {value}\n  condition: s\n"
        );
        said_of("PAL1115", &[("rule.yml", &text)])
    }

    #[test]
    fn words_and_numbers_of_yaml_1_1_are_found_where_they_are_plain() {
        for (value, reading) in [
            ("on", "a boolean"),
            ("Yes", "a boolean"),
            ("NO", "a boolean"),
            ("1_000", "a number"),
            ("12:30", "a number of base 60"),
            ("2026-03-02", "a date"),
            ("010", "an octal number"),
            ("[x, off]", "a boolean"),
        ] {
            let found = of(value);
            assert_eq!(found.len(), 1, "{value}");
            assert!(found[0].message.contains(reading), "{}", found[0].message);
            assert_eq!(found[0].fix.is_some(), value != "010", "{value}");
        }
        for value in [
            "'on'",
            "\"no\"",
            "yEs",
            "true",
            "none",
            "10",
            "0",
            "00",
            "0x17",
            "1.5",
            "08",
            "00:11:22:33:44:55",
            "10.0.0.1",
            "99:99",
            "2026-3-2",
            "a_b",
            "once",
        ] {
            assert!(of(value).is_empty(), "{value}");
        }
    }

    #[test]
    fn a_field_of_such_a_name_is_put_in_quotes() {
        let text = "title: t\nlogsource: {product: azure}\n\
                    detection: {s: {on: 1}, condition: s}\n";
        let found = said_of("PAL1115", &[("rule.yml", text)]);
        let fix = found[0].fix.as_ref().expect("a fix");
        assert_eq!(text.get(fix.edits[0].span.clone()), Some("on"));
        assert_eq!(fix.edits[0].text, "'on'");
    }
}
