//! Files, folders and standard input: NDJSON, whole documents, gzip, zstd.
//!
//! [`list`] finds the files, [`Reader`] yields the records of one of them. What a file holds is
//! decided by its content, never by its name: compression by the first bytes, lines or documents by
//! the first record (see [`split`]). [`FileSource`] is the same for the running process.
//!
//! Ids name a file's records by its path as given, partition 0 and the record's number from 0;
//! blank lines are no records.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use palisade_detect::event::Index;
use palisade_detect::time::TICKS_PER_SECOND;

use super::{Assigned, Handler, Record, RecordBatch, Source, SourceError, next_generation};
use crate::reject::Reject;
use unpack::Unpacked;

mod ahead;
mod content;
mod listing;
pub mod split;
mod unpack;

use ahead::{Ahead, Said};
pub use listing::{Listed, Listing, list};
use split::Splitter;

/// Records that one batch holds at most: few enough for a pause to take effect soon.
const BATCH_RECORDS_MAX: usize = 500;

/// Payload bytes after which a batch is handed over.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// How long records wait for others to fill their batch, and a stop for a silent pipe to be noticed.
const BATCH_WAIT: Duration = Duration::from_millis(100);

/// How often a source that waits for room asks again.
const ROOM_POLL: Duration = Duration::from_millis(5);

/// Where records come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// Standard input, written `-`.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Input {
    /// The input as ids and messages name it.
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::Stdin => Arc::from("-"),
            Self::File(path) => Arc::from(path.to_string_lossy()),
        }
    }
}

/// One record of a file.
#[derive(Debug, Clone)]
pub struct FileRecord {
    /// The file's path as given; `-` for standard input.
    pub path: Arc<str>,
    /// The record's number in the file, from 0.
    pub offset: i64,
    /// The record's bytes; if it is broken, what could be read of them.
    pub payload: Bytes,
    /// Why the record cannot be decoded, if the reading of the file failed in it.
    pub broken: Option<Reject>,
    /// Byte of the decompressed file at which the record begins.
    pub start: u64,
}

/// The records of one input, in order. Ends at the end of the input or with one broken record.
pub struct Reader {
    path: Arc<str>,
    splitter: Splitter,
    raw: Arc<std::sync::atomic::AtomicU64>,
    next: i64,
}

impl Reader {
    /// Opens `input`.
    ///
    /// # Errors
    /// When it cannot be opened or its first bytes cannot be read.
    pub fn open(input: &Input) -> io::Result<Self> {
        let stream: Box<dyn io::Read + Send> = match input {
            Input::Stdin => Box::new(io::stdin()),
            Input::File(path) => Box::new(File::open(path)?),
        };
        Self::new(input.name(), stream)
    }

    fn new(path: Arc<str>, stream: Box<dyn io::Read + Send>) -> io::Result<Self> {
        let Unpacked {
            content,
            packing,
            raw,
        } = unpack::open(stream)?;
        Ok(Self {
            path,
            splitter: Splitter::new(content, packing.name()),
            raw,
            next: 0,
        })
    }

    /// Bytes read of the file as it lies on the disk, for progress; it runs ahead by a buffer.
    pub fn position(&self) -> u64 {
        self.raw.load(Ordering::Relaxed)
    }
}

impl Iterator for Reader {
    type Item = FileRecord;

    fn next(&mut self) -> Option<FileRecord> {
        let piece = self.splitter.next()?;
        let offset = self.next;
        self.next += 1;
        let broken = piece.broken.map(|broken| Reject {
            index: Index::ROOT,
            byte: broken.byte,
            span: 0..piece.bytes.len(),
            reason: broken.reason,
            message: broken.message,
        });
        Some(FileRecord {
            path: Arc::clone(&self.path),
            offset,
            payload: piece.bytes,
            broken,
            start: piece.start,
        })
    }
}

/// A source of files.
#[derive(Debug, Clone)]
pub struct FileConfig {
    /// The source's name.
    pub name: Arc<str>,
    /// Files and folders; `-` is standard input.
    pub paths: Vec<PathBuf>,
}

/// Reads every file once, from where the durable log says it stopped.
///
/// Each file is a partition of its own for as long as it is read. Standard input is a new stream
/// each time: its incarnation is the second at which it was opened, so that ids never repeat. A
/// record in which the file breaks is handed on as far as it could be read, and the break is said
/// with its place.
#[derive(Debug)]
pub struct FileSource {
    config: FileConfig,
}

impl FileSource {
    /// A source as configured.
    pub const fn new(config: FileConfig) -> Self {
        Self { config }
    }

    fn file(
        &self,
        input: &Input,
        handler: &dyn Handler,
        stop: &AtomicBool,
    ) -> Result<(), SourceError> {
        let at = self.assignment(input, handler);
        let ahead = Ahead::start(input.clone()).map_err(|error| SourceError::Start {
            source_name: self.config.name.to_string(),
            source: error.into(),
        })?;
        loop {
            match ahead.next(BATCH_WAIT) {
                Said::Open => break,
                Said::Nothing if stop.load(Ordering::Relaxed) => return Ok(()),
                Said::Nothing => {
                    let reason = format!("`{}` has not said anything yet", at.topic);
                    handler.waiting(&at.name, Some(reason));
                }
                Said::Unreadable(error) => {
                    tracing::error!(source = %self.config.name, path = %at.topic, %error,
                        "a file cannot be opened and is left out");
                    handler.waiting(&at.name, None);
                    return Ok(());
                }
                Said::Record(_) | Said::End | Said::Lost => return Err(self.lost(&at)),
            }
        }
        let position = handler.assigned(&at, None)?.unwrap_or(0);
        handler.begins(&at, position);
        let read = self.records(&ahead, position, &at, (handler, stop));
        handler.revoked(&at);
        read
    }

    fn lost(&self, at: &Assigned) -> SourceError {
        SourceError::Fatal {
            source_name: self.config.name.to_string(),
            reason: format!("the thread that reads `{}` ended early", at.topic),
        }
    }

    fn assignment(&self, input: &Input, handler: &dyn Handler) -> Arc<Assigned> {
        let incarnation = match input {
            Input::File(_) => 1,
            Input::Stdin => {
                u32::try_from(handler.now().ticks() / TICKS_PER_SECOND).unwrap_or(u32::MAX)
            }
        };
        Arc::new(Assigned {
            name: Arc::clone(&self.config.name),
            source: input.name(),
            topic: input.name(),
            partition: 0,
            incarnation,
            generation: next_generation(),
            partitions_total: 1,
        })
    }

    fn records(
        &self,
        ahead: &Ahead,
        position: i64,
        at: &Arc<Assigned>,
        (handler, stop): (&dyn Handler, &AtomicBool),
    ) -> Result<(), SourceError> {
        let mut records = Vec::new();
        let mut bytes = 0;
        let mut end = 0;
        while !stop.load(Ordering::Relaxed) {
            let (due, ended) = match ahead.next(BATCH_WAIT) {
                Said::Record(read) => {
                    end = read.offset + 1;
                    if read.offset < position {
                        continue;
                    }
                    self.say_broken(&read);
                    bytes += read.payload.len();
                    records.push(Record {
                        offset: read.offset,
                        payload: Some(read.payload),
                        broker_time: None,
                        append_time: handler.now(),
                    });
                    let full = records.len() >= BATCH_RECORDS_MAX || bytes >= BATCH_BYTES_MAX;
                    (full, false)
                }
                Said::Nothing => (true, false),
                Said::End => (true, true),
                Said::Open | Said::Unreadable(_) | Said::Lost => return Err(self.lost(at)),
            };
            if due && !records.is_empty() {
                let batch = std::mem::take(&mut records);
                bytes = 0;
                if !offer(batch, at, handler, stop) {
                    return Ok(());
                }
            }
            if ended {
                self.check_end(at, position, end)?;
                // Time goes on for the correlations when the whole file has been judged.
                handler.observed_end(at, end, Some(handler.now()));
                return Ok(());
            }
        }
        Ok(())
    }

    fn say_broken(&self, record: &FileRecord) {
        if let Some(broken) = &record.broken {
            tracing::warn!(source = %self.config.name, path = %record.path,
                record = record.offset, reason = broken.message, "a file is broken");
        }
    }

    /// A file that has become shorter than what was read of it is another file.
    fn check_end(&self, at: &Assigned, position: i64, end: i64) -> Result<(), SourceError> {
        if end >= position {
            return Ok(());
        }
        Err(SourceError::Position {
            source_name: self.config.name.to_string(),
            partition: at.partition,
            reason: format!(
                "`{}` was read up to record {position} before and now holds {end}: it was \
                 replaced; give the new file another name, or remove it",
                at.topic
            ),
        })
    }
}

/// Hands a batch over as soon as there is room; `false` if the source was stopped first.
fn offer(
    records: Vec<Record>,
    at: &Arc<Assigned>,
    handler: &dyn Handler,
    stop: &AtomicBool,
) -> bool {
    while !handler.ready(at) {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        thread::sleep(ROOM_POLL);
    }
    handler.batch(RecordBatch {
        from: Arc::clone(at),
        records,
    });
    true
}

impl Source for FileSource {
    fn run(
        self: Box<Self>,
        handler: Arc<dyn Handler>,
        stop: Arc<AtomicBool>,
    ) -> Result<(), SourceError> {
        let listing = list(&self.config.paths);
        if let Some((path, error)) = listing.problems.into_iter().next() {
            return Err(SourceError::Start {
                source_name: self.config.name.to_string(),
                source: format!("`{}`: {error}", path.display()).into(),
            });
        }
        for path in &listing.skipped {
            tracing::warn!(source = %self.config.name, path = %path.display(),
                "a file in a folder is no .json, .ndjson, .jsonl or .log and is left out");
        }
        for file in &listing.files {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            self.file(&file.input, handler.as_ref(), &stop)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
