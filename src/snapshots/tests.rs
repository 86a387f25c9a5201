use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use palisade_detect::matches::Source;
use palisade_detect::snapshot::{Draft, FORMAT, Header, Sealed};
use proptest::prelude::*;

use super::store::StoreFailure;
use super::*;

/// Whose snapshots these tests keep.
const DEPLOYMENT: &str = "d0";

/// What a store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    Overwrites,
    OverwritesSilently,
    ListsNothing,
    KeepsWhatIsDeleted,
    CutsBytes,
    Forgets,
}

/// A store in memory that does one thing wrong.
struct Memory {
    objects: Objects,
    fault: Fault,
}

/// What lies in it.
type Objects = Arc<Mutex<BTreeMap<String, Bytes>>>;

#[async_trait::async_trait]
impl FactStore for Memory {
    async fn create(&self, key: &str, body: Bytes) -> Result<bool, StoreFailure> {
        let mut objects = self.objects.lock().unwrap();
        let taken = objects.contains_key(key);
        let overwrites = matches!(self.fault, Fault::Overwrites | Fault::OverwritesSilently);
        if self.fault != Fault::Forgets && (!taken || overwrites) {
            objects.insert(key.to_owned(), body);
        }
        Ok(!taken || self.fault == Fault::Overwrites)
    }

    async fn get(&self, key: &str, _: usize) -> Result<Found, StoreFailure> {
        let objects = self.objects.lock().unwrap();
        let cut = usize::from(self.fault == Fault::CutsBytes);
        Ok(match objects.get(key) {
            Some(bytes) => Found::Bytes(bytes.slice(cut..)),
            None => Found::Nothing,
        })
    }

    async fn list(
        &self,
        folder: &str,
        take: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<(), StoreFailure> {
        if self.fault != Fault::ListsNothing {
            for key in self.objects.lock().unwrap().keys() {
                let name = key
                    .strip_prefix(folder)
                    .and_then(|key| key.strip_prefix('/'));
                name.into_iter().for_each(&mut *take);
            }
        }
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StoreFailure> {
        if self.fault != Fault::KeepsWhatIsDeleted {
            self.objects.lock().unwrap().remove(key);
        }
        Ok(())
    }
}

async fn over(fault: Fault, objects: &Objects) -> Result<SnapshotStore, StoreError> {
    let objects = Arc::clone(objects);
    let memory = Box::new(Memory { objects, fault });
    SnapshotStore::over(memory, DEPLOYMENT, ("memory".to_owned(), 1)).await
}

fn keep(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// The snapshot of a state with these names in it.
fn sealed(part: u32, pos: Pos, state: &[&str]) -> Sealed {
    let mut draft = Draft::new(Header {
        deployment: DEPLOYMENT.to_owned(),
        partition: part,
        pos,
        ..Header::default()
    });
    for (key, name) in state.iter().enumerate() {
        let value = Source {
            name: (*name).to_owned(),
            ..Source::default()
        };
        draft.put(&key.to_be_bytes(), &value);
    }
    draft.seal().unwrap()
}

/// Snapshots in a folder, and where the files are.
struct Local {
    dir: tempfile::TempDir,
    store: SnapshotStore,
}

impl Local {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).await;
        Self { dir, store }
    }

    async fn save(&self, part: u32, pos: Pos) -> Saved {
        let sealed = sealed(part, pos, &["state", &pos.to_string()]);
        self.store.save((part, pos), sealed, keep(3)).await.unwrap()
    }

    fn file(&self, part: u32, name: &Name) -> PathBuf {
        self.dir.path().join(self.store.path(part, name))
    }

    async fn positions(&self, part: u32) -> Vec<Pos> {
        let names = self.store.names(part).await.unwrap();
        names.iter().map(|name| name.pos).collect()
    }

    /// Changes the newest snapshot's file.
    async fn damage(&self, part: u32, change: impl FnOnce(&mut Vec<u8>)) -> Name {
        let name = self.store.names(part).await.unwrap().remove(0);
        let path = self.file(part, &name);
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(path, bytes).unwrap();
        name
    }

    /// The position that a key partition goes on from with a log of these bounds, as a new process
    /// finds it, and how many snapshots were passed over.
    async fn chosen(
        &self,
        part: u32,
        bounds: Range<Pos>,
    ) -> Result<(Option<Pos>, usize), StoreError> {
        let store = open(self.dir.path()).await;
        let whole = |snapshot: &Snapshot<'_>| snapshot.check();
        let choice = store.choose(part, bounds, whole).await?;
        let chosen = choice.chosen.map(|(name, ..)| name.pos);
        Ok((chosen, choice.passed_over.len()))
    }
}

async fn open(dir: &Path) -> SnapshotStore {
    let place = Place::Folder(dir.to_owned());
    SnapshotStore::open(&place, DEPLOYMENT, 1).await.unwrap()
}

#[tokio::test]
async fn a_store_that_breaks_a_promise_is_refused_with_what_it_lacks() {
    let cases = [
        (Fault::Overwrites, "makes an object again"),
        (Fault::OverwritesSilently, "changes an object"),
        (Fault::ListsNothing, "not listed"),
        (Fault::KeepsWhatIsDeleted, "still there"),
        (Fault::CutsBytes, "as it was written"),
        (Fault::Forgets, "as it was written"),
    ];
    for (fault, expected) in cases {
        let Err(error) = over(fault, &Arc::default()).await else {
            panic!("{fault:?} passes")
        };
        assert!(error.to_string().contains(expected), "{fault:?}: {error}");
        assert!(error.to_string().contains("`memory`"), "{error}");
    }
    over(Fault::Nothing, &Arc::default()).await.unwrap();
}

#[tokio::test]
async fn the_test_of_a_store_leaves_nothing_behind_and_tidies_after_killed_ones() {
    let dir = tempfile::tempdir().unwrap();
    let probes = dir.path().join("snap/d0/probe");
    std::fs::create_dir_all(&probes).unwrap();
    std::fs::write(probes.join("1"), "of a killed process").unwrap();
    open(dir.path()).await;
    assert_eq!(std::fs::read_dir(probes).unwrap().count(), 0);
}

#[tokio::test]
async fn a_snapshot_comes_back_under_the_name_of_the_format() {
    let local = Local::new().await;
    let state = sealed(7, 41, &["a", "b"]);
    let digest = blake3::Hash::from_bytes(state.digest).to_hex();
    let (digest, _) = digest.split_at(32);
    local
        .store
        .save((7, 41), state.clone(), keep(3))
        .await
        .unwrap();
    let path = format!("snap/d0/7/00000000000000000041-{digest}");
    assert_eq!(
        std::fs::read(local.dir.path().join(path)).unwrap(),
        state.bytes
    );
    assert_eq!(local.chosen(7, 1..42).await.unwrap(), (Some(41), 0));
    assert_eq!(local.chosen(8, 1..42).await.unwrap(), (None, 0));
}

#[tokio::test]
async fn the_same_snapshot_twice_is_one() {
    let local = Local::new().await;
    for _ in 0..2 {
        let saved = local.save(0, 9).await;
        let expected = Saved {
            oldest: 9,
            deleted: 0,
        };
        assert_eq!(saved, expected);
    }
    assert_eq!(local.positions(0).await, [9]);
}

#[tokio::test]
async fn another_state_of_the_same_position_stops_everything() {
    let local = Local::new().await;
    local.save(0, 9).await;
    let other = sealed(0, 9, &["another"]);
    let error = local.store.save((0, 9), other, keep(3)).await.unwrap_err();
    assert!(matches!(error, StoreError::Diverged { .. }), "{error}");
    assert!(error.is_conflict());
    assert_eq!(local.positions(0).await, [9]);
}

#[tokio::test]
async fn a_damaged_file_under_the_name_gives_way() {
    let local = Local::new().await;
    local.save(0, 9).await;
    let name = local.damage(0, |bytes| bytes.truncate(10)).await;
    local.save(0, 9).await;
    let bytes = std::fs::read(local.file(0, &name)).unwrap();
    assert_eq!(bytes, sealed(0, 9, &["state", "9"]).bytes);
}

#[tokio::test]
async fn the_newest_readable_three_stay_and_nothing_that_is_not_ours_goes() {
    let local = Local::new().await;
    let folder = local.dir.path().join("snap/d0/0");
    for foreign in ["notes.txt", "00000000000000000001-short"] {
        std::fs::write(folder.join(foreign), "x").unwrap();
    }
    for pos in 1..=5 {
        local.save(0, pos).await;
    }
    assert_eq!(local.positions(0).await, [5, 4, 3]);
    local.damage(0, |bytes| bytes[20] ^= 1).await;
    // A process that does not know yet what it can read looks for itself.
    let again = Local {
        store: open(local.dir.path()).await,
        ..local
    };
    let saved = again.save(0, 6).await;
    let expected = Saved {
        oldest: 3,
        deleted: 0,
    };
    assert_eq!(saved, expected);
    assert_eq!(again.positions(0).await, [6, 5, 4, 3]);
    let saved = again.save(0, 7).await;
    assert_eq!((saved.oldest, saved.deleted), (4, 1));
    assert_eq!(again.positions(0).await, [7, 6, 5, 4]);
    assert!(folder.join("notes.txt").exists());
    assert!(folder.join("00000000000000000001-short").exists());
}

#[tokio::test]
async fn a_key_partition_never_loses_its_last_readable_snapshot() {
    let mut local = Local::new().await;
    local.save(0, 1).await;
    for pos in 2..=4 {
        // A process looks once at what it did not write itself.
        local.store = open(local.dir.path()).await;
        local.save(0, pos).await;
        local.damage(0, |bytes| bytes[20] ^= 1).await;
    }
    local.store = open(local.dir.path()).await;
    let saved = local.save(0, 5).await;
    assert_eq!(saved.oldest, 1);
    assert_eq!(local.positions(0).await, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn the_newest_that_can_be_read_is_chosen() {
    let local = Local::new().await;
    for pos in [10, 20, 30] {
        local.save(0, pos).await;
    }
    assert_eq!(local.chosen(0, 1..31).await.unwrap(), (Some(30), 0));
    assert_eq!(local.chosen(0, 1..30).await.unwrap(), (Some(30), 0));
    local
        .damage(0, |bytes| *bytes.last_mut().unwrap() ^= 1)
        .await;
    assert_eq!(local.chosen(0, 1..31).await.unwrap(), (Some(20), 1));
    let second = local.store.names(0).await.unwrap().remove(1);
    std::fs::write(local.file(0, &second), "").unwrap();
    assert_eq!(local.chosen(0, 1..31).await.unwrap(), (Some(10), 2));
    // The log begins above it: what lies in between is gone.
    assert_eq!(local.chosen(0, 11..31).await.unwrap(), (None, 3));
    assert_eq!(local.chosen(0, 10..31).await.unwrap(), (Some(10), 2));
}

#[tokio::test]
async fn a_snapshot_beyond_the_logs_end_stops_the_start() {
    let local = Local::new().await;
    local.save(0, 10).await;
    local.save(0, 20).await;
    let error = local.chosen(0, 1..19).await.unwrap_err();
    assert!(matches!(error, StoreError::Beyond { end: 19, .. }));
    assert!(error.is_conflict());
    assert!(error.to_string().starts_with("state_gap"), "{error}");
    // Damage does not hide it.
    local.damage(0, Vec::clear).await;
    local.chosen(0, 1..19).await.unwrap_err();
}

#[tokio::test]
async fn a_snapshot_of_a_newer_program_stops_the_start_though_older_ones_are_there() {
    let local = Local::new().await;
    local.save(0, 10).await;
    let name = write_of_format(&local, 20, FORMAT + 1);
    let error = local.chosen(0, 1..30).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    assert!(error.to_string().contains(&name), "{error}");
    assert!(error.is_conflict());
}

#[tokio::test]
async fn a_snapshot_of_a_program_too_old_is_passed_over() {
    let local = Local::new().await;
    local.save(0, 10).await;
    write_of_format(&local, 20, 0);
    assert_eq!(local.chosen(0, 1..30).await.unwrap(), (Some(10), 1));
}

/// Writes a whole snapshot of key partition 0 that names this format; its name.
fn write_of_format(local: &Local, pos: Pos, format: u32) -> String {
    use prost::Message as _;
    let header = Header {
        format,
        semantics: 1,
        deployment: DEPLOYMENT.to_owned(),
        pos,
        ..Header::default()
    };
    let header = header.encode_to_vec();
    let mut bytes = b"SNAP1".to_vec();
    bytes.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header);
    let digest = *blake3::hash(&bytes).as_bytes();
    bytes.extend(digest);
    let name = Name::new(pos, &digest);
    std::fs::write(local.file(0, &name), bytes).unwrap();
    name.to_string()
}

#[tokio::test]
async fn a_snapshot_under_the_name_of_another_is_passed_over() {
    let local = Local::new().await;
    local.save(0, 10).await;
    local.save(1, 20).await;
    let [of_zero, of_one] = [0, 1].map(|part| local.store.names(part));
    let (of_zero, of_one) = (of_zero.await.unwrap(), of_one.await.unwrap());
    let moved = local.file(0, &of_one[0]);
    std::fs::copy(local.file(1, &of_one[0]), moved).unwrap();
    assert_eq!(local.chosen(0, 1..30).await.unwrap(), (Some(10), 1));
    let later = Name::new(25, &sealed(0, 10, &["state", "10"]).digest);
    std::fs::copy(local.file(0, &of_zero[0]), local.file(0, &later)).unwrap();
    assert_eq!(local.chosen(0, 1..30).await.unwrap(), (Some(10), 2));
}

#[tokio::test]
async fn a_snapshot_that_the_fold_refuses_is_passed_over() {
    let local = Local::new().await;
    local.save(0, 10).await;
    local.save(0, 20).await;
    let message = "no such state";
    let refuse = |snapshot: &Snapshot<'_>| match snapshot.header.pos {
        20 => Err(SnapshotError::State { message }),
        _ => Ok("restored"),
    };
    let choice = local.store.choose(0, 1..30, refuse).await.unwrap();
    let (name, header, restored) = choice.chosen.unwrap();
    assert_eq!((name.pos, header.pos, restored), (10, 10, "restored"));
    assert_eq!(choice.passed_over[0].name.pos, 20);
    assert!(choice.passed_over[0].why.to_string().contains(message));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// A flip, a cut or bytes behind the end of the newest snapshot: the one before is used.
    #[test]
    fn prop_any_damage_to_the_newest_snapshot_leads_to_the_one_before(
        at in any::<prop::sample::Index>(),
        how in 0..10_u8,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let objects = Arc::default();
            let store = over(Fault::Nothing, &objects).await.unwrap();
            for pos in [10, 20] {
                let state = sealed(3, pos, &["some", "state"]);
                store.save((3, pos), state, keep(3)).await.unwrap();
            }
            let newest = store.names(3).await.unwrap().remove(0);
            let key = store.path(3, &newest);
            let mut bytes = objects.lock().unwrap()[&key].to_vec();
            let at = at.index(bytes.len());
            match how {
                0..8 => bytes[at] ^= 1 << how,
                8 => bytes.truncate(at),
                _ => bytes.push(0),
            }
            objects.lock().unwrap().insert(key, bytes.into());
            let again = over(Fault::Nothing, &objects).await.unwrap();
            let whole = |snapshot: &Snapshot<'_>| snapshot.check();
            let choice = again.choose(3, 1..30, whole).await.unwrap();
            let (name, ..) = choice.chosen.unwrap();
            prop_assert_eq!((name.pos, choice.passed_over.len()), (10, 1));
            Ok(())
        })?;
    }
}
