//! Beside the folds: their state is taken at intervals and saved.
//!
//! One key partition after the other is asked for, so that the folds pause for one of them at a time
//! and one state is in memory. They answer between two pages, when everything that they said about
//! the records so far is durable: a snapshot implies its outputs. Packing, hashing and saving happen
//! here, while the folds go on.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use palisade_detect::matches::KEY_PARTITIONS;
use palisade_detect::snapshot::{Draft, Sealed};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Site;
use super::alarms::{self, BeginError};
use super::fold::{FoldError, Folds};
use super::operational::{Kind, Notice};
use crate::clock::Clock;
use crate::log::{Log, Pos, ReadError};
use crate::snapshots::{Place, SnapshotStore, StoreError};

/// Matches after which the state is taken before its time, so that a start never folds many more.
const RECORDS_MAX: u64 = 1_000_000;

/// Every so many rounds the state of key partitions is taken, too, that saw nothing but time pass:
/// their snapshots then hold back neither a start nor the trimming of matches.
const ALL_EVERY: u32 = 10;

/// After so many intervals without a success the state counts as stale.
const STALE_INTERVALS: u32 = 10;

/// How long the last round may take when the process stops. What it does not save, the next start
/// folds again.
pub const LAST_ROUND: Duration = Duration::from_secs(3);

/// How alerts name the snapshots.
pub const SUBJECT: &str = "snapshots";

/// Prefix of the fact that says of a deployment that it has saved a snapshot.
const SAVED: &str = "snapshots/saved/";

/// How snapshots are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotPlan {
    /// Where.
    pub place: Place,
    /// How often they are taken.
    pub interval: Duration,
    /// How many of each key partition stay.
    pub keep: NonZeroUsize,
    /// How long the round may take that a process makes when it stops, see [`LAST_ROUND`].
    pub last_round: Duration,
}

/// Which change of a key partition is worth a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// A match, or other settings.
    Change,
    /// Time that passed, too.
    Time,
}

/// Asks the folds for the state of a key partition.
#[derive(Debug)]
pub struct Ask {
    /// The key partition.
    pub part: u32,
    /// Where the state was taken last.
    pub since: Pos,
    /// What must have happened since then.
    pub worth: Worth,
    /// Takes the state, or that nothing happened.
    pub reply: oneshot::Sender<Option<Draft>>,
}

impl SnapshotPlan {
    /// Opens the snapshots of this log.
    ///
    /// # Errors
    /// When the log cannot be used, or the place cannot hold snapshots.
    pub async fn open(&self, log: &dyn Log, clock: Clock) -> Result<SnapshotStore, FoldError> {
        let deployment = alarms::deployment(log, clock).await?;
        let nonce = clock.now().ticks();
        Ok(SnapshotStore::open(&self.place, &deployment, nonce).await?)
    }
}

/// The fact that a deployment has saved a snapshot: from then on, having none means that they were lost.
fn saved_key(store: &SnapshotStore) -> String {
    format!("{SAVED}{}", store.deployment())
}

/// Whether a snapshot was ever saved in this store, as the log knows.
///
/// # Errors
/// When the log cannot be read.
pub async fn ever_saved(log: &dyn Log, store: &SnapshotStore) -> Result<bool, ReadError> {
    Ok(!log.facts(&saved_key(store)).await?.is_empty())
}

/// Takes and saves the state.
pub struct Keeper {
    log: Arc<dyn Log>,
    store: SnapshotStore,
    plan: SnapshotPlan,
    /// Asks the folds; they end when this is gone.
    asks: mpsc::Sender<Ask>,
    /// Says that the folds have read everything and the process stops.
    finish: watch::Receiver<bool>,
    /// How far the folds have come.
    folded: watch::Receiver<Pos>,
    /// Position of each key partition's newest snapshot; where it began if there is none.
    taken: Vec<Pos>,
    site: Site,
}

/// A keeper at work.
struct Rounds {
    keeper: Keeper,
    /// Position of each key partition's oldest snapshot that is kept; 0 while that is not known.
    oldest: Vec<Pos>,
    /// Bytes of each key partition's newest snapshot.
    bytes: Vec<u64>,
    /// Tells who trims what no start can need.
    trimmable: watch::Sender<Pos>,
    /// Moves with every round that did what it should.
    well: watch::Sender<Duration>,
    round: u32,
    /// Whether the log knows that snapshots are saved.
    known: bool,
}

impl Keeper {
    /// Saves the state of these folds as planned.
    pub fn new(plan: SnapshotPlan, store: SnapshotStore, folds: &mut Folds, site: &Site) -> Self {
        let (asks, finish) = folds.serve();
        Self {
            log: folds.log(),
            store,
            plan,
            asks,
            finish,
            folded: folds.folded(),
            taken: folds.begins(),
            site: site.clone(),
        }
    }

    /// What to run, and the position below which no start needs the matches.
    pub fn start(
        self,
    ) -> (
        impl Future<Output = Result<(), FoldError>> + Send + 'static,
        watch::Receiver<Pos>,
    ) {
        let parts = self.taken.len();
        let (trimmable, trimmed) = watch::channel(0);
        let (well, seen) = watch::channel(self.site.clock.elapsed());
        let limit = self.plan.interval.saturating_mul(STALE_INTERVALS);
        let site = self.site.clone();
        let folded = self.folded.clone();
        let last = seen.clone();
        let clock = site.clock;
        site.metrics.probe(move |metrics| {
            let age = clock.elapsed().saturating_sub(*last.borrow());
            metrics.snapshot_age(age);
        });
        let rounds = Rounds {
            keeper: self,
            oldest: vec![0; parts],
            bytes: vec![0; parts],
            trimmable,
            well,
            round: 0,
            known: false,
        };
        let run = async move {
            tokio::select! {
                ended = rounds.run() => ended,
                () = warn_when_stale(seen, folded, limit, &site) => unreachable!("it watches for ever"),
            }
        };
        (run, trimmed)
    }
}

/// Says when no round succeeded for `limit`, once until one does.
async fn warn_when_stale(
    mut well: watch::Receiver<Duration>,
    folded: watch::Receiver<Pos>,
    limit: Duration,
    site: &Site,
) {
    loop {
        match timeout(limit, well.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => std::future::pending().await,
            Err(_) => {
                site.alarms.raise(stale(*folded.borrow()));
                if well.changed().await.is_ok() {
                    tracing::info!("snapshots are saved again");
                    site.alarms.over(Kind::SnapshotStale, SUBJECT);
                }
            }
        }
    }
}

/// What is said then.
fn stale(folded: Pos) -> Notice {
    Notice::new(
        Kind::SnapshotStale,
        (SUBJECT, i64::try_from(folded).unwrap_or(i64::MAX)),
        "No snapshot was saved for long",
        format!(
            "for {STALE_INTERVALS} intervals not all state that changed could be saved; a start has to \
             fold the log since then, and matches are not trimmed meanwhile"
        ),
    )
}

impl From<BeginError> for FoldError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Read(error) => Self::Read(error),
            BeginError::Append(error) => Self::Append(error),
        }
    }
}

impl Rounds {
    /// A round at every interval, and a last one.
    async fn run(mut self) -> Result<(), FoldError> {
        let mut finish = self.keeper.finish.clone();
        let mut ticks = interval(self.keeper.plan.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once, and the state was folded from what is saved.
        ticks.tick().await;
        loop {
            let due = *self.keeper.folded.borrow() + RECORDS_MAX;
            tokio::select! {
                _ = ticks.tick() => {}
                () = reached(&mut self.keeper.folded, due) => {}
                () = told(&mut finish) => break,
            }
            // A save that is given up has happened or not, and either is well.
            tokio::select! {
                round = self.round() => round?,
                () = told(&mut finish) => break,
            }
        }
        let limit = self.keeper.plan.last_round;
        let Ok(round) = timeout(limit, self.round()).await else {
            tracing::info!("the last snapshots take too long; the next start folds more");
            return Ok(());
        };
        round
    }

    /// Saves every key partition that is worth it.
    async fn round(&mut self) -> Result<(), FoldError> {
        self.round = self.round.wrapping_add(1);
        let worth = match self.round % ALL_EVERY {
            0 => Worth::Time,
            _ => Worth::Change,
        };
        let mut failed = false;
        for part in 0..KEY_PARTITIONS {
            let Some(draft) = self.ask(part, worth).await else {
                continue;
            };
            match self.save(part, draft).await {
                Ok(()) => self.make_known().await?,
                Err(error) if error.is_conflict() => return Err(error.into()),
                Err(error) => {
                    failed = true;
                    let store_is_down = !matches!(error, StoreError::Pack { .. });
                    self.keeper.site.metrics.snapshot_failed();
                    let error = anyhow::Error::from(error);
                    tracing::warn!(part, error = format!("{error:#}"), "no snapshot was saved");
                    if store_is_down {
                        break;
                    }
                }
            }
        }
        if !failed {
            self.well.send_replace(self.keeper.site.clock.elapsed());
        }
        Ok(())
    }

    /// Tells the log, once a process, that there are snapshots.
    async fn make_known(&mut self) -> Result<(), FoldError> {
        if !self.known {
            let key = saved_key(&self.keeper.store);
            let body = Bytes::from_static(b"saved");
            self.keeper.log.put_fact(&key, body).await?;
            self.known = true;
        }
        Ok(())
    }

    async fn ask(&self, part: u32, worth: Worth) -> Option<Draft> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask {
            part,
            since: self.keeper.taken[part as usize],
            worth,
            reply,
        };
        if self.keeper.asks.send(ask).await.is_err() {
            return folds_have_failed().await;
        }
        match answer.await {
            Ok(draft) => draft,
            Err(_) => folds_have_failed().await,
        }
    }

    async fn save(&mut self, part: u32, draft: Draft) -> Result<(), StoreError> {
        let pos = draft.header.pos;
        let sealed = self.seal(part, draft).await?;
        let bytes = sealed.bytes.len() as u64;
        let store = &self.keeper.store;
        let saved = store
            .save((part, pos), sealed, self.keeper.plan.keep)
            .await?;
        let at = part as usize;
        self.keeper.taken[at] = pos;
        self.oldest[at] = saved.oldest;
        self.bytes[at] = bytes;
        self.keeper
            .site
            .metrics
            .snapshot_saved(self.bytes.iter().sum());
        let trimmable = self.oldest.iter().copied().min().unwrap_or(0);
        self.trimmable.send_replace(trimmable);
        tracing::debug!(
            part,
            pos,
            bytes,
            deleted = saved.deleted,
            "saved a snapshot"
        );
        Ok(())
    }

    /// Packs a state where it may take its time.
    async fn seal(&self, part: u32, mut draft: Draft) -> Result<Sealed, StoreError> {
        self.keeper
            .store
            .deployment()
            .clone_into(&mut draft.header.deployment);
        let sealed = spawn_blocking(move || draft.seal()).await;
        sealed
            .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
            .map_err(|source| StoreError::Pack { part, source })
    }
}

/// Waits until the folds have come to a position.
async fn reached(folded: &mut watch::Receiver<Pos>, due: Pos) {
    if folded.wait_for(|pos| *pos >= due).await.is_err() {
        folds_have_failed::<()>().await;
    }
}

/// Waits until the last round is due.
async fn told(finish: &mut watch::Receiver<bool>) {
    if finish.wait_for(|finish| *finish).await.is_err() {
        folds_have_failed::<()>().await;
    }
}

/// Their own failure ends the process.
async fn folds_have_failed<T>() -> T {
    std::future::pending().await
}
