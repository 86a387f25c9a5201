//! Which rows of the table can hold for a record, by what the record calls itself.
//!
//! Most rows ask for a category, a table or a resource type. They are looked at only for records
//! that state one of theirs, so a record costs a handful of rows and not the whole table. What is
//! picked may be too much and is never too little: [`When::holds`] decides, in the table's order.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use palisade_detect::event::LogType;

use super::{ALL, Row, Seen, UNKNOWN, When};
use crate::members::{AskedNames, tag};

static LOOKUP: LazyLock<Lookup> = LazyLock::new(Lookup::new);

static NAMES: LazyLock<AskedNames> = LazyLock::new(|| AskedNames::new(asked()));

/// Names that the decoder asks every record for, besides those that rows name.
const ASKED: [&str; 12] = [
    "category",
    "type",
    "Type",
    "TimeGenerated",
    "resourceId",
    "operationName",
    "properties",
    "time",
    "timestamp",
    "EventTimeString",
    "flowLogVersion",
    "flowRecords",
];

/// Members of a record that recognising it asks for.
pub(crate) fn names() -> &'static AskedNames {
    &NAMES
}

/// What searches for the names inside of members in which times stand: a sign-in's is among the first of
/// sixty, and a search over the rest is a fifth of the steps over them.
static SEARCHERS: LazyLock<Vec<Finder<'static>>> = LazyLock::new(|| {
    let times = super::all().flat_map(|log_type| log_type.event_time);
    let mut names: Vec<&str> = times.flat_map(|path| path.split('.').skip(1)).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(Finder::new).collect()
});

/// What searches for a name that times stand below.
pub(crate) fn searcher(name: &[u8]) -> Option<&'static Finder<'static>> {
    SEARCHERS.iter().find(|finder| finder.needle() == name)
}

fn asked() -> impl Iterator<Item = &'static str> {
    let rows = ALL.iter().flat_map(|rows| rows.iter());
    let of_rows = rows.flat_map(|row| match row.when {
        When::Members(names) => names,
        _ => &[],
    });
    let times = super::all().flat_map(|log_type| log_type.event_time);
    let heads = times.map(|path| path.split_once('.').map_or(*path, |(head, _)| head));
    ASKED.into_iter().chain(of_rows.copied()).chain(heads)
}

/// The log type of a record; [`UNKNOWN`] if no row holds.
pub(crate) fn recognise(seen: &Seen<'_>) -> &'static LogType {
    LOOKUP.recognise(seen)
}

/// The rows in order, and the numbers of those that can hold.
struct Lookup {
    rows: Vec<&'static Row>,
    /// That ask for something else than a name.
    always: Vec<u16>,
    by_category: Names,
    by_table: Names,
    by_kind: Names,
}

impl Lookup {
    fn new() -> Self {
        let mut lookup = Self {
            rows: ALL.iter().flat_map(|rows| rows.iter()).collect(),
            always: Vec::new(),
            by_category: Names::default(),
            by_table: Names::default(),
            by_kind: Names::default(),
        };
        for (number, row) in (0..).zip(&lookup.rows) {
            let (names, list) = match row.when {
                When::Category(names) | When::CategoryOf(names, _) | When::ShapeOf(names, ..) => {
                    (names, &mut lookup.by_category)
                }
                When::Table(names) => (names, &mut lookup.by_table),
                When::ResourceType(names) => (names, &mut lookup.by_kind),
                When::Members(_) | When::Shape(..) => {
                    lookup.always.push(number);
                    continue;
                }
            };
            for name in names {
                list.put(name.as_bytes(), number);
            }
        }
        lookup
    }

    fn recognise(&self, seen: &Seen<'_>) -> &'static LogType {
        let mut lists = [
            self.always.as_slice(),
            self.by_category.of(seen.category.as_deref()),
            self.by_table.of(seen.table.as_deref()),
            self.by_kind.of(seen.kind.as_deref()),
        ];
        loop {
            let next = lists.iter_mut().filter(|list| !list.is_empty());
            let Some(next) = next.min_by_key(|list| list[0]) else {
                return &UNKNOWN;
            };
            let row = self.rows[usize::from(next[0])];
            if row.when.holds(seen) {
                return row.log_type;
            }
            *next = &next[1..];
        }
    }
}

/// Rows by a name in any case.
struct Names {
    /// By the tag of the name.
    buckets: Vec<Vec<Named>>,
}

/// A name and the rows that ask for it, in order.
struct Named {
    name: &'static [u8],
    rows: Vec<u16>,
}

impl Default for Names {
    fn default() -> Self {
        let buckets = (0..=u8::MAX).map(|_| Vec::new()).collect();
        Self { buckets }
    }
}

impl Names {
    fn put(&mut self, name: &'static [u8], row: u16) {
        let bucket = &mut self.buckets[usize::from(tag(name))];
        let known = bucket
            .iter_mut()
            .find(|named| named.name.eq_ignore_ascii_case(name));
        match known {
            Some(named) => named.rows.push(row),
            None => bucket.push(Named {
                name,
                rows: vec![row],
            }),
        }
    }

    fn of(&self, name: Option<&[u8]>) -> &[u16] {
        let Some(name) = name else { return &[] };
        let bucket = &self.buckets[usize::from(tag(name))];
        bucket
            .iter()
            .find(|named| named.name.eq_ignore_ascii_case(name))
            .map_or(&[], |named| &named.rows)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::members::{Members, Places};

    /// By trying all rows in order.
    fn plainly(seen: &Seen<'_>) -> &'static LogType {
        let mut rows = ALL.iter().flat_map(|rows| rows.iter());
        rows.find(|row| row.when.holds(seen))
            .map_or(&UNKNOWN, |row| row.log_type)
    }

    fn check(record: &str) -> &'static str {
        let mut places = Places::default();
        let members = Members::of(record.as_bytes(), &mut places).expect("an object");
        let seen = Seen::new(members);
        let found = recognise(&seen);
        assert_eq!(found.name, plainly(&seen).name, "{record}");
        found.name
    }

    /// Every name that a row asks for.
    fn names() -> Vec<&'static str> {
        let mut all = Vec::new();
        for row in ALL.iter().flat_map(|rows| rows.iter()) {
            match row.when {
                When::Category(names)
                | When::CategoryOf(names, _)
                | When::Table(names)
                | When::ResourceType(names)
                | When::ShapeOf(names, ..)
                | When::Members(names) => all.extend(names),
                When::Shape(..) => {}
            }
        }
        all
    }

    #[test]
    fn every_name_in_any_case_leads_to_the_row_that_the_whole_table_gives() {
        for name in names() {
            for name in [
                name.to_owned(),
                name.to_ascii_uppercase(),
                format!("{name}x"),
            ] {
                for resource in [
                    "",
                    "/microsoft.keyvault/",
                    "/Microsoft.EventHub/",
                    "microsoft.aadiam",
                ] {
                    for (key, rest) in [
                        ("category", ""),
                        ("type", ""),
                        ("Type", r#","TimeGenerated":1"#),
                        ("Type", r#","TimeGenerated":1,"category":"AuditLogs""#),
                    ] {
                        check(&format!(
                            r#"{{"{key}":"{name}","resourceId":"{resource}"{rest}}}"#
                        ));
                    }
                }
            }
        }
        assert_eq!(check(r#"{"category":"SIGNINLOGS"}"#), "entra_signin");
    }

    proptest! {
        #[test]
        fn prop_any_record_leads_to_the_row_that_the_whole_table_gives(
            members in prop::collection::vec((0..26_usize, prop::sample::select(names())), 0..8),
        ) {
            const KEYS: [&str; 18] = [
                "category", "Category", "type", "Type", "TimeGenerated", "operationName", "resourceId",
                "properties", "time", "schemaId", "data", "AlertType", "SystemAlertId", "VendorName",
                "flowLogVersion", "flowRecords", "macAddress", "OperationName",
            ];
            const VALUES: [&str; 8] = [
                "\"microsoft.aadiam\"", "{\"loggedByService\":\"PIM\",\"activityDisplayName\":1}",
                "{\"value\":1}", "\"a/b\"", "\"Administrative\"", "\"AuditLogs\"",
                "\"x/microsoft.storage/storageaccounts/a/blobservices/\"", "\"AdvancedHunting-x\"",
            ];
            let mut record = String::from("{\"x\":0");
            for (at, (pick, name)) in members.iter().enumerate() {
                let key = if pick % 3 == 0 { *name } else { KEYS[(pick + at * 7) % KEYS.len()] };
                let value = VALUES.get((pick * 5 + at) % 16).map_or(format!("\"{name}\""), |v| (*v).to_owned());
                write!(record, ",\"{key}\":{value}").expect("text");
            }
            record.push('}');
            check(&record);
        }
    }
}
