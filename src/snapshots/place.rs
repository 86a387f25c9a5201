//! Where snapshots are kept, and the client for it.

use std::fmt;
use std::path::PathBuf;

use palisade_detect::matches::KEY_PARTITIONS;

use super::folder::Folder;
use super::store::FactStore;
use super::{FOLDER, StoreError};

/// Where snapshots are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder of this machine.
    Folder(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
        }
    }
}

impl Place {
    /// The place that a URL names. `None` for a text that is no URL: a path.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let (scheme, rest) = text.split_once("://")?;
        if scheme == "file" && rest.starts_with('/') {
            return Some(Ok(Self::Folder(rest.into())));
        }
        Some(Err(
            "expected a folder, as a path or as `file:///PATH`".into()
        ))
    }

    /// A client for the place.
    pub(super) fn connect(&self, deployment: &str) -> Result<Box<dyn FactStore>, StoreError> {
        match self {
            Self::Folder(folder) => {
                let parts = (0..KEY_PARTITIONS).map(|part| format!("{FOLDER}/{deployment}/{part}"));
                let opened = Folder::open(folder, parts).map_err(|source| StoreError::Store {
                    place: self.to_string(),
                    source,
                })?;
                Ok(Box::new(opened))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_folder_or_nothing_that_is_known() {
        let kind = |text: &str| match Place::parse(text) {
            None => "path",
            Some(Ok(Place::Folder(_))) => "folder",
            Some(Err(_)) => "none",
        };
        let cases = [
            ("snapshots", "path"),
            ("/var/lib/palisade", "path"),
            ("file:///var/lib/palisade", "folder"),
            ("file://server/share", "none"),
            ("https://account.blob.core.windows.net/c?sig=x", "none"),
            ("s3://bucket/folder", "none"),
        ];
        for (text, expected) in cases {
            assert_eq!(kind(text), expected, "{text}");
        }
    }
}
