//! What the fold says to the outside: alerts, and matches for outer correlations.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{Detail, Witness};
use super::group::{Element, Group};
use super::window::Window;
use super::{CorrelationDef, DefKind, Definitions, GroupKey, Pos};
use crate::alert::{
    Activity, Alert, Entity, Evidence, EvidenceEvent, EvidenceOrigin, Excerpt, Group as AlertGroup,
    Product, SCHEMA, SINGLE, Shared, Tenant, attack_of, numbered, observables_of,
};
use crate::id::{Id, chained_event_id, correlation_alert_id, dedupe_key, single_alert_id};
use crate::matches::{Carried, Match, Source, Via, key_partition, level_of, way};
use crate::rule::Words;
use crate::time::Timestamp;

/// Most events that an alert of a correlation shows; its `count` says how many contributed.
pub const EVIDENCE_EVENTS_MAX: usize = 100;

/// Most entities that an alert of a correlation names; beyond it the alert says `truncated`.
pub const ENTITIES_MAX: usize = 100;

/// A satisfied evaluation.
pub(super) struct Firing<'a> {
    /// The correlation.
    pub(super) def: &'a CorrelationDef,
    /// The match whose arrival made the condition true.
    pub(super) trigger: &'a Match,
    /// Id of its event.
    pub(super) event_id: Id,
    /// The group, the trigger included.
    pub(super) group: &'a Group,
    /// Place of the trigger's element.
    pub(super) at: usize,
    /// The window.
    pub(super) window: Window,
}

impl Firing<'_> {
    /// The alert; `emitted_at` is left to who sends it.
    pub(super) fn alert(&self) -> Alert {
        let def = self.def;
        let trigger = self.trigger;
        let shown = self.shown();
        let (first, last) = self.times();
        let evidence = self.evidence(&shown);
        let entities = self.entities(&shown);
        let mut truncated = Vec::new();
        if entities.len() > ENTITIES_MAX {
            truncated.push("entities".to_owned());
        }
        if evidence.count > evidence.events.len() as u64 {
            truncated.push("evidence.events".to_owned());
        }
        if evidence.events.iter().any(|event| event.cut) {
            truncated.push("evidence.events.excerpt".to_owned());
        }
        let entities = numbered(entities, ENTITIES_MAX);
        let tenant = trigger.tenant.as_str();
        let key = &trigger.group_key;
        let words = self.words();
        Alert {
            schema: SCHEMA.to_owned(),
            alert_id: self.alert_id().to_string(),
            revision: 0,
            activity: Activity::Create,
            dedupe_key: dedupe_key(tenant, &def.id, key).to_string(),
            group: Some(self.alert_group()),
            emitted_at: String::new(),
            first_event_at: Some(first.to_string()),
            last_event_at: Some(last.to_string()),
            external_id: words.external_id,
            title: words.title.unwrap_or_else(|| def.title.clone()),
            description: def.description.clone().map(Shared::from),
            severity: words.level.unwrap_or(def.severity),
            status: "new".to_owned(),
            rule: def.rule.clone().into(),
            attack: attack_of(&def.rule.tags).into(),
            tenant: Tenant {
                tenant_id: tenant.to_owned(),
                subscription_id: present(&trigger.subscription_id),
            },
            observables: observables_of(&entities).into(),
            entities: entities.into(),
            evidence,
            enrichments: Vec::new(),
            links: Vec::new(),
            remediation: Vec::new(),
            labels: BTreeMap::new(),
            product: Product::palisade(),
            truncated,
        }
    }

    /// What the alert says: of the group, or of the event where a detection rule is held back.
    fn words(&self) -> Words {
        let found = self.trigger;
        if self.def.rule.kind == SINGLE {
            return Words {
                title: present(&found.title),
                level: level_of(found.level),
                external_id: present(&found.external_id),
            };
        }
        let value = |place: &usize| found.group_values.get(*place).cloned();
        self.def.wording.words(value)
    }

    /// The id of the alert. A detection rule's alert keeps its id whether or not, and by whatever
    /// fields, repeats are held back.
    fn alert_id(&self) -> Id {
        let (id, tenant) = (&self.def.id, &self.trigger.tenant);
        if self.def.rule.kind == SINGLE {
            single_alert_id(tenant, id, self.event_id)
        } else {
            correlation_alert_id(tenant, id, &self.trigger.group_key, self.event_id)
        }
    }

    /// Times of the earliest and the latest event that contributed, shown or not.
    fn times(&self) -> (Timestamp, Timestamp) {
        let trigger = Timestamp::from_ticks(self.trigger.event_time);
        self.others()
            .fold((trigger, trigger), |(first, last), other| {
                (first.min(other.time), last.max(other.time))
            })
    }

    fn alert_group(&self) -> AlertGroup {
        let names = self.def.group_by.iter().cloned();
        AlertGroup {
            fields: names
                .zip(self.trigger.group_values.iter().cloned())
                .collect(),
            window_start: self.window.start.to_string(),
            window_end: self.window.end.to_string(),
        }
    }

    /// Elements of the window that count, the trigger apart.
    fn others(&self) -> impl Iterator<Item = &Element> {
        let window = self.window.elements.clone();
        let elements = self.group.elements.iter().enumerate();
        elements
            .skip(window.start)
            .take(window.len())
            .filter(|(place, _)| *place != self.at)
            .map(|(_, element)| element)
            .filter(|element| self.counts(element))
    }

    /// Whether an element adds to what is computed: one without a usable value may trigger an
    /// evaluation, and is shown then, but counts for nothing.
    fn counts(&self, element: &Element) -> bool {
        let valued = matches!(
            self.def.kind,
            DefKind::ValueCount(_)
                | DefKind::ValueSum(_)
                | DefKind::ValueAvg(_)
                | DefKind::ValuePercentile(..)
        );
        !valued || !element.values.is_empty()
    }

    /// The elements that the alert shows, the trigger first.
    fn shown(&self) -> Vec<&Element> {
        let trigger = self.group.elements.get(self.at);
        trigger
            .into_iter()
            .chain(self.others())
            .take(EVIDENCE_EVENTS_MAX)
            .collect()
    }

    fn evidence(&self, shown: &[&Element]) -> Evidence {
        let others: u64 = self.others().map(|element| u64::from(element.weight)).sum();
        let trigger = self.group.elements.get(self.at);
        let trigger = trigger.is_some_and(|element| self.counts(element));
        let whole = Detail::whole(self.trigger);
        let event = |(place, element): (usize, &&Element)| {
            let kept = element.witness.detail.as_deref();
            self.event(element, if place == 0 { Some(&whole) } else { kept })
        };
        Evidence {
            count: others + u64::from(trigger),
            approximate: self
                .group
                .inexact
                .is_some_and(|until| until >= self.window.start),
            events: shown.iter().enumerate().map(event).collect(),
        }
    }

    fn event(&self, element: &Element, detail: Option<&Detail>) -> EvidenceEvent {
        let Witness {
            event_id,
            source,
            offset,
            index,
            ..
        } = &element.witness;
        let rule = |place: &u16| self.def.base_rules.get(usize::from(*place)).cloned();
        let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        EvidenceEvent {
            event_id: event_id.to_string(),
            time: Some(element.time.to_string()),
            time_clamped: element.witness.clamped,
            logsource: detail.and_then(|detail| name(&detail.logsource)),
            log_type: detail.and_then(|detail| name(&detail.log_type)),
            origin: EvidenceOrigin {
                source: source.name.clone(),
                partition: source.partition,
                offset: *offset,
                index: dotted(index),
            },
            rules: element.rules.iter().filter_map(rule).collect(),
            fields: detail.map(Detail::fields).unwrap_or_default(),
            excerpt: detail.and_then(Detail::excerpt).map(Excerpt::from),
            cut: detail.is_none_or(|detail| detail.cut),
        }
    }

    /// Entities of the events shown, each once, at most one more than the limit.
    fn entities(&self, shown: &[&Element]) -> Vec<Entity> {
        let whole = Detail::whole(self.trigger).entities();
        let kept = shown
            .iter()
            .skip(1)
            .filter_map(|element| element.witness.detail.as_ref());
        let mut seen = BTreeSet::new();
        whole
            .into_iter()
            .chain(kept.flat_map(|detail| detail.entities()))
            .filter(|entity| seen.insert((entity.kind, entity.role.clone(), entity.ids.clone())))
            .take(ENTITIES_MAX + 1)
            .collect()
    }

    /// The matches for outer correlations, each with its key partition, from the trigger at
    /// `ordinal` of the record at `pos`.
    pub(super) fn chained(
        &self,
        pos: Pos,
        ordinal: u32,
        definitions: &Definitions,
    ) -> Vec<(u32, Match)> {
        let mut places: BTreeMap<Id, Vec<u32>> = BTreeMap::new();
        for (outer, place) in &self.def.outer {
            places.entry(*outer).or_default().push(*place);
        }
        let mut chained = Vec::new();
        for (number, (version, mut base_rules)) in places.into_iter().enumerate() {
            base_rules.sort_unstable();
            base_rules.dedup();
            let Some(outer) = definitions.get(&version) else {
                continue;
            };
            let Some(group_values) = self.outer_values(outer) else {
                continue;
            };
            let texts: Vec<&str> = group_values.iter().map(String::as_str).collect();
            let key = GroupKey::new(&self.trigger.tenant, &texts);
            let carried = self.carried(outer);
            let part = key_partition(&self.trigger.tenant, &outer.id, key.as_bytes());
            chained.push((
                part,
                Match {
                    offset: i64::try_from(pos).unwrap_or(i64::MAX),
                    index: vec![ordinal, u32::try_from(number).unwrap_or(u32::MAX)],
                    event_id: chained_event_id(
                        &self.def.id,
                        &self.trigger.group_key,
                        self.event_id,
                    )
                    .as_bytes()
                    .to_vec(),
                    rule_version: version.as_bytes().to_vec(),
                    correlation_id: outer.id.clone(),
                    base_rules,
                    group_key: key.as_bytes().to_vec(),
                    group_values,
                    value_hash: carried.map_or(0, |carried| carried.value_hash),
                    has_value: carried.is_some_and(|carried| carried.has_value),
                    value_micro: carried.map_or(0, |carried| carried.value_micro),
                    via: Some(self.via()),
                    ..self.trigger.clone()
                },
            ));
        }
        chained
    }

    /// The trigger's event.
    fn via(&self) -> Via {
        let element = self
            .group
            .elements
            .get(self.at)
            .expect("the trigger is in its group");
        let Witness {
            event_id,
            source,
            offset,
            index,
            ..
        } = &element.witness;
        Via {
            source: Some(Source::clone(source)),
            offset: *offset,
            index: index.to_vec(),
            event_id: event_id.as_bytes().to_vec(),
        }
    }

    /// What the trigger carries for an outer correlation that this one's match leads to.
    fn carried(&self, outer: &CorrelationDef) -> Option<&Carried> {
        let version = outer.version.as_bytes();
        let own = way(self.def.version.as_bytes(), &self.trigger.group_key);
        self.trigger.carried.iter().find(|carried| {
            carried.rule_version == version
                && (carried.inner.is_empty() || carried.inner.contains(&own))
        })
    }

    /// The outer correlation's group values: this correlation's own where it groups by that name,
    /// else those of the trigger's event. `None` when one is missing: it takes no part (COR-9).
    fn outer_values(&self, outer: &CorrelationDef) -> Option<Vec<String>> {
        let carried = self.carried(outer);
        let value = |(place, name): (usize, &String)| {
            let own = self.def.group_by.iter().position(|own| own == name);
            match own {
                Some(own) => self.trigger.group_values.get(own).cloned(),
                None => carried
                    .filter(|carried| carried.present.get(place) == Some(&true))
                    .and_then(|carried| carried.group_values.get(place).cloned()),
            }
        };
        outer.group_by.iter().enumerate().map(value).collect()
    }
}

/// Text that is not empty.
fn present(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn dotted(index: &[u32]) -> String {
    match index {
        [] => "0".to_owned(),
        _ => index
            .iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join("."),
    }
}
