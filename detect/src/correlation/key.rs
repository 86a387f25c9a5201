//! Who belongs together: the canonical key of a correlation's group.

use crate::matches::key_partition;

/// Longest key kept as it is, in bytes; a longer one becomes a hash and a prefix.
const KEY_BYTES_MAX: usize = 256;

/// Bytes of a hashed key's readable prefix, which tells an operator what it is about.
const PREFIX_BYTES: usize = 96;

/// A canonical group key: tenant and group values, each with its length.
///
/// Values are compared as they stand. The layout is, for the tenant and then each value, its length
/// as `u32` little endian and its bytes; beyond 256 bytes the 32 bytes of a BLAKE3 hash over that
/// and its first 96 bytes. A key kept whole begins with its tenant's length, which no hash will
/// repeat together with the tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey(Vec<u8>);

impl GroupKey {
    /// The key of these values; at most 256 bytes, else a hash with a readable prefix.
    pub fn new(tenant: &str, values: &[&str]) -> Self {
        let size = values
            .iter()
            .fold(4 + tenant.len(), |size, value| size + 4 + value.len());
        let mut key = Vec::with_capacity(size);
        for part in std::iter::once(&tenant).chain(values) {
            // An event is at most 1 MiB; whatever is longer than 4 GiB still counts by its bytes.
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            key.extend_from_slice(&length.to_le_bytes());
            key.extend_from_slice(part.as_bytes());
        }
        if key.len() > KEY_BYTES_MAX {
            let hash = blake3::hash(&key);
            key.truncate(PREFIX_BYTES);
            key.splice(0..0, *hash.as_bytes());
        }
        Self(key)
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The group values in a key's bytes; `None` if it was too long to be kept whole.
    pub(super) fn values(key: &[u8], tenant: &str) -> Option<Vec<String>> {
        let mut parts = Vec::new();
        let mut rest = key;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            let (part, after) = after.split_at_checked(length)?;
            parts.push(String::from_utf8(part.to_vec()).ok()?);
            rest = after;
        }
        let whole = rest.is_empty() && parts.first().is_some_and(|first| first == tenant);
        whole.then(|| parts.split_off(1))
    }

    /// The key partition of a group of a correlation.
    pub fn partition(&self, tenant: &str, correlation_id: &str) -> u32 {
        key_partition(tenant, correlation_id, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_moved_over_a_value_border_is_another_key() {
        let keys = [
            GroupKey::new("t", &["ab", "c"]),
            GroupKey::new("t", &["a", "bc"]),
            GroupKey::new("t", &["abc"]),
            GroupKey::new("ta", &["b", "c"]),
            GroupKey::new("t", &["ab", "c", ""]),
        ];
        for (place, key) in keys.iter().enumerate() {
            assert!(
                keys.iter().skip(place + 1).all(|other| other != key),
                "{key:?}"
            );
        }
    }

    #[test]
    fn case_and_spaces_are_kept_apart() {
        assert_ne!(GroupKey::new("t", &["Kim"]), GroupKey::new("t", &["kim"]));
        assert_ne!(GroupKey::new("t", &["kim "]), GroupKey::new("t", &["kim"]));
    }

    #[test]
    fn a_key_of_256_bytes_is_kept_whole_and_a_longer_one_is_hashed() {
        let whole = GroupKey::new("t", &[&"x".repeat(256 - 9)]);
        assert_eq!(whole.as_bytes().len(), 256);
        let values = GroupKey::values(whole.as_bytes(), "t");
        assert_eq!(values, Some(vec!["x".repeat(256 - 9)]));
        let hashed = GroupKey::new("t", &[&"x".repeat(256 - 8)]);
        assert_eq!(hashed.as_bytes().len(), 32 + 96);
        assert!(hashed.as_bytes().ends_with(b"xxx"));
        assert_eq!(GroupKey::values(hashed.as_bytes(), "t"), None);
    }

    #[test]
    fn long_keys_that_differ_at_their_end_differ() {
        let long = "x".repeat(500);
        assert_ne!(
            GroupKey::new("t", &[&format!("{long}a")]),
            GroupKey::new("t", &[&format!("{long}b")])
        );
    }

    #[test]
    fn partition_takes_part_of_the_correlation() {
        let key = GroupKey::new("t", &["kim"]);
        let parts: std::collections::BTreeSet<u32> = (0..64)
            .map(|n| key.partition("t", &n.to_string()))
            .collect();
        assert!(parts.len() > 16, "{parts:?}");
        assert!(
            parts
                .iter()
                .all(|part| *part < crate::matches::KEY_PARTITIONS)
        );
    }
}
