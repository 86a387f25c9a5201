//! What all kinds of rules share: reading keys with their types, metadata, log source.

use std::borrow::Cow;
use std::cell::Cell;

use crate::diagnostic::{Code, Diagnostic, Place, code, suggestion};
use crate::hidden;
use crate::logsource::Logsource;
use crate::time::Span;
use crate::yaml::{Node, Yaml};

use super::super::condition::ConditionProblem;
use super::super::item::Expressions;
use super::super::wording::Template;
use super::super::{Detection, Level, Meta, PalisadeKeys, Status, Suppress};
use super::detection::need_fields;
use super::misspelt::misspelt;

/// Longest title, in characters (detection rule schema).
const TITLE_CHARS_MAX: usize = 256;

/// Keys of ours.
const PALISADE_KEYS: &[&str] = &["suppress", "title", "level_from", "external_id"];

/// Keys whose values people read, in an alert or to judge a rule.
const READ_KEYS: &[&str] = &[
    "title",
    "id",
    "name",
    "description",
    "author",
    "references",
    "falsepositives",
    "tags",
    "level",
    "status",
    "logsource",
    "correlation",
    "palisade",
];

/// Most such characters that are reported of one rule.
const UNREADABLE_MAX: usize = 10;

/// Most fields by which a rule tells its repeats apart; each is a value in every match.
const SUPPRESS_BY_MAX: usize = 16;

/// How a document is called in messages: its id, else name, else title.
pub(super) fn key_of(root: &Node) -> Option<String> {
    ["id", "name", "title"]
        .iter()
        .find_map(|key| {
            root.get(key)
                .and_then(Node::as_text)
                .filter(|t| !t.is_empty())
        })
        .map(str::to_owned)
}

/// Keys of which each makes another kind of rule of a document.
pub(super) const KINDS: [&str; 3] = ["detection", "correlation", "filter"];

/// Reports a document of several kinds: to read it as one of them would drop what the others say.
pub(super) fn several_kinds(reader: &mut Reader<'_>) -> Option<Detection> {
    let root = reader.root;
    let has = |kind: &&str| root.get(kind).is_some();
    let kinds: Vec<&str> = KINDS.into_iter().filter(has).collect();
    let place = root
        .entry(kinds.last()?)
        .map_or(&root.place, |(key, _)| &key.place);
    let message = format!(
        "document has `{}`, each of which is a rule of its own",
        kinds.join("` and `")
    );
    let help = "put `---` between them: each is a document of its own, with its own title; a \
                correlation or filter refers to other rules by `rules`";
    reader.push(Diagnostic::error(code::SEVERAL_KINDS, place, message).with_help(help));
    None
}

/// Reads one document and gathers its problems.
pub(super) struct Reader<'a> {
    /// The document, a mapping.
    pub(super) root: &'a Node,
    key: Option<String>,
    problems: Vec<Diagnostic>,
    /// Bytes that the patterns of the file may still take.
    budget: &'a Cell<usize>,
    /// What expressions of the set may still take.
    pub(super) expressions: &'a Expressions,
    /// The rules that a correlation refers to, with their places.
    pub(super) references: Vec<(String, Place)>,
}

impl<'a> Reader<'a> {
    /// A reader of this document, with what patterns of its file, and expressions of its set, may still
    /// take.
    pub(super) fn new(
        root: &'a Node,
        budget: &'a Cell<usize>,
        expressions: &'a Expressions,
    ) -> Self {
        Self {
            root,
            key: key_of(root),
            problems: Vec::new(),
            budget,
            expressions,
            references: Vec::new(),
        }
    }

    /// Takes bytes for patterns; `false` if the file may take no more.
    pub(super) fn spend(&self, bytes: usize) -> bool {
        let left = self.budget.get().checked_sub(bytes);
        self.budget.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Whether the file's patterns have used up what they may take.
    pub(super) fn is_spent(&self) -> bool {
        self.budget.get() == 0
    }

    /// Looks for characters that deceive in everything that people read: all of what is known here but
    /// the values of searches, which may look for such a character.
    pub(super) fn readable(&mut self) {
        for (key, value) in self.root.as_map().unwrap_or_default() {
            match key.as_text() {
                Some("detection" | "filter") => {
                    for (name, search) in value.as_map().unwrap_or_default() {
                        unreadable(self, name, true);
                        let other = matches!(name.as_text(), Some("condition" | "rules"));
                        unreadable(self, search, other);
                    }
                }
                Some(name) if READ_KEYS.contains(&name) => unreadable(self, value, true),
                _ => {}
            }
        }
    }

    /// Everything that was reported.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        self.problems
    }

    /// Whether something keeps the document from loading.
    pub(super) fn refused(&self) -> bool {
        self.problems.iter().any(Diagnostic::is_error)
    }

    /// How much was reported so far.
    pub(super) fn said(&self) -> usize {
        self.problems.len()
    }

    /// Adds a diagnostic.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.problems.push(diagnostic.for_rule(self.key.as_deref()));
    }

    /// Reports an error.
    pub(super) fn error(&mut self, code: Code, place: &Place, message: impl Into<String>) {
        self.push(Diagnostic::error(code, place, message));
    }

    /// Reports a mandatory key that is missing from `map`.
    pub(super) fn missing(&mut self, map: &Node, key: &str) {
        let help = match key {
            "title" => Some("add `title:`, in a few words what the rule finds"),
            "logsource" => Some("add `logsource:` with a `product`, a `service` or a `category`"),
            "detection" => Some("add `detection:` with a search and a `condition`"),
            "timespan" => Some("add the length of the window, such as `timespan: 10m`"),
            "rules" => Some("add `rules:`, the ids or names of rules"),
            "type" => Some("add a type, such as `type: event_count`"),
            "field" => Some("add `field:`, whose values are counted"),
            "for" => Some("add how long it is silent, such as `for: 1h`"),
            "condition" if self.root.get("correlation").is_some() => {
                Some("add a bound, such as `condition: {gte: 10}`")
            }
            "condition" => Some("add what must hold, such as `condition: selection`"),
            _ => None,
        };
        let message = format!("`{key}` is missing");
        let (place, help) = match misspelt(map, key, &[key]) {
            Some(near) => (&near.place, Some(format!("did you mean `{key}`?"))),
            None => (&map.place, help.map(str::to_owned)),
        };
        self.push(Diagnostic::error(code::MISSING_FIELD, place, message).with_help_from(help));
    }

    /// Reports a value of the wrong type.
    pub(super) fn wrong_type(&mut self, key: &str, node: &Node, wanted: &str) {
        let message = format!("`{key}` must be {wanted}, not {}", node.type_name());
        let problem = Diagnostic::error(code::WRONG_TYPE, &node.place, message);
        let help = match wanted {
            "text" | "a list of text" if node.is_null() => empty_help(key),
            "text" | "a list of text" if node.is_scalar() => "put it in quotes".to_owned(),
            "text" => format!("write one text: `{key}: TEXT`"),
            "a list" if node.is_scalar() => format!("write `{key}: [{}]`", scalar_text(node)),
            "a list" | "a list of text" => "write each element behind a dash of its own".to_owned(),
            "a mapping" => {
                format!("write keys with their values below `{key}:`, each on a line of its own")
            }
            _ => format!("write {wanted}"),
        };
        self.push(problem.with_help(help));
    }

    /// Reports what is wrong with a condition at its place in the file.
    pub(super) fn condition(&mut self, node: &Node, problem: ConditionProblem) {
        let place = node.place_within(problem.span);
        self.push(
            Diagnostic::error(problem.code, &place, problem.message).with_help_from(problem.help),
        );
    }

    /// Optional text.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let node = self.root.get_some(key)?;
        let text = node.as_text();
        if text.is_none() {
            self.wrong_type(key, node, "text");
        }
        text.map(str::to_owned)
    }

    /// An optional list of texts.
    fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(node) = self.root.get_some(key) else {
            return Vec::new();
        };
        let Some(items) = node.as_seq() else {
            self.wrong_type(key, node, "a list");
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.as_text() {
                Some(text) => texts.push(text.to_owned()),
                None => self.wrong_type(key, item, "a list of text"),
            }
        }
        texts
    }

    /// Title, id and the rest.
    pub(super) fn meta(&mut self) -> Meta {
        let title = self.text("title");
        if self.root.get_some("title").is_none() {
            self.missing(self.root, "title");
        }
        let title = title.unwrap_or_default();
        if title.chars().count() > TITLE_CHARS_MAX
            && let Some(node) = self.root.get("title")
        {
            let message = format!("title is longer than the limit of {TITLE_CHARS_MAX} characters");
            let problem = Diagnostic::error(code::INVALID_VALUE, &node.place, message);
            self.push(problem.with_help("say it shorter, and the rest under `description`"));
        }
        let name = self.text("name");
        if name.as_deref() == Some("")
            && let Some(node) = self.root.get("name")
        {
            let problem = Diagnostic::error(code::INVALID_VALUE, &node.place, "name is empty");
            self.push(
                problem.with_help("write a name by which others refer to it, or take it out"),
            );
        }
        Meta {
            id: self.text("id"),
            name,
            title,
            description: self.text("description"),
            level: self.word("level", Level::ALL.map(|level| (level.name(), level))),
            status: self.word("status", Status::ALL.map(|status| (status.name(), status))),
            author: self.text("author"),
            references: self.texts("references"),
            falsepositives: self.texts("falsepositives"),
            tags: self.texts("tags"),
        }
    }

    /// One of a few words.
    fn word<T: Copy, const N: usize>(
        &mut self,
        key: &str,
        words: [(&'static str, T); N],
    ) -> Option<T> {
        let text = self.text(key)?;
        let found = words.iter().find(|(name, _)| *name == text);
        if found.is_none()
            && let Some(node) = self.root.get(key)
        {
            let names = words.map(|(name, _)| name);
            let message = format!("{key} `{text}` is unknown");
            let help = suggestion(&text, names)
                .unwrap_or_else(|| format!("write one of: {}", names.join(", ")));
            self.push(Diagnostic::error(code::INVALID_VALUE, &node.place, message).with_help(help));
        }
        found.map(|(_, value)| *value)
    }

    /// The log source, of which one part must be given.
    pub(super) fn logsource(&mut self) -> Logsource {
        let Some(node) = self.root.get_some("logsource") else {
            self.missing(self.root, "logsource");
            return Logsource::default();
        };
        if node.as_map().is_none() {
            self.wrong_type("logsource", node, "a mapping");
            return Logsource::default();
        }
        let mut given = false;
        let mut part = |key: &str| {
            let value = node.get_some(key)?;
            given = true;
            let text = value.as_text();
            if text.is_none() {
                self.wrong_type(key, value, "text");
            }
            text.map(|text| Cow::Owned(text.to_owned()))
        };
        let logsource = Logsource {
            product: part("product"),
            service: part("service"),
            category: part("category"),
        };
        if !given {
            self.push(
                Diagnostic::error(
                    code::INVALID_VALUE,
                    &node.place,
                    "log source names neither category, product nor service",
                )
                .with_help("without one of them the rule would judge every event"),
            );
        }
        logsource
    }

    /// House extensions under `palisade:`.
    pub(super) fn palisade(&mut self) -> PalisadeKeys {
        let mut keys = PalisadeKeys::default();
        let Some(node) = self.root.get_some("palisade") else {
            return keys;
        };
        let Some(entries) = node.as_map() else {
            self.wrong_type("palisade", node, "a mapping");
            return keys;
        };
        for (key, value) in entries {
            match key.as_text() {
                Some("suppress") => keys.suppress = self.suppress(value, &mut keys.suppress_by),
                Some("title") => keys.wording.title = self.title_template(value),
                Some("level_from") => keys.wording.level_from = self.field("level_from", value),
                Some("external_id") => keys.wording.external_id = self.field("external_id", value),
                _ => self.unknown_palisade_key(key, "palisade", PALISADE_KEYS),
            }
        }
        keys
    }

    /// A title with fields in it.
    fn title_template(&mut self, node: &Node) -> Option<(Template, Vec<String>)> {
        let Some(text) = node.as_text() else {
            self.wrong_type("title", node, "text");
            return None;
        };
        match Template::parse(text) {
            Ok(template) => {
                let fields = template.fields().to_vec();
                Some((template, fields))
            }
            Err(problem) => {
                let place = node.place_within(problem.span);
                self.push(
                    Diagnostic::error(code::INVALID_VALUE, &place, problem.message)
                        .with_help("write fields in braces, such as `Spray from {IPAddress}`"),
                );
                None
            }
        }
    }

    /// The name of one field.
    fn field(&mut self, key: &str, node: &Node) -> Option<String> {
        let text = node.as_text();
        let name = text.filter(|name| !name.is_empty() && !name.contains('|'));
        if name.is_none() {
            let (code, message) = match text {
                Some(text) if !text.is_empty() => (
                    code::INVALID_VALUE,
                    format!("`{key}` takes the name of a field without modifiers, not `{text}`"),
                ),
                _ => (
                    code::WRONG_TYPE,
                    format!(
                        "`{key}` must be the name of a field, not {}",
                        node.type_name()
                    ),
                ),
            };
            let help = format!("name a field that the rule's events have, or take `{key}` out");
            self.push(Diagnostic::error(code, &node.place, message).with_help(help));
        }
        name.map(str::to_owned)
    }

    /// `none`, or a mapping with `for` and perhaps `by`.
    fn suppress(&mut self, node: &Node, by: &mut Vec<String>) -> Option<Suppress> {
        if node.as_text() == Some("none") {
            return Some(Suppress::None);
        }
        let Some(entries) = node.as_map() else {
            let message = "`suppress` must be `none` or a mapping with `for`";
            self.push(
                Diagnostic::error(code::WRONG_TYPE, &node.place, message)
                    .with_help("write `suppress: none` or `suppress: {by: [User], for: 1h}`"),
            );
            return None;
        };
        let mut length = None;
        for (key, value) in entries {
            match key.as_text() {
                Some("for") => length = self.span("for", value),
                Some("by") => *by = self.suppress_by(value),
                _ => self.unknown_palisade_key(key, "suppress", &["for", "by"]),
            }
        }
        if node.get("for").is_none() {
            self.missing(node, "for");
        }
        length.map(Suppress::For)
    }

    /// The fields by which repeats are told apart.
    fn suppress_by(&mut self, node: &Node) -> Vec<String> {
        let fields = need_fields(self, "by", node).unwrap_or_default();
        let mut by = Vec::with_capacity(fields.len());
        for (name, place) in fields {
            if name.is_empty() || by.contains(&name) {
                let message = "a field of `by` is empty or named twice";
                let problem = Diagnostic::error(code::INVALID_VALUE, &place, message);
                self.push(problem.with_help("take it out"));
            }
            by.push(name);
        }
        if by.is_empty() || by.len() > SUPPRESS_BY_MAX {
            let message = format!("`by` names 1 to {SUPPRESS_BY_MAX} fields");
            self.push(
                Diagnostic::error(code::INVALID_VALUE, &node.place, message)
                    .with_help("without `by`, a detection rule is silent as a whole"),
            );
        }
        by
    }

    /// Reports a key of ours that does not exist.
    fn unknown_palisade_key(&mut self, key: &Node, map: &str, known: &[&str]) {
        let name = scalar_text(key);
        let message = format!("key `{name}` under `{map}` is unknown");
        let help = suggestion(&name, known.iter().copied())
            .unwrap_or_else(|| format!("known: `{}`", known.join("`, `")));
        self.push(
            Diagnostic::error(code::UNKNOWN_PALISADE_KEY, &key.place, message).with_help(help),
        );
    }

    /// A length of time such as `10m`.
    pub(super) fn span(&mut self, key: &str, node: &Node) -> Option<Span> {
        let span = node.as_text().and_then(Span::parse_sigma);
        if span.is_none() {
            let message = format!("`{key}` is no time span: `{}`", scalar_text(node));
            self.push(
                Diagnostic::error(code::INVALID_TIMESPAN, &node.place, message).with_help(
                    "write a positive whole number and one of `s`, `m`, `h`, `d`, `w`, `M`, `y`, \
                 such as `10m`",
                ),
            );
        }
        span
    }
}

/// Reports characters in what people read of a rule that end text or turn it around.
fn unreadable(reader: &mut Reader<'_>, node: &Node, values: bool) {
    if reader.problems.len() >= UNREADABLE_MAX {
        return;
    }
    match &node.value {
        Yaml::Text(text) if values => {
            let Some((at, c)) = hidden::unreadable(text) else {
                return;
            };
            let message = format!("text for people holds the character U+{:04X}", u32::from(c));
            let place = node.place_within(at..at + c.len_utf8());
            reader.push(
                Diagnostic::error(code::UNREADABLE_TEXT, &place, message)
                    .with_help("take it away; only values of searches may hold it"),
            );
        }
        Yaml::Seq(items) => {
            for item in items {
                unreadable(reader, item, values);
            }
        }
        Yaml::Map(entries) => {
            for (key, value) in entries {
                unreadable(reader, key, true);
                unreadable(reader, value, values);
            }
        }
        _ => {}
    }
}

/// Help with a key below which nothing stands.
pub(super) fn empty_help(key: &str) -> String {
    match key {
        "condition" => "name a search behind it, such as `condition: selection`".to_owned(),
        "group-by" => {
            "name the fields behind it, such as `group-by: [SourceIp]`, or take the key out"
                .to_owned()
        }
        _ => format!("write a text behind `{key}:`, or take the key out"),
    }
}

/// A scalar as text, for messages.
pub(super) fn scalar_text(node: &Node) -> String {
    match &node.value {
        Yaml::Text(text) => text.chars().take(80).collect(),
        Yaml::Int(value) => value.to_string(),
        Yaml::Float(value) => value.to_string(),
        Yaml::Bool(value) => value.to_string(),
        Yaml::Null | Yaml::Seq(_) | Yaml::Map(_) => node.type_name().to_owned(),
    }
}
