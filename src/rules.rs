//! From rule files on disk to an engine, for every command that judges.
//!
//! A rule that does not load is reported and left out, the others load. A pipeline that does not load
//! is another matter: without it every rule would be read differently from what was meant, so nothing
//! loads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_detect::diagnostic::{self, Color, Diagnostic};
use palisade_detect::engine::{Engine, EngineOptions};
use palisade_detect::lint::{self, Sheet, Workspace};
use palisade_detect::observed::Observed;
use palisade_detect::pipeline::{self, Pipeline};
use palisade_detect::rule::{RuleFile, RuleSet, parse};
use palisade_detect::time::Timestamp;

use crate::config::Pipelines;

pub mod house;
mod walk;

pub use walk::{RULE_BYTES_MAX, RULE_FILES_MAX, cases, walk};

/// The built-in field map for Azure logs.
pub const FIELD_MAP: &str = include_str!("../detections/pipelines/azure.yml");
/// The name of the built-in field map in diagnostics.
pub const FIELD_MAP_NAME: &str = "built-in/azure.yml";

/// What `--pipeline` takes to switch the built-in field map off.
const NONE: &str = "none";

impl Pipelines {
    /// The built-in field map alone.
    pub const fn built_in() -> Self {
        Self {
            default: true,
            files: Vec::new(),
        }
    }

    /// These, with what the command line says: further files, or `none` against the built-in one.
    #[must_use]
    pub fn with_arguments(mut self, arguments: &[PathBuf]) -> Self {
        for argument in arguments {
            if argument == Path::new(NONE) {
                self.default = false;
            } else {
                self.files.push(argument.clone());
            }
        }
        self
    }
}

/// A rule set that was loaded.
pub struct Loaded {
    /// The engine of what loaded; `None` if a pipeline does not load.
    pub engine: Option<Engine>,
    /// What is wrong, and worth knowing.
    pub findings: Findings,
    /// Rules and files that were left out.
    pub skipped: usize,
    /// Rule files read.
    pub files: usize,
}

/// Diagnostics of many files, with the texts to show their places in.
#[derive(Debug, Default)]
pub struct Findings {
    /// The diagnostics.
    pub diagnostics: Vec<Diagnostic>,
    texts: BTreeMap<Arc<str>, String>,
}

impl Findings {
    /// The diagnostics as text with source lines.
    pub fn render(&self, color: Color) -> String {
        let text = |name: &str| self.texts.get(name).cloned();
        diagnostic::render(&self.diagnostics, &text, color)
    }

    /// Number of errors.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|one| one.is_error()).count()
    }

    /// Adds the diagnostics of one more file.
    pub fn add(&mut self, name: &str, text: &str, diagnostics: Vec<Diagnostic>) {
        self.texts.insert(Arc::from(name), text.to_owned());
        self.diagnostics.extend(diagnostics);
    }

    /// Adds the findings of others.
    pub fn join(&mut self, other: Self) {
        self.diagnostics.extend(other.diagnostics);
        self.texts.extend(other.texts);
    }

    /// Keeps the text of a file in which something was found.
    fn keep_texts(&mut self, files: &[RuleFile]) {
        let named: BTreeSet<&str> = self
            .diagnostics
            .iter()
            .map(|one| &*one.place.file)
            .collect();
        for file in files.iter().filter(|file| named.contains(&*file.name)) {
            let text = String::from_utf8_lossy(&file.bytes).into_owned();
            self.texts.insert(Arc::clone(&file.name), text);
        }
    }
}

/// What is looked at besides whether rules load.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lint<'a> {
    /// Which fields records were seen with.
    pub observed: Option<&'a Observed>,
    /// The time by which dates are judged.
    pub now: Option<Timestamp>,
}

/// Loads the rules at these paths.
pub fn load(paths: &[PathBuf], pipelines: &Pipelines, options: EngineOptions) -> Loaded {
    load_from(paths, pipelines, options, None)
}

/// As [`load`], and runs every check over the rules and over what stands beside them.
pub fn load_and_lint(
    paths: &[PathBuf],
    pipelines: &Pipelines,
    options: EngineOptions,
    lint: Lint<'_>,
) -> Loaded {
    load_from(paths, pipelines, options, Some(lint))
}

fn load_from(
    paths: &[PathBuf],
    pipelines: &Pipelines,
    options: EngineOptions,
    lint: Option<Lint<'_>>,
) -> Loaded {
    let (files, problems) = walk(paths);
    let (maps, more) = pipeline_files(pipelines);
    let mut loaded = match lint {
        None => load_files(&files, &maps, options),
        Some(lint) => {
            let (cases, unreadable) = cases(paths);
            let mut loaded = lint_files(&files, &maps, &cases, lint, options);
            loaded.findings.diagnostics.extend(unreadable);
            loaded
        }
    };
    if !more.is_empty() {
        loaded.engine = None;
    }
    loaded.skipped += problems.iter().filter(|one| one.is_error()).count();
    loaded
        .findings
        .diagnostics
        .splice(0..0, problems.into_iter().chain(more));
    loaded
}

/// Loads rule files that are in memory.
pub fn load_files(files: &[RuleFile], maps: &[RuleFile], options: EngineOptions) -> Loaded {
    let (rules, diagnostics) = parse::parse(files);
    let (engine, diagnostics) = compile(rules, maps, options, diagnostics, |_| Vec::new());
    finish(engine, diagnostics, files, &[maps])
}

/// As [`load_files`], with checks.
pub fn lint_files(
    files: &[RuleFile],
    maps: &[RuleFile],
    cases: &[RuleFile],
    lint: Lint<'_>,
    options: EngineOptions,
) -> Loaded {
    let parsed = parse::parse_documents(files);
    let mut diagnostics = parsed.diagnostics;
    let case_sheets = sheets(cases, &mut diagnostics);
    // What keeps a pipeline from being YAML is reported where it is loaded.
    let pipelines = sheets(maps, &mut Vec::new());
    let written = parsed.rules.clone();
    let (engine, diagnostics) = compile(parsed.rules, maps, options, diagnostics, |judged| {
        lint::lint(&Workspace {
            files,
            documents: &parsed.documents,
            rules: &written,
            judged,
            pipelines: &pipelines,
            cases: &case_sheets,
            observed: lint.observed,
            now: lint.now,
        })
    });
    finish(engine, diagnostics, files, &[maps, cases])
}

/// Files as YAML; those that are none are left out and reported.
fn sheets(files: &[RuleFile], diagnostics: &mut Vec<Diagnostic>) -> Vec<Sheet> {
    let mut sheets = Vec::with_capacity(files.len());
    for file in files {
        match Sheet::read(file.clone()) {
            Ok(sheet) => sheets.push(sheet),
            Err(problems) => diagnostics.extend(problems),
        }
    }
    sheets
}

/// From rules as written to an engine; `look` is shown the rules as they will be judged.
fn compile(
    mut rules: RuleSet,
    maps: &[RuleFile],
    options: EngineOptions,
    mut diagnostics: Vec<Diagnostic>,
    look: impl FnOnce(&RuleSet) -> Vec<Diagnostic>,
) -> (Option<Engine>, Vec<Diagnostic>) {
    let pipelines: Vec<Pipeline> = match pipeline::parse(maps) {
        Ok(pipelines) => pipelines,
        Err(problems) => {
            diagnostics.extend(problems);
            return (None, diagnostics);
        }
    };
    diagnostics.extend(pipeline::apply(&pipelines, &mut rules));
    diagnostics.extend(look(&rules));
    let (engine, problems) = Engine::compile(rules, options);
    diagnostics.extend(problems);
    (Some(engine), diagnostics)
}

/// Puts together what was loaded; `beside` are the other files that diagnostics may be about.
fn finish(
    engine: Option<Engine>,
    diagnostics: Vec<Diagnostic>,
    files: &[RuleFile],
    beside: &[&[RuleFile]],
) -> Loaded {
    let skipped = skipped(&diagnostics);
    let mut findings = Findings {
        diagnostics,
        texts: BTreeMap::new(),
    };
    findings.keep_texts(files);
    for files in beside {
        findings.keep_texts(files);
    }
    Loaded {
        engine,
        findings,
        skipped,
        files: files.len(),
    }
}

/// The pipeline files that apply, and what keeps one from being read.
pub fn pipeline_files(pipelines: &Pipelines) -> (Vec<RuleFile>, Vec<Diagnostic>) {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    if pipelines.default {
        let bytes = FIELD_MAP.as_bytes().to_vec();
        files.push(RuleFile {
            name: Arc::from(FIELD_MAP_NAME),
            bytes,
        });
    }
    for path in &pipelines.files {
        match walk::read(path) {
            Ok(file) => files.push(file),
            Err(problem) => problems.push(problem),
        }
    }
    (files, problems)
}

/// How many rules and files the errors are about.
fn skipped(diagnostics: &[Diagnostic]) -> usize {
    let left_out: BTreeSet<_> = diagnostics
        .iter()
        .filter(|one| one.is_error())
        .map(|one| (&*one.place.file, one.rule.as_deref()))
        .collect();
    left_out.len()
}

#[cfg(test)]
mod tests;
