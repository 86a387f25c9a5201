//! A rule and its cases to begin with.
//!
//! Both are valid as they are, and the cases hold: whoever fills them in changes something that works.

use palisade_detect::logsource::Logsource;
use palisade_ingest::log_type::{ALL, When};

use super::yaml::scalar;

/// Longest file name that is made of a title, in characters.
const NAME_CHARS_MAX: usize = 60;

/// What the skeleton looks for, and its near miss has not.
const WANTED: &str = "Operation to look for";
const OTHER: &str = "Another operation";

/// What is put into a skeleton.
#[derive(Debug, Clone)]
pub struct Blank<'a> {
    /// Title of the rule.
    pub title: &'a str,
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
    let author = blank
        .author
        .map(|name| format!("author: {}\n", scalar(name)));
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
         status: experimental\n\
         description: |\n  \
           What the attacker does, and why it matters.\n  \
           Triage: what to look at first. Blind spot: what this rule does not see.\n\
         references:\n  \
           - https://attack.mitre.org/techniques/T1078/004/\n\
         {author}\
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
        author = author.unwrap_or_default(),
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

/// The category by which records of a log source are known, if there is one.
fn category(asked: &Logsource) -> Option<&'static str> {
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
}
