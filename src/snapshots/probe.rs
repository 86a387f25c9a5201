//! What a store must do before state is entrusted to it.

use bytes::Bytes;

use super::store::{Found, StoreFailure};
use super::{FOLDER, SnapshotStore, StoreError};

/// Folder of the objects that the test makes.
const PROBES: &str = "probe";

/// Bytes that come back or do not.
const CONTENT: &[u8] = b"palisade";

/// Most objects of earlier tests that are tidied away at a time.
const LEFT_MAX: usize = 1_000;

impl SnapshotStore {
    /// Tests that the store creates once, gives back, lists and deletes.
    pub(super) async fn probe(&self, nonce: i64) -> Result<(), StoreError> {
        let folder = format!("{FOLDER}/{}/{PROBES}", self.deployment);
        let lacks = self.trial(&folder, &nonce.to_string()).await;
        match lacks.map_err(|source| self.failed(source))? {
            None => Ok(()),
            Some(lacks) => Err(StoreError::Unfit {
                place: self.place.clone(),
                lacks,
            }),
        }
    }

    /// What the store does not do, if anything.
    async fn trial(&self, folder: &str, name: &str) -> Result<Option<&'static str>, StoreFailure> {
        // Those of processes that were killed at it.
        for left in self.probes(folder).await? {
            self.store.delete(&format!("{folder}/{left}")).await?;
        }
        let key = format!("{folder}/{name}");
        let store = &self.store;
        if !store.create(&key, Bytes::from_static(CONTENT)).await? {
            return Ok(Some("it says that an object is there which nobody made"));
        }
        if store.get(&key, CONTENT.len()).await? != Found::Bytes(CONTENT.into()) {
            return Ok(Some("an object does not come back as it was written"));
        }
        if store.create(&key, Bytes::from_static(b"other")).await? {
            return Ok(Some("it makes an object again that is there already"));
        }
        if store.get(&key, CONTENT.len()).await? != Found::Bytes(CONTENT.into()) {
            return Ok(Some("it changes an object that is there already"));
        }
        if !self.probes(folder).await?.iter().any(|found| found == name) {
            return Ok(Some("an object that was made is not listed"));
        }
        store.delete(&key).await?;
        if store.get(&key, CONTENT.len()).await? != Found::Nothing {
            return Ok(Some("an object that was deleted is still there"));
        }
        Ok(None)
    }

    async fn probes(&self, folder: &str) -> Result<Vec<String>, StoreFailure> {
        let mut names = Vec::new();
        let mut take = |name: &str| {
            if names.len() < LEFT_MAX {
                names.push(name.to_owned());
            }
        };
        self.store.list(folder, &mut take).await?;
        Ok(names)
    }
}
