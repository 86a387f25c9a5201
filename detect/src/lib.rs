//! Palisade's kernel: events in, alerts out.
//!
//! What comes in is an [`event::EventRef`], a view on the bytes of one log event with its log type,
//! log source and time. What goes out is an [`alert::Alert`] with a deterministic id, and for rules
//! that correlate, [`matches::Match`]es that travel through the matches log to the
//! [`correlation::Fold`].
//!
//! The crate is pure: no async, no I/O, no clock, no randomness. Time arrives with the data, so the
//! same input gives the same alerts, to the id, in any process on any day.

pub mod time;
pub mod logsource;
pub mod event;
pub mod id;
pub mod diagnostic;
pub mod yaml;
pub mod rule;
pub mod pipeline;
pub mod value;
pub mod naive;
pub mod engine;
pub mod matches;
pub mod alert;
pub mod entity;
pub mod correlation;
