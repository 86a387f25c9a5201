//! Generated events: bytes, log type, stated log sources, time.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::json::{BLANKS, Json, Writer};
use super::log_types::{ALL, COLUMNS, LOGSOURCES};
use super::{spoil, text};

/// A generated event, from which any number of [`palisade_detect::event::EventRef`]s can be made.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) body: Made,
    /// Place in [`ALL`].
    pub(crate) log_type: usize,
    /// Places in [`LOGSOURCES`].
    pub(crate) stated: Vec<usize>,
    /// Seconds since the append time at which it says it happened.
    pub(crate) seconds: Option<i64>,
}

/// The body of a generated event.
#[derive(Debug, Clone)]
pub(crate) enum Made {
    Json(Vec<u8>),
    Flow {
        members: Vec<(String, Vec<u8>)>,
        tuple: String,
    },
}

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "0e5",
    "7",
    "7.0",
    "70e-1",
    "443",
    "443",
    "443.0",
    "4.43e2",
    "44300E-2",
    "1e2",
    "100",
    "1E+2",
    "1E400",
    "-1E400",
    "1e-400",
    "0.1",
    "0.10",
    "-7",
    "123456789012345678901234567890",
    "9007199254740993",
    "9007199254740992.0",
    "18446744073709551616",
    "1772427967",
    "99999999999999999999999999999999999999999",
];

/// What looks like a number or a word and is none.
const WRONG: &[&str] = &[
    "01",
    "-",
    "1.",
    "1e",
    ".5",
    "+1",
    "0x10",
    "NaN",
    "-Infinity",
    "tru",
    "nul",
    "True",
    "nulll",
    "1 2",
    "1e+",
    "-01",
    "truefalse",
    "'abc'",
    "",
    "\u{feff}1",
];

/// Insides of strings that take the parser some care, and some that are wrong.
const ODD: &[&str] = &[
    "\\ud83e\\udd80abc",
    "\\ud83e",
    "\\udd80abc",
    "\\ud83e\\ud83e\\udd80",
    "\\ud83eabc",
    "\\uD83E\\u0061bc",
    "\\u0000",
    "\\u001f",
    "\\/root\\/abc",
    "\\b\\f\\n\\r\\t\\\"\\\\",
    "\\u0061\\u0062\\u0063",
    "\\u212aim",
    "\\u00e9",
    "\u{7f}",
    "\u{2028}",
];
const WRONG_TEXT: &[&str] = &[
    "\\x41", "\\u12", "\\u12G4", "\\", "abc\\", "a\nb", "\u{1}", "\\U0061", "\\u{61}", "a\"b",
    "\\'", "\\0",
];

/// An event of a generated kind.
pub(crate) fn record() -> impl Strategy<Value = Record> {
    let stated = prop_oneof![
        3 => Just(vec![3]),
        1 => Just(Vec::new()),
        2 => proptest::collection::vec(0..LOGSOURCES.len(), 1..3),
    ];
    let seconds = prop_oneof![
        4 => (-60_i64..60).prop_map(Some),
        1 => select(&[-8 * 24 * 3600, 3600][..]).prop_map(Some),
        1 => Just(None),
    ];
    let body = prop_oneof![8 => json_body(), 1 => flow_body()];
    // Text that holds JSON takes the most care.
    let log_type = prop_oneof![3 => 0..ALL.len(), 1 => Just(3)];
    (body, log_type, stated, seconds).prop_map(|(body, log_type, stated, seconds)| Record {
        body,
        log_type,
        stated,
        seconds,
    })
}

fn json_body() -> impl Strategy<Value = Made> {
    let around = prop_oneof![
        40 => Just(""),
        1 => select(&[" ", "\n", "\u{feff}", "x", "{}", "\0"][..]),
    ];
    let root = prop_oneof![60 => object(root_members()), 1 => value()];
    let spoils =
        prop_oneof![12 => Just(Vec::new()), 1 => proptest::collection::vec(spoil::spoil(), 1..3)];
    let pad = prop_oneof![2 => Just(0), 1 => 0_usize..130];
    (root, select(BLANKS), around, spoils, pad).prop_map(|(root, blanks, around, spoils, pad)| {
        let mut out = Writer::new(blanks);
        // So that everything behind it stands somewhere else in the blocks of 64 bytes.
        out.text.push_str(&" ".repeat(pad));
        out.value(&root);
        out.text.push_str(around);
        let mut bytes = out.text.into_bytes();
        for spoil in &spoils {
            spoil.apply(&mut bytes);
        }
        Made::Json(bytes)
    })
}

fn flow_body() -> impl Strategy<Value = Made> {
    let spoils =
        prop_oneof![12 => Just(Vec::new()), 1 => proptest::collection::vec(spoil::spoil(), 1..2)];
    let one =
        (text::key(), value(), select(BLANKS), spoils).prop_map(|(key, value, blanks, spoils)| {
            let mut out = Writer::new(blanks);
            out.value(&value);
            let mut bytes = out.text.into_bytes();
            for spoil in &spoils {
                spoil.apply(&mut bytes);
            }
            (key, bytes)
        });
    let column = prop_oneof![
        3 => Just(String::new()),
        3 => text::text(),
        2 => text::address(),
        2 => select(&["7", "443", " 7 ", "T", "6", "1772427967", "1772427967000", "+7", "007"][..])
            .prop_map(str::to_owned),
    ];
    let columns = proptest::collection::vec(column, 0..=COLUMNS.len() + 1);
    (proptest::collection::vec(one, 0..5), columns).prop_map(|(members, columns)| Made::Flow {
        members,
        tuple: columns.join(","),
    })
}

// ---------------------------------------------------------------------------------------------
// Values

fn value() -> BoxedStrategy<Json> {
    leaf()
        .prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                4 => object(proptest::collection::vec((name(), inner.clone()), 0..4)),
                3 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
                2 => inner.prop_map(|json| Json::Inner(Box::new(json))),
            ]
        })
        .boxed()
}

fn leaf() -> BoxedStrategy<Json> {
    prop_oneof![
        600 => written(text::text()).prop_map(Json::Text),
        60 => select(ODD).prop_map(|text| Json::Text(text.to_owned())),
        150 => select(NUMBERS).prop_map(|text| Json::Bare(text.to_owned())),
        75 => select(&["true", "false", "null", "null"][..]).prop_map(|text| Json::Bare(text.to_owned())),
        1 => select(WRONG).prop_map(|text| Json::Bare(text.to_owned())),
        1 => select(WRONG_TEXT).prop_map(|text| Json::Text(text.to_owned())),
    ]
    .boxed()
}

/// Members of a record: some of which are of the kind that their names promise.
fn root_members() -> impl Strategy<Value = Vec<(String, Json)>> {
    let fixed = |key: &'static str| Just(key.to_owned());
    let number = || select(NUMBERS).prop_map(|text| Json::Bare(text.to_owned()));
    let deep = (58_usize..68, leaf()).prop_map(|(levels, json)| Json::Deep(levels, Box::new(json)));
    let member = prop_oneof![
        30 => (name(), value()),
        30 => planted(),
        8 => (fixed("ip"), written(text::address()).prop_map(Json::Text)),
        8 => (fixed("t"), written(text::time()).prop_map(Json::Text)),
        5 => (fixed("n"), number()),
        4 => (fixed("n"), proptest::collection::vec(number(), 1..4).prop_map(Json::Array)),
        8 => (fixed("user"), leaf()),
        1 => (name(), deep),
    ];
    proptest::collection::vec(member, 0..9)
}

/// A field that rules name, where they look for it: key by key or by a key with dots, through arrays
/// and through text that is JSON.
fn planted() -> BoxedStrategy<(String, Json)> {
    let how = select(
        &[
            "key",
            "key",
            "key",
            "key",
            "array",
            "text",
            "text of array",
            "array of text",
            "dotted",
        ][..],
    );
    let end = prop_oneof![
        3 => leaf(),
        3 => select(&["abc", "kim", "root"][..]).prop_map(|text| Json::Text(text.to_owned())),
        2 => proptest::collection::vec(leaf(), 1..4).prop_map(Json::Array),
        1 => leaf().prop_map(|json| Json::Inner(Box::new(json))),
        1 => value(),
    ];
    let deep = &[
        "a.b",
        "a.b.c",
        "b.c",
        "a.c",
        "properties.a",
        "properties.user",
    ][..];
    let field = prop_oneof![select(text::FIELDS), select(deep)];
    (field, proptest::collection::vec(how, 4), end)
        .prop_map(|(field, hows, end)| {
            let mut keys: Vec<String> = Vec::new();
            for (place, key) in field.split('.').enumerate() {
                match keys.last_mut() {
                    Some(last) if hows[place % hows.len()] == "dotted" => {
                        *last = format!("{last}.{key}");
                    }
                    _ => keys.push(key.to_owned()),
                }
            }
            let inner = |json| Json::Inner(Box::new(json));
            let mut keys = keys.iter().map(|key| key.replace('"', "\\\""));
            let first = keys.next().unwrap_or_default();
            let json = keys.zip(hows).rfold(end, |json, (key, how)| {
                let object = Json::Object(vec![(key, json)]);
                match how {
                    "array" => Json::Array(vec![object]),
                    "text" => inner(object),
                    "text of array" => inner(Json::Array(vec![object])),
                    "array of text" => Json::Array(vec![inner(object)]),
                    _ => object,
                }
            });
            (first, json)
        })
        .boxed()
}

fn object<S>(members: S) -> BoxedStrategy<Json>
where
    S: Strategy<Value = Vec<(String, Json)>> + 'static,
{
    members.prop_map(Json::Object).boxed()
}

/// A key as it is written.
fn name() -> BoxedStrategy<String> {
    prop_oneof![1200 => written(text::key()), 1 => select(WRONG_TEXT).prop_map(str::to_owned)]
        .boxed()
}

/// A text as it is written in one of several ways.
fn written(text: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let how = select(
        &[
            "plain", "plain", "plain", "plain", "plain", "plain", "plain", "one", "all", "slash",
        ][..],
    );
    (text, how, any::<Index>())
        .prop_map(|(text, how, at)| {
            let chosen = at.index(text.chars().count() + 1);
            let mut out = String::new();
            for (place, c) in text.chars().enumerate() {
                match how {
                    "all" => escape(c, &mut out),
                    "one" if place == chosen => escape(c, &mut out),
                    "slash" if c == '/' => out.push_str("\\/"),
                    _ if matches!(c, '"' | '\\') => out.extend(['\\', c]),
                    _ if c < ' ' => escape(c, &mut out),
                    _ => out.push(c),
                }
            }
            out
        })
        .boxed()
}

/// A character by its UTF-16 units.
fn escape(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        write!(out, "\\u{unit:04x}").expect("text grows");
    }
}
