//! Application Gateway, Front Door, Azure Firewall and `DDoS` protection.

use palisade_detect::event::{EntityKind, EntityPath, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{PLAIN, RESOURCE, row, with_category};
use crate::log_type::entity;

const GATEWAY_READINGS: &[(&str, Reading)] = &[
    ("", Reading::KeysFoldCase),
    ("properties", Reading::KeysFoldCase),
    ("time", Reading::Time),
    ("timestamp", Reading::Time),
    ("timeStamp", Reading::Time),
    ("properties.clientIP", Reading::Address),
    ("properties.clientIp", Reading::Address),
];

/// Requests through Application Gateway.
pub(super) static GATEWAY_ACCESS: LogType = row(
    "app_gateway_access",
    const { &[with_category("applicationgateway", "webserver")] },
    &[
        entity(EntityKind::Ip, "source", "address", "properties.clientIP"),
        entity(EntityKind::Dns, "target", "name", "properties.host"),
        entity(EntityKind::Url, "target", "url", "properties.requestUri"),
        RESOURCE,
    ],
    GATEWAY_READINGS,
);

/// What the web application firewall of Application Gateway found.
pub(super) static GATEWAY_WAF: LogType = row(
    "app_gateway_waf",
    const { &[Logsource::of("azure", "applicationgatewaywaf")] },
    &[
        entity(EntityKind::Ip, "source", "address", "properties.clientIp"),
        entity(EntityKind::Dns, "target", "name", "properties.hostname"),
        entity(EntityKind::Url, "target", "url", "properties.requestUri"),
        RESOURCE,
    ],
    GATEWAY_READINGS,
);

/// Performance of Application Gateway, version 1.
pub(super) static GATEWAY_PERFORMANCE: LogType = row(
    "app_gateway_performance",
    const { &[Logsource::of("azure", "applicationgatewayperformance")] },
    &[RESOURCE],
    GATEWAY_READINGS,
);

const FRONT_DOOR_READINGS: &[(&str, Reading)] = &[
    ("", Reading::KeysFoldCase),
    ("properties", Reading::KeysFoldCase),
    ("time", Reading::Time),
    ("properties.clientIp", Reading::Address),
    ("properties.clientIP", Reading::Address),
    ("properties.socketIp", Reading::Address),
    ("properties.socketIP", Reading::Address),
];

/// Requests through Front Door.
pub(super) static FRONT_DOOR_ACCESS: LogType = row(
    "front_door_access",
    const { &[with_category("frontdoor", "webserver")] },
    &[
        entity(EntityKind::Ip, "source", "address", "properties.clientIp"),
        entity(EntityKind::Ip, "proxy", "address", "properties.socketIp"),
        entity(EntityKind::Url, "target", "url", "properties.requestUri"),
        RESOURCE,
    ],
    FRONT_DOOR_READINGS,
);

/// What the web application firewall of Front Door found.
pub(super) static FRONT_DOOR_WAF: LogType = row(
    "front_door_waf",
    const { &[Logsource::of("azure", "frontdoorwaf")] },
    &[
        entity(EntityKind::Ip, "source", "address", "properties.clientIP"),
        entity(EntityKind::Ip, "proxy", "address", "properties.socketIP"),
        entity(EntityKind::Dns, "target", "name", "properties.host"),
        entity(EntityKind::Url, "target", "url", "properties.requestUri"),
        RESOURCE,
    ],
    FRONT_DOOR_READINGS,
);

/// Health probes of Front Door.
pub(super) static FRONT_DOOR_PROBE: LogType = row(
    "front_door_health_probe",
    const { &[Logsource::of("azure", "frontdoorhealthprobe")] },
    &[RESOURCE],
    FRONT_DOOR_READINGS,
);

/// Azure Firewall in the old form: everything stands in one sentence.
pub(super) static FIREWALL_TEXT: LogType = row(
    "azure_firewall_text",
    const { &[Logsource::of("azure", "azurefirewalltext")] },
    &[RESOURCE],
    &[
        ("", Reading::KeysFoldCase),
        ("time", Reading::Time),
        ("properties", Reading::JsonText),
    ],
);

const FIREWALL_ENTITIES: &[EntityPath] = &[
    entity(EntityKind::Ip, "source", "address", "properties.SourceIp"),
    entity(
        EntityKind::Ip,
        "destination",
        "address",
        "properties.DestinationIp",
    ),
    entity(EntityKind::Dns, "destination", "name", "properties.Fqdn"),
    entity(
        EntityKind::Dns,
        "destination",
        "name",
        "properties.QueryName",
    ),
    entity(
        EntityKind::Url,
        "destination",
        "url",
        "properties.TargetUrl",
    ),
    entity(EntityKind::Url, "destination", "url", "properties.Url"),
    RESOURCE,
];
const FIREWALL_READINGS: &[(&str, Reading)] = &[
    ("", Reading::KeysFoldCase),
    ("time", Reading::Time),
    ("properties", Reading::JsonText),
    ("properties.SourceIp", Reading::Address),
    ("properties.DestinationIp", Reading::Address),
];

const fn firewall(name: &'static str, logsources: &'static [Logsource]) -> LogType {
    row(name, logsources, FIREWALL_ENTITIES, FIREWALL_READINGS)
}

/// Network and NAT rules of Azure Firewall, and its flows.
pub(super) static FIREWALL_NETWORK: LogType = firewall(
    "azure_firewall_network",
    const { &[with_category("azurefirewall", "firewall")] },
);
/// Application rules of Azure Firewall.
pub(super) static FIREWALL_APPLICATION: LogType = firewall(
    "azure_firewall_application",
    const { &[with_category("azurefirewall", "firewall")] },
);
/// Threat intelligence and signatures of Azure Firewall.
pub(super) static FIREWALL_THREAT: LogType = firewall(
    "azure_firewall_threat",
    const { &[with_category("azurefirewall", "firewall")] },
);
/// Names asked of Azure Firewall.
pub(super) static FIREWALL_DNS: LogType = firewall(
    "azure_firewall_dns",
    const { &[with_category("azurefirewall", "dns")] },
);

/// Begin and end of a mitigation.
pub(super) static DDOS_NOTIFICATION: LogType = row(
    "ddos_notification",
    const { &[Logsource::of("azure", "ddosprotection")] },
    &[
        entity(
            EntityKind::Ip,
            "target",
            "address",
            "properties.PublicIpAddress",
        ),
        RESOURCE,
    ],
    PLAIN,
);

/// Flows during a mitigation.
pub(super) static DDOS_FLOW: LogType = row(
    "ddos_flow",
    const { &[Logsource::of("azure", "ddosflow")] },
    &[
        entity(
            EntityKind::Ip,
            "source",
            "address",
            "properties.SourcePublicIpAddress",
        ),
        entity(
            EntityKind::Ip,
            "destination",
            "address",
            "properties.DestPublicIpAddress",
        ),
        RESOURCE,
    ],
    PLAIN,
);

/// Reports of a mitigation.
pub(super) static DDOS_REPORT: LogType = row(
    "ddos_report",
    const { &[Logsource::of("azure", "ddosreport")] },
    &[
        entity(EntityKind::Ip, "target", "address", "properties.IPAddress"),
        RESOURCE,
    ],
    &[
        ("", Reading::KeysFoldCase),
        ("time", Reading::Time),
        ("properties", Reading::JsonText),
        ("properties.MitigationPeriodStart", Reading::Time),
        ("properties.MitigationPeriodEnd", Reading::Time),
        ("properties.AttackVectors", Reading::JsonText),
        ("properties.TrafficOverview", Reading::JsonText),
        ("properties.Protocols", Reading::JsonText),
        ("properties.DropReasons", Reading::JsonText),
        ("properties.TopSourceCountries", Reading::JsonText),
        ("properties.TopSourceASNs", Reading::JsonText),
    ],
);
