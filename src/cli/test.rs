//! `palisade test`: the cases beside the rules.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use palisade_detect::diagnostic::printable;

use super::watch::Watch;
use super::{Terminal, load_config};
use crate::cases::run::{Plan, Run, run};
use crate::cases::show;
use crate::config::{Pipelines, Rules};
use crate::exit::Exit;
use crate::rules::lists_folder;
use crate::watch::Roots;

/// Clears a terminal and goes to its first line.
const CLEAR: &str = "\u{1b}[2J\u{1b}[3J\u{1b}[H";

const EXAMPLES: &str = "\
Examples:
  palisade test detections                              every case of every rule
  palisade test detections --filter spray               only cases whose file or name says so
  palisade test detections --watch                      again whenever a file changes; Ctrl-C ends
  palisade test detections --format junit > report.xml  for a build server

A case file `NAME.cases.yml` stands beside its rule file `NAME.yml`:

  cases:
    - name: five wrong passwords in a minute fire
      fires: true                        # or false, or a list: [rule, {rule: other, times: 2}]
      silent: [other_rule]               # rules that must not fire, if it matters
      records:
        - at: 0s                         # from the case's zero
          repeat: 5
          every: 10s
          record: {time: '${time}', category: SignInLogs, identity: kim}
        - {file: event.json, select: 1}  # or a record of a file beside it

A case is judged by the rules of its file and those that they refer to, without suppression; with a
configuration it is left out, and that is said, where the configuration leaves out its rule. One
that fails says which rule judged otherwise, on which event, and which conditions decided.

Exit status: 0 all cases are as they say, 1 one is not or cannot be judged, 2 the command line or
the configuration cannot be used.";

/// Options of `test`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Rule folders, or rule files with their cases beside them.
    #[arg(value_name = "DIR", required_unless_present = "config")]
    pub paths: Vec<PathBuf>,
    /// Configuration file whose pipelines to use, and without DIR its rules as it chooses them.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Processing pipeline on top of the built-in field map; `none` switches the built-in one off.
    #[arg(long = "pipeline", value_name = "FILE|none")]
    pub pipelines: Vec<PathBuf>,
    /// Only cases whose file or name holds this text, without regard to case.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Run again whenever a file changes, until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
    /// How to print what became of them.
    #[arg(long, default_value = "pretty")]
    pub format: Format,
}

/// Output of `test`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: what failed, and why.
    Pretty,
    /// For programs: one JSON document.
    Json,
    /// For build servers: `JUnit` XML.
    Junit,
}

/// Runs the cases, once or again and again.
///
/// # Errors
/// When the configuration cannot be used, files cannot be watched, or standard output is gone.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    if !args.watch {
        return once(args, terminal);
    }
    loop {
        // Before the run, so that no change is missed while it goes on. The configuration may name
        // other rules or pipelines after each.
        let changes = Watch::new(&watched(args, terminal))?;
        // A configuration that is broken for a moment ends nothing.
        if let Err(error) = once(args, terminal) {
            let error = format!("{error:#}");
            writeln!(io::stderr(), "{}", printable(&error))?;
        }
        writeln!(io::stderr(), "watching for changes; Ctrl-C ends")?;
        changes.wait()?;
        if terminal.stdout_is_terminal {
            io::stdout().write_all(CLEAR.as_bytes())?;
        }
    }
}

fn once(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let plan = plan(args, terminal)?;
    let run = run(&plan);
    let mut out = io::stdout().lock();
    match args.format {
        Format::Pretty => out.write_all(show::pretty(&run, terminal.stdout).as_bytes())?,
        Format::Json => writeln!(out, "{:#}", show::json(&run))?,
        Format::Junit => out.write_all(show::junit(&run).as_bytes())?,
    }
    out.flush()?;
    Ok(exit(&run))
}

fn exit(run: &Run) -> Exit {
    if !run.is_good() {
        return Exit::Problems;
    }
    if run.results.is_empty() && run.left_out.is_empty() {
        // A folder that was moved must not look like one that is well.
        drop(writeln!(io::stderr(), "no case was found"));
        return Exit::Problems;
    }
    Exit::Ok
}

fn plan(args: &Args, terminal: Terminal) -> anyhow::Result<Plan> {
    let mut pipelines = Pipelines::built_in();
    let paths: Vec<PathBuf> = args.paths.iter().map(|path| rule_path(path)).collect();
    let mut rules = Rules::of_paths(&paths);
    if let Some(file) = &args.config {
        let config = load_config(file, terminal)?.config;
        pipelines = config.pipelines;
        if paths.is_empty() {
            rules = config.rules;
        }
    }
    Ok(Plan {
        rules,
        pipelines: pipelines.with_arguments(&args.pipelines),
        filter: args.filter.clone(),
    })
}

/// A case file stands for the rule file beside it.
fn rule_path(path: &Path) -> PathBuf {
    let name = path.to_string_lossy();
    match name.rsplit_once(".cases.") {
        Some((stem, "yml" | "yaml")) => ["yml", "yaml"]
            .iter()
            .map(|end| PathBuf::from(format!("{stem}.{end}")))
            .find(|rule| rule.is_file())
            .unwrap_or_else(|| path.to_owned()),
        _ => path.to_owned(),
    }
}

/// What a change may happen to: cases, and records of theirs, stand beside a rule file.
fn watched(args: &Args, terminal: Terminal) -> Roots {
    let mut roots = Roots::default();
    let mut rules = args.paths.clone();
    let mut files: Vec<PathBuf> = args.config.iter().cloned().collect();
    if let Ok(plan) = plan(args, terminal) {
        rules.extend(plan.rules.paths.into_iter().map(|rules| rules.path));
        files.extend(plan.pipelines.files);
    }
    let lists: Vec<PathBuf> = rules.iter().filter_map(|path| lists_folder(path)).collect();
    files.extend(lists);
    for path in files {
        roots.add(path);
    }
    for path in rules {
        roots.add_with_neighbours(path);
    }
    roots
}
