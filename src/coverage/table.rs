//! Coverage as a table for a terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use palisade_detect::attack::Technique;
use palisade_detect::diagnostic::{Color, printable};
use palisade_sinks::render::shown;

use super::{Coverage, Rule, by_source};

/// Widest name of a technique that is padded for.
const NAME_WIDTH_MAX: usize = 64;

/// Tactic, techniques, number of rules and their log sources; then what is not in it.
pub fn table(coverage: &Coverage, color: Color) -> String {
    let paint = |style: Style, text: &str| match color {
        Color::Always => format!("{style}{text}{style:#}"),
        Color::Never => text.to_owned(),
    };
    let mut out = String::new();
    let names = coverage.cells().map(|(cell, _)| name(cell.technique).len());
    let width = names.max().unwrap_or_default().min(NAME_WIDTH_MAX);
    let mut column = "";
    for (cell, rules) in coverage.cells() {
        if cell.tactic.id != column {
            column = cell.tactic.id;
            let head = paint(Style::new().bold(), cell.tactic.name);
            let id = paint(Style::new().dimmed(), column);
            let gap = if out.is_empty() { "" } else { "\n" };
            writeln!(out, "{gap}{head} {id}").expect("writing to a string cannot fail");
        }
        let name = name(cell.technique);
        let count = paint(heat(rules.len()), &format!("{:>4}", rules.len()));
        let sources: Vec<String> = by_source(&rules)
            .iter()
            .map(|(source, count)| format!("{} {count}", shown(source)))
            .collect();
        let sources = paint(Style::new().dimmed(), &sources.join(", "));
        writeln!(
            out,
            "  {:<10}{name:<width$} {count}  {sources}",
            cell.technique.id
        )
        .expect("writing to a string cannot fail");
    }
    rest(&mut out, coverage);
    out
}

/// The name of a technique, a sub-technique's with its parent's.
fn name(technique: &Technique) -> String {
    match technique.parent() {
        Some(parent) => format!("{}: {}", parent.name, technique.name),
        None => technique.name.to_owned(),
    }
}

/// The summary, and the rules that stand in no cell.
fn rest(out: &mut String, coverage: &Coverage) {
    let gap = if out.is_empty() { "" } else { "\n" };
    write!(out, "{gap}{}", coverage.summary()).expect("writing to a string cannot fail");
    if coverage.silent > 0 {
        write!(out, "; {} more only serve correlations", coverage.silent)
            .expect("writing to a string cannot fail");
    }
    out.push('\n');
    let untagged = coverage.untagged.iter();
    let untagged: Vec<&Rule> = untagged
        .filter_map(|place| coverage.rules.get(*place))
        .collect();
    if !untagged.is_empty() {
        out.push_str("\nRules that name no technique:\n");
    }
    for rule in untagged {
        let sources: Vec<String> = rule.log_sources.iter().map(|text| shown(text)).collect();
        let (title, id) = (printable(&rule.title), printable(&rule.id));
        writeln!(out, "  {title} ({id}; {})", sources.join(", "))
            .expect("writing to a string cannot fail");
    }
    let unknown = coverage.rules.iter();
    let unknown: Vec<&Rule> = unknown
        .filter(|rule| !rule.unknown_tags.is_empty())
        .collect();
    if !unknown.is_empty() {
        out.push_str("\nTags that ATT&CK does not have:\n");
    }
    for rule in unknown {
        let tags = shown(&rule.unknown_tags.join(", "));
        writeln!(out, "  {tags} in {}", printable(&rule.title))
            .expect("writing to a string cannot fail");
    }
}

/// The more rules, the warmer.
fn heat(rules: usize) -> Style {
    let color = match rules {
        0 | 1 => AnsiColor::Cyan,
        2 | 3 => AnsiColor::Green,
        _ => AnsiColor::Yellow,
    };
    Style::new().bold().fg_color(Some(color.into()))
}
