use super::*;
use crate::observed::Fields;
use crate::time::Span;

/// A log type that states one log source and nothing else.
pub(in crate::lint) static TYPE: LogType = LogType {
    name: "t",
    logsources: &[Logsource::of("azure", "signinlogs")],
    event_time: &[],
    entities: &[],
    readings: &[],
    content_key: None,
    lateness: Span::ZERO,
};

static OTHER: LogType = LogType {
    name: "other",
    ..TYPE
};

/// Fields of a log type after so many events.
fn fields(name: &str, events: u64) -> Fields {
    let text = format!(
        r#"{{"version":1,"log_types":{{"{name}":{{"events":{events},"fields":{{"a.userName":{{"text":1}}}}}}}}}}"#
    );
    Fields::from_json(text.as_bytes()).unwrap()
}

fn observed(samples: u64, own: u64) -> Observed {
    Observed::new(vec![&TYPE, &OTHER], fields("t", samples), fields("t", own))
}

#[test]
fn few_events_say_nothing_and_many_own_ones_decide() {
    let both = [&TYPE, &OTHER];
    assert_eq!(sure(&observed(EVENTS_MIN - 1, 0), &both), None);
    assert_eq!(sure(&observed(EVENTS_MIN, 0), &both), Some(Sure::Samples));
    assert_eq!(
        sure(&observed(0, OWN_EVENTS_MIN - 1), &both),
        Some(Sure::Samples)
    );
    assert_eq!(sure(&observed(0, OWN_EVENTS_MIN), &both), Some(Sure::Own));
    assert_eq!(sure(&observed(EVENTS_MIN, 0), &[]), None);
}

#[test]
fn rules_judge_the_log_types_that_state_their_log_source() {
    let observed = observed(0, 0);
    let count = |product, service| judged(&observed, &Logsource::of(product, service)).len();
    assert_eq!(count("azure", "signinlogs"), 2);
    assert_eq!(count("azure", "auditlogs"), 0);
}

#[test]
fn a_field_is_suggested_by_its_last_part_or_its_spelling() {
    let observed = observed(EVENTS_MIN, 0);
    let near = |name| near_field(&observed, &[&TYPE], name);
    assert_eq!(
        near("UserName").as_deref(),
        Some("did you mean `a.userName`?")
    );
    assert_eq!(
        near("a.userNmae").as_deref(),
        Some("did you mean `a.userName`?")
    );
    assert_eq!(near("ProcessId"), None);
}

#[test]
fn entries_beyond_the_limit_of_a_rule_are_not_looked_up() {
    let entries: Vec<String> = (0..=ENTRIES_MAX)
        .map(|n| format!("  - {{x{n}: 1}}\n"))
        .collect();
    let text = format!(
        "title: t\nlogsource: {{product: azure, service: signinlogs}}\n\
         detection:\n s:\n{} condition: s\n",
        entries.concat()
    );
    let found = all_found(&text, field_not_in_samples);
    let more = format!("(and {} more of", ENTRIES_MAX - found.len());
    let last = found.last().expect("a finding");
    assert!(last.message.contains(&more), "{}", last.message);
    // In the order written.
    assert!(found[0].message.contains("`x0`"), "{}", found[0].message);
}

/// What a check finds in a file.
fn all_found(text: &str, check: fn(&Workspace<'_>, &mut Found)) -> Vec<Diagnostic> {
    let files = [crate::rule::RuleFile {
        name: "a.yml".into(),
        bytes: text.as_bytes().to_vec(),
    }];
    let parsed = crate::rule::parse::parse_documents(&files);
    let observed = observed(EVENTS_MIN, 0);
    let mut found = Found::default();
    check(
        &Workspace {
            files: &files,
            documents: &parsed.documents,
            rules: &parsed.rules,
            judged: &parsed.rules,
            pipelines: &[],
            cases: &[],
            observed: Some(&observed),
            now: None,
        },
        &mut found,
    );
    found.finish()
}

/// What a check finds in a file, with the text under its caret.
fn marked(text: &str, check: fn(&Workspace<'_>, &mut Found)) -> Vec<(String, String)> {
    let found = all_found(text, check).into_iter();
    found
        .map(|one| {
            (
                text.get(one.place.span.clone())
                    .unwrap_or_default()
                    .to_owned(),
                one.message,
            )
        })
        .collect()
}

#[test]
fn a_mistyped_part_of_a_log_source_is_marked() {
    for (product, service, part) in [
        ("azure", "signinlog", "signinlog"),
        ("azrue", "signinlogs", "azrue"),
    ] {
        let text = format!(
            "title: t\nlogsource: {{product: {product}, service: {service}}}\n\
             detection: {{s: {{A: 1}}, condition: s}}\n"
        );
        let found = marked(&text, logsource_mistyped);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, part);
    }
}

#[test]
fn a_field_that_no_event_has_is_marked_where_it_is_named() {
    let text = "title: t\nname: a\nlogsource: {product: azure, service: signinlogs}\n\
                detection: {s: {A: 1}, condition: s}\n---\ntitle: c\ncorrelation:\n  \
                type: value_count\n  rules: [a]\n  group-by: [a.userName, gone]\n  timespan: 1h\n  \
                condition: {field: lost, gte: 2}\n";
    let found = marked(text, super::super::correlation::group_by_not_carried);
    let places: Vec<_> = found.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(places, ["gone", "lost"]);
    assert!(
        found[0].1.ends_with("stay outside of every group"),
        "{found:?}"
    );
    assert!(found[1].1.ends_with("its events add nothing"), "{found:?}");
}

#[test]
fn a_similar_field_is_looked_for_in_the_first_findings_only() {
    let names: Vec<String> = (0..300).map(|n| format!("a.userNam{n}")).collect();
    let text = format!(
        "title: t\nname: a\nlogsource: {{product: azure, service: signinlogs}}\n\
         detection: {{s: {{A: 1}}, condition: s}}\n---\ntitle: c\ncorrelation:\n  \
         type: event_count\n  rules: [a]\n  group-by: [{}]\n  timespan: 1h\n  \
         condition: {{gte: 2}}\n",
        names.join(", ")
    );
    let found = all_found(&text, super::super::correlation::group_by_not_carried);
    let similar = |one: &&Diagnostic| one.help.as_deref() == Some("did you mean `a.userName`?");
    assert_eq!(found.iter().filter(similar).count(), NEAR_MAX);
    assert_eq!(found.len(), crate::lint::FILE_FINDINGS_MAX);
    let last = found.last().expect("a finding");
    assert!(last.message.contains("and 100 more"), "{}", last.message);
}
