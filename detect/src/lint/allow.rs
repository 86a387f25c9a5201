//! `# palisade: allow(PAL1203) reason`: a finding that somebody has looked at and accepts.
//!
//! The comment stands on the line of the finding, or on the line above it. It names one or more codes
//! and says why. What keeps a rule from loading cannot be allowed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Edit, Severity, code, explain, suggestion};
use crate::yaml::{self, Comment};

/// What such a comment begins with.
const MARK: &str = "palisade:";
/// Most comments of one file that are looked at.
const COMMENTS_MAX: usize = 1_000;
/// Most codes that one comment allows; so many mean that nobody has looked at any of them.
const CODES_MAX: usize = 20;
/// Most lines that are skipped below a comment to find the one it is about.
const SKIPPED_LINES_MAX: usize = 1_000;

/// An allowed code.
struct Allowed {
    code: &'static str,
    /// The line that it is about.
    line: u32,
    comment: usize,
    used: bool,
}

/// Takes out the findings that comments of these files allow, and adds what is wrong with the
/// comments: those that allow nothing, name no code or give no reason. Errors stay.
pub fn apply<'f>(
    files: impl IntoIterator<Item = (&'f Arc<str>, &'f [u8])>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut problems = Vec::new();
    let mut allowed: HashMap<&str, (Vec<Comment>, Vec<Allowed>)> = HashMap::new();
    for (name, bytes) in files {
        let mut comments = yaml::comments(name, bytes, MARK);
        if comments.is_empty() {
            continue;
        }
        comments.truncate(COMMENTS_MAX);
        let read = read(&comments, bytes, &mut problems);
        allowed.insert(name, (comments, read));
    }
    if allowed.is_empty() {
        return;
    }
    diagnostics.retain(|one| {
        let of_file = allowed.get_mut(&*one.place.file);
        let found = of_file.and_then(|(_, list)| {
            list.iter_mut()
                .find(|allowed| allowed.code == one.code && allowed.line == one.place.line)
        });
        match found {
            Some(allowed) if one.severity != Severity::Error => {
                allowed.used = true;
                false
            }
            _ => true,
        }
    });
    for (comments, list) in allowed.into_values() {
        problems.extend(unused(&comments, &list));
    }
    let place = |one: &Diagnostic| (one.place.file.clone(), one.place.span.start);
    problems.sort_by_key(place);
    diagnostics.extend(problems);
}

/// The allowed codes of a file's comments.
fn read(comments: &[Comment], bytes: &[u8], problems: &mut Vec<Diagnostic>) -> Vec<Allowed> {
    let text = String::from_utf8_lossy(bytes);
    let mut all = Vec::new();
    for (at, comment) in comments.iter().enumerate() {
        match codes(comment) {
            Ok(None) => {}
            Ok(Some(names)) => {
                let line = target(comment, &text);
                for name in names {
                    match explain::find(name) {
                        Ok(code) => all.push(Allowed {
                            code: code.id,
                            line,
                            comment: at,
                            used: false,
                        }),
                        Err(help) => problems.push(
                            Diagnostic::warning(
                                code::ALLOW_UNKNOWN_CODE,
                                &comment.place,
                                format!("comment allows `{name}`, which is no code"),
                            )
                            .with_help_from(help),
                        ),
                    }
                }
            }
            Err(help) => problems.push(
                Diagnostic::warning(
                    code::ALLOW_FORM,
                    &comment.place,
                    "comment to palisade cannot be read and allows nothing",
                )
                .with_help(help),
            ),
        }
    }
    all
}

/// The codes that a comment allows; `None` if it is no such comment.
fn codes(comment: &Comment) -> Result<Option<Vec<&str>>, String> {
    let form = || "write `# palisade: allow(PAL1203) why it is accepted`".to_owned();
    let Some(said) = comment.text.trim().strip_prefix(MARK) else {
        return Ok(None);
    };
    let said = said.trim();
    let end = said
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(said.len());
    let (word, rest) = said.split_at(end);
    if word != "allow" {
        // Prose that happens to begin like this is left alone.
        return match suggestion(word, ["allow"]) {
            Some(help) => Err(help),
            None if rest.starts_with('(') => Err(form()),
            None => Ok(None),
        };
    }
    let inner = rest.trim_start().strip_prefix('(').ok_or_else(form)?;
    let (names, reason) = inner.split_once(')').ok_or_else(form)?;
    if reason.trim().is_empty() {
        return Err("a reason must follow the parenthesis".to_owned());
    }
    let names: Vec<&str> = names
        .split(',')
        .map(str::trim)
        .take(CODES_MAX + 1)
        .collect();
    if names.len() > CODES_MAX {
        return Err(format!(
            "name at most {CODES_MAX} codes, or change their levels"
        ));
    }
    Ok(Some(names))
}

/// The line that a comment is about: its own, or, if it stands alone, the next one that is neither
/// empty nor a comment.
fn target(comment: &Comment, text: &str) -> u32 {
    if !comment.alone {
        return comment.place.line;
    }
    let after = text.get(comment.place.span.end..).unwrap_or_default();
    let skipped = after
        .lines()
        .skip(1)
        .take(SKIPPED_LINES_MAX)
        .take_while(|line| matches!(line.trim_start().chars().next(), None | Some('#')))
        .count();
    let skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
    comment.place.line.saturating_add(skipped).saturating_add(1)
}

/// What of a file's comments allowed nothing.
fn unused(comments: &[Comment], list: &[Allowed]) -> Vec<Diagnostic> {
    let unused = list.iter().filter(|allowed| !allowed.used);
    unused
        .filter_map(|allowed| {
            let comment = comments.get(allowed.comment)?;
            let error = explain::find(allowed.code)
                .is_ok_and(|code| super::severity(code) == Severity::Error);
            let (message, help) = if error {
                let message = format!("{} is an error, and errors cannot be allowed", allowed.code);
                (message, "mend what it finds, and take the comment out")
            } else {
                let message = format!("nothing that can be allowed is found as {}", allowed.code);
                let help = "the comment stands on the line of the finding or above it; take it out";
                (message, help)
            };
            let problem =
                Diagnostic::warning(code::ALLOW_UNUSED, &comment.place, message).with_help(help);
            let alone = list.iter().filter(|one| one.comment == allowed.comment);
            Some(if alone.count() == 1 {
                let edit = Edit::replace(&comment.place, "");
                problem.with_fix("take the comment out", vec![edit])
            } else {
                problem
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;

    /// Codes and lines that are left of these findings in a file.
    fn left(text: &str, found: &[(crate::diagnostic::Code, u32)]) -> Vec<(&'static str, u32)> {
        let name: Arc<str> = Arc::from("f.yml");
        let mut diagnostics = found
            .iter()
            .map(|(code, line)| {
                let place = Place {
                    line: *line,
                    ..Place::start_of(&name)
                };
                Diagnostic::warning(*code, &place, "found")
            })
            .collect();
        apply([(&name, text.as_bytes())], &mut diagnostics);
        diagnostics
            .iter()
            .map(|one| (one.code, one.place.line))
            .collect()
    }

    #[test]
    fn finding_is_allowed_on_its_line_and_from_the_lines_above() {
        let both = [(code::NO_ID, 3), (code::ID_NOT_UUID, 3)];
        for text in [
            "a: 1\n\nb: 2 # palisade: allow(PAL1001, pal1002) old\n",
            "a: 1\n# palisade: allow(PAL1001,PAL1002) old\nb: 2\n",
            "# palisade:allow (PAL1001) old\n# palisade: allow(PAL1002) old\nb: 2\n",
            "# palisade: allow(PAL1001, PAL1002) old\n\nb: 2\n",
        ] {
            assert_eq!(left(text, &both), [], "{text}");
        }
    }

    #[test]
    fn comment_elsewhere_allows_nothing_and_says_so() {
        let text = "# palisade: allow(PAL1001) old\na: 1\nb: 2\n";
        assert_eq!(
            left(text, &[(code::NO_ID, 3)]),
            [("PAL1001", 3), ("PAL2001", 1)]
        );
    }

    #[test]
    fn error_is_never_allowed() {
        let name: Arc<str> = Arc::from("f.yml");
        let error = Diagnostic::error(code::WRONG_TYPE, &Place::start_of(&name), "bad");
        let mut diagnostics = vec![error];
        let text = b"a: 1 # palisade: allow(PAL0203) no\n";
        apply([(&name, &text[..])], &mut diagnostics);
        let codes: Vec<_> = diagnostics.iter().map(|one| one.code).collect();
        assert_eq!(codes, ["PAL0203", "PAL2001"]);
        let said = &diagnostics[1].message;
        assert!(said.contains("errors cannot be allowed"), "{said}");
    }

    #[test]
    fn comments_without_reason_code_or_form_are_reported_and_prose_is_not() {
        let many = vec!["PAL1001"; 21].join(",");
        let many = format!("a: 1 # palisade: allow({many}) all of them\n");
        for (text, code) in [
            ("a: 1 # palisade: allow(PAL1001)\n", Some("PAL2003")),
            ("a: 1 # palisade: allow PAL1001 old\n", Some("PAL2003")),
            ("a: 1 # palisade: alow(PAL1001) old\n", Some("PAL2003")),
            ("a: 1 # palisade: ignore(PAL1001) old\n", Some("PAL2003")),
            ("a: 1 # palisade: allow(PAL9999) old\n", Some("PAL2002")),
            (&many, Some("PAL2003")),
            ("a: 1 # palisade: our engine\n", None),
            ("a: '# palisade: allow(PAL1001) old'\n", None),
        ] {
            let left = left(text, &[]);
            assert_eq!(left.first().map(|(code, _)| *code), code, "{text}");
        }
    }
}
