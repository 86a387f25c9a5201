//! Folds that begin at snapshots say what folds say that read the whole log.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

use super::*;
use crate::exit::Exit;
use crate::log::sqlite::Retention;
use crate::snapshots::store::{FactStore, Found, StoreFailure};
use crate::snapshots::{Place, SnapshotStore};
use crate::topology::shutdown::Failure;
use crate::topology::snapshots::{Keeper, SnapshotPlan};

/// Groups of the stories below: enough for most key partitions.
const USERS: i64 = 40;

/// A correlation that three matches within a hundred seconds satisfy, silent for as long then.
fn counting() -> Arc<CorrelationDef> {
    let mut def = def(1, Vec::new());
    let changed = Arc::make_mut(&mut def);
    changed.kind = DefKind::EventCount(Bounds(vec![(Comparison::Gte, 3.0)]));
    changed.timespan = Span::from_seconds(100);
    changed.suppress = Some(Span::from_seconds(100));
    def
}

fn known() -> Definitions {
    let def = counting();
    [(def.version, def)].into_iter().collect()
}

/// What happens in the second and at the offset `number`: a match of one user, and time that passes.
fn rows(number: i64) -> Vec<(u32, Record)> {
    let second = Timestamp::from_unix_seconds(number).ticks();
    let user = format!("user{}", number % USERS);
    let found = Match {
        offset: number,
        event_id: [[0; 8], number.to_be_bytes()].concat(),
        event_time: second,
        append_time: second,
        group_key: GroupKey::new("t", &[user.as_str()]).as_bytes().to_vec(),
        group_values: vec![user],
        ..found(0)
    };
    let mut rows = matches::batches(&source(), "", vec![found]);
    if number % 7 == 0 {
        rows.push((BROADCAST, tick(number)));
    }
    rows
}

async fn tell(log: &SqliteLog, numbers: Range<i64>) {
    append(log, numbers.flat_map(rows).collect()).await;
}

/// A state directory: its log, and where its snapshots are.
struct State {
    dir: tempfile::TempDir,
    log: Arc<SqliteLog>,
    site: Site,
}

impl State {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            flush: Duration::ZERO,
            retention: Retention {
                matches: Duration::ZERO,
                alerts: Duration::from_secs(100_000_000_000),
                ..Retention::default()
            },
            ..Options::new(crate::clock::Clock::start())
        };
        let log = Arc::new(SqliteLog::open(dir.path(), options).unwrap());
        Self {
            dir,
            log,
            site: Site::default(),
        }
    }

    fn plan(&self) -> SnapshotPlan {
        SnapshotPlan {
            place: Place::Folder(self.dir.path().join("snapshots")),
            interval: Duration::from_hours(1),
            keep: NonZeroUsize::new(2).unwrap(),
            last_round: Duration::from_secs(90),
        }
    }

    async fn store(&self) -> SnapshotStore {
        self.plan().open(&*self.log, self.site.clock).await.unwrap()
    }

    async fn restored(&self) -> Result<Folds, FoldError> {
        let log = Arc::clone(&self.log) as Arc<dyn Log>;
        let store = self.store().await;
        Folds::restore(log, known(), &store, self.site.clone()).await
    }

    /// A process that folds what there is, saves its state and stops; where it began.
    async fn live(&self) -> Vec<Pos> {
        let mut folds = self.restored().await.unwrap();
        let begins = folds.begins();
        let keeper = Keeper::new(self.plan(), self.store().await, &mut folds, &self.site);
        let (run, _) = keeper.start();
        let (_, stop) = watch::channel(true);
        let (folded, kept) = tokio::join!(folds.run(stop), run);
        folded.unwrap();
        kept.unwrap();
        begins
    }

    /// A process that folds what there is and is killed.
    async fn die(&self) {
        self.restored().await.unwrap();
    }

    /// The files of all snapshots, by key partition and position.
    fn snapshots(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.dir.path().join("snapshots")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }

    /// Ids of the alerts, in the order in which they were raised.
    async fn alerts(&self) -> Vec<String> {
        let bounds = self.log.bounds(Stream::Alerts).await.unwrap();
        let mut ids = Vec::new();
        let mut from = bounds.start;
        while from < bounds.end {
            for row in self.log.read(Stream::Alerts, from, 1_000).await.unwrap() {
                let alert: serde_json::Value = serde_json::from_slice(&row.body).unwrap();
                ids.push(alert["alert_id"].as_str().unwrap().to_owned());
                from = row.pos + 1;
            }
        }
        ids
    }

    fn problems(&self, kind: &str) -> bool {
        let series = format!("palisade_problems_total{{kind=\"{kind}\"}}");
        self.site.metrics.render().contains(&series)
    }

    /// Takes away all matches below a position.
    async fn trim(&self, below: Pos) {
        let later = Timestamp::from_unix_seconds(10_000_000_000);
        self.log.trim(later, below).await.unwrap();
        let bounds = self.log.bounds(Stream::Matches).await.unwrap();
        assert_eq!(bounds.start, below);
    }
}

/// What one process says that is never stopped.
async fn without_fault(until: i64) -> Vec<String> {
    let state = State::new();
    tell(&state.log, 0..until).await;
    state.die().await;
    let alerts = state.alerts().await;
    assert!(alerts.len() > 40, "{}", alerts.len());
    alerts
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn lives_that_end_well_or_not_say_what_one_long_life_says() {
    let state = State::new();
    for (number, until) in [(0, 150), (150, 220), (220, 230), (230, 400)] {
        tell(&state.log, number..until).await;
        if until == 230 {
            state.die().await;
        } else {
            state.live().await;
        }
    }
    assert_eq!(state.alerts().await, without_fault(400).await);
}

#[tokio::test]
async fn a_start_reads_on_from_the_newest_snapshots() {
    let state = State::new();
    tell(&state.log, 0..200).await;
    assert!(state.live().await.iter().all(|begin| *begin == 1));
    let end = state.log.bounds(Stream::Matches).await.unwrap().end;
    let begins = state.live().await;
    let at_end = begins.iter().filter(|begin| **begin == end).count();
    assert!(at_end > 16, "{begins:?}");
    // Key partitions without a match have no snapshot: only time has passed for them.
    assert!(begins.iter().all(|begin| [1, end].contains(begin)));
    let files = state.snapshots().len();
    assert_eq!(files, at_end, "what did not change is not saved again");
    assert!(!state.problems("state_rebuilt"));
}

#[tokio::test]
async fn with_the_newest_snapshots_damaged_older_ones_are_used() {
    let state = State::new();
    tell(&state.log, 0..150).await;
    state.live().await;
    let older = state.snapshots();
    tell(&state.log, 150..250).await;
    state.live().await;
    let newer = state
        .snapshots()
        .into_iter()
        .filter(|path| !older.contains(path));
    newer.for_each(|path| flip(&path));
    tell(&state.log, 250..400).await;
    let begins = state.live().await;
    assert!(begins.iter().any(|begin| *begin > 1), "{begins:?}");
    let failures = "palisade_snapshot_failures_total 0";
    assert!(!state.site.metrics.render().contains(failures));
    assert_eq!(state.alerts().await, without_fault(400).await);
}

#[tokio::test]
async fn folds_that_begin_at_the_end_of_the_log_say_where_they_stand() {
    let state = State::new();
    tell(&state.log, 0..250).await;
    state.live().await;
    let next = State {
        site: Site::default(),
        ..state
    };
    let folds = next.restored().await.unwrap();
    let shown = format!("palisade_correlation_position {}", folds.next);
    let metrics = next.site.metrics.render();
    assert!(metrics.contains(&shown), "{metrics}");
}

#[tokio::test]
async fn with_all_snapshots_deleted_and_the_log_whole_the_ids_are_the_same() {
    let state = State::new();
    tell(&state.log, 0..250).await;
    state.live().await;
    for path in state.snapshots() {
        std::fs::remove_file(path).unwrap();
    }
    tell(&state.log, 250..400).await;
    assert!(state.live().await.iter().all(|begin| *begin == 1));
    assert!(!state.problems("state_rebuilt"));
    assert_eq!(state.alerts().await, without_fault(400).await);
}

#[tokio::test]
async fn with_the_log_trimmed_below_the_snapshots_nothing_is_missing() {
    let state = State::new();
    tell(&state.log, 0..250).await;
    state.live().await;
    // Those that saw time alone, too.
    let folds = state.restored().await.unwrap();
    let store = state.store().await;
    let below = folds.next;
    for part in 0..KEY_PARTITIONS {
        let mut draft = folds.draft(part);
        store.deployment().clone_into(&mut draft.header.deployment);
        let sealed = draft.seal().unwrap();
        let keep = NonZeroUsize::MIN;
        store.save((part, below), sealed, keep).await.unwrap();
    }
    state.trim(below).await;
    tell(&state.log, 250..400).await;
    state.live().await;
    assert!(!state.problems("state_rebuilt"));
    assert_eq!(state.alerts().await, without_fault(400).await);
}

#[tokio::test]
async fn with_snapshots_gone_and_the_log_trimmed_the_rebuild_is_said_and_repeats_nothing() {
    let state = State::new();
    tell(&state.log, 0..250).await;
    state.live().await;
    let before = state.alerts().await;
    for path in state.snapshots() {
        std::fs::remove_file(path).unwrap();
    }
    state.trim(100).await;
    state.live().await;
    assert!(state.problems("state_rebuilt"));
    assert_eq!(
        state.alerts().await,
        before,
        "below `emitted` nothing is said"
    );
}

/// The log may have been trimmed by a program that kept none: the first start with them loses nothing.
#[tokio::test]
async fn a_trimmed_log_without_snapshots_is_said_only_once_there_were_some() {
    let state = State::new();
    tell(&state.log, 0..250).await;
    state.die().await;
    state.trim(100).await;
    state.live().await;
    assert!(!state.problems("state_rebuilt"));
    for path in state.snapshots() {
        std::fs::remove_file(path).unwrap();
    }
    state.live().await;
    assert!(state.problems("state_rebuilt"));
}

#[tokio::test]
async fn a_log_that_ends_below_a_snapshot_stops_with_a_status_of_its_own() {
    let state = State::new();
    tell(&state.log, 0..100).await;
    state.live().await;
    let store = state.store().await;
    let other = State::new();
    tell(&other.log, 0..50).await;
    let log = Arc::clone(&other.log) as Arc<dyn Log>;
    let Err(error) = Folds::restore(log, known(), &store, Site::default()).await else {
        panic!("it was restored")
    };
    assert!(error.to_string().starts_with("state_gap"), "{error}");
    assert_eq!(Failure::from(error).exit(), Exit::StateConflict);
}

#[tokio::test]
async fn another_log_has_other_snapshots() {
    let (one, other) = (State::new(), State::new());
    let (one, other) = (one.store().await, other.store().await);
    assert_ne!(one.deployment(), other.deployment());
}

/// A store that takes nothing while it is down.
struct Down(Arc<AtomicBool>);

#[async_trait::async_trait]
impl FactStore for Down {
    async fn create(&self, key: &str, _: Bytes) -> Result<bool, StoreFailure> {
        if self.0.load(Ordering::SeqCst) {
            return Err(StoreFailure::new("create", key, "down"));
        }
        Ok(true)
    }

    async fn get(&self, _: &str, _: usize) -> Result<Found, StoreFailure> {
        Ok(Found::Nothing)
    }

    async fn list(
        &self,
        _: &str,
        _: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<(), StoreFailure> {
        Ok(())
    }

    async fn delete(&self, _: &str) -> Result<(), StoreFailure> {
        Ok(())
    }
}

/// A process that goes on.
struct Running {
    folds: JoinHandle<Result<(), FoldError>>,
    keeper: JoinHandle<Result<(), FoldError>>,
    stop: watch::Sender<bool>,
    trimmable: watch::Receiver<Pos>,
}

impl Running {
    async fn start(state: &State, store: SnapshotStore, interval: Duration) -> Self {
        let log = Arc::clone(&state.log) as Arc<dyn Log>;
        let rebuilt = Folds::rebuild(log, known(), state.site.clone()).await;
        let mut folds = rebuilt.unwrap();
        let plan = SnapshotPlan {
            interval,
            ..state.plan()
        };
        let (run, trimmable) = Keeper::new(plan, store, &mut folds, &state.site).start();
        let (stop, stopped) = watch::channel(false);
        Self {
            folds: tokio::spawn(folds.run(stopped)),
            keeper: tokio::spawn(run),
            stop,
            trimmable,
        }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.folds.await.unwrap().unwrap();
        self.keeper.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_store_that_is_down_for_long_is_said_and_stops_nothing() {
    let state = State::new();
    let down = Arc::new(AtomicBool::new(true));
    let store = SnapshotStore::untested(Box::new(Down(Arc::clone(&down))));
    let interval = Duration::from_millis(5);
    let running = Running::start(&state, store, interval).await;
    tell(&state.log, 0..100).await;
    until("it is said", || state.problems("snapshot_stale")).await;
    let failures = "palisade_snapshot_failures_total 0";
    assert!(!state.site.metrics.render().contains(failures));
    down.store(false, Ordering::SeqCst);
    let saved = || {
        !state
            .site
            .metrics
            .render()
            .contains("palisade_snapshots_total 0")
    };
    until("a snapshot is saved", saved).await;
    running.stop().await;
}

#[tokio::test]
async fn matches_are_needed_until_every_key_partition_is_saved_above_them() {
    let state = State::new();
    let running = Running::start(&state, state.store().await, Duration::from_millis(5)).await;
    assert_eq!(*running.trimmable.borrow(), 0);
    tell(&state.log, 0..100).await;
    // Time alone is saved, too, in every tenth round.
    let trimmable = running.trimmable.clone();
    until("all key partitions are saved", || *trimmable.borrow() > 1).await;
    let oldest = *trimmable.borrow();
    for path in state.snapshots() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (pos, _) = name.split_once('-').unwrap();
        assert!(pos.parse::<Pos>().unwrap() >= oldest, "{name}");
    }
    running.stop().await;
}

/// Waits for a condition.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let patience = Duration::from_secs(90);
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(patience, wait).await;
    waited.unwrap_or_else(|_| panic!("{what} did not come"));
}
