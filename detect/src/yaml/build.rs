//! From parser events to documents: nesting, anchors, merge keys, and the limits on all of them.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use super::source::Source;
use super::{ALIASES_MAX, DEPTH_MAX, Document, EXPANDED_BYTES_MAX, EXPANDED_NODES_MAX, Node, Yaml};
use super::{schema, syntax};
use crate::diagnostic::{Code, Diagnostic, Place, code};

/// Most events times depth in one file. The parser's time for an event grows with the depth, so
/// that 400,000 elements at depth 95 took 8 s; ordinary files of 1 MiB stay below a tenth of this.
const WORK_MAX: usize = 8_000_000;

/// All documents of a file; `Err` for what concerns the file as a whole.
pub(super) fn documents(source: &Source<'_>) -> Result<Vec<Document>, Diagnostic> {
    let mut builder = Builder {
        source,
        aliased: aliased(source)?,
        anchors: HashMap::new(),
        frames: Vec::new(),
        root: None,
        problems: Vec::new(),
        abandoned: false,
        aliases: 0,
        expanded: Measure::default(),
        documents: Vec::new(),
    };
    let mut events = Events::new(source);
    while let Some((event, span)) = events.next()? {
        builder.take(event, span);
    }
    Ok(builder.documents)
}

/// The parser's events, within limits of nesting.
pub(super) struct Events<'s, 'a> {
    source: &'s Source<'a>,
    parser: Parser<'a, StrInput<'a>>,
    depth: usize,
    work: usize,
}

impl<'s, 'a> Events<'s, 'a> {
    pub(super) fn new(source: &'s Source<'a>) -> Self {
        Self {
            source,
            parser: Parser::new_from_str(source.text),
            depth: 0,
            work: 0,
        }
    }

    /// The next event, or `None` at the end of the stream.
    pub(super) fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Diagnostic> {
        let (event, span) = match self.parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => return Ok(None),
            Some(Ok(next)) => next,
            Some(Err(error)) => return Err(syntax::problem(self.source, &error)),
        };
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => self.depth += 1,
            Event::SequenceEnd | Event::MappingEnd => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.work += self.depth;
        if self.work > WORK_MAX {
            let message =
                format!("file's values, each counted by its depth, exceed the limit of {WORK_MAX}");
            let place = self.source.point(span.start);
            return Err(Diagnostic::error(code::YAML_TOO_DEEP, &place, message));
        }
        Ok(Some((event, span)))
    }
}

/// The anchors that some alias names.
///
/// Only these are kept while building: keeping a copy of every anchored node would cost depth times
/// size for anchors that stand inside each other.
fn aliased(source: &Source<'_>) -> Result<HashSet<usize>, Diagnostic> {
    let mut found = HashSet::new();
    if source.text.contains('&') && source.text.contains('*') {
        let mut events = Events::new(source);
        while let Some((event, _)) = events.next()? {
            if let Event::Alias(anchor) = event {
                found.insert(anchor);
            }
        }
    }
    Ok(found)
}

/// Size of a node with everything in it.
#[derive(Debug, Clone, Copy, Default)]
struct Measure {
    nodes: usize,
    bytes: usize,
    height: usize,
}

/// A node that aliases may name.
struct Anchored {
    node: Node,
    measure: Measure,
}

/// A sequence or mapping that is not closed yet.
struct Frame {
    anchor: usize,
    start: Marker,
    content: Content,
}

/// What an open sequence or mapping holds so far.
enum Content {
    Seq(Vec<Node>),
    Map {
        entries: Vec<(Node, Node)>,
        key: Option<Key>,
        merged: Vec<(Node, Node)>,
    },
}

/// A key whose value has not come yet.
enum Key {
    Plain(Node),
    /// `<<`, written plain.
    Merge(Node),
}

/// State over the events of one file.
struct Builder<'s, 'a> {
    source: &'s Source<'a>,
    aliased: HashSet<usize>,
    anchors: HashMap<usize, Anchored>,
    frames: Vec<Frame>,
    root: Option<Node>,
    problems: Vec<Diagnostic>,
    /// The rest of the document is skipped, because it went over a limit.
    abandoned: bool,
    aliases: usize,
    expanded: Measure,
    documents: Vec<Document>,
}

impl Builder<'_, '_> {
    /// Takes one event of the stream.
    fn take(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::DocumentStart(_) => self.start_document(),
            Event::DocumentEnd => self.end_document(),
            _ if self.abandoned => {}
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, (anchor, tag.as_deref()), span);
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Content::Seq(Vec::new()), (anchor, tag.as_deref()), span);
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    key: None,
                    merged: Vec::new(),
                };
                self.open(content, (anchor, tag.as_deref()), span);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(Some(span.end)),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
        }
    }

    /// Forgets the document before: its anchors do not reach into this one.
    fn start_document(&mut self) {
        self.anchors.clear();
        self.frames.clear();
        self.root = None;
        self.abandoned = false;
        self.problems.clear();
    }

    /// Hands the finished document over, unless it is empty.
    fn end_document(&mut self) {
        // Of a document that was given up, the part that was read can still name it.
        while self.abandoned && !self.frames.is_empty() {
            self.close(None);
        }
        let problems = std::mem::take(&mut self.problems);
        if let Some(root) = self.root.take()
            && (!root.is_null() || !problems.is_empty())
        {
            self.documents.push(Document { root, problems });
        }
    }

    /// Reports a problem of the document.
    fn report(&mut self, code: Code, place: &Place, message: impl Into<String>) {
        self.problems.push(Diagnostic::error(code, place, message));
    }

    /// Reports a limit and skips what is left of the document.
    fn abandon(&mut self, code: Code, place: &Place, message: String) {
        self.report(code, place, message);
        self.abandoned = true;
    }

    /// A scalar, with its anchor and tag.
    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        (anchor, tag): (usize, Option<&Tag>),
        span: Span,
    ) {
        let place = if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            self.source.line_from(span.start)
        } else if text == "~" && span.is_empty() {
            self.source.point(span.start)
        } else {
            self.source.place(span)
        };
        let plain = style == ScalarStyle::Plain;
        let value = match tag {
            None if plain => schema::resolve(text),
            None => Yaml::Text(text.to_owned()),
            Some(tag) => tagged(tag, text).unwrap_or_else(|| {
                let message = format!("scalar does not fit the tag `{}`", written(tag));
                self.report(code::YAML_TAG, &place, message);
                Yaml::Text(text.to_owned())
            }),
        };
        let merge = plain && tag.is_none() && text == "<<" && self.expects_key();
        let written = match &value {
            Yaml::Text(text) => self.source.written(span, style, text, &place),
            _ => None,
        };
        let node = Node {
            place,
            value,
            written,
        };
        self.remember(anchor, &node);
        if merge {
            self.set_key(Key::Merge(node));
        } else {
            self.attach(node);
        }
    }

    /// A sequence or mapping begins.
    fn open(&mut self, content: Content, (anchor, tag): (usize, Option<&Tag>), span: Span) {
        let place = self.source.line_from(span.start);
        if self.frames.len() >= DEPTH_MAX {
            let message = format!("document is nested deeper than the limit of {DEPTH_MAX}");
            self.abandon(code::YAML_TOO_DEEP, &place, message);
            return;
        }
        if self.expects_key() {
            self.report(
                code::YAML_KEY,
                &place,
                "a key must be a scalar, not a list or a mapping",
            );
        }
        let expected = match content {
            Content::Seq(_) => "seq",
            Content::Map { .. } => "map",
        };
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && tag.suffix == expected)
        {
            let message = format!("tag `{}` is unknown", written(tag));
            self.report(code::YAML_TAG, &place, message);
        }
        self.frames.push(Frame {
            anchor,
            start: span.start,
            content,
        });
    }

    /// The innermost sequence or mapping ends; `None` if its end was not read.
    fn close(&mut self, end: Option<Marker>) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let value = match frame.content {
            Content::Seq(items) => Yaml::Seq(items),
            Content::Map {
                entries, merged, ..
            } => Yaml::Map(self.finish_map(entries, merged)),
        };
        let place = end
            .and_then(|end| self.source.flow(frame.start, end))
            .unwrap_or_else(|| self.source.line_from(frame.start));
        let node = Node::new(place, value);
        self.remember(frame.anchor, &node);
        self.attach(node);
    }

    /// Checks that keys are unique and puts merged entries, which own entries override, first.
    fn finish_map(
        &mut self,
        entries: Vec<(Node, Node)>,
        merged: Vec<(Node, Node)>,
    ) -> Vec<(Node, Node)> {
        let mut lines: HashMap<KeyText, u32> = HashMap::with_capacity(entries.len());
        for (key, _) in &entries {
            if let Some(first) = lines.insert(KeyText::of(key), key.place.line) {
                let message = format!("key {} is given twice in one mapping", named(key));
                self.problems.push(
                    Diagnostic::error(code::YAML_DUPLICATE_KEY, &key.place, message).with_help(
                        format!("the other one stands in line {first}; keep one of them"),
                    ),
                );
            }
        }
        if merged.is_empty() {
            return entries;
        }
        let mut all = Vec::with_capacity(entries.len() + merged.len());
        for (key, value) in merged {
            // The first mapping that gives a key wins among those merged.
            if let std::collections::hash_map::Entry::Vacant(free) = lines.entry(KeyText::of(&key))
            {
                free.insert(key.place.line);
                all.push((key, value));
            }
        }
        all.extend(entries);
        all
    }

    /// Whether the next node is a key.
    fn expects_key(&self) -> bool {
        matches!(
            self.frames.last(),
            Some(Frame {
                content: Content::Map { key: None, .. },
                ..
            })
        )
    }

    /// Sets the key of the innermost mapping.
    fn set_key(&mut self, next: Key) {
        if let Some(Frame {
            content: Content::Map { key, .. },
            ..
        }) = self.frames.last_mut()
        {
            *key = Some(next);
        }
    }

    /// Puts a finished node where it belongs.
    fn attach(&mut self, node: Node) {
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut frame.content {
            Content::Seq(items) => items.push(node),
            Content::Map {
                entries,
                key,
                merged,
            } => match key.take() {
                None => *key = Some(Key::Plain(node)),
                Some(Key::Plain(name)) => entries.push((name, node)),
                Some(Key::Merge(name)) => {
                    let seen_before = !merged.is_empty();
                    let problem = merge(merged, node);
                    if seen_before {
                        let message = "key `<<` is given twice in one mapping";
                        self.report(code::YAML_DUPLICATE_KEY, &name.place, message);
                    } else if problem.is_some() {
                        let message = "a merge key needs a mapping or a list of mappings";
                        self.report(code::YAML_KEY, &name.place, message);
                    }
                }
            },
        }
    }

    /// Keeps a node that an alias names later.
    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor == 0 || !self.aliased.contains(&anchor) {
            return;
        }
        let measure = measure(node);
        if measure.nodes > EXPANDED_NODES_MAX || measure.bytes > EXPANDED_BYTES_MAX {
            self.abandon_expansion(&node.place);
            return;
        }
        let node = node.clone();
        self.anchors.insert(anchor, Anchored { node, measure });
    }

    /// Puts a copy of the anchored node in the alias's place.
    fn alias(&mut self, anchor: usize, span: Span) {
        let place = self.source.place(span);
        self.aliases += 1;
        if self.aliases > ALIASES_MAX {
            let message = format!("file has more aliases than the limit of {ALIASES_MAX}");
            self.abandon(code::YAML_ALIASES, &place, message);
            return;
        }
        let Some(anchored) = self.anchors.get(&anchor) else {
            let message = "alias names no anchor that is complete and stands before it";
            self.report(code::YAML_ALIAS, &place, message);
            self.attach(Node::new(place, Yaml::Null));
            return;
        };
        let Measure {
            nodes,
            bytes,
            height,
        } = anchored.measure;
        self.expanded.nodes += nodes;
        self.expanded.bytes += bytes;
        if self.expanded.nodes > EXPANDED_NODES_MAX || self.expanded.bytes > EXPANDED_BYTES_MAX {
            self.abandon_expansion(&place);
        } else if self.frames.len() + height > DEPTH_MAX {
            let message = format!("alias expands deeper than the limit of {DEPTH_MAX}");
            self.abandon(code::YAML_TOO_DEEP, &place, message);
        } else {
            let node = anchored.node.clone();
            self.attach(node);
        }
    }

    /// Gives the document up, because its aliases expand to too much.
    fn abandon_expansion(&mut self, place: &Place) {
        let message = format!(
            "aliases expand to more than the limit of {EXPANDED_NODES_MAX} nodes or \
             {EXPANDED_BYTES_MAX} bytes"
        );
        self.abandon(code::YAML_EXPANSION, place, message);
    }
}

/// Adds the entries of a mapping, or of a list of mappings; gives back what is neither.
fn merge(merged: &mut Vec<(Node, Node)>, node: Node) -> Option<Node> {
    match node.value {
        Yaml::Map(entries) => {
            merged.extend(entries);
            None
        }
        Yaml::Seq(items) => items.into_iter().find_map(|item| match item.value {
            Yaml::Map(entries) => {
                merged.extend(entries);
                None
            }
            _ => Some(item),
        }),
        _ => Some(node),
    }
}

/// A tag as it is mostly written.
fn written(tag: &Tag) -> String {
    match tag.handle.as_str() {
        "tag:yaml.org,2002:" => format!("!!{}", tag.suffix),
        handle => format!("{handle}{}", tag.suffix),
    }
}

/// What a tagged scalar is; `None` if it does not fit its tag or the tag is unknown.
fn tagged(tag: &Tag, text: &str) -> Option<Yaml> {
    if !tag.is_yaml_core_schema() {
        // The non-specific tag `!` makes a scalar text.
        return (format!("{}{}", tag.handle, tag.suffix) == "!")
            .then(|| Yaml::Text(text.to_owned()));
    }
    let resolved = schema::resolve(text);
    match (tag.suffix.as_str(), &resolved) {
        ("str", _) => Some(Yaml::Text(text.to_owned())),
        #[expect(clippy::cast_precision_loss, reason = "the tag asks for a float")]
        ("float", Yaml::Int(value)) => Some(Yaml::Float(*value as f64)),
        ("null", Yaml::Null)
        | ("bool", Yaml::Bool(_))
        | ("int", Yaml::Int(_))
        | ("float", Yaml::Float(_)) => Some(resolved),
        _ => None,
    }
}

/// Counts a node with everything in it.
fn measure(node: &Node) -> Measure {
    let mut total = Measure {
        nodes: 1,
        bytes: node.as_text().map_or(0, str::len),
        height: usize::from(!node.is_scalar()),
    };
    let mut add = |inner: &Node| {
        let inner = measure(inner);
        total.nodes += inner.nodes;
        total.bytes += inner.bytes;
        total.height = total.height.max(inner.height + 1);
    };
    match &node.value {
        Yaml::Seq(items) => items.iter().for_each(add),
        Yaml::Map(entries) => entries.iter().for_each(|(key, value)| {
            add(key);
            add(value);
        }),
        _ => {}
    }
    total
}

/// A key as far as uniqueness goes: `1` and `0x1` are one key, `1` and `'1'` are two.
#[derive(PartialEq, Eq, Hash)]
enum KeyText {
    Null,
    Bool(bool),
    Int(i128),
    Float(u64),
    Text(String),
    /// Reported elsewhere; the byte offset keeps such keys apart.
    Complex(usize),
}

impl KeyText {
    fn of(key: &Node) -> Self {
        match &key.value {
            Yaml::Null => Self::Null,
            Yaml::Bool(value) => Self::Bool(*value),
            Yaml::Int(value) => Self::Int(*value),
            Yaml::Float(value) => Self::Float(value.to_bits()),
            Yaml::Text(text) => Self::Text(text.clone()),
            Yaml::Seq(_) | Yaml::Map(_) => Self::Complex(key.place.span.start),
        }
    }
}

/// A key in backticks, for messages.
fn named(key: &Node) -> String {
    match &key.value {
        Yaml::Text(text) => format!("`{text}`"),
        Yaml::Int(value) => format!("`{value}`"),
        Yaml::Float(value) => format!("`{value}`"),
        Yaml::Bool(value) => format!("`{value}`"),
        Yaml::Null | Yaml::Seq(_) | Yaml::Map(_) => "`null`".to_owned(),
    }
}
