use super::*;
use crate::event::{Around, Column, ColumnReading, FlowTuple, Reading};

fn tree(text: &str) -> Value<'_> {
    parse(text.as_bytes(), 64).expect("valid").value
}

fn found(text: &str, readings: &[(&'static str, Reading)], path: &str) -> Vec<String> {
    let event = Event {
        root: tree(text),
        readings,
    };
    let found = event.find(path);
    found.iter().map(|seen| seen.value().to_json()).collect()
}

#[test]
fn what_rfc_8259_forbids_is_refused_with_its_byte() {
    for (text, byte) in [
        ("", 0),
        ("{", 1),
        ("{\"a\":1,}", 7),
        ("[1 2]", 3),
        ("01", 1),
        ("1.", 2),
        ("-", 1),
        ("1e", 2),
        ("\"\u{1}\"", 1),
        ("\"\\x\"", 2),
        ("\"\\u12g4\"", 5),
        ("nul", 0),
        ("'a'", 0),
        ("{} {}", 3),
        ("\u{feff}{}", 0),
        ("+1", 0),
        (".5", 0),
        ("NaN", 0),
        ("[1", 2),
        ("\"a", 2),
    ] {
        match parse(text.as_bytes(), 8) {
            Err(ParseError::Syntax { byte: at, .. }) => assert_eq!(at, byte, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let bad = parse(b"{\"a\":\"\xff\"}", 8).expect_err("not UTF-8");
    assert_eq!(bad, ParseError::NotUtf8 { byte: 6 });
}

#[test]
fn escapes_are_resolved_and_half_a_surrogate_pair_is_replaced() {
    let Value::Text(text) = tree(r#""\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00\ud800x\u0000""#) else {
        panic!("text");
    };
    assert_eq!(text.raw(), "\"\\/\u{8}\u{c}\n\r\tä😀\u{fffd}x\0");
}

#[test]
fn nesting_over_the_limit_is_refused_however_deep() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(parse(deep(64).as_bytes(), 64).is_ok());
    assert_eq!(
        parse(deep(65).as_bytes(), 64).expect_err("deep"),
        ParseError::TooDeep
    );
    let bottomless = "{\"a\":".repeat(100_000);
    assert_eq!(
        parse(bottomless.as_bytes(), 64).expect_err("deep"),
        ParseError::TooDeep
    );
}

#[test]
fn last_value_of_a_repeated_key_counts_and_the_object_is_counted() {
    let parsed = parse(br#"{"a":1,"b":{"c":1,"c":2,"c":3},"a":2}"#, 8).expect("valid");
    assert_eq!(parsed.duplicate_keys, 2);
    assert_eq!(parsed.value.to_json(), r#"{"a":2,"b":{"c":3}}"#);
}

#[test]
fn an_object_of_many_keys_is_found_by_every_key() {
    let members: Vec<String> = (0..2000).map(|n| format!("\"k{n}\":{n}")).collect();
    let text = format!("{{{},\"k7\":\"again\"}}", members.join(","));
    let parsed = parse(text.as_bytes(), 8).expect("valid");
    assert_eq!(parsed.duplicate_keys, 1);
    let object = parsed.value.as_object().expect("object");
    assert_eq!(
        object.get("k1999").map(Value::to_json).as_deref(),
        Some("1999")
    );
    assert_eq!(
        object.get("k7").map(Value::to_json).as_deref(),
        Some("\"again\"")
    );
    assert!(object.get("k2000").is_none());
}

#[test]
fn longest_literal_key_wins_and_a_dead_end_tries_the_next() {
    let event = r#"{"a.b":{"c":1},"a":{"b.c":2,"b":{"c":3,"d":4}}}"#;
    assert_eq!(found(event, &[], "a.b.c"), ["1"]);
    assert_eq!(found(event, &[], "a.b.d"), ["4"]);
    assert_eq!(found(event, &[], "a.b.e"), [""; 0]);
    assert_eq!(found(event, &[], "a.b"), [r#"{"c":1}"#]);
}

#[test]
fn path_continues_in_all_elements_of_arrays() {
    let event = r#"{"a":[{"b":1},{"b":[2,3]},[{"b":4}],5]}"#;
    assert_eq!(found(event, &[], "a.b"), ["1", "[2,3]", "4"]);
}

#[test]
fn json_inside_text_is_read_besides_the_text() {
    let readings = &[("a.b", Reading::JsonText)];
    let event = r#"{"a":[{"b":"{\"c\":{\"d\":1}}"},{"b":"\"x\""},{"b":"plain"}]}"#;
    assert_eq!(found(event, readings, "a.b.c.d"), ["1"]);
    assert_eq!(
        found(event, readings, "a.b"),
        [
            r#""{\"c\":{\"d\":1}}""#,
            r#""\"x\"""#,
            r#""x""#,
            r#""plain""#
        ]
    );
    assert_eq!(found(event, &[], "a.b.c.d"), [""; 0]);
}

#[test]
fn address_loses_its_port_and_a_list_is_split() {
    let readings = &[("ip", Reading::Address)];
    let read = |ip: &str| found(&format!("{{\"ip\":\"{ip}\"}}"), readings, "ip").split_off(1);
    assert_eq!(read("8.8.8.8:44321"), [r#""8.8.8.8""#]);
    assert_eq!(read("[2001:db8::1]:443"), [r#""2001:db8::1""#]);
    assert_eq!(read("1.1.1.1, 2.2.2.2:1"), [r#""1.1.1.1""#, r#""2.2.2.2""#]);
    assert_eq!(read("2001:db8::1"), [""; 0]);
    assert_eq!(read("1.2.3.XXX"), [""; 0]);
}

#[test]
fn odd_time_is_read_as_rfc_3339_and_a_plain_one_stays_alone() {
    let readings = &[("t", Reading::Time)];
    assert_eq!(
        found(r#"{"t":"8/22/2022 6:11:52 PM"}"#, readings, "t"),
        [
            r#""8/22/2022 6:11:52 PM""#,
            r#""2022-08-22T18:11:52.0000000Z""#
        ]
    );
    assert_eq!(
        found(r#"{"t":"2022-08-22T18:11:52-05:00"}"#, readings, "t").len(),
        1
    );
}

#[test]
fn keys_fold_case_only_where_the_log_type_says_so() {
    let event = r#"{"Properties":{"User":1},"properties2":{"USER":2,"user":3}}"#;
    let readings = &[
        ("", Reading::KeysFoldCase),
        ("properties", Reading::KeysFoldCase),
    ];
    assert_eq!(found(event, readings, "properties.user"), ["1"]);
    assert_eq!(found(event, readings, "properties2.User"), [""; 0]);
    assert_eq!(found(event, readings, "properties2.user"), ["3"]);
    assert_eq!(found(event, &[], "properties.User"), [""; 0]);
}

#[test]
fn flow_tuple_is_outer_record_then_groups_then_columns() {
    const COLUMNS: &[Column] = &[
        Column {
            name: "time",
            reading: ColumnReading::UnixSeconds,
        },
        Column {
            name: "proto",
            reading: ColumnReading::Word(&[("T", "tcp")]),
        },
        Column {
            name: "port",
            reading: ColumnReading::Integer,
        },
        Column {
            name: "bytes",
            reading: ColumnReading::Integer,
        },
        Column {
            name: "rule",
            reading: ColumnReading::Text,
        },
    ];
    let members: [(&str, &[u8]); 3] = [
        ("mac", br#""outer""#),
        ("keep", b"1"),
        ("mac", br#""inner""#),
    ];
    let outer = br#"{"mac":"outer","keep":1,"flows":[1,2]}"#;
    let flow = FlowTuple {
        around: &Around::new(outer, &members),
        tuple: "1659431107,T,443,,r",
        columns: COLUMNS,
    };
    let tree = flow_tree(&flow, 64).expect("valid").value;
    assert_eq!(
        tree.to_json(),
        r#"{"mac":"inner","keep":1,"time":"2022-08-02T09:05:07.0000000Z","proto":"tcp","port":443,"rule":"r"}"#
    );
}

#[test]
fn serde_form_keeps_what_it_can_hold_and_shows_the_rest_as_text() {
    let value = tree(r#"{"a":18446744073709551616123,"b":0.1,"c":[true,null,"x"]}"#).to_serde();
    assert_eq!(
        value,
        serde_json::json!({"a": "18446744073709551616123", "b": 0.1, "c": [true, null, "x"]})
    );
}

proptest::proptest! {
    #[test]
    fn prop_text_survives_writing_and_reading(text: String) {
        let mut json = String::new();
        text::write_json_string(&text, &mut json);
        let Value::Text(read) = tree(&json) else { panic!("text") };
        assert_eq!(read.raw(), text);
    }

    #[test]
    fn prop_no_input_makes_the_parser_panic(bytes: Vec<u8>) {
        if let Ok(parsed) = parse(&bytes, 64) {
            let again = parsed.value.to_json();
            assert_eq!(tree(&again).to_json(), again);
        }
    }
}

#[test]
fn hundreds_of_thousands_of_keys_are_read_and_found() {
    let members: Vec<String> = (0..200_000).map(|n| format!("\"k{n}\":1")).collect();
    let text = format!("{{{}}}", members.join(","));
    let parsed = parse(text.as_bytes(), 8).expect("valid");
    assert_eq!(parsed.duplicate_keys, 0);
    let object = parsed.value.as_object().expect("object");
    assert!(object.get("k199999").is_some());
}

#[test]
fn json_inside_text_is_parsed_once_for_all_rules() {
    let root = parse(br#"{"a":"{\"b\":[1]}"}"#, 64).expect("json").value;
    let event = Event {
        root,
        readings: &[("a", Reading::JsonText)],
    };
    let place = || {
        let found = event.find("a.b");
        let [Seen::In(value)] = found.as_slice() else {
            panic!("a value of the event itself: {found:?}")
        };
        std::ptr::from_ref(*value)
    };
    assert_eq!(place(), place());
}
