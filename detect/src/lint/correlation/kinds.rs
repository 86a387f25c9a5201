//! Fields of correlations whose values were seen to be of the wrong kind.

use std::collections::BTreeSet;

use super::{Rules, correlations, counted_fields, finding, paths, place_of_name};
use crate::diagnostic::code;
use crate::lint::fields::{holds_object, judged, names, sure};
use crate::lint::{Found, Workspace};
use crate::observed::{Kind, Known, Observed};
use crate::rule::parse::RuleDocument;
use crate::rule::{Correlation, CorrelationKind};

/// Where the fields stand that are counted or computed with.
const COUNTED: [&str; 2] = ["condition", "field"];

/// Takes a correlation, the name of a field, and the kinds that it was seen as.
type EachComputed<'e> =
    dyn FnMut((&RuleDocument, &Correlation), &str, (&BTreeSet<Kind>, bool)) + 'e;

/// Calls `each` for every field that a correlation computes with, with the kinds that it was seen as, and
/// whether that says something for each of the rules.
fn computed(workspace: &Workspace<'_>, each: &mut EachComputed<'_>) {
    let Some(observed) = workspace.observed else {
        return;
    };
    let rules = Rules::of(workspace);
    for (document, rule) in correlations(workspace) {
        if matches!(rule.kind, CorrelationKind::ValueCount(..)) {
            continue;
        }
        for name in counted_fields(&rule.kind) {
            let (kinds, known) = kinds(observed, &rules, (rule, name));
            each((document, rule), name, (&kinds, known));
        }
    }
}

/// The kinds that a field of a correlation was seen as, and whether that says something for each rule.
fn kinds(
    observed: &Observed,
    rules: &Rules<'_>,
    (rule, name): (&Correlation, &str),
) -> (BTreeSet<Kind>, bool) {
    let mut kinds = BTreeSet::new();
    let mut known = true;
    for (reference, _) in &rule.rules {
        let Some(base) = rules.detections.get(reference.as_str()) else {
            known = false;
            continue;
        };
        let log_types = judged(observed, &base.logsource);
        known &= sure(observed, &log_types).is_some();
        for log_type in log_types {
            for path in paths(rule, (reference, base), name) {
                match observed.known(log_type, &path) {
                    Known::Seen(seen) => kinds.extend(seen.keys().copied()),
                    Known::Possible => known = false,
                    Known::Case(_) | Known::Never => {}
                }
            }
        }
    }
    (kinds, known)
}

/// A sum or mean over a field that holds no numbers.
pub(super) fn field_not_numeric(workspace: &Workspace<'_>, found: &mut Found) {
    computed(workspace, &mut |(document, rule), name, (kinds, _)| {
        // Text may hold a number, which another check says.
        let never = |kind: &Kind| !matches!(kind, Kind::Number | Kind::Text);
        let other = |kind: &Kind| matches!(kind, Kind::Bool | Kind::Object);
        if kinds.iter().any(other) && kinds.iter().all(never) {
            found.push(finding(
                rule,
                (
                    code::FIELD_NOT_NUMERIC,
                    place_of_name(document, &COUNTED, name),
                ),
                format!("`{name}` holds no numbers, so there is nothing to compute with"),
                "name a field whose values are numbers",
            ));
        }
    });
}

/// A sum or mean over a field that was never seen as a number.
pub(super) fn computed_from_text(workspace: &Workspace<'_>, found: &mut Found) {
    computed(workspace, &mut |(document, rule), name, (kinds, known)| {
        let text = |kind: &Kind| matches!(kind, Kind::Text | Kind::List | Kind::Null);
        if known && kinds.contains(&Kind::Text) && kinds.iter().all(text) {
            found.push(finding(
                rule,
                (code::COMPUTED_FROM_TEXT, place_of_name(document, &COUNTED, name)),
                format!("`{name}` was seen as text alone: text that is no number is left out of what is computed"),
                "look with `palisade decode` whether the texts are numbers, or name a field that holds numbers",
            ));
        }
    });
}

/// A group whose field holds an object, which has no value to group or count by.
pub(super) fn group_by_is_object(workspace: &Workspace<'_>, found: &mut Found) {
    let Some(observed) = workspace.observed else {
        return;
    };
    let rules = Rules::of(workspace);
    for (document, rule) in correlations(workspace) {
        let counted = match &rule.kind {
            CorrelationKind::ValueCount(fields, _) => fields.as_slice(),
            _ => &[],
        };
        let grouped = rule.group_by.iter().map(|name| (name, &["group-by"][..]));
        let all = grouped.chain(counted.iter().map(|name| (name, &COUNTED[..])));
        // For all of the names at once: a correlation may have thousands of them.
        let known = rule.rules.iter().filter_map(|(reference, _)| {
            let base = *rules.detections.get(reference.as_str())?;
            let log_types = judged(observed, &base.logsource);
            sure(observed, &log_types)?;
            Some((reference, base, log_types))
        });
        let known: Vec<_> = known.collect();
        for (name, keys) in all {
            let object = known.iter().find_map(|(reference, base, log_types)| {
                let paths = paths(rule, (reference, base), name);
                holds_object(observed, log_types, &paths).then_some((reference, log_types))
            });
            if let Some((reference, log_types)) = object {
                found.push(finding(
                    rule,
                    (code::GROUP_BY_IS_OBJECT, place_of_name(document, keys, name)),
                    format!(
                        "`{name}` holds an object in events of {}, which `{reference}` judges: they stay outside of every group",
                        names(log_types)
                    ),
                    "name the member that holds the value, as in `status.errorCode`",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::fields::tests::TYPE;
    use crate::observed::Fields;
    use crate::rule::{RuleFile, parse};

    /// The codes of findings about a correlation over events of [`TYPE`].
    fn said(events: u64, correlation: &str) -> Vec<&'static str> {
        let text = format!(
            "title: Base\nname: base\nlogsource: {{product: azure, service: signinlogs}}\n\
             detection: {{s: {{user: x}}, condition: s}}\n---\n\
             title: All\nname: all\ncorrelation: {{rules: [base], timespan: 5m, {correlation}}}\n"
        );
        let files = [RuleFile {
            name: "a.yml".into(),
            bytes: text.into_bytes(),
        }];
        let parsed = parse::parse_documents(&files);
        assert_eq!(parsed.diagnostics, []);
        let samples = format!(
            r#"{{"version":1,"log_types":{{"t":{{"events":{events},"fields":{{
                "user":{{"text":1}}, "status":{{"object":9}}, "status.code":{{"number":9}},
                "parts":{{"list":9,"object":9}}, "tags":{{"list":9,"text":9}},
                "either":{{"object":9,"text":1}}, "mixed":{{"text":9,"number":1}}, "on":{{"bool":9}}
            }}}}}}}}"#
        );
        let samples = Fields::from_json(samples.as_bytes()).unwrap();
        let observed = Observed::new(vec![&TYPE], samples, Fields::default());
        let workspace = Workspace {
            files: &files,
            documents: &parsed.documents,
            rules: &parsed.rules,
            judged: &parsed.rules,
            pipelines: &[],
            cases: &[],
            observed: Some(&observed),
            now: None,
        };
        let found = crate::lint::lint(&workspace).into_iter();
        let codes = [
            code::GROUP_BY_IS_OBJECT.id,
            code::FIELD_NOT_NUMERIC.id,
            code::COMPUTED_FROM_TEXT.id,
        ];
        found
            .map(|one| one.code)
            .filter(|code| codes.contains(code))
            .collect()
    }

    #[test]
    fn objects_are_no_groups_and_nothing_to_count() {
        let group =
            |field| format!("type: event_count, group-by: [{field}], condition: {{gte: 2}}");
        for field in ["status", "parts"] {
            assert_eq!(said(20, &group(field)), ["PAL1717"], "{field}");
        }
        for field in ["user", "status.code", "tags", "either", "absent"] {
            assert_eq!(said(20, &group(field)), [""; 0], "{field}");
        }
        assert_eq!(said(2, &group("status")), [""; 0], "too few events");
        let counted = "type: value_count, group-by: [user], condition: {field: status, gte: 2}";
        assert_eq!(said(20, counted), ["PAL1717"]);
    }

    #[test]
    fn what_was_seen_as_text_alone_is_said_to_be_computed_with() {
        let sum = |field| {
            format!("type: value_sum, group-by: [user], condition: {{field: {field}, gte: 2}}")
        };
        for (field, codes) in [
            ("tags", &["PAL1718"][..]),
            ("on", &["PAL1715"]),
            ("status", &["PAL1715"]),
            ("mixed", &[]),
            ("status.code", &[]),
            ("absent", &[]),
        ] {
            assert_eq!(said(20, &sum(field)), codes, "{field}");
        }
        assert_eq!(said(2, &sum("tags")), [""; 0], "too few events");
    }
}
