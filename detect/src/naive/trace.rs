//! The verdict of every part of a rule on one event, for `explain`: what the evaluator itself says,
//! without its short cuts.

use std::cell::OnceCell;
use std::sync::Arc;

use super::{Check, Looked, Matcher, Node, Test};
use crate::rule::Expr;
use crate::rule::item::Target;
use crate::value::{Event, Value};

/// Most values that are named as what met keywords.
const LEAVES_MAX: usize = 3;

/// What one search, or a part of one, says about an event. It has the shape of
/// [`Search`](crate::rule::Search).
#[derive(Debug, Clone)]
pub enum Trace {
    /// Every part must hold.
    All(Vec<Trace>),
    /// One part must hold.
    Any(Vec<Trace>),
    /// An item.
    Item(ItemTrace),
}

/// What an item says about an event.
#[derive(Debug, Clone)]
pub struct ItemTrace {
    /// Its verdict.
    pub holds: bool,
    /// Whether it is met when its patterns are not (`neq`).
    pub negated: bool,
    /// For each of its patterns, whether some value meets it.
    pub patterns: Vec<bool>,
    /// Paths and texts of values that meet keywords, the first few.
    pub leaves: Vec<(String, String)>,
}

impl Trace {
    /// The verdict.
    pub fn holds(&self) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(Self::holds),
            Self::Any(parts) => parts.iter().any(Self::holds),
            Self::Item(item) => item.holds,
        }
    }
}

impl Matcher {
    /// What each search says about the event, in the order of the searches.
    pub fn trace(&self, event: &Event<'_>) -> Vec<Trace> {
        self.searches
            .iter()
            .map(|node| trace(node, event))
            .collect()
    }

    /// The condition over the searches, as judged.
    pub fn condition(&self) -> &Expr {
        &self.condition
    }
}

fn trace(node: &Node, event: &Event<'_>) -> Trace {
    match node {
        Node::All(parts) => Trace::All(parts.iter().map(|part| trace(part, event)).collect()),
        Node::Any(parts) => Trace::Any(parts.iter().map(|part| trace(part, event)).collect()),
        Node::Item(check) => Trace::Item(item(check, event)),
    }
}

fn item(check: &Check, event: &Event<'_>) -> ItemTrace {
    let mut leaves = Vec::new();
    let patterns = match &check.target {
        Target::Keywords => {
            for test in check.tests.iter() {
                test.leaves(&event.root, &mut String::new(), &mut leaves);
            }
            let tests = check.tests.iter();
            tests.map(|test| test.meets_any_leaf(&event.root)).collect()
        }
        Target::Fields(paths) => {
            let looked: Vec<Looked<'_, '_>> = paths
                .iter()
                .map(|path| Looked {
                    found: event.find(path),
                    json: OnceCell::new(),
                })
                .collect();
            let met = |test: &Arc<Test>| looked.iter().any(|looked| test.holds(looked, event));
            check.tests.iter().map(met).collect()
        }
    };
    ItemTrace {
        holds: check.holds(event),
        negated: check.negated,
        patterns,
        leaves,
    }
}

impl Test {
    /// Adds paths and texts of scalars that meet the test, until there are [`LEAVES_MAX`].
    fn leaves(&self, value: &Value<'_>, path: &mut String, out: &mut Vec<(String, String)>) {
        if out.len() >= LEAVES_MAX {
            return;
        }
        match value {
            Value::Array(items) => {
                for item in items {
                    self.leaves(item, path, out);
                }
            }
            Value::Object(object) => {
                for (key, inner) in object.members() {
                    let before = path.len();
                    if before > 0 {
                        path.push('.');
                    }
                    path.push_str(key);
                    self.leaves(inner, path, out);
                    path.truncate(before);
                }
            }
            scalar => {
                if self.meets_any_leaf(scalar) {
                    let text = scalar.as_text().map_or_else(String::new, Into::into);
                    out.push((path.clone(), text));
                }
            }
        }
    }
}
