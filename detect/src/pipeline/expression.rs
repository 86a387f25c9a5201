//! Conditions of a transformation joined by an expression over their names.

use super::read::Reader;
use crate::diagnostic::{Diagnostic, code};
use crate::rule::Expr;
use crate::rule::condition::{self, Names, Selectors};
use crate::yaml::Node;

/// The conditions under `{kind}_conditions`, and the expression over their places if there is one.
pub(super) struct Joined<'n> {
    pub(super) entries: Vec<&'n Node>,
    pub(super) expression: Option<Expr>,
}

impl Reader {
    /// Reads `{stem}_expr`, with the conditions as a mapping from the names in it; else their list.
    pub(super) fn joined<'n>(&mut self, node: &'n Node, kind: &str, stem: &str) -> Joined<'n> {
        let key = format!("{kind}_conditions");
        let conditions = node.get(&key);
        let Some(expression) = node.get(&format!("{stem}_expr")) else {
            let named = conditions.is_some_and(|node| node.as_map().is_some());
            let entries = match conditions {
                Some(conditions) if named => {
                    self.advise(
                        conditions,
                        format!("`{key}` with names needs `{stem}_expr`"),
                        format!("join the names there, as in `{stem}_expr: a and not b`, or write a list"),
                    );
                    Vec::new()
                }
                Some(conditions) => self.list(conditions, "conditions").iter().collect(),
                None => Vec::new(),
            };
            return Joined {
                entries,
                expression: None,
            };
        };
        for other in ["op", "not"].map(|end| format!("{stem}_{end}")) {
            if let Some(other_node) = node.get(&other) {
                self.advise(
                    other_node,
                    format!("`{other}` does not go together with `{stem}_expr`"),
                    "take it out, and write `or` and `not` into the expression",
                );
            }
        }
        let Some(conditions) = conditions else {
            self.advise(
                expression,
                format!("`{stem}_expr` has no `{key}` to join"),
                format!("write `{key}:` with a name and a condition on each line"),
            );
            return Joined {
                entries: Vec::new(),
                expression: None,
            };
        };
        let pairs = self.map(conditions, &format!("`{key}` beside `{stem}_expr`"));
        let names: Vec<&str> = pairs
            .iter()
            .filter_map(|(name, _)| name.as_text())
            .collect();
        Joined {
            entries: pairs.iter().map(|(_, entry)| entry).collect(),
            expression: self.over(expression, &names, stem),
        }
    }

    /// The expression over these names, each standing for its place.
    fn over(&mut self, node: &Node, names: &[&str], stem: &str) -> Option<Expr> {
        let text = node.as_text().unwrap_or_default();
        let known = Names::numbered(names.iter().copied());
        match condition::parse(text, &known, Selectors::Refused) {
            Ok(expression) => Some(expression),
            Err(found) => {
                let span = found.into_iter().next().map(|problem| problem.span);
                let place = span.map_or_else(|| node.place.clone(), |span| node.place_within(span));
                let message =
                    format!("`{stem}_expr` joins names of conditions by `and`, `or`, `not`");
                let help = format!("the names here are: {}", names.join(", "));
                self.problems
                    .push(Diagnostic::error(code::PIPELINE, &place, message).with_help(help));
                None
            }
        }
    }
}
