//! Tags: their form, and what their name spaces have.

use std::collections::BTreeSet;

use super::entry::{about, remove_element, rewrite, texts};
use super::{Check, Found, Workspace};
use crate::attack::{self, Technique};
use crate::diagnostic::{Code, Diagnostic, code, suggestion};
use crate::rule::parse::RuleDocument;
use crate::yaml::Node;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::warning(code::TAG_FORM, form),
    Check::warning(code::TAG_UPPER_CASE, upper_case),
    Check::info(code::TAG_NAMESPACE, namespace),
    Check::warning(code::TAG_TWICE, twice),
    Check::warning(code::TAG_VALUE, value),
];

/// Name spaces of the tags appendix.
const NAMESPACES: [&str; 7] = ["attack", "car", "cve", "d3fend", "detection", "stp", "tlp"];

/// A tag as written, and in lower case.
pub(super) struct Tag<'a> {
    /// The document it stands in.
    document: &'a RuleDocument,
    /// Where it stands.
    node: &'a Node,
    /// As written.
    pub(super) text: &'a str,
    /// In lower case.
    lower: String,
}

impl Tag<'_> {
    /// What follows the first dot, if what precedes it is this name space.
    pub(super) fn within(&self, namespace: &str) -> Option<&str> {
        self.lower.strip_prefix(namespace)?.strip_prefix('.')
    }

    /// The technique id that it is or tries to be: `t1078`, `t1078.4`, `1078`.
    pub(super) fn technique_id(&self) -> Option<&str> {
        let name = self.within("attack")?;
        let digits = name.strip_prefix('t').unwrap_or(name);
        digits
            .starts_with(|c: char| c.is_ascii_digit())
            .then_some(name)
    }

    /// The technique, current or not.
    pub(super) fn technique(&self) -> Option<&'static Technique> {
        attack::technique(self.technique_id()?)
    }

    /// The name of a tactic that it is or tries to be, hyphens for underscores.
    pub(super) fn tactic_name(&self) -> Option<String> {
        let name = self.within("attack")?;
        if self.technique_id().is_some() || is_catalogued(name) {
            return None;
        }
        Some(name.replace('_', "-"))
    }

    /// A finding about it.
    pub(super) fn about(&self, code: Code, message: String) -> Diagnostic {
        about(self.document, code, &self.node.place, message)
    }

    /// A finding that another tag in its place mends.
    pub(super) fn renamed(&self, code: Code, message: String, to: &str) -> Diagnostic {
        let problem = self.about(code, message).with_help(format!("write `{to}`"));
        match rewrite(self.node, to) {
            Some(edit) if !has(self.document, to) => {
                problem.with_fix(format!("write `{to}`"), vec![edit])
            }
            _ => problem,
        }
    }
}

/// Whether a name is the id of a group, a program, a campaign, a mitigation or a data source: `g0007`.
/// Those are not in the table of techniques and pass.
fn is_catalogued(name: &str) -> bool {
    ["g", "s", "c", "m", "ds"].iter().any(|prefix| {
        name.strip_prefix(prefix)
            .is_some_and(|id| id.len() == 4 && id.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// All tags of a document.
pub(super) fn tags(document: &RuleDocument) -> impl Iterator<Item = Tag<'_>> {
    texts(document, "tags").map(move |(node, text)| Tag {
        document,
        node,
        text,
        lower: text.to_ascii_lowercase(),
    })
}

/// All tags of all documents.
pub(super) fn all_tags<'a>(workspace: &Workspace<'a>) -> impl Iterator<Item = Tag<'a>> {
    workspace.documents.iter().flat_map(tags)
}

/// Whether a document has this tag, in whatever case.
fn has(document: &RuleDocument, tag: &str) -> bool {
    texts(document, "tags").any(|(_, text)| text.eq_ignore_ascii_case(tag))
}

/// A tag is `namespace.name`, of letters, digits, `-`, `_` and dots.
fn form(workspace: &Workspace<'_>, found: &mut Found) {
    for tag in all_tags(workspace) {
        let sound = tag.lower.split_once('.').is_some_and(|(namespace, name)| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            !namespace.is_empty()
                && !name.is_empty()
                && namespace.chars().all(allowed)
                && name.chars().all(|c| allowed(c) || c == '.')
        });
        if !sound {
            let message = format!("tag `{}` is not of the form `namespace.name`", tag.text);
            found.push(tag.about(code::TAG_FORM, message).with_help(
                "write letters, digits, `-` and `_`, a dot after the name space, such as \
                 `attack.t1078.004`",
            ));
        }
    }
}

/// Tags are compared as text by most tools.
fn upper_case(workspace: &Workspace<'_>, found: &mut Found) {
    for tag in all_tags(workspace) {
        if tag.text != tag.lower {
            let message = format!("tag `{}` has upper-case letters", tag.text);
            // Else the next finding would be about what this one said to write.
            let tactic = tag
                .tactic_name()
                .filter(|name| attack::tactic(name).is_some());
            let to = tactic.map_or_else(|| tag.lower.clone(), |name| format!("attack.{name}"));
            let problem = tag
                .about(code::TAG_UPPER_CASE, message)
                .with_help(format!("write `{to}`"));
            found.push(match rewrite(tag.node, &to) {
                Some(edit) => problem.with_fix("write the tag in lower case", vec![edit]),
                None => problem,
            });
        }
    }
}

/// Tools that know the appendix pass over other name spaces.
fn namespace(workspace: &Workspace<'_>, found: &mut Found) {
    for tag in all_tags(workspace) {
        let Some((namespace, _)) = tag.lower.split_once('.') else {
            continue;
        };
        if !namespace.is_empty() && !NAMESPACES.contains(&namespace) {
            let message = format!("name space `{namespace}` of a tag is none of Sigma's");
            let help = suggestion(namespace, NAMESPACES)
                .unwrap_or_else(|| format!("Sigma has: {}", NAMESPACES.join(", ")));
            found.push(tag.about(code::TAG_NAMESPACE, message).with_help(help));
        }
    }
}

/// The same tag twice says nothing more.
fn twice(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let mut seen = BTreeSet::new();
        for tag in tags(document) {
            let (node, text) = (tag.node, tag.text);
            if seen.insert(tag.lower) {
                continue;
            }
            let message = format!("tag `{text}` stands twice");
            let problem = about(document, code::TAG_TWICE, &node.place, message)
                .with_help("take one of them away");
            found.push(match remove_element(workspace.bytes(document), node) {
                Some(edit) => problem.with_fix("take the second one away", vec![edit]),
                None => problem,
            });
        }
    }
}

/// Name spaces whose names have a form, with what it is.
type Form = (&'static str, fn(&str) -> bool, &'static str);

/// Forms of the tags appendix, beside ATT&CK's.
const FORMS: [Form; 6] = [
    (
        "tlp",
        |name| ["red", "amber", "amber-strict", "green", "clear", "white"].contains(&name),
        "write one of `tlp.red`, `tlp.amber-strict`, `tlp.amber`, `tlp.green`, `tlp.clear`",
    ),
    (
        "cve",
        |name| groups(name) == [4, usize::MAX] && name.len() >= 9,
        "write the year, a hyphen and the number, such as `cve.2021-44228`",
    ),
    (
        "car",
        |name| groups(name) == [4, 2, 3],
        "write the analytic's date and number, such as `car.2016-04-005`",
    ),
    (
        "stp",
        |name| {
            let mut bytes = name.bytes();
            bytes.next().is_some_and(|b| (b'1'..=b'5').contains(&b))
                && bytes.next().is_none_or(|b| b"auk".contains(&b))
                && bytes.next().is_none()
        },
        "write a level from 1 to 5 and optionally `a`, `u` or `k`, such as `stp.3u`",
    ),
    (
        "detection",
        |name| ["dfir", "emerging-threats", "threat-hunting"].contains(&name),
        "write one of `detection.dfir`, `detection.emerging-threats`, `detection.threat-hunting`",
    ),
    (
        "d3fend",
        |name| name.strip_prefix("d3-").is_some_and(|id| !id.is_empty()) || !name.contains('_'),
        "write the technique's id, such as `d3fend.d3-pa`",
    ),
];

/// Lengths of the digit groups between hyphens; the last one of two counts as open-ended. Empty if
/// there is anything else.
fn groups(name: &str) -> Vec<usize> {
    let groups: Vec<&str> = name.split('-').collect();
    let digits = |group: &&str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit());
    if !groups.iter().all(digits) {
        return Vec::new();
    }
    match groups.as_slice() {
        [year, _] => vec![year.len(), usize::MAX],
        _ => groups.iter().map(|group| group.len()).collect(),
    }
}

/// Names that their name space does not have.
fn value(workspace: &Workspace<'_>, found: &mut Found) {
    for tag in all_tags(workspace) {
        for (namespace, is_sound, help) in FORMS {
            let Some(name) = tag.within(namespace) else {
                continue;
            };
            if is_sound(name) {
                continue;
            }
            let message = format!("`{}` is no tag of name space `{namespace}`", tag.text);
            // `cve.2021.44228` and `detection.threat_hunting` were Sigma's own spelling once.
            let hyphens = name.replace(['.', '_'], "-");
            found.push(if is_sound(&hyphens) {
                tag.renamed(code::TAG_VALUE, message, &format!("{namespace}.{hyphens}"))
            } else {
                tag.about(code::TAG_VALUE, message).with_help(help)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{mended, messages};

    #[test]
    fn tags_without_name_space_or_with_other_characters_are_no_tags() {
        for tag in ["cloud", "attack.", ".x", "attack.lateral movement", "a b.c"] {
            assert_eq!(
                messages("PAL1201", &format!("tags: ['{tag}']")).len(),
                1,
                "{tag}"
            );
        }
        for tag in ["attack.t1078.004", "my_team.x-1", "ATTACK.T1078"] {
            assert!(
                messages("PAL1201", &format!("tags: ['{tag}']")).is_empty(),
                "{tag}"
            );
        }
    }

    #[test]
    fn tactic_in_upper_case_is_written_with_its_hyphen_at_once() {
        let after = mended("PAL1202", "tags: [attack.Initial_Access]");
        assert!(after.contains("tags: [attack.initial-access]"), "{after}");
        let after = mended("PAL1202", "tags: [my.Own_Tag]");
        assert!(after.contains("tags: [my.own_tag]"), "{after}");
    }

    #[test]
    fn name_spaces_with_a_form_are_held_to_it() {
        for tag in [
            "tlp.amber-strict",
            "cve.2021-44228",
            "car.2016-04-005",
            "stp.3",
            "stp.5k",
            "detection.dfir",
            "d3fend.d3-pa",
            "other.thing",
        ] {
            assert!(
                messages("PAL1205", &format!("tags: [{tag}]")).is_empty(),
                "{tag}"
            );
        }
        for tag in [
            "tlp.blue",
            "cve.21-44228",
            "cve.2021-1-2",
            "car.2016-4-005",
            "stp.0",
            "stp.3x",
            "stp.3uu",
            "detection.hunting",
        ] {
            assert_eq!(
                messages("PAL1205", &format!("tags: [{tag}]")).len(),
                1,
                "{tag}"
            );
        }
    }

    #[test]
    fn sigmas_own_older_spelling_is_mended() {
        let fixed = mended("PAL1205", "tags:\n  - cve.2021.44228");
        assert!(fixed.contains("- cve.2021-44228\n"), "{fixed}");
    }
}
