//! Laws that conditions keep whatever their searches say, judged by the engine and by the obvious
//! reading of the searches' values.

use std::sync::Arc;

use palisade_detect::engine::{Clamp, Engine, EngineOptions, EventContext, Verdict};
use palisade_detect::event::{Body, EventRef, Index, LogType, Origin, SourcePartition};
use palisade_detect::pipeline;
use palisade_detect::rule::{RuleFile, parse};
use palisade_detect::time::{Span, Timestamp};
use proptest::prelude::*;

static LOG_TYPE: LogType = LogType {
    name: "unknown",
    logsources: &[],
    event_time: &[],
    entities: &[],
    readings: &[],
    content_key: None,
    lateness: Span::ZERO,
};

/// Searches that a rule may have: name, YAML and what it says about the fields `x` and `y`.
type Obvious = fn(x: &str, y: Option<&str>) -> bool;
const SEARCHES: [(&str, &str, Obvious); 6] = [
    ("sel_a", "{x: a}", |x, _| x.eq_ignore_ascii_case("a")),
    ("sel_b", "{x|contains: b}", |x, _| {
        x.to_ascii_lowercase().contains('b')
    }),
    ("sel_c", "{y: null}", |_, y| y.is_none()),
    ("other", "{y|startswith: [a, c]}", |_, y| {
        y.is_some_and(|y| y.to_ascii_lowercase().starts_with(['a', 'c']))
    }),
    ("both", "[{x|endswith: c}, {y|exists: true}]", |x, y| {
        x.to_ascii_lowercase().ends_with('c') || y.is_some()
    }),
    ("all_of", "{x|contains|all: [a, b], y: '*'}", |x, y| {
        let x = x.to_ascii_lowercase();
        x.contains('a') && x.contains('b') && y.is_some()
    }),
];

/// Which of the conditions hold for the event.
fn verdicts(conditions: &[String], x: &str, y: Option<&str>) -> Vec<bool> {
    let searches: Vec<String> = SEARCHES
        .iter()
        .map(|(name, yaml, _)| format!("  {name}: {yaml}\n"))
        .collect();
    let searches = searches.concat();
    let files: Vec<RuleFile> = conditions
        .iter()
        .enumerate()
        .map(|(n, condition)| RuleFile {
            name: format!("{n}.yml").into(),
            bytes: format!(
                "title: '{n}'\nid: '{n}'\nlogsource: {{product: test}}\n\
                 detection:\n{searches}  condition: {condition}\n"
            )
            .into_bytes(),
        })
        .collect();
    let (mut rules, problems) = parse::parse(&files);
    assert_eq!(problems, []);
    pipeline::apply(&[], &mut rules);
    let (engine, problems) = Engine::compile(rules, EngineOptions::default());
    assert_eq!(problems, []);
    let mut event = serde_json::json!({ "x": x });
    if let Some(y) = y {
        event["y"] = y.into();
    }
    let body = event.to_string();
    let origin = Origin {
        tenant: Arc::from("default"),
        at: SourcePartition {
            source: Arc::from("laws"),
            incarnation: 1,
            partition: 0,
        },
        offset: 0,
        index: Index::ROOT,
    };
    let event = EventRef {
        body: Body::Json(body.as_bytes()),
        log_type: &LOG_TYPE,
        logsources: &[],
        event_time: None,
    };
    let context = EventContext {
        origin: &origin,
        append_time: Timestamp::default(),
        clamp: Clamp::Never,
    };
    let mut verdict = Verdict::default();
    engine
        .detect(&event, &context, &mut verdict)
        .expect("an object");
    let matched = |n| verdict.matched.contains(&n);
    (0..conditions.len()).map(matched).collect()
}

/// Conditions without selectors.
fn condition() -> impl Strategy<Value = String> {
    let leaf = (0..SEARCHES.len()).prop_map(|n| SEARCHES[n].0.to_owned());
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("not ({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) or ({b})")),
        ]
    })
}

/// Values of `x` and `y` that the searches tell apart.
fn event() -> impl Strategy<Value = (String, Option<String>)> {
    ("[abcAB]{0,3}", proptest::option::of("[acAx]{0,2}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn de_morgan_holds(a in condition(), b in condition(), (x, y) in event()) {
        let pairs = [
            format!("not (({a}) and ({b}))"),
            format!("not ({a}) or not ({b})"),
            format!("not (({a}) or ({b}))"),
            format!("not ({a}) and not ({b})"),
        ];
        let held = verdicts(&pairs, &x, y.as_deref());
        prop_assert_eq!(held[0], held[1]);
        prop_assert_eq!(held[2], held[3]);
    }

    #[test]
    fn negation_turns_the_verdict_and_twice_is_nothing(a in condition(), (x, y) in event()) {
        let forms = [a.clone(), format!("not ({a})"), format!("not (not ({a}))")];
        let held = verdicts(&forms, &x, y.as_deref());
        prop_assert_ne!(held[0], held[1]);
        prop_assert_eq!(held[0], held[2]);
    }

    #[test]
    fn selectors_are_the_conjunction_and_the_disjunction_of_what_they_select((x, y) in event()) {
        let said: Vec<bool> = SEARCHES.iter().map(|(_, _, says)| says(&x, y.as_deref())).collect();
        let (selected, all) = (&said[..3], &said[..]);
        let count = |says: &[bool]| says.iter().filter(|holds| **holds).count();
        let forms = [
            ("all of them", count(all) == 6),
            ("1 of them", count(all) >= 1),
            ("any of them", count(all) >= 1),
            ("3 of them", count(all) >= 3),
            ("all of sel_*", count(selected) == 3),
            ("sel_a and sel_b and sel_c", count(selected) == 3),
            ("1 of sel_*", count(selected) >= 1),
            ("sel_a or sel_b or sel_c", count(selected) >= 1),
            ("2 of sel_*", count(selected) >= 2),
            ("not 1 of sel_*", count(selected) == 0),
        ];
        let texts: Vec<String> = forms.iter().map(|(text, _)| (*text).to_owned()).collect();
        let held = verdicts(&texts, &x, y.as_deref());
        for ((text, expected), held) in forms.iter().zip(held) {
            prop_assert_eq!(held, *expected, "{}", text);
        }
    }

    #[test]
    fn each_search_says_what_its_yaml_says((x, y) in event()) {
        let names: Vec<String> = SEARCHES.iter().map(|(name, ..)| (*name).to_owned()).collect();
        let held = verdicts(&names, &x, y.as_deref());
        for ((name, _, says), held) in SEARCHES.iter().zip(held) {
            prop_assert_eq!(held, says(&x, y.as_deref()), "{}", name);
        }
    }

    #[test]
    fn a_list_of_conditions_is_their_disjunction(a in condition(), b in condition(), (x, y) in event()) {
        let forms = [format!("['{a}', '{b}']"), format!("({a}) or ({b})")];
        let held = verdicts(&forms, &x, y.as_deref());
        prop_assert_eq!(held[0], held[1]);
    }
}
