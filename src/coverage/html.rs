//! Coverage as a page: the matrix of tactics and techniques, coloured by the number of rules.
//!
//! One file that loads nothing: no network, no fonts, no scripts. Choosing a log source and opening a
//! technique are done by the style sheet and by popovers. What rules say is text of strangers: it is
//! escaped everywhere, and the page's policy lets nothing run even where that failed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use palisade_detect::alert::SINGLE;
use palisade_detect::attack::{self, Fate, TACTICS, Tactic, Technique};
use palisade_detect::diagnostic::printable;
use palisade_detect::rule::Level;
use palisade_sinks::render::shown;

use super::{Cell, Coverage, Rule};

/// The style sheet.
const STYLE: &str = include_str!("page.css");

/// What the page may load: its own styles and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page.
pub fn page(coverage: &Coverage) -> String {
    let sources: Vec<&str> = coverage.log_sources().into_iter().collect();
    let page = Page {
        coverage,
        places: sources.iter().copied().zip(0..).collect(),
        sources: &sources,
    };
    let mut out = String::with_capacity(256 << 10);
    page.head(&mut out);
    page.choice(&mut out);
    let mut popovers = String::new();
    out.push_str("<section class=matrix aria-label=\"ATT&amp;CK matrix\">\n");
    for tactic in &TACTICS {
        page.column(tactic, &mut out, &mut popovers);
    }
    out.push_str("</section>\n");
    page.rest(&mut out);
    out.push_str(&popovers);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

struct Page<'a> {
    coverage: &'a Coverage,
    sources: &'a [&'a str],
    /// The number of each log source, which its classes are named by.
    places: BTreeMap<&'a str, usize>,
}

impl Page<'_> {
    fn head(&self, out: &mut String) {
        put(
            out,
            format_args!(
                "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n\
                 <meta http-equiv=Content-Security-Policy content=\"{POLICY}\">\n\
                 <meta name=viewport content=\"width=device-width, initial-scale=1\">\n\
                 <meta name=color-scheme content=\"light dark\">\n\
                 <title>ATT&amp;CK coverage</title>\n<style>\n{STYLE}"
            ),
        );
        for place in 0..self.sources.len() {
            put(
                out,
                format_args!(
                    ":root:has(#s{place}:checked){{.t{{--n:var(--s{place},0)}}\
                     .r:not(.s{place}){{opacity:.3}}}}\n"
                ),
            );
        }
        let coverage = self.coverage;
        put(
            out,
            format_args!(
                "</style>\n</head>\n<body>\n<main>\n<header>\n<div>\n<h1>ATT&amp;CK coverage</h1>\n\
                 <p>{}.</p>\n</div>\n<dl>\n",
                escape(&coverage.summary())
            ),
        );
        let tiles = [
            ("rules", coverage.rules.len()),
            ("techniques", coverage.techniques()),
            ("tactics", coverage.tactics()),
            ("log sources", self.sources.len()),
        ];
        for (what, count) in tiles {
            put(
                out,
                format_args!("<div><dt>{what}</dt><dd>{count}</dd></div>\n"),
            );
        }
        out.push_str("</dl>\n</header>\n");
    }

    /// The log sources to choose from, the switch for what is not covered, and the legend.
    fn choice(&self, out: &mut String) {
        out.push_str(
            "<nav>\n<fieldset>\n<legend>Log source</legend>\n\
             <label><input type=radio name=source id=all checked><span>all</span></label>\n",
        );
        for (place, source) in self.sources.iter().enumerate() {
            let rules = self.coverage.rules.iter();
            let count = rules
                .filter(|rule| rule.log_sources.contains(*source))
                .count();
            put(
                out,
                format_args!(
                    "<label><input type=radio name=source id=s{place}><span>{} <i>{count}</i></span></label>\n",
                    escape(&shown(source))
                ),
            );
        }
        out.push_str(
            "</fieldset>\n<div class=legend>\n\
             <label><input type=checkbox id=covered><span>covered only</span></label>\n\
             <ul aria-label=\"rules a technique\">",
        );
        for (count, label) in [(0, "0"), (1, "1"), (2, "2"), (4, "4"), (6, "6+ rules")] {
            put(
                out,
                format_args!("<li class=t style=\"--all:{count}\">{label}</li>"),
            );
        }
        out.push_str("</ul>\n</div>\n</nav>\n");
    }

    /// A tactic with all its techniques.
    fn column(&self, tactic: &'static Tactic, out: &mut String, popovers: &mut String) {
        let families = families(tactic);
        let covered = families
            .iter()
            .filter(|family| !self.rules_of(tactic, family).is_empty())
            .count();
        put(
            out,
            format_args!(
                "<div class=column>\n<h2>{}<small>{} · {covered} of {}</small></h2>\n",
                tactic.name,
                tactic.id,
                families.len()
            ),
        );
        for family in &families {
            let rules = self.rules_of(tactic, family);
            let head = family.head;
            if rules.is_empty() {
                put(
                    out,
                    format_args!(
                        "<div class=\"t none\" title=\"{} {1}\">{1}</div>\n",
                        head.id,
                        escape(head.name)
                    ),
                );
                continue;
            }
            let id = format!("p-{}-{}", tactic.id, head.id);
            put(
                out,
                format_args!(
                    "<button class=t popovertarget={id} style=\"{}\"><em>{}</em><b></b>{}",
                    self.counts(&rules),
                    head.id,
                    escape(head.name)
                ),
            );
            for technique in &family.parts {
                let cell = Cell { tactic, technique };
                let rules = self.coverage.rules_of(cell);
                if !rules.is_empty() {
                    let suffix = technique
                        .id
                        .split_once('.')
                        .map_or("", |(_, suffix)| suffix);
                    put(
                        out,
                        format_args!(
                            "<span class=t style=\"{}\">.{suffix} {}<b></b></span>",
                            self.counts(&rules),
                            escape(technique.name)
                        ),
                    );
                }
            }
            out.push_str("</button>\n");
            self.popover(tactic, family, (&id, popovers));
        }
        out.push_str("</div>\n");
    }

    /// What is said about a technique when it is opened.
    fn popover(&self, tactic: &'static Tactic, family: &Family, (id, out): (&str, &mut String)) {
        let head = family.head;
        put(
            out,
            format_args!(
                "<article popover id={id}>\n<h3>{}<small>{} · {}</small></h3>\n",
                escape(head.name),
                head.id,
                tactic.name
            ),
        );
        for technique in std::iter::once(&head).chain(&family.parts) {
            let rules = self.coverage.rules_of(Cell { tactic, technique });
            if rules.is_empty() {
                continue;
            }
            if technique.id != head.id {
                let (id, name) = (technique.id, escape(technique.name));
                put(out, format_args!("<h4>{name}<small>{id}</small></h4>\n"));
            }
            self.list(&rules, out);
        }
        let page = head.id.replace('.', "/");
        put(
            out,
            format_args!(
                "<p><a href=\"https://attack.mitre.org/techniques/{page}/\" rel=\"noopener noreferrer\">\
                 {} at attack.mitre.org</a></p>\n\
                 <button class=close popovertarget={id} popovertargetaction=hide aria-label=close>×</button>\n\
                 </article>\n",
                head.id
            ),
        );
    }

    /// Rules with their levels and log sources.
    fn list(&self, rules: &[&Rule], out: &mut String) {
        out.push_str("<ul class=rules>\n");
        for rule in rules {
            let level = rule.level.map_or("none", Level::name);
            put(
                out,
                format_args!(
                    "<li class=\"r {}\"><span class=\"level {level}\">{level}</span>\
                     <div><strong>{}</strong><small>",
                    self.classes(rule),
                    escape(&printable(&rule.title))
                ),
            );
            let sources: Vec<String> = rule.log_sources.iter().map(|text| shown(text)).collect();
            let kind = match rule.kind.as_str() {
                SINGLE => String::new(),
                kind => format!("{} over ", kind.replace('_', " ")),
            };
            let text = format!("{kind}{} · {}", sources.join(", "), shown(&rule.id));
            put(out, format_args!("{}</small></div></li>\n", escape(&text)));
        }
        out.push_str("</ul>\n");
    }

    /// Rules that stand nowhere in the matrix, and tags that name nothing.
    fn rest(&self, out: &mut String) {
        let untagged = self.coverage.untagged.iter();
        let untagged: Vec<&Rule> = untagged
            .filter_map(|place| self.coverage.rules.get(*place))
            .collect();
        if !untagged.is_empty() {
            out.push_str("<section class=rest>\n<h2>Rules that name no technique</h2>\n");
            self.list(&untagged, out);
            out.push_str("</section>\n");
        }
        let unknown = self.coverage.rules.iter();
        let unknown: Vec<&Rule> = unknown
            .filter(|rule| !rule.unknown_tags.is_empty())
            .collect();
        if !unknown.is_empty() {
            out.push_str(
                "<section class=rest>\n<h2>Tags that ATT&amp;CK does not have</h2>\n<ul>\n",
            );
            for rule in unknown {
                let tags = escape(&shown(&rule.unknown_tags.join(", ")));
                let title = escape(&printable(&rule.title));
                put(
                    out,
                    format_args!(
                        "<li class=\"r {}\"><code>{tags}</code> in {title}</li>\n",
                        self.classes(rule)
                    ),
                );
            }
            out.push_str("</ul>\n</section>\n");
        }
    }

    /// The rules of a technique and of its parts, each once.
    fn rules_of(&self, tactic: &'static Tactic, family: &Family) -> Vec<&Rule> {
        let mut seen = BTreeSet::new();
        std::iter::once(&family.head)
            .chain(&family.parts)
            .flat_map(|technique| self.coverage.rules_of(Cell { tactic, technique }))
            .filter(|rule| seen.insert(std::ptr::from_ref::<Rule>(rule)))
            .collect()
    }

    /// The number of rules, of all and by log source, as variables of the style sheet.
    fn counts(&self, rules: &[&Rule]) -> String {
        let mut text = format!("--all:{}", rules.len());
        for (source, count) in super::by_source(rules) {
            if let Some(place) = self.places.get(source) {
                write!(text, ";--s{place}:{count}").expect("writing to a string cannot fail");
            }
        }
        text
    }

    /// The classes of a rule's log sources.
    fn classes(&self, rule: &Rule) -> String {
        let places = rule.log_sources.iter();
        let places = places.filter_map(|source| self.places.get(source.as_str()));
        let classes: Vec<String> = places.map(|place| format!("s{place}")).collect();
        classes.join(" ")
    }
}

/// A technique with its sub-techniques.
struct Family {
    head: &'static Technique,
    parts: Vec<&'static Technique>,
}

/// The techniques of a tactic, by name.
fn families(tactic: &'static Tactic) -> Vec<Family> {
    let mut families: BTreeMap<&str, Family> = BTreeMap::new();
    let serves = |technique: &&Technique| {
        technique.fate == Fate::Current && technique.tactics.iter().any(|one| one.id == tactic.id)
    };
    for technique in attack::techniques().iter().filter(serves) {
        let head = technique.parent().unwrap_or(technique);
        let family = families.entry(head.id).or_insert_with(|| Family {
            head,
            parts: Vec::new(),
        });
        if technique.id != head.id {
            family.parts.push(technique);
        }
    }
    let mut families: Vec<Family> = families.into_values().collect();
    families.sort_by_key(|family| family.head.name);
    families
}

/// Text as it may stand in an element or in a quoted attribute.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(letter),
        }
    }
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to a string cannot fail");
}
