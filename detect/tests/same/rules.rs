//! Generated rule sets: detection rules with every modifier, correlations over them, house keys.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::item::{item, keywords, quoted};

/// Rules of one set, at most.
const RULES_MAX: usize = 8;

/// Names of searches, in order.
const SEARCHES: [&str; 4] = ["s0", "s1", "f0", "f1"];

/// A generated rule set: YAML documents.
#[derive(Clone)]
pub(crate) struct Rules {
    pub(crate) text: String,
    /// The detection rules among them.
    pub(crate) count: usize,
}

/// The rules as they would stand in a file.
impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\n{}", self.text)
    }
}

/// A rule set.
pub(crate) fn rules() -> impl Strategy<Value = Rules> {
    let correlations = vec(correlation(), 0..3);
    (vec(rule(), 1..=RULES_MAX), correlations).prop_map(|(rules, correlations)| {
        let mut text = String::new();
        for (place, rule) in rules.iter().enumerate() {
            write!(text, "---\ntitle: Rule {place}\nname: r{place}\n{rule}").expect("text grows");
        }
        for (place, correlation) in correlations.iter().enumerate() {
            // References lead to rules that are there, also in a small set.
            let rule = |nth: usize| format!("r{}", nth % rules.len());
            let (first, second) = (rule(place), rule(place + 1));
            let named = if first == second {
                first
            } else {
                format!("{first}, {second}")
            };
            let correlation = correlation.replace("RULES", &named);
            write!(
                text,
                "---\ntitle: Over {place}\nname: c{place}\n{correlation}"
            )
            .expect("text grows");
        }
        Rules {
            text,
            count: rules.len(),
        }
    })
}

fn rule() -> impl Strategy<Value = String> {
    let logsource = select(
        &[
            "{product: p}",
            "{product: p}",
            "{product: p, service: s}",
            "{product: p, service: s, category: c}",
            "{category: c}",
            "{product: q, service: s}",
        ][..],
    );
    let house = prop_oneof![
        6 => Just(String::new()),
        1 => select(&[
            "suppress: {for: 1h}",
            "suppress: {by: [user, a.b], for: 1h}",
            "suppress: {by: who, for: 1m}",
            "title: \"{a} on {b.c}{user}\"",
            "level_from: user, external_id: a.b",
        ][..]).prop_map(|keys| format!("palisade: {{{keys}}}\n")),
    ];
    (
        vec(search(), 1..=SEARCHES.len()),
        condition(),
        logsource,
        house,
    )
        .prop_map(|(searches, condition, logsource, house)| {
            let count = searches.len();
            let mut text = format!("logsource: {logsource}\ndetection:\n");
            for (name, search) in SEARCHES.iter().zip(searches) {
                writeln!(text, "  {name}: {search}").expect("text grows");
            }
            let condition = condition.text(count);
            writeln!(text, "  condition: {}\n{house}", quoted(&condition)).expect("text grows");
            text
        })
}

fn search() -> BoxedStrategy<String> {
    let map = || {
        prop_oneof![3 => vec(item(), 1), 1 => vec(item(), 2..4)].prop_map(|mut items| {
            items.sort();
            items.dedup_by(|a, b| a.0 == b.0);
            let items = items.iter();
            let items: Vec<String> = items
                .map(|(key, values)| format!("{key}: {values}"))
                .collect();
            format!("{{{}}}", items.join(", "))
        })
    };
    prop_oneof![
        16 => map(),
        3 => vec(map(), 1..3).prop_map(|maps| format!("[{}]", maps.join(", "))),
        2 => keywords(),
    ]
    .boxed()
}

// ---------------------------------------------------------------------------------------------
// Conditions

#[derive(Debug, Clone)]
enum Condition {
    Name(usize),
    /// `1 of`, `all of`, … of a pattern.
    Of(&'static str, &'static str),
    Not(Box<Condition>),
    Both(Box<Condition>, &'static str, Box<Condition>),
}

fn condition() -> BoxedStrategy<Condition> {
    let leaf = prop_oneof![
        8 => (0..SEARCHES.len()).prop_map(Condition::Name),
        2 => (
            select(&["1 of", "all of", "any of", "2 of"][..]),
            select(&["them", "s*", "f*", "*0"][..]),
        )
            .prop_map(|(count, what)| Condition::Of(count, what)),
    ];
    leaf.prop_recursive(3, 6, 2, |inner| {
        let pair = (
            inner.clone(),
            select(&["and", "or", "and not"][..]),
            inner.clone(),
        );
        prop_oneof![
            1 => inner.prop_map(|one| Condition::Not(Box::new(one))),
            3 => pair.prop_map(|(a, word, b)| Condition::Both(Box::new(a), word, Box::new(b))),
        ]
    })
    .boxed()
}

impl Condition {
    /// The condition over the first `count` searches.
    fn text(&self, count: usize) -> String {
        match self {
            Self::Name(place) => SEARCHES[place % count].to_owned(),
            Self::Of(how, "f*") if count < 3 => format!("{how} s*"),
            Self::Of(how, what) => format!("{how} {what}"),
            Self::Not(inner) => format!("not ({})", inner.text(count)),
            Self::Both(a, word, b) => format!("({}) {word} ({})", a.text(count), b.text(count)),
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Correlations

fn correlation() -> impl Strategy<Value = String> {
    let kind = select(
        &[
            ("event_count", "{gte: 2}"),
            ("event_count", "{gte: 1}"),
            ("value_count", "{field: user, gte: 2}"),
            ("value_count", "{field: a.b, gte: 1}"),
            ("value_sum", "{field: n, gte: 2}"),
            ("temporal", ""),
            ("temporal_ordered", ""),
        ][..],
    );
    let group = select(
        &[
            "",
            "group-by: [a]",
            "group-by: [user, a.b]",
            "group-by: [who]",
            "group-by: [ip, b]",
        ][..],
    );
    let generate = select(&["", "", "generate: true"][..]);
    (kind, group, generate).prop_map(|((kind, condition), group, generate)| {
        let mut text = String::new();
        if !generate.is_empty() {
            writeln!(text, "{generate}").expect("text grows");
        }
        let condition = if condition.is_empty() {
            String::new()
        } else {
            format!(", condition: {condition}")
        };
        let group = if group.is_empty() {
            String::new()
        } else {
            format!(", {group}")
        };
        writeln!(
            text,
            "correlation: {{type: {kind}, rules: [RULES], timespan: 5m{group}{condition}}}"
        )
        .expect("text grows");
        text
    })
}
