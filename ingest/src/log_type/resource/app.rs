//! AKS, App Service, Functions and Event Hubs.

use std::borrow::Cow;

use palisade_detect::event::{EntityKind, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{PLAIN, RESOURCE, row, with_category};
use crate::log_type::{MINUTES_10, entity};

/// The audit log of a Kubernetes cluster.
pub(super) static KUBE_AUDIT: LogType = row(
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
pub(super) static KUBE_CONTROL_PLANE: LogType = row(
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
pub(super) static APP_SERVICE_HTTP: LogType = row(
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
pub(super) static APP_SERVICE_AUDIT: LogType = row(
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
pub(super) static APP_SERVICE_IPSEC: LogType = row(
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
pub(super) static FUNCTION_APP: LogType = row(
    "function_app",
    const { &[Logsource::of("azure", "functionapp")] },
    &[RESOURCE],
    PLAIN,
);

/// Operations on an Event Hubs namespace; the time has a name of its own.
pub(super) static EVENT_HUBS: LogType = LogType {
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
