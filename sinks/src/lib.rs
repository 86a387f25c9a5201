//! Palisade's sinks: alerts out to the world.
//!
//! A sink gets batches of alerts in log order and answers for each one; the topology moves the
//! sink's cursor by the answers. A sink never sees a source's offset.

pub mod sink;
pub mod render;
pub mod cut;
pub mod delivery;
pub mod stdout;
pub mod file;
pub mod kafka;
