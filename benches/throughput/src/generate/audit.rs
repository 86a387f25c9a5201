//! Entra audit records with their changed properties, 2.2 KB on average.

use super::Options;
use super::parts::{AGENTS, TENANT, Text, User, address_of, guid, put, time, user_of};
use super::rng::{Rng, index};

/// An operation, its category, and the service that logs it.
type Operation = (&'static str, &'static str, &'static str);

/// Everyday operations, which no SigmaHQ rule names.
const EVERYDAY: [Operation; 9] = [
    ("Update user", "UserManagement", "Core Directory"),
    ("Add member to group", "GroupManagement", "Core Directory"),
    ("Change user license", "UserManagement", "Core Directory"),
    ("Update device", "Device", "Core Directory"),
    (
        "Update StsRefreshTokenValidFrom Timestamp",
        "UserManagement",
        "Core Directory",
    ),
    (
        "Self-service password reset flow activity progress",
        "UserManagement",
        "Self-service Password Management",
    ),
    (
        "Get applicable policy template for self service",
        "Policy",
        "AAD Management UX",
    ),
    ("Update policy details", "Policy", "Core Directory"),
    ("Register device", "Device", "Device Registration Service"),
];

/// Operations that SigmaHQ rules look for.
const TELLING: [Operation; 9] = [
    (
        "Add service principal",
        "ApplicationManagement",
        "Core Directory",
    ),
    (
        "Delete conditional access policy",
        "Policy",
        "Core Directory",
    ),
    (
        "Add owner to application",
        "ApplicationManagement",
        "Core Directory",
    ),
    (
        "Add delegated permission grant",
        "ApplicationManagement",
        "Core Directory",
    ),
    (
        "Add app role assignment to service principal",
        "ApplicationManagement",
        "Core Directory",
    ),
    ("Read BitLocker key", "KeyManagement", "Core Directory"),
    (
        "Disable Strong Authentication",
        "UserManagement",
        "Core Directory",
    ),
    (
        "Delete application",
        "ApplicationManagement",
        "Core Directory",
    ),
    ("Add user", "UserManagement", "Core Directory"),
];

/// Names of changed properties, taken in this order.
const PROPERTIES: [&str; 6] = [
    "Group.ObjectID",
    "Group.DisplayName",
    "Included Updated Properties",
    "AccountEnabled",
    "StrongAuthenticationMethod",
    "TargetId.UserType",
];

pub(super) fn write(rng: &mut Rng, options: &Options, at: u64, telling: bool, text: &mut Text) {
    let (operation, category, service) = if telling {
        rng.of(&TELLING)
    } else {
        rng.of(&EVERYDAY)
    };
    let actor = user_of(rng.skewed(options.users));
    let target = user_of(rng.skewed(options.users));
    let address = address_of(rng.skewed(options.addresses));
    let at = time(at);
    let correlation = guid(rng);
    let succeeds = telling || rng.below(20) > 0;
    let User { id, upn, name } = actor;
    let User {
        id: target_id,
        upn: target_upn,
        name: target_name,
    } = target;
    put!(
        text,
        r#""time":"{at}","resourceId":"/tenants/{TENANT}/providers/Microsoft.aadiam","operationName":"{operation}","operationVersion":"1.0","category":"AuditLogs","tenantId":"{TENANT}","resultSignature":"None","durationMs":0,"callerIpAddress":"{address}","correlationId":"{correlation}","Level":4,"properties":{{"id":"Directory_{correlation}_{}","category":"{category}","correlationId":"{correlation}","result":"{}","resultReason":"","activityDisplayName":"{operation}","activityDateTime":"{at}","loggedByService":"{service}","operationType":"{}","userAgent":null,"initiatedBy":{{"user":{{"id":"{id}","displayName":"{name}","userPrincipalName":"{upn}","ipAddress":"{address}","roles":[]}}}},"targetResources":[{{"id":"{target_id}","displayName":"{target_name}","type":"User","userPrincipalName":"{target_upn}","#,
        rng.below(1_000_000_000),
        if succeeds { "success" } else { "failure" },
        rng.of(&["Update", "Assign", "Add", "Delete"]),
    );
    changes(rng, text);
    put!(
        text,
        r#""administrativeUnits":[]}},{{"id":"{}","displayName":"grp-{:04}","type":"Group","groupType":"azureAD","modifiedProperties":[],"administrativeUnits":[]}}],"additionalDetails":[{{"key":"User-Agent","value":"{}"}},{{"key":"AppOwnerOrganizationId","value":"{TENANT}"}}]}}"#,
        guid(rng),
        rng.below(900),
        rng.of(&AGENTS),
    );
}

/// The changed properties: their values are JSON in text, as Entra writes them.
fn changes(rng: &mut Rng, text: &mut Text) {
    put!(text, r#""modifiedProperties":["#);
    let count = 2 + rng.below(4);
    for i in 0..count {
        text.comma(i);
        put!(
            text,
            r#"{{"displayName":"{}","oldValue":"[\"{}\"]","newValue":"[{{\"MethodType\":{},\"Default\":true,\"Id\":\"{}\"}}]"}}"#,
            PROPERTIES[index(i)],
            rng.of(&["Member", "Enabled", "true", ""]),
            rng.below(9),
            guid(rng),
        );
    }
    put!(text, "],");
}
