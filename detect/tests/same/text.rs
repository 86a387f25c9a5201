//! Texts that records and rules share, so that one speaks of the other.

use proptest::prelude::*;
use proptest::sample::select;

/// Keys of records; what comes early comes often.
const KEYS: &[&str] = &[
    "a",
    "a",
    "a",
    "a",
    "b",
    "b",
    "b",
    "c",
    "c",
    "user",
    "user",
    "k",
    "properties",
    "properties",
    "ip",
    "t",
    "n",
    "A",
    "B",
    "User",
    "USER",
    "K",
    "\u{212a}",
    "a.b",
    "b.c",
    "a.b.c",
    "a.b",
    "",
    ".",
    "a.",
    ".b",
    "s",
    "\u{17f}",
    "é",
    "É",
    "Σ",
    "ς",
    "x y",
    "q\"q",
    "back\\slash",
    "new\nline",
    "\u{1f980}",
    "Properties",
    "IP",
];

/// Fields of rules; `who` is a name that a pipeline maps to several.
pub(crate) const FIELDS: &[&str] = &[
    "a",
    "a",
    "a",
    "b",
    "b",
    "c",
    "user",
    "user",
    "user",
    "k",
    "a.b",
    "a.b",
    "a.b",
    "a.c",
    "b.c",
    "b.a",
    "a.b.c",
    "a.a",
    "a.a.a",
    "properties.a",
    "properties.b",
    "properties",
    "properties.a.b",
    "properties.user",
    "ip",
    "t",
    "n",
    "A",
    "User",
    "K",
    "a.",
    "é",
    "Σ",
    "x y",
    "who",
    "who",
    "a.user",
    "b.c.a",
    "a.ip",
    "properties.t",
    "s",
    "ſ",
    "A.B",
    "q\"q",
];

/// Texts of records, of which rules ask for parts.
const TEXTS: &[&str] = &[
    "abc",
    "abc",
    "ABC",
    "aBc",
    "xabcx",
    "kim",
    "kim",
    "Kim",
    "\u{212a}im",
    "root",
    "root",
    "ROOT",
    "admin@root.example",
    "/root/abc",
    "\\\\root\\abc",
    "cmd -x /y \u{2013}z",
    "cmd /x -y",
    "443",
    "443.0",
    "4.43e2",
    "-0",
    "0",
    "7",
    "true",
    "false",
    "null",
    "",
    "",
    " ",
    "*",
    "?",
    "a*c",
    "a?c",
    "a\\c",
    "\\",
    "\\\\",
    "straße",
    "STRASSE",
    "stra\u{1e9e}e",
    "\u{17f}et",
    "SET",
    "İ",
    "i",
    "ΣΑΣ",
    "σας",
    "é",
    "É",
    "e\u{301}",
    "\u{1f980}abc",
    "\u{1}",
    "a\nb",
    "a\r\nb\tc",
    "q\"q",
    "\"",
    "{\"a\":\"abc\"}",
    "{\"a\": {\"b\": \"kim\"}, \"A\": 1}",
    "[\"abc\",7]",
    "[]",
    "{}",
    "{\"a\":1,\"a\":\"abc\"}",
    "\"kim\"",
    "{\"a\":",
    "[1,2",
    "YWJj",
    "eGFiY3g=",
    "eHhhYmM=",
    "YQBiAGMA",
    "AGEAYgBj",
    "//5hAGIAYwA=",
    "a\0b\0c\0",
    "10.0.0.7",
    "10.0.0.7",
    "2001:db8::1",
    "10.0.0.7:443",
    "2026-03-02T05:06:07Z",
    "\u{fffd}",
    "a.b",
    "abcabcabcabcabcabcabc",
];

/// Addresses, lists of them, and what only looks like one.
const ADDRESSES: &[&str] = &[
    "10.0.0.7",
    "10.0.0.7",
    "10.1.2.3",
    "192.168.7.1",
    "2001:db8::1",
    "2001:DB8:0:0::1",
    "10.0.0.7:443",
    "[2001:db8::1]:443",
    "10.0.0.7, 192.168.7.1",
    "8.8.8.8,10.0.0.7:1",
    "010.0.0.7",
    "10.0.0",
    " 10.0.0.7",
    "::ffff:10.0.0.7",
];

/// Times in the forms that Azure writes, and others.
const TIMES: &[&str] = &[
    "2026-03-02T05:06:07Z",
    "2026-03-02T05:06:07.1234567Z",
    "2026-03-02T05:06:07+02:00",
    "2026-03-02 05:06:07",
    "3/2/2026 5:06:07 AM",
    "2026-03-02",
    "1772427967",
    "1772427967000",
    "Mon Mar  2 05:06:07 2026",
    "05:06",
    "2026-13-40T25:00:00Z",
];

/// A key of a record.
pub(crate) fn key() -> impl Strategy<Value = String> {
    select(KEYS).prop_map(str::to_owned)
}

/// A text of a record.
pub(crate) fn text() -> BoxedStrategy<String> {
    let pool = || select(TEXTS).prop_map(str::to_owned);
    prop_oneof![
        60 => pool(),
        10 => (pool(), pool()).prop_map(|(a, b)| a + &b),
        8 => "[abcABC. ]{0,6}",
        4 => "[a-cÀ-ÿ\u{130}\u{131}\u{3a3}-\u{3c3}\u{1f600}]{0,5}",
        6 => address(),
        6 => time(),
        // As long as a word of the processor, and across several.
        5 => (pool(), 0_usize..140).prop_map(|(text, pad)| "x".repeat(pad) + &text),
        3 => (0_usize..70).prop_map(|count| "\\".repeat(count) + "abc"),
        3 => (0_usize..70).prop_map(|count| "abc".to_owned() + &"\"\\".repeat(count)),
        1 => (pool(), 500_usize..1500).prop_map(|(text, count)| text.repeat(count)),
    ]
    .boxed()
}

/// An address, or something like one.
pub(crate) fn address() -> impl Strategy<Value = String> {
    select(ADDRESSES).prop_map(str::to_owned)
}

/// A time, or something like one.
pub(crate) fn time() -> impl Strategy<Value = String> {
    select(TIMES).prop_map(str::to_owned)
}

/// A value as a rule writes it: a text of the pool or a part of it, and wildcards.
pub(crate) fn asked() -> BoxedStrategy<String> {
    let part = (select(TEXTS), any::<[prop::sample::Index; 2]>()).prop_map(|(text, ends)| {
        let chars: Vec<char> = text.chars().collect();
        let [from, to] = ends.map(|end| end.index(chars.len() + 1));
        chars[from.min(to)..from.max(to)].iter().collect::<String>()
    });
    let plain = prop_oneof![
        3 => select(&["abc", "kim", "root"][..]).prop_map(str::to_owned),
        5 => select(TEXTS).prop_map(str::to_owned),
        4 => part,
        1 => "[abc.]{0,3}",
    ]
    .boxed();
    let wild = (
        plain.clone(),
        any::<prop::sample::Index>(),
        select(&["*", "?", "\\*", "\\?", "\\"][..]),
    );
    prop_oneof![
        10 => plain.clone(),
        2 => plain.clone().prop_map(|text| format!("*{text}")),
        2 => plain.clone().prop_map(|text| format!("{text}*")),
        2 => plain.clone().prop_map(|text| format!("*{text}*")),
        2 => (plain.clone(), plain.clone()).prop_map(|(a, b)| format!("{a}*{b}")),
        1 => (plain.clone(), plain).prop_map(|(a, b)| format!("*{a}*{b}*")),
        2 => wild.prop_map(|(text, at, mark)| {
            let mut parts: Vec<String> = text.chars().map(String::from).collect();
            let at = at.index(parts.len() + 1);
            // In the place of a character, so that `?` has a chance.
            if mark == "?" && at < parts.len() {
                mark.clone_into(&mut parts[at]);
            } else {
                parts.insert(at, mark.to_owned());
            }
            parts.concat()
        }),
    ]
    .boxed()
}
