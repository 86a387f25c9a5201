use std::fmt::Write;

use super::*;

/// The value without places, in flow style.
fn plain(node: &Node) -> String {
    match &node.value {
        Yaml::Null => "null".to_owned(),
        Yaml::Bool(value) => value.to_string(),
        Yaml::Int(value) => value.to_string(),
        Yaml::Float(value) => format!("{value:?}"),
        Yaml::Text(text) => format!("{text:?}"),
        Yaml::Seq(items) => format!(
            "[{}]",
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        ),
        Yaml::Map(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", plain(key), plain(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn read(text: &str) -> Vec<String> {
    let nodes = parse("f.yml", text.as_bytes()).expect("valid");
    nodes.iter().map(plain).collect()
}

/// Codes with line and column of everything that is wrong.
fn problems(bytes: &[u8]) -> Vec<(&'static str, u32, u32)> {
    parse("f.yml", bytes)
        .expect_err("invalid")
        .iter()
        .map(|d| (d.code, d.place.line, d.place.column))
        .collect()
}

/// Everything a scalar in `node` covers in the file, to compare with the text.
fn covered<'t>(text: &'t str, node: &Node) -> &'t str {
    text.get(node.place.span.clone())
        .expect("on character borders")
}

#[test]
fn documents_keep_their_order_and_empty_ones_are_left_out() {
    assert_eq!(
        read(
            "---\na: 1\n---\n---\n# only a comment\n---\n~\n---\nb: [x, 'y', \"z\\u00e9\"]\n...\n"
        ),
        ["{\"a\": 1}", "{\"b\": [\"x\", \"y\", \"zé\"]}"]
    );
    assert_eq!(read(""), Vec::<String>::new());
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_are_taken() {
    let text = "\u{feff}a: 1\r\nb: |-\r\n  x\r\n  y\r\nc: é\r\n";
    assert_eq!(read(text), ["{\"a\": 1, \"b\": \"x\\ny\", \"c\": \"é\"}"]);
    let node = &parse("f.yml", text.as_bytes()).expect("valid")[0];
    let (key, value) = node.entry("c").expect("present");
    assert_eq!((key.place.line, key.place.column), (5, 1));
    assert_eq!((covered(text, key), covered(text, value)), ("c", "é"));
    assert_eq!(covered(text, node.get("a").expect("present")), "1");
}

#[test]
fn places_of_keys_and_values_cover_their_text() {
    let text =
        "äöü: 'quoted'\nlist:\n  - plain text  # comment\n  - \"double\"\nmap: {k: v}\nnone:\n";
    let node = &parse("f.yml", text.as_bytes()).expect("valid")[0];
    let (key, value) = node.entry("äöü").expect("present");
    assert_eq!(
        (covered(text, key), covered(text, value)),
        ("äöü", "'quoted'")
    );
    assert_eq!((value.place.line, value.place.column), (1, 6));
    let list = node.get("list").and_then(Node::as_seq).expect("present");
    assert_eq!(covered(text, &list[0]), "plain text");
    assert_eq!(covered(text, &list[1]), "\"double\"");
    assert_eq!((list[1].place.line, list[1].place.column), (4, 5));
    assert_eq!(covered(text, &list[1].clone()), "\"double\"");
    assert_eq!(covered(text, node.get("map").expect("present")), "{k: v}");
}

#[test]
fn part_of_a_scalar_has_its_own_place() {
    let text = "a: 'é and b'\nc: x and y\nd: \"\\x41 b\"\n";
    let node = &parse("f.yml", text.as_bytes()).expect("valid")[0];
    let part = |key: &str, range: std::ops::Range<usize>| {
        let place = node.get(key).expect("present").place_within(range);
        (
            text.get(place.span.clone()).expect("borders").to_owned(),
            place.column,
        )
    };
    assert_eq!(part("a", 3..6), ("and".to_owned(), 7));
    assert_eq!(part("c", 2..5), ("and".to_owned(), 6));
    assert_eq!(part("d", 2..3), ("b".to_owned(), 10));
    assert_eq!(part("c", 2..99).0, "x and y");
}

#[test]
fn anchors_aliases_and_merge_keys_are_expanded() {
    assert_eq!(
        read("a: &x [1, 2]\nb: *x\n"),
        ["{\"a\": [1, 2], \"b\": [1, 2]}"]
    );
    assert_eq!(
        read("a: &x {k: 1, l: 2}\nb: {<<: *x, l: 3}\n"),
        ["{\"a\": {\"k\": 1, \"l\": 2}, \"b\": {\"k\": 1, \"l\": 3}}"]
    );
    assert_eq!(
        read("b: {<<: [{k: 1}, {k: 2, m: 3}], n: 4}\n'<<': 5\n"),
        ["{\"b\": {\"k\": 1, \"m\": 3, \"n\": 4}, \"<<\": 5}"]
    );
}

#[test]
fn problems_have_codes_and_places() {
    let table: [(&[u8], &str, u32, u32); 14] = [
        (b"a: 1\nb: 2\na: 3\n", "PAL0103", 3, 1),
        (b"0x1: 1\n1: 2\n", "PAL0103", 2, 1),
        (b"a: [\n", "PAL0101", 1, 5),
        (b"a:\n\tb: 1\n", "PAL0101", 2, 2),
        (b"a: *gone\n", "PAL0101", 1, 4),
        (b"a: &x [*x]\n", "PAL0105", 1, 8),
        (b"a: &x 1\n---\nb: *x\n", "PAL0105", 3, 4),
        (b"a: \xff\n", "PAL0102", 1, 4),
        (b"a: 1\nb: x\0y\n", "PAL0104", 2, 5),
        (b"a: \x1b[31m\n", "PAL0104", 1, 4),
        (b"[a]: 1\n", "PAL0106", 1, 1),
        (b"<<: 1\n", "PAL0106", 1, 1),
        (b"a: !!int x\n", "PAL0107", 1, 4),
        (b"a: !ruby/object x\n", "PAL0107", 1, 4),
    ];
    for (bytes, code, line, column) in table {
        assert_eq!(
            problems(bytes),
            [(code, line, column)],
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn all_keys_given_twice_are_reported_and_only_for_their_document() {
    let text = b"id: one\na: 1\na: 2\nb: {c: 1, c: 2}\n---\nid: two\n";
    assert_eq!(problems(text), [("PAL0103", 4, 11), ("PAL0103", 3, 1)]);
    let documents = parse_documents("f.yml", text).expect("syntax is right");
    assert_eq!(documents.len(), 2);
    assert_eq!(
        documents[0].root.get("id").and_then(Node::as_text),
        Some("one")
    );
    assert!(documents[1].problems.is_empty());
}

#[test]
fn tags_of_the_core_schema_decide_the_type() {
    assert_eq!(
        read("[!!str 1, !!float 1, !!int 2, ! 3, !!null '', !!bool true]"),
        ["[\"1\", 1.0, 2, \"3\", null, true]"]
    );
    assert_eq!(read("!!map {a: !!seq [1]}"), ["{\"a\": [1]}"]);
}

#[test]
fn limits_hold_exactly_at_their_values() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse("f.yml", nested(DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(problems(nested(DEPTH_MAX + 1).as_bytes())[0].0, "PAL0111");
    let aliases = |count: usize| format!("a: &x 1\nb: [{}]\n", vec!["*x"; count].join(", "));
    assert!(parse("f.yml", aliases(ALIASES_MAX).as_bytes()).is_ok());
    assert_eq!(
        problems(aliases(ALIASES_MAX + 1).as_bytes())[0].0,
        "PAL0112"
    );
    let nodes = |count: usize| format!("a: &x [{}]\nb: *x\n", vec!["1"; count].join(", "));
    assert!(parse("f.yml", nodes(EXPANDED_NODES_MAX - 1).as_bytes()).is_ok());
    assert_eq!(
        problems(nodes(EXPANDED_NODES_MAX).as_bytes())[0].0,
        "PAL0113"
    );
    let bytes = |count: usize| format!("a: &x {}\nb: [*x, *x]\n", "y".repeat(count));
    assert!(parse("f.yml", bytes(EXPANDED_BYTES_MAX / 2).as_bytes()).is_ok());
    assert_eq!(
        problems(bytes(EXPANDED_BYTES_MAX / 2 + 1).as_bytes())[0].0,
        "PAL0113"
    );
    let size = |count: usize| format!("a: {}", "y".repeat(count - 3));
    assert!(parse("f.yml", size(FILE_BYTES_MAX).as_bytes()).is_ok());
    assert_eq!(
        problems(size(FILE_BYTES_MAX + 1).as_bytes())[0].0,
        "PAL0110"
    );
}

#[test]
fn alias_bombs_and_deep_aliases_end_at_a_limit() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{items}]").expect("writes to text");
    }
    assert_eq!(problems(bomb.as_bytes())[0].0, "PAL0113");
    let half = "[".repeat(60);
    let rest = "]".repeat(60);
    let deep = format!("a: &x {half}{rest}\nb: {half}*x{rest}\n");
    assert_eq!(problems(deep.as_bytes())[0].0, "PAL0111");
}

#[test]
fn nesting_that_would_cost_the_parser_seconds_is_refused_at_once() {
    let line = format!("a:\n  {}x\n", "- ".repeat(100_000));
    assert_eq!(problems(line.as_bytes()), [("PAL0111", 2, 1)]);
    let wide = format!(
        "{}{}{}",
        "[".repeat(90),
        "x,".repeat(100_000),
        "]".repeat(90)
    );
    assert_eq!(problems(wide.as_bytes())[0].0, "PAL0111");
}

#[test]
fn document_over_a_limit_leaves_the_others_of_its_file() {
    let text = format!(
        "id: big\na: {}{}\n---\nid: small\n",
        "[".repeat(200),
        "]".repeat(200)
    );
    let documents = parse_documents("f.yml", text.as_bytes()).expect("syntax is right");
    let named: Vec<_> = documents
        .iter()
        .map(|d| (d.root.get("id").and_then(Node::as_text), d.problems.len()))
        .collect();
    assert_eq!(named, [(Some("big"), 1), (Some("small"), 0)]);
}

/// Line, column and covered bytes of the first problem, all of it in the file.
fn told(text: &str) -> (u32, u32, String) {
    let problem = parse("f.yml", text.as_bytes())
        .expect_err("invalid")
        .remove(0);
    assert_eq!(problem.code, "PAL0101", "{text:?}");
    let covered = text.get(problem.place.span.clone()).expect("borders");
    (problem.place.line, problem.place.column, covered.to_owned())
}

#[test]
fn problems_at_the_end_of_a_file_stand_behind_its_last_character() {
    for (text, line, column) in [
        ("a: 1\nx: [a\n", 2, 6),
        ("a: 1\nx: {a: b\n\n\n", 2, 9),
        ("a: 1\nx:y\n", 2, 4),
        ("\u{feff}ä: [é", 1, 6),
    ] {
        assert_eq!(told(text), (line, column, String::new()), "{text:?}");
    }
}

#[test]
fn escapes_and_tabs_that_yaml_refuses_stand_under_the_caret() {
    for (text, line, column, covered) in [
        ("a: \"b\\\\ \\q c\"\n", 1, 9, "\\q"),
        ("a: \"b\n  \\xZZ\"\n", 2, 3, "\\x"),
        ("a: \"\\é\"\n", 1, 5, "\\é"),
        ("k:\n  a: b\n  \tc: d\n", 3, 3, "\t"),
        ("a: b\n\tc\n", 2, 1, "\t"),
        ("a:\tb\n", 1, 3, "\t"),
        ("x: {a:\t5}\n", 1, 7, "\t"),
    ] {
        assert_eq!(told(text), (line, column, covered.to_owned()), "{text:?}");
    }
    let problem = &parse("f.yml", b"a:\tb\n").expect_err("invalid")[0];
    assert_eq!(
        problem.message,
        "file cannot be read: a tab stands behind the colon"
    );
    assert_eq!(
        problem.help.as_deref(),
        Some("write a space instead of the tab")
    );
}

mod written;
