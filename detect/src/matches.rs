//! The matches log: what stage A tells the correlation fold, as protobuf records.
//!
//! One record is a [`Record`] with one of four bodies. Nothing else changes the fold's state.
//! Matches of one batch are ordered by (offset, index, correlation id, rule version, group key);
//! that tuple is the mark by which repeats are recognised.

use prost::Message;

/// Version of the record layout that this program writes.
pub const FORMAT: u32 = 1;

/// Longest evidence of an event that the fold keeps and an alert shows for an event other than its
/// trigger, in bytes.
pub const EVIDENCE_BYTES_MAX: usize = 1024;

/// Longest event that a match carries, in bytes; a longer one is cut and marked. The match that
/// completes a correlation shows its event whole up to this limit, the fold keeps less of the rest.
pub const EVENT_BYTES_MAX: usize = 8 * 1024;

/// One record of a key partition of the matches log.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Record {
    /// [`FORMAT`] of the writer.
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// What it says.
    #[prost(oneof = "Body", tags = "2, 3, 4, 5")]
    pub body: Option<Body>,
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum Body {
    /// Matches of one read batch.
    #[prost(message, tag = "2")]
    Batch(MatchBatch),
    /// How far time has come.
    #[prost(message, tag = "3")]
    Tick(Tick),
    /// A source partition that will not come back.
    #[prost(message, tag = "4")]
    SourceGone(Source),
    /// The rules and limits in force from here on.
    #[prost(message, tag = "5")]
    Settings(Settings),
}

/// A source partition as the matches log names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Message)]
pub struct Source {
    /// The source's name in the configuration; `fold` for chained matches.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Incarnation of the topic (for `fold`: of the matches log).
    #[prost(uint32, tag = "2")]
    pub incarnation: u32,
    /// Partition (for `fold`: the key partition).
    #[prost(uint32, tag = "3")]
    pub partition: u32,
}

/// Matches of one source partition for one key partition, from one read batch.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MatchBatch {
    /// Where the matches come from.
    #[prost(message, optional, tag = "1")]
    pub source: Option<Source>,
    /// Offset of the first match.
    #[prost(int64, tag = "2")]
    pub first_offset: i64,
    /// Offset of the last match.
    #[prost(int64, tag = "3")]
    pub last_offset: i64,
    /// Who wrote it; for diagnostics only.
    #[prost(string, tag = "4")]
    pub writer: String,
    /// The matches in the order above.
    #[prost(message, repeated, tag = "5")]
    pub matches: Vec<Match>,
}

/// One event that met at least one base rule of one correlation, for one group.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Match {
    /// Offset of the record in its source partition (chained: log position of the trigger).
    #[prost(int64, tag = "1")]
    pub offset: i64,
    /// Ordinals of the event in its record.
    #[prost(uint32, repeated, tag = "2")]
    pub index: Vec<u32>,
    /// Id of the event, 16 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub event_id: Vec<u8>,
    /// Event time after clamping, in ticks of 100 ns since 1970.
    #[prost(int64, tag = "4")]
    pub event_time: i64,
    /// Append time of the record, in ticks of 100 ns since 1970.
    #[prost(int64, tag = "5")]
    pub append_time: i64,
    /// Version of the correlation, 16 bytes.
    #[prost(bytes = "vec", tag = "6")]
    pub rule_version: Vec<u8>,
    /// Id of the correlation.
    #[prost(string, tag = "7")]
    pub correlation_id: String,
    /// Base rules that the event meets, by their place in the correlation's `rules`, ascending.
    #[prost(uint32, repeated, tag = "8")]
    pub base_rules: Vec<u32>,
    /// Canonical group key, see [`crate::correlation::GroupKey`].
    #[prost(bytes = "vec", tag = "9")]
    pub group_key: Vec<u8>,
    /// Group values as text, in the order of `group-by`, for the alert.
    #[prost(string, repeated, tag = "10")]
    pub group_values: Vec<String>,
    /// Hash of the counted value or combination; 0 without one.
    #[prost(fixed64, tag = "11")]
    pub value_hash: u64,
    /// Whether `value_hash` or `value_micro` holds a value.
    #[prost(bool, tag = "12")]
    pub has_value: bool,
    /// The numeric value in millionths, saturating.
    #[prost(sint64, tag = "13")]
    pub value_micro: i64,
    /// Hash of the service's own id of the event; 0 without one.
    #[prost(fixed64, tag = "14")]
    pub content_key: u64,
    /// The event as JSON text, at most [`EVENT_BYTES_MAX`] bytes of it.
    #[prost(bytes = "vec", tag = "15")]
    pub evidence: Vec<u8>,
    /// Bits of [`flags`].
    #[prost(uint32, tag = "16")]
    pub flags: u32,
    /// Group and value fields of outer correlations, for chained matches: encoded [`Carried`].
    #[prost(message, repeated, tag = "17")]
    pub carried: Vec<Carried>,
    /// Tenant of the event.
    #[prost(string, tag = "18")]
    pub tenant: String,
    /// Log source of the event, for the alert, such as `azure/signinlogs`.
    #[prost(string, tag = "19")]
    pub logsource: String,
    /// Log type of the event, for the alert, such as `entra_signin`.
    #[prost(string, tag = "20")]
    pub log_type: String,
    /// Entities of the event: a JSON array of [`crate::alert::Entity`].
    #[prost(bytes = "vec", tag = "21")]
    pub entities: Vec<u8>,
    /// Fields that the base rules read, with their values: a JSON object.
    #[prost(bytes = "vec", tag = "22")]
    pub fields: Vec<u8>,
    /// Azure subscription of the event's resource; empty if it names none.
    #[prost(string, tag = "23")]
    pub subscription_id: String,
}

/// Bits of [`Match::flags`].
pub mod flags {
    /// The event's own time was missing or out of bounds; the append time stands instead.
    pub const TIME_CLAMPED: u32 = 1;
    /// A number was out of range and saturated.
    pub const VALUE_SATURATED: u32 = 2;
    /// The evidence was cut.
    pub const EVIDENCE_CUT: u32 = 4;
}

/// What an outer correlation will need of an event, taken in stage A because the fold looks
/// nothing up.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Carried {
    /// Version of the outer correlation, 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub rule_version: Vec<u8>,
    /// Values of its group-by fields, in order; `present` says which are there.
    #[prost(string, repeated, tag = "2")]
    pub group_values: Vec<String>,
    /// Whether each of `group_values` is present.
    #[prost(bool, repeated, tag = "3")]
    pub present: Vec<bool>,
    /// As [`Match::value_hash`].
    #[prost(fixed64, tag = "4")]
    pub value_hash: u64,
    /// As [`Match::has_value`].
    #[prost(bool, tag = "5")]
    pub has_value: bool,
    /// As [`Match::value_micro`].
    #[prost(sint64, tag = "6")]
    pub value_micro: i64,
}

/// How far time has come: one per process and key partition, every five seconds.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Tick {
    /// One mark for each source partition that the process owns.
    #[prost(message, repeated, tag = "1")]
    pub marks: Vec<Mark>,
}

/// How far one source partition has come.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Mark {
    /// Which source partition.
    #[prost(message, optional, tag = "1")]
    pub source: Option<Source>,
    /// Partitions the source has; the first tick of a source registers them all.
    #[prost(uint32, tag = "2")]
    pub partitions_total: u32,
    /// Offset up to which everything was processed, exclusive.
    #[prost(int64, tag = "3")]
    pub upto: i64,
    /// Highest append time processed, in ticks of 100 ns since 1970; lateness is not subtracted.
    #[prost(int64, tag = "4")]
    pub append_time: i64,
}

/// The rules and limits in force from this record on.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Settings {
    /// Versions of the correlations in force, 16 bytes each, sorted.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub active: Vec<Vec<u8>>,
    /// Allowed lateness in ticks of 100 ns, per entry of `active`.
    #[prost(int64, repeated, tag = "2")]
    pub lateness: Vec<i64>,
    /// Slots (elements) that one correlation and tenant may hold in this key partition.
    #[prost(uint64, tag = "3")]
    pub slots_per_correlation: u64,
    /// Slots that all correlations may hold in this key partition.
    #[prost(uint64, tag = "4")]
    pub slots_total: u64,
    /// Elements that one group may hold.
    #[prost(uint64, tag = "5")]
    pub elements_per_group: u64,
    /// Whether alerts are suppressed after one fired.
    #[prost(bool, tag = "6")]
    pub suppress: bool,
}
