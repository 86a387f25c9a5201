//! Metadata for people: description, author, references, benign causes.

use super::entry::{about, same_words, text, texts};
use super::{Check, Found, Workspace};
use crate::diagnostic::{Diagnostic, Place, code};
use crate::rule::Level;
use crate::rule::parse::RuleDocument;
use crate::yaml::{Node, Yaml};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::info(code::NO_DESCRIPTION, no_description),
    Check::info(code::DESCRIPTION_IS_TITLE, description_is_title),
    Check::info(code::DESCRIPTION_SHORT, description_short),
    Check::info(code::NO_AUTHOR, no_author),
    Check::info(code::REFERENCE_FORM, reference_form),
    Check::info(code::NO_FALSE_POSITIVES, no_false_positives),
    Check::info(code::FALSE_POSITIVES_EMPTY, false_positives_empty),
    Check::warning(code::UNFINISHED, unfinished),
];

/// Fewer characters are no sentence. Sigma's own repository asks for as many.
const DESCRIPTION_CHARS_MIN: usize = 16;

/// What people write who have not thought of benign causes yet.
const NO_CAUSE: [&str; 11] = [
    "none",
    "no",
    "n/a",
    "na",
    "nil",
    "nothing",
    "-",
    "?",
    "none known",
    "tbd",
    "unkown",
];

/// Marks of what is still to be done.
const MARKS: [&str; 4] = ["TODO", "FIXME", "TBD", "XXX"];

/// An analyst who gets the alert has only the title.
fn no_description(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.alerting() {
        let written = document.root.get_some("description");
        if written.is_none_or(|node| node.as_text().is_some_and(|text| text.trim().is_empty())) {
            let place = &document.root.place;
            let message = "rule has no `description`";
            found.push(
                about(document, code::NO_DESCRIPTION, place, message)
                    .with_help("say what happened, what to look at, and what the rule misses"),
            );
        }
    }
}

/// The title once more tells nothing.
fn description_is_title(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let (Some((_, title)), Some((node, description))) =
            (text(document, "title"), text(document, "description"))
        else {
            continue;
        };
        if same_words(title, description) {
            let message = "description only repeats the title";
            found.push(
                about(document, code::DESCRIPTION_IS_TITLE, &node.place, message)
                    .with_help("say what happened, what to look at, and what the rule misses"),
            );
        }
    }
}

/// A word or two is no description.
fn description_short(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let Some((node, description)) = text(document, "description") else {
            continue;
        };
        let length = description.trim().chars().count();
        if (1..DESCRIPTION_CHARS_MIN).contains(&length) {
            let message = match length {
                1 => "description has only one character".to_owned(),
                _ => format!("description has only {length} characters"),
            };
            found.push(
                about(document, code::DESCRIPTION_SHORT, &node.place, message).with_help(
                    "write a sentence that somebody understands at three in the morning",
                ),
            );
        }
    }
}

/// Nobody to ask.
fn no_author(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.alerting() {
        if document.root.get_some("author").is_none() {
            let place = &document.root.place;
            found.push(
                about(document, code::NO_AUTHOR, place, "rule has no `author`")
                    .with_help("name who to ask: a person or a team"),
            );
        }
    }
}

/// References are links.
fn reference_form(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        for (node, reference) in texts(document, "references") {
            let is_link = reference.split_once("://").is_some_and(|(scheme, rest)| {
                ["http", "https"].contains(&scheme)
                    && !rest.is_empty()
                    && !rest.contains(char::is_whitespace)
            });
            // Sigma's own words for research that is not published.
            let internal = reference.to_lowercase().starts_with("internal research");
            if !is_link && !internal {
                let message = format!("reference `{reference}` is no link");
                found.push(
                    about(document, code::REFERENCE_FORM, &node.place, message)
                        .with_help("write a link that begins with `https://`"),
                );
            }
        }
    }
}

/// A grave alert that says nothing of benign causes costs the analyst time.
fn no_false_positives(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, rule) in workspace.loaded() {
        let meta = rule.meta();
        if let Some(level @ (Level::High | Level::Critical)) = meta.level
            && meta.falsepositives.is_empty()
        {
            let place = &document.root.place;
            let message = format!(
                "rule of level `{}` says nothing of benign causes",
                level.name()
            );
            found.push(
                about(document, code::NO_FALSE_POSITIVES, place, message)
                    .with_help("list under `falsepositives:` who does this for good reasons"),
            );
        }
    }
}

/// That there are none is not known, only that nobody has thought of any.
fn false_positives_empty(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        for (node, cause) in texts(document, "falsepositives") {
            let word = cause.trim().trim_end_matches('.').to_lowercase();
            if NO_CAUSE.contains(&&*word) {
                let message = format!("`{cause}` says nothing of benign causes");
                found.push(
                    about(document, code::FALSE_POSITIVES_EMPTY, &node.place, message)
                        .with_help("name one, or write `Unlikely` or `Unknown` as Sigma does"),
                );
            }
        }
    }
}

/// Marks of unfinished work in what people read.
fn unfinished(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        for key in [
            "title",
            "description",
            "author",
            "falsepositives",
            "references",
        ] {
            let Some(node) = document.root.get(key) else {
                continue;
            };
            let nodes = match &node.value {
                Yaml::Seq(items) => items.as_slice(),
                _ => std::slice::from_ref(node),
            };
            found.extend(nodes.iter().filter_map(|node| mark(document, node)));
        }
    }
}

/// The first mark in a text.
fn mark(document: &RuleDocument, node: &Node) -> Option<Diagnostic> {
    let text = node.as_text()?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let (at, mark) = MARKS.iter().find_map(|mark| {
        let (at, _) = text.match_indices(mark).find(|(at, _)| {
            let before = text.get(..*at).and_then(|text| text.chars().next_back());
            let after = text
                .get(at + mark.len()..)
                .and_then(|text| text.chars().next());
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })?;
        Some((at, mark))
    })?;
    let place: Place = node.place_within(at..at + mark.len());
    let message = format!("`{mark}` is left in what people read");
    Some(
        about(document, code::UNFINISHED, &place, message)
            .with_help("finish it, or set it down in a comment"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::messages;

    #[test]
    fn a_description_is_a_sentence_of_its_own() {
        assert_eq!(messages("PAL1030", "").len(), 1);
        assert_eq!(messages("PAL1030", "description: '  '").len(), 1);
        assert_eq!(messages("PAL1031", "description: ' RULE. '").len(), 1);
        assert_eq!(messages("PAL1032", "description: Bad thing").len(), 1);
        for code in ["PAL1030", "PAL1031", "PAL1032"] {
            let good = "description: Somebody rules a rule.";
            assert!(messages(code, good).is_empty(), "{code}");
        }
    }

    #[test]
    fn references_are_links_or_research_of_ones_own() {
        for good in ["https://example.com/a", "http://x", "Internal Research"] {
            let meta = format!("references: ['{good}']");
            assert!(messages("PAL1034", &meta).is_empty(), "{good}");
        }
        for bad in [
            "example.com",
            "https://",
            "see https://example.com",
            "https://a b",
        ] {
            let meta = format!("references: ['{bad}']");
            assert_eq!(messages("PAL1034", &meta).len(), 1, "{bad}");
        }
    }

    #[test]
    fn benign_causes_are_asked_of_grave_rules_only() {
        for (level, expected) in [("medium", 0), ("high", 1), ("critical", 1)] {
            let found = messages("PAL1035", &format!("level: {level}"));
            assert_eq!(found.len(), expected, "{level}");
        }
        let named = "level: high\nfalsepositives: [Backups]";
        assert!(messages("PAL1035", named).is_empty());
    }

    #[test]
    fn none_is_no_cause_and_unknown_is_sigmas_word() {
        for (cause, expected) in [
            ("None.", 1),
            ("N/A", 1),
            ("Unknown", 0),
            ("None of ours", 0),
        ] {
            let found = messages("PAL1036", &format!("falsepositives: ['{cause}']"));
            assert_eq!(found.len(), expected, "{cause}");
        }
    }

    #[test]
    fn marks_count_as_words_only() {
        for (text, expected) in [
            ("TODO say what", 1),
            ("say what (TBD)", 1),
            ("the TODOs of others", 0),
            ("CVE-2021-XXX and a_XXX", 0),
            ("todo lists of users", 0),
        ] {
            let found = messages("PAL1037", &format!("description: {text}"));
            assert_eq!(found.len(), expected, "{text}");
        }
        assert_eq!(messages("PAL1037", "falsepositives: [TODO]").len(), 1);
    }
}
