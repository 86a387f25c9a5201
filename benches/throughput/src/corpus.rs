//! The rule sets: SigmaHQ's rules from their archive, fitted to the wire, and many more made of them.

use std::fs::{self, File};
use std::io::{BufReader, Cursor, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, ensure};

mod keywords;
mod mapping;
mod scale;

/// Folder of the archive that holds the rules every user loads.
const RULES: &str = "sigmahq/rules/";
/// Folder of those for Azure, below it.
const AZURE: &str = "cloud/azure/";
/// How many rules each has; another number is another corpus, whose figures do not compare.
const RULES_COUNT: usize = 3_141;
const AZURE_COUNT: usize = 123;

/// Keywords of the set that is of them.
pub(crate) const KEYWORDS: usize = 600;

/// A rule set that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RuleSet {
    /// SigmaHQ's 123 rules for Azure.
    Azure,
    /// All of SigmaHQ's `rules/`.
    Full,
    /// This many, made of the azure rules, on the same fields.
    Scaled(usize),
    /// The azure rules, and rules of this many keywords for every record.
    Keywords(usize),
}

impl RuleSet {
    fn folder(self) -> String {
        match self {
            Self::Azure => "rules-azure".to_owned(),
            Self::Full => "rules-full".to_owned(),
            Self::Scaled(count) => format!("rules-{count}"),
            Self::Keywords(count) => format!("rules-{count}-keywords"),
        }
    }
}

impl FromStr for RuleSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "azure" => Ok(Self::Azure),
            "full" => Ok(Self::Full),
            "keywords" => Ok(Self::Keywords(KEYWORDS)),
            count => match count.parse() {
                Ok(count) if count > 0 => Ok(Self::Scaled(count)),
                _ => Err("neither `azure` nor `full` nor `keywords` nor a number".to_owned()),
            },
        }
    }
}

/// One rule file: its name below [`RULES`], and its text.
struct Rule {
    name: String,
    text: String,
}

/// The folder with `set`, written into `cache` if it is not there yet.
///
/// # Errors
/// When the archive is not SigmaHQ's, or something cannot be read or written.
pub(crate) fn folder(set: RuleSet, archive: &Path, cache: &Path) -> anyhow::Result<PathBuf> {
    let folder = cache.join(set.folder());
    if folder.exists() {
        return Ok(folder);
    }
    let rules = rules(archive)?;
    // Written aside and moved, so that a run which was cut short leaves no half set behind.
    let aside = tempfile::tempdir_in(cache)?;
    let write = |name: &str, text: &str| -> anyhow::Result<()> {
        let path = aside.path().join(name);
        fs::create_dir_all(path.parent().expect("a file stands in a folder"))?;
        Ok(fs::write(path, text)?)
    };
    match set {
        RuleSet::Full => {
            for rule in &rules {
                write(&rule.name, &rule.text)?;
            }
        }
        RuleSet::Azure => {
            for rule in azure(&rules) {
                write(&rule.name, &rule.text)?;
            }
        }
        RuleSet::Keywords(count) => {
            for rule in azure(&rules) {
                write(&rule.name, &rule.text)?;
            }
            for (name, text) in keywords::rules(count) {
                write(&name, &text)?;
            }
        }
        RuleSet::Scaled(count) => {
            let originals: Vec<&Rule> = azure(&rules).collect();
            for number in 0..count {
                let (copy, which) = (number / originals.len(), number % originals.len());
                let original = originals[which];
                let (_, stem) = original
                    .name
                    .rsplit_once('/')
                    .expect("azure rules lie in a folder");
                let name = format!("{}_{copy:04}.yml", stem.trim_end_matches(".yml"));
                write(&name, &scale::copy(&original.text, copy))?;
            }
        }
    }
    fs::rename(aside.keep(), &folder)?;
    Ok(folder)
}

fn azure(rules: &[Rule]) -> impl Iterator<Item = &Rule> {
    rules.iter().filter(|rule| rule.name.starts_with(AZURE))
}

/// The rules in order of their names, with the azure rules' fields as they are on the wire.
fn rules(archive: &Path) -> anyhow::Result<Vec<Rule>> {
    let place = || format!("SigmaHQ's archive `{}`", archive.display());
    let packed = File::open(archive).with_context(place)?;
    let mut unpacked = Vec::new();
    lzma_rs::xz_decompress(&mut BufReader::new(packed), &mut unpacked).with_context(place)?;
    let mut rules = Vec::new();
    for entry in tar::Archive::new(Cursor::new(unpacked))
        .entries()
        .with_context(place)?
    {
        let mut entry = entry.with_context(place)?;
        let name = entry.path()?.display().to_string();
        let Some(name) = name.strip_prefix(RULES) else {
            continue;
        };
        let is_rule = Path::new(name).extension() == Some("yml".as_ref());
        if is_rule && entry.header().entry_type().is_file() {
            let name = name.to_owned();
            let mut text = String::new();
            entry
                .read_to_string(&mut text)
                .with_context(|| format!("`{name}`"))?;
            rules.push(Rule {
                text: mapping::on_the_wire(&text),
                name,
            });
        }
    }
    rules.sort_by(|a, b| a.name.cmp(&b.name));
    let found = (rules.len(), azure(&rules).count());
    ensure!(
        found == (RULES_COUNT, AZURE_COUNT),
        "{} has {} rules, {} of them for Azure, and not {RULES_COUNT} and {AZURE_COUNT}",
        place(),
        found.0,
        found.1
    );
    Ok(rules)
}
