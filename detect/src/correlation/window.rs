//! Which window an arriving element satisfies.
//!
//! Windows are closed on both ends, have the length of the timespan and end at an element that is
//! there. Only windows that contain the new element are looked at: every other one was judged when
//! its last element arrived.

use std::ops::Range;

use super::group::{Element, Group};
use super::tally::{Tally, count_within};
use super::{CorrelationDef, DefKind};
use crate::time::{Span, Timestamp};

/// A window that satisfies the condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    /// Its begin, `end` less the timespan.
    pub(super) start: Timestamp,
    /// Its end, the time of an element.
    pub(super) end: Timestamp,
    /// Its elements.
    pub(super) elements: Range<usize>,
}

/// The earliest window around the element at `at` that satisfies the correlation.
///
/// The group's elements are sorted by time and arrival.
pub(super) fn satisfied(def: &CorrelationDef, group: &Group, at: usize) -> Option<Window> {
    let elements = group.elements.as_slice();
    match &def.kind {
        // Without merged and joined elements a window's count is the difference of two places.
        DefKind::EventCount(bounds) if group.inexact.is_none() && !group.extra => {
            let holds = |window: &Window| count_within(bounds, window.elements.len() as u64);
            ends(elements, at, def.timespan).find(holds)
        }
        DefKind::TemporalOrdered(_) => {
            let mut steps = Steps::new(def.base_rules.len());
            slide(def, elements, at, |added| {
                if let Some(element) = added {
                    steps.take(element);
                }
                steps.begin
            })
        }
        _ => slide(def, elements, at, |_| Some(Timestamp::MAX)),
    }
}

/// Every window that ends at an element, in order of time: with what it comes to, and with whether it
/// satisfies the correlation.
pub(super) fn each(
    def: &CorrelationDef,
    elements: &[Element],
    visit: &mut dyn FnMut(&Window, &Tally<'_>, bool),
) {
    let ordered = matches!(def.kind, DefKind::TemporalOrdered(_));
    let mut steps = Steps::new(def.base_rules.len());
    let mut tally = Tally::new(&def.kind, def.base_rules.len());
    let (mut from, mut to) = (0, 0);
    while let Some(end) = elements.get(to).map(|element| element.time) {
        while let Some(element) = elements.get(to).filter(|element| element.time <= end) {
            tally.add(element);
            steps.take(element);
            to += 1;
        }
        let start = end.minus(def.timespan);
        while let Some(element) = elements.get(from).filter(|element| element.time < start) {
            tally.remove(element);
            from += 1;
        }
        let window = Window {
            start,
            end,
            elements: from..to,
        };
        let in_order = !ordered || steps.begin.is_some_and(|begin| begin >= start);
        visit(&window, &tally, in_order && tally.holds());
    }
}

/// The windows around the element at `at`, by their ends.
fn ends(elements: &[Element], at: usize, span: Span) -> impl Iterator<Item = Window> {
    let latest = elements
        .get(at)
        .map_or(Timestamp::MIN, |element| element.time.plus(span));
    let mut next = at;
    std::iter::from_fn(move || {
        let end = elements.get(next)?.time;
        if end > latest {
            return None;
        }
        let start = end.minus(span);
        let begin = elements.partition_point(|element| element.time < start);
        // Most elements arrive in order: the window then ends at the list's end.
        next += elements
            .get(next..)?
            .partition_point(|element| element.time <= end);
        Some(Window {
            start,
            end,
            elements: begin..next,
        })
    })
}

/// Slides a tally over the windows around `at`. `chain` sees every element that enters, in order,
/// and says where the latest complete chain begins, which must lie in the window.
fn slide(
    def: &CorrelationDef,
    elements: &[Element],
    at: usize,
    mut chain: impl FnMut(Option<&Element>) -> Option<Timestamp>,
) -> Option<Window> {
    let mut tally = Tally::new(&def.kind, def.base_rules.len());
    let mut inside: Option<Range<usize>> = None;
    for window in ends(elements, at, def.timespan) {
        let from = inside.get_or_insert(window.elements.start..window.elements.start);
        for element in &elements[from.end..window.elements.end] {
            tally.add(element);
            chain(Some(element));
        }
        for element in &elements[from.start..window.elements.start] {
            tally.remove(element);
        }
        *from = window.elements.clone();
        if tally.holds() && chain(None).is_some_and(|begin| begin >= window.start) {
            return Some(window);
        }
    }
    None
}

/// The chains of `temporal_ordered`: one element per listed rule, in list order.
struct Steps {
    /// For each number of steps done, the latest time at which such a chain begins.
    done: Vec<Option<Timestamp>>,
    /// Begin of the latest complete chain.
    begin: Option<Timestamp>,
}

impl Steps {
    fn new(rules: usize) -> Self {
        Self {
            done: vec![None; rules],
            begin: None,
        }
    }

    /// Takes the next element. Longer chains first, so that it serves one step of a chain only.
    fn take(&mut self, element: &Element) {
        for step in (0..self.done.len()).rev() {
            if !element.rules.iter().any(|rule| usize::from(*rule) == step) {
                continue;
            }
            let begin = match step.checked_sub(1) {
                None => Some(element.time),
                Some(before) => self.done[before],
            };
            self.done[step] = self.done[step].max(begin);
        }
        self.begin = self.done.last().copied().flatten();
    }
}
