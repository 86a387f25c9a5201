//! All tests on the values of one path.

use std::collections::HashMap;
use std::sync::Arc;

use super::core::Core;
use super::literals::{Literals, Target};
use super::memo::Memos;
use super::state::State;
use crate::casing;
use crate::naive::{Shape, Test};
use crate::rule::item::{Case, Number};
use crate::value::Value;

/// The field that a path names, and everything that rules ask of its values.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// The predicates on its values.
    pub(super) predicates: Vec<u32>,
    folded: Literals,
    exact: Literals,
    /// What a literal leads to.
    targets: Vec<Aim>,
    /// Integers that a number may be equal to.
    integers: HashMap<i64, Vec<u32>>,
    /// The tests for integers, for numbers that are not written as one.
    by_integer: Vec<(Arc<Test>, u32)>,
    /// The tests for other numbers.
    by_fraction: Vec<(Arc<Test>, u32)>,
    /// Tests without a literal.
    others: Vec<(Arc<Test>, u32)>,
    /// Whether a test reads the JSON text of an array or object.
    pub(super) reads_json: bool,
}

/// What follows from a literal that a value holds.
#[derive(Debug)]
enum Aim {
    /// The predicate.
    Holds(u32),
    /// The predicate, if the test says so, too.
    Ask(u32, Arc<Test>),
    /// The predicate, if the value is text.
    HoldsText(u32),
}

/// Where hits go.
#[derive(Debug)]
pub(super) struct Hits<'h> {
    pub(super) core: &'h Core,
    pub(super) state: &'h mut State,
    pub(super) folder: &'h mut Folder,
    pub(super) memos: &'h mut Memos,
}

impl Hits<'_> {
    #[inline]
    fn hit(&mut self, predicate: u32) {
        self.folder.holds.push(predicate);
        self.state.hit(self.core, predicate);
    }
}

/// Buffers for values; reused.
#[derive(Debug, Default)]
pub(super) struct Folder {
    folded: Vec<u8>,
    /// The predicates that hold of the value at hand.
    holds: Vec<u32>,
}

/// What a scalar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Bool,
}

impl Slot {
    /// Adds a test whose outcome is `predicate`.
    pub(super) fn add(&mut self, test: &Arc<Test>, predicate: u32) {
        self.predicates.push(predicate);
        match &**test {
            Test::Glob(glob) => {
                self.reads_json = true;
                let shape = glob.shape();
                let aim = match shape {
                    Shape::Other(_) => Aim::Ask(predicate, Arc::clone(test)),
                    _ => Aim::Holds(predicate),
                };
                self.literal(glob.case(), shape, aim);
            }
            Test::Equal(number, written) => {
                self.literal(Case::Fold, Shape::Whole(written), Aim::HoldsText(predicate));
                let test = (Arc::clone(test), predicate);
                match number {
                    Number::Float(_) => self.by_fraction.push(test),
                    Number::Int(integer) => {
                        if let Ok(integer) = i64::try_from(*integer) {
                            self.integers.entry(integer).or_default().push(predicate);
                        }
                        self.by_integer.push(test);
                    }
                }
            }
            Test::Regex(_) | Test::InList(..) => {
                self.reads_json = true;
                self.others.push((Arc::clone(test), predicate));
            }
            _ => self.others.push((Arc::clone(test), predicate)),
        }
    }

    fn literal(&mut self, case: Case, shape: Shape<'_>, aim: Aim) {
        let target = u32::try_from(self.targets.len()).expect("fewer tests than bytes of rules");
        self.targets.push(aim);
        match case {
            Case::Fold => self.folded.add(shape, target),
            Case::Exact => self.exact.add(shape, target),
        }
    }

    /// Makes ready to search.
    ///
    /// # Errors
    /// When the literals are too many for an automaton.
    pub(super) fn build(&mut self) -> Result<(), aho_corasick::BuildError> {
        self.folded.build()?;
        self.exact.build()
    }

    /// Whether values matter, and not only that the field is there.
    pub(super) fn reads_values(&self) -> bool {
        !self.predicates.is_empty()
    }

    /// Holds a string against all tests, unless it is remembered what they say. `text` is UTF-8; if it is
    /// `ascii`, folding its case leaves its length alone. `number` is the slot's own.
    #[inline]
    pub(super) fn text(&self, number: u32, text: &[u8], ascii: bool, hits: &mut Hits<'_>) {
        if ascii
            && self.others.is_empty()
            && self.exact.is_empty()
            && !self.folded.may_hold(text.len())
        {
            return;
        }
        let Some(place) = hits.memos.place(number, text) else {
            return self.search(text, hits);
        };
        if let Some(holds) = hits.memos.recall(place, text) {
            for predicate in holds {
                hits.state.hit(hits.core, *predicate);
            }
            return;
        }
        hits.folder.holds.clear();
        self.search(text, hits);
        hits.memos.keep(place, text, &hits.folder.holds);
    }

    /// Holds a string against all tests.
    fn search(&self, text: &[u8], hits: &mut Hits<'_>) {
        let ask = || std::str::from_utf8(text).ok().map(Value::text);
        self.literals(text, (Kind::Text, &ask), hits);
        if !self.others.is_empty()
            && let Some(value) = ask()
        {
            self.rest(&value, hits);
        }
    }

    /// Holds a number of JSON's grammar against all tests.
    fn number(&self, value: &Value<'_>, written: &str, hits: &mut Hits<'_>) {
        // So many digits are always an `i64`.
        let plain = written.len() < 19 && written.bytes().all(|byte| byte.is_ascii_digit());
        let looked_up = match written.parse().ok().filter(|_| plain) {
            Some(integer) => {
                for predicate in self.integers.get(&integer).into_iter().flatten() {
                    hits.hit(*predicate);
                }
                true
            }
            None => false,
        };
        let by_integer = self.by_integer.iter().filter(|_| !looked_up);
        for (test, predicate) in by_integer.chain(&self.by_fraction) {
            if test.meets(value) {
                hits.hit(*predicate);
            }
        }
        self.scalar(value, Kind::Number, hits);
    }

    fn scalar(&self, value: &Value<'_>, kind: Kind, hits: &mut Hits<'_>) {
        let Some(text) = value.as_text() else { return };
        let ask = || Some(value.clone());
        self.literals(text.as_bytes(), (kind, &ask), hits);
        self.rest(value, hits);
    }

    /// Holds a scalar against all tests.
    pub(super) fn value(&self, scalar: &Value<'_>, hits: &mut Hits<'_>) {
        match scalar {
            Value::Text(text) => self.search(text.raw().as_bytes(), hits),
            Value::Number(written) => self.number(scalar, written, hits),
            Value::Bool(_) => self.scalar(scalar, Kind::Bool, hits),
            Value::Null | Value::Array(_) | Value::Object(_) => {}
        }
    }

    /// The tests that ask for literals.
    #[inline]
    fn literals<'v>(
        &self,
        text: &[u8],
        (kind, ask): (Kind, &dyn Fn() -> Option<Value<'v>>),
        hits: &mut Hits<'_>,
    ) {
        let mut folded = std::mem::take(&mut hits.folder.folded);
        let mut meet = |target: Target| match &self.targets[target as usize] {
            Aim::Holds(predicate) => hits.hit(*predicate),
            Aim::HoldsText(predicate) if kind == Kind::Text => hits.hit(*predicate),
            Aim::HoldsText(_) => {}
            Aim::Ask(predicate, asked) => {
                if ask().is_some_and(|value| asked.meets(&value)) {
                    hits.hit(*predicate);
                }
            }
        };
        if !self.exact.is_empty() {
            self.exact.search(text, &mut meet);
        }
        if !self.folded.is_empty() {
            casing::fold_into(text, &mut folded);
            self.folded.search(&folded, &mut meet);
        }
        hits.folder.folded = folded;
    }

    fn rest(&self, value: &Value<'_>, hits: &mut Hits<'_>) {
        for (test, predicate) in &self.others {
            if test.meets(value) {
                hits.hit(*predicate);
            }
        }
    }
}
