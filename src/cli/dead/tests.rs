use bytes::Bytes;

use super::*;
use crate::clock::Clock;
use crate::log::sqlite::{Options, SqliteLog};
use crate::log::{Append, Log as _};

/// The letter of a record, as `run` writes it.
fn letter(reason: &str, source: &str, text: &str) -> Bytes {
    let letter = json!({
        "kind": "record", "at": "2026-03-02T08:15:03.0000000Z",
        "origin": {
            "tenant": "default", "name": source, "source": source, "incarnation": 1, "partition": 3,
            "offset": 1042, "index": "0", "ordinals": [],
        },
        "byte": 0, "reason": reason, "message": "it begins with \u{1b}[2J", "length": text.len(),
        "hash": "00", "text": text, "cut": false,
    });
    Bytes::from(letter.to_string())
}

/// A running process's log with three letters.
async fn running(dir: &Path) -> SqliteLog {
    let log = SqliteLog::open(dir, Options::new(Clock::start())).unwrap();
    let dead = vec![
        letter("not_json", "hub", "no json"),
        letter("not_utf8", "hub", "\u{1b}]0;x\u{7}"),
        letter("not_json", "bus", "secret of kim"),
    ];
    log.append(Append {
        dead,
        ..Append::default()
    })
    .await
    .unwrap();
    log
}

fn at(dir: &Path) -> State {
    let config = ConfigFile {
        config: PathBuf::new(),
    };
    State {
        config,
        state: Some(dir.to_owned()),
    }
}

fn reason(reason: &str) -> Filter {
    Filter {
        reason: Some(reason.to_owned()),
        ..Filter::default()
    }
}

fn numbers(numbers: &[Pos]) -> Selection {
    Selection {
        numbers: numbers.to_vec(),
        all: false,
        filter: Filter::default(),
    }
}

fn terminal() -> Terminal {
    Terminal::new(clap::ColorChoice::Never)
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> anyhow::Result<Exit>) -> anyhow::Result<String> {
    let mut out = Vec::new();
    write(&mut out)?;
    Ok(String::from_utf8(out)?)
}

fn listed(dir: &Path, filter: Filter, last: u32, format: TextOrJson) -> String {
    let args = ListArgs {
        at: at(dir),
        filter,
        last,
        format,
    };
    text(|out| list(&open(dir).unwrap(), &args, out)).unwrap()
}

#[tokio::test]
async fn the_newest_that_fit_are_listed_beside_the_running_process() {
    let dir = tempfile::tempdir().unwrap();
    let _log = running(dir.path()).await;
    let table = listed(dir.path(), Filter::default(), 50, TextOrJson::Text);
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(
        table.contains("source hub, partition 3, offset 1042"),
        "{table}"
    );
    assert!(!table.contains('\u{1b}'), "no control character is printed");
    let last = listed(dir.path(), reason("not_json"), 1, TextOrJson::Json);
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(last.as_array().unwrap().len(), 1);
    assert_eq!(last[0]["number"], 3);
    let none = listed(dir.path(), Filter::default(), 0, TextOrJson::Json);
    assert_eq!(none.trim(), "[]");
}

#[tokio::test]
async fn one_is_shown_with_its_bytes_and_nothing_reaches_the_terminal_raw() {
    let dir = tempfile::tempdir().unwrap();
    let _log = running(dir.path()).await;
    let shown = |number, format| {
        let args = ShowArgs {
            at: at(dir.path()),
            number,
            format,
        };
        text(|out| show(&open(dir.path()).unwrap(), &args, out))
    };
    assert!(shown(1, TextOrJson::Text).unwrap().ends_with("no json\n"));
    let hostile = shown(2, TextOrJson::Text).unwrap();
    assert!(!hostile.contains(['\u{1b}', '\u{7}']), "{hostile:?}");
    let json: Value = serde_json::from_str(&shown(3, TextOrJson::Json).unwrap()).unwrap();
    assert_eq!(json["text"], "secret of kim");
    for number in [0, 4] {
        let refused = shown(number, TextOrJson::Text).unwrap_err().to_string();
        assert!(refused.contains("there is no dead letter"), "{refused}");
    }
}

#[tokio::test]
async fn an_export_is_json_lines_in_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let _log = running(dir.path()).await;
    let file = dir.path().join("dead.ndjson");
    let args = ExportArgs {
        at: at(dir.path()),
        filter: reason("not_json"),
        out: Some(file.clone()),
        format: TextOrJson::Json,
    };
    let exported = || {
        let mut out = Vec::new();
        export(&open(dir.path()).unwrap(), &args, terminal(), &mut out)?;
        Ok::<_, anyhow::Error>(String::from_utf8(out).unwrap())
    };
    assert_eq!(exported().unwrap(), "{\"exported\":2}\n");
    let lines = std::fs::read_to_string(&file).unwrap();
    let read = |line: &str| serde_json::from_str::<Value>(line).unwrap()["number"].clone();
    assert_eq!(lines.lines().map(read).collect::<Vec<_>>(), [1, 3]);
    assert!(exported().is_err(), "nothing is overwritten");
}

#[tokio::test]
async fn a_purge_asks_and_takes_what_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let log = running(dir.path()).await;
    let purged = |selection, yes| {
        let args = PurgeArgs {
            at: at(dir.path()),
            selection,
            yes,
            format: TextOrJson::Text,
        };
        text(|out| purge(dir.path(), &args, terminal(), out))
    };
    let nobody = Terminal {
        stderr_is_terminal: false,
        ..terminal()
    };
    assert!(
        confirm(false, "sure?", nobody).is_err(),
        "nobody can be asked"
    );
    assert!(
        purged(numbers(&[]), true).is_err(),
        "which letters is not said"
    );
    assert!(
        purged(numbers(&[7]), true).is_err(),
        "there is no such letter"
    );
    assert_eq!(purged(numbers(&[3]), true).unwrap(), "purged 1 letter\n");
    let left = listed(dir.path(), Filter::default(), 50, TextOrJson::Json);
    assert!(!left.contains("kim"), "{left}");
    log.append(Append {
        dead: vec![letter("not_json", "hub", "more")],
        ..Append::default()
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_nobody_takes_up_waits_and_what_was_taken_up_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let log = running(dir.path()).await;
    let args = RetryArgs {
        at: at(dir.path()),
        selection: numbers(&[1, 2]),
        wait: 0,
        format: TextOrJson::Json,
    };
    let told = text(|out| retry(dir.path(), &args, terminal(), out)).unwrap();
    assert_eq!(told, "{\"done\":0,\"failed\":[],\"waiting\":2}\n");
    log.append(Append {
        settled: vec![(1, Bytes::new()), (2, letter("not_json", "hub", "x"))],
        ..Append::default()
    })
    .await
    .unwrap();
    let mut outcomes = Outcomes::default();
    let mut waiting = vec![1, 2];
    outcomes
        .settle(&open(dir.path()).unwrap(), &mut waiting)
        .unwrap();
    assert_eq!((outcomes.done, waiting), (1, Vec::new()));
    assert_eq!(outcomes.failed[0].1, "not_json");
}

#[tokio::test]
async fn a_letter_that_cannot_be_read_is_shown_as_such_and_hides_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let log = running(dir.path()).await;
    let odd = ["odd\u{1b}[2J", r#"{"kind":"of tomorrow"}"#].map(Bytes::from);
    log.append(Append {
        dead: odd.into(),
        ..Append::default()
    })
    .await
    .unwrap();
    let table = listed(dir.path(), Filter::default(), 50, TextOrJson::Text);
    assert_eq!(table.lines().count(), 6, "{table}");
    assert_eq!(table.matches(UNREADABLE_MESSAGE).count(), 2, "{table}");
    let json = listed(dir.path(), Filter::default(), 2, TextOrJson::Json);
    let json: Value = serde_json::from_str(&json).unwrap();
    let odd = json!([
        {"number": 4, "unreadable": "odd\u{1b}[2J"},
        {"number": 5, "kind": "of tomorrow"},
    ]);
    assert_eq!(json, odd);
    let log = open(dir.path()).unwrap();
    let args = ShowArgs {
        at: at(dir.path()),
        number: 4,
        format: TextOrJson::Text,
    };
    let shown = text(|out| show(&log, &args, out)).unwrap();
    assert!(
        shown.contains("odd") && !shown.contains('\u{1b}'),
        "{shown:?}"
    );
    let selected = |numbers: &[Pos], all, filter| {
        let numbers = numbers.to_vec();
        let selection = Selection {
            numbers,
            all,
            filter,
        };
        selection.numbers(&log).unwrap()
    };
    assert_eq!(selected(&[3], false, Filter::default()), [3]);
    assert_eq!(selected(&[4], false, Filter::default()), [4]);
    assert_eq!(selected(&[], true, Filter::default()), [1, 2, 3, 4, 5]);
    assert_eq!(selected(&[], false, reason("not_json")), [1, 3]);
    let mut outcomes = Outcomes::default();
    outcomes.settle(&log, &mut vec![4]).unwrap();
    assert_eq!(outcomes.failed[0].1, UNREADABLE);
}
