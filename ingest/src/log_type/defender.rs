//! Defender for Cloud by continuous export: bare objects without category or time.
//! `azure-logs.md` section 5.

use palisade_detect::event::{EntityKind, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{HOUR, KEYS_FOLD_CASE, Row, Seen, When, entity};

const ALERTS: &[Logsource] = &[Logsource::of("azure", "defenderalerts")];

/// Rows of this family.
pub static ROWS: &[Row] = &[
    Row {
        log_type: &ALERT_TABLE,
        when: When::Table(&["SecurityAlert"]),
    },
    Row {
        log_type: &ALERT,
        when: When::Members(&["AlertType", "SystemAlertId", "VendorName"]),
    },
    Row {
        log_type: &ALERT_API,
        when: When::ResourceType(&[
            "Microsoft.Security/alerts",
            "Microsoft.Security/locations/alerts",
        ]),
    },
    Row {
        log_type: &ASSESSMENT,
        when: When::ResourceType(&["Microsoft.Security/assessments"]),
    },
    Row {
        log_type: &SUB_ASSESSMENT,
        when: When::ResourceType(&["Microsoft.Security/assessments/subAssessments"]),
    },
    Row {
        log_type: &SECURE_SCORE,
        when: When::ResourceType(&[
            "Microsoft.Security/secureScores",
            "Microsoft.Security/secureScores/secureScoreControls",
        ]),
    },
    Row {
        log_type: &COMPLIANCE,
        when: When::Shape(
            "`type` under `Microsoft.Security/regulatoryCompliance…`",
            is_compliance,
        ),
    },
];

fn is_compliance(seen: &Seen<'_>) -> bool {
    let start = "Microsoft.Security/regulatoryCompliance";
    seen.kind
        .as_deref()
        .is_some_and(|kind| super::begins_fold(kind, start))
}

/// Alerts in the flat form that messages carry.
pub static ALERT: LogType = LogType {
    name: "defender_cloud_alert",
    logsources: ALERTS,
    event_time: &["StartTimeUtc", "TimeGenerated", "ProcessingEndTime"],
    entities: &[
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "AzureResourceId",
        ),
        entity(EntityKind::Host, "target", "name", "CompromisedEntity"),
        entity(EntityKind::Ip, "related", "address", "Entities.Address"),
        entity(EntityKind::Host, "related", "name", "Entities.HostName"),
        entity(EntityKind::Account, "related", "name", "Entities.Name"),
        entity(
            EntityKind::Process,
            "related",
            "command_line",
            "Entities.CommandLine",
        ),
    ],
    readings: &[
        ("StartTimeUtc", Reading::Time),
        ("EndTimeUtc", Reading::Time),
        ("TimeGenerated", Reading::Time),
        ("ProcessingEndTime", Reading::Time),
        ("Entities", Reading::JsonText),
        ("ExtendedProperties", Reading::JsonText),
    ],
    content_key: Some("SystemAlertId"),
    lateness: HOUR,
};

/// Alerts in the form of the alerts API.
pub static ALERT_API: LogType = LogType {
    name: "defender_cloud_alert_api",
    logsources: ALERTS,
    event_time: &[
        "properties.startTimeUtc",
        "properties.timeGeneratedUtc",
        "properties.processingEndTimeUtc",
    ],
    entities: &[
        entity(
            EntityKind::Host,
            "target",
            "name",
            "properties.compromisedEntity",
        ),
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "properties.resourceIdentifiers.azureResourceId",
        ),
        entity(
            EntityKind::Ip,
            "related",
            "address",
            "properties.entities.address",
        ),
        entity(
            EntityKind::Host,
            "related",
            "name",
            "properties.entities.hostName",
        ),
    ],
    readings: &[
        ("", Reading::KeysFoldCase),
        ("properties", Reading::KeysFoldCase),
        ("properties.startTimeUtc", Reading::Time),
        ("properties.endTimeUtc", Reading::Time),
        ("properties.timeGeneratedUtc", Reading::Time),
    ],
    content_key: Some("properties.systemAlertId"),
    lateness: HOUR,
};

/// Rows of `SecurityAlert`.
pub static ALERT_TABLE: LogType = LogType {
    name: "defender_cloud_alert_table",
    logsources: ALERTS,
    event_time: &["StartTime", "TimeGenerated"],
    entities: &[
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "ResourceId",
        ),
        entity(EntityKind::Host, "target", "name", "CompromisedEntity"),
        entity(EntityKind::Ip, "related", "address", "Entities.Address"),
        entity(EntityKind::Host, "related", "name", "Entities.HostName"),
        entity(EntityKind::Account, "related", "name", "Entities.Name"),
    ],
    readings: &[
        ("TimeGenerated", Reading::Time),
        ("StartTime", Reading::Time),
        ("EndTime", Reading::Time),
        ("Entities", Reading::JsonText),
        ("ExtendedProperties", Reading::JsonText),
        ("ExtendedLinks", Reading::JsonText),
        ("RemediationSteps", Reading::JsonText),
    ],
    content_key: Some("SystemAlertId"),
    lateness: HOUR,
};

/// Recommendations.
pub static ASSESSMENT: LogType = LogType {
    name: "defender_cloud_assessment",
    logsources: &[Logsource::of("azure", "defenderassessments")],
    event_time: &[
        "properties.status.statusChangeDate",
        "properties.status.firstEvaluationDate",
    ],
    entities: &[
        entity(
            EntityKind::AzureResource,
            "target",
            "resource_id",
            "properties.resourceDetails.id",
        ),
        entity(
            EntityKind::Host,
            "target",
            "name",
            "properties.resourceDetails.resourceName",
        ),
    ],
    readings: &[
        ("", Reading::KeysFoldCase),
        ("properties.status.statusChangeDate", Reading::Time),
        ("properties.status.firstEvaluationDate", Reading::Time),
    ],
    content_key: None,
    lateness: HOUR,
};

/// Findings under a recommendation.
pub static SUB_ASSESSMENT: LogType = LogType {
    name: "defender_cloud_sub_assessment",
    logsources: &[Logsource::of("azure", "defendersubassessments")],
    event_time: &["Properties.TimeGenerated"],
    entities: &[entity(
        EntityKind::AzureResource,
        "target",
        "resource_id",
        "Properties.ResourceDetails.Id",
    )],
    readings: &[
        ("", Reading::KeysFoldCase),
        ("Properties", Reading::KeysFoldCase),
        ("Properties.TimeGenerated", Reading::Time),
    ],
    content_key: None,
    lateness: HOUR,
};

/// Secure scores and their controls; they carry no time.
pub static SECURE_SCORE: LogType = LogType {
    name: "defender_cloud_secure_score",
    logsources: &[Logsource::of("azure", "defendersecurescores")],
    event_time: &[],
    entities: &[entity(
        EntityKind::AzureResource,
        "target",
        "resource_id",
        "id",
    )],
    readings: KEYS_FOLD_CASE,
    content_key: None,
    lateness: HOUR,
};

/// Regulatory compliance; it carries no time.
pub static COMPLIANCE: LogType = LogType {
    name: "defender_cloud_compliance",
    logsources: &[Logsource::of("azure", "defendercompliance")],
    event_time: &[],
    entities: &[entity(
        EntityKind::AzureResource,
        "target",
        "resource_id",
        "id",
    )],
    readings: KEYS_FOLD_CASE,
    content_key: None,
    lateness: HOUR,
};
