//! What each line must reach and aims for, and whether it does.

use serde::Serialize;

use super::comparison::{Engine, Measured};
use crate::corpus::{KEYWORDS, RuleSet};
use crate::generate::Shape;
use crate::measure::Spread;
use crate::replay::Logsource;

/// Which way a figure gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Better {
    /// Ratios: the higher, the better.
    Higher,
    /// Memory: the lower, the better.
    Lower,
}

/// How a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// It reaches what it aims for.
    Aim,
    /// It reaches what it must.
    Must,
    /// It does not reach what it must.
    Fail,
    /// The alerts differ, so the figure says nothing.
    AlertsDiffer,
}

/// One line, judged.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) figure: Spread,
    pub(super) unit: &'static str,
    better: Better,
    pub(super) must: f64,
    pub(super) aim: f64,
    pub(super) verdict: Verdict,
}

impl Line {
    pub(super) fn passes(&self) -> bool {
        matches!(self.verdict, Verdict::Aim | Verdict::Must)
    }
}

/// A line as it is demanded.
struct Goal {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    better: Better,
    must: f64,
    aim: f64,
    figure: fn(&Measured) -> Option<Spread>,
}

const fn ratio(
    id: &'static str,
    title: &'static str,
    [must, aim]: [f64; 2],
    figure: fn(&Measured) -> Option<Spread>,
) -> Goal {
    Goal {
        id,
        title,
        unit: "x",
        better: Better::Higher,
        must,
        aim,
        figure,
    }
}

const fn memory(
    title: &'static str,
    [must, aim]: [f64; 2],
    figure: fn(&Measured) -> Option<Spread>,
) -> Goal {
    Goal {
        id: "G7",
        title,
        unit: "MiB",
        better: Better::Lower,
        must,
        aim,
        figure,
    }
}

const GOALS: [Goal; 11] = [
    ratio(
        "G1",
        "azure rules, to rsigma-eval as a library",
        [8.0, 10.0],
        |m| {
            m.times(
                library(RuleSet::Azure, true),
                palisade(RuleSet::Azure, Logsource::Strict),
            )
        },
    ),
    ratio(
        "G1e",
        "Event Hubs envelopes, to rsigma engine eval",
        [14.0, 18.0],
        |m| {
            let program = Engine::Program(RuleSet::Azure, true, Shape::Envelopes);
            m.times(program, palisade(RuleSet::Azure, Logsource::Strict))
        },
    ),
    ratio("G2", "to simd-json's tape alone", [1.0, 1.3], |m| {
        m.times(Engine::Tape, palisade(RuleSet::Azure, Logsource::Strict))
    }),
    ratio(
        "G3",
        "rate with 3,100 rules to rate with 123",
        [0.9, 0.95],
        |m| scaled(m, 3_100),
    ),
    ratio(
        "G3",
        "rate with 30,000 rules to rate with 123",
        [0.8, 0.9],
        |m| scaled(m, 30_000),
    ),
    ratio(
        "G4",
        "full corpus, routed by conflict, to rsigma-eval",
        [8.0, 12.0],
        |m| {
            m.times(
                library(RuleSet::Full, true),
                palisade(RuleSet::Full, Logsource::Lenient),
            )
        },
    ),
    ratio(
        "G4",
        "full corpus, every rule on every record, to rsigma-eval",
        [5.0, 10.0],
        |m| {
            m.times(
                library(RuleSet::Full, false),
                palisade(RuleSet::Full, Logsource::Any),
            )
        },
    ),
    ratio(
        "G6",
        "replay of one file, all processors to one (two of them, quiet)",
        [1.8, 1.9],
        |m| {
            let all = m.engine(Engine::AllCores(RuleSet::Azure, Logsource::Strict))?;
            let one = m.engine(palisade(RuleSet::Azure, Logsource::Strict))?;
            Some(one.takes_longer(all))
        },
    ),
    memory("peak memory, azure rules", [32.0, 20.0], |m| {
        m.engine(Engine::Tape)?;
        Some(
            m.engine(palisade(RuleSet::Azure, Logsource::Strict))?
                .peak(),
        )
    }),
    memory("peak memory, full corpus", [150.0, 100.0], |m| {
        Some(
            m.engine(palisade(RuleSet::Full, Logsource::Lenient))?
                .peak(),
        )
    }),
    ratio(
        "keywords",
        "rate with 600 keywords to rate without",
        [1.0 / 3.0, 0.5],
        |m| {
            let keywords = palisade(RuleSet::Keywords(KEYWORDS), Logsource::Strict);
            m.times(palisade(RuleSet::Azure, Logsource::Strict), keywords)
        },
    ),
];

const fn palisade(rules: RuleSet, logsource: Logsource) -> Engine {
    Engine::Palisade(rules, logsource)
}

const fn library(rules: RuleSet, routed: bool) -> Engine {
    Engine::Library(rules, routed)
}

fn scaled(measured: &Measured, count: usize) -> Option<Spread> {
    let base = palisade(RuleSet::Azure, Logsource::Strict);
    measured.times(base, palisade(RuleSet::Scaled(count), Logsource::Strict))
}

/// Judges every line that `only` names (all, if it names none) and that was measured.
pub(super) fn judge(measured: &[Measured], only: &[String]) -> Vec<Line> {
    let wanted = |goal: &&Goal| only.is_empty() || only.iter().any(|only| only == goal.id);
    let line = |goal: &Goal| {
        let (of, figure) = measured
            .iter()
            .find_map(|one| Some((one, (goal.figure)(one)?)))?;
        Some(Line {
            id: goal.id,
            title: goal.title,
            figure,
            unit: goal.unit,
            better: goal.better,
            must: goal.must,
            aim: goal.aim,
            verdict: if of.agrees() {
                goal.verdict(figure.middle)
            } else {
                Verdict::AlertsDiffer
            },
        })
    };
    GOALS.iter().filter(wanted).filter_map(line).collect()
}

impl Goal {
    fn verdict(&self, figure: f64) -> Verdict {
        let reaches = |goal: f64| match self.better {
            Better::Higher => figure >= goal,
            Better::Lower => figure <= goal,
        };
        match (reaches(self.aim), reaches(self.must)) {
            (true, _) => Verdict::Aim,
            (false, true) => Verdict::Must,
            (false, false) => Verdict::Fail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_gets_better_upwards_and_memory_downwards() {
        let [up, down] = [&GOALS[0], &GOALS[8]];
        assert_eq!(
            [10.0, 8.0, 7.9].map(|x| up.verdict(x)),
            [Verdict::Aim, Verdict::Must, Verdict::Fail]
        );
        assert_eq!(
            [20.0, 32.0, 33.0].map(|x| down.verdict(x)),
            [Verdict::Aim, Verdict::Must, Verdict::Fail]
        );
    }
}
