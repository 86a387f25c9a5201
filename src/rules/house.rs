//! The detections that come with the program, inside the program.

use std::sync::Arc;

use palisade_detect::rule::RuleFile;

/// A file below `detections/`, by its name there.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../detections/", $name)))),+]
    };
}

/// Every rule below `detections/`; a test holds the list against the folder.
const FILES: &[(&str, &str)] = files![
    "azure/activity_logs/diagnostic_setting_deleted.yml",
    "azure/activity_logs/network_flow_log_disabled.yml",
    "azure/activity_logs/privileged_role_assignment.yml",
    "azure/activity_logs/storage_keys_listed.yml",
    "azure/audit_logs/application_credential_added.yml",
    "azure/audit_logs/global_administrator_assigned.yml",
    "azure/audit_logs/security_info_registered.yml",
    "azure/correlations/flow_log_disabled_then_key_export.yml",
    "azure/correlations/flow_log_disabled_then_storage_keys.yml",
    "azure/correlations/mfa_denied_repeatedly.yml",
    "azure/correlations/mfa_fatigue_success.yml",
    "azure/correlations/password_spray.yml",
    "azure/defender_alerts/high_severity_alert.yml",
    "azure/key_vault/key_material_exported.yml",
    "azure/network_flows/management_port_reached_from_internet.yml",
    "azure/risk_detections/stolen_credentials_or_token.yml",
    "azure/signin_logs/device_code_family_client.yml",
    "azure/signin_logs/device_code_sign_in.yml",
    "azure/signin_logs/legacy_authentication_success.yml",
    "azure/signin_logs/mfa_denied.yml",
    "azure/signin_logs/mfa_success.yml",
    "azure/signin_logs/risky_sign_in_success.yml",
    "azure/signin_logs/wrong_password.yml",
];

/// The lists that they name; loading the rules tells when one is missing.
const LISTS: &[(&str, &str)] = files!["lists/family_clients.csv"];

/// The lists, by their names below `detections/`.
pub fn lists() -> Vec<RuleFile> {
    of(LISTS)
}

/// The rules, by their names below `detections/`.
pub fn files() -> Vec<RuleFile> {
    of(FILES)
}

fn of(files: &[(&str, &str)]) -> Vec<RuleFile> {
    files
        .iter()
        .map(|(name, text)| RuleFile {
            name: Arc::from(*name),
            bytes: text.as_bytes().to_vec(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_rule_of_the_folder_is_inside_the_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("detections");
        let (found, problems) = super::super::walk(&[root.join("azure")]);
        assert!(problems.is_empty(), "{problems:?}");
        let root = root.to_string_lossy().replace('\\', "/");
        let mut found: Vec<String> = found
            .iter()
            .map(|file| {
                file.name
                    .replace('\\', "/")
                    .replace(&format!("{root}/"), "")
            })
            .collect();
        found.sort();
        let inside: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            inside, found,
            "the list in `src/rules/house.rs` is not the folder"
        );
    }
}
