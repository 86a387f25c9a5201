//! The entries of searches as they stand in the file: what checks of values look at.

use smallvec::SmallVec;

use super::{Workspace, key_of};
use crate::diagnostic::{Code, Diagnostic, Edit, Place};
use crate::rule::modifier::{Chain, Modifier};
use crate::rule::parse::RuleDocument;
use crate::yaml::{Node, Yaml};

/// Deepest nesting of lists and mappings in a search; YAML goes no deeper.
const DEPTH_MAX: usize = crate::yaml::DEPTH_MAX;

/// The key beside searches that Sigma's old aggregations had. To the language it is a search like any other.
pub(super) const OLD_TIMEFRAME: &str = "timeframe";

/// One entry of a search: a field (or keywords), modifiers and values, with their places.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// The rule that it stands in.
    pub(super) document: &'a RuleDocument,
    /// The bytes of its file.
    pub(super) bytes: &'a [u8],
    /// The field with its modifiers; for bare keywords the name of the search.
    pub(super) key: &'a Node,
    /// The field; `None` for keywords.
    pub(super) field: Option<&'a str>,
    /// The modifiers in the order written.
    pub(super) modifiers: SmallVec<[Modifier; 4]>,
    /// The values.
    pub(super) values: &'a [Node],
}

/// Every entry of every rule and filter: all of those that load, and of the others the entries in
/// which nothing is wrong.
pub(super) fn entries<'a>(workspace: &Workspace<'a>) -> impl Iterator<Item = Entry<'a>> {
    let workspace = *workspace;
    workspace
        .documents
        .iter()
        .flat_map(move |document| of_document(document, workspace.bytes(document)))
}

/// The entries of one document in which nothing is wrong.
pub(crate) fn of_document<'a>(document: &'a RuleDocument, bytes: &'a [u8]) -> Vec<Entry<'a>> {
    let mut found = Vec::new();
    let walk = Walk { document, bytes };
    let old = |key: &Node, node: &Node| key.as_text() == Some(OLD_TIMEFRAME) && node.is_scalar();
    for (key, node) in searches(document).filter(|(key, node)| !old(key, node)) {
        walk.search(key, node, 0, &mut found);
    }
    if !document.errors.is_empty() {
        found.retain(Entry::is_sound);
    }
    found
}

/// The searches of a rule or filter: name and what stands under it.
pub(super) fn searches(document: &RuleDocument) -> impl Iterator<Item = (&Node, &Node)> {
    section(document)
        .and_then(Node::as_map)
        .unwrap_or_default()
        .iter()
        .filter(|(key, _)| !matches!(key.as_text(), None | Some("condition" | "rules")))
        .map(|(key, node)| (key, node))
}

/// The key of the first entry of a rule or filter that carries a modifier.
pub(super) fn searches_have(document: &RuleDocument, modifier: Modifier) -> Option<&Node> {
    fn walk(node: &Node, modifier: Modifier, depth: usize) -> Option<&Node> {
        if depth > DEPTH_MAX {
            return None;
        }
        match &node.value {
            Yaml::Map(entries) => entries.iter().map(|(key, _)| key).find(|key| {
                let mut parts = key.as_text().unwrap_or_default().split('|').skip(1);
                parts.any(|part| Modifier::of(part) == Some(modifier))
            }),
            Yaml::Seq(items) => items
                .iter()
                .find_map(|item| walk(item, modifier, depth + 1)),
            _ => None,
        }
    }
    searches(document).find_map(|(_, node)| walk(node, modifier, 0))
}

/// The section that holds searches and condition.
pub(super) fn section(document: &RuleDocument) -> Option<&Node> {
    let root = &document.root;
    root.get("detection").or_else(|| root.get("filter"))
}

/// Collects the entries of one document.
struct Walk<'a> {
    document: &'a RuleDocument,
    bytes: &'a [u8],
}

impl<'a> Walk<'a> {
    fn search(&self, key: &'a Node, node: &'a Node, depth: usize, found: &mut Vec<Entry<'a>>) {
        if depth > DEPTH_MAX {
            return;
        }
        match &node.value {
            Yaml::Map(entries) => {
                for (key, value) in entries {
                    found.extend(self.entry(key, value));
                }
            }
            Yaml::Seq(items) if !items.iter().all(Node::is_scalar) => {
                for item in items {
                    self.search(key, item, depth + 1, found);
                }
            }
            Yaml::Seq(items) => found.push(self.keywords(key, items)),
            _ => found.push(self.keywords(key, std::slice::from_ref(node))),
        }
    }

    fn keywords(&self, key: &'a Node, values: &'a [Node]) -> Entry<'a> {
        Entry {
            document: self.document,
            bytes: self.bytes,
            key,
            field: None,
            modifiers: SmallVec::new(),
            values,
        }
    }

    fn entry(&self, key: &'a Node, value: &'a Node) -> Option<Entry<'a>> {
        let mut parts = key.as_text()?.split('|');
        let field = parts.next().filter(|name| !name.is_empty());
        Some(Entry {
            document: self.document,
            bytes: self.bytes,
            key,
            field,
            modifiers: parts.map(Modifier::of).collect::<Option<_>>()?,
            values: value.as_seq().unwrap_or(std::slice::from_ref(value)),
        })
    }
}

impl<'a> Entry<'a> {
    /// Whether no error of the document stands in it.
    fn is_sound(&self) -> bool {
        let nodes = std::iter::once(self.key).chain(self.values);
        let spans = nodes.map(|node| &node.place.span);
        let mut wrong = spans.map(|span| {
            let errors = &self.document.errors;
            errors
                .iter()
                .any(|at| *at == span.start || span.contains(at))
        });
        !wrong.any(|wrong| wrong)
    }

    /// Whether it carries a modifier.
    pub(crate) fn has(&self, modifier: Modifier) -> bool {
        self.modifiers.contains(&modifier)
    }

    /// The field with its modifiers as it stands in the file.
    pub(crate) fn key(&self) -> &'a Node {
        self.key
    }

    /// What its chain of modifiers means.
    pub(super) fn chain(&self) -> Option<Chain> {
        Chain::of(&self.modifiers).ok()
    }

    /// Values that are text.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&'a Node, &'a str)> {
        self.values
            .iter()
            .filter_map(|node| Some((node, node.as_text()?)))
    }

    /// A finding at a place of the entry, with help.
    pub(super) fn finding(
        &self,
        code: Code,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::warning(code, place, message)
            .with_help(help)
            .for_rule(key_of(self.document))
    }

    /// The place of a modifier without its `|`.
    pub(super) fn modifier_place(&self, modifier: Modifier) -> Place {
        self.modifier_range(modifier).map_or_else(
            || self.key.place.clone(),
            |range| self.key.place_within(range),
        )
    }

    /// Puts `text` in the place of a modifier; without text its `|` goes, too.
    pub(super) fn replace_modifier(&self, modifier: Modifier, text: &str) -> Option<Edit> {
        let mut range = self.modifier_range(modifier)?;
        range.start -= usize::from(text.is_empty());
        self.replace(self.key, range, text)
    }

    fn modifier_range(&self, modifier: Modifier) -> Option<std::ops::Range<usize>> {
        let written = self.key.as_text()?;
        let mut start = 0;
        for part in written.split('|') {
            let range = start..start + part.len();
            if start > 0 && Modifier::of(part) == Some(modifier) {
                return Some(range);
            }
            start = range.end + 1;
        }
        None
    }

    /// Puts `text` in the place of a part of a node's text; `None` where the part does not stand in the
    /// file as it is, or where the rest would no longer be the text that it looks like.
    pub(super) fn replace(
        &self,
        node: &Node,
        part: std::ops::Range<usize>,
        text: &str,
    ) -> Option<Edit> {
        let whole = node.as_text()?;
        let old = whole.get(part.clone())?;
        let place = node.place_within(part.clone());
        if !node.is_verbatim() || self.bytes.get(place.span.clone())? != old.as_bytes() {
            return None;
        }
        let quote = self.bytes.get(node.place.span.start)?;
        let quoted = matches!(quote, b'\'' | b'"');
        let mut after = whole.to_owned();
        after.replace_range(part, text);
        let fits = match quote {
            b'"' => !text.contains(['"', '\\']),
            b'\'' => !text.contains('\''),
            _ => stays_text(&after),
        };
        (fits && (quoted || !after.is_empty())).then(|| Edit::replace(&place, text))
    }
}

/// Whether YAML reads a plain scalar as just this text: letters at the ends and nothing special inside.
fn stays_text(text: &str) -> bool {
    let plain =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\\' | '/' | '|' | ' ');
    let word = ["true", "false", "null", "yes", "no", "on", "off"];
    text.starts_with(char::is_alphabetic)
        && text.chars().all(plain)
        && !text.ends_with(' ')
        && !word.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_that_yaml_reads_otherwise_are_no_text() {
        for text in ["abc", "a.b", "A|contains"] {
            assert!(stays_text(text), "{text}");
        }
        for text in ["", "1", "-a", "true", "NO", "a: b", "a #b", "*a", "a "] {
            assert!(!stays_text(text), "{text}");
        }
    }
}
