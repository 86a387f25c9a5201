//! Style: titles, and how rules are kept in files.

use std::collections::BTreeMap;

use super::entry::{about, rewrite, text};
use super::{Check, Found, Rule, Workspace};
use crate::diagnostic::{Diagnostic, Place, code};
use crate::yaml::FILE_BYTES_MAX;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::info(code::TITLE_LONG, title_long),
    Check::info(code::TITLE_SHAPE, title_shape),
    Check::info(code::TITLE_DETECTS, title_detects),
    Check::info(code::FILE_NAME, file_name),
    Check::info(code::FILE_ENDING, file_ending),
    Check::info(code::FILE_SHARED, file_shared),
    Check::info(code::FILE_EMPTY, file_empty),
];

/// Longer titles are cut off in lists of alerts and in subjects of tickets. Sigma's own repository
/// draws the line here.
const TITLE_CHARS_MAX: usize = 120;

/// Openings that say of a detection that it detects.
const DETECTS: [&str; 4] = ["detects ", "detect ", "detecting ", "detection of "];

/// Titles stand in lists.
fn title_long(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let Some((node, title)) = text(document, "title") else {
            continue;
        };
        let length = title.chars().count();
        if length > TITLE_CHARS_MAX {
            let message = format!("title has {length} characters");
            found.push(
                about(document, code::TITLE_LONG, &node.place, message).with_help(format!(
                    "say it in {TITLE_CHARS_MAX}, and the rest in `description`"
                )),
            );
        }
    }
}

/// A title is a headline: one space between words, no full stop.
fn title_shape(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let Some((node, title)) = text(document, "title") else {
            continue;
        };
        let words: Vec<&str> = title.split_whitespace().collect();
        let joined = words.join(" ");
        let headline = match joined.strip_suffix('.') {
            // What ends in dots means them.
            Some(rest) if !rest.ends_with('.') => rest,
            _ => &joined,
        };
        if title == headline || headline.is_empty() {
            continue;
        }
        let message = "title has spaces too many, or a full stop";
        let problem = about(document, code::TITLE_SHAPE, &node.place, message)
            .with_help(format!("write `{headline}`"));
        found.push(match rewrite(node, headline) {
            Some(edit) => problem.with_fix(format!("write `{headline}`"), vec![edit]),
            None => problem,
        });
    }
}

/// Every rule detects something.
fn title_detects(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let Some((node, title)) = text(document, "title") else {
            continue;
        };
        let lower = title.to_lowercase();
        if let Some(opening) = DETECTS.iter().find(|opening| lower.starts_with(*opening)) {
            let place = node.place_within(0..opening.trim_end().len());
            let message = "title says that the rule detects something";
            found.push(
                about(document, code::TITLE_DETECTS, &place, message)
                    .with_help("say what happened: it becomes the title of the alert"),
            );
        }
    }
}

/// Names and endings of the files that hold rules, each with how the file is called.
fn files<'a>(workspace: &Workspace<'a>) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
    workspace.files.iter().filter_map(|file| {
        let name = file.name.rsplit('/').next()?;
        let (stem, ending) = name.rsplit_once('.')?;
        Some((&*file.name, stem, ending))
    })
}

/// Names that every file system and every shell takes as they are.
fn file_name(workspace: &Workspace<'_>, found: &mut Found) {
    for (file, stem, _) in files(workspace) {
        let plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
        if !stem.chars().all(plain) {
            let message =
                format!("file name `{stem}` has upper-case letters, spaces or other signs");
            found.push(
                Diagnostic::info(code::FILE_NAME, &Place::start_of(file), message).with_help(
                    "name rule files in lower case, with `_` between words: some file systems \
                     do not tell upper from lower case",
                ),
            );
        }
    }
}

/// Sigma's files end in `.yml`.
fn file_ending(workspace: &Workspace<'_>, found: &mut Found) {
    for (file, _, ending) in files(workspace) {
        if ending != "yml" {
            let message = format!("rule file ends in `.{ending}`");
            found.push(
                Diagnostic::info(code::FILE_ENDING, &Place::start_of(file), message)
                    .with_help("Sigma's rule files end in `.yml`, and some tools read no others"),
            );
        }
    }
}

/// Rules that have nothing to do with each other in one file: no correlation joins them, and no
/// template is shared.
fn file_shared(workspace: &Workspace<'_>, found: &mut Found) {
    let mut rules: BTreeMap<usize, (Vec<&Place>, bool)> = BTreeMap::new();
    for (document, rule) in workspace.loaded() {
        let (places, joined) = rules.entry(document.file).or_default();
        match rule {
            Rule::Detection(_) => places.push(&document.root.place),
            Rule::Correlation(_) | Rule::Filter(_) => *joined = true,
        }
    }
    for (file, (places, joined)) in rules {
        let Some(second) = places.get(1).filter(|_| !joined) else {
            continue;
        };
        let bytes = workspace.files.get(file).map(|file| &file.bytes);
        let lines = bytes
            .into_iter()
            .flat_map(|bytes| bytes.split(|b| *b == b'\n'));
        if lines.into_iter().any(|line| line.starts_with(b"action:")) {
            continue;
        }
        let message = format!("file holds {} rules that nothing joins", places.len());
        found.push(
            Diagnostic::info(code::FILE_SHARED, second, message)
                .with_help("give each rule a file of its own, with its cases beside it"),
        );
    }
}

/// Files without a document, which load as nothing.
fn file_empty(workspace: &Workspace<'_>, found: &mut Found) {
    for file in workspace.files {
        // What is too large, or no text, is refused and says so.
        let text = str::from_utf8(&file.bytes).ok();
        let Some(text) = text.filter(|text| text.len() <= FILE_BYTES_MAX) else {
            continue;
        };
        let text = text.trim_start_matches('\u{feff}');
        let says_nothing = |line: &str| {
            let line = line.trim();
            line.is_empty() || line.starts_with('#') || matches!(line, "---" | "...")
        };
        if text.lines().all(says_nothing) {
            let message = "file holds no rule";
            let place = Place::start_of(&file.name);
            found.push(
                Diagnostic::info(code::FILE_EMPTY, &place, message).with_help(
                    "write a rule, as `palisade new rule` begins one, or take the file away",
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn files_without_a_rule_are_named_and_broken_ones_are_not() {
        for text in [
            "",
            "\n",
            "# title: x\n",
            "---\n...\n",
            "\u{feff}# later\r\n",
        ] {
            let found = said_of(
                "PAL1107",
                &[("rule.yml", text), ("good.yml", &titled("Good"))],
            );
            let names: Vec<_> = found.iter().map(|one| &*one.place.file).collect();
            assert_eq!(names, ["rule.yml"], "{text:?}");
        }
        for text in ["title: x", "[", "x\n#y"] {
            assert_eq!(said_of("PAL1107", &[("rule.yml", text)]), [], "{text:?}");
        }
    }

    use super::super::entry::tests::{said_of, titled};
    use super::*;

    fn of(code: &str, title: &str) -> Vec<Diagnostic> {
        said_of(code, &[("rule.yml", &titled(title))])
    }

    #[test]
    fn titles_are_short_headlines() {
        assert_eq!(of("PAL1101", &"x".repeat(121)).len(), 1);
        assert!(of("PAL1101", &"x".repeat(120)).is_empty());
        for (title, expected) in [
            ("A rule.", 1),
            ("A  rule", 1),
            ("' A rule'", 1),
            ("A rule", 0),
            ("A rule...", 0),
            ("Use of example.com", 0),
        ] {
            assert_eq!(of("PAL1102", title).len(), expected, "{title}");
        }
        let fix = of("PAL1102", "A rule.").remove(0).fix.expect("a fix");
        assert_eq!(
            (fix.edits[0].span.clone(), &*fix.edits[0].text),
            (7..14, "A rule")
        );
    }

    #[test]
    fn titles_do_not_say_that_they_detect() {
        for (title, expected) in [
            ("Detects a rule", 1),
            ("Detection of rules", 1),
            ("Detection Rule Deleted", 0),
            ("Detective Work", 0),
        ] {
            assert_eq!(of("PAL1103", title).len(), expected, "{title}");
        }
    }

    #[test]
    fn file_names_are_plain_and_end_in_yml() {
        let text = titled("A rule");
        for (name, plain, ending) in [
            ("Folder of mine/rule_1.yml", 0, 0),
            ("a/Rule.yml", 1, 0),
            ("a/a rule.yml", 1, 0),
            ("a/rule.yaml", 0, 1),
        ] {
            assert_eq!(said_of("PAL1104", &[(name, &text)]).len(), plain, "{name}");
            assert_eq!(said_of("PAL1105", &[(name, &text)]).len(), ending, "{name}");
        }
    }

    #[test]
    fn rules_share_a_file_only_with_a_correlation_or_a_template() {
        let (one, two) = (titled("One"), titled("Two"));
        let pair = format!("{one}---\n{two}");
        assert_eq!(said_of("PAL1106", &[("rule.yml", &pair)]).len(), 1);
        assert!(said_of("PAL1106", &[("1.yml", &one), ("2.yml", &two)]).is_empty());
        let joined = format!(
            "{pair}name: two\n---\ntitle: c\ncorrelation: {{type: event_count, rules: [two], \
             timespan: 1m, condition: {{gte: 2}}}}\n"
        );
        assert!(said_of("PAL1106", &[("rule.yml", &joined)]).is_empty());
        let template = format!("action: global\nlevel: low\n---\n{pair}");
        assert!(said_of("PAL1106", &[("rule.yml", &template)]).is_empty());
    }
}
