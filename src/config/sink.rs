//! `sinks:`.

use std::path::PathBuf;

use palisade_detect::yaml::Node;

use super::client::KafkaClient;
use super::options::Section;
use super::reader::Reader;
use super::value;

/// Smallest size at which a file is set aside; smaller ones would make a file per alert.
const ROTATE_BYTES_MIN: u64 = 4096;

/// One sink.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Its name, unique among the sinks.
    pub name: String,
    /// Where it delivers.
    pub kind: SinkKind,
}

/// Where a sink delivers.
#[derive(Debug, Clone)]
pub enum SinkKind {
    /// Standard output.
    Stdout {
        /// How alerts look.
        format: StdoutFormat,
    },
    /// A file of NDJSON.
    File {
        /// The file.
        path: PathBuf,
        /// Size at which it is set aside; `None`: never.
        rotate_bytes: Option<u64>,
        /// How many files that were set aside are kept; `None`: all.
        keep: Option<u32>,
    },
    /// A topic of a Kafka cluster.
    Kafka {
        /// How to reach the cluster.
        client: KafkaClient,
        /// The topic.
        topic: String,
    },
}

/// How alerts look on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdoutFormat {
    /// Pretty on a terminal, NDJSON otherwise.
    Auto,
    /// For people.
    Pretty,
    /// For programs.
    Ndjson,
}

#[derive(Clone, Copy)]
enum Type {
    Stdout,
    File,
    Kafka,
}

const STDOUT: &[Section] = &[Section::Sink, Section::StdoutSink];
const FILE: &[Section] = &[Section::Sink, Section::FileSink];
const KAFKA: &[Section] = &[Section::Sink, Section::KafkaSink, Section::KafkaClient];

impl Reader<'_> {
    /// One element of `sinks:`.
    pub(super) fn sink(&mut self, node: &Node, label: &str) -> Option<Sink> {
        let types = [Type::Stdout, Type::File, Type::Kafka];
        let kind = self.component_type(node, label, &[Section::Sink], &types)?;
        let sections = match kind {
            Type::Stdout => STDOUT,
            Type::File => FILE,
            Type::Kafka => KAFKA,
        };
        let map = self.open(Some(node), label, sections, &node.place);
        let name = self.value(&map, "name", value::name);
        self.choice(&map, "type", &[(); 3]);
        let kind = match kind {
            Type::Stdout => {
                let formats = [
                    StdoutFormat::Auto,
                    StdoutFormat::Pretty,
                    StdoutFormat::Ndjson,
                ];
                self.choice(&map, "format", &formats)
                    .map(|format| SinkKind::Stdout { format })
            }
            Type::File => {
                let path = self.path(&map, "path");
                let rotate = self.value(&map, "rotate", |text| match value::size(text)? {
                    0 => Ok(None),
                    _ => value::size_of_at_least(text, ROTATE_BYTES_MIN).map(Some),
                });
                let keep = self.value(&map, "keep", value::number::<u32>);
                let keep = keep.map(|keep| Some(keep).filter(|keep| *keep > 0));
                path.zip(rotate.zip(keep))
                    .map(|(path, (rotate_bytes, keep))| SinkKind::File {
                        path,
                        rotate_bytes,
                        keep,
                    })
            }
            Type::Kafka => {
                let client = self.kafka_client(&map);
                let topic = self.value(&map, "topic", value::topic);
                client
                    .zip(topic)
                    .map(|(client, topic)| SinkKind::Kafka { client, topic })
            }
        };
        Some(Sink {
            name: name?,
            kind: kind?,
        })
    }
}
