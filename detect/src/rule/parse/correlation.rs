//! Correlation rules.

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Place, code, suggestion};
use crate::yaml::Node;

use super::super::{Bounds, Comparison, Correlation, CorrelationKind, TemporalCondition, Wording};
use super::detection::{field_fits, need_fields, need_texts};
use super::document::{Reader, scalar_text};
use super::misspelt::{CORRELATION_KEYS, in_correlation, misspelt};

/// Names of the types; `value_median` is an extension that pySigma and others share.
const TYPES: [(&str, Type); 8] = [
    ("event_count", Type::EventCount),
    ("value_count", Type::ValueCount),
    ("value_sum", Type::ValueSum),
    ("value_avg", Type::ValueAvg),
    ("value_percentile", Type::ValuePercentile),
    ("value_median", Type::ValueMedian),
    ("temporal", Type::Temporal),
    ("temporal_ordered", Type::TemporalOrdered),
];

/// Most rules that one correlation refers to.
const RULES_PER_CORRELATION_MAX: usize = 1_000;

/// Names of the types, for help and schemas.
pub fn type_names() -> [&'static str; TYPES.len()] {
    TYPES.map(|(name, _)| name)
}

/// Names of the operators in a condition.
pub const OPERATORS: [(&str, Comparison); 6] = [
    ("gt", Comparison::Gt),
    ("gte", Comparison::Gte),
    ("lt", Comparison::Lt),
    ("lte", Comparison::Lte),
    ("eq", Comparison::Eq),
    ("neq", Comparison::Neq),
];

/// A correlation whose references are not resolved yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) correlation: Correlation,
    /// A boolean condition over the referenced rules.
    pub(super) expression: Option<Node>,
    /// Places of the rule references under `aliases`, in order.
    pub(super) alias_places: Vec<Place>,
}

/// Types as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    EventCount,
    ValueCount,
    ValueSum,
    ValueAvg,
    ValuePercentile,
    ValueMedian,
    Temporal,
    TemporalOrdered,
}

impl Type {
    fn is_temporal(self) -> bool {
        matches!(self, Self::Temporal | Self::TemporalOrdered)
    }

    fn counts_events(self) -> bool {
        self == Self::EventCount
    }
}

/// Reads a correlation.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Pending> {
    let meta = reader.meta();
    let palisade = reader.palisade();
    let root = reader.root;
    let section = root.get("correlation")?;
    if section.as_map().is_none() {
        reader.wrong_type("correlation", section, "a mapping");
        return None;
    }
    in_correlation(reader, section);
    let kind = kind(reader, section);
    let rules = rules(reader, section);
    let group_by = match section.get("group-by") {
        None => Some(Vec::new()),
        Some(node) => need_fields(reader, "group-by", node),
    };
    let timespan = match section.get("timespan") {
        None => {
            missing(reader, section, "timespan");
            None
        }
        Some(node) => reader.span("timespan", node),
    };
    same_group(reader, &palisade.suppress_by, group_by.as_deref());
    worded_by_group(reader, &palisade.wording, group_by.as_deref());
    let (aliases, alias_places) = aliases(reader, section);
    let generate = generate(reader, section);
    let Some(kind) = kind else {
        // Comparisons are the same for all types that have some.
        if let Some(node) = section.get_some("condition")
            && node.as_map().is_some()
        {
            bounds(reader, node);
        }
        return None;
    };
    let (kind, expression) = condition(reader, section, kind)?;
    if reader.refused() {
        return None;
    }
    Some(Pending {
        correlation: Correlation {
            meta,
            place: root.place.clone(),
            kind,
            rules: rules?,
            group_by: group_by?.into_iter().map(|(name, _)| name).collect(),
            timespan: timespan?,
            aliases,
            generate,
            palisade,
        },
        expression,
        alias_places,
    })
}

/// Reports a mandatory key that is missing, unless one that was to be it is reported.
fn missing(reader: &mut Reader<'_>, section: &Node, key: &str) {
    if misspelt(section, key, &CORRELATION_KEYS).is_none() {
        reader.missing(section, key);
    }
}

/// Checks that a correlation is silenced by its group: the memory of what it said stands with the
/// group, of which each key partition knows its own only.
fn same_group(reader: &mut Reader<'_>, by: &[String], group_by: Option<&[(String, Place)]>) {
    let Some(group_by) = group_by.filter(|_| !by.is_empty()) else {
        return;
    };
    let in_group = |name: &String| group_by.iter().any(|(grouped, _)| grouped == name);
    let in_by = |(grouped, _): &(String, Place)| by.contains(grouped);
    if by.iter().all(in_group) && group_by.iter().all(in_by) {
        return;
    }
    let node = reader.root.get("palisade").and_then(|n| n.get("suppress"));
    let node = node.and_then(|n| n.get("by")).unwrap_or(reader.root);
    let message = "a correlation is silenced for its group: `by` must name what `group-by` names";
    let help = "leave `by` out, or name the fields of `group-by`; to be silenced more widely, \
                group by less";
    let place = node.place.clone();
    reader.push(Diagnostic::error(code::INVALID_CORRELATION, &place, message).with_help(help));
}

/// Checks that a correlation's alert speaks of its group only: no other value is the same for all of
/// its events.
fn worded_by_group(
    reader: &mut Reader<'_>,
    wording: &Wording<String>,
    group_by: Option<&[(String, Place)]>,
) {
    let Some(group_by) = group_by else {
        return;
    };
    let root = reader.root;
    let mut check = |key: &str, name: &String| {
        if group_by.iter().any(|(grouped, _)| grouped == name) {
            return;
        }
        let node = root.get("palisade").and_then(|node| node.get(key));
        let place = &node.unwrap_or(root).place;
        let message = format!("`{name}` is no field or alias that `group-by` names");
        let names = group_by.iter().map(|(name, _)| name.as_str());
        let help = suggestion(name, names)
            .unwrap_or_else(|| "an alert of a correlation can only speak of its group".to_owned());
        reader.push(Diagnostic::error(code::INVALID_CORRELATION, place, message).with_help(help));
    };
    for name in wording.title.iter().flat_map(|(_, fields)| fields) {
        check("title", name);
    }
    if let Some(name) = &wording.level_from {
        check("level_from", name);
    }
    if let Some(name) = &wording.external_id {
        check("external_id", name);
    }
}

/// Reports a correlation that cannot be honoured, with help.
fn refuse(
    reader: &mut Reader<'_>,
    place: &Place,
    message: impl Into<String>,
    help: impl Into<String>,
) {
    let problem = Diagnostic::error(code::INVALID_CORRELATION, place, message);
    reader.push(problem.with_help(help));
}

/// The type.
fn kind(reader: &mut Reader<'_>, section: &Node) -> Option<Type> {
    let Some(node) = section.get_some("type") else {
        missing(reader, section, "type");
        return None;
    };
    let name = scalar_text(node);
    let found = TYPES
        .iter()
        .find(|(known, _)| node.as_text() == Some(known));
    if found.is_none() {
        let names = TYPES.map(|(name, _)| name);
        let help = suggestion(&name, names)
            .unwrap_or_else(|| format!("write one of: {}", names.join(", ")));
        let message = format!("correlation type `{name}` is unknown");
        reader.push(
            Diagnostic::error(code::INVALID_CORRELATION, &node.place, message).with_help(help),
        );
    }
    found.map(|(_, kind)| *kind)
}

/// The references, at least one.
fn rules(reader: &mut Reader<'_>, section: &Node) -> Option<Vec<(String, Place)>> {
    let Some(node) = section.get_some("rules") else {
        missing(reader, section, "rules");
        return None;
    };
    let rules = need_texts(reader, "rules", node)?;
    if rules.len() > RULES_PER_CORRELATION_MAX {
        let message =
            format!("correlation names more rules than the limit of {RULES_PER_CORRELATION_MAX}");
        reader.error(code::CORRELATION_RULES, &node.place, message);
    }
    if rules.is_empty() {
        refuse(
            reader,
            &node.place,
            "list of rules is empty",
            "name the rules whose matches are looked at, by id or name",
        );
    }
    reader.references.clone_from(&rules);
    Some(rules)
}

/// `generate` at the top level or inside the section; the top level wins.
fn generate(reader: &mut Reader<'_>, section: &Node) -> bool {
    let node = reader.root.get("generate").or(section.get("generate"));
    let Some(node) = node else {
        return false;
    };
    let value = node.as_bool();
    if value.is_none() {
        reader.wrong_type("generate", node, "`true` or `false`");
    }
    value.unwrap_or_default()
}

/// Alias name to rule reference and field name of that rule.
pub(super) type Aliases = IndexMap<String, Vec<(String, String)>>;

/// Aliases, with the places of the rules they name.
fn aliases(reader: &mut Reader<'_>, section: &Node) -> (Aliases, Vec<Place>) {
    let mut aliases = IndexMap::new();
    let mut places = Vec::new();
    let Some(node) = section.get_some("aliases") else {
        return (aliases, places);
    };
    let Some(entries) = node.as_map() else {
        reader.wrong_type("aliases", node, "a mapping");
        return (aliases, places);
    };
    for (name, fields) in entries {
        let Some(alias) = name.as_text() else {
            reader.wrong_type("aliases", name, "a mapping with text as keys");
            continue;
        };
        let Some(fields) = fields.as_map() else {
            reader.wrong_type(alias, fields, "a mapping from rules to fields");
            continue;
        };
        let mut pairs = Vec::with_capacity(fields.len());
        for (rule, field) in fields {
            match (rule.as_text(), field.as_text()) {
                (Some(reference), Some(name)) => {
                    field_fits(reader, name, &field.place);
                    pairs.push((reference.to_owned(), name.to_owned()));
                    places.push(rule.place.clone());
                }
                (None, _) => reader.wrong_type(alias, rule, "a mapping from rules to fields"),
                (_, None) => reader.wrong_type(alias, field, "a mapping from rules to fields"),
            }
        }
        aliases.insert(alias.to_owned(), pairs);
    }
    (aliases, places)
}

/// The condition together with the type. An expression is resolved later.
fn condition(
    reader: &mut Reader<'_>,
    section: &Node,
    kind: Type,
) -> Option<(CorrelationKind, Option<Node>)> {
    let temporal = |condition| match kind {
        Type::TemporalOrdered => CorrelationKind::TemporalOrdered(condition),
        _ => CorrelationKind::Temporal(condition),
    };
    let Some(node) = section.get_some("condition") else {
        if kind.is_temporal() {
            return Some((temporal(TemporalCondition::All), None));
        }
        missing(reader, section, "condition");
        return None;
    };
    if node.as_text().is_some() {
        if kind.is_temporal() {
            return Some((temporal(TemporalCondition::All), Some(node.clone())));
        }
        reader.push(
            Diagnostic::error(
                code::INVALID_CORRELATION,
                &node.place,
                "only `temporal` and `temporal_ordered` take an expression over rules",
            )
            .with_help("write a mapping with an operator, such as `gte: 10`"),
        );
        return None;
    }
    if node.as_map().is_none() {
        reader.wrong_type("condition", node, "a mapping");
        return None;
    }
    let bounds = bounds(reader, node);
    if kind.is_temporal() {
        return Some((temporal(TemporalCondition::Count(bounds?)), None));
    }
    if kind.counts_events() {
        return Some((CorrelationKind::EventCount(bounds?), None));
    }
    let fields = fields(reader, node, kind);
    let percentile = match kind {
        Type::ValuePercentile => percentile(reader, node),
        _ => Some(50.0),
    };
    let (bounds, mut fields, percentile) = (bounds?, fields?, percentile?);
    let kind = if kind == Type::ValueCount {
        CorrelationKind::ValueCount(fields, bounds)
    } else {
        let field = fields.swap_remove(0);
        match kind {
            Type::ValueSum => CorrelationKind::ValueSum(field, bounds),
            Type::ValueAvg => CorrelationKind::ValueAvg(field, bounds),
            _ => CorrelationKind::ValuePercentile(field, percentile, bounds),
        }
    };
    Some((kind, None))
}

/// The comparisons, at least one.
fn bounds(reader: &mut Reader<'_>, node: &Node) -> Option<Bounds> {
    let mut bounds = Vec::new();
    let mut valid = true;
    for (key, value) in node.as_map().unwrap_or_default() {
        let name = scalar_text(key);
        if matches!(key.as_text(), Some("field" | "percentile")) {
            continue;
        }
        let operator = OPERATORS
            .iter()
            .find(|(known, _)| key.as_text() == Some(known));
        let Some((_, comparison)) = operator else {
            let names = OPERATORS.map(|(name, _)| name);
            let help = suggestion(&name, names.into_iter().chain(["field", "percentile"]))
                .unwrap_or_else(|| format!("operators are: {}", names.join(", ")));
            let message = format!("condition key `{name}` is unknown");
            reader.push(
                Diagnostic::error(code::INVALID_CORRELATION, &key.place, message).with_help(help),
            );
            valid = false;
            continue;
        };
        if let Some(number) = value.as_float().filter(|number| number.is_finite()) {
            bounds.push((*comparison, number));
        } else {
            refuse(
                reader,
                &value.place,
                match value.as_float() {
                    Some(number) if number.is_nan() => {
                        format!("`{name}` needs a number, and `.nan` is none")
                    }
                    Some(_) => format!("`{name}` needs a finite number; this one is too large"),
                    None => format!("`{name}` needs a number, not {}", value.type_name()),
                },
                format!("write a number without quotes, such as `{name}: 10`"),
            );
            valid = false;
        }
    }
    if valid && bounds.is_empty() {
        reader.push(
            Diagnostic::error(
                code::INVALID_CORRELATION,
                &node.place,
                "condition has no comparison",
            )
            .with_help("add an operator, such as `gte: 10`"),
        );
        valid = false;
    }
    valid.then_some(Bounds(bounds))
}

/// The fields whose values are counted or computed with.
fn fields(reader: &mut Reader<'_>, node: &Node, kind: Type) -> Option<Vec<String>> {
    let Some(field) = node.get_some("field") else {
        reader.missing(node, "field");
        return None;
    };
    let fields = need_fields(reader, "field", field)?;
    if fields.is_empty() {
        reader.wrong_type("field", field, "text or a list of text, at least one");
        return None;
    }
    if fields.len() > 1 && kind != Type::ValueCount {
        refuse(
            reader,
            &field.place,
            "only `value_count` takes several fields",
            "name the one field that holds the numbers",
        );
        return None;
    }
    Some(fields.into_iter().map(|(name, _)| name).collect())
}

/// The percentile, from 0 to 100.
fn percentile(reader: &mut Reader<'_>, node: &Node) -> Option<f64> {
    let written = node.get_some("percentile");
    let value = written
        .and_then(Node::as_float)
        .filter(|percentile| (0.0..=100.0).contains(percentile));
    if value.is_none() {
        let place = &written.unwrap_or(node).place;
        refuse(
            reader,
            place,
            "`value_percentile` needs `percentile`, a number from 0 to 100",
            "write which one beside the bound, such as `condition: {field: size, percentile: 95, gt: 1000}`",
        );
    }
    value
}
