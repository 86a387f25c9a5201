//! The table of metrics: name, type, labels and meaning, each once.

use super::{
    Collector, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
};

/// One metric as the reference shows it.
pub(super) struct Row {
    /// Its name.
    pub(super) name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub(super) kind: &'static str,
    /// Its labels.
    pub(super) labels: &'static [&'static str],
    /// What it says.
    pub(super) help: &'static str,
}

/// Upper bounds of the time buckets in seconds: 1 µs to 10 s covers a tiny record and a slow disk.
const BUCKETS: [f64; 18] = [
    1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// A kind of metric that the table can hold.
trait Kind: Collector + Clone + 'static {
    const NAME: &'static str;
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self>;
}

impl Kind for IntCounterVec {
    const NAME: &'static str = "counter";
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Kind for IntGaugeVec {
    const NAME: &'static str = "gauge";
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Kind for GaugeVec {
    const NAME: &'static str = "gauge";
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(Opts::new(name, help), labels)
    }
}

impl Kind for HistogramVec {
    const NAME: &'static str = "histogram";
    fn make(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(
            HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()),
            labels,
        )
    }
}

fn make<K: Kind>(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> K {
    let series =
        K::make(name, help.trim(), labels).expect("names and labels of the table are valid");
    registry
        .register(Box::new(series.clone()))
        .expect("each metric stands in the table once");
    series
}

macro_rules! table {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:ty, $name:literal, [$($label:literal),*];)*) => {
        /// The series of every metric.
        pub(super) struct Series {
            $($(#[doc = $help])+ pub(super) $field: $kind,)*
        }

        impl Series {
            /// Makes all series known to `registry`.
            pub(super) fn register(registry: &Registry) -> Self {
                Self {
                    $($field: make(registry, $name, concat!($($help),+), &[$($label),*]),)*
                }
            }
        }

        /// The reference, in the table's order.
        pub(super) const ROWS: &[Row] = &[
            $(Row {
                name: $name,
                kind: <$kind as Kind>::NAME,
                labels: &[$($label),*],
                help: concat!($($help),+),
            },)*
        ];
    };
}

table! {
    /// Always 1; the label names the program's version.
    build_info: IntGaugeVec, "palisade_build_info", ["version"];

    /// Records taken from a source.
    records: IntCounterVec, "palisade_records_total", ["source"];
    /// Payload bytes of the records taken.
    bytes: IntCounterVec, "palisade_bytes_total", ["source"];
    /// Records whose every output is durable: `done`, or `parked` when a part became a dead letter.
    records_finished: IntCounterVec, "palisade_records_finished_total", ["source", "outcome"];
    /// Records taken whose outputs are not yet durable.
    records_in_flight: IntGaugeVec, "palisade_records_in_flight", ["source"];
    /// Elements seen in records; each becomes an event or a reject.
    elements: IntCounterVec, "palisade_elements_total", [];
    /// Events judged, by log type.
    events: IntCounterVec, "palisade_events_total", ["log_type"];
    /// Events of unknown log type, by the category they state.
    unknown_events: IntCounterVec, "palisade_unknown_events_total", ["category"];
    /// Elements that became dead letters, by the class of the reason. The grammar of an event that
    /// meets no rule is checked only where a rule reads it; its strings, brackets and encoding always.
    rejects: IntCounterVec, "palisade_rejects_total", ["reason"];
    /// Objects that held a key twice, in events that met a rule or in which a key that is looked at
    /// stood twice; the last one wins.
    duplicate_keys: IntCounterVec, "palisade_duplicate_keys_total", [];
    /// Events whose time was missing or out of bounds and was replaced by the append time.
    clamped: IntCounterVec, "palisade_clamped_times_total", [];
    /// Time from a record's bytes to the verdicts on its events.
    evaluation: HistogramVec, "palisade_evaluation_seconds", [];

    /// Rules and correlations in force.
    rules_loaded: IntGaugeVec, "palisade_rules_loaded", [];
    /// Rules and correlations that could not be loaded or honoured; they detect nothing.
    rules_skipped: IntGaugeVec, "palisade_rules_skipped", [];
    /// What was found in the rules when they were last loaded, warnings included, by diagnostic code.
    rule_problems: IntGaugeVec, "palisade_rule_problems", ["code"];
    /// Times that the rules were read again, by what became of it: `applied`, `unchanged` or `refused`.
    rule_reloads: IntCounterVec, "palisade_rule_reloads_total", ["result"];
    /// When the rules were last read again, in seconds since 1970, whatever became of it.
    rules_last_reload: GaugeVec, "palisade_rules_last_reload_timestamp_seconds", [];
    /// 1 while the rules in force are not the newest, as those were refused.
    rules_reload_failed: IntGaugeVec, "palisade_rules_reload_failed", [];
    /// Matches handed to correlations.
    matches: IntCounterVec, "palisade_matches_total", [];
    /// Alerts appended to the alerts log, by severity.
    alerts: IntCounterVec, "palisade_alerts_total", ["level"];
    /// Alerts appended to the alerts log, by rule id.
    rule_alerts: IntCounterVec, "palisade_rule_alerts_total", ["rule"];
    /// Time from the broker taking a record to its alert being durable.
    alert_latency: HistogramVec, "palisade_alert_latency_seconds", [];

    /// Event time, in seconds since 1970, below which the correlations expect nothing more.
    watermark: GaugeVec, "palisade_watermark_timestamp_seconds", [];
    /// Elements that the correlations hold.
    fold_slots: IntGaugeVec, "palisade_correlation_elements", [];
    /// Position in the matches log that the correlations read next.
    fold_position: IntGaugeVec, "palisade_correlation_position", [];

    /// Time since all state that changed was last saved.
    snapshot_age: GaugeVec, "palisade_snapshot_age_seconds", [];
    /// Bytes of the newest snapshots that this process saved, over all key partitions.
    snapshot_bytes: IntGaugeVec, "palisade_snapshot_bytes", [];
    /// How long the correlations stood still while the state of a key partition was taken.
    snapshot_pause: HistogramVec, "palisade_snapshot_pause_seconds", [];
    /// Snapshots saved.
    snapshots: IntCounterVec, "palisade_snapshots_total", [];
    /// Snapshots that could not be saved, whose state is taken again at the next interval, or at a start
    /// not be read.
    snapshot_failures: IntCounterVec, "palisade_snapshot_failures_total", [];

    /// Records that the broker holds and that are not finished, at the last look at its end.
    source_lag: IntGaugeVec, "palisade_source_lag_records", ["source", "partition"];
    /// Age of the newest record finished while more wait: how old the oldest unread one may be.
    source_age: GaugeVec, "palisade_source_oldest_unread_seconds", ["source", "partition"];
    /// What waits in a queue: batches, or bytes for `in_flight_bytes`.
    queue_fill: IntGaugeVec, "palisade_queue_fill", ["queue"];
    /// What a queue takes before the stage in front of it pauses.
    queue_capacity: IntGaugeVec, "palisade_queue_capacity", ["queue"];
    /// Bytes of SQLite's write-ahead log, once a minute.
    wal: IntGaugeVec, "palisade_state_wal_bytes", [];
    /// What an operator must know and was said, such as `state_gap`; `docs/runbook.md` has every kind.
    problems: IntCounterVec, "palisade_problems_total", ["kind"];

    /// Dead letters that people asked to be tried again: `done`, or `parked` where they stay what they are.
    dead_retried: IntCounterVec, "palisade_dead_retried_total", ["outcome"];

    /// Alerts in the log since this process started, or waiting then, that the sink must answer for.
    sink_due: IntGaugeVec, "palisade_sink_due_alerts", ["sink"];
    /// Alerts delivered, durably.
    sink_delivered: IntCounterVec, "palisade_sink_delivered_total", ["sink"];
    /// Alerts held back by the sink's configuration.
    sink_filtered: IntCounterVec, "palisade_sink_filtered_total", ["sink"];
    /// Alerts that the sink can never take and that became dead letters.
    sink_parked: IntCounterVec, "palisade_sink_parked_total", ["sink"];
    /// Attempts that the sink could not take, by the class of the reason.
    sink_retried: IntCounterVec, "palisade_sink_retried_total", ["sink", "class"];
    /// Alerts in the log that the sink has not answered for.
    sink_pending: IntGaugeVec, "palisade_sink_pending_alerts", ["sink"];
    /// 1 while the sink takes alerts, 0 while it is waited for.
    sink_up: IntGaugeVec, "palisade_sink_up", ["sink"];
}
