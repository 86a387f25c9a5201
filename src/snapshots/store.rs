//! What a store of facts does: create once, give back, list, delete.

use bytes::Bytes;

/// Objects under keys such as `folder/name`, each created once and never changed.
///
/// A call that fails may have done its work: whoever creates must look at what is there when the
/// next attempt says that the key is taken.
#[async_trait::async_trait]
pub trait FactStore: Send + Sync {
    /// Creates an object, durably; `false` if the key is taken, and what stands there is durable then.
    ///
    /// # Errors
    /// When the store does not answer as it should; the object may be there or not.
    async fn create(&self, key: &str, body: Bytes) -> Result<bool, StoreFailure>;

    /// What stands under a key, unless it has more than `limit` bytes.
    ///
    /// # Errors
    /// When the store does not answer as it should.
    async fn get(&self, key: &str, limit: usize) -> Result<Found, StoreFailure>;

    /// Shows `take` the name of every object directly in a folder, in any order.
    ///
    /// # Errors
    /// When the store does not answer as it should.
    async fn list(
        &self,
        folder: &str,
        take: &mut (dyn for<'a> FnMut(&'a str) + Send),
    ) -> Result<(), StoreFailure>;

    /// Deletes an object; it is no error that there is none.
    ///
    /// # Errors
    /// When the store does not answer as it should.
    async fn delete(&self, key: &str) -> Result<(), StoreFailure>;
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// These bytes.
    Bytes(Bytes),
    /// So many bytes, more than were wanted.
    TooLarge(u64),
    /// Nothing.
    Nothing,
}

/// A store did not do as asked.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} `{key}`")]
pub struct StoreFailure {
    /// What was asked.
    pub what: &'static str,
    /// Of which object or folder.
    pub key: String,
    /// Why it was not done.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl StoreFailure {
    /// The failure of an attempt on a key.
    pub fn new(
        what: &'static str,
        key: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            what,
            key: key.to_owned(),
            source: source.into(),
        }
    }
}
