//! What correlations take from the events of their base rules.

use crate::id::Id;
use crate::pipeline::Names;
use crate::rule::{Correlation, CorrelationKind, Detection, Meta};

use super::resolve::{Referred, Resolved};

/// What a correlation takes from events.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Detection rules among its references.
    pub(super) inputs: Vec<Input>,
}

/// A detection rule among the references of a correlation.
#[derive(Debug)]
pub(super) struct Input {
    /// Its place among the engine's rules.
    pub(super) rule: usize,
    /// Its place in the correlation's `rules`.
    pub(super) slot: u32,
    /// The group-by fields.
    pub(super) group: Vec<Vec<String>>,
    /// What an event without one of them does.
    pub(super) absent: Absent,
    /// The counted fields.
    pub(super) value: Option<ValuePlan>,
    /// What correlations further out take from the same event; those that lead to another stand
    /// before or after it.
    pub(super) carried: Vec<CarriedPlan>,
}

/// What becomes of an event that lacks a group-by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// It takes no part (COR-9).
    TakesNoPart,
    /// The field counts as empty text: what holds back repeats must not lose an alert.
    CountsAsEmpty,
}

/// The counted fields of a correlation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValuePlan {
    pub(super) fields: Vec<Taken>,
    /// Whether the value is a number, and not one of a set.
    pub(super) numeric: bool,
}

/// What an outer correlation takes when it is reached by ways that lead to the same values.
#[derive(Debug)]
pub(super) struct CarriedPlan {
    pub(super) version: Id,
    pub(super) group: Vec<Taken>,
    pub(super) value: Option<ValuePlan>,
    /// Whose matches lead to it: places among the carried, `None` for the correlation itself.
    pub(super) inner: Vec<Option<usize>>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Taken {
    /// From the correlation's own group, by place.
    Group(usize),
    /// From the event: the first of these paths that is present.
    Event(Vec<String>),
}

impl Plan {
    /// The plan of one rule by itself, whose repeats are told apart by these paths.
    pub(super) fn of_rule(rule: usize, group: Vec<Vec<String>>) -> Self {
        Self {
            inputs: vec![Input {
                rule,
                slot: 0,
                group,
                absent: Absent::CountsAsEmpty,
                value: None,
                carried: Vec::new(),
            }],
        }
    }
}

/// Everything a plan is made of.
pub(super) struct Planner<'a> {
    pub(super) resolved: &'a Resolved,
    /// The detection rules.
    pub(super) detections: &'a [Detection],
    /// Group-by names as shown, by correlation.
    pub(super) shown: &'a [Vec<String>],
    /// Versions, by correlation.
    pub(super) versions: &'a [Id],
}

impl Planner<'_> {
    /// The plan of the correlation at a place.
    pub(super) fn plan(&self, place: usize) -> Plan {
        let correlation = &self.resolved.correlations[place];
        let mut inputs = Vec::new();
        for (slot, target) in self.resolved.targets[place].iter().enumerate() {
            let Referred::Detection(rule) = *target else {
                continue;
            };
            let names = &self.detections[rule].names;
            let paths = |name: &String| names.paths(self.alias((place, slot), name));
            let own = (0..).map(Taken::Group);
            let known: Vec<(String, Taken)> = self.shown[place].iter().cloned().zip(own).collect();
            let mut carried = Vec::new();
            self.outer((place, &known, None), names, &mut carried);
            inputs.push(Input {
                rule,
                slot: u32::try_from(slot).unwrap_or(u32::MAX),
                group: correlation.group_by.iter().map(paths).collect(),
                absent: Absent::TakesNoPart,
                value: counted(&correlation.kind).map(|(fields, numeric)| ValuePlan {
                    fields: fields
                        .iter()
                        .map(|name| Taken::Event(paths(name)))
                        .collect(),
                    numeric,
                }),
                carried,
            });
        }
        Plan { inputs }
    }

    /// What the correlations above `inner` take, of which the names in `known` are settled already
    /// and which is itself at a place among the carried.
    ///
    /// By aliases a correlation may take other fields for one way than for another; where ways lead
    /// to the same, one stands for all. How many there are is bounded by [`crate::rule::parse::CHAIN_WAYS_MAX`].
    fn outer(
        &self,
        inner: (usize, &[(String, Taken)], Option<usize>),
        names: &Names,
        carried: &mut Vec<CarriedPlan>,
    ) {
        let (inner, known, at) = inner;
        for (place, slot) in self.resolved.above[inner].iter().copied() {
            let plan = self.carried((place, slot), known, names);
            let same = carried.iter_mut().enumerate().find(|(_, other)| {
                (other.version, &other.group, &other.value)
                    == (plan.version, &plan.group, &plan.value)
            });
            if let Some((_, other)) = same {
                if !other.inner.contains(&at) {
                    other.inner.push(at);
                }
                continue;
            }
            let group = plan.group.iter().cloned();
            let known: Vec<(String, Taken)> =
                self.shown[place].iter().cloned().zip(group).collect();
            let next = carried.len();
            carried.push(CarriedPlan {
                inner: vec![at],
                ..plan
            });
            self.outer((place, &known, Some(next)), names, carried);
        }
    }

    /// What the correlation at a place takes from a match of the one at a slot of its references.
    fn carried(
        &self,
        (place, slot): (usize, usize),
        known: &[(String, Taken)],
        names: &Names,
    ) -> CarriedPlan {
        let correlation = &self.resolved.correlations[place];
        let taken = |name: &String, shown: &String| {
            let settled = known
                .iter()
                .find(|(settled, _)| settled == shown || settled == name);
            settled.map_or_else(
                || Taken::Event(names.paths(self.alias((place, slot), name))),
                |(_, taken)| taken.clone(),
            )
        };
        let group = correlation.group_by.iter().zip(&self.shown[place]);
        let value = |(fields, numeric): (&[String], bool)| ValuePlan {
            fields: fields.iter().map(|name| taken(name, name)).collect(),
            numeric,
        };
        CarriedPlan {
            version: self.versions[place],
            group: group.map(|(name, shown)| taken(name, shown)).collect(),
            value: counted(&correlation.kind).map(value),
            inner: Vec::new(),
        }
    }

    /// The field that a name of a correlation stands for in the events of the rule at a slot.
    fn alias<'n>(&'n self, at: (usize, usize), name: &'n str) -> &'n str {
        let (place, slot) = at;
        let correlation = &self.resolved.correlations[place];
        let meta = match self.resolved.targets[place][slot] {
            Referred::Detection(rule) => &self.detections[rule].meta,
            Referred::Correlation(rule) => &self.resolved.correlations[rule].meta,
        };
        let fields = correlation.aliases.get(name).into_iter().flatten();
        let mut named = fields.filter(|(rule, _)| is(correlation, slot, meta, rule));
        named.next().map_or(name, |(_, field)| field)
    }
}

/// Whether a reference names the rule at a slot; it may be by id here and by name there.
fn is(correlation: &Correlation, slot: usize, meta: &Meta, reference: &String) -> bool {
    let written = correlation.rules.get(slot).map(|(written, _)| written);
    written == Some(reference)
        || meta.id.as_ref() == Some(reference)
        || meta.name.as_ref() == Some(reference)
}

/// The counted fields, and whether their value is a number.
pub(super) fn counted(kind: &CorrelationKind) -> Option<(&[String], bool)> {
    match kind {
        CorrelationKind::ValueCount(fields, _) => Some((fields, false)),
        CorrelationKind::ValueSum(field, _)
        | CorrelationKind::ValueAvg(field, _)
        | CorrelationKind::ValuePercentile(field, ..) => Some((std::slice::from_ref(field), true)),
        CorrelationKind::EventCount(_)
        | CorrelationKind::Temporal(_)
        | CorrelationKind::TemporalOrdered(_) => None,
    }
}
