//! Files on disk that are edited while records come in.

use std::fs;
use std::path::Path;

use palisade_detect::time::Span;
use tempfile::TempDir;

use super::*;
use crate::config::load as config;
use crate::watch::RuleFiles;

const RULE: &str = "
title: Somebody of the list
id: 11111111-1111-4111-8111-111111111111
logsource: {product: azure}
detection:
  selection: {properties.user|in_list: users}
  condition: selection
level: high
";

/// A rule of addresses, so that entries can be wrong.
const ADDRESSES: &str = "
title: An address of the list
id: 22222222-2222-4222-8222-222222222222
logsource: {product: azure}
detection:
  selection: {properties.address|in_list: networks}
  condition: selection
";

const NETWORKS: &str = "{kind: cidr, entries: [10.0.0.0/8]}";

const WRONG_NETWORKS: &str = "{kind: cidr, entries: [10.0.0.0/33]}";

/// A folder of rules with its lists, and a process that judges by it.
struct Edited {
    dir: TempDir,
    broker: Arc<Broker>,
    life: Life,
}

impl Edited {
    fn start(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("rules/lists")).unwrap();
        for (name, text) in files {
            fs::write(dir.path().join("rules").join(name), text).unwrap();
        }
        let broker = Broker::with(1);
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        let life = Life::start_on(&state, &broker, 0, rule_files(dir.path()));
        Self { dir, broker, life }
    }

    /// Changes a file as a whole and waits until that has come to something.
    fn edit(&self, name: &str, text: &str, result: &str) {
        let before = self.reloads(result);
        let next = self.dir.path().join("next");
        fs::write(&next, text).unwrap();
        fs::rename(&next, self.dir.path().join("rules").join(name)).unwrap();
        self.life.triggers.try_send(Trigger::Files).unwrap();
        wait_for(result, || self.reloads(result) == before + 1);
    }

    fn reloads(&self, result: &str) -> u64 {
        let series = format!("palisade_rule_reloads_total{{result=\"{result}\"}}");
        self.life.metric(&series)
    }

    /// The `number`th event is a sign-in of a user, and is judged.
    fn judge(&self, user: &str, number: i64) {
        self.broker.sign_in(0, (user, "success"), number);
        wait_for("the end of all records", || {
            self.broker.committed() == self.broker.records()
        });
    }

    /// The numbers of the events that raised alerts.
    fn raised(&self) -> Vec<i64> {
        let alerts = self.life.alerts();
        let of_events = alerts.iter().filter(|one| one.rule.kind != "operational");
        let time = |alert: &Alert| {
            let text = alert.first_event_at.as_deref().unwrap();
            let time = Timestamp::parse_rfc3339(text).unwrap();
            let since = time.since(Timestamp::from_unix_seconds(1_790_000_000));
            since.ticks() / Span::from_seconds(1).ticks()
        };
        of_events.map(time).collect()
    }

    /// What was said of changed rules.
    fn said(&self) -> Vec<(String, String)> {
        let alerts = self.life.alerts().into_iter();
        let changed = alerts.filter(|alert| alert.rule.name == "rules_changed");
        changed
            .map(|alert| (alert.title, alert.description.unwrap().to_string()))
            .collect()
    }
}

fn rule_files(dir: &Path) -> Arc<dyn Files> {
    let text = "rules: [rules]\nsources: [{name: f, type: file, path: x}]\n";
    let parsed = config::parse("palisade.yaml", text.as_bytes(), dir, &|_| None);
    Arc::new(RuleFiles::of(&parsed.unwrap().config))
}

#[test]
fn an_edit_of_a_list_judges_what_comes_after_it_and_nothing_before() {
    let edited = Edited::start(&[("r.yml", RULE), ("lists/users.txt", "ada\n")]);
    edited.judge("ada", 0);
    edited.judge("bob", 1);
    edited.edit("lists/users.txt", "bob\n", "applied");
    edited.judge("ada", 2);
    edited.judge("bob", 3);
    assert_eq!(edited.raised(), [0, 3]);
    let title = "Rules changed: 0 added, 0 removed, 1 changed".to_owned();
    let text = "changed: 11111111-1111-4111-8111-111111111111 Somebody of the list";
    assert_eq!(edited.said(), [(title, text.to_owned())]);
    edited.edit("r.yml", &format!("# a remark{RULE}"), "unchanged");
    edited.life.drain().unwrap();
}

#[test]
fn an_edit_that_breaks_a_list_is_refused_and_the_former_entries_go_on() {
    let edited = Edited::start(&[
        ("r.yml", RULE),
        ("a.yml", ADDRESSES),
        ("lists/users.txt", "ada\n"),
        ("lists/networks.yml", NETWORKS),
    ]);
    let too_many = "x\n".repeat(palisade_detect::list::LIST_ENTRIES_MAX + 1);
    let wrong = [
        ("lists/networks.yml", WRONG_NETWORKS, NETWORKS),
        ("lists/users.txt", &too_many, "ada\n"),
    ];
    for (number, (name, broken, whole)) in (0..).zip(wrong) {
        edited.edit(name, broken, "refused");
        let notes = edited.life.site.health.notes();
        assert!(notes[0].1.contains(name), "{notes:?}");
        edited.judge("ada", number);
        edited.edit(name, whole, "unchanged");
        assert!(edited.life.site.health.notes().is_empty());
    }
    let lists = edited.dir.path().join("rules/lists");
    fs::rename(lists.join("users.txt"), lists.join("others.txt")).unwrap();
    edited.edit(
        "lists/networks.yml",
        &format!("{NETWORKS}\n# a remark"),
        "refused",
    );
    edited.judge("ada", 2);
    assert_eq!(edited.raised(), [0, 1, 2]);
    assert!(edited.said().is_empty());
    edited.life.drain().unwrap();
}

#[test]
fn an_exception_ends_in_time_although_the_files_are_refused() {
    let ends = Site::default().clock.now().plus(Span::from_seconds(4));
    let exception = format!(
        "title: Ada is away\nid: 33333333-3333-4333-8333-333333333333\n\
         logsource: {{product: azure}}\n\
         filter: {{rules: [11111111-1111-4111-8111-111111111111], \
         selection: {{properties.user: ada}}, condition: not selection}}\n\
         palisade: {{owner: soc, reason: leave, expires: '{ends}'}}\n"
    );
    let edited = Edited::start(&[
        ("r.yml", RULE),
        ("x.yml", &exception),
        ("lists/users.txt", "ada\n"),
    ]);
    let broken = "title: Broken\nlogsource: {product: azure}\ndetection: {s: {a: b}}\n";
    edited.edit("broken.yml", broken, "refused");
    wait_for("the end of the exception", || !edited.said().is_empty());
    assert!(Site::default().clock.now() >= ends);
    assert!(edited.said()[0].1.contains("Somebody of the list"));
    edited.judge("ada", 0);
    assert_eq!(edited.raised(), [0]);
    assert_eq!(
        edited.life.metric("palisade_rules_reload_failed"),
        1,
        "what the files say is refused still"
    );
    fs::remove_file(edited.dir.path().join("rules/broken.yml")).unwrap();
    edited.edit("r.yml", RULE, "unchanged");
    edited.judge("ada", 1);
    assert_eq!(edited.raised(), [0, 1]);
    edited.life.drain().unwrap();
}
