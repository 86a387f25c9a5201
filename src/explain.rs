//! Why rules match the records of an input, or do not: what `explain` prints, and `test` prints of a
//! case that failed.
//!
//! [`Bench`] holds rules that can explain themselves, [`Session`] takes the records of one input, and
//! its [`Report`] is shown by [`text`].

use serde::Serialize;

use palisade_detect::correlation::view::GroupView;
use palisade_detect::explain::Explanation;

mod session;
mod subject;
pub mod text;

pub use session::Session;
pub use subject::{Bench, Subject};

/// Most rules of one event that are explained.
pub const RULES_SHOWN_MAX: usize = 20;
/// Most correlations of a report.
pub const CORRELATIONS_SHOWN_MAX: usize = 20;
/// Most groups of one correlation in a report.
pub const GROUPS_SHOWN_MAX: usize = 10;

/// What became of an input.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Events, in the order of the input: those on which a rule matches, then as many others as there
    /// is room for, the nearest to a match.
    pub events: Vec<EventReport>,
    /// How many events the input has.
    pub events_total: usize,
    /// On how many of them a rule in question matches.
    pub events_matched: usize,
    /// What could not be read as an event, with its place.
    pub rejects: Vec<String>,
    /// How many there are.
    pub rejects_total: usize,
    /// The correlations in question.
    pub correlations: Vec<CorrelationReport>,
}

/// An event and the rules in question.
#[derive(Debug, Clone, Serialize)]
pub struct EventReport {
    /// File, number of the record and place in it.
    pub place: String,
    /// When it happened, if it says so.
    pub time: Option<String>,
    /// What kind of event it is.
    pub log_type: &'static str,
    /// The rules that are explained.
    pub rules: Vec<Explanation>,
    /// Rules that match beyond those.
    pub matched_besides: usize,
    /// Rules in question that do not match and are not explained.
    pub others: usize,
    /// The nearest of these.
    pub nearest: Option<Nearest>,
    #[serde(skip)]
    order: usize,
    #[serde(skip)]
    distance: usize,
}

/// The rule that is nearest to a match.
#[derive(Debug, Clone, Serialize)]
pub struct Nearest {
    /// Id, else name, else title.
    pub rule: String,
    /// Its title.
    pub title: String,
    /// How many entries would have to be judged otherwise.
    pub distance: usize,
}

/// A correlation and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct CorrelationReport {
    /// Its id.
    pub rule: String,
    /// Its title.
    pub title: String,
    /// What it computes, such as `event_count`.
    pub kind: String,
    /// The fields that a group shares.
    pub group_by: Vec<String>,
    /// Length of the window in seconds.
    pub timespan_seconds: i64,
    /// Whether it alerts on its own; inner ones of a chain do not.
    pub alerts: bool,
    /// How long it stays silent for a group after an alert.
    pub suppress_seconds: Option<i64>,
    /// The rules it refers to, with the number of events that each matched; `None` for correlations.
    pub base_rules: Vec<(String, Option<usize>)>,
    /// Events that a base rule matched and that belong to no group, as a group-by field is absent.
    pub ungrouped: usize,
    /// The groups that came furthest.
    pub groups: Vec<GroupView>,
    /// How many groups there are.
    pub groups_total: usize,
}
