//! Explanations: what a code means, why it matters, and examples that a test executes.
//!
//! An explanation is the file `explain/CODE.md`:
//!
//! ```text
//! # PAL0302: a modifier is unknown        title: what is found, as a phrase
//!                                         prose: why it matters, what to do
//! ```yaml fails                           files that yield the code
//! ```yaml mended                          the same, put right
//! ```
//!
//! After `fails` or `mended` stands what a block is, unless it is a rule file: `config`, `pipeline`,
//! `cases`, `list` or `observed`; `file=NAME` names the file.

use super::code::{self, Code};
use super::near::is_slip;

/// An explanation, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explanation {
    /// What is found, as a phrase.
    pub title: &'static str,
    /// Why it matters and what to do, in Markdown.
    pub prose: &'static str,
    /// Files that yield the code, and the same put right; none where they cannot be written down.
    pub examples: Vec<Example>,
}

/// One file of an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Whether it yields the code.
    pub outcome: Outcome,
    /// What it is.
    pub kind: Kind,
    /// Its name below the folder that is checked.
    pub file: &'static str,
    /// What it says.
    pub text: &'static str,
}

/// What an example shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It yields the code.
    Fails,
    /// It does not.
    Mended,
}

/// What a file of an example is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A rule file.
    Rule,
    /// A configuration.
    Config,
    /// A processing pipeline.
    Pipeline,
    /// Cases beside a rule.
    Cases,
    /// A list that rules name.
    List,
    /// Fields that records were seen with.
    Observed,
}

impl Kind {
    /// All kinds with their words and the names that their files have unless they say another.
    const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Rule, "rule", "rule.yml"),
        (Self::Config, "config", "palisade.yaml"),
        (Self::Pipeline, "pipeline", "pipelines/pipeline.yml"),
        (Self::Cases, "cases", "rule.cases.yml"),
        (Self::List, "list", "lists/list.txt"),
        (Self::Observed, "observed", "observed.json"),
    ];
}

/// The code that is called so, in whatever case; its number alone is enough.
///
/// # Errors
/// Help that names a similar code, if there is one.
pub fn find(name: &str) -> Result<Code, Option<String>> {
    let lead = name
        .get(..3)
        .filter(|lead| lead.eq_ignore_ascii_case("PAL"));
    let number = name.get(lead.map_or(0, str::len)..).unwrap_or_default();
    let whole = match number.len() {
        1..=4 if number.bytes().all(|byte| byte.is_ascii_digit()) => format!("PAL{number:0>4}"),
        _ => name.to_ascii_uppercase(),
    };
    let found = code::ALL.iter().find(|row| row.id == whole).copied();
    // Codes differ in so little that only a single slip says which one was meant.
    let slip = |row: &&str| is_slip(&whole, row) || is_slip(&name.to_ascii_uppercase(), row);
    let near = || code::ALL.iter().map(|row| row.id).find(slip);
    found.ok_or_else(|| near().map(|near| format!("did you mean `{near}`?")))
}

impl Code {
    /// What it means.
    pub fn explanation(self) -> Explanation {
        let rows = code::ALL.iter().zip(code::PAGES);
        let page = rows
            .filter(|(row, _)| row.id == self.id)
            .map(|(_, page)| *page)
            .next();
        // A test reads every page.
        page.and_then(|page| parse(self.id, page).ok())
            .unwrap_or_default()
    }
}

/// Takes a page apart.
fn parse(id: &str, page: &'static str) -> Result<Explanation, String> {
    let (title, rest) = page
        .strip_prefix("# ")
        .and_then(|page| page.strip_prefix(id)?.strip_prefix(": ")?.split_once('\n'))
        .ok_or_else(|| format!("{id}: the first line is not `# {id}: ...`"))?;
    let (prose, mut rest) = match rest.find("\n```") {
        Some(at) => rest.split_at(at + 1),
        None => (rest, ""),
    };
    let mut examples = Vec::new();
    while let Some(begin) = rest.strip_prefix("```") {
        let parts = begin.split_once('\n').and_then(|(info, text)| {
            let (text, rest) = text.split_once("```\n")?;
            Some((info, text, rest))
        });
        let (info, text, after) = parts.ok_or_else(|| format!("{id}: a block has no end"))?;
        examples.push(example(info, text).ok_or_else(|| format!("{id}: `{info}` is no example"))?);
        rest = after.trim_start_matches('\n');
    }
    if !rest.is_empty() {
        return Err(format!("{id}: text follows the examples"));
    }
    Ok(Explanation {
        title,
        prose: prose.trim(),
        examples,
    })
}

/// One block, by its first line.
fn example(info: &'static str, text: &'static str) -> Option<Example> {
    let mut words = info.split(' ');
    if words.next() != Some("yaml") {
        return None;
    }
    let outcome = match words.next()? {
        "fails" => Outcome::Fails,
        "mended" => Outcome::Mended,
        _ => return None,
    };
    let (mut kind, _, mut file) = Kind::ALL[0];
    let mut named = None;
    for word in words {
        if let Some(name) = word.strip_prefix("file=") {
            named = Some(name);
        } else {
            (kind, _, file) = *Kind::ALL.iter().find(|(_, name, _)| *name == word)?;
        }
    }
    Some(Example {
        outcome,
        kind,
        file: named.unwrap_or(file),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_can_be_read() {
        let wrong: Vec<String> = code::ALL
            .iter()
            .zip(code::PAGES)
            .filter_map(|(row, page)| parse(row.id, page).err())
            .collect();
        assert_eq!(wrong, [] as [String; 0]);
    }

    #[test]
    fn page_falls_into_title_prose_and_examples() {
        let page = "# PAL0001: a thing\n\nWhy.\n\nWhat.\n\n```yaml fails\na: 1\n```\n\n\
                    ```yaml mended list file=lists/a.txt\nb\n```\n";
        let read = parse("PAL0001", page).expect("a page");
        assert_eq!((read.title, read.prose), ("a thing", "Why.\n\nWhat."));
        let examples: Vec<_> = read
            .examples
            .iter()
            .map(|one| (one.outcome, one.kind, one.file, one.text))
            .collect();
        assert_eq!(
            examples,
            [
                (Outcome::Fails, Kind::Rule, "rule.yml", "a: 1\n"),
                (Outcome::Mended, Kind::List, "lists/a.txt", "b\n"),
            ]
        );
        for wrong in [
            "# PAL0002: a thing\n\nWhy.\n",
            "# PAL0001: a thing\n\nWhy.\n\n```yaml\na: 1\n```\n",
            "# PAL0001: a thing\n\n```yaml fails rules\na: 1\n```\n",
            "# PAL0001: a thing\n\n```yaml fails\na: 1\n",
            "# PAL0001: a thing\n\n```yaml fails\na: 1\n```\n\nAfter.\n",
        ] {
            assert!(parse("PAL0001", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn codes_are_found_in_any_case_and_mistyped_ones_lead_to_a_near_one() {
        assert_eq!(find("pal0302").map(|row| row.id), Ok("PAL0302"));
        assert_eq!(
            find("PAL032"),
            Err(Some("did you mean `PAL0302`?".to_owned()))
        );
        for name in ["PAL302", "pal302", "302", "0302"] {
            assert_eq!(find(name).map(|row| row.id), Ok("PAL0302"), "{name}");
        }
        for name in [
            "unknown-modifier",
            "PAL9999",
            "9999",
            "",
            "PAL",
            "é302",
            "99999999",
        ] {
            assert_eq!(find(name), Err(None), "{name}");
        }
    }
}
