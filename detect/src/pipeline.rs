//! Processing pipelines in pySigma's format: field names and values of rules made to fit the data.
//!
//! A pipeline is a YAML document with `transformations`, applied in order; several pipelines run by
//! ascending `priority`. Each transformation says which rules it is for (`rule_conditions`), which
//! entries (`detection_item_conditions`) and which fields (`field_name_conditions`). What a pipeline
//! asks for and cannot be honoured is refused, never passed over.
//!
//! Format: pySigma's documentation, "Processing Pipelines". What concerns the text of queries
//! (`postprocessing`, `finalizers`) has no meaning here and is refused.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::rule::{Detection, Filter, PalisadeKeys, RuleFile, RuleSet, filter, lists};

mod conditions;
mod expression;
mod names;
pub mod placeholders;
mod read;
mod transform;
mod words;

pub use names::Names;
use transform::Transformation;
pub use words::{COMMON as COMMON_KEYS, TYPES as TRANSFORMATIONS};

/// A sequence of transformations, in order.
#[derive(Debug, Clone, Default)]
pub struct Pipeline {
    /// Lower runs first; pipelines of equal priority run in the order given.
    priority: i64,
    /// Values of placeholders by name.
    vars: BTreeMap<String, Vec<String>>,
    transformations: Vec<Transformation>,
}

impl Pipeline {
    /// Whether it gives the placeholder a value in some rule.
    fn replaces(&self, name: &str) -> bool {
        let mut transformations = self.transformations.iter();
        transformations.any(|one| one.replaces(name, &self.vars))
    }
}

/// Reads pipeline files and orders them by ascending priority.
///
/// # Errors
/// All problems of all files.
pub fn parse(files: &[RuleFile]) -> Result<Vec<Pipeline>, Vec<Diagnostic>> {
    let mut pipelines = Vec::with_capacity(files.len());
    let mut problems = Vec::new();
    for file in files {
        match read::pipelines(&file.name, &file.bytes) {
            Ok(mut read) => pipelines.append(&mut read),
            Err(mut found) => problems.append(&mut found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    pipelines.sort_by_key(|pipeline| pipeline.priority);
    Ok(pipelines)
}

/// Applies pipelines, which stand in the order of [`parse`], to every rule that their conditions
/// select. Filters are joined to their rules first, so that they are rewritten with the rule's log
/// source. Rules that cannot be honoured are taken out of the set and reported.
pub fn apply(pipelines: &[Pipeline], rules: &mut RuleSet) -> Vec<Diagnostic> {
    // Before filters are joined: one that names a missing list must not take its rules along.
    let mut problems = lists::resolve(rules);
    rules
        .filters
        .retain(|filter| is_sound(pipelines, filter, &mut problems));
    problems.extend(filter::join(rules));
    rules.detections.retain_mut(
        |detection| match transform::detection(pipelines, detection) {
            Ok(()) => true,
            Err(problem) => {
                problems.push(*problem);
                false
            }
        },
    );
    rules.correlations.retain(
        |correlation| match transform::correlation(pipelines, correlation) {
            Ok(()) => true,
            Err(problem) => {
                problems.push(*problem);
                false
            }
        },
    );
    problems
}

/// Whether a filter means something under its own log source; if not, it is reported.
fn is_sound(pipelines: &[Pipeline], filter: &Filter, problems: &mut Vec<Diagnostic>) -> bool {
    let mut alone = Detection {
        meta: filter.meta.clone(),
        place: filter.place.clone(),
        logsource: filter.logsource.clone(),
        searches: filter.searches.clone(),
        condition: filter.condition.clone(),
        palisade: PalisadeKeys::default(),
        names: Names::default(),
    };
    // A pipeline that refuses this log source refuses the rules themselves.
    if transform::detection(pipelines, &mut alone).is_err() {
        return true;
    }
    let found = filter::problems(filter, alone.searches.values());
    let sound = found.is_empty();
    problems.extend(found);
    sound
}

#[cfg(test)]
mod tests;
