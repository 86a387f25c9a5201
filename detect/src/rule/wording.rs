//! What an alert says in the words of its events: title, level and another product's id.
//!
//! ```text
//! Spray from {IPAddress}      {Name} is a field; `{{` and `}}` are braces
//! ```
//!
//! Nothing of this is a rule's meaning: it changes no version and no alert id.

use std::ops::Range;

use super::Level;
use crate::hidden::is_hidden;

/// Longest template of a title, in characters; as long as Sigma's titles may be.
pub const TEMPLATE_CHARS_MAX: usize = 256;
/// Most fields that a template names.
pub const TEMPLATE_FIELDS_MAX: usize = 16;
/// Longest value in a title, in characters; a longer one is cut and ends in `…`.
pub const TITLE_VALUE_CHARS_MAX: usize = 100;
/// Longest title of an alert, in characters; a longer one is cut and ends in `…`.
pub const TITLE_CHARS_MAX: usize = 256;
/// Longest id of another product's alert, in bytes; a longer one is cut.
pub const EXTERNAL_ID_BYTES_MAX: usize = 512;

/// What stands in a title for a field that the event lacks.
const ABSENT: &str = "?";
/// What marks a text that was cut.
const CUT: char = '…';

/// A title with fields in it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Template {
    parts: Vec<Part>,
    fields: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Part {
    Text(String),
    /// A field by its place in `fields`.
    Field(usize),
}

/// What is wrong with a template, and which bytes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateProblem {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
}

/// What an alert says of its own, and where it takes that from: `F` is where a field's value comes
/// from, such as its paths in an event or its place in a group.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Wording<F> {
    /// The title, and where its fields come from, in the order of [`Template::fields`].
    pub title: Option<(Template, Vec<F>)>,
    /// Whose value is the alert's level.
    pub level_from: Option<F>,
    /// Whose value is the id of another product's alert.
    pub external_id: Option<F>,
}

/// A wording that says nothing.
impl<F> Default for Wording<F> {
    fn default() -> Self {
        Self {
            title: None,
            level_from: None,
            external_id: None,
        }
    }
}

/// What a wording became for one event or group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// The title; `None`: the rule's own.
    pub title: Option<String>,
    /// The level; `None`: the rule's own.
    pub level: Option<Level>,
    /// Id of another product's alert.
    pub external_id: Option<String>,
}

impl Template {
    /// Reads a template.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateProblem> {
        let problem = |span: Range<usize>, message: &str| TemplateProblem {
            span,
            message: message.to_owned(),
        };
        if text.chars().count() > TEMPLATE_CHARS_MAX {
            let message = format!("title is longer than the limit of {TEMPLATE_CHARS_MAX}");
            return Err(problem(0..text.len(), &message));
        }
        let mut template = Self {
            parts: Vec::new(),
            fields: Vec::new(),
        };
        let mut literal = String::new();
        let mut chars = text.char_indices().peekable();
        while let Some((at, letter)) = chars.next() {
            let doubled = chars.next_if(|(_, next)| *next == letter && matches!(next, '{' | '}'));
            match letter {
                '{' if doubled.is_none() => {
                    let inner = text.get(at + 1..).unwrap_or_default();
                    let length = inner
                        .find(['{', '}'])
                        .filter(|end| inner.as_bytes()[*end] == b'}');
                    let Some(length) = length else {
                        let message = "`{` has no `}`; a brace itself is written `{{`";
                        return Err(problem(at..text.len(), message));
                    };
                    let name = inner.get(..length).unwrap_or_default();
                    if name.trim().is_empty() {
                        return Err(problem(at..at + length + 2, "field name is empty"));
                    }
                    if let Some(bar) = name.find('|') {
                        let start = at + 1 + bar;
                        let message = "a template takes names of fields, without modifiers";
                        return Err(problem(start..at + 1 + length, message));
                    }
                    template.push_literal(&mut literal);
                    template.push_field(name);
                    while chars
                        .next_if(|(next, _)| *next <= at + length + 1)
                        .is_some()
                    {}
                }
                '}' if doubled.is_none() => {
                    let message = "`}` has no `{`; a brace itself is written `}}`";
                    return Err(problem(at..at + 1, message));
                }
                other => literal.push(other),
            }
            if template.fields.len() > TEMPLATE_FIELDS_MAX {
                let message = format!("title names more than the limit of {TEMPLATE_FIELDS_MAX}");
                return Err(problem(at..text.len(), &message));
            }
        }
        template.push_literal(&mut literal);
        Ok(template)
    }

    fn push_literal(&mut self, literal: &mut String) {
        if !literal.is_empty() {
            self.parts.push(Part::Text(std::mem::take(literal)));
        }
    }

    fn push_field(&mut self, name: &str) {
        let known = self.fields.iter().position(|field| field == name);
        let place = known.unwrap_or_else(|| {
            self.fields.push(name.to_owned());
            self.fields.len() - 1
        });
        self.parts.push(Part::Field(place));
    }

    /// The fields it names, each once.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// The title with these values of [`Template::fields`].
    fn render(&self, values: &[Option<String>]) -> String {
        let mut title = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => title.push_str(text),
                Part::Field(place) => match values.get(*place) {
                    Some(Some(value)) => title.push_str(&cut(value, TITLE_VALUE_CHARS_MAX)),
                    _ => title.push_str(ABSENT),
                },
            }
        }
        cut(&title, TITLE_CHARS_MAX)
    }
}

impl<F> Wording<F> {
    /// What it says of values.
    pub fn words(&self, mut value: impl FnMut(&F) -> Option<String>) -> Words {
        let title = self.title.as_ref().map(|(template, fields)| {
            let values: Vec<Option<String>> = fields.iter().map(&mut value).collect();
            template.render(&values)
        });
        let level = self.level_from.as_ref().and_then(&mut value);
        let external_id = self.external_id.as_ref().and_then(&mut value);
        Words {
            title: title.filter(|title| !title.trim().is_empty()),
            level: level.and_then(|word| level_of(&word)),
            external_id: external_id
                .map(|id| {
                    let end = id.floor_char_boundary(EXTERNAL_ID_BYTES_MAX);
                    clean(id.get(..end).unwrap_or_default())
                })
                .filter(|id| !id.is_empty()),
        }
    }
}

/// The level in the words of Sigma and of Microsoft's products, whatever their case.
fn level_of(word: &str) -> Option<Level> {
    let word = word.trim();
    Level::ALL
        .into_iter()
        .find(|level| level.name().eq_ignore_ascii_case(word))
}

/// The text without what would break or turn a line.
fn clean(text: &str) -> String {
    let seen = |letter| match letter {
        '\t' | '\n' | '\r' => ' ',
        letter if is_hidden(letter) => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    text.chars().map(seen).collect()
}

/// The clean text, at most so many characters.
fn cut(text: &str, most: usize) -> String {
    let mut ends = text.char_indices().skip(most.saturating_sub(1));
    let Some((end, _)) = ends.next().filter(|_| ends.next().is_some()) else {
        return clean(text);
    };
    let mut kept = clean(text.get(..end).unwrap_or_default());
    kept.push(CUT);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"))
    }

    /// The title of a template whose fields have these values.
    fn title(text: &str, values: &[(&str, &str)]) -> String {
        let template = template(text);
        let fields = template.fields().to_vec();
        let wording = Wording {
            title: Some((template, fields)),
            ..Wording::default()
        };
        let value = |name: &String| {
            let found = values.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        wording.words(value).title.expect("a title")
    }

    #[test]
    fn fields_stand_where_the_template_names_them() {
        let values = [("IPAddress", "203.0.113.7"), ("a.b c", "x")];
        for (text, expected) in [
            ("Spray from {IPAddress}", "Spray from 203.0.113.7"),
            ("{a.b c}{IPAddress}{a.b c}", "x203.0.113.7x"),
            ("{{{IPAddress}}}", "{203.0.113.7}"),
            ("{{IPAddress}}", "{IPAddress}"),
            ("by {Nobody}", "by ?"),
            ("no field", "no field"),
        ] {
            assert_eq!(title(text, &values), expected, "{text}");
        }
        assert_eq!(template("{A} {B} {A}").fields(), ["A", "B"]);
    }

    #[test]
    fn templates_that_mean_nothing_are_refused_where_they_do() {
        let long = "x".repeat(257);
        let many: Vec<String> = (0..17).map(|n| format!("{{F{n}}}")).collect();
        let many = many.concat();
        for (text, span) in [
            ("a {b", 2..4),
            ("a {b {c}", 2..8),
            ("a } b", 2..3),
            ("a {} b", 2..4),
            ("a { } b", 2..5),
            ("{{a}", 3..4),
            (&long, 0..257),
            (&many, many.len() - 5..many.len()),
        ] {
            let problem = Template::parse(text).expect_err(text);
            assert_eq!(problem.span, span, "{text}: {}", problem.message);
        }
    }

    #[test]
    fn hostile_values_are_cut_and_shown_without_effect() {
        let long = "ä".repeat(5_000);
        let shown = title("{A}", &[("A", &long)]);
        assert_eq!(shown.chars().count(), TITLE_VALUE_CHARS_MAX);
        assert!(shown.ends_with("ä…"));
        let all = title("{A}{A}{A}{A}", &[("A", &long)]);
        assert_eq!(all.chars().count(), TITLE_CHARS_MAX);
        let exact = "x".repeat(TITLE_VALUE_CHARS_MAX);
        assert_eq!(title("{A}", &[("A", &exact)]), exact);
        assert_eq!(
            title("{A}.", &[("A", "a\u{1b}[31m\nb\u{202e}c{D}")]),
            "a\u{fffd}[31m b\u{fffd}c{D}."
        );
    }

    #[test]
    fn levels_are_read_in_the_words_of_sigma_and_microsoft() {
        let wording = Wording {
            level_from: Some(()),
            ..Wording::default()
        };
        for (word, level) in [
            ("Informational", Some(Level::Informational)),
            ("LOW", Some(Level::Low)),
            (" medium ", Some(Level::Medium)),
            ("High", Some(Level::High)),
            ("critical", Some(Level::Critical)),
            ("hidden", None),
            ("", None),
        ] {
            let words = wording.words(|()| Some(word.to_owned()));
            assert_eq!(words.level, level, "{word}");
        }
        assert_eq!(wording.words(|()| None).level, None);
    }

    #[test]
    fn ids_are_bounded_clean_and_never_empty() {
        let id = |value: &str| {
            let wording = Wording {
                external_id: Some(()),
                ..Wording::default()
            };
            wording.words(|()| Some(value.to_owned())).external_id
        };
        assert_eq!(id("2517_7e0d"), Some("2517_7e0d".to_owned()));
        assert_eq!(id("a\u{202e}b"), Some("a\u{fffd}b".to_owned()));
        assert_eq!(id(""), None);
        let long = id(&"é".repeat(600)).expect("an id");
        assert_eq!(long.len(), EXTERNAL_ID_BYTES_MAX);
    }
}
