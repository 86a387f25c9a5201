//! Names the fields of SigmaHQ's azure rules as the records on an event hub name them.
//!
//! Those rules are written in three spellings: columns of Sentinel's tables, properties of the Graph API,
//! captions of the portal. Raw records have none of them, so every engine is given the same rules with the
//! names of the wire. Values are left as they are.

/// The part of a rule in which fields are named.
const DETECTION: &str = "detection:";

/// Names that mean the same in every log.
const EVERYWHERE: [(&str, &str); 34] = [
    ("ActivityDetails", "operationName"),
    ("ActivityDisplayName", "properties.activityDisplayName"),
    ("ActivityType", "operationName"),
    (
        "AuthenticationRequirement",
        "properties.authenticationRequirement",
    ),
    ("CategoryValue", "category"),
    ("ClientApp", "properties.clientAppUsed"),
    (
        "ConsentContext.IsAdminConsent",
        "properties.consentContext.isAdminConsent",
    ),
    ("DeviceDetail.deviceId", "properties.deviceDetail.deviceId"),
    (
        "DeviceDetail.isCompliant",
        "properties.deviceDetail.isCompliant",
    ),
    (
        "DeviceDetail.trusttype",
        "properties.deviceDetail.trustType",
    ),
    (
        "Initiatedby",
        "properties.initiatedBy.user.userPrincipalName",
    ),
    ("LoggedByService", "properties.loggedByService"),
    (
        "NetworkLocationDetails",
        "properties.networkLocationDetails",
    ),
    ("OperationName", "operationName"),
    ("OperationNameValue", "operationName"),
    ("ResourceDisplayName", "properties.resourceDisplayName"),
    ("ResourceId", "resourceId"),
    ("ResultDescription", "resultDescription"),
    ("ResultType", "resultType"),
    ("Resultdescription", "resultDescription"),
    ("RiskState", "properties.riskState"),
    ("Target", "properties.targetResources.displayName"),
    (
        "TargetResources.ModifiedProperties.DisplayName",
        "properties.targetResources.modifiedProperties.displayName",
    ),
    (
        "TargetResources.ModifiedProperties.NewValue",
        "properties.targetResources.modifiedProperties.newValue",
    ),
    (
        "TargetResources.modifiedProperties",
        "properties.targetResources.modifiedProperties",
    ),
    (
        "TargetResources.modifiedProperties.newValue",
        "properties.targetResources.modifiedProperties.newValue",
    ),
    ("TargetResources", "properties.targetResources"),
    ("Username", "properties.userPrincipalName"),
    ("activityType", "operationName"),
    (
        "additionalDetails.additionalInfo",
        "properties.additionalDetails.value",
    ),
    (
        "conditionalAccessStatus",
        "properties.conditionalAccessStatus",
    ),
    ("riskEventType", "properties.riskEventType"),
    ("targetResources.type", "properties.targetResources.type"),
    ("userAgent", "properties.userAgent"),
];

/// Names that mean something else in Entra's audit logs.
const IN_AUDIT: [(&str, &str); 4] = [
    ("Category", "properties.category"),
    ("Status", "properties.result"),
    ("category", "properties.category"),
    ("properties.message", "properties.activityDisplayName"),
];

/// Names that mean something else in sign-ins.
const IN_SIGNINS: [(&str, &str); 2] = [
    ("Status", "resultSignature"),
    ("properties.message", "properties.authenticationProtocol"),
];

/// The rule with the names of the wire; rules for other products stay as they are.
pub(super) fn on_the_wire(rule: &str) -> String {
    if !rule.lines().any(|line| is_value(line, "product", "azure")) {
        return rule.to_owned();
    }
    let of_service: &[(&str, &str)] = if rule
        .lines()
        .any(|line| is_value(line, "service", "auditlogs"))
    {
        &IN_AUDIT
    } else if rule
        .lines()
        .any(|line| is_value(line, "service", "signinlogs"))
    {
        &IN_SIGNINS
    } else {
        &[]
    };
    let mut inside = false;
    let lines = rule.split('\n').map(|line| {
        if !line.starts_with(char::is_whitespace) && !line.is_empty() {
            inside = line.starts_with(DETECTION);
        }
        let Some((indent, name, rest)) = field(line).filter(|_| inside) else {
            return line.to_owned();
        };
        let known = of_service
            .iter()
            .chain(&EVERYWHERE)
            .find(|(from, _)| *from == name);
        known.map_or_else(|| line.to_owned(), |(_, to)| format!("{indent}{to}{rest}"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a line of the log source says that `key` is `value`.
fn is_value(line: &str, key: &str, value: &str) -> bool {
    line.starts_with(char::is_whitespace)
        && line
            .trim()
            .split_once(':')
            .is_some_and(|(k, v)| (k, v.trim()) == (key, value))
}

/// What stands before a field's name, the name, and the rest of the line from its modifiers on.
fn field(line: &str) -> Option<(&str, &str, &str)> {
    let unindented = line.trim_start();
    let name_on = unindented.strip_prefix("- ").unwrap_or(unindented);
    let (indent, name_on) = line.split_at(line.len() - name_on.len());
    let (key, value) = name_on.split_once(':')?;
    let name = key.split_once('|').map_or(key, |(name, _)| name);
    let (name, rest) = name_on.split_at(name.len());
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.|".contains(c));
    let is_key = value.is_empty() || value.starts_with(char::is_whitespace);
    (!indent.is_empty() && is_name && is_key).then_some((indent, name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "\
title: OperationName
logsource:
    product: azure
    service: auditlogs
detection:
    selection:
        OperationName|contains: 'ResultType: 5'
        - Status: failure
        Own: ResultType
    condition: selection
falsepositives:
    - ResultType: unknown
";

    #[test]
    fn fields_are_named_as_on_the_wire_and_nothing_else_changes() {
        let expected = RULE
            .replace("OperationName|contains", "operationName|contains")
            .replace("- Status", "- properties.result");
        assert_eq!(on_the_wire(RULE), expected);
    }

    #[test]
    fn a_name_means_what_its_log_means_by_it() {
        let signins = RULE.replace("auditlogs", "signinlogs");
        assert!(on_the_wire(&signins).contains("- resultSignature: failure"));
    }

    #[test]
    fn rules_for_other_products_stay() {
        let other = RULE.replace("product: azure", "product: aws");
        assert_eq!(on_the_wire(&other), other);
    }
}
