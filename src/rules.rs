//! From rule files on disk to an engine, for every command that judges.
//!
//! A rule that does not load is reported and left out, the others load. A pipeline that does not load
//! is another matter: without it every rule would be read differently from what was meant, so nothing
//! loads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_detect::diagnostic::{self, Color, Diagnostic, Place, code};
use palisade_detect::engine::{Engine, EngineOptions};
use palisade_detect::lint::{self, Sheet, Workspace};
use palisade_detect::observed::Observed;
use palisade_detect::pipeline::{self, Pipeline, placeholders};
use palisade_detect::rule::parse::{self, Parsed, RuleDocument};
use palisade_detect::rule::{RuleFile, RuleSet, lists as lists_of_rules};
use palisade_detect::time::Timestamp;
use palisade_ingest::log_type;

use crate::cases;
use crate::config::{Pipelines, Rules};

mod choose;
mod for_cases;
pub mod house;
mod list;
mod lists;
mod pattern;
mod report;
mod select;
mod sketch;
mod standing;
mod walk;

use choose::Choice;
pub use for_cases::{ForCases, LeftOut, for_cases};
pub use list::{Kind, Listed, State, Why, moment};
pub use lists::folder_of as lists_folder;
pub use standing::Standing;
pub use walk::{RULE_BYTES_MAX, RULE_FILES_MAX, walk};

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
    /// Rules and files that cannot be honoured.
    pub skipped: usize,
    /// Rule files read.
    pub files: usize,
    /// Every rule that was read, and every file that could not be, with what became of it.
    pub rules: Vec<Listed>,
    /// When the same files mean something else: the next moment at which an exception ends, or is so
    /// near its end that it is said.
    pub changes_at: Option<Timestamp>,
    /// The same rules once more, if exceptions among them end.
    pub standing: Option<Standing>,
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

    /// The text of a file in which something was found.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
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

    /// Keeps the text of the configuration, if something was found in it.
    fn keep_configuration(&mut self, rules: &Rules) {
        let Some(place) = rules.places().next() else {
            return;
        };
        let named = |one: &Diagnostic| one.place.file == place.file;
        if self.diagnostics.iter().any(named) {
            self.texts
                .insert(Arc::clone(&place.file), rules.text.to_string());
        }
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
    /// The time by which dates are judged; without it exceptions do not end.
    pub now: Option<Timestamp>,
    /// What files would hold, by their names; judged instead of what they hold.
    pub drafts: Option<&'a Drafts>,
}

/// Contents of files that are not written yet, by the files' names in diagnostics.
pub type Drafts = BTreeMap<Arc<str>, Vec<u8>>;

/// Puts drafts in the place of what was read.
fn put_drafts(lint: Option<Lint<'_>>, files: &mut [RuleFile]) {
    let Some(drafts) = lint.and_then(|lint| lint.drafts) else {
        return;
    };
    for file in files {
        if let Some(draft) = drafts.get(&file.name) {
            file.bytes.clone_from(draft);
        }
    }
}

/// Loads the rules that the configuration chooses; exceptions that have ended by `now` are left out.
pub fn load(
    rules: &Rules,
    pipelines: &Pipelines,
    options: EngineOptions,
    now: Timestamp,
) -> Loaded {
    load_from(rules, pipelines, options, (now, None), &mut |_| ())
}

/// Makes an engine ready for all log types, so that no event waits for it.
pub fn prepare(engine: &Engine) {
    engine.prepare(log_type::all());
}

/// As [`load`], with the rules as they are judged, for whoever explains them.
pub fn load_and_keep(
    rules: &Rules,
    pipelines: &Pipelines,
    options: EngineOptions,
    now: Timestamp,
) -> (Loaded, RuleSet) {
    let mut kept = RuleSet::default();
    let mut keep = |judged: &RuleSet| kept = judged.clone();
    let loaded = load_from(rules, pipelines, options, (now, None), &mut keep);
    (loaded, kept)
}

/// As [`load`], and runs every check over the rules and over what stands beside them.
pub fn load_and_lint(
    rules: &Rules,
    pipelines: &Pipelines,
    options: EngineOptions,
    lint: Lint<'_>,
) -> Loaded {
    let now = lint.now.unwrap_or(Timestamp::MIN);
    load_from(rules, pipelines, options, (now, Some(lint)), &mut |_| ())
}

/// Loads rules; without checks, `keep` is shown them as they will be judged.
fn load_from(
    rules: &Rules,
    pipelines: &Pipelines,
    options: EngineOptions,
    (now, lint): (Timestamp, Option<Lint<'_>>),
    keep: &mut dyn FnMut(&RuleSet),
) -> Loaded {
    let mut chosen = select::choose(&rules.paths);
    let (mut maps, unread) = pipeline_files(pipelines);
    put_drafts(lint, &mut maps);
    let failed = unread.first().cloned();
    let (mut cases, unreadable) = match lint {
        Some(_) => chosen.cases(&rules.paths),
        None => Default::default(),
    };
    put_drafts(lint, &mut cases);
    let (files, wanted, mut parsed) = parse_chosen(&mut chosen, lint);
    let names = || files.iter().map(|file| &*file.name);
    let others: BTreeSet<&str> = names().skip(wanted).collect();
    let choice = Choice {
        rules,
        wanted_by: names().zip(chosen.wanted_by).collect(),
        files: &files,
        now,
    };
    let found = std::mem::take(&mut parsed.diagnostics).into_iter();
    let found = found.filter(|problem| !others.contains(&*problem.place.file));
    let before = [unread, chosen.problems, unreadable].into_iter().flatten();
    let mut problems: Vec<Diagnostic> = before.chain(found).collect();
    let written = lint.map(|_| parsed.rules.clone());
    if let Some(written) = &written {
        let roots: Vec<PathBuf> = rules.paths.iter().map(|path| path.path.clone()).collect();
        problems.extend(cases::run::problems(&cases, (&files, written), &roots));
    }
    let mut listed = choice.make(&mut parsed.rules, &mut problems);
    let changes_at = list::exceptions(&listed, now, &mut problems);
    let disabled = Disabled::take(&listed, &mut parsed.documents, &files);
    listed.retain(|rule| rule.state != State::LeftOut(Why::Path));
    let paths = rules.paths.iter().map(|path| path.path.as_path());
    let of_lists = lists::load(paths, &mut parsed.rules);
    problems.extend(of_lists.problems);
    let unknown = lists_of_rules::unknown(&parsed.documents, &parsed.rules.lists).into_iter();
    problems.extend(unknown.filter(|problem| !others.contains(&*problem.place.file)));
    let read = Read {
        set: parsed.rules,
        problems,
        list: listed,
        files: &files,
        maps: &maps,
        cases: &cases,
    };
    let mut loaded = match (lint, &written) {
        (Some(lint), Some(written)) => {
            let mut loaded = read.lint(&parsed.documents, written, lint, options);
            let said = &mut loaded.findings.diagnostics;
            let silent = |place: &Place| others.contains(&*place.file) || disabled.has(place);
            said.retain(|one| one.is_error() || !silent(&one.place));
            loaded
        }
        _ => read.compile(options, |judged, _| {
            keep(judged);
            Vec::new()
        }),
    };
    loaded.findings.keep_configuration(rules);
    if let Some(error) = &failed {
        list::skip_all(&mut loaded.rules, error);
    }
    loaded.findings.keep_texts(&of_lists.texts);
    Loaded {
        engine: loaded.engine.filter(|_| failed.is_none()),
        files: wanted,
        changes_at,
        ..loaded
    }
}

/// The documents of rules that the configuration disables: what could be better in them is not said.
struct Disabled(Vec<(Arc<str>, std::ops::Range<usize>)>);

impl Disabled {
    /// Takes them out of the documents.
    fn take(listed: &[Listed], documents: &mut Vec<RuleDocument>, files: &[RuleFile]) -> Self {
        let disabled = Self::of(listed, documents, files);
        documents.retain(|document| !disabled.has(&document.root.place));
        disabled
    }

    fn of(listed: &[Listed], documents: &[RuleDocument], files: &[RuleFile]) -> Self {
        let disabled: BTreeSet<(&str, u32)> = listed
            .iter()
            .filter(|rule| rule.state == State::LeftOut(Why::Disabled))
            .map(|rule| (&*rule.file, rule.line))
            .collect();
        if disabled.is_empty() {
            return Self(Vec::new());
        }
        let mut found = Vec::new();
        for (at, document) in documents.iter().enumerate() {
            let place = &document.root.place;
            if !disabled.contains(&(&*place.file, place.line)) {
                continue;
            }
            let same = |other: &&RuleDocument| other.file == document.file;
            let before = at.checked_sub(1).and_then(|at| documents.get(at));
            let after = documents.get(at + 1).filter(same);
            // What stands above the first rule of a file is about that rule.
            let start = before.filter(same).map_or(0, |_| place.span.start);
            let size = files.get(document.file).map_or(0, |file| file.bytes.len());
            let end = after.map_or(size + 1, |after| after.root.place.span.start);
            found.push((Arc::clone(&place.file), start..end));
        }
        Self(found)
    }

    fn has(&self, place: &Place) -> bool {
        let here = |(file, span): &(Arc<str>, std::ops::Range<usize>)| {
            *file == place.file && span.contains(&place.span.start)
        };
        self.0.iter().any(here)
    }
}

/// Parses what is wanted, and what that needs; the files of the latter stand behind the former, of which
/// there are so many.
fn parse_chosen(
    chosen: &mut select::Chosen,
    lint: Option<Lint<'_>>,
) -> (Vec<RuleFile>, usize, Parsed) {
    let mut files = std::mem::take(&mut chosen.files);
    let wanted = files.len();
    put_drafts(lint, &mut files);
    let mut parsed = parse(&files, lint);
    if !chosen.others.is_empty() && leads_nowhere(&parsed.diagnostics) {
        // What is missing may stand in a file that is not wanted for its own sake.
        files.extend(chosen.read_others());
        let with_others = parse(&files, lint);
        let too_many = |one: &Diagnostic| one.code == code::TOO_MANY_RULES.id;
        // What is not wanted must not push what is wanted over the limit.
        if with_others.diagnostics.iter().any(too_many) {
            files.truncate(wanted);
        } else {
            parsed = with_others;
        }
    }
    (files, wanted, parsed)
}

/// The rules at these paths as written, with the lists that they name, and what could not be read. What
/// is wrong inside the files is not said.
pub fn written(paths: &[PathBuf]) -> (RuleSet, Vec<Diagnostic>) {
    let (files, problems) = walk(paths);
    let (mut set, _) = parse::parse(&files);
    give_lists(paths, &mut set);
    (set, problems)
}

/// Gives rules that were parsed from files at these paths the lists that they name; says what is wrong
/// with the lists.
pub fn give_lists(paths: &[PathBuf], set: &mut RuleSet) -> Vec<Diagnostic> {
    lists::load(paths.iter().map(PathBuf::as_path), set).problems
}

/// Loads rule files that are in memory, all of them; exceptions do not end, and there are no lists.
pub fn load_files(files: &[RuleFile], maps: &[RuleFile], options: EngineOptions) -> Loaded {
    load_with_lists(files, &[], maps, options)
}

/// As [`load_files`], with files of lists.
pub fn load_with_lists(
    files: &[RuleFile],
    lists: &[RuleFile],
    maps: &[RuleFile],
    options: EngineOptions,
) -> Loaded {
    let mut parsed = parse(files, None);
    let found = lists::in_memory(lists, &mut parsed.rules);
    parsed.diagnostics.extend(found.problems);
    let read = Read::all(parsed.rules, parsed.diagnostics, (files, maps, &[]));
    let mut loaded = read.compile(options, |_, _| Vec::new());
    loaded.findings.keep_texts(&found.texts);
    loaded
}

/// As [`load_files`], with checks.
pub fn lint_files(
    files: &[RuleFile],
    maps: &[RuleFile],
    cases: &[RuleFile],
    lint: Lint<'_>,
    options: EngineOptions,
) -> Loaded {
    let mut parsed = parse(files, Some(lint));
    let unknown = lists_of_rules::unknown(&parsed.documents, &parsed.rules.lists);
    parsed.diagnostics.extend(unknown);
    let written = parsed.rules.clone();
    let read = Read::all(parsed.rules, parsed.diagnostics, (files, maps, cases));
    read.lint(&parsed.documents, &written, lint, options)
}

/// Rules as written, with their documents if they are looked at.
fn parse(files: &[RuleFile], lint: Option<Lint<'_>>) -> Parsed {
    if lint.is_some() {
        return parse::parse_documents(files);
    }
    let (rules, diagnostics) = parse::parse(files);
    Parsed {
        rules,
        documents: Vec::new(),
        diagnostics,
    }
}

/// Whether a correlation refers to a rule that is not there.
fn leads_nowhere(problems: &[Diagnostic]) -> bool {
    let missing = code::UNKNOWN_RULE_REFERENCE.id;
    problems.iter().any(|problem| problem.code == missing)
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

/// Rules that were read, and what is known of them.
struct Read<'a> {
    set: RuleSet,
    problems: Vec<Diagnostic>,
    list: Vec<Listed>,
    files: &'a [RuleFile],
    maps: &'a [RuleFile],
    cases: &'a [RuleFile],
}

/// Files of rules, pipelines and cases.
type Texts<'a> = (&'a [RuleFile], &'a [RuleFile], &'a [RuleFile]);

impl<'a> Read<'a> {
    /// All rules of a set.
    fn all(set: RuleSet, problems: Vec<Diagnostic>, (files, maps, cases): Texts<'a>) -> Self {
        Self {
            list: list::of(&set),
            set,
            problems,
            files,
            maps,
            cases,
        }
    }

    /// Compiles the rules, and looks at them as they were written and as they are judged.
    fn lint(
        mut self,
        documents: &[RuleDocument],
        written: &RuleSet,
        lint: Lint<'_>,
        options: EngineOptions,
    ) -> Loaded {
        let cases = sheets(self.cases, &mut self.problems);
        // What keeps a pipeline from being YAML is reported where it is loaded.
        let pipelines = sheets(self.maps, &mut Vec::new());
        let texts = [self.files, self.maps, self.cases];
        let [files, ..] = texts;
        let mut loaded = self.compile(options, |judged, maps| {
            let mut found = placeholders::unknown(documents, maps);
            found.extend(lint::lint(&Workspace {
                files,
                documents,
                rules: written,
                judged,
                pipelines: &pipelines,
                cases: &cases,
                observed: lint.observed,
                now: lint.now,
            }));
            found
        });
        let found = &mut loaded.findings;
        placeholders::mark(documents, &mut found.diagnostics);
        let all = texts.into_iter().flatten();
        let all = all.map(|file| (&file.name, file.bytes.as_slice()));
        lint::allow::apply(all, &mut found.diagnostics);
        for files in texts {
            found.keep_texts(files);
        }
        loaded
    }

    /// From rules as written to an engine; `look` is shown the rules as they will be judged, and the
    /// pipelines that made them so.
    fn compile(
        self,
        options: EngineOptions,
        look: impl FnOnce(&RuleSet, &[Pipeline]) -> Vec<Diagnostic>,
    ) -> Loaded {
        let (mut set, mut diagnostics, mut list) = (self.set, self.problems, self.list);
        let pipelines: Option<Vec<Pipeline>> = match pipeline::parse(self.maps) {
            Ok(pipelines) => Some(pipelines),
            Err(problems) => {
                diagnostics.extend(problems);
                None
            }
        };
        let read = diagnostics.len();
        let standing = Standing::of(&set, self.maps, options);
        let engine = pipelines.map(|pipelines| {
            diagnostics.extend(pipeline::apply(&pipelines, &mut set));
            diagnostics.extend(look(&set, &pipelines));
            let (engine, problems) = Engine::compile(set, options);
            diagnostics.extend(problems);
            engine
        });
        let (read, compiled) = diagnostics.split_at(read);
        list::add_errors(&mut list, self.files, (read, compiled));
        match (&engine, read.iter().find(|one| one.is_error())) {
            (Some(engine), _) => list::add_versions(&mut list, engine),
            (None, Some(error)) => list::skip_all(&mut list, error),
            (None, None) => {}
        }
        let skipped = skipped(&diagnostics);
        let mut findings = Findings {
            diagnostics,
            texts: BTreeMap::new(),
        };
        for files in [self.files, self.maps, self.cases] {
            findings.keep_texts(files);
        }
        Loaded {
            engine,
            findings,
            skipped,
            files: self.files.len(),
            rules: list,
            changes_at: None,
            standing,
        }
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
