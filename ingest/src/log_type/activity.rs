//! The Activity Log: Event Hubs records, PIM events, the REST shape and table rows; alerts of Azure
//! Monitor. `azure-logs.md` sections 3 and 9.

use palisade_detect::event::{EntityKind, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{MINUTES_5, MINUTES_20, Row, Seen, When, entity};

const ACTIVITY: &[Logsource] = &[Logsource::of("azure", "activitylogs")];

/// Rows of this family.
pub static ROWS: &[Row] = &[
    Row {
        log_type: &ACTIVITY_REST,
        when: When::Shape(
            "`operationName` is an object of `value` and `localizedValue`",
            is_rest,
        ),
    },
    Row {
        log_type: &ACTIVITY_PIM,
        when: When::ShapeOf(
            &["Administrative"],
            "`category` Administrative and `operationName` is a sentence",
            is_pim,
        ),
    },
    Row {
        log_type: &ACTIVITY_LOG,
        when: When::ShapeOf(
            CATEGORIES,
            "one of the categories, and `operationName` has a `/`",
            is_activity,
        ),
    },
    Row {
        log_type: &ACTIVITY_TABLE,
        when: When::Table(&["AzureActivity"]),
    },
    Row {
        log_type: &MONITOR_ALERT,
        when: When::Members(&["schemaId", "data"]),
    },
];

/// Categories of section 3.2 and the verbs of old exports.
const CATEGORIES: &[&str] = &[
    "Administrative",
    "Policy",
    "Security",
    "ServiceHealth",
    "ResourceHealth",
    "Alert",
    "Autoscale",
    "Recommendation",
    "Write",
    "Delete",
    "Action",
];

fn is_rest(seen: &Seen<'_>) -> bool {
    seen.table.is_none() && seen.members.at("operationName.value").is_some()
}

fn is_pim(seen: &Seen<'_>) -> bool {
    !seen.is_of_entra()
        && seen
            .operation()
            .is_some_and(|operation| !operation.contains(&b'/'))
}

fn is_activity(seen: &Seen<'_>) -> bool {
    !seen.is_of_entra()
        && seen
            .operation()
            .is_some_and(|operation| operation.contains(&b'/'))
}

/// Operations of the control plane, in all categories.
pub static ACTIVITY_LOG: LogType = LogType {
    name: "azure_activity",
    logsources: ACTIVITY,
    event_time: &["time", "properties.eventTimestamp"],
    entities: &[
        entity(
            EntityKind::Account,
            "actor",
            "upn",
            "identity.claims.http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
        ),
        entity(
            EntityKind::Account,
            "actor",
            "name",
            "identity.claims.http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        ),
        entity(
            EntityKind::Account,
            "actor",
            "object_id",
            "identity.claims.http://schemas.microsoft.com/identity/claims/objectidentifier",
        ),
        entity(
            EntityKind::Account,
            "actor",
            "object_id",
            "identity.authorization.evidence.principalId",
        ),
        entity(
            EntityKind::CloudApplication,
            "client",
            "app_id",
            "identity.claims.appid",
        ),
        entity(EntityKind::Ip, "source", "address", "callerIpAddress"),
        entity(
            EntityKind::Ip,
            "source",
            "address",
            "identity.claims.ipaddr",
        ),
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "resourceId",
        ),
        entity(
            EntityKind::Host,
            "target",
            "name",
            "properties.compromisedEntity",
        ),
    ],
    readings: &[
        ("", Reading::KeysFoldCase),
        ("time", Reading::Time),
        ("callerIpAddress", Reading::Address),
        ("identity.claims.ipaddr", Reading::Address),
        ("properties", Reading::JsonText),
        ("properties.requestbody", Reading::JsonText),
        ("properties.requestBody", Reading::JsonText),
        ("properties.responseBody", Reading::JsonText),
        ("properties.statusMessage", Reading::JsonText),
        ("properties.policies", Reading::JsonText),
        ("properties.impactedServices", Reading::JsonText),
        ("properties.remediationSteps", Reading::JsonText),
        ("properties.LastScaleActionTime", Reading::Time),
        ("properties.impactStartTime", Reading::Time),
        ("properties.impactMitigationTime", Reading::Time),
    ],
    content_key: None,
    lateness: MINUTES_20,
};

/// What Privileged Identity Management for Azure resources writes to the Activity Log.
pub static ACTIVITY_PIM: LogType = LogType {
    name: "azure_activity_pim",
    logsources: ACTIVITY,
    event_time: &["time"],
    entities: &[
        entity(
            EntityKind::Account,
            "target",
            "object_id",
            "properties.SubjectID",
        ),
        entity(
            EntityKind::Account,
            "target",
            "name",
            "properties.SubjectName",
        ),
        entity(
            EntityKind::Account,
            "actor",
            "object_id",
            "properties.CallerInfo.id",
        ),
        entity(EntityKind::Ip, "source", "address", "callerIpAddress"),
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "resourceId",
        ),
    ],
    readings: &[
        ("", Reading::KeysFoldCase),
        ("time", Reading::Time),
        ("callerIpAddress", Reading::Address),
        ("properties", Reading::JsonText),
        ("properties.CallerInfo", Reading::JsonText),
    ],
    content_key: None,
    lateness: MINUTES_20,
};

/// The Activity Log as its REST API shows it.
pub static ACTIVITY_REST: LogType = LogType {
    name: "azure_activity_rest",
    logsources: ACTIVITY,
    event_time: &["eventTimestamp", "time", "submissionTimestamp"],
    entities: &[
        entity(EntityKind::Account, "actor", "upn", "caller"),
        entity(
            EntityKind::Account,
            "actor",
            "upn",
            "claims.http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
        ),
        entity(
            EntityKind::Account,
            "actor",
            "object_id",
            "claims.http://schemas.microsoft.com/identity/claims/objectidentifier",
        ),
        entity(
            EntityKind::CloudApplication,
            "client",
            "app_id",
            "claims.appid",
        ),
        entity(
            EntityKind::Ip,
            "source",
            "address",
            "httpRequest.clientIpAddress",
        ),
        entity(EntityKind::Ip, "source", "address", "callerIpAddress"),
        entity(EntityKind::Ip, "source", "address", "claims.ipaddr"),
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "resourceId",
        ),
    ],
    readings: &[
        ("", Reading::KeysFoldCase),
        ("eventTimestamp", Reading::Time),
        ("submissionTimestamp", Reading::Time),
        ("time", Reading::Time),
        ("callerIpAddress", Reading::Address),
        ("httpRequest.clientIpAddress", Reading::Address),
        ("claims", Reading::JsonText),
        ("properties.requestbody", Reading::JsonText),
        ("properties.responseBody", Reading::JsonText),
        ("properties.statusMessage", Reading::JsonText),
        ("properties.policies", Reading::JsonText),
    ],
    content_key: Some("eventDataId"),
    lateness: MINUTES_20,
};

/// The Activity Log as rows of the table `AzureActivity`.
pub static ACTIVITY_TABLE: LogType = LogType {
    name: "azure_activity_table",
    logsources: ACTIVITY,
    event_time: &["TimeGenerated", "EventSubmissionTimestamp"],
    entities: &[
        entity(EntityKind::Account, "actor", "upn", "Caller"),
        entity(
            EntityKind::Account,
            "actor",
            "object_id",
            "Claims_d.http://schemas.microsoft.com/identity/claims/objectidentifier",
        ),
        entity(
            EntityKind::CloudApplication,
            "client",
            "app_id",
            "Claims_d.appid",
        ),
        entity(EntityKind::Ip, "source", "address", "CallerIpAddress"),
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "_ResourceId",
        ),
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "ResourceId",
        ),
    ],
    readings: &[
        ("TimeGenerated", Reading::Time),
        ("EventSubmissionTimestamp", Reading::Time),
        ("CallerIpAddress", Reading::Address),
        ("Claims", Reading::JsonText),
        ("Authorization", Reading::JsonText),
        ("HTTPRequest", Reading::JsonText),
        ("Properties", Reading::JsonText),
        ("Properties_d.responseBody", Reading::JsonText),
        ("Properties_d.requestbody", Reading::JsonText),
        ("Properties_d.statusMessage", Reading::JsonText),
        ("Properties_d.policies", Reading::JsonText),
    ],
    content_key: Some("EventDataId"),
    lateness: MINUTES_20,
};

/// An alert of Azure Monitor in the common alert schema.
pub static MONITOR_ALERT: LogType = LogType {
    name: "azure_monitor_alert",
    logsources: &[Logsource::of("azure", "monitoralerts")],
    event_time: &[
        "data.essentials.firedDateTime",
        "data.essentials.resolvedDateTime",
        "data.alertContext.eventTimestamp",
    ],
    entities: &[
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "data.essentials.alertTargetIDs",
        ),
        entity(
            EntityKind::Account,
            "actor",
            "upn",
            "data.alertContext.caller",
        ),
        entity(
            EntityKind::Host,
            "target",
            "name",
            "data.essentials.configurationItems",
        ),
    ],
    readings: &[
        ("data.essentials.firedDateTime", Reading::Time),
        ("data.essentials.resolvedDateTime", Reading::Time),
        ("data.alertContext.eventTimestamp", Reading::Time),
        ("data.alertContext.claims", Reading::JsonText),
        ("data.alertContext.authorization", Reading::JsonText),
        (
            "data.alertContext.properties.responseBody",
            Reading::JsonText,
        ),
    ],
    content_key: None,
    lateness: MINUTES_5,
};
