//! Numbers as decimal digits: exact to compare, at any size.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::io::Write;

use smallvec::SmallVec;

use crate::rule::item::Number;

/// Places before or after the decimal point up to which a number is written out in full.
const PLAIN_PLACES_MAX: i64 = 40;

/// A decimal number: `0.d1d2d3… × 10^magnitude` with a sign; no digits mean zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// Digits 0 to 9, the first and the last not 0.
    digits: SmallVec<[u8; 24]>,
    magnitude: i64,
}

impl Decimal {
    /// Reads a decimal number: digits with an optional sign, point and exponent, as JSON writes
    /// them, and `+5`, `.5`, `5.` as people do. Nothing else, and no blanks.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, rest) = match bytes.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, bytes),
        };
        let (mantissa, exponent) = match rest.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&rest[..at], exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let point = mantissa.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point {
            Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
            None => (mantissa, &mantissa[mantissa.len()..]),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut written = whole.iter().chain(fraction);
        if !written.all(u8::is_ascii_digit) {
            return None;
        }
        let leading = whole
            .iter()
            .chain(fraction)
            .take_while(|byte| **byte == b'0')
            .count();
        let mut digits: SmallVec<[u8; 24]> = whole.iter().chain(fraction).copied().collect();
        digits.drain(..leading);
        for digit in &mut digits {
            *digit -= b'0';
        }
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let before_point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        Some(if digits.is_empty() {
            Self::zero()
        } else {
            Self {
                negative,
                digits,
                magnitude: before_point.saturating_add(exponent),
            }
        })
    }

    fn zero() -> Self {
        Self {
            negative: false,
            digits: SmallVec::new(),
            magnitude: 0,
        }
    }

    fn of_int(value: i128) -> Option<Self> {
        // Its digits and its sign.
        let mut buffer = [0_u8; 40];
        let mut rest = buffer.as_mut_slice();
        write!(rest, "{value}").ok()?;
        let left = rest.len();
        let written = buffer.get(..buffer.len() - left)?;
        Self::parse(std::str::from_utf8(written).ok()?)
    }

    /// How this number compares with a rule's; `None` against a number that is none.
    pub fn compare(&self, other: Number) -> Option<Ordering> {
        let other = match other {
            Number::Int(value) => Self::of_int(value),
            Number::Float(value) if value.is_nan() => None,
            Number::Float(value) if value.is_infinite() => {
                return Some(if value > 0.0 {
                    Ordering::Less
                } else {
                    Ordering::Greater
                });
            }
            Number::Float(value) => Self::parse(&value.to_string()),
        };
        other.map(|other| self.cmp(&other))
    }

    /// The number in millionths, rounded half away from zero; the flag says that it is saturated.
    pub fn to_micro(&self) -> (i64, bool) {
        let shift = self.magnitude.saturating_add(6);
        if self.digits.is_empty() || shift < 0 {
            return (0, false);
        }
        let limit = if self.negative { i64::MIN } else { i64::MAX };
        if shift > 20 {
            return (limit, true);
        }
        let mut value: i128 = 0;
        for place in 0..shift {
            let digit = usize::try_from(place)
                .ok()
                .and_then(|place| self.digits.get(place));
            value = value * 10 + i128::from(digit.copied().unwrap_or(0));
        }
        let next = usize::try_from(shift)
            .ok()
            .and_then(|place| self.digits.get(place));
        if next.is_some_and(|digit| *digit >= 5) {
            value += 1;
        }
        let signed = if self.negative { -value } else { value };
        i64::try_from(signed).map_or((limit, true), |value| (value, false))
    }

    /// Written without exponent; `None` if that would be longer than [`PLAIN_PLACES_MAX`] places.
    fn plain(&self) -> Option<String> {
        if self.digits.is_empty() {
            return Some("0".to_owned());
        }
        let count = i64::try_from(self.digits.len()).ok()?;
        let places_after = count.saturating_sub(self.magnitude);
        if self.magnitude > PLAIN_PLACES_MAX || places_after > PLAIN_PLACES_MAX {
            return None;
        }
        let mut out = String::new();
        if self.negative {
            out.push('-');
        }
        if self.magnitude <= 0 {
            out.push_str("0.");
            out.extend((self.magnitude..0).map(|_| '0'));
        }
        for (place, digit) in (0_i64..).zip(&self.digits) {
            if place == self.magnitude && place > 0 {
                out.push('.');
            }
            out.push(char::from(b'0' + digit));
        }
        out.extend((count..self.magnitude).map(|_| '0'));
        Some(out)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        sign(self).cmp(&sign(other)).then_with(|| {
            let by_size = (self.magnitude, &self.digits).cmp(&(other.magnitude, &other.digits));
            if self.negative {
                by_size.reverse()
            } else {
                by_size
            }
        })
    }
}

fn exponent(written: &[u8]) -> Option<i64> {
    let (negative, digits) = match written.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, written),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Beyond this every number is as good as any other of its sign.
    let bounded = digits.iter().fold(0_i64, |value, digit| {
        (value * 10 + i64::from(digit - b'0')).min(1_000_000_000_000)
    });
    Some(if negative { -bounded } else { bounded })
}

/// The text form of a JSON number: without exponent and trailing zeros, where that is short.
pub fn text_of(written: &str) -> Cow<'_, str> {
    let bytes = written.as_bytes();
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    if digits.iter().all(u8::is_ascii_digit) && written != "-0" {
        return Cow::Borrowed(written);
    }
    Decimal::parse(written)
        .and_then(|number| number.plain())
        .map_or(Cow::Borrowed(written), Cow::Owned)
}

/// A JSON number for an alert: exact, or as text.
pub(super) fn to_serde(written: &str) -> serde_json::Value {
    let exact = serde_json::from_str::<serde_json::Number>(written)
        .ok()
        .filter(|number| Decimal::parse(&number.to_string()) == Decimal::parse(written));
    exact.map_or_else(
        || serde_json::Value::String(written.to_owned()),
        serde_json::Value::Number,
    )
}

/// Appends the JSON text of [`to_serde`].
pub(super) fn write_json(written: &str, out: &mut String) {
    let digits = written.strip_prefix('-').unwrap_or(written);
    // Such an integer is written as it stands; `-0` is not one of `serde_json`'s integers.
    if digits.len() < 19 && digits.bytes().all(|byte| byte.is_ascii_digit()) && written != "-0" {
        out.push_str(written);
    } else {
        out.push_str(&to_serde(written).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).expect("a number")
    }

    #[test]
    fn comparison_is_exact_at_any_size() {
        let ascending = [
            "-1e400",
            "-9007199254740993",
            "-9007199254740992.5",
            "-1",
            "-0.1",
            "0",
            "1e-400",
            "0.1",
            "0.10000000000000001",
            "9",
            "10",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551616",
            "1e400",
        ];
        for pair in ascending.windows(2) {
            assert!(decimal(pair[0]) < decimal(pair[1]), "{pair:?}");
        }
        for same in [
            ("443", "4.43e2"),
            ("-0", "0.0"),
            ("+5", "5."),
            (".5", "5e-1"),
        ] {
            assert_eq!(decimal(same.0), decimal(same.1), "{same:?}");
        }
        assert_eq!(
            decimal("0.1").compare(Number::Float(0.1)),
            Some(Ordering::Equal)
        );
        assert_eq!(
            decimal("1e400").compare(Number::Float(f64::INFINITY)),
            Some(Ordering::Less)
        );
        assert_eq!(decimal("1").compare(Number::Float(f64::NAN)), None);
    }

    #[test]
    fn what_is_no_decimal_number_is_refused() {
        for text in [
            "", "-", ".", "1 ", " 1", "0x1", "1e", "1e+", "e5", "1.2.3", "inf", "1_0",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn text_form_has_no_exponent_and_no_trailing_zeros() {
        for (written, text) in [
            ("443", "443"),
            ("443.0", "443"),
            ("4.43e2", "443"),
            ("-0", "0"),
            ("0.50", "0.5"),
            ("1e-5", "0.00001"),
            ("12.5e1", "125"),
            ("1.05e1", "10.5"),
            ("1E400", "1E400"),
        ] {
            assert_eq!(text_of(written), text);
        }
    }

    #[test]
    fn millionths_round_and_saturate() {
        for (text, micro) in [
            ("1.5", (1_500_000, false)),
            ("-0.0000015", (-2, false)),
            ("0.00000049", (0, false)),
            ("0.0000005", (1, false)),
            ("9223372036854.775807", (i64::MAX, false)),
            ("9223372036854.775808", (i64::MAX, true)),
            ("-1e30", (i64::MIN, true)),
            ("0e9", (0, false)),
        ] {
            assert_eq!(decimal(text).to_micro(), micro, "{text}");
        }
    }
}
