//! `palisade new`: begin a rule, and turn recorded events into cases.
//!
//! The one place of the program that uses randomness: the id of a new rule.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use palisade_detect::diagnostic::{printable, suggestion};
use palisade_detect::pipeline;
use palisade_detect::rule::{Meta, RuleSet};
use palisade_detect::yaml::FILE_BYTES_MAX;
use palisade_sinks::render::shown;

use super::Terminal;
use super::inputs::Inputs;
use crate::author::case::{self, Head, RECORDS_MAX};
use crate::author::skeleton::{self, Blank};
use crate::cases;
use crate::cases::judge::Library;
use crate::cases::records::records;
use crate::clock::Clock;
use crate::config::Pipelines;
use crate::exit::Exit;
use crate::rules;

const EXAMPLES: &str = "\
Examples:
  palisade new rule --title 'Guest Invited' --logsource azure/auditlogs detections/
  palisade new case --rule 7a1c3d0e-6a55-4a0b-9b43-0c2f1f1b7a10 signin.json
  palisade decode --last 1 -c palisade.yaml --source hub |
    palisade new case --rule azure_guest_invited --rules detections --fires false -

Nothing that exists is overwritten: a new case is put below those of its file.";

/// Options of `new`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What to begin.
    #[command(subcommand)]
    pub what: What,
}

/// What to begin.
#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// Write a rule and its cases to begin with.
    Rule(RuleArgs),
    /// Turn recorded events into a case of a rule.
    Case(CaseArgs),
}

/// Options of `new rule`.
#[derive(Debug, clap::Args)]
pub struct RuleArgs {
    /// Title of the rule; the file is named after it.
    #[arg(long, default_value = "New Rule")]
    pub title: String,
    /// Log source: `PRODUCT/SERVICE`, or its parts as `product=…,category=…,service=…`.
    #[arg(long, value_name = "SOURCE", default_value = "azure/signinlogs")]
    pub logsource: String,
    /// Who writes it.
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
    /// Folder to put it in; made if it is not there.
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
}

/// Options of `new case`.
#[derive(Debug, clap::Args)]
pub struct CaseArgs {
    /// The rule, by its id, name or title.
    #[arg(long, value_name = "ID")]
    pub rule: String,
    /// Rule file or folder to look for it; may be given several times.
    #[arg(long = "rules", value_name = "PATH", default_value = ".")]
    pub rules: Vec<PathBuf>,
    /// Whether the rule must fire on it.
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub fires: bool,
    /// What the case shows, as a sentence.
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// File with the event, or with several that belong together; `-` for standard input.
    #[arg(value_name = "FILE|-")]
    pub event: PathBuf,
}

/// Begins what is asked for.
///
/// # Errors
/// When it cannot be written, stands there already or names what is not there.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    match &args.what {
        What::Rule(args) => rule(args),
        What::Case(args) => new_case(args, terminal),
    }
}

// ------------------------------------------------------------------------------------------------

fn rule(args: &RuleArgs) -> anyhow::Result<Exit> {
    let logsource = skeleton::logsource(&args.logsource)
        .map_err(|reason| anyhow!("`--logsource`: {reason}"))
        .context(Exit::Usage)?;
    let stem = skeleton::file_stem(&args.title)
        .context("`--title` has no letter that a file name can be made of")
        .context(Exit::Usage)?;
    let rule = args.folder.join(format!("{stem}.yml"));
    let cases = args.folder.join(format!("{stem}.cases.yml"));
    // Both or none: a rule without its cases would pass for a finished one.
    for path in [&rule, &cases] {
        if path.symlink_metadata().is_ok() {
            bail!("`{}` is there already", path.display());
        }
    }
    let now = Clock::start().now().to_string();
    let text = skeleton::rule(&Blank {
        title: &args.title,
        name: &stem,
        id: &new_id(),
        date: now.split('T').next().unwrap_or_default(),
        author: args.author.as_deref(),
        logsource: &logsource,
    });
    fs::create_dir_all(&args.folder)
        .with_context(|| format!("cannot make `{}`", args.folder.display()))?;
    create(&rule, &text)?;
    create(&cases, &skeleton::cases(&logsource))?;
    if let Some(hint) = skeleton::unknown(&logsource) {
        writeln!(io::stderr(), "{}", printable(&hint))?;
    }
    let mut out = io::stdout().lock();
    for path in [&rule, &cases] {
        writeln!(out, "{}", printable(&path.to_string_lossy()))?;
    }
    Ok(Exit::Ok)
}

/// A new UUID, version 4.
#[expect(
    clippy::disallowed_methods,
    reason = "a new rule needs an id that no other has; nothing else in the program is random"
)]
fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Writes a file that must not be there yet.
fn create(path: &Path, text: &str) -> anyhow::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

// ------------------------------------------------------------------------------------------------

fn new_case(args: &CaseArgs, terminal: Terminal) -> anyhow::Result<Exit> {
    let (set, problems) = rules::written(&args.rules);
    if let Some(problem) = problems.iter().find(|one| one.is_error()) {
        let place = &problem.place.file;
        return Err(anyhow!("{place}: {}", problem.message).context(Exit::Usage));
    }
    let (file, title) = find(&set, &args.rule)?;
    let beside = beside(&file)?;
    let existing = read(&beside)?;
    let payloads = payloads(&args.event, terminal)?;
    let name = args.name.clone().unwrap_or_else(|| {
        let verb = if args.fires { "fires" } else { "does not fire" };
        format!("{title} {verb} on a recorded event")
    });
    let head = Head {
        name: &name,
        fires: args.fires,
    };
    let place = beside.display();
    let made = case::record(head, &payloads, existing.as_deref())
        .map_err(|reason| anyhow!("no case for `{place}`: {reason}"))?;
    let whole = format!("{}{}", existing.as_deref().unwrap_or_default(), made.text);
    let read = cases::parse(&beside.to_string_lossy(), whole.as_bytes())
        .with_context(|| format!("`{place}` would not be a case file any more"))?;
    let last = read
        .last()
        .context("the new case is the last of its file")?;
    let verdict = fires(&set, &file, last)?;
    append(&beside, existing.is_some(), &made.text)?;
    let mut err = io::stderr().lock();
    for path in &made.redacted {
        writeln!(err, "taken out, as it looks like a secret: {}", shown(path))?;
    }
    if verdict != args.fires {
        let does = if verdict { "fires" } else { "does not fire" };
        writeln!(
            err,
            "the rule {does} on it, other than the case says: mend the rule, or the case"
        )?;
    }
    writeln!(io::stdout(), "{}", printable(&beside.to_string_lossy()))?;
    Ok(Exit::Ok)
}

/// The file and title of the rule of this id, name or title, without regard to case.
fn find(set: &RuleSet, wanted: &str) -> anyhow::Result<(String, String)> {
    let detections = set.detections.iter().map(|rule| (&rule.place, &rule.meta));
    let correlations = set.correlations.iter();
    let correlations = correlations.map(|rule| (&rule.place, &rule.meta));
    let all: Vec<_> = detections.chain(correlations).collect();
    let called = |meta: &Meta| {
        let mut names = [&meta.id, &meta.name].into_iter().flatten();
        names.any(|name| name.eq_ignore_ascii_case(wanted))
    };
    let titled = |meta: &Meta| meta.title.eq_ignore_ascii_case(wanted);
    // An id says more than a title, which several may have.
    let by_name = all.iter().find(|(_, meta)| called(meta));
    let mut by_title = all.iter().filter(|(_, meta)| titled(meta));
    let found = by_name.or_else(|| by_title.next());
    if by_name.is_none() && by_title.next().is_some() {
        let problem = anyhow!("several rules have the title `{wanted}`; name one by its id");
        return Err(problem.context(Exit::Usage));
    }
    if let Some((place, meta)) = found {
        return Ok((place.file.to_string(), meta.title.clone()));
    }
    let names = all.iter().flat_map(|(_, meta)| {
        let names = [meta.id.as_ref(), meta.name.as_ref(), Some(&meta.title)];
        names.into_iter().flatten()
    });
    let help = suggestion(wanted, names.map(String::as_str));
    let help = help.map_or_else(String::new, |help| format!("; {help}"));
    Err(anyhow!("no rule has the id, name or title `{wanted}`{help}").context(Exit::Usage))
}

/// The case file beside a rule file.
fn beside(file: &str) -> anyhow::Result<PathBuf> {
    let stem = file
        .strip_suffix(".yml")
        .or_else(|| file.strip_suffix(".yaml"))
        .with_context(|| format!("`{file}` is named neither `.yml` nor `.yaml`"))?;
    Ok(PathBuf::from(format!("{stem}.cases.yml")))
}

/// The text of a case file; `None` if it is not there.
fn read(path: &Path) -> anyhow::Result<Option<String>> {
    let cannot = || format!("cannot read `{}`", path.display());
    let file = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(cannot),
        Ok(found) if !found.is_file() => bail!("`{}` is no regular file", path.display()),
        Ok(_) => File::open(path).with_context(cannot)?,
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)
        .with_context(cannot)?;
    Ok(Some(text))
}

/// The payloads of a file.
fn payloads(path: &Path, terminal: Terminal) -> anyhow::Result<Vec<bytes::Bytes>> {
    let inputs = Inputs::find(&[path.to_owned()], terminal)?;
    let mut payloads = Vec::new();
    let read = inputs.read(&mut |record| {
        if let Some(broken) = &record.broken {
            bail!("record {} of it: {}", record.offset, broken.message);
        }
        if payloads.len() == RECORDS_MAX {
            bail!("a case is made of {RECORDS_MAX} records at most; take those that matter");
        }
        payloads.push(record.payload);
        Ok(())
    })?;
    if read.failed > 0 || read.files == 0 {
        bail!("there is no event in `{}`", path.display());
    }
    Ok(payloads)
}

/// Whether the rules of the file fire on the case.
fn fires(set: &RuleSet, file: &str, case: &cases::Case) -> anyhow::Result<bool> {
    let (maps, _) = rules::pipeline_files(&Pipelines::built_in());
    let maps = pipeline::parse(&maps).unwrap_or_default();
    let judge = Library::new(&[], set, &maps).judge(file);
    let records = records(case, None).map_err(|problem| anyhow!("{problem}"))?;
    Ok(!judge.alerts(&records)?.is_empty())
}

/// Puts the text at the end of the file, or into a new one.
fn append(path: &Path, exists: bool, text: &str) -> anyhow::Result<()> {
    if !exists {
        return create(path, text);
    }
    OpenOptions::new()
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write `{}`", path.display()))
}
