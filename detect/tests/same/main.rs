//! The fast way to judge an event says what the obvious way says: [`Engine::detect`] against
//! [`Engine::detect_naively`], on the cases of the conformance suite and on generated records and
//! rules. `PALISADE_PAIRS` says how many pairs of a generated record and a rule are judged.
//!
//! [`Engine::detect`]: palisade_detect::engine::Engine::detect
//! [`Engine::detect_naively`]: palisade_detect::engine::Engine::detect_naively

mod law;
mod log_types;
mod text;
mod spoil;
mod json;
mod record;
mod item;
mod rules;
mod world;
mod generated;
mod suite;
mod found;

#[path = "../conformance/case.rs"]
#[allow(
    dead_code,
    reason = "the suite's expectations are judged by its own test"
)]
mod case;
