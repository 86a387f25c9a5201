//! A case against the rules of its file.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use palisade_detect::alert::Alert;
use palisade_detect::correlation::StepError;
use palisade_detect::diagnostic::{Diagnostic, Place, code, suggestion};
use palisade_detect::engine::{Engine, EngineOptions};
use palisade_detect::logsource::Routing;
use palisade_detect::pipeline::{self, Pipeline};
use palisade_detect::rule::{Meta, RuleFile, RuleSet};

use super::records::{Folder, records};
use super::{Case, Expected, Fires, ZERO};
use crate::explain::{Bench, Report, Session};
use crate::topology::fold::Suppression;
use crate::topology::offline::{Offline, Watermark};
use crate::topology::stage::SourceTraits;

/// Events of a failed case that are explained.
const EVENTS_SHOWN: usize = 5;

/// Rules as written, found by their file and by what others call them.
pub struct Library<'r> {
    rules: &'r RuleSet,
    pipelines: &'r [Pipeline],
    /// Names of the rule files.
    files: HashSet<&'r str>,
    by_file: HashMap<&'r str, Vec<At>>,
    by_name: HashMap<&'r str, Vec<At>>,
}

/// Where a rule stands in its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Detection(usize),
    Correlation(usize),
}

/// The rules that the cases of one file are judged by, compiled once for all of them.
pub struct Judge {
    bench: Bench,
    /// What keeps a rule of them from loading.
    pub problems: Vec<Diagnostic>,
    rules: Vec<Known>,
}

/// A rule that a case may name.
struct Known {
    id: String,
    /// Name, else title.
    name: String,
    /// Whether it stands in the file beside the cases.
    own: bool,
}

/// What became of a case.
#[derive(Debug)]
pub struct Verdict {
    /// What came otherwise than it says; none: it is as it says.
    pub reasons: Vec<String>,
    /// Why, of those rules that judged otherwise.
    pub report: Option<Report>,
}

impl<'r> Library<'r> {
    /// A library of the rules as written in these files, and the pipelines that apply to them.
    pub fn new(files: &'r [RuleFile], rules: &'r RuleSet, pipelines: &'r [Pipeline]) -> Self {
        let mut library = Self {
            files: files.iter().map(|file| &*file.name).collect(),
            rules,
            pipelines,
            by_file: HashMap::new(),
            by_name: HashMap::new(),
        };
        for (place, rule) in rules.detections.iter().enumerate() {
            library.add(At::Detection(place), &rule.place, &rule.meta);
        }
        for (place, rule) in rules.correlations.iter().enumerate() {
            library.add(At::Correlation(place), &rule.place, &rule.meta);
        }
        library
    }

    fn add(&mut self, at: At, place: &'r Place, meta: &'r Meta) {
        self.by_file.entry(&place.file).or_default().push(at);
        for name in [&meta.id, &meta.name].into_iter().flatten() {
            self.by_name.entry(name).or_default().push(at);
        }
    }

    /// Whether there is a rule file of this name.
    pub fn has(&self, file: &str) -> bool {
        self.files.contains(file)
    }

    /// Whether the file holds a rule that can be read.
    pub fn is_readable(&self, file: &str) -> bool {
        self.by_file.contains_key(file)
    }

    /// The rules of one file with everything they refer to, and nothing else: a rule that only others
    /// refer to then speaks for itself.
    pub fn closure(&self, file: &str) -> RuleSet {
        let mut found: BTreeSet<At> = BTreeSet::new();
        let mut open: Vec<At> = self.by_file.get(file).cloned().unwrap_or_default();
        while let Some(at) = open.pop() {
            if !found.insert(at) {
                continue;
            }
            if let At::Correlation(place) = at {
                let named = &self.rules.correlations[place].rules;
                let named = named
                    .iter()
                    .filter_map(|(name, _)| self.by_name.get(&**name));
                open.extend(named.flatten());
            }
        }
        let mut part = RuleSet {
            filters: self.rules.filters.clone(),
            lists: Arc::clone(&self.rules.lists),
            ..RuleSet::default()
        };
        for at in found {
            match at {
                At::Detection(place) => part.detections.push(self.rules.detections[place].clone()),
                At::Correlation(place) => {
                    part.correlations
                        .push(self.rules.correlations[place].clone());
                }
            }
        }
        part
    }

    /// What is wrong with the rules that a case names.
    pub fn unknown(&self, case: &Case, file: &str) -> Vec<Diagnostic> {
        let named: Vec<(&str, &Place)> = case.names().collect();
        if named.is_empty() {
            return Vec::new();
        }
        let part = self.closure(file);
        let detections = part.detections.iter().map(|rule| &rule.meta);
        let correlations = part.correlations.iter().map(|rule| &rule.meta);
        let keys: Vec<&str> = detections
            .chain(correlations)
            .flat_map(|meta| [meta.id.as_deref(), meta.name.as_deref(), Some(&*meta.title)])
            .flatten()
            .collect();
        named
            .into_iter()
            .filter(|(rule, _)| !keys.iter().any(|key| key.eq_ignore_ascii_case(rule)))
            .map(|(rule, place)| {
                let message = format!("`{rule}` is no rule that this case is judged by");
                let help = suggestion(rule, keys.iter().copied()).unwrap_or_else(|| {
                    "those are the rules of the file beside it, and the ones that they refer to"
                        .to_owned()
                });
                Diagnostic::error(code::CASE_RULE, place, message).with_help(help)
            })
            .collect()
    }

    /// The judge of the cases beside `file`.
    pub fn judge(&self, file: &str) -> Judge {
        let mut part = self.closure(file);
        let mut problems = pipeline::apply(self.pipelines, &mut part);
        let kept = part.clone();
        let (engine, mut found) = Engine::compile(part, EngineOptions::default());
        problems.append(&mut found);
        let bench = Bench::new(kept, Arc::new(engine), Routing::Strict);
        let rules = bench.rules().map(|(id, meta, place)| Known {
            id: id.to_owned(),
            name: meta.name.clone().unwrap_or_else(|| meta.title.clone()),
            own: *place.file == *file,
        });
        Judge {
            rules: rules.collect(),
            problems,
            bench,
        }
    }
}

impl Judge {
    /// What becomes of a case.
    ///
    /// # Errors
    /// When one of its files cannot be used.
    pub fn judge(&self, case: &Case, folder: Option<&Folder>) -> Result<Verdict, Diagnostic> {
        let records = records(case, folder)?;
        let (reasons, rules) = match self.alerts(&records) {
            Ok(alerts) => self.compare(case, &alerts),
            Err(error) => (vec![error.to_string()], BTreeSet::new()),
        };
        let report = if rules.is_empty() {
            None
        } else {
            self.explain(&records, rules)
        };
        Ok(Verdict { reasons, report })
    }

    /// The alerts of all rules on records.
    ///
    /// # Errors
    /// When a fold cannot take a step, which is a defect.
    pub fn alerts(&self, records: &[Vec<u8>]) -> Result<Vec<Alert>, StepError> {
        let traits = SourceTraits::as_they_stand("default");
        let mut stages = Offline::new(
            self.bench.engine(),
            traits,
            Watermark::StandsStill,
            Suppression::Off,
        )?;
        let path = Arc::from("case");
        let mut alerts = Vec::new();
        for (offset, record) in (0..).zip(records) {
            let outcome = stages.record(&path, offset, Some(record), ZERO)?;
            alerts.extend(outcome.alerts);
        }
        alerts.extend(stages.finish()?);
        Ok(alerts)
    }

    /// What came otherwise than the case says, and the ids of the rules that judged so.
    fn compare(&self, case: &Case, alerts: &[Alert]) -> (Vec<String>, BTreeSet<String>) {
        let mut fired: BTreeMap<&str, u64> = BTreeMap::new();
        for alert in alerts {
            *fired.entry(&alert.rule.id).or_default() += 1;
        }
        let times = |rule: &Known| fired.get(&*rule.id).copied().unwrap_or_default();
        let own = || self.rules.iter().filter(|rule| rule.own);
        let mut wrong = Wrong::default();
        match &case.fires {
            Fires::Any(true) if own().all(|rule| times(rule) == 0) => {
                wrong
                    .reasons
                    .push("a rule of the file was expected to fire, and none did".to_owned());
                wrong.rules.extend(own().map(|rule| rule.id.clone()));
            }
            Fires::Any(true) | Fires::Unsaid => {}
            Fires::Any(false) => {
                for rule in own() {
                    wrong.silent(rule, times(rule));
                }
            }
            Fires::These(expected) => {
                for one in expected {
                    for rule in self.rules.iter().filter(|rule| self.is(rule, &one.rule)) {
                        wrong.fires(rule, one, times(rule));
                    }
                }
                let named = |rule: &Known| expected.iter().any(|one| self.is(rule, &one.rule));
                for rule in own().filter(|rule| !named(rule)) {
                    wrong.silent(rule, times(rule));
                }
            }
        }
        for (name, _) in &case.silent {
            for rule in self.rules.iter().filter(|rule| self.is(rule, name)) {
                wrong.silent(rule, times(rule));
            }
        }
        wrong.reasons.dedup();
        (wrong.reasons, wrong.rules)
    }

    fn is(&self, rule: &Known, name: &str) -> bool {
        let by_meta = || {
            let mut metas = self.bench.rules().filter(|(id, ..)| *id == rule.id);
            metas.any(|(_, meta, _)| {
                let keys = [meta.id.as_deref(), Some(&*meta.title)];
                keys.into_iter()
                    .flatten()
                    .any(|key| key.eq_ignore_ascii_case(name))
            })
        };
        rule.name.eq_ignore_ascii_case(name) || by_meta()
    }

    fn explain(&self, records: &[Vec<u8>], rules: BTreeSet<String>) -> Option<Report> {
        let rules: Vec<String> = rules.into_iter().collect();
        let subject = self.bench.named(&rules).ok()?;
        let only_correlations = subject.is_of_correlations();
        let mut session =
            Session::new(&self.bench, subject, Suppression::Off, EVENTS_SHOWN).ok()?;
        let path: Arc<str> = Arc::from("record");
        for (offset, record) in (1..).zip(records) {
            session.record(&path, offset, record, ZERO).ok()?;
        }
        let mut report = session.finish();
        let has_groups = report.correlations.iter().any(|one| one.groups_total > 0);
        if only_correlations && has_groups {
            // The groups name their events; how a base rule came to match is another question.
            report.events.clear();
        }
        Some(report)
    }
}

/// What came otherwise.
#[derive(Default)]
struct Wrong {
    reasons: Vec<String>,
    rules: BTreeSet<String>,
}

impl Wrong {
    /// The rule was expected to stay silent.
    fn silent(&mut self, rule: &Known, times: u64) {
        if times > 0 {
            let times = times_word(times);
            self.say(
                rule,
                format!("`{}` fired {times}, and should not", rule.name),
            );
        }
    }

    /// The rule was expected to fire.
    fn fires(&mut self, rule: &Known, expected: &Expected, times: u64) {
        let name = &rule.name;
        match expected.times {
            None if times == 0 => self.say(rule, format!("`{name}` did not fire")),
            Some(wanted) if wanted != times => {
                let (times, wanted) = (times_word(times), times_word(wanted));
                self.say(rule, format!("`{name}` fired {times}, expected {wanted}"));
            }
            None | Some(_) => {}
        }
    }

    fn say(&mut self, rule: &Known, reason: String) {
        self.reasons.push(reason);
        self.rules.insert(rule.id.clone());
    }
}

fn times_word(times: u64) -> String {
    match times {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        times => format!("{times} times"),
    }
}
