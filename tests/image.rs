//! The container image, put through the end-to-end check. `deploy/test-image.sh` builds the image and
//! runs this.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use support::attack;
use support::kafka::Broker;
use support::{free_port, http_get, wait_for};

#[expect(
    clippy::disallowed_methods,
    reason = "the script says which image and which program"
)]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is set by deploy/test-image.sh"))
}

/// `podman`, with the options that stand before its command.
fn container() -> Command {
    let words = variable("PALISADE_CONTAINER");
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words);
    command
}

/// A container that goes with this value, also when the test fails.
struct Named(String);

impl Drop for Named {
    fn drop(&mut self) {
        let removed = container()
            .args(["rm", "--force", "--ignore", &self.0])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        drop(removed);
    }
}

/// Options of every run: nothing may be written but the state, and there is nothing to be gained.
fn hardened(folder: &Path, name: &str) -> Vec<String> {
    let volume = format!("{}:/var/lib/palisade", folder.join("state").display());
    let config = format!(
        "{}:/etc/palisade/palisade.yaml:ro",
        folder.join("palisade.yaml").display()
    );
    [
        "run",
        "--rm",
        "--name",
        name,
        "--network=host",
        "--read-only",
        "--cap-drop=ALL",
    ]
    .into_iter()
    .chain([
        "--security-opt=no-new-privileges",
        "--ulimit",
        "nofile=1024:1024",
    ])
    .chain(["--ulimit", "nproc=1024:1024", "-v", &volume, "-v", &config])
    .map(str::to_owned)
    .collect()
}

fn configure(folder: &Path, broker: &str, port: u16) {
    let text = format!(
        r#"rules: [/usr/share/palisade/detections]
state: {{dir: /var/lib/palisade/log}}
sources:
  - {{name: hub, type: kafka, brokers: ["{broker}"], topics: [azure-logs], group: image, start: earliest}}
sinks:
  - {{name: file, type: file, path: /var/lib/palisade/alerts.ndjson}}
http: {{listen: "127.0.0.1:{port}"}}
"#
    );
    fs::write(folder.join("palisade.yaml"), text).expect("a configuration");
    let state = folder.join("state");
    fs::create_dir_all(&state).expect("a folder");
    let made = Command::new("chown")
        .arg("65532:65532")
        .arg(&state)
        .status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "the state's folder needs its owner"
    );
}

#[test]
fn image_runs_read_only_without_rights_and_finds_the_attack() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(folder.path());
    broker.create_topic("azure-logs", 4);
    broker.produce("azure-logs", 4, &attack::records());
    let port = free_port();
    configure(folder.path(), &broker.address(), port);
    let name = format!("palisade-test-{}", std::process::id());
    let named = Named(name.clone());
    let mut running = container()
        .args(hardened(folder.path(), &name))
        .args(["-e", &format!("PALISADE_HTTP_LISTEN=127.0.0.1:{port}")])
        .arg(variable("PALISADE_IMAGE"))
        .stdin(Stdio::null())
        .spawn()
        .expect("the container starts");
    wait_for("the image to be ready", || {
        http_get(port, "/readyz").filter(|(code, _)| *code == 200)
    });
    let file = folder.path().join("state/alerts.ndjson");
    wait_for("the alert of the last correlation", || {
        let text = fs::read_to_string(&file).ok()?;
        let found = [
            "azure_password_spray",
            "azure_mfa_fatigue_success",
            "azure_key_material_exported",
        ]
        .iter()
        .all(|rule| text.contains(rule));
        found.then_some(())
    });
    let healthy = container()
        .args(["exec", &name, "/usr/bin/palisade", "health", "--ready"])
        .status();
    assert!(
        healthy.is_ok_and(|status| status.success()),
        "`palisade health --ready` in the container"
    );
    let stopped = container().args(["stop", "--time", "30", &name]).status();
    assert!(
        stopped.is_ok_and(|status| status.success()),
        "the container stops"
    );
    let status = running.wait().expect("our child");
    assert_eq!(status.code(), Some(0), "SIGTERM drains and ends with 0");
    drop(named);
}

#[test]
fn image_holds_no_shell_and_no_root() {
    let user = container()
        .args(["image", "inspect", "--format", "{{.Config.User}}"])
        .arg(variable("PALISADE_IMAGE"))
        .output()
        .expect("the program starts");
    assert_eq!(String::from_utf8_lossy(&user.stdout).trim(), "65532:65532");
    let shell = container()
        .args(["run", "--rm", "--network=host", "--entrypoint", "/bin/sh"])
        .arg(variable("PALISADE_IMAGE"))
        .args(["-c", "true"])
        .stderr(Stdio::null())
        .status()
        .expect("the program starts");
    assert!(!shell.success(), "the image has a shell");
}
