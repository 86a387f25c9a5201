//! Files, folders and standard input of `decode` and `replay`, with a progress bar.

use std::io::{self, Write as _};
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use palisade_detect::diagnostic::printable;
use palisade_ingest::source::file::{FileRecord, Listing, Reader, list};

use super::Terminal;

/// Steps of the bar a second: enough to look alive.
const BAR_HZ: u8 = 8;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Files read.
    pub(super) files: usize,
    /// Files that could not be read.
    pub(super) failed: usize,
}

/// The inputs of a command.
pub(super) struct Inputs {
    listing: Listing,
    bar: ProgressBar,
}

impl Inputs {
    /// Finds the files and names on standard error what is left out.
    pub(super) fn find(paths: &[PathBuf], terminal: Terminal) -> io::Result<Self> {
        let listing = list(paths);
        let mut err = io::stderr().lock();
        for path in &listing.skipped {
            writeln!(
                err,
                "left out: {} (no .json, .ndjson, .jsonl or .log)",
                printable(&path.to_string_lossy())
            )?;
        }
        for (path, error) in &listing.problems {
            writeln!(
                err,
                "cannot read {}: {error}",
                printable(&path.to_string_lossy())
            )?;
        }
        let target = if terminal.stderr_is_terminal {
            ProgressDrawTarget::stderr_with_hz(BAR_HZ)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(listing.bytes()), target);
        let template = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Ok(Self { listing, bar })
    }

    /// The bar, to write past it.
    pub(super) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Gives every record of every file to `each`, in order.
    pub(super) fn read(
        self,
        each: &mut dyn FnMut(FileRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<Read> {
        let mut read = Read {
            files: 0,
            failed: self.listing.problems.len(),
        };
        let mut before = 0;
        for file in &self.listing.files {
            let name = file.input.name();
            let mut reader = match Reader::open(&file.input) {
                Ok(reader) => reader,
                Err(error) => {
                    writeln!(io::stderr(), "cannot read {}: {error}", printable(&name))?;
                    read.failed += 1;
                    continue;
                }
            };
            read.files += 1;
            self.bar.set_message(printable(&name).into_owned());
            // A file is read many records at a time: the bar has something new to show once for all.
            let mut shown = 0;
            while let Some(record) = reader.next() {
                each(record)?;
                let position = reader.position();
                if position != shown {
                    shown = position;
                    self.bar.set_position(before + position);
                }
            }
            before += file.bytes.unwrap_or_default();
        }
        self.bar.finish_and_clear();
        Ok(read)
    }
}
