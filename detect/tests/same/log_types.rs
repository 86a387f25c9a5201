//! Log types with every reading, at the top, below it and over each other; and log sources.

use palisade_detect::event::{Column, ColumnReading, EntityKind, EntityPath, LogType, Reading};
use palisade_detect::logsource::Logsource;
use palisade_detect::time::Span;

/// The log types.
pub(crate) static ALL: [&LogType; 6] = [&PLAIN, &FOLDED, &NESTED, &TEXTS, &READ, &CROWDED];

/// As it stands.
pub(crate) static PLAIN: LogType = of("plain", &[]);

/// Keys of the event vary in case.
static FOLDED: LogType = of("folded", &[("", Reading::KeysFoldCase)]);

/// Keys below some members vary in case.
static NESTED: LogType = of(
    "nested",
    &[
        ("a", Reading::KeysFoldCase),
        ("b.c", Reading::KeysFoldCase),
        ("a.b", Reading::KeysFoldCase),
    ],
);

/// JSON stands inside text.
static TEXTS: LogType = of(
    "texts",
    &[
        ("a", Reading::JsonText),
        ("b", Reading::JsonText),
        ("a.b", Reading::JsonText),
        ("b.c", Reading::JsonText),
        ("properties", Reading::JsonText),
    ],
);

/// Times and addresses in odd forms.
static READ: LogType = of(
    "read",
    &[
        ("t", Reading::Time),
        ("a.t", Reading::Time),
        ("ip", Reading::Address),
        ("a.ip", Reading::Address),
        ("user", Reading::Address),
    ],
);

/// Everything at once.
static CROWDED: LogType = of(
    "crowded",
    &[
        ("", Reading::KeysFoldCase),
        ("properties", Reading::JsonText),
        ("properties", Reading::KeysFoldCase),
        ("A", Reading::JsonText),
        ("a.b", Reading::KeysFoldCase),
        ("a.b", Reading::JsonText),
        ("ip", Reading::Address),
        ("ip", Reading::JsonText),
        ("properties.t", Reading::Time),
        ("t", Reading::Time),
    ],
);

const ENTITIES: &[EntityPath] = &[
    entity(EntityKind::Account, "actor", "upn", "user"),
    entity(EntityKind::Ip, "source", "address", "ip"),
    entity(EntityKind::AzureResource, "target", "resource_id", "a.b"),
];

const fn of(name: &'static str, readings: &'static [(&'static str, Reading)]) -> LogType {
    LogType {
        name,
        logsources: &[],
        event_time: &["t"],
        entities: ENTITIES,
        readings,
        content_key: Some("b"),
        lateness: Span::ZERO,
    }
}

const fn entity(
    kind: EntityKind,
    role: &'static str,
    id: &'static str,
    path: &'static str,
) -> EntityPath {
    EntityPath {
        kind,
        role,
        id,
        path,
    }
}

/// Columns of flow tuples; names of members are among them.
pub(crate) static COLUMNS: [Column; 7] = [
    column("t", ColumnReading::UnixSeconds),
    column("ip", ColumnReading::Text),
    column("n", ColumnReading::Integer),
    column("user", ColumnReading::Text),
    column("c", ColumnReading::Word(&[("T", "tcp"), ("6", "tcp")])),
    column("a", ColumnReading::UnixMilliseconds),
    column("a.b", ColumnReading::Text),
];

const fn column(name: &'static str, reading: ColumnReading) -> Column {
    Column { name, reading }
}

/// Log sources that events state and rules ask for.
pub(crate) static LOGSOURCES: [Logsource; 5] = [
    Logsource {
        product: None,
        service: None,
        category: None,
    },
    Logsource {
        product: Some(std::borrow::Cow::Borrowed("p")),
        service: None,
        category: None,
    },
    Logsource::of("p", "s"),
    Logsource::of_category("p", "s", "c"),
    Logsource::of("q", "s"),
];
