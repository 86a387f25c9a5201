//! Flow logs: every tuple of a record is an event.
//!
//! ```text
//! NSG   properties.flows[i] {rule, flows[j] {mac, flowTuples[k]}}
//! VNet  flowRecords.flows[i] {aclID, flowGroups[j] {rule, flowTuples[k]}}
//! ```
//!
//! The tuple's index is the record's and then `i`, `j`, `k`. Formats: `azure-logs.md` section 7.

use palisade_detect::event::{
    Around, Body, Column, ColumnReading, EventRef, FlowTuple, Index, LogType,
};
use palisade_detect::time::Timestamp;

use crate::decode::Teller;
use crate::log_type::flow::{NSG_FLOW, VNET_FLOW};
use crate::members::{Members, Places};
use crate::raw::{Elements, Raw};
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

    /// What the columns of a record's tuples can be, by its version; an NSG log that does not say its
    /// version is read by the number of columns.
    fn layouts(&self, version: Option<&str>) -> &'static [&'static [Column]] {
        static BY_COUNT: [&[Column]; 2] = [&NSG_1, &NSG_2];
        static VNET: [&[Column]; 1] = [&VNET_4];
        match (self.hidden, version) {
            ("flowRecords", Some("4") | None) => &VNET,
            ("properties", Some("1")) => &BY_COUNT[..1],
            ("properties", Some("2")) => &BY_COUNT[1..],
            ("properties", None) => &BY_COUNT,
            _ => &[],
        }
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

/// Raw members by their names.
type Named<'a> = Vec<(&'a str, &'a [u8])>;

/// What is kept from record to record, so that reading one takes no memory.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    of_body: Places,
    of_outer: Places,
    of_inner: Places,
    shared: Named<'static>,
    members: Named<'static>,
}

/// The memory of a list for names of another life.
fn emptied<'a>(mut members: Named<'_>) -> Named<'a> {
    members.clear();
    members.into_iter().map(|_| ("", &b""[..])).collect()
}

/// The tuples of one group and what stands around them.
struct Group<'a, 'm> {
    record: &'m Record<'a>,
    list: Raw<'a>,
    layouts: &'static [&'static [Column]],
    around: Around<'m>,
}

/// Tells every tuple of a flow record.
pub(crate) fn tuples(
    shape: &'static Shape,
    record: &Record<'_>,
    index: Index,
    scratch: &mut Scratch,
    teller: &mut Teller<'_>,
) {
    let Scratch {
        of_body,
        of_outer,
        of_inner,
        shared: of_shared,
        members: of_members,
    } = scratch;
    let body = record.members.raw(shape.hidden);
    let body = body.and_then(|body| Members::of_raw(body, of_body));
    let flows = body.as_ref().and_then(|body| body.raw("flows"));
    let Some(flows) = flows.filter(|flows| flows.bytes().first() == Some(&b'[')) else {
        let message = "expected a list of flows";
        return teller.reject(record.reject(index, record.event, message));
    };
    let stated = match shape.hidden {
        "properties" => body.as_ref().and_then(|body| body.get("Version")),
        _ => record.members.get("flowLogVersion"),
    };
    let version = stated.and_then(|raw| std::str::from_utf8(raw).ok());
    let layouts = shape.layouts(version.map(|text| text.trim_matches('"')));
    let mut shared: Named<'_> = emptied(std::mem::take(of_shared));
    let plain = record.members.plain();
    shared.extend(plain.filter(|(name, _)| *name != shape.hidden));
    for (i, outer) in (0..).zip(Elements::of(flows)) {
        let Some(outer) = Members::of_raw(outer, of_outer) else {
            continue;
        };
        let inner = outer.raw(shape.inner).into_iter().flat_map(Elements::of);
        for (j, inner) in (0..).zip(inner) {
            let Some(inner) = Members::of_raw(inner, of_inner) else {
                continue;
            };
            let Some(list) = inner.raw("flowTuples") else {
                continue;
            };
            let mut members: Named<'_> = emptied(std::mem::take(of_members));
            members.extend_from_slice(&shared);
            let outer_value = outer.get(shape.outer_name);
            let inner_value = inner.get(shape.inner_name);
            members.extend(outer_value.map(|raw| (shape.outer_name, raw)));
            members.extend(inner_value.map(|raw| (shape.inner_name, raw)));
            let index = index.child(i).child(j);
            let bytes = members.iter().map(|(name, raw)| name.len() + raw.len());
            if bytes.sum::<usize>() > MEMBERS_BYTES_MAX {
                let message = "the members around the tuples are more than their limit";
                teller.reject(Reject {
                    reason: Reason::TooLarge,
                    ..record.reject(index, list.bytes(), message)
                });
            } else {
                let group = Group {
                    record,
                    list,
                    layouts,
                    around: Around::new(record.event, &members),
                };
                group.tell(shape, index, teller);
            }
            *of_members = emptied(members);
        }
    }
    *of_shared = emptied(shared);
}

impl Group<'_, '_> {
    fn tell(&self, shape: &'static Shape, index: Index, teller: &mut Teller<'_>) {
        let log_type = shape.log_type;
        let list = self.list.bytes();
        // Looked at once for all tuples.
        let text = std::str::from_utf8(list).ok();
        let escapes = memchr::memchr(b'\\', list).is_some();
        for (k, raw) in (0..).zip(Elements::of(self.list)) {
            let (index, raw) = (index.child(k), raw.bytes());
            let start = raw.as_ptr().addr().saturating_sub(list.as_ptr().addr());
            let tuple = text.and_then(|text| text.get(start..start + raw.len()));
            let tuple = tuple.filter(|tuple| !escapes || !tuple.contains('\\'));
            match self.tuple(tuple) {
                Ok((tuple, columns, time)) => teller.event(
                    index,
                    EventRef {
                        body: Body::Flow(FlowTuple {
                            around: &self.around,
                            tuple,
                            columns,
                        }),
                        log_type,
                        logsources: log_type.logsources,
                        event_time: Some(time),
                    },
                ),
                Err(message) => teller.reject(self.record.reject(index, raw, message)),
            }
        }
    }

    /// The columns and the time of a tuple, which is a text in quotes and without escapes.
    fn tuple<'t>(&self, raw: Option<&'t str>) -> Result<Tuple<'t>, &'static str> {
        let text = raw.and_then(|raw| raw.strip_prefix('"')?.strip_suffix('"'));
        let text = text.ok_or("expected plain text")?;
        let count = 1 + commas(text.as_bytes());
        let columns = self.layouts.iter().find(|columns| columns.len() == count);
        let columns = columns.ok_or("the columns are not those of the log's version")?;
        let first = text.bytes().position(|byte| byte == b',');
        let time = text.get(..first.unwrap_or(text.len()));
        let time = time.and_then(Timestamp::parse_any);
        Ok((text, columns, time.ok_or("the first column is no time")?))
    }
}

type Tuple<'a> = (&'a str, &'static [Column], Timestamp);

/// How many commas there are. Tuples are short: a few at a time are added up in a byte.
fn commas(text: &[u8]) -> usize {
    const AT_A_TIME: usize = 255;
    let of_part = |part: &[u8]| {
        let one = |sum: u8, byte: &u8| sum + u8::from(*byte == b',');
        usize::from(part.iter().fold(0, one))
    };
    text.chunks(AT_A_TIME).map(of_part).sum()
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
