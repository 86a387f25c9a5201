//! Metadata: dates.

use std::borrow::Cow;

use jiff::civil::Date;

use super::entry::{about, rewrite};
use super::{Check, Found, Workspace};
use crate::diagnostic::{Edit, code};
use crate::time::{Span, Timestamp};
use crate::yaml::Node;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check::info(code::NO_DATE, no_date),
    Check::warning(code::DATE_FORM, form),
    Check::warning(code::MODIFIED_BEFORE_DATE, before),
    Check::warning(code::DATE_IN_FUTURE, future),
];

/// Keys that hold a date.
const KEYS: [&str; 2] = ["date", "modified"];

/// Nobody can tell how old the rule is.
fn no_date(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.alerting() {
        let dated = KEYS.iter().any(|key| document.root.get_some(key).is_some());
        if !dated {
            let place = &document.root.place;
            found.push(
                about(document, code::NO_DATE, place, "rule has no `date`")
                    .with_help("write the day it was made, such as `date: 2026-03-02`"),
            );
        }
    }
}

/// The date as Sigma 2 writes it.
fn date(node: &Node) -> Option<Date> {
    let text = node.as_text()?;
    let written: Date = text.parse().ok()?;
    (written.to_string() == text).then_some(written)
}

/// The date that is meant by `2026/3/2` and such.
fn meant(text: &str) -> Option<Date> {
    let (year, month, day) = parts(text)?;
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// Year, month and day of `2026/3/2`, `20260302` and such, whether or not there is such a day.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some((text.get(..4)?, text.get(4..6)?, text.get(6..)?));
    }
    let mut parts = text.split(['/', '-', '.']);
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let is_number = |part: &str| part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = parts.next().is_none() && year.len() == 4;
    (fits && [year, month, day].into_iter().all(is_number)).then_some((year, month, day))
}

/// What is wrong with a date, and what to write instead.
fn wrong(node: &Node, text: &str) -> (String, &'static str) {
    if node.as_text().is_none() && node.as_int().is_none() {
        let what = node.type_name();
        return (
            format!("date is {what}, not a day"),
            "write year, month and day as `2026-03-02`",
        );
    }
    match parts(text) {
        Some((_, month, _)) if !month.parse().is_ok_and(|month| (1..=12).contains(&month)) => (
            format!("date `{text}` has no month from 01 to 12 in its middle"),
            "write the year, then the month, then the day, as `2026-03-02`",
        ),
        Some((year, month, _)) if meant(text).is_none() => (
            format!("date `{text}` names a day that month {month} of {year} does not have"),
            "write a day that there was",
        ),
        _ => (
            format!("date `{text}` is not written as Sigma 2 does"),
            "write year, month and day as `2026-03-02`",
        ),
    }
}

/// Sigma 2 writes days as `2026-03-02`.
fn form(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        for node in KEYS.iter().filter_map(|key| document.root.get_some(key)) {
            if date(node).is_some() {
                continue;
            }
            let text = written(node);
            let (message, help) = wrong(node, &text);
            let problem = about(document, code::DATE_FORM, &node.place, message);
            let Some(meant) = meant(&text) else {
                found.push(problem.with_help(help));
                continue;
            };
            let to = meant.to_string();
            let problem = problem.with_help(format!("write `{to}`"));
            let digits = node.place.span.len() == text.len() && node.as_int().is_some();
            let number = digits.then(|| Edit::replace(&node.place, to.clone()));
            found.push(match rewrite(node, &to).or(number) {
                Some(edit) => problem.with_fix("write the date with hyphens", vec![edit]),
                None => problem,
            });
        }
    }
}

/// The day under a key, in whatever form.
fn day<'a>(root: &'a Node, key: &str) -> Option<(&'a Node, Date)> {
    let node = root.get(key)?;
    Some((node, date(node).or_else(|| meant(&written(node)))?))
}

/// What stands there; `20260302` is a number to YAML.
fn written(node: &Node) -> Cow<'_, str> {
    match (node.as_text(), node.as_int()) {
        (Some(text), _) => Cow::Borrowed(text),
        (None, Some(number)) => Cow::Owned(number.to_string()),
        (None, None) => Cow::Borrowed(node.type_name()),
    }
}

/// Mostly the two are swapped, or the year is last year's.
fn before(workspace: &Workspace<'_>, found: &mut Found) {
    for document in workspace.documents {
        let dates = (day(&document.root, "date"), day(&document.root, "modified"));
        if let (Some((_, made)), Some((node, modified))) = dates
            && modified < made
        {
            let message = format!("rule was modified on {modified}, before its date {made}");
            found.push(
                about(document, code::MODIFIED_BEFORE_DATE, &node.place, message)
                    .with_help("`date` is the day it was made, `modified` that of the last change"),
            );
        }
    }
}

/// A date that has not come. A day's grace: the author's clock may be ahead of UTC.
fn future(workspace: &Workspace<'_>, found: &mut Found) {
    let Some(now) = workspace.now else {
        return;
    };
    let Some(tomorrow) = utc_day(now.plus(Span::from_seconds(24 * 60 * 60))) else {
        return;
    };
    for document in workspace.documents {
        for (node, day) in KEYS.iter().filter_map(|key| day(&document.root, key)) {
            if day > tomorrow {
                let message = format!("date {day} lies in the future");
                found.push(
                    about(document, code::DATE_IN_FUTURE, &node.place, message)
                        .with_help("check the year, and whether day and month are swapped"),
                );
            }
        }
    }
}

/// The day of a moment in UTC.
fn utc_day(moment: Timestamp) -> Option<Date> {
    moment.to_string().get(..10)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{mended, messages, rule, said_at};
    use super::*;

    #[test]
    fn only_hyphens_and_two_digits_are_sigma_2() {
        for good in ["2026-03-02", "'2024-02-29'"] {
            assert!(
                messages("PAL1021", &format!("date: {good}")).is_empty(),
                "{good}"
            );
        }
        for bad in [
            "2026/03/02",
            "2026-3-2",
            "02.03.2026",
            "2025-02-29",
            "20260302",
            "x",
        ] {
            assert_eq!(
                messages("PAL1021", &format!("date: {bad}")).len(),
                1,
                "{bad}"
            );
        }
        assert_eq!(
            mended("PAL1021", "modified: 2026/3/02"),
            rule("modified: 2026-03-02")
        );
    }

    #[test]
    fn what_is_wrong_with_a_date_is_said() {
        for (date, said) in [
            ("20260302", "date `20260302` is not written as Sigma 2 does"),
            (
                "2026-13-02",
                "date `2026-13-02` has no month from 01 to 12 in its middle",
            ),
            (
                "13/02/2026",
                "date `13/02/2026` is not written as Sigma 2 does",
            ),
            (
                "2025-02-29",
                "date `2025-02-29` names a day that month 02 of 2025 does not have",
            ),
            ("[2026]", "date is a list, not a day"),
        ] {
            assert_eq!(messages("PAL1021", &format!("date: {date}")), [said]);
        }
        assert_eq!(
            mended("PAL1021", "date: 20260302"),
            rule("date: 2026-03-02")
        );
    }

    #[test]
    fn modified_may_be_the_day_of_the_date_and_not_before() {
        let of = |modified: &str| {
            messages(
                "PAL1022",
                &format!("date: 2026/03/02\nmodified: {modified}"),
            )
            .len()
        };
        assert_eq!(
            (of("2026-03-02"), of("2026-03-01"), of("2026-03-03")),
            (0, 1, 0)
        );
    }

    #[test]
    fn dates_in_the_future_have_a_day_of_grace() {
        let now = Timestamp::from_unix_seconds(1_772_442_000);
        let of = |date: &str, now| {
            let text = rule(&format!("date: {date}"));
            said_at("PAL1023", &[("rule.yml", &text)], now).len()
        };
        assert_eq!(of("2026-03-03", Some(now)), 0);
        assert_eq!(of("2026-03-04", Some(now)), 1);
        assert_eq!(of("2026-03-04", None), 0);
    }
}
