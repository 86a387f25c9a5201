//! Fields and log sources: what records were never seen with.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::{Check, Found, Workspace, key_of, logsource_of};
use crate::diagnostic::{Code, Diagnostic, Place, code, nearest};
use crate::event::LogType;
use crate::logsource::{Logsource, Routing};
use crate::observed::{Kind, Known, Observed};
use crate::rule::item::{Anchor, Item, Target};
use crate::rule::modifier::{Chain, Kind as Test};
use crate::rule::text::SigmaText;
use crate::rule::{Detection, RawValue, Search};
use crate::yaml::Node;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::warning(code::FIELD_NEVER_SEEN, field_never_seen),
    Check::info(code::FIELD_NOT_IN_SAMPLES, field_not_in_samples),
    Check::warning(code::FIELD_CASE, field_case),
    Check::warning(code::FIELD_IS_OBJECT, field_is_object),
    Check::warning(code::LOGSOURCE_MISTYPED, logsource_mistyped),
    Check::info(code::LOGSOURCE_NOT_CARRIED, logsource_not_carried),
    Check::info(code::LOGSOURCE_BROAD, logsource_broad),
];

/// Events of a log type from which their fields say something. At twelve, as there are samples of
/// Windows security events, most of the fields that public rules name are not among them.
const EVENTS_MIN: u64 = 15;
/// Own events of a log type from which a field that none of them has is most probably a mistake.
const OWN_EVENTS_MIN: u64 = 100;
/// Most findings for which a field is looked for that may have been meant: each is a look at all.
pub(super) const NEAR_MAX: usize = 20;
/// Most entries of one rule whose fields are looked up, in each of its log types. No rule that somebody
/// wrote has as many; what stands behind them loads, and has no findings about its fields.
const ENTRIES_MAX: usize = 1_000;
/// Log types from which a log source is broad.
const BROAD_FROM: usize = 5;

/// The log types whose events a rule judges.
pub(super) fn judged<'o>(observed: &'o Observed, logsource: &Logsource) -> Vec<&'static LogType> {
    let all: &'o [&'static LogType] = observed.log_types();
    all.iter()
        .copied()
        .filter(|log_type| {
            !log_type.logsources.is_empty()
                && logsource.admits(log_type.logsources, Routing::Strict)
        })
        .collect()
}

/// How well the fields of log types are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sure {
    /// From samples.
    Samples,
    /// From many own events.
    Own,
}

/// How well the fields of these log types are known; `None` if too few events of all of them were
/// seen. A log type that one does not get at all does not count against one's own events.
pub(super) fn sure(observed: &Observed, log_types: &[&'static LogType]) -> Option<Sure> {
    let events = || log_types.iter().map(|one| observed.events(one.name));
    let many = events().any(|(_, own)| own >= OWN_EVENTS_MIN);
    if many && events().all(|(_, own)| own == 0 || own >= OWN_EVENTS_MIN) {
        return Some(Sure::Own);
    }
    let mut both = events().map(|(samples, own)| samples.saturating_add(own));
    both.any(|count| count >= EVENTS_MIN)
        .then_some(Sure::Samples)
}

/// A field that a rule names, which no event of its log types was seen with.
struct Missing<'a> {
    rule: &'a Detection,
    item: &'a Item,
    name: &'a str,
    log_types: Vec<&'static LogType>,
    sure: Sure,
    /// The spelling that was seen, if only case differs.
    case: Option<String>,
}

/// Calls `each` for every entry of a rule whose field no event of its log types has under any of the
/// paths that pipelines made of it.
fn missing(workspace: &Workspace<'_>, each: &mut dyn FnMut(Missing<'_>)) {
    let Some(observed) = workspace.observed else {
        return;
    };
    for (written, mapped) in workspace.pairs() {
        let log_types = judged(observed, &mapped.logsource);
        let Some(sure) = sure(observed, &log_types) else {
            continue;
        };
        each_item(written, &mut |item| {
            let Target::Fields(names) = &item.target else {
                return;
            };
            let Some(name) = names.first() else { return };
            let paths = mapped.names.paths(name);
            let known = |path: &String| {
                log_types
                    .iter()
                    .map(|log_type| observed.known(log_type, path))
                    .collect::<Vec<_>>()
            };
            let known: Vec<Known<'_>> = paths.iter().flat_map(known).collect();
            let there = |known: &Known<'_>| matches!(known, Known::Seen(_) | Known::Possible);
            if known.iter().any(there) {
                return;
            }
            let case = known.iter().find_map(|known| match known {
                Known::Case(other) => Some((*other).to_owned()),
                _ => None,
            });
            each(Missing {
                rule: written,
                item,
                name,
                log_types: log_types.clone(),
                sure,
                case,
            });
        });
    }
}

/// Calls `each` for the first [`ENTRIES_MAX`] entries of a rule.
fn each_item<'a>(rule: &'a Detection, each: &mut dyn FnMut(&'a Item)) {
    let mut left = ENTRIES_MAX;
    let mut open: Vec<&'a Search> = rule.searches.values().rev().collect();
    while let Some(search) = open.pop() {
        match search {
            Search::AllOf(parts) | Search::AnyOf(parts) => open.extend(parts.iter().rev()),
            Search::Item(_) if left == 0 => return,
            Search::Item(item) => {
                left -= 1;
                each(item);
            }
        }
    }
}

impl Missing<'_> {
    fn finding(&self, code: Code, message: String, help: Option<String>) -> Diagnostic {
        Diagnostic::warning(code, &self.item.place, message)
            .with_help_from(help)
            .for_rule(Some(self.rule.meta.key()))
    }

    /// The log types in words.
    fn of(&self) -> String {
        names(&self.log_types)
    }
}

/// Log types in words.
pub(super) fn names(log_types: &[&'static LogType]) -> String {
    match log_types {
        [one] => format!("`{}`", one.name),
        [one, other] => format!("`{}` or `{}`", one.name, other.name),
        [one, rest @ ..] => format!("`{}` and {} more log types", one.name, rest.len()),
        [] => "any log type".to_owned(),
    }
}

/// The seen field that a name most probably stands for, under its whole path or its last part.
pub(super) fn near_field(
    observed: &Observed,
    log_types: &[&'static LogType],
    name: &str,
) -> Option<String> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let wanted = last(name);
    let paths = || log_types.iter().flat_map(|one| observed.paths(one.name));
    let same = paths().find(|path| last(path).eq_ignore_ascii_case(&wanted));
    // The object that would hold the field is no spelling of it.
    let holds = |path: &&str| {
        let rest = name.strip_prefix(*path);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let near = same.or_else(|| nearest(name, paths().filter(|path| !holds(path))));
    near.map(|path| format!("did you mean `{path}`?"))
}

fn field_never_seen(workspace: &Workspace<'_>, found: &mut Found) {
    absent(workspace, (Sure::Own, code::FIELD_NEVER_SEEN), found);
}

fn field_not_in_samples(workspace: &Workspace<'_>, found: &mut Found) {
    absent(
        workspace,
        (Sure::Samples, code::FIELD_NOT_IN_SAMPLES),
        found,
    );
}

fn absent(workspace: &Workspace<'_>, (sure, code): (Sure, Code), found: &mut Found) {
    let Some(observed) = workspace.observed else {
        return;
    };
    missing(workspace, &mut |missing| {
        if missing.sure != sure || missing.case.is_some() {
            return;
        }
        let (name, of) = (missing.name, missing.of());
        let whose = match sure {
            Sure::Own => "observed event",
            Sure::Samples => "sample",
        };
        let message = format!("no {whose} of {of} has a field `{name}`");
        let near = || near_field(observed, &missing.log_types, name);
        let help = (found.len() < NEAR_MAX).then(near).flatten();
        let help = help.or_else(|| {
            Some("see with `palisade decode` what your events hold, and `check --observed`".into())
        });
        found.push(missing.finding(code, message, help));
    });
}

fn field_case(workspace: &Workspace<'_>, found: &mut Found) {
    missing(workspace, &mut |missing| {
        if let Some(other) = &missing.case {
            let message = format!(
                "field names tell case apart, and events of {} have `{other}`",
                missing.of()
            );
            let help = Some(format!("write `{other}`"));
            found.push(missing.finding(code::FIELD_CASE, message, help));
        }
    });
}

/// Whether an entry compares whole values with texts or numbers.
fn compares_whole(item: &Item) -> bool {
    let Ok(chain) = Chain::of(&item.modifiers) else {
        return false;
    };
    let whole = |value: &RawValue| match value {
        RawValue::Text(text) => SigmaText::parse(text)
            .as_literal()
            .is_some_and(|text| !text.is_empty()),
        RawValue::Number(_) | RawValue::Bool(_) => true,
        RawValue::Null | RawValue::Paths(_) | RawValue::List(_) => false,
    };
    match chain.kind {
        Test::Compare(_) | Test::Cidr => true,
        Test::Text => chain.anchor == Anchor::Whole && item.values.iter().all(whole),
        _ => false,
    }
}

/// Whether events of these log types hold objects, and nothing else, under the paths.
pub(super) fn holds_object(
    observed: &Observed,
    log_types: &[&'static LogType],
    paths: &[String],
) -> bool {
    let mut seen = false;
    let scalar = |path: &String| {
        log_types
            .iter()
            .any(|log_type| match observed.known(log_type, path) {
                Known::Seen(kinds) => {
                    seen = true;
                    let scalar =
                        |kind: &Kind| !matches!(kind, Kind::Object | Kind::Open | Kind::List);
                    // An empty list says nothing about its elements.
                    kinds.keys().any(scalar) || !kinds.contains_key(&Kind::Object)
                }
                Known::Possible => true,
                Known::Case(_) | Known::Never => false,
            })
    };
    !paths.iter().any(scalar) && seen
}

/// A whole value asked of a field that holds an object.
fn field_is_object(workspace: &Workspace<'_>, found: &mut Found) {
    let Some(observed) = workspace.observed else {
        return;
    };
    for (written, mapped) in workspace.pairs() {
        let log_types = judged(observed, &mapped.logsource);
        if sure(observed, &log_types).is_none() {
            continue;
        }
        each_item(written, &mut |item| {
            let Target::Fields(names_written) = &item.target else {
                return;
            };
            if !compares_whole(item) {
                return;
            }
            let Some(name) = names_written.first() else {
                return;
            };
            if holds_object(observed, &log_types, &mapped.names.paths(name)) {
                let message = format!(
                    "field `{name}` holds an object in events of {}, never this value",
                    names(&log_types)
                );
                found.push(
                    Diagnostic::warning(code::FIELD_IS_OBJECT, &item.place, message)
                        .with_help("name the member that holds it, as in `status.errorCode`")
                        .for_rule(Some(written.meta.key())),
                );
            }
        });
    }
}

// ---------------------------------------------------------------------------------------------
// Log sources

/// A log source, and where it stands.
struct Source<'a> {
    /// What its rule is called.
    rule: Option<&'a str>,
    /// As judged; as written, where the rule does not load.
    logsource: Cow<'a, Logsource>,
    place: &'a Place,
    /// As written.
    node: Option<&'a Node>,
}

/// The log sources of all detection rules.
fn logsources<'a>(workspace: &Workspace<'a>) -> impl Iterator<Item = Source<'a>> {
    let mapped: HashMap<(&str, usize), &'a Logsource> = workspace
        .pairs()
        .map(|(written, mapped)| {
            let place = &written.place;
            ((&*place.file, place.span.start), &mapped.logsource)
        })
        .collect();
    let documents = workspace.documents.iter();
    documents.filter_map(move |document| {
        let root = &document.root.place;
        let place = document.root.entry("logsource").map(|(key, _)| &key.place);
        let logsource = match (document.rule, mapped.get(&(&*root.file, root.span.start))) {
            (_, Some(mapped)) => Cow::Borrowed(*mapped),
            // A pipeline refused it and says why.
            (Some(_), None) => return None,
            (None, None) => Cow::Owned(logsource_of(document)?),
        };
        Some(Source {
            rule: key_of(document),
            logsource,
            place: place.unwrap_or(root),
            node: document.root.get("logsource"),
        })
    })
}

/// Parts of log sources that log types state: products, and the services of each.
fn stated(observed: &Observed) -> BTreeMap<&str, Vec<&str>> {
    let mut stated = BTreeMap::<&str, Vec<&str>>::new();
    let all = observed.log_types().iter().flat_map(|one| one.logsources);
    for logsource in all {
        if let Some(product) = logsource.product.as_deref() {
            let services = stated.entry(product).or_default();
            services.extend(logsource.service.as_deref());
        }
    }
    stated
}

fn logsource_mistyped(workspace: &Workspace<'_>, found: &mut Found) {
    let Some(observed) = workspace.observed else {
        return;
    };
    let stated = stated(observed);
    for Source {
        rule,
        logsource,
        place,
        node,
    } in logsources(workspace)
    {
        let logsource = &*logsource;
        let Some(product) = logsource.product.as_deref() else {
            continue;
        };
        if logsource.category.is_some() || !judged(observed, logsource).is_empty() {
            continue;
        }
        let near = match (stated.get(product), logsource.service.as_deref()) {
            (None, _) => nearest(product, stated.keys().copied()).map(|near| ("product", near)),
            (Some(services), Some(service)) => {
                nearest(service, services.iter().copied()).map(|near| ("service", near))
            }
            (Some(_), None) => None,
        };
        if let Some((part, near)) = near {
            let place = node
                .and_then(|node| node.get(part))
                .map_or(place, |value| &value.place);
            found.push(
                Diagnostic::warning(
                    code::LOGSOURCE_MISTYPED,
                    place,
                    format!("no log type carries `{logsource}`"),
                )
                .with_help(format!("did you mean the {part} `{near}`?"))
                .for_rule(rule),
            );
        }
    }
}

/// Reported once for each log source: a collection of public rules has hundreds of each.
fn logsource_not_carried(workspace: &Workspace<'_>, found: &mut Found) {
    let Some(observed) = workspace.observed else {
        return;
    };
    let stated = stated(observed);
    let mut by_source = BTreeMap::<String, (Diagnostic, usize)>::new();
    for Source {
        rule,
        logsource,
        place,
        ..
    } in logsources(workspace)
    {
        let logsource = &*logsource;
        // Records of other Azure services state their category as the service.
        let any_service =
            logsource.product.as_deref() == Some("azure") && logsource.category.is_none();
        let services = logsource
            .product
            .as_deref()
            .and_then(|product| stated.get(product));
        let mistyped = logsource.category.is_none()
            && services.is_none()
            && logsource
                .product
                .as_deref()
                .is_some_and(|product| nearest(product, stated.keys().copied()).is_some());
        if any_service || mistyped || !judged(observed, logsource).is_empty() {
            continue;
        }
        let shown = logsource.to_string();
        let message = format!("no log type carries `{shown}`");
        let one = Diagnostic::info(code::LOGSOURCE_NOT_CARRIED, place, message).for_rule(rule);
        by_source.entry(shown).or_insert((one, 0)).1 += 1;
    }
    found.extend(by_source.into_values().map(|(one, rules)| {
        let others = match rules {
            1 => String::new(),
            _ => format!("; {} more rules ask for it", rules - 1),
        };
        one.with_help(format!(
            "such rules judge only sources whose `logsource` in the configuration says so{others}"
        ))
    }));
}

fn logsource_broad(workspace: &Workspace<'_>, found: &mut Found) {
    let Some(observed) = workspace.observed else {
        return;
    };
    for Source {
        rule,
        logsource,
        place,
        ..
    } in logsources(workspace)
    {
        let logsource = &*logsource;
        let judged = judged(observed, logsource).len();
        if judged >= BROAD_FROM && logsource.service.is_none() && logsource.category.is_none() {
            found.push(
                Diagnostic::info(
                    code::LOGSOURCE_BROAD,
                    place,
                    format!("rule judges the events of {judged} log types"),
                )
                .with_help("name the `service`, so that other events need not be looked at")
                .for_rule(rule),
            );
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
