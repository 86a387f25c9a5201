//! Resource logs: Key Vault, Storage, gateways, firewall, `DDoS` protection, AKS, App Service.
//! `azure-logs.md` section 8.

use std::borrow::Cow;

use palisade_detect::event::{EntityKind, EntityPath, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{MINUTES_10, Row, Seen, When, entity};

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

/// Operations on vaults, keys, secrets and certificates.
pub static KEY_VAULT: LogType = row(
    "key_vault",
    const { &[Logsource::of("azure", "keyvault")] },
    &[
        entity(EntityKind::Account, "actor", "upn", "identity.claim.upn"),
        entity(
            EntityKind::Account,
            "actor",
            "upn",
            "identity.claim.unique_name",
        ),
        entity(
            EntityKind::Account,
            "actor",
            "upn",
            "identity.claim.http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
        ),
        entity(
            EntityKind::Account,
            "actor",
            "object_id",
            "identity.claim.oid",
        ),
        entity(
            EntityKind::Account,
            "actor",
            "object_id",
            "identity.claim.http://schemas.microsoft.com/identity/claims/objectidentifier",
        ),
        entity(
            EntityKind::CloudApplication,
            "client",
            "app_id",
            "identity.claim.appid",
        ),
        CALLER,
        entity(EntityKind::Ip, "source", "address", "identity.claim.ipaddr"),
        RESOURCE,
        entity(EntityKind::Url, "target", "url", "properties.id"),
    ],
    &[
        ("", Reading::KeysFoldCase),
        ("time", Reading::Time),
        ("callerIpAddress", Reading::Address),
        ("identity.claim.ipaddr", Reading::Address),
        ("properties", Reading::JsonText),
    ],
);

/// How Azure Policy judged objects of a vault.
pub static KEY_VAULT_POLICY: LogType = row(
    "key_vault_policy",
    const { &[Logsource::of("azure", "keyvaultpolicy")] },
    &[CALLER, RESOURCE],
    PLAIN,
);

/// Reads, writes and deletes of blobs, files, queues and tables.
pub static STORAGE: LogType = row(
    "storage",
    const { &[Logsource::of("azure", "storage")] },
    &[
        entity(
            EntityKind::Account,
            "actor",
            "upn",
            "identity.requester.upn",
        ),
        entity(
            EntityKind::Account,
            "actor",
            "object_id",
            "identity.requester.objectId",
        ),
        entity(
            EntityKind::CloudApplication,
            "client",
            "app_id",
            "identity.requester.appId",
        ),
        CALLER,
        RESOURCE,
        entity(
            EntityKind::AzureResource,
            "target",
            "name",
            "properties.accountName",
        ),
        entity(EntityKind::File, "target", "path", "properties.objectKey"),
    ],
    &[
        ("", Reading::KeysFoldCase),
        ("time", Reading::Time),
        ("callerIpAddress", Reading::Address),
        ("properties", Reading::JsonText),
        ("properties.lastModifiedTime", Reading::Time),
    ],
);

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
pub static GATEWAY_ACCESS: LogType = row(
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
pub static GATEWAY_WAF: LogType = row(
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
pub static GATEWAY_PERFORMANCE: LogType = row(
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
pub static FRONT_DOOR_ACCESS: LogType = row(
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
pub static FRONT_DOOR_WAF: LogType = row(
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
pub static FRONT_DOOR_PROBE: LogType = row(
    "front_door_health_probe",
    const { &[Logsource::of("azure", "frontdoorhealthprobe")] },
    &[RESOURCE],
    FRONT_DOOR_READINGS,
);

/// Azure Firewall in the old form: everything stands in one sentence.
pub static FIREWALL_TEXT: LogType = row(
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
pub static FIREWALL_NETWORK: LogType = firewall(
    "azure_firewall_network",
    const { &[with_category("azurefirewall", "firewall")] },
);
/// Application rules of Azure Firewall.
pub static FIREWALL_APPLICATION: LogType = firewall(
    "azure_firewall_application",
    const { &[with_category("azurefirewall", "firewall")] },
);
/// Threat intelligence and signatures of Azure Firewall.
pub static FIREWALL_THREAT: LogType = firewall(
    "azure_firewall_threat",
    const { &[with_category("azurefirewall", "firewall")] },
);
/// Names asked of Azure Firewall.
pub static FIREWALL_DNS: LogType = firewall(
    "azure_firewall_dns",
    const { &[with_category("azurefirewall", "dns")] },
);

/// Begin and end of a mitigation.
pub static DDOS_NOTIFICATION: LogType = row(
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
pub static DDOS_FLOW: LogType = row(
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
pub static DDOS_REPORT: LogType = row(
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

/// The audit log of a Kubernetes cluster.
pub static KUBE_AUDIT: LogType = row(
    "aks_audit",
    const {
        &[
            Logsource::of("azure", "kubeaudit"),
            Logsource {
                product: Some(Cow::Borrowed("kubernetes")),
                service: Some(Cow::Borrowed("audit")),
                category: Some(Cow::Borrowed("application")),
            },
        ]
    },
    &[
        entity(
            EntityKind::Account,
            "actor",
            "name",
            "properties.log.user.username",
        ),
        entity(
            EntityKind::Ip,
            "source",
            "address",
            "properties.log.sourceIPs",
        ),
        RESOURCE,
    ],
    &[
        ("", Reading::KeysFoldCase),
        ("time", Reading::Time),
        ("properties", Reading::JsonText),
        ("properties.log", Reading::JsonText),
    ],
);

/// Other parts of a Kubernetes control plane.
pub static KUBE_CONTROL_PLANE: LogType = row(
    "aks_control_plane",
    const { &[Logsource::of("azure", "akscontrolplane")] },
    &[RESOURCE],
    &[
        ("", Reading::KeysFoldCase),
        ("time", Reading::Time),
        ("properties", Reading::JsonText),
        ("properties.log", Reading::JsonText),
    ],
);

/// Requests to an App Service.
pub static APP_SERVICE_HTTP: LogType = row(
    "app_service_http",
    const { &[with_category("appservicehttp", "webserver")] },
    &[
        entity(EntityKind::Ip, "source", "address", "properties.CIp"),
        entity(
            EntityKind::Account,
            "actor",
            "name",
            "properties.CsUsername",
        ),
        entity(EntityKind::Dns, "target", "name", "properties.CsHost"),
        entity(EntityKind::Url, "target", "url", "properties.CsUriStem"),
        RESOURCE,
    ],
    &[
        ("", Reading::KeysFoldCase),
        ("time", Reading::Time),
        ("properties", Reading::JsonText),
        ("properties.CIp", Reading::Address),
    ],
);

/// Sign-ins of publishers to an App Service.
pub static APP_SERVICE_AUDIT: LogType = row(
    "app_service_audit",
    const { &[Logsource::of("azure", "appserviceaudit")] },
    &[
        entity(
            EntityKind::Account,
            "actor",
            "name",
            "Properties.UserDisplayName",
        ),
        entity(EntityKind::Account, "actor", "object_id", "Properties.User"),
        entity(
            EntityKind::Ip,
            "source",
            "address",
            "Properties.UserAddress",
        ),
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "ResourceId",
        ),
    ],
    &[
        ("", Reading::KeysFoldCase),
        ("time", Reading::Time),
        ("Properties", Reading::JsonText),
        ("Properties.UserAddress", Reading::Address),
    ],
);

/// What access restrictions of an App Service let through or denied.
pub static APP_SERVICE_IPSEC: LogType = row(
    "app_service_ip_restriction",
    const { &[Logsource::of("azure", "appserviceipsecaudit")] },
    &[
        entity(EntityKind::Ip, "source", "address", "Properties.CIp"),
        entity(EntityKind::Dns, "target", "name", "Properties.CsHost"),
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "ResourceId",
        ),
    ],
    &[
        ("", Reading::KeysFoldCase),
        ("time", Reading::Time),
        ("Properties", Reading::JsonText),
        ("Properties.CIp", Reading::Address),
    ],
);

/// What functions wrote.
pub static FUNCTION_APP: LogType = row(
    "function_app",
    const { &[Logsource::of("azure", "functionapp")] },
    &[RESOURCE],
    PLAIN,
);

/// Operations on an Event Hubs namespace; the time has a name of its own.
pub static EVENT_HUBS: LogType = LogType {
    name: "event_hubs_operation",
    logsources: const { &[Logsource::of("azure", "eventhubs")] },
    event_time: &["EventTimeString", "time"],
    entities: &[
        RESOURCE,
        entity(EntityKind::Account, "actor", "name", "Caller"),
    ],
    readings: &[
        ("", Reading::KeysFoldCase),
        ("EventTimeString", Reading::Time),
        ("EventProperties", Reading::JsonText),
    ],
    content_key: None,
    lateness: MINUTES_10,
};
