//! Snapshots of the folds' state, as objects of a store that creates each once.
//!
//! ```text
//! snap/<deployment>/<key partition>/<position, 20 digits>-<digest, 32 hex digits>
//! ```
//!
//! A snapshot is a fact: what the fold of a key partition comes to at a position of the matches log.
//! It is created once and never changed, so two processes that both believe to own the state can
//! only say the same thing twice. Losing all of them costs time at the next start, no alert, as long
//! as the log is whole.

pub mod name;
pub mod place;
pub mod store;
mod folder;
mod probe;
mod choose;
mod save;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use palisade_detect::snapshot::{BYTES_MAX, Snapshot, SnapshotError};

pub use choose::{Choice, PassedOver, Why};
pub use name::Name;
pub use place::Place;
pub use save::Saved;

use crate::log::Pos;
use store::{FactStore, Found, StoreFailure};

/// Most snapshots of a key partition that are looked at, the newest ones. Only a store that nobody
/// tidied for months holds more.
const NAMES_MAX: usize = 10_000;

/// Folder of all snapshots.
const FOLDER: &str = "snap";

/// Why snapshots cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store does not do what snapshots need.
    #[error(
        "`{place}` cannot hold snapshots: {lacks}; name another place in `snapshots.url`, such as a \
         folder on a local disk"
    )]
    Unfit {
        /// Where it is.
        place: String,
        /// What it does not do.
        lacks: &'static str,
    },
    /// The store did not do as asked.
    #[error("the store of snapshots `{place}` does not answer as it should")]
    Store {
        /// Where it is.
        place: String,
        /// What failed.
        #[source]
        source: StoreFailure,
    },
    /// The state cannot be packed.
    #[error("the state of key partition {part} cannot be packed")]
    Pack {
        /// The key partition.
        part: u32,
        /// Why not.
        #[source]
        source: SnapshotError,
    },
    /// An object of this name is there already and is another snapshot.
    #[error("the snapshot `{name}` is there already with other content; a fact is never changed")]
    Conflict {
        /// Its name.
        name: String,
    },
    /// Two snapshots of one position say different things.
    #[error(
        "the state at position {pos} of key partition {part} is another one than the snapshot \
         `{other}` says, which is a bug"
    )]
    Diverged {
        /// The key partition.
        part: u32,
        /// The position.
        pos: Pos,
        /// The snapshot that stands there.
        other: String,
    },
    /// A newer program wrote the snapshot.
    #[error(
        "the snapshot `{name}` was written by a newer program; run that one, or remove what it \
         wrote to go back to older snapshots"
    )]
    Newer {
        /// Its name.
        name: String,
        /// What is newer.
        #[source]
        source: SnapshotError,
    },
    /// A snapshot lies beyond the end of the log (`state_gap`).
    #[error(
        "state_gap: the snapshot `{name}` was taken at position {pos}, and the matches log ends at \
         {end}: the log has lost records that were durable. Bring back the whole state directory, or \
         accept the loss by removing the snapshots beyond {end}"
    )]
    Beyond {
        /// Its name.
        name: String,
        /// Its position.
        pos: Pos,
        /// The position after the newest record of the log.
        end: Pos,
    },
}

impl StoreError {
    /// Whether snapshots contradict the log, each other or this program, which only an operator can
    /// settle. Otherwise the store may answer later.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Conflict { .. }
            | Self::Diverged { .. }
            | Self::Newer { .. }
            | Self::Beyond { .. } => true,
            Self::Unfit { .. } | Self::Store { .. } | Self::Pack { .. } => false,
        }
    }
}

/// The snapshots of one deployment.
pub struct SnapshotStore {
    store: Box<dyn FactStore>,
    deployment: String,
    place: String,
    /// What is known of snapshots: whether they can be read.
    known: Mutex<BTreeMap<(u32, Name), bool>>,
}

impl SnapshotStore {
    /// The snapshots of `deployment` at `place`, once it has shown that it can hold them. `nonce`
    /// names the object of that test and differs from process to process.
    ///
    /// # Errors
    /// When the place cannot be reached, or does not do what snapshots need.
    pub async fn open(place: &Place, deployment: &str, nonce: i64) -> Result<Self, StoreError> {
        let store = place.connect(deployment)?;
        Self::over(store, deployment, (place.to_string(), nonce)).await
    }

    /// As [`SnapshotStore::open`], in a store that is there already and is shown as `place`.
    ///
    /// # Errors
    /// When the store does not do what snapshots need.
    pub async fn over(
        store: Box<dyn FactStore>,
        deployment: &str,
        (place, nonce): (String, i64),
    ) -> Result<Self, StoreError> {
        let this = Self {
            store,
            deployment: deployment.to_owned(),
            place,
            known: Mutex::default(),
        };
        this.probe(nonce).await?;
        Ok(this)
    }

    /// Snapshots in a store that was not tested.
    #[cfg(test)]
    pub(crate) fn untested(store: Box<dyn FactStore>) -> Self {
        Self {
            store,
            deployment: "d".to_owned(),
            place: "a test".to_owned(),
            known: Mutex::default(),
        }
    }

    /// Whose snapshots these are.
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// The snapshots of a key partition, the newest first; whatever else lies there is left alone.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn names(&self, part: u32) -> Result<Vec<Name>, StoreError> {
        let mut names = BTreeSet::new();
        let mut take = |name: &str| {
            names.extend(Name::parse(name));
            if names.len() > NAMES_MAX {
                names.pop_first();
            }
        };
        let listed = self.store.list(&self.part(part), &mut take).await;
        listed.map_err(|source| self.failed(source))?;
        Ok(names.into_iter().rev().collect())
    }

    /// Where a key partition's snapshots lie.
    fn part(&self, part: u32) -> String {
        format!("{FOLDER}/{}/{part}", self.deployment)
    }

    fn path(&self, part: u32, name: &Name) -> String {
        format!("{}/{name}", self.part(part))
    }

    /// Reads what stands under a key.
    async fn get(&self, key: &str) -> Result<Found, StoreError> {
        let found = self.store.get(key, BYTES_MAX).await;
        found.map_err(|source| self.failed(source))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let deleted = self.store.delete(key).await;
        deleted.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: StoreFailure) -> StoreError {
        let place = self.place.clone();
        StoreError::Store { place, source }
    }

    /// Opens bytes as the snapshot of this name.
    fn open_as<'a>(
        &self,
        part: u32,
        name: &Name,
        bytes: &'a [u8],
    ) -> Result<Snapshot<'a>, SnapshotError> {
        let snapshot = Snapshot::open(bytes)?;
        let header = &snapshot.header;
        let fits = name.is_of(header.pos, &snapshot.digest)
            && header.partition == part
            && header.deployment == self.deployment;
        if fits {
            Ok(snapshot)
        } else {
            Err(SnapshotError::State {
                message: "it is not the snapshot that its name says",
            })
        }
    }

    /// Whether a snapshot can be read, where that is known.
    fn known(&self, part: u32, name: &Name) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(part, name.clone())).copied()
    }

    fn forget(&self, part: u32, name: &Name) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&(part, name.clone()));
    }

    fn note(&self, part: u32, name: &Name, readable: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((part, name.clone()), readable);
    }
}

/// The error of an object that is larger than a snapshot may be.
fn too_large(bytes: u64) -> SnapshotError {
    SnapshotError::TooLarge {
        what: "snapshot",
        bytes,
        limit: BYTES_MAX,
    }
}

#[cfg(test)]
mod tests;
