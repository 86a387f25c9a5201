//! Points in time and spans between them, at the resolution Azure writes: 100 ns.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::{self, Date};

mod forms;

/// Ticks in one second.
pub const TICKS_PER_SECOND: i64 = 10_000_000;
/// Ticks in one millisecond.
pub const TICKS_PER_MILLISECOND: i64 = 10_000;
/// The Unix epoch.
const EPOCH: civil::DateTime = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// A point in time: UTC, in ticks of 100 ns since 1970-01-01, negative before.
///
/// Azure writes seven fractional digits, so a microsecond type would lose the last one.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A length of time in ticks of 100 ns.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Span(i64);

impl Timestamp {
    /// The earliest time that can be held.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest time that can be held.
    pub const MAX: Self = Self(i64::MAX);

    /// The time `ticks` × 100 ns after the Unix epoch.
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    /// The time `ms` milliseconds after the Unix epoch, saturating.
    pub const fn from_unix_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(TICKS_PER_MILLISECOND))
    }

    /// The time `seconds` after the Unix epoch, saturating.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(TICKS_PER_SECOND))
    }

    /// Ticks of 100 ns since the Unix epoch.
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    pub const fn unix_ms(self) -> i64 {
        self.0.div_euclid(TICKS_PER_MILLISECOND)
    }

    /// This time moved by `span` into the future, saturating.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This time moved by `span` into the past, saturating.
    #[must_use]
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// The span from `earlier` to this time, saturating; negative if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// Reads RFC 3339 text with up to nine fractional digits; digits beyond the seventh are cut.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let parsed: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(parsed.as_nanosecond().div_euclid(100))
            .ok()
            .map(Self)
    }

    /// The first moment in UTC of a day such as `2026-12-31`, of the whole calendar.
    pub fn parse_day(text: &str) -> Option<Self> {
        let shape = |(at, byte): (usize, &u8)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        };
        if text.len() != 10 || !text.as_bytes().iter().enumerate().all(shape) {
            return None;
        }
        let day: Date = text.parse().ok()?;
        let since = day.at(0, 0, 0, 0).duration_since(EPOCH);
        Some(Self::from_unix_seconds(since.as_secs()))
    }

    /// Reads a time in any form that Azure services write; text without a zone is UTC.
    ///
    /// | form | example |
    /// | --- | --- |
    /// | RFC 3339, blanks anywhere between its parts | `2021-02-04T7: 45: 44.5864815Z` |
    /// | the same with slashes, a blank for the `T`, or no zone | `2025/09/16 13:11:22.65` |
    /// | month first, 12 or 24 hours | `8/22/2022 6:11:52 PM +00:00` |
    /// | RFC 1123 | `Tue, 04 Feb 2025 10:11:12 GMT` |
    /// | Unix time in seconds to nanoseconds, told by its length | `1733975962447` |
    /// | .NET ticks | `638695000000000000` |
    /// | .NET JSON | `/Date(1733975962447)/` |
    ///
    /// Digits of a second beyond the seventh are cut. A first number above 12 is a day and not a
    /// month. The year 1 is how .NET writes a time that was never set: it is none.
    pub fn parse_any(text: &str) -> Option<Self> {
        forms::parse(text)
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `ticks` × 100 ns.
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    /// A span of whole seconds, saturating.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(TICKS_PER_SECOND))
    }

    /// Ticks of 100 ns.
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// Reads a time span as correlations write it: a positive whole number and one of `s`, `m`, `h`,
    /// `d`, `w`, `M` (30.44 days) and `y` (365.24 days), such as `10m`.
    pub fn parse_sigma(text: &str) -> Option<Self> {
        let unit = text.chars().next_back()?;
        let number = text.strip_suffix(unit)?;
        let seconds: i64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            'M' => 2_629_746,
            'y' => 31_556_952,
            _ => return None,
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let count: i64 = number.parse().ok().filter(|count| *count > 0)?;
        let ticks = count.checked_mul(seconds)?.checked_mul(TICKS_PER_SECOND)?;
        Some(Self(ticks))
    }
}

/// RFC 3339 in UTC with seven fractional digits, such as `2026-03-02T00:00:00.0000000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(TICKS_PER_SECOND);
        let fraction = self.0.rem_euclid(TICKS_PER_SECOND);
        // The calendar goes from the year -9999 to 9999. Outside of it a number is still unique and
        // sortable by eye.
        match EPOCH.checked_add(SignedDuration::from_secs(seconds)) {
            Ok(civil) => write!(f, "{civil}.{fraction:07}Z"),
            Err(_) => write!(f, "{}ticks", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn prop_times_are_shown_as_moments_are(seconds in -377_705_023_201_i64..=253_402_207_200) {
            let whole = jiff::Timestamp::from_second(seconds).expect("a moment").to_string();
            let expected = format!("{}.0000000Z", whole.trim_end_matches('Z'));
            proptest::prop_assert_eq!(Timestamp::from_unix_seconds(seconds).to_string(), expected);
        }
    }

    #[test]
    fn seven_digits_survive_the_round_trip() {
        let text = "2022-01-24T05:10:08.6816663Z";
        let time = Timestamp::parse_rfc3339(text).expect("valid");
        assert_eq!(time.to_string(), text);
    }

    #[test]
    fn first_and_last_day_of_the_calendar_are_days() {
        for (text, written) in [
            ("9999-12-31", "9999-12-31T00:00:00.0000000Z"),
            ("1970-01-01", "1970-01-01T00:00:00.0000000Z"),
            ("0000-01-01", "0000-01-01T00:00:00.0000000Z"),
        ] {
            let day = Timestamp::parse_day(text);
            assert_eq!(day.map(|day| day.to_string()).as_deref(), Some(written));
        }
        for text in [
            "2026-02-29",
            "20261231",
            "2026-1-01",
            "2026-12-31T",
            "10000-01-01",
            "é026-01-1",
            "",
        ] {
            assert_eq!(Timestamp::parse_day(text), None, "{text}");
        }
    }

    #[test]
    fn offset_is_taken_into_account() {
        let local = Timestamp::parse_rfc3339("2022-01-24T00:10:08-05:00");
        assert_eq!(local, Timestamp::parse_rfc3339("2022-01-24T05:10:08Z"));
    }

    #[test]
    fn time_spans_are_a_positive_number_and_a_unit() {
        for (text, seconds) in [
            ("1s", 1),
            ("90m", 5_400),
            ("2h", 7_200),
            ("1d", 86_400),
            ("1w", 604_800),
            ("1M", 2_629_746),
            ("1y", 31_556_952),
            ("007s", 7),
        ] {
            assert_eq!(
                Span::parse_sigma(text),
                Some(Span::from_seconds(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "m",
            "10",
            "0s",
            "-1m",
            "+1m",
            "1.5h",
            "1h30m",
            "5x",
            "5H",
            " 5m",
            "5 m",
            "٥m",
            "9999999999999y",
            "99999999999999999999s",
            "5é",
        ] {
            assert_eq!(Span::parse_sigma(text), None, "{text}");
        }
    }
}
