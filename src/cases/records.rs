//! The records of a case: written in it, or taken from a file beside it.
//!
//! A file lies below the folder that was asked for, wherever links lead, so that a case file cannot
//! read what its author may not.

use std::fs;
use std::path::{Component, Path, PathBuf};

use palisade_detect::diagnostic::{Diagnostic, Place, code};

use palisade_detect::time::Span;
use palisade_detect::value::{Event, Value as Tree};
use palisade_detect::yaml::{Node, Yaml};
use palisade_ingest::decode::{Decoded, Hints, decode};
use palisade_ingest::source::file::{Input, Reader};
use serde_json::{Map, Number, Value};

use super::{Case, Content, RECORD_BYTES_MAX, RECORDS_MAX, Select, Step, ZERO};

/// Where files of cases may lie.
#[derive(Debug, Clone)]
pub struct Folder {
    /// The case file's own folder.
    pub own: PathBuf,
    /// The folder that no file may leave.
    pub root: PathBuf,
}

/// The records of a case in their order, as bytes.
///
/// # Errors
/// The first file or selection that cannot be used, or the limit that is exceeded.
pub fn records(case: &Case, folder: Option<&Folder>) -> Result<Vec<Vec<u8>>, Diagnostic> {
    let mut records = Vec::new();
    let mut bytes = 0_usize;
    for step in &case.steps {
        let contents = match &step.content {
            Content::Inline(_) => Vec::new(),
            Content::File {
                path,
                place,
                select,
                select_place,
            } => {
                let folder = folder.ok_or_else(|| unusable(place, "there is no folder"))?;
                let path = resolve(path, place, folder)?;
                chosen(&path, place, (select, select_place))?
            }
        };
        for n in 0..step.repeat {
            let time = ZERO.plus(after(step, n)).to_string();
            match &step.content {
                Content::Inline(template) => {
                    let record = json(template, &time, &n.to_string());
                    records.push(record.to_string().into_bytes());
                }
                Content::File { .. } => {
                    let filled = contents.iter().map(|content| fill(content, &time, n));
                    records.extend(filled);
                }
            }
            bytes = bytes.saturating_add(records.last().map_or(0, Vec::len));
            if records.len() > RECORDS_MAX as usize || bytes > RECORD_BYTES_MAX {
                let message = format!(
                    "more than the limit of {RECORDS_MAX} records or {RECORD_BYTES_MAX} bytes in \
                     one case"
                );
                return Err(Diagnostic::error(
                    code::CASE_LIMIT,
                    &step.repeat_place,
                    message,
                ));
            }
        }
    }
    Ok(records)
}

/// Every file and selection of a case that cannot be used, else the limit that is exceeded.
pub fn problems(case: &Case, folder: &Folder) -> Vec<Diagnostic> {
    let of_file = |step: &Step| match &step.content {
        Content::Inline(_) => None,
        Content::File {
            path,
            place,
            select,
            select_place,
        } => resolve(path, place, folder)
            .and_then(|path| chosen(&path, place, (select, select_place)))
            .err(),
    };
    let found: Vec<Diagnostic> = case.steps.iter().filter_map(of_file).collect();
    if found.is_empty() {
        return records(case, Some(folder)).err().into_iter().collect();
    }
    found
}

fn after(step: &Step, n: u32) -> Span {
    let every = step.every.ticks().saturating_mul(i64::from(n));
    Span::from_ticks(step.at.ticks().saturating_add(every))
}

/// YAML as JSON, `${time}` and `${n}` replaced in texts. What JSON cannot say was refused before.
fn json(node: &Node, time: &str, n: &str) -> Value {
    match &node.value {
        Yaml::Null => Value::Null,
        Yaml::Bool(truth) => Value::Bool(*truth),
        Yaml::Int(int) => i64::try_from(*int).map_or(Value::Null, Value::from),
        Yaml::Float(float) => Number::from_f64(*float).map_or(Value::Null, Value::Number),
        Yaml::Text(text) => Value::String(text.replace("${time}", time).replace("${n}", n)),
        Yaml::Seq(list) => list.iter().map(|item| json(item, time, n)).collect(),
        Yaml::Map(map) => {
            let entries = map
                .iter()
                .filter_map(|(key, value)| Some((key.as_text()?.to_owned(), json(value, time, n))));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// A record of a file, `${time}` and `${n}` replaced.
fn fill(record: &[u8], time: &str, n: u32) -> Vec<u8> {
    match std::str::from_utf8(record) {
        Ok(text) if text.contains("${") => text
            .replace("${time}", time)
            .replace("${n}", &n.to_string())
            .into_bytes(),
        _ => record.to_vec(),
    }
}

fn unusable(place: &Place, why: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error(
        code::CASE_FILE,
        place,
        format!("this file cannot be used: {why}"),
    )
}

/// The path of a file, which lies beside the case file and below the root.
fn resolve(written: &str, place: &Place, folder: &Folder) -> Result<PathBuf, Diagnostic> {
    let path = Path::new(written);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !path.components().all(plain) || written.is_empty() || written.contains('\0') {
        return Err(
            unusable(place, "its path is neither relative nor free of `..`")
                .with_help("name a file in the case file's folder or below it"),
        );
    }
    let found = folder.own.join(path).canonicalize();
    let found = found.map_err(|error| unusable(place, error))?;
    let root = folder.root.canonicalize();
    let root = root.map_err(|error| unusable(place, error))?;
    if !found.starts_with(&root) {
        return Err(unusable(place, "a link leads out of the rules' folder"));
    }
    let meta = fs::metadata(&found).map_err(|error| unusable(place, error))?;
    if !meta.is_file() {
        return Err(unusable(place, "it is no regular file"));
    }
    Ok(found)
}

/// The records of a file that are asked for.
fn chosen(
    path: &Path,
    place: &Place,
    (select, select_place): (&Select, &Place),
) -> Result<Vec<Vec<u8>>, Diagnostic> {
    let reader = Reader::open(&Input::File(path.to_owned()));
    let reader = reader.map_err(|error| unusable(place, error))?;
    let mut chosen = Vec::new();
    let mut bytes = 0_usize;
    let mut read = 0_usize;
    for (number, record) in (1..).zip(reader) {
        read = number;
        bytes = bytes.saturating_add(record.payload.len());
        if number > RECORDS_MAX as usize || bytes > RECORD_BYTES_MAX {
            let limit =
                format!("it has more than {RECORDS_MAX} records or {RECORD_BYTES_MAX} bytes");
            return Err(unusable(place, limit));
        }
        if let Some(broken) = &record.broken {
            return Err(unusable(place, &broken.message));
        }
        match select {
            Select::All => chosen.push(record.payload.to_vec()),
            Select::Number(wanted) if *wanted == number => chosen.push(record.payload.to_vec()),
            Select::Number(_) => {}
            Select::Pointer(pointer) => {
                if chosen.is_empty() {
                    chosen.extend(pointed(&record.payload, pointer));
                }
            }
            Select::Field(field, value) => with_value(&record.payload, (field, value), &mut chosen),
        }
    }
    if chosen.is_empty() {
        let message = "this selects no record of the file";
        let help = match select {
            Select::All => "put a record into it".to_owned(),
            Select::Number(_) => format!("the file holds {read}: write a number up to that"),
            Select::Pointer(_) => {
                "write a pointer to a part that a record has, such as `/records/0`".to_owned()
            }
            Select::Field(field, _) => format!(
                "values are compared letter by letter: see with `palisade decode` what the events \
                 have as `{field}`"
            ),
        };
        let problem = Diagnostic::error(code::CASE_SELECT, select_place, message);
        return Err(problem.with_help(help));
    }
    Ok(chosen)
}

fn pointed(record: &[u8], pointer: &str) -> Option<Vec<u8>> {
    let whole: Value = serde_json::from_slice(record).ok()?;
    whole
        .pointer(pointer)
        .map(|part| part.to_string().into_bytes())
}

/// Adds the events of a record whose field has the value.
fn with_value(record: &[u8], (field, value): (&str, &str), chosen: &mut Vec<Vec<u8>>) {
    let mut whole = false;
    decode(Some(record), &Hints::default(), &mut |decoded| {
        let Decoded::Event(_, event) = decoded else {
            return;
        };
        let Ok((tree, _)) = palisade_detect::engine::read(&event) else {
            return;
        };
        if !has(&tree, field, value) {
            return;
        }
        match event.body.json() {
            Some(bytes) => chosen.push(bytes.to_vec()),
            // One line of a flow log is no record of its own.
            None => whole = true,
        }
    });
    if whole {
        chosen.push(record.to_vec());
    }
}

fn has(tree: &Event<'_>, field: &str, value: &str) -> bool {
    tree.find(field).iter().any(|seen| {
        let is = &mut |scalar: &Tree<'_>| scalar.as_text().is_some_and(|text| text == value);
        seen.value().any_scalar(is)
    })
}
