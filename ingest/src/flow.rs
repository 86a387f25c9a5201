//! Flow logs: every tuple of a record is an event.
//!
//! ```text
//! NSG   properties.flows[i] {rule, flows[j] {mac, flowTuples[k]}}
//! VNet  flowRecords.flows[i] {aclID, flowGroups[j] {rule, flowTuples[k]}}
//! ```
//!
//! The tuple's index is the record's and then `i`, `j`, `k`. Formats: `azure-logs.md` section 7.

use palisade_detect::event::{Body, Column, ColumnReading, EventRef, FlowTuple, Index, LogType};
use palisade_detect::time::Timestamp;

use crate::decode::Decoded;
use crate::json;
use crate::log_type::flow::{NSG_FLOW, VNET_FLOW};
use crate::members::Members;
use crate::reject::{Reason, Reject};

/// Most bytes of the members around a tuple: they are read for each of thousands of tuples. Real
/// records have a few hundred.
const MEMBERS_BYTES_MAX: usize = 4 * 1024;

/// Where a kind of flow log keeps its tuples.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    log_type: &'static LogType,
    hidden: &'static str,
    /// List in an outer group, and the name of the group's own value.
    inner: &'static str,
    outer_name: &'static str,
    inner_name: &'static str,
}

static NSG: Shape = Shape {
    log_type: &NSG_FLOW,
    hidden: "properties",
    inner: "flows",
    outer_name: "rule",
    inner_name: "mac",
};

static VNET: Shape = Shape {
    log_type: &VNET_FLOW,
    hidden: "flowRecords",
    inner: "flowGroups",
    outer_name: "aclID",
    inner_name: "rule",
};

impl Shape {
    /// The shape of the records of this log type, if it is a flow log.
    pub(crate) fn of(row: &LogType) -> Option<&'static Self> {
        [&NSG, &VNET]
            .into_iter()
            .find(|shape| shape.log_type.name == row.name)
    }

    /// The columns of the record's tuples, by its version; an NSG log that does not say its
    /// version is read by the number of columns.
    fn columns(&self, version: Option<&str>, tuple: &str) -> Option<&'static [Column]> {
        let count = memchr::memchr_iter(b',', tuple.as_bytes()).count() + 1;
        let columns: &'static [Column] = match (self.hidden, version) {
            ("flowRecords", Some("4") | None) => &VNET_4,
            ("properties", Some("1")) => &NSG_1,
            ("properties", None) if count == NSG_1.len() => &NSG_1,
            ("properties", Some("2") | None) => &NSG_2,
            _ => return None,
        };
        (columns.len() == count).then_some(columns)
    }
}

/// A flow record at hand.
pub(crate) struct Record<'a> {
    pub(crate) event: &'a [u8],
    /// Where it begins in the payload.
    pub(crate) start: usize,
    pub(crate) members: Members<'a>,
}

impl Record<'_> {
    fn reject(&self, index: Index, part: &[u8], message: &str) -> Reject {
        // A part is a slice of the event: their addresses say where it stands.
        let offset = (part.as_ptr().addr()).saturating_sub(self.event.as_ptr().addr());
        let start = self.start + offset;
        Reject {
            index,
            byte: start,
            span: start..start + part.len(),
            reason: Reason::FlowTuple,
            message: message.to_owned(),
        }
    }
}

/// The tuples of one group and what stands around them.
struct Group<'a, 'm> {
    record: &'m Record<'a>,
    list: &'a [u8],
    members: &'m [(&'a str, &'a [u8])],
}

/// Tells every tuple of a flow record.
pub(crate) fn tuples(
    shape: &'static Shape,
    record: &Record<'_>,
    index: Index,
    tell: &mut dyn FnMut(Decoded<'_>),
) {
    let (mut of_body, mut of_outer, mut of_inner) = Default::default();
    let body = record.members.get(shape.hidden);
    let body = body.and_then(|body| Members::of(body, &mut of_body));
    let flows = body.as_ref().and_then(|body| body.get("flows"));
    let Some(flows) = flows.filter(|flows| flows.first() == Some(&b'[')) else {
        let message = "expected a list of flows";
        return tell(Decoded::Reject(record.reject(index, record.event, message)));
    };
    let stated = match shape.hidden {
        "properties" => body.as_ref().and_then(|body| body.get("Version")),
        _ => record.members.get("flowLogVersion"),
    };
    let version = stated.and_then(|raw| std::str::from_utf8(raw).ok());
    let version = version.map(|text| text.trim_matches('"'));
    let around: Vec<_> = record
        .members
        .plain()
        .filter(|(name, _)| *name != shape.hidden)
        .collect();
    for (i, outer) in (0..).zip(json::elements(flows)) {
        let Some(outer) = Members::of(outer, &mut of_outer) else {
            continue;
        };
        let inner = outer.get(shape.inner).into_iter().flat_map(json::elements);
        for (j, inner) in (0..).zip(inner) {
            let Some(inner) = Members::of(inner, &mut of_inner) else {
                continue;
            };
            let index = index.child(i).child(j);
            let outer_value = outer
                .get(shape.outer_name)
                .map(|raw| (shape.outer_name, raw));
            let inner_value = inner
                .get(shape.inner_name)
                .map(|raw| (shape.inner_name, raw));
            let mut members = around.clone();
            members.extend(outer_value.into_iter().chain(inner_value));
            let Some(list) = inner.get("flowTuples") else {
                continue;
            };
            if members
                .iter()
                .map(|(name, raw)| name.len() + raw.len())
                .sum::<usize>()
                > MEMBERS_BYTES_MAX
            {
                let message = "the members around the tuples are more than their limit";
                let reject = Reject {
                    reason: Reason::TooLarge,
                    ..record.reject(index, list, message)
                };
                tell(Decoded::Reject(reject));
                continue;
            }
            let around = Group {
                record,
                list,
                members: &members,
            };
            group(shape, version, &around, index, tell);
        }
    }
}

/// Tells the tuples of one group.
fn group<'a>(
    shape: &'static Shape,
    version: Option<&str>,
    around: &Group<'a, '_>,
    index: Index,
    tell: &mut dyn FnMut(Decoded<'_>),
) {
    let Group {
        record,
        list,
        members,
    } = *around;
    for (k, raw) in (0..).zip(json::elements(list)) {
        let index = index.child(k);
        match tuple(shape, version, raw) {
            Ok((tuple, columns, time)) => {
                let body = Body::Flow(FlowTuple {
                    outer: record.event,
                    members,
                    tuple,
                    columns,
                });
                let log_type = shape.log_type;
                let logsources = log_type.logsources;
                let event_time = Some(time);
                tell(Decoded::Event(
                    index,
                    EventRef {
                        body,
                        log_type,
                        logsources,
                        event_time,
                    },
                ));
            }
            Err(message) => tell(Decoded::Reject(record.reject(index, raw, message))),
        }
    }
}

type Tuple<'a> = (&'a str, &'static [Column], Timestamp);

fn tuple<'a>(
    shape: &Shape,
    version: Option<&str>,
    raw: &'a [u8],
) -> Result<Tuple<'a>, &'static str> {
    let text = raw
        .strip_prefix(b"\"")
        .and_then(|text| text.strip_suffix(b"\""));
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    let text = text
        .filter(|text| !text.contains('\\'))
        .ok_or("expected plain text")?;
    let columns = shape
        .columns(version, text)
        .ok_or("the columns are not those of the log's version")?;
    let first = text.split_once(',').map_or(text, |(first, _)| first);
    let time = Timestamp::parse_any(first).ok_or("the first column is no time")?;
    Ok((text, columns, time))
}

const fn column(name: &'static str, reading: ColumnReading) -> Column {
    Column { name, reading }
}

const DIRECTION: ColumnReading = ColumnReading::Word(&[("I", "Inbound"), ("O", "Outbound")]);
const DECISION: ColumnReading = ColumnReading::Word(&[("A", "Allowed"), ("D", "Denied")]);
const STATE: ColumnReading = ColumnReading::Word(&[
    ("B", "Begin"),
    ("C", "Continuing"),
    ("E", "End"),
    ("D", "Denied"),
]);
const PROTOCOL: ColumnReading = ColumnReading::Word(&[
    ("T", "tcp"),
    ("U", "udp"),
    ("6", "tcp"),
    ("17", "udp"),
    ("1", "icmp"),
    ("58", "icmpv6"),
]);

const SRC_IP: Column = column("src_ip", ColumnReading::Text);
const DST_IP: Column = column("dst_ip", ColumnReading::Text);
const SRC_PORT: Column = column("src_port", ColumnReading::Integer);
const DST_PORT: Column = column("dst_port", ColumnReading::Integer);
const SECONDS: Column = column("time", ColumnReading::UnixSeconds);
const MILLISECONDS: Column = column("time", ColumnReading::UnixMilliseconds);
const PACKETS_OUT: Column = column("packets_src_to_dst", ColumnReading::Integer);
const BYTES_OUT: Column = column("bytes_src_to_dst", ColumnReading::Integer);
const PACKETS_BACK: Column = column("packets_dst_to_src", ColumnReading::Integer);
const BYTES_BACK: Column = column("bytes_dst_to_src", ColumnReading::Integer);

static NSG_1: [Column; 8] = [
    SECONDS,
    SRC_IP,
    DST_IP,
    SRC_PORT,
    DST_PORT,
    column("protocol", PROTOCOL),
    column("direction", DIRECTION),
    column("decision", DECISION),
];

static NSG_2: [Column; 13] = [
    SECONDS,
    SRC_IP,
    DST_IP,
    SRC_PORT,
    DST_PORT,
    column("protocol", PROTOCOL),
    column("direction", DIRECTION),
    column("decision", DECISION),
    column("flow_state", STATE),
    PACKETS_OUT,
    BYTES_OUT,
    PACKETS_BACK,
    BYTES_BACK,
];

static VNET_4: [Column; 13] = [
    MILLISECONDS,
    SRC_IP,
    DST_IP,
    SRC_PORT,
    DST_PORT,
    column("protocol", PROTOCOL),
    column("direction", DIRECTION),
    column("flow_state", STATE),
    column("encryption", ColumnReading::Text),
    PACKETS_OUT,
    BYTES_OUT,
    PACKETS_BACK,
    BYTES_BACK,
];
