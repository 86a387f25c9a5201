//! `palisade rules`: what the files on disk load, what they do not, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use palisade_detect::engine::EngineOptions;
use serde::Deserialize;
use serde_json::json;

use super::{TableOrNdjson, Terminal, load_config};
use crate::clock::Clock;
use crate::config::{Pipelines, Rules};
use crate::exit::Exit;
use crate::log::sqlite::AlertsReader;
use crate::rules::{self, Listed, Loaded, State};
use crate::topology::operational::OPERATIONAL;

mod table;

/// Most alerts read at once: short transactions, bounded memory.
const PAGE_ALERTS: usize = 1_000;

const EXAMPLES: &str = "\
Examples:
  palisade rules -c palisade.yaml                what `run` would load, and how often each rule fired
  palisade rules sigma/rules/cloud/azure         rules at hand, without a configuration
  palisade rules --state state detections        … with the alerts of a state directory
  palisade rules --format ndjson | jq -r 'select(.state == \"skipped\") | .file'
  palisade rules --format ndjson | jq -r 'select(.fired == 0) | .title'      rules that never fired

The files on disk are read, not a running process: where `run` refused a change of them, it goes on with
the rules that it had, and `/readyz` and the log say so.

STATE: `loaded` would be in force; `for correlations` as well, and never alerts on its own, as the
configuration leaves it out but a correlation needs it; `skipped` cannot be honoured, which `palisade
check` explains; anything else says why the configuration leaves the rule out. FIRED counts the alerts
that the log still holds; those of rules that the files no longer load stand below the table. Exceptions
are filters; their owners and ends stand there, too.";

/// Options of `rules`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Configuration file that chooses the rules and names the state directory.
    ///
    /// Without it and without PATHs: `palisade.yaml`.
    #[arg(
        short = 'c',
        long = "config",
        value_name = "FILE",
        conflicts_with = "paths"
    )]
    pub config: Option<PathBuf>,
    /// Rule files or folders to list.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// State directory whose alerts are counted, in place of the configuration's.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Processing pipeline on top of the built-in field map; `none` switches the built-in one off.
    #[arg(long = "pipeline", value_name = "FILE|none")]
    pub pipelines: Vec<PathBuf>,
    /// How to print them.
    #[arg(long, default_value = "table")]
    pub format: TableOrNdjson,
}

/// Lists the rules.
///
/// # Errors
/// When the configuration cannot be used, the alerts cannot be read or standard output is gone.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let (rules, pipelines, state) = if args.paths.is_empty() {
        let file = args.config.as_deref().unwrap_or(Path::new("palisade.yaml"));
        let config = load_config(file, terminal)?.config;
        (config.rules, config.pipelines, Some(config.state.dir))
    } else {
        let rules = Rules::of_paths(&args.paths);
        (rules, Pipelines::built_in(), None)
    };
    let pipelines = pipelines.with_arguments(&args.pipelines);
    let now = Clock::start().now();
    let loaded = rules::load(&rules, &pipelines, EngineOptions::default(), now);
    let state = args.state.clone().or(state);
    let fired = match &state {
        None => None,
        Some(dir) => fired(dir).with_context(|| format!("alerts in `{}`", dir.display()))?,
    };
    let list = entries(&loaded, fired.as_ref());
    // Rules at hand are rarely all that ever fired.
    let gone = match &fired {
        Some(fired) if args.paths.is_empty() => gone(&loaded, fired),
        _ => Vec::new(),
    };
    let mut out = io::stdout().lock();
    match args.format {
        TableOrNdjson::Table => {
            let text = table::table((&list, &gone), fired.is_some(), terminal.stdout);
            out.write_all(text.as_bytes())?;
            let hint = table::hint(&loaded.findings);
            io::stderr().write_all(hint.as_bytes())?;
        }
        TableOrNdjson::Ndjson => {
            for entry in &list {
                writeln!(out, "{}", entry.json(fired.is_some()))?;
            }
            for (id, fired) in gone {
                let line = json!({
                    "id": id, "title": fired.title, "state": "gone",
                    "fired": fired.count, "last_fired": fired.last,
                });
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(Exit::Ok)
}

/// A rule with its alerts.
struct Entry<'a> {
    rule: &'a Listed,
    fired: Fired,
}

/// The alerts of a rule that the log holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Fired {
    count: u64,
    /// Time of the newest alert, as `palisade alerts list` shows it.
    last: Option<String>,
    /// The rule's name or title in the newest alert that was read.
    title: String,
}

/// How alerts name a rule.
fn names(rule: &Listed) -> impl Iterator<Item = String> {
    // A rule without an id goes by its version.
    let version = rule.version.map(|version| version.to_string());
    rule.id.clone().into_iter().chain(version)
}

/// Rules that fired and are no longer among those on disk.
fn gone<'f>(loaded: &Loaded, fired: &'f BTreeMap<String, Fired>) -> Vec<(&'f str, &'f Fired)> {
    let known: BTreeSet<String> = loaded.rules.iter().flat_map(names).collect();
    let gone = fired.iter().filter(|(id, _)| !known.contains(*id));
    gone.map(|(id, fired)| (id.as_str(), fired)).collect()
}

fn entries<'a>(loaded: &'a Loaded, fired: Option<&BTreeMap<String, Fired>>) -> Vec<Entry<'a>> {
    let of = |rule: &Listed| {
        let found = fired.and_then(|fired| names(rule).find_map(|id| fired.get(&id)));
        found.cloned().unwrap_or_default()
    };
    let rules = loaded.rules.iter();
    rules
        .map(|rule| Entry {
            rule,
            fired: of(rule),
        })
        .collect()
}

impl Entry<'_> {
    fn json(&self, counted: bool) -> serde_json::Value {
        let rule = self.rule;
        let mut line = json!({
            "kind": rule.kind.map(rules::Kind::name),
            "id": rule.id,
            "title": rule.title,
            "level": rule.level,
            "status": rule.status,
            "logsource": rule.logsource,
            "file": &*rule.file,
            "line": rule.line,
            "version": rule.version.map(|version| version.to_string()),
            "state": rule.state.name(),
        });
        match &rule.state {
            State::LeftOut(why) => line["why"] = why.to_string().into(),
            State::Skipped { code, message } => {
                line["code"] = (*code).into();
                line["message"] = message.as_str().into();
            }
            State::Loaded | State::ForCorrelations => {}
        }
        if let Some(exception) = &rule.exception {
            let expires = exception.expires.as_ref();
            line["exception"] = json!({
                "owner": exception.owner,
                "reason": exception.reason,
                "expires": expires.map(|expires| expires.at.to_string()),
            });
        }
        if counted {
            line["fired"] = self.fired.count.into();
            line["last_fired"] = self.fired.last.clone().into();
        }
        line
    }
}

/// The part of an alert that is counted.
#[derive(Deserialize)]
struct Counted {
    rule: CountedRule,
    emitted_at: String,
    last_event_at: Option<String>,
}

#[derive(Deserialize)]
struct CountedRule {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
}

/// Alerts by rule id; `None` where no log has been written yet.
fn fired(dir: &Path) -> anyhow::Result<Option<BTreeMap<String, Fired>>> {
    let Some(log) = AlertsReader::open_existing(dir)? else {
        return Ok(None);
    };
    let bounds = log.bounds()?;
    let mut next = bounds.start;
    let mut fired: BTreeMap<String, Fired> = BTreeMap::new();
    while next < bounds.end {
        let rows = log.read(next, PAGE_ALERTS)?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            next = row.pos + 1;
            // What another version wrote is not counted, rather than nothing at all.
            let Ok(alert) = serde_json::from_slice::<Counted>(&row.body) else {
                continue;
            };
            // Of no rule, but of the program itself.
            if alert.rule.kind == OPERATIONAL {
                continue;
            }
            let of_rule = fired.entry(alert.rule.id).or_default();
            of_rule.count += 1;
            of_rule.title = alert.rule.name;
            let time = alert.last_event_at.unwrap_or(alert.emitted_at);
            of_rule.last = of_rule.last.take().max(Some(time));
        }
    }
    Ok(Some(fired))
}
