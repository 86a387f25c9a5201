//! Rule files that somebody made to hurt: each is refused with the limit it is over, the others load.

use palisade::config::{Pipelines, Rules};
use palisade::rules;
use palisade_detect::diagnostic::Color;
use palisade_detect::engine::{Engine, EngineOptions};
use palisade_detect::time::Timestamp;

#[path = "support/hostile.rs"]
#[allow(unreachable_pub, reason = "shared with a bench")]
mod hostile;

use hostile::{ALL, Hostile};

/// What is wrong with the outcome of one.
fn problems(one: &Hostile) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    one.make(folder.path());
    let loaded = rules::load(
        &Rules::of_paths(&[folder.path().to_owned()]),
        &Pipelines::built_in(),
        EngineOptions::default(),
        Timestamp::MIN,
    );
    let mut problems = Vec::new();
    let mut problem = |text: String| problems.push(format!("{}: {text}", one.name));
    let errors: Vec<_> = loaded
        .findings
        .diagnostics
        .iter()
        .filter(|found| found.is_error())
        .collect();
    match one.code {
        None if errors.is_empty() => {}
        None => problem(format!("does not load: {}", errors[0])),
        Some(code) => match errors.iter().find(|error| error.code == code) {
            Some(error) if error.message.contains(one.says) => {}
            Some(error) => problem(format!("`{}` is not in: {error}", one.says)),
            None => problem(format!(
                "no error {code} but {:?}",
                errors.first().map(ToString::to_string)
            )),
        },
    }
    let good = "8f2c7a52-90c4-4b5e-bb0e-0b8b7f6d3f10";
    let found = loaded
        .engine
        .iter()
        .flat_map(Engine::rules)
        .any(|rule| &*rule.id == good);
    if found != one.others_load {
        problem(format!("the rule beside it is loaded: {found}"));
    }
    let text = loaded.findings.render(Color::Never);
    if let Some(raw) = text.chars().find(|c| c.is_control() && *c != '\n') {
        problem(format!("raw {raw:?} in the report"));
    }
    problems
}

#[test]
fn each_is_refused_with_its_limit_and_the_others_load() {
    let problems: Vec<String> = ALL.iter().flat_map(problems).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}
