//! Every metric of the process, in one table; `docs/metrics.md` is generated from it.
//!
//! Names follow the conventions of Prometheus. Labels come from closed sets or from registries with
//! a limit: nothing that a log says can make series without end.
//!
//! What the numbers obey, at rest exactly and otherwise up to what is between two counters:
//!
//! - records = finished + in flight
//! - elements = events + rejects
//! - alerts due to a sink = delivered + filtered + parked + pending

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use palisade_detect::alert::Alert;
use palisade_detect::diagnostic::Diagnostic;
use palisade_detect::rule::Level;
use palisade_detect::time::{Span, Timestamp};
use palisade_ingest::reject::Reason;
use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};
use tokio::sync::watch;

use crate::log::Pos;
use crate::topology::reload::Outcome as Reloaded;

mod table;
mod tally;

use table::Series;
pub use tally::Tally;

/// Most rules with a series of their own; the alerts of further ones count as [`OTHER`].
pub const RULE_SERIES_MAX: usize = 2_000;

/// Most categories of unknown events with a series of their own; further ones count as [`OTHER`].
pub const CATEGORY_SERIES_MAX: usize = 100;

/// Label of everything beyond a limit.
pub const OTHER: &str = "other";

/// Something that brings gauges up to date before they are read.
type Probe = Box<dyn Fn(&Metrics) + Send + Sync>;

/// The metrics of one process.
pub struct Metrics {
    registry: Registry,
    series: Series,
    rules: Mutex<BTreeSet<String>>,
    categories: Mutex<BTreeSet<String>>,
    sinks: Mutex<BTreeMap<String, SinkPlace>>,
    alerts_end: Mutex<Option<watch::Receiver<Pos>>>,
    probes: Mutex<Vec<Probe>>,
}

/// Where a sink stands in the alerts log.
#[derive(Debug, Clone, Copy)]
struct SinkPlace {
    start: Pos,
    cursor: Pos,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let series = Series::register(&registry);
        for reason in Reason::ALL {
            series.rejects.with_label_values(&[reason.as_str()]);
        }
        for level in LEVELS {
            series.alerts.with_label_values(&[level_text(level)]);
        }
        for outcome in Reloaded::ALL {
            series.rule_reloads.with_label_values(&[outcome.as_str()]);
        }
        series.rules_reload_failed.with_label_values::<&str>(&[]);
        for counter in [
            &series.elements,
            &series.matches,
            &series.duplicate_keys,
            &series.clamped,
            &series.snapshots,
            &series.snapshot_failures,
        ] {
            counter.with_label_values::<&str>(&[]);
        }
        series
            .build_info
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        Self {
            registry,
            series,
            rules: Mutex::default(),
            categories: Mutex::default(),
            sinks: Mutex::default(),
            alerts_end: Mutex::default(),
            probes: Mutex::default(),
        }
    }
}

/// What the stages up to the log report.
impl Metrics {
    /// So many records with so many bytes were taken from `source`; they are in flight until
    /// [`Metrics::records_finished`].
    pub fn records(&self, source: &str, count: u64, bytes: u64) {
        let series = &self.series;
        series.records.with_label_values(&[source]).inc_by(count);
        series.bytes.with_label_values(&[source]).inc_by(bytes);
        series
            .records_in_flight
            .with_label_values(&[source])
            .add(gauge(count));
    }

    /// `done` and `parked` records of `source` have their outputs durable.
    pub fn records_finished(&self, source: &str, done: u64, parked: u64) {
        let finished = &self.series.records_finished;
        finished.with_label_values(&[source, "done"]).inc_by(done);
        finished
            .with_label_values(&[source, "parked"])
            .inc_by(parked);
        let left = i64::try_from(done + parked).unwrap_or(i64::MAX);
        self.series
            .records_in_flight
            .with_label_values(&[source])
            .sub(left);
    }

    /// An alert goes to the log.
    pub fn alert(&self, alert: &Alert) {
        self.series
            .alerts
            .with_label_values(&[level_text(alert.severity)])
            .inc();
        let label = bounded(&self.rules, RULE_SERIES_MAX, &alert.rule.id);
        self.series
            .rule_alerts
            .with_label_values(&[label.as_str()])
            .inc();
    }

    /// An alert became durable so long after the broker took the record that raised it.
    pub fn alert_latency(&self, latency: Span) {
        self.series
            .alert_latency
            .with_label_values::<&str>(&[])
            .observe(seconds(latency).max(0.0));
    }

    /// The rules in force, and those that could not be loaded or honoured.
    pub fn rules(&self, loaded: usize, skipped: usize) {
        self.series
            .rules_loaded
            .with_label_values::<&str>(&[])
            .set(gauge(loaded as u64));
        self.series
            .rules_skipped
            .with_label_values::<&str>(&[])
            .set(gauge(skipped as u64));
    }

    /// What was found in the rules when they were loaded; replaces what was found before.
    pub fn rule_problems(&self, diagnostics: &[Diagnostic]) {
        let series = &self.series.rule_problems;
        series.reset();
        for one in diagnostics {
            series.with_label_values(&[one.code]).inc();
        }
    }

    /// The rules were read again.
    pub fn rules_read(&self, outcome: Reloaded, now: Timestamp) {
        let series = &self.series;
        series
            .rule_reloads
            .with_label_values(&[outcome.as_str()])
            .inc();
        series
            .rules_last_reload
            .with_label_values::<&str>(&[])
            .set(seconds(now.since(Timestamp::from_ticks(0))));
        series
            .rules_reload_failed
            .with_label_values::<&str>(&[])
            .set(i64::from(outcome == Reloaded::Refused));
    }

    /// Where the folds stand: event time that has passed, elements held, position to fold next.
    pub fn folds(&self, watermark: Option<Timestamp>, slots: u64, next: Pos) {
        if let Some(watermark) = watermark {
            let seconds = seconds(watermark.since(Timestamp::from_ticks(0)));
            self.series
                .watermark
                .with_label_values::<&str>(&[])
                .set(seconds);
        }
        self.series
            .fold_slots
            .with_label_values::<&str>(&[])
            .set(gauge(slots));
        self.series
            .fold_position
            .with_label_values::<&str>(&[])
            .set(gauge(next));
    }

    /// So long ago all state that changed was saved.
    pub fn snapshot_age(&self, age: Duration) {
        self.series
            .snapshot_age
            .with_label_values::<&str>(&[])
            .set(age.as_secs_f64());
    }

    /// The folds stood still for so long while the state of a key partition was taken.
    pub fn snapshot_pause(&self, pause: Duration) {
        self.series
            .snapshot_pause
            .with_label_values::<&str>(&[])
            .observe(pause.as_secs_f64());
    }

    /// A snapshot was saved; the newest ones of all key partitions have so many bytes.
    pub fn snapshot_saved(&self, bytes: u64) {
        self.series.snapshots.with_label_values::<&str>(&[]).inc();
        self.series
            .snapshot_bytes
            .with_label_values::<&str>(&[])
            .set(gauge(bytes));
    }

    /// A snapshot could not be saved, or not be read.
    pub fn snapshot_failed(&self) {
        self.series
            .snapshot_failures
            .with_label_values::<&str>(&[])
            .inc();
    }

    /// How full a queue is, and how much it takes.
    pub fn queue(&self, queue: &str, fill: u64, capacity: u64) {
        self.series
            .queue_fill
            .with_label_values(&[queue])
            .set(gauge(fill));
        self.series
            .queue_capacity
            .with_label_values(&[queue])
            .set(gauge(capacity));
    }

    /// Records that the broker holds and the process has not taken, and how old the oldest is.
    pub fn source_lag(&self, source: &str, partition: u32, lag: u64, age: Span) {
        let partition = partition.to_string();
        let labels = [source, partition.as_str()];
        self.series
            .source_lag
            .with_label_values(&labels)
            .set(gauge(lag));
        self.series
            .source_age
            .with_label_values(&labels)
            .set(seconds(age).max(0.0));
    }

    /// A partition is read elsewhere from now on.
    pub fn source_partition_gone(&self, source: &str, partition: u32) {
        let partition = partition.to_string();
        let labels = [source, partition.as_str()];
        // A partition that never had a lag has no series: nothing to take away then.
        self.series.source_lag.remove_label_values(&labels).ok();
        self.series.source_age.remove_label_values(&labels).ok();
    }

    /// Bytes of SQLite's write-ahead log.
    pub fn wal(&self, bytes: u64) {
        self.series
            .wal
            .with_label_values::<&str>(&[])
            .set(gauge(bytes));
    }

    /// A dead letter was tried again.
    pub fn dead_retried(&self, outcome: &'static str) {
        self.series.dead_retried.with_label_values(&[outcome]).inc();
    }

    /// A gap, lost end or other break that an operator must know of.
    pub fn problem(&self, kind: &'static str) {
        self.series.problems.with_label_values(&[kind]).inc();
    }
}

/// What the deliveries report.
impl Metrics {
    /// The delivery of `sink` begins at `cursor`: everything from there on is due to it.
    pub fn sink_started(&self, sink: &str, cursor: Pos) {
        lock(&self.sinks).insert(
            sink.to_owned(),
            SinkPlace {
                start: cursor,
                cursor,
            },
        );
        for counter in [
            &self.series.sink_delivered,
            &self.series.sink_filtered,
            &self.series.sink_parked,
        ] {
            counter.with_label_values(&[sink]);
        }
        self.series.sink_up.with_label_values(&[sink]).set(1);
    }

    /// `sink` has answered for everything below `cursor`.
    pub fn sink_cursor(&self, sink: &str, cursor: Pos) {
        if let Some(place) = lock(&self.sinks).get_mut(sink) {
            place.cursor = cursor;
        }
    }

    /// `count` alerts are where `sink` wants them.
    pub fn sink_delivered(&self, sink: &str, count: u64) {
        self.series
            .sink_delivered
            .with_label_values(&[sink])
            .inc_by(count);
        self.series.sink_up.with_label_values(&[sink]).set(1);
    }

    /// `count` alerts were held back by the configuration of `sink`.
    pub fn sink_filtered(&self, sink: &str, count: u64) {
        self.series
            .sink_filtered
            .with_label_values(&[sink])
            .inc_by(count);
    }

    /// `count` alerts that `sink` can never take are dead letters.
    pub fn sink_parked(&self, sink: &str, count: u64) {
        self.series
            .sink_parked
            .with_label_values(&[sink])
            .inc_by(count);
    }

    /// `sink` could not take a batch now, for a reason of this class.
    pub fn sink_retried(&self, sink: &str, class: &'static str) {
        self.series
            .sink_retried
            .with_label_values(&[sink, class])
            .inc();
        self.series.sink_up.with_label_values(&[sink]).set(0);
    }
}

/// What reads the metrics.
impl Metrics {
    /// The alerts log, whose end says what is pending for the sinks.
    pub fn follow_alerts(&self, end: watch::Receiver<Pos>) {
        *lock(&self.alerts_end) = Some(end);
    }

    /// Calls `probe` before each reading.
    pub fn probe(&self, probe: impl Fn(&Self) + Send + Sync + 'static) {
        lock(&self.probes).push(Box::new(probe));
    }

    /// All series in Prometheus' text format.
    ///
    /// # Panics
    /// Never: what the table registers can be encoded.
    pub fn render(&self) -> String {
        for probe in lock(&self.probes).iter() {
            probe(self);
        }
        self.pending();
        let mut text = String::new();
        TextEncoder::new()
            .encode_utf8(&self.registry.gather(), &mut text)
            .expect("registered metrics can be encoded");
        text
    }

    /// Events so far, by log type.
    pub fn events(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for family in self.series.events.collect() {
            for metric in family.get_metric() {
                for label in metric.get_label() {
                    let counter = self.series.events.with_label_values(&[label.value()]);
                    counts.insert(label.value().to_owned(), counter.get());
                }
            }
        }
        counts
    }

    fn pending(&self) {
        let end = lock(&self.alerts_end).as_ref().map(|end| *end.borrow());
        let Some(end) = end else { return };
        for (sink, place) in lock(&self.sinks).iter() {
            let labels = [sink.as_str()];
            let pending = end.saturating_sub(place.cursor);
            let due = end.saturating_sub(place.start);
            self.series
                .sink_pending
                .with_label_values(&labels)
                .set(gauge(pending));
            self.series
                .sink_due
                .with_label_values(&labels)
                .set(gauge(due));
        }
    }
}

const LEVELS: [Level; 5] = [
    Level::Informational,
    Level::Low,
    Level::Medium,
    Level::High,
    Level::Critical,
];

fn level_text(level: Level) -> &'static str {
    match level {
        Level::Informational => "informational",
        Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
        Level::Critical => "critical",
    }
}

/// `label` while the registry has room for it, else [`OTHER`].
fn bounded(registry: &Mutex<BTreeSet<String>>, limit: usize, label: &str) -> String {
    let mut known = lock(registry);
    if known.contains(label) {
        return label.to_owned();
    }
    if known.len() >= limit {
        return OTHER.to_owned();
    }
    known.insert(label.to_owned());
    label.to_owned()
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Seconds of a span, as exactly as a metric needs them.
#[expect(
    clippy::cast_precision_loss,
    reason = "a metric needs no more than 52 bits"
)]
fn seconds(span: Span) -> f64 {
    span.ticks() as f64 / 1e7
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The reference of all metrics as Markdown, as it stands in `docs/metrics.md`.
///
/// # Panics
/// Never: it only writes to a string.
pub fn reference() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         Served as Prometheus text under `/metrics`. Generated from `src/metrics/table.rs`; a test \
         compares.\n\n\
         | name | type | labels | meaning |\n| --- | --- | --- | --- |\n",
    );
    for row in table::ROWS {
        let labels: Vec<String> = row
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let help = row.help.trim();
        writeln!(
            text,
            "| `{}` | {} | {} | {help} |",
            row.name,
            row.kind,
            labels.join(", ")
        )
        .expect("writing to a string cannot fail");
    }
    write!(
            text,
        "\n## What the numbers obey\n\n\
         - `palisade_records_total` = `palisade_records_finished_total` + \
         `palisade_records_in_flight`, per source.\n\
         - `palisade_elements_total` = `palisade_events_total` + `palisade_rejects_total`.\n\
         - `palisade_sink_due_alerts` = `palisade_sink_delivered_total` + \
         `palisade_sink_filtered_total` + `palisade_sink_parked_total` + \
         `palisade_sink_pending_alerts`, per sink.\n\n\
         ## Bounds\n\n\
         `rule` holds at most {RULE_SERIES_MAX} values and `category` at most \
         {CATEGORY_SERIES_MAX}; what comes later counts as `{OTHER}`. Sources, sinks and queues are \
         those of the configuration; log types, codes, reasons, levels and \
         classes are closed sets.\n"
    )
    .expect("writing to a string cannot fail");
    text
}

#[cfg(test)]
mod tests;
