//! The command line: one file per subcommand, each with its options and an `execute`.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::ColorChoice;
use palisade_detect::diagnostic::Color;

use crate::config::load::{self, Findings, Loaded};
use crate::exit::Exit;

pub mod run;
pub mod demo;
pub mod check;
pub mod replay;
pub mod explain;
pub mod test;
pub mod decode;
pub mod alerts;
pub mod dead;
pub mod repair;
pub mod rules;
pub mod coverage;
pub mod new;
pub mod completions;
pub mod schema;
pub mod config;
pub mod health;
pub mod conformance;

mod inputs;
mod watch;

const EXAMPLES: &str = "\
Examples:
  palisade demo                                   a recorded attack through every stage
  palisade check -c palisade.yaml                 everything that is wrong, all at once
  palisade run -c palisade.yaml                   judge live logs until SIGTERM
  palisade decode samples/                        what a rule author can match on
  palisade replay --rules detections samples/     which rules fire on recorded logs
  palisade test detections                        the cases beside the rules
  palisade explain --rules detections signin.json  why they fire, or do not
  palisade alerts list -c palisade.yaml           newest alerts, beside a running process
  palisade dead list -c palisade.yaml             what could not go on, and why
  palisade rules -c palisade.yaml                 what is loaded, what is not and why, what fired

Exit status: 0 done, 1 problems found or failed, 2 command line or configuration unusable,
73 the state does not fit, 74 part of the state is missing, 75 the state is held by another process.";

/// A detection line in front of a SIEM: Azure security logs in, Sigma alerts out.
#[derive(Debug, clap::Parser)]
#[command(name = "palisade", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// Colours in output; `auto` means on a terminal unless `NO_COLOR` is set.
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub color: ColorChoice,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Judge live logs and deliver alerts until SIGTERM.
    Run(run::Args),
    /// Send a recorded attack through every stage and show its alerts.
    Demo(demo::Args),
    /// Judge configuration and rules without connecting to anything.
    Check(check::Args),
    /// Judge recorded logs and print the alerts.
    Replay(replay::Args),
    /// Judge the cases beside the rules.
    Test(test::Args),
    /// Show why rules match recorded logs, or do not.
    Explain(explain::Args),
    /// Show the events in files or at the end of a live source.
    Decode(decode::Args),
    /// Read the alerts log, also beside a running process.
    Alerts(alerts::Args),
    /// Look at dead letters, try them again, export or purge them, also beside a running process.
    Dead(dead::Args),
    /// Decide what is given up where `run` stopped because data is gone.
    Repair(repair::Args),
    /// List the rules: loaded, left out or skipped and why, and how often each fired.
    Rules(rules::Args),
    /// Show which ATT&CK techniques the rules cover, by log source.
    Coverage(coverage::Args),
    /// Begin a rule, or turn recorded events into a case.
    New(new::Args),
    /// Print a JSON Schema, by which editors complete and check files.
    Schema(schema::Args),
    /// Print a script that completes the command line.
    Completions(completions::Args),
    /// Show the effective configuration.
    Config(config::Args),
    /// Ask a running process whether it is alive or ready.
    Health(health::Args),
    /// Run one case of the Sigma conformance suite.
    Conformance(conformance::Args),
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    /// When the command could not be carried out; [`Exit::of`] gives the status.
    pub fn execute(self) -> anyhow::Result<Exit> {
        let terminal = Terminal::new(self.color);
        match self.command {
            Command::Run(args) => run::execute(&args, terminal),
            Command::Demo(args) => demo::execute(&args, terminal),
            Command::Check(args) => check::execute(&args, terminal),
            Command::Replay(args) => replay::execute(&args, terminal),
            Command::Test(args) => test::execute(&args, terminal),
            Command::Explain(args) => explain::execute(&args, terminal),
            Command::Decode(args) => decode::execute(&args, terminal),
            Command::Alerts(args) => alerts::execute(&args, terminal),
            Command::Dead(args) => dead::execute(&args, terminal),
            Command::Repair(args) => repair::execute(&args, terminal),
            Command::Rules(args) => rules::execute(&args, terminal),
            Command::Coverage(args) => coverage::execute(&args, terminal),
            Command::New(args) => new::execute(&args, terminal),
            Command::Schema(args) => schema::execute(&args),
            Command::Completions(args) => completions::execute(&args),
            Command::Config(args) => config::execute(&args, terminal),
            Command::Health(args) => health::execute(&args, terminal),
            Command::Conformance(args) => conformance::execute(&args, terminal),
        }
    }
}

/// Where output goes and whether it may carry colours.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Colours on standard output.
    pub stdout: Color,
    /// Colours on standard error.
    pub stderr: Color,
    /// Whether a person reads standard output.
    pub stdout_is_terminal: bool,
    /// Whether a person reads standard error.
    pub stderr_is_terminal: bool,
}

impl Terminal {
    /// Looks at the standard streams, `NO_COLOR` and the `--color` option, which wins.
    pub fn new(choice: ColorChoice) -> Self {
        let stdout_is_terminal = std::io::stdout().is_terminal();
        let stderr_is_terminal = std::io::stderr().is_terminal();
        let no_color = load::environment("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            stdout: color(choice, stdout_is_terminal, no_color),
            stderr: color(choice, stderr_is_terminal, no_color),
            stdout_is_terminal,
            stderr_is_terminal,
        }
    }
}

fn color(choice: ColorChoice, is_terminal: bool, no_color: bool) -> Color {
    match choice {
        ColorChoice::Always => Color::Always,
        ColorChoice::Auto if is_terminal && !no_color => Color::Always,
        ColorChoice::Auto | ColorChoice::Never => Color::Never,
    }
}

/// The configuration file to use.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigFile {
    /// Configuration file.
    #[arg(
        short = 'c',
        long = "config",
        value_name = "FILE",
        default_value = "palisade.yaml"
    )]
    pub config: PathBuf,
}

/// Loads a configuration, and says on standard error what is wrong with it, warnings included.
///
/// # Errors
/// When it cannot be used; the status is [`Exit::Usage`].
pub fn load_config(path: &Path, terminal: Terminal) -> anyhow::Result<Loaded> {
    let tell = |findings: &Findings| {
        let text = findings.render(terminal.stderr);
        std::io::stderr().write_all(text.as_bytes())
    };
    match load::load(path) {
        Ok(loaded) => {
            tell(&loaded.findings)?;
            Ok(loaded)
        }
        Err(findings) => {
            tell(&findings)?;
            let errors = findings
                .diagnostics
                .iter()
                .filter(|one| one.is_error())
                .count();
            let errors = if errors == 1 {
                "1 error".to_owned()
            } else {
                format!("{errors} errors")
            };
            Err(anyhow!("{errors} in `{}`", path.display()).context(Exit::Usage))
        }
    }
}

/// Output of commands that print for people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum TextOrJson {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON document.
    Json,
}

/// Output of commands that list records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TableOrNdjson {
    /// Aligned columns, for people.
    Table,
    /// One JSON document a line, for programs.
    Ndjson,
}

/// Output of commands that print alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PrettyOrNdjson {
    /// A block per alert, for people.
    Pretty,
    /// One canonical alert a line, for programs.
    Ndjson,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn command_line_is_free_of_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn colour_option_wins_over_terminal_and_no_color() {
        assert_eq!(color(ColorChoice::Always, false, true), Color::Always);
        assert_eq!(color(ColorChoice::Never, true, false), Color::Never);
        assert_eq!(color(ColorChoice::Auto, true, true), Color::Never);
        assert_eq!(color(ColorChoice::Auto, true, false), Color::Always);
        assert_eq!(color(ColorChoice::Auto, false, false), Color::Never);
    }
}
