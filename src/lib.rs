//! The process: command line, configuration, topology, logs, metrics and console.
//!
//! A library only so that tests and benches can link it; `main.rs` is the program.

pub mod exit;
pub mod clock;
pub mod config;
pub mod rules;
pub mod observed;
pub mod log;
pub mod snapshots;
pub mod metrics;
pub mod admin;
pub mod telemetry;
pub mod topology;
pub mod explain;
pub mod watch;
pub mod cases;
pub mod coverage;
pub mod author;
pub mod schema;
pub mod demo;
pub mod cli;

#[cfg(test)]
#[path = "../tests/support/page.rs"]
mod page;
