//! Audit, provisioning, Graph activity and network access.

use palisade_detect::event::{EntityKind, EntityPath, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{keyed, row};
use crate::log_type::{MINUTES_5, MINUTES_10, entity};

const AUDITS: Logsource = Logsource::of("azure", "auditlogs");
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
pub(super) static AUDIT: LogType = audit("entra_audit", const { &[AUDITS] });
/// Changes that Privileged Identity Management made or asked for.
pub(super) static PIM: LogType = audit(
    "entra_pim",
    const { &[AUDITS, Logsource::of("azure", "pim")] },
);
/// Changes of custom security attributes.
pub(super) static CUSTOM_AUDIT: LogType = audit(
    "entra_custom_attribute_audit",
    const {
        &[
            AUDITS,
            Logsource::of("azure", "customsecurityattributeauditlogs"),
        ]
    },
);

/// Rows of `AuditLogs`.
pub(super) static AUDIT_TABLE: LogType = keyed(
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
pub(super) static PROVISIONING: LogType = keyed(
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
pub(super) static PROVISIONING_TABLE: LogType = keyed(
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
pub(super) static GRAPH_ACTIVITY: LogType = row(
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
pub(super) static GRAPH_TABLE: LogType = row(
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

const PLAIN_READINGS: &[(&str, Reading)] = &[
    ("", Reading::KeysFoldCase),
    ("time", Reading::Time),
    ("callerIpAddress", Reading::Address),
    ("properties", Reading::JsonText),
];

/// Traffic of Global Secure Access.
pub(super) static NETWORK_ACCESS: LogType = row(
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
pub(super) static REMOTE_NETWORK: LogType = row(
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
pub(super) static OFFICE_AUDIT: LogType = row(
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
