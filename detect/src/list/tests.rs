use proptest::prelude::*;

use super::*;
use crate::casing::fold;

fn file(format: Format, text: &str) -> ListFile {
    ListFile {
        name: Arc::from("lists/l.x"),
        format,
        bytes: text.as_bytes().to_vec(),
    }
}

fn list(format: Format, text: &str) -> List {
    List::read(file(format, text), None).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Line, column and kind of everything that is wrong.
fn wrong(format: Format, text: &str, column: Option<&str>) -> Vec<(u32, u32, &'static str)> {
    let problems = List::read(file(format, text), column).expect_err("refused");
    problems
        .iter()
        .map(|one| (one.place.line, one.place.column, one.kind))
        .collect()
}

fn holds(list: &List, value: &str) -> bool {
    list.holds(value, &fold(value), false)
}

fn holds_cased(list: &List, value: &str) -> bool {
    list.holds(value, &fold(value), true)
}

const ENTRIES: &str = "\u{feff}# Known bad
Kim@Contoso.example   # since March
10.0.0.0/8
 203.0.113.7
2001:DB8::/32
*.evil.example
.Bad.example
C#

a b\r
";

#[test]
fn an_entry_is_what_it_looks_like() {
    let list = list(Format::Txt, ENTRIES);
    for value in [
        "kim@contoso.EXAMPLE",
        "10.255.0.1",
        "203.0.113.7",
        "2001:db8:0:0::1",
        "evil.example",
        "a.b.EVIL.example",
        "kim@evil.example",
        "x.bad.example",
        "c#",
        "A B",
    ] {
        assert!(holds(&list, value), "{value}");
    }
    for value in [
        "kim@contoso.example.org",
        "kim@contoso",
        "11.0.0.1",
        "203.0.113.70",
        "2001:db9::1",
        "notevil.example",
        "evil.example.org",
        "example",
        "# Known bad",
        "c",
        "",
    ] {
        assert!(!holds(&list, value), "{value}");
    }
    assert_eq!(list.len(), 8);
}

#[test]
fn case_counts_where_it_is_asked_for() {
    let list = list(Format::Txt, "Kim\nkim\nLEE\n.Evil.example\n");
    for (value, folded, cased) in [
        ("Kim", true, true),
        ("kim", true, true),
        ("KIM", true, false),
        ("LEE", true, true),
        ("Lee", true, false),
        ("a.Evil.example", true, true),
        ("a.evil.example", true, false),
    ] {
        let found = (holds(&list, value), holds_cased(&list, value));
        assert_eq!(found, (folded, cased), "{value}");
    }
}

#[test]
fn columns_of_csv_are_lists_by_their_name() {
    let text = "name, owner,note\r\n\"Vault, \"\"A\"\"\",kim,\"two\nlines\"\r\nvm1,,x\nvm2,lee\n";
    let first = list(Format::Csv, text);
    assert!(holds(&first, "vault, \"a\"") && holds(&first, "VM1") && holds(&first, "vm2"));
    assert!(!holds(&first, "name") && !holds(&first, "kim") && first.len() == 3);
    let owners = List::read(file(Format::Csv, text), Some("owner")).expect("a column");
    assert!(holds(&owners, "kim") && holds(&owners, "lee") && owners.len() == 2);
    assert_eq!(
        wrong(Format::Csv, text, Some("ower")),
        [(1, 1, "invalid-value")]
    );
    assert_eq!(
        wrong(Format::Txt, "a", Some("b")),
        [(1, 1, "invalid-value")]
    );
}

#[test]
fn lists_in_yaml_may_say_what_their_entries_are() {
    let plain = list(Format::Yml, "[a, 5, '10.0.0.0/8', '*.evil.example']");
    assert!(
        ["A", "5", "10.1.1.1", "x.evil.example"]
            .iter()
            .all(|v| holds(&plain, v))
    );
    let exact = list(
        Format::Yml,
        "{kind: exact, entries: ['*.evil.example', '10.0.0.0/8']}",
    );
    assert!(holds(&exact, "*.evil.example") && holds(&exact, "10.0.0.0/8"));
    assert!(!holds(&exact, "x.evil.example") && !holds(&exact, "10.1.1.1"));
    let suffix = list(Format::Yml, "{kind: suffix, entries: [contoso.example]}");
    assert!(holds(&suffix, "kim@contoso.example") && !holds(&suffix, "xcontoso.example"));
    for (text, place) in [
        ("{kind: cidr, entries: [10.0.0.1/8]}", (1, 24)),
        ("{kind: cidr, entries: [a]}", (1, 24)),
        ("{kind: other, entries: [a]}", (1, 8)),
        ("{entries: [a], more: 1}", (1, 16)),
        ("{entries: a}", (1, 1)),
        ("[1.10]", (1, 2)),
        ("[a, [b]]", (1, 5)),
        ("['']", (1, 2)),
        ("a", (1, 1)),
    ] {
        let (line, column) = place;
        let found = wrong(Format::Yml, text, None);
        assert_eq!(found, [(line, column, "invalid-value")], "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_refuses_the_list() {
    let long = "x".repeat(ENTRY_BYTES_MAX + 1);
    for (text, line, column) in [
        ("a\n 10.0.0.1/8\n", 2, 2),
        ("a\nb\n10.0.0.0/33", 3, 1),
        ("é *evil*", 1, 1),
        ("a\tb", 1, 1),
        (&long, 1, 1),
    ] {
        let found = wrong(Format::Txt, text, None);
        assert_eq!(found, [(line, column, "invalid-value")], "{text}");
    }
    let csv = "h\n\"a\nb\"\n10.0.0.1/8\n";
    assert_eq!(wrong(Format::Csv, csv, None)[1], (4, 1, "invalid-value"));
    assert_eq!(
        wrong(Format::Csv, "h\n\"a", None),
        [(2, 1, "invalid-value")]
    );
    let bytes = ListFile {
        bytes: b"a\nb\xff".to_vec(),
        ..file(Format::Txt, "")
    };
    let problems = List::read(bytes, None).expect_err("refused");
    assert_eq!((problems.len(), problems[0].place.line), (1, 2));
    let many = wrong(Format::Txt, &"*\n".repeat(1_000), None);
    assert_eq!(many.len(), LIST_PROBLEMS_MAX);
}

#[test]
fn a_list_beyond_the_limit_is_refused_and_one_at_it_is_small() {
    // Entries as long as a SHA-256 hash; the numbers go backwards so that sorting has work to do.
    let line = |n: usize| format!("{n:064x}\n");
    let count = 100_000;
    let text: String = (0..count).rev().map(line).collect();
    let list = list(Format::Txt, &text);
    assert_eq!(list.len(), count);
    assert!(holds(&list, line(0).trim()) && holds(&list, line(count - 1).trim()));
    assert!(!holds(&list, line(count).trim()));
    // What a million of them may take, by the share of them here.
    let most = (100 << 20) / (LIST_ENTRIES_MAX / count);
    assert!(list.bytes() <= most, "{} of {most} bytes", list.bytes());

    let full: String = "1\n".repeat(LIST_ENTRIES_MAX);
    assert!(List::read(file(Format::Txt, &full), None).is_ok());
    let over = full + "1\n";
    assert_eq!(wrong(Format::Txt, &over, None), [(1, 1, "limit-exceeded")]);
}

#[test]
fn no_name_leads_out_of_the_folder() {
    for name in ["a", "tor_exits-2", "assets.owner", "assets.Owner of it.x"] {
        assert!(parts(name).is_some(), "{name}");
    }
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    for name in [
        "", ".", "..", "../a", "a/b", "a\\b", ".a", "a.", "ä", "a b", "a.b\n", &long,
    ] {
        assert!(parts(name).is_none(), "{name}");
    }
}

/// The obvious reading of entries that look like a whole value or a suffix.
fn obvious(entries: &[String], value: &str, cased: bool) -> bool {
    let seen = |text: &str| {
        if cased {
            text.to_owned()
        } else {
            fold(text).into_owned()
        }
    };
    let value = seen(value);
    entries.iter().map(|entry| seen(entry)).any(|entry| {
        let suffix = entry.strip_prefix("*.").or(entry.strip_prefix('.'));
        match suffix.filter(|suffix| !suffix.is_empty()) {
            None => value == entry,
            Some(suffix) => {
                value == suffix
                    || value.ends_with(&format!(".{suffix}"))
                    || value.ends_with(&format!("@{suffix}"))
            }
        }
    })
}

proptest! {
    #[test]
    fn a_list_holds_what_a_plain_search_finds(
        entries in prop::collection::vec("(\\*\\.|\\.)?[aAbBk\u{212a}ß.@é]{0,3}[aAk]", 0..30),
        values in prop::collection::vec("[aAbBk\u{212a}ß.@é]{0,6}", 0..30),
    ) {
        let list = list(Format::Txt, &entries.join("\n"));
        for value in values.iter().chain(&entries) {
            prop_assert_eq!(holds(&list, value), obvious(&entries, value, false), "{}", value);
            prop_assert_eq!(holds_cased(&list, value), obvious(&entries, value, true), "{}", value);
        }
    }

    #[test]
    fn a_list_holds_the_addresses_of_its_ranges(
        nets in prop::collection::vec((any::<u32>(), 20_u8..=32), 0..20),
        near in prop::collection::vec((0_usize..20, -600_i64..600), 0..40),
    ) {
        let nets: Vec<ipnet::Ipv4Net> = nets
            .iter()
            .map(|(address, length)| {
                let net = ipnet::Ipv4Net::new(std::net::Ipv4Addr::from(*address), *length);
                net.expect("a length of at most 32").trunc()
            })
            .collect();
        let text: Vec<String> = nets.iter().map(ToString::to_string).collect();
        let list = list(Format::Txt, &text.join("\n"));
        for (at, shift) in near {
            let Some(net) = nets.get(at) else { continue };
            let bits = i64::from(net.network().to_bits()) + shift;
            let Ok(bits) = u32::try_from(bits) else { continue };
            let address = std::net::Ipv4Addr::from(bits);
            let expected = nets.iter().any(|net| net.contains(&address));
            prop_assert_eq!(holds(&list, &address.to_string()), expected, "{}", address);
        }
    }
}

/// Lines and codes of what is doubted.
fn doubted(format: Format, text: &str) -> Vec<(u32, &'static str)> {
    let list = list(format, text);
    let doubts = list.doubts().iter();
    doubts.map(|one| (one.place.line, one.code)).collect()
}

#[test]
fn whole_values_that_look_like_addresses_are_doubted() {
    for entry in [
        "0/0",
        "10/8",
        "1.2.3/8",
        "01.2.3.4",
        "256.1.1.1",
        "01.2.3.4/8",
        "2001:db8:::/32",
        "192.0.2.1-192.0.2.9",
        "2001:db8::1 - 2001:db8::f",
    ] {
        let text = format!("kim\n{entry}\n");
        assert_eq!(doubted(Format::Txt, &text), [(2, "PAL0353")], "{entry}");
        let text = format!("[kim, '{entry}']\n");
        assert_eq!(doubted(Format::Yml, &text), [(1, "PAL0353")], "{entry}");
        let text = format!("h\n\"{entry}\"\n");
        assert_eq!(doubted(Format::Csv, &text), [(2, "PAL0353")], "{entry}");
        let text = format!("{{kind: exact, entries: ['{entry}']}}\n");
        assert_eq!(doubted(Format::Yml, &text), [], "{entry}");
    }
    for entry in [
        "1.2.3",
        "1.2.3.4.5",
        "10.0.0.1",
        "10.0.0.0/8",
        "::1",
        "a/1",
        "/8",
        "1/2/3",
        "1234/8",
        "aa:bb:cc:dd:ee:ff",
        "12:30:00",
        "kim-lee",
        "1-2",
        "contoso.example",
    ] {
        assert_eq!(doubted(Format::Txt, entry), [], "{entry}");
        let text = format!("['{entry}']\n");
        assert_eq!(doubted(Format::Yml, &text), [], "{entry}");
    }
}

#[test]
fn doubts_are_counted_beyond_the_limit_and_an_empty_list_is_one() {
    let many = list(Format::Txt, &"10/8\n".repeat(LIST_PROBLEMS_MAX + 5));
    assert_eq!(many.doubts().len(), LIST_PROBLEMS_MAX);
    let last = &many.doubts()[LIST_PROBLEMS_MAX - 1].message;
    assert!(
        last.ends_with("(and 5 more of this kind in the file)"),
        "{last}"
    );
    for (format, text) in [
        (Format::Txt, ""),
        (Format::Txt, "# later\n\n"),
        (Format::Csv, "host,owner\n"),
        (Format::Yml, "[]\n"),
        (Format::Yml, "{kind: cidr, entries: []}\n"),
    ] {
        assert_eq!(doubted(format, text), [(1, "PAL0354")], "{text:?}");
    }
}
