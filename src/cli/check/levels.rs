//! What becomes of findings that keep nothing from loading: left out, lowered, raised, denied.

use std::collections::BTreeMap;

use palisade_detect::diagnostic::{Code, Diagnostic, Severity, explain};
use palisade_detect::lint;

use crate::config::CheckLevel;

/// `--deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deny {
    /// `warnings`: every warning.
    Warnings,
    /// Every finding of a code, whatever its severity.
    Code(Code),
}

/// Reads `warnings` or a code.
///
/// # Errors
/// What was expected.
pub fn deny(text: &str) -> Result<Deny, String> {
    if text == "warnings" {
        return Ok(Deny::Warnings);
    }
    explain::find(text).map(Deny::Code).map_err(|help| {
        let help = help.unwrap_or_else(|| "codes look like `PAL1001`".to_owned());
        format!("neither `warnings` nor a code; {help}")
    })
}

/// What holds for this run.
#[derive(Debug, Default)]
pub struct Levels {
    by_code: BTreeMap<&'static str, CheckLevel>,
    deny_warnings: bool,
}

impl Levels {
    /// What the configuration says, and the command line, which wins.
    pub fn new(configured: &[(Code, CheckLevel)], denied: &[Deny]) -> Self {
        let mut levels = Self::default();
        for (code, level) in configured {
            levels.by_code.insert(code.id, *level);
        }
        for deny in denied {
            match deny {
                Deny::Warnings => levels.deny_warnings = true,
                Deny::Code(code) => {
                    levels.by_code.insert(code.id, CheckLevel::Deny);
                }
            }
        }
        levels
    }

    /// Gives every finding its severity, and leaves out what is off. Errors stay what they are.
    pub fn apply(&self, diagnostics: &mut Vec<Diagnostic>) {
        diagnostics.retain_mut(|one| {
            if one.is_error() {
                return true;
            }
            match self.by_code.get(one.code) {
                None if lint::ASKED_FOR.iter().any(|code| code.id == one.code) => return false,
                None => {}
                Some(CheckLevel::Off) => return false,
                Some(CheckLevel::Info) => one.severity = Severity::Info,
                Some(CheckLevel::Warning | CheckLevel::Deny) => one.severity = Severity::Warning,
            }
            true
        });
    }

    /// Whether a finding makes the command fail although everything loads.
    pub fn denies(&self, one: &Diagnostic) -> bool {
        let by_code = self.by_code.get(one.code) == Some(&CheckLevel::Deny);
        !one.is_error() && (by_code || self.deny_warnings && one.severity == Severity::Warning)
    }
}

#[cfg(test)]
mod tests {
    use palisade_detect::diagnostic::{Place, code};

    use super::*;

    #[test]
    fn levels_change_what_is_no_error_and_leave_errors_alone() {
        let place = Place::start_of("f");
        let mut all = vec![
            Diagnostic::warning(code::NO_ID, &place, "off"),
            Diagnostic::warning(code::ID_NOT_UUID, &place, "lowered"),
            Diagnostic::info(code::ID_UPPER_CASE, &place, "denied"),
            Diagnostic::error(code::WRONG_TYPE, &place, "an error"),
        ];
        let levels = Levels::new(
            &[
                (code::NO_ID, CheckLevel::Off),
                (code::ID_NOT_UUID, CheckLevel::Info),
                (code::WRONG_TYPE, CheckLevel::Off),
            ],
            &[Deny::Code(code::ID_UPPER_CASE), Deny::Warnings],
        );
        levels.apply(&mut all);
        let seen: Vec<_> = all
            .iter()
            .map(|one| (&*one.message, one.severity, levels.denies(one)))
            .collect();
        assert_eq!(
            seen,
            [
                ("lowered", Severity::Info, false),
                ("denied", Severity::Warning, true),
                ("an error", Severity::Error, false),
            ]
        );
    }

    #[test]
    fn a_check_that_is_asked_for_is_silent_until_its_code_is_named() {
        let place = Place::start_of("f");
        let one = Diagnostic::info(code::HOUSE_EXTENSION, &place, "asked for");
        let left = |configured: &[(Code, CheckLevel)], denied: &[Deny]| {
            let mut all = vec![one.clone()];
            Levels::new(configured, denied).apply(&mut all);
            all.len()
        };
        assert_eq!(left(&[], &[Deny::Warnings]), 0);
        assert_eq!(left(&[(code::HOUSE_EXTENSION, CheckLevel::Info)], &[]), 1);
        assert_eq!(left(&[], &[Deny::Code(code::HOUSE_EXTENSION)]), 1);
    }

    #[test]
    fn deny_takes_warnings_and_codes_and_helps_with_others() {
        assert_eq!(deny("warnings"), Ok(Deny::Warnings));
        assert_eq!(deny("pal1001"), Ok(Deny::Code(code::NO_ID)));
        assert!(deny("PAL10O1").is_err_and(|help| help.contains("did you mean")));
    }
}
