//! One event against all rules: alerts of single events, and matches for correlations.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::Xxh3;

use super::plan::{Absent, CarriedPlan, Input, Taken, ValuePlan};
use super::{Clamp, Engine, EventContext, TRIGGER_BYTES_MAX, Verdict, retired};
use crate::alert::{
    Activity, Alert, Entity, Evidence, EvidenceEvent, EvidenceOrigin, Excerpt, Observable, Product,
    SCHEMA, SINGLE, Shared, Tenant, entities_json, observables_of,
};
use crate::correlation::{CorrelationDef, GroupKey};
use crate::entity::{entities, subscription};
use crate::event::EventRef;
use crate::id::{self, Id};
use crate::matches::{Carried, EVENT_BYTES_MAX, Match, flags, level_number, way};
use crate::rule::{Level, Wording, Words};
use crate::scan::Marked;
use crate::time::{Span, Timestamp};
use crate::value::text::prefix;
use crate::value::{Decimal, Event, Value};

/// How far before its append time an event may say that it happened.
const CLAMP_BEFORE: Span = Span::from_seconds(7 * 24 * 3600);
/// How far after its append time an event may say that it happened.
pub const CLAMP_AFTER: Span = Span::from_seconds(5 * 60);

/// Most fields that an alert shows of one event.
const FIELDS_MAX: usize = 32;
/// Longest value of such a field, in bytes; longer text is cut, longer structures are left out.
const FIELD_BYTES_MAX: usize = 512;

/// Longest group value, in bytes; what a longer one is grouped by is its hash and its beginning.
const GROUP_VALUE_BYTES_MAX: usize = 1024;

/// An event that was read.
#[derive(Clone, Copy)]
pub(super) struct Read<'e> {
    pub(super) event: &'e EventRef<'e>,
    pub(super) tree: &'e Event<'e>,
    /// The event's marks, if its tree was made by them.
    pub(super) marks: Option<Marked<'e>>,
}

/// Says what the rules that one parsed event meets come to.
pub(super) fn judge(
    engine: &Engine,
    read: &Read<'_>,
    context: &EventContext<'_>,
    verdict: &mut Verdict,
) {
    let Read { event, tree, .. } = *read;
    let time = event_time(event.event_time, context);
    verdict.clamped = time.1;
    if !verdict.matched.is_empty() {
        let facts = Facts::of(read, context, time);
        for place in &verdict.matched {
            if engine.compiled[*place].at_once {
                verdict.alerts.push(facts.alert(engine, *place));
            }
        }
        let all = |_: &CorrelationDef| true;
        engine.correlate(&facts, &verdict.matched, all, &mut verdict.matches);
    }
    for retired in engine.retired.iter() {
        let mut matched = Vec::new();
        retired.engine.matched(event, tree, &mut matched);
        if !matched.is_empty() {
            let facts = Facts::of(read, context, time);
            let wanted = |def: &CorrelationDef| retired.versions.contains(&def.version);
            let engine = &retired.engine;
            engine.correlate(&facts, &matched, wanted, &mut verdict.matches);
        }
    }
    verdict.matches.sort_by(|a, b| a.order().cmp(&b.order()));
    if !engine.retired.is_empty() {
        retired::merge(&mut verdict.matches);
    }
}

impl Engine {
    /// The places of the rules that an event meets, ascending.
    pub(super) fn matched(&self, event: &EventRef<'_>, tree: &Event<'_>, matched: &mut Vec<usize>) {
        for (place, rule) in self.compiled.iter().enumerate() {
            if rule
                .logsource
                .admits(event.logsources, self.options.routing)
                && rule.matcher.matches(tree)
            {
                matched.push(place);
            }
        }
    }

    /// The matches of the correlations that are `wanted`, of an event that meets the rules at `places`.
    fn correlate(
        &self,
        facts: &Facts<'_>,
        places: &[usize],
        wanted: impl Fn(&CorrelationDef) -> bool,
        matches: &mut Vec<Match>,
    ) {
        for (def, plan) in self.correlations.iter().zip(self.plans.iter()) {
            let met = |input: &&Input| places.binary_search(&input.rule).is_ok();
            let met: Vec<&Input> = plan.inputs.iter().filter(met).collect();
            if !met.is_empty() && wanted(def) {
                facts.matches(self, def, &met, matches);
            }
        }
    }
}

/// `T1`: when the event happened, and whether that had to be clamped.
pub(super) fn event_time(own: Option<Timestamp>, context: &EventContext<'_>) -> (Timestamp, bool) {
    let append = context.append_time;
    let bounds = append.minus(CLAMP_BEFORE)..=append.plus(CLAMP_AFTER);
    match own {
        Some(time) if context.clamp == Clamp::Never || bounds.contains(&time) => (time, false),
        _ => (append, true),
    }
}

/// What alerts and matches say of an event.
struct Facts<'e> {
    event: &'e EventRef<'e>,
    tree: &'e Event<'e>,
    marks: Option<Marked<'e>>,
    context: &'e EventContext<'e>,
    time: Timestamp,
    clamped: bool,
    event_id: Id,
    /// Time and id as alerts have them.
    time_text: OnceCell<String>,
    event_name: OnceCell<String>,
    /// The event as JSON text.
    text: OnceCell<Cow<'e, str>>,
    entities: Shared<Vec<Entity>>,
    observables: OnceCell<Shared<Vec<Observable>>>,
    /// The event in alerts, and whether it was cut.
    excerpt: OnceCell<(Excerpt, bool)>,
    subscription: Option<String>,
    logsource: Option<String>,
}

impl<'e> Facts<'e> {
    fn of(read: &Read<'e>, context: &'e EventContext<'e>, time: (Timestamp, bool)) -> Self {
        let Read { event, tree, marks } = *read;
        let entities = entities(tree, event.log_type);
        Self {
            event,
            tree,
            marks,
            context,
            time: time.0,
            clamped: time.1,
            event_id: context.event_id(),
            time_text: OnceCell::new(),
            event_name: OnceCell::new(),
            text: OnceCell::new(),
            subscription: subscription(tree, &entities),
            entities: entities.into(),
            observables: OnceCell::new(),
            excerpt: OnceCell::new(),
            logsource: event.logsources.first().map(ToString::to_string),
        }
    }

    /// The fields that rules read, each under the first of its paths that is present.
    fn fields<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p [String]>,
    ) -> BTreeMap<String, serde_json::Value> {
        let mut fields = BTreeMap::new();
        for candidates in paths {
            if fields.len() >= FIELDS_MAX {
                break;
            }
            let found = candidates.iter().find_map(|path| {
                let found = self.tree.find(path);
                found.first().map(|seen| (path, shown(seen.value())))
            });
            if let Some((path, Some(value))) = found {
                fields.insert(path.clone(), value);
            }
        }
        fields
    }

    /// What an alert says in the words of the event.
    fn words(&self, wording: &Wording<Vec<String>>) -> Words {
        wording.words(|paths| self.tree.first_text(paths))
    }

    /// The event as JSON text.
    fn text(&self) -> &str {
        self.text.get_or_init(|| match self.event.body.json() {
            // The event has become a tree, so this is UTF-8.
            Some(bytes) => std::str::from_utf8(bytes).unwrap_or_default().into(),
            None => self.tree.root.to_json().into(),
        })
    }

    /// The event as alerts show it, and whether it was cut.
    fn excerpt(&self) -> &(Excerpt, bool) {
        self.excerpt.get_or_init(|| {
            let text = self.text();
            if text.len() > TRIGGER_BYTES_MAX {
                let beginning = prefix(text, TRIGGER_BYTES_MAX);
                return (serde_json::Value::from(beginning).into(), true);
            }
            let excerpt = match self.marks {
                Some(marks) => Excerpt::of_marked(marks, text),
                None => Excerpt::of_tree(&self.tree.root, text.len()),
            };
            (excerpt, false)
        })
    }

    /// The alert of the rule at a place on this event alone.
    fn alert(&self, engine: &Engine, place: usize) -> Alert {
        let rule = &engine.rules[place];
        let compiled = &engine.compiled[place];
        let (origin, event_id) = (self.context.origin, self.event_id);
        let tenant = origin.tenant.as_ref();
        let (excerpt, cut) = self.excerpt();
        let observables = || observables_of(&self.entities).into();
        let observables = self.observables.get_or_init(observables);
        let time = self.time_text.get_or_init(|| self.time.to_string());
        let words = self.words(&compiled.wording);
        let evidence = EvidenceEvent {
            event_id: self.event_name.get_or_init(|| event_id.to_string()).clone(),
            time: Some(time.clone()),
            time_clamped: self.clamped,
            logsource: self.logsource.clone(),
            log_type: Some(self.event.log_type.name.to_owned()),
            origin: EvidenceOrigin {
                source: origin.at.source.to_string(),
                partition: origin.at.partition,
                offset: origin.offset,
                index: origin.index.to_string(),
            },
            rules: Vec::new(),
            fields: self.fields(compiled.matcher.paths()),
            excerpt: Some(excerpt.clone()),
            cut: *cut,
        };
        let id = id::single_alert_id(tenant, &rule.id, event_id);
        Alert {
            schema: SCHEMA.to_owned(),
            alert_id: id.to_string(),
            revision: 0,
            activity: Activity::Create,
            dedupe_key: id::dedupe_key(tenant, &rule.id, &[]).to_string(),
            group: None,
            emitted_at: String::new(),
            first_event_at: Some(time.clone()),
            last_event_at: Some(time.clone()),
            external_id: words.external_id,
            title: words.title.unwrap_or_else(|| rule.meta.title.clone()),
            description: compiled.description.clone(),
            severity: words.level.or(rule.meta.level).unwrap_or(Level::Medium),
            status: "new".to_owned(),
            attack: compiled.attack.clone(),
            rule: compiled.info.clone(),
            tenant: Tenant {
                tenant_id: tenant.to_owned(),
                subscription_id: self.subscription.clone(),
            },
            observables: observables.clone(),
            entities: self.entities.clone(),
            evidence: Evidence {
                count: 1,
                approximate: false,
                events: vec![evidence],
            },
            enrichments: Vec::new(),
            links: Vec::new(),
            remediation: Vec::new(),
            labels: BTreeMap::new(),
            product: Product::palisade(),
            truncated: if *cut {
                vec!["evidence.events.excerpt".to_owned()]
            } else {
                Vec::new()
            },
        }
    }

    /// The matches of one correlation: one for each group that the event belongs to.
    fn matches(
        &self,
        engine: &Engine,
        def: &CorrelationDef,
        met: &[&Input],
        matches: &mut Vec<Match>,
    ) {
        // By aliases, one event may belong to different groups for different rules.
        let mut groups: BTreeMap<Vec<String>, Vec<&Input>> = BTreeMap::new();
        for input in met {
            let values = input.group.iter().map(|paths| {
                let value = self.group_value(paths);
                match input.absent {
                    Absent::TakesNoPart => value,
                    Absent::CountsAsEmpty => Some(value.unwrap_or_default()),
                }
            });
            if let Some(values) = values.collect() {
                groups.entry(values).or_default().push(input);
            }
        }
        for (values, inputs) in groups {
            matches.push(self.matched(engine, def, values, &inputs));
        }
    }

    fn group_value(&self, paths: &[String]) -> Option<String> {
        let value = self.tree.first_text(paths)?;
        if value.len() <= GROUP_VALUE_BYTES_MAX {
            return Some(value);
        }
        let hash = blake3::hash(value.as_bytes()).to_hex();
        Some(format!("{}… {hash}", prefix(&value, GROUP_VALUE_BYTES_MAX)))
    }

    fn matched(
        &self,
        engine: &Engine,
        def: &CorrelationDef,
        values: Vec<String>,
        inputs: &[&Input],
    ) -> Match {
        let origin = self.context.origin;
        let texts: Vec<&str> = values.iter().map(String::as_str).collect();
        let key = GroupKey::new(&origin.tenant, &texts);
        let value = inputs
            .iter()
            .filter_map(|input| input.value.as_ref())
            .map(|plan| self.counted(plan, &values))
            .find(|counted| counted.present)
            .unwrap_or_default();
        let text = self.text();
        let evidence = prefix(text, EVENT_BYTES_MAX);
        let bit = |set: bool, flag: u32| if set { flag } else { 0 };
        let rules: BTreeSet<usize> = inputs.iter().map(|input| input.rule).collect();
        let paths = rules
            .iter()
            .flat_map(|rule| engine.compiled[*rule].matcher.paths());
        // A correlation speaks of its group; a detection rule that is held back, of the event.
        let single = inputs.first().filter(|_| def.rule.kind == SINGLE);
        let words = single.map(|input| self.words(&engine.compiled[input.rule].wording));
        let words = words.unwrap_or_default();
        let base_rules: BTreeSet<u32> = inputs.iter().map(|input| input.slot).collect();
        Match {
            offset: origin.offset,
            index: origin.index.ordinals().to_vec(),
            event_id: self.event_id.as_bytes().to_vec(),
            event_time: self.time.ticks(),
            append_time: self.context.append_time.ticks(),
            rule_version: def.version.as_bytes().to_vec(),
            correlation_id: def.id.clone(),
            base_rules: base_rules.into_iter().collect(),
            group_key: key.as_bytes().to_vec(),
            value_hash: value.hash,
            has_value: value.present,
            value_micro: value.micro,
            content_key: self.content_key(),
            evidence: evidence.as_bytes().to_vec(),
            flags: bit(self.clamped, flags::TIME_CLAMPED)
                | bit(value.saturated, flags::VALUE_SATURATED)
                | bit(evidence.len() < text.len(), flags::EVIDENCE_CUT),
            carried: self.carried(
                inputs,
                (&values, way(def.version.as_bytes(), key.as_bytes())),
            ),
            tenant: origin.tenant.to_string(),
            logsource: self.logsource.clone().unwrap_or_default(),
            log_type: self.event.log_type.name.to_owned(),
            entities: entities_json(&self.entities).as_bytes().to_vec(),
            fields: json(&self.fields(paths)),
            subscription_id: self.subscription.clone().unwrap_or_default(),
            group_values: values,
            title: words.title.unwrap_or_default(),
            level: words.level.map_or(0, level_number),
            external_id: words.external_id.unwrap_or_default(),
            ..Match::default()
        }
    }

    /// What outer correlations take, each once for all ways that lead to the same values; `own` are
    /// the match's group and its way.
    fn carried(&self, inputs: &[&Input], own: (&[String], u64)) -> Vec<Carried> {
        let mut carried: Vec<Carried> = Vec::new();
        for input in inputs {
            // For each plan its place among the carried, and the way on from there; none where a
            // group field is missing. The ways in follow when all are known.
            let mut known = Vec::with_capacity(input.carried.len());
            for plan in &input.carried {
                let taken = self.taken(plan, own.0);
                let key = GroupKey::new(
                    &self.context.origin.tenant,
                    &taken
                        .group_values
                        .iter()
                        .map(String::as_str)
                        .collect::<Vec<_>>(),
                );
                let whole = taken.present.iter().all(|present| *present);
                let on = whole.then(|| way(&taken.rule_version, key.as_bytes()));
                let same = carried.iter().position(|other| other.says_the_same(&taken));
                known.push((same.unwrap_or(carried.len()), on));
                if same.is_none() {
                    carried.push(taken);
                }
            }
            for (plan, (place, _)) in input.carried.iter().zip(&known) {
                let inner = plan.inner.iter().filter_map(|inner| match inner {
                    None => Some(own.1),
                    Some(inner) => known.get(*inner).and_then(|(_, on)| *on),
                });
                for way in inner {
                    if !carried[*place].inner.contains(&way) {
                        carried[*place].inner.push(way);
                    }
                }
            }
        }
        carried.retain(|one| !one.inner.is_empty());
        carried
    }

    /// What one outer correlation takes by one way; `group` is the match's.
    fn taken(&self, plan: &CarriedPlan, group: &[String]) -> Carried {
        let values = plan.group.iter().map(|taken| match taken {
            Taken::Group(place) => group.get(*place).cloned(),
            Taken::Event(paths) => self.group_value(paths),
        });
        let values: Vec<Option<String>> = values.collect();
        let value = plan
            .value
            .as_ref()
            .map(|plan| self.counted(plan, group))
            .unwrap_or_default();
        Carried {
            rule_version: plan.version.as_bytes().to_vec(),
            present: values.iter().map(Option::is_some).collect(),
            group_values: values.into_iter().map(Option::unwrap_or_default).collect(),
            value_hash: value.hash,
            has_value: value.present,
            value_micro: value.micro,
            inner: Vec::new(),
        }
    }

    fn counted(&self, plan: &ValuePlan, group: &[String]) -> Counted {
        let values = plan.fields.iter().map(|taken| match taken {
            Taken::Group(place) => group.get(*place).cloned(),
            Taken::Event(paths) => self.tree.first_text(paths),
        });
        let Some(values) = values.collect::<Option<Vec<String>>>() else {
            return Counted::default();
        };
        if !plan.numeric {
            return Counted {
                present: true,
                hash: hash(&values),
                ..Counted::default()
            };
        }
        let number = values.first().and_then(|value| Decimal::parse(value));
        number.map_or_else(Counted::default, |number| {
            let (micro, saturated) = number.to_micro();
            Counted {
                present: true,
                micro,
                saturated,
                ..Counted::default()
            }
        })
    }

    fn content_key(&self) -> u64 {
        let path = self.event.log_type.content_key;
        let value = path.and_then(|path| self.tree.first_text(&[path.to_owned()]));
        value
            .filter(|value| !value.is_empty())
            .map_or(0, |value| hash(&[value]))
    }
}

/// The counted value of an event.
#[derive(Debug, Default)]
struct Counted {
    present: bool,
    hash: u64,
    micro: i64,
    saturated: bool,
}

/// A hash of texts and of how many bytes each has.
fn hash(texts: &[String]) -> u64 {
    let mut hasher = Xxh3::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.digest()
}

/// A field's value for an alert.
fn shown(value: &Value<'_>) -> Option<serde_json::Value> {
    match value {
        Value::Text(text) if text.raw().len() > FIELD_BYTES_MAX => {
            let cut = format!("{}…", prefix(text.raw(), FIELD_BYTES_MAX));
            Some(serde_json::Value::String(cut))
        }
        value if value.is_scalar() => Some(value.to_serde()),
        value => (value.to_json().len() <= FIELD_BYTES_MAX).then(|| value.to_serde()),
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
