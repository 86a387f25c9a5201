//! What the state was written for; it cannot change while the state exists.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::StateError;
use crate::log::Log;

/// Prefix of the facts.
const PREFIX: &str = "deployment/";

/// Incarnation of the matches log: positions of chained matches belong to it.
const MATCHES_INCARNATION: u32 = 1;

/// What ids and positions in the state depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// How the logs are kept, `single` for SQLite.
    pub mode: &'static str,
    /// Number of key partitions of the matches log.
    pub key_partitions: u32,
    /// Tenant of each configured source.
    pub tenants: BTreeMap<String, String>,
}

impl Deployment {
    /// Records the deployment, or refuses one that does not fit what is recorded. Sources may be
    /// added; one that was taken out keeps its tenant for its return.
    ///
    /// # Errors
    /// When a recorded value differs, or the log cannot be used.
    pub async fn verify(&self, log: &dyn Log) -> Result<(), StateError> {
        let recorded: BTreeMap<String, Bytes> = log.facts(PREFIX).await?.into_iter().collect();
        let wanted = self.facts();
        for (key, value) in &wanted {
            if let Some(stands) = recorded
                .get(key)
                .filter(|stands| *stands != value.as_bytes())
            {
                return Err(refused(key, &String::from_utf8_lossy(stands), value));
            }
        }
        for (key, value) in wanted {
            if !recorded.contains_key(&key) {
                log.put_fact(&key, Bytes::from(value)).await?;
            }
        }
        Ok(())
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let tenants = self
            .tenants
            .iter()
            .map(|(source, tenant)| (tenant_key(source), tenant.clone()));
        tenants
            .chain([
                (format!("{PREFIX}mode"), self.mode.to_owned()),
                (
                    format!("{PREFIX}key_partitions"),
                    self.key_partitions.to_string(),
                ),
                (
                    format!("{PREFIX}matches_incarnation"),
                    MATCHES_INCARNATION.to_string(),
                ),
            ])
            .collect()
    }
}

fn tenant_key(source: &str) -> String {
    format!("{PREFIX}tenant/{source}")
}

fn refused(key: &str, stands: &str, wanted: &str) -> StateError {
    let name = key.trim_start_matches(PREFIX);
    let message = match name.strip_prefix("tenant/") {
        Some(source) => format!(
            "the state was written with tenant `{stands}` for source `{source}`, and the \
             configuration says `{wanted}`: all ids would change; set `tenant: {stands}`, or give \
             the source a new name, or start with an empty state directory"
        ),
        None => format!(
            "the state was written with {name} `{stands}`, and this program wants `{wanted}`; \
             start with an empty state directory"
        ),
    };
    StateError::Deployment { message }
}
