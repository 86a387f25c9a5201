//! What became of a rule's field names: needed again for the fields of correlations.

use std::sync::Arc;

use super::conditions::FieldConditions;

/// Most paths that one name becomes, over all renamings. Each multiplies what the last one made;
/// field maps name a handful.
pub(super) const PATHS_MAX: usize = 1_000;

/// How a name becomes one or more paths.
#[derive(Debug, Clone)]
pub(super) enum Renaming {
    /// Exact names; what is not listed stays.
    Mapping(Vec<(String, Vec<String>)>),
    /// A prefix before every name.
    Prefix(String),
    /// A suffix behind every name.
    Suffix(String),
    /// The first prefix that fits is replaced by one or more others.
    PrefixMapping(Vec<(String, Vec<String>)>),
}

/// A renaming with the names it is for.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) renaming: Renaming,
    pub(super) fields: FieldConditions,
}

/// The renamings that pipelines applied to one rule, in order.
///
/// The group-by, counted and alias fields of a correlation are names of the rules that it refers to,
/// so each rule keeps how its names were read.
#[derive(Debug, Clone, Default)]
pub struct Names {
    steps: Vec<Arc<Step>>,
}

impl Names {
    /// The paths that a name of the rule stands for, first choice first; never empty.
    pub fn paths(&self, name: &str) -> Vec<String> {
        self.steps
            .iter()
            .fold(vec![name.to_owned()], |names, step| step.apply(names))
    }

    /// Names of which each has its paths written down; any other stays.
    pub(crate) fn written(paths: Vec<(String, Vec<String>)>) -> Self {
        let renaming = Renaming::Mapping(paths);
        let fields = FieldConditions::default();
        Self {
            steps: vec![Arc::new(Step { renaming, fields })],
        }
    }

    pub(super) fn push(&mut self, step: Arc<Step>) {
        self.steps.push(step);
    }
}

impl Step {
    /// The names after this step, without repeats; once there are more than [`PATHS_MAX`], no more.
    pub(super) fn apply(&self, names: Vec<String>) -> Vec<String> {
        let mut out: Vec<String> = Vec::with_capacity(names.len());
        for name in names {
            let renamed = if self.fields.select(Some(&name)) {
                self.renaming.apply(&name)
            } else {
                vec![name]
            };
            for path in renamed {
                if out.len() <= PATHS_MAX && !out.contains(&path) {
                    out.push(path);
                }
            }
        }
        out
    }
}

impl Renaming {
    fn apply(&self, name: &str) -> Vec<String> {
        match self {
            Self::Mapping(mapping) => mapping
                .iter()
                .find(|(from, _)| from == name)
                .map_or_else(|| vec![name.to_owned()], |(_, to)| to.clone()),
            Self::Prefix(prefix) => vec![format!("{prefix}{name}")],
            Self::Suffix(suffix) => vec![format!("{name}{suffix}")],
            Self::PrefixMapping(mapping) => mapping
                .iter()
                .find_map(|(from, to)| name.strip_prefix(from.as_str()).map(|rest| (rest, to)))
                // Nothing would be left of it, which is no name.
                .filter(|(rest, to)| !rest.is_empty() || to.iter().all(|prefix| !prefix.is_empty()))
                .map_or_else(
                    || vec![name.to_owned()],
                    |(rest, to)| to.iter().map(|prefix| format!("{prefix}{rest}")).collect(),
                ),
        }
    }
}
