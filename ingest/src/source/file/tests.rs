//! Files of every kind, and the source over them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use palisade_detect::time::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::reject::Reason;

fn reader(content: impl Into<Vec<u8>>) -> Reader {
    let content = io::Cursor::new(content.into());
    Reader::new(Arc::from("test"), Box::new(content)).expect("memory can be read")
}

fn payloads(content: impl Into<Vec<u8>>) -> Vec<String> {
    reader(content)
        .map(|record| {
            assert_eq!(record.broken, None);
            String::from_utf8(record.payload.to_vec()).expect("UTF-8")
        })
        .collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(content).expect("memory takes all");
    packed.finish().expect("memory takes all")
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(content, 1).expect("memory takes all")
}

#[test]
fn content_decides_what_a_record_is() {
    let cases: [(&str, &str, &[&str]); 14] = [
        ("empty", "", &[]),
        ("blank", " \n\r\n\t", &[]),
        (
            "lines",
            "{\"a\":1}\n{\"a\":2}\n",
            &["{\"a\":1}", "{\"a\":2}"],
        ),
        (
            "no newline at the end",
            "{\"a\":1}\n{\"a\":2}",
            &["{\"a\":1}", "{\"a\":2}"],
        ),
        (
            "blank lines are no records",
            "\n{\"a\":1}\r\n\r\n  {\"a\":2}\r\n",
            &["{\"a\":1}", "{\"a\":2}"],
        ),
        ("byte order mark", "\u{feff}{\"a\":1}\n", &["{\"a\":1}"]),
        (
            "an array on one line",
            "[{\"a\":1},{\"a\":2}]\n",
            &["[{\"a\":1},{\"a\":2}]"],
        ),
        (
            "an object over lines",
            "{\n \"a\": \"}\\\"{\"\n}\n",
            &["{\n \"a\": \"}\\\"{\"\n}"],
        ),
        (
            "an array over lines",
            "[\n{\"a\":1},\n{\"a\":2}\n]",
            &["[\n{\"a\":1},\n{\"a\":2}\n]"],
        ),
        (
            "an envelope",
            "{\"records\": [\n{\"a\":1}\n]}",
            &["{\"records\": [\n{\"a\":1}\n]}"],
        ),
        (
            "documents one after the other",
            "{\n}\n[\n] {\n}",
            &["{\n}", "[\n]", "{\n}"],
        ),
        (
            "first line cut in a string",
            "{\"a\":\"x\n{\"a\":2}\n",
            &["{\"a\":\"x", "{\"a\":2}"],
        ),
        (
            "first line cut behind a comma",
            "{\"a\":1,\n{\"a\":2}\n",
            &["{\"a\":1,", "{\"a\":2}"],
        ),
        (
            "lines that are no JSON",
            "Jan  1 sshd\nJan  2 sshd\n",
            &["Jan  1 sshd", "Jan  2 sshd"],
        ),
    ];
    for (name, content, expected) in cases {
        assert_eq!(payloads(content), expected, "{name}");
        assert_eq!(payloads(gzip(content.as_bytes())), expected, "{name}, gzip");
        assert_eq!(payloads(zstd(content.as_bytes())), expected, "{name}, zstd");
    }
}

#[test]
fn gzip_members_and_zstd_frames_follow_one_another() {
    for pack in [gzip, zstd] {
        let mut packed = pack(b"{\"a\":1}\n{\"a\"");
        packed.extend(pack(b":2}\n"));
        assert_eq!(payloads(packed), ["{\"a\":1}", "{\"a\":2}"]);
    }
}

#[test]
fn a_record_knows_its_number_and_place() {
    let records: Vec<_> = reader("{\"a\":1}\n\n{\"a\":2}\n").collect();
    let places: Vec<_> = records
        .iter()
        .map(|record| (record.offset, record.start))
        .collect();
    assert_eq!(places, [(0, 0), (1, 9)]);
}

#[test]
fn a_broken_tail_is_one_reject_and_the_records_before_it_stand() {
    let lines: Vec<String> = (0..5_000).map(|n| format!("{{\"n\":{n}}}")).collect();
    let lines = lines.join("\n");
    for (pack, name) in [
        (gzip as fn(&[u8]) -> Vec<u8>, "gzip data"),
        (zstd, "zstd data"),
    ] {
        let mut packed = pack(lines.as_bytes());
        packed.truncate(packed.len() - 6);
        let mut records: Vec<_> = reader(packed).collect();
        let last = records.pop().expect("a record");
        let broken = last.broken.expect("the last record is broken");
        assert_eq!(broken.reason, Reason::Unreadable);
        assert!(
            broken
                .message
                .starts_with(&format!("the {name} cannot be read on after byte "))
        );
        assert_eq!(last.offset, i64::try_from(records.len()).expect("small"));
        for (n, record) in records.iter().enumerate() {
            assert_eq!(record.payload, format!("{{\"n\":{n}}}"));
            assert_eq!(record.broken, None);
        }
    }
}

#[test]
fn a_single_line_before_a_broken_checksum_stands() {
    let mut packed = gzip(b"{\"a\":1}\n");
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    let records: Vec<_> = reader(packed).collect();
    assert_eq!(records[0].payload, "{\"a\":1}");
    assert_eq!(records[0].broken, None);
    assert_eq!(
        records[1].broken.as_ref().map(|broken| broken.reason),
        Some(Reason::Unreadable)
    );
    assert_eq!(records.len(), 2);
}

#[test]
fn a_record_beyond_the_limit_is_one_reject_and_reading_goes_on() {
    for content in [
        "{\"a\":\"0123456789\"}\n{}\n",
        "{\n\"a\":\"0123456789\"}\n{\n}\n",
    ] {
        let mut reader = reader(content);
        reader.splitter = reader.splitter.with_limit(8);
        let first = reader.next().expect("a record");
        let broken = first.broken.expect("too large");
        assert_eq!((broken.reason, broken.byte), (Reason::TooLarge, 8));
        assert_eq!(first.payload.len(), 8);
        let second = reader.next().expect("another record");
        assert_eq!((second.offset, second.broken), (1, None));
        assert!(reader.next().is_none());
    }
}

#[test]
fn a_small_file_that_unpacks_to_a_huge_record_is_held_in_bounds() {
    let huge = vec![b'x'; split::RECORD_BYTES_MAX + 1];
    let records: Vec<_> = reader(gzip(&huge)).collect();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].payload.len(), split::RECORD_BYTES_MAX);
    let broken = records[0].broken.as_ref().expect("too large");
    assert_eq!(broken.reason, Reason::TooLarge);
}

proptest! {
    #[test]
    fn prop_any_bytes_are_split_without_loss(content in prop::collection::vec(any::<u8>(), 0..200)) {
        let packed = content.starts_with(&[0x1f, 0x8b]);
        prop_assume!(!packed && !content.starts_with(b"\x28\xb5\x2f\xfd"));
        let read: Vec<u8> = reader(content.clone()).flat_map(|record| record.payload).collect();
        let kept = |bytes: &[u8]| -> Vec<u8> {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
        };
        prop_assert_eq!(kept(&read), kept(&content));
    }

    #[test]
    fn prop_json_like_bytes_are_split_without_loss(content in "[{}\\[\\]\",:a1\\\\\n ]{0,60}") {
        let read: Vec<u8> = reader(content.clone()).flat_map(|record| record.payload).collect();
        let kept = |bytes: &[u8]| -> Vec<u8> {
            bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
        };
        prop_assert_eq!(kept(&read), kept(content.as_bytes()));
    }
}

#[test]
fn a_folder_is_walked_in_order_through_links_and_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    fs::create_dir_all(root.join("b/deep")).expect("folders");
    let names = [
        "b/deep/z.json",
        "b/a.ndjson.GZ",
        "a.jsonl",
        "c.log.zst",
        "readme.md",
        "b/x.csv.gz",
        "log",
    ];
    for name in names {
        fs::write(root.join(name), "{}").expect("a file");
    }
    std::os::unix::fs::symlink(root, root.join("b/loop")).expect("a link");
    std::os::unix::fs::symlink(root.join("gone"), root.join("dangling.json")).expect("a link");
    let listing = list(&[
        root.to_owned(),
        root.join("readme.md"),
        Path::new("-").to_owned(),
    ]);
    let shown = |path: &Path| {
        path.strip_prefix(root)
            .expect("below")
            .display()
            .to_string()
    };
    let files: Vec<String> = listing
        .files
        .iter()
        .map(|file| match &file.input {
            Input::Stdin => "-".to_owned(),
            Input::File(path) => shown(path),
        })
        .collect();
    let expected = [
        "a.jsonl",
        "b/a.ndjson.GZ",
        "b/deep/z.json",
        "c.log.zst",
        "readme.md",
        "-",
    ];
    assert_eq!(files, expected);
    let skipped: Vec<String> = listing.skipped.iter().map(|path| shown(path)).collect();
    assert_eq!(skipped, ["b/x.csv.gz", "log", "readme.md"]);
    let problems: Vec<String> = listing
        .problems
        .iter()
        .map(|(path, _)| shown(path))
        .collect();
    assert_eq!(problems, ["dangling.json"]);
    assert_eq!(listing.bytes(), 10);
}

/// A topology that takes everything and remembers it.
#[derive(Default)]
struct Memory {
    durable: Option<i64>,
    calls: Mutex<Vec<String>>,
}

impl Memory {
    fn say(&self, call: String) {
        self.calls.lock().expect("no panic").push(call);
    }
}

impl Handler for Memory {
    fn assigned(
        &self,
        at: &Arc<Assigned>,
        committed: Option<i64>,
    ) -> Result<Option<i64>, SourceError> {
        assert_eq!(committed, None);
        self.say(format!(
            "assigned {} {}",
            at.name,
            at.source.rsplit('/').next().expect("a part")
        ));
        Ok(self.durable)
    }
    fn begins(&self, _: &Arc<Assigned>, position: i64) {
        self.say(format!("begins {position}"));
    }
    fn ready(&self, _: &Arc<Assigned>) -> bool {
        true
    }
    fn batch(&self, batch: RecordBatch) {
        for record in batch.records {
            let payload = record.payload.expect("files have no tombstones");
            self.say(format!(
                "{} {}",
                record.offset,
                String::from_utf8_lossy(&payload)
            ));
        }
    }
    fn committable(&self, _: &Arc<Assigned>) -> Option<i64> {
        None
    }
    fn revoked(&self, _: &Arc<Assigned>) {
        self.say("revoked".to_owned());
    }
    fn observed_end(&self, _: &Arc<Assigned>, _: i64, _: Option<Timestamp>) {}
    fn waiting(&self, _: &str, _: Option<String>) {}
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(1_000)
    }
}

fn run(paths: &[PathBuf], durable: Option<i64>) -> (Vec<String>, Result<(), SourceError>) {
    let handler = Arc::new(Memory {
        durable,
        ..Memory::default()
    });
    let config = FileConfig {
        name: Arc::from("files"),
        paths: paths.to_vec(),
    };
    let ended = Box::new(FileSource::new(config)).run(
        Arc::clone(&handler) as Arc<dyn Handler>,
        Arc::new(AtomicBool::new(false)),
    );
    let calls = handler.calls.lock().expect("no panic").clone();
    (calls, ended)
}

#[test]
fn each_file_is_a_partition_read_from_where_it_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(
        folder.path().join("a.json"),
        "{\"n\":0}\n{\"n\":1}\n{\"n\":2",
    )
    .expect("a file");
    fs::write(folder.path().join("b.json"), "{\"n\":9}").expect("a file");
    let (calls, ended) = run(&[folder.path().to_owned()], Some(1));
    ended.expect("the files are read");
    let expected = [
        "assigned files a.json",
        "begins 1",
        "1 {\"n\":1}",
        "2 {\"n\":2",
        "revoked",
        "assigned files b.json",
        "begins 1",
        "revoked",
    ];
    assert_eq!(calls, expected);
}

#[test]
fn a_file_shorter_than_what_was_read_of_it_is_an_error_to_decide() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.json");
    fs::write(&path, "{}\n").expect("a file");
    let (calls, ended) = run(&[path], Some(5));
    let error = ended.expect_err("the file was replaced").to_string();
    assert!(
        error.contains("was read up to record 5 before and now holds 1"),
        "{error}"
    );
    assert_eq!(calls.last().map(String::as_str), Some("revoked"));
}

/// A pipe stays open for as long as its writer likes.
#[test]
fn a_silent_pipe_holds_back_neither_its_records_nor_a_stop() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    let (reading, mut writing) = io::pipe().expect("a pipe");
    let input = Input::File(format!("/proc/self/fd/{}", reading.as_raw_fd()).into());
    let source = FileSource::new(FileConfig {
        name: Arc::from("files"),
        paths: Vec::new(),
    });
    let (memory, stop) = (Memory::default(), AtomicBool::new(false));
    let calls = || memory.calls.lock().expect("no panic").clone();
    thread::scope(|scope| {
        let running = scope.spawn(|| source.file(&input, &memory, &stop));
        writing.write_all(b"{\"n\":0}\n").expect("the pipe is open");
        while !calls().contains(&"0 {\"n\":0}".to_owned()) {
            assert!(!running.is_finished(), "{:?}", calls());
            thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        running.join().expect("no panic").expect("it was stopped");
    });
    assert_eq!(calls().last().map(String::as_str), Some("revoked"));
    drop(writing);
}

#[test]
fn a_pipe_that_never_says_anything_can_be_stopped() {
    use std::os::fd::AsRawFd as _;
    let (reading, writing) = io::pipe().expect("a pipe");
    let input = Input::File(format!("/proc/self/fd/{}", reading.as_raw_fd()).into());
    let source = FileSource::new(FileConfig {
        name: Arc::from("files"),
        paths: Vec::new(),
    });
    let (memory, stop) = (Memory::default(), AtomicBool::new(true));
    source.file(&input, &memory, &stop).expect("it was stopped");
    assert_eq!(*memory.calls.lock().expect("no panic"), [""; 0]);
    drop(writing);
}

#[test]
fn a_path_that_is_missing_is_named() {
    let (_, ended) = run(&["/nowhere/at/all.json".into()], None);
    let SourceError::Start { source, .. } = ended.expect_err("the path is missing") else {
        panic!("another error");
    };
    assert!(
        source.to_string().starts_with("`/nowhere/at/all.json`: "),
        "{source}"
    );
}
