//! Metadata: keys that are misspelt, empty, of the wrong type, or that say nothing.

use super::entry::{about, text, whole_line};
use super::meta::is_uuid;
use super::{Check, Found, Workspace};
use crate::diagnostic::{Edit, code, nearest, suggestion};
use crate::rule::parse::{CORRELATION_KEYS, RuleDocument, meant};
use crate::yaml::{Node, Yaml};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::warning(code::KEY_MISSPELT, misspelt),
    Check::info(code::KEY_EMPTY, empty),
    Check::warning(code::KEY_TYPE, wrong_type),
    Check::warning(code::RELATED_FORM, related_form),
    Check::warning(code::RELATED_SELF, related_self),
    Check::info(code::LICENSE_FORM, license_form),
    Check::warning(code::LOGSOURCE_KEY, logsource_key),
    Check::warning(code::LOGSOURCE_CASE, logsource_case),
    Check::warning(code::CORRELATION_KEY, correlation_key),
];

/// Keys of a document that Sigma or Palisade know.
const KEYS: [&str; 23] = [
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "author",
    "references",
    "date",
    "modified",
    "logsource",
    "detection",
    "correlation",
    "filter",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "palisade",
    "action",
];

/// How rules can be related.
const RELATIONS: [&str; 5] = ["derived", "obsolete", "merged", "renamed", "similar"];

/// Keys of a log source.
const LOGSOURCE: [&str; 4] = ["category", "product", "service", "definition"];

/// Other keys are allowed, and ignored: a misspelt one as well.
fn misspelt(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let entries = document.root.as_map().unwrap_or_default();
        for (key, name) in entries
            .iter()
            .filter_map(|(key, _)| Some((key, key.as_text()?)))
        {
            if KEYS.contains(&name) {
                continue;
            }
            if let Some(near) = nearest(name, KEYS) {
                let message = format!("key `{name}` is unknown and says nothing");
                let help = if document.root.get(near).is_some() {
                    format!("`{near}` is there already; take this one away")
                } else {
                    format!("did you mean `{near}`?")
                };
                found
                    .push(about(document, code::KEY_MISSPELT, &key.place, message).with_help(help));
            }
        }
    }
}

/// Whether there is nothing in it.
fn is_empty(node: &Node) -> bool {
    match &node.value {
        Yaml::Null => true,
        Yaml::Text(text) => text.is_empty(),
        Yaml::Seq(items) => items.is_empty(),
        Yaml::Map(entries) => entries.is_empty(),
        Yaml::Bool(_) | Yaml::Int(_) | Yaml::Float(_) => false,
    }
}

/// An optional key without a value.
fn empty(workspace: &Workspace<'_>, found: &mut Found) {
    /// A rule does not load without these, which is reported as such.
    const MANDATORY: [&str; 6] = [
        "title",
        "logsource",
        "detection",
        "correlation",
        "filter",
        "name",
    ];
    for document in workspace.documents {
        for (key, value) in document.root.as_map().unwrap_or_default() {
            let Some(name) = key.as_text() else {
                continue;
            };
            if MANDATORY.contains(&name) || !is_empty(value) {
                continue;
            }
            let message = format!("`{name}` is empty");
            let problem = about(document, code::KEY_EMPTY, &key.place, message)
                .with_help("fill it in, or take it away");
            found.push(match line_of_empty(workspace.bytes(document), key) {
                Some(edit) => problem.with_fix(format!("take `{name}` away"), vec![edit]),
                None => problem,
            });
        }
    }
}

/// Takes the line of a key away, if nothing else stands on it but an empty value.
fn line_of_empty(bytes: &[u8], key: &Node) -> Option<Edit> {
    let line = whole_line(bytes, &key.place.span)?;
    let rest = bytes.get(key.place.span.end..line.end)?.trim_ascii();
    let value = rest.strip_prefix(b":")?.trim_ascii();
    let nothing: [&[u8]; 7] = [b"", b"[]", b"{}", b"''", b"\"\"", b"~", b"null"];
    let alone = line.start == key.place.span.start && nothing.contains(&value);
    alone.then(|| Edit {
        span: line,
        text: String::new(),
    })
}

/// Keys that Palisade has no use for, with the type that other tools insist on.
fn wrong_type(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        for (keys, wanted) in [
            (["fields", "scope"].as_slice(), "a list of text"),
            (["license", "taxonomy"].as_slice(), "text"),
        ] {
            for key in keys {
                let Some(node) = document.root.get_some(key) else {
                    continue;
                };
                let sound = match (&node.value, wanted) {
                    (Yaml::Seq(items), "a list of text") => {
                        items.iter().all(|item| item.as_text().is_some())
                    }
                    (Yaml::Text(_), "text") => true,
                    _ => false,
                };
                if !sound {
                    let message = format!("`{key}` must be {wanted}");
                    found.push(
                        about(document, code::KEY_TYPE, &node.place, message)
                            .with_help("Palisade does not use it; other tools refuse the rule"),
                    );
                }
            }
        }
    }
}

/// `related:` is a list of ids with types.
fn related_form(workspace: &Workspace<'_>, found: &mut Found) {
    const FORM: &str = "write a list of `id:` and `type:`, each type one of: derived, obsolete, \
                        merged, renamed, similar";
    for document in workspace.documents {
        let Some(node) = document.root.get_some("related") else {
            continue;
        };
        let Some(items) = node.as_seq() else {
            let message = format!("`related` must be a list, not {}", node.type_name());
            found.push(about(document, code::RELATED_FORM, &node.place, message).with_help(FORM));
            continue;
        };
        for item in items {
            if let Some((node, message, help)) = related_item(item) {
                let problem = about(document, code::RELATED_FORM, &node.place, message);
                found.push(problem.with_help(help.unwrap_or_else(|| FORM.to_owned())));
            }
        }
    }
}

/// What is wrong with an entry of `related`, where, and help of its own.
fn related_item(item: &Node) -> Option<(&Node, String, Option<String>)> {
    let Some(id) = item.get("id").filter(|id| id.as_text().is_some()) else {
        return Some((item, "entry of `related` has no `id`".to_owned(), None));
    };
    let Some((kind, name)) = item
        .get("type")
        .and_then(|kind| Some((kind, kind.as_text()?)))
    else {
        return Some((item, "entry of `related` has no `type`".to_owned(), None));
    };
    if !RELATIONS.contains(&name) {
        let message = format!("relation `{name}` is unknown");
        return Some((kind, message, suggestion(name, RELATIONS)));
    }
    let text = id.as_text()?;
    (!is_uuid(text)).then(|| {
        let message = format!("related id `{text}` is no UUID");
        (
            id,
            message,
            Some("name the other rule by its id".to_owned()),
        )
    })
}

/// A rule is not related to itself: mostly a copy whose own id was not renewed.
fn related_self(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let Some((_, own)) = text(document, "id") else {
            continue;
        };
        let related = document.root.get("related").and_then(Node::as_seq);
        for id in related
            .unwrap_or_default()
            .iter()
            .filter_map(|item| item.get("id"))
        {
            if id.as_text().is_some_and(|id| id.eq_ignore_ascii_case(own)) {
                let message = "rule is related to itself";
                found.push(
                    about(document, code::RELATED_SELF, &id.place, message)
                        .with_help("name the other rule, or renew the id of this one"),
                );
            }
        }
    }
}

/// `license:` is an SPDX expression.
fn license_form(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let Some((node, license)) = text(document, "license") else {
            continue;
        };
        if !is_spdx(license) {
            let message = format!("license `{license}` is no SPDX expression");
            found.push(
                about(document, code::LICENSE_FORM, &node.place, message).with_help(
                    "write the license's SPDX identifier, such as `MIT`, `Apache-2.0` or \
                     `DRL-1.1`",
                ),
            );
        }
    }
}

/// Whether a text has the form of an SPDX expression: identifiers, and operators between them.
fn is_spdx(text: &str) -> bool {
    let bare = text.replace(['(', ')'], " ");
    let mut wants_operator = false;
    for word in bare.split_whitespace() {
        let operator = ["AND", "OR", "WITH"].contains(&word);
        let identifier = word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+' | ':'));
        if operator != wants_operator || !identifier {
            return false;
        }
        wants_operator = !wants_operator;
    }
    wants_operator
}

/// The entries of a document's log source.
fn logsource(document: &RuleDocument) -> &[(Node, Node)] {
    let node = document.root.get("logsource");
    node.and_then(Node::as_map).unwrap_or_default()
}

/// Other keys restrict nothing: a misspelt one lets the rule see more than was meant.
fn logsource_key(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        for (key, _) in logsource(document) {
            let Some(name) = key.as_text().filter(|name| !LOGSOURCE.contains(name)) else {
                continue;
            };
            let message = format!("key `{name}` of a log source restricts nothing");
            let help = suggestion(name, LOGSOURCE).unwrap_or_else(|| {
                "only `category`, `product` and `service` say which events are judged".to_owned()
            });
            found.push(about(document, code::LOGSOURCE_KEY, &key.place, message).with_help(help));
        }
    }
}

/// Log sources are compared letter by letter, and all that Sigma lists are in lower case.
fn logsource_case(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        for (key, value) in logsource(document) {
            let part = key.as_text().filter(|name| LOGSOURCE[..3].contains(name));
            let (Some(part), Some(text)) = (part, value.as_text()) else {
                continue;
            };
            let plain = text.trim().to_lowercase();
            if text != plain {
                let message = format!("{part} `{text}` is not in lower case");
                found.push(
                    about(document, code::LOGSOURCE_CASE, &value.place, message)
                        .with_help(format!("events state it letter by letter; write `{plain}`")),
                );
            }
        }
    }
}

/// Other keys say nothing. Those that a known one was meant by keep the correlation from loading.
fn correlation_key(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let section = document.root.get("correlation").and_then(Node::as_map);
        for (key, _) in section.unwrap_or_default() {
            let name = key.as_text().filter(|name| {
                !CORRELATION_KEYS.contains(name) && meant(name, &CORRELATION_KEYS).is_none()
            });
            let Some(name) = name else {
                continue;
            };
            let message = format!("key `{name}` of a correlation says nothing");
            let help = if KEYS.contains(&name) {
                format!("write `{name}:` beside `correlation:`, not below it")
            } else {
                format!("known are `{}`", CORRELATION_KEYS.join("`, `"))
            };
            found.push(about(document, code::CORRELATION_KEY, &key.place, message).with_help(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{mended, messages, rule, said_of};
    use super::*;

    #[test]
    fn misspelt_keys_are_reported_and_custom_ones_are_not() {
        for key in ["falsepositive", "tag", "Level", "descripton", "reference"] {
            let found = messages("PAL1050", &format!("{key}: x"));
            assert_eq!(found.len(), 1, "{key}");
        }
        for key in ["custom", "simulation", "regression_tests_path", "x"] {
            assert!(
                messages("PAL1050", &format!("{key}: x")).is_empty(),
                "{key}"
            );
        }
        let both = said_of("PAL1050", &[("r.yml", &rule("tags: []\ntag: x"))]);
        assert!(
            both[0]
                .help
                .as_ref()
                .expect("help")
                .contains("there already")
        );
    }

    #[test]
    fn an_empty_key_is_taken_away_with_its_line() {
        assert_eq!(
            mended("PAL1051", "tags: []\nlevel: low"),
            rule("level: low")
        );
        assert_eq!(
            mended("PAL1051", "references:\nlevel: low"),
            rule("level: low")
        );
        let shared = said_of("PAL1051", &[("r.yml", &rule("tags: []  # why"))]);
        assert_eq!((shared.len(), shared[0].fix.is_some()), (1, false));
        assert!(messages("PAL1051", "level: low\ncount: 0").is_empty());
    }

    #[test]
    fn keys_of_other_tools_keep_their_types() {
        for (meta, expected) in [
            ("fields: A", 1),
            ("fields: [A, 1]", 1),
            ("fields: [A]", 0),
            ("license: 1", 1),
            ("scope: [server]", 0),
        ] {
            assert_eq!(messages("PAL1052", meta).len(), expected, "{meta}");
        }
    }

    #[test]
    fn related_entries_have_an_id_and_a_known_type() {
        let id = "3f1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10";
        for (related, expected) in [
            (format!("[{{id: {id}, type: derived}}]"), 0),
            (format!("[{{id: {id}, type: derives}}]"), 1),
            (format!("[{{id: {id}}}]"), 1),
            ("[{id: x, type: similar}]".to_owned(), 1),
            ("[x]".to_owned(), 1),
            ("x".to_owned(), 1),
        ] {
            let meta = format!("related: {related}");
            assert_eq!(messages("PAL1053", &meta).len(), expected, "{meta}");
        }
        let own = format!(
            "id: {id}\nrelated: [{{id: {}, type: similar}}]",
            id.to_uppercase()
        );
        assert_eq!(messages("PAL1054", &own).len(), 1);
    }

    #[test]
    fn licenses_are_spdx_expressions() {
        for good in [
            "MIT",
            "Apache-2.0",
            "DRL-1.1",
            "(MIT OR Apache-2.0)",
            "GPL-2.0+ WITH x",
        ] {
            assert!(is_spdx(good), "{good}");
        }
        for bad in [
            "",
            "MIT License",
            "Apache 2.0",
            "MIT OR",
            "https://example.com/license",
        ] {
            assert!(!is_spdx(bad), "{bad}");
        }
    }

    #[test]
    fn log_sources_are_held_to_known_keys_and_lower_case() {
        let of = |code: &str, logsource: &str| {
            let text = format!(
                "title: t\nlogsource: {logsource}\ndetection: {{s: {{A: 1}}, condition: s}}\n"
            );
            said_of(code, &[("r.yml", &text)]).len()
        };
        assert_eq!(of("PAL1056", "{product: azure, servise: x}"), 1);
        assert_eq!(of("PAL1056", "{product: azure, definition: X}"), 0);
        assert_eq!(of("PAL1057", "{product: Azure, service: ' x'}"), 2);
        assert_eq!(of("PAL1057", "{product: azure, definition: X}"), 0);
    }

    #[test]
    fn keys_of_correlations_that_say_nothing_are_told_apart_from_mistyped_ones() {
        let of = |key: &str| {
            let text = format!(
                "title: c\ncorrelation:\n  type: temporal\n  rules: a\n  timespan: 1m\n  {key}: x\n"
            );
            let found = said_of("PAL1058", &[("r.yml", &text)]).into_iter();
            found.map(|one| one.help.expect("help")).collect::<Vec<_>>()
        };
        assert_eq!(of("group-by"), [""; 0]);
        assert_eq!(of("group_by"), [""; 0]);
        assert_eq!(
            of("level"),
            ["write `level:` beside `correlation:`, not below it"]
        );
        assert!(of("note")[0].starts_with("known are `type`"));
    }
}
