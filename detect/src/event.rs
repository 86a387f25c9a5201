//! What the kernel judges: a view on the bytes of one event.
//!
//! Nothing rewrites a record. An event is the slice of its record that holds it, or, for a flow
//! log, the slice of the outer record and the text of one tuple in it. What is irregular about a
//! log type (JSON text inside strings, times in odd forms, addresses with ports, keys of varying
//! case) stands as data in its [`LogType`] and is applied to a value when a rule reads it.

use std::fmt;
use std::sync::Arc;

use crate::engine::{EVENT_BYTES_MAX, EVENT_DEPTH_MAX};
use crate::logsource::Logsource;
use crate::scan::Marked;
use crate::time::{Span, Timestamp};

/// Most ordinals in an [`Index`]: outer array, `records`, and three levels of nested flows.
pub const INDEX_DEPTH_MAX: usize = 6;

/// One event, borrowed from its record. The seam between decoding and judging.
#[derive(Debug, Clone, Copy)]
pub struct EventRef<'a> {
    /// The event's bytes: valid UTF-8 is not yet promised, valid JSON neither.
    pub body: Body<'a>,
    /// The row of the log-type table that the event was recognised as.
    pub log_type: &'a LogType,
    /// The log sources the event states, most specific first; empty if it states none.
    pub logsources: &'a [Logsource],
    /// When the event happened as it says itself; `None` if it says nothing that parses.
    pub event_time: Option<Timestamp>,
}

/// The bytes of an event.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// One JSON object.
    Json(&'a [u8]),
    /// One JSON object of a payload whose brackets and strings are known.
    Marked(Marked<'a>),
    /// One tuple of a flow log.
    Flow(FlowTuple<'a>),
}

impl<'a> Body<'a> {
    /// The bytes of the object, if they stand together.
    pub fn json(&self) -> Option<&'a [u8]> {
        match self {
            Self::Json(bytes) => Some(bytes),
            Self::Marked(marked) => Some(marked.bytes()),
            Self::Flow(_) => None,
        }
    }

    /// The object, if its brackets and strings are known.
    pub(crate) fn marks(&self) -> Option<Marked<'a>> {
        match self {
            Self::Marked(marked) => Some(*marked),
            Self::Json(_) | Self::Flow(_) => None,
        }
    }
}

/// One line of a flow log: what stands around it, and its columns.
///
/// Rules see the members around it, then the columns, all as top-level fields; a later one hides an
/// earlier of that name.
#[derive(Debug, Clone, Copy)]
pub struct FlowTuple<'a> {
    /// What it shares with the tuples of its group.
    pub around: &'a Around<'a>,
    /// The tuple's text without its quotes; columns are separated by commas.
    pub tuple: &'a str,
    /// What the columns are called and how each is read, in order.
    pub columns: &'static [Column],
}

/// What stands around the tuples of one group of a flow log.
///
/// A record holds thousands of tuples, so what is read for each of them is small: the members do not
/// hold the list of tuples, and what is asked of them whatever the tuple is, is asked once.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    outer: &'a [u8],
    members: &'a [(&'a str, &'a [u8])],
    passes: bool,
}

impl<'a> Around<'a> {
    /// `outer` is the whole record, one JSON object. `members` are those of the record without the
    /// list that holds the tuples, then the values of the groups around them (rule name, MAC, ACL
    /// id), as raw JSON slices.
    pub fn new(outer: &'a [u8], members: &'a [(&'a str, &'a [u8])]) -> Self {
        let text = |member: &[u8]| member.is_ascii() || std::str::from_utf8(member).is_ok();
        // A member with fewer brackets than the limit has levels cannot be too deep.
        let flat = |member: &[u8]| {
            let opens = || memchr::memchr2_iter(b'{', b'[', member).count();
            member.len() <= EVENT_DEPTH_MAX || opens() <= EVENT_DEPTH_MAX
        };
        let all = members.iter().all(|(_, raw)| text(raw) && flat(raw));
        Self {
            outer,
            members,
            passes: outer.len() <= EVENT_BYTES_MAX && all,
        }
    }

    /// The whole record.
    pub fn outer(&self) -> &'a [u8] {
        self.outer
    }

    /// The members around the tuples.
    pub fn members(&self) -> &'a [(&'a str, &'a [u8])] {
        self.members
    }

    /// Whether the record and the members are within the limits of an event and UTF-8. Members with
    /// more brackets than an event has levels are left to their tree.
    pub(crate) fn passes(&self) -> bool {
        self.passes
    }
}

/// One column of a flow tuple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Field name that rules use, such as `dst_port`.
    pub name: &'static str,
    /// How the column's text becomes a value.
    pub reading: ColumnReading,
}

/// How the text of a flow tuple's column becomes a value; an empty column is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnReading {
    /// The text as it stands.
    Text,
    /// A decimal integer.
    Integer,
    /// Unix time in seconds, shown as RFC 3339.
    UnixSeconds,
    /// Unix time in milliseconds, shown as RFC 3339.
    UnixMilliseconds,
    /// The first text of the pair found becomes the second: `T` and `6` both read `tcp`.
    Word(&'static [(&'static str, &'static str)]),
}

/// One row of the table of log types: everything data can say about a kind of event.
///
/// How an event is recognised as of this type is the decoder's business and stands with it.
#[derive(Debug, PartialEq, Eq)]
pub struct LogType {
    /// Name in metrics, alerts and output, such as `entra_signin`; `unknown` for no row.
    pub name: &'static str,
    /// Log sources that events of this type state; empty: none, so no rule is pruned.
    pub logsources: &'static [Logsource],
    /// Paths of the event time; the first that is present and parses counts.
    pub event_time: &'static [&'static str],
    /// Where entities stand: accounts, addresses, hosts, resources.
    pub entities: &'static [EntityPath],
    /// Paths whose values are not what they look like.
    pub readings: &'static [(&'static str, Reading)],
    /// Path of the id that the service repeats when it publishes an event again.
    pub content_key: Option<&'static str>,
    /// How late events of this type usually are, for the watermark's default.
    pub lateness: Span,
}

/// How a value at a path is read. The value as it stands always stays readable too: several
/// readings of one value mean OR, as several values of an array do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Text that holds JSON: a path may continue inside it, and a text, number or boolean inside
    /// is a further value (`"\"Global Administrator\""`).
    JsonText,
    /// A time in one of the forms of `azure-logs.md` section 11.1.
    Time,
    /// An address that may carry a port (`8.8.8.8:44321`), or a list of addresses by commas.
    Address,
    /// An object below this path (`""`: the event itself) whose keys vary in case: an exact key
    /// wins, else the first that is equal without regard to ASCII case.
    KeysFoldCase,
}

/// Where one property of an entity stands in an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityPath {
    /// What the entity is.
    pub kind: EntityKind,
    /// The part it plays, such as `actor`, `target`, `source`, `destination`.
    pub role: &'static str,
    /// Which of its identifiers this is, such as `upn`, `object_id`, `address`, `resource_id`.
    pub id: &'static str,
    /// Path in the event.
    pub path: &'static str,
}

/// Kinds of entities, named after Microsoft Sentinel's entity types.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// A user or service account.
    Account,
    /// An IP address.
    Ip,
    /// A machine.
    Host,
    /// An Azure Resource Manager resource.
    AzureResource,
    /// An application or service principal.
    CloudApplication,
    /// A file.
    File,
    /// A process.
    Process,
    /// A URL.
    Url,
    /// A mailbox.
    Mailbox,
    /// A mail message.
    MailMessage,
    /// A DNS name.
    Dns,
    /// A registry key or value.
    RegistryKey,
    /// A group of accounts.
    SecurityGroup,
}

/// An event's place inside its record: ordinals from the outside in, counted over all elements,
/// those that fail to decode included, so that one bad element does not renumber its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Index {
    path: [u32; INDEX_DEPTH_MAX],
    depth: u8,
}

impl Index {
    /// The index of a record that is one bare event: no ordinals.
    pub const ROOT: Self = Self {
        path: [0; INDEX_DEPTH_MAX],
        depth: 0,
    };

    /// The index with these ordinals.
    ///
    /// # Panics
    /// If there are more than [`INDEX_DEPTH_MAX`].
    pub fn new(ordinals: &[u32]) -> Self {
        let mut index = Self::ROOT;
        for ordinal in ordinals {
            index = index.child(*ordinal);
        }
        index
    }

    /// This index one level deeper, at `ordinal`.
    ///
    /// # Panics
    /// If the index is already [`INDEX_DEPTH_MAX`] deep: the decoder's shapes are all shallower.
    #[must_use]
    pub fn child(mut self, ordinal: u32) -> Self {
        assert!(
            usize::from(self.depth) < INDEX_DEPTH_MAX,
            "index deeper than any known shape"
        );
        self.path[usize::from(self.depth)] = ordinal;
        self.depth += 1;
        self
    }

    /// The ordinals from the outside in.
    pub fn ordinals(&self) -> &[u32] {
        &self.path[..usize::from(self.depth)]
    }
}

/// Ordinals joined by dots, `0` for a bare event: `3`, `0.12.0.7`.
impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.depth == 0 {
            return f.write_str("0");
        }
        for (place, ordinal) in self.ordinals().iter().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            write!(f, "{ordinal}")?;
        }
        Ok(())
    }
}

/// One partition of one source, in one incarnation of its topic or hub.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePartition {
    /// The source's name in the configuration; for files given to `replay`, the path.
    pub source: Arc<str>,
    /// Raised when the topic was created anew, so that reused offsets never look like old events.
    pub incarnation: u32,
    /// The partition's number; 0 for files.
    pub partition: u32,
}

/// Where an event comes from, exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Whose data it is; a property of the source's configuration, never of log content.
    pub tenant: Arc<str>,
    /// The partition it was read from.
    pub at: SourcePartition,
    /// The record's offset in its partition (Event Hubs AMQP: sequence number; files: the record's
    /// number from 0).
    pub offset: i64,
    /// The event's place in the record.
    pub index: Index,
}
