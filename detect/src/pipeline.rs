//! Processing pipelines in pySigma's format: field names and values of rules made to fit the data.

use crate::diagnostic::Diagnostic;
use crate::rule::{RuleFile, RuleSet};

/// A sequence of transformations, in order.
#[derive(Debug, Clone, Default)]
pub struct Pipeline {}

/// Reads pipeline files and orders them by ascending priority.
///
/// # Errors
/// All problems of all files.
pub fn parse(files: &[RuleFile]) -> Result<Vec<Pipeline>, Vec<Diagnostic>> {
    let _ = files;
    unimplemented!("helper B")
}

/// Applies pipelines to every rule that their conditions select; rules that cannot be honoured
/// are taken out of the set and reported.
pub fn apply(pipelines: &[Pipeline], rules: &mut RuleSet) -> Vec<Diagnostic> {
    let _ = (pipelines, rules);
    unimplemented!("helper B")
}
