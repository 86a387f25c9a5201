//! Metadata: ids, dates, status, levels.

use std::collections::BTreeSet;

use super::entry::about;
use super::{Check, Found, Workspace, key_of};
use crate::diagnostic::{Diagnostic, code};
use crate::rule::{Level, Status};
use crate::yaml::Node;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::warning(code::NO_ID, no_id),
    Check::warning(code::ID_NOT_UUID, id_not_uuid),
    Check::info(code::ID_UPPER_CASE, id_upper_case),
    Check::warning(code::ID_EXAMPLE, id_example),
    Check::info(code::NO_STATUS, no_status),
    Check::warning(code::NO_LEVEL, no_level),
    Check::info(code::DEPRECATED_ALONE, deprecated_alone),
];

/// A rule without id cannot be named for good: its alerts carry the title, which people change.
fn no_id(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        if document.root.get_some("id").is_none() {
            let place = &document.root.place;
            found.push(
                Diagnostic::warning(code::NO_ID, place, "rule has no `id`")
                    .with_help("add `id:` with a new UUID, and never change it afterwards")
                    .for_rule(key_of(document)),
            );
        }
    }
}

/// The rule's `id` as a node, if it is text.
fn ids<'a>(workspace: &Workspace<'a>) -> impl Iterator<Item = (&'a Node, &'a str)> {
    workspace.documents.iter().filter_map(|document| {
        let node = document.root.get("id")?;
        Some((node, node.as_text()?))
    })
}

/// Other tools refuse rules whose id is no UUID.
fn id_not_uuid(workspace: &Workspace<'_>, found: &mut Found) {
    for (node, id) in ids(workspace) {
        if !is_uuid(id) {
            let message = format!("id `{id}` is no UUID");
            found.push(
                Diagnostic::warning(code::ID_NOT_UUID, &node.place, message)
                    .with_help("the specification asks for a random UUID (version 4)")
                    .for_rule(Some(id)),
            );
        }
    }
}

/// Ids are compared as text by most tools, so that case tells them apart.
fn id_upper_case(workspace: &Workspace<'_>, found: &mut Found) {
    for (node, id) in ids(workspace) {
        if is_uuid(id) && id.bytes().any(|b| b.is_ascii_uppercase()) {
            let lower = id.to_ascii_lowercase();
            let place = node.place_within(0..id.len());
            found.push(
                Diagnostic::info(code::ID_UPPER_CASE, &place, "id has upper-case letters")
                    .with_help(format!("write `{lower}`"))
                    .for_rule(Some(id)),
            );
        }
    }
}

/// Ids that were typed or copied, not drawn, are drawn by others as well.
fn id_example(workspace: &Workspace<'_>, found: &mut Found) {
    for (node, id) in ids(workspace) {
        if is_uuid(id) && is_typed(id) {
            let message = format!("id `{id}` looks typed by hand");
            found.push(
                Diagnostic::warning(code::ID_EXAMPLE, &node.place, message)
                    .with_help("ids are unique only if they are random: draw one with `uuidgen`")
                    .for_rule(Some(id)),
            );
        }
    }
}

/// Whether a UUID consists of a few digits over and over, or counts up. Of a million random ones,
/// none has as few as five different digits.
fn is_typed(uuid: &str) -> bool {
    let digits: BTreeSet<char> = uuid.chars().filter(|c| *c != '-').collect();
    digits.len() <= 5 || uuid.starts_with("12345678-")
}

// ---- Status and level --------------------------------------------------------------------------

/// Without a status nobody knows how far to trust the rule.
fn no_status(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.alerting() {
        if document.root.get_some("status").is_none() {
            let place = &document.root.place;
            found.push(
                about(document, code::NO_STATUS, place, "rule has no `status`").with_help(
                    "write `status: experimental` for a new rule, `test` or `stable` later",
                ),
            );
        }
    }
}

/// Without a level alerts are of `medium` severity, whatever they mean.
fn no_level(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.alerting() {
        if document.root.get_some("level").is_none() {
            let names: Vec<&str> = Level::ALL.iter().map(|level| level.name()).collect();
            let place = &document.root.place;
            found.push(
                about(document, code::NO_LEVEL, place, "rule has no `level`").with_help(format!(
                    "its alerts count as `medium`; write one of: {}",
                    names.join(", ")
                )),
            );
        }
    }
}

/// A deprecated rule should say which one to use.
fn deprecated_alone(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, rule) in workspace.loaded() {
        let related = document.root.get_some("related").is_some();
        if rule.meta().status == Some(Status::Deprecated)
            && !related
            && let Some(node) = document.root.get("status")
        {
            let message = "rule is deprecated and names no other one";
            found.push(
                about(document, code::DEPRECATED_ALONE, &node.place, message)
                    .with_help("name the rule to use instead under `related:`"),
            );
        }
    }
}

/// Whether the text has the hyphenated form of a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{messages, rule, said_of};
    use super::*;

    #[test]
    fn ids_of_few_digits_are_typed_and_random_ones_are_not() {
        for id in [
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "12345678-90ab-4cde-8f01-23456789abcd",
        ] {
            assert_eq!(messages("PAL1004", &format!("id: {id}")).len(), 1, "{id}");
        }
        let random = "id: 3f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10";
        assert!(messages("PAL1004", random).is_empty());
    }

    #[test]
    fn status_and_level_are_asked_of_rules_and_not_of_filters() {
        let filter = "title: f\nlogsource: {product: azure}\n\
                      filter: {rules: any, s: {A: 1}, condition: not s}\n";
        for code in ["PAL1005", "PAL1006"] {
            assert!(said_of(code, &[("f.yml", filter)]).is_empty());
            assert_eq!(said_of(code, &[("r.yml", &rule(""))]).len(), 1);
            assert!(messages(code, "status: test\nlevel: low").is_empty());
        }
    }

    #[test]
    fn a_deprecated_rule_names_another_one() {
        let alone = "status: deprecated";
        assert_eq!(messages("PAL1007", alone).len(), 1);
        let related = "related:\n  - id: 3f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10\n    type: obsolete";
        assert!(messages("PAL1007", &format!("{alone}\n{related}")).is_empty());
    }

    #[test]
    fn only_the_hyphenated_form_is_a_uuid() {
        assert!(is_uuid("3f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10"));
        assert!(is_uuid("3F1C3D0E-6A55-4A0B-9B43-0C2F1F1B7A10"));
        for text in [
            "",
            "3f1c3d0e6a554a0b9b430c2f1f1b7a10",
            "{3f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10}",
            "3f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a1g",
        ] {
            assert!(!is_uuid(text), "{text}");
        }
    }
}
