//! What a running process says about the rules that it loaded.

use std::fmt::Write as _;

use palisade_detect::diagnostic::{Diagnostic, Severity, printable};
use tracing::field::display;

use super::{Kind, Listed, Loaded, State};
use crate::admin::Health;
use crate::metrics::Metrics;

/// Name of the rules in the list of parts.
const PART: &str = "rules";

/// Rules that are named one by one where they are skipped; the log and `palisade rules` name all.
const NAMED_MAX: usize = 5;

impl Loaded {
    /// Says in log, metrics and health what was loaded and what was not.
    pub fn report(&self, metrics: &Metrics, health: &Health) {
        let diagnostics = &self.findings.diagnostics;
        self.log();
        let in_force = self.rules.iter().filter(|rule| rule.state.is_in_force());
        let rules = in_force
            .filter(|rule| rule.kind != Some(Kind::Filter))
            .count();
        let skipped = self.skipped;
        metrics.rules(rules, skipped);
        metrics.rule_problems(diagnostics);
        health.note(PART, self.skipped_text());
        if skipped == 0 {
            tracing::info!(rules, "rules loaded");
        } else {
            let message = "rules loaded; some cannot be honoured and detect nothing";
            tracing::warn!(rules, skipped, "{message}");
        }
    }

    /// Logs what was found.
    pub fn log(&self) {
        log(&self.findings.diagnostics);
    }

    /// How many rules are skipped, and the first of them; `None` if none is.
    pub fn skipped_text(&self) -> Option<String> {
        let skipped: Vec<&Listed> = self
            .rules
            .iter()
            .filter(|rule| matches!(rule.state, State::Skipped { .. }))
            .collect();
        if skipped.is_empty() {
            return None;
        }
        let all = self.rules.iter();
        let all = all.filter(|rule| !matches!(rule.state, State::LeftOut(_)));
        let mut text = format!("{} of {} skipped: ", skipped.len(), all.count());
        for (number, rule) in skipped.iter().take(NAMED_MAX).enumerate() {
            let State::Skipped { code, .. } = &rule.state else {
                continue;
            };
            let (name, file) = (rule.id.as_deref().unwrap_or(&rule.title), &rule.file);
            let comma = if number == 0 { "" } else { ", " };
            let name = printable(name);
            let gap = if name.is_empty() { "" } else { " " };
            let (file, line) = (printable(file), rule.line);
            write!(text, "{comma}{name}{gap}({code}, {file}:{line})")
                .expect("writing to a string cannot fail");
        }
        match skipped.len().saturating_sub(NAMED_MAX) {
            0 => {}
            more => write!(text, " and {more} more").expect("writing to a string cannot fail"),
        }
        Some(text)
    }
}

/// Logs diagnostics, each with its code and place as fields.
fn log(diagnostics: &[Diagnostic]) {
    for one in diagnostics {
        let (code, line, column) = (one.code, one.place.line, one.place.column);
        let (file, message) = (printable(&one.place.file), printable(&one.message));
        // What there is none of is no field.
        let rule = one.rule.as_deref().map(printable).map(display);
        let help = one.help.as_deref().map(printable).map(display);
        match one.severity {
            Severity::Error => {
                tracing::error!(code, rule, %file, line, column, help, "{message}");
            }
            Severity::Warning => {
                tracing::warn!(code, rule, %file, line, column, help, "{message}");
            }
            Severity::Info => {
                tracing::debug!(code, rule, %file, line, column, help, "{message}");
            }
        }
    }
}
