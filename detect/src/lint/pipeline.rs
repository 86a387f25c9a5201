//! Pipelines: transformations that do nothing.

use super::{Check, Found, Workspace};
use crate::diagnostic::{Diagnostic, code};
use crate::yaml::Node;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[Check::info(code::MAPPED_TO_ITSELF, mapped_to_itself)];

/// A field that is mapped to its own name and no other.
fn mapped_to_itself(workspace: &Workspace<'_>, found: &mut Found) {
    let documents = workspace.pipelines.iter().flat_map(|one| &one.documents);
    let steps = documents
        .filter_map(|document| document.get("transformations")?.as_seq())
        .flatten();
    let renames = |step: &&Node| {
        let kind = step.get("type").and_then(Node::as_text);
        kind == Some("field_name_mapping")
    };
    let entries = steps
        .filter(renames)
        .filter_map(|step| step.get("mapping")?.as_map())
        .flatten();
    for (from, to) in entries {
        let name = from.as_text();
        let same = match to.as_seq() {
            Some([one]) => one.as_text() == name,
            Some(_) => false,
            None => to.as_text() == name,
        };
        if let Some(name) = name.filter(|_| same) {
            let message = format!("field `{name}` is mapped to itself, which changes nothing");
            found.push(
                Diagnostic::info(code::MAPPED_TO_ITSELF, &from.place, message)
                    .with_help("name the field that events have, or take the entry out"),
            );
        }
    }
}
