//! Parts of the benches: generated records, alerts held against them, figures.

pub(crate) mod template;
pub(crate) mod records;
pub(crate) mod alerts;
pub(crate) mod measure;
pub(crate) mod reader;
