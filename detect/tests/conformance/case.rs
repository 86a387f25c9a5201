//! Cases as the suite's files have them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use palisade_detect::logsource::Logsource;
use palisade_detect::rule::RuleFile;
use palisade_detect::yaml::{self, Node, Yaml};

/// What an id `r<N>` of an expectation stands for.
const ID_BASE: &str = "00000000-0000-4000-8000-";

/// One case.
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) category: String,
    pub(crate) title: String,
    pub(crate) authority: String,
    pub(crate) files: Vec<RuleFile>,
    pub(crate) pipelines: Vec<RuleFile>,
    /// The log source that each event states.
    pub(crate) logsources: Vec<Option<Logsource>>,
    pub(crate) events: Vec<String>,
    pub(crate) expected: Expected,
}

/// What must come out.
#[derive(Default)]
pub(crate) struct Expected {
    /// Rule and event.
    pub(crate) alerts: Vec<(String, usize)>,
    pub(crate) correlations: Vec<Fired>,
    /// Rules whose own alerts are not judged.
    pub(crate) ignore: Vec<String>,
    /// Rule or file, and the kind of error.
    pub(crate) rejected: Vec<(String, String)>,
}

/// A correlation that fired.
#[derive(Debug, Clone)]
pub(crate) struct Fired {
    pub(crate) rule: String,
    pub(crate) event: usize,
    pub(crate) group: BTreeMap<String, String>,
    /// Contributing events, where they are told.
    pub(crate) events: Option<Vec<usize>>,
}

/// All cases of all files in a folder, in order.
pub(crate) fn load(folder: &Path) -> Vec<Case> {
    let entries = std::fs::read_dir(folder).expect("the suite is beside the tests");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    paths.iter().flat_map(|path| file(path)).collect()
}

fn file(path: &Path) -> Vec<Case> {
    let bytes = std::fs::read(path).expect("readable");
    let documents = yaml::parse(&path.to_string_lossy(), &bytes).expect("the suite is YAML");
    let [document] = documents.as_slice() else {
        panic!("{}: one document", path.display());
    };
    let category = text(document, "category");
    let cases = document.get("cases").and_then(Node::as_seq).expect("cases");
    cases.iter().map(|node| case(node, &category)).collect()
}

fn case(node: &Node, category: &str) -> Case {
    let events: Vec<String> = text(node, "events")
        .split('\n')
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect();
    let pipelines = node
        .get_some("pipelines")
        .and_then(Node::as_seq)
        .unwrap_or_default();
    let pipelines = pipelines.iter().enumerate();
    Case {
        id: text(node, "id"),
        category: category.to_owned(),
        title: text(node, "title"),
        authority: text(node, "authority"),
        files: files(node),
        pipelines: pipelines
            .map(|(place, text)| rule_file(&format!("pipeline-{place}.yml"), &scalar(text)))
            .collect(),
        logsources: logsources(node, events.len()),
        events,
        expected: node.get_some("expect").map(expected).unwrap_or_default(),
    }
}

fn files(node: &Node) -> Vec<RuleFile> {
    let Some(files) = node.get_some("files").and_then(Node::as_map) else {
        return vec![rule_file("rules.yml", &text(node, "rules"))];
    };
    let mut files: Vec<RuleFile> = files
        .iter()
        .map(|(name, content)| match content.get("base64") {
            None => rule_file(&scalar(name), &scalar(content)),
            Some(encoded) => RuleFile {
                name: Arc::from(scalar(name)),
                bytes: base64::engine::general_purpose::STANDARD
                    .decode(scalar(encoded))
                    .expect("valid Base64"),
            },
        })
        .filter(|file| file.name.ends_with(".yml") || file.name.ends_with(".yaml"))
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

fn rule_file(name: &str, text: &str) -> RuleFile {
    RuleFile {
        name: Arc::from(name),
        bytes: text.as_bytes().to_vec(),
    }
}

fn logsources(node: &Node, events: usize) -> Vec<Option<Logsource>> {
    let one = |node: &Node| {
        let part = |key| node.get_some(key).map(|node| Cow::Owned(scalar(node)));
        (!node.is_null()).then(|| Logsource {
            product: part("product"),
            service: part("service"),
            category: part("category"),
        })
    };
    match node.get_some("logsources") {
        None => vec![None; events],
        Some(stated) => match stated.as_seq() {
            Some(list) => list.iter().map(one).collect(),
            None => vec![one(stated); events],
        },
    }
}

fn expected(node: &Node) -> Expected {
    let list = |key: &str| {
        node.get_some(key)
            .and_then(Node::as_seq)
            .unwrap_or_default()
    };
    let alerts = node
        .get_some("alerts")
        .and_then(Node::as_map)
        .unwrap_or_default();
    Expected {
        alerts: alerts
            .iter()
            .flat_map(|(rule, events)| numbers(events).into_iter().map(|event| (id(rule), event)))
            .collect(),
        correlations: list("correlations").iter().map(fired).collect(),
        ignore: list("ignore").iter().map(id).collect(),
        rejected: list("rejected")
            .iter()
            .map(|node| match node.get("rule") {
                Some(rule) => (id(rule), text(node, "error")),
                None => (text(node, "file"), text(node, "error")),
            })
            .collect(),
    }
}

fn fired(node: &Node) -> Fired {
    let group = node
        .get_some("group")
        .and_then(Node::as_map)
        .unwrap_or_default();
    let event = node.get("event").and_then(Node::as_int).expect("an event");
    Fired {
        rule: id(node.get("rule").expect("a rule")),
        event: usize::try_from(event).expect("small"),
        group: group
            .iter()
            .map(|(name, value)| (scalar(name), scalar(value)))
            .collect(),
        events: node.get_some("events").map(numbers),
    }
}

fn numbers(node: &Node) -> Vec<usize> {
    let numbers = node.as_seq().expect("a list").iter();
    numbers
        .map(|number| usize::try_from(number.as_int().expect("a number")).expect("small"))
        .collect()
}

/// A rule's id; `r12` is short for a UUID.
fn id(node: &Node) -> String {
    let written = scalar(node);
    match written
        .strip_prefix('r')
        .and_then(|number| number.parse::<u64>().ok())
    {
        Some(number) => format!("{ID_BASE}{number:012}"),
        None => written,
    }
}

fn text(node: &Node, key: &str) -> String {
    node.get(key).map(scalar).unwrap_or_default()
}

fn scalar(node: &Node) -> String {
    match &node.value {
        Yaml::Text(text) => text.clone(),
        Yaml::Int(number) => number.to_string(),
        Yaml::Bool(value) => value.to_string(),
        Yaml::Float(number) => number.to_string(),
        other => panic!("not a scalar: {other:?}"),
    }
}
