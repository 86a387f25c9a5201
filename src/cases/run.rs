//! All cases of folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use palisade_detect::diagnostic::{Diagnostic, Place, code};
use palisade_detect::pipeline;
use palisade_detect::rule::{RuleFile, RuleSet, parse};

use super::judge::{Library, Verdict};
use super::records::{Folder, records};
use super::{CaseFile, form};
use crate::clock::Clock;
use crate::config::Pipelines;
use crate::rules::{self, Findings};

/// Threads that judge; more have nothing to do on rules of usual numbers.
const WORKERS_MAX: usize = 8;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Rule files and folders; the cases stand beside the rules.
    pub paths: Vec<PathBuf>,
    /// What makes the rules fit the records.
    pub pipelines: Pipelines,
    /// Only cases whose file or name holds this, without regard to case.
    pub filter: Option<String>,
}

/// What became of all cases.
#[derive(Debug, Default)]
pub struct Run {
    /// What is wrong with rules, pipelines and case files.
    pub findings: Findings,
    /// The cases in the order of their files.
    pub results: Vec<Judged>,
    /// How long it took.
    pub elapsed: Duration,
}

/// A case that was judged.
#[derive(Debug)]
pub struct Judged {
    /// Its file.
    pub file: Arc<str>,
    /// Line of the case.
    pub line: u32,
    /// What it shows.
    pub name: String,
    /// What became of it.
    pub verdict: Verdict,
    /// How long that took.
    pub elapsed: Duration,
}

impl Judged {
    /// Whether it is as it says.
    pub fn passed(&self) -> bool {
        self.verdict.reasons.is_empty()
    }
}

impl Run {
    /// How many cases are not as they say.
    pub fn failed(&self) -> usize {
        self.results.iter().filter(|one| !one.passed()).count()
    }

    /// Whether all cases are as they say, and nothing keeps one from being judged.
    pub fn is_good(&self) -> bool {
        self.failed() == 0 && self.findings.errors() == 0
    }
}

/// Judges all cases.
pub fn run(plan: &Plan) -> Run {
    let clock = Clock::start();
    let (files, mut problems) = rules::walk(&plan.paths);
    let (case_files, unreadable) = rules::cases(&plan.paths);
    let (maps, unread) = rules::pipeline_files(&plan.pipelines);
    let (mut set, found) = parse::parse(&files);
    let lists = rules::give_lists(&plan.paths, &mut set);
    problems.extend(
        unreadable
            .into_iter()
            .chain(unread)
            .chain(found)
            .chain(lists),
    );
    let pipelines = pipeline::parse(&maps).unwrap_or_else(|found| {
        problems.extend(found);
        Vec::new()
    });
    let library = Library::new(&files, &set, &pipelines);
    let work = Work {
        library: &library,
        plan,
        files: &case_files,
        next: AtomicUsize::new(0),
        done: Mutex::default(),
        clock,
    };
    // A pipeline that does not load would make every rule mean something else.
    if problems.iter().all(|one| !is_of(one, &maps)) {
        work.all();
    }
    let mut run = Run::default();
    let done = work.done.into_inner().unwrap_or_default();
    for (_, mut part) in done {
        problems.append(&mut part.problems);
        run.results.append(&mut part.results);
    }
    problems.dedup();
    run.findings = findings(problems, &[&files, &case_files, &maps]);
    run.elapsed = clock.elapsed();
    run
}

fn is_of(problem: &Diagnostic, files: &[RuleFile]) -> bool {
    problem.is_error() && files.iter().any(|file| file.name == problem.place.file)
}

/// What is wrong with case files that are YAML, as `check` says it: their form, the rules that they
/// name and the files that they read.
pub fn problems(
    cases: &[RuleFile],
    (files, rules): (&[RuleFile], &RuleSet),
    roots: &[PathBuf],
) -> Vec<Diagnostic> {
    let library = Library::new(files, rules, &[]);
    let mut problems = Vec::new();
    for file in cases {
        let folder = folder(&file.name, roots);
        let read = form::parse(file);
        problems.extend(alone(&read, &library));
        if let Some(rule) = rule_file(&read, &library) {
            for case in &read.cases {
                problems.extend(library.unknown(case, &rule));
                problems.extend(records(case, Some(&folder)).err());
            }
        }
        if read.is_yaml {
            problems.extend(read.problems);
        }
    }
    problems
}

/// The cases of all files, and who takes the next.
struct Work<'w> {
    library: &'w Library<'w>,
    plan: &'w Plan,
    files: &'w [RuleFile],
    next: AtomicUsize,
    done: Mutex<BTreeMap<usize, Part>>,
    clock: Clock,
}

/// What became of one file.
#[derive(Default)]
struct Part {
    problems: Vec<Diagnostic>,
    results: Vec<Judged>,
}

impl Work<'_> {
    fn all(&self) {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let workers = workers.min(WORKERS_MAX).min(self.files.len());
        thread::scope(|scope| {
            for _ in 1..workers {
                scope.spawn(|| self.some());
            }
            self.some();
        });
    }

    fn some(&self) {
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = self.files.get(place) else {
                return;
            };
            let part = self.file(file);
            if let Ok(mut done) = self.done.lock() {
                done.insert(place, part);
            }
        }
    }

    fn file(&self, file: &RuleFile) -> Part {
        let mut read = form::parse(file);
        let mut part = Part::default();
        let filter = self.plan.filter.as_deref().map(str::to_lowercase);
        read.cases.retain(|case| {
            let holds = |wanted: &String| {
                case.name.to_lowercase().contains(wanted)
                    || file.name.to_lowercase().contains(wanted)
            };
            filter.as_ref().is_none_or(holds)
        });
        part.problems.append(&mut read.problems);
        part.problems.extend(alone(&read, self.library));
        let Some(rule) = rule_file(&read, self.library) else {
            return part;
        };
        if read.cases.is_empty() {
            return part;
        }
        let judge = self.library.judge(&rule);
        let hopeless = judge.problems.iter().any(Diagnostic::is_error);
        part.problems.extend(judge.problems.iter().cloned());
        if hopeless {
            return part;
        }
        let folder = folder(&file.name, &self.plan.paths);
        for case in read.cases {
            let unknown = self.library.unknown(&case, &rule);
            if !unknown.is_empty() {
                part.problems.extend(unknown);
                continue;
            }
            let start = self.clock.elapsed();
            match judge.judge(&case, Some(&folder)) {
                Err(problem) => part.problems.push(problem),
                Ok(verdict) => part.results.push(Judged {
                    file: Arc::clone(&file.name),
                    line: case.place.line,
                    name: case.name,
                    verdict,
                    elapsed: self.clock.elapsed().saturating_sub(start),
                }),
            }
        }
        part
    }
}

/// The rule file beside a case file: the same name without `.cases`.
fn rule_file(file: &CaseFile, library: &Library<'_>) -> Option<String> {
    let stem = file.name.rsplit_once(".cases.").map(|(stem, _)| stem)?;
    ["yml", "yaml"]
        .into_iter()
        .map(|end| format!("{stem}.{end}"))
        .find(|rule| library.is_readable(rule))
}

/// A case file without a rule file beside it. One that cannot be read is reported by itself.
fn alone(file: &CaseFile, library: &Library<'_>) -> Option<Diagnostic> {
    let (stem, _) = file.name.rsplit_once(".cases.")?;
    if ["yml", "yaml"]
        .iter()
        .any(|end| library.has(&format!("{stem}.{end}")))
    {
        return None;
    }
    let message = format!("there is no `{stem}.yml` beside these cases");
    let place = Place::start_of(&file.name);
    Some(
        Diagnostic::error(code::CASE_ALONE, &place, message)
            .with_help("`NAME.cases.yml` holds the cases of the rules in `NAME.yml`"),
    )
}

/// Where the files of a case file may lie.
fn folder(name: &str, roots: &[PathBuf]) -> Folder {
    let own = Path::new(name).parent().unwrap_or(Path::new(""));
    let own = if own.as_os_str().is_empty() {
        Path::new(".")
    } else {
        own
    };
    let root = roots
        .iter()
        .find(|root| root.is_dir() && Path::new(name).starts_with(root));
    Folder {
        own: own.to_owned(),
        root: root.map_or(own, PathBuf::as_path).to_owned(),
    }
}

fn findings(problems: Vec<Diagnostic>, files: &[&[RuleFile]]) -> Findings {
    let mut findings = Findings::default();
    for file in files.iter().copied().flatten() {
        if problems.iter().any(|one| one.place.file == file.name) {
            let text = String::from_utf8_lossy(&file.bytes);
            findings.add(&file.name, &text, Vec::new());
        }
    }
    findings.diagnostics = problems;
    findings
}
