//! Sigma text: literal runs, wildcards and placeholders.

/// Text with wildcards, as a list of parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SigmaText {
    /// The parts in order; no two literals are neighbours.
    pub parts: Vec<Part>,
}

/// One part of a [`SigmaText`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Characters that stand for themselves.
    Literal(String),
    /// `*`: any number of characters.
    AnyRun,
    /// `?`: exactly one code point.
    AnyOne,
    /// `%name%` under `expand`, not yet replaced.
    Placeholder(String),
}
