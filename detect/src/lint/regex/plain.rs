//! Regular expressions that are plain text with an anchor or two.

use regex_syntax::ast::{AssertionKind, Ast, Flag, FlagsItemKind};

use super::super::items::Entry;
use super::super::{Workspace, items};
use super::{Expression, Found, IGNORE_CASE, of_entry};
use crate::diagnostic::{Edit, code};
use crate::rule::item::{Anchor, Case};
use crate::rule::modifier::{Modifier, RegexFlag};
use crate::rule::text;

/// What an expression says as text.
#[derive(Debug, PartialEq, Eq)]
struct Plain {
    anchor: Anchor,
    case: Case,
    text: String,
}

/// Whether a part is `^` or `\A`.
pub(super) fn is_start(part: Option<&Ast>) -> bool {
    matches!(part, Some(Ast::Assertion(assertion))
        if matches!(assertion.kind, AssertionKind::StartLine | AssertionKind::StartText))
}

/// Whether a part is `$` or `\z`.
pub(super) fn is_end(part: Option<&Ast>) -> bool {
    matches!(part, Some(Ast::Assertion(assertion))
        if matches!(assertion.kind, AssertionKind::EndLine | AssertionKind::EndText))
}

/// Whether a part is `(?i)`.
fn is_ignore_case(part: &Ast) -> bool {
    let Ast::Flags(set) = part else { return false };
    let [item] = set.flags.items.as_slice() else {
        return false;
    };
    item.kind == FlagsItemKind::Flag(Flag::CaseInsensitive)
}

/// Expressions that a modifier says more plainly, and for less.
pub(super) fn re_as_modifier(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in items::entries(workspace) {
        let expressions = of_entry(&entry);
        let plain: Option<Vec<Plain>> = expressions.iter().map(|one| plain(&entry, one)).collect();
        let Some(plain) = plain.filter(|plain| plain.len() == entry.values.len()) else {
            continue;
        };
        let Some(first) = plain.first() else { continue };
        let alike = |one: &Plain| one.anchor == first.anchor && one.case == first.case;
        if !plain.iter().all(alike) {
            continue;
        }
        let modifiers = modifiers(first);
        let shown = if modifiers.is_empty() {
            "no modifier at all".to_owned()
        } else {
            format!("`{modifiers}`")
        };
        let one = entry.finding(
            code::RE_AS_MODIFIER,
            &entry.modifier_place(Modifier::Re),
            format!("regular expression is plain text: {shown} says the same"),
            format!("write `{}`", text::escape(&first.text)),
        );
        found.push(match edits(&entry, &expressions, &plain, &modifiers) {
            Some(edits) => one.with_fix("write it as text", edits),
            None => one,
        });
    }
}

/// The modifiers that say what `re` did.
fn modifiers(plain: &Plain) -> String {
    let position = match plain.anchor {
        Anchor::Whole => None,
        Anchor::Start => Some("startswith"),
        Anchor::End => Some("endswith"),
        Anchor::Anywhere => Some("contains"),
    };
    let cased = (plain.case == Case::Exact).then_some("cased");
    let names: Vec<&str> = position.into_iter().chain(cased).collect();
    names.join("|")
}

fn edits(
    entry: &Entry<'_>,
    expressions: &[Expression<'_>],
    plain: &[Plain],
    modifiers: &str,
) -> Option<Vec<Edit>> {
    let flags = entry
        .modifiers
        .iter()
        .filter(|m| matches!(m, Modifier::Flag(_)));
    let flags = flags.map(|flag| entry.replace_modifier(*flag, ""));
    let values = expressions
        .iter()
        .zip(plain)
        .map(|(one, plain)| entry.replace(one.node, 0..one.text.len(), &text::escape(&plain.text)));
    std::iter::once(entry.replace_modifier(Modifier::Re, modifiers))
        .chain(flags)
        .chain(values)
        .collect()
}

/// The expression as text, if it is no more than that.
fn plain(entry: &Entry<'_>, expression: &Expression<'_>) -> Option<Plain> {
    // Under `m`, `^` and `$` match at line breaks, too.
    if entry.has(Modifier::Flag(RegexFlag::MultiLine)) {
        return None;
    }
    let mut case = Case::Exact;
    let mut parts = expression.parts();
    if let [first, rest @ ..] = parts
        && is_ignore_case(first)
    {
        (case, parts) = (Case::Fold, rest);
    }
    if entry.has(IGNORE_CASE) {
        case = Case::Fold;
    }
    let start = is_start(parts.first());
    parts = parts.get(usize::from(start)..)?;
    let end = is_end(parts.last());
    parts = parts.get(..parts.len() - usize::from(end))?;
    let mut text = String::new();
    for part in parts {
        let Ast::Literal(literal) = part else {
            return None;
        };
        text.push(literal.c);
    }
    if text.is_empty() || text.contains(char::is_control) {
        return None;
    }
    let anchor = match (start, end) {
        (true, true) => Anchor::Whole,
        (true, false) => Anchor::Start,
        (false, true) => Anchor::End,
        (false, false) => Anchor::Anywhere,
    };
    // A keyword without a position stands anywhere.
    let keyword = entry.field.is_none() && anchor == Anchor::Whole;
    (!keyword).then_some(Plain { anchor, case, text })
}
