//! What only this program understands: other tools refuse it, or pass it over.

use super::{Check, Found, Workspace, items};
use crate::diagnostic::{Diagnostic, code};
use crate::rule::modifier::Modifier;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[Check::info(code::HOUSE_EXTENSION, house_extension)];

/// One finding for a rule that uses extensions, at the first of them, with the names of all.
fn house_extension(workspace: &Workspace<'_>, found: &mut Found) {
    for (document, rule) in workspace.loaded() {
        let key = document.root.entry("palisade");
        let key = key.filter(|(_, value)| !value.is_null());
        let modifier = items::searches_have(document, Modifier::InList);
        let uses = [
            ("`palisade:`", key.map(|(key, _)| key)),
            ("`|in_list`", modifier),
        ];
        let names: Vec<&str> = uses
            .iter()
            .filter_map(|(name, node)| node.map(|_| *name))
            .collect();
        let first = uses.iter().filter_map(|(_, node)| *node);
        let Some(first) = first.min_by_key(|node| node.place.span.start) else {
            continue;
        };
        let message = format!("other Sigma tools do not know {}", names.join(" and "));
        found.push(
            Diagnostic::info(code::HOUSE_EXTENSION, &first.place, message)
                .with_help("leave it out of rules that are shared")
                .for_rule(Some(rule.meta().key())),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::said_of;

    #[test]
    fn a_rule_has_one_finding_that_names_all_its_extensions() {
        let rule = |search: &str, rest: &str| {
            let text = format!(
                "title: t\nlogsource: {{product: p}}\n\
                 detection: {{s: [{{{search}}}, {{'B|in_list': addresses}}], condition: s}}\n{rest}"
            );
            let found = said_of("PAL1116", &[("a.yml", &text)]);
            let found = found.into_iter().map(|one| one.message);
            found.collect::<Vec<_>>()
        };
        let both = "other Sigma tools do not know `palisade:` and `|in_list`";
        let one = "other Sigma tools do not know `|in_list`";
        let palisade = "palisade: {suppress: none}\n";
        assert_eq!(rule("'A|in_list': users", palisade), [both]);
        assert_eq!(rule("A: 1", ""), [one]);
        let plain = "title: t\nlogsource: {product: p}\ndetection: {s: {A: 1}, condition: s}\n";
        assert!(said_of("PAL1116", &[("a.yml", plain)]).is_empty());
    }
}
