//! The Sigma conformance suite, in process: a test for each case of `testdata/conformance`.
//!
//! Rules, pipelines and events of a case go through the same stages as in the program: rules,
//! pipelines, engine, matches log, fold. Event times are taken as they are, suppression is off.

mod case;
mod judge;
mod run;

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};

use case::Case;

/// Cases that are known to fail, each with the reason. A case that starts to pass must leave.
const EXPECTED_FAILURES: &[(&str, &str)] = &[];

fn main() {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/conformance");
    let trials = case::load(&folder).into_iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(case: Case) -> Trial {
    let name = format!("{}::{}", case.category, case.id);
    Trial::test(name, move || {
        let problems = judge::judge(&case, &run::run(&case));
        let known = EXPECTED_FAILURES.iter().find(|(id, _)| *id == case.id);
        match (problems.is_empty(), known) {
            (true, None) | (false, Some(_)) => Ok(()),
            (true, Some(_)) => Err(Failed::from(format!(
                "{} passes: take it out of the expected failures",
                case.id
            ))),
            (false, None) => Err(Failed::from(format!(
                "{} ({})\n  {}",
                case.title,
                case.authority,
                problems.join("\n  ")
            ))),
        }
    })
}
