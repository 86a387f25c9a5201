use super::super::value::tests::{mended, said};

#[test]
fn fixes_write_what_means_the_same() {
    for (code, before, after) in [
        ("PAL1540", "    A|re: 'abc'", "    A|contains|cased: 'abc'"),
        ("PAL1540", "    A|re|i: '^abc'", "    A|startswith: 'abc'"),
        (
            "PAL1540",
            r"    A|re: 'a\.c$'",
            "    A|endswith|cased: 'a.c'",
        ),
        ("PAL1540", "    A|re|i: '^abc$'", "    A: 'abc'"),
        ("PAL1540", "    A|re: '(?i)^abc$'", "    A: 'abc'"),
        (
            "PAL1540",
            r"    A|re|i: 'a\*\\'",
            r"    A|contains: 'a\*\\'",
        ),
        (
            "PAL1540",
            "    A|re|i|all: ['a', 'b']",
            "    A|contains|all: ['a', 'b']",
        ),
        ("PAL1541", "    A|re: '.*a+'", "    A|re: 'a+'"),
        ("PAL1541", "    A|re: '(?i).*?a+'", "    A|re: '(?i)a+'"),
        ("PAL1541", "    A|re: 'a+.*'", "    A|re: 'a+'"),
        ("PAL1544", "    A|re: '(?i)a+'", "    A|re|i: 'a+'"),
        ("PAL1544", "    A|re|i: '(?i)a+'", "    A|re|i: 'a+'"),
        ("PAL1547", r"    A|re|i: '\d+'", r"    A|re: '\d+'"),
        ("PAL1547", "    A|re|i|s: 'a+'", "    A|re|i: 'a+'"),
    ] {
        assert_eq!(mended(code, before), after, "{before}");
    }
}

#[test]
fn expressions_that_say_more_are_left_alone() {
    for (code, entry) in [
        ("PAL1540", "    A|re: 'a+'"),
        ("PAL1540", "    A|re: ['a', 'b+']"),
        ("PAL1540", "    A|re|m: '^a'"),
        ("PAL1540", "    A|re: '(?i)a(?-i)b'"),
        ("PAL1540", "    A|re: '(?x) a b'"),
        ("PAL1541", r"    A|re: '^.*a+\.*'"),
        ("PAL1541", "    A|re: 'a+.+'"),
        ("PAL1541", "    A|re: '.*'"),
        ("PAL1542", "    A|re: '^a*$'"),
        ("PAL1542", "    A|re: 'a|b+'"),
        ("PAL1543", "    A|re: '^a|^b'"),
        ("PAL1543", "    A|re: '^(?:a|b)$'"),
        ("PAL1543", "    A|re: 'a|b'"),
        ("PAL1543", "    A|re: 'a+$|b$'"),
        ("PAL1545", "    A|re: '(?:a+b)+'"),
        ("PAL1545", "    A|re: '(?:a{2})+'"),
        ("PAL1546", r"    A|re: 'cmd\.exe'"),
        ("PAL1546", "    A|re: 'a.execute'"),
        ("PAL1546", "    A|re: '[ab].exe'"),
        ("PAL1547", "    A|re|i: 'a+'"),
        ("PAL1547", "    A|re|m: '^a'"),
        ("PAL1547", "    A|re|s: 'a.'"),
        ("PAL1547", r"    A|re|i: ['\d', 'a+']"),
    ] {
        assert_eq!(said(code, entry), [], "{code} {entry}");
    }
}

#[test]
fn expressions_with_a_flaw_are_found() {
    for (code, entry) in [
        ("PAL1540", "    A|re|i: \"^a\\u0062\""),
        ("PAL1542", "    A|re: '.*'"),
        ("PAL1542", "    A|re: '(a|b)?'"),
        ("PAL1543", "    A|re: '^a|b$'"),
        ("PAL1543", "    A|re: '^a|b|c'"),
        ("PAL1543", "    A|re: 'a|b$'"),
        ("PAL1545", "    A|re: 'x(a+)+'"),
        ("PAL1545", "    A|re: '((?:.*))*y'"),
        ("PAL1546", "    A|re: 'cmd.exe'"),
        ("PAL1546", "    A|re: 'x+cmd.exe '"),
    ] {
        assert_eq!(said(code, entry).len(), 1, "{code} {entry}");
    }
}
