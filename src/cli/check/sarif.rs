//! SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format", sections 3.13 to 3.57).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use palisade_detect::diagnostic::{Code, Diagnostic, Fix, Severity, code};
use palisade_detect::lint;
use serde_json::{Value, json};

use super::output::{Lines, Position};
use crate::rules::Findings;

/// Where the schema stands.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The page about codes.
const HELP: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/blob/main/docs/diagnostics.md"
);

/// The findings as a log with one run.
pub(super) fn log(findings: &Findings, lines: &mut Lines<'_>) -> Value {
    let found: BTreeSet<&str> = findings.diagnostics.iter().map(|one| one.code).collect();
    let codes: Vec<Code> = code::ALL
        .iter()
        .copied()
        .filter(|code| found.contains(code.id))
        .collect();
    let rules: Vec<Value> = codes.iter().map(|code| rule(*code)).collect();
    let results: Vec<Value> = findings
        .diagnostics
        .iter()
        .map(|one| result(one, &codes, lines))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "palisade",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A code.
fn rule(code: Code) -> Value {
    let page = code.explanation();
    json!({
        "id": code.id,
        "name": code.kind,
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": page.prose},
        "helpUri": format!("{HELP}#{}", code.id.to_ascii_lowercase()),
        "defaultConfiguration": {"level": level(lint::severity(code))},
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// A finding.
fn result(one: &Diagnostic, codes: &[Code], lines: &mut Lines<'_>) -> Value {
    let end = lines.end(one);
    let begin = Position {
        line: one.place.line,
        column: one.place.column,
    };
    let mut text = one.message.clone();
    if let Some(help) = &one.help {
        text.extend([". ", help]);
    }
    let mut result = json!({
        "ruleId": one.code,
        "ruleIndex": codes.iter().position(|code| code.id == one.code),
        "level": level(one.severity),
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(&one.place.file)},
            "region": region(begin, end),
        }}],
    });
    let fix = one.fix.as_ref();
    if let Some(fix) = fix.and_then(|fix| changes(&one.place.file, fix, lines)) {
        result["fixes"] = json!([fix]);
    }
    result
}

fn region(begin: Position, end: Position) -> Value {
    json!({
        "startLine": begin.line,
        "startColumn": begin.column,
        "endLine": end.line,
        "endColumn": end.column,
    })
}

/// A fix, if its places can be said.
fn changes(file: &str, fix: &Fix, lines: &mut Lines<'_>) -> Option<Value> {
    let mut replacements = Vec::with_capacity(fix.edits.len());
    for edit in &fix.edits {
        let begin = lines.position(file, edit.span.start)?;
        let end = lines.position(file, edit.span.end)?;
        replacements.push(json!({
            "deletedRegion": region(begin, end),
            "insertedContent": {"text": edit.text},
        }));
    }
    Some(json!({
        "description": {"text": fix.title},
        "artifactChanges": [{
            "artifactLocation": {"uri": uri(file)},
            "replacements": replacements,
        }],
    }))
}

/// A file name as a URI: relative as it is, absolute with a scheme, everything unusual escaped.
fn uri(file: &str) -> String {
    let mut out = String::with_capacity(file.len());
    if file.starts_with('/') {
        out.push_str("file://");
    }
    for byte in file.strip_prefix("./").unwrap_or(file).bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to memory cannot fail");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use palisade_detect::diagnostic::{Edit, Place};

    use super::*;

    #[test]
    fn log_has_what_the_schema_requires() {
        let mut place = Place::start_of("a b/é.yml");
        place.span = 0..2;
        let warning = Diagnostic::info(code::NO_ID, &place, "no id")
            .with_help("add one")
            .with_fix("add it", vec![Edit::replace(&place, "x")]);
        let error = Diagnostic::error(code::WRONG_TYPE, &Place::start_of("/gone.yml"), "bad");
        let mut findings = Findings::default();
        findings.add("a b/é.yml", "a\nb\n", vec![warning, error]);
        let log = log(&findings, &mut Lines::new(&findings));
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        let driver = &run["tool"]["driver"];
        assert_eq!(driver["name"], "palisade");
        let results = run["results"].as_array().expect("results");
        let levels: Vec<_> = results.iter().map(|one| one["level"].clone()).collect();
        assert_eq!(levels, ["note", "error"]);
        for result in results {
            let index = result["ruleIndex"].as_u64().expect("an index");
            let index = usize::try_from(index).expect("small");
            assert_eq!(driver["rules"][index]["id"], result["ruleId"]);
            assert!(result["message"]["text"].is_string());
            let region = &result["locations"][0]["physicalLocation"]["region"];
            assert!(region["startLine"].as_u64() >= Some(1));
            assert!(region["startColumn"].as_u64() >= Some(1));
        }
        let uris: Vec<_> = results
            .iter()
            .map(|one| one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].clone())
            .collect();
        assert_eq!(uris, ["a%20b/%C3%A9.yml", "file:///gone.yml"]);
        let change = &results[0]["fixes"][0]["artifactChanges"][0]["replacements"][0];
        assert_eq!(change["deletedRegion"]["endLine"], 2);
        assert_eq!(change["insertedContent"]["text"], "x");
    }
}
