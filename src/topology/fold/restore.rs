//! Where the folds begin: at their snapshots, or at the log's oldest record.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use palisade_detect::correlation::{Definitions, Fold, KEY_PARTITIONS};
use palisade_detect::snapshot::Header;
use palisade_detect::time::Timestamp;
use tokio::sync::{mpsc, watch};

use super::{FoldError, Folds};
use crate::log::{Log, Pos, Stream};
use crate::snapshots::{Choice, SnapshotStore, Why};
use crate::topology::Site;
use crate::topology::operational::{Kind, Notice};
use crate::topology::snapshots::{SUBJECT, ever_saved};

/// Where one key partition begins.
struct Begin {
    fold: Fold,
    /// What its snapshot says, if there is one.
    header: Option<Header>,
    /// Whether there were snapshots and none of them can be used.
    all_lost: bool,
}

impl Folds {
    /// Folds the log from its oldest record to its end.
    ///
    /// # Errors
    /// When the log cannot be read, understood or appended to: the process must stop.
    pub async fn rebuild(
        log: Arc<dyn Log>,
        definitions: Definitions,
        site: Site,
    ) -> Result<Self, FoldError> {
        let bounds = log.bounds(Stream::Matches).await?;
        let begins = (0..KEY_PARTITIONS).map(Begin::empty).collect();
        let folds = Self::begin(begins, (log, bounds.clone()), definitions, site).await?;
        folds.catch_up(bounds).await
    }

    /// Folds what lies behind the newest snapshot of each key partition, to the log's end; the whole
    /// log where there is none.
    ///
    /// # Errors
    /// As [`Folds::rebuild`]; and when the snapshots contradict the log (`state_gap`), or a newer
    /// program wrote them.
    pub async fn restore(
        log: Arc<dyn Log>,
        definitions: Definitions,
        store: &SnapshotStore,
        site: Site,
    ) -> Result<Self, FoldError> {
        let bounds = log.bounds(Stream::Matches).await?;
        let mut begins = Vec::new();
        for part in 0..KEY_PARTITIONS {
            let choice = store.choose(part, bounds.clone(), Fold::restore).await?;
            begins.push(Begin::of(part, choice, &site));
        }
        let saved = ever_saved(&*log, store).await?;
        report_rebuilt(&begins, (&bounds, saved), &site);
        let folds = Self::begin(begins, (log, bounds.clone()), definitions, site).await?;
        folds.catch_up(bounds).await
    }

    /// The position of the newest snapshot of each key partition; where it begins without one.
    pub fn begins(&self) -> Vec<Pos> {
        self.begins.clone()
    }

    async fn begin(
        begins: Vec<Begin>,
        (log, bounds): (Arc<dyn Log>, Range<Pos>),
        definitions: Definitions,
        site: Site,
    ) -> Result<Self, FoldError> {
        let positions: Vec<_> = begins.iter().map(|begin| begin.pos(&bounds)).collect();
        let next = positions.iter().copied().min().unwrap_or(bounds.start);
        // What all key partitions share is read on from the one that is furthest behind.
        let behind = begins.iter().find(|begin| begin.pos(&bounds) == next);
        let shared = behind.and_then(|begin| begin.header.clone());
        let shared = shared.unwrap_or_default();
        let mut said: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for (header, part) in begins.iter().map(|begin| &begin.header).zip(0..) {
            if let Some(header) = header {
                said.insert(part, header.said.iter().cloned().collect());
            }
        }
        Ok(Self {
            parts: begins.into_iter().map(|begin| begin.fold).collect(),
            changed: positions.clone(),
            begins: positions,
            definitions: watch::Sender::new(Arc::new(definitions)),
            emitted: log.emitted().await?.into_iter().collect(),
            next,
            settings: shared.settings,
            newest: shared.newest.map(Timestamp::from_ticks),
            said,
            told: shared.told.map(Timestamp::from_ticks),
            folded: watch::Sender::new(next),
            passed: watch::Sender::new(None),
            asks: mpsc::channel(1).1,
            finish: watch::Sender::new(false),
            log,
            site,
        })
    }

    async fn catch_up(mut self, bounds: Range<Pos>) -> Result<Self, FoldError> {
        let from = self.next;
        while self.next < bounds.end {
            self.advance().await?;
        }
        // Behind a snapshot at the log's end nothing may follow for long.
        self.publish();
        tracing::info!(from, to = self.next, elements = self.slots(), "folded");
        Ok(self)
    }
}

impl Begin {
    fn empty(part: u32) -> Self {
        Self {
            fold: Fold::new(part),
            header: None,
            all_lost: false,
        }
    }

    /// What a choice comes to; what had to be passed over is said.
    fn of(part: u32, choice: Choice<Fold>, site: &Site) -> Self {
        for passed in &choice.passed_over {
            let snapshot = passed.name.to_string();
            let why = passed.why.to_string();
            tracing::warn!(part, snapshot, why, "a snapshot cannot be used");
            if matches!(passed.why, Why::Unreadable(_)) {
                site.metrics.snapshot_failed();
            }
        }
        match choice.chosen {
            Some((_, header, fold)) => Self {
                fold,
                header: Some(header),
                all_lost: false,
            },
            None => Self {
                all_lost: !choice.passed_over.is_empty(),
                ..Self::empty(part)
            },
        }
    }

    /// The first position that is not in its state.
    fn pos(&self, bounds: &Range<Pos>) -> Pos {
        self.header
            .as_ref()
            .map_or(bounds.start, |header| header.pos)
    }
}

/// Says for which key partitions the state must be folded from the log although there should be
/// snapshots, and what the log no longer holds.
///
/// Where none was ever `saved`, none is lost: an earlier program may have trimmed the log.
fn report_rebuilt(begins: &[Begin], (bounds, saved): (&Range<Pos>, bool), site: &Site) {
    let trimmed = bounds.start > 1;
    let rebuilt = begins
        .iter()
        .filter(|begin| begin.header.is_none() && (begin.all_lost || (trimmed && saved)))
        .count();
    if trimmed && !saved {
        let from = bounds.start;
        tracing::info!(
            from,
            "there are no snapshots yet: the state is built from the oldest match"
        );
    }
    if rebuilt == 0 {
        return;
    }
    let gone = if trimmed {
        format!(
            "the matches 1 to {} are gone, and what correlations held of them",
            bounds.start - 1
        )
    } else {
        "the log holds all matches, so that nothing is lost".to_owned()
    };
    let bucket = i64::try_from(bounds.end).unwrap_or(i64::MAX);
    let notice = Notice::new(
        Kind::StateRebuilt,
        (SUBJECT, bucket),
        "The correlations' state was built anew from the log",
        format!(
            "no snapshot of {rebuilt} of {KEY_PARTITIONS} key partitions could be used; their state was \
             built from the oldest match in the log: {gone}"
        ),
    );
    let notice = notice
        .with_label("key_partitions", &rebuilt)
        .with_label("from", &bounds.start);
    site.alarms.raise(notice);
}
