//! `palisade check`: judge configuration and rules without connecting to anything.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use palisade_detect::diagnostic::{self, Severity, printable};
use palisade_detect::engine::{Engine, EngineOptions};
use palisade_detect::lint;

use super::Terminal;
use crate::clock::Clock;
use crate::config::{Pipelines, Rules, load};
use crate::exit::Exit;
use crate::observed::observed;
use crate::rules::{self, Drafts, Findings, Lint, Listed};

pub mod explain;
pub mod fix;
pub mod levels;
pub mod output;
mod sarif;

use levels::{Deny, Levels};
use output::Format;

const EXAMPLES: &str = "\
Examples:
  palisade check -c palisade.yaml        configuration and the rules it names
  palisade check detections/ my-rule.yml rules alone
  palisade check -c palisade.yaml --format json
  palisade check --observed observed.json detections/
                                         with the fields of your own events, see `decode --observe`

  palisade check --deny warnings --format github
                                         in a workflow: annotations, and no warning passes

A finding that is accepted is marked where it stands: `# palisade: allow(PAL1001) reason`.

Exit status: 0 nothing wrong (warnings may be shown), 1 a rule or pipeline does not load, or a denied
finding, 2 the command line or the configuration cannot be used.";

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
    pub format: Format,
    /// Findings that make the command fail: `warnings` for all of them, or a code. Repeatable.
    #[arg(long, value_name = "warnings|CODE", value_parser = levels::deny)]
    pub deny: Vec<Deny>,
    /// Write what mends findings without changing what a rule means, after showing it as a diff; what is
    /// found then is printed. Only files below the paths that are judged are written.
    #[arg(long, conflicts_with = "diff")]
    pub fix: bool,
    /// Show as a diff what `--fix` would write, and write nothing.
    #[arg(long)]
    pub diff: bool,
    /// Explain a code, such as `PAL0302`, with examples; nothing is judged.
    #[arg(long, value_name = "CODE", conflicts_with_all = ["config", "paths", "pipelines", "observed", "format", "deny", "fix", "diff"])]
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
    let (judged, unwritten) = mend(args, judged, terminal)?;
    let mut out = std::io::stdout().lock();
    let text = output::render(&judged.findings, args.format, terminal.stdout);
    out.write_all(text.as_bytes())?;
    if args.format == Format::Text {
        writeln!(out, "{}", judged.summary())?;
    }
    match judged.exit {
        Exit::Ok if unwritten => Ok(Exit::Problems),
        exit => Ok(exit),
    }
}

/// Shows and writes fixes as the options ask; says whether a file could not be written.
fn mend(args: &Args, judged: Judged, terminal: Terminal) -> anyhow::Result<(Judged, bool)> {
    if !args.fix && !args.diff {
        return Ok((judged, false));
    }
    let (mended, changes) = fix::fix(args, &judged)?;
    let mut err = std::io::stderr().lock();
    // Programs read standard output.
    if args.format == Format::Text {
        let diff = changes.diff(terminal.stdout);
        std::io::stdout().lock().write_all(diff.as_bytes())?;
    } else {
        err.write_all(changes.diff(terminal.stderr).as_bytes())?;
    }
    let verb = if args.fix { "mended" } else { "can be mended" };
    let (findings, files) = (
        count(changes.applied, "finding"),
        count(changes.files(), "file"),
    );
    writeln!(err, "{findings} {verb} in {files}")?;
    if changes.refused > 0 {
        let refused = count(changes.refused, "finding");
        writeln!(
            err,
            "{refused} left to you: mended, a rule would have another id or version"
        )?;
    }
    if changes.waiting > 0 {
        let waiting = count(changes.waiting, "finding");
        writeln!(err, "{waiting} left in files with errors: mend those first")?;
    }
    if args.diff {
        // The files stay, so what is found in them stays too.
        return Ok((judged, false));
    }
    let problems = changes.write(&judged.roots);
    for problem in &problems {
        writeln!(err, "palisade: {}", printable(&format!("{problem:#}")))?;
    }
    Ok((mended.unwrap_or(judged), !problems.is_empty()))
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
    /// Findings that are denied.
    pub denied: usize,
    /// Every rule that was read.
    pub list: Vec<Listed>,
    /// Files and folders whose rules were judged.
    pub roots: Vec<PathBuf>,

    /// How the program ends.
    pub exit: Exit,
}

impl Judged {
    /// Whether a file lies below what was named.
    fn may_write(&self, name: &str) -> bool {
        let path = Path::new(name);
        self.roots.iter().any(|root| path.starts_with(root))
    }

    fn summary(&self) -> String {
        let of = |severity| {
            let all = self.findings.diagnostics.iter();
            all.filter(|one| one.severity == severity).count()
        };
        let mut text = format!(
            "{}, {}; {}, {}",
            count(self.rules, "rule"),
            count(self.correlations, "correlation"),
            count(of(Severity::Error), "error"),
            count(of(Severity::Warning), "warning")
        );
        let infos = of(Severity::Info);
        if infos > 0 {
            text.extend([", ", &count(infos, "info")]);
        }
        if self.denied > 0 {
            text.extend(["; ", &self.denied.to_string(), " denied"]);
        }
        text
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
    judge_drafts(args, &Drafts::new())
}

/// As [`judge`], with drafts in the place of what files hold.
fn judge_drafts(args: &Args, drafts: &Drafts) -> anyhow::Result<Judged> {
    let observed = observed(args.observed.as_deref())?;
    let mut findings = Findings::default();
    let mut rules = Rules::of_paths(&[]);
    let mut pipelines = Pipelines::built_in();
    let mut configured = Vec::new();
    let mut own: Option<(Arc<str>, Arc<str>)> = None;
    let mut unusable = false;
    if args.config.is_some() || args.paths.is_empty() {
        let file = args.config.as_deref().unwrap_or(Path::new("palisade.yaml"));
        let name = file.display().to_string();
        match load::load(file) {
            Ok(loaded) => {
                findings.add(&name, &loaded.findings.text, loaded.findings.diagnostics);
                rules = loaded.config.rules;
                pipelines = loaded.config.pipelines;
                configured = loaded.config.check_levels;
                own = Some((Arc::from(name), loaded.findings.text));
            }
            Err(wrong) => {
                findings.add(&name, &wrong.text, wrong.diagnostics);
                // A broken configuration must not hide what is wrong with what it names.
                (rules, pipelines) = load::parts_of(file, &wrong.text);
                unusable = true;
            }
        }
    }
    let pipelines = pipelines.with_arguments(&args.pipelines);
    let lint = Lint {
        observed: Some(&observed),
        now: Some(Clock::start().now()),
        drafts: Some(drafts),
    };
    let rules = rules.with_paths(&args.paths);
    let loaded = rules::load_and_lint(&rules, &pipelines, EngineOptions::default(), lint);
    findings.join(loaded.findings);
    let own = own.iter().map(|(name, text)| (name, text.as_bytes()));
    lint::allow::apply(own, &mut findings.diagnostics);
    let levels = Levels::new(&configured, &args.deny);
    levels.apply(&mut findings.diagnostics);
    let all = findings.diagnostics.iter();
    let denied = all.filter(|one| levels.denies(one)).count();
    let exit = match findings.errors() + denied {
        _ if unusable => Exit::Usage,
        0 => Exit::Ok,
        _ => Exit::Problems,
    };
    let engine = loaded.engine.as_ref();
    Ok(Judged {
        rules: engine.map_or(0, |engine| engine.rules().len()),
        correlations: engine.map_or(0, Engine::correlation_count),
        findings,
        denied,
        list: loaded.rules,
        roots: rules.paths.into_iter().map(|path| path.path).collect(),
        exit,
    })
}
