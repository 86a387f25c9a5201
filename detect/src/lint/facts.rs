//! What one entry says about another: which follows from which, and which exclude each other.
//!
//! Everything here errs on one side: what cannot be told exactly is neither implied nor excluded. A
//! field may hold a list, of which one element meets one entry and another element another.

use std::collections::BTreeSet;

use super::ranges;
use crate::casing::fold;
use crate::rule::item::{Anchor, Case, Item, Link, Number, Target};
use crate::rule::modifier::{Chain, Kind, Modifier};
use crate::rule::text::{Part, SigmaText};
use crate::rule::{Comparison, RawValue, Search};

/// Most values of an entry that are compared pair by pair.
pub(super) const VALUES_MAX: usize = 128;
/// Most alternatives of a search that are compared.
const ALTERNATIVES_MAX: usize = 32;
/// Most pairs of patterns that two entries are compared by.
const PAIRS_MAX: usize = 1_024;
/// Most values of a search that are compared.
const SEARCH_VALUES_MAX: usize = 1_000;

/// An entry, ready to be compared.
#[derive(Debug)]
pub(super) struct Fact<'a> {
    /// The entry.
    pub(super) item: &'a Item,
    /// Its chain of modifiers.
    pub(super) chain: Chain,
    target: &'a Target,
    /// The modifiers that decide how one value is compared, in order.
    how: Vec<Modifier>,
    /// The values as written, folded where case does not count.
    values: BTreeSet<String>,
    /// The values as plain patterns, if all of them are.
    patterns: Option<Vec<Plain>>,
}

/// A text without wildcards, and where it must stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) anchor: Anchor,
    pub(super) text: String,
    pub(super) case: Case,
}

impl Plain {
    /// The pattern of a value; `None` if there are wildcards inside it.
    pub(super) fn of(raw: &str, anchor: Anchor, case: Case) -> Option<Self> {
        let parsed = SigmaText::parse(raw);
        let mut parts = parsed.parts.as_slice();
        let (mut open_start, mut open_end) = match anchor {
            Anchor::Whole => (false, false),
            Anchor::Start => (false, true),
            Anchor::End => (true, false),
            Anchor::Anywhere => (true, true),
        };
        while let [Part::AnyRun, rest @ ..] = parts {
            (open_start, parts) = (true, rest);
        }
        while let [rest @ .., Part::AnyRun] = parts {
            (open_end, parts) = (true, rest);
        }
        let text = match parts {
            [] => "",
            [Part::Literal(text)] => text,
            _ => return None,
        };
        let anchor = match (open_start, open_end) {
            (false, false) => Anchor::Whole,
            (false, true) => Anchor::Start,
            (true, false) => Anchor::End,
            (true, true) => Anchor::Anywhere,
        };
        let text = match case {
            Case::Fold => fold(text).into_owned(),
            Case::Exact => text.to_owned(),
        };
        Some(Self { anchor, text, case })
    }

    /// Whether every value that meets this pattern meets the other, too.
    pub(super) fn implies(&self, other: &Self) -> bool {
        if other.case == Case::Exact && self.case == Case::Fold {
            return false;
        }
        let folded;
        let own = if self.case == other.case {
            self.text.as_str()
        } else {
            folded = fold(&self.text);
            &folded
        };
        let text = other.text.as_str();
        match (self.anchor, other.anchor) {
            (Anchor::Whole, Anchor::Whole) => own == text,
            (Anchor::Whole | Anchor::Start, Anchor::Start) => own.starts_with(text),
            (Anchor::Whole | Anchor::End, Anchor::End) => own.ends_with(text),
            (_, Anchor::Anywhere) => own.contains(text),
            _ => false,
        }
    }

    /// Whether one value may meet both.
    fn meets(&self, other: &Self) -> bool {
        let (own, text) = (fold(&self.text), fold(&other.text));
        match (self.anchor, other.anchor) {
            (Anchor::Whole, Anchor::Whole) => own == text,
            (Anchor::Whole, Anchor::Start) => own.starts_with(&*text),
            (Anchor::Whole, Anchor::End) => own.ends_with(&*text),
            (Anchor::Whole, Anchor::Anywhere) => own.contains(&*text),
            (_, Anchor::Whole) => other.meets(self),
            (Anchor::Start, Anchor::Start) => own.starts_with(&*text) || text.starts_with(&*own),
            (Anchor::End, Anchor::End) => own.ends_with(&*text) || text.ends_with(&*own),
            _ => true,
        }
    }
}

impl<'a> Fact<'a> {
    /// The entry as a fact; `None` if its chain does not fit together.
    pub(super) fn of(item: &'a Item) -> Option<Self> {
        let chain = Chain::of(&item.modifiers).ok()?;
        let mut how: Vec<Modifier> = item.modifiers.clone();
        how.retain(|modifier| !matches!(modifier, Modifier::All | Modifier::Neq));
        let folds = chain.kind == Kind::Text && chain.case == Case::Fold;
        let folds = folds && chain.encodings.is_empty();
        let values = item.values.iter().map(|value| match value {
            RawValue::Text(text) if folds => format!("t{}", fold(text)),
            RawValue::Text(text) => format!("t{text}"),
            other => format!("{other:?}"),
        });
        Some(Self {
            item,
            target: &item.target,
            how,
            values: values.collect(),
            patterns: patterns(item, &chain),
            chain,
        })
    }

    /// Whether the other holds wherever this one does.
    pub(super) fn implies(&self, other: &Self) -> bool {
        if self.target != other.target || self.chain.negated != other.chain.negated {
            return false;
        }
        if self.chain.negated {
            return other.implies_positive(self);
        }
        self.implies_positive(other)
    }

    fn implies_positive(&self, other: &Self) -> bool {
        if self.how == other.how {
            let same = match (self.link(), other.link()) {
                (Link::Any, Link::Any) => self.values.is_subset(&other.values),
                (Link::All, Link::All) => other.values.is_subset(&self.values),
                (Link::All, Link::Any) => !self.values.is_disjoint(&other.values),
                (Link::Any, Link::All) => false,
            };
            if same {
                return true;
            }
        }
        let (Some(own), Some(others)) = (&self.patterns, &other.patterns) else {
            return false;
        };
        if own.len().saturating_mul(others.len()) > PAIRS_MAX {
            return false;
        }
        match (self.link(), other.link()) {
            (Link::Any, Link::Any) => own
                .iter()
                .all(|own| others.iter().any(|other| own.implies(other))),
            (Link::All, Link::Any) => own
                .iter()
                .any(|own| others.iter().any(|other| own.implies(other))),
            (Link::Any, Link::All) => own
                .iter()
                .all(|own| others.iter().all(|other| own.implies(other))),
            (Link::All, Link::All) => others
                .iter()
                .all(|other| own.iter().any(|own| own.implies(other))),
        }
    }

    /// `all` over a single value is the same as without.
    fn link(&self) -> Link {
        if self.values.len() == 1 {
            Link::Any
        } else {
            self.chain.link
        }
    }

    /// Whether no event meets both.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        if self.target != other.target {
            return false;
        }
        let says_no = |no: &Self, yes: &Self| {
            no.is_absent() && yes.needs_value()
                || no.chain.negated && !yes.chain.negated && yes.implies_positive(no)
        };
        says_no(self, other) || says_no(other, self)
    }

    /// Whether no event meets both, unless the field holds a list.
    pub(super) fn excludes_as_scalar(&self, other: &Self) -> bool {
        if self.target != other.target
            || self.chain.negated
            || other.chain.negated
            || self.item.target == Target::Keywords
        {
            return false;
        }
        if let (Some(own), Some(others)) = (&self.patterns, &other.patterns) {
            if own.len().saturating_mul(others.len()) > PAIRS_MAX {
                return false;
            }
            return match (self.link(), other.link()) {
                (Link::Any, Link::Any) => !own
                    .iter()
                    .any(|own| others.iter().any(|other| own.meets(other))),
                _ => false,
            };
        }
        let (Some(own), Some(others)) = (self.numbers(), other.numbers()) else {
            return false;
        };
        if own.len().saturating_mul(others.len()) > PAIRS_MAX {
            return false;
        }
        let apart = |own| others.iter().all(|other| ranges::is_empty(&[own, *other]));
        own.into_iter().all(apart)
    }

    /// The alternatives as bounds of a number, if all of them are.
    fn numbers(&self) -> Option<Vec<(Comparison, f64)>> {
        let comparison = match self.chain.kind {
            Kind::Compare(comparison) => comparison,
            Kind::Text if self.chain.anchor == Anchor::Whole => Comparison::Eq,
            _ => return None,
        };
        let chain = &self.chain;
        let plain = chain.encodings.is_empty() && !chain.windash && !chain.expand;
        let values = &self.item.values;
        if !plain || self.link() == Link::All || !(1..=VALUES_MAX).contains(&values.len()) {
            return None;
        }
        let bound = |value: &RawValue| match value {
            RawValue::Number(number) => Some((comparison, float(*number)?)),
            _ => None,
        };
        values.iter().map(bound).collect()
    }

    /// `exists: false`.
    fn is_absent(&self) -> bool {
        self.chain.kind == Kind::Exists && *self.item.values == [RawValue::Bool(false)]
    }

    /// Whether it holds only where the field has a value.
    fn needs_value(&self) -> bool {
        !self.holds_without_value() && !self.chain.negated
    }

    /// Whether it holds in an event that has no field at all.
    pub(super) fn holds_without_value(&self) -> bool {
        let null = |value: &RawValue| *value == RawValue::Null;
        let positive = match self.chain.kind {
            Kind::Exists => self.is_absent(),
            Kind::Text => match self.chain.link {
                Link::Any => self.item.values.iter().any(null),
                Link::All => self.item.values.iter().all(null),
            },
            _ => false,
        };
        positive != self.chain.negated
    }
}

/// The number as a float; `None` beyond what floats tell apart.
#[expect(
    clippy::cast_precision_loss,
    reason = "whole numbers up to the limit are exact"
)]
fn float(number: Number) -> Option<f64> {
    const EXACT: u128 = 1 << 53;
    match number {
        Number::Int(number) if number.unsigned_abs() < EXACT => Some(number as f64),
        Number::Int(_) => None,
        Number::Float(number) => Some(number),
    }
}

fn patterns(item: &Item, chain: &Chain) -> Option<Vec<Plain>> {
    let plain = chain.kind == Kind::Text && chain.encodings.is_empty();
    if !plain || chain.windash || chain.expand || item.values.len() > VALUES_MAX {
        return None;
    }
    let anchor = match (&item.target, chain.anchor) {
        (Target::Keywords, Anchor::Whole) => Anchor::Anywhere,
        (_, anchor) => anchor,
    };
    let pattern = |value: &RawValue| match value {
        RawValue::Text(text) => Plain::of(text, anchor, chain.case),
        _ => None,
    };
    item.values.iter().map(pattern).collect()
}

/// How many values a search has, in all its entries.
fn values(search: &Search) -> usize {
    match search {
        Search::AllOf(parts) | Search::AnyOf(parts) => parts.iter().map(values).sum(),
        Search::Item(item) => item.values.len(),
    }
}

/// A search as alternatives, each of entries that must all hold; `None` where it is not of that form.
pub(super) fn alternatives<'s>(search: &'s Search) -> Option<Vec<Vec<Fact<'s>>>> {
    if values(search) > SEARCH_VALUES_MAX {
        return None;
    }
    let conjunction = |search: &'s Search| match search {
        Search::Item(item) => Some(vec![Fact::of(item)?]),
        Search::AllOf(parts) => parts
            .iter()
            .map(|part| match part {
                Search::Item(item) => Fact::of(item),
                _ => None,
            })
            .collect(),
        Search::AnyOf(_) => None,
    };
    match search {
        Search::AnyOf(parts) if parts.len() <= ALTERNATIVES_MAX => {
            parts.iter().map(conjunction).collect()
        }
        Search::AnyOf(_) => None,
        single => Some(vec![conjunction(single)?]),
    }
}

/// Whether the second alternative holds wherever the first does.
pub(super) fn conjunction_implies(first: &[Fact<'_>], second: &[Fact<'_>]) -> bool {
    second
        .iter()
        .all(|there| first.iter().any(|here| here.implies(there)))
}

/// Whether the second search holds wherever the first does.
pub(super) fn implies(first: &[Vec<Fact<'_>>], second: &[Vec<Fact<'_>>]) -> bool {
    first
        .iter()
        .all(|here| second.iter().any(|there| conjunction_implies(here, there)))
}

/// Whether no event meets the search.
pub(super) fn never(search: &[Vec<Fact<'_>>]) -> bool {
    search.iter().all(|facts| {
        facts
            .iter()
            .enumerate()
            .any(|(at, one)| facts.iter().skip(at + 1).any(|other| one.excludes(other)))
    })
}

#[cfg(test)]
mod tests;
