//! Rules as data: what a Sigma document says, typed, with the place of everything in its file.
//!
//! Sources: Sigma specification 2.1.0 (rules, correlation rules, filters). A rule travels in three
//! forms: the YAML document, this model (which processing pipelines rewrite, see
//! [`crate::pipeline`]), and what the [`crate::engine`] compiles from it.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::Place;
use crate::list::Lists;
use crate::logsource::Logsource;
use crate::pipeline::Names;
use crate::time::Span;

pub mod modifier;
pub mod text;
pub mod wording;
pub mod item;
pub mod condition;
pub mod filter;
pub mod lists;
pub mod parse;

pub use filter::{Exception, Expiry};
pub use item::{Item, RawValue};
pub use wording::{Wording, Words};

/// Everything a set of rule files says, in load order: by relative path, then by position.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// Detection rules.
    pub detections: Vec<Detection>,
    /// Correlation rules.
    pub correlations: Vec<Correlation>,
    /// Filters, not yet joined to the rules they narrow.
    pub filters: Vec<Filter>,
    /// Rules, by [`Meta::key`], that are here for correlations only: they never alert on their own,
    /// also where a correlation says `generate`.
    pub silent: BTreeSet<String>,
    /// The lists that rules look values up in.
    pub lists: Arc<Lists>,
}

/// What every kind of rule carries besides its logic; it goes unchanged into alerts.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Meta {
    /// Sigma `id`; usually a UUID, any text is accepted. `None` if the rule has none.
    pub id: Option<String>,
    /// Sigma `name`, usable like the id in references.
    pub name: Option<String>,
    /// Title, at most 256 characters.
    pub title: String,
    /// Description, as written.
    pub description: Option<String>,
    /// Level; `None` if the rule names none.
    pub level: Option<Level>,
    /// Status, as written and checked.
    pub status: Option<Status>,
    /// Author, as written.
    pub author: Option<String>,
    /// Links to research.
    pub references: Vec<String>,
    /// Benign causes.
    pub falsepositives: Vec<String>,
    /// Tags, such as `attack.t1078.004`.
    pub tags: Vec<String>,
}

/// Sigma's levels, from least to most severe.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For context only.
    Informational,
    /// Notable, rarely an incident.
    Low,
    /// Needs a look.
    Medium,
    /// Needs a quick look.
    High,
    /// Acts at once.
    Critical,
}

/// Sigma's rule statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Known to work.
    Stable,
    /// Mostly tested.
    Test,
    /// New.
    Experimental,
    /// Replaced or outdated.
    Deprecated,
    /// Cannot work as it stands.
    Unsupported,
}

impl Meta {
    /// How the rule is called: its id, else its name, else its title.
    pub fn key(&self) -> &str {
        let texts = [self.id.as_deref(), self.name.as_deref()];
        texts
            .into_iter()
            .flatten()
            .find(|text| !text.is_empty())
            .unwrap_or(&self.title)
    }
}

impl Level {
    /// All levels, from least to most severe.
    pub const ALL: [Self; 5] = [
        Self::Informational,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// The name as rules write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl Status {
    /// All statuses, from most to least usable.
    pub const ALL: [Self; 5] = [
        Self::Stable,
        Self::Test,
        Self::Experimental,
        Self::Deprecated,
        Self::Unsupported,
    ];

    /// The name as rules write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Test => "test",
            Self::Experimental => "experimental",
            Self::Deprecated => "deprecated",
            Self::Unsupported => "unsupported",
        }
    }
}

/// A detection rule: a condition over named searches on one event.
#[derive(Debug, Clone)]
pub struct Detection {
    /// Title, id and the rest.
    pub meta: Meta,
    /// Where the document begins.
    pub place: Place,
    /// Which events it judges.
    pub logsource: Logsource,
    /// The searches by name, in file order; a joined filter's searches follow the rule's own.
    pub searches: IndexMap<String, Search>,
    /// The condition; a list of conditions has become [`Expr::Or`].
    pub condition: Expr,
    /// Keys under `palisade:`, checked.
    pub palisade: PalisadeKeys,
    /// What pipelines made of the rule's field names.
    pub names: Names,
}

/// A named search, or part of one.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub enum Search {
    /// A map: every part must match.
    AllOf(Vec<Search>),
    /// A list: one part must match.
    AnyOf(Vec<Search>),
    /// One entry: a field with its modifiers and values, or keywords.
    Item(Item),
}

/// A condition over searches, which it names by their place in [`Detection::searches`].
///
/// `1 of x*`, `all of them` and such are resolved when the rule is read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Expr {
    /// The search at this place matches.
    Search(usize),
    /// The inner condition does not hold.
    Not(Box<Expr>),
    /// All inner conditions hold.
    And(Vec<Expr>),
    /// At least one inner condition holds.
    Or(Vec<Expr>),
    /// At least so many of the inner conditions hold (`2 of selection_*`).
    AtLeast(usize, Vec<Expr>),
}

/// A correlation rule: a condition over the matches of other rules, in time.
#[derive(Debug, Clone)]
pub struct Correlation {
    /// Title, id and the rest.
    pub meta: Meta,
    /// Where the document begins.
    pub place: Place,
    /// What is computed over the window.
    pub kind: CorrelationKind,
    /// Referenced rules by id or name, in list order, each with its place.
    pub rules: Vec<(String, Place)>,
    /// Field or alias names that a group shares; empty: one group.
    pub group_by: Vec<String>,
    /// Length of the window, closed on both sides.
    pub timespan: Span,
    /// Alias name to (rule reference, field name of that rule).
    pub aliases: IndexMap<String, Vec<(String, String)>>,
    /// Whether the referenced rules also alert on their own.
    pub generate: bool,
    /// Keys under `palisade:`, checked.
    pub palisade: PalisadeKeys,
}

/// What a correlation computes over its window.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum CorrelationKind {
    /// Number of events.
    EventCount(Bounds),
    /// Number of distinct values, or combinations, of the fields.
    ValueCount(Vec<String>, Bounds),
    /// Sum of the field's numbers.
    ValueSum(String, Bounds),
    /// Mean of the field's numbers.
    ValueAvg(String, Bounds),
    /// Percentile (0 to 100) of the field's numbers, between ranks by linear interpolation.
    ValuePercentile(String, f64, Bounds),
    /// Number of different rules; without bounds all of them.
    Temporal(TemporalCondition),
    /// As `Temporal`, and one event per listed rule in list order.
    TemporalOrdered(TemporalCondition),
}

/// Comparisons that must all hold: `gte: 5` or a range of two.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bounds(pub Vec<(Comparison, f64)>);

/// Sigma's comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Gte,
    /// Less than.
    Lt,
    /// Less than or equal.
    Lte,
    /// Equal.
    Eq,
    /// Not equal.
    Neq,
}

/// When a temporal correlation is satisfied.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum TemporalCondition {
    /// Every referenced rule matched.
    All,
    /// The number of different rules that matched is within the bounds.
    Count(Bounds),
    /// An expression over the referenced rules, by their place in [`Correlation::rules`].
    Expression(Expr),
}

/// A filter: a condition joined with AND to the rules it names.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Title, id and the rest.
    pub meta: Meta,
    /// Where the document begins.
    pub place: Place,
    /// Which rules it may apply to: every part must be present and equal in the rule.
    pub logsource: Logsource,
    /// Rules by id or name; `None`: any.
    pub rules: Option<Vec<String>>,
    /// The searches by name.
    pub searches: IndexMap<String, Search>,
    /// The condition over [`Filter::searches`].
    pub condition: Expr,
    /// Who answers for it, and for how long.
    pub exception: Exception,
}

/// House extensions under a rule's `palisade:` key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PalisadeKeys {
    /// How long repeats stay silent; `None`: the default of the rule's kind.
    pub suppress: Option<Suppress>,
    /// Fields by which repeats are told apart (`suppress: {by: …}`); empty: a detection rule is
    /// silent as a whole, a correlation for its group. A correlation has none but its group here.
    pub suppress_by: Vec<String>,
    /// `title:`, `level_from:` and `external_id:`, by field names as written.
    pub wording: Wording<String>,
}

/// `suppress:` under `palisade:`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Suppress {
    /// Never.
    None,
    /// For this long after an alert.
    For(Span),
}

/// A rule file as read: its name relative to the rules folder, and its bytes.
#[derive(Debug, Clone)]
pub struct RuleFile {
    /// Relative path with `/`, shown in diagnostics.
    pub name: Arc<str>,
    /// The bytes, as they stand on disk.
    pub bytes: Vec<u8>,
}
