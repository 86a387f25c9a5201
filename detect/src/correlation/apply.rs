//! Matches applied to the state: repeats told, groups grown, conditions judged.

use std::sync::Arc;

use super::evidence::{Detail, FOLD_BYTES_MAX, GROUP_BYTES_MAX, Witness};
use super::group::{BASE_RULES_MAX, Element, Group, Key};
use super::lane::{Freed, Input, Lane};
use super::report::Firing;
use super::{
    CorrelationDef, DefKind, Definitions, Fold, Output, Pos, StepError, unreadable, window,
};
use crate::event::INDEX_DEPTH_MAX;
use crate::id::Id;
use crate::matches::{Match, MatchBatch, Source, flags};
use crate::time::Timestamp;

/// The position of a match in its source partition, see [`Match::order`].
#[derive(Debug)]
pub(super) struct Mark(pub(super) Match);

/// A match of a record, checked.
struct Incoming<'a> {
    found: &'a Match,
    /// Its place in the record.
    ordinal: u32,
    def: &'a Arc<CorrelationDef>,
    version: Id,
    event_id: Id,
}

/// What the matches of one record share.
struct Batch<'a> {
    pos: Pos,
    source: Arc<Source>,
    definitions: &'a Definitions,
}

impl Mark {
    fn of(found: &Match) -> Self {
        Self(Match {
            offset: found.offset,
            index: found.index.clone(),
            correlation_id: found.correlation_id.clone(),
            rule_version: found.rule_version.clone(),
            group_key: found.group_key.clone(),
            ..Match::default()
        })
    }
}

impl Fold {
    pub(super) fn batch(
        &mut self,
        pos: Pos,
        batch: &MatchBatch,
        definitions: &Definitions,
        out: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let Some(source) = &batch.source else {
            return Err(unreadable(pos, "a batch without its source"));
        };
        let mut last = self.marks.get(source).map(|mark| mark.0.order());
        let mut incoming = Vec::with_capacity(batch.matches.len());
        let mut newest = None;
        for (found, ordinal) in batch.matches.iter().zip(0..) {
            if last.is_some_and(|last| found.order() <= last) {
                continue;
            }
            last = Some(found.order());
            newest = Some(found);
            incoming.extend(self.check(pos, ordinal, found, definitions)?);
        }
        let Some(newest) = newest else { return Ok(()) };
        let mark = Mark::of(newest);
        self.marks.insert(source.clone(), mark);
        let batch = Batch {
            pos,
            source: Arc::new(source.clone()),
            definitions,
        };
        for one in incoming {
            self.apply(&batch, &one, out);
        }
        Ok(())
    }

    /// The match with its definition; `None` if its version is no longer in force.
    fn check<'a>(
        &self,
        pos: Pos,
        ordinal: u32,
        found: &'a Match,
        definitions: &'a Definitions,
    ) -> Result<Option<Incoming<'a>>, StepError> {
        let id = |bytes: &[u8], what: &str| match <[u8; 16]>::try_from(bytes) {
            Ok(bytes) => Ok(Id::from_bytes(bytes)),
            Err(_) => Err(unreadable(pos, &format!("{what} of {} bytes", bytes.len()))),
        };
        let version = id(&found.rule_version, "a rule version")?;
        let event_id = id(&found.event_id, "an event id")?;
        if !self.limits.is_active(version) {
            return Ok(None);
        }
        let unknown = |version| StepError::UnknownVersion {
            version,
            correlation: found.correlation_id.clone(),
            pos,
        };
        let def = definitions.get(&version).ok_or_else(|| unknown(version))?;
        for (outer, _) in &def.outer {
            if self.limits.is_active(*outer) && !definitions.contains_key(outer) {
                return Err(unknown(*outer));
            }
        }
        Ok(Some(Incoming {
            found,
            ordinal,
            def,
            version,
            event_id,
        }))
    }

    fn apply(&mut self, batch: &Batch<'_>, one: &Incoming<'_>, out: &mut Vec<Output>) {
        let def = one.def.as_ref();
        let lateness = self.limits.lateness(one.version, def);
        let name = (one.version, Arc::from(one.found.tenant.as_str()));
        let known = self.lanes.get(&name).map(|lane| lane.input);
        let input = known.unwrap_or_else(|| input_of(one.version, batch.definitions));
        let watermark = self.low(input).map(|low| low.minus(lateness));
        let time = Timestamp::from_ticks(one.found.event_time);
        self.late += u64::from(watermark.is_some_and(|watermark| time < watermark));
        self.applied += 1;
        let new = || Lane::new(input, lateness);
        let lane = self.lanes.entry(name.clone()).or_insert_with(new);
        let (slots, bytes) = (lane.slots(), lane.bytes());
        let key: Key = Arc::from(one.found.group_key.as_slice());
        let mut group = lane.take(&key).unwrap_or_else(|| Group::new(self.applied));
        let expires = time
            .max(watermark.unwrap_or(time))
            .plus(def.timespan)
            .plus(lateness);
        let room = FOLD_BYTES_MAX.saturating_sub(self.bytes);
        let witness = witness(
            one,
            &batch.source,
            room.min(GROUP_BYTES_MAX.saturating_sub(group.bytes)),
        );
        let element = element(one, time, expires, witness);
        let at = match input {
            Input::Events => group.insert(element),
            Input::Chained => group.join(element),
        };
        if !group.elements[at].fired
            && let Some(window) = window::satisfied(def, &group, at)
        {
            let firing = Firing {
                def,
                trigger: one.found,
                event_id: one.event_id,
                group: &group,
                at,
                window,
            };
            for (part, chained) in firing.chained(batch.pos, one.ordinal, batch.definitions) {
                // Of the outer correlations that were ever known, those in force.
                let to = <[u8; 16]>::try_from(chained.rule_version.as_slice());
                if !to.is_ok_and(|to| self.limits.is_active(Id::from_bytes(to))) {
                    continue;
                }
                out.push(Output::Chained(part, Box::new(chained)));
            }
            let suppress = def.suppress.filter(|_| self.limits.suppress);
            if def.alerts && !(suppress.is_some() && group.is_silent(time)) {
                out.push(Output::Alert(Box::new(firing.alert())));
                if let Some(suppress) = suppress {
                    let from = time.max(watermark.unwrap_or(time));
                    let expires = from.plus(suppress).plus(lateness);
                    group.silence(time, time.plus(suppress), expires);
                }
            }
            group.elements[at].fired = true;
        }
        self.evicted += self.limits.thin(def, &mut group);
        lane.put(key.clone(), group);
        self.slots = self.slots - slots + lane.slots();
        self.bytes = self.bytes - bytes + lane.bytes();
        self.enforce(&name, &key);
    }

    /// Counts a group that was forgotten; says whether that made room.
    fn account(&mut self, freed: &Freed) -> bool {
        self.slots -= freed.slots;
        self.bytes -= freed.bytes;
        self.evicted += 1;
        freed.slots > 0
    }

    /// Brings the state back within its quotas; the group at `key`, which was just touched, is the
    /// last to go.
    fn enforce(&mut self, name: &(Id, Arc<str>), key: &[u8]) {
        while let Some(lane) = self.lanes.get_mut(name)
            && lane.slots() > self.limits.slots_per_correlation
        {
            let freed = lane.evict(key);
            if !self.account(&freed) {
                break;
            }
        }
        while self.slots > self.limits.slots_total {
            let Some(lane) = self.lanes.values_mut().max_by_key(|lane| lane.slots()) else {
                break;
            };
            let freed = lane.evict(key);
            if !self.account(&freed) {
                break;
            }
        }
    }
}

/// Whether some correlation passes its matches on to this version.
fn input_of(version: Id, definitions: &Definitions) -> Input {
    let passes_on =
        |def: &Arc<CorrelationDef>| def.outer.iter().any(|(outer, _)| *outer == version);
    if definitions.values().any(passes_on) {
        Input::Chained
    } else {
        Input::Events
    }
}

fn element(one: &Incoming<'_>, time: Timestamp, expires: Timestamp, witness: Witness) -> Element {
    let found = one.found;
    let places = found.base_rules.iter().take(BASE_RULES_MAX);
    let value = match one.def.kind {
        DefKind::ValueCount(_) => found.value_hash.cast_signed(),
        _ => found.value_micro,
    };
    Element {
        time,
        expires,
        rules: places
            .filter_map(|place| u16::try_from(*place).ok())
            .collect(),
        values: found.has_value.then_some(value).into_iter().collect(),
        weight: 1,
        chained: found.via.is_some(),
        extra: 0,
        fired: false,
        witness,
    }
}

fn witness(one: &Incoming<'_>, source: &Arc<Source>, room: usize) -> Witness {
    let found = one.found;
    let via = found.via.as_ref();
    // An alert shows the event behind a chained match where it stands.
    let event_id = via.and_then(|via| <[u8; 16]>::try_from(via.event_id.as_slice()).ok());
    let source = match via.and_then(|via| via.source.as_ref()) {
        Some(source) => Arc::new(source.clone()),
        None => Arc::clone(source),
    };
    let index = via.map_or(&found.index, |via| &via.index);
    Witness {
        event_id: event_id.map_or(one.event_id, Id::from_bytes),
        source,
        offset: via.map_or(found.offset, |via| via.offset),
        index: index.iter().copied().take(INDEX_DEPTH_MAX).collect(),
        clamped: found.flags & flags::TIME_CLAMPED != 0,
        detail: Some(Detail::of(found))
            .filter(|detail| detail.bytes() <= room)
            .map(Box::new),
    }
}
