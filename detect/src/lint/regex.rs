//! Regular expressions: what says the same more plainly or for less.

use regex_syntax::ast::{self, Ast, RepetitionKind, RepetitionRange};
use regex_syntax::hir::{Hir, translate::TranslatorBuilder};

use super::items::{Entry, entries};
use super::{Check, Found, Workspace};
use crate::diagnostic::code;
use crate::rule::modifier::{Modifier, RegexFlag};
use crate::yaml::Node;

mod plain;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::info(code::RE_AS_MODIFIER, plain::re_as_modifier),
    Check::info(code::RE_ANY_AT_EDGE, any_at_edge),
    Check::warning(code::RE_MATCHES_ALL, matches_all),
    Check::warning(code::RE_ANCHOR_IN_ALTERNATIVE, anchor_in_alternative),
    Check::info(code::RE_INLINE_IGNORE_CASE, inline_ignore_case),
    Check::info(code::RE_NESTED_REPETITION, nested_repetition),
    Check::info(code::RE_DOT_IN_NAME, dot_in_name),
    Check::info(code::RE_FLAG_WITHOUT_EFFECT, flag_without_effect),
];

/// The flag that `(?i)` sets.
const IGNORE_CASE: Modifier = Modifier::Flag(RegexFlag::IgnoreCase);

/// A regular expression of an entry.
pub(super) struct Expression<'e> {
    pub(super) node: &'e Node,
    pub(super) text: &'e str,
    pub(super) ast: Ast,
}

/// Calls `each` for every regular expression that no pipeline completes.
pub(super) fn expressions(
    workspace: &Workspace<'_>,
    each: &mut dyn FnMut(&Entry<'_>, &Expression<'_>),
) {
    for entry in entries(workspace) {
        for expression in of_entry(&entry) {
            each(&entry, &expression);
        }
    }
}

/// The regular expressions of an entry; none if it has another kind of value.
fn of_entry<'e>(entry: &'e Entry<'_>) -> Vec<Expression<'e>> {
    if !entry.has(Modifier::Re) || entry.has(Modifier::Expand) {
        return Vec::new();
    }
    let read = |(node, text): (&'e Node, &'e str)| {
        let ast = ast::parse::Parser::new().parse(text).ok()?;
        Some(Expression { node, text, ast })
    };
    entry.texts().filter_map(read).collect()
}

impl Expression<'_> {
    /// What the expression means under the flags of its entry, less one of them.
    pub(super) fn meaning(&self, entry: &Entry<'_>, less: Option<RegexFlag>) -> Option<Hir> {
        let on = |flag| less != Some(flag) && entry.has(Modifier::Flag(flag));
        TranslatorBuilder::new()
            .case_insensitive(on(RegexFlag::IgnoreCase))
            .multi_line(on(RegexFlag::MultiLine))
            .dot_matches_new_line(on(RegexFlag::DotAll))
            .build()
            .translate(self.text, &self.ast)
            .ok()
    }

    /// The parts at the top, one after the other.
    fn parts(&self) -> &[Ast] {
        match &self.ast {
            Ast::Concat(concat) => &concat.asts,
            single => std::slice::from_ref(single),
        }
    }
}

/// Whether a part is `.*`, greedy or not.
fn is_any(part: &Ast) -> bool {
    matches!(part, Ast::Repetition(repetition)
        if repetition.op.kind == RepetitionKind::ZeroOrMore
            && matches!(*repetition.ast, Ast::Dot(_)))
}

/// `.*` at an edge: the expression is searched anywhere in the value.
fn any_at_edge(workspace: &Workspace<'_>, found: &mut Found) {
    expressions(workspace, &mut |entry, expression| {
        let parts = expression.parts();
        let parts = match parts {
            [Ast::Flags(_), rest @ ..] => rest,
            all => all,
        };
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return;
        };
        if parts.iter().all(is_any) {
            return;
        }
        for part in [first, last].into_iter().filter(|part| is_any(part)) {
            let span = part.span();
            let range = span.start.offset..span.end.offset;
            let shown = expression.text.get(range.clone()).unwrap_or_default();
            let one = entry.finding(
                code::RE_ANY_AT_EDGE,
                &expression.node.place_within(range.clone()),
                format!("`{shown}` at the edge does nothing: the expression is searched anywhere in the value"),
                "take it out",
            );
            found.push(match entry.replace(expression.node, range, "") {
                Some(edit) => one.with_fix("take it out", vec![edit]),
                None => one,
            });
        }
    });
}

/// An expression that the empty text meets, without anchors, is found in every value.
fn matches_all(workspace: &Workspace<'_>, found: &mut Found) {
    expressions(workspace, &mut |entry, expression| {
        let Some(meaning) = expression.meaning(entry, None) else {
            return;
        };
        let properties = meaning.properties();
        if properties.minimum_len() == Some(0) && properties.look_set().is_empty() {
            found.push(entry.finding(
                code::RE_MATCHES_ALL,
                &expression.node.place,
                "regular expression matches every value, since it can match nothing at all",
                "anchor it by `^` and `$`, or ask for at least one character",
            ));
        }
    });
}

/// `^a|b$`: each anchor belongs to one alternative only.
fn anchor_in_alternative(workspace: &Workspace<'_>, found: &mut Found) {
    let begins = |ast: &Ast| plain::is_start(edge(ast, <[Ast]>::first));
    let ends = |ast: &Ast| plain::is_end(edge(ast, <[Ast]>::last));
    expressions(workspace, &mut |entry, expression| {
        let Ast::Alternation(alternation) = &expression.ast else {
            return;
        };
        let [first, inner @ .., last] = alternation.asts.as_slice() else {
            return;
        };
        let others_begin = inner.iter().chain([last]).any(begins);
        let others_end = inner.iter().chain([first]).any(ends);
        let anchor = if begins(first) && !others_begin {
            "^"
        } else if ends(last) && !others_end {
            "$"
        } else {
            return;
        };
        found.push(entry.finding(
            code::RE_ANCHOR_IN_ALTERNATIVE,
            &expression.node.place,
            format!("`{anchor}` belongs to one alternative, the others match anywhere"),
            "put the alternatives in brackets: `^(?:a|b)$`",
        ));
    });
}

/// The first or last part of an alternative.
fn edge<'a>(ast: &'a Ast, take: fn(&'a [Ast]) -> Option<&'a Ast>) -> Option<&'a Ast> {
    match ast {
        Ast::Concat(concat) => take(&concat.asts),
        single => Some(single),
    }
}

/// `(?i)` where Sigma has a modifier that every tool can translate.
fn inline_ignore_case(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace).filter(|entry| entry.has(Modifier::Re)) {
        let inline = |text: &str| text.starts_with("(?i)");
        let Some((first, _)) = entry.texts().find(|(_, text)| inline(text)) else {
            continue;
        };
        let one = entry.finding(
            code::RE_INLINE_IGNORE_CASE,
            &first.place_within(0..4),
            "`(?i)` is a flag that Sigma writes as a modifier",
            "write `re|i`, which other tools can translate, too",
        );
        let all = entry.texts().all(|(_, text)| inline(text)) && !entry.has(Modifier::Expand);
        let values = entry.texts().map(|(node, _)| entry.replace(node, 0..4, ""));
        let key = (!entry.has(IGNORE_CASE)).then(|| entry.replace_modifier(Modifier::Re, "re|i"));
        let edits: Option<Vec<_>> = key.into_iter().chain(values).collect();
        found.push(match edits.filter(|_| all) {
            Some(edits) => one.with_fix("write the modifier `i`", edits),
            None => one,
        });
    }
}

/// Whether a repetition has no upper bound.
fn is_unbounded(repetition: &ast::Repetition) -> bool {
    match &repetition.op.kind {
        RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => true,
        RepetitionKind::ZeroOrOne => false,
        RepetitionKind::Range(range) => matches!(range, RepetitionRange::AtLeast(_)),
    }
}

/// The part that a group holds, if it is the only one.
fn inside(ast: &Ast) -> &Ast {
    let mut ast = ast;
    while let Ast::Group(group) = ast {
        ast = &group.ast;
    }
    ast
}

/// `(a+)+`: linear here, and exponential where expressions are tried by backtracking.
fn nested_repetition(workspace: &Workspace<'_>, found: &mut Found) {
    struct Nested(Option<std::ops::Range<usize>>);
    impl ast::Visitor for Nested {
        type Output = Option<std::ops::Range<usize>>;
        type Err = std::convert::Infallible;

        fn finish(self) -> Result<Self::Output, Self::Err> {
            Ok(self.0)
        }

        fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
            if let Ast::Repetition(outer) = ast
                && is_unbounded(outer)
                && let Ast::Repetition(inner) = inside(&outer.ast)
                && is_unbounded(inner)
            {
                let span = ast.span();
                self.0 = Some(span.start.offset..span.end.offset);
            }
            Ok(())
        }
    }
    expressions(workspace, &mut |entry, expression| {
        let Ok(Some(range)) = ast::visit(&expression.ast, Nested(None)) else {
            return;
        };
        found.push(entry.finding(
            code::RE_NESTED_REPETITION,
            &expression.node.place_within(range),
            "a repetition of a repetition takes exponential time in engines that backtrack",
            "one repetition matches the same",
        ));
    });
}

/// What a file or host often ends in.
const ENDINGS: [&str; 20] = [
    "exe", "dll", "ps1", "bat", "cmd", "vbs", "hta", "sys", "com", "net", "org", "zip", "txt",
    "js", "msi", "jar", "php", "aspx", "scr", "lnk",
];

/// `cmd.exe` without a backslash: the dot matches any character.
fn dot_in_name(workspace: &Workspace<'_>, found: &mut Found) {
    expressions(workspace, &mut |entry, expression| {
        let literal = |part: Option<&Ast>| match part {
            Some(Ast::Literal(literal)) => Some(literal.c),
            _ => None,
        };
        let parts = expression.parts();
        for (at, part) in parts.iter().enumerate().skip(1) {
            let Ast::Dot(span) = part else { continue };
            if !literal(parts.get(at - 1)).is_some_and(char::is_alphanumeric) {
                continue;
            }
            let word: String = (at + 1..parts.len())
                .map_while(|next| literal(parts.get(next)).filter(|c| c.is_alphanumeric()))
                .collect();
            // What follows the word must not be able to make it longer.
            let after = parts.get(at + 1 + word.chars().count());
            let ends = after.is_none_or(|part| matches!(part, Ast::Literal(_) | Ast::Assertion(_)));
            if ends && ENDINGS.contains(&word.to_ascii_lowercase().as_str()) {
                found.push(
                    entry.finding(
                        code::RE_DOT_IN_NAME,
                        &expression
                            .node
                            .place_within(span.start.offset..span.end.offset),
                        format!("`.` before `{word}` matches any character"),
                        r"write `\.` for a dot",
                    ),
                );
            }
        }
    });
}

fn flag_without_effect(workspace: &Workspace<'_>, found: &mut Found) {
    for entry in entries(workspace) {
        let expressions = of_entry(&entry);
        if expressions.is_empty() || expressions.len() != entry.values.len() {
            continue;
        }
        for modifier in &entry.modifiers {
            let Modifier::Flag(flag) = *modifier else {
                continue;
            };
            let same = |one: &Expression<'_>| {
                let with = one.meaning(&entry, None);
                with.is_some() && with == one.meaning(&entry, Some(flag))
            };
            if expressions.iter().all(same) {
                let name = modifier.name();
                let one = entry.finding(
                    code::RE_FLAG_WITHOUT_EFFECT,
                    &entry.modifier_place(*modifier),
                    format!("`{name}` changes nothing about these expressions"),
                    "take it out",
                );
                found.push(match entry.replace_modifier(*modifier, "") {
                    Some(edit) => one.with_fix(format!("take `{name}` out"), vec![edit]),
                    None => one,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
