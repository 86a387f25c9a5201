//! The limits and rule versions in force, as the log says.

use std::collections::BTreeMap;

use super::group::{Group, Merge};
use super::lane::Lane;
use super::{CorrelationDef, DefKind, Fold, KEY_PARTITIONS, Pos, StepError, unreadable};
use crate::id::Id;
use crate::matches::Settings;
use crate::time::Span;

/// Slots that one correlation and tenant may hold in a key partition before settings say so.
const SLOTS_PER_CORRELATION: u64 = 200_000 / KEY_PARTITIONS as u64;

/// Slots that all correlations may hold in a key partition before settings say so.
const SLOTS_TOTAL: u64 = 8_000_000 / KEY_PARTITIONS as u64;

/// Elements that one group may hold before settings say so.
const ELEMENTS_PER_GROUP: usize = 4_096;

/// The settings in force.
#[derive(Debug)]
pub(super) struct Limits {
    /// Versions in force with their lateness; `None`: all that are known, with their own.
    pub(super) active: Option<BTreeMap<Id, Span>>,
    pub(super) slots_per_correlation: u64,
    pub(super) slots_total: u64,
    pub(super) elements_per_group: usize,
    pub(super) suppress: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            active: None,
            slots_per_correlation: SLOTS_PER_CORRELATION,
            slots_total: SLOTS_TOTAL,
            elements_per_group: ELEMENTS_PER_GROUP,
            suppress: true,
        }
    }
}

impl Limits {
    pub(super) fn is_active(&self, version: Id) -> bool {
        self.active
            .as_ref()
            .is_none_or(|active| active.contains_key(&version))
    }

    pub(super) fn lateness(&self, version: Id, def: &CorrelationDef) -> Span {
        let set = self.active.as_ref().and_then(|active| active.get(&version));
        set.copied().unwrap_or(def.lateness)
    }

    /// Brings a group back within the elements it may hold.
    pub(super) fn thin(&self, def: &CorrelationDef, group: &mut Group) -> u64 {
        let limit = self.elements_per_group;
        let merge = match def.kind {
            // A quarter of the elements then covers the window, the newer half stays exact.
            DefKind::EventCount(_) => Merge::Within(Span::from_ticks(
                def.timespan.ticks() / i64::try_from(limit / 4).unwrap_or(i64::MAX).max(1),
            )),
            _ => Merge::Never,
        };
        group.thin(limit, merge)
    }
}

impl Fold {
    /// Puts settings in force; the state of versions that are not among them is dropped.
    pub(super) fn settings(&mut self, pos: Pos, settings: &Settings) -> Result<(), StepError> {
        let mut active = BTreeMap::new();
        for (place, version) in settings.active.iter().enumerate() {
            let bytes = <[u8; 16]>::try_from(version.as_slice()).map_err(|_| {
                unreadable(pos, &format!("a rule version of {} bytes", version.len()))
            })?;
            let lateness = settings.lateness.get(place).copied().ok_or_else(|| {
                unreadable(
                    pos,
                    &format!("no lateness for version {}", Id::from_bytes(bytes)),
                )
            })?;
            active.insert(Id::from_bytes(bytes), Span::from_ticks(lateness));
        }
        let or = |given: u64, default: u64| if given == 0 { default } else { given };
        let elements = or(settings.elements_per_group, ELEMENTS_PER_GROUP as u64);
        self.lanes
            .retain(|(version, _), _| active.contains_key(version));
        for ((version, _), lane) in &mut self.lanes {
            lane.lateness = active.get(version).copied().unwrap_or(lane.lateness);
        }
        self.limits = Limits {
            active: Some(active),
            slots_per_correlation: or(settings.slots_per_correlation, SLOTS_PER_CORRELATION),
            slots_total: or(settings.slots_total, SLOTS_TOTAL),
            elements_per_group: usize::try_from(elements).unwrap_or(ELEMENTS_PER_GROUP),
            suppress: settings.suppress,
        };
        self.slots = self.lanes.values().map(Lane::slots).sum();
        self.bytes = self.lanes.values().map(Lane::bytes).sum();
        self.expire();
        Ok(())
    }
}
