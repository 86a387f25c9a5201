//! The stages of the process, and how they are put together.

pub mod stage;
pub mod dead;
