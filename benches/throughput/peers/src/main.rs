//! The peers that are libraries, each as a whole command over one file: read, work, write what came of it.
//!
//! They are given every advantage that their own programs could give them: one buffer that is used again,
//! the quickest way in that the library has, no copy that is not needed.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Parser as _;
use rsigma_eval::{Engine, JsonEvent, LogSourceExtractor};
use serde_json::Value;

/// Bytes read at a time.
const BUFFER: usize = 1 << 20;
/// Readable bytes that simd-json wants behind a record.
const PADDING: usize = 64;

#[derive(clap::Parser)]
#[command(about)]
enum Command {
    /// `rsigma-eval`: a `serde_json` value a line, judged by the engine; one alert a line.
    Rsigma(Rsigma),
    /// The same, but tells only which rule matched which record, also inside of envelopes: `line index rule`.
    Pairs(Rsigma),
    /// simd-json's tape of every line, and nothing done with it.
    Tape {
        /// One JSON text a line.
        file: PathBuf,
    },
}

#[derive(clap::Args)]
struct Rsigma {
    /// Folder of rules.
    #[arg(long)]
    rules: PathBuf,
    /// Lets only rules judge a record whose log source does not conflict with the record's.
    #[arg(long)]
    route: bool,
    /// One record a line.
    file: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Rsigma(args) => rsigma(&args),
        Command::Pairs(args) => pairs(&args),
        Command::Tape { file } => tape(&file),
    }
}

fn engine(args: &Rsigma) -> anyhow::Result<Engine> {
    let rules = rsigma_parser::parse_sigma_directory(&args.rules)
        .map_err(|error| anyhow!("`{}`: {error}", args.rules.display()))?;
    let mut engine = Engine::new();
    if args.route {
        // A record's own `category` is Azure's and none of Sigma's, so that part is read from nowhere.
        let extractor = LogSourceExtractor::new().with_field_names("product", "service", "_none");
        engine.set_logsource_extractor(Some(extractor));
    }
    // What cannot be loaded is left out, as by RSigma's own program.
    let _loaded = engine.add_collection(&rules);
    Ok(engine)
}

/// Gives every line, read through one buffer, with its number.
fn each_line(
    file: &Path,
    mut work: impl FnMut(usize, &str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let place = || file.display().to_string();
    let mut input = BufReader::with_capacity(BUFFER, File::open(file).with_context(place)?);
    let mut line = Vec::new();
    for number in 0.. {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        // Text that is checked as a whole is parsed faster than text checked string by string.
        work(number, std::str::from_utf8(&line).with_context(place)?)?;
    }
    Ok(())
}

fn rsigma(args: &Rsigma) -> anyhow::Result<()> {
    let engine = engine(args)?;
    let mut out = BufWriter::new(io::stdout().lock());
    each_line(&args.file, |_, line| {
        let record: Value = serde_json::from_str(line)?;
        for alert in engine.evaluate(&JsonEvent::borrow(&record)) {
            serde_json::to_writer(&mut out, &alert)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })?;
    Ok(out.flush()?)
}

fn pairs(args: &Rsigma) -> anyhow::Result<()> {
    let engine = engine(args)?;
    let mut out = BufWriter::new(io::stdout().lock());
    each_line(&args.file, |number, line| {
        let value: Value = serde_json::from_str(line)?;
        let records = match value.get("records").and_then(Value::as_array) {
            Some(records) => records.iter().collect(),
            None => vec![&value],
        };
        for (index, record) in records.into_iter().enumerate() {
            for alert in engine.evaluate(&JsonEvent::borrow(record)) {
                let rule = alert
                    .header
                    .rule_id
                    .as_deref()
                    .unwrap_or(&alert.header.rule_title);
                writeln!(out, "{number}\t{index}\t{rule}")?;
            }
        }
        Ok(())
    })?;
    Ok(out.flush()?)
}

fn tape(file: &Path) -> anyhow::Result<()> {
    let mut input = File::open(file).with_context(|| file.display().to_string())?;
    let mut buffer = vec![0; BUFFER + PADDING];
    let mut tape = Tape::new();
    let mut held = 0;
    loop {
        if held + PADDING == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let end = buffer.len() - PADDING;
        let read = input.read(&mut buffer[held..end])?;
        if read == 0 {
            break;
        }
        let mut from = 0;
        for newline in memchr::memchr_iter(b'\n', &buffer[held..held + read]) {
            let to = held + newline;
            tape.parse(&buffer[from..to])?;
            from = to + 1;
        }
        buffer.copy_within(from..held + read, 0);
        held = held + read - from;
    }
    if held > 0 {
        tape.parse(&buffer[..held])?;
    }
    println!("{} records, {} nodes", tape.records, tape.nodes);
    Ok(())
}

/// simd-json with everything that it can use again.
struct Tape {
    buffers: simd_json::Buffers,
    tape: Option<simd_json::Tape<'static>>,
    /// A record is unescaped in place, so it needs a copy, with padding behind it.
    copy: Vec<u8>,
    records: usize,
    nodes: usize,
}

impl Tape {
    fn new() -> Self {
        Self {
            buffers: simd_json::Buffers::new(1 << 16),
            tape: Some(simd_json::Tape::null()),
            copy: vec![0; 1 << 16],
            records: 0,
            nodes: 0,
        }
    }

    fn parse(&mut self, record: &[u8]) -> anyhow::Result<()> {
        let padded = record.len() + PADDING;
        if self.copy.len() < padded {
            self.copy.resize(padded * 2, 0);
        }
        self.copy[..record.len()].copy_from_slice(record);
        let mut tape = self.tape.take().expect("it is put back below").reset();
        let copy = &mut self.copy[..padded];
        simd_json::fill_tape_padded(copy, record.len(), &mut self.buffers, &mut tape)?;
        self.records += 1;
        self.nodes += tape.0.len();
        self.tape = Some(tape.reset());
        Ok(())
    }
}
