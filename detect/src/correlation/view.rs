//! What a fold holds of a correlation, for `explain`: its groups, their events in time, and how far
//! each is from firing. Looking changes nothing.

use std::collections::BTreeSet;

use serde::Serialize;

use super::group::{Element, Group};
use super::window::{Window, each};
use super::{CorrelationDef, DefKind, Fold, GroupKey};
use crate::rule::{Bounds, Comparison, TemporalCondition};
use crate::time::Timestamp;

/// Most events of one group that are shown; the newest are.
pub const EVENTS_SHOWN_MAX: usize = 20;
/// Most groups of one correlation that a fold shows.
pub const GROUPS_SHOWN_MAX: usize = 1_000;

/// Millionths in one.
const MICRO: i64 = 1_000_000;

/// A group as it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupView {
    /// Name and value of each group-by field; a key too long to be kept whole shows its begin.
    pub group: Vec<(String, String)>,
    /// Its newest events, in order of time.
    pub events: Vec<EventView>,
    /// How many events it has.
    pub events_total: usize,
    /// How far it is from firing, or has come.
    pub progress: Progress,
    /// The spans in which alerts are held back, after one.
    pub silent: Vec<(String, String)>,
}

/// An event of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventView {
    /// When it happened.
    pub time: String,
    /// Ids of the rules that it met.
    pub rules: Vec<String>,
    /// Its value, where the correlation computes with numbers. Of values that are only told apart
    /// the fold keeps no text.
    pub value: Option<String>,
    /// Whether it has a usable value, where the correlation needs one.
    pub counts: bool,
    /// Id of the event.
    pub event_id: String,
    /// Source, offset and place in the record.
    pub place: String,
}

/// The window that came furthest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// Whether it satisfies the correlation.
    pub satisfied: bool,
    /// What it comes to; `None` without any value.
    pub have: Option<f64>,
    /// What the correlation asks for, such as `>= 5`.
    pub need: String,
    /// How many more of what is counted it takes, where more is what it takes.
    pub missing: Option<f64>,
    /// Ids of the rules that it still lacks, for `temporal` ones.
    pub missing_rules: Vec<String>,
    /// All rules matched, but not in the order that the correlation asks for.
    pub out_of_order: bool,
    /// Length of the window in seconds.
    pub timespan_seconds: i64,
    /// Time of its first event.
    pub first: String,
    /// Time of its last event.
    pub last: String,
    /// Until when the first event counts.
    pub before: String,
}

impl Fold {
    /// The groups of a correlation in this key partition, by key.
    pub fn groups(&self, def: &CorrelationDef) -> Vec<GroupView> {
        let mut views = Vec::new();
        for ((_, tenant), lane) in self.lanes.iter().filter(|(name, _)| name.0 == def.version) {
            let room = GROUPS_SHOWN_MAX - views.len();
            let groups = lane
                .groups()
                .filter(|(_, group)| !group.elements.is_empty());
            views.extend(
                groups
                    .take(room)
                    .map(|(key, group)| view(def, (key, tenant), group)),
            );
        }
        views
    }
}

fn view(def: &CorrelationDef, (key, tenant): (&[u8], &str), group: &Group) -> GroupView {
    let values = GroupKey::values(key, tenant);
    let values = values.unwrap_or_else(|| {
        let begin = String::from_utf8_lossy(key.get(32..).unwrap_or_default());
        vec![format!("{begin}…"); def.group_by.len()]
    });
    let total = group.elements.len();
    let shown = group.elements.iter();
    GroupView {
        group: def.group_by.iter().cloned().zip(values).collect(),
        events: shown
            .skip(total.saturating_sub(EVENTS_SHOWN_MAX))
            .map(|element| event(def, element))
            .collect(),
        events_total: total,
        progress: progress(def, &group.elements),
        silent: group
            .silences()
            .map(|(from, until)| (from.to_string(), until.to_string()))
            .collect(),
    }
}

fn event(def: &CorrelationDef, element: &Element) -> EventView {
    let value = match def.kind {
        DefKind::ValueSum(_) | DefKind::ValueAvg(_) | DefKind::ValuePercentile(..) => {
            let values = element.values.iter();
            let texts: Vec<String> = values.map(|micro| from_micro(*micro).to_string()).collect();
            (!texts.is_empty()).then(|| texts.join(", "))
        }
        _ => None,
    };
    let witness = &element.witness;
    let ordinals = witness.index.iter().map(ToString::to_string);
    let place: Vec<String> = std::iter::once(witness.offset.to_string())
        .chain(ordinals)
        .collect();
    EventView {
        time: element.time.to_string(),
        rules: rules(def, element).into_iter().collect(),
        value,
        counts: !needs_value(&def.kind) || !element.values.is_empty(),
        event_id: witness.event_id.to_string(),
        place: format!("{}/{}", witness.source.name, place.join(".")),
    }
}

fn needs_value(kind: &DefKind) -> bool {
    !matches!(
        kind,
        DefKind::EventCount(_) | DefKind::Temporal(_) | DefKind::TemporalOrdered(_)
    )
}

fn rules(def: &CorrelationDef, element: &Element) -> BTreeSet<String> {
    let name = |place: &u16| def.base_rules.get(usize::from(*place)).cloned();
    element.rules.iter().filter_map(name).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "shown to people; exact up to 2^53 millionths"
)]
fn from_micro(micro: i64) -> f64 {
    micro as f64 / MICRO as f64
}

/// The first satisfied window, else the one that came furthest, else the last.
fn progress(def: &CorrelationDef, elements: &[Element]) -> Progress {
    let wants_less = bounds(&def.kind).is_some_and(wants_less);
    let mut best: Option<(Window, Option<f64>, bool)> = None;
    each(def, elements, &mut |window, tally, satisfied| {
        let measure = tally.measure();
        let further = match &best {
            None => true,
            Some((_, _, true)) => false,
            Some((_, _, false)) if satisfied => true,
            Some((_, best, _)) if wants_less => measure <= *best,
            Some((_, best, _)) => measure >= *best,
        };
        if further {
            best = Some((window.clone(), measure, satisfied));
        }
    });
    let (window, have, satisfied) = best.unwrap_or((
        Window {
            start: Timestamp::default(),
            end: Timestamp::default(),
            elements: 0..0,
        },
        None,
        false,
    ));
    let inside = elements.get(window.elements.clone()).unwrap_or_default();
    let first = inside.first().map_or(window.start, |element| element.time);
    let missing_rules = if satisfied {
        Vec::new()
    } else {
        missing_rules(def, inside)
    };
    Progress {
        satisfied,
        have,
        need: need(def),
        missing: have
            .filter(|_| !satisfied)
            .and_then(|have| missing(def, have)),
        out_of_order: !satisfied
            && matches!(def.kind, DefKind::TemporalOrdered(_))
            && missing_rules.is_empty(),
        missing_rules,
        timespan_seconds: def.timespan.ticks() / crate::time::TICKS_PER_SECOND,
        first: first.to_string(),
        last: window.end.to_string(),
        before: first.plus(def.timespan).to_string(),
    }
}

/// Rules that a temporal correlation waits for; for those that ask for a number of rules: none by
/// name.
fn missing_rules(def: &CorrelationDef, inside: &[Element]) -> Vec<String> {
    let (DefKind::Temporal(condition) | DefKind::TemporalOrdered(condition)) = &def.kind else {
        return Vec::new();
    };
    if matches!(condition, TemporalCondition::Count(_)) {
        return Vec::new();
    }
    let met: BTreeSet<String> = inside
        .iter()
        .flat_map(|element| rules(def, element))
        .collect();
    let missing = def.base_rules.iter().filter(|rule| !met.contains(*rule));
    missing.take(EVENTS_SHOWN_MAX).cloned().collect()
}

fn bounds(kind: &DefKind) -> Option<&Bounds> {
    match kind {
        DefKind::EventCount(bounds)
        | DefKind::ValueCount(bounds)
        | DefKind::ValueSum(bounds)
        | DefKind::ValueAvg(bounds)
        | DefKind::ValuePercentile(_, bounds)
        | DefKind::Temporal(TemporalCondition::Count(bounds))
        | DefKind::TemporalOrdered(TemporalCondition::Count(bounds)) => Some(bounds),
        DefKind::Temporal(_) | DefKind::TemporalOrdered(_) => None,
    }
}

fn wants_less(bounds: &Bounds) -> bool {
    let less = |comparison: &Comparison| matches!(comparison, Comparison::Lt | Comparison::Lte);
    bounds.0.iter().all(|(comparison, _)| less(comparison))
}

/// What is asked for, in words.
fn need(def: &CorrelationDef) -> String {
    let Some(bounds) = bounds(&def.kind) else {
        return format!("{} rules", def.base_rules.len());
    };
    let each = bounds.0.iter().map(|(comparison, bound)| {
        let sign = match comparison {
            Comparison::Gt => ">",
            Comparison::Gte => ">=",
            Comparison::Lt => "<",
            Comparison::Lte => "<=",
            Comparison::Eq => "=",
            Comparison::Neq => "!=",
        };
        format!("{sign} {bound}")
    });
    each.collect::<Vec<_>>().join(" and ")
}

/// How many more of what is counted it takes. Means and percentiles do not grow by more of the same.
fn missing(def: &CorrelationDef, have: f64) -> Option<f64> {
    let whole = match &def.kind {
        DefKind::EventCount(_)
        | DefKind::ValueCount(_)
        | DefKind::Temporal(_)
        | DefKind::TemporalOrdered(_) => true,
        DefKind::ValueSum(_) => false,
        DefKind::ValueAvg(_) | DefKind::ValuePercentile(..) => return None,
    };
    let asked = bounds(&def.kind)?
        .0
        .iter()
        .map(|(comparison, bound)| match comparison {
            Comparison::Gte | Comparison::Eq if whole => bound.ceil() - have,
            Comparison::Gt if whole => bound.floor() + 1.0 - have,
            Comparison::Gte | Comparison::Gt | Comparison::Eq => bound - have,
            Comparison::Lt | Comparison::Lte | Comparison::Neq => 0.0,
        });
    let most = asked.fold(0.0, f64::max);
    (most > 0.0).then_some(most)
}
