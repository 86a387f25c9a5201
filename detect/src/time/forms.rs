//! The forms in which Azure services write times.

use jiff::civil;

use super::{TICKS_PER_SECOND, Timestamp};

/// .NET ticks (of 100 ns since year 1) at the Unix epoch.
const DOTNET_TICKS_AT_EPOCH: i64 = 621_355_968_000_000_000;

/// Reads a time in any known form.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return number(text);
    }
    Timestamp::parse_rfc3339(text)
        .or_else(|| calendar(text))
        .or_else(|| rfc_1123(text))
}

/// Digits alone: what they count is told by how many there are.
fn number(digits: &str) -> Option<Timestamp> {
    let value: i64 = digits.parse().ok()?;
    match digits.len() {
        9..=11 => Some(Timestamp::from_unix_seconds(value)),
        12..=14 => Some(Timestamp::from_unix_ms(value)),
        18 => Some(Timestamp::from_ticks(value - DOTNET_TICKS_AT_EPOCH)),
        _ => None,
    }
}

fn rfc_1123(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_unix_seconds(zoned.timestamp().as_second()))
}

/// Date, time of day, half of the day, zone; blanks may be missing or too many.
fn calendar(text: &str) -> Option<Timestamp> {
    let mut scan = Scan(text.as_bytes());
    let date = scan.date()?;
    scan.blanks();
    if scan.byte(b'T') || scan.byte(b't') {
        scan.blanks();
    }
    let (time, ticks) = scan.time()?;
    scan.blanks();
    let hour = scan.half_of_day(time.hour())?;
    scan.blanks();
    let offset = scan.zone()?;
    if !scan.0.is_empty() {
        return None;
    }
    let civil = date.at(hour, time.minute(), time.second(), 0);
    let utc = jiff::tz::Offset::UTC.to_timestamp(civil).ok()?;
    let seconds = utc.as_second().checked_sub(offset)?;
    let whole = seconds.checked_mul(TICKS_PER_SECOND)?;
    Some(Timestamp::from_ticks(whole.checked_add(ticks)?))
}

struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn byte(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn blanks(&mut self) {
        while self.byte(b' ') {}
    }

    /// A number of at most `most` digits, and how many it has.
    fn digits(&mut self, most: usize) -> Option<(i64, usize)> {
        let count = self
            .0
            .iter()
            .take(most)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let value = digits
            .iter()
            .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        (count > 0).then_some((value, count))
    }

    fn small(&mut self, most: usize) -> Option<i8> {
        i8::try_from(self.digits(most)?.0).ok()
    }

    fn date(&mut self) -> Option<civil::Date> {
        let (first, count) = self.digits(4)?;
        let separator = *self.0.first().filter(|byte| matches!(byte, b'-' | b'/'))?;
        self.0 = &self.0[1..];
        let second = self.small(2)?;
        if !self.byte(separator) {
            return None;
        }
        let (year, month, day) = if count == 4 {
            (first, second, self.small(2)?)
        } else {
            let (year, digits) = self.digits(4)?;
            let year = (digits == 4).then_some(year)?;
            (year, i8::try_from(first).ok()?, second)
        };
        civil::Date::new(i16::try_from(year).ok()?, month, day).ok()
    }

    /// The time of day to the second, and the ticks beyond; digits after the seventh are cut.
    fn time(&mut self) -> Option<(civil::Time, i64)> {
        let hour = self.small(2)?;
        let minute = self.byte(b':').then(|| self.small(2))??;
        let second = if self.byte(b':') { self.small(2)? } else { 0 };
        let mut ticks = 0;
        if self.byte(b'.') {
            let (value, count) = self.digits(7)?;
            ticks = value * 10_i64.pow(u32::try_from(7 - count).ok()?);
            self.digits(9);
        }
        let time = civil::Time::new(hour, minute, second, 0).ok()?;
        Some((time, ticks))
    }

    fn half_of_day(&mut self, hour: i8) -> Option<i8> {
        let half = self.0.get(..2).map(<[u8]>::to_ascii_uppercase);
        let afternoon = match half.as_deref() {
            Some(b"AM") => false,
            Some(b"PM") => true,
            _ => return Some(hour),
        };
        self.0 = &self.0[2..];
        let hour = (1..=12).contains(&hour).then_some(hour % 12)?;
        Some(if afternoon { hour + 12 } else { hour })
    }

    /// Seconds east of UTC; nothing written means UTC.
    fn zone(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.byte(b'Z') || self.byte(b'z') {
            return Some(0);
        }
        let east = match self.0.first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.0 = &self.0[1..];
        let (hours, _) = self.digits(2)?;
        self.byte(b':');
        let (minutes, _) = self.digits(2)?;
        Some(east * (hours * 3600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "12",
            "2022-13-02T09:05:07Z",
            "2022-08-02T25:05:07Z",
            "8/2/2022 13:00:00 PM",
            "2022-08-02T09:05:07Zx",
            "soon",
            "8/2/22 9:05:07 AM",
            "2022-08-02",
            "é/é/é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
