//! Every rule that was read, and what became of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use palisade_detect::diagnostic::{Diagnostic, Place, code};
use palisade_detect::engine::Engine;
use palisade_detect::id::Id;
use palisade_detect::logsource::Logsource;
use palisade_detect::rule::{Exception, Level, Meta, RuleFile, RuleSet, Status};
use palisade_detect::time::{Span, Timestamp};

use super::sketch::Sketches;

/// How long before its end an exception is said to end.
const SAID_BEFORE: Span = Span::from_seconds(7 * 86_400);

/// One rule, correlation or filter; or a file that could not be read as rules.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What it is; `None` where that was not to be read.
    pub kind: Option<Kind>,
    /// Its id, else its name; `None` if it has neither, or is a file.
    pub id: Option<String>,
    /// Its title; empty for a file.
    pub title: String,
    /// Its level, as the configuration has it.
    pub level: Option<Level>,
    /// Its status.
    pub status: Option<Status>,
    /// The log source of a detection or filter.
    pub logsource: Option<Logsource>,
    /// The file it stands in.
    pub file: Arc<str>,
    /// The line it begins at.
    pub line: u32,
    /// Hash of its meaning, of detections and correlations in force.
    pub version: Option<Id>,
    /// What became of it.
    pub state: State,
    /// Who answers for it, of filters.
    pub exception: Option<Exception>,
}

/// Kinds of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A detection rule.
    Detection,
    /// A correlation.
    Correlation,
    /// A filter.
    Filter,
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is in force.
    Loaded,
    /// The choice leaves it out, but a correlation needs it: it is in force and never alerts on its own.
    ForCorrelations,
    /// The choice leaves it out.
    LeftOut(Why),
    /// It cannot be honoured.
    Skipped {
        /// Code of the first error.
        code: &'static str,
        /// The first error.
        message: String,
    },
}

/// Why the choice leaves a rule out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// `overrides` say so.
    Disabled,
    /// Its level is below this `min_level`.
    BelowLevel(Level),
    /// Its status is not among those of `status`.
    Status(Status),
    /// Only correlations that are left out refer to it, and it was written for them.
    Part,
    /// No path wants its file.
    Path,
    /// It is an exception whose time is over.
    Expired,
}

impl State {
    /// Of a rule that has an error, before it is known which.
    pub(super) const fn refused() -> Self {
        Self::Skipped {
            code: "",
            message: String::new(),
        }
    }

    /// The state in a word, for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::ForCorrelations => "for_correlations",
            Self::LeftOut(_) => "left_out",
            Self::Skipped { .. } => "skipped",
        }
    }

    /// Whether it is in force.
    pub const fn is_in_force(&self) -> bool {
        matches!(self, Self::Loaded | Self::ForCorrelations)
    }
}

impl Kind {
    /// The kind in a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detection => "detection",
            Self::Correlation => "correlation",
            Self::Filter => "filter",
        }
    }
}

/// In a few words, as tables show it.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded => f.write_str("loaded"),
            Self::ForCorrelations => f.write_str("for correlations"),
            Self::LeftOut(why) => why.fmt(f),
            Self::Skipped { code, .. } => write!(f, "skipped: {code}"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("disabled"),
            Self::BelowLevel(level) => write!(f, "below {}", level.name()),
            Self::Status(status) => write!(f, "status {}", status.name()),
            Self::Part => f.write_str("its correlations are left out"),
            Self::Path => f.write_str("excluded"),
            Self::Expired => f.write_str("expired"),
        }
    }
}

/// All rules of a set: detections, correlations, filters, in their order; all of them in force.
pub(super) fn of(set: &RuleSet) -> Vec<Listed> {
    let detections = set.detections.iter().map(|rule| Listed {
        logsource: Some(rule.logsource.clone()),
        ..listed(Kind::Detection, &rule.meta, &rule.place)
    });
    let correlations = set
        .correlations
        .iter()
        .map(|rule| listed(Kind::Correlation, &rule.meta, &rule.place));
    let filters = set.filters.iter().map(|rule| Listed {
        logsource: Some(rule.logsource.clone()),
        exception: Some(rule.exception.clone()),
        ..listed(Kind::Filter, &rule.meta, &rule.place)
    });
    detections.chain(correlations).chain(filters).collect()
}

fn listed(kind: Kind, meta: &Meta, place: &Place) -> Listed {
    let mut names = [&meta.id, &meta.name].into_iter().flatten();
    Listed {
        kind: Some(kind),
        id: names.find(|name| !name.is_empty()).cloned(),
        title: meta.title.clone(),
        level: meta.level,
        status: meta.status,
        logsource: None,
        file: Arc::clone(&place.file),
        line: place.line,
        version: None,
        state: State::Loaded,
        exception: None,
    }
}

impl Listed {
    /// How diagnostics name it.
    fn key(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.title)
    }
}

/// Adds what the errors say: rules that are skipped, and rules and files that were never read.
///
/// Errors from `read` are about what is not in the list, and about correlations that the choice refused;
/// those from `compiled` are about rules in force. The files are those of the rules.
pub(super) fn add_errors(
    list: &mut Vec<Listed>,
    files: &[RuleFile],
    (read, compiled): (&[Diagnostic], &[Diagnostic]),
) {
    let mut unread = first_errors(read);
    for rule in list.iter_mut() {
        if rule.state == State::refused() {
            let key = (Some(rule.key().to_owned()), Arc::clone(&rule.file));
            rule.state = unread.remove(&key).map_or(State::refused(), skipped_by);
        }
    }
    for ((key, file), error) in first_errors(compiled) {
        let named =
            |rule: &&mut Listed| rule.state.is_in_force() && Some(rule.key()) == key.as_deref();
        // An error that a pipeline raises stands in the pipeline's file.
        let rule = match list.iter_mut().filter(named).find(|rule| rule.file == file) {
            None => list.iter_mut().find(named),
            found => found,
        };
        if let Some(rule) = rule {
            rule.state = skipped_by(error);
        }
    }
    let mut sketches = Sketches::new(files);
    let unread = unread.into_iter();
    let unread = unread.map(|((key, _), error)| sketches.listed(key, error, skipped_by(error)));
    let mut unread: Vec<Listed> = unread.collect();
    unread.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    list.append(&mut unread);
}

/// The first error of each rule and of each file as a whole.
fn first_errors(diagnostics: &[Diagnostic]) -> BTreeMap<(Option<String>, Arc<str>), &Diagnostic> {
    let mut errors = BTreeMap::new();
    for error in diagnostics.iter().filter(|one| one.is_error()) {
        let key = (error.rule.clone(), Arc::clone(&error.place.file));
        errors.entry(key).or_insert(error);
    }
    errors
}

/// Without its pipelines no rule is in force.
pub(super) fn skip_all(list: &mut [Listed], error: &Diagnostic) {
    for rule in list.iter_mut().filter(|rule| rule.state.is_in_force()) {
        rule.state = skipped_by(error);
        rule.version = None;
    }
}

/// Exceptions that have ended or end soon, which are said; gives the next moment at which either
/// happens to one.
pub(super) fn exceptions(
    list: &[Listed],
    now: Timestamp,
    problems: &mut Vec<Diagnostic>,
) -> Option<Timestamp> {
    let mut moments = Vec::new();
    for rule in list {
        let exception = rule.exception.as_ref();
        let Some(expires) = exception.and_then(|exception| exception.expires.as_ref()) else {
            continue;
        };
        let said_at = expires.at.minus(SAID_BEFORE);
        let (code, verb) = match rule.state {
            State::LeftOut(Why::Expired) => (code::EXCEPTION_ENDED, "ended"),
            State::Loaded if said_at <= now => {
                moments.push(expires.at);
                (code::EXCEPTION_ENDS_SOON, "ends")
            }
            State::Loaded => {
                moments.push(said_at);
                continue;
            }
            _ => continue,
        };
        let message = format!("this exception {verb} at {}", moment(expires.at));
        let owner = exception.and_then(|exception| exception.owner.as_deref());
        let ask = owner.map_or_else(String::new, |owner| format!("ask {owner}: "));
        problems.push(
            Diagnostic::warning(code, &expires.place, message).with_help(format!(
                "{ask}write a later `expires`, or take the filter out"
            )),
        );
    }
    moments.into_iter().min()
}

/// A moment without its fraction.
pub fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}

fn skipped_by(error: &Diagnostic) -> State {
    State::Skipped {
        code: error.code,
        message: error.message.clone(),
    }
}

/// Adds what the engine knows of rules in force: their versions.
pub(super) fn add_versions(list: &mut [Listed], engine: &Engine) {
    let detections = engine
        .rules()
        .iter()
        .map(|rule| (rule.meta.key(), rule.version));
    let correlations = engine.correlations().iter().map(|def| {
        let id = (def.id != def.version.to_string()).then_some(def.id.as_str());
        (id.unwrap_or(&def.rule.name), def.version)
    });
    let mut versions: BTreeMap<&str, Id> = BTreeMap::new();
    // A detection whose repeats are held back is among the correlations as well: its own goes first.
    for (key, version) in detections.chain(correlations) {
        versions.entry(key).or_insert(version);
    }
    for rule in list.iter_mut().filter(|rule| rule.state.is_in_force()) {
        rule.version = versions.get(rule.key()).copied();
    }
}
