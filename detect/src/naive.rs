//! The obvious evaluator: walks the parsed event for every item of every rule.
//!
//! It stays for ever as the judge of any faster path and as the engine of `explain`.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::casing;
use crate::diagnostic::Diagnostic;
use crate::list::List;
use crate::rule::item::{Anchor, Case, Link, Number, Pattern, Target, TimePart};
use crate::rule::{Comparison, Expr, Search};
use crate::value::path::Found;
use crate::value::{Event, Seen, Text, Value};

mod shared;
mod glob;
mod date;
pub mod trace;

pub(crate) use glob::{Glob, Shape};
pub(crate) use shared::Compiling;

/// Most different values of each field that `fieldref` holds against each other as parts of texts.
///
/// Two arrays of 250,000 texts fit into one event and would be 60 billion pairs. Whole values are
/// compared without a limit.
const FIELDREF_VALUES_MAX: usize = 1_000;

/// A condition over searches, ready to be held against events.
#[derive(Debug)]
pub struct Matcher {
    pub(crate) searches: Vec<Node>,
    pub(crate) condition: Expr,
}

/// A search.
#[derive(Debug)]
pub(crate) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Item(Check),
}

/// An item.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) target: Target,
    pub(crate) link: Link,
    pub(crate) negated: bool,
    pub(crate) tests: Arc<[Arc<Test>]>,
}

/// One test, see [`Pattern`].
#[derive(Debug)]
pub(crate) enum Test {
    Glob(Glob),
    Equal(Number, String),
    Regex(regex::Regex),
    Cidr(ipnet::IpNet),
    Compare(Comparison, Number),
    TimePart(TimePart, i64),
    FieldRef(Vec<String>, Anchor, Case),
    Exists(bool),
    Null,
    InList(Arc<List>, Case),
    AnyOf(Vec<Arc<Test>>),
}

/// The values under one path, and what they are as JSON text.
struct Looked<'t, 'a> {
    found: Found<'t, 'a>,
    json: OnceCell<Vec<Text<'static>>>,
}

impl Matcher {
    /// Compiles searches and the condition over them.
    ///
    /// # Errors
    /// All problems of all items.
    pub fn compile(
        searches: &IndexMap<String, Search>,
        condition: &Expr,
    ) -> Result<Self, Vec<Diagnostic>> {
        Self::compile_within(searches, condition, &Compiling::default())
    }

    /// As [`Matcher::compile`], beside other rules of the same set.
    pub(crate) fn compile_within(
        searches: &IndexMap<String, Search>,
        condition: &Expr,
        compiling: &Compiling,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let searches = searches
            .values()
            .map(|search| node(search, compiling, &mut problems))
            .collect();
        if problems.is_empty() {
            Ok(Self {
                searches,
                condition: condition.clone(),
            })
        } else {
            Err(problems)
        }
    }

    /// Whether the event meets the condition.
    pub fn matches(&self, event: &Event<'_>) -> bool {
        self.holds(&self.condition, event)
    }

    /// The paths that the searches read, in order of first appearance.
    pub fn paths(&self) -> Vec<&[String]> {
        let mut paths = Vec::new();
        for search in &self.searches {
            search.paths(&mut paths);
        }
        paths
    }

    fn holds(&self, condition: &Expr, event: &Event<'_>) -> bool {
        match condition {
            Expr::Search(place) => self
                .searches
                .get(*place)
                .is_some_and(|node| node.holds(event)),
            Expr::Not(inner) => !self.holds(inner, event),
            Expr::And(parts) => parts.iter().all(|part| self.holds(part, event)),
            Expr::Or(parts) => parts.iter().any(|part| self.holds(part, event)),
            Expr::AtLeast(least, parts) => {
                let held = parts.iter().filter(|part| self.holds(part, event));
                held.take(*least).count() == *least
            }
        }
    }
}

fn node(search: &Search, compiling: &Compiling, problems: &mut Vec<Diagnostic>) -> Node {
    let mut nodes = |parts: &[Search]| -> Vec<Node> {
        let parts = parts.iter();
        parts.map(|part| node(part, compiling, problems)).collect()
    };
    match search {
        Search::AllOf(parts) => Node::All(nodes(parts)),
        Search::AnyOf(parts) => Node::Any(nodes(parts)),
        Search::Item(item) => match compiling.tests(item) {
            Ok(compiled) => Node::Item(Check {
                target: item.target.clone(),
                link: compiled.link,
                negated: compiled.negated,
                tests: compiled.tests,
            }),
            Err(found) => {
                problems.extend(found);
                Node::All(Vec::new())
            }
        },
    }
}

fn test(pattern: Pattern) -> Test {
    match pattern {
        Pattern::Text { text, anchor, case } => Test::Glob(Glob::new(&text, anchor, case)),
        Pattern::Equal(number) => Test::Equal(number, casing::fold(&number.text()).into_owned()),
        Pattern::Regex(regex) => Test::Regex(regex),
        Pattern::Cidr(range) => Test::Cidr(range),
        Pattern::Compare(comparison, number) => Test::Compare(comparison, number),
        Pattern::TimePart(part, number) => Test::TimePart(part, number),
        Pattern::FieldRef {
            fields,
            anchor,
            case,
        } => Test::FieldRef(fields, anchor, case),
        Pattern::Exists(present) => Test::Exists(present),
        Pattern::Null => Test::Null,
        Pattern::InList(list, case) => Test::InList(list, case),
        Pattern::AnyOf(patterns) => {
            Test::AnyOf(patterns.into_iter().map(test).map(Arc::new).collect())
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Evaluation

impl Node {
    fn holds(&self, event: &Event<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(event)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(event)),
            Self::Item(check) => check.holds(event),
        }
    }

    fn paths<'n>(&'n self, paths: &mut Vec<&'n [String]>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.paths(paths);
                }
            }
            Self::Item(check) => {
                if let Target::Fields(fields) = &check.target
                    && !paths.contains(&fields.as_slice())
                {
                    paths.push(fields);
                }
            }
        }
    }
}

impl Check {
    fn holds(&self, event: &Event<'_>) -> bool {
        let met = match &self.target {
            Target::Keywords => self.linked(|test| test.meets_any_leaf(&event.root)),
            Target::Fields(paths) => paths.iter().any(|path| {
                let looked = Looked {
                    found: event.find(path),
                    json: OnceCell::new(),
                };
                self.linked(|test| test.holds(&looked, event))
            }),
        };
        met != self.negated
    }

    fn linked(&self, mut holds: impl FnMut(&Test) -> bool) -> bool {
        let mut tests = self.tests.iter();
        match self.link {
            Link::Any => tests.any(|test| holds(test)),
            Link::All => tests.all(|test| holds(test)),
        }
    }
}

impl<'a> Looked<'_, 'a> {
    fn values(&self) -> impl Iterator<Item = &Value<'a>> {
        self.found.iter().map(Seen::value)
    }

    /// The compact JSON text of the objects and arrays among the values (requirement FLD-9).
    fn json(&self) -> &[Text<'static>] {
        self.json.get_or_init(|| {
            self.values()
                .filter(|value| !value.is_scalar())
                .map(|value| Text::new(value.to_json().into()))
                .collect()
        })
    }
}

impl Test {
    /// Whether the test holds for the values under a path.
    fn holds(&self, looked: &Looked<'_, '_>, event: &Event<'_>) -> bool {
        match self {
            Self::Exists(present) => looked.found.is_empty() != *present,
            Self::Null => {
                let mut values = looked.values();
                looked.found.is_empty() || values.any(|value| matches!(value, Value::Null))
            }
            Self::FieldRef(fields, anchor, case) => refers(looked, fields, (*anchor, *case), event),
            Self::AnyOf(tests) => tests.iter().any(|test| test.holds(looked, event)),
            _ => {
                let mut values = looked.values();
                values.any(|value| value.any_scalar(&mut |scalar| self.meets(scalar)))
                    || self.meets_json(looked)
            }
        }
    }

    fn meets_json(&self, looked: &Looked<'_, '_>) -> bool {
        match self {
            Self::Glob(glob) => looked.json().iter().any(|text| glob.matches(text)),
            Self::Regex(regex) => looked.json().iter().any(|text| regex.is_match(text.raw())),
            Self::InList(list, case) => looked.json().iter().any(|text| listed(list, text, *case)),
            _ => false,
        }
    }

    /// Whether some scalar of the event meets the test, at any depth.
    fn meets_any_leaf(&self, root: &Value<'_>) -> bool {
        match self {
            Self::AnyOf(tests) => tests.iter().any(|test| test.meets_any_leaf(root)),
            _ => match root {
                Value::Array(items) => items.iter().any(|item| self.meets_any_leaf(item)),
                Value::Object(object) => {
                    let mut members = object.members().iter();
                    members.any(|(_, value)| self.meets_any_leaf(value))
                }
                scalar => self.meets(scalar),
            },
        }
    }

    /// Whether one scalar meets the test.
    pub(crate) fn meets(&self, value: &Value<'_>) -> bool {
        match self {
            Self::Glob(glob) => match value {
                Value::Text(text) => glob.matches(text),
                other => other
                    .as_text()
                    .is_some_and(|text| glob.matches(&Text::new(text))),
            },
            Self::Equal(number, text) => match value {
                Value::Number(_) => compares(value, *number) == Some(Ordering::Equal),
                Value::Text(written) => written.folded() == text,
                _ => false,
            },
            Self::Regex(regex) => value.as_text().is_some_and(|text| regex.is_match(&text)),
            Self::Cidr(range) => match value {
                Value::Text(text) => {
                    let address: Option<IpAddr> = text.raw().parse().ok();
                    address.is_some_and(|address| range.contains(&address))
                }
                _ => false,
            },
            Self::InList(list, case) => match value {
                Value::Text(text) => listed(list, text, *case),
                other => other
                    .as_text()
                    .is_some_and(|text| listed(list, &Text::new(text), *case)),
            },
            Self::Compare(comparison, number) => {
                compares(value, *number).is_some_and(|order| comparison_holds(*comparison, order))
            }
            Self::TimePart(part, number) => match value {
                Value::Text(text) => date::part(text.raw(), *part) == Some(*number),
                _ => false,
            },
            Self::AnyOf(tests) => tests.iter().any(|test| test.meets(value)),
            Self::FieldRef(..) | Self::Exists(_) | Self::Null => false,
        }
    }
}

fn listed(list: &List, text: &Text<'_>, case: Case) -> bool {
    list.holds(text.raw(), text.folded(), case == Case::Exact)
}

fn compares(value: &Value<'_>, number: Number) -> Option<Ordering> {
    value.as_decimal()?.compare(number)
}

fn comparison_holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Gt => order.is_gt(),
        Comparison::Gte => order.is_ge(),
        Comparison::Lt => order.is_lt(),
        Comparison::Lte => order.is_le(),
        Comparison::Eq => order.is_eq(),
        Comparison::Neq => order.is_ne(),
    }
}

/// Whether some value here and some value of the other field stand in the relation.
fn refers(
    looked: &Looked<'_, '_>,
    fields: &[String],
    how: (Anchor, Case),
    event: &Event<'_>,
) -> bool {
    let here = scalar_texts(&looked.found, how.1);
    let others = fields
        .iter()
        .map(|path| scalar_texts(&event.find(path), how.1))
        .find(|texts| !texts.is_empty())
        .unwrap_or_default();
    let pair = |holds: fn(&str, &str) -> bool| {
        let mut here = here.iter().take(FIELDREF_VALUES_MAX);
        here.any(|here| {
            let mut others = others.iter().take(FIELDREF_VALUES_MAX);
            others.any(|other| holds(here, other))
        })
    };
    match how.0 {
        Anchor::Whole => !here.is_disjoint(&others),
        Anchor::Start => pair(|here, other| here.starts_with(other)),
        Anchor::End => pair(|here, other| here.ends_with(other)),
        Anchor::Anywhere => pair(|here, other| here.contains(other)),
    }
}

fn scalar_texts(found: &Found<'_, '_>, case: Case) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for seen in found {
        seen.value().any_scalar(&mut |scalar| {
            texts.extend(scalar.as_text().map(|text| match case {
                Case::Fold => casing::fold(&text).into_owned(),
                Case::Exact => text.into_owned(),
            }));
            false
        });
    }
    texts
}

#[cfg(test)]
mod tests;
