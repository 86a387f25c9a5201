use std::sync::Arc;

use super::*;
use crate::diagnostic::Place;
use crate::rule::item::{Item, RawValue};
use crate::rule::modifier::Modifier;
use crate::value::parse;

fn item(field: &str, modifiers: &[&str], values: &[RawValue]) -> Search {
    let paths: Vec<String> = field.split('|').map(str::to_owned).collect();
    Search::Item(Item {
        target: if field.is_empty() {
            Target::Keywords
        } else {
            Target::Fields(paths)
        },
        modifiers: modifiers
            .iter()
            .map(|name| Modifier::of(name).expect("known"))
            .collect(),
        values: values.to_vec().into(),
        place: Place {
            file: Arc::from("t.yml"),
            span: 0..0,
            line: 1,
            column: 1,
        },
    })
}

fn text(value: &str) -> RawValue {
    RawValue::Text(value.to_owned())
}

fn int(value: i128) -> RawValue {
    RawValue::Number(Number::Int(value))
}

fn holds(search: Search, event: &str) -> bool {
    let searches = IndexMap::from([("s".to_owned(), search)]);
    let matcher = Matcher::compile(&searches, &Expr::Search(0)).expect("valid");
    let root = parse(event.as_bytes(), 64).expect("json").value;
    matcher.matches(&Event::plain(root))
}

#[test]
fn several_paths_mean_or_and_a_negation_is_over_all_of_them() {
    let plain = || item("a|b.c", &[], &[text("x")]);
    assert!(holds(plain(), r#"{"b":{"c":"X"}}"#));
    assert!(!holds(plain(), r#"{"b":{"c":"y"}}"#));
    let negated = || item("a|b.c", &["neq"], &[text("x")]);
    assert!(!holds(negated(), r#"{"a":"y","b":{"c":"x"}}"#));
    assert!(holds(negated(), r#"{"a":"y"}"#));
}

#[test]
fn all_asks_one_path_for_every_value_by_any_of_its_elements() {
    let all = || item("a|b", &["contains", "all"], &[text("x"), text("y")]);
    assert!(holds(all(), r#"{"a":["1x","y2"]}"#));
    assert!(!holds(all(), r#"{"a":"x","b":"y"}"#));
}

#[test]
fn field_reference_takes_the_first_path_that_is_present() {
    let paths = RawValue::Paths(vec!["p".into(), "q".into()]);
    let reference = || item("a", &["fieldref"], std::slice::from_ref(&paths));
    assert!(holds(reference(), r#"{"a":"1","p":1,"q":2}"#));
    assert!(!holds(reference(), r#"{"a":"2","p":1,"q":2}"#));
    assert!(holds(reference(), r#"{"a":"2","p":null,"q":2}"#));
}

#[test]
fn numbers_compare_exactly_and_by_text_where_one_is_text() {
    let big = || item("n", &["gt"], &[int(9_007_199_254_740_992)]);
    assert!(holds(big(), r#"{"n":9007199254740993}"#));
    assert!(!holds(big(), r#"{"n":9007199254740992}"#));
    let equal = || item("n", &[], &[int(443)]);
    assert!(holds(equal(), r#"{"n":4.43e2}"#));
    assert!(holds(equal(), r#"{"n":"443"}"#));
    assert!(!holds(equal(), r#"{"n":"0443"}"#));
    assert!(!holds(equal(), r#"{"n":true}"#));
}

#[test]
fn keywords_look_into_every_scalar_and_not_into_names() {
    let keyword = || item("", &[], &[text("needle")]);
    assert!(holds(keyword(), r#"{"a":[{"b":"a NEEDLE here"}]}"#));
    assert!(!holds(keyword(), r#"{"needle":1,"a":["need","le"]}"#));
    assert!(holds(item("", &[], &[int(42)]), r#"{"a":1425}"#));
}

#[test]
fn text_of_objects_and_arrays_is_their_compact_json() {
    let json = || item("a", &["contains"], &[text(r#""k":"v""#)]);
    assert!(holds(json(), r#"{"a": [ {"k" : "V"} ]}"#));
    assert!(!holds(json(), r#"{"a": {"k": 1}}"#));
    assert!(holds(item("a", &[], &[text("[]")]), r#"{"a": []}"#));
}

#[test]
fn at_least_counts_searches() {
    let searches: IndexMap<String, Search> = (0..3)
        .map(|n| (n.to_string(), item(&format!("f{n}"), &[], &[int(1)])))
        .collect();
    let parts = (0..3).map(Expr::Search).collect();
    let matcher = Matcher::compile(&searches, &Expr::AtLeast(2, parts)).expect("valid");
    for (event, expected) in [(r#"{"f0":1,"f2":1}"#, true), (r#"{"f1":1}"#, false)] {
        let root = parse(event.as_bytes(), 64).expect("json").value;
        assert_eq!(matcher.matches(&Event::plain(root)), expected, "{event}");
    }
}

#[test]
fn null_and_exists_tell_absent_from_null() {
    for (event, null, exists) in [
        ("{}", true, false),
        (r#"{"a":null}"#, true, true),
        (r#"{"a":""}"#, false, true),
        (r#"{"a":[]}"#, false, true),
    ] {
        assert_eq!(
            holds(item("a", &[], &[RawValue::Null]), event),
            null,
            "{event}"
        );
        let present = item("a", &["exists"], &[RawValue::Bool(true)]);
        assert_eq!(holds(present, event), exists, "{event}");
    }
}

#[test]
fn fieldref_over_two_huge_arrays_ends() {
    let array = |letter: &str| {
        let texts: Vec<String> = (0..60_000).map(|n| format!("\"{letter}{n}\"")).collect();
        texts.join(",")
    };
    let event = format!(r#"{{"a":[{},"zz"],"b":[{},"zz"]}}"#, array("x"), array("y"));
    for (modifiers, expected) in [
        (&["fieldref"][..], true),
        // Beyond the limit of values, parts of texts are not looked for.
        (&["fieldref", "contains"], false),
    ] {
        assert_eq!(holds(item("a", modifiers, &[text("b")]), &event), expected);
    }
    let small = r#"{"a":["x1","x2"],"b":["z","2"]}"#;
    assert!(holds(
        item("a", &["fieldref", "endswith"], &[text("b")]),
        small
    ));
    assert!(!holds(
        item("a", &["fieldref", "startswith"], &[text("b")]),
        small
    ));
}
