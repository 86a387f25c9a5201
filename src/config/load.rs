//! Reads the file and the environment; the only place that does.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use palisade_detect::diagnostic::{self, Color, Diagnostic, Place, code};
use palisade_detect::yaml::{self, FILE_BYTES_MAX};

use super::reader::{Entry, Environment, Reader};
use super::rules::paths_of;
use super::{Config, Pipelines, Rules};

/// An environment variable, if it is set to UTF-8 text.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// Every option in effect, in the order of the reference.
    pub entries: Vec<Entry>,
    /// Warnings.
    pub findings: Findings,
}

/// What is wrong with a configuration, and its text to show the places in.
#[derive(Debug, Clone)]
pub struct Findings {
    /// The problems.
    pub diagnostics: Vec<Diagnostic>,
    /// The file, passwords that stand in it masked.
    pub text: Arc<str>,
}

impl Findings {
    /// The problems as text with source lines.
    pub fn render(&self, color: Color) -> String {
        diagnostic::render(&self.diagnostics, &|_| Some(self.text.to_string()), color)
    }
}

/// Reads and validates the configuration file.
///
/// # Errors
/// Everything that is wrong with it, warnings included.
pub fn load(path: &Path) -> Result<Loaded, Findings> {
    let name = path.display().to_string();
    let bytes = read(path).map_err(|error| {
        let message = format!("the configuration cannot be read: {error}");
        let problem = Diagnostic::error(code::FILE_UNREADABLE, &Place::start_of(&name), message);
        Findings {
            diagnostics: vec![problem],
            text: Arc::from(""),
        }
    })?;
    let base = path.parent().unwrap_or(Path::new(""));
    parse(&name, &bytes, base, &environment)
}

/// The bytes of a configuration, at most one more than it may have.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The rules and pipelines that a configuration names, whatever else is wrong with it; none where that
/// cannot be read. Of paths that stand beside mistakes of their own those that are there are given.
pub fn parts_of(path: &Path, text: &Arc<str>) -> (Rules, Pipelines) {
    let nothing = (Rules::of_paths(&[]), Pipelines::built_in());
    let Ok(bytes) = read(path) else {
        return nothing;
    };
    let name = path.display().to_string();
    let documents = yaml::parse(&name, &bytes).unwrap_or_default();
    let Some(root) = documents.first() else {
        return nothing;
    };
    let base = path.parent().unwrap_or(Path::new(""));
    let mut reader = Reader::new(&environment, base);
    let rules = match reader.rules_alone(root) {
        Some(mut rules) => {
            rules.text = Arc::clone(text);
            rules
        }
        None => Rules::of_paths(
            &root
                .get("rules")
                .map_or_else(Vec::new, |rules| paths_of(rules, base)),
        ),
    };
    let pipelines = reader.pipelines_alone(root);
    (rules, pipelines.unwrap_or_else(Pipelines::built_in))
}

/// Validates a configuration; relative paths start at `base`.
///
/// # Errors
/// As [`load`].
pub fn parse(
    name: &str,
    bytes: &[u8],
    base: &Path,
    environment: Environment<'_>,
) -> Result<Loaded, Findings> {
    let text = String::from_utf8_lossy(bytes);
    let documents = yaml::parse(name, bytes).map_err(|diagnostics| Findings {
        diagnostics,
        text: mask_by_words(&text),
    })?;
    let mut reader = Reader::new(environment, base);
    let config = match documents.as_slice() {
        [root] => reader.config(root),
        [] => {
            let place = Place::start_of(name);
            reader.advise(
                code::CONFIG_MISSING,
                &place,
                "the configuration is empty",
                "write `sources:` and `rules:` at least; `docs/configuration.md` begins with an example",
            );
            None
        }
        [_, second, ..] => {
            let message = "the configuration must be one YAML document";
            let help = "take the line `---` out, or put what follows it into another file";
            reader.advise(code::CONFIG_TYPE, &second.place, message, help);
            None
        }
    };
    let failed = reader.problems.iter().any(Diagnostic::is_error);
    let text = mask(&text, &reader.masked);
    let findings = Findings {
        diagnostics: reader.problems,
        text,
    };
    match config {
        Some(mut config) if !failed => {
            config.rules.text = Arc::clone(&findings.text);
            Ok(Loaded {
                config,
                entries: reader.entries,
                findings,
            })
        }
        _ => Err(findings),
    }
}

/// The text with every character of these byte ranges replaced, so that places stay where they are.
fn mask(text: &str, ranges: &[std::ops::Range<usize>]) -> Arc<str> {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if c != '\n' && ranges.iter().any(|range| range.contains(&at)) {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    Arc::from(out)
}

/// The text of a file that is no YAML: what follows a key that is named like a secret is masked.
fn mask_by_words(text: &str) -> Arc<str> {
    let mut ranges = Vec::new();
    for (at, _) in text.match_indices("password") {
        let line = text
            .get(at..)
            .and_then(|rest| rest.lines().next())
            .unwrap_or_default();
        if let Some(colon) = line.find(':') {
            ranges.push(at + colon + 1..at + line.len());
        }
    }
    mask(text, &ranges)
}
