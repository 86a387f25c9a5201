//! Rules compiled for a walk: fields to slots, tests to predicates, conditions over those.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::condition::{Clause, Condition, Trigger};
use super::keywords::Keywords;
use super::meaning::Meaning;
use super::slot::Slot;
use crate::naive::{Check, Glob, Matcher, Node, Shape, Test};
use crate::rule::Expr;
use crate::rule::item::{Case, Link, Number, Target};

/// The rules that judge the events of a log source.
#[derive(Debug, Default)]
pub(super) struct Core {
    pub(super) rules: Vec<Rule>,
    pub(super) slots: Vec<Slot>,
    /// The path of each slot.
    pub(super) paths: Vec<String>,
    pub(super) keywords: Keywords,
    /// Rules that wait for a predicate.
    by_predicate: Lists,
    /// Rules that wait for a field.
    by_slot: Lists,
    /// Rules that wait for what a test may find in the JSON text of a field's value.
    by_text: Lists,
    /// For each predicate that reads JSON text the slot of its field.
    texts: Vec<Option<u32>>,
    /// Rules that wait for nothing.
    pub(super) always: Vec<u32>,
}

/// One rule.
#[derive(Debug)]
pub(super) struct Rule {
    /// Its place among the engine's rules.
    pub(super) place: usize,
    pub(super) condition: Condition,
    /// Whether it asks for keywords that are searched late.
    pub(super) asks_late: bool,
}

/// Lists of numbers, one behind the other.
#[derive(Debug, Default)]
struct Lists {
    /// Where each list begins, and where the last one ends.
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Core {
    /// Compiles the rules at these places.
    ///
    /// # Errors
    /// When a field has too many literals for an automaton.
    pub(super) fn compile<'m>(
        rules: impl Iterator<Item = (usize, &'m Matcher)>,
    ) -> Result<Self, aho_corasick::BuildError> {
        let mut compiler = Compiler::default();
        let mut rules: Vec<Rule> = rules
            .map(|(place, matcher)| Rule {
                place,
                condition: compiler.condition(matcher, &matcher.condition),
                asks_late: false,
            })
            .collect();
        let costs = std::mem::take(&mut compiler.costs);
        let mut waiting = vec![Vec::new(); costs.len()];
        let mut waiting_for_slot = vec![Vec::new(); compiler.slots.len()];
        let mut waiting_for_text = waiting_for_slot.clone();
        let mut always = Vec::new();
        for (rule, number) in rules.iter().zip(0_u32..) {
            let cost = |predicate: u32| costs[predicate as usize];
            let Some(Clause { triggers, .. }) = rule.condition.clause(&cost) else {
                always.push(number);
                continue;
            };
            for trigger in triggers {
                match trigger {
                    Trigger::Predicate(predicate) => {
                        waiting[predicate as usize].push(number);
                        if let Some(slot) = compiler.texts[predicate as usize] {
                            waiting_for_text[slot as usize].push(number);
                        }
                    }
                    Trigger::Found(slot) => waiting_for_slot[slot as usize].push(number),
                }
            }
        }
        let slots = compiler.slots.into_iter();
        let slots = slots.map(|(path, slot)| (path.to_owned(), slot));
        let (paths, mut slots): (Vec<String>, Vec<Slot>) = slots.unzip();
        for slot in &mut slots {
            slot.build()?;
        }
        let wakes = |predicate: u32| !waiting[predicate as usize].is_empty();
        compiler.keywords.build(&wakes)?;
        for rule in &mut rules {
            let late = |predicate| compiler.keywords.is_late(predicate);
            rule.asks_late = rule.condition.asks_for(&late);
        }
        Ok(Self {
            keywords: compiler.keywords,
            rules,
            slots,
            paths,
            by_predicate: Lists::of(&waiting),
            by_slot: Lists::of(&waiting_for_slot),
            by_text: Lists::of(&waiting_for_text),
            texts: compiler.texts,
            always,
        })
    }

    /// How many predicates there are.
    pub(super) fn predicates(&self) -> usize {
        self.by_predicate.starts.len().saturating_sub(1)
    }

    #[inline]
    pub(super) fn woken_by(&self, predicate: u32) -> &[u32] {
        self.by_predicate.get(predicate)
    }

    pub(super) fn woken_by_text(&self, slot: u32) -> &[u32] {
        self.by_text.get(slot)
    }

    /// The slot of the field whose JSON text a predicate reads.
    pub(super) fn text_of(&self, predicate: u32) -> Option<u32> {
        self.texts[predicate as usize]
    }

    #[inline]
    pub(super) fn woken_by_slot(&self, slot: u32) -> &[u32] {
        self.by_slot.get(slot)
    }
}

impl Lists {
    fn of(lists: &[Vec<u32>]) -> Self {
        let mut all = Self {
            starts: vec![0],
            items: Vec::new(),
        };
        for list in lists {
            all.items.extend(list);
            let end = u32::try_from(all.items.len()).expect("fewer triggers than bytes of rules");
            all.starts.push(end);
        }
        all
    }

    #[inline]
    fn get(&self, place: u32) -> &[u32] {
        let place = place as usize;
        &self.items[self.starts[place] as usize..self.starts[place + 1] as usize]
    }
}

#[derive(Debug, Default)]
struct Compiler<'m> {
    slots: IndexMap<&'m str, Slot>,
    /// Predicates by slot and test.
    known: HashMap<(u32, Meaning<'m>), u32>,
    /// What each predicate costs as a trigger.
    costs: Vec<u64>,
    /// For each predicate that reads JSON text the slot of its field.
    texts: Vec<Option<u32>>,
    keywords: Keywords,
}

/// How much more a keyword costs as a trigger than a test of a field: a rule that can wait for a field
/// should, as its keywords are then not searched in every event.
const KEYWORD_WEIGHT: u64 = 1_000;

/// Instead of a slot: all values.
const KEYWORD: u32 = u32::MAX;

impl<'m> Compiler<'m> {
    fn condition(&mut self, matcher: &'m Matcher, condition: &Expr) -> Condition {
        let mut all = |parts: &[Expr]| -> Vec<Condition> {
            parts
                .iter()
                .map(|part| self.condition(matcher, part))
                .collect()
        };
        match condition {
            Expr::Search(place) => match matcher.searches.get(*place) {
                Some(node) => self.node(node),
                None => Condition::Settled(false),
            },
            Expr::Not(inner) => Condition::Not(Box::new(self.condition(matcher, inner))),
            Expr::And(parts) => Condition::All(all(parts)),
            Expr::Or(parts) => Condition::Any(all(parts)),
            Expr::AtLeast(least, parts) => Condition::AtLeast(*least, all(parts)),
        }
    }

    fn node(&mut self, node: &'m Node) -> Condition {
        match node {
            Node::All(parts) => Condition::All(parts.iter().map(|part| self.node(part)).collect()),
            Node::Any(parts) => Condition::Any(parts.iter().map(|part| self.node(part)).collect()),
            Node::Item(check) => self.check(check),
        }
    }

    fn check(&mut self, check: &'m Check) -> Condition {
        let met = match &check.target {
            Target::Keywords => {
                let tests = check.tests.iter().map(|test| self.keyword(test));
                let tests = tests.collect();
                match check.link {
                    Link::Any => Condition::Any(tests),
                    Link::All => Condition::All(tests),
                }
            }
            Target::Fields(paths) => {
                let paths = paths.iter().map(|path| {
                    let slot = self.slot(path);
                    let tests = check.tests.iter().map(|test| self.test(slot, test));
                    let tests = tests.collect();
                    match check.link {
                        Link::Any => Condition::Any(tests),
                        Link::All => Condition::All(tests),
                    }
                });
                Condition::Any(paths.collect())
            }
        };
        if check.negated {
            Condition::Not(Box::new(met))
        } else {
            met
        }
    }

    fn slot(&mut self, path: &'m str) -> u32 {
        let entry = self.slots.entry(path);
        let place = entry.index();
        entry.or_default();
        u32::try_from(place).expect("fewer fields than bytes of rules")
    }

    fn test(&mut self, slot: u32, test: &'m Arc<Test>) -> Condition {
        match &**test {
            Test::Exists(true) => Condition::Found(slot),
            Test::Exists(false) => Condition::Not(Box::new(Condition::Found(slot))),
            Test::Null => Condition::Null(slot),
            Test::FieldRef(..) => Condition::All(vec![Condition::Found(slot), Condition::Unknown]),
            Test::AnyOf(tests) => {
                Condition::Any(tests.iter().map(|test| self.test(slot, test)).collect())
            }
            _ => Condition::Predicate(self.predicate(slot, test)),
        }
    }

    /// A test on all values of the event.
    fn keyword(&mut self, test: &'m Arc<Test>) -> Condition {
        let (literal, suffices) = match &**test {
            Test::AnyOf(tests) => {
                return Condition::Any(tests.iter().map(|test| self.keyword(test)).collect());
            }
            Test::Glob(glob) => match glob.shape() {
                Shape::Anywhere(literal) => (literal, glob.case() == Case::Fold),
                Shape::Whole(literal)
                | Shape::Start(literal)
                | Shape::End(literal)
                | Shape::Other(literal) => (literal, false),
            },
            Test::Equal(Number::Int(_), written) => (written.as_str(), false),
            _ => return Condition::Unknown,
        };
        if literal.is_empty() {
            return Condition::Unknown;
        }
        let key = (KEYWORD, Meaning(test));
        if let Some(known) = self.known.get(&key) {
            return Condition::Predicate(*known);
        }
        let predicate = u32::try_from(self.costs.len()).expect("fewer tests than bytes of rules");
        self.costs.push(KEYWORD_WEIGHT * cost(test));
        self.texts.push(None);
        self.keywords.add(literal, suffices, predicate);
        self.known.insert(key, predicate);
        Condition::Predicate(predicate)
    }

    fn predicate(&mut self, slot: u32, test: &'m Arc<Test>) -> u32 {
        let key = (slot, Meaning(test));
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let predicate = u32::try_from(self.costs.len()).expect("fewer tests than bytes of rules");
        self.costs.push(cost(test));
        let reads_text = matches!(**test, Test::Glob(_) | Test::Regex(_) | Test::InList(..));
        self.texts.push(reads_text.then_some(slot));
        self.slots[slot as usize].add(test, predicate);
        self.known.insert(key, predicate);
        predicate
    }
}

/// How often a test is thought to hold: long literals are rare, whole values rarer.
fn cost(test: &Test) -> u64 {
    let of_literal = |weight: u64, literal: &str| weight / (literal.len() as u64 + 1) + 1;
    let glob = |glob: &Glob| match glob.shape() {
        Shape::Whole(literal) => of_literal(200, literal),
        Shape::Start(literal) | Shape::End(literal) | Shape::Anywhere(literal) => {
            of_literal(1_000, literal)
        }
        Shape::Other(literal) => of_literal(2_000, literal),
    };
    match test {
        Test::Glob(pattern) => glob(pattern),
        Test::Equal(_, literal) => of_literal(200, literal),
        Test::InList(..) => 100,
        Test::Cidr(_) => 200,
        Test::Regex(_) => 500,
        _ => 2_000,
    }
}
