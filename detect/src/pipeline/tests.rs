use std::sync::Arc;

use indexmap::IndexMap;

use super::*;
use crate::diagnostic::Place;
use crate::logsource::Logsource;
use crate::rule::item::{Item, RawValue, Target};
use crate::rule::modifier::Modifier;
use crate::rule::{Detection, Expr, Filter, Meta, PalisadeKeys, Search};

fn pipelines(texts: &[&str]) -> Vec<Pipeline> {
    let file = |text: &&str| RuleFile {
        name: Arc::from("p.yml"),
        bytes: text.as_bytes().to_vec(),
    };
    let files: Vec<_> = texts.iter().map(file).collect();
    parse(&files).expect("valid pipelines")
}

/// `a|neq: 1` as an entry.
fn item(key: &str, values: &[&str]) -> Search {
    let mut parts = key.split('|');
    let target = match parts.next() {
        None | Some("") => Target::Keywords,
        Some(field) => Target::Fields(vec![field.to_owned()]),
    };
    Search::Item(Item {
        target,
        modifiers: parts
            .map(|name| Modifier::of(name).expect("a modifier"))
            .collect(),
        values: values
            .iter()
            .map(|value| RawValue::Text((*value).to_owned()))
            .collect(),
        place: Place::start_of("r.yml"),
    })
}

fn rule(logsource: Logsource, items: Vec<Search>) -> RuleSet {
    let detection = Detection {
        meta: Meta {
            id: Some("r".to_owned()),
            title: "R".to_owned(),
            ..Meta::default()
        },
        place: Place::start_of("r.yml"),
        logsource,
        searches: IndexMap::from([("selection".to_owned(), Search::AllOf(items))]),
        condition: Expr::Search(0),
        palisade: PalisadeKeys::default(),
        names: Names::default(),
    };
    RuleSet {
        detections: vec![detection],
        ..RuleSet::default()
    }
}

/// The rule's entries as `paths=values`.
fn entries(rules: &RuleSet) -> Vec<String> {
    fn collect(search: &Search, out: &mut Vec<String>) {
        match search {
            Search::AllOf(parts) | Search::AnyOf(parts) => {
                for part in parts {
                    collect(part, out);
                }
            }
            Search::Item(item) => {
                let fields = match &item.target {
                    Target::Keywords => "*".to_owned(),
                    Target::Fields(fields) => fields.join(","),
                };
                let values: Vec<_> = item.values.iter().map(conditions::raw_text).collect();
                out.push(format!("{fields}={}", values.join("/")));
            }
        }
    }
    let mut out = Vec::new();
    for search in rules
        .detections
        .first()
        .expect("one rule")
        .searches
        .values()
    {
        collect(search, &mut out);
    }
    out
}

fn applied(texts: &[&str], items: Vec<Search>) -> Vec<String> {
    let mut rules = rule(Logsource::of("azure", "signinlogs"), items);
    assert_eq!(apply(&pipelines(texts), &mut rules), []);
    entries(&rules)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a flat table")]
fn names_and_values_become_what_the_transformations_say() {
    let cases: &[(&str, &str, Search, &str)] = &[
        (
            "one to many",
            "{type: field_name_mapping, mapping: {A: [x.a, y.a]}}",
            item("A", &["1"]),
            "x.a,y.a=1",
        ),
        (
            "unlisted stays",
            "{type: field_name_mapping, mapping: {A: x.a}}",
            item("B", &["1"]),
            "B=1",
        ),
        (
            "reference",
            "{type: field_name_mapping, mapping: {A: x, B: y}}",
            item("A|fieldref", &["B"]),
            "x=y",
        ),
        (
            "keywords stay",
            "{type: field_name_prefix, prefix: p.}",
            item("", &["k"]),
            "*=k",
        ),
        (
            "suffix",
            "{type: field_name_suffix, suffix: _s}",
            item("A", &["1"]),
            "A_s=1",
        ),
        (
            "prefix mapping",
            "{type: field_name_prefix_mapping, mapping: {win.: w.}}",
            item("win.x", &["1"]),
            "w.x=1",
        ),
        (
            "prefix taken away",
            "{type: field_name_prefix_mapping, mapping: {win.: ''}}",
            item("win.x", &["1"]),
            "x=1",
        ),
        (
            "a name that is the prefix alone",
            "{type: field_name_prefix_mapping, mapping: {win.: ''}}",
            item("win.", &["1"]),
            "win.=1",
        ),
        (
            "an expression over conditions on fields that holds",
            "{type: field_name_suffix, suffix: _s, field_name_conditions: {a: {type: \
             include_fields, fields: [A, B]}, b: {type: include_fields, fields: [B]}}, \
             field_name_cond_expr: a and not b}",
            item("A", &["1"]),
            "A_s=1",
        ),
        (
            "an expression over conditions on fields that does not hold",
            "{type: field_name_suffix, suffix: _s, field_name_conditions: {a: {type: \
             include_fields, fields: [A, B]}, b: {type: include_fields, fields: [B]}}, \
             field_name_cond_expr: a and not b}",
            item("B", &["1"]),
            "B=1",
        ),
        (
            "an expression over conditions on rules",
            "{type: field_name_suffix, suffix: _s, rule_conditions: {a: {type: tag, tag: x}, \
             b: {type: is_sigma_rule}}, rule_cond_expr: a or b}",
            item("A", &["1"]),
            "A_s=1",
        ),
        (
            "an expression over conditions on entries",
            "{type: set_value, value: 5, detection_item_conditions: {a: {type: match_string, \
             pattern: x}, b: {type: is_null}}, detection_item_cond_expr: not (a or b)}",
            item("A", &["x"]),
            "A=x",
        ),
        (
            "replacement",
            r"{type: replace_string, regex: '^([^/]+)$', replacement: '\1/*'}",
            item("A", &["ns"]),
            "A=ns/*",
        ),
        (
            "expressions are no text",
            "{type: replace_string, regex: x, replacement: y}",
            item("A|re", &["x"]),
            "A=x",
        ),
        (
            "a dollar sign is one",
            "{type: replace_string, regex: x, replacement: '$0'}",
            item("A", &["x"]),
            "A=$0",
        ),
        (
            "mapped value",
            "{type: map_string, mapping: {Success: ['0', ok]}}",
            item("A", &["Success"]),
            "A=0/ok",
        ),
        (
            "set value",
            "{type: set_value, value: 5}",
            item("A", &["x"]),
            "A=5",
        ),
        (
            "lower case",
            "{type: case, method: lower}",
            item("A", &["ABC"]),
            "A=abc",
        ),
        (
            "included field",
            "{type: field_name_prefix, prefix: p_, field_name_conditions: [{type: include_fields, fields: [B]}]}",
            item("A", &["1"]),
            "A=1",
        ),
        (
            "excluded field",
            "{type: field_name_prefix, prefix: p_, field_name_conditions: [{type: exclude_fields, fields: [B]}]}",
            item("A", &["1"]),
            "p_A=1",
        ),
        (
            "field by expression",
            "{type: field_name_prefix, prefix: p_, field_name_conditions: [{type: include_fields, mode: re, fields: ['A.*']}]}",
            item("AB", &["1"]),
            "p_AB=1",
        ),
        (
            "entry condition",
            "{type: field_name_prefix, prefix: p_, detection_item_conditions: [{type: match_string, pattern: y}]}",
            item("A", &["x"]),
            "A=x",
        ),
        (
            "rule condition fails",
            "{type: field_name_prefix, prefix: p_, rule_conditions: [{type: logsource, product: aws}]}",
            item("A", &["1"]),
            "A=1",
        ),
        (
            "rule condition negated",
            "{type: field_name_prefix, prefix: p_, rule_cond_not: true, rule_conditions: [{type: logsource, product: aws}]}",
            item("A", &["1"]),
            "p_A=1",
        ),
        (
            "rule conditions by or",
            "{type: field_name_prefix, prefix: p_, rule_cond_op: or, rule_conditions: [{type: logsource, product: aws}, {type: logsource, service: signinlogs}]}",
            item("A", &["1"]),
            "p_A=1",
        ),
        (
            "wildcard placeholder",
            "{type: wildcard_placeholders}",
            item("A|expand", &["%x%"]),
            "A=*",
        ),
    ];
    for (name, transformation, item, expected) in cases {
        let text = format!("transformations: [{transformation}]");
        assert_eq!(applied(&[&text], vec![item.clone()]), [*expected], "{name}");
    }
}

#[test]
fn pipelines_run_by_priority_and_transformations_in_order() {
    let late = "{priority: 20, transformations: [{type: field_name_prefix, prefix: late_}]}";
    let early = "{priority: 10, transformations: [{type: field_name_prefix, prefix: a_}, {type: field_name_prefix, prefix: b_}]}";
    assert_eq!(
        applied(&[late, early], vec![item("A", &["1"])]),
        ["late_b_a_A=1"]
    );
}

#[test]
fn placeholders_take_every_value_of_their_variable() {
    let text = "{vars: {admins: [kim, lee]}, transformations: [{type: value_placeholders}]}";
    assert_eq!(
        applied(&[text], vec![item("A|expand", &["%admins%"])]),
        ["A=kim/lee"]
    );
}

#[test]
fn dropped_entries_are_ignored_and_the_rest_stays() {
    let text = "transformations: [{type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [N]}]}]";
    assert_eq!(
        applied(&[text], vec![item("A", &["1"]), item("N", &["x"])]),
        ["A=1"]
    );
}

#[test]
fn later_transformations_see_states_ids_and_the_changed_log_source() {
    let text = "
transformations:
  - {id: first, type: set_state, key: table, val: signins}
  - {type: change_logsource, product: entra}
  - {type: field_name_prefix, prefix: a_, rule_conditions: [{type: processing_state, key: table, val: signins}]}
  - {type: field_name_prefix, prefix: b_, rule_conditions: [{type: processing_item_applied, processing_item_id: first}]}
  - {type: field_name_prefix, prefix: c_, rule_conditions: [{type: logsource, product: entra}]}";
    assert_eq!(applied(&[text], vec![item("A", &["1"])]), ["c_b_a_A=1"]);
}

#[test]
fn added_condition_narrows_the_rule_and_is_seen_by_later_renamings() {
    let text = "
transformations:
  - {type: add_condition, conditions: {Channel: [Security, System]}}
  - {type: field_name_prefix, prefix: w.}";
    let mut rules = rule(Logsource::default(), vec![item("A", &["1"])]);
    assert_eq!(apply(&pipelines(&[text]), &mut rules), []);
    assert_eq!(entries(&rules), ["w.A=1", "w.Channel=Security/System"]);
    let condition = &rules.detections.first().expect("one rule").condition;
    assert_eq!(
        *condition,
        Expr::And(vec![Expr::Search(0), Expr::Search(1)])
    );
}

#[test]
fn refused_rule_leaves_the_set_and_is_reported() {
    let text = "transformations: [{type: rule_failure, message: not here, rule_conditions: [{type: is_sigma_rule}]}]";
    let mut rules = rule(Logsource::default(), vec![item("A", &["1"])]);
    let problems = apply(&pipelines(&[text]), &mut rules);
    assert!(rules.detections.is_empty());
    let [problem] = problems.as_slice() else {
        panic!("one problem, not {problems:?}")
    };
    assert_eq!(
        (problem.kind, problem.rule.as_deref()),
        ("pipeline", Some("r"))
    );
    assert!(problem.message.contains("not here"));
}

#[test]
fn rule_remembers_how_its_names_were_read() {
    let text = "transformations: [{type: field_name_mapping, mapping: {Ip: [a.ip, b.ip]}}, {type: field_name_mapping, mapping: {a.ip: c.ip}}]";
    let mut rules = rule(Logsource::default(), vec![item("A", &["1"])]);
    assert_eq!(apply(&pipelines(&[text]), &mut rules), []);
    let names = &rules.detections.first().expect("one rule").names;
    assert_eq!(names.paths("Ip"), ["c.ip", "b.ip"]);
    assert_eq!(names.paths("Other"), ["Other"]);
}

#[test]
fn filter_is_joined_with_and_and_its_fields_are_renamed_with_the_rules() {
    let mut rules = rule(
        Logsource::of("azure", "signinlogs"),
        vec![item("A", &["1"])],
    );
    let filter = |logsource, names: Option<Vec<String>>| Filter {
        meta: Meta {
            title: "F".to_owned(),
            ..Meta::default()
        },
        place: Place::start_of("f.yml"),
        logsource,
        rules: names,
        searches: IndexMap::from([("selection".to_owned(), item("User", &["svc"]))]),
        condition: Expr::Not(Box::new(Expr::Search(0))),
        exception: crate::rule::Exception::default(),
    };
    rules.filters = vec![
        filter(
            Logsource::of("azure", "signinlogs"),
            Some(vec!["r".to_owned()]),
        ),
        filter(Logsource::of("azure", "auditlogs"), None),
        filter(Logsource::default(), Some(vec!["other".to_owned()])),
    ];
    let text = "transformations: [{type: field_name_mapping, mapping: {User: u.n}}]";
    assert_eq!(apply(&pipelines(&[text]), &mut rules), []);
    assert_eq!(entries(&rules), ["A=1", "u.n=svc"]);
    let condition = &rules.detections.first().expect("one rule").condition;
    let excluded = Expr::Not(Box::new(Expr::Search(1)));
    assert_eq!(*condition, Expr::And(vec![Expr::Search(0), excluded]));
}

#[test]
fn every_problem_of_a_pipeline_is_reported_with_its_place() {
    let text = "prio: 3
transformations:
  - {type: field_name_maping, mapping: {A: b}}
  - {type: replace_string, regex: '(', replacement: x}
  - {type: field_name_prefix}
  - {type: case, method: lower, colour: red}
  - {type: drop_detection_item, rule_conditions: [{type: moon_phase}]}
postprocessing: []
";
    let file = RuleFile {
        name: Arc::from("p.yml"),
        bytes: text.as_bytes().to_vec(),
    };
    let problems = parse(&[file]).expect_err("seven problems");
    let places: Vec<_> = problems.iter().map(|problem| problem.place.line).collect();
    assert_eq!(places, [1, 3, 4, 5, 6, 7, 8], "{problems:#?}");
    assert!(problems.iter().all(|problem| problem.kind == "pipeline"));
    let help = problems.get(1).and_then(|problem| problem.help.as_deref());
    assert!(
        help.is_some_and(|help| help.contains("field_name_mapping")),
        "{help:?}"
    );
}

#[test]
fn what_is_wrong_with_expressions_over_conditions_is_told_where_it_stands() {
    let conditions = "rule_conditions: {a: {type: is_sigma_rule}}";
    for (keys, at, word) in [
        (
            format!("{conditions}, rule_cond_expr: a and c"),
            "c}",
            "rule_cond_expr",
        ),
        (
            format!("{conditions}, rule_cond_expr: a, rule_cond_op: or"),
            "or}",
            "rule_cond_op",
        ),
        (conditions.to_owned(), "{a:", "needs `rule_cond_expr`"),
        (
            "rule_cond_expr: a".to_owned(),
            "a}",
            "has no `rule_conditions`",
        ),
        (
            "rule_conditions: [], rule_cond_expr: a".to_owned(),
            "[]",
            "is a mapping",
        ),
    ] {
        let text = format!("transformations:\n- {{type: drop_detection_item, {keys}}}\n");
        let line = text.lines().nth(1).expect("a line");
        let column = u32::try_from(line.rfind(at).expect("it") + 1).expect("short");
        let file = RuleFile {
            name: Arc::from("p.yml"),
            bytes: text.into_bytes(),
        };
        let problems = parse(&[file]).expect_err("a problem");
        let told = problems.first().expect("one");
        assert!(told.message.contains(word), "{told:?}");
        assert_eq!((told.place.line, told.place.column), (2, column), "{keys}");
        assert!(told.help.is_some());
    }
    for mapping in ["{A: ''}", "{A: }"] {
        let text = format!("transformations: [{{type: field_name_mapping, mapping: {mapping}}}]");
        let file = RuleFile {
            name: Arc::from("p.yml"),
            bytes: text.into_bytes(),
        };
        assert!(parse(&[file]).is_err(), "{mapping}");
    }
}

#[test]
fn shipped_field_map_is_valid() {
    let file = RuleFile {
        name: Arc::from("azure.yml"),
        bytes: include_bytes!("../../../detections/pipelines/azure.yml").to_vec(),
    };
    assert_eq!(parse(&[file]).map(|pipelines| pipelines.len()), Ok(1));
}

#[test]
fn what_grows_with_every_step_of_a_pipeline_is_refused_at_its_limit() {
    let doubled = |step: &str| format!("transformations:\n{}", format!("  - {step}\n").repeat(40));
    for step in [
        "{type: field_name_prefix_mapping, mapping: {'': [a, b]}}",
        "{type: map_string, mapping: {x: [x, x]}}",
        "{type: replace_string, regex: x, replacement: xx}",
    ] {
        let mut rules = rule(Logsource::default(), vec![item("A", &["x"])]);
        let problems = apply(&pipelines(&[&doubled(step)]), &mut rules);
        let found: Vec<_> = problems
            .iter()
            .map(|p| (p.kind, p.rule.as_deref()))
            .collect();
        assert_eq!(found, [("limit-exceeded", Some("r"))], "{step}");
        assert!(rules.detections.is_empty());
    }
}
