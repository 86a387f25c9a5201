//! The Kafka sink: an idempotent producer, keyed by what repeats of one situation share.
//!
//! A record's value is the canonical alert, its key the dedupe key, and the header `alert_id` tells
//! repeats apart. An attempt ends after [`ATTEMPT_MS`]; the delivery then tries again, for ever.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

use crate::cut;
use crate::sink::{Sink, SinkItem, SinkResult, Why};

/// How long one attempt may take. Longer hides short outages from the metrics; much shorter gives
/// up on brokers that are only slow, and repeats records.
pub const ATTEMPT_MS: u32 = 30_000;

/// Largest record unless `message.max.bytes` is among the properties; the brokers' usual limit.
pub const RECORD_BYTES_MAX: usize = 1_000_000;

/// Room for a record's key, header and framing below the limit.
const RECORD_FRAME_BYTES: usize = 1_024;

/// How soon a producer that had to be given up is replaced.
const REBUILD_PAUSE: Duration = Duration::from_secs(1);

/// Where and how.
#[derive(Clone)]
pub struct KafkaConfig {
    /// Brokers to start from, `host:port`.
    pub brokers: Vec<String>,
    /// The topic; it must exist or the broker must create topics by itself.
    pub topic: String,
    /// Further librdkafka properties, secrets among them, such as `compression.type`: nothing is
    /// compressed by default, since not every endpoint that speaks Kafka takes every codec. What the sink's promise rests on
    /// (`enable.idempotence`, `acks`, `message.timeout.ms`) is not theirs to change.
    pub properties: Vec<(String, String)>,
}

/// Names of properties only: values may be secrets.
impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self
            .properties
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        f.debug_struct("KafkaConfig")
            .field("brokers", &self.brokers)
            .field("topic", &self.topic)
            .field("properties", &names)
            .finish()
    }
}

/// Sends alerts to a topic. `Done` means that all in-sync replicas have the record.
pub struct KafkaSink {
    config: KafkaConfig,
    record_bytes_max: usize,
    /// Absent before the first batch, after a fatal error and while the sink is blocked.
    producer: Option<Producing>,
}

impl KafkaSink {
    /// A sink that connects with its first batch.
    pub fn new(config: KafkaConfig) -> Self {
        let limit = config
            .properties
            .iter()
            .rev()
            .find(|(name, _)| name == "message.max.bytes");
        let record_bytes_max = limit
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(RECORD_BYTES_MAX);
        Self {
            config,
            record_bytes_max,
            producer: None,
        }
    }

    fn producer(&mut self) -> Result<Producing, SinkResult> {
        if let Some(producer) = &self.producer {
            return Ok(producer.clone());
        }
        let context = Context::default();
        let producer = client(&self.config)
            .create_with_context(context.clone())
            .map_err(|error| {
                blocked(
                    "configuration",
                    format!("the producer cannot be made: {error}"),
                )
            })?;
        Ok(self
            .producer
            .insert(Producing { producer, context })
            .clone())
    }

    /// Enqueues items in order, then waits for all of them.
    async fn send(
        &self,
        producing: &Producing,
        items: &[(&SinkItem, Bytes)],
    ) -> Vec<Result<(), KafkaError>> {
        let queued: Vec<_> = items
            .iter()
            .map(|(item, body)| {
                let header = Header {
                    key: "alert_id",
                    value: Some(&item.alert_id),
                };
                let record = FutureRecord::to(&self.config.topic)
                    .key(&item.dedupe_key)
                    .payload(&body[..])
                    .headers(OwnedHeaders::new().insert(header));
                producing
                    .producer
                    .send_result(record)
                    .map_err(|(error, _)| error)
            })
            .collect();
        let mut answers = Vec::with_capacity(queued.len());
        for queued in queued {
            answers.push(match queued {
                Ok(answer) => match answer.await {
                    Ok(answer) => answer.map(|_| ()).map_err(|(error, _)| error),
                    Err(_) => Err(KafkaError::Canceled),
                },
                Err(error) => Err(error),
            });
        }
        answers
    }

    /// Sends one item by itself: a broker refuses a whole batch for one of its records.
    async fn send_alone(&self, producing: &Producing, item: &SinkItem) -> SinkResult {
        let body = self.fitting(&item.body);
        let first = self.send(producing, &[(item, body)]).await.pop();
        let error = match first.unwrap_or(Err(KafkaError::Canceled)) {
            Ok(()) => return SinkResult::Done,
            Err(error) => error,
        };
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => self.send_smaller(producing, item).await,
            Some(RDKafkaErrorCode::InvalidMessage | RDKafkaErrorCode::InvalidRecord) => {
                poison("refused", format!("the broker refuses the record: {error}"))
            }
            _ => answer(producing, &error),
        }
    }

    /// The broker takes less than we thought: tries half, and half again.
    async fn send_smaller(&self, producing: &Producing, item: &SinkItem) -> SinkResult {
        let mut bytes_max = item.body.len().min(self.record_bytes_max) / 2;
        while let Some(body) = cut::to_fit(&item.body, bytes_max) {
            bytes_max = body.len() / 2;
            let sent = self
                .send(producing, &[(item, Bytes::from(body))])
                .await
                .pop();
            match sent.unwrap_or(Err(KafkaError::Canceled)) {
                Ok(()) => return SinkResult::Done,
                Err(error) if is_too_large(&error) => {}
                Err(error) => return answer(producing, &error),
            }
        }
        poison(
            "too_large",
            "the alert is too large for the topic even without evidence".to_owned(),
        )
    }

    /// The body, cut where it is known to be too large for a record.
    fn fitting(&self, body: &Bytes) -> Bytes {
        let bytes_max = self.record_bytes_max.saturating_sub(RECORD_FRAME_BYTES);
        if body.len() <= bytes_max {
            return body.clone();
        }
        cut::to_fit(body, bytes_max).map_or_else(|| body.clone(), Bytes::from)
    }
}

#[async_trait::async_trait]
impl Sink for KafkaSink {
    async fn deliver(&mut self, batch: &[SinkItem]) -> Vec<SinkResult> {
        let producing = match self.producer() {
            Ok(producing) => producing,
            Err(answer) => return vec![answer; batch.len()],
        };
        producing.context.forget();
        let items: Vec<_> = batch
            .iter()
            .map(|item| (item, self.fitting(&item.body)))
            .collect();
        let sent = self.send(&producing, &items).await;
        let mut answers = Vec::with_capacity(batch.len());
        for (item, sent) in batch.iter().zip(sent) {
            answers.push(match sent {
                Ok(()) => SinkResult::Done,
                Err(error) if is_about_a_record(&error) => self.send_alone(&producing, item).await,
                Err(error) => answer(&producing, &error),
            });
        }
        // A refused topic stays refused in the producer's memory for minutes: a new one asks anew.
        let blocked = answers
            .iter()
            .any(|answer| matches!(answer, SinkResult::Blocked(_)));
        if blocked || producing.producer.client().fatal_error().is_some() {
            drop(producing);
            self.close().await;
        }
        answers
    }

    async fn close(&mut self) {
        let producer = self.producer.take();
        // The last handle waits for the producer's own thread.
        if tokio::task::spawn_blocking(move || drop(producer))
            .await
            .is_err()
        {
            tracing::error!("the producer's end panicked");
        }
    }
}

/// A producer and what it says beside its answers.
#[derive(Clone)]
struct Producing {
    producer: FutureProducer<Context>,
    context: Context,
}

/// Keeps the newest connection error: librdkafka itself goes on trying with wrong credentials and
/// only says that records timed out.
#[derive(Clone, Default)]
struct Context {
    refused: Arc<Mutex<Option<String>>>,
}

impl Context {
    fn forget(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn refused(&self) -> Option<String> {
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ClientContext for Context {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Authentication) {
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
        tracing::debug!(%error, reason, "librdkafka");
    }
}

fn client(config: &KafkaConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("client.id", "palisade")
        .set("linger.ms", "5")
        .set("queue.buffering.max.kbytes", "65536");
    for (name, value) in &config.properties {
        client.set(name, value);
    }
    client
        .set("bootstrap.servers", config.brokers.join(","))
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", ATTEMPT_MS.to_string());
    client
}

fn is_too_large(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
}

fn is_about_a_record(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
                | RDKafkaErrorCode::InvalidMessage
                | RDKafkaErrorCode::InvalidRecord
        )
    )
}

/// What an error of one record means for it.
fn answer(producing: &Producing, error: &KafkaError) -> SinkResult {
    use RDKafkaErrorCode as Code;
    if let Some((_, reason)) = producing.producer.client().fatal_error() {
        return retry(
            REBUILD_PAUSE,
            "fatal",
            format!("the producer is replaced: {reason}"),
        );
    }
    match error.rdkafka_error_code() {
        Some(
            Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::Authentication
            | Code::SaslAuthenticationFailed,
        ) => blocked("denied", error.to_string()),
        Some(
            Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::InvalidTopic,
        ) => blocked(
            "configuration",
            format!("the topic cannot be written: {error}"),
        ),
        Some(Code::MessageTimedOut) => match producing.context.refused() {
            Some(reason) => blocked("denied", reason),
            None => retry(Duration::ZERO, "unreachable", error.to_string()),
        },
        _ => retry(Duration::ZERO, "broker", error.to_string()),
    }
}

fn retry(pause: Duration, class: &'static str, message: String) -> SinkResult {
    SinkResult::RetryAfter(pause, Why { class, message })
}

fn blocked(class: &'static str, message: String) -> SinkResult {
    SinkResult::Blocked(Why { class, message })
}

fn poison(class: &'static str, message: String) -> SinkResult {
    SinkResult::Poison(Why { class, message })
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    use rdkafka::message::{Headers as _, Message as _, OwnedMessage};
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::DefaultProducerContext;
    use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;
    use crate::render::tests::alert;

    const TOPIC: &str = "alerts";

    fn cluster() -> MockCluster<'static, DefaultProducerContext> {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        cluster
    }

    fn sink(cluster: &MockCluster<'_, DefaultProducerContext>) -> KafkaSink {
        KafkaSink::new(KafkaConfig {
            brokers: vec![cluster.bootstrap_servers()],
            topic: TOPIC.to_owned(),
            properties: Vec::new(),
        })
    }

    fn item(id: &str, body: impl Into<Vec<u8>>) -> SinkItem {
        SinkItem {
            pos: 1,
            alert_id: id.to_owned(),
            dedupe_key: format!("key of {id}"),
            body: Bytes::from(body.into()),
        }
    }

    /// The first `count` records of the topic.
    fn records(
        cluster: &MockCluster<'_, DefaultProducerContext>,
        count: usize,
    ) -> Vec<OwnedMessage> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("group.id", "test")
            .create()
            .unwrap();
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(TOPIC, 0, Offset::Beginning)
            .unwrap();
        consumer.assign(&assignment).unwrap();
        let mut records = Vec::new();
        while records.len() < count {
            let record = consumer
                .poll(Duration::from_secs(10))
                .expect("a record within 10 s");
            records.push(record.unwrap().detach());
        }
        records
    }

    #[tokio::test]
    async fn a_record_is_the_alert_under_its_dedupe_key_with_its_id() {
        let cluster = cluster();
        let mut sink = sink(&cluster);
        let batch = [item("a", "one"), item("b", "two")];
        assert_eq!(sink.deliver(&batch).await, vec![SinkResult::Done; 2]);
        let records = records(&cluster, 2);
        for (record, item) in records.iter().zip(&batch) {
            assert_eq!(record.payload(), Some(&item.body[..]));
            assert_eq!(record.key(), Some(item.dedupe_key.as_bytes()));
            let header = record.headers().unwrap().get(0);
            assert_eq!(
                (header.key, header.value),
                ("alert_id", Some(item.alert_id.as_bytes()))
            );
        }
        sink.close().await;
    }

    #[tokio::test]
    async fn a_broker_that_recovers_gets_each_record_once() {
        use RDKafkaRespErr::{
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        };
        let cluster = cluster();
        let errors = [
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        ];
        cluster.request_errors(RDKafkaApiKey::Produce, &errors);
        let mut sink = sink(&cluster);
        assert_eq!(sink.deliver(&[item("a", "one")]).await, [SinkResult::Done]);
        assert_eq!(sink.deliver(&[item("b", "two")]).await, [SinkResult::Done]);
        let payloads: Vec<_> = records(&cluster, 2)
            .iter()
            .map(|record| record.payload().unwrap().to_vec())
            .collect();
        assert_eq!(payloads, [b"one", b"two"]);
    }

    #[tokio::test]
    async fn missing_rights_block_and_nothing_is_lost() {
        let cluster = cluster();
        let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
        cluster.request_errors(RDKafkaApiKey::Produce, &[denied]);
        let mut sink = sink(&cluster);
        let answers = sink.deliver(&[item("a", "one")]).await;
        assert!(
            matches!(&answers[..], [SinkResult::Blocked(why)] if why.class == "denied"),
            "{answers:?}"
        );
        assert_eq!(sink.deliver(&[item("a", "one")]).await, [SinkResult::Done]);
    }

    #[tokio::test]
    async fn a_refused_batch_is_tried_record_by_record() {
        let cluster = cluster();
        let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD;
        // The batch, then its first record alone.
        cluster.request_errors(RDKafkaApiKey::Produce, &[refused, refused]);
        let mut sink = sink(&cluster);
        let answers = sink.deliver(&[item("a", "one"), item("b", "two")]).await;
        assert!(
            matches!(&answers[..], [SinkResult::Poison(why), SinkResult::Done]
                if why.class == "refused"),
            "{answers:?}"
        );
    }

    #[tokio::test]
    async fn an_alert_that_is_too_large_is_cut_and_only_then_poison() {
        let cluster = cluster();
        let mut sink = sink(&cluster);
        let mut large = alert();
        large.evidence.events[1].excerpt =
            Some(serde_json::Value::from("y".repeat(2_000_000)).into());
        let hopeless = "z".repeat(2_000_000);
        let batch = [item("a", large.to_line()), item("b", hopeless)];
        let answers = sink.deliver(&batch).await;
        assert!(
            matches!(&answers[..], [SinkResult::Done, SinkResult::Poison(why)]
                if why.class == "too_large"),
            "{answers:?}"
        );
        let records = records(&cluster, 1);
        let sent: palisade_detect::alert::Alert =
            serde_json::from_slice(records[0].payload().unwrap()).unwrap();
        assert_eq!(sent.truncated, ["evidence.events.excerpt"]);
    }

    #[tokio::test]
    async fn a_wrong_property_blocks_with_its_name_but_shows_no_value() {
        let config = KafkaConfig {
            brokers: vec!["127.0.0.1:1".to_owned()],
            topic: TOPIC.to_owned(),
            properties: vec![("no.such.property".to_owned(), "hidden".to_owned())],
        };
        assert!(!format!("{config:?}").contains("hidden"));
        let answers = KafkaSink::new(config).deliver(&[item("a", "one")]).await;
        assert!(
            matches!(&answers[..], [SinkResult::Blocked(why)]
                if why.message.contains("no.such.property")),
            "{answers:?}"
        );
    }
}
