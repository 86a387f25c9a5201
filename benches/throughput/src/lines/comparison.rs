//! What is compared with what.

use std::fs::File;
use std::io;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::alerts::Disagreement;
use crate::corpus::{KEYWORDS, RuleSet};
use crate::generate::{Mix, Shape};
use crate::measure::{Spread, Usage};
use crate::replay::Logsource;

/// A command that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// `palisade replay`.
    Palisade(RuleSet, Logsource),
    /// The same, on all processors.
    AllCores(RuleSet, Logsource),
    /// `rsigma-eval` as a library, routed or not.
    Library(RuleSet, bool),
    /// `rsigma engine eval`, routed or not.
    Program(RuleSet, bool, Shape),
    /// simd-json's tape, and nothing more.
    Tape,
    /// `wc -l`: how fast bytes can be looked at.
    Lines,
}

impl Engine {
    /// Whether it runs on one processor.
    pub(super) fn is_pinned(self) -> bool {
        !matches!(self, Self::AllCores(..))
    }

    /// The rules it loads; those that load none are given the azure rules.
    pub(super) fn rules(self) -> RuleSet {
        match self {
            Self::Palisade(rules, _)
            | Self::AllCores(rules, _)
            | Self::Library(rules, _)
            | Self::Program(rules, ..) => rules,
            Self::Tape | Self::Lines => RuleSet::Azure,
        }
    }

    fn name(self) -> String {
        let routed = |routed| if routed { ", routed" } else { "" };
        let rules = |rules| match rules {
            RuleSet::Azure => ", 123 rules".to_owned(),
            RuleSet::Full => ", 3,141 rules".to_owned(),
            RuleSet::Scaled(count) => format!(", {count} rules"),
            RuleSet::Keywords(count) => format!(", {count} keywords besides"),
        };
        match self {
            Self::Palisade(set, _) => format!("palisade replay{}", rules(set)),
            Self::AllCores(..) => "palisade replay, all cores".to_owned(),
            Self::Library(_, route) => format!("rsigma-eval library{}", routed(route)),
            Self::Program(_, route, _) => format!("rsigma engine eval{}", routed(route)),
            Self::Tape => "(simd-json tape alone)".to_owned(),
            Self::Lines => "(wc -l)".to_owned(),
        }
    }
}

/// Commands over one input, Palisade first.
pub(super) struct Comparison {
    /// The lines that are judged by it.
    pub(super) lines: &'static [&'static str],
    pub(super) title: &'static str,
    pub(super) shape: Shape,
    pub(super) mix: Mix,
    pub(super) engines: &'static [Engine],
}

impl Comparison {
    pub(super) fn ours(&self) -> Engine {
        self.engines[0]
    }

    /// Whether RSigma routes here; `None` where it takes no part.
    pub(super) fn peer_routes(&self) -> Option<bool> {
        self.engines.iter().find_map(|engine| match engine {
            Engine::Library(_, routed) | Engine::Program(_, routed, _) => Some(*routed),
            _ => None,
        })
    }
}

/// All of them.
pub(super) const COMPARISONS: &[Comparison] = &[
    Comparison {
        lines: &["G1", "G2", "G7"],
        title: "azure rules, one record a line",
        shape: Shape::Records,
        mix: Mix::All,
        engines: &[
            Engine::Palisade(RuleSet::Azure, Logsource::Strict),
            Engine::Library(RuleSet::Azure, true),
            Engine::Program(RuleSet::Azure, true, Shape::Records),
            Engine::Tape,
            Engine::Lines,
        ],
    },
    Comparison {
        lines: &["G1e"],
        title: "azure rules, Event Hubs envelopes",
        shape: Shape::Envelopes,
        mix: Mix::All,
        engines: &[
            Engine::Palisade(RuleSet::Azure, Logsource::Strict),
            Engine::Program(RuleSet::Azure, true, Shape::Envelopes),
            Engine::Tape,
        ],
    },
    Comparison {
        lines: &["G3"],
        title: "123, 3,100 and 30,000 rules on the same fields",
        shape: Shape::Records,
        mix: Mix::All,
        engines: &[
            Engine::Palisade(RuleSet::Azure, Logsource::Strict),
            Engine::Palisade(RuleSet::Scaled(3_100), Logsource::Strict),
            Engine::Palisade(RuleSet::Scaled(30_000), Logsource::Strict),
        ],
    },
    Comparison {
        lines: &["keywords"],
        title: "azure rules, with and without 600 keywords",
        shape: Shape::Records,
        mix: Mix::All,
        engines: &[
            Engine::Palisade(RuleSet::Keywords(KEYWORDS), Logsource::Strict),
            Engine::Palisade(RuleSet::Azure, Logsource::Strict),
            Engine::Library(RuleSet::Keywords(KEYWORDS), true),
        ],
    },
    Comparison {
        lines: &["G6"],
        title: "azure rules on one processor and on all",
        shape: Shape::Records,
        mix: Mix::All,
        engines: &[
            Engine::Palisade(RuleSet::Azure, Logsource::Strict),
            Engine::AllCores(RuleSet::Azure, Logsource::Strict),
        ],
    },
    Comparison {
        lines: &["G4", "G7"],
        title: "all of SigmaHQ's rules, routed by conflict",
        shape: Shape::Records,
        mix: Mix::Flowless,
        engines: &[
            Engine::Palisade(RuleSet::Full, Logsource::Lenient),
            Engine::Library(RuleSet::Full, true),
            Engine::Program(RuleSet::Full, true, Shape::Records),
        ],
    },
    Comparison {
        lines: &["G4"],
        title: "all of SigmaHQ's rules, every rule on every record",
        shape: Shape::Records,
        mix: Mix::Flowless,
        engines: &[
            Engine::Palisade(RuleSet::Full, Logsource::Any),
            Engine::Library(RuleSet::Full, false),
            Engine::Program(RuleSet::Full, false, Shape::Records),
        ],
    },
];

/// What one command took, run by run.
#[derive(Debug, Serialize)]
pub(super) struct Runs {
    pub(super) name: String,
    #[serde(skip)]
    pub(super) engine: Engine,
    /// On an empty input: start and rule loading.
    load: Vec<Usage>,
    whole: Vec<Usage>,
    /// Alerts it wrote; `None` where it writes none.
    pub(super) alerts: Option<usize>,
}

impl Runs {
    pub(super) fn push(&mut self, load: Usage, whole: Usage) {
        self.load.push(load);
        self.whole.push(whole);
    }

    /// Processor time of each run, net of loading.
    fn nets(&self) -> impl Iterator<Item = f64> {
        let runs = self.load.iter().zip(&self.whole);
        runs.map(|(load, whole)| (whole.cpu_s - load.cpu_s).max(1e-6))
    }

    /// Processor seconds net of loading.
    pub(super) fn net(&self) -> Spread {
        Spread::of(self.nets())
    }

    /// Processor seconds of loading.
    pub(super) fn load(&self) -> Spread {
        Spread::of(self.load.iter().map(|usage| usage.cpu_s))
    }

    /// Seconds from start to exit in times of `other`'s, both net of loading, run by run.
    pub(super) fn takes_longer(&self, other: &Self) -> Spread {
        let nets = |runs: &Self| -> Vec<f64> {
            let pairs = runs.load.iter().zip(&runs.whole);
            pairs
                .map(|(load, whole)| (whole.wall_s - load.wall_s).max(1e-6))
                .collect()
        };
        Spread::of(
            nets(self)
                .into_iter()
                .zip(nets(other))
                .map(|(mine, others)| mine / others),
        )
    }

    /// Peak memory in MiB.
    pub(super) fn peak(&self) -> Spread {
        Spread::of(self.whole.iter().map(|usage| usage.peak_mib))
    }

    /// The time of `self` in times of `other`, taken run by run: runs of one round stood next to each other.
    pub(super) fn times(&self, other: &Self) -> Spread {
        Spread::of(
            self.nets()
                .zip(other.nets())
                .map(|(mine, others)| mine / others),
        )
    }
}

/// One comparison's figures.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) title: &'static str,
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// SHA-256 of the input.
    pub(super) input: String,
    pub(super) engines: Vec<Runs>,
    /// Distinct pairs of rule and record, ours and RSigma's.
    pub(super) pairs: Option<[usize; 2]>,
    /// Rules that do not match the same records in both.
    pub(super) disagreements: Vec<Disagreement>,
}

impl Measured {
    pub(super) fn new(comparison: &Comparison, records: u64, input: &Path) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let bytes = io::copy(&mut File::open(input)?, &mut HashWriter(&mut hash))?;
        let runs = |engine: &Engine| Runs {
            name: engine.name(),
            engine: *engine,
            load: Vec::new(),
            whole: Vec::new(),
            alerts: None,
        };
        Ok(Self {
            title: comparison.title,
            records,
            bytes,
            input: hex(&hash.finalize()),
            engines: comparison.engines.iter().map(runs).collect(),
            pairs: None,
            disagreements: Vec::new(),
        })
    }

    /// The figures of `engine`, if it took part.
    pub(super) fn engine(&self, engine: Engine) -> Option<&Runs> {
        self.engines.iter().find(|runs| runs.engine == engine)
    }

    /// The time of `theirs` in times of `ours`, if both took part.
    pub(super) fn times(&self, theirs: Engine, ours: Engine) -> Option<Spread> {
        Some(self.engine(theirs)?.times(self.engine(ours)?))
    }

    /// Whether the alerts agree, but for rules that are known to be read otherwise.
    ///
    /// Where RSigma takes no part, as many must be written by all.
    pub(super) fn agrees(&self) -> bool {
        let mut counts = self.engines.iter().filter_map(|runs| runs.alerts);
        let first = counts.next();
        let explained = self
            .disagreements
            .iter()
            .all(|one| one.requirement.is_some());
        explained && (self.pairs.is_some() || counts.all(|count| Some(count) == first))
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// Hashes what is written.
struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
