use std::path::Path;

use palisade_detect::diagnostic::Color;
use palisade_detect::rule::{Level, Status, Suppress};
use palisade_detect::time::Span;

use super::client::Mechanism;
use super::load::{Findings, Loaded, parse};
use super::options::{Default, Kind, ROWS, Section, keys, reference};
use super::reader::From;
use super::{LogFormat, OnRuleError, SinkKind, SourceKind, Start, show};
use crate::page;
use crate::topology::stage::UnknownPolicy;

/// The example of the reference.
const EXAMPLE: &str = "\
rules: [detections]
state: {dir: ./state}
sources:
  - {name: hub, type: kafka, brokers: [\"127.0.0.1:9092\"], topics: [azure-logs], group: palisade, start: earliest}
sinks:
  - {name: alerts, type: file, path: alerts.ndjson}
  - {name: bus, type: kafka, brokers: [\"127.0.0.1:9092\"], topic: palisade-alerts}
http: {listen: \"127.0.0.1:9600\"}
";

fn variables(name: &str) -> Option<String> {
    match name {
        "HUB" => Some("hub.example.org".to_owned()),
        "MAX" => Some("128MiB".to_owned()),
        "PASSWORD" => Some("hunter2-from-environment".to_owned()),
        _ => None,
    }
}

fn load(text: &str) -> Result<Loaded, Findings> {
    parse(
        "palisade.yaml",
        text.as_bytes(),
        Path::new("/etc/palisade"),
        &variables,
    )
}

fn problems(text: &str) -> String {
    load(text)
        .expect_err("the configuration is wrong")
        .render(Color::Never)
}

#[test]
fn example_of_the_reference_is_read_with_its_defaults() {
    assert!(reference().contains(EXAMPLE.lines().nth(1).expect("a second line")));
    let loaded =
        load(EXAMPLE).unwrap_or_else(|findings| panic!("{}", findings.render(Color::Never)));
    let config = loaded.config;
    assert_eq!(
        config.rules.paths[0].path,
        Path::new("/etc/palisade/detections")
    );
    assert!(config.pipelines.default && config.pipelines.files.is_empty());
    assert_eq!(config.state.dir, Path::new("/etc/palisade/state"));
    assert_eq!(
        config.state.retention_alerts,
        Span::from_seconds(30 * 86_400)
    );
    assert_eq!(config.state.max_bytes, 20 << 30);
    assert_eq!(config.http_listen.to_string(), "127.0.0.1:9600");
    assert_eq!(
        (config.breaker.share, config.breaker.records_min),
        (0.05, 100)
    );
    assert_eq!(
        (config.lateness, config.log.format),
        (None, LogFormat::Pretty)
    );
    let poll = Some(Span::from_seconds(30));
    assert_eq!(config.reload, super::Reload { events: true, poll });
    let [hub] = config.sources.as_slice() else {
        panic!("one source")
    };
    assert_eq!((hub.name.as_str(), hub.tenant.as_str()), ("hub", "default"));
    assert_eq!(hub.unknown, UnknownPolicy::JudgeAll);
    let SourceKind::Kafka(kafka) = &hub.kind else {
        panic!("a Kafka source")
    };
    assert_eq!(
        (kafka.start, kafka.instance.as_str()),
        (Start::Earliest, "hub")
    );
    assert!(kafka.client.tls.is_none() && kafka.client.sasl.is_none());
    let SinkKind::File {
        path,
        rotate_bytes,
        keep,
    } = &config.sinks[0].kind
    else {
        panic!("a file")
    };
    assert_eq!(path, Path::new("/etc/palisade/alerts.ndjson"));
    assert_eq!((*rotate_bytes, *keep), (Some(256 << 20), None));
    assert!(
        matches!(&config.sinks[1].kind, SinkKind::Kafka { topic, .. } if topic == "palisade-alerts")
    );
}

#[test]
fn choice_of_the_reference_is_read() {
    let reference = reference();
    let mut blocks = reference.split("```yaml\n").skip(2);
    let block = blocks.next().and_then(|rest| rest.split("```").next());
    let text =
        block.expect("a second example").to_owned() + "sources: [{name: f, type: file, path: x}]\n";
    let loaded = load(&text).unwrap_or_else(|findings| panic!("{}", findings.render(Color::Never)));
    let rules = loaded.config.rules;
    let [all, some] = rules.paths.as_slice() else {
        panic!("two paths")
    };
    assert_eq!(all.path, Path::new("/etc/palisade/detections"));
    assert!(all.include.is_empty() && all.min_level.is_none());
    assert_eq!((some.include.len(), some.exclude.len()), (2, 1));
    assert_eq!(some.min_level, Some(Level::High));
    assert_eq!(some.status, [Status::Stable, Status::Test]);
    let [raised, gone, spray] = rules.overrides.as_slice() else {
        panic!("three overrides")
    };
    assert_eq!(
        (raised.level, raised.disabled),
        (Some(Level::Critical), false)
    );
    assert!(gone.disabled);
    let day = Span::from_seconds(86_400);
    assert_eq!(spray.suppress, Some(Suppress::For(day)));
    assert_eq!(rules.on_error, OnRuleError::Refuse);
}

#[test]
fn every_option_of_every_kind_is_read() {
    let loaded = load(
        "rules: detections
pipelines: {default: false, files: [a.yml]}
state: {max_bytes: \"${MAX}\", retention: {alerts: 1d, dead: 0s}}
lateness: 5m
reload: {events: false, poll: off}
log: {format: json, level: 'info,rdkafka=warn'}
dead_letters: {breaker: {share: 0.1, window: 10s, min_records: 5}}
sources:
  - name: eh
    type: kafka
    brokers: '${HUB}:9093'
    topics: [a, b]
    group: $Default
    instance: pod-1
    start: {timestamp: '2026-03-02T00:00:00Z'}
    tenant: acme
    unknown: {judge: none}
    logsource: {product: azure, service: signinlogs}
    tls: {ca: ca.pem, certificate: c.pem, key: k.pem}
    sasl: {mechanism: plain, username: $ConnectionString, password: {env: PASSWORD}}
    properties: {session.timeout.ms: 30000, client.id: 'p$${x}'}
  - {name: files, type: file, path: ['-', logs]}
sinks:
  - {name: out, type: stdout, format: ndjson}
  - {name: f, type: file, path: /var/a.ndjson, rotate: 0, keep: 3}
",
    )
    .unwrap_or_else(|findings| panic!("{}", findings.render(Color::Never)));
    let config = loaded.config;
    assert!(!config.pipelines.default);
    assert_eq!(config.state.max_bytes, 128 << 20);
    assert_eq!(config.lateness, Some(Span::from_seconds(300)));
    let (events, poll) = (false, None);
    assert_eq!(config.reload, super::Reload { events, poll });
    let SourceKind::Kafka(kafka) = &config.sources[0].kind else {
        panic!("a Kafka source")
    };
    assert_eq!(kafka.client.brokers, ["hub.example.org:9093"]);
    assert!(
        matches!(kafka.start, Start::Timestamp(time) if time.to_string().starts_with("2026-03-02T00"))
    );
    let sasl = kafka.client.sasl.as_ref().expect("a login");
    assert_eq!(
        (sasl.mechanism, sasl.password.expose()),
        (Mechanism::Plain, "hunter2-from-environment")
    );
    assert_eq!(kafka.client.properties["client.id"], "p${x}");
    assert_eq!(kafka.client.properties["session.timeout.ms"], "30000");
    assert_eq!(config.sources[0].unknown, UnknownPolicy::JudgeNone);
    let SourceKind::File { paths } = &config.sources[1].kind else {
        panic!("a file source")
    };
    assert_eq!(paths, &[Path::new("-"), Path::new("/etc/palisade/logs")]);
    assert!(matches!(
        config.sinks[1].kind,
        SinkKind::File {
            rotate_bytes: None,
            keep: Some(3),
            ..
        }
    ));
}

#[test]
fn all_problems_are_shown_at_once_with_their_places() {
    insta::assert_snapshot!(problems(
        "rules: []
stat: {dir: ./state}
state: {dir: ./state, max_bytes: 20Gb, retention: {alert: 30d}}
sources:
  - {name: hub, type: kafka, brokers: [\"127.0.0.1\"], topics: [azure-logs], group: palisade}
  - {name: hub, type: file, path: \"${LOGS}/in\", unknown: {judge: some}}
  - {name: Other, type: kafak}
sinks:
  - {name: alerts, type: file, path: 7, rotate: tiny}
  - nonsense
http: {listen: \"localhost:9600\"}
lateness: soon
"
    ));
}

#[test]
fn file_that_is_no_mapping_is_one_problem() {
    assert!(problems("").contains("the configuration is empty"));
    assert!(problems("- rules").contains("the configuration must be a mapping, not a list"));
    assert!(problems("a: 1\n---\nb: 2\n").contains("one YAML document"));
    assert!(problems("rules: [a\n").contains("PAL0101"));
}

#[test]
fn password_in_plain_text_is_refused_and_not_shown() {
    let with = |password: &str| {
        format!(
            "rules: [r]\nsources:\n  - {{name: hub, type: kafka, brokers: ['b:1'], topics: [t], group: g, start: latest, tls: true, sasl: {{mechanism: plain, username: u, password: {password}}}}}\n"
        )
    };
    for plain in [
        "hunter2",
        "'hunter2'",
        "[hunter2]",
        "{value: hunter2}",
        "'x${PASSWORD}'",
    ] {
        let shown = problems(&with(plain));
        assert!(
            shown.contains("must not be written here in plain text"),
            "{shown}"
        );
        assert!(
            !shown.contains("hunter2") && !shown.contains("from-environment"),
            "{shown}"
        );
    }
    for secret in ["'${PASSWORD}'", "{env: PASSWORD}"] {
        let loaded = load(&with(secret)).unwrap_or_else(|f| panic!("{}", f.render(Color::Never)));
        let seen = format!(
            "{:?}{}{}",
            loaded,
            show::text(&loaded.entries),
            show::json(&loaded.entries)
        );
        assert!(!seen.contains("hunter2"), "{seen}");
        assert!(seen.contains("*** (environment PASSWORD)"), "{seen}");
    }
    let shown = problems(&with("'${NOWHERE}'"));
    assert!(shown.contains("`NOWHERE` is not set"), "{shown}");
    let broken = problems("sasl: {password: hunter2\nrules: [");
    assert!(!broken.contains("hunter2"), "{broken}");
}

#[test]
fn secret_file_is_read_without_its_line_break() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("pw"), "hunter2\r\n").expect("a file");
    std::fs::write(dir.path().join("empty"), "\n").expect("a file");
    let with = |form: &str| {
        let text = format!(
            "rules: [r]\nsources:\n  - {{name: hub, type: kafka, brokers: ['b:1'], topics: [t], group: g, start: latest, tls: true, sasl: {{mechanism: scram-sha-512, username: u, password: {form}}}}}\n"
        );
        parse("palisade.yaml", text.as_bytes(), dir.path(), &variables)
    };
    for form in ["'file:pw'", "{file: pw}"] {
        let loaded = with(form).unwrap_or_else(|f| panic!("{}", f.render(Color::Never)));
        let SourceKind::Kafka(kafka) = &loaded.config.sources[0].kind else {
            panic!("Kafka")
        };
        let sasl = kafka.client.sasl.as_ref().expect("a login");
        assert_eq!(sasl.password.expose(), "hunter2");
        assert!(!format!("{loaded:?}").contains("hunter2"));
    }
    for (form, part) in [
        ("{file: none}", "cannot read"),
        ("{file: empty}", "is empty"),
    ] {
        let shown = with(form).expect_err("it is wrong").render(Color::Never);
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn environment_overrides_the_address_and_says_so() {
    let environment =
        |name: &str| (name == "PALISADE_HTTP_LISTEN").then(|| "0.0.0.0:80".to_owned());
    let loaded = parse("p.yaml", EXAMPLE.as_bytes(), Path::new(""), &environment)
        .unwrap_or_else(|f| panic!("{}", f.render(Color::Never)));
    assert_eq!(loaded.config.http_listen.to_string(), "0.0.0.0:80");
    let shown = show::text(&loaded.entries);
    assert!(
        shown.contains("environment PALISADE_HTTP_LISTEN"),
        "{shown}"
    );
    let wrong = |name: &str| (name == "PALISADE_HTTP_LISTEN").then(|| "everywhere".to_owned());
    let findings = parse("p.yaml", EXAMPLE.as_bytes(), Path::new(""), &wrong).expect_err("wrong");
    assert!(
        findings
            .render(Color::Never)
            .contains("`PALISADE_HTTP_LISTEN` in the environment")
    );
}

#[test]
fn variables_outside_of_values_and_broken_ones_are_problems() {
    let with = |dir: &str| problems(&EXAMPLE.replace("./state", dir));
    assert!(with("'${NOWHERE}/x'").contains("`NOWHERE` is not set"));
    assert!(with("'${NO WHERE}'").contains("write `$${`"));
    assert!(with("'a${'").contains("write `$${`"));
    assert!(problems(&format!("{EXAMPLE}\"${{HUB}}\": 1\n")).contains("unknown key `${HUB}`"));
}

#[test]
fn refused_properties_are_named_with_the_reason_and_their_value_is_masked() {
    let text = EXAMPLE.replace(
        "start: earliest",
        "start: earliest, properties: {enable.auto.commit: true, sasl.password: hunter2}",
    );
    let shown = problems(&text);
    assert!(
        shown.contains("the property `enable.auto.commit` is refused"),
        "{shown}"
    );
    assert!(
        shown.contains("the property `sasl.password` is refused"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_password_under_a_misspelt_key_or_in_an_address_is_never_shown() {
    let text = EXAMPLE.replace(
        "start: earliest",
        "start: earliest, tls: true, sasl: {mechanism: plain, username: u, pasword: hunter2}",
    );
    let shown = problems(&text);
    assert!(shown.contains("unknown key `pasword`"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(super::value::broker("user:hunter2@broker.example.org:9092").is_err());
}

#[test]
fn effective_configuration_names_every_origin() {
    let loaded = load(EXAMPLE).unwrap_or_else(|f| panic!("{}", f.render(Color::Never)));
    insta::assert_snapshot!(show::text(&loaded.entries));
}

#[test]
fn every_default_of_the_table_is_a_value_its_option_takes() {
    let loaded = load(
        "rules: [r]
sources: [{name: f, type: file, path: x}]
sinks: [{name: f, type: file, path: x}, {name: o, type: stdout}]
",
    )
    .unwrap_or_else(|f| panic!("{}", f.render(Color::Never)));
    let defaults = loaded
        .entries
        .iter()
        .filter(|entry| matches!(entry.from, From::Default));
    let valued = ROWS
        .iter()
        .filter(|row| matches!(row.default, Default::Value(_)));
    assert_eq!(defaults.count(), valued.count());
}

#[test]
fn keys_of_a_mapping_are_unambiguous_and_explained() {
    let together: [&[Section]; 7] = [
        &[Section::Top],
        &[Section::Source, Section::KafkaSource, Section::KafkaClient],
        &[Section::Source, Section::FileSource],
        &[Section::Sink, Section::StdoutSink],
        &[Section::Sink, Section::FileSink],
        &[Section::Sink, Section::KafkaSink, Section::KafkaClient],
        &[Section::Breaker],
    ];
    for sections in together {
        let mut names: Vec<_> = keys(sections).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "{sections:?}");
    }
    for row in ROWS {
        assert!(
            row.what.ends_with('.') && !row.what.contains('|'),
            "{}",
            row.key
        );
        let required = matches!(row.default, Default::Required);
        assert!(!(required && matches!(row.kind, Kind::Bool)), "{}", row.key);
    }
}

#[test]
fn the_page_of_options_is_up_to_date() {
    page::compare("docs/configuration.md", &reference());
}
