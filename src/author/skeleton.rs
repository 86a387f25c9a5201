//! A rule and its cases to begin with.
//!
//! Both are valid as they are, and the cases hold: whoever fills them in changes something that works.

use palisade_detect::diagnostic::suggestion;
use palisade_detect::logsource::Logsource;
use palisade_ingest::log_type::{ALL, When};

use super::yaml::scalar;

/// Longest file name that is made of a title, in characters.
const NAME_CHARS_MAX: usize = 60;

/// What the skeleton looks for, and its near miss has not.
const WANTED: &str = "Operation to look for";
const OTHER: &str = "Another operation";

/// Who writes the rule, where that is not said.
const WHO: &str = "Who to ask about this rule";

/// Categories of log sources whose records are known by more than that.
const USUAL: &[(&str, &str)] = &[("auditlogs", "AuditLogs")];

/// What is put into a skeleton.
#[derive(Debug, Clone)]
pub struct Blank<'a> {
    /// Title of the rule.
    pub title: &'a str,
    /// Its name, by which correlations and cases refer to it.
    pub name: &'a str,
    /// Its id, a new UUID.
    pub id: &'a str,
    /// Today, such as `2026-11-25`.
    pub date: &'a str,
    /// Who writes it.
    pub author: Option<&'a str>,
    /// Which events it judges.
    pub logsource: &'a Logsource,
}

/// The file's name for a title, without its ending: `device_code_sign_in`. `None` if no letter of the
/// title can stand in a file name.
pub fn file_stem(title: &str) -> Option<String> {
    let mut stem = String::new();
    for letter in title.chars() {
        if stem.len() == NAME_CHARS_MAX {
            break;
        }
        if letter.is_ascii_alphanumeric() {
            stem.push(letter.to_ascii_lowercase());
        } else if !stem.is_empty() && !stem.ends_with('_') {
            stem.push('_');
        }
    }
    let stem = stem.trim_end_matches('_');
    (!stem.is_empty()).then(|| stem.to_owned())
}

/// A log source as the command line names it: `azure/signinlogs`, or its parts by name as
/// `product=windows,category=process_creation`.
///
/// # Errors
/// What is wrong with it.
pub fn logsource(text: &str) -> Result<Logsource, String> {
    let mut read = Logsource::default();
    let mut set = |part: &str, value: &str| {
        let slot = match part {
            "product" => &mut read.product,
            "service" => &mut read.service,
            "category" => &mut read.category,
            _ => return Err(format!("`{part}` is no part of a log source")),
        };
        let sound = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
        if value.is_empty() || !value.chars().all(sound) {
            return Err(format!(
                "`{part}` must be letters, digits, `_`, `-` and `.`"
            ));
        }
        *slot = Some(value.to_owned().into());
        Ok(())
    };
    if text.contains('=') {
        for pair in text.split(',') {
            let (part, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("`{pair}` has no `=`"))?;
            set(part.trim(), value.trim())?;
        }
    } else {
        match text.split('/').collect::<Vec<_>>()[..] {
            [product] => set("product", product)?,
            [product, service] => {
                set("product", product)?;
                set("service", service)?;
            }
            _ => return Err("write `PRODUCT/SERVICE`, or `product=…,category=…`".to_owned()),
        }
    }
    Ok(read)
}

/// The rule's text.
pub fn rule(blank: &Blank<'_>) -> String {
    let mut logsource = String::new();
    let parts = [
        ("product", &blank.logsource.product),
        ("category", &blank.logsource.category),
        ("service", &blank.logsource.service),
    ];
    for (part, value) in parts {
        if let Some(value) = value {
            logsource.extend(["  ", part, ": ", &scalar(value), "\n"]);
        }
    }
    format!(
        "title: {title}\n\
         id: {id}\n\
         name: {name}\n\
         status: experimental\n\
         description: |\n  \
           What the attacker does, and why it matters.\n  \
           Triage: what to look at first. Blind spot: what this rule does not see.\n\
         references:\n  \
           - https://attack.mitre.org/techniques/T1078/004/\n\
         author: {author}\n\
         date: {date}\n\
         tags:\n  \
           - attack.initial-access\n  \
           - attack.t1078.004\n\
         logsource:\n\
         {logsource}\
         detection:\n  \
           selection:\n    \
             operationName: {WANTED}\n  \
           condition: selection\n\
         falsepositives:\n  \
           - Who does this for a good reason.\n\
         level: medium\n",
        title = scalar(blank.title),
        id = blank.id,
        name = scalar(blank.name),
        author = scalar(blank.author.unwrap_or(WHO)),
        date = blank.date,
    )
}

/// The text of its cases: one event that fires, one near miss.
pub fn cases(logsource: &Logsource) -> String {
    let category = category(logsource).map_or_else(String::new, |category| {
        format!("          category: {}\n", scalar(category))
    });
    let case = |name: &str, fires: bool, operation: &str| {
        format!(
            "  - name: {name}\n    fires: {fires}\n    records:\n      - record:\n          \
             time: \"${{time}}\"\n{category}          operationName: {operation}\n"
        )
    };
    format!(
        "cases:\n{}{}",
        case("the operation fires", true, WANTED),
        case("another operation does not fire", false, OTHER)
    )
}

/// What to say of a log source that no known log type has.
pub fn unknown(asked: &Logsource) -> Option<String> {
    let rows = ALL.iter().copied().flatten();
    let known: Vec<&Logsource> = rows.flat_map(|row| row.log_type.logsources).collect();
    if known.iter().any(|one| asked.covers(one)) {
        return None;
    }
    let names: Vec<String> = known.iter().map(ToString::to_string).collect();
    let help = suggestion(&asked.to_string(), names.iter().map(String::as_str));
    let help =
        help.unwrap_or_else(|| "`palisade decode` shows the log source of a record".to_owned());
    Some(format!(
        "no known log type has the log source `{asked}`; {help}"
    ))
}

/// The category by which records of a log source are known, if there is one.
fn category(asked: &Logsource) -> Option<&'static str> {
    let usual = USUAL
        .iter()
        .find(|(service, _)| asked.service.as_deref() == Some(service));
    if let Some((_, category)) = usual {
        return Some(category);
    }
    let rows = ALL.iter().copied().flatten();
    rows.filter(|row| row.log_type.logsources.iter().any(|one| asked.covers(one)))
        .find_map(|row| match row.when {
            When::Category(categories) => categories.first().copied(),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use palisade_detect::diagnostic::Color;
    use palisade_detect::engine::EngineOptions;
    use palisade_detect::rule::RuleFile;
    use palisade_ingest::decode::{Decoded, Hints, decode};

    use super::*;
    use crate::cases as judged;
    use crate::cases::judge::Library;
    use crate::rules;

    #[test]
    fn file_names_are_made_of_letters_digits_and_underlines() {
        assert_eq!(
            file_stem("Device Code: Sign-In (from outside)!").as_deref(),
            Some("device_code_sign_in_from_outside")
        );
        assert_eq!(file_stem("../../etc/passwd").as_deref(), Some("etc_passwd"));
        assert_eq!(file_stem("—").as_deref(), None);
        assert!(file_stem(&"x".repeat(300)).is_some_and(|stem| stem.len() == NAME_CHARS_MAX));
    }

    #[test]
    fn log_sources_are_read_in_both_forms() {
        let azure = logsource("azure/signinlogs").expect("valid");
        assert_eq!(azure, Logsource::of("azure", "signinlogs"));
        let windows = logsource("product=windows, category=process_creation").expect("valid");
        assert_eq!(windows.to_string(), "windows/process_creation");
        assert_eq!(windows.service, None);
        for wrong in ["a/b/c", "", "kind=x", "product=", "azure/x: y", "a=b=c"] {
            assert!(logsource(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn skeletons_load_without_findings_and_their_cases_hold() {
        for (name, title) in [
            ("azure/signinlogs", "Plain Title"),
            ("azure/auditlogs", "Title: with \"quotes\" # and more"),
            ("azure/activitylogs", "null"),
            ("product=windows,category=process_creation", "Elsewhere"),
        ] {
            let logsource = logsource(name).expect("valid");
            let text = rule(&Blank {
                title,
                name: "a_name",
                id: "7a1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10",
                date: "2026-11-25",
                author: Some("Ann: of #1"),
                logsource: &logsource,
            });
            let file = RuleFile {
                name: Arc::from("new.yml"),
                bytes: text.into_bytes(),
            };
            let files = [file];
            let loaded = rules::load_files(&files, &[], EngineOptions::default());
            let findings = loaded.findings.render(Color::Never);
            assert_eq!(findings, "", "{name}");
            let (set, _) = palisade_detect::rule::parse::parse(&files);
            assert_eq!(set.detections[0].meta.title, title);
            assert_eq!(set.detections[0].meta.author.as_deref(), Some("Ann: of #1"));
            let judge = Library::new(&files, &set, &[]).judge("new.yml");
            let cases = judged::parse("new.cases.yml", cases(&logsource).as_bytes());
            let cases = cases.expect("valid");
            assert_eq!(cases.len(), 2);
            for case in cases {
                let verdict = judge.judge(&case, None).expect("records of its own");
                assert!(verdict.reasons.is_empty(), "{name}: {:?}", verdict.reasons);
            }
        }
    }

    #[test]
    fn records_of_the_cases_are_of_the_log_type_that_the_rule_is_about() {
        for name in ["azure/signinlogs", "azure/auditlogs"] {
            let asked = logsource(name).expect("valid");
            let category = category(&asked).expect("one is usual");
            let record = format!(
                r#"{{"time":"2026-03-02T09:00:00Z","category":"{category}","operationName":"x"}}"#
            );
            let mut seen = Vec::new();
            decode(Some(record.as_bytes()), &Hints::default(), &mut |decoded| {
                if let Decoded::Event(_, event) = decoded {
                    seen.push(event.log_type.name);
                    let sources = event.log_type.logsources;
                    assert!(sources.iter().any(|one| asked.covers(one)), "{name}");
                }
            });
            assert_eq!(seen.len(), 1, "{name}");
            assert_ne!(seen, ["entra_custom_security_attribute_audit"]);
        }
        let audit = logsource("azure/auditlogs").expect("valid");
        assert_eq!(category(&audit), Some("AuditLogs"));
    }

    #[test]
    fn log_source_of_no_log_type_is_said_with_a_near_one() {
        let said = |name: &str| unknown(&logsource(name).expect("valid"));
        assert_eq!(said("azure/signinlogs"), None);
        assert_eq!(said("azure"), None);
        assert_eq!(
            said("azure/signinlog").as_deref(),
            Some(
                "no known log type has the log source `azure/signinlog`; did you mean `azure/signinlogs`?"
            )
        );
        assert!(
            said("product=linux,category=x").is_some_and(|said| said.contains("palisade decode"))
        );
    }
}
