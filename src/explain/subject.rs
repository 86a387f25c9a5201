//! Which rules are explained.

use std::collections::BTreeSet;
use std::sync::Arc;

use palisade_detect::correlation::CorrelationDef;
use palisade_detect::diagnostic::{Place, suggestion};
use palisade_detect::engine::Engine;
use palisade_detect::explain::Explainer;
use palisade_detect::logsource::Routing;
use palisade_detect::rule::{Correlation, CorrelationKind, Meta, RuleSet};

/// Rules that can explain themselves, beside the engine that judges by them.
pub struct Bench {
    pub(super) engine: Arc<Engine>,
    pub(super) explainers: Vec<Explainer>,
    correlations: Vec<Correlation>,
    pub(super) routing: Routing,
}

/// Rules in question.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// Places among the bench's detection rules.
    pub(super) detections: BTreeSet<usize>,
    /// Of these, the ones that are explained also where they do not match.
    pub(super) named: BTreeSet<usize>,
    /// Places among the engine's correlations.
    pub(super) correlations: BTreeSet<usize>,
    /// Whether correlations without a group are left out.
    pub(super) only_busy: bool,
}

/// The values that a `value_count` correlation counts in the events of one rule.
#[derive(Debug)]
pub(super) struct Counted {
    /// Place of the correlation among the engine's.
    pub(super) correlation: usize,
    /// Place of the rule among the bench's.
    pub(super) detection: usize,
    /// Paths of each counted field.
    pub(super) fields: Vec<Vec<String>>,
}

impl Subject {
    /// Whether only correlations were asked for.
    pub fn is_of_correlations(&self) -> bool {
        self.named.is_empty() && !self.correlations.is_empty()
    }
}

impl Bench {
    /// A bench of rules as they are judged: pipelines applied, filters joined.
    pub fn new(rules: RuleSet, engine: Arc<Engine>, routing: Routing) -> Self {
        // What cannot be compiled was reported when the engine was made of the same rules.
        let explainers = rules
            .detections
            .into_iter()
            .filter_map(|rule| Explainer::new(rule).ok());
        Self {
            explainers: explainers.collect(),
            correlations: rules.correlations,
            engine,
            routing,
        }
    }

    /// The engine.
    pub fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    /// The loaded rules: the id that alerts name, title and the rest, and place.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &Meta, &Place)> {
        let detections = self.explainers.iter().enumerate();
        let detections = detections.filter_map(|(place, explainer)| {
            let detection = explainer.detection();
            Some((self.id_of(place)?, &detection.meta, &detection.place))
        });
        let correlations = self.correlations.iter().filter_map(|rule| {
            let mut defs = self.engine.correlations().iter();
            let def = defs.find(|def| is_of(rule, def))?;
            Some((&*def.id, &rule.meta, &rule.place))
        });
        detections.chain(correlations)
    }

    /// All rules; those that match are explained.
    pub fn all(&self) -> Subject {
        Subject {
            detections: (0..self.explainers.len()).collect(),
            named: BTreeSet::new(),
            correlations: (0..self.engine.correlations().len()).collect(),
            only_busy: true,
        }
    }

    /// The rules of these ids, names or titles, with the rules that their correlations refer to.
    ///
    /// # Errors
    /// The first that no rule has, with a suggestion.
    pub fn named(&self, keys: &[String]) -> Result<Subject, String> {
        let mut subject = Subject::default();
        for key in keys {
            if !self.add(key, &mut subject) {
                return Err(self.unknown(key));
            }
        }
        Ok(subject)
    }

    /// Adds the rules of one key; whether there is any.
    fn add(&self, key: &str, subject: &mut Subject) -> bool {
        let mut found = false;
        for (place, explainer) in self.explainers.iter().enumerate() {
            if is(explainer.meta(), key) || self.id_of(place) == Some(key) {
                subject.detections.insert(place);
                subject.named.insert(place);
                found = true;
            }
        }
        for (place, def) in self.engine.correlations().iter().enumerate() {
            let titles = [&*def.id, &*def.rule.name, &*def.title];
            if titles.iter().any(|text| text.eq_ignore_ascii_case(key)) {
                self.correlation(place, subject);
                found = true;
            }
        }
        found
    }

    /// A correlation with everything below it.
    fn correlation(&self, place: usize, subject: &mut Subject) {
        let correlations = self.engine.correlations();
        if !subject.correlations.insert(place) {
            return;
        }
        let Some(def) = correlations.get(place) else {
            return;
        };
        for base in &def.base_rules {
            let rules = 0..self.explainers.len();
            subject
                .detections
                .extend(rules.filter(|rule| self.id_of(*rule) == Some(base)));
            for (inner, other) in correlations.iter().enumerate() {
                if other.id == *base && inner != place {
                    self.correlation(inner, subject);
                }
            }
        }
    }

    /// The id by which the engine knows a rule.
    pub(super) fn id_of(&self, place: usize) -> Option<&str> {
        self.engine.rules().get(place).map(|rule| &*rule.id)
    }

    fn unknown(&self, key: &str) -> String {
        let metas = self.explainers.iter().map(Explainer::meta);
        let metas = metas.chain(self.correlations.iter().map(|rule| &rule.meta));
        let texts: Vec<&str> = metas
            .flat_map(|meta| [meta.id.as_deref(), meta.name.as_deref(), Some(&*meta.title)])
            .flatten()
            .collect();
        let help = suggestion(key, texts)
            .unwrap_or_else(|| "an id, a name or a title of a loaded rule is expected".to_owned());
        format!("no rule is called `{key}`; {help}")
    }

    /// The counted values of the correlations in question.
    pub(super) fn counted(&self, subject: &Subject) -> Vec<Counted> {
        let mut counted = Vec::new();
        for place in &subject.correlations {
            let Some(def) = self.engine.correlations().get(*place) else {
                continue;
            };
            let mut own = self.correlations.iter();
            let Some(correlation) = own.find(|rule| is_of(rule, def)) else {
                continue;
            };
            let CorrelationKind::ValueCount(fields, _) = &correlation.kind else {
                continue;
            };
            for (detection, explainer) in self.explainers.iter().enumerate() {
                let base = self.id_of(detection);
                if def.base_rules.iter().any(|id| Some(id.as_str()) == base) {
                    let paths = |name: &String| {
                        let field = aliased(correlation, name, explainer.meta());
                        explainer.detection().names.paths(field)
                    };
                    counted.push(Counted {
                        correlation: *place,
                        detection,
                        fields: fields.iter().map(paths).collect(),
                    });
                }
            }
        }
        counted
    }
}

fn is(meta: &Meta, key: &str) -> bool {
    let texts = [meta.id.as_deref(), meta.name.as_deref(), Some(&*meta.title)];
    texts
        .into_iter()
        .flatten()
        .any(|text| text.eq_ignore_ascii_case(key))
}

/// Whether a definition was made of this correlation.
fn is_of(correlation: &Correlation, def: &CorrelationDef) -> bool {
    if let Some(id) = &correlation.meta.id {
        return *id == def.id;
    }
    let name = correlation.meta.name.as_ref();
    def.rule.name == *name.unwrap_or(&correlation.meta.title)
}

/// The field that a name of a correlation stands for in the events of a rule.
fn aliased<'n>(correlation: &'n Correlation, name: &'n str, rule: &Meta) -> &'n str {
    let fields = correlation.aliases.get(name).into_iter().flatten();
    let mut of_rule = fields.filter(|(reference, _)| is(rule, reference));
    of_rule.next().map_or(name, |(_, field)| field)
}
