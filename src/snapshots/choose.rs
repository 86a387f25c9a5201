//! Which snapshot a key partition goes on from.

use std::ops::Range;

use palisade_detect::snapshot::{Header, Snapshot, SnapshotError};

use super::store::Found;
use super::{Name, SnapshotStore, StoreError, too_large};
use crate::log::Pos;

/// What a key partition goes on from.
#[derive(Debug)]
pub struct Choice<T> {
    /// The newest snapshot that can be used: its name, its header, what it came to.
    pub chosen: Option<(Name, Header, T)>,
    /// Newer ones that cannot.
    pub passed_over: Vec<PassedOver>,
}

/// A snapshot that cannot be used.
#[derive(Debug)]
pub struct PassedOver {
    /// Its name.
    pub name: Name,
    /// Why not.
    pub why: Why,
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// It is damaged or too old.
    #[error(transparent)]
    Unreadable(#[from] SnapshotError),
    /// The log begins above its position: the records in between are gone.
    #[error("the log begins above its position, at {start}")]
    BelowLog {
        /// Where the log begins.
        start: Pos,
    },
    /// It was listed and is not there.
    #[error("it is gone")]
    Gone,
}

impl SnapshotStore {
    /// The newest snapshot of a key partition that lies within the log's `bounds` and from which
    /// `restore` can go on.
    ///
    /// # Errors
    /// When the store does not answer; when a snapshot lies beyond the end of the log, or was written
    /// by a newer program: then nothing may be folded.
    pub async fn choose<T>(
        &self,
        part: u32,
        bounds: Range<Pos>,
        mut restore: impl FnMut(&Snapshot<'_>) -> Result<T, SnapshotError>,
    ) -> Result<Choice<T>, StoreError> {
        let names = self.names(part).await?;
        if let Some(name) = names.first().filter(|name| name.pos > bounds.end) {
            return Err(StoreError::Beyond {
                name: self.path(part, name),
                pos: name.pos,
                end: bounds.end,
            });
        }
        let mut passed_over = Vec::new();
        for name in names {
            let why = match self.try_out(part, &name, &bounds, &mut restore).await? {
                Ok((header, restored)) => {
                    let chosen = Some((name, header, restored));
                    return Ok(Choice {
                        chosen,
                        passed_over,
                    });
                }
                Err(why) => why,
            };
            passed_over.push(PassedOver { name, why });
        }
        Ok(Choice {
            chosen: None,
            passed_over,
        })
    }

    async fn try_out<T>(
        &self,
        part: u32,
        name: &Name,
        bounds: &Range<Pos>,
        restore: &mut impl FnMut(&Snapshot<'_>) -> Result<T, SnapshotError>,
    ) -> Result<Result<(Header, T), Why>, StoreError> {
        if name.pos < bounds.start {
            let start = bounds.start;
            return Ok(Err(Why::BelowLog { start }));
        }
        let path = self.path(part, name);
        let bytes = match self.get(&path).await? {
            Found::Bytes(bytes) => bytes,
            Found::TooLarge(bytes) => {
                self.note(part, name, false);
                return Ok(Err(too_large(bytes).into()));
            }
            Found::Nothing => return Ok(Err(Why::Gone)),
        };
        let opened = self.open_as(part, name, &bytes);
        let restored = opened.and_then(|snapshot| {
            let restored = restore(&snapshot)?;
            Ok((snapshot.header, restored))
        });
        self.note(part, name, restored.is_ok());
        match restored {
            Err(source) if source.is_newer() => Err(StoreError::Newer { name: path, source }),
            restored => Ok(restored.map_err(Why::Unreadable)),
        }
    }
}
