//! Names in the event that look like one that is absent.

use std::collections::BTreeSet;

use crate::diagnostic::nearest;
use crate::value::{Event, Value};

/// Most names of one event that are looked at.
const PATHS_MAX: usize = 2_000;
/// Most names that are proposed.
const NEAR_MAX: usize = 3;
/// Longest name that is proposed, in bytes.
const PATH_BYTES_MAX: usize = 200;

/// The names in an event, gathered when they are first asked for.
#[derive(Debug, Default)]
pub(super) struct Paths(Option<BTreeSet<String>>);

impl Paths {
    /// Names present in the event that look like `absent`: equal but for case, of the same last part
    /// under another parent, or mistyped by a little; the likeliest first.
    pub(super) fn near(&mut self, absent: &str, event: &Event<'_>) -> Vec<String> {
        let paths = self.0.get_or_insert_with(|| gather(event));
        let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_lowercase();
        let wanted = last(absent);
        let folded = absent.to_lowercase();
        let present = || paths.iter().filter(|path| *path != absent);
        let by_case = present().filter(|path| path.to_lowercase() == folded);
        let elsewhere = present().filter(|path| last(path) == wanted);
        let names = present().map(String::as_str);
        let mistyped = nearest(absent, names.clone());
        // `userName` for `properties.username`: the last part alone is mistyped.
        let lasts: BTreeSet<&str> = names
            .clone()
            .filter_map(|path| path.rsplit('.').next())
            .collect();
        let part = absent.rsplit('.').next().unwrap_or_default();
        let alike = nearest(part, lasts);
        let by_part = names.filter(|path| alike.is_some() && path.rsplit('.').next() == alike);
        let mut near: Vec<String> = Vec::new();
        let all = by_case
            .chain(elsewhere)
            .map(String::as_str)
            .chain(mistyped)
            .chain(by_part);
        for path in all {
            if !near.iter().any(|known| known == path) {
                near.push(path.to_owned());
            }
            if near.len() == NEAR_MAX {
                break;
            }
        }
        near
    }
}

fn gather(event: &Event<'_>) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    below(&event.root, &mut String::new(), &mut paths);
    paths
}

fn below(value: &Value<'_>, path: &mut String, paths: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => {
            for item in items {
                below(item, path, paths);
            }
        }
        Value::Object(object) => {
            for (key, inner) in object.members() {
                let before = path.len();
                if paths.len() >= PATHS_MAX || before + key.len() > PATH_BYTES_MAX {
                    continue;
                }
                if before > 0 {
                    path.push('.');
                }
                path.push_str(key);
                paths.insert(path.clone());
                below(inner, path, paths);
                path.truncate(before);
            }
        }
        _ => {}
    }
}
