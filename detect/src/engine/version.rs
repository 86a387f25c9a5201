//! Versions: a hash of what a rule means, unchanged by its title, level, tags or description.

use crate::id::{Id, IdHasher};
use crate::logsource::Logsource;
use crate::rule::item::{Item, Number, RawValue, Target};
use crate::rule::{Bounds, Comparison, Detection, Expr, Search, TemporalCondition};

/// Version of what rules mean to this engine; raised when the same rule starts to mean another
/// thing.
const SEMANTICS: i64 = 1;

/// The version of a detection rule after its pipelines, with its filters.
pub(crate) fn of_detection(detection: &Detection) -> Id {
    let mut hash = Canonical::new("detection");
    hash.logsource(&detection.logsource);
    hash.count(detection.searches.len());
    for search in detection.searches.values() {
        hash.search(search);
    }
    hash.expr(&detection.condition);
    hash.finish()
}

/// Builds a version field by field; every list is preceded by its length.
pub(super) struct Canonical(Option<IdHasher>);

impl Canonical {
    /// Starts a version of a kind of rule.
    pub(super) fn new(kind: &str) -> Self {
        Self(Some(IdHasher::new("rv1").number(SEMANTICS).text(kind)))
    }

    fn add(&mut self, add: impl FnOnce(IdHasher) -> IdHasher) {
        self.0 = self.0.take().map(add);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.add(|hash| hash.text(text));
    }

    pub(super) fn number(&mut self, number: i64) {
        self.add(|hash| hash.number(number));
    }

    pub(super) fn count(&mut self, count: usize) {
        self.number(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn float(&mut self, float: f64) {
        self.add(|hash| hash.bytes(&float.to_bits().to_le_bytes()));
    }

    pub(super) fn id(&mut self, id: Id) {
        self.add(|hash| hash.bytes(id.as_bytes()));
    }

    pub(super) fn texts(&mut self, texts: &[String]) {
        self.count(texts.len());
        for text in texts {
            self.text(text);
        }
    }

    pub(super) fn finish(self) -> Id {
        self.0.unwrap_or_else(|| IdHasher::new("rv1")).finish()
    }

    fn logsource(&mut self, logsource: &Logsource) {
        for part in [&logsource.product, &logsource.service, &logsource.category] {
            self.number(i64::from(part.is_some()));
            self.text(part.as_deref().unwrap_or_default());
        }
    }

    fn search(&mut self, search: &Search) {
        let (kind, parts) = match search {
            Search::AllOf(parts) => (1, parts),
            Search::AnyOf(parts) => (2, parts),
            Search::Item(item) => {
                self.number(3);
                return self.item(item);
            }
        };
        self.number(kind);
        self.count(parts.len());
        for part in parts {
            self.search(part);
        }
    }

    fn item(&mut self, item: &Item) {
        match &item.target {
            Target::Keywords => self.number(0),
            Target::Fields(paths) => {
                self.number(1);
                self.texts(paths);
            }
        }
        self.count(item.modifiers.len());
        for modifier in &item.modifiers {
            self.text(modifier.name());
        }
        self.count(item.values.len());
        for value in &item.values {
            self.value(value);
        }
    }

    fn value(&mut self, value: &RawValue) {
        match value {
            RawValue::Null => self.number(0),
            RawValue::Bool(value) => self.number(1 + i64::from(*value)),
            RawValue::Text(text) => {
                self.number(3);
                self.text(text);
            }
            RawValue::Number(Number::Int(number)) => {
                self.number(4);
                self.text(&number.to_string());
            }
            RawValue::Number(Number::Float(number)) => {
                self.number(5);
                self.float(*number);
            }
            // What stands on a list is data: a list that is kept up to date must not make its rules
            // new ones, whose correlations would forget what they have seen.
            RawValue::List(list) => {
                self.number(7);
                self.text(&list.name);
            }
            RawValue::Paths(paths) => {
                self.number(6);
                self.texts(paths);
            }
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) {
        let (kind, parts) = match expr {
            Expr::Search(place) => {
                self.number(1);
                return self.count(*place);
            }
            Expr::Not(inner) => {
                self.number(2);
                return self.expr(inner);
            }
            Expr::And(parts) => (3, parts),
            Expr::Or(parts) => (4, parts),
            Expr::AtLeast(least, parts) => {
                self.count(*least);
                (5, parts)
            }
        };
        self.number(kind);
        self.count(parts.len());
        for part in parts {
            self.expr(part);
        }
    }

    pub(super) fn bounds(&mut self, bounds: &Bounds) {
        self.count(bounds.0.len());
        for (comparison, number) in &bounds.0 {
            self.number(match comparison {
                Comparison::Gt => 1,
                Comparison::Gte => 2,
                Comparison::Lt => 3,
                Comparison::Lte => 4,
                Comparison::Eq => 5,
                Comparison::Neq => 6,
            });
            self.float(*number);
        }
    }

    pub(super) fn temporal(&mut self, condition: &TemporalCondition) {
        match condition {
            TemporalCondition::All => self.number(1),
            TemporalCondition::Count(bounds) => {
                self.number(2);
                self.bounds(bounds);
            }
            TemporalCondition::Expression(expr) => {
                self.number(3);
                self.expr(expr);
            }
        }
    }
}
