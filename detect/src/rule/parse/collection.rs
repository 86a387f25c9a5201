//! Legacy collections: `action: global`, `reset` and `repeat` (Sigma 1, still loaded by its tools).

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, code, suggestion};
use crate::yaml::{Node, Yaml};

use super::document::{key_of, scalar_text};

/// Most bytes of text and nodes that templates may add to the documents of one file. Without it, a
/// file of 1 MiB with a large template and many small documents would cost gigabytes.
const COPIED_BYTES_MAX: usize = 64 << 20;
/// What a node counts besides its text.
const NODE_BYTES: usize = 64;

/// What the documents so far mean for the next one.
#[derive(Default)]
pub(super) struct Collection {
    template: Option<Node>,
    previous: Option<Arc<Node>>,
    copied: usize,
}

impl Collection {
    /// The rule that a document stands for; `None` if it only changes the collection.
    pub(super) fn take(&mut self, mut root: Node) -> Result<Option<Arc<Node>>, Diagnostic> {
        let key = key_of(&root);
        let Yaml::Map(entries) = &mut root.value else {
            let message = format!("document must be a mapping, not {}", root.type_name());
            return Err(Diagnostic::error(code::DOCUMENT_TYPE, &root.place, message));
        };
        let action = entries
            .iter()
            .position(|(name, _)| name.as_text() == Some("action"))
            .map(|at| entries.remove(at).1)
            .filter(|action| !action.is_null());
        match action {
            None => self.rule(root, key.as_deref()).map(Some),
            Some(action) => self.act(&action, root, key.as_deref()),
        }
    }

    /// A document with an action.
    fn act(
        &mut self,
        action: &Node,
        root: Node,
        key: Option<&str>,
    ) -> Result<Option<Arc<Node>>, Diagnostic> {
        let refused = |message: String| {
            Diagnostic::error(code::UNKNOWN_ACTION, &action.place, message).for_rule(key)
        };
        match action.as_text() {
            Some("global") => self.template = Some(root),
            Some("reset") => self.template = None,
            Some("repeat") => {
                let Some(previous) = self.previous.clone() else {
                    return Err(refused("`action: repeat` has no rule before it".to_owned()));
                };
                let merged = Arc::new(self.merged(&previous, &root, key)?);
                self.previous = Some(merged.clone());
                return Ok(Some(merged));
            }
            _ => {
                let name = scalar_text(action);
                let known = ["global", "reset", "repeat"];
                let help = suggestion(&name, known)
                    .unwrap_or_else(|| format!("write one of: {}", known.join(", ")));
                return Err(refused(format!("action `{name}` is unknown")).with_help(help));
            }
        }
        Ok(None)
    }

    /// A rule: detections take over what the template says, and their own entries win.
    fn rule(&mut self, root: Node, key: Option<&str>) -> Result<Arc<Node>, Diagnostic> {
        if root.get("correlation").is_some() || root.get("filter").is_some() {
            return Ok(Arc::new(root));
        }
        let rule = match self.template.take() {
            None => Arc::new(root),
            Some(template) => {
                let merged = self.merged(&template, &root, key);
                self.template = Some(template);
                Arc::new(merged?)
            }
        };
        self.previous = Some(rule.clone());
        Ok(rule)
    }

    /// Merges within the limit of what may be copied.
    fn merged(&mut self, base: &Node, over: &Node, key: Option<&str>) -> Result<Node, Diagnostic> {
        self.copied = self.copied.saturating_add(weight(base));
        if self.copied > COPIED_BYTES_MAX {
            let message = format!(
                "templates of this file add more than the limit of {COPIED_BYTES_MAX} bytes"
            );
            return Err(
                Diagnostic::error(code::COLLECTION_LIMIT, &over.place, message).for_rule(key),
            );
        }
        let mut merged = merge(base, over);
        merged.place = over.place.clone();
        Ok(merged)
    }
}

/// Both mappings in one; maps under the same key merge deeply, anything else `over` decides.
fn merge(base: &Node, over: &Node) -> Node {
    let (Some(below), Some(above)) = (base.as_map(), over.as_map()) else {
        return over.clone();
    };
    let mut entries = below.to_vec();
    let places: HashMap<&str, usize> = below
        .iter()
        .enumerate()
        .filter_map(|(at, (key, _))| Some((key.as_text()?, at)))
        .collect();
    for (key, value) in above {
        let known = key.as_text().and_then(|name| places.get(name));
        match known.and_then(|at| entries.get_mut(*at)) {
            Some(entry) => *entry = (key.clone(), merge(&entry.1, value)),
            None => entries.push((key.clone(), value.clone())),
        }
    }
    Node::new(base.place.clone(), Yaml::Map(entries))
}

/// Roughly the bytes that a copy of the node takes.
fn weight(node: &Node) -> usize {
    NODE_BYTES
        + match &node.value {
            Yaml::Text(text) => text.len(),
            Yaml::Seq(items) => items.iter().map(weight).sum(),
            Yaml::Map(entries) => entries.iter().map(|(k, v)| weight(k) + weight(v)).sum(),
            _ => 0,
        }
}
