//! A rule set to an engine.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::plan::{Plan, Planner, counted};
use super::resolve::{Referred, Resolved, resolve};
use super::retired;
use super::version::{Canonical, of_detection};
use super::{EVENT_BYTES_MAX, Engine, EngineOptions, LoadedRule};
use crate::alert::{Attack, RuleInfo, SINGLE, Shared, attack_of};
use crate::correlation::{CorrelationDef, DefKind};
use crate::diagnostic::Diagnostic;
use crate::id::Id;
use crate::logsource::Logsource;
use crate::naive::{Compiling, Matcher};
use crate::rule::{
    Bounds, Comparison, Correlation, CorrelationKind, Detection, Level, Meta, RuleSet, Suppress,
    Wording, filter, lists,
};
use crate::time::Span;

/// A detection rule, ready to judge.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) logsource: Logsource,
    pub(super) matcher: Matcher,
    /// For its alerts.
    pub(super) info: Shared<RuleInfo>,
    pub(super) attack: Shared<Vec<Attack>>,
    pub(super) description: Option<Shared<String>>,
    /// What its alerts say of the event, by paths.
    pub(super) wording: Wording<Vec<String>>,
    /// Whether a match is an alert at once; one whose repeats are held back goes through the
    /// matches log first.
    pub(super) at_once: bool,
}

/// Compiles a rule set; what cannot be honoured is left out and reported.
pub(super) fn compile(mut rules: RuleSet, options: EngineOptions) -> (Engine, Vec<Diagnostic>) {
    let mut problems = lists::resolve(&mut rules);
    rules.filters.retain(|filter| {
        let before = problems.len();
        problems.extend(filter::problems(filter, filter.searches.values()));
        problems.len() == before
    });
    problems.extend(filter::join(&mut rules));
    let matchers = matchers(&mut rules.detections, &mut problems);
    let detections = rules.detections;
    let resolved = resolve(rules.correlations, &detections, &mut problems);
    let silent = silent(&resolved, &detections, &rules.silent);
    let loaded: Vec<LoadedRule> = detections
        .iter()
        .enumerate()
        .map(|(place, detection)| loaded(detection, !silent.contains(&Key::Detection(place))))
        .collect();
    let compiled = detections
        .iter()
        .zip(&loaded)
        .zip(matchers)
        .map(|((detection, rule), matcher)| Compiled {
            logsource: detection.logsource.clone(),
            matcher,
            info: info(&detection.meta, rule.version, SINGLE).into(),
            attack: attack_of(&detection.meta.tags).into(),
            description: detection.meta.description.clone().map(Shared::from),
            wording: wording(&detection.palisade.wording, |name| {
                Some(detection.names.paths(name))
            }),
            at_once: rule.alerts && held_back(detection).is_none(),
        })
        .collect();
    let parts = Parts {
        resolved: &resolved,
        detections: &detections,
        loaded: &loaded,
        silent: &silent,
        options,
    };
    let (mut correlations, mut plans) = parts.correlations();
    for (place, detection) in detections.iter().enumerate() {
        if let Some(span) = held_back(detection).filter(|_| loaded[place].alerts) {
            let by = &detection.palisade.suppress_by;
            let paths: Vec<_> = by.iter().map(|name| detection.names.paths(name)).collect();
            correlations.push(Arc::new(parts.held_back(place, span, &paths)));
            plans.push(Plan::of_rule(place, paths));
        }
    }
    let bodies = retired::bodies(&resolved, &detections, &correlations, &rules.silent);
    let engine = Engine {
        options,
        bodies: Arc::new(bodies),
        retired: Arc::default(),
        programs: Arc::default(),
        event_bytes_max: EVENT_BYTES_MAX,
        lists: rules.lists,
        compiled,
        correlations,
        plans: plans.into(),
        rules: loaded.into(),
    };
    (engine, problems)
}

/// What judges for each rule; one that cannot be honoured is taken out and reported.
fn matchers(detections: &mut Vec<Detection>, problems: &mut Vec<Diagnostic>) -> Vec<Matcher> {
    let mut matchers = Vec::with_capacity(detections.len());
    let compiling = Compiling::default();
    detections.retain(|detection| {
        let (searches, condition) = (&detection.searches, &detection.condition);
        match Matcher::compile_within(searches, condition, &compiling) {
            Ok(matcher) => {
                matchers.push(matcher);
                true
            }
            Err(found) => {
                let key = Some(detection.meta.key());
                problems.extend(found.into_iter().map(|problem| problem.for_rule(key)));
                false
            }
        }
    });
    matchers
}

/// A rule by kind and place, for sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Detection(usize),
    Correlation(usize),
}

/// Rules that do not alert on their own: those that a correlation refers to, unless one of the
/// correlations that do says `generate` (requirement COR-15).
///
/// Those in `always` never do.
fn silent(
    resolved: &Resolved,
    detections: &[Detection],
    always: &BTreeSet<String>,
) -> BTreeSet<Key> {
    let (mut silent, mut loud) = (BTreeSet::new(), BTreeSet::new());
    for (correlation, targets) in resolved.correlations.iter().zip(&resolved.targets) {
        let set = if correlation.generate {
            &mut loud
        } else {
            &mut silent
        };
        set.extend(targets.iter().map(|target| match target {
            Referred::Detection(place) => Key::Detection(*place),
            Referred::Correlation(place) => Key::Correlation(*place),
        }));
    }
    let detections = detections.iter().map(|rule| &rule.meta).enumerate();
    let detections = detections.map(|(place, meta)| (Key::Detection(place), meta));
    let correlations = resolved.correlations.iter().map(|rule| &rule.meta);
    let correlations = correlations.enumerate();
    let correlations = correlations.map(|(place, meta)| (Key::Correlation(place), meta));
    let always = detections
        .chain(correlations)
        .filter(|(_, meta)| always.contains(meta.key()))
        .map(|(key, _)| key);
    silent.difference(&loud).copied().chain(always).collect()
}

fn loaded(detection: &Detection, alerts: bool) -> LoadedRule {
    let version = of_detection(detection);
    LoadedRule {
        meta: Arc::new(detection.meta.clone()),
        id: Arc::from(rule_id(&detection.meta, version)),
        version,
        alerts,
        logsource: detection.logsource.clone(),
        lists: lists::digests(&detection.searches),
    }
}

/// The rule's id, or one derived from its version.
fn rule_id(meta: &Meta, version: Id) -> String {
    meta.id.clone().unwrap_or_else(|| version.to_string())
}

fn info(meta: &Meta, version: Id, kind: &str) -> RuleInfo {
    RuleInfo {
        id: rule_id(meta, version),
        version: version.to_string(),
        name: meta.name.clone().unwrap_or_else(|| meta.title.clone()),
        kind: kind.to_owned(),
        level: meta.level,
        author: meta.author.clone(),
        references: meta.references.clone(),
        false_positives: meta.falsepositives.clone(),
        tags: meta.tags.clone(),
    }
}

/// A wording with the fields that `lead` leads to; what leads nowhere says nothing.
fn wording<F>(written: &Wording<String>, lead: impl Fn(&String) -> Option<F>) -> Wording<F> {
    let title = written.title.as_ref().and_then(|(template, fields)| {
        let fields = fields.iter().map(&lead).collect::<Option<_>>()?;
        Some((template.clone(), fields))
    });
    Wording {
        title,
        level_from: written.level_from.as_ref().and_then(&lead),
        external_id: written.external_id.as_ref().and_then(&lead),
    }
}

/// What the correlations are built from.
struct Parts<'a> {
    resolved: &'a Resolved,
    detections: &'a [Detection],
    loaded: &'a [LoadedRule],
    silent: &'a BTreeSet<Key>,
    options: EngineOptions,
}

impl Parts<'_> {
    fn correlations(&self) -> (Vec<Arc<CorrelationDef>>, Vec<Plan>) {
        let resolved = self.resolved;
        let count = resolved.correlations.len();
        let shown: Vec<Vec<String>> = (0..count).map(|place| self.shown(place)).collect();
        let none = Id::from_bytes([0; 16]);
        let mut versions = vec![none; count];
        for place in resolved.order.iter().copied() {
            versions[place] = self.version(place, &versions, &shown[place]);
        }
        let planner = Planner {
            resolved,
            detections: self.detections,
            shown: &shown,
            versions: &versions,
        };
        let plans = (0..count).map(|place| planner.plan(place)).collect();
        let defs = shown.iter().enumerate();
        let defs = defs.map(|(place, shown)| Arc::new(self.def(place, &versions, shown)));
        (defs.collect(), plans)
    }

    /// Names of the group as alerts show them: an alias as it is, a field as the first base rule's
    /// pipelines map it, where that is one path.
    fn shown(&self, place: usize) -> Vec<String> {
        let correlation = &self.resolved.correlations[place];
        let base = self.first_detection(place);
        let shown = |name: &String| {
            if correlation.aliases.contains_key(name) {
                return name.clone();
            }
            let paths = base.map(|detection| detection.names.paths(name));
            match paths.as_deref() {
                Some([one]) => one.clone(),
                _ => name.clone(),
            }
        };
        correlation.group_by.iter().map(shown).collect()
    }

    fn first_detection(&self, place: usize) -> Option<&Detection> {
        let targets = self.resolved.targets.get(place)?;
        let direct = targets.iter().find_map(|target| match target {
            Referred::Detection(rule) => self.detections.get(*rule),
            Referred::Correlation(_) => None,
        });
        direct.or_else(|| {
            targets.iter().find_map(|target| match target {
                Referred::Correlation(inner) => self.first_detection(*inner),
                Referred::Detection(_) => None,
            })
        })
    }

    fn version(&self, place: usize, versions: &[Id], shown: &[String]) -> Id {
        let correlation = &self.resolved.correlations[place];
        let mut hash = Canonical::new("correlation");
        // The fold keeps its state by version: two rules that mean the same must not share it.
        let own = correlation
            .meta
            .id
            .as_ref()
            .or(correlation.meta.name.as_ref());
        hash.text(own.map_or("", String::as_str));
        hash.text(kind_name(&correlation.kind));
        match &correlation.kind {
            CorrelationKind::EventCount(bounds)
            | CorrelationKind::ValueCount(_, bounds)
            | CorrelationKind::ValueSum(_, bounds)
            | CorrelationKind::ValueAvg(_, bounds) => hash.bounds(bounds),
            CorrelationKind::ValuePercentile(_, percentile, bounds) => {
                hash.float(*percentile);
                hash.bounds(bounds);
            }
            CorrelationKind::Temporal(condition) | CorrelationKind::TemporalOrdered(condition) => {
                hash.temporal(condition);
            }
        }
        hash.number(correlation.timespan.ticks());
        hash.texts(shown);
        hash.number(suppress(correlation).map_or(-1, Span::ticks));
        hash.number(i64::from(self.alerts(place)));
        let targets = &self.resolved.targets[place];
        hash.count(targets.len());
        for target in targets {
            match target {
                Referred::Detection(rule) => hash.id(self.loaded[*rule].version),
                Referred::Correlation(inner) => hash.id(versions[*inner]),
            }
        }
        self.paths(place, &mut hash);
        hash.finish()
    }

    /// The paths that the correlation's names lead to in the events of each rule below it.
    fn paths(&self, place: usize, hash: &mut Canonical) {
        let correlation = &self.resolved.correlations[place];
        let counted = counted(&correlation.kind).map_or(&[][..], |(fields, _)| fields);
        hash.count(counted.len());
        let fields = correlation.group_by.iter().chain(counted);
        let below = self.detections_below(place);
        for name in fields {
            let aliases = correlation.aliases.get(name).map_or(&[][..], Vec::as_slice);
            hash.count(aliases.len());
            for (rule, field) in aliases {
                hash.text(rule);
                hash.text(field);
            }
            for rule in &below {
                let names = &self.detections[*rule].names;
                hash.texts(&names.paths(name));
                for (_, field) in aliases {
                    hash.texts(&names.paths(field));
                }
            }
        }
    }

    /// The detection rules at the ends of all chains.
    fn detections_below(&self, place: usize) -> BTreeSet<usize> {
        let mut below = BTreeSet::new();
        let mut seen = BTreeSet::from([place]);
        let mut open = vec![place];
        while let Some(next) = open.pop() {
            for target in &self.resolved.targets[next] {
                match *target {
                    Referred::Detection(rule) => {
                        below.insert(rule);
                    }
                    Referred::Correlation(inner) => {
                        if seen.insert(inner) {
                            open.push(inner);
                        }
                    }
                }
            }
        }
        below
    }

    fn alerts(&self, place: usize) -> bool {
        !self.silent.contains(&Key::Correlation(place))
    }

    fn def(&self, place: usize, versions: &[Id], shown: &[String]) -> CorrelationDef {
        let correlation = &self.resolved.correlations[place];
        let meta = &correlation.meta;
        let version = versions[place];
        let base_rules = self.resolved.targets[place]
            .iter()
            .map(|target| match target {
                Referred::Detection(rule) => self.loaded[*rule].id.to_string(),
                Referred::Correlation(inner) => {
                    rule_id(&self.resolved.correlations[*inner].meta, versions[*inner])
                }
            });
        CorrelationDef {
            id: rule_id(meta, version),
            version,
            rule: info(meta, version, kind_name(&correlation.kind)),
            title: meta.title.clone(),
            description: meta.description.clone(),
            severity: meta.level.unwrap_or(Level::Medium),
            kind: def_kind(&correlation.kind),
            base_rules: base_rules.collect(),
            group_by: shown.to_vec(),
            timespan: correlation.timespan,
            alerts: self.alerts(place),
            suppress: suppress(correlation),
            lateness: self.options.lateness,
            outer: self.outer(place, versions),
            wording: wording(&correlation.palisade.wording, |name| {
                correlation.group_by.iter().position(|by| by == name)
            }),
        }
    }

    /// A detection rule whose repeats are held back, as a correlation of one event or more: the
    /// memory of its last alert is then log content, and a restart does not repeat it.
    fn held_back(&self, place: usize, span: Span, paths: &[Vec<String>]) -> CorrelationDef {
        let detection = &self.detections[place];
        let meta = &detection.meta;
        let rule = &self.loaded[place];
        let mut hash = Canonical::new("held back");
        hash.text(&rule.id);
        hash.id(rule.version);
        hash.number(span.ticks());
        hash.count(paths.len());
        for paths in paths {
            hash.texts(paths);
        }
        let shown = |(name, paths): (&String, &Vec<String>)| match paths.as_slice() {
            [one] => one.clone(),
            _ => name.clone(),
        };
        let by = &detection.palisade.suppress_by;
        CorrelationDef {
            id: rule.id.to_string(),
            version: hash.finish(),
            rule: info(meta, rule.version, SINGLE),
            title: meta.title.clone(),
            description: meta.description.clone(),
            severity: meta.level.unwrap_or(Level::Medium),
            kind: DefKind::EventCount(Bounds(vec![(Comparison::Gte, 1.0)])),
            base_rules: vec![rule.id.to_string()],
            group_by: by.iter().zip(paths).map(shown).collect(),
            timespan: span,
            alerts: true,
            suppress: Some(span),
            lateness: self.options.lateness,
            outer: Vec::new(),
            // Its words are found while the whole event is there, and travel in the match.
            wording: Wording::default(),
        }
    }

    /// Who refers to the correlation, and where in their `rules`.
    fn outer(&self, inner: usize, versions: &[Id]) -> Vec<(Id, u32)> {
        let above = self.resolved.above[inner].iter();
        above
            .map(|(place, slot)| (versions[*place], u32::try_from(*slot).unwrap_or(u32::MAX)))
            .collect()
    }
}

/// For how long repeats of a detection rule are held back.
fn held_back(detection: &Detection) -> Option<Span> {
    match detection.palisade.suppress {
        Some(Suppress::For(span)) => Some(span),
        Some(Suppress::None) | None => None,
    }
}

/// A correlation stays silent for its time span unless it says otherwise.
fn suppress(correlation: &Correlation) -> Option<Span> {
    match &correlation.palisade.suppress {
        None => Some(correlation.timespan),
        Some(Suppress::None) => None,
        Some(Suppress::For(span)) => Some(*span),
    }
}

fn kind_name(kind: &CorrelationKind) -> &'static str {
    match kind {
        CorrelationKind::EventCount(_) => "event_count",
        CorrelationKind::ValueCount(..) => "value_count",
        CorrelationKind::ValueSum(..) => "value_sum",
        CorrelationKind::ValueAvg(..) => "value_avg",
        CorrelationKind::ValuePercentile(..) => "value_percentile",
        CorrelationKind::Temporal(_) => "temporal",
        CorrelationKind::TemporalOrdered(_) => "temporal_ordered",
    }
}

fn def_kind(kind: &CorrelationKind) -> DefKind {
    match kind {
        CorrelationKind::EventCount(bounds) => DefKind::EventCount(bounds.clone()),
        CorrelationKind::ValueCount(_, bounds) => DefKind::ValueCount(bounds.clone()),
        CorrelationKind::ValueSum(_, bounds) => DefKind::ValueSum(bounds.clone()),
        CorrelationKind::ValueAvg(_, bounds) => DefKind::ValueAvg(bounds.clone()),
        CorrelationKind::ValuePercentile(_, percentile, bounds) => {
            DefKind::ValuePercentile(*percentile, bounds.clone())
        }
        CorrelationKind::Temporal(condition) => DefKind::Temporal(condition.clone()),
        CorrelationKind::TemporalOrdered(condition) => DefKind::TemporalOrdered(condition.clone()),
    }
}
