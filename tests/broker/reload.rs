//! Rules that change while the program runs, and while it is killed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::input::{self, PARTITIONS, RECORDS, Setup};
use super::kills::{drain, seed};
use super::state::{self, Logs, text};
use crate::support::kafka::Broker;
use crate::support::palisade::Palisade;
use crate::support::wait_for;

/// How often the rules change under load.
const CHANGES: usize = 6;

/// Failures count by user; the group fires at the third.
const COUNTING: &str = "
title: Failed
id: 11111111-1111-4111-8111-111111111111
name: failed
logsource: {product: azure}
detection:
  selection: {properties.result: fail}
  condition: selection
---
title: Many failed
id: 33333333-3333-4333-8333-333333333333
correlation:
  type: event_count
  rules: [failed]
  group-by: [properties.user]
  timespan: 1h
  condition: {gte: 3}
level: high
---
title: In
id: 22222222-2222-4222-8222-222222222222
logsource: {product: azure}
detection:
  selection: {properties.result: success}
  condition: selection
level: low
";

/// A sign-in without a time of its own: the broker's counts.
#[expect(
    clippy::unnecessary_wraps,
    reason = "a payload is optional: a tombstone has none"
)]
fn sign_in(user: &str, result: &str) -> Option<Vec<u8>> {
    let record = format!(
        r#"{{"category":"Test","operationName":"Sign-in","resourceId":"/r","properties":{{"user":"{user}","result":"{result}"}}}}"#
    );
    Some(record.into_bytes())
}

/// A copy of the project's rules that may be written to, with the lists that they name.
fn rules(root: &Path) -> PathBuf {
    let folder = root.join("rules");
    copy(&input::detections().join("azure"), &folder);
    copy(&input::detections().join("lists"), &folder.join("lists"));
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).expect("a copy");
        }
    }
}

/// Changes the rules for the `number`th time: every correlation has a longer window, every rule
/// another author.
fn change(folder: &Path, number: usize) {
    let original = input::detections().join("azure");
    let correlations = original.join("correlations");
    for entry in fs::read_dir(correlations).expect("the correlations") {
        let path = entry.expect("an entry").path();
        let rule = fs::read_to_string(&path).expect("a rule");
        let longer = |line: &str| match line.trim().strip_prefix("timespan: ") {
            Some(span) => {
                let minutes = match span.strip_suffix('m') {
                    Some(minutes) => minutes.parse::<usize>().expect("a number"),
                    None => 60,
                };
                format!("  timespan: {}m\n", minutes + number)
            }
            None => format!("{line}\n"),
        };
        let rule: String = rule.lines().map(longer).collect();
        let rule = rule.replace("author: Palisade", &format!("author: Writer {number}"));
        let target = folder
            .join("correlations")
            .join(path.file_name().expect("a name"));
        write(&target, &rule);
    }
    let path = "signin_logs/wrong_password.yml";
    let rule = fs::read_to_string(original.join(path)).expect("a rule");
    let rule = rule.replace("author: Palisade", &format!("author: Writer {number}"));
    write(&folder.join(path), &rule);
}

/// As editors do: the new file takes the old one's place at once.
fn write(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).expect("a file");
    fs::rename(beside, path).expect("a rename");
}

fn reloads(setup: &Setup, result: &str) -> Option<f64> {
    setup.metric(&format!(
        "palisade_rule_reloads_total{{result=\"{result}\"}}"
    ))
}

/// Waits for the `count`th reload with this result.
fn wait_for_reload(setup: &Setup, result: &str, count: f64) {
    wait_for("a reload", || {
        reloads(setup, result).filter(|reloads| *reloads >= count)
    });
}

fn wait_for_start(setup: &Setup) {
    wait_for("the program to be ready", || {
        setup.get("/readyz").filter(|(status, _)| *status == 200)
    });
}

/// Asserts that what was said under changing rules is what an undisturbed run says.
fn assert_same(changed: &Setup, calm: &Setup) {
    let (log, reference) = (Logs::open(changed), Logs::open(calm));
    let (alerts, expected) = (log.alerts(), reference.alerts());
    assert!(!state::fired(&expected).is_empty(), "no correlation fired");
    assert_eq!(state::single_ids(&alerts), state::single_ids(&expected));
    assert_eq!(state::fired(&alerts), state::fired(&expected));
    assert_eq!(
        state::match_set(&log.matches()),
        state::match_set(&reference.matches())
    );
    let definitions = log.definitions();
    assert_eq!(
        state::folded_ids(&alerts, &definitions),
        state::refold(&log.matches(), &definitions),
        "alerts of the log as written"
    );
    assert_one_id_each(&alerts);
    let all = state::ids(&alerts);
    assert_eq!(state::ids(&state::file_alerts(&changed.folder)), all);
    assert_eq!(alerts.len(), all.len(), "no alert was written twice");
}

/// Asserts that the same rule never speaks of the same trigger and group under two ids.
fn assert_one_id_each(alerts: &[Value]) {
    let mut ids: BTreeMap<[String; 3], &str> = BTreeMap::new();
    for alert in alerts {
        let of = [
            text(alert, "/rule/id").to_owned(),
            text(alert, "/evidence/events/0/event_id").to_owned(),
            alert
                .pointer("/group/fields")
                .map(Value::to_string)
                .unwrap_or_default(),
        ];
        let id = text(alert, "/alert_id");
        let known = ids.entry(of).or_insert(id);
        let operational = text(alert, "/rule/type") == "operational";
        assert!(operational || *known == id, "two ids of one alert: {alert}");
    }
}

#[test]
fn rules_that_change_under_load_lose_nothing_and_give_no_alert_two_ids() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(folder.path());
    broker.create_topic(RECORDS, PARTITIONS);
    let rules = rules(folder.path());
    let changed = Setup::new(folder.path(), "changed", &broker, &[&rules]);
    let original = input::detections().join("azure");
    let calm = Setup::new(folder.path(), "calm", &broker, &[&original]);

    let run = Palisade::run(&changed.folder);
    wait_for_start(&changed);
    let records = input::records();
    for (number, slice) in (1_u32..).zip(records.chunks(records.len().div_ceil(CHANGES))) {
        broker.produce(RECORDS, PARTITIONS, slice);
        change(&rules, number as usize);
        wait_for_reload(&changed, "applied", f64::from(number));
    }
    let alerts = Logs::open(&changed).alerts();
    let said = state::operational(&alerts);
    assert!(said.len() >= CHANGES, "{said:?}");
    assert_eq!(text(said[0], "/labels/rules_changed"), "6");
    let log = run.log();
    assert_eq!(run.terminate().code(), Some(0), "{log}");
    drain(&changed, &broker);
    drain(&calm, &broker);
    assert_same(&changed, &calm);
}

#[test]
fn kills_around_a_change_of_rules_lose_nothing_and_invent_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(folder.path());
    broker.create_topic(RECORDS, PARTITIONS);
    let rules = rules(folder.path());
    let killed = Setup::new(folder.path(), "killed", &broker, &[&rules]);
    let original = input::detections().join("azure");
    let calm = Setup::new(folder.path(), "calm", &broker, &[&original]);

    let records = input::records();
    let mut random = seed() | 1;
    println!("seed of the kills: {random}");
    for (number, slice) in (1..).zip(records.chunks(records.len().div_ceil(CHANGES))) {
        broker.produce(RECORDS, PARTITIONS, slice);
        let run = Palisade::run(&killed.folder);
        wait_for_start(&killed);
        change(&rules, number);
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // The quiet time before a reload is 300 ms, so this is before, within and behind it.
        std::thread::sleep(Duration::from_millis((random >> 33) % 900));
        run.kill();
    }
    drain(&killed, &broker);
    drain(&calm, &broker);
    assert_same(&killed, &calm);
}

#[test]
fn a_window_over_a_change_of_its_correlation_fires_once_also_over_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(folder.path());
    broker.create_topic(RECORDS, PARTITIONS);
    let rules = folder.path().join("rules.yml");
    write(&rules, COUNTING);
    let setup = Setup::new(folder.path(), "window", &broker, &[&rules]);
    let run = Palisade::run(&setup.folder);
    wait_for_start(&setup);
    broker.produce(
        RECORDS,
        1,
        &[sign_in("amy", "fail"), sign_in("amy", "fail")],
    );
    broker.produce(
        RECORDS,
        1,
        &[sign_in("bob", "fail"), sign_in("bob", "fail")],
    );
    wait_for("the first matches", || {
        setup
            .metric("palisade_matches_total")
            .filter(|matches| *matches >= 4.0)
    });
    write(&rules, &COUNTING.replace("gte: 3", "gte: 4"));
    wait_for_reload(&setup, "applied", 1.0);
    broker.produce(RECORDS, 1, &[sign_in("amy", "fail")]);
    let fired = |count: usize| {
        wait_for("the alert", || {
            let alerts = Logs::open(&setup).alerts();
            (state::correlation_ids(&alerts).len() >= count).then_some(())
        });
    };
    fired(1);
    run.kill();
    broker.produce(RECORDS, 1, &[sign_in("bob", "fail")]);
    let run = Palisade::run(&setup.folder);
    fired(2);
    drop(run);
    drain(&setup, &broker);
    let alerts = Logs::open(&setup).alerts();
    assert_eq!(state::correlation_ids(&alerts).len(), 2, "{alerts:?}");
    assert_eq!(alerts.len(), 2 + state::operational(&alerts).len());
}

#[test]
fn a_set_with_an_error_keeps_the_one_in_force_and_a_signal_reads_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(folder.path());
    broker.create_topic(RECORDS, PARTITIONS);
    let rules = folder.path().join("rules.yml");
    write(&rules, COUNTING);
    let setup = Setup::new(folder.path(), "broken", &broker, &[&rules]);
    setup.configure("reload: {events: false, poll: off}\n");
    let run = Palisade::run(&setup.folder);
    wait_for_start(&setup);
    write(
        &rules,
        &COUNTING.replace("condition: selection", "condition: selectoin"),
    );
    run.hang_up();
    wait_for_reload(&setup, "refused", 1.0);
    assert_eq!(setup.metric("palisade_rules_reload_failed"), Some(1.0));
    let (status, body) = setup.get("/readyz").expect("an answer");
    assert_eq!(status, 200, "{body}");
    assert!(
        body.contains("selectoin") && body.contains("rules.yml"),
        "{body}"
    );
    assert!(run.log().contains("selectoin"), "{}", run.log());
    broker.produce(RECORDS, PARTITIONS, &[sign_in("amy", "success")]);
    let titles = |count: usize| {
        wait_for("the alert", || {
            let alerts = Logs::open(&setup).alerts();
            let single = alerts
                .iter()
                .filter(|alert| text(alert, "/rule/type") == "single");
            let titles: Vec<String> = single
                .map(|alert| text(alert, "/title").to_owned())
                .collect();
            (titles.len() == count).then_some(titles)
        })
    };
    assert_eq!(titles(1), ["In"]);
    write(&rules, &COUNTING.replace("title: In", "title: Signed in"));
    run.hang_up();
    wait_for_reload(&setup, "applied", 1.0);
    assert_eq!(setup.metric("palisade_rules_reload_failed"), Some(0.0));
    assert_eq!(setup.get("/readyz"), Some((200, "ready\n".to_owned())));
    broker.produce(RECORDS, PARTITIONS, &[sign_in("amy", "success")]);
    assert_eq!(titles(2), ["In", "Signed in"]);
    run.kill();
}

/// As Kubernetes changes a mounted `ConfigMap`: a link to a folder is replaced by one to another.
#[test]
fn a_mounted_folder_that_changes_by_a_link_is_found_by_polling() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(folder.path());
    broker.create_topic(RECORDS, PARTITIONS);
    let mounted = folder.path().join("mounted");
    let at = |name: &str| mounted.join(name);
    let changed = COUNTING.replace("title: In", "title: Signed in");
    for (name, rules) in [("..1", COUNTING), ("..2", &changed)] {
        fs::create_dir_all(at(name)).expect("a folder");
        fs::write(at(name).join("rules.yml"), rules).expect("a file");
    }
    symlink("..1", at("..data")).expect("a link");
    symlink("..data/rules.yml", at("rules.yml")).expect("a link");
    let setup = Setup::new(folder.path(), "mounted-run", &broker, &[&mounted]);
    setup.configure("reload: {events: false, poll: 200ms}\n");
    let run = Palisade::run(&setup.folder);
    wait_for_start(&setup);
    symlink("..2", at("..data_tmp")).expect("a link");
    fs::rename(at("..data_tmp"), at("..data")).expect("a rename");
    wait_for_reload(&setup, "applied", 1.0);
    broker.produce(RECORDS, PARTITIONS, &[sign_in("amy", "success")]);
    wait_for("the alert under the new title", || {
        let alerts = Logs::open(&setup).alerts();
        let found = alerts
            .iter()
            .any(|alert| text(alert, "/title") == "Signed in");
        found.then_some(())
    });
    run.kill();
}
