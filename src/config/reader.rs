//! Walks the file: every value that is taken leaves an entry for `config show`, every problem a
//! diagnostic, and the walk goes on.

use std::ops::Range;
use std::path::{Path, PathBuf};

use palisade_detect::diagnostic::{Code, Diagnostic, Place, code, suggestion};
use palisade_detect::yaml::{Node, Yaml};
use serde_json::Value as Json;

use super::options::{self, Default, Kind, Row, Section};

/// Reads a variable of the environment.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One option in effect.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its full key, such as `sources.hub.start`.
    pub key: String,
    /// Its value, secrets masked.
    pub value: Json,
    /// Where it comes from.
    pub from: From,
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub enum From {
    /// The file, with the variables that were put in.
    File(Place, Vec<String>),
    /// The default.
    Default,
    /// A variable that overrides the file.
    Environment(String),
}

/// A mapping of the file.
#[derive(Debug)]
pub struct Map<'n> {
    /// Its full key; empty for the file itself.
    pub label: String,
    /// Which options it may hold.
    pub sections: &'static [Section],
    /// Where it stands, or would stand.
    pub place: Place,
    node: Option<&'n Node>,
}

impl<'n> Map<'n> {
    /// A mapping whose keys are not judged.
    pub fn unchecked(node: &'n Node, label: &str, sections: &'static [Section]) -> Self {
        Self {
            label: label.to_owned(),
            sections,
            place: node.place.clone(),
            node: Some(node),
        }
    }

    /// The value under a key, unless it is null or absent.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.node?.get_some(key)
    }

    /// The full key of a key in this mapping.
    pub fn full(&self, key: &str) -> String {
        if self.label.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.label)
        }
    }

    fn row(&self, key: &str) -> &'static Row {
        options::row(self.sections, key).expect("every option that is read stands in the table")
    }
}

/// A scalar as text, with variables put in.
#[derive(Debug, Clone)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub place: Place,
    /// Where it comes from.
    pub from: From,
}

/// The walk.
pub struct Reader<'a> {
    /// Everything that is wrong so far.
    pub problems: Vec<Diagnostic>,
    /// Every option in effect so far.
    pub entries: Vec<Entry>,
    /// Parts of the file that must not be shown: passwords that stand in it against the rule.
    pub masked: Vec<Range<usize>>,
    environment: Environment<'a>,
    base: &'a Path,
}

impl<'a> Reader<'a> {
    /// A walk with relative paths starting at `base`.
    pub const fn new(environment: Environment<'a>, base: &'a Path) -> Self {
        Self {
            problems: Vec::new(),
            entries: Vec::new(),
            masked: Vec::new(),
            environment,
            base,
        }
    }

    /// A variable of the environment.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }

    /// Notes a problem.
    pub fn problem(&mut self, code: Code, place: &Place, message: impl Into<String>) {
        self.problems.push(Diagnostic::error(code, place, message));
    }

    /// Notes a problem with what to write instead.
    pub fn advise(
        &mut self,
        code: Code,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = Diagnostic::error(code, place, message);
        self.problems.push(problem.with_help(help));
    }

    /// Notes an option in effect.
    pub fn entry(&mut self, key: String, value: impl Into<Json>, from: From) {
        let value = value.into();
        self.entries.push(Entry { key, value, from });
    }

    /// A path of the file, relative to the folder of the file.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.base.join(path).components().collect()
    }

    /// A mapping; absent is an empty one. Unknown keys are reported here.
    pub fn open<'n>(
        &mut self,
        node: Option<&'n Node>,
        label: impl Into<String>,
        sections: &'static [Section],
        or_at: &Place,
    ) -> Map<'n> {
        let label = label.into();
        let place = node.map_or(or_at, |node| &node.place).clone();
        let map = Map {
            label,
            sections,
            place,
            node: node.filter(|node| node.as_map().is_some()),
        };
        let Some(node) = node else { return map };
        let Some(entries) = node.as_map() else {
            let what = match map.label.as_str() {
                "" => "the configuration".to_owned(),
                label => format!("`{label}`"),
            };
            let message = format!("{what} must be a mapping, not {}", node.type_name());
            let known: Vec<&str> = options::keys(sections).collect();
            let help = format!(
                "write keys with their values, each on a line of its own; known here: `{}`",
                known.join("`, `")
            );
            self.advise(code::CONFIG_TYPE, &node.place, message, help);
            return map;
        };
        let holds_secret = options::hold_secret(sections);
        for (key, value) in entries {
            let name = key.as_text().unwrap_or_default();
            if options::row(sections, name).is_none() {
                self.unknown_key(name, key, &map);
                if holds_secret {
                    // `pasword: …` holds a password all the same.
                    self.mask(value);
                }
            }
        }
        map
    }

    fn unknown_key(&mut self, name: &str, key: &Node, map: &Map<'_>) {
        let message = match map.label.as_str() {
            "" => format!("unknown key `{name}`"),
            label => format!("unknown key `{name}` in `{label}`"),
        };
        let known = || {
            options::keys(map.sections)
                .map(|key| format!("`{key}`"))
                .collect::<Vec<_>>()
        };
        let help = suggestion(name, options::keys(map.sections))
            .unwrap_or_else(|| format!("known here: {}", known().join(", ")));
        let problem = Diagnostic::error(code::CONFIG_UNKNOWN_KEY, &key.place, message);
        self.problems.push(problem.with_help(help));
    }

    /// The node under a key that must be given.
    pub fn required<'n>(&mut self, map: &Map<'n>, key: &str) -> Option<&'n Node> {
        let node = map.get(key);
        if node.is_none() && map.row(key).default == Default::Required {
            let message = format!("`{}` must be given", map.full(key));
            let row = map.row(key);
            let words = match row.kind {
                Kind::Choice(words) => format!(" with `{}`", words.join("` or `")),
                _ => String::new(),
            };
            let help = format!("add `{key}:`{words}. {}", row.what);
            self.advise(code::CONFIG_MISSING, &map.place, message, help);
        }
        node
    }

    /// A scalar option, read by `parse`; `None` if it is absent without default, or wrong.
    pub fn value<T>(
        &mut self,
        map: &Map<'_>,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let row = map.row(key);
        let text = match (self.required(map, key), row.default) {
            (Some(node), _) => self.scalar(node, &map.full(key), row.kind)?,
            (None, Default::Value(text)) => Text {
                text: text.to_owned(),
                place: map.place.clone(),
                from: From::Default,
            },
            (None, Default::Required | Default::Absent(_)) => return None,
        };
        match parse(&text.text) {
            Ok(value) => {
                self.entry(map.full(key), self.shown(&text.text, row.kind), text.from);
                Some(value)
            }
            Err(expected) => {
                self.invalid(&map.full(key), &text, expected);
                None
            }
        }
    }

    /// Notes a value that is not allowed.
    pub fn invalid(&mut self, key: &str, text: &Text, expected: String) {
        let message = format!("`{key}` cannot be `{}`", text.text);
        let problem = Diagnostic::error(code::CONFIG_VALUE, &text.place, message);
        self.problems.push(problem.with_help(expected));
    }

    fn shown(&self, text: &str, kind: Kind) -> Json {
        match kind {
            Kind::Path | Kind::Paths if text != "-" => {
                self.resolve(text).display().to_string().into()
            }
            Kind::Bool | Kind::Number => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
            _ => text.into(),
        }
    }

    /// One of the words in the option's row; `values` are what they stand for, in the same order.
    ///
    /// # Panics
    /// When the option is no choice, or there is not one value a word.
    pub fn choice<T: Copy>(&mut self, map: &Map<'_>, key: &str, values: &[T]) -> Option<T> {
        let Kind::Choice(words) = map.row(key).kind else {
            unreachable!("`choice` is called for choices only");
        };
        assert_eq!(
            words.len(),
            values.len(),
            "a value for every word of `{key}`"
        );
        self.value(map, key, |text| {
            let at = words.iter().position(|word| *word == text);
            at.map(|at| values[at]).ok_or_else(|| {
                let all: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                suggestion(text, words.iter().copied())
                    .unwrap_or_else(|| format!("expected one of {}", all.join(", ")))
            })
        })
    }

    /// A list of scalars, each read by `parse`; a single scalar is a list of one. Wrong elements are
    /// left out.
    pub fn values<T>(
        &mut self,
        map: &Map<'_>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let row = map.row(key);
        let Some(node) = self.required(map, key) else {
            return Vec::new();
        };
        let nodes = node.as_seq().unwrap_or(std::slice::from_ref(node));
        if nodes.is_empty() && row.default == Default::Required {
            let message = format!("`{}` must hold at least one element", map.full(key));
            self.advise(code::CONFIG_VALUE, &node.place, message, row.what);
        }
        let mut values = Vec::with_capacity(nodes.len());
        let mut shown = Vec::with_capacity(nodes.len());
        let mut variables = Vec::new();
        for node in nodes {
            let Some(text) = self.scalar(node, &map.full(key), row.kind) else {
                continue;
            };
            if let From::File(_, names) = &text.from {
                variables.extend(names.iter().cloned());
            }
            match parse(&text.text) {
                Ok(value) => {
                    shown.push(self.shown(&text.text, row.kind));
                    values.push(value);
                }
                Err(expected) => self.invalid(&map.full(key), &text, expected),
            }
        }
        self.entry(
            map.full(key),
            shown,
            From::File(node.place.clone(), variables),
        );
        values
    }

    /// A path that must be given, or has a default.
    pub fn path(&mut self, map: &Map<'_>, key: &str) -> Option<PathBuf> {
        let text = self.value(map, key, super::value::text)?;
        Some(self.resolve(&text))
    }

    /// A list of paths; `-` stays what it is.
    pub fn paths(&mut self, map: &Map<'_>, key: &str) -> Vec<PathBuf> {
        let texts = self.values(map, key, super::value::text);
        let resolved = |text: String| {
            if text == "-" {
                text.into()
            } else {
                self.resolve(&text)
            }
        };
        texts.into_iter().map(resolved).collect()
    }

    /// A scalar as text with variables put in, if its type fits.
    pub fn scalar(&mut self, node: &Node, key: &str, kind: Kind) -> Option<Text> {
        let (fits, wanted) = match (kind, &node.value) {
            (Kind::Bool, Yaml::Bool(_))
            | (Kind::Number | Kind::Size | Kind::Share, Yaml::Int(_) | Yaml::Text(_))
            | (Kind::Share, Yaml::Float(_)) => (true, ""),
            (Kind::Bool, Yaml::Text(text)) => (text.contains("${"), "`true` or `false`"),
            (Kind::Bool, _) => (false, "`true` or `false`"),
            (Kind::Number, _) => (false, "a whole number"),
            (_, Yaml::Text(_)) => (true, ""),
            (_, Yaml::Int(_) | Yaml::Float(_) | Yaml::Bool(_)) => (false, "text; put it in quotes"),
            _ => (false, "text"),
        };
        if !fits {
            let message = format!("`{key}` is {}", node.type_name());
            let problem = Diagnostic::error(code::CONFIG_TYPE, &node.place, message);
            self.problems
                .push(problem.with_help(format!("expected {wanted}")));
            return None;
        }
        let (text, variables) = match &node.value {
            Yaml::Text(_) => self.substitute(node)?,
            Yaml::Bool(value) => (value.to_string(), Vec::new()),
            Yaml::Int(value) => (value.to_string(), Vec::new()),
            Yaml::Float(value) => (value.to_string(), Vec::new()),
            Yaml::Null | Yaml::Seq(_) | Yaml::Map(_) => unreachable!("no such node fits a scalar"),
        };
        let from = From::File(node.place.clone(), variables);
        Some(Text {
            text,
            place: node.place.clone(),
            from,
        })
    }

    /// Puts variables in for `${NAME}`; every one that is not set is a problem.
    fn substitute(&mut self, node: &Node) -> Option<(String, Vec<String>)> {
        let written = node.as_text().unwrap_or_default();
        let mut out = String::with_capacity(written.len());
        let mut names = Vec::new();
        let mut failed = false;
        let mut rest = written;
        while let Some(at) = rest.find("${") {
            let (lead, tail) = rest.split_at(at);
            if let Some(lead) = lead.strip_suffix('$') {
                out.push_str(lead);
                out.push_str("${");
                rest = tail.strip_prefix("${").unwrap_or_default();
                continue;
            }
            out.push_str(lead);
            let begin = written.len() - tail.len();
            let inner = tail.strip_prefix("${").unwrap_or_default();
            let Some((name, after)) = inner.split_once('}').filter(|(name, _)| is_variable(name))
            else {
                let place = node.place_within(begin..begin + 2);
                let message = "`${` is not followed by a variable's name and `}`";
                let problem = Diagnostic::error(code::CONFIG_VARIABLE, &place, message);
                self.problems
                    .push(problem.with_help("write `$${` for the characters `${`"));
                return None;
            };
            let place = node.place_within(begin..begin + name.len() + 3);
            if let Some(value) = self.variable(name) {
                out.push_str(&value);
            } else {
                failed = true;
                let message = format!("the environment variable `{name}` is not set");
                self.problem(code::CONFIG_VARIABLE, &place, message);
            }
            names.push(name.to_owned());
            rest = after;
        }
        out.push_str(rest);
        (!failed).then_some((out, names))
    }
}

/// Whether the text can be the name of a variable.
pub fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
