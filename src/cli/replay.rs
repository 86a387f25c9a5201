//! `palisade replay`: judge recorded logs and print the alerts.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Stdout, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use indicatif::ProgressBar;
use palisade_detect::alert::Alert;
use palisade_detect::diagnostic::Color;
use palisade_detect::engine::{Engine, EngineOptions};
use palisade_detect::logsource::Routing;
use palisade_detect::rule::Level;
use palisade_detect::time::Span;
use palisade_ingest::reject::Reject;
use palisade_sinks::render::{pretty, shown};

use super::inputs::{Inputs, Read};
use super::{PrettyOrNdjson, Terminal};
use crate::clock::Clock;
use crate::config::{Pipelines, Rules, value};
use crate::exit::Exit;
use crate::rules;
use crate::topology::fold::Suppression;
use crate::topology::offline::{Offline, Watermark};
use crate::topology::stage::SourceTraits;

mod crew;

use crew::{Crew, Judged, Orders, Silence};

/// Whose data files hold, as ids name it.
const TENANT: &str = "default";

/// Rejects that are shown one by one; the summary counts all.
const REJECTS_SHOWN: u64 = 20;

const EXAMPLES: &str = "\
Examples:
  palisade replay --rules detections samples/
  palisade replay --rules detections --rules sigma/rules/cloud/azure signin.json.gz
  kubectl logs my-pod | palisade replay --rules rules/ --format pretty -

Alerts go to standard output, one canonical alert a line; summary and progress go to standard error.
The exit status is 0 also when nothing fires. Event times are taken as they are: a correlation's
window stays open until the input ends, or with --lateness follows the newest event.";

/// Options of `replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Rule file or folder; may be given several times.
    #[arg(long = "rules", value_name = "PATH", required = true)]
    pub rules: Vec<PathBuf>,
    /// How to print alerts [default: ndjson].
    #[arg(long)]
    pub format: Option<PrettyOrNdjson>,
    /// How a rule's log source is held against an event's.
    #[arg(long, default_value = "strict", value_name = "HOW")]
    pub logsource: LogsourceMode,
    /// Processing pipeline on top of the built-in field map; `none` switches the built-in one off.
    #[arg(long = "pipeline", value_name = "FILE|none")]
    pub pipelines: Vec<PathBuf>,
    /// Alert also while a correlation that fired would stay silent for its group.
    #[arg(long)]
    pub no_suppress: bool,
    /// Let the watermark follow the newest event time less this, such as `2m` [default: stands
    /// still until the input ends].
    #[arg(long, value_name = "SPAN")]
    pub lateness: Option<String>,
    /// Files, folders (recursive: .json .ndjson .jsonl .log, also .gz .zst), or `-`.
    #[arg(value_name = "FILE|DIR|-", required = true)]
    pub inputs: Vec<PathBuf>,
}

/// How a rule's log source is held against an event's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogsourceMode {
    /// Every part that the rule names must be there and equal.
    Strict,
    /// Only a part that differs keeps a rule away.
    Lenient,
    /// Every rule judges every event.
    Any,
}

impl From<LogsourceMode> for Routing {
    fn from(mode: LogsourceMode) -> Self {
        match mode {
            LogsourceMode::Strict => Self::Strict,
            LogsourceMode::Lenient => Self::Lenient,
            LogsourceMode::Any => Self::Any,
        }
    }
}

/// Replays the inputs in the order given.
///
/// # Errors
/// When an input cannot be read or no rule can be.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let lateness = match args.lateness.as_deref().map(value::duration) {
        None => None,
        Some(Ok(lateness)) => Some(lateness),
        Some(Err(reason)) => {
            return Err(anyhow!("`--lateness`: {reason}")).context(Exit::Usage);
        }
    };
    let pipelines = Pipelines::built_in().with_arguments(&args.pipelines);
    let options = EngineOptions {
        routing: args.logsource.into(),
        lateness: lateness.unwrap_or(EngineOptions::default().lateness),
    };
    let loaded = rules::load(
        &Rules::of_paths(&args.rules),
        &pipelines,
        options,
        Clock::start().now(),
    );
    let findings = loaded.findings.render(terminal.stderr);
    io::stderr().write_all(findings.as_bytes())?;
    let engine = loaded.engine.filter(|engine| !engine.rules().is_empty());
    let engine = Arc::new(engine.context("no rule could be loaded")?);
    rules::prepare(&engine);
    let mut totals = Totals {
        rules: engine.rules().len() + engine.correlation_count(),
        skipped: loaded.skipped,
        ..Totals::default()
    };
    let orders = Orders {
        engine: Arc::clone(&engine),
        traits: SourceTraits::as_they_stand(TENANT),
        clock: Clock::start(),
        silence: match lateness {
            None => Silence::Counted,
            Some(_) => Silence::Kept,
        },
    };
    let stages = stages(args, engine, lateness)?;
    let inputs = Inputs::find(&args.inputs, terminal)?;
    let format = args.format.unwrap_or(PrettyOrNdjson::Ndjson);
    let mut output = Output {
        format,
        color: terminal.stdout,
        bar: inputs.bar(),
        clock: Clock::start(),
        out: BufWriter::new(io::stdout()),
        text: String::new(),
    };
    let read = judge(&orders, stages, inputs, (&mut output, &mut totals))?;
    writeln!(
        io::stderr(),
        "{}",
        totals.summary(&read, output.clock.elapsed())
    )?;
    Ok(if read.failed == 0 {
        Exit::Ok
    } else {
        Exit::Problems
    })
}

fn stages(args: &Args, engine: Arc<Engine>, lateness: Option<Span>) -> anyhow::Result<Offline> {
    let watermark = lateness.map_or(Watermark::StandsStill, Watermark::Follows);
    let suppression = if args.no_suppress {
        Suppression::Off
    } else {
        Suppression::AsWritten
    };
    Ok(Offline::new(
        engine,
        SourceTraits::as_they_stand(TENANT),
        watermark,
        suppression,
    )?)
}

fn judge(
    orders: &Orders,
    mut stages: Offline,
    inputs: Inputs,
    (output, totals): (&mut Output, &mut Totals),
) -> anyhow::Result<Read> {
    let mut each = |judged: Judged| {
        let (record, outcome) = match judged {
            Judged::Record(judged) => *judged,
            Judged::Silent { records, events } => {
                totals.records += records;
                totals.events += events;
                stages.pass(records);
                return Ok(());
            }
        };
        totals.records += 1;
        if let Some(broken) = &record.broken {
            totals.reject(
                &format!("{}/{}", record.path, record.offset),
                broken,
                output,
            )?;
        }
        let Some(outcome) = outcome else {
            return Ok(());
        };
        let outcome = stages.correlate(&record.path, outcome)?;
        totals.events += outcome.events.total();
        for (origin, reject) in &outcome.rejects {
            let place = format!("{}/{}", origin.at.source, origin.offset);
            totals.reject(&place, reject, output)?;
        }
        output.alerts(outcome.alerts, totals)
    };
    let read = thread::scope(|scope| {
        let mut crew = Crew::start(scope, orders);
        let read = inputs.read(&mut |record| crew.take(record, &mut each))?;
        crew.finish(&mut each)?;
        anyhow::Ok(read)
    })?;
    output.alerts(stages.finish()?, totals)?;
    output.out.flush()?;
    Ok(read)
}

/// What came of the whole input.
#[derive(Debug, Default)]
struct Totals {
    rules: usize,
    skipped: usize,
    records: u64,
    events: u64,
    rejects: u64,
    levels: BTreeMap<Level, u64>,
}

impl Totals {
    /// Counts a reject; the first ones are shown.
    fn reject(&mut self, place: &str, reject: &Reject, output: &Output) -> io::Result<()> {
        self.rejects += 1;
        if self.rejects > REJECTS_SHOWN {
            return Ok(());
        }
        let message = shown(&reject.message);
        let (reason, byte) = (reject.reason.as_str(), reject.byte);
        let place = shown(place);
        output.bar.suspend(|| {
            writeln!(
                io::stderr(),
                "reject: {place} byte {byte}: {reason}: {message}"
            )
        })
    }

    fn summary(&self, read: &Read, elapsed: Duration) -> String {
        let alerts: u64 = self.levels.values().sum();
        let by_level: Vec<String> = self
            .levels
            .iter()
            .rev()
            .map(|(level, count)| format!("{count} {}", word(*level)))
            .collect();
        let by_level = if by_level.is_empty() {
            String::new()
        } else {
            format!(" ({})", by_level.join(", "))
        };
        let note = |count: usize, what: &str| match count {
            0 => String::new(),
            _ => format!("; {count} {what}"),
        };
        let left_out = note(self.skipped, "rules or files left out");
        let failed = note(read.failed, "inputs could not be read");
        format!(
            "{alerts} alerts{by_level} from {} events, {} rejects in {} records of {} files, by {} \
             rules in {:.1} s{left_out}{failed}",
            self.events,
            self.rejects,
            self.records,
            read.files,
            self.rules,
            elapsed.as_secs_f64()
        )
    }
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::Informational => "informational",
        Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
        Level::Critical => "critical",
    }
}

/// Prints alerts past the progress bar.
struct Output {
    format: PrettyOrNdjson,
    color: Color,
    bar: ProgressBar,
    clock: Clock,
    out: BufWriter<Stdout>,
    /// What is about to be printed; reused.
    text: String,
}

impl Output {
    fn alerts(&mut self, alerts: Vec<Alert>, totals: &mut Totals) -> anyhow::Result<()> {
        if alerts.is_empty() {
            return Ok(());
        }
        let now = self.clock.now().to_string();
        let text = &mut self.text;
        text.clear();
        for mut alert in alerts {
            alert.emitted_at.clone_from(&now);
            *totals.levels.entry(alert.severity).or_default() += 1;
            match self.format {
                PrettyOrNdjson::Pretty => text.push_str(&pretty(&alert, self.color)),
                PrettyOrNdjson::Ndjson => {
                    alert.write_line(text);
                    text.push('\n');
                }
            }
        }
        let out = &mut self.out;
        Ok(self
            .bar
            .suspend(|| out.write_all(text.as_bytes()).and_then(|()| out.flush()))?)
    }
}
