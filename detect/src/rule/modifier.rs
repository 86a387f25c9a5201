//! The modifiers of Sigma 2.1 as a table.

/// One modifier of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modifier {
    /// Every value must be met.
    All,
}
