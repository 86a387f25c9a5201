//! The condition grammar: text to [`Expr`].
//!
//! Rules specification, section "Condition". From loose to tight:
//!
//! ```text
//! or       = and { "or" and }
//! and      = not { "and" not }
//! not      = { "not" } atom
//! atom     = "(" or ")" | quantity "of" ( "them" | pattern ) | name
//! quantity = "1" | "any" | "all" | number
//! ```
//!
//! Operators are lower case. A pattern holds `*` anywhere; `them` is `*`. Patterns leave out names
//! that begin with `_`, unless they begin with it themselves.

use std::collections::HashMap;
use std::ops::Range;

use super::Expr;
use crate::diagnostic::{Code, code, suggestion};

/// Longest condition, in bytes.
pub const CONDITION_BYTES_MAX: usize = 64 << 10;
/// Deepest nesting: of brackets and of `not`, both together.
pub const CONDITION_DEPTH_MAX: usize = 100;
/// Most searches that one condition names, each as often as it is named.
pub const CONDITION_LEAVES_MAX: usize = 50_000;
/// Most conditions in one list.
pub const CONDITIONS_MAX: usize = 1_000;
/// Most names that the patterns of one condition are held against, each as often as it is.
const PATTERN_TESTS_MAX: usize = 1_000_000;
/// Most unknown names that are reported of one condition, or of one list of them.
pub const UNKNOWN_MAX: usize = 16;
/// Help with an `of` that nothing follows.
const OF_HELP: &str = "write a pattern such as `1 of selection_*`, or `1 of them`";
/// Most known names that the help with an unknown one lists.
const LISTED_MAX: usize = 8;

/// What a condition may name: names, each with the place it stands for, in file order.
#[derive(Debug, Clone, Default)]
pub struct Names<'a> {
    /// In order, for patterns.
    listed: Vec<(&'a str, usize)>,
    /// For names.
    places: HashMap<&'a str, usize>,
}

/// Whether `1 of x*` and such are part of the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selectors {
    /// They are: the condition of a rule or filter.
    Allowed,
    /// They are not: the condition of a correlation.
    Refused,
}

/// Why a condition cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionProblem {
    /// Kind of problem.
    pub code: Code,
    /// Bytes of the condition that it is about.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl<'a> Names<'a> {
    /// Names that stand for their place in the list.
    pub fn numbered(names: impl IntoIterator<Item = &'a str>) -> Self {
        let listed: Vec<_> = names
            .into_iter()
            .enumerate()
            .map(|(at, name)| (name, at))
            .collect();
        Self::of(listed)
    }

    /// Names with the places they stand for; of a name given twice, the first counts.
    pub fn of(listed: Vec<(&'a str, usize)>) -> Self {
        let mut places = HashMap::with_capacity(listed.len());
        for (name, place) in &listed {
            places.entry(*name).or_insert(*place);
        }
        Self { listed, places }
    }
}

/// Reads a condition.
///
/// # Errors
/// Every unknown name up to the first syntax error, and that error: what follows it cannot be judged.
pub fn parse(
    text: &str,
    names: &Names<'_>,
    selectors: Selectors,
) -> Result<Expr, Vec<ConditionProblem>> {
    let mut unknown = Vec::new();
    match read(text, names, selectors, &mut unknown) {
        Ok(expr) if unknown.is_empty() => Ok(expr),
        Ok(_) => Err(unknown),
        Err(problem) => {
            unknown.push(problem);
            Err(unknown)
        }
    }
}

/// Bytes of the first `not` in a condition.
pub(crate) fn first_not(text: &str) -> Option<Range<usize>> {
    let mut tokens = tokens(text).ok()?.into_iter();
    tokens
        .find(|token| token.text == "not")
        .map(|token| token.span)
}

/// Reads a condition and gathers the names in it that are unknown; those stand for any search.
fn read(
    text: &str,
    names: &Names<'_>,
    selectors: Selectors,
    unknown: &mut Vec<ConditionProblem>,
) -> Result<Expr, ConditionProblem> {
    let problem = |code, span, message: String| ConditionProblem {
        code,
        span,
        message,
        help: None,
    };
    if text.len() > CONDITION_BYTES_MAX {
        let message = format!("condition is longer than the limit of {CONDITION_BYTES_MAX} bytes");
        return Err(problem(code::CONDITION_LIMIT, 0..0, message));
    }
    if let Some(at) = text.find('|') {
        return Err(ConditionProblem {
            help: Some("write a correlation rule instead".to_owned()),
            ..problem(
                code::DEPRECATED_AGGREGATION,
                at..text.trim_end().len().max(at + 1),
                "aggregation in a condition is no longer part of Sigma".to_owned(),
            )
        });
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        end: text.trim_end().len(),
        depth: 0,
        leaves: 0,
        tests: 0,
        names,
        selectors,
        unknown,
    };
    if parser.tokens.is_empty() {
        let message = "condition is empty".to_owned();
        return Err(ConditionProblem {
            help: Some("name a search, such as `selection`, or write `1 of them`".to_owned())
                .filter(|_| selectors == Selectors::Allowed),
            ..problem(code::CONDITION_SYNTAX, 0..text.len(), message)
        });
    }
    let expr = parser.or()?;
    match parser.peek() {
        None => Ok(expr),
        Some(token) => Err(parser.unexpected(token)),
    }
}

/// A word or bracket with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token<'t> {
    text: &'t str,
    span: Range<usize>,
}

/// Splits a condition into words and brackets.
fn tokens(text: &str) -> Result<Vec<Token<'_>>, ConditionProblem> {
    let in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '*' | '.');
    let mut out = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        let mut end = start + c.len_utf8();
        if c.is_whitespace() {
            continue;
        }
        if in_word(c) {
            while let Some((at, c)) = chars.next_if(|(_, c)| in_word(*c)) {
                end = at + c.len_utf8();
            }
        } else if !matches!(c, '(' | ')') {
            return Err(ConditionProblem {
                code: code::CONDITION_SYNTAX,
                span: start..end,
                message: format!("unexpected character `{c}` in condition"),
                help: Some(
                    "a condition joins search names by `and`, `or`, `not` and brackets".to_owned(),
                ),
            });
        }
        let token = text.get(start..end).unwrap_or_default();
        out.push(Token {
            text: token,
            span: start..end,
        });
    }
    Ok(out)
}

/// Recursive descent; only brackets recurse, and their depth is limited.
struct Parser<'t, 'n> {
    tokens: Vec<Token<'t>>,
    at: usize,
    /// Length of the condition without white space at its end.
    end: usize,
    depth: usize,
    leaves: usize,
    tests: usize,
    names: &'n Names<'n>,
    selectors: Selectors,
    /// Names that are unknown, in order.
    unknown: &'n mut Vec<ConditionProblem>,
}

impl<'t> Parser<'t, '_> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).cloned()
    }

    /// Takes the next token if it is this word.
    fn accept(&mut self, word: &str) -> bool {
        let found = self
            .tokens
            .get(self.at)
            .is_some_and(|token| token.text == word);
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Result<Expr, ConditionProblem> {
        let mut parts = vec![self.and()?];
        while self.accept("or") {
            parts.push(self.and()?);
        }
        Ok(joined(parts, Expr::Or))
    }

    fn and(&mut self) -> Result<Expr, ConditionProblem> {
        let mut parts = vec![self.not()?];
        while self.accept("and") {
            parts.push(self.not()?);
        }
        Ok(joined(parts, Expr::And))
    }

    fn not(&mut self) -> Result<Expr, ConditionProblem> {
        let outer = self.depth;
        let mut negated = false;
        while let Some(token) = self.peek().filter(|token| token.text == "not") {
            self.deeper(&token)?;
            self.at += 1;
            negated = !negated;
        }
        let atom = self.atom()?;
        self.depth = outer;
        Ok(if negated {
            Expr::Not(Box::new(atom))
        } else {
            atom
        })
    }

    fn atom(&mut self) -> Result<Expr, ConditionProblem> {
        let Some(token) = self.peek() else {
            let end = self.end..self.end;
            let (message, help) = match self.selectors {
                Selectors::Allowed => (
                    "condition ends where a search name is expected",
                    "name a search behind the last word, or take that word out",
                ),
                Selectors::Refused => (
                    "condition ends where a rule is expected",
                    "name a rule behind the last word, or take that word out",
                ),
            };
            return Err(syntax(end, message).with_help(help));
        };
        if token.text == "(" {
            return self.bracket(&token);
        }
        let of = self
            .tokens
            .get(self.at + 1)
            .is_some_and(|next| next.text == "of");
        if of && self.selectors == Selectors::Allowed {
            return self.selector(&token);
        }
        let reserved = matches!(token.text, "and" | "or" | "not" | "of" | ")");
        if reserved || token.text.contains('*') {
            return Err(self.unexpected(token));
        }
        self.at += 1;
        self.count(&token, 1)?;
        if let Some(place) = self.names.places.get(token.text) {
            return Ok(Expr::Search(*place));
        }
        if let Some(next) = self.peek().filter(|next| self.is_of_mistyped(next)) {
            return Err(self.unexpected(next));
        }
        self.note_unknown(&token);
        Ok(Expr::Search(usize::MAX))
    }

    /// Goes one level deeper, by a bracket or a `not`.
    fn deeper(&mut self, by: &Token<'_>) -> Result<(), ConditionProblem> {
        self.depth += 1;
        if self.depth > CONDITION_DEPTH_MAX {
            let message =
                format!("condition is nested deeper than the limit of {CONDITION_DEPTH_MAX}");
            return Err(ConditionProblem {
                code: code::CONDITION_LIMIT,
                ..syntax(by.span.clone(), message)
            });
        }
        Ok(())
    }

    fn bracket(&mut self, open: &Token<'_>) -> Result<Expr, ConditionProblem> {
        self.deeper(open)?;
        self.at += 1;
        let inner = self.or()?;
        if !self.accept(")") {
            return Err(match self.peek() {
                Some(token) => self.unexpected(token),
                None => syntax(open.span.clone(), "bracket is never closed")
                    .with_help("write `)` where the bracket ends"),
            });
        }
        self.depth -= 1;
        Ok(inner)
    }

    /// `quantity of pattern`.
    fn selector(&mut self, quantity: &Token<'_>) -> Result<Expr, ConditionProblem> {
        let least = match quantity.text {
            "all" => None,
            "any" => Some(1),
            number => match number.parse::<usize>() {
                Ok(least) if least > 0 => Some(least),
                _ => {
                    return Err(ConditionProblem {
                        help: Some("write `1 of`, `any of`, `all of` or another count".to_owned()),
                        ..syntax(
                            quantity.span.clone(),
                            format!("`{}` is no quantity", quantity.text),
                        )
                    });
                }
            },
        };
        let Some(pattern) = self.tokens.get(self.at + 2).cloned() else {
            let end = self.end..self.end;
            return Err(syntax(end, "`of` needs a pattern or `them`").with_help(OF_HELP));
        };
        if matches!(pattern.text, "(" | ")") {
            return Err(syntax(pattern.span, "`of` needs a pattern or `them`").with_help(OF_HELP));
        }
        self.at += 3;
        let found = self.matching(&pattern)?;
        self.count(&pattern, found.len())?;
        let mut found: Vec<Expr> = found.into_iter().map(Expr::Search).collect();
        if found.is_empty() {
            self.note_unknown(&pattern);
            return Ok(Expr::Search(usize::MAX));
        }
        Ok(match least {
            Some(1) => joined(found, Expr::Or),
            None => joined(found, Expr::And),
            Some(least) => Expr::AtLeast(least, std::mem::take(&mut found)),
        })
    }

    /// Places of the names that a pattern selects.
    fn matching(&mut self, pattern: &Token<'_>) -> Result<Vec<usize>, ConditionProblem> {
        self.tests += self.names.listed.len();
        if self.tests > PATTERN_TESTS_MAX {
            return Err(too_many(pattern));
        }
        let text = if pattern.text == "them" {
            "*"
        } else {
            pattern.text
        };
        let private = text.starts_with('_');
        let selected = |name: &str| (private || !name.starts_with('_')) && glob(text, name);
        let listed = self.names.listed.iter();
        Ok(listed
            .filter(|(name, _)| selected(name))
            .map(|(_, place)| *place)
            .collect())
    }

    /// Counts searches against the limit.
    fn count(&mut self, token: &Token<'_>, leaves: usize) -> Result<(), ConditionProblem> {
        self.leaves += leaves;
        if self.leaves > CONDITION_LEAVES_MAX {
            return Err(too_many(token));
        }
        Ok(())
    }

    /// A token that cannot stand where it does.
    fn unexpected(&self, token: Token<'_>) -> ConditionProblem {
        let lower = token.text.to_lowercase();
        let help = if matches!(lower.as_str(), "and" | "or" | "not" | "of") && lower != token.text {
            Some(format!("operators are lower case: `{lower}`"))
        } else if token.text == "andnot" || token.text == "ornot" {
            Some(format!(
                "write `{} not`",
                token.text.trim_end_matches("not")
            ))
        } else if self.is_of_mistyped(&token) {
            Some("did you mean `of`?".to_owned())
        } else if self.selectors == Selectors::Refused
            && (token.text.contains('*') || token.text == "of")
        {
            Some("name each rule by itself, as in `a and b` or `a or b`".to_owned())
        } else if token.text.contains('*') {
            Some(format!("write `1 of {0}` or `all of {0}`", token.text))
        } else if token.text == ")" {
            Some("take the bracket out, or write `(` where it begins".to_owned())
        } else if matches!(token.text, "and" | "or" | "of") || self.at == 0 {
            Some("operators stand between names: `a and b`, `a or not b`, `1 of a*`".to_owned())
        } else {
            Some(format!("write `and {0}` or `or {0}`", token.text))
        };
        let alone = matches!(token.text, ")" | "and" | "or" | "of");
        let message = if self.at == 0 || alone || self.is_of_mistyped(&token) {
            format!("unexpected `{}` in condition", token.text)
        } else {
            format!(
                "unexpected `{}` in condition, an operator is missing before it",
                token.text
            )
        };
        ConditionProblem {
            help,
            ..syntax(token.span, message)
        }
    }

    /// Whether a word stands between a quantity and a pattern, where only `of` can.
    fn is_of_mistyped(&self, token: &Token<'_>) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let after = self.tokens.get(self.at + 1);
        let quantity = |text: &str| {
            matches!(text, "all" | "any") || text.bytes().all(|byte| byte.is_ascii_digit())
        };
        self.selectors == Selectors::Allowed
            && !matches!(token.text, "and" | "or" | "not" | "(" | ")")
            && before.is_some_and(|before| quantity(before.text))
            && after.is_some_and(|after| after.text == "them" || after.text.contains('*'))
    }

    /// Takes note of a name or pattern that selects nothing.
    fn note_unknown(&mut self, token: &Token<'_>) {
        if self.unknown.len() < UNKNOWN_MAX {
            let problem = self.unknown(token);
            self.unknown.push(problem);
        }
    }

    /// A name or pattern that selects nothing.
    fn unknown(&self, token: &Token<'_>) -> ConditionProblem {
        let known = || self.names.listed.iter().map(|(name, _)| *name);
        let lower = token.text.to_lowercase();
        let message = if self.selectors == Selectors::Refused {
            format!("the correlation refers to no rule `{}`", token.text)
        } else if token.text.contains('*') || token.text == "them" {
            format!("no search matches `{}`", token.text)
        } else {
            format!("search `{}` does not exist", token.text)
        };
        let help = if matches!(lower.as_str(), "and" | "or" | "not") {
            Some(format!("operators are lower case: `{lower}`"))
        } else if token.text == "them" && self.selectors == Selectors::Allowed {
            Some("write `1 of them` or `all of them`".to_owned())
        } else if token.text == "andnot" || token.text == "ornot" {
            Some(format!(
                "write `{} not`",
                token.text.trim_end_matches("not")
            ))
        } else if let Some(stem) = token.text.strip_suffix('*') {
            // A pattern stays one: of the names, as much counts as the pattern has.
            let starts: Vec<String> = known()
                .map(|name| name.chars().take(stem.chars().count()).collect())
                .collect();
            suggestion(stem, starts.iter().map(String::as_str))
                .map(|help| help.replace("`?", "*`?"))
        } else {
            suggestion(token.text, known())
        };
        ConditionProblem {
            code: code::UNKNOWN_IDENTIFIER,
            help: help.or_else(|| self.listed()),
            ..syntax(token.span.clone(), message)
        }
    }

    /// Help that lists what can be named.
    fn listed(&self) -> Option<String> {
        let (what, pattern) = match self.selectors {
            Selectors::Allowed => ("searches", "; patterns leave out names that begin with `_`"),
            Selectors::Refused => ("rules", ""),
        };
        let listed = &self.names.listed;
        let private = listed.iter().any(|(name, _)| name.starts_with('_'));
        let names: Vec<&str> = listed.iter().map(|(name, _)| *name).collect();
        let first = names.get(..LISTED_MAX.min(names.len()))?;
        if first.is_empty() {
            return None;
        }
        let more = names.len() - first.len();
        Some(format!(
            "{what} here: `{}`{}{}",
            first.join("`, `"),
            if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            },
            if private { pattern } else { "" }
        ))
    }
}

impl ConditionProblem {
    /// This problem with advice.
    fn with_help(mut self, help: &str) -> Self {
        self.help = Some(help.to_owned());
        self
    }
}

impl Expr {
    /// Both expressions. One that joins several already takes the other in, so that a rule with
    /// thousands of filters is as deep as a rule with one.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        let mut parts = match self {
            Self::And(parts) => parts,
            single => vec![single],
        };
        parts.push(other);
        Self::And(parts)
    }

    /// How many searches the expression names, each as often as it is named.
    pub fn leaves(&self) -> usize {
        match self {
            Self::Search(_) => 1,
            Self::Not(inner) => inner.leaves(),
            Self::And(parts) | Self::Or(parts) | Self::AtLeast(_, parts) => {
                parts.iter().map(Self::leaves).sum()
            }
        }
    }

    /// Whether something in the expression is negated.
    pub fn negates(&self) -> bool {
        match self {
            Self::Search(_) => false,
            Self::Not(_) => true,
            Self::And(parts) | Self::Or(parts) | Self::AtLeast(_, parts) => {
                parts.iter().any(Self::negates)
            }
        }
    }
}

/// A syntax error without help.
fn syntax(span: Range<usize>, message: impl Into<String>) -> ConditionProblem {
    ConditionProblem {
        code: code::CONDITION_SYNTAX,
        span,
        message: message.into(),
        help: None,
    }
}

/// More searches than a condition may name.
fn too_many(token: &Token<'_>) -> ConditionProblem {
    let message = format!("condition names more searches than the limit of {CONDITION_LEAVES_MAX}");
    ConditionProblem {
        code: code::CONDITION_LIMIT,
        ..syntax(token.span.clone(), message)
    }
}

/// The parts joined; a single part stands for itself.
fn joined(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.len() {
        1 => parts.swap_remove(0),
        _ => join(parts),
    }
}

/// Whether a pattern with `*` matches the whole name.
pub(crate) fn glob(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(head) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let tail = pieces.pop().unwrap_or_default();
    for piece in pieces {
        // The leftmost place leaves most for what follows.
        match name.split_once(piece) {
            Some((_, after)) => name = after,
            None => return false,
        }
    }
    name.ends_with(tail)
}

#[cfg(test)]
mod tests;
