//! SigmaHQ's Azure rules over public sample records and a few of our own, and the page about them.
//!
//! Rules and samples are no part of this repository: where `../shared` is absent nothing is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade::config::Pipelines;
use palisade::rules;
use palisade::topology::stage::{RecordPlace, SourceTraits, Stage, UnknownPolicy};
use palisade_detect::engine::{Clamp, Engine, EngineOptions};
use palisade_detect::event::SourcePartition;
use palisade_detect::rule::parse;
use palisade_detect::time::Timestamp;
use palisade_detect::yaml::{self, Node};
use palisade_ingest::decode::Hints;
use palisade_ingest::source::file::{Reader, list};

#[path = "support/page.rs"]
mod page;

/// Samples of one rule that the page names; the others are counted.
const SAMPLES_SHOWN_MAX: usize = 2;

/// Records of our own, in the sample records' place in the page.
const OWN: &str = "tests/sigmahq/records.ndjson";

fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    folder.is_dir().then_some(folder)
}

/// What a rule's values come to on the wire.
struct Verdict {
    wire: String,
    sample: bool,
    why: String,
}

fn verdicts() -> BTreeMap<String, Verdict> {
    let documents = yaml::parse("verdicts.yml", include_bytes!("sigmahq/verdicts.yml"))
        .expect("the verdicts are YAML");
    let rules = documents[0].as_map().expect("rules by file name");
    let text = |node: &Node, key: &str| {
        let value = node.get(key).and_then(Node::as_text);
        value.unwrap_or_default().to_owned()
    };
    rules
        .iter()
        .map(|(name, node)| {
            let verdict = Verdict {
                wire: text(node, "wire"),
                sample: node.get("sample").and_then(Node::as_bool) == Some(true),
                why: text(node, "why"),
            };
            (name.as_text().expect("a file name").to_owned(), verdict)
        })
        .collect()
}

/// One rule as the page names it.
struct Rule {
    title: String,
    service: String,
}

/// The rules by file name, the file name of each id, and the engine.
struct Rules {
    by_file: BTreeMap<String, Rule>,
    file_of: BTreeMap<String, String>,
    engine: Arc<Engine>,
}

fn load(root: &Path) -> Rules {
    let folder = root.join("sigma/sigmahq-azure/rules/cloud/azure");
    let (files, problems) = rules::walk(&[folder]);
    assert!(problems.is_empty(), "{problems:?}");
    let (maps, _) = rules::pipeline_files(&Pipelines::built_in());
    let loaded = rules::load_files(&files, &maps, EngineOptions::default());
    assert_eq!(loaded.skipped, 0, "{:?}", loaded.findings);
    let (set, _) = parse::parse(&files);
    let mut found = Rules {
        by_file: BTreeMap::new(),
        file_of: BTreeMap::new(),
        engine: Arc::new(loaded.engine.expect("the field map loads")),
    };
    for rule in set.detections {
        let path = Path::new(&*rule.place.file);
        let name = path.file_stem().expect("a file").to_string_lossy();
        let id = rule.meta.id.clone().expect("an id");
        found.file_of.insert(id, name.to_string());
        let about = Rule {
            title: rule.meta.title.clone(),
            service: rule
                .logsource
                .service
                .as_deref()
                .unwrap_or_default()
                .to_owned(),
        };
        found.by_file.insert(name.into_owned(), about);
    }
    found
}

/// Where each rule fires: by its file name, places of records.
type Fired = BTreeMap<String, Vec<String>>;

/// Every rule over the records below `paths`; places are named without `root`.
fn fired(rules: &Rules, paths: &[PathBuf], root: &Path) -> (Fired, u64) {
    let traits = SourceTraits {
        tenant: Arc::from("default"),
        hints: Hints::default(),
        unknown: UnknownPolicy::JudgeNone,
        clamp: Clamp::Never,
    };
    let mut stage = Stage::new(Arc::clone(&rules.engine));
    let (mut fired, mut records) = (Fired::new(), 0);
    for file in list(paths).files {
        let name = file.input.name();
        let short = Path::new(&*name)
            .strip_prefix(root)
            .expect("below the root");
        let short = short.to_string_lossy().replace('\\', "/");
        for record in Reader::open(&file.input).expect("readable") {
            records += 1;
            let place = RecordPlace {
                at: SourcePartition {
                    source: Arc::clone(&name),
                    incarnation: 1,
                    partition: 0,
                },
                offset: record.offset,
                append_time: Timestamp::from_unix_seconds(1_772_442_000),
            };
            let outcome = stage.record(Some(&record.payload), &place, &traits);
            let met: BTreeSet<&str> = outcome.alerts.iter().map(|a| a.rule.id.as_str()).collect();
            for id in met {
                let place = format!("{short} {}", record.offset);
                fired
                    .entry(rules.file_of[id].clone())
                    .or_default()
                    .push(place);
            }
        }
    }
    (fired, records)
}

#[test]
fn sigmahq_rules_fire_where_the_wire_allows_it_and_the_page_says_so() {
    let Some(root) = shared() else {
        eprintln!("../shared is absent: nothing is checked");
        return;
    };
    let (rules, verdicts) = (load(&root), verdicts());
    assert!(
        rules.by_file.keys().eq(verdicts.keys()),
        "the verdicts are not those of the rules"
    );
    let (on_samples, read) = fired(&rules, &[root.join("samples")], &root.join("samples"));
    assert!(read > 500, "{read} records");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (on_own, own) = fired(&rules, &[here.join(OWN)], here);

    let mut wrong = Vec::new();
    for (name, verdict) in &verdicts {
        let fires = on_samples.contains_key(name);
        if verdict.sample && !fires && !on_own.contains_key(name) {
            wrong.push(format!("{name} should fire on a record and does not"));
        }
        if fires && !verdict.sample {
            wrong.push(format!("{name} fires on {:?}", on_samples[name]));
        }
        if matches!(verdict.wire.as_str(), "none" | "local" | "unreached")
            && on_own.contains_key(name)
        {
            wrong.push(format!(
                "{name} cannot fire and does on a record of our own"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let shown = |fired: &Fired| {
        verdicts
            .keys()
            .filter(|name| fired.contains_key(*name))
            .count()
    };
    assert!(shown(&on_samples) >= 21, "only {} fire", shown(&on_samples));
    let shown: BTreeSet<&String> = on_own.values().flatten().collect();
    assert_eq!(shown.len() as u64, own, "a record of our own shows no rule");

    page::compare(
        "docs/sigmahq-azure.md",
        &text(&rules, &verdicts, (&on_samples, &on_own)),
    );
}

fn text(
    rules: &Rules,
    verdicts: &BTreeMap<String, Verdict>,
    (on_samples, on_own): (&Fired, &Fired),
) -> String {
    let mut lines = String::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, rule) in &rules.by_file {
        let verdict = &verdicts[name];
        let (kind, said) = if let Some(places) = on_samples.get(name) {
            ("sample", places_text("fires on", places))
        } else if let Some(places) = on_own.get(name) {
            ("own", places_text("fires on a record of our own:", places))
        } else if verdict.wire == "ok" {
            ("can", "can stand on the wire".to_owned())
        } else {
            ("cannot", "cannot".to_owned())
        };
        *counts.entry(kind).or_default() += 1;
        let why = match (verdict.why.as_str(), kind) {
            ("", _) => String::new(),
            (why, "cannot") => format!(": {why}"),
            (why, _) => format!("; {why}"),
        };
        let title = rule.title.replace('|', "\\|");
        let service = &rule.service;
        writeln!(lines, "| `{name}` | {title} | {service} | {said}{why} |").expect("text");
    }
    let count = |kind: &str| counts.get(kind).copied().unwrap_or(0);
    format!(
        "# SigmaHQ's Azure rules\n\n\
         What becomes of the {} rules below `rules/cloud/azure/` of SigmaHQ/sigma at commit `8eaafff1`\n\
         with the built-in field map and strict log sources. Generated by `tests/sigmahq.rs` from a run\n\
         over public sample records and from `tests/sigmahq/verdicts.yml`. A sample is named by its\n\
         file in the collection of samples and the record's number from 0.\n\n\
         {} fire on a public sample, {} on a record of our own (`{OWN}`), {} can stand on\n\
         the wire, {} cannot.\n\n\
         | rule file | title | service | verdict |\n| --- | --- | --- | --- |\n{lines}",
        rules.by_file.len(),
        count("sample"),
        count("own"),
        count("can"),
        count("cannot"),
    )
}

fn places_text(what: &str, places: &[String]) -> String {
    let shown: Vec<String> = places
        .iter()
        .take(SAMPLES_SHOWN_MAX)
        .map(|place| format!("`{place}`"))
        .collect();
    let more = places.len().saturating_sub(SAMPLES_SHOWN_MAX);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{what} {}{more}", shown.join(", "))
}
