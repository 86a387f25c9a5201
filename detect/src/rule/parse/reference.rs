//! References between rules: correlations whose rules are not all there are left out.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use crate::diagnostic::{Code, Diagnostic, Place, code, suggestion};
use crate::yaml::Node;

use super::super::condition::{self, Names, Selectors};
use super::super::{Correlation, CorrelationKind, Detection, Expr, Meta, TemporalCondition};
use super::correlation::{Aliases, Pending};
use super::document::key_of;

/// Most correlations on one way from a correlation down to a detection. Each level delays and
/// multiplies matches; published chains have two.
pub const CHAIN_DEPTH_MAX: usize = 16;
/// Most ways from one correlation down to detections. One event can give a correlation a match on
/// each of them, so that sixteen levels which each refer to ten of the next would mean 10^15.
pub const CHAIN_WAYS_MAX: usize = 1_000;
/// Most unknown references for which a similar name is looked for, over a whole set.
const SUGGESTIONS_MAX: usize = 100;
/// Most unknown references of one correlation that are reported.
const UNKNOWN_MAX: usize = 10;

/// What is refused before references are looked at.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    /// Ids and names of refused rules; that these are not loaded is said where they stand.
    keys: HashSet<String>,
    correlations: Vec<Draft>,
}

/// A correlation that is refused.
#[derive(Debug)]
struct Draft {
    /// What it is called.
    key: Option<String>,
    references: Vec<(String, Place)>,
}

impl Drafts {
    /// Adds a document that is refused, with the references of a correlation.
    pub(super) fn add(&mut self, root: &Node, references: Vec<(String, Place)>) {
        let keys = ["id", "name"].iter().filter_map(|key| root.get(key));
        self.keys
            .extend(keys.filter_map(Node::as_text).map(str::to_owned));
        if !references.is_empty() {
            self.correlations.push(Draft {
                key: key_of(root),
                references,
            });
        }
    }
}

/// Resolves the references of all correlations; those that cannot be honoured are left out.
pub(super) fn resolve(
    detections: &[Detection],
    mut pending: Vec<Pending>,
    drafts: &Drafts,
) -> (Vec<Correlation>, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let mut broken = vec![false; pending.len()];
    let mut resolved = Vec::with_capacity(pending.len());
    let graph = Graph::new(detections, pending.iter().map(|p| &p.correlation).collect());
    for (at, rule) in pending.iter().enumerate() {
        let before = problems.len();
        resolved.push(graph.details(at, rule, &mut problems));
        broken[at] = problems.len() > before;
    }
    let reported = broken.clone();
    for Draft { key, references } in &drafts.correlations {
        let strange = |(reference, _): &&(String, Place)| !drafts.keys.contains(reference);
        let references = references.iter().filter(strange);
        problems.extend(graph.unknown(key.as_deref(), references));
    }
    let refused = graph.check(broken);
    drop(graph);
    for (rule, details) in pending.iter_mut().zip(resolved) {
        if let Some(aliases) = details.aliases {
            rule.correlation.aliases = aliases;
        }
        if let Some(expr) = details.expression {
            set_expression(&mut rule.correlation.kind, expr);
        }
    }
    let mut whole = Vec::with_capacity(pending.len());
    for ((rule, refused), broken) in pending.into_iter().zip(refused).zip(reported) {
        match refused {
            Some(problem) => problems.push(problem),
            None if broken => {}
            None => whole.push(rule.correlation),
        }
    }
    (whole, problems)
}

/// Puts the resolved expression in place.
fn set_expression(kind: &mut CorrelationKind, expr: Expr) {
    if let CorrelationKind::Temporal(condition) | CorrelationKind::TemporalOrdered(condition) = kind
    {
        *condition = TemporalCondition::Expression(expr);
    }
}

/// What a reference leads to.
#[derive(Debug, Clone, Copy)]
enum Target<'a> {
    Detection(&'a Meta),
    Correlation(usize, &'a Meta),
}

impl<'a> Target<'a> {
    fn meta(self) -> &'a Meta {
        match self {
            Self::Detection(meta) | Self::Correlation(_, meta) => meta,
        }
    }
}

/// Aliases and expression with their references resolved.
#[derive(Default)]
struct Details {
    aliases: Option<Aliases>,
    expression: Option<Expr>,
}

/// All rules by id and name.
struct Graph<'a> {
    targets: HashMap<&'a str, Target<'a>>,
    titles: HashMap<&'a str, &'a Meta>,
    correlations: Vec<&'a Correlation>,
    suggestions: Cell<usize>,
}

impl<'a> Graph<'a> {
    fn new(detections: &'a [Detection], correlations: Vec<&'a Correlation>) -> Self {
        let mut targets = HashMap::new();
        let mut titles = HashMap::new();
        let correlated = correlations.iter().enumerate();
        let all = detections
            .iter()
            .map(|rule| Target::Detection(&rule.meta))
            .chain(correlated.map(|(at, rule)| Target::Correlation(at, &rule.meta)));
        for target in all {
            let meta = target.meta();
            for key in [&meta.id, &meta.name].into_iter().flatten() {
                targets.entry(key.as_str()).or_insert(target);
            }
            titles.entry(meta.title.as_str()).or_insert(meta);
        }
        Self {
            targets,
            titles,
            correlations,
            suggestions: Cell::new(0),
        }
    }

    /// Resolves what else a correlation says about its rules, once all of them are known.
    fn details(&self, at: usize, pending: &Pending, problems: &mut Vec<Diagnostic>) -> Details {
        let rule = self.correlations[at];
        let found: Vec<Option<Target<'_>>> = rule
            .rules
            .iter()
            .map(|(reference, _)| self.targets.get(reference.as_str()).copied())
            .collect();
        let known: Option<Vec<Target<'_>>> = found.iter().copied().collect();
        let Some(known) = known else {
            problems.extend(self.unknown(Some(rule.meta.key()), rule.rules.iter()));
            if let Some(node) = &pending.expression {
                let mut said = Vec::new();
                expression(rule, &found, node, &mut said);
                // Only what the missing rules cannot have to do with.
                said.retain(|problem| problem.code != code::UNKNOWN_IDENTIFIER.id);
                problems.append(&mut said);
            }
            return Details::default();
        };
        Details {
            aliases: Some(aliases(rule, &known, &pending.alias_places, problems)),
            expression: pending
                .expression
                .as_ref()
                .and_then(|node| expression(rule, &found, node, problems)),
        }
    }

    /// For every correlation that cannot stay, why; `None` also for those in `broken`, whose
    /// problems are reported already.
    fn check(&self, mut broken: Vec<bool>) -> Vec<Option<Diagnostic>> {
        let mut refused: Vec<Option<Diagnostic>> = vec![None; self.correlations.len()];
        let below: Vec<Vec<(usize, usize)>> = self
            .correlations
            .iter()
            .map(|rule| self.edges(rule))
            .collect();
        let mut above: Vec<Vec<(usize, usize)>> = vec![Vec::new(); below.len()];
        for (at, edges) in below.iter().enumerate() {
            for (reference, target) in edges {
                above[*target].push((at, *reference));
            }
        }
        self.spread(&above, &mut broken, &mut refused);
        self.order(&below, &above, &broken, &mut refused);
        refused
    }

    /// References of a correlation to correlations: place in its list, and which.
    fn edges(&self, rule: &Correlation) -> Vec<(usize, usize)> {
        let references = rule.rules.iter().enumerate();
        references
            .filter_map(
                |(at, (reference, _))| match self.targets.get(reference.as_str()) {
                    Some(Target::Correlation(target, _)) => Some((at, *target)),
                    _ => None,
                },
            )
            .collect()
    }

    /// Refuses what refers to a refused correlation.
    fn spread(
        &self,
        above: &[Vec<(usize, usize)>],
        broken: &mut [bool],
        refused: &mut [Option<Diagnostic>],
    ) {
        let mut queue: Vec<usize> = (0..broken.len()).filter(|at| broken[*at]).collect();
        while let Some(target) = queue.pop() {
            for (at, reference) in &above[target] {
                if broken[*at] {
                    continue;
                }
                broken[*at] = true;
                queue.push(*at);
                let rule = self.correlations[*at];
                let (name, place) = &rule.rules[*reference];
                let message = format!("rule `{name}` cannot be used, because it was refused");
                let problem = about(rule, code::UNKNOWN_RULE_REFERENCE, place, message);
                refused[*at] = Some(
                    problem
                        .with_help("mend that rule first; why it was refused is said at its place"),
                );
            }
        }
    }

    /// Refuses circles, what refers to them, and chains that are too deep or branch too often.
    fn order(
        &self,
        below: &[Vec<(usize, usize)>],
        above: &[Vec<(usize, usize)>],
        broken: &[bool],
        refused: &mut [Option<Diagnostic>],
    ) {
        let mut open: Vec<usize> = below.iter().map(Vec::len).collect();
        let mut depth = vec![1_usize; below.len()];
        let mut ways: Vec<usize> = self.direct(below);
        let mut queue: Vec<usize> = (0..below.len())
            .filter(|at| open[*at] == 0 && !broken[*at])
            .collect();
        let mut ordered = vec![false; below.len()];
        while let Some(target) = queue.pop() {
            ordered[target] = true;
            for (at, _) in &above[target] {
                depth[*at] = depth[*at].max(depth[target] + 1);
                ways[*at] = ways[*at].saturating_add(ways[target]);
                open[*at] -= 1;
                if open[*at] == 0 && !broken[*at] {
                    queue.push(*at);
                }
            }
        }
        for (at, rule) in self.correlations.iter().enumerate() {
            if broken[at] {
                continue;
            }
            let place = rule.rules.first().map_or(&rule.place, |(_, place)| place);
            let limit =
                |message: String| Some(about(rule, code::CORRELATION_TOO_DEEP, place, message));
            if !ordered[at] {
                let message = "correlation is part of a circle of references, or refers to one";
                let message = message.to_owned();
                refused[at] = Some(about(rule, code::CORRELATION_CYCLE, place, message));
            } else if depth[at] > CHAIN_DEPTH_MAX {
                refused[at] = limit(format!(
                    "correlations are chained deeper than the limit of {CHAIN_DEPTH_MAX}"
                ));
            } else if ways[at] > CHAIN_WAYS_MAX {
                refused[at] = limit(format!(
                    "correlations branch into more than the limit of {CHAIN_WAYS_MAX} ways"
                ));
            }
        }
    }

    /// References of each correlation that lead to a detection at once.
    fn direct(&self, below: &[Vec<(usize, usize)>]) -> Vec<usize> {
        let rules = self.correlations.iter().zip(below);
        rules
            .map(|(rule, below)| rule.rules.len() - below.len())
            .collect()
    }

    /// The references of a correlation that lead nowhere.
    fn unknown<'r>(
        &self,
        key: Option<&str>,
        references: impl Iterator<Item = &'r (String, Place)>,
    ) -> Vec<Diagnostic> {
        references
            .filter(|(reference, _)| !self.targets.contains_key(reference.as_str()))
            .take(UNKNOWN_MAX)
            .map(|(reference, place)| {
                let message = format!("rule `{reference}` is not loaded");
                Diagnostic::error(code::UNKNOWN_RULE_REFERENCE, place, message)
                    .with_help_from(self.instead(reference))
                    .for_rule(key)
            })
            .collect()
    }

    /// Help with a reference that leads nowhere.
    fn instead(&self, reference: &str) -> Option<String> {
        match self.titles.get(reference) {
            Some(
                Meta { id: Some(key), .. }
                | Meta {
                    name: Some(key), ..
                },
            ) => Some(format!("a title is no reference; write `{key}`")),
            Some(_) => Some("a title is no reference; give the rule an id or a name".to_owned()),
            None => self.similar(reference),
        }
    }

    /// Help that names a similar id or name.
    fn similar(&self, reference: &str) -> Option<String> {
        let given = self.suggestions.replace(self.suggestions.get() + 1);
        let mut near = None;
        if given < SUGGESTIONS_MAX {
            let mut keys: Vec<&str> = self.targets.keys().copied().collect();
            keys.sort_unstable();
            near = suggestion(reference, keys);
        }
        near.or_else(|| {
            let help = "write the `id` or `name` of a rule that loads from the same folders";
            Some(help.to_owned())
        })
    }
}

/// An error about a correlation.
fn about(rule: &Correlation, code: Code, place: &Place, message: String) -> Diagnostic {
    Diagnostic::error(code, place, message).for_rule(Some(rule.meta.key()))
}

/// Aliases with rules as written in `rules`, whichever of their names the alias uses.
fn aliases(
    rule: &Correlation,
    known: &[Target<'_>],
    places: &[Place],
    problems: &mut Vec<Diagnostic>,
) -> Aliases {
    let mut names: HashMap<&str, Vec<&str>> = HashMap::new();
    for ((listed, _), target) in rule.rules.iter().zip(known) {
        let meta = target.meta();
        let own = [
            Some(listed.as_str()),
            meta.id.as_deref(),
            meta.name.as_deref(),
        ];
        for name in own.into_iter().flatten() {
            let found = names.entry(name).or_default();
            if !found.contains(&listed.as_str()) {
                found.push(listed);
            }
        }
    }
    let mut places = places.iter();
    let mut resolved = Aliases::with_capacity(rule.aliases.len());
    for (alias, pairs) in &rule.aliases {
        let mut own = Vec::with_capacity(pairs.len());
        for (name, field) in pairs {
            let place = places.next().unwrap_or(&rule.place);
            let listed: Vec<&str> = names.get(name.as_str()).cloned().unwrap_or_default();
            if listed.is_empty() {
                let message =
                    format!("alias `{alias}` names rule `{name}`, which is not in `rules`");
                let problem = about(rule, code::UNKNOWN_RULE_REFERENCE, place, message);
                let listed = rule.rules.iter().map(|(listed, _)| listed.as_str());
                let help = suggestion(name, listed)
                    .unwrap_or_else(|| "name one of the rules, or add it to `rules`".to_owned());
                problems.push(problem.with_help(help));
            }
            own.extend(
                listed
                    .into_iter()
                    .map(|listed| (listed.to_owned(), field.clone())),
            );
        }
        resolved.insert(alias.clone(), own);
    }
    resolved
}

/// A boolean condition over the referenced rules; it must name all of them. Whether it does is told only
/// where all of them are loaded.
fn expression(
    rule: &Correlation,
    found: &[Option<Target<'_>>],
    node: &Node,
    problems: &mut Vec<Diagnostic>,
) -> Option<Expr> {
    let mut names = Vec::new();
    for (at, ((listed, _), target)) in rule.rules.iter().zip(found).enumerate() {
        names.push((listed.as_str(), at));
        let Some(meta) = target.map(Target::meta) else {
            continue;
        };
        let others = [meta.name.as_deref(), meta.id.as_deref()].into_iter();
        let others = others.flatten().filter(|other| other != listed);
        names.extend(others.map(|name| (name, at)));
    }
    let text = node.as_text().unwrap_or_default();
    let expr = match condition::parse(text, &Names::of(names), Selectors::Refused) {
        Ok(expr) => expr,
        Err(found) => {
            for problem in found {
                let place = node.place_within(problem.span);
                let said = about(rule, problem.code, &place, problem.message);
                problems.push(said.with_help_from(problem.help));
            }
            return None;
        }
    };
    let mut used = vec![false; found.len()];
    mark(&expr, &mut used);
    if expr.negates() {
        let place = condition::first_not(text).map(|span| node.place_within(span));
        let message = "`not` in the condition of a correlation has no settled meaning";
        problems.push(
            about(
                rule,
                code::INVALID_CORRELATION,
                place.as_ref().unwrap_or(&node.place),
                message.to_owned(),
            )
            .with_help(
                "absence can only be judged when the window has passed; exclude events in the \
                 condition of the referenced rules instead",
            ),
        );
        return None;
    }
    if found.iter().any(Option::is_none) {
        return None;
    }
    if let Some(at) = used.iter().position(|used| !used) {
        let (unused, _) = &rule.rules[at];
        let message = format!("condition does not name rule `{unused}`");
        problems.push(
            about(rule, code::INVALID_CORRELATION, &node.place, message).with_help(
                "name every rule of `rules` in the condition, or leave it out of `rules`",
            ),
        );
        return None;
    }
    Some(expr)
}

/// Marks the rules that an expression names.
fn mark(expr: &Expr, used: &mut [bool]) {
    match expr {
        Expr::Search(at) => {
            if let Some(slot) = used.get_mut(*at) {
                *slot = true;
            }
        }
        Expr::Not(inner) => mark(inner, used),
        Expr::And(parts) | Expr::Or(parts) | Expr::AtLeast(_, parts) => {
            for part in parts {
                mark(part, used);
            }
        }
    }
}
