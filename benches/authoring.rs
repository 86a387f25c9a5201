//! What somebody who writes rules waits for: rule sets judged, hostile ones refused.
//!
//! ```text
//! cargo bench --bench authoring -- [--runs N] [--only corpus|azure|hostile|cases|list] [--peer PROGRAM]
//! ```
//!
//! `--peer` names an `rsigma` program, which is measured in turn with ours on the same files. Prints
//! one JSON line a run and a table of lowest, middle and highest at the end; `benches/README.md`
//! records them.

#![expect(clippy::print_stdout, reason = "the figures are what a bench is for")]

#[path = "../tests/support/corpus.rs"]
mod corpus;
#[path = "../tests/support/hostile.rs"]
#[allow(unreachable_pub, dead_code, reason = "shared with a test")]
mod hostile;
#[path = "support/measure.rs"]
#[allow(dead_code, reason = "shared with another bench")]
mod measure;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use measure::Figures;
use palisade::clock::Clock;
use palisade::config::{Pipelines, Rules};
use palisade::rules;
use palisade_detect::engine::EngineOptions;

/// How often a running process is asked for its memory.
const ASK_EVERY: Duration = Duration::from_millis(1);
/// A command that takes longer has failed.
const RUN_MAX: Duration = Duration::from_mins(2);
/// Seconds and MiB within which the corpus is judged.
const CORPUS_MAX: [f64; 2] = [1.5, 250.0];
/// Seconds within which the azure rules load.
const AZURE_MAX: f64 = 0.030;
/// Seconds and MiB within which what is hostile is refused.
const HOSTILE_MAX: [f64; 2] = [2.0, 256.0];
/// Rules with two cases each, and the seconds within which all cases are judged.
const RULES_WITH_CASES: usize = 500;
const CASES_MAX: f64 = 2.0;
/// Entries of a list, and the MiB that they may take.
const ENTRIES: usize = 1_000_000;
const LIST_MAX: f64 = 100.0;

fn main() {
    let mut bench = Bench::from_arguments();
    println!("machine: {}", measure::machine());
    if bench.wants("corpus") {
        bench.corpus();
    }
    if bench.wants("azure") {
        bench.azure();
    }
    if bench.wants("hostile") {
        bench.hostile();
    }
    if bench.wants("cases") {
        bench.cases();
    }
    if bench.wants("list") {
        bench.list();
    }
    bench.show();
}

struct Bench {
    runs: usize,
    only: Option<String>,
    peer: Option<PathBuf>,
    table: Vec<Row>,
}

/// Figures of one thing, and what they are held against.
struct Row {
    name: String,
    figures: Figures,
    goal: Option<f64>,
}

/// A command that has ended.
struct Run {
    seconds: f64,
    peak_mib: f64,
    status: Option<i32>,
    out: String,
}

impl Bench {
    fn from_arguments() -> Self {
        let mut bench = Self {
            runs: 5,
            only: None,
            peer: None,
            table: Vec::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            if name == "--bench" {
                continue;
            }
            let value = arguments
                .next()
                .unwrap_or_else(|| panic!("`{name}` wants a value"));
            match &*name {
                "--runs" => bench.runs = value.parse().expect("`--runs` wants a number"),
                "--only" => bench.only = Some(value),
                "--peer" => bench.peer = Some(value.into()),
                _ => panic!("`{name}` is unknown"),
            }
        }
        bench
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }

    fn note(&mut self, name: &str, figure: f64, goal: Option<f64>) {
        println!("{}", serde_json::json!({"bench": name, "figure": figure}));
        let known = self.table.iter_mut().find(|row| row.name == name);
        if let Some(row) = known {
            return row.figures.push(figure);
        }
        let mut figures = Figures::default();
        figures.push(figure);
        let name = name.to_owned();
        self.table.push(Row {
            name,
            figures,
            goal,
        });
    }

    fn note_run(&mut self, name: &str, run: &Run, goals: Option<[f64; 2]>) {
        self.note(
            &format!("{name}, seconds"),
            run.seconds,
            goals.map(|[seconds, _]| seconds),
        );
        self.note(
            &format!("{name}, peak MiB"),
            run.peak_mib,
            goals.map(|[_, mib]| mib),
        );
    }

    /// `check` of SigmaHQ's corpus, and the peer's.
    fn corpus(&mut self) {
        let folder = tempfile::tempdir().expect("a folder");
        let files = corpus::corpus().expect("the corpus is at hand");
        for file in &files {
            let path = folder.path().join(&*file.name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, &file.bytes).expect("a file");
        }
        for _ in 0..self.runs {
            let run = palisade(&["check", "--format", "json"], folder.path());
            assert_eq!(run.status, Some(1), "25 rules are refused");
            let codes = errors(&run.out);
            assert!(codes.iter().all(|code| code == "PAL0308"), "{codes:?}");
            self.note_run("check of SigmaHQ's 3,780 files", &run, Some(CORPUS_MAX));
            if let Some(peer) = self.peer.clone() {
                let mut command = Command::new(peer);
                command.args(["rule", "lint"]).arg(folder.path());
                let run = measured(command);
                assert!(
                    run.status.is_some() && run.out.len() > 1_000,
                    "it says something"
                );
                self.note_run("rsigma rule lint of the same", &run, None);
            }
        }
    }

    /// SigmaHQ's azure rules, from their files to an engine.
    fn azure(&mut self) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("../shared/sigma/sigmahq-azure/rules/cloud/azure");
        for _ in 0..self.runs {
            let clock = Clock::start();
            let loaded = rules::load(
                &Rules::of_paths(std::slice::from_ref(&folder)),
                &Pipelines::built_in(),
                EngineOptions::default(),
                clock.now(),
            );
            let seconds = clock.elapsed().as_secs_f64();
            let engine = loaded.engine.expect("the pipelines load");
            assert_eq!(engine.rules().len(), 123);
            self.note("loading 123 azure rules, seconds", seconds, Some(AZURE_MAX));
        }
    }

    /// Each hostile folder once a run.
    fn hostile(&mut self) {
        for hostile in hostile::ALL {
            let folder = tempfile::tempdir().expect("a folder");
            hostile.make(folder.path());
            for _ in 0..self.runs.min(3) {
                let run = palisade(&["check", "--format", "json"], folder.path());
                let codes = errors(&run.out);
                match hostile.code {
                    None => assert!(codes.is_empty(), "{}: {codes:?}", hostile.name),
                    Some(code) => assert!(
                        codes.iter().any(|found| found == code),
                        "{}: {codes:?}",
                        hostile.name
                    ),
                }
                self.note_run(hostile.name, &run, Some(HOSTILE_MAX));
            }
        }
    }

    /// `test` of a thousand cases.
    fn cases(&mut self) {
        let folder = tempfile::tempdir().expect("a folder");
        for n in 0..RULES_WITH_CASES {
            let (rule, cases) = rule_with_cases(n);
            fs::write(folder.path().join(format!("r{n}.yml")), rule).expect("a file");
            fs::write(folder.path().join(format!("r{n}.cases.yml")), cases).expect("a file");
        }
        for _ in 0..self.runs {
            let run = palisade(&["test"], folder.path());
            assert_eq!(run.status, Some(0), "{}", run.out);
            self.note_run("test of 1,000 cases", &run, Some([CASES_MAX, f64::NAN]));
        }
    }

    /// `check` of a rule with a list, and what the list adds to it.
    fn list(&mut self) {
        let folder = tempfile::tempdir().expect("a folder");
        let lists = folder.path().join("lists");
        fs::create_dir(&lists).expect("a folder");
        fs::write(
            folder.path().join("rule.yml"),
            hostile::GOOD.replace("a: b", "a|in_list: hashes"),
        )
        .expect("a file");
        for _ in 0..self.runs {
            let mut peaks = [0.0; 2];
            for (entries, peak) in [1, ENTRIES].into_iter().zip(&mut peaks) {
                let text: Vec<String> = (0..entries).map(entry).collect();
                fs::write(lists.join("hashes.txt"), text.concat()).expect("a file");
                let run = palisade(&["check"], folder.path());
                assert_eq!(run.status, Some(0), "{}", run.out);
                *peak = run.peak_mib;
                if entries == ENTRIES {
                    self.note("a list of 1,000,000 hashes, seconds", run.seconds, None);
                }
            }
            let added = peaks[1] - peaks[0];
            self.note(
                "a list of 1,000,000 hashes, MiB more",
                added,
                Some(LIST_MAX),
            );
        }
    }

    fn show(&self) {
        println!(
            "\n{:<52} {:>9} {:>9} {:>9} {:>9}",
            "", "lowest", "middle", "highest", "goal"
        );
        for row in &self.table {
            let [low, middle, high] = row.figures.spread();
            let (name, goal) = (&row.name, row.goal.unwrap_or(f64::NAN));
            println!("{name:<52} {low:>9.3} {middle:>9.3} {high:>9.3} {goal:>9.3}");
        }
    }
}

/// A rule for records of one operation, and two cases.
fn rule_with_cases(n: usize) -> (String, String) {
    let rule = format!(
        "title: Rule {n}\nid: 00000000-0000-4000-8000-{n:012}\n\
         logsource: {{product: azure, service: activitylogs}}\n\
         detection: {{s: {{operationName: Microsoft.Test/{n}/write}}, condition: s}}\n"
    );
    let case = |name: &str, fires: bool, operation: usize| {
        format!(
            "  - name: {name}\n    fires: {fires}\n    records:\n      - record: {{time: '${{time}}', \
             resourceId: /subscriptions/1, operationName: MICROSOFT.TEST/{operation}/WRITE, \
             category: Administrative, resultType: Success, identity: {{claims: {{}}}}, properties: {{}}}}\n"
        )
    };
    let cases = format!(
        "cases:\n{}{}",
        case("its operation fires", true, n),
        case("another one does not", false, n + 1)
    );
    (rule, cases)
}

/// A line of a list that looks like a digest.
fn entry(n: usize) -> String {
    format!("{}\n", blake3::hash(&n.to_le_bytes()).to_hex())
}

fn palisade(arguments: &[&str], folder: &Path) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_palisade"));
    command.args(arguments).arg(folder);
    measured(command)
}

/// Runs a command to its end; its output goes to a file, so that it never waits for a reader.
fn measured(mut command: Command) -> Run {
    let out = tempfile::NamedTempFile::new().expect("a file");
    let file = out.reopen().expect("the file opens again");
    let clock = Clock::start();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut peak_mib = 0.0;
    let status = loop {
        peak_mib = measure::peak_mib(child.id()).unwrap_or(peak_mib);
        if let Some(status) = child.try_wait().expect("the child is ours") {
            break status;
        }
        if clock.elapsed() > RUN_MAX {
            child.kill().expect("the child ends");
            child.wait().expect("the child has ended");
            panic!("{command:?} took more than {RUN_MAX:?}");
        }
        thread::sleep(ASK_EVERY);
    };
    Run {
        seconds: clock.elapsed().as_secs_f64(),
        peak_mib,
        status: status.code(),
        out: fs::read_to_string(out.path()).expect("output is text"),
    }
}

/// Codes of the errors in the output of `check --format json`.
fn errors(out: &str) -> Vec<String> {
    let report: serde_json::Value = serde_json::from_str(out).expect("JSON");
    let diagnostics = report["diagnostics"].as_array().expect("a list");
    let errors = diagnostics.iter().filter(|one| one["severity"] == "error");
    errors
        .map(|one| one["code"].as_str().expect("text").to_owned())
        .collect()
}
