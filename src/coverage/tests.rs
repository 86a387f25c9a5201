use std::sync::Arc;

use palisade_detect::diagnostic::Color;
use palisade_detect::engine::EngineOptions;
use palisade_detect::rule::RuleFile;
use serde_json::Value;

use super::*;
use crate::rules;

fn coverage(documents: &[&str]) -> Coverage {
    let text = documents.join("\n---\n");
    let file = RuleFile {
        name: Arc::from("rules.yml"),
        bytes: text.into_bytes(),
    };
    let loaded = rules::load_files(&[file], &[], EngineOptions::default());
    let findings = loaded.findings.render(Color::Never);
    assert_eq!(loaded.findings.errors(), 0, "{findings}");
    Coverage::of(&loaded.engine.expect("it loads"))
}

fn rule(name: &str, tags: &str) -> String {
    format!(
        "title: Title of {name}\nname: {name}\nlogsource: {{product: azure, service: {name}}}\n\
         tags: [{tags}]\nlevel: high\ndetection: {{selection: {{a: 1}}, condition: selection}}"
    )
}

fn cells(coverage: &Coverage) -> Vec<String> {
    coverage
        .cells()
        .map(|(cell, rules)| format!("{} {} {}", cell.tactic.tag, cell.technique.id, rules.len()))
        .collect()
}

#[test]
fn technique_counts_under_the_tactics_that_the_rule_names() {
    let both = coverage(&[
        &rule("a", "attack.initial-access, attack.t1078.004"),
        &rule(
            "b",
            "attack.initial-access, attack.persistence, attack.t1078.004",
        ),
    ]);
    assert_eq!(
        cells(&both),
        ["initial-access T1078.004 2", "persistence T1078.004 1"]
    );
    assert_eq!((both.techniques(), both.tactics()), (1, 2));
}

#[test]
fn technique_counts_under_all_its_tactics_where_none_of_them_is_named() {
    let silent = cells(&coverage(&[&rule("a", "attack.impact, attack.t1098")]));
    assert_eq!(
        silent,
        ["persistence T1098 1", "privilege-escalation T1098 1"]
    );
}

#[test]
fn old_tags_are_counted_where_their_techniques_went() {
    let old = coverage(&[&rule("a", "attack.defense-evasion, attack.t1562.008")]);
    assert_eq!(cells(&old), ["defense-impairment T1685.002 1"]);
}

#[test]
fn rule_without_a_technique_is_listed_and_an_unknown_tag_is_named() {
    let loose = coverage(&[&rule("a", "attack.impact, attack.t9999, cve.2026-1")]);
    assert_eq!(cells(&loose), [""; 0]);
    assert_eq!(loose.untagged, [0]);
    assert_eq!(loose.rules[0].unknown_tags, ["attack.t9999"]);
    let text = table::table(&loose, Color::Never);
    assert!(
        text.contains("Rules that name no technique:\n  Title of a"),
        "{text}"
    );
    assert!(text.contains("attack.t9999 in Title of a"), "{text}");
}

#[test]
fn correlation_counts_with_its_own_tags_over_the_log_sources_of_its_rules() {
    let inner = "title: Inner\nname: inner\ntags: [attack.t1110]\ncorrelation: {type: event_count, \
                 rules: [a], group-by: [u], timespan: 5m, condition: {gte: 5}}";
    let outer = "title: Outer\nname: outer\nlevel: high\ntags: [attack.t1621]\ncorrelation: {type: \
                 temporal, rules: [inner, b], group-by: [u], timespan: 5m}";
    let chained = coverage(&[
        &rule("a", "attack.t1110"),
        &rule("b", "attack.t1078"),
        inner,
        outer,
    ]);
    assert_eq!(cells(&chained), ["credential-access T1621 1"]);
    assert_eq!(chained.silent, 3);
    let sources: Vec<&str> = chained.log_sources().into_iter().collect();
    assert_eq!(sources, ["azure/a", "azure/b"]);
    assert_eq!(chained.rules[0].kind, "temporal");
}

#[test]
fn rule_whose_repeats_are_held_back_counts_once() {
    let held = format!(
        "{}\npalisade: {{suppress: {{for: 1h}}}}",
        rule("a", "attack.t1110")
    );
    assert_eq!(cells(&coverage(&[&held])), ["credential-access T1110 1"]);
}

/// An object of the layer format: its keys with their types. Types: `s` text, `b` boolean, `n` number,
/// `o` object, `a` list; `!` marks what must be there.
type Form = &'static [(&'static str, &'static str)];

/// From the definition of layer format 4.5.
const LAYER: Form = &[
    ("versions", "o"),
    ("name", "s!"),
    ("description", "s"),
    ("domain", "s!"),
    ("customDataURL", "s"),
    ("filters", "o"),
    ("sorting", "n"),
    ("layout", "o"),
    ("hideDisabled", "b"),
    ("techniques", "a"),
    ("gradient", "o"),
    ("legendItems", "a"),
    ("showTacticRowBackground", "b"),
    ("tacticRowBackground", "s"),
    ("selectTechniquesAcrossTactics", "b"),
    ("selectSubtechniquesWithParent", "b"),
    ("selectVisibleTechniques", "b"),
    ("metadata", "a"),
    ("links", "a"),
];
const VERSIONS: Form = &[("attack", "s"), ("navigator", "s!"), ("layer", "s!")];
const LAYOUT: Form = &[
    ("layout", "s"),
    ("showID", "b"),
    ("showName", "b"),
    ("showAggregateScores", "b"),
    ("countUnscored", "b"),
    ("aggregateFunction", "s"),
    ("expandedSubtechniques", "s"),
];
const GRADIENT: Form = &[("colors", "a!"), ("minValue", "n!"), ("maxValue", "n!")];
const LEGEND: Form = &[("label", "s!"), ("color", "s!")];
const METADATA: Form = &[("name", "s!"), ("value", "s!")];
const TECHNIQUE: Form = &[
    ("techniqueID", "s!"),
    ("tactic", "s"),
    ("comment", "s"),
    ("enabled", "b"),
    ("score", "n"),
    ("color", "s"),
    ("metadata", "a"),
    ("links", "a"),
    ("showSubtechniques", "b"),
];

fn hold_against(value: &Value, form: Form) {
    let object = value.as_object().expect("an object");
    for (key, value) in object {
        let row = form.iter().find(|(known, _)| known == key);
        let (_, kind) = row.unwrap_or_else(|| panic!("{key} is not in the format"));
        let fits = match kind.trim_end_matches('!') {
            "s" => value.is_string(),
            "b" => value.is_boolean(),
            "n" => value.is_number(),
            "o" => value.is_object(),
            _ => value.is_array(),
        };
        assert!(fits, "{key}: {value}");
    }
    for (key, _) in form.iter().filter(|(_, kind)| kind.ends_with('!')) {
        assert!(object.contains_key(*key), "{key} is missing in {value}");
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn hold_against_format(layer: &Value) {
    hold_against(layer, LAYER);
    hold_against(&layer["versions"], VERSIONS);
    hold_against(&layer["layout"], LAYOUT);
    hold_against(&layer["gradient"], GRADIENT);
    assert_eq!(layer["versions"]["layer"], "4.5");
    assert_eq!(layer["domain"], "enterprise-attack");
    assert!(matches!(layer["sorting"].as_u64(), Some(0..=3)));
    let layout = layer["layout"]["layout"].as_str();
    assert!(
        matches!(layout, Some("side" | "flat" | "mini")),
        "{layout:?}"
    );
    let parts = layer["layout"]["expandedSubtechniques"].as_str();
    assert!(
        matches!(parts, Some("none" | "all" | "annotated")),
        "{parts:?}"
    );
    let gradient = &layer["gradient"];
    let colors = items(&gradient["colors"]);
    assert!(
        colors.len() >= 2 && colors.iter().all(is_color),
        "{colors:?}"
    );
    assert!(
        gradient["maxValue"].as_f64() > gradient["minValue"].as_f64(),
        "{gradient}"
    );
    for item in items(&layer["legendItems"]) {
        hold_against(item, LEGEND);
        assert!(is_color(&item["color"]), "{item}");
    }
    for technique in items(&layer["techniques"]) {
        hold_against(technique, TECHNIQUE);
        let id = technique["techniqueID"].as_str().expect("text");
        let known = attack::technique(id).expect("a technique of the matrix");
        let tactic = technique["tactic"].as_str().expect("text");
        assert!(
            known.tactics.iter().any(|one| one.tag == tactic),
            "{id} under {tactic}"
        );
        for item in items(&technique["metadata"]) {
            hold_against(item, METADATA);
        }
    }
}

fn is_color(value: &Value) -> bool {
    let digits = value.as_str().and_then(|text| text.strip_prefix('#'));
    digits.is_some_and(|digits| {
        digits.len() == 6 && digits.bytes().all(|one| one.is_ascii_hexdigit())
    })
}

#[test]
fn layer_is_as_the_navigator_defines_it() {
    let options = EngineOptions::default();
    let (files, lists) = (rules::house::files(), rules::house::lists());
    let house = rules::load_with_lists(&files, &lists, &[], options);
    let coverage = Coverage::of(&house.engine.expect("it loads"));
    let layer = navigator::layer(&coverage);
    hold_against_format(&layer);
    let techniques = layer["techniques"].as_array().expect("a list");
    assert!(techniques.len() >= 10, "{}", techniques.len());
    // The upper end of the gradient must lie above the lower one also where nothing is covered.
    hold_against_format(&navigator::layer(&Coverage::default()));
}

#[test]
fn nothing_that_a_rule_says_becomes_markup_of_the_page() {
    let hostile = "title: \"<script>alert(1)</script> \\\" onclick='x' & \\u200Fgnp.exe\"\n\
                   id: \"'><img src=x onerror=alert(2)>\"\n\
                   logsource: {product: \"</style><script>\", service: \"\\\"><svg onload=x>\"}\n\
                   tags: [attack.t1078, \"attack.t9<b>\"]\n\
                   detection: {selection: {a: 1}, condition: selection}";
    let page = html::page(&coverage(&[hostile]));
    for markup in [
        "<script",
        "<img",
        "<svg",
        "<b>x",
        "t9<b>",
        "onclick='",
        "\u{200f}",
    ] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(
        page.contains("&lt;script&gt;alert(1)"),
        "the title is shown"
    );
    assert_eq!(page.matches("</style>").count(), 1);
}

#[test]
fn page_loads_nothing() {
    let options = EngineOptions::default();
    let (files, lists) = (rules::house::files(), rules::house::lists());
    let house = rules::load_with_lists(&files, &lists, &[], options);
    let page = html::page(&Coverage::of(&house.engine.expect("it loads")));
    for reference in [
        "<script", "<link", "<img", "@import", "url(", "src=", "<iframe",
    ] {
        assert!(!page.contains(reference), "{reference}");
    }
    assert!(page.contains("default-src 'none'"), "a policy");
    let opened = page.matches(" popovertarget=p-").count();
    assert_eq!(opened, page.matches("<article popover id=p-").count() * 2);
    assert!(opened >= 20, "{opened}");
}
