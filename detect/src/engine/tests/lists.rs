//! Values looked up in lists.

use proptest::prelude::*;

use super::*;
use crate::list::{Format, List, ListFile, Lists};

/// Lists by name, one entry a line.
fn lists(texts: &[(&str, &str)]) -> Arc<Lists> {
    let mut lists = Lists::default();
    for (name, text) in texts {
        let file = ListFile {
            name: Arc::from(*name),
            format: Format::Txt,
            bytes: text.as_bytes().to_vec(),
        };
        lists.insert(name, List::read(file, None).ok());
    }
    Arc::new(lists)
}

fn engine_over(rules: &str, texts: &[(&str, &str)]) -> (Engine, Vec<Diagnostic>) {
    let (mut set, mut problems) = parse(&[file("r.yml", rules)]);
    set.lists = lists(texts);
    problems.extend(pipeline::apply(&[], &mut set));
    let (engine, found) = Engine::compile(set, EngineOptions::default());
    problems.extend(found);
    (engine, problems)
}

/// A rule with this search.
fn searching(search: &str) -> String {
    RULE.replace("{Op: fail}", search)
}

fn fires(engine: &Engine, event: &str) -> bool {
    let verdict = judged(engine, event.as_bytes(), None).expect("judged");
    !verdict.matched.is_empty()
}

#[test]
fn values_of_a_field_are_looked_up_in_any_of_its_lists() {
    let texts = [
        ("users", "kim\n*.Evil.example"),
        ("nets", "10.0.0.0/8\n7\ntrue"),
    ];
    let rule = searching("{'p.v|in_list': [users, nets]}");
    let (engine, problems) = engine_over(&rule, &texts);
    assert_eq!(problems, []);
    for event in [
        r#"{"p":{"v":"KIM"}}"#,
        r#"{"p":[{"v":1},{"v":["x","a.evil.example"]}]}"#,
        r#"{"p.v":"10.9.9.9"}"#,
        r#"{"p":{"v":7}}"#,
        r#"{"p":{"v":true}}"#,
    ] {
        assert!(fires(&engine, event), "{event}");
    }
    for event in [
        r#"{"p":{"v":"lee"}}"#,
        r#"{"p":{"v":null}}"#,
        r#"{"v":"kim"}"#,
        "{}",
    ] {
        assert!(!fires(&engine, event), "{event}");
    }
    let (engine, _) = engine_over(&searching("{'v|in_list|cased': users}"), &texts);
    assert!(fires(&engine, r#"{"v":"kim"}"#) && !fires(&engine, r#"{"v":"Kim"}"#));
}

#[test]
fn a_rule_that_names_no_list_is_refused_and_the_others_load() {
    let texts = [("tor_exits", "10.0.0.1"), ("broken", "*")];
    let good = RULE
        .replace("11111111", "22222222")
        .replace("failed", "good");
    for (search, kind, help) in [
        (
            "{'v|in_list': tor_exit}",
            "unknown-list",
            "did you mean `tor_exits`?",
        ),
        ("{'v|in_list': zzz}", "unknown-list", "lists stand as"),
        ("{'v|in_list': [tor_exits, broken]}", "unknown-list", ""),
        (
            "{'v|in_list': ../tor_exits}",
            "invalid-modifier-value",
            "a list is named by",
        ),
        (
            "{'v|in_list': 5}",
            "invalid-modifier-value",
            "a list is named by",
        ),
        (
            "{'v|in_list|neq': tor_exits}",
            "invalid-modifier-combination",
            "`in_list` goes with",
        ),
        (
            "{'v|in_list|contains': tor_exits}",
            "invalid-modifier-combination",
            "`in_list` goes with",
        ),
        (
            "{'|in_list': tor_exits}",
            "invalid-modifier-combination",
            "",
        ),
    ] {
        let rules = format!("{}---{good}", searching(search));
        let (engine, problems) = engine_over(&rules, &texts);
        let found: Vec<&str> = problems.iter().map(|problem| problem.kind).collect();
        assert_eq!(found, [kind], "{search}");
        let given = problems[0].help.as_deref().unwrap_or_default();
        assert!(given.contains(help), "{search}: {given}");
        assert_eq!(engine.rules().len(), 1, "{search}");
        assert!(problems[0].rule.is_some(), "{search}");
    }
    let rule = searching("{'v|in_list': [tor_exits, zzz]}");
    let (_, problems) = engine_over(&rule, &texts);
    let span = problems[0].place.span.clone();
    assert_eq!(rule.get(span), Some("zzz"));
}

#[test]
fn a_filter_that_names_no_list_is_left_out_and_its_rules_stay() {
    let filter = |list: &str| {
        format!(
            "{RULE}---\ntitle: f\nid: f\nlogsource: {{product: p}}\nfilter:\n  rules: any\n  \
             s: {{'User|in_list': {list}}}\n  condition: not s\n"
        )
    };
    let texts = [("known", "kim")];
    let event = r#"{"Op":"fail","User":"kim"}"#;
    let (engine, problems) = engine_over(&filter("known"), &texts);
    assert_eq!((problems.len(), fires(&engine, event)), (0, false));
    let (engine, problems) = engine_over(&filter("other"), &texts);
    assert_eq!((problems.len(), fires(&engine, event)), (1, true));
}

#[test]
fn what_stands_on_a_list_is_no_part_of_a_version() {
    let version = |search: &str, text: &str| {
        let (engine, problems) = engine_over(&searching(search), &[("a", text), ("b", text)]);
        assert_eq!(problems, []);
        engine.rules()[0].version
    };
    let one = version("{'v|in_list': a}", "x");
    assert_eq!(one, version("{'v|in_list': a}", "y"));
    assert_ne!(one, version("{'v|in_list': b}", "x"));
    assert_ne!(one, version("{v: a}", "x"));
}

#[test]
fn an_earlier_rule_that_is_judged_by_still_looks_in_todays_list() {
    let count = "---\ntitle: Count\nid: c\ncorrelation: {type: event_count, rules: [failed], \
                 timespan: 1m, condition: {gte: 2}}\n";
    let rules = |search: &str| format!("{}{count}", searching(search));
    let (before, _) = engine_over(&rules("{'v|in_list': a}"), &[("a", "x")]);
    let version = before.correlations()[0].version;
    let body = before.body(version).expect("a body").to_vec();
    let (after, _) = engine_over(&rules("{'v|in_list': a, w: 1}"), &[("a", "y")]);
    let wanted = [version].into_iter().collect();
    let engine = after.beside(&[&body], &wanted);
    let verdict = judged(&engine, br#"{"v":"y"}"#, None).expect("judged");
    let versions: Vec<&[u8]> = verdict
        .matches
        .iter()
        .map(|found| found.rule_version.as_slice())
        .collect();
    assert_eq!(versions, [version.as_bytes().as_slice()]);
}

proptest! {
    /// A list of whole values means what its entries mean as plain values.
    #[test]
    fn a_list_means_what_its_entries_mean_in_the_rule(
        entries in prop::collection::vec("[aAk\u{212a}ßé]{1,2}", 1..8),
        value in "[aAk\u{212a}ßé]{1,2}",
        cased in any::<bool>(),
    ) {
        let modifier = if cased { "|cased" } else { "" };
        let plain = searching(&format!("{{'v{modifier}': {}}}", serde_json::json!(entries)));
        let listed = searching(&format!("{{'v|in_list{modifier}': l}}"));
        let text = entries.join("\n");
        let event = serde_json::json!({"v": [null, value]}).to_string();
        let verdicts = [plain, listed].map(|rules| {
            let (engine, problems) = engine_over(&rules, &[("l", &text)]);
            assert_eq!(problems, []);
            fires(&engine, &event)
        });
        prop_assert_eq!(verdicts[0], verdicts[1]);
    }
}
