//! The table of log types: one row each, in one file a family of services.
//!
//! A row says how a record is recognised ([`When`]) and, in its [`LogType`], everything that data
//! can say about its events. Formats and irregularities: `azure-logs.md` sections 2 to 12.
//!
//! Rows are tried in order and the first that holds counts, so a special kind stands before its
//! general one. Names of columns in Log Analytics rows differ from the record's, so a table that
//! repeats a log has a row of its own (`…_table`), with the same log source.

use std::borrow::Cow;
use std::cell::OnceCell;

use palisade_detect::event::{EntityKind, EntityPath, LogType, Reading};
use palisade_detect::time::Span;

use crate::members::Members;

pub mod activity;
pub mod defender;
pub mod entra;
pub mod flow;
pub mod guest;
pub mod page;
pub mod resource;
pub mod xdr;
mod table;

pub(crate) use table::{names, recognise, searcher};

/// An event of no known type: it states no log source, so no rule is pruned for it.
pub static UNKNOWN: LogType = LogType {
    name: "unknown",
    logsources: &[],
    event_time: &["time", "TimeGenerated", "timestamp", "timeStamp"],
    entities: &[],
    readings: KEYS_FOLD_CASE,
    content_key: None,
    lateness: MINUTES_5,
};

/// A record in the common shape of a service that has no row. Its log source is `azure` and the
/// category in lower case.
pub static RESOURCE_LOG: LogType = LogType {
    name: "azure_resource_log",
    logsources: &[AZURE],
    event_time: &[
        "time",
        "timestamp",
        "timeStamp",
        "EventTimeString",
        "TimeGenerated",
    ],
    entities: &[
        entity(EntityKind::Ip, "source", "address", "callerIpAddress"),
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "resourceId",
        ),
    ],
    readings: &[
        ("", Reading::KeysFoldCase),
        ("callerIpAddress", Reading::Address),
        ("properties", Reading::JsonText),
        ("time", Reading::Time),
    ],
    content_key: None,
    lateness: MINUTES_10,
};

/// A row of a Log Analytics table that has no row here. Its log source is `azure` and the table's
/// name in lower case.
pub static LOG_ANALYTICS: LogType = LogType {
    name: "log_analytics",
    logsources: &[AZURE],
    event_time: &["TimeGenerated"],
    entities: &[
        entity(EntityKind::Host, "host", "name", "Computer"),
        entity(EntityKind::Ip, "source", "address", "CallerIpAddress"),
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "_ResourceId",
        ),
    ],
    readings: &[
        ("Properties", Reading::JsonText),
        ("TimeGenerated", Reading::Time),
    ],
    content_key: None,
    lateness: MINUTES_10,
};

/// The log source of an Azure record whose service is not stated.
const AZURE: palisade_detect::logsource::Logsource = palisade_detect::logsource::Logsource {
    product: Some(Cow::Borrowed("azure")),
    service: None,
    category: None,
};

/// Records whose top-level keys vary in case (`azure-logs.md` section 11.3).
const KEYS_FOLD_CASE: &[(&str, Reading)] = &[("", Reading::KeysFoldCase)];

// How late events usually are (`azure-logs.md` section 12): between the event and the hub.
const MINUTES_5: Span = Span::from_seconds(5 * 60);
const MINUTES_10: Span = Span::from_seconds(10 * 60);
const MINUTES_20: Span = Span::from_seconds(20 * 60);
const HOUR: Span = Span::from_seconds(60 * 60);
const DAY: Span = Span::from_seconds(24 * 60 * 60);

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// What is said about its events.
    pub log_type: &'static LogType,
    /// How a record of it is told.
    pub when: When,
}

/// How a record of a type is told.
#[derive(Debug)]
pub enum When {
    /// The member `category` is one of these, in any case.
    Category(&'static [&'static str]),
    /// The same, and the resource id holds this text in any case.
    CategoryOf(&'static [&'static str], &'static str),
    /// It is a Log Analytics row (`TimeGenerated` and `Type`) of one of these tables.
    Table(&'static [&'static str]),
    /// The member `type` is one of these resource types, in any case.
    ResourceType(&'static [&'static str]),
    /// All of these members are there, exactly so written.
    Members(&'static [&'static str]),
    /// What data cannot say: the text describes the function.
    Shape(&'static str, fn(&Seen<'_>) -> bool),
    /// The same, where the member `category` is one of these, in any case.
    ShapeOf(&'static [&'static str], &'static str, fn(&Seen<'_>) -> bool),
}

/// The table, by family.
pub static ALL: [&[Row]; 8] = [
    activity::ROWS,
    entra::ROWS,
    defender::ROWS,
    xdr::ROWS,
    flow::ROWS,
    resource::ROWS,
    guest::ROWS,
    COMMON,
];

/// The shapes of records that no row describes better.
static COMMON: &[Row] = &[
    Row {
        log_type: &LOG_ANALYTICS,
        when: When::Shape("a row of any other table", |seen| seen.table.is_some()),
    },
    Row {
        log_type: &RESOURCE_LOG,
        when: When::Shape("the common record of any other category", is_common_record),
    },
];

/// All log types in the table's order, each once, `unknown` last.
pub fn all() -> impl Iterator<Item = &'static LogType> {
    let rows = ALL
        .iter()
        .flat_map(|rows| rows.iter())
        .map(|row| row.log_type);
    let mut last = "";
    rows.chain([&UNKNOWN]).filter(move |log_type| {
        let new = log_type.name != last;
        last = log_type.name;
        new
    })
}

/// The log type of this name.
pub fn by_name(name: &str) -> Option<&'static LogType> {
    all().find(|log_type| log_type.name == name)
}

/// What recognition looks at in a record.
#[derive(Debug)]
pub struct Seen<'a> {
    members: Members<'a>,
    /// `category`; none in table rows, where a column of that name means something else.
    category: Option<Cow<'a, [u8]>>,
    /// `Type` of a table row.
    table: Option<Cow<'a, [u8]>>,
    kind: Option<Cow<'a, [u8]>>,
    /// `resourceId`, once a row asks for it.
    resource_id: OnceCell<Option<Cow<'a, [u8]>>>,
    of_entra: OnceCell<bool>,
}

impl<'a> Seen<'a> {
    pub(crate) fn new(members: Members<'a>) -> Self {
        let is_table = is_table_row(members);
        let text = |name, wanted: bool| wanted.then(|| members.text_bytes(name)).flatten();
        Self {
            members,
            category: text("category", !is_table),
            table: text("Type", is_table),
            kind: text("type", !is_table),
            resource_id: if is_table {
                OnceCell::from(None)
            } else {
                OnceCell::new()
            },
            of_entra: OnceCell::new(),
        }
    }

    /// Whether the resource id holds `text`, in any case.
    fn resource_holds(&self, text: &str) -> bool {
        self.resource_id
            .get_or_init(|| self.members.text_bytes("resourceId"))
            .as_ref()
            .is_some_and(|id| holds_fold(id, text.as_bytes()))
    }

    /// Whether the resource is a directory of Entra, which several rows ask.
    fn is_of_entra(&self) -> bool {
        *self
            .of_entra
            .get_or_init(|| self.resource_holds("microsoft.aadiam"))
    }

    /// The text of `operationName`.
    fn operation(&self) -> Option<Cow<'a, [u8]>> {
        self.members.text_bytes("operationName")
    }
}

impl When {
    fn holds(&self, seen: &Seen<'_>) -> bool {
        match self {
            Self::Category(names) => is_one_of(seen.category.as_deref(), names),
            Self::CategoryOf(names, provider) => {
                is_one_of(seen.category.as_deref(), names) && seen.resource_holds(provider)
            }
            Self::Table(names) => is_one_of(seen.table.as_deref(), names),
            Self::ResourceType(names) => is_one_of(seen.kind.as_deref(), names),
            Self::Members(names) => names.iter().all(|name| seen.members.has(name)),
            Self::Shape(_, holds) => holds(seen),
            Self::ShapeOf(names, _, holds) => {
                is_one_of(seen.category.as_deref(), names) && holds(seen)
            }
        }
    }
}

/// Whether the record is a row of a Log Analytics table.
pub(crate) fn is_table_row(members: Members<'_>) -> bool {
    members.has("TimeGenerated") && members.has("Type")
}

/// Whether events of this type are told apart by their category only.
pub(crate) fn is_named_by_its_category(row: &LogType) -> bool {
    row.name == RESOURCE_LOG.name || row.name == LOG_ANALYTICS.name
}

/// When, what and where or how: less can be a record of anything.
fn is_common_record(seen: &Seen<'_>) -> bool {
    let any = |names: &[&str]| names.iter().any(|name| seen.members.get(name).is_some());
    any(&["time", "timestamp", "EventTimeString"])
        && any(&["category", "operationName"])
        && any(&["resourceId", "properties"])
}

fn is_one_of(text: Option<&[u8]>, names: &[&str]) -> bool {
    text.is_some_and(|text| {
        names
            .iter()
            .any(|name| name.as_bytes().eq_ignore_ascii_case(text))
    })
}

/// Whether `text` begins with `start`, in any case.
fn begins_fold(text: &[u8], start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
}

/// Whether `text` holds `part`, in any case.
fn holds_fold(text: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.first() else {
        return true;
    };
    let cases = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr::memchr2_iter(cases.0, cases.1, text)
        .filter_map(|at| text.get(at..at + part.len()))
        .any(|found| found.eq_ignore_ascii_case(part))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_has_one_name_and_is_found_by_it() {
        let names: Vec<_> = all().map(|log_type| log_type.name).collect();
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(
            names.len(),
            distinct.len(),
            "rows of one type stand together"
        );
        for name in names {
            assert_eq!(by_name(name).map(|log_type| log_type.name), Some(name));
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            assert!(name.bytes().all(plain), "{name}");
        }
        assert!(by_name("no_such_type").is_none());
    }

    #[test]
    fn only_unknown_states_no_log_source() {
        for log_type in all() {
            assert_eq!(
                log_type.logsources.is_empty(),
                log_type.name == "unknown",
                "{}",
                log_type.name
            );
        }
    }
}
