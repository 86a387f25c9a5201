//! Values as YAML, for people: block style, quotes only where they are needed.

use std::fmt::Write as _;

use palisade_detect::value::Value;
use palisade_detect::yaml;

/// What YAML 1.1, which many tools still read, takes for something else than text.
const OLD_WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "null", "~"];

/// Text as a scalar on one line: plain where every reader of YAML takes it for the same text.
pub fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if is_visible(letter) => out.push(letter),
            _ => write!(out, "\\U{:08X}", u32::from(letter))
                .expect("writing to a string cannot fail"),
        }
    }
    out.push('"');
    out
}

/// Whether the text may stand without quotes.
fn is_plain(text: &str) -> bool {
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let inner = |letter: char| letter.is_ascii_alphanumeric() || " _./@-:".contains(letter);
    starts
        && text.chars().all(inner)
        && !text.ends_with(' ')
        && !OLD_WORDS.contains(&text.to_ascii_lowercase().as_str())
        && yaml::parse("", text.as_bytes())
            .is_ok_and(|read| matches!(read.as_slice(), [node] if node.as_text() == Some(text)))
}

/// Letters that a person sees as they are; direction marks and the like are written as numbers.
fn is_visible(letter: char) -> bool {
    letter == ' ' || letter.is_ascii_graphic() || letter.is_alphanumeric()
}

/// The lines of a value in block style, each indented by so many blanks. An object's first line is
/// not indented: it follows the dash of a list.
pub fn block(value: &Value<'_>, indent: usize) -> String {
    let mut out = String::new();
    write_block(value, indent, &mut out);
    out
}

fn write_block(value: &Value<'_>, indent: usize, out: &mut String) {
    match value {
        Value::Object(object) if !object.members().is_empty() => {
            for (place, (key, member)) in object.members().iter().enumerate() {
                if place > 0 {
                    pad(indent, out);
                }
                out.push_str(&scalar(key));
                out.push(':');
                write_member(member, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    pad(indent, out);
                }
                out.push_str("- ");
                write_block(item, indent + 2, out);
            }
        }
        _ => {
            out.push_str(&flat(value));
            out.push('\n');
        }
    }
}

/// What follows a key: a scalar on its line, anything larger below it.
fn write_member(value: &Value<'_>, indent: usize, out: &mut String) {
    if is_flat(value) {
        out.push(' ');
        out.push_str(&flat(value));
        out.push('\n');
    } else {
        out.push('\n');
        pad(indent + 2, out);
        write_block(value, indent + 2, out);
    }
}

fn is_flat(value: &Value<'_>) -> bool {
    match value {
        Value::Object(object) => object.members().is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn flat(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(digits) => digits.clone().into_owned(),
        Value::Text(text) => scalar(text.raw()),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use palisade_detect::value;
    use palisade_detect::yaml::{Node, Yaml};
    use proptest::prelude::{Just, Strategy, any, prop_oneof};

    use super::*;

    #[test]
    fn plain_text_is_what_every_reader_takes_for_text() {
        for text in [
            "SignInLogs",
            "/tenants/x",
            "a b",
            "http://x.example/a:b",
            "alice@x.example",
        ] {
            assert_eq!(scalar(text), text);
        }
        for text in [
            "",
            "true",
            "No",
            "null",
            "0",
            "1.0",
            "2026-01-01",
            "a: b",
            "a:",
            "a ",
            " a",
            "#",
            "- a",
            "it's",
        ] {
            assert_eq!(scalar(text), format!("\"{text}\""));
        }
        assert_eq!(scalar("a\"\\\n\u{202e}é"), "\"a\\\"\\\\\\n\\U0000202Eé\"");
    }

    fn same(node: &Node, json: &serde_json::Value) -> bool {
        match (&node.value, json) {
            (Yaml::Null, serde_json::Value::Null) => true,
            (Yaml::Bool(a), serde_json::Value::Bool(b)) => a == b,
            (Yaml::Int(a), serde_json::Value::Number(b)) => a.to_string() == b.to_string(),
            (Yaml::Float(a), serde_json::Value::Number(b)) => Some(*a) == b.as_f64(),
            (Yaml::Text(a), serde_json::Value::String(b)) => a == b,
            (Yaml::Seq(a), serde_json::Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Yaml::Map(a), serde_json::Value::Object(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, a)| {
                        let key = key.as_text().unwrap_or_default();
                        b.get(key).is_some_and(|b| same(a, b))
                    })
            }
            _ => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn prop_text_comes_back_as_it_was(text in "\\PC*|[ -~\\n\\t\\r\u{80}-\u{a0}\u{2028}]*") {
            let read = yaml::parse("", format!("key: {}\n", scalar(&text)).as_bytes());
            let read = read.expect("it is YAML");
            proptest::prop_assert_eq!(
                read[0].get("key").and_then(Node::as_text),
                Some(text.as_str())
            );
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let text = "[a-z]{0,4}|[ -~]{0,12}|\\PC{0,6}|(yes|null|0x1f|1e5|- a|a: b|# c|\\[a|\\{b|&a|\\*a|!t|---)";
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            (-1e6..1e6_f64).prop_map(|float| (float / 8.0).into()),
            text.prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                proptest::collection::btree_map(text, inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest::proptest! {
        #[test]
        fn prop_any_value_comes_back_as_it_was(json in json()) {
            let text = json.to_string();
            let parsed = value::parse(text.as_bytes(), 64).expect("JSON");
            let written = format!("top:\n  - record:\n      {}", block(&parsed.value, 6));
            let read = yaml::parse("", written.as_bytes()).expect("it is YAML");
            let record = read[0].get("top").and_then(Node::as_seq).expect("a list");
            let record = record[0].get("record").expect("a record");
            proptest::prop_assert!(same(record, &json), "{}", written);
        }
    }

    #[test]
    fn nested_values_come_back_as_they_were() {
        let text = r#"{"a":{"b":[{"c":1,"d":[]},[1,[2,"x"]],{}],"e":null},"on":true,"f":-1.5e3,"g":[{"h":{"i":"yes"}}]}"#;
        let parsed = value::parse(text.as_bytes(), 64).expect("JSON");
        let written = block(&parsed.value, 0);
        let read = yaml::parse("", written.as_bytes()).expect("it is YAML");
        let json = serde_json::from_str(text).expect("JSON");
        assert!(same(&read[0], &json), "{written}");
        assert!(
            written.starts_with("a:\n  b:\n    - c: 1\n      d: []\n    - - 1\n"),
            "{written}"
        );
    }
}
