//! The whole path in figures: a real broker, the program as a child, alerts in a file.
//!
//! ```text
//! cargo bench --features broker-tests --bench whole_path -- [--runs N] [--records N]
//!     [--rate N] [--seconds N] [--only run|replay|first|latency|g8|g9] [--azure FOLDER]
//!     [--broker FOLDER]
//! ```
//!
//! The broker keeps its data below `--broker`: a folder in memory takes its writes from the disk that the program
//! syncs, as if it ran on a machine of its own.
//!
//! `g8` holds the whole pipeline's records for a processor second against those of a bare reader of the same
//! topic, on the records and rules that `throughput lines` left in FOLDER and on this bench's own; `g9` is the
//! latency at half of the rate at which a full topic is worked off.
//!
//! Each measurement first demands that nothing was lost. Prints one JSON line a run and a table of
//! lowest, middle and highest at the end; `benches/README.md` records them.

#![expect(clippy::print_stdout, reason = "the figures are what a bench is for")]

#[path = "support/mod.rs"]
mod bench;
#[path = "whole_path/share.rs"]
mod share;
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use bench::alerts::{self, Seen, Tail};
use bench::measure::{self, Figures};
use bench::reader;
use bench::records::{self, Input, Plan};
use palisade::clock::Clock;
use palisade_detect::time::{Span, Timestamp};
use rdkafka::ClientConfig;
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use support::kafka::Broker;
use support::palisade::Palisade;
use support::{free_port, http_get, wait_for};

const SEED: u64 = 4;
const PARTITIONS: i32 = 4;
/// Records at which throughput runs plant one alert, and at which latency runs do.
const ALARM_EVERY: (usize, usize) = (500, 20);
/// The same for latency runs at a high rate: enough alerts for a percentile.
const ALARM_EVERY_AT_HALF: usize = 100;
/// Seconds of a latency run at a high rate: its records are held in memory.
const HALF_SECONDS: usize = 10;
const SPRAYS: usize = 5;
/// How often a running process is asked how far it has come.
const ASK_EVERY: Duration = Duration::from_millis(25);
/// A run that takes longer has failed.
const RUN_MAX: Duration = Duration::from_mins(10);
/// The producer of latency runs sends so often.
const PACE: Duration = Duration::from_millis(10);
/// Goals of the project.
const PEAK_MIB_MAX: f64 = 300.0;
const P99_SECONDS_MAX: f64 = 1.0;
const P99_AT_HALF_SECONDS_MAX: f64 = 0.5;

fn main() {
    if let Some(seconds) = reader::is_asked_for() {
        println!("{seconds}");
        return;
    }
    let options = Options::from_arguments();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let of_broker = match &options.broker {
        Some(parent) => tempfile::tempdir_in(parent),
        None => tempfile::tempdir(),
    };
    let of_broker = of_broker.expect("a temporary folder");
    let mut bench = Bench {
        broker: Broker::start(of_broker.path()),
        folder: folder.path().to_owned(),
        clock: Clock::start(),
        rules: rules(),
        options,
        table: Vec::new(),
        missed: Vec::new(),
    };
    // A broker's first group costs it seconds, once in its life: not what is measured here.
    bench.broker.create_topic("warm", PARTITIONS);
    bench.broker.commit("warm", "warm", 0, 0);
    println!("machine: {}", measure::machine());
    println!("rules: {:?}", bench.rules);
    if bench.wants("replay") {
        bench.replay();
    }
    if bench.wants("run") {
        bench.throughput("run");
    }
    if bench.wants("first") {
        bench.first_alert();
    }
    if bench.wants("latency") {
        let (rate, seconds) = (bench.options.rate, bench.options.seconds);
        bench.latency(&Stream {
            what: "latency",
            rate,
            seconds,
            alarm_every: ALARM_EVERY.1,
            p99_seconds_max: P99_SECONDS_MAX,
        });
    }
    if bench.wants("g8") {
        bench.share_of_a_reader();
    }
    if bench.wants("g9") {
        bench.latency_at_half();
    }
    println!(
        "\n{:<44} {:>10} {:>10} {:>10}",
        "", "lowest", "middle", "highest"
    );
    for (name, figures) in &bench.table {
        let [low, middle, high] = figures.spread();
        println!("{name:<44} {low:>10.3} {middle:>10.3} {high:>10.3}");
    }
    assert!(bench.missed.is_empty(), "goals missed: {:?}", bench.missed);
}

/// A steady stream of records.
struct Stream {
    what: &'static str,
    /// Records a second.
    rate: usize,
    seconds: usize,
    /// Records at which one is made to fire.
    alarm_every: usize,
    p99_seconds_max: f64,
}

/// How a full topic was worked off.
struct WorkedOff {
    /// Records a second from the first one taken to all finished.
    rate: f64,
    /// Records for a second of processor time, of the whole process.
    a_core: f64,
}

/// What the command line says.
struct Options {
    runs: usize,
    records: usize,
    rate: usize,
    seconds: usize,
    only: Option<String>,
    /// Where `throughput lines` keeps its input.
    azure: PathBuf,
    /// Where the broker's data go; the system's temporary folder if it is not said.
    broker: Option<PathBuf>,
}

impl Options {
    fn from_arguments() -> Self {
        let mut options = Self {
            runs: 3,
            records: 50_000,
            rate: 1_000,
            seconds: 30,
            only: None,
            azure: std::env::home_dir()
                .expect("a home directory")
                .join(".cache/palisade/bench"),
            broker: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            if name == "--bench" {
                continue;
            }
            let value = arguments
                .next()
                .unwrap_or_else(|| panic!("`{name}` wants a value"));
            let number = || {
                value
                    .parse()
                    .unwrap_or_else(|_| panic!("`{name}` wants a number"))
            };
            match &*name {
                "--runs" => options.runs = number(),
                "--records" => options.records = number(),
                "--rate" => options.rate = number(),
                "--seconds" => options.seconds = number(),
                "--only" => options.only = Some(value),
                "--broker" => options.broker = Some(PathBuf::from(value)),
                "--azure" => options.azure = PathBuf::from(value),
                _ => panic!("`{name}` is unknown"),
            }
        }
        options
    }
}

/// Our own rules, and SigmaHQ's Azure rules where they are at hand.
fn rules() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = root.join("../shared/sigma/sigmahq-azure");
    let mut rules = vec![root.join("detections")];
    rules.extend(shared.canonicalize().ok());
    rules
}

struct Bench {
    broker: Broker,
    folder: PathBuf,
    clock: Clock,
    rules: Vec<PathBuf>,
    options: Options,
    table: Vec<(String, Figures)>,
    /// Goals that were not reached.
    missed: Vec<String>,
}

impl Bench {
    fn wants(&self, name: &str) -> bool {
        self.options.only.as_deref().is_none_or(|only| only == name)
    }

    /// Prints a run's figures as one line, and keeps them for the table.
    fn note(&mut self, what: &str, figures: &[(&str, f64)]) {
        let mut line = BTreeMap::from([("bench", serde_json::json!(what))]);
        for (name, figure) in figures {
            line.insert(name, serde_json::json!(figure));
            let name = format!("{what} {name}");
            let known = self.table.iter().position(|(known, _)| *known == name);
            let place = known.unwrap_or_else(|| {
                self.table.push((name, Figures::default()));
                self.table.len() - 1
            });
            self.table[place].1.push(*figure);
        }
        println!("{}", serde_json::json!(line));
    }

    fn plan(&self, begin: Timestamp) -> Plan {
        Plan {
            records: self.options.records,
            alarm_every: ALARM_EVERY.0,
            sprays: SPRAYS,
            begin,
            step: Span::from_ticks(1_000),
        }
    }

    /// Files: the same stages without a broker, on the input that the README names by its digest.
    fn replay(&mut self) {
        let fixed = Timestamp::parse_rfc3339("2026-03-02T08:00:00Z").expect("a time");
        let input = records::generate(SEED, self.plan(fixed));
        let bytes: usize = input.payloads.iter().flatten().map(Vec::len).sum();
        println!(
            "input: {} records, {bytes} bytes, blake3 {}",
            input.payloads.len(),
            records::digest(&input)
        );
        let file = self.folder.join("records.ndjson");
        write_lines(&file, &input);
        for _ in 0..self.options.runs {
            let out = self.folder.join("replay.ndjson");
            let mut command = Command::new(env!("CARGO_BIN_EXE_palisade"));
            command.arg("replay").args(["--format", "ndjson"]);
            for rules in &self.rules {
                command.arg("--rules").arg(rules);
            }
            let begun = self.clock.elapsed();
            let mut process = command
                .arg(&file)
                .stdin(Stdio::null())
                .stdout(File::create(&out).expect("a file for alerts"))
                .stderr(File::create(self.folder.join("replay.log")).expect("a log file"))
                .spawn()
                .expect("the program starts");
            let (mut peak, mut cpu) = (0.0_f64, 0.0_f64);
            let status = loop {
                peak = measure::peak_mib(process.id()).unwrap_or(peak);
                cpu = measure::cpu_seconds(process.id()).unwrap_or(cpu).max(cpu);
                if let Some(status) = process.try_wait().expect("our child") {
                    break status;
                }
                thread::sleep(Duration::from_millis(5));
            };
            let time = self.clock.elapsed().saturating_sub(begun);
            assert!(status.success(), "`replay` ended with {status}");
            let verdict = alerts::judge(&alerts::read(&out), &input, 1);
            self.note(
                "replay",
                &[
                    ("seconds", time.as_secs_f64()),
                    ("records/s", measure::per_second(self.options.records, time)),
                    ("cpu s", cpu),
                    ("peak MiB", peak),
                    ("alerts", measure::count(verdict.alerts)),
                ],
            );
        }
    }

    /// A topic that is full when the process starts: how fast it is worked off, in what memory.
    fn throughput(&mut self, what: &'static str) -> Vec<WorkedOff> {
        let input = records::generate(SEED, self.plan(self.clock.now()));
        let topic = format!("{}-full", what.replace(' ', "-"));
        self.broker.create_topic(&topic, PARTITIONS);
        self.broker.produce(&topic, PARTITIONS, &input.payloads);
        let runs = 0..self.options.runs;
        runs.map(|number| self.work_off(what, number, (&topic, &input)))
            .collect()
    }

    fn work_off(
        &mut self,
        what: &'static str,
        number: usize,
        (topic, input): (&str, &Input),
    ) -> WorkedOff {
        let site = Site::new(self, &format!("{topic}-{number}"), topic);
        let begun = self.clock.elapsed();
        let process = Palisade::run(&site.folder);
        let (first, end) = self.watch(&site, self.options.records);
        let first_in = first.saturating_sub(begun);
        let (from_start, from_first) = (end.saturating_sub(begun), end.saturating_sub(first));
        wait_for("every planted alert", || {
            alerts::complete(&alerts::read(&site.alerts), input, partitions()).then_some(())
        });
        wait_for("the last commit", || {
            (self.broker.lag(&site.group, topic, PARTITIONS) == 0).then_some(())
        });
        let (_, page) = http_get(site.port, "/metrics").expect("it runs");
        let peak = measure::peak_mib(process.pid()).expect("it runs");
        let cpu = measure::cpu_seconds(process.pid()).expect("it runs");
        let threads = share::by_thread(process.pid(), self.options.records);
        assert!(process.terminate().success(), "a drain ends with 0");
        let verdict = alerts::judge(&alerts::read(&site.alerts), input, partitions());
        assert_eq!(verdict.repeats, 0, "a fault-free run repeats nothing");
        let records = self.options.records;
        let worked = WorkedOff {
            rate: measure::per_second(records, from_first),
            a_core: measure::count(records) / cpu,
        };
        let mut figures = vec![
            ("seconds from start", from_start.as_secs_f64()),
            (
                "records/s from start",
                measure::per_second(records, from_start),
            ),
            ("seconds to first record", first_in.as_secs_f64()),
            ("records/s from first record", worked.rate),
            ("records/s a core", worked.a_core),
            ("cpu s", cpu),
            ("peak MiB", peak),
            ("rules", sum(&page, "palisade_rules_loaded")),
            ("events", sum(&page, "palisade_events_total")),
            ("matches", sum(&page, "palisade_matches_total")),
            ("alerts", measure::count(verdict.alerts)),
        ];
        figures.extend(threads);
        self.note(what, &figures);
        assert!(
            peak < PEAK_MIB_MAX,
            "{peak} MiB is above the goal of {PEAK_MIB_MAX}"
        );
        worked
    }

    /// G9: latency at half of the rate at which a full topic is worked off.
    fn latency_at_half(&mut self) {
        let worked = self.throughput("g9");
        let lowest = worked.iter().map(|run| run.rate).fold(f64::MAX, f64::min);
        let rate = (1..1_000)
            .take_while(|thousands| measure::count(*thousands) * 2_000.0 <= lowest)
            .last();
        self.latency(&Stream {
            what: "g9 at half",
            rate: rate.expect("2,000 records a second or more") * 1_000,
            seconds: HALF_SECONDS,
            alarm_every: ALARM_EVERY_AT_HALF,
            p99_seconds_max: P99_AT_HALF_SECONDS_MAX,
        });
    }

    /// The middle figure of a line of the table.
    fn middle(&self, name: &str) -> f64 {
        let line = self.table.iter().find(|(known, _)| known == name);
        line.map_or(f64::NAN, |(_, figures)| figures.percentile(50))
    }

    /// When the first record was taken, and when all were finished.
    fn watch(&self, site: &Site, records: usize) -> (Duration, Duration) {
        let mut first = None;
        let records = measure::count(records);
        let deadline = self.clock.elapsed() + RUN_MAX;
        loop {
            assert!(
                self.clock.elapsed() < deadline,
                "not finished after {RUN_MAX:?}"
            );
            if let Some((200, page)) = http_get(site.port, "/metrics") {
                let now = self.clock.elapsed();
                if first.is_none() && sum(&page, "palisade_records_total") > 0.0 {
                    first = Some(now);
                }
                if sum(&page, "palisade_records_finished_total") >= records {
                    return (first.unwrap_or(now), now);
                }
            }
            thread::sleep(ASK_EVERY);
        }
    }

    /// One record waits: from the start of the process to its alert on the disk, with new state.
    fn first_alert(&mut self) {
        let plan = Plan {
            records: 1,
            alarm_every: 1,
            sprays: 0,
            ..self.plan(self.clock.now())
        };
        let input = records::generate(SEED, plan);
        self.broker.create_topic("first", PARTITIONS);
        self.broker.produce("first", PARTITIONS, &input.payloads);
        for number in 0..self.options.runs {
            let site = Site::new(self, &format!("first-{number}"), "first");
            let tail = Tail::follow(site.alerts.clone(), self.clock);
            let begun = self.clock.now();
            let process = Palisade::run(&site.folder);
            wait_for("the alert", || {
                alerts::complete(&alerts::read(&site.alerts), &input, partitions()).then_some(())
            });
            assert!(process.terminate().success(), "a drain ends with 0");
            let seen = tail.end();
            let at = seen.first().expect("it was seen").at;
            self.note(
                "first alert",
                &[("seconds from start", seconds(at.since(begun)))],
            );
        }
    }

    /// A steady stream: from the broker's timestamp to the alert on the disk.
    fn latency(&mut self, stream: &Stream) {
        for number in 0..self.options.runs {
            let plan = Plan {
                records: stream.rate * stream.seconds,
                alarm_every: stream.alarm_every,
                begin: self.clock.now(),
                step: Span::from_ticks(10_000_000 / i64::try_from(stream.rate).expect("few")),
                sprays: 0,
            };
            let input = records::generate(SEED, plan);
            let name = format!("{}-{number}", stream.what.replace(' ', "-"));
            self.broker.create_topic(&name, PARTITIONS);
            let site = Site::new(self, &name, &name);
            let process = Palisade::run(&site.folder);
            wait_for("readiness", || {
                http_get(site.port, "/readyz").filter(|(code, _)| *code == 200)
            });
            let tail = Tail::follow(site.alerts.clone(), self.clock);
            let produced = self.produce_at_rate(&name, (&input, stream.rate));
            wait_for("every planted alert", || {
                alerts::complete(&alerts::read(&site.alerts), &input, partitions()).then_some(())
            });
            let peak = measure::peak_mib(process.pid()).expect("it runs");
            let cpu = measure::cpu_seconds(process.pid()).expect("it runs");
            assert!(process.terminate().success(), "a drain ends with 0");
            let (judged, durable) = self.latencies(&name, &tail.end());
            alerts::judge(&alerts::read(&site.alerts), &input, partitions());
            self.note(
                stream.what,
                &[
                    ("records/s", measure::per_second(plan.records, produced)),
                    ("samples", measure::count(durable.count())),
                    ("p50 ms to the verdict", judged.percentile(50) * 1e3),
                    ("p99 ms to the verdict", judged.percentile(99) * 1e3),
                    ("p50 ms to the file", durable.percentile(50) * 1e3),
                    ("p99 ms to the file", durable.percentile(99) * 1e3),
                    ("highest ms to the file", durable.percentile(100) * 1e3),
                    ("cpu s", cpu),
                    ("peak MiB", peak),
                ],
            );
            let p99 = durable.percentile(99);
            if p99 >= stream.p99_seconds_max {
                let missed = format!("{}: p99 of {p99:.3} s", stream.what);
                self.missed.push(missed);
            }
        }
    }

    /// Sends the records evenly; how long that took.
    fn produce_at_rate(&self, topic: &str, (input, rate): (&Input, usize)) -> Duration {
        let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("bootstrap.servers", self.broker.address())
            .set("acks", "all")
            // The broker's time comes after it. Without it every record is a request, and what is measured is
            // how long records wait for a processor that the broker has.
            .set("linger.ms", "5")
            .create()
            .expect("a producer");
        let begun = self.clock.elapsed();
        let each = Duration::from_secs(1) / u32::try_from(rate).expect("few");
        for (payload, number) in input.payloads.iter().flatten().zip(0_u32..) {
            let due = begun + each * number;
            while self.clock.elapsed() < due {
                thread::sleep(PACE.min(due.saturating_sub(self.clock.elapsed())));
            }
            let partition = i32::try_from(number).expect("few") % PARTITIONS;
            let record = BaseRecord::<(), [u8]>::to(topic)
                .partition(partition)
                .payload(payload);
            producer
                .send(record)
                .map_err(|(why, _)| why)
                .expect("the producer's queue has room");
        }
        producer
            .flush(Duration::from_mins(1))
            .expect("the broker takes every record");
        self.clock.elapsed().saturating_sub(begun)
    }

    /// Seconds from the broker's timestamp to the verdict, and to the alert on the disk.
    fn latencies(&self, topic: &str, seen: &[Seen]) -> (Figures, Figures) {
        let taken: BTreeMap<(i32, i64), Timestamp> = self
            .broker
            .read_all(topic, PARTITIONS)
            .iter()
            .map(|record| {
                let time = record
                    .timestamp()
                    .to_millis()
                    .expect("the broker states the time");
                (
                    (record.partition(), record.offset()),
                    Timestamp::from_unix_ms(time),
                )
            })
            .collect();
        let (mut judged, mut durable) = (Figures::default(), Figures::default());
        for Seen { at, alert } in seen {
            let origin = &alert.evidence.events.first().expect("a trigger").origin;
            let partition = i32::try_from(origin.partition).expect("few partitions");
            let taken = taken
                .get(&(partition, origin.offset))
                .expect("a record of the topic");
            let emitted = Timestamp::parse_rfc3339(&alert.emitted_at).expect("a time");
            judged.push(seconds(emitted.since(*taken)));
            durable.push(seconds(at.since(*taken)));
        }
        (judged, durable)
    }
}

/// A folder with a configuration for one run: new state, a new group.
struct Site {
    folder: PathBuf,
    alerts: PathBuf,
    group: String,
    port: u16,
}

impl Site {
    fn new(bench: &Bench, name: &str, topic: &str) -> Self {
        Self::with(bench, (name, topic), &format!("rules: {:?}\n", bench.rules))
    }

    /// With other `rules` and what belongs to them, as lines of the configuration.
    fn with(bench: &Bench, (name, topic): (&str, &str), rules: &str) -> Self {
        let folder = bench.folder.join(name);
        fs::create_dir_all(&folder).expect("a folder of its own");
        let (port, address) = (free_port(), bench.broker.address());
        let config = format!(
            "{rules}\
             state: {{dir: ./state}}\n\
             sources:\n  - {{name: hub, type: kafka, brokers: [\"{address}\"], topics: [{topic}], \
             group: {name}, start: earliest}}\n\
             sinks:\n  - {{name: alerts, type: file, path: alerts.ndjson}}\n\
             http: {{listen: \"127.0.0.1:{port}\"}}\n"
        );
        fs::write(folder.join("config.yaml"), config).expect("a configuration");
        Self {
            alerts: folder.join("alerts.ndjson"),
            folder,
            group: name.to_owned(),
            port,
        }
    }
}

fn partitions() -> usize {
    usize::try_from(PARTITIONS).expect("a few")
}

/// Sum over the series of a metric.
fn sum(page: &str, name: &str) -> f64 {
    let value = |line: &str| {
        line.rsplit_once(' ')
            .and_then(|(_, value)| value.parse::<f64>().ok())
    };
    let series = page.lines().filter(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    series.filter_map(value).sum()
}

fn seconds(span: Span) -> f64 {
    let micros = i32::try_from(span.ticks() / 10).expect("within half an hour");
    f64::from(micros) / 1e6
}

fn write_lines(path: &Path, input: &Input) {
    let mut file = BufWriter::new(File::create(path).expect("a file for records"));
    for payload in input.payloads.iter().flatten() {
        file.write_all(payload).expect("room for the records");
        file.write_all(b"\n").expect("room for the records");
    }
    file.flush().expect("room for the records");
}
