//! From modifiers and values as written to patterns.

use std::cell::Cell;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::super::modifier::{Chain, Kind, Modifier, RegexFlag};
use super::super::text::{self, Part, Segment, SigmaText};
use super::{
    Case, Item, Link, Meaning, Number, PATTERN_BYTES_MAX, Pattern, Problem,
    REGEX_COMPILED_BYTES_MAX, REGEX_SET_BYTES_MAX, RawValue, Subject, Target, VALUE_BYTES_MAX,
    WINDASH_MAX, encode,
    expressions::{Expressions, NotBuilt},
};
use crate::diagnostic::code;
use crate::list;

/// The dashes that `windash` takes for each other.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// What a pattern takes besides its text.
const PATTERN_BYTES: usize = 64;

/// What the item means or everything that is wrong with it; `bytes` counts roughly what its patterns take.
pub(super) fn meaning(
    item: &Item,
    bytes: &Cell<usize>,
    expressions: &Expressions,
) -> Result<Meaning, Vec<Problem>> {
    let chain = Chain::of(&item.modifiers).map_err(|misfit| {
        let subject = Subject::Modifier(misfit.at);
        let problem = Problem::new(code::MODIFIER_COMBINATION, subject, misfit.message);
        vec![if item.modifiers.contains(&Modifier::InList) {
            problem.with_help(
                "`in_list` goes with `cased` only; negate it in the condition with `not`",
            )
        } else {
            problem.with_help("take the modifier out, or write two entries, each with its own")
        }]
    })?;
    fits_target(item, &chain)?;
    let mut problems = Vec::new();
    let mut patterns = Vec::with_capacity(item.values.len());
    for (at, value) in item.values.iter().enumerate() {
        let compiler = Compiler {
            chain: &chain,
            keyword: item.target == Target::Keywords,
            at,
            bytes,
            expressions,
        };
        match compiler.patterns(value) {
            Ok(mut alternatives) if chain.link == Link::All && alternatives.len() > 1 => {
                patterns.push(Pattern::AnyOf(std::mem::take(&mut alternatives)));
            }
            Ok(alternatives) => patterns.extend(alternatives),
            Err(problem) => {
                let over = problem.code == code::TOO_MANY_VALUES;
                problems.push(problem);
                if over {
                    break;
                }
            }
        }
    }
    if problems.is_empty() {
        Ok(Meaning {
            link: chain.link,
            negated: chain.negated,
            patterns,
        })
    } else {
        Err(problems)
    }
}

/// Checks what concerns the entry as a whole: its target and the number of values.
fn fits_target(item: &Item, chain: &Chain) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut report = |code, message: String, help: &str| {
        problems.push(Problem::new(code, Subject::Entry, message).with_help(help));
    };
    if item.values.is_empty() {
        let help = "name a value, or take the entry out; absence is `exists: false`";
        report(
            code::EMPTY_SEARCH,
            "list of values is empty".to_owned(),
            help,
        );
    }
    let needs_field = match chain.kind {
        Kind::Text | Kind::Regex | Kind::Cidr => None,
        Kind::FieldRef => Some("fieldref"),
        Kind::Exists => Some("exists"),
        Kind::InList => Some("in_list"),
        Kind::Compare(_) => Some("a numeric comparison"),
        Kind::Time(_) => Some("a part of a date"),
    };
    if let Some(what) = needs_field
        && item.target == Target::Keywords
    {
        report(
            code::MODIFIER_COMBINATION,
            format!("{what} needs a field name"),
            "write the field before the first `|`",
        );
    }
    if chain.kind == Kind::Exists && item.values.len() > 1 {
        report(
            code::MODIFIER_COMBINATION,
            "`exists` takes a single value".to_owned(),
            "write `true` or `false`",
        );
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// Compiles the values of one item.
struct Compiler<'a> {
    chain: &'a Chain,
    keyword: bool,
    /// Place of the value in the item's list.
    at: usize,
    /// Roughly the bytes of all patterns of the item so far.
    bytes: &'a Cell<usize>,
    /// What expressions of the set may still take.
    expressions: &'a Expressions,
}

impl Compiler<'_> {
    /// The patterns of one value, of which one suffices.
    fn patterns(&self, value: &RawValue) -> Result<Vec<Pattern>, Problem> {
        self.within_limit(value)?;
        match self.chain.kind {
            Kind::Text => self.text(value),
            Kind::Regex => self
                .texts(self.need_text(value, "`re` needs text")?)?
                .iter()
                .map(|pattern| self.regex(pattern))
                .collect(),
            Kind::Cidr => match value {
                RawValue::Text(raw) => self.texts(raw)?.iter().map(|r| self.cidr(r)).collect(),
                _ => Err(self.problem_cidr("address range must be text")),
            },
            Kind::FieldRef => self.field_ref(value).map(|pattern| vec![pattern]),
            Kind::Exists => match value {
                RawValue::Bool(present) => Ok(vec![Pattern::Exists(*present)]),
                _ => Err(self.bad_value("`exists` needs `true` or `false`").with_help("`true` asks for the field, `false` for its absence")),
            },
            Kind::InList => self.in_list(value).map(|pattern| vec![pattern]),
            Kind::Compare(comparison) => match value {
                RawValue::Number(number) if !is_nan(*number) => {
                    Ok(vec![Pattern::Compare(comparison, *number)])
                }
                _ => Err(self.bad_value("a numeric comparison needs a number").with_help("write a number without quotes, such as `10`")),
            },
            Kind::Time(part) => match value {
                RawValue::Number(number) => integral(*number)
                    .map(|number| vec![Pattern::TimePart(part, number)])
                    .ok_or_else(|| self.bad_value("a part of a date needs a whole number").with_help("write a whole number, such as `22` for the hour from ten in the evening")),
                _ => Err(self.bad_value("a part of a date needs a number").with_help("write a whole number without quotes, such as `22`")),
            },
        }
    }

    /// Checks the length of a value that is text, before anything is made of it.
    fn within_limit(&self, value: &RawValue) -> Result<(), Problem> {
        let RawValue::Text(text) = value else {
            return Ok(());
        };
        if text.len() <= VALUE_BYTES_MAX {
            return Ok(());
        }
        let (code, what) = match self.chain.kind {
            Kind::Regex => (code::REGEX_TOO_COMPLEX, "regular expression"),
            _ => (code::VALUE_TOO_LONG, "value"),
        };
        let message = format!(
            "{what} of {} bytes is longer than the limit of {VALUE_BYTES_MAX}",
            text.len()
        );
        Err(self
            .problem(code, message)
            .with_help("name a part of it that tells it apart, or split it into several searches"))
    }

    /// A list, once it was found.
    fn in_list(&self, value: &RawValue) -> Result<Pattern, Problem> {
        let help = "a list is named by its file without folder and ending, such as `tor_exits` for \
                    `lists/tor_exits.txt`, or `assets.owner` for a column of `lists/assets.csv`";
        let RawValue::List(found) = value else {
            return Err(self
                .bad_value("`in_list` needs the name of a list")
                .with_help(help));
        };
        if list::parts(&found.name).is_none() {
            return Err(self.bad_value("value is no name of a list").with_help(help));
        }
        let Some(list) = &found.list else {
            let message = format!("there is no list `{}`", found.name);
            return Err(self.problem(code::UNKNOWN_LIST, message).with_help(help));
        };
        Ok(Pattern::InList(Arc::clone(list), self.chain.case))
    }

    /// Counts the bytes of a pattern against the limit of the item.
    fn spend(&self, bytes: usize) -> Result<(), Problem> {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        if self.bytes.get() > PATTERN_BYTES_MAX {
            let message = format!(
                "patterns of this entry take more than the limit of {PATTERN_BYTES_MAX} bytes"
            );
            return Err(self.problem(code::TOO_MANY_VALUES, message));
        }
        Ok(())
    }

    /// A problem of this value.
    fn problem(&self, code: crate::diagnostic::Code, message: impl Into<String>) -> Problem {
        Problem::new(code, Subject::Value(self.at), message)
    }

    /// A value that the modifier cannot take.
    fn bad_value(&self, message: &str) -> Problem {
        self.problem(code::MODIFIER_VALUE, message)
    }

    /// An address range that is none.
    fn problem_cidr(&self, message: impl Into<String>) -> Problem {
        self.problem(code::INVALID_CIDR, message)
            .with_help("write an address or a range such as `10.0.0.0/8` or `2001:db8::/32`")
    }

    /// The text of a value that must be text.
    fn need_text<'v>(&self, value: &'v RawValue, message: &str) -> Result<&'v str, Problem> {
        match value {
            RawValue::Text(text) => Ok(text),
            _ => Err(self.bad_value(message).with_help("put the value in quotes")),
        }
    }

    /// The value with `\%` resolved under `expand`; a placeholder that is still there is a problem.
    fn texts(&self, raw: &str) -> Result<Vec<String>, Problem> {
        if !self.chain.expand {
            return Ok(vec![raw.to_owned()]);
        }
        let mut text = String::with_capacity(raw.len());
        for segment in text::segments(raw) {
            match segment {
                Segment::Raw(part) => text.push_str(&part),
                Segment::Placeholder(name) => {
                    let message = text::unresolved(&name);
                    return Err(self.problem(code::UNRESOLVED_PLACEHOLDER, message));
                }
            }
        }
        Ok(vec![text])
    }

    /// A plain value: text with wildcards, a number, a boolean or null.
    fn text(&self, value: &RawValue) -> Result<Vec<Pattern>, Problem> {
        let chain = self.chain;
        let plain = chain.anchor == super::Anchor::Whole
            && !(chain.case == Case::Exact || chain.windash || chain.expand)
            && chain.encodings.is_empty();
        let raw = match value {
            RawValue::Null if self.keyword => {
                return Err(self.problem(code::NULL_KEYWORD, "null cannot be a keyword"));
            }
            RawValue::Null if plain => return Ok(vec![Pattern::Null]),
            RawValue::Null => {
                return Err(self
                    .bad_value("null does not go with this modifier")
                    .with_help("write the field without modifier to ask for null"));
            }
            RawValue::Number(number) if plain && !self.keyword => {
                return Ok(vec![Pattern::Equal(*number)]);
            }
            RawValue::Text(text) => text.clone(),
            _ if !chain.encodings.is_empty() => {
                return Err(self
                    .bad_value("only text can be encoded")
                    .with_help("put the value in quotes"));
            }
            _ if chain.windash => {
                return Err(self
                    .bad_value("`windash` needs text")
                    .with_help("put the value in quotes"));
            }
            RawValue::Number(number) => number.text(),
            RawValue::Bool(value) => value.to_string(),
            RawValue::Paths(_) => {
                return Err(self
                    .bad_value("field names need `fieldref`")
                    .with_help("write `fieldref` after the field"));
            }
            RawValue::List(_) => {
                return Err(self
                    .bad_value("a list needs `in_list`")
                    .with_help("write `in_list` after the field"));
            }
        };
        let mut patterns = Vec::new();
        for expanded in self.texts(&raw)? {
            for text in self.dashes(expanded)? {
                for text in self.encoded(SigmaText::parse(&text))? {
                    self.spend(PATTERN_BYTES + expanded_bytes(&text))?;
                    patterns.push(self.pattern(text));
                }
            }
        }
        Ok(patterns)
    }

    /// The pattern of a finished text.
    fn pattern(&self, text: SigmaText) -> Pattern {
        let anchor = match self.chain.anchor {
            super::Anchor::Whole if self.keyword => super::Anchor::Anywhere,
            anchor => anchor,
        };
        Pattern::Text {
            text,
            anchor,
            case: self.chain.case,
        }
    }

    /// All spellings of the flags in a value under `windash`.
    fn dashes(&self, text: String) -> Result<Vec<String>, Problem> {
        if !self.chain.windash {
            return Ok(vec![text]);
        }
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let chars: Vec<char> = text.chars().collect();
        let begins_flag = |at: usize| {
            chars.get(at).is_some_and(|c| DASHES.contains(c))
                && chars.get(at + 1).is_some_and(|next| word(*next))
                && !at.checked_sub(1).is_some_and(|before| word(chars[before]))
        };
        let flags = (0..chars.len()).filter(|at| begins_flag(*at)).count();
        if flags > WINDASH_MAX {
            let message =
                format!("value has more flags than the limit of {WINDASH_MAX} for `windash`");
            return Err(self.problem(code::TOO_MANY_VALUES, message));
        }
        let spellings = (0..flags).fold(1, |product, _| product * DASHES.len());
        self.spend(spellings.saturating_mul(text.len()))?;
        let mut texts = vec![String::with_capacity(text.len())];
        for (at, c) in chars.iter().enumerate() {
            if begins_flag(at) {
                texts = texts
                    .iter()
                    .flat_map(|text| DASHES.iter().map(move |dash| format!("{text}{dash}")))
                    .collect();
            } else {
                for text in &mut texts {
                    text.push(*c);
                }
            }
        }
        Ok(texts)
    }

    /// The value after the encodings of the chain.
    fn encoded(&self, text: SigmaText) -> Result<Vec<SigmaText>, Problem> {
        let encodings = &self.chain.encodings;
        if encodings.is_empty() {
            return Ok(vec![text]);
        }
        let literal = text.as_literal().ok_or_else(|| {
            self.bad_value("a value with wildcards cannot be encoded")
                .with_help("escape a literal `*` or `?` with a backslash")
        })?;
        encode::encode(literal, encodings)
            .map(|texts| texts.into_iter().map(SigmaText::literal).collect())
            .ok_or_else(|| {
                let least = encode::OFFSET_BYTES_MIN;
                self.bad_value(&format!("`base64offset` needs at least {least} bytes"))
                    .with_help(
                        "look for a longer part of the text: a shorter one is in every value",
                    )
            })
    }

    /// A regular expression, checked and compiled.
    fn regex(&self, pattern: &str) -> Result<Pattern, Problem> {
        match self.expressions.build(|size| self.build(pattern, size)) {
            Ok((regex, taken)) => {
                self.spend(taken)?;
                Ok(Pattern::Regex(regex))
            }
            Err(NotBuilt::SetIsFull) => {
                let message = format!(
                    "regular expressions of this rule set take more than the limit of \
                     {REGEX_SET_BYTES_MAX} bytes"
                );
                Err(self
                    .problem(code::TOO_MANY_VALUES, message)
                    .with_help("make counted repetitions smaller, here or in the rules before"))
            }
            Err(NotBuilt::Wrong(error)) => {
                if matches!(error, regex::Error::CompiledTooBig(_)) {
                    self.spend(REGEX_COMPILED_BYTES_MAX)?;
                }
                Err(self.regex_problem(&error, pattern))
            }
        }
    }

    /// Compiles an expression within a size.
    fn build(&self, pattern: &str, size: usize) -> Result<Regex, regex::Error> {
        let flag = |flag| self.chain.flags.contains(&flag);
        RegexBuilder::new(pattern)
            .case_insensitive(flag(RegexFlag::IgnoreCase))
            .multi_line(flag(RegexFlag::MultiLine))
            .dot_matches_new_line(flag(RegexFlag::DotAll))
            .size_limit(size)
            .build()
    }

    /// The part of an expression that is wrong.
    fn wrong_part(&self, pattern: &str) -> Subject {
        // With `expand` the expression is not what stands in the file.
        if self.chain.expand {
            return Subject::Value(self.at);
        }
        let span = match regex_syntax::parse(pattern) {
            Err(regex_syntax::Error::Parse(error)) => *error.span(),
            Err(regex_syntax::Error::Translate(error)) => *error.span(),
            _ => return Subject::Value(self.at),
        };
        let (from, to) = (span.start.offset, span.end.offset);
        // At the end of the expression there is nothing to mark but its last character.
        if from < to {
            return Subject::Part(self.at, from, to);
        }
        let after = pattern.get(from..).and_then(|rest| rest.chars().next());
        match (after, pattern.char_indices().next_back()) {
            (Some(next), _) => Subject::Part(self.at, from, from + next.len_utf8()),
            (None, Some((last, _))) => Subject::Part(self.at, last, pattern.len()),
            (None, None) => Subject::Value(self.at),
        }
    }

    /// Why an expression does not compile.
    fn regex_problem(&self, error: &regex::Error, pattern: &str) -> Problem {
        match error {
            regex::Error::CompiledTooBig(limit) => {
                let message =
                    format!("regular expression compiles to more than the limit of {limit} bytes");
                self.problem(code::REGEX_TOO_COMPLEX, message)
                    .with_help("make counted repetitions smaller")
            }
            regex::Error::Syntax(text) if text.contains("nest") && text.contains("exceed") => self
                .problem(
                    code::REGEX_TOO_COMPLEX,
                    "regular expression is nested too deeply",
                )
                .with_help("take groups away that only enclose others"),
            other => {
                // The last line of the library's text says what is wrong; the others quote.
                let text = other.to_string();
                let reason = text.lines().last().unwrap_or_default();
                let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                let message = format!("regular expression is invalid: {reason}");
                let linear = reason.contains("look-around") || reason.contains("backreference");
                let help = if linear {
                    "matching must be linear in the input: split it into several searches joined \
                     by the condition"
                } else {
                    "a character that is meant as itself is written with a backslash, such as \
                     `\\(`; plain text needs no expression but `contains`"
                };
                let subject = self.wrong_part(pattern);
                Problem::new(code::INVALID_REGEX, subject, message).with_help(help)
            }
        }
    }

    /// An address range without host bits.
    fn cidr(&self, raw: &str) -> Result<Pattern, Problem> {
        let net = match raw.parse::<std::net::IpAddr>() {
            Ok(address) => ipnet::IpNet::from(address),
            Err(_) => raw
                .parse::<ipnet::IpNet>()
                .map_err(|_| self.problem_cidr("value is no address range"))?,
        };
        if net.addr() != net.network() {
            let message = "address has bits set outside the prefix";
            return Err(self
                .problem(code::INVALID_CIDR, message)
                .with_help(format!("did you mean `{}`?", net.trunc())));
        }
        Ok(Pattern::Cidr(net))
    }

    /// The other field of a `fieldref`.
    fn field_ref(&self, value: &RawValue) -> Result<Pattern, Problem> {
        if let RawValue::Paths(fields) = value {
            return Ok(self.reference(fields.clone()));
        }
        let raw = self.need_text(value, "`fieldref` needs a field name")?;
        let text = SigmaText::parse(raw);
        let name = text.as_literal().ok_or_else(|| {
            self.bad_value("a field name cannot contain wildcards")
                .with_help("name one field, or escape a literal `*` or `?` with a backslash")
        })?;
        if name.is_empty() {
            return Err(self
                .bad_value("`fieldref` needs a field name")
                .with_help("write the name of another field of the same event"));
        }
        Ok(self.reference(vec![name.to_owned()]))
    }

    fn reference(&self, fields: Vec<String>) -> Pattern {
        Pattern::FieldRef {
            fields,
            anchor: self.chain.anchor,
            case: self.chain.case,
        }
    }
}

/// Bytes of a text's literals.
fn expanded_bytes(text: &SigmaText) -> usize {
    let literal = |part: &Part| match part {
        Part::Literal(text) => text.len(),
        Part::AnyRun | Part::AnyOne => 0,
    };
    text.parts.iter().map(literal).sum()
}

/// Whether the number compares with nothing.
fn is_nan(number: Number) -> bool {
    matches!(number, Number::Float(value) if value.is_nan())
}

/// The number, if it is a whole one.
fn integral(number: Number) -> Option<i64> {
    match number {
        Number::Int(value) => i64::try_from(value).ok(),
        // Parts of dates are small; text is the exact way from a float to an integer.
        Number::Float(value) if value.fract() == 0.0 && value.abs() < 1e9 => {
            format!("{value:.0}").parse().ok()
        }
        Number::Float(_) => None,
    }
}
