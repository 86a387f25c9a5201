//! What can be said of a rule that does not load, as far as its document could be read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_detect::diagnostic::Diagnostic;
use palisade_detect::logsource::Logsource;
use palisade_detect::rule::{Level, RuleFile, Status};
use palisade_detect::yaml::{self, Node};

use super::list::{Kind, Listed, State};

/// The documents of files in which an error stands, each read when it is asked for.
pub(super) struct Sketches<'a> {
    files: BTreeMap<&'a str, &'a RuleFile>,
    documents: BTreeMap<Arc<str>, Vec<Node>>,
}

impl<'a> Sketches<'a> {
    pub(super) fn new(files: &'a [RuleFile]) -> Self {
        Self {
            files: files.iter().map(|file| (&*file.name, file)).collect(),
            documents: BTreeMap::new(),
        }
    }

    /// The rule that diagnostics name so, else the file, with an error that keeps it from loading.
    pub(super) fn listed(
        &mut self,
        key: Option<String>,
        error: &Diagnostic,
        state: State,
    ) -> Listed {
        let mut listed = Listed {
            kind: None,
            id: key,
            title: String::new(),
            level: None,
            status: None,
            logsource: None,
            file: Arc::clone(&error.place.file),
            line: error.place.line,
            version: None,
            state,
            exception: None,
        };
        if let Some(root) = self.document(listed.id.as_deref(), error) {
            fill(&mut listed, root);
        }
        listed
    }

    /// The document of this key in which the error stands.
    fn document(&mut self, key: Option<&str>, error: &Diagnostic) -> Option<&Node> {
        let (key, name) = (key?, &error.place.file);
        let file = self.files.get(&**name)?;
        let documents = self.documents.entry(Arc::clone(name)).or_insert_with(|| {
            let documents = yaml::parse_documents(&file.name, &file.bytes);
            let documents = documents.unwrap_or_default().into_iter();
            documents.map(|document| document.root).collect()
        });
        // Several of a file may have one id: the error stands in the last that begins before it.
        let begun = |root: &&Node| root.place.line <= error.place.line;
        let named = |root: &&Node| key_of(root) == Some(key);
        let before = documents.iter().filter(named).rfind(begun);
        before.or_else(|| documents.iter().find(named))
    }
}

/// How diagnostics name a document.
fn key_of(root: &Node) -> Option<&str> {
    ["id", "name", "title"]
        .into_iter()
        .find_map(|key| text(root, key))
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.get(key)?.as_text().filter(|text| !text.is_empty())
}

/// Adds what the document says and what is valid of that.
fn fill(listed: &mut Listed, root: &Node) {
    listed.line = root.place.line;
    listed.id = ["id", "name"]
        .into_iter()
        .find_map(|key| text(root, key))
        .map(str::to_owned);
    text(root, "title")
        .unwrap_or_default()
        .clone_into(&mut listed.title);
    let word = |key| text(root, key);
    listed.level =
        word("level").and_then(|name| Level::ALL.into_iter().find(|one| one.name() == name));
    listed.status =
        word("status").and_then(|name| Status::ALL.into_iter().find(|one| one.name() == name));
    listed.kind = [
        ("correlation", Kind::Correlation),
        ("filter", Kind::Filter),
        ("detection", Kind::Detection),
    ]
    .into_iter()
    .find_map(|(key, kind)| root.get(key).map(|_| kind));
    let logsource = root.get("logsource").map(|node| {
        let part = |key: &str| text(node, key).map(|text| Cow::Owned(text.to_owned()));
        Logsource {
            product: part("product"),
            category: part("category"),
            service: part("service"),
        }
    });
    listed.logsource = logsource.filter(|found| *found != Logsource::default());
}

#[cfg(test)]
mod tests {
    use palisade_detect::engine::EngineOptions;

    use super::*;
    use crate::rules;

    /// Level, title, kind, log source, status, id and place of all rules of one file.
    fn listed(text: &str) -> Vec<String> {
        let file = RuleFile {
            name: Arc::from("a.yml"),
            bytes: text.as_bytes().to_vec(),
        };
        let loaded = rules::load_files(&[file], &[], EngineOptions::default());
        let line = |rule: &Listed| {
            format!(
                "{:?} {} {:?} {} {:?} {:?} {}:{}",
                rule.level,
                rule.title,
                rule.kind,
                rule.logsource
                    .as_ref()
                    .map_or("-".to_owned(), ToString::to_string),
                rule.status,
                rule.id,
                rule.file,
                rule.line
            )
        };
        loaded.rules.iter().map(line).collect()
    }

    #[test]
    fn rule_that_does_not_load_is_listed_with_what_it_says() {
        let text = "title: First\nid: one\nlevel: high\nstatus: test\n\
                    logsource: {product: azure, service: auditlogs}\n\
                    detection: {s: {a|contain: b}, condition: s}\n---\n\
                    title: Second\nlevel: hihg\nlogsource: [azure]\n\
                    detection: {s: {a|contain: b}, condition: s}\n---\n\
                    title: Third\nname: three\ncorrelation: {type: event_cont}\n";
        assert_eq!(
            listed(text),
            [
                "Some(High) First Some(Detection) azure/auditlogs Some(Test) Some(\"one\") a.yml:1",
                "None Second Some(Detection) - None None a.yml:8",
                "None Third Some(Correlation) - None Some(\"three\") a.yml:13",
            ]
        );
    }

    #[test]
    fn of_rules_with_one_id_the_one_with_the_error_is_shown() {
        let sound = |title: &str| {
            format!(
                "title: {title}\nid: one\nlogsource: {{product: azure}}\n\
                 detection: {{s: {{a: b}}, condition: s}}\n---\n"
            )
        };
        let text = sound("First") + &sound("Second");
        let found = listed(&text);
        assert!(found[0].starts_with("None First "), "{found:?}");
        assert!(found[1].starts_with("None Second "), "{found:?}");
        assert!(found[1].ends_with("a.yml:6"), "{found:?}");
    }

    #[test]
    fn what_is_no_yaml_is_listed_as_a_file_with_the_place_of_the_error() {
        assert_eq!(listed("title: x\nid: [\n").len(), 1);
        assert!(listed("title: x\nid: [\n")[0].starts_with("None  None - None None a.yml:"));
    }
}
