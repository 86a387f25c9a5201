//! What Kafka sources and sinks share: brokers, TLS, login, properties.

use std::collections::BTreeMap;

use palisade_detect::diagnostic::{Diagnostic, code};
use palisade_detect::yaml::Yaml;
use palisade_ingest::source::kafka::check_property;
pub use palisade_ingest::source::kafka::{Mechanism, Sasl, Tls};

use super::options::{Kind, Section};
use super::reader::{From, Map, Reader};
use super::value;

/// How to reach a Kafka cluster.
#[derive(Debug, Clone)]
pub struct KafkaClient {
    /// Brokers to begin with, as `host:port`.
    pub brokers: Vec<String>,
    /// TLS; `None`: plain text.
    pub tls: Option<Tls>,
    /// Login; `None`: none.
    pub sasl: Option<Sasl>,
    /// Further librdkafka properties, checked.
    pub properties: BTreeMap<String, String>,
}

impl Reader<'_> {
    /// The part of a source or sink that says how to reach the cluster.
    pub(super) fn kafka_client(&mut self, map: &Map<'_>) -> Option<KafkaClient> {
        let brokers = self.values(map, "brokers", value::broker);
        let tls = self.tls(map);
        let sasl = match map.get("sasl") {
            Some(_) => Some(self.sasl(map, tls.is_some())?),
            None => None,
        };
        let properties = self.properties(map);
        Some(KafkaClient {
            brokers,
            tls,
            sasl,
            properties,
        })
    }

    fn tls(&mut self, map: &Map<'_>) -> Option<Tls> {
        let Some(node) = map.get("tls") else {
            self.entry(map.full("tls"), false, From::Default);
            return None;
        };
        if let Some(on) = node.as_bool() {
            self.entry(
                map.full("tls"),
                on,
                From::File(node.place.clone(), Vec::new()),
            );
            return on.then(Tls::default);
        }
        let tls = self.open(Some(node), map.full("tls"), &[Section::Tls], &map.place);
        let read = Tls {
            ca: self.path(&tls, "ca"),
            certificate: self.path(&tls, "certificate"),
            key: self.path(&tls, "key"),
            key_password: self.secret(&tls, "key_password"),
        };
        if tls.get("certificate").is_some() != tls.get("key").is_some() {
            let message = format!("`{}` has only one of `certificate` and `key`", tls.label);
            let help = "name both files, or neither of them";
            self.advise(code::CONFIG_CONFLICT, &tls.place, message, help);
        }
        Some(read)
    }

    fn sasl(&mut self, map: &Map<'_>, encrypted: bool) -> Option<Sasl> {
        let sasl = self.open(
            map.get("sasl"),
            map.full("sasl"),
            &[Section::Sasl],
            &map.place,
        );
        let mechanisms = [
            Mechanism::Plain,
            Mechanism::ScramSha256,
            Mechanism::ScramSha512,
        ];
        let mechanism = self.choice(&sasl, "mechanism", &mechanisms);
        let username = self.value(&sasl, "username", value::text);
        let password = self.secret(&sasl, "password");
        if mechanism == Some(Mechanism::Plain) && !encrypted {
            let message = format!(
                "`{}` sends the password in plain text, as `tls` is off",
                sasl.label
            );
            let warning = Diagnostic::warning(code::CONFIG_CONFLICT, &sasl.place, message);
            self.problems.push(warning.with_help("write `tls: true`"));
        }
        Some(Sasl {
            mechanism: mechanism?,
            username: username?,
            password: password?,
        })
    }

    fn properties(&mut self, map: &Map<'_>) -> BTreeMap<String, String> {
        let mut read = BTreeMap::new();
        let Some(node) = map.get("properties") else {
            return read;
        };
        let label = map.full("properties");
        let Some(entries) = node.as_map() else {
            let message = format!("`{label}` must be a mapping, not {}", node.type_name());
            let help = "write each property with its value on a line of its own";
            self.advise(code::CONFIG_TYPE, &node.place, message, help);
            return read;
        };
        for (key, value) in entries {
            let name = key.as_text().unwrap_or_default();
            let kind = match value.value {
                Yaml::Int(_) => Kind::Number,
                Yaml::Float(_) => Kind::Share,
                Yaml::Bool(_) => Kind::Bool,
                _ => Kind::Text,
            };
            let Some(text) = self.scalar(value, &format!("{label}.{name}"), kind) else {
                continue;
            };
            if let Err(reason) = check_property(name, &text.text) {
                // What is refused may be a password.
                self.masked.push(value.place.span.clone());
                let message = format!("the property `{name}` is refused: {reason}");
                let help = "take it out, or say it by the option that there is for it";
                self.advise(code::CONFIG_VALUE, &key.place, message, help);
                continue;
            }
            self.entry(format!("{label}.{name}"), text.text.clone(), text.from);
            read.insert(name.to_owned(), text.text);
        }
        read
    }
}
