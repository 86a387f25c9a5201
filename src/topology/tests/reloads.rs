//! Rules that change while records come in.

use super::*;
use palisade_detect::time::Span;

/// A whole set whose correlation counts further, and whose first rule has another title.
fn stricter() -> String {
    RULES
        .replace("gte: 3", "gte: 4")
        .replace("title: Succeeded", "title: Signed in")
}

/// Changes the rules and waits until that has come to something.
fn change(life: &Life, rules: &Rules, text: &str, result: &str) {
    let series = format!("palisade_rule_reloads_total{{result=\"{result}\"}}");
    let before = life.metric(&series);
    text.clone_into(&mut lock(&rules.text));
    life.triggers.try_send(Trigger::Files).unwrap();
    wait_for(&series, || life.metric(&series) == before + 1);
}

fn settled(life: &Life, broker: &Broker) {
    wait_for("the end of all records", || {
        let end = *life.log.watch(Stream::Matches).borrow();
        broker.committed() == broker.records()
            && life.metric("palisade_correlation_position") == end
    });
}

/// Alerts about the rules.
fn operational(alerts: &[Alert]) -> Vec<&Alert> {
    let of = |alert: &&Alert| alert.rule.kind == "operational";
    alerts.iter().filter(of).collect()
}

/// The last settings of the log.
fn settings(life: &Life) -> palisade_detect::matches::Settings {
    let rows = life
        .runtime
        .block_on(life.log.read(Stream::Matches, 1, 100_000))
        .unwrap();
    let all = rows.iter().filter_map(|row| {
        match palisade_detect::matches::decode(&row.body).unwrap().body {
            Some(palisade_detect::matches::Body::Settings(settings)) => Some(settings),
            _ => None,
        }
    });
    all.last().unwrap()
}

#[test]
fn a_window_over_a_change_of_its_correlation_still_fires_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    let rules = Rules::of(RULES);
    let life = Life::start_with(dir.path(), &broker, 0, &rules);
    broker.sign_in(0, ("amy", "fail"), 0);
    broker.sign_in(0, ("amy", "fail"), 1);
    settled(&life, &broker);
    change(&life, &rules, &stricter(), "applied");
    broker.sign_in(0, ("amy", "fail"), 2);
    broker.sign_in(0, ("bob", "success"), 3);
    settled(&life, &broker);
    let alerts = life.alerts();
    assert_eq!(
        correlated(&alerts).len(),
        1,
        "the third, by what was there first"
    );
    let succeeded = alerts.iter().find(|alert| alert.title == "Signed in");
    assert!(succeeded.is_some(), "the new title is used");
    let [said] = operational(&alerts)[..] else {
        panic!("one alert about the rules")
    };
    assert_eq!(said.title, "Rules changed: 0 added, 0 removed, 2 changed");
    life.drain().unwrap();
}

#[test]
fn an_outer_correlation_that_changes_goes_on_by_an_inner_one_that_does_not() {
    let outer = "---
title: Many, and again
id: 44444444-4444-4444-8444-444444444444
correlation:
  type: event_count
  rules: [many]
  group-by: [properties.user]
  timespan: 2h
  condition: {gte: 2}
";
    let named = RULES.replace("title: Many failed", "title: Many failed\nname: many");
    let chain = format!("{named}{outer}");
    let (dir, broker) = (tempfile::tempdir().unwrap(), Broker::with(1));
    let rules = Rules::of(&chain);
    let life = Life::start_with(dir.path(), &broker, 0, &rules);
    for number in 0..3 {
        broker.sign_in(0, ("amy", "fail"), number);
    }
    settled(&life, &broker);
    change(&life, &rules, &chain.replace("gte: 2", "gte: 3"), "applied");
    broker.sign_in(0, ("amy", "fail"), 3);
    settled(&life, &broker);
    wait_for("the old version's alert", || {
        correlated(&life.alerts()).len() == 1
    });
    broker.sign_in(0, ("amy", "fail"), 4);
    wait_for("the folds", || {
        settled(&life, &broker);
        let rows = life
            .runtime
            .block_on(life.log.bounds(Stream::Matches))
            .unwrap();
        life.metric("palisade_correlation_position") == rows.end
    });
    let alerts = life.alerts();
    let outer = alerts.iter().filter(|alert| alert.group.is_some());
    assert!(outer.clone().all(|alert| alert.title == "Many, and again"));
    assert_eq!(outer.count(), 1, "the new version saw two of three");
    life.drain().unwrap();
}

#[test]
fn both_versions_that_fire_on_one_event_raise_one_alert() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    let rules = Rules::of(RULES);
    let life = Life::start_with(dir.path(), &broker, 0, &rules);
    let longer = RULES.replace("timespan: 1h", "timespan: 2h");
    change(&life, &rules, &longer, "applied");
    for number in 0..3 {
        broker.sign_in(0, ("amy", "fail"), number);
    }
    settled(&life, &broker);
    assert_eq!(settings(&life).active.len(), 2, "both are evaluated");
    assert_eq!(correlated(&life.alerts()).len(), 1);
    life.drain().unwrap();
}

#[test]
fn what_is_killed_within_the_overlap_goes_on_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    let rules = Rules::of(RULES);
    let life = Life::start_with(dir.path(), &broker, 0, &rules);
    broker.sign_in(0, ("amy", "fail"), 0);
    broker.sign_in(0, ("amy", "fail"), 1);
    settled(&life, &broker);
    change(&life, &rules, &stricter(), "applied");
    life.kill();
    broker.sign_in(0, ("amy", "fail"), 2);
    let life = Life::start_with(dir.path(), &broker, 1, &rules);
    settled(&life, &broker);
    let alerts = life.alerts();
    assert_eq!(correlated(&alerts).len(), 1);
    assert_eq!(
        operational(&alerts).len(),
        1,
        "said once, by the first life"
    );
    life.drain().unwrap();
}

#[test]
fn rules_that_changed_while_nothing_ran_take_over_as_in_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    let life = Life::start(dir.path(), &broker, 0);
    broker.sign_in(0, ("amy", "fail"), 0);
    broker.sign_in(0, ("amy", "fail"), 1);
    settled(&life, &broker);
    life.drain().unwrap();
    broker.sign_in(0, ("amy", "fail"), 2);
    let life = Life::start_with(dir.path(), &broker, 1, &Rules::of(&stricter()));
    settled(&life, &broker);
    let alerts = life.alerts();
    assert_eq!(correlated(&alerts).len(), 1);
    let [said] = operational(&alerts)[..] else {
        panic!("one alert about the rules")
    };
    assert_eq!(said.title, "Rules changed while Palisade was not running");
    life.drain().unwrap();
}

#[test]
fn an_overlap_ends_when_no_window_from_before_is_open() {
    let short = |rules: &str| rules.replace("timespan: 1h", "timespan: 1m");
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    let rules = Rules::of(&short(RULES));
    let life = Life::start_with(dir.path(), &broker, 0, &rules);
    broker.sign_in(0, ("amy", "fail"), 0);
    settled(&life, &broker);
    change(&life, &rules, &short(&stricter()), "applied");
    wait_for("both versions in force", || {
        settings(&life)
            .retire_at
            .iter()
            .any(|at| *at > 0 && *at < i64::MAX)
    });
    // The window, the lateness, and the five minutes by which an event may be ahead; append times
    // are a second apart.
    for number in 1..600 {
        broker.sign_in(0, ("amy", "nothing"), number);
    }
    wait_for("one version in force", || settings(&life).active.len() == 1);
    life.drain().unwrap();
}

#[test]
fn a_correlation_that_is_taken_out_stops_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    let rules = Rules::of(RULES);
    let life = Life::start_with(dir.path(), &broker, 0, &rules);
    broker.sign_in(0, ("amy", "fail"), 0);
    broker.sign_in(0, ("amy", "fail"), 1);
    settled(&life, &broker);
    let two = RULES.split("---").take(2).collect::<Vec<_>>().join("---");
    change(&life, &rules, &two, "applied");
    assert!(settings(&life).active.is_empty());
    broker.sign_in(0, ("amy", "fail"), 2);
    settled(&life, &broker);
    assert_eq!(correlated(&life.alerts()), Vec::<String>::new());
    life.drain().unwrap();
}

#[test]
fn a_set_with_an_error_changes_nothing_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    let rules = Rules::of(RULES);
    let life = Life::start_with(dir.path(), &broker, 0, &rules);
    let wrong = stricter().replace("condition: selection", "condition: selectoin");
    change(&life, &rules, &wrong, "refused");
    assert_eq!(life.metric("palisade_rules_reload_failed"), 1);
    let notes = life.site.health.notes();
    assert!(notes[0].1.contains("selectoin"), "{notes:?}");
    assert!(life.site.health.waiting().is_empty(), "it goes on");
    broker.sign_in(0, ("bob", "success"), 0);
    settled(&life, &broker);
    let alerts = life.alerts();
    let [said] = operational(&alerts)[..] else {
        panic!("one alert about the rules")
    };
    assert_eq!(said.rule.name, "rule_load_failed");
    assert!(said.description.as_ref().unwrap().contains("selectoin"));
    assert!(said.links[0].href.ends_with("#rule_load_failed"));
    assert!(alerts.iter().any(|alert| alert.title == "Succeeded"));
    change(&life, &rules, &stricter(), "applied");
    assert_eq!(life.metric("palisade_rules_reload_failed"), 0);
    assert!(life.site.health.notes().is_empty());
    life.drain().unwrap();
}

#[test]
fn an_error_that_the_start_has_skipped_keeps_edits_from_loading_and_is_said_to() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    let old = "\n---\ntitle: Old error\nlogsource: {product: azure}\ndetection: {s: {a: b}, condition: gone}\n";
    let rules = Rules::of(&format!("{RULES}{old}"));
    let life = Life::start_with(dir.path(), &broker, 0, &rules);
    change(&life, &rules, &format!("{}{old}", stricter()), "refused");
    let notes = life.site.health.notes();
    let said = |text: &str| notes.iter().any(|(_, note)| note.contains(text));
    assert!(said("also what the start has skipped"), "{notes:?}");
    assert!(said("gone"), "{notes:?}");

    change(&life, &rules, &stricter(), "applied");
    assert!(life.site.health.notes().is_empty());
    life.drain().unwrap();
}

#[test]
fn rules_change_by_themselves_when_their_time_has_come() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    let rules = Rules::of(RULES);
    let life = Life::start_with(dir.path(), &broker, 0, &rules);
    let soon = life.site.clock.now().plus(Span::from_ticks(1_000));
    *lock(&rules.changes_at) = Some((soon, stricter()));
    // The end of the exception is learnt of when the rules are read.
    life.triggers.try_send(Trigger::Signal).unwrap();
    let series = "palisade_rule_reloads_total{result=\"applied\"}";
    wait_for(series, || life.metric(series) == 1);
    broker.sign_in(0, ("bob", "success"), 0);
    settled(&life, &broker);
    let alerts = life.alerts();
    assert!(alerts.iter().any(|alert| alert.title == "Signed in"));
    life.drain().unwrap();
}

#[test]
fn rules_that_say_the_same_are_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(1);
    let rules = Rules::of(RULES);
    let life = Life::start_with(dir.path(), &broker, 0, &rules);
    let before = settings(&life);
    change(&life, &rules, &format!("# a remark\n{RULES}"), "unchanged");
    let series = "palisade_rule_reloads_total{result=\"unchanged\"}";
    life.triggers.try_send(Trigger::Signal).unwrap();
    wait_for(series, || life.metric(series) == 2);
    // A file event without a change does not even count.
    life.triggers.try_send(Trigger::Files).unwrap();
    life.triggers.try_send(Trigger::Signal).unwrap();
    wait_for(series, || life.metric(series) == 3);
    assert_eq!(settings(&life), before);
    assert!(operational(&life.alerts()).is_empty());
    life.drain().unwrap();
}

#[test]
fn reloads_in_the_middle_of_records_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::with(4);
    let rules = Rules::of(RULES);
    let life = Life::start_with(dir.path(), &broker, 0, &rules);
    for round in 0..6_i64 {
        for number in 0..80 {
            let partition = usize::try_from(number % 4).unwrap();
            let user = format!("user{}", number % 5);
            let result = if number % 3 == 0 { "success" } else { "fail" };
            broker.sign_in(partition, (&user, result), round * 80 + number);
        }
        let title = format!("title: Succeeded {round}");
        let text = RULES.replace("title: Succeeded", &title);
        change(&life, &rules, &text, "applied");
    }
    settled(&life, &broker);
    let alerts = life.alerts();
    let succeeded: Vec<&str> = alerts
        .iter()
        .filter(|alert| alert.title.starts_with("Succeeded"))
        .map(|alert| &*alert.alert_id)
        .collect();
    let different: BTreeSet<&str> = succeeded.iter().copied().collect();
    let expected = 6 * (0..80).filter(|number| number % 3 == 0).count();
    assert_eq!((succeeded.len(), different.len()), (expected, expected));
    let groups = alerts.iter().filter_map(|alert| alert.group.as_ref());
    let groups: BTreeSet<_> = groups.map(|group| &group.fields).collect();
    assert_eq!(groups.len(), 5, "every user's failures were counted");
    assert_eq!(operational(&alerts).len(), 6);
    life.drain().unwrap();
}
