//! Metadata: ids, dates, status, levels.

use super::{Check, Workspace, key_of};
use crate::diagnostic::{Diagnostic, Edit, Severity, code};
use crate::yaml::Node;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check {
        code: code::NO_ID,
        severity: Severity::Warning,
        run: no_id,
    },
    Check {
        code: code::ID_NOT_UUID,
        severity: Severity::Warning,
        run: id_not_uuid,
    },
    Check {
        code: code::ID_UPPER_CASE,
        severity: Severity::Info,
        run: id_upper_case,
    },
];

/// A rule without id cannot be named for good: its alerts carry the title, which people change.
fn no_id(workspace: &Workspace<'_>, found: &mut Vec<Diagnostic>) {
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
fn id_not_uuid(workspace: &Workspace<'_>, found: &mut Vec<Diagnostic>) {
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
fn id_upper_case(workspace: &Workspace<'_>, found: &mut Vec<Diagnostic>) {
    for (node, id) in ids(workspace) {
        if is_uuid(id) && id.bytes().any(|b| b.is_ascii_uppercase()) {
            let lower = id.to_ascii_lowercase();
            let place = node.place_within(0..id.len());
            let problem =
                Diagnostic::info(code::ID_UPPER_CASE, &place, "id has upper-case letters")
                    .with_help(format!("write `{lower}`"))
                    .for_rule(Some(id));
            found.push(if place.span.len() == id.len() {
                problem.with_fix(
                    "write the id in lower case",
                    vec![Edit::replace(&place, lower)],
                )
            } else {
                problem
            });
        }
    }
}

/// Whether the text has the hyphenated form of a UUID.
fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
