//! Bytes of a file to its content: gzip and zstd by their first bytes, anything else as it is.
//!
//! Content is streamed and never held whole, so that a small file that unpacks to a huge one costs
//! time and no memory.

use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Buffer between a packed file and the unpacking.
const BUFFER_BYTES: usize = 64 * 1024;

/// Largest window of zstd, as a power of two: 128 MiB, what its own command takes by default.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Not at all.
    Plain,
    /// gzip, one member or several.
    Gzip,
    /// zstd, one frame or several.
    Zstd,
}

impl Packing {
    /// The packing as messages name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "file",
            Self::Gzip => "gzip data",
            Self::Zstd => "zstd data",
        }
    }
}

/// A file's content.
pub(super) struct Unpacked {
    /// The content as a stream.
    pub(super) content: Box<dyn Read + Send>,
    /// What was found.
    pub(super) packing: Packing,
    /// Bytes read of the file itself.
    pub(super) raw: Arc<AtomicU64>,
}

/// Looks at the first bytes and unpacks accordingly.
pub(super) fn open(stream: Box<dyn Read + Send>) -> io::Result<Unpacked> {
    let raw = Arc::new(AtomicU64::new(0));
    let mut stream = Counting {
        stream,
        read: Arc::clone(&raw),
    };
    let head = head(&mut stream)?;
    let packing = if head.starts_with(&GZIP) {
        Packing::Gzip
    } else if head == ZSTD {
        Packing::Zstd
    } else {
        Packing::Plain
    };
    let whole = Cursor::new(head).chain(stream);
    let packed = |whole| BufReader::with_capacity(BUFFER_BYTES, whole);
    let content: Box<dyn Read + Send> = match packing {
        Packing::Plain => Box::new(whole),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed(whole))),
        Packing::Zstd => {
            let mut unpacked = zstd::stream::read::Decoder::with_buffer(packed(whole))?;
            unpacked.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(unpacked)
        }
    };
    Ok(Unpacked {
        content,
        packing,
        raw,
    })
}

/// The first bytes, fewer than a magic number has only if the file ends before.
fn head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(ZSTD.len());
    stream.take(4).read_to_end(&mut head)?;
    Ok(head)
}

/// Counts what is read.
struct Counting {
    stream: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(into)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
