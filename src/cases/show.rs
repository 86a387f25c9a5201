//! What became of cases: for people, as JSON, as `JUnit` XML.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use palisade_detect::diagnostic::{Color, Diagnostic, printable};
use serde_json::{Value, json};

use super::run::{Judged, LeftOut, Run};
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
    for (file, (all, why)) in left_out(run) {
        let (file, why) = (printable(file), printable(why));
        line(
            &mut out,
            format_args!("- {file}  {} left out: {why}", count(all, "case")),
        );
    }
    let total = run.results.len() + run.left_out.len();
    let left_out = match run.left_out.len() {
        0 => String::new(),
        number => format!(", {number} left out"),
    };
    let errors = match run.findings.errors() {
        0 => String::new(),
        errors => format!(", {}", count(errors, "error")),
    };
    line(
        &mut out,
        format_args!(
            "{}: {} passed, {failed} failed{left_out}{errors}, in {:.2} s",
            count(total, "case"),
            run.results.len() - failed,
            run.elapsed.as_secs_f64()
        ),
    );
    out
}

/// Cases that are left out by file and reason, how many each.
fn left_out(run: &Run) -> Vec<(&str, (usize, &str))> {
    let mut found: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for case in &run.left_out {
        *found.entry((&case.file, &case.why)).or_default() += 1;
    }
    let by_file = found.into_iter();
    by_file
        .map(|((file, why), all)| (file, (all, why)))
        .collect()
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
/// `{"cases":[{"file","line","name","passed","seconds","reasons","explanation"}],
/// "left_out":[{"file","line","name","why"}],"diagnostics":[…]}`.
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
    let left_out = run.left_out.iter().map(
        |case| json!({"file": &*case.file, "line": case.line, "name": case.name, "why": case.why}),
    );
    let diagnostics: Vec<Value> = run.findings.diagnostics.iter().map(diagnostic).collect();
    json!({
        "cases": cases,
        "left_out": left_out.collect::<Vec<_>>(),
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
    let mut suites: BTreeMap<&str, Suite<'_>> = BTreeMap::new();
    for case in &run.results {
        suites.entry(&case.file).or_default().cases.push(case);
    }
    for case in &run.left_out {
        suites.entry(&case.file).or_default().left_out.push(case);
    }
    for problem in run.findings.diagnostics.iter().filter(|one| one.is_error()) {
        let suite = suites.entry(&problem.place.file).or_default();
        suite.problems.push(problem);
    }
    let errors: usize = suites.values().map(|suite| suite.problems.len()).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    line(
        &mut out,
        format_args!(
            "<testsuites name=\"palisade test\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\" \
         skipped=\"{}\" time=\"{:.3}\">",
            run.results.len() + run.left_out.len() + errors,
            run.failed(),
            run.left_out.len(),
            run.elapsed.as_secs_f64()
        ),
    );
    for (file, suite) in suites {
        suite.write(file, &mut out);
    }
    out.push_str("</testsuites>\n");
    out
}

/// A case file for `JUnit`.
#[derive(Default)]
struct Suite<'r> {
    cases: Vec<&'r Judged>,
    left_out: Vec<&'r LeftOut>,
    problems: Vec<&'r Diagnostic>,
}

impl Suite<'_> {
    fn write(&self, file: &str, out: &mut String) {
        let failures = self.cases.iter().filter(|case| !case.passed()).count();
        // No sum of floats: over no cases it is a negative zero.
        let time: Duration = self.cases.iter().map(|case| case.elapsed).sum();
        let time = time.as_secs_f64();
        let (errors, left_out) = (self.problems.len(), self.left_out.len());
        let tests = self.cases.len() + left_out + errors;
        let name = line_of(file);
        line(
            out,
            format_args!(
                "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" \
                 errors=\"{errors}\" skipped=\"{left_out}\" time=\"{time:.3}\">"
            ),
        );
        for problem in &self.problems {
            error(problem, &name, out);
        }
        for case in &self.cases {
            judged(case, &name, out);
        }
        for case in &self.left_out {
            line(
                out,
                format_args!(
                    "    <testcase classname=\"{name}\" name=\"{}\" file=\"{name}\" line=\"{}\" \
                     time=\"0.000\">\n      <skipped message=\"{}\"/>\n    </testcase>",
                    line_of(&case.name),
                    case.line,
                    line_of(&case.why)
                ),
            );
        }
        out.push_str("  </testsuite>\n");
    }
}

fn error(problem: &Diagnostic, name: &str, out: &mut String) {
    line(
        out,
        format_args!(
            "    <testcase classname=\"{name}\" name=\"{}\" time=\"0.000\">\n      \
             <error type=\"{}\" message=\"{}\">{}</error>\n    </testcase>",
            line_of(&format!("loads ({})", problem.code)),
            escaped(problem.code),
            line_of(&problem.message),
            line_of(&problem.to_string())
        ),
    );
}

fn judged(case: &Judged, name: &str, out: &mut String) {
    let open = format!(
        "    <testcase classname=\"{name}\" name=\"{}\" file=\"{name}\" line=\"{}\" \
         time=\"{:.3}\"",
        line_of(&case.name),
        case.line,
        case.elapsed.as_secs_f64()
    );
    if case.passed() {
        return line(out, format_args!("{open}/>"));
    }
    line(
        out,
        format_args!(
            "{open}>\n      <failure type=\"verdict\" message=\"{}\">{}</failure>\n    \
             </testcase>",
            line_of(&case.verdict.reasons.join("; ")),
            escaped(&details(case, Color::Never))
        ),
    );
}

/// Text of one line for XML: a name of the writer's begins no line of the output, so that nothing in it
/// passes for a command to a build server that reads what is printed.
fn line_of(text: &str) -> String {
    escaped(&printable(text))
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
