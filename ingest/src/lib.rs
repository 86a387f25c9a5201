//! Palisade's sources and decoding: broker bytes in, events out.
//!
//! A [`source`] yields batches of [`source::Record`]s per partition and is told which offsets are
//! finished. [`decode`] splits a record into events, names each one's log type and log source, and
//! rejects what cannot become an event, with its place and reason.

pub mod secret;
pub mod offset;
pub mod source;
pub mod reject;
pub mod log_type;
pub mod decode;

mod envelope;
mod flow;
mod members;
mod raw;
mod json;
