//! Tags of ATT&CK: tactics and techniques that exist and go together.

use std::collections::BTreeSet;

use super::entry::about;
use super::tags::{all_tags, tags};
use super::{Check, Found, Workspace};
use crate::attack::{self, Fate, SPLIT_TACTIC, TACTICS, Technique};
use crate::diagnostic::{code, nearest};
use crate::rule::parse::RuleDocument;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::info(code::ATTACK_MISSING, missing),
    Check::warning(code::ATTACK_UNKNOWN, unknown),
    Check::warning(code::ATTACK_UNDERSCORE, underscore),
    Check::warning(code::ATTACK_SPLIT_TACTIC, split_tactic),
    Check::warning(code::ATTACK_UNKNOWN_TECHNIQUE, unknown_technique),
    Check::warning(code::ATTACK_REVOKED, revoked),
    Check::warning(code::ATTACK_DEPRECATED, deprecated),
    Check::info(code::ATTACK_TACTIC_ALONE, tactic_alone),
    Check::info(code::ATTACK_TECHNIQUE_ALONE, technique_alone),
];

/// Without a technique the rule does not count in any view of coverage.
fn missing(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.alerting() {
        let tagged = tags(document).any(|tag| tag.within("attack").is_some());
        if !tagged {
            let place = &document.root.place;
            found.push(
                about(
                    document,
                    code::ATTACK_MISSING,
                    place,
                    "rule has no ATT&CK tag",
                )
                .with_help("name a tactic and a technique, such as `attack.t1078.004`"),
            );
        }
    }
}

/// Names under `attack` that are nothing.
fn unknown(workspace: &Workspace<'_>, found: &mut Found) {
    for tag in all_tags(workspace) {
        let Some(name) = tag.tactic_name() else {
            continue;
        };
        if name == SPLIT_TACTIC || TACTICS.iter().any(|tactic| tactic.tag == name) {
            continue;
        }
        let message = format!("`{}` is no tag of ATT&CK {}", tag.text, attack::VERSION);
        let problem = tag.about(code::ATTACK_UNKNOWN, message);
        let by_id = attack::tactic(&name).map(|tactic| format!("write `attack.{}`", tactic.tag));
        let near = || {
            let near = nearest(&name, TACTICS.iter().map(|tactic| tactic.tag))?;
            Some(format!("did you mean `attack.{near}`?"))
        };
        let help = by_id.or_else(near).unwrap_or_else(|| {
            let all: Vec<String> = TACTICS
                .iter()
                .map(|tactic| format!("`attack.{}`", tactic.tag))
                .collect();
            format!("the tactics are: {}", all.join(", "))
        });
        found.push(problem.with_help(help));
    }
}

/// Older rules write `attack.initial_access`.
fn underscore(workspace: &Workspace<'_>, found: &mut Found) {
    for tag in all_tags(workspace) {
        let Some(name) = tag.tactic_name() else {
            continue;
        };
        let known = name == SPLIT_TACTIC || attack::tactic(&name).is_some();
        if known && tag.text.contains('_') {
            let message = format!("tag `{}` has `_` where Sigma 2 has `-`", tag.text);
            let to = format!("attack.{name}");
            found.push(tag.renamed(code::ATTACK_UNDERSCORE, message, &to));
        }
    }
}

/// Version 19 split Defense Evasion in two; the technique says which one is meant.
fn split_tactic(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let mut halves = BTreeSet::new();
        for row in tags(document).filter_map(|tag| tag.technique()) {
            let row = row.successor().unwrap_or(row);
            let tactics = row.tactics.iter().map(|tactic| tactic.tag);
            halves.extend(tactics.filter(|tag| ["stealth", "defense-impairment"].contains(tag)));
        }
        let halves: Vec<&str> = halves.into_iter().collect();
        for tag in tags(document) {
            if tag.tactic_name().as_deref() != Some(SPLIT_TACTIC) {
                continue;
            }
            let message = format!(
                "tactic `{SPLIT_TACTIC}` was split in ATT&CK {}",
                attack::VERSION
            );
            found.push(match halves.as_slice() {
                [one] => {
                    let to = format!("attack.{one}");
                    tag.renamed(code::ATTACK_SPLIT_TACTIC, message, &to)
                }
                [_, _] => tag.about(code::ATTACK_SPLIT_TACTIC, message).with_help(
                    "its techniques serve both halves: write `attack.stealth` and \
                     `attack.defense-impairment`",
                ),
                _ => tag.about(code::ATTACK_SPLIT_TACTIC, message).with_help(
                    "write `attack.stealth` for hiding and `attack.defense-impairment` for \
                     disabling or weakening defenses",
                ),
            });
        }
    }
}

/// Technique ids that never were.
fn unknown_technique(workspace: &Workspace<'_>, found: &mut Found) {
    for tag in all_tags(workspace) {
        let Some(id) = tag.technique_id() else {
            continue;
        };
        if attack::technique(id).is_none() {
            let message = format!(
                "technique `{}` is not in ATT&CK {}",
                tag.text,
                attack::VERSION
            );
            let parent = id.split('.').next().and_then(attack::technique);
            let help = match parent {
                Some(parent) => format!(
                    "`{}` ({}) has no such sub-technique",
                    parent.tag(),
                    parent.name
                ),
                None => "write its id with four digits, and three for a sub-technique, such as \
                         `attack.t1078.004`"
                    .to_owned(),
            };
            found.push(
                tag.about(code::ATTACK_UNKNOWN_TECHNIQUE, message)
                    .with_help(help),
            );
        }
    }
}

/// Techniques whose place another one took.
fn revoked(workspace: &Workspace<'_>, found: &mut Found) {
    for tag in all_tags(workspace) {
        let Some((old, new)) = tag
            .technique()
            .and_then(|old| Some((old, old.successor()?)))
        else {
            continue;
        };
        let message = format!(
            "technique `{}` ({}) was revoked, now it is `{}` ({})",
            tag.text, old.name, new.id, new.name
        );
        found.push(tag.renamed(code::ATTACK_REVOKED, message, &new.tag()));
    }
}

/// Techniques that nothing took the place of.
fn deprecated(workspace: &Workspace<'_>, found: &mut Found) {
    for tag in all_tags(workspace) {
        if let Some(row) = tag.technique()
            && row.fate == Fate::Deprecated
        {
            let message = format!("technique `{}` ({}) was deprecated", tag.text, row.name);
            found.push(
                tag.about(code::ATTACK_DEPRECATED, message)
                    .with_help("nothing took its place: name what the rule sees more exactly"),
            );
        }
    }
}

/// Techniques of a document that exist today, in place of revoked ones their successors.
fn current(document: &RuleDocument) -> Vec<&'static Technique> {
    tags(document)
        .filter_map(|tag| tag.technique())
        .map(|row| row.successor().unwrap_or(row))
        .filter(|row| row.fate == Fate::Current)
        .collect()
}

/// A tactic that none of the techniques serves.
fn tactic_alone(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let techniques = current(document);
        if techniques.is_empty() {
            continue;
        }
        for tag in tags(document) {
            let Some(tactic) = tag.tactic_name().and_then(|name| attack::tactic(&name)) else {
                continue;
            };
            if !techniques.iter().any(|row| row.tactics.contains(&tactic)) {
                let message = format!("no technique of the rule serves tactic `{}`", tactic.tag);
                found.push(
                    tag.about(code::ATTACK_TACTIC_ALONE, message)
                        .with_help("name the technique that does, or take the tactic away"),
                );
            }
        }
    }
}

/// A technique of which the rule names no tactic.
fn technique_alone(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let tactics: Vec<String> = tags(document).filter_map(|tag| tag.tactic_name()).collect();
        for tag in tags(document) {
            let Some(row) = tag.technique() else {
                continue;
            };
            let row = row.successor().unwrap_or(row);
            let named = |tag: &str| {
                let split = ["stealth", "defense-impairment"].contains(&tag);
                tactics
                    .iter()
                    .any(|name| name == tag || (split && name == SPLIT_TACTIC))
            };
            if row.fate == Fate::Current && !row.tactics.iter().any(|tactic| named(tactic.tag)) {
                let message = format!("rule names no tactic of `{}` ({})", tag.text, row.name);
                let tactics = row
                    .tactics
                    .iter()
                    .map(|one| format!("`attack.{}`", one.tag));
                let tactics: Vec<String> = tactics.collect();
                found.push(
                    tag.about(code::ATTACK_TECHNIQUE_ALONE, message)
                        .with_help(format!("add one of: {}", tactics.join(", "))),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{mended, messages, rule, said_of};

    fn help(code: &str, tags: &str) -> String {
        let found = said_of(code, &[("rule.yml", &rule(&format!("tags: [{tags}]")))]);
        assert_eq!(found.len(), 1, "{tags}");
        found[0].help.clone().expect("help")
    }

    #[test]
    fn what_attack_has_passes_in_either_spelling_of_letters() {
        let tags = "tags: [attack.initial-access, attack.T1078.004, attack.g0016, attack.s0154, \
                    attack.c0024, attack.ds0029]";
        for code in ["PAL1210", "PAL1211", "PAL1214", "PAL1215", "PAL1216"] {
            assert!(messages(code, tags).is_empty(), "{code}");
        }
    }

    #[test]
    fn mistyped_tactics_and_their_ids_lead_to_the_tactic() {
        assert!(help("PAL1211", "attack.intial-access").contains("`attack.initial-access`"));
        assert!(help("PAL1211", "attack.ta0112").contains("defense-impairment"));
    }

    #[test]
    fn a_mistyped_technique_is_no_tactic() {
        for tag in ["attack.t1078.4", "attack.t99999", "attack.1078"] {
            let tags = format!("tags: [{tag}]");
            assert_eq!(messages("PAL1214", &tags).len(), 1, "{tag}");
            assert!(messages("PAL1211", &tags).is_empty(), "{tag}");
        }
        assert!(help("PAL1214", "attack.t1078.044").contains("Valid Accounts"));
    }

    #[test]
    fn the_split_tactic_becomes_the_half_that_the_techniques_serve() {
        let fixed = mended(
            "PAL1213",
            "tags: [attack.defense_evasion, attack.t1562.008]",
        );
        assert!(
            fixed.contains("[attack.defense-impairment, attack.t1562.008]"),
            "{fixed}"
        );
        let fixed = mended("PAL1213", "tags: [attack.defense-evasion, attack.t1036]");
        assert!(fixed.contains("attack.stealth"), "{fixed}");
        assert!(help("PAL1213", "attack.defense-evasion").contains("for hiding"));
        let both = "attack.defense-evasion, attack.t1036, attack.t1685";
        assert!(help("PAL1213", both).contains("both halves"));
    }

    #[test]
    fn a_fix_never_makes_the_same_tag_twice() {
        let tags = "tags: [attack.t1562.001, attack.t1685]";
        let found = said_of("PAL1215", &[("rule.yml", &rule(tags))]);
        assert_eq!((found.len(), found[0].fix.is_some()), (1, false));
    }

    #[test]
    fn a_revoked_technique_counts_as_its_successor_for_tactics() {
        let tags = "tags: [attack.defense-impairment, attack.t1562.008]";
        assert!(messages("PAL1217", tags).is_empty());
        assert!(messages("PAL1218", tags).is_empty());
        let old = "tags: [attack.defense-evasion, attack.t1562.008]";
        assert!(messages("PAL1218", old).is_empty());
        assert_eq!(
            messages("PAL1217", "tags: [attack.impact, attack.t1685]").len(),
            1
        );
        assert_eq!(messages("PAL1218", "tags: [attack.t1685]").len(), 1);
    }

    #[test]
    fn filters_need_no_attack_tag() {
        let filter = "title: f\nlogsource: {product: azure}\n\
                      filter: {rules: any, s: {A: 1}, condition: not s}\n";
        assert!(said_of("PAL1210", &[("f.yml", filter)]).is_empty());
        assert_eq!(messages("PAL1210", "tags: [tlp.red]").len(), 1);
    }
}
