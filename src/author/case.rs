//! A recorded event as a case.
//!
//! The event becomes YAML as it was, with two exceptions: what looks like a secret is taken out
//! ([`super::secrets`]), and its event time becomes `${time}` wherever the event repeats it, so that the
//! case stays as true next year. Times that the event holds besides stay as they are.

use palisade_detect::engine::EVENT_DEPTH_MAX;
use palisade_detect::time::{Span, Timestamp};
use palisade_detect::value::{self, Object, Value};
use palisade_detect::yaml::{self, Node};
use palisade_ingest::decode::{Decoded, Hints, decode};

use super::secrets;
use super::yaml::{block, scalar};

/// Most records that one recorded case is made of: more of them nobody reads.
pub const RECORDS_MAX: usize = 100;

/// Where the dash of a case stands in a new file.
const INDENT: usize = 2;

/// A case as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// What to put at the end of the case file, or into a new one.
    pub text: String,
    /// Paths of what was taken out as a secret.
    pub redacted: Vec<String>,
    /// Number of records.
    pub records: usize,
}

/// What a case says besides its records.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether the rule fires.
    pub fires: bool,
}

/// One record, its time apart.
struct Record<'a> {
    value: Value<'a>,
    time: Option<Timestamp>,
}

/// Makes a case of these payloads: records, envelopes of records, or lines of `palisade decode`. It is
/// to be put at the end of `existing`; `None`: the file is new.
///
/// # Errors
/// Why it cannot be.
pub fn record(
    head: Head<'_>,
    payloads: &[impl AsRef<[u8]>],
    existing: Option<&str>,
) -> Result<Recorded, String> {
    let mut records = Vec::new();
    for payload in payloads {
        let parsed = value::parse(payload.as_ref(), EVENT_DEPTH_MAX);
        let parsed = parsed.map_err(|error| format!("this is no event: {error}"))?;
        unwrap(parsed.value, &mut records)?;
    }
    if records.is_empty() {
        return Err("there is no event in it".to_owned());
    }
    let indent = match existing {
        None => INDENT,
        Some(text) => dash(text)?,
    };
    let pad = " ".repeat(indent);
    let mut text = match existing {
        None => "cases:\n".to_owned(),
        Some(text) if text.ends_with('\n') => String::new(),
        Some(_) => "\n".to_owned(),
    };
    let (name, fires) = (scalar(head.name), head.fires);
    text.extend([
        format!("{pad}- name: {name}\n"),
        format!("{pad}  fires: {fires}\n{pad}  records:\n"),
    ]);
    let mut redacted = Vec::new();
    let records: Vec<Record<'_>> = records.iter().map(timed).collect();
    let zero = records.iter().filter_map(|record| record.time).min();
    for record in &records {
        let (clean, found) = secrets::redact(&record.value);
        redacted.extend(found);
        let after = record.time.zip(zero);
        let after = after.map(|(time, zero)| time.since(zero));
        let body = block(&clean, indent + 8);
        let head = match after.filter(|after| *after > Span::ZERO) {
            None => format!("{pad}    - record:\n{pad}        "),
            Some(after) => {
                let at = seconds(after);
                format!("{pad}    - at: {at}\n{pad}      record:\n{pad}        ")
            }
        };
        text.extend([head, body]);
    }
    redacted.sort();
    redacted.dedup();
    Ok(Recorded {
        text,
        redacted,
        records: records.len(),
    })
}

/// A time span in seconds, with as many digits behind the point as it needs.
fn seconds(span: Span) -> String {
    let (whole, rest) = (span.ticks() / 10_000_000, span.ticks() % 10_000_000);
    let text = format!("{whole}.{rest:07}");
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The records in a payload.
fn unwrap<'a>(payload: Value<'a>, records: &mut Vec<Value<'a>>) -> Result<(), String> {
    let items = match payload {
        Value::Array(items) => items,
        Value::Object(object) => match (object.get("records"), object.get("event")) {
            (Some(Value::Array(items)), _) => items.clone(),
            (_, Some(event @ Value::Object(_))) if is_decoded(&object) => vec![event.clone()],
            _ => vec![Value::Object(object)],
        },
        _ => return Err("an event is a JSON object".to_owned()),
    };
    for item in items {
        if !matches!(item, Value::Object(_)) {
            return Err("an event is a JSON object".to_owned());
        }
        if says_placeholder(&item) {
            return Err("an event says `${time}` or `${n}`, which a case would replace".to_owned());
        }
        if let Some(number) = beyond(&item) {
            return Err(format!(
                "an event says the number `{number}`, which is larger than a case can say: make it \
                 smaller, or put the event into a file that the case names by `file`"
            ));
        }
        if records.len() == RECORDS_MAX {
            return Err(format!("a case is made of {RECORDS_MAX} events at most"));
        }
        records.push(item);
    }
    Ok(())
}

/// Whether a text would not come back as it is.
fn says_placeholder(value: &Value<'_>) -> bool {
    match value {
        Value::Text(text) => ["${time}", "${n}"]
            .iter()
            .any(|one| text.raw().contains(one)),
        Value::Array(items) => items.iter().any(says_placeholder),
        Value::Object(object) => {
            let members = object.members();
            members.iter().any(|(_, member)| says_placeholder(member))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The first number that YAML, read back, would not say: an integer of more than 64 bits, or a fraction
/// without end.
fn beyond<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    match value {
        Value::Number(digits) => {
            let is_whole = !digits.contains(['.', 'e', 'E']);
            let fits = if is_whole {
                digits.parse::<i64>().is_ok()
            } else {
                digits.parse::<f64>().is_ok_and(f64::is_finite)
            };
            (!fits).then_some(digits)
        }
        Value::Array(items) => items.iter().find_map(beyond),
        Value::Object(object) => {
            let members = object.members();
            members.iter().find_map(|(_, member)| beyond(member))
        }
        Value::Null | Value::Bool(_) | Value::Text(_) => None,
    }
}

/// Whether it is a line that `palisade decode` printed.
fn is_decoded(object: &Object<'_>) -> bool {
    let is = |key: &str, wanted: &str| {
        let value = object.get(key).and_then(Value::as_text);
        value.is_some_and(|value| value == wanted)
    };
    is("kind", "event") && object.get("origin").is_some()
}

/// A record whose own time has become `${time}`.
fn timed<'a>(value: &Value<'a>) -> Record<'a> {
    let mut known: Option<(&'static [&'static str], Option<Timestamp>)> = None;
    decode(
        Some(value.to_json().as_bytes()),
        &Hints::default(),
        &mut |decoded| {
            if let Decoded::Event(_, event) = decoded {
                known.get_or_insert((event.log_type.event_time, event.event_time));
            }
        },
    );
    let Some((paths, time)) = known else {
        return Record {
            value: value.clone(),
            time: None,
        };
    };
    let written = paths
        .iter()
        .find_map(|path| text_at(value, path))
        .filter(|text| Timestamp::parse_rfc3339(text).is_some());
    Record {
        value: match &written {
            Some(written) => replaced(value, written),
            None => value.clone(),
        },
        time,
    }
}

/// The text at a dotted path, of keys in any case.
fn text_at(value: &Value<'_>, path: &str) -> Option<String> {
    let mut at = value;
    for key in path.split('.') {
        at = at.as_object()?.get_fold(key)?;
    }
    Some(at.as_text()?.into_owned())
}

/// The value with `${time}` wherever it says this text.
fn replaced<'a>(value: &Value<'a>, written: &str) -> Value<'a> {
    match value {
        Value::Text(text) if text.raw() == written => Value::text("${time}"),
        Value::Array(items) => {
            let items = items.iter().map(|item| replaced(item, written));
            Value::Array(items.collect())
        }
        Value::Object(object) => {
            let mut out = Object::default();
            for (key, member) in object.members() {
                out.insert(key.clone(), replaced(member, written));
            }
            Value::Object(out)
        }
        other => other.clone(),
    }
}

/// Where the dashes of the cases in a file stand.
fn dash(existing: &str) -> Result<usize, String> {
    let refused = || {
        "its `cases` must be a list with dashes, one below the other, and the last thing in the file"
            .to_owned()
    };
    let documents = yaml::parse("", existing.as_bytes()).map_err(|_| refused())?;
    let [document] = documents.as_slice() else {
        return Err(refused());
    };
    let first = document
        .get("cases")
        .and_then(Node::as_seq)
        .and_then(<[Node]>::first)
        .ok_or_else(refused)?;
    let line = usize::try_from(first.place.line).map_err(|_| refused())?;
    let line = existing.lines().nth(line.saturating_sub(1));
    let line = line.ok_or_else(refused)?;
    let blanks = line.len() - line.trim_start_matches(' ').len();
    if line.trim_start().starts_with("- ") {
        Ok(blanks)
    } else {
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head<'_> = Head {
        name: "a recorded sign-in fires",
        fires: true,
    };

    const EVENT: &str = r#"{"time":"2026-11-24T08:00:01.5Z","category":"SignInLogs","tenantId":"t","properties":{"createdDateTime":"2026-11-24T08:00:01.5Z","other":"2026-11-24T08:00:00Z","accessToken":"abc","status":{"errorCode":0}}}"#;

    #[test]
    fn event_becomes_a_case_that_does_not_age_and_holds_no_secret() {
        let made = record(HEAD, &[EVENT], None).expect("an event");
        assert_eq!(
            made.text,
            "cases:
  - name: a recorded sign-in fires
    fires: true
    records:
      - record:
          time: \"${time}\"
          category: SignInLogs
          tenantId: t
          properties:
            createdDateTime: \"${time}\"
            other: \"2026-11-24T08:00:00Z\"
            accessToken: REDACTED
            status:
              errorCode: 0
"
        );
        assert_eq!(made.redacted, ["properties.accessToken"]);
    }

    #[test]
    fn case_goes_below_those_that_stand_in_the_file() {
        let existing = "# kept\ncases:\n- name: first   # kept, too\n  fires: false\n  records: [{record: {}}]";
        let made = record(HEAD, &[EVENT], Some(existing)).expect("an event");
        assert!(
            made.text.starts_with("\n- name: a recorded"),
            "{}",
            made.text
        );
        let both = format!("{existing}{}", made.text);
        let cases = crate::cases::parse("a.cases.yml", both.as_bytes()).expect("valid");
        assert_eq!(cases.len(), 2);
    }

    #[test]
    fn file_that_cannot_be_continued_is_left_alone() {
        for existing in [
            "cases: []",
            "cases: [{name: a, fires: true, records: []}]",
            "",
            "a: 1",
            "cases:\n  - name: x\n---\ncases:\n  - name: y\n",
        ] {
            assert!(
                record(HEAD, &[EVENT], Some(existing)).is_err(),
                "{existing}"
            );
        }
    }

    #[test]
    fn number_that_a_case_cannot_say_is_named() {
        for number in ["1e999", "-1e999", "18446744073709551616"] {
            let event = EVENT.replace("\"errorCode\":0", &format!("\"errorCode\":{number}"));
            let refused = record(HEAD, &[event], None).expect_err(number);
            assert!(refused.contains(&format!("`{number}`")), "{refused}");
        }
        for number in ["-0", "9223372036854775807", "1e300"] {
            let event = EVENT.replace("\"errorCode\":0", &format!("\"errorCode\":{number}"));
            record(HEAD, &[event], None).expect(number);
        }
    }

    #[test]
    fn envelope_becomes_records_apart_by_their_times() {
        let later = EVENT.replace("08:00:01.5Z", "08:02:00Z");
        let envelope = format!("{{\"records\":[{later},{EVENT}]}}");
        let made = record(HEAD, &[envelope], None).expect("events");
        assert_eq!(made.records, 2);
        assert!(
            made.text.contains("- at: 118.5s\n        record:\n"),
            "{}",
            made.text
        );
        let cases = crate::cases::parse("a.cases.yml", made.text.as_bytes()).expect("valid");
        assert_eq!(cases.len(), 1);
    }

    #[test]
    fn parts_of_a_second_are_kept() {
        for (later, at) in [("08:00:01.8000001Z", "0.3000001s"), ("08:00:12Z", "10.5s")] {
            let later = EVENT.replace("08:00:01.5Z", later);
            let both = format!("{{\"records\":[{EVENT},{later}]}}");
            let text = record(HEAD, &[both], None).expect("events").text;
            assert!(text.contains(&format!("- at: {at}\n")), "{text}");
            crate::cases::parse("a.cases.yml", text.as_bytes()).expect("valid");
        }
    }

    #[test]
    fn decoded_line_is_its_event() {
        let line = format!("{{\"kind\":\"event\",\"origin\":{{}},\"event\":{EVENT}}}");
        let made = record(HEAD, &[line], None).expect("an event");
        assert_eq!(made, record(HEAD, &[EVENT], None).expect("an event"));
    }

    #[test]
    fn what_is_no_event_is_said() {
        let hostile = "{\"user\":{\"names\":[\"eve${n}\"]}}";
        for wrong in ["", "[1]", "\"text\"", "{\"records\":[]}", "{", hostile] {
            assert!(record(HEAD, &[wrong], None).is_err(), "{wrong}");
        }
        let many = format!("[{}{{}}]", "{},".repeat(RECORDS_MAX));
        assert!(record(HEAD, &[many], None).is_err());
    }
}
