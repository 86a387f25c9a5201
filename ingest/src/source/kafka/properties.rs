//! Which librdkafka properties a configuration may set.

/// Properties that are refused whatever their value, with the reason.
const REFUSED: [(&str, &str); 39] = [
    (
        "acks",
        "alerts count as delivered only when all replicas have them",
    ),
    (
        "allow.auto.create.topics",
        "a misspelt topic would be created instead of reported",
    ),
    (
        "auto.commit.enable",
        "positions are committed only when outputs are durable",
    ),
    (
        "auto.commit.interval.ms",
        "positions are committed only when outputs are durable",
    ),
    (
        "auto.offset.reset",
        "an unknown position is an error to decide, not a silent jump",
    ),
    ("bootstrap.servers", "use the key `brokers`"),
    (
        "debug",
        "its output holds what requests carry, passwords among them",
    ),
    ("default_topic_conf", "it is no text"),
    (
        "enable.auto.commit",
        "positions are committed only when outputs are durable",
    ),
    (
        "enable.auto.offset.store",
        "positions are committed only when outputs are durable",
    ),
    (
        "enable.idempotence",
        "a retried alert would be written twice or out of order",
    ),
    (
        "enable.partition.eof",
        "the end of a partition is asked for explicitly",
    ),
    (
        "enable.sasl.oauthbearer.unsecure.jwt",
        "tokens without a signature prove nothing",
    ),
    ("group.id", "use the key `group`"),
    ("group.instance.id", "use the key `instance`"),
    (
        "group.protocol",
        "positions on a rebalance are handled for the classic protocol only",
    ),
    ("interceptors", "it is no text"),
    (
        "isolation.level",
        "records of aborted transactions must not raise alerts",
    ),
    ("metadata.broker.list", "use the key `brokers`"),
    (
        "offset.store.method",
        "positions are committed only when outputs are durable",
    ),
    ("offset.store.path", "it writes files of its own"),
    ("opaque", "it is no text"),
    (
        "partition.assignment.strategy",
        "rebalances are handled for cooperative-sticky only",
    ),
    ("plugin.library.paths", "it loads code into the process"),
    (
        "request.required.acks",
        "alerts count as delivered only when all replicas have them",
    ),
    ("sasl.mechanism", "use the key `sasl`"),
    ("sasl.mechanisms", "use the key `sasl`"),
    (
        "sasl.password",
        "passwords are only taken as secrets, under the key `sasl`",
    ),
    ("sasl.username", "use the key `sasl`"),
    (
        "security.protocol",
        "it follows from the keys `tls` and `sasl`",
    ),
    ("ssl.ca.location", "use the key `tls`"),
    ("ssl.certificate.location", "use the key `tls`"),
    ("ssl.key.location", "use the key `tls`"),
    (
        "ssl.key.password",
        "passwords are only taken as secrets, under the key `tls`",
    ),
    (
        "ssl.key.pem",
        "a private key in plain text; use the key `tls`",
    ),
    ("ssl.providers", "it loads code into the process"),
    (
        "topic.blacklist",
        "topics are named one by one under the key `topics`",
    ),
    (
        "transaction.timeout.ms",
        "alerts are delivered at least once, without transactions",
    ),
    (
        "transactional.id",
        "alerts are delivered at least once, without transactions",
    ),
];

/// Beginnings of names that are refused whatever their value, with the reason.
const REFUSED_BEGINNINGS: [(&str, &str); 6] = [
    (
        "sasl.kerberos.",
        "it runs commands, and Kerberos is not supported",
    ),
    (
        "sasl.oauthbearer.",
        "it sends secrets to addresses of its own; use the key `sasl`",
    ),
    ("ssl.engine.", "it loads code into the process"),
    (
        "ssl.keystore.",
        "its password would stand in plain text; use the key `tls`",
    ),
    ("ssl_engine_", "it loads code into the process"),
    ("test.", "it replaces the broker by a simulation"),
];

/// Whether the configuration of a Kafka source or sink may set `name` to `value`.
///
/// # Errors
/// The reason, when the property would break a promise of delivery, switch off a check, or open a
/// door to files, commands or secrets. Whether the name exists is not judged here.
pub fn check_property(name: &str, value: &str) -> Result<(), String> {
    let lower = name.trim().to_ascii_lowercase();
    let whole = REFUSED.iter().find(|(refused, _)| *refused == lower);
    let begun = || {
        REFUSED_BEGINNINGS
            .iter()
            .find(|(refused, _)| lower.starts_with(refused))
    };
    if let Some((_, reason)) = whole.or_else(begun) {
        return Err((*reason).to_owned());
    }
    let value = value.trim().to_ascii_lowercase();
    let is_true = matches!(value.as_str(), "true" | "t" | "1");
    match lower.as_str() {
        "enable.ssl.certificate.verification" if !is_true => {
            Err("anyone could pose as the broker".to_owned())
        }
        "ssl.endpoint.identification.algorithm" if value != "https" => {
            Err("any certificate of the authority could pose as the broker".to_owned())
        }
        // Names of callbacks: librdkafka takes pointers there.
        name if name.ends_with("_cb") => Err("it is no text".to_owned()),
        name if ["password", "secret", "jaas"]
            .iter()
            .any(|word| name.contains(word)) =>
        {
            Err("passwords are only taken as secrets".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_promise_or_opens_a_door_is_refused() {
        let cases = [
            ("enable.auto.commit", "true", "durable"),
            ("Enable.Auto.Commit", "false", "durable"),
            ("auto.offset.reset", "latest", "silent jump"),
            ("plugin.library.paths", "evil.so", "loads code"),
            ("ssl.engine.location", "evil.so", "loads code"),
            ("sasl.kerberos.kinit.cmd", "touch /tmp/x", "runs commands"),
            ("sasl.password", "hunter2", "secrets"),
            ("sasl.oauthbearer.client.secret", "hunter2", "secrets"),
            ("ssl.keystore.password", "hunter2", "plain text"),
            ("https.proxy.password", "hunter2", "secrets"),
            ("sasl.jaas.config", "password=hunter2", "secrets"),
            ("enable.ssl.certificate.verification", "FALSE", "pose"),
            ("enable.ssl.certificate.verification", "0", "pose"),
            ("ssl.endpoint.identification.algorithm", "none", "pose"),
            ("isolation.level", "read_uncommitted", "aborted"),
            ("test.mock.num.brokers", "3", "simulation"),
            ("rebalance_cb", "0x0", "no text"),
        ];
        for (name, value, part) in cases {
            let reason = check_property(name, value).expect_err(name);
            assert!(reason.contains(part), "{name}: {reason}");
        }
    }

    #[test]
    fn what_tunes_the_client_is_taken() {
        let cases = [
            ("session.timeout.ms", "30000"),
            ("fetch.wait.max.ms", "100"),
            ("compression.type", "gzip"),
            ("enable.ssl.certificate.verification", "true"),
            ("ssl.endpoint.identification.algorithm", "https"),
        ];
        for (name, value) in cases {
            assert_eq!(check_property(name, value), Ok(()), "{name}");
        }
    }

    #[test]
    fn the_tables_are_sorted_and_in_lower_case() {
        assert!(REFUSED.is_sorted() && REFUSED_BEGINNINGS.is_sorted());
        let names = REFUSED.iter().chain(&REFUSED_BEGINNINGS);
        assert!(
            names
                .into_iter()
                .all(|(name, _)| *name == name.to_ascii_lowercase())
        );
    }
}
