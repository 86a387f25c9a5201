//! Which fields the events of each log type were seen with: names and kinds, never values.
//!
//! Written as JSON by `palisade decode --observe`, read by `palisade check --observed`:
//!
//! ```text
//! {"version": 1, "log_types": {NAME: {"events": COUNT, "fields": {PATH: {KIND: COUNT}}}}}
//! ```
//!
//! A path is what a rule would write: members joined by dots, elements of arrays all under the path of
//! the array. Counts are events, not values. A member whose name is data itself (an id, an address)
//! is left out, and what it stands in is `open`: any name may stand there. So is what lies beyond a
//! limit.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::event::{EventRef, LogType, Reading};
use crate::value::{Event, Value};

/// Version of the file format.
pub const VERSION: u32 = 1;
/// Most log types in a file. The table of log types has about 60.
pub const LOG_TYPES_MAX: usize = 500;
/// Most fields of one log type; what comes later makes the log type `open` at its root.
pub const FIELDS_MAX: usize = 5_000;
/// Deepest nesting that is looked at; the object there is `open`.
pub const DEPTH_MAX: usize = 16;
/// Longest path, in bytes; the object around a longer one is `open`.
pub const PATH_BYTES_MAX: usize = 512;
/// Longest name of a member, in bytes; a longer one is taken for data. Claims of Entra tokens are
/// named by URLs of up to 100 bytes.
const NAME_BYTES_MAX: usize = 128;
/// Hexadecimal digits from which a name is taken for an id.
const HEX_ID_FROM: usize = 16;
/// The path of the event itself.
const ROOT: &str = "";

/// What a value was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// Text.
    Text,
    /// A list; its elements stand under the same path.
    List,
    /// An object.
    Object,
    /// An object with members that are not listed.
    Open,
}

/// The fields of one log type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeFields {
    /// Events looked at.
    pub events: u64,
    /// By path: in how many events the field was of each kind.
    pub fields: BTreeMap<String, BTreeMap<Kind, u64>>,
}

/// The fields of all log types, by the names of those.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// By name of the log type.
    pub log_types: BTreeMap<String, TypeFields>,
}

/// Why a file of fields cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FieldsError {
    /// It is no JSON of this form.
    #[error("no file of observed fields")]
    Format(#[from] serde_json::Error),
    /// It is of another version.
    #[error("observed fields of version {0}, this program reads version {VERSION}")]
    Version(u32),
    /// It holds more than it may.
    #[error("observed fields are more than the limit of {limit} {what}")]
    Limit {
        /// Most of them.
        limit: usize,
        /// What is too many.
        what: &'static str,
    },
}

/// The file as written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    log_types: BTreeMap<String, TypeFields>,
}

impl Fields {
    /// Takes note of the fields of one event.
    pub fn add(&mut self, event: &EventRef<'_>, tree: &Event<'_>) {
        let mut walk = Walk {
            readings: event.log_type.readings,
            seen: BTreeMap::new(),
        };
        walk.value(&mut String::new(), &tree.root, 0, Texts::MayHoldJson);
        let known = self.log_types.entry(event.log_type.name.to_owned());
        known.or_default().add(walk.seen);
    }

    /// Adds what others saw.
    pub fn merge(&mut self, other: Self) {
        for (name, more) in other.log_types {
            let known = self.log_types.entry(name).or_default();
            known.events = known.events.saturating_add(more.events);
            for (path, kinds) in more.fields {
                known.count(&path, &kinds);
            }
        }
    }

    /// Events looked at, of all log types.
    pub fn events(&self) -> u64 {
        let events = self.log_types.values().map(|of| of.events);
        events.fold(0, u64::saturating_add)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it is no such file, of another version, or larger than its limits.
    pub fn from_json(bytes: &[u8]) -> Result<Self, FieldsError> {
        let file: File = serde_json::from_slice(bytes)?;
        if file.version != VERSION {
            return Err(FieldsError::Version(file.version));
        }
        let over = |limit, what| Err(FieldsError::Limit { limit, what });
        if file.log_types.len() > LOG_TYPES_MAX {
            return over(LOG_TYPES_MAX, "log types");
        }
        for of in file.log_types.values() {
            if of.fields.len() > FIELDS_MAX + 1 {
                return over(FIELDS_MAX, "fields of a log type");
            }
            if of.fields.keys().any(|path| path.len() > PATH_BYTES_MAX) {
                return over(PATH_BYTES_MAX, "bytes in a path");
            }
        }
        Ok(Self {
            log_types: file.log_types,
        })
    }

    /// The file: one field a line, so that a difference can be read.
    pub fn to_json(&self) -> String {
        let mut out = format!("{{\n  \"version\": {VERSION},\n  \"log_types\": {{");
        for (at, (name, of)) in self.log_types.iter().enumerate() {
            out.push_str(if at > 0 { ",\n    " } else { "\n    " });
            out.push_str(&json(name));
            out.push_str(": {\n      \"events\": ");
            out.push_str(&of.events.to_string());
            out.push_str(",\n      \"fields\": {");
            for (at, (path, kinds)) in of.fields.iter().enumerate() {
                out.push_str(if at > 0 { ",\n        " } else { "\n        " });
                out.push_str(&json(path));
                out.push_str(": ");
                out.push_str(&json(kinds));
            }
            out.push_str("\n      }\n    }");
        }
        out.push_str("\n  }\n}\n");
        out
    }
}

/// One line of JSON.
fn json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("text and maps of numbers become JSON")
}

impl TypeFields {
    /// Counts one event.
    fn add(&mut self, seen: BTreeMap<String, Kinds>) {
        self.events = self.events.saturating_add(1);
        for (path, kinds) in seen {
            let counts = kinds.iter().map(|kind| (kind, 1)).collect();
            self.count(&path, &counts);
        }
    }

    fn count(&mut self, path: &str, kinds: &BTreeMap<Kind, u64>) {
        let full = self.fields.len() >= FIELDS_MAX && !self.fields.contains_key(path);
        let path = if full { ROOT } else { path };
        let known = self.fields.entry(path.to_owned()).or_default();
        if full {
            known.insert(Kind::Open, 1);
            return;
        }
        for (kind, count) in kinds {
            let known = known.entry(*kind).or_default();
            *known = known.saturating_add(*count);
        }
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, Default)]
struct Kinds(u8);

impl Kinds {
    const ALL: [Kind; 7] = [
        Kind::Null,
        Kind::Bool,
        Kind::Number,
        Kind::Text,
        Kind::List,
        Kind::Object,
        Kind::Open,
    ];

    fn add(&mut self, kind: Kind) {
        self.0 |= 1 << kind as u8;
    }

    fn iter(self) -> impl Iterator<Item = Kind> {
        Self::ALL
            .into_iter()
            .filter(move |kind| self.0 & (1 << *kind as u8) != 0)
    }
}

/// Whether a text may stand for JSON; a text inside such a text is text for good.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Texts {
    MayHoldJson,
    AsTheyAre,
}

/// The fields of one event.
struct Walk<'r> {
    readings: &'r [(&'static str, Reading)],
    seen: BTreeMap<String, Kinds>,
}

impl Walk<'_> {
    fn note(&mut self, path: &str, kind: Kind) {
        if let Some(kinds) = self.seen.get_mut(path) {
            kinds.add(kind);
        } else if self.seen.len() <= FIELDS_MAX {
            self.seen.entry(path.to_owned()).or_default().add(kind);
        }
    }

    fn value(&mut self, path: &mut String, value: &Value<'_>, depth: usize, texts: Texts) {
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::Number(_) => Kind::Number,
            Value::Text(_) => Kind::Text,
            Value::Array(_) => Kind::List,
            Value::Object(_) => Kind::Object,
        };
        if !path.is_empty() {
            self.note(path, kind);
        }
        match value {
            Value::Array(items) if depth < DEPTH_MAX => {
                for item in items {
                    self.value(path, item, depth + 1, texts);
                }
            }
            Value::Object(object) if depth < DEPTH_MAX => {
                for (name, member) in object.members() {
                    self.member(path, (name, member), depth, texts);
                }
            }
            Value::Array(_) | Value::Object(_) => self.note(path, Kind::Open),
            Value::Text(text) if texts == Texts::MayHoldJson && self.holds_json(path) => {
                if let Some(inner) = text.inner() {
                    self.value(path, inner, depth + 1, Texts::AsTheyAre);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
        }
    }

    fn member(
        &mut self,
        path: &mut String,
        (name, member): (&str, &Value<'_>),
        depth: usize,
        texts: Texts,
    ) {
        let before = path.len();
        if is_data(name) || before + 1 + name.len() > PATH_BYTES_MAX {
            self.note(path, Kind::Open);
            return;
        }
        if before > 0 {
            path.push('.');
        }
        path.push_str(name);
        self.value(path, member, depth + 1, texts);
        path.truncate(before);
    }

    fn holds_json(&self, path: &str) -> bool {
        self.readings
            .iter()
            .any(|(at, reading)| *reading == Reading::JsonText && at.eq_ignore_ascii_case(path))
    }
}

/// Whether the name of a member is data: an id, a number, an address, a resource, or too long.
fn is_data(name: &str) -> bool {
    let bare = name.trim_matches(['{', '}']);
    let hex = bare.bytes().filter(u8::is_ascii_hexdigit).count();
    let only_hex = bare.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    name.is_empty()
        || name.len() > NAME_BYTES_MAX
        || name.starts_with('/')
        || name.find('@').is_some_and(|at| at > 0)
        || name.chars().any(char::is_control)
        || (only_hex && (hex >= HEX_ID_FROM || bare.bytes().all(|b| !b.is_ascii_alphabetic())))
        || name.parse::<IpAddr>().is_ok()
}

/// What is known of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'a> {
    /// Events had it, of these kinds.
    Seen(&'a BTreeMap<Kind, u64>),
    /// The table of log types names it, or it may stand in something `open`.
    Possible,
    /// Only another spelling of it was seen, which differs in case.
    Case(&'a str),
    /// No event had it.
    Never,
}

/// What is known about the fields of events, for checks of rules.
#[derive(Debug, Default)]
pub struct Observed {
    log_types: Vec<&'static LogType>,
    samples: Fields,
    traffic: Fields,
    /// By log type: paths in lower case, as seen.
    folded: BTreeMap<String, HashMap<String, String>>,
}

impl Observed {
    /// Log types, the fields of public samples, and those of somebody's own events.
    pub fn new(log_types: Vec<&'static LogType>, samples: Fields, traffic: Fields) -> Self {
        let mut folded = BTreeMap::<String, HashMap<String, String>>::new();
        for (name, of) in samples.log_types.iter().chain(&traffic.log_types) {
            let folded = folded.entry(name.clone()).or_default();
            folded.extend(
                of.fields
                    .keys()
                    .map(|path| (path.to_ascii_lowercase(), path.clone())),
            );
        }
        Self {
            log_types,
            samples,
            traffic,
            folded,
        }
    }

    /// All log types.
    pub fn log_types(&self) -> &[&'static LogType] {
        &self.log_types
    }

    /// How many events of a log type were looked at: samples, own.
    pub fn events(&self, log_type: &str) -> (u64, u64) {
        let events = |fields: &Fields| fields.log_types.get(log_type).map_or(0, |of| of.events);
        (events(&self.samples), events(&self.traffic))
    }

    /// The paths that events of a log type had.
    pub fn paths(&self, log_type: &str) -> impl Iterator<Item = &str> {
        let own = self.traffic.log_types.get(log_type);
        let both = self.samples.log_types.get(log_type).into_iter().chain(own);
        both.flat_map(|of| of.fields.keys().map(String::as_str))
    }

    /// What is known of a path in events of a log type.
    pub fn known(&self, log_type: &LogType, path: &str) -> Known<'_> {
        if let Some(kinds) = self.kinds(log_type.name, path) {
            return Known::Seen(kinds);
        }
        if is_named(log_type, path) || self.is_open(log_type, path) {
            return Known::Possible;
        }
        let folded = self.folded.get(log_type.name);
        let other = folded.and_then(|folded| folded.get(&path.to_ascii_lowercase()));
        match other {
            None => Known::Never,
            Some(other) if folds(log_type, path, other) => self
                .kinds(log_type.name, other)
                .map_or(Known::Possible, Known::Seen),
            Some(other) => Known::Case(other),
        }
    }

    fn kinds(&self, log_type: &str, path: &str) -> Option<&BTreeMap<Kind, u64>> {
        [&self.traffic, &self.samples]
            .into_iter()
            .find_map(|fields| fields.log_types.get(log_type)?.fields.get(path))
    }

    /// Whether the path may lead through something that holds more than is listed.
    fn is_open(&self, log_type: &LogType, path: &str) -> bool {
        let dots = path.match_indices('.').map(|(dot, _)| dot);
        let mut parents = std::iter::once(0).chain(dots);
        parents.any(|end| {
            let parent = path.get(..end).unwrap_or_default();
            [&self.traffic, &self.samples].into_iter().any(|fields| {
                let of = fields.log_types.get(log_type.name);
                of.and_then(|of| of.fields.get(parent))
                    .is_some_and(|kinds| kinds.contains_key(&Kind::Open))
            })
        })
    }
}

/// Whether the table of log types names a path, or something inside it.
fn is_named(log_type: &LogType, path: &str) -> bool {
    let entities = log_type.entities.iter().map(|entity| entity.path);
    let readings = log_type.readings.iter().map(|(path, _)| *path);
    let times = log_type.event_time.iter().copied();
    entities
        .chain(readings)
        .chain(times)
        .chain(log_type.content_key)
        .any(|named| {
            let rest = named.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
}

/// Whether two paths that are equal but for case lead to the same, since keys fold wherever they
/// differ.
fn folds(log_type: &LogType, path: &str, other: &str) -> bool {
    let mut start = 0;
    for (part, as_seen) in path.split('.').zip(other.split('.')) {
        let behind = path.get(..start.max(1) - 1).unwrap_or_default();
        let here = log_type.readings.iter().any(|(at, reading)| {
            *reading == Reading::KeysFoldCase && at.eq_ignore_ascii_case(behind)
        });
        if part != as_seen && !here {
            return false;
        }
        start += part.len() + 1;
    }
    true
}

#[cfg(test)]
mod tests;
