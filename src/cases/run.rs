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
use palisade_detect::rule::{RuleFile, RuleSet};

use super::judge::{Judge, Library, Verdict};
use super::records::{self, Folder};
use super::{Case, CaseFile, Fires, form};
use crate::clock::Clock;
use crate::config::{Pipelines, Rules};
use crate::rules::{self, Findings, ForCases, Why};

/// Threads that judge; more have nothing to do on rules of usual numbers.
const WORKERS_MAX: usize = 8;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which rules; the cases stand beside them.
    pub rules: Rules,
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
    /// The cases whose rules the configuration leaves out.
    pub left_out: Vec<LeftOut>,
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

/// A case that was not judged, as it is about a rule that the configuration leaves out.
#[derive(Debug)]
pub struct LeftOut {
    /// Its file.
    pub file: Arc<str>,
    /// Line of the case.
    pub line: u32,
    /// What it shows.
    pub name: String,
    /// Which rule is left out, and why.
    pub why: String,
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
    let mut chosen = rules::for_cases(&plan.rules);
    let mut run = Run::default();
    let mut problems = std::mem::take(&mut chosen.findings.diagnostics);
    run.findings.join(std::mem::take(&mut chosen.findings));
    let (maps, unread) = rules::pipeline_files(&plan.pipelines);
    problems.extend(unread);
    let pipelines = pipeline::parse(&maps).unwrap_or_else(|found| {
        problems.extend(found);
        Vec::new()
    });
    let work = Work {
        library: &Library::new(&chosen.files, &chosen.set, &pipelines),
        plan,
        roots: plan
            .rules
            .paths
            .iter()
            .map(|path| path.path.clone())
            .collect(),
        chosen: &chosen,
        next: AtomicUsize::new(0),
        done: Mutex::default(),
        clock,
    };
    // A pipeline that does not load would make every rule mean something else.
    if problems.iter().all(|one| !is_of(one, &maps)) {
        work.all();
    }
    let done = work.done.into_inner().unwrap_or_default();
    for (_, mut part) in done {
        problems.append(&mut part.problems);
        run.results.append(&mut part.results);
        run.left_out.append(&mut part.left_out);
    }
    problems.dedup();
    let files = [&chosen.files, &chosen.cases, &maps];
    run.findings
        .join(findings(problems, &files.map(Vec::as_slice)));
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
            for case in read.cases.iter().chain(&read.oversized) {
                problems.extend(library.unknown(case, &rule));
                problems.extend(records::problems(case, &folder));
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
    roots: Vec<PathBuf>,
    chosen: &'w ForCases,
    next: AtomicUsize,
    done: Mutex<BTreeMap<usize, Part>>,
    clock: Clock,
}

/// What became of one file.
#[derive(Default)]
struct Part {
    problems: Vec<Diagnostic>,
    results: Vec<Judged>,
    left_out: Vec<LeftOut>,
}

impl Work<'_> {
    fn all(&self) {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let workers = workers.min(WORKERS_MAX).min(self.chosen.cases.len());
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
            let Some(file) = self.chosen.cases.get(place) else {
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
        if let Some(why) = left_out_whole(&read, self.chosen) {
            let why = format!("its rule is left out: {why}");
            part.leave_out(read.cases, &why);
            return part;
        }
        part.problems.append(&mut read.problems);
        part.problems.extend(alone(&read, self.library));
        let Some(rule) = rule_file(&read, self.library) else {
            return part;
        };
        for case in &read.oversized {
            let folder = folder(&case.place.file, &self.roots);
            part.problems.extend(self.library.unknown(case, &rule));
            part.problems.extend(records::problems(case, &folder));
        }
        if read.cases.is_empty() {
            return part;
        }
        let judge = self.library.judge(&rule);
        let hopeless = judge.problems.iter().any(Diagnostic::is_error);
        part.problems.extend(judge.problems.iter().cloned());
        if hopeless {
            return part;
        }
        for case in read.cases {
            self.case(case, (&rule, &judge), &mut part);
        }
        part
    }

    /// Judges one case, unless it is about a rule that is left out.
    fn case(&self, case: Case, (rule, judge): (&str, &Judge), part: &mut Part) {
        let folder = folder(&case.place.file, &self.roots);
        let unknown = self.library.unknown(&case, rule);
        if !unknown.is_empty() {
            let missing = case
                .names()
                .find_map(|(name, _)| self.chosen.left_out(name));
            if let Some(rule) = missing {
                part.leave_out([case], &why(rule));
            } else {
                part.problems.extend(unknown);
                part.problems.extend(records::problems(&case, &folder));
            }
            return;
        }
        let start = self.clock.elapsed();
        let Ok(verdict) = judge.judge(&case, Some(&folder)) else {
            let found = records::problems(&case, &folder);
            return part.problems.extend(found);
        };
        // Any rule of the file would do, and one is not there that may be meant.
        if !verdict.reasons.is_empty()
            && matches!(case.fires, Fires::Any(true))
            && let Some(rule) = self.chosen.left_out_of(rule).next()
        {
            return part.leave_out([case], &why(rule));
        }
        part.results.push(Judged {
            file: Arc::clone(&case.place.file),
            line: case.place.line,
            name: case.name,
            verdict,
            elapsed: self.clock.elapsed().saturating_sub(start),
        });
    }
}

impl Part {
    fn leave_out(&mut self, cases: impl IntoIterator<Item = Case>, why: &str) {
        let cases = cases.into_iter().map(|case| LeftOut {
            file: case.place.file,
            line: case.place.line,
            name: case.name,
            why: why.to_owned(),
        });
        self.left_out.extend(cases);
    }
}

/// Which rule is left out, and why.
fn why(rule: &rules::LeftOut) -> String {
    format!("`{}` is left out: {}", rule.title, rule.why)
}

/// Why no rule beside these cases is chosen, if none is.
fn left_out_whole(file: &CaseFile, chosen: &ForCases) -> Option<Why> {
    let (stem, _) = file.name.rsplit_once(".cases.")?;
    let mut names = ["yml", "yaml"]
        .into_iter()
        .map(|end| format!("{stem}.{end}"));
    names.find_map(|name| chosen.why_left_out(&name))
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
