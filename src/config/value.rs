//! Values that are written as text: durations, sizes, shares, addresses, names.

use std::net::SocketAddr;

use palisade_detect::time::{Span, TICKS_PER_MILLISECOND, TICKS_PER_SECOND};

/// Longest name of a source or sink, in bytes; names are in metric labels and file names.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest tenant, in bytes; it is in every event.
pub const TENANT_BYTES_MAX: usize = 128;

/// A duration: a whole number and `ms`, `s`, `m`, `h`, `d` or `w`.
///
/// # Errors
/// What was expected.
pub fn duration(text: &str) -> Result<Span, String> {
    let expected = || "expected a duration such as `90s`, `10m`, `24h` or `30d`".to_owned();
    let (number, unit) = split(text).ok_or_else(expected)?;
    let ticks = match unit {
        "ms" => TICKS_PER_MILLISECOND,
        "s" => TICKS_PER_SECOND,
        "m" => 60 * TICKS_PER_SECOND,
        "h" => 3_600 * TICKS_PER_SECOND,
        "d" => 86_400 * TICKS_PER_SECOND,
        "w" => 604_800 * TICKS_PER_SECOND,
        _ => return Err(expected()),
    };
    let number = i64::try_from(number).ok();
    let span = number.and_then(|number| number.checked_mul(ticks));
    span.map(Span::from_ticks)
        .ok_or_else(|| "the duration is longer than can be counted".to_owned())
}

/// A duration above zero.
///
/// # Errors
/// What was expected.
pub fn duration_above_zero(text: &str) -> Result<Span, String> {
    match duration(text)? {
        Span::ZERO => Err("the duration must be above zero".to_owned()),
        span => Ok(span),
    }
}

/// A size in bytes: a whole number, alone or with `B`, `kB`, `MB`, `GB`, `TB`, `KiB`, `MiB`, `GiB`,
/// `TiB`.
///
/// # Errors
/// What was expected.
pub fn size(text: &str) -> Result<u64, String> {
    let expected = || "expected a size such as `64KiB`, `100MB` or `20GiB`".to_owned();
    let (number, unit) = split(text).ok_or_else(expected)?;
    let bytes: u64 = match unit {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(expected()),
    };
    number
        .checked_mul(bytes)
        .ok_or_else(|| "the size is larger than can be counted".to_owned())
}

/// A size of at least `least` bytes.
///
/// # Errors
/// What was expected.
pub fn size_of_at_least(text: &str, least: u64) -> Result<u64, String> {
    let bytes = size(text)?;
    if bytes < least {
        return Err(format!("expected at least {least} bytes"));
    }
    Ok(bytes)
}

/// A share of the whole: `5%` or `0.05`, from 0 to 1.
///
/// # Errors
/// What was expected.
pub fn share(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (text, 1.0),
    };
    match number.parse::<f64>() {
        Ok(number) if (0.0..=scale).contains(&number) => Ok(number / scale),
        _ => Err("expected a share from `0%` to `100%`".to_owned()),
    }
}

/// A whole number.
///
/// # Errors
/// What was expected.
pub fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| "expected a whole number, not negative".to_owned())
}

/// An address and a port to listen at.
///
/// # Errors
/// What was expected.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "expected an IP address and a port such as `127.0.0.1:9600` or `[::1]:9600`".to_owned()
    })
}

/// A name of a source or sink.
///
/// # Errors
/// What was expected.
pub fn name(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(allowed) {
        return Err(format!(
            "expected 1 to {NAME_BYTES_MAX} of the characters `a-z`, `0-9`, `_` and `-`"
        ));
    }
    Ok(text.to_owned())
}

/// A tenant.
///
/// # Errors
/// What was expected.
pub fn tenant(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if text.is_empty() || text.len() > TENANT_BYTES_MAX || !text.bytes().all(allowed) {
        return Err(format!(
            "expected 1 to {TENANT_BYTES_MAX} letters, digits and the characters `_`, `-` and `.`"
        ));
    }
    Ok(text.to_owned())
}

/// Text that is not empty.
///
/// # Errors
/// What was expected.
pub fn text(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("expected text that is not empty".to_owned());
    }
    Ok(text.to_owned())
}

/// A Kafka broker: host and port.
///
/// # Errors
/// What was expected.
pub fn broker(text: &str) -> Result<String, String> {
    let parts = text.rsplit_once(':');
    let good = parts.is_some_and(|(host, port)| {
        let odd = |c: char| matches!(c, '/' | ',' | '@') || c.is_whitespace() || c.is_control();
        !host.is_empty() && !host.contains(odd) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if good {
        Ok(text.to_owned())
    } else {
        Err("expected a host and a port such as `broker.example.org:9092`".to_owned())
    }
}

/// A Kafka topic.
///
/// # Errors
/// What was expected.
pub fn topic(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if text.is_empty()
        || text.len() > 249
        || matches!(text, "." | "..")
        || !text.bytes().all(allowed)
    {
        return Err(
            "expected 1 to 249 letters, digits and the characters `_`, `-` and `.`".to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// The leading digits as a number, and what follows them without blanks between.
fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_do_not_overflow() {
        for (text, seconds) in [
            ("90s", 90),
            ("10m", 600),
            ("24h", 86_400),
            ("30d", 2_592_000),
        ] {
            assert_eq!(duration(text), Ok(Span::from_seconds(seconds)), "{text}");
        }
        assert_eq!(duration("0s"), Ok(Span::ZERO));
        for text in ["", "30", "d", "-1d", "1.5h", "1 month", "99999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(duration_above_zero("0ms").is_err());
    }

    #[test]
    fn sizes_tell_decimal_from_binary_units() {
        for (text, bytes) in [
            ("20GiB", 20 << 30),
            ("100 MB", 100_000_000),
            ("4096", 4096),
            ("1KiB", 1024),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "20Gb", "1e9", "99999999999TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_lie_between_nothing_and_all() {
        assert_eq!(share("5%"), Ok(0.05));
        assert_eq!(share("0.25"), Ok(0.25));
        for text in ["101%", "-1%", "2", "NaN", "inf%", ""] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_and_brokers_hold_nothing_that_could_break_out() {
        for text in ["hub", "hub-1_b"] {
            assert_eq!(name(text), Ok(text.to_owned()));
        }
        for text in ["", "Hub", "a b", "../x", "é", &"a".repeat(65)] {
            assert!(name(text).is_err(), "{text}");
        }
        assert!(broker("127.0.0.1:9092").is_ok() && broker("[::1]:9092").is_ok());
        for text in [
            "host",
            "host:",
            ":9092",
            "a,b:9092",
            "kafka://h:9092",
            "h:0",
            "h:99999",
        ] {
            assert!(broker(text).is_err(), "{text}");
        }
    }
}
