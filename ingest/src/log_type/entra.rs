//! Entra ID: sign-ins, audit, provisioning, risk, Graph activity, and the tables that repeat them.
//! `azure-logs.md` section 4.

use palisade_detect::event::{EntityKind, EntityPath, LogType, Reading};
use palisade_detect::logsource::Logsource;
use palisade_detect::time::Span;

use super::{DAY, MINUTES_5, MINUTES_10, Row, Seen, When, entity};

/// Rows of this family.
pub static ROWS: &[Row] = &[
    Row {
        log_type: &SIGNIN,
        when: When::Category(&["SignInLogs"]),
    },
    Row {
        log_type: &NONINTERACTIVE,
        when: When::Category(&["NonInteractiveUserSignInLogs"]),
    },
    Row {
        log_type: &SERVICE_PRINCIPAL,
        when: When::Category(&["ServicePrincipalSignInLogs"]),
    },
    Row {
        log_type: &MANAGED_IDENTITY,
        when: When::Category(&["ManagedIdentitySignInLogs"]),
    },
    Row {
        log_type: &ADFS,
        when: When::Category(&["ADFSSignInLogs"]),
    },
    Row {
        log_type: &PIM,
        when: When::Shape("audit record with `properties.loggedByService` PIM", is_pim),
    },
    Row {
        log_type: &AUDIT,
        when: When::Shape(
            "`category` AuditLogs, or an Entra record of an activity",
            is_audit,
        ),
    },
    Row {
        log_type: &CUSTOM_AUDIT,
        when: When::Category(&["CustomSecurityAttributeAuditLogs"]),
    },
    Row {
        log_type: &PROVISIONING,
        when: When::Category(&["ProvisioningLogs"]),
    },
    Row {
        log_type: &GRAPH_ACTIVITY,
        when: When::Category(&["MicrosoftGraphActivityLogs"]),
    },
    Row {
        log_type: &RISKY_USER,
        when: When::Category(&["RiskyUsers"]),
    },
    Row {
        log_type: &RISK_DETECTION,
        when: When::Category(&["UserRiskEvents"]),
    },
    Row {
        log_type: &RISKY_PRINCIPAL,
        when: When::Category(&["RiskyServicePrincipals", "RiskyAgents"]),
    },
    Row {
        log_type: &PRINCIPAL_RISK,
        when: When::Category(&["ServicePrincipalRiskEvents", "AgentRiskEvents"]),
    },
    Row {
        log_type: &NETWORK_ACCESS,
        when: When::Category(&["NetworkAccessTrafficLogs"]),
    },
    Row {
        log_type: &REMOTE_NETWORK,
        when: When::Category(&["RemoteNetworkHealthLogs"]),
    },
    Row {
        log_type: &OFFICE_AUDIT,
        when: When::Category(&["EnrichedOffice365AuditLogs"]),
    },
    Row {
        log_type: &SIGNIN_TABLE,
        when: When::Table(&["SigninLogs"]),
    },
    Row {
        log_type: &NONINTERACTIVE_TABLE,
        when: When::Table(&["AADNonInteractiveUserSignInLogs"]),
    },
    Row {
        log_type: &SERVICE_PRINCIPAL_TABLE,
        when: When::Table(&["AADServicePrincipalSignInLogs"]),
    },
    Row {
        log_type: &MANAGED_IDENTITY_TABLE,
        when: When::Table(&["AADManagedIdentitySignInLogs"]),
    },
    Row {
        log_type: &ADFS_TABLE,
        when: When::Table(&["ADFSSignInLogs"]),
    },
    Row {
        log_type: &AUDIT_TABLE,
        when: When::Table(&["AuditLogs"]),
    },
    // A query's result can carry a column `Type` of its own.
    Row {
        log_type: &AUDIT_TABLE,
        when: When::Members(&[
            "TimeGenerated",
            "ActivityDateTime",
            "InitiatedBy",
            "TargetResources",
        ]),
    },
    Row {
        log_type: &PROVISIONING_TABLE,
        when: When::Table(&["AADProvisioningLogs"]),
    },
    Row {
        log_type: &GRAPH_TABLE,
        when: When::Table(&["MicrosoftGraphActivityLogs"]),
    },
    Row {
        log_type: &RISKY_USER_TABLE,
        when: When::Table(&["AADRiskyUsers"]),
    },
    Row {
        log_type: &RISK_DETECTION_TABLE,
        when: When::Table(&["AADUserRiskEvents"]),
    },
    Row {
        log_type: &RISKY_PRINCIPAL_TABLE,
        when: When::Table(&["AADRiskyServicePrincipals"]),
    },
    Row {
        log_type: &PRINCIPAL_RISK_TABLE,
        when: When::Table(&["AADServicePrincipalRiskEvents"]),
    },
];

/// Audit records say `AuditLogs`; reduced copies carry the activity's own category instead.
fn is_audit(seen: &Seen<'_>) -> bool {
    super::is_one_of(seen.category.as_deref(), &["AuditLogs"])
        || seen.category.is_some()
            && (seen.resource_holds("microsoft.aadiam")
                || seen.members.at("properties.loggedByService").is_some())
            && seen.members.at("properties.activityDisplayName").is_some()
}

fn is_pim(seen: &Seen<'_>) -> bool {
    let service = seen.members.at("properties.loggedByService");
    is_audit(seen) && service.is_some_and(|raw| raw.eq_ignore_ascii_case(b"\"PIM\""))
}

/// A row of this family, whose rows differ in names, log sources, times and tables of paths.
const fn row(
    name: &'static str,
    logsources: &'static [Logsource],
    event_time: &'static [&'static str],
    tables: (&'static [EntityPath], &'static [(&'static str, Reading)]),
    lateness: Span,
) -> LogType {
    let (entities, readings) = tables;
    LogType {
        name,
        logsources,
        event_time,
        entities,
        readings,
        content_key: None,
        lateness,
    }
}

/// A row whose service publishes an event again under the same id.
const fn keyed(mut row: LogType, path: &'static str) -> LogType {
    row.content_key = Some(path);
    row
}

const SIGNINS: Logsource = Logsource::of("azure", "signinlogs");
const AUDITS: Logsource = Logsource::of("azure", "auditlogs");
const RISKS: Logsource = Logsource::of("azure", "riskdetection");

const SIGNIN_TIMES: &[&str] = &["properties.createdDateTime", "time"];
const SIGNIN_TABLE_TIMES: &[&str] = &["CreatedDateTime", "TimeGenerated"];

const SIGNIN_ENTITIES: &[EntityPath] = &[
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
    entity(
        EntityKind::Account,
        "actor",
        "name",
        "properties.userDisplayName",
    ),
    entity(EntityKind::Ip, "source", "address", "callerIpAddress"),
    entity(EntityKind::Ip, "source", "address", "properties.ipAddress"),
    entity(
        EntityKind::Host,
        "source",
        "device_id",
        "properties.deviceDetail.deviceId",
    ),
    entity(
        EntityKind::Host,
        "source",
        "name",
        "properties.deviceDetail.displayName",
    ),
    entity(
        EntityKind::CloudApplication,
        "client",
        "app_id",
        "properties.appId",
    ),
    entity(
        EntityKind::CloudApplication,
        "client",
        "name",
        "properties.appDisplayName",
    ),
    entity(
        EntityKind::CloudApplication,
        "client",
        "service_principal_id",
        "properties.servicePrincipalId",
    ),
    entity(
        EntityKind::CloudApplication,
        "client",
        "name",
        "properties.servicePrincipalName",
    ),
    entity(
        EntityKind::CloudApplication,
        "target",
        "name",
        "properties.resourceDisplayName",
    ),
    entity(
        EntityKind::CloudApplication,
        "target",
        "app_id",
        "properties.resourceId",
    ),
];

const SIGNIN_READINGS: &[(&str, Reading)] = &[
    ("", Reading::KeysFoldCase),
    ("time", Reading::Time),
    ("callerIpAddress", Reading::Address),
    ("properties", Reading::KeysFoldCase),
    ("properties", Reading::JsonText),
    ("properties.createdDateTime", Reading::Time),
    ("properties.ipAddress", Reading::Address),
    (
        "properties.authenticationDetails.authenticationStepDateTime",
        Reading::Time,
    ),
];

const SIGNIN_TABLE_ENTITIES: &[EntityPath] = &[
    entity(EntityKind::Account, "actor", "upn", "UserPrincipalName"),
    entity(EntityKind::Account, "actor", "object_id", "UserId"),
    entity(EntityKind::Account, "actor", "name", "UserDisplayName"),
    entity(EntityKind::Ip, "source", "address", "IPAddress"),
    entity(
        EntityKind::Host,
        "source",
        "device_id",
        "DeviceDetail.deviceId",
    ),
    entity(EntityKind::CloudApplication, "client", "app_id", "AppId"),
    entity(
        EntityKind::CloudApplication,
        "client",
        "name",
        "AppDisplayName",
    ),
    entity(
        EntityKind::CloudApplication,
        "client",
        "service_principal_id",
        "ServicePrincipalId",
    ),
    entity(
        EntityKind::CloudApplication,
        "client",
        "name",
        "ServicePrincipalName",
    ),
    entity(
        EntityKind::CloudApplication,
        "target",
        "name",
        "ResourceDisplayName",
    ),
    entity(
        EntityKind::CloudApplication,
        "target",
        "app_id",
        "ResourceIdentity",
    ),
];

const SIGNIN_TABLE_READINGS: &[(&str, Reading)] = &[
    ("TimeGenerated", Reading::Time),
    ("CreatedDateTime", Reading::Time),
    ("IPAddress", Reading::Address),
    ("Status", Reading::JsonText),
    ("DeviceDetail", Reading::JsonText),
    ("LocationDetails", Reading::JsonText),
    ("MfaDetail", Reading::JsonText),
    ("NetworkLocationDetails", Reading::JsonText),
    ("ConditionalAccessPolicies", Reading::JsonText),
    ("AuthenticationDetails", Reading::JsonText),
    ("AuthenticationProcessingDetails", Reading::JsonText),
    ("AuthenticationRequirementPolicies", Reading::JsonText),
    ("RiskEventTypes", Reading::JsonText),
    ("RiskEventTypes_V2", Reading::JsonText),
];

const fn signin(name: &'static str, logsources: &'static [Logsource]) -> LogType {
    let tables = (SIGNIN_ENTITIES, SIGNIN_READINGS);
    keyed(
        row(name, logsources, SIGNIN_TIMES, tables, MINUTES_10),
        "properties.id",
    )
}

const fn signin_table(name: &'static str, logsources: &'static [Logsource]) -> LogType {
    let tables = (SIGNIN_TABLE_ENTITIES, SIGNIN_TABLE_READINGS);
    keyed(
        row(name, logsources, SIGNIN_TABLE_TIMES, tables, MINUTES_10),
        "Id",
    )
}

// The taxonomy does not say whether sign-ins of workloads and AD FS belong to `signinlogs`; its
// rules' fields fit users, so only users' sign-ins state it.
const NONINTERACTIVE_SOURCES: &[Logsource] =
    const { &[SIGNINS, Logsource::of("azure", "noninteractivesigninlogs")] };
const PRINCIPAL_SOURCES: &[Logsource] =
    const { &[Logsource::of("azure", "serviceprincipalsigninlogs")] };
const MANAGED_SOURCES: &[Logsource] =
    const { &[Logsource::of("azure", "managedidentitysigninlogs")] };
const ADFS_SOURCES: &[Logsource] = const { &[Logsource::of("azure", "adfssigninlogs")] };

/// Interactive sign-ins of users.
pub static SIGNIN: LogType = signin("entra_signin", const { &[SIGNINS] });
/// Sign-ins of clients in a user's name.
pub static NONINTERACTIVE: LogType = signin("entra_noninteractive_signin", NONINTERACTIVE_SOURCES);
/// Sign-ins of service principals.
pub static SERVICE_PRINCIPAL: LogType = signin("entra_service_principal_signin", PRINCIPAL_SOURCES);
/// Sign-ins of managed identities.
pub static MANAGED_IDENTITY: LogType = signin("entra_managed_identity_signin", MANAGED_SOURCES);
/// Sign-ins over AD FS.
pub static ADFS: LogType = signin("entra_adfs_signin", ADFS_SOURCES);
/// Rows of `SigninLogs`.
pub static SIGNIN_TABLE: LogType = signin_table("entra_signin_table", const { &[SIGNINS] });
/// Rows of `AADNonInteractiveUserSignInLogs`.
pub static NONINTERACTIVE_TABLE: LogType =
    signin_table("entra_noninteractive_signin_table", NONINTERACTIVE_SOURCES);
/// Rows of `AADServicePrincipalSignInLogs`.
pub static SERVICE_PRINCIPAL_TABLE: LogType =
    signin_table("entra_service_principal_signin_table", PRINCIPAL_SOURCES);
/// Rows of `AADManagedIdentitySignInLogs`.
pub static MANAGED_IDENTITY_TABLE: LogType =
    signin_table("entra_managed_identity_signin_table", MANAGED_SOURCES);
/// Rows of `ADFSSignInLogs`.
pub static ADFS_TABLE: LogType = signin_table("entra_adfs_signin_table", ADFS_SOURCES);

const AUDIT_TIMES: &[&str] = &["properties.activityDateTime", "time"];

const AUDIT_ENTITIES: &[EntityPath] = &[
    entity(
        EntityKind::Account,
        "actor",
        "upn",
        "properties.initiatedBy.user.userPrincipalName",
    ),
    entity(
        EntityKind::Account,
        "actor",
        "object_id",
        "properties.initiatedBy.user.id",
    ),
    entity(
        EntityKind::CloudApplication,
        "actor",
        "service_principal_id",
        "properties.initiatedBy.app.servicePrincipalId",
    ),
    entity(
        EntityKind::CloudApplication,
        "actor",
        "app_id",
        "properties.initiatedBy.app.appId",
    ),
    entity(
        EntityKind::CloudApplication,
        "actor",
        "name",
        "properties.initiatedBy.app.displayName",
    ),
    entity(
        EntityKind::Ip,
        "source",
        "address",
        "properties.initiatedBy.user.ipAddress",
    ),
    entity(EntityKind::Ip, "source", "address", "callerIpAddress"),
    entity(
        EntityKind::Account,
        "target",
        "upn",
        "properties.targetResources.userPrincipalName",
    ),
    entity(
        EntityKind::Account,
        "target",
        "object_id",
        "properties.targetResources.id",
    ),
];

const AUDIT_READINGS: &[(&str, Reading)] = &[
    ("", Reading::KeysFoldCase),
    ("time", Reading::Time),
    ("callerIpAddress", Reading::Address),
    ("properties", Reading::JsonText),
    ("properties.activityDateTime", Reading::Time),
    ("properties.initiatedBy.user.ipAddress", Reading::Address),
    (
        "properties.targetResources.modifiedProperties.oldValue",
        Reading::JsonText,
    ),
    (
        "properties.targetResources.modifiedProperties.newValue",
        Reading::JsonText,
    ),
];

const fn audit(name: &'static str, logsources: &'static [Logsource]) -> LogType {
    let tables = (AUDIT_ENTITIES, AUDIT_READINGS);
    keyed(
        row(name, logsources, AUDIT_TIMES, tables, MINUTES_10),
        "properties.id",
    )
}

/// Changes in the directory.
pub static AUDIT: LogType = audit("entra_audit", const { &[AUDITS] });
/// Changes that Privileged Identity Management made or asked for.
pub static PIM: LogType = audit(
    "entra_pim",
    const { &[AUDITS, Logsource::of("azure", "pim")] },
);
/// Changes of custom security attributes.
pub static CUSTOM_AUDIT: LogType = audit(
    "entra_custom_attribute_audit",
    const {
        &[
            AUDITS,
            Logsource::of("azure", "customsecurityattributeauditlogs"),
        ]
    },
);

/// Rows of `AuditLogs`.
pub static AUDIT_TABLE: LogType = keyed(
    row(
        "entra_audit_table",
        const { &[AUDITS] },
        &["ActivityDateTime", "TimeGenerated"],
        (
            &[
                entity(
                    EntityKind::Account,
                    "actor",
                    "upn",
                    "InitiatedBy.user.userPrincipalName",
                ),
                entity(
                    EntityKind::Account,
                    "actor",
                    "object_id",
                    "InitiatedBy.user.id",
                ),
                entity(
                    EntityKind::CloudApplication,
                    "actor",
                    "name",
                    "InitiatedBy.app.displayName",
                ),
                entity(
                    EntityKind::Ip,
                    "source",
                    "address",
                    "InitiatedBy.user.ipAddress",
                ),
                entity(
                    EntityKind::Account,
                    "target",
                    "upn",
                    "TargetResources.userPrincipalName",
                ),
                entity(
                    EntityKind::Account,
                    "target",
                    "object_id",
                    "TargetResources.id",
                ),
            ],
            &[
                ("TimeGenerated", Reading::Time),
                ("ActivityDateTime", Reading::Time),
                ("InitiatedBy", Reading::JsonText),
                ("InitiatedBy.user.ipAddress", Reading::Address),
                ("TargetResources", Reading::JsonText),
                ("TargetResources.modifiedProperties", Reading::JsonText),
                (
                    "TargetResources.modifiedProperties.oldValue",
                    Reading::JsonText,
                ),
                (
                    "TargetResources.modifiedProperties.newValue",
                    Reading::JsonText,
                ),
                ("AdditionalDetails", Reading::JsonText),
            ],
        ),
        MINUTES_10,
    ),
    "Id",
);

const PROVISIONING_SOURCES: &[Logsource] = const { &[Logsource::of("azure", "provisioninglogs")] };

/// Accounts that Entra made or changed in other systems.
pub static PROVISIONING: LogType = keyed(
    row(
        "entra_provisioning",
        PROVISIONING_SOURCES,
        &["properties.activityDateTime", "time"],
        (
            &[
                entity(
                    EntityKind::Account,
                    "actor",
                    "object_id",
                    "properties.initiatedBy.Id",
                ),
                entity(
                    EntityKind::Account,
                    "actor",
                    "name",
                    "properties.initiatedBy.Name",
                ),
                entity(
                    EntityKind::Account,
                    "target",
                    "object_id",
                    "properties.targetIdentity.Id",
                ),
                entity(
                    EntityKind::Account,
                    "target",
                    "name",
                    "properties.targetIdentity.Name",
                ),
                entity(
                    EntityKind::Account,
                    "source",
                    "object_id",
                    "properties.sourceIdentity.Id",
                ),
                entity(
                    EntityKind::CloudApplication,
                    "client",
                    "service_principal_id",
                    "properties.servicePrincipal.Id",
                ),
            ],
            &[
                ("", Reading::KeysFoldCase),
                ("time", Reading::Time),
                ("properties.activityDateTime", Reading::Time),
                ("properties.initiatedBy", Reading::KeysFoldCase),
                ("properties.targetIdentity", Reading::KeysFoldCase),
                ("properties.sourceIdentity", Reading::KeysFoldCase),
                ("properties.servicePrincipal", Reading::KeysFoldCase),
            ],
        ),
        MINUTES_10,
    ),
    "properties.id",
);

/// Rows of `AADProvisioningLogs`.
pub static PROVISIONING_TABLE: LogType = keyed(
    row(
        "entra_provisioning_table",
        PROVISIONING_SOURCES,
        &["ActivityDateTime", "TimeGenerated"],
        (
            &[
                entity(
                    EntityKind::Account,
                    "target",
                    "object_id",
                    "TargetIdentity.id",
                ),
                entity(
                    EntityKind::Account,
                    "source",
                    "object_id",
                    "SourceIdentity.id",
                ),
            ],
            &[
                ("TimeGenerated", Reading::Time),
                ("InitiatedBy", Reading::JsonText),
                ("TargetIdentity", Reading::JsonText),
                ("SourceIdentity", Reading::JsonText),
                ("ModifiedProperties", Reading::JsonText),
                ("ProvisioningSteps", Reading::JsonText),
            ],
        ),
        MINUTES_10,
    ),
    "Id",
);

const GRAPH_SOURCES: &[Logsource] = const { &[Logsource::of("azure", "graphactivitylogs")] };

/// Requests to Microsoft Graph.
pub static GRAPH_ACTIVITY: LogType = row(
    "entra_graph_activity",
    GRAPH_SOURCES,
    &["properties.timeGenerated", "time"],
    (
        &[
            entity(
                EntityKind::Account,
                "actor",
                "object_id",
                "properties.userId",
            ),
            entity(
                EntityKind::Account,
                "actor",
                "object_id",
                "properties.UserPrincipalObjectID",
            ),
            entity(
                EntityKind::CloudApplication,
                "client",
                "service_principal_id",
                "properties.servicePrincipalId",
            ),
            entity(
                EntityKind::CloudApplication,
                "client",
                "app_id",
                "properties.appId",
            ),
            entity(EntityKind::Ip, "source", "address", "callerIpAddress"),
            entity(EntityKind::Ip, "source", "address", "properties.ipAddress"),
            entity(EntityKind::Url, "target", "url", "properties.requestUri"),
        ],
        &[
            ("", Reading::KeysFoldCase),
            ("time", Reading::Time),
            ("callerIpAddress", Reading::Address),
            ("properties.ipAddress", Reading::Address),
            ("properties.timeGenerated", Reading::Time),
            ("properties.tokenIssuedAt", Reading::Time),
            ("properties.C_Iat", Reading::Time),
            ("properties.__UDI_RequiredFields_EventTime", Reading::Time),
        ],
    ),
    MINUTES_10,
);

/// Rows of `MicrosoftGraphActivityLogs`.
pub static GRAPH_TABLE: LogType = row(
    "entra_graph_activity_table",
    GRAPH_SOURCES,
    &["TimeGenerated"],
    (
        &[
            entity(EntityKind::Account, "actor", "object_id", "UserId"),
            entity(EntityKind::CloudApplication, "client", "app_id", "AppId"),
            entity(EntityKind::Ip, "source", "address", "IPAddress"),
            entity(EntityKind::Url, "target", "url", "RequestUri"),
        ],
        &[
            ("TimeGenerated", Reading::Time),
            ("IPAddress", Reading::Address),
        ],
    ),
    MINUTES_10,
);

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
pub static RISKY_USER: LogType = row(
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
pub static RISKY_USER_TABLE: LogType = row(
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
pub static RISK_DETECTION: LogType = keyed(
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
pub static RISK_DETECTION_TABLE: LogType = keyed(
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
pub static RISKY_PRINCIPAL: LogType = row(
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
pub static RISKY_PRINCIPAL_TABLE: LogType = row(
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
pub static PRINCIPAL_RISK: LogType = keyed(
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
pub static PRINCIPAL_RISK_TABLE: LogType = keyed(
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

const PLAIN_READINGS: &[(&str, Reading)] = &[
    ("", Reading::KeysFoldCase),
    ("time", Reading::Time),
    ("callerIpAddress", Reading::Address),
    ("properties", Reading::JsonText),
];

/// Traffic of Global Secure Access.
pub static NETWORK_ACCESS: LogType = row(
    "entra_network_access",
    const { &[Logsource::of("azure", "networkaccesstrafficlogs")] },
    &["time"],
    (
        &[
            entity(
                EntityKind::Account,
                "actor",
                "upn",
                "properties.userPrincipalName",
            ),
            entity(EntityKind::Ip, "source", "address", "properties.sourceIp"),
            entity(
                EntityKind::Ip,
                "destination",
                "address",
                "properties.destinationIp",
            ),
            entity(
                EntityKind::Dns,
                "destination",
                "name",
                "properties.destinationFqdn",
            ),
            entity(
                EntityKind::Host,
                "source",
                "device_id",
                "properties.deviceId",
            ),
        ],
        PLAIN_READINGS,
    ),
    MINUTES_10,
);

/// Health of remote networks of Global Secure Access.
pub static REMOTE_NETWORK: LogType = row(
    "entra_remote_network_health",
    const { &[Logsource::of("azure", "remotenetworkhealthlogs")] },
    &["time"],
    (
        &[entity(
            EntityKind::Ip,
            "source",
            "address",
            "properties.sourceIp",
        )],
        PLAIN_READINGS,
    ),
    MINUTES_5,
);

/// Office 365 audit records with facts of Global Secure Access.
pub static OFFICE_AUDIT: LogType = row(
    "entra_office365_audit",
    const { &[Logsource::of("azure", "enrichedoffice365auditlogs")] },
    &["time"],
    (
        &[
            entity(EntityKind::Account, "actor", "upn", "properties.userId"),
            entity(EntityKind::Ip, "source", "address", "properties.clientIp"),
        ],
        PLAIN_READINGS,
    ),
    MINUTES_10,
);
