//! The rows.

use super::Default::{Absent, Required, Value};
use super::{Kind, Row, Section};

const fn row(
    section: Section,
    key: &'static str,
    kind: Kind,
    default: super::Default,
    what: &'static str,
) -> Row {
    Row {
        section,
        key,
        kind,
        default,
        what,
    }
}

/// Every option, by section.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    row(Section::Top, "rules", Kind::Nested("mapping, or list of paths"), Required, "Which rules are loaded. A list stands for `paths` alone."),
    row(Section::Top, "on_rule_error", Kind::Choice(&["skip", "refuse"]), Value("skip"), "What a rule that cannot be honoured does to the start: `skip` leaves it out, loudly, and the others go on; `refuse` starts nothing and exits with 2. A reload always refuses: the set that works stays. That goes for an error the start has skipped, too: until it is mended, or its rule is `disabled` or not wanted, no edit of any rule comes into force, as the log, `/readyz` and `palisade_rules_reload_failed` say."),
    row(Section::Top, "pipelines", Kind::Nested("mapping, or list of paths"), Absent("the built-in field map alone"), "Processing pipelines in pySigma's format that make rules fit the data. A list adds files to the built-in field map."),
    row(Section::Top, "reload", Kind::Nested("mapping"), Absent("the defaults below"), "When `run` reads rules, pipelines and lists again: after file events, on SIGHUP, and by looking now and then. A set with any error is refused and the one in force stays. This file itself is not read again."),
    row(Section::Top, "state", Kind::Nested("mapping"), Absent("the defaults below"), "The state directory, which holds matches, alerts and dead letters."),
    row(Section::Top, "snapshots", Kind::Nested("mapping"), Absent("the defaults below"), "How the state of correlations is kept, so that a start reads the newest part of the matches only. Losing all snapshots costs time at the next start, no alert, as long as the log still holds all matches."),
    row(Section::Top, "sources", Kind::Nested("list of mappings"), Required, "Where records come from; at least one."),
    row(Section::Top, "sinks", Kind::Nested("list of mappings"), Absent("none: alerts stay in the state directory"), "Where alerts go. Each sink has its own durable cursor: one that is down delays only itself."),
    row(Section::Top, "http", Kind::Nested("mapping"), Absent("the defaults below"), "Metrics and health."),
    row(Section::Top, "dead_letters", Kind::Nested("mapping"), Absent("the defaults below"), "What happens to records that cannot become events."),
    row(Section::Top, "lateness", Kind::Duration, Absent("each log type's own"), "How much later than the newest record of its source an event may arrive and still be counted in order by correlations. Longer holds more state; `0s` expects order."),
    row(Section::Top, "log", Kind::Nested("mapping"), Absent("the defaults below"), "The log of the process itself, on standard error. It never holds event content."),
    row(Section::Top, "check", Kind::Nested("mapping"), Absent("the defaults below"), "How `palisade check` judges this set. Nothing else reads it."),

    row(Section::Rules, "paths", Kind::Nested("list of paths or mappings"), Required, "Folders and files of rules, in load order; a mapping chooses among the rules of its path. Folders are read with all below them (`*.yml`, `*.yaml`; not `*.cases.yml`, `pipelines/`, `lists/`). A file that several paths reach is loaded once, as the first one wants it that wants it at all."),
    row(Section::Rules, "overrides", Kind::Nested("mapping from rule ids"), Absent("rules are as written"), "What holds for single rules in place of what they say. The key is the rule's id, or its name."),

    row(Section::RulePath, "path", Kind::Path, Required, "The folder or file."),
    row(Section::RulePath, "include", Kind::Texts, Absent("all files"), "Only files whose path, relative to the folder, one of these matches: `*` stands for any text within a name, `?` for one character, `**` for any folders; what matches a folder matches all below it. Others are not loaded, not even read, except that a correlation may refer to their rules."),
    row(Section::RulePath, "exclude", Kind::Texts, Absent("none"), "Files that are not loaded; wins over `include`. The same patterns."),
    row(Section::RulePath, "min_level", Kind::Choice(&["informational", "low", "medium", "high", "critical"]), Absent("all levels"), "Only rules of this level or above, as `overrides` have it. A rule without a level counts as `medium`, as its alerts do."),
    row(Section::RulePath, "status", Kind::Texts, Absent("all statuses"), "Only rules of these statuses: `stable`, `test`, `experimental`, `deprecated`, `unsupported`. A rule that states none is loaded."),

    row(Section::Override, "disabled", Kind::Bool, Absent("`false`"), "`true`: the rule, correlation or filter is not loaded, nor are problems with it reported. A correlation that refers to it cannot be honoured."),
    row(Section::Override, "level", Kind::Choice(&["informational", "low", "medium", "high", "critical"]), Absent("the rule's own"), "The level of the rule and of its alerts, and what `min_level` is held against. The rule's version stays the same. A rule with `level_from` still takes the field's value where there is one."),
    row(Section::Override, "suppress", Kind::Nested("`none`, or mapping"), Absent("the rule's own"), "How long repeats stay silent. `none` alerts every time."),

    row(Section::Suppress, "for", Kind::Duration, Required, "For so long after an alert, by event time."),
    row(Section::Suppress, "by", Kind::Texts, Absent("the rule's own"), "Fields by which repeats of a detection rule are told apart. A correlation is silent for its group and takes none."),

    row(Section::Pipelines, "default", Kind::Bool, Value("true"), "Whether the built-in field map for Azure logs applies. `false` when the rules are written for the records as they are."),
    row(Section::Pipelines, "files", Kind::Paths, Absent("none"), "Pipeline files on top, applied by ascending priority."),

    row(Section::Reload, "events", Kind::Bool, Value("true"), "Whether the file system's events are followed. They do not arrive from other machines, so not on network drives, and not everywhere in containers."),
    row(Section::Reload, "poll", Kind::DurationOrOff, Value("30s"), "How often the files are looked at, for where events do not arrive; only a change makes them be loaded. `off` or `0s`: never."),

    row(Section::State, "dir", Kind::Path, Value("state"), "The directory; made if it is not there, readable by its owner only, held by one process at a time. Put it on a disk that survives the process."),
    row(Section::State, "retention", Kind::Nested("mapping"), Absent("the defaults below"), "How long things stay. Matches stay for the longest timespan of a correlation and 24 hours, at least 7 days. What is not delivered is never trimmed."),
    row(Section::State, "max_bytes", Kind::Size, Value("20GiB"), "Size of the state at which delivered alerts and old dead letters go early; when that is not enough, sources pause as with a full disk. At least `64MiB`."),

    row(Section::Retention, "alerts", Kind::Duration, Value("30d"), "How long delivered alerts stay readable by `palisade alerts`. `0s` trims them once every sink has them."),
    row(Section::Retention, "dead", Kind::Duration, Value("30d"), "How long dead letters stay."),

    row(Section::Snapshots, "url", Kind::Text, Absent("the folder `snapshots` of `state.dir`"), "Where snapshots are kept: a folder on a local disk, as a path or as `file:///PATH`. The start tests that it creates a file once, and refuses one that does not. Snapshots quote events: keep them as close as the state."),
    row(Section::Snapshots, "interval", Kind::Duration, Value("60s"), "How often the state that changed is taken; earlier after a million matches. Shorter makes a start after a crash faster and writes more."),
    row(Section::Snapshots, "keep", Kind::Number, Value("3"), "How many snapshots of each of the 32 key partitions stay, at least 1. The newest that can be read is used; older ones are for when it is damaged. Matches are not trimmed above the oldest of them."),

    row(Section::Source, "name", Kind::Text, Required, "Unique among the sources, 1 to 64 of `a-z`, `0-9`, `_`, `-`. It is part of every event id: renaming a source makes new ids."),
    row(Section::Source, "type", Kind::Choice(&["kafka", "file"]), Required, "What kind of source."),
    row(Section::Source, "tenant", Kind::Text, Value("default"), "Whose data it is. Part of every id, so changing it while state exists is refused."),
    row(Section::Source, "unknown", Kind::Nested("mapping"), Absent("the defaults below"), "What happens to events of unknown type."),
    row(Section::Source, "logsource", Kind::Nested("mapping"), Absent("unknown events state none"), "The Sigma log source that events of unknown type state. Without one, every rule judges them."),

    row(Section::KafkaSource, "topics", Kind::Texts, Required, "Topics to read; at least one."),
    row(Section::KafkaSource, "group", Kind::Text, Required, "Consumer group. Its commits trail the state directory; do not share it with another program."),
    row(Section::KafkaSource, "start", Kind::Nested("`earliest`, `latest`, or mapping"), Required, "Where to begin in a partition that the group never read. There is no default, as `latest` can lose and `earliest` can flood."),
    row(Section::KafkaSource, "instance", Kind::Text, Absent("the source's name"), "Static member of the group (`group.instance.id`): a restart within the session time moves no partition. Must differ between processes that share a group."),

    row(Section::FileSource, "path", Kind::Paths, Required, "Files, folders (recursive) or `-` for standard input: NDJSON, JSON over many lines, gzip, zstd. Read once, from the start."),

    row(Section::Unknown, "judge", Kind::Choice(&["all", "none"]), Value("all"), "Whether every rule or no rule judges them. They are counted by category either way."),

    row(Section::Logsource, "product", Kind::Text, Absent("not stated"), "Sigma `product`."),
    row(Section::Logsource, "service", Kind::Text, Absent("not stated"), "Sigma `service`."),
    row(Section::Logsource, "category", Kind::Text, Absent("not stated"), "Sigma `category`."),

    row(Section::Start, "timestamp", Kind::Time, Required, "Begin with the first record at or after this time (RFC 3339), such as `2026-03-02T00:00:00Z`."),

    row(Section::Sink, "name", Kind::Text, Required, "Unique among the sinks, 1 to 64 of `a-z`, `0-9`, `_`, `-`. The cursor stands under it: a renamed sink begins anew."),
    row(Section::Sink, "type", Kind::Choice(&["stdout", "file", "kafka"]), Required, "What kind of sink."),

    row(Section::StdoutSink, "format", Kind::Choice(&["auto", "pretty", "ndjson"]), Value("auto"), "`pretty` for people, `ndjson` for programs; `auto` is pretty on a terminal."),

    row(Section::FileSink, "path", Kind::Path, Required, "The file; alerts are appended as NDJSON and are on disk before the cursor moves."),
    row(Section::FileSink, "rotate", Kind::Size, Value("256MiB"), "Size at which the file is set aside and a new one begun. `0` never rotates."),
    row(Section::FileSink, "keep", Kind::Number, Value("0"), "How many files that were set aside are kept. `0` keeps all."),

    row(Section::KafkaSink, "topic", Kind::Text, Required, "Topic that takes the alerts; the key of each is its dedupe key. It must exist or be created by the broker."),

    row(Section::KafkaClient, "brokers", Kind::Texts, Required, "Brokers to begin with, as `host:port`. Event Hubs: `NAMESPACE.servicebus.windows.net:9093`."),
    row(Section::KafkaClient, "tls", Kind::Nested("`true`, `false`, or mapping"), Absent("`false`"), "Whether to speak TLS. `true` trusts the system's certificate authorities. Certificates are always checked."),
    row(Section::KafkaClient, "sasl", Kind::Nested("mapping"), Absent("no login"), "How to log in."),
    row(Section::KafkaClient, "properties", Kind::Nested("mapping of text to text"), Absent("none"), "Further librdkafka properties, for tuning. Those that break a promise or open a door are refused by name."),

    row(Section::Tls, "ca", Kind::Path, Absent("the system's"), "Certificate authorities in PEM format to trust instead of the system's."),
    row(Section::Tls, "certificate", Kind::Path, Absent("none"), "Client certificate in PEM format; needs `key`."),
    row(Section::Tls, "key", Kind::Path, Absent("none"), "Private key in PEM format; needs `certificate`."),
    row(Section::Tls, "key_password", Kind::Secret, Absent("the key is not encrypted"), "Password of the private key."),

    row(Section::Sasl, "mechanism", Kind::Choice(&["plain", "scram-sha-256", "scram-sha-512"]), Required, "SASL mechanism. Event Hubs: `plain`."),
    row(Section::Sasl, "username", Kind::Text, Required, "User. Event Hubs: `$ConnectionString`."),
    row(Section::Sasl, "password", Kind::Secret, Required, "Password. Event Hubs: the connection string."),

    row(Section::Http, "listen", Kind::Address, Value("127.0.0.1:9600"), "Address of `/metrics`, `/livez` and `/readyz`. There is no login: keep it inside. Port `0` takes a free port."),

    row(Section::DeadLetters, "breaker", Kind::Nested("mapping"), Absent("the defaults below"), "When so much is parked for one reason that the line should stop: a changed schema must not pour a day of logs into the dead letters. A source that is held back goes on with one batch a window."),

    row(Section::Breaker, "share", Kind::Share, Value("5%"), "Share of the records within `window` that may be parked for one reason. `100%` never stops the line."),
    row(Section::Breaker, "window", Kind::Duration, Value("1m"), "Length of the window."),
    row(Section::Breaker, "min_records", Kind::Number, Value("100"), "Fewest records within the window for the share to count."),

    row(Section::Log, "format", Kind::Choice(&["pretty", "json"]), Value("pretty"), "`json` for collectors: one object a line."),
    row(Section::Log, "level", Kind::Text, Value("info"), "`error`, `warn`, `info`, `debug` or `trace`, or directives such as `info,palisade_ingest=debug`."),

    row(Section::Check, "levels", Kind::Nested("mapping of code to `off`, `info`, `warning`, `deny`"), Absent("each code's own"), "What becomes of the findings of a code, such as `{PAL1001: deny}`: left out, shown as information or as warning, or a reason to exit with 1. Errors have no level."),
];
