use super::*;
use crate::engine::read;
use crate::event::Body;
use crate::time::Span;

static TYPE: LogType = LogType {
    name: "t",
    logsources: &[],
    event_time: &["time"],
    entities: &[],
    readings: &[
        ("", Reading::KeysFoldCase),
        ("properties", Reading::JsonText),
    ],
    content_key: None,
    lateness: Span::ZERO,
};

fn fields_of(events: &[&str]) -> Fields {
    let mut fields = Fields::default();
    for json in events {
        let event = EventRef {
            body: Body::Json(json.as_bytes()),
            log_type: &TYPE,
            logsources: &[],
            event_time: None,
        };
        let (tree, _) = read(&event).unwrap();
        fields.add(&event, &tree);
    }
    fields
}

fn listed(fields: &Fields) -> Vec<String> {
    let of = &fields.log_types["t"];
    of.fields
        .iter()
        .map(|(path, kinds)| format!("{path} {}", json(kinds)))
        .collect()
}

fn observed(events: &[&str]) -> Observed {
    Observed::new(vec![&TYPE], fields_of(events), Fields::default())
}

#[test]
fn names_and_kinds_are_kept_and_values_are_not() {
    let fields = fields_of(&[
        r#"{"a":{"b":[{"c":"secret"},{"c":1},{"c":2}]}}"#,
        r#"{"a":{"b":null},"properties":"{\"d\":\"{\\\"e\\\":1}\"}"}"#,
    ]);
    assert_eq!(
        listed(&fields),
        [
            r#"a {"object":2}"#,
            r#"a.b {"null":1,"list":1,"object":1}"#,
            r#"a.b.c {"number":1,"text":1}"#,
            r#"properties {"text":1,"object":1}"#,
            r#"properties.d {"text":1}"#,
        ]
    );
    assert!(!fields.to_json().contains("secret"));
}

#[test]
fn names_that_are_data_leave_their_object_open() {
    let fields = fields_of(&[
        r#"{"tags":{"0f6c8f0e-3f0c-4f67-a0a5-5b0a6d1f7f21":1,"x":2,"me@example.org":3}}"#,
        r#"{"m":{"10.0.0.1":1},"n":{"17":1},"o":{"/subscriptions/x":1},"@odata.type":"t"}"#,
    ]);
    assert_eq!(
        listed(&fields),
        [
            r#"@odata.type {"text":1}"#,
            r#"m {"object":1,"open":1}"#,
            r#"n {"object":1,"open":1}"#,
            r#"o {"object":1,"open":1}"#,
            r#"tags {"object":1,"open":1}"#,
            r#"tags.x {"number":1}"#,
        ]
    );
}

#[test]
fn a_file_reads_back_as_it_was_written() {
    let fields = fields_of(&[r#"{"a\"b":{"c":[1]}}"#, r#"{"a\"b":null}"#]);
    let written = fields.to_json();
    assert_eq!(Fields::from_json(written.as_bytes()).unwrap(), fields);
    let none = Fields::default();
    assert_eq!(Fields::from_json(none.to_json().as_bytes()).unwrap(), none);
}

#[test]
fn files_of_another_kind_or_beyond_the_limits_are_refused() {
    for (text, message) in [
        ("[]", "no file of observed fields"),
        (r#"{"version":1}"#, "no file of observed fields"),
        (
            r#"{"version":2,"log_types":{}}"#,
            "observed fields of version 2, this program reads version 1",
        ),
    ] {
        let error = Fields::from_json(text.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let long = "a".repeat(PATH_BYTES_MAX + 1);
    let text =
        format!(r#"{{"version":1,"log_types":{{"t":{{"events":1,"fields":{{"{long}":{{}}}}}}}}}}"#);
    let error = Fields::from_json(text.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("limit of 512"), "{error}");
}

#[test]
fn fields_beyond_the_limit_leave_the_log_type_open() {
    let many: Vec<String> = (0..FIELDS_MAX + 10)
        .map(|n| format!("\"name_{n}\":1"))
        .collect();
    let mut fields = fields_of(&[&format!("{{{}}}", many.join(","))]);
    fields.merge(fields_of(&[r#"{"late":1}"#]));
    let of = &fields.log_types["t"];
    assert!(of.fields.len() <= FIELDS_MAX + 1);
    assert!(of.fields[""].contains_key(&Kind::Open));
    let observed = Observed::new(vec![&TYPE], fields.clone(), Fields::default());
    assert_eq!(observed.known(&TYPE, "anything"), Known::Possible);
    assert!(Fields::from_json(fields.to_json().as_bytes()).is_ok());
}

#[test]
fn counts_of_two_files_are_added() {
    let mut fields = fields_of(&[r#"{"a":1}"#]);
    fields.merge(fields_of(&[r#"{"a":"x"}"#, r#"{"a":2}"#]));
    assert_eq!(fields.events(), 3);
    assert_eq!(listed(&fields), [r#"a {"number":2,"text":1}"#]);
}

#[test]
fn case_counts_except_where_the_log_type_folds_it() {
    let observed = observed(&[r#"{"Category":"x","properties":"{\"userName\":1}","o":{"7":1}}"#]);
    assert!(matches!(observed.known(&TYPE, "category"), Known::Seen(_)));
    assert!(matches!(
        observed.known(&TYPE, "Properties.userName"),
        Known::Seen(_)
    ));
    assert_eq!(
        observed.known(&TYPE, "properties.UserName"),
        Known::Case("properties.userName")
    );
    assert_eq!(observed.known(&TYPE, "o.x.y"), Known::Possible);
    assert_eq!(observed.known(&TYPE, "time"), Known::Possible);
    assert_eq!(observed.known(&TYPE, "user"), Known::Never);
}
