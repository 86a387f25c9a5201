//! Entra ID: sign-ins, audit, provisioning, risk, Graph activity, and the tables that repeat them.
//! `azure-logs.md` section 4.

use palisade_detect::event::{EntityPath, LogType, Reading};
use palisade_detect::logsource::Logsource;
use palisade_detect::time::Span;

use super::{Row, Seen, When};

use self::audit::{
    AUDIT, AUDIT_TABLE, CUSTOM_AUDIT, GRAPH_ACTIVITY, GRAPH_TABLE, NETWORK_ACCESS, OFFICE_AUDIT,
    PIM, PROVISIONING, PROVISIONING_TABLE, REMOTE_NETWORK,
};
use self::risk::{
    PRINCIPAL_RISK, PRINCIPAL_RISK_TABLE, RISK_DETECTION, RISK_DETECTION_TABLE, RISKY_PRINCIPAL,
    RISKY_PRINCIPAL_TABLE, RISKY_USER, RISKY_USER_TABLE,
};
use self::signin::{
    ADFS, ADFS_TABLE, MANAGED_IDENTITY, MANAGED_IDENTITY_TABLE, NONINTERACTIVE,
    NONINTERACTIVE_TABLE, SERVICE_PRINCIPAL, SERVICE_PRINCIPAL_TABLE, SIGNIN, SIGNIN_TABLE,
};

mod signin;
mod audit;
mod risk;

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
            && seen.is_of_entra()
            && seen.members.at("properties.activityDisplayName").is_some()
}

fn is_pim(seen: &Seen<'_>) -> bool {
    let is_pim = |raw: &[u8]| raw.eq_ignore_ascii_case(b"\"PIM\"");
    is_audit(seen)
        && seen
            .members
            .at("properties.loggedByService")
            .is_some_and(is_pim)
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
