use std::fmt::Write;

use super::super::modifier::Modifier;
use super::*;

/// An item of field `f` (or keywords for an empty name) with these modifiers.
fn item(modifiers: &str, values: Vec<RawValue>) -> Item {
    let (field, chain) = modifiers.split_once('|').unwrap_or((modifiers, ""));
    Item {
        target: if field.is_empty() {
            Target::Keywords
        } else {
            Target::Fields(vec![field.to_owned()])
        },
        modifiers: chain
            .split('|')
            .filter(|name| !name.is_empty())
            .map(|name| Modifier::of(name).unwrap_or_else(|| panic!("{name} is unknown")))
            .collect(),
        values: values.into(),
        place: Place::start_of("rule.yml"),
    }
}

fn text(value: &str) -> RawValue {
    RawValue::Text(value.to_owned())
}

fn int(value: i128) -> RawValue {
    RawValue::Number(Number::Int(value))
}

/// Patterns in short: `anchor case text`, joined by commas.
fn shown(modifiers: &str, values: Vec<RawValue>) -> String {
    let meaning = item(modifiers, values).meaning().expect("valid");
    let mut out = String::new();
    if meaning.negated {
        out.push_str("not ");
    }
    if meaning.link == Link::All {
        out.push_str("all ");
    }
    let patterns: Vec<String> = meaning.patterns.iter().map(pattern).collect();
    write!(out, "{}", patterns.join(", ")).expect("writes to text");
    out
}

fn pattern(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Text { text, anchor, case } => {
            let parts: String = text
                .parts
                .iter()
                .map(|part| match part {
                    text::Part::Literal(text) => text.as_str(),
                    text::Part::AnyRun => "<*>",
                    text::Part::AnyOne => "<?>",
                })
                .collect();
            format!("{anchor:?} {case:?} {parts}")
        }
        Pattern::Regex(regex) => format!("re {regex}"),
        Pattern::AnyOf(inner) => {
            let inner: Vec<String> = inner.iter().map(self::pattern).collect();
            format!("({})", inner.join(" | "))
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn items_mean_what_their_modifiers_say() {
    for (modifiers, values, expected) in [
        ("f", vec![text("a*")], "Whole Fold a<*>"),
        ("f", vec![text("")], "Whole Fold "),
        ("f", vec![int(5)], "Equal(Int(5))"),
        ("f", vec![RawValue::Bool(true)], "Whole Fold true"),
        ("f", vec![RawValue::Null], "Null"),
        (
            "f|neq|all",
            vec![RawValue::Null, int(1)],
            "not all Null, Equal(Int(1))",
        ),
        ("f|cased", vec![int(5)], "Whole Exact 5"),
        (
            "f|contains",
            vec![int(5), text("x")],
            "Anywhere Fold 5, Anywhere Fold x",
        ),
        ("f|startswith|cased", vec![text("x?")], "Start Exact x<?>"),
        ("f|endswith", vec![text(r"\cmd.exe")], r"End Fold \cmd.exe"),
        (
            "",
            vec![text("x"), int(7)],
            "Anywhere Fold x, Anywhere Fold 7",
        ),
        (
            "|all",
            vec![text("x"), text("y")],
            "all Anywhere Fold x, Anywhere Fold y",
        ),
        ("|startswith", vec![text("x")], "Start Fold x"),
        ("f|exists", vec![RawValue::Bool(false)], "Exists(false)"),
        ("f|gte", vec![int(5)], "Compare(Gte, Int(5))"),
        (
            "f|hour",
            vec![RawValue::Number(Number::Float(7.0))],
            "TimePart(Hour, 7)",
        ),
        (
            "f|base64",
            vec![text("Hello?".trim_end_matches('?'))],
            "Whole Fold SGVsbG8=",
        ),
        ("f|wide|base64", vec![text("A")], "Whole Fold QQA="),
        ("f|base64", vec![text(r"a\*")], "Whole Fold YSo="),
        (
            "f|cidr",
            vec![text("10.0.0.0/8"), text("::1")],
            "Cidr(10.0.0.0/8), Cidr(::1/128)",
        ),
        ("f|expand", vec![text(r"50\% \*")], "Whole Fold 50% *"),
        ("f", vec![text("%x%")], "Whole Fold %x%"),
        ("f|re|i", vec![text(r"^a\d+$")], r"re ^a\d+$"),
        (
            "f|fieldref|contains",
            vec![text("a.b")],
            "FieldRef { fields: [\"a.b\"], anchor: Anywhere, case: Fold }",
        ),
    ] {
        assert_eq!(shown(modifiers, values), expected, "{modifiers}");
    }
}

#[test]
fn windash_varies_only_dashes_that_begin_a_flag() {
    let patterns = |value: &str| {
        item("f|windash", vec![text(value)])
            .meaning()
            .expect("valid")
            .patterns
    };
    assert_eq!(patterns(" -enc").len(), 5);
    assert_eq!(patterns("user-agent").len(), 1);
    assert_eq!(patterns("--flag - x").len(), 5);
    assert_eq!(patterns("/a \u{2015}b").len(), 25);
    let shown = shown("f|windash|contains", vec![text("-x")]);
    for dash in ["-x", "/x", "\u{2013}x", "\u{2014}x", "\u{2015}x"] {
        assert!(shown.contains(&format!("Anywhere Fold {dash}")), "{shown}");
    }
    let many = vec![text(&" -x".repeat(WINDASH_MAX + 1))];
    assert_eq!(problems("f|windash", many), ["limit-exceeded"]);
}

#[test]
fn alternatives_of_one_value_stay_together_under_all() {
    assert_eq!(
        shown(
            "f|base64offset|contains|all",
            vec![text("foo"), text("bar")]
        )
        .matches(" | ")
        .count(),
        4
    );
    assert!(
        shown("f|base64offset|contains", vec![text("foo")])
            .matches(", ")
            .count()
            == 2
    );
}

/// Kinds of everything that is wrong.
fn problems(modifiers: &str, values: Vec<RawValue>) -> Vec<&'static str> {
    match item(modifiers, values).meaning() {
        Ok(meaning) => panic!("{modifiers} means {meaning:?}"),
        Err(problems) => problems.iter().map(|d| d.kind).collect(),
    }
}

#[test]
fn values_that_do_not_fit_are_refused_with_their_kind() {
    let number = || RawValue::Number(Number::Float(1.5));
    for (modifiers, value, kind) in [
        ("f|exists", text("true"), "invalid-modifier-value"),
        ("f|gt", text("5"), "invalid-modifier-value"),
        ("f|gt", RawValue::Null, "invalid-modifier-value"),
        ("f|gt", RawValue::Bool(true), "invalid-modifier-value"),
        (
            "f|gt",
            RawValue::Number(Number::Float(f64::NAN)),
            "invalid-modifier-value",
        ),
        ("f|day", text("5"), "invalid-modifier-value"),
        ("f|day", number(), "invalid-modifier-value"),
        ("f|re", int(5), "invalid-modifier-value"),
        ("f|re", text("("), "invalid-regex"),
        ("f|re", text("a{3,1}"), "invalid-regex"),
        ("f|re", text("(?=x)"), "invalid-regex"),
        ("f|re", text(r"(a)\1"), "invalid-regex"),
        ("f|re", text("(a{1000}){1000}"), "regex-too-complex"),
        ("f|cidr", text("10.0.0.1/8"), "invalid-cidr"),
        ("f|cidr", text("10.0.0.0/33"), "invalid-cidr"),
        ("f|cidr", text("host"), "invalid-cidr"),
        ("f|cidr", int(10), "invalid-cidr"),
        ("f|contains", RawValue::Null, "invalid-modifier-value"),
        ("f|base64", text("a*"), "invalid-modifier-value"),
        ("f|base64", int(5), "invalid-modifier-value"),
        ("f|base64offset", text("a"), "invalid-modifier-value"),
        ("f|windash", int(5), "invalid-modifier-value"),
        ("f|fieldref", text("a*"), "invalid-modifier-value"),
        ("f|fieldref", int(5), "invalid-modifier-value"),
        ("f|expand", text("%x%"), "unresolved-placeholder"),
        ("", RawValue::Null, "invalid-value"),
        (
            "|exists",
            RawValue::Bool(true),
            "invalid-modifier-combination",
        ),
        ("|gt", int(5), "invalid-modifier-combination"),
        ("f|contains|re", text("x"), "invalid-modifier-combination"),
    ] {
        assert_eq!(problems(modifiers, vec![value]), [kind], "{modifiers}");
    }
    assert_eq!(problems("f", Vec::new()), ["invalid-value"]);
    let two = vec![text("("), text("ok"), text("[")];
    assert_eq!(problems("f|re", two), ["invalid-regex", "invalid-regex"]);
}

#[test]
fn value_of_exactly_the_limit_loads_and_a_longer_one_is_refused() {
    let pattern = |length: usize| vec![text(&"a".repeat(length))];
    assert!(item("f|re", pattern(VALUE_BYTES_MAX)).meaning().is_ok());
    assert_eq!(
        problems("f|re", pattern(VALUE_BYTES_MAX + 1)),
        ["regex-too-complex"]
    );
    for key in [
        "f",
        "f|contains",
        "f|startswith|cased",
        "f|base64",
        "",
        "f|fieldref",
    ] {
        assert!(
            item(key, pattern(VALUE_BYTES_MAX)).meaning().is_ok(),
            "{key}"
        );
        assert_eq!(
            problems(key, pattern(VALUE_BYTES_MAX + 1)),
            ["limit-exceeded"],
            "{key}"
        );
    }
    let nested = format!("{}a{}", "(".repeat(5_000), ")".repeat(5_000));
    assert_eq!(problems("f|re", vec![text(&nested)]), ["regex-too-complex"]);
}

#[test]
fn replaced_placeholders_keep_their_wildcards_and_end_the_expansion() {
    let mut lookup =
        |name: &str| (name == "users").then(|| vec!["adm*".to_owned(), "100%".to_owned()]);
    let mut done = item("f|expand|contains", vec![text(r"%users%\%"), int(5)]);
    done.replace_placeholders(&mut lookup).expect("few values");
    assert!(!done.has_placeholders());
    assert_eq!(*done.values, [text("adm*%"), text("100%%"), int(5)]);
    let mut open = item("f|expand", vec![text("%users%"), text("%later%")]);
    open.replace_placeholders(&mut lookup).expect("few values");
    assert!(open.has_placeholders());
    let mut last = |name: &str| (name == "later").then(|| vec!["x".to_owned()]);
    open.replace_placeholders(&mut last).expect("few values");
    assert_eq!(*open.values, [text("adm*"), text("100%"), text("x")]);
}

#[test]
fn numbers_have_the_text_that_events_show() {
    assert_eq!(Number::Int(-5).text(), "-5");
    assert_eq!(Number::Float(5.0).text(), "5");
    assert_eq!(Number::Float(2.5).text(), "2.5");
}
