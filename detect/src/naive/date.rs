//! Parts of a date, as written in it.

use std::sync::LazyLock;

use regex::Regex;

use crate::rule::item::TimePart;

/// A date, with or without a time of day and a zone.
static DATE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\A([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::[0-9]{2}(?:\.[0-9]+)?)?\s*(?:Z|[-+][0-9]{2}:?[0-9]{2})?)?\z",
    )
    .expect("the pattern is valid")
});

/// A part of a date value, without any conversion of zones; `None` if it has none.
pub(super) fn part(text: &str, part: TimePart) -> Option<i64> {
    let captures = DATE.captures(text)?;
    let number = |group| {
        captures
            .get(group)
            .and_then(|found| found.as_str().parse::<i16>().ok())
    };
    let (year, month, day) = (number(1)?, number(2)?, number(3)?);
    let small = |number| i8::try_from(number).ok();
    let date = jiff::civil::Date::new(year, small(month)?, small(day)?).ok()?;
    Some(match part {
        TimePart::Minute => number(5)?.into(),
        TimePart::Hour => number(4)?.into(),
        TimePart::Day => day.into(),
        TimePart::Week => date.iso_week_date().week().into(),
        TimePart::Month => month.into(),
        TimePart::Year => year.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_is_taken_as_written() {
        let text = "2027-01-01 23:45:07.1234567-05:00";
        for (kind, expected) in [
            (TimePart::Minute, 45),
            (TimePart::Hour, 23),
            (TimePart::Day, 1),
            (TimePart::Week, 53),
            (TimePart::Month, 1),
            (TimePart::Year, 2027),
        ] {
            assert_eq!(part(text, kind), Some(expected), "{kind:?}");
        }
    }

    #[test]
    fn bare_date_has_no_hour_and_other_text_no_part_at_all() {
        assert_eq!(part("2027-02-03", TimePart::Day), Some(3));
        assert_eq!(part("2027-02-03", TimePart::Hour), None);
        for text in [
            "2027-02-30",
            "27-02-03",
            "2027-02-03T",
            "x2027-02-03",
            "2027-02-03 1:00",
        ] {
            assert_eq!(part(text, TimePart::Year), None, "{text}");
        }
    }
}
