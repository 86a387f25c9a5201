//! `rules:`: which rules are loaded, and what is said over them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_detect::diagnostic::{Diagnostic, Place, code, suggestion};
use palisade_detect::rule::{Level, Status, Suppress};
use palisade_detect::yaml::Node;

use super::options::{Kind, Section};
use super::reader::{From, Map, Reader};
use super::value;

/// Most overrides; a rule set has no more rules.
const OVERRIDES_MAX: usize = 50_000;

/// Which rules are loaded.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Where rules stand, in load order.
    pub paths: Vec<RulePath>,
    /// What is said over single rules; no rule is named twice.
    pub overrides: Vec<Override>,
    /// What a rule that cannot be honoured does to the start.
    pub on_error: OnRuleError,
    /// The configuration, secrets masked, to show places in; empty where rules were named by hand.
    pub text: Arc<str>,
}

/// A folder or file of rules, and which of them are wanted.
#[derive(Debug, Clone)]
pub struct RulePath {
    /// The folder or file.
    pub path: PathBuf,
    /// Only files that one of these matches; empty: all.
    pub include: Vec<Pattern>,
    /// But no file that one of these matches.
    pub exclude: Vec<Pattern>,
    /// Only rules of this level or above.
    pub min_level: Option<Level>,
    /// Only rules of one of these statuses, and rules that state none; empty: all.
    pub status: Vec<Status>,
}

/// A pattern over relative paths, as written.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// The pattern.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// What is said over one rule.
#[derive(Debug, Clone)]
pub struct Override {
    /// The rule's id, or its name.
    pub rule: String,
    /// Where it is named.
    pub place: Place,
    /// Whether it is not loaded at all.
    pub disabled: bool,
    /// Its level, in place of its own.
    pub level: Option<Level>,
    /// How long its repeats stay silent, in place of what it says.
    pub suppress: Option<Suppress>,
    /// Fields by which repeats are told apart, in place of those it names; `None`: its own.
    pub suppress_by: Option<Vec<String>>,
}

/// `on_rule_error:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRuleError {
    /// It is left out and the others load.
    Skip,
    /// Nothing starts.
    Refuse,
}

impl Rules {
    /// All rules at these paths.
    pub fn of_paths(paths: &[PathBuf]) -> Self {
        Self {
            paths: paths.iter().map(|path| RulePath::all(path)).collect(),
            overrides: Vec::new(),
            on_error: OnRuleError::Skip,
            text: Arc::from(""),
        }
    }

    /// The places of everything that may be said to be wrong once the rules are known.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        let patterns = self
            .paths
            .iter()
            .flat_map(|path| path.include.iter().chain(&path.exclude));
        let overrides = self.overrides.iter().map(|one| &one.place);
        patterns.map(|pattern| &pattern.place).chain(overrides)
    }

    /// These, and all rules at further paths.
    #[must_use]
    pub fn with_paths(mut self, paths: &[PathBuf]) -> Self {
        self.paths
            .extend(paths.iter().map(|path| RulePath::all(path)));
        self
    }
}

impl RulePath {
    /// Everything at a path.
    fn all(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            include: Vec::new(),
            exclude: Vec::new(),
            min_level: None,
            status: Vec::new(),
        }
    }
}

/// The paths of `rules:`, whatever else is wrong with it; none where that cannot be read.
pub(super) fn paths_of(rules: &Node, base: &Path) -> Vec<PathBuf> {
    let listed = rules.get("paths").unwrap_or(rules);
    let listed = listed.as_seq().unwrap_or(std::slice::from_ref(listed));
    let names = listed
        .iter()
        .filter_map(|one| one.as_text().or_else(|| one.get("path")?.as_text()));
    names
        .map(|name| base.join(name))
        .filter(|path| path.exists())
        .collect()
}

impl Reader<'_> {
    /// `rules:` and `on_rule_error:`; the text is for the caller to add.
    pub(super) fn rules(&mut self, top: &Map<'_>) -> Option<Rules> {
        let node = self.required(top, "rules")?;
        // A mapping with a path is a list of one.
        let whole = node
            .as_map()
            .is_some_and(|_| node.get("path").is_none())
            .then(|| self.open(Some(node), "rules", &[Section::Rules], &top.place));
        let paths = match &whole {
            Some(map) => {
                let listed = self.required(map, "paths")?;
                self.rule_paths(listed, "rules.paths")
            }
            None => self.rule_paths(node, "rules"),
        };
        let overrides = whole.map_or_else(Vec::new, |map| self.overrides(&map));
        let on_error = self.choice(
            top,
            "on_rule_error",
            &[OnRuleError::Skip, OnRuleError::Refuse],
        );
        Some(Rules {
            paths,
            overrides,
            on_error: on_error?,
            text: Arc::from(""),
        })
    }

    /// A list of paths, plain or with a choice; a single one stands for a list of one.
    fn rule_paths(&mut self, node: &Node, label: &str) -> Vec<RulePath> {
        let nodes = node.as_seq().unwrap_or(std::slice::from_ref(node));
        if nodes.is_empty() {
            let message = format!("`{label}` must hold at least one element");
            let help = "name a folder or file of rules";
            self.advise(code::CONFIG_VALUE, &node.place, message, help);
        }
        let mut paths = Vec::with_capacity(nodes.len());
        // Plain paths are shown as one list, as they are mostly written.
        let mut shown = Vec::new();
        let mut variables = Vec::new();
        for (number, node) in nodes.iter().enumerate() {
            if node.as_map().is_some() {
                paths.extend(self.rule_path(node, format!("{label}[{number}]")));
                continue;
            }
            let Some(text) = self.scalar(node, label, Kind::Path) else {
                continue;
            };
            match value::text(&text.text) {
                Ok(written) => {
                    let path = self.resolve(&written);
                    shown.push(serde_json::Value::from(path.display().to_string()));
                    paths.push(RulePath::all(&path));
                }
                Err(expected) => self.invalid(label, &text, expected),
            }
            if let From::File(_, names) = text.from {
                variables.extend(names);
            }
        }
        if !shown.is_empty() {
            let from = From::File(node.place.clone(), variables);
            self.entry(label.to_owned(), shown, from);
        }
        paths
    }

    fn rule_path(&mut self, node: &Node, label: String) -> Option<RulePath> {
        let map = self.open(Some(node), label, &[Section::RulePath], &node.place);
        let path = self.path(&map, "path");
        let include = self.patterns(&map, "include");
        let exclude = self.patterns(&map, "exclude");
        let min_level = self.choice(&map, "min_level", &Level::ALL);
        let names = Status::ALL.map(Status::name);
        let status = self.values(&map, "status", |text| {
            let found = Status::ALL.into_iter().find(|status| status.name() == text);
            found.ok_or_else(|| one_of(text, &names))
        });
        Some(RulePath {
            path: path?,
            include,
            exclude,
            min_level,
            status,
        })
    }

    /// Patterns with their places.
    fn patterns(&mut self, map: &Map<'_>, key: &str) -> Vec<Pattern> {
        let texts = self.values(map, key, |text| {
            let relative = !text.is_empty() && !text.starts_with('/') && !text.contains('\\');
            let expected = "expected a pattern over paths relative to `path`, such as `azure/**`";
            relative
                .then(|| text.to_owned())
                .ok_or_else(|| expected.to_owned())
        });
        let node = map.get(key);
        let nodes = node.map_or(&[][..], |node| {
            node.as_seq().unwrap_or(std::slice::from_ref(node))
        });
        // Where one was refused the places may be off by one, but then nothing is loaded either.
        let places = nodes.iter().map(|node| node.place.clone());
        texts
            .into_iter()
            .zip(places)
            .map(|(text, place)| Pattern { text, place })
            .collect()
    }

    /// `rules.overrides:`, a mapping from rules to what is said over them.
    fn overrides(&mut self, rules: &Map<'_>) -> Vec<Override> {
        let Some(node) = rules.get("overrides") else {
            return Vec::new();
        };
        let Some(entries) = node.as_map() else {
            let message = format!(
                "`rules.overrides` must be a mapping from rule ids, not {}",
                node.type_name()
            );
            let help =
                "write the id of a rule, and below it what is said over it, such as `level: low`";
            self.advise(code::CONFIG_TYPE, &node.place, message, help);
            return Vec::new();
        };
        if entries.len() > OVERRIDES_MAX {
            let message = format!("more than the limit of {OVERRIDES_MAX} overrides");
            let help = "change the rules themselves, or leave them out by `exclude`";
            self.advise(code::CONFIG_VALUE, &node.place, message, help);
            return Vec::new();
        }
        let mut known = BTreeMap::new();
        let mut overrides: Vec<Override> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let Some(rule) = key.as_text().filter(|rule| !rule.is_empty()) else {
                let message = format!("a rule id is text, not {}", key.type_name());
                let problem = Diagnostic::error(code::CONFIG_TYPE, &key.place, message);
                self.problems.push(problem.with_help("put it in quotes"));
                continue;
            };
            let id = rule.to_lowercase();
            if let Some(line) = known.insert(id, key.place.line) {
                let message = format!("`{rule}` has an override in line {line} already");
                let help = "write all that is said over the rule under one of the two";
                self.advise(code::CONFIG_CONFLICT, &key.place, message, help);
            }
            let label = format!("rules.overrides.{rule}");
            let map = self.open(Some(value), label, &[Section::Override], &key.place);
            overrides.push(self.override_of(rule, key, &map));
        }
        overrides
    }

    fn override_of(&mut self, rule: &str, key: &Node, map: &Map<'_>) -> Override {
        let disabled = self.value(map, "disabled", |text| Ok(text == "true"));
        let level = self.choice(map, "level", &Level::ALL);
        let suppress = map
            .get("suppress")
            .and_then(|node| self.suppress(node, map));
        let (suppress, suppress_by) = suppress.unzip();
        Override {
            rule: rule.to_owned(),
            place: key.place.clone(),
            disabled: disabled.unwrap_or(false),
            level,
            suppress,
            suppress_by: suppress_by.flatten(),
        }
    }

    /// `none`, or a mapping with `for` and fields.
    fn suppress(&mut self, node: &Node, map: &Map<'_>) -> Option<(Suppress, Option<Vec<String>>)> {
        let label = map.full("suppress");
        if node.as_map().is_some() {
            let map = self.open(Some(node), label, &[Section::Suppress], &map.place);
            let length = self.value(&map, "for", value::duration_above_zero)?;
            let by = map.get("by").map(|_| self.values(&map, "by", value::text));
            return Some((Suppress::For(length), by));
        }
        let text = self.scalar(node, &label, Kind::Text)?;
        if text.text != "none" {
            self.invalid(&label, &text, "expected `none` or `{for: 1h}`".to_owned());
            return None;
        }
        self.entry(label, text.text, text.from);
        Some((Suppress::None, None))
    }
}

/// What to write in place of a word that is none of these.
fn one_of(text: &str, words: &[&str]) -> String {
    suggestion(text, words.iter().copied())
        .unwrap_or_else(|| format!("expected one of `{}`", words.join("`, `")))
}
