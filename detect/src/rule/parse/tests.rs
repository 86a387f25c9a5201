use crate::time::{Span, Timestamp};

use super::super::{
    Bounds, Comparison, CorrelationKind, Expr, Search, Suppress, TemporalCondition,
};
use super::*;

mod correlations;
mod told;

fn load(texts: &[&str]) -> (RuleSet, Vec<Diagnostic>) {
    let files: Vec<_> = (0..).zip(texts).map(|(at, text)| file(at, text)).collect();
    parse(&files)
}

fn file(at: usize, text: &str) -> RuleFile {
    RuleFile {
        name: format!("{at}.yml").into(),
        bytes: text.as_bytes().to_vec(),
    }
}

/// A detection with this id and these further top-level lines; `detection` in flow style.
fn rule(id: &str, more: &str, detection: &str) -> String {
    format!("title: t\nid: {id}\n{more}logsource: {{product: p}}\ndetection: {detection}\n---\n")
}

/// A rule that loads.
fn good(id: &str) -> String {
    rule(id, "", "{s: {A: 1}, condition: s}")
}

/// A correlation over `a`; `keys` are further lines of its section, indented.
fn correlation(id: &str, keys: &str) -> String {
    format!("title: c\nid: {id}\ncorrelation:\n{keys}---\n")
}

/// Kind, rule, line and column of all errors.
fn errors(texts: &[&str]) -> Vec<(&'static str, Option<String>, u32, u32)> {
    let (_, problems) = load(texts);
    problems
        .into_iter()
        .filter(Diagnostic::is_error)
        .map(|d| (d.kind, d.rule, d.place.line, d.place.column))
        .collect()
}

/// Kinds of all errors.
fn kinds(texts: &[&str]) -> Vec<&'static str> {
    errors(texts).into_iter().map(|(kind, ..)| kind).collect()
}

/// Ids of everything that loads.
fn loaded(texts: &[&str]) -> Vec<String> {
    let (set, _) = load(texts);
    let detections = set.detections.iter().map(|rule| &rule.meta);
    let correlations = set.correlations.iter().map(|rule| &rule.meta);
    let filters = set.filters.iter().map(|rule| &rule.meta);
    detections
        .chain(correlations)
        .chain(filters)
        .map(|meta| meta.key().to_owned())
        .collect()
}

#[test]
fn a_whole_rule_is_read_with_its_metadata_and_places() {
    let text = "title: Sign-in\nid: abc\nname: signin\nstatus: test\nlevel: high\nauthor: me\n\
                description: d\nreferences: [https://example.org]\ntags: [attack.t1078]\n\
                falsepositives: [none]\ndate: 2024/01/02\nx-owner: soc\ntaxonomy: own\n\
                logsource: {product: azure, service: signinlogs, definition: x}\n\
                detection:\n  sel:\n    A|contains: x\n    B: [1, null]\n  words: [foo, 7]\n  \
                either: [{A: 1}, text]\n  condition: sel and not words or either\n\
                palisade: {suppress: {for: 2h}}\n";
    let (set, problems) = load(&[text]);
    assert_eq!(
        problems.iter().map(|d| d.code).collect::<Vec<_>>(),
        ["PAL0351"]
    );
    let rule = &set.detections[0];
    assert_eq!(
        (rule.meta.key(), rule.meta.level),
        ("abc", Some(super::super::Level::High))
    );
    assert_eq!(rule.logsource.to_string(), "azure/signinlogs");
    assert_eq!(
        rule.palisade.suppress,
        Some(Suppress::For(Span::from_seconds(7_200)))
    );
    let not = Expr::Not(Box::new(Expr::Search(1)));
    let and = Expr::And(vec![Expr::Search(0), not]);
    assert_eq!(rule.condition, Expr::Or(vec![and, Expr::Search(2)]));
    let Search::AllOf(parts) = &rule.searches["sel"] else {
        panic!("{:?}", rule.searches);
    };
    let Search::Item(item) = &parts[1] else {
        panic!("{parts:?}");
    };
    assert_eq!((item.place.line, item.place.column), (18, 5));
    assert!(matches!(&rule.searches["words"], Search::Item(item) if item.values.len() == 2));
    assert!(matches!(&rule.searches["either"], Search::AnyOf(parts) if parts.len() == 2));
}

#[test]
fn problems_of_a_detection_stand_at_the_exact_token() {
    for (detection, kind, covered) in [
        (
            "{s: {A|contian: 1}, condition: s}",
            "unknown-modifier",
            "contian",
        ),
        ("{s: {A|: 1}, condition: s}", "unknown-modifier", ""),
        (
            "{s: {A|startswith|endswith: x}, condition: s}",
            "invalid-modifier-combination",
            "endswith",
        ),
        ("{s: {A|re: [ok, '(']}, condition: s}", "invalid-regex", "("),
        (
            "{s: {A|cidr: 10.0.0.1/8}, condition: s}",
            "invalid-cidr",
            "10.0.0.1/8",
        ),
        ("{s: {A: {x: 1}}, condition: s}", "wrong-type", "{x: 1}"),
        ("{s: {A: [[1]]}, condition: s}", "wrong-type", "[1]"),
        ("{s: {A: []}, condition: s}", "invalid-value", "A"),
        ("{s: {}, condition: s}", "invalid-value", "s"),
        ("{s: [], condition: s}", "invalid-value", "s"),
        ("{s: , condition: s}", "invalid-value", "s"),
        ("{s: [null, x], condition: s}", "invalid-value", "null"),
        ("{s: {1: x}, condition: s}", "wrong-type", "1"),
        ("{1: x, s: y, condition: s}", "wrong-type", "1"),
        ("{s: x, condition: s and t}", "unknown-identifier", "t"),
        ("{s: x, condition: 5}", "wrong-type", "5"),
        ("{s: x, condition: [s, 's or (']}", "condition-syntax", ""),
        ("{s: x, condition: []}", "missing-field", "[]"),
        ("{s: x}", "missing-field", "{s: x}"),
        ("{condition: s}", "missing-field", "{condition: s}"),
        ("[s]", "wrong-type", "[s]"),
    ] {
        let text = rule("a", "", detection);
        let (_, problems) = load(&[&text]);
        let found: Vec<_> = problems
            .iter()
            .map(|d| (d.kind, text.get(d.place.span.clone()), d.place.line))
            .collect();
        assert_eq!(found, [(kind, Some(covered), 4)], "{detection}");
    }
}

#[test]
fn metadata_of_the_wrong_type_or_value_refuses_the_rule() {
    let long = format!("title: {}\n", "ä".repeat(257));
    for (text, kind) in [
        ("id: a\n", "missing-field"),
        ("title: {a: 1}\n", "wrong-type"),
        ("title: 5\n", "wrong-type"),
        (long.as_str(), "invalid-value"),
        ("title: t\nid: 5\n", "wrong-type"),
        ("title: t\nname: ''\n", "invalid-value"),
        ("title: t\nlevel: High\n", "invalid-value"),
        ("title: t\nstatus: [test]\n", "wrong-type"),
        ("title: t\ntags: attack.t1078\n", "wrong-type"),
        ("title: t\nreferences: [{a: b}]\n", "wrong-type"),
        ("title: t\nauthor: [me]\n", "wrong-type"),
        ("title: t\npalisade: [x]\n", "wrong-type"),
        ("title: t\npalisade: {supress: none}\n", "invalid-value"),
        (
            "title: t\npalisade: {suppress: {for: 1h, bye: [A]}}\n",
            "invalid-value",
        ),
        (
            "title: t\npalisade: {suppress: {for: soon}}\n",
            "invalid-timespan",
        ),
        ("title: t\npalisade: {suppress: {}}\n", "missing-field"),
        ("title: t\npalisade: {suppress: never}\n", "wrong-type"),
    ] {
        let text = format!("{text}logsource: {{product: p}}\ndetection: {{s: x, condition: s}}\n");
        assert_eq!(kinds(&[&text]), [kind], "{text}");
    }
    for (logsource, kind) in [
        ("", "missing-field"),
        ("logsource: azure\n", "wrong-type"),
        ("logsource: {}\n", "invalid-value"),
        ("logsource: {definition: x}\n", "invalid-value"),
        ("logsource: {product: 5}\n", "wrong-type"),
    ] {
        let text = format!("title: t\n{logsource}detection: {{s: x, condition: s}}\n");
        assert_eq!(kinds(&[&text]), [kind], "{logsource}");
    }
}

#[test]
fn all_problems_of_all_documents_and_files_are_reported_and_the_rest_loads() {
    let first = format!(
        "{}{}{}- a list\n",
        rule(
            "a",
            "level: hgih\n",
            "{s: {A|contian: x, B|re: '('}, condition: t}"
        ),
        good("b"),
        "id: c\nid: c\ntitle: twice\n---\n"
    );
    let texts = [first.as_str(), "a: [\n", &good("d")];
    assert_eq!(
        kinds(&texts),
        [
            "invalid-value",
            "unknown-modifier",
            "invalid-regex",
            "unknown-identifier",
            "yaml-syntax",
            "wrong-type",
            "yaml-syntax"
        ]
    );
    assert_eq!(loaded(&texts), ["b", "d"]);
    assert_eq!(errors(&texts)[4].1, Some("c".to_owned()));
}

#[test]
fn second_rule_of_an_id_or_name_is_refused_and_a_refused_rule_takes_none() {
    let named = |id: &str| rule(id, "name: n\n", "{s: x, condition: s}");
    assert_eq!(kinds(&[&good("Ab"), &good("aB")]), ["duplicate-id"]);
    assert_eq!(kinds(&[&named("a"), &named("b")]), ["duplicate-name"]);
    let bad = rule("a", "", "{s: x, condition: t}");
    assert_eq!(loaded(&[&bad, &good("a")]), ["a"]);
}

#[test]
fn values_under_expand_wait_for_pipelines_but_their_chain_does_not() {
    let with = |entry: &str| rule("a", "", &format!("{{s: {{{entry}}}, condition: s}}"));
    assert_eq!(loaded(&[&with("A|expand: '%x%'")]), ["a"]);
    assert_eq!(loaded(&[&with("A|cidr|expand: '%nets%'")]), ["a"]);
    assert_eq!(
        kinds(&[&with("A|expand|gt: 5")]),
        ["invalid-modifier-combination"]
    );
    assert_eq!(kinds(&[&with("A|expand: []")]), ["invalid-value"]);
}

#[test]
fn legacy_collections_merge_reset_and_repeat() {
    let text = "action: global\ntitle: t\nlevel: low\nlogsource: {product: p}\n\
                detection: {s: {A: 1}, condition: s}\n---\nid: one\nlevel: high\n\
                detection: {s: {B: 2}}\n---\naction: repeat\nid: two\nlogsource: {service: x}\n---\n\
                action: reset\n---\nid: three\ntitle: t\n---\naction: replace\nid: four\n";
    let (set, problems) = load(&[text]);
    assert_eq!(loaded(&[text]), ["one", "two"]);
    assert!(matches!(&set.detections[0].searches["s"], Search::AllOf(parts) if parts.len() == 2));
    assert_eq!(
        set.detections[0].meta.level,
        Some(super::super::Level::High)
    );
    assert_eq!(set.detections[1].logsource.to_string(), "p/x");
    let kinds: Vec<_> = problems
        .iter()
        .map(|d| (d.kind, d.rule.as_deref()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("missing-field", Some("three")),
            ("missing-field", Some("three")),
            ("unknown-action", Some("four"))
        ]
    );
    assert_eq!(
        self::kinds(&["action: repeat\ntitle: t\n"]),
        ["unknown-action"]
    );
}

#[test]
fn template_copied_into_many_documents_ends_at_a_limit() {
    let mut text = format!("action: global\nx: {}\n", "y".repeat(400_000));
    for _ in 0..1_000 {
        text.push_str("---\ntitle: t\n");
    }
    assert!(kinds(&[&text]).contains(&"limit-exceeded"));
}

#[test]
fn filters_need_rules_search_and_condition_and_warn_without_not() {
    let filter =
        |body: &str| format!("title: f\nid: f\nlogsource: {{product: p}}\nfilter: {{{body}}}\n");
    for (body, kind) in [
        ("s: {A: 1}, condition: not s", "missing-field"),
        ("rules: any, s: {A: 1}", "missing-field"),
        ("rules: any, condition: not s", "missing-field"),
        ("rules: [5], s: {A: 1}, condition: not s", "wrong-type"),
        (
            "rules: any, s: {A: 1}, condition: not t",
            "unknown-identifier",
        ),
        ("rules: any, s: {A: 1}, condition: [not s]", "wrong-type"),
    ] {
        assert_eq!(kinds(&[&filter(body)]), [kind], "{body}");
    }
    let (set, problems) = load(&[&filter("rules: Any, s: {A: 1}, condition: not s")]);
    assert_eq!((set.filters[0].rules.clone(), problems.len()), (None, 0));
    let (set, problems) = load(&[&filter("rules: [x], s: {A: 1}, condition: s")]);
    assert_eq!(set.filters[0].rules, Some(vec!["x".to_owned()]));
    assert_eq!(problems[0].kind, "filter-without-not");
}

#[test]
fn exceptions_name_owner_reason_and_the_moment_of_their_end() {
    let filter = |keys: &str| {
        format!(
            "title: f\nid: f\nlogsource: {{product: p}}\n\
             filter: {{rules: any, s: {{A: 1}}, condition: not s}}\npalisade: {keys}\n"
        )
    };
    let read = |keys: &str| {
        let (set, problems) = load(&[&filter(keys)]);
        assert_eq!(problems, [], "{keys}");
        set.filters[0].exception.clone()
    };
    let whole = read("{owner: soc, reason: noise, expires: 2026-12-31}");
    assert_eq!(whole.owner.as_deref(), Some("soc"));
    assert_eq!(whole.reason.as_deref(), Some("noise"));
    let end = whole.expires.clone().expect("an end").at;
    assert_eq!(end.to_string(), "2026-12-31T00:00:00.0000000Z");
    let before = Timestamp::from_ticks(end.ticks() - 1);
    assert!(whole.is_over(end) && !whole.is_over(before));
    let moment = read("{expires: '2026-12-31T18:00:00+01:00'}").expires;
    assert_eq!(
        moment.expect("an end").at.to_string(),
        "2026-12-31T17:00:00.0000000Z"
    );
    let open = read("{owner: soc, expires: null}");
    assert!(!open.is_over(Timestamp::MAX));
    for (keys, kind) in [
        ("[soc]", "wrong-type"),
        ("{owner: 7}", "wrong-type"),
        ("{expires: 20261231}", "wrong-type"),
        ("{expires: soon}", "invalid-value"),
        ("{expires: 2026-02-30}", "invalid-value"),
        ("{expires: 2026-12-31T18:00:00}", "invalid-value"),
        ("{expire: 2026-12-31}", "invalid-value"),
        ("{suppress: none}", "invalid-value"),
    ] {
        assert_eq!(kinds(&[&filter(keys)]), [kind], "{keys}");
    }
}

#[test]
fn set_over_the_limit_is_refused_as_a_whole() {
    let full: Vec<RuleFile> = (0..4)
        .map(|n| file(n, &(good(&format!("a{n}")) + &good(&format!("b{n}")))))
        .collect();
    let at_most = |most| {
        let parsed = parse_at_most(most, &full, Documents::Dropped);
        (parsed.rules, parsed.diagnostics)
    };
    let (set, problems) = at_most(8);
    assert_eq!((set.detections.len(), problems.len()), (8, 0));
    let (set, problems) = at_most(7);
    assert_eq!((set.detections.len(), problems.len()), (0, 1));
    assert_eq!(problems[0].kind, "limit-exceeded");
}

#[test]
fn documents_that_say_something_are_counted_without_reading_them() {
    for (text, count) in [
        ("", 0),
        ("# a\n---\n# b\n", 0),
        ("a: 1\n", 1),
        ("a: 1\nb: 2\n---\n", 1),
        ("---\na: 1\n---\n\nb: 1", 2),
        ("--- {a: 1}\n--- {b: 1}\n", 2),
        ("--- # a\nb: 1\n", 1),
        ("a: 1\n...\nb: 1\n", 2),
        ("%YAML 1.2\n---\na: 1\n", 1),
        ("a: ---\n----: b\n", 1),
        ("a: 1\r\n---\r\nb: 1\r\n", 2),
        ("a: 1\r---\rb: 1\r", 2),
    ] {
        assert_eq!(written(text.as_bytes()), count, "{text:?}");
    }
}

#[test]
fn set_with_one_rule_too_many_is_refused_before_any_is_read() {
    // What no reader takes would be reported, if one had been asked.
    let text = "title: [\n---\n".repeat(8);
    let file = |name: &str| RuleFile {
        name: name.into(),
        bytes: text.clone().into_bytes(),
    };
    let parsed = parse_at_most(15, &[file("a.yml"), file("b.yml")], Documents::Kept);
    let said: Vec<_> = parsed.diagnostics.iter().map(|one| one.code).collect();
    assert_eq!(said, [code::TOO_MANY_RULES.id]);
    assert_eq!(&*parsed.diagnostics[0].place.file, "b.yml");
    assert!(parsed.documents.is_empty());
}

#[test]
fn file_with_countless_problems_is_cut_and_says_so() {
    let found = kinds(&[&"- x\n---\n".repeat(5_000)]);
    assert_eq!(found.len(), FILE_PROBLEMS_MAX + 1);
    assert_eq!(found.last(), Some(&"limit-exceeded"));
}

#[test]
fn patterns_that_would_take_too_much_memory_are_refused() {
    let list = vec![r"'\w{90}'"; 1_000].join(", ");
    let one = rule("a", "", &format!("{{s: {{A|re: [{list}]}}, condition: s}}"));
    assert_eq!(kinds(&[&one]), ["limit-exceeded"]);
    let entries: Vec<String> = (0..500).map(|n| format!(r"F{n}|re: '\w{{90}}'")).collect();
    let many = rule(
        "a",
        "",
        &format!("{{s: {{{}}}, condition: s}}", entries.join(", ")),
    );
    assert!(kinds(&[&many]).iter().all(|kind| *kind == "limit-exceeded"));
    let long = "x".repeat(100_000);
    let dashes = rule(
        "a",
        "",
        &format!("{{s: {{A|windash: ' -a -b -c -d -e -f {long}'}}, condition: s}}"),
    );
    assert_eq!(kinds(&[&dashes]), ["limit-exceeded"]);
}

#[test]
fn correlation_of_too_many_rules_is_refused() {
    let keys = format!(
        "  type: temporal\n  rules: [{}]\n  timespan: 5m\n",
        vec!["a"; 1_001].join(", ")
    );
    let text = format!("{}{}", good("a"), correlation("c", &keys));
    assert_eq!(kinds(&[&text]), ["limit-exceeded"]);
}

#[test]
fn silence_by_fields_is_bounded_and_for_a_correlation_its_group() {
    let suppress = |by: &str| format!("palisade: {{suppress: {{by: {by}, for: 1h}}}}\n");
    let many: Vec<String> = (0..17).map(|n| format!("F{n}")).collect();
    for (by, kinds_expected) in [
        ("[User, Ip]", &[][..]),
        ("User", &[]),
        ("[]", &["invalid-value"]),
        ("[User, User]", &["invalid-value"]),
        ("['']", &["invalid-value"]),
        (&format!("[{}]", many.join(", ")), &["invalid-value"]),
        ("{a: b}", &["wrong-type", "invalid-value"]),
    ] {
        let text = rule("a", &suppress(by), "{s: {A: 1}, condition: s}");
        assert_eq!(kinds(&[&text]), kinds_expected, "{by}");
    }
    let keys = "  type: event_count\n  rules: [a]\n  group-by: [User, Ip]\n  timespan: 5m\n  \
                condition: {gte: 2}\n";
    for (by, kinds_expected) in [
        ("[Ip, User]", &[][..]),
        ("[User]", &["invalid-correlation"]),
        ("[User, Ip, Host]", &["invalid-correlation"]),
    ] {
        let keys = format!("{keys}{}", suppress(by));
        let text = format!("{}{}", good("a"), correlation("c", &keys));
        assert_eq!(kinds(&[&text]), kinds_expected, "{by}");
    }
}

#[test]
fn documents_name_the_rules_that_they_became() {
    let first = format!(
        "{}---\n{}---\ntitle: t\nlogsource: {{product: p}}\n",
        good("a"),
        correlation(
            "c",
            "  type: event_count\n  rules: a\n  timespan: 5m\n  condition: {gte: 1}\n"
        )
    );
    let second = "title: f\nid: f\nlogsource: {product: p}\n\
                  filter: {rules: any, s: {A: 1}, condition: not s}\n";
    let parsed = parse_documents(&[file(0, &first), file(1, second)]);
    let became: Vec<_> = parsed
        .documents
        .iter()
        .map(|document| (document.file, document.rule))
        .collect();
    assert_eq!(
        became,
        [
            (0, Some(RuleAt::Detection(0))),
            (0, Some(RuleAt::Correlation(0))),
            (0, None),
            (1, Some(RuleAt::Filter(0))),
        ]
    );
}

#[test]
fn wording_that_cannot_be_read_is_refused_at_its_token() {
    for (keys, kind, covered) in [
        ("title: 'a {b'", "invalid-value", "{b"),
        ("title: 'a {} b'", "invalid-value", "{}"),
        ("title: [a]", "wrong-type", "[a]"),
        ("title: 'a {b|contains}'", "invalid-value", "|contains"),
        ("external_id: 'a|contains'", "invalid-value", "'a|contains'"),
        ("level_from: [a]", "wrong-type", "[a]"),
        ("external_id: ''", "wrong-type", "''"),
        ("titel: a", "invalid-value", "titel"),
    ] {
        let more = format!("palisade: {{{keys}}}\n");
        let text = rule("a", &more, "{s: {A: 1}, condition: s}");
        let (_, problems) = load(&[&text]);
        let found: Vec<_> = problems
            .iter()
            .map(|d| (d.kind, text.get(d.place.span.clone())))
            .collect();
        assert_eq!(found, [(kind, Some(covered))], "{keys}");
    }
}
