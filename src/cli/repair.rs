//! `palisade repair`: an operator's decision about data that is gone.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use indicatif::ProgressBar;
use palisade_detect::diagnostic::printable;
use rusqlite::ErrorCode;
use serde_json::json;

use super::{Terminal, TextOrJson, dead};
use crate::clock::Clock;
use crate::exit::Exit;
use crate::log::sqlite::{Damage, Options, Plan, Repair, SqliteLog, StateError};
use crate::log::{AlertRow, Append, Finished, Log as _, Stream};
use crate::topology::alarms::DEPLOYMENT;
use crate::topology::build;
use crate::topology::operational::{self, Kind, Notice};

const EXAMPLES: &str = "\
Examples:
  palisade repair -c palisade.yaml --accept-gap                a damaged log: only what is damaged is given up
  palisade repair -c palisade.yaml --accept-gap --source hub   records that the topic no longer holds
  palisade repair -c palisade.yaml --new-log-incarnation       all that the correlations remember is given up

`run` ends with 74 where data is gone that must be there, because to go on would be to miss alerts without
a word. Look for the cause first, and for a backup: what the broker has beyond it is read again. This
command says exactly what would be given up, asks, and gives up that and nothing else; `run` then starts,
and an alert with the exact range goes to every sink. It refuses beside a running process. A database that
cannot be read at all is put aside as `palisade.db.damaged-N` and never deleted.

Exit status: 0 done or nothing to do, 1 failed, 2 nobody agreed, 75 a process runs on the state.";

/// Options of `repair`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(clap::ArgGroup::new("decision").required(true).args(["accept_gap", "new_log_incarnation"])))]
pub struct Args {
    /// What to repair.
    #[command(flatten)]
    pub at: dead::State,
    /// Go on without what is missing or damaged.
    #[arg(long)]
    pub accept_gap: bool,
    /// Begin the matches log anew: open windows of all correlations are forgotten.
    ///
    /// Alerts, dead letters, cursors and positions of sources stay. Positions in the log go on, so that
    /// nothing old can be taken for something new.
    #[arg(long)]
    pub new_log_incarnation: bool,
    /// Also go on where this source has removed records before they were read.
    #[arg(long, value_name = "NAME", requires = "accept_gap")]
    pub source: Option<String>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// How to print what was done.
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
}

/// Looks, says, asks, and does it.
///
/// # Errors
/// When a process runs on the state, nobody agrees, or it cannot be done.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let dir = dead::dir(&args.at, terminal)?;
    repair(&dir, args, terminal, &mut io::stdout().lock())
}

fn repair(
    dir: &Path,
    args: &Args,
    terminal: Terminal,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let bar = dead::bar("examine", terminal);
    let repair = match examine(dir, &bar) {
        Ok((repair, damage)) => {
            bar.finish_and_clear();
            Opened { repair, damage }
        }
        Err(error) if is_unreadable(&error) => {
            bar.finish_and_clear();
            return anew(dir, args, terminal, out);
        }
        Err(error) => {
            let exit = build::exit(&error);
            return Err(anyhow::Error::new(error).context(exit));
        }
    };
    repair.accept(args, terminal, out)
}

fn examine(dir: &Path, bar: &ProgressBar) -> Result<(Repair, Damage), StateError> {
    let repair = Repair::open(dir)?;
    let damage = repair.examine(&mut |rows| bar.inc(rows))?;
    Ok((repair, damage))
}

/// Whether what the file holds is no database any more. One that is locked, or that the disk does not
/// give at the moment, may be healthy, and is not to be put aside.
fn is_unreadable(error: &StateError) -> bool {
    let StateError::Database(error) = error else {
        return false;
    };
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// A log that was looked at.
struct Opened {
    repair: Repair,
    damage: Damage,
}

impl Opened {
    fn accept(
        mut self,
        args: &Args,
        terminal: Terminal,
        out: &mut impl Write,
    ) -> anyhow::Result<Exit> {
        let accepted = match &args.source {
            None => Vec::new(),
            Some(source) => {
                let found = self.repair.finished(source)?;
                if found.is_empty() {
                    bail!("the log knows no partition of a source `{source}`");
                }
                found
            }
        };
        if self.damage.is_none() && accepted.is_empty() && !args.new_log_incarnation {
            let text = "the log is whole; where a source has removed records before they were read, name it \
                        with `--source`";
            say(args.format, out, text, &json!({"given_up": []}))?;
            return Ok(Exit::Ok);
        }
        let given_up = self.given_up(args, &accepted);
        let question = format!(
            "In `{}` is given up:\n{}\n",
            self.repair.dir().display(),
            given_up.join("\n")
        );
        dead::confirm(args.yes, &printable_lines(&question), terminal)?;
        let now = Clock::start().now();
        let deployment = self.repair.fact(DEPLOYMENT)?.unwrap_or_default();
        let deployment = String::from_utf8_lossy(&deployment).into_owned();
        let alert = |notice: Notice| operational::row(notice.alert(&deployment, now.to_string()));
        let alerts = self.notices(args).into_iter().map(alert).collect();
        // Snapshots stand below this name: those of matches that are given up must not be gone on
        // from, and one beyond the new log's end would stop every start.
        let forgotten = args.new_log_incarnation.then_some(DEPLOYMENT);
        let plan = Plan {
            damage: &self.damage,
            matches_anew: args.new_log_incarnation,
            accepted: &accepted,
            forgotten: forgotten.as_slice(),
            alerts,
            now,
        };
        self.repair.accept(&plan)?;
        let text = format!(
            "given up:\n{}\n`palisade run` can start",
            given_up.join("\n")
        );
        say(args.format, out, &text, &json!({ "given_up": given_up }))?;
        Ok(Exit::Ok)
    }

    /// A line for each thing that is given up.
    fn given_up(&self, args: &Args, accepted: &[Finished]) -> Vec<String> {
        let mut lines: Vec<String> = self.damage.to_string().lines().map(str::to_owned).collect();
        if args.new_log_incarnation {
            let held = self.damage.held(Stream::Matches);
            lines.retain(|line| !line.starts_with("matches "));
            lines.push(format!(
                "all matches, {} to {}: open windows of all correlations are forgotten",
                held.start, held.end
            ));
        }
        for Finished {
            source,
            partition,
            offset,
            ..
        } in accepted
        {
            lines.push(format!(
                "source {source}, partition {partition}: records from {offset} up to the oldest that the \
                 topic still holds when `run` starts, if it holds them no more"
            ));
        }
        lines
    }

    /// What is said of it: an alert for each stream with the ranges, and one for the rest.
    fn notices(&self, args: &Args) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut gaps = self.damage.gaps.clone();
        if args.new_log_incarnation {
            gaps.retain(|(stream, _)| *stream != Stream::Matches);
            gaps.push((Stream::Matches, self.damage.held(Stream::Matches)));
        }
        for (stream, range) in gaps {
            let name = format!("{stream:?} log").to_lowercase();
            let (from, to) = (range.start, range.end);
            let notice = Notice::new(
                Kind::StateGap,
                (name.clone(), i64::try_from(from).unwrap_or(i64::MAX)),
                format!("An operator gave up a part of the {name}: {from} to {to}"),
                format!(
                    "positions {from} to {to} of the {name} were missing, damaged or to begin anew; what \
                     they held is not known any more"
                ),
            );
            notices.push(notice.with_label("from", &from).with_label("to", &to));
        }
        let rest = self.damage.to_string();
        let rest: Vec<&str> = rest.lines().filter(|line| !is_range(line)).collect();
        if !rest.is_empty() {
            let end = self.damage.held(Stream::Alerts).end;
            notices.push(Notice::new(
                Kind::StateGap,
                ("state", i64::try_from(end).unwrap_or(i64::MAX)),
                "An operator gave up damaged parts of the state",
                rest.join("\n"),
            ));
        }
        notices
    }
}

/// Whether a line of damage is about a range of a stream, which has an alert of its own.
fn is_range(line: &str) -> bool {
    ["matches ", "alerts ", "dead letters "]
        .iter()
        .any(|begin| line.starts_with(begin))
}

/// The database cannot be read: it is put aside, and a new log begins.
fn anew(dir: &Path, args: &Args, terminal: Terminal, out: &mut impl Write) -> anyhow::Result<Exit> {
    if !args.new_log_incarnation {
        let text = "the database cannot be read at all: `--new-log-incarnation` puts it aside and begins anew";
        return Err(anyhow!(text).context(Exit::StateGap));
    }
    let given_up = "the whole log: alerts that sinks had not taken, dead letters, all that correlations \
                    remember, and how far sources were read; reading goes on from the group's commit";
    let question = format!("In `{}` is given up:\n{given_up}\n", dir.display());
    dead::confirm(args.yes, &printable_lines(&question), terminal)?;
    let aside = Repair::put_aside(dir)?;
    let clock = Clock::start();
    let notice = Notice::new(
        Kind::StateGap,
        ("state", clock.now().ticks()),
        "An operator gave up the whole log, which could not be read",
        given_up,
    );
    let alert = notice.alert("", clock.now().to_string());
    begin(dir, clock, operational::row(alert))?;
    let text = format!(
        "the database is `{}` now; `palisade run` can start",
        aside.display()
    );
    let json = json!({"given_up": [given_up], "aside": aside.display().to_string()});
    say(args.format, out, &printable_lines(&text), &json)?;
    Ok(Exit::Ok)
}

/// Begins a log with an alert.
fn begin(dir: &Path, clock: Clock, alert: AlertRow) -> anyhow::Result<()> {
    let log = SqliteLog::open(dir, Options::new(clock))?;
    let step = Append {
        alerts: vec![alert],
        ..Append::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .context("the runtime cannot start")?;
    runtime.block_on(log.append(step))?;
    Ok(())
}

/// Names of sources and files are in it; line breaks stay.
fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(printable).collect();
    lines.join("\n")
}

fn say(
    format: TextOrJson,
    out: &mut impl Write,
    text: &str,
    json: &serde_json::Value,
) -> io::Result<()> {
    match format {
        TextOrJson::Text => writeln!(out, "{}", printable_lines(text)),
        TextOrJson::Json => writeln!(out, "{json}"),
    }
}

#[cfg(test)]
mod tests;
