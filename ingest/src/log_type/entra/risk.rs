//! Risky identities and what made them so.

use palisade_detect::event::{EntityKind, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{keyed, row};
use crate::log_type::{DAY, entity};

const RISKS: Logsource = Logsource::of("azure", "riskdetection");
const RISK_READINGS: &[(&str, Reading)] = &[
    ("", Reading::KeysFoldCase),
    ("time", Reading::Time),
    ("callerIpAddress", Reading::Address),
    ("properties.ipAddress", Reading::Address),
    ("properties.activityDateTime", Reading::Time),
    ("properties.detectedDateTime", Reading::Time),
    ("properties.lastUpdatedDateTime", Reading::Time),
    ("properties.riskLastUpdatedDateTime", Reading::Time),
    ("properties.additionalInfo", Reading::JsonText),
];
const RISK_TABLE_READINGS: &[(&str, Reading)] = &[
    ("TimeGenerated", Reading::Time),
    ("ActivityDateTime", Reading::Time),
    ("DetectedDateTime", Reading::Time),
    ("RiskLastUpdatedDateTime", Reading::Time),
    ("IpAddress", Reading::Address),
    ("AdditionalInfo", Reading::JsonText),
    ("Location", Reading::JsonText),
];
const RISK_TIMES: &[&str] = &[
    "properties.activityDateTime",
    "properties.detectedDateTime",
    "time",
];
const RISK_TABLE_TIMES: &[&str] = &["ActivityDateTime", "DetectedDateTime", "TimeGenerated"];
const RISKY_TIMES: &[&str] = &["properties.riskLastUpdatedDateTime", "time"];
const RISKY_TABLE_TIMES: &[&str] = &["RiskLastUpdatedDateTime", "TimeGenerated"];

const RISKY_USER_SOURCES: &[Logsource] = const { &[Logsource::of("azure", "riskyusers")] };
const RISKY_PRINCIPAL_SOURCES: &[Logsource] =
    const { &[Logsource::of("azure", "riskyserviceprincipals")] };
const PRINCIPAL_RISK_SOURCES: &[Logsource] = const {
    &[
        RISKS,
        Logsource::of("azure", "serviceprincipalriskdetection"),
    ]
};

/// States of users' risk.
pub(super) static RISKY_USER: LogType = row(
    "entra_risky_user",
    RISKY_USER_SOURCES,
    RISKY_TIMES,
    (
        &[
            entity(
                EntityKind::Account,
                "target",
                "upn",
                "properties.userPrincipalName",
            ),
            entity(EntityKind::Account, "target", "object_id", "properties.id"),
        ],
        RISK_READINGS,
    ),
    DAY,
);

/// Rows of `AADRiskyUsers`.
pub(super) static RISKY_USER_TABLE: LogType = row(
    "entra_risky_user_table",
    RISKY_USER_SOURCES,
    RISKY_TABLE_TIMES,
    (
        &[
            entity(EntityKind::Account, "target", "upn", "UserPrincipalName"),
            entity(EntityKind::Account, "target", "object_id", "Id"),
        ],
        RISK_TABLE_READINGS,
    ),
    DAY,
);

/// Risk that Identity Protection saw on a user.
pub(super) static RISK_DETECTION: LogType = keyed(
    row(
        "entra_risk_detection",
        const { &[RISKS] },
        RISK_TIMES,
        (
            &[
                entity(
                    EntityKind::Account,
                    "actor",
                    "upn",
                    "properties.userPrincipalName",
                ),
                entity(
                    EntityKind::Account,
                    "actor",
                    "object_id",
                    "properties.userId",
                ),
                entity(EntityKind::Ip, "source", "address", "properties.ipAddress"),
                entity(EntityKind::Ip, "source", "address", "callerIpAddress"),
            ],
            RISK_READINGS,
        ),
        DAY,
    ),
    "properties.id",
);

/// Rows of `AADUserRiskEvents`.
pub(super) static RISK_DETECTION_TABLE: LogType = keyed(
    row(
        "entra_risk_detection_table",
        const { &[RISKS] },
        RISK_TABLE_TIMES,
        (
            &[
                entity(EntityKind::Account, "actor", "upn", "UserPrincipalName"),
                entity(EntityKind::Account, "actor", "object_id", "UserId"),
                entity(EntityKind::Ip, "source", "address", "IpAddress"),
            ],
            RISK_TABLE_READINGS,
        ),
        DAY,
    ),
    "Id",
);

/// States of service principals' and agents' risk.
pub(super) static RISKY_PRINCIPAL: LogType = row(
    "entra_risky_service_principal",
    RISKY_PRINCIPAL_SOURCES,
    RISKY_TIMES,
    (
        &[
            entity(
                EntityKind::CloudApplication,
                "target",
                "service_principal_id",
                "properties.id",
            ),
            entity(
                EntityKind::CloudApplication,
                "target",
                "app_id",
                "properties.appId",
            ),
            entity(
                EntityKind::CloudApplication,
                "target",
                "name",
                "properties.displayName",
            ),
        ],
        RISK_READINGS,
    ),
    DAY,
);

/// Rows of `AADRiskyServicePrincipals`.
pub(super) static RISKY_PRINCIPAL_TABLE: LogType = row(
    "entra_risky_service_principal_table",
    RISKY_PRINCIPAL_SOURCES,
    RISKY_TABLE_TIMES,
    (
        &[
            entity(
                EntityKind::CloudApplication,
                "target",
                "service_principal_id",
                "Id",
            ),
            entity(EntityKind::CloudApplication, "target", "app_id", "AppId"),
        ],
        RISK_TABLE_READINGS,
    ),
    DAY,
);

/// Risk that Identity Protection saw on a service principal or agent.
pub(super) static PRINCIPAL_RISK: LogType = keyed(
    row(
        "entra_service_principal_risk",
        PRINCIPAL_RISK_SOURCES,
        RISK_TIMES,
        (
            &[
                entity(
                    EntityKind::CloudApplication,
                    "actor",
                    "service_principal_id",
                    "properties.servicePrincipalId",
                ),
                entity(
                    EntityKind::CloudApplication,
                    "actor",
                    "app_id",
                    "properties.appId",
                ),
                entity(EntityKind::Ip, "source", "address", "properties.ipAddress"),
            ],
            RISK_READINGS,
        ),
        DAY,
    ),
    "properties.id",
);

/// Rows of `AADServicePrincipalRiskEvents`.
pub(super) static PRINCIPAL_RISK_TABLE: LogType = keyed(
    row(
        "entra_service_principal_risk_table",
        PRINCIPAL_RISK_SOURCES,
        RISK_TABLE_TIMES,
        (
            &[
                entity(
                    EntityKind::CloudApplication,
                    "actor",
                    "service_principal_id",
                    "ServicePrincipalId",
                ),
                entity(EntityKind::CloudApplication, "actor", "app_id", "AppId"),
                entity(EntityKind::Ip, "source", "address", "IpAddress"),
            ],
            RISK_TABLE_READINGS,
        ),
        DAY,
    ),
    "Id",
);
