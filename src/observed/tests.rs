use std::path::PathBuf;

use palisade_detect::engine;
use palisade_ingest::decode::{Decoded, Hints, decode};
use palisade_ingest::source::file::{Reader, list};

use super::*;

/// The fields of every record in a folder.
fn fields_of(folder: PathBuf) -> Fields {
    let mut fields = Fields::default();
    for listed in list(&[folder]).files {
        for record in Reader::open(&listed.input).unwrap() {
            decode(Some(&record.payload), &Hints::default(), &mut |decoded| {
                if let Decoded::Event(_, event) = decoded
                    && let Ok((tree, _)) = engine::read(&event)
                {
                    fields.add(&event, &tree);
                }
            });
        }
    }
    fields
}

/// The samples are no part of this repository: where they are absent nothing is checked.
#[test]
fn built_in_fields_are_those_of_the_samples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples");
    if folder.is_dir() {
        crate::page::compare("src/observed/samples.json", &fields_of(folder).to_json());
    }
    let observed = observed(None).unwrap();
    assert!(observed.events("entra_signin").0 > 0);
}

#[test]
fn a_second_run_adds_to_the_file_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("observed.json");
    let fields = fields_of(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo"));
    let events = fields.events();
    assert!(events > 0);
    add_to(&path, fields.clone()).unwrap();
    add_to(&path, fields).unwrap();
    assert_eq!(read(&path).unwrap().events(), 2 * events);
}

#[test]
fn a_file_of_another_kind_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    std::fs::write(&path, "dear diary").unwrap();
    let error = add_to(&path, Fields::default()).unwrap_err();
    assert_eq!(Exit::of(&error), Exit::Usage);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "dear diary");
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_neither_waited_for_nor_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [socket.as_path(), dir.path(), Path::new("/dev/null")] {
        for error in [
            can_add_to(path).unwrap_err(),
            add_to(path, Fields::default()).unwrap_err(),
        ] {
            assert_eq!(Exit::of(&error), Exit::Usage);
            assert!(format!("{error:#}").contains("no regular file"));
        }
    }
    assert!(!socket.metadata().unwrap().is_file());
    can_add_to(&dir.path().join("new.json")).unwrap();
}
