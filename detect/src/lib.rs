//! Palisade's kernel: events in, alerts out.
//!
//! What comes in is an [`event::EventRef`], a view on the bytes of one log event with its log type,
//! log source and time. What goes out is an [`alert::Alert`] with a deterministic id, and for rules
//! that correlate, [`matches::Match`]es that travel through the matches log to the
//! [`correlation::Fold`].
//!
//! ```
//! use palisade_detect::{engine, event, pipeline, rule, time};
//!
//! let file = rule::RuleFile {
//!     name: "role.yml".into(),
//!     bytes: b"
//! title: Role assignment
//! logsource: {product: azure}
//! detection:
//!   write: {operationName|endswith: roleAssignments/write}
//!   condition: write
//! ".to_vec(),
//! };
//! let (mut rules, problems) = rule::parse::parse(&[file]);
//! assert!(problems.is_empty());
//! pipeline::apply(&[], &mut rules);
//! let (engine, _) = engine::Engine::compile(rules, engine::EngineOptions::default());
//!
//! let log_type = event::LogType {
//!     name: "azure_activity",
//!     logsources: &[],
//!     event_time: &[],
//!     entities: &[],
//!     readings: &[],
//!     content_key: None,
//!     lateness: time::Span::ZERO,
//! };
//! let event = event::EventRef {
//!     body: event::Body::Json(br#"{"operationName":"Microsoft.Authorization/roleAssignments/write"}"#),
//!     log_type: &log_type,
//!     logsources: &[],
//!     event_time: None,
//! };
//! let origin = event::Origin {
//!     tenant: "default".into(),
//!     at: event::SourcePartition { source: "hub".into(), incarnation: 1, partition: 0 },
//!     offset: 7,
//!     index: event::Index::ROOT,
//! };
//! let context = engine::EventContext {
//!     origin: &origin,
//!     append_time: time::Timestamp::from_unix_seconds(1_772_409_600),
//!     clamp: engine::Clamp::ToAppendTime,
//! };
//! let mut verdict = engine::Verdict::default();
//! engine.detect(&event, &context, &mut verdict)?;
//! assert_eq!(verdict.alerts[0].title, "Role assignment");
//! # Ok::<(), engine::EventError>(())
//! ```
//!
//! The crate is pure: no async, no I/O, no clock, no randomness. Time arrives with the data, so the
//! same input gives the same alerts, to the id, in any process on any day.

pub mod scan;
pub mod time;
pub mod logsource;
pub mod event;
pub mod id;
pub mod diagnostic;
pub mod attack;
pub mod yaml;
pub mod casing;
pub mod hidden;
pub mod list;
pub mod rule;
pub mod pipeline;
pub mod lint;
pub mod value;
pub mod observed;
pub mod naive;
pub mod engine;
pub mod matches;
pub mod snapshot;
pub mod alert;
pub mod entity;
pub mod correlation;
pub mod explain;
