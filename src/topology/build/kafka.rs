//! Kafka clients as configured, in the words of sinks.

use palisade_sinks::kafka as to;

use crate::config::KafkaClient;

/// A sink's client: the producer takes librdkafka's own names.
pub(super) fn sink(client: &KafkaClient, topic: &str) -> to::KafkaConfig {
    let mut properties: Vec<(String, String)> = client
        .properties
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut set = |name: &str, value: String| properties.push((name.to_owned(), value));
    set("security.protocol", protocol(client).to_owned());
    if let Some(tls) = &client.tls {
        let files = [
            ("ssl.ca.location", &tls.ca),
            ("ssl.certificate.location", &tls.certificate),
            ("ssl.key.location", &tls.key),
        ];
        for (name, path) in files {
            if let Some(path) = path {
                set(name, path.to_string_lossy().into_owned());
            }
        }
        if let Some(password) = &tls.key_password {
            set("ssl.key.password", password.expose().to_owned());
        }
    }
    if let Some(sasl) = &client.sasl {
        set("sasl.mechanism", sasl.mechanism.as_str().to_owned());
        set("sasl.username", sasl.username.clone());
        set("sasl.password", sasl.password.expose().to_owned());
    }
    to::KafkaConfig {
        brokers: client.brokers.clone(),
        topic: topic.to_owned(),
        properties,
    }
}

fn protocol(client: &KafkaClient) -> &'static str {
    match (&client.tls, &client.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    }
}
