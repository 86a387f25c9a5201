//! `palisade decode`: show the events in files or at the end of a live source.

use std::collections::BTreeMap;
use std::io::{BufWriter, Stdout, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use palisade_detect::alert::EvidenceOrigin;
use palisade_detect::event::{EventRef, Index};
use palisade_detect::logsource::Logsource;
use palisade_detect::observed::Fields;
use palisade_detect::{engine, entity};
use palisade_ingest::decode::{Decoded, Hints, decode};
use palisade_ingest::reject::Reject;
use palisade_ingest::source::file::FileRecord;
use palisade_ingest::source::kafka;
use palisade_sinks::render::shown;
use serde::Serialize;

use super::inputs::Inputs;
use super::{TableOrNdjson, Terminal, load_config};
use crate::clock::Clock;
use crate::config::{Source, SourceKind};
use crate::exit::Exit;
use crate::observed;
use crate::topology::stage;

/// Identifiers of entities that a row of the table shows.
const ENTITIES_SHOWN: usize = 3;

const EXAMPLES: &str = "\
Examples:
  palisade decode signin.json                 one line per event
  palisade decode --format table samples/     log type, log source and time at a glance
  zcat old.gz | palisade decode -
  palisade decode --observe observed.json logs/
                                              names of fields for `check --observed`, no values
  palisade decode -c palisade.yaml --source hub --last 20
                                              newest records of a live source; joins no group and
                                              commits nothing

Exit status: 1 if something could not be decoded.";

/// Options of `decode`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// How to print events and rejects.
    #[arg(long, default_value = "ndjson")]
    pub format: TableOrNdjson,
    /// Configuration file that names the live source.
    #[arg(short = 'c', long = "config", value_name = "FILE", requires = "source")]
    pub config: Option<PathBuf>,
    /// Live source to look at, by its name in the configuration.
    #[arg(
        long,
        value_name = "NAME",
        requires = "config",
        conflicts_with = "inputs"
    )]
    pub source: Option<String>,
    /// How many of the newest records of the live source.
    #[arg(long, value_name = "N", default_value_t = 20, requires = "source")]
    pub last: u32,
    /// Adds the fields of all events to this file, by log type and without values, instead of printing
    /// the events.
    #[arg(long, value_name = "FILE")]
    pub observe: Option<PathBuf>,
    /// Files, folders (recursive), or `-` for standard input.
    #[arg(value_name = "FILE|DIR|-", required_unless_present = "source")]
    pub inputs: Vec<PathBuf>,
}

/// Decodes the inputs in the order given.
///
/// # Errors
/// When the source cannot be asked or standard output is gone.
pub fn execute(args: &Args, terminal: Terminal) -> anyhow::Result<Exit> {
    if let Some(path) = &args.observe {
        observed::can_add_to(path)?;
    }
    let mut printer = Printer::new(args.format, Hints::default());
    printer.observed = args.observe.as_ref().map(|_| Fields::default());
    let failed = if let (Some(config), Some(source)) = (&args.config, &args.source) {
        let source = find(config, source, terminal)?;
        live(&source, args.last, &mut printer)?;
        0
    } else {
        let inputs = Inputs::find(&args.inputs, terminal)?;
        let read = inputs.read(&mut |record| printer.file_record(&record))?;
        read.failed
    };
    printer.out.flush()?;
    if let (Some(path), Some(fields)) = (&args.observe, printer.observed.take()) {
        observed(path, fields)?;
    }
    Ok(if printer.rejects == 0 && failed == 0 {
        Exit::Ok
    } else {
        Exit::Problems
    })
}

/// Adds the fields to the file and says what it holds now.
fn observed(path: &Path, fields: Fields) -> anyhow::Result<()> {
    let events = fields.events();
    let all = observed::add_to(path, fields)?;
    writeln!(
        std::io::stdout(),
        "{events} events observed; `{}` holds {} of {} log types",
        shown(&path.to_string_lossy()),
        all.events(),
        all.log_types.len()
    )?;
    Ok(())
}

/// The source of that name.
fn find(config: &Path, name: &str, terminal: Terminal) -> anyhow::Result<Source> {
    let loaded = load_config(config, terminal)?;
    let names: Vec<String> = loaded
        .config
        .sources
        .iter()
        .map(|s| s.name.clone())
        .collect();
    let source = loaded
        .config
        .sources
        .into_iter()
        .find(|source| source.name == name);
    let source = source.with_context(|| {
        let known = names.join("`, `");
        format!(
            "`{}` has no source `{name}`; it has `{known}`",
            config.display()
        )
    });
    source.context(Exit::Usage)
}

/// Shows the newest records of a live source.
fn live(source: &Source, last: u32, printer: &mut Printer) -> anyhow::Result<()> {
    let SourceKind::Kafka(kafka) = &source.kind else {
        return Err(anyhow!(
            "source `{}` reads files; give them to `decode` by their paths",
            source.name
        ));
    };
    printer.hints.logsources = source.logsource.clone().into_iter().collect();
    let received = Clock::start().now();
    for newest in kafka::newest(&kafka.client_config(&source.name), last, received)? {
        let place = Place {
            source: newest.source,
            partition: newest.partition,
            offset: newest.record.offset,
        };
        printer.record(&place, newest.record.payload.as_deref())?;
    }
    Ok(())
}

/// Where a record stands.
struct Place {
    source: Arc<str>,
    partition: u32,
    offset: i64,
}

impl Place {
    fn origin(&self, index: Index) -> EvidenceOrigin {
        let ordinals: Vec<String> = index.ordinals().iter().map(ToString::to_string).collect();
        EvidenceOrigin {
            source: self.source.to_string(),
            partition: self.partition,
            offset: self.offset,
            index: ordinals.join("."),
        }
    }
}

/// A line of output for an event.
#[derive(Serialize)]
struct EventLine<'a> {
    kind: &'static str,
    origin: EvidenceOrigin,
    log_type: &'static str,
    logsource: &'a Logsource,
    event_time: Option<String>,
    entities: BTreeMap<String, Vec<EntityLine>>,
    event: serde_json::Value,
}

/// An entity under its kind.
#[derive(Serialize)]
struct EntityLine {
    role: String,
    #[serde(flatten)]
    ids: BTreeMap<String, String>,
}

/// A line of output for what is no event.
#[derive(Serialize)]
struct RejectLine<'a> {
    kind: &'static str,
    origin: EvidenceOrigin,
    byte: usize,
    reason: &'static str,
    message: &'a str,
}

/// Prints events and rejects as they come.
struct Printer {
    format: TableOrNdjson,
    hints: Hints,
    out: BufWriter<Stdout>,
    headed: bool,
    rejects: u64,
    /// Where the fields of events go, instead of the events to standard output.
    observed: Option<Fields>,
}

impl Printer {
    fn new(format: TableOrNdjson, hints: Hints) -> Self {
        Self {
            format,
            hints,
            out: BufWriter::new(std::io::stdout()),
            headed: false,
            rejects: 0,
            observed: None,
        }
    }

    fn file_record(&mut self, record: &FileRecord) -> anyhow::Result<()> {
        let place = Place {
            source: Arc::clone(&record.path),
            partition: 0,
            offset: record.offset,
        };
        match &record.broken {
            Some(broken) => self.reject(&place, broken),
            None => self.record(&place, Some(&record.payload)),
        }
    }

    fn record(&mut self, place: &Place, payload: Option<&[u8]>) -> anyhow::Result<()> {
        let hints = self.hints.clone();
        let mut printed = Ok(());
        decode(payload, &hints, &mut |decoded| {
            if printed.is_ok() {
                printed = match decoded {
                    Decoded::Event(index, event) => self.event(place, index, &event),
                    Decoded::Reject(reject) => self.reject(place, &reject),
                };
            }
        });
        printed
    }

    fn event(&mut self, place: &Place, index: Index, event: &EventRef<'_>) -> anyhow::Result<()> {
        let tree = match engine::read(event) {
            Ok((tree, _)) => tree,
            Err(error) => return self.reject(place, &stage::reject(index, &error)),
        };
        if let Some(fields) = &mut self.observed {
            fields.add(event, &tree);
            return Ok(());
        }
        let entities = entity::entities(&tree, event.log_type);
        let stated = event.logsources.first().cloned().unwrap_or_default();
        let time = event.event_time.map(|time| time.to_string());
        let origin = place.origin(index);
        if self.format == TableOrNdjson::Table {
            let who: Vec<&str> = entities
                .iter()
                .flat_map(|entity| entity.ids.values().map(String::as_str))
                .take(ENTITIES_SHOWN)
                .collect();
            let time = time.as_deref().unwrap_or("-");
            return self.row(
                &origin,
                time,
                (event.log_type.name, &logsource(&stated)),
                &who.join(" "),
            );
        }
        let mut by_kind: BTreeMap<String, Vec<EntityLine>> = BTreeMap::new();
        for entity in entities {
            let kind = serde_json::to_value(entity.kind)?;
            let kind = kind.as_str().unwrap_or_default().to_owned();
            by_kind.entry(kind).or_default().push(EntityLine {
                role: entity.role,
                ids: entity.ids,
            });
        }
        self.line(&EventLine {
            kind: "event",
            origin,
            log_type: event.log_type.name,
            logsource: &stated,
            event_time: time,
            entities: by_kind,
            event: tree.root.to_serde(),
        })
    }

    fn reject(&mut self, place: &Place, reject: &Reject) -> anyhow::Result<()> {
        self.rejects += 1;
        let origin = place.origin(reject.index);
        let reason = reject.reason.as_str();
        if self.format == TableOrNdjson::Table {
            let what = format!("byte {}: {}", reject.byte, reject.message);
            return self.row(&origin, "-", ("REJECT", reason), &what);
        }
        self.line(&RejectLine {
            kind: "reject",
            origin,
            byte: reject.byte,
            reason,
            message: &reject.message,
        })
    }

    fn line(&mut self, line: &impl Serialize) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        Ok(self.out.write_all(b"\n")?)
    }

    /// One aligned row: rows are printed as they come, so widths are fixed.
    fn row(
        &mut self,
        origin: &EvidenceOrigin,
        time: &str,
        (log_type, logsource): (&str, &str),
        what: &str,
    ) -> anyhow::Result<()> {
        if !self.headed {
            self.headed = true;
            writeln!(
                self.out,
                "{:<28} {:<24} {:<36} {:<40} WHAT",
                "TIME", "LOG TYPE", "LOG SOURCE", "ORIGIN"
            )?;
        }
        let EvidenceOrigin {
            source,
            partition,
            offset,
            index,
        } = origin;
        let origin = shown(&format!("{source}/{partition}/{offset}:{index}"));
        let (logsource, what) = (shown(logsource), shown(what));
        writeln!(
            self.out,
            "{time:<28} {log_type:<24} {logsource:<36} {:<40} {what}",
            origin.trim_end_matches(':')
        )?;
        Ok(())
    }
}

/// A log source in a word.
fn logsource(stated: &Logsource) -> String {
    let parts = [&stated.product, &stated.service, &stated.category];
    let parts: Vec<&str> = parts.iter().filter_map(|part| part.as_deref()).collect();
    if parts.is_empty() {
        "-".to_owned()
    } else {
        parts.join("/")
    }
}
