//! Logic: conditions and searches that decide nothing.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::facts::{Fact, alternatives, conjunction_implies};
use super::items::{OLD_TIMEFRAME, searches, section};
use super::{Check, Found, Rule, Workspace};
use crate::diagnostic::{Code, Diagnostic, Edit, Place, code};
use crate::rule::item::{Item, Target};
use crate::rule::parse::RuleDocument;
use crate::rule::{Expr, Search};
use crate::yaml::Node;
use table::Table;

mod table;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::warning(code::SEARCH_UNUSED, search_unused),
    Check::warning(code::CONDITION_ALWAYS_TRUE, condition_always_true),
    Check::warning(code::CONDITION_ALWAYS_FALSE, condition_always_false),
    Check::warning(code::SEARCH_WITHOUT_EFFECT, search_without_effect),
    Check::info(code::QUANTITY_OF_ONE, quantity_of_one),
    Check::warning(code::DOUBLE_NOT, double_not),
    Check::info(code::SEARCHES_IDENTICAL, searches_identical),
    Check::warning(code::CONDITION_ONLY_EXCLUDES, condition_only_excludes),
    Check::warning(code::SEARCH_ONLY_EXCLUDES, search_only_excludes),
    Check::warning(code::ENTRIES_CONTRADICT, entries_contradict),
    Check::warning(code::ENTRIES_NEED_LIST, entries_need_list),
    Check::info(code::ENTRY_IMPLIED, entry_implied),
    Check::info(code::ALTERNATIVE_COVERED, alternative_covered),
];

/// Most entries of one field in a mapping that are held against each other.
const ENTRIES_MAX: usize = 50;

/// A rule or filter with a condition over searches.
struct Logic<'a> {
    rule: Rule<'a>,
    document: &'a RuleDocument,
    searches: &'a IndexMap<String, Search>,
    condition: &'a Expr,
}

fn logics<'a>(workspace: &Workspace<'a>) -> impl Iterator<Item = Logic<'a>> {
    workspace.readable().filter_map(|(document, rule)| {
        let (searches, condition) = match rule {
            Rule::Detection(rule) => (&rule.searches, &rule.condition),
            Rule::Filter(filter) => (&filter.searches, &filter.condition),
            Rule::Correlation(_) => return None,
        };
        Some(Logic {
            rule,
            document,
            searches,
            condition,
        })
    })
}

impl<'a> Logic<'a> {
    /// The name of the search at a place.
    fn name(&self, place: usize) -> &'a str {
        self.searches
            .get_index(place)
            .map_or("", |(name, _)| name.as_str())
    }

    /// Where the name of a search stands.
    fn place(&self, name: &str) -> &'a Place {
        searches(self.document)
            .find(|(key, _)| key.as_text() == Some(name))
            .map_or(&self.document.root.place, |(key, _)| &key.place)
    }

    /// The condition as written; several, if it is a list.
    fn conditions(&self) -> impl Iterator<Item = &'a Node> {
        let node = section(self.document).and_then(|section| section.get("condition"));
        let list = node.and_then(Node::as_seq);
        let single = node.filter(|node| node.as_seq().is_none());
        list.unwrap_or_default().iter().chain(single)
    }

    fn condition_place(&self) -> &'a Place {
        self.conditions()
            .next()
            .map_or(&self.document.root.place, |node| &node.place)
    }

    fn finding(
        &self,
        code: Code,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::warning(code, place, message)
            .with_help(help)
            .for_rule(Some(self.rule.meta().key()))
    }
}

/// What a condition does not name decides nothing, and looks as if it did.
fn search_unused(workspace: &Workspace<'_>, found: &mut Found) {
    for logic in logics(workspace) {
        let mut named = vec![false; logic.searches.len()];
        table::each_search(logic.condition, &mut |place| {
            if let Some(named) = named.get_mut(place) {
                *named = true;
            }
        });
        for (place, _) in named.iter().enumerate().filter(|(_, named)| !**named) {
            let name = logic.name(place);
            if name == OLD_TIMEFRAME {
                found.push(logic.finding(
                    code::SEARCH_UNUSED,
                    logic.place(name),
                    "`timeframe` belongs to Sigma's old aggregations and says nothing here",
                    "take it out; to count events in time, write a correlation with `timespan`",
                ));
                continue;
            }
            found.push(logic.finding(
                code::SEARCH_UNUSED,
                logic.place(name),
                format!("search `{name}` is not used by the condition"),
                "name it in the condition, or take it out",
            ));
        }
    }
}

fn condition_always_true(workspace: &Workspace<'_>, found: &mut Found) {
    for logic in logics(workspace) {
        let table = Table::of(logic.searches, logic.condition);
        if table.is_some_and(|table| !table.can_be(false)) {
            found.push(logic.finding(
                code::CONDITION_ALWAYS_TRUE,
                logic.condition_place(),
                "condition holds for every event, whatever the searches say",
                "write a condition that some event does not meet",
            ));
        }
    }
}

fn condition_always_false(workspace: &Workspace<'_>, found: &mut Found) {
    for logic in logics(workspace) {
        let table = Table::of(logic.searches, logic.condition);
        if table.is_some_and(|table| !table.can_be(true)) {
            found.push(logic.finding(
                code::CONDITION_ALWAYS_FALSE,
                logic.condition_place(),
                "condition holds for no event, the rule never fires",
                "write a condition that some event meets",
            ));
        }
    }
}

fn search_without_effect(workspace: &Workspace<'_>, found: &mut Found) {
    for logic in logics(workspace) {
        let Some(table) = Table::of(logic.searches, logic.condition) else {
            continue;
        };
        if !table.can_be(true) || !table.can_be(false) {
            continue;
        }
        for place in table.without_effect() {
            let name = logic.name(place);
            found.push(logic.finding(
                code::SEARCH_WITHOUT_EFFECT,
                logic.place(name),
                format!("search `{name}` changes nothing: the other searches decide the condition"),
                "take it out, or see whether the condition says what was meant",
            ));
        }
    }
}

/// `1 of x*` over a single search. Filters are left out: that more of them will come is a habit of
/// public rules.
fn quantity_of_one(workspace: &Workspace<'_>, found: &mut Found) {
    for logic in logics(workspace) {
        for node in logic.conditions() {
            let text = node.as_text().unwrap_or_default();
            let words = table::words(text);
            for three in words.windows(3) {
                let [(quantity, start), (of, _), (pattern, end)] = three else {
                    continue;
                };
                if *of != "of" || pattern.starts_with("filter") {
                    continue;
                }
                let mut selected = logic
                    .searches
                    .keys()
                    .filter(|name| table::selects(pattern, name));
                let (Some(name), None) = (selected.next(), selected.next()) else {
                    continue;
                };
                let part = *start..*end + pattern.len();
                let written = text.get(part.clone()).unwrap_or_default();
                let place = node.place_within(part.clone());
                let one = logic.finding(
                    code::QUANTITY_OF_ONE,
                    &place,
                    format!("`{written}` selects `{name}` alone"),
                    format!("write `{name}`"),
                );
                let exact = node.is_verbatim() && place.span.len() == part.len();
                let fits = matches!(*quantity, "1" | "all" | "any");
                found.push(if exact && fits {
                    one.with_fix(
                        "name the search",
                        vec![Edit::replace(&place, name.as_str())],
                    )
                } else {
                    one
                });
            }
        }
    }
}

fn double_not(workspace: &Workspace<'_>, found: &mut Found) {
    for logic in logics(workspace) {
        for node in logic.conditions() {
            let words = table::words(node.as_text().unwrap_or_default());
            for (at, (_, start)) in words.iter().enumerate() {
                let mut next = words.iter().skip(at).map(|(word, _)| *word);
                let mut next = || next.next().unwrap_or_default();
                let twice = match (next(), next(), next()) {
                    ("not", "not", _) => true,
                    ("not", "(", "not") => {
                        next();
                        next() == ")"
                    }
                    _ => false,
                };
                if twice {
                    found.push(logic.finding(
                        code::DOUBLE_NOT,
                        &node.place_within(*start..*start + "not".len()),
                        "`not` of a `not` is what stood there before",
                        "take both out",
                    ));
                }
            }
        }
    }
}

fn searches_identical(workspace: &Workspace<'_>, found: &mut Found) {
    for logic in logics(workspace) {
        let Some(table) = Table::of(logic.searches, logic.condition) else {
            continue;
        };
        for (first, second) in table.identical() {
            let (first, second) = (logic.name(*first), logic.name(*second));
            found.push(logic.finding(
                code::SEARCHES_IDENTICAL,
                logic.place(second),
                format!("search `{second}` is the same as `{first}`"),
                "take one of them out, or see whether a copy was left unchanged",
            ));
        }
    }
}

/// Whether an event without any field makes the rule fire.
fn condition_only_excludes(workspace: &Workspace<'_>, found: &mut Found) {
    for logic in logics(workspace) {
        if matches!(logic.rule, Rule::Detection(_))
            && table::holds(logic.condition, &|_| false)
            && Table::of(logic.searches, logic.condition).is_none_or(|table| table.can_be(false))
        {
            found.push(logic.finding(
                code::CONDITION_ONLY_EXCLUDES,
                logic.condition_place(),
                "condition holds for events that no search matches, which are nearly all",
                "join it with a search by `and`: `selection and not filter`",
            ));
        }
    }
}

fn search_only_excludes(workspace: &Workspace<'_>, found: &mut Found) {
    for logic in logics(workspace) {
        if !matches!(logic.rule, Rule::Detection(_)) || table::holds(logic.condition, &|_| false) {
            continue;
        }
        let bare: Vec<bool> = logic.searches.values().map(holds_for_nothing).collect();
        let of = |place: usize| bare.get(place).copied().unwrap_or_default();
        if table::holds(logic.condition, &of) {
            let first = bare.iter().position(|bare| *bare).unwrap_or_default();
            let name = logic.name(first);
            found.push(logic.finding(
                code::SEARCH_ONLY_EXCLUDES,
                logic.place(name),
                format!("search `{name}` asks only what is absent or different, so the rule fires on nearly every event"),
                "add an entry that says what the event is",
            ));
        }
    }
}

/// Whether a search holds for an event that has no field at all.
fn holds_for_nothing(search: &Search) -> bool {
    match search {
        Search::AllOf(parts) => parts.iter().all(holds_for_nothing),
        Search::AnyOf(parts) => parts.iter().any(holds_for_nothing),
        Search::Item(item) => Fact::of(item).is_some_and(|fact| fact.holds_without_value()),
    }
}

// ---------------------------------------------------------------------------------------------
// Entries of one mapping

/// Calls `each` for every two entries of one mapping, in order.
fn pairs(workspace: &Workspace<'_>, each: &mut dyn FnMut(&Logic<'_>, &Fact<'_>, &Fact<'_>)) {
    for logic in logics(workspace) {
        for search in logic.searches.values() {
            pairs_of(search, &mut |one, other| each(&logic, one, other));
        }
    }
}

fn pairs_of(search: &Search, each: &mut dyn FnMut(&Fact<'_>, &Fact<'_>)) {
    let (Search::AllOf(parts) | Search::AnyOf(parts)) = search else {
        return;
    };
    if matches!(search, Search::AnyOf(_)) {
        for part in parts {
            pairs_of(part, each);
        }
        return;
    }
    let items = parts.iter().filter_map(|part| match part {
        Search::Item(item) => Some(item),
        _ => None,
    });
    let mut by_target = HashMap::<&Target, Vec<&Item>>::new();
    for item in items.clone() {
        by_target.entry(&item.target).or_default().push(item);
    }
    // Nearly all entries of a mapping look at different fields, and need not be read at all.
    for item in items {
        let Some(same) = by_target.remove(&item.target) else {
            continue;
        };
        if !(2..=ENTRIES_MAX).contains(&same.len()) {
            continue;
        }
        let facts: Vec<Fact<'_>> = same.into_iter().filter_map(Fact::of).collect();
        for (at, one) in facts.iter().enumerate() {
            for other in facts.iter().skip(at + 1) {
                each(one, other);
            }
        }
    }
}

/// How an entry's field is called.
fn field(fact: &Fact<'_>) -> String {
    match &fact.item.target {
        Target::Keywords => "the keywords".to_owned(),
        Target::Fields(names) => format!("`{}`", names.join("`, `")),
    }
}

fn entries_contradict(workspace: &Workspace<'_>, found: &mut Found) {
    pairs(workspace, &mut |logic, one, other| {
        if one.excludes(other) {
            found.push(logic.finding(
                code::ENTRIES_CONTRADICT,
                &other.item.place,
                format!("entry contradicts an earlier one of {}", field(one)),
                "entries of one mapping must all hold: write a list of mappings for alternatives",
            ));
        }
    });
}

fn entries_need_list(workspace: &Workspace<'_>, found: &mut Found) {
    pairs(workspace, &mut |logic, one, other| {
        if !one.excludes(other) && one.excludes_as_scalar(other) {
            found.push(logic.finding(
                code::ENTRIES_NEED_LIST,
                &other.item.place,
                format!(
                    "no single value meets this entry and an earlier one of {}",
                    field(one)
                ),
                "entries of one mapping must all hold: write a list of mappings for alternatives",
            ));
        }
    });
}

fn entry_implied(workspace: &Workspace<'_>, found: &mut Found) {
    pairs(workspace, &mut |logic, one, other| {
        let implied = if one.implies(other) {
            other
        } else if other.implies(one) {
            one
        } else {
            return;
        };
        found.push(logic.finding(
            code::ENTRY_IMPLIED,
            &implied.item.place,
            format!("entry follows from another one of {}", field(one)),
            "take it out",
        ));
    });
}

fn alternative_covered(workspace: &Workspace<'_>, found: &mut Found) {
    for logic in logics(workspace) {
        for (name, search) in logic.searches {
            let (Search::AnyOf(_), Some(alternatives)) = (search, alternatives(search)) else {
                continue;
            };
            for (at, one) in alternatives.iter().enumerate() {
                let covering = alternatives.iter().enumerate().find(|(place, other)| {
                    *place != at
                        && conjunction_implies(one, other)
                        // Of two equal ones the later is reported.
                        && (*place < at || !conjunction_implies(other, one))
                });
                if let (Some((place, _)), Some(first)) = (covering, one.first()) {
                    found.push(logic.finding(
                        code::ALTERNATIVE_COVERED,
                        &first.item.place,
                        format!(
                            "alternative {} of `{name}` is covered by alternative {}",
                            at + 1,
                            place + 1
                        ),
                        "take it out",
                    ));
                }
            }
        }
    }
}
