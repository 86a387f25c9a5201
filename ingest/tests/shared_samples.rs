//! Decoding over the public records in `../shared/samples`, which are no part of this repository.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use palisade_ingest::decode::{Decoded, Hints, decode};

/// Log types that each folder of samples may hold.
const FOLDERS: [(&str, &[&str]); 24] = [
    ("activity", &["azure_activity", "azure_activity_pim"]),
    ("activity-rest-shape", &["azure_activity_rest"]),
    ("app-gateway", &["app_gateway_access", "app_gateway_waf"]),
    (
        "azure-firewall",
        &[
            "azure_firewall_application",
            "azure_firewall_network",
            "azure_firewall_text",
        ],
    ),
    ("common-alert-schema", &["azure_monitor_alert"]),
    (
        "defender-cloud",
        &[
            "defender_cloud_alert",
            "defender_cloud_assessment",
            "defender_cloud_compliance",
            "defender_cloud_secure_score",
            "defender_cloud_sub_assessment",
        ],
    ),
    ("defender-xdr", &[]),
    ("entra-audit", &["entra_audit", "entra_pim"]),
    ("entra-graphactivity", &["entra_graph_activity"]),
    ("entra-managedidentity", &["entra_managed_identity_signin"]),
    ("entra-noninteractive", &["entra_noninteractive_signin"]),
    ("entra-provisioning", &["entra_provisioning"]),
    ("entra-risk", &["entra_risk_detection", "entra_risky_user"]),
    (
        "entra-serviceprincipal",
        &["entra_service_principal_signin"],
    ),
    ("entra-signin", &["entra_signin"]),
    ("envelope", &[]),
    (
        "front-door",
        &[
            "front_door_access",
            "front_door_health_probe",
            "front_door_waf",
        ],
    ),
    ("key-vault", &["key_vault"]),
    (
        "log-analytics-export",
        &[
            "azure_activity_table",
            "entra_audit_table",
            "windows_security_event_table",
        ],
    ),
    ("nsg-flow", &["nsg_flow"]),
    (
        "platform-other",
        &[
            "aks_audit",
            "app_service_audit",
            "app_service_http",
            "app_service_ip_restriction",
            "azure_resource_log",
            "event_hubs_operation",
            "function_app",
        ],
    ),
    ("storage", &["storage"]),
    ("vnet-flow", &["vnet_flow"]),
    ("windows-events", &["windows_event_diagnostics"]),
];

/// Types whose records carry no time.
const TIMELESS: [&str; 2] = ["defender_cloud_compliance", "defender_cloud_secure_score"];

fn samples() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples");
    folder.is_dir().then_some(folder)
}

fn records(path: &Path) -> Vec<Vec<u8>> {
    let name = path
        .file_name()
        .expect("a file")
        .to_string_lossy()
        .into_owned();
    let mut bytes = std::fs::read(path).expect("readable sample");
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(&bytes[..])
            .read_to_end(&mut plain)
            .expect("gzip");
        bytes = plain;
    }
    if name.contains(".ndjson") {
        let lines = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        return lines.map(<[u8]>::to_vec).collect();
    }
    vec![bytes]
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("readable folder")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| {
            let name = path.to_string_lossy().into_owned();
            let name = name.trim_end_matches(".gz");
            name.ends_with("json")
        })
        .collect();
    found.sort();
    found
}

/// Every sample decodes without a reject to a type of its folder, with its event time. The folder
/// is optional: where it is absent this says so and checks nothing.
#[test]
fn every_shared_sample_becomes_events_of_its_type_with_their_times() {
    let Some(root) = samples() else {
        eprintln!("../shared/samples is absent: nothing is checked");
        return;
    };
    let mut seen = BTreeMap::<&str, BTreeSet<String>>::new();
    let mut wrong = Vec::new();
    for (folder, allowed) in FOLDERS {
        for file in files(&root.join(folder)) {
            for (number, record) in records(&file).iter().enumerate() {
                let place = format!("{}:{number}", file.display());
                let mut events = 0;
                decode(
                    Some(record),
                    &Hints::default(),
                    &mut |decoded| match decoded {
                        Decoded::Reject(reject) => wrong.push(format!("{place}: {reject:?}")),
                        Decoded::Event(index, event) => {
                            events += 1;
                            let name = event.log_type.name;
                            seen.entry(folder).or_default().insert(name.to_owned());
                            if name == "unknown" || !allowed.is_empty() && !allowed.contains(&name)
                            {
                                wrong.push(format!("{place} {index}: {name}"));
                            }
                            let after_2015 = event
                                .event_time
                                .map(|time| time.unix_ms() > 1_420_000_000_000);
                            if after_2015 != (!TIMELESS.contains(&name)).then_some(true) {
                                wrong.push(format!(
                                    "{place} {index}: {name} {:?}",
                                    event.event_time
                                ));
                            }
                        }
                    },
                );
                if events == 0 {
                    wrong.push(format!("{place}: no event"));
                }
            }
        }
        assert!(seen.contains_key(folder), "no sample was read in {folder}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (folder, allowed) in FOLDERS {
        for name in allowed {
            assert!(
                seen[folder].contains(*name),
                "{folder} holds no {name}: {:?}",
                seen[folder]
            );
        }
    }
    let other = |name: &String| !name.starts_with("xdr_") || name == "xdr_other";
    assert!(
        !seen["defender-xdr"].iter().any(other),
        "{:?}",
        seen["defender-xdr"]
    );
}
