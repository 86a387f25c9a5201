//! Key Vault and Storage.

use palisade_detect::event::{EntityKind, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{CALLER, PLAIN, RESOURCE, row};
use crate::log_type::entity;

/// Operations on vaults, keys, secrets and certificates.
pub(super) static KEY_VAULT: LogType = row(
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
pub(super) static KEY_VAULT_POLICY: LogType = row(
    "key_vault_policy",
    const { &[Logsource::of("azure", "keyvaultpolicy")] },
    &[CALLER, RESOURCE],
    PLAIN,
);

/// Reads, writes and deletes of blobs, files, queues and tables.
pub(super) static STORAGE: LogType = row(
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
