//! What the tests send, and the configurations they run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::attack;
use crate::support::kafka::Broker;

/// The topic that records go to.
pub const RECORDS: &str = "azure-logs";
/// Partitions of every topic.
pub const PARTITIONS: i32 = 4;

/// The demo's envelopes, the fixtures of the decoder, and the shared samples where they are at hand.
pub fn records() -> Vec<Option<Vec<u8>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in [root.join("ingest/testdata"), root.join("../shared/samples")] {
        files.extend(below(&folder));
    }
    let mut records = attack::records();
    for file in files {
        let bytes = fs::read(&file).expect("a readable file");
        if file
            .extension()
            .is_some_and(|extension| extension == "ndjson")
        {
            let lines = bytes
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty());
            records.extend(lines.map(|line| Some(line.to_vec())));
        } else {
            records.push(Some(bytes));
        }
    }
    assert!(
        records.len() >= 80,
        "only {} records were found",
        records.len()
    );
    records
}

/// Every `.json` and `.ndjson` file below a folder, in order; none if there is no such folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(below(&path));
        } else if path
            .extension()
            .is_some_and(|e| e == "json" || e == "ndjson")
        {
            files.push(path);
        }
    }
    files
}

/// A record that raises exactly one alert: a Defender alert of high severity.
#[expect(
    clippy::unnecessary_wraps,
    reason = "a payload is optional: a tombstone has none"
)]
pub fn alarm(number: usize) -> Option<Vec<u8>> {
    let text = format!(
        r#"{{"VendorName":"Microsoft","ProductName":"Microsoft Defender for Cloud","AlertType":"VM_Test","SystemAlertId":"test-{number}","TimeGenerated":"2026-03-02T10:00:00Z","StartTimeUtc":"2026-03-02T10:00:00Z","Severity":"High","Status":"New","AlertDisplayName":"Test alert {number}","CompromisedEntity":"vm-1"}}"#
    );
    Some(text.into_bytes())
}

/// A run of the program: its folder, group and topic for alerts.
pub struct Setup {
    /// Where configuration, state and the alerts' file are.
    pub folder: PathBuf,
    /// Consumer group.
    pub group: String,
    /// Topic of the Kafka sink.
    pub alerts: String,
    /// Port of metrics and health.
    pub port: u16,
}

impl Setup {
    /// Writes a configuration below `root` for a run called `name` and makes its topic of alerts.
    pub fn new(root: &Path, name: &str, broker: &Broker, rules: &[&Path]) -> Self {
        let folder = root.join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let setup = Self {
            folder,
            group: format!("group-{name}"),
            alerts: format!("alerts-{name}"),
            port: crate::support::free_port(),
        };
        broker.create_topic(&setup.alerts, PARTITIONS);
        setup.write(&broker.address(), rules);
        setup
    }

    fn write(&self, broker: &str, rules: &[&Path]) {
        let rules: Vec<_> = rules
            .iter()
            .map(|path| format!("{:?}", path.display().to_string()))
            .collect();
        let (group, alerts, port) = (&self.group, &self.alerts, self.port);
        let text = format!(
            r#"rules: [{rules}]
state: {{dir: state}}
sources:
  - name: hub
    type: kafka
    brokers: ["{broker}"]
    topics: [{RECORDS}]
    group: {group}
    start: earliest
    properties: {{session.timeout.ms: "6000", fetch.message.max.bytes: "20000000", reconnect.backoff.max.ms: "500"}}
sinks:
  - {{name: file, type: file, path: alerts.ndjson}}
  - {{name: bus, type: kafka, brokers: ["{broker}"], topic: {alerts}, properties: {{reconnect.backoff.max.ms: "500"}}}}
http: {{listen: "127.0.0.1:{port}"}}
"#,
            rules = rules.join(", ")
        );
        fs::write(self.folder.join("config.yaml"), text).expect("a configuration");
    }

    /// Adds lines to the configuration.
    pub fn configure(&self, lines: &str) {
        let path = self.folder.join("config.yaml");
        let text = fs::read_to_string(&path).expect("the configuration");
        fs::write(path, text + lines).expect("a configuration");
    }

    /// The answer of the process's HTTP port: status and body; `None` while it does not listen.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        crate::support::http_get(self.port, path)
    }

    /// The value of a metric, by its name with labels as Prometheus writes them.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let (_, body) = self.get("/metrics")?;
        let line = body.lines().find(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(' '))
        })?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

/// The folder of the project's own rules.
pub fn detections() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("detections")
}
