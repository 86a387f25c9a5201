//! Why a rule matches an event, or does not: the condition as a tree with the verdict of every part and
//! the values that each entry saw.
//!
//! The verdicts are those of the [naive evaluator](crate::naive), which is the judge of what rules
//! mean. What an explanation says is bounded: long lists, values and trees are cut and say so.

use serde::Serialize;

use crate::diagnostic::Diagnostic;
use crate::event::EventRef;
use crate::logsource::{Logsource, Routing};
use crate::naive::Matcher;
use crate::naive::trace::Trace;
use crate::rule::{Detection, Expr, Meta};
use crate::value::Event;

mod distance;
mod entry;
mod near;

pub use entry::{Entry, Seen};

/// Most nodes of one explanation; what is beyond is counted in [`Node::left_out`].
pub const NODES_MAX: usize = 1_000;
/// Most parts of one node that are shown.
pub const PARTS_MAX: usize = 40;
/// Most values of an entry, and values seen by it, that are shown.
pub const VALUES_MAX: usize = 5;
/// Longest text of one value, in bytes.
pub const VALUE_BYTES_MAX: usize = 160;

/// A detection rule that can explain itself.
#[derive(Debug)]
pub struct Explainer {
    detection: Detection,
    matcher: Matcher,
}

/// Why a rule matches an event, or does not.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Id, else name, else title of the rule.
    pub rule: String,
    /// Its title.
    pub title: String,
    /// Whether it matches: its log source admits the event and its condition holds.
    pub matches: bool,
    /// Its log source against the event's.
    pub logsource: LogsourceVerdict,
    /// Its condition.
    pub condition: Node,
    /// How many entries would have to be judged otherwise for the condition to hold; 0 if it does.
    pub distance: usize,
}

/// The log source of a rule against an event's.
#[derive(Debug, Clone, Serialize)]
pub struct LogsourceVerdict {
    /// Whether the rule judges the event.
    pub admits: bool,
    /// What the rule asks for, such as `azure/signinlogs`; empty if nothing.
    pub asked: String,
    /// What the event states, most specific first; empty: nothing, and every rule judges it.
    pub stated: Vec<String>,
}

/// A part of a condition with its verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Node {
    /// Its verdict.
    pub holds: bool,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
    /// Its parts, as many as are shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Node>,
    /// Parts that are not shown.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

/// What a part of a condition is.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "node", rename_all = "snake_case")]
pub enum What {
    /// It holds when its part does not.
    Not,
    /// It holds when all of its parts do.
    All,
    /// It holds when one of its parts does.
    Any,
    /// It holds when so many of its parts do.
    AtLeast {
        /// So many.
        count: usize,
    },
    /// A search of the rule.
    Search {
        /// Its name in the rule.
        name: String,
    },
    /// A field or keywords with values.
    Entry(Box<Entry>),
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde asks for"
)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Explainer {
    /// Prepares a rule whose pipelines have been applied and whose filters have been joined.
    ///
    /// # Errors
    /// What keeps it from being judged.
    pub fn new(detection: Detection) -> Result<Self, Vec<Diagnostic>> {
        let matcher = Matcher::compile(&detection.searches, &detection.condition)?;
        Ok(Self { detection, matcher })
    }

    /// Title, id and the rest.
    pub fn meta(&self) -> &Meta {
        &self.detection.meta
    }

    /// The rule.
    pub fn detection(&self) -> &Detection {
        &self.detection
    }

    /// Whether the rule matches, by the engine's own test.
    pub fn matches(&self, event: &EventRef<'_>, tree: &Event<'_>, routing: Routing) -> bool {
        self.admits(event, routing) && self.matcher.matches(tree)
    }

    /// Whether the rule judges events of this log source.
    pub fn admits(&self, event: &EventRef<'_>, routing: Routing) -> bool {
        self.detection.logsource.admits(event.logsources, routing)
    }

    /// How many entries would have to be judged otherwise for the condition to hold; 0 if it does.
    pub fn distance(&self, tree: &Event<'_>) -> usize {
        distance::of(self.matcher.condition(), &self.matcher.trace(tree)).to_hold
    }

    /// Why the rule matches the event, or does not.
    pub fn explain(&self, event: &EventRef<'_>, tree: &Event<'_>, routing: Routing) -> Explanation {
        let traces = self.matcher.trace(tree);
        let mut writer = Writer {
            detection: &self.detection,
            traces: &traces,
            tree,
            paths: near::Paths::default(),
            nodes: NODES_MAX,
        };
        let condition = writer.expression(self.matcher.condition());
        let admits = self.admits(event, routing);
        let stated = event.logsources.iter().take(VALUES_MAX);
        Explanation {
            rule: self.meta().key().to_owned(),
            title: self.meta().title.clone(),
            matches: admits && condition.holds,
            logsource: LogsourceVerdict {
                admits,
                asked: self.detection.logsource.to_string(),
                stated: stated.map(Logsource::to_string).collect(),
            },
            distance: distance::of(self.matcher.condition(), &traces).to_hold,
            condition,
        }
    }
}

/// Writes the tree of one explanation.
struct Writer<'e> {
    detection: &'e Detection,
    traces: &'e [Trace],
    tree: &'e Event<'e>,
    paths: near::Paths,
    /// Nodes that may still be written.
    nodes: usize,
}

impl Writer<'_> {
    fn expression(&mut self, condition: &Expr) -> Node {
        let holds = holds(condition, self.traces);
        match condition {
            Expr::Search(place) => self.search(*place),
            Expr::Not(inner) => Node {
                holds,
                what: What::Not,
                left_out: 0,
                parts: vec![self.expression(inner)],
            },
            Expr::And(parts) => self.joined(What::All, holds, parts),
            Expr::Or(parts) => self.joined(What::Any, holds, parts),
            Expr::AtLeast(count, parts) => {
                self.joined(What::AtLeast { count: *count }, holds, parts)
            }
        }
    }

    fn joined(&mut self, what: What, verdict: bool, parts: &[Expr]) -> Node {
        let traces = self.traces;
        let decides = |part: &Expr| holds(part, traces) == verdict;
        let chosen = chosen(parts, decides, &mut self.nodes);
        let shown: Vec<Node> = chosen
            .into_iter()
            .map(|part| self.expression(part))
            .collect();
        Node {
            holds: verdict,
            what,
            left_out: parts.len() - shown.len(),
            parts: shown,
        }
    }

    fn search(&mut self, place: usize) -> Node {
        let found = self.detection.searches.get_index(place);
        let (Some((name, search)), Some(trace)) = (found, self.traces.get(place)) else {
            return empty(false, What::Any);
        };
        let inner = self.part(search, trace);
        let what = What::Search { name: name.clone() };
        // A search that is one map needs no node of its own for it.
        let (parts, left_out) = match inner.what {
            What::All => (inner.parts, inner.left_out),
            _ => (vec![inner], 0),
        };
        Node {
            holds: trace.holds(),
            what,
            parts,
            left_out,
        }
    }

    fn part(&mut self, search: &crate::rule::Search, trace: &Trace) -> Node {
        use crate::rule::Search;
        let (what, parts, traces) = match (search, trace) {
            (Search::Item(item), Trace::Item(verdict)) => {
                let entry = entry::entry(item, verdict, self.tree, &mut self.paths);
                return empty(verdict.holds, What::Entry(Box::new(entry)));
            }
            (Search::AllOf(parts), Trace::All(traces)) => (What::All, parts, traces),
            (Search::AnyOf(parts), Trace::Any(traces)) => (What::Any, parts, traces),
            // The matcher is compiled from these searches, so their shapes are the same.
            _ => return empty(trace.holds(), What::All),
        };
        let holds = trace.holds();
        let pairs: Vec<_> = parts.iter().zip(traces).collect();
        let decides = |pair: &(&Search, &Trace)| pair.1.holds() == holds;
        let chosen = chosen(&pairs, decides, &mut self.nodes);
        let shown: Vec<Node> = chosen
            .into_iter()
            .map(|(part, trace)| self.part(part, trace))
            .collect();
        Node {
            holds,
            what,
            left_out: pairs.len() - shown.len(),
            parts: shown,
        }
    }
}

fn empty(holds: bool, what: What) -> Node {
    Node {
        holds,
        what,
        parts: Vec::new(),
        left_out: 0,
    }
}

/// The parts that are shown, in their order: all, or as many as there is room for, those first whose
/// verdict is the whole's.
fn chosen<'p, T>(parts: &'p [T], decides: impl Fn(&T) -> bool, nodes: &mut usize) -> Vec<&'p T> {
    let room = PARTS_MAX.min(*nodes);
    let mut places: Vec<usize> = (0..parts.len()).collect();
    if parts.len() > room {
        places.sort_by_key(|place| !decides(&parts[*place]));
        places.truncate(room);
        places.sort_unstable();
    }
    *nodes -= places.len();
    places.into_iter().map(|place| &parts[place]).collect()
}

fn holds(condition: &Expr, traces: &[Trace]) -> bool {
    let part = |part: &Expr| holds(part, traces);
    match condition {
        Expr::Search(place) => traces.get(*place).is_some_and(Trace::holds),
        Expr::Not(inner) => !holds(inner, traces),
        Expr::And(parts) => parts.iter().all(part),
        Expr::Or(parts) => parts.iter().any(part),
        Expr::AtLeast(least, parts) => {
            parts
                .iter()
                .filter(|inner| part(inner))
                .take(*least)
                .count()
                == *least
        }
    }
}

impl Node {
    /// The part of the tree that decided: under a node that all or one of its parts decide, those of
    /// its own verdict.
    #[must_use]
    pub fn deciding(mut self) -> Self {
        let before = self.parts.len();
        let negated = matches!(self.what, What::Not);
        let holds = self.holds;
        self.parts.retain(|part| (part.holds == holds) != negated);
        self.left_out += before - self.parts.len();
        self.parts = self.parts.into_iter().map(Self::deciding).collect();
        self
    }
}

#[cfg(test)]
mod tests;
