//! How `palisade replay` is called.

use std::path::Path;

use crate::measure::Argv;

/// How a rule's log source is held against a record's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Logsource {
    /// As Sigma means it: a rule judges records of its own log source.
    Strict,
    /// As RSigma routes: a rule judges all records whose log source does not conflict.
    Lenient,
    /// Every rule judges every record.
    Any,
}

/// The rules are on the wire's names already, so no pipeline maps them.
pub(crate) fn replay(palisade: &Path, logsource: Logsource, rules: &Path, input: &Path) -> Argv {
    let logsource = match logsource {
        Logsource::Strict => "strict",
        Logsource::Lenient => "lenient",
        Logsource::Any => "any",
    };
    let [palisade, rules, input] = [palisade, rules, input].map(|path| path.display().to_string());
    let words = [
        &*palisade,
        "replay",
        "--rules",
        &rules,
        "--pipeline",
        "none",
        "--logsource",
        logsource,
        "--format",
        "ndjson",
        &input,
    ];
    words.map(str::to_owned).to_vec()
}
