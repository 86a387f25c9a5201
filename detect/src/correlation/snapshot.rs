//! A fold's state as the entries of a snapshot, and back.
//!
//! | key | value |
//! | --- | --- |
//! | `1` | [`FoldState`]: limits and counts |
//! | `2`, number | [`MarkState`]: the last match applied of a source partition |
//! | `3`, number | [`ClockState`]: how far a source has come |
//! | `4`, number | the same of chained matches |
//! | `5`, number | [`Source`]: one that elements name by its number |
//! | `6`, number | [`LaneState`]: a correlation's version and tenant |
//! | `7`, number of the lane, group key | [`GroupState`] |
//!
//! Numbers are four bytes, the highest first, and follow the order of what they number. What can be
//! computed from the rest is left out, so that the same state has one form only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message;

use super::evidence::{Detail, Witness};
use super::group::{BASE_RULES_MAX, Element, Group};
use super::lane::{Input, Lane};
use super::limits::Limits;
use super::watermark::{Clocks, PartitionClock, SourceClock};
use super::{Fold, Mark};
use crate::id::Id;
use crate::matches::{Match, Source};
use crate::snapshot::{Draft, Snapshot, SnapshotError, Watermark};
use crate::time::{Span, Timestamp};

/// Kinds of entries, the first byte of their keys.
mod kind {
    pub(super) const FOLD: u8 = 1;
    pub(super) const MARK: u8 = 2;
    pub(super) const CLOCK: u8 = 3;
    pub(super) const CHAIN_CLOCK: u8 = 4;
    pub(super) const SOURCE: u8 = 5;
    pub(super) const LANE: u8 = 6;
    pub(super) const GROUP: u8 = 7;
}

#[derive(Clone, PartialEq, Message)]
struct FoldState {
    #[prost(message, optional, tag = "1")]
    active: Option<Active>,
    #[prost(uint64, tag = "2")]
    slots_per_correlation: u64,
    #[prost(uint64, tag = "3")]
    slots_total: u64,
    #[prost(uint64, tag = "4")]
    elements_per_group: u64,
    #[prost(bool, tag = "5")]
    suppress: bool,
    #[prost(uint64, tag = "6")]
    applied: u64,
    #[prost(uint64, tag = "7")]
    evicted: u64,
    #[prost(uint64, tag = "8")]
    late: u64,
    #[prost(message, optional, tag = "9")]
    clocks: Option<Ends>,
    #[prost(message, optional, tag = "10")]
    chain: Option<Ends>,
}

/// The versions in force with their lateness.
#[derive(Clone, PartialEq, Message)]
struct Active {
    #[prost(bytes = "vec", repeated, tag = "1")]
    versions: Vec<Vec<u8>>,
    #[prost(sint64, repeated, tag = "2")]
    lateness: Vec<i64>,
}

/// What clocks say of all sources.
#[derive(Clone, PartialEq, Message)]
struct Ends {
    #[prost(sint64, optional, tag = "1")]
    high: Option<i64>,
    #[prost(sint64, optional, tag = "2")]
    low: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct MarkState {
    #[prost(message, optional, tag = "1")]
    source: Option<Source>,
    #[prost(message, optional, tag = "2")]
    last: Option<Match>,
}

#[derive(Clone, PartialEq, Message)]
struct ClockState {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    incarnation: u32,
    #[prost(uint32, tag = "3")]
    total: u32,
    #[prost(sint64, optional, tag = "4")]
    registered: Option<i64>,
    #[prost(message, repeated, tag = "5")]
    partitions: Vec<PartitionState>,
}

#[derive(Clone, PartialEq, Message)]
struct PartitionState {
    #[prost(uint32, tag = "1")]
    partition: u32,
    /// None: it will not come back.
    #[prost(sint64, optional, tag = "2")]
    time: Option<i64>,
    #[prost(sint64, optional, tag = "3")]
    seen: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct LaneState {
    #[prost(bytes = "vec", tag = "1")]
    version: Vec<u8>,
    #[prost(string, tag = "2")]
    tenant: String,
    #[prost(bool, tag = "3")]
    chained: bool,
    #[prost(sint64, tag = "4")]
    lateness: i64,
}

#[derive(Clone, PartialEq, Message)]
struct GroupState {
    #[prost(uint64, tag = "1")]
    born: u64,
    #[prost(message, repeated, tag = "2")]
    elements: Vec<ElementState>,
    #[prost(sint64, optional, tag = "3")]
    inexact: Option<i64>,
    #[prost(bool, tag = "4")]
    extra: bool,
    #[prost(message, repeated, tag = "5")]
    silences: Vec<SilenceState>,
}

#[derive(Clone, PartialEq, Message)]
struct SilenceState {
    #[prost(sint64, tag = "1")]
    from: i64,
    #[prost(sint64, tag = "2")]
    until: i64,
    #[prost(sint64, tag = "3")]
    expires: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ElementState {
    #[prost(sint64, tag = "1")]
    time: i64,
    #[prost(sint64, tag = "2")]
    expires: i64,
    #[prost(uint32, repeated, tag = "3")]
    rules: Vec<u32>,
    #[prost(sfixed64, repeated, tag = "4")]
    values: Vec<i64>,
    #[prost(uint32, tag = "5")]
    weight: u32,
    #[prost(bool, tag = "6")]
    chained: bool,
    #[prost(uint32, tag = "7")]
    extra: u32,
    #[prost(bool, tag = "8")]
    fired: bool,
    #[prost(bytes = "vec", tag = "9")]
    event_id: Vec<u8>,
    /// The number of its source.
    #[prost(uint32, tag = "10")]
    source: u32,
    #[prost(sint64, tag = "11")]
    offset: i64,
    #[prost(uint32, repeated, tag = "12")]
    index: Vec<u32>,
    #[prost(bool, tag = "13")]
    clamped: bool,
    #[prost(message, optional, tag = "14")]
    detail: Option<DetailState>,
}

#[derive(Clone, PartialEq, Message)]
struct DetailState {
    #[prost(string, tag = "1")]
    logsource: String,
    #[prost(string, tag = "2")]
    log_type: String,
    #[prost(bytes = "vec", tag = "3")]
    excerpt: Vec<u8>,
    #[prost(bool, tag = "4")]
    cut: bool,
    #[prost(bytes = "vec", tag = "5")]
    fields: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    entities: Vec<u8>,
}

// ------------------------------------------------------------------------------------------------

impl Fold {
    /// Puts the state into a draft, whose header gets the watermarks and the slots in use.
    ///
    /// # Panics
    /// When the draft has entries already.
    pub fn snapshot(&self, draft: &mut Draft) {
        draft.header.slots = self.slots;
        draft.header.watermarks = self.clocks.watermarks();
        draft.put(&[kind::FOLD], &self.fold_state());
        for (number, (source, mark)) in (0..).zip(&self.marks) {
            let state = MarkState {
                source: Some(source.clone()),
                last: Some(mark.0.clone()),
            };
            draft.put(&key(kind::MARK, number), &state);
        }
        for (kind, clocks) in [
            (kind::CLOCK, &self.clocks),
            (kind::CHAIN_CLOCK, &self.chain),
        ] {
            for (number, (name, clock)) in (0..).zip(&clocks.sources) {
                draft.put(&key(kind, number), &clock_state(name, clock));
            }
        }
        let sources = self.element_sources();
        for (number, source) in (0..).zip(&sources) {
            draft.put(&key(kind::SOURCE, number), *source);
        }
        let numbers: BTreeMap<_, _> = sources.into_iter().zip(0..).collect();
        for (number, ((version, tenant), lane)) in (0..).zip(&self.lanes) {
            let state = LaneState {
                version: version.as_bytes().to_vec(),
                tenant: tenant.to_string(),
                chained: lane.input == Input::Chained,
                lateness: lane.lateness.ticks(),
            };
            draft.put(&key(kind::LANE, number), &state);
        }
        for (number, lane) in (0..).zip(self.lanes.values()) {
            let mut at = key(kind::GROUP, number).to_vec();
            let prefix = at.len();
            for (name, group) in lane.groups() {
                at.truncate(prefix);
                at.extend_from_slice(name);
                draft.put(&at, &group_state(group, &numbers));
            }
        }
    }

    fn fold_state(&self) -> FoldState {
        let limits = &self.limits;
        let active = limits.active.as_ref().map(|active| Active {
            versions: active.keys().map(|id| id.as_bytes().to_vec()).collect(),
            lateness: active.values().map(|lateness| lateness.ticks()).collect(),
        });
        FoldState {
            active,
            slots_per_correlation: limits.slots_per_correlation,
            slots_total: limits.slots_total,
            elements_per_group: limits.elements_per_group as u64,
            suppress: limits.suppress,
            applied: self.applied,
            evicted: self.evicted,
            late: self.late,
            clocks: Some(ends(&self.clocks)),
            chain: Some(ends(&self.chain)),
        }
    }

    /// The sources that elements name.
    fn element_sources(&self) -> BTreeSet<&Source> {
        let groups = self.lanes.values().flat_map(Lane::groups);
        let elements = groups.flat_map(|(_, group)| &group.elements);
        let mut last: Option<&Arc<Source>> = None;
        let mut sources = BTreeSet::new();
        for element in elements {
            let source = &element.witness.source;
            // Neighbors mostly come from one batch.
            if !last.is_some_and(|last| Arc::ptr_eq(last, source)) {
                sources.insert(source.as_ref());
            }
            last = Some(source);
        }
        sources
    }

    /// The fold whose state a snapshot holds.
    ///
    /// # Errors
    /// When its entries cannot be read, or are no state of a fold.
    pub fn restore(snapshot: &Snapshot<'_>) -> Result<Self, SnapshotError> {
        let mut restored = Restored {
            fold: Self::new(snapshot.header.partition),
            sources: Vec::new(),
            lanes: Vec::new(),
            begun: false,
        };
        for entry in snapshot.entries()? {
            let entry = entry?;
            restored.take(&entry.key, &entry.value)?;
        }
        restored.finish()
    }
}

fn key(kind: u8, number: u32) -> [u8; 5] {
    let [a, b, c, d] = number.to_be_bytes();
    [kind, a, b, c, d]
}

fn ends(clocks: &Clocks) -> Ends {
    Ends {
        high: clocks.high.map(Timestamp::ticks),
        low: clocks.low.map(Timestamp::ticks),
    }
}

fn clock_state(name: &str, clock: &SourceClock) -> ClockState {
    let partitions = clock.partitions.iter().map(|(partition, clock)| {
        let (time, seen) = match clock {
            PartitionClock::Ticked { time, seen } => (Some(time.ticks()), *seen),
            PartitionClock::Gone => (None, None),
        };
        PartitionState {
            partition: *partition,
            time,
            seen: seen.map(Timestamp::ticks),
        }
    });
    ClockState {
        name: name.to_owned(),
        incarnation: clock.incarnation,
        total: clock.total,
        registered: clock.registered.map(Timestamp::ticks),
        partitions: partitions.collect(),
    }
}

fn group_state(group: &Group, sources: &BTreeMap<&Source, u32>) -> GroupState {
    let elements = group.elements.iter().map(|element| {
        let witness = &element.witness;
        let detail = witness.detail.as_ref().map(|detail| DetailState {
            logsource: detail.logsource.to_string(),
            log_type: detail.log_type.to_string(),
            excerpt: detail.excerpt.to_vec(),
            cut: detail.cut,
            fields: detail.fields.to_vec(),
            entities: detail.entities.to_vec(),
        });
        ElementState {
            time: element.time.ticks(),
            expires: element.expires.ticks(),
            rules: element
                .rules
                .iter()
                .map(|place| u32::from(*place))
                .collect(),
            values: element.values.to_vec(),
            weight: element.weight,
            chained: element.chained,
            extra: element.extra,
            fired: element.fired,
            event_id: witness.event_id.as_bytes().to_vec(),
            source: sources[witness.source.as_ref()],
            offset: witness.offset,
            index: witness.index.to_vec(),
            clamped: witness.clamped,
            detail,
        }
    });
    let silences = group.silences.iter().map(|silence| SilenceState {
        from: silence.from.ticks(),
        until: silence.until.ticks(),
        expires: silence.expires.ticks(),
    });
    GroupState {
        born: group.born,
        elements: elements.collect(),
        inexact: group.inexact.map(Timestamp::ticks),
        extra: group.extra,
        silences: silences.collect(),
    }
}

// ------------------------------------------------------------------------------------------------

/// A fold on its way back.
struct Restored {
    fold: Fold,
    sources: Vec<Arc<Source>>,
    lanes: Vec<((Id, Arc<str>), Lane)>,
    begun: bool,
}

impl Restored {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), SnapshotError> {
        let (kind, rest) = key.split_first().ok_or(wrong("an entry without a key"))?;
        match *kind {
            kind::FOLD => self.fold_state(read(value)?),
            kind::MARK => {
                let state: MarkState = read(value)?;
                let source = state.source.ok_or(wrong("a mark without its source"))?;
                let last = state.last.ok_or(wrong("a mark without its match"))?;
                self.fold.marks.insert(source, Mark(last));
                Ok(())
            }
            kind::CLOCK => {
                self.fold.clocks.take(read(value)?);
                Ok(())
            }
            kind::CHAIN_CLOCK => {
                self.fold.chain.take(read(value)?);
                Ok(())
            }
            kind::SOURCE => {
                self.sources.push(Arc::new(read(value)?));
                Ok(())
            }
            kind::LANE => self.lane(&read(value)?),
            kind::GROUP => self.group(rest, read(value)?),
            _ => Err(wrong("an entry of no known kind")),
        }
    }

    fn fold_state(&mut self, state: FoldState) -> Result<(), SnapshotError> {
        self.begun = true;
        let fold = &mut self.fold;
        let active = state.active.map(Active::read).transpose()?;
        fold.limits = Limits {
            active,
            slots_per_correlation: state.slots_per_correlation,
            slots_total: state.slots_total,
            elements_per_group: usize::try_from(state.elements_per_group).unwrap_or(usize::MAX),
            suppress: state.suppress,
        };
        (fold.applied, fold.evicted, fold.late) = (state.applied, state.evicted, state.late);
        let both = [
            (&mut fold.clocks, state.clocks),
            (&mut fold.chain, state.chain),
        ];
        for (clocks, ends) in both {
            let ends = ends.unwrap_or_default();
            clocks.high = ends.high.map(Timestamp::from_ticks);
            clocks.low = ends.low.map(Timestamp::from_ticks);
        }
        Ok(())
    }

    fn lane(&mut self, state: &LaneState) -> Result<(), SnapshotError> {
        let input = if state.chained {
            Input::Chained
        } else {
            Input::Events
        };
        let name = (id(&state.version)?, Arc::from(state.tenant.as_str()));
        let lane = Lane::new(input, Span::from_ticks(state.lateness));
        self.lanes.push((name, lane));
        Ok(())
    }

    fn group(&mut self, rest: &[u8], state: GroupState) -> Result<(), SnapshotError> {
        let (number, name) = rest
            .split_first_chunk::<4>()
            .ok_or(wrong("a group without its lane"))?;
        let number = usize::try_from(u32::from_be_bytes(*number)).unwrap_or(usize::MAX);
        let (_, lane) = self
            .lanes
            .get_mut(number)
            .ok_or(wrong("a group of an unknown lane"))?;
        let mut group = Group::new(state.born);
        let mut before = Timestamp::MIN;
        for state in state.elements {
            let element = element(state, &self.sources)?;
            if element.time < before {
                return Err(wrong("elements out of order"));
            }
            before = element.time;
            group.insert(element);
        }
        group.inexact = state.inexact.map(Timestamp::from_ticks);
        group.extra = state.extra;
        for silence in state.silences {
            let times = [silence.from, silence.until, silence.expires];
            let [from, until, expires] = times.map(Timestamp::from_ticks);
            group.silence(from, until, expires);
        }
        lane.put(Arc::from(name), group);
        Ok(())
    }

    fn finish(self) -> Result<Fold, SnapshotError> {
        if !self.begun {
            return Err(wrong("no fold"));
        }
        let mut fold = self.fold;
        fold.lanes = self.lanes.into_iter().collect();
        fold.slots = fold.lanes.values().map(Lane::slots).sum();
        fold.bytes = fold.lanes.values().map(Lane::bytes).sum();
        Ok(fold)
    }
}

impl Active {
    fn read(self) -> Result<BTreeMap<Id, Span>, SnapshotError> {
        if self.versions.len() != self.lateness.len() {
            return Err(wrong("not one lateness for each version"));
        }
        let named = self.versions.iter().zip(self.lateness);
        named
            .map(|(version, lateness)| Ok((id(version)?, Span::from_ticks(lateness))))
            .collect()
    }
}

fn element(state: ElementState, sources: &[Arc<Source>]) -> Result<Element, SnapshotError> {
    let source = usize::try_from(state.source)
        .ok()
        .and_then(|number| sources.get(number))
        .ok_or(wrong("an element of an unknown source"))?;
    let rules = state.rules.iter().map(|place| u16::try_from(*place));
    let rules = rules
        .collect::<Result<_, _>>()
        .map_err(|_| wrong("a base rule out of range"))?;
    if state.rules.len() > BASE_RULES_MAX || state.values.len() > BASE_RULES_MAX {
        return Err(wrong("an element with too much in it"));
    }
    let detail = state.detail.map(|detail| Detail {
        logsource: detail.logsource.into(),
        log_type: detail.log_type.into(),
        excerpt: detail.excerpt.into(),
        cut: detail.cut,
        fields: detail.fields.into(),
        entities: detail.entities.into(),
    });
    Ok(Element {
        time: Timestamp::from_ticks(state.time),
        expires: Timestamp::from_ticks(state.expires),
        rules,
        values: state.values.into_iter().collect(),
        weight: state.weight,
        chained: state.chained,
        extra: state.extra,
        fired: state.fired,
        witness: Witness {
            event_id: id(&state.event_id)?,
            source: Arc::clone(source),
            offset: state.offset,
            index: state.index.into_iter().collect(),
            clamped: state.clamped,
            detail: detail.map(Box::new),
        },
    })
}

impl Clocks {
    /// How far each source partition that goes on has come.
    fn watermarks(&self) -> Vec<Watermark> {
        let mut watermarks = Vec::new();
        for (name, clock) in &self.sources {
            for (partition, one) in &clock.partitions {
                if let PartitionClock::Ticked { time, .. } = one {
                    watermarks.push(Watermark {
                        source: Some(Source {
                            name: name.clone(),
                            incarnation: clock.incarnation,
                            partition: *partition,
                        }),
                        append_time: time.ticks(),
                    });
                }
            }
        }
        watermarks
    }

    fn take(&mut self, state: ClockState) {
        let partitions = state.partitions.into_iter().map(|one| {
            let clock = match one.time {
                Some(time) => PartitionClock::Ticked {
                    time: Timestamp::from_ticks(time),
                    seen: one.seen.map(Timestamp::from_ticks),
                },
                None => PartitionClock::Gone,
            };
            (one.partition, clock)
        });
        let clock = SourceClock {
            incarnation: state.incarnation,
            total: state.total,
            registered: state.registered.map(Timestamp::from_ticks),
            partitions: partitions.collect(),
        };
        self.sources.insert(state.name, clock);
    }
}

fn read<M: Message + Default>(value: &[u8]) -> Result<M, SnapshotError> {
    M::decode(value).map_err(|source| SnapshotError::Message {
        what: "value",
        source,
    })
}

fn id(bytes: &[u8]) -> Result<Id, SnapshotError> {
    <[u8; 16]>::try_from(bytes)
        .map(Id::from_bytes)
        .map_err(|_| wrong("an id that has not 16 bytes"))
}

fn wrong(message: &'static str) -> SnapshotError {
    SnapshotError::State { message }
}
