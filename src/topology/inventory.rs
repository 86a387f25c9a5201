//! What a rule set holds, what differs between two, and the operational alert that says so.

use std::collections::BTreeMap;

use palisade_detect::engine::Engine;

use super::operational::{Kind, Notice};

/// Most rules of each kind of change that an alert names; it counts them all.
const NAMED_MAX: usize = 20;

/// Longest title that an alert names, in characters.
const TITLE_CHARS_MAX: usize = 100;

/// A rule set by rule id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory(BTreeMap<String, Entry>);

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    title: String,
    /// Hash of what it means and of everything that its alerts say of it.
    whole: blake3::Hash,
}

impl Inventory {
    /// The rules of an engine.
    pub fn of(engine: &Engine) -> Self {
        let mut rules: BTreeMap<String, (String, blake3::Hasher)> = BTreeMap::new();
        let mut add = |id: &str, title: &str, parts: [Vec<u8>; 2]| {
            let entry = rules
                .entry(id.to_owned())
                .or_insert_with(|| (title.to_owned(), blake3::Hasher::new()));
            for part in parts {
                entry.1.update(&(part.len() as u64).to_le_bytes());
                entry.1.update(&part);
            }
        };
        for rule in engine.rules() {
            let mut version = rule.version.as_bytes().to_vec();
            version.push(u8::from(rule.alerts));
            // What stands in lists is no part of a version, and yet another set.
            version.extend(rule.lists.iter().flatten());
            let meta = serde_json::to_vec(&*rule.meta).unwrap_or_default();
            add(&rule.id, &rule.meta.title, [version, meta]);
        }
        for def in engine.correlations() {
            let body = serde_json::to_vec(&**def).unwrap_or_default();
            add(&def.id, &def.title, [def.version.as_bytes().to_vec(), body]);
        }
        let entry = |(id, (title, hasher)): (String, (String, blake3::Hasher))| {
            let whole = hasher.finalize();
            (id, Entry { title, whole })
        };
        Self(rules.into_iter().map(entry).collect())
    }

    /// A digest of the whole set.
    pub fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for (id, entry) in &self.0 {
            hasher.update(&(id.len() as u64).to_le_bytes());
            hasher.update(id.as_bytes());
            hasher.update(entry.whole.as_bytes());
        }
        hasher.finalize()
    }

    /// What is different in `next`.
    pub fn changes(&self, next: &Self) -> Changes {
        let line = |(id, entry): (&String, &Entry)| {
            let title: String = entry.title.chars().take(TITLE_CHARS_MAX).collect();
            format!("{id} {title}")
        };
        let missing_in = |other: &Self, from: &Self| {
            let only = from.0.iter().filter(|(id, _)| !other.0.contains_key(*id));
            only.map(line).collect()
        };
        let differs = |(id, entry): &(&String, &Entry)| {
            self.0
                .get(*id)
                .is_some_and(|before| before.whole != entry.whole)
        };
        Changes {
            added: missing_in(self, next),
            removed: missing_in(next, self),
            changed: next.0.iter().filter(differs).map(line).collect(),
        }
    }
}

/// Rules that differ between two sets, each by id and title.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Rules that were not there before.
    pub added: Vec<String>,
    /// Rules that are no longer there.
    pub removed: Vec<String>,
    /// Rules with another meaning, title, level or the like.
    pub changed: Vec<String>,
}

impl Changes {
    /// Whether the sets are alike.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    fn kinds(&self) -> [(&'static str, &Vec<String>); 3] {
        [
            ("added", &self.added),
            ("removed", &self.removed),
            ("changed", &self.changed),
        ]
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        for (kind, rules) in self.kinds() {
            lines.extend(
                rules
                    .iter()
                    .take(NAMED_MAX)
                    .map(|rule| format!("{kind}: {rule}")),
            );
            if let Some(more) = rules.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
                lines.push(format!("{kind}: {more} more"));
            }
        }
        lines.join("\n")
    }
}

/// What an alert says of a change.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// What is different.
    Known(&'a Changes),
    /// The rules changed while the process was not running.
    Unknown,
}

impl Change<'_> {
    fn title(self) -> String {
        match self {
            Self::Known(changes) => format!(
                "Rules changed: {} added, {} removed, {} changed",
                changes.added.len(),
                changes.removed.len(),
                changes.changed.len()
            ),
            Self::Unknown => "Rules changed while Palisade was not running".to_owned(),
        }
    }

    fn description(self) -> String {
        match self {
            Self::Known(changes) => changes.text(),
            Self::Unknown => {
                "The rules differ from those that were in force before the last stop.".to_owned()
            }
        }
    }

    fn labels(self) -> BTreeMap<String, String> {
        let Self::Known(changes) = self else {
            return BTreeMap::new();
        };
        let count = |(kind, rules): (&'static str, &Vec<String>)| {
            (format!("rules_{kind}"), rules.len().to_string())
        };
        changes.kinds().map(count).into()
    }
}

/// The notice that the rules are others from here on. `bucket` is the position that it is about: rules
/// may change there and back.
pub fn notice(change: Change<'_>, digest: blake3::Hash, bucket: u64) -> Notice {
    let bucket = i64::try_from(bucket).unwrap_or(i64::MAX);
    let subject = format!("rule set {}", digest.to_hex());
    let mut notice = Notice::new(
        Kind::RulesChanged,
        (subject, bucket),
        change.title(),
        change.description(),
    );
    notice.labels = change.labels();
    notice.with_label("rule_set", &digest.to_hex())
}

#[cfg(test)]
mod tests {
    use palisade_detect::engine::EngineOptions;
    use palisade_detect::rule::RuleFile;

    use super::*;
    use crate::rules;

    fn inventory(rules: &[(u32, &str, &str)]) -> Inventory {
        let rule = |(id, title, value): &(u32, &str, &str)| {
            format!(
                "title: {title}\nid: 11111111-1111-4111-8111-{id:012}\nlogsource: {{product: p}}\n\
                 detection: {{s: {{A: {value}}}, condition: s}}\n"
            )
        };
        let text: Vec<String> = rules.iter().map(rule).collect();
        let file = RuleFile {
            name: "r.yml".into(),
            bytes: text.join("---\n").into_bytes(),
        };
        let loaded = rules::load_files(&[file], &[], EngineOptions::default());
        Inventory::of(&loaded.engine.unwrap())
    }

    #[test]
    fn a_list_with_other_entries_changes_the_rules_that_name_it() {
        let with = |entries: &str| {
            let file = |name: &str, text: &str| RuleFile {
                name: name.into(),
                bytes: text.as_bytes().to_vec(),
            };
            let rule = "title: One\nid: one\nlogsource: {product: p}\n\
                        detection: {s: {A|in_list: users}, condition: s}\n";
            let rules = [file("r.yml", rule)];
            let lists = [file("lists/users.txt", entries)];
            let loaded = rules::load_with_lists(&rules, &lists, &[], EngineOptions::default());
            assert_eq!(loaded.findings.errors(), 0);
            loaded.engine.unwrap()
        };
        let (before, after) = (with("ada\n"), with("bob\n"));
        let versions = [&before, &after].map(|engine| engine.rules()[0].version);
        assert_eq!(versions[0], versions[1], "state goes on");
        let changes = Inventory::of(&before).changes(&Inventory::of(&after));
        assert_eq!(changes.changed, ["one One"]);
        assert!(
            Inventory::of(&before)
                .changes(&Inventory::of(&with("ada\n")))
                .is_empty()
        );
    }

    #[test]
    fn what_was_added_removed_and_changed_is_told_apart() {
        let before = inventory(&[
            (1, "One", "a"),
            (2, "Two", "a"),
            (3, "Three", "a"),
            (4, "Four", "a"),
        ]);
        let after = inventory(&[
            (2, "Two", "b"),
            (3, "Third", "a"),
            (4, "Four", "a"),
            (5, "Five", "a"),
        ]);
        let changes = before.changes(&after);
        let titles = |rules: &[String]| -> Vec<String> {
            let title = |rule: &String| rule.split_once(' ').unwrap().1.to_owned();
            rules.iter().map(title).collect()
        };
        assert_eq!(titles(&changes.added), ["Five"]);
        assert_eq!(titles(&changes.removed), ["One"]);
        assert_eq!(titles(&changes.changed), ["Two", "Third"]);
        assert!(before.changes(&before).is_empty());
        assert_ne!(before.digest(), after.digest());
    }

    #[test]
    fn an_alert_names_a_few_rules_and_counts_them_all() {
        let many: Vec<(u32, &str, &str)> = (0..30).map(|id| (id, "Many", "a")).collect();
        let after = inventory(&many);
        let changes = Inventory::default().changes(&after);
        let said = |bucket| {
            let notice = notice(Change::Known(&changes), after.digest(), bucket);
            notice.alert("d", "t".to_owned())
        };
        let (one, other) = (said(7), said(8));
        assert_eq!(one.title, "Rules changed: 30 added, 0 removed, 0 changed");
        assert!(one.description.unwrap().ends_with("added: 10 more"));
        assert_eq!(one.labels["rules_added"], "30");
        assert_ne!(
            one.alert_id, other.alert_id,
            "there and back are two alerts"
        );
        assert_eq!(one.dedupe_key, other.dedupe_key);
        assert_eq!(said(7).alert_id, one.alert_id);
    }
}
