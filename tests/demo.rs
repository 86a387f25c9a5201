//! `palisade demo` as a person starts it: the built program, in an empty folder.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use palisade::demo::{self, RECORDING, RECORDING_NAME};
use palisade::topology::fold::Suppression;
use palisade::topology::offline::{Offline, Watermark};
use palisade_detect::alert::Alert;
use palisade_detect::time::Timestamp;

/// Correlations that the recording is about.
const STORY: [&str; 4] = [
    "azure_password_spray",
    "azure_mfa_fatigue_success",
    "azure_flow_log_disabled_then_storage_keys",
    "azure_flow_log_disabled_then_key_export",
];

/// The alerts of the recording and its number of events by the stages without a log.
fn expected() -> (Vec<Alert>, u64) {
    let engine = Arc::new(demo::engine().expect("the rules load"));
    let mut stages = Offline::new(
        engine,
        demo::traits(),
        Watermark::StandsStill,
        Suppression::AsWritten,
    )
    .expect("the folds take the correlations");
    let path: Arc<str> = Arc::from(RECORDING_NAME);
    let received = Timestamp::from_unix_seconds(1_772_442_000);
    let (mut alerts, mut events) = (Vec::new(), 0);
    for (offset, line) in (0..).zip(RECORDING.lines()) {
        let outcome = stages
            .record(&path, offset, Some(line.as_bytes()), received)
            .expect("the folds take every step");
        assert!(outcome.rejects.is_empty(), "{:?}", outcome.rejects);
        assert!(outcome.unknown.is_empty(), "{:?}", outcome.unknown);
        events += outcome.events.total();
        alerts.extend(outcome.alerts);
    }
    alerts.extend(stages.finish().expect("the folds take every step"));
    (alerts, events)
}

#[test]
fn the_program_alone_shows_the_attack_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).expect("a folder");
    let run = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .arg("demo")
        .current_dir(folder.path())
        .env_clear()
        .env("TMPDIR", &temporary)
        .output()
        .expect("the program starts");
    let (out, err) = (
        String::from_utf8(run.stdout).expect("text"),
        String::from_utf8(run.stderr).expect("text"),
    );
    assert!(run.status.success(), "{:?}: {err}", run.status);
    assert_eq!(err, "");
    assert!(!out.contains('\u{1b}'), "no colours without a terminal");

    let (alerts, events) = expected();
    let mut heads: BTreeMap<String, usize> = BTreeMap::new();
    for alert in &alerts {
        let level = format!("{:?}", alert.severity).to_uppercase();
        *heads
            .entry(format!(" {level}  {}", alert.title))
            .or_default() += 1;
    }
    for (head, count) in &heads {
        let shown = out.lines().filter(|line| {
            line.strip_prefix(head)
                .is_some_and(|rest| rest.starts_with("  "))
        });
        assert_eq!(shown.count(), *count, "{head}\n{out}");
    }
    let all = format!("{events} events, ");
    assert!(events >= 300 && out.contains(&all), "{events}\n{out}");
    assert!(
        out.contains(&format!(" {} alerts, ", alerts.len())),
        "{out}"
    );
    for name in STORY {
        let said = alerts.iter().filter(|alert| alert.rule.name == name);
        assert_eq!(said.count(), 1, "{name}");
    }

    let left: Vec<_> = std::fs::read_dir(&temporary).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
    let beside = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(
        beside, 1,
        "something was written beside the temporary folder"
    );
}

#[test]
fn colours_come_when_they_are_asked_for() {
    let run = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(["--color", "always", "demo"])
        .output()
        .expect("the program starts");
    let out = String::from_utf8(run.stdout).expect("text");
    assert!(run.status.success() && out.contains("\u{1b}[1m"), "{out}");
}
