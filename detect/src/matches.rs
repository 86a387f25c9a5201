//! The matches log: what stage A tells the correlation fold, as protobuf records.
//!
//! One record is a [`Record`] with one of four bodies. Nothing else changes the fold's state.
//! Matches of one batch are ordered by (offset, index, correlation id, rule version, group key);
//! that tuple is the mark by which repeats are recognised.

use std::collections::BTreeMap;

use prost::Message;

use crate::rule::Level;

/// Version of the record layout that this program writes.
pub const FORMAT: u32 = 1;

/// Longest evidence of an event that the fold keeps and an alert shows for an event other than its
/// trigger, in bytes.
pub const EVIDENCE_BYTES_MAX: usize = 1024;

/// Longest event that a match carries, in bytes; a longer one is cut and marked. The match that
/// completes a correlation shows its event whole up to this limit, the fold keeps less of the rest.
pub const EVENT_BYTES_MAX: usize = 8 * 1024;

/// Most bytes of matches in one record; a larger batch is split, which the marks allow at any match.
///
/// Below the default message limit of Kafka (1 MiB), so that one layout serves both logs.
pub const RECORD_BYTES_MAX: usize = 768 * 1024;

/// Key partitions of the matches log, fixed for the life of a deployment.
pub const KEY_PARTITIONS: u32 = 32;

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
    /// Chained matches: the event that made the inner correlation true, for the alert.
    #[prost(message, optional, tag = "24")]
    pub via: Option<Via>,
    /// Title of the alert where a detection rule's repeats are held back; empty: the rule's own.
    #[prost(string, tag = "25")]
    pub title: String,
    /// Its level: 1 for the lowest to 5, 0 for the rule's own.
    #[prost(uint32, tag = "26")]
    pub level: u32,
    /// Id of another product's alert that it passes on; empty without one.
    #[prost(string, tag = "27")]
    pub external_id: String,
}

/// The event behind a chained match.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Via {
    /// Its source partition.
    #[prost(message, optional, tag = "1")]
    pub source: Option<Source>,
    /// Its offset.
    #[prost(int64, tag = "2")]
    pub offset: i64,
    /// Its ordinals in the record.
    #[prost(uint32, repeated, tag = "3")]
    pub index: Vec<u32>,
    /// Its id, 16 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub event_id: Vec<u8>,
}

/// A level as [`Match::level`] has it.
pub fn level_number(level: Level) -> u32 {
    let place = Level::ALL.iter().position(|known| *known == level);
    place.map_or(0, |place| u32::try_from(place + 1).unwrap_or(0))
}

/// The level that [`Match::level`] names.
pub fn level_of(number: u32) -> Option<Level> {
    let place = usize::try_from(number).ok()?.checked_sub(1)?;
    Level::ALL.get(place).copied()
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
    /// Which matches lead to it, each by its [`way`]: an outer correlation with aliases may be in
    /// another group for another inner one. Empty in records of programs that knew one way only,
    /// which then is right for every match.
    #[prost(fixed64, repeated, tag = "7")]
    pub inner: Vec<u64>,
}

/// What a match leads on from: a hash of the correlation's version and the group's key.
pub fn way(rule_version: &[u8], group_key: &[u8]) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    for part in [rule_version, group_key] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.digest()
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
    /// Per entry of `active`: 0, or for a version that a newer one has replaced the append time,
    /// in ticks of 100 ns, that all sources must have passed before it goes; the greatest number
    /// while that is not known. Empty: all 0. The fold itself does not look at it.
    #[prost(int64, repeated, tag = "7")]
    pub retire_at: Vec<i64>,
    /// Digest of the whole rule set in force, detection rules and titles included; empty in records
    /// of programs that did not write it. The fold does not look at it.
    #[prost(bytes = "vec", tag = "8")]
    pub rule_set: Vec<u8>,
}

/// Why bytes of the matches log are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are no protobuf message of this layout.
    #[error("damaged record")]
    Damaged(#[source] prost::DecodeError),
    /// The record is of a newer layout.
    #[error("record format {format} is newer than {FORMAT}; a newer Palisade wrote it")]
    Format {
        /// The format it names.
        format: u32,
    },
}

/// The record as bytes of the log.
pub fn encode(record: &Record) -> Vec<u8> {
    record.encode_to_vec()
}

/// The record in these bytes of the log.
///
/// # Errors
/// When the bytes are damaged or of a newer format.
pub fn decode(bytes: &[u8]) -> Result<Record, DecodeError> {
    let record = Record::decode(bytes).map_err(DecodeError::Damaged)?;
    if record.format > FORMAT {
        return Err(DecodeError::Format {
            format: record.format,
        });
    }
    Ok(record)
}

/// Matches of one read batch of `source` as records, each with its key partition.
///
/// Partitions ascend, and within one the matches are in the order of the log. A partition has
/// several records only where one would exceed [`RECORD_BYTES_MAX`].
pub fn batches(source: &Source, writer: &str, mut matches: Vec<Match>) -> Vec<(u32, Record)> {
    matches.sort_by(|a, b| a.order().cmp(&b.order()));
    let mut parts: BTreeMap<u32, Vec<Match>> = BTreeMap::new();
    for found in matches {
        let part = key_partition(&found.tenant, &found.correlation_id, &found.group_key);
        parts.entry(part).or_default().push(found);
    }
    let mut records = Vec::with_capacity(parts.len());
    for (part, matches) in parts {
        let mut bytes = 0;
        let mut pending = Vec::new();
        for found in matches {
            let size = found.encoded_len();
            if bytes + size > RECORD_BYTES_MAX && !pending.is_empty() {
                records.push((
                    part,
                    record_of(source, writer, std::mem::take(&mut pending)),
                ));
                bytes = 0;
            }
            bytes += size;
            pending.push(found);
        }
        records.push((part, record_of(source, writer, pending)));
    }
    records
}

fn record_of(source: &Source, writer: &str, matches: Vec<Match>) -> Record {
    Record::batch(MatchBatch {
        source: Some(source.clone()),
        first_offset: matches.first().map_or(0, |first| first.offset),
        last_offset: matches.last().map_or(0, |last| last.offset),
        writer: writer.to_owned(),
        matches,
    })
}

/// The key partition of a group: a hash over the length-prefixed parts, modulo [`KEY_PARTITIONS`].
#[expect(
    clippy::cast_possible_truncation,
    reason = "a remainder is smaller than its divisor"
)]
pub fn key_partition(tenant: &str, correlation_id: &str, group_key: &[u8]) -> u32 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    for part in [tenant.as_bytes(), correlation_id.as_bytes(), group_key] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    (hasher.digest() % u64::from(KEY_PARTITIONS)) as u32
}

impl Record {
    /// A record with this body in the layout of this program.
    pub fn new(body: Body) -> Self {
        Self {
            format: FORMAT,
            body: Some(body),
        }
    }

    /// A record of matches.
    pub fn batch(batch: MatchBatch) -> Self {
        Self::new(Body::Batch(batch))
    }

    /// A record of time.
    pub fn tick(tick: Tick) -> Self {
        Self::new(Body::Tick(tick))
    }
}

impl Carried {
    /// Whether another one says the same of the same correlation, whatever leads to it.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let said = |one: &Self| (one.value_hash, one.has_value, one.value_micro);
        self.rule_version == other.rule_version
            && self.group_values == other.group_values
            && self.present == other.present
            && said(self) == said(other)
    }
}

impl Match {
    /// What orders matches of one source partition, and is their mark.
    pub fn order(&self) -> (i64, &[u32], &str, &[u8], &[u8]) {
        (
            self.offset,
            &self.index,
            &self.correlation_id,
            &self.rule_version,
            &self.group_key,
        )
    }
}

#[cfg(test)]
mod tests;
