//! Saving a snapshot, and letting go of older ones.

use std::num::NonZeroUsize;

use bytes::Bytes;
use palisade_detect::snapshot::{Sealed, Snapshot};

use super::store::Found;
use super::{Name, SnapshotStore, StoreError};
use crate::log::Pos;

/// What a save came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// Position of the oldest snapshot that is kept and can be read: the log below it is not needed
    /// for this key partition.
    pub oldest: Pos,
    /// How many older ones went.
    pub deleted: usize,
}

impl SnapshotStore {
    /// Saves the state of a key partition at `pos`, then deletes what is older than the newest `keep`
    /// that can be read. That the same snapshot is there already is no error.
    ///
    /// # Errors
    /// When the store does not answer; when another state of the same position is there already.
    pub async fn save(
        &self,
        (part, pos): (u32, Pos),
        sealed: Sealed,
        keep: NonZeroUsize,
    ) -> Result<Saved, StoreError> {
        let name = Name::new(pos, &sealed.digest);
        let bytes = Bytes::from(sealed.bytes);
        let mut names = self.names(part).await?;
        let same_place = |other: &&Name| other.pos == pos && **other != name;
        let mut kept_as = name.clone();
        for other in names.iter().filter(same_place) {
            if self.is_same_state(part, other, &bytes).await? {
                kept_as = other.clone();
            }
        }
        if kept_as == name {
            self.create(part, &name, bytes).await?;
            self.note(part, &name, true);
            if let Err(place) = names.binary_search_by(|other| name.cmp(other)) {
                names.insert(place, name);
            }
        }
        self.retain(part, &names, keep).await
    }

    /// Whether another snapshot of the same position says the same in other bytes: another version of
    /// the packer wrote it. One that is damaged or of another version of the fold says nothing.
    async fn is_same_state(
        &self,
        part: u32,
        other: &Name,
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        let path = self.path(part, other);
        let Found::Bytes(theirs) = self.get(&path).await? else {
            return Ok(false);
        };
        let (Ok(ours), Ok(theirs)) = (Snapshot::open(bytes), self.open_as(part, other, &theirs))
        else {
            return Ok(false);
        };
        let version = |snapshot: &Snapshot<'_>| (snapshot.header.format, snapshot.header.semantics);
        if version(&theirs) != version(&ours) || theirs.check().is_err() {
            return Ok(false);
        }
        if is_same(&ours, &theirs) {
            self.note(part, other, true);
            return Ok(true);
        }
        Err(StoreError::Diverged {
            part,
            pos: other.pos,
            other: path,
        })
    }

    /// Creates an object once. What stands there already must have the same bytes; what does not bear
    /// its own name is damaged, serves nobody and gives way.
    async fn create(&self, part: u32, name: &Name, bytes: Bytes) -> Result<(), StoreError> {
        let path = self.path(part, name);
        for _ in 0..2 {
            let made = self.store.create(&path, bytes.clone()).await;
            if made.map_err(|source| self.failed(source))? {
                return Ok(());
            }
            match self.get(&path).await? {
                Found::Bytes(stands) if stands == bytes => return Ok(()),
                Found::Bytes(stands) if self.open_as(part, name, &stands).is_ok() => break,
                Found::Bytes(_) | Found::TooLarge(_) => {
                    tracing::warn!(snapshot = %path, "a damaged snapshot is written again");
                    self.delete(&path).await?;
                }
                Found::Nothing => {}
            }
        }
        Err(StoreError::Conflict { name: path })
    }

    /// Deletes what is older than the newest `keep` of these that can be read.
    async fn retain(
        &self,
        part: u32,
        names: &[Name],
        keep: NonZeroUsize,
    ) -> Result<Saved, StoreError> {
        let mut saved = Saved {
            oldest: 0,
            deleted: 0,
        };
        let mut readable = 0;
        for name in names {
            if readable == keep.get() {
                self.delete(&self.path(part, name)).await?;
                self.forget(part, name);
                saved.deleted += 1;
            } else if self.is_readable(part, name).await? {
                readable += 1;
                saved.oldest = name.pos;
            }
        }
        Ok(saved)
    }

    /// Whether a snapshot can be read; each is looked at once.
    async fn is_readable(&self, part: u32, name: &Name) -> Result<bool, StoreError> {
        let looked_at = self.known(part, name);
        if let Some(readable) = looked_at {
            return Ok(readable);
        }
        let readable = match self.get(&self.path(part, name)).await? {
            Found::Bytes(bytes) => self
                .open_as(part, name, &bytes)
                .is_ok_and(|snapshot| snapshot.check().is_ok()),
            Found::TooLarge(_) | Found::Nothing => false,
        };
        self.note(part, name, readable);
        Ok(readable)
    }
}

fn is_same(ours: &Snapshot<'_>, theirs: &Snapshot<'_>) -> bool {
    let (Ok(mut mine), Ok(mut others)) = (ours.entries(), theirs.entries()) else {
        return false;
    };
    ours.header == theirs.header
        && loop {
            match (mine.next(), others.next()) {
                (None, None) => break true,
                (Some(Ok(mine)), Some(Ok(others))) if mine == others => {}
                _ => break false,
            }
        }
}
