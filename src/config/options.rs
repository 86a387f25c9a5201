//! The table of options: what may be written where, its default, and what it does.
//!
//! Keys are checked against it, defaults are taken from it, and `docs/configuration.md` is written
//! from it, so that none of the three can differ.

/// A part of the file: a mapping with keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The file itself.
    Top,
    /// `rules:` as a mapping.
    Rules,
    /// An element of `rules.paths:` as a mapping.
    RulePath,
    /// What stands under a rule's id in `rules.overrides:`.
    Override,
    /// `suppress:` of an override as a mapping.
    Suppress,
    /// `pipelines:` as a mapping.
    Pipelines,
    /// `reload:`.
    Reload,
    /// `state:`.
    State,
    /// `state.retention:`.
    Retention,
    /// `snapshots:`.
    Snapshots,
    /// Every source.
    Source,
    /// Sources of type `kafka`.
    KafkaSource,
    /// Sources of type `file`.
    FileSource,
    /// `unknown:` of a source.
    Unknown,
    /// `logsource:` of a source.
    Logsource,
    /// `start:` of a Kafka source as a mapping.
    Start,
    /// Every sink.
    Sink,
    /// Sinks of type `stdout`.
    StdoutSink,
    /// Sinks of type `file`.
    FileSink,
    /// Sinks of type `kafka`.
    KafkaSink,
    /// What Kafka sources and sinks share.
    KafkaClient,
    /// `tls:` as a mapping.
    Tls,
    /// `sasl:`.
    Sasl,
    /// `http:`.
    Http,
    /// `dead_letters:`.
    DeadLetters,
    /// `dead_letters.breaker:`.
    Breaker,
    /// `log:`.
    Log,
    /// `check:`.
    Check,
}

impl Section {
    /// All sections with their headings, in the order of the reference.
    const ALL: [(Self, &'static str); 28] = [
        (Self::Top, "Top level"),
        (Self::Rules, "`rules` as a mapping"),
        (Self::RulePath, "`rules.paths[]` as a mapping"),
        (Self::Override, "`rules.overrides.<rule id>`"),
        (Self::Suppress, "`suppress` as a mapping"),
        (Self::Pipelines, "`pipelines`"),
        (Self::Reload, "`reload`"),
        (Self::State, "`state`"),
        (Self::Retention, "`state.retention`"),
        (Self::Snapshots, "`snapshots`"),
        (Self::Source, "`sources[]`: every source"),
        (Self::KafkaSource, "`sources[]` of `type: kafka`"),
        (Self::FileSource, "`sources[]` of `type: file`"),
        (Self::Unknown, "`sources[].unknown`"),
        (Self::Logsource, "`sources[].logsource`"),
        (Self::Start, "`sources[].start` as a mapping"),
        (Self::Sink, "`sinks[]`: every sink"),
        (Self::StdoutSink, "`sinks[]` of `type: stdout`"),
        (Self::FileSink, "`sinks[]` of `type: file`"),
        (Self::KafkaSink, "`sinks[]` of `type: kafka`"),
        (Self::KafkaClient, "Kafka sources and sinks alike"),
        (Self::Tls, "`tls` as a mapping"),
        (Self::Sasl, "`sasl`"),
        (Self::Http, "`http`"),
        (Self::DeadLetters, "`dead_letters`"),
        (Self::Breaker, "`dead_letters.breaker`"),
        (Self::Log, "`log`"),
        (Self::Check, "`check`"),
    ];
}

/// What is written as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A path, relative to the file's folder.
    Path,
    /// A duration such as `30d`.
    Duration,
    /// A duration, or `off`.
    DurationOrOff,
    /// A number of bytes such as `20GiB`.
    Size,
    /// A whole number.
    Number,
    /// A share such as `5%`.
    Share,
    /// `true` or `false`.
    Bool,
    /// An IP address and a port.
    Address,
    /// A point in time by RFC 3339.
    Time,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts; a single text stands for a list of one.
    Texts,
    /// A list of paths; a single path stands for a list of one.
    Paths,
    /// A secret.
    Secret,
    /// A mapping or a list with a section of its own, or as the description says.
    Nested(&'static str),
}

impl Kind {
    /// The kind in words.
    fn words(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Duration => "duration".to_owned(),
            Self::DurationOrOff => "duration or `off`".to_owned(),
            Self::Size => "size".to_owned(),
            Self::Number => "number".to_owned(),
            Self::Share => "share".to_owned(),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Address => "address".to_owned(),
            Self::Time => "time".to_owned(),
            Self::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                words.join(", ")
            }
            Self::Texts => "list of texts".to_owned(),
            Self::Paths => "list of paths".to_owned(),
            Self::Secret => "secret".to_owned(),
            Self::Nested(words) => words.to_owned(),
        }
    }
}

/// What holds when an option is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// It must be written.
    Required,
    /// There is no value; the text says what that means.
    Absent(&'static str),
    /// This, as if it were written.
    Value(&'static str),
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Where it may be written.
    pub section: Section,
    /// Its key.
    pub key: &'static str,
    /// What is written.
    pub kind: Kind,
    /// What holds when it is not.
    pub default: Default,
    /// What it does, its edge values, who changes it and what for.
    pub what: &'static str,
}

mod table;

pub use table::ROWS;

/// The row of a key in one of these sections.
pub fn row(sections: &[Section], key: &str) -> Option<&'static Row> {
    ROWS.iter()
        .find(|row| row.key == key && sections.contains(&row.section))
}

/// Whether a mapping of these sections may hold a secret.
pub fn hold_secret(sections: &[Section]) -> bool {
    ROWS.iter()
        .any(|row| sections.contains(&row.section) && matches!(row.kind, Kind::Secret))
}

/// The keys that may be written in a mapping of these sections.
pub fn keys(sections: &[Section]) -> impl Iterator<Item = &'static str> {
    let sections = sections.to_vec();
    ROWS.iter()
        .filter(move |row| sections.contains(&row.section))
        .map(|row| row.key)
}

const HEAD: &str = "\
# Configuration

<!-- Generated from `src/config/options/table.rs` by `PALISADE_UPDATE_DOCS=1 cargo test`. -->

One YAML file, by default `palisade.yaml`. Every key is checked: an unknown one is an error, and
`palisade check -c FILE` shows everything that is wrong at once, with its place. `palisade config show
-c FILE` prints what is in effect and where each value comes from.

```yaml
rules: [detections]                 # folders or files
state: {dir: ./state}
sources:
  - {name: hub, type: kafka, brokers: [\"127.0.0.1:9092\"], topics: [azure-logs], group: palisade, start: earliest}
sinks:
  - {name: alerts, type: file, path: alerts.ndjson}
  - {name: bus, type: kafka, brokers: [\"127.0.0.1:9092\"], topic: palisade-alerts}
http: {listen: \"127.0.0.1:9600\"}
```

Which rules are loaded can be said more closely, for each path and for single rules:

```yaml
rules:
  paths:
    - detections                                    # all of it
    - path: sigma/rules                             # of this
      include: [cloud/azure, \"windows/**/*kerberos*\"]
      exclude: [\"**/experimental\"]
      min_level: high
      status: [stable, test]
  overrides:
    0f6c8f0e-3f0c-4f67-a0a5-5b0a6d1f7f21: {level: critical}
    6b1c8a3d-7a52-4f3c-9a56-0f5d0c3b7e42: {disabled: true}
    password_spray: {suppress: {for: 1d}}
on_rule_error: refuse
```

`palisade rules` shows what comes of it. A rule that is left out but that a wanted correlation refers to is
loaded for it, and never alerts on its own; a rule that only correlations refer to which are left out goes
with them.

- **Paths** are relative to the folder of the configuration file.
- **Durations** are a whole number and `ms`, `s`, `m`, `h`, `d` or `w`: `90s`, `10m`, `30d`.
- **Sizes** are a whole number, alone or with `kB`, `MB`, `GB`, `TB` (powers of 1000) or `KiB`, `MiB`,
  `GiB`, `TiB` (powers of 1024).
- **`${NAME}`** inside any scalar value is replaced by that variable of the environment; a variable that
  is not set is an error. `$${` stands for `${`. Keys are never replaced. Inside `{…}` and `[…]` YAML
  wants quotes around it.
- **Secrets** are never written into the file. Four forms name where a secret stands: `{env: NAME}`,
  `${NAME}`, `{file: PATH}` and `file:PATH`. A line break at the end of the file is not part of the secret.
- **`PALISADE_HTTP_LISTEN`** in the environment overrides `http.listen`.
";

const TABLE_HEAD: &str = "| key | value | default | what it does |\n| --- | --- | --- | --- |\n";

/// The reference as a page.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for (section, heading) in Section::ALL {
        page.extend(["\n## ", heading, "\n\n", TABLE_HEAD]);
        for row in ROWS.iter().filter(|row| row.section == section) {
            let default = match row.default {
                Default::Required => "must be given".to_owned(),
                Default::Absent(text) => text.to_owned(),
                Default::Value(text) => format!("`{text}`"),
            };
            let kind = row.kind.words().replace('|', "\\|");
            let line = format!("| `{}` | {kind} | {default} | {} |\n", row.key, row.what);
            page.push_str(&line);
        }
    }
    page
}
