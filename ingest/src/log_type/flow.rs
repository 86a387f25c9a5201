//! Flow logs of Network Watcher; their tuples are taken apart in `flow.rs` of the crate.
//! `azure-logs.md` section 7.

use std::borrow::Cow;

use palisade_detect::event::{EntityKind, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{MINUTES_10, Row, When, entity};

/// Rows of this family.
pub static ROWS: &[Row] = &[
    Row {
        log_type: &NSG_FLOW,
        when: When::Category(&["NetworkSecurityGroupFlowEvent"]),
    },
    Row {
        log_type: &VNET_FLOW,
        when: When::Category(&["FlowLogFlowEvent"]),
    },
    Row {
        log_type: &VNET_FLOW,
        when: When::Members(&["flowLogVersion", "flowRecords", "macAddress"]),
    },
];

const fn firewall(service: &'static str) -> Logsource {
    Logsource {
        product: Some(Cow::Borrowed("azure")),
        service: Some(Cow::Borrowed(service)),
        category: Some(Cow::Borrowed("firewall")),
    }
}

/// A flow that a network security group let through or denied, versions 1 and 2.
pub static NSG_FLOW: LogType = LogType {
    name: "nsg_flow",
    logsources: &[firewall("nsgflow")],
    // Of the record around the tuples; an event's own time is its first column.
    event_time: &["time"],
    entities: &[
        entity(EntityKind::Ip, "source", "address", "src_ip"),
        entity(EntityKind::Ip, "destination", "address", "dst_ip"),
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "resourceId",
        ),
        entity(EntityKind::Host, "host", "mac", "mac"),
    ],
    readings: &[("", Reading::KeysFoldCase), ("time", Reading::Time)],
    content_key: None,
    lateness: MINUTES_10,
};

/// A flow of a virtual network, subnet or interface, version 4.
pub static VNET_FLOW: LogType = LogType {
    name: "vnet_flow",
    logsources: &[firewall("vnetflow")],
    event_time: &["time"],
    entities: &[
        entity(EntityKind::Ip, "source", "address", "src_ip"),
        entity(EntityKind::Ip, "destination", "address", "dst_ip"),
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "targetResourceID",
        ),
        entity(EntityKind::AzureResource, "rule", "resource_id", "aclID"),
        entity(EntityKind::Host, "host", "mac", "macAddress"),
    ],
    readings: &[("", Reading::KeysFoldCase), ("time", Reading::Time)],
    content_key: None,
    lateness: MINUTES_10,
};
