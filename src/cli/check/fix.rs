//! `--fix` and `--diff`: what mends findings without changing what a rule means.
//!
//! Fixes are applied to drafts in rounds: those that do not overlap at once, the others after the next
//! look. A draft holds only if all rules are still there with the same versions and nothing new keeps
//! one from loading; what changes a version is left to a person. A rule that does not load has no version
//! to be held against, so that its file is left alone. Files are written at the end, each whole or not
//! at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use anyhow::{Context as _, anyhow};
use palisade_detect::diagnostic::{Color, Fix, printable};
use palisade_detect::id::Id;
use similar::{ChangeTag, TextDiff};

use super::{Args, Judged, judge_drafts};
use crate::rules::{Drafts, Kind};

/// Most rounds; what is left then stays reported.
const ROUNDS_MAX: usize = 50;
/// Lines that a diff shows around a change.
const CONTEXT_LINES: usize = 3;

/// What fixes come to.
#[derive(Debug, Default)]
pub struct Changes {
    /// What the files held.
    before: Drafts,
    /// What they shall hold.
    after: Drafts,
    /// Fixes applied.
    pub applied: usize,
    /// Fixes that would have changed a rule's version.
    pub refused: usize,
    /// Fixes in files with errors, of which nobody can say whether they would.
    pub waiting: usize,
}

/// What was tried alone in a file and failed: the file and the code. Other fixes of the code in that
/// file are not tried: each costs a look at the whole set.
type Failed = (Arc<str>, &'static str);

/// The fixes of a round with their codes, by file.
type Picked<'j> = BTreeMap<Arc<str>, Vec<(&'static str, &'j Fix)>>;

/// The rules of a set as far as fixes must not change them, by file.
type Meaning = BTreeMap<Arc<str>, Vec<(Option<Kind>, Option<String>, Option<Id>)>>;

/// Applies all fixes that may be applied; gives the changes, unwritten, and what is found with them:
/// `None` if there are none.
///
/// # Errors
/// As [`super::judge`].
pub fn fix(args: &Args, first: &Judged) -> anyhow::Result<(Option<Judged>, Changes)> {
    let mut mended: Option<Judged> = None;
    let mut changes = Changes::default();
    let mut failed: BTreeSet<Failed> = BTreeSet::new();
    let mut one_by_one: BTreeSet<Arc<str>> = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let judged = mended.as_ref().unwrap_or(first);
        let picked = pick(judged, &failed, &one_by_one);
        let drafts = changes.drafts(judged, &picked);
        if drafts.is_empty() {
            break;
        }
        let mut all = changes.after.clone();
        all.extend(drafts.clone());
        let next = judge_drafts(args, &all)?;
        let wrong = changed(judged, &next, drafts.keys());
        if wrong.is_empty() {
            changes.applied += picked.values().map(Vec::len).sum::<usize>();
            changes.after = all;
            mended = Some(next);
            continue;
        }
        for file in &wrong {
            match picked.get(file).map(Vec::as_slice) {
                Some([(code, _)]) => {
                    failed.insert((Arc::clone(file), *code));
                }
                _ => {
                    one_by_one.insert(Arc::clone(file));
                }
            }
        }
    }
    changes
        .after
        .retain(|name, bytes| changes.before.get(name) != Some(bytes));
    let judged = mended.as_ref().unwrap_or(first);
    let left = judged.findings.diagnostics.iter();
    let left = left.filter(|one| one.fix.is_some());
    changes.refused = left
        .filter(|one| failed.contains(&(Arc::clone(&one.place.file), one.code)))
        .count();
    let broken = errors(judged);
    let left = judged.findings.diagnostics.iter();
    changes.waiting = left
        .filter(|one| one.fix.is_some() && broken.contains_key(&one.place.file))
        .count();
    Ok((mended, changes))
}

/// The fixes of a round, by file: none that overlap, none that failed, none beside an error, in some
/// files only one.
fn pick<'j>(
    judged: &'j Judged,
    failed: &BTreeSet<Failed>,
    one_by_one: &BTreeSet<Arc<str>>,
) -> Picked<'j> {
    let broken = errors(judged);
    let mut picked = Picked::new();
    for one in &judged.findings.diagnostics {
        let Some(fix) = &one.fix else { continue };
        let file = &one.place.file;
        let failed = failed.contains(&(Arc::clone(file), one.code));
        if failed || broken.contains_key(file) || !judged.may_write(file) {
            continue;
        }
        let own = picked.entry(Arc::clone(file)).or_default();
        let full = one_by_one.contains(file) && !own.is_empty();
        if !full && !own.iter().any(|(_, other)| overlap(other, fix)) {
            own.push((one.code, fix));
        }
    }
    picked
}

/// Whether two fixes touch the same text, or insert at the same place.
fn overlap(a: &Fix, b: &Fix) -> bool {
    let touch = |x: &std::ops::Range<usize>, y: &std::ops::Range<usize>| {
        x.start == y.start || (x.start < y.end && y.start < x.end)
    };
    a.edits
        .iter()
        .any(|x| b.edits.iter().any(|y| touch(&x.span, &y.span)))
}

impl Changes {
    /// The files of a round with their fixes applied; a file that cannot be read as text is left out.
    fn drafts(&mut self, judged: &Judged, picked: &Picked<'_>) -> Drafts {
        let mut drafts = Drafts::new();
        for (file, fixes) in picked {
            let now = match self.after.get(file) {
                Some(bytes) => bytes.clone(),
                None => match fs::read(Path::new(&**file)) {
                    Ok(bytes) => bytes,
                    Err(_) => continue,
                },
            };
            let draft = std::str::from_utf8(&now)
                .ok()
                .and_then(|text| apply(text, fixes.iter().map(|(_, fix)| *fix)));
            if let Some(draft) = draft.filter(|draft| draft.as_bytes() != now) {
                debug_assert!(judged.may_write(file), "only such files are picked");
                self.before.entry(Arc::clone(file)).or_insert(now);
                drafts.insert(Arc::clone(file), draft.into_bytes());
            }
        }
        drafts
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.after.is_empty()
    }

    /// How many files change.
    pub fn files(&self) -> usize {
        self.after.len()
    }

    /// The changes as a unified diff, safe to print on a terminal.
    pub fn diff(&self, color: Color) -> String {
        let mut out = String::new();
        for (name, after) in &self.after {
            let before = self.before.get(name).map_or(&[][..], Vec::as_slice);
            let (before, after) = (
                String::from_utf8_lossy(before),
                String::from_utf8_lossy(after),
            );
            let name = printable(name);
            let bold = Style::new().bold();
            paint(&mut out, color, bold, &format!("--- {name}"));
            paint(&mut out, color, bold, &format!("+++ {name}"));
            let diff = TextDiff::from_lines(&*before, &*after);
            for hunk in diff
                .unified_diff()
                .context_radius(CONTEXT_LINES)
                .iter_hunks()
            {
                let cyan = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
                paint(&mut out, color, cyan, hunk.header().to_string().trim_end());
                for change in hunk.iter_changes() {
                    let (sign, style) = match change.tag() {
                        ChangeTag::Equal => (' ', Style::new()),
                        ChangeTag::Delete => {
                            ('-', Style::new().fg_color(Some(AnsiColor::Red.into())))
                        }
                        ChangeTag::Insert => {
                            ('+', Style::new().fg_color(Some(AnsiColor::Green.into())))
                        }
                    };
                    let line = change.value().trim_end_matches(['\n', '\r']);
                    paint(
                        &mut out,
                        color,
                        style,
                        &format!("{sign}{}", printable(line)),
                    );
                }
            }
        }
        out
    }

    /// Writes the files, each whole or not at all; one that has changed since it was read is left
    /// alone.
    ///
    /// # Errors
    /// What could not be written; the other files are.
    pub fn write(&self, roots: &[PathBuf]) -> Vec<anyhow::Error> {
        let files = self.after.iter();
        files
            .filter_map(|(name, after)| {
                let before = self.before.get(name)?;
                let written = replace(Path::new(&**name), before, after, roots);
                written
                    .with_context(|| format!("`{name}` is not changed"))
                    .err()
            })
            .collect()
    }
}

fn paint(out: &mut String, color: Color, style: Style, line: &str) {
    let (begin, end) = match color {
        Color::Never => (String::new(), String::new()),
        Color::Always => (style.render().to_string(), style.render_reset().to_string()),
    };
    out.extend([&begin, line, &end, "\n"]);
}

/// The text with these fixes; `None` if one of them is about another text.
fn apply<'f>(text: &str, fixes: impl Iterator<Item = &'f Fix>) -> Option<String> {
    let mut edits: Vec<_> = fixes.flat_map(|fix| &fix.edits).collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        out.push_str(text.get(at..edit.span.start)?);
        text.get(edit.span.clone())?;
        out.push_str(&edit.text);
        at = edit.span.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// The files among `drafts` after which rules differ or more keeps them from loading. A difference
/// elsewhere, as in a correlation over them, speaks against all of them.
fn changed<'d>(
    before: &Judged,
    after: &Judged,
    drafts: impl Iterator<Item = &'d Arc<str>>,
) -> BTreeSet<Arc<str>> {
    let (old, new) = (meaning(before), meaning(after));
    let (old_errors, new_errors) = (errors(before), errors(after));
    let same = |file: &Arc<str>| {
        old.get(file) == new.get(file) && old_errors.get(file) == new_errors.get(file)
    };
    let files: BTreeSet<&Arc<str>> = drafts.collect();
    let own: BTreeSet<Arc<str>> = files
        .iter()
        .filter(|file| !same(file))
        .map(|file| Arc::clone(file))
        .collect();
    let everywhere = old.keys().chain(new.keys()).chain(new_errors.keys());
    if own.is_empty() && everywhere.into_iter().any(|file| !same(file)) {
        return files.into_iter().cloned().collect();
    }
    own
}

fn meaning(judged: &Judged) -> Meaning {
    let mut all = Meaning::new();
    for rule in &judged.list {
        let own = all.entry(Arc::clone(&rule.file)).or_default();
        own.push((rule.kind, rule.id.clone(), rule.version));
    }
    all
}

/// Codes of errors, by file.
fn errors(judged: &Judged) -> BTreeMap<Arc<str>, Vec<&'static str>> {
    let mut all: BTreeMap<Arc<str>, Vec<_>> = BTreeMap::new();
    for one in judged
        .findings
        .diagnostics
        .iter()
        .filter(|one| one.is_error())
    {
        all.entry(Arc::clone(&one.place.file))
            .or_default()
            .push(one.code);
    }
    all
}

/// Puts new contents in the place of a file: beside it first, then under its name.
fn replace(path: &Path, before: &[u8], after: &[u8], roots: &[PathBuf]) -> anyhow::Result<()> {
    // A link is followed, so that the file that it leads to changes, and not the link.
    let path = path.canonicalize()?;
    let inside = roots.iter().filter_map(|root| root.canonicalize().ok());
    if !inside.into_iter().any(|root| path.starts_with(root)) {
        return Err(anyhow!("it leads out of the folders that were named"));
    }
    let folder = path.parent().context("it has no folder")?;
    let mut beside = tempfile::Builder::new()
        .prefix(".palisade-")
        .tempfile_in(folder)?;
    beside.write_all(after)?;
    beside
        .as_file()
        .set_permissions(fs::metadata(&path)?.permissions())?;
    beside.as_file().sync_all()?;
    if fs::read(&path)? != before {
        return Err(anyhow!("it has changed since it was read"));
    }
    beside.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use palisade_detect::diagnostic::Edit;

    use super::*;

    fn fix_of(edits: &[(std::ops::Range<usize>, &str)]) -> Fix {
        Fix {
            title: "x".to_owned(),
            edits: edits
                .iter()
                .map(|(span, text)| Edit {
                    span: span.clone(),
                    text: (*text).to_owned(),
                })
                .collect(),
        }
    }

    #[test]
    fn edits_are_applied_in_their_places_and_never_inside_a_character() {
        let one = fix_of(&[(5..5, "!"), (0..1, "A")]);
        let two = fix_of(&[(2..3, "")]);
        assert_eq!(
            apply("abcde", [&one, &two].into_iter()).as_deref(),
            Some("Abde!")
        );
        assert_eq!(apply("é", [&fix_of(&[(1..2, "e")])].into_iter()), None);
        assert_eq!(apply("a", [&fix_of(&[(1..9, "e")])].into_iter()), None);
    }

    #[test]
    fn fixes_overlap_where_they_touch_the_same_text() {
        let at = |span| fix_of(&[(span, "")]);
        for (a, b, expected) in [
            (0..2, 1..3, true),
            (0..2, 2..3, false),
            (1..1, 1..1, true),
            (0..3, 1..1, true),
        ] {
            assert_eq!(
                overlap(&at(a.clone()), &at(b.clone())),
                expected,
                "{a:?} {b:?}"
            );
        }
    }

    #[test]
    fn file_that_has_changed_or_lies_elsewhere_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("in"), folder.path().join("out"));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        let (file, other) = (inside.join("a.yml"), outside.join("a.yml"));
        fs::write(&file, "new").unwrap();
        fs::write(&other, "old").unwrap();
        let roots = [inside.clone()];
        assert!(replace(&file, b"old", b"fixed", &roots).is_err());
        assert!(replace(&other, b"old", b"fixed", &roots).is_err());
        assert!(replace(&file, b"new", b"fixed", &roots).is_ok());
        assert_eq!(fs::read_to_string(&file).unwrap(), "fixed");
        assert_eq!(fs::read_to_string(&other).unwrap(), "old");
        assert_eq!(
            fs::read_dir(&inside).unwrap().count(),
            1,
            "nothing is left behind"
        );
    }
}
