//! What a transformation does to a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regex::Regex;

use super::Pipeline;
use super::conditions::{
    FieldConditions, ItemConditions, RuleConditions, RuleKind, RuleView, raw_text,
};
use super::names::{PATHS_MAX, Step};
use crate::diagnostic::{Diagnostic, Place, code};
use crate::logsource::Logsource;
use crate::rule::item::{Item, RawValue, Target};
use crate::rule::modifier::Modifier;
use crate::rule::text::{COMBINATIONS_BYTES_MAX, COMBINATIONS_MAX};
use crate::rule::{Correlation, Detection, Expr, Meta, Search};

/// One transformation with what it is for.
#[derive(Debug, Clone)]
pub(super) struct Transformation {
    pub(super) id: Option<String>,
    pub(super) kind: Kind,
    pub(super) rules: RuleConditions,
    pub(super) items: ItemConditions,
    pub(super) fields: FieldConditions,
}

/// What a transformation does.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Field names become one or more paths.
    Rename(Arc<Step>),
    /// Entries are taken out.
    DropItem,
    /// A condition is joined with AND to the rule's.
    AddCondition { search: Search, negated: bool },
    /// The rule asks for another log source from here on.
    ChangeLogsource(Logsource),
    /// Matches of an expression in text values are replaced.
    ReplaceString { regex: Regex, replacement: String },
    /// Text values become others.
    MapString(Vec<(String, Vec<RawValue>)>),
    /// All values become this one.
    SetValue(RawValue),
    /// Text values change case.
    Case(LetterCase),
    /// Placeholders become values of `vars`, or wildcards.
    Placeholders { which: Selected, wildcard: bool },
    /// A state that later conditions may ask for.
    SetState { key: String, value: String },
    /// Rules that are selected, or that hold a selected entry, are refused.
    Failure { message: String, of: FailureOf },
    /// Concerns parts of a rule that have no meaning here, such as its list of output fields.
    Nothing,
}

/// Which letters a text is written in.
#[derive(Debug, Clone, Copy)]
pub(super) enum LetterCase {
    Lower,
    Upper,
}

/// Which placeholders are replaced.
#[derive(Debug, Clone, Default)]
pub(super) struct Selected {
    pub(super) include: Option<Vec<String>>,
    pub(super) exclude: Vec<String>,
}

impl Selected {
    fn contains(&self, name: &str) -> bool {
        self.include
            .as_ref()
            .is_none_or(|list| list.iter().any(|listed| listed == name))
            && !self.exclude.iter().any(|listed| listed == name)
    }
}

/// What a failure looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureOf {
    Rule,
    Item,
}

/// What is remembered of a rule on its way through the pipelines.
#[derive(Default)]
struct Progress {
    applied: BTreeSet<String>,
    state: BTreeMap<String, String>,
}

/// Applies pipelines to a detection rule.
pub(super) fn detection(
    pipelines: &[Pipeline],
    rule: &mut Detection,
) -> Result<(), Box<Diagnostic>> {
    let mut progress = Progress::default();
    for pipeline in pipelines {
        for transformation in &pipeline.transformations {
            let view = RuleView {
                kind: RuleKind::Detection,
                meta: &rule.meta,
                logsource: &rule.logsource,
                searches: rule.searches.values().collect(),
                applied: &progress.applied,
                state: &progress.state,
            };
            if !transformation.rules.select(&view) {
                continue;
            }
            transformation.apply(rule, &pipeline.vars, &mut progress)?;
            progress.applied.extend(transformation.id.clone());
        }
    }
    Ok(())
}

/// Applies to a correlation what pipelines say of correlations: their fields belong to the rules they
/// refer to, so a failure is all there is.
pub(super) fn correlation(
    pipelines: &[Pipeline],
    rule: &Correlation,
) -> Result<(), Box<Diagnostic>> {
    let mut progress = Progress::default();
    let logsource = Logsource::default();
    for transformation in pipelines
        .iter()
        .flat_map(|pipeline| &pipeline.transformations)
    {
        let view = RuleView {
            kind: RuleKind::Correlation,
            meta: &rule.meta,
            logsource: &logsource,
            searches: Vec::new(),
            applied: &progress.applied,
            state: &progress.state,
        };
        if !transformation.rules.select(&view) {
            continue;
        }
        match &transformation.kind {
            // Without conditions it means the rules that its author's backend sees: detections too.
            Kind::Failure {
                message,
                of: FailureOf::Rule,
            } => {
                return Err(refusal(&rule.place, &rule.meta, message));
            }
            Kind::SetState { key, value } => {
                progress.state.insert(key.clone(), value.clone());
            }
            _ => {}
        }
        progress.applied.extend(transformation.id.clone());
    }
    Ok(())
}

fn refusal(place: &Place, meta: &Meta, message: &str) -> Box<Diagnostic> {
    let message = format!("a pipeline refuses this rule: {message}");
    Box::new(Diagnostic::error(code::PIPELINE, place, message).for_rule(Some(meta.key())))
}

impl Transformation {
    fn apply(
        &self,
        rule: &mut Detection,
        vars: &BTreeMap<String, Vec<String>>,
        progress: &mut Progress,
    ) -> Result<(), Box<Diagnostic>> {
        match &self.kind {
            Kind::Rename(step) => {
                self.each_bounded(rule, |item| {
                    rename(item, step);
                    paths_of(item) <= PATHS_MAX
                })?;
                rule.names.push(Arc::clone(step));
            }
            Kind::DropItem => {
                for search in rule.searches.values_mut() {
                    if self.drop_from(search) {
                        *search = Search::AllOf(Vec::new());
                    }
                }
            }
            Kind::AddCondition { search, negated } => add_condition(rule, search, *negated),
            Kind::ChangeLogsource(logsource) => rule.logsource = logsource.clone(),
            Kind::SetState { key, value } => {
                progress.state.insert(key.clone(), value.clone());
            }
            Kind::Failure {
                message,
                of: FailureOf::Rule,
            } => {
                return Err(refusal(&rule.place, &rule.meta, message));
            }
            Kind::Failure {
                message,
                of: FailureOf::Item,
            } => {
                let mut found = None;
                self.each_item(rule, |item| found = Some(item.place.clone()));
                if let Some(place) = found {
                    return Err(refusal(&place, &rule.meta, message));
                }
            }
            Kind::Placeholders { which, wildcard } => {
                self.replace_placeholders(rule, which, *wildcard, vars)?;
            }
            Kind::ReplaceString { .. } | Kind::MapString(_) | Kind::SetValue(_) | Kind::Case(_) => {
                self.each_bounded(rule, |item| self.change_values(item))?;
            }
            Kind::Nothing => {}
        }
        Ok(())
    }

    /// Calls `each` for every entry of the rule that the conditions select.
    fn each_item(&self, rule: &mut Detection, mut each: impl FnMut(&mut Item)) {
        let by_name = !matches!(self.kind, Kind::Rename(_));
        for search in rule.searches.values_mut() {
            walk(search, &mut |item| {
                // A renaming looks at each name by itself.
                if self.items.select(item) && (!by_name || self.fields.select_item(item)) {
                    each(item);
                }
            });
        }
    }

    /// As [`Self::each_item`]; where `each` says that an entry became too large, the rule is refused.
    fn each_bounded(
        &self,
        rule: &mut Detection,
        mut each: impl FnMut(&mut Item) -> bool,
    ) -> Result<(), Box<Diagnostic>> {
        let mut over = None;
        self.each_item(rule, |item| {
            if over.is_none() && !each(item) {
                over = Some(item.place.clone());
            }
        });
        over.map_or(Ok(()), |place| {
            let message = format!(
                "pipelines make more of this entry than the limit of {PATHS_MAX} paths, \
                 {COMBINATIONS_MAX} values or {COMBINATIONS_BYTES_MAX} bytes"
            );
            let problem = Diagnostic::error(code::TOO_MANY_VALUES, &place, message);
            Err(Box::new(problem.for_rule(Some(rule.meta.key()))))
        })
    }

    /// Takes selected entries out of a search; says whether the search itself is one.
    fn drop_from(&self, search: &mut Search) -> bool {
        match search {
            Search::AllOf(parts) | Search::AnyOf(parts) => {
                parts.retain_mut(|part| !self.drop_from(part));
                // A list of which nothing is left would match nothing; the entry was to be ignored.
                if parts.is_empty() {
                    *search = Search::AllOf(Vec::new());
                }
                false
            }
            Search::Item(item) => self.items.select(item) && self.fields.select_item(item),
        }
    }

    /// Whether it gives the placeholder a value in some rule.
    pub(super) fn replaces(&self, name: &str, vars: &BTreeMap<String, Vec<String>>) -> bool {
        match &self.kind {
            Kind::Placeholders { which, wildcard } => {
                which.contains(name) && (*wildcard || vars.contains_key(name))
            }
            _ => false,
        }
    }

    fn replace_placeholders(
        &self,
        rule: &mut Detection,
        which: &Selected,
        wildcard: bool,
        vars: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), Box<Diagnostic>> {
        let mut problem = None;
        let mut lookup = |name: &str| match (which.contains(name), wildcard) {
            (false, _) => None,
            (true, true) => Some(vec!["*".to_owned()]),
            (true, false) => vars.get(name).cloned(),
        };
        self.each_item(rule, |item| {
            if let Err(found) = item.replace_placeholders(&mut lookup) {
                problem.get_or_insert(found);
            }
        });
        problem.map_or(Ok(()), |found| {
            Err(Box::new(found.for_rule(Some(rule.meta.key()))))
        })
    }

    /// Changes the values of an entry; `false` if they become too many or too long.
    fn change_values(&self, item: &mut Item) -> bool {
        match &self.kind {
            Kind::SetValue(value) => item.values = vec![value.clone()].into(),
            // Expressions are no text: what looks like a path in one may be syntax.
            Kind::ReplaceString { regex, replacement }
                if !item.modifiers.contains(&Modifier::Re) =>
            {
                for value in item.values.change() {
                    if let RawValue::Text(text) = value {
                        // No more matches than places between characters, and one more.
                        let most = (text.len() + 1).saturating_mul(replacement.len());
                        if most > COMBINATIONS_BYTES_MAX {
                            return false;
                        }
                        *text = regex.replace_all(text, replacement).into_owned();
                    }
                }
            }
            Kind::MapString(mapping) if !item.modifiers.contains(&Modifier::Re) => {
                let mapped = |value: &RawValue| match value {
                    RawValue::Text(_) => mapping
                        .iter()
                        .find(|(from, _)| *from == raw_text(value))
                        .map_or_else(|| vec![value.clone()], |(_, to)| to.clone()),
                    _ => vec![value.clone()],
                };
                let mut values = Vec::with_capacity(item.values.len());
                let mut room = COMBINATIONS_BYTES_MAX;
                for value in item.values.iter().flat_map(mapped) {
                    match room.checked_sub(text_bytes(&value)) {
                        Some(rest) if values.len() < COMBINATIONS_MAX => room = rest,
                        _ => return false,
                    }
                    values.push(value);
                }
                item.values = values.into();
            }
            Kind::Case(letters) => {
                for value in item.values.change() {
                    if let RawValue::Text(text) = value {
                        *text = match letters {
                            LetterCase::Lower => text.to_lowercase(),
                            LetterCase::Upper => text.to_uppercase(),
                        };
                    }
                }
            }
            _ => {}
        }
        item.values.len() <= COMBINATIONS_MAX
            && item.values.iter().map(text_bytes).sum::<usize>() <= COMBINATIONS_BYTES_MAX
    }
}

/// Bytes of text in a value.
fn text_bytes(value: &RawValue) -> usize {
    match value {
        RawValue::Text(text) => text.len(),
        _ => 0,
    }
}

fn walk(search: &mut Search, each: &mut dyn FnMut(&mut Item)) {
    match search {
        Search::AllOf(parts) | Search::AnyOf(parts) => {
            for part in parts {
                walk(part, each);
            }
        }
        Search::Item(item) => each(item),
    }
}

/// The most paths that a name of the entry stands for.
fn paths_of(item: &Item) -> usize {
    let fields = match &item.target {
        Target::Fields(fields) => fields.len(),
        Target::Keywords => 0,
    };
    let references = item.values.iter().map(|value| match value {
        RawValue::Paths(paths) => paths.len(),
        _ => 0,
    });
    references.max().unwrap_or(0).max(fields)
}

fn rename(item: &mut Item, step: &Step) {
    if let Target::Fields(fields) = &mut item.target {
        *fields = step.apply(std::mem::take(fields));
    }
    if item.modifiers.contains(&Modifier::FieldRef) {
        for value in item.values.change() {
            let paths = match value {
                RawValue::Text(name) => vec![std::mem::take(name)],
                RawValue::Paths(paths) => std::mem::take(paths),
                _ => continue,
            };
            *value = RawValue::Paths(step.apply(paths));
        }
    }
}

fn add_condition(rule: &mut Detection, search: &Search, negated: bool) {
    let place = rule.searches.len();
    rule.searches
        .insert(format!("added by a pipeline #{place}"), search.clone());
    let added = if negated {
        Expr::Not(Box::new(Expr::Search(place)))
    } else {
        Expr::Search(place)
    };
    let own = std::mem::replace(&mut rule.condition, Expr::And(Vec::new()));
    rule.condition = own.and(added);
}
