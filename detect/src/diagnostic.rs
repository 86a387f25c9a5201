//! Problems in what a person wrote: rules, pipelines, configuration.
//!
//! A diagnostic has a stable code, a severity, a place with a caret, one sentence that says what is
//! wrong, and help that says what to write instead.

use std::sync::Arc;

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
    /// The rule it keeps from loading, by id, else name, else title; `None` for a file.
    pub rule: Option<String>,
}

/// Renders diagnostics as text with the source line and a caret, worst first within a file.
///
/// `source` gives a file's text by the name in [`Place::file`].
pub fn render(
    diagnostics: &[Diagnostic],
    source: &dyn Fn(&str) -> Option<String>,
    color: Color,
) -> String {
    let _ = (diagnostics, source, color);
    unimplemented!("helper A")
}

/// Whether output carries ANSI colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// For a terminal.
    Always,
}
