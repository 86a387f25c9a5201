//! A real Apache Kafka broker in `KRaft` mode: one process, one node, ports and folder of its own.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use palisade_detect::time::Timestamp;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{free_port, wait_for};

/// A running broker; it ends with this value.
pub struct Broker {
    process: Option<Child>,
    folder: PathBuf,
    jars: PathBuf,
    /// Port of the plain-text listener.
    pub port: u16,
    /// Port of the listener that wants TLS and a login.
    pub secured_port: u16,
}

/// The user of the secured listener, under `PLAIN` and `SCRAM-SHA-256` alike.
pub const USER: &str = "palisade";
/// The user's password.
pub const PASSWORD: &str = "canary-of-the-broker-tests";
/// Password of the broker's own key store.
const STORE: &str = "store-of-the-broker-tests";

impl Broker {
    /// Fetches the jars if need be, formats the storage below `folder` and starts the broker.
    pub fn start(folder: &Path) -> Self {
        let jars = jars();
        let port = free_port();
        let controller = free_port();
        let folder = folder.join("kafka");
        fs::create_dir_all(&folder).expect("the broker's folder can be made");
        let secured_port = free_port();
        let text =
            properties(&folder, controller) + &listeners(&folder, controller, [port, secured_port]);
        fs::write(folder.join("server.properties"), text)
            .expect("the broker's configuration can be written");
        certificate(&folder);
        let mut broker = Self {
            process: None,
            folder,
            jars,
            port,
            secured_port,
        };
        broker.format();
        broker.launch();
        broker
    }

    /// `host:port` for clients.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificate authority of the secured listener, in PEM format.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("broker.pem")
    }

    /// Ends the broker at once and starts it again on the same data.
    pub fn restart(&mut self) {
        self.kill();
        self.launch();
    }

    /// Ends the broker at once.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the broker is our child");
            process.wait().expect("the broker is our child");
        }
    }

    /// Starts the broker on its data.
    pub fn launch(&mut self) {
        let log = fs::File::create(self.folder.join("broker.log")).expect("a log file");
        let process = self
            .java()
            .args(["kafka.Kafka", "server.properties"])
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("java starts; the broker tests need Java 17");
        self.process = Some(process);
        let port = self.port;
        wait_for("the broker's port", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
    }

    /// Makes a topic whose records carry the broker's time.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("a client");
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1))
            .set("message.timestamp.type", "LogAppendTime")
            .set("max.message.bytes", "20000000");
        let made = runtime
            .expect("a runtime")
            .block_on(admin.create_topics([&topic], &AdminOptions::new()))
            .expect("the broker answers");
        for topic in made {
            topic.expect("the topic is made");
        }
    }

    /// Writes payloads round robin over `partitions`; `None` is a tombstone.
    pub fn produce(&self, topic: &str, partitions: i32, payloads: &[Option<Vec<u8>>]) {
        let producer: ThreadedProducer<DefaultProducerContext> = self
            .client()
            .set("acks", "all")
            .set("linger.ms", "5")
            .set("message.max.bytes", "20000000")
            .create()
            .expect("a producer");
        for (number, payload) in payloads.iter().enumerate() {
            let partition = i32::try_from(number).expect("few payloads") % partitions;
            let mut record = BaseRecord::<(), [u8]>::to(topic).partition(partition);
            if let Some(payload) = payload {
                record = record.payload(payload);
            }
            let mut unsent = Some(record);
            wait_for("room in the producer's queue", || {
                match producer.send(unsent.take().expect("not yet sent")) {
                    Ok(()) => Some(()),
                    Err((_, record)) => {
                        unsent = Some(record);
                        None
                    }
                }
            });
        }
        producer
            .flush(Duration::from_mins(1))
            .expect("the broker takes every record");
    }

    /// Everything a topic holds, in partition order.
    pub fn read_all(&self, topic: &str, partitions: i32) -> Vec<OwnedMessage> {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", "reader")
            .create()
            .expect("a consumer");
        let mut read = Vec::new();
        for partition in 0..partitions {
            let (low, high) = consumer
                .fetch_watermarks(topic, partition, Duration::from_secs(30))
                .expect("the broker answers");
            let mut place = TopicPartitionList::new();
            place
                .add_partition_offset(topic, partition, Offset::Offset(low))
                .expect("a valid offset");
            consumer.assign(&place).expect("a valid assignment");
            let mut next = low;
            while next < high {
                let message = wait_for("a record of the topic", || {
                    consumer
                        .poll(Duration::from_millis(200))
                        .and_then(Result::ok)
                });
                next = message.offset() + 1;
                read.push(message.detach());
            }
        }
        read
    }

    /// A moment after every record of a topic, RFC 3339.
    pub fn now(&self, topic: &str, partitions: i32) -> String {
        let newest = self.read_all(topic, partitions);
        let times = newest
            .iter()
            .filter_map(|record| record.timestamp().to_millis());
        let ms = times.max().expect("a record with a time") + 1;
        // The next record must not carry the same millisecond.
        std::thread::sleep(Duration::from_millis(5));
        Timestamp::from_unix_ms(ms).to_string()
    }

    /// What a group has committed, by partition.
    pub fn committed(&self, group: &str, topic: &str, partitions: i32) -> Vec<Option<i64>> {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", group)
            .create()
            .expect("a consumer");
        let mut asked = TopicPartitionList::new();
        for partition in 0..partitions {
            asked.add_partition(topic, partition);
        }
        let answered = consumer
            .committed_offsets(asked, Duration::from_secs(30))
            .expect("the broker answers");
        let offset = |partition| match answered.find_partition(topic, partition)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        (0..partitions).map(offset).collect()
    }

    /// Records that a group has not committed.
    pub fn lag(&self, group: &str, topic: &str, partitions: i32) -> i64 {
        let consumer: BaseConsumer = self.client().create().expect("a consumer");
        let committed = self.committed(group, topic, partitions);
        let behind = |(partition, offset): (i32, Option<i64>)| {
            let (low, high) = consumer
                .fetch_watermarks(topic, partition, Duration::from_secs(30))
                .expect("the broker answers");
            high - offset.unwrap_or(low)
        };
        (0..).zip(committed).map(behind).sum()
    }

    /// Commits a position for a group that has no members.
    pub fn commit(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", group)
            .create()
            .expect("a consumer");
        let mut place = TopicPartitionList::new();
        place
            .add_partition_offset(topic, partition, Offset::Offset(offset))
            .expect("a valid offset");
        consumer
            .commit(&place, CommitMode::Sync)
            .expect("the broker takes the commit");
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.address());
        config
    }

    fn java(&self) -> Command {
        let mut command = Command::new("java");
        command
            .current_dir(&self.folder)
            .args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp"])
            .arg(self.jars.join("*"));
        command
    }

    fn format(&self) {
        let status = self
            .java()
            .args([
                "kafka.tools.StorageTool",
                "format",
                "-t",
                "cGFsaXNhZGUtdGVzdHM0MQ",
            ])
            .args(["-c", "server.properties", "--add-scram"])
            .arg(format!("SCRAM-SHA-256=[name={USER},password={PASSWORD}]"))
            .stdout(Stdio::null())
            .status()
            .expect("java starts; the broker tests need Java 17");
        assert!(
            status.success(),
            "the broker's storage could not be formatted"
        );
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The folder with the broker's jars, fetched with Maven once and kept outside the tree.
fn jars() -> PathBuf {
    let cache = option_env!("PALISADE_TEST_CACHE").map_or_else(
        || {
            let home = std::env::home_dir().expect("a home directory");
            home.join(".cache/palisade")
        },
        PathBuf::from,
    );
    let jars = cache.join("kafka-4.1.0");
    if jars.join("complete").exists() {
        return jars;
    }
    let status = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/pom.xml"))
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", jars.display()))
        .status()
        .expect("mvn starts; the broker tests need Maven");
    assert!(status.success(), "Maven could not fetch the broker's jars");
    fs::write(jars.join("complete"), "").expect("the cache can be written");
    jars
}

fn properties(folder: &Path, controller: u16) -> String {
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL\n\
         log.dirs={}\n\
         num.partitions=4\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n\
         group.min.session.timeout.ms=1000\n\
         message.max.bytes=20000000\n\
         replica.fetch.max.bytes=20000000\n\
         socket.request.max.bytes=104857600\n",
        folder.join("data").display()
    )
}

/// The listeners: one in plain text, one with TLS and a login.
fn listeners(folder: &Path, controller: u16, [plain, secured]: [u16; 2]) -> String {
    let store = folder.join("broker.p12");
    format!(
        "listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secured},\
         CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secured}\n\
         inter.broker.listener.name=PLAINTEXT\n\
         ssl.keystore.location={store}\n\
         ssl.keystore.type=PKCS12\n\
         ssl.keystore.password={STORE}\n\
         ssl.key.password={STORE}\n\
         sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256\n\
         listener.name.sasl_ssl.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required \
         user_{USER}=\"{PASSWORD}\";\n\
         listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=\
         org.apache.kafka.common.security.scram.ScramLoginModule required;\n",
        store = store.display()
    )
}

/// Makes a key with a certificate of its own for 127.0.0.1, and the certificate in PEM format.
fn certificate(folder: &Path) {
    let keytool = |arguments: &[&str]| {
        let status = Command::new("keytool")
            .current_dir(folder)
            .args(arguments)
            .args([
                "-alias",
                "broker",
                "-keystore",
                "broker.p12",
                "-storepass",
                STORE,
            ])
            .stderr(Stdio::null())
            .status()
            .expect("keytool starts; it comes with Java");
        assert!(status.success(), "keytool {arguments:?} failed");
    };
    keytool(&[
        "-genkeypair",
        "-keyalg",
        "EC",
        "-groupname",
        "secp256r1",
        "-dname",
        "CN=127.0.0.1",
        "-ext",
        "SAN=ip:127.0.0.1",
        "-storetype",
        "PKCS12",
        "-validity",
        "30",
    ]);
    keytool(&["-exportcert", "-rfc", "-file", "broker.pem"]);
}
