//! `palisade alerts`: read the alerts log, also beside a running process.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use palisade_detect::alert::Alert;
use palisade_sinks::render::{pretty, shown};

use super::{ConfigFile, PrettyOrNdjson, TableOrNdjson, Terminal};
use crate::exit::Exit;
use crate::log::sqlite::{AlertsReader, Found};
use crate::log::{Pos, Row};

/// Most alerts read at once: short transactions, bounded memory.
const PAGE_ALERTS: usize = 200;

const EXAMPLES: &str = "\
Examples:
  palisade alerts list -c palisade.yaml
  palisade alerts list -c palisade.yaml --last 1000 --format ndjson | jq .rule.title
  palisade alerts list --state /var/lib/palisade    without a configuration
  palisade alerts show -c palisade.yaml 6f1c…       an id or its unique beginning";

/// Options of `alerts`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do with the alerts log.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the newest alerts, oldest of them first.
    List(ListArgs),
    /// Show one alert with its evidence.
    Show(ShowArgs),
}

/// Options of `alerts list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Which configuration, for its state directory.
    #[command(flatten)]
    pub config: ConfigFile,
    /// State directory to read, in place of the configuration's.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub state: Option<PathBuf>,
    /// How many of the newest alerts.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub last: u32,
    /// How to print them.
    #[arg(long, default_value = "table")]
    pub format: TableOrNdjson,
}

/// Options of `alerts show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Which configuration, for its state directory.
    #[command(flatten)]
    pub config: ConfigFile,
    /// State directory to read, in place of the configuration's.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub state: Option<PathBuf>,
    /// The alert's id, or the beginning of it if no other begins so.
    #[arg(value_name = "ID")]
    pub id: String,
    /// How to print it.
    #[arg(long, default_value = "pretty")]
    pub format: PrettyOrNdjson,
}

/// Lists or shows.
///
/// # Errors
/// When the log cannot be read or holds no such alert.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    match &args.command {
        Command::List(args) => {
            let log = open(args.state.as_ref(), &args.config, terminal)?;
            list(&log, args, &mut out)
        }
        Command::Show(args) => {
            let log = open(args.state.as_ref(), &args.config, terminal)?;
            show(&log, args, terminal, &mut out)
        }
    }
}

fn open(
    state: Option<&PathBuf>,
    config: &ConfigFile,
    terminal: Terminal,
) -> anyhow::Result<AlertsReader> {
    let dir = match state {
        Some(dir) => dir.clone(),
        None => {
            super::load_config(&config.config, terminal)?
                .config
                .state
                .dir
        }
    };
    AlertsReader::open(&dir).with_context(|| format!("no alerts in `{}`", dir.display()))
}

fn list(log: &AlertsReader, args: &ListArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let bounds = log.bounds()?;
    let mut next = bounds
        .end
        .saturating_sub(Pos::from(args.last))
        .max(bounds.start);
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["TIME", "LEVEL", "TITLE", "GROUP", "ALERT"]);
    while next < bounds.end {
        let limit = usize::try_from(bounds.end - next)
            .unwrap_or(PAGE_ALERTS)
            .min(PAGE_ALERTS);
        for row in log.read(next, limit)? {
            next = row.pos + 1;
            if row.body.is_empty() {
                // An operator gave it up (`palisade repair`).
                continue;
            }
            match args.format {
                TableOrNdjson::Table => drop(table.add_row(cells(&row))),
                TableOrNdjson::Ndjson => line(out, &row)?,
            }
        }
    }
    if args.format == TableOrNdjson::Table {
        writeln!(out, "{table}")?;
    }
    Ok(Exit::Ok)
}

fn show(
    log: &AlertsReader,
    args: &ShowArgs,
    terminal: Terminal,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let row = match log.find(&args.id)? {
        Found::One(row) => row,
        Found::None => bail!("no alert begins with `{}`", args.id),
        Found::Several(one, other) => {
            bail!(
                "more than one alert begins with `{}`: `{one}`, `{other}`",
                args.id
            )
        }
    };
    match args.format {
        PrettyOrNdjson::Ndjson => line(out, &row)?,
        PrettyOrNdjson::Pretty => {
            let alert: Alert = serde_json::from_slice(&row.body)
                .context("the alert was written by another version; use `--format ndjson`")?;
            out.write_all(pretty(&alert, terminal.stdout).as_bytes())?;
        }
    }
    Ok(Exit::Ok)
}

fn line(out: &mut impl Write, row: &Row) -> std::io::Result<()> {
    out.write_all(&row.body)?;
    out.write_all(b"\n")
}

/// One line of the table. What is no alert of this version still shows where it stands.
fn cells(row: &Row) -> [String; 5] {
    let Ok(alert) = serde_json::from_slice::<Alert>(&row.body) else {
        let unknown = format!("position {} was written by another version", row.pos);
        return [
            String::new(),
            String::new(),
            unknown,
            String::new(),
            String::new(),
        ];
    };
    let group = alert.group.map(|group| {
        group
            .fields
            .values()
            .map(|value| shown(value))
            .collect::<Vec<_>>()
            .join(" ")
    });
    [
        shown(alert.last_event_at.as_ref().unwrap_or(&alert.emitted_at)),
        format!("{:?}", alert.severity).to_lowercase(),
        shown(&alert.title),
        group.unwrap_or_default(),
        shown(&alert.alert_id),
    ]
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::log::sqlite::{Options, SqliteLog};
    use crate::log::{AlertRow, Append, Log as _};

    fn body(id: &str, title: &str) -> Bytes {
        let alert = json!({
            "schema": "palisade.alert/1", "alert_id": id, "revision": 0, "activity": "create",
            "dedupe_key": "d", "emitted_at": "2026-03-02T08:15:03.0000000Z", "title": title,
            "severity": "high", "status": "new",
            "rule": {"id": "r", "version": "v", "name": "n", "type": "single"},
            "tenant": {"tenant_id": "default"},
            "evidence": {"count": 1, "approximate": false, "events": []},
            "product": {"vendor": "Palisade", "name": "palisade", "version": "0.1.0"}
        });
        Bytes::from(alert.to_string())
    }

    /// A running process's log with two alerts, and a reader beside it.
    async fn logs(dir: &std::path::Path) -> (SqliteLog, AlertsReader) {
        let log = SqliteLog::open(dir, Options::new(Clock::start())).unwrap();
        let alerts = [("aa1", "First"), ("aa2", "Second\u{1b}[2J")].map(|(id, title)| AlertRow {
            alert_id: id.to_owned(),
            body: body(id, title),
        });
        log.append(Append {
            alerts: alerts.into(),
            ..Append::default()
        })
        .await
        .unwrap();
        let beside = AlertsReader::open(dir).unwrap();
        (log, beside)
    }

    fn text(write: impl FnOnce(&mut Vec<u8>) -> anyhow::Result<Exit>) -> anyhow::Result<String> {
        let mut out = Vec::new();
        write(&mut out)?;
        Ok(String::from_utf8(out)?)
    }

    fn list_args(last: u32, format: TableOrNdjson) -> ListArgs {
        let config = ConfigFile {
            config: PathBuf::new(),
        };
        ListArgs {
            config,
            state: None,
            last,
            format,
        }
    }

    fn show_args(id: &str) -> ShowArgs {
        let config = ConfigFile {
            config: PathBuf::new(),
        };
        ShowArgs {
            config,
            state: None,
            id: id.to_owned(),
            format: PrettyOrNdjson::Pretty,
        }
    }

    #[tokio::test]
    async fn newest_alerts_are_listed_beside_the_running_process() {
        let dir = tempfile::tempdir().unwrap();
        let (_log, beside) = logs(dir.path()).await;
        let lines = |last| {
            let args = list_args(last, TableOrNdjson::Ndjson);
            text(|out| list(&beside, &args, out)).unwrap()
        };
        assert_eq!(lines(50).lines().count(), 2);
        assert!(lines(1).contains(r#""alert_id":"aa2""#), "the newest");
        let args = list_args(50, TableOrNdjson::Table);
        let table = text(|out| list(&beside, &args, out)).unwrap();
        assert!(
            table.contains("First") && table.contains("\\u{1b}[2J"),
            "{table}"
        );
        assert!(
            !table.contains('\u{1b}'),
            "no control character of an alert is printed"
        );
    }

    #[tokio::test]
    async fn an_alert_is_shown_by_the_unique_beginning_of_its_id() {
        let dir = tempfile::tempdir().unwrap();
        let (_log, beside) = logs(dir.path()).await;
        let terminal = Terminal::new(clap::ColorChoice::Never);
        let shown = |id| text(|out| show(&beside, &show_args(id), terminal, out));
        assert!(shown("aa1").unwrap().contains("First"));
        assert!(
            shown("aa")
                .unwrap_err()
                .to_string()
                .contains("more than one alert")
        );
        assert!(
            shown("b")
                .unwrap_err()
                .to_string()
                .contains("no alert begins")
        );
    }
}
