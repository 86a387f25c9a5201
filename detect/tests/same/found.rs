//! What once told the two ways apart, by hand.

use palisade_detect::engine::EVENT_BYTES_MAX;
use palisade_detect::event::{Body, EventRef};
use palisade_detect::logsource::Routing;

use super::law::Agreed;
use super::log_types::ALL;
use super::world::{Judge, World};

/// A rule with this search and this condition over it, `s`.
fn rule(search: &str, condition: &str) -> String {
    format!(
        "title: Rule 0\nlogsource: {{product: p}}\ndetection:\n  s: {search}\n  condition: {condition}\n"
    )
}

/// What both ways say of a record under every log type.
fn agreed(rule: &str, record: &[u8]) -> Vec<Agreed> {
    let (engine, problems) = World::new().engine(rule, Routing::Any);
    assert_eq!(problems, []);
    let judge = Judge::new();
    let under = ALL.iter().map(|log_type| {
        let event = EventRef {
            body: Body::Json(record),
            log_type,
            logsources: &[],
            event_time: None,
        };
        judge
            .event(&engine, &event)
            .unwrap_or_else(|differences| panic!("{rule}{differences}"))
    });
    under.collect()
}

#[test]
fn a_keyword_that_a_repeated_key_hides_is_not_there() {
    let rule = rule("[kim]", "not s");
    let said = agreed(&rule, br#"{"x":{"y":["kim"]},"x":1}"#);
    assert!(said.iter().all(|said| *said == Agreed::Judged(vec![0])));
}

#[test]
fn what_a_text_stands_for_has_no_quotes() {
    let rule = rule("{'ip|contains': '\"'}", "s");
    let said = agreed(&rule, br#"{"ip":"10.0.0.7:443"}"#);
    assert!(said.iter().all(|said| *said == Agreed::Judged(vec![])));
}

#[test]
fn blanks_around_an_event_count_as_bytes_of_it() {
    let mut record = b"{}".to_vec();
    record.resize(EVENT_BYTES_MAX + 1, b' ');
    let said = agreed(&rule("{a: b}", "s"), &record);
    assert!(said.iter().all(|said| *said == Agreed::Refused));
}

#[test]
fn text_is_not_taken_for_structure_behind_a_word_with_a_quote() {
    let rule = rule("{a: abc}", "s");
    for record in [
        r#"{"x":n", "y":{ ", "b":1}"#,
        r#"{"x":n", "y":[ ", "a":"abc"}"#,
        r#"{"x":1", "a":"{"", "b":1}"#,
    ] {
        for said in agreed(&rule, record.as_bytes()) {
            assert!(
                matches!(said, Agreed::Refused | Agreed::Unnoticed),
                "{record}"
            );
        }
    }
}
