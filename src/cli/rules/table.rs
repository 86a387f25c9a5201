//! The list of rules for a terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use palisade_detect::diagnostic::Color;
use palisade_sinks::render::shown;

use super::{Entry, Fired};
use crate::rules::{Findings, Kind, Listed, State, moment};

/// Longest title that is shown whole, in characters: a longer one would push every column aside.
const TITLE_CHARS_MAX: usize = 60;
/// Characters of a version that are shown; `--format ndjson` has all.
const VERSION_CHARS: usize = 8;
/// Characters of a time up to its minute.
const MINUTE_CHARS: usize = 16;

/// The table, what is skipped, the exceptions, what fired and is gone, and the totals.
pub(super) fn table(
    (list, gone): (&[Entry<'_>], &[(&str, &Fired)]),
    counted: bool,
    color: Color,
) -> String {
    let mut text = rows(list, counted, color);
    section(&mut text, "Skipped", list.iter().filter_map(skipped), color);
    section(
        &mut text,
        "Exceptions",
        list.iter().filter_map(exception),
        color,
    );
    let gone = gone.iter().map(|(id, fired)| no_longer(id, fired));
    section(&mut text, "Rules no longer loaded", gone, color);
    let gap = if list.is_empty() { "" } else { "\n" };
    writeln!(text, "{gap}{}", totals(list, counted)).expect("writing to a string cannot fail");
    text
}

/// Where to read what is wrong; empty where nothing is.
pub(super) fn hint(findings: &Findings) -> String {
    let errors = findings.errors();
    let others = findings.diagnostics.len() - errors;
    if findings.diagnostics.is_empty() {
        return String::new();
    }
    format!(
        "`palisade check` shows what is wrong: {}, {}\n",
        counted_as(errors, "error"),
        counted_as(others, "warning")
    )
}

fn rows(list: &[Entry<'_>], counted: bool, color: Color) -> String {
    let mut table = Table::new();
    let mut head = vec!["LEVEL", "TITLE", "KIND", "LOG SOURCE", "STATUS", "STATE"];
    if counted {
        head.extend(["FIRED", "LAST"]);
    }
    head.extend(["VERSION", "ID", "FILE"]);
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head);
    for entry in list {
        table.add_row(cells(entry, counted));
    }
    if let Some(fired) = table.column_mut(6).filter(|_| counted) {
        fired.set_cell_alignment(CellAlignment::Right);
    }
    if list.is_empty() {
        return String::new();
    }
    // Cells hold no line breaks: the line after the header is the first rule's.
    let lines = table.lines().enumerate();
    let lines = lines.map(|(number, line)| {
        let rule = number.checked_sub(1).and_then(|at| list.get(at));
        paint(
            rule.map_or_else(Style::new, |rule| style(&rule.rule.state)),
            line.trim_end(),
            color,
        )
    });
    lines.fold(String::new(), |text, line| text + &line + "\n")
}

fn cells(entry: &Entry<'_>, counted: bool) -> Vec<String> {
    let rule = entry.rule;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mut cells = vec![
        or_dash(rule.level.map(|level| level.name().to_owned())),
        title(rule),
        or_dash(rule.kind.map(|kind| kind.name().to_owned())),
        or_dash(
            rule.logsource
                .as_ref()
                .map(|source| shown(&source.to_string())),
        ),
        or_dash(rule.status.map(|status| status.name().to_owned())),
        rule.state.to_string(),
    ];
    if counted {
        let alerts = rule.kind.is_some_and(|kind| kind != Kind::Filter);
        let last = entry.fired.last.as_deref();
        cells.push(or_dash(alerts.then(|| entry.fired.count.to_string())));
        cells.push(or_dash(
            last.map(|last| shown(last).chars().take(MINUTE_CHARS).collect()),
        ));
    }
    let version = rule.version.map(|version| {
        let text = version.to_string();
        text.chars().take(VERSION_CHARS).collect()
    });
    cells.extend([
        or_dash(version),
        or_dash(rule.id.as_deref().map(shown)),
        place(rule),
    ]);
    cells
}

/// The title, cut; what has none goes by its id, else as a file.
fn title(rule: &Listed) -> String {
    let text = match (rule.title.as_str(), &rule.id) {
        ("", Some(id)) => id.as_str(),
        ("", None) => "(file)",
        (title, _) => title,
    };
    cut(shown(text))
}

/// A text that is no longer than titles are shown.
fn cut(text: String) -> String {
    if text.chars().count() <= TITLE_CHARS_MAX {
        return text;
    }
    let cut: String = text.chars().take(TITLE_CHARS_MAX - 1).collect();
    cut + "…"
}

fn place(rule: &Listed) -> String {
    format!("{}:{}", shown(&rule.file), rule.line)
}

/// A line about a rule that is skipped.
fn skipped(entry: &Entry<'_>) -> Option<String> {
    let State::Skipped { code, message } = &entry.rule.state else {
        return None;
    };
    let (place, message) = (place(entry.rule), shown(message));
    Some(format!("{code}  {}: {message}  {place}", title(entry.rule)))
}

/// A line about a rule that fired and is gone.
fn no_longer(id: &str, fired: &Fired) -> String {
    let last = fired.last.as_deref().unwrap_or("-");
    let last: String = shown(last).chars().take(MINUTE_CHARS).collect();
    let alerts = counted_as_u64(fired.count, "alert");
    format!(
        "{alerts}, last {last}  {} ({})",
        cut(shown(&fired.title)),
        shown(id)
    )
}

/// A line about an exception that says who answers for it.
fn exception(entry: &Entry<'_>) -> Option<String> {
    let exception = entry.rule.exception.as_ref()?;
    let expires = exception.expires.as_ref();
    let mut line = match expires {
        Some(expires) if entry.rule.state.is_in_force() => {
            format!("until {}", moment(expires.at))
        }
        Some(expires) => format!("ended {}", moment(expires.at)),
        None => "without an end".to_owned(),
    };
    let owner = exception.owner.as_deref().map_or("nobody", |owner| owner);
    let reason = exception.reason.as_deref().unwrap_or("no reason given");
    write!(
        line,
        "  {}: {} ({})",
        title(entry.rule),
        shown(reason),
        shown(owner)
    )
    .expect("writing to a string cannot fail");
    Some(line)
}

fn section(text: &mut String, head: &str, lines: impl Iterator<Item = String>, color: Color) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    let head = paint(Style::new().bold(), head, color);
    writeln!(text, "\n{head}").expect("writing to a string cannot fail");
    for line in lines {
        writeln!(text, "  {line}").expect("writing to a string cannot fail");
    }
}

/// How many there are of each kind, and what became of them.
fn totals(list: &[Entry<'_>], counted: bool) -> String {
    let number =
        |wanted: &dyn Fn(&Listed) -> bool| list.iter().filter(|entry| wanted(entry.rule)).count();
    let in_force =
        |kind: Kind| number(&|rule: &Listed| rule.kind == Some(kind) && rule.state.is_in_force());
    let silent = number(&|rule| rule.state == State::ForCorrelations);
    let mut text = format!(
        "on disk: {}, {} and {} to load",
        counted_as(in_force(Kind::Detection), "rule"),
        counted_as(in_force(Kind::Correlation), "correlation"),
        counted_as(in_force(Kind::Filter), "filter"),
    );
    let mut add = |part: String| {
        text.push_str(", ");
        text.push_str(&part);
    };
    if silent > 0 {
        add(format!("{silent} of them for correlations only"));
    }
    match number(&|rule| matches!(rule.state, State::LeftOut(_))) {
        0 => {}
        left_out => add(format!("{left_out} left out")),
    }
    match number(&|rule| matches!(rule.state, State::Skipped { .. })) {
        0 => {}
        skipped => add(format!("{skipped} skipped")),
    }
    if counted {
        let fired = list.iter().filter(|entry| entry.fired.count > 0).count();
        let alerts: u64 = list.iter().map(|entry| entry.fired.count).sum();
        let alerts = counted_as_u64(alerts, "alert");
        add(format!("{fired} fired with {alerts}"));
    }
    text
}

fn counted_as(number: usize, what: &str) -> String {
    counted_as_u64(u64::try_from(number).unwrap_or(u64::MAX), what)
}

fn counted_as_u64(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// What is in force stands out from what is not.
fn style(state: &State) -> Style {
    match state {
        State::Loaded => Style::new(),
        State::ForCorrelations => AnsiColor::Cyan.on_default(),
        State::LeftOut(_) => Style::new().dimmed(),
        State::Skipped { .. } => AnsiColor::Red.on_default(),
    }
}

fn paint(style: Style, text: &str, color: Color) -> String {
    match color {
        Color::Always => format!("{style}{text}{style:#}"),
        Color::Never => text.to_owned(),
    }
}
