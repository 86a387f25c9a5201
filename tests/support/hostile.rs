//! Rule folders that somebody made to hurt, for the tests that judge what is said about them and the
//! bench that takes time and memory.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

/// The rule that stands beside what hurts, and loads.
pub const GOOD: &str = "\
title: Good
id: 8f2c7a52-90c4-4b5e-bb0e-0b8b7f6d3f10
logsource: {product: azure}
detection: {s: {a: b}, condition: s}
";

/// A folder to make.
pub struct Hostile {
    /// What it is.
    pub name: &'static str,
    /// Writes it into an empty folder.
    pub make: fn(&Path),
    /// Code of the error that it gets; `None`: it loads.
    pub code: Option<&'static str>,
    /// What the error's message says, the limit among it.
    pub says: &'static str,
    /// Whether the good rule beside it loads.
    pub others_load: bool,
}

const fn refused(
    name: &'static str,
    code: &'static str,
    says: &'static str,
    make: fn(&Path),
) -> Hostile {
    Hostile {
        name,
        make,
        code: Some(code),
        says,
        others_load: true,
    }
}

const fn whole_set(
    name: &'static str,
    code: &'static str,
    says: &'static str,
    make: fn(&Path),
) -> Hostile {
    Hostile {
        others_load: false,
        ..refused(name, code, says, make)
    }
}

const fn loads(name: &'static str, make: fn(&Path)) -> Hostile {
    Hostile {
        name,
        make,
        code: None,
        says: "",
        others_load: true,
    }
}

/// All of them.
pub const ALL: &[Hostile] = &[
    refused("a file of 100 MB", "PAL0110", "1048576", |to| {
        let file = File::create(to.join("big.yml")).expect("a file");
        file.set_len(100 << 20).expect("a sparse file");
    }),
    refused("a file of 1 MiB and a byte", "PAL0110", "1048576", |to| {
        put(to, "big.yml", &padded((1 << 20) + 1));
    }),
    loads("a file of exactly 1 MiB", |to| {
        put(to, "big.yml", &padded(1 << 20));
    }),
    refused("an alias bomb", "PAL0113", "10000", |to| {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..10 {
            let before = n - 1;
            writeln!(
                text,
                "a{n}: &a{n} [{}]",
                vec![format!("*a{before}"); 10].join(", ")
            )
            .expect("text grows");
        }
        put(to, "bomb.yml", &text);
    }),
    refused("101 aliases", "PAL0112", "100", |to| {
        put(
            to,
            "aliases.yml",
            &rule(&format!("s: {{a: [&x y, {}]}}", vec!["*x"; 101].join(", "))),
        );
    }),
    loads("100 aliases", |to| {
        put(
            to,
            "aliases.yml",
            &rule(&format!("s: {{a: [&x y, {}]}}", vec!["*x"; 100].join(", "))),
        );
    }),
    refused("an anchor that holds itself", "PAL0105", "alias", |to| {
        put(to, "self.yml", "a: &a [*a]\n");
    }),
    refused("a nesting of 100,000 lists", "PAL0111", "100", |to| {
        put(
            to,
            "deep.yml",
            &format!("a: {}{}\n", "[".repeat(100_000), "]".repeat(100_000)),
        );
    }),
    refused("a nesting of 100,000 indents", "PAL0111", "100", |to| {
        put(
            to,
            "dashes.yml",
            &format!("a:\n {}x\n", "- ".repeat(100_000)),
        );
    }),
    refused("a condition of 10,000 brackets", "PAL0404", "100", |to| {
        let condition = format!("{}s{}", "(".repeat(10_000), ")".repeat(10_000));
        put(
            to,
            "brackets.yml",
            &GOOD
                .replace("condition: s", &format!("condition: '{condition}'"))
                .replace("8f2c", "0000"),
        );
    }),
    loads("patterns of exactly 64 KiB", |to| {
        for (n, (key, value)) in patterns(64 << 10).iter().enumerate() {
            put(
                to,
                &format!("pattern{n}.yml"),
                &rule(&format!("s: {{'{key}': '{value}'}}")),
            );
        }
    }),
    loads("a rule of 17,000 fields that nobody has", |to| {
        let entries = (0..17_000).map(|n| format!("    properties.unknown.field{n:06}: x\n"));
        put(
            to,
            "fields.yml",
            &rule(&format!("s:\n{}", entries.collect::<String>())),
        );
    }),
    loads("a rule of 17,000 entries about one field", |to| {
        let entries = (0..17_000).map(|n| format!("    - {{'field|contains': 'value {n:06}'}}\n"));
        put(
            to,
            "entries.yml",
            &rule(&format!("s:\n{}", entries.collect::<String>())),
        );
    }),
    refused(
        "an expression of 64 KiB and a byte",
        "PAL0306",
        "65536",
        |to| {
            over(to, 0);
        },
    ),
    refused("a value of 64 KiB and a byte", "PAL0314", "65536", |to| {
        over(to, 1);
    }),
    refused(
        "a value with wildcards of 64 KiB and a byte",
        "PAL0314",
        "65536",
        |to| {
            over(to, 2);
        },
    ),
    refused(
        "a part of a value of 64 KiB and a byte",
        "PAL0314",
        "65536",
        |to| {
            over(to, 3);
        },
    ),
    refused(
        "a field name of 4 KiB and a byte",
        "PAL0315",
        "4096",
        |to| {
            put(
                to,
                "field.yml",
                &rule(&format!("s: {{'{}': x}}", "a".repeat(4_097))),
            );
        },
    ),
    refused("a field name of 101 parts", "PAL0315", "100", |to| {
        let name = vec!["a"; 101].join(".");
        put(to, "field.yml", &rule(&format!("s: {{{name}: x}}")));
    }),
    refused("a field name of 200,000 parts", "PAL0315", "4096", |to| {
        let name = vec!["a"; 200_000].join(".");
        put(
            to,
            "field.yml",
            &rule(&format!("s:\n    ? {name}\n    : x")),
        );
    }),
    loads("a field name of 100 parts, and one of 4 KiB", |to| {
        let (parts, long) = (vec!["a"; 100].join("."), "a".repeat(4_096));
        put(
            to,
            "field.yml",
            &rule(&format!("s: {{? {parts} : x, ? {long} : y}}")),
        );
    }),
    refused("a keyword of 64 KiB and a byte", "PAL0314", "65536", |to| {
        over(to, 4);
    }),
    refused(
        "a pattern that compiles to gigabytes",
        "PAL0306",
        "10",
        |to| {
            put(
                to,
                "pattern.yml",
                &rule(r"s: {'a|re': '((\w{1,100}){1,100}){1,100}'}"),
            );
        },
    ),
    refused(
        "5,000 rules of an expression of 9 MiB each",
        "PAL0309",
        "134217728",
        |to| {
            let rules = |number: usize| {
                let each = (0..5).map(|at| {
                    format!(
                        "title: x\nlogsource: {{product: a}}\ndetection: {{s: {{'a|re': '{number}x{at}[ab]{{120000}}'}}, condition: s}}\n---\n"
                    )
                });
                each.collect::<String>()
            };
            for number in 0..1_000 {
                put(to, &format!("regex{number}.yml"), &rules(number));
            }
        },
    ),
    refused("look-around", "PAL0305", "look-around", |to| {
        put(to, "pattern.yml", &rule("s: {'a|re': '(?=a)b'}"));
    }),
    refused("NUL in a rule", "PAL0104", "U+0000", |to| {
        put(to, "nul.yml", &rule("s: {a: 'x\0y'}"));
    }),
    refused("an override in a comment", "PAL0108", "U+202E", |to| {
        put(to, "rlo.yml", &rule("s: {a: x} # \u{202e}y"));
    }),
    refused("NUL in a title", "PAL0213", "U+0000", |to| {
        let text = rule("s: {a: x}").replace("Hostile", "\"Hos\\0tile\"");
        put(to, "nul.yml", &text);
    }),
    refused("bytes that are no text", "PAL0102", "UTF-8", |to| {
        fs::write(to.join("bytes.yml"), b"title: \xff\xfe\n").expect("a file");
    }),
    refused("a circle of correlations", "PAL0504", "", |to| {
        let one = |name: &str, of: &str| {
            format!(
                "title: {name}\nname: {name}\ncorrelation: {{type: event_count, rules: [{of}], timespan: 1m, condition: {{gte: 2}}}}\n"
            )
        };
        put(
            to,
            "circle.yml",
            &format!(
                "{}---\n{}---\n{}",
                one("a", "b"),
                one("b", "c"),
                one("c", "a")
            ),
        );
    }),
    refused("a chain of 17 correlations", "PAL0505", "16", |to| {
        let mut text = GOOD
            .replace("8f2c", "0000")
            .replace("title", "name: r0\ntitle");
        for n in 1..=17 {
            let before = n - 1;
            write!(
                text,
                "---\ntitle: r{n}\nname: r{n}\ncorrelation: {{type: event_count, rules: [r{before}], timespan: 1m, condition: {{gte: 2}}}}\n"
            )
            .expect("text grows");
        }
        put(to, "chain.yml", &text);
    }),
    refused("a link to nowhere", "PAL0114", "cannot be read", |to| {
        symlink("nowhere", to.join("link.yml")).expect("a link");
    }),
    loads("a circle of links", |to| {
        symlink(to, to.join("again")).expect("a link");
    }),
    loads("twelve folders that link to each other", |to| {
        for from in 0..12 {
            let folder = to.join(format!("f{from}"));
            fs::create_dir(&folder).expect("a folder");
            for other in (0..12).filter(|other| *other != from) {
                let link = folder.join(format!("to{other}"));
                symlink(to.join(format!("f{other}")), link).expect("a link");
            }
        }
    }),
    loads("200,000 equal values on one line", |to| {
        let values = vec!["abc"; 200_000].join(",");
        put(to, "values.yml", &rule(&format!("s: {{f: [{values}]}}")));
    }),
    loads("100 times `not`", |to| {
        let condition = format!("condition: {}s", "not ".repeat(100));
        let text = rule("s: {f: x}").replace("condition: s", &condition);
        put(to, "not.yml", &text);
    }),
    refused("5,000 times `not`", "PAL0404", "100", |to| {
        let condition = format!("condition: {}s", "not ".repeat(5_000));
        let text = rule("s: {f: x}").replace("condition: s", &condition);
        put(to, "not.yml", &text);
    }),
    whole_set("100,000 rules in ten files", "PAL0210", "50000", |to| {
        many(to, 10, 10_000);
    }),
    whole_set("100,000 rules in as many files", "PAL0210", "50000", |to| {
        for n in 0..100_000 {
            put(to, &format!("{n}.yml"), "title: x\n");
        }
    }),
    whole_set("200 files of 1 MiB", "PAL0210", "134217728", |to| {
        for n in 0..200 {
            put(to, &format!("{n}.yml"), &padded(1 << 20));
        }
    }),
];

impl Hostile {
    /// Makes the folder, the good rule in it.
    pub fn make(&self, to: &Path) {
        put(to, "good.yml", GOOD);
        (self.make)(to);
    }
}

fn put(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("the file can be written");
}

/// A rule with this search.
fn rule(search: &str) -> String {
    format!(
        "title: Hostile\nlogsource: {{product: azure}}\ndetection:\n  {search}\n  condition: s\n"
    )
}

/// A key and a value of so many bytes for each way of comparing text.
fn patterns(bytes: usize) -> [(&'static str, String); 5] {
    let text = "x".repeat(bytes);
    let wild = format!("*{}*", "x".repeat(bytes - 2));
    [
        ("a|re", text.clone()),
        ("a", text.clone()),
        ("a", wild),
        ("a|contains", text.clone()),
        ("|contains", text),
    ]
}

/// A rule with a pattern of 64 KiB and a byte.
fn over(to: &Path, which: usize) {
    let (key, value) = &patterns((64 << 10) + 1)[which];
    put(
        to,
        "pattern.yml",
        &rule(&format!("s: {{'{key}': '{value}'}}")),
    );
}

/// A rule of so many bytes, most of them a comment.
fn padded(bytes: usize) -> String {
    let mut text = rule("s: {a: b}");
    while text.len() < bytes {
        let line = (bytes - text.len()).min(100);
        text.push('#');
        text.extend(std::iter::repeat_n('x', line.saturating_sub(2)));
        if line > 1 {
            text.push('\n');
        }
    }
    text
}

/// `files` files of `each` rules as short as a rule can be.
fn many(to: &Path, files: usize, each: usize) {
    let rule = "title: x\nlogsource: {product: a}\ndetection: {s: {a: b}, condition: s}\n---\n";
    for n in 0..files {
        put(to, &format!("{n}.yml"), &rule.repeat(each));
    }
}
