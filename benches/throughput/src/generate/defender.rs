//! Alerts of Defender for Cloud, 3.5 KB on average.

use super::Options;
use super::parts::{
    AGENTS, TENANT, Text, User, address_of, guid, put, subscription, time, token, user_of,
};
use super::rng::Rng;

const KINDS: [&str; 5] = [
    "VM_SuspiciousProcess",
    "ARM_AnonymousIpAddress",
    "Storage.Blob_AnonymousAccess",
    "KV_SuspiciousAccess",
    "K8S_PrivilegedContainer",
];
const INTENTS: [&str; 4] = [
    "Execution",
    "InitialAccess",
    "LateralMovement",
    "Exfiltration",
];

/// What several parts of one record repeat.
struct Parts {
    user: User,
    address: String,
    subscription: String,
    alert: String,
    at: String,
}

pub(super) fn write(rng: &mut Rng, options: &Options, at: u64, text: &mut Text) {
    let parts = Parts {
        user: user_of(rng.skewed(options.users)),
        address: address_of(rng.skewed(options.addresses)),
        subscription: subscription(rng),
        alert: guid(rng),
        at: time(at),
    };
    head(rng, &parts, text);
    put!(
        text,
        r#""RemediationSteps":["1. Run Process Explorer and try to identify unknown running processes.","2. Make sure the machine is completely updated and has an updated anti-malware application installed.","3. Run a full anti-malware scan and verify that the threat was removed.","4. Escalate the alert to the information security team."],"#
    );
    tail(rng, &parts, text);
}

fn head(rng: &mut Rng, parts: &Parts, text: &mut Text) {
    let Parts {
        user,
        subscription,
        alert,
        at,
        ..
    } = parts;
    put!(
        text,
        r#""time":"{at}","resourceId":"/subscriptions/{subscription}","operationName":"MICROSOFT.SECURITY/ALERTS","category":"Alert","tenantId":"{TENANT}","VendorName":"Microsoft","AlertType":"{}","ProductName":"Microsoft Defender for Cloud","StartTimeUtc":"{at}","EndTimeUtc":"{at}","TimeGenerated":"{at}","ProcessingEndTime":"{at}","Severity":"{}","Status":"New","ProviderAlertStatus":null,"ConfidenceLevel":null,"ConfidenceScore":null,"ConfidenceReasons":null,"IsIncident":false,"SystemAlertId":"2518{}_{alert}","CorrelationKey":"{}","Intent":"{}","AzureResourceId":"/subscriptions/{subscription}/resourceGroups/rg-app-{:03}/providers/Microsoft.Compute/virtualMachines/vm{:04}","AlertDisplayName":"Suspicious process executed on vm","CompromisedEntity":"vm{:04}","Description":"Machine logs indicate that a suspicious process was running on the machine. The process was started by account {} from a directory that is rarely used, and its file hash was first seen in this tenant less than one hour earlier.","#,
        rng.of(&KINDS),
        rng.of(&["Low", "Medium", "High", "Informational"]),
        rng.below(1_000_000_000_000),
        token(rng, 44),
        rng.of(&INTENTS),
        rng.below(200),
        rng.below(3000),
        rng.below(3000),
        user.upn,
    );
}

fn tail(rng: &mut Rng, parts: &Parts, text: &mut Text) {
    let Parts {
        user,
        address,
        subscription,
        alert,
        ..
    } = parts;
    let User { id, upn, .. } = user;
    put!(
        text,
        r#""ExtendedProperties":{{"Account":"{upn}","Command line":"C:\\Users\\{id}\\AppData\\Local\\Temp\\{}.exe /quiet /norestart --config \"C:\\ProgramData\\{}.json\"","Parent process":"c:\\windows\\system32\\svchost.exe","Process id":"0x{:x}","resourceType":"Virtual Machine","ServiceId":"14fa08c7-c48e-4c18-950c-8148024b4398","ReportingSystem":"Azure","OccuringDatacenter":"westeurope","User agent":"{}"}},"#,
        token(rng, 9),
        token(rng, 12),
        rng.below(30_000),
        rng.of(&AGENTS),
    );
    put!(
        text,
        r#""Entities":[{{"$id":"4","DnsDomain":"","NTDomain":"","HostName":"vm{:04}","NetBiosName":"vm{:04}","AzureID":"/subscriptions/{subscription}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/vm","OMSAgentID":"{}","OSFamily":"Windows","OSVersion":"Windows","Type":"host"}},{{"$id":"5","Address":"{address}","Location":{{"CountryCode":"NO","City":"Oslo","Latitude":59.9,"Longitude":10.7,"Asn":{}}},"Type":"ip"}},{{"$id":"6","Name":"{upn}","UPNSuffix":"contoso.onmicrosoft.com","AadUserId":"{id}","IsDomainJoined":true,"Type":"account"}}],"ResourceIdentifiers":[{{"$id":"2","AzureResourceId":"/subscriptions/{subscription}","Type":"AzureResource"}},{{"$id":"3","AadTenantId":"{TENANT}","Type":"AAD"}}],"WorkspaceSubscriptionId":"{subscription}","AlertUri":"https://portal.azure.com/#blade/Microsoft_Azure_Security_AzureDefenderForData/AlertBlade/alertId/2518_{alert}/subscriptionId/{subscription}/resourceGroup/rg-app/referencedFrom/alertDeepLink/location/westeurope""#,
        rng.below(3000),
        rng.below(3000),
        guid(rng),
        8000 + rng.below(60_000),
    );
}
