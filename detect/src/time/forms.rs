//! The forms in which Azure services write times (`azure-logs.md` section 11.1).

use jiff::civil;
use jiff::tz::Offset;

use super::{TICKS_PER_MILLISECOND, TICKS_PER_SECOND, Timestamp};

/// .NET counts ticks of 100 ns from the year 1; this many lie before the Unix epoch.
const NET_EPOCH_TICKS: i64 = 621_355_968_000_000_000;
/// Longest text that is looked at: no form is as long.
const TEXT_BYTES_MAX: usize = 64;

/// Reads a time in any known form.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() <= TEXT_BYTES_MAX
        && let Some(time) = plain(bytes).or_else(|| count(bytes))
    {
        return Some(time);
    }
    let text = text.trim();
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return None;
    }
    any(text)
}

/// The form of nearly every record, `2022-01-24T05:10:08.6816663Z`; `None` for all others. Says what
/// [`any`] says, in a tenth of the time.
fn plain(text: &[u8]) -> Option<Timestamp> {
    let (clock, fraction) = text.split_first_chunk::<19>()?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| clock[*at] != *mark) {
        return None;
    }
    let two = |at: usize| {
        let (tens, ones) = (
            clock[at].wrapping_sub(b'0'),
            clock[at + 1].wrapping_sub(b'0'),
        );
        (tens < 10 && ones < 10).then(|| i64::from(tens * 10 + ones))
    };
    let (year, month, day) = (two(0)? * 100 + two(2)?, two(5)?, two(8)?);
    let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
    let fraction = match fraction {
        [b'Z'] => 0,
        [b'.', digits @ .., b'Z'] if digits.iter().all(u8::is_ascii_digit) => {
            fraction_ticks(digits)
        }
        _ => return None,
    };
    // The last year is left out: the calendar that `any` asks ends inside it.
    let sound = (2..9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    // A leap second is told as the second before it.
    let seconds = hour * 3_600 + minute * 60 + second.min(59);
    let ticks = (days_since_epoch(year, month, day) * 86_400 + seconds) * TICKS_PER_SECOND;
    sound.then(|| Timestamp::from_ticks(ticks + fraction))
}

/// Whole seconds or milliseconds since the Unix epoch, as every tuple of a flow log has them; `None`
/// for everything else. Says what [`any`] says.
fn count(text: &[u8]) -> Option<Timestamp> {
    let unit = match text.len() {
        9..=11 => TICKS_PER_SECOND,
        12..=14 => TICKS_PER_MILLISECOND,
        _ => return None,
    };
    let number = text.iter().try_fold(0_i64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + i64::from(digit))
    })?;
    Some(Timestamp::from_ticks(number * unit))
}

/// The number of days of a month.
fn days_of(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a day of the Gregorian calendar behind the year 0.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March, so that the leap day is the last one.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let of_years = year * 365 + year / 4 - year / 100 + year / 400;
    of_years + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// A time in any known form.
fn any(text: &str) -> Option<Timestamp> {
    if let Some(inner) = text.strip_prefix("/Date(") {
        // A zone behind the milliseconds says where the writer was, not when.
        let inner = inner.strip_suffix(")/")?;
        let end = inner
            .rfind(['+', '-'])
            .filter(|at| *at > 0)
            .unwrap_or(inner.len());
        let (milliseconds, _) = inner.split_at_checked(end)?;
        return Some(Timestamp::from_unix_ms(milliseconds.parse().ok()?));
    }
    epoch(text).or_else(|| {
        Cursor {
            rest: text.as_bytes(),
        }
        .date_time()
    })
}

/// A number of units since an epoch; the unit is told by the number of digits before the point.
fn epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let ticks = match whole.len() {
        // Shorter numbers are counts or years, and no time that a log of today can hold.
        9..=11 => {
            let seconds = number.checked_mul(TICKS_PER_SECOND)?;
            seconds.checked_add(fraction_ticks(fraction.as_bytes()))?
        }
        12..=14 => number.checked_mul(TICKS_PER_MILLISECOND)?,
        15..=17 => number.checked_mul(10)?,
        18 => number.checked_sub(NET_EPOCH_TICKS)?,
        19 => number / 100,
        _ => return None,
    };
    Some(Timestamp::from_ticks(ticks))
}

/// Ticks in the digits behind a decimal point.
fn fraction_ticks(digits: &[u8]) -> i64 {
    let tick_digits = digits
        .iter()
        .copied()
        .chain(std::iter::repeat(b'0'))
        .take(7);
    tick_digits.fold(0, |ticks, digit| ticks * 10 + i64::from(digit - b'0'))
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// Moves over `byte`, and over blanks around it.
    fn take(&mut self, byte: u8) -> bool {
        self.blanks();
        let Some((_, rest)) = self.rest.split_first().filter(|(first, _)| **first == byte) else {
            return false;
        };
        self.rest = rest;
        self.blanks();
        true
    }

    fn digits(&mut self, most: usize) -> &[u8] {
        let count = self
            .rest
            .iter()
            .take(most)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        digits
    }

    /// A number of at most `most` digits, and how many it has.
    fn number(&mut self, most: usize) -> Option<(i16, usize)> {
        let digits = self.digits(most);
        let number = digits.iter().try_fold(0_i16, |number, digit| {
            number.checked_mul(10)?.checked_add(i16::from(digit - b'0'))
        })?;
        (!digits.is_empty()).then_some((number, digits.len()))
    }

    fn small(&mut self) -> Option<i8> {
        i8::try_from(self.number(2)?.0).ok()
    }

    fn word(&mut self) -> &[u8] {
        let count = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let (word, rest) = self.rest.split_at(count);
        self.rest = rest;
        word
    }

    fn date_time(mut self) -> Option<Timestamp> {
        let (year, month, day) = if self.rest.first()?.is_ascii_alphabetic() {
            self.word_date()?
        } else {
            self.number_date()?
        };
        if !self.take(b'T') {
            self.take(b't');
        }
        let (hour, minute, second, fraction) = self.clock()?;
        let offset = self.zone()?;
        // A leap second is told as the second before it.
        let civil = civil::DateTime::new(year, month, day, hour, minute, second.min(59), 0).ok()?;
        if year <= 1 {
            return None;
        }
        let seconds = Offset::UTC.to_timestamp(civil).ok()?.as_second();
        let ticks = (seconds - offset)
            .checked_mul(TICKS_PER_SECOND)?
            .checked_add(fraction)?;
        Some(Timestamp::from_ticks(ticks))
    }

    /// `2022-08-22`, `2022/8/22`, `8/22/2022`.
    fn number_date(&mut self) -> Option<(i16, i8, i8)> {
        let (first, length) = self.number(4)?;
        if length == 4 {
            let slashes = self.take(b'/');
            if !slashes && !self.take(b'-') {
                return None;
            }
            let month = self.small()?;
            self.take(if slashes { b'/' } else { b'-' }).then_some(())?;
            return Some((first, month, self.small()?));
        }
        let first = i8::try_from(first).ok()?;
        self.take(b'/').then_some(())?;
        let second = self.small()?;
        self.take(b'/').then_some(())?;
        // Exactly four digits: the hour can follow without a blank.
        let (year, length) = self.number(4)?;
        let (month, day) = if first > 12 {
            (second, first)
        } else {
            (first, second)
        };
        (length == 4).then_some((year, month, day))
    }

    /// `Tue, 04 Feb 2025`.
    fn word_date(&mut self) -> Option<(i16, i8, i8)> {
        self.word();
        self.take(b',');
        let day = self.small()?;
        self.blanks();
        let name = self.word().get(..3)?;
        let months: [&[u8]; 12] = [
            b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
            b"dec",
        ];
        let is = |(_, month): &(i8, &[u8])| month.eq_ignore_ascii_case(name);
        let month = (1..).zip(months).find(is)?.0;
        self.blanks();
        Some((self.number(4)?.0, month, day))
    }

    /// `9:59:27.958`, `6:11 PM`: hour, minute, second, ticks.
    fn clock(&mut self) -> Option<(i8, i8, i8, i64)> {
        let hour = self.small()?;
        self.take(b':').then_some(())?;
        let minute = self.small()?;
        let mut second = 0;
        let mut ticks = 0;
        if self.take(b':') {
            second = self.small()?;
            if second > 60 {
                return None;
            }
            if self.take(b'.') || self.take(b',') {
                ticks = fraction_ticks(self.digits(TEXT_BYTES_MAX));
            }
        }
        self.blanks();
        let half = match self.rest {
            [b'A' | b'a', b'M' | b'm', ..] => Some(0),
            [b'P' | b'p', b'M' | b'm', ..] => Some(12),
            _ => None,
        };
        let Some(half) = half else {
            return Some((hour, minute, second, ticks));
        };
        self.rest = &self.rest[2..];
        (1..=12)
            .contains(&hour)
            .then_some((hour % 12 + half, minute, second, ticks))
    }

    /// The rest of the text, a zone: its offset in seconds.
    fn zone(&mut self) -> Option<i64> {
        self.blanks();
        let sign = match self.rest {
            [] => return Some(0),
            [b'+', ..] => 1,
            [b'-', ..] => -1,
            _ => {
                let word = self.word();
                let zones: [&[u8]; 3] = [b"Z", b"UTC", b"GMT"];
                let known = zones.iter().any(|zone| zone.eq_ignore_ascii_case(word));
                return (known && self.rest.is_empty()).then_some(0);
            }
        };
        self.rest = &self.rest[1..];
        self.blanks();
        let hours = self.small()?;
        self.take(b':');
        let minutes = if self.rest.is_empty() {
            0
        } else {
            self.small()?
        };
        (hours <= 23 && minutes <= 59 && self.rest.is_empty())
            .then_some(sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_azure_gives_the_time_it_means() {
        let cases = [
            (
                "2022-01-24T05:10:08.6816663Z",
                "2022-01-24T05:10:08.6816663Z",
            ),
            (
                "2022-01-24T05:10:08.681666Z",
                "2022-01-24T05:10:08.6816660Z",
            ),
            ("2022-01-24T05:10:08.68Z", "2022-01-24T05:10:08.6800000Z"),
            ("2022-01-24T05:10:08Z", "2022-01-24T05:10:08.0000000Z"),
            (
                "2022-01-24T05:10:08.123456789Z",
                "2022-01-24T05:10:08.1234567Z",
            ),
            (
                "2022-01-24T05:10:08.68166+00:00",
                "2022-01-24T05:10:08.6816600Z",
            ),
            (
                "2022-01-24T00:10:08.6816663-05:00",
                "2022-01-24T05:10:08.6816663Z",
            ),
            ("2022-01-24T10:40:08+0530", "2022-01-24T05:10:08.0000000Z"),
            ("2022-01-24T05:10:08", "2022-01-24T05:10:08.0000000Z"),
            ("2022-01-24 05:10:08.123", "2022-01-24T05:10:08.1230000Z"),
            ("2022-08-22T9:59:27.958Z", "2022-08-22T09:59:27.9580000Z"),
            (
                " 2021-02-04T07: 45: 44.5864815Z ",
                "2021-02-04T07:45:44.5864815Z",
            ),
            ("8/22/2022 6:11:52 PM", "2022-08-22T18:11:52.0000000Z"),
            ("8/22/2022 12:11:52 AM", "2022-08-22T00:11:52.0000000Z"),
            ("8/22/2022 12:11:52 PM", "2022-08-22T12:11:52.0000000Z"),
            (
                "11/3/2020 9:06:42 AM +00:00",
                "2020-11-03T09:06:42.0000000Z",
            ),
            ("04/02/2021 07:45:00", "2021-04-02T07:45:00.0000000Z"),
            ("22/08/2022 18:11:52", "2022-08-22T18:11:52.0000000Z"),
            (
                "2025/09/16 13:11:22.6543210",
                "2025-09-16T13:11:22.6543210Z",
            ),
            ("12/1/20235:53:03PM", "2023-12-01T17:53:03.0000000Z"),
            (
                "Tue, 04 Feb 2025 10:11:12 GMT",
                "2025-02-04T10:11:12.0000000Z",
            ),
            ("1733975962", "2024-12-12T03:59:22.0000000Z"),
            ("1733975962.5", "2024-12-12T03:59:22.5000000Z"),
            ("1733975962447", "2024-12-12T03:59:22.4470000Z"),
            ("1733975962447123", "2024-12-12T03:59:22.4471230Z"),
            ("638695727624471230", "2024-12-12T03:59:22.4471230Z"),
            ("1733975962447123456", "2024-12-12T03:59:22.4471234Z"),
            ("/Date(1733975962447)/", "2024-12-12T03:59:22.4470000Z"),
            ("/Date(1733975962447+0100)/", "2024-12-12T03:59:22.4470000Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.0000000Z"),
        ];
        for (text, expected) in cases {
            let time = parse(text).map(|time| time.to_string());
            assert_eq!(time.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_gives_none() {
        let cases = [
            "",
            " ",
            "2022-01-24",
            "soon",
            "8/2/22 9:05:07 AM",
            "null",
            "<null>",
            "N/A",
            "-",
            "0",
            "4",
            "2022",
            "20220124",
            "2022-13-01",
            "13/13/2022",
            "2022-01-24T25:00:00Z",
            "2022-01-24T05:10:08Zulu",
            "2022-01-24T05:10:61Z",
            "2022-02-30",
            "8/22/2022 13:11:52 PM",
            "0001-01-01T00:00:00Z",
            "1/1/0001 12:00:00 AM",
            "2022-01-24T",
            "/Date()/",
            "/Date(x)/",
            "true",
            "Tue, 04 Foo 2025 10:11:12 GMT",
            "2022-01-24T05:10:08+5:x",
            "99999999999999999999999999",
            "🕐🕐",
            "T",
            "2022-01-24T05:10:08 and more",
        ];
        for text in cases {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_form_of_azure_reads_to_the_same_instant() {
        let expected = Timestamp::parse_rfc3339("2022-08-02T09:05:07Z");
        for text in [
            "2022-08-02T09:05:07Z",
            "2022-08-02T09:05:07.0000000+00:00",
            "2022-08-02T04:05:07-05:00",
            "2022-08-02T9:05:07Z",
            " 2022-08-02 09:05:07 ",
            "8/2/2022 9:05:07 AM",
            "8/2/2022 9:05:07 AM +00:00",
            "08/02/2022 09:05:07",
            "2022/08/02 09:05:07.0000000",
            "8/2/20229:05:07AM",
            "Tue, 02 Aug 2022 09:05:07 GMT",
            "1659431107",
            "1659431107000",
            "637950279070000000",
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn noon_and_midnight_keep_their_halves() {
        let at = |text| parse(text).map(|time| time.to_string());
        let midnight = Some("2022-08-02T00:30:00.0000000Z".to_owned());
        let noon = Some("2022-08-02T12:30:00.0000000Z".to_owned());
        assert_eq!(at("8/2/2022 12:30:00 AM"), midnight);
        assert_eq!(at("8/2/2022 12:30:00 PM"), noon);
    }

    #[test]
    fn nine_digits_are_cut_to_seven_and_seven_are_kept() {
        let kept = Timestamp::parse_rfc3339("2022-08-02T09:05:07.1234567Z");
        assert_eq!(parse("2022-08-02T9:05:07.123456789Z"), kept);
        assert_eq!(parse("8/2/2022 9:05:07.1234567 AM"), kept);
    }

    #[test]
    fn every_day_of_the_calendar_is_read_in_the_quick_form() {
        for year in (0..10_000).step_by(7).chain(1900..2110) {
            for month in 0..=13 {
                for day in [0, 1, 9, 27, 28, 29, 30, 31, 32] {
                    let text = format!("{year:04}-{month:02}-{day:02}T23:59:58.5Z");
                    assert_eq!(parse(&text), any(&text), "{text}");
                }
            }
        }
        assert!(plain(b"2022-01-24T05:10:08.6816663Z").is_some());
        assert!(plain(b"2022-01-24T05:10:08Z").is_some());
    }

    proptest::proptest! {
        #[test]
        fn quick_form_is_read_as_any_other(
            text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,9})?Z?",
            change in 0..30_usize,
            with in "[0-9TZ:.+ -]?",
        ) {
            proptest::prop_assert_eq!(plain(text.as_bytes()).or_else(|| any(&text)), any(&text));
            let mut changed = text.clone();
            let at = change.min(text.len());
            changed.replace_range(at..text.len().min(at + 1), &with);
            proptest::prop_assert_eq!(parse(&changed), any(changed.trim()));
        }

        #[test]
        fn counts_are_read_as_any_other_form(text in "[0-9]{1,20}[.x]?[0-9]{0,3}") {
            proptest::prop_assert_eq!(parse(&text), any(&text));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*") {
            parse(&text);
        }

        #[test]
        fn text_of_the_right_letters_is_read_without_a_panic(text in "[0-9TZ:./,+ -]{0,40}") {
            parse(&text);
        }

        #[test]
        fn a_shown_time_is_read_back(ticks in -600_000_000_000_000_000_i64..2_500_000_000_000_000_000) {
            let time = Timestamp::from_ticks(ticks);
            proptest::prop_assert_eq!(parse(&time.to_string()), Some(time));
        }
    }
}
