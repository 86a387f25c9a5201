//! Input that cannot become events, with its place and reason.

use palisade_detect::event::Index;

/// One part of a record that cannot become an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Its place in the record.
    pub index: Index,
    /// Byte in the record at which it could not be read on.
    pub byte: usize,
    /// Half-open byte range of the rejected part in the record.
    pub span: std::ops::Range<usize>,
    /// Class of the reason, a bounded metric label.
    pub reason: Reason,
    /// What was found and what was expected; no event content.
    pub message: String,
}

/// Classes of reasons; the text of each is a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A record without a payload.
    Tombstone,
    /// A payload without content.
    Empty,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// Text that is not JSON.
    NotJson,
    /// JSON that ends too early.
    Truncated,
    /// JSON that is no object where an event was expected.
    NotAnObject,
    /// More bytes than an event may have.
    TooLarge,
    /// Deeper nesting than an event may have.
    TooDeep,
    /// A flow tuple that does not fit its version's grammar.
    FlowTuple,
    /// Input that cannot be read or decompressed.
    Unreadable,
    /// The judge panicked on it.
    Panic,
}

impl Reason {
    /// All reasons, for metrics.
    pub const ALL: [Self; 11] = [
        Self::Tombstone,
        Self::Empty,
        Self::NotUtf8,
        Self::NotJson,
        Self::Truncated,
        Self::NotAnObject,
        Self::TooLarge,
        Self::TooDeep,
        Self::FlowTuple,
        Self::Unreadable,
        Self::Panic,
    ];

    /// The reason as a metric label and in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tombstone => "tombstone",
            Self::Empty => "empty",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::Truncated => "truncated",
            Self::NotAnObject => "not_an_object",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::FlowTuple => "flow_tuple",
            Self::Unreadable => "unreadable",
            Self::Panic => "panic",
        }
    }
}
