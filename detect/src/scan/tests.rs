use proptest::prelude::*;

use super::*;

/// Quotes and pairs of brackets.
type Marks = (Vec<usize>, Vec<(u32, u32, u32)>);

/// What an index says, read byte by byte.
fn by_bytes(bytes: &[u8]) -> Option<Marks> {
    let (mut quotes, mut pairs, mut open) = (Vec::new(), Vec::new(), Vec::new());
    let (mut inside, mut escaped) = (false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            0x20.. if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'\\' => return None,
            0..0x20 if inside => return None,
            b'"' => {
                quotes.push(at);
                inside = !inside;
            }
            b'{' | b'[' if !inside => {
                open.push((pairs.len(), *byte, 1));
                pairs.push((u32::try_from(at).unwrap(), 0, 0));
            }
            b'}' | b']' if !inside => {
                let (pair, opened, height): (usize, u8, u32) = open.pop()?;
                if opened + 2 != *byte {
                    return None;
                }
                pairs[pair].1 = u32::try_from(at).unwrap();
                pairs[pair].2 = height;
                if let Some(around) = open.last_mut() {
                    around.2 = around.2.max(height + 1);
                }
            }
            _ => {}
        }
    }
    (!inside && open.is_empty()).then_some((quotes, pairs))
}

fn by_index(index: &Index) -> (Vec<usize>, Vec<(u32, u32, u32)>) {
    let mut quotes = Vec::new();
    let mut at = index.next_quote(0);
    while at < index.len {
        quotes.push(at);
        at = index.next_quote(at + 1);
    }
    let height = |pair| {
        let (index, payload) = (index, [].as_slice());
        let marked = Marked {
            index,
            payload,
            pair,
        };
        let height = u32::try_from(marked.height()).unwrap();
        assert!(index.depth >= height);
        height
    };
    let pairs = index.pairs().iter().zip(0..);
    let pairs = pairs.map(|(p, number)| (p.open, p.close, height(number)));
    (quotes, pairs.collect())
}

fn check(bytes: &[u8]) {
    let wanted = by_bytes(bytes);
    let (mut fast, mut portable) = (Index::default(), Index::default());
    // What is left of a payload before must not be seen.
    let before = r#"{"a":[[],{},"b"]}"#.repeat(bytes.len() % 7 * 5);
    fast.read(before.as_bytes()).unwrap();
    let read = fast.read(bytes);
    assert_eq!(read.is_ok(), wanted.is_some(), "{bytes:?}");
    let read = portable.mark(bytes, marks::run_portable);
    assert_eq!(read.is_ok(), wanted.is_some(), "{bytes:?}");
    let Some(wanted) = wanted else { return };
    assert_eq!(by_index(&fast), wanted);
    assert_eq!(by_index(&portable), wanted);
    assert_eq!(fast.is_ascii(), bytes.is_ascii());
    assert_eq!(portable.is_ascii(), bytes.is_ascii());
    assert_eq!(fast.has_backslashes(), bytes.contains(&b'\\'));
    assert_eq!(portable.has_backslashes(), bytes.contains(&b'\\'));
    for (place, pair) in fast.pairs().iter().enumerate() {
        let next = fast
            .pairs()
            .iter()
            .position(|other| other.open > pair.close);
        assert_eq!(pair.next as usize, next.unwrap_or(fast.pairs().len()));
        assert!(pair.next as usize > place);
    }
}

#[test]
fn runs_of_backslashes_over_the_border_of_a_block_escape_every_second_byte() {
    for run in 0..70 {
        for before in 55..75 {
            let mut text = vec![b'x'; before];
            text[0] = b'"';
            text.extend(std::iter::repeat_n(b'\\', run));
            text.extend(br#"" , {"a":[]}"#);
            check(&text);
            text.push(b'"');
            check(&text);
        }
    }
}

#[test]
fn brackets_of_the_wrong_kind_and_open_ends_are_unsound() {
    for text in [
        "{]",
        "[}",
        "{",
        "]",
        "[[]",
        "\"",
        r#"{"a":"}"#,
        r"\",
        r#"{\"a":1}"#,
    ] {
        assert_eq!(
            Index::default().read(text.as_bytes()),
            Err(Unsound),
            "{text}"
        );
    }
    for text in ["", "{}", r#"{"]":"\""}"#, "[{},{}] {}"] {
        assert_eq!(Index::default().read(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn an_index_forgets_what_it_read_before() {
    let mut index = Index::default();
    index.read(r#"[[["é\n"]]]"#.as_bytes()).unwrap();
    assert!(!index.is_ascii() && index.has_backslashes());
    assert_eq!(index.read(b"{"), Err(Unsound));
    index.read(b"{}").unwrap();
    assert!(index.is_ascii() && !index.has_backslashes());
    assert_eq!(index.pairs().len(), 1);
    assert_eq!(index.next_quote(0), 64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_text_is_what_the_standard_library_takes_for_it(
        parts in prop::collection::vec(("[a-z]{0,70}|[é€𝄞]{1,3}", prop::option::of(any::<u8>())), 0..8),
    ) {
        let mut bytes = Vec::new();
        for (text, byte) in parts {
            bytes.extend(text.bytes());
            bytes.extend(byte);
        }
        assert_eq!(is_text(&bytes), std::str::from_utf8(&bytes).is_ok());
    }

    #[test]
    fn both_ways_say_what_the_bytes_say(
        text in proptest::collection::vec(
            prop::sample::select("\"\"\\\\{}[]a,: é\n\0".as_bytes().to_vec()),
            0..200,
        ),
    ) {
        check(&text);
    }

    #[test]
    fn sound_text_is_read_alike(
        parts in proptest::collection::vec(
            prop::sample::select(vec!["{}", "[]", r#""\\""#, r#""a{\"""#, "1", r#"{"k":[{}]}"#, " ", "é"]),
            0..40,
        ),
    ) {
        check(format!("[{}]", parts.join(",")).as_bytes());
    }
}

#[test]
fn bytes_are_text_wherever_a_letter_or_half_of_one_stands() {
    for letter in ["é", "€", "𝄞"] {
        for len in [60, 64, 65, 130, 200] {
            for at in 0..len {
                let mut text = vec![b'x'; len];
                text.splice(at..at, letter.bytes());
                assert!(is_text(&text), "{letter} at {at} of {len}");
                for place in at..at + letter.len() {
                    for byte in [b'x', 0xC3, 0x80, 0xFF] {
                        let mut other = text.clone();
                        other[place] = byte;
                        assert_eq!(is_text(&other), std::str::from_utf8(&other).is_ok());
                    }
                    assert!(!is_text(&text[..place]) || place == at);
                }
            }
        }
    }
}
