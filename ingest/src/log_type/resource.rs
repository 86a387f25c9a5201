//! Resource logs: Key Vault, Storage, gateways, firewall, `DDoS` protection, AKS, App Service.
//! `azure-logs.md` section 8.

use std::borrow::Cow;

use palisade_detect::event::{EntityKind, EntityPath, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{MINUTES_10, Row, Seen, When, entity};

use self::app::{
    APP_SERVICE_AUDIT, APP_SERVICE_HTTP, APP_SERVICE_IPSEC, EVENT_HUBS, FUNCTION_APP, KUBE_AUDIT,
    KUBE_CONTROL_PLANE,
};
use self::data::{KEY_VAULT, KEY_VAULT_POLICY, STORAGE};
use self::edge::{
    DDOS_FLOW, DDOS_NOTIFICATION, DDOS_REPORT, FIREWALL_APPLICATION, FIREWALL_DNS,
    FIREWALL_NETWORK, FIREWALL_TEXT, FIREWALL_THREAT, FRONT_DOOR_ACCESS, FRONT_DOOR_PROBE,
    FRONT_DOOR_WAF, GATEWAY_ACCESS, GATEWAY_PERFORMANCE, GATEWAY_WAF,
};

mod data;
mod edge;
mod app;

/// Rows of this family.
pub static ROWS: &[Row] = &[
    Row {
        log_type: &KEY_VAULT,
        when: When::CategoryOf(&["AuditEvent"], "/microsoft.keyvault/"),
    },
    Row {
        log_type: &KEY_VAULT_POLICY,
        when: When::CategoryOf(&["AzurePolicyEvaluationDetails"], "/microsoft.keyvault/"),
    },
    Row {
        log_type: &STORAGE,
        when: When::Category(&["StorageRead", "StorageWrite", "StorageDelete"]),
    },
    Row {
        log_type: &STORAGE,
        when: When::Shape(
            "no `category`, and the resource is a storage service",
            is_storage,
        ),
    },
    Row {
        log_type: &GATEWAY_ACCESS,
        when: When::Category(&["ApplicationGatewayAccessLog"]),
    },
    Row {
        log_type: &GATEWAY_WAF,
        when: When::Category(&["ApplicationGatewayFirewallLog"]),
    },
    Row {
        log_type: &GATEWAY_PERFORMANCE,
        when: When::Category(&["ApplicationGatewayPerformanceLog"]),
    },
    // Classic and Standard/Premium differ by the case of one letter.
    Row {
        log_type: &FRONT_DOOR_ACCESS,
        when: When::Category(&["FrontDoorAccessLog"]),
    },
    Row {
        log_type: &FRONT_DOOR_WAF,
        when: When::Category(&["FrontDoorWebApplicationFirewallLog"]),
    },
    Row {
        log_type: &FRONT_DOOR_PROBE,
        when: When::Category(&["FrontDoorHealthProbeLog"]),
    },
    Row {
        log_type: &FIREWALL_TEXT,
        when: When::Category(&[
            "AzureFirewallNetworkRule",
            "AzureFirewallApplicationRule",
            "AzureFirewallDnsProxy",
        ]),
    },
    Row {
        log_type: &FIREWALL_NETWORK,
        when: When::Category(&[
            "AZFWNetworkRule",
            "AZFWNatRule",
            "AZFWNetworkRuleAggregation",
            "AZFWNatRuleAggregation",
            "AZFWFatFlow",
            "AZFWFlowTrace",
        ]),
    },
    Row {
        log_type: &FIREWALL_APPLICATION,
        when: When::Category(&["AZFWApplicationRule", "AZFWApplicationRuleAggregation"]),
    },
    Row {
        log_type: &FIREWALL_THREAT,
        when: When::Category(&["AZFWThreatIntel", "AZFWIdpsSignature"]),
    },
    Row {
        log_type: &FIREWALL_DNS,
        when: When::Category(&["AZFWDnsQuery", "AZFWFqdnResolveFailure"]),
    },
    Row {
        log_type: &DDOS_NOTIFICATION,
        when: When::Category(&["DDoSProtectionNotifications"]),
    },
    Row {
        log_type: &DDOS_FLOW,
        when: When::Category(&["DDoSMitigationFlowLogs"]),
    },
    Row {
        log_type: &DDOS_REPORT,
        when: When::Category(&["DDoSMitigationReports"]),
    },
    Row {
        log_type: &KUBE_AUDIT,
        when: When::Category(&["kube-audit", "kube-audit-admin"]),
    },
    Row {
        log_type: &KUBE_CONTROL_PLANE,
        when: When::Category(&[
            "guard",
            "cluster-autoscaler",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "cloud-controller-manager",
        ]),
    },
    Row {
        log_type: &APP_SERVICE_HTTP,
        when: When::Category(&["AppServiceHTTPLogs"]),
    },
    Row {
        log_type: &APP_SERVICE_AUDIT,
        when: When::Category(&["AppServiceAuditLogs"]),
    },
    Row {
        log_type: &APP_SERVICE_IPSEC,
        when: When::Category(&["AppServiceIPSecAuditLogs"]),
    },
    Row {
        log_type: &FUNCTION_APP,
        when: When::Category(&["FunctionAppLogs"]),
    },
    Row {
        log_type: &EVENT_HUBS,
        when: When::CategoryOf(&["OperationalLogs"], "/microsoft.eventhub/"),
    },
];

fn is_storage(seen: &Seen<'_>) -> bool {
    seen.category.is_none()
        && seen.table.is_none()
        && seen.resource_holds("/microsoft.storage/storageaccounts/")
        && [
            "/blobservices/",
            "/fileservices/",
            "/queueservices/",
            "/tableservices/",
        ]
        .iter()
        .any(|service| seen.resource_holds(service))
}

/// A row of this family: most have the common record's times and nothing that repeats.
const fn row(
    name: &'static str,
    logsources: &'static [Logsource],
    entities: &'static [EntityPath],
    readings: &'static [(&'static str, Reading)],
) -> LogType {
    LogType {
        name,
        logsources,
        event_time: &["time", "timestamp", "timeStamp"],
        entities,
        readings,
        content_key: None,
        lateness: MINUTES_10,
    }
}

const fn with_category(service: &'static str, category: &'static str) -> Logsource {
    Logsource {
        product: Some(Cow::Borrowed("azure")),
        service: Some(Cow::Borrowed(service)),
        category: Some(Cow::Borrowed(category)),
    }
}

const RESOURCE: EntityPath = entity(
    EntityKind::AzureResource,
    "target",
    "resource_id",
    "resourceId",
);
const CALLER: EntityPath = entity(EntityKind::Ip, "source", "address", "callerIpAddress");
const PLAIN: &[(&str, Reading)] = &[
    ("", Reading::KeysFoldCase),
    ("time", Reading::Time),
    ("callerIpAddress", Reading::Address),
    ("properties", Reading::JsonText),
];
