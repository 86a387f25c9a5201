//! One record's bytes to events and rejects.

use palisade_detect::event::{EventRef, Index};

use crate::reject::Reject;

/// What decoding finds in a record, in order.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// An event and its place.
    Event(Index, EventRef<'a>),
    /// A part that is none.
    Reject(Reject),
}

/// What a source's configuration says about what it carries.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// Log sources that events of unknown type state.
    pub logsources: Vec<palisade_detect::logsource::Logsource>,
}

/// Splits a record into its events.
///
/// Accepts every outer shape of `azure-logs.md` section 1.2. Calls `each` for every element in
/// order; a broken element is one reject and its neighbours go on.
pub fn decode(payload: Option<&[u8]>, hints: &Hints, each: &mut dyn FnMut(Decoded<'_>)) {
    let _ = (payload, hints, each);
    unimplemented!("helper D")
}
