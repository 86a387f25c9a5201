//! More rules on the same fields: copies whose literals no record has.
//!
//! This is the hard case of many rules. SigmaHQ's own 3,141 are the easy one: nearly all of them name fields
//! that Azure records do not have.

/// Copy number `number` of a rule; number 0 is the rule itself.
pub(super) fn copy(rule: &str, number: usize) -> String {
    if number == 0 {
        return rule.to_owned();
    }
    let mut inside = false;
    let lines = rule.split('\n').map(|line| {
        if line.starts_with(char::is_whitespace) || line.is_empty() {
            let is_condition = line.trim_start().starts_with("condition:");
            return if inside && !is_condition {
                detection(line, number)
            } else {
                line.to_owned()
            };
        }
        inside = line.starts_with("detection:");
        top_level(line, number)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A copy has a title and an id of its own, and is related to nothing.
fn top_level(line: &str, number: usize) -> String {
    if let Some(title) = line.strip_prefix("title:") {
        return format!("title:{title} {number}");
    }
    if let Some(id) = line.strip_prefix("id: ") {
        let rest = id.trim().get(8..).unwrap_or_default();
        return format!("id: {number:08x}{rest}");
    }
    if line.starts_with("related:") {
        return "x-related:".to_owned();
    }
    line.to_owned()
}

/// A line of the detection with its literal changed, if it has one.
fn detection(line: &str, number: usize) -> String {
    let unindented = line.trim_start();
    let item = unindented.strip_prefix("- ");
    let from_key = item.unwrap_or(unindented);
    let value = match (key_length(from_key), item) {
        (Some(length), _) => from_key.split_at(length).1.trim_start(),
        (None, Some(item)) => item,
        (None, None) => "",
    };
    if value.is_empty() {
        return line.to_owned();
    }
    let (before, value) = line.split_at(line.len() - value.len());
    format!("{before}{}", literal(value, number))
}

/// Bytes of the key that a line begins with, its colon among them.
fn key_length(text: &str) -> Option<usize> {
    let (key, value) = text.split_once(':')?;
    let is_key = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.|".contains(c))
        && (value.is_empty() || value.starts_with(char::is_whitespace));
    is_key.then_some(key.len() + 1)
}

/// A literal that no record has, with about the length and the same beginning.
fn literal(value: &str, number: usize) -> String {
    let value = value.trim();
    let quoted = ["'", "\""].into_iter().find_map(|quote| {
        let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
        Some((quote, inner))
    });
    let (quote, text) =
        quoted.unwrap_or_else(|| ("", value.split_once(" #").map_or(value, |(text, _)| text)));
    match text {
        "null" => return "null".to_owned(),
        "[]" | "" | "true" | "false" => return format!("'zz{number}'"),
        _ => {}
    }
    if text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(old) = text.parse::<usize>()
    {
        return format!("{quote}{}{quote}", old + 1_000_000 + number);
    }
    let two_thirds = (text.chars().count() * 2 / 3).max(1);
    let cut = text
        .char_indices()
        .nth(two_thirds)
        .map_or(text.len(), |(at, _)| at);
    let (head, tail) = text.split_at(cut);
    format!("{quote}{head}Q{number}{tail}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "\
title: A
id: 5496ff55-42ec-4369-81cb-00f417029e25
related:
    - id: x
detection:
    selection:
        field|contains:
            - 'abcdef'
            - 50053
        other: null
        - third: true # not fourth
    condition: selection
level: low
";

    #[test]
    fn a_copy_differs_in_every_literal_and_in_its_name() {
        let expected = "\
title: A 7
id: 00000007-42ec-4369-81cb-00f417029e25
x-related:
    - id: x
detection:
    selection:
        field|contains:
            - 'abcdQ7ef'
            - 1050060
        other: null
        - third: 'zz7'
    condition: selection
level: low
";
        assert_eq!(copy(RULE, 7), expected);
    }

    #[test]
    fn the_first_copy_is_the_rule() {
        assert_eq!(copy(RULE, 0), RULE);
    }
}
