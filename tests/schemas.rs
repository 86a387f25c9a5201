//! The JSON Schemas under `docs/schemas`: up to date, and right about every file of the tree.

use std::fs;
use std::path::{Path, PathBuf};

use palisade::schema::{Kind, schema, text};
use palisade_detect::yaml::{self, Node, Yaml};
use serde_json::{Map, Number, Value};

#[path = "support/page.rs"]
mod page;
#[path = "support/schema.rs"]
mod validator;
#[path = "support/corpus.rs"]
mod corpus;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn json(node: &Node) -> Value {
    match &node.value {
        Yaml::Null => Value::Null,
        Yaml::Bool(truth) => Value::Bool(*truth),
        Yaml::Int(int) => i64::try_from(*int).map_or_else(|_| Value::from(1e30), Value::from),
        Yaml::Float(float) => Number::from_f64(*float).map_or(Value::Null, Value::Number),
        Yaml::Text(text) => Value::String(text.clone()),
        Yaml::Seq(list) => list.iter().map(json).collect(),
        Yaml::Map(map) => {
            let members = map.iter();
            let members = members.map(|(key, value)| {
                let key = key.as_text().expect("keys are text");
                (key.to_owned(), json(value))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

/// What the schema has against the documents of a YAML text.
fn found(kind: Kind, name: &str, text: &str) -> Vec<String> {
    let documents = yaml::parse(name, text.as_bytes()).expect("YAML");
    assert!(!documents.is_empty(), "{name} is empty");
    let schema = schema(kind);
    documents
        .iter()
        .flat_map(|document| validator::violations(&schema, &json(document)))
        .map(|violation| format!("{name}: {violation}"))
        .collect()
}

/// Files below a folder of the tree whose name ends so.
fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let mut waiting = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// YAML blocks of a page whose first lines hold this text.
fn blocks(page: &str, mark: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).expect("a page");
    let blocks = text.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    blocks
        .filter(|block| block.contains(mark))
        .map(str::to_owned)
        .collect()
}

#[test]
fn schemas_are_those_of_the_code() {
    for kind in Kind::ALL {
        page::compare(
            &format!("docs/schemas/{}.schema.json", kind.name()),
            &text(kind),
        );
    }
}

#[test]
fn every_rule_case_file_and_pipeline_of_the_tree_is_valid() {
    let mut violations = Vec::new();
    let mut counts = [0; 3];
    for path in files("detections", ".yml") {
        let name = path.to_string_lossy();
        let (kind, count) = if name.ends_with(".cases.yml") {
            (Kind::Cases, 0)
        } else if name.contains("/pipelines/") {
            (Kind::Pipeline, 1)
        } else if name.contains("/lists/") {
            continue;
        } else {
            (Kind::Rule, 2)
        };
        counts[count] += 1;
        violations.extend(found(
            kind,
            &name,
            &fs::read_to_string(&path).expect("a file"),
        ));
    }
    assert_eq!(violations, [""; 0]);
    assert!(
        counts[0] >= 20 && counts[1] >= 1 && counts[2] >= 20,
        "{counts:?}"
    );
}

/// A schema that is stricter than the reader would underline what loads.
#[test]
fn every_rule_of_sigmahq_is_valid() {
    let Some(files) = corpus::corpus() else {
        return;
    };
    assert_eq!(files.len(), corpus::FILES);
    let schema = schema(Kind::Rule);
    for file in files {
        for document in yaml::parse(&file.name, &file.bytes).expect("YAML") {
            let violations = validator::violations(&schema, &json(&document));
            assert_eq!(violations, [""; 0], "{}", file.name);
        }
    }
}

#[test]
fn every_configuration_of_the_tree_is_valid() {
    let deployed = fs::read_to_string(root().join("deploy/palisade.yaml")).expect("a file");
    let mut examples = vec![deployed];
    for page in ["README.md", "docs/configuration.md"] {
        let found = blocks(page, "sources:");
        assert!(!found.is_empty(), "{page} shows no configuration");
        examples.extend(found);
    }
    examples.push(
        "rules:\n  paths:\n    - detections\n    - {path: sigma, min_level: high, exclude: ['**/test']}\n  \
         overrides: {abc: {disabled: true, suppress: none}, def: {suppress: {for: 1h}}}\n\
         pipelines: {default: false, files: [a.yml]}\n\
         sources:\n  - {name: a, type: kafka, brokers: ['h:1'], topics: x, group: g, start: {timestamp: \
         '2026-03-02T00:00:00Z'}, tls: true, sasl: {mechanism: plain, username: u, password: '${P}'}}\n  \
         - {name: b, type: file, path: '-', unknown: {judge: none}}\n\
         state: {max_bytes: 20GiB, retention: {alerts: 0s}}\n\
         dead_letters: {breaker: {share: 5%, window: 1m, min_records: 100}}\n"
            .to_owned(),
    );
    for example in examples {
        assert_eq!(
            found(Kind::Config, "an example", &example),
            [""; 0],
            "{example}"
        );
    }
}

const RULE: &str = "title: T\nlogsource: {product: azure}\n\
                    detection: {a: {b|contains: c}, condition: a}\n";
const CORRELATION: &str = "title: T\ncorrelation: {type: event_count, rules: [a], timespan: 5m, \
                           condition: {gte: 5}}\n";
const FILTER: &str = "title: T\nlogsource: {product: azure}\nfilter: {rules: any, a: {b: c}, \
                      condition: not a}\npalisade: {owner: o, reason: r, expires: 2026-12-31}\n";
const CASES: &str = "cases:\n  - {name: n, fires: true, records: [{at: 5s, record: {a: 1}}]}\n";
const PIPELINE: &str = "name: p\npriority: 1\ntransformations:\n  - {type: field_name_prefix, \
                        prefix: x., rule_conditions: [{type: logsource, product: azure}]}\n";
const CONFIG: &str = "rules: [r]\nsources: [{name: a, type: file, path: f}]\n";

#[test]
fn small_files_of_every_kind_are_valid() {
    for (kind, text) in [
        (Kind::Rule, RULE),
        (Kind::Rule, CORRELATION),
        (Kind::Rule, FILTER),
        (Kind::Rule, "action: global\ntitle: T\n"),
        (Kind::Cases, CASES),
        (Kind::Pipeline, PIPELINE),
        (Kind::Config, CONFIG),
    ] {
        assert_eq!(found(kind, "small", text), [""; 0], "{text}");
    }
}

#[test]
fn broken_files_are_not_valid() {
    for (kind, text, from, to) in [
        (Kind::Rule, RULE, "title: T\n", ""),
        (Kind::Rule, RULE, "title: T", "title: 1"),
        (Kind::Rule, RULE, "contains", "contain"),
        (Kind::Rule, RULE, ", condition: a", ""),
        (Kind::Rule, RULE, "product: azure", "vendor: azure"),
        (Kind::Rule, RULE, "title: T", "title: T\nlevel: severe"),
        (Kind::Rule, RULE, "title: T", "title: T\nstatus: new"),
        (Kind::Rule, RULE, "title: T", "title: T\ntags: attack.t1078"),
        (
            Kind::Rule,
            RULE,
            "title: T",
            "title: T\npalisade: {supress: none}",
        ),
        (
            Kind::Rule,
            RULE,
            "title: T",
            "title: T\npalisade: {suppress: {for: soon}}",
        ),
        (Kind::Rule, CORRELATION, "event_count", "event_cont"),
        (Kind::Rule, CORRELATION, "5m", "five"),
        (Kind::Rule, CORRELATION, "gte", "ge"),
        (Kind::Rule, CORRELATION, "rules: [a], ", ""),
        (Kind::Rule, FILTER, "rules: any, ", ""),
        (Kind::Rule, FILTER, "owner", "ownr"),
        (Kind::Cases, CASES, "name: n, ", ""),
        (Kind::Cases, CASES, "fires: true", "fires: yes"),
        (Kind::Cases, CASES, "record: {a: 1}", "rekord: {a: 1}"),
        (Kind::Cases, CASES, "5s", "5"),
        (
            Kind::Pipeline,
            PIPELINE,
            "field_name_prefix",
            "field_prefix",
        ),
        (Kind::Pipeline, PIPELINE, "prefix: x.", "suffix: x."),
        (Kind::Pipeline, PIPELINE, "priority: 1", "priority: first"),
        (Kind::Config, CONFIG, "rules: [r]\n", ""),
        (Kind::Config, CONFIG, "rules: [r]", "rules: [r]\nruels: [r]"),
        (Kind::Config, CONFIG, "type: file", "type: files"),
        (Kind::Config, CONFIG, "path: f", "path: f, group: g"),
        (
            Kind::Config,
            CONFIG,
            "rules: [r]",
            "rules: [r]\nlateness: 5 minutes",
        ),
        (
            Kind::Config,
            CONFIG,
            "rules: [r]",
            "rules: [r]\nlog: {format: xml}",
        ),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        let broken = text.replacen(from, to, 1);
        assert_ne!(found(kind, "broken", &broken), [""; 0], "{broken}");
    }
}
