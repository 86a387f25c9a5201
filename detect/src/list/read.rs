//! Files to lists.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use ipnet::IpNet;

use super::table::{Arena, Ranges, Span, Table};
use super::{
    ENTRY_BYTES_MAX, Format, Kind, LIST_BYTES_MAX, LIST_ENTRIES_MAX, LIST_PROBLEMS_MAX, List,
    ListFile,
};
use crate::diagnostic::{Diagnostic, Place, code, suggestion};
use crate::yaml::{self, Node, Yaml};

/// Reads a list.
pub(super) fn read(file: ListFile, column: Option<&str>) -> Result<List, Vec<Diagnostic>> {
    let name = file.name;
    let over = |what: String| {
        let message = format!("list has more than the limit of {what}");
        vec![Diagnostic::error(
            code::LIST_LIMIT,
            &Place::start_of(&name),
            message,
        )]
    };
    if file.bytes.len() > LIST_BYTES_MAX {
        return Err(over(format!("{LIST_BYTES_MAX} bytes")));
    }
    if column.is_some() && file.format != Format::Csv {
        let message = "only a list in a `.csv` file has columns";
        let place = Place::start_of(&name);
        return Err(vec![Diagnostic::error(code::LIST_ENTRY, &place, message)]);
    }
    let mut reader = Reader {
        name: Arc::clone(&name),
        arena: Arena::default(),
        exact: Vec::new(),
        suffixes: Vec::new(),
        nets: Vec::new(),
        problems: Vec::new(),
        doubts: Vec::new(),
        doubted: 0,
    };
    if file.format == Format::Yml {
        reader.yml(&file.bytes);
    } else {
        match String::from_utf8(file.bytes) {
            Ok(text) => reader.arena.file = text,
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let bytes = error.as_bytes().get(..at).unwrap_or_default();
                let line = bytes.split(|byte| *byte == b'\n').count();
                let at = At {
                    line: u32::try_from(line).unwrap_or(u32::MAX),
                    line_start: 0,
                    span: 0..0,
                };
                reader.problem(at, "line is not UTF-8", None);
            }
        }
        match file.format {
            Format::Csv => reader.csv(column),
            Format::Txt | Format::Yml => reader.txt(),
        }
    }
    if reader.count() > LIST_ENTRIES_MAX {
        return Err(over(format!("{LIST_ENTRIES_MAX} entries")));
    }
    reader.finish()
}

/// What has been read so far.
struct Reader {
    name: Arc<str>,
    arena: Arena,
    exact: Vec<Span>,
    suffixes: Vec<Span>,
    nets: Vec<IpNet>,
    problems: Vec<Diagnostic>,
    doubts: Vec<Diagnostic>,
    /// How many entries are doubted; not all of them are named.
    doubted: usize,
}

/// Where an entry stands in the file: its line, the line's first byte, and its bytes.
#[derive(Debug, Clone)]
struct At {
    line: u32,
    line_start: usize,
    span: Range<usize>,
}

/// What an entry means; places are within the entry.
#[derive(Debug)]
enum Meant {
    Exact,
    /// What follows so many bytes.
    Suffix(usize),
    Net(IpNet),
}

/// Why an entry means nothing, and what to do.
type Wrong = (String, Option<String>);

/// What an entry means under a kind, or by its looks.
fn meant(entry: &str, kind: Option<Kind>) -> Result<Meant, Wrong> {
    if entry.len() > ENTRY_BYTES_MAX {
        let message = format!("entry is longer than the limit of {ENTRY_BYTES_MAX} bytes");
        return Err((message, None));
    }
    if entry.contains(char::is_control) {
        return Err(("entry holds a control character".to_owned(), None));
    }
    let address = |text: &str| text.parse::<IpAddr>().is_ok();
    let looks = || match entry.split_once('/') {
        _ if address(entry) => Kind::Cidr,
        Some((before, _)) if address(before) => Kind::Cidr,
        _ if entry.len() > 1 && (entry.starts_with("*.") || entry.starts_with('.')) => Kind::Suffix,
        _ => Kind::Exact,
    };
    match kind.unwrap_or_else(looks) {
        Kind::Cidr => range(entry).map(Meant::Net),
        Kind::Suffix => {
            let lead = ["*.", "."].into_iter().find(|lead| entry.starts_with(lead));
            let lead = lead.map_or(0, str::len);
            match entry.get(lead..) {
                Some(rest) if !rest.is_empty() && !rest.contains('*') => Ok(Meant::Suffix(lead)),
                _ => Err(wildcard()),
            }
        }
        Kind::Exact if kind.is_none() && entry.contains('*') => Err(wildcard()),
        Kind::Exact => Ok(Meant::Exact),
    }
}

/// Whether a whole value looks like an address or a range, and so was probably meant as one: as such it
/// would be found in no event.
fn nearly_address(entry: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // Four numbers, or in front of a prefix at most four.
    let numbers = |text: &str, least: usize| {
        let parts = text.split('.');
        let short = |part: &str| (1..=3).contains(&part.len()) && digits(part);
        (least..=4).contains(&parts.clone().count()) && parts.clone().all(short)
    };
    let groups = |text: &str| {
        let hex = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        text.matches(':').count() >= 2 && text.bytes().all(hex)
    };
    let address = |text: &str| text.parse::<IpAddr>().is_ok();
    if let Some((before, after)) = entry.split_once('/') {
        let prefix = !after.is_empty() && after.len() <= 3 && digits(after);
        return prefix && (numbers(before, 1) || groups(before)) && range(entry).is_err();
    }
    let from_to = entry.split_once('-');
    let ends = |(from, to): (&str, &str)| address(from.trim()) && address(to.trim());
    numbers(entry, 4) && !address(entry) || from_to.is_some_and(ends)
}

fn wildcard() -> Wrong {
    let help = "write `*.name` for a suffix; where the star itself is meant, write the list in YAML \
                with `kind: exact`";
    (
        "a star can only stand as `*.` in front of a suffix".to_owned(),
        Some(help.to_owned()),
    )
}

/// An address or a range without host bits.
fn range(entry: &str) -> Result<IpNet, Wrong> {
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let net: IpNet = entry.parse().map_err(|_| {
        let help = "write an address or a range such as `10.0.0.0/8` or `2001:db8::/32`";
        (
            "entry is no address range".to_owned(),
            Some(help.to_owned()),
        )
    })?;
    if net.addr() == net.network() {
        return Ok(net);
    }
    let help = format!("did you mean `{}`?", net.trunc());
    let message = "address has bits set outside the prefix";
    Err((message.to_owned(), Some(help)))
}

impl Reader {
    fn count(&self) -> usize {
        self.exact.len() + self.suffixes.len() + self.nets.len()
    }

    /// Whether there is no use in reading on.
    fn full(&self) -> bool {
        self.problems.len() >= LIST_PROBLEMS_MAX || self.count() > LIST_ENTRIES_MAX
    }

    /// Reports a problem of an entry.
    fn problem(&mut self, at: At, message: &str, help: Option<String>) {
        let place = self.place(at);
        self.push(&place, message, help);
    }

    /// The place of an entry.
    fn place(&self, at: At) -> Place {
        let before = self.arena.file.get(at.line_start..at.span.start);
        let before = before.map_or(0, |text| text.chars().count());
        Place {
            file: Arc::clone(&self.name),
            span: at.span,
            line: at.line,
            column: u32::try_from(before + 1).unwrap_or(u32::MAX),
        }
    }

    /// Reports that a whole value was probably meant as an address.
    fn doubt(&mut self, place: &Place) {
        self.doubted += 1;
        if self.doubts.len() < LIST_PROBLEMS_MAX {
            let message = "entry looks like an address or a range, but is taken as a whole value";
            let help = "write an address or a range such as `10.0.0.0/8` or `2001:db8::/32`; where the \
                        text itself is meant, write the list in YAML with `kind: exact`";
            let doubt = Diagnostic::warning(code::LIST_ADDRESS, place, message);
            self.doubts.push(doubt.with_help(help));
        }
    }

    fn push(&mut self, place: &Place, message: &str, help: Option<String>) {
        if self.problems.len() < LIST_PROBLEMS_MAX {
            let problem = Diagnostic::error(code::LIST_ENTRY, place, message);
            self.problems.push(problem.with_help_from(help));
        }
    }

    /// Takes an entry that stands in the file as it is meant.
    fn in_file(&mut self, at: At) {
        let entry = self.arena.file.get(at.span.clone()).unwrap_or_default();
        let wrong = match meant(entry, None) {
            Ok(Meant::Net(net)) => return self.nets.push(net),
            Ok(Meant::Exact) => {
                if nearly_address(entry) {
                    let place = self.place(at.clone());
                    self.doubt(&place);
                }
                return self.exact.extend(Arena::span(at.span.start, at.span.len()));
            }
            Ok(Meant::Suffix(lead)) => {
                let span = Arena::span(at.span.start + lead, at.span.len() - lead);
                return self.suffixes.extend(span);
            }
            Err(wrong) => wrong,
        };
        self.problem(at, &wrong.0, wrong.1);
    }

    /// Takes an entry that does not; says what is wrong with it.
    fn made(&mut self, entry: &str, kind: Option<Kind>) -> Result<(), Wrong> {
        match meant(entry, kind)? {
            Meant::Net(net) => self.nets.push(net),
            Meant::Exact => self.exact.extend(self.arena.add(entry)),
            Meant::Suffix(lead) => {
                let rest = entry.get(lead..).unwrap_or_default();
                self.suffixes.extend(self.arena.add(rest));
            }
        }
        Ok(())
    }

    /// One entry a line.
    fn txt(&mut self) {
        let mut start = bom(&self.arena.file);
        let mut line = 0_u32;
        while start < self.arena.file.len() && !self.full() {
            let rest = self.arena.file.get(start..).unwrap_or_default();
            let (written, after) = match rest.find('\n') {
                Some(end) => (rest.get(..end).unwrap_or_default(), start + end + 1),
                None => (rest, self.arena.file.len()),
            };
            line = line.saturating_add(1);
            let entry = without_comment(written).trim();
            if !entry.is_empty() {
                let lead = written.len() - written.trim_start().len();
                let begins = start + lead;
                let at = At {
                    line,
                    line_start: start,
                    span: begins..begins + entry.len(),
                };
                self.in_file(at);
            }
            start = after;
        }
    }

    /// A header and rows; a field in quotes may hold commas, line breaks and doubled quotes.
    fn csv(&mut self, column: Option<&str>) {
        let mut cursor = Cursor {
            at: bom(&self.arena.file),
            line: 1,
            line_start: 0,
        };
        let Some(wanted) = self.header(&mut cursor, column) else {
            return;
        };
        while cursor.at < self.arena.file.len() && !self.full() {
            let mut number = 0;
            loop {
                let Some(field) = cursor.field(&self.arena.file) else {
                    return self.unclosed(&cursor);
                };
                if number == wanted {
                    self.csv_entry(&field);
                }
                number += 1;
                if field.last {
                    break;
                }
            }
        }
    }

    /// Reports a quote that is never closed.
    fn unclosed(&mut self, cursor: &Cursor) {
        let at = At {
            line: cursor.line,
            line_start: cursor.line_start,
            span: cursor.at..cursor.at,
        };
        self.problem(at, "field in quotes has no end", None);
    }

    /// Which field of a row is wanted.
    fn header(&mut self, cursor: &mut Cursor, column: Option<&str>) -> Option<usize> {
        let mut names = Vec::new();
        while cursor.at < self.arena.file.len() {
            let Some(field) = cursor.field(&self.arena.file) else {
                self.unclosed(cursor);
                return None;
            };
            let written = self.arena.file.get(field.at.span.clone());
            names.push(written.unwrap_or_default().trim().to_owned());
            if field.last {
                break;
            }
        }
        let Some(column) = column else {
            return Some(0);
        };
        let found = names.iter().position(|name| name == column);
        if found.is_none() {
            let message = format!("list has no column `{column}`");
            let help = suggestion(column, names.iter().map(String::as_str));
            let at = At {
                line: 1,
                line_start: 0,
                span: 0..0,
            };
            self.problem(at, &message, help);
        }
        found
    }

    fn csv_entry(&mut self, field: &Field) {
        let written = self.arena.file.get(field.at.span.clone());
        let written = written.unwrap_or_default();
        if field.quoted && written.contains('"') {
            let entry = written.replace("\"\"", "\"");
            if let Err((message, help)) = self.made(&entry, None) {
                self.problem(field.at.clone(), &message, help);
            }
            return;
        }
        let entry = written.trim();
        let lead = written.len() - written.trim_start().len();
        let begins = field.at.span.start + lead;
        if !entry.is_empty() {
            let span = begins..begins + entry.len();
            self.in_file(At {
                span,
                ..field.at.clone()
            });
        }
    }

    /// A list of scalars, or a mapping with `kind` and `entries`.
    fn yml(&mut self, bytes: &[u8]) {
        let roots = match yaml::parse(&self.name, bytes) {
            Ok(roots) => roots,
            Err(problems) => return self.problems.extend(problems),
        };
        let [root] = roots.as_slice() else {
            let place = Place::start_of(&self.name);
            return self.push(&place, "a list is one YAML document", None);
        };
        let (kind, entries) = match root.as_map() {
            None => (None, Some(root)),
            Some(_) => (self.kind(root), root.get_some("entries")),
        };
        let Some(entries) = entries.and_then(Node::as_seq) else {
            let help = "write `[a, b]`, or `{kind: suffix, entries: [a, b]}`; kinds are `exact`, \
                        `cidr` and `suffix`";
            let message = "a list is a sequence, or a mapping with `entries`";
            return self.push(&root.place, message, Some(help.to_owned()));
        };
        for node in entries {
            if self.full() {
                return;
            }
            let entry = match &node.value {
                Yaml::Text(text) => text.trim().to_owned(),
                Yaml::Int(number) => number.to_string(),
                _ => {
                    let message = format!("an entry is text, not {}", node.type_name());
                    let help = "put it in quotes, so that it is taken as it stands".to_owned();
                    self.push(&node.place, &message, Some(help));
                    continue;
                }
            };
            if entry.is_empty() {
                self.push(&node.place, "entry is empty", None);
            } else if let Err((message, help)) = self.made(&entry, kind) {
                self.push(&node.place, &message, help);
            } else if kind.is_none() && nearly_address(&entry) {
                self.doubt(&node.place);
            }
        }
    }

    /// The kind of all entries of a mapping.
    fn kind(&mut self, root: &Node) -> Option<Kind> {
        for (key, _) in root.as_map().unwrap_or_default() {
            if !matches!(key.as_text(), Some("kind" | "entries")) {
                let message = "a list has `kind` and `entries` only";
                self.push(&key.place, message, None);
            }
        }
        let node = root.get_some("kind")?;
        let kind = match node.as_text() {
            Some("exact") => Some(Kind::Exact),
            Some("cidr") => Some(Kind::Cidr),
            Some("suffix") => Some(Kind::Suffix),
            _ => None,
        };
        if kind.is_none() {
            let message = "`kind` is `exact`, `cidr` or `suffix`";
            self.push(&node.place, message, None);
        }
        kind
    }

    fn finish(self) -> Result<List, Vec<Diagnostic>> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let mut doubts = self.doubts;
        if let Some(last) = doubts.last_mut()
            && self.doubted > LIST_PROBLEMS_MAX
        {
            let more = self.doubted - LIST_PROBLEMS_MAX;
            let more = format!(" (and {more} more of this kind in the file)");
            last.message.push_str(&more);
        }
        if self.exact.len() + self.suffixes.len() + self.nets.len() == 0 {
            let place = Place::start_of(&self.name);
            let empty = Diagnostic::warning(code::LIST_EMPTY, &place, "list has no entries");
            doubts.push(empty.with_help(
                "no value is on it, so that what asks for one on it never holds; write entries, or take \
                 the list out of the rules",
            ));
        }
        let arena = Arc::new(self.arena);
        Ok(List {
            exact: Table::new(&arena, self.exact),
            suffixes: Table::new(&arena, self.suffixes),
            ranges: Ranges::new(&self.nets),
            doubts,
            ..List::default()
        })
    }
}

/// Bytes of a byte order mark at the start.
fn bom(text: &str) -> usize {
    if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    }
}

/// A line up to its comment: a `#` at its start or behind a space.
fn without_comment(line: &str) -> &str {
    let signs = line.match_indices('#').map(|(at, _)| at);
    let before = |at: usize| line.get(..at).unwrap_or_default();
    let mut begins = signs.filter(|at| *at == 0 || before(*at).ends_with(char::is_whitespace));
    begins.next().map_or(line, before)
}

/// Where reading of a CSV file has come.
struct Cursor {
    at: usize,
    line: u32,
    line_start: usize,
}

/// A field of a CSV file.
struct Field {
    /// Its text, quotes apart.
    at: At,
    quoted: bool,
    /// Whether its row ends with it.
    last: bool,
}

impl Cursor {
    /// The next field; `None` if its quote has no end.
    fn field(&mut self, text: &str) -> Option<Field> {
        let bytes = text.as_bytes();
        let (line, line_start) = (self.line, self.line_start);
        let (mut next_line, mut next_start) = (line, line_start);
        let quoted = bytes.get(self.at) == Some(&b'"');
        let begin = self.at + usize::from(quoted);
        let mut end = begin;
        if quoted {
            loop {
                match bytes.get(end)? {
                    b'"' if bytes.get(end + 1) == Some(&b'"') => end += 2,
                    b'"' => break,
                    b'\n' => {
                        end += 1;
                        next_line = next_line.saturating_add(1);
                        next_start = end;
                    }
                    _ => end += 1,
                }
            }
        }
        let mut next = end;
        while !matches!(bytes.get(next), None | Some(b',' | b'\n')) {
            next += 1;
        }
        let end = if quoted { end } else { next };
        let last = bytes.get(next) != Some(&b',');
        self.at = (next + 1).min(bytes.len());
        if last {
            next_line = next_line.saturating_add(1);
            next_start = self.at;
        }
        (self.line, self.line_start) = (next_line, next_start);
        let at = At {
            line,
            line_start,
            span: begin..end,
        };
        Some(Field { at, quoted, last })
    }
}
