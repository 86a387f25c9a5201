//! Logs of machines: Windows events, syslog and Change Tracking.
//! `azure-logs.md` section 10.

use std::borrow::Cow;

use palisade_detect::event::{EntityKind, LogType, Reading};
use palisade_detect::logsource::Logsource;

use super::{MINUTES_5, MINUTES_10, Row, When, entity};

/// Rows of this family.
pub static ROWS: &[Row] = &[
    Row {
        log_type: &WINDOWS_WAD,
        when: When::Category(&["WindowsEventLogsTable"]),
    },
    Row {
        log_type: &SECURITY_EVENT,
        when: When::Table(&["SecurityEvent"]),
    },
    Row {
        log_type: &WINDOWS_EVENT,
        when: When::Table(&["WindowsEvent", "Event"]),
    },
    Row {
        log_type: &SYSLOG,
        when: When::Table(&["Syslog"]),
    },
    Row {
        log_type: &CHANGE,
        when: When::Table(&["ConfigurationChange"]),
    },
];

// Which Windows log an event is from stands in the event, so no service is stated.
const WINDOWS: Logsource = Logsource {
    product: Some(Cow::Borrowed("windows")),
    service: None,
    category: None,
};

/// Windows events as the Azure Diagnostics extension wrote them: the event's own fields stand in
/// the XML text only.
pub static WINDOWS_WAD: LogType = LogType {
    name: "windows_event_diagnostics",
    logsources: &[WINDOWS, Logsource::of("azure", "windowseventlogs")],
    event_time: &["time"],
    entities: &[entity(
        EntityKind::Host,
        "host",
        "name",
        "properties.RoleInstance",
    )],
    readings: &[("", Reading::KeysFoldCase), ("time", Reading::Time)],
    content_key: None,
    lateness: MINUTES_5,
};

/// Rows of `SecurityEvent`: the Windows security log in typed columns.
pub static SECURITY_EVENT: LogType = LogType {
    name: "windows_security_event_table",
    logsources: &[Logsource::of("windows", "security")],
    event_time: &["TimeGenerated"],
    entities: &[
        entity(EntityKind::Host, "host", "name", "Computer"),
        entity(EntityKind::Account, "actor", "name", "SubjectUserName"),
        entity(EntityKind::Account, "actor", "sid", "SubjectUserSid"),
        entity(EntityKind::Account, "actor", "name", "SubjectAccount"),
        entity(EntityKind::Account, "target", "name", "TargetUserName"),
        entity(EntityKind::Account, "target", "sid", "TargetUserSid"),
        entity(EntityKind::Account, "target", "name", "TargetAccount"),
        entity(EntityKind::Account, "related", "name", "Account"),
        entity(EntityKind::Ip, "source", "address", "IpAddress"),
        entity(EntityKind::Host, "source", "name", "WorkstationName"),
        entity(EntityKind::Process, "target", "path", "NewProcessName"),
        entity(EntityKind::Process, "target", "command_line", "CommandLine"),
    ],
    readings: &[
        ("TimeGenerated", Reading::Time),
        ("TimeCollected", Reading::Time),
        ("IpAddress", Reading::Address),
        ("EventData", Reading::JsonText),
    ],
    content_key: Some("EventOriginId"),
    lateness: MINUTES_5,
};

/// Rows of `WindowsEvent` and `Event`: any Windows log.
pub static WINDOWS_EVENT: LogType = LogType {
    name: "windows_event_table",
    logsources: &[WINDOWS],
    event_time: &["TimeGenerated"],
    entities: &[
        entity(EntityKind::Host, "host", "name", "Computer"),
        entity(EntityKind::Account, "actor", "name", "UserName"),
        entity(
            EntityKind::Account,
            "actor",
            "name",
            "EventData.SubjectUserName",
        ),
        entity(
            EntityKind::Account,
            "target",
            "name",
            "EventData.TargetUserName",
        ),
        entity(EntityKind::Ip, "source", "address", "EventData.IpAddress"),
    ],
    readings: &[
        ("TimeGenerated", Reading::Time),
        ("EventData", Reading::JsonText),
        ("EventData.IpAddress", Reading::Address),
    ],
    content_key: None,
    lateness: MINUTES_5,
};

/// Rows of `Syslog`.
pub static SYSLOG: LogType = LogType {
    name: "syslog_table",
    logsources: &[Logsource::of("linux", "syslog")],
    event_time: &["EventTime", "TimeGenerated"],
    entities: &[
        entity(EntityKind::Host, "host", "name", "Computer"),
        entity(EntityKind::Host, "host", "name", "HostName"),
        entity(EntityKind::Ip, "host", "address", "HostIP"),
        entity(EntityKind::Process, "actor", "name", "ProcessName"),
    ],
    readings: &[
        ("TimeGenerated", Reading::Time),
        ("EventTime", Reading::Time),
        ("HostIP", Reading::Address),
        ("SyslogMessage", Reading::JsonText),
    ],
    content_key: None,
    lateness: MINUTES_5,
};

/// Rows of `ConfigurationChange`: what Change Tracking saw change on a machine.
pub static CHANGE: LogType = LogType {
    name: "change_tracking_table",
    logsources: &[Logsource::of("azure", "changetracking")],
    event_time: &["TimeGenerated"],
    entities: &[
        entity(EntityKind::Host, "host", "name", "Computer"),
        entity(EntityKind::File, "target", "path", "FileSystemPath"),
        entity(EntityKind::RegistryKey, "target", "key", "RegistryKey"),
    ],
    readings: &[
        ("TimeGenerated", Reading::Time),
        ("FieldsChanged", Reading::JsonText),
    ],
    content_key: None,
    lateness: MINUTES_10,
};
