//! What a check has found, as far as it is kept.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::Diagnostic;

/// Most findings of one check that are kept, over all files.
pub const FINDINGS_MAX: usize = 10_000;
/// Most findings of one check that are kept of one file: the last of them says how many more there are.
/// A file of the largest size has room for 300,000 wrong values, and nobody reads them one by one.
pub const FILE_FINDINGS_MAX: usize = 200;

/// The findings of one check.
#[derive(Debug, Default)]
pub struct Found {
    kept: Vec<Diagnostic>,
    files: IndexMap<Arc<str>, OfFile>,
}

/// What was found in one file.
#[derive(Debug, Default)]
struct OfFile {
    kept: usize,
    /// Where the last one that was kept stands.
    last: usize,
    /// How many were not kept.
    more: usize,
}

impl Found {
    /// Takes a finding, and keeps it unless there are too many.
    pub(super) fn push(&mut self, one: Diagnostic) {
        let of_file = self.files.entry(one.place.file.clone()).or_default();
        if of_file.kept >= FILE_FINDINGS_MAX || self.kept.len() >= FINDINGS_MAX {
            of_file.more += 1;
            return;
        }
        of_file.kept += 1;
        of_file.last = self.kept.len();
        self.kept.push(one);
    }

    /// How many are kept.
    pub(super) const fn len(&self) -> usize {
        self.kept.len()
    }

    /// Those that are kept.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        for of_file in self.files.values() {
            if let (1.., Some(last)) = (of_file.more, self.kept.get_mut(of_file.last)) {
                let more = format!(" (and {} more of this kind in the file)", of_file.more);
                // A file of which nothing is kept points at another one's finding.
                if of_file.kept > 0 {
                    last.message.push_str(&more);
                }
            }
        }
        self.kept
    }
}

impl Extend<Diagnostic> for Found {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, all: I) {
        for one in all {
            self.push(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Place, code};

    fn of(file: &str) -> Diagnostic {
        Diagnostic::info(code::NO_ID, &Place::start_of(&Arc::from(file)), "wrong")
    }

    #[test]
    fn the_last_that_is_kept_of_a_file_says_how_many_more_there_are() {
        let mut found = Found::default();
        found.extend((0..FILE_FINDINGS_MAX + 3).map(|_| of("a")));
        found.extend((0..FILE_FINDINGS_MAX).map(|_| of("b")));
        let kept = found.finish();
        assert_eq!(kept.len(), 2 * FILE_FINDINGS_MAX);
        let said = |at: usize| kept[at].message.as_str();
        assert_eq!(
            said(FILE_FINDINGS_MAX - 1),
            "wrong (and 3 more of this kind in the file)"
        );
        assert_eq!(said(0), "wrong");
        assert_eq!(said(2 * FILE_FINDINGS_MAX - 1), "wrong");
    }

    #[test]
    fn no_more_than_the_limit_is_kept_over_all_files() {
        let mut found = Found::default();
        let files = FINDINGS_MAX / FILE_FINDINGS_MAX + 1;
        for file in 0..files {
            let name = file.to_string();
            found.extend((0..FILE_FINDINGS_MAX).map(|_| of(&name)));
        }
        assert_eq!(found.finish().len(), FINDINGS_MAX);
    }
}
