//! What a judge counts by itself, and adds to the series once a batch.
//!
//! A series is shared by all threads: to look it up by its labels and add to it costs a lock that is
//! read, a hash and two atomic operations, a dozen times a record. A tally is one thread's own.

use std::collections::BTreeMap;
use std::time::Duration;

use palisade_ingest::reject::Reason;
use prometheus::local::LocalHistogram;

use super::{CATEGORY_SERIES_MAX, Metrics, OTHER, bounded};
use crate::topology::stage::{Counts, Outcome};

/// Numbers of records that were judged and are not in the series yet.
pub struct Tally {
    elements: u64,
    matches: u64,
    duplicate_keys: u64,
    clamped: u64,
    events: Counts,
    rejects: BTreeMap<Reason, u64>,
    unknown: BTreeMap<String, u64>,
    evaluation: LocalHistogram,
}

impl Tally {
    /// Counts what a record came to.
    pub fn outcome(&mut self, outcome: &Outcome) {
        self.elements += outcome.elements;
        self.matches += outcome.matches.len() as u64;
        self.duplicate_keys += outcome.duplicate_keys;
        self.clamped += outcome.clamped;
        for (log_type, count) in outcome.events.iter() {
            self.events.add(log_type, count);
        }
        for (_, reject) in &outcome.rejects {
            *self.rejects.entry(reject.reason).or_default() += 1;
        }
        for (category, count) in &outcome.unknown {
            // A batch may state more categories than there can be series.
            let full = self.unknown.len() >= CATEGORY_SERIES_MAX;
            let label = match category.as_str() {
                category if full && !self.unknown.contains_key(category) => OTHER,
                category => category,
            };
            *self.unknown.entry(label.to_owned()).or_default() += count;
        }
    }

    /// A record took this long from its bytes to its verdicts.
    pub fn evaluated(&mut self, took: Duration) {
        self.evaluation.observe(took.as_secs_f64());
    }
}

impl Metrics {
    /// An empty tally.
    pub fn tally(&self) -> Tally {
        let evaluation = self.series.evaluation.with_label_values::<&str>(&[]);
        Tally {
            elements: 0,
            matches: 0,
            duplicate_keys: 0,
            clamped: 0,
            events: Counts::default(),
            rejects: BTreeMap::new(),
            unknown: BTreeMap::new(),
            evaluation: evaluation.local(),
        }
    }

    /// Adds a tally to the series and empties it.
    pub fn add(&self, tally: &mut Tally) {
        let series = &self.series;
        for (counter, sum) in [
            (&series.elements, &mut tally.elements),
            (&series.matches, &mut tally.matches),
            (&series.duplicate_keys, &mut tally.duplicate_keys),
            (&series.clamped, &mut tally.clamped),
        ] {
            let counter = counter.with_label_values::<&str>(&[]);
            counter.inc_by(std::mem::take(sum));
        }
        for (log_type, count) in std::mem::take(&mut tally.events).iter() {
            series.events.with_label_values(&[log_type]).inc_by(count);
        }
        for (reason, count) in std::mem::take(&mut tally.rejects) {
            let counter = series.rejects.with_label_values(&[reason.as_str()]);
            counter.inc_by(count);
        }
        for (category, count) in std::mem::take(&mut tally.unknown) {
            let stated = if category.is_empty() {
                OTHER
            } else {
                &category
            };
            let label = bounded(&self.categories, CATEGORY_SERIES_MAX, stated);
            let counter = series.unknown_events.with_label_values(&[label.as_str()]);
            counter.inc_by(count);
        }
        tally.evaluation.flush();
    }
}
