//! What `palisade demo` shows: the alerts as the attack went on, what was read, what to try next.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use palisade_detect::alert::Alert;
use palisade_detect::diagnostic::Color;
use palisade_sinks::render::brief;

use super::Played;

const STORY: &str = "\
Contoso, a Monday morning. Among everyday records somebody phishes an employee, sprays passwords,
wears down a second factor, settles in the subscription, blinds the network log and takes keys.
";

const NEXT: &str =
    "  palisade decode LOGS                    what a rule author can match on in your records
  palisade replay --rules RULES LOGS      your Sigma rules over your recorded logs
  palisade run -c palisade.yaml           the same, live from Kafka or Event Hubs
";

/// The whole text.
///
/// # Panics
/// Never: it only writes to a string.
pub fn text(played: &Played, took: Duration, color: Color) -> String {
    let heading = |text: &str| paint(color, Style::new().bold().underline(), text);
    let mut out = format!("{STORY}\n");
    for alert in &played.alerts {
        out.push_str(&brief(alert, color));
        out.push('\n');
    }
    let events: u64 = played.events.values().sum();
    out.push_str(&heading("What was read"));
    out.push('\n');
    out.push_str(&table(played).to_string());
    writeln!(
        out,
        "\n\n{events} events, {} rules, {} alerts, in {:.1} s: file source, judges, SQLite log, \
         correlations, delivery.\nThe log was a temporary one and is gone.\n",
        played.rules,
        played.alerts.len(),
        took.as_secs_f64(),
    )
    .expect("writing to a string cannot fail");
    out.push_str(&heading("What to try next"));
    out.push('\n');
    out.push_str(NEXT);
    out
}

/// Text in a style, where colours are wanted.
fn paint(color: Color, style: Style, text: &str) -> String {
    match color {
        Color::Always => format!("{style}{text}{style:#}"),
        Color::Never => text.to_owned(),
    }
}

/// Events and alerts by log type; an alert belongs to the type of the event that triggered it.
fn table(played: &Played) -> Table {
    let mut alerts: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
    for alert in &played.alerts {
        let trigger = alert.evidence.events.first();
        let log_type = trigger.and_then(|event| event.log_type.as_deref());
        alerts
            .entry(log_type.unwrap_or_default())
            .or_default()
            .push(alert);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["log type", "events", "alerts", "highest", "first", "last"]);
    for column in [1, 2] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut rows: Vec<(&String, &u64)> = played.events.iter().collect();
    rows.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    for (log_type, events) in rows {
        let raised = alerts.get(log_type.as_str()).map_or(&[][..], Vec::as_slice);
        let times = || {
            raised
                .iter()
                .filter_map(|alert| alert.last_event_at.as_deref())
        };
        table.add_row([
            log_type.clone(),
            events.to_string(),
            count(raised.len()),
            raised
                .iter()
                .map(|alert| alert.severity)
                .max()
                .map(|level| format!("{level:?}").to_lowercase())
                .unwrap_or_default(),
            clock_time(times().min()),
            clock_time(times().max()),
        ]);
    }
    table
}

/// Nothing rather than a zero.
fn count(number: usize) -> String {
    if number == 0 {
        String::new()
    } else {
        number.to_string()
    }
}

/// Hours to seconds of an RFC 3339 time.
fn clock_time(time: Option<&str>) -> String {
    time.and_then(|time| time.get(11..19))
        .unwrap_or_default()
        .to_owned()
}
