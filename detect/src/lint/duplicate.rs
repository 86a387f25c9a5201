//! Duplicates: what stands twice.

use std::collections::{BTreeSet, HashMap};

use super::entry::{about, remove_element, text, texts};
use super::{Check, Found, Rule, Workspace};
use crate::diagnostic::{Place, code};
use crate::engine;
use crate::rule::{Correlation, Detection};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::warning(code::SAME_LOGIC, same_logic),
    Check::warning(code::SAME_TITLE, same_title),
    Check::info(code::ENTRY_TWICE, entry_twice),
];

/// Where the first one stands, for help.
fn first(place: &Place) -> String {
    format!(
        "the first one stands in `{}`, line {}",
        place.file, place.line
    )
}

/// Two rules that find the same raise two alerts for each event.
fn same_logic(workspace: &Workspace<'_>, found: &mut Found) {
    let mut seen: HashMap<String, (&Place, &str)> = HashMap::new();
    for (document, rule) in workspace.loaded() {
        let logic = match rule {
            Rule::Detection(rule) => detection(rule),
            Rule::Correlation(rule) => correlation(rule),
            Rule::Filter(_) => continue,
        };
        let place = &document.root.place;
        let Some((other, title)) = seen.get(&logic) else {
            seen.insert(logic, (place, &rule.meta().title));
            continue;
        };
        let message = format!("rule finds exactly what `{title}` finds");
        found.push(
            about(document, code::SAME_LOGIC, place, message).with_help(format!(
                "{}; each event that fits raises both: keep one",
                first(other)
            )),
        );
    }
}

/// What a detection rule means, its title and such aside.
fn detection(rule: &Detection) -> String {
    engine::version_of(rule).to_string()
}

/// What a correlation means. The text of its parts is compared, which never leaves this process.
fn correlation(rule: &Correlation) -> String {
    let rules: Vec<&str> = rule.rules.iter().map(|(name, _)| &**name).collect();
    let group = (&rule.group_by, rule.timespan, &rule.aliases);
    format!("{:?} {rules:?} {group:?} {}", rule.kind, rule.generate)
}

/// Two rules of one title cannot be told apart in a list of alerts.
fn same_title(workspace: &Workspace<'_>, found: &mut Found) {
    let mut seen: HashMap<String, &Place> = HashMap::new();
    for document in workspace.documents {
        let Some((node, title)) = text(document, "title").filter(|(_, title)| !title.is_empty())
        else {
            continue;
        };
        // A template's title stands once and goes to all its rules.
        match seen.get(&title.to_lowercase()) {
            Some(other) if **other != node.place => {
                let message = format!("title `{title}` is that of another rule");
                found.push(
                    about(document, code::SAME_TITLE, &node.place, message)
                        .with_help(format!("{}; say how the two differ", first(other))),
                );
            }
            Some(_) => {}
            None => {
                seen.insert(title.to_lowercase(), &node.place);
            }
        }
    }
}

/// The same element twice in a list of metadata.
fn entry_twice(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        for key in ["references", "falsepositives", "fields"] {
            let mut seen = BTreeSet::new();
            for (node, entry) in texts(document, key) {
                if seen.insert(entry) {
                    continue;
                }
                let message = format!("`{entry}` stands twice under `{key}`");
                let problem = about(document, code::ENTRY_TWICE, &node.place, message)
                    .with_help("take one of them away");
                found.push(match remove_element(workspace.bytes(document), node) {
                    Some(edit) => problem.with_fix("take the second one away", vec![edit]),
                    None => problem,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{mended, rule, said_of, titled};

    #[test]
    fn rules_of_one_logic_are_found_whatever_their_metadata() {
        let (one, two) = (titled("One"), titled("Two"));
        let two = format!("level: low\n{two}");
        let found = said_of("PAL1301", &[("1.yml", &one), ("2.yml", &two)]);
        assert_eq!(found.len(), 1);
        assert_eq!(&*found[0].place.file, "2.yml");
        assert!(found[0].message.contains("`One`"));
        for other in [two.replace("A: 1", "A: 2"), two.replace("azure", "aws")] {
            let found = said_of("PAL1301", &[("1.yml", &one), ("2.yml", &other)]);
            assert!(found.is_empty(), "{other}");
        }
    }

    #[test]
    fn correlations_of_one_logic_are_found() {
        let base = format!("name: base\n{}", titled("Base"));
        let over = |title: &str, count: u8| {
            format!(
                "title: {title}\ncorrelation: {{type: event_count, rules: [base], timespan: 1m, \
                 condition: {{gte: {count}}}}}\n"
            )
        };
        let of = |count| {
            let files = [
                ("0.yml", &*base),
                ("1.yml", &over("a", 2)),
                ("2.yml", &over("b", count)),
            ];
            said_of("PAL1301", &files).len()
        };
        assert_eq!((of(2), of(3)), (1, 0));
    }

    #[test]
    fn titles_are_compared_without_case_and_a_templates_title_is_one() {
        let of = |two: &str| said_of("PAL1302", &[("1.yml", &titled("One")), ("2.yml", two)]).len();
        assert_eq!((of(&titled("ONE")), of(&titled("Two"))), (1, 0));
        let template = format!(
            "action: global\ntitle: Shared\nlogsource: {{product: azure}}\n---\n{body}---\n{body}",
            body = "detection: {s: {A: 1}, condition: s}\n"
        );
        assert!(said_of("PAL1302", &[("r.yml", &template)]).is_empty());
    }

    #[test]
    fn an_entry_that_stands_twice_is_taken_away() {
        let meta = "references:\n  - https://a\n  - https://b\n  - https://a\nlevel: low";
        let after = "references:\n  - https://a\n  - https://b\nlevel: low";
        assert_eq!(mended("PAL1303", meta), rule(after));
    }
}
