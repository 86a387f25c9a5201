//! Snapshots of a fold's state as bytes: the container, its limits and its versions.
//!
//! ```text
//! "SNAP1"                 5 bytes
//! length of the header    4 bytes, little endian
//! header                  protobuf, see [`Header`]
//! entries                 one zstd frame: protobuf [`Entry`]s, each behind its length, keys ascending
//! digest                  32 bytes: BLAKE3 of everything before
//! ```
//!
//! The bytes are canonical: the same state gives the same bytes, whoever writes them. What the
//! entries mean is the fold's business. Reading trusts nothing: the digest is checked before anything
//! is unpacked, and unpacking holds one entry and one window at a time, whatever the bytes claim.

use std::io::{self, BufRead, BufReader, Read};

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use crate::matches::{Settings, Source};

/// Layout of the container that this program writes. It reads the one before, too.
pub const FORMAT: u32 = 1;

/// What the fold makes of the same records. It is raised whenever the same records would give another
/// state or other alerts, as a snapshot taken before says nothing about the fold after.
pub const SEMANTICS: u32 = 1;

/// Most bytes of a snapshot. A larger state is not written and a larger object is not read: the state
/// is then folded from the log.
pub const BYTES_MAX: usize = 256 * 1024 * 1024;

/// Most bytes of the header. It holds the versions in force, of which there are thousands at most.
pub const HEADER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most bytes of one entry: a group with every element it may hold, each at its largest.
pub const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most bytes of all entries together, unpacked.
pub const CONTENT_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Binary logarithm of the largest window that unpacking holds in memory: 8 MiB, four times what
/// [`LEVEL`] asks for.
const WINDOW_LOG_MAX: u32 = 23;

/// How hard the entries are packed. Level 1 packs several hundred megabytes a second.
const LEVEL: i32 = 1;

/// What every snapshot begins with.
const MAGIC: &[u8; 5] = b"SNAP1";

/// Bytes of the digest at the end.
const DIGEST_BYTES: usize = 32;

/// Bytes of the magic and of the header's length.
const PREFIX_BYTES: usize = MAGIC.len() + 4;

/// What a snapshot says about itself.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Header {
    /// [`FORMAT`] of the writer.
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// [`SEMANTICS`] of the writer.
    #[prost(uint32, tag = "2")]
    pub semantics: u32,
    /// Whose log it was folded from.
    #[prost(string, tag = "3")]
    pub deployment: String,
    /// The key partition.
    #[prost(uint32, tag = "4")]
    pub partition: u32,
    /// Everything below this position of the matches log is in it, nothing else.
    #[prost(uint64, tag = "5")]
    pub pos: u64,
    /// How far each source partition has come.
    #[prost(message, repeated, tag = "6")]
    pub watermarks: Vec<Watermark>,
    /// The settings in force; none before the log names any.
    #[prost(message, optional, tag = "7")]
    pub settings: Option<Settings>,
    /// Number of entries.
    #[prost(uint64, tag = "8")]
    pub entries: u64,
    /// Their bytes, unpacked.
    #[prost(uint64, tag = "9")]
    pub content_bytes: u64,
    /// Slots in use: elements held, and one for each group that only remembers an alert.
    #[prost(uint64, tag = "10")]
    pub slots: u64,
    /// Newest append time that the log names below `pos`, in ticks of 100 ns since 1970.
    #[prost(sint64, optional, tag = "11")]
    pub newest: Option<i64>,
    /// How far the sources had come when correlations over correlations were last told of it.
    #[prost(sint64, optional, tag = "12")]
    pub told: Option<i64>,
    /// Ids of the alerts of the last record that raised any, ascending.
    #[prost(string, repeated, tag = "13")]
    pub said: Vec<String>,
}

/// How far a source partition has come.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Watermark {
    /// The source partition.
    #[prost(message, optional, tag = "1")]
    pub source: Option<Source>,
    /// Append time that it has passed, in ticks of 100 ns since 1970.
    #[prost(sint64, tag = "2")]
    pub append_time: i64,
}

/// One piece of state under its key.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Entry {
    /// Its key; keys ascend.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// What stands under it.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// Why bytes are no snapshot that this program can use.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// They do not begin as a snapshot does, or end too early.
    #[error("no snapshot: {bytes} bytes that do not begin as one")]
    Foreign {
        /// How many there are.
        bytes: usize,
    },
    /// A limit is exceeded.
    #[error("{what} of {bytes} bytes, where {limit} is the most")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        bytes: u64,
        /// The limit.
        limit: usize,
    },
    /// The digest at the end is not that of the bytes before it.
    #[error("the digest does not hold: bytes were changed or are missing")]
    Digest,
    /// A newer program wrote it.
    #[error("its {what} {found} is newer than {known}; a newer Palisade wrote it")]
    Newer {
        /// `format` or `semantics`.
        what: &'static str,
        /// What it says.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// A program before the previous one wrote it.
    #[error("its {what} {found} is too old: this program reads {known} and the one before")]
    Older {
        /// `format` or `semantics`.
        what: &'static str,
        /// What it says.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// A protobuf message in it cannot be read.
    #[error("damaged {what}")]
    Message {
        /// Which one.
        what: &'static str,
        /// Why not.
        #[source]
        source: prost::DecodeError,
    },
    /// The entries cannot be packed or unpacked.
    #[error("the entries cannot be packed or unpacked")]
    Packed(#[source] io::Error),
    /// The entries are not those that the header announces.
    #[error("the entries are not in order, or not as many as the header says")]
    Entries,
    /// The state in it contradicts itself.
    #[error("the state in it contradicts itself: {message}")]
    State {
        /// What does.
        message: &'static str,
    },
}

impl SnapshotError {
    /// Whether a newer program wrote the bytes: then nobody may act as if they were not there.
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Newer { .. })
    }
}

/// State on its way into a snapshot, not yet packed: quick to make while the fold stands still.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Draft {
    /// What the snapshot says about itself; versions and counts are set by [`Draft::seal`].
    pub header: Header,
    content: Vec<u8>,
    entries: u64,
    last: Vec<u8>,
}

/// A snapshot as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The digest at their end.
    pub digest: [u8; DIGEST_BYTES],
}

impl Draft {
    /// A draft without entries. Versions and counts of the header are set by [`Draft::seal`].
    pub fn new(header: Header) -> Self {
        Self {
            header,
            ..Self::default()
        }
    }

    /// Adds an entry.
    ///
    /// # Panics
    /// When the key does not follow all before it: the state would not be canonical.
    pub fn put(&mut self, key: &[u8], value: &impl Message) {
        assert!(
            self.entries == 0 || self.last.as_slice() < key,
            "entries are put in the order of their keys"
        );
        self.last.clear();
        self.last.extend_from_slice(key);
        self.entries += 1;
        let value_len = value.encoded_len();
        let field = |len: usize| 1 + encoded_len_varint(len as u64) + len;
        let empty_or = |len: usize| if len == 0 { 0 } else { field(len) };
        let out = &mut self.content;
        encode_varint((empty_or(key.len()) + empty_or(value_len)) as u64, out);
        if !key.is_empty() {
            encode_key(1, WireType::LengthDelimited, out);
            encode_varint(key.len() as u64, out);
            out.extend_from_slice(key);
        }
        if value_len > 0 {
            encode_key(2, WireType::LengthDelimited, out);
            encode_varint(value_len as u64, out);
            value.encode_raw(out);
        }
    }

    /// Bytes of the entries so far.
    pub fn bytes(&self) -> usize {
        self.content.len()
    }

    /// Packs the entries and puts the digest behind them.
    ///
    /// # Errors
    /// When the state is larger than a snapshot may be.
    ///
    /// # Panics
    /// Never: a header within its limit has a length of four bytes.
    pub fn seal(mut self) -> Result<Sealed, SnapshotError> {
        limited("content", self.content.len() as u64, CONTENT_BYTES_MAX)?;
        self.header.format = FORMAT;
        self.header.semantics = SEMANTICS;
        self.header.entries = self.entries;
        self.header.content_bytes = self.content.len() as u64;
        let header = self.header.encode_to_vec();
        limited("header", header.len() as u64, HEADER_BYTES_MAX)?;
        let length = u32::try_from(header.len()).expect("the header's limit is below 4 GiB");
        // In one piece, as the frame would depend on where pieces end.
        let frame = zstd::bulk::compress(&self.content, LEVEL).map_err(SnapshotError::Packed)?;
        drop(self.content);
        let mut bytes =
            Vec::with_capacity(PREFIX_BYTES + header.len() + frame.len() + DIGEST_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&frame);
        limited("snapshot", (bytes.len() + DIGEST_BYTES) as u64, BYTES_MAX)?;
        let digest = *blake3::hash(&bytes).as_bytes();
        bytes.extend_from_slice(&digest);
        Ok(Sealed { bytes, digest })
    }
}

/// A snapshot whose digest holds and whose versions this program reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// What it says about itself.
    pub header: Header,
    /// The digest at its end.
    pub digest: [u8; DIGEST_BYTES],
    frame: &'a [u8],
}

impl<'a> Snapshot<'a> {
    /// Opens bytes as a snapshot; the entries are not looked at yet.
    ///
    /// # Errors
    /// When they are none, or of a version that this program does not read.
    pub fn open(bytes: &'a [u8]) -> Result<Self, SnapshotError> {
        limited("snapshot", bytes.len() as u64, BYTES_MAX)?;
        let foreign = || SnapshotError::Foreign { bytes: bytes.len() };
        let (body, digest) = bytes
            .split_last_chunk::<DIGEST_BYTES>()
            .ok_or_else(foreign)?;
        let after_magic = body.strip_prefix(MAGIC).ok_or_else(foreign)?;
        if blake3::hash(body) != blake3::Hash::from_bytes(*digest) {
            return Err(SnapshotError::Digest);
        }
        let (length, rest) = after_magic.split_first_chunk::<4>().ok_or_else(foreign)?;
        let length = u32::from_le_bytes(*length);
        limited("header", u64::from(length), HEADER_BYTES_MAX)?;
        let split = usize::try_from(length)
            .ok()
            .and_then(|length| rest.split_at_checked(length));
        let (header, frame) = split.ok_or_else(foreign)?;
        let header = Header::decode(header).map_err(|source| SnapshotError::Message {
            what: "header",
            source,
        })?;
        known("format", header.format, FORMAT)?;
        known("semantics", header.semantics, SEMANTICS)?;
        let content = header.content_bytes;
        limited("content", content, CONTENT_BYTES_MAX)?;
        Ok(Self {
            header,
            digest: *digest,
            frame,
        })
    }

    /// The entries, in the order of their keys; ends with the first error.
    ///
    /// # Errors
    /// When they cannot be unpacked.
    pub fn entries(&self) -> Result<Entries<'a>, SnapshotError> {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(self.frame)
            .map_err(SnapshotError::Packed)?
            .single_frame();
        decoder
            .window_log_max(WINDOW_LOG_MAX)
            .map_err(SnapshotError::Packed)?;
        Ok(Entries {
            content: BufReader::new(decoder),
            bytes: self.header.content_bytes,
            left: self.header.entries,
            last: None,
            ended: false,
        })
    }

    /// Reads every entry and keeps none.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn check(&self) -> Result<(), SnapshotError> {
        self.entries()?.try_for_each(|entry| entry.map(drop))
    }
}

/// The entries of a snapshot, see [`Snapshot::entries`].
pub struct Entries<'a> {
    content: BufReader<zstd::stream::read::Decoder<'a, &'a [u8]>>,
    /// Unpacked bytes that are left by the header.
    bytes: u64,
    /// Entries that are left by the header.
    left: u64,
    last: Option<Vec<u8>>,
    ended: bool,
}

impl Entries<'_> {
    fn read(&mut self) -> Result<Option<Entry>, SnapshotError> {
        let at_end = self
            .content
            .fill_buf()
            .map_err(SnapshotError::Packed)?
            .is_empty();
        if at_end {
            // Bytes behind the frame would be a second way to write the same state.
            let behind = !self.content.get_ref().get_ref().is_empty();
            return if self.left == 0 && self.bytes == 0 && !behind {
                Ok(None)
            } else {
                Err(SnapshotError::Entries)
            };
        }
        let (length, length_bytes) = self.length()?;
        limited("entry", length, ENTRY_BYTES_MAX)?;
        self.bytes = self
            .bytes
            .checked_sub(length + length_bytes)
            .ok_or(SnapshotError::Entries)?;
        self.left = self.left.checked_sub(1).ok_or(SnapshotError::Entries)?;
        let mut bytes = Vec::new();
        (&mut self.content)
            .take(length)
            .read_to_end(&mut bytes)
            .map_err(SnapshotError::Packed)?;
        if bytes.len() as u64 != length {
            return Err(SnapshotError::Entries);
        }
        let entry = Entry::decode(bytes.as_slice()).map_err(|source| SnapshotError::Message {
            what: "entry",
            source,
        })?;
        if self.last.as_ref().is_some_and(|last| *last >= entry.key) {
            return Err(SnapshotError::Entries);
        }
        self.last.get_or_insert_default().clone_from(&entry.key);
        Ok(Some(entry))
    }

    /// A length, and how many bytes it is written in.
    fn length(&mut self) -> Result<(u64, u64), SnapshotError> {
        let mut value = 0;
        for place in 0..5 {
            let mut byte = [0];
            self.content
                .read_exact(&mut byte)
                .map_err(SnapshotError::Packed)?;
            value |= u64::from(byte[0] & 0x7F) << (7 * place);
            if byte[0] & 0x80 == 0 {
                return Ok((value, place + 1));
            }
        }
        Err(SnapshotError::Entries)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.read().transpose();
        self.ended = !matches!(read, Some(Ok(_)));
        read
    }
}

/// Holds a size against its limit.
fn limited(what: &'static str, bytes: u64, limit: usize) -> Result<(), SnapshotError> {
    if bytes > limit as u64 {
        Err(SnapshotError::TooLarge { what, bytes, limit })
    } else {
        Ok(())
    }
}

/// Whether this program reads a version: its own and the one before.
fn known(what: &'static str, found: u32, known: u32) -> Result<(), SnapshotError> {
    if found > known {
        Err(SnapshotError::Newer { what, found, known })
    } else if found == 0 || found + 1 < known {
        Err(SnapshotError::Older { what, found, known })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
