//! How far time has come: the low-water mark of all sources, from ticks alone.
//!
//! Time here is append time. A correlation's own watermark is this one less its lateness. The
//! folds' chained matches have clocks of their own, which count for correlations that read them.

use std::collections::BTreeMap;

use crate::matches::{Mark, Source};
use crate::time::{Span, Timestamp};

/// Name under which the folds' own chained matches stand in the log.
pub(super) const CHAIN_SOURCE: &str = "fold";

/// How far others advance before a silent partition is left out of the minimum (`T5`).
///
/// Shorter, and a slow reader loses its late matches; longer, and one dead partition keeps state
/// alive for as long.
const STALL: Span = Span::from_seconds(3_600);

/// All sources that ever ticked.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    pub(super) sources: BTreeMap<String, SourceClock>,
    /// Furthest append time of any partition that has not ended.
    pub(super) high: Option<Timestamp>,
    pub(super) low: Option<Timestamp>,
}

/// One source in its newest incarnation.
#[derive(Debug)]
pub(super) struct SourceClock {
    pub(super) incarnation: u32,
    /// Partitions registered; those that are not in `partitions` never ticked.
    pub(super) total: u32,
    /// [`Clocks::high`] when the source was registered.
    pub(super) registered: Option<Timestamp>,
    pub(super) partitions: BTreeMap<u32, PartitionClock>,
}

/// One partition that ticked, or was declared gone.
#[derive(Debug)]
pub(super) enum PartitionClock {
    Ticked {
        time: Timestamp,
        /// [`Clocks::high`] at its last tick.
        seen: Option<Timestamp>,
    },
    Gone,
}

impl Clocks {
    /// Append time that every registered partition has passed; never goes back.
    pub(super) fn low(&self) -> Option<Timestamp> {
        self.low
    }

    /// Takes in the marks of one tick.
    pub(super) fn tick<'a>(&mut self, marks: impl Iterator<Item = &'a Mark>) {
        let mut ticked = Vec::new();
        for mark in marks {
            let Some(source) = &mark.source else { continue };
            let clock = self
                .sources
                .entry(source.name.clone())
                .or_insert_with(|| SourceClock {
                    incarnation: source.incarnation,
                    total: 0,
                    registered: None,
                    partitions: BTreeMap::new(),
                });
            if source.incarnation < clock.incarnation {
                continue;
            }
            if source.incarnation > clock.incarnation {
                clock.incarnation = source.incarnation;
                clock.partitions.clear();
                clock.total = 0;
            }
            if clock.total == 0 {
                clock.registered = None;
            }
            clock.total = clock
                .total
                .max(mark.partitions_total)
                .max(source.partition.saturating_add(1));
            clock.advance(source.partition, Timestamp::from_ticks(mark.append_time));
            ticked.push(source);
        }
        self.high = self
            .sources
            .values()
            .filter_map(SourceClock::high)
            .max()
            .max(self.high);
        for source in ticked {
            let Some(clock) = self.sources.get_mut(&source.name) else {
                continue;
            };
            clock.registered = clock.registered.or(self.high);
            if let Some(PartitionClock::Ticked { seen, .. }) =
                clock.partitions.get_mut(&source.partition)
            {
                *seen = self.high;
            }
        }
        self.settle();
    }

    /// Forgets a partition that will not come back.
    pub(super) fn gone(&mut self, source: &Source) {
        if let Some(clock) = self.sources.get_mut(&source.name)
            && clock.incarnation == source.incarnation
            && source.partition < clock.total
        {
            clock
                .partitions
                .insert(source.partition, PartitionClock::Gone);
            self.settle();
        }
    }

    /// Partitions that are left out of the minimum (`T5`), in the order of their sources.
    pub(super) fn stalled(&self) -> Vec<Stalled> {
        let mut stalled = Vec::new();
        for (name, clock) in &self.sources {
            let place = |partition, heard, since| Stalled {
                source: name.clone(),
                incarnation: clock.incarnation,
                partition,
                heard,
                since,
            };
            if let Some(since) = clock.never_ticked(self.high) {
                stalled.push(place(None, None, since));
            }
            for (partition, ticked) in &clock.partitions {
                if let PartitionClock::Ticked {
                    time,
                    seen: Some(seen),
                } = ticked
                    && is_stalled(self.high, Some(*seen))
                {
                    stalled.push(place(Some(*partition), Some(*time), *seen));
                }
            }
        }
        stalled
    }

    fn settle(&mut self) {
        let mut lowest: Option<Timestamp> = None;
        for source in self.sources.values() {
            match source.low(self.high) {
                SourceLow::Unknown => return,
                SourceLow::Nothing => {}
                SourceLow::At(time) => lowest = Some(lowest.map_or(time, |low| low.min(time))),
            }
        }
        self.low = self.low.max(lowest);
    }
}

/// What one source says about the minimum.
enum SourceLow {
    /// A registered partition has not ticked yet.
    Unknown,
    /// All its partitions are gone or stalled.
    Nothing,
    /// It has come this far.
    At(Timestamp),
}

impl SourceClock {
    fn advance(&mut self, partition: u32, to: Timestamp) {
        let clock = self
            .partitions
            .entry(partition)
            .or_insert(PartitionClock::Ticked {
                time: to,
                seen: None,
            });
        match clock {
            PartitionClock::Ticked { time, .. } => *time = to.max(*time),
            PartitionClock::Gone => {
                *clock = PartitionClock::Ticked {
                    time: to,
                    seen: None,
                }
            }
        }
    }

    /// Furthest time of a partition that goes on: an input that has ended ticks with the end of
    /// time, which must not make its neighbours look stalled.
    fn high(&self) -> Option<Timestamp> {
        self.partitions
            .values()
            .filter_map(|clock| match clock {
                PartitionClock::Ticked { time, .. } => Some(*time),
                PartitionClock::Gone => None,
            })
            .filter(|time| *time != Timestamp::MAX)
            .max()
    }

    /// Since when partitions that never ticked are not waited for, if there are any.
    fn never_ticked(&self, high: Option<Timestamp>) -> Option<Timestamp> {
        let since = self.registered?;
        (self.is_partial() && is_stalled(high, Some(since))).then_some(since)
    }

    /// Whether a partition never ticked.
    fn is_partial(&self) -> bool {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX) < self.total
    }

    fn low(&self, high: Option<Timestamp>) -> SourceLow {
        if self.is_partial() && !is_stalled(high, self.registered) {
            return SourceLow::Unknown;
        }
        self.partitions
            .values()
            .filter_map(|clock| match clock {
                PartitionClock::Ticked { time, seen } if !is_stalled(high, *seen) => Some(*time),
                _ => None,
            })
            .min()
            .map_or(SourceLow::Nothing, SourceLow::At)
    }
}

/// Whether the others have advanced by [`STALL`] since a time.
fn is_stalled(high: Option<Timestamp>, since: Option<Timestamp>) -> bool {
    match (high, since) {
        (Some(high), Some(since)) => high.since(since) >= STALL,
        _ => false,
    }
}

/// A partition of a source that is silent while others go on: no correlation waits for it (`T5`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stalled {
    /// The source's name.
    pub source: String,
    /// Its incarnation.
    pub incarnation: u32,
    /// The partition; `None` stands for all those that never ticked.
    pub partition: Option<u32>,
    /// The append time that it named last.
    pub heard: Option<Timestamp>,
    /// How far the others had come when it was last heard of, or when its source was first.
    pub since: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;

    fn source(name: &str, incarnation: u32, partition: u32) -> Source {
        Source {
            name: name.into(),
            incarnation,
            partition,
        }
    }

    fn mark(source: Source, total: u32, seconds: i64) -> Mark {
        Mark {
            source: Some(source),
            partitions_total: total,
            upto: 0,
            append_time: Timestamp::from_unix_seconds(seconds).ticks(),
        }
    }

    fn low(clocks: &Clocks) -> Option<i64> {
        clocks.low().map(|time| time.unix_ms() / 1_000)
    }

    fn tick(clocks: &mut Clocks, marks: impl AsRef<[Mark]>) -> Option<i64> {
        clocks.tick(marks.as_ref().iter());
        low(clocks)
    }

    #[test]
    fn t4_the_first_tick_registers_all_partitions_and_the_slowest_counts() {
        let mut clocks = Clocks::default();
        assert_eq!(
            tick(&mut clocks, vec![mark(source("hub", 1, 0), 2, 100)]),
            None
        );
        assert_eq!(
            tick(&mut clocks, vec![mark(source("hub", 1, 1), 2, 70)]),
            Some(70)
        );
        assert_eq!(
            tick(&mut clocks, vec![mark(source("hub", 1, 1), 2, 90)]),
            Some(90)
        );
    }

    #[test]
    fn t4_ticks_that_go_back_are_ignored() {
        let mut clocks = Clocks::default();
        tick(&mut clocks, vec![mark(source("hub", 1, 0), 1, 100)]);
        assert_eq!(
            tick(&mut clocks, vec![mark(source("hub", 1, 0), 1, 50)]),
            Some(100)
        );
    }

    #[test]
    fn t4_a_new_source_does_not_turn_time_back_but_holds_it() {
        let mut clocks = Clocks::default();
        tick(&mut clocks, vec![mark(source("hub", 1, 0), 1, 100)]);
        tick(&mut clocks, vec![mark(source("bus", 1, 0), 1, 40)]);
        assert_eq!(low(&clocks), Some(100));
        assert_eq!(
            tick(&mut clocks, vec![mark(source("hub", 1, 0), 1, 200)]),
            Some(100)
        );
        assert_eq!(
            tick(&mut clocks, vec![mark(source("bus", 1, 0), 1, 150)]),
            Some(150)
        );
    }

    #[test]
    fn a_source_that_is_gone_no_longer_holds_time() {
        let mut clocks = Clocks::default();
        tick(&mut clocks, vec![mark(source("hub", 1, 0), 2, 100)]);
        clocks.gone(&source("hub", 1, 1));
        assert_eq!(low(&clocks), Some(100));
    }

    #[test]
    fn t5_a_partition_silent_while_others_advance_an_hour_is_left_out() {
        let mut clocks = Clocks::default();
        let both = vec![
            mark(source("hub", 1, 0), 2, 100),
            mark(source("hub", 1, 1), 2, 100),
        ];
        tick(&mut clocks, both);
        let before = vec![mark(source("hub", 1, 0), 2, 100 + HOUR - 1)];
        assert_eq!(tick(&mut clocks, before), Some(100));
        assert_eq!(clocks.stalled(), []);
        let after = vec![mark(source("hub", 1, 0), 2, 100 + HOUR)];
        assert_eq!(tick(&mut clocks, after), Some(100 + HOUR));
        let [stalled] = &clocks.stalled()[..] else {
            panic!("one is stalled")
        };
        assert_eq!(stalled.partition, Some(1));
        assert_eq!(stalled.heard, Some(Timestamp::from_unix_seconds(100)));
        let back = vec![
            mark(source("hub", 1, 1), 2, 200),
            mark(source("hub", 1, 0), 2, 2 * HOUR),
        ];
        assert_eq!(
            tick(&mut clocks, back),
            Some(100 + HOUR),
            "back in the minimum, never backwards"
        );
        assert_eq!(clocks.stalled(), []);
    }

    #[test]
    fn t5_a_partition_that_never_ticked_is_left_out_after_an_hour() {
        let mut clocks = Clocks::default();
        assert_eq!(
            tick(&mut clocks, vec![mark(source("hub", 1, 0), 2, 100)]),
            None
        );
        let after = vec![mark(source("hub", 1, 0), 2, 100 + HOUR)];
        assert_eq!(tick(&mut clocks, after), Some(100 + HOUR));
        let [stalled] = &clocks.stalled()[..] else {
            panic!("those that never ticked, as one")
        };
        assert_eq!((stalled.partition, stalled.heard), (None, None));
    }

    #[test]
    fn an_input_that_has_ended_does_not_make_its_neighbours_stalled() {
        let mut clocks = Clocks::default();
        tick(&mut clocks, vec![mark(source("hub", 1, 0), 1, 100)]);
        let ended = Mark {
            append_time: i64::MAX,
            ..mark(source("file", 1, 0), 1, 0)
        };
        assert_eq!(tick(&mut clocks, vec![ended]), Some(100));
    }

    #[test]
    fn a_18_11_a_tick_of_the_next_incarnation_removes_the_partitions_of_the_last() {
        let mut clocks = Clocks::default();
        let both = vec![
            mark(source("hub", 1, 0), 2, 100),
            mark(source("hub", 1, 1), 2, 50),
        ];
        assert_eq!(tick(&mut clocks, both), Some(50));
        assert_eq!(
            tick(&mut clocks, vec![mark(source("hub", 2, 0), 1, 300)]),
            Some(300)
        );
        assert_eq!(
            tick(&mut clocks, vec![mark(source("hub", 1, 1), 2, 60)]),
            Some(300)
        );
    }

    #[test]
    fn a_tick_that_names_four_billion_partitions_costs_nothing() {
        let mut clocks = Clocks::default();
        let hostile = vec![mark(source("hub", 1, u32::MAX), u32::MAX, 100)];
        assert_eq!(tick(&mut clocks, hostile), None);
    }
}
