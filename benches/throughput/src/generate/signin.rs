//! Entra sign-in records: interactive and non-interactive ones, 5.9 KB on average.

use super::Options;
use super::parts::{AGENTS, Place, TENANT};
use super::parts::{
    APPS, PLACES, POLICIES, Text, User, address_of, guid, guid_of, put, time, token, user_of,
};
use super::rng::{Rng, index};

/// What distinguishes one sign-in from another where rules look.
struct Outcome {
    /// Entra's error code; 0 is success.
    code: u64,
    description: &'static str,
    agent: &'static str,
    /// More than one factor was asked for.
    multi_factor: bool,
    /// The device meets the tenant's policy.
    compliant: bool,
}

/// Codes of everyday failures, which no SigmaHQ rule names.
const FAILURES: [u64; 7] = [50126, 50125, 65001, 50140, 16000, 70044, 50076];

fn outcome(rng: &mut Rng, telling: bool) -> Outcome {
    let code = if rng.below(100) < 88 {
        0
    } else {
        rng.of(&FAILURES)
    };
    let agent = rng.of(&AGENTS);
    let mut outcome = Outcome {
        code,
        description: "",
        agent,
        multi_factor: true,
        compliant: true,
    };
    if telling {
        match rng.below(6) {
            0 => outcome.code = 50053,
            1 => outcome.code = 53003,
            2 => {
                outcome.code = 50074;
                outcome.description = "Strong Auth required to access the resource";
            }
            3 => outcome.agent = "azurehound/v2.1.9",
            4 => outcome.compliant = false,
            _ => {
                outcome.multi_factor = false;
                outcome.code = 0;
            }
        }
    }
    if outcome.code != 0 && outcome.description.is_empty() {
        outcome.description = "Error validating credentials due to invalid username or password.";
    }
    outcome
}

/// What several parts of one record repeat.
struct Parts {
    key: u64,
    user: User,
    address: String,
    outcome: Outcome,
    /// Application and resource: id, name.
    app: (&'static str, &'static str),
    resource: (&'static str, &'static str),
    place: Place,
    interactive: bool,
    at: String,
    correlation: String,
}

pub(super) fn write(rng: &mut Rng, options: &Options, at: u64, telling: bool, text: &mut Text) {
    let key = rng.skewed(options.users);
    let parts = Parts {
        key,
        user: user_of(key),
        address: address_of(rng.skewed(options.addresses)),
        outcome: outcome(rng, telling),
        app: rng.of(&APPS),
        resource: rng.of(&APPS[..4]),
        place: rng.of(&PLACES),
        interactive: rng.below(10) < 3,
        at: time(at),
        correlation: guid(rng),
    };
    head(rng, &parts, text);
    device(rng, &parts, text);
    policies(rng, text);
    processing(rng, &parts, text);
    steps(rng, &parts, text);
    tail(rng, &parts, text);
}

fn head(rng: &mut Rng, parts: &Parts, text: &mut Text) {
    let Parts {
        user,
        address,
        outcome,
        app,
        place,
        at,
        correlation,
        ..
    } = parts;
    let Outcome {
        code, description, ..
    } = outcome;
    put!(
        text,
        r#""time":"{at}","resourceId":"/tenants/{TENANT}/providers/Microsoft.aadiam","operationName":"Sign-in activity","operationVersion":"1.0","category":"{}","tenantId":"{TENANT}","resultType":"{code}","resultSignature":"{}","#,
        if parts.interactive {
            "SignInLogs"
        } else {
            "NonInteractiveUserSignInLogs"
        },
        match (code, outcome.multi_factor) {
            (0, true) => "None",
            (0, false) => "SUCCESS",
            _ => "FAILURE",
        },
    );
    if *code != 0 {
        put!(text, r#""resultDescription":"{description}","#);
    }
    let (app_id, app_name) = app;
    let User { id, upn, name } = user;
    put!(
        text,
        r#""durationMs":0,"callerIpAddress":"{address}","correlationId":"{correlation}","identity":"{name}","Level":4,"location":"{}","properties":{{"id":"{}","createdDateTime":"{at}","userDisplayName":"{name}","userPrincipalName":"{upn}","userId":"{id}","appId":"{app_id}","appDisplayName":"{app_name}","ipAddress":"{address}","status":{{"errorCode":{code},"#,
        place.country,
        guid(rng),
    );
    if *code == 0 {
        put!(
            text,
            r#""additionalDetails":"MFA requirement satisfied by claim in the token"}},"#
        );
    } else {
        put!(
            text,
            r#""failureReason":"{description}","additionalDetails":"The user didn't enter the right credentials. It\u2019s expected to see some number of these errors."}},"#
        );
    }
}

fn device(rng: &mut Rng, parts: &Parts, text: &mut Text) {
    let Parts {
        outcome,
        place,
        correlation,
        key,
        ..
    } = parts;
    let Place {
        city,
        state,
        country,
        latitude,
        longitude,
    } = place;
    let Outcome {
        agent, compliant, ..
    } = outcome;
    let system = rng.of(&[
        "Windows10",
        "Windows11",
        "MacOs",
        "Ios 18.5",
        "Android",
        "Linux",
    ]);
    let browser = rng.of(&[
        "Edge 138.0.0",
        "Chrome 138.0.0",
        "Firefox 140.0",
        "Mobile Safari",
        "Rich Client 4.73.1.0",
    ]);
    put!(
        text,
        r#""clientAppUsed":"{}","userAgent":"{agent}","deviceDetail":{{"deviceId":"{}","displayName":"LAPTOP-{:05}","operatingSystem":"{system}","browser":"{browser}","isCompliant":{compliant},"isManaged":{compliant},"trustType":"Azure AD joined"}},"location":{{"city":"{city}","state":"{state}","countryOrRegion":"{country}","geoCoordinates":{{"latitude":{latitude},"longitude":{longitude}}}}},"mfaDetail":{{}},"correlationId":"{correlation}","conditionalAccessStatus":"{}","#,
        if parts.interactive {
            "Browser"
        } else {
            "Mobile Apps and Desktop clients"
        },
        guid_of(key ^ 0xD),
        key % 100_000,
        if outcome.code == 53003 {
            "failure"
        } else {
            "success"
        },
    );
}

fn policies(rng: &mut Rng, text: &mut Text) {
    put!(text, r#""appliedConditionalAccessPolicies":["#);
    let count = 3 + rng.below(8);
    for i in 0..count {
        text.comma(i);
        let (controls, result, held, not_held) = if i < 2 {
            (r#""Mfa""#, "success", 3, 0)
        } else {
            ("", "notApplied", 1, 2)
        };
        put!(
            text,
            r#"{{"id":"{}","displayName":"{}","enforcedGrantControls":[{controls}],"enforcedSessionControls":[],"result":"{result}","conditionsSatisfied":{held},"conditionsNotSatisfied":{not_held}}}"#,
            guid_of(i ^ 0xCA),
            POLICIES[index(i)],
        );
    }
}

fn processing(rng: &mut Rng, parts: &Parts, text: &mut Text) {
    let (resource_id, resource) = parts.resource;
    put!(
        text,
        r#"],"authenticationContextClassReferences":[],"originalRequestId":"{}","isInteractive":{},"tokenIssuerName":"","tokenIssuerType":"AzureAD","authenticationProcessingDetails":[{{"key":"Legacy TLS (TLS 1.0, 1.1, 3DES)","value":"False"}},{{"key":"Oauth Scope Info","value":"[\"email\",\"openid\",\"profile\",\"User.Read\",\"Directory.Read.All\"]"}},{{"key":"Is CAE Token","value":"False"}}],"networkLocationDetails":[{{"networkType":"trustedNamedLocation","networkNames":["HQ {}"]}}],"clientCredentialType":"none","processingTimeInMilliseconds":{},"riskDetail":"none","riskLevelAggregated":"none","riskLevelDuringSignIn":"none","riskState":"none","riskEventTypes":[],"riskEventTypes_v2":[],"resourceDisplayName":"{resource}","resourceId":"{resource_id}","resourceTenantId":"{TENANT}","homeTenantId":"{TENANT}","tenantId":"{TENANT}","#,
        guid(rng),
        parts.interactive,
        parts.place.city,
        40 + rng.below(400),
    );
}

fn steps(rng: &mut Rng, parts: &Parts, text: &mut Text) {
    put!(text, r#""authenticationDetails":["#);
    let at = &parts.at;
    let succeeded = parts.outcome.code == 0;
    let detail = if succeeded {
        "First factor requirement satisfied by claim in the token"
    } else {
        "Invalid username or password"
    };
    for i in 0..=rng.below(2) {
        text.comma(i);
        let (method, from, requirement) = if i == 0 {
            (
                "Previously satisfied",
                "Password Hash Sync",
                "Primary authentication",
            )
        } else {
            (
                "Mobile app notification",
                "Microsoft Authenticator",
                "Multi-factor authentication",
            )
        };
        put!(
            text,
            r#"{{"authenticationStepDateTime":"{at}","authenticationMethod":"{method}","authenticationMethodDetail":"{from}","succeeded":{succeeded},"authenticationStepResultDetail":"{detail}","authenticationStepRequirement":"{requirement}","StatusSequence":0,"RequestSequence":{i}}}"#
        );
    }
}

fn tail(rng: &mut Rng, parts: &Parts, text: &mut Text) {
    let upn = &parts.user.upn;
    let (app_id, _) = parts.app;
    put!(
        text,
        r#"],"authenticationRequirementPolicies":[{{"requirementProvider":"multiConditionalAccess","detail":"Conditional Access"}}],"sessionLifetimePolicies":[],"authenticationRequirement":"{}","alternateSignInName":"{upn}","signInIdentifier":"{upn}","servicePrincipalId":"","userType":"Member","flaggedForReview":false,"isTenantRestricted":false,"autonomousSystemNumber":{},"crossTenantAccessType":"none","privateLinkDetails":{{}},"ssoExtensionVersion":"","uniqueTokenIdentifier":"{}","authenticationStrengths":[],"incomingTokenType":"{}","authenticationProtocol":"none","appServicePrincipalId":null,"resourceServicePrincipalId":"{}","rngcStatus":0,"signInTokenProtectionStatus":"none","tokenProtectionStatusDetails":{{"signInSessionStatus":"unbound","signInSessionStatusCode":1002}},"originalTransferMethod":"none","isThroughGlobalSecureAccess":false,"globalSecureAccessIpAddress":"","conditionalAccessAudiences":["{app_id}"],"sessionId":"{}","resourceOwnerTenantId":"f8cdef31-a31e-4b4a-93e4-5f571e91255a"}}"#,
        if parts.outcome.multi_factor {
            "multiFactorAuthentication"
        } else {
            "singleFactorAuthentication"
        },
        8000 + rng.below(60_000),
        token(rng, 22),
        rng.of(&["none", "primaryRefreshToken", "refreshToken"]),
        guid(rng),
        guid(rng),
    );
}
