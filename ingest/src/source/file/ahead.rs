//! Reading on a thread of its own: a pipe may say nothing for hours, and neither the records before
//! that nor a stop may wait for it.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::{FileRecord, Input, Reader};

/// Records read beyond the one asked for. A record can have
/// [`RECORD_BYTES_MAX`](super::split::RECORD_BYTES_MAX), so more of them would cost memory.
const AHEAD_RECORDS: usize = 2;

/// What the thread says, in this order: that the input is open, its records, its end; or that it
/// cannot be read.
#[derive(Debug)]
pub(super) enum Said {
    /// The input is open and its first bytes are there.
    Open,
    /// The next record.
    Record(FileRecord),
    /// No more records.
    End,
    /// The input cannot be opened.
    Unreadable(io::Error),
    /// Nothing within the time given.
    Nothing,
    /// The thread has gone without an end.
    Lost,
}

/// The receiving end of a reading thread.
///
/// Dropping it ends the thread with its next record. One that waits for a pipe stays until the pipe
/// says something or the process ends.
pub(super) struct Ahead {
    said: Receiver<Said>,
}

impl Ahead {
    /// Begins to read `input`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn start(input: Input) -> io::Result<Self> {
        let (say, said) = sync_channel(AHEAD_RECORDS);
        thread::Builder::new()
            .name("file-reader".to_owned())
            .spawn(move || {
                let reader = match Reader::open(&input) {
                    Ok(reader) => reader,
                    Err(error) => {
                        // Nobody listens any more when the source was stopped.
                        say.send(Said::Unreadable(error)).ok();
                        return;
                    }
                };
                let all = std::iter::once(Said::Open)
                    .chain(reader.map(Said::Record))
                    .chain(std::iter::once(Said::End));
                for one in all {
                    if say.send(one).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { said })
    }

    /// What is said next, within `wait`.
    pub(super) fn next(&self, wait: Duration) -> Said {
        match self.said.recv_timeout(wait) {
            Ok(said) => said,
            Err(RecvTimeoutError::Timeout) => Said::Nothing,
            Err(RecvTimeoutError::Disconnected) => Said::Lost,
        }
    }
}
