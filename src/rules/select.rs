//! The rule files that the configuration wants, by the patterns over their paths.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use palisade_detect::diagnostic::{self, Diagnostic, code};
use palisade_detect::rule::RuleFile;

use super::pattern;
use super::walk::{Found, Walk, cases, name};
use crate::config::rules::{Pattern, RulePath};

/// The rule files of a choice, in load order, of which only those that are wanted are read.
pub(super) struct Chosen {
    /// The files that are wanted.
    pub(super) files: Vec<RuleFile>,
    /// For each of them the place of the path that wants it.
    pub(super) wanted_by: Vec<usize>,
    /// Files that a path does not want; another may.
    pub(super) others: Vec<Found>,
    /// Where the files that are wanted stand.
    seen: HashSet<PathBuf>,
    /// Links among them that lead out of their folder.
    outside: BTreeSet<PathBuf>,
    /// What cannot be read, and patterns that match nothing.
    pub(super) problems: Vec<Diagnostic>,
}

/// Reads the rule files that a choice wants. A file that several paths reach is read once, for the
/// first that wants it.
pub(super) fn choose(paths: &[RulePath]) -> Chosen {
    let mut walk = Walk::default();
    let mut wanted_by = Vec::new();
    let mut others = Vec::new();
    for (place, path) in paths.iter().enumerate() {
        let found = walk.paths_of(&path.path);
        let relative: Vec<String> = found
            .iter()
            .map(|file| relative(&file.path, &path.path))
            .collect();
        for pattern in path.include.iter().chain(&path.exclude) {
            walk.problems.extend(unused(pattern, &relative));
        }
        walk.problems.extend(nothing_left(path, &relative));
        for (file, relative) in found.into_iter().zip(relative) {
            if includes(path, &relative) && !any(&path.exclude, &relative) {
                if let Err(over) = walk.file(&file) {
                    walk.problems.push(over);
                    return Chosen::nothing(walk.problems);
                }
                wanted_by.resize(walk.files.len(), place);
            } else {
                others.push(file);
            }
        }
    }
    Chosen {
        files: walk.files,
        wanted_by,
        others,
        seen: walk.seen,
        outside: walk.outside,
        problems: walk.problems,
    }
}

impl Chosen {
    /// Of a set over a limit, no file at all.
    fn nothing(problems: Vec<Diagnostic>) -> Self {
        Self {
            files: Vec::new(),
            wanted_by: Vec::new(),
            others: Vec::new(),
            seen: HashSet::new(),
            outside: BTreeSet::new(),
            problems,
        }
    }

    /// Reads the case files beside the files that are wanted.
    pub(super) fn cases(&self, paths: &[RulePath]) -> (Vec<RuleFile>, Vec<Diagnostic>) {
        let paths: Vec<PathBuf> = paths.iter().map(|path| path.path.clone()).collect();
        let (mut found, problems) = cases(&paths);
        let others = self.others.iter();
        let others: BTreeSet<String> = others.map(|file| stem(&name(&file.path))).collect();
        found.retain(|file| !others.contains(&stem(&file.name)));
        (found, problems)
    }

    /// Reads the files that no path wants, as far as they can be read; none if they are over a limit.
    pub(super) fn read_others(&self) -> Vec<RuleFile> {
        let mut walk = Walk::default();
        walk.seen.clone_from(&self.seen);
        walk.outside.clone_from(&self.outside);
        let over = self.others.iter().any(|file| walk.file(file).is_err());
        if over { Vec::new() } else { walk.files }
    }
}

/// The name of a rule file or of the case file beside it, without what they end in.
fn stem(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.strip_suffix(".cases").unwrap_or(stem).to_owned()
}

/// A file's path as patterns see it: relative to its folder; of a file by itself, its name.
fn relative(file: &Path, folder: &Path) -> String {
    let below = file.strip_prefix(folder).unwrap_or(file);
    let last = || file.file_name().map_or(file, Path::new);
    let below = if below.as_os_str().is_empty() {
        last()
    } else {
        below
    };
    name(below).to_string()
}

/// Whether one of the patterns is for this file.
fn any(patterns: &[Pattern], file: &str) -> bool {
    let mut patterns = patterns.iter();
    patterns.any(|pattern| pattern::matches(&pattern.text, file))
}

/// Whether `include` takes this file, which it does with all if it is not there.
fn includes(path: &RulePath, file: &str) -> bool {
    path.include.is_empty() || any(&path.include, file)
}

/// An `exclude` that takes out every file that is left for it.
fn nothing_left(path: &RulePath, files: &[String]) -> Option<Diagnostic> {
    let mut left = files.iter().filter(|file| includes(path, file)).peekable();
    left.peek()?;
    if !left.all(|file| any(&path.exclude, file)) {
        return None;
    }
    let place = &path.exclude.first()?.place;
    let message = format!("`exclude` leaves no rule file of `{}`", path.path.display());
    let help = "take the path out, or exclude less: no rule is loaded from it";
    Some(Diagnostic::warning(code::CHOICE_MATCHES_NOTHING, place, message).with_help(help))
}

/// A pattern that matches no file, with a name that it may have meant.
fn unused(pattern: &Pattern, files: &[String]) -> Option<Diagnostic> {
    let matches = |file: &String| pattern::matches(&pattern.text, file);
    if files.is_empty() || files.iter().any(matches) {
        return None;
    }
    // The folders and files as deep as the part of the pattern that stands for itself.
    let literal: Vec<&str> = pattern
        .text
        .trim_end_matches('/')
        .split('/')
        .take_while(|part| !part.contains(['*', '?']))
        .collect();
    let depth = literal.len();
    let candidates: BTreeSet<String> = files
        .iter()
        .map(|file| file.split('/').take(depth).collect::<Vec<_>>().join("/"))
        .collect();
    let near = diagnostic::nearest(&literal.join("/"), candidates.iter().map(String::as_str));
    let message = format!("`{}` matches no rule file", pattern.text);
    let help = near.map(|near| format!("did you mean `{near}`?"));
    let first = files
        .first()
        .map(|file| format!("patterns are held against relative paths such as `{file}`"));
    Some(
        Diagnostic::warning(code::CHOICE_MATCHES_NOTHING, &pattern.place, message)
            .with_help_from(help.or(first)),
    )
}
