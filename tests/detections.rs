//! Every rule under `detections/` against the cases beside it, and the house's rules for rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade::cases::judge::Library;
use palisade::cases::records::records;
use palisade::cases::run::{Plan, run};
use palisade::cases::{Case, form, show};
use palisade::config::{Pipelines, Rules};
use palisade_detect::diagnostic::{Color, Diagnostic};
use palisade_detect::list::{Format, List, ListFile, Lists};
use palisade_detect::rule::parse;
use palisade_detect::rule::{Level, Meta, RuleFile, RuleSet};
use palisade_detect::{diagnostic, pipeline};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("detections/azure")
}

/// Every YAML file below the folder: name relative to it, and text.
fn files() -> BTreeMap<String, Vec<u8>> {
    let root = folder();
    let mut files = BTreeMap::new();
    let mut waiting = vec![root.clone()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("the rules' folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yml") {
                let name = path
                    .strip_prefix(&root)
                    .expect("below the root")
                    .to_string_lossy();
                files.insert(name.replace('\\', "/"), fs::read(&path).expect("a file"));
            }
        }
    }
    files
}

fn rules() -> RuleSet {
    let files: Vec<RuleFile> = files()
        .into_iter()
        .filter(|(name, _)| !name.ends_with(".cases.yml"))
        .map(|(name, bytes)| RuleFile {
            name: Arc::from(name),
            bytes,
        })
        .collect();
    let (mut rules, problems) = parse::parse(&files);
    assert_clean(&problems);
    rules.lists = Arc::new(lists());
    rules
}

/// The lists of the house by their names.
fn lists() -> Lists {
    let mut lists = Lists::default();
    for entry in fs::read_dir(folder().with_file_name("lists")).expect("the folder of lists") {
        let path = entry.expect("an entry").path();
        let text =
            |part: Option<&std::ffi::OsStr>| part.and_then(|part| part.to_str().map(str::to_owned));
        let stem = text(path.file_stem()).expect("a name");
        let ending = text(path.extension()).expect("an ending");
        let file = ListFile {
            name: Arc::from(path.to_string_lossy()),
            format: Format::of(&ending).expect("a list"),
            bytes: fs::read(&path).expect("a file"),
        };
        let list = List::read(file, None).unwrap_or_else(|problems| panic!("{problems:?}"));
        lists.insert(&stem, Some(list));
    }
    lists
}

fn assert_clean(problems: &[Diagnostic]) {
    let text = |name: &str| {
        files()
            .get(name)
            .and_then(|b| String::from_utf8(b.clone()).ok())
    };
    assert!(
        problems.is_empty(),
        "{}",
        diagnostic::render(problems, &text, Color::Never)
    );
}

fn field_map() -> Vec<pipeline::Pipeline> {
    let file = RuleFile {
        name: Arc::from("azure.yml"),
        bytes: include_bytes!("../detections/pipelines/azure.yml").to_vec(),
    };
    pipeline::parse(&[file]).expect("the field map is valid")
}

/// The cases beside a rule file.
fn cases_of(rule: &str) -> Vec<Case> {
    let beside = rule.replace(".yml", ".cases.yml");
    let bytes = files().remove(&beside);
    let file = form::parse(&RuleFile {
        bytes: bytes.unwrap_or_else(|| panic!("{beside} is missing")),
        name: Arc::from(beside),
    });
    assert_clean(&file.problems);
    file.cases
}

#[test]
fn every_case_is_judged_as_it_says() {
    let run = run(&Plan {
        rules: Rules::of_paths(&[folder()]),
        pipelines: Pipelines::built_in(),
        filter: None,
    });
    assert!(run.is_good(), "{}", show::pretty(&run, Color::Never));
    let judged = run.results.len();
    assert!(judged >= 40, "only {judged} cases were found");
}

/// Title, level and id of the first alert of every case of a rule that fires.
fn said(rule: &str) -> Vec<(String, Level, Option<String>)> {
    let (rules, pipelines) = (rules(), field_map());
    let library = Library::new(&[], &rules, &pipelines);
    let judge = library.judge(rule);
    let cases = cases_of(rule);
    let firing = cases.iter().filter(|case| case.fires.expects_any());
    firing
        .map(|case| {
            let records = records(case, None).expect("records of their own");
            let mut alerts = judge.alerts(&records).expect("the folds take every step");
            let alert = alerts.swap_remove(0);
            (alert.title, alert.severity, alert.external_id)
        })
        .collect()
}

#[test]
fn alerts_of_other_products_are_passed_on_in_their_words() {
    let leak = "Identity Protection: leakedCredentials of alice@contoso.example";
    let id = Some("9f1c0c6f7f0b4f0a9a3e".to_owned());
    assert_eq!(
        said("risk_detections/stolen_credentials_or_token.yml"),
        [
            (leak.to_owned(), Level::High, id.clone()),
            (leak.to_owned(), Level::Low, id)
        ]
    );
    let alert = "Defender for Cloud: High volume of operations in a key vault on kv-payments";
    let id = "2517538088322968242_7e0d6e0c-4f4e-4d1a-8c7e-1e1c0a6c5b11".to_owned();
    assert_eq!(
        said("defender_alerts/high_severity_alert.yml"),
        [(alert.to_owned(), Level::High, Some(id))]
    );
}

#[test]
fn every_rule_has_a_case_that_fires_and_a_near_miss() {
    let files = files();
    for name in files.keys().filter(|name| !name.ends_with(".cases.yml")) {
        let cases = cases_of(name);
        let (firing, quiet): (Vec<_>, Vec<_>) =
            cases.iter().partition(|case| case.fires.expects_any());
        assert!(!firing.is_empty(), "{name} has no case that fires");
        assert!(!quiet.is_empty(), "{name} has no near miss");
    }
}

#[test]
fn every_rule_says_what_an_analyst_needs() {
    let rules = rules();
    let metas: Vec<(&str, &Meta)> = rules
        .detections
        .iter()
        .map(|rule| (&*rule.place.file, &rule.meta))
        .chain(
            rules
                .correlations
                .iter()
                .map(|rule| (&*rule.place.file, &rule.meta)),
        )
        .collect();
    let mut ids = BTreeSet::new();
    for (file, meta) in &metas {
        let id = meta.id.as_deref().unwrap_or_default();
        let form = [8, 4, 4, 4, 12];
        assert!(
            id.split('-').map(str::len).eq(form),
            "{file}: the id is no UUID"
        );
        assert!(ids.insert(id), "{file}: the id {id} is used twice");
        assert!(
            meta.name
                .as_deref()
                .is_some_and(|name| name.starts_with("azure_")),
            "{file}: name"
        );
        assert!(
            meta.level.is_some() && meta.status.is_some(),
            "{file}: level and status"
        );
        assert!(
            meta.tags.iter().any(|tag| tag.starts_with("attack.t")),
            "{file}: a technique"
        );
        assert!(
            !meta.falsepositives.is_empty() && !meta.references.is_empty(),
            "{file}"
        );
        let prose = meta.description.as_deref().unwrap_or_default();
        let block = meta.level == Some(Level::Informational);
        assert!(
            block || prose.contains("Triage:"),
            "{file}: the description says no triage"
        );
    }
    assert!(
        metas.len() >= 12 && rules.correlations.len() >= 3,
        "{} rules",
        metas.len()
    );
}
