//! `palisade check`: judge configuration and rules without connecting to anything.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use palisade_detect::diagnostic::{self, Diagnostic, printable};
use palisade_detect::engine::{Engine, EngineOptions};

use super::{Terminal, TextOrJson};
use crate::clock::Clock;
use crate::config::{Pipelines, Rules, load};
use crate::exit::Exit;
use crate::observed::observed;
use crate::rules::{self, Findings, Lint};

pub mod explain;

const EXAMPLES: &str = "\
Examples:
  palisade check -c palisade.yaml        configuration and the rules it names
  palisade check detections/ my-rule.yml rules alone
  palisade check -c palisade.yaml --format json
  palisade check --observed observed.json detections/
                                         with the fields of your own events, see `decode --observe`

Exit status: 0 nothing wrong (warnings may be shown), 1 a rule or pipeline does not load, 2 the
configuration cannot be used.";

/// Options of `check`.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Configuration file to judge with the rules it names.
    ///
    /// Without it and without PATHs: `palisade.yaml`.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Rule files or folders to judge.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Processing pipeline on top of the built-in field map; `none` switches the built-in one off.
    #[arg(long = "pipeline", value_name = "FILE|none")]
    pub pipelines: Vec<PathBuf>,
    /// Fields of your own events, as `palisade decode --observe FILE` wrote them: names of fields in
    /// rules are held against them, too.
    #[arg(long, value_name = "FILE")]
    pub observed: Option<PathBuf>,
    /// How to print the findings.
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
    /// Explain a code, such as `PAL0302`, with examples; nothing is judged.
    #[arg(long, value_name = "CODE", conflicts_with_all = ["config", "paths", "pipelines", "observed", "format"])]
    pub explain: Option<String>,
}

/// Prints everything that is wrong.
///
/// # Errors
/// When the file of observed fields cannot be read, standard output is gone, or the code to explain is
/// unknown.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    if let Some(name) = &args.explain {
        return explain(name, terminal);
    }
    let judged = judge(args)?;
    let mut out = std::io::stdout().lock();
    match args.format {
        TextOrJson::Text => {
            out.write_all(judged.findings.render(terminal.stdout).as_bytes())?;
            writeln!(out, "{}", judged.summary())?;
        }
        TextOrJson::Json => writeln!(out, "{:#}", json(&judged.findings.diagnostics))?,
    }
    Ok(judged.exit)
}

fn explain(name: &str, terminal: Terminal) -> anyhow::Result<Exit> {
    let code = diagnostic::explain::find(name).map_err(|help| {
        let help = help.unwrap_or_else(|| "codes look like `PAL0302`".to_owned());
        anyhow!("there is no code `{}`; {help}", printable(name)).context(Exit::Usage)
    })?;
    let text = explain::text(code, terminal.stdout);
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}

/// What was found.
pub struct Judged {
    /// Everything that is wrong, and worth knowing.
    pub findings: Findings,
    /// Rules that load.
    pub rules: usize,
    /// Correlations that load.
    pub correlations: usize,
    /// How the program ends.
    pub exit: Exit,
}

impl Judged {
    fn summary(&self) -> String {
        let errors = self.findings.errors();
        let others = self.findings.diagnostics.len() - errors;
        format!(
            "{}, {}; {}, {}",
            count(self.rules, "rule"),
            count(self.correlations, "correlation"),
            count(errors, "error"),
            count(others, "warning")
        )
    }
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// Judges what the options name.
///
/// # Errors
/// When the file of observed fields cannot be read.
pub fn judge(args: &Args) -> anyhow::Result<Judged> {
    let observed = observed(args.observed.as_deref())?;
    let mut findings = Findings::default();
    let mut rules = Rules::of_paths(&[]);
    let mut pipelines = Pipelines::built_in();
    let mut unusable = false;
    if args.config.is_some() || args.paths.is_empty() {
        let file = args.config.as_deref().unwrap_or(Path::new("palisade.yaml"));
        let name = file.display().to_string();
        match load::load(file) {
            Ok(loaded) => {
                findings.add(&name, &loaded.findings.text, loaded.findings.diagnostics);
                rules = loaded.config.rules;
                pipelines = loaded.config.pipelines;
            }
            Err(wrong) => {
                findings.add(&name, &wrong.text, wrong.diagnostics);
                // A broken configuration must not hide what is wrong with the rules that it names.
                rules = Rules::of_paths(&load::rules_of(file));
                unusable = true;
            }
        }
    }
    let pipelines = pipelines.with_arguments(&args.pipelines);
    let lint = Lint {
        observed: Some(&observed),
        now: Some(Clock::start().now()),
    };
    let loaded = rules::load_and_lint(
        &rules.with_paths(&args.paths),
        &pipelines,
        EngineOptions::default(),
        lint,
    );
    findings.join(loaded.findings);
    let exit = match findings.errors() {
        _ if unusable => Exit::Usage,
        0 => Exit::Ok,
        _ => Exit::Problems,
    };
    let engine = loaded.engine.as_ref();
    Ok(Judged {
        rules: engine.map_or(0, |engine| engine.rules().len()),
        correlations: engine.map_or(0, Engine::correlation_count),
        findings,
        exit,
    })
}

/// `{"diagnostics":[{"code","severity","file","line","column","message","help","rule"}]}`.
fn json(diagnostics: &[Diagnostic]) -> serde_json::Value {
    let diagnostics: Vec<_> = diagnostics
        .iter()
        .map(|one| {
            serde_json::json!({
                "code": one.code,
                "severity": one.severity.name(),
                "file": &*one.place.file,
                "line": one.place.line,
                "column": one.place.column,
                "message": one.message,
                "help": one.help,
                "rule": one.rule,
            })
        })
        .collect();
    serde_json::json!({ "diagnostics": diagnostics })
}
