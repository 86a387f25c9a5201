//! The whole path against a real Apache Kafka broker, which the tests start as a child process.
//!
//! Needs Java 17 and Maven, and `promtool` for the check of the metrics; a test fails where its part is
//! missing.

#![allow(unreachable_pub, reason = "a test binary exports nothing")]
#![allow(
    clippy::print_stdout,
    reason = "a run says its seed and what it compared"
)]

#[path = "../support/mod.rs"]
mod support;

mod input;
mod state;
mod kills;
mod hostile;
mod outages;
mod secured;
mod metrics;
mod reload;
