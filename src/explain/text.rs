//! A report as text for people. What it quotes comes from logs and rules, so attackers write it: it is
//! never printed raw.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use palisade_detect::correlation::view::{EventView, GroupView, Progress};
use palisade_detect::diagnostic::{Color, printable};
use palisade_detect::explain::{Entry, Explanation, Node, What};

use super::{CorrelationReport, EventReport, Report};

/// Deepest indentation, in levels; what is nested deeper stands there.
const INDENT_MAX: usize = 40;

/// How much of a condition is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// All of it.
    Whole,
    /// The parts that decided.
    Deciding,
}

/// Writes reports.
#[derive(Debug, Clone, Copy)]
pub struct Writer {
    /// Whether output carries ANSI colours.
    pub color: Color,
    /// How much of a condition is shown.
    pub show: Show,
}

impl Writer {
    /// The whole report.
    pub fn report(self, report: &Report) -> String {
        let mut out = String::new();
        for event in &report.events {
            self.event(event, &mut out);
            out.push('\n');
        }
        for correlation in &report.correlations {
            self.correlation(correlation, &mut out);
            out.push('\n');
        }
        for reject in &report.rejects {
            line(&mut out, 0, &format!("no event: {}", printable(reject)));
        }
        let left_out = report.events_total - report.events.len();
        let (matched, total) = (report.events_matched, report.events_total);
        let mut summary = format!("events with a match: {matched} of {total}");
        if left_out > 0 {
            put(&mut summary, format_args!("; not shown: {left_out}"));
        }
        line(&mut out, 0, &summary);
        out
    }

    /// One event with the rules in question.
    pub fn event(self, event: &EventReport, out: &mut String) {
        let time = event.time.as_deref();
        let time = time.map_or_else(|| "without a time".to_owned(), short);
        let head = format!("{}  {time}  {}", printable(&event.place), event.log_type);
        line(out, 0, &self.with(Style::new().bold(), &head));
        for rule in &event.rules {
            self.explanation(rule, 1, out);
        }
        if event.matched_besides > 0 {
            let more = count(event.matched_besides, "more rule");
            line(out, 1, &format!("… {more} that match"));
        }
        if event.others > 0 {
            let others = count(event.others, "other rule");
            line(out, 1, &self.dim(&format!("{others} without a match")));
        }
        if let Some(nearest) = &event.nearest {
            let text = format!(
                "nearest: {} ({}), {} away; see it with `--rule {}`",
                printable(&nearest.title),
                printable(&nearest.rule),
                entries(nearest.distance),
                printable(&nearest.rule)
            );
            line(out, 1, &self.dim(&text));
        }
    }

    /// One rule on one event.
    pub fn explanation(self, said: &Explanation, level: usize, out: &mut String) {
        let title = self.with(Style::new().bold(), &printable(&said.title));
        let key = self.dim(&printable(&said.rule));
        let away = if said.matches || said.distance == 0 || said.distance == usize::MAX {
            String::new()
        } else {
            self.dim(&format!("  {} away", entries(said.distance)))
        };
        line(
            out,
            level,
            &format!("{} {title}  {key}{away}", self.mark(said.matches)),
        );
        let logsource = &said.logsource;
        let stated = logsource.stated.join(", ");
        if !logsource.admits {
            let text = format!(
                "{} log source: the rule asks for `{}`, the event is `{}`",
                self.mark(false),
                printable(&logsource.asked),
                printable(&stated)
            );
            line(out, level + 1, &text);
        } else if self.show == Show::Whole {
            let text = match (logsource.asked.as_str(), stated.as_str()) {
                ("", _) => "the rule asks for none".to_owned(),
                (_, "") => "the event states none, so every rule judges it".to_owned(),
                (asked, _) => printable(asked).into_owned(),
            };
            line(
                out,
                level + 1,
                &format!("{} log source: {text}", self.mark(true)),
            );
        }
        match self.show {
            Show::Whole => self.node(&said.condition, level + 1, out),
            // The condition had no say.
            Show::Deciding if !logsource.admits => {}
            Show::Deciding => self.node(&said.condition.clone().deciding(), level + 1, out),
        }
    }

    fn node(self, node: &Node, level: usize, out: &mut String) {
        let mark = self.mark(node.holds);
        let head = match &node.what {
            What::Entry(entry) => self.entry(entry),
            What::Search { name } => printable(name).into_owned(),
            What::Not => "not".to_owned(),
            What::All => "all of".to_owned(),
            What::Any => "one of".to_owned(),
            What::AtLeast { count } => format!("at least {count} of"),
        };
        line(out, level, &format!("{mark} {head}"));
        for part in &node.parts {
            self.node(part, level + 1, out);
        }
        if node.left_out > 0 && self.show == Show::Whole {
            line(out, level + 1, &format!("… {} more", node.left_out));
        }
    }

    fn entry(self, entry: &Entry) -> String {
        let mut head = match entry.fields.as_slice() {
            [] => "keywords".to_owned(),
            fields => fields.join(" or "),
        };
        for modifier in &entry.modifiers {
            head.push('|');
            head.push_str(modifier);
        }
        let values = if entry.values_total > entry.values.len() && !entry.met.is_empty() {
            // The one that was met may not be among the first.
            &entry.met
        } else {
            &entry.values
        };
        let mut wanted = values.join(", ");
        if entry.values_total > values.len() {
            let more = entry.values_total - values.len();
            put(&mut wanted, format_args!(" … and {more} more"));
        }
        let line = self.dim(&format!("(line {})", entry.line));
        format!(
            "{}: {}  {}  {line}",
            printable(&head),
            printable(&wanted),
            self.saw(entry)
        )
    }

    /// What an entry saw in the event.
    fn saw(self, entry: &Entry) -> String {
        let style = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
        if entry.absent {
            let mut text = "the field is absent".to_owned();
            if !entry.near.is_empty() {
                let near: Vec<String> = entry.near.iter().map(|name| format!("`{name}`")).collect();
                put(&mut text, format_args!("; present: {}", near.join(", ")));
            }
            return self.with(style, &printable(&text));
        }
        let with_path = entry.fields.len() != 1;
        let seen = entry.seen.iter().map(|seen| {
            if with_path {
                format!("{}={}", seen.path, seen.value)
            } else {
                seen.value.clone()
            }
        });
        let seen = seen.collect::<Vec<_>>().join(", ");
        let mut text = if seen.is_empty() {
            "nowhere in the event".to_owned()
        } else {
            format!("saw {seen}")
        };
        if entry.seen_total > entry.seen.len() {
            put(
                &mut text,
                format_args!(" … and {} more", entry.seen_total - entry.seen.len()),
            );
        }
        if !entry.unmet.is_empty() {
            put(
                &mut text,
                format_args!("; not met: {}", entry.unmet.join(", ")),
            );
        }
        self.with(style, &printable(&text))
    }

    /// A correlation and its groups.
    pub fn correlation(self, report: &CorrelationReport, out: &mut String) {
        let satisfied = |group: &GroupView| group.progress.satisfied;
        let title = self.with(Style::new().bold(), &printable(&report.title));
        let head = format!(
            "{} {title}  {}",
            self.mark(report.groups.iter().any(satisfied)),
            self.dim(&printable(&report.rule))
        );
        line(out, 0, &head);
        let by = match report.group_by.as_slice() {
            [] => "in one group".to_owned(),
            fields => format!("by {}", printable(&fields.join(", "))),
        };
        let span = span(report.timespan_seconds);
        line(
            out,
            1,
            &format!("{} within {span} {by}", printable(&report.kind)),
        );
        for (rule, matched) in &report.base_rules {
            let rule = printable(rule);
            match matched {
                Some(matched) => line(
                    out,
                    1,
                    &format!("{rule} matched {}", count(*matched, "event")),
                ),
                None => line(out, 1, &format!("{rule} is a correlation")),
            }
        }
        if report.ungrouped > 0 {
            let events = count(report.ungrouped, "event");
            let text = format!("{events} in no group: a group-by field is absent");
            line(out, 1, &format!("{} {text}", self.mark(false)));
        }
        if !report.alerts {
            line(
                out,
                1,
                "it raises no alert of its own: another correlation refers to it",
            );
        }
        for group in &report.groups {
            self.group(group, report, out);
        }
        if report.groups_total > report.groups.len() {
            let more = report.groups_total - report.groups.len();
            line(
                out,
                1,
                &format!("… {}, further away", count(more, "more group")),
            );
        }
    }

    fn group(self, group: &GroupView, report: &CorrelationReport, out: &mut String) {
        let pairs = group.group.iter().map(|(name, value)| {
            let value: String = value.chars().take(120).collect();
            format!("{name}={value}")
        });
        let name = match pairs.collect::<Vec<_>>().join("  ") {
            name if name.is_empty() => "all events".to_owned(),
            name => printable(&name).into_owned(),
        };
        let progress = progress(&group.progress);
        let mark = self.mark(group.progress.satisfied);
        line(out, 1, &format!("{mark} {name}: {progress}"));
        for (from, until) in &group.silent {
            let silent = format!("alerted at {}, silent until {}", short(from), short(until));
            line(out, 2, &silent);
        }
        let one_rule = report.base_rules.len() == 1;
        let hidden = group.events_total - group.events.len();
        if hidden > 0 {
            line(out, 2, &format!("… {}", count(hidden, "earlier event")));
        }
        for event in &group.events {
            line(out, 2, &self.occurrence(event, one_rule));
        }
    }

    fn occurrence(self, event: &EventView, one_rule: bool) -> String {
        let mut text = short(&event.time);
        if !one_rule {
            put(&mut text, format_args!("  {}", event.rules.join(", ")));
        }
        match &event.value {
            Some(value) => {
                let value: String = value.chars().take(120).collect();
                put(&mut text, format_args!("  {value}"));
            }
            None if !event.counts => text.push_str("  without a value, so it does not count"),
            None => {}
        }
        let place = self.dim(&printable(&event.place));
        format!("{}  {place}", printable(&text))
    }

    fn mark(self, holds: bool) -> String {
        let (mark, color) = if holds {
            ("✓", AnsiColor::Green)
        } else {
            ("✗", AnsiColor::Red)
        };
        self.with(Style::new().fg_color(Some(color.into())).bold(), mark)
    }

    fn dim(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    fn with(self, style: Style, text: &str) -> String {
        match self.color {
            Color::Always => format!("{style}{text}{style:#}"),
            Color::Never => text.to_owned(),
        }
    }
}

/// How far a group is from firing, such as `3 of 5 within 10m; 2 more needed before 09:14:03Z`.
fn progress(progress: &Progress) -> String {
    let span = span(progress.timespan_seconds);
    let have = progress.have.map_or_else(|| "no value".to_owned(), number);
    let need = printable(&progress.need);
    if progress.satisfied {
        let (first, last) = (short(&progress.first), short(&progress.last));
        return format!("fires: {have}, asked for {need}, from {first} to {last}");
    }
    let mut text = match need.strip_prefix(">= ") {
        Some(least) if !least.contains(' ') => format!("{have} of {least} within {span}"),
        _ => format!("{have} within {span}, asked for {need}"),
    };
    let before = short(&progress.before);
    if progress.out_of_order {
        text.push_str("; all rules matched, but not in this order");
    } else if !progress.missing_rules.is_empty() {
        let rules = progress.missing_rules.join(", ");
        put(
            &mut text,
            format_args!("; {} needed before {before}", printable(&rules)),
        );
    } else if let Some(missing) = progress.missing {
        put(
            &mut text,
            format_args!("; {} more needed before {before}", number(missing)),
        );
    }
    text
}

fn number(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

/// A time without the zeros of its fraction.
fn short(time: &str) -> String {
    time.replace(".0000000Z", "Z")
}

fn entries(distance: usize) -> String {
    count(distance, "condition")
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// A length of time in the largest unit that keeps it whole.
fn span(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let unit = units.iter().find(|(length, _)| seconds % length == 0);
    let (length, name) = unit.copied().unwrap_or((1, "s"));
    format!("{}{name}", seconds / length)
}

fn put(out: &mut String, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes all");
}

fn line(out: &mut String, level: usize, text: &str) {
    for _ in 0..level.min(INDENT_MAX) {
        out.push_str("  ");
    }
    out.push_str(text);
    out.push('\n');
}
