//! Field names to values.
//!
//! A literal key wins over the nested reading of a name with dots; at every level the longest
//! literal key is tried first. A path continues in all elements of an array. Where the log type
//! says that a value is not what it looks like, what it stands for is found besides it.

use std::cell::RefCell;
use std::net::IpAddr;

use smallvec::SmallVec;

use super::{Text, Value};
use crate::event::Reading;
use crate::time::Timestamp;

/// Most addresses read from one list.
const ADDRESSES_MAX: usize = 32;

/// A parsed event together with how its log type is read.
#[derive(Debug)]
pub struct Event<'a> {
    /// The tree.
    pub root: Value<'a>,
    /// The log type's readings.
    pub readings: &'a [(&'static str, Reading)],
}

/// A value that a name leads to.
#[derive(Debug, Clone)]
pub enum Seen<'t, 'a> {
    /// It stands in the event.
    In(&'t Value<'a>),
    /// It was read out of another value.
    Made(Value<'static>),
}

/// Values that a name leads to.
pub type Found<'t, 'a> = SmallVec<[Seen<'t, 'a>; 4]>;

impl<'a> Seen<'_, 'a> {
    /// The value.
    pub fn value(&self) -> &Value<'a> {
        match self {
            Self::In(value) => value,
            Self::Made(value) => value,
        }
    }
}

impl<'a> Event<'a> {
    /// An event that is read as it stands.
    pub fn plain(root: Value<'a>) -> Self {
        Self {
            root,
            readings: &[],
        }
    }

    /// All values that a name leads to; none if the field is absent.
    pub fn find(&self, path: &str) -> Found<'_, 'a> {
        let mut found = Found::new();
        self.walker(path).walk(&self.root, 0, &mut found);
        found
    }

    /// The first scalar that is not null under the first of several names that has one, as text.
    pub fn first_text(&self, paths: &[String]) -> Option<String> {
        paths.iter().find_map(|path| {
            let found = self.find(path);
            let mut text = None;
            for seen in &found {
                let stop = &mut |scalar: &Value<'a>| {
                    text = scalar.as_text().map(std::borrow::Cow::into_owned);
                    text.is_some()
                };
                if seen.value().any_scalar(stop) {
                    break;
                }
            }
            text
        })
    }

    /// The texts of the scalars that a name leads to, each with the array elements it stands in. Where
    /// a value is not what it looks like, what it stands for is given instead.
    pub fn find_placed(&self, path: &str) -> Vec<(Trail, String)> {
        let mut walker = self.walker(path);
        walker.trails = Some(RefCell::default());
        let mut found = Found::new();
        walker.walk(&self.root, 0, &mut found);
        let trails = walker
            .trails
            .map(RefCell::into_inner)
            .unwrap_or_default()
            .found;
        let mut placed = Vec::new();
        for (place, (seen, trail)) in found.iter().zip(&trails).enumerate() {
            let read_as = matches!(found.get(place + 1), Some(Seen::Made(_)));
            if matches!(seen, Seen::In(_)) && read_as {
                continue;
            }
            let mut element = 0;
            let whole = !matches!(seen.value(), Value::Array(_));
            seen.value().any_scalar(&mut |scalar| {
                let mut trail = trail.clone();
                if !whole {
                    trail.push((path.len(), element));
                    element += 1;
                }
                placed.extend(scalar.as_text().map(|text| (trail, text.into_owned())));
                false
            });
        }
        placed
    }

    fn walker<'w>(&'w self, path: &'w str) -> Walker<'w> {
        Walker {
            path,
            readings: self.readings,
            trails: None,
        }
    }
}

struct Walker<'w> {
    path: &'w str,
    readings: &'w [(&'static str, Reading)],
    /// Kept only where it is asked for.
    trails: Option<RefCell<Trails>>,
}

/// Array elements on the way to a value: how far the path had come, and which element it was.
pub type Trail = Vec<(usize, usize)>;

#[derive(Debug, Default)]
struct Trails {
    here: Trail,
    /// One for each value found.
    found: Vec<Trail>,
}

impl Walker<'_> {
    /// Follows the path from `value`, of which the first `at` bytes are behind.
    fn walk<'t, 'a>(&self, value: &'t Value<'a>, at: usize, found: &mut Found<'t, 'a>) {
        match value {
            Value::Array(items) => {
                for (element, item) in items.iter().enumerate() {
                    self.note(|trails| trails.here.push((at, element)));
                    self.walk(item, at, found);
                    self.note(|trails| {
                        trails.here.pop();
                    });
                }
            }
            Value::Object(_) => self.step(value, at, found),
            Value::Text(text) if self.says(self.behind(at), Reading::JsonText) => {
                if let Some(inner) = text.inner() {
                    self.walk_inner(inner, at, found);
                }
            }
            _ => {}
        }
    }

    /// As [`Walker::walk`], inside text; a text in it is text for good.
    fn walk_inner<'t, 'a>(&self, value: &'t Value<'a>, at: usize, found: &mut Found<'t, 'a>) {
        if !matches!(value, Value::Text(_)) {
            self.walk(value, at, found);
        }
    }

    fn step<'t, 'a>(&self, value: &'t Value<'a>, at: usize, found: &mut Found<'t, 'a>) {
        let Some(object) = value.as_object() else {
            return;
        };
        let fold = self.says(self.behind(at), Reading::KeysFoldCase);
        let get = |key: &str| {
            if fold {
                object.get_fold(key)
            } else {
                object.get(key)
            }
        };
        let rest = self.path.get(at..).unwrap_or_default();
        // Names are short, so looking at each byte is the fastest search.
        if !object.has_dotted_keys()
            && let Some(cut) = rest.bytes().position(|byte| byte == b'.')
        {
            if let Some(child) = rest.get(..cut).and_then(get) {
                self.walk(child, at + cut + 1, found);
            }
            return;
        }
        if let Some(end) = get(rest) {
            let before = found.len();
            found.push(Seen::In(end));
            self.read(end, found);
            self.note(|trails| {
                let new = std::iter::repeat_n(trails.here.clone(), found.len() - before);
                trails.found.extend(new);
            });
            return;
        }
        let before = found.len();
        for (cut, _) in rest.rmatch_indices('.') {
            let Some(child) = rest.get(..cut).and_then(get) else {
                continue;
            };
            self.walk(child, at + cut + 1, found);
            if found.len() > before {
                return;
            }
        }
    }

    fn note(&self, change: impl FnOnce(&mut Trails)) {
        if let Some(trails) = &self.trails {
            change(&mut trails.borrow_mut());
        }
    }

    /// The part of the path that leads to the value at hand.
    fn behind(&self, at: usize) -> &str {
        self.path.get(..at.saturating_sub(1)).unwrap_or_default()
    }

    fn says(&self, path: &str, reading: Reading) -> bool {
        self.readings
            .iter()
            .any(|(at, kind)| *kind == reading && at.eq_ignore_ascii_case(path))
    }

    /// Adds what the value at the path's end stands for.
    fn read<'a>(&self, value: &Value<'a>, found: &mut Found<'_, 'a>) {
        for (path, reading) in self.readings {
            if !path.eq_ignore_ascii_case(self.path) {
                continue;
            }
            value.any_scalar(&mut |scalar| {
                if let Value::Text(text) = scalar {
                    found.extend(stands_for(*reading, text).into_iter().map(Seen::Made));
                }
                false
            });
        }
    }
}

/// What a text stands for under a reading, besides itself.
pub(crate) fn stands_for(reading: Reading, text: &Text<'_>) -> Vec<Value<'static>> {
    let raw = text.raw();
    match reading {
        Reading::JsonText => match text.inner() {
            None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => Vec::new(),
            Some(scalar) => vec![scalar.clone()],
        },
        // A time that rules can read stays as it was written, its zone included.
        Reading::Time => match Timestamp::parse_rfc3339(raw) {
            Some(_) => Vec::new(),
            None => Timestamp::parse_any(raw)
                .map(|time| Value::text(time.to_string()))
                .into_iter()
                .collect(),
        },
        Reading::Address => addresses(raw),
        Reading::KeysFoldCase => Vec::new(),
    }
}

/// The addresses of a list by commas, each without its port.
fn addresses(text: &str) -> Vec<Value<'static>> {
    if text.parse::<IpAddr>().is_ok() {
        return Vec::new();
    }
    text.split(',')
        .take(ADDRESSES_MAX)
        .filter_map(|part| address(part.trim()))
        .map(|address| Value::text(address.to_owned()))
        .collect()
}

/// The address in `1.2.3.4`, `1.2.3.4:443`, `[::1]:443`, as written.
fn address(text: &str) -> Option<&str> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.parse::<IpAddr>().is_ok() => text,
        None => text.split_once(':')?.0,
    };
    bare.parse::<IpAddr>().is_ok().then_some(bare)
}
