//! What became of cases: for people, as JSON, as `JUnit` XML.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use palisade_detect::diagnostic::{Color, Diagnostic, printable};
use serde_json::{Value, json};

use super::run::{Judged, Run};
use crate::explain::text::{Show, Writer};

/// For people: what failed in full, then how many.
pub fn pretty(run: &Run, color: Color) -> String {
    let mut out = run.findings.render(color);
    for case in run.results.iter().filter(|case| !case.passed()) {
        failure(case, color, &mut out);
    }
    let failed = run.failed();
    let good = paint(color, AnsiColor::Green, "✓");
    let bad = paint(color, AnsiColor::Red, "✗");
    let mut files: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for case in &run.results {
        let (all, wrong) = files.entry(&case.file).or_default();
        *all += 1;
        *wrong += usize::from(!case.passed());
    }
    for (file, (all, wrong)) in &files {
        let file = printable(file);
        let all = count(*all, "case");
        match wrong {
            0 => line(&mut out, format_args!("{good} {file}  {all}")),
            _ => line(
                &mut out,
                format_args!("{bad} {file}  {all}, {wrong} failed"),
            ),
        }
    }
    let total = run.results.len();
    let errors = match run.findings.errors() {
        0 => String::new(),
        errors => format!(", {}", count(errors, "error")),
    };
    line(
        &mut out,
        format_args!(
            "{}: {} passed, {failed} failed{errors}, in {:.2} s",
            count(total, "case"),
            total - failed,
            run.elapsed.as_secs_f64()
        ),
    );
    out
}

fn failure(case: &Judged, color: Color, out: &mut String) {
    let head = format!("{}:{}: {}", case.file, case.line, case.name);
    let bold = match color {
        Color::Always => Style::new().bold(),
        Color::Never => Style::new(),
    };
    let bad = paint(color, AnsiColor::Red, "✗");
    line(
        out,
        format_args!("{bad} {bold}{}{bold:#}", printable(&head)),
    );
    out.push_str(&details(case, color));
    out.push('\n');
}

/// Adds a line.
fn line(out: &mut String, text: fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes all");
}

/// Reasons and explanation of a failed case, indented.
fn details(case: &Judged, color: Color) -> String {
    let mut out = String::new();
    for reason in &case.verdict.reasons {
        line(&mut out, format_args!("  {}", printable(reason)));
    }
    if let Some(report) = &case.verdict.report {
        let writer = Writer {
            color,
            show: Show::Deciding,
        };
        for text in writer.report(report).lines() {
            match text {
                "" => out.push('\n'),
                _ => line(&mut out, format_args!("    {text}")),
            }
        }
    }
    out
}

fn paint(color: Color, front: AnsiColor, text: &str) -> String {
    match color {
        Color::Always => {
            let style = Style::new().bold().fg_color(Some(front.into()));
            format!("{style}{text}{style:#}")
        }
        Color::Never => text.to_owned(),
    }
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// For programs:
/// `{"cases":[{"file","line","name","passed","seconds","reasons","explanation"}],"diagnostics":[…]}`.
pub fn json(run: &Run) -> Value {
    let cases: Vec<Value> = run
        .results
        .iter()
        .map(|case| {
            json!({
                "file": &*case.file,
                "line": case.line,
                "name": case.name,
                "passed": case.passed(),
                "seconds": case.elapsed.as_secs_f64(),
                "reasons": case.verdict.reasons,
                "explanation": case.verdict.report,
            })
        })
        .collect();
    let diagnostics: Vec<Value> = run.findings.diagnostics.iter().map(diagnostic).collect();
    json!({
        "cases": cases,
        "diagnostics": diagnostics,
        "passed": run.results.len() - run.failed(),
        "failed": run.failed(),
        "seconds": run.elapsed.as_secs_f64(),
    })
}

fn diagnostic(one: &Diagnostic) -> Value {
    json!({
        "code": one.code,
        "severity": one.severity.name(),
        "file": &*one.place.file,
        "line": one.place.line,
        "column": one.place.column,
        "message": one.message,
        "help": one.help,
        "rule": one.rule,
    })
}

/// `JUnit` XML, as the collectors of test results read it: a suite for each case file, and errors for
/// files that cannot be judged.
pub fn junit(run: &Run) -> String {
    let mut suites: BTreeMap<&str, (Vec<&Judged>, Vec<&Diagnostic>)> = BTreeMap::new();
    for case in &run.results {
        suites.entry(&case.file).or_default().0.push(case);
    }
    for problem in run.findings.diagnostics.iter().filter(|one| one.is_error()) {
        suites
            .entry(&problem.place.file)
            .or_default()
            .1
            .push(problem);
    }
    let errors: usize = suites.values().map(|(_, problems)| problems.len()).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    line(
        &mut out,
        format_args!(
            "<testsuites name=\"palisade test\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\" \
         time=\"{:.3}\">",
            run.results.len() + errors,
            run.failed(),
            run.elapsed.as_secs_f64()
        ),
    );
    for (file, (cases, problems)) in suites {
        suite(file, &cases, &problems, &mut out);
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite(file: &str, cases: &[&Judged], problems: &[&Diagnostic], out: &mut String) {
    let failures = cases.iter().filter(|case| !case.passed()).count();
    let time: f64 = cases.iter().map(|case| case.elapsed.as_secs_f64()).sum();
    let name = escaped(file);
    line(
        out,
        format_args!(
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" errors=\"{}\" \
         time=\"{time:.3}\">",
            cases.len() + problems.len(),
            problems.len()
        ),
    );
    for problem in problems {
        line(
            out,
            format_args!(
                "    <testcase classname=\"{name}\" name=\"{}\" time=\"0.000\">\n      \
             <error type=\"{}\" message=\"{}\">{}</error>\n    </testcase>",
                escaped(&format!("loads ({})", problem.code)),
                escaped(problem.code),
                escaped(&problem.message),
                escaped(&problem.to_string())
            ),
        );
    }
    for case in cases {
        let open = format!(
            "    <testcase classname=\"{name}\" name=\"{}\" file=\"{name}\" line=\"{}\" \
             time=\"{:.3}\"",
            escaped(&case.name),
            case.line,
            case.elapsed.as_secs_f64()
        );
        if case.passed() {
            line(out, format_args!("{open}/>"));
            continue;
        }
        line(
            out,
            format_args!(
                "{open}>\n      <failure type=\"verdict\" message=\"{}\">{}</failure>\n    \
             </testcase>",
                escaped(&case.verdict.reasons.join("; ")),
                escaped(&details(case, Color::Never))
            ),
        );
    }
    out.push_str("  </testsuite>\n");
}

/// Text for XML: markup escaped, and what XML 1.0 cannot hold replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' => out.push(letter),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other if other.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
