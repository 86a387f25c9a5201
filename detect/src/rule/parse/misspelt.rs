//! Keys that were mistyped. What such a key was to say is missing, and a rule without it may still load
//! and mean something else: a correlation without its `group-by` counts all users together.

use crate::diagnostic::{Diagnostic, code, nearest};
use crate::yaml::Node;

use super::document::Reader;

/// Keys of a correlation's section.
pub const CORRELATION_KEYS: [&str; 7] = [
    "type",
    "rules",
    "group-by",
    "timespan",
    "condition",
    "aliases",
    "generate",
];

/// What other tools, or Sigma itself in earlier times, call a key.
const OTHER_WORDS: [(&str, &str); 6] = [
    ("timeframe", "timespan"),
    ("window", "timespan"),
    ("group", "group-by"),
    ("by", "group-by"),
    ("groupby", "group-by"),
    ("alias", "aliases"),
];

/// The key among `known` that an unknown one most probably stands for.
pub fn meant<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if known.contains(&name) {
        return None;
    }
    let folded = name.to_lowercase();
    let other = OTHER_WORDS.iter().find(|(word, _)| *word == folded);
    let other = other.and_then(|(_, meant)| known.iter().find(|key| *key == meant));
    other
        .copied()
        .or_else(|| nearest(name, known.iter().copied()))
}

/// The entry of a mapping whose key most probably was to be this one of those that are known there.
pub(super) fn misspelt<'n>(map: &'n Node, key: &str, known: &[&str]) -> Option<&'n Node> {
    let mut keys = map.as_map().unwrap_or_default().iter().map(|(key, _)| key);
    keys.find(|one| one.as_text().and_then(|name| meant(name, known)) == Some(key))
}

/// Reports the keys of a correlation that are near misses of known ones. Others are told by a check.
pub(super) fn in_correlation(reader: &mut Reader<'_>, section: &Node) {
    for (key, _) in section.as_map().unwrap_or_default() {
        let Some(name) = key.as_text() else {
            continue;
        };
        let Some(meant) = meant(name, &CORRELATION_KEYS) else {
            continue;
        };
        let help = if section.get(meant).is_some() {
            format!("`{meant}` is there already; take this one away")
        } else {
            format!("did you mean `{meant}`?")
        };
        let message = format!("key `{name}` of a correlation is unknown and says nothing");
        let problem = Diagnostic::error(code::INVALID_CORRELATION, &key.place, message);
        reader.push(problem.with_help(help));
    }
}
