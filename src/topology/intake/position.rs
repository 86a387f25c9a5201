//! Where a partition is read on: what the broker's commit, the log and an operator say of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use palisade_detect::event::SourcePartition;
use palisade_ingest::source::{Assigned, SourceError};

use super::{Intake, StateAge, lock};
use crate::log::sqlite::accepted_key;
use crate::log::{AlertRow, Finished};
use crate::topology::operational::{self, Kind, Notice};

/// How far each partition is durable in the log, over all its assignments to this process.
pub(super) struct Ledger {
    finished: BTreeMap<SourcePartition, i64>,
    /// Keys of the gaps that an operator accepted.
    accepted: BTreeSet<String>,
}

impl Ledger {
    /// What the log says at the start.
    pub(super) fn new(finished: Vec<Finished>, accepted: BTreeSet<String>) -> Self {
        let finished = finished.into_iter().map(|row| {
            let at = SourcePartition {
                source: Arc::from(row.source.as_str()),
                incarnation: row.incarnation,
                partition: row.partition,
            };
            (at, row.offset)
        });
        Self {
            finished: finished.collect(),
            accepted,
        }
    }

    /// Up to where a partition's outputs are durable.
    pub(super) fn finished(&self, at: &Assigned) -> Option<i64> {
        self.finished.get(&key(at)).copied()
    }

    /// The log has learned that a partition's outputs are durable up to `upto`. As in the log, what
    /// is read again takes nothing back.
    pub(super) fn move_to(&mut self, at: &Assigned, upto: i64) {
        let offset = self.finished.entry(key(at)).or_insert(upto);
        *offset = upto.max(*offset);
    }

    /// Whether an operator accepted that nothing is read from `from` up to what the topic holds.
    ///
    /// Accepted is one gap behind one durable position: when the log has gone on, it was another one,
    /// and what was used before is used up.
    pub(super) fn accepts(&mut self, at: &Assigned, from: i64) -> bool {
        let Some(offset) = self.finished(at).filter(|offset| from <= *offset) else {
            return false;
        };
        self.accepted.remove(&accepted_key(&Finished {
            source: at.source.to_string(),
            incarnation: at.incarnation,
            partition: at.partition,
            offset,
        }))
    }
}

fn key(at: &Assigned) -> SourcePartition {
    SourcePartition {
        source: Arc::clone(&at.source),
        incarnation: at.incarnation,
        partition: at.partition,
    }
}

impl Intake {
    /// Where to read on, of what the broker and the log say.
    /// And what is to be said of it before.
    pub(super) fn position(
        &self,
        at: &Assigned,
        committed: Option<i64>,
    ) -> Result<(Option<i64>, Option<AlertRow>), SourceError> {
        let finished = lock(&self.ledger).finished(at);
        let (source, partition) = (&*at.source, at.partition);
        match (committed, finished) {
            (None, finished) => Ok((finished, None)),
            (Some(committed), Some(finished)) if committed > finished => {
                let notice = lost_end(at, committed, finished);
                let alert = self.context.site.alarms.alert(notice);
                Ok((Some(finished), Some(operational::row(alert))))
            }
            // The commit may have been set back by hand, to read again: the lower one counts.
            (Some(committed), Some(_)) => Ok((Some(committed), None)),
            (Some(committed), None) if self.context.state == StateAge::New => {
                tracing::warn!(
                    source,
                    partition,
                    committed,
                    "the state directory is new, but the group has a commit: reading goes on from \
                     the commit, without the correlations' memory of what was before"
                );
                Ok((Some(committed), None))
            }
            (Some(committed), None) => {
                self.context.site.metrics.problem("state_gap");
                Err(SourceError::Position {
                    source_name: at.name.to_string(),
                    partition,
                    reason: format!(
                        "state_gap: the broker holds the commit {committed}, but the state \
                         directory knows nothing of this partition, so its log lost records or \
                         belongs to another group; to read on from the commit start with a new \
                         `state.dir`, to read again delete the group's commit"
                    ),
                })
            }
        }
    }
}

/// What is said of records that were removed before they were read.
pub(super) fn removed(at: &Assigned, from: i64, to: i64) -> Notice {
    let (source, partition) = (&*at.source, at.partition);
    Notice::new(
        Kind::TelemetryGap,
        (format!("source {source}, partition {partition}"), from),
        format!("Source `{source}`, partition {partition}: records {from} to {to} were never read"),
        "the topic removed them before they were read, and an operator accepted that; what they would \
         have shown is not known",
    )
    .with_label("source", &source)
    .with_label("partition", &partition)
    .with_label("from", &from)
    .with_label("to", &to)
}

/// What is said of a log whose end is lost: the broker's commit is ahead of what it holds.
fn lost_end(at: &Assigned, committed: i64, finished: i64) -> Notice {
    let (source, partition) = (&*at.source, at.partition);
    Notice::new(
        Kind::StateGap,
        (format!("source {source}, partition {partition}"), finished),
        format!("The log lost its end: source `{source}`, partition {partition} is read again"),
        format!(
            "the broker's commit {committed} is ahead of the log, which ends at {finished}: records \
             {finished} to {committed} are read again, and alerts of the lost part may come back with \
             other ids"
        ),
    )
    .with_label("source", &source)
    .with_label("partition", &partition)
    .with_label("from", &finished)
    .with_label("to", &committed)
}
