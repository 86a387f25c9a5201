use std::fs;
use std::path::Path;

use palisade_detect::diagnostic::Color;
use palisade_detect::engine::EngineOptions;
use palisade_detect::rule::Level;
use palisade_detect::time::{Span, Timestamp};

use crate::config::{OnRuleError, load as config};
use crate::rules::{Loaded, load};

/// A rule that needs nothing.
fn rule(id: &str, keys: &str) -> String {
    format!(
        "title: t\nid: {id}\n{keys}logsource: {{product: p}}\n\
         detection: {{s: {{A: 1}}, condition: s}}\n"
    )
}

fn correlation(id: &str, rules: &str, keys: &str) -> String {
    format!(
        "title: t\nid: {id}\n{keys}correlation: {{type: event_count, rules: [{rules}], \
         timespan: 5m, condition: {{gte: 2}}}}\n"
    )
}

fn filter(id: &str, expires: &str) -> String {
    format!(
        "title: f\nid: {id}\nlogsource: {{product: p}}\n\
         filter: {{rules: any, s: {{B: 1}}, condition: not s}}\n\
         palisade: {{owner: soc, reason: noise, expires: {expires}}}\n"
    )
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("a time")
}

/// What a configuration loads of these files, by its part `rules:` and below.
fn loaded(files: &[(&str, String)], rules: &str) -> Loaded {
    loaded_at(files, rules, at("2026-03-01T00:00:00Z"))
}

fn loaded_at(files: &[(&str, String)], rules: &str, now: Timestamp) -> Loaded {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join("r").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, text).expect("a file");
    }
    let text = format!("{rules}\nsources: [{{name: f, type: file, path: x}}]\n");
    let config = config::parse("palisade.yaml", text.as_bytes(), dir.path(), &|_| None)
        .unwrap_or_else(|findings| panic!("{}", findings.render(Color::Never)));
    let config = config.config;
    load(
        &config.rules,
        &config.pipelines,
        EngineOptions::default(),
        now,
    )
}

/// All rules with their states, in the order of the list.
fn states(loaded: &Loaded) -> Vec<String> {
    let rules = loaded.rules.iter();
    rules
        .map(|rule| {
            format!(
                "{} {}",
                rule.id.as_deref().unwrap_or(&rule.file),
                rule.state
            )
        })
        .collect()
}

/// The rules of the engine that alert on their own.
fn alerting(loaded: &Loaded) -> Vec<&str> {
    let engine = loaded.engine.as_ref().expect("an engine");
    let rules = engine.rules().iter().filter(|rule| rule.alerts);
    let correlations = engine.correlations().iter().filter(|rule| rule.alerts);
    rules
        .map(|rule| &*rule.id)
        .chain(correlations.map(|rule| rule.id.as_str()))
        .collect()
}

fn shown(loaded: &Loaded) -> String {
    loaded.findings.render(Color::Never)
}

#[test]
fn files_are_chosen_by_patterns_and_exclude_wins() {
    let files = [
        ("azure/a.yml", rule("a", "")),
        ("azure/old/b.yml", rule("b", "")),
        ("aws/c.yml", rule("c", "")),
    ];
    for (choice, wanted) in [
        ("r", vec!["c", "a", "b"]),
        ("{path: r, include: azure}", vec!["a", "b"]),
        (
            "{path: r, include: ['azure/**'], exclude: ['**/old/*']}",
            vec!["a"],
        ),
        ("{path: r, exclude: [aws/c.yml, old]}", vec!["a", "b"]),
        ("{path: r/aws/c.yml, include: c.yml}", vec!["c"]),
    ] {
        let loaded = loaded(&files, &format!("rules: [{choice}]"));
        let ids: Vec<_> = loaded
            .rules
            .iter()
            .filter_map(|one| one.id.as_deref())
            .collect();
        assert_eq!(ids, wanted, "{choice}");
        assert_eq!(loaded.files, wanted.len(), "{choice}");
    }
}

#[test]
fn file_of_several_paths_is_loaded_as_the_first_one_that_wants_it_says() {
    let files = [
        ("a.yml", rule("a", "level: low\n")),
        ("b.yml", rule("b", "")),
    ];
    let choice = "rules: [{path: r, exclude: a.yml}, {path: r, min_level: high}]";
    assert_eq!(
        states(&loaded(&files, choice)),
        ["b loaded", "a below high"]
    );
}

#[test]
fn level_and_status_choose_and_a_rule_without_them_counts_as_medium_and_of_any_status() {
    let files = [
        ("a.yml", rule("high", "level: high\nstatus: test\n")),
        ("b.yml", rule("low", "level: low\nstatus: test\n")),
        ("c.yml", rule("none", "")),
        ("d.yml", rule("old", "level: high\nstatus: deprecated\n")),
        ("e.yml", rule("raised", "level: low\n")),
        ("f.yml", rule("lowered", "level: high\n")),
    ];
    let choice = "rules: {paths: {path: r, min_level: medium, status: [stable, test]}, overrides: \
                  {raised: {level: critical}, LOWERED: {level: low}}}";
    let loaded = loaded(&files, choice);
    assert_eq!(
        states(&loaded),
        [
            "high loaded",
            "low below medium",
            "none loaded",
            "old status deprecated",
            "raised loaded",
            "lowered below medium"
        ]
    );
    assert_eq!(alerting(&loaded), ["high", "none", "raised"]);
    assert_eq!(loaded.rules[4].level, Some(Level::Critical));
    assert_eq!(loaded.findings.diagnostics, []);
}

#[test]
fn rule_that_a_wanted_correlation_needs_is_loaded_and_never_alerts_on_its_own() {
    let files = [
        ("base/a.yml", rule("a", "level: low\n")),
        ("base/b.yml", rule("b", "")),
        (
            "c.yml",
            correlation("inner", "a", "level: low\ngenerate: true\n"),
        ),
        (
            "d.yml",
            correlation("outer", "inner, b", "level: high\ngenerate: true\n"),
        ),
    ];
    let loaded = loaded(&files, "rules: {path: r, exclude: base, min_level: medium}");
    assert_eq!(loaded.findings.diagnostics, [], "{}", shown(&loaded));
    assert_eq!(
        states(&loaded),
        [
            "a for correlations",
            "b for correlations",
            "inner for correlations",
            "outer loaded"
        ]
    );
    assert_eq!(alerting(&loaded), ["outer"]);
}

#[test]
fn part_of_a_correlation_that_is_left_out_does_not_begin_to_alert() {
    let files = [
        ("a.yml", rule("a", "level: high\n")),
        ("b.yml", rule("b", "level: high\n")),
        ("c.yml", correlation("silent", "a", "level: low\n")),
        (
            "d.yml",
            correlation("loud", "b", "level: high\ngenerate: true\n"),
        ),
    ];
    let choice =
        "rules: {paths: [{path: r, min_level: high}], overrides: {loud: {disabled: true}}}";
    let loaded = loaded(&files, choice);
    assert_eq!(
        states(&loaded),
        [
            "a its correlations are left out",
            "b loaded",
            "silent below high",
            "loud disabled"
        ]
    );
    assert_eq!(alerting(&loaded), ["b"]);
}

#[test]
fn correlation_over_a_disabled_rule_is_refused_and_says_what_to_do() {
    let files = [
        ("a.yml", rule("a", "")),
        ("b.yml", correlation("b", "a", "")),
        ("c.yml", correlation("c", "b", "")),
    ];
    let loaded = loaded(
        &files,
        "rules: {paths: r, overrides: {a: {disabled: true}}}",
    );
    assert_eq!(
        states(&loaded),
        ["a disabled", "b skipped: PAL0503", "c skipped: PAL0503"]
    );
    let shown = shown(&loaded);
    assert!(
        shown.contains("`a` is disabled by the configuration"),
        "{shown}"
    );
    assert!(shown.contains("disable `b` as well"), "{shown}");
}

#[test]
fn override_silences_a_rule_that_does_not_load() {
    let files = [
        ("a.yml", rule("a", "level: hgih\n")),
        ("b.yml", rule("b", "")),
    ];
    let quiet = loaded(
        &files,
        "rules: {paths: r, overrides: {a: {disabled: true}}}",
    );
    assert_eq!((quiet.findings.diagnostics.len(), quiet.skipped), (0, 0));
    let loud = loaded(&files, "rules: r");
    assert_eq!(states(&loud), ["b loaded", "a skipped: PAL0204"]);
}

#[test]
fn second_rule_of_an_id_is_skipped_and_the_first_stays_in_force() {
    let twice = rule("a", "") + "---\n" + &rule("a", "");
    let files = [("a.yml", twice), ("b.yml", rule("a", ""))];
    assert_eq!(
        states(&loaded(&files, "rules: r")),
        ["a loaded", "a skipped: PAL0205", "a skipped: PAL0205"]
    );
}

#[test]
fn without_its_pipelines_no_rule_is_in_force() {
    let files = [
        ("a.yml", rule("a", "")),
        ("p/pipelines/p.yml", "transformations: 7\n".to_owned()),
    ];
    for pipeline in ["r/p/pipelines/p.yml", "nowhere.yml"] {
        let loaded = loaded(&files, &format!("rules: r\npipelines: [{pipeline}]"));
        assert!(loaded.engine.is_none());
        assert!(
            states(&loaded)[0].starts_with("a skipped: "),
            "{:?}",
            states(&loaded)
        );
    }
}

#[test]
fn override_of_suppression_holds() {
    let files = [
        ("a.yml", rule("a", "")),
        ("b.yml", correlation("b", "a", "")),
    ];
    let loaded = loaded(
        &files,
        "rules: {paths: r, overrides: {b: {suppress: none}, a: {suppress: {for: 2h}}}}",
    );
    let engine = loaded.engine.expect("an engine");
    assert_eq!(engine.correlations()[0].suppress, None);
    let files = [(
        "a.yml",
        rule("a", "palisade: {suppress: {for: 1m, by: [A]}}\n"),
    )];
    let with = |suppress: &str| {
        let choice = format!("rules: {{paths: r, overrides: {{a: {{suppress: {suppress}}}}}}}");
        let loaded = self::loaded(&files, &choice);
        let engine = loaded.engine.expect("an engine");
        let correlations = engine.correlations().iter();
        let held = correlations.map(|rule| (rule.suppress, rule.group_by.clone()));
        held.collect::<Vec<_>>()
    };
    let two_hours = Some(Span::from_seconds(7_200));
    assert_eq!(with("{for: 2h}"), [(two_hours, vec!["A".to_owned()])]);
    assert_eq!(
        with("{for: 2h, by: [B, C]}"),
        [(two_hours, vec!["B".to_owned(), "C".to_owned()])]
    );
    assert_eq!(with("none"), []);
}

#[test]
fn what_the_choice_names_in_vain_is_a_warning_with_its_place() {
    let files = [
        ("azure/a.yml", rule("azure_admin", "")),
        ("azure/f.yml", filter("quiet", "2030-01-01")),
        ("azure/g.yml", correlation("twice", "azure_admin", "")),
    ];
    let loaded = loaded(
        &files,
        "rules:
  paths:
    - path: r
      exclude: [azur/**, nothing]
  overrides:
    azure_admn: {disabled: true}
    quiet: {level: high}
    twice: {suppress: {for: 1h, by: A}}
",
    );
    let shown = shown(&loaded);
    for part in [
        "palisade.yaml:4:17",
        "`azur/**` matches no rule file",
        "did you mean `azure`?",
        "such as `azure/a.yml`",
        "palisade.yaml:6:5",
        "no rule has the id or name `azure_admn`",
        "did you mean `azure_admin`?",
        "palisade.yaml:7:5",
        "a filter does not alert",
        "palisade.yaml:8:5",
        "`suppress.by` has no effect",
        "azure_admn: {disabled: true}",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert_eq!(loaded.findings.errors(), 0);
}

#[test]
fn excluded_copy_of_a_rule_does_not_take_its_id() {
    let files = [("a.yml", rule("a", "")), ("b.yml", rule("a", ""))];
    let loaded = loaded(&files, "rules: {path: r, exclude: a.yml}");
    assert_eq!(
        (states(&loaded), loaded.skipped),
        (vec!["a loaded".to_owned()], 0)
    );
}

#[test]
fn exception_ends_at_its_moment_and_is_said_seven_days_before() {
    let files = [
        ("a.yml", rule("a", "")),
        ("f.yml", filter("f", "2026-03-20")),
    ];
    let seen = |now: &str| {
        let loaded = loaded_at(&files, "rules: r", at(now));
        let codes: Vec<_> = loaded
            .findings
            .diagnostics
            .iter()
            .map(|one| one.code)
            .collect();
        (states(&loaded)[1].clone(), codes, loaded.changes_at)
    };
    let (soon, end) = (at("2026-03-13T00:00:00Z"), at("2026-03-20T00:00:00Z"));
    let active = || "f loaded".to_owned();
    assert_eq!(seen("2026-03-12T23:59:59Z"), (active(), vec![], Some(soon)));
    assert_eq!(
        seen("2026-03-13T00:00:00Z"),
        (active(), vec!["PAL0652"], Some(end))
    );
    assert_eq!(
        seen("2026-03-19T23:59:59Z"),
        (active(), vec!["PAL0652"], Some(end))
    );
    assert_eq!(
        seen("2026-03-20T00:00:00Z"),
        ("f expired".to_owned(), vec!["PAL0653"], None)
    );
}

#[test]
fn version_of_a_rule_is_with_its_exception_and_without_it_another() {
    let files = [
        ("a.yml", rule("a", "")),
        ("f.yml", filter("f", "2026-03-20")),
    ];
    let version = |now: &str| loaded_at(&files, "rules: r", at(now)).rules[0].version;
    let with = version("2026-03-19T00:00:00Z");
    assert!(with.is_some());
    assert_ne!(with, version("2026-03-20T00:00:00Z"));
    let kept = loaded_at(
        &files,
        "rules: {paths: r, overrides: {a: {level: low}}}",
        at("2026-03-19T00:00:00Z"),
    );
    assert_eq!(kept.rules[0].version, with, "a level is no meaning");
}

#[test]
fn an_exclude_that_leaves_nothing_is_a_warning() {
    let files = [("a.yml", rule("a", "")), ("b/c.yml", rule("c", ""))];
    for (path, told) in [
        ("{path: r, exclude: ['**']}", true),
        ("{path: r, include: [b], exclude: ['b/*']}", true),
        ("{path: r, exclude: [b]}", false),
        ("{path: r, include: ['**'], exclude: [a.yml]}", false),
    ] {
        let loaded = loaded(&files, &format!("rules: [{path}]"));
        let said = shown(&loaded);
        assert_eq!(said.contains("leaves no rule file"), told, "{path}: {said}");
    }
}

#[test]
fn a_rule_that_does_not_load_is_not_said_to_be_missing() {
    let broken = "title: t\nid: broken\nname: by_name\nlogsource: {product: p}\n\
                  detection: {s: {A|x: 1}, condition: s}\n";
    let files = [
        ("a.yml", rule("a", "")),
        ("b.yml", broken.to_owned()),
        ("c.yml", "title: [\nid: torn\n".to_owned()),
    ];
    for (name, told) in [("by_name", false), ("torn", false), ("nobody", true)] {
        let rules = format!("rules: {{paths: r, overrides: {{{name}: {{level: low}}}}}}");
        let said = shown(&loaded(&files, &rules));
        assert_eq!(said.contains("no rule has the id"), told, "{name}: {said}");
    }
}

#[test]
fn what_is_wrong_with_the_choice_itself_is_shown_all_at_once() {
    let text = "rules:
  paths:
    - {path: r, include: /etc, min_level: hihg, status: [stabel], exlude: x}
    - 7
  overrides:
    a: {disabled: maybe, suppress: {fro: 1h}}
    b: {suppress: never, level: 3}
    A: {level: low}
    9: {}
on_rule_error: ignore
sources: [{name: f, type: file, path: x}]
";
    let findings = config::parse("palisade.yaml", text.as_bytes(), Path::new(""), &|_| None)
        .expect_err("it is wrong");
    insta::assert_snapshot!(findings.render(Color::Never));
}

#[test]
fn refusing_is_what_the_configuration_says() {
    let text = "rules: r\non_rule_error: refuse\nsources: [{name: f, type: file, path: x}]\n";
    let loaded = config::parse("p.yaml", text.as_bytes(), Path::new(""), &|_| None).expect("valid");
    assert_eq!(loaded.config.rules.on_error, OnRuleError::Refuse);
}
