//! `palisade dead`: what could not go on, beside a running process.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use palisade_detect::time::Timestamp;
use palisade_sinks::render::shown;
use serde_json::{Value, json};

use super::{ConfigFile, Terminal, TextOrJson};
use crate::exit::Exit;
use crate::log::sqlite::{ASKED, CHANGED_MAX, DeadEditor, DeadReader};
use crate::log::{Pos, Row};
use crate::topology::dead::Letter;

mod select;
#[cfg(test)]
mod tests;

use select::{Filter, Selection};

/// Most letters read at once: short transactions, bounded memory.
const PAGE_LETTERS: usize = 200;

/// How often is looked what became of letters that are tried again.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// In place of the reason of a letter that this version cannot read.
const UNREADABLE: &str = "unreadable";

/// What is said of it.
const UNREADABLE_MESSAGE: &str = "it is no letter that this version can read";

const EXAMPLES: &str = "\
Examples:
  palisade dead list -c palisade.yaml                 newest letters, beside a running process
  palisade dead list -c palisade.yaml --reason not_json --last 1000
  palisade dead show -c palisade.yaml 17              one with its bytes
  palisade dead export -c palisade.yaml --out dead.ndjson
  palisade dead retry -c palisade.yaml --reason panic   after an update
  palisade dead purge -c palisade.yaml --source hub --yes

A dead letter is input that could not become events, or an alert that a sink can never take. Its number
is its position and stays the same. `list`, `show` and `export` only read. `retry` asks the process that
runs on the state directory, or the next `run`, to take letters through the pipeline again, under the
rules in force: events keep the ids of where they came from, so that nothing is said twice under another
name; what goes through is no longer a letter. `purge` takes letters out for good.";

/// Options of `dead`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with dead letters.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the newest dead letters, oldest of them first.
    List(ListArgs),
    /// Show one dead letter with its bytes.
    Show(ShowArgs),
    /// Take dead letters through the pipeline again.
    Retry(RetryArgs),
    /// Write dead letters as JSON lines.
    Export(ExportArgs),
    /// Take dead letters out for good.
    Purge(PurgeArgs),
}

/// Which state directory.
#[derive(Debug, clap::Args)]
pub struct State {
    /// Which configuration, for its state directory.
    #[command(flatten)]
    pub config: ConfigFile,
    /// State directory to use, in place of the configuration's.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub state: Option<PathBuf>,
}

/// Options of `dead list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Where they are.
    #[command(flatten)]
    pub at: State,
    /// Which of them.
    #[command(flatten)]
    pub filter: Filter,
    /// How many of the newest that fit.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub last: u32,
    /// How to print them; `json` is one array.
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
}

/// Options of `dead show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Where it is.
    #[command(flatten)]
    pub at: State,
    /// Its number.
    #[arg(value_name = "NUMBER")]
    pub number: Pos,
    /// How to print it.
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
}

/// Options of `dead retry`.
#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    /// Where they are.
    #[command(flatten)]
    pub at: State,
    /// Which of them.
    #[command(flatten)]
    pub selection: Selection,
    /// How many seconds to wait for what becomes of them; 0: not at all.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub wait: u64,
    /// How to print what became of them.
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
}

/// Options of `dead export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// Where they are.
    #[command(flatten)]
    pub at: State,
    /// Which of them.
    #[command(flatten)]
    pub filter: Filter,
    /// File to write, which must not exist; readable by its owner only. Without it: standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How to say what was done; the letters are JSON lines either way.
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
}

/// Options of `dead purge`.
#[derive(Debug, clap::Args)]
pub struct PurgeArgs {
    /// Where they are.
    #[command(flatten)]
    pub at: State,
    /// Which of them.
    #[command(flatten)]
    pub selection: Selection,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// How to print what was done.
    #[arg(long, default_value = "text")]
    pub format: TextOrJson,
}

/// Does it.
///
/// # Errors
/// When the log cannot be read or written, or holds no such letter.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    match &args.command {
        Command::List(args) => list(&reader(&args.at, terminal)?, args, &mut out),
        Command::Show(args) => show(&reader(&args.at, terminal)?, args, &mut out),
        Command::Export(args) => export(&reader(&args.at, terminal)?, args, terminal, &mut out),
        Command::Retry(args) => {
            let dir = dir(&args.at, terminal)?;
            retry(&dir, args, terminal, &mut out)
        }
        Command::Purge(args) => {
            let dir = dir(&args.at, terminal)?;
            purge(&dir, args, terminal, &mut out)
        }
    }
}

pub(super) fn dir(at: &State, terminal: Terminal) -> anyhow::Result<PathBuf> {
    if let Some(dir) = &at.state {
        return Ok(dir.clone());
    }
    let config = super::load_config(&at.config.config, terminal)?.config;
    Ok(config.state.dir)
}

fn reader(at: &State, terminal: Terminal) -> anyhow::Result<DeadReader> {
    open(&dir(at, terminal)?)
}

fn open(dir: &Path) -> anyhow::Result<DeadReader> {
    DeadReader::open(dir).with_context(|| format!("no dead letters in `{}`", dir.display()))
}

fn editor(dir: &Path) -> anyhow::Result<DeadEditor> {
    DeadEditor::open(dir).with_context(|| format!("no dead letters in `{}`", dir.display()))
}

/// Gives every letter that is still one to `each`, oldest first, and moves `bar` along; one that cannot
/// be read comes without what it says.
fn each_letter(
    log: &DeadReader,
    bar: &ProgressBar,
    each: &mut dyn FnMut(&Row, Option<&Letter>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let bounds = log.bounds()?;
    bar.set_length(bounds.end - bounds.start);
    let mut next = bounds.start;
    while next < bounds.end {
        let rows = log.read(next, PAGE_LETTERS)?;
        let Some(last) = rows.last() else { break };
        next = last.pos + 1;
        bar.set_position(next - bounds.start);
        for row in rows.iter().filter(|row| !row.body.is_empty()) {
            each(row, read(row).as_ref())?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// What a letter says; `None` where this version cannot read it.
fn read(row: &Row) -> Option<Letter> {
    serde_json::from_slice(&row.body).ok()
}

/// A letter for programs: as it stands, with its number. What is no JSON object is the text of
/// [`UNREADABLE`].
fn to_json(row: &Row) -> Value {
    let mut object: serde_json::Map<String, Value> = serde_json::from_slice(&row.body)
        .unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(&row.body).into_owned();
            [(UNREADABLE.to_owned(), Value::String(text))]
                .into_iter()
                .collect()
        });
    object.insert("number".to_owned(), row.pos.into());
    Value::Object(object)
}

fn list(log: &DeadReader, args: &ListArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let last = usize::try_from(args.last).unwrap_or(usize::MAX);
    let mut newest = std::collections::VecDeque::new();
    each_letter(log, &ProgressBar::hidden(), &mut |row, letter| {
        if args.filter.takes(letter) {
            if newest.len() >= last {
                newest.pop_front();
            }
            if last > 0 {
                newest.push_back(row.clone());
            }
        }
        Ok(())
    })?;
    if args.format == TextOrJson::Json {
        let all: Vec<Value> = newest.iter().map(to_json).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["NUMBER", "TIME", "REASON", "FROM", "BYTES", "MESSAGE"]);
    for row in &newest {
        let Some(letter) = read(row) else {
            let (number, length) = (row.pos.to_string(), row.body.len().to_string());
            table.add_row([&number, "", UNREADABLE, "", &length, UNREADABLE_MESSAGE]);
            continue;
        };
        table.add_row([
            row.pos.to_string(),
            shown(&letter.at),
            shown(&letter.reason),
            shown(&letter.from()),
            letter.length.to_string(),
            shown(&letter.message),
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(Exit::Ok)
}

fn show(log: &DeadReader, args: &ShowArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let bounds = log.bounds()?;
    let row = if bounds.contains(&args.number) {
        log.read(args.number, 1)?.into_iter().next()
    } else {
        None
    };
    let Some(row) = row.filter(|row| row.pos == args.number && !row.body.is_empty()) else {
        bail!(
            "there is no dead letter {}: it never was one, went through, was purged, or its time to be \
             kept is over",
            args.number
        );
    };
    if args.format == TextOrJson::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&to_json(&row))?)?;
        return Ok(Exit::Ok);
    }
    let mut line = |name: &str, value: &str| writeln!(out, "{name:<8} {}", shown(value));
    line("number", &row.pos.to_string())?;
    let Some(letter) = read(&row) else {
        line("reason", UNREADABLE)?;
        line("message", UNREADABLE_MESSAGE)?;
        writeln!(out, "\n--- as it stands ---")?;
        return lines(&String::from_utf8_lossy(&row.body), out);
    };
    line("time", &letter.at)?;
    line("from", &letter.from())?;
    line("reason", &letter.reason)?;
    line("message", &letter.message)?;
    line("bytes", &letter.length.to_string())?;
    line("hash", &letter.hash)?;
    if letter.retried > 0 {
        line("retried", &letter.retried.to_string())?;
    }
    if row.part == ASKED {
        line("state", "waits to be tried again")?;
    }
    let (form, held) = match (&letter.text, &letter.hex) {
        (Some(text), _) => ("text", text.as_str()),
        (None, Some(hex)) => ("hex", hex.as_str()),
        (None, None) => ("text", ""),
    };
    let cut = if letter.cut { ", cut" } else { "" };
    writeln!(out, "\n--- {form}{cut} ---")?;
    lines(held, out)
}

/// Longer than a value in a table, and as harmless for a terminal.
fn lines(held: &str, out: &mut impl Write) -> anyhow::Result<Exit> {
    for text in held.lines() {
        writeln!(out, "{}", palisade_detect::diagnostic::printable(text))?;
    }
    Ok(Exit::Ok)
}

fn export(
    log: &DeadReader,
    args: &ExportArgs,
    terminal: Terminal,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let mut count: u64 = 0;
    {
        let mut file;
        let target: &mut dyn Write = match &args.out {
            Some(path) => {
                file = io::BufWriter::new(create(path)?);
                &mut file
            }
            None => &mut *out,
        };
        each_letter(log, &bar("export", terminal), &mut |row, letter| {
            if args.filter.takes(letter) {
                count += 1;
                serde_json::to_writer(&mut *target, &to_json(row))?;
                target.write_all(b"\n")?;
            }
            Ok(())
        })?;
        target.flush()?;
    }
    if args.out.is_some() {
        report(args.format, out, ("exported", count), "exported")?;
    }
    Ok(Exit::Ok)
}

fn create(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
        .open(path)
        .with_context(|| format!("cannot create `{}`", path.display()))
}

fn purge(
    dir: &Path,
    args: &PurgeArgs,
    terminal: Terminal,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let numbers = args.selection.numbers(&open(dir)?)?;
    if numbers.is_empty() {
        report(args.format, out, ("purged", 0), "no letter fits; purged")?;
        return Ok(Exit::Ok);
    }
    let question = format!(
        "{} are taken out of `{}` for good; what they hold cannot be tried again.",
        letters(numbers.len()),
        dir.display()
    );
    confirm(args.yes, &question, terminal)?;
    let mut editor = editor(dir)?;
    let bar = bar("purge", terminal);
    bar.set_length(u64::try_from(numbers.len()).unwrap_or(u64::MAX));
    let mut purged = 0;
    for some in numbers.chunks(CHANGED_MAX) {
        purged += editor.purge(some)?;
        bar.inc(u64::try_from(some.len()).unwrap_or(0));
    }
    editor.write_back()?;
    bar.finish_and_clear();
    report(args.format, out, ("purged", purged), "purged")?;
    Ok(Exit::Ok)
}

fn retry(
    dir: &Path,
    args: &RetryArgs,
    terminal: Terminal,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let reader = open(dir)?;
    let numbers = args.selection.numbers(&reader)?;
    let asked = editor(dir)?.ask(&numbers)?;
    let bar = bar("retry", terminal);
    bar.set_length(u64::try_from(asked.len()).unwrap_or(u64::MAX));
    let mut waiting = asked.clone();
    let mut outcomes = Outcomes::default();
    let looks = args.wait.saturating_mul(1_000) / 200;
    for look in 0..=looks {
        outcomes.settle(&reader, &mut waiting)?;
        bar.set_position(u64::try_from(asked.len() - waiting.len()).unwrap_or(0));
        if waiting.is_empty() || look == looks {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    bar.finish_and_clear();
    outcomes.print(args.format, waiting.len(), out)?;
    Ok(if outcomes.failed.is_empty() {
        Exit::Ok
    } else {
        Exit::Problems
    })
}

/// What became of letters that were tried again.
#[derive(Debug, Default)]
struct Outcomes {
    done: usize,
    /// Number, reason and message.
    failed: Vec<(Pos, String, String)>,
}

impl Outcomes {
    /// Takes in what is settled of what is `waiting`.
    fn settle(&mut self, log: &DeadReader, waiting: &mut Vec<Pos>) -> anyhow::Result<()> {
        let mut left = Vec::new();
        let oldest = log.bounds()?.start;
        for pos in waiting.drain(..) {
            if pos < oldest {
                // Its time to be kept is over.
                continue;
            }
            match log.read(pos, 1)?.into_iter().next() {
                Some(row) if row.part == ASKED => left.push(pos),
                Some(row) if !row.body.is_empty() => {
                    let unread = || (UNREADABLE.to_owned(), UNREADABLE_MESSAGE.to_owned());
                    let letter = read(&row).map(|letter| (letter.reason, letter.message));
                    let (reason, message) = letter.unwrap_or_else(unread);
                    self.failed.push((pos, reason, message));
                }
                _ => self.done += 1,
            }
        }
        *waiting = left;
        Ok(())
    }

    fn print(&self, format: TextOrJson, waiting: usize, out: &mut impl Write) -> io::Result<()> {
        if format == TextOrJson::Json {
            let failed: Vec<Value> = self
                .failed
                .iter()
                .map(|(number, reason, message)| {
                    json!({"number": number, "reason": reason, "message": message})
                })
                .collect();
            let done = json!({"done": self.done, "failed": failed, "waiting": waiting});
            return writeln!(out, "{done}");
        }
        for (number, reason, message) in &self.failed {
            let (reason, message) = (shown(reason), shown(message));
            writeln!(out, "{number} stays a dead letter: {reason}: {message}")?;
        }
        let (done, failed) = (letters(self.done), self.failed.len());
        writeln!(out, "{done} went through, {failed} failed again")?;
        if waiting > 0 {
            writeln!(
                out,
                "{} wait: the process that runs on the state directory takes them up within a second, and \
                 if none runs the next `palisade run` does",
                letters(waiting)
            )?;
        }
        Ok(())
    }
}

/// Asks, unless it was answered already.
///
/// # Errors
/// When nobody can be asked, or the answer is no.
pub(super) fn confirm(yes: bool, question: &str, terminal: Terminal) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    let refused = |text: &str| Err(anyhow!("{text}").context(Exit::Usage));
    if !terminal.stderr_is_terminal || !io::stdin().is_terminal() {
        return refused("nobody can be asked here; `--yes` says yes");
    }
    write!(io::stderr(), "{question} Go on? [y/N] ")?;
    let mut answer = String::new();
    // A line is all that is wanted, and no more is kept of it.
    let mut one = [0];
    while io::stdin().read(&mut one)? == 1 && one[0] != b'\n' && answer.len() < 8 {
        answer.push(char::from(one[0]));
    }
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => refused("nothing was changed"),
    }
}

/// A bar on standard error, if a person looks at it.
pub(super) fn bar(what: &'static str, terminal: Terminal) -> ProgressBar {
    let bar = ProgressBar::no_length();
    bar.set_draw_target(if terminal.stderr_is_terminal {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    });
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}

fn letters(count: usize) -> String {
    match count {
        1 => "1 letter".to_owned(),
        count => format!("{count} letters"),
    }
}

fn report(
    format: TextOrJson,
    out: &mut (impl Write + ?Sized),
    (name, count): (&str, u64),
    text: &str,
) -> io::Result<()> {
    match format {
        TextOrJson::Json => writeln!(out, "{}", json!({ name: count })),
        TextOrJson::Text => {
            let count = letters(usize::try_from(count).unwrap_or(usize::MAX));
            writeln!(out, "{text} {count}")
        }
    }
}

/// The time that a text such as `2026-03-01T00:00:00Z` states.
fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| "is no time like `2026-03-01T00:00:00Z`".to_owned())
}
