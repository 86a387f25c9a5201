//! Records of one input against the rules in question.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use palisade_detect::alert::SINGLE;
use palisade_detect::correlation::view::GroupView;
use palisade_detect::correlation::{CorrelationDef, StepError};
use palisade_detect::engine;
use palisade_detect::event::{EventRef, Index, Origin, SourcePartition};
use palisade_detect::id;
use palisade_detect::time::{Span, TICKS_PER_SECOND, Timestamp};
use palisade_detect::value::Event;
use palisade_ingest::decode::{Decoded, Hints, decode};

use super::subject::{Bench, Counted, Subject};
use super::{
    CORRELATIONS_SHOWN_MAX, CorrelationReport, EventReport, GROUPS_SHOWN_MAX, Nearest,
    RULES_SHOWN_MAX, Report,
};
use crate::topology::fold::Suppression;
use crate::topology::offline::{Offline, Watermark};
use crate::topology::stage::SourceTraits;

/// Events without a match for which the nearest rule is looked for: it asks every rule for its
/// whole verdict.
const NEAREST_EVENTS_MAX: usize = 200;
/// Counted values that are kept to be shown.
const VALUES_MAX: usize = 10_000;
/// Rejects that are named.
const REJECTS_SHOWN_MAX: usize = 20;

/// Whose data inputs hold, as ids name it.
const TENANT: &str = "default";

/// Takes the records of one input.
pub struct Session<'b> {
    bench: &'b Bench,
    subject: Subject,
    counted: Vec<Counted>,
    stages: Offline,
    /// Most events that are shown.
    limit: usize,
    matched: Vec<EventReport>,
    unmatched: Vec<EventReport>,
    report: Report,
    /// Events that each rule matched, by its place.
    matches: BTreeMap<usize, usize>,
    /// Events that belong to a group of a correlation, and those that one of its rules matched.
    grouped: BTreeMap<String, usize>,
    /// Counted values, by correlation and event.
    values: BTreeMap<(usize, String), String>,
}

impl<'b> Session<'b> {
    /// A session that shows at most `limit` events.
    ///
    /// # Errors
    /// When a fold does not take the correlations, which is a defect.
    pub fn new(
        bench: &'b Bench,
        mut subject: Subject,
        suppression: Suppression,
        limit: usize,
    ) -> Result<Self, StepError> {
        let stages = Offline::new(
            Arc::clone(&bench.engine),
            SourceTraits::as_they_stand(TENANT),
            Watermark::StandsStill,
            suppression,
        )?;
        if suppression == Suppression::Off {
            // What holds a rule's repeats back has nothing to say where nothing is held back.
            let defs = bench.engine.correlations();
            let single =
                |place: &usize| defs.get(*place).is_some_and(|def| def.rule.kind == SINGLE);
            subject.correlations.retain(|place| !single(place));
        }
        Ok(Self {
            counted: bench.counted(&subject),
            bench,
            subject,
            stages,
            limit,
            matched: Vec::new(),
            unmatched: Vec::new(),
            report: Report::default(),
            matches: BTreeMap::new(),
            grouped: BTreeMap::new(),
            values: BTreeMap::new(),
        })
    }

    /// Takes the record at `offset` of `path`.
    ///
    /// # Errors
    /// When a fold cannot take a step, which is a defect.
    pub fn record(
        &mut self,
        path: &Arc<str>,
        offset: i64,
        payload: &[u8],
        received: Timestamp,
    ) -> Result<(), StepError> {
        let origin = |index| Origin {
            tenant: Arc::from(TENANT),
            at: SourcePartition {
                source: Arc::clone(path),
                incarnation: 1,
                partition: 0,
            },
            offset,
            index,
        };
        decode(Some(payload), &Hints::default(), &mut |decoded| {
            if let Decoded::Event(index, event) = decoded
                && let Ok((tree, _)) = engine::read(&event)
            {
                self.event(&origin(index), &event, &tree);
            }
        });
        let outcome = self.stages.record(path, offset, Some(payload), received)?;
        for (origin, reject) in &outcome.rejects {
            self.reject(&place(origin), &reject.message);
        }
        let mut seen = BTreeSet::new();
        for found in &outcome.matches {
            if seen.insert((&found.correlation_id, &found.index)) {
                *self
                    .grouped
                    .entry(found.correlation_id.clone())
                    .or_default() += 1;
            }
        }
        Ok(())
    }

    /// Takes note of something that is no event.
    pub fn reject(&mut self, place: &str, message: &str) {
        self.report.rejects_total += 1;
        if self.report.rejects.len() < REJECTS_SHOWN_MAX {
            self.report.rejects.push(format!("{place}: {message}"));
        }
    }

    fn event(&mut self, origin: &Origin, event: &EventRef<'_>, tree: &Event<'_>) {
        let bench = self.bench;
        let order = self.report.events_total;
        self.report.events_total += 1;
        let matching: BTreeSet<usize> = self
            .subject
            .detections
            .iter()
            .copied()
            .filter(|place| bench.explainers[*place].matches(event, tree, bench.routing))
            .collect();
        for place in &matching {
            *self.matches.entry(*place).or_default() += 1;
        }
        self.keep_values(&matching, origin, tree);
        self.report.events_matched += usize::from(!matching.is_empty());
        if matching.is_empty() && self.unmatched.len() >= NEAREST_EVENTS_MAX.max(self.limit)
            || !matching.is_empty() && self.matched.len() >= self.limit
        {
            return;
        }
        let explained: Vec<usize> = matching
            .union(&self.subject.named)
            .copied()
            .take(RULES_SHOWN_MAX)
            .collect();
        let rules: Vec<_> = explained
            .iter()
            .map(|place| bench.explainers[*place].explain(event, tree, bench.routing))
            .collect();
        let shown_matching = rules.iter().filter(|rule| rule.matches).count();
        let nearest = match (matching.is_empty(), self.subject.named.is_empty()) {
            (true, true) => self.nearest(event, tree),
            _ => None,
        };
        let distances = rules.iter().map(|rule| {
            if rule.logsource.admits {
                rule.distance
            } else {
                usize::MAX
            }
        });
        let distances = distances.chain(nearest.as_ref().map(|nearest| nearest.distance));
        let report = EventReport {
            place: place(origin),
            time: event.event_time.map(|time| time.to_string()),
            log_type: event.log_type.name,
            matched_besides: matching.len() - shown_matching,
            others: self.subject.detections.len() - matching.len() - (rules.len() - shown_matching),
            nearest,
            order,
            distance: distances.min().unwrap_or(usize::MAX),
            rules,
        };
        if matching.is_empty() {
            self.unmatched.push(report);
        } else {
            self.matched.push(report);
        }
    }

    /// The rule that is nearest to a match, among those that judge events of this log source.
    fn nearest(&self, event: &EventRef<'_>, tree: &Event<'_>) -> Option<Nearest> {
        let bench = self.bench;
        let rules = self.subject.detections.iter();
        let rules = rules.map(|place| &bench.explainers[*place]);
        let judging = rules.filter(|rule| rule.admits(event, bench.routing));
        let (distance, rule) = judging
            .map(|rule| (rule.distance(tree), rule))
            .min_by_key(|(distance, _)| *distance)?;
        Some(Nearest {
            rule: rule.meta().key().to_owned(),
            title: rule.meta().title.clone(),
            distance,
        })
    }

    fn keep_values(&mut self, matching: &BTreeSet<usize>, origin: &Origin, tree: &Event<'_>) {
        for counted in &self.counted {
            if !matching.contains(&counted.detection) || self.values.len() >= VALUES_MAX {
                continue;
            }
            let texts = counted.fields.iter().map(|paths| tree.first_text(paths));
            if let Some(texts) = texts.collect::<Option<Vec<String>>>() {
                let event = id::event_id(origin).to_string();
                self.values
                    .insert((counted.correlation, event), texts.join(", "));
            }
        }
    }

    /// The input has ended.
    pub fn finish(mut self) -> Report {
        self.unmatched
            .sort_by_key(|event| (event.distance, event.order));
        let room = self.limit.saturating_sub(self.matched.len());
        self.unmatched.truncate(room);
        let mut events = std::mem::take(&mut self.matched);
        events.append(&mut self.unmatched);
        events.sort_by_key(|event| event.order);
        self.report.events = events;
        let places: Vec<usize> = self.subject.correlations.iter().copied().collect();
        let mut correlations: Vec<CorrelationReport> = places
            .into_iter()
            .filter_map(|place| self.correlation(place))
            .collect();
        correlations.sort_by(|a, b| match (a.groups.first(), b.groups.first()) {
            (Some(a), Some(b)) => by_progress(a, b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
        correlations.truncate(CORRELATIONS_SHOWN_MAX);
        self.report.correlations = correlations;
        self.report
    }

    fn correlation(&self, place: usize) -> Option<CorrelationReport> {
        let def = self.bench.engine.correlations().get(place)?;
        let mut groups = self.stages.groups(def);
        if self.subject.only_busy && groups.is_empty() {
            return None;
        }
        groups.sort_by(by_progress);
        let groups_total = groups.len();
        groups.truncate(GROUPS_SHOWN_MAX);
        for group in &mut groups {
            self.name(place, group);
        }
        let base_rules: Vec<_> = def.base_rules.iter().map(|id| self.base(id)).collect();
        Some(CorrelationReport {
            rule: def.id.clone(),
            title: def.title.clone(),
            kind: def.rule.kind.clone(),
            group_by: def.group_by.clone(),
            timespan_seconds: seconds(def.timespan),
            alerts: def.alerts,
            suppress_seconds: def.suppress.map(seconds),
            ungrouped: self.ungrouped(def),
            base_rules,
            groups,
            groups_total,
        })
    }

    /// Puts names and values for the ids and hashes that a fold knows.
    fn name(&self, correlation: usize, group: &mut GroupView) {
        for event in &mut group.events {
            if let Some(value) = self.values.get(&(correlation, event.event_id.clone())) {
                event.value = Some(value.clone());
            }
            for rule in &mut event.rules {
                *rule = self.base(rule).0;
            }
        }
        for rule in &mut group.progress.missing_rules {
            *rule = self.base(rule).0;
        }
    }

    /// A rule that a correlation refers to, by name, and the number of events that it matched.
    fn base(&self, id: &str) -> (String, Option<usize>) {
        let place = (0..self.bench.explainers.len()).find(|at| self.bench.id_of(*at) == Some(id));
        let matched = place.map(|place| self.matches.get(&place).copied().unwrap_or_default());
        let own = place.and_then(|place| self.bench.explainers[place].meta().name.as_deref());
        let name = own.or_else(|| {
            let mut inner = self.bench.engine.correlations().iter();
            let def = inner.find(|def| def.id == id && place.is_none())?;
            Some(def.rule.name.as_str())
        });
        (name.unwrap_or(id).to_owned(), matched)
    }

    /// Events that met a base rule and are in no group; with several base rules it cannot be told
    /// from events that met more than one.
    fn ungrouped(&self, def: &CorrelationDef) -> usize {
        let [base] = def.base_rules.as_slice() else {
            return 0;
        };
        let grouped = self.grouped.get(&def.id).copied().unwrap_or_default();
        let (_, matched) = self.base(base);
        matched.unwrap_or_default().saturating_sub(grouped)
    }
}

fn seconds(span: Span) -> i64 {
    span.ticks() / TICKS_PER_SECOND
}

fn place(origin: &Origin) -> String {
    match origin.index {
        Index::ROOT => format!("{}/{}", origin.at.source, origin.offset),
        index => format!("{}/{}.{index}", origin.at.source, origin.offset),
    }
}

/// Satisfied groups first, then those that lack least.
fn by_progress(a: &GroupView, b: &GroupView) -> Ordering {
    let lacking = |view: &GroupView| {
        let progress = &view.progress;
        let missing = progress.missing.unwrap_or(f64::MAX);
        (!progress.satisfied, progress.missing_rules.len(), missing)
    };
    let (a, b) = (lacking(a), lacking(b));
    a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2))
}
