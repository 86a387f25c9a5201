//! The form of case files: YAML to cases, with everything that is wrong with them.

use std::sync::Arc;

use palisade_detect::diagnostic::{Code, Diagnostic, Place, code, nearest, suggestion};
use palisade_detect::rule::RuleFile;
use palisade_detect::time::Span;
use palisade_detect::yaml::{self, Node, Yaml};

use super::{Case, CaseFile, Content, Expected, Fires, RECORDS_MAX, Select, Step};

/// Keys of a case file.
const FILE_KEYS: &[&str] = &["cases"];
/// Keys of a case.
const CASE_KEYS: &[&str] = &["name", "fires", "silent", "records"];
/// Keys of an entry of `records`.
const STEP_KEYS: &[&str] = &["at", "repeat", "every", "record", "file", "select"];
/// Keys of an entry of `fires`.
const FIRES_KEYS: &[&str] = &["rule", "times"];

/// What is replaced in the texts of a record.
const VARIABLES: [&str; 2] = ["time", "n"];
/// What it might be called elsewhere.
const OTHER_VARIABLES: [(&str, &str); 4] = [
    ("now", "time"),
    ("timestamp", "time"),
    ("i", "n"),
    ("index", "n"),
];

/// Help where there are no cases.
const CASES_HELP: &str = "write `cases:`, and below it each case behind a dash";

/// Reads a case file, as much of it as can be; [`CaseFile::problems`] says what is wrong with it.
pub fn parse(file: &RuleFile) -> CaseFile {
    let mut read = Form::default();
    let mut is_yaml = false;
    match yaml::parse(&file.name, &file.bytes) {
        Err(problems) => read.problems = problems,
        Ok(documents) => {
            is_yaml = true;
            for document in &documents {
                read.document(document);
            }
            if documents.is_empty() {
                let place = Place::start_of(&file.name);
                read.say(code::CASE_MISSING, &place, "a case file without `cases`")
                    .help = Some(CASES_HELP.to_owned());
            }
        }
    }
    CaseFile {
        name: Arc::clone(&file.name),
        is_yaml,
        cases: read.cases,
        oversized: read.oversized,
        problems: read.problems,
    }
}

#[derive(Default)]
struct Form {
    cases: Vec<Case>,
    oversized: Vec<Case>,
    problems: Vec<Diagnostic>,
}

impl Form {
    fn say(&mut self, code: Code, place: &Place, message: impl Into<String>) -> &mut Diagnostic {
        self.problems.push(Diagnostic::error(code, place, message));
        self.problems.last_mut().expect("one was just added")
    }

    fn wrong_type(&mut self, key: &str, node: &Node, expected: &str) {
        let message = format!("`{key}` is {}, expected {expected}", node.type_name());
        let help = match (node.as_text(), expected) {
            (Some("yes" | "on"), _) if key == "fires" => "write `true`".to_owned(),
            (Some("no" | "off"), _) if key == "fires" => "write `false`".to_owned(),
            (_, "text") if node.is_scalar() => "put it in quotes".to_owned(),
            _ => format!("write {expected}"),
        };
        self.say(code::CASE_TYPE, &node.place, message).help = Some(help);
    }

    /// Whether the node is a mapping; keys that it may not have are reported.
    fn keys(&mut self, node: &Node, known: &[&str], what: &str) -> bool {
        let Some(map) = node.as_map() else {
            let message = format!("{what} is {}, expected a mapping", node.type_name());
            let help = format!("its keys are `{}`", known.join("`, `"));
            self.say(code::CASE_TYPE, &node.place, message).help = Some(help);
            return false;
        };
        for (key, _) in map {
            let text = key.as_text();
            if text.is_some_and(|text| known.contains(&text)) {
                continue;
            }
            let name = text.unwrap_or("this");
            let help = suggestion(name, known.iter().copied());
            let all = format!("its keys are `{}`", known.join("`, `"));
            self.say(
                code::CASE_UNKNOWN_KEY,
                &key.place,
                format!("`{name}` is no key of {what}"),
            )
            .help = Some(help.unwrap_or(all));
        }
        true
    }

    fn document(&mut self, document: &Node) {
        if !self.keys(document, FILE_KEYS, "a case file") {
            return;
        }
        let Some((_, cases)) = document.entry("cases") else {
            self.say(
                code::CASE_MISSING,
                &document.place,
                "a case file without `cases`",
            )
            .help = Some(CASES_HELP.to_owned());
            return;
        };
        let Some(list) = cases.as_seq() else {
            return self.wrong_type("cases", cases, "a list");
        };
        for node in list {
            if let Some(case) = self.case(node) {
                self.cases.push(case);
            }
        }
    }

    /// A case; what it lacks is reported and keeps it from being judged.
    fn case(&mut self, node: &Node) -> Option<Case> {
        let before = self.problems.len();
        if !self.keys(node, CASE_KEYS, "a case") {
            return None;
        }
        for (key, what) in [
            ("name", "a sentence that says what it shows"),
            (
                "fires",
                "`true`, `false` or the rules that fire; `silent` with rules that do not is enough",
            ),
            ("records", "the records that it is about"),
        ] {
            let enough = key == "fires" && node.get_some("silent").is_some();
            if node.get_some(key).is_none() && !enough {
                self.say(
                    code::CASE_MISSING,
                    &node.place,
                    format!("a case without `{key}`"),
                )
                .help = Some(format!("`{key}` is {what}"));
            }
        }
        let name = node.get_some("name").and_then(|name| {
            let text = name.as_text();
            if text.is_none() {
                self.wrong_type("name", name, "text");
            }
            text
        });
        let fires = match node.get_some("fires") {
            Some(fires) => self.fires(fires),
            None => Fires::Unsaid,
        };
        let silent = node
            .get_some("silent")
            .map_or_else(Vec::new, |silent| self.silent(silent));
        let mut steps = node
            .get_some("records")
            .map_or_else(Vec::new, |records| self.steps(records));
        let too_many = self.too_many(&steps);
        if too_many {
            for step in &mut steps {
                step.repeat = 0;
            }
        }
        let case = Case {
            name: name?.to_owned(),
            place: node.place.clone(),
            fires,
            silent,
            steps,
        };
        if too_many {
            self.oversized.push(case);
            return None;
        }
        (self.problems.len() == before).then_some(case)
    }

    fn fires(&mut self, node: &Node) -> Fires {
        match &node.value {
            Yaml::Bool(fires) => Fires::Any(*fires),
            Yaml::Seq(list) => {
                Fires::These(list.iter().filter_map(|one| self.expected(one)).collect())
            }
            _ => {
                self.wrong_type("fires", node, "`true`, `false` or a list of rules");
                Fires::Any(false)
            }
        }
    }

    /// An entry of `fires`: a rule, or `{rule: ..., times: ...}`.
    fn expected(&mut self, node: &Node) -> Option<Expected> {
        if let Some(rule) = node.as_text() {
            return Some(Expected {
                rule: rule.to_owned(),
                place: node.place.clone(),
                times: None,
            });
        }
        if !self.keys(node, FIRES_KEYS, "an entry of `fires`") {
            return None;
        }
        let Some(rule) = node.get_some("rule") else {
            let message = "an entry of `fires` without `rule`";
            self.say(code::CASE_MISSING, &node.place, message).help =
                Some("write `rule:` with the id, name or title of a rule".to_owned());
            return None;
        };
        let times = node.get_some("times").and_then(|times| {
            let count = times.as_int().and_then(|int| u64::try_from(int).ok());
            if count.is_none() {
                let message = "`times` is a whole number from 0";
                self.say(code::CASE_VALUE, &times.place, message).help =
                    Some("write how often it fires, such as `times: 2`".to_owned());
            }
            count
        });
        let Some(name) = rule.as_text() else {
            self.wrong_type("rule", rule, "the id, name or title of a rule");
            return None;
        };
        Some(Expected {
            rule: name.to_owned(),
            place: rule.place.clone(),
            times,
        })
    }

    fn silent(&mut self, node: &Node) -> Vec<(String, Place)> {
        let Some(list) = node.as_seq() else {
            self.wrong_type("silent", node, "a list of rules");
            return Vec::new();
        };
        let mut silent = Vec::new();
        for rule in list {
            match rule.as_text() {
                Some(name) => silent.push((name.to_owned(), rule.place.clone())),
                None => self.wrong_type("silent", rule, "the id, name or title of a rule"),
            }
        }
        silent
    }

    fn steps(&mut self, node: &Node) -> Vec<Step> {
        let Some(list) = node.as_seq() else {
            self.wrong_type("records", node, "a list");
            return Vec::new();
        };
        if list.is_empty() {
            let message = "`records` is empty: nothing fires on nothing, whatever the rules say";
            self.say(code::CASE_VALUE, &node.place, message).help =
                Some("write the records that the case is about, each behind a dash".to_owned());
        }
        list.iter().filter_map(|step| self.step(step)).collect()
    }

    /// Whether these are more records than a case may have, which is reported where they become too many.
    fn too_many(&mut self, steps: &[Step]) -> bool {
        let mut total = 0_u32;
        let over = steps.iter().find(|step| {
            total = total.saturating_add(step.repeat);
            total > RECORDS_MAX
        });
        if let Some(step) = over {
            let message = format!("more than the limit of {RECORDS_MAX} records in one case");
            self.say(code::CASE_LIMIT, &step.repeat_place, message).help =
                Some("a case shows what a rule means with as few records as that takes".to_owned());
        }
        over.is_some()
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        if !self.keys(node, STEP_KEYS, "an entry of `records`") {
            return None;
        }
        let at = self.span(node, "at");
        let every = self.span(node, "every");
        let repeat = self.repeat(node);
        let content = match (node.get("record"), node.get_some("file")) {
            (Some(record), None) => {
                if let Some((key, _)) = node.entry("select") {
                    let message = "`select` without `file`";
                    self.say(code::CASE_MISSING, &key.place, message).help =
                        Some("name the `file` that it selects from, or take it out".to_owned());
                }
                self.json_like(record);
                Content::Inline(record.clone())
            }
            (None, Some(file)) => self.file(file, node.get_some("select"))?,
            (Some(_), Some(file)) => {
                let message = "an entry of `records` has either `record` or `file`";
                self.say(code::CASE_VALUE, &file.place, message).help =
                    Some("take one of the two out, or write two entries".to_owned());
                return None;
            }
            (None, None) => {
                let message = "an entry of `records` without `record`";
                self.say(code::CASE_MISSING, &node.place, message).help =
                    Some("write the record here, or name a `file` beside this one".to_owned());
                return None;
            }
        };
        Some(Step {
            at,
            every,
            repeat,
            repeat_place: node.get_some("repeat").unwrap_or(node).place.clone(),
            content,
        })
    }

    fn repeat(&mut self, node: &Node) -> u32 {
        let Some(count) = node.get_some("repeat") else {
            return 1;
        };
        let Some(number) = count.as_int().filter(|int| *int >= 0) else {
            let message = "`repeat` is a whole number from 0";
            self.say(code::CASE_VALUE, &count.place, message).help =
                Some("write how many records it stands for, such as `repeat: 5`".to_owned());
            return 1;
        };
        // Beyond the limit the case is refused as a whole.
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    fn span(&mut self, node: &Node, key: &str) -> Span {
        let Some(value) = node.get_some(key) else {
            return Span::ZERO;
        };
        match value.as_text() {
            Some("0s") => Span::ZERO,
            text => text.and_then(span).unwrap_or_else(|| {
                let message = format!("`{key}` cannot be `{}`", written(value));
                self.say(code::CASE_VALUE, &value.place, message).help =
                    Some("write a time span such as `0s`, `30s`, `1.5s`, `5m` or `1h`".to_owned());
                Span::ZERO
            }),
        }
    }

    fn file(&mut self, file: &Node, select: Option<&Node>) -> Option<Content> {
        let Some(path) = file.as_text() else {
            self.wrong_type("file", file, "the path of a file beside this one");
            return None;
        };
        let (select, select_place) = match select {
            None => (Select::All, file.place.clone()),
            Some(node) => (self.select(node)?, node.place.clone()),
        };
        Some(Content::File {
            path: path.to_owned(),
            place: file.place.clone(),
            select,
            select_place,
        })
    }

    fn select(&mut self, node: &Node) -> Option<Select> {
        if let Some(number) = node.as_int() {
            let number = usize::try_from(number).ok().filter(|number| *number > 0);
            if number.is_none() {
                let message = "records are counted from 1";
                self.say(code::CASE_SELECT, &node.place, message).help =
                    Some("write `select: 1` for the first one".to_owned());
            }
            return number.map(Select::Number);
        }
        let text = node.as_text().unwrap_or_default();
        if text.starts_with('/') {
            return Some(Select::Pointer(text.to_owned()));
        }
        if let Some((field, value)) = text.split_once('=').filter(|(field, _)| !field.is_empty()) {
            return Some(Select::Field(field.to_owned(), value.to_owned()));
        }
        let message = "`select` is the number of a record, a JSON pointer or `field=value`";
        self.say(code::CASE_SELECT, &node.place, message).help =
            Some("write `select: 3`, `select: /records/0` or `select: identity=kim`".to_owned());
        None
    }

    /// Reports what was most probably to be `${time}` or `${n}`. Other texts of that form may be what an
    /// event says.
    fn variables(&mut self, node: &Node, text: &str) {
        let names = text.split("${").skip(1);
        for (name, _) in names.filter_map(|rest| rest.split_once('}')) {
            let other = OTHER_VARIABLES.iter().find(|(other, _)| *other == name);
            let Some(meant) = other
                .map(|(_, meant)| *meant)
                .or_else(|| nearest(name, VARIABLES).filter(|_| !VARIABLES.contains(&name)))
            else {
                continue;
            };
            let message = format!("`${{{name}}}` stands for nothing");
            self.say(code::CASE_VALUE, &node.place, message).help = Some(format!(
                "did you mean `${{{meant}}}`? Text that is meant as it stands goes into a `file`"
            ));
        }
    }

    /// Reports what JSON cannot say.
    fn json_like(&mut self, node: &Node) {
        match &node.value {
            Yaml::Null | Yaml::Bool(_) => {}
            Yaml::Text(text) => self.variables(node, text),
            Yaml::Int(int) => {
                if i64::try_from(*int).is_err() {
                    let message = "numbers have at most 64 bits here";
                    self.say(code::CASE_VALUE, &node.place, message).help =
                        Some("a larger one can be written in a `file`".to_owned());
                }
            }
            Yaml::Float(float) => {
                if !float.is_finite() {
                    let message = "JSON has no such number";
                    self.say(code::CASE_VALUE, &node.place, message).help = Some(
                        "write a smaller one; what events say in words stands in quotes".to_owned(),
                    );
                }
            }
            Yaml::Seq(list) => {
                for item in list {
                    self.json_like(item);
                }
            }
            Yaml::Map(map) => {
                for (key, value) in map {
                    if key.as_text().is_none() {
                        let message = "a JSON key is text";
                        self.say(code::CASE_VALUE, &key.place, message).help =
                            Some("put it in quotes".to_owned());
                    }
                    self.json_like(value);
                }
            }
        }
    }
}

/// A value as it is written, for messages.
fn written(node: &Node) -> String {
    match &node.value {
        Yaml::Text(text) => text.clone(),
        Yaml::Int(int) => int.to_string(),
        Yaml::Float(float) => float.to_string(),
        Yaml::Bool(truth) => truth.to_string(),
        Yaml::Null | Yaml::Seq(_) | Yaml::Map(_) => node.type_name().to_owned(),
    }
}

/// A time span: as correlations write it, or seconds with up to seven digits behind the point, which is
/// as exact as event times are.
fn span(text: &str) -> Option<Span> {
    let parts = text.strip_suffix('s').and_then(|text| text.split_once('.'));
    let Some((whole, fraction)) = parts else {
        return Span::parse_sigma(text);
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 7 {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let ticks: i64 = format!("{fraction:0<7}").parse().ok()?;
    let ticks = seconds.checked_mul(10_000_000)?.checked_add(ticks)?;
    Some(Span::from_ticks(ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_those_of_correlations_or_seconds_with_a_fraction() {
        for (text, ticks) in [
            ("30s", 300_000_000),
            ("5m", 3_000_000_000),
            ("1.5s", 15_000_000),
            ("0.0000001s", 1),
        ] {
            assert_eq!(span(text), Some(Span::from_ticks(ticks)), "{text}");
        }
        for text in [
            "1.s",
            ".5s",
            "1.5m",
            "1.00000001s",
            "-1.5s",
            "1.5.5s",
            "9999999999999.5s",
        ] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
