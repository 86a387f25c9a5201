//! Defender XDR by its streaming API: one row an advanced-hunting table.
//! `azure-logs.md` section 6.

use palisade_detect::event::{EntityKind, EntityPath, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{MINUTES_5, Row, Seen, When, entity};

/// Declares the rows of tables: constant, name, log sources, category, family of entities.
macro_rules! tables {
    ($($row:ident $name:literal $service:literal $category:literal $entities:ident;)*) => {
        /// Rows of this family.
        pub static ROWS: &[Row] = &[
            $(Row { log_type: &$row, when: When::Category(&[$category]) },)*
            Row {
                log_type: &OTHER,
                when: When::Shape("`category` begins with `AdvancedHunting-`", is_advanced_hunting),
            },
        ];
        $(
            #[doc = concat!("Records of category `", $category, "`.")]
            pub static $row: LogType =
                table($name, const { &[Logsource::of("m365", $service)] }, $entities);
        )*
    };
}

tables! {
    ALERT_INFO "xdr_alert_info" "alertinfo" "AdvancedHunting-AlertInfo" ALERT;
    ALERT_EVIDENCE "xdr_alert_evidence" "alertevidence" "AdvancedHunting-AlertEvidence" ALERT;
    CLOUD_APP_EVENTS "xdr_cloud_app_events" "cloudappevents" "AdvancedHunting-CloudAppEvents" CLOUD;
    CLOUD_AUDIT_EVENTS "xdr_cloud_audit_events" "cloudauditevents" "AdvancedHunting-CloudAuditEvents" CLOUD;
    CLOUD_PROCESS_EVENTS "xdr_cloud_process_events" "cloudprocessevents" "AdvancedHunting-CloudProcessEvents" DEVICE;
    CLOUD_STORAGE_EVENTS "xdr_cloud_storage_aggregated_events" "cloudstorageaggregatedevents" "AdvancedHunting-CloudStorageAggregatedEvents" CLOUD;
    DEVICE_INFO "xdr_device_info" "deviceinfo" "AdvancedHunting-DeviceInfo" DEVICE;
    DEVICE_NETWORK_INFO "xdr_device_network_info" "devicenetworkinfo" "AdvancedHunting-DeviceNetworkInfo" DEVICE;
    DEVICE_PROCESS_EVENTS "xdr_device_process_events" "deviceprocessevents" "AdvancedHunting-DeviceProcessEvents" DEVICE;
    DEVICE_NETWORK_EVENTS "xdr_device_network_events" "devicenetworkevents" "AdvancedHunting-DeviceNetworkEvents" DEVICE;
    DEVICE_FILE_EVENTS "xdr_device_file_events" "devicefileevents" "AdvancedHunting-DeviceFileEvents" DEVICE;
    DEVICE_REGISTRY_EVENTS "xdr_device_registry_events" "deviceregistryevents" "AdvancedHunting-DeviceRegistryEvents" DEVICE;
    DEVICE_LOGON_EVENTS "xdr_device_logon_events" "devicelogonevents" "AdvancedHunting-DeviceLogonEvents" DEVICE;
    DEVICE_IMAGE_LOAD_EVENTS "xdr_device_image_load_events" "deviceimageloadevents" "AdvancedHunting-DeviceImageLoadEvents" DEVICE;
    DEVICE_EVENTS "xdr_device_events" "deviceevents" "AdvancedHunting-DeviceEvents" DEVICE;
    DEVICE_CERTIFICATE_INFO "xdr_device_file_certificate_info" "devicefilecertificateinfo" "AdvancedHunting-DeviceFileCertificateInfo" DEVICE;
    EMAIL_EVENTS "xdr_email_events" "emailevents" "AdvancedHunting-EmailEvents" EMAIL;
    EMAIL_ATTACHMENT_INFO "xdr_email_attachment_info" "emailattachmentinfo" "AdvancedHunting-EmailAttachmentInfo" EMAIL;
    EMAIL_URL_INFO "xdr_email_url_info" "emailurlinfo" "AdvancedHunting-EmailUrlInfo" EMAIL;
    EMAIL_POST_DELIVERY "xdr_email_post_delivery_events" "emailpostdeliveryevents" "AdvancedHunting-EmailPostDeliveryEvents" EMAIL;
    URL_CLICK_EVENTS "xdr_url_click_events" "urlclickevents" "AdvancedHunting-UrlClickEvents" EMAIL;
    MESSAGE_EVENTS "xdr_message_events" "messageevents" "AdvancedHunting-MessageEvents" EMAIL;
    MESSAGE_URL_INFO "xdr_message_url_info" "messageurlinfo" "AdvancedHunting-MessageUrlInfo" EMAIL;
    MESSAGE_POST_DELIVERY "xdr_message_post_delivery_events" "messagepostdeliveryevents" "AdvancedHunting-MessagePostDeliveryEvents" EMAIL;
    IDENTITY_LOGON_EVENTS "xdr_identity_logon_events" "identitylogonevents" "AdvancedHunting-IdentityLogonEvents" IDENTITY;
    IDENTITY_QUERY_EVENTS "xdr_identity_query_events" "identityqueryevents" "AdvancedHunting-IdentityQueryEvents" IDENTITY;
    IDENTITY_DIRECTORY_EVENTS "xdr_identity_directory_events" "identitydirectoryevents" "AdvancedHunting-IdentityDirectoryEvents" IDENTITY;
    IDENTITY_INFO "xdr_identity_info" "identityinfo" "AdvancedHunting-IdentityInfo" IDENTITY;
}

/// Tables that came later than this list.
pub static OTHER: LogType = table(
    "xdr_other",
    const { &[Logsource::of("m365", "advancedhunting")] },
    ALERT,
);

fn is_advanced_hunting(seen: &Seen<'_>) -> bool {
    let category = seen.category.as_deref();
    category.is_some_and(|category| super::begins_fold(category, "AdvancedHunting-"))
}

const fn table(
    name: &'static str,
    logsources: &'static [Logsource],
    entities: &'static [EntityPath],
) -> LogType {
    LogType {
        name,
        logsources,
        // `time` is when the record was published.
        event_time: &["properties.Timestamp", "time"],
        entities,
        readings: READINGS,
        content_key: None,
        lateness: MINUTES_5,
    }
}

const READINGS: &[(&str, Reading)] = &[
    ("", Reading::KeysFoldCase),
    ("time", Reading::Time),
    ("properties.Timestamp", Reading::Time),
    ("properties.ProcessCreationTime", Reading::Time),
    ("properties.InitiatingProcessCreationTime", Reading::Time),
    ("properties.AdditionalFields", Reading::JsonText),
    ("properties.AttackTechniques", Reading::JsonText),
    ("properties.Categories", Reading::JsonText),
    ("properties.RawEventData", Reading::JsonText),
    ("properties.ActivityObjects", Reading::JsonText),
    ("properties.LoggedOnUsers", Reading::JsonText),
    ("properties.IPAddresses", Reading::JsonText),
    ("properties.ConnectedNetworks", Reading::JsonText),
    ("properties.IPAddress", Reading::Address),
    ("properties.RemoteIP", Reading::Address),
    ("properties.LocalIP", Reading::Address),
];

const ALERT: &[EntityPath] = &[
    entity(
        EntityKind::Account,
        "related",
        "upn",
        "properties.AccountUpn",
    ),
    entity(
        EntityKind::Account,
        "related",
        "object_id",
        "properties.AccountObjectId",
    ),
    entity(
        EntityKind::Account,
        "related",
        "name",
        "properties.AccountName",
    ),
    entity(EntityKind::Host, "related", "name", "properties.DeviceName"),
    entity(
        EntityKind::Host,
        "related",
        "device_id",
        "properties.DeviceId",
    ),
    entity(EntityKind::Ip, "related", "address", "properties.RemoteIP"),
    entity(EntityKind::Ip, "related", "address", "properties.LocalIP"),
    entity(EntityKind::Url, "related", "url", "properties.RemoteUrl"),
    entity(EntityKind::File, "related", "sha256", "properties.SHA256"),
    entity(EntityKind::File, "related", "name", "properties.FileName"),
    entity(
        EntityKind::Process,
        "related",
        "command_line",
        "properties.ProcessCommandLine",
    ),
    entity(
        EntityKind::CloudApplication,
        "related",
        "app_id",
        "properties.OAuthApplicationId",
    ),
    entity(
        EntityKind::MailMessage,
        "related",
        "message_id",
        "properties.NetworkMessageId",
    ),
    entity(
        EntityKind::AzureResource,
        "related",
        "resource_id",
        "properties.ResourceID",
    ),
    entity(
        EntityKind::RegistryKey,
        "related",
        "key",
        "properties.RegistryKey",
    ),
];

const DEVICE: &[EntityPath] = &[
    entity(EntityKind::Host, "host", "name", "properties.DeviceName"),
    entity(EntityKind::Host, "host", "device_id", "properties.DeviceId"),
    entity(
        EntityKind::Account,
        "actor",
        "upn",
        "properties.InitiatingProcessAccountUpn",
    ),
    entity(
        EntityKind::Account,
        "actor",
        "name",
        "properties.InitiatingProcessAccountName",
    ),
    entity(
        EntityKind::Account,
        "actor",
        "sid",
        "properties.InitiatingProcessAccountSid",
    ),
    entity(
        EntityKind::Account,
        "target",
        "name",
        "properties.AccountName",
    ),
    entity(
        EntityKind::Account,
        "target",
        "upn",
        "properties.AccountUpn",
    ),
    entity(
        EntityKind::Account,
        "target",
        "sid",
        "properties.AccountSid",
    ),
    entity(EntityKind::Ip, "source", "address", "properties.LocalIP"),
    entity(
        EntityKind::Ip,
        "destination",
        "address",
        "properties.RemoteIP",
    ),
    entity(
        EntityKind::Url,
        "destination",
        "url",
        "properties.RemoteUrl",
    ),
    entity(EntityKind::File, "target", "name", "properties.FileName"),
    entity(EntityKind::File, "target", "sha256", "properties.SHA256"),
    entity(
        EntityKind::Process,
        "target",
        "command_line",
        "properties.ProcessCommandLine",
    ),
    entity(
        EntityKind::Process,
        "actor",
        "command_line",
        "properties.InitiatingProcessCommandLine",
    ),
    entity(
        EntityKind::RegistryKey,
        "target",
        "key",
        "properties.RegistryKey",
    ),
];

const EMAIL: &[EntityPath] = &[
    entity(
        EntityKind::Mailbox,
        "target",
        "address",
        "properties.RecipientEmailAddress",
    ),
    entity(
        EntityKind::Account,
        "target",
        "object_id",
        "properties.RecipientObjectId",
    ),
    entity(
        EntityKind::Account,
        "actor",
        "address",
        "properties.SenderFromAddress",
    ),
    entity(
        EntityKind::Account,
        "actor",
        "address",
        "properties.SenderEmailAddress",
    ),
    entity(
        EntityKind::Account,
        "target",
        "upn",
        "properties.AccountUpn",
    ),
    entity(EntityKind::Ip, "source", "address", "properties.SenderIPv4"),
    entity(EntityKind::Ip, "source", "address", "properties.SenderIPv6"),
    entity(EntityKind::Ip, "source", "address", "properties.IPAddress"),
    entity(
        EntityKind::MailMessage,
        "target",
        "message_id",
        "properties.NetworkMessageId",
    ),
    entity(EntityKind::Url, "target", "url", "properties.Url"),
    entity(EntityKind::File, "target", "sha256", "properties.SHA256"),
    entity(EntityKind::File, "target", "name", "properties.FileName"),
];

const IDENTITY: &[EntityPath] = &[
    entity(EntityKind::Account, "actor", "upn", "properties.AccountUpn"),
    entity(
        EntityKind::Account,
        "actor",
        "object_id",
        "properties.AccountObjectId",
    ),
    entity(
        EntityKind::Account,
        "actor",
        "name",
        "properties.AccountName",
    ),
    entity(
        EntityKind::Account,
        "target",
        "upn",
        "properties.TargetAccountUpn",
    ),
    entity(EntityKind::Host, "source", "name", "properties.DeviceName"),
    entity(
        EntityKind::Host,
        "destination",
        "name",
        "properties.DestinationDeviceName",
    ),
    entity(
        EntityKind::Host,
        "destination",
        "name",
        "properties.TargetDeviceName",
    ),
    entity(EntityKind::Ip, "source", "address", "properties.IPAddress"),
    entity(
        EntityKind::Ip,
        "destination",
        "address",
        "properties.DestinationIPAddress",
    ),
    entity(
        EntityKind::CloudApplication,
        "client",
        "name",
        "properties.Application",
    ),
];

const CLOUD: &[EntityPath] = &[
    entity(
        EntityKind::Account,
        "actor",
        "object_id",
        "properties.AccountObjectId",
    ),
    entity(
        EntityKind::Account,
        "actor",
        "name",
        "properties.AccountDisplayName",
    ),
    entity(
        EntityKind::Account,
        "actor",
        "upn",
        "properties.RawEventData.UserId",
    ),
    entity(EntityKind::Ip, "source", "address", "properties.IPAddress"),
    entity(
        EntityKind::CloudApplication,
        "client",
        "name",
        "properties.Application",
    ),
    entity(
        EntityKind::CloudApplication,
        "client",
        "app_id",
        "properties.OAuthAppId",
    ),
    entity(
        EntityKind::AzureResource,
        "target",
        "resource_id",
        "properties.AzureResourceId",
    ),
];
