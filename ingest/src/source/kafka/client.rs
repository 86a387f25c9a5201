//! The configuration of librdkafka, and what it tells us by callbacks.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::KafkaConfig;

/// Kilobytes that librdkafka reads ahead for each partition.
///
/// A partition that is held back keeps this much in memory beside the budget in flight; 32
/// partitions at a standstill hold 128 MiB. Less costs throughput on connections with a long way.
const PREFETCH_KB: &str = "4096";

/// Milliseconds after which librdkafka looks again whether a full read-ahead has room. Its own
/// default, a second, is longer than the read-ahead lasts.
const PREFETCH_PAUSE_MS: &str = "20";

/// Milliseconds that a broker may hold a request back while it has nothing.
///
/// One request at a time asks for the partitions that have room, so those that are read to their end
/// hold up the others for this long; it must be shorter than the read-ahead lasts.
const FETCH_WAIT_MS: &str = "100";

/// What is set before the user's properties: they may change it.
const DEFAULTS: [(&str, &str); 9] = [
    ("client.id", "palisade"),
    ("session.timeout.ms", "30000"),
    ("queued.max.messages.kbytes", PREFETCH_KB),
    ("fetch.queue.backoff.ms", PREFETCH_PAUSE_MS),
    ("fetch.wait.max.ms", FETCH_WAIT_MS),
    // Azure drops connections that are idle for four minutes without saying so.
    ("socket.keepalive.enable", "true"),
    ("metadata.max.age.ms", "180000"),
    ("topic.metadata.refresh.interval.ms", "180000"),
    ("reconnect.backoff.max.ms", "5000"),
];

/// What the promises of delivery rest on: set last.
const PROMISES: [(&str, &str); 6] = [
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
    ("isolation.level", "read_committed"),
    ("allow.auto.create.topics", "false"),
];

/// The client's configuration.
pub(super) fn client_config(config: &KafkaConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    for (name, value) in DEFAULTS {
        client.set(name, value);
    }
    for (name, value) in &config.properties {
        client.set(name, value);
    }
    for (name, value) in PROMISES {
        client.set(name, value);
    }
    client.set("bootstrap.servers", config.brokers.join(","));
    client.set("group.id", &config.group);
    if let Some(instance) = &config.instance {
        client.set("group.instance.id", instance);
    }
    security(config, &mut client);
    client
}

fn security(config: &KafkaConfig, client: &mut ClientConfig) {
    let protocol = match (&config.tls, &config.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    client.set("security.protocol", protocol);
    if let Some(tls) = &config.tls {
        let files = [
            ("ssl.ca.location", &tls.ca),
            ("ssl.certificate.location", &tls.certificate),
            ("ssl.key.location", &tls.key),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                client.set(name, file.to_string_lossy());
            }
        }
        if let Some(password) = &tls.key_password {
            client.set("ssl.key.password", password.expose());
        }
    }
    if let Some(sasl) = &config.sasl {
        client.set("sasl.mechanism", sasl.mechanism.as_str());
        client.set("sasl.username", &sasl.username);
        client.set("sasl.password", sasl.password.expose());
    }
}

/// A topic and a partition of it.
pub(super) type Place = (String, i32);

/// What the group decided.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rebalanced {
    /// These partitions are ours from now on, beside those that we have.
    Assigned(Vec<Place>),
    /// These partitions are to be given back.
    Revoked(Vec<Place>),
}

/// What callbacks leave for the source's loop.
///
/// The answer to a rebalance takes requests to the broker and waits for records in flight. It is
/// given by the loop, not inside the callback: the group waits for it, and heartbeats go on.
#[derive(Default)]
pub(super) struct Context {
    rebalances: Mutex<VecDeque<Rebalanced>>,
    /// Set once the loop is over: whatever is revoked then is given back at once.
    closing: AtomicBool,
    /// Why the client last lost a broker; its errors only say that it did.
    cause: Mutex<Option<String>>,
}

impl Context {
    /// The oldest decision of the group that was not yet answered.
    pub(super) fn next_rebalance(&self) -> Option<Rebalanced> {
        self.rebalances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    /// Why the client last lost a broker, such as a certificate that it does not trust.
    pub(super) fn cause(&self) -> Option<String> {
        self.cause
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The loop is over.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "FAIL" {
            // `[thrd:…]: ` names a thread of the client.
            let cause = message
                .split_once("]: ")
                .map_or(message, |(_, cause)| cause);
            *self.cause.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause.to_owned());
        }
        // What needs an operator is said by the source itself, once a minute.
        tracing::debug!(?level, facility, message, "librdkafka");
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let assigned = event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            if !assigned && consumer.incremental_unassign(list).is_err() {
                // The list does not fit what is assigned: give back everything.
                if let Err(error) = consumer.unassign() {
                    tracing::debug!(%error, "partitions cannot be given back");
                }
            }
            return;
        }
        let places = list
            .elements()
            .iter()
            .map(|element| (element.topic().to_owned(), element.partition()))
            .collect();
        let rebalanced = if assigned {
            Rebalanced::Assigned(places)
        } else {
            Rebalanced::Revoked(places)
        };
        self.rebalances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(rebalanced);
    }
}
