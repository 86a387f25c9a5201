//! Sign-ins of users, service principals, managed identities and over AD FS.

use palisade_detect::event::{EntityKind, EntityPath, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{keyed, row};
use crate::log_type::{MINUTES_10, entity};

const SIGNINS: Logsource = Logsource::of("azure", "signinlogs");
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
pub(super) static SIGNIN: LogType = signin("entra_signin", const { &[SIGNINS] });
/// Sign-ins of clients in a user's name.
pub(super) static NONINTERACTIVE: LogType =
    signin("entra_noninteractive_signin", NONINTERACTIVE_SOURCES);
/// Sign-ins of service principals.
pub(super) static SERVICE_PRINCIPAL: LogType =
    signin("entra_service_principal_signin", PRINCIPAL_SOURCES);
/// Sign-ins of managed identities.
pub(super) static MANAGED_IDENTITY: LogType =
    signin("entra_managed_identity_signin", MANAGED_SOURCES);
/// Sign-ins over AD FS.
pub(super) static ADFS: LogType = signin("entra_adfs_signin", ADFS_SOURCES);
/// Rows of `SigninLogs`.
pub(super) static SIGNIN_TABLE: LogType = signin_table("entra_signin_table", const { &[SIGNINS] });
/// Rows of `AADNonInteractiveUserSignInLogs`.
pub(super) static NONINTERACTIVE_TABLE: LogType =
    signin_table("entra_noninteractive_signin_table", NONINTERACTIVE_SOURCES);
/// Rows of `AADServicePrincipalSignInLogs`.
pub(super) static SERVICE_PRINCIPAL_TABLE: LogType =
    signin_table("entra_service_principal_signin_table", PRINCIPAL_SOURCES);
/// Rows of `AADManagedIdentitySignInLogs`.
pub(super) static MANAGED_IDENTITY_TABLE: LogType =
    signin_table("entra_managed_identity_signin_table", MANAGED_SOURCES);
/// Rows of `ADFSSignInLogs`.
pub(super) static ADFS_TABLE: LogType = signin_table("entra_adfs_signin_table", ADFS_SOURCES);
