//! Rules that stay in force although their files were changed and are refused: their exceptions end
//! all the same.

use palisade_detect::engine::{Engine, EngineOptions};
use palisade_detect::pipeline;
use palisade_detect::rule::RuleSet;
use palisade_detect::time::Timestamp;

use super::RuleFile;

/// Rules as they were chosen, before pipelines and exceptions were applied to them, and what to compile
/// them again with.
#[derive(Clone)]
pub struct Standing {
    rules: RuleSet,
    maps: Vec<RuleFile>,
    options: EngineOptions,
}

impl Standing {
    /// These rules, if an exception among them ends.
    pub(super) fn of(rules: &RuleSet, maps: &[RuleFile], options: EngineOptions) -> Option<Self> {
        let standing = Self {
            rules: RuleSet {
                filters: rules.filters.clone(),
                ..RuleSet::default()
            },
            maps: Vec::new(),
            options,
        };
        // All the rest is needed only then, and may be large.
        standing.ends_at()?;
        Some(Self {
            rules: rules.clone(),
            maps: maps.to_vec(),
            options,
        })
    }

    /// When the next of the exceptions ends.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let filters = self.rules.filters.iter();
        let ends = filters.filter_map(|filter| filter.exception.expires.as_ref());
        ends.map(|expires| expires.at).min()
    }

    /// Takes out the exceptions that have ended by `now`; gives what they were called.
    pub fn end(&mut self, now: Timestamp) -> Vec<String> {
        let filters = &mut self.rules.filters;
        let ended = filters.extract_if(.., |filter| filter.exception.is_over(now));
        ended.map(|filter| filter.meta.key().to_owned()).collect()
    }

    /// The engine of what is left, ready to judge. Its problems were said when the files were read; `None` where a
    /// pipeline does not load.
    pub fn engine(&self) -> Option<Engine> {
        let pipelines = pipeline::parse(&self.maps).ok()?;
        let mut rules = self.rules.clone();
        pipeline::apply(&pipelines, &mut rules);
        let (engine, _) = Engine::compile(rules, self.options);
        super::prepare(&engine);
        Some(engine)
    }
}
