//! YAML 1.2 with places: one reader for rules, pipelines and configuration.
//!
//! Scalars follow the core schema (YAML 1.2.2 section 10.3): `yes`, `on`, dates and `1_000` are text,
//! `010` is ten. Anchors, aliases and merge keys (`<<`) are expanded while reading, within limits.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Place};

mod build;
mod comments;
mod schema;
mod source;
mod syntax;
mod written;

pub use comments::{Comment, comments};

/// Largest file that is read. The largest published rule file has 60 KiB; a larger file costs time
/// and memory before anything in it can be judged.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting. Below it, recursion over a document cannot exhaust a thread's stack.
pub const DEPTH_MAX: usize = 100;
/// Most aliases in one file.
pub const ALIASES_MAX: usize = 100;
/// Most nodes that the aliases of one file may add.
pub const EXPANDED_NODES_MAX: usize = 10_000;
/// Most bytes of text that the aliases of one file may add.
pub const EXPANDED_BYTES_MAX: usize = 1 << 20;

/// A YAML node with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands. For a sequence or mapping in block style: the rest of its first line.
    pub place: Place,
    /// What it is, by the YAML 1.2 core schema.
    pub value: Yaml,
    /// Where the parts of its text stand; `None` for what is written as it reads, or is no text.
    written: Option<Arc<[written::Stretch]>>,
}

/// A YAML value by the core schema; keys are unique, order is kept.
#[derive(Debug, Clone)]
pub enum Yaml {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer, also `0x17`, `0o17`; `010` is ten.
    Int(i128),
    /// A number with fraction or exponent, `.inf`, `.nan`.
    Float(f64),
    /// Anything else, and all quoted scalars.
    Text(String),
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping; keys are nodes so that they have places.
    Map(Vec<(Node, Node)>),
}

/// One document of a file.
#[derive(Debug, Clone)]
pub struct Document {
    /// What it says. With `problems` present it is incomplete, and good only for naming the document.
    pub root: Node,
    /// What keeps the document from being used, all of it.
    pub problems: Vec<Diagnostic>,
}

/// Reads all documents of a file; empty documents are left out.
///
/// # Errors
/// Everything that keeps the file from being read: not UTF-8, a syntax error, a key given twice, an
/// expansion of aliases over its limit.
pub fn parse(name: &str, bytes: &[u8]) -> Result<Vec<Node>, Vec<Diagnostic>> {
    let documents = parse_documents(name, bytes).map_err(|problem| vec![problem])?;
    let mut roots = Vec::with_capacity(documents.len());
    let mut problems = Vec::new();
    for document in documents {
        roots.push(document.root);
        problems.extend(document.problems);
    }
    if problems.is_empty() {
        Ok(roots)
    } else {
        Err(problems)
    }
}

/// Reads all documents of a file, keeping apart the problems that concern one document only: a key
/// given twice, aliases or nesting over a limit. Empty documents are left out.
///
/// # Errors
/// What keeps the whole file from being read: its size, not UTF-8, a syntax error.
pub fn parse_documents(name: &str, bytes: &[u8]) -> Result<Vec<Document>, Diagnostic> {
    let source = source::Source::new(name, bytes)?;
    build::documents(&source)
}

impl Node {
    /// A node that is made, not read: `place` is what it stands for.
    pub fn new(place: Place, value: Yaml) -> Self {
        Self {
            place,
            value,
            written: None,
        }
    }

    /// Whether its text stands in the file as it reads, as far as is known: in one line and without
    /// escapes. Only such text is mended in part.
    pub fn is_verbatim(&self) -> bool {
        self.written.is_none()
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Yaml::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Yaml::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i128> {
        match self.value {
            Yaml::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The number as a float, if it is a number.
    pub fn as_float(&self) -> Option<f64> {
        match self.value {
            #[expect(clippy::cast_precision_loss, reason = "the caller asked for a float")]
            Yaml::Int(value) => Some(value as f64),
            Yaml::Float(value) => Some(value),
            _ => None,
        }
    }

    /// The elements, if it is a sequence.
    pub fn as_seq(&self) -> Option<&[Self]> {
        match &self.value {
            Yaml::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The entries in file order, if it is a mapping.
    pub fn as_map(&self) -> Option<&[(Self, Self)]> {
        match &self.value {
            Yaml::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether it is `null`, `~` or nothing.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Yaml::Null)
    }

    /// Whether it is neither a sequence nor a mapping.
    pub fn is_scalar(&self) -> bool {
        !matches!(self.value, Yaml::Seq(_) | Yaml::Map(_))
    }

    /// The value under a key, if it is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value, if it is a mapping that has the key.
    pub fn entry(&self, key: &str) -> Option<(&Self, &Self)> {
        self.as_map()?
            .iter()
            .find(|(name, _)| name.as_text() == Some(key))
            .map(|(name, value)| (name, value))
    }

    /// The value under a key, where `null` counts as no value.
    pub fn get_some(&self, key: &str) -> Option<&Self> {
        self.get(key).filter(|node| !node.is_null())
    }

    /// What it is, with an article, for messages: `a number`, `a mapping`.
    pub fn type_name(&self) -> &'static str {
        match self.value {
            Yaml::Null => "null",
            Yaml::Bool(_) => "a boolean",
            Yaml::Int(_) | Yaml::Float(_) => "a number",
            Yaml::Text(_) => "text",
            Yaml::Seq(_) => "a list",
            Yaml::Map(_) => "a mapping",
        }
    }

    /// The place of a part of its text, by byte range in the text.
    ///
    /// Exact wherever reading the source again gives the text; the whole node otherwise.
    pub fn place_within(&self, part: std::ops::Range<usize>) -> Place {
        let whole = || self.place.clone();
        let Some(text) = self.as_text() else {
            return whole();
        };
        if let Some(stretches) = &self.written {
            let exact = text.get(part.clone()).is_some();
            let place = exact.then(|| written::place(stretches, text, &part, &self.place));
            return place.flatten().unwrap_or_else(whole);
        }
        let written = self.place.span.len();
        let quote = match written.checked_sub(text.len()) {
            Some(0) => 0,
            Some(2) => 1,
            _ => return whole(),
        };
        let Some(lead) = text.get(..part.start) else {
            return whole();
        };
        if text.get(part.clone()).is_none() || text.contains('\n') {
            return whole();
        }
        let start = self.place.span.start + quote;
        let shift = u32::try_from(lead.chars().count() + quote).unwrap_or(u32::MAX);
        Place {
            file: self.place.file.clone(),
            span: start + part.start..start + part.end,
            line: self.place.line,
            column: self.place.column.saturating_add(shift),
        }
    }
}

#[cfg(test)]
mod tests;
