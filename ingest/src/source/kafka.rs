//! Kafka and the Kafka endpoint of Event Hubs, through librdkafka.
//!
//! The source subscribes as a member of a group with cooperative-sticky assignment and, if it has
//! an `instance`, static membership. Each partition has a queue of its own; one that is held back
//! is not asked, and librdkafka reads no further ahead than a named limit, so back-pressure costs
//! memory within bounds and drops nothing. Commits are explicit, at most once a second, on revoke
//! and at shutdown, and never beyond [`super::Handler::committable`].
//!
//! **Ids.** With one topic the source of ids is the source's name, with several it is
//! `name/topic`; the partition is Kafka's own number. So a topic keeps its ids when others are
//! added to or taken from a list of several. Only a list that grows from one topic to several, or
//! shrinks back, changes the ids of that topic.
//!
//! **Positions.** What the topology knows (the durable `finished`), else what the group committed,
//! else `start`. A position that the broker does not hold is an error that names what it holds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use palisade_detect::time::Timestamp;

use super::{Handler, Source, SourceError};
use crate::secret::Secret;

mod client;
mod commit;
mod consumer;
mod newest;
mod payloads;
mod position;
mod properties;

pub use newest::{Newest, newest};
pub use properties::check_property;

/// A Kafka source as configured.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// The source's name.
    pub name: Arc<str>,
    /// Brokers to ask first, `host:port`; at least one.
    pub brokers: Vec<String>,
    /// Topics by their names; at least one, no patterns.
    pub topics: Vec<String>,
    /// Consumer group.
    pub group: String,
    /// Where a partition without any position begins.
    pub start: Start,
    /// Static member id: a process that comes back within the session time-out keeps its
    /// partitions. It must be unique in the group. `None`: a member like any other, whose
    /// partitions are given away only when the session has timed out.
    pub instance: Option<String>,
    /// Encryption; `None` is plain text.
    pub tls: Option<Tls>,
    /// Authentication.
    pub sasl: Option<Sasl>,
    /// Further properties of librdkafka, each one admitted by [`check_property`].
    pub properties: BTreeMap<String, String>,
}

/// Where a partition without any position begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record that the broker holds.
    Earliest,
    /// Behind the newest record. What comes after the first assignment is read, also if the process
    /// ends before its first commit of a record.
    Latest,
    /// At the first record whose timestamp is not earlier.
    At(Timestamp),
}

/// Encryption of the connection; the broker's certificate and name are always checked.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Authorities to trust, PEM; `None` is the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate, PEM.
    pub certificate: Option<PathBuf>,
    /// Our private key, PEM.
    pub key: Option<PathBuf>,
    /// The private key's password.
    pub key_password: Option<Secret>,
}

/// Authentication by name and password.
#[derive(Debug, Clone)]
pub struct Sasl {
    /// How the password is proven.
    pub mechanism: Mechanism,
    /// The name; `$ConnectionString` for Event Hubs.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// How a password is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// By sending it; with TLS only.
    Plain,
    /// By challenge and response over SHA-256.
    ScramSha256,
    /// By challenge and response over SHA-512.
    ScramSha512,
}

impl Mechanism {
    /// Its name in the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl KafkaConfig {
    /// Judges the configuration without connecting.
    ///
    /// # Errors
    /// What is wrong, as one sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.brokers.is_empty() || self.topics.is_empty() || self.group.is_empty() {
            return Err("`brokers`, `topics` and `group` must not be empty".to_owned());
        }
        if let Some(topic) = self.topics.iter().find(|topic| topic.starts_with('^')) {
            return Err(format!("topic `{topic}` is a pattern; name each topic"));
        }
        for (name, value) in &self.properties {
            check_property(name, value).map_err(|why| format!("property `{name}`: {why}"))?;
        }
        match client::client_config(self).create_native_config() {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The source of `topic` as ids name it.
    fn id_source(&self, topic: &str) -> Arc<str> {
        if self.topics.len() == 1 {
            Arc::clone(&self.name)
        } else {
            Arc::from(format!("{}/{topic}", self.name))
        }
    }

    fn start_error(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> SourceError {
        SourceError::Start {
            source_name: self.name.to_string(),
            source: source.into(),
        }
    }
}

/// A source of Kafka topics.
#[derive(Debug)]
pub struct KafkaSource {
    config: KafkaConfig,
}

impl KafkaSource {
    /// A source as configured; it connects when it runs.
    pub const fn new(config: KafkaConfig) -> Self {
        Self { config }
    }
}

impl Source for KafkaSource {
    fn run(
        self: Box<Self>,
        handler: Arc<dyn Handler>,
        stop: Arc<AtomicBool>,
    ) -> Result<(), SourceError> {
        consumer::run(&self.config, &handler, &stop)
    }
}

#[cfg(test)]
mod tests;
