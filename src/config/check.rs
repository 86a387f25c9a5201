//! `check:`: how bad findings are that keep nothing from loading.

use palisade_detect::diagnostic::{Code, Diagnostic, Severity, code, explain, suggestion};
use palisade_detect::lint;

use super::options::{Kind, Section};
use super::reader::{Map, Reader};

/// What `check` makes of the findings of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckLevel {
    /// It leaves them out.
    Off,
    /// They are worth knowing.
    Info,
    /// They are probably not what was meant.
    Warning,
    /// They make the command fail.
    Deny,
}

impl CheckLevel {
    /// All levels with their words.
    pub const ALL: [(&'static str, Self); 4] = [
        ("off", Self::Off),
        ("info", Self::Info),
        ("warning", Self::Warning),
        ("deny", Self::Deny),
    ];
}

impl Reader<'_> {
    /// `check.levels:`.
    pub(super) fn check_levels(&mut self, top: &Map<'_>) -> Vec<(Code, CheckLevel)> {
        let check = self.open(
            top.get("check"),
            top.full("check"),
            &[Section::Check],
            &top.place,
        );
        let mut levels = Vec::new();
        let Some(node) = check.get("levels") else {
            return levels;
        };
        let label = check.full("levels");
        let Some(entries) = node.as_map() else {
            let message = format!("`{label}` must be a mapping, not {}", node.type_name());
            let help = "write a code and its level on each line, such as `PAL1001: deny`";
            self.advise(code::CONFIG_TYPE, &node.place, message, help);
            return levels;
        };
        for (key, value) in entries {
            let name = key.as_text().unwrap_or_default();
            let found = match explain::find(name) {
                Ok(found) => found,
                Err(help) => {
                    let message = format!("`{label}` names `{name}`, which is no code");
                    let problem = Diagnostic::error(code::CONFIG_VALUE, &key.place, message);
                    let help = help.unwrap_or_else(|| "codes look like `PAL1001`".to_owned());
                    self.problems.push(problem.with_help(help));
                    continue;
                }
            };
            if lint::severity(found) == Severity::Error {
                let message = format!("{} is an error, whose level cannot be changed", found.id);
                let help = "take it out; levels are for warnings and infos";
                self.advise(code::CONFIG_VALUE, &key.place, message, help);
                continue;
            }
            let full = format!("{label}.{}", found.id);
            let Some(text) = self.scalar(value, &full, Kind::Text) else {
                continue;
            };
            let words = CheckLevel::ALL.map(|(word, _)| word);
            let known = CheckLevel::ALL.iter().find(|(word, _)| *word == text.text);
            if let Some((_, level)) = known {
                self.entry(full, text.text, text.from);
                levels.push((found, *level));
            } else {
                let expected = suggestion(&text.text, words)
                    .unwrap_or_else(|| format!("expected one of `{}`", words.join("`, `")));
                self.invalid(&full, &text, expected);
            }
        }
        levels
    }
}
