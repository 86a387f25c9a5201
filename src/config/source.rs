//! `sources:`.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use palisade_detect::diagnostic::{Diagnostic, code};
use palisade_detect::logsource::Logsource;
use palisade_detect::time::Timestamp;
use palisade_detect::yaml::Node;
use palisade_ingest::source::kafka;

use super::client::KafkaClient;
use super::options::{Kind, Section};
use super::reader::{From, Map, Reader};
use super::value;
use crate::topology::stage::UnknownPolicy;

/// One source.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name, unique among the sources.
    pub name: String,
    /// Whose data it is.
    pub tenant: String,
    /// What happens to events of unknown type.
    pub unknown: UnknownPolicy,
    /// What events of unknown type state.
    pub logsource: Option<Logsource>,
    /// Where it reads.
    pub kind: SourceKind,
}

/// What a source reads.
#[derive(Debug, Clone)]
pub enum SourceKind {
    /// Topics of a Kafka cluster.
    Kafka(Box<KafkaSource>),
    /// Files, once.
    File {
        /// Files, folders, or `-`.
        paths: Vec<PathBuf>,
    },
}

/// A source of type `kafka`.
#[derive(Debug, Clone)]
pub struct KafkaSource {
    /// How to reach the cluster.
    pub client: KafkaClient,
    /// Topics.
    pub topics: Vec<String>,
    /// Consumer group.
    pub group: String,
    /// Where to begin in a partition that was never read.
    pub start: Start,
    /// Static member of the group.
    pub instance: String,
}

impl KafkaSource {
    /// The same in the words of the source named `name`.
    pub fn client_config(&self, name: &str) -> kafka::KafkaConfig {
        let start = match self.start {
            Start::Earliest => kafka::Start::Earliest,
            Start::Latest => kafka::Start::Latest,
            Start::Timestamp(time) => kafka::Start::At(time),
        };
        kafka::KafkaConfig {
            name: Arc::from(name),
            brokers: self.client.brokers.clone(),
            topics: self.topics.clone(),
            group: self.group.clone(),
            start,
            instance: Some(self.instance.clone()),
            tls: self.client.tls.clone(),
            sasl: self.client.sasl.clone(),
            properties: self.client.properties.clone(),
        }
    }
}

/// Where to begin in a partition that was never read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record.
    Earliest,
    /// With the first record after now.
    Latest,
    /// With the first record at or after a time.
    Timestamp(Timestamp),
}

#[derive(Clone, Copy)]
enum Type {
    Kafka,
    File,
}

const KAFKA: &[Section] = &[Section::Source, Section::KafkaSource, Section::KafkaClient];
const FILE: &[Section] = &[Section::Source, Section::FileSource];

impl Reader<'_> {
    /// One element of `sources:`.
    pub(super) fn source(&mut self, node: &Node, label: &str) -> Option<Source> {
        let kind =
            self.component_type(node, label, &[Section::Source], &[Type::Kafka, Type::File])?;
        let sections = match kind {
            Type::Kafka => KAFKA,
            Type::File => FILE,
        };
        let map = self.open(Some(node), label, sections, &node.place);
        let name = self.value(&map, "name", value::name);
        self.choice(&map, "type", &[(); 2]);
        let tenant = self.value(&map, "tenant", value::tenant);
        let unknown = self.open(
            map.get("unknown"),
            map.full("unknown"),
            &[Section::Unknown],
            &map.place,
        );
        let policies = [UnknownPolicy::JudgeAll, UnknownPolicy::JudgeNone];
        let unknown = self.choice(&unknown, "judge", &policies);
        let logsource = self.logsource(&map);
        let kind = match kind {
            Type::Kafka => self
                .kafka_source(&map, name.as_deref())
                .map(|kafka| SourceKind::Kafka(Box::new(kafka))),
            Type::File => Some(SourceKind::File {
                paths: self.paths(&map, "path"),
            }),
        };
        Some(Source {
            name: name?,
            tenant: tenant?,
            unknown: unknown?,
            logsource,
            kind: kind?,
        })
    }

    fn logsource(&mut self, map: &Map<'_>) -> Option<Logsource> {
        let node = map.get("logsource")?;
        let inner = self.open(
            Some(node),
            map.full("logsource"),
            &[Section::Logsource],
            &map.place,
        );
        let mut part = |key| self.value(&inner, key, value::text).map(Cow::Owned);
        let read = Logsource {
            product: part("product"),
            service: part("service"),
            category: part("category"),
        };
        if read == Logsource::default() {
            let message = format!("`{}` states nothing", inner.label);
            let problem = Diagnostic::error(code::CONFIG_VALUE, &inner.place, message);
            self.problems
                .push(problem.with_help("give `product`, `service` or `category`"));
            return None;
        }
        Some(read)
    }

    fn kafka_source(&mut self, map: &Map<'_>, name: Option<&str>) -> Option<KafkaSource> {
        let client = self.kafka_client(map);
        let topics = self.values(map, "topics", value::topic);
        let group = self.value(map, "group", value::text);
        let start = self.start(map);
        let instance = match map.get("instance") {
            Some(_) => self.value(map, "instance", value::name),
            None => name.map(|name| {
                self.entry(map.full("instance"), name, From::Default);
                name.to_owned()
            }),
        };
        Some(KafkaSource {
            client: client?,
            topics,
            group: group?,
            start: start?,
            instance: instance?,
        })
    }

    fn start(&mut self, map: &Map<'_>) -> Option<Start> {
        let node = self.required(map, "start")?;
        if node.as_map().is_some() {
            let start = self.open(Some(node), map.full("start"), &[Section::Start], &map.place);
            return self.value(&start, "timestamp", |text| {
                Timestamp::parse_rfc3339(text)
                    .map(Start::Timestamp)
                    .ok_or_else(|| {
                        "expected a time by RFC 3339 such as `2026-03-02T00:00:00Z`".to_owned()
                    })
            });
        }
        let text = self.scalar(node, &map.full("start"), Kind::Text)?;
        let start = match text.text.as_str() {
            "earliest" => Start::Earliest,
            "latest" => Start::Latest,
            _ => {
                let expected =
                    "expected `earliest`, `latest` or `{timestamp: 2026-03-02T00:00:00Z}`";
                self.invalid(&map.full("start"), &text, expected.to_owned());
                return None;
            }
        };
        self.entry(map.full("start"), text.text, text.from);
        Some(start)
    }
}
