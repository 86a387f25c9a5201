//! Rules of keywords, for every record of Azure: the dangerous kind, as each is looked for in all that a
//! record says.

use std::fmt::Write as _;

/// Keywords of one rule.
const A_RULE: usize = 10;

/// Stands in some records, so that there are alerts to compare.
const SAID: &str = "leakedCredentials";

/// What keywords are made of: words that no record says, so that what is measured is the search.
const PARTS: &[&str] = &[
    "mimikatz",
    "lsadump",
    "kerberoast",
    "wdigest",
    "psexesvc",
    "ntdsutil",
    "bcdedit",
    "rundll32",
    "vssadmin",
    "zerologon",
    "petitpotam",
    "juicypotato",
    "xorddos",
    "cobaltstrike",
    "bloodhound",
    "sqlmap",
    "wfuzz",
    "gobuster",
    "hydra",
    "jndi",
];

/// So many keywords, each in one rule of ten: names and text for files.
pub(super) fn rules(count: usize) -> Vec<(String, String)> {
    let mut number = numbers();
    let mut keywords: Vec<String> = (1..count)
        .map(|place| keyword(place, &mut number))
        .collect();
    keywords.push(SAID.to_owned());
    let rules = keywords.chunks(A_RULE).enumerate();
    rules
        .map(|(place, keywords)| rule(place, keywords))
        .collect()
}

/// One in ten has four or five letters, three in ten up to ten, the others up to thirty.
fn keyword(place: usize, number: &mut impl FnMut(usize) -> usize) -> String {
    let length = match place % 10 {
        0 => 4 + number(2),
        1..=3 => 6 + number(5),
        4..=7 => 11 + number(8),
        _ => 19 + number(12),
    };
    let mut keyword = String::new();
    while keyword.len() < length {
        if !keyword.is_empty() && number(4) == 0 {
            keyword.push(['/', '.', '-', ' '][number(4)]);
        }
        keyword.push_str(PARTS[number(PARTS.len())]);
    }
    keyword.truncate(length);
    keyword.trim_end().to_owned()
}

fn rule(place: usize, keywords: &[String]) -> (String, String) {
    let mut text = format!(
        "title: Keywords {place}\nid: {place:08x}-0000-4000-8000-000000000000\nlogsource:\n    \
         product: azure\ndetection:\n    keywords:\n"
    );
    for keyword in keywords {
        writeln!(text, "        - '{keyword}'").expect("a String takes all text");
    }
    text.push_str("    condition: keywords\nlevel: low\n");
    (format!("keywords_{place:04}.yml"), text)
}

/// Repeatable numbers.
fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 1_u64;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_keywords_are_made_as_are_asked_for_in_rules_of_ten() {
        let rules = rules(600);
        let keywords = |text: &str| text.matches("        - '").count();
        assert_eq!(rules.len(), 60);
        assert!(rules.iter().all(|(_, text)| keywords(text) == A_RULE));
        assert!(rules[59].1.contains(SAID));
    }
}
