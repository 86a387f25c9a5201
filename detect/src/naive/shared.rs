//! What the rules of a set share while they are compiled.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::{Test, test};
use crate::diagnostic::Diagnostic;
use crate::rule::item::{Expressions, Item, Link, Target, Values};
use crate::rule::modifier::Modifier;

/// Rules of one set that are compiled one after the other: what their expressions may still take, and the
/// tests of entries that stand in several of them, as those of a filter do.
#[derive(Debug, Default)]
pub(crate) struct Compiling {
    expressions: Expressions,
    /// By what the copies of the values have in common.
    known: RefCell<HashMap<usize, Vec<Known>>>,
}

/// An entry that was compiled, and of which there are copies.
#[derive(Debug)]
struct Known {
    /// Kept, so that no other values come to stand in their place.
    _values: Values,
    modifiers: Vec<Modifier>,
    keywords: bool,
    compiled: Compiled,
}

/// What an entry became.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    pub(super) link: Link,
    pub(super) negated: bool,
    pub(super) tests: Arc<[Arc<Test>]>,
}

impl Compiling {
    /// The tests of an entry; copies of one entry share them.
    pub(super) fn tests(&self, item: &Item) -> Result<Compiled, Vec<Diagnostic>> {
        let Some(shared) = item.values.shared() else {
            return self.compile(item);
        };
        let keywords = item.target == Target::Keywords;
        let same = |known: &&Known| known.keywords == keywords && known.modifiers == item.modifiers;
        let mut all = self.known.borrow_mut();
        let known = all.entry(shared).or_default();
        if let Some(known) = known.iter().find(same) {
            return Ok(known.compiled.clone());
        }
        let compiled = self.compile(item)?;
        known.push(Known {
            _values: item.values.clone(),
            modifiers: item.modifiers.clone(),
            keywords,
            compiled: compiled.clone(),
        });
        Ok(compiled)
    }

    fn compile(&self, item: &Item) -> Result<Compiled, Vec<Diagnostic>> {
        let meaning = item.meaning_within(&self.expressions)?;
        Ok(Compiled {
            link: meaning.link,
            negated: meaning.negated,
            tests: meaning
                .patterns
                .into_iter()
                .map(test)
                .map(Arc::new)
                .collect(),
        })
    }
}
