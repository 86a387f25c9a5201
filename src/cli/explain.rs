//! `palisade explain`: why rules match recorded logs, or do not.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use palisade_detect::engine::EngineOptions;

use super::inputs::Inputs;
use super::replay::LogsourceMode;
use super::{Terminal, TextOrJson, load_config};
use crate::clock::Clock;
use crate::config::{Pipelines, Rules};
use crate::exit::Exit;
use crate::explain::text::{Show, Writer};
use crate::explain::{Bench, Report, Session};
use crate::rules;
use crate::topology::fold::Suppression;

const EXAMPLES: &str = "\
Examples:
  palisade explain --rules detections signin.json       what matches, and what nearly does
  palisade explain --rules detections --rule azure_password_spray signin.ndjson
                                                        one rule in full: also why it stays silent
  palisade explain -c palisade.yaml --rule 'Role assignment' -
  palisade explain --rules my.yml --rule my --format json event.json | jq '.events[0].rules[0]'

How to read it: every line begins with its verdict, ✓ or ✗. A line that names a field shows what the
rule asks for and then what it saw in the event; a field that is not there is said to be absent,
with names that are there and look like it. A correlation shows its groups, their events in order of
time, and what each still lacks. Records are read as `replay` reads them.

Exit status: 0 also when nothing matches, 1 if an input cannot be read, 2 if no rule is called so.";

/// Options of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Rule file or folder; may be given several times.
    #[arg(
        long = "rules",
        value_name = "PATH",
        required_unless_present = "config"
    )]
    pub rules: Vec<PathBuf>,
    /// Configuration file whose rules and pipelines to use.
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Id, name or title of a rule to explain in full, also where it does not match; may be given
    /// several times. Without it: the rules that match, and the nearest where none does.
    #[arg(long = "rule", value_name = "ID")]
    pub rule: Vec<String>,
    /// Processing pipeline on top of the built-in field map; `none` switches the built-in one off.
    #[arg(long = "pipeline", value_name = "FILE|none")]
    pub pipelines: Vec<PathBuf>,
    /// How a rule's log source is held against an event's.
    #[arg(long, default_value = "strict", value_name = "HOW")]
    pub logsource: LogsourceMode,
    /// Most events to show: those that match, then the nearest to a match.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Show only the parts of a condition that decided.
    #[arg(long)]
    pub deciding: bool,
    /// How to print.
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
    /// Files, folders (recursive: .json .ndjson .jsonl .log, also .gz .zst), or `-`.
    #[arg(value_name = "FILE|DIR|-", required = true)]
    pub inputs: Vec<PathBuf>,
}

/// Explains the inputs in the order given.
///
/// # Errors
/// When an input cannot be read, no rule can be, or none is called as asked.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let bench = bench(args, terminal)?;
    let subject = if args.rule.is_empty() {
        bench.all()
    } else {
        let named = bench.named(&args.rule);
        named
            .map_err(|unknown| anyhow!(unknown))
            .context(Exit::Usage)?
    };
    let clock = Clock::start();
    let mut session = Session::new(&bench, subject, Suppression::AsWritten, args.limit)?;
    let inputs = Inputs::find(&args.inputs, terminal)?;
    let read = inputs.read(&mut |record| {
        match &record.broken {
            Some(broken) => {
                let place = format!("{}/{}", record.path, record.offset);
                session.reject(&place, &broken.message);
            }
            None => session.record(&record.path, record.offset, &record.payload, clock.now())?,
        }
        Ok(())
    })?;
    print(args, terminal, &session.finish())?;
    Ok(if read.failed == 0 {
        Exit::Ok
    } else {
        Exit::Problems
    })
}

fn bench(args: &Args, terminal: Terminal) -> anyhow::Result<Bench> {
    let mut pipelines = Pipelines::built_in();
    let mut rules = Rules::of_paths(&args.rules);
    if let Some(file) = &args.config {
        let config = load_config(file, terminal)?.config;
        pipelines = config.pipelines;
        let named = std::mem::replace(&mut rules, config.rules);
        rules.paths.extend(named.paths);
    }
    let pipelines = pipelines.with_arguments(&args.pipelines);
    let options = EngineOptions {
        routing: args.logsource.into(),
        ..EngineOptions::default()
    };
    let now = Clock::start().now();
    let (loaded, judged) = rules::load_and_keep(&rules, &pipelines, options, now);
    let findings = loaded.findings.render(terminal.stderr);
    io::stderr().write_all(findings.as_bytes())?;
    let engine = loaded.engine.filter(|engine| !engine.rules().is_empty());
    let engine = Arc::new(engine.context("no rule could be loaded")?);
    Ok(Bench::new(judged, engine, options.routing))
}

fn print(args: &Args, terminal: Terminal, report: &Report) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match args.format {
        TextOrJson::Json => {
            serde_json::to_writer_pretty(&mut out, report)?;
            writeln!(out)?;
        }
        TextOrJson::Text => {
            let show = if args.deciding {
                Show::Deciding
            } else {
                Show::Whole
            };
            let writer = Writer {
                color: terminal.stdout,
                show,
            };
            out.write_all(writer.report(report).as_bytes())?;
        }
    }
    Ok(out.flush()?)
}
