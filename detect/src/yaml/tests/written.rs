//! Every character of a value has the place in the file that holds it.

use super::super::*;

/// Characters that each style writes in a way of its own.
const LETTERS: [&str; 14] = [
    "a", "b", " ", "é", "'", "\"", "\\", "\n", "(", "*", "日", "a b", "\n\n", "  ",
];

/// Numbers that look drawn at random.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

/// The text with each line feed written as `fold`.
fn folded(text: &str, fold: &str) -> String {
    text.replace('\n', fold)
}

/// A file whose key `k` has a text in each of the styles.
fn files(text: &str, draw: &mut Draw) -> Vec<String> {
    let header = ["|", "|-", "|+", ">", ">-", ">+"][draw.below(6)];
    let end = ["\n", "\r\n"][draw.below(2)];
    let indent = " ".repeat(1 + draw.below(4));
    let fold = format!("{end}{}", " ".repeat(1 + draw.below(4)));
    let block = folded(text, &format!("{end}{indent}"));
    let escaped: String = text
        .chars()
        .map(|c| match (c, draw.below(4)) {
            ('"' | '\\', _) => format!("\\{c}"),
            ('\n', 0) => "\\n".to_owned(),
            ('\n', 1) => format!("\\{fold}"),
            ('\n', _) => fold.clone(),
            (_, 0) => format!("\\U{:08x}", u32::from(c)),
            _ => c.to_string(),
        })
        .collect();
    let single = folded(&text.replace('\'', "''"), &fold);
    let plain: String = text.replace(['"', '\'', '*'], "x");
    [
        format!("{header}{end}{indent}{block}{end}"),
        format!("'{single}'{end}"),
        format!("\"{escaped}\"{end}"),
        format!("p{}{end}", folded(&plain, &fold)),
    ]
    .map(|written| format!("first: é{end}k: {written}last: z{end}"))
    .into()
}

/// Whether what stands at a place is the character, or what is written for it.
fn holds(written: &str, c: char) -> bool {
    let white = |text: &str| text.chars().all(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
    let escape = written.strip_prefix('\\');
    written.starts_with(c) && written.chars().count() == 1
        || written == "''" && c == '\''
        || matches!(c, ' ' | '\n') && white(written)
        || escape.is_some_and(|after| {
            let number = after.strip_prefix('U');
            let number = number.and_then(|digits| u32::from_str_radix(digits, 16).ok());
            number == Some(u32::from(c))
                || after == c.to_string()
                || c == '\n' && (after == "n" || white(after))
        })
}

/// Line and column of a byte, counted from the start.
fn counted(text: &str, at: usize) -> (u32, u32) {
    let lead = text.get(..at).expect("borders");
    let line = lead.rsplit('\n').next().unwrap_or_default();
    let number = |count: usize| u32::try_from(count + 1).expect("small");
    (
        number(lead.matches('\n').count()),
        number(line.chars().count()),
    )
}

#[test]
fn every_character_of_a_value_has_the_place_that_holds_it() {
    let mut draw = Draw(7);
    let mut seen = 0;
    for _ in 0..4_000 {
        let length = draw.below(9);
        let text: String = (0..length).map(|_| LETTERS[draw.below(14)]).collect();
        for file in files(&text, &mut draw) {
            // Not all that is drawn is YAML, or has the value that it was drawn for.
            let Ok(roots) = parse("f.yml", file.as_bytes()) else {
                continue;
            };
            let node = roots[0].get("k").expect("present");
            let Some(value) = node.as_text() else {
                continue;
            };
            for (at, c) in value.char_indices() {
                let place = node.place_within(at..at + c.len_utf8());
                let written = file.get(place.span.clone()).expect("borders");
                // The end of the last line of a block may stand for the end of the file.
                let chomped = c == '\n' && written.is_empty();
                assert!(
                    chomped || holds(written, c),
                    "{file:?}: {c:?} at {written:?}"
                );
                assert_eq!(
                    (place.line, place.column),
                    counted(&file, place.span.start),
                    "{file:?}: {c:?}"
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 20_000, "{seen}");
}

#[test]
fn parts_of_texts_over_several_lines_stand_in_their_line() {
    let table = [
        ("k: a and\n  not nope\n", "nope", 2, 7),
        ("k: |\n  a and\n    nope\n", "nope", 3, 5),
        ("k: >-\n\n\n  a and\n  (nope)\n", "nope", 5, 4),
        ("k: |2-\n    \n   (ar\n", "(ar", 3, 4),
        ("k: 'it''s (ar'\n", "(ar", 1, 11),
        ("k: \"\\\\d(ar\"\n", "(ar", 1, 8),
        ("k: \"a \\\n  b nope\"\n", "nope", 2, 5),
        ("k: [x, &y a\n b nope]\n", "nope", 2, 4),
    ];
    for (text, part, line, column) in table {
        let root = &parse("f.yml", text.as_bytes()).expect("valid")[0];
        let node = root.get("k").expect("present");
        let node = node.as_seq().map_or(node, |items| &items[1]);
        let at = node
            .as_text()
            .and_then(|text| text.find(part))
            .expect("holds it");
        let place = node.place_within(at..at + part.len());
        assert_eq!((place.line, place.column), (line, column), "{text:?}");
        assert_eq!(text.get(place.span), Some(part), "{text:?}");
    }
}

#[test]
fn place_behind_a_text_follows_its_last_character() {
    for (text, line, column) in [
        ("k: a\n  and\n", 2, 6),
        ("k: |\n  a\n  and\nl: 1\n", 3, 6),
        ("k: >\n  and", 2, 6),
        ("k: \"a\\\"\"\n", 1, 8),
    ] {
        let root = &parse("f.yml", text.as_bytes()).expect("valid")[0];
        let node = root.get("k").expect("present");
        let end = node.as_text().map_or(0, str::len);
        let place = node.place_within(end..end);
        assert_eq!((place.line, place.column), (line, column), "{text:?}");
        assert!(place.span.is_empty(), "{text:?}");
    }
}

#[test]
fn place_in_a_text_of_many_blanks_is_found_at_once() {
    let blanks = " ".repeat(FILE_BYTES_MAX - 100);
    let text = format!("k: \"\\x61{blanks}b\"\n");
    let root = &parse("f.yml", text.as_bytes()).expect("valid")[0];
    let value = root.get("k").and_then(Node::as_text).map_or(0, str::len);
    let place = root
        .get("k")
        .expect("present")
        .place_within(value - 1..value);
    assert_eq!(text.get(place.span), Some("b"));
}
