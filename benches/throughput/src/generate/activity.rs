//! Azure Activity Log records with the caller's claims, 3.1 KB on average.

use super::Options;
use super::parts::{
    APPS, TENANT, Text, User, address_of, guid, guid_of, put, subscription, time, token, user_of,
};
use super::rng::Rng;

/// Everyday operations, which no SigmaHQ rule names.
const EVERYDAY: [&str; 22] = [
    "MICROSOFT.COMPUTE/VIRTUALMACHINES/START/ACTION",
    "MICROSOFT.COMPUTE/VIRTUALMACHINES/DEALLOCATE/ACTION",
    "MICROSOFT.COMPUTE/VIRTUALMACHINES/RUNCOMMANDS/READ",
    "MICROSOFT.COMPUTE/DISKS/WRITE",
    "MICROSOFT.COMPUTE/VIRTUALMACHINESCALESETS/WRITE",
    "MICROSOFT.STORAGE/STORAGEACCOUNTS/BLOBSERVICES/READ",
    "MICROSOFT.STORAGE/STORAGEACCOUNTS/WRITE",
    "MICROSOFT.WEB/SITES/CONFIG/LIST/ACTION",
    "MICROSOFT.WEB/SITES/RESTART/ACTION",
    "MICROSOFT.WEB/SITES/PUBLISHXML/ACTION",
    "MICROSOFT.AUTHORIZATION/POLICIES/AUDITIFNOTEXISTS/ACTION",
    "MICROSOFT.AUTHORIZATION/POLICIES/AUDIT/ACTION",
    "MICROSOFT.RESOURCES/SUBSCRIPTIONS/RESOURCEGROUPS/READ",
    "MICROSOFT.RESOURCES/TAGS/WRITE",
    "MICROSOFT.INSIGHTS/METRICALERTS/WRITE",
    "MICROSOFT.INSIGHTS/AUTOSCALESETTINGS/SCALEUPRESULT/ACTION",
    "MICROSOFT.OPERATIONALINSIGHTS/WORKSPACES/QUERY/READ",
    "MICROSOFT.SQL/SERVERS/DATABASES/WRITE",
    "MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/LISTCLUSTERUSERCREDENTIAL/ACTION",
    "MICROSOFT.RECOVERYSERVICES/VAULTS/BACKUPJOBS/READ",
    "MICROSOFT.LOGIC/WORKFLOWS/RUN/ACTION",
    "MICROSOFT.NETWORK/PUBLICIPADDRESSES/WRITE",
];

/// Operations that SigmaHQ rules look for.
const TELLING: [&str; 14] = [
    "MICROSOFT.KEYVAULT/VAULTS/SECRETS/DELETE",
    "MICROSOFT.KEYVAULT/VAULTS/ACCESSPOLICIES/WRITE",
    "MICROSOFT.NETWORK/NETWORKSECURITYGROUPS/SECURITYRULES/WRITE",
    "MICROSOFT.NETWORK/AZUREFIREWALLS/DELETE",
    "MICROSOFT.NETWORK/VIRTUALNETWORKS/SUBNETS/WRITE",
    "MICROSOFT.NETWORK/DNSZONES/A/WRITE",
    "MICROSOFT.KUBERNETES/CONNECTEDCLUSTERS/RBAC.AUTHORIZATION.K8S.IO/CLUSTERROLEBINDINGS/WRITE",
    "MICROSOFT.KUBERNETES/CONNECTEDCLUSTERS/PODS/DELETE",
    "MICROSOFT.AUTHORIZATION/ELEVATEACCESS/ACTION",
    "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE",
    "MICROSOFT.PORTAL/CONSOLES/WRITE",
    "MICROSOFT.STORAGE/STORAGEACCOUNTS/LISTKEYS/ACTION",
    "MICROSOFT.SECURITY/ALERTSSUPPRESSIONRULES/WRITE",
    "MICROSOFT.NETWORK/NETWORKINTERFACES/JOIN/ACTION",
];

const ROLES: [&str; 5] = [
    "Contributor",
    "Owner",
    "Virtual Machine Contributor",
    "Reader",
    "Network Contributor",
];

/// Result type and signature.
const RESULTS: [(&str, &str); 4] = [
    ("Start", "Started."),
    ("Success", "Succeeded.OK"),
    ("Success", "Succeeded.Created"),
    ("Failure", "Failed.Forbidden"),
];

/// What several parts of one record repeat.
struct Parts {
    operation: &'static str,
    user: User,
    address: String,
    subscription: String,
    group: u64,
    resource: String,
    result: (&'static str, &'static str),
    correlation: String,
    /// Milliseconds since 1970.
    at: u64,
}

pub(super) fn write(rng: &mut Rng, options: &Options, at: u64, telling: bool, text: &mut Text) {
    let operation = if telling {
        rng.of(&TELLING)
    } else {
        rng.of(&EVERYDAY)
    };
    let user = user_of(rng.skewed(options.users));
    let address = address_of(rng.skewed(options.addresses));
    let subscription = subscription(rng);
    let group = rng.below(200);
    let provider = operation
        .rsplit_once('/')
        .map_or(operation, |(provider, _)| provider);
    let resource = format!(
        "/SUBSCRIPTIONS/{}/RESOURCEGROUPS/RG-APP-{group:03}/PROVIDERS/{provider}/APP{group:03}-{:02}",
        subscription.to_uppercase(),
        rng.below(40)
    );
    let result = rng.of(&RESULTS);
    let correlation = guid(rng);
    let parts = Parts {
        operation,
        user,
        address,
        subscription,
        group,
        resource,
        result,
        correlation,
        at,
    };
    head(rng, &parts, text);
    claims(rng, &parts, text);
    tail(rng, &parts, text);
}

fn head(rng: &mut Rng, parts: &Parts, text: &mut Text) {
    let Parts {
        operation,
        user,
        address,
        subscription,
        resource,
        correlation,
        ..
    } = parts;
    let (kind, signature) = parts.result;
    put!(
        text,
        r#""time":"{}","resourceId":"{resource}","operationName":"{operation}","category":"Administrative","resultType":"{kind}","resultSignature":"{signature}","durationMs":"{}","callerIpAddress":"{address}","correlationId":"{correlation}","identity":{{"authorization":{{"scope":"{}","action":"{}","evidence":{{"role":"{}","roleAssignmentScope":"/subscriptions/{subscription}","roleAssignmentId":"{}","roleDefinitionId":"{}","principalId":"{}","principalType":"User"}}}},"#,
        time(parts.at),
        rng.below(4000),
        resource.to_lowercase(),
        operation.to_lowercase(),
        rng.of(&ROLES),
        guid(rng).replace('-', ""),
        guid_of(parts.group ^ 0xE0).replace('-', ""),
        user.id.replace('-', ""),
    );
}

fn claims(rng: &mut Rng, parts: &Parts, text: &mut Text) {
    let Parts { user, address, .. } = parts;
    let User { id, upn, name } = user;
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    let issued = parts.at / 1000 - 300;
    put!(
        text,
        r#""claims":{{"aud":"https://management.core.windows.net/","iss":"https://sts.windows.net/{TENANT}/","iat":"{issued}","nbf":"{issued}","exp":"{}","http://schemas.microsoft.com/claims/authnclassreference":"1","aio":"{}","http://schemas.microsoft.com/claims/authnmethodsreferences":"pwd,mfa","appid":"{}","appidacr":"2","http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname":"{last}","http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname":"{first}","#,
        issued + 4500,
        token(rng, 68),
        rng.of(&APPS).0,
    );
    let groups = rng.below(6);
    if groups > 0 {
        put!(text, r#""groups":""#);
        for i in 0..groups {
            text.comma(i);
            put!(text, "{}", guid_of(i ^ 0x6A));
        }
        put!(text, r#"","#);
    }
    put!(
        text,
        r#""ipaddr":"{address}","name":"{name}","http://schemas.microsoft.com/identity/claims/objectidentifier":"{id}","puid":"{:016X}","rh":"{}","http://schemas.microsoft.com/identity/claims/scope":"user_impersonation","http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier":"{}","http://schemas.microsoft.com/identity/claims/tenantid":"{TENANT}","http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name":"{upn}","http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":"{upn}","uti":"{}","ver":"1.0","wids":"{}","xms_tcdt":"1549383203"}}}},"#,
        rng.next(),
        token(rng, 40),
        token(rng, 43),
        token(rng, 22),
        guid(rng),
    );
}

fn tail(rng: &mut Rng, parts: &Parts, text: &mut Text) {
    let subscription = &parts.subscription;
    let (level, status) = if parts.result.0 == "Failure" {
        ("Error", "Forbidden")
    } else {
        ("Information", "OK")
    };
    put!(
        text,
        r#""level":"{level}","location":"global","properties":{{"statusCode":"{status}","serviceRequestId":"{}","eventCategory":"Administrative","entity":"{}","message":"{}","hierarchy":"{TENANT}/{subscription}"}},"tenantId":"{TENANT}""#,
        guid(rng),
        parts.resource.to_lowercase(),
        parts.operation.to_lowercase(),
    );
}
