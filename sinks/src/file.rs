//! The file sink: one canonical alert a line, synced before the cursor moves.
//!
//! A process that dies in the middle of a write leaves a torn last line. Its alert was not answered
//! for and comes again, so the torn line is cut off at the next start.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::sink::{Sink, SinkItem, SinkResult, Why};

/// Size at which a file is put aside. Larger makes fewer files; the newest alerts are always in the
/// file without a number.
pub const ROTATE_BYTES: u64 = 100 * 1024 * 1024;

/// How many files that were put aside are kept.
pub const KEEP: u32 = 10;

/// How every canonical alert begins; a torn last line that begins so is our own.
const ALERT_BEGIN: &[u8] = br#"{"schema":"palisade.alert/"#;

/// What is read at once while looking for the last line.
const TAIL_BYTES: u64 = 64 * 1024;

/// Where and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileConfig {
    /// The file; `.1`, `.2`, … beside it are older ones.
    pub path: PathBuf,
    /// Size at which the file is put aside; one larger alert still goes into a file of its own.
    pub rotate_bytes: u64,
    /// How many older files stay; the oldest beyond is deleted. With 0 a full file is deleted.
    pub keep: u32,
}

impl FileConfig {
    /// The defaults for `path`.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            rotate_bytes: ROTATE_BYTES,
            keep: KEEP,
        }
    }
}

/// Appends alerts to a file. `Done` means that `fsync` has returned.
#[derive(Debug)]
pub struct FileSink {
    config: FileConfig,
    /// Absent before the first batch and after an error: it is then opened and looked at anew.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
}

impl FileSink {
    /// A sink that opens its file with the first batch.
    pub fn new(config: FileConfig) -> Self {
        Self { config, open: None }
    }
}

#[async_trait::async_trait]
impl Sink for FileSink {
    async fn deliver(&mut self, batch: &[SinkItem]) -> Vec<SinkResult> {
        let config = self.config.clone();
        let open = self.open.take();
        let items = batch.to_vec();
        let done = tokio::task::spawn_blocking(move || write(&config, open, &items)).await;
        let (open, synced, outcome) = match done {
            Ok(done) => done,
            Err(error) => (None, 0, Err(io::Error::other(error))),
        };
        self.open = open;
        let mut answers = vec![SinkResult::Done; synced];
        if let Err(error) = outcome {
            answers.resize(batch.len(), refused(&self.config.path, &error));
        }
        answers
    }
}

/// Writes all items; says how many are synced even if the rest failed.
fn write(
    config: &FileConfig,
    open: Option<Open>,
    items: &[SinkItem],
) -> (Option<Open>, usize, io::Result<()>) {
    let mut synced = 0;
    let attempt = || -> io::Result<Open> {
        let mut open = still_there(config, open).map_or_else(|| self::open(&config.path), Ok)?;
        let mut lines = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let line = u64::try_from(item.body.len())
                .unwrap_or(u64::MAX)
                .saturating_add(1);
            let bytes = open.bytes + u64::try_from(lines.len()).unwrap_or(u64::MAX);
            if bytes > 0 && bytes.saturating_add(line) > config.rotate_bytes {
                open.append(&lines)?;
                synced = index;
                lines.clear();
                rotate(config)?;
                open = self::open(&config.path)?;
            }
            lines.extend_from_slice(&item.body);
            lines.push(b'\n');
        }
        open.append(&lines)?;
        synced = items.len();
        Ok(open)
    };
    match attempt() {
        Ok(open) => (Some(open), synced, Ok(())),
        Err(error) => (None, synced, Err(error)),
    }
}

impl Open {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_all(lines)?;
        self.file.sync_data()?;
        self.bytes += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// The open file, unless another program has put it aside or deleted it.
fn still_there(config: &FileConfig, open: Option<Open>) -> Option<Open> {
    let open = open?;
    let (ours, there) = (
        open.file.metadata().ok()?,
        std::fs::metadata(&config.path).ok()?,
    );
    ((ours.dev(), ours.ino()) == (there.dev(), there.ino())).then_some(open)
}

/// Opens the file for appending and makes its last line whole.
fn open(path: &Path) -> io::Result<Open> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)?;
    let bytes = mend(&mut file)?;
    sync_folder(path)?;
    Ok(Open { file, bytes })
}

/// Cuts a torn alert off, or ends a whole last line; gives the file's length.
fn mend(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let begin = last_line(file, length)?;
    if begin == length {
        return Ok(length);
    }
    let mut line = Vec::new();
    file.seek(SeekFrom::Start(begin))?;
    file.read_to_end(&mut line)?;
    let whole = serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok();
    let common = line.len().min(ALERT_BEGIN.len());
    if !whole && line[..common] == ALERT_BEGIN[..common] {
        file.set_len(begin)?;
        file.sync_data()?;
        return Ok(begin);
    }
    // Whole, or not ours: it stays.
    file.write_all(b"\n")?;
    file.sync_data()?;
    Ok(length + 1)
}

/// Where the bytes after the last line end begin.
fn last_line(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let begin = end.saturating_sub(TAIL_BYTES);
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(begin))?;
        io::Read::take(&mut *file, end - begin).read_to_end(&mut tail)?;
        if let Some(at) = tail.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + u64::try_from(at).unwrap_or(0) + 1);
        }
        end = begin;
    }
    Ok(0)
}

/// `path` becomes `path.1`, `path.1` becomes `path.2`, up to the first number that is free or the
/// last one kept.
fn rotate(config: &FileConfig) -> io::Result<()> {
    if config.keep == 0 {
        std::fs::remove_file(&config.path)?;
    } else {
        // Counted from below: `keep` may be as good as endless.
        let mut last = 1;
        while last < config.keep && numbered(&config.path, last).try_exists()? {
            last += 1;
        }
        for number in (1..last).rev() {
            std::fs::rename(
                numbered(&config.path, number),
                numbered(&config.path, number + 1),
            )?;
        }
        std::fs::rename(&config.path, numbered(&config.path, 1))?;
    }
    sync_folder(&config.path)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn refused(path: &Path, error: &io::Error) -> SinkResult {
    let message = format!("cannot write `{}`: {error}", path.display());
    match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem => SinkResult::Blocked(Why {
            class: "file",
            message,
        }),
        _ => SinkResult::RetryAfter(
            Duration::ZERO,
            Why {
                class: "io",
                message,
            },
        ),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tempfile::TempDir;

    use super::*;

    fn config(dir: &TempDir) -> FileConfig {
        FileConfig::new(dir.path().join("alerts.ndjson"))
    }

    fn items(bodies: &[&str]) -> Vec<SinkItem> {
        let item = |(pos, body): (u64, &&str)| SinkItem {
            pos,
            alert_id: pos.to_string(),
            dedupe_key: String::new(),
            body: Bytes::from((*body).to_owned()),
        };
        (1..).zip(bodies).map(item).collect()
    }

    async fn deliver(sink: &mut FileSink, bodies: &[&str]) {
        let answers = sink.deliver(&items(bodies)).await;
        assert_eq!(answers, vec![SinkResult::Done; bodies.len()]);
    }

    fn text(path: impl AsRef<Path>) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[tokio::test]
    async fn alerts_are_in_the_file_when_they_are_done_and_a_restart_appends() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(&dir);
        deliver(&mut FileSink::new(config.clone()), &["1", "2"]).await;
        assert_eq!(text(&config.path), "1\n2\n");
        deliver(&mut FileSink::new(config.clone()), &["3"]).await;
        assert_eq!(text(&config.path), "1\n2\n3\n");
    }

    #[tokio::test]
    async fn a_torn_alert_is_cut_off_and_a_whole_one_is_ended() {
        let cases = [
            ("1\n{\"schema\":\"palisade.alert/1\",\"aler", "1\n3\n"),
            ("1\n{\"sch", "1\n3\n"),
            ("{\"schema\":\"palisade.alert/1\"", "3\n"),
            (
                "1\n{\"schema\":\"palisade.alert/1\"}",
                "1\n{\"schema\":\"palisade.alert/1\"}\n3\n",
            ),
            ("1\nnotes of somebody", "1\nnotes of somebody\n3\n"),
            ("", "3\n"),
        ];
        for (before, after) in cases {
            let dir = tempfile::tempdir().unwrap();
            let config = config(&dir);
            std::fs::write(&config.path, before).unwrap();
            deliver(&mut FileSink::new(config.clone()), &["3"]).await;
            assert_eq!(text(&config.path), after, "after {before:?}");
        }
    }

    #[tokio::test]
    async fn a_torn_line_longer_than_one_read_is_cut_off_too() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(&dir);
        let torn = "x".repeat(usize::try_from(TAIL_BYTES).unwrap() * 2);
        let before = format!("1\n{{\"schema\":\"palisade.alert/1\",\"{torn}");
        std::fs::write(&config.path, before).unwrap();
        deliver(&mut FileSink::new(config.clone()), &["3"]).await;
        assert_eq!(text(&config.path), "1\n3\n");
    }

    #[tokio::test]
    async fn full_files_are_put_aside_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let config = FileConfig {
            rotate_bytes: 4,
            keep: 2,
            ..config(&dir)
        };
        let mut sink = FileSink::new(config.clone());
        deliver(&mut sink, &["1", "2", "3", "4", "5"]).await;
        deliver(&mut sink, &["6", "longer than a file", "8"]).await;
        assert_eq!(text(&config.path), "8\n");
        assert_eq!(text(numbered(&config.path, 1)), "longer than a file\n");
        assert_eq!(text(numbered(&config.path, 2)), "5\n6\n");
        assert!(!numbered(&config.path, 3).exists());
    }

    /// The configuration's `keep: 0`; a loop over all numbers would not end within the hour.
    #[tokio::test]
    async fn all_files_are_kept_where_no_number_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let config = FileConfig {
            rotate_bytes: 1,
            keep: u32::MAX,
            ..config(&dir)
        };
        let mut sink = FileSink::new(config.clone());
        deliver(&mut sink, &["1", "2", "3", "4"]).await;
        assert_eq!(text(&config.path), "4\n");
        for (number, kept) in [(1, "3\n"), (2, "2\n"), (3, "1\n")] {
            assert_eq!(text(numbered(&config.path, number)), kept);
        }
    }

    #[tokio::test]
    async fn a_file_that_another_program_put_aside_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(&dir);
        let mut sink = FileSink::new(config.clone());
        deliver(&mut sink, &["1"]).await;
        std::fs::rename(&config.path, dir.path().join("aside")).unwrap();
        deliver(&mut sink, &["2"]).await;
        assert_eq!(text(&config.path), "2\n");
    }

    #[tokio::test]
    async fn a_missing_folder_blocks_until_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let config = FileConfig::new(dir.path().join("later/alerts.ndjson"));
        let mut sink = FileSink::new(config.clone());
        let answers = sink.deliver(&items(&["1"])).await;
        assert!(
            matches!(&answers[..], [SinkResult::Blocked(_)]),
            "{answers:?}"
        );
        std::fs::create_dir(dir.path().join("later")).unwrap();
        deliver(&mut sink, &["1"]).await;
        assert_eq!(text(&config.path), "1\n");
    }

    #[tokio::test]
    async fn a_full_disk_is_tried_again() {
        let mut sink = FileSink::new(FileConfig::new(PathBuf::from("/dev/full")));
        let answers = sink.deliver(&items(&["1"])).await;
        assert!(
            matches!(&answers[..], [SinkResult::RetryAfter(..)]),
            "{answers:?}"
        );
    }
}
