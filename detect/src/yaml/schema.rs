//! The core schema: which plain scalar is a null, a boolean or a number (YAML 1.2.2 section 10.3).

use super::Yaml;

/// What a plain scalar is.
pub(super) fn resolve(text: &str) -> Yaml {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Yaml::Null,
        "true" | "True" | "TRUE" => return Yaml::Bool(true),
        "false" | "False" | "FALSE" => return Yaml::Bool(false),
        _ => {}
    }
    // Every number begins with one of these; rules hold mostly text, so this decides nearly always.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Yaml::Text(text.to_owned());
    }
    integer(text)
        .or_else(|| float(text).map(Yaml::Float))
        .unwrap_or_else(|| Yaml::Text(text.to_owned()))
}

/// `[-+]?[0-9]+`, `0o[0-7]+` or `0x[0-9a-fA-F]+`. One too large for 128 bits becomes a float.
fn integer(text: &str) -> Option<Yaml> {
    let radix = |digits: &str, radix: u32| {
        let fits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        fits.then(|| i128::from_str_radix(digits, radix).ok().map(Yaml::Int))
            .flatten()
    };
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match text.parse::<i128>() {
        Ok(value) => Some(Yaml::Int(value)),
        Err(_) => text.parse().ok().map(Yaml::Float),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, `[-+]?\.inf` or `.nan`.
fn float(text: &str) -> Option<f64> {
    let sign_less = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(sign_less, ".inf" | ".Inf" | ".INF") {
        let negative = text.starts_with('-');
        return Some(if negative {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        });
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(f64::NAN);
    }
    let starts = sign_less.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let allowed = sign_less
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    // What is left, Rust's own grammar decides: it differs from the schema only in words such as
    // `inf` and in a lone `.`, both excluded here.
    (starts && allowed).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let table = [
            ("", "Null"),
            ("~", "Null"),
            ("Null", "Null"),
            ("nULL", "Text(\"nULL\")"),
            ("TRUE", "Bool(true)"),
            ("tRUE", "Text(\"tRUE\")"),
            ("yes", "Text(\"yes\")"),
            ("on", "Text(\"on\")"),
            ("010", "Int(10)"),
            ("-7", "Int(-7)"),
            ("+7", "Int(7)"),
            ("0x17", "Int(23)"),
            ("0xZZ", "Text(\"0xZZ\")"),
            ("0o17", "Int(15)"),
            ("0o8", "Text(\"0o8\")"),
            ("-0x17", "Text(\"-0x17\")"),
            ("0b11", "Text(\"0b11\")"),
            ("1_000", "Text(\"1_000\")"),
            ("9007199254740993", "Int(9007199254740993)"),
            ("1.5", "Float(1.5)"),
            (".5", "Float(0.5)"),
            ("1.", "Float(1.0)"),
            ("1e3", "Float(1000.0)"),
            ("-1E-2", "Float(-0.01)"),
            ("-.inf", "Float(-inf)"),
            (".nan", "Float(NaN)"),
            ("inf", "Text(\"inf\")"),
            ("-inf", "Text(\"-inf\")"),
            (".", "Text(\".\")"),
            ("-", "Text(\"-\")"),
            ("1e", "Text(\"1e\")"),
            ("e1", "Text(\"e1\")"),
            ("1.2.3", "Text(\"1.2.3\")"),
            ("2024-05-01", "Text(\"2024-05-01\")"),
            ("12:30:45", "Text(\"12:30:45\")"),
            ("١", "Text(\"١\")"),
        ];
        for (written, expected) in table {
            assert_eq!(format!("{:?}", resolve(written)), expected, "{written}");
        }
    }
}
