//! Problems in what a person wrote: rules, pipelines, configuration.
//!
//! A diagnostic has a stable code, a severity, a place with a caret, one sentence that says what is
//! wrong, and help that says what to write instead.

use std::fmt;
use std::sync::Arc;

pub mod code;
pub mod explain;
mod near;
mod render;

pub use code::Code;
pub use near::{nearest, suggestion};
pub use render::{printable, render};

/// A place in a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// File name as shown to people.
    pub file: Arc<str>,
    /// Bytes from the file's start, half open; empty for a place between bytes.
    pub span: std::ops::Range<usize>,
    /// Line from 1.
    pub line: u32,
    /// Column from 1, in characters.
    pub column: u32,
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Loads, but probably not what was meant.
    Warning,
    /// Keeps the rule, pipeline or configuration from loading.
    Error,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code, such as `PAL0123`.
    pub code: &'static str,
    /// Kind of load error in the words of the conformance suite, such as `unknown-modifier`.
    pub kind: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// What is wrong: one sentence, lower case, no full stop, values in backticks.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The rule it concerns, by id, else name, else title; `None` for a file.
    pub rule: Option<String>,
    /// What mends it without changing what the rule means, if that can be said.
    pub fix: Option<Box<Fix>>,
}

/// Replacements in one file, the diagnostic's own, that mend a problem. They are applied all or not
/// at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, in the imperative: `write the tag in lower case`.
    pub title: String,
    /// The replacements; no two of them overlap.
    pub edits: Vec<Edit>,
}

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Bytes of the file that are replaced, half open; empty to insert.
    pub span: std::ops::Range<usize>,
    /// What stands there instead.
    pub text: String,
}

/// Whether output carries ANSI colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// For a terminal.
    Always,
}

impl Place {
    /// The start of a file, for problems that concern all of it.
    pub fn start_of(file: &str) -> Self {
        Self {
            file: Arc::from(file),
            span: 0..0,
            line: 1,
            column: 1,
        }
    }
}

impl Severity {
    /// The word shown to people: `error`, `warning` or `info`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Edit {
    /// Puts `text` in the place of what stands at `place`.
    pub fn replace(place: &Place, text: impl Into<String>) -> Self {
        Self {
            span: place.span.clone(),
            text: text.into(),
        }
    }
}

impl Diagnostic {
    /// An error of this code at this place, with the help that its code has.
    pub fn error(code: Code, place: &Place, message: impl Into<String>) -> Self {
        Self {
            code: code.id,
            kind: code.kind,
            severity: Severity::Error,
            place: place.clone(),
            message: message.into(),
            help: code.help.map(str::to_owned),
            rule: None,
            fix: None,
        }
    }

    /// Advice of this code at this place.
    pub fn info(code: Code, place: &Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Info,
            ..Self::error(code, place, message)
        }
    }

    /// A warning of this code at this place.
    pub fn warning(code: Code, place: &Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, place, message)
        }
    }

    /// This diagnostic with advice on what to do.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// This diagnostic with advice, if there is any.
    #[must_use]
    pub fn with_help_from(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// This diagnostic, said to keep `rule` from loading.
    #[must_use]
    pub fn for_rule(mut self, rule: Option<&str>) -> Self {
        self.rule = rule.map(str::to_owned);
        self
    }

    /// This diagnostic with what mends it: replacements in the file of its place.
    #[must_use]
    pub fn with_fix(mut self, title: impl Into<String>, edits: Vec<Edit>) -> Self {
        self.fix = Some(Box::new(Fix {
            title: title.into(),
            edits,
        }));
        self
    }

    /// Whether it keeps its rule, pipeline or configuration from loading.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// One line: `file:line:column: error[PAL0123]: message`, safe to print on a terminal.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}[{}]: {}",
            printable(&self.place.file),
            self.place.line,
            self.place.column,
            self.severity.name(),
            self.code,
            printable(&self.message)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_form_names_place_code_and_message_without_raw_escapes() {
        let place = Place {
            file: Arc::from("a\u{1b}[31m.yml"),
            span: 3..4,
            line: 2,
            column: 4,
        };
        let line = Diagnostic::error(
            code::UNKNOWN_MODIFIER,
            &place,
            "modifier `\u{202e}x` is unknown",
        );
        assert_eq!(
            line.to_string(),
            "a\u{241b}[31m.yml:2:4: error[PAL0302]: modifier `\u{fffd}x` is unknown"
        );
    }
}
