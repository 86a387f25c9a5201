//! Correlations of an earlier rule set whose windows are still open.
//!
//! What a correlation is compiled from, its body, can be stored and compiled again: in a later
//! process, when the rule files already say something else. An engine that was given such bodies
//! judges by them beside its own rules and gives their matches, never their alerts, so that a window
//! which straddles the change sees every event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Engine;
use super::plan::counted;
use super::resolve::{Referred, Resolved};
use crate::correlation::CorrelationDef;
use crate::diagnostic::Place;
use crate::id::Id;
use crate::logsource::Logsource;
use crate::matches::Match;
use crate::pipeline::Names;
use crate::rule::{
    Correlation, CorrelationKind, Detection, Expr, Meta, PalisadeKeys, RuleSet, Search, Suppress,
};
use crate::time::Span;

/// Longest body that is kept; a correlation over more rules than fit is not judged by once it was
/// replaced.
pub const BODY_BYTES_MAX: usize = 4 << 20;

/// Bodies by the version of the correlation; those that refer to each other share one.
pub(super) type Bodies = BTreeMap<Id, Arc<[u8]>>;

/// Rules that are judged by for correlations of an earlier set.
#[derive(Debug)]
pub(super) struct Retired {
    /// The rules; they raise no alerts.
    pub(super) engine: Engine,
    /// The versions whose matches are wanted.
    pub(super) versions: BTreeSet<Id>,
}

/// What correlations that refer to each other are compiled from, after pipelines and filters.
#[derive(Serialize, Deserialize)]
struct Body {
    detections: Vec<DetectionBody>,
    correlations: Vec<CorrelationBody>,
    /// Correlations, by their keys, that are there for others only.
    silent: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
struct DetectionBody {
    meta: Meta,
    logsource: Logsource,
    searches: Vec<(String, Search)>,
    condition: Expr,
    /// The names that the correlations use, with their paths.
    names: Vec<(String, Vec<String>)>,
}

#[derive(Serialize, Deserialize)]
struct CorrelationBody {
    meta: Meta,
    kind: CorrelationKind,
    rules: Vec<String>,
    group_by: Vec<String>,
    timespan: Span,
    aliases: Vec<(String, Vec<(String, String)>)>,
    generate: bool,
    suppress: Option<Suppress>,
}

/// The bodies of all correlations of a set; `defs` are theirs, in the order of `resolved`.
pub(super) fn bodies(
    resolved: &Resolved,
    detections: &[Detection],
    defs: &[Arc<CorrelationDef>],
    silent: &BTreeSet<String>,
) -> Bodies {
    let mut bodies = Bodies::new();
    for (place, def) in defs.iter().enumerate().take(resolved.correlations.len()) {
        if bodies.contains_key(&def.version) {
            continue;
        }
        let chained = chained(resolved, place);
        let body = body(resolved, detections, &chained, silent);
        let Some(bytes) = serde_json::to_vec(&body)
            .ok()
            .filter(|bytes| bytes.len() <= BODY_BYTES_MAX)
        else {
            continue;
        };
        let bytes: Arc<[u8]> = Arc::from(bytes);
        let versions = chained.iter().filter_map(|place| defs.get(*place));
        bodies.extend(versions.map(|def| (def.version, Arc::clone(&bytes))));
    }
    bodies
}

/// The correlations that depend on each other's versions with the one at `place`, in load order.
fn chained(resolved: &Resolved, place: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::from([place]);
    let mut open = vec![place];
    while let Some(next) = open.pop() {
        let below = resolved.targets[next]
            .iter()
            .filter_map(|target| match target {
                Referred::Correlation(inner) => Some(*inner),
                Referred::Detection(_) => None,
            });
        let above = resolved.above[next].iter().map(|(outer, _)| *outer);
        open.extend(below.chain(above).filter(|place| found.insert(*place)));
    }
    found
}

fn body(
    resolved: &Resolved,
    detections: &[Detection],
    chained: &BTreeSet<usize>,
    silent: &BTreeSet<String>,
) -> Body {
    let correlations: Vec<&Correlation> = chained
        .iter()
        .map(|place| &resolved.correlations[*place])
        .collect();
    let targets = chained.iter().flat_map(|place| &resolved.targets[*place]);
    let below: BTreeSet<usize> = targets
        .filter_map(|target| match target {
            Referred::Detection(rule) => Some(*rule),
            Referred::Correlation(_) => None,
        })
        .collect();
    let names: BTreeSet<&String> = correlations.iter().copied().flat_map(names_of).collect();
    let detection = |rule: &usize| {
        let detection = &detections[*rule];
        let paths = |name: &&String| ((*name).clone(), detection.names.paths(name));
        DetectionBody {
            meta: detection.meta.clone(),
            logsource: detection.logsource.clone(),
            searches: detection.searches.clone().into_iter().collect(),
            condition: detection.condition.clone(),
            names: names.iter().map(paths).collect(),
        }
    };
    Body {
        detections: below.iter().map(detection).collect(),
        silent: correlations
            .iter()
            .map(|correlation| correlation.meta.key())
            .filter(|key| silent.contains(*key))
            .map(str::to_owned)
            .collect(),
        correlations: correlations.into_iter().map(correlation).collect(),
    }
}

/// The names of fields that a correlation uses.
fn names_of(correlation: &Correlation) -> impl Iterator<Item = &String> {
    let counted = counted(&correlation.kind).map_or(&[][..], |(fields, _)| fields);
    let aliases = correlation.aliases.values().flatten();
    let names = correlation.group_by.iter().chain(counted);
    names.chain(aliases.map(|(_, field)| field))
}

fn correlation(correlation: &Correlation) -> CorrelationBody {
    CorrelationBody {
        meta: correlation.meta.clone(),
        kind: correlation.kind.clone(),
        rules: correlation
            .rules
            .iter()
            .map(|(rule, _)| rule.clone())
            .collect(),
        group_by: correlation.group_by.clone(),
        timespan: correlation.timespan,
        aliases: correlation.aliases.clone().into_iter().collect(),
        generate: correlation.generate,
        suppress: correlation.palisade.suppress.clone(),
    }
}

impl Body {
    fn into_rules(self) -> RuleSet {
        let place = Place::start_of("stored rules");
        let detections = self.detections.into_iter().map(|body| Detection {
            meta: body.meta,
            place: place.clone(),
            logsource: body.logsource,
            searches: body.searches.into_iter().collect(),
            condition: body.condition,
            palisade: PalisadeKeys::default(),
            names: Names::written(body.names),
        });
        let detections = detections.collect();
        let correlations = self.correlations.into_iter().map(|body| Correlation {
            meta: body.meta,
            kind: body.kind,
            rules: body
                .rules
                .into_iter()
                .map(|rule| (rule, place.clone()))
                .collect(),
            group_by: body.group_by,
            timespan: body.timespan,
            aliases: body.aliases.into_iter().collect(),
            generate: body.generate,
            palisade: PalisadeKeys {
                suppress: body.suppress,
                ..PalisadeKeys::default()
            },
            place: place.clone(),
        });
        RuleSet {
            correlations: correlations.collect(),
            detections,
            silent: self.silent,
            ..RuleSet::default()
        }
    }
}

impl Retired {
    /// The rules of a stored body, for these versions; `None` if the body gives none of them: another
    /// program wrote it, whose rules meant something else.
    fn of(body: &[u8], wanted: &BTreeSet<Id>, beside: &Engine) -> Option<Self> {
        let body: Body = serde_json::from_slice(body).ok()?;
        let rules = RuleSet {
            // Lists are data: an earlier rule looks values up in what they hold today.
            lists: Arc::clone(&beside.lists),
            ..body.into_rules()
        };
        let (engine, _) = Engine::compile(rules, beside.options);
        let versions = engine.correlations.iter().map(|def| def.version);
        let versions: BTreeSet<Id> = versions.filter(|one| wanted.contains(one)).collect();
        (!versions.is_empty()).then_some(Self { engine, versions })
    }
}

impl Engine {
    /// What the correlation of this version was compiled from, to be stored before its first use.
    /// `None` if there is no such correlation, or more than [`BODY_BYTES_MAX`] of it.
    pub fn body(&self, version: Id) -> Option<&[u8]> {
        self.bodies.get(&version).map(AsRef::as_ref)
    }

    /// This engine, which also gives the matches of correlations of earlier sets, out of their
    /// bodies: of the versions in `wanted`, which holds this engine's own that are in force as well.
    /// A match that both give is one match.
    #[must_use]
    pub fn beside(&self, bodies: &[&[u8]], wanted: &BTreeSet<Id>) -> Self {
        let mut known = BTreeSet::new();
        let retired = bodies
            .iter()
            .filter(|body| known.insert(**body))
            .filter_map(|body| Retired::of(body, wanted, self));
        Self {
            options: self.options,
            rules: Arc::clone(&self.rules),
            compiled: Arc::clone(&self.compiled),
            correlations: self.correlations.clone(),
            plans: Arc::clone(&self.plans),
            bodies: Arc::clone(&self.bodies),
            lists: Arc::clone(&self.lists),
            retired: retired.collect(),
            programs: Arc::clone(&self.programs),
            event_bytes_max: self.event_bytes_max,
        }
    }

    /// Whether this engine gives matches of the correlation of this version.
    pub fn gives(&self, version: Id) -> bool {
        let own = self.correlations.iter().any(|def| def.version == version);
        own || self
            .retired
            .iter()
            .any(|retired| retired.versions.contains(&version))
    }
}

/// Joins equal matches, which then carry what outer correlations of both sets need.
pub(super) fn merge(matches: &mut Vec<Match>) {
    matches.dedup_by(|later, first| {
        if later.order() != first.order() {
            return false;
        }
        for carried in later.carried.drain(..) {
            let mut known = first.carried.iter_mut();
            match known.find(|one| one.says_the_same(&carried)) {
                None => first.carried.push(carried),
                Some(one) => {
                    one.inner.extend(carried.inner);
                    one.inner.sort_unstable();
                    one.inner.dedup();
                }
            }
        }
        true
    });
}
