//! Entra risk detections, 1.7 KB on average.

use super::Options;
use super::parts::{
    AGENTS, PLACES, Place, TENANT, Text, User, address_of, guid, put, time, user_of,
};
use super::rng::Rng;

/// Kinds of risk that SigmaHQ rules look for.
const TELLING: [&str; 6] = [
    "anonymizedIPAddress",
    "unlikelyTravel",
    "leakedCredentials",
    "passwordSpray",
    "anomalousToken",
    "newCountry",
];
/// Other kinds.
const EVERYDAY: [&str; 4] = [
    "generic",
    "adminConfirmedUserCompromised",
    "userReportedSuspiciousActivity",
    "nationStateIP",
];

pub(super) fn write(rng: &mut Rng, options: &Options, at: u64, telling: bool, text: &mut Text) {
    let User { id, upn, name } = user_of(rng.skewed(options.users));
    let address = address_of(rng.skewed(options.addresses));
    let at = time(at);
    let kind = if telling {
        rng.of(&TELLING)
    } else {
        rng.of(&EVERYDAY)
    };
    let Place {
        city,
        state,
        country,
        ..
    } = rng.of(&PLACES);
    let detection = guid(rng).replace('-', "");
    put!(
        text,
        r#""time":"{at}","resourceId":"/tenants/{TENANT}/providers/Microsoft.aadiam","operationName":"User Risk Detection","operationVersion":"1.0","category":"UserRiskEvents","tenantId":"{TENANT}","resultSignature":"None","durationMs":0,"callerIpAddress":"{address}","correlationId":"{}","identity":"{name}","Level":4,"location":"{}","#,
        guid(rng),
        country.to_lowercase(),
    );
    put!(
        text,
        r#""properties":{{"id":"{detection}","requestId":"{}","correlationId":"{}","riskType":"{kind}","riskEventType":"{kind}","riskState":"{}","riskLevel":"{}","riskDetail":"none","source":"IdentityProtection","detectionTimingType":"{}","activity":"signin","ipAddress":"{address}","location":{{"city":"{city}","state":"{state}","countryOrRegion":"{country}","geoCoordinates":{{"altitude":0,"latitude":59.9,"longitude":10.7}}}},"activityDateTime":"{at}","detectedDateTime":"{at}","lastUpdatedDateTime":"{at}","userId":"{id}","userDisplayName":"{name}","userPrincipalName":"{upn}","additionalInfo":"[{{\"Key\":\"userAgent\",\"Value\":\"{}\"}},{{\"Key\":\"alertUrl\",\"Value\":null}}]","tokenIssuerType":"AzureAD","resourceTenantId":null,"homeTenantId":"{TENANT}","userType":"member","crossTenantAccessType":"none"}}"#,
        guid(rng),
        guid(rng),
        rng.of(&["atRisk", "remediated", "dismissed"]),
        rng.of(&["low", "medium", "high"]),
        rng.of(&["realtime", "offline"]),
        rng.of(&AGENTS),
    );
}
