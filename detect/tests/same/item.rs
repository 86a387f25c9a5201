//! Entries of searches: a field, a chain of modifiers, values, as YAML.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::text;

/// Regular expressions.
const EXPRESSIONS: &[&str] = &[
    "^a",
    "c$",
    "a.c",
    "abc",
    "(?i)kim",
    "k[ií]m",
    "\\d+",
    "^$",
    "^\\s*$",
    "é|ß|root",
    "a{2,}",
    "[^a]bc",
    "^(root|kim)$",
    "^-x",
    "^\\{\"a\"",
    "\\bROOT\\b",
    "^443$",
    "true",
    "a\\nb",
    ".",
    "\\\\",
    "^[[:alpha:]]+$",
    "ſ",
    "(?:abc)+",
    "^10\\.",
    "x*",
];

const RANGES: &[&str] = &[
    "10.0.0.0/8",
    "10.0.0.7",
    "192.168.0.0/16",
    "2001:db8::/32",
    "0.0.0.0/0",
    "::/0",
    "10.0.0.0/31",
];

/// A key and its values, both YAML.
pub(crate) fn item() -> BoxedStrategy<(String, String)> {
    prop_oneof![
        12 => on(&[], plain_values()),
        4 => on(&["n", "n", "a", "user"], values_of(number())),
        16 => (on(&[], positioned())).prop_map(joined),
        4 => (on(&[], expressions())).prop_map(joined),
        3 => (on(&["ip", "ip", "a.ip"], chained(
            select(&["|cidr", "|cidr|neq", "|cidr|all"][..]),
            quoted_of(select(RANGES).prop_map(str::to_owned)),
        ))).prop_map(joined),
        3 => (on(&["n", "n", "user"], chained(
            select(&["|lt", "|lte", "|gt", "|gte", "|gte|neq", "|lt|all"][..]),
            number(),
        ))).prop_map(joined),
        3 => on(&["t", "t", "properties.t"], times()).prop_map(joined),
        3 => on(&[], exists()).prop_map(joined),
        3 => on(&[], references()).prop_map(joined),
        3 => on(&[], encoded()).prop_map(joined),
        3 => on(&["ip", "user"], chained(
            select(&["|in_list", "|in_list|cased"][..]),
            select(&["names", "nets"][..]).prop_map(str::to_owned),
        )).prop_map(joined),
        2 => on(&[], chained(
            select(&["|expand", "|contains|expand", "|expand|startswith", "|re|expand"][..]),
            quoted_of(select(&["%names%", "%names%c", "x%names%", "\\%names%"][..]).prop_map(str::to_owned)),
        )).prop_map(joined),
    ]
    .boxed()
}

/// A search that looks at all values of an event.
pub(crate) fn keywords() -> BoxedStrategy<String> {
    let values = || {
        vec(
            prop_oneof![3 => quoted_of(text::asked()), 1 => number()],
            1..4,
        )
    };
    let chain = select(&["|all", "|contains", "|re", "|all|cased", "|startswith"][..]);
    prop_oneof![
        4 => values().prop_map(|values| format!("[{}]", values.join(", "))),
        1 => (chain, values()).prop_map(|(chain, values)| {
            let values = values.join(", ");
            let values = if chain == "|re" { "['^k[io]m$', root]".to_owned() } else { format!("[{values}]") };
            format!("{{'{chain}': {values}}}")
        }),
    ]
    .boxed()
}

/// Text as YAML in double quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || c == '\u{feff}' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("text grows");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A field, one of `often` in every second case, with what follows.
fn on<S: Strategy<Value = V> + 'static, V: std::fmt::Debug + 'static>(
    often: &'static [&'static str],
    rest: S,
) -> BoxedStrategy<(String, V)> {
    let any = select(text::FIELDS);
    let field = if often.is_empty() {
        any.boxed()
    } else {
        prop_oneof![any, select(often)].boxed()
    };
    (field.prop_map(str::to_owned), rest).boxed()
}

/// A field with its chain, quoted, and its values.
fn joined((field, (chain, values)): (String, (String, String))) -> (String, String) {
    (quoted(&(field + &chain)), values)
}

/// A chain and one or more values.
fn chained(
    chain: impl Strategy<Value = &'static str> + 'static,
    value: impl Strategy<Value = String> + 'static,
) -> BoxedStrategy<(String, String)> {
    (chain, vec(value, 1..3))
        .prop_map(|(chain, values)| (chain.to_owned(), format!("[{}]", values.join(", "))))
        .boxed()
}

fn quoted_of(text: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    text.prop_map(|text| quoted(&text)).boxed()
}

fn number() -> impl Strategy<Value = String> {
    let numbers = &[
        "0",
        "-0",
        "7",
        "443",
        "443.0",
        "100",
        "1e2",
        "0.1",
        "-7",
        "9007199254740993",
        "123456789012345678901234567890",
        "5",
    ];
    select(&numbers[..]).prop_map(str::to_owned)
}

/// A list of values.
fn values_of(value: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    vec(value, 1..4)
        .prop_map(|values| format!("[{}]", values.join(", ")))
        .boxed()
}

fn plain_values() -> BoxedStrategy<String> {
    let value = prop_oneof![
        12 => quoted_of(text::asked()),
        3 => number(),
        2 => select(&["true", "false", "null", "null"][..]).prop_map(str::to_owned),
    ];
    values_of(value)
}

fn positioned() -> BoxedStrategy<(String, String)> {
    let chain = (
        select(&["|contains", "|startswith", "|endswith", "|contains", ""][..]),
        select(&["", "", "", "|all"][..]),
        select(&["", "", "|cased"][..]),
        select(&["", "", "", "", "|neq"][..]),
        select(&["", "", "", "", "|windash"][..]),
    )
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].concat());
    (chain, vec(quoted_of(text::asked()), 1..4))
        .prop_map(|(chain, values)| (chain, format!("[{}]", values.join(", "))))
        .boxed()
}

fn expressions() -> BoxedStrategy<(String, String)> {
    let chain = select(
        &[
            "|re", "|re", "|re|i", "|re|i|s", "|re|m", "|re|neq", "|re|all",
        ][..],
    );
    chained(
        chain,
        quoted_of(select(EXPRESSIONS).prop_map(str::to_owned)),
    )
}

fn times() -> BoxedStrategy<(String, String)> {
    let (right, wrong) = (
        [
            ("|minute", "6"),
            ("|hour", "5"),
            ("|day", "2"),
            ("|week", "10"),
            ("|month", "3"),
            ("|year", "2026"),
        ],
        ["", "|neq"],
    );
    (
        select(right.to_vec()),
        select(wrong.to_vec()),
        select(vec!["", "", ", 7"]),
    )
        .prop_map(|((part, value), link, more)| {
            (format!("{part}{link}"), format!("[{value}{more}]"))
        })
        .boxed()
}

fn exists() -> BoxedStrategy<(String, String)> {
    select(vec!["true", "false"])
        .prop_map(|value| ("|exists".to_owned(), value.to_owned()))
        .boxed()
}

fn references() -> BoxedStrategy<(String, String)> {
    let chain = select(
        &[
            "|fieldref",
            "|fieldref|startswith",
            "|fieldref|endswith",
            "|contains|fieldref",
            "|fieldref|cased",
            "|fieldref|neq",
        ][..],
    );
    chained(
        chain,
        quoted_of(select(text::FIELDS).prop_map(str::to_owned)),
    )
}

fn encoded() -> BoxedStrategy<(String, String)> {
    let chain = select(
        &[
            "|base64",
            "|base64|contains",
            "|base64offset|contains",
            "|wide",
            "|wide|base64offset|contains",
            "|utf16be|base64",
            "|utf16|base64",
            "|utf16le|contains",
        ][..],
    );
    let value = select(&["abc", "abc", "kim", "ab"][..]).prop_map(str::to_owned);
    chained(chain, quoted_of(value))
}
